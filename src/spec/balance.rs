//! A load that several VMs share: a load balancer sends each query to one of them.

use super::VmId;
use crate::units::SimDuration;

/// What a load balancer does.
#[derive(Clone, PartialEq, Debug)]
pub struct Balance {
    /// The VMs that it sends queries to, two at least; each has one model.
    pub members: Vec<VmId>,
    /// Who gets the next query.
    pub policy: BalancePolicy,
    /// How long a VM must have stood still, or been down, until it gets no more queries. One that serves
    /// again gets some at once.
    pub health_check: SimDuration,
}

/// Who gets the next query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BalancePolicy {
    /// One VM after the other.
    RoundRobin,
    /// The VM with the fewest queries that are not answered; of equals the next in turn.
    LeastOutstanding,
}

impl BalancePolicy {
    /// Every policy by its word in files.
    pub const ALL: [(&'static str, BalancePolicy); 2] = [
        ("round-robin", BalancePolicy::RoundRobin),
        ("least-outstanding", BalancePolicy::LeastOutstanding),
    ];

    /// Its word in files and results.
    pub fn word(self) -> &'static str {
        Self::ALL[usize::from(self == BalancePolicy::LeastOutstanding)].0
    }
}
