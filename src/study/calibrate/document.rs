//! The result of a calibration: the numbers, the error of every run with them, and the other sets
//! of numbers that fit nearly as well.
//!
//! Its workload is the content of a catalogue file; `report` writes it.

use super::parameters::{ParameterKind, with_parameters};
use super::search::Candidate;
use super::{CalibrationPlan, MeasuredRun, noise_of};
use crate::spec::{Fact, ServiceAlternative, Standing, Workload};
use crate::study::results::{SCHEMA_VERSION, Tool};
use serde::Serialize;

/// Most alternatives that a workload keeps: the extremes.
const ALTERNATIVES_MAX: usize = 8;

/// The result of a calibration.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationResults {
    /// Version of the document's shape.
    pub schema_version: u32,
    /// What made the document.
    pub tool: Tool,
    /// The seed of the simulated runs.
    pub seed: u64,
    /// Hash of all input, 16 hexadecimal digits.
    pub calibration_hash: String,
    /// The workload's catalogue name.
    pub name: String,
    /// A one-line title.
    pub title: String,
    /// The GPU.
    pub gpu: String,
    /// Most queries simulated of a run while searching.
    pub queries_max: u64,
    /// Root mean square of the relative errors of the fitted figures.
    pub residual: f64,
    /// How many sets of numbers fit nearly as well, the best included.
    pub fits: usize,
    /// Every number.
    pub parameters: Vec<ParameterResult>,
    /// Every batch size and run, with its errors.
    pub runs: Vec<RunFit>,
    /// Why the numbers are not to be trusted; whole sentences, none where they can be.
    pub alarms: Vec<String>,
    /// Notes for the reader; whole sentences.
    pub notes: Vec<String>,
    /// The workload with the numbers and their alternatives.
    #[serde(skip)]
    pub workload: Workload,
    /// The server preset it usually runs under.
    #[serde(skip)]
    pub usual_preset: String,
}

/// One number.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ParameterResult {
    /// Such as `launch` or `work[64]`.
    pub name: String,
    /// `ms`, or nothing for a ratio.
    pub unit: &'static str,
    /// Its value in the best fit.
    pub value: f64,
    /// The least value among the fits nearly as good.
    pub low: f64,
    /// The greatest value among them.
    pub high: f64,
    /// Whether it was held, not fitted.
    pub held: bool,
    /// Whether the runs determine it; nothing where that was not computed.
    pub identified: Option<bool>,
}

/// One run or batch size.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RunFit {
    /// Its name.
    pub row: String,
    /// Where it was measured.
    pub source: String,
    /// Whether it was used in the fit; otherwise its figures are predictions.
    pub fitted: bool,
    /// Its figures.
    pub figures: Vec<FigureFit>,
}

/// One figure of a run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FigureFit {
    /// `completed_per_s`, `batch`, or the name of a latency.
    pub figure: String,
    /// As measured: per second, or in milliseconds.
    pub observed: f64,
    /// The same by the best fit.
    pub simulated: f64,
    /// Simulated over observed, minus 1, in percent.
    pub error_percent: f64,
    /// The least among the fits nearly as good.
    pub low: f64,
    /// The greatest among them.
    pub high: f64,
}

/// The result of the fit, before the document is made.
pub(super) struct Fitted {
    /// Index of the best among `fits`.
    pub(super) best: usize,
    /// The best and all nearly as good.
    pub(super) fits: Vec<Candidate>,
    /// Per free parameter, where it was computed.
    pub(super) identified: Option<Vec<bool>>,
    pub(super) notes: Vec<String>,
    /// Why the fit is not to be trusted.
    pub(super) alarms: Vec<String>,
    /// The best fit's predictions from runs of full length.
    pub(super) full: Option<Vec<f64>>,
}

/// A finished fit's prediction of a figure that it did not use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Checked {
    /// By the best fit.
    pub(super) value: f64,
    /// The least and the greatest by the others, and on other machines.
    pub(super) ends: [f64; 2],
}

