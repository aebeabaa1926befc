//! `Explanation`: every value that a scenario file uses, and where it comes from.
//!
//! Values are those of the checked experiment; their origins were noted while the file was read. No
//! default is repeated here.

mod around;
mod llm;
mod notes;

use super::catalogue::Catalogue;
use super::catalogue::hosts::OWN_HOST;
use super::scenario::cpu::SCHEDULERS;
use super::scenario::guest::Guest;
use super::scenario::holding::Holding;
use super::scenario::holding_keys::HOLDINGS;
use super::scenario::machine::{self, Machine};
use super::scenario::other_vm::Other;
use super::scenario::plan::Plan;
use super::scenario::sharing_words;
use super::scenario::workload_files::is_own;
use super::text::answers::Answer;
use super::text::{Problems, SourceFile, ValueOrigin};
use crate::spec::{
    Baseline, CpuAllocation, CpuLoad, CpuScheduler, Experiment, GpuSpec, InstanceSpec, Pair,
    ServiceTime, Step, Workload,
};
pub use notes::{Explained, Section};
use notes::{Facts, Notes};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The facts of a host that act only where VMs share its cores.
const OF_PROCESSORS: [&str; 3] = ["cores", "clock", "hyper_threading"];

/// What a batch takes under MPS outside GPU instances, as `gpu::cost` has it.
const UNDER_MPS: &str =
    "launch + graph + work max(1 + phi (n / s - 1), 1 + phi_limit (1 / l - 1) + phi (k - 1) / l)";

/// Every value of one file.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explanation {
    /// The run's name.
    pub name: String,
    /// The values in sections: scenario, host, VM.
    pub sections: Vec<Section>,
}

impl Explanation {
    /// Every value of a plan; nothing where origins were not recorded while it was read, or where
    /// it has faults.
    pub(super) fn of(
        plan: &Plan,
        file: &Arc<SourceFile>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Self> {
        let (machine, guests, others) = plan.written.as_ref()?;
        let (pair, title) = (plan.pairs.first()?, plan.title.as_deref());
        let (answers, seed) =
            (problems.answers.recorded(), plan.seed.as_ref().map_or(0, |seed| seed.0));
        let reading =
            Reading { file, catalogue, machine, guests, others, answers, pair, title, seed };
        Some(reading.explain())
    }

    /// The seed that a flag gives is stronger than the file's.
    pub(super) fn give_seed(&mut self, seed: u64) {
        let values = self.sections.iter_mut().flat_map(|section| &mut section.values);
        for one in values.filter(|one| one.key == "seed") {
            (one.value, one.origin) = (seed.to_string(), ValueOrigin::new("flag", "--seed"));
        }
    }
}

/// A workload that stands in the scenario, with what was noted while it was read, and the path of its
/// keys.
type OfScenario<'n> = (Arc<Workload>, Notes<'n>, &'static str);

/// A key that every host of a cluster has.
const OF_CLUSTERS: &str = "host.model";

/// What an explanation is made of.
struct Reading<'r> {
    file: &'r Arc<SourceFile>,
    catalogue: &'r Catalogue,
    machine: &'r Machine,
    /// The `[[vm]]` as they are written.
    guests: &'r [Guest],
    others: &'r [Other],
    answers: Vec<Answer>,
    pair: &'r Pair,
    title: Option<&'r str>,
    seed: u64,
}

