//! `Waiting`: the queries that have arrived and are in no batch, by priority level, under the
//! policies of a Triton server: which query has waited too long, which finds the queue full, which
//! goes next.
//!
//! It forms no batch and knows no permit; the batcher calls it when a query arrives and when a
//! batch is taken. Source: the rules of Triton's `PriorityQueue` (triton-inference-server/core,
//! `scheduler_utils.cc`).

use crate::loadgen::Query;
use crate::spec::{QueuePolicy, Queues, TimeoutAction};
use crate::units::SimTime;
use std::collections::VecDeque;

/// The queries that wait at a server.
#[derive(Debug)]
pub(super) struct Waiting {
    levels: Vec<Level>,
    /// How many wait in all.
    count: usize,
}

/// The queue of one priority level.
#[derive(Debug)]
struct Level {
    policy: QueuePolicy,
    /// Those in time, in order of arrival.
    in_time: VecDeque<Query>,
    /// Those whose timeout is over and who were put behind, in that order.
    delayed: VecDeque<Query>,
}

impl Level {
    /// Whether the time of its oldest query in time was over before `now`: at the very end of it a
    /// query may still go into a batch.
    fn front_is_over(&self, now: SimTime) -> bool {
        let over = self.policy.timeout.zip(self.in_time.front());
        over.is_some_and(|(timeout, query)| query.seen + timeout < now)
    }
}

impl Waiting {
    /// An empty queue under these policies.
    pub(super) fn new(queues: &Queues) -> Self {
        let level = |policy: &QueuePolicy| Level {
            policy: *policy,
            in_time: VecDeque::new(),
            delayed: VecDeque::new(),
        };
        Self { levels: queues.levels.iter().map(level).collect(), count: 0 }
    }

    /// The number of waiting queries.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A query arrives, at its due time or later. It is returned if its queue is full.
    pub(super) fn arrive(&mut self, query: Query) -> Option<Query> {
        let level = &mut self.levels[usize::from(query.level)];
        let waiting = level.in_time.len() + level.delayed.len();
        if level.policy.max_queue_size.is_some_and(|most| waiting >= most as usize) {
            return Some(query);
        }
        // Clients that think for a random time may answer out of order.
        let place = level.in_time.partition_point(|other| other.seen <= query.seen);
        level.in_time.insert(place, query);
        self.count += 1;
        None
    }

    /// Queries that had waited too long before `now` are moved to the back or to `rejected`.
    pub(super) fn expire(&mut self, now: SimTime, rejected: &mut Vec<Query>) {
        for level in &mut self.levels {
            while level.front_is_over(now) {
                let query = level.in_time.pop_front().expect("it has a front");
                match level.policy.timeout_action {
                    TimeoutAction::Delay => level.delayed.push_back(query),
                    TimeoutAction::Reject => {
                        self.count -= 1;
                        rejected.push(query);
                    }
                }
            }
        }
    }

    /// When the next query is rejected for having waited too long.
    pub(super) fn next_rejection(&self) -> Option<SimTime> {
        let rejecting =
            self.levels.iter().filter(|level| level.policy.timeout_action == TimeoutAction::Reject);
        let over = rejecting.filter_map(|level| {
            let (timeout, query) = level.policy.timeout.zip(level.in_time.front())?;
            Some(query.seen + timeout + crate::units::SimDuration::from_nanos(1))
        });
        over.min()
    }

    /// The earliest arrival among the first `count` to go.
    pub(super) fn oldest_of(&self, count: usize) -> Option<SimTime> {
        self.in_order().take(count).map(|query| query.seen).min()
    }

    /// Takes the first `count` to go.
    pub(super) fn take(&mut self, count: usize) -> Vec<Query> {
        let mut taken = Vec::with_capacity(count);
        for level in &mut self.levels {
            for queue in [&mut level.in_time, &mut level.delayed] {
                let some = queue.len().min(count - taken.len());
                taken.extend(queue.drain(..some));
            }
        }
        self.count -= taken.len();
        taken
    }

    /// All that wait, level by level.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Query> {
        self.levels.iter().flat_map(|level| level.in_time.iter().chain(&level.delayed))
    }
}
