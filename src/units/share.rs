//! Ratios between 0 and 1: a part of a GPU, of a batch's time, of a link.
//!
//! A factor that may be above 1 (a clock, a slowdown) is a plain `f64`, not a share.

use super::parse_quantity;
use std::fmt;
use std::str::FromStr;

/// A part of a whole, 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Share(f64);

impl Share {
    /// 0.
    pub const NONE: Share = Share(0.0);

    /// The unit that files may write, as a ratio.
    pub const UNITS: [(&'static str, f64); 1] = [("%", 0.01)];

    /// The whole.
    pub const WHOLE: Share = Share(1.0);

    /// A ratio from 0 to 1, or nothing when it lies outside.
    pub fn new(ratio: f64) -> Option<Self> {
        (0.0..=1.0).contains(&ratio).then_some(Self(ratio))
    }

    /// The share nearest to a ratio. Panics unless the ratio is a number.
    pub fn clamped(ratio: f64) -> Self {
        Self::new(ratio.clamp(0.0, 1.0)).expect("a ratio is a number")
    }

    /// The ratio, 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let ratio = match text.trim().parse::<f64>() {
            Ok(ratio) => ratio,
            Err(_) => parse_quantity(text, &Self::UNITS)?,
        };
        Share::new(ratio).ok_or_else(|| "lies outside 0 to 1 (0 % to 100 %)".to_string())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the noise of binary fractions.
        write!(f, "{} %", (self.0 * 1e14).round() / 1e12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_lies_between_nothing_and_all() {
        assert_eq!("44 %".parse(), Ok(Share(0.44)));
        assert_eq!("0.44".parse(), Ok(Share(0.44)));
        assert!("101 %".parse::<Share>().is_err());
        assert!("NaN".parse::<Share>().is_err());
    }
}
