//! `Batcher`: where queries and permits meet and become batches.
//!
//! Queries are fed ahead of their due times, so that no arrival needs an event: the batcher looks
//! ahead to the query that will fill its batch. Its jobs are permits (a free worker, a free slot);
//! its law is *permits in = permits out*. What happens to a batch later is not its concern.
//!
//! Where queries have priorities or may be rejected, they wait in [`Waiting`], and each arrival is
//! a change: which queries are in a batch then depends on when the others arrived.

use super::waiting::Waiting;
use crate::engine::Stream;
use crate::loadgen::Query;
use crate::queueing::Station;
use crate::spec::{BatchRule, Dispatch, ServerSpec, TimeoutFrom};
use crate::units::{SimDuration, SimTime};
use rand::RngExt;
use std::collections::VecDeque;

/// Permission to form one batch: a free worker or slot of one of the guest's GPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permit {
    /// Which of the guest's GPUs, from 0.
    pub gpu: u16,
    /// Which of its workers or slots, from 0.
    pub worker: u16,
}

/// A batch: its composition is final.
#[derive(Clone, Debug)]
pub struct FormedBatch {
    /// The permit it was formed with.
    pub permit: Permit,
    /// Its queries in order of arrival, at least one.
    pub queries: Vec<Query>,
}

/// The batcher of one guest.
#[derive(Debug)]
pub struct Batcher {
    batch_max: usize,
    rule: BatchRule,
    timeout: Option<SimDuration>,
    timeout_from: TimeoutFrom,
    /// How long the oldest may wait for a preferred size; zero: not at all.
    queue_delay: SimDuration,
    /// Sizes that go as soon as they can be formed, ascending; at least one.
    preferred: Vec<usize>,
    /// Queries by the time they are seen, past and future; where there are policies, only the future.
    stock: VecDeque<Query>,
    /// Where there are policies: those that have arrived.
    waiting: Option<Waiting>,
    /// Those that were rejected and not yet told.
    rejected: Vec<Query>,
    /// Rooms for the queries of batches, of those that are over.
    rooms: Vec<Vec<Query>>,
    /// When it was last called.
    clock: SimTime,
    /// Nothing more will be fed ahead of time.
    closed: bool,
    /// More will be fed when it leaves the step before.
    is_fed: bool,
    idle: Idle,
    /// The permit the next batch is formed with, and since when the batcher waits with it. Where
    /// dispatch is random it stands for any: lots are drawn when the batch is formed.
    selected: Option<(Permit, SimTime)>,
    /// While its guest stands still: the permits that it would have otherwise, in order.
    halted: Option<Vec<Permit>>,
}

/// Permits that wait their turn.
#[derive(Debug)]
enum Idle {
    LongestFirst(VecDeque<Permit>),
    ByGpu { permits: Vec<VecDeque<Permit>>, next: NextGpu },
}

/// Which GPU comes next, of those with a permit.
#[derive(Debug)]
enum NextGpu {
    InTurn(usize),
    AtRandom(Box<Stream>),
}

impl Batcher {
    /// The batcher of a guest with `gpus` GPUs; permits are submitted to it afterwards. `chance` is
    /// the random stream of a random dispatch.
    pub fn new(server: &ServerSpec, gpus: usize, chance: Stream) -> Self {
        let by_gpu = |next| Idle::ByGpu { permits: vec![VecDeque::new(); gpus], next };
        let idle = match server.dispatch {
            Dispatch::LongestIdle => Idle::LongestFirst(VecDeque::new()),
            Dispatch::RoundRobin => by_gpu(NextGpu::InTurn(0)),
            Dispatch::RandomGpu => by_gpu(NextGpu::AtRandom(Box::new(chance))),
        };
        Self {
            batch_max: server.batch_max as usize,
            rule: server.batch_rule,
            timeout: server.timeout,
            timeout_from: server.timeout_from,
            queue_delay: server.max_queue_delay,
            preferred: preferred(server),
            stock: VecDeque::new(),
            waiting: (!server.queues.is_plain()).then(|| Waiting::new(&server.queues)),
            rejected: Vec::new(),
            rooms: Vec::new(),
            clock: SimTime::ZERO,
            closed: false,
            is_fed: false,
            idle,
            selected: None,
            halted: None,
        }
    }

