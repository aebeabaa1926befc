//! Time-sliced vGPUs on several cards.
//!
//! In equal-size mode all vGPUs of a card have the same frame buffer; in mixed-size mode each lies
//! at one of its printed placement ids (NVIDIA AI Enterprise User Guide v5.0). How they take turns
//! is not considered here.

use super::cover::{Cover, Covered};
use super::{CardMode, CardPlan, Doubt, SideNeed, SizeMode, VgpuPlace, fewest, hold, level};
use crate::layout::mixed_size::{self, Ids};
use crate::layout::placement::Assignment;
use crate::spec::{GpuSpec, MixedSize, VgpuType};
use crate::units::Bytes;
use std::collections::BTreeSet;

/// The time-sliced types that are wanted, and the search for cards to hold them.
#[derive(Clone, Debug)]
pub(super) struct Sliced<'a> {
    mode: SizeMode,
    /// Memory of a card, or the frame buffer of its largest type where that is named larger.
    memory: Bytes,
    /// Largest frame buffer first.
    classes: Vec<Class<'a>>,
    search: Cover,
}

/// Types that are alike in everything but their name, such as a C and a Q type.
#[derive(Clone, Debug)]
struct Class<'a> {
    kinds: Vec<usize>,
    of: &'a VgpuType,
}

impl<'a> Sliced<'a> {
    /// Prepares a search for at most `wanted` of each type.
    pub(super) fn new(gpu: &'a GpuSpec, mode: SizeMode, wanted: &[u32]) -> Self {
        let mut classes: Vec<Class<'a>> = Vec::new();
        let types = gpu.vgpu_types.iter().enumerate();
        for (kind, of) in types.filter(|(kind, of)| wanted[*kind] > 0 && of.is_time_sliced()) {
            let figures = |of: &VgpuType| (of.frame_buffer, of.max_per_gpu, of.mixed_size.clone());
            match classes.iter_mut().find(|class| figures(class.of) == figures(of)) {
                Some(class) => class.kinds.push(kind),
                None => classes.push(Class { kinds: vec![kind], of }),
            }
        }
        classes.sort_by_key(|class| std::cmp::Reverse(class.of.frame_buffer));
        let largest = gpu.vgpu_types.iter().map(|vgpu| vgpu.frame_buffer).max();
        let memory = largest.unwrap_or(Bytes::ZERO).max(gpu.memory.value);
        let mut sliced = Self { mode, memory, classes, search: Cover::default() };
        sliced.search = sliced.search_for(wanted, u32::MAX);
        sliced
    }

    /// The fewest cards that hold `wanted` of each type.
    pub(super) fn need(&mut self, wanted: &[u32]) -> SideNeed {
        let counts = self.counts(wanted);
        let need = fewest(&mut self.search, &counts);
        let hidden =
            |class: &Class<'_>| matches!(class.of.mixed_size, MixedSize::NotPublished { .. });
        let used = self.classes.iter().zip(&counts).filter(|(_, count)| **count > 0);
        let is_open = self.mode == SizeMode::Mixed
            && used.clone().count() > 1
            && used.clone().any(|(class, _)| hidden(class));
        if !is_open {
            return need;
        }
        // Placement ids that nobody has published may be better than none, but no better than this.
        let by_maximum = used.clone().map(|(class, count)| count.div_ceil(class.of.max_per_gpu));
        let all: u64 =
            used.map(|(class, count)| class.of.frame_buffer.get() * u64::from(*count)).sum();
        let by_memory = all.div_ceil(self.memory.get()) as usize;
        let least = by_memory.max(by_maximum.max().unwrap_or(0) as usize).min(need.cards);
        SideNeed { least, doubt: (least < need.cards).then_some(Doubt::NotPublished), ..need }
    }

    /// Whether `cards` cards certainly hold `wanted` of each type, by a short search.
    pub(super) fn covers(&mut self, wanted: &[u32], cards: usize) -> bool {
        let counts = self.counts(wanted);
        matches!(self.search.cover_soon(&counts, cards), Covered::By(_))
    }

    fn counts(&self, wanted: &[u32]) -> Vec<u32> {
        let of_class = |class: &Class<'_>| class.kinds.iter().map(|&kind| wanted[kind]).sum();
        self.classes.iter().map(of_class).collect()
    }

    fn search_for(&self, wanted: &[u32], most: u32) -> Cover {
        let counts = self.counts(wanted);
        let mut choices = BTreeSet::new();
        for (index, class) in self.classes.iter().enumerate() {
            let mut choice = vec![0; counts.len()];
            choice[index] = class.of.max_per_gpu.min(counts[index]).min(most);
            choices.insert(choice);
        }
        for (one, other) in self.alike() {
            // Types of one size and different maxima: no more in all than of any of them.
            let all = self.classes[one].of.max_per_gpu.min(self.classes[other].of.max_per_gpu);
            let all = all.min(most);
            for first in 1..all.min(counts[one] + 1) {
                let mut choice = vec![0; counts.len()];
                (choice[one], choice[other]) = (first, (all - first).min(counts[other]));
                choices.insert(choice);
            }
        }
        if self.mode == SizeMode::Mixed {
            choices.extend(mixed_size::richest(&self.ids(), &counts, most));
        }
        let sizes = self.classes.iter().map(|class| class.of.frame_buffer.get() >> 20).collect();
        Cover::new(mixed_size::undominated(choices), sizes, Vec::new())
    }

