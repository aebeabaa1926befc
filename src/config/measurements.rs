//! What was measured: `[[times]]`, batches alone on the GPU, and `[[run]]`, runs of an inference
//! server with their settings; and whether it can all be true.

use super::calibration::Context;
use super::diagnostic::{Diagnostic, Problems, SourceFile, Spot};
use super::foreign::{parsed, text_of};
use super::guest;
use super::machine::{BARE_METAL, find};
use super::published::{LATENCIES, latencies};
use super::reader::Reader;
use super::value::Value;
use crate::formats::loadgen_log::{self, LoadgenLog, LogScenario};
use crate::formats::{Placed, latency_csv, perf_analyzer, trtexec};
use crate::spec::{
    CardSpec, Experiment, Fact, GpuId, GpuShare, HostSpec, Hypervisor, InstanceSharing,
    InstanceSpec, LoadSpec, ServerSpec, Standing, TestScenario, VmSpec,
};
use crate::study::{BatchTime, MeasuredRun, Observed};
use crate::units::{Bytes, Share, SimDuration, SimTime};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Most runs, and most files of batch times.
const RUNS_MAX: usize = 64;
/// Most different batch sizes.
const BATCHES_MAX: usize = 64;
/// A larger batch that takes this much less time is a mistake, not noise.
const FALL_MAX: f64 = 0.02;
/// So much faster than its Offline run a Server run may be, where power limits the clock.
const BEYOND_OFFLINE: f64 = 1.05;
/// So far apart an Offline rate and a batch time of the same GPU may be: factor either way.
const APART_MAX: f64 = 1.3;

/// All that was measured.
pub(super) struct Measurements {
    pub(super) times: Vec<BatchTime>,
    /// Where each batch size stands.
    pub(super) time_spots: Vec<Spot>,
    /// CPU times of putting batches into the GPU's queue, in milliseconds.
    enqueued: Vec<f64>,
    /// Each run with the place of its figures.
    pub(super) runs: Vec<ReadRun>,
    /// What the numbers of another machine are taken to mean: whole sentences.
    pub(super) notes: Vec<String>,
    /// The foreign files by name.
    pub(super) files: Vec<(String, Arc<SourceFile>)>,
    /// The hypervisors in use.
    pub(super) hypervisors: Vec<String>,
}

impl Measurements {
    /// Reads `[[times]]` and `[[run]]`; nothing when something in them is wrong.
    pub(super) fn read(
        top: &mut Reader<'_>,
        context: &Context<'_>,
    ) -> anyhow::Result<Option<Measurements>> {
        let mut found = Measurements {
            times: Vec::new(),
            time_spots: Vec::new(),
            enqueued: Vec::new(),
            runs: Vec::new(),
            notes: Vec::new(),
            files: Vec::new(),
            hypervisors: Vec::new(),
        };
        let mut samples = BTreeMap::new();
        let items = top.get("times").map(|value| value.items(RUNS_MAX));
        for item in items.into_iter().flatten().flatten() {
            if let Some(table) = item.table() {
                found.read_times(table, context, &mut samples)?;
            }
        }
        found.summarise(samples, context.problems);
        let items = top.get("run").map(|value| value.items(RUNS_MAX));
        for (index, item) in items.into_iter().flatten().flatten().enumerate() {
            let Some(table) = item.table() else { continue };
            if let Some(read) = run(table, index + 1, context)? {
                found.hypervisors.push(read.run.experiment.hypervisor.id.clone());
                found.runs.push(read);
            }
        }
        found.set_speeds();
        Ok((!context.problems.any()).then_some(found))
    }

    /// Machines with the same GPU differ by a percent or two, as their Offline rates show. The first
    /// named machine is the one whose numbers are fitted; work of the others goes as much faster.
    fn set_speeds(&mut self) {
        let mut offline: Vec<(String, f64)> = Vec::new();
        for read in &self.runs {
            let Some(system) = &read.system else { continue };
            let is_offline = scenario(&read.run) == TestScenario::Offline;
            let rate = rate(&read.run).filter(|(_, part)| is_offline && *part == 1.0);
            let known = offline.iter().any(|(name, _)| name == system);
            if let Some((rate, _)) = rate.filter(|_| !known) {
                offline.push((system.clone(), rate));
            }
        }
        let Some((_, reference)) = offline.first().cloned() else { return };
        for read in &mut self.runs {
            let own = offline.iter().find(|(name, _)| Some(name) == read.system.as_ref());
            let speed = own.map_or(1.0, |(_, rate)| rate / reference);
            read.run.experiment.hypervisor.gpu_speed.value *= speed;
        }
        let others = offline.iter().skip(1);
        self.notes.extend(others.map(|(name, rate)| {
            let percent = (rate / reference - 1.0) * 100.0;
            format!(
                "{name} is taken to be {percent:+.2} % as fast as {}, by their Offline rates",
                offline[0].0
            )
        }));
    }

