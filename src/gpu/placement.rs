//! Placement: which card, and which memory slices of it, each owner gets.
//!
//! A card is whole, time-sliced or cut into GPU instances (MIG), never two of these at once. The
//! vGPUs of a time-sliced card are alike (equal-size mode). GPU instances lie on the memory slices
//! that the printed tables allow and do not overlap (NVIDIA MIG User Guide, NVML). First fit is
//! tried first, then an exact search: what is refused cannot be placed at all. Nothing is ever
//! moved: a placement holds for the whole run.

use crate::spec::MigProfile;
use crate::units::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// What an owner wants of a card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Claim {
    /// All of it, with nobody beside.
    Whole,
    /// A time-sliced vGPU.
    Sliced {
        /// Its frame buffer: all vGPUs of a card have the same.
        frame_buffer: Bytes,
        /// How many of its type a card takes.
        most: u32,
    },
    /// A GPU instance of the profile with this index.
    Instance {
        /// Index into the list of profiles.
        profile: usize,
    },
}

/// Where an owner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The card, from 0.
    pub card: usize,
    /// The first memory slice of a GPU instance, 0 for the others.
    pub start: u32,
}

/// Which card is tried first.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Assignment {
    /// The first that has room: cards are filled one after the other.
    #[default]
    Consolidate,
    /// The one with the fewest owners.
    Spread,
}

/// Why owners cannot be placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// They need more cards than there are.
    Cards {
        /// Cards for owners of whole cards and for time-sliced vGPUs, and one for GPU instances if any.
        needed: usize,
    },
    /// There are more of the last one's kind than all cards left for it take.
    Maximum {
        /// How many of that kind.
        wanted: u32,
        /// How many one card takes.
        most: u32,
    },
    /// The GPU instances need more memory slices than the cards left for them have.
    MemorySlices {
        /// Slices of all instances together.
        needed: u32,
        /// Slices of those cards.
        there: u32,
    },
    /// There are slices enough, but no layout of the printed positions has all instances.
    Positions,
}

/// One GPU instance on a card: profile and first memory slice.
pub type Positioned = (usize, u32);

/// The cards of a host that owners are placed on.
#[derive(Clone, Copy, Debug)]
pub struct Cards<'a> {
    /// How many, all of one model.
    pub count: usize,
    /// The GPU instances that the model can be cut into.
    pub profiles: &'a [MigProfile],
}

/// What a card is used for.
#[derive(Clone, Debug)]
enum Use {
    Free,
    Whole,
    Sliced { frame_buffer: Bytes, owners: u32 },
    Cut(Vec<Positioned>),
}

