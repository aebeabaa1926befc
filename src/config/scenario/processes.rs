//! `process`: CUDA processes that share a card, or a GPU instance, in turns or with MPS: the
//! request of a VM, and which processes share a card.
//!
//! Cards are not divided for processes: they share a whole card, or a GPU instance, which
//! `layout::placement` places. Which processes share one is decided here, as in Kubernetes: in the
//! order of the file, without regard to memory.

use super::choice::{Choice, Held, profile_of, published};
use super::guest::Guest;
use super::holding::{CHUNKS_MAX, Holding, MODES, Mode, Process, chunks_of};
use super::machine::{Machine, Model};
use crate::config::catalogue::entries::CARDS_MAX;
use crate::config::text::{Diagnostic, Problems, Reader, Value};
use crate::layout::placement::{Assignment, Cards, Claim, Place};
use crate::spec::{GpuSpec, MigProfile};
use crate::units::{Bytes, Share, counted};

/// Most clients of one MPS server, GPUs since Volta (NVIDIA MIG User Guide, CUDA concurrency).
const MPS_CLIENTS_MAX: u32 = 48;

/// Reads `process = "mps"`, or `process = { sharing = "mps", count = 2, ... }`: processes of the
/// VM, and the share of each.
pub(crate) fn read(value: &Value<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    if value.is_text() {
        let mode = value.choice("way to share a GPU between processes", &MODES)?;
        let process = Process::limited(mode, None, Share::WHOLE);
        return Some(Held { holding: Holding::Process(process), ..choice?.whole(1) });
    }
    let mut table = value.table()?;
    let help = "write sharing = \"time-slicing\" or \"mps\"";
    let mode = table.need("sharing", help);
    let mode = mode.and_then(|value| value.choice("way to share a GPU between processes", &MODES));
    let count = table.get("count");
    let count = count.map_or(Some(1), |value| value.count(1..=CARDS_MAX, " processes"));
    let replicas = table.get("replicas");
    let replicas = replicas.map_or(Some(1), |value| value.count(1..=CARDS_MAX, " replicas"));
    let within = match table.get("mig") {
        Some(value) => choice.and_then(|choice| profile(&value, choice)).map(Some),
        None => Some(None),
    };
    let sm_chunks = chunks(&mut table, mode);
    let limits = limits(&mut table, mode);
    table.finish();
    let (sm_limit, memory_limit) = limits?;
    let (model, within) = within?.unzip();
    let (mode, sm_chunks, replicas) = (mode?, sm_chunks?, replicas?);
    let process = Process { mode, within, sm_limit, sm_chunks, memory_limit, replicas };
    let held = Held { holding: Holding::Process(process), ..choice?.whole(count?) };
    Some(match model {
        Some(model) => Held { models: vec![model], ..held },
        None => held,
    })
}

/// `sm_chunks = 3`: a static partition of MPS, of SMs that no other client has.
fn chunks(table: &mut Reader<'_>, mode: Option<Mode>) -> Option<Option<u32>> {
    let Some(value) = table.get("sm_chunks") else { return Some(None) };
    let refuse = |title: &str, help: &str| {
        value.report(value.wrong(title).help(help));
        None
    };
    if mode == Some(Mode::TimeSlicing) {
        let help = "drop the key, or write sharing = \"mps\": partitions are MPS's";
        return refuse("has no meaning under time slicing", help);
    }
    if table.has("mig") {
        let help = "drop mig or sm_chunks: static partitions are documented for whole GPUs";
        return refuse("partitions a GPU instance", help);
    }
    if table.has("active_threads") {
        let help = "drop one of them: a partition already sets the SMs of a client";
        return refuse("conflicts with active_threads", help);
    }
    value.count(1..=CHUNKS_MAX, " chunks of SMs").map(Some)
}

