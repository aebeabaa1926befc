//! `Turns`: owners of one instance take the hypervisor's turns, one at a time, each with all of it:
//! equal share and fixed share. The turns of the hardware are in `ring`.
//!
//! ```text
//!  | switch | slot 0: a slice | switch | slot 1: a slice, overshoot | switch | ...
//! ```
//! An owner's pool has its own time, which passes only in the owner's turns: the end of a turn
//! stops a batch without the pool's knowledge. While no owner has work there are no events: idle
//! turns are made up for when work arrives. Slices of an owner follow one another without events
//! while no other owner waits.
//!
//! At a slice's end, if another owner is offered a turn, the holder's work runs on by the overshoot
//! and then the engine passes; if none is, the holder's next slice begins, whatever went before. A
//! slice that starts or ends at an instant takes into account all that happens at that instant
//! (power, then work).

mod cap;
mod idle;
mod nodes;
mod noted;

use super::counters::{Counters, Promise};
use super::inside::Inside;
use super::policy::policy;
use super::run_list::RunList;
use super::work::{TurnsJob, Work};
use super::{PhaseLog, Pool};
use crate::queueing::Station;
use crate::spec::{GpuSharing, IdleRule, Overshoot, TimeSlicing, TurnOrder};
use crate::units::{Share, SimDuration, SimTime};

/// One finished turn, or one finished slice of it if no other owner waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnRecord {
    /// The slot of its owner.
    pub slot: usize,
    /// When it started, after the switch.
    pub start: SimTime,
    /// The slice it was granted; nothing for consecutive slices while no other owner waited.
    pub slice: Option<SimDuration>,
    /// When it ended, before the next switch.
    pub end: SimTime,
}

/// The owners of one instance, and the owner whose turn it is.
#[derive(Debug)]
pub struct Turns<T> {
    slicing: TimeSlicing,
    owners: Vec<Owner<T>>,
    /// The first member of each owner, where members of all are counted through.
    first: Vec<usize>,
    run_list: RunList,
    /// Who had the engine last: passing it to another costs a switch.
    last: Option<usize>,
    turn: Option<Turn>,
    /// The window of the cap: its length and the end of the present one.
    window: Option<(SimDuration, SimTime)>,
    /// Up to when what the policy promises was counted.
    promised_to: SimTime,
    /// The turns of slots without an owner.
    vacant: Counters,
    /// Every turn that is over, where a test asks for them.
    log: Option<Vec<TurnRecord>>,
    /// What the engine did, where a timeline is asked for.
    phases: Option<Box<PhaseLog>>,
}

#[derive(Debug)]
struct Owner<T> {
    pool: Inside<T>,
    /// The pool's own time: how long it has been given the engine.
    clock: SimTime,
    /// Batches that are launched and wait for another of its batches to end.
    queued: usize,
    /// The part of them that each of its processes has, where there are several.
    queued_of: Vec<usize>,
    /// Overshoot not repaid yet, in nanoseconds.
    debt: f64,
    /// Time used of the present window.
    used: SimDuration,
    promise: Promise,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    slot: usize,
    /// When its slice starts: later than now while the engine is being passed on.
    start: SimTime,
    /// When the slice ends, and its length; nothing while nobody else wants the engine: then slices
    /// follow one another from `start` on, all of them with work or all without.
    slice: Option<(SimDuration, SimTime)>,
    /// What its owner owed before a part of it shortened this slice, in nanoseconds.
    owed: f64,
    /// The slice is over and work runs on.
    overshoots: bool,
    /// Up to when the owner's clock was moved.
    synced: SimTime,
}

impl<T> Turns<T> {
    /// Owners in slots 0, 1, ..., all powered on, on `share` of a GPU; for each of them, how its
    /// own batches share its turns.
    pub fn new(owners: &[GpuSharing], share: Share, slicing: TimeSlicing) -> Self {
        let alone = owners.iter().map(|&sharing| Inside::One(Pool::new(share, sharing)));
        Self::with(alone.collect(), (0..owners.len()).collect(), slicing)
    }

