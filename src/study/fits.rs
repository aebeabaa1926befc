//! The uncertainty from the inputs: the figures with other fits and on other machines.
//!
//! A workload made by calibration keeps sets of numbers that fit its measurements nearly as well,
//! and states how much machines with one GPU model differ; a platform states the spread of the runs
//! it was derived from; and an input that was not measured is somewhere in its range (`open`). Each
//! variant is run for a shorter time beside the best fit, shortened alike; the ratios widen the
//! figures of the whole run. How the numbers were found is in `calibrate` and `validate`.

use super::figures::LatencyMs;
use super::open::{self, OpenEnd};
use super::results::{FitSpread, VmResult};
use super::token_fits::TokenRatios;
use super::tokens::TokenResult;
use super::variant::{self, at_edge, cut};
use crate::parallel::*;
use crate::platform::{Outcome, simulate};
use crate::spec::Experiment;
use crate::study::figures;
use crate::units::SimDuration;
use std::collections::BTreeSet;

/// From so many times the best p99 on a variant may have a queue that grows.
const GROWN: f64 = 1.25;

/// For each VM, the least and the greatest figure relative to that of the best fit, and the effect
/// of each open input.
pub(super) struct Ratios {
    /// One for each VM.
    pub(super) vms: Vec<VmRatios>,
    /// For each end of each open input, rate and p99 of each VM relative to those of the best fit.
    pub(super) open: Vec<(OpenEnd, Vec<[f64; 2]>)>,
}

/// The figures of other fits relative to those of the best.
#[derive(Clone, Debug)]
pub(super) struct VmRatios {
    sets: usize,
    rate: [f64; 2],
    /// By the names of [`LatencyMs`].
    latency: Vec<(&'static str, [f64; 2])>,
    /// Where it serves an LLM.
    tokens: Option<TokenRatios>,
}

impl VmRatios {
    /// p99 relative to that of the best fit, the least and the greatest.
    pub(super) fn p99(&self) -> [f64; 2] {
        let p99 = self.latency.iter().find(|(name, _)| *name == "p99");
        p99.expect("a latency of the document").1
    }

    /// The latency at a quantile relative to that of the best fit, the least and the greatest: that
    /// of the percentile of the document that is next to it.
    pub(super) fn near(&self, quantile: f64) -> [f64; 2] {
        let off = |one: &&(&str, f64)| (one.1 - quantile).abs();
        let known = LatencyMs::PERCENTILES.iter();
        let name = known.min_by(|one, other| off(one).total_cmp(&off(other)));
        let own = self.latency.iter().find(|(known, _)| name.is_some_and(|name| name.0 == *known));
        own.map_or([1.0; 2], |(_, ends)| *ends)
    }

    /// How far the figures of tokens move, where it serves an LLM.
    pub(super) fn tokens(&self) -> Option<&TokenRatios> {
        self.tokens.as_ref()
    }

    /// The rate relative to that of the best fit, the least and the greatest.
    pub(super) fn rate(&self) -> [f64; 2] {
        self.rate
    }
}

/// The difference between a variant and the best fit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Other {
    /// Another set of the fitted numbers: workload, GPU, its place in the list.
    Fit(String, String, usize),
    /// Slower machines and platforms, or faster ones.
    Machines {
        /// Which.
        slower: bool,
    },
    /// An input that was not measured, at an end of its range.
    Open(OpenEnd),
}

/// An experiment with other possible inputs.
pub(super) struct Variant {
    /// The difference.
    pub(super) other: Other,
    /// The experiment.
    pub(super) experiment: Experiment,
}

/// The smallest interval that holds all of them; nothing for none.
pub(super) fn hull(mut all: impl Iterator<Item = [f64; 2]>) -> Option<[f64; 2]> {
    let first = all.next()?;
    Some(all.fold(first, |ends, other| [ends[0].min(other[0]), ends[1].max(other[1])]))
}

/// Whether the inputs of the experiment leave anything open.
pub(super) fn has_others(experiment: &Experiment) -> bool {
    !others(experiment).is_empty()
        || at_edge(experiment, 1.0).is_some()
        || !open::at_ends(experiment).is_empty()
}

/// The experiment with every other fit of its workloads, at either end of every input that was not
/// measured, one at a time, and on slow and fast machines (5th and 95th percentile).
pub(super) fn variants(experiment: &Experiment) -> Vec<Variant> {
    let fits = others(experiment).into_iter().map(|(workload, gpu, set)| {
        let experiment = variant::with_workload(experiment, &workload, |own| {
            *own = own.with_alternative(&gpu, set);
        });
        Variant { other: Other::Fit(workload, gpu, set), experiment }
    });
    let ends = open::at_ends(experiment)
        .into_iter()
        .map(|(end, experiment)| Variant { other: Other::Open(end), experiment });
    let machines = [true, false].into_iter().filter_map(|slower| {
        let experiment = at_edge(experiment, if slower { 1.0 } else { -1.0 })?;
        Some(Variant { other: Other::Machines { slower }, experiment })
    });
    fits.chain(ends).chain(machines).collect()
}

