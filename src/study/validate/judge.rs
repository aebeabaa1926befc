//! One Server row: predicted by what other machines say, and how far off that is.
//!
//! The measures are those of queueing near saturation, where latency itself is a poor yardstick: by
//! how much GPU speed would have to differ (load error), and whether the distribution has the right
//! shape once the middle is right (shape error). An error counts beyond what the measured figure itself
//! would scatter by.

use super::case::Case;
use super::curve::{Curve, Figures, figures};
use super::fit::{Fit, Known};
use super::input::Validation;
use super::learnt::Learnt;
use super::numbers::ServiceNumbers;
use super::row::{JudgedRow, Rates, ShapeError};
use super::slices::Slice;
use super::{links, noise};
use crate::platform::{simulate, simulate_with};
use crate::record::Recorder;
use crate::study::variant::NINETY_PERCENT;
use crate::units::SimDuration;
use std::collections::BTreeMap;

/// A row without prediction, and why.
pub(super) fn skipped(input: &Validation, row: usize, reason: &str) -> JudgedRow {
    let mut judged = JudgedRow::new(&input.rows[row]);
    judged.skipped = Some(reason.to_string());
    judged
}

/// Predicts a row on whole GPUs and compares.
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
    let numbers = fit.numbers(index, choice.candidate).at(kappa);
    let numbers = ServiceNumbers { recovery: others.recovery(), ..numbers };
    let basis = Basis { case, numbers, curve: fit.curve(index, choice.candidate) };
    let interval =
        |predicted: &Figures| interval(input, fit, &others, &choice.nearly, index, predicted);
    let mut judged = basis.compared(input, interval);
    judged.load_error_gpu_left_out =
        gpu_left_out(fit, learnt, index).filter(|_| judged.load_error.is_some());
    judged.fitted_on = others.cases().iter().map(|&at| fit.cases[at].run.name()).collect();
    judged.fitted_on.extend(links::usual_rows(input, case.run).map(|run| run.name()));
    judged.fitted_on.extend(input.offline(case.run).map(|run| run.name()));
    judged
}

/// Predicts a row on slices by the law of a slice, and compares.
pub(super) fn slice(
    input: &Validation,
    fits: &[Fit<'_>],
    slices: &BTreeMap<usize, Slice<'_>>,
    row: usize,
) -> JudgedRow {
    let Some(slice) = slices.get(&row) else {
        return skipped(
            input,
            row,
            "the catalogue has no service time of its benchmark on its GPU",
        );
    };
    let case = slice.case;
    let Slice { numbers, curve, .. } = slice;
    let basis = Basis { case, numbers: *numbers, curve };
    let whole = fits.iter().find(|fit| fit.cases[0].group() == case.group());
    let departs = whole.filter(|_| case.is_triton()).and_then(Fit::departs);
    let interval = |predicted: &Figures| Some(slice.interval(input.queries, departs, predicted));
    let mut judged = basis.compared(input, interval);
    let other_gpus = slice.other_gpus.as_ref().filter(|_| judged.load_error.is_some());
    judged.load_error_gpu_left_out = other_gpus.and_then(|curve| {
        let measured = case.run.latency["p99"].as_millis_f64();
        Some(1.0 / curve.factor("p99", measured)? - 1.0)
    });
    judged.fitted_on = case.law_on();
    judged.fitted_on.extend(input.offline(case.run).map(|run| run.name()));
    judged
}

/// What a row is predicted with.
struct Basis<'f> {
    case: &'f Case<'f>,
    numbers: ServiceNumbers,
    /// Of these numbers, with any factor on work.
    curve: &'f Curve,
}