    /// Plans for `wanted` of each type on at most `cards` cards, which are enough.
    pub(super) fn plans(
        &mut self,
        wanted: &[u32],
        cards: usize,
        assignment: Assignment,
    ) -> Vec<CardPlan> {
        let counts = self.counts(wanted);
        let all: u32 = counts.iter().sum();
        if all == 0 {
            return Vec::new();
        }
        let mut chosen = fewest(&mut self.search, &counts).chosen;
        if assignment == Assignment::Spread {
            // The fewest vGPUs on the fullest card.
            let most = hold(&chosen, &counts).iter().map(|card| card.iter().sum()).max();
            let limits = all.div_ceil(cards as u32)..most.unwrap_or(all);
            let flatter = limits.into_iter().find_map(|most| {
                match self.search_for(wanted, most).cover_soon(&counts, cards) {
                    Covered::By(chosen) => Some(chosen),
                    _ => None,
                }
            });
            chosen = flatter.unwrap_or(chosen);
        }
        let mut held = hold(&chosen, &counts);
        if assignment == Assignment::Spread {
            held.resize(cards, vec![0; counts.len()]);
            level(&mut held, |counts| self.takes(counts));
        }
        let mut kinds: Vec<_> = self.classes.iter().map(|class| queue(class, wanted)).collect();
        let used = held.into_iter().filter(|counts| counts.iter().any(|&count| count > 0));
        used.map(|counts| self.plan(&counts, &mut kinds)).collect()
    }

    /// Whether one card takes so many of each class.
    fn takes(&self, counts: &[u32]) -> bool {
        self.is_equal_size(counts)
            || (self.mode == SizeMode::Mixed && mixed_size::place(&self.ids(), counts).is_some())
    }

    fn plan(&self, counts: &[u32], kinds: &mut [std::vec::IntoIter<usize>]) -> CardPlan {
        let mut next = |class: usize| kinds[class].next().expect("as many as are wanted");
        if self.is_equal_size(counts) {
            let each = counts.iter().enumerate();
            let all = each.flat_map(|(class, &count)| std::iter::repeat_n(class, count as usize));
            let vgpus = all.map(|class| VgpuPlace { kind: next(class), start: None }).collect();
            return CardPlan { mode: CardMode::EqualSize, vgpus };
        }
        let places = mixed_size::place(&self.ids(), counts).expect("a choice that fits");
        let each = places.iter().enumerate();
        let mut vgpus: Vec<VgpuPlace> = each
            .flat_map(|(class, ids)| ids.iter().map(move |&id| (class, id)))
            .map(|(class, id)| VgpuPlace { kind: next(class), start: Some(id) })
            .collect();
        vgpus.sort_by_key(|vgpu| vgpu.start);
        CardPlan { mode: CardMode::MixedSize, vgpus }
    }

    /// Whether all have one frame buffer, and are no more than a card of equal-size vGPUs takes of any
    /// of them.
    fn is_equal_size(&self, counts: &[u32]) -> bool {
        let used = self.classes.iter().zip(counts).filter(|(_, count)| **count > 0);
        let used: Vec<(&VgpuType, u32)> = used.map(|(class, count)| (class.of, *count)).collect();
        let all: u32 = used.iter().map(|(_, count)| count).sum();
        used.iter()
            .all(|(of, _)| of.frame_buffer == used[0].0.frame_buffer && all <= of.max_per_gpu)
    }

    /// Pairs of classes that have the same frame buffer, and differ in how many a card takes.
    fn alike(&self) -> Vec<(usize, usize)> {
        let size = |class: usize| self.classes[class].of.frame_buffer;
        let after = |one: usize| {
            (one + 1..self.classes.len()).filter(move |&other| size(one) == size(other))
        };
        (0..self.classes.len()).flat_map(|one| after(one).map(move |other| (one, other))).collect()
    }

    /// The placement ids of the classes; none where they are not printed.
    fn ids(&self) -> Vec<Ids<'a>> {
        let of_class = |class: &Class<'a>| match &class.of.mixed_size {
            MixedSize::Printed { ids, size } => Ids { ids, size: *size },
            _ => Ids { ids: &[], size: 1 },
        };
        self.classes.iter().map(of_class).collect()
    }
}

/// The types of a class, one for each vGPU, in order.
fn queue(class: &Class<'_>, wanted: &[u32]) -> std::vec::IntoIter<usize> {
    let each = class.kinds.iter();
    let all = each.flat_map(|&kind| std::iter::repeat_n(kind, wanted[kind] as usize));
    all.collect::<Vec<_>>().into_iter()
}