/// `active_threads = "50 %"`, `memory_limit = "10 GiB"`: MPS has them, time slicing has none.
pub(super) fn limits(table: &mut Reader<'_>, mode: Option<Mode>) -> Option<(Share, Option<Bytes>)> {
    let above = |share: &Share| share.get() >= 0.01;
    let threads =
        table.get("active_threads").map(|value| (value.bounded(above, "1 % to 100 %"), value));
    let memory = table.get("memory_limit");
    let memory =
        memory.map(|value| (value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"), value));
    let given = [threads.as_ref().map(|(_, value)| value), memory.as_ref().map(|(_, value)| value)];
    if mode == Some(Mode::TimeSlicing) {
        for value in given.into_iter().flatten() {
            let diagnostic = value.wrong("has no meaning under time slicing");
            let help = "drop the key, or write sharing = \"mps\": CUDA time slicing limits neither SMs nor memory";
            value.report(diagnostic.help(help));
        }
    }
    let threads = threads.map_or(Some(Share::WHOLE), |(threads, _)| threads);
    let memory = match memory {
        Some((memory, _)) => Some(memory?),
        None => None,
    };
    Some((threads?, memory))
}

/// The GPU instance profile a value names, and the model that has it.
fn profile(value: &Value<'_>, choice: &Choice<'_>) -> Option<(usize, MigProfile)> {
    let (model, found) = profile_of(value, choice)?;
    let gpu = &choice.machine.models[model].gpu.spec;
    published(value, Holding::Instance(found.clone(), None), gpu)?;
    Some((model, found.clone()))
}

/// What is shared by the processes of a group, and how many of them it takes.
struct Shared<'g> {
    /// Indices of the guests.
    members: Vec<usize>,
    /// The memory slice at which the GPU instance begins, where the file says it.
    start: Option<u32>,
    process: &'g Process,
    /// Most replicas of each.
    replicas_max: u32,
    /// Most processes of each.
    processes_max: u32,
    /// Chunks of SMs that each has for static partitions.
    chunks: u32,
}

impl Shared<'_> {
    /// Which of `count` shared things each member is on; nothing when they are too few. A VM's
    /// processes stay together.
    fn seats(&self, guests: &[Guest], count: usize, assignment: Assignment) -> Option<Vec<usize>> {
        let mut taken = vec![(0, 0, 0); count];
        let seat = |&member: &usize| {
            let guest = &guests[member];
            let Holding::Process(process) = &guest.holding else { unreachable!("a process") };
            // One that is too large by itself is told so elsewhere.
            let chunks = process.sm_chunks.filter(|chunks| *chunks <= self.chunks);
            let chunks = chunks.unwrap_or(0) * guest.cards;
            let mut order: Vec<usize> = (0..count).collect();
            if assignment == Assignment::Spread {
                order.sort_by_key(|&at| taken[at]);
            }
            let room = |at: &usize| {
                taken[*at].0 + process.replicas <= self.replicas_max
                    && taken[*at].1 + guest.cards <= self.processes_max
                    && taken[*at].2 + chunks <= self.chunks
            };
            let at = order.into_iter().find(room)?;
            taken[at].0 += process.replicas;
            taken[at].1 += guest.cards;
            taken[at].2 += chunks;
            Some(at)
        };
        self.members.iter().map(seat).collect()
    }

    /// The fewest shared things that all members find room on; nothing when a member is too large.
    fn least(&self, guests: &[Guest]) -> Option<usize> {
        (1..=self.members.len())
            .find(|&count| self.seats(guests, count, Assignment::Consolidate).is_some())
    }
}

/// The groups of processes: those on whole cards, and those on GPU instances of each profile.
fn groups<'g>(model: &Model, guests: &'g [Guest]) -> Vec<Shared<'g>> {
    let mut groups: Vec<Shared<'g>> = Vec::new();
    for (index, guest) in guests.iter().enumerate() {
        let Holding::Process(process) = &guest.holding else { continue };
        let start = guest.starts().first().copied().flatten();
        let same = |group: &&mut Shared<'_>| {
            group.process.within == process.within && group.start == start
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push(index),
            None => groups.push(Shared {
                members: vec![index],
                start,
                process,
                replicas_max: replicas_of(model, process).unwrap_or(u32::MAX),
                processes_max: processes_max(&model.gpu.spec, process),
                chunks: chunks_of(&model.gpu.spec),
            }),
        }
    }
    groups
}

/// How many replicas there are of what a process shares.
fn replicas_of(model: &Model, process: &Process) -> Option<u32> {
    let profile = process.within.as_ref().map(|profile| profile.name.as_str());
    model.sharing.replicas.as_ref()?.of(profile)
}

