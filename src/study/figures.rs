//! The figures of a VM: its rate and its latencies.

use crate::platform::Outcome;
use crate::queueing::stats::LatencyHistogram;
use crate::record::Recorder;
use crate::spec::{Experiment, TestScenario, VmId, VmSpec};
use crate::units::SimDuration;
use serde::{Deserialize, Serialize};

/// Latencies in milliseconds; percentiles to 0.1 %, the others exact.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the names are the meaning: p50 is the 50th percentile, p999 the 99.9th"
)]
pub struct LatencyMs {
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p97: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl LatencyMs {
    /// The names of all figures, in the order of the document.
    pub const NAMES: [&'static str; 9] =
        ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"];

    /// The names of the percentiles, with the quantile of each.
    pub const PERCENTILES: [(&'static str, f64); 6] = [
        ("p50", 0.50),
        ("p90", 0.90),
        ("p95", 0.95),
        ("p97", 0.97),
        ("p99", 0.99),
        ("p999", 0.999),
    ];

    /// The figure called `name` in the document.
    pub fn get(&self, name: &str) -> Option<f64> {
        Some(match name {
            "min" => self.min,
            "mean" => self.mean,
            "p50" => self.p50,
            "p90" => self.p90,
            "p95" => self.p95,
            "p97" => self.p97,
            "p99" => self.p99,
            "p999" => self.p999,
            "max" => self.max,
            _ => return None,
        })
    }
}

/// Completed samples per second as LoadGen defines them.
pub(super) fn completed_per_s(vm: &VmSpec, recorder: &Recorder) -> f64 {
    let samples = recorder.latencies().count() as f64;
    let end = recorder.last_completion().saturating_since(vm.power_on).as_secs_f64();
    match vm.load.scenario {
        _ if end == 0.0 => 0.0,
        TestScenario::Offline => samples / end,
        _ => (samples - 1.0) / end,
    }
}

/// The queries of a Server VM that miss its bound over those that may: above 1 it misses it. Only where a
/// Server VM of the run left queries without an answer, so that latencies do not tell how its VMs did.
pub(super) fn late_of_allowed(experiment: &Experiment, outcome: &Outcome, vm: VmId) -> Option<f64> {
    let is_server = |vm: &VmSpec| vm.load.scenario == TestScenario::Server;
    let mut vms = experiment.vms.iter().zip(&outcome.vms);
    let counts = vms.any(|(vm, found)| is_server(vm) && found.recorder.unanswered() > 0);
    let place = usize::from(vm.0);
    let own = &experiment.vms[place];
    let allowed = (1.0 - own.load.settings.percentile / 100.0).max(1e-9);
    (counts && is_server(own)).then(|| outcome.vms[place].recorder.late_share() / allowed)
}

/// The figures of a histogram, as in the document.
pub(super) fn latency_ms(latencies: &LatencyHistogram) -> LatencyMs {
    let ms = |span: Option<SimDuration>| span.unwrap_or(SimDuration::ZERO).as_millis_f64();
    let at = |quantile| ms(latencies.quantile(quantile));
    LatencyMs {
        min: ms(latencies.min()),
        mean: ms(latencies.mean()),
        p50: at(0.50),
        p90: at(0.90),
        p95: at(0.95),
        p97: at(0.97),
        p99: at(0.99),
        p999: at(0.999),
        max: ms(latencies.max()),
    }
}

/// A number rounded to four significant digits, without binary rounding errors.
pub(super) fn digits(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return number;
    }
    format!("{number:.3e}").parse().expect("a number is written as one")
}
