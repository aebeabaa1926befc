//! Instants and spans of simulated time: whole nanoseconds, so that equal means equal.
//!
//! There is no epoch and no clock here: an instant counts from the start of its run.

use super::parse_quantity;
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

/// An instant of simulated time: nanoseconds since the start of the run. The range is 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SimTime(u64);

/// A span of simulated time in whole nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SimDuration(u64);

impl SimTime {
    /// The start of a run.
    pub const ZERO: SimTime = SimTime(0);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start, for statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// The span from `earlier` to this instant, zero when `earlier` is later.
    pub fn saturating_since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: SimDuration = SimDuration(0);

    /// A span of nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A span of microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// A span of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A span of seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// A span of seconds, rounded to the nearest nanosecond. Panics when negative or not finite.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self::from_nanos_f64(secs * 1e9)
    }

    /// A span of nanoseconds, rounded to the nearest. Panics when negative or not finite.
    pub fn from_nanos_f64(nanos: f64) -> Self {
        assert!(nanos.is_finite() && nanos >= 0.0, "a span of {nanos} ns");
        // What `round` gives for numbers that are not negative, without a call: the difference is exact.
        let whole = nanos as u64;
        Self(whole.saturating_add(u64::from(nanos - whole as f64 >= 0.5)))
    }

    /// Whole nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Nanoseconds, for arithmetic with ratios.
    pub fn as_nanos_f64(self) -> f64 {
        self.0 as f64
    }

    /// Milliseconds, for tables.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 * 1e-6
    }

    /// Seconds, for statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// This span times a ratio, rounded to the nearest nanosecond.
    pub fn scale(self, ratio: f64) -> Self {
        Self::from_nanos_f64(self.0 as f64 * ratio)
    }
}

impl Add<SimDuration> for SimTime {
    type Output = SimTime;
    fn add(self, span: SimDuration) -> SimTime {
        // Past 584 years the clock stands still: no input may stop the program.
        SimTime(self.0.saturating_add(span.0))
    }
}

impl Sub for SimTime {
    type Output = SimDuration;
    /// Panics when `earlier` is later: time never goes back.
    fn sub(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.checked_sub(earlier.0).expect("a span that ends before it starts"))
    }
}

impl Add for SimDuration {
    type Output = SimDuration;
    fn add(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: SimDuration) {
        *self = *self + other;
    }
}

impl Sub for SimDuration {
    type Output = SimDuration;
    /// Panics when the result would be negative.
    fn sub(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.checked_sub(other.0).expect("a negative span"))
    }
}

impl Mul<u64> for SimDuration {
    type Output = SimDuration;
    fn mul(self, times: u64) -> SimDuration {
        SimDuration(self.0.saturating_mul(times))
    }
}

impl Div for SimDuration {
    type Output = f64;
    fn div(self, other: SimDuration) -> f64 {
        self.0 as f64 / other.0 as f64
    }
}

impl SimDuration {
    /// The units that files may write, in nanoseconds.
    pub const UNITS: [(&'static str, f64); 6] =
        [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9)];
}

impl FromStr for SimDuration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let nanos = parse_quantity(text, &Self::UNITS)?;
        if nanos > 1e9 * 86_400.0 * 365.0 {
            return Err("is longer than a year".to_string());
        }
        Ok(Self::from_nanos_f64(nanos))
    }
}

/// Nanoseconds of an hour.
const HOUR: u64 = 3_600_000_000_000;

impl fmt::Display for SimDuration {
    /// The largest unit that keeps the number at one or above: `1.5 ms`, `600 s`; hours where they take no
    /// more than two decimals: `1.5 h`. What is written reads back as the same span.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            0..1_000 => (self.0 as f64, "ns"),
            1_000..1_000_000 => (self.0 as f64 / 1e3, "us"),
            1_000_000..1_000_000_000 => (self.0 as f64 / 1e6, "ms"),
            HOUR.. if self.0.is_multiple_of(HOUR / 100) => (self.0 as f64 / HOUR as f64, "h"),
            _ => (self.0 as f64 / 1e9, "s"),
        };
        write!(f, "{value} {unit}")
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SimDuration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, nanos, shown) in [
            ("2ms", 2_000_000, "2 ms"),
            ("1.5 ms", 1_500_000, "1.5 ms"),
            ("130ms", 130_000_000, "130 ms"),
            ("10min", 600_000_000_000, "600 s"),
            ("250 us", 250_000, "250 us"),
            ("0 ns", 0, "0 ns"),
            ("3600 s", 3_600_000_000_000, "1 h"),
            ("90min", 5_400_000_000_000, "1.5 h"),
            ("3661 s", 3_661_000_000_000, "3661 s"),
            ("1.01 h", 3_636_000_000_000, "1.01 h"),
            ("24 h", 86_400_000_000_000, "24 h"),
        ] {
            let span: SimDuration = text.parse().unwrap();
            assert_eq!(span.as_nanos(), nanos);
            assert_eq!(span.to_string(), shown);
            assert_eq!(shown.parse(), Ok(span));
        }
        assert!("2".parse::<SimDuration>().unwrap_err().contains("ms"));
        assert!("9999999999 h".parse::<SimDuration>().is_err());
    }

    #[test]
    #[should_panic(expected = "ends before it starts")]
    fn time_never_goes_back() {
        let _ = SimTime::ZERO - SimTime::from_nanos(1);
    }
}
