//! Variants of a run: the same experiment with one change.
//!
//! Which of them are used for a result is decided elsewhere (`open`, `fits`, `sensitivity`); the
//! run without its hypervisor is in `baseline`.

use crate::gpu::idle_rule;
use crate::spec::{
    Experiment, IdleRule, InstanceSharing, TestScenario, TimeSlicing, VmSpec, Workload,
};
use crate::units::SimDuration;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether a search changes the rate of this VM: it has a given rate and a latency bound.
pub(super) fn is_server(vm: &&VmSpec) -> bool {
    vm.load.scenario == TestScenario::Server
}

/// The experiment with a total rate of `rate` per second for its Server VMs, in their present
/// proportion.
pub(super) fn at_rate(experiment: &Experiment, rate: f64) -> Experiment {
    let asked = asked_per_s(experiment);
    let mut experiment = experiment.clone();
    for vm in experiment.vms.iter_mut().filter(|vm| is_server(&&**vm)) {
        // One VM alone is asked that very rate, whatever the file states.
        let settings = &mut vm.load.settings;
        settings.target_qps = rate * (settings.target_qps / asked);
    }
    experiment
}

/// The total rate of an experiment's Server VMs.
pub fn asked_per_s(experiment: &Experiment) -> f64 {
    experiment.vms.iter().filter(is_server).map(|vm| vm.load.settings.target_qps).sum()
}

/// The experiment with `part` of its length.
pub(super) fn shortened(experiment: &Experiment, part: f64) -> Experiment {
    let mut short = experiment.clone();
    if part >= 1.0 {
        return short;
    }
    for settings in short.vms.iter_mut().map(|vm| &mut vm.load.settings) {
        settings.min_duration = settings.min_duration.scale(part);
        settings.min_query_count = ((settings.min_query_count as f64 * part) as u64).max(1);
    }
    short
}

/// So many queries of each VM are enough for a ratio.
const QUERIES: u64 = 400_000;

/// The experiment with runs only as long as a ratio needs.
pub(super) fn cut(experiment: &Experiment) -> Experiment {
    let mut short = experiment.clone();
    let longest = experiment.vms.iter().filter_map(|vm| match vm.load.scenario {
        TestScenario::Server | TestScenario::Offline => {
            Some(QUERIES as f64 / vm.load.settings.target_qps)
        }
        _ => None,
    });
    let Some(longest) = longest.reduce(f64::max) else { return short };
    for vm in &mut short.vms {
        let settings = &mut vm.load.settings;
        settings.min_duration = settings.min_duration.min(SimDuration::from_secs_f64(longest));
        settings.min_query_count = settings.min_query_count.min(QUERIES);
    }
    short
}

/// The increase of work, in percent, for the sensitivity of p99.
pub(super) const MORE_WORK_PERCENT: f64 = 1.0;

/// The experiment with [`MORE_WORK_PERCENT`] more GPU work in every batch.
pub(super) fn with_more_work(experiment: &Experiment) -> Experiment {
    let mut more = experiment.clone();
    change_workloads(
        &mut more.vms,
        |_| true,
        |workload| {
            for service in workload.service.values_mut() {
                service.work.value = service.work.value.scaled(1.0 + MORE_WORK_PERCENT / 100.0);
            }
        },
    );
    more
}

/// The experiment with one of its workloads changed.
pub(super) fn with_workload(
    experiment: &Experiment,
    id: &str,
    change: impl Fn(&mut Workload),
) -> Experiment {
    let mut other = experiment.clone();
    change_workloads(&mut other.vms, |workload| workload.id == id, change);
    other
}

/// Changes those of the workloads of VMs that are meant; what VMs share they share afterwards as well.
fn change_workloads(
    vms: &mut [VmSpec],
    is_meant: impl Fn(&Workload) -> bool,
    change: impl Fn(&mut Workload),
) {
    let mut last: Option<[Arc<Workload>; 2]> = None;
    for vm in vms.iter_mut().filter(|vm| is_meant(&vm.workload)) {
        vm.workload = match &last {
            Some([before, after]) if Arc::ptr_eq(before, &vm.workload) => after.clone(),
            _ => {
                let mut changed = Workload::clone(&vm.workload);
                change(&mut changed);
                let changed = Arc::new(changed);
                last = Some([vm.workload.clone(), changed.clone()]);
                changed
            }
        };
    }
}

