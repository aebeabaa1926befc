//! What is asked of a run, known without simulation.

use crate::spec::{Experiment, TestScenario, VmSpec};
use crate::units::SimDuration;

/// Whether queries of this scenario come at a given rate.
pub fn has_rate(scenario: TestScenario) -> bool {
    matches!(scenario, TestScenario::Server | TestScenario::Offline)
}

/// The least number of queries of a run, known without simulation.
pub fn queries_at_least(experiment: &Experiment) -> f64 {
    let of = |(vm, span): (&VmSpec, SimDuration)| {
        let settings = &vm.load.settings;
        let asked = match has_rate(vm.load.scenario) {
            true => settings.target_qps * span.as_secs_f64(),
            false => 0.0,
        };
        let samples = f64::from(vm.load.scenario.samples_per_query());
        asked.max(settings.min_query_count as f64 * samples)
    };
    experiment.vms.iter().zip(experiment.load_spans()).map(of).sum()
}
