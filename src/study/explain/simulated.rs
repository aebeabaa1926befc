//! The simulations behind an explanation, each of them bounded: the run itself, then what is tried.
//!
//! What is tried is listed in `changes` and in `unknowns`; what they mean is said in `kinds`.

use super::seen::Seen;
use super::sentence::Effort;
use super::trials::{Trial, Trials, What};
use super::{changes, unknowns};
use crate::parallel::*;
use crate::platform::{Meter, Outcome, simulate_within};
use crate::spec::{Arrivals, Experiment, TestScenario};
use crate::study::amount::first_part;
use crate::study::asked::queries_at_least;

/// A trial may take so many times the work of the run before it is given up.
const TRIAL_MOST: u64 = 5;
/// So many queries beyond the percentile are left to each VM in a trial.
const BEYOND: f64 = 30.0;

/// Simulates the run, and then what is tried.
pub(super) fn trials(experiment: &Experiment, effort: Effort) -> Trials {
    let (outcome, part, cost) = run(experiment, effort.run_most);
    let mut trials =
        Trials { before: outcome.clone(), outcome, part, trial_part: part, tried: Vec::new() };
    let changes = changes::of(&Seen::new(experiment, &trials));
    let mut planned = unknowns::of(&Seen::new(experiment, &trials));
    planned.extend(changes.into_iter().map(|(change, other)| (What::Setting(change), other)));
    let count = planned.len().max(1) as f64;
    let affordable = part * effort.trials_most as f64 / (cost.max(1) as f64 * count);
    trials.trial_part = affordable.max(least(experiment)).min(part);
    let most = (cost as f64 * trials.trial_part / part) as u64 * TRIAL_MOST + 1_000_000;
    let never = || false;
    let tried = planned.into_par_iter().map(|(what, other)| {
        let other = cut(&other, trials.trial_part);
        let outcome = simulate_within(&other, &mut Meter::new(most, &never));
        Trial { what, experiment: other, outcome }
    });
    trials.tried = tried.collect();
    if trials.trial_part < part {
        let short = cut(experiment, trials.trial_part);
        let found = simulate_within(&short, &mut Meter::new(most, &never));
        trials.before = found.unwrap_or_else(|| trials.outcome.clone());
    }
    trials
}

/// A part of a run, from its start; 1 for all of it.
fn cut(experiment: &Experiment, part: f64) -> Experiment {
    if part < 1.0 { first_part(experiment, part) } else { experiment.clone() }
}

/// The run, or as much of it as is simulated in reasonable time: its outcome, that part, its work.
fn run(experiment: &Experiment, most: u64) -> (Outcome, f64, u64) {
    const SHORTER: f64 = 0.1;
    const TIMES: u32 = 5;
    let mut part = (most as f64 / queries_at_least(experiment).max(1.0)).min(1.0);
    for _ in 0..TIMES {
        let mut meter = Meter::new(most, &|| false);
        if let Some(outcome) = simulate_within(&cut(experiment, part), &mut meter) {
            return (outcome, part, most - meter.left());
        }
        part *= SHORTER;
    }
    let outcome = crate::platform::simulate(&cut(experiment, part));
    (outcome, part, most)
}

/// The least part of a run that leaves enough queries beyond the percentile of every VM.
fn least(experiment: &Experiment) -> f64 {
    let spans = experiment.load_spans();
    let asked = experiment.vms.iter().zip(&spans).filter(|(vm, _)| {
        vm.load.scenario == TestScenario::Server && !matches!(vm.load.arrivals, Arrivals::Trace(_))
    });
    let parts = asked.map(|(vm, span)| {
        let settings = &vm.load.settings;
        let made = (settings.target_qps * span.as_secs_f64()).max(settings.min_query_count as f64);
        BEYOND / (1.0 - settings.percentile / 100.0).max(1e-6) / made.max(1.0)
    });
    parts.fold(0.0, f64::max)
}
