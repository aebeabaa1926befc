//! What was measured: `[[times]]`, batches alone on the GPU, and `[[run]]`, runs of an inference
//! server with their settings; and whether it can all be true.

use super::calibration::Context;
use super::diagnostic::{Diagnostic, Problems, SourceFile, Spot};
use super::foreign::{parsed, text_of};
use super::guest;
use super::machine::{BARE_METAL, find};
use super::published::latencies;
use super::reader::Reader;
use super::value::Value;
use crate::formats::latency_csv;
use crate::spec::{
    CardSpec, Experiment, Fact, GpuId, GpuShare, HostSpec, InstanceSharing, InstanceSpec, Standing,
    TestScenario, VmSpec,
};
use crate::study::{BatchTime, MeasuredRun, Observed};
use crate::units::{Bytes, Share, SimTime};
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
    /// Each run with the place of its figures.
    pub(super) runs: Vec<(MeasuredRun, Spot)>,
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
            runs: Vec::new(),
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
            if let Some((run, spot)) = run(table, index + 1, context) {
                found.hypervisors.push(run.experiment.hypervisor.id.clone());
                found.runs.push((run, spot));
            }
        }
        Ok((!context.problems.any()).then_some(found))
    }

    /// One `[[times]]`: `csv = "times.csv"`.
    fn read_times(
        &mut self,
        mut table: Reader<'_>,
        context: &Context<'_>,
        samples: &mut BTreeMap<u32, Samples>,
    ) -> anyhow::Result<()> {
        let csv = table.need("csv", "name a file of batch,latency_ms");
        table.finish();
        let Some((name, file)) = csv.map(|value| foreign(&value, context)).transpose()?.flatten()
        else {
            return Ok(());
        };
        self.files.push((name.clone(), file.clone()));
        let Some(rows) = parsed(&file, latency_csv::read, context.problems) else { return Ok(()) };
        for row in rows {
            let spot = Spot { file: file.clone(), span: row.span };
            let entry = samples.entry(row.batch).or_insert_with(|| Samples {
                ms: Vec::new(),
                spot,
                source: name.clone(),
            });
            entry.ms.push(row.ms);
        }
        Ok(())
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
fn run(mut table: Reader<'_>, number: usize, context: &Context<'_>) -> Option<(MeasuredRun, Spot)> {
    let row = table.get("row").map(|value| value.text());
    let source = table.need("source", "say where it was measured or published");
    let source = source.and_then(|value| value.text());
    let cards = table.get("gpus").map_or(Some(1), |value| value.count(1..=64, " GPUs"));
    let mig = table.get("mig").map(|value| slice(&value, context));
    let vcpus = table.get("vcpus").map_or(Some(128), |value| value.count(1..=4096, " vCPUs"));
    let hypervisor = match table.get("hypervisor") {
        Some(value) => find(&value, "hypervisor", &context.catalogue.hypervisors),
        None => context.catalogue.hypervisors.get(BARE_METAL),
    };
    let check = table.get("check").map_or(Some(false), |value| value.flag());
    let (server, _) = guest::server(&mut table, Some(&context.workload));
    let (load, _) = guest::load(&mut table, Some(&context.workload), 1);
    let help = "write [run.measured] with completed_per_s and latency = { p50 = \"...\", ... }";
    let measured = table.need("measured", help);
    let spot = table.spot_of("measured");
    let observed = measured.and_then(|value| figures(value.table()?));
    table.finish();
    let share = match mig {
        Some(share) => Some(share?),
        None => None,
    };
    let vm = VmSpec {
        name: "vm-1".to_string(),
        group: "vm-1".to_string(),
        vcpus: vcpus?,
        gpus: (0..cards? as u16)
            .map(|card| GpuShare {
                card: GpuId(card),
                instance: 0,
                vgpu_type: None,
                sm_limit: Share::WHOLE,
            })
            .collect(),
        workload: context.workload.spec.clone(),
        server,
        load: load?,
        power_on: SimTime::ZERO,
        power_off: None,
    };
    let row = match row {
        Some(row) => row?.to_string(),
        None => format!("run {number}"),
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
        cards: vec![card; cards? as usize],
        vms: vec![vm],
    };
    let source = source?.to_string();
    let run = MeasuredRun { row, source, experiment, observed: observed?, is_fitted: !check? };
    Some((run, spot))
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
                let title = format!(
                    "`{name}` is {} ms, below the {} ms of `{lower}`",
                    rounded(ms),
                    rounded(least)
                );
                value.report(
                    Diagnostic::at(&spot, title).help("percentiles rise: was a line mixed up?"),
                );
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

/// Whether it can all be true at once.
pub(super) fn check(measured: &Measurements, problems: &Problems) {
    let rate = |run: &MeasuredRun| {
        let found = run.observed.iter().find(|seen| seen.figure == "completed_per_s")?;
        let vm = &run.experiment.vms[0];
        let part = run.experiment.cards[0].instances[0].share.get();
        Some((found.value / vm.gpus.len() as f64, part))
    };
    let scenario = |run: &MeasuredRun| run.experiment.vms[0].load.scenario;
    let offline: Vec<_> = measured
        .runs
        .iter()
        .filter(|(run, _)| scenario(run) == TestScenario::Offline)
        .filter_map(|(run, spot)| Some((run, spot, rate(run)?)))
        .collect();
    let server = measured.runs.iter().filter(|(run, _)| scenario(run) == TestScenario::Server);
    for (run, spot) in server {
        let Some((served, part)) = rate(run) else { continue };
        let best =
            offline.iter().filter(|(_, _, (_, of))| *of == part).map(|(_, _, (rate, _))| *rate);
        let Some(best) = best.reduce(f64::max) else { continue };
        if served > best * BEYOND_OFFLINE {
            let title = format!(
                "the Server run answered {} samples/s on each GPU, the fastest Offline run {}",
                rounded(served),
                rounded(best)
            );
            let help = "no Server run is faster than the same GPU Offline: are `gpus` and figures those of one system?";
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }
    for (run, spot, (found, part)) in offline {
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
