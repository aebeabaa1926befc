//! Which vGPUs share which card: equal-size or mixed-size mode, MIG-backed types, several cards.
//!
//! A card is time-sliced or cut into GPU instances, never both. In equal-size mode all vGPUs of a
//! card have the same frame buffer; in mixed-size mode each lies at one of its printed placement ids
//! (NVIDIA AI Enterprise User Guide v5.0). The answer is exact: what does not fit has no arrangement
//! at all, unless the search says that it gave up. Words for it are found elsewhere.

use super::cover::{Cover, Covered};
use super::layout::Geometry;
use super::mixed_size::{self, Ids};
use super::placement::{Assignment, Cards, Claim};
use crate::spec::{GpuSpec, MixedSize, VgpuType};
use crate::units::Bytes;
use std::collections::BTreeSet;

/// What time-sliced cards may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeMode {
    /// All of them in equal-size mode, which is the default of the driver.
    Equal,
    /// Those that need it in mixed-size mode.
    Mixed,
}

/// What a card is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardMode {
    /// Nothing.
    Free,
    /// Time-sliced vGPUs of one frame buffer.
    EqualSize,
    /// Time-sliced vGPUs at placement ids.
    MixedSize,
    /// GPU instances.
    Instances,
}

/// A vGPU on a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VgpuPlace {
    /// Its type: index into the GPU's types.
    pub kind: usize,
    /// Its placement id in mixed-size mode; the first memory slice of its GPU instance.
    pub start: Option<u32>,
}

/// A card with its vGPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardPlan {
    /// What it is used for.
    pub mode: CardMode,
    /// Its vGPUs, in order of their place.
    pub vgpus: Vec<VgpuPlace>,
}

/// Whether the vGPUs fit on the cards there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// They do, in this way: one plan for each card.
    Fit(Vec<CardPlan>),
    /// No arrangement has them all.
    DoNotFit,
    /// That depends on placement ids that are not published.
    NotPublished,
    /// The search took too many steps.
    GaveUp,
}

/// How many cards vGPUs need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// Cards of time-sliced vGPUs.
    pub sliced: usize,
    /// Cards cut into GPU instances.
    pub backed: usize,
    /// Whether fewer are ruled out; if not, why.
    pub doubt: Option<Doubt>,
}

/// Why it is not known that fewer cards are too few.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Placement ids are not published.
    NotPublished,
    /// The search took too many steps.
    GaveUp,
}

/// vGPUs to be placed: how many of each type of a GPU, by index.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    gpu: &'a GpuSpec,
    mode: SizeMode,
    wanted: Vec<u32>,
}

/// Time-sliced types that are alike in everything but their name, such as a C and a Q type.
#[derive(Clone, Debug)]
struct Class<'a> {
    kinds: Vec<usize>,
    of: &'a VgpuType,
}

impl<'a> Fit<'a> {
    /// So many of each type of the GPU.
    pub fn new(gpu: &'a GpuSpec, mode: SizeMode, wanted: Vec<u32>) -> Self {
        assert_eq!(wanted.len(), gpu.vgpu_types.len(), "a number for each type");
        Self { gpu, mode, wanted }
    }

    /// Whether and how they fit on so many cards.
    pub fn on(&self, cards: usize, assignment: Assignment) -> Answer {
        let need = self.need();
        if need.sliced + need.backed > cards {
            return match need.doubt {
                None => Answer::DoNotFit,
                Some(_) if self.need_at_least() > cards => Answer::DoNotFit,
                Some(Doubt::NotPublished) => Answer::NotPublished,
                Some(Doubt::GaveUp) => Answer::GaveUp,
            };
        }
        let (sliced, backed) = match assignment {
            Assignment::Consolidate => (need.sliced, need.backed),
            Assignment::Spread => self.split(cards, &need),
        };
        let mut plans = self.sliced_plans(sliced, assignment);
        plans.extend(self.backed_plans(backed, assignment).expect("as many cards as are needed"));
        plans.resize(cards, CardPlan { mode: CardMode::Free, vgpus: Vec::new() });
        Answer::Fit(plans)
    }

    /// How many cards they need.
    pub fn need(&self) -> Need {
        let (sliced, doubt) = self.need_sliced();
        Need { sliced, backed: self.need_backed(), doubt }
    }

