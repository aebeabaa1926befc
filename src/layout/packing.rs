//! Packing GPU instances on several cards: an exact search over the layouts of one.
//!
//! It finds layouts whenever there are any. The order in which a driver reaches them is found in
//! `creation`.

use super::geometry::{Geometry, Positioned};
use std::collections::{BTreeMap, BTreeSet};

/// Layouts of at most `cards` cards that hold at least `wanted` instances of each profile, if there
/// are any. Each is maximal among the profiles that are wanted at all.
pub fn pack(geometry: &Geometry<'_>, wanted: &[u32], cards: usize) -> Option<Vec<Vec<Positioned>>> {
    let among = |profile: usize| wanted[profile] > 0;
    let layouts = geometry.layouts(&among);
    let maximal = layouts.into_iter().filter(|layout| geometry.is_maximal(layout, &among));
    let distinct: BTreeMap<Vec<u32>, Vec<Positioned>> =
        maximal.map(|layout| (geometry.counts(&layout), layout)).collect();
    let mut search =
        Packing { geometry, distinct: distinct.keys().cloned().collect(), vain: BTreeSet::new() };
    let chosen = search.choose(wanted, cards)?;
    Some(chosen.into_iter().map(|index| distinct[&search.distinct[index]].clone()).collect())
}

/// The search for layouts of several cards.
struct Packing<'a> {
    geometry: &'a Geometry<'a>,
    /// What each maximal layout has of each profile, every multiset once.
    distinct: Vec<Vec<u32>>,
    /// Cards left and instances wanted that were tried in vain.
    vain: BTreeSet<(usize, Vec<u32>)>,
}

impl Packing<'_> {
    /// Some card must have an instance of the largest profile that is still wanted: the choice is
    /// which maximal layout that card has. What was tried in vain is not tried again.
    fn choose(&mut self, wanted: &[u32], cards: usize) -> Option<Vec<usize>> {
        let profiles = self.geometry.profiles;
        let size =
            |profile: usize| (profiles[profile].memory_slices, profiles[profile].compute_slices);
        let left = (0..wanted.len()).filter(|&profile| wanted[profile] > 0);
        let Some(largest) = left.max_by_key(|&profile| size(profile)) else {
            return Some(Vec::new());
        };
        let state = (cards, wanted.to_vec());
        if !self.may_fit(wanted, cards) || self.vain.contains(&state) {
            return None;
        }
        let weigh = |rest: &[u32]| self.geometry.memory_of(rest);
        for (rest, index) in after_choices(&self.distinct, wanted, largest, weigh) {
            if let Some(mut chosen) = self.choose(&rest, cards - 1) {
                chosen.insert(0, index);
                return Some(chosen);
            }
        }
        self.vain.insert(state);
        None
    }

    /// Bounds that hold for any layouts: slices, media engines, instances of each profile.
    fn may_fit(&self, wanted: &[u32], cards: usize) -> bool {
        let (geometry, cards) = (self.geometry, cards as u32);
        let mut counts = geometry.profiles.iter().zip(wanted);
        geometry.memory_of(wanted) <= geometry.memory_slices * cards
            && geometry.compute_of(wanted) <= geometry.compute_slices * cards
            && geometry.has_media(wanted, cards)
            && counts.all(|(profile, &count)| count <= profile.max_per_gpu * cards)
    }
}

/// The rest of `wanted` after each choice for one card that has some of the kind `largest`, with
/// the choice's index; the smallest rest first. A choice that leaves at least as much of everything
/// as another is skipped.
pub(super) fn after_choices<W: Ord>(
    choices: &[Vec<u32>],
    wanted: &[u32],
    largest: usize,
    weigh: impl Fn(&[u32]) -> W,
) -> Vec<(Vec<u32>, usize)> {
    let after = |index: usize| -> Vec<u32> {
        let pairs = wanted.iter().zip(&choices[index]);
        pairs.map(|(want, has)| want.saturating_sub(*has)).collect()
    };
    let with_it = (0..choices.len()).filter(|&index| choices[index][largest] > 0);
    let mut all: Vec<_> = with_it.map(|index| (after(index), index)).collect();
    all.sort_by_key(|(rest, index)| (weigh(rest), *index));
    let mut kept: Vec<(Vec<u32>, usize)> = Vec::new();
    for (rest, index) in all {
        let beaten = |better: &Vec<u32>| better.iter().zip(&rest).all(|(a, b)| a <= b);
        if !kept.iter().any(|(better, _)| beaten(better)) {
            kept.push((rest, index));
        }
    }
    kept
}