impl Reading<'_> {
    /// Every value with who says it.
    fn explain(&self) -> Explanation {
        let notes = |answers| Notes { file: self.file, answers };
        let file = notes(&self.answers);
        // Every VM has the same paths: each looks at its own part. What is read after the last one
        // has paths of its own.
        let mut of_vms = self.answers.split(|answer| *answer == Answer::Begins).skip(1);
        let mut sections = vec![self.scenario(&file)];
        let mut own = Vec::new();
        let models = self.machine.models.iter();
        sections.extend(models.filter_map(|model| self.sharing(&file, &model.gpu.spec)));
        if file.stands(OF_CLUSTERS) {
            sections.push(Self::cluster(&file));
        }
        sections.extend(self.cpu(&file));
        sections.extend(self.operations(&file));
        sections.extend(self.power(&file));
        sections.extend(self.hardware(&file));
        let mut guests = self.guests.iter();
        for place in 0..self.guests.len() + self.others.len() {
            let of_vm = of_vms.next().unwrap_or(&[]);
            if let Some(other) = self.others.iter().find(|other| other.place == place) {
                sections.push(self.other(other, &notes(of_vm)));
                continue;
            }
            let guest = guests.next().expect("a VM is one or the other");
            sections.push(self.vm(guest, &notes(of_vm)));
            if guest.model.is_none() {
                own.push((guest.vm.workload.clone(), notes(of_vm), "vm.workload."));
            }
            let of_models = of_vm.split(|answer| *answer == Answer::BeginsModel).skip(1);
            let models = guest.by_model().into_iter().filter(|_| guest.model.is_some());
            let names: Vec<String> = guest.by_model().into_iter().map(|one| one.vm.name).collect();
            let above = if guest.pods.is_some() { "vm.pod." } else { "vm.model." };
            let mut models: Vec<Guest> = models.collect();
            // Pods of one entry are told once.
            models.dedup_by(|next, one| next.spots.workload == one.spots.workload);
            for (model, of) in models.into_iter().zip(of_models) {
                sections.push(served(&model, above, &names, &notes(of)));
                let workload =
                    if guest.pods.is_some() { "vm.pod.workload." } else { "vm.model.workload." };
                own.push((model.vm.workload, notes(of), workload));
            }
        }
        own.retain(|(workload, ..)| is_own(&workload.id));
        sections.extend(self.workloads(&own));
        sections.extend(llm::sections(self.experiment(), self.catalogue));
        sections.push(self.baseline(&self.pair.baselines, &file));
        Explanation { name: self.pair.name.clone(), sections }
    }

    fn experiment(&self) -> &Experiment {
        &self.pair.virtual_run.experiment
    }

    fn scenario(&self, notes: &Notes<'_>) -> Section {
        let machine = self.machine;
        let mut section = Section::new("scenario");
        if let Some(title) = self.title {
            section.add(notes, "", "title", title);
        }
        section.add(notes, "", "seed", self.seed);
        section.add(notes, "", "host", &machine.host.id);
        if let Some(stalls) = &machine.host.stalls {
            section.add(notes, "host_stalls.", "per_second", stalls.per_s);
            section.add(notes, "host_stalls.", "length", stalls.length);
        }
        section.add(notes, "", "gpus", machine.cards_with_places());
        section.add(notes, "", "hypervisor", &machine.hypervisor.id);
        if let Some(precision) = self.pair.capacity {
            let percent = (precision * 1e6).round() / 1e4;
            section.add(notes, "", "capacity.precision", format!("{percent} %"));
        }
        section
    }

    /// Whether the host has several GPU models.
    fn has_several(&self) -> bool {
        self.machine.models.len() > 1
    }

    /// How owners of a card of this model take turns, where any do.
    fn sharing(&self, notes: &Notes<'_>, gpu: &GpuSpec) -> Option<Section> {
        let cards = self.experiment().cards.iter().filter(|card| card.gpu.id == gpu.id);
        let mut ways = cards.flat_map(|card| &card.instances).map(|instance| instance.sharing);
        let mut section = match self.has_several() {
            true => Section::new(format!("sharing on {}", gpu.id)),
            false => Section::new("sharing"),
        };
        let turns = ways.find(|way| way.takes_turns());
        for (key, value) in turns.iter().flat_map(sharing_words::words) {
            let path = format!("sharing.{key}");
            match machine::said_by_gpu(gpu, key).filter(|_| !notes.stands(&path)) {
                Some(said) => section.say(key, value, said),
                None => section.add(notes, "sharing.", key, value),
            }
        }
        section.add_other_keys(notes, "sharing.");
        (!section.values.is_empty()).then_some(section)
    }

    /// How the host's processors are divided, where VMs share them.
    fn cpu(&self, notes: &Notes<'_>) -> Option<Section> {
        let (shares, cpu) = (self.experiment().shares_any_processors(), &self.experiment().cpu);
        let mut section = Section::new("cpu");
        if shares {
            section.add(notes, "cpu.", "scheduler", word(&SCHEDULERS, cpu.scheduler));
        }
        if shares && cpu.scheduler == CpuScheduler::Quantum {
            section.add(notes, "cpu.", "quantum", cpu.quantum.value);
            section.add(notes, "cpu.", "preempt", cpu.preempts);
        }
        section.add_other_keys(notes, "cpu.");
        (!section.values.is_empty()).then_some(section)
    }

    /// A VM with other work than inference.
    fn other(&self, other: &Other, notes: &Notes<'_>) -> Section {
        let vm = &other.vm;
        let mut section = Section::new(format!("vm {}", vm.name));
        let mut add = |key: &str, value: String| section.add(notes, "vm.", key, value);
        add("name", vm.name.clone());
        if let Some(copies) = other.copies {
            add("count", copies.to_string());
        }
        add("vcpus", vm.vcpus.to_string());
        if let Some(memory) = other.memory {
            add("memory", memory.to_string());
        }
        add("cpu_shares", vm.allocation.shares.to_string());
        add("cpu_reservation", vm.allocation.reservation.to_string());
        let limit = vm.allocation.limit;
        add("cpu_limit", limit.map_or("none".to_string(), |limit| limit.to_string()));
        add("cpu_load.busy", vm.load.busy().to_string());
        if let CpuLoad::Bursty { work, gap, .. } = vm.load {
            add("cpu_load.burst", work.to_string());
            add("cpu_load.gap", gap.to_string());
        }
        section.add_other_keys(notes, "vm.");
        section
    }

    /// The facts of the catalogue about host, GPU and hypervisor.
    fn hardware(&self, notes: &Notes<'_>) -> Vec<Section> {
        let experiment = self.experiment();
        let is_cluster = notes.stands(OF_CLUSTERS);
        let of_catalogue = experiment.hosts.iter().find(|host| host.id != OWN_HOST);
        let host = of_catalogue.filter(|_| is_cluster).unwrap_or(&experiment.hosts[0]);
        let mut of_host = Facts::of(self.catalogue, "host", "hosts", &host.id);
        if host.id == OWN_HOST && is_cluster {
            // Its facts are told with the cluster.
        } else if host.id == OWN_HOST {
            let section = &mut of_host.section;
            section.add(notes, "host.", "name", &host.name);
            section.add(notes, "host.", "logical_processors", host.logical_processors.value);
            if experiment.shares_any_processors() {
                section.add(notes, "host.", "cores", host.cores.value);
                section.add(notes, "host.", "clock", host.clock.value);
                section.add(notes, "host.", "hyper_threading", host.hyper_threading.value);
            }
            section.add(notes, "host.", "memory", host.memory.value);
            if notes.stands("host.gpus") {
                section.add(notes, "host.", "gpus", self.machine.cards_with_places());
            }
            section.add_other_keys(notes, "host.");
        } else {
            let shares = experiment.shares_any_processors();
            let acts = |key: &str| shares || !OF_PROCESSORS.contains(&key);
            of_host.add("", host.facts(), acts);
            let mut links = Vec::new();
            for link in experiment.cards.iter().map(|card| &card.link) {
                if !links.contains(&&link.pcie_bandwidth) {
                    links.push(&link.pcie_bandwidth);
                    of_host.add("", link.facts(), |_| true);
                }
            }
        }
        let platform = &experiment.hypervisor;
        let mut of_platform = Facts::of(self.catalogue, "hypervisor", "hypervisors", &platform.id);
        of_platform.add("", platform.facts(), |_| true);
        let gpus = self.machine.models.iter().map(|model| self.gpu(&model.gpu.spec));
        std::iter::once(of_host.section).chain(gpus).chain([of_platform.section]).collect()
    }

    fn gpu(&self, gpu: &GpuSpec) -> Section {
        let mut facts = Facts::of(self.catalogue, "gpu", "gpus", &gpu.id);
        let has_mps = self.has_mps(&gpu.id);
        facts.add("", gpu.facts(), |key| match key {
            // What scaled service times go by, and what a scenario may set.
            "compute_capability" | "tensor_fp16_tflops" | "tensor_int8_tops" => false,
            "power_limit_min_w" => false,
            key => has_mps || !key.starts_with("mps_"),
        });
        facts.section
    }

    fn vm(&self, guest: &Guest, notes: &Notes<'_>) -> Section {
        let vm = &guest.vm;
        let mut section = Section::new(format!("vm {}", vm.name));
        let mut add = |key: &str, value: String| section.add(notes, "vm.", key, value);
        add("name", vm.name.clone());
        if let Some(copies) = guest.copies {
            add("count", copies.to_string());
        }
        add("vcpus", vm.vcpus.to_string());
        if let Some(memory) = guest.memory {
            add("memory", memory.to_string());
        }
        if self.experiment().shares_any_processors() {
            let CpuAllocation { shares, reservation, limit } = vm.allocation;
            add("cpu_shares", shares.to_string());
            add("cpu_reservation", reservation.to_string());
            add("cpu_limit", limit.map_or("none".to_string(), |limit| limit.to_string()));
        }
        let (key, holding) = self.holding(guest, notes);
        add(key, holding);
        if self.has_several() {
            add("gpu", self.models(guest).join(", "));
        }
        if let (Holding::Process(process), Some(model)) = (&guest.holding, guest.models.first())
            && let Some((key, sms)) = process.sms_in_words(&self.machine.models[*model].gpu.spec)
        {
            add(&format!("process.{key}"), sms);
        }
        add("power_on", vm.power_on.to_string());
        add("power_off", vm.power_off.map_or("never".to_string(), |off| off.to_string()));
        if guest.model.is_some() {
            let models: Vec<String> =
                guest.by_model().into_iter().map(|model| model.vm.name).collect();
            add(if guest.pods.is_some() { "pod" } else { "model" }, models.join(", "));
        } else if let Some(spec) = &vm.llm {
            llm::settings(spec, &vm.load).into_iter().for_each(|(key, value)| add(&key, value));
        } else {
            add("workload", vm.workload.id.clone());
            add("server.preset", vm.server.preset.clone());
            add("load.scenario", vm.load.scenario.word().to_string());
            for (key, value) in notes.settings("vm.", &vm.server, &vm.load) {
                add(&key, value);
            }
        }
        section.add_other_keys(notes, "vm.");
        self.defaults_of_vm(guest, notes, &mut section);
        section
    }

    /// What the VM has of the cards, and the key that says it.
    fn holding(&self, guest: &Guest, notes: &Notes<'_>) -> (&'static str, String) {
        let stands = |key: &&&str| notes.stands(&format!("vm.{key}"));
        let key = HOLDINGS.iter().find(stands).copied().unwrap_or("gpus");
        // `largest` became a type when all VMs were known.
        let group = guest.by_model().swap_remove(0).vm.group;
        let found = self.experiment().vms.iter().find(|vm| vm.group == group);
        let chosen = found.and_then(|vm| {
            let share = vm.gpus.first()?;
            let card = &self.experiment().cards[usize::from(share.card.0)];
            let profile = card.instances[usize::from(share.instance)].profile.clone();
            share.vgpu_type.clone().or(profile)
        });
        let one = |model: usize| guest.holding.name(&self.machine.models[model].gpu.spec);
        let held = match guest.holding {
            Holding::Largest(_) => {
                let name = chosen.unwrap_or_else(|| "largest".to_string());
                format!("{} x {name}", guest.cards)
            }
            _ => {
                // Of several copies the first.
                let own = guest.models.iter().take(guest.cards as usize);
                let mut counts: Vec<(usize, u32)> = Vec::new();
                for &model in own {
                    match counts.iter_mut().find(|(known, _)| *known == model) {
                        Some((_, count)) => *count += 1,
                        None => counts.push((model, 1)),
                    }
                }
                let counts =
                    counts.into_iter().map(|(model, count)| format!("{count} x {}", one(model)));
                counts.collect::<Vec<_>>().join(", ")
            }
        };
        (key, held)
    }

    /// The models of a VM's cards, those of all copies, each once.
    fn models(&self, guest: &Guest) -> Vec<&str> {
        let models: BTreeSet<usize> = guest.models.iter().copied().collect();
        models.into_iter().map(|model| self.machine.models[model].gpu.spec.id.as_str()).collect()
    }

    /// The facts about every workload, on this GPU: of the catalogue, of a file, or of the scenario, which
    /// has its own.
    fn workloads(&self, own: &[OfScenario<'_>]) -> Vec<Section> {
        let mut workloads: Vec<&Workload> = Vec::new();
        for vm in self.experiment().vms.iter().filter(|vm| vm.llm.is_none()) {
            if workloads.iter().all(|known| known.id != vm.workload.id) {
                workloads.push(&vm.workload);
            }
        }
        let told = workloads.into_iter().map(|workload| {
            let of = own.iter().find(|(known, ..)| known.id == workload.id);
            self.workload(workload, of)
        });
        told.collect()
    }

    /// The models on which a workload runs.
    fn gpus_of(&self, workload: &Workload) -> Vec<&str> {
        let experiment = self.experiment();
        let vms = experiment.vms.iter().filter(|vm| vm.workload.id == workload.id);
        let used = experiment.models_of(vms.flat_map(|vm| &vm.gpus));
        self.machine.ids().into_iter().filter(|gpu| used.contains(gpu)).collect()
    }

    /// The instances of all cards of a model.
    fn instances(&self, gpu: &str) -> impl Iterator<Item = &InstanceSpec> {
        let cards = self.experiment().cards.iter().filter(move |card| card.gpu.id == gpu);
        cards.flat_map(|card| &card.instances)
    }

    /// Whether clients of MPS share any card of this model.
    fn has_mps(&self, gpu: &str) -> bool {
        self.instances(gpu).any(|instance| instance.sharing.mps().is_some())
    }

    /// Whether a limit of SMs acts on a workload on this model.
    fn is_limited(&self, workload: &Workload, gpu: &str) -> bool {
        let of_it = self.experiment().vms.iter().filter(|vm| vm.workload.id == workload.id);
        of_it.flat_map(|vm| &vm.gpus).any(|share| {
            self.experiment().card(share).gpu.id == gpu && self.experiment().limit_acts(share)
        })
    }

    fn workload(&self, workload: &Workload, own: Option<&OfScenario<'_>>) -> Section {
        let mut facts = Facts::of(self.catalogue, "workload", "workloads", &workload.id);
        if let Some((_, notes, above)) = own {
            facts.section.add(notes, above, "name", &workload.name);
            facts.stand_in(notes, above);
        }
        // Without watts it acts nowhere.
        let draws = workload.service.values().any(|service| service.watts_per_sm.is_some());
        facts.add("", workload.facts(), |key| draws || key != "energy_once");
        for gpu in self.gpus_of(workload) {
            let Some(service) = workload.service.get(gpu) else { continue };
            if let Some(scaled) = &service.scaled {
                let [low, high] = scaled.work.range.unwrap_or([scaled.work.value; 2]);
                let value = format!("x {} ({low} to {high})", scaled.work.value);
                let said = ValueOrigin::fact("workload", &workload.id, &scaled.work);
                let key = format!("service.{gpu}, work over that on {}", scaled.from);
                facts.section.say(&key, value, said);
            }
            let (above, is_limited) = (format!("service.{gpu}."), self.is_limited(workload, gpu));
            let by_law = self.instances(gpu).any(|instance| instance.profile.is_some())
                || (service.phi_limit.is_none() && is_limited);
            facts.add(&above, service.facts(), |key| match key {
                "phi_limit" => is_limited,
                key => matches!(key, "launch" | "host_floor" | "phi"),
            });
            if is_limited && service.phi_limit.is_none() {
                let (phi, said) = not_measured(service);
                facts.section.say(&format!("{above}phi_limit"), phi, said);
            }
            if self.has_mps(gpu) {
                let said = ValueOrigin::default(
                    "contention n / s, a client's limit l, k batches of its own",
                );
                facts.section.say(&format!("service.{gpu}, under MPS"), UNDER_MPS, said);
            }
            facts.add(&above, service.facts(), |key| match key {
                "launch" | "host_floor" | "phi" | "phi_limit" => false,
                "boost" | "slice.neighbour_watts_per_sm" | "scaled.work" => false,
                key => by_law || !key.starts_with("slice."),
            });
        }
        if let Some((_, notes, above)) = own {
            facts.section.add_other_keys(notes, above);
        }
        facts.section
    }

    fn baseline(&self, baselines: &[Baseline], notes: &Notes<'_>) -> Section {
        let kinds: Vec<&str> = baselines.iter().map(|baseline| baseline.kind.word()).collect();
        let kind = if kinds.is_empty() { "none".to_string() } else { kinds.join(", ") };
        let mut section = Section::new("baseline");
        let path = if notes.stands("baseline.kind") { "baseline.kind" } else { "baseline" };
        section.say("kind", &kind, notes.said(path));
        let Some(baseline) = baselines.first() else { return section };
        let what = if kind == "twin" { "a twin" } else { "bare metal" };
        let by_kind = || ValueOrigin::default(format!("what {what} is"));
        let experiment = &baseline.run.experiment;
        section.say("hypervisor", &experiment.hypervisor.id, by_kind());
        let Some(vm) = experiment.vms.first().filter(|_| kind == "twin") else { return section };
        section.say("vm.vcpus", vm.vcpus, by_kind());
        for (key, value) in notes.settings("vm.", &vm.server, &vm.load) {
            let path = format!("baseline.vm.{key}");
            let said = match notes.stands(&path) {
                true => notes.said(&path),
                false => ValueOrigin::default("as the run it is compared with"),
            };
            section.say(&format!("vm.{key}"), value, said);
        }
        section
    }
}

