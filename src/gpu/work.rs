//! `Work`: what an owner of turns does with its own time, which passes in its turns alone: the batches of
//! one process, or what the pods of a VM do among themselves (`inside`).

use super::{Client, Pool, PoolJob};
use crate::queueing::Station;
use crate::units::{Share, SimDuration, SimTime};
use rand::Rng;

/// A batch for one of the owners.
#[derive(Clone, Copy, Debug)]
pub struct TurnsJob<T> {
    /// The slot of its owner.
    pub slot: usize,
    /// The batch.
    pub job: PoolJob<T>,
}

/// What the members of an owner had of its time.
#[derive(Clone, PartialEq, Debug)]
pub struct InsideTimes {
    /// Seconds with all of the instance that each member's work had, or what comes to as much.
    pub runs: Vec<f64>,
    /// Seconds in which the engine passed from member to member.
    pub switch: f64,
}

/// The work of an owner. Its members are processes, counted from 0.
pub trait Work<T> {
    /// Of an owner with these members on `share` of a GPU, all without work; at least one.
    fn of(members: &[Client], share: Share) -> Self;
    /// Whether it has no batch, inside or launched.
    fn is_empty(&self) -> bool;
    /// Whether its running batch is the last that it has; of several processes that is not told.
    fn runs_its_last(&self) -> bool;
    /// Whether a batch that runs began before `now`.
    fn is_under_way(&mut self, now: SimTime) -> bool;
    /// Power that its batches draw above the idle card's at the highest clock, in watts.
    fn draw(&self) -> f64;
    /// The card's clock changes, and with it the speed of all work.
    fn set_clock(&mut self, now: SimTime, clock: f64);
    /// A batch of a member.
    fn submit(&mut self, now: SimTime, member: usize, job: PoolJob<T>);
    /// From `now` on, so many launches of a member wait for its streams.
    fn set_queued(&mut self, now: SimTime, member: usize, queued: usize);
    /// The owner's turn ends: the engine goes to another owner.
    fn leave_turn(&mut self, now: SimTime);
    /// When it changes next, if the owner has the engine until then.
    fn next_change(&self) -> Option<SimTime>;
    /// Batches that are done come out.
    fn advance(&mut self, now: SimTime, done: &mut Vec<T>);
    /// Who uses the owner's time now, each with its part of it.
    fn users(&self) -> Vec<(usize, f64)>;
    /// How long the engine is still on its way to them, if the owner has it.
    fn switches_for(&self, now: SimTime) -> SimDuration;
    /// What its members had up to `now`; nothing for one process, which had all.
    fn times(&mut self, now: SimTime) -> Option<InsideTimes>;
    /// Its ring, where it has one, in random order.
    fn shuffle(&mut self, lot: &mut impl Rng);
}

/// One process.
impl<T> Work<T> for Pool<T> {
    fn of(members: &[Client], share: Share) -> Self {
        Pool::new(share, members[0].sharing)
    }

    fn is_empty(&self) -> bool {
        Pool::is_empty(self)
    }

    fn runs_its_last(&self) -> bool {
        !self.is_empty() && !self.has_waiting()
    }

    fn is_under_way(&mut self, now: SimTime) -> bool {
        Pool::is_under_way(self, now)
    }

    fn draw(&self) -> f64 {
        Pool::draw(self)
    }

    fn set_clock(&mut self, now: SimTime, clock: f64) {
        Pool::set_clock(self, now, clock);
    }

    fn submit(&mut self, now: SimTime, _: usize, job: PoolJob<T>) {
        Station::submit(self, now, job);
    }

    fn set_queued(&mut self, _: SimTime, _: usize, _: usize) {}

    fn leave_turn(&mut self, _: SimTime) {}

    fn next_change(&self) -> Option<SimTime> {
        Station::next_change(self)
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        Station::advance(self, now, done);
    }

    fn users(&self) -> Vec<(usize, f64)> {
        vec![(0, 1.0)]
    }

    fn switches_for(&self, _: SimTime) -> SimDuration {
        SimDuration::ZERO
    }

    fn times(&mut self, _: SimTime) -> Option<InsideTimes> {
        None
    }

    fn shuffle(&mut self, _: &mut impl Rng) {}
}

/// The first member of each slot, where members of all slots are counted through.
pub(super) fn first_members(slots: &[Vec<Client>]) -> Vec<usize> {
    let mut next = 0;
    let first = |members: &Vec<Client>| {
        let first = next;
        next += members.len();
        first
    };
    slots.iter().map(first).collect()
}