impl Cards<'_> {
    /// A place for each claim, in order of creation; nothing when there is no placement at all.
    /// First fit decides where it succeeds; `assignment` is a preference that gives way to the
    /// exact search.
    pub fn place(&self, assignment: Assignment, claims: &[Claim]) -> Option<Vec<Place>> {
        self.first_fit(assignment, claims).or_else(|| self.exact(claims))
    }

    /// What stands in the way of the last claim, given that all before it can be placed.
    pub fn obstacle(&self, claims: &[Claim]) -> Obstacle {
        let demand = Demand::of(claims, self.profiles.len());
        let needed = demand.cards() + usize::from(demand.has_instances());
        match claims.last() {
            Some(Claim::Sliced { frame_buffer, most }) => {
                let (wanted, _) = demand.sliced[frame_buffer];
                let alone = demand.cards() == wanted.div_ceil(*most) as usize;
                if alone && !demand.has_instances() {
                    return Obstacle::Maximum { wanted, most: *most };
                }
                Obstacle::Cards { needed }
            }
            Some(&Claim::Instance { profile }) if needed <= self.count => {
                self.obstacle_of_instances(&demand, profile)
            }
            _ => Obstacle::Cards { needed },
        }
    }

    fn obstacle_of_instances(&self, demand: &Demand, profile: usize) -> Obstacle {
        let cards = (self.count - demand.cards()) as u32;
        let (wanted, most) = (demand.instances[profile], self.profiles[profile].max_per_gpu);
        if wanted > most * cards {
            return Obstacle::Maximum { wanted, most };
        }
        let of_one = self.profiles.iter().zip(&demand.instances);
        let needed: u32 = of_one.map(|(profile, count)| profile.memory_slices * count).sum();
        let there = memory_slices(self.profiles) * cards;
        if needed > there {
            return Obstacle::MemorySlices { needed, there };
        }
        Obstacle::Positions
    }

    /// Each claim in turn to the first card that has room, none moved later.
    fn first_fit(&self, assignment: Assignment, claims: &[Claim]) -> Option<Vec<Place>> {
        let mut cards = vec![Use::Free; self.count];
        claims
            .iter()
            .map(|claim| {
                let mut order: Vec<usize> = (0..cards.len()).collect();
                if assignment == Assignment::Spread {
                    order.sort_by_key(|&card| cards[card].owners());
                }
                let found = order.into_iter().find_map(|card| {
                    cards[card].room_for(claim, self.profiles).map(|start| Place { card, start })
                });
                let place = found?;
                cards[place.card].take(claim, place.start);
                Some(place)
            })
            .collect()
    }

    /// A placement whenever one exists. Cards of whole owners and of time-sliced vGPUs are counted,
    /// as many as are needed; the instances are packed on the rest.
    fn exact(&self, claims: &[Claim]) -> Option<Vec<Place>> {
        let demand = Demand::of(claims, self.profiles.len());
        let rest = self.count.checked_sub(demand.cards())?;
        let layouts = if demand.has_instances() { layouts(self.profiles) } else { Vec::new() };
        let mut cut = pack(self.profiles, &layouts, &demand.instances, rest)?;
        let mut next = cut.len();
        let mut open: BTreeMap<Bytes, (usize, u32)> = BTreeMap::new();
        let mut new_card = || {
            next += 1;
            next - 1
        };
        let places = claims.iter().map(|claim| match *claim {
            Claim::Whole => Place { card: new_card(), start: 0 },
            Claim::Sliced { frame_buffer, most } => {
                let card = open.entry(frame_buffer).or_insert((0, most));
                if card.1 == most {
                    *card = (new_card(), 0);
                }
                card.1 += 1;
                Place { card: card.0, start: 0 }
            }
            Claim::Instance { profile } => {
                let find = |layout: &Vec<Positioned>| layout.iter().position(|at| at.0 == profile);
                let mut cards = cut.iter_mut().enumerate();
                let (card, index) =
                    cards.find_map(|(card, layout)| Some((card, find(layout)?))).expect("packed");
                Place { card, start: cut[card].remove(index).1 }
            }
        });
        Some(places.collect())
    }
}

impl Use {
    fn owners(&self) -> usize {
        match self {
            Use::Free => 0,
            Use::Whole => 1,
            Use::Sliced { owners, .. } => *owners as usize,
            Use::Cut(instances) => instances.len(),
        }
    }

    /// Where on the card the claim can go, if anywhere: its first memory slice.
    fn room_for(&self, claim: &Claim, profiles: &[MigProfile]) -> Option<u32> {
        match (self, claim) {
            (Use::Free, Claim::Whole | Claim::Sliced { .. }) => Some(0),
            (
                Use::Sliced { frame_buffer, owners },
                Claim::Sliced { frame_buffer: wanted, most },
            ) => (frame_buffer == wanted && owners < most).then_some(0),
            (Use::Free, Claim::Instance { profile }) => room_in(&[], *profile, profiles),
            (Use::Cut(taken), Claim::Instance { profile }) => room_in(taken, *profile, profiles),
            _ => None,
        }
    }