    /// Fewer cards cannot be enough, by frame buffer and maxima alone.
    fn need_at_least(&self) -> usize {
        let classes = self.classes();
        let region = classes.iter().map(|class| class.of.frame_buffer).max();
        let memory = region.map_or(Bytes::ZERO, |region| region.max(self.gpu.memory.value));
        let sizes = classes.iter().map(|class| class.of.frame_buffer.get());
        let all: u64 =
            sizes.zip(self.counts(&classes)).map(|(size, count)| size * u64::from(count)).sum();
        let by_memory = if all == 0 { 0 } else { all.div_ceil(memory.get()) as usize };
        let each = classes.iter().zip(self.counts(&classes));
        let by_most = each.map(|(class, count)| count.div_ceil(class.of.max_per_gpu) as usize);
        by_most.max().unwrap_or(0).max(by_memory) + self.need_backed()
    }

    /// Cards between time-sliced vGPUs and GPU instances, in proportion to their number.
    fn split(&self, cards: usize, need: &Need) -> (usize, usize) {
        let backed = (0..self.wanted.len()).filter(|&kind| !self.of(kind).is_time_sliced());
        let backed: u32 = backed.map(|kind| self.wanted[kind]).sum();
        let all: u32 = self.wanted.iter().sum();
        let share = (cards * backed as usize + all as usize / 2) / (all as usize).max(1);
        let backed = share.clamp(need.backed, cards - need.sliced);
        let backed = if need.backed == 0 { 0 } else { backed };
        (if need.sliced == 0 { 0 } else { cards - backed }, backed)
    }