    /// The same, for owners with this inside and the first member of each.
    fn with(owners: Vec<Inside<T>>, first: Vec<usize>, slicing: TimeSlicing) -> Self {
        assert!(slicing.slice > SimDuration::ZERO, "a slice of no length");
        let run_list = RunList::new(owners.len(), slicing.order, policy(&slicing));
        let polls = run_list.policy().idle_rule() == IdleRule::Polled;
        let passes_on =
            slicing.switch_cost > SimDuration::ZERO && slicing.order != TurnOrder::LeastRunTime;
        assert!(
            !polls || passes_on,
            "polling at no cost, or the same owner for ever, never passes time"
        );
        let round = (slicing.slice + slicing.switch_cost) * run_list.entries().len() as u64;
        let window = match run_list.policy().idle_rule() {
            IdleRule::SkippedAndCapped { window } => Some(window.unwrap_or(round)),
            _ => None,
        };
        let owner = |pool: Inside<T>| Owner {
            pool,
            clock: SimTime::ZERO,
            queued: 0,
            queued_of: Vec::new(),
            debt: 0.0,
            used: SimDuration::ZERO,
            promise: Promise::default(),
            counters: Counters::default(),
        };
        let mut turns = Self {
            slicing,
            owners: owners.into_iter().map(owner).collect(),
            first,
            run_list,
            last: None,
            turn: None,
            window: window.map(|length| (length, SimTime::ZERO + length)),
            promised_to: SimTime::ZERO,
            vacant: Counters::default(),
            log: None,
            phases: None,
        };
        turns.grant(SimTime::ZERO);
        turns
    }

    /// How the owners take turns.
    pub fn slicing(&self) -> &TimeSlicing {
        &self.slicing
    }

    /// Records every turn from now on, for tests.
    pub fn keep_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// Every finished turn, if turns were recorded.
    pub fn log(&self) -> Option<&[TurnRecord]> {
        self.log.as_deref()
    }

    /// The GPU time of each owner up to `now`.
    pub fn counters(&mut self, now: SimTime) -> Vec<Counters> {
        self.pass(now);
        let nanos = SimDuration::from_nanos_f64;
        let counters = |owner: &Owner<T>| Counters { unpaid: nanos(owner.debt), ..owner.counters };
        self.owners.iter().map(counters).collect()
    }

    /// The turns of vGPUs that no VM has, up to the last call of [`Self::counters`].
    pub fn vacant(&self) -> Counters {
        self.vacant
    }

    /// `queued` batches of an owner are launched and wait for another of its batches to end; each
    /// starts at that instant. As long as there are any, the owner does not run out of work.
    pub fn set_queued(&mut self, slot: usize, queued: usize) {
        self.owners[slot].queued = queued;
    }

    /// Powers an owner on or off. One that goes off has no work left.
    pub fn set_running(&mut self, now: SimTime, slot: usize, is_running: bool) {
        assert!(is_running || self.owners[slot].pool.is_empty(), "owner {slot} goes off with work");
        self.pass(now);
        if !self.run_list.policy().follows_power() {
            return self.run_list.update(slot, |entry| entry.is_running = is_running);
        }
        let joins_at = self.run_list.least_scheduled();
        self.run_list.update(slot, |entry| {
            entry.is_running = is_running;
            if is_running {
                entry.scheduled = entry.scheduled.max(joins_at);
            }
        });
        self.count_spent();
        match self.turn {
            None => self.grant(now),
            Some(turn) if now <= turn.start => self.decide_anew(now),
            Some(turn) if turn.slot == slot && !is_running => self.end_turn(now),
            Some(turn) if self.another_is_offered(turn.slot) => self.limit_turn(now),
            Some(_) => {}
        }
    }

    /// The card's clock changes, and with it the speed of all work.
    pub fn set_clock(&mut self, now: SimTime, clock: f64) {
        self.pass(now);
        self.owners.iter_mut().for_each(|owner| owner.pool.set_clock(owner.clock, clock));
    }

    /// The owner whose turn it is, if it has work.
    pub fn holder(&self) -> Option<usize> {
        self.turn.as_ref().map(|turn| turn.slot).filter(|&slot| self.works(slot))
    }

