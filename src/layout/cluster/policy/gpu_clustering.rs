//! GPU clustering: hosts that have VMs of the same request before empty ones, and these before hosts
//! with other requests only; among alike the fullest.

use super::{Policy, largest};
use crate::layout::cluster::{Ask, Cluster, Gpus, Host, Site};

#[derive(Debug)]
pub(super) struct GpuClustering {
    largest: f64,
}

/// Requests that are alike: any thousandths, else the same type and number.
type Tag = (Ask, u32);

impl GpuClustering {
    pub(super) fn of(cluster: &Cluster<'_>) -> Self {
        Self { largest: largest(cluster)[1] }
    }
}

fn tag(gpus: &Gpus) -> Tag {
    match gpus.ask {
        Ask::Part(_) => (Ask::Part(0), 1),
        ask => (ask, gpus.count),
    }
}

/// The requests of a host's VMs, each once.
fn tags(cluster: &Cluster<'_>, host: &Host) -> Vec<Tag> {
    let residents = host.cards.iter().flat_map(|card| &card.residents);
    let of = |vm: usize| cluster.kind_of(vm).gpus.as_ref().map(tag);
    let mut tags: Vec<Tag> = residents.filter_map(|resident| of(resident.vm)).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

impl Policy for GpuClustering {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        let Some(gpus) = &at.kind().gpus else { return 0.0 };
        let (own, there) = (tag(gpus), tags(at.cluster, at.host()));
        let class = match (there.contains(&own), there.len()) {
            (true, 1) => 75.0,
            (true, _) => 50.0,
            (false, 0) => 25.0,
            (false, _) => 0.0,
        };
        class + 25.0 * (self.largest - at.free() as f64) / self.largest
    }
}
