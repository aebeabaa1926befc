//! vGPUs beside those that a card already has: whether they fit, and if not, which must be moved on
//! the card or removed from it.
//!
//! A running vGPU keeps its place, and a card with vGPUs keeps its mode: both change only while VMs
//! are off. Where the place of a vGPU is not given, it may have any free place.

use super::{CardMode, CardPlan, VgpuPlace};
use crate::layout::mixed_size::{Ids, free_ids, place};
use crate::layout::placement::{Assignment, Cards, Claim};
use crate::spec::{GpuSpec, MixedSize, VgpuType};
use std::collections::BTreeMap;

/// Whether vGPUs fit beside existing ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beside {
    /// They fit: the plan, existing vGPUs first, in their order.
    Fits(CardPlan),
    /// The existing vGPUs cannot share a card at all.
    NotThere,
    /// They do not fit, and this change would make room; nothing where not even an empty card holds
    /// them.
    Change(Option<Room>),
    /// That depends on placement ids that are not published.
    NotPublished,
}

/// A way to make room; vGPUs by index into the existing ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// Those that are moved on the card: powered off, and on again once the new ones run.
    pub moved: Vec<usize>,
    /// Those that are removed.
    pub gone: Vec<usize>,
    /// The card after the change, the remaining existing vGPUs first, in their order.
    pub plan: CardPlan,
}

/// Most ways that are looked at. Beyond, only whether everything may go elsewhere is.
const WAYS_MAX: usize = 100_000;

/// Whether `wanted` (indices of types) fit beside the vGPUs `there`; with `mixed` the card is in
/// mixed-size mode although no placement id is given.
pub fn beside(gpu: &GpuSpec, there: &[VgpuPlace], wanted: &[usize], mixed: bool) -> Beside {
    let mixed = mixed || there.iter().any(|one| one.start.is_some());
    let card = Card { gpu, mixed };
    let all = there.iter().map(|one| one.kind).chain(wanted.iter().copied());
    let hidden = |kind: usize| matches!(card.of(kind).mixed_size, MixedSize::NotPublished { .. });
    if mixed && all.into_iter().any(hidden) {
        return Beside::NotPublished;
    }
    if card.hold(there, &[]).is_none() {
        return Beside::NotThere;
    }
    match card.hold(there, wanted) {
        Some(plan) => Beside::Fits(plan),
        None => Beside::Change(card.room(there, wanted)),
    }
}

struct Card<'a> {
    gpu: &'a GpuSpec,
    mixed: bool,
}

