//! Questions whose answer is certainly no, known before anything is simulated.
//!
//! Only limits that no way of sharing can change are checked here: the time of one query alone, and
//! the highest throughput of whole GPUs. A case within a factor of two of either is simulated.

use super::variant::is_server;
use crate::spec::{Experiment, GpuId, ServiceTime, VmSpec};
use crate::units::SimDuration;
use std::collections::BTreeSet;

/// By so much other fits, other machines, clocks and hypervisors do not move a time.
const DOUBT: f64 = 2.0;

/// The time of one query alone on the whole GPU, where even half of it misses the bound of a Server
/// VM: no rate keeps the bound, however the GPU is shared. Nothing where some rate may.
pub fn too_slow_alone(experiment: &Experiment) -> Option<SimDuration> {
    let found = experiment.vms.iter().filter(is_server).filter_map(|vm| {
        let service = services(experiment, vm).map(|service| batch_ns(service, 1));
        let alone = SimDuration::from_nanos_f64(service.reduce(f64::min)?);
        (alone > vm.load.settings.target_latency.scale(DOUBT)).then_some(alone)
    });
    found.min()
}

/// Twice the highest throughput per second of all GPUs of an experiment together, if they were
/// always busy with the best batches of its Server VMs.
pub fn twice_throughput(experiment: &Experiment) -> f64 {
    let vms = || experiment.vms.iter().filter(is_server);
    let best = vms().flat_map(|vm| {
        services(experiment, vm).flat_map(|service| {
            let sizes = service.work.value.points().iter().map(|(size, _)| *size);
            let sizes = sizes.filter(|size| *size < vm.server.batch_max);
            let sizes = sizes.chain([1, vm.server.batch_max]);
            sizes.map(|size| 1e9 * f64::from(size) / batch_ns(service, size))
        })
    });
    let cards: BTreeSet<GpuId> = vms().flat_map(|vm| &vm.gpus).map(|share| share.card).collect();
    DOUBT * best.fold(0.0, f64::max) * cards.len() as f64
}

fn services<'e>(
    experiment: &'e Experiment,
    vm: &'e VmSpec,
) -> impl Iterator<Item = &'e ServiceTime> {
    let cards = vm.gpus.iter().map(|share| experiment.card(share));
    cards.map(|card| &vm.workload.service[&card.gpu.id])
}

fn batch_ns(service: &ServiceTime, size: u32) -> f64 {
    let alone = service.launch.value.as_nanos_f64() + service.work.value.at(size);
    alone.max(service.host_floor.value.as_nanos_f64())
}
