//! Rows of perf_analyzer as measured runs: concurrent requests are clients in a closed loop.
//!
//! Where the server kept statistics, its mean time is compared, and the time outside of it, which
//! is not simulated, is the client's think time. Otherwise the client's percentiles are compared,
//! which include the network.

use super::context::Context;
use super::log::{RISING, falling, foreign, rounded};
use crate::config::text::foreign::parsed;
use crate::config::text::{Diagnostic, Problems, Reader, SourceFile, Spot, Value};
use crate::formats::perf_analyzer::{self, Level};
use crate::spec::{LoadSpec, Rules, TestScenario};
use crate::study::Observed;
use crate::units::SimDuration;
use std::sync::Arc;

/// Most rows of a file that are runs.
const ROWS_MAX: usize = 64;
/// So many queries of a row are simulated: rate and percentiles to p99 are known from them.
const QUERIES: u64 = 20_000;
/// Rate times latency are the clients, but for what starts and ends with a window of measurement.
const APART: f64 = 1.5;

/// The rows that are runs, with their file.
pub(crate) struct Levels {
    pub(crate) name: String,
    file: Arc<SourceFile>,
    pub(crate) rows: Vec<Level>,
}

/// Reads `perf_analyzer`, `concurrency` and `batch` of a run.
pub(crate) fn levels_of(
    table: &mut Reader<'_>,
    value: &Value<'_>,
    context: &Context<'_>,
) -> anyhow::Result<Option<Levels>> {
    let problems = context.problems;
    let (chosen, batch) = (table.get("concurrency"), table.get("batch"));
    let mut is_good = true;
    if let Some(batch) = &batch {
        let size = batch.count(1..=1_000_000, " samples");
        is_good &= size == Some(1);
        if size.is_some_and(|size| size > 1) {
            let diagnostic = batch.wrong("is the batch of a request");
            let help = "clients with several samples per request are not simulated: measure with \
                -b 1, and let the server form batches";
            batch.report(diagnostic.allowed("1").help(help));
        }
    }
    let Some((name, file)) = foreign(value, context)? else { return Ok(None) };
    let Some(found) = parsed(&file, perf_analyzer::read, problems) else { return Ok(None) };
    let there: Vec<u32> = found.levels.iter().map(|level| level.concurrency).collect();
    let mut rows: Vec<Level> = found.levels;
    match &chosen {
        Some(value) => {
            let of = |value: &Value<'_>| {
                let wanted = value.count(1..=1_000_000, " requests")?;
                if !there.contains(&wanted) {
                    let all: Vec<String> = there.iter().map(u32::to_string).collect();
                    let title = format!("names a row that {name} does not have");
                    value.report(value.wrong(title).allowed(all.join(", ")));
                }
                Some(wanted)
            };
            let wanted: Option<Vec<u32>> = match value.is_array() {
                true => value.items(ROWS_MAX).map(|all| all.iter().filter_map(of).collect()),
                false => of(value).map(|one| vec![one]),
            };
            let Some(wanted) = wanted else { return Ok(None) };
            rows.retain(|level| wanted.contains(&level.concurrency));
        }
        None => rows.retain(|level| level.concurrency > 1),
    }
    rows.sort_by_key(|level| level.concurrency);
    if rows.is_empty() && chosen.is_none() {
        let diagnostic = value.wrong("has no row above a concurrency of 1");
        let help = "its only row is a batch alone: name the file in [[times]], or measure with --concurrency-range 1:8";
        value.report(diagnostic.help(help));
    }
    is_good &= !rows.is_empty() && rows.len() <= ROWS_MAX;
    if rows.len() > ROWS_MAX {
        let title = format!("has {} rows above a concurrency of 1", rows.len());
        let help = "choose some: concurrency = [2, 8, 32]";
        value.report(value.wrong(title).allowed(format!("at most {ROWS_MAX}")).help(help));
    }
    let levels = Levels { name, file, rows };
    levels.rows.iter().for_each(|level| levels.adds_up(level, problems));
    Ok(is_good.then_some(levels))
}

impl Levels {
    pub(crate) fn spot(&self, level: &Level) -> Spot {
        Spot { file: self.file.clone(), span: level.span.clone() }
    }

    /// By Little's law rate times latency are the requests under way.
    fn adds_up(&self, level: &Level, problems: &Problems) {
        let found = level.inferences_per_s * level.waits_ms() / 1e3;
        let ratio = found / f64::from(level.concurrency);
        if !(1.0 / APART..=APART).contains(&ratio) {
            let title = format!(
                "{} inferences/s, each {} ms, are {} concurrent requests, but the row has {}",
                rounded(level.inferences_per_s),
                rounded(level.waits_ms()),
                rounded(found),
                level.concurrency
            );
            let help = "was it measured with -b above 1? Clients with several samples per request \
                are not simulated";
            problems.push(Diagnostic::at(&self.spot(level), title).help(help));
        }
    }

    /// The load of a row: its clients, whose think time is the time outside of the server.
    pub(crate) fn load(&self, level: &Level, context: &Context<'_>) -> LoadSpec {
        let outside = level.parts.map_or(0.0, |parts| parts.outside_ms);
        let think_time = SimDuration::from_nanos_f64(outside * 1e6);
        let scenario = TestScenario::ClosedLoop { clients: level.concurrency, think_time };
        let bound = context.workload.spec.target_latency.value;
        let mut load =
            crate::config::scenario::settings::load_defaults(scenario, bound, Rules::Mlperf, None);
        load.settings.min_query_count = QUERIES;
        load.settings.min_duration = SimDuration::from_secs(60);
        load
    }

    /// The figures of a row; percentiles must rise.
    pub(crate) fn observed(&self, level: &Level, problems: &Problems) -> Vec<Observed> {
        let seen = |figure: &str, value: f64| Observed { figure: figure.to_string(), value };
        let mut observed = vec![seen("completed_per_s", level.inferences_per_s)];
        for pair in level.latency.windows(2) {
            let ((lower, least), (name, ms)) = (pair[0], pair[1]);
            if ms < least {
                let title = falling(name, ms, lower, least);
                problems.push(Diagnostic::at(&self.spot(level), title).help(RISING));
            }
        }
        match level.parts {
            Some(parts) => observed.push(seen("mean", parts.server_ms)),
            None => observed.extend(level.latency.iter().map(|(name, ms)| seen(name, *ms))),
        }
        observed
    }

    /// How the file was read.
    pub(crate) fn notes(&self) -> Vec<String> {
        let clients: Vec<String> =
            self.rows.iter().map(|level| level.concurrency.to_string()).collect();
        let how = match self.rows.iter().all(|level| level.parts.is_some()) {
            true => {
                "their rate and the mean time in the server (queue and compute) are compared; the \
                 time of client and network is think time, and not part of latencies here"
            }
            false => {
                "their rate and the client's percentiles are compared, which include the network, \
                 which is not simulated"
            }
        };
        let all = clients.join(", ");
        vec![format!(
            "{}: rows with {all} concurrent requests are closed loops of as many clients: {how}",
            self.name
        )]
    }
}
