//! The keys of `[operations]` and `[[operation]]`: what each is. What becomes of operations is in
//! `operations`.

use crate::config::catalogue::entries::CARDS_MAX;
use crate::config::catalogue::vmotion::VERSIONS;
use crate::config::keys::forms::{Form, choice, count, flag, number, own, within};
use crate::config::keys::keys;
use crate::config::keys::shape::text;
use crate::units::{Bandwidth, Bytes, SimDuration};

keys! {
    /// How long operations on VMs take, as far as the file says it. What nobody published is assumed.
    pub(crate) struct OperationsKeys {
        /// The version of vMotion.
        vmotion: &'static str = choice("version of vMotion", VERSIONS.map(|name| (name, name))),
            or "the hypervisor's";
        /// Bandwidth of the vMotion network in Gb/s.
        network_gbps: f64 = number("0.25 to 800 Gb/s"), default 10.0;
        /// Memory that a running VM changes per second, while it is copied. Assumed: a model server changes
        /// little of it.
        dirty_rate: Bandwidth = within("0.001 GB/s to 100 GB/s"), default Bandwidth::new(0.05e9);
        /// Bandwidth at which a suspended VM is written and read. Assumed; 0.5 to 5 GB/s are usual.
        storage_bandwidth: Bandwidth = within("0.01 GB/s to 100 GB/s"), default Bandwidth::new(2e9);
        /// Memory of a VM that does not state its own. Assumed.
        memory: Bytes = within("0.1 GB to 24000 GB"), default Bytes::new(32_000_000_000);
        /// Whether hosts have heartbeat datastores: then a failure is known after 18 s, else after 15 s.
        heartbeat_datastores: bool = flag(), default true;
        /// Time to choose a host for a VM that is restarted. Assumed.
        placement: SimDuration = within("0 to 10 min"), default SimDuration::from_secs(1);
        /// Copying the disk of a VM that is cloned. Assumed: 60 GB at 2 GB/s; 2 s to 10 min are usual, the
        /// least for a linked clone.
        clone_time: SimDuration = within("0 to 24 h"), default SimDuration::from_secs(30);
        /// Start of a VM's operating system. Assumed; 30 to 90 s are usual.
        boot: SimDuration = within("0 to 60 min"), default SimDuration::from_secs(60);
        /// Reading a model and warming it up. Assumed, for a model of a few GB; 3 to 8 min are told of a
        /// model of 70 billion parameters.
        model_load: SimDuration = within("0 to 60 min"), default SimDuration::from_secs(60);
        /// A file of operations (CSV), relative to the folder of this file: a row for each, with the keys of
        /// `[[operation]]` as columns.
        trace: String = word();
        /// Length of the windows in which figures over time are told.
        window: SimDuration = within("0.1 s to 1 h"), or "a hundredth of the run, in whole seconds";
    }
}

keys! {
    /// An operation on a VM or a host, at a given time.
    pub(crate) struct OperationKeys {
        /// When it begins, from the start of the run.
        at: SimDuration = within("0 to 24 h"), needed "state when, such as at = \"60 s\"";
        /// What is done.
        kind: Word = choice("kind of operation", WORDS), needed "state what is done, such as kind = \"vmotion\"";
        /// The VM, by its name.
        vm: String = word();
        /// The host, by its name; default: the only one.
        host: String = word();
        /// vMotion: the host to move to, by its name; default: any other. Clone: that to be powered on at;
        /// default: any.
        to: String = word();
        /// vMotion, clone: the card, from 0, instead of a host.
        to_card: u32 = count(0..=CARDS_MAX - 1, "");
        /// After how long a host that failed is back, or one in maintenance that is empty; default: never.
        back_after: SimDuration = within("1 s to 24 h");
        /// Clone: the name of the VM that is made; default: that of its VM with `-clone` behind it.
        name: String = word();
    }
}

keys! {
    /// The key of a `[[vm]]` that HA looks at.
    pub(crate) struct RestartKeys {
        /// Its class when HA restarts VMs of a host that failed: a class is begun once those before it have
        /// their hosts.
        restart_priority: Option<u8> = choice("restart priority", PRIORITIES), default Some(2);
    }
}

/// The classes of restarts, the first first (vSphere documentation, "VM Restart Priority").
const PRIORITIES: [(&str, Option<u8>); 6] = [
    ("highest", Some(0)),
    ("high", Some(1)),
    ("medium", Some(2)),
    ("low", Some(3)),
    ("lowest", Some(4)),
    ("disabled", None),
];

/// The kinds of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Vmotion,
    Suspend,
    Resume,
    PowerOff,
    PowerOn,
    HostFailure,
    Maintenance,
    Clone,
}

impl Word {
    /// Whether it is done to a host, not to a VM.
    pub(crate) fn is_of_a_host(self) -> bool {
        matches!(self, Word::HostFailure | Word::Maintenance)
    }
}

/// Their words in files.
pub(crate) const WORDS: [(&str, Word); 8] = [
    ("vmotion", Word::Vmotion),
    ("suspend", Word::Suspend),
    ("resume", Word::Resume),
    ("power-off", Word::PowerOff),
    ("power-on", Word::PowerOn),
    ("host-failure", Word::HostFailure),
    ("maintenance", Word::Maintenance),
    ("clone", Word::Clone),
];

/// The most operations in a file.
pub(crate) const OPERATIONS_MAX: usize = 10_000;

fn word() -> Form<String> {
    own(|value| value.text().map(str::to_string), text)
}
