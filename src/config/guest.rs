//! One `[[vm]]`: what it has, what it answers, and who asks.
//!
//! Rules between VMs, and between a VM and the machine, are in `rules`.

use super::answers::Said;
use super::cards::{Holding, Kind};
use super::catalogue::Catalogue;
use super::choice::{Choice, Held};
use super::diagnostic::{Diagnostic, Spot};
use super::entries::{CARDS_MAX, WorkloadFile};
use super::machine::{Machine, Model};
use super::pins::{self, Pins};
use super::processes;
use super::reader::Reader;
use super::scaled;
use super::served;
use super::settings::{
    MULTISTREAM_SAMPLES, RATES, is_rate, load_defaults, read_load, read_round, read_rules,
    read_server,
};
use super::suggest::{nearest, quoted};
use super::triton::{self, FromFile};
use super::value::Value;
use super::words;
use crate::spec::names::{self, find_profile, find_type};
use crate::spec::{
    Arrivals, Footprint, GpuSpec, LoadSpec, MigProfile, PRESETS, Rules, ServerSpec, TestScenario,
    VgpuType, VmSpec, Workload,
};
use crate::units::{Bytes, SimDuration, SimTime};
use std::collections::BTreeSet;
use std::path::Path;

/// Most vCPUs that any hypervisor gives a VM.
pub(super) const VCPUS_MAX: u32 = 4096;

/// Most VMs alike.
pub(super) const COPIES_MAX: u32 = 64;
/// No VM is powered on or off later: a day.
pub(super) const POWER_MAX: SimDuration = SimDuration::from_secs(86_400);

/// The scenarios a file can ask for.
pub(super) const SCENARIOS: [(&str, TestScenario); 5] = [
    ("server", TestScenario::Server),
    ("offline", TestScenario::Offline),
    ("singlestream", TestScenario::SingleStream),
    ("multistream", TestScenario::MultiStream { samples: MULTISTREAM_SAMPLES }),
    ("closed-loop", TestScenario::ClosedLoop { clients: 1, think_time: SimDuration::ZERO }),
];

/// A VM that has not got its cards yet, and the places that its rules point to.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// The VM; `gpus` is empty until it is placed.
    pub(super) vm: VmSpec,
    pub(super) memory: Option<Bytes>,
    /// How many cards, vGPUs or GPU instances it takes.
    pub(super) cards: u32,
    /// What it has of each.
    pub(super) holding: Holding,
    /// The model of each of its cards, by place in the machine, those of all copies one after the other.
    pub(super) models: Vec<usize>,
    /// Which card each is on, where the file says it.
    pub(super) pins: Option<Pins>,
    /// How many there are of this VM, numbered; nothing for one that keeps its name.
    pub(super) copies: Option<u32>,
    pub(super) spots: Spots,
    /// The name of `vm` among the models of its server; nothing for the only one.
    pub(super) model: Option<String>,
    /// The further models of its server, of which `vm` is the first.
    pub(super) others: Vec<Served>,
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

/// A further model of a guest's server, or what its guest's `vm` is to the first.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) name: String,
    pub(super) vm: VmSpec,
    pub(super) spots: Spots,
}

impl Guest {
    /// At which memory slice each of its GPU instances begins, where the file says it.
    pub(super) fn starts(&self) -> Vec<Option<u32>> {
        let none = || vec![None; self.cards as usize];
        self.pins.as_ref().map_or_else(none, |pins| pins.starts(self.cards))
    }

    /// The guest as each of its models: itself where there is one.
    pub(super) fn by_model(&self) -> Vec<Guest> {
        let Some(model) = &self.model else { return vec![self.clone()] };
        let one = |vm: &VmSpec, model: &str, spots: &Spots| {
            let name = |of: &str| format!("{of}/{model}");
            let vm =
                VmSpec { name: name(&self.vm.name), group: name(&self.vm.group), ..vm.clone() };
            Guest { vm, spots: spots.clone(), model: None, others: Vec::new(), ..self.clone() }
        };
        let first = one(&self.vm, model, &self.spots);
        let others = self.others.iter().map(|other| one(&other.vm, &other.name, &other.spots));
        std::iter::once(first).chain(others).collect()
    }

