//! How good scaling from another GPU is: every GPU that a benchmark was run on is left out in turn, and its
//! Offline rate told from the nearest of the others.
//!
//! It is the code that scales service times; the intervals of `gpu::scaling` are what is found here.

use super::input::Validation;
use super::{links, median};
use crate::gpu::scaling::{self, Place, Similarity, WorkKind};
use crate::spec::{ComputeCapability, GpuSpec, MeasuredRow, Precision, TestScenario};
use crate::study::interval;
use serde::Serialize;
use std::collections::BTreeMap;

/// What leaving each GPU out shows.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Scaling {
    /// By benchmark and GPU, told from the nearest GPU of its compute capability and of another.
    pub rows: Vec<ScalingRow>,
    /// By how near the other GPU is.
    pub spreads: Vec<ScalingSpread>,
}

/// A rate told from another GPU's.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScalingRow {
    /// The benchmark.
    pub benchmark: String,
    /// The GPU that was left out.
    pub gpu: String,
    /// The one that it was told from.
    pub from: String,
    /// How near they are.
    pub kinship: &'static str,
    /// Machines whose median is told.
    pub runs: usize,
    /// The rate that was told over the one measured, minus 1.
    pub error: f64,
}

/// The errors of one kinship taken together.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScalingSpread {
    /// How near the other GPU is.
    pub kinship: &'static str,
    /// Errors that count as independent: one a GPU of the same compute capability, one a capability else.
    pub independent: usize,
    /// Root mean square of the logarithms, each independent one the mean of its own.
    pub rms: f64,
    /// Student's t times that: nine in ten lie within so much on the scale of logarithms.
    pub half_width: f64,
    /// What results carry.
    pub in_use: f64,
}

/// The rates of one benchmark on one GPU.
struct Measured<'v> {
    gpu: &'v GpuSpec,
    rate: f64,
    runs: usize,
    precision: Option<Precision>,
}

/// What all rows of these files show together.
pub fn scaling(inputs: &[&Validation]) -> Scaling {
    let mut found: Vec<(Similarity, ComputeCapability, ScalingRow)> = Vec::new();
    let mut benchmarks: Vec<&str> =
        inputs.iter().flat_map(|input| &input.rows).map(|row| row.benchmark.as_str()).collect();
    benchmarks.sort_unstable();
    benchmarks.dedup();
    for benchmark in benchmarks {
        let known = measured(inputs, benchmark);
        for own in &known {
            for (is_kin, with_clocks) in [(true, true), (true, false), (false, true)] {
                let others = || known.iter().filter(|other| other.gpu.id != own.gpu.id);
                let near =
                    others().filter(|other| is_kin == (number(other.gpu) == number(own.gpu)));
                found.extend(told(inputs, benchmark, own, near.collect(), with_clocks));
            }
        }
    }
    // Without clocks that are known, it is the same GPUs again.
    found.sort_by(|(a, _, one), (b, _, other)| {
        (a, &one.benchmark, &one.gpu).cmp(&(b, &other.benchmark, &other.gpu))
    });
    found.dedup_by(|(a, _, one), (b, _, other)| {
        (a, &one.benchmark, &one.gpu) == (b, &other.benchmark, &other.gpu)
    });
    let spreads = Similarity::ALL.into_iter().filter_map(|kinship| spread(kinship, &found));
    Scaling { spreads: spreads.collect(), rows: found.into_iter().map(|(.., row)| row).collect() }
}

fn number(gpu: &GpuSpec) -> Option<ComputeCapability> {
    gpu.compute_capability.as_ref().map(|number| number.value)
}

/// Whether a row ran in the precision that it states, as far as its benchmark's harness knows.
fn is_of_its_word(input: &Validation, row: &MeasuredRow, gpu: &GpuSpec) -> bool {
    let known =
        input.own_harness(&row.benchmark).and_then(|own| own.benchmarks.get(&row.benchmark));
    known.and_then(|known| known.precision_below).is_none_or(|below| number(gpu) < Some(below))
}

