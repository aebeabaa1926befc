//! `Wait`: how long somebody waits for a turn at most, and what that is made of.

use crate::units::SimDuration;

/// The longest wait for a turn, and what it is made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Wait {
    pub(super) turns: f64,
    pub(super) switches: f64,
    pub(super) nanos: f64,
}

impl Wait {
    /// Among so many owners in the hardware's ring.
    pub(super) fn of_ring(owners: usize, turn: f64, switch: f64, restore: SimDuration) -> Self {
        // Who launches when the next turn is promised to somebody behind it waits one turn more: with three
        // owners or more, that of the present holder comes again before its own.
        let again = if owners > 2 { 1.0 } else { 0.0 };
        let turns = (owners - 1) as f64 + again;
        let nanos = turns * turn + (turns + 1.0) * switch + restore.as_nanos_f64();
        Self { turns, switches: turns + 1.0, nanos }
    }
}