impl Basis<'_> {
    /// The prediction against the row; `interval` says what p99 may be.
    fn compared(
        &self,
        input: &Validation,
        interval: impl Fn(&Figures) -> Option<(f64, f64)>,
    ) -> JudgedRow {
        let Basis { case, numbers, curve } = self;
        let kappa = numbers.work_factor;
        let (predicted, completed) = figures(case, numbers, input.queries);
        let steeper = figures(case, &numbers.at(kappa * 1.01), input.queries).0;
        let mut judged = JudgedRow::new(case.run);
        let measured = |name: &str| case.run.latency[name].as_millis_f64();
        judged.shape_error = shape(curve, case);
        judged.elasticity = Some((steeper["p99"] / predicted["p99"]).ln() / 1.01_f64.ln());
        judged.raw_error_p50 = Some(predicted["p50"] / measured("p50") - 1.0);
        if noise::is_scored(judged.queries.unwrap_or(u64::MAX), 0.99) {
            let p99 = measured("p99");
            let factor = curve.factor("p99", p99);
            judged.load_error = factor.map(|factor| kappa / factor - 1.0);
            if case.may_fill_a_link() {
                judged.marks.push("link to the host near full".to_string());
                judged.load_error = None;
            }
            judged.raw_error_p99 = Some(predicted["p99"] / p99 - 1.0);
            // The part of a short run that is set aside is not settled yet.
            let queries = if case.sets_aside() { input.queries } else { input.fit_queries };
            let noise = factor.and_then(|factor| self.noise(factor, queries));
            judged.p99_noise_ms = noise.map(|(low, high)| (p99 * low, p99 * high));
            self.beyond_noise(&mut judged, predicted["p99"]);
            judged.p99_interval_ms =
                interval(&predicted).map(|ends| with_noise(ends, predicted["p99"], noise));
        } else {
            judged.marks.push("too few queries for p99".to_string());
        }
        judged.numbers = Some(ServiceNumbers { by_lot: case.is_by_lot(numbers), ..*numbers });
        if completed < 0.98 * case.rate() {
            judged.marks.push("overload".to_string());
        }
        judged.capacity_short = Some(is_short(input, case, numbers, &predicted));
        judged.predicted = Some(Rates { completed_per_s: Some(completed), latency_ms: predicted });
        judged
    }

    /// The 95 % interval of the measured p99 as factors on it, from the run at which it is predicted.
    fn noise(&self, factor: f64, queries: u64) -> Option<(f64, f64)> {
        let experiment = self.case.experiment(&self.numbers.at(factor), 1.0, queries);
        let outcome = simulate_with(&experiment, Recorder::keep_log);
        let mut log = outcome.vms[0].recorder.log()?.to_vec();
        // What was set aside is answered at the end of the run, and was due all along it.
        log.sort_unstable();
        let latencies: Vec<SimDuration> = log.iter().map(|&(_, latency)| latency).collect();
        noise::interval_95(&latencies, 0.99, self.case.run.queries()?)
    }

    /// What of the errors of p99 no new run of the measurement would explain.
    fn beyond_noise(&self, judged: &mut JudgedRow, predicted: f64) {
        let Some((low, high)) = judged.p99_noise_ms else { return };
        let beyond = |found: f64, low: f64, high: f64| found / found.clamp(low, high) - 1.0;
        judged.raw_error_p99_beyond_noise = Some(beyond(predicted, low, high));
        let factor = |p99: f64| self.curve.factor("p99", p99);
        let own = judged.load_error.map(|error| self.numbers.work_factor / (1.0 + error));
        // Beyond what was simulated the interval ends at the measured figure.
        let (low, high) = (factor(low).or(own), factor(high).or(own));
        judged.load_error_beyond_noise =
            low.zip(high).map(|(low, high)| beyond(self.numbers.work_factor, low, high));
    }
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
fn shape(curve: &Curve, case: &Case<'_>) -> Option<ShapeError> {
    let measured = |name: &str| case.run.latency[name].as_millis_f64();
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
    let of = |candidate: usize| fit.numbers(index, candidate);
    let kappa = fit.predict(others, nearly[0], index).unwrap_or(1.0);
    for case in case.at_ends_of_links() {
        let end = figures(&case, &of(nearly[0]).at(kappa), input.queries).0["p99"];
        ends = (ends.0.min(end), ends.1.max(end));
    }
    for &candidate in nearly {
        let kappa = fit.predict(others, candidate, index).unwrap_or(1.0);
        let width = fit.width(others, candidate, index)?.exp();
        for kappa in [kappa / width, kappa * width] {
            let end = figures(case, &of(candidate).at(kappa), input.fit_queries).0["p99"];
            ends = (ends.0.min(end), ends.1.max(end));
        }
    }
    Some(ends)
}

/// The ends with 90 % of what the measured figure scatters by, as an independent error.
fn with_noise(ends: (f64, f64), p99: f64, noise: Option<(f64, f64)>) -> (f64, f64) {
    /// Of a normal law, 90 % over 95.
    const OF_95: f64 = NINETY_PERCENT / 1.96;
    let (low, high) = noise.unwrap_or((1.0, 1.0));
    let down = (p99 / ends.0).ln().hypot(OF_95 * low.ln());
    let up = (ends.1 / p99).ln().hypot(OF_95 * high.ln());
    (p99 * (-down).exp(), p99 * up.exp())
}

/// Whether the predicted capacity is more than 2 % below the rate that was submitted.
fn is_short(
    input: &Validation,
    case: &Case<'_>,
    numbers: &ServiceNumbers,
    predicted: &Figures,
) -> bool {
    let experiment = case.experiment(numbers, 0.98, input.queries);
    let bound = experiment.vms[0].load.settings.target_latency;
    if SimDuration::from_nanos_f64(predicted["p99"] * 1e6) <= bound {
        return false;
    }
    let outcome = simulate(&experiment);
    outcome.vms[0].recorder.latencies().quantile(0.99).is_some_and(|p99| p99 > bound)
}
