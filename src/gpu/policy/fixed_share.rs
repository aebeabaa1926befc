//! Fixed share: as many slots as the vGPU type allows on a card, occupied or not.
//!
//! Powering a vGPU on or off changes nobody else's share.

use super::{Entry, TimeSlicePolicy, offered_under};
use crate::spec::IdleRule;

/// One turn per slot and round, occupied or not.
#[derive(Debug)]
pub(super) struct FixedShare {
    pub(super) slots: usize,
    pub(super) idle: IdleRule,
}

impl TimeSlicePolicy for FixedShare {
    fn slots(&self, owners: usize) -> usize {
        assert!(owners <= self.slots, "{owners} owners in {} slots", self.slots);
        self.slots
    }

    fn shares(&self, _running: usize) -> usize {
        self.slots
    }

    fn follows_power(&self) -> bool {
        false
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        offered_under(self.idle, entry)
    }

    fn looks_at_time(&self) -> bool {
        false
    }

    fn idle_rule(&self) -> IdleRule {
        self.idle
    }
}
