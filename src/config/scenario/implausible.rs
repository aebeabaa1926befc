//! Service times that are valid but hardly meant: a warning, not an error.
//!
//! Most are mistakes in a unit: seconds for milliseconds, or milliseconds for microseconds.

use super::plan::Plan;
use crate::spec::{Experiment, TestScenario, Workload};
use std::collections::BTreeSet;

/// A batch that takes so many times longer per sample than the next smaller one is no measurement: a
/// larger batch fills a GPU better.
const JUMP: f64 = 20.0;

/// The warnings about the workloads in use.
pub(crate) fn times(plans: &[Plan]) -> Vec<String> {
    let runs = plans.iter().flat_map(|plan| &plan.pairs).map(|pair| &pair.virtual_run.experiment);
    let told: BTreeSet<String> = runs.flat_map(of).collect();
    told.into_iter().map(|line| format!("warning: {line}")).collect()
}

fn of(experiment: &Experiment) -> Vec<String> {
    let mut told = Vec::new();
    for vm in &experiment.vms {
        let gpus = vm.gpus.iter().map(|share| &experiment.cards[usize::from(share.card.0)].gpu.id);
        for gpu in gpus.collect::<BTreeSet<_>>() {
            told.extend(jumps(&vm.workload, gpu));
            let Some(service) = vm.workload.service.get(gpu) else { continue };
            let Some(&(batch, time)) = service.work.value.points().first() else { continue };
            let bound = vm.load.settings.target_latency;
            if vm.load.scenario == TestScenario::Server && time > bound {
                told.push(format!(
                    "a batch of {batch} of {} takes {time} alone on the whole {gpu}, and the bound is {bound}: no query can be in time",
                    vm.workload.id
                ));
            }
        }
    }
    told
}

fn jumps(workload: &Workload, gpu: &str) -> Option<String> {
    let points = workload.service.get(gpu)?.work.value.points();
    let per_sample = |at: usize| points[at].1.as_nanos_f64() / f64::from(points[at].0);
    let at = (1..points.len()).find(|&at| per_sample(at) > JUMP * per_sample(at - 1))?;
    let ((small, short), (large, long)) = (points[at - 1], points[at]);
    Some(format!(
        "`service.{gpu}.work` of {}: batches of {small} take {short} and of {large} {long}, {:.0} \
         times as long per sample: is a unit wrong?",
        workload.id,
        per_sample(at) / per_sample(at - 1)
    ))
}
