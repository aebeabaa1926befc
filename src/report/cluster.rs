//! The answer of `slicewise place`: the document, `vms.csv` with a row per VM that is on, `refused.csv`,
//! `hosts.csv` with a row per card, `policies.csv`, the table with the cluster drawn, the picture.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::Sheet;
use super::width::Width;
use super::{charts, table, written};
use crate::study::{ClusterHost, ClusterResults};

impl Report for ClusterResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_cluster(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let parts = [
            Part::Document("placement"),
            Part::Sheet(vms(self)),
            Part::Sheet(refused(self)),
            Part::Sheet(cards(self)),
            Part::Sheet(policies(self)),
            Part::Table("table"),
            Part::Charts(vec![("cluster".to_string(), charts::cluster_figure(self))]),
        ];
        made(self, &parts)
    }
}

fn vms(results: &ClusterResults) -> Sheet {
    Sheet::of(
        "vms",
        &results.vms,
        &[
            ("vm", |vm| (&vm.vm).into()),
            ("gpus", |vm| (&vm.gpus).into()),
            ("host", |vm| (&vm.host).into()),
            ("cards", |vm| listed(&vm.cards).into()),
            ("starts", |vm| listed(&vm.starts).into()),
        ],
    )
}

/// `0 1 3`: no separator of CSV.
fn listed(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn refused(results: &ClusterResults) -> Sheet {
    Sheet::of(
        "refused",
        &results.refused,
        &[
            ("vm", |vm| (&vm.vm).into()),
            ("gpus", |vm| (&vm.gpus).into()),
            ("at_s", |vm| vm.at_s.into()),
            ("because", |vm| (&vm.because).into()),
        ],
    )
}

fn cards(results: &ClusterResults) -> Sheet {
    let cards =
        results.hosts.iter().flat_map(|host| host.cards.iter().map(move |card| (host, card)));
    Sheet::of(
        "hosts",
        cards,
        &[
            ("host", |(host, _)| (&host.host).into()),
            ("vms", |(host, _)| host.vms.into()),
            ("vcpus", |(host, _)| host.vcpus.into()),
            ("logical_processors", |(host, _)| host.logical_processors.into()),
            ("memory_used_gib", |(host, _)| host.memory_used_gib.into()),
            ("memory_gib", |(host, _)| host.memory_gib.into()),
            ("card", |(_, card)| card.card.into()),
            ("gpu", |(_, card)| (&card.gpu).into()),
            ("mode", |(_, card)| card.mode.into()),
            ("on_it", |(_, card)| card.residents.len().into()),
            ("frame_buffer_gib", |(_, card)| card.frame_buffer_gib.into()),
            ("free_gib", |(_, card)| card.free_gib.into()),
        ],
    )
}

fn policies(results: &ClusterResults) -> Sheet {
    Sheet::of(
        "policies",
        &results.policies,
        &[
            ("policy", |row| row.policy.into()),
            ("is_vsphere", |row| row.is_vsphere.into()),
            ("placed", |row| row.placed.into()),
            ("refused", |row| row.refused.into()),
            ("hosts_in_use", |row| row.hosts_in_use.into()),
            ("cards_in_use", |row| row.cards_in_use.into()),
            ("free_gib", |row| row.free_gib.into()),
            ("placeable", |row| row.placeable.into()),
        ],
    )
}

/// The number of a VM among those of its name, or its name.
pub(super) fn number_of(vm: &str) -> &str {
    vm.rsplit_once('-').map_or(vm, |(_, number)| number)
}

/// Hosts that look alike, as one.
pub(super) struct Alike<'a> {
    /// The first of them.
    pub(super) host: &'a ClusterHost,
    /// The names of all.
    pub(super) names: Vec<&'a str>,
}

/// Most hosts that are drawn one by one.
const EACH: usize = 8;

/// The hosts, alike ones together where there are many: those with the same types at the same places.
pub(super) fn alike(hosts: &[ClusterHost], each: bool) -> Vec<Alike<'_>> {
    if each || hosts.len() <= EACH {
        return hosts.iter().map(|host| Alike { host, names: vec![&host.host] }).collect();
    }
    let mut found: Vec<Alike<'_>> = Vec::new();
    let mut known: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for host in hosts {
        match known.entry(looks(host)) {
            std::collections::btree_map::Entry::Occupied(at) => {
                found[*at.get()].names.push(&host.host);
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(found.len());
                found.push(Alike { host, names: vec![&host.host] });
            }
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.names.len()));
    found
}

/// What a host looks like, without the names of its VMs.
fn looks(host: &ClusterHost) -> String {
    let mut looks = format!("{} {}", host.model, host.is_failover);
    for card in &host.cards {
        looks.push_str(&format!("|{} {}", card.gpu, card.mode));
        for resident in &card.residents {
            looks.push_str(&format!(" {}@{}", resident.r#type, resident.span[0]));
        }
    }
    looks
}
