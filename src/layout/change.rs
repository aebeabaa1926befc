//! What has to change on one card so that more fits: which GPU instances must be created again
//! elsewhere, and which must be deleted.
//!
//! An instance cannot be moved: it is deleted and created again. Every layout is examined, so the
//! answer is exact; the number of cards and the order of creation are handled in `cutting`.

use super::geometry::{Geometry, Positioned};
use std::collections::BTreeSet;

/// The smallest change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Instances that are created again elsewhere.
    pub moved: Vec<Moved>,
    /// Instances that are deleted.
    pub gone: Vec<Positioned>,
    /// The places of the wanted instances after the change.
    pub placed: Vec<Positioned>,
}

/// An instance that is created again elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Its present place.
    pub from: Positioned,
    /// The starts that it may have instead, in rising order; at least one.
    pub to: Vec<u32>,
}

/// The changes to the instances `there` that let `wanted` of each profile fit beside them, some of
/// them at the `named` places: as few as possible are deleted, and of the others as few as possible
/// are created again. None may be deleted unless `may_go`. Nothing where the wanted do not fit even
/// alone, or where no deletion is allowed and they do not fit with all.
pub fn least_change(
    geometry: &Geometry<'_>,
    there: &[Positioned],
    wanted: &[u32],
    named: &[Positioned],
    may_go: bool,
) -> Option<Change> {
    let own = geometry.counts(there);
    let layouts = geometry.layouts(&|profile| wanted[profile] + own[profile] > 0);
    let possible = layouts.iter().filter_map(|layout| {
        let counts = geometry.counts(layout);
        let bounds = (0..counts.len()).all(|one| {
            let least = if may_go { wanted[one] } else { wanted[one] + own[one] };
            (least..=wanted[one] + own[one]).contains(&counts[one])
        });
        if !bounds || !named.iter().all(|at| layout.contains(at)) {
            return None;
        }
        let kept: Vec<u32> = counts.iter().zip(wanted).map(|(all, new)| all - new).collect();
        let stays = staying(there, layout, named, &kept);
        Some((kept.iter().sum::<u32>(), stays.len(), stays, kept, layout))
    });
    let possible: Vec<_> = possible.collect();
    let best = possible.iter().map(|one| (one.0, one.1)).max()?;
    let best: Vec<_> = possible.iter().filter(|one| (one.0, one.1) == best).collect();
    let change = best
        .iter()
        .map(|(_, _, stays, kept, layout)| change(there, wanted, named, stays, kept, layout));
    let all: Vec<Change> = change.collect();
    // Of alternatives that differ only in where one instance is made again, all starts are told.
    let chosen = all[0].clone();
    let alike = all.iter().filter(|other| {
        other.placed == chosen.placed
            && other.gone == chosen.gone
            && other.moved.len() == chosen.moved.len()
            && other.moved.iter().zip(&chosen.moved).all(|(one, two)| one.from == two.from)
    });
    let [only] = &chosen.moved[..] else { return Some(chosen) };
    let to: BTreeSet<u32> = alike.flat_map(|other| other.moved[0].to.iter().copied()).collect();
    let moved = vec![Moved { from: only.from, to: to.into_iter().collect() }];
    Some(Change { moved, ..chosen })
}

/// Those that a layout has where they are, no more of a profile than are kept.
fn staying(
    there: &[Positioned],
    layout: &[Positioned],
    named: &[Positioned],
    kept: &[u32],
) -> Vec<Positioned> {
    let (mut left, mut stays) = (kept.to_vec(), Vec::new());
    for at in there {
        // Two that were named at one place are two, and one of them stays.
        let is_there = layout.contains(at) && !named.contains(at) && !stays.contains(at);
        if is_there && left[at.0] > 0 {
            left[at.0] -= 1;
            stays.push(*at);
        }
    }
    stays
}

