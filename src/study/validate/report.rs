//! What a validation takes and yields: the shape of its document.
//!
//! The shape is a contract: keys may join, none changes its meaning.

use super::scaling::{Scaling, scaling};
use super::{median, quantile, score};
use crate::spec::{
    GpuSpec, Harness, HostLink, Hypervisor, MeasuredRow, RowGroup, TestScenario, Workload,
};
use crate::study::{SCHEMA_VERSION, Tool};
use serde::Serialize;
use std::collections::BTreeMap;

/// What to validate, and with what.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The measured runs: those that are judged, in the order of their file, and then others to learn from.
    pub rows: Vec<MeasuredRow>,
    /// How many of them are judged.
    pub judged: usize,
    /// Which of them teach.
    pub train: Train,
    /// GPUs by the name rows use, in lower case.
    pub gpus: BTreeMap<String, GpuSpec>,
    /// Workloads whose harness is known in the Server scenario, by benchmark.
    pub workloads: BTreeMap<String, Workload>,
    /// Their harnesses, by the catalogue's names.
    pub harnesses: Vec<Harness>,
    /// How the cards of the hosts that rows name are attached, in the order of the hosts' files.
    pub links: BTreeMap<String, Vec<HostLink>>,
    /// The platform of virtualised rows.
    pub hypervisor: Hypervisor,
    /// The platform of all others.
    pub bare_metal: Hypervisor,
    /// Most queries of a prediction.
    pub queries: u64,
    /// Most queries of a simulation that looks for a factor on work.
    pub fit_queries: u64,
    /// Hash of the rows and of the catalogue, 16 hexadecimal digits.
    pub hash: String,
    /// Columns of the file that are not read, as people read it.
    pub warnings: Vec<String>,
}

/// Which rows a prediction learns from, its own machine's never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Train {
    /// Those that come with the program and are not judged.
    Shipped,
    /// Those that are judged.
    Given,
    /// Both.
    Both,
}

impl Train {
    /// All of them by their words.
    pub const ALL: [(&str, Train); 3] =
        [("shipped", Train::Shipped), ("given", Train::Given), ("both", Train::Both)];
}

/// Every row judged, and what they say together.
#[derive(Clone, Debug, Serialize)]
pub struct ValidationResults {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the document.
    pub tool: Tool,
    /// Hash of the rows and of the catalogue.
    pub input_hash: String,
    /// Most queries of a prediction.
    pub queries_max: u64,
    /// Most queries of a simulation that looks for a factor on work.
    pub fit_queries_max: u64,
    /// The rows, in the order of their file.
    pub rows: Vec<JudgedRow>,
    /// Groups of rows.
    pub summary: Vec<Group>,
    /// What all rows of a benchmark's own harness say of a GPU: the numbers of a workload file.
    pub services: Vec<FittedService>,
    /// How good times are that are scaled from another GPU's: each GPU left out in turn.
    pub scaling: Scaling,
}

/// The service time of a benchmark on a GPU, fitted on every row, none left out.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FittedService {
    /// The benchmark.
    pub benchmark: String,
    /// The GPU, by the catalogue's name.
    pub gpu: String,
    /// Launch, spread, phi and the factor on work.
    pub numbers: ServiceNumbers,
    /// Samples in a Server batch of these rows, the median.
    pub server_batch: u32,
    /// Samples in an Offline batch of these rows, the median.
    pub offline_batch: u32,
    /// GPU time of a sample in an Offline batch, launch included; the median over the rows.
    pub offline_sample_ms: f64,
    /// p90 of SingleStream, where a row has it.
    pub single_p90_ms: Option<f64>,
    /// The part of a batch of one that fills any share of the GPU, by its MIG slice.
    pub phi_of_one: Option<f64>,
    /// The same of a full batch.
    pub phi_of_full: Option<f64>,
    /// The scatter of the rows' factors on work about their GPU's, relative.
    pub residual: f64,
    /// The same over all GPUs, of bare-metal rows at their usual power limit; nothing with too few.
    pub machines: Option<f64>,
    /// Those rows.
    pub machines_on: Vec<String>,
    /// The Server and Offline rows.
    pub fitted_on: Vec<String>,
    /// The SingleStream rows.
    pub single_on: Vec<String>,
    /// The rows of MIG slices.
    pub slices_on: Vec<String>,
}

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

/// Numbers of a service time; work follows from the Offline rate of a system and the factor on it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct ServiceNumbers {
    /// GPU time per batch that no larger GPU shortens.
    pub launch_ms: f64,
    /// How much work varies from batch to batch.
    pub spread: f64,
    /// The part of the work that fills any share of the GPU.
    pub phi: f64,
    /// Whether batches run to their end one after the other, or all advance.
    pub in_order: bool,
    /// Whether a launch hides behind no other batch: on a whole GPU it is then work like the rest.
    #[serde(skip)]
    pub in_series: bool,
    /// Whether each batch goes to a GPU drawn by lot.
    pub by_lot: bool,
    /// Work per sample over that of the system's Offline batches.
    pub work_factor: f64,
    /// The part of a machine's slowness under Offline, beside others with its GPU, that its Server runs
    /// do not show; in the factor on work already.
    pub recovery: f64,
}

