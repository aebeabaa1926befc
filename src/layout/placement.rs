//! Placement: the card, and the memory slices of it, that each owner gets.
//!
//! A card is whole, time-sliced or cut into GPU instances (MIG), never two of these at once. The
//! vGPUs of a time-sliced card are alike (equal-size mode). GPU instances lie on the memory slices
//! that the printed tables allow and do not overlap (`layout`). First fit is tried first, each
//! instance where the driver would place it (`creation`), then an exact search (`packing`): what is
//! refused cannot be placed at all. Nothing is ever moved: a placement holds for the whole run.

use super::creation::driver_start;
use super::geometry::{Geometry, Positioned};
use super::packing::pack;
use crate::spec::MigProfile;
use crate::units::Bytes;
use std::collections::BTreeMap;

/// The part of a card that an owner needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Claim {
    /// The whole card, with no other owner.
    Whole,
    /// A time-sliced vGPU.
    Sliced {
        /// Its frame buffer: all vGPUs of a card have the same, whatever their series.
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
    /// There are more of the last owner's kind than all cards left for it can take.
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
    /// The GPU instances need more compute slices than the cards left for them have.
    ComputeSlices {
        /// Slices of all instances together.
        needed: u32,
        /// Slices of those cards.
        there: u32,
    },
    /// The GPU instances need more media engines than one card has, such as two `+me`.
    MediaEngines,
    /// There are enough slices, but no layout of the printed positions holds all instances.
    Positions,
}

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
    Sliced { frame_buffer: Bytes, owners: u32, most: u32 },
    Cut(Vec<Positioned>),
}

