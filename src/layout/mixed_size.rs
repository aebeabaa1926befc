//! Mixed-size mode: which vGPUs of different sizes one card takes, and at which placement ids.
//!
//! A vGPU at `id` occupies `id` to `id + size` of the card's placement region, and may start at the
//! printed ids only (NVIDIA AI Enterprise User Guide v5.0, appendix A). Ids that are not printed
//! are not guessed: such a type has no place here. Several cards are handled in `layout::fit`.

use std::collections::BTreeSet;

/// A type on a card in mixed-size mode: its placement ids, rising, and its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ids<'a> {
    /// Where it may start.
    pub ids: &'a [u32],
    /// How much it occupies from there, at least 1.
    pub size: u32,
}

/// The ids of these that are free beside what is `taken` (id and size).
pub fn free_ids(of: Ids<'_>, taken: &[(u32, u32)]) -> Vec<u32> {
    let is_free = |id: &u32| taken.iter().all(|(at, size)| id + of.size <= *at || at + size <= *id);
    of.ids.iter().copied().filter(is_free).collect()
}

/// The maximal choices that one card can hold: how many of each type, none part of another, no type
/// beyond `wanted` and no more than `most` in all. Every choice that a card can hold within these
/// bounds is part of one of them.
pub fn richest(types: &[Ids<'_>], wanted: &[u32], most: u32) -> Vec<Vec<u32>> {
    let starts = starts(types);
    // By index into `starts`, and one more for the end: what fits from there on.
    let mut from = vec![Vec::new(); starts.len() + 1];
    from[starts.len()].push(vec![0; types.len()]);
    for (index, &start) in starts.iter().enumerate().rev() {
        let mut all: BTreeSet<Vec<u32>> = from[index + 1].iter().cloned().collect();
        for (kind, of) in types.iter().enumerate().filter(|(_, of)| of.ids.contains(&start)) {
            let next = starts.partition_point(|at| *at < start + of.size);
            for rest in &from[next] {
                add(&mut all, rest, kind, wanted, most);
            }
        }
        from[index] = undominated(all);
    }
    from.swap_remove(0)
}

/// Adds one of `kind` to a choice; in a choice that is full, in the place of any other.
fn add(all: &mut BTreeSet<Vec<u32>>, rest: &[u32], kind: usize, wanted: &[u32], most: u32) {
    if rest[kind] >= wanted[kind] {
        return;
    }
    let mut with = rest.to_vec();
    with[kind] += 1;
    if rest.iter().sum::<u32>() < most {
        all.insert(with);
        return;
    }
    for other in (0..rest.len()).filter(|&other| other != kind && rest[other] > 0) {
        let mut instead = with.clone();
        instead[other] -= 1;
        all.insert(instead);
    }
}

/// Those that are not part of another.
pub(super) fn undominated(all: BTreeSet<Vec<u32>>) -> Vec<Vec<u32>> {
    let mut by_size: Vec<Vec<u32>> = all.into_iter().collect();
    by_size.sort_by_key(|choice| std::cmp::Reverse(choice.iter().sum::<u32>()));
    let mut kept: Vec<Vec<u32>> = Vec::new();
    for choice in by_size {
        let is_part = |of: &Vec<u32>| of.iter().zip(&choice).all(|(more, less)| more >= less);
        if !kept.iter().any(is_part) {
            kept.push(choice);
        }
    }
    kept
}

/// Ids for `counts` of each type on one card, rising within a type; nothing when there are none.
/// The earlier a type stands in the list, the lower its ids.
pub fn place(types: &[Ids<'_>], counts: &[u32]) -> Option<Vec<Vec<u32>>> {
    let starts = starts(types);
    let mut places = vec![Vec::new(); types.len()];
    let found =
        continue_from(types, &starts, 0, &mut counts.to_vec(), &mut places, &mut BTreeSet::new());
    found.then_some(places)
}

/// Places what is left to place from the start of this index on. What was tried in vain is not
/// tried again.
fn continue_from(
    types: &[Ids<'_>],
    starts: &[u32],
    index: usize,
    left: &mut Vec<u32>,
    places: &mut [Vec<u32>],
    vain: &mut BTreeSet<(usize, Vec<u32>)>,
) -> bool {
    if left.iter().all(|count| *count == 0) {
        return true;
    }
    if index == starts.len() || vain.contains(&(index, left.clone())) {
        return false;
    }
    let start = starts[index];
    for (kind, of) in types.iter().enumerate() {
        if left[kind] == 0 || !of.ids.contains(&start) {
            continue;
        }
        left[kind] -= 1;
        places[kind].push(start);
        let next = starts.partition_point(|at| *at < start + of.size);
        if continue_from(types, starts, next, left, places, vain) {
            return true;
        }
        places[kind].pop();
        left[kind] += 1;
    }
    if continue_from(types, starts, index + 1, left, places, vain) {
        return true;
    }
    vain.insert((index, left.clone()));
    false
}

/// Every id at which any type may start, rising.
fn starts(types: &[Ids<'_>]) -> Vec<u32> {
    let all: BTreeSet<u32> = types.iter().flat_map(|of| of.ids.iter().copied()).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORTY: Ids<'static> = Ids { ids: &[0], size: 40 };
    const TWENTY: Ids<'static> = Ids { ids: &[0, 20], size: 20 };
    const TEN: Ids<'static> = Ids { ids: &[0, 10, 20, 30], size: 10 };
    const EIGHT: Ids<'static> = Ids { ids: &[0, 12, 20, 32], size: 8 };
    const FIVE: Ids<'static> = Ids { ids: &[0, 5, 10, 15, 20, 25, 30, 35], size: 5 };
    const FOUR: Ids<'static> = Ids { ids: &[0, 6, 10, 16, 20, 26, 30, 36], size: 4 };
    /// The A100-40's types, as the guide prints them.
    const A100: [Ids<'static>; 6] = [FORTY, TWENTY, TEN, EIGHT, FIVE, FOUR];

    #[test]
    fn beside_a_half_and_a_quarter_two_of_4c_remain() {
        // The example of the guide: 20C at 0 and 10C at 20 leave ids 30 and 36 of 4C.
        assert_eq!(free_ids(FOUR, &[(0, 20), (20, 10)]), [30, 36]);
        assert_eq!(free_ids(EIGHT, &[(0, 20), (20, 10)]), [32]);
        assert_eq!(free_ids(TEN, &[(0, 20), (20, 10)]), [30]);
        assert_eq!(free_ids(TWENTY, &[(0, 20), (20, 10)]), [] as [u32; 0]);
        assert_eq!(
            place(&A100, &[0, 1, 1, 0, 0, 2]),
            Some(vec![vec![], vec![0], vec![20], vec![], vec![], vec![30, 36]])
        );
        assert_eq!(place(&A100, &[0, 1, 1, 0, 0, 3]), None);
    }

    #[test]
    fn a_card_of_one_size_takes_as_many_as_there_are_ids() {
        for (kind, of) in A100.iter().enumerate() {
            let mut wanted = [0; 6];
            wanted[kind] = 100;
            let mut expected = vec![0; 6];
            expected[kind] = of.ids.len() as u32;
            assert_eq!(richest(&A100, &wanted, 100), [expected]);
        }
    }

    /// Every subset of places of one card, by brute force.
    fn everything(types: &[Ids<'_>]) -> BTreeSet<Vec<u32>> {
        fn go(
            places: &[(usize, u32, u32)],
            end: u32,
            counts: &mut Vec<u32>,
            all: &mut BTreeSet<Vec<u32>>,
        ) {
            all.insert(counts.clone());
            for (index, &(kind, id, size)) in places.iter().enumerate() {
                if id >= end {
                    counts[kind] += 1;
                    go(&places[index + 1..], id + size, counts, all);
                    counts[kind] -= 1;
                }
            }
        }
        let each = |(kind, of): (usize, &Ids<'_>)| {
            let size = of.size;
            of.ids.iter().map(move |&id| (kind, id, size)).collect::<Vec<_>>()
        };
        let mut places: Vec<_> = types.iter().enumerate().flat_map(each).collect();
        places.sort_by_key(|&(_, id, _)| id);
        let mut all = BTreeSet::new();
        go(&places, 0, &mut vec![0; types.len()], &mut all);
        all
    }

    #[test]
    fn the_richest_choices_are_those_of_brute_force() {
        let all = everything(&A100);
        for (wanted, most) in [
            ([9; 6], 99),
            ([9; 6], 5),
            ([9; 6], 1),
            ([0, 1, 1, 2, 3, 1], 99),
            ([1, 1, 2, 2, 2, 2], 4),
        ] {
            let within = all.iter().filter(|choice| {
                choice.iter().zip(&wanted).all(|(has, want)| has <= want)
                    && choice.iter().sum::<u32>() <= most
            });
            let expected: BTreeSet<Vec<u32>> =
                undominated(within.cloned().collect()).into_iter().collect();
            let found: BTreeSet<Vec<u32>> = richest(&A100, &wanted, most).into_iter().collect();
            assert_eq!(found, expected, "{wanted:?}, at most {most}");
        }
        // What brute force finds can be placed, and nothing else can.
        for choice in &all {
            let places = place(&A100, choice).unwrap();
            let mut taken: Vec<(u32, u32)> = Vec::new();
            for (of, ids) in A100.iter().zip(&places) {
                assert!(ids.iter().all(|id| of.ids.contains(id)));
                taken.extend(ids.iter().map(|id| (*id, of.size)));
            }
            taken.sort();
            assert!(taken.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{choice:?}");
            for kind in 0..6 {
                let mut more = choice.clone();
                more[kind] += 1;
                assert_eq!(place(&A100, &more).is_some(), all.contains(&more), "{more:?}");
            }
        }
    }
}
