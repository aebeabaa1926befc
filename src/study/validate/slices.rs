//! Server rows on GPU instances, predicted by the law of a slice with the numbers of the catalogue.
//!
//! No latency of a slice under Server load was learnt from: the fixed time of a batch is that of whole
//! GPUs, the serial CPU time of the harness too, and what a sample takes is what the row's own Offline
//! run took. So every row is held out. How a server deals batches to many instances is not documented: in
//! turn, which is predicted, or by lot with twice as many in flight, which the interval holds as well.

use super::case::{Case, Numbers};
use super::curve::{Curve, Figures, figures};
use crate::study::fits::NINETY_PERCENT;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A row on slices, simulated with each way to deal batches.
pub(super) struct Slice<'v> {
    pub(super) case: &'v Case<'v>,
    /// In turn first.
    ways: Vec<(Numbers, Curve)>,
    /// In turn, with the fixed time of a batch on other GPU models.
    pub(super) other_gpus: Option<Curve>,
}

/// Every row on slices that the law says something of, by its row.
pub(super) fn trace<'v>(
    cases: &'v [Case<'v>],
    queries: u64,
    step: &(impl Fn(&str) + Sync),
) -> BTreeMap<usize, Slice<'v>> {
    let slices: Vec<&Case<'_>> = cases.iter().filter(|case| case.is_slice()).collect();
    let traced = slices.par_iter().filter_map(|&case| {
        let of = |numbers: Numbers| (numbers, Curve::trace(case, &numbers, queries));
        let ways = if is_dealt(case) { &[false, true][..] } else { &[false] };
        let ways: Vec<(Numbers, Curve)> =
            ways.iter().filter_map(|&by_lot| case.law(false, by_lot)).map(of).collect();
        let other_gpus = case.law(true, false).map(|numbers| of(numbers).1);
        let slice = Slice { case, ways, other_gpus };
        step(&case.run.system);
        (!slice.ways.is_empty()).then_some((case.index, slice))
    });
    traced.collect()
}

/// Whether batches are dealt in a way that nothing documents: which instance has the next one, and whether
/// it is filled while the one before runs.
fn is_dealt(case: &Case<'_>) -> bool {
    case.preset == "mlperf-triton"
}

impl Slice<'_> {
    /// The numbers with what they say: batches dealt in turn, as the preset has it.
    pub(super) fn predicted(&self) -> &(Numbers, Curve) {
        &self.ways[0]
    }

    /// p99 by what the inputs leave open, each taken for a part of a full batch's time: how much machines
    /// differ, the fixed time of a batch and the CPU time around it, by the ranges that the workload's file
    /// states. As independent errors they make one factor on work, 90 % of it; p99 is simulated at both its
    /// ends, in either way to deal.
    pub(super) fn interval(&self, queries: u64, predicted: &Figures) -> (f64, f64) {
        let case = self.case;
        let (numbers, _) = self.predicted();
        let [fixed, queue] = case.open_ms();
        let machines = NINETY_PERCENT * case.machines().unwrap_or(MACHINES_DIFFER);
        let open = INNER * fixed.hypot(queue) / case.full_batch_ms(numbers);
        let width = machines.hypot(open).exp();
        let p99 = predicted["p99"];
        let ends = self.ways.iter().flat_map(|(numbers, _)| {
            [1.0 / width, width].map(|kappa| figures(case, numbers, kappa, queries).0["p99"])
        });
        ends.fold((p99, p99), |(low, high), end| (low.min(end), high.max(end)))
    }
}

/// Of an input that may be anything within two ends as likely, the inner 90 %.
const INNER: f64 = 0.9;

/// Of a workload that says nothing: what BERT and SSD-ResNet34 scatter by.
const MACHINES_DIFFER: f64 = 0.02;
