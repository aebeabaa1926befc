//! Reads the catalogue's files: a workload, a host, a hypervisor. A GPU's is read in `gpus`.
//!
//! It reads one file at a time; whether a named GPU exists is checked by the catalogue.

use super::facts::{
    Sources, card_count, fact, fact_if_stated, fact_in_range, fact_in_range_or, fact_or,
    has_passport, if_stated, name, need_table, or_assumed, sources, spread_fact,
};
use super::rounds;
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{
    CpuWork, Fact, HostLink, HostSpec, Hypervisor, PRESETS, PhiTable, Precision,
    ServiceAlternative, ServiceTime, SizeDistribution, SliceLaw, WorkTable, Workload,
    usual_energy_once,
};
use crate::suggest::quoted;
use crate::units::{Bandwidth, Bytes, Power, Share, SimDuration};
use std::collections::BTreeMap;

/// A host's file, or a host that a scenario describes itself.
#[derive(Clone, Debug)]
pub(crate) struct HostFile {
    pub(crate) spec: HostSpec,
    /// Its GPUs; none where a scenario states them outside the host.
    pub(crate) gpus: Vec<HostCards>,
}

/// Cards of one model in a host with the same attachment.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct HostCards {
    /// The GPU's name in the catalogue.
    pub(crate) model: String,
    /// The place of the name.
    pub(crate) spot: Spot,
    pub(crate) count: u32,
    /// The NUMA node that the cards are attached to.
    pub(crate) numa_node: Option<u32>,
    /// Cards of one group are joined by NVLink.
    pub(crate) nvlink_group: Option<u32>,
    /// The power limit that they are set to, with its place; nothing for the one they are shipped with.
    pub(crate) power_limit: Option<(Power, Spot)>,
    /// How each is attached to the host.
    pub(crate) link: HostLink,
}

/// A workload's file.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadFile {
    pub(crate) spec: Workload,
    /// The server preset it usually runs under.
    pub(crate) usual_preset: String,
}

/// Most cards, and most logical processors, of a host.
pub(crate) const CARDS_MAX: u32 = 4096;
pub(crate) const PROCESSORS_MAX: u32 = 1 << 20;

/// What a host has of GPUs, in a message.
pub(super) const OF_GPUS: &str =
    "write gpus = { model = \"a100-pcie-40gb\", count = 3 }, or a list of such tables";

/// Most entries in a list of a host's cards.
pub(crate) const CARD_GROUPS_MAX: usize = 16;

/// Reads `{ model = "a100-pcie-40gb", count = 3 }`, `"a30"` for one card, or a list of these; `sources` are
/// those of the file that describes the host.
pub(crate) fn gpus_of(value: &Value<'_>, sources: &Sources) -> Option<Vec<HostCards>> {
    if !value.is_array() {
        return Some(vec![cards_of(value, sources)?]);
    }
    const ALIKE: &str = "write cards of one model as one entry: { model = \"a30\", count = 17 }";
    let items = value.items_or(CARD_GROUPS_MAX, Some(ALIKE))?;
    let read: Vec<_> = items.iter().map(|item| (item, cards_of(item, sources))).collect();
    let alike = links_are_alike(&read);
    let cards: Vec<HostCards> = read.into_iter().filter_map(|(_, cards)| cards).collect();
    if cards.len() < items.len() || !alike {
        return None;
    }
    let all: u32 = cards.iter().map(|cards| cards.count).sum();
    if all > CARDS_MAX {
        let diagnostic = value.wrong(format!("has {all} cards")).label("out of range");
        value.report(diagnostic.allowed(format!("1 to {CARDS_MAX} cards in all")));
        return None;
    }
    Some(cards)
}

