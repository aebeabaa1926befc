//! Cutting cards into the requested GPU instances: the card and start of each instance and the
//! order of creation, or why it is not possible, and the nearest that is.
//!
//! An answer is exact: what is refused has no layout at all. Owners of whole cards and time-sliced
//! vGPUs are placed in `placement`.

use super::change::{Change, least_change};
use super::creation::{driver_start, order_for};
use super::geometry::{Geometry, Positioned};
use super::packing::pack;
use super::placement::{Obstacle, obstacle_of_layouts};
use std::collections::BTreeSet;

/// The most cards that a search examines: more than one server has.
pub const CARDS_MAX: u32 = 16;

/// A requested GPU instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Index into the list of profiles.
    pub profile: usize,
    /// The memory slice it must start at; nothing where the driver chooses.
    pub start: Option<u32>,
}

/// A GPU instance as it is requested from the driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made {
    /// Profile and start.
    pub at: Positioned,
    /// Whether the start must be named; if not, the driver chooses it by itself.
    pub is_named: bool,
}

/// How the driver reaches the layouts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By creating the instances in the requested order.
    AsAsked,
    /// In another order.
    OtherOrder,
    /// By no order: starts must be named.
    NamedStarts,
}

/// The point at which the driver refuses when instances are created in the requested order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Index of the wish it refuses.
    pub wish: usize,
    /// Card and place of those before.
    pub made: Vec<(usize, Positioned)>,
}

/// The result of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It has a layout.
    Made {
        /// The instances of each card, in order of creation; unused cards have none.
        cards: Vec<Vec<Made>>,
        /// How.
        way: Way,
        /// Why not in the order of the wishes.
        stuck: Option<Stuck>,
    },
    /// It has none.
    Refused(Refusal),
}

/// Why a request has no layout, and the nearest that has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The reason.
    pub why: RefusalReason,
    /// The largest part of the request that has a layout: how many of each profile, existing
    /// instances included.
    pub nearest: Vec<u32>,
    /// The change that makes all of it possible: existing instances created again elsewhere or
    /// deleted, or else other starts than those named. For one card only.
    pub change: Option<Change>,
    /// How many cards would be enough, if no more than [`CARDS_MAX`].
    pub cards_enough: Option<u32>,
}

/// The reason of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalReason {
    /// The profile never starts there.
    Start(Positioned),
    /// Two named places share a memory slice.
    Overlap(Positioned, Positioned),
    /// The set has a layout, but not around the named starts.
    Named,
    /// The set has a layout, but not beside what is there already.
    Beside,
    /// More than cards take of one profile.
    Maximum {
        /// Index of the profile.
        profile: usize,
        /// How many are asked for.
        wanted: u32,
        /// How many one card takes.
        most: u32,
    },
    /// The cards as a whole have too few slices or engines.
    Cards(Obstacle),
}

/// Cuts one card as requested, beside existing instances, which keep their places. The answer holds
/// the new instances.
pub fn cut_beside(geometry: &Geometry<'_>, wishes: &[Wish], there: &[Positioned]) -> Cut {
    let named_only = |wish: &Wish| Some((wish.profile, wish.start?));
    let named: Vec<Positioned> = wishes.iter().filter_map(named_only).collect();
    let with: Vec<Wish> = there
        .iter()
        .map(|&(profile, start)| Wish { profile, start: Some(start) })
        .chain(wishes.iter().copied())
        .collect();
    match cut(geometry, &with, 1) {
        Cut::Made { mut cards, way, stuck } => {
            cards[0].retain(|made| !there.contains(&made.at));
            // What is there is no part of the order.
            let stuck = stuck.map(|stuck| Stuck {
                wish: stuck.wish - there.len(),
                made: stuck.made[there.len()..].to_vec(),
            });
            Cut::Made { cards, way, stuck }
        }
        Cut::Refused(refusal) => {
            let mut wanted = vec![0; geometry.profiles.len()];
            wishes.iter().for_each(|wish| wanted[wish.profile] += 1);
            let change = match fault_of(geometry, &named) {
                Some(_) => None,
                None => least_change(geometry, there, &wanted, &named, true),
            };
            let why = match refusal.why {
                RefusalReason::Named | RefusalReason::Overlap(..) if change.is_some() => {
                    RefusalReason::Beside
                }
                why => why,
            };
            Cut::Refused(Refusal { why, change, ..refusal })
        }
    }
}

