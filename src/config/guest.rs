//! One `[[vm]]`: what it has, what it answers, and who asks.
//!
//! Rules between VMs, and between a VM and the machine, are in `rules`.

use super::catalogue::Catalogue;
use super::diagnostic::Spot;
use super::entries::{CARDS_MAX, WorkloadFile};
use super::machine::{Machine, find};
use super::reader::Reader;
use super::settings::{load_defaults, read_load, read_server};
use super::value::Value;
use crate::spec::{LoadSpec, PRESETS, ServerSpec, TestScenario, VgpuType, VmSpec};
use crate::units::{Bytes, SimDuration, SimTime};

/// Most vCPUs that any hypervisor gives a VM.
pub(super) const VCPUS_MAX: u32 = 4096;

/// The scenarios a file can ask for.
const SCENARIOS: [(&str, TestScenario); 3] = [
    ("server", TestScenario::Server),
    ("offline", TestScenario::Offline),
    ("singlestream", TestScenario::SingleStream),
];

/// A VM that has not got its cards yet, and the places that its rules point to.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// The VM; `gpus` is empty until it is placed.
    pub(super) vm: VmSpec,
    pub(super) memory: Option<Bytes>,
    /// How many cards it takes.
    pub(super) cards: u32,
    /// The vGPU type it sees them through; nothing for whole cards.
    pub(super) vgpu: Option<VgpuType>,
    pub(super) spots: Spots,
}

/// Where the settings stand that a rule may refuse; the VM itself for those that are defaults.
#[derive(Clone, Debug)]
pub(super) struct Spots {
    pub(super) name: Spot,
    pub(super) vcpus: Spot,
    pub(super) memory: Spot,
    pub(super) cards: Spot,
    pub(super) workload: Spot,
    pub(super) batch_max: Spot,
    pub(super) streams: Spot,
    pub(super) rate: Spot,
}

/// What reading a VM needs to know about the rest of the file.
pub(super) struct Surroundings<'c> {
    pub(super) catalogue: &'c Catalogue,
    /// Nothing when the machine itself is faulty: then its rules rest.
    pub(super) machine: Option<&'c Machine>,
}

/// Reads the VM with this number, counted from 1.
pub(super) fn read(
    mut table: Reader<'_>,
    number: usize,
    around: &Surroundings<'_>,
) -> Option<Guest> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("vm-{number}")), |value| value.text().map(str::to_string));
    let vcpus = read_vcpus(&mut table, around);
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let gpus = read_gpus(&mut table, around);
    let workload =
        table.need("workload", "name a workload of the catalogue, such as workload = \"bert-99\"");
    let workload = workload.and_then(|value| find(&value, "workload", &around.catalogue.workloads));
    let (server, [batch_spot, streams_spot]) = server(&mut table, workload);
    let (load, rate_spot) = load(&mut table, workload);
    let spots = Spots {
        name: table.spot_of("name"),
        vcpus: table.spot_of("vcpus"),
        memory: table.spot_of("memory"),
        cards: table.spot_of(if table.has("vgpu") { "vgpu" } else { "gpus" }),
        workload: table.spot_of("workload"),
        batch_max: batch_spot,
        streams: streams_spot,
        rate: rate_spot,
    };
    table.finish();
    let (cards, vgpu) = gpus?;
    let workload = workload?.spec.clone();
    let name = name?;
    let vm = VmSpec {
        group: name.clone(),
        name,
        vcpus: vcpus?,
        gpus: Vec::new(),
        workload,
        server,
        load: load?,
        power_on: SimTime::ZERO,
        power_off: None,
    };
    let memory = match memory {
        Some(memory) => Some(memory?),
        None => None,
    };
    Some(Guest { vm, memory, cards, vgpu, spots })
}

