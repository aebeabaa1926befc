//! Reads the catalogue's files: a workload, a host, a hypervisor. A GPU's is read in `gpus`.
//!
//! It looks at one file at a time; whether a named GPU exists is asked by the catalogue.

use super::facts::{Sources, fact, fact_in_range, fact_table, name, need_table, sources};
use super::reader::Reader;
use super::rounds;
use super::suggest::quoted;
use super::value::Value;
use crate::spec::{
    CpuWork, Fact, HostSpec, Hypervisor, PRESETS, PhiTable, ServiceAlternative, ServiceTime,
    SizeDistribution, WorkTable, Workload,
};
use crate::units::{Bytes, Share, SimDuration};

/// A host's file.
#[derive(Clone, Debug)]
pub(super) struct HostFile {
    pub(super) spec: HostSpec,
    /// The model and number of its GPUs.
    pub(super) gpus: (String, u32),
}

/// A workload's file.
#[derive(Clone, Debug)]
pub(super) struct WorkloadFile {
    pub(super) spec: Workload,
    /// The server preset it usually runs under.
    pub(super) usual_preset: String,
}

/// Most cards in a host.
pub(super) const CARDS_MAX: u32 = 64;

/// Reads `hosts/<id>.toml`.
pub(super) fn host(id: &str, mut file: Reader<'_>) -> Option<HostFile> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let logical_processors =
        fact(&mut file, &sources, "logical_processors", |value| value.count(1..=4096, ""));
    let memory = fact(&mut file, &sources, "memory", above_zero);
    let gpus = file.need("gpus", "write gpus = { model = \"a100-pcie-40gb\", count = 3 }");
    let gpus = gpus.and_then(|value| gpus_of(&value));
    file.finish();
    let spec = HostSpec {
        id: id.to_string(),
        name: name?,
        logical_processors: logical_processors?,
        memory: memory?,
    };
    let (model, count) = gpus?;
    Some(HostFile { spec, gpus: (model.text()?.to_string(), count) })
}

/// Reads `{ model = "a100-pcie-40gb", count = 3 }`.
pub(super) fn gpus_of<'a>(value: &Value<'a>) -> Option<(Value<'a>, u32)> {
    let mut table = value.table()?;
    let model = table.need("model", "name a GPU of the catalogue");
    let model = model.filter(|value| value.text().is_some());
    let count = table.need("count", "say how many cards the host has");
    let count = count.and_then(|value| value.count(1..=CARDS_MAX, " cards"));
    table.finish();
    Some((model?, count?))
}

/// Reads `hypervisors/<id>.toml`.
pub(super) fn hypervisor(id: &str, mut file: Reader<'_>) -> Option<Hypervisor> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let virtual_gpus = file
        .need("virtual_gpus", "write true or false: whether guests see GPUs through vGPU types");
    let virtual_gpus = virtual_gpus.and_then(|value| value.flag());
    let gpu_speed = fact(&mut file, &sources, "gpu_speed", speed);
    let range = file.get("gpu_speed_range").map(|value| speed_range(&value, gpu_speed.as_ref()));
    let submission_latency =
        fact(&mut file, &sources, "submission_latency", |value| value.quantity());
    let cpu_speed = fact(&mut file, &sources, "cpu_speed", speed);
    file.finish();
    Some(Hypervisor {
        id: id.to_string(),
        name: name?,
        virtual_gpus: virtual_gpus?,
        gpu_speed: gpu_speed?,
        gpu_speed_range: range.map_or(Some(None), |range| range.map(Some))?,
        submission_latency: submission_latency?,
        cpu_speed: cpu_speed?,
    })
}

/// `gpu_speed_range = [0.989, 1.001]`: about the speed itself, and kept relative to it.
fn speed_range(value: &Value<'_>, speed: Option<&Fact<f64>>) -> Option<[f64; 2]> {
    let items = value.items(2)?;
    let ends: Vec<f64> = items.iter().filter_map(self::speed).collect();
    let speed = speed?.value;
    match ends[..] {
        [low, high] if low <= speed && speed <= high => Some([low / speed, high / speed]),
        _ if ends.len() < items.len() => None,
        _ => {
            let diagnostic = value.wrong("is no interval about `gpu_speed`");
            value.report(diagnostic.allowed("[least, greatest], with gpu_speed between them"));
            None
        }
    }
}

