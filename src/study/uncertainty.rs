//! How certain the figures of a run are: queries beyond its percentiles, replications with other
//! random numbers, and the effect of one percent more work on p99 where a card is nearly saturated.
//!
//! Unknown points of the model itself, such as idle turns or switches, are in `sensitivity`.

use super::figures::{LatencyMs, completed_per_s, latency_ms};
use super::interval::{Interval, student_95};
use super::tokens::TokenIntervals;
use super::variant::{MORE_WORK_PERCENT, with_more_work};
use crate::platform::{Outcome, simulate};
use crate::queueing::stats::LatencyHistogram;
use crate::spec::{Experiment, TestScenario, VmSpec};
use serde::Serialize;
use std::collections::BTreeMap;

/// From this busy share of a card on p99 hangs on every percent of work.
const LOAD_HIGH: f64 = 0.9;

/// How certain the figures of a VM are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Uncertainty {
    /// Samples that lie beyond each percentile; a percentile with few of them is itself random.
    pub samples_beyond: BTreeMap<&'static str, u64>,
    /// The same run with other random numbers; nothing where it was run once.
    pub replications: Option<Replicated>,
    /// The same run with one percent more work; nothing where no card is nearly saturated.
    pub more_work: Option<MoreWork>,
}

/// Means over replications with their 95 % intervals, by Student's t; the figures beside them are
/// those of replication 0.
#[derive(Clone, Debug, Serialize)]
pub struct Replicated {
    /// How many.
    pub count: u32,
    /// How many of them are VALID.
    pub valid: u32,
    /// Completed samples per second.
    pub completed_per_s: Interval,
    /// Latencies in milliseconds, by the names of the document.
    pub latency_ms: BTreeMap<&'static str, Interval>,
    /// Of tokens, in milliseconds and per second; left out where no LLM is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenIntervals>,
}

/// The effect of more work on p99, with the same random numbers.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct MoreWork {
    /// The increase of the GPU work of every batch, in percent.
    pub work_percent: f64,
    /// The load: the busy share of the busiest of the VM's cards, 0 to 1.
    pub load: f64,
    /// p99 with the additional work, in milliseconds.
    pub latency_p99_ms: f64,
    /// The increase of p99, in percent.
    pub p99_percent: f64,
    /// The elasticity of p99: d ln p99 / d ln work.
    pub elasticity: f64,
}

/// A run beside its counterfactual on bare metal, replication by replication.
#[derive(Clone, Debug, Serialize)]
pub struct PairedRatio {
    /// The pair's name.
    pub name: String,
    /// The kind of bare metal: `same-cards` or `whole-cards`.
    pub baseline_kind: &'static str,
    /// The VM's name.
    pub vm: String,
    /// Virtual over bare metal: completed samples per second.
    pub completed_per_s: Interval,
    /// Virtual over bare metal: latencies, by the names of the document.
    pub latency: BTreeMap<&'static str, Interval>,
    /// Virtual over bare metal: tokens; left out where no LLM is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenIntervals>,
}

/// The samples beyond each percentile.
pub(super) fn samples_beyond(latencies: &LatencyHistogram) -> BTreeMap<&'static str, u64> {
    let count = latencies.count();
    let beyond = |quantile: f64| count - ((count as f64 * quantile).ceil() as u64).min(count);
    LatencyMs::PERCENTILES.iter().map(|&(name, quantile)| (name, beyond(quantile))).collect()
}

/// p99 of each VM with more work; nothing for VMs without a given rate, and nothing at all below
/// [`LOAD_HIGH`] unless cards are shared in turns, where a VM's share can be saturated while the
/// card is not.
pub(super) fn more_work(experiment: &Experiment, outcome: &Outcome) -> Vec<Option<MoreWork>> {
    let Some(more) = outcome_of_more_work(experiment, outcome) else {
        return vec![None; experiment.vms.len()];
    };
    let vms = experiment.vms.iter().zip(&outcome.vms).zip(&more.vms);
    let found = vms.map(|((vm, before), after)| {
        let p99 =
            |outcome: &crate::platform::VmOutcome| latency_ms(outcome.recorder.latencies()).p99;
        let (before, after) = (p99(before), p99(after));
        leans_on_work(experiment, outcome, vm).then(|| MoreWork {
            work_percent: MORE_WORK_PERCENT,
            load: load(outcome, vm),
            latency_p99_ms: after,
            p99_percent: (after / before - 1.0) * 100.0,
            elasticity: (after / before).ln() / (1.0 + MORE_WORK_PERCENT / 100.0).ln(),
        })
    });
    found.collect()
}

