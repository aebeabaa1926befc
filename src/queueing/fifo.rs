//! `Fifo`: `c` equal servers, first come first served; with `c` unbounded, a pure delay.
//!
//! It does not reorder: among jobs that end together the one that started first leaves first.

use super::Station;
use crate::units::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A station of `servers` servers with one queue. A job is a tag and its service time.
#[derive(Debug)]
pub struct Fifo<T> {
    servers: usize,
    /// Jobs in service: when each ends, its starting number, its slot in `tags`.
    busy: BinaryHeap<Reverse<(SimTime, u64, usize)>>,
    tags: Vec<Option<T>>,
    free_slots: Vec<usize>,
    queue: VecDeque<(T, SimDuration)>,
    started: u64,
}

impl<T> Fifo<T> {
    /// A station of `servers` servers, at least one.
    pub fn new(servers: usize) -> Self {
        assert!(servers > 0, "a station without servers");
        Self {
            servers,
            busy: BinaryHeap::new(),
            tags: Vec::new(),
            free_slots: Vec::new(),
            queue: VecDeque::new(),
            started: 0,
        }
    }

    /// A pure delay: every job stays for its own service time, and no job waits for another.
    pub fn delay() -> Self {
        Self::new(usize::MAX)
    }

    fn start(&mut self, now: SimTime, tag: T, service: SimDuration) {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.tags.push(None);
            self.tags.len() - 1
        });
        self.tags[slot] = Some(tag);
        self.busy.push(Reverse((now + service, self.started, slot)));
        self.started += 1;
    }
}

impl<T> Station for Fifo<T> {
    type Job = (T, SimDuration);
    type Done = T;

    fn submit(&mut self, now: SimTime, (tag, service): Self::Job) {
        if self.busy.len() < self.servers {
            self.start(now, tag, service);
        } else {
            self.queue.push_back((tag, service));
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        self.busy.peek().map(|Reverse((end, _, _))| *end)
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(&Reverse((end, _, slot))) = self.busy.peek()
            && end <= now
        {
            self.busy.pop();
            done.push(self.tags[slot].take().expect("a busy server holds a job"));
            self.free_slots.push(slot);
            if let Some((tag, service)) = self.queue.pop_front() {
                self.start(end, tag, service);
            }
        }
    }
}