/// The word of a list for a value.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

/// One of several models of a VM.
fn served(guest: &Guest, above: &str, names: &[String], notes: &Notes<'_>) -> Section {
    let vm = &guest.vm;
    if vm.is_ensemble() {
        return ensemble(guest, names, notes);
    }
    let kind = if guest.pods.is_some() { "pod" } else { "model" };
    let mut section = Section::new(format!("{kind} {}", vm.name));
    let mut add = |key: &str, value: String| section.add(notes, above, key, value);
    add("workload", vm.workload.id.clone());
    add("server.preset", vm.server.preset.clone());
    let is_idle = vm.load.is_idle();
    let asked = if is_idle { "none" } else { vm.load.scenario.word() };
    add(if is_idle { "load" } else { "load.scenario" }, asked.to_string());
    for (key, value) in notes.settings(above, &vm.server, &vm.load) {
        if !(is_idle && key.starts_with("load.")) {
            add(&key, value);
        }
    }
    section.add_other_keys(notes, above);
    section
}

/// A chain of a VM's models, which have these names.
fn ensemble(guest: &Guest, names: &[String], notes: &Notes<'_>) -> Section {
    let vm = &guest.vm;
    let above = "vm.ensemble.";
    let mut section = Section::new(format!("ensemble {}", vm.name));
    let mut add = |key: &str, value: String| section.add(notes, above, key, value);
    let steps = vm.steps.iter().map(|step| match step {
        Step::Model(model) => names[usize::from(model.0)].clone(),
        Step::Cpu(step) => format!("{} ({} x {})", step.name, step.count, step.time),
    });
    add("steps", steps.collect::<Vec<_>>().join(", "));
    add("load.scenario", vm.load.scenario.word().to_string());
    for (key, value) in notes.settings(above, &vm.server, &vm.load) {
        if key.starts_with("load.") {
            add(&key, value);
        }
    }
    section.add_other_keys(notes, above);
    section
}

/// What a limit of SMs makes of a workload where nothing measured it, by batch size, and from what that
/// follows.
fn not_measured(service: &ServiceTime) -> (String, ValueOrigin) {
    let why = match service.slice {
        Some(_) => {
            "not measured: b c slice.phi (1 - slice.bandwidth) of the work, as on a slice with all of the memory"
        }
        None => "not measured: phi",
    };
    let sizes = service.work.value.points().iter().map(|&(size, _)| size);
    let phi = sizes.map(|size| {
        let phi = (service.phi_limit_at(size) * 1e3).round() / 1e3;
        format!("{size}: {phi}")
    });
    (phi.collect::<Vec<_>>().join(", "), ValueOrigin::default(why))
}
