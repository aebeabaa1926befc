//! The order of creation: where the driver places a GPU instance when its start is not named, and
//! in which order instances must be created to end with a given set.
//!
//! The driver's rule is not published; this one explains every published sequence. Of the free
//! starts it takes the one that blocks the fewest placements still possible, the lowest of equals.
//! So a 3g goes to 4:4 on an empty A100 and leaves room for a 4g, and seven 1g go to 6, 4, 5, 0, 1,
//! 2, 3. After 1g, 1g, 2g a 3g has no room left, as the NVIDIA MIG User Guide notes under Instance
//! Geometry. A 1g with double memory goes where a 2g could, and to the last slices only then. It
//! moves nothing.

use super::geometry::{Geometry, Positioned};
use std::collections::BTreeSet;

/// The start that the driver gives the next instance of a profile; nothing when it refuses.
pub fn driver_start(geometry: &Geometry<'_>, taken: &[Positioned], profile: usize) -> Option<u32> {
    let starts = geometry.free_starts(taken, profile).into_iter();
    starts.min_by_key(|&start| {
        let new = (profile, start);
        (is_extra(geometry, new), blocked(geometry, taken, new), start)
    })
}

/// Whether a profile with doubled memory would lie where no other of its size can: on 6:2.
fn is_extra(geometry: &Geometry<'_>, (profile, start): Positioned) -> bool {
    let own = &geometry.profiles[profile];
    let plain = || geometry.profiles.iter().filter(|one| !one.is_variant());
    let is_doubled = plain().any(|one| {
        one.compute_slices == own.compute_slices && one.memory_slices < own.memory_slices
    });
    let mut alike = plain().filter(|one| {
        one.memory_slices == own.memory_slices && one.compute_slices > own.compute_slices
    });
    is_doubled && !alike.any(|one| one.starts.contains(&start))
}

/// How many placements of plain profiles are open now and would not be beside `new`.
fn blocked(geometry: &Geometry<'_>, taken: &[Positioned], new: Positioned) -> usize {
    let plain = geometry.profiles.iter().enumerate().filter(|(_, one)| !one.is_variant());
    let placements =
        plain.flat_map(|(index, one)| one.starts.iter().map(move |&start| (index, start)));
    let is_open = |at: Positioned| taken.iter().all(|&other| !geometry.overlap(other, at));
    placements.filter(|&at| is_open(at) && geometry.overlap(new, at)).count()
}

/// The result of asking the driver for instances one after the other on one empty card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Created {
    /// The places of the instances that it created.
    pub made: Vec<Positioned>,
    /// Whether it created all of them; the first that it refuses is the one after `made`.
    pub is_complete: bool,
}

/// Asks the driver for instances in this order.
pub fn create(geometry: &Geometry<'_>, order: &[usize]) -> Created {
    let mut made = Vec::new();
    for &profile in order {
        match driver_start(geometry, &made, profile) {
            Some(start) => made.push((profile, start)),
            None => return Created { made, is_complete: false },
        }
    }
    Created { made, is_complete: true }
}

/// An order in which the driver creates this many instances of each profile on one card, with the
/// start of each: large ones first where that works, else any order that does. Nothing when there
/// is none: then starts must be named.
pub fn order_for(geometry: &Geometry<'_>, wanted: &[u32]) -> Option<Vec<Positioned>> {
    let mut left = wanted.to_vec();
    let mut sizes: Vec<usize> = (0..wanted.len()).filter(|&one| wanted[one] > 0).collect();
    let profiles = geometry.profiles;
    sizes.sort_by_key(|&one| {
        std::cmp::Reverse((profiles[one].memory_slices, profiles[one].compute_slices))
    });
    let mut made = Vec::new();
    let is_found = ask(geometry, &sizes, &mut left, &mut made, &mut BTreeSet::new());
    is_found.then_some(made)
}

