//! What owners in turns were given, whoever hands the turns out, and what they are promised.
//!
//! Who takes part and how the time is divided is the turns' affair.

use crate::units::SimDuration;

/// What was given to one owner.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Counters {
    /// Time in its turns with work.
    pub run: SimDuration,
    /// Overshoot that no shorter slice has repaid. Part of `run`.
    pub unpaid: SimDuration,
    /// Time it was powered on, up to the last instant at which it had work.
    pub present: SimDuration,
    /// What the policy promises it of that time. Both are counted only where turns overshoot:
    /// elsewhere no owner is given what is another's.
    pub promised: SimDuration,
}

/// What one owner is promised, added up; in nanoseconds, for parts of one are shared.
#[derive(Debug, Default)]
pub(super) struct Promise {
    present: f64,
    promised: f64,
}

impl Promise {
    /// Adds a span in nanoseconds, if the owner is powered on, of which the policy promises it a part.
    pub(super) fn add(&mut self, span: f64, is_running: bool, part: f64) {
        if is_running {
            self.present += span;
        }
        self.promised += span * part;
    }

    /// Writes down what has been added up, at an instant at which the owner has work.
    pub(super) fn tell(&self, counters: &mut Counters) {
        counters.present = SimDuration::from_nanos_f64(self.present);
        counters.promised = SimDuration::from_nanos_f64(self.promised);
    }
}
