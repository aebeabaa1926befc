//! Floor 0: quantities. The type is the unit, so no name carries one; files write the unit too.
//!
//! | type | in memory | written in files |
//! |---|---|---|
//! | [`SimTime`], [`SimDuration`] | whole nanoseconds | `"2ms"`, `"1.5 s"`, `"130ms"`, `"10min"`, `"1.5 h"` |
//! | [`Bytes`] | whole bytes | `"40 GB"`, `"40 GiB"`, `"3072 B"` |
//! | [`Bandwidth`] | bytes per second | `"24 GB/s"` |
//! | [`Power`] | whole milliwatts | `"250 W"`, `"0.25 kW"` |
//! | [`Frequency`] | whole kilohertz | `"2.5 GHz"`, `"2250 MHz"` |
//! | [`Share`] | 0 to 1 | `"44 %"`, or a bare ratio |
//!
//! It does not round silently: a parsed number keeps its value to the smallest unit above.

mod bytes;
mod frequency;
mod power;
mod share;
mod time;

pub use bytes::{Bandwidth, Bytes};
pub use frequency::Frequency;
pub use power::Power;
pub use share::Share;
pub use time::{SimDuration, SimTime};

/// A count with its noun: `1 way`, `2 ways`, `0 queries`, `3 batch sizes`.
pub fn counted(count: impl std::fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    let vowel = |letter: char| "aeiou".contains(letter);
    match noun {
        _ if count == "1" => format!("1 {noun}"),
        _ if noun.ends_with(['s', 'x', 'z']) || noun.ends_with("ch") || noun.ends_with("sh") => {
            format!("{count} {noun}es")
        }
        _ => match noun.strip_suffix('y') {
            Some(stem) if !stem.ends_with(vowel) => format!("{count} {stem}ies"),
            _ => format!("{count} {noun}s"),
        },
    }
}

/// Splits `"2.5 ms"` into its number and the factor of its unit, and multiplies them.
///
/// `units` lists what may stand behind the number and what one of it is worth in the base unit.
/// The error says what is wrong and which units are allowed, ready for a diagnostic.
fn parse_quantity(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let allowed = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let text = text.trim();
    let split =
        text.find(|c: char| !matches!(c, '0'..='9' | '.' | '_' | '+' | '-')).unwrap_or(text.len());
    // `1e3ms` is a number too: the exponent belongs to it when digits follow.
    let split = match text[split..].strip_prefix(['e', 'E']) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            split + 1 + digits
        }
        _ => split,
    };
    let (number, unit) = (text[..split].replace('_', ""), text[split..].trim());
    if let Some(rest) =
        unit.strip_prefix(',').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        let rest = rest.trim_end();
        return Err(format!("has a comma; write \"{number}.{rest}\" with a point"));
    }
    let number: f64 = number.parse().map_err(|_| {
        format!("does not start with a number; write for example \"2 {}\"", units[0].0)
    })?;
    if unit.is_empty() {
        return Err(format!("has no unit; allowed units: {}", allowed()));
    }
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| {
        let meant = unit_meant(unit, units);
        let bits = is_bits(unit) && units.iter().any(|(name, _)| name.ends_with("B/s"));
        if let (true, Ok(bits)) = (bits, text[..split].parse::<f64>()) {
            let bytes = &unit.replace("bit", "b").replace('b', "B").replace("ps", "/s");
            return format!("is in bits; bytes are an eighth: write \"{} {bytes}\"", bits / 8.0);
        }
        let meant = meant.map(|meant| format!("; did you mean \"{} {meant}\"?", &text[..split]));
        let allowed = allowed();
        format!(
            "has the unknown unit \"{unit}\"; allowed units: {allowed}{}",
            meant.unwrap_or_default()
        )
    })?;
    if !number.is_finite() || number < 0.0 {
        return Err("is not a finite number of zero or more".to_string());
    }
    Ok(number * factor)
}