/// Every other set in use: workload, GPU and its place in the list.
fn others(experiment: &Experiment) -> BTreeSet<(String, String, usize)> {
    let mut sets = BTreeSet::new();
    for vm in &experiment.vms {
        for share in &vm.gpus {
            let gpu = &experiment.card(share).gpu.id;
            let count = vm.workload.service[gpu].alternatives.len();
            sets.extend((0..count).map(|set| (vm.workload.id.clone(), gpu.clone(), set)));
        }
    }
    sets
}

/// Runs the best fit and every variant. `outcome` is that of the best fit, where it is known.
pub(super) fn ratios(experiment: &Experiment, outcome: Option<&Outcome>) -> Ratios {
    let short = cut(experiment);
    let own = outcome.filter(|_| length(&short) == length(experiment));
    let best = own.map_or_else(|| figures(&short), |outcome| figures_of(experiment, outcome));
    let mut vms: Vec<VmRatios> = best
        .iter()
        .map(|best| VmRatios {
            sets: 0,
            tokens: best.2.as_ref().map(|_| TokenRatios::of_best()),
            rate: [1.0; 2],
            latency: LatencyMs::NAMES.map(|name| (name, [1.0; 2])).to_vec(),
        })
        .collect();
    let mut open = Vec::new();
    // A queue that grows all the time is as long as its run: such a variant is run whole.
    let mut whole: Option<Vec<Figures>> = None;
    let variants = variants(experiment);
    let short: Vec<_> =
        variants.par_iter().with_max_len(1).map(|one| figures(&cut(&one.experiment))).collect();
    for (variant, mut found) in variants.into_iter().zip(short) {
        let mut beside = &best;
        let grows = found.iter().zip(&best).any(|(found, best)| found.1.p99 > GROWN * best.1.p99);
        if grows {
            found = figures(&variant.experiment);
            beside = whole.get_or_insert_with(|| figures(experiment));
        }
        for (vm, (found, best)) in vms.iter_mut().zip(found.iter().zip(beside)) {
            vm.sets += 1;
            widen(&mut vm.rate, found.0 / best.0);
            for (name, ends) in &mut vm.latency {
                let of = |latency: &LatencyMs| latency.get(name).expect("the names are its own");
                widen(ends, of(&found.1) / of(&best.1));
            }
            if let (Some(ratios), Some(found), Some(best)) = (&mut vm.tokens, &found.2, &best.2) {
                ratios.add(found, best);
            }
        }
        if let Other::Open(end) = variant.other {
            let pairs = found.iter().zip(beside);
            let ratios = pairs.map(|(of, best)| [over(of.0, best.0), over(of.1.p99, best.1.p99)]);
            open.push((end, ratios.collect()));
        }
    }
    Ratios { vms, open }
}

/// The figures of the whole run with their intervals over other fits.
pub(super) fn spread(ratios: &VmRatios, own: &VmResult) -> FitSpread {
    let (completed_per_s, latency_ms) = (own.completed_per_s, &own.latency_ms);
    let of = |value: f64, ends: [f64; 2]| ends.map(|ratio| value * ratio);
    let latency = ratios.latency.iter().map(|(name, ends)| {
        let value = latency_ms.get(name).expect("the names are its own");
        ((*name).to_string(), of(value, *ends))
    });
    FitSpread {
        sets: ratios.sets + 1,
        completed_per_s: of(completed_per_s, ratios.rate),
        latency_ms: latency.collect(),
        tokens: ratios.tokens.as_ref().zip(own.tokens.as_ref()).map(|(all, own)| all.spread(own)),
    }
}

/// A figure over another; 1 where that is nothing, as the rate of a single query is.
fn over(figure: f64, best: f64) -> f64 {
    Some(figure / best).filter(|ratio| ratio.is_finite()).unwrap_or(1.0)
}

fn widen(ends: &mut [f64; 2], ratio: f64) {
    if ratio.is_finite() {
        *ends = [ends[0].min(ratio), ends[1].max(ratio)];
    }
}

/// What decides how long a run is.
fn length(experiment: &Experiment) -> Vec<(SimDuration, u64)> {
    let settings = experiment.vms.iter().map(|vm| &vm.load.settings);
    settings.map(|settings| (settings.min_duration, settings.min_query_count)).collect()
}

/// Rate and latencies of a VM, and its tokens where it serves an LLM.
type Figures = (f64, LatencyMs, Option<TokenResult>);

fn figures(experiment: &Experiment) -> Vec<Figures> {
    figures_of(experiment, &simulate(experiment))
}

fn figures_of(experiment: &Experiment, outcome: &Outcome) -> Vec<Figures> {
    let vms = experiment.vms.iter().zip(&outcome.vms);
    vms.map(|(vm, of)| {
        let rate = figures::completed_per_s(vm, &of.recorder);
        (rate, figures::latency_ms(of.recorder.latencies()), TokenResult::of(&[(vm, of)]))
    })
    .collect()
}
