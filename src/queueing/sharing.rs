//! `ProcessorSharing`: all jobs are served at once; the more jobs, the slower each one.
//!
//! Up to `capacity` jobs run at full speed; beyond it all share the capacity equally. With
//! capacity 1 this is the classic egalitarian station (a link), with capacity `c` a pool of cores.
//! Jobs have no weights.

use super::Station;
use crate::units::{SimDuration, SimTime};
use std::collections::VecDeque;

/// A station whose jobs progress together at the rate `min(1, capacity / jobs)`.
///
/// Every job progresses at the same rate, so one virtual clock serves all: a job ends when the
/// clock has advanced by its work since its arrival. The clock counts 2^-20 ns, which keeps
/// rounding below one nanosecond in 10^6 changes of speed.
#[derive(Debug)]
pub struct ProcessorSharing<T> {
    capacity: u64,
    /// Work each job has received if it was there from the start, in 2^-20 ns.
    clock: u128,
    /// Instant at which `clock` was right.
    updated: SimTime,
    /// Where the clock stands at each job's end, in that order; of equals, who came first.
    jobs: VecDeque<(u128, T)>,
}

const FRACTION_BITS: u32 = 20;

impl<T> ProcessorSharing<T> {
    /// A station that serves up to `capacity` jobs (at least one) at full speed.
    pub fn new(capacity: u32) -> Self {
        assert!(capacity > 0, "a station without capacity");
        Self {
            capacity: u64::from(capacity),
            clock: 0,
            updated: SimTime::ZERO,
            jobs: VecDeque::new(),
        }
    }

    /// How many times longer than alone each job takes at present, as the ratio `jobs / capacity`.
    fn slowdown(&self) -> (u128, u128) {
        let jobs = self.jobs.len() as u64;
        if jobs <= self.capacity { (1, 1) } else { (u128::from(jobs), u128::from(self.capacity)) }
    }

    fn pass(&mut self, now: SimTime) {
        let span = u128::from((now - self.updated).as_nanos()) << FRACTION_BITS;
        // Divisions of such numbers are slow, and few are needed.
        self.clock += match self.slowdown() {
            (1, 1) => span,
            (jobs, capacity) => span * capacity / jobs,
        };
        self.updated = now;
    }

    /// The instant at which the clock reaches `target` at the present speed, rounded up.
    fn instant_of(&self, target: u128) -> SimTime {
        let left = target.saturating_sub(self.clock);
        let span = match self.slowdown() {
            (jobs, 1) => ((left * jobs) + ((1 << FRACTION_BITS) - 1)) >> FRACTION_BITS,
            (jobs, capacity) => (left * jobs).div_ceil(capacity << FRACTION_BITS),
        };
        self.updated + SimDuration::from_nanos(u64::try_from(span).unwrap_or(u64::MAX))
    }
}

impl<T> Station for ProcessorSharing<T> {
    type Job = (T, SimDuration);
    type Done = T;

    fn submit(&mut self, now: SimTime, (tag, work): Self::Job) {
        self.pass(now);
        let target = self.clock + (u128::from(work.as_nanos()) << FRACTION_BITS);
        let place = self.jobs.partition_point(|(other, _)| *other <= target);
        self.jobs.insert(place, (target, tag));
    }

    fn next_change(&self) -> Option<SimTime> {
        self.jobs.front().map(|(target, _)| self.instant_of(*target))
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        let due = self.next_change().is_some_and(|next| next <= now);
        // The end of the earliest job was rounded up to `now`: the clock may stand just short of it.
        let reached = self.jobs.front().map(|(target, _)| *target).filter(|_| due);
        self.pass(now);
        self.clock = self.clock.max(reached.unwrap_or(0));
        while self.jobs.front().is_some_and(|(target, _)| *target <= self.clock) {
            done.extend(self.jobs.pop_front().map(|(_, tag)| tag));
        }
    }
}