/// Cuts `cards` cards as requested. Named starts are for one card only.
pub fn cut(geometry: &Geometry<'_>, wishes: &[Wish], cards: u32) -> Cut {
    let mut wanted = vec![0; geometry.profiles.len()];
    wishes.iter().for_each(|wish| wanted[wish.profile] += 1);
    let named: Vec<Positioned> =
        wishes.iter().filter_map(|wish| Some((wish.profile, wish.start?))).collect();
    if let Some(why) = fault_of(geometry, &named) {
        return Cut::Refused(refusal(geometry, &wanted, &named, cards, why));
    }
    let (made, stuck) = as_asked(geometry, wishes, cards as usize);
    if stuck.is_none() {
        return Cut::Made { cards: made, way: Way::AsAsked, stuck };
    }
    let found = match cards {
        1 => on_one_card(geometry, &wanted, &named).map(|layout| vec![layout]),
        _ => on_several(geometry, &wanted, cards as usize),
    };
    let Some(layouts) = found else {
        let why = reason(geometry, &wanted, &named, cards);
        return Cut::Refused(refusal(geometry, &wanted, &named, cards, why));
    };
    let mut way = Way::OtherOrder;
    let made = layouts.iter().map(|layout| {
        let order = order_for(geometry, &geometry.counts(layout)).filter(|_| named.is_empty());
        let is_named = order.is_none();
        if is_named {
            way = Way::NamedStarts;
        }
        let made = order.unwrap_or_else(|| layout.clone());
        made.into_iter().map(|at| Made { at, is_named }).collect()
    });
    let mut all: Vec<Vec<Made>> = made.collect();
    all.resize(cards as usize, Vec::new());
    Cut::Made { cards: all, way, stuck }
}

/// What is wrong with named places by themselves.
fn fault_of(geometry: &Geometry<'_>, named: &[Positioned]) -> Option<RefusalReason> {
    let is_start =
        |&(profile, start): &Positioned| geometry.profiles[profile].starts.contains(&start);
    if let Some(&at) = named.iter().find(|at| !is_start(at)) {
        return Some(RefusalReason::Start(at));
    }
    let pairs = named
        .iter()
        .enumerate()
        .flat_map(|(index, &one)| named[index + 1..].iter().map(move |&other| (one, other)));
    let mut overlapping = pairs.filter(|&(one, other)| geometry.overlap(one, other));
    overlapping.next().map(|(one, other)| RefusalReason::Overlap(one, other))
}

/// The driver's own places, one wish after the other on the first card that takes it, and where it
/// gets stuck if it does.
fn as_asked(
    geometry: &Geometry<'_>,
    wishes: &[Wish],
    cards: usize,
) -> (Vec<Vec<Made>>, Option<Stuck>) {
    let mut taken: Vec<Vec<Positioned>> = vec![Vec::new(); cards];
    let mut made: Vec<Vec<Made>> = vec![Vec::new(); cards];
    let mut order = Vec::new();
    for (index, wish) in wishes.iter().enumerate() {
        let start_on = |taken: &[Positioned]| match wish.start {
            Some(start) => geometry.fits(taken, (wish.profile, start)).then_some(start),
            None => driver_start(geometry, taken, wish.profile),
        };
        let mut places = taken.iter().enumerate();
        let place = places.find_map(|(card, taken)| Some((card, start_on(taken)?)));
        let Some((card, start)) = place else {
            return (made, Some(Stuck { wish: index, made: order }));
        };
        let at = (wish.profile, start);
        taken[card].push(at);
        order.push((card, at));
        made[card].push(Made { at, is_named: wish.start.is_some() });
    }
    (made, None)
}