    /// Adds a query. Queries due at the same time are served in the order in which they were added.
    #[inline]
    pub fn feed(&mut self, query: Query) {
        let in_order = self.stock.back().is_none_or(|last| last.seen <= query.seen);
        if in_order {
            return self.stock.push_back(query);
        }
        // Only clients that think for a random time answer out of order.
        let place = self.stock.partition_point(|other| other.seen <= query.seen);
        self.stock.insert(place, query);
    }

    /// Adds queries that come in order, none before one that was added earlier.
    pub fn feed_in_order(&mut self, queries: impl Iterator<Item = Query>) {
        self.stock.extend(queries);
    }

    /// No more queries will be added ahead of time: the remaining ones need not wait for more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Sets whether queries will come that are not known ahead of time: a batch may wait for them.
    pub fn expect(&mut self, more: bool) {
        self.is_fed = more;
    }

    /// Forms no batch from now on: its permits, and those that return meanwhile, are kept apart.
    pub fn halt(&mut self) {
        if self.halted.is_some() {
            return;
        }
        let mut kept: Vec<Permit> =
            self.selected.take().map(|(permit, _)| permit).into_iter().collect();
        match &mut self.idle {
            Idle::LongestFirst(permits) => kept.extend(permits.drain(..)),
            Idle::ByGpu { permits, .. } => {
                permits.iter_mut().for_each(|permits| kept.extend(permits.drain(..)));
            }
        }
        self.halted = Some(kept);
    }

    /// Forms batches again from `now` on, with the permits that were kept apart.
    pub fn go_on(&mut self, now: SimTime) {
        let kept = self.halted.take().unwrap_or_default();
        kept.into_iter().for_each(|permit| self.submit(now, permit));
        self.clock = now;
    }

    /// Takes out the queries that it has received by `now` and that are in no batch: nobody answers them.
    pub fn take_received(&mut self, now: SimTime) -> Vec<Query> {
        let count = self.stock.partition_point(|query| query.seen <= now);
        let mut taken: Vec<Query> = self.stock.drain(..count).collect();
        if let Some(waiting) = &mut self.waiting {
            taken.extend(waiting.take(waiting.len()));
        }
        taken
    }

    /// Whether it needs more queries, or to be closed, before `next_change` may be called.
    #[inline]
    pub fn is_hungry(&self) -> bool {
        // With policies each arrival is a change, so the next is enough.
        let ahead = if self.waiting.is_some() { 1 } else { self.batch_max };
        !self.closed && self.stock.len() < ahead
    }

    /// Whether queries were rejected since they were taken last.
    pub fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Takes back the room of a batch's queries, for another batch.
    pub fn reuse(&mut self, room: Vec<Query>) {
        self.rooms.push(room);
    }

