//! What is tried beside settings: other values of what is not known for certain, and runs that
//! explain: alone, queries at equal gaps, equal work.
//!
//! Which values are possible is decided where `run` looks for them: fits, open inputs, and what is
//! not documented of turns.

use super::seen::Seen;
use super::trials::{Unknown, What};
use crate::spec::{Arrivals, Experiment, LoadSpec, SizeDistribution, TestScenario, VmId, VmSpec};
use crate::study::variant::with_more_work;
use crate::study::{fits, sensitivity};
use crate::units::Share;

/// The other value of work that nobody doubts: it shows how near to saturation a run is.
pub(super) const MORE_WORK: &str = "1 % more";

/// What is not known, and what explains: no settings.
pub(super) fn of(seen: &Seen<'_>) -> Vec<(What, Experiment)> {
    let experiment = seen.experiment;
    let mut planned = Vec::new();
    planned.extend(unknowns(experiment));
    for group in &seen.groups {
        let worst = seen.worst(group);
        if let Some(alone) = alone(experiment, worst) {
            planned.push((What::Alone(worst), alone));
        }
    }
    if let Some(other) = with_equal_gaps(experiment) {
        planned.push((What::EqualGaps, other));
    }
    if let Some(other) = with_equal_work(experiment) {
        planned.push((What::EqualWork, other));
    }
    planned
}

/// The run with other possible values of what is not known: other fits, other machines, inputs at
/// the ends of their ranges, what is not documented, and one percent more work.
fn unknowns(experiment: &Experiment) -> Vec<(What, Experiment)> {
    let mut planned: Vec<(Unknown, Experiment)> = Vec::new();
    for other in sensitivity::alternatives(experiment) {
        let key = other.option.split(" = ").next().unwrap_or_default().to_string();
        let all = sensitivity::assumed(experiment).unwrap_or_default();
        let assumed = said_of(&key, &all).unwrap_or("what is assumed").to_string();
        planned.push((Unknown { name: key, assumed, other: other.option }, other.experiment));
    }
    for variant in fits::variants(experiment) {
        let unknown = match variant.other {
            fits::Other::Fit(workload, gpu, set) => Unknown {
                name: format!("the fit of {workload} on {gpu}"),
                assumed: "the best fit".to_string(),
                other: format!("fit {} of those nearly as good", set + 1),
            },
            fits::Other::Machines { slower } => Unknown {
                name: "the speed of this machine".to_string(),
                assumed: "the median of machines".to_string(),
                other: if slower {
                    "a slow one (5th percentile)".to_string()
                } else {
                    "a fast one (95th percentile)".to_string()
                },
            },
            // Turns are among the alternatives already.
            fits::Other::Open(end) if is_of_turns(&end.input.name) => continue,
            fits::Other::Open(end) => Unknown {
                other: end.input.ends[end.end].clone(),
                name: end.input.name,
                assumed: end.input.assumed,
            },
        };
        planned.push((unknown, variant.experiment));
    }
    planned.push((
        Unknown {
            name: "the GPU work of a batch".to_string(),
            assumed: "as timed".to_string(),
            other: MORE_WORK.to_string(),
        },
        with_more_work(experiment),
    ));
    planned.into_iter().map(|(unknown, other)| (What::Unknown(unknown), other)).collect()
}

/// The part of a list of assumptions that is about a key: `idle = "burned"`.
fn said_of<'a>(key: &str, all: &'a str) -> Option<&'a str> {
    let from = all.find(&format!("{key} = \""))?;
    let value = from + key.len() + 4;
    let end = value + all[value..].find('"')? + 1;
    all.get(from..end)
}

fn is_of_turns(name: &str) -> bool {
    ["switch_cost", "process_turns", "time_slice_best_effort"].iter().any(|key| name.contains(key))
}

/// The run in which all other VMs on the VM's cards are powered off; nothing where there are none.
fn alone(experiment: &Experiment, vm: VmId) -> Option<Experiment> {
    let own = &experiment.vms[usize::from(vm.0)];
    if own.is_ensemble() || !experiment.pools.is_empty() {
        return None;
    }
    let server = experiment.first_model(vm);
    let mut other = experiment.clone();
    let mut is_other = false;
    for (index, neighbour) in other.vms.iter_mut().enumerate() {
        let is_own = experiment.first_model(VmId(index as u16)) == server;
        let meets =
            neighbour.gpus.iter().any(|share| own.gpus.iter().any(|one| one.card == share.card));
        if is_own || !meets || neighbour.load.is_idle() {
            continue;
        }
        power_off(neighbour);
        is_other = true;
    }
    is_other.then_some(other)
}

/// A VM without any load has no server, and no vGPU.
pub(super) fn power_off(vm: &mut VmSpec) {
    vm.steps.clear();
    vm.load = LoadSpec::idle();
}

/// Nothing where no load is at random.
fn with_equal_gaps(experiment: &Experiment) -> Option<Experiment> {
    let is_random = |load: &LoadSpec| {
        load.scenario == TestScenario::Server
            && matches!(load.arrivals, Arrivals::Poisson | Arrivals::Bursty(_))
    };
    let mut other = experiment.clone();
    let loads = other.vms.iter_mut().map(|vm| &mut vm.load).filter(|load| is_random(load));
    let mut changed = 0;
    loads.for_each(|load| {
        load.arrivals = Arrivals::Constant;
        changed += 1;
    });
    (changed > 0).then_some(other)
}

/// Nothing where work does not vary.
fn with_equal_work(experiment: &Experiment) -> Option<Experiment> {
    let mut other = experiment.clone();
    let mut changed = false;
    for vm in &mut other.vms {
        let workload = vm.workload_mut();
        changed |= workload.sizes.value != SizeDistribution::Fixed;
        workload.sizes.value = SizeDistribution::Fixed;
        for service in workload.service.values_mut() {
            changed |= service.spread.value > Share::NONE;
            service.spread.value = Share::NONE;
        }
    }
    changed.then_some(other)
}
