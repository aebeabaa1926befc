//! The answer of `slicewise place`.

use super::because::because;
use super::history::{self, Event, History};
use super::{ClusterTask, Head};
use crate::layout::cluster::{
    Ask, CardMode, CardModel, POLICIES, Placed, balancing_moves, stranded,
};
use crate::layout::geometry::Geometry;
use crate::layout::placement::Assignment;
use crate::units::{Bytes, SimTime};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `slicewise place`.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterResults {
    /// What it is about.
    #[serde(flatten)]
    pub head: Head,
    /// The policy of the picture.
    pub policy: &'static str,
    /// Whether it is vSphere's, as far as that is published.
    pub is_vsphere: bool,
    /// `consolidate` or `spread`: which card of a host an equal-size vGPU goes to.
    pub assignment: &'static str,
    /// `equal-size` or `mixed-size`.
    pub vgpu_mode: &'static str,
    /// The moment of the picture, in seconds.
    pub at_s: f64,
    /// Numbers of hosts, cards and VMs.
    pub counts: ClusterCounts,
    /// Every host at that moment.
    pub hosts: Vec<ClusterHost>,
    /// Every VM that is on at that moment.
    pub vms: Vec<ClusterVm>,
    /// VMs that no host took, in order.
    pub refused: Vec<NotPlaced>,
    /// What the free frame buffer is worth for each kind of VM, at that moment.
    pub room: Vec<ClusterRoom>,
    /// The policies side by side, that of the picture first.
    pub policies: Vec<ClusterPolicy>,
    /// The moves that a balancing of GPU load would make: hypothetical, not vSphere's. Nothing unless
    /// asked for.
    pub balancing: Option<Vec<ClusterMove>>,
}

/// Numbers of hosts, cards and VMs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ClusterCounts {
    /// Hosts.
    pub hosts: u32,
    /// Their cards.
    pub cards: u32,
    /// VMs that were powered on up to the moment, refused ones counted.
    pub asked: u32,
    /// VMs that found a place.
    pub placed: u32,
    /// VMs that found none.
    pub refused: u32,
    /// VMs that are on at the moment.
    pub on: u32,
}

/// A host.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterHost {
    /// Its name.
    pub host: String,
    /// Its model.
    pub model: String,
    /// Whether it is kept free for a failure.
    pub is_failover: bool,
    /// VMs on it.
    pub vms: u32,
    /// Their vCPUs.
    pub vcpus: u64,
    /// Its logical processors.
    pub logical_processors: u32,
    /// Processor time that is reserved.
    pub cpu_reserved_mhz: f64,
    /// Memory of its VMs.
    pub memory_used_gib: f64,
    /// Its memory.
    pub memory_gib: f64,
    /// Its cards.
    pub cards: Vec<ClusterCard>,
}

/// A card.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterCard {
    /// Its number in the host, from 0.
    pub card: u32,
    /// Its model.
    pub gpu: String,
    /// `free`, `passthrough`, `equal-size`, `mixed-size` or `mig`.
    pub mode: &'static str,
    /// Frame buffer.
    pub frame_buffer_gib: f64,
    /// Frame buffer that nobody has.
    pub free_gib: f64,
    /// What is on it, from the first place to the last.
    pub residents: Vec<ClusterResident>,
    /// The end of the places: GiB, placement ids or memory slices, by its mode.
    #[serde(skip)]
    pub end: f64,
}

/// A vGPU, GPU instance or whole card of a VM.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterResident {
    /// The VM.
    pub vm: String,
    /// Its vGPU type or GPU instance profile; `whole` for a card passed through.
    pub r#type: String,
    /// Its placement id in mixed-size mode, or the first memory slice of its GPU instance.
    pub start: Option<u32>,
    /// Where it begins and ends in a drawing.
    #[serde(skip)]
    pub span: [f64; 2],
}

/// Where a VM is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClusterVm {
    /// The VM.
    pub vm: String,
    /// What it has of GPUs.
    pub gpus: String,
    /// Its host.
    pub host: String,
    /// Its cards, one for each GPU.
    pub cards: Vec<u32>,
    /// The placement id or first memory slice on each; none in equal-size mode and for whole cards.
    pub starts: Vec<u32>,
}

