//! What the other fits of a workload would give: the spread that a fit leaves in every figure.
//!
//! A workload made by calibration keeps sets of numbers that fit its measurements nearly as well.
//! Each is run, cut short, beside the best, cut as short; the ratios widen the figures of the whole
//! run. How the sets were found is the affair of `calibrate`.

use super::results::{FitSpread, LatencyMs};
use super::summary;
use crate::platform::simulate;
use crate::spec::{Experiment, TestScenario};
use crate::units::SimDuration;
use std::collections::BTreeSet;

/// So many queries of each VM are enough for a ratio.
const QUERIES: u64 = 400_000;

/// For each VM the least and the greatest figure over that of the best fit.
pub(super) type Ratios = Vec<VmRatios>;

/// How far other fits go, relative to the best.
#[derive(Clone, Debug)]
pub(super) struct VmRatios {
    sets: usize,
    rate: [f64; 2],
    /// By the names of [`LatencyMs`].
    latency: Vec<(&'static str, [f64; 2])>,
}

/// Whether any workload of the experiment keeps other fits.
pub(super) fn has_others(experiment: &Experiment) -> bool {
    !others(experiment).is_empty()
}

/// Every other set in use: workload, GPU and its place in the list.
fn others(experiment: &Experiment) -> BTreeSet<(String, String, usize)> {
    let mut sets = BTreeSet::new();
    for vm in &experiment.vms {
        for share in &vm.gpus {
            let gpu = &experiment.cards[usize::from(share.card.0)].gpu.id;
            let count = vm.workload.service[gpu].alternatives.len();
            sets.extend((0..count).map(|set| (vm.workload.id.clone(), gpu.clone(), set)));
        }
    }
    sets
}

/// Runs the best fit and every other one.
pub(super) fn ratios(experiment: &Experiment) -> Ratios {
    let short = cut(experiment);
    let best = figures(&short);
    let mut ratios: Ratios = best
        .iter()
        .map(|_| VmRatios {
            sets: 0,
            rate: [1.0; 2],
            latency: LatencyMs::NAMES.map(|name| (name, [1.0; 2])).to_vec(),
        })
        .collect();
    for (workload, gpu, set) in others(experiment) {
        let mut other = short.clone();
        for vm in other.vms.iter_mut().filter(|vm| vm.workload.id == workload) {
            vm.workload = vm.workload.with_alternative(&gpu, set);
        }
        let found = figures(&other);
        for (vm, (found, best)) in ratios.iter_mut().zip(found.iter().zip(&best)) {
            vm.sets += 1;
            widen(&mut vm.rate, found.0 / best.0);
            for (name, ends) in &mut vm.latency {
                let of = |latency: &LatencyMs| latency.get(name).expect("the names are its own");
                widen(ends, of(&found.1) / of(&best.1));
            }
        }
    }
    ratios
}

/// The figures of the whole run with what other fits make of them.
pub(super) fn spread(ratios: &VmRatios, completed_per_s: f64, latency_ms: &LatencyMs) -> FitSpread {
    let of = |value: f64, ends: [f64; 2]| ends.map(|ratio| value * ratio);
    let latency = ratios.latency.iter().map(|(name, ends)| {
        let value = latency_ms.get(name).expect("the names are its own");
        ((*name).to_string(), of(value, *ends))
    });
    FitSpread {
        sets: ratios.sets + 1,
        completed_per_s: of(completed_per_s, ratios.rate),
        latency_ms: latency.collect(),
    }
}

fn widen(ends: &mut [f64; 2], ratio: f64) {
    if ratio.is_finite() {
        *ends = [ends[0].min(ratio), ends[1].max(ratio)];
    }
}

fn figures(experiment: &Experiment) -> Vec<(f64, LatencyMs)> {
    let outcome = simulate(experiment);
    let vms = experiment.vms.iter().zip(&outcome.vms);
    vms.map(|(vm, of)| {
        let rate = summary::completed_per_s(vm, &of.recorder);
        (rate, summary::latency_ms(of.recorder.latencies()))
    })
    .collect()
}

/// The experiment with runs no longer than a ratio needs.
pub(super) fn cut(experiment: &Experiment) -> Experiment {
    let mut experiment = experiment.clone();
    let longest = experiment.vms.iter().filter_map(|vm| match vm.load.scenario {
        TestScenario::Server | TestScenario::Offline => {
            Some(QUERIES as f64 / vm.load.settings.target_qps)
        }
        _ => None,
    });
    let Some(longest) = longest.reduce(f64::max) else { return experiment };
    for vm in &mut experiment.vms {
        let settings = &mut vm.load.settings;
        settings.min_duration = settings.min_duration.min(SimDuration::from_secs_f64(longest));
        settings.min_query_count = settings.min_query_count.min(QUERIES);
    }
    experiment
}