    /// What its server needs of GPU memory on each of its GPUs, all models together.
    pub(super) fn footprint(&self) -> Bytes {
        let others = self.others.iter().map(|other| &other.vm);
        let models = std::iter::once(&self.vm).chain(others).filter(|vm| !vm.is_ensemble());
        let needs = models.map(|vm| Footprint::of(vm).need);
        needs.fold(Bytes::ZERO, |sum, need| sum + need)
    }

    /// Whether it shares its card with other processes.
    pub(super) fn is_process(&self) -> bool {
        matches!(self.holding, Holding::Process(_))
    }
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
    table.silent("name", || Said::default("by its number"));
    let copies = table.get("count").map(|value| value.count(1..=COPIES_MAX, " VMs"));
    let vcpus = read_vcpus(&mut table, around);
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let choice = around.machine.map(|machine| Choice::read(&mut table, machine, around.catalogue));
    if choice.is_none() {
        let _ = table.get("gpu");
    }
    let choice = choice.flatten();
    let gpus = read_holding(&mut table, choice.as_ref());
    let all_copies = copies.flatten().unwrap_or(1);
    let pins = read_pins(&mut table, around, gpus.as_ref(), all_copies);
    let power = read_power(&mut table);
    let held = gpus.as_ref().map(|held| held.cards);
    let served = served::read(&mut table, around.catalogue, held, all_copies);
    let spots = Spots {
        name: table.spot_of("name"),
        vcpus: table.spot_of("vcpus"),
        memory: table.spot_of("memory"),
        cards: table.spot_of(HOLDINGS.into_iter().find(|key| table.has(key)).unwrap_or("gpus")),
        workload: table.spot(),
        batch_max: table.spot(),
        streams: table.spot(),
        rate: table.spot(),
    };
    let models = match (&choice, &gpus, &pins) {
        (Some(choice), Some(held), Some(pins)) => {
            choice.settle(held, pins.as_ref(), all_copies, (&table, &spots.cards))
        }
        _ => None,
    };
    let scaled_from = table.get("scaled_from");
    table.finish();
    let Held { cards, holding, .. } = gpus?;
    let (power_on, power_off) = power?;
    let copies = match copies {
        Some(copies) => Some(copies?),
        None => None,
    };
    let mut served = served?;
    if let (Some(value), Some(models), Some(machine)) = (&scaled_from, &models, around.machine) {
        let models: BTreeSet<usize> = models.iter().copied().collect();
        for one in &mut served {
            let gpus = models.iter().map(|model| &machine.models[*model].gpu.spec);
            scaled::add(&mut one.workload, gpus, value, around.catalogue)?;
        }
    }
    let (name, vcpus) = (name?, vcpus?);
    let made = served.into_iter().map(|one| {
        let vm = VmSpec {
            group: name.clone(),
            name: name.clone(),
            vcpus,
            gpus: Vec::new(),
            workload: one.workload,
            server: one.server,
            load: one.load,
            power_on,
            power_off,
            server_of: None,
            steps: one.steps,
        };
        let [workload, batch_max, streams, rate] = one.spots;
        (one.name, vm, Spots { workload, batch_max, streams, rate, ..spots.clone() })
    });
    let mut made = made.collect::<Vec<_>>().into_iter();
    let (model, vm, spots) = made.next().expect("at least one model");
    let others = made.filter_map(|(name, vm, spots)| Some(Served { name: name?, vm, spots }));
    let others = others.collect();
    let memory = match memory {
        Some(memory) => Some(memory?),
        None => None,
    };
    let (models, pins) = (models?, pins?);
    Some(Guest { vm, memory, cards, holding, models, pins, copies, spots, model, others })
}

