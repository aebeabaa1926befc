//! `Ring`: owners of one instance take the turns that the GPU's own run list hands out.
//!
//! ```text
//!  | slice of 0 | save, dry | restore, 1 runs | dry | 2 runs ...
//!               stop        selected                (0 was stopped within a launch, 1 ran dry)
//! ```
//! A launch is one kernel or one CUDA graph. The holder is *drained* when its running launch is the
//! last it has made. Rules (`tests/measured/h200`), by what decides them here:
//!
//! - [`Ring::settle`]: a slice runs from the selection of its owner; restoring is part of it.
//! - [`Ring::decide`]: a holder that is drained while another waits is committed. Its turn ends with
//!   the running launch, or the slice, whatever it launches meanwhile; who is next is fixed.
//! - [`Ring::launch`], [`Ring::slice_end`]: a lone holder's slices renew while launches lie behind the
//!   running one. Drained, its slice runs out, and from then on a newcomer is let in at once; its next
//!   launch starts a slice.
//! - [`Ring::after`]: next is the first with work in a ring that is fixed, and unknown beforehand.
//!
//! The slices of a lone holder are no events; nor is a selection, which is made up for later.

use super::counters::{Counters, Promise};
use super::work::{InsideTimes, TurnsJob, Work, first_members};
use super::{Client, Phase, PhaseLog, Pool, PoolJob};
use crate::queueing::Station;
use crate::spec::{HardwareTurns, Launches, Overshoot};
use crate::units::{Share, SimDuration, SimTime};
use rand::Rng;

/// The owners of one instance, in a ring.
#[derive(Debug)]
pub struct Ring<T, W = Pool<T>> {
    turns: HardwareTurns,
    owners: Vec<Owner<T, W>>,
    /// The first member of each slot, where members of all slots are counted through.
    first: Vec<usize>,
    /// The slots in the order of the ring.
    order: Vec<usize>,
    /// How many owners have work.
    working: usize,
    turn: Option<Turn>,
    /// The last instant at which anything happened; what follows from it is decided once it is over.
    latest: SimTime,
    /// Up to when what the policy promises was counted.
    promised_to: SimTime,
    /// What the engine did, where a timeline is asked for.
    phases: Option<Box<PhaseLog>>,
}

#[derive(Debug)]
struct Owner<T, W> {
    pool: W,
    /// The pool's own time: how long it has been given the engine.
    clock: SimTime,
    launches: Launches,
    /// Launches behind its streams, and those that left a stream and are about to be submitted.
    queued: usize,
    leaving: usize,
    /// The part of `queued` that each member has.
    queued_of: Vec<usize>,
    /// Launches made after its turn was committed: for the next one.
    later: Vec<(usize, PoolJob<T>)>,
    has_work: bool,
    is_running: bool,
    /// It was stopped within a launch.
    is_saved: bool,
    promise: Promise,
    counters: Counters,
}

/// The turn of the holder, which it keeps while it is dry and alone.
#[derive(Clone, Copy, Debug)]
struct Turn {
    slot: usize,
    /// When it was, or will be, selected.
    selected: SimTime,
    /// What a selection sets off was done.
    is_settled: bool,
    /// When the first of its slices in a row began.
    slices_from: SimTime,
    /// When its last slice ends, once that is known: others wait, or it is drained.
    end: Option<SimTime>,
    /// Who is next, once that is fixed.
    next: Option<usize>,
    /// The slice is over and work runs on.
    overshoots: bool,
    /// Up to when the holder's clock was moved: its work runs from `selected` and the restoring on.
    synced: SimTime,
}

impl<T, W: Work<T>> Owner<T, W> {
    fn new(members: &[Client], share: Share) -> Self {
        Self {
            pool: W::of(members, share),
            clock: SimTime::ZERO,
            launches: members[0].launches,
            queued: 0,
            leaving: 0,
            queued_of: vec![0; members.len()],
            later: Vec::new(),
            has_work: false,
            is_running: true,
            is_saved: false,
            promise: Promise::default(),
            counters: Counters::default(),
        }
    }

    fn launched(&self) -> bool {
        !self.pool.is_empty() || self.queued + self.leaving > 0
    }

