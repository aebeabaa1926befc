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
    /// By what rule members start and stop; nothing where all serve all the time.
    pub replicas: Option<Replicas>,
}

/// How many members of a load balancer serve: the settings of Kubernetes' HorizontalPodAutoscaler.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Replicas {
    /// The fewest, and as many as there are at first; from 1 to the number of members, the most.
    pub min: u32,
    /// What is looked at.
    pub metric: ReplicaMetric,
    /// What its mean over the replicas shall be, above 0.
    pub target: f64,
    /// How far off the target, over the target, nothing is done about it; 0 to 1.
    pub tolerance: f64,
    /// How often it is looked at; above 0.
    pub period: SimDuration,
    /// On the way up the least is taken that was recommended in this time.
    pub up_window: SimDuration,
    /// On the way down the most is taken that was recommended in this time.
    pub down_window: SimDuration,
    /// From the decision until a new replica serves: boot and model load.
    pub start: SimDuration,
}

/// What the number of replicas follows, in the mean over a period and all replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplicaMetric {
    /// Queries that are not answered.
    Outstanding,
    /// The part of the time in which a replica has any.
    Busy,
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
