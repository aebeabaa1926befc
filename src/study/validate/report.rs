//! What a validation takes and yields: the shape of its document.
//!
//! The shape is a contract: keys may join, none changes its meaning.

use super::input::Validation;
use super::numbers::ServiceNumbers;
use super::row::{JudgedRow, ShapeError};
use super::scaling::{Scaling, scaling};
use super::{median, quantile, score};
use crate::spec::RowGroup;
use crate::study::results::{SCHEMA_VERSION, Tool};
use crate::study::verdict::Verdict;
use crate::units::counted;
use serde::Serialize;

/// Every row judged, and what they say together.
#[derive(Clone, Debug, Serialize)]
pub struct ValidationResults {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the document.
    pub tool: Tool,
    /// The answer in short.
    pub verdict: Verdict,
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
        verdict: verdict(rows.len(), &summary),
        input_hash: input.hash.clone(),
        queries_max: input.queries,
        fit_queries_max: input.fit_queries,
        rows,
        summary,
        services,
        scaling: scaling(&[input]),
    }
}

/// The verdict: how far off Server runs are, or all where there are none, and how many of their measured
/// p99 the stated intervals hold.
fn verdict(rows: usize, summary: &[Group]) -> Verdict {
    let of = |name: &str| summary.iter().find(|group| group.group == name);
    let known = |group: &&Group| group.load_error.is_some();
    let found = of("Server").filter(known).map(|group| (group, "Server run"));
    let found = found.or_else(|| Some((of("all").filter(known)?, "run")));
    let Some((group, error, what)) =
        found.and_then(|(group, what)| Some((group, group.load_error?, what)))
    else {
        let sentence = format!("of {} none is predicted", counted(rows, "measured run"));
        return Verdict::of(None, [sentence]);
    };
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    let mut sentences = vec![match group.rows {
        1 => format!("the {what} is predicted within {} of GPU speed", percent(error.p90)),
        count => format!(
            "of {} half are predicted within {} of GPU speed, and nine in ten within {}",
            counted(count, what),
            percent(error.median),
            percent(error.p90)
        ),
    }];
    sentences.extend(group.inside_interval.map(|inside| {
        format!(
            "The stated 90 % intervals hold {} of {} measured p99",
            percent(inside),
            group.intervals
        )
    }));
    Verdict::of(None, sentences)
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