    /// Its running launch is the last that it has made.
    fn is_drained(&self) -> bool {
        self.launches == Launches::Graph
            && self.pool.runs_its_last()
            && self.queued + self.leaving == 0
    }
}

impl<T> Ring<T> {
    /// Owners in slots 0, 1, ..., all powered on and without work, on `share` of a GPU; `order`
    /// holds every slot once.
    pub fn new(owners: &[Client], share: Share, turns: &HardwareTurns, order: &[usize]) -> Self {
        let alone: Vec<Vec<Client>> =
            owners.iter().map(|&owner| vec![Client { node: None, ..owner }]).collect();
        Self::of_nodes(&alone, share, turns, order)
    }
}

impl<T, W: Work<T>> Ring<T, W> {
    /// As [`Ring::new`], where an owner may be a VM with several pods: its members.
    pub fn of_nodes(
        owners: &[Vec<Client>],
        share: Share,
        turns: &HardwareTurns,
        order: &[usize],
    ) -> Self {
        assert!(turns.slice > turns.switch.restore, "a slice that ends before its owner runs");
        assert!(turns.renewal > SimDuration::ZERO, "a slice of no length");
        let mut ring = Self {
            turns: *turns,
            first: first_members(owners),
            owners: owners.iter().map(|members| Owner::new(members, share)).collect(),
            order: Vec::new(),
            working: 0,
            turn: None,
            latest: SimTime::ZERO,
            promised_to: SimTime::ZERO,
            phases: None,
        };
        ring.set_order(order.to_vec());
        ring
    }

