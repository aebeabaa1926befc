//! Calibration: from measured batches and runs to the numbers of a workload, with every other set of
//! numbers that fits nearly as well.
//!
//! It reads no file: measurements are checked before. Batch times alone are fitted in closed form
//! (`times`); runs of an inference server are simulated for every candidate (`problem`, `search`).

mod algebra;
mod check;
mod document;
mod line;
mod parameters;
mod problem;
mod search;
mod times;

pub use document::{CalibrationResults, FigureFit, ParameterResult, RunFit};
pub use parameters::{FitParameter, ParameterKind, Proposal, Wish, with_parameters};
pub use problem::run_figures;
pub use search::{Candidate, Problem, Quantity, Region, search};

use super::progress::Progress;
use crate::spec::{Experiment, Workload};

/// The numbers to fit, and the measurements.
#[derive(Clone, Debug)]
pub struct CalibrationPlan {
    /// The catalogue's name of the workload to make.
    pub name: String,
    /// A one-line title.
    pub title: String,
    /// Hash of all input, 16 hexadecimal digits.
    pub hash: String,
    /// The seed of every simulated run.
    pub seed: u64,
    /// The catalogue's name of the GPU that was measured.
    pub gpu: String,
    /// The workload with the values that the search starts from; it has a service time on `gpu`.
    pub workload: Workload,
    /// The server preset it usually runs under.
    pub usual_preset: String,
    /// The parameters, with their ranges.
    pub parameters: Vec<FitParameter>,
    /// Batches measured alone on the GPU, in rising order of size.
    pub times: Vec<BatchTime>,
    /// Runs of an inference server that the fit uses.
    pub runs: Vec<MeasuredRun>,
    /// Runs that are only compared with the fit's predictions. The fit does not use them.
    pub checks: Vec<MeasuredRun>,
    /// Most queries simulated of a run while searching.
    pub queries_max: u64,
    /// Input that is hardly right: whole sentences.
    pub alarms: Vec<String>,
    /// Notes on the input: whole sentences.
    pub notes: Vec<String>,
}

/// A batch size measured alone on the GPU.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchTime {
    /// Samples in the batch.
    pub batch: u32,
    /// Median of its GPU time, in milliseconds.
    pub ms: f64,
    /// How many times it was measured.
    pub count: usize,
    /// The variation of single measurements: (p90 - p50) / p50, where there are enough of them.
    pub variation: Option<f64>,
    /// Where it was measured: a file, as the user named it.
    pub source: String,
}

/// A run of an inference server and its measured figures.
#[derive(Clone, Debug)]
pub struct MeasuredRun {
    /// `<system> <benchmark> <scenario>`, as facts name what they were fitted on.
    pub row: String,
    /// Where it was published or measured.
    pub source: String,
    /// The run; the workload's numbers are those of the candidate.
    pub experiment: Experiment,
    /// The measured figures.
    pub observed: Vec<Observed>,
    /// The machine it ran on, by index among those named: 0 for the first, whose numbers are
    /// fitted, and where none is named.
    pub machine: usize,
}

/// One measured figure.
#[derive(Clone, PartialEq, Debug)]
pub struct Observed {
    /// `completed_per_s`, or a latency in milliseconds by its name in the result document.
    pub figure: String,
    /// The figure.
    pub value: f64,
}

/// Relative noise of a published figure: the difference between two runs of the same system.
/// Submitters of the same GPU differ by 1 to 8 % (MLPerf Inference v1.1); rates and medians least,
/// extremes most.
pub fn noise_of(figure: &str) -> f64 {
    match figure {
        "completed_per_s" => 0.005,
        "batch" => 0.01,
        "min" | "max" => 0.08,
        "p999" => 0.04,
        _ => 0.02,
    }
}

/// The figures of a Server run that a fit uses: the others add no information.
pub const FITTED_FIGURES: [&str; 6] = ["completed_per_s", "min", "p50", "p90", "p99", "p999"];

/// Fits the plan. The same plan gives the same result, on any number of threads.
pub fn calibrate(plan: &CalibrationPlan, progress: Progress<'_>) -> CalibrationResults {
    // A part of its own, so that nothing of the runs that are only compared can reach it.
    let seen = Seen {
        gpu: &plan.gpu,
        workload: &plan.workload,
        parameters: &plan.parameters,
        times: &plan.times,
        runs: &plan.runs,
        queries_max: plan.queries_max,
    };
    let fitted = match plan.runs.is_empty() {
        true => times::fit(&seen),
        false => problem::fit(&seen, progress),
    };
    let checked = check::predictions(&seen, &fitted, &plan.checks, progress);
    document::results(plan, fitted, checked)
}

/// What a fit may see of a plan.
#[derive(Clone, Copy)]
struct Seen<'p> {
    gpu: &'p str,
    workload: &'p Workload,
    parameters: &'p [FitParameter],
    times: &'p [BatchTime],
    runs: &'p [MeasuredRun],
    queries_max: u64,
}

impl Seen<'_> {
    /// The workload with the numbers of a candidate.
    fn workload_with(&self, values: &[f64]) -> Workload {
        with_parameters(self.workload, self.gpu, self.parameters, values)
    }
}