/// A layout with exactly these instances that keeps the named places.
fn on_one_card(
    geometry: &Geometry<'_>,
    wanted: &[u32],
    named: &[Positioned],
) -> Option<Vec<Positioned>> {
    let layouts = geometry.layouts(&|profile| wanted[profile] > 0);
    let mut found = layouts.into_iter().filter(|layout| {
        geometry.counts(layout) == wanted && named.iter().all(|at| layout.contains(at))
    });
    found.next()
}

/// Layouts of several cards with exactly these instances.
fn on_several(
    geometry: &Geometry<'_>,
    wanted: &[u32],
    cards: usize,
) -> Option<Vec<Vec<Positioned>>> {
    let mut left = wanted.to_vec();
    let mut layouts = pack(geometry, wanted, cards)?;
    for layout in &mut layouts {
        layout.retain(|&(profile, _)| {
            let is_wanted = left[profile] > 0;
            left[profile] -= u32::from(is_wanted);
            is_wanted
        });
    }
    Some(layouts)
}

fn reason(
    geometry: &Geometry<'_>,
    wanted: &[u32],
    named: &[Positioned],
    cards: u32,
) -> RefusalReason {
    let over = (0..wanted.len()).find_map(|profile| {
        let (wanted, most) = (wanted[profile], geometry.profiles[profile].max_per_gpu);
        (wanted > most * cards).then_some(RefusalReason::Maximum { profile, wanted, most })
    });
    let around = || {
        let has_layout = !named.is_empty() && on_one_card(geometry, wanted, &[]).is_some();
        has_layout.then_some(RefusalReason::Named)
    };
    // Slices say more than a maximum that follows from them.
    match obstacle_of_layouts(geometry, wanted, cards) {
        obstacle @ (Obstacle::MemorySlices { .. } | Obstacle::ComputeSlices { .. }) => over
            .filter(|_| wanted.iter().filter(|count| **count > 0).count() == 1)
            .unwrap_or(RefusalReason::Cards(obstacle)),
        obstacle => over.or_else(around).unwrap_or(RefusalReason::Cards(obstacle)),
    }
}

fn refusal(
    geometry: &Geometry<'_>,
    wanted: &[u32],
    named: &[Positioned],
    cards: u32,
    why: RefusalReason,
) -> Refusal {
    let mut free = wanted.to_vec();
    named.iter().for_each(|at| free[at.0] -= 1);
    let change = (cards == 1 && !named.is_empty())
        .then(|| least_change(geometry, named, &free, &[], false))
        .flatten();
    let nearest = match cards {
        1 => nearest_on_one(geometry, wanted),
        _ => nearest_on_several(geometry, wanted, cards),
    };
    let mut more = cards + 1..=CARDS_MAX;
    let cards_enough = more.find(|&cards| pack(geometry, wanted, cards as usize).is_some());
    Refusal { why, nearest, change, cards_enough }
}

/// The most instances of those wanted that one card holds; of equals those with most memory.
fn nearest_on_one(geometry: &Geometry<'_>, wanted: &[u32]) -> Vec<u32> {
    let sets: BTreeSet<Vec<u32>> = geometry
        .layouts(&|profile| wanted[profile] > 0)
        .iter()
        .map(|layout| geometry.counts(layout))
        .filter(|counts| counts.iter().zip(wanted).all(|(has, wanted)| has <= wanted))
        .collect();
    let size = |counts: &Vec<u32>| {
        (counts.iter().sum::<u32>(), geometry.memory_of(counts), geometry.compute_of(counts))
    };
    sets.into_iter().max_by_key(size).unwrap_or_else(|| vec![0; wanted.len()])
}

