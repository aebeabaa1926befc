//! The rules between settings and hardware, one function each: the conflict, and what would fit.
//!
//! A guest that satisfies all of them can be simulated.

use super::guest::Guest;
use super::holding::{Holding, Kind};
use super::length::{Rates, all_samples_are_countable, gpus_of, load_is_bounded};
use super::machine::Machine;
use super::other_vm::Other;
use super::{cards, llm_rules, obstacles, processes};
use crate::config::text::{Diagnostic, Problems, Spot};
use crate::spec::{Experiment, Footprint, GpuSpec, HostId, HostSpec, TestScenario};
use crate::study::{self, Obstacle, TooMany};
use crate::units::{Bytes, Frequency, Share, counted};
use std::collections::{BTreeMap, BTreeSet};

/// Checks the guests of one run against each other and against the machine.
pub(crate) fn check(
    machine: &Machine,
    guests: &[Guest],
    others: &[Other],
    rates: Rates,
    problems: &Problems,
) {
    let guests = &cards::expand(machine, guests);
    host_has_room(machine, guests, &Other::expand(others), problems);
    llm_rules::check(guests, problems);
    obstacles::check(machine, guests, problems);
    processes::check(machine, guests, problems);
    processes_fit_together(machine, guests, problems);
    for guest in guests.iter().filter(|guest| guest.model.is_some()) {
        for gpu in gpus_of(machine, guest) {
            models_fit(guest, gpu, problems);
            pods_are_not_too_many(guest, gpu, problems);
        }
    }
    guests.iter().for_each(|guest| steps_reject_no_clients(guest, problems));
    let guests = &guests.iter().flat_map(Guest::by_model).collect::<Vec<Guest>>();
    for guest in guests {
        if guest.vm.is_ensemble() {
            load_is_bounded(machine, guest, rates, problems);
            continue;
        }
        for gpu in gpus_of(machine, guest) {
            service_time_is_known(machine, guest, gpu, problems);
        }
        streams_are_fed(guest, problems);
        batches_fill_in_time(guest, problems);
        for gpu in gpus_of(machine, guest) {
            batches_were_measured(guest, gpu, problems);
        }
        for gpu in gpus_of(machine, guest) {
            batches_fit(guest, gpu, problems);
        }
        if guest.vm.load.is_idle() {
            continue;
        }
        rejections_have_a_load(guest, problems);
        load_is_bounded(machine, guest, rates, problems);
    }
    let is_asked = |guest: &&Guest| !guest.vm.load.is_idle();
    let asked: Vec<&Guest> = guests.iter().filter(is_asked).collect();
    all_samples_are_countable(machine, &asked, rates, problems);
}

/// The rules that hold wherever VMs are placed; copies are guests of their own.
pub(crate) fn host_has_room(
    machine: &Machine,
    guests: &[Guest],
    others: &[Other],
    problems: &Problems,
) {
    let vms = Room::of(guests, others);
    names_are_unique(&vms, problems);
    vcpus_exist(machine, &vms, problems);
    reservations_are_admitted(machine, &vms, problems);
    memory_exists(machine, &vms, problems);
}