/// From so far off on a fitted figure a fit is not to be trusted, in percent.
const FAR_OFF: f64 = 20.0;

/// From such a root mean square of errors on it is not, either.
const RESIDUAL_MAX: f64 = 0.10;

/// The document; `checked` are the figures of the runs that are only compared, in order.
pub(super) fn results(
    plan: &CalibrationPlan,
    fitted: Fitted,
    checked: Vec<Checked>,
) -> CalibrationResults {
    let mut runs = runs(plan, &fitted);
    let of_checks = compared(&plan.checks, checked);
    let errors: Vec<f64> = runs
        .iter()
        .filter(|run| run.fitted)
        .flat_map(|run| &run.figures)
        .filter(|figure| noise_of(&figure.figure) <= 0.04)
        .map(|figure| figure.error_percent / 100.0)
        .collect();
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    let residual = (squares / errors.len().max(1) as f64).sqrt();
    let mut alarms = plan.alarms.clone();
    alarms.extend(fitted.alarms.iter().cloned());
    alarms.extend(far_off(&runs, residual));
    let mut notes = plan.notes.clone();
    notes.extend(of_checks.iter().filter_map(missed));
    runs.extend(of_checks);
    notes.extend(fitted.notes.iter().cloned());
    CalibrationResults {
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        seed: plan.seed,
        calibration_hash: plan.hash.clone(),
        name: plan.name.clone(),
        title: plan.title.clone(),
        gpu: plan.gpu.clone(),
        queries_max: plan.queries_max,
        residual,
        fits: fitted.fits.len(),
        parameters: parameters(plan, &fitted),
        runs,
        alarms,
        notes,
        workload: workload(plan, &fitted, residual),
        usual_preset: plan.usual_preset.clone(),
    }
}

