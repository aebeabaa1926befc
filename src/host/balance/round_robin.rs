//! Round robin: one VM after the other, whatever they have to do.

use super::{Balancing, Candidate, next_from};

/// Whose turn it is.
#[derive(Default, Debug)]
pub(super) struct RoundRobin {
    next: usize,
}

impl Balancing for RoundRobin {
    fn choose(&mut self, candidates: &[Candidate]) -> usize {
        let place = next_from(candidates, self.next);
        self.next = place + 1;
        place
    }
}
