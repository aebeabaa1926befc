//! `Turns`: owners of one instance take turns on it, one at a time, each with the whole instance.
//!
//! ```text
//!  | switch | slot 0: a slice | switch | slot 1: a slice | switch | ...
//! ```
//! An owner's pool lives in time of its own, which passes only in the owner's turns: a batch is
//! stopped by the end of a turn without knowing. While nobody has work nothing is an event: idle
//! turns are caught up with when work arrives. An owner alone with work on a work-conserving
//! instance has one turn without end.

use super::policy::policy;
use super::run_list::RunList;
use super::{Pool, PoolJob};
use crate::queueing::Station;
use crate::spec::{GpuSharing, IdleRule, Overshoot, TimeSlicing, TurnOrder};
use crate::units::{Share, SimDuration, SimTime};

/// A batch for one of the owners.
#[derive(Clone, Copy, Debug)]
pub struct TurnsJob<T> {
    /// Whose it is.
    pub slot: usize,
    /// What runs.
    pub job: PoolJob<T>,
}

/// What was given to one owner, after the driver's own counters.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Turns it had.
    pub turns: u64,
    /// Time in its turns, with work or not.
    pub scheduled: SimDuration,
    /// Time in its turns with work.
    pub run: SimDuration,
}

/// One turn that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnRecord {
    /// Whose it was.
    pub slot: usize,
    /// When it started, after the switch.
    pub start: SimTime,
    /// The slice it was granted; nothing for a turn without end.
    pub slice: Option<SimDuration>,
    /// When it ended, before the next switch.
    pub end: SimTime,
}

/// The owners of one instance and whose turn it is.
#[derive(Debug)]
pub struct Turns<T> {
    slicing: TimeSlicing,
    owners: Vec<Owner<T>>,
    run_list: RunList,
    /// Who had the engine last: passing it to another costs a switch.
    last: Option<usize>,
    turn: Option<Turn>,
    /// The window of the cap: its length and the end of the present one.
    window: Option<(SimDuration, SimTime)>,
    /// Every turn that is over, where a test asks for them.
    log: Option<Vec<TurnRecord>>,
}

#[derive(Debug)]
struct Owner<T> {
    pool: Pool<T>,
    /// The pool's own time: how long it has been given the engine.
    clock: SimTime,
    /// Overshoot not repaid yet, in nanoseconds.
    debt: f64,
    /// Time used of the present window.
    used: SimDuration,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    slot: usize,
    /// When it starts: later than now while the engine is being passed on.
    start: SimTime,
    /// What it was granted.
    slice: Option<SimDuration>,
    /// When it ends at the latest; nothing while nobody else wants the engine.
    end: Option<SimTime>,
    /// Up to when the owner's clock was moved.
    synced: SimTime,
}

impl<T> Turns<T> {
    /// Owners in slots 0, 1, ..., all running, on `share` of a GPU; for each of them, how its own
    /// batches use its turns.
    pub fn new(owners: &[GpuSharing], share: Share, slicing: TimeSlicing) -> Self {
        assert!(slicing.slice > SimDuration::ZERO, "a slice of no length");
        let run_list = RunList::new(owners.len(), slicing.order, policy(&slicing));
        let polls = run_list.policy().idle_rule() == Some(IdleRule::Polled);
        let passes_on =
            slicing.switch_cost > SimDuration::ZERO && slicing.order != TurnOrder::LeastRunTime;
        assert!(
            !polls || passes_on,
            "polling at no cost, or the same owner for ever, never passes time"
        );
        let round = (slicing.slice + slicing.switch_cost) * run_list.entries().len() as u64;
        let window = match run_list.policy().idle_rule() {
            Some(IdleRule::SkippedAndCapped { window }) => Some(window.unwrap_or(round)),
            _ => None,
        };
        let owner = |&sharing: &GpuSharing| Owner {
            pool: Pool::new(share, sharing),
            clock: SimTime::ZERO,
            debt: 0.0,
            used: SimDuration::ZERO,
            counters: Counters::default(),
        };
        let mut turns = Self {
            slicing,
            owners: owners.iter().map(owner).collect(),
            run_list,
            last: None,
            turn: None,
            window: window.map(|length| (length, SimTime::ZERO + length)),
            log: None,
        };
        turns.grant(SimTime::ZERO);
        turns
    }

    /// How the owners take turns.
    pub fn slicing(&self) -> &TimeSlicing {
        &self.slicing
    }

    /// Keeps every turn from now on: for tests.
    pub fn keep_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// Every turn that is over, if they were kept.
    pub fn log(&self) -> Option<&[TurnRecord]> {
        self.log.as_deref()
    }

    /// What each owner was given up to `now`.
    pub fn counters(&mut self, now: SimTime) -> Vec<Counters> {
        self.catch_up(now);
        self.sync(now);
        self.owners.iter().map(|owner| owner.counters).collect()
    }