/// A VM that no host took.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NotPlaced {
    /// The VM.
    pub vm: String,
    /// What it wants of GPUs.
    pub gpus: String,
    /// When it was to be powered on, in seconds.
    pub at_s: f64,
    /// Why, with counts of hosts.
    pub because: String,
}

/// What the free frame buffer is worth for a kind of VM.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterRoom {
    /// What such VMs have of GPUs.
    pub gpus: String,
    /// Groups of VMs of that kind.
    pub vms: Vec<String>,
    /// Free frame buffer of all cards.
    pub free_gib: f64,
    /// How many more there is room for.
    pub more: u32,
    /// The frame buffer that these would have.
    pub placeable_gib: f64,
    /// Free frame buffer that none of them can use now, by cause.
    pub stranded: Vec<StrandedPart>,
}

/// A part of the free frame buffer with the cause why it cannot be used.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StrandedPart {
    /// The cause.
    pub cause: &'static str,
    /// How much.
    pub gib: f64,
}

/// A policy in short.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterPolicy {
    /// Its name.
    pub policy: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it is vSphere's, as far as that is published.
    pub is_vsphere: bool,
    /// VMs that found a place.
    pub placed: u32,
    /// VMs that found none.
    pub refused: u32,
    /// Hosts with VMs at the moment.
    pub hosts_in_use: u32,
    /// Cards with VMs at the moment.
    pub cards_in_use: u32,
    /// Free frame buffer at the moment.
    pub free_gib: f64,
    /// The part of the free frame buffer that more VMs could have, by how often each kind comes: the
    /// mean over the time up to the moment, where the cluster is small, else at the moment. Nothing
    /// where nothing is free.
    pub placeable: Option<f64>,
}

/// A move that a balancing of GPU load would make.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterMove {
    /// The VM.
    pub vm: String,
    /// What it has of GPUs: a free one of the same is needed at the other end.
    pub gpus: String,
    /// From this host.
    pub from: String,
    /// To this host.
    pub to: String,
    /// The card there for each GPU.
    pub cards: Vec<u32>,
    /// Frame buffer that both ends hold while it is copied.
    pub held_gib: f64,
}

/// Most moves of a balancing that are listed.
const MOVES_MAX: usize = 1000;

/// Places the VMs of a task by each policy, the first one's cluster for the picture. `at` is the
/// moment of it; after the last power-on unless one is given.
pub fn cluster_results(
    task: &ClusterTask,
    policies: &[&str],
    at: Option<SimTime>,
    balances: bool,
) -> ClusterResults {
    let events = history::events(task);
    let until = at.unwrap_or_else(|| history::last_power_on(&events));
    let mut histories =
        policies.iter().map(|name| history::play(task, history::policy(name), &events, until));
    let mut shown = histories.next().expect("at least one policy");
    let mut rows = vec![row(&shown)];
    rows.extend(histories.map(|history| row(&history)));
    let refused = refused(task, &shown);
    let room = room(task, &mut shown);
    let hosts = hosts(task, &shown);
    let vms = vms(task, &shown);
    let balancing = balances.then(|| moves(task, &mut shown));
    let asked = |event: &&Event| event.is_on && event.time <= until;
    ClusterResults {
        head: task.head.clone(),
        policy: shown.policy.name,
        is_vsphere: shown.policy.is_vsphere,
        assignment: match task.assignment {
            Assignment::Consolidate => "consolidate",
            Assignment::Spread => "spread",
        },
        vgpu_mode: if task.is_mixed { "mixed-size" } else { "equal-size" },
        at_s: until.as_secs_f64(),
        counts: ClusterCounts {
            hosts: hosts.len() as u32,
            cards: hosts.iter().map(|host| host.cards.len() as u32).sum(),
            asked: events.iter().filter(asked).count() as u32,
            placed: shown.placed,
            refused: refused.len() as u32,
            on: vms.len() as u32,
        },
        hosts,
        vms,
        refused,
        room,
        policies: rows,
        balancing,
    }
}

