//! A system whose capacity is searched, and its figures at a rate.

use super::figures::latency_ms;
use super::variant::is_server;
use crate::platform::Outcome;
use crate::spec::Experiment;
use serde::Serialize;

/// A system whose capacity is searched.
#[derive(Clone, Debug)]
pub struct System {
    /// Its name, unique in the plan.
    pub name: String,
    /// Its run; only the ratios of its Server VMs' rates matter.
    pub experiment: Experiment,
    /// The system it is compared with: bare metal on the same cards, by index in the plan.
    pub bare_metal: Option<usize>,
    /// Bare metal with whole cards for each VM, by index in the plan; nothing where it is the same.
    pub whole_cards: Option<usize>,
    /// Whether to report its latencies at lower rates.
    pub with_curve: bool,
    /// Whether to find its capacity at the ends of open inputs too, which takes more searches.
    pub with_inputs: bool,
    /// Whether that includes the other rule for idle turns, which is not documented; otherwise a
    /// separate system may have it.
    pub with_other_idle: bool,
}

impl System {
    /// A system without comparison, with its curve and its open inputs.
    pub fn of(name: String, experiment: Experiment) -> Self {
        let (bare_metal, whole_cards) = (None, None);
        let (with_curve, with_inputs, with_other_idle) = (true, true, false);
        Self { name, experiment, bare_metal, whole_cards, with_curve, with_inputs, with_other_idle }
    }
}

/// Latency at one rate.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct LoadPoint {
    /// Rate of all Server VMs together, queries per second.
    pub asked_per_s: f64,
    /// Median of the Server VM that has the highest, in milliseconds.
    pub latency_p50_ms: f64,
    /// 99th percentile of the Server VM that has the highest, in milliseconds.
    pub latency_p99_ms: f64,
    /// Whether every Server VM is VALID.
    pub valid: bool,
}

pub(super) fn load_point(
    asked_per_s: f64,
    experiment: &Experiment,
    outcome: &Outcome,
) -> LoadPoint {
    let mut point =
        LoadPoint { asked_per_s, latency_p50_ms: 0.0, latency_p99_ms: 0.0, valid: true };
    for (_, found) in experiment.vms.iter().zip(&outcome.vms).filter(|(vm, _)| is_server(vm)) {
        let latency = latency_ms(found.recorder.latencies());
        point.latency_p50_ms = point.latency_p50_ms.max(latency.p50);
        point.latency_p99_ms = point.latency_p99_ms.max(latency.p99);
        point.valid &= found.failed_rules.is_empty();
    }
    point
}