    /// Powers an owner on or off. One that goes off has no work left.
    pub fn set_running(&mut self, now: SimTime, slot: usize, is_running: bool) {
        assert!(is_running || self.owners[slot].pool.is_empty(), "owner {slot} goes off with work");
        self.catch_up(now);
        let joins_at = self.run_list.least_scheduled();
        self.run_list.update(slot, |entry| {
            entry.is_running = is_running;
            entry.scheduled = entry.scheduled.max(joins_at);
        });
        match self.turn {
            Some(turn) if turn.slot == slot && !is_running => self.end_turn(now.max(turn.start)),
            Some(turn) if self.another_is_offered(turn.slot) => self.limit_turn(now),
            Some(_) => {}
            None => self.grant(now),
        }
    }

    /// The card's clock changes, and with it the speed of all work.
    pub fn set_clock(&mut self, now: SimTime, clock: f64) {
        self.catch_up(now);
        self.sync(now);
        self.owners.iter_mut().for_each(|owner| owner.pool.set_clock(owner.clock, clock));
    }

    /// Whether any owner has work.
    pub fn has_work(&self) -> bool {
        self.owners.iter().any(|owner| !owner.pool.is_empty())
    }

    fn idle_rule(&self) -> Option<IdleRule> {
        self.run_list.policy().idle_rule()
    }

    /// Moves the holder's clock to `now`.
    fn sync(&mut self, now: SimTime) {
        let Some(turn) = &mut self.turn else { return };
        if now <= turn.synced {
            return;
        }
        let span = now - turn.synced;
        turn.synced = now;
        if let Some(owner) = self.owners.get_mut(turn.slot) {
            owner.clock = owner.clock + span;
            owner.used += span;
            owner.counters.scheduled += span;
            if !owner.pool.is_empty() {
                owner.counters.run += span;
            }
        }
    }

    /// Ends idle turns that are over by `now`: while nobody has work they are no events.
    fn catch_up(&mut self, now: SimTime) {
        // A turn that found nothing to do is over only after its instant: what comes then is seen.
        let is_over = |turn: Turn| {
            let end = turn.end?;
            let polled = turn.slice == Some(SimDuration::ZERO);
            (end < now || (end == now && !polled)).then_some(end)
        };
        while !self.has_work()
            && let Some(end) = self.turn.and_then(is_over)
        {
            self.sync(end);
            self.end_turn(end);
        }
    }

    /// The present turn is over at `now`; the engine passes on.
    fn end_turn(&mut self, now: SimTime) {
        let turn = self.turn.take().expect("a turn that ends");
        let held = now.saturating_since(turn.start);
        self.last = Some(turn.slot);
        let spent = self.window.is_some()
            && self.owners.get(turn.slot).is_some_and(|owner| owner.used >= self.allowance());
        if let Some(owner) = self.owners.get_mut(turn.slot) {
            owner.counters.turns += 1;
            let over = turn.slice.map_or(0.0, |slice| held.as_nanos_f64() - slice.as_nanos_f64());
            owner.debt += over.max(0.0);
        }
        self.run_list.update(turn.slot, |entry| {
            entry.scheduled += held;
            entry.is_spent |= spent;
        });
        if let Some(log) = &mut self.log {
            log.push(TurnRecord {
                slot: turn.slot,
                start: turn.start,
                slice: turn.slice,
                end: now,
            });
        }
        self.grant(now);
    }

    /// Gives the free engine to whoever is next, if anyone.
    fn grant(&mut self, now: SimTime) {
        self.open_window(now);
        let Some(slot) = self.run_list.next(self.last) else { return };
        let passes = self.last.is_some_and(|last| last != slot);
        let start = if passes { now + self.slicing.switch_cost } else { now };
        self.open_window(start);
        let works = self.run_list.entries()[slot].has_work;
        let slice = match self.idle_rule() {
            Some(IdleRule::Polled) if !works => SimDuration::ZERO,
            Some(IdleRule::SkippedAndCapped { .. }) => self.slice_within_cap(slot, start),
            _ if works => self.slice_after_repayment(slot),
            _ => self.slicing.slice,
        };
        let ends = self.window.is_some() || self.another_is_offered(slot);
        let slice = ends.then_some(slice);
        self.turn =
            Some(Turn { slot, start, slice, end: slice.map(|slice| start + slice), synced: start });
    }

    fn another_is_offered(&self, slot: usize) -> bool {
        let policy = self.run_list.policy();
        self.run_list
            .entries()
            .iter()
            .enumerate()
            .any(|(other, entry)| other != slot && policy.offers_turn(entry))
    }

    /// A turn without end ends with the slice that runs at `now`.
    fn limit_turn(&mut self, now: SimTime) {
        if let Some(turn) = &mut self.turn
            && turn.end.is_none()
        {
            let slice = self.slicing.slice;
            let begun =
                now.saturating_since(turn.start).as_nanos().div_ceil(slice.as_nanos()).max(1);
            turn.slice = Some(slice * begun);
            turn.end = Some(turn.start + slice * begun);
        }
    }

