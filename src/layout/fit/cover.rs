//! The fewest cards that hold a set of vGPUs, given what one card may hold at most.
//!
//! An exact search with bounds, and with a limit on its steps: when it gives up, the answer states
//! it. What a card may hold is decided in `sliced` and `backed`.

use crate::layout::packing::after_choices;
use std::collections::BTreeSet;

/// Choices that one search looks at before it gives up: some seconds.
const STEPS_MAX: usize = 1_000_000;
/// The same for a search of which there are many.
const STEPS_SOON: usize = 30_000;

/// How many of each kind a card may hold: each choice is maximal, none is part of another.
#[derive(Clone, Default, Debug)]
pub(super) struct Cover {
    choices: Vec<Vec<u32>>,
    /// What a kind weighs when the search decides which kind to place first.
    sizes: Vec<u64>,
    bounds: Vec<Bound>,
    /// How many choices may still be looked at.
    steps: usize,
    /// Cards and what was left to place on them, without success.
    vain: BTreeSet<(usize, Vec<u32>)>,
}

/// The result of a search for a cover.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Covered {
    /// There is a cover: these choices, one for each card, on at most the given number of cards.
    By(Vec<Vec<u32>>),
    /// There is no cover.
    Not,
    /// The search took too many steps.
    GaveUp,
}

/// Weights of the kinds, and the most that any choice weighs: what is wanted may not weigh more
/// than all cards do.
#[derive(Clone, Debug)]
struct Bound {
    weights: Vec<u64>,
    most: u64,
}

impl Cover {
    /// A search over these choices. Further weights by which no card holds more than its fullest
    /// choice make it shorter.
    pub(super) fn new(choices: Vec<Vec<u32>>, sizes: Vec<u64>, weights: Vec<Vec<u64>>) -> Self {
        let bounds = bounds(&choices, &sizes, weights);
        Self { choices, sizes, bounds, steps: 0, vain: BTreeSet::new() }
    }

    /// Fewer cards than this cannot be enough.
    pub(super) fn least(&self, wanted: &[u32]) -> usize {
        let of_bound = |bound: &Bound| match weigh(&bound.weights, wanted) {
            0 => 0,
            _ if bound.most == 0 => u64::MAX,
            weight => weight.div_ceil(bound.most),
        };
        self.bounds.iter().map(of_bound).max().unwrap_or(0) as usize
    }

    /// Choices for at most `cards` cards that together hold `wanted`.
    pub(super) fn cover(&mut self, wanted: &[u32], cards: usize) -> Covered {
        self.steps = STEPS_MAX;
        self.choose(wanted, cards)
    }

    /// The same, with a small limit on steps.
    pub(super) fn cover_soon(&mut self, wanted: &[u32], cards: usize) -> Covered {
        self.steps = STEPS_SOON;
        self.choose(wanted, cards)
    }

    /// Some card must hold one of the largest kind that is still wanted: which choice that card has
    /// is tried one after the other.
    fn choose(&mut self, wanted: &[u32], cards: usize) -> Covered {
        let left = (0..wanted.len()).filter(|&kind| wanted[kind] > 0);
        let Some(largest) = left.max_by_key(|&kind| self.sizes[kind]) else {
            return Covered::By(Vec::new());
        };
        let state = (cards, wanted.to_vec());
        if self.least(wanted) > cards || self.vain.contains(&state) {
            return Covered::Not;
        }
        let Some(steps) = self.steps.checked_sub(self.choices.len()) else {
            return Covered::GaveUp;
        };
        self.steps = steps;
        let weigh = |rest: &[u32]| weigh(&self.sizes, rest);
        for (rest, index) in after_choices(&self.choices, wanted, largest, weigh) {
            match self.choose(&rest, cards - 1) {
                Covered::By(mut chosen) => {
                    chosen.insert(0, self.choices[index].clone());
                    return Covered::By(chosen);
                }
                Covered::GaveUp => return Covered::GaveUp,
                Covered::Not => {}
            }
        }
        self.vain.insert(state);
        Covered::Not
    }
}

/// Bounds by size, by the part of a card that each kind takes at least, and by the number of every
/// group of kinds.
fn bounds(choices: &[Vec<u32>], sizes: &[u64], weights: Vec<Vec<u64>>) -> Vec<Bound> {
    /// Divisible by every maximum up to 16.
    const WHOLE: u64 = 720_720;
    /// More kinds have too many groups.
    const GROUPED_MAX: usize = 8;
    let kinds = sizes.len();
    let most = |kind: usize| choices.iter().map(|choice| choice[kind]).max().unwrap_or(0);
    let part = |kind: usize| WHOLE / u64::from(most(kind).max(1));
    let mut all = vec![sizes.to_vec(), (0..kinds).map(part).collect()];
    let groups = if kinds <= GROUPED_MAX { 1..1_usize << kinds } else { 0..0 };
    all.extend(weights);
    all.extend(groups.map(|group| (0..kinds).map(|kind| (group >> kind & 1) as u64).collect()));
    all.extend((0..kinds).map(|one| (0..kinds).map(|kind| u64::from(kind == one)).collect()));
    let bound = |weights: Vec<u64>| {
        let most = choices.iter().map(|choice| weigh(&weights, choice)).max().unwrap_or(0);
        Bound { weights, most }
    };
    all.into_iter().map(bound).collect()
}

fn weigh(weights: &[u64], counts: &[u32]) -> u64 {
    weights.iter().zip(counts).map(|(weight, count)| weight * u64::from(*count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the wanted fit, by trying every choice for every card.
    fn by_force(choices: &[Vec<u32>], wanted: &[u32], cards: usize) -> bool {
        if wanted.iter().all(|want| *want == 0) {
            return true;
        }
        cards > 0
            && choices.iter().any(|choice| {
                let rest: Vec<u32> = wanted
                    .iter()
                    .zip(choice)
                    .map(|(want, has)| want.saturating_sub(*has))
                    .collect();
                by_force(choices, &rest, cards - 1)
            })
    }

    #[test]
    fn a_cover_is_found_whenever_there_is_one() {
        let choices =
            vec![vec![2, 0, 0], vec![1, 2, 0], vec![0, 3, 1], vec![0, 1, 4], vec![1, 0, 2]];
        for a in 0..5 {
            for b in 0..6 {
                for c in 0..7 {
                    let wanted = [a, b, c];
                    for cards in 0..4 {
                        let mut search = Cover::new(choices.clone(), vec![20, 12, 7], Vec::new());
                        let found = search.cover(&wanted, cards);
                        let expected = by_force(&choices, &wanted, cards);
                        assert_eq!(found != Covered::Not, expected, "{wanted:?} on {cards}");
                        assert!(search.least(&wanted) <= cards || !expected);
                        if let Covered::By(chosen) = found {
                            let held =
                                |kind: usize| chosen.iter().map(|one| one[kind]).sum::<u32>();
                            assert!(chosen.len() <= cards);
                            assert!((0..3).all(|kind| held(kind) >= wanted[kind]));
                        }
                    }
                }
            }
        }
    }
}
