//! MIG-backed vGPUs on several cards: a GPU instance for each, or for several time-sliced vGPUs of
//! one type.
//!
//! The positions of instances on one card are in `geometry`, the order in which the driver creates
//! them in `creation`. It is assumed that the vGPUs of one instance are of one type: no source
//! states that they may differ.

use super::cover::{Cover, Covered};
use super::{CardMode, CardPlan, SideNeed, VgpuPlace, fewest, hold, level};
use crate::layout::creation::order_for;
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::mixed_size::undominated;
use crate::layout::placement::Assignment;
use crate::spec::{GpuSpec, VgpuType};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The MIG-backed types that are wanted, and the search for cards to hold their instances.
#[derive(Clone, Debug)]
pub(super) struct Backed<'a> {
    types: &'a [VgpuType],
    geometry: Geometry<'a>,
    /// The profile of each type, by index.
    profiles: Vec<Option<usize>>,
    /// Every layout of the profiles that are wanted to which none of them can be added, by counts.
    layouts: BTreeMap<Vec<u32>, Vec<Positioned>>,
    search: Cover,
}

impl<'a> Backed<'a> {
    /// Prepares a search for at most `wanted` of each type.
    pub(super) fn new(gpu: &'a GpuSpec, wanted: &[u32]) -> Self {
        let geometry = Geometry::new(&gpu.mig_profiles);
        let profile = |of: &VgpuType| {
            let named = of.profile.as_deref()?;
            geometry.profiles.iter().position(|profile| profile.name == named)
        };
        let profiles: Vec<Option<usize>> = gpu.vgpu_types.iter().map(profile).collect();
        let used = profiles.iter().zip(wanted).filter(|(_, count)| **count > 0);
        let used: BTreeSet<usize> = used.filter_map(|(profile, _)| *profile).collect();
        let among = |profile: usize| used.contains(&profile);
        let all = if used.is_empty() { Vec::new() } else { geometry.layouts(&among) };
        let maximal = all.into_iter().filter(|layout| geometry.is_maximal(layout, &among));
        let layouts: BTreeMap<Vec<u32>, Vec<Positioned>> =
            maximal.map(|layout| (geometry.counts(&layout), layout)).collect();
        let memory: Vec<u64> =
            geometry.profiles.iter().map(|one| u64::from(one.memory_slices)).collect();
        let compute: Vec<u64> =
            geometry.profiles.iter().map(|one| u64::from(one.compute_slices)).collect();
        let sizes = memory.iter().zip(&compute).map(|(memory, compute)| memory * 16 + compute);
        let choices = undominated(layouts.keys().cloned().collect());
        let search = Cover::new(choices, sizes.collect(), vec![memory, compute]);
        Self { types: &gpu.vgpu_types, geometry, profiles, layouts, search }
    }

    /// The fewest cards that hold `wanted` of each type.
    pub(super) fn need(&mut self, wanted: &[u32]) -> SideNeed {
        let counts = self.counts(wanted);
        fewest(&mut self.search, &counts)
    }

    /// Whether `cards` cards certainly hold `wanted` of each type, by a short search.
    pub(super) fn covers(&mut self, wanted: &[u32], cards: usize) -> bool {
        let counts = self.counts(wanted);
        matches!(self.search.cover_soon(&counts, cards), Covered::By(_))
    }

    /// How many of the wanted vGPUs are MIG-backed.
    pub(super) fn vgpus(&self, wanted: &[u32]) -> u32 {
        let backed = self.profiles.iter().zip(wanted).filter(|(profile, _)| profile.is_some());
        backed.map(|(_, count)| count).sum()
    }

    /// Instances of each profile.
    fn counts(&self, wanted: &[u32]) -> Vec<u32> {
        let mut counts = vec![0; self.geometry.profiles.len()];
        for (kind, profile) in self.profiles.iter().enumerate() {
            if let Some(profile) = profile {
                counts[*profile] += wanted[kind].div_ceil(self.types[kind].max_per_instance);
            }
        }
        counts
    }

    /// Plans for `wanted` of each type on at most `cards` cards, which are enough.
    pub(super) fn plans(
        &mut self,
        wanted: &[u32],
        cards: usize,
        assignment: Assignment,
    ) -> Vec<CardPlan> {
        let counts = self.counts(wanted);
        let chosen = fewest(&mut self.search, &counts).chosen;
        let mut held = hold(&chosen, &counts);
        if assignment == Assignment::Spread {
            held.resize(cards, vec![0; counts.len()]);
            level(&mut held, |counts| self.layout_with(counts).is_some());
        }
        let mut seats = self.seats(wanted);
        let used = held.into_iter().filter(|counts| counts.iter().any(|&count| count > 0));
        used.map(|counts| self.plan(&counts, &mut seats)).collect()
    }

    /// A layout that has at least so many of each profile.
    fn layout_with(&self, counts: &[u32]) -> Option<&Vec<Positioned>> {
        let has = |all: &Vec<u32>| all.iter().zip(counts).all(|(more, less)| more >= less);
        self.layouts.iter().find(|(all, _)| has(all)).map(|(_, layout)| layout)
    }

    /// For each profile the instances to be made of it: the type, and how many vGPUs share it.
    fn seats(&self, wanted: &[u32]) -> Vec<VecDeque<(usize, u32)>> {
        let mut seats = vec![VecDeque::new(); self.geometry.profiles.len()];
        for (kind, profile) in self.profiles.iter().enumerate() {
            let Some(profile) = profile else { continue };
            let mut left = wanted[kind];
            while left > 0 {
                let here = left.min(self.types[kind].max_per_instance);
                seats[*profile].push_back((kind, here));
                left -= here;
            }
        }
        seats
    }

    fn plan(&self, counts: &[u32], seats: &mut [VecDeque<(usize, u32)>]) -> CardPlan {
        let instances = order_for(&self.geometry, counts).unwrap_or_else(|| self.named(counts));
        let mut vgpus = Vec::new();
        for (profile, start) in instances {
            let (kind, here) = seats[profile].pop_front().expect("a type for each instance");
            let place = VgpuPlace { kind, start: Some(start) };
            vgpus.extend(std::iter::repeat_n(place, here as usize));
        }
        CardPlan { mode: CardMode::Instances, vgpus }
    }

    /// Places that must be named, where the driver does not choose them in any order.
    fn named(&self, counts: &[u32]) -> Vec<Positioned> {
        let mut left = counts.to_vec();
        let mut layout = self.layout_with(counts).expect("a layout for what a card holds").clone();
        layout.retain(|&(profile, _)| {
            let is_used = left[profile] > 0;
            left[profile] = left[profile].saturating_sub(1);
            is_used
        });
        layout
    }
}