/// What a VM takes of the host.
pub(super) struct Room<'g> {
    name: (&'g String, &'g Spot),
    vcpus: (u32, &'g Spot),
    reservation: (Frequency, &'g Spot),
    memory: (Option<Bytes>, &'g Spot),
}

impl<'g> Room<'g> {
    /// Every VM, those with inference first.
    pub(super) fn of(guests: &'g [Guest], others: &'g [Other]) -> Vec<Self> {
        let guests = guests.iter().map(|Guest { vm, spots, memory, .. }| Self {
            name: (&vm.name, &spots.name),
            vcpus: (vm.vcpus, &spots.vcpus),
            reservation: (vm.allocation.reservation, &spots.reservation),
            memory: (*memory, &spots.memory),
        });
        let others = others.iter().map(|Other { vm, spots, memory, .. }| Self {
            name: (&vm.name, &spots.name),
            vcpus: (vm.vcpus, &spots.vcpus),
            reservation: (vm.allocation.reservation, &spots.reservation),
            memory: (*memory, &spots.memory),
        });
        guests.chain(others).collect()
    }
}

/// Whether no two VMs have one name; reports those that do.
pub(super) fn names_are_unique(vms: &[Room<'_>], problems: &Problems) -> bool {
    let mut names = BTreeSet::new();
    let mut unique = true;
    for Room { name: (name, spot), .. } in vms {
        if !names.insert(name) {
            let title = format!("two VMs are named {}", crate::suggest::quoted(name));
            problems.push(Diagnostic::at(spot, title).help("give each VM its own name"));
            unique = false;
        }
    }
    unique
}

/// vCPUs of all VMs may be more than there are logical processors, those of one VM not.
fn vcpus_exist(machine: &Machine, vms: &[Room<'_>], problems: &Problems) {
    let limit = &machine.host.logical_processors;
    for Room { vcpus: (vcpus, spot), .. } in vms.iter().filter(|vm| vm.vcpus.0 > limit.value) {
        let title = format!(
            "{vcpus} vCPUs are more than {} has logical processors ({})",
            machine.host.id, limit.value
        );
        let diagnostic = Diagnostic::at(spot, title).allowed(format!("1 to {} vCPUs", limit.value));
        let help = "VMs may have more vCPUs together than there are logical processors, but none \
            alone: vSphere does not power it on";
        let diagnostic = diagnostic.of_limit(Obstacle::Host).help(help);
        problems.push(diagnostic.note("source", limit.source.clone()));
    }
}

/// Why a search does not go on to so many VMs: with inference alone it does not over-commit the host's
/// processors by itself. Beside other work it goes on: there sharing them is what is asked about.
pub(crate) fn over_committed(experiment: &Experiment) -> Option<TooMany> {
    let hosts = (0..experiment.hosts.len() as u16).map(HostId);
    let mut taken = hosts.map(|host| (experiment.host(host), experiment.vcpus_on(host)));
    let is_over =
        |(host, vcpus): &(&HostSpec, u64)| *vcpus > u64::from(host.logical_processors.value);
    let (host, vcpus) = taken.find(is_over).filter(|_| experiment.others.is_empty())?;
    let text = format!(
        "the VMs have {vcpus} vCPUs, more than {} has logical processors ({}), and a search does not \
         over-commit them",
        host.id, host.logical_processors.value
    );
    Some(TooMany { obstacle: Obstacle::Host, text })
}

/// Reservations are of the cores' clock, hyper-threads not counted.
fn reservations_are_admitted(machine: &Machine, vms: &[Room<'_>], problems: &Problems) {
    let (host, all) = (&machine.host, machine.host.cpu_capacity());
    let mut taken = Frequency::from_mhz(0);
    for Room { reservation: (reservation, spot), .. } in vms {
        let before = taken;
        taken = [taken, *reservation].into_iter().sum();
        if taken > all && before <= all {
            let title = format!(
                "with this VM's cpu_reservation of {reservation} the VMs reserve {taken}, more \
                 than {} has: the VM does not power on",
                host.id
            );
            let diagnostic = Diagnostic::at(spot, title).of_limit(Obstacle::Host);
            let allowed =
                format!("{all} in all: {} cores of {}", host.cores.value, host.clock.value);
            let diagnostic = diagnostic.allowed(allowed);
            problems.push(diagnostic.note("source", host.clock.source.clone()));
        }
    }
}

fn memory_exists(machine: &Machine, vms: &[Room<'_>], problems: &Problems) {
    let limit = &machine.host.memory;
    let mut taken = Bytes::ZERO;
    for Room { memory: (memory, spot), .. } in vms {
        let Some(memory) = *memory else { continue };
        let before = taken;
        taken = taken + memory;
        if taken > limit.value && before <= limit.value {
            let title = match before == Bytes::ZERO {
                true => format!("{memory} of memory are more than {} has", machine.host.id),
                false => format!(
                    "with this VM's {memory} the VMs have {taken} of memory, more than {} has",
                    machine.host.id
                ),
            };
            let diagnostic = Diagnostic::at(spot, title).of_limit(Obstacle::Host);
            problems.push(
                diagnostic
                    .allowed(format!("{} in all", limit.value))
                    .note("source", limit.source.clone()),
            );
        }
    }
}

fn service_time_is_known(machine: &Machine, guest: &Guest, gpu: &GpuSpec, problems: &Problems) {
    let workload = &guest.vm.workload;
    if workload.service.contains_key(&gpu.id) {
        return;
    }
    let title =
        format!("no service time of workload \"{}\" on GPU \"{}\" is known", workload.id, gpu.id);
    let known: Vec<&str> = workload.service.keys().map(String::as_str).collect();
    let diagnostic =
        Diagnostic::at(&guest.spots.workload, title).allowed(format!("GPUs {}", known.join(", ")));
    let help = format!("measure it and add [service.{}] to the workload's catalogue file", gpu.id);
    let diagnostic = diagnostic.help(help);
    // Without a tensor rate nothing can be scaled, and there is nothing to offer.
    let has_rate = gpu.tensor_fp16_tflops.is_some() || gpu.tensor_int8_tops.is_some();
    let diagnostic = match has_rate {
        true => diagnostic.help(
            "or scale those of the nearest GPU, with an interval: scaled_from = \"auto\" in the \
             [[vm]], or --set vm.scaled_from=auto",
        ),
        false => diagnostic,
    };
    // What a VM has of a card by a profile's name is of one model.
    let is_free = guest.holding.kind().is_none() && guest.cards == 1;
    let others = machine.ids().into_iter().find(|other| is_free && known.contains(other));
    problems.push(match others {
        Some(other) => {
            diagnostic.help(format!("or put the VM on the host's other cards: gpu = \"{other}\""))
        }
        None => diagnostic,
    });
}

/// A stream works on the batch of one slot.
fn streams_are_fed(guest: &Guest, problems: &Problems) {
    let (streams, slots) = (guest.vm.server.streams, guest.vm.server.slots);
    if slots < streams {
        let title = format!(
            "{} {} {} of {streams} streams without work",
            counted(slots, "slot"),
            if slots == 1 { "leaves" } else { "leave" },
            streams - slots
        );
        let diagnostic = Diagnostic::at(&guest.spots.streams, title);
        problems.push(diagnostic.allowed("at least as many slots as streams"));
    }
}

/// Who waits for a full batch without limit may wait beyond the bound: doubtful, not wrong.
fn batches_fill_in_time(guest: &Guest, problems: &Problems) {
    let Some(title) = study::slow_filling(&guest.vm) else { return };
    let diagnostic = Diagnostic::at(&guest.spots.batch_max, title);
    let help = "set a `timeout`, a smaller batch_max, or batch_rule = \"available\"; preset = \"triton\" is Triton by its own defaults";
    problems.warn(diagnostic.help(help));
}

/// Batches beyond what was measured have times that nobody knows: doubtful, not wrong.
fn batches_were_measured(guest: &Guest, gpu: &GpuSpec, problems: &Problems) {
    let (workload, gpu) = (&guest.vm.workload, &gpu.id);
    let Some(service) = workload.service.get(gpu) else { return };
    let known = service.work.value.points().last().map_or(1, |(batch, _)| *batch);
    let most = guest.vm.server.batch_max;
    if most > known {
        let title = format!(
            "batches of up to {most}, but times of \"{}\" on \"{gpu}\" are known only up to \
             {known}: for larger batches the work is assumed to grow with the batch",
            workload.id
        );
        let diagnostic = Diagnostic::at(&guest.spots.batch_max, title);
        let help = format!("write server.batch_max = {known} or less, or measure larger batches");
        problems.warn(diagnostic.help(help));
    }
}

/// What a client does whose query is rejected, and a query that loses a sample, nothing documents.
fn rejections_have_a_load(guest: &Guest, problems: &Problems) {
    let scenario = guest.vm.load.scenario;
    if guest.vm.server.queues.reject() && scenario != TestScenario::Server {
        let title = format!("a server that rejects queries in the {} scenario", scenario.word());
        let diagnostic = Diagnostic::at(&guest.spots.batch_max, title);
        let help = "drop max_queue_size and the timeout, or write timeout_action = \"delay\", or scenario = \"server\"";
        problems.push(
            diagnostic
                .note("reason", "what a client does after a rejection is not modelled")
                .help(help),
        );
    }
}

/// The same of an ensemble, of which any model may reject.
fn steps_reject_no_clients(guest: &Guest, problems: &Problems) {
    let models = guest.by_model();
    for ensemble in models.iter().filter(|model| model.vm.is_ensemble()) {
        let mut steps = ensemble.vm.step_models().map(|step| &models[usize::from(step.0)]);
        let Some(model) = steps.find(|model| model.vm.server.queues.reject()) else { continue };
        let scenario = ensemble.vm.load.scenario;
        if scenario != TestScenario::Server {
            let name = &model.vm.name;
            let title =
                format!("{name} rejects queries, {} asks in {}", ensemble.vm.name, scenario.word());
            let help =
                "drop max_queue_size and the timeout of that model, or write scenario = \"server\"";
            let diagnostic = Diagnostic::at(&ensemble.spots.rate, title);
            problems.push(
                diagnostic
                    .note("reason", "what a client does after a rejection is not modelled")
                    .help(help),
            );
        }
    }
}

/// Processes have no frame buffer of their own: their footprints together must fit what they share,
/// or CUDA fails to allocate in whichever comes last.
fn processes_fit_together(machine: &Machine, guests: &[Guest], problems: &Problems) {
    let Some(places) = cards::place(machine, guests) else { return };
    let mut places = places.into_iter();
    let mut taken: BTreeMap<(usize, u32), Bytes> = BTreeMap::new();
    let mut clients_at: BTreeMap<(usize, u32), u64> = BTreeMap::new();
    for guest in guests {
        let place = places.by_ref().take(guest.cards as usize).last();
        let (Holding::Process(process), Some(place)) = (&guest.holding, place) else { continue };
        let gpu = machine.gpu_of(place.card as u32);
        let limit = process.memory(gpu);
        let processes = guest.vm.server.processes();
        let clients = clients_at.entry((place.card, place.start)).or_default();
        *clients += u64::from(guest.cards * processes);
        let most = u64::from(processes::processes_max(gpu, process));
        if *clients > most && *clients - u64::from(guest.cards * processes) <= most && processes > 1
        {
            let title = format!(
                "the servers up to this one are {clients} clients of MPS on {}",
                process.shared(gpu)
            );
            let diagnostic = Diagnostic::at(&guest.spots.cards, title);
            let diagnostic = diagnostic.allowed(format!("at most {}", counted(most, "client")));
            problems.push(
                diagnostic.help(
                    "every process of a server is a separate client: write fewer `processes`",
                ),
            );
        }
        let before = *taken.entry((place.card, place.start)).or_default();
        let after = before + guest.footprint() * u64::from(guest.cards);
        taken.insert((place.card, place.start), after);
        // One that is too large by itself is told so elsewhere.
        let alone = before == Bytes::ZERO && guest.cards == 1 && process.memory_limit.is_none();
        if after > limit && before <= limit && !alone {
            let title = format!(
                "the processes up to this one need {} of GPU memory together, {} has {}",
                gib(after),
                process.shared(gpu),
                gib(limit)
            );
            let label = "CUDA would fail to allocate";
            let help = match guest.vm.llm {
                Some(_) => {
                    "memory is not divided between processes: gpu_memory_utilization of all engines \
                     on a card is at most 100 % together"
                }
                None => {
                    "memory is not divided between processes: run fewer of them, smaller batches, or \
                     more cards"
                }
            };
            let diagnostic = Diagnostic::at(&guest.spots.cards, title).label(label).help(help);
            problems.push(diagnostic.of_limit(Obstacle::FrameBuffer));
        }
    }
}

/// Weights, the workspace of every running batch, and the inputs and outputs of every batch in
/// flight must fit the card, its vGPU type or its GPU instance. A staged batch has no workspace: that belongs to the
/// stream's execution context.
fn batches_fit(guest: &Guest, card: &GpuSpec, problems: &Problems) {
    let (workload, server) = (&guest.vm.workload, &guest.vm.server);
    let Footprint { streams, staged, copied, per_sample, need } = Footprint::of(&guest.vm);
    let limit = guest.frame_buffer(card);
    let is_pods_limit = limit < guest.holding.frame_buffer(card);
    let owner = match is_pods_limit {
        true => "the memory limit of a pod".to_string(),
        false => guest.holding.in_words(card),
    };
    // A limit of memory is of each process, and so is what it needs.
    let processes = u64::from(server.processes());
    let has_limit =
        matches!(&guest.holding, Holding::Process(process) if process.memory_limit.is_some());
    let parts = if has_limit { processes } else { 1 };
    let need = Bytes::new(need.get().div_ceil(parts));
    let weights = workload.weights.value * (processes / parts);
    if need <= limit {
        return;
    }
    let title = format!(
        "batches of {} need {} of GPU memory, {owner} has {}",
        server.batch_max,
        gib(need),
        gib(limit)
    );
    let room = limit.get().saturating_sub(weights.get());
    let fitting = room / (per_sample.get() / parts).max(1);
    let allowed = match fitting {
        0 => "no batch: weights and one sample alone do not fit".to_string(),
        _ if parts > 1 => format!("batch_max 1 to {fitting} with these streams and processes"),
        fitting => format!("batch_max 1 to {fitting} with these streams and slots"),
    };
    let diagnostic =
        Diagnostic::at(&guest.spots.batch_max, title).label("does not fit").allowed(allowed);
    let diagnostic = diagnostic.of_limit(Obstacle::FrameBuffer);
    let diagnostic = match guest.holding.kind().filter(|_| !is_pods_limit) {
        None if is_pods_limit => {
            diagnostic.help("write fewer `replicas`, or a `memory_limit` of the pod")
        }
        None => diagnostic,
        Some(kind) => {
            let all = kind.candidates(card);
            let fitting = all.iter().filter(|other| other.frame_buffer(card) >= need);
            let names: Vec<&str> = fitting.map(|other| other.name(card)).collect();
            let none = match kind {
                Kind::Instance => "no GPU instance of this card",
                Kind::Sliced | Kind::Backed => "no vGPU type of this card",
            };
            diagnostic
                .note("fits", if names.is_empty() { none.to_string() } else { names.join(", ") })
        }
    };
    let loaded = if processes > 1 { format!(" x {processes} processes") } else { String::new() };
    let sum = format!(
        "weights {}{loaded}, {} x {} per sample, {} in flight x {} per sample copied ({})",
        workload.weights.value,
        counted(streams, "running batch"),
        workload.workspace_per_sample.value,
        streams + u64::from(staged),
        copied,
        workload.workspace_per_sample.standing.word(),
    );
    problems.push(diagnostic.note("memory", sum));
}

/// All models of a server have their weights and the workspace of their instances on its GPU, whether they
/// are asked or not.
fn models_fit(guest: &Guest, card: &GpuSpec, problems: &Problems) {
    let (need, limit) = (guest.footprint(), guest.holding.frame_buffer(card));
    let mut models = guest.by_model();
    models.retain(|model| !model.vm.is_ensemble());
    let alone = |model: &Guest| Footprint::of(&model.vm).need;
    // One that is too large by itself is told so elsewhere.
    if need <= limit || models.iter().any(|model| alone(model) > limit) {
        return;
    }
    let owner = guest.holding.in_words(card);
    let (what, help) = match guest.pods {
        Some(_) => (
            "pods",
            "write fewer pods, fewer `streams` or a smaller batch_max, or a vGPU type with more frame buffer: pods share that of their node",
        ),
        None => (
            "models",
            "write fewer `streams` or a smaller batch_max, or put a model into another [[vm]]",
        ),
    };
    let title = format!(
        "the {} {what} of the VM need {} of GPU memory together, {owner} has {}",
        models.len(),
        gib(need),
        gib(limit)
    );
    let each: Vec<String> =
        models.iter().map(|model| format!("{} {}", model.vm.name, gib(alone(model)))).collect();
    let diagnostic = Diagnostic::at(&guest.spots.cards, title).label("do not fit");
    let diagnostic = diagnostic.note("memory", each.join(", ")).help(help);
    problems.push(diagnostic.of_limit(Obstacle::FrameBuffer));
}

/// An MPS server has so many clients; each process of a pod is one.
fn pods_are_not_too_many(guest: &Guest, card: &GpuSpec, problems: &Problems) {
    let Some(pods) = &guest.pods else { return };
    let process = pods.process(&guest.holding, Share::WHOLE);
    let (processes, most) = (guest.processes(), processes::processes_max(card, &process));
    if processes <= most {
        return;
    }
    let title = format!(
        "the pods of this VM are {processes} clients of MPS on {}",
        guest.holding.in_words(card)
    );
    let diagnostic = Diagnostic::at(&pods.spot, title);
    let diagnostic = diagnostic.allowed(format!("at most {}", counted(most, "client")));
    let help = "write fewer pods, or sharing = \"time-slicing\"";
    let source = "NVIDIA GPU Operator, \"Multi-Process Service in Kubernetes\", limitations";
    problems.push(diagnostic.help(help).note("source", source));
}

/// A size with one digit behind the point, for sums that are no round number.
fn gib(bytes: Bytes) -> String {
    format!("{:.1} GiB", bytes.get() as f64 / f64::from(1 << 30))
}
