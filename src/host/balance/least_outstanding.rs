//! Least outstanding: the VM with the fewest queries that are not answered; of equals the next in turn.

use super::{Balancing, Candidate, next_from};

/// Whose turn it is among equals.
#[derive(Default, Debug)]
pub(super) struct LeastOutstanding {
    next: usize,
}

impl Balancing for LeastOutstanding {
    fn choose(&mut self, candidates: &[Candidate]) -> usize {
        let least = candidates.iter().map(|one| one.outstanding).min();
        let equals = candidates.iter().filter(|one| Some(one.outstanding) == least).copied();
        let place = next_from(&equals.collect::<Vec<_>>(), self.next);
        self.next = place + 1;
        place
    }
}
