//! What the tried changes of settings did: those that help, the best of each family, and those that
//! do not.
//!
//! A change helps if the VM it is for is better by a twentieth, and nobody who kept the bound
//! misses it now.

use super::measure::{Compared, Measure, measure};
use super::seen::Seen;
use super::trials::{Change, Trial, What};
use crate::platform::Outcome;
use crate::spec::{Experiment, TestScenario, VmId};
use crate::study::figures::completed_per_s;

/// So much better is better: noise is less.
const BETTER: f64 = 1.05;
/// From so much on it is said what a change costs others.
const COSTS: f64 = 1.1;

/// What a change did.
pub(super) struct Effect<'t> {
    pub(super) change: &'t Change,
    pub(super) before: Measure,
    pub(super) after: Measure,
    /// The bound of the VM, in nanoseconds.
    pub(super) bound: Option<f64>,
    /// Samples per second of all VMs, before and after.
    pub(super) rates: [f64; 2],
    /// The VM that it costs most, how many times as bad that is for it, and its figure.
    pub(super) cost: Option<(String, f64, Compared)>,
}

/// What all of them did.
pub(super) struct Effects<'t> {
    /// The VM that they are for; nothing where nothing was tried.
    pub(super) focus: Option<VmId>,
    /// The best of each family that helps, the best first.
    pub(super) helpful: Vec<Effect<'t>>,
    /// What did not help, in the order of trying.
    pub(super) useless: Vec<&'t Change>,
}

/// The effects of all changes that were tried.
pub(super) fn effects<'t>(seen: &Seen<'t>) -> Effects<'t> {
    let mut all = Effects { focus: None, helpful: Vec::new(), useless: Vec::new() };
    let mut families: Vec<&str> = Vec::new();
    for trial in &seen.trials.tried {
        let What::Setting(change) = &trial.what else { continue };
        all.focus = Some(change.focus);
        match effect(seen, trial, change) {
            Some(effect) => {
                families.push(change.family);
                match all.helpful.iter_mut().find(|one| one.change.family == change.family) {
                    Some(best) if is_better(best, &effect) => *best = effect,
                    Some(_) => {}
                    None => all.helpful.push(effect),
                }
            }
            None => all.useless.push(change),
        }
    }
    let gain = |one: &Effect<'_>| one.before.gain(one.after);
    // What asks less of the system comes behind what does not.
    all.helpful.sort_by(|one, other| {
        one.change.asks_less.cmp(&other.change.asks_less).then(gain(other).total_cmp(&gain(one)))
    });
    all
}

/// Whether another of the same family is told in the place of the best so far: it gains more; of
/// lower rates, the highest that keeps the bound.
fn is_better(best: &Effect<'_>, other: &Effect<'_>) -> bool {
    if best.change.family == "rate" {
        let keeps = |one: &Effect<'_>| one.bound.is_none_or(|bound| one.after.keeps(bound));
        return !keeps(best);
    }
    best.before.gain(other.after) > best.before.gain(best.after)
}

/// What a change did, if it helps.
fn effect<'t>(seen: &Seen<'t>, trial: &'t Trial, change: &'t Change) -> Option<Effect<'t>> {
    let outcome = trial.outcome.as_ref()?;
    let before = measure(seen.experiment, &seen.trials.before, change.focus)?;
    let after = measure(&trial.experiment, outcome, change.focus)?;
    if before.gain(after) < BETTER {
        return None;
    }
    let mut cost: Option<(String, f64, Compared)> = None;
    for index in 0..seen.experiment.vms.len() as u16 {
        let id = VmId(index);
        if id == change.focus || change.without == Some(id) {
            continue;
        }
        let vms = (
            measure(seen.experiment, &seen.trials.before, id),
            measure(&trial.experiment, outcome, id),
        );
        let (Some(one), Some(other)) = vms else { continue };
        let bound = bound(seen.experiment, id);
        if bound.is_some_and(|bound| one.keeps(bound) && !other.keeps(bound)) {
            return None;
        }
        let worse = 1.0 / one.gain(other).max(1e-9);
        if worse > COSTS && cost.as_ref().is_none_or(|(_, most, _)| worse > *most) {
            cost = Some((seen.vm(id).name.clone(), worse, one.beside(other)));
        }
    }
    let rates = [of_all(seen.experiment, &seen.trials.before), of_all(&trial.experiment, outcome)];
    // A better latency at the price of the rate that was asked is no help, unless that is the change.
    if !change.asks_less && rates[1] < 0.97 * rates[0] {
        return None;
    }
    Some(Effect { change, before, after, bound: bound(seen.experiment, change.focus), rates, cost })
}

fn bound(experiment: &Experiment, id: VmId) -> Option<f64> {
    let load = &experiment.vms[usize::from(id.0)].load;
    let is_server = load.scenario == TestScenario::Server;
    is_server.then(|| load.settings.target_latency.as_nanos_f64())
}

/// Samples per second of all VMs that ask.
fn of_all(experiment: &Experiment, outcome: &Outcome) -> f64 {
    let vms = experiment.vms.iter().zip(&outcome.vms).filter(|(vm, _)| !vm.load.is_idle());
    vms.map(|(vm, found)| completed_per_s(vm, &found.recorder)).sum()
}
