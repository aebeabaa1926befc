//! `[[host]]`: the hosts of a cluster, each with its cards. A VM is read as on one machine that has the
//! cards of all; which host it is on is found by placement.

use super::machine::{BARE_METAL, Machine, cards_of_host, host_of};
use super::sharing_keys::Sharing;
use crate::config::catalogue::entries::{HostCards, gpus_of};
use crate::config::catalogue::facts::Sources;
use crate::config::catalogue::{Catalogue, find};
use crate::config::text::{Diagnostic, Problems, Reader, Spot, Value};
use crate::spec::HostSpec;
use crate::suggest::quoted;
use crate::units::Bandwidth;
use std::collections::BTreeSet;

/// Most hosts of a file, alike ones counted.
pub(crate) const HOSTS_MAX: u32 = 4096;

/// Most cards of all of them.
pub(crate) const CLUSTER_CARDS_MAX: u32 = 32_768;

/// The hosts of a file.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    pub(crate) groups: Vec<HostGroup>,
    /// The largest host with one group of cards for each group of hosts: what a VM may ask for.
    pub(crate) machine: Machine,
}

/// Hosts that are alike.
#[derive(Clone, Debug)]
pub(crate) struct HostGroup {
    pub(crate) name: String,
    pub(crate) count: Option<u32>,
    pub(crate) is_failover: bool,
    pub(crate) network: Option<Bandwidth>,
    pub(crate) spec: HostSpec,
    pub(crate) cards: Vec<HostCards>,
    pub(crate) spot: Spot,
}

impl HostGroup {
    /// How many cards each has.
    pub(crate) fn card_count(&self) -> u32 {
        self.cards.iter().map(|cards| cards.count).sum()
    }
}

impl Hosts {
    /// Whether `host` is a list: then the file is about a cluster.
    pub(crate) fn are_in(file: &mut Reader<'_>) -> bool {
        file.get("host").is_some_and(|value| value.is_array())
    }

    /// Reads `[[host]]`, `hypervisor` and `[sharing]`.
    pub(crate) fn read(
        file: &mut Reader<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Hosts> {
        let sharing = file.table("sharing").map(Sharing::read).unwrap_or_default();
        let hypervisor = match file.get("hypervisor") {
            Some(value) => find(&value, "hypervisor", &catalogue.hypervisors),
            None => catalogue.hypervisors.get(BARE_METAL),
        };
        let help = "write [[host]] with a model, such as model = \"dell-r7525\"";
        let value = file.need("host", help)?;
        if !value.is_array() {
            let found = value.wrong("is one host, and a cluster is a list of them");
            value.report(found.help("write [[host]] with model = \"...\""));
            return None;
        }
        for key in ["gpus", "host_stalls"] {
            if let Some(value) = file.get(key) {
                let found = value.wrong("is of one host, and this file has [[host]]");
                value.report(found.help("write `gpus` into each [[host]]"));
            }
        }
        let items = value.items(HOSTS_MAX as usize)?;
        let read = items.iter().enumerate();
        let read = read.filter_map(|(index, item)| group(item.table()?, index + 1, catalogue));
        let groups: Vec<HostGroup> = read.collect();
        if groups.len() < items.len() || !names_are_unique(&groups, problems) {
            return None;
        }
        let hosts: u64 = groups.iter().map(|group| u64::from(group.count.unwrap_or(1))).sum();
        if hosts > u64::from(HOSTS_MAX) {
            let found = value.wrong(format!("has {hosts} hosts, alike ones counted"));
            value.report(found.allowed(format!("at most {HOSTS_MAX}")));
            return None;
        }
        let of_group =
            |group: &HostGroup| u64::from(group.count.unwrap_or(1)) * u64::from(group.card_count());
        let cards: u64 = groups.iter().map(of_group).sum();
        if cards > u64::from(CLUSTER_CARDS_MAX) {
            let found = value.wrong(format!("has {cards} cards in all"));
            value.report(found.allowed(format!("at most {CLUSTER_CARDS_MAX}")));
            return None;
        }
        let largest = |group: &&HostGroup| group.spec.logical_processors.value;
        let largest = groups.iter().rev().max_by_key(largest)?;
        let all = groups.iter().flat_map(|group| group.cards.clone()).collect();
        let around = (catalogue, problems, true);
        let machine =
            Machine::of_cluster(largest.spec.clone(), all, (&sharing, hypervisor?), around)?;
        Some(Hosts { groups, machine })
    }

    /// The machine of a host of this group.
    pub(crate) fn machine_of(&self, group: usize, catalogue: &Catalogue) -> Option<Machine> {
        let HostGroup { spec, cards, .. } = &self.groups[group];
        let (sharing, hypervisor) = (&self.machine.sharing, &self.machine.hypervisor);
        let unheard = Problems::default();
        let around = (catalogue, &unheard, false);
        Machine::of_cluster(spec.clone(), cards.clone(), (sharing, hypervisor), around)
    }
}

/// Reads one `[[host]]`.
fn group(mut table: Reader<'_>, number: usize, catalogue: &Catalogue) -> Option<HostGroup> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("host-{number}")), |value| value.text().map(str::to_string));
    let count = table.get("count").map(|value| value.count(1..=HOSTS_MAX, " hosts"));
    let help = "name a host of the catalogue, such as model = \"dell-r7525\", or write your own: \
        model = { logical_processors = 64, memory = \"512 GB\" }";
    let model = table.need("model", help);
    let host = model.as_ref().and_then(|value| host_of(value, catalogue));
    let gpus = table.get("gpus");
    let cards = match &gpus {
        Some(value) => gpus_of(value, &Sources::new()),
        None => model.as_ref().zip(host.as_ref()).and_then(cards_of_host),
    };
    let network = table.get("network").map(|value| network_of(&value));
    let failover = table.get("failover").map(|value| value.flag());
    let spot = table.spot();
    table.finish();
    Some(HostGroup {
        name: name?,
        count: count.map_or(Some(None), |count| count.map(Some))?,
        is_failover: failover.unwrap_or(Some(false))?,
        network: network.map_or(Some(None), |network| network.map(Some))?,
        spec: host?.spec,
        cards: cards?,
        spot,
    })
}

/// The speed of the network that vMotion has.
fn network_of(value: &Value<'_>) -> Option<Bandwidth> {
    let within = |speed: &Bandwidth| (1e6..=1e12).contains(&speed.get());
    value.bounded(within, "1 MB/s to 1000 GB/s")
}

fn names_are_unique(groups: &[HostGroup], problems: &Problems) -> bool {
    let mut names = BTreeSet::new();
    let twice = groups.iter().find(|group| !names.insert(&group.name));
    if let Some(group) = twice {
        let title = format!("two hosts are named {}", quoted(&group.name));
        let help = "give each [[host]] its own name; `count` makes several that are alike";
        problems.push(Diagnostic::at(&group.spot, title).help(help));
    }
    twice.is_none()
}