/// Goes on asking, one profile of `sizes` after the other; whether all that is left gets made.
fn ask(
    geometry: &Geometry<'_>,
    sizes: &[usize],
    left: &mut [u32],
    made: &mut Vec<Positioned>,
    vain: &mut BTreeSet<Vec<Positioned>>,
) -> bool {
    if left.iter().all(|&count| count == 0) {
        return true;
    }
    // The order so far does not matter to the driver, only what is there.
    let mut state = made.clone();
    state.sort_unstable();
    if !vain.insert(state) {
        return false;
    }
    for &profile in sizes {
        if left[profile] == 0 {
            continue;
        }
        let Some(start) = driver_start(geometry, made, profile) else { continue };
        left[profile] -= 1;
        made.push((profile, start));
        if ask(geometry, sizes, left, made, vain) {
            return true;
        }
        made.pop();
        left[profile] += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::geometry::fixture::*;
    use crate::spec::MigProfile;

    fn starts(profiles: &[MigProfile], order: &[usize]) -> (Vec<u32>, bool) {
        let created = create(&Geometry::new(profiles), order);
        (created.made.iter().map(|at| at.1).collect(), created.is_complete)
    }

    /// NVIDIA MIG User Guide, Instance Geometry (A100-SXM4-40GB): the first four, and the refusal.
    /// Seven 1g: public listings of A100, H100 and GH200 make instances 13, 11, 12, 7, 8, 9, 10, where
    /// the guide has 13 at 6:1, 5 at 4:2, 4 at 2:2, 3 at 0:2, 7 at 0:1. 3 x 2g and 1g+me: instances
    /// 5, 3, 4, 13 on an A100 80GB.
    #[test]
    fn published_sequences_of_creation_come_out() {
        let (mut without_double, with) = (a100(), a100());
        // Older drivers had no 1g with double memory: it changes no choice.
        without_double[G1_DOUBLE].starts.clear();
        for profiles in [with, without_double] {
            let made = |order: &[usize]| starts(&profiles, order);
            assert_eq!(made(&[G1, G2, G4]), (vec![6, 4, 0], true));
            assert_eq!(made(&[G3, G1, G2, G1]), (vec![4, 0, 2, 1], true));
            assert_eq!(made(&[G3, G1, G1, G2]), (vec![4, 0, 1, 2], true));
            assert_eq!(made(&[G2, G1, G1, G1, G1, G1]), (vec![4, 6, 0, 1, 2, 3], true));
            assert_eq!(made(&[G1; 7]), (vec![6, 4, 5, 0, 1, 2, 3], true));
            assert_eq!(made(&[G2, G2, G2, G1]), (vec![4, 0, 2, 6], true));
            assert_eq!(made(&[G3, G2]), (vec![4, 0], true));
            // Insufficient Resources for the 3g.
            assert_eq!(made(&[G1, G1, G2, G3]), (vec![6, 4, 0], false));
        }
        // 1g with double memory: instances 5, 3, 4 on a GH200, the first is 5 on an H100 too.
        assert_eq!(starts(&a100(), &[G1_DOUBLE; 4]), (vec![4, 0, 2, 6], true));
        // 3g, doubled 1g, 1g on an H100 NVL: instances 1, 5, 13, which are at 4:4, 0:2 and 2:1 on
        // another board of that numbering (NVIDIA/DCGM, issue 138).
        assert_eq!(starts(&a100(), &[G3, G1_DOUBLE, G1]), (vec![4, 0, 2], true));
    }

    #[test]
    fn a_3g_leaves_room_for_a_4g() {
        assert_eq!(starts(&a100(), &[G3, G4]), (vec![4, 0], true));
        assert_eq!(starts(&a100(), &[G3, G3]), (vec![4, 0], true));
    }

    #[test]
    fn every_set_has_an_order_but_a_few_with_doubled_memory() {
        let profiles = a100();
        let geometry = Geometry::new(&profiles);
        let mut without: BTreeSet<Vec<u32>> = BTreeSet::new();
        for layout in geometry.layouts(&|_| true) {
            let wanted = geometry.counts(&layout);
            let Some(made) = order_for(&geometry, &wanted) else {
                without.insert(wanted);
                continue;
            };
            let order: Vec<usize> = made.iter().map(|at| at.0).collect();
            assert_eq!(create(&geometry, &order), Created { made, is_complete: true });
        }
        assert!(without.iter().all(|wanted| wanted[G1_DOUBLE] > 0), "{without:?}");
        // 4g at 0:4 leaves 4:2 to the doubled 1g, which is then in the way of one of two 1g.
        let (mut wanted, doubled_last) = (vec![0; 6], [(G4, 1), (G1_DOUBLE, 1), (G1, 2)]);
        doubled_last.iter().for_each(|&(profile, count)| wanted[profile] = count);
        assert!(without.contains(&wanted), "{without:?}");
    }
}