/// Whether entries behind one PCIe switch say one speed of its link; reports those that do not.
fn links_are_alike(entries: &[(&Value<'_>, Option<HostCards>)]) -> bool {
    let mut switches: BTreeMap<u32, Option<Bandwidth>> = BTreeMap::new();
    let mut alike = true;
    for (item, cards) in entries {
        let Some(HostCards { link, .. }) = cards else { continue };
        let Some(switch) = link.switch else { continue };
        let own = link.pcie_bandwidth.as_ref().map(|fact| fact.value);
        if *switches.entry(switch).or_insert(own) != own {
            let title = format!("cards behind PCIe switch {switch} have links of different speed");
            let help = "all of them share the link of the switch: write the same pcie_bandwidth, \
                or another pcie_switch";
            item.report(Diagnostic::at(&item.spot(), title).help(help));
            alike = false;
        }
    }
    alike
}

fn cards_of(value: &Value<'_>, sources: &Sources) -> Option<HostCards> {
    if value.is_text() {
        let (model, spot) = (value.text()?.to_string(), value.spot());
        return Some(HostCards {
            model,
            spot,
            count: 1,
            numa_node: None,
            nvlink_group: None,
            power_limit: None,
            link: HostLink::default(),
        });
    }
    let mut table = value.table()?;
    let model = table.need("model", "name a GPU of the catalogue");
    let model = model.and_then(|value| Some((value.text()?.to_string(), value.spot())));
    let count = table.need("count", "state how many cards the host has");
    let count = count.and_then(|value| card_count(&value, CARDS_MAX));
    let mut number = |key: &str, most: u32| {
        if_stated(&mut table, key, |table| table.get(key)?.count(0..=most, ""))
    };
    let (numa_node, nvlink_group) =
        (number("numa_node", NUMA_NODE_MAX), number("nvlink_group", CARDS_MAX - 1));
    let switch = number("pcie_switch", CARDS_MAX - 1);
    let rises = |low: &Bandwidth, high: &Bandwidth| low.get() <= high.get();
    let link = table.has("pcie_bandwidth").then(|| {
        fact_in_range(&mut table, sources, "pcie_bandwidth", |value| value.quantity(), rises)
    });
    let of_boards = |limit: &Power| (10.0..=10_000.0).contains(&limit.watts());
    let power_limit = if_stated(&mut table, "power_limit", |table| {
        let value = table.get("power_limit")?;
        Some((value.bounded(of_boards, "10 W to 10 kW")?, value.spot()))
    });
    table.finish();
    let (model, spot) = model?;
    let (numa_node, nvlink_group) = (numa_node?, nvlink_group?);
    let power_limit = power_limit?;
    let link = HostLink {
        switch: switch?,
        pcie_bandwidth: link.map_or(Some(None), |link| link.map(Some))?,
    };
    Some(HostCards { model, spot, count: count?, numa_node, nvlink_group, power_limit, link })
}

/// The highest number of a NUMA node.
pub(crate) const NUMA_NODE_MAX: u32 = 255;

/// Reads `hypervisors/<id>.toml`.
pub(crate) fn hypervisor(id: &str, mut file: Reader<'_>) -> Option<Hypervisor> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let virtual_gpus = file
        .need("virtual_gpus", "write true or false: whether guests see GPUs through vGPU types");
    let virtual_gpus = virtual_gpus.and_then(|value| value.flag());
    let is_stated = file.has("gpu_speed");
    let given = file.get("gpu_speed_range");
    let gpu_speed = match given.as_ref().filter(|_| !is_stated) {
        // A range alone says where the speed is: in the middle of it, on the scale of ratios.
        Some(value) => middle_of(value).map(|speed| Fact::assumed(speed, OF_RANGE)),
        None => fact_or(&mut file, &sources, "gpu_speed", speed, (GPU_SPEED, OF_PAIRS)),
    };
    let range = match given {
        Some(value) => Some(speed_range(&value, gpu_speed.as_ref())),
        None => (!is_stated).then_some(Some(GPU_SPEEDS.map(|end| end / GPU_SPEED))),
    };
    let latency = (SUBMISSION_LATENCY, "assumed: as vSphere 7.0 U2 in the catalogue");
    let submission_latency =
        fact_or(&mut file, &sources, "submission_latency", |value| value.quantity(), latency);
    let of_cpu = (CPU_SPEED, "assumed: a few percent for nested page tables and exits");
    let cpu_speed = fact_or(&mut file, &sources, "cpu_speed", speed, of_cpu);
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

/// What is assumed of a hypervisor without measured pairs of its own: the median, and the 5th and the 95th
/// percentile, of virtual over bare metal net of the scatter between machines.
const GPU_SPEED: f64 = 0.983;
const GPU_SPEEDS: [f64; 2] = [0.95, 1.045];
/// Where these are from.
const OF_PAIRS: &str = "assumed, since there are no pairs of its own: a summary of 20 published \
    Offline pairs, 2020 to 2024, in which machines and tuning differ as well; 5th to 95th \
    percentile 0.95 to 1.045";
/// What else is assumed of a hypervisor that says nothing.
const SUBMISSION_LATENCY: SimDuration = SimDuration::from_micros(20);
const CPU_SPEED: f64 = 0.97;

/// What is said of a speed that a range alone gives.
const OF_RANGE: &str = "assumed: the middle of `gpu_speed_range`";

fn middle_of(value: &Value<'_>) -> Option<f64> {
    let ends: Vec<f64> = value.items(2)?.iter().map(speed).collect::<Option<_>>()?;
    match ends[..] {
        [low, high] => Some((low * high).sqrt()),
        _ => {
            value.report(value.wrong("has one end").allowed("[least, greatest]"));
            None
        }
    }
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
            let diagnostic = value.wrong("is not an interval around `gpu_speed`");
            value.report(diagnostic.allowed("[least, greatest], with gpu_speed between them"));
            None
        }
    }
}

/// Reads `workloads/<id>.toml`, or the same keys of a scenario.
pub(crate) fn workload(id: &str, mut file: Reader<'_>) -> Option<WorkloadFile> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let preset = file.need("usual_preset", "name the preset it usually runs under");
    let preset = preset.and_then(|value| {
        value.choice("preset", &PRESETS.map(|preset| (preset.name, preset.name)))
    });
    let benchmark = file.get("benchmark").and_then(|value| rounds::benchmark(&value));
    let precision = if_stated(&mut file, "precision", |file| {
        file.get("precision")?.choice("precision", &Precision::ALL)
    });
    let target_latency = fact(&mut file, &sources, "target_latency", some_time);
    let absent = Fact::assumed(SizeDistribution::Fixed, ALIKE);
    let sizes = or_assumed(&mut file, "sizes", absent, |file| {
        spread_fact(file, &sources, "sizes", plain_sizes, sizes)
    });
    let weights = fact(&mut file, &sources, "weights", |value| value.quantity());
    let mut bytes = |key| {
        fact_or(&mut file, &sources, key, |value| value.quantity(), (Bytes::ZERO, NOT_STATED))
    };
    let workspace_per_sample = bytes("workspace_per_sample");
    let (input_per_sample, output_per_sample) =
        (bytes("input_per_sample"), bytes("output_per_sample"));
    let once = |value: &Value<'_>| {
        value.number(|once| (0.0..=100.0).contains(&once), "0 to 100, in samples of a full batch")
    };
    let (once, usual) = ((once, f64::le), usual_energy_once());
    let energy_once = fact_in_range_or(&mut file, &sources, "energy_once", once, usual);
    let cpu = match file.get("cpu") {
        Some(value) if has_passport(&value) => {
            let none = |_: &Value<'_>| None;
            spread_fact(&mut file, &sources, "cpu", none, cpu_times).and_then(alike)
        }
        Some(value) => value.table().and_then(|table| cpu_work(table, &sources)),
        None => {
            file.fallback("cpu", || ValueOrigin::default(NOT_STATED));
            cpu_by_key(|_| Some(Fact::assumed(SimDuration::ZERO, NOT_STATED)))
        }
    };
    let service = need_table(&mut file, "service").map(|mut table| {
        let gpus = table.entries().into_iter();
        let read =
            |(gpu, value): (_, Value<'_>)| Some((gpu, service_time(value.table()?, &sources)?));
        gpus.map(read).collect::<Vec<_>>().into_iter().collect::<Option<_>>()
    });
    file.finish();
    let spec = Workload {
        id: id.to_string(),
        name: name?,
        benchmark,
        precision: precision?,
        target_latency: target_latency?,
        sizes: sizes?,
        weights: weights?,
        workspace_per_sample: workspace_per_sample?,
        input_per_sample: input_per_sample?,
        output_per_sample: output_per_sample?,
        energy_once: energy_once?,
        cpu: cpu?,
        service: service??,
    };
    Some(WorkloadFile { spec, usual_preset: preset?.to_string() })
}

/// What is assumed of a workload that says nothing.
const NOT_STATED: &str = "assumed: nothing, as the workload's file does not state it";
const ALIKE: &str = "assumed: all samples are alike, as the workload's file does not state it";

/// What of a workload's CPU work every file may say.
const CPU_KEYS: [&str; 5] = [
    "launch_per_batch",
    "queue_per_batch",
    "launch_per_sample",
    "finish_per_batch",
    "finish_per_sample",
];

/// CPU work, each of its keys by itself; nothing of Triton's.
fn cpu_by_key(time: impl FnMut(&'static str) -> Option<Fact<SimDuration>>) -> Option<CpuWork> {
    let [launch, queue, launch_per_sample, finish, finish_per_sample] = CPU_KEYS.map(time);
    Some(CpuWork {
        launch_per_batch: launch?,
        queue_per_batch: queue?,
        triton_per_batch: None,
        launch_per_sample: launch_per_sample?,
        finish_per_batch: finish?,
        finish_per_sample: finish_per_sample?,
    })
}

/// `value = { launch_per_batch = "0.3 ms", ... }`: one source for all of it.
fn cpu_times(table: &mut Reader<'_>) -> Option<BTreeMap<&'static str, SimDuration>> {
    let value = table.need("value", "write the times: { launch_per_batch = \"0.3 ms\" }")?;
    let mut times = value.table()?;
    let read = CPU_KEYS.map(|key| match times.get(key) {
        Some(time) => Some((key, time.quantity()?)),
        None => Some((key, SimDuration::ZERO)),
    });
    times.finish();
    read.into_iter().collect()
}

/// The times of a fact, each with its source.
fn alike(times: Fact<BTreeMap<&'static str, SimDuration>>) -> Option<CpuWork> {
    let Fact { value, source, standing, fitted_on, residual, .. } = times;
    cpu_by_key(|key| {
        let (source, fitted_on) = (source.clone(), fitted_on.clone());
        Some(Fact { value: value[key], source, standing, fitted_on, residual, range: None })
    })
}

fn cpu_work(mut table: Reader<'_>, sources: &Sources) -> Option<CpuWork> {
    let cpu = cpu_by_key(|key| match key {
        "launch_per_batch" | "queue_per_batch" => time_in_range(&mut table, sources, key),
        _ => {
            let absent = (SimDuration::ZERO, NOT_STATED);
            fact_or(&mut table, sources, key, |value| value.quantity(), absent)
        }
    });
    let triton = if_stated(&mut table, "triton_per_batch", |table| {
        time_in_range(table, sources, "triton_per_batch")
    });
    table.finish();
    Some(CpuWork { triton_per_batch: triton?, ..cpu? })
}

fn service_time(mut table: Reader<'_>, sources: &Sources) -> Option<ServiceTime> {
    let launch = time_in_range(&mut table, sources, "launch");
    let host_floor = time_in_range(&mut table, sources, "host_floor");
    let absent = Fact::assumed(PhiTable::constant(Share::WHOLE), "assumed: batches fill the GPU");
    let of_phi = (phi_table, PhiTable::is_below);
    let phi = fact_in_range_or(&mut table, sources, "phi", of_phi, absent);
    let phi_limit = if_stated(&mut table, "phi_limit", |table| {
        fact_in_range(table, sources, "phi_limit", of_phi.0, of_phi.1)
    });
    let absent = Fact::assumed(Share::NONE, "assumed: batches of one size are alike");
    let spread = fact_in_range_or(&mut table, sources, "spread", OF_SHARES, absent);
    let slice = if_stated(&mut table, "slice", |table| slice_law(table.table("slice")?, sources));
    let work = fact(&mut table, sources, "work", work_table);
    let boost = fact_if_stated(&mut table, sources, "boost", boost);
    let machines = fact_if_stated(&mut table, sources, "machines", machines);
    let watts = watts(&mut table, sources, "watts_per_sm");
    let alternatives = alternatives(&mut table);
    table.finish();
    Some(ServiceTime {
        launch: launch?,
        host_floor: host_floor?,
        phi: phi?,
        phi_limit: phi_limit?,
        spread: spread?,
        slice: slice?,
        work: work?,
        boost: boost?.unwrap_or_else(no_boost),
        watts_per_sm: watts?,
        machines: machines?,
        alternatives: alternatives?,
        scaled: None,
    })
}

/// How a share is read, and that of a range of shares the first is not above the second.
type OfShares = (fn(&Value<'_>) -> Option<Share>, fn(&Share, &Share) -> bool);
const OF_SHARES: OfShares = (|value| value.quantity(), Share::le);

/// Watts for each SM, which a file may leave out.
fn watts(table: &mut Reader<'_>, sources: &Sources, key: &str) -> Option<Option<Fact<f64>>> {
    let read = |value: &Value<'_>| {
        value.number(|watts| watts > 0.0 && watts <= 100.0, "above 0, at most 100 W per SM")
    };
    if_stated(table, key, |table| fact_in_range(table, sources, key, read, f64::le))
}

/// `[service.<gpu>.slice]`: what a GPU instance makes of batches.
fn slice_law(mut table: Reader<'_>, sources: &Sources) -> Option<SliceLaw> {
    let launch = if_stated(&mut table, "launch", |table| time_in_range(table, sources, "launch"));
    let weight_read = time_in_range(&mut table, sources, "weight_read");
    let stretch = |value: &Value<'_>| {
        value.number(
            |phi| (0.0..=1.2).contains(&phi),
            "0 to 1.2: above 1, a slice is slower than its SMs suggest",
        )
    };
    let phi = fact_in_range(&mut table, sources, "phi", stretch, f64::le);
    let absent = Fact::assumed(Share::NONE, "assumed: work scales with the SMs");
    let bandwidth = fact_in_range_or(&mut table, sources, "bandwidth", OF_SHARES, absent);
    let neighbour_watts_per_sm = watts(&mut table, sources, "neighbour_watts_per_sm");
    table.finish();
    Some(SliceLaw {
        launch: launch?,
        weight_read: weight_read?,
        phi: phi?,
        bandwidth: bandwidth?,
        neighbour_watts_per_sm: neighbour_watts_per_sm?,
    })
}

/// A time that nothing may have measured, and that a file may leave out.
fn time_in_range(
    table: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
) -> Option<Fact<SimDuration>> {
    let rule = (|value: &Value<'_>| value.quantity(), SimDuration::le);
    fact_in_range_or(table, sources, key, rule, Fact::assumed(SimDuration::ZERO, NOT_STATED))
}

/// How much the work differs between machines with the same GPU model.
pub(crate) fn machines(value: &Value<'_>) -> Option<Share> {
    value.bounded(|differ: &Share| differ.get() <= 0.2, "0 to 20 %, between machines")
}

fn boost(value: &Value<'_>) -> Option<f64> {
    value.number(|boost| (1.0..=2.0).contains(&boost), "1 to 2, over the clock without pauses")
}

/// The boost of work that does not reach the power limit.
pub(crate) fn no_boost() -> Fact<f64> {
    Fact::assumed(1.0, "assumed: this work does not reach the card's power limit")
}

/// Most sets of fitted numbers beside the best.
pub(crate) const ALTERNATIVES_MAX: usize = 16;

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
    const HELP: &str = "an alternative is a complete set: launch, work, phi and the others depend \
        on each other";
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
                    .wrong(format!("is at the key {}", quoted(&batch)))
                    .allowed("batch sizes as keys, from 1"),
            );
        }
        Some((size?, read(&entry)?))
    });
    let mut points: Vec<_> = points.collect();
    points.sort_by_key(|(size, _)| *size);
    (points.len() == count).then_some(points)
}

