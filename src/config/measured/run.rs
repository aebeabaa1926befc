//! One `[[run]]` of a calibration: an inference server's run with its settings and its measured
//! figures, written out, in a log, or in a file of perf_analyzer, whose rows are runs.
//!
//! Whether it agrees with the other measurements is checked in `measurements`.

use super::context::Context;
use super::levels::levels_of;
use super::log::{RISING, falling, log_of};
use crate::config::catalogue::find;
use crate::config::scenario::machine::BARE_METAL;
use crate::config::scenario::published::latencies;
use crate::config::scenario::server_load;
use crate::config::text::{Diagnostic, Reader, Spot, Value};
use crate::spec::names::find_profile;
use crate::spec::{
    HostLink, Hypervisor, InstanceSpec, LoadSpec, MeasuredSystem, Rules, ServerSpec, TestScenario,
};
use crate::study::{MeasuredRun, Observed};
use crate::units::counted;
use std::collections::BTreeMap;
use std::ops::Range;

/// The runs of one `[[run]]`, with the places of their figures; notes on how it was read are added.
pub(crate) fn run(
    mut table: Reader<'_>,
    number: usize,
    context: &Context<'_>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<ReadRun>> {
    let log = match table.get("log") {
        Some(value) => match log_of(&value, context)? {
            Some(log) => Some((log, value)),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let levels = match table.get("perf_analyzer") {
        Some(value) => match levels_of(&mut table, &value, context)? {
            Some(levels) => Some(levels),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let row = table.get("row").map(|value| value.text());
    let source = match (&log, table.get("source")) {
        (_, Some(value)) => value.text().map(str::to_string),
        (Some((log, _)), None) => Some(format!("LoadGen log {}", log.name)),
        (None, None) if levels.is_some() => {
            levels.as_ref().map(|levels| format!("perf_analyzer {}", levels.name))
        }
        (None, None) => {
            table.need("source", "state where it was measured or published");
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
    let (server, _) = server_load::server(&mut table, Some(&context.workload), cards, None);
    let of_file = levels.as_ref().map(|_| "perf_analyzer").or(log.as_ref().map(|_| "log"));
    if let Some(file) = of_file {
        let others = ["load", "measured", "log"].into_iter().filter(|key| *key != file);
        for key in others.filter(|key| table.has(key)) {
            let title = format!("`{key}` conflicts with `{file}`, which states it");
            table.report(Diagnostic::at(&table.spot_of(key), title).help("drop one of them"));
        }
        drop((table.get("load"), table.get("measured")));
    }
    let system = match system {
        Some(None) => return Ok(Vec::new()),
        Some(system) => system,
        None => None,
    };
    let is_fitted = check == Some(false);
    if let Some(levels) = levels {
        table.finish();
        let row = match row {
            Some(None) => return Ok(Vec::new()),
            Some(Some(row)) => row.to_string(),
            None => levels.name.clone(),
        };
        notes.extend(levels.notes());
        let runs = levels.rows.iter().filter_map(|level| {
            let parts = Parts {
                row: Some(format!("{row}, {}", counted(level.concurrency, "client"))),
                source: source.clone(),
                cards,
                mig: mig.clone(),
                vcpus,
                hypervisor,
                server: server.clone(),
                load: Some(levels.load(level, context)),
                observed: Some(levels.observed(level, context.problems)),
            };
            let (system, spot) = (system.clone(), levels.spot(level));
            parts.run(context).map(|run| ReadRun { run, is_fitted, spot, system })
        });
        return Ok(runs.collect());
    }
    let (load, observed, spot) = match &log {
        Some((log, value)) => {
            (log.load(context), Some(log.observed(context.problems)), value.spot())
        }
        None => {
            let (load, _) =
                server_load::load(&mut table, Some(&context.workload), 1, Some(Rules::Mlperf));
            let help = "write measured = { completed_per_s = ..., latency = { p50 = \"...\" } }, or log, or perf_analyzer";
            let measured = table.need("measured", help);
            let spot = table.spot_of("measured");
            (load, measured.and_then(|value| figures(value.table()?)), spot)
        }
    };
    table.finish();
    let row = match row {
        Some(row) => row.map(str::to_string),
        None => Some(log.map_or_else(|| format!("run {number}"), |(log, _)| log.name)),
    };
    let parts = Parts { row, source, cards, mig, vcpus, hypervisor, server, load, observed };
    let run = parts.run(context).map(|run| ReadRun { run, is_fitted, spot, system });
    Ok(run.into_iter().collect())
}

/// A run with the place of its figures, and the machine it ran on, if the file names one.
pub(crate) struct ReadRun {
    pub(crate) run: MeasuredRun,
    /// Whether the fit may use it; otherwise it is only compared.
    pub(crate) is_fitted: bool,
    pub(crate) spot: Spot,
    pub(crate) system: Option<String>,
}

/// The parts of a run, each missing where it was wrong.
struct Parts<'c> {
    row: Option<String>,
    source: Option<String>,
    cards: Option<u32>,
    mig: Option<Option<InstanceSpec>>,
    vcpus: Option<u32>,
    hypervisor: Option<&'c Hypervisor>,
    server: ServerSpec,
    load: Option<LoadSpec>,
    observed: Option<Vec<Observed>>,
}

impl Parts<'_> {
    fn run(self, context: &Context<'_>) -> Option<MeasuredRun> {
        let Parts { row, source, cards, mig, vcpus, hypervisor, server, load, observed } = self;
        let instances = match mig {
            Some(slice) => Some(vec![slice?]),
            None => None,
        };
        let (cards, row) = (cards?, row?);
        let system = MeasuredSystem {
            vm: "vm-1",
            vcpus: vcpus?,
            hypervisor: hypervisor?.clone(),
            gpu: context.gpu.clone(),
            links: vec![HostLink::default(); cards as usize],
            instances,
            gpus: cards,
        };
        let experiment = system.run(row.clone(), context.workload.spec.clone(), server, load?);
        let (source, observed) = (source?, observed?);
        // Machines are told apart once all runs are read.
        let machine = 0;
        Some(MeasuredRun { row, source, experiment, observed, machine })
    }
}

/// `mig = "1g.10gb"`: the part of the GPU.
fn slice(value: &Value<'_>, context: &Context<'_>) -> Option<InstanceSpec> {
    let word = value.text()?;
    let found = find_profile(&context.gpu.mig_profiles, word);
    let Some(part) = found.filter(|part| part.compute_slices.is_none()) else {
        let known = context.gpu.mig_profiles.iter().map(|profile| profile.name.as_str());
        value.unknown("GPU instance profile", word, known);
        return None;
    };
    let profile = &context.gpu.mig_profiles[part.profile];
    let slice = InstanceSpec::of_profile(context.gpu, &profile.name);
    if slice.is_none() {
        let diagnostic =
            value.wrong("has SMs that are not published: its part of the GPU is not known");
        value.report(diagnostic.help("measure the whole GPU, or a profile whose SMs are known"));
    }
    slice
}

/// `{ completed_per_s = 7871, latency = { p50 = "71.3 ms" } }`; percentiles must rise.
fn figures(mut table: Reader<'_>) -> Option<Vec<Observed>> {
    let rate = table.get("completed_per_s").map(|value| {
        value.number(
            crate::config::scenario::ranges::is_rate,
            "0.000001 to 1000000000 samples per second",
        )
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

pub(super) fn scenario(run: &MeasuredRun) -> TestScenario {
    run.experiment.vms[0].load.scenario
}

/// Samples per second on each GPU, and the part of a GPU that each is.
pub(super) fn rate(run: &MeasuredRun) -> Option<(f64, f64)> {
    let found = run.observed.iter().find(|seen| seen.figure == "completed_per_s")?;
    let part = run.experiment.cards[0].instances[0].share.get();
    Some((found.value / run.experiment.vms[0].gpus.len() as f64, part))
}

/// A larger batch that takes this much less time is a mistake, not noise.
pub(super) const FALL_MAX: f64 = 0.02;