    /// The queries that were rejected since the last call.
    pub fn take_rejected(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.rejected)
    }

    /// The queries it holds, those that are not due yet among them.
    pub fn stock(&self) -> impl Iterator<Item = &Query> {
        self.stock.iter().chain(self.waiting.iter().flat_map(Waiting::in_order))
    }

    /// Whether nothing waits and nothing more will come ahead of time.
    pub fn is_drained(&self) -> bool {
        let nobody_waits = self.waiting.as_ref().is_none_or(|waiting| waiting.len() == 0);
        self.closed && !self.is_fed && self.stock.is_empty() && nobody_waits
    }

    /// When the batch that the selected permit waits for is formed.
    fn formed_at(&self) -> Option<SimTime> {
        let (_, since) = self.selected?;
        let first = self.stock.front()?.seen;
        assert!(!self.is_hungry(), "a batcher that looks ahead is fed first");
        let at = match self.rule {
            BatchRule::Available => {
                let least = self.stock.get(self.preferred[0] - 1).map(|query| query.seen);
                let delayed = first + self.queue_delay;
                least.map_or(delayed, |least| least.min(delayed))
            }
            BatchRule::Full => {
                match (self.stock.get(self.batch_max - 1), self.deadline(first, since)) {
                    (Some(filling), Some(deadline)) => filling.seen.min(deadline),
                    (Some(filling), None) => filling.seen,
                    (None, Some(deadline)) => deadline,
                    (None, None) if self.is_fed => return None,
                    (None, None) => self.stock.back().expect("the stock has a first query").seen,
                }
            }
        };
        Some(at.max(since))
    }

    /// As [`Batcher::formed_at`], of those that have arrived: the next arrival may change it.
    fn formed_of(&self, waiting: &Waiting) -> Option<SimTime> {
        let (_, since) = self.selected?;
        if waiting.len() == 0 {
            return None;
        }
        let goes_now = waiting.len() >= self.preferred[0] || self.queue_delay == SimDuration::ZERO;
        let at = match goes_now {
            true => since,
            // Fewer than any preferred size wait, so all of them are looked at.
            false => waiting.oldest_of(waiting.len())? + self.queue_delay,
        };
        Some(at.max(since))
    }

    /// How many of `count` that wait go at `now`, the oldest of whom arrived at `oldest`.
    ///
    /// Triton's rule (`DynamicBatchScheduler::GetDynamicBatch`): a preferred size, the largest that
    /// can be formed; all up to the maximum once the oldest has waited for the whole delay, or where
    /// there is none and no preferred size can be formed.
    fn going(&self, count: usize, oldest: SimTime, now: SimTime) -> usize {
        let all = count.min(self.batch_max);
        let is_late = self.queue_delay > SimDuration::ZERO && oldest + self.queue_delay <= now;
        let preferred = self.preferred.iter().rev().find(|&&size| size <= all);
        match preferred {
            Some(&size) if !is_late => size,
            _ => all,
        }
    }

    /// The next change where policies hold: an arrival, a rejection or a batch.
    fn next_of(&self, waiting: &Waiting) -> Option<SimTime> {
        let arrival = self.stock.front().map(|query| query.seen);
        let changes = [arrival, waiting.next_rejection(), self.formed_of(waiting)];
        changes.into_iter().flatten().min().map(|at| at.max(self.clock))
    }

    /// Lets arrive who is due, and go who waited too long. At one instant arrivals come first.
    fn admit(&mut self, now: SimTime) {
        let Some(waiting) = &mut self.waiting else { return };
        while let Some(query) = self.stock.front().filter(|query| query.seen <= now).copied() {
            self.stock.pop_front();
            waiting.expire(query.seen, &mut self.rejected);
            self.rejected.extend(waiting.arrive(query));
        }
        waiting.expire(now, &mut self.rejected);
    }

    /// Takes the queries of the batch that is formed at `now`, if one is.
    fn form(&mut self, now: SimTime) -> Option<Vec<Query>> {
        self.admit(now);
        if let Some(waiting) = &self.waiting {
            self.formed_of(waiting).filter(|&at| at <= now)?;
            let (count, all) = (waiting.len(), waiting.len().min(self.batch_max));
            let count = self.going(count, waiting.oldest_of(all)?, now);
            return self.waiting.as_mut().map(|waiting| waiting.take(count));
        }
        self.formed_at().filter(|&at| at <= now)?;
        let first = self.stock.front()?.seen;
        let due = self.stock.iter().take(self.batch_max);
        let due = due.take_while(|query| query.seen <= now).count();
        let count = match self.rule {
            BatchRule::Available => self.going(due, first, now),
            BatchRule::Full => due,
        };
        let mut queries = self.rooms.pop().unwrap_or_default();
        match count {
            1 => queries.extend(self.stock.pop_front()),
            _ => queries.extend(self.stock.drain(..count)),
        }
        Some(queries)
    }

    /// When waiting ends with fewer than a full batch, `first` being due first.
    fn deadline(&self, first: SimTime, since: SimTime) -> Option<SimTime> {
        let timeout = self.timeout?;
        Some(match self.timeout_from {
            TimeoutFrom::Oldest => first + timeout,
            TimeoutFrom::WaitStart => {
                // A wait that ends with nothing there starts again, as often as it takes.
                let idle = first.saturating_since(since).as_nanos();
                since + timeout * idle.div_ceil(timeout.as_nanos()).max(1)
            }
        })
    }

    fn select(&mut self, now: SimTime) {
        let permit = match &mut self.idle {
            Idle::LongestFirst(permits) => permits.pop_front(),
            Idle::ByGpu { permits, next: NextGpu::AtRandom(_) } => {
                permits.iter_mut().find_map(VecDeque::pop_front)
            }
            Idle::ByGpu { permits, next } => {
                next.of(permits).and_then(|gpu| permits[gpu].pop_front())
            }
        };
        self.selected = permit.map(|permit| (permit, now));
    }

    /// The permit that the batch is formed with.
    fn take_permit(&mut self) -> Permit {
        let (permit, _) = self.selected.take().expect("a batch is formed with a permit");
        let Idle::ByGpu { permits, next: next @ NextGpu::AtRandom(_) } = &mut self.idle else {
            return permit;
        };
        permits[usize::from(permit.gpu)].push_front(permit);
        let gpu = next.of(permits).expect("one was just put back");
        permits[gpu].pop_front().expect("it has one")
    }
}

