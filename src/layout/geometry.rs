//! GPU instances on the memory slices of one card: their positions, every layout, and what a layout
//! leaves free.
//!
//! Instances start where the vendor's tables allow, do not overlap, and share the card's media
//! engines (NVIDIA MIG User Guide, NVML). The card of an instance is chosen in `placement`, the
//! order of creation in `creation`. Nothing is ever moved.

use crate::spec::MigProfile;

/// One GPU instance on a card: profile, as index into the list of profiles, and first memory slice.
pub type Positioned = (usize, u32);

/// The ways in which a card can be cut.
#[derive(Clone, Copy, Debug)]
pub struct Geometry<'a> {
    /// The profiles, variants (`+me`) included.
    pub profiles: &'a [MigProfile],
    /// Memory slices of the card.
    pub memory_slices: u32,
    /// Compute slices of the card.
    pub compute_slices: u32,
    /// Decoders, encoders, JPEG and OFA engines of the card, each nothing where not known.
    media: [Option<u32>; 4],
}

impl<'a> Geometry<'a> {
    /// The geometry that a list of profiles describes. The card's media engines are those of the
    /// instance that spans it; where no such profile is published, media engines do not limit
    /// anything.
    pub fn new(profiles: &'a [MigProfile]) -> Self {
        let end = |one: &MigProfile| one.starts.last().map_or(0, |last| last + one.memory_slices);
        let memory_slices = profiles.iter().map(end).max().unwrap_or(0);
        let compute = profiles.iter().map(|one| one.compute_slices * one.max_per_gpu);
        let compute_slices = compute.max().unwrap_or(0);
        let spans = profiles.iter().find(|one| one.memory_slices == memory_slices);
        let media = spans.map_or([None; 4], |one| one.media.counts());
        Self { profiles, memory_slices, compute_slices, media }
    }

    /// Whether an instance can be added to the existing ones.
    pub fn fits(&self, taken: &[Positioned], (profile, start): Positioned) -> bool {
        let wanted = &self.profiles[profile];
        let same = taken.iter().filter(|at| at.0 == profile).count();
        same < wanted.max_per_gpu as usize
            && taken.iter().all(|&at| !self.overlap(at, (profile, start)))
            && self.has_media_beside(taken, profile)
    }

    /// The starts at which an instance can be added, in rising order.
    pub fn free_starts(&self, taken: &[Positioned], profile: usize) -> Vec<u32> {
        let starts = self.profiles[profile].starts.iter().copied();
        starts.filter(|&start| self.fits(taken, (profile, start))).collect()
    }

    /// Whether two instances share a memory slice.
    pub fn overlap(&self, one: Positioned, other: Positioned) -> bool {
        let end = |(profile, start): Positioned| start + self.profiles[profile].memory_slices;
        one.1 < end(other) && other.1 < end(one)
    }

    /// The first compute slice of an instance, and how many it has. Compute slices are aligned with
    /// the memory slices in equal steps; the last memory slices of a card may have none.
    pub fn compute_span(&self, (profile, start): Positioned) -> (u32, u32) {
        let step = (self.memory_slices / self.compute_slices.max(1)).max(1);
        (start / step, self.profiles[profile].compute_slices)
    }

    /// Whether the card's media engines are enough for one more instance.
    fn has_media_beside(&self, taken: &[Positioned], profile: usize) -> bool {
        let mut counts = self.counts(taken);
        counts[profile] += 1;
        self.has_media(&counts, 1)
    }

    /// Whether the media engines of `cards` cards are enough for `counts` instances of each
    /// profile, as far as known.
    pub fn has_media(&self, counts: &[u32], cards: u32) -> bool {
        let mut needed = [0; 4];
        for (profile, count) in self.profiles.iter().zip(counts) {
            let own = profile.media.counts();
            needed.iter_mut().zip(own).for_each(|(sum, each)| *sum += each.unwrap_or(0) * count);
        }
        let all = needed.iter().zip(self.media);
        all.into_iter().all(|(sum, there)| there.is_none_or(|there| *sum <= there * cards))
    }

    /// Every legal layout of the profiles that are `among`, the empty one included, each once and
    /// from the first slice to the last.
    pub fn layouts(&self, among: &dyn Fn(usize) -> bool) -> Vec<Vec<Positioned>> {
        let mut all = Vec::new();
        self.extend(among, 0, &mut Vec::new(), &mut all);
        all
    }

    /// Adds every layout that continues `taken` from slice `from` on.
    fn extend(
        &self,
        among: &dyn Fn(usize) -> bool,
        from: u32,
        taken: &mut Vec<Positioned>,
        all: &mut Vec<Vec<Positioned>>,
    ) {
        if from >= self.memory_slices {
            all.push(taken.clone());
            return;
        }
        for (index, profile) in self.profiles.iter().enumerate() {
            let at = (index, from);
            if among(index) && profile.starts.contains(&from) && self.fits(taken, at) {
                taken.push(at);
                self.extend(among, from + profile.memory_slices, taken, all);
                taken.pop();
            }
        }
        self.extend(among, from + 1, taken, all);
    }