    /// One `[[times]]`: `csv = "times.csv"`.
    fn read_times(
        &mut self,
        mut table: Reader<'_>,
        context: &Context<'_>,
        samples: &mut BTreeMap<u32, Samples>,
    ) -> anyhow::Result<()> {
        const KINDS: [&str; 3] = ["csv", "trtexec", "perf_analyzer"];
        let given: Vec<_> =
            KINDS.iter().filter_map(|kind| Some((*kind, table.get(kind)?))).collect();
        let batch = table.get("batch");
        let size = batch.as_ref().map(|value| value.count(1..=1_000_000, " samples"));
        let [(kind, value)] = &given[..] else {
            let title = "a [[times]] names one file of batch times";
            let help = "write csv = \"times.csv\", or trtexec or perf_analyzer with batch";
            table.report(Diagnostic::at(&table.spot(), title).allowed(KINDS.join(", ")).help(help));
            table.finish();
            return Ok(());
        };
        match (*kind, &batch) {
            ("csv", Some(batch)) => {
                let diagnostic = batch.wrong("stands beside `csv`, whose rows name their batch");
                batch.report(diagnostic.help("drop the key"));
            }
            ("trtexec" | "perf_analyzer", None) => {
                table.need("batch", "the file does not say how many samples a batch had");
            }
            _ => {}
        }
        table.finish();
        let Some((name, file)) = foreign(value, context)? else { return Ok(()) };
        self.files.push((name.clone(), file.clone()));
        let problems = context.problems;
        let size = size.flatten();
        let rows = match *kind {
            "csv" => parsed(&file, latency_csv::read, problems).map(|rows| {
                rows.into_iter().map(|row| (row.batch, row.ms, row.span)).collect::<Vec<_>>()
            }),
            "trtexec" => parsed(&file, trtexec::read, problems).and_then(|all| {
                let size = size?;
                self.enqueued.extend(all.iter().filter_map(|one| one.enqueue_ms));
                Some(all.iter().map(|one| (size, one.compute_ms, 0..1)).collect())
            }),
            _ => parsed(&file, perf_analyzer::read, problems).and_then(|levels| {
                let size = size?;
                alone(&levels, &file, problems).map(|level| {
                    vec![(size, level.compute_ms.unwrap_or(level.p50_ms), level.span.clone())]
                })
            }),
        };
        for (batch, ms, span) in rows.into_iter().flatten() {
            let spot = Spot { file: file.clone(), span };
            let entry = samples.entry(batch).or_insert_with(|| Samples {
                ms: Vec::new(),
                spot,
                source: name.clone(),
            });
            entry.ms.push(ms);
        }
        Ok(())
    }