    /// Adaptive round robin: a part of the debt shortens this slice.
    fn slice_after_repayment(&mut self, slot: usize) -> SimDuration {
        let slice = self.slicing.slice.as_nanos_f64();
        let TurnOrder::RoundRobin { averaging_factor } = self.slicing.order else {
            return self.slicing.slice;
        };
        let owner = &mut self.owners[slot];
        let most = slice * (1.0 - self.slicing.slice_floor.get());
        let repaid = (owner.debt / f64::from(averaging_factor)).min(most);
        owner.debt -= repaid;
        SimDuration::from_nanos_f64(slice - repaid)
    }

    /// No more than what is left of the owner's share of the window that `start` lies in.
    fn slice_within_cap(&self, slot: usize, start: SimTime) -> SimDuration {
        let (_, end) = self.window.expect("a cap has a window");
        let left = self.allowance().as_nanos().saturating_sub(self.owners[slot].used.as_nanos());
        self.slicing.slice.min(SimDuration::from_nanos(left)).min(end - start)
    }

    /// Starts a new window of the cap once the present one is over.
    fn open_window(&mut self, now: SimTime) {
        let Some((length, end)) = &mut self.window else { return };
        if now < *end {
            return;
        }
        *end = *end + *length * ((now - *end).as_nanos() / length.as_nanos() + 1);
        for slot in 0..self.owners.len() {
            self.owners[slot].used = SimDuration::ZERO;
            self.run_list.update(slot, |entry| entry.is_spent = false);
        }
    }

    /// An owner's share of a window: what a rotation of slices and switches would give it.
    fn allowance(&self) -> SimDuration {
        let (length, _) = self.window.expect("a cap has a window");
        let running = self.run_list.entries().iter().filter(|entry| entry.is_running).count();
        let shares = self.run_list.policy().shares(running).max(1);
        let turn = self.slicing.slice + self.slicing.switch_cost;
        length.scale(self.slicing.slice / turn / shares as f64)
    }

    /// When the holder's next batch ends, if it keeps the engine.
    fn completion(&self) -> Option<SimTime> {
        let turn = self.turn?;
        let owner = self.owners.get(turn.slot)?;
        Some(turn.synced + (owner.pool.next_change()? - owner.clock))
    }

    /// When the present turn ends if its owner keeps having work.
    fn latest_end(&self) -> Option<SimTime> {
        let turn = self.turn?;
        let works = self.run_list.entries()[turn.slot].has_work;
        let end = turn.end?;
        Some(match self.slicing.overshoot {
            Overshoot::Constant(over) if works => end + over,
            Overshoot::Batch if works => end.max(self.completion().expect("work that ends")),
            _ => end,
        })
    }
}

impl<T> Station for Turns<T> {
    type Job = TurnsJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, TurnsJob { slot, job }: TurnsJob<T>) {
        self.catch_up(now);
        self.sync(now);
        let owner = &mut self.owners[slot];
        owner.pool.submit(owner.clock, job);
        self.run_list.update(slot, |entry| entry.has_work = true);
        match &mut self.turn {
            None => self.grant(now),
            // Polling was about to find nothing, and finds work.
            Some(turn) if turn.slot == slot && turn.slice == Some(SimDuration::ZERO) => {
                turn.slice = Some(self.slicing.slice);
                turn.end = Some(turn.start + self.slicing.slice);
            }
            Some(turn) => {
                let holder = turn.slot;
                if self.another_is_offered(holder) {
                    self.limit_turn(now);
                }
            }
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        if !self.has_work() {
            return None;
        }
        match (self.turn, self.window) {
            (None, Some((_, window_end))) => Some(window_end),
            (None, None) => unreachable!("an engine that is free while there is work"),
            (Some(_), _) => self.completion().into_iter().chain(self.latest_end()).min(),
        }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(at) = self.next_change().filter(|&at| at <= now) {
            let Some(turn) = self.turn else {
                self.grant(at);
                continue;
            };
            let latest_end = self.latest_end();
            self.sync(at);
            let mut is_dry = true;
            if let Some(owner) = self.owners.get_mut(turn.slot) {
                owner.pool.advance(owner.clock, done);
                is_dry = owner.pool.is_empty();
                self.run_list.update(turn.slot, |entry| entry.has_work = !is_dry);
            }
            let keeps_rest =
                matches!(self.idle_rule(), Some(IdleRule::Burned | IdleRule::RestBurned));
            let past_end = turn.end.is_some_and(|end| at >= end);
            if latest_end.is_some_and(|end| at >= end) || (is_dry && (past_end || !keeps_rest)) {
                self.end_turn(at);
            } else if is_dry {
                self.limit_turn(at);
            }
        }
    }
}
