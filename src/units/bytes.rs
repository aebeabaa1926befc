//! Memory and links: bytes, and bytes per second. GB is 10^9 and GiB 2^30, and both are accepted.
//!
//! It knows nothing of pages, alignment or framing.

use super::{SimDuration, parse_quantity};
use std::fmt;
use std::ops::{Add, Mul};
use std::str::FromStr;

/// An amount of memory or data in whole bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bytes(u64);

/// A link's or memory's speed in bytes per second, above zero.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Bandwidth(f64);

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

impl Bytes {
    /// No bytes.
    pub const ZERO: Bytes = Bytes(0);

    /// An amount in bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// An amount in MiB (2^20 bytes), the unit of vGPU frame buffers.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib * MIB)
    }

    /// Bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Add for Bytes {
    type Output = Bytes;
    /// Saturates: a sum past 2^64 bytes is too much for any memory all the same.
    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Bytes {
    type Output = Bytes;
    /// Saturates, as addition does.
    fn mul(self, times: u64) -> Bytes {
        Bytes(self.0.saturating_mul(times))
    }
}

impl Bandwidth {
    /// A speed in bytes per second. Panics unless finite and above zero.
    pub fn new(bytes_per_s: f64) -> Self {
        assert!(bytes_per_s.is_finite() && bytes_per_s > 0.0, "a bandwidth of {bytes_per_s} B/s");
        Self(bytes_per_s)
    }

    /// Bytes per second.
    pub fn get(self) -> f64 {
        self.0
    }

    /// How long a transfer of `bytes` takes alone on this link, rounded to the nearest nanosecond.
    pub fn transfer_time(self, bytes: Bytes) -> SimDuration {
        SimDuration::from_secs_f64(bytes.0 as f64 / self.0)
    }
}

impl Bytes {
    /// The units that files may write, in bytes.
    pub const UNITS: [(&'static str, f64); 9] = [
        ("B", 1.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KiB", 1024.0),
        ("MiB", MIB as f64),
        ("GiB", GIB as f64),
        ("TiB", 1024.0 * GIB as f64),
    ];
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = parse_quantity(text, &Self::UNITS)?;
        if bytes > 1e18 {
            return Err("is more than 10^18 bytes".to_string());
        }
        Ok(Bytes(bytes.round() as u64))
    }
}

impl Bandwidth {
    /// The units that files may write, in bytes per second.
    pub const UNITS: [(&'static str, f64); 4] =
        [("GB/s", 1e9), ("MB/s", 1e6), ("TB/s", 1e12), ("GiB/s", GIB as f64)];
}

impl FromStr for Bandwidth {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let speed = parse_quantity(text, &Self::UNITS)?;
        if speed > 0.0 && speed <= 1e15 {
            Ok(Bandwidth(speed))
        } else {
            Err("is not above 0 and at most 1000 TB/s".to_string())
        }
    }
}

impl fmt::Display for Bytes {
    /// GiB or MiB when it is a whole number of them, else the decimal unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= GIB && bytes.is_multiple_of(GIB) => write!(f, "{} GiB", bytes / GIB),
            bytes if bytes >= MIB && bytes.is_multiple_of(MIB) => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes >= 1_000_000_000 => write!(f, "{} GB", four_digits(bytes as f64 / 1e9)),
            bytes if bytes >= 1_000_000 => write!(f, "{} MB", four_digits(bytes as f64 / 1e6)),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

/// Rounded to four digits behind the point, which `{}` then writes without zeros at the end.
fn four_digits(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} GB/s", self.0 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_binary_units_are_told_apart() {
        assert_eq!("40 GB".parse(), Ok(Bytes(40_000_000_000)));
        assert_eq!("40 GiB".parse(), Ok(Bytes(40 * GIB)));
        assert_eq!("40960 MiB".parse::<Bytes>().unwrap().to_string(), "40 GiB");
        assert!("40".parse::<Bytes>().unwrap_err().contains("GiB"));
    }

    #[test]
    fn a_copy_takes_bytes_over_bandwidth() {
        // 4.32 MB at 24 GB/s: 4.32e6 / 24e9 s = 180 us.
        let link: Bandwidth = "24 GB/s".parse().unwrap();
        assert_eq!(link.transfer_time(Bytes::new(4_320_000)), SimDuration::from_micros(180));
        assert!("0 GB/s".parse::<Bandwidth>().is_err());
    }
}
