//! `Batcher`: where queries and permits meet and become batches.
//!
//! Queries are fed ahead of their due times, so that no arrival needs an event: the batcher looks
//! ahead to the query that will fill its batch. Its jobs are permits (a free worker, a free slot);
//! its law is *permits in = permits out*. It does not know what becomes of a batch.

use crate::engine::Stream;
use crate::loadgen::Query;
use crate::queueing::Station;
use crate::spec::{BatchRule, Dispatch, ServerSpec, TimeoutFrom};
use crate::units::{SimDuration, SimTime};
use rand::RngExt;
use std::collections::VecDeque;

/// Leave to form one batch: a free worker or slot of one of the guest's GPUs.
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
    /// Queries by due time, past and future.
    stock: VecDeque<Query>,
    /// Nothing more will be fed ahead of time.
    closed: bool,
    idle: Idle,
    /// The permit the next batch is formed with, and since when the batcher waits with it. Where
    /// dispatch is random it stands for any: lots are drawn when the batch is formed.
    selected: Option<(Permit, SimTime)>,
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
    /// drawn from where dispatch is random.
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
            stock: VecDeque::new(),
            closed: false,
            idle,
            selected: None,
        }
    }

    /// Adds a query. Those due together are served in the order in which they were fed.
    pub fn feed(&mut self, query: Query) {
        let in_order = self.stock.back().is_none_or(|last| last.due <= query.due);
        if in_order {
            return self.stock.push_back(query);
        }
        // Only clients that think for a random time answer out of order.
        let place = self.stock.partition_point(|other| other.due <= query.due);
        self.stock.insert(place, query);
    }

    /// Says that nothing more will be fed ahead of time: what is left need not wait for more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it must be fed, or closed, before it is asked for its next change.
    pub fn is_hungry(&self) -> bool {
        !self.closed && self.stock.len() < self.batch_max
    }

    /// Whether nothing waits and nothing more will come ahead of time.
    pub fn is_drained(&self) -> bool {
        self.closed && self.stock.is_empty()
    }

    /// When the batch that the selected permit waits for is formed.
    fn formed_at(&self) -> Option<SimTime> {
        let (_, since) = self.selected?;
        let first = self.stock.front()?.due;
        assert!(!self.is_hungry(), "a batcher that looks ahead is fed first");
        let at = match self.rule {
            BatchRule::Available => first,
            BatchRule::Full => {
                match (self.stock.get(self.batch_max - 1), self.deadline(first, since)) {
                    (Some(filling), Some(deadline)) => filling.due.min(deadline),
                    (Some(filling), None) => filling.due,
                    (None, Some(deadline)) => deadline,
                    (None, None) => self.stock.back().expect("the stock has a first query").due,
                }
            }
        };
        Some(at.max(since))
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
        match &mut self.idle {
            Idle::LongestFirst(permits) => permits.push_back(permit),
            Idle::ByGpu { permits, .. } => permits[usize::from(permit.gpu)].push_back(permit),
        }
        if self.selected.is_none() {
            self.select(now);
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        self.formed_at()
    }

    /// Forms at most one batch: the stock may have to be fed before the next.
    fn advance(&mut self, now: SimTime, done: &mut Vec<FormedBatch>) {
        if self.formed_at().is_none_or(|at| at > now) {
            return;
        }
        let due =
            self.stock.iter().take(self.batch_max).take_while(|query| query.due <= now).count();
        let queries = self.stock.drain(..due).collect();
        let permit = self.take_permit();
        done.push(FormedBatch { permit, queries });
        self.select(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::RandomStreams;
    use crate::spec::PRESETS;

    const MS: u64 = 1_000_000;

    fn batcher(
        preset: usize,
        batch_max: u32,
        gpus: u16,
        permits_per_gpu: u16,
        dues: &[u64],
    ) -> Batcher {
        let server = ServerSpec { batch_max, ..(PRESETS[preset].make)() };
        let chance = RandomStreams::new(0, 0).stream("dispatch");
        let mut batcher = Batcher::new(&server, usize::from(gpus), chance);
        for &due in dues {
            batcher.feed(Query { due: SimTime::from_nanos(due), size: 1.0 });
        }
        batcher.close();
        for worker in 0..permits_per_gpu {
            (0..gpus).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker }));
        }
        batcher
    }

    /// Runs the batcher without giving permits back: (time in ns, GPU, batch size) of each batch.
    fn batches(mut batcher: Batcher) -> Vec<(u64, u16, usize)> {
        let (mut log, mut done) = (Vec::new(), Vec::new());
        while let Some(now) = batcher.next_change() {
            batcher.advance(now, &mut done);
            let batch = done.pop().expect("a change forms a batch");
            log.push((now.as_nanos(), batch.permit.gpu, batch.queries.len()));
        }
        log
    }

    #[test]
    fn bert_takes_whatever_waits_at_once() {
        // Two workers, batches of up to 2: the third query finds the first worker spent.
        assert_eq!(batches(batcher(0, 2, 2, 1, &[0, 5, 5, 5])), [(0, 0, 1), (5, 1, 2)]);
    }

    #[test]
    fn a_query_due_at_the_very_instant_joins_the_batch() {
        assert_eq!(batches(batcher(0, 64, 1, 1, &[7, 7, 7, 8])), [(7, 0, 3)]);
    }

    #[test]
    fn lwis_waits_for_a_full_batch_and_takes_the_gpus_in_turn() {
        let dues = [0, 1, 2, 3, 4, 5];
        assert_eq!(batches(batcher(1, 2, 3, 4, &dues)), [(1, 0, 2), (3, 1, 2), (5, 2, 2)]);
    }

    /// Batches of one to GPUs by lot, one query every `gap` nanoseconds; no permits yet.
    fn by_lot(gpus: usize, queries: u64, gap: u64) -> Batcher {
        let server =
            ServerSpec { batch_max: 1, dispatch: Dispatch::RandomGpu, ..(PRESETS[1].make)() };
        let chance = RandomStreams::new(0, 0).stream("dispatch");
        let mut batcher = Batcher::new(&server, gpus, chance);
        for query in 0..queries {
            batcher.feed(Query { due: SimTime::from_nanos(query * gap), size: 1.0 });
        }
        batcher.close();
        batcher
    }

    #[test]
    fn gpus_are_drawn_by_lot_among_those_with_a_permit() {
        let mut batcher = by_lot(3, 600, 0);
        // One permit on GPU 0, plenty on the others: 0 once at most, 1 and 2 about as often.
        for worker in 0..300 {
            (1..3).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker }));
        }
        batcher.submit(SimTime::ZERO, Permit { gpu: 0, worker: 0 });
        let first: Vec<u16> = batches(batcher).iter().take(400).map(|batch| batch.1).collect();
        let of = |gpu: u16| first.iter().filter(|&&other| other == gpu).count();
        assert_eq!(of(0), 1, "its one permit is drawn within 400 draws of thirds, and only once");
        // Binomial(399, 1/2): standard deviation 10; five of them.
        assert!(of(1).abs_diff(of(2)) < 100, "{} and {}", of(1), of(2));
        let runs = first.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((150..250).contains(&runs), "by lot, not in turn: {runs} changes of 399");
    }

    /// Lots are drawn when the batch is full, not when the batcher starts to wait: the GPU of the batch
    /// before may have a permit again by then.
    #[test]
    fn a_gpu_whose_permit_returns_while_a_batch_fills_takes_part() {
        let mut batcher = by_lot(2, 400, 10);
        (0..2).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker: 0 }));
        let (mut gpus, mut done) = (Vec::new(), Vec::new());
        while let Some(now) = batcher.next_change() {
            batcher.advance(now, &mut done);
            let permit = done.pop().expect("a change forms a batch").permit;
            gpus.push(permit.gpu);
            batcher.submit(now + SimDuration::from_nanos(1), permit);
        }
        let again = gpus.windows(2).filter(|pair| pair[0] == pair[1]).count();
        // Binomial(399, 1/2): standard deviation 10; five of them.
        assert!((150..250).contains(&again), "{again} of 399 to the GPU of the batch before");
    }

    #[test]
    fn the_timeout_counts_from_the_start_of_the_wait_and_starts_again() {
        // 30 ms from 0 end with nothing there, the next 30 ms with one query.
        assert_eq!(batches(batcher(1, 8, 1, 1, &[40 * MS])), [(60 * MS, 0, 1)]);
        assert_eq!(batches(batcher(1, 8, 1, 1, &[10 * MS])), [(30 * MS, 0, 1)]);
    }

    #[test]
    fn a_timeout_from_the_oldest_query_counts_from_its_arrival() {
        let mut batcher = batcher(1, 8, 1, 1, &[40 * MS]);
        batcher.timeout_from = TimeoutFrom::Oldest;
        assert_eq!(batches(batcher), [(70 * MS, 0, 1)]);
    }
}
