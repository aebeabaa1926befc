//! `Gate`: lets a fixed number of jobs through and holds the rest, in order, until permits return.
//!
//! It takes no time of its own. Its law is *permits in = permits out*: every job that was let
//! through must be followed by one [`Gate::give_back`].

use super::Station;
use crate::units::SimTime;
use std::collections::VecDeque;

/// A gate with a number of permits; a job that gets one passes at once.
#[derive(Debug)]
pub struct Gate<T> {
    permits: usize,
    waiting: VecDeque<T>,
    /// The instant of the last change, at which a job that can pass does.
    changed: SimTime,
}

impl<T> Gate<T> {
    /// A gate with `permits` permits, at least one.
    pub fn new(permits: usize) -> Self {
        assert!(permits > 0, "a gate that never opens");
        Self { permits, waiting: VecDeque::new(), changed: SimTime::ZERO }
    }

    /// How many jobs can pass now.
    pub fn free(&self) -> usize {
        self.permits
    }

    /// Lets a job through at once, if it need not wait: whether it passed.
    pub fn pass(&mut self) -> bool {
        let passes = self.permits > 0 && self.waiting.is_empty();
        self.permits -= usize::from(passes);
        passes
    }

    /// Takes back the permit of a job that went through.
    pub fn give_back(&mut self, now: SimTime) {
        self.permits += 1;
        self.changed = now;
    }
}

impl<T> Station for Gate<T> {
    type Job = T;
    type Done = T;

    fn submit(&mut self, now: SimTime, tag: T) {
        self.waiting.push_back(tag);
        self.changed = now;
    }

    fn next_change(&self) -> Option<SimTime> {
        (self.permits > 0 && !self.waiting.is_empty()).then_some(self.changed)
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        if self.changed > now {
            return;
        }
        while self.permits > 0
            && let Some(tag) = self.waiting.pop_front()
        {
            self.permits -= 1;
            done.push(tag);
        }
    }
}