/// The median Offline rate of every whole GPU at its usual power limit under the benchmark's own harness.
fn measured<'v>(inputs: &[&'v Validation], benchmark: &str) -> Vec<Measured<'v>> {
    let mut by_gpu: BTreeMap<&str, (&GpuSpec, Vec<f64>, Option<Precision>)> = BTreeMap::new();
    for input in inputs {
        // A second name of one run says nothing new.
        let is_new = |row: &MeasuredRow| {
            !input.rows.iter().any(|other| other.benchmark < row.benchmark && row.is_run_of(other))
        };
        for row in input.rows.iter().filter(|row| row.benchmark == benchmark) {
            let is_usual = row.scenario == TestScenario::Offline
                && row.mig_profile().is_none()
                && !row.power_limited
                && !row.hetero
                && !links::are_full(input, row)
                && input.is_under_its_own(row);
            let Some(gpu) = input
                .gpu(row)
                .filter(|gpu| is_usual && is_of_its_word(input, row, gpu) && is_new(row))
            else {
                continue;
            };
            let precision = Precision::of_word(&row.settings.precision);
            let entry = by_gpu.entry(&gpu.id).or_insert((gpu, Vec::new(), precision));
            entry.1.extend(links::figure(row));
        }
    }
    let medians = by_gpu.into_values().filter_map(|(gpu, rates, precision)| {
        let runs = rates.len();
        Some(Measured { gpu, rate: median(rates)?, runs, precision })
    });
    medians.collect()
}

fn told(
    inputs: &[&Validation],
    benchmark: &str,
    own: &Measured<'_>,
    others: Vec<&Measured<'_>>,
    with_clocks: bool,
) -> Option<(Similarity, ComputeCapability, ScalingRow)> {
    let here = Place::whole(own.gpu);
    let from = scaling::nearest(&here, others.iter().map(|other| other.gpu), own.precision)?;
    let from = others.into_iter().find(|other| other.gpu.id == from.id)?;
    let workload = inputs.iter().find_map(|input| input.workloads.get(benchmark));
    let service = workload.and_then(|workload| workload.service.get(&from.gpu.id));
    let kind = WorkKind::of(own.precision, service);
    let ratio = scaling::ratio_with(&Place::whole(from.gpu), &here, &kind, with_clocks)?;
    let error = from.rate / ratio.work / own.rate - 1.0;
    let row = ScalingRow {
        benchmark: benchmark.to_string(),
        gpu: own.gpu.id.clone(),
        from: from.gpu.id.clone(),
        kinship: ratio.kinship.words(),
        runs: own.runs,
        error,
    };
    Some((ratio.kinship, number(own.gpu)?, row))
}

/// Benchmarks of one GPU are not independent of each other, nor are GPUs of one capability where it is
/// told from another.
fn spread(
    kinship: Similarity,
    found: &[(Similarity, ComputeCapability, ScalingRow)],
) -> Option<ScalingSpread> {
    let mut by_gpu: BTreeMap<(ComputeCapability, &str), Vec<f64>> = BTreeMap::new();
    for (_, number, row) in found.iter().filter(|(of, ..)| *of == kinship) {
        by_gpu.entry((*number, &row.gpu)).or_default().push(row.error.ln_1p().powi(2));
    }
    let mean = |squares: &[f64]| squares.iter().sum::<f64>() / squares.len() as f64;
    let mut independent: BTreeMap<(ComputeCapability, &str), Vec<f64>> = BTreeMap::new();
    for ((number, gpu), squares) in &by_gpu {
        let group = if kinship == Similarity::Other { "" } else { gpu };
        independent.entry((*number, group)).or_default().push(mean(squares));
    }
    let squares: Vec<f64> = independent.values().map(|squares| mean(squares)).collect();
    let rms = mean(&squares).sqrt();
    (!squares.is_empty()).then(|| ScalingSpread {
        kinship: kinship.words(),
        independent: squares.len(),
        rms,
        half_width: interval::t_95(squares.len()) * rms,
        in_use: kinship.half_width(),
    })
}
