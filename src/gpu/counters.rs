//! GPU time that owners in turns were given, and the time that the policy promises them.
//!
//! Which owners take part and how the time is divided is decided in `turns` and `ring`.

use crate::units::SimDuration;

/// GPU time of one owner.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Counters {
    /// Time in its turns with work.
    pub run: SimDuration,
    /// Time in its turns without work while another owner had work.
    pub burned: SimDuration,
    /// Time in which the engine passed to it while any owner had work.
    pub switch: SimDuration,
    /// Overshoot that was not repaid by shorter slices. Part of `run`.
    pub unpaid: SimDuration,
    /// Time it was powered on, up to the last instant at which it had work.
    pub present: SimDuration,
    /// The part of that time that the policy promises it. Both are counted only where turns
    /// overshoot: elsewhere no owner gets the time of another.
    pub promised: SimDuration,
}

/// What one owner had of a card.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct OwnerTime {
    /// Its work ran.
    pub run: f64,
    /// The engine was in its turn without work while another owner had work.
    pub burned: f64,
}

/// The time that one owner is promised, added up; in nanoseconds with fractions, since a nanosecond
/// may be shared.
#[derive(Debug, Default)]
pub(super) struct Promise {
    present: f64,
    promised: f64,
}

impl Promise {
    /// Adds a span in nanoseconds, if the owner is powered on; the policy promises the owner `part`
    /// of it.
    pub(super) fn add(&mut self, span: f64, is_running: bool, part: f64) {
        if is_running {
            self.present += span;
        }
        self.promised += span * part;
    }

    /// Stores the sum so far, at an instant at which the owner has work.
    pub(super) fn store(&self, counters: &mut Counters) {
        counters.present = SimDuration::from_nanos_f64(self.present);
        counters.promised = SimDuration::from_nanos_f64(self.promised);
    }
}
