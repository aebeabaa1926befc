//! The ways in which one card can hold given VMs, by what its GPU offers; bounds that need no
//! simulation come before it.
//!
//! Types of vGPU that hold the same VMs in the same turns differ in nothing else, and the search
//! simulates only one of them.

use super::layout::{CardLayout, CardPart, Held};
use super::{CardWays, PlanKind, PlanTask};
use crate::layout::placement::{Assignment, Cards, Claim};
use crate::layout::registry::{AVERAGING_FACTOR_DEFAULT, default_slice};
use crate::spec::{Footprint, GpuSpec, TurnOrder, VgpuType, VmSpec};
use crate::units::Bytes;
use std::collections::BTreeMap;

/// How many VMs of each kind.
pub(super) type Counts = Vec<u32>;

/// A family of ways to share a card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Family {
    /// One VM has the card.
    Whole,
    /// Time-sliced vGPUs under a policy, by its index in the task.
    Sliced(usize),
    /// GPU instances.
    Cut,
    /// CUDA processes.
    Processes,
}

/// The usual order of turns.
const ROUND_ROBIN: TurnOrder = TurnOrder::RoundRobin { averaging_factor: AVERAGING_FACTOR_DEFAULT };

/// More combinations of profiles for the kinds of one card are not looked at.
const CUTS_MAX: usize = 400;

/// A way to hold VMs on a card, with the largest batch of each kind there; smaller ones may follow.
#[derive(Clone, Debug)]
pub(super) struct CardOption {
    pub(super) card: CardLayout,
    /// For each part, the largest batch that its memory holds, and whether the file's is larger.
    pub(super) caps: Vec<(u32, bool)>,
}

/// Why ways were left out, with how many.
pub(super) type Pruned = BTreeMap<&'static str, u64>;

pub(super) const BY_MEMORY: &str = "frame buffer";
pub(super) const BY_PLACE: &str = "no place on a card";

/// All options of a family.
pub(super) fn of_family(
    task: &PlanTask,
    cards: usize,
    counts: &[u32],
    family: Family,
    pruned: &mut Pruned,
) -> Vec<CardOption> {
    let gpu = &task.cards[cards].gpu;
    let all: u32 = counts.iter().sum();
    let make = |held: &dyn Fn(usize) -> (Held, Bytes), pruned: &mut Pruned| {
        option(task, cards, counts, held, pruned)
    };
    match family {
        Family::Whole if all == 1 => {
            make(&|_| (Held::Whole, gpu.memory.value), pruned).into_iter().collect()
        }
        Family::Whole => Vec::new(),
        Family::Sliced(_) if all < 2 => Vec::new(),
        Family::Sliced(_) => {
            let mut types: Vec<&VgpuType> = gpu.vgpu_types.iter().filter(is_sliced).collect();
            // Of one size the type for compute (C): others bring graphics, and a licence for it.
            let rank = |vgpu: &&VgpuType| {
                let size = std::cmp::Reverse(vgpu.frame_buffer);
                (size, !vgpu.name.ends_with('C'), vgpu.name.clone())
            };
            types.sort_by_key(rank);
            types.retain(|vgpu| vgpu.max_per_gpu >= all);
            // The largest type that holds all: it has the most memory and, under fixed share, the
            // largest share. Of types with shorter slices again the largest.
            let slices = |vgpu: &VgpuType| default_slice(ROUND_ROBIN, vgpu.max_per_gpu);
            types.dedup_by_key(|vgpu| slices(vgpu));
            let each = types.into_iter().filter_map(|vgpu| {
                make(&|_| (Held::Sliced(vgpu.name.clone()), vgpu.frame_buffer), pruned)
            });
            each.collect()
        }
        Family::Cut => cuts(task, cards, counts, pruned),
        Family::Processes if all < 2 => Vec::new(),
        Family::Processes => {
            let mut found = Vec::new();
            for word in ["time-slicing", "mps"] {
                found.extend(processes(task, cards, counts, word, pruned));
            }
            found
        }
    }
}