fn parameters(plan: &CalibrationPlan, fitted: &Fitted) -> Vec<ParameterResult> {
    let mut free = 0;
    let of = |parameter: &super::parameters::FitParameter| {
        let (name, unit, held) = (parameter.kind.name(), parameter.kind.unit(), parameter.is_held);
        if held {
            let value = parameter.start;
            let (low, high, identified) = (value, value, None);
            return ParameterResult { name, unit, value, low, high, held, identified };
        }
        let index = free;
        free += 1;
        let values = fitted.fits.iter().map(|fit| fit.values[index]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let value = fitted.fits[fitted.best].values[index];
        let identified = fitted.identified.as_ref().map(|all| all[index]);
        ParameterResult { name, unit, value, low, high, held, identified }
    };
    plan.parameters.iter().map(of).collect()
}

/// Where a fit leaves figures far off that it saw.
fn far_off(runs: &[RunFit], residual: f64) -> Option<String> {
    let figures = runs.iter().flat_map(|run| run.figures.iter().map(move |figure| (run, figure)));
    let counting = figures.filter(|(_, figure)| noise_of(&figure.figure) <= 0.04);
    let error = |figure: &FigureFit| figure.error_percent.abs();
    let (run, worst) = counting.max_by(|(_, a), (_, b)| error(a).total_cmp(&error(b)))?;
    (error(worst) >= FAR_OFF || residual >= RESIDUAL_MAX).then(|| {
        format!(
            "the error of the best fit is still {:+.0} % on {} of {}, and {:.0} % on average: \
             these measurements do not belong to one model, so do not trust any number of this \
             fit; look for a wrong unit, batch size, number of GPUs or server setting",
            worst.error_percent,
            worst.figure,
            run.row,
            residual * 100.0
        )
    })
}

/// A sentence about a compared run that is nothing like what the fit predicts.
fn missed(run: &RunFit) -> Option<String> {
    let counting = run.figures.iter().filter(|figure| noise_of(&figure.figure) <= 0.04);
    let error = |figure: &&FigureFit| figure.error_percent.abs();
    let worst = counting.max_by(|a, b| error(a).total_cmp(&error(b)))?;
    (error(&worst) >= FAR_OFF).then(|| {
        format!(
            "{} was only compared, and the prediction of its {} is {:+.0} % off",
            run.row, worst.figure, worst.error_percent
        )
    })
}

/// Batch times and runs that the fit saw.
fn runs(plan: &CalibrationPlan, fitted: &Fitted) -> Vec<RunFit> {
    let best = &fitted.fits[fitted.best].predicted;
    let full = fitted.full.as_ref().unwrap_or(best);
    let mut next = 0;
    let mut figure = |name: &str, observed: f64| {
        let index = next;
        next += 1;
        // Runs cut short are a little off; their ratios are not.
        let of = |fit: &Candidate| full[index] * fit.predicted[index] / best[index];
        let (low, high) =
            fitted.fits.iter().map(of).fold((full[index], full[index]), |(low, high), value| {
                if value.is_finite() { (low.min(value), high.max(value)) } else { (low, high) }
            });
        figure_fit(name, observed, full[index], [low, high])
    };
    let times: Vec<_> = plan
        .times
        .iter()
        .map(|time| RunFit {
            row: format!("batch of {}", time.batch),
            source: time.source.clone(),
            fitted: true,
            figures: vec![figure("batch", time.ms)],
        })
        .collect();
    let runs = plan.runs.iter().map(|run| RunFit {
        row: run.row.clone(),
        source: run.source.clone(),
        fitted: true,
        figures: run.observed.iter().map(|seen| figure(&seen.figure, seen.value)).collect(),
    });
    times.into_iter().chain(runs).collect()
}

/// The runs that the fit did not see.
fn compared(checks: &[MeasuredRun], checked: Vec<Checked>) -> Vec<RunFit> {
    let mut checked = checked.into_iter();
    let runs = checks.iter().map(|run| RunFit {
        row: run.row.clone(),
        source: run.source.clone(),
        fitted: false,
        figures: run
            .observed
            .iter()
            .zip(checked.by_ref())
            .map(|(seen, found)| figure_fit(&seen.figure, seen.value, found.value, found.ends))
            .collect(),
    });
    runs.collect()
}

fn figure_fit(name: &str, observed: f64, simulated: f64, [low, high]: [f64; 2]) -> FigureFit {
    FigureFit {
        figure: name.to_string(),
        observed,
        simulated,
        error_percent: (simulated / observed - 1.0) * 100.0,
        low,
        high,
    }
}

/// The workload of the best fit, its facts marked, and the extremes of the other fits.
fn workload(plan: &CalibrationPlan, fitted: &Fitted, residual: f64) -> Workload {
    let with =
        |fit: &Candidate| with_parameters(&plan.workload, &plan.gpu, &plan.parameters, &fit.values);
    let mut workload = with(&fitted.fits[fitted.best]);
    let mut sources: Vec<&str> = plan.times.iter().map(|time| time.source.as_str()).collect();
    let seen = || plan.runs.iter();
    sources.extend(seen().map(|run| run.source.as_str()));
    sources.sort_unstable();
    sources.dedup();
    let mut fitted_on: Vec<String> =
        plan.times.iter().map(|time| format!("{} batch of {}", time.source, time.batch)).collect();
    fitted_on.extend(seen().map(|run| run.row.clone()));
    let passport = Passport {
        source: format!("slicewise calibrate, from {}", sources.join("; ")),
        fitted_on,
        residual,
    };
    let is_free = |name: &str| {
        plan.parameters.iter().any(|parameter| {
            !parameter.is_held && parameter.kind.name().split('[').next() == Some(name)
        })
    };
    passport.mark(is_free("cpu_launch"), &mut workload.cpu.launch_per_batch);
    let mut others: Vec<_> = extremes(fitted)
        .into_iter()
        .map(|index| alternative(&with(&fitted.fits[index]), plan, &fitted.fits[index]))
        .collect();
    let service = workload.service.get_mut(&plan.gpu).expect("the workload has this GPU");
    passport.mark(is_free("launch"), &mut service.launch);
    passport.mark(is_free("host_floor"), &mut service.host_floor);
    passport.mark(is_free("spread"), &mut service.spread);
    passport.mark(is_free("boost"), &mut service.boost);
    passport.mark(is_free("phi"), &mut service.phi);
    passport.mark(is_free("work"), &mut service.work);
    let is_told =
        plan.parameters.iter().any(|parameter| matches!(parameter.kind, ParameterKind::Phi(_)));
    if !is_told && let Some(likely) = service.likely_phi() {
        others.iter_mut().for_each(|other| other.phi = likely.clone());
        service.phi.value = likely;
        service.phi.source.push_str(MIDDLE);
    }
    service.phi.range = service.phi_range();
    service.alternatives.clear();
    service.alternatives.append(&mut others);
    workload
}

/// Why phi is what it is where only times of batches say something of it.
const MIDDLE: &str = "; between the least that leaves parts of a GPU together no faster than all of it and 1, their geometric mean";

struct Passport {
    source: String,
    fitted_on: Vec<String>,
    residual: f64,
}

impl Passport {
    fn mark<T>(&self, is_free: bool, fact: &mut Fact<T>) {
        if !is_free {
            return;
        }
        fact.source.clone_from(&self.source);
        fact.standing = Standing::Fitted;
        fact.fitted_on.clone_from(&self.fitted_on);
        fact.residual = Some((self.residual * 1e5).round() / 1e5);
    }
}

fn alternative(workload: &Workload, plan: &CalibrationPlan, fit: &Candidate) -> ServiceAlternative {
    let service = &workload.service[&plan.gpu];
    ServiceAlternative {
        residual: (residual_of(plan, fit) * 1e5).round() / 1e5,
        cpu_launch_per_batch: workload.cpu.launch_per_batch.value,
        launch: service.launch.value,
        host_floor: service.host_floor.value,
        phi: service.phi.value.clone(),
        spread: service.spread.value,
        work: service.work.value.clone(),
        boost: service.boost.value,
    }
}

/// Root mean square of the relative errors of a fit, of the figures that count.
fn residual_of(plan: &CalibrationPlan, fit: &Candidate) -> f64 {
    let times = plan.times.iter().map(|time| (time.ms, true));
    let runs = plan.runs.iter().flat_map(|run| {
        run.observed.iter().map(|seen| (seen.value, noise_of(&seen.figure) <= 0.04))
    });
    let errors: Vec<f64> = times
        .chain(runs)
        .zip(&fit.predicted)
        .filter(|((_, counts), _)| *counts)
        .map(|((observed, _), predicted)| predicted / observed - 1.0)
        .collect();
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    (squares / errors.len().max(1) as f64).sqrt().min(1.0)
}

/// Of the fits nearly as good those that go farthest: in some number, or in some prediction.
fn extremes(fitted: &Fitted) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut add = |of: &dyn Fn(&Candidate) -> f64| {
        let all = || (0..fitted.fits.len()).filter(|&index| index != fitted.best);
        let by = |&a: &usize, &b: &usize| of(&fitted.fits[a]).total_cmp(&of(&fitted.fits[b]));
        for end in [all().min_by(by), all().max_by(by)].into_iter().flatten() {
            if !found.contains(&end) && found.len() < ALTERNATIVES_MAX {
                found.push(end);
            }
        }
    };
    let first = &fitted.fits[fitted.best];
    (0..first.values.len()).for_each(|index| add(&|fit| fit.values[index]));
    // The predictions that move most come last: numbers matter where nothing was measured.
    (0..first.predicted.len()).for_each(|index| add(&|fit| fit.predicted[index]));
    found
}