    /// Sets the order of the ring.
    pub fn set_order(&mut self, order: Vec<usize>) {
        let mut slots = order.clone();
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..self.owners.len()), "{order:?} is not every slot once");
        self.order = order;
    }

    /// What the engine does from now on is told to this log, or to none any more; the log so far.
    pub fn set_phases(&mut self, phases: Option<Box<PhaseLog>>) -> Option<Box<PhaseLog>> {
        std::mem::replace(&mut self.phases, phases)
    }

    /// How many spans the log has.
    pub(super) fn recorded(&self) -> usize {
        self.phases.as_ref().map_or(0, |log| log.len())
    }

    /// How many owners there are.
    pub fn owners(&self) -> usize {
        self.owners.len()
    }

    /// The GPU time of each owner up to `now`.
    pub fn counters(&mut self, now: SimTime) -> Vec<Counters> {
        self.pass(now);
        self.owners.iter().map(|owner| owner.counters).collect()
    }

    /// The owner whose turn it is, or will be after the present switch, if it has work.
    pub fn holder(&self) -> Option<usize> {
        self.turn.map(|turn| turn.slot).filter(|&slot| self.owners[slot].has_work)
    }

    /// Power that the batches of the present owner draw above the idle card's at the highest clock,
    /// in watts.
    pub fn draw(&self) -> f64 {
        self.holder().map_or(0.0, |slot| self.owners[slot].pool.draw())
    }

    /// Whether any owner has work.
    pub fn has_work(&self) -> bool {
        self.working > 0
    }

    /// From `now` on, `queued` launches of an owner wait for its streams. More than before: it has
    /// launched. Fewer: one gets a stream, and is submitted at this instant.
    pub fn set_queued(&mut self, now: SimTime, slot: usize, queued: usize) {
        self.set_queued_of(now, (slot, 0), queued);
    }

    /// The same of a member of an owner.
    pub fn set_queued_of(&mut self, now: SimTime, (slot, member): (usize, usize), queued: usize) {
        self.pass(now);
        let owner = &mut self.owners[slot];
        owner.queued_of[member] = queued;
        owner.pool.set_queued(owner.clock, member, queued);
        let queued = owner.queued_of.iter().sum();
        let before = std::mem::replace(&mut owner.queued, queued);
        if queued > before {
            self.launch(now, slot);
        } else {
            self.owners[slot].leaving += before - queued;
        }
    }

    /// Powers an owner on or off. One that goes off has no work left.
    pub fn set_running(&mut self, now: SimTime, slot: usize, is_running: bool) {
        assert!(is_running || !self.owners[slot].launched(), "owner {slot} goes off with work");
        self.pass(now);
        self.owners[slot].is_running = is_running;
    }

    /// The card's clock changes, and with it the speed of all work.
    pub fn set_clock(&mut self, now: SimTime, clock: f64) {
        self.pass(now);
        self.owners.iter_mut().for_each(|owner| owner.pool.set_clock(owner.clock, clock));
    }

    /// Everything up to `now` is accounted for. All that happens at an instant is known to what is
    /// decided or selected at it.
    fn pass(&mut self, now: SimTime) {
        if now > self.latest {
            self.decide(self.latest);
            self.latest = now;
        }
        if self.turn.is_some_and(|turn| !turn.is_settled && turn.selected < now) {
            self.settle();
        }
        self.count_promises(now);
        let Some(turn) = &mut self.turn else { return };
        let owner = &mut self.owners[turn.slot];
        if now > turn.synced {
            let span = now - turn.synced;
            // Whoever is powered off has no turn, though nobody else has taken it.
            let log = self.phases.as_mut().filter(|_| owner.has_work || owner.is_running);
            if let Some(log) = log {
                let phase = match owner.has_work {
                    true if turn.overshoots => Phase::Overshoot,
                    true => Phase::Run,
                    false => Phase::Rest,
                };
                let (first, span) = (self.first[turn.slot], (turn.synced, now));
                for (member, part) in owner.pool.users() {
                    log.add_within(first + member, phase, span, part);
                }
            }
            turn.synced = now;
            if owner.has_work {
                owner.clock = owner.clock + span;
                owner.counters.run += span;
            }
        }
    }

    /// The holder is selected.
    fn settle(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        turn.is_settled = true;
        let at = turn.selected;
        self.decide(at);
    }

    /// Whether an owner other than the holder has work.
    fn others_wait(&self, holder: usize) -> bool {
        self.working > usize::from(self.owners[holder].has_work)
    }

    /// Who goes after `slot`: the next of the ring with work, `slot` itself the last.
    fn after(&self, slot: usize) -> usize {
        let place = self.order.iter().position(|&one| one == slot).expect("every slot has a place");
        let ring = self.order[place + 1..].iter().chain(&self.order[..=place]);
        *ring.into_iter().find(|&&one| self.owners[one].has_work).expect("somebody has work")
    }

    /// When the slice that runs at `now` ends, of slices in a row that began at `from`.
    fn slice_end(&self, from: SimTime, now: SimTime) -> SimTime {
        let first = from + self.turns.slice;
        let renewals = now.saturating_since(first).as_nanos();
        first + self.turns.renewal * renewals.div_ceil(self.turns.renewal.as_nanos())
    }

    /// What follows for the turn from who waits and what the holder has launched by `now`.
    fn decide(&mut self, now: SimTime) {
        let Some(turn) = self.turn.filter(|turn| turn.is_settled) else { return };
        let holder = &self.owners[turn.slot];
        if !holder.has_work || turn.next.is_some() {
            return;
        }
        let (is_drained, others_wait) = (holder.is_drained(), self.others_wait(turn.slot));
        if !is_drained && !others_wait {
            return;
        }
        let end = turn.end.unwrap_or_else(|| self.slice_end(turn.slices_from, now));
        let next = (is_drained && others_wait).then(|| self.after(turn.slot));
        self.turn = Some(Turn { end: Some(end), next, ..turn });
    }

    /// An owner launches at `now`.
    fn launch(&mut self, now: SimTime, slot: usize) {
        let had_work = std::mem::replace(&mut self.owners[slot].has_work, true);
        self.working += usize::from(!had_work);
        let Some(turn) = self.turn else {
            // The first of all has the engine for nothing.
            self.turn = Some(Turn::new(slot, now, now));
            self.note_turn(slot, now, now);
            return;
        };
        if turn.slot == slot {
            let is_free = turn.is_settled && !self.others_wait(slot);
            // Of a holder that was dry, or drained: the end of its last slice was known.
            if is_free && (!had_work || turn.end.is_some()) {
                self.turn = Some(Turn { slices_from: now, end: None, ..turn });
            }
            return;
        }
        if had_work || !turn.is_settled {
            return;
        }
        if !self.owners[turn.slot].has_work {
            return self.switch(now, slot, false);
        }
        let end = turn.end.unwrap_or_else(|| self.slice_end(turn.slices_from, now));
        self.turn = Some(Turn { end: Some(end), ..turn });
        if end <= now {
            self.step_past_end(now);
        }
    }

    /// When the slice that somebody waits behind ends, or what runs past it; the end of a batch is a
    /// change of its own.
    fn end(&self) -> Option<SimTime> {
        let turn = self.turn.filter(|turn| self.others_wait(turn.slot))?;
        let end = match turn.is_settled {
            true => turn.end.expect("the end of a slice that somebody waits behind"),
            false => turn.selected + self.turns.slice,
        };
        match self.turns.overshoot {
            _ if !turn.overshoots => Some(end),
            Overshoot::Constant(over) => Some(end + over),
            Overshoot::Batch | Overshoot::None => None,
        }
    }

    /// The slice is over, and the holder has work.
    fn step_past_end(&mut self, now: SimTime) {
        let Some(turn) = &mut self.turn else { return };
        // What runs past a slice runs past it from the instant at which somebody is to have the turn.
        turn.end = turn.end.map(|end| end.max(now));
        let runs = !self.owners[turn.slot].pool.is_empty();
        if turn.overshoots || !runs || self.turns.overshoot == Overshoot::None {
            return self.end_turn(now);
        }
        turn.overshoots = true;
    }

    /// The turn is over, and another's begins.
    fn end_turn(&mut self, now: SimTime) {
        let turn = self.turn.expect("a turn that ends");
        let owner = &mut self.owners[turn.slot];
        owner.is_saved = owner.pool.is_under_way(owner.clock);
        if let Some(end) = turn.end.filter(|_| turn.overshoots) {
            owner.counters.unpaid += now.saturating_since(end);
        }
        for (member, job) in std::mem::take(&mut owner.later) {
            owner.pool.submit(owner.clock, member, job);
        }
        let (is_saved, has_work) = (owner.is_saved, owner.launched());
        self.set_work(turn.slot, has_work);
        let next = turn.next.unwrap_or_else(|| self.after(turn.slot));
        if next != turn.slot {
            let owner = &mut self.owners[turn.slot];
            owner.pool.leave_turn(owner.clock);
        }
        self.switch(now, next, is_saved);
    }

    fn set_work(&mut self, slot: usize, has_work: bool) {
        let had_work = std::mem::replace(&mut self.owners[slot].has_work, has_work);
        self.working = self.working + usize::from(has_work) - usize::from(had_work);
    }

    /// The engine passes to `slot`.
    fn switch(&mut self, now: SimTime, slot: usize, saves: bool) {
        let times = &self.turns.switch;
        let when =
            |applies: bool, span: SimDuration| if applies { span } else { SimDuration::ZERO };
        let selected = now + times.dry + when(saves, times.save);
        let restores = std::mem::take(&mut self.owners[slot].is_saved);
        let runs = selected + when(restores, times.restore);
        self.owners[slot].counters.switch += runs - now;
        self.turn = Some(Turn { is_settled: false, ..Turn::new(slot, selected, runs) });
        self.note_turn(slot, now, runs);
    }

    /// From `now` on the engine is on its way to `slot`, which has it at `runs`.
    fn note_turn(&mut self, slot: usize, now: SimTime, runs: SimTime) {
        if let Some(log) = &mut self.phases {
            log.begin_turn(self.first[slot], now, runs);
        }
    }

    /// The holder's batches that are done come out, or its slice is over.
    fn step(&mut self, now: SimTime, done: &mut Vec<T>) {
        let is_over = self.end().is_some_and(|end| end <= now);
        let Some(turn) = self.turn else { return };
        let (owner, before) = (&mut self.owners[turn.slot], done.len());
        owner.pool.advance(owner.clock, done);
        let batch_ended = done.len() > before;
        let works = match turn.next {
            // Committed: what it launched since is for its next turn.
            Some(_) => !owner.pool.is_empty(),
            None => owner.launched(),
        };
        let ends_batch = turn.overshoots && self.turns.overshoot == Overshoot::Batch && batch_ended;
        if !works {
            if self.others_wait(turn.slot) {
                return self.end_turn(now);
            }
            return self.set_work(turn.slot, false);
        }
        if ends_batch {
            self.end_turn(now);
        } else if is_over {
            self.step_past_end(now);
        }
    }

    /// When the holder's next batch ends, if it keeps the engine.
    fn completion(&self) -> Option<SimTime> {
        let turn = self.turn?;
        let owner = &self.owners[turn.slot];
        Some(turn.synced + (owner.pool.next_change()? - owner.clock))
    }

    /// Adds up what best effort promises: an equal part to each owner that has work.
    fn count_promises(&mut self, now: SimTime) {
        if self.turns.overshoot == Overshoot::None || now <= self.promised_to {
            return;
        }
        let span = (now - self.promised_to).as_nanos_f64();
        self.promised_to = now;
        for owner in &mut self.owners {
            let part = if owner.has_work { 1.0 / self.working as f64 } else { 0.0 };
            owner.promise.add(span, owner.is_running, part);
            if owner.has_work {
                owner.promise.store(&mut owner.counters);
            }
        }
    }
}

