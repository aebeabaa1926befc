//! Any host, and any card of it.

use super::{Policy, options};
use crate::engine::{RandomStreams, Stream};
use crate::layout::cluster::{Seat, Site};
use rand::Rng;

#[derive(Debug)]
pub(super) struct Random {
    stream: Stream,
}

impl Random {
    pub(super) fn of(seed: u64) -> Self {
        Self { stream: RandomStreams::new(seed, 0).stream("placement") }
    }

    fn below(&mut self, count: usize) -> usize {
        (self.stream.next_u64() % count as u64) as usize
    }
}

impl Policy for Random {
    fn score(&mut self, _: &Site<'_, '_>) -> f64 {
        0.0
    }

    fn seats(&mut self, at: &Site<'_, '_>) -> Vec<Seat> {
        let mut all = options(at);
        let any = self.below(all.len());
        all.swap_remove(any)
    }

    fn takes_later(&mut self, number: u32) -> bool {
        self.below(number as usize) == 0
    }
}