fn change(
    there: &[Positioned],
    wanted: &[u32],
    named: &[Positioned],
    stays: &[Positioned],
    kept: &[u32],
    layout: &[Positioned],
) -> Change {
    let mut free: Vec<Positioned> =
        layout.iter().copied().filter(|at| !stays.contains(at) && !named.contains(at)).collect();
    let mut placed = named.to_vec();
    let mut left = wanted.to_vec();
    named.iter().for_each(|at| left[at.0] -= 1);
    // What is wanted takes the last places, so that what is made again has the first.
    for (profile, &count) in left.iter().enumerate() {
        for _ in 0..count {
            let last = free.iter().rposition(|at| at.0 == profile).expect("the layout has it");
            placed.push(free.remove(last));
        }
    }
    let (mut moved, mut gone) = (Vec::new(), Vec::new());
    let mut again = kept.to_vec();
    stays.iter().for_each(|at| again[at.0] -= 1);
    let mut staying = stays.to_vec();
    for &from in there {
        if let Some(index) = staying.iter().position(|at| *at == from) {
            staying.remove(index);
            continue;
        }
        match free.iter().position(|at| at.0 == from.0) {
            Some(index) if again[from.0] > 0 => {
                again[from.0] -= 1;
                moved.push(Moved { from, to: vec![free.remove(index).1] });
            }
            _ => gone.push(from),
        }
    }
    placed.sort_by_key(|at| at.1);
    Change { moved, gone, placed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::geometry::fixture::*;
    use proptest::prelude::*;

    fn counts(profiles: &[usize]) -> Vec<u32> {
        let mut counts = vec![0; 6];
        profiles.iter().for_each(|&one| counts[one] += 1);
        counts
    }

    fn change(there: &[Positioned], wanted: &[usize], may_go: bool) -> Option<Change> {
        least_change(&Geometry::new(&a100()), there, &counts(wanted), &[], may_go)
    }

    /// kubernetes-sigs/dra-driver-nvidia-gpu issue 933: three of seven are left, in the way of a 3g.
    #[test]
    fn one_instance_is_made_again_so_that_a_3g_fits() {
        let there = [(G1, 0), (G1, 1), (G1, 5)];
        let moved = vec![Moved { from: (G1, 5), to: vec![2, 3] }];
        let expected = Change { moved, gone: vec![], placed: vec![(G3, 4)] };
        assert_eq!(change(&there, &[G3], false), Some(expected.clone()));
        assert_eq!(change(&there, &[G3], true), Some(expected));
    }

    #[test]
    fn what_does_not_fit_beside_goes() {
        let there = [(G3, 0), (G2, 4)];
        assert_eq!(change(&there, &[G3, G3], false), None);
        let gone = vec![(G3, 0), (G2, 4)];
        let expected = Change { moved: vec![], gone, placed: vec![(G3, 0), (G3, 4)] };
        assert_eq!(change(&there, &[G3, G3], true), Some(expected));
        // Nothing in the way: nothing changes.
        let expected = Change { moved: vec![], gone: vec![], placed: vec![(G1, 6)] };
        assert_eq!(change(&there, &[G1], true), Some(expected));
        assert_eq!(change(&there, &[G3, G3, G3], true), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// What is told can be done, and leaves everything where it is that may stay.
        #[test]
        fn a_change_makes_room(
            index in 0..723usize,
            order in prop::collection::vec(0..6usize, 1..4),
        ) {
            let profiles = a100();
            let geometry = Geometry::new(&profiles);
            let there = &geometry.layouts(&|_| true)[index];
            let wanted = counts(&order);
            let Some(found) = least_change(&geometry, there, &wanted, &[], true) else {
                let alone = geometry.layouts(&|one| wanted[one] > 0);
                prop_assert!(!alone.iter().any(|layout| geometry.counts(layout) == wanted));
                return Ok(());
            };
            let moved = |at: &Positioned| found.moved.iter().any(|one| one.from == *at);
            let stays = there.iter().filter(|at| !moved(at) && !found.gone.contains(at));
            let mut all: Vec<Positioned> = stays.copied().collect();
            all.extend(found.moved.iter().map(|one| (one.from.0, one.to[0])));
            all.extend(&found.placed);
            let mut taken = Vec::new();
            for at in all {
                prop_assert!(geometry.fits(&taken, at), "{found:?}");
                taken.push(at);
            }
            prop_assert_eq!(geometry.counts(&found.placed), wanted);
        }
    }
}