impl Turn {
    /// A turn that is selected at `selected` and whose work runs from `runs` on.
    fn new(slot: usize, selected: SimTime, runs: SimTime) -> Self {
        Self {
            slot,
            selected,
            is_settled: true,
            slices_from: selected,
            end: None,
            next: None,
            overshoots: false,
            synced: runs,
        }
    }
}

impl<T, W: Work<T>> Station for Ring<T, W> {
    type Job = TurnsJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, TurnsJob { slot, job }: TurnsJob<T>) {
        self.submit_of(now, (slot, 0), job);
    }

    fn next_change(&self) -> Option<SimTime> {
        if !self.has_work() {
            return None;
        }
        match (self.completion(), self.end()) {
            (Some(done), Some(end)) => Some(done.min(end)),
            (done, end) => done.or(end),
        }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(at) = self.next_change().filter(|&at| at <= now) {
            self.pass(at);
            self.step(at, done);
        }
    }
}

/// What VMs with pods add: an owner may have several members.
impl<T, W: Work<T>> Ring<T, W> {
    /// A batch of a member of an owner.
    pub fn submit_of(&mut self, now: SimTime, (slot, member): (usize, usize), job: PoolJob<T>) {
        self.pass(now);
        match self.owners[slot].leaving {
            0 => self.launch(now, slot),
            _ => self.owners[slot].leaving -= 1,
        }
        let is_committed = |turn: Turn| turn.slot == slot && turn.next.is_some();
        let owner = &mut self.owners[slot];
        if self.turn.is_some_and(is_committed) {
            return owner.later.push((member, job));
        }
        owner.pool.submit(owner.clock, member, job);
    }

    /// Whether a batch of the holder began before `now`.
    pub(super) fn is_under_way(&mut self, now: SimTime) -> bool {
        self.pass(now);
        let Some(turn) = self.turn else { return false };
        let owner = &mut self.owners[turn.slot];
        owner.pool.is_under_way(owner.clock)
    }

    /// The holder's slice is over at `now`, however much of it is left, if another owner waits; one of
    /// which nothing was used is kept.
    pub(super) fn end_slice(&mut self, now: SimTime) {
        self.pass(now);
        let is_used = |turn: &Turn| turn.is_settled && turn.slices_from < now;
        let Some(turn) = self.turn.filter(is_used) else { return };
        if self.others_wait(turn.slot) {
            self.end_turn(now);
        }
    }

    /// What the members of each owner had, where there are several.
    pub(super) fn times_inside(&mut self) -> Vec<Option<InsideTimes>> {
        self.owners.iter_mut().map(|owner| owner.pool.times(owner.clock)).collect()
    }

    /// The rings of its owners' pods in random order.
    pub(super) fn shuffle_pods(&mut self, lot: &mut impl Rng) {
        self.owners.iter_mut().for_each(|owner| owner.pool.shuffle(lot));
    }
}
