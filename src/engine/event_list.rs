//! The future event list: whoever changes earliest comes first; among equal times the lowest rank,
//! then whoever was entered first.
//!
//! Each member has one pending event at most, and its place in the list is known: a new time takes the
//! place of the old one, so nothing in the list is ever out of date. A heap of the members that have
//! an event; short, where few have one. It does not know what a member is.

use crate::units::SimTime;

/// The pending events of members that are numbered from 0: at most 2^56 of them over its life.
#[derive(Debug, Default)]
pub struct EventList {
    /// Each no later than the two at `2 i + 1` and `2 i + 2`.
    heap: Vec<Entry>,
    /// Where each member is in the heap; [`ABSENT`] where it has no event.
    places: Vec<u32>,
    entered: u64,
    /// Whose event was taken last: it stays in the heap until the next is taken, since its member mostly
    /// has another at once, which then takes its place.
    taken: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// From the highest bits: time, rank (8 bits), number of its entering (56 bits).
    key: u128,
    member: u32,
}

impl Entry {
    fn time(&self) -> SimTime {
        SimTime::from_nanos((self.key >> 64) as u64)
    }
}

/// An event that was set aside: its member, its rank and its time.
pub type Pending = (u32, u8, SimTime);

const ABSENT: u32 = u32::MAX;

impl EventList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next event of `member` is at `time`, or it has none, whatever was said before. Among events
    /// at one time a lower `rank` goes first, and among equal ranks the one entered first.
    pub fn set(&mut self, member: u32, rank: u8, time: Option<SimTime>) {
        let index = member as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, ABSENT);
        }
        let place = self.places[index];
        if self.taken == Some(member) {
            self.taken = None;
        }
        let Some(time) = time else {
            if place != ABSENT {
                self.remove(place as usize);
            }
            return;
        };
        let order = u64::from(rank) << 56 | self.entered;
        self.entered += 1;
        let entry = Entry { key: u128::from(time.as_nanos()) << 64 | u128::from(order), member };
        if place == ABSENT {
            self.heap.push(entry);
            self.rise(self.heap.len() - 1, entry);
        } else if entry.key < self.heap[place as usize].key {
            self.rise(place as usize, entry);
        } else {
            self.sink(place as usize, entry);
        }
    }

    /// Takes the next event: its time and whose it is.
    pub fn pop(&mut self) -> Option<(SimTime, u32)> {
        self.settle();
        let entry = *self.heap.first()?;
        self.taken = Some(entry.member);
        Some((entry.time(), entry.member))
    }

    /// The time of the next event.
    pub fn next_time(&mut self) -> Option<SimTime> {
        self.settle();
        self.heap.first().map(Entry::time)
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.heap.len() == usize::from(self.taken.is_some())
    }

    /// Removes the event that was taken, if its member has no other.
    fn settle(&mut self) {
        if let Some(member) = self.taken.take() {
            self.remove(self.places[member as usize] as usize);
        }
    }

    /// Takes all events out, in their order, to be taken up again later.
    pub fn set_aside(&mut self) -> Vec<Pending> {
        self.settle();
        let mut pending = Vec::with_capacity(self.heap.len());
        while let Some(first) = self.heap.first() {
            pending.push((first.member, (first.key >> 56) as u8, first.time()));
            self.remove(0);
        }
        pending
    }

    /// Takes up again what was set aside: among equal times and ranks in the order of before.
    pub fn resume(&mut self, pending: Vec<Pending>) {
        pending.into_iter().for_each(|(member, rank, time)| self.set(member, rank, Some(time)));
    }

    fn remove(&mut self, place: usize) {
        self.places[self.heap[place].member as usize] = ABSENT;
        let Some(last) = self.heap.pop() else { return };
        if place == self.heap.len() {
            return;
        }
        if place > 0 && last.key < self.heap[(place - 1) / 2].key {
            self.rise(place, last);
        } else {
            self.sink(place, last);
        }
    }

    /// Puts `entry` at `place`, or at that of an ancestor that is later.
    fn rise(&mut self, mut place: usize, entry: Entry) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].key < entry.key {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    /// Puts `entry` at `place`, or at that of a descendant that is earlier.
    fn sink(&mut self, mut place: usize, entry: Entry) {
        loop {
            let mut child = 2 * place + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.heap[child + 1].key < self.heap[child].key {
                child += 1;
            }
            if entry.key < self.heap[child].key {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.places[entry.member as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn equal_times_leave_by_rank_then_in_the_order_they_entered() {
        let mut list = EventList::new();
        let at = |nanos| Some(SimTime::from_nanos(nanos));
        for (member, rank, time) in [(3, 1, 5), (1, 0, 5), (4, 1, 5), (2, 0, 5), (0, 9, 4)] {
            list.set(member, rank, at(time));
        }
        let order: Vec<u32> = std::iter::from_fn(|| list.pop()).map(|(_, member)| member).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_was_set_aside_goes_on_in_the_same_order() {
        let at = |nanos| Some(SimTime::from_nanos(nanos));
        let filled = || {
            let mut list = EventList::new();
            for member in 0..100 {
                list.set(member, (member % 3) as u8, at(u64::from(member * 7 % 5)));
            }
            list
        };
        let (mut whole, mut halted) = (filled(), filled());
        let pending = halted.set_aside();
        assert!(halted.is_empty() && halted.pop().is_none());
        // Another has its turn in between.
        halted.set(3, 9, at(1));
        assert_eq!(halted.pop().map(|(_, member)| member), Some(3));
        halted.resume(pending);
        for _ in 0..=100 {
            assert_eq!(halted.pop(), whole.pop());
        }
    }

    /// Against a sorted map: members get times, others, and none again, and leave in between.
    #[test]
    fn a_new_time_takes_the_place_of_the_old_one() {
        let mut list = EventList::new();
        let mut map: BTreeMap<(SimTime, u64), u32> = BTreeMap::new();
        // Knuth's linear congruential generator: any that is not regular does.
        let mut state = 1_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for step in 0..100_000 {
            let (member, rank, time) = (draw(50) as u32, draw(4) as u8, draw(1000));
            match draw(4) {
                0 => {
                    let first = map.pop_first().map(|((time, _), member)| (time, member));
                    assert_eq!(list.pop(), first);
                }
                kind => {
                    let time = (kind > 1).then(|| SimTime::from_nanos(time));
                    map.retain(|_, other| *other != member);
                    if let Some(time) = time {
                        map.insert((time, u64::from(rank) << 56 | step), member);
                    }
                    list.set(member, rank, time);
                }
            }
            assert_eq!(list.next_time(), map.first_key_value().map(|((time, _), _)| *time));
        }
    }
}