/// The experiment with the sharing of its cards changed.
pub(super) fn with_sharing(
    experiment: &Experiment,
    mut change: impl FnMut(&str, &mut InstanceSharing),
) -> Experiment {
    let mut other = experiment.clone();
    for card in &mut other.cards {
        for instance in &mut card.instances {
            change(&card.gpu.id, &mut instance.sharing);
        }
    }
    // What is true of a GPU is true within the turns of a VM with pods.
    let gpus: Vec<&str> = other.cards.iter().map(|card| card.gpu.id.as_str()).collect();
    for share in other.vms.iter_mut().flat_map(|vm| &mut vm.gpus) {
        let Some(pods) = &mut share.pods else { continue };
        let mut sharing = pods.of_instance();
        change(gpus[usize::from(share.card.0)], &mut sharing);
        pods.set_of_instance(sharing);
    }
    other
}

/// The run with the other rule for idle turns, and that rule; nothing where no card is shared in
/// turns of the hypervisor, and where its policy has its own rule.
pub(super) fn other_idle(experiment: &Experiment) -> Option<(IdleRule, Experiment)> {
    let instances = || experiment.cards.iter().flat_map(|card| &card.instances);
    let slicing = instances().find_map(|instance| instance.sharing.slicing().copied())?;
    let other = match idle_rule(&slicing) {
        IdleRule::Burned => IdleRule::RestBurned,
        _ => IdleRule::Burned,
    };
    if idle_rule(&TimeSlicing { idle: other, ..slicing }) != other {
        return None;
    }
    let set = |_: &str, sharing: &mut InstanceSharing| {
        if let Some(slicing) = sharing.slicing_mut() {
            slicing.idle = other;
        }
    };
    Some((other, with_sharing(experiment, set)))
}

/// Half the width of a 90 % interval of a normal distribution, in standard deviations.
pub(super) const NINETY_PERCENT: f64 = 1.645;

/// The experiment on a slower machine and platform (`slower` is 1) or a faster one (-1). Nothing where
/// neither is known.
///
/// The spread of machines and the spread of a hypervisor's published pairs are independent. On the
/// log scale their effects add up, so their variances add up. With `m` and `h` the distances to the
/// edge of each alone, the edge of both is at `sqrt(m² + h²)`, not at `m + h`, which would hold far
/// more than 90 % (for two equal normal distributions 98 %). Each input is moved along its own
/// direction by its part of that, `m² / sqrt(m² + h²)` and `h² / sqrt(m² + h²)`: the likeliest way
/// to get there. Machines move by at most the largest `m` of the experiment: VMs of one host are on
/// one machine.
pub(super) fn at_edge(experiment: &Experiment, slower: f64) -> Option<Experiment> {
    let mut other = experiment.clone();
    let platform = experiment.hypervisor.gpu_speed_range.map_or(0.0, |[low, high]| {
        let edge = if slower > 0.0 { low } else { high };
        edge.ln().abs()
    });
    let differ = |workload: &Workload, gpu: &str| {
        let machines = workload.service.get(gpu).and_then(|service| service.machines.as_ref());
        machines.map_or(0.0, |machines| NINETY_PERCENT * machines.value.get())
    };
    let in_use = experiment.vms.iter().flat_map(|vm| {
        let cards = vm.gpus.iter().map(|share| experiment.card(share));
        cards.map(|card| differ(&vm.workload, &card.gpu.id))
    });
    let machine = in_use.fold(0.0, f64::max);
    let edge = machine.hypot(platform);
    if edge == 0.0 {
        return experiment.hypervisor.gpu_speed_range.map(|_| other);
    }
    // Slower divides the platform's speed and multiplies the work.
    other.hypervisor.gpu_speed.value *= (-slower * platform * platform / edge).exp();
    for vm in &mut other.vms {
        let gpus: BTreeSet<&str> =
            vm.gpus.iter().map(|share| experiment.card(share).gpu.id.as_str()).collect();
        for gpu in gpus {
            let own = differ(&vm.workload, gpu);
            let Some(service) = vm.workload_mut().service.get_mut(gpu) else {
                continue;
            };
            let factor = (slower * own * machine / edge).exp();
            service.work.value = service.work.value.scaled(factor);
        }
    }
    Some(other)
}