/// The most processes on one card or GPU instance. MPS allows fewer clients inside a small GPU
/// instance; it is assumed that their number is in proportion to its compute slices.
pub(crate) fn processes_max(gpu: &GpuSpec, process: &Process) -> u32 {
    let all = gpu.mig_profiles.iter().map(|profile| profile.compute_slices).max().unwrap_or(1);
    match (process.mode, &process.within) {
        (Mode::TimeSlicing, _) => u32::MAX,
        (Mode::Mps, None) => MPS_CLIENTS_MAX,
        (Mode::Mps, Some(profile)) => MPS_CLIENTS_MAX * profile.compute_slices / all,
    }
}

/// A place for every holding of every guest, in order, where some are processes; nothing when there
/// is none for all.
pub(crate) fn place(model: &Model, cards: Cards<'_>, guests: &[Guest]) -> Option<Vec<Place>> {
    let groups = groups(model, guests);
    let mut counts: Vec<usize> =
        groups.iter().map(|group| group.least(guests)).collect::<Option<_>>()?;
    let mut places = place_shared(model, cards, guests, &groups, &counts)?;
    if model.sharing.assignment == Assignment::Spread {
        for group in 0..groups.len() {
            // There is one instance at a given slice.
            while groups[group].start.is_none() && counts[group] < groups[group].members.len() {
                counts[group] += 1;
                match place_shared(model, cards, guests, &groups, &counts) {
                    Some(wider) => places = wider,
                    None => {
                        counts[group] -= 1;
                        break;
                    }
                }
            }
        }
    }
    Some(places)
}