    fn take(&mut self, claim: &Claim, start: u32) {
        match (&mut *self, claim) {
            (Use::Sliced { owners, .. }, _) => *owners += 1,
            (Use::Cut(taken), Claim::Instance { profile }) => taken.push((*profile, start)),
            (_, Claim::Whole) => *self = Use::Whole,
            (_, &Claim::Sliced { frame_buffer, .. }) => {
                *self = Use::Sliced { frame_buffer, owners: 1 }
            }
            (_, Claim::Instance { profile }) => *self = Use::Cut(vec![(*profile, start)]),
        }
    }
}

/// The lowest start at which an instance fits beside those that are there.
fn room_in(taken: &[Positioned], profile: usize, profiles: &[MigProfile]) -> Option<u32> {
    let wanted = &profiles[profile];
    let same = taken.iter().filter(|at| at.0 == profile).count();
    let overlaps = |start: u32| {
        taken.iter().any(|&(other, at)| {
            start < at + profiles[other].memory_slices && at < start + wanted.memory_slices
        })
    };
    let mut starts = wanted.starts.iter().copied();
    starts.find(|&start| same < wanted.max_per_gpu as usize && !overlaps(start))
}

/// Memory slices of a card.
fn memory_slices(profiles: &[MigProfile]) -> u32 {
    let ends = profiles
        .iter()
        .flat_map(|profile| profile.starts.iter().map(|start| start + profile.memory_slices));
    ends.max().unwrap_or(0)
}

/// What claims ask for, counted by kind.
struct Demand {
    whole: usize,
    /// By frame buffer: how many vGPUs, and how many a card takes.
    sliced: BTreeMap<Bytes, (u32, u32)>,
    /// By profile.
    instances: Vec<u32>,
}

impl Demand {
    fn of(claims: &[Claim], profiles: usize) -> Self {
        let mut demand = Self { whole: 0, sliced: BTreeMap::new(), instances: vec![0; profiles] };
        for claim in claims {
            match *claim {
                Claim::Whole => demand.whole += 1,
                Claim::Sliced { frame_buffer, most } => {
                    demand.sliced.entry(frame_buffer).or_insert((0, most)).0 += 1;
                }
                Claim::Instance { profile } => demand.instances[profile] += 1,
            }
        }
        demand
    }

    /// Cards that whole owners and time-sliced vGPUs need.
    fn cards(&self) -> usize {
        let sliced = self.sliced.values().map(|&(count, most)| count.div_ceil(most) as usize);
        self.whole + sliced.sum::<usize>()
    }

    fn has_instances(&self) -> bool {
        self.instances.iter().any(|&count| count > 0)
    }
}

/// Every legal layout of one card, the empty one included. The order is that of the search.
pub fn layouts(profiles: &[MigProfile]) -> Vec<Vec<Positioned>> {
    let mut all = Vec::new();
    extend(profiles, 0, &mut Vec::new(), &mut all);
    all
}

/// Adds every layout that continues `taken` from slice `from` on.
fn extend(
    profiles: &[MigProfile],
    from: u32,
    taken: &mut Vec<Positioned>,
    all: &mut Vec<Vec<Positioned>>,
) {
    if from >= memory_slices(profiles) {
        all.push(taken.clone());
        return;
    }
    for (index, profile) in profiles.iter().enumerate() {
        let same = taken.iter().filter(|at| at.0 == index).count();
        if profile.starts.contains(&from) && same < profile.max_per_gpu as usize {
            taken.push((index, from));
            extend(profiles, from + profile.memory_slices, taken, all);
            taken.pop();
        }
    }
    extend(profiles, from + 1, taken, all);
}

/// Whether nothing can be added to a layout.
pub fn is_maximal(layout: &[Positioned], profiles: &[MigProfile]) -> bool {
    (0..profiles.len()).all(|profile| room_in(layout, profile, profiles).is_none())
}

