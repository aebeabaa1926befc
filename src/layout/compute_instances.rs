//! Compute instances: what a GPU instance can be divided into.
//!
//! They divide its SMs and nothing else: memory, bandwidth and engines stay common (NVIDIA MIG User
//! Guide). Running work in them is not modelled; a GPU instance is simulated as a whole.

use super::geometry::Geometry;
use crate::spec::MigProfile;

/// A compute instance profile inside a GPU instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ComputeProfile {
    /// The number by which `nvidia-smi mig -cci` knows it.
    pub id: u32,
    /// Compute slices.
    pub compute_slices: u32,
    /// How many of them the GPU instance holds.
    pub most: u32,
    /// Its SMs, where they are known: those of the GPU instance for a profile that spans it, else a
    /// multiple of a slice's where all slices of the GPU are alike by its table.
    pub sms: Option<u32>,
    /// Whether it spans the GPU instance; `-C` creates this one.
    pub is_default: bool,
}

/// Id, compute slices, most.
type Kind = (u32, u32, u32);

/// By the compute slices of the GPU instance (NVIDIA/go-nvml, pkg/nvml/mock/gpus/a100.go; ids are
/// NVML's).
const DIVISIONS: [(u32, &[Kind]); 5] = [
    (1, &[(0, 1, 1)]),
    (2, &[(0, 1, 2), (1, 2, 1)]),
    (3, &[(0, 1, 3), (1, 2, 1), (2, 3, 1)]),
    (4, &[(0, 1, 4), (1, 2, 2), (3, 4, 1)]),
    (7, &[(0, 1, 7), (1, 2, 3), (2, 3, 2), (3, 4, 1), (4, 7, 1)]),
];

/// The id of the one compute instance of a 1g with double memory (NVML: 1 slice, revision 1; public
/// listings of H100 and GH200).
const DOUBLED: u32 = 7;

/// The compute instance profiles of a GPU instance of this profile, smallest first.
pub fn compute_profiles(geometry: &Geometry<'_>, gi: &MigProfile) -> Vec<ComputeProfile> {
    let slices = gi.compute_slices;
    let unit = geometry
        .profiles
        .iter()
        .filter(|one| one.compute_slices == 1)
        .min_by_key(|one| one.memory_slices);
    let slice_sms = unit.and_then(|one| one.sms).filter(|sms| gi.sms == Some(sms * slices));
    let is_doubled = slices == 1 && unit.is_some_and(|one| one.memory_slices < gi.memory_slices);
    let division = DIVISIONS.iter().find(|(size, _)| *size == slices);
    let kinds = division.map_or(&[][..], |(_, kinds)| kinds);
    let kinds = kinds.iter().map(|&(id, own, most)| ComputeProfile {
        id: if is_doubled { DOUBLED } else { id },
        compute_slices: own,
        most,
        sms: if own == slices { gi.sms } else { slice_sms.map(|sms| sms * own) },
        is_default: own == slices,
    });
    kinds.collect()
}

/// The name of a compute instance: `1c.3g.20gb`; one that spans its GPU instance has the name of
/// the GPU instance.
pub fn name(gi: &MigProfile, compute_slices: u32) -> String {
    match compute_slices == gi.compute_slices {
        true => gi.name.clone(),
        false => format!("{compute_slices}c.{}", gi.name),
    }
}

/// Whether a GPU instance can hold these compute instances, given by their slices, at once.
pub fn fit(profiles: &[ComputeProfile], slices: u32, wanted: &[u32]) -> bool {
    let of = |size: u32| wanted.iter().filter(|one| **one == size).count() as u32;
    let is_known = |size: &u32| profiles.iter().any(|one| one.compute_slices == *size);
    wanted.iter().sum::<u32>() <= slices
        && wanted.iter().all(is_known)
        && profiles.iter().all(|one| of(one.compute_slices) <= one.most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::geometry::fixture::*;

    /// NVIDIA MIG User Guide, Compute Instances: `nvidia-smi mig -lcip` of a 3g.20gb on an A100.
    #[test]
    fn a_3g_of_an_a100_is_divided_as_listed() {
        let profiles = a100();
        let geometry = Geometry::new(&profiles);
        let listed: Vec<_> = compute_profiles(&geometry, &profiles[G3])
            .iter()
            .map(|one| (one.id, one.compute_slices, one.most, one.sms, one.is_default))
            .collect();
        let expected =
            [(0, 1, 3, Some(14), false), (1, 2, 1, Some(28), false), (2, 3, 1, Some(42), true)];
        assert_eq!(listed, expected);
        let doubled = compute_profiles(&geometry, &profiles[G1_DOUBLE]);
        assert_eq!((doubled.len(), doubled[0].id), (1, 7));
    }

    #[test]
    fn sizes_differ_as_long_as_the_slices_add_up() {
        let profiles = a100();
        let geometry = Geometry::new(&profiles);
        let fits = |gi: usize, wanted: &[u32]| {
            let kinds = compute_profiles(&geometry, &profiles[gi]);
            fit(&kinds, profiles[gi].compute_slices, wanted)
        };
        assert!(fits(G3, &[1, 2]) && fits(G3, &[1, 1, 1]) && fits(G7, &[4, 3]));
        assert!(!fits(G3, &[2, 2]));
        // No 3c in a 4g.
        assert!(!fits(G4, &[3, 1]) && fits(G4, &[2, 1, 1]));
    }

    #[test]
    fn slices_that_are_not_alike_leave_the_sms_unknown() {
        let mut profiles = a100();
        // As on an H100: 16 SMs to a 1g, 60 to a 3g.
        profiles[G1].sms = Some(16);
        profiles[G3].sms = Some(60);
        let kinds = compute_profiles(&Geometry::new(&profiles), &profiles[G3]);
        assert_eq!([kinds[0].sms, kinds[2].sms], [None, Some(60)]);
        assert_eq!([name(&profiles[G3], 1), name(&profiles[G3], 3)], ["1c.3g", "3g"]);
    }
}
