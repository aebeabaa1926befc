//! Frequencies: whole kilohertz.
//!
//! vSphere counts processor time in them: one core of 2.5 GHz for a second is 2500 MHz in that second.

use super::parse_quantity;
use std::fmt;
use std::str::FromStr;

/// A clock frequency, or processor time in a second; whole kilohertz.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Frequency(u64);

impl Frequency {
    /// The units that files may write, in megahertz.
    pub const UNITS: [(&'static str, f64); 2] = [("MHz", 1.0), ("GHz", 1e3)];

    /// The highest: more than any host has, all cores together.
    const MOST_MHZ: f64 = 1e9;

    /// A number of megahertz.
    pub const fn from_mhz(mhz: u64) -> Self {
        Self(mhz * 1000)
    }

    /// A number of kilohertz.
    pub const fn from_khz(khz: u64) -> Self {
        Self(khz)
    }

    /// Kilohertz.
    pub fn khz(self) -> u64 {
        self.0
    }

    /// So many times as much, such as that of all cores.
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(u64::from(count)))
    }
}

impl std::iter::Sum for Frequency {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        Self(all.fold(0, |sum, one| sum.saturating_add(one.0)))
    }
}

impl FromStr for Frequency {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mhz = parse_quantity(text, &Self::UNITS)?;
        if mhz > Self::MOST_MHZ {
            return Err("is above 1000000 GHz".to_string());
        }
        Ok(Self((mhz * 1e3).round() as u64))
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            khz if khz >= 1_000_000 => write!(f, "{} GHz", khz as f64 / 1e6),
            khz => write!(f, "{} MHz", khz as f64 / 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["2.5 GHz", "2250 MHz", "0 MHz", "350.5 MHz", "60 GHz"] {
            let found: Frequency = text.parse().unwrap();
            assert_eq!(found.to_string().parse(), Ok(found));
        }
        assert_eq!("2.25 GHz".parse(), Ok(Frequency::from_mhz(2250)));
        assert_eq!(Frequency::from_mhz(2500).times(32).to_string(), "80 GHz");
        let bare = "2000".parse::<Frequency>().unwrap_err();
        assert_eq!(bare, "has no unit; allowed units: MHz, GHz");
        assert!("2e12 GHz".parse::<Frequency>().is_err());
    }
}