/// Layouts of at most `cards` cards that hold `wanted` instances of each profile, if there are any.
fn pack(
    profiles: &[MigProfile],
    layouts: &[Vec<Positioned>],
    wanted: &[u32],
    cards: usize,
) -> Option<Vec<Vec<Positioned>>> {
    let maximal = layouts.iter().filter(|layout| is_maximal(layout, profiles));
    let distinct: BTreeMap<Vec<u32>, &Vec<Positioned>> =
        maximal.map(|layout| (counts(layout, profiles.len()), layout)).collect();
    let search = Packing { profiles, distinct: distinct.keys().cloned().collect() };
    let chosen = search.choose(wanted, cards, &mut BTreeSet::new())?;
    Some(chosen.into_iter().map(|index| distinct[&search.distinct[index]].clone()).collect())
}

fn counts(layout: &[Positioned], profiles: usize) -> Vec<u32> {
    let mut counts = vec![0; profiles];
    layout.iter().for_each(|&(profile, _)| counts[profile] += 1);
    counts
}

/// The search for layouts of several cards.
struct Packing<'a> {
    profiles: &'a [MigProfile],
    /// What each maximal layout has of each profile, every multiset once.
    distinct: Vec<Vec<u32>>,
}

impl Packing<'_> {
    /// Some card must have an instance of the largest profile that is still wanted: the choice is
    /// which maximal layout that card has. What was tried in vain is not tried again.
    fn choose(
        &self,
        wanted: &[u32],
        cards: usize,
        vain: &mut BTreeSet<(usize, Vec<u32>)>,
    ) -> Option<Vec<usize>> {
        let left = wanted.iter().enumerate().filter(|(_, count)| **count > 0);
        let size = |profile: usize| {
            (self.profiles[profile].memory_slices, self.profiles[profile].compute_slices)
        };
        let Some(largest) = left.map(|(profile, _)| profile).max_by_key(|&at| size(at)) else {
            return Some(Vec::new());
        };
        let state = (cards, wanted.to_vec());
        if !self.may_fit(wanted, cards) || vain.contains(&state) {
            return None;
        }
        for (rest, index) in self.choices(wanted, largest) {
            if let Some(mut chosen) = self.choose(&rest, cards - 1, vain) {
                chosen.insert(0, index);
                return Some(chosen);
            }
        }
        vain.insert(state);
        None
    }

    /// What is left to place after each choice for one card, the fullest card first. A choice that
    /// leaves no less of anything than another does is no choice.
    fn choices(&self, wanted: &[u32], largest: usize) -> Vec<(Vec<u32>, usize)> {
        let with_it = (0..self.distinct.len()).filter(|&index| self.distinct[index][largest] > 0);
        let after = |index: usize| -> Vec<u32> {
            let layout = self.distinct[index].iter();
            wanted.iter().zip(layout).map(|(want, has)| want.saturating_sub(*has)).collect()
        };
        let mut all: Vec<_> = with_it.map(|index| (after(index), index)).collect();
        all.sort_by_key(|(rest, index)| (self.memory_of(rest), *index));
        let mut kept: Vec<(Vec<u32>, usize)> = Vec::new();
        for (rest, index) in all {
            let beaten = |better: &Vec<u32>| better.iter().zip(&rest).all(|(a, b)| a <= b);
            if !kept.iter().any(|(better, _)| beaten(better)) {
                kept.push((rest, index));
            }
        }
        kept
    }

    fn memory_of(&self, wanted: &[u32]) -> u32 {
        let sizes = self.profiles.iter().map(|profile| profile.memory_slices);
        sizes.zip(wanted).map(|(size, count)| size * count).sum()
    }

    /// Bounds that hold for any layouts: slices, and instances of each profile.
    fn may_fit(&self, wanted: &[u32], cards: usize) -> bool {
        let cards = cards as u32;
        let mut counts = self.profiles.iter().zip(wanted);
        self.memory_of(wanted) <= memory_slices(self.profiles) * cards
            && counts.all(|(profile, &count)| count <= profile.max_per_gpu * cards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The A100's profiles: compute slices, memory slices, most, starts.
    const A100: [(u32, u32, u32, &[u32]); 6] = [
        (7, 8, 1, &[0]),
        (4, 4, 1, &[0]),
        (3, 4, 2, &[0, 4]),
        (2, 2, 3, &[0, 2, 4]),
        (1, 2, 4, &[0, 2, 4, 6]),
        (1, 1, 7, &[0, 1, 2, 3, 4, 5, 6]),
    ];
    const G7: usize = 0;
    const G4: usize = 1;
    const G3: usize = 2;
    const G2: usize = 3;
    const G1_DOUBLE: usize = 4;
    const G1: usize = 5;

    fn a100() -> Vec<MigProfile> {
        let profile = |&(compute, memory, most, starts): &(u32, u32, u32, &[u32])| MigProfile {
            name: format!("{compute}g"),
            sms: 14 * compute,
            compute_slices: compute,
            memory_slices: memory,
            frame_buffer: Bytes::from_mib(4864),
            copy_engines: compute,
            max_per_gpu: most,
            starts: starts.to_vec(),
            is_printed: true,
        };
        A100.iter().map(profile).collect()
    }

    fn instances(list: &[usize]) -> Vec<Claim> {
        list.iter().map(|&profile| Claim::Instance { profile }).collect()
    }

    fn place(count: usize, claims: &[Claim]) -> Option<Vec<(usize, u32)>> {
        let profiles = a100();
        let places = Cards { count, profiles: &profiles }.place(Assignment::Consolidate, claims)?;
        Some(places.into_iter().map(|place| (place.card, place.start)).collect())
    }

    fn obstacle(count: usize, claims: &[Claim]) -> Obstacle {
        let profiles = a100();
        let cards = Cards { count, profiles: &profiles };
        assert_eq!(cards.place(Assignment::Consolidate, claims), None);
        cards.obstacle(claims)
    }

    #[test]
    fn an_a100_has_723_layouts() {
        let count = |profiles: &[MigProfile]| {
            let all = layouts(profiles);
            let maximal: Vec<_> = all.iter().filter(|one| is_maximal(one, profiles)).collect();
            let distinct: BTreeSet<_> =
                maximal.iter().map(|layout| counts(layout, profiles.len())).collect();
            (all.len(), maximal.len(), distinct.len())
        };
        assert_eq!(count(&a100()), (723, 78, 38));
        let mut without_double = a100();
        without_double.remove(G1_DOUBLE);
        let (_, maximal, distinct) = count(&without_double);
        assert_eq!((maximal, distinct), (19, 14));
        // The non-overlap rule alone keeps every layout within seven compute slices.
        let profiles = a100();
        let compute = |layout: &Vec<Positioned>| -> u32 {
            layout.iter().map(|&(profile, _)| profiles[profile].compute_slices).sum()
        };
        assert_eq!(layouts(&profiles).iter().map(compute).max(), Some(7));
    }

    #[test]
    fn instances_go_where_the_tables_allow() {
        assert_eq!(place(1, &instances(&[G4, G3])), Some(vec![(0, 0), (0, 4)]));
        assert_eq!(place(1, &instances(&[G1; 7])).unwrap().len(), 7);
        assert_eq!(place(2, &instances(&[G7, G3])), Some(vec![(0, 0), (1, 0)]));
        // First fit puts the 3g where only a 4g can go; the search puts it right.
        assert_eq!(place(1, &instances(&[G3, G4])), Some(vec![(0, 4), (0, 0)]));
        // The order that the driver refuses (1g, 1g, 2g, 3g) has a layout.
        assert!(place(1, &instances(&[G1, G1, G2, G3])).is_some());
    }

    #[test]
    fn what_cannot_be_placed_says_why() {
        assert_eq!(obstacle(1, &instances(&[G1; 8])), Obstacle::Maximum { wanted: 8, most: 7 });
        let eleven = instances(&[G1_DOUBLE, G1_DOUBLE, G1_DOUBLE, G1_DOUBLE, G1]);
        assert_eq!(obstacle(1, &eleven), Obstacle::MemorySlices { needed: 9, there: 8 });
        assert_eq!(
            obstacle(1, &instances(&[G3, G3, G1])),
            Obstacle::MemorySlices { needed: 9, there: 8 }
        );
        let past_the_end = instances(&[G2, G2, G2, G1, G1]);
        assert_eq!(obstacle(1, &past_the_end), Obstacle::Positions);
        let ten = Claim::Sliced { frame_buffer: Bytes::from_mib(10240), most: 4 };
        let twenty = Claim::Sliced { frame_buffer: Bytes::from_mib(20480), most: 2 };
        assert_eq!(obstacle(1, &[ten; 5]), Obstacle::Maximum { wanted: 5, most: 4 });
        assert_eq!(obstacle(1, &[ten, twenty]), Obstacle::Cards { needed: 2 });
        assert_eq!(
            obstacle(1, &[ten, Claim::Instance { profile: G1 }]),
            Obstacle::Cards { needed: 2 }
        );
        assert_eq!(obstacle(2, &[Claim::Whole; 3]), Obstacle::Cards { needed: 3 });
    }

    #[test]
    fn vgpus_fill_cards_or_spread_over_them() {
        let profiles = a100();
        let cards = Cards { count: 3, profiles: &profiles };
        let ten = Claim::Sliced { frame_buffer: Bytes::from_mib(10240), most: 4 };
        let of = |assignment| -> Vec<usize> {
            let places = cards.place(assignment, &[ten; 5]).unwrap();
            places.into_iter().map(|place| place.card).collect()
        };
        assert_eq!(of(Assignment::Consolidate), [0, 0, 0, 0, 1]);
        assert_eq!(of(Assignment::Spread), [0, 1, 2, 0, 1]);
        // A spread that leaves no room gives way: all sixes of the first kind must share a card.
        let twenty = Claim::Sliced { frame_buffer: Bytes::from_mib(20480), most: 2 };
        let mixed = [ten, ten, ten, twenty, Claim::Whole];
        assert!(cards.place(Assignment::Spread, &mixed).is_some());
    }

    /// The search against trying every assignment of instances to cards, one by one.
    #[test]
    fn the_search_finds_a_layout_whenever_one_exists() {
        fn try_all(
            claims: &[usize],
            cards: &mut [Vec<Positioned>],
            profiles: &[MigProfile],
        ) -> bool {
            let Some((&profile, rest)) = claims.split_first() else { return true };
            (0..cards.len()).any(|card| {
                profiles[profile].starts.clone().into_iter().any(|start| {
                    let mut only = profiles[profile].clone();
                    only.starts = vec![start];
                    let mut narrowed = profiles.to_vec();
                    narrowed[profile] = only;
                    let fits = room_in(&cards[card], profile, &narrowed).is_some();
                    fits && {
                        cards[card].push((profile, start));
                        let found = try_all(rest, cards, profiles);
                        cards[card].pop();
                        found
                    }
                })
            })
        }
        let profiles = a100();
        let mut seed: u64 = 1;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as usize
        };
        let mut placed = 0;
        for _ in 0..300 {
            let claims: Vec<usize> = (0..1 + draw(5)).map(|_| 1 + draw(5)).collect();
            let found = place(1, &instances(&claims)).is_some();
            assert_eq!(found, try_all(&claims, &mut [Vec::new()], &profiles), "{claims:?}");
            placed += u32::from(found);
        }
        assert!((50..250).contains(&placed), "{placed}");
        // Large demands on many cards end soon, whichever way they end.
        for _ in 0..200 {
            let claims: Vec<usize> = (0..30 + draw(60)).map(|_| 1 + draw(5)).collect();
            let cards = 8 + draw(24);
            let _ = place(cards, &instances(&claims));
        }
    }
}
