//! Server rows on GPU instances, predicted by the law of a slice with the numbers of the catalogue.
//!
//! No latency of a slice under Server load was learnt from: the fixed time of a batch is that of whole
//! GPUs, the serial CPU time of the harness too, and what a sample takes is what the row's own Offline
//! run took. So every row is held out. Several slices have a server each, to which the harness deals its
//! calls in turn; how late it is with them is not known, and the interval holds that as well.

use super::case::Case;
use super::curve::{Curve, Figures, figures, figures_of};
use super::numbers::ServiceNumbers;
use crate::parallel::*;
use crate::spec::{CALL_TIME_ENDS, CALL_WAKE, CALL_WAKE_ENDS};
use crate::study::variant::NINETY_PERCENT;
use std::collections::BTreeMap;

/// A row on slices.
pub(super) struct Slice<'v> {
    pub(super) case: &'v Case<'v>,
    pub(super) numbers: ServiceNumbers,
    pub(super) curve: Curve,
    /// With the fixed time of a batch on other GPU models.
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
        let of = |numbers: ServiceNumbers| (numbers, Curve::trace(case, &numbers, queries));
        let own = case.law(false).map(of);
        let other_gpus = case.law(true).map(|numbers| of(numbers).1);
        step(&case.run.system);
        let (numbers, curve) = own?;
        Some((case.index, Slice { case, numbers, curve, other_gpus }))
    });
    traced.collect()
}

impl Slice<'_> {
    /// p99 by what the inputs leave open: a factor on work, and where calls are dealt how late they are, at
    /// the ends of both.
    ///
    /// The factor is `departs`, by how much machines with whole GPUs under the same harness need another
    /// work than their own Offline run says; without it, by how much machines differ. Half of what the
    /// ranges of the fixed time of a batch and of the CPU time around it hold, in parts of a full batch, is
    /// added as an independent error.
    pub(super) fn interval(
        &self,
        queries: u64,
        departs: Option<f64>,
        predicted: &Figures,
    ) -> (f64, f64) {
        let Self { case, numbers, .. } = self;
        let [fixed, queue] = case.open_ms();
        let machines = NINETY_PERCENT * case.machines().unwrap_or(MACHINES_DIFFER);
        let machines = departs.map_or(machines, |departs| departs.max(machines));
        let open = INNER * fixed.hypot(queue) / case.full_batch_ms(numbers);
        let width = machines.hypot(open).exp();
        let works = [1.0 / width, width];
        let ends: Vec<f64> = match case.is_dealt_in_calls() {
            true => works.iter().flat_map(|&work| self.by_calls(work, queries)).collect(),
            false => works.map(|work| figures(case, &numbers.at(work), queries).0["p99"]).to_vec(),
        };
        let p99 = predicted["p99"];
        ends.into_iter().fold((p99, p99), |(low, high), end| (low.min(end), high.max(end)))
    }

    /// p99 with each wake and time of a call that there may be.
    fn by_calls(&self, work: f64, queries: u64) -> Vec<f64> {
        let [early, late] = CALL_WAKE_ENDS;
        let wakes = [early, CALL_WAKE, late];
        let calls = wakes.iter().flat_map(|&wake| CALL_TIME_ENDS.map(|time| (wake, time)));
        let of = |(wake, time)| {
            let mut experiment = self.case.experiment(&self.numbers.at(work), 1.0, queries);
            let server = &mut experiment.vms[0].server;
            (server.call_wake, server.call_time) = (Some(wake), time);
            figures_of(&experiment).0["p99"]
        };
        calls.map(of).collect()
    }
}

/// Of an input that may be anything within two ends as likely, the inner 90 %.
const INNER: f64 = 0.9;

/// Of a workload that says nothing: what BERT and SSD-ResNet34 scatter by.
const MACHINES_DIFFER: f64 = 0.02;