    /// Median CPU time to put a batch into the GPU's queue, in milliseconds, where it was measured.
    pub(super) fn enqueue_ms(&self) -> Option<f64> {
        let mut all = self.enqueued.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// Medians by batch size, which must not fall.
    fn summarise(&mut self, samples: BTreeMap<u32, Samples>, problems: &Problems) {
        if samples.len() > BATCHES_MAX {
            let spot = &samples.values().next().expect("there are many").spot;
            let title = format!("{} different batch sizes were measured", samples.len());
            problems.push(Diagnostic::at(spot, title).allowed(format!("at most {BATCHES_MAX}")));
            return;
        }
        let mut before: Option<(u32, f64)> = None;
        for (batch, samples) in samples {
            let mut time = samples.median(batch);
            if let Some((smaller, ms)) = before {
                if time.ms < ms * (1.0 - FALL_MAX) {
                    let title = format!(
                        "a batch of {batch} takes {} ms, less than the {} ms of a batch of {smaller}",
                        rounded(time.ms),
                        rounded(ms)
                    );
                    let help = "a larger batch takes no less time on the same GPU: were clocks, streams or input sizes the same?";
                    problems.push(Diagnostic::at(&samples.spot, title).help(help));
                }
                time.ms = time.ms.max(ms);
            }
            before = Some((batch, time.ms));
            self.time_spots.push(samples.spot);
            self.times.push(time);
        }
    }
}

/// Every measurement of one batch size.
struct Samples {
    ms: Vec<f64>,
    /// Where the first stands.
    spot: Spot,
    source: String,
}

impl Samples {
    fn median(&self, batch: u32) -> BatchTime {
        /// From so few no 90th percentile is taken.
        const FOR_P90: usize = 20;
        let mut ms = self.ms.clone();
        ms.sort_by(f64::total_cmp);
        let at = |part: f64| ms[((ms.len() - 1) as f64 * part).round() as usize];
        let middle = (ms[(ms.len() - 1) / 2] + ms[ms.len() / 2]) / 2.0;
        let variation = (ms.len() >= FOR_P90).then(|| at(0.9) / middle - 1.0);
        let (count, source) = (ms.len(), self.source.clone());
        BatchTime { batch, ms: middle, count, variation, source }
    }
}

/// The row of one request at a time: only there a latency is a batch's own.
fn alone<'l>(
    levels: &'l [perf_analyzer::Level],
    file: &Arc<SourceFile>,
    problems: &Problems,
) -> Option<&'l perf_analyzer::Level> {
    let found = levels.iter().find(|level| level.concurrency == 1);
    if found.is_none() {
        let span = levels.first().map_or(0..0, |level| level.span.clone());
        let title = "no row has a concurrency of 1";
        let help = "measure one request at a time as well: --concurrency-range 1:8";
        problems.push(Diagnostic::at(&Spot { file: file.clone(), span }, title).help(help));
    }
    found
}

/// The file that a value names, counted from the calibration file's folder.
fn foreign(
    value: &Value<'_>,
    context: &Context<'_>,
) -> anyhow::Result<Option<(String, Arc<SourceFile>)>> {
    let Some(text) = value.text() else { return Ok(None) };
    let file = text_of(&context.folder.join(text), context.problems)?;
    let name = Path::new(text).file_name().map(|name| name.to_string_lossy().to_string());
    Ok(file.map(|file| (name.unwrap_or_else(|| text.to_string()), file)))
}

/// One `[[run]]`, with the place of its figures.
fn run(
    mut table: Reader<'_>,
    number: usize,
    context: &Context<'_>,
) -> anyhow::Result<Option<ReadRun>> {
    let log = match table.get("log") {
        Some(value) => match log_of(&value, context)? {
            Some(log) => Some((log, value)),
            None => return Ok(None),
        },
        None => None,
    };
    let row = table.get("row").map(|value| value.text());
    let source = match (&log, table.get("source")) {
        (_, Some(value)) => value.text().map(str::to_string),
        (Some((log, _)), None) => Some(format!("LoadGen log {}", log.name)),
        (None, None) => {
            table.need("source", "say where it was measured or published");
            None
        }
    };
    let system = table.get("system").map(|value| value.text().map(str::to_string));
    let cards = table.get("gpus").map_or(Some(1), |value| value.count(1..=64, " GPUs"));
    let mig = table.get("mig").map(|value| slice(&value, context));
    let vcpus = table.get("vcpus").map_or(Some(128), |value| value.count(1..=4096, " vCPUs"));
    let hypervisor = match table.get("hypervisor") {
        Some(value) => find(&value, "hypervisor", &context.catalogue.hypervisors),
        None => context.catalogue.hypervisors.get(BARE_METAL),
    };
    let check = table.get("check").map_or(Some(false), |value| value.flag());
    let (server, _) = guest::server(&mut table, Some(&context.workload));
    let (load, observed, spot) = match &log {
        Some((log, value)) => {
            for key in ["load", "measured"].iter().filter(|key| table.has(key)) {
                let title = format!("`{key}` stands beside `log`, which says it");
                table.report(Diagnostic::at(&table.spot_of(key), title).help("drop one of them"));
            }
            drop((table.get("load"), table.get("measured")));
            (log.load(context), Some(log.observed(context.problems)), value.spot())
        }
        None => {
            let (load, _) = guest::load(&mut table, Some(&context.workload), 1);
            let help =
                "write measured = { completed_per_s = ..., latency = { p50 = \"...\" } }, or log";
            let measured = table.need("measured", help);
            let spot = table.spot_of("measured");
            (load, measured.and_then(|value| figures(value.table()?)), spot)
        }
    };
    table.finish();
    let system = match system {
        Some(None) => return Ok(None),
        Some(system) => system,
        None => None,
    };
    let row = match row {
        Some(row) => row.map(str::to_string),
        None => Some(log.map_or_else(|| format!("run {number}"), |(log, _)| log.name)),
    };
    let parts = Parts { row, source, cards, mig, vcpus, hypervisor, check, server, load, observed };
    Ok(parts.run(context).map(|run| ReadRun { run, spot, system }))
}

