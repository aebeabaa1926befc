//! A measured row, predicted and compared.

use super::input::Validation;
use super::numbers::ServiceNumbers;
use crate::spec::{MeasuredRow, TestScenario};
use serde::Serialize;
use std::collections::BTreeMap;

/// A row, predicted and compared. Errors are relative: 0.02 is 2 %.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JudgedRow {
    /// The line of the file.
    pub line: u64,
    /// The system.
    pub system: String,
    /// Who measured.
    pub submitter: String,
    /// The benchmark.
    pub benchmark: String,
    /// LoadGen's scenario.
    pub scenario: &'static str,
    /// The harness.
    pub harness: String,
    /// The GPU, with its MIG profile.
    pub gpu: String,
    /// GPUs, or GPU instances.
    pub gpus: u32,
    /// Whether they are GPU instances.
    #[serde(skip)]
    pub on_slices: bool,
    /// What the model says; nothing for a row that is skipped.
    pub predicted: Option<Rates>,
    /// What was measured.
    pub published: Rates,
    /// The factor on GPU speed that makes the predicted p99 the measured one, minus 1; of Offline and
    /// SingleStream rows the error of the speed itself. Nothing of the row's own machine was used but,
    /// for Server, its Offline rate.
    pub load_error: Option<f64>,
    /// The same with nothing of any machine with the same GPU.
    pub load_error_gpu_left_out: Option<f64>,
    /// Server: p90 and p99 once p50 is matched.
    pub shape_error: Option<ShapeError>,
    /// Server: what of the load error no new run of the measurement would explain.
    pub load_error_beyond_noise: Option<f64>,
    /// Server: the queries it had at least, where it says a rate.
    pub queries: Option<u64>,
    /// Server: by how many percent p99 moves when work does by one.
    pub elasticity: Option<f64>,
    /// Server: predicted p50 over the measured one, minus 1.
    pub raw_error_p50: Option<f64>,
    /// Server: predicted p99 over the measured one, minus 1.
    pub raw_error_p99: Option<f64>,
    /// Server: the same beyond `p99_noise_ms`.
    pub raw_error_p99_beyond_noise: Option<f64>,
    /// Server: 95 % of what the measured p99 would be if the run were made again.
    pub p99_noise_ms: Option<(f64, f64)>,
    /// Server: the stated 90 % interval of the measured p99: all fits nearly as good, the scatter of
    /// machines, what the inputs of a slice leave open, and the noise of the measurement.
    pub p99_interval_ms: Option<(f64, f64)>,
    /// Server: the predicted capacity is more than 2 % below the rate that was submitted.
    pub capacity_short: Option<bool>,
    /// Server: the numbers in use.
    pub numbers: Option<ServiceNumbers>,
    /// The rows the prediction was fitted on.
    pub fitted_on: Vec<String>,
    /// What to know about the row.
    pub marks: Vec<String>,
    /// Why there is no prediction.
    pub skipped: Option<String>,
}

/// Rate and latency of a run.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Rates {
    /// Samples per second: completed (Server), or samples over makespan (Offline).
    pub completed_per_s: Option<f64>,
    /// Latencies by name: `min`, `mean`, `p50` ... `max`.
    pub latency_ms: BTreeMap<&'static str, f64>,
}

/// Errors of the shape of a distribution.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct ShapeError {
    /// Of p90.
    pub p90: f64,
    /// Of p99.
    pub p99: f64,
}

impl JudgedRow {
    /// A row about which nothing is said yet.
    pub(super) fn new(run: &MeasuredRow) -> Self {
        let milliseconds = run.latency.iter().map(|(&name, span)| (name, span.as_millis_f64()));
        let published = Rates {
            completed_per_s: run.completed_per_s.or(run.samples_per_s),
            latency_ms: milliseconds.collect(),
        };
        Self {
            line: run.line,
            system: run.system.clone(),
            submitter: run.submitter.clone(),
            benchmark: run.benchmark.clone(),
            scenario: run.scenario.word(),
            harness: run.harness.clone(),
            gpu: run.accelerator(),
            gpus: run.gpus,
            on_slices: run.mig.is_some(),
            published,
            queries: run.queries(),
            ..Self::default()
        }
    }
}

/// The row with what its figures and settings say by themselves.
pub(super) fn marked(input: &Validation, mut row: JudgedRow, run: &MeasuredRow) -> JudgedRow {
    let server = run.scenario == TestScenario::Server;
    let settings = input.harness(run).map(|harness| run.settings.taken(&harness.takes));
    let kept = settings.and_then(|settings| settings.soft_drop);
    let marks = [
        ("host stalls", run.has_host_stalls()),
        ("soft drop", server && kept.is_some_and(|kept| kept.get() < 1.0)),
        ("power limited", run.power_limited),
        ("virtualised", run.virtualized),
        ("busy neighbours: clock fitted", run.hetero && !server),
        ("busy neighbours", run.hetero && server),
    ];
    row.marks.extend(marks.iter().filter(|(_, is)| *is).map(|(mark, _)| mark.to_string()));
    row
}