impl ServiceNumbers {
    /// The same with another factor on work.
    pub(super) fn at(&self, work_factor: f64) -> Self {
        Self { work_factor, ..*self }
    }
}

/// What a group of rows says together; errors without sign.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// Rows in it that were predicted; one run under two names counts once.
    pub rows: usize,
    /// Rows that could not be.
    pub skipped: usize,
    /// Of GPU speed.
    pub load_error: Option<LoadErrors>,
    /// The same, the GPU model left out.
    pub load_error_gpu_left_out: Option<LoadErrors>,
    /// Median over the rows.
    pub shape_error: Option<ShapeError>,
    /// Median of the error of p50 where elasticity is below 5.
    pub raw_error_p50: Option<f64>,
    /// Median of the error of p99 where elasticity is below 5.
    pub raw_error_p99: Option<f64>,
    /// Of the load error, beyond the noise of the measured p99.
    pub load_error_beyond_noise: Option<LoadErrors>,
    /// The same of the raw error of p99, where elasticity is below 5.
    pub raw_error_p99_beyond_noise: Option<LoadErrors>,
    /// Rows with a stated interval.
    pub intervals: usize,
    /// Part of the measured p99 inside the stated interval.
    pub inside_interval: Option<f64>,
    /// The probability of a part that is no likelier, if 90 % were inside: an exact binomial test.
    pub inside_probability: Option<f64>,
    /// The mean width of the intervals, `ln(high / low)`.
    pub interval_width: Option<f64>,
    /// Their mean interval score: the width, and 20 times the logarithm of the distance of a miss.
    pub interval_score: Option<f64>,
    /// Rows whose predicted capacity is more than 2 % below the submitted rate.
    pub capacity_short: usize,
}

/// Errors of many rows, without sign.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct LoadErrors {
    /// Half of the rows are no further off.
    pub median: f64,
    /// Nine in ten are no further off.
    pub p90: f64,
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

/// The document: rows of one run under two names marked, and groups.
pub(super) fn results(
    input: &Validation,
    mut rows: Vec<JudgedRow>,
    services: Vec<FittedService>,
) -> ValidationResults {
    for (index, row) in rows.iter_mut().enumerate() {
        let (before, run) = (&input.rows[..index], &input.rows[index]);
        if let Some(twin) = before.iter().find(|other| run.is_run_of(other)) {
            row.marks.push(format!("same run as {}", twin.benchmark));
        }
    }
    let summary = groups(input, &rows);
    ValidationResults {
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        input_hash: input.hash.clone(),
        queries_max: input.queries,
        fit_queries_max: input.fit_queries,
        rows,
        summary,
        services,
        scaling: scaling(&[input]),
    }
}

/// A stated interval and the measured figure.
type Stated = ((f64, f64), f64);