/// A run with where its figures stand, and the machine it was made on, if the file names one.
pub(super) struct ReadRun {
    pub(super) run: MeasuredRun,
    pub(super) spot: Spot,
    pub(super) system: Option<String>,
}

/// A LoadGen log with its name.
struct Log {
    name: String,
    file: Arc<SourceFile>,
    log: LoadgenLog,
}

fn log_of(value: &Value<'_>, context: &Context<'_>) -> anyhow::Result<Option<Log>> {
    let Some((name, file)) = foreign(value, context)? else { return Ok(None) };
    let Some(log) = parsed(&file, loadgen_log::read, context.problems) else { return Ok(None) };
    if log.is_simulated() {
        let diagnostic = value.wrong("is no measurement: slicewise wrote this log");
        value.report(diagnostic.help("calibrate on what a real system did"));
        return Ok(None);
    }
    Ok(Some(Log { name, file, log }))
}

impl Log {
    fn wrong(&self, span: Range<usize>, title: String, help: &str, problems: &Problems) {
        let spot = Spot { file: self.file.clone(), span };
        problems.push(Diagnostic::at(&spot, title).help(help));
    }

    /// The load that the log says.
    fn load(&self, context: &Context<'_>) -> Option<LoadSpec> {
        let log = &self.log;
        let placed = log.scenario.as_ref()?;
        let scenario = match placed.value {
            LogScenario::Server => TestScenario::Server,
            LogScenario::Offline => TestScenario::Offline,
            LogScenario::SingleStream => TestScenario::SingleStream,
            _ => {
                let title = "a calibration reads no log of this scenario".to_string();
                let help = "allowed: Server, Offline, SingleStream";
                self.wrong(placed.span.clone(), title, help, context.problems);
                return None;
            }
        };
        let bound = context.workload.spec.target_latency.value;
        let mut load = super::settings::load_defaults(scenario, bound);
        let settings = &mut load.settings;
        let above = |placed: &Option<Placed<f64>>| {
            placed.as_ref().map(|placed| placed.value).filter(|&value| value > 0.0)
        };
        let rate = match scenario {
            TestScenario::Server => above(&log.target_qps).or(above(&log.scheduled_per_s)),
            TestScenario::Offline => above(&log.samples_per_s).or(above(&log.target_qps)),
            _ => Some(1.0),
        };
        let Some(rate) = rate.filter(|rate| *rate <= 1e9) else {
            let title = "the log does not say at which rate it ran".to_string();
            self.wrong(placed.span.clone(), title, "write load and measured", context.problems);
            return None;
        };
        settings.target_qps = rate;
        let some = |placed: &Option<Placed<SimDuration>>| {
            placed.as_ref().map(|placed| placed.value).filter(|span| *span > SimDuration::ZERO)
        };
        settings.target_latency = some(&log.target_latency).unwrap_or(settings.target_latency);
        settings.min_duration = some(&log.min_duration).unwrap_or(settings.min_duration);
        let day = SimDuration::from_secs(86_400);
        settings.min_duration = settings.min_duration.min(day);
        let count = log.min_query_count.as_ref().map_or(1, |placed| placed.value);
        settings.min_query_count = count.clamp(1, 50_000_000);
        Some(load)
    }

