//! `[power]`: that watts and energy are told, and what hosts without VMs do.
//!
//! Watts of cards and hosts are facts of the catalogue, not keys of a scenario.

use crate::config::keys::forms::{choice, number, within};
use crate::config::keys::keys;
use crate::config::text::Reader;
use crate::spec::{EmptyHosts, Fact, HostStates};
use crate::units::SimDuration;

/// The words for what becomes of a host without VMs.
const EMPTY_HOSTS: [(&str, EmptyHosts); 2] =
    [("on", EmptyHosts::On), ("standby", EmptyHosts::Standby)];

keys! {
    /// The keys of `[power]`.
    pub(crate) struct PowerKeys {
        /// Whether hosts stay on while no VM is on them, or are put on standby and woken in time.
        empty_hosts: EmptyHosts = choice("state of empty hosts", EMPTY_HOSTS),
            default EmptyHosts::On;
        /// What a host on standby draws with its cards, in watts. Assumed; 10 to 20 W are usual.
        standby_w: f64 = number("0 to 20000 W"), or "15";
        /// Time from on to standby, at the power of an idle host. Assumed; 1 to 3 min are usual.
        shutdown: SimDuration = within("0 to 60 min"), or "2 min";
        /// Time from standby to on, at the power of an idle host. Assumed; 5 to 10 min are usual.
        boot: SimDuration = within("0 to 60 min"), or "8 min";
    }
}

/// Reads `[power]`; nothing where a file has none.
pub(crate) fn read(top: &mut Reader<'_>) -> Option<HostStates> {
    let mut table = top.table("power")?;
    let PowerKeys { empty_hosts, standby_w, shutdown, boot, .. } = PowerKeys::given(&mut table);
    table.finish();
    let usual = HostStates::usual();
    Some(HostStates {
        empty_hosts,
        standby_w: standby_w.map_or(usual.standby_w, Fact::yours),
        shutdown: shutdown.map_or(usual.shutdown, Fact::yours),
        boot: boot.map_or(usual.boot, Fact::yours),
    })
}
