//! Queue policies of a Triton server: how long a query may wait, how many may wait, and which goes
//! first.
//!
//! Source: Triton's `ModelQueuePolicy` and `ModelDynamicBatching` (triton-inference-server/common,
//! `model_config.proto`; user guide, "Batchers"). Their effect on a queue is in `host`.

use crate::units::{Share, SimDuration};

/// What happens to a query whose timeout ends before it is in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeoutAction {
    /// It is answered with an error.
    #[default]
    Reject,
    /// It goes behind all queries of its level whose timeout has not ended.
    Delay,
}

/// How the queries of one priority level wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueuePolicy {
    /// The longest wait, above 0; nothing: no limit.
    pub timeout: Option<SimDuration>,
    /// What happens when the timeout ends.
    pub timeout_action: TimeoutAction,
    /// The most queries that may wait; one more is rejected when it arrives; nothing: no limit.
    pub max_queue_size: Option<u32>,
}

impl QueuePolicy {
    /// Whether a query under it may be rejected.
    pub fn rejects(&self) -> bool {
        let expires = self.timeout.is_some() && self.timeout_action == TimeoutAction::Reject;
        expires || self.max_queue_size.is_some()
    }
}

/// The queues of a server: one for each priority level.
#[derive(Clone, PartialEq, Debug)]
pub struct Queues {
    /// The policy of each level, the first goes first; at least one.
    pub levels: Vec<QueuePolicy>,
    /// The level of a query that states none, counted from 0.
    pub default_level: u8,
    /// The part of all queries in each level, as many as there are levels, 1 in all; empty: all in
    /// the default level.
    pub shares: Vec<Share>,
}

impl Default for Queues {
    /// One queue without limits.
    fn default() -> Self {
        Self { levels: vec![QueuePolicy::default()], default_level: 0, shares: Vec::new() }
    }
}

impl Queues {
    /// Whether queries wait in order of arrival, without limits.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a query may be rejected.
    pub fn reject(&self) -> bool {
        self.levels.iter().any(QueuePolicy::rejects)
    }
}
