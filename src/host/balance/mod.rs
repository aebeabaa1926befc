//! Load balancing: which VM gets the next query. One file for each policy.
//!
//! Who may get queries at all, and how many each has, the platform knows.

mod least_outstanding;
mod round_robin;

use crate::spec::BalancePolicy;
use least_outstanding::LeastOutstanding;
use round_robin::RoundRobin;

/// A VM that may get the next query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its place among all VMs of the balancer; candidates are in this order.
    pub place: usize,
    /// Queries that were sent to it and are not answered.
    pub outstanding: u64,
}

/// Who gets the next query.
pub trait Balancing: std::fmt::Debug + Send {
    /// The place of one of these candidates; there is at least one.
    fn choose(&mut self, candidates: &[Candidate]) -> usize;
}

/// The policy of a file.
pub fn balancing(policy: BalancePolicy) -> Box<dyn Balancing> {
    match policy {
        BalancePolicy::RoundRobin => Box::new(RoundRobin::default()),
        BalancePolicy::LeastOutstanding => Box::new(LeastOutstanding::default()),
    }
}

/// The first candidate from this place on, around the end.
fn next_from(candidates: &[Candidate], place: usize) -> usize {
    let later = candidates.iter().find(|one| one.place >= place);
    later.or(candidates.first()).expect("a candidate").place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(policy: BalancePolicy, rounds: &[&[(usize, u64)]]) -> Vec<usize> {
        let mut balancing = balancing(policy);
        let choose = |round: &&[(usize, u64)]| {
            let all = round.iter().map(|&(place, outstanding)| Candidate { place, outstanding });
            balancing.choose(&all.collect::<Vec<_>>())
        };
        rounds.iter().map(choose).collect()
    }

    #[test]
    fn in_turn_whoever_is_missing_is_passed_over() {
        let all: &[(usize, u64)] = &[(0, 9), (1, 0), (2, 0)];
        let rounds = [all, all, &[(0, 9), (1, 0)], all];
        assert_eq!(sent(BalancePolicy::RoundRobin, &rounds), [0, 1, 0, 1]);
    }

    #[test]
    fn the_least_busy_is_next_and_equals_take_turns() {
        let rounds: [&[(usize, u64)]; 4] = [
            &[(0, 2), (1, 1), (2, 1)],
            &[(0, 2), (1, 2), (2, 2)],
            &[(0, 3), (1, 2), (2, 2)],
            &[(2, 7)],
        ];
        assert_eq!(sent(BalancePolicy::LeastOutstanding, &rounds), [1, 2, 1, 2]);
    }
}