/// Which cards the GPUs of all copies are on, where the file says it.
fn read_pins(
    table: &mut Reader<'_>,
    around: &Surroundings<'_>,
    gpus: Option<&Held>,
    copies: u32,
) -> Option<Option<Pins>> {
    let Some(Held { cards, holding, .. }) = gpus else {
        // What is wrong with the GPUs was told; these keys are no strangers.
        let _ = (table.get("card"), table.get("instance"));
        return Some(None);
    };
    let profile = match holding {
        Holding::Instance(_, Some(vgpu)) if vgpu.shares_instance() => None,
        Holding::Instance(profile, _) => Some(profile),
        Holding::Process(process) => process.within.as_ref(),
        Holding::Whole | Holding::Sliced(_) | Holding::Largest(_) => None,
    };
    let is_whole = matches!(holding, Holding::Whole);
    pins::read(table, cards * copies, around.machine, (profile, is_whole))
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
        None => {
            if let Some(machine) = machine {
                let processors = &machine.host.logical_processors;
                table.silent("vcpus", || Said::fact("host", &machine.host.id, processors));
            }
            (!virtual_gpus).then_some(all)
        }
    }
}

/// The keys that say what a VM has of the cards.
pub(super) const HOLDINGS: [&str; 4] = ["vgpu", "gpus", "mig", "process"];

/// `vgpu = { type = "A100-40C", count = 3 }`, `gpus = 3`, `mig = "1g.5gb"`, `process = "mps"`; on bare metal
/// without any of them all cards there are. `choice` is of cards; without it nothing is known of them.
fn read_holding(table: &mut Reader<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let given = HOLDINGS.map(|key| table.get(key).map(|value| (key, value)));
    let given: Vec<_> = given.into_iter().flatten().collect();
    match (&given[..], choice) {
        ([(first, _), (second, value), ..], _) => {
            let diagnostic = value.wrong(format!("stands beside `{first}`"));
            let help = "drop one: vGPUs, whole cards passed through, GPU instances on bare metal, or processes that share a card";
            value.report(diagnostic.label(format!("`{first}` or `{second}`")).help(help));
            None
        }
        ([("gpus", value)], choice) => {
            let cards = value.count(1..=CARDS_MAX, " cards");
            Some(choice?.whole(cards?))
        }
        ([("vgpu", value)], choice) => read_vgpu(value, choice),
        ([("process", value)], choice) => processes::read(value, choice),
        ([(_, value)], choice) => read_mig(value, choice),
        ([], None) => None,
        ([], Some(choice)) if choice.machine.hypervisor.virtual_gpus => {
            let title = "the VM has no GPU";
            let example = choice.models().find_map(|model| model.gpu.spec.vgpu_types.first());
            let help = format!(
                "write vgpu = {{ type = \"{}\", count = 1 }}, or gpus = 1 for whole cards",
                example.map_or("A100-40C", |vgpu| vgpu.name.as_str())
            );
            table.report(Diagnostic::at(&table.spot(), title).help(help));
            None
        }
        ([], Some(choice)) => {
            table.silent("gpus", || Said::default("all cards there are"));
            Some(choice.all())
        }
    }
}

fn read_vgpu(value: &Value<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let mut table = value.table()?;
    let name = table.need("type", "name a vGPU type, such as type = \"A100-40C\"");
    let count = table.get("count").map_or(Some(1), |value| value.count(1..=CARDS_MAX, " vGPUs"));
    table.finish();
    let (name, choice) = (name?, choice?);
    let machine = choice.machine;
    if !machine.hypervisor.virtual_gpus {
        let diagnostic =
            value.wrong(format!("needs a hypervisor; {} has no vGPUs", machine.hypervisor.id));
        value.report(diagnostic.help("write gpus = 1 for whole cards, or set `hypervisor`"));
        return None;
    }
    let word = name.text()?;
    let largest = [("largest", Kind::Sliced), ("largest-mig", Kind::Backed)];
    if let Some((_, kind)) = largest.iter().find(|(known, _)| *known == word) {
        return largest_of(&name, *kind, count, choice);
    }
    let has = |gpu: &GpuSpec| find_type(gpu, word).is_some();
    let Some(model) = choice.only(&name, has).ok()? else {
        let types = choice.models().flat_map(|model| &model.gpu.spec.vgpu_types);
        let types = types.filter(|vgpu| vgpu.runs_cuda());
        let names = types.map(|vgpu| vgpu.name.as_str()).collect();
        let help = choice.models().find_map(|model| words::type_help(&model.gpu.spec, word));
        let help = choice.elsewhere(has).or(help);
        let source = |model: &Model| model.gpu.vgpu_source.clone();
        not_offered(&name, "vGPU type", choice, names, source, help);
        return None;
    };
    let gpu = &machine.models[model].gpu.spec;
    let vgpu = find_type(gpu, word).map(|kind| &gpu.vgpu_types[kind]);
    let vgpu = vgpu.filter(|vgpu| runs_cuda(&name, vgpu, gpu))?;
    let holding = published(&name, Holding::of_type(gpu, vgpu), gpu)?;
    Some(Held { cards: count?, holding, models: vec![model], has_all: false })
}

