//! Constant arrivals: equal gaps. It has no randomness at all.

use super::ArrivalProcess;
use crate::units::SimDuration;

/// Gaps of `1 / rate`. The n-th arrival is exact to the nanosecond: rounding errors of the gaps do
/// not add up.
pub struct Constant {
    gap_nanos: f64,
    made: u64,
    elapsed: u64,
}

impl Constant {
    /// `rate` queries per second, above 0.
    pub fn new(rate: f64) -> Self {
        assert!(rate > 0.0, "a rate of {rate} per second");
        Self { gap_nanos: 1e9 / rate, made: 0, elapsed: 0 }
    }
}

impl ArrivalProcess for Constant {
    fn gap(&mut self) -> SimDuration {
        self.made += 1;
        let due = (self.made as f64 * self.gap_nanos).round() as u64;
        let gap = due - self.elapsed;
        self.elapsed = due;
        SimDuration::from_nanos(gap)
    }
}