/// The most VMs on a card, by family: a larger set of VMs has no place there, whatever it is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    sliced: u32,
    cut: u32,
}

impl Room {
    /// That of the cards of an entry.
    pub(super) fn of(task: &PlanTask, cards: usize) -> Self {
        let gpu = &task.cards[cards].gpu;
        let sliced = gpu.vgpu_types.iter().filter(is_sliced).map(|vgpu| vgpu.max_per_gpu);
        let cut = gpu.mig_profiles.iter().map(|profile| profile.max_per_gpu);
        Self { sliced: sliced.max().unwrap_or(0), cut: cut.max().unwrap_or(0) }
    }

    /// In ways of a family.
    pub(super) fn in_family(self, family: Family) -> u32 {
        /// Clients of one MPS server.
        const PROCESSES_MAX: u32 = 48;
        match family {
            Family::Whole => 1,
            Family::Sliced(_) => self.sliced,
            Family::Cut => self.cut,
            Family::Processes => PROCESSES_MAX,
        }
    }

    /// In any way of these families.
    pub(super) fn in_any(self, families: &[Family]) -> u32 {
        families.iter().map(|family| self.in_family(*family)).max().unwrap_or(0)
    }
}

fn is_sliced(vgpu: &&VgpuType) -> bool {
    vgpu.profile.is_none() && vgpu.runs_cuda()
}

/// What a GPU instance is for a VM: its profile, its frame buffer, and what the VM has.
fn instances(task: &PlanTask, gpu: &GpuSpec) -> Vec<(usize, Bytes, Held)> {
    let place = |name: &str| gpu.mig_profiles.iter().position(|one| one.name == name);
    let mut all: Vec<(usize, Bytes, Held)> = match task.ways {
        CardWays::VirtualGpus => gpu
            .vgpu_types
            .iter()
            .filter(|vgpu| vgpu.runs_cuda() && !vgpu.shares_instance())
            .filter_map(|vgpu| {
                let profile = place(vgpu.profile.as_deref()?)?;
                gpu.mig_profiles[profile].sms?;
                let usable = gpu.mig_profiles[profile].frame_buffer.into_iter();
                let memory = usable.chain([vgpu.frame_buffer]).min()?;
                Some((profile, memory, Held::Backed(vgpu.name.clone())))
            })
            .collect(),
        CardWays::WholeCards => Vec::new(),
        CardWays::BareMetal => (0..gpu.mig_profiles.len())
            .filter_map(|index| {
                let profile = &gpu.mig_profiles[index];
                profile.sms?;
                Some((index, profile.frame_buffer?, Held::Instance(profile.name.clone())))
            })
            .collect(),
    };
    // Variants with more engines or memory of one size of SMs: each is a size of its own.
    all.sort_by_key(|(profile, memory, held)| {
        let profile = &gpu.mig_profiles[*profile];
        (profile.compute_slices, *memory, held.clone())
    });
    all.dedup_by_key(|(profile, memory, _)| {
        let profile = &gpu.mig_profiles[*profile];
        (profile.compute_slices, profile.memory_slices, *memory)
    });
    all
}

/// One size of GPU instance for each kind, where all instances have a place.
fn cuts(task: &PlanTask, cards: usize, counts: &[u32], pruned: &mut Pruned) -> Vec<CardOption> {
    let gpu = &task.cards[cards].gpu;
    let sizes = instances(task, gpu);
    let kinds: Vec<usize> = (0..counts.len()).filter(|kind| counts[*kind] > 0).collect();
    let all = sizes.len().checked_pow(kinds.len() as u32).unwrap_or(usize::MAX);
    if sizes.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for choice in 0..all.min(CUTS_MAX) {
        let mut rest = choice;
        let mut chosen = BTreeMap::new();
        for kind in &kinds {
            chosen.insert(*kind, &sizes[rest % sizes.len()]);
            rest /= sizes.len();
        }
        let claims = chosen.iter().flat_map(|(kind, (profile, ..))| {
            let claim = Claim::Instance { profile: *profile };
            std::iter::repeat_n(claim, counts[*kind] as usize)
        });
        let claims: Vec<Claim> = claims.collect();
        let one = Cards { count: 1, profiles: &gpu.mig_profiles };
        if one.place(Assignment::Consolidate, &claims).is_none() {
            *pruned.entry(BY_PLACE).or_default() += 1;
            continue;
        }
        let held = |kind: usize| (chosen[&kind].2.clone(), chosen[&kind].1);
        found.extend(option(task, cards, counts, &held, pruned));
    }
    if all > CUTS_MAX {
        *pruned.entry("more sizes of GPU instances than are looked at").or_default() +=
            (all - CUTS_MAX) as u64;
    }
    found
}