/// Whether a workload runs on a type: all of them need CUDA, which desktops and applications have not.
fn runs_cuda(name: &Value<'_>, vgpu: &VgpuType, gpu: &GpuSpec) -> bool {
    let Some(series) = vgpu.series().filter(|series| !series.runs_cuda()) else { return true };
    let types = gpu.vgpu_types.iter();
    let suited: Vec<&VgpuType> = types.filter(|other| other.runs_cuda()).collect();
    let alike = suited.iter().find(|other| other.frame_buffer == vgpu.frame_buffer);
    let title = format!("vGPU type {} runs no CUDA, which every workload needs", vgpu.name);
    let label = format!("the {} series is for {}", series.letter(), series.about());
    let names: Vec<&str> = suited.iter().map(|other| other.name.as_str()).collect();
    let diagnostic = Diagnostic::at(&name.spot(), title).label(label).allowed(names.join(", "));
    let diagnostic = match alike {
        Some(alike) => diagnostic.help(format!(
            "\"{}\" has the same frame buffer (licence {})",
            alike.name,
            alike.series().map_or("of its own", names::Series::licence)
        )),
        None => diagnostic,
    };
    let source = "NVIDIA Virtual GPU Software User Guide 17.6, section 1.3.2; NVIDIA AI Enterprise User Guide v5.0";
    name.report(diagnostic.note("source", source));
    false
}

/// The holding, unless a simulation of it lacks a figure that nobody has published.
pub(super) fn published(name: &Value<'_>, holding: Holding, gpu: &GpuSpec) -> Option<Holding> {
    let Some(figure) = holding.unpublished() else { return Some(holding) };
    let title = format!("the {figure} of {} are not published", holding.in_words(gpu));
    let title = if figure == "SMs" { title } else { title.replace(" are ", " is ") };
    let help = format!(
        "`slicewise mig place` knows where it goes; to simulate it, write its {figure} in a catalogue file of your own (`slicewise show {}`)",
        gpu.id
    );
    name.report(Diagnostic::at(&name.spot(), title).help(help));
    None
}

/// `mig = "1g.5gb"`, or `mig = { profile = "1g.5gb", count = 2 }`.
fn read_mig(value: &Value<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let (name, count) = if value.is_table() {
        let mut table = value.table()?;
        let name = table.need("profile", "name a GPU instance profile, such as \"1g.5gb\"");
        let count = table.get("count");
        let count = count.map_or(Some(1), |value| value.count(1..=CARDS_MAX, " GPU instances"));
        table.finish();
        (name?, count?)
    } else {
        (value.clone(), 1)
    };
    let choice = choice?;
    if choice.machine.hypervisor.virtual_gpus {
        let diagnostic = value.wrong("is for bare metal: a VM sees a GPU instance through a vGPU");
        let types = choice.models().flat_map(|model| &model.gpu.spec.vgpu_types);
        let types = types.filter(|vgpu| vgpu.profile.is_some());
        let types: Vec<&str> = types.map(|vgpu| vgpu.name.as_str()).collect();
        let diagnostic = diagnostic.help("write vgpu with a MIG-backed type");
        value.report(if types.is_empty() {
            diagnostic
        } else {
            diagnostic.allowed(types.join(", "))
        });
        return None;
    }
    let word = name.text()?;
    if word == "largest" {
        return largest_of(&name, Kind::Instance, Some(count), choice);
    }
    let (model, profile) = profile_of(&name, choice)?;
    let gpu = &choice.machine.models[model].gpu.spec;
    let holding = published(&name, Holding::Instance(profile.clone(), None), gpu)?;
    Some(Held { cards: count, holding, models: vec![model], has_all: false })
}

