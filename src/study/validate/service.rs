//! What all rows together say of a benchmark on a GPU: the numbers of a workload file.
//!
//! Nothing is left out here; how well such numbers predict is what the rest of the validation says.

use super::case::Case;
use super::fit::Fit;
use super::rate::{figure, part_of_gpu};
use super::report::{FittedNumbers, FittedService};
use super::{Validation, median};
use crate::spec::{MeasuredRow, TestScenario};
use std::collections::BTreeSet;

/// Every GPU of every fit under a benchmark's own harness.
pub(super) fn services(input: &Validation, fits: &[Fit<'_>]) -> Vec<FittedService> {
    let own = fits.iter().filter(|fit| fit.cases.iter().all(|case| case.preset != "triton"));
    own.flat_map(|fit| of_fit(input, fit)).collect()
}

fn of_fit(input: &Validation, fit: &Fit<'_>) -> Vec<FittedService> {
    let all: Vec<usize> = fit.undisturbed().collect();
    // A workload file goes with the presets, under which LWIS's batches all advance.
    let candidate = fit.choose_among(&all, |numbers| !numbers.in_order).candidate;
    let gpus: BTreeSet<String> = fit.cases.iter().map(|case| case.run.gpu_id()).collect();
    let of_gpu = |gpu: String| {
        let of_it: Vec<usize> =
            all.iter().copied().filter(|&at| fit.cases[at].run.gpu_id() == gpu).collect();
        let work_factor = fit.gpu_factor(&all, candidate, *of_it.first()?)?;
        let numbers = fit.candidates[candidate];
        let numbers = FittedNumbers {
            launch_ms: numbers.launch_ms,
            spread: numbers.spread,
            phi: numbers.phi,
            in_order: numbers.in_order,
            work_factor,
        };
        let cases: Vec<&Case<'_>> = of_it.iter().map(|&at| fit.cases[at]).collect();
        service(input, &gpu, &cases, numbers, fit.scatter(&of_it, candidate))
    };
    gpus.into_iter().filter_map(of_gpu).collect()
}

fn service(
    input: &Validation,
    gpu: &str,
    cases: &[&Case<'_>],
    numbers: FittedNumbers,
    residual: f64,
) -> Option<FittedService> {
    let benchmark = &cases.first()?.run.benchmark;
    let rows = |scenario: TestScenario, is_slice: bool| -> Vec<&MeasuredRow> {
        let of_it = input.rows.iter().filter(|run| {
            (&run.benchmark, run.scenario) == (benchmark, scenario)
                && run.gpu_id() == gpu
                && run.mig_profile().is_some() == is_slice
                && !run.is_power_limited()
                && !run.hetero
                && run.harness != "Triton"
        });
        of_it.collect()
    };
    let middle =
        |runs: &[&MeasuredRow]| median(runs.iter().filter_map(|run| figure(run)).collect());
    let batch = |runs: Vec<&MeasuredRow>| {
        let batches = runs.iter().filter_map(|run| run.settings.batch);
        median(batches.map(f64::from).collect()).map(|batch| batch as u32)
    };
    let offline = rows(TestScenario::Offline, false);
    let single = middle(&rows(TestScenario::SingleStream, false));
    // `m = (1 - phi) + phi / s`: how many times as long a batch takes on the slice `s`.
    let phi = |times: f64, slice: &MeasuredRow| {
        let part = part_of_gpu(input.gpu(slice)?, slice);
        Some(((times - 1.0) / (1.0 / part - 1.0)).clamp(0.0, 1.0))
    };
    let slice_of_one = rows(TestScenario::SingleStream, true);
    let slice_of_full = rows(TestScenario::Offline, true);
    let phi_of_one =
        slice_of_one.first().and_then(|slice| phi(middle(&slice_of_one)? / single?, slice));
    let phi_of_full = slice_of_full
        .first()
        .and_then(|slice| phi(middle(&offline)? / middle(&slice_of_full)?, slice));
    let mut fitted_on: Vec<String> = cases.iter().map(|case| case.run.name()).collect();
    fitted_on.extend(offline.iter().map(|run| run.name()));
    Some(FittedService {
        benchmark: benchmark.clone(),
        gpu: gpu.to_string(),
        numbers,
        server_batch: batch(cases.iter().map(|case| case.run).collect())?,
        offline_batch: batch(offline.clone())?,
        offline_sample_ms: 1e3 / middle(&offline)?,
        single_p90_ms: single,
        phi_of_one,
        phi_of_full,
        residual,
        fitted_on,
    })
}
