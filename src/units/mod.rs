//! Floor 0: quantities. The type is the unit, so no name carries one; files write the unit too.
//!
//! | type | in memory | written in files |
//! |---|---|---|
//! | [`SimTime`], [`SimDuration`] | whole nanoseconds | `"2ms"`, `"1.5 s"`, `"130ms"`, `"10min"` |
//! | [`Bytes`] | whole bytes | `"40 GB"`, `"40 GiB"`, `"3072 B"` |
//! | [`Bandwidth`] | bytes per second | `"24 GB/s"` |
//! | [`Share`] | 0 to 1 | `"44 %"`, or a bare ratio |
//!
//! It does not round silently: a parsed number keeps its value to the smallest unit above.

mod bytes;
mod share;
mod time;

pub use bytes::{Bandwidth, Bytes};
pub use share::Share;
pub use time::{SimDuration, SimTime};

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
    let number: f64 = number.parse().map_err(|_| {
        format!("does not start with a number; write for example \"2 {}\"", units[0].0)
    })?;
    if unit.is_empty() {
        return Err(format!("has no unit; allowed units: {}", allowed()));
    }
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let factor = factor
        .ok_or_else(|| format!("has the unknown unit \"{unit}\"; allowed units: {}", allowed()))?;
    if !number.is_finite() || number < 0.0 {
        return Err("is not a finite number of zero or more".to_string());
    }
    Ok(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

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