/// The option in which each VM of a kind has the same; nothing where its memory is too small.
fn option(
    task: &PlanTask,
    cards: usize,
    counts: &[u32],
    held: &dyn Fn(usize) -> (Held, Bytes),
    pruned: &mut Pruned,
) -> Option<CardOption> {
    let (mut parts, mut caps) = (Vec::new(), Vec::new());
    for (kind, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (held, memory) = held(kind);
        let own = &task.kinds[kind];
        let cap = largest_batch(&own.vm, memory).filter(|cap| is_allowed(own, *cap));
        let Some(cap) = cap else {
            *pruned.entry(BY_MEMORY).or_default() += 1;
            return None;
        };
        let is_less = cap < own.vm.server.batch_max;
        parts.push(CardPart { kind, count, held, batch_max: is_less.then_some(cap) });
        caps.push((cap, is_less));
    }
    Some(CardOption { card: CardLayout { cards, parts }, caps })
}

/// Processes have the card's memory together: all batches are halved alike until they fit.
fn processes(
    task: &PlanTask,
    cards: usize,
    counts: &[u32],
    word: &'static str,
    pruned: &mut Pruned,
) -> Option<CardOption> {
    let memory = task.cards[cards].gpu.memory.value;
    let kinds: Vec<usize> = (0..counts.len()).filter(|kind| counts[*kind] > 0).collect();
    for halved in 0..32 {
        let batch = |kind: usize| {
            let own = &task.kinds[kind];
            let halved = if own.lowers_batch { halved } else { 0 };
            (own.vm.server.batch_max >> halved).max(1)
        };
        let need = kinds.iter().fold(Bytes::ZERO, |sum, &kind| {
            sum + need(&task.kinds[kind].vm, batch(kind)) * u64::from(counts[kind])
        });
        let fits = need <= memory;
        if fits {
            let part = |&kind: &usize| {
                let is_less = batch(kind) < task.kinds[kind].vm.server.batch_max;
                let batch_max = is_less.then(|| batch(kind));
                CardPart { kind, count: counts[kind], held: Held::Process(word), batch_max }
            };
            let parts: Vec<CardPart> = kinds.iter().map(part).collect();
            let caps = parts.iter().map(|part| (batch(part.kind), part.batch_max.is_some()));
            let caps = caps.collect();
            return Some(CardOption { card: CardLayout { cards, parts }, caps });
        }
    }
    *pruned.entry(BY_MEMORY).or_default() += 1;
    None
}

fn is_allowed(kind: &PlanKind, cap: u32) -> bool {
    cap >= kind.vm.server.batch_max || kind.lowers_batch
}

/// Memory that a VM needs with batches of this size.
fn need(vm: &VmSpec, batch: u32) -> Bytes {
    let of = Footprint::of(vm);
    let all = of.need.get();
    let batches = of.per_sample.get() * u64::from(vm.server.batch_max);
    Bytes::new(all - batches + of.per_sample.get() * u64::from(batch))
}

/// The largest batch, up to the VM's own, with which it fits this memory; nothing where none does.
fn largest_batch(vm: &VmSpec, memory: Bytes) -> Option<u32> {
    if need(vm, vm.server.batch_max) <= memory {
        return Some(vm.server.batch_max);
    }
    let room = memory.get().checked_sub(need(vm, 0).get())?;
    let fitting = room / Footprint::of(vm).per_sample.get().max(1);
    u32::try_from(fitting).ok().filter(|batch| *batch > 0)
}
