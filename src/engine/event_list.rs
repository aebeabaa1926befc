//! The future event list: the earliest event first; among equal times the lowest rank, then first
//! in first out.
//!
//! Events are never removed: a model gives them a stamp and ignores those that are out of date.
//! `BinaryHeap` with an insertion number is two to three times faster here than a keyed priority
//! queue, whose advantage (changing the priority of members) is not needed here.

use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Pending events of type `E`, at most 2^56 of them over its life.
#[derive(Debug)]
pub struct EventList<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    inserted: u64,
}

/// Ordered by `(time, order)` alone; the event does not take part.
#[derive(Debug)]
struct Entry<E> {
    time: SimTime,
    /// Rank in the top byte, insertion number below it.
    order: u64,
    event: E,
}

impl<E> EventList<E> {
    /// An empty list.
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), inserted: 0 }
    }

    /// Adds `event` at `time`. Among events at one time a lower `rank` goes first, and among equal
    /// ranks the one added first.
    pub fn schedule(&mut self, time: SimTime, rank: u8, event: E) {
        let order = u64::from(rank) << 56 | self.inserted;
        self.inserted += 1;
        self.heap.push(Reverse(Entry { time, order, event }));
    }

    /// Takes the next event and its time.
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        self.heap.pop().map(|Reverse(entry)| (entry.time, entry.event))
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(entry)| entry.time)
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<E> Default for EventList<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.order) == (other.time, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.order).cmp(&(other.time, other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_leave_by_rank_then_in_the_order_they_entered() {
        let mut list = EventList::new();
        let at = SimTime::from_nanos;
        list.schedule(at(5), 1, 'c');
        list.schedule(at(5), 0, 'a');
        list.schedule(at(5), 1, 'd');
        list.schedule(at(5), 0, 'b');
        list.schedule(at(4), 9, '0');
        let order: String = std::iter::from_fn(|| list.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "0abcd");
    }
}