/// Reads `workloads/<id>.toml`.
pub(super) fn workload(id: &str, mut file: Reader<'_>) -> Option<WorkloadFile> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let preset = file.need("usual_preset", "name the preset it usually runs under");
    let preset = preset.and_then(|value| {
        value.choice("preset", &PRESETS.map(|preset| (preset.name, preset.name)))
    });
    let benchmark = file.get("benchmark").and_then(|value| rounds::benchmark(&value));
    let target_latency = fact(&mut file, &sources, "target_latency", some_time);
    let sizes = fact_table(&mut file, &sources, "sizes", sizes);
    let weights = fact(&mut file, &sources, "weights", |value| value.quantity());
    let workspace_per_sample =
        fact(&mut file, &sources, "workspace_per_sample", |value| value.quantity());
    let input_per_sample = fact(&mut file, &sources, "input_per_sample", |value| value.quantity());
    let output_per_sample =
        fact(&mut file, &sources, "output_per_sample", |value| value.quantity());
    let cpu = need_table(&mut file, "cpu").and_then(|table| cpu_work(table, &sources));
    let service = need_table(&mut file, "service").map(|mut table| {
        let gpus = table.entries().into_iter();
        gpus.filter_map(|(gpu, value)| Some((gpu, service_time(value.table()?, &sources)?)))
            .collect()
    });
    file.finish();
    let spec = Workload {
        id: id.to_string(),
        name: name?,
        benchmark,
        target_latency: target_latency?,
        sizes: sizes?,
        weights: weights?,
        workspace_per_sample: workspace_per_sample?,
        input_per_sample: input_per_sample?,
        output_per_sample: output_per_sample?,
        cpu: cpu?,
        service: service?,
    };
    Some(WorkloadFile { spec, usual_preset: preset?.to_string() })
}

fn cpu_work(mut table: Reader<'_>, sources: &Sources) -> Option<CpuWork> {
    let first = time_in_range(&mut table, sources, "launch_per_batch");
    let mut time = |key| fact(&mut table, sources, key, |value| value.quantity());
    let launch = (first, time("launch_per_sample"));
    let finish = (time("finish_per_batch"), time("finish_per_sample"));
    table.finish();
    Some(CpuWork {
        launch_per_batch: launch.0?,
        launch_per_sample: launch.1?,
        finish_per_batch: finish.0?,
        finish_per_sample: finish.1?,
    })
}

fn service_time(mut table: Reader<'_>, sources: &Sources) -> Option<ServiceTime> {
    let launch = time_in_range(&mut table, sources, "launch");
    let host_floor = time_in_range(&mut table, sources, "host_floor");
    let phi = fact_in_range(&mut table, sources, "phi", phi_table, PhiTable::is_below);
    let share = |value: &Value<'_>| value.quantity::<Share>();
    let spread = fact_in_range(&mut table, sources, "spread", share, |a, b| a <= b);
    let work = fact(&mut table, sources, "work", work_table);
    let boost = match table.has("boost") {
        true => fact(&mut table, sources, "boost", boost),
        false => Some(no_boost()),
    };
    let machines = table.has("machines").then(|| fact(&mut table, sources, "machines", machines));
    let alternatives = alternatives(&mut table);
    table.finish();
    Some(ServiceTime {
        launch: launch?,
        host_floor: host_floor?,
        phi: phi?,
        spread: spread?,
        work: work?,
        boost: boost?,
        machines: machines.map_or(Some(None), |machines| machines.map(Some))?,
        alternatives: alternatives?,
    })
}

/// A time that nothing may have measured.
fn time_in_range(
    table: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
) -> Option<Fact<SimDuration>> {
    fact_in_range(table, sources, key, |value| value.quantity(), |a, b| a <= b)
}

/// By how much work differs between machines with one GPU.
pub(super) fn machines(value: &Value<'_>) -> Option<Share> {
    value.bounded(|differ: &Share| differ.get() <= 0.2, "0 to 20 %, between machines")
}

fn boost(value: &Value<'_>) -> Option<f64> {
    value.number(|boost| (1.0..=2.0).contains(&boost), "1 to 2, over the clock without pause")
}

/// The boost of work that does not reach the power limit.
pub(super) fn no_boost() -> Fact<f64> {
    Fact::assumed(1.0, "assumed: this work does not reach the card's power limit")
}

/// Most sets of fitted numbers beside the best.
const ALTERNATIVES_MAX: usize = 16;