    /// Power that the batches of the present owner draw above the idle card's at the highest clock,
    /// in watts.
    pub fn draw(&self) -> f64 {
        self.holder().map_or(0.0, |slot| self.owners[slot].pool.draw())
    }

    /// Whether any owner has work.
    pub fn has_work(&self) -> bool {
        self.run_list.has_work()
    }

    fn idle_rule(&self) -> IdleRule {
        self.run_list.idle_rule()
    }

    fn works(&self, slot: usize) -> bool {
        self.run_list.entries()[slot].has_work
    }

    /// Everything up to `now` is accounted for.
    fn pass(&mut self, now: SimTime) {
        self.catch_up(now);
        self.sync(now);
        self.count_promises(now);
    }

    /// Moves the holder's clock to `now`.
    fn sync(&mut self, now: SimTime) {
        let Some(turn) = &mut self.turn else { return };
        if now <= turn.synced {
            return;
        }
        let (slot, span) = (turn.slot, now - turn.synced);
        turn.synced = now;
        // Of a turn that reaches into a new window, that part counts there.
        let opened = self.open_window(now);
        let works = self.works(slot);
        let is_burned = !works && self.has_work();
        if self.phases.is_some() {
            self.note((slot, works, is_burned), now, span);
        }
        self.run_list.spend(slot, span);
        if let Some(owner) = self.owners.get_mut(slot) {
            owner.clock = owner.clock + span;
            owner.used += opened.map_or(span, |opened| span.min(now - opened));
            if works {
                owner.counters.run += span;
            }
        }
        if is_burned {
            self.counters_of(slot).burned += span;
        }
        self.count_spent();
    }

    fn counters_of(&mut self, slot: usize) -> &mut Counters {
        self.owners.get_mut(slot).map_or(&mut self.vacant, |owner| &mut owner.counters)
    }

    /// Adds up what the policy promises each owner: the documented share of one that always has work.
    fn count_promises(&mut self, now: SimTime) {
        if self.slicing.overshoot == Overshoot::None || now <= self.promised_to {
            return;
        }
        let span = (now - self.promised_to).as_nanos_f64();
        self.promised_to = now;
        let (policy, entries) = (self.run_list.policy(), self.run_list.entries());
        let running = entries.iter().filter(|entry| entry.is_running).count();
        let shares = policy.shares(running);
        for (owner, entry) in self.owners.iter_mut().zip(entries) {
            if entry.is_running {
                owner.promise.add(span, true, 1.0 / shares as f64);
            }
            if entry.has_work {
                owner.promise.store(&mut owner.counters);
            }
        }
    }

    /// The present turn is over at `now`; the engine passes on.
    fn end_turn(&mut self, now: SimTime) {
        self.limit_turn(now);
        let turn = self.turn.take().expect("a turn that ends");
        let (slice, end) = turn.slice.expect("a turn that is limited");
        self.last = Some(turn.slot);
        if let Some(owner) = self.owners.get_mut(turn.slot) {
            // The order of least run time makes up for what ran past a slice, and nothing is owed.
            if let TurnOrder::RoundRobin { .. } = self.slicing.order {
                owner.debt += now.saturating_since(end).as_nanos_f64();
            }
        }
        self.keep_record(turn.slot, turn.start, Some(slice), now);
        self.grant(now);
    }

    fn keep_record(
        &mut self,
        slot: usize,
        start: SimTime,
        slice: Option<SimDuration>,
        end: SimTime,
    ) {
        if let Some(log) = &mut self.log {
            log.push(TurnRecord { slot, start, slice, end });
        }
    }

    /// Gives the free engine to whoever is next, if anyone.
    fn grant(&mut self, now: SimTime) {
        self.open_window(now);
        let Some(slot) = self.run_list.next(self.last) else { return self.note_no_turn(now) };
        let passes = self.last.is_some_and(|last| last != slot);
        let start = if passes { now + self.slicing.switch_cost } else { now };
        if passes && self.has_work() {
            let cost = self.slicing.switch_cost;
            self.counters_of(slot).switch += cost;
        }
        if passes && let Some(owner) = self.last.and_then(|last| self.owners.get_mut(last)) {
            owner.pool.leave_turn(owner.clock);
        }
        let member = self.first_member(slot);
        if let Some(log) = &mut self.phases {
            log.begin_turn(member, now, start);
        }
        self.open_window(start);
        let ends = self.window.is_some() || self.another_is_offered(slot);
        let owed = self.owners.get(slot).map_or(0.0, |owner| owner.debt);
        let slice = ends.then(|| self.slice_from(slot, start));
        self.turn = Some(Turn { slot, start, slice, owed, overshoots: false, synced: start });
    }