/// The GPU instance profile a value names, and the model that has it; a compute instance is none.
pub(super) fn profile_of<'m>(
    value: &Value<'_>,
    choice: &Choice<'m>,
) -> Option<(usize, &'m MigProfile)> {
    let word = value.text()?;
    let has = |gpu: &GpuSpec| find_profile(&gpu.mig_profiles, word).is_some();
    let Some(model) = choice.only(value, has).ok()? else {
        let profiles = choice.models().flat_map(|model| &model.gpu.spec.mig_profiles);
        let names = profiles.map(|profile| profile.name.as_str()).collect();
        let help = choice.models().find_map(|model| words::profile_help(&model.gpu.spec, word));
        let help = choice.elsewhere(has).or(help);
        let source = |model: &Model| model.gpu.mig_source.clone();
        not_offered(value, "GPU instance profile", choice, names, source, help);
        return None;
    };
    let gpu = &choice.machine.models[model].gpu.spec;
    let part = find_profile(&gpu.mig_profiles, word)?;
    let profile = &gpu.mig_profiles[part.profile];
    if part.compute_slices.is_some_and(|slices| slices != profile.compute_slices) {
        let diagnostic =
            value.wrong("is a compute instance: a GPU instance is simulated as a whole");
        value.report(diagnostic.help(format!("write \"{}\"", profile.name)));
        return None;
    }
    Some((model, profile))
}

/// The largest of a kind, if there is any.
fn largest_of(
    value: &Value<'_>,
    kind: Kind,
    count: Option<u32>,
    choice: &Choice<'_>,
) -> Option<Held> {
    let has = |gpu: &GpuSpec| !kind.candidates(gpu).is_empty();
    let Some(model) = choice.only(value, has).ok()? else {
        let ids: Vec<String> =
            choice.models().map(|model| format!("\"{}\"", model.gpu.spec.id)).collect();
        let what = format!("has nothing to choose from on GPU {}", ids.join(", "));
        let help = choice.elsewhere(has);
        let none = || "the catalogue knows none of this kind: write gpus = 1".to_string();
        value.report(value.wrong(what).help(help.unwrap_or_else(none)));
        return None;
    };
    let holding = Holding::Largest(kind);
    Some(Held { cards: count?, holding, models: vec![model], has_all: false })
}

/// Reports a type or profile that no GPU in question has.
fn not_offered(
    value: &Value<'_>,
    what: &str,
    choice: &Choice<'_>,
    names: Vec<&str>,
    source: impl Fn(&Model) -> String,
    help: Option<String>,
) {
    let Some(word) = value.text() else { return };
    let title = format!("unknown {what} {}", quoted(word));
    let ids: Vec<String> =
        choice.models().map(|model| format!("\"{}\"", model.gpu.spec.id)).collect();
    let label = format!("not offered by GPU {}", ids.join(" or "));
    let diagnostic = Diagnostic::at(&value.spot(), title).label(label);
    let diagnostic = match names.is_empty() {
        true => diagnostic.allowed(format!("none: the catalogue knows no {what}s of this GPU")),
        false => {
            let mut sources: Vec<String> = choice.models().map(source).collect();
            sources.retain(|source| !source.is_empty());
            sources.dedup();
            diagnostic.allowed(names.join(", ")).note("source", sources.join("; "))
        }
    };
    value.report(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic.did_you_mean(nearest(word, &names)),
    });
}

/// When the VM is powered on and, if ever, off.
fn read_power(table: &mut Reader<'_>) -> Option<(SimTime, Option<SimTime>)> {
    let mut instant = |key: &str| match table.get(key) {
        None => Some(None),
        Some(value) => {
            let within = |span: &SimDuration| *span <= POWER_MAX;
            value.bounded(within, "0 to 24 h").map(|span| Some(SimTime::ZERO + span))
        }
    };
    let (on, off) = (instant("power_on"), instant("power_off"));
    let (on, off) = (on?.unwrap_or(SimTime::ZERO), off?);
    if let Some(off) = off.filter(|off| *off <= on) {
        let title = format!("the VM is powered off at {off} and on at {on}");
        let help = "write power_off later than power_on: a VM runs once";
        table.report(Diagnostic::at(&table.spot_of("power_off"), title).help(help));
        return None;
    }
    Some((on, off))
}