/// A group with whether a row belongs to it.
type Named = (&'static str, fn(&JudgedRow) -> bool);

/// Groups of the summary behind those that harnesses name on whole GPUs.
const ON_WHOLE_GPUS: [Named; 2] = [
    ("Server, whole GPUs", |row| row.scenario == "server" && !is_slice(row)),
    ("Server, whole GPUs without host stalls", |row| {
        row.scenario == "server" && !is_slice(row) && !has_stalls(row)
    }),
];

/// Those behind the ones that harnesses name on MIG slices.
const ON_SLICES: [Named; 9] = [
    ("Server, MIG slice (one)", |row| row.scenario == "server" && is_one_slice(row)),
    ("Server, MIG slices (many, a server each)", |row| {
        row.scenario == "server" && is_slice(row) && row.gpus > 1
    }),
    ("Server", |row| row.scenario == "server"),
    ("Offline, whole GPUs", |row| row.scenario == "offline" && !is_slice(row)),
    ("Offline, MIG slice", |row| {
        row.scenario == "offline" && is_slice(row) && !is_beside_neighbours(row)
    }),
    ("Offline, MIG slice beside busy neighbours", |row| {
        row.scenario == "offline" && is_beside_neighbours(row)
    }),
    ("SingleStream, whole GPUs", |row| row.scenario == "singlestream" && !is_slice(row)),
    ("SingleStream, MIG slice", |row| row.scenario == "singlestream" && is_slice(row)),
    ("all", |_| true),
];

fn is_in(row: &JudgedRow, group: &RowGroup) -> bool {
    let on_place = if group.on_one_slice { is_one_slice(row) } else { !is_slice(row) };
    let begins = |start: &String| row.benchmark.starts_with(start);
    row.scenario == "server"
        && on_place
        && group.harness.as_ref().is_none_or(|word| row.harness == *word)
        && (group.benchmarks.is_empty() || group.benchmarks.iter().any(begins))
        && !(group.without_stalls && has_stalls(row))
}

fn is_slice(row: &JudgedRow) -> bool {
    row.on_slices
}

fn is_one_slice(row: &JudgedRow) -> bool {
    is_slice(row) && row.gpus == 1
}

fn is_beside_neighbours(row: &JudgedRow) -> bool {
    row.marks.iter().any(|mark| mark.starts_with("busy neighbours"))
}

fn has_stalls(row: &JudgedRow) -> bool {
    row.marks.iter().any(|mark| mark == "host stalls")
}

/// The groups of the summary, without those that have no row.
fn groups(input: &Validation, rows: &[JudgedRow]) -> Vec<Group> {
    let is_new = |row: &&JudgedRow| !row.marks.iter().any(|mark| mark.starts_with("same run"));
    let once: Vec<&JudgedRow> = rows.iter().filter(is_new).collect();
    let of = |name: &str, belongs: &dyn Fn(&JudgedRow) -> bool| {
        let part: Vec<&JudgedRow> = once.iter().copied().filter(|row| belongs(row)).collect();
        group(name, &part)
    };
    let of_harnesses = |on_one_slice: bool| -> Vec<Group> {
        let all = input.harnesses.iter().flat_map(|harness| &harness.summary);
        let here = all.filter(|named| named.on_one_slice == on_one_slice);
        here.map(|named| of(&named.name, &|row| is_in(row, named))).collect()
    };
    let of_all = |groups: &[Named]| -> Vec<Group> {
        groups.iter().map(|(name, belongs)| of(name, belongs)).collect()
    };
    let (whole, slices) = (of_all(&ON_WHOLE_GPUS), of_all(&ON_SLICES));
    let mut all = [of_harnesses(false), whole, of_harnesses(true), slices].concat();
    all.retain(|group| group.rows + group.skipped > 0);
    all
}

fn group(name: &str, rows: &[&JudgedRow]) -> Group {
    let gentle = |row: &&&JudgedRow| row.elasticity.is_some_and(|elasticity| elasticity < 5.0);
    let of = |figure: &dyn Fn(&JudgedRow) -> Option<f64>| -> Vec<f64> {
        rows.iter().filter_map(|row| figure(row)).map(f64::abs).collect()
    };
    let errors = |mut figures: Vec<f64>| {
        Some(LoadErrors { median: median(figures.clone())?, p90: quantile(&mut figures, 0.9)? })
    };
    let gentle_errors = |figure: fn(&JudgedRow) -> Option<f64>| -> Vec<f64> {
        rows.iter().filter(gentle).filter_map(|row| figure(row)).map(f64::abs).collect()
    };
    let gentle_median = |figure: fn(&JudgedRow) -> Option<f64>| median(gentle_errors(figure));
    let shape = |figure: fn(ShapeError) -> f64| median(of(&|row| row.shape_error.map(figure)));
    let intervals = rows
        .iter()
        .filter_map(|row| Some((row.p99_interval_ms?, *row.published.latency_ms.get("p99")?)));
    let intervals: Vec<Stated> = intervals.collect();
    let inside = intervals.iter().filter(|((low, high), p99)| (low..=high).contains(&p99)).count();
    let mean = |of: &dyn Fn(&Stated) -> f64| {
        let sum: f64 = intervals.iter().map(of).sum();
        (!intervals.is_empty()).then(|| sum / intervals.len() as f64)
    };
    Group {
        group: name.to_string(),
        rows: rows.iter().filter(|row| row.skipped.is_none()).count(),
        skipped: rows.iter().filter(|row| row.skipped.is_some()).count(),
        load_error: errors(of(&|row| row.load_error)),
        load_error_gpu_left_out: errors(of(&|row| row.load_error_gpu_left_out)),
        shape_error: match (shape(|error| error.p90), shape(|error| error.p99)) {
            (Some(p90), Some(p99)) => Some(ShapeError { p90, p99 }),
            _ => None,
        },
        raw_error_p50: gentle_median(|row| row.raw_error_p50),
        raw_error_p99: gentle_median(|row| row.raw_error_p99),
        load_error_beyond_noise: errors(of(&|row| row.load_error_beyond_noise)),
        raw_error_p99_beyond_noise: errors(gentle_errors(|row| row.raw_error_p99_beyond_noise)),
        intervals: intervals.len(),
        inside_interval: mean(&|((low, high), p99)| f64::from((low..=high).contains(&p99))),
        inside_probability: mean(&|_| score::binomial_two_sided(inside, intervals.len())),
        interval_width: mean(&|((low, high), _)| (high / low).ln()),
        interval_score: mean(&|&(ends, p99)| score::interval_score(ends, p99)),
        capacity_short: rows.iter().filter(|row| row.capacity_short == Some(true)).count(),
    }
}
