//! `Pool`: the batches of one owner on the share of a GPU it is given.
//!
//! It knows neither turns nor other owners.

use super::Demand;
use crate::queueing::Station;
use crate::spec::GpuSharing;
use crate::units::{Share, SimDuration, SimTime};
use std::collections::VecDeque;

/// A batch for a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolJob<T> {
    /// Its tag, returned when it is done.
    pub tag: T,
    /// Its demand on the GPU.
    pub demand: Demand,
}

/// The batches of one owner, in order or sharing.
#[derive(Debug)]
pub struct Pool<T> {
    share: Share,
    /// The most it may use of the GPU's SMs, for a client of MPS that has a limit.
    limit: Option<Share>,
    sharing: GpuSharing,
    running: Vec<Running<T>>,
    waiting: VecDeque<PoolJob<T>>,
    /// Speed of the card's clock, relative to the one the demands were measured at.
    clock: f64,
    /// Instant at which the remainders in `running` were right.
    updated: SimTime,
    /// When the next of them ends.
    next: Option<SimTime>,
}

#[derive(Debug)]
struct Running<T> {
    job: PoolJob<T>,
    /// The part of the batch that is left, 1 to 0.
    remaining: f64,
    /// How long the whole batch takes at the present rates, in nanoseconds.
    whole: f64,
    /// It ends at the present change.
    ends: bool,
}

/// What the time of a batch depends on beside its demand.
struct Rates {
    contenders: usize,
    share: Share,
    limit: Option<Share>,
    clock: f64,
}

impl Rates {
    /// How long a whole batch takes, in nanoseconds.
    fn time_of(&self, demand: &Demand) -> f64 {
        let demand = demand.at_clock(self.clock);
        match self.limit {
            Some(limit) => demand.time_within(self.contenders, self.share, limit),
            None => demand.time(self.contenders, self.share),
        }
    }
}

impl<T> Pool<T> {
    /// An empty pool on `share` of a GPU.
    pub fn new(share: Share, sharing: GpuSharing) -> Self {
        Self {
            share,
            limit: None,
            sharing,
            clock: 1.0,
            running: Vec::new(),
            waiting: VecDeque::new(),
            updated: SimTime::ZERO,
            next: None,
        }
    }

    /// The pool of a client that may use a part `limit` of the GPU's SMs at most.
    pub fn with_limit(self, limit: Share) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Whether no batch is inside.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether a batch waits for another to end.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a batch that runs began before `now`.
    pub fn is_under_way(&self, now: SimTime) -> bool {
        let has_progress = |batch: &Running<T>| batch.remaining < 1.0;
        !self.running.is_empty() && (now > self.updated || self.running.iter().any(has_progress))
    }

    /// How many batches run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// The owner's share of the GPU becomes `share`, above 0.
    pub fn set_share(&mut self, now: SimTime, share: Share) {
        if share != self.share {
            self.pass(now);
            self.share = share;
            self.set_rates();
        }
    }

    /// The work of its one running batch becomes so many nanoseconds, of which the same part is left.
    pub fn set_work(&mut self, now: SimTime, work: f64) {
        self.pass(now);
        if let [batch] = self.running.as_mut_slice() {
            batch.job.demand.work = work;
        }
        self.set_rates();
    }

    /// The card's clock changes, and with it the speed of all work.
    pub fn set_clock(&mut self, now: SimTime, clock: f64) {
        self.pass(now);
        self.clock = clock;
        self.set_rates();
    }

    /// When `running[index]` ends if nothing changes.
    fn end_of(&self, index: usize) -> SimTime {
        let batch = &self.running[index];
        self.updated + SimDuration::from_nanos_f64(batch.remaining * batch.whole)
    }

    /// Power that its batches draw above the idle card's at the highest clock, in watts: for each,
    /// its energy over its time.
    pub fn draw(&self) -> f64 {
        let rates = Rates { clock: 1.0, ..self.rates() };
        let of = |batch: &Running<T>| match batch.job.demand.energy {
            0.0 => 0.0,
            energy => energy / rates.time_of(&batch.job.demand),
        };
        self.running.iter().map(of).sum()
    }

    fn rates(&self) -> Rates {
        let contenders = self.running.len();
        Rates { contenders, share: self.share, limit: self.limit, clock: self.clock }
    }

    /// The rates have changed: the share, the clock, or how many batches run.
    fn set_rates(&mut self) {
        self.next = None;
        if self.running.is_empty() {
            return;
        }
        let rates = self.rates();
        for batch in &mut self.running {
            batch.whole = rates.time_of(&batch.job.demand);
        }
        self.next = (0..self.running.len()).map(|index| self.end_of(index)).min();
    }

    /// Lets all running batches progress to `now` at the present rates.
    fn pass(&mut self, now: SimTime) {
        let span = (now - self.updated).as_nanos_f64();
        for batch in &mut self.running {
            let whole = batch.whole;
            let part = if whole > 0.0 { span / whole } else { 1.0 };
            batch.remaining = (batch.remaining - part).max(0.0);
        }
        self.updated = now;
    }

    fn start(&mut self, job: PoolJob<T>) {
        self.running.push(Running { job, remaining: 1.0, whole: 0.0, ends: false });
        self.set_rates();
    }
}

impl<T> Station for Pool<T> {
    type Job = PoolJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, job: PoolJob<T>) {
        if self.sharing == GpuSharing::InOrder && !self.running.is_empty() {
            self.waiting.push_back(job);
            return;
        }
        self.pass(now);
        self.start(job);
    }

    fn next_change(&self) -> Option<SimTime> {
        self.next
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(end) = self.next.filter(|&end| end <= now) {
            if self.running.len() == 1 {
                self.updated = end;
                done.extend(self.running.pop().map(|batch| batch.job.tag));
            } else {
                // Who ends is decided by the times before they pass.
                for index in 0..self.running.len() {
                    self.running[index].ends = self.end_of(index) == end;
                }
                self.pass(end);
                let over = self.running.extract_if(.., |batch| batch.ends);
                done.extend(over.map(|batch| batch.job.tag));
            }
            if self.running.is_empty()
                && let Some(job) = self.waiting.pop_front()
            {
                self.start(job);
            } else {
                self.set_rates();
            }
        }
    }
}