    /// The figures that the log says; percentiles must rise.
    fn observed(&self, problems: &Problems) -> Vec<Observed> {
        let log = &self.log;
        let mut observed = Vec::new();
        let rate = log.completed_per_s.as_ref().or(log.samples_per_s.as_ref());
        if let Some(rate) = rate.filter(|rate| rate.value > 0.0) {
            let figure = "completed_per_s".to_string();
            observed.push(Observed { figure, value: rate.value });
        }
        let mut before: Option<(&str, f64)> = None;
        for name in LATENCIES {
            let Some(placed) = log.latency.get(name) else { continue };
            let ms = placed.value.as_millis_f64();
            if ms <= 0.0 {
                continue;
            }
            observed.push(Observed { figure: name.to_string(), value: ms });
            if name == "mean" {
                continue;
            }
            if let Some((lower, least)) = before.filter(|(_, least)| ms < *least) {
                let title = falling(name, ms, lower, least);
                self.wrong(placed.span.clone(), title, RISING, problems);
            }
            before = Some((name, ms));
        }
        observed
    }
}

/// Why percentiles that fall are refused.
const RISING: &str = "percentiles rise: was a line mixed up?";

fn falling(name: &str, ms: f64, lower: &str, least: f64) -> String {
    format!("`{name}` is {} ms, below the {} ms of `{lower}`", rounded(ms), rounded(least))
}

/// The parts of a run, each missing where it was wrong.
struct Parts<'c> {
    row: Option<String>,
    source: Option<String>,
    cards: Option<u32>,
    mig: Option<Option<(String, Share)>>,
    vcpus: Option<u32>,
    hypervisor: Option<&'c Hypervisor>,
    check: Option<bool>,
    server: ServerSpec,
    load: Option<LoadSpec>,
    observed: Option<Vec<Observed>>,
}

impl Parts<'_> {
    fn run(self, context: &Context<'_>) -> Option<MeasuredRun> {
        let Parts { row, source, cards, mig, vcpus, hypervisor, check, server, load, observed } =
            self;
        let share = match mig {
            Some(share) => Some(share?),
            None => None,
        };
        let (cards, row) = (cards?, row?);
        let shares = (0..cards as u16).map(|card| GpuShare {
            card: GpuId(card),
            instance: 0,
            vgpu_type: None,
            sm_limit: Share::WHOLE,
        });
        let vm = VmSpec {
            name: "vm-1".to_string(),
            group: "vm-1".to_string(),
            vcpus: vcpus?,
            gpus: shares.collect(),
            workload: context.workload.spec.clone(),
            server,
            load: load?,
            power_on: SimTime::ZERO,
            power_off: None,
        };
        let card = match share {
            Some((profile, share)) => CardSpec {
                gpu: context.gpu.clone(),
                instances: vec![InstanceSpec {
                    profile: Some(profile),
                    share,
                    sharing: InstanceSharing::Alone,
                }],
            },
            None => CardSpec::whole(context.gpu.clone()),
        };
        let experiment = Experiment {
            name: row.clone(),
            seed: 0,
            replication: 0,
            hypervisor: hypervisor?.clone(),
            host: host(),
            cards: vec![card; cards as usize],
            vms: vec![vm],
        };
        let (source, observed) = (source?, observed?);
        Some(MeasuredRun { row, source, experiment, observed, is_fitted: !check? })
    }
}

/// The machine of a measured run, of which only the processors matter, and they are many.
fn host() -> HostSpec {
    fn assumed<T>(value: T) -> Fact<T> {
        let source = "assumed: the measured machine had enough".to_string();
        let (standing, fitted_on) = (Standing::Assumed, Vec::new());
        Fact { value, source, standing, fitted_on, residual: None }
    }
    HostSpec {
        id: "measured".to_string(),
        name: "the measured machine".to_string(),
        logical_processors: assumed(4096),
        memory: assumed(Bytes::from_mib(1 << 20)),
    }
}

/// `mig = "1g.10gb"`: the part of the GPU.
fn slice(value: &Value<'_>, context: &Context<'_>) -> Option<(String, Share)> {
    let word = value.text()?;
    let Some(profile) = context.gpu.mig_profile(word) else {
        let known = context.gpu.mig_profiles.iter().map(|profile| profile.name.as_str());
        value.unknown("GPU instance profile", word, known);
        return None;
    };
    let Some(sms) = profile.sms else {
        let diagnostic =
            value.wrong("has SMs that nobody printed: its part of the GPU is not known");
        value.report(diagnostic.help("measure the whole GPU, or a profile whose SMs are known"));
        return None;
    };
    let share = f64::from(sms) / f64::from(context.gpu.sms.value);
    Some((word.to_string(), Share::new(share)?))
}