/// Every policy, the one of the file first.
pub fn all_policies(first: &'static str) -> Vec<&'static str> {
    let others = POLICIES.iter().map(|entry| entry.name).filter(|name| *name != first);
    std::iter::once(first).chain(others).collect()
}

fn row(history: &History<'_>) -> ClusterPolicy {
    let cluster = &history.cluster;
    let cards = cluster.hosts.iter().flat_map(|host| &host.cards);
    let free = (0..cluster.hosts.len()).map(|host| history::free_of(cluster, host).get());
    ClusterPolicy {
        policy: history.policy.name,
        about: history.policy.about,
        is_vsphere: history.policy.is_vsphere,
        placed: history.placed,
        refused: history.refused.len() as u32,
        hosts_in_use: cluster.hosts.iter().filter(|host| host.used().vms > 0).count() as u32,
        cards_in_use: cards.filter(|card| !card.residents.is_empty()).count() as u32,
        free_gib: gib(Bytes::new(free.sum())),
        placeable: history.placeable,
    }
}

fn refused(task: &ClusterTask, history: &History<'_>) -> Vec<NotPlaced> {
    let (names, groups) = (task.vm_names(), task.groups());
    let each = history.refused.iter().map(|(time, vm, why)| {
        let group = &task.vms[groups[*vm]];
        NotPlaced {
            vm: names[*vm].clone(),
            gpus: group.what.clone(),
            at_s: time.as_secs_f64(),
            because: because(task, group, why),
        }
    });
    each.collect()
}

fn room(task: &ClusterTask, history: &mut History<'_>) -> Vec<ClusterRoom> {
    let cluster = &mut history.cluster;
    let mut by_kind: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, group) in task.vms.iter().enumerate() {
        let kind = cluster.kinds.binary_search(&group.kind).expect("its kind");
        by_kind.entry(kind).or_default().push(index);
    }
    let mut rows: Vec<(usize, ClusterRoom)> = Vec::new();
    for (kind, groups) in by_kind {
        let Some(found) = stranded(cluster, kind) else { continue };
        let parts = found.causes.iter();
        let row = ClusterRoom {
            gpus: task.vms[groups[0]].what.clone(),
            vms: groups.iter().map(|group| task.vms[*group].name.clone()).collect(),
            free_gib: gib(found.free),
            more: found.vms,
            placeable_gib: gib(found.placeable),
            stranded: parts
                .map(|(cause, bytes)| StrandedPart { cause: cause.word(), gib: gib(*bytes) })
                .collect(),
        };
        rows.push((groups[0], row));
    }
    // In the order of the file.
    rows.sort_by_key(|(group, _)| *group);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn hosts(task: &ClusterTask, history: &History<'_>) -> Vec<ClusterHost> {
    let cluster = &history.cluster;
    let (names, vms) = (task.host_names(), task.vm_names());
    let models = task
        .hosts
        .iter()
        .flat_map(|group| std::iter::repeat_n(&group.model, group.hosts() as usize));
    let each = cluster.hosts.iter().zip(names).zip(models).map(|((host, name), model)| {
        let used = host.used();
        let cards = host.cards.iter().enumerate().map(|(number, card)| {
            let model = &cluster.models[card.model];
            let mode = card.mode(model);
            let mut residents: Vec<(u32, usize, Ask)> = Vec::new();
            let on_it = card.residents.iter();
            residents.extend(on_it.map(|one| (one.start, one.vm, one.ask)));
            residents.sort_unstable();
            let mut from = 0.0;
            let residents = residents.into_iter().map(|(start, vm, ask)| {
                let span = span(model, mode, ask, start, from);
                from = span[1];
                ClusterResident {
                    vm: vms[vm].clone(),
                    r#type: name_of(model, ask),
                    start: has_start(mode).then_some(start),
                    span,
                }
            });
            ClusterCard {
                card: number as u32,
                gpu: model.name.to_string(),
                mode: mode_word(mode),
                frame_buffer_gib: gib(model.memory),
                free_gib: gib(card.free(model)),
                residents: residents.collect(),
                end: match mode {
                    CardMode::MixedSize => f64::from(model.region()),
                    CardMode::Mig => f64::from(Geometry::new(model.profiles).memory_slices.max(1)),
                    _ => gib(model.memory),
                },
            }
        });
        ClusterHost {
            host: name,
            model: model.clone(),
            is_failover: host.is_failover,
            vms: used.vms,
            vcpus: used.vcpus,
            logical_processors: host.processors,
            cpu_reserved_mhz: used.cpu as f64 / 1000.0,
            memory_used_gib: gib(used.memory),
            memory_gib: gib(host.memory),
            cards: cards.collect(),
        }
    });
    each.collect()
}

fn vms(task: &ClusterTask, history: &History<'_>) -> Vec<ClusterVm> {
    let cluster = &history.cluster;
    let (hosts, names, groups) = (task.host_names(), task.vm_names(), task.groups());
    let each = names.into_iter().enumerate().filter_map(|(vm, name)| {
        let placed = cluster.place_of(vm)?;
        let starts = placed.seats.iter().filter_map(|seat| {
            let card = &cluster.hosts[placed.host].cards[seat.card];
            has_start(card.mode(&cluster.models[card.model])).then_some(seat.start)
        });
        Some(ClusterVm {
            vm: name,
            gpus: task.vms[groups[vm]].what.clone(),
            host: hosts[placed.host].clone(),
            cards: cards_of(placed),
            starts: starts.collect(),
        })
    });
    each.collect()
}

fn cards_of(placed: &Placed) -> Vec<u32> {
    placed.seats.iter().map(|seat| seat.card as u32).collect()
}

fn moves(task: &ClusterTask, history: &mut History<'_>) -> Vec<ClusterMove> {
    let (hosts, names, groups) = (task.host_names(), task.vm_names(), task.groups());
    let moves = balancing_moves(&mut history.cluster, MOVES_MAX);
    let each = moves.into_iter().map(|one| ClusterMove {
        vm: names[one.vm].clone(),
        gpus: task.vms[groups[one.vm]].what.clone(),
        from: hosts[one.from.host].clone(),
        to: hosts[one.to.host].clone(),
        cards: cards_of(&one.to),
        held_gib: gib(one.held),
    });
    each.collect()
}

fn has_start(mode: CardMode) -> bool {
    matches!(mode, CardMode::MixedSize | CardMode::Mig)
}

fn mode_word(mode: CardMode) -> &'static str {
    match mode {
        CardMode::Free => "free",
        CardMode::Passthrough => "passthrough",
        CardMode::EqualSize => "equal-size",
        CardMode::MixedSize => "mixed-size",
        CardMode::Mig => "mig",
        CardMode::Parts => "parts",
    }
}

fn name_of(model: &CardModel<'_>, ask: Ask) -> String {
    match ask {
        Ask::Whole => "whole".to_string(),
        Ask::Vgpu(kind) => model.types[kind].name.clone(),
        Ask::Instance(profile) => model.profiles[profile].name.clone(),
        Ask::Part(milli) => format!("{milli}/1000"),
    }
}

/// Where something begins and ends, in the unit of the card's mode; `from` is the end of the one
/// before it.
fn span(model: &CardModel<'_>, mode: CardMode, ask: Ask, start: u32, from: f64) -> [f64; 2] {
    let start = f64::from(start);
    match mode {
        CardMode::MixedSize => {
            let Ask::Vgpu(kind) = ask else { return [start, start] };
            let size = model.types[kind].mixed_size.placements().map_or(1, |(_, size)| size);
            [start, start + f64::from(size)]
        }
        CardMode::Mig => {
            let size = model.profile_of(ask).map_or(1, |one| model.profiles[one].memory_slices);
            [start, start + f64::from(size)]
        }
        _ => [from, from + gib(model.frame_buffer(ask))],
    }
}

fn gib(bytes: Bytes) -> f64 {
    bytes.get() as f64 / (1u64 << 30) as f64
}
