//! Statistics of waiting: a latency histogram with exact extremes, time-weighted counters.
//!
//! Percentiles follow LoadGen: the value at rank `ceil(p n)` of the sorted sample. A histogram cell
//! is at most 0.1 % wide, so a percentile is off by at most that; minimum, maximum, mean and the
//! count beyond a bound are exact.

use crate::units::{SimDuration, SimTime};

/// The latencies of one owner.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    cells: hdrhistogram::Histogram<u64>,
    min: SimDuration,
    max: SimDuration,
    sum_nanos: u128,
}

impl LatencyHistogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self {
            cells: hdrhistogram::Histogram::new(3).expect("three digits are a legal precision"),
            min: SimDuration::from_nanos(u64::MAX),
            max: SimDuration::ZERO,
            sum_nanos: 0,
        }
    }

    /// Adds one latency.
    #[inline]
    pub fn record(&mut self, latency: SimDuration) {
        self.cells.record(latency.as_nanos()).expect("the histogram grows by itself");
        self.min = self.min.min(latency);
        self.max = self.max.max(latency);
        self.sum_nanos += u128::from(latency.as_nanos());
    }

    /// Adds one latency so many times.
    pub fn record_n(&mut self, latency: SimDuration, count: u64) {
        if count == 0 {
            return;
        }
        self.cells.record_n(latency.as_nanos(), count).expect("the histogram grows by itself");
        self.min = self.min.min(latency);
        self.max = self.max.max(latency);
        self.sum_nanos += u128::from(latency.as_nanos()) * u128::from(count);
    }

    /// Adds all latencies of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.cells.add(&other.cells).expect("the histogram grows by itself");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum_nanos += other.sum_nanos;
    }

    /// How many latencies were added.
    pub fn count(&self) -> u64 {
        self.cells.len()
    }

    /// The smallest latency, exact; nothing when empty.
    pub fn min(&self) -> Option<SimDuration> {
        (self.count() > 0).then_some(self.min)
    }

    /// The largest latency, exact; nothing when empty.
    pub fn max(&self) -> Option<SimDuration> {
        (self.count() > 0).then_some(self.max)
    }

    /// The mean, exact up to rounding to the nanosecond; nothing when empty.
    pub fn mean(&self) -> Option<SimDuration> {
        let count = self.count();
        (count > 0).then(|| SimDuration::from_nanos((self.sum_nanos / u128::from(count)) as u64))
    }

    /// The latency that the part `quantile` (0 to 1) of all latencies do not exceed, to 0.1 %;
    /// nothing when empty.
    pub fn quantile(&self, quantile: f64) -> Option<SimDuration> {
        let value = self.cells.value_at_quantile(quantile);
        // A cell is reported by its upper edge, which may lie past the exact maximum.
        (self.count() > 0).then(|| SimDuration::from_nanos(value).clamp(self.min, self.max))
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

/// A level (such as the number of jobs at a station), averaged over time.
#[derive(Clone, Copy, Debug)]
pub struct TimeWeighted {
    level: u64,
    since: SimTime,
    /// Level times nanoseconds.
    area: u128,
}

impl TimeWeighted {
    /// Level zero from the start of time.
    pub fn new() -> Self {
        Self { level: 0, since: SimTime::ZERO, area: 0 }
    }

    /// The level changes to `level` at `now`.
    pub fn set(&mut self, now: SimTime, level: u64) {
        self.area += u128::from(self.level) * u128::from((now - self.since).as_nanos());
        (self.level, self.since) = (level, now);
    }

    /// The present level.
    pub fn level(&self) -> u64 {
        self.level
    }

    /// The mean level from the start of time to `now`; zero at the start.
    pub fn mean(&self, now: SimTime) -> f64 {
        let mut whole = *self;
        whole.set(now, self.level);
        if now == SimTime::ZERO { 0.0 } else { whole.area as f64 / now.as_nanos() as f64 }
    }
}

impl Default for TimeWeighted {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_the_sorted_sample() {
        let mut histogram = LatencyHistogram::new();
        (1..=100).rev().for_each(|nanos| histogram.record(SimDuration::from_nanos(nanos)));
        let at = |quantile| histogram.quantile(quantile).unwrap().as_nanos();
        assert_eq!((at(0.5), at(0.9), at(0.99), at(1.0)), (50, 90, 99, 100));
        assert_eq!(histogram.mean(), Some(SimDuration::from_nanos(50))); // 50.5, rounded down
        assert_eq!(LatencyHistogram::new().quantile(0.5), None);
    }

    #[test]
    fn merged_histograms_are_one_of_all() {
        let (mut all, mut one, mut two) =
            (LatencyHistogram::new(), LatencyHistogram::new(), LatencyHistogram::new());
        for nanos in (1..5_000_000).step_by(997) {
            let latency = SimDuration::from_nanos(nanos);
            all.record(latency);
            if nanos % 3 == 0 { one.record(latency) } else { two.record(latency) }
        }
        one.merge(&two);
        one.merge(&LatencyHistogram::new());
        assert_eq!((one.min(), one.mean(), one.max()), (all.min(), all.mean(), all.max()));
        assert_eq!((one.count(), one.quantile(0.99)), (all.count(), all.quantile(0.99)));
    }

    #[test]
    fn a_level_is_averaged_over_time() {
        let mut level = TimeWeighted::new();
        level.set(SimTime::from_nanos(2), 3);
        level.set(SimTime::from_nanos(4), 1);
        assert_eq!(level.mean(SimTime::from_nanos(8)), (2.0 * 3.0 + 4.0) / 8.0);
    }
}