    fn of(&self, kind: usize) -> &'a VgpuType {
        &self.gpu.vgpu_types[kind]
    }

    // ---- time-sliced vGPUs

    /// The time-sliced types that are wanted, largest frame buffer first.
    fn classes(&self) -> Vec<Class<'a>> {
        let mut classes: Vec<Class<'a>> = Vec::new();
        for kind in (0..self.wanted.len()).filter(|&kind| self.wanted[kind] > 0) {
            let of = self.of(kind);
            let alike = |other: &VgpuType| {
                (other.frame_buffer, other.max_per_gpu, &other.mixed_size)
                    == (of.frame_buffer, of.max_per_gpu, &of.mixed_size)
            };
            match classes.iter_mut().find(|class| alike(class.of)) {
                _ if !of.is_time_sliced() => {}
                Some(class) => class.kinds.push(kind),
                None => classes.push(Class { kinds: vec![kind], of }),
            }
        }
        classes.sort_by_key(|class| std::cmp::Reverse(class.of.frame_buffer));
        classes
    }

    fn counts(&self, classes: &[Class<'_>]) -> Vec<u32> {
        let of_class = |class: &Class<'_>| class.kinds.iter().map(|&kind| self.wanted[kind]).sum();
        classes.iter().map(of_class).collect()
    }

    /// What one card may hold of at most `most` vGPUs: the richest choices.
    fn choices(&self, classes: &[Class<'_>], most: u32) -> Vec<Vec<u32>> {
        let wanted = self.counts(classes);
        let mut all = BTreeSet::new();
        for (index, class) in classes.iter().enumerate() {
            let mut choice = vec![0; classes.len()];
            choice[index] = class.of.max_per_gpu.min(wanted[index]).min(most);
            all.insert(choice);
        }
        if self.mode == SizeMode::Mixed {
            all.extend(mixed_size::richest(&ids(classes), &wanted, most));
        }
        mixed_size::undominated(all)
    }

    fn search(&self, classes: &[Class<'_>], most: u32) -> Cover {
        let sizes = classes.iter().map(|class| class.of.frame_buffer.get() >> 20).collect();
        Cover::new(self.choices(classes, most), sizes)
    }

    /// The fewest cards of time-sliced vGPUs, and whether it is not known that it is the fewest.
    fn need_sliced(&self) -> (usize, Option<Doubt>) {
        let classes = self.classes();
        let wanted = self.counts(&classes);
        let mut search = self.search(&classes, u32::MAX);
        let mut doubt = None;
        for cards in search.least(&wanted).. {
            match search.cover(&wanted, cards) {
                Covered::By(_) => {
                    let open = self.mode == SizeMode::Mixed && classes.len() > 1;
                    let hidden = |class: &Class<'_>| {
                        matches!(class.of.mixed_size, MixedSize::NotPublished { .. })
                    };
                    let hidden = open && cards > 1 && classes.iter().any(hidden);
                    return (cards, doubt.or(hidden.then_some(Doubt::NotPublished)));
                }
                Covered::Not => {}
                Covered::GaveUp => doubt = Some(Doubt::GaveUp),
            }
        }
        unreachable!("every type has room on a card of its own")
    }

    /// Plans for time-sliced vGPUs on at most so many cards, which are enough.
    fn sliced_plans(&self, cards: usize, assignment: Assignment) -> Vec<CardPlan> {
        let classes = self.classes();
        let wanted = self.counts(&classes);
        let all: u32 = wanted.iter().sum();
        if all == 0 {
            return Vec::new();
        }
        let even = all.div_ceil(cards as u32);
        let limits = if assignment == Assignment::Spread { even..=all } else { all..=all };
        // The fewest vGPUs on the fullest card.
        let chosen = limits.into_iter().find_map(|most| {
            match self.search(&classes, most).cover(&wanted, cards) {
                Covered::By(chosen) => Some(chosen),
                _ => None,
            }
        });
        let mut left = wanted;
        let mut held: Vec<Vec<u32>> = chosen
            .expect("enough cards")
            .iter()
            .map(|choice| {
                let take = |(has, left): (&u32, &mut u32)| {
                    let taken = (*has).min(*left);
                    *left -= taken;
                    taken
                };
                choice.iter().zip(&mut left).map(take).collect()
            })
            .collect();
        if assignment == Assignment::Spread {
            held.resize(cards, vec![0; classes.len()]);
            self.level(&classes, &mut held);
        }
        let mut kinds: Vec<_> = classes.iter().map(|class| self.queue(class)).collect();
        let full = held.into_iter().filter(|counts| counts.iter().any(|&count| count > 0));
        full.map(|counts| self.plan(&classes, &counts, &mut kinds)).collect()
    }

    /// Moves vGPUs from the fullest card to emptier ones, one at a time, while that evens them out.
    fn level(&self, classes: &[Class<'_>], held: &mut [Vec<u32>]) {
        let load = |counts: &Vec<u32>| counts.iter().sum::<u32>();
        loop {
            let mut order: Vec<usize> = (0..held.len()).collect();
            order.sort_by_key(|&card| load(&held[card]));
            let pairs =
                order.iter().flat_map(|&to| order.iter().rev().map(move |&from| (from, to)));
            let mut moves = pairs
                .filter(|&(from, to)| load(&held[from]) > load(&held[to]) + 1)
                .flat_map(|(from, to)| (0..classes.len()).map(move |kind| (from, to, kind)));
            let possible = moves.find(|&(from, to, kind)| {
                let mut with = held[to].clone();
                with[kind] += 1;
                held[from][kind] > 0 && self.takes(classes, &with) && {
                    let mut less = held[from].clone();
                    less[kind] -= 1;
                    self.takes(classes, &less)
                }
            });
            let Some((from, to, kind)) = possible else { return };
            held[from][kind] -= 1;
            held[to][kind] += 1;
        }
    }

    /// Whether one card takes so many of each class.
    fn takes(&self, classes: &[Class<'_>], counts: &[u32]) -> bool {
        is_equal_size(classes, counts)
            || (self.mode == SizeMode::Mixed && mixed_size::place(&ids(classes), counts).is_some())
    }

    /// The types of a class, one for each vGPU, in order.
    fn queue(&self, class: &Class<'_>) -> std::vec::IntoIter<usize> {
        let all = class.kinds.iter();
        let all = all.flat_map(|&kind| std::iter::repeat_n(kind, self.wanted[kind] as usize));
        all.collect::<Vec<_>>().into_iter()
    }

    fn plan(
        &self,
        classes: &[Class<'_>],
        counts: &[u32],
        kinds: &mut [std::vec::IntoIter<usize>],
    ) -> CardPlan {
        let mut next = |class: usize| kinds[class].next().expect("as many as are wanted");
        if is_equal_size(classes, counts) {
            let each = counts.iter().enumerate();
            let all = each.flat_map(|(class, &count)| std::iter::repeat_n(class, count as usize));
            let vgpus = all.map(|class| VgpuPlace { kind: next(class), start: None }).collect();
            return CardPlan { mode: CardMode::EqualSize, vgpus };
        }
        let places = mixed_size::place(&ids(classes), counts).expect("a choice that fits");
        let each = places.iter().enumerate();
        let mut vgpus: Vec<VgpuPlace> = each
            .flat_map(|(class, ids)| ids.iter().map(move |&id| (class, id)))
            .map(|(class, id)| VgpuPlace { kind: next(class), start: Some(id) })
            .collect();
        vgpus.sort_by_key(|vgpu| vgpu.start);
        CardPlan { mode: CardMode::MixedSize, vgpus }
    }

    // ---- MIG-backed vGPUs

    /// GPU instances for the MIG-backed types that are wanted: type and profile of each.
    fn instances(&self) -> Vec<(usize, usize)> {
        let each = (0..self.wanted.len()).filter_map(|kind| {
            let of = self.of(kind);
            let named = of.profile.as_deref()?;
            let profile = self.gpu.mig_profiles.iter().position(|one| one.name == named);
            let count = self.wanted[kind].div_ceil(of.max_per_instance) as usize;
            Some(std::iter::repeat_n((kind, profile.expect("a profile of this GPU")), count))
        });
        each.flatten().collect()
    }

    fn place_instances(&self, cards: usize, assignment: Assignment) -> Option<Vec<(usize, u32)>> {
        let claims = self.instances().into_iter().map(|(_, profile)| Claim::Instance { profile });
        let claims: Vec<Claim> = claims.collect();
        let cards = Cards { count: cards, profiles: &self.gpu.mig_profiles };
        let places = cards.place(assignment, &claims)?;
        Some(places.into_iter().map(|place| (place.card, place.start)).collect())
    }

    fn need_backed(&self) -> usize {
        let instances = self.instances();
        let geometry = Geometry::new(&self.gpu.mig_profiles);
        let sizes = instances.iter().map(|&(_, profile)| geometry.profiles[profile].memory_slices);
        let least = sizes.sum::<u32>().div_ceil(geometry.memory_slices.max(1)) as usize;
        (least..=instances.len())
            .find(|&cards| self.place_instances(cards, Assignment::Consolidate).is_some())
            .expect("every instance has room on a card of its own")
    }

    fn backed_plans(&self, cards: usize, assignment: Assignment) -> Option<Vec<CardPlan>> {
        let mut plans = vec![CardPlan { mode: CardMode::Instances, vgpus: Vec::new() }; cards];
        let mut left = self.wanted.clone();
        let places = self.place_instances(cards, assignment)?;
        for ((kind, _), (card, start)) in self.instances().into_iter().zip(places) {
            let here = left[kind].min(self.of(kind).max_per_instance);
            left[kind] -= here;
            let place = VgpuPlace { kind, start: Some(start) };
            plans[card].vgpus.extend(std::iter::repeat_n(place, here as usize));
        }
        plans.retain(|plan| !plan.vgpus.is_empty());
        plans.iter_mut().for_each(|plan| plan.vgpus.sort_by_key(|vgpu| vgpu.start));
        Some(plans)
    }
}

/// Whether all vGPUs have one frame buffer, and no more than a card of equal-size vGPUs takes.
fn is_equal_size(classes: &[Class<'_>], counts: &[u32]) -> bool {
    let mut used = classes.iter().zip(counts).filter(|(_, count)| **count > 0);
    match (used.next(), used.next()) {
        (Some((class, count)), None) => *count <= class.of.max_per_gpu,
        (None, _) => true,
        _ => false,
    }
}

/// The placement ids of the classes; none where they are not printed.
fn ids<'a>(classes: &[Class<'a>]) -> Vec<Ids<'a>> {
    let of_class = |class: &Class<'a>| match &class.of.mixed_size {
        MixedSize::Printed { ids, size } => Ids { ids, size: *size },
        _ => Ids { ids: &[], size: 1 },
    };
    classes.iter().map(of_class).collect()
}