/// The run with more work; nothing where no VM's p99 depends on it.
pub(super) fn outcome_of_more_work(experiment: &Experiment, outcome: &Outcome) -> Option<Outcome> {
    let leans = experiment.vms.iter().any(|vm| leans_on_work(experiment, outcome, vm));
    leans.then(|| simulate(&with_more_work(experiment)))
}

/// Whether a VM's p99 hangs on every percent of work: it is asked at a rate, and its card has no time
/// left or is shared in turns.
fn leans_on_work(experiment: &Experiment, outcome: &Outcome, vm: &VmSpec) -> bool {
    let in_turns = || vm.gpus.iter().any(|share| experiment.instance(share).sharing.takes_turns());
    vm.load.scenario == TestScenario::Server && (load(outcome, vm) >= LOAD_HIGH || in_turns())
}

/// The busy share of the busiest of a VM's cards.
fn load(outcome: &Outcome, vm: &VmSpec) -> f64 {
    let cards = vm.gpus.iter().map(|share| outcome.gpu_busy[usize::from(share.card.0)]);
    cards.fold(0.0, f64::max)
}

/// The means of a VM over outcomes of the same run with other random numbers.
pub(super) fn replicated(vm: &VmSpec, index: usize, outcomes: &[&Outcome]) -> Option<Replicated> {
    if outcomes.len() < 2 {
        return None;
    }
    let figures = Figures::of(vm, index, outcomes);
    let valid = outcomes.iter().filter(|outcome| outcome.vms[index].failed_rules.is_empty());
    Some(Replicated {
        count: outcomes.len() as u32,
        valid: valid.count() as u32,
        completed_per_s: student_95(&figures.rates)?,
        latency_ms: figures.each(student_95),
        tokens: TokenIntervals::over(vm, index, outcomes),
    })
}

/// The ratios of a VM to its counterfactual of a kind, outcome by outcome.
pub(super) fn paired(
    (name, baseline_kind): (&str, &'static str),
    (vm, index): (&VmSpec, usize),
    sides: (&[&Outcome], &[&Outcome]),
) -> Option<PairedRatio> {
    let (own, bare) = (Figures::of(vm, index, sides.0), Figures::of(vm, index, sides.1));
    let ratios = |own: &[f64], bare: &[f64]| {
        let ratios = own.iter().zip(bare).map(|(own, bare)| own / bare);
        student_95(&ratios.filter(|ratio| ratio.is_finite()).collect::<Vec<_>>())
    };
    let latency = LatencyMs::NAMES.iter().filter_map(|&name| {
        Some((name, ratios(own.latencies.get(name)?, bare.latencies.get(name)?)?))
    });
    Some(PairedRatio {
        name: name.to_string(),
        baseline_kind,
        vm: vm.name.clone(),
        completed_per_s: ratios(&own.rates, &bare.rates)?,
        latency: latency.collect(),
        tokens: TokenIntervals::ratios(vm, index, sides),
    })
}

/// The figures of a VM, one value per outcome.
struct Figures {
    rates: Vec<f64>,
    latencies: BTreeMap<&'static str, Vec<f64>>,
}

impl Figures {
    fn of(vm: &VmSpec, index: usize, outcomes: &[&Outcome]) -> Self {
        let mut found = Self { rates: Vec::new(), latencies: BTreeMap::new() };
        for recorder in outcomes.iter().map(|outcome| &outcome.vms[index].recorder) {
            found.rates.push(completed_per_s(vm, recorder));
            let latency = latency_ms(recorder.latencies());
            for name in LatencyMs::NAMES {
                let value = latency.get(name).expect("a name of the document");
                found.latencies.entry(name).or_default().push(value);
            }
        }
        found
    }

    fn each<T>(&self, figure: impl Fn(&[f64]) -> Option<T>) -> BTreeMap<&'static str, T> {
        let latencies = self.latencies.iter();
        latencies.filter_map(|(&name, values)| Some((name, figure(values)?))).collect()
    }
}