impl Card<'_> {
    fn of(&self, kind: usize) -> &VgpuType {
        &self.gpu.vgpu_types[kind]
    }

    /// The card with `fixed` as they are and `free` anywhere.
    fn hold(&self, fixed: &[VgpuPlace], free: &[usize]) -> Option<CardPlan> {
        let all: Vec<usize> = fixed.iter().map(|one| one.kind).chain(free.to_vec()).collect();
        let sliced = all.iter().filter(|&&kind| self.of(kind).is_time_sliced()).count();
        if sliced == 0 {
            return self.instances(fixed, free);
        }
        if sliced < all.len() {
            return None;
        }
        let size = self.of(all[0]).frame_buffer;
        let alike = all.iter().all(|&kind| self.of(kind).frame_buffer == size);
        match (alike, self.mixed) {
            (true, false) => self.equal(&all),
            // A card changes its mode while it has no vGPU.
            (false, false) if !fixed.is_empty() => None,
            _ => self.mixed(fixed, free),
        }
    }

    fn equal(&self, all: &[usize]) -> Option<CardPlan> {
        let most = all.iter().map(|&kind| self.of(kind).max_per_gpu).min().unwrap_or(0);
        if all.len() > most as usize {
            return None;
        }
        let vgpus = all.iter().map(|&kind| VgpuPlace { kind, start: None });
        Some(CardPlan { mode: CardMode::EqualSize, vgpus: vgpus.collect() })
    }

    fn mixed(&self, fixed: &[VgpuPlace], free: &[usize]) -> Option<CardPlan> {
        let mut taken: Vec<(u32, u32)> = Vec::new();
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for one in fixed {
            let (ids, size) = self.ids(one.kind)?;
            match one.start {
                Some(at)
                    if !ids.contains(&at)
                        || !free_ids(Ids { ids: &[at], size }, &taken).contains(&at) =>
                {
                    return None;
                }
                Some(at) => taken.push((at, size)),
                None => *counts.entry(one.kind).or_default() += 1,
            }
        }
        for &kind in free {
            self.ids(kind)?;
            *counts.entry(kind).or_default() += 1;
        }
        let kinds: Vec<usize> = counts.keys().copied().collect();
        let left: Vec<(Vec<u32>, u32)> = kinds
            .iter()
            .filter_map(|&kind| {
                let (ids, size) = self.of(kind).mixed_size.placements()?;
                Some((free_ids(Ids { ids, size }, &taken), size))
            })
            .collect();
        let types: Vec<Ids<'_>> = left.iter().map(|(ids, size)| Ids { ids, size: *size }).collect();
        let counts: Vec<u32> = counts.into_values().collect();
        let places = place(&types, &counts)?;
        let mut next: BTreeMap<usize, std::vec::IntoIter<u32>> =
            kinds.into_iter().zip(places.into_iter().map(Vec::into_iter)).collect();
        let mut anywhere = |kind: usize| next.get_mut(&kind).and_then(Iterator::next);
        let mut vgpus = Vec::new();
        for one in fixed {
            let start = one.start.or_else(|| anywhere(one.kind));
            vgpus.push(VgpuPlace { kind: one.kind, start });
        }
        vgpus.extend(free.iter().map(|&kind| VgpuPlace { kind, start: anywhere(kind) }));
        Some(CardPlan { mode: CardMode::MixedSize, vgpus })
    }

    fn ids(&self, kind: usize) -> Option<(&[u32], u32)> {
        self.of(kind).mixed_size.placements()
    }

    /// GPU instances: those that are named have their first memory slice; vGPUs of one type share
    /// one where the type is shared, up to its maximum.
    fn instances(&self, fixed: &[VgpuPlace], free: &[usize]) -> Option<CardPlan> {
        let free = free.iter().map(|&kind| VgpuPlace { kind, start: None });
        let all: Vec<VgpuPlace> = fixed.iter().copied().chain(free).collect();
        // Type and vGPUs of each instance.
        let mut instances: Vec<(VgpuPlace, Vec<usize>)> = Vec::new();
        let named = |one: &VgpuPlace| one.start.is_some();
        let (first, second): (Vec<usize>, Vec<usize>) =
            (0..all.len()).partition(|&at| named(&all[at]));
        for at in first.into_iter().chain(second) {
            let one = all[at];
            let most = self.of(one.kind).max_per_instance as usize;
            let shared = instances.iter_mut().find(|(instance, has)| {
                let same = instance.kind == one.kind && has.len() < most;
                same && (one.start.is_none() || one.start == instance.start)
            });
            match shared {
                Some((_, has)) => has.push(at),
                None => instances.push((one, vec![at])),
            }
        }
        let profiles = &self.gpu.mig_profiles;
        let claims = instances.iter().map(|(instance, _)| {
            let named = self.of(instance.kind).profile.as_deref()?;
            let profile = profiles.iter().position(|profile| profile.name == named)?;
            Some(Claim::Instance { profile })
        });
        let claims: Vec<Claim> = claims.collect::<Option<_>>()?;
        let starts: Vec<Option<u32>> = instances.iter().map(|(one, _)| one.start).collect();
        let cards = Cards { count: 1, profiles };
        let places = cards.place_at(Assignment::Consolidate, &claims, &starts)?;
        let mut vgpus = all;
        for ((_, has), place) in instances.iter().zip(places) {
            has.iter().for_each(|&at| vgpus[at].start = Some(place.start));
        }
        Some(CardPlan { mode: CardMode::Instances, vgpus })
    }

    /// The least that makes room: by moving alone, else what must go with nothing moved, or, where
    /// that is less, with the others moved.
    fn room(&self, there: &[VgpuPlace], wanted: &[usize]) -> Option<Room> {
        let count = there.len();
        let mut ways = WAYS_MAX;
        if let Some(plan) = self.with(there, wanted, &vec![true; count]) {
            let fewest = subsets(count, &mut ways, |moved| self.with(there, wanted, moved));
            let (moved, plan) = fewest.unwrap_or((vec![true; count], plan));
            return Some(Room { moved: chosen(&moved), gone: Vec::new(), plan });
        }
        let left = |gone: &[bool]| {
            let stay: Vec<usize> = (0..count).filter(|&at| !gone[at]).collect();
            stay.iter().map(|&at| there[at]).collect::<Vec<_>>()
        };
        let stays =
            subsets(count, &mut ways, |gone| self.with(&left(gone), wanted, &vec![false; count]));
        let moves = subsets(count, &mut ways, |gone| {
            let left = left(gone);
            self.with(&left, wanted, &vec![true; left.len()])
        });
        let size = |way: &Option<(Vec<bool>, CardPlan)>| {
            way.as_ref().map_or(usize::MAX, |(gone, _)| chosen(gone).len())
        };
        if size(&moves) < size(&stays) {
            let (gone, plan) = moves?;
            let moved = (0..count).filter(|&at| !gone[at]).collect();
            return Some(Room { moved, gone: chosen(&gone), plan });
        }
        let (gone, plan) = stays?;
        Some(Room { moved: Vec::new(), gone: chosen(&gone), plan })
    }

    /// The card where some of what is there may lie anywhere; all that may, lets it change its mode.
    fn with(&self, there: &[VgpuPlace], wanted: &[usize], moved: &[bool]) -> Option<CardPlan> {
        let fixed: Vec<VgpuPlace> =
            there.iter().zip(moved).filter(|(_, moved)| !**moved).map(|(one, _)| *one).collect();
        let movable: Vec<usize> =
            there.iter().zip(moved).filter(|(_, moved)| **moved).map(|(one, _)| one.kind).collect();
        let free = [&movable[..], wanted].concat();
        let plan = match fixed.is_empty() {
            true => [false, true]
                .into_iter()
                .find_map(|mixed| Card { gpu: self.gpu, mixed }.hold(&[], &free)),
            false => self.hold(&fixed, &free),
        }?;
        // In the order of what is there.
        let (mut held, mut loose) = plan.vgpus.split_at(fixed.len());
        let mut vgpus = Vec::new();
        for moved in moved.iter().take(there.len()) {
            let from = if *moved { &mut loose } else { &mut held };
            let (first, rest) = from.split_first()?;
            vgpus.push(*first);
            *from = rest;
        }
        vgpus.extend(loose);
        Some(CardPlan { mode: plan.mode, vgpus })
    }
}

fn chosen(subset: &[bool]) -> Vec<usize> {
    (0..subset.len()).filter(|&at| subset[at]).collect()
}

/// The first subset of so many things, the smallest first, of which something is true.
fn subsets<T>(
    count: usize,
    ways: &mut usize,
    mut of: impl FnMut(&[bool]) -> Option<T>,
) -> Option<(Vec<bool>, T)> {
    for size in 0..=count {
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            *ways = ways.checked_sub(1)?;
            let mut subset = vec![false; count];
            chosen.iter().for_each(|&at| subset[at] = true);
            if let Some(found) = of(&subset) {
                return Some((subset, found));
            }
            let Some(at) = (0..size).rev().find(|&at| chosen[at] < count - size + at) else {
                break;
            };
            chosen[at] += 1;
            (at + 1..size).for_each(|next| chosen[next] = chosen[next - 1] + 1);
        }
    }
    None
}