/// The sizes that go at once: those of the settings, else the maximum alone.
fn preferred(server: &ServerSpec) -> Vec<usize> {
    match server.preferred.is_empty() {
        true => vec![server.batch_max as usize],
        false => server.preferred.iter().map(|&size| size as usize).collect(),
    }
}

impl NextGpu {
    /// The next GPU with a permit; nothing if there is none.
    fn of(&mut self, permits: &[VecDeque<Permit>]) -> Option<usize> {
        let has_one = |gpu: &usize| !permits[*gpu].is_empty();
        match self {
            Self::InTurn(next) => {
                let gpus = permits.len();
                let gpu = (0..gpus).map(|step| (*next + step) % gpus).find(has_one)?;
                *next = (gpu + 1) % gpus;
                Some(gpu)
            }
            Self::AtRandom(chance) => {
                let mut free = (0..permits.len()).filter(has_one);
                let count = free.clone().count();
                if count == 0 { None } else { free.nth(chance.random_range(0..count)) }
            }
        }
    }
}

impl Station for Batcher {
    type Job = Permit;
    type Done = FormedBatch;

    fn submit(&mut self, now: SimTime, permit: Permit) {
        if let Some(kept) = &mut self.halted {
            return kept.push(permit);
        }
        self.clock = now;
        match &mut self.idle {
            Idle::LongestFirst(permits) => permits.push_back(permit),
            Idle::ByGpu { permits, .. } => permits[usize::from(permit.gpu)].push_back(permit),
        }
        if self.selected.is_none() {
            self.select(now);
        }
    }

    #[inline]
    fn next_change(&self) -> Option<SimTime> {
        match &self.waiting {
            Some(_) if self.halted.is_some() => None,
            Some(waiting) => self.next_of(waiting),
            None => self.formed_at(),
        }
    }

    /// Forms at most one batch: the stock may have to be fed before the next.
    fn advance(&mut self, now: SimTime, done: &mut Vec<FormedBatch>) {
        self.clock = now;
        let Some(queries) = self.form(now) else { return };
        let permit = self.take_permit();
        done.push(FormedBatch { permit, queries });
        self.select(now);
    }
}

#[cfg(test)]
mod tests;
