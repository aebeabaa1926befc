//! Predictions of a finished fit for the runs that are only compared with it.
//!
//! It comes after the fit and does not affect it.

use super::document::{Checked, Fitted};
use super::problem::{QUERIES_FINAL, at_speed, machine_speeds, predicted, run_figures};
use super::{MeasuredRun, Seen};
use crate::parallel::*;
use crate::spec::{Experiment, Workload};
use crate::study::progress::Progress;
use crate::study::variant::at_edge;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The figures of every run, in order: by the best fit, and the least and the greatest by all fits nearly
/// as good and on slower and faster machines.
pub(super) fn predictions(
    seen: &Seen<'_>,
    fitted: &Fitted,
    checks: &[MeasuredRun],
    progress: Progress<'_>,
) -> Vec<Checked> {
    let (done, all) = (AtomicU64::new(0), (checks.len() * (fitted.fits.len() + 3)) as u64);
    let step =
        || progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, "compared runs simulated");
    let of_run = |run: &MeasuredRun| {
        let figures = |experiment: &Experiment, workload: &Workload, most: u64| {
            let figures = predicted(run, &run_figures(experiment, workload, most));
            step();
            figures
        };
        let with = |values: &[f64]| {
            (at_speed(run, &machine_speeds(seen, values)), seen.workload_with(values))
        };
        let (experiment, workload) = with(&fitted.fits[fitted.best].values);
        let full = figures(&experiment, &workload, QUERIES_FINAL);
        let short: Vec<Vec<f64>> = fitted
            .fits
            .par_iter()
            .map(|fit| {
                let (experiment, workload) = with(&fit.values);
                figures(&experiment, &workload, seen.queries_max)
            })
            .collect();
        let at_edges: Vec<Vec<f64>> = [1.0, -1.0]
            .into_par_iter()
            .filter_map(|slower| {
                let mut own = experiment.clone();
                own.vms[0].workload = Arc::new(workload.clone());
                let other = at_edge(&own, slower)?;
                let workload = other.vms[0].workload.clone();
                Some(figures(&other, &workload, QUERIES_FINAL))
            })
            .collect();
        let best = &short[fitted.best];
        let of_figure = |index: usize| {
            // Runs cut short are a little off; their ratios are not.
            let short = short.iter().map(|one| full[index] * one[index] / best[index]);
            let values = short.chain(at_edges.iter().map(|one| one[index]));
            let ends = values.filter(|value| value.is_finite());
            let ends =
                ends.fold([full[index]; 2], |[low, high], value| [low.min(value), high.max(value)]);
            Checked { value: full[index], ends }
        };
        (0..run.observed.len()).map(of_figure).collect::<Vec<_>>()
    };
    checks.par_iter().flat_map_iter(of_run).collect()
}