impl Cards<'_> {
    /// A place for each claim, in order of creation; nothing when there is no placement at all.
    /// First fit is used where it succeeds; `assignment` is a preference that the exact search may
    /// override.
    pub fn place(&self, assignment: Assignment, claims: &[Claim]) -> Option<Vec<Place>> {
        self.first_fit(assignment, claims).or_else(|| self.exact(claims))
    }

    /// The same on one card, where the first memory slice of some GPU instances is given; those
    /// without one go where the driver would place them, or anywhere else that works.
    pub fn place_at(
        &self,
        assignment: Assignment,
        claims: &[Claim],
        starts: &[Option<u32>],
    ) -> Option<Vec<Place>> {
        if starts.iter().all(Option::is_none) {
            return self.place(assignment, claims);
        }
        assert!(self.count == 1, "slices of {} cards", self.count);
        let profile = |claim: &Claim| match *claim {
            Claim::Instance { profile } => Some(profile),
            _ => None,
        };
        let profiles: Vec<usize> = claims.iter().map(profile).collect::<Option<_>>()?;
        // Those with a start first: they have no choice.
        let mut order: Vec<usize> = (0..claims.len()).collect();
        order.sort_by_key(|&index| starts[index].is_none());
        let mut taken = Vec::new();
        let wanted: Vec<_> = order.iter().map(|&index| (profiles[index], starts[index])).collect();
        self.seat(&wanted, &mut taken).then(|| {
            let mut places = vec![Place { card: 0, start: 0 }; claims.len()];
            for (&index, (_, start)) in order.iter().zip(taken) {
                places[index].start = start;
            }
            places
        })
    }

    /// Adds the wanted instances to those that are there; whether all found a place.
    fn seat(&self, wanted: &[(usize, Option<u32>)], taken: &mut Vec<Positioned>) -> bool {
        let Some(&(profile, start)) = wanted.get(taken.len()) else { return true };
        let geometry = self.geometry();
        let free = geometry.free_starts(taken, profile);
        let first = start.or_else(|| driver_start(&geometry, taken, profile));
        let others = free.iter().copied().filter(|at| start.is_none() && Some(*at) != first);
        let tries = first.into_iter().filter(|at| free.contains(at)).chain(others);
        for at in tries.collect::<Vec<u32>>() {
            taken.push((profile, at));
            if self.seat(wanted, taken) {
                return true;
            }
            taken.pop();
        }
        false
    }

    /// The obstacle to the last claim, given that all claims before it can be placed.
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
        obstacle_of_layouts(&self.geometry(), &demand.instances, cards)
    }

    fn geometry(&self) -> Geometry<'_> {
        Geometry::new(self.profiles)
    }

    /// Each claim in turn to the first card that has room, none moved later.
    fn first_fit(&self, assignment: Assignment, claims: &[Claim]) -> Option<Vec<Place>> {
        let mut cards = vec![Use::Free; self.count];
        let geometry = self.geometry();
        claims
            .iter()
            .map(|claim| {
                let mut order: Vec<usize> = (0..cards.len()).collect();
                if assignment == Assignment::Spread {
                    order.sort_by_key(|&card| cards[card].owners());
                }
                let found = order.into_iter().find_map(|card| {
                    cards[card].room_for(claim, &geometry).map(|start| Place { card, start })
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
        let mut cut = match demand.has_instances() {
            true => pack(&self.geometry(), &demand.instances, rest)?,
            false => Vec::new(),
        };
        let mut next = cut.len();
        let mut open: BTreeMap<Bytes, (usize, u32)> = BTreeMap::new();
        let mut new_card = || {
            next += 1;
            next - 1
        };
        let places = claims.iter().map(|claim| match *claim {
            Claim::Whole => Place { card: new_card(), start: 0 },
            Claim::Sliced { frame_buffer, .. } => {
                let most = demand.sliced[&frame_buffer].1;
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
    fn room_for(&self, claim: &Claim, geometry: &Geometry<'_>) -> Option<u32> {
        match (self, claim) {
            (Use::Free, Claim::Whole | Claim::Sliced { .. }) => Some(0),
            (
                // Of types that are alike in size a card takes no more than of any of them.
                Use::Sliced { frame_buffer, owners, most },
                Claim::Sliced { frame_buffer: wanted, most: own },
            ) => (frame_buffer == wanted && owners < most.min(own)).then_some(0),
            (Use::Free, Claim::Instance { profile }) => driver_start(geometry, &[], *profile),
            (Use::Cut(taken), Claim::Instance { profile }) => {
                driver_start(geometry, taken, *profile)
            }
            _ => None,
        }
    }

    fn take(&mut self, claim: &Claim, start: u32) {
        match (&mut *self, claim) {
            (Use::Sliced { owners, most, .. }, Claim::Sliced { most: own, .. }) => {
                *owners += 1;
                *most = (*most).min(*own);
            }
            (Use::Cut(taken), Claim::Instance { profile }) => taken.push((*profile, start)),
            (_, Claim::Whole) => *self = Use::Whole,
            (_, &Claim::Sliced { frame_buffer, most }) => {
                *self = Use::Sliced { frame_buffer, owners: 1, most }
            }
            (_, Claim::Instance { profile }) => *self = Use::Cut(vec![(*profile, start)]),
        }
    }
}

/// The obstacle to `wanted` instances of each profile on `cards` cards, given that there is no
/// layout for them and that none is over its maximum.
pub fn obstacle_of_layouts(geometry: &Geometry<'_>, wanted: &[u32], cards: u32) -> Obstacle {
    let (needed, there) = (geometry.memory_of(wanted), geometry.memory_slices * cards);
    if needed > there {
        return Obstacle::MemorySlices { needed, there };
    }
    let (needed, there) = (geometry.compute_of(wanted), geometry.compute_slices * cards);
    if needed > there {
        return Obstacle::ComputeSlices { needed, there };
    }
    if !geometry.has_media(wanted, cards) {
        return Obstacle::MediaEngines;
    }
    Obstacle::Positions
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
                    let (count, of_all) = demand.sliced.entry(frame_buffer).or_insert((0, most));
                    *count += 1;
                    *of_all = most.min(*of_all);
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::layout::geometry::fixture::*;

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
    fn instances_go_where_the_tables_allow() {
        assert_eq!(place(1, &instances(&[G4, G3])), Some(vec![(0, 0), (0, 4)]));
        assert_eq!(place(1, &instances(&[G1; 7])).unwrap().len(), 7);
        assert_eq!(place(2, &instances(&[G7, G3])), Some(vec![(0, 0), (1, 4)]));
        // A 3g leaves the place where only a 4g can go.
        assert_eq!(place(1, &instances(&[G3, G4])), Some(vec![(0, 4), (0, 0)]));
        // The order that the driver refuses (1g, 1g, 2g, 3g) has a layout.
        assert!(place(1, &instances(&[G1, G1, G2, G3])).is_some());
    }

    #[test]
    fn instances_lie_where_they_are_told_to() {
        let profiles = a100();
        let card = Cards { count: 1, profiles: &profiles };
        let at = |list: &[(usize, Option<u32>)]| -> Option<Vec<u32>> {
            let claims: Vec<Claim> =
                list.iter().map(|&(profile, _)| Claim::Instance { profile }).collect();
            let starts: Vec<Option<u32>> = list.iter().map(|&(_, start)| start).collect();
            let places = card.place_at(Assignment::Consolidate, &claims, &starts)?;
            Some(places.into_iter().map(|place| place.start).collect())
        };
        assert_eq!(at(&[(G3, Some(0)), (G1, None)]), Some(vec![0, 6]));
        // By itself the first 1g goes to 6, the only place that is left for the second.
        assert_eq!(at(&[(G1, None), (G1, Some(6)), (G3, Some(0))]), Some(vec![4, 6, 0]));
        assert_eq!(at(&[(G1, None), (G2, None), (G4, Some(0))]), Some(vec![6, 4, 0]));
        assert_eq!(at(&[(G3, Some(2))]), None);
        assert_eq!(at(&[(G3, Some(4)), (G3, Some(4))]), None);
        assert_eq!(at(&[(G3, Some(4)), (G4, None), (G1, None)]), None);
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
        let needed = Obstacle::ComputeSlices { needed: 8, there: 7 };
        assert_eq!(obstacle(1, &past_the_end), needed);
        // Six compute and seven memory slices, but a 2g lies on 0, 2 or 4 and a doubled 1g beside.
        let positions = instances(&[G3, G1_DOUBLE, G1, G1]);
        assert!(place(1, &positions).is_some());
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
}