    /// The slice of `slot` from `start` on, with its end. What is known now decides.
    fn slice_from(&mut self, slot: usize, start: SimTime) -> (SimDuration, SimTime) {
        let (rule, works) = (self.idle_rule(), self.works(slot));
        let is_offered = self.run_list.is_offered(slot);
        let slice = match rule {
            // Powered off while the engine was on its way, or polled in vain.
            _ if !is_offered => SimDuration::ZERO,
            IdleRule::Polled if !works => SimDuration::ZERO,
            IdleRule::SkippedAndCapped { .. } => {
                self.slice_after_repayment(slot).min(self.left_of_cap(slot, start))
            }
            _ if works => self.slice_after_repayment(slot),
            _ => self.slicing.slice,
        };
        (slice, start + slice)
    }

    /// The holder's turn has not begun, and power or work changed what it is to be.
    fn decide_anew(&mut self, now: SimTime) {
        let Some(turn) = self.turn else { return };
        let is_offered = self.run_list.is_offered(turn.slot);
        if !is_offered && self.last.is_none() {
            // Nobody passed it the engine, so nothing need pass it on.
            self.turn = None;
            return self.grant(now);
        }
        if let Some(owner) = self.owners.get_mut(turn.slot) {
            owner.debt = turn.owed;
        }
        let ends = turn.slice.is_some() || !is_offered || self.another_is_offered(turn.slot);
        let slice = ends.then(|| self.slice_from(turn.slot, turn.start));
        self.turn = Some(Turn { slice, ..turn });
    }

    fn another_is_offered(&self, slot: usize) -> bool {
        self.run_list.another_is_offered(slot)
    }

    /// Slices that follow one another end with the one that runs at `now`.
    fn limit_turn(&mut self, now: SimTime) {
        let Some(turn) = self.turn.filter(|turn| turn.slice.is_none()) else { return };
        let works = self.works(turn.slot);
        if self.idle_rule() == IdleRule::Polled && !works {
            // It looked for work all the time, and found none.
            let slice = Some((SimDuration::ZERO, now));
            self.turn = Some(Turn { start: now, slice, ..turn });
            return;
        }
        let mut start = turn.start;
        let slice = loop {
            if !works || !self.owes(turn.slot) {
                let whole = self.slicing.slice;
                let span = now.saturating_since(start).as_nanos();
                let before = span.div_ceil(whole.as_nanos()).saturating_sub(1);
                start = start + whole * before;
                break whole;
            }
            let slice = self.slice_after_repayment(turn.slot);
            if start + slice >= now {
                break slice;
            }
            start = start + slice;
        };
        if start > turn.start {
            self.keep_record(turn.slot, turn.start, None, start);
        }
        self.turn = Some(Turn { start, slice: Some((slice, start + slice)), ..turn });
    }

    /// Whether slices of `slot` are shortened: adaptive round robin.
    fn owes(&self, slot: usize) -> bool {
        let owes = self.owners.get(slot).is_some_and(|owner| owner.debt > 0.0);
        self.slicing.slice_floor < Share::WHOLE && owes
    }

    /// Adaptive round robin: a part of the debt shortens this slice.
    fn slice_after_repayment(&mut self, slot: usize) -> SimDuration {
        let whole = self.slicing.slice;
        let TurnOrder::RoundRobin { averaging_factor } = self.slicing.order else { return whole };
        if !self.owes(slot) {
            return whole;
        }
        let most = whole.as_nanos_f64() * (1.0 - self.slicing.slice_floor.get());
        let owner = &mut self.owners[slot];
        let repaid = (owner.debt / f64::from(averaging_factor)).min(most);
        owner.debt -= repaid;
        // What is left of less than a nanosecond would be repaid for ever.
        if owner.debt < 1.0 {
            owner.debt = 0.0;
        }
        SimDuration::from_nanos_f64(whole.as_nanos_f64() - repaid)
    }

