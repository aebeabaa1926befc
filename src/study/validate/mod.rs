//! Validation: measured runs, simulated at their own settings and rates, and how far off that is.
//!
//! What is fitted is fitted on other machines: the row's own machine (its twins under another harness,
//! power limit or hypervisor included) is left out, and in a second figure every machine with the
//! same GPU. A Server row may use its own system's Offline rate, never its own latencies. Rows on MIG
//! slices teach whole GPUs nothing: they are predicted by the law of a slice (`slices`). Rows that
//! cannot be simulated keep their place, with the reason.

mod busy;
mod case;
mod curve;
mod fit;
mod input;
mod judge;
mod learnt;
mod links;
mod noise;
mod numbers;
mod rate;
mod report;
mod row;
mod scaling;
mod score;
mod service;
mod slices;

pub use busy::server_busy;
pub use input::{Train, Validation};
pub use numbers::ServiceNumbers;
pub use report::{FittedService, Group, LoadErrors, ValidationResults};
pub use row::{JudgedRow, Rates, ShapeError};

pub use scaling::{Scaling, ScalingRow, ScalingSpread, scaling};
pub use service::fitted_workloads;

use super::progress::Progress;
use crate::engine::fnv1a;
use crate::parallel::*;
use crate::spec::{GpuSpec, Harness, Hypervisor, MeasuredRow, TestScenario, Workload};
use fit::Fit;
use learnt::Learnt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Validates: every row in the order of the file. Results do not depend on the number of threads.
pub fn validate(input: &Validation, progress: Progress<'_>) -> ValidationResults {
    let cases = case::cases(input);
    let fits = fit::groups(&cases);
    let slices = cases.iter().filter(|case| case.is_slice()).count() as u64;
    let judged = cases.iter().filter(|case| case.is_judged).count() as u64;
    let work = fits.iter().map(|fit| fit.work()).sum::<u64>() + slices + judged;
    let done = AtomicU64::new(0);
    let step = |what: &str| progress(done.fetch_add(1, Ordering::Relaxed) + 1, work, what);
    let fits: Vec<Fit<'_>> =
        fits.into_iter().map(|fit| fit.measure(input.fit_queries, &step)).collect();
    let fitted: BTreeMap<usize, &Fit<'_>> =
        fits.iter().flat_map(|fit| fit.rows().map(move |row| (row, fit))).collect();
    let learnt = Learnt::new(&fits);
    let slices = slices::trace(&cases, input.fit_queries, &step);
    let is_slice: BTreeMap<usize, bool> =
        cases.iter().map(|case| (case.index, case.is_slice())).collect();
    let judged = input.rows[..input.judged].par_iter();
    let rows = judged.enumerate().map(|(index, run)| {
        let row = match (run.scenario, fitted.get(&index)) {
            (TestScenario::Server, Some(fit)) => {
                let judged = judge::server(input, fit, &learnt, index);
                step(&run.system);
                judged
            }
            (TestScenario::Server, None) if is_slice.get(&index) == Some(&true) => {
                let judged = judge::slice(input, &fits, &slices, index);
                step(&run.system);
                judged
            }
            (TestScenario::Server, None) => judge::skipped(input, index, &case::reason(input, run)),
            _ => rate::judge(input, index),
        };
        row::marked(input, row, run)
    });
    let rows: Vec<JudgedRow> = rows.collect();
    report::results(input, rows, service::services(input, &fits, &learnt))
}

/// A hash of what the model says of the rows: of a few hundred queries of every Server row, with
/// numbers of no fit. It changes when the rows, the catalogue or the model do.
pub fn fingerprint(input: &Validation) -> String {
    const QUERIES: u64 = 500;
    let mut text = input.hash.clone();
    for case in case::cases(input) {
        let of_law = case.law(false).filter(|_| case.is_slice());
        let numbers = of_law.unwrap_or_else(|| case.candidates()[0]);
        let (figures, _) = curve::figures(&case, &numbers, QUERIES);
        text += &format!(" {:?}", figures);
    }
    format!("{:016x}", fnv1a(text.as_bytes()))
}

impl Validation {
    /// The GPU of a run; nothing for one that the catalogue does not know.
    fn gpu(&self, run: &MeasuredRow) -> Option<&GpuSpec> {
        self.gpus.get(&run.gpu_id())
    }

    /// Whether a prediction may learn from the row of an index, where that is not of its own machine.
    fn teaches(&self, index: usize) -> bool {
        match self.train {
            Train::Both => true,
            Train::Given => index < self.judged,
            Train::Shipped => index >= self.judged,
        }
    }

    /// The rows that predictions may learn from.
    fn teachers(&self) -> impl Iterator<Item = &MeasuredRow> {
        self.rows.iter().enumerate().filter(|(index, _)| self.teaches(*index)).map(|(_, run)| run)
    }

    /// The Offline run of the same system, in the same round where both state theirs; also among rows
    /// that teach nothing.
    fn offline(&self, run: &MeasuredRow) -> Option<&MeasuredRow> {
        let is_of_round =
            |round: &str| round == run.round || round.is_empty() || run.round.is_empty();
        self.rows.iter().find(|other| {
            other.scenario == TestScenario::Offline
                && other.benchmark == run.benchmark
                && (&other.system, &other.submitter) == (&run.system, &run.submitter)
                && other.hetero == run.hetero
                && other.samples_per_s.is_some()
                && is_of_round(&other.round)
        })
    }

    /// The platform of a run. Its cost to the GPU is in the system's own Offline rate already.
    fn platform(&self, run: &MeasuredRow) -> Hypervisor {
        let mut platform = match run.virtualized {
            true => self.hypervisor.clone(),
            false => self.bare_metal.clone(),
        };
        platform.gpu_speed.value = 1.0;
        platform.gpu_speed_range = None;
        platform
    }

    fn workload(&self, run: &MeasuredRow) -> Option<&Workload> {
        self.workloads.get(&run.benchmark)
    }

    /// The harness that a row ran under; nothing of one that nobody described.
    fn harness(&self, run: &MeasuredRow) -> Option<&Harness> {
        let mut known = self.harnesses.iter().filter(|one| one.has(&run.benchmark));
        known.find(|one| one.word == run.harness || (one.is_own && run.harness.is_empty()))
    }

    /// The own harness of a benchmark.
    fn own_harness(&self, benchmark: &str) -> Option<&Harness> {
        self.harnesses.iter().find(|one| one.is_own && one.has(benchmark))
    }

    /// Whether a row ran under no harness that is another than its benchmark's own.
    fn is_under_its_own(&self, run: &MeasuredRow) -> bool {
        !self.harnesses.iter().any(|one| !one.is_own && one.word == run.harness)
    }
}

/// The median of figures, of an even number the mean of the middle two; nothing without any.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    let lower = figures[(figures.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// A quantile of figures, the nearest from above; nothing without any.
fn quantile(figures: &mut [f64], quantile: f64) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let index = (quantile * figures.len() as f64).ceil() as usize;
    figures.get(index.max(1) - 1).copied()
}