/// The server's settings: the preset's, or those of a model's `config.pbtxt`, then what `[vm.server]`
/// says; and where batch and streams are set. `cards` is how many GPUs it has, where that is known.
pub(super) fn server(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    cards: Option<u32>,
    of_repository: Option<(&Value<'_>, &Path)>,
) -> (ServerSpec, [Spot; 2]) {
    let usual = workload.map_or(PRESETS[0].name, |workload| workload.usual_preset.as_str());
    if let Some(workload) = workload {
        table.silent("server.preset", || Said::new("workload", &workload.spec.id));
    }
    let read_own = |(given, path)| triton::read_file(given, path, cards);
    let Some(mut table) = table.table("server") else {
        if let Some(from) = of_repository.and_then(read_own) {
            table.silent("server.*", || Said::new("preset", &from.server.preset));
            for (key, said) in from.said {
                table.silent(&format!("server.{key}"), || said);
            }
            return (from.server, [table.spot(), table.spot()]);
        }
        table.silent("server.*", || Said::new("preset", usual));
        return (preset_of(usual), [table.spot(), table.spot()]);
    };
    let presets = PRESETS.map(|preset| (preset.name, preset.name));
    let preset = table.get("preset");
    let preset = preset.map(|value| (value.choice("preset", &presets).unwrap_or(usual), value));
    let given = table.get("triton_config");
    let from_file = match (&given, of_repository) {
        (Some(given), _) => Some(triton::read(given, cards)),
        (None, Some(own)) => Some(read_own(own)),
        (None, None) => None,
    };
    let mut server = match from_file {
        Some(from) => {
            let from =
                from.unwrap_or_else(|| FromFile { server: preset_of("triton"), said: Vec::new() });
            if let Some((named, value)) = preset.filter(|(named, _)| *named != from.server.preset) {
                let found = value.wrong(format!("is \"{named}\" beside `triton_config`"));
                let help = "drop it: the file says whether there is dynamic batching";
                value.report(found.allowed(from.server.preset.as_str()).help(help));
            }
            table.silent("preset", || Said::default("of a config.pbtxt like this one"));
            table.silent("*", || Said::new("preset", &from.server.preset));
            for (key, said) in from.said {
                table.silent(key, || said);
            }
            from.server
        }
        None => {
            let preset = preset.map_or(usual, |(preset, _)| preset);
            table.silent("*", || Said::new("preset", preset));
            preset_of(preset)
        }
    };
    read_server(&mut table, &mut server);
    let spots = server_spots(&table);
    table.finish();
    (server, spots)
}

/// The settings of a preset; of the first, where there is none of this name.
fn preset_of(name: &str) -> ServerSpec {
    let found = PRESETS.iter().find(|preset| preset.name == name);
    (found.unwrap_or(&PRESETS[0]).make)()
}

/// Where rules about the batch, and about the streams, point to.
pub(super) fn server_spots(table: &Reader<'_>) -> [Spot; 2] {
    let streams = if table.has("slots") { "slots" } else { "streams" };
    [table.spot_of("batch_max"), table.spot_of(streams)]
}

/// `rules`, else the `usual` ones, else MLPerf's wherever something of MLPerf is named.
fn rules_of(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    usual: Option<Rules>,
) -> Rules {
    let benchmark = workload.and_then(|workload| workload.spec.benchmark.as_deref());
    let (rules, why) = match (benchmark, table.has("conf"), table.has("round")) {
        (Some(name), _, _) => (Rules::Mlperf, format!("the workload is MLPerf's {name}")),
        (_, true, _) => (Rules::Mlperf, "conf is named".to_string()),
        (_, _, true) => (Rules::Mlperf, "a round is named".to_string()),
        // Of a workload that is unknown, all keys are right.
        _ if workload.is_none() => (Rules::Mlperf, "built in".to_string()),
        _ => (Rules::None, "the workload is no MLPerf benchmark".to_string()),
    };
    table.silent("rules", || Said::default(why));
    read_rules(table).or(usual).unwrap_or(rules)
}

/// The load; and where its rate is set. The rules are the `usual` ones unless it says others; without
/// any it depends on what it names.
pub(super) fn load(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    copies: u32,
    usual: Option<Rules>,
) -> (Option<LoadSpec>, Spot) {
    let header = table.spot();
    let help = "write [vm.load] with scenario = \"server\" and target_qps";
    let Some(mut table) = table.need("load", help).and_then(|value| value.table()) else {
        return (None, header);
    };
    let known = SCENARIOS.map(|(word, _)| word).join(", ");
    let scenario = table.need("scenario", &format!("name the MLPerf scenario: {known}"));
    let scenario = scenario.and_then(|value| value.choice("scenario", &SCENARIOS));
    let benchmark = workload.and_then(|workload| workload.spec.benchmark.as_deref());
    let round = read_round(&mut table);
    let rules = rules_of(&mut table, workload, usual);
    // LoadGen's own bound is below files of LoadGen's.
    let is_of_loadgen = rules == Rules::Mlperf && table.has("conf");
    let of_workload = workload.filter(|_| !is_of_loadgen).map(|workload| &workload.spec);
    let bound =
        of_workload.map_or(SimDuration::from_millis(100), |workload| workload.target_latency.value);
    // With an unknown scenario the keys are still looked at, by the rules of the one that has all.
    let mut load = load_defaults(scenario.unwrap_or(TestScenario::Server), bound, rules, round);
    if let Some(scenario) = scenario {
        let of_loadgen =
            rules == Rules::Mlperf && !matches!(scenario, TestScenario::ClosedLoop { .. });
        let whose = if of_loadgen { "LoadGen's own, " } else { "" };
        table.silent("*", || Said::default(format!("{whose}of the {} scenario", scenario.word())));
    }
    if let Some(Workload { id, target_latency, .. }) = of_workload {
        table.silent("target_latency", || Said::fact("workload", id, target_latency));
    }
    let found = super::conf::lookup(&mut table, &load, benchmark, round);
    let says_rate = found.as_ref().is_some_and(|found| found.fill(&table, &mut load));
    let needs_rate = scenario
        .is_some_and(|scenario| matches!(scenario, TestScenario::Server | TestScenario::Offline));
    let total = table.get("total_qps");
    // A trace has a rate of its own.
    let replays = table.get("arrivals").is_some_and(|value| value.is_table());
    if needs_rate && total.is_none() && !replays && !says_rate {
        table.need(
            "target_qps",
            "say how many queries (Offline: samples) per second, such as target_qps = 3600",
        );
    }
    if let Some(TestScenario::ClosedLoop { .. }) = scenario {
        table.need("clients", "say how many clients ask and wait, such as clients = 8");
    }
    read_load(&mut table, &mut load);
    if let Some(found) = &found {
        super::unmodelled::check(found, &table, &load);
    }
    let spot = table.spot_of(if total.is_some() { "total_qps" } else { "target_qps" });
    if let Some(total) = total {
        if table.has("target_qps") || !needs_rate || replays {
            let title = "`total_qps` stands beside `target_qps`, or where no rate is asked for";
            table.report(super::Diagnostic::at(&spot, title).help("drop one of them"));
        }
        table.stands_for("target_qps", &total);
        let rate = total.number(is_rate, RATES);
        load.settings.target_qps = rate.unwrap_or(1.0) / f64::from(copies);
    }
    if let Arrivals::Trace(trace) = &load.arrivals {
        let samples = trace.arrivals.len();
        if !super::trace::can_deal(trace, copies) {
            let title = format!("{samples} samples of the trace are too few for {copies} VMs");
            let diagnostic = super::Diagnostic::at(&table.spot_of("arrivals"), title);
            let allowed = "samples at two instants or more for each VM: they are dealt in turn";
            table.report(diagnostic.allowed(allowed));
        }
    }
    table.finish();
    (scenario.map(|_| load), spot)
}