/// Places so many cards or GPU instances for each group, and everything else.
fn place_shared(
    model: &Model,
    cards: Cards<'_>,
    guests: &[Guest],
    groups: &[Shared<'_>],
    counts: &[usize],
) -> Option<Vec<Place>> {
    let (gpu, assignment) = (&model.gpu.spec, model.sharing.assignment);
    let others = guests.iter().filter(|guest| !guest.is_process());
    let mut claims: Vec<Claim> = others
        .flat_map(|guest| std::iter::repeat_n(guest.holding.claim(gpu), guest.cards as usize))
        .collect();
    let others = guests.iter().filter(|guest| !guest.is_process());
    let mut starts: Vec<Option<u32>> = others.flat_map(Guest::starts).collect();
    let own = claims.len();
    for (group, &count) in groups.iter().zip(counts) {
        starts.extend(std::iter::repeat_n(group.start, count));
        let claim = match &group.process.within {
            None => Claim::Whole,
            Some(profile) => Holding::Instance(profile.clone(), None).claim(gpu),
        };
        claims.extend(std::iter::repeat_n(claim, count));
    }
    let places = cards.place_at(assignment, &claims, &starts)?;
    let (own, shared) = places.split_at(own);
    let mut shared_by = vec![None; guests.len()];
    let mut first = 0;
    for (group, &count) in groups.iter().zip(counts) {
        let seats = group.seats(guests, count, assignment)?;
        for (&member, seat) in group.members.iter().zip(seats) {
            shared_by[member] = Some(shared[first + seat]);
        }
        first += count;
    }
    let mut own = own.iter().copied();
    let of_guest = |(guest, shared): (&Guest, Option<Place>)| -> Vec<Place> {
        let count = guest.cards as usize;
        match shared {
            Some(place) => vec![place; count],
            None => own.by_ref().take(count).collect(),
        }
    };
    Some(guests.iter().zip(shared_by).flat_map(of_guest).collect())
}

/// Why there is no place for all `guests`, of which the last is a process: title and reason.
pub(crate) fn obstacle(model: &Model, guests: &[Guest]) -> (String, Option<String>) {
    let gpu = &model.gpu.spec;
    let last = guests.len() - 1;
    let groups = groups(model, guests);
    let group = groups.iter().find(|group| group.members.contains(&last));
    let group = group.expect("the last one is a process");
    let (shared, most) = (group.process.shared(gpu), group.processes_max);
    let mut limits = Vec::new();
    if let Some(replicas) = replicas_of(model, group.process) {
        limits.push(format!("each is advertised as {}", counted(replicas, "replica")));
    }
    match group.process.within {
        _ if most == u32::MAX => {}
        None => limits.push(format!("MPS has at most {} on a GPU", counted(most, "client"))),
        Some(_) => limits.push(format!(
            "MPS has at most {} in this GPU instance: its share of the {MPS_CLIENTS_MAX} of a GPU, by compute slices (assumed)",
            counted(most, "client")
        )),
    }
    if let Some(chunk) = gpu.mps_chunk.as_ref().filter(|_| group.process.is_partitioned()) {
        let (chunks, sms) = (counted(chunks_of(gpu), "chunk"), chunk.value);
        limits.push(format!("each has {chunks} of {sms} SMs for static partitions"));
    }
    let reason = (!limits.is_empty()).then(|| limits.join("; "));
    let Some(least) = group.least(guests) else {
        return (format!("the processes of this VM do not fit on one {shared}"), reason);
    };
    let need = format!("the processes up to this VM need {least} x {shared}");
    let title = match guests.iter().all(Guest::is_process) {
        true => format!("{need}, more than {} can give", model.cards_in_words()),
        false => {
            format!("{need} beside other VMs, more than {} can give", model.cards_in_words())
        }
    };
    (title, reason)
}

/// The rules between processes.
pub(crate) fn check(machine: &Machine, guests: &[Guest], problems: &Problems) {
    let processes = guests.iter().filter_map(|guest| match &guest.holding {
        Holding::Process(process) => Some((guest, process)),
        _ => None,
    });
    let processes: Vec<(&Guest, &Process)> = processes.collect();
    let modes = |mode: Mode| processes.iter().filter(move |(_, process)| process.mode == mode);
    if let (Some(_), Some((guest, _))) = (modes(Mode::TimeSlicing).next(), modes(Mode::Mps).next())
    {
        let title = "time slicing and MPS are mixed on one host";
        let help = "share all GPUs of a host in the same way: Kubernetes' device plugin supports \
            no other";
        problems.push(Diagnostic::at(&guest.spots.cards, title).help(help));
    }
    let partitioned =
        |is: bool| modes(Mode::Mps).find(move |(_, process)| process.is_partitioned() == is);
    if let (Some(_), Some((guest, _))) = (partitioned(true), partitioned(false)) {
        let title = "this process has no partition of the SMs, and others have";
        let help = "write sm_chunks for every process, or for none: with static partitioning MPS \
            starts no client without a partition";
        problems.push(Diagnostic::at(&guest.spots.cards, title).help(help));
    }
    for (guest, process) in &processes {
        check_partition(machine, guest, process, problems);
    }
    let in_turns = modes(Mode::TimeSlicing).next().is_some();
    machine.sharing.check_processes(
        (!processes.is_empty(), in_turns, guests.len() == processes.len()),
        problems,
    );
}

/// The rules of a static partition on the GPU that it is of.
fn check_partition(machine: &Machine, guest: &Guest, process: &Process, problems: &Problems) {
    let Some(chunks) = process.sm_chunks else { return };
    let tell = |diagnostic: Diagnostic| problems.push(diagnostic);
    let spot = &guest.spots.cards;
    for gpu in guest.models.iter().take(1).map(|model| &machine.models[*model].gpu.spec) {
        let Some(chunk) = &gpu.mps_chunk else {
            let title = format!("{} has no static partitions of its SMs", gpu.id);
            let help = "MPS has them on Ampere and newer: drop sm_chunks, or write active_threads, which is a limit";
            return tell(Diagnostic::at(spot, title).help(help));
        };
        let most = chunks_of(gpu);
        if chunks > most {
            let title = format!("{chunks} chunks of SMs are more than {} has", gpu.id);
            let allowed = format!("1 to {most} chunks of {} SMs", chunk.value);
            tell(Diagnostic::at(spot, title).allowed(allowed));
        }
    }
    if guest.vm.server.processes() > 1 {
        let title = "a server of several processes has one partition of the SMs";
        let help = "write count in process instead: then each process has its own partition";
        tell(Diagnostic::at(spot, title).help(help));
    }
}