/// What people write for the units of files.
const TYPED: [(&str, &[&str]); 19] = [
    ("ns", &["nsec", "nsecs", "nanosecond", "nanoseconds"]),
    ("us", &["µs", "μs", "usec", "usecs", "microsecond", "microseconds"]),
    ("ms", &["msec", "msecs", "millis", "millisecond", "milliseconds"]),
    ("s", &["sec", "secs", "second", "seconds"]),
    ("min", &["mins", "minute", "minutes"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("B", &["byte", "bytes"]),
    ("kB", &["k"]),
    ("MB", &["m", "mbyte", "mbytes", "megabyte", "megabytes"]),
    ("GB", &["g", "gbyte", "gbytes", "gigabyte", "gigabytes", "gig"]),
    ("TB", &["t", "tbyte", "tbytes", "terabyte", "terabytes"]),
    ("KiB", &["ki"]),
    ("MiB", &["mi"]),
    ("GiB", &["gi"]),
    ("TiB", &["ti"]),
    ("GB/s", &["gbps", "gbyte/s", "gb/sec"]),
    ("MHz", &["megahertz", "mhz/s"]),
    ("GHz", &["gigahertz", "g"]),
    ("%", &["percent", "pct", "per cent"]),
];

/// The unit that was meant by one that is not known; nothing for bits, which are no bytes.
fn unit_meant<'u>(unit: &str, units: &[(&'u str, f64)]) -> Option<&'u str> {
    let small = unit.to_lowercase();
    let is_it = |known: &str| {
        let typed = TYPED.iter().find(|(of, _)| *of == known);
        known.to_lowercase() == small
            || typed.is_some_and(|(_, typed)| typed.contains(&small.as_str()))
    };
    let found = units.iter().map(|(known, _)| *known).find(|known| is_it(known));
    found.filter(|_| !is_bits(unit))
}

/// Whether a unit is one of bits: `Gb/s`, `Gbit/s`.
fn is_bits(unit: &str) -> bool {
    let mut letters = unit.chars();
    matches!((letters.next(), letters.next()), (Some('K' | 'M' | 'G' | 'T'), Some('b')))
        || unit.to_lowercase().contains("bit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_its_number() {
        let said = [
            counted(1, "way"),
            counted(2, "way"),
            counted(0, "query"),
            counted(1_u64, "batch"),
            counted(12, "batch"),
            counted(1.0, "batch size"),
            counted(64_usize, "VM"),
        ];
        let expected =
            ["1 way", "2 ways", "0 queries", "1 batch", "12 batches", "1 batch size", "64 VMs"];
        assert_eq!(said, expected);
    }

    #[test]
    fn units_that_people_type_are_told_in_the_files_own() {
        let times = SimDuration::UNITS;
        for (unit, meant) in [
            ("msec", Some("ms")),
            ("MS", Some("ms")),
            ("Milliseconds", Some("ms")),
            ("µs", Some("us")),
            ("sec", Some("s")),
            ("minutes", Some("min")),
            ("m", None),
            ("parsec", None),
        ] {
            assert_eq!(unit_meant(unit, &times), meant, "{unit}");
        }
        for (unit, meant) in [
            ("gb", Some("GB")),
            ("GIB", Some("GiB")),
            ("Gi", Some("GiB")),
            ("G", Some("GB")),
            ("kb", Some("kB")),
            // Bits.
            ("Gb", None),
            ("Gbit", None),
        ] {
            assert_eq!(unit_meant(unit, &Bytes::UNITS), meant, "{unit}");
        }
        assert_eq!(unit_meant("gb/s", &Bandwidth::UNITS), Some("GB/s"));
        assert_eq!(unit_meant("Gb/s", &Bandwidth::UNITS), None);
        assert_eq!(unit_meant("percent", &Share::UNITS), Some("%"));
        assert_eq!(
            "130 msec".parse::<SimDuration>().unwrap_err(),
            "has the unknown unit \"msec\"; allowed units: ns, us, ms, s, min, h; did you mean \"130 ms\"?"
        );
    }

    #[test]
    fn a_quantity_is_a_number_and_a_unit() {
        let units = [("ms", 1e6), ("s", 1e9)];
        assert_eq!(parse_quantity("2ms", &units), Ok(2e6));
        assert_eq!(parse_quantity(" 1.5 s ", &units), Ok(1.5e9));
        assert_eq!(parse_quantity("1e3ms", &units), Ok(1e9));
        assert_eq!(parse_quantity("1_000ms", &units), Ok(1e9));
        assert!(parse_quantity("2", &units).unwrap_err().contains("allowed units: ms, s"));
        assert!(parse_quantity("2 GB", &units).unwrap_err().contains("\"GB\""));
        assert!(parse_quantity("-1 ms", &units).is_err());
        assert!(parse_quantity("ms", &units).is_err());
        assert!(parse_quantity("", &units).is_err());
    }
}
