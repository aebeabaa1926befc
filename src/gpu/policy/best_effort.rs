//! Best effort: the vGPUs with work take turns, and nobody else.
//!
//! It gives no guarantee: what a vGPU gets depends on the others' load.

use super::{Entry, TimeSlicePolicy};
use crate::spec::IdleRule;

/// Work conserving: the engine idles only when nobody has work.
#[derive(Debug)]
pub(super) struct BestEffort;

impl TimeSlicePolicy for BestEffort {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.has_work
    }

    fn idle_rule(&self) -> Option<IdleRule> {
        None
    }
}