/// `{ completed_per_s = 7871, latency = { p50 = "71.3 ms" } }`; percentiles must rise.
fn figures(mut table: Reader<'_>) -> Option<Vec<Observed>> {
    let rate = table.get("completed_per_s").map(|value| {
        value.number(|rate| rate > 0.0 && rate <= 1e9, "above 0, in samples per second")
    });
    let latency = table.get("latency");
    let spot = table.spot();
    let mut observed = Vec::new();
    if let Some(rate) = rate.flatten() {
        observed.push(Observed { figure: "completed_per_s".to_string(), value: rate });
    }
    if let Some(value) = latency {
        let mut places = value.table()?;
        let places: BTreeMap<String, Range<usize>> =
            places.entries().into_iter().map(|(key, value)| (key, value.span)).collect();
        let found = latencies(value.table()?);
        let mut before: Option<(&str, f64)> = None;
        for (name, span) in &found {
            let ms = span.as_millis_f64();
            if ms <= 0.0 {
                value.report(value.wrong(format!("has a {name} of 0")).allowed("above 0"));
            }
            if name == "mean" {
                continue;
            }
            if let Some((lower, least)) = before.filter(|(_, least)| ms < *least) {
                let at = places.get(name).cloned().unwrap_or_default();
                let spot = Spot { file: value.file.clone(), span: at };
                value.report(Diagnostic::at(&spot, falling(name, ms, lower, least)).help(RISING));
            }
            before = Some((name, ms));
        }
        observed.extend(found.iter().map(|(figure, span)| Observed {
            figure: figure.clone(),
            value: span.as_millis_f64(),
        }));
    }
    let nothing = Diagnostic::at(&spot, "nothing was measured of this run");
    let is_empty = observed.is_empty();
    if is_empty {
        table.report(nothing.allowed("completed_per_s, and latency with min, p50, p90, p99, p999"));
    }
    table.finish();
    if is_empty {
        return None;
    }
    Some(observed)
}

fn scenario(run: &MeasuredRun) -> TestScenario {
    run.experiment.vms[0].load.scenario
}

/// Samples per second on each GPU, and the part of a GPU that each is.
fn rate(run: &MeasuredRun) -> Option<(f64, f64)> {
    let found = run.observed.iter().find(|seen| seen.figure == "completed_per_s")?;
    let part = run.experiment.cards[0].instances[0].share.get();
    Some((found.value / run.experiment.vms[0].gpus.len() as f64, part))
}

/// Whether it can all be true at once.
pub(super) fn check(measured: &Measurements, problems: &Problems) {
    let offline: Vec<_> = measured
        .runs
        .iter()
        .filter(|read| scenario(&read.run) == TestScenario::Offline)
        .filter_map(|read| Some((read, rate(&read.run)?)))
        .collect();
    let server = measured.runs.iter().filter(|read| scenario(&read.run) == TestScenario::Server);
    for read in server {
        let Some((served, part)) = rate(&read.run) else { continue };
        let same =
            offline.iter().filter(|(other, (_, of))| *of == part && other.system == read.system);
        let Some(best) = same.map(|(_, (rate, _))| *rate).reduce(f64::max) else { continue };
        if served > best * BEYOND_OFFLINE {
            let title = format!(
                "the Server run answered {} samples/s on each GPU, the fastest Offline run {}",
                rounded(served),
                rounded(best)
            );
            let help = "no Server run is faster than the same GPU Offline: are `gpus` and figures those of one system?";
            problems.push(Diagnostic::at(&read.spot, title).help(help));
        }
    }
    for (ReadRun { run, spot, .. }, (found, part)) in offline {
        let batch = run.experiment.vms[0].server.batch_max;
        let Some(index) = measured.times.iter().position(|time| time.batch == batch) else {
            continue;
        };
        let alone = f64::from(batch) / measured.times[index].ms * 1e3;
        let apart = (found / alone).max(alone / found);
        if part == 1.0 && apart > APART_MAX {
            let title = format!(
                "the Offline run answered {} samples/s on each GPU, but a batch of {batch} alone makes {}",
                rounded(found),
                rounded(alone)
            );
            let at = &measured.time_spots[index];
            let help = format!(
                "the batch time stands in {}: were precision, clocks and batch the same?",
                at.file.path
            );
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }
}

/// Four digits that matter, for messages.
fn rounded(value: f64) -> f64 {
    let digits = 10_f64.powf(3.0 - value.abs().max(1e-12).log10().floor());
    (value * digits).round() / digits
}