    /// Whether nothing that is `among` can be added to a layout.
    pub fn is_maximal(&self, layout: &[Positioned], among: &dyn Fn(usize) -> bool) -> bool {
        let mut profiles = (0..self.profiles.len()).filter(|&profile| among(profile));
        profiles.all(|profile| self.free_starts(layout, profile).is_empty())
    }

    /// How many of each profile a layout has.
    pub fn counts(&self, layout: &[Positioned]) -> Vec<u32> {
        let mut counts = vec![0; self.profiles.len()];
        layout.iter().for_each(|&(profile, _)| counts[profile] += 1);
        counts
    }

    /// Memory slices that `counts` of each profile take.
    pub fn memory_of(&self, counts: &[u32]) -> u32 {
        self.profiles.iter().zip(counts).map(|(one, count)| one.memory_slices * count).sum()
    }

    /// Compute slices that `counts` of each profile take.
    pub fn compute_of(&self, counts: &[u32]) -> u32 {
        self.profiles.iter().zip(counts).map(|(one, count)| one.compute_slices * count).sum()
    }
}

/// The A100's profiles without variants, for tests.
#[cfg(test)]
pub(super) mod fixture {
    use crate::spec::{MediaEngines, MigProfile};
    use crate::units::Bytes;

    /// Compute slices, memory slices, most, starts (NVIDIA MIG User Guide; nvidia-smi mig -lgipp).
    const A100: [(u32, u32, u32, &[u32]); 6] = [
        (7, 8, 1, &[0]),
        (4, 4, 1, &[0]),
        (3, 4, 2, &[0, 4]),
        (2, 2, 3, &[0, 2, 4]),
        (1, 2, 4, &[0, 2, 4, 6]),
        (1, 1, 7, &[0, 1, 2, 3, 4, 5, 6]),
    ];
    pub(crate) const G7: usize = 0;
    pub(crate) const G4: usize = 1;
    pub(crate) const G3: usize = 2;
    pub(crate) const G2: usize = 3;
    pub(crate) const G1_DOUBLE: usize = 4;
    pub(crate) const G1: usize = 5;

    pub(crate) fn a100() -> Vec<MigProfile> {
        let profile = |(id, &(compute, memory, most, starts)): (usize, &_)| MigProfile {
            name: format!("{compute}g"),
            id: id as u32,
            sms: Some(14 * compute),
            compute_slices: compute,
            memory_slices: memory,
            frame_buffer: Some(Bytes::from_mib(4864)),
            copy_engines: compute,
            media: MediaEngines::default(),
            max_per_gpu: most,
            starts: <[u32]>::to_vec(starts),
            is_printed: true,
        };
        A100.iter().enumerate().map(profile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::*;
    use super::*;
    use std::collections::BTreeSet;

    /// Layouts, maximal ones, and distinct sets among these.
    fn count(profiles: &[MigProfile]) -> (usize, usize, usize) {
        let geometry = Geometry::new(profiles);
        let all = geometry.layouts(&|_| true);
        let maximal: Vec<_> =
            all.iter().filter(|one| geometry.is_maximal(one, &|_| true)).collect();
        let sets: BTreeSet<_> = maximal.iter().map(|layout| geometry.counts(layout)).collect();
        (all.len(), maximal.len(), sets.len())
    }

    #[test]
    fn an_a100_has_723_layouts() {
        let profiles = a100();
        assert_eq!(count(&profiles), (723, 78, 38));
        let mut without_double = a100();
        without_double.remove(G1_DOUBLE);
        let (_, maximal, sets) = count(&without_double);
        assert_eq!((maximal, sets), (19, 14));
        // The non-overlap rule alone keeps every layout within seven compute slices.
        let geometry = Geometry::new(&profiles);
        let compute = |layout: &Vec<Positioned>| geometry.compute_of(&geometry.counts(layout));
        assert_eq!(geometry.layouts(&|_| true).iter().map(compute).max(), Some(7));
        assert_eq!((geometry.memory_slices, geometry.compute_slices), (8, 7));
    }

    #[test]
    fn only_a_3g_a_doubled_1g_or_a_7g_reaches_the_last_memory_slice() {
        let profiles = a100();
        let reaches = |&profile: &usize| {
            let last = profiles[profile].starts.last().unwrap();
            last + profiles[profile].memory_slices == 8
        };
        assert_eq!((0..6).filter(reaches).collect::<Vec<_>>(), [G7, G3, G1_DOUBLE]);
    }
}
