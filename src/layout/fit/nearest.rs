//! The nearest request that fits, when vGPUs do not: fewer of them, or a smaller type in place of
//! one.
//!
//! It proposes; the caller decides whether a proposal is useful.

use super::{Fit, SizeMode};
use crate::spec::GpuSpec;

/// Proposals that are tried before a coarser way is taken.
const TRIES_MAX: u32 = 300;

/// The wanted vGPUs, and the cards.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The model of the cards.
    pub gpu: &'a GpuSpec,
    /// How many cards.
    pub cards: usize,
    /// The modes that time-sliced cards may have.
    pub mode: SizeMode,
    /// How many of each type, by index.
    pub wanted: Vec<u32>,
}

impl Wish<'_> {
    /// How many of each type to leave out so that the others fit: as few as possible, of the later
    /// types first. Where that takes too many tries, those that find no room when types are placed
    /// in order.
    pub fn fewest_dropped(&self) -> Vec<u32> {
        let mut fit = Fit::new(self.gpu, self.mode, self.wanted.clone());
        let mut tries = 0;
        for dropped in 1..=self.wanted.iter().sum() {
            let mut found = None;
            let mut out = vec![0; self.wanted.len()];
            self.each_drop(self.wanted.len(), dropped, &mut out, &mut |out| {
                tries += 1;
                if tries <= TRIES_MAX && found.is_none() && self.fits_without(&mut fit, out) {
                    found = Some(out.to_vec());
                }
                found.is_some() || tries > TRIES_MAX
            });
            if let Some(found) = found {
                return found;
            }
            if tries > TRIES_MAX {
                break;
            }
        }
        self.in_order(&mut fit)
    }

    /// Calls `with` for each way to leave out `dropped` of the first `kinds` types, later types
    /// first, until it says that it is done.
    fn each_drop(
        &self,
        kinds: usize,
        dropped: u32,
        out: &mut Vec<u32>,
        with: &mut dyn FnMut(&[u32]) -> bool,
    ) -> bool {
        let Some(kind) = kinds.checked_sub(1) else { return dropped == 0 && with(out) };
        let before: u32 = self.wanted[..kind].iter().sum();
        let least = dropped.saturating_sub(before);
        for here in (least..=dropped.min(self.wanted[kind])).rev() {
            out[kind] = here;
            if self.each_drop(kind, dropped - here, out, with) {
                return true;
            }
        }
        out[kind] = 0;
        false
    }

    /// As many of each type as fit beside the types before it.
    fn in_order(&self, fit: &mut Fit<'_>) -> Vec<u32> {
        let mut out = self.wanted.clone();
        for kind in 0..out.len() {
            let mut fits = |dropped: u32| {
                let mut tried = out.clone();
                tried[kind] = dropped;
                self.fits_without(fit, &tried)
            };
            // Fewer of a type always fit where more do: halve the interval.
            let (mut too_few, mut enough) = (None, self.wanted[kind]);
            while too_few.map_or(0, |few: u32| few + 1) < enough {
                let from = too_few.map_or(0, |few| few + 1);
                let middle = (from + enough - 1) / 2;
                if fits(middle) {
                    enough = middle;
                } else {
                    too_few = Some(middle);
                }
            }
            out[kind] = enough;
        }
        out
    }

    fn fits_without(&self, fit: &mut Fit<'_>, dropped: &[u32]) -> bool {
        let left = self.wanted.iter().zip(dropped).map(|(want, less)| want - less);
        fit.surely_fits(&left.collect::<Vec<_>>(), self.cards)
    }

    /// A type, and a smaller one of its kind that lets all fit when it takes the first's place: the
    /// largest type for which this works, and the largest smaller one.
    pub fn smaller_type(&self) -> Option<(usize, usize)> {
        let types = &self.gpu.vgpu_types;
        let mut used: Vec<usize> = (0..types.len()).filter(|&at| self.wanted[at] > 0).collect();
        used.sort_by_key(|&kind| std::cmp::Reverse(types[kind].frame_buffer));
        used.into_iter().find_map(|kind| {
            let is_smaller = |other: usize| {
                types[other].frame_buffer < types[kind].frame_buffer
                    && types[other].is_time_sliced() == types[kind].is_time_sliced()
                    && types[other].series() == types[kind].series()
            };
            let mut smaller: Vec<usize> = (0..types.len()).filter(|&at| is_smaller(at)).collect();
            smaller.sort_by_key(|&other| std::cmp::Reverse(types[other].frame_buffer));
            let helps = |&other: &usize| {
                let mut wanted = self.wanted.clone();
                wanted[other] += std::mem::take(&mut wanted[kind]);
                let mut fit = Fit::new(self.gpu, self.mode, wanted.clone());
                fit.surely_fits(&wanted, self.cards)
            };
            smaller.into_iter().find(helps).map(|other| (kind, other))
        })
    }
}