fn read_vcpus(table: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<u32> {
    let machine = around.machine;
    let all = machine.map_or(VCPUS_MAX, |machine| machine.host.logical_processors.value);
    let of_the_host =
        machine.map_or(String::new(), |_| format!(", of the host's {all} logical processors"));
    let virtual_gpus = machine.is_some_and(|machine| machine.hypervisor.virtual_gpus);
    let help = format!("say how many the VM gets{of_the_host}, such as vcpus = 24");
    let value = if virtual_gpus { table.need("vcpus", &help) } else { table.get("vcpus") };
    match value {
        Some(value) => value.count(1..=VCPUS_MAX, &format!(" vCPUs{of_the_host}")),
        None => (!virtual_gpus).then_some(all),
    }
}

/// `vgpu = { type = "A100-40C", count = 3 }`, or `gpus = 3`, or on bare metal all there are.
fn read_gpus(table: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<(u32, Option<VgpuType>)> {
    let (vgpu, gpus) = (table.get("vgpu"), table.get("gpus"));
    let whole = gpus.as_ref().map(|value| value.count(1..=CARDS_MAX, " cards"));
    match (vgpu, whole, around.machine) {
        (Some(vgpu), Some(_), _) => {
            vgpu.report(
                vgpu.wrong("stands beside `gpus`")
                    .help("drop one: vGPUs, or whole cards passed through"),
            );
            None
        }
        (Some(vgpu), None, machine) => read_vgpu(&vgpu, machine),
        (None, Some(whole), _) => Some((whole?, None)),
        (None, None, None) => None,
        (None, None, Some(machine)) if machine.hypervisor.virtual_gpus => {
            let title = "the VM has no GPU";
            let example =
                machine.gpu.spec.vgpu_types.first().map_or("A100-40C", |vgpu| vgpu.name.as_str());
            let help = format!(
                "write vgpu = {{ type = \"{example}\", count = 1 }}, or gpus = 1 for whole cards"
            );
            table.report(super::Diagnostic::at(&table.spot(), title).help(help));
            None
        }
        (None, None, Some(machine)) => Some((machine.cards, None)),
    }
}

fn read_vgpu(value: &Value<'_>, machine: Option<&Machine>) -> Option<(u32, Option<VgpuType>)> {
    let mut table = value.table()?;
    let name = table.need("type", "name a vGPU type, such as type = \"A100-40C\"");
    let count = table.get("count").map_or(Some(1), |value| value.count(1..=CARDS_MAX, " vGPUs"));
    table.finish();
    let (name, machine) = (name?, machine?);
    if !machine.hypervisor.virtual_gpus {
        let diagnostic =
            value.wrong(format!("needs a hypervisor; {} has no vGPUs", machine.hypervisor.id));
        value.report(diagnostic.help("write gpus = 1 for whole cards, or set `hypervisor`"));
        return None;
    }
    let word = name.text()?;
    let types = &machine.gpu.spec.vgpu_types;
    let found = types.iter().find(|vgpu| vgpu.name == word);
    if found.is_none() {
        let diagnostic = super::Diagnostic::at(
            &name.spot(),
            format!("unknown vGPU type {}", super::suggest::quoted(word)),
        );
        let diagnostic =
            diagnostic.label(format!("not offered by GPU \"{}\"", machine.gpu.spec.id));
        let names: Vec<&str> = types.iter().map(|vgpu| vgpu.name.as_str()).collect();
        let diagnostic = match names.is_empty() {
            true => diagnostic.allowed("none: the catalogue knows no vGPU types of this GPU"),
            false => {
                diagnostic.allowed(names.join(", ")).note("source", machine.gpu.vgpu_source.clone())
            }
        };
        name.report(diagnostic.did_you_mean(super::suggest::nearest(word, &names)));
    }
    Some((count?, Some(found?.clone())))
}

/// The server's settings: the preset's, then what `[vm.server]` says; and where batch and streams are set.
fn server(table: &mut Reader<'_>, workload: Option<&WorkloadFile>) -> (ServerSpec, [Spot; 2]) {
    let usual = workload.map_or(PRESETS[0].name, |workload| workload.usual_preset.as_str());
    let make =
        |name: &str| PRESETS.iter().find(|preset| preset.name == name).unwrap_or(&PRESETS[0]).make;
    let Some(mut table) = table.table("server") else {
        return (make(usual)(), [table.spot(), table.spot()]);
    };
    let presets = PRESETS.map(|preset| (preset.name, preset.name));
    let preset = table.get("preset").and_then(|value| value.choice("preset", &presets));
    let mut server = make(preset.unwrap_or(usual))();
    read_server(&mut table, &mut server);
    let spots = server_spots(&table);
    table.finish();
    (server, spots)
}

/// Where rules about the batch, and about the streams, point to.
pub(super) fn server_spots(table: &Reader<'_>) -> [Spot; 2] {
    let streams = if table.has("slots") { "slots" } else { "streams" };
    [table.spot_of("batch_max"), table.spot_of(streams)]
}

/// The load; and where its rate is set.
fn load(table: &mut Reader<'_>, workload: Option<&WorkloadFile>) -> (Option<LoadSpec>, Spot) {
    let header = table.spot();
    let help = "write [vm.load] with scenario = \"server\" and target_qps";
    let Some(mut table) = table.need("load", help).and_then(|value| value.table()) else {
        return (None, header);
    };
    let known = SCENARIOS.map(|(word, _)| word).join(", ");
    let scenario = table.need("scenario", &format!("name the MLPerf scenario: {known}"));
    let scenario = scenario.and_then(|value| value.choice("scenario", &SCENARIOS));
    let bound = workload
        .map_or(SimDuration::from_millis(100), |workload| workload.spec.target_latency.value);
    // With an unknown scenario the keys are still looked at, by the rules of the one that has all.
    let mut load = load_defaults(scenario.unwrap_or(TestScenario::Server), bound);
    if scenario.is_some_and(|scenario| scenario != TestScenario::SingleStream) {
        table.need(
            "target_qps",
            "say how many queries (Offline: samples) per second, such as target_qps = 3600",
        );
    }
    read_load(&mut table, &mut load);
    let spot = table.spot_of("target_qps");
    table.finish();
    (scenario.map(|_| load), spot)
}
