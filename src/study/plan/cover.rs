//! Covers: which VMs go together on which card, so that every VM has one and every card is used.
//!
//! It knows counts of VMs and which of them may share a card, nothing else. Fewer VMs are not always
//! better, so nothing is concluded from one set of VMs about a smaller one.

use super::options::Counts;
use std::collections::BTreeSet;

/// Sets of VMs that were tried for a place in one search; more are not.
const STEPS_MOST: u64 = 2_000_000;

/// A set of VMs on a card: index into the cards of the task, and into the sets of that entry.
pub(super) type Chosen = (usize, usize);

/// What a search for a cover finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Cover {
    /// One set for each card.
    Found(Vec<Chosen>),
    /// There is none.
    None,
    /// The search was ended.
    GaveUp,
}

/// A search for one cover.
pub(super) struct Covers<'a> {
    /// Per entry of cards, the sets that one card may hold.
    pub(super) sets: &'a [Vec<Counts>],
    /// How many cards of each entry, all of which are used.
    pub(super) cards: &'a [u32],
    /// Whether a set may be used.
    pub(super) may: &'a dyn Fn(Chosen) -> bool,
}

/// The work and the memory of a search.
struct Walk {
    steps: u64,
    dead: BTreeSet<(usize, u32, Counts)>,
    chosen: Vec<Chosen>,
    /// The most VMs on a card of each entry, in any set that may be used.
    largest: Vec<u32>,
}

impl Covers<'_> {
    /// A cover of these VMs, those first in which cards are alike.
    pub(super) fn of(&self, wanted: &Counts) -> Cover {
        let largest = self.sets.iter().enumerate().map(|(entry, sets)| {
            let usable = (0..sets.len()).filter(|index| (self.may)((entry, *index)));
            usable.map(|index| sets[index].iter().sum()).max().unwrap_or(0)
        });
        let largest = largest.collect();
        let mut walk = Walk { steps: 0, dead: BTreeSet::new(), chosen: Vec::new(), largest };
        let first = self.cards.first().copied().unwrap_or(0);
        match self.walk(0, first, wanted, &mut walk) {
            true => Cover::Found(walk.chosen),
            false if walk.steps >= STEPS_MOST => Cover::GaveUp,
            false => Cover::None,
        }
    }

    /// How many VMs the cards from here on can hold, by the numbers of single cards.
    fn room(&self, entry: usize, cards: u32, largest: &[u32]) -> u32 {
        let further = self.cards.iter().zip(largest).skip(entry + 1);
        cards * largest[entry] + further.map(|(cards, most)| cards * most).sum::<u32>()
    }

    /// Cards that are left from here on.
    fn left(&self, entry: usize, cards: u32) -> u32 {
        cards + self.cards[(entry + 1).min(self.cards.len())..].iter().sum::<u32>()
    }

    fn walk(&self, entry: usize, cards: u32, rest: &Counts, walk: &mut Walk) -> bool {
        let Some(sets) = self.sets.get(entry) else { return rest.iter().all(|count| *count == 0) };
        if cards == 0 {
            let next = self.cards.get(entry + 1).copied().unwrap_or(0);
            return self.walk(entry + 1, next, rest, walk);
        }
        let all: u32 = rest.iter().sum();
        let left = self.left(entry, cards);
        let room = self.room(entry, cards, &walk.largest);
        if all < left || all > room || walk.dead.contains(&(entry, cards, rest.clone())) {
            return false;
        }
        let even = |kind: usize| f64::from(rest[kind]) / f64::from(left);
        let mut order: Vec<(f64, usize)> = Vec::new();
        for (index, set) in sets.iter().enumerate() {
            walk.steps += 1;
            let fits = set.iter().zip(rest).all(|(one, rest)| one <= rest);
            if fits && (self.may)((entry, index)) {
                let off = set.iter().enumerate();
                let off = off.map(|(kind, &one)| (f64::from(one) - even(kind)).powi(2)).sum();
                order.push((off, index));
            }
        }
        if walk.steps >= STEPS_MOST {
            return false;
        }
        order.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        for (_, index) in order {
            let set = &sets[index];
            let after = rest.iter().zip(set).map(|(rest, one)| rest - one).collect();
            walk.chosen.push((entry, index));
            if self.walk(entry, cards - 1, &after, walk) {
                return true;
            }
            walk.chosen.pop();
            if walk.steps >= STEPS_MOST {
                return false;
            }
        }
        walk.dead.insert((entry, cards, rest.clone()));
        false
    }
}

/// Every set of VMs of at most `most`, none more than are wanted, that passes; nothing more after
/// `limit` of them, and whether that was so.
pub(super) fn sets_up_to(
    wanted: &Counts,
    most: u32,
    limit: usize,
    passes: impl Fn(&Counts) -> bool,
) -> (Vec<Counts>, bool) {
    let mut found = Vec::new();
    let mut set: Counts = vec![0; wanted.len()];
    loop {
        let Some(kind) = (0..set.len()).find(|&kind| {
            let all: u32 = set[kind..].iter().sum();
            set[kind] < wanted[kind] && all < most
        }) else {
            return (found, false);
        };
        set[..kind].fill(0);
        set[kind] += 1;
        if passes(&set) {
            if found.len() == limit {
                return (found, true);
            }
            found.push(set.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_few_is_listed_once() {
        let (sets, cut) = sets_up_to(&vec![2, 3, 1], 3, 1000, |_| true);
        let mut slow = Vec::new();
        for first in 0..=2 {
            for second in 0..=3 {
                for third in 0..=1 {
                    if (1..=3).contains(&(first + second + third)) {
                        slow.push(vec![first, second, third]);
                    }
                }
            }
        }
        let mut found = sets.clone();
        found.sort();
        slow.sort();
        assert!(!cut);
        assert_eq!(found, slow);
    }

    /// Two cards, 4 and 5 VMs: a card takes at most 5 of any, or 4 where there is one of the first.
    #[test]
    fn a_cover_is_found_where_there_is_one() {
        let wanted = vec![4, 5];
        let (sets, _) = sets_up_to(&wanted, 5, 1000, |_| true);
        let sets = [sets];
        let may = |(_, index): Chosen| {
            let set = &sets[0][index];
            set[0] == 0 || set.iter().sum::<u32>() <= 4
        };
        let found = Covers { sets: &sets, cards: &[2], may: &may }.of(&wanted);
        let Cover::Found(chosen) = found else { panic!("{found:?}") };
        let mut chosen: Vec<&Counts> = chosen.iter().map(|(_, index)| &sets[0][*index]).collect();
        chosen.sort();
        assert_eq!(chosen, [&vec![0, 5], &vec![4, 0]]);
        // None of the first kind with one of the second, and only four of these: three cards.
        let may = |(_, index): Chosen| {
            let set = &sets[0][index];
            set[0] * set[1] == 0 && set.iter().sum::<u32>() <= 4
        };
        assert_eq!(Covers { sets: &sets, cards: &[2], may: &may }.of(&wanted), Cover::None);
        assert!(matches!(
            Covers { sets: &sets, cards: &[3], may: &may }.of(&wanted),
            Cover::Found(_)
        ));
    }
}