/// `[[service.<gpu>.alternative]]`: sets of numbers that fit nearly as well, each complete.
fn alternatives(table: &mut Reader<'_>) -> Option<Vec<ServiceAlternative>> {
    let Some(value) = table.get("alternative") else { return Some(Vec::new()) };
    let items = value.items(ALTERNATIVES_MAX)?;
    let count = items.len();
    let found: Vec<_> =
        items.iter().filter_map(|item| item.table().and_then(alternative)).collect();
    (found.len() == count).then_some(found)
}

fn alternative(mut table: Reader<'_>) -> Option<ServiceAlternative> {
    const HELP: &str = "an alternative is a whole set: launch, work, phi and the others trade off";
    let mut need = |key: &str| table.need(key, HELP);
    let (residual, cpu) = (need("residual"), need("cpu_launch_per_batch"));
    let (launch, host_floor) = (need("launch"), need("host_floor"));
    let (phi, spread, work) = (need("phi"), need("spread"), need("work"));
    let boost = table.get("boost").map_or(Some(1.0), |value| boost(&value));
    table.finish();
    Some(ServiceAlternative {
        residual: residual?.quantity::<Share>()?.get(),
        cpu_launch_per_batch: cpu?.quantity()?,
        launch: launch?.quantity()?,
        host_floor: host_floor?.quantity()?,
        phi: phi_table(&phi?)?,
        spread: spread?.quantity()?,
        work: work_table(&work?)?,
        boost: boost?,
    })
}

/// `{ 1 = "0.73 ms", 64 = "46.6 ms" }`: batch sizes and the times they take.
fn work_table(value: &Value<'_>) -> Option<WorkTable> {
    let points = by_batch(value, |time| time.quantity::<SimDuration>())?;
    WorkTable::new(points).map_err(|error| value.report(value.wrong(error))).ok()
}

/// One phi, or `{ 8 = 0.9, 11 = 1 }`: batch sizes and the phi of each.
fn phi_table(value: &Value<'_>) -> Option<PhiTable> {
    if !value.is_table() {
        return value.quantity::<Share>().map(PhiTable::constant);
    }
    let points = by_batch(value, |phi| phi.quantity::<Share>())?;
    PhiTable::new(points).map_err(|error| value.report(value.wrong(error))).ok()
}

/// A table whose keys are batch sizes, in rising order.
fn by_batch<T>(value: &Value<'_>, read: impl Fn(&Value<'_>) -> Option<T>) -> Option<Vec<(u32, T)>> {
    let entries = value.table()?.entries();
    let count = entries.len();
    let points = entries.into_iter().filter_map(|(batch, entry)| {
        let size = batch.parse::<u32>().ok().filter(|&size| size > 0);
        if size.is_none() {
            entry.report(
                entry
                    .wrong(format!("stands at the key {}", quoted(&batch)))
                    .allowed("batch sizes as keys, from 1"),
            );
        }
        Some((size?, read(&entry)?))
    });
    let mut points: Vec<_> = points.collect();
    points.sort_by_key(|(size, _)| *size);
    (points.len() == count).then_some(points)
}

/// `distribution = "lognormal"`, `sigma = 0.385` among the keys of the fact itself.
pub(super) fn sizes(table: &mut Reader<'_>) -> Option<SizeDistribution> {
    const WORDS: [(&str, SizeDistribution); 3] = [
        ("fixed", SizeDistribution::Fixed),
        ("lognormal", SizeDistribution::LogNormal { sigma: 1.0 }),
        ("exponential", SizeDistribution::Exponential),
    ];
    let word = table.need("distribution", "name the law of the relative sizes");
    let law = word.and_then(|value| value.choice("distribution", &WORDS))?;
    let SizeDistribution::LogNormal { .. } = law else { return Some(law) };
    let sigma = table.need("sigma", "write the standard deviation of ln(size)")?;
    let sigma = sigma.number(|sigma| sigma > 0.0 && sigma <= 3.0, "above 0, at most 3")?;
    Some(SizeDistribution::LogNormal { sigma })
}

pub(super) fn above_zero(value: &Value<'_>) -> Option<Bytes> {
    value.bounded(|bytes| *bytes > Bytes::ZERO, "above 0")
}

fn some_time(value: &Value<'_>) -> Option<SimDuration> {
    value.bounded(|span| *span > SimDuration::ZERO, "above 0")
}

fn speed(value: &Value<'_>) -> Option<f64> {
    value.number(|speed| (0.01..=2.0).contains(&speed), "0.01 to 2, relative to bare metal")
}
