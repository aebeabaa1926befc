//! The one figure by which a VM is better or worse: the latency it is judged by, or its rate.

use super::words::three;
use crate::platform::Outcome;
use crate::spec::{Experiment, TestScenario, VmId};
use crate::study::figures::completed_per_s;

/// The figure of a VM.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Measure {
    /// The latency at the percentile, in nanoseconds: less is better.
    Latency(f64, Percentile),
    /// Samples per second: more is better.
    Rate(f64),
}

/// A percentile, in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Percentile(f64);

impl std::fmt::Display for Percentile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{}", three(self.0))
    }
}

impl Measure {
    pub(super) fn value(self) -> f64 {
        match self {
            Measure::Latency(value, _) | Measure::Rate(value) => value,
        }
    }

    /// How much better `after` is: 2 for half the latency, or twice the rate.
    pub(super) fn gain(self, after: Measure) -> f64 {
        let least = |value: f64| value.max(1e-9);
        match self {
            Measure::Latency(before, _) => least(before) / least(after.value()),
            Measure::Rate(before) => after.value() / least(before),
        }
    }
}

/// The figure of a VM in an outcome; nothing where it answered no query.
pub(super) fn measure(experiment: &Experiment, outcome: &Outcome, id: VmId) -> Option<Measure> {
    let vm = &experiment.vms[usize::from(id.0)];
    let recorder = &outcome.vms[usize::from(id.0)].recorder;
    if recorder.answered() == 0 {
        return None;
    }
    Some(match vm.load.scenario {
        TestScenario::Offline | TestScenario::ClosedLoop { .. } => {
            Measure::Rate(completed_per_s(vm, recorder))
        }
        _ => {
            let percentile = vm.load.settings.percentile;
            let found = recorder.query_latencies().quantile(percentile / 100.0)?;
            Measure::Latency(found.as_nanos_f64(), Percentile(percentile))
        }
    })
}
