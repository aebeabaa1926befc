//! Equal share: every running vGPU has the same part of the GPU, whether it uses it or not.
//!
//! Powering a vGPU on or off changes everybody's share.

use super::{Entry, TimeSlicePolicy, offered_under};
use crate::spec::IdleRule;

/// One turn per running vGPU and round.
#[derive(Debug)]
pub(super) struct EqualShare {
    pub(super) idle: IdleRule,
}

impl TimeSlicePolicy for EqualShare {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.is_running && offered_under(self.idle, entry)
    }

    fn looks_at_time(&self) -> bool {
        false
    }

    fn idle_rule(&self) -> IdleRule {
        self.idle
    }
}
