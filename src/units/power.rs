//! Power: whole milliwatts.
//!
//! It knows nothing of energy.

use super::parse_quantity;
use std::fmt;
use std::str::FromStr;

/// Power that a board draws or may draw, in whole milliwatts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Power(u64);

impl Power {
    /// The units that files may write, in watts.
    pub const UNITS: [(&'static str, f64); 3] = [("W", 1.0), ("kW", 1e3), ("mW", 1e-3)];

    /// An amount in watts. Panics unless it is 0 to 10^9.
    pub fn from_watts(watts: f64) -> Self {
        assert!((0.0..=1e9).contains(&watts), "{watts} W");
        Self((watts * 1e3).round() as u64)
    }

    /// Watts.
    pub fn watts(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl FromStr for Power {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let watts = parse_quantity(text, &Self::UNITS)?;
        if !(0.0..=1e9).contains(&watts) {
            return Err("is not from 0 to 1000000 kW".to_string());
        }
        Ok(Self::from_watts(watts))
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} W", self.watts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["250 W", "0.25 kW", "164.9 W", "1 mW", "0 W"] {
            let power: Power = text.parse().unwrap();
            assert_eq!(power.to_string().parse(), Ok(power));
        }
        assert_eq!("0.25 kW".parse(), Ok(Power::from_watts(250.0)));
        assert!("250".parse::<Power>().is_err());
        assert!("-1 W".parse::<Power>().is_err());
    }
}