/// `sizes = "fixed"`, or `{ distribution = "lognormal", sigma = 0.385 }`.
fn plain_sizes(value: &Value<'_>) -> Option<SizeDistribution> {
    if !value.is_table() {
        return value.choice("distribution", &SIZES);
    }
    let mut table = value.table()?;
    let law = sizes(&mut table);
    table.finish();
    law
}

/// Laws that need no number of their own, beside the lognormal.
const SIZES: [(&str, SizeDistribution); 2] =
    [("fixed", SizeDistribution::Fixed), ("exponential", SizeDistribution::Exponential)];

/// `distribution = "lognormal"`, `sigma = 0.385` among the keys of the fact itself.
pub(crate) fn sizes(table: &mut Reader<'_>) -> Option<SizeDistribution> {
    const WORDS: [(&str, SizeDistribution); 3] = [
        ("fixed", SizeDistribution::Fixed),
        ("lognormal", SizeDistribution::LogNormal { sigma: 1.0 }),
        ("exponential", SizeDistribution::Exponential),
    ];
    let word = table.need("distribution", "name the distribution of the relative sizes");
    let law = word.and_then(|value| value.choice("distribution", &WORDS))?;
    let SizeDistribution::LogNormal { .. } = law else { return Some(law) };
    let sigma = table.need("sigma", "write the standard deviation of ln(size)")?;
    let sigma = sigma.number(|sigma| sigma > 0.0 && sigma <= 3.0, "above 0, at most 3")?;
    Some(SizeDistribution::LogNormal { sigma })
}

pub(crate) fn above_zero(value: &Value<'_>) -> Option<Bytes> {
    value.bounded(|bytes| *bytes > Bytes::ZERO, "above 0")
}

fn some_time(value: &Value<'_>) -> Option<SimDuration> {
    value.bounded(|span| *span > SimDuration::ZERO, "above 0")
}

fn speed(value: &Value<'_>) -> Option<f64> {
    value.number(|speed| (0.01..=2.0).contains(&speed), "0.01 to 2, relative to bare metal")
}
