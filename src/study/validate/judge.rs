//! One Server row: predicted by what other machines say, and how far off that is.
//!
//! The measures are those of queueing near saturation, where latency itself is a poor yardstick: by
//! how much GPU speed would have to differ (load error), and whether the distribution has the right
//! shape once the middle is right (shape error).

use super::case::Numbers;
use super::curve::{Figures, figures};
use super::fit::{Fit, Known};
use super::learnt::Learnt;
use super::report::{FittedNumbers, JudgedRow, Rates, ShapeError};
use super::{Validation, rate};
use crate::platform::simulate;
use crate::study::fits::NINETY_PERCENT;
use crate::units::SimDuration;

/// A row without prediction, and why.
pub(super) fn skipped(input: &Validation, row: usize, reason: &str) -> JudgedRow {
    let mut judged = JudgedRow::new(&input.rows[row]);
    judged.skipped = Some(reason.to_string());
    judged
}

/// Predicts a row and compares.
pub(super) fn server(input: &Validation, fit: &Fit<'_>, learnt: &Learnt, row: usize) -> JudgedRow {
    let index = fit.rows().position(|at| at == row).expect("the fit has the row");
    let case = fit.cases[index];
    let others = learnt.without_machine(fit, case.run);
    if others.cases().is_empty() {
        return skipped(input, row, "no other machine ran this benchmark under this harness");
    }
    let choice = fit.choose(&others);
    let Some(kappa) = fit.predict(&others, choice.candidate, index) else {
        return skipped(input, row, "no other machine's latency could be met by any GPU speed");
    };
    let numbers = fit.candidates[choice.candidate];
    let (predicted, completed) = figures(case, &numbers, kappa, input.queries);
    let steeper = figures(case, &numbers, kappa * 1.01, input.queries).0;

    let mut judged = JudgedRow::new(case.run);
    let measured = |name: &str| case.run.latency[name].as_millis_f64();
    judged.load_error = fit.factor(index, choice.candidate).map(|factor| kappa / factor - 1.0);
    judged.load_error_gpu_left_out = gpu_left_out(fit, learnt, index);
    judged.shape_error = shape(fit, index, choice.candidate);
    judged.elasticity = Some((steeper["p99"] / predicted["p99"]).ln() / 1.01_f64.ln());
    judged.raw_error_p50 = Some(predicted["p50"] / measured("p50") - 1.0);
    judged.raw_error_p99 = Some(predicted["p99"] / measured("p99") - 1.0);
    judged.p99_interval_ms = interval(input, fit, &others, &choice.nearly, index, &predicted);
    judged.numbers = Some(FittedNumbers {
        launch_ms: numbers.launch_ms,
        spread: numbers.spread,
        fixed_samples: numbers.fixed_samples,
        phi: numbers.phi,
        in_order: numbers.in_order,
        work_factor: kappa,
        recovery: others.recovery(),
    });
    judged.fitted_on = others.cases().iter().map(|&at| fit.cases[at].run.name()).collect();
    judged.fitted_on.extend(rate::usual_rows(input, case.run).map(|run| run.name()));
    judged.fitted_on.extend(input.offline(case.run).map(|run| run.name()));
    if completed < 0.98 * case.rate() {
        judged.marks.push("overload".to_string());
    }
    judged.capacity_short = Some(is_short(input, fit, index, &numbers, kappa, &predicted));
    judged.predicted = Some(Rates { completed_per_s: Some(completed), latency_ms: predicted });
    judged
}

/// The load error when nothing of the same GPU model was used but the system's own Offline run.
fn gpu_left_out(fit: &Fit<'_>, learnt: &Learnt, index: usize) -> Option<f64> {
    let others = learnt.without_gpu(fit, fit.cases[index].run);
    if others.cases().is_empty() {
        return None;
    }
    let candidate = fit.choose(&others).candidate;
    Some(fit.predict(&others, candidate, index)? / fit.factor(index, candidate)? - 1.0)
}

/// p90 and p99 once the factor on work makes p50 the measured one.
fn shape(fit: &Fit<'_>, index: usize, candidate: usize) -> Option<ShapeError> {
    let curve = fit.curve(index, candidate);
    let measured = |name: &str| fit.cases[index].run.latency[name].as_millis_f64();
    let factor = curve.factor("p50", measured("p50"))?;
    let error = |name: &str| curve.at(name, factor) / measured(name) - 1.0;
    Some(ShapeError { p90: error("p90"), p99: error("p99") })
}

/// p99 over all fits nearly as good, each within 90 % of the scatter of machines about what others
/// say; nothing where too few say how they scatter.
fn interval(
    input: &Validation,
    fit: &Fit<'_>,
    others: &Known,
    nearly: &[usize],
    index: usize,
    predicted: &Figures,
) -> Option<(f64, f64)> {
    let case = fit.cases[index];
    let p99 = predicted["p99"];
    let mut ends = (p99, p99);
    for &candidate in nearly {
        let kappa = fit.predict(others, candidate, index).unwrap_or(1.0);
        let width = (NINETY_PERCENT * fit.scatter(others, candidate)?).exp();
        for kappa in [kappa / width, kappa * width] {
            let end = figures(case, &fit.candidates[candidate], kappa, input.fit_queries).0["p99"];
            ends = (ends.0.min(end), ends.1.max(end));
        }
    }
    Some(ends)
}

/// Whether the predicted capacity is more than 2 % below the rate that was submitted.
fn is_short(
    input: &Validation,
    fit: &Fit<'_>,
    index: usize,
    numbers: &Numbers,
    kappa: f64,
    predicted: &Figures,
) -> bool {
    let case = fit.cases[index];
    let experiment = case.experiment(numbers, kappa, 0.98, input.queries);
    let bound = experiment.vms[0].load.settings.target_latency;
    if SimDuration::from_nanos_f64(predicted["p99"] * 1e6) <= bound {
        return false;
    }
    let outcome = simulate(&experiment);
    outcome.vms[0].recorder.latencies().quantile(0.99).is_some_and(|p99| p99 > bound)
}
