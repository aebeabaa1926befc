//! `Sequencer`: releases jobs in the order in which they took a number, in whatever order they end.
//!
//! It takes no time of its own and serves no one: a job waits only for those with lower numbers.

use super::Station;
use crate::units::SimTime;
use std::collections::VecDeque;

/// Holds early finishers until their turn. A job is a tag and its number.
#[derive(Debug)]
pub struct Sequencer<T> {
    issued: u64,
    released: u64,
    /// From the next number on: the job with that number, once it has come.
    held: VecDeque<Option<T>>,
    changed: SimTime,
}

impl<T> Sequencer<T> {
    /// A sequencer that has issued no number yet.
    pub fn new() -> Self {
        Self { issued: 0, released: 0, held: VecDeque::new(), changed: SimTime::ZERO }
    }

    /// The next number, for a job that is being issued now.
    pub fn take_number(&mut self) -> u64 {
        self.issued += 1;
        self.issued - 1
    }
}

impl<T> Default for Sequencer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Station for Sequencer<T> {
    type Job = (T, u64);
    type Done = T;

    fn submit(&mut self, now: SimTime, (tag, number): Self::Job) {
        assert!(
            number >= self.released && number < self.issued,
            "number {number} is not outstanding"
        );
        let place = (number - self.released) as usize;
        if place >= self.held.len() {
            self.held.resize_with(place + 1, || None);
        }
        self.held[place] = Some(tag);
        self.changed = now;
    }

    fn next_change(&self) -> Option<SimTime> {
        let next = self.held.front()?;
        next.is_some().then_some(self.changed)
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while self.changed <= now
            && let Some(Some(_)) = self.held.front()
        {
            done.extend(self.held.pop_front().flatten());
            self.released += 1;
        }
    }
}