    /// When the holder's next batch ends, if it keeps the engine.
    fn completion(&self) -> Option<SimTime> {
        let turn = self.turn?;
        let owner = self.owners.get(turn.slot)?;
        Some(turn.synced + (owner.pool.next_change()? - owner.clock))
    }

    /// When the slice ends, or the overshoot that follows it; the end of the running batch is a
    /// change of its own.
    fn turn_end(&self) -> Option<SimTime> {
        let turn = self.turn?;
        let (_, end) = turn.slice?;
        match self.slicing.overshoot {
            _ if !turn.overshoots => Some(end),
            Overshoot::Constant(over) => Some(end + over),
            Overshoot::Batch | Overshoot::None => None,
        }
    }

    /// The holder is idle and gets work at `now`: before its turn, or while it lasts.
    fn wake_holder(&mut self, now: SimTime, slot: usize) {
        let Some(turn) = self.turn else { return };
        if now > turn.start && turn.slice.is_none() {
            match self.idle_rule() {
                // It looks for work at every instant, and finds it at this one.
                IdleRule::Polled => self.turn = Some(Turn { start: now, ..turn }),
                _ => self.limit_turn(now),
            }
        }
        self.run_list.update(slot, |entry| entry.has_work = true);
        if now <= turn.start {
            self.decide_anew(now);
        }
    }

    /// What comes of a turn at `now`, when a batch of its holder is done or its slice is over.
    fn step_turn(&mut self, now: SimTime, done: &mut Vec<T>) {
        let (before, is_over) = (done.len(), self.turn_end().is_some_and(|end| now >= end));
        let Some(turn) = self.turn else { return };
        let mut works = false;
        if let Some(owner) = self.owners.get_mut(turn.slot) {
            owner.pool.advance(owner.clock, done);
            works = !owner.pool.is_empty() || owner.queued > 0;
        }
        let batch_ended = done.len() > before;
        let keeps_rest = matches!(self.idle_rule(), IdleRule::Burned | IdleRule::RestBurned);
        if !works {
            self.limit_turn(now);
            self.run_list.update(turn.slot, |entry| entry.has_work = false);
        }
        let by_batch = self.slicing.overshoot == Overshoot::Batch;
        let ends = match () {
            () if turn.overshoots => is_over || !works || (by_batch && batch_ended),
            () if is_over => {
                let runs_on = match self.slicing.overshoot {
                    Overshoot::None => false,
                    Overshoot::Batch => works && !batch_ended,
                    Overshoot::Constant(_) => works,
                };
                !(runs_on && self.must_pass(turn.slot))
            }
            () => !works && !keeps_rest,
        };
        if ends {
            self.end_turn(now);
        } else if is_over && let Some(turn) = &mut self.turn {
            turn.overshoots = true;
        }
    }

    /// Whether the engine is another's, or the cap's, at the end of the holder's slice.
    fn must_pass(&self, slot: usize) -> bool {
        !self.run_list.is_offered(slot) || self.another_is_offered(slot)
    }
}

impl<T> Station for Turns<T> {
    type Job = TurnsJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, TurnsJob { slot, job }: TurnsJob<T>) {
        self.submit_of(now, (slot, 0), job);
    }

    fn next_change(&self) -> Option<SimTime> {
        if !self.has_work() {
            return None;
        }
        match (self.turn, self.window) {
            (None, Some((_, window_end))) => Some(window_end),
            (None, None) => unreachable!("an engine that is free while there is work"),
            (Some(_), _) => match (self.completion(), self.turn_end()) {
                (Some(done), Some(end)) => Some(done.min(end)),
                (done, end) => done.or(end),
            },
        }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(at) = self.next_change().filter(|&at| at <= now) {
            self.sync(at);
            self.count_promises(at);
            match self.turn {
                Some(_) => self.step_turn(at, done),
                None => self.grant(at),
            }
        }
    }
}