/// Those of the wanted that find room when they come one after the other, small ones first.
fn nearest_on_several(geometry: &Geometry<'_>, wanted: &[u32], cards: u32) -> Vec<u32> {
    let mut kept = vec![0; wanted.len()];
    let mut order: Vec<usize> = (0..wanted.len()).filter(|&one| wanted[one] > 0).collect();
    order.sort_by_key(|&one| geometry.profiles[one].memory_slices);
    for profile in order {
        for _ in 0..wanted[profile] {
            kept[profile] += 1;
            if pack(geometry, &kept, cards as usize).is_none() {
                kept[profile] -= 1;
                break;
            }
        }
    }
    kept
}

/// The part of a card that a layout leaves free.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rest {
    /// How many more of each profile could be created.
    pub room: Vec<u32>,
    /// Memory slices that are free and that no further instance can use.
    pub stranded_memory: Vec<u32>,
    /// Compute slices that are free and that no further instance can use.
    pub stranded_compute: Vec<u32>,
}

/// The part that a layout leaves free: room for more instances, and slices that no instance can use
/// any more.
pub fn rest(geometry: &Geometry<'_>, layout: &[Positioned]) -> Rest {
    let profiles = 0..geometry.profiles.len();
    let open: Vec<Positioned> = profiles
        .clone()
        .flat_map(|profile| {
            let starts = geometry.free_starts(layout, profile);
            starts.into_iter().map(move |start| (profile, start))
        })
        .collect();
    let room = profiles.map(|profile| {
        let starts = open.iter().filter(|at| at.0 == profile).count() as u32;
        let same = layout.iter().filter(|at| at.0 == profile).count() as u32;
        starts.min(geometry.profiles[profile].max_per_gpu - same)
    });
    let touched = |slice: u32, span: &dyn Fn(Positioned) -> (u32, u32)| {
        layout.iter().chain(&open).any(|&at| {
            let (from, size) = span(at);
            (from..from + size).contains(&slice)
        })
    };
    let memory = |at: Positioned| (at.1, geometry.profiles[at.0].memory_slices);
    let compute = |at: Positioned| geometry.compute_span(at);
    let stranded_memory = (0..geometry.memory_slices).filter(|&slice| !touched(slice, &memory));
    let stranded_compute = (0..geometry.compute_slices).filter(|&slice| !touched(slice, &compute));
    Rest {
        room: room.collect(),
        stranded_memory: stranded_memory.collect(),
        stranded_compute: stranded_compute.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::geometry::fixture::*;
    use proptest::prelude::*;

    fn wishes(order: &[usize]) -> Vec<Wish> {
        order.iter().map(|&profile| Wish { profile, start: None }).collect()
    }

    fn cut_one(order: &[usize]) -> Cut {
        cut(&Geometry::new(&a100()), &wishes(order), 1)
    }

    fn refused(wishes: &[Wish], cards: u32) -> Refusal {
        match cut(&Geometry::new(&a100()), wishes, cards) {
            Cut::Refused(refusal) => refusal,
            made => panic!("{made:?}"),
        }
    }

    fn starts(cards: &[Vec<Made>]) -> Vec<Vec<Positioned>> {
        cards.iter().map(|card| card.iter().map(|made| made.at).collect()).collect()
    }

    #[test]
    fn what_the_driver_refuses_in_one_order_is_had_in_another() {
        // NVIDIA MIG User Guide, Instance Geometry: 3-2-1-1 must begin with the 3g.
        let Cut::Made { cards, way, stuck } = cut_one(&[G1, G1, G2, G3]) else { panic!() };
        assert_eq!(way, Way::OtherOrder);
        let expected = vec![vec![(G3, 4), (G2, 0), (G1, 2), (G1, 3)]];
        assert_eq!(starts(&cards), expected);
        let made = vec![(0, (G1, 6)), (0, (G1, 4)), (0, (G2, 0))];
        assert_eq!(stuck, Some(Stuck { wish: 3, made }));
        let Cut::Made { way, .. } = cut_one(&[G3, G1, G2, G1]) else { panic!() };
        assert_eq!(way, Way::AsAsked);
    }

    #[test]
    fn a_3g_that_is_created_before_a_4g_leaves_it_its_place() {
        let Cut::Made { cards, way, .. } = cut_one(&[G3, G4]) else { panic!() };
        assert_eq!((starts(&cards), way), (vec![vec![(G3, 4), (G4, 0)]], Way::AsAsked));
    }

    #[test]
    fn what_no_order_reaches_is_had_by_naming_starts() {
        let Cut::Made { cards, way, stuck } = cut_one(&[G4, G1_DOUBLE, G1, G1]) else { panic!() };
        assert_eq!(way, Way::NamedStarts);
        assert!(cards[0].iter().all(|made| made.is_named) && stuck.is_some());
        assert!(starts(&cards)[0].contains(&(G1_DOUBLE, 6)), "{cards:?}");
    }

    #[test]
    fn a_refusal_says_why_and_what_is_nearest() {
        // Four doubled 1g and three 1g: 4 + 3 = 7 compute slices, 8 + 3 = 11 memory slices.
        let users = [[G1_DOUBLE; 4].as_slice(), &[G1; 3]].concat();
        let refusal = refused(&wishes(&users), 1);
        assert_eq!(
            refusal.why,
            RefusalReason::Cards(Obstacle::MemorySlices { needed: 11, there: 8 })
        );
        // Five instances at most: two doubled and three plain take seven slices, three and two eight.
        assert_eq!(refusal.nearest, [0, 0, 0, 0, 3, 2]);
        assert_eq!(refusal.cards_enough, Some(2));
        let refusal = refused(&wishes(&[G1; 8]), 1);
        assert_eq!(refusal.why, RefusalReason::Maximum { profile: G1, wanted: 8, most: 7 });
        assert_eq!(refusal.nearest, [0, 0, 0, 0, 0, 7]);
        let refusal = refused(&wishes(&[G2, G2, G2, G1, G1]), 1);
        assert_eq!(
            refusal.why,
            RefusalReason::Cards(Obstacle::ComputeSlices { needed: 8, there: 7 })
        );
    }

    #[test]
    fn named_starts_are_kept_or_their_conflict_is_named() {
        let at = |profile, start| Wish { profile, start: Some(start) };
        let refusal = refused(&[at(G3, 2)], 1);
        assert_eq!(refusal.why, RefusalReason::Start((G3, 2)));
        let refusal = refused(&[at(G3, 4), at(G2, 4)], 1);
        assert_eq!(refusal.why, RefusalReason::Overlap((G3, 4), (G2, 4)));
        let refusal = refused(&[at(G3, 0), Wish { profile: G4, start: None }], 1);
        assert_eq!(refusal.why, RefusalReason::Named);
        let geometry_of = a100();
        let all = [at(G1, 0), Wish { profile: G3, start: None }, at(G2, 2)];
        let Cut::Made { cards, .. } = cut(&Geometry::new(&geometry_of), &all, 1) else { panic!() };
        assert_eq!(starts(&cards), [[(G1, 0), (G3, 4), (G2, 2)]]);
    }

    #[test]
    fn stranded_slices_are_found() {
        let profiles = a100();
        let geometry = Geometry::new(&profiles);
        let stranded = |layout: &[Positioned]| {
            let rest = rest(&geometry, layout);
            (rest.stranded_memory, rest.stranded_compute)
        };
        // Two 3g fill the memory and leave the compute slice between them.
        assert_eq!(stranded(&[(G3, 0), (G3, 4)]), (vec![], vec![3]));
        // Seven 1g leave an eighth of the memory.
        let seven: Vec<_> = (0..7).map(|start| (G1, start)).collect();
        assert_eq!(stranded(&seven), (vec![7], vec![]));
        let doubled: Vec<_> = [0, 2, 4, 6].map(|start| (G1_DOUBLE, start)).into();
        assert_eq!(stranded(&doubled), (vec![], vec![1, 3, 5]));
        assert_eq!(stranded(&[(G4, 0), (G3, 4)]), (vec![], vec![]));
        assert_eq!(stranded(&[(G2, 0), (G2, 2), (G2, 4), (G1, 6)]), (vec![7], vec![]));
        // A 3g at 0:4 keeps a 4g and others from compute slice 3.
        assert_eq!(stranded(&[(G3, 0)]), (vec![], vec![3]));
        assert_eq!(rest(&geometry, &[(G3, 4)]).room, [0, 1, 1, 2, 2, 4]);
    }

    /// Every way to lay instances on cards, one by one.
    fn try_all(geometry: &Geometry<'_>, left: &[usize], cards: &mut [Vec<Positioned>]) -> bool {
        let Some((&profile, rest)) = left.split_first() else { return true };
        (0..cards.len()).any(|card| {
            geometry.free_starts(&cards[card], profile).into_iter().any(|start| {
                cards[card].push((profile, start));
                let found = try_all(geometry, rest, cards);
                cards[card].pop();
                found
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_search_finds_a_layout_whenever_one_exists(
            order in prop::collection::vec(1..6usize, 1..7),
            cards in 1..3u32,
        ) {
            let profiles = a100();
            let geometry = Geometry::new(&profiles);
            let mut empty = vec![Vec::new(); cards as usize];
            let exists = try_all(&geometry, &order, &mut empty);
            match cut(&geometry, &wishes(&order), cards) {
                Cut::Made { cards, way, .. } => {
                    prop_assert!(exists);
                    let mut found: Vec<usize> = Vec::new();
                    for card in &cards {
                        let mut taken = Vec::new();
                        for made in card {
                            prop_assert!(geometry.fits(&taken, made.at));
                            if !made.is_named {
                                let start = driver_start(&geometry, &taken, made.at.0);
                                prop_assert_eq!(start, Some(made.at.1));
                            }
                            taken.push(made.at);
                            found.push(made.at.0);
                        }
                    }
                    let mut asked = order.clone();
                    if way != Way::AsAsked || cards.len() > 1 {
                        found.sort_unstable();
                        asked.sort_unstable();
                    }
                    prop_assert_eq!(found, asked);
                }
                Cut::Refused(refusal) => {
                    prop_assert!(!exists);
                    let nearest: Vec<usize> = (0..6)
                        .flat_map(|one| (0..refusal.nearest[one]).map(move |_| one))
                        .collect();
                    prop_assert!(nearest.len() < order.len());
                    let mut empty = vec![Vec::new(); cards as usize];
                    prop_assert!(try_all(&geometry, &nearest, &mut empty));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// A no has a next step: fewer instances, or other places for them.
        #[test]
        fn what_is_nearest_differs_from_what_was_asked(
            order in prop::collection::vec((1..6usize, prop::option::of(0..8u32)), 1..6),
        ) {
            let profiles = a100();
            let geometry = Geometry::new(&profiles);
            let wishes: Vec<Wish> =
                order.iter().map(|&(profile, start)| Wish { profile, start }).collect();
            let Cut::Refused(refusal) = cut(&geometry, &wishes, 1) else { return Ok(()) };
            let mut wanted = vec![0; 6];
            order.iter().for_each(|(profile, _)| wanted[*profile] += 1);
            prop_assert!(refusal.nearest != wanted || refusal.change.is_some(), "{refusal:?}");
            let moves = refusal.change.map_or(1, |change| change.moved.len() + change.gone.len());
            prop_assert!(moves > 0);
        }
    }

    #[test]
    fn large_demands_on_many_cards_end_soon() {
        let profiles = a100();
        let geometry = Geometry::new(&profiles);
        for seed in 0..40usize {
            let order: Vec<usize> =
                (0..40 + seed).map(|index| 1 + (index * 7 + seed * 3 + index * seed) % 5).collect();
            let _ = cut(&geometry, &wishes(&order), 8 + (seed as u32) % 9);
        }
    }
}
