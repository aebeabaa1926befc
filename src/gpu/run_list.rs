//! The run list: the vGPUs of one instance, which of them have work, and which is next.
//!
//! NVML calls it the software run list. It does not know the lengths or costs of turns.

use super::policy::{Entry, TimeSlicePolicy};
use crate::spec::{IdleRule, TurnOrder};
use crate::units::SimDuration;
use priority_queue::PriorityQueue;
use std::cmp::Reverse;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A hasher with a fixed start: the order of results must not depend on it.
type Hasher = BuildHasherDefault<DefaultHasher>;

/// The slots of an instance and the order among them.
#[derive(Debug)]
pub(super) struct RunList {
    entries: Vec<Entry>,
    /// Which of them are offered a turn, how many are, and how many have work.
    offered: Vec<bool>,
    offers: usize,
    working: usize,
    order: Order,
    policy: Box<dyn TimeSlicePolicy>,
    idle_rule: IdleRule,
    /// What the policy or the order says depends on the time that slots were given.
    looks_at_time: bool,
}

#[derive(Debug)]
enum Order {
    Ring,
    /// The slots that are offered a turn, least scheduled first, then the lower slot.
    LeastRunTime(PriorityQueue<usize, Reverse<(SimDuration, usize)>, Hasher>),
}

impl RunList {
    /// A run list of `owners` vGPUs, all powered on and without work.
    pub(super) fn new(owners: usize, order: TurnOrder, policy: Box<dyn TimeSlicePolicy>) -> Self {
        let slots = policy.slots(owners);
        assert!(slots >= owners, "{owners} owners in {slots} slots of {policy:?}");
        let mut entries = vec![Entry::default(); slots];
        entries[..owners].iter_mut().for_each(|entry| entry.is_running = true);
        let order = match order {
            TurnOrder::RoundRobin { .. } => Order::Ring,
            TurnOrder::LeastRunTime => Order::LeastRunTime(PriorityQueue::with_default_hasher()),
        };
        let offered = vec![false; slots];
        let idle_rule = policy.idle_rule();
        let looks_at_time = policy.looks_at_time() || !matches!(order, Order::Ring);
        let mut list = Self {
            entries,
            offered,
            offers: 0,
            working: 0,
            order,
            policy,
            idle_rule,
            looks_at_time,
        };
        (0..list.entries.len()).for_each(|slot| list.update(slot, |_| {}));
        list
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> &dyn TimeSlicePolicy {
        &*self.policy
    }

    /// What an idle turn becomes under the policy.
    pub(super) fn idle_rule(&self) -> IdleRule {
        self.idle_rule
    }

    /// Whether any slot has work.
    pub(super) fn has_work(&self) -> bool {
        self.working > 0
    }

    /// Whether the slot is offered its turn.
    pub(super) fn is_offered(&self, slot: usize) -> bool {
        self.offered[slot]
    }

    /// Whether another slot is offered a turn.
    pub(super) fn another_is_offered(&self, slot: usize) -> bool {
        self.offers > usize::from(self.offered[slot])
    }

    /// The slots, by number.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A slot was given `span` more.
    pub(super) fn spend(&mut self, slot: usize, span: SimDuration) {
        if self.looks_at_time {
            return self.update(slot, |entry| entry.scheduled += span);
        }
        self.entries[slot].scheduled += span;
    }

    /// Changes a slot and updates the order.
    pub(super) fn update(&mut self, slot: usize, change: impl FnOnce(&mut Entry)) {
        let entry = &mut self.entries[slot];
        let had_work = entry.has_work;
        change(entry);
        self.working = self.working + usize::from(entry.has_work) - usize::from(had_work);
        let is_offered = self.policy.offers_turn(entry);
        let was_offered = std::mem::replace(&mut self.offered[slot], is_offered);
        self.offers = self.offers + usize::from(is_offered) - usize::from(was_offered);
        if let Order::LeastRunTime(queue) = &mut self.order {
            if is_offered {
                queue.push(slot, Reverse((entry.scheduled, slot)));
            } else {
                queue.remove(&slot);
            }
        }
    }

    /// The slot that follows `last`; nothing when no slot is offered a turn.
    pub(super) fn next(&self, last: Option<usize>) -> Option<usize> {
        match &self.order {
            Order::LeastRunTime(queue) => queue.peek().map(|(&slot, _)| slot),
            Order::Ring => {
                let slots = self.entries.len();
                let first = last.map_or(0, |last| last + 1);
                let ring = (0..slots).map(|step| (first + step) % slots);
                ring.into_iter().find(|&slot| self.offered[slot])
            }
        }
    }

    /// The least time that any running vGPU was given: a vGPU that powers on starts from it.
    pub(super) fn least_scheduled(&self) -> SimDuration {
        let running = self.entries.iter().filter(|entry| entry.is_running);
        running.map(|entry| entry.scheduled).min().unwrap_or(SimDuration::ZERO)
    }
}
