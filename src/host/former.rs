//! `Former`: what makes the batches of a server: a batcher, or the scheduler of an LLM's engine.
//!
//! For the route they are one: permits go in, batches come out. An engine rejects nothing.

use super::engine::Engine;
use super::{Batcher, FormedBatch, Permit};
use crate::loadgen::Query;
use crate::queueing::Station;
use crate::units::SimTime;

/// A batcher or an engine.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a batcher is on the way of every query")]
pub enum Former {
    /// Of a server that answers queries in batches.
    Batcher(Batcher),
    /// Of a server that makes tokens in steps.
    Engine(Box<Engine>),
}

/// Calls the same method of either.
macro_rules! either {
    ($self:ident, $former:ident => $call:expr) => {
        match $self {
            Former::Batcher($former) => $call,
            Former::Engine($former) => $call,
        }
    };
}

impl Former {
    /// The engine, where it is one.
    #[inline]
    pub fn engine(&self) -> Option<&Engine> {
        match self {
            Former::Batcher(_) => None,
            Former::Engine(engine) => Some(engine),
        }
    }

    /// See [`Batcher::feed`].
    #[inline]
    pub fn feed(&mut self, query: Query) {
        either!(self, former => former.feed(query));
    }

    /// See [`Batcher::feed_in_order`].
    pub fn feed_in_order(&mut self, queries: impl Iterator<Item = Query>) {
        either!(self, former => former.feed_in_order(queries));
    }

    /// See [`Batcher::close`].
    pub fn close(&mut self) {
        either!(self, former => former.close());
    }

    /// See [`Batcher::expect`].
    pub fn expect(&mut self, more: bool) {
        either!(self, former => former.expect(more));
    }

    /// See [`Batcher::halt`].
    pub fn halt(&mut self) {
        either!(self, former => former.halt());
    }

    /// See [`Batcher::go_on`].
    pub fn go_on(&mut self, now: SimTime) {
        either!(self, former => former.go_on(now));
    }

    /// See [`Batcher::take_received`].
    pub fn take_received(&mut self, now: SimTime) -> Vec<Query> {
        either!(self, former => former.take_received(now))
    }

    /// See [`Batcher::is_hungry`].
    #[inline]
    pub fn is_hungry(&self) -> bool {
        either!(self, former => former.is_hungry())
    }

    /// See [`Batcher::has_rejected`].
    #[inline]
    pub fn has_rejected(&self) -> bool {
        match self {
            Former::Batcher(batcher) => batcher.has_rejected(),
            Former::Engine(_) => false,
        }
    }

    /// See [`Batcher::take_rejected`].
    pub fn take_rejected(&mut self) -> Vec<Query> {
        match self {
            Former::Batcher(batcher) => batcher.take_rejected(),
            Former::Engine(_) => Vec::new(),
        }
    }

    /// See [`Batcher::reuse`].
    #[inline]
    pub fn reuse(&mut self, room: Vec<Query>) {
        either!(self, former => former.reuse(room));
    }

    /// See [`Batcher::stock`].
    pub fn stock(&self) -> Box<dyn Iterator<Item = &Query> + '_> {
        match self {
            Former::Batcher(batcher) => Box::new(batcher.stock()),
            Former::Engine(engine) => Box::new(engine.stock()),
        }
    }

    /// See [`Batcher::is_drained`].
    pub fn is_drained(&self) -> bool {
        either!(self, former => former.is_drained())
    }
}

impl Station for Former {
    type Job = Permit;
    type Done = FormedBatch;

    #[inline]
    fn submit(&mut self, now: SimTime, permit: Permit) {
        either!(self, former => former.submit(now, permit));
    }

    #[inline]
    fn next_change(&self) -> Option<SimTime> {
        either!(self, former => former.next_change())
    }

    #[inline]
    fn advance(&mut self, now: SimTime, done: &mut Vec<FormedBatch>) {
        either!(self, former => former.advance(now, done));
    }
}
