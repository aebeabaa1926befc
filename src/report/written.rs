//! Figures as they are written in JSON and CSV files: rounded to [`DIGITS`] significant digits, and
//! whole ones without a decimal point.
//!
//! A double has 16 digits, and rounding errors affect the last: 3.8637249999999996 is 3.863725. The
//! runs that an interrupted sweep keeps (`partial`) are not written here, since they are computed
//! with again.

use crate::shown::in_json;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// Significant digits of a figure in a file: a nanosecond in a quarter of an hour.
const DIGITS: usize = 12;

/// The figure as text; the caller writes `null` for a value that is not a number.
pub(super) fn figure(value: f64) -> String {
    /// Beyond these, exponents are shorter.
    const PLAIN: std::ops::Range<f64> = 1e-5..1e15;
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    match rounded {
        0.0 => "0".to_string(),
        x if !x.is_finite() || PLAIN.contains(&x.abs()) => x.to_string(),
        x => format!("{x:e}"),
    }
}

/// A document as indented JSON, its last line ended. Figures that are not numbers become `null`.
pub(crate) fn document(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(text(value, PrettyFormatter::new())? + "\n")
}

/// As [`document`], its fields sorted by name and its figures in full.
pub(super) fn sorted(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{:#}\n", serde_json::to_value(value)?))
}

/// A value as JSON in one line, which is not ended.
pub(super) fn line(value: &impl Serialize) -> anyhow::Result<String> {
    text(value, CompactFormatter)
}

/// The same of a value that always can be written.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    line(value).unwrap_or_else(|_| "null".to_string())
}

fn text(value: &impl Serialize, formatter: impl Formatter) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Rounded(formatter)))?;
    Ok(in_json(String::from_utf8(bytes)?))
}

/// A formatter that writes figures by [`figure`], and all else as the one inside.
struct Rounded<F>(F);

/// Hands methods on to the formatter inside.
macro_rules! handed_on {
    ($($name:ident($($argument:ident: $kind:ty)?);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)?) -> io::Result<()> {
            self.0.$name(writer $(, $argument)?)
        })*
    };
}

impl<F: Formatter> Formatter for Rounded<F> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(figure(value).as_bytes())
    }

    handed_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn counts_are_whole_and_noise_is_gone() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (3.8637249999999996, "3.863725"),
            (0.1 + 0.2, "0.3"),
            (270_336.0, "270336"),
            (515_867.512_345_678, "515867.512346"),
            (1e-9, "1e-9"),
            (2e20, "2e20"),
        ] {
            assert_eq!(figure(value), text);
        }
        let text = line(&json!({ "count": 1.0, "none": f64::NAN, "list": [2.5, 3] })).unwrap();
        assert_eq!(text, r#"{"count":1,"list":[2.5,3],"none":null}"#);
    }

    /// Every document goes through this file, so that none has figures of its own making.
    #[test]
    fn no_other_file_of_the_reports_writes_json() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/report")).unwrap()
        {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().to_string();
            if path.is_dir() || ["written.rs", "partial.rs"].contains(&name.as_str()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for way in ["serde_json::to_string", "serde_json::to_vec", "serde_json::to_writer"] {
                assert!(!text.contains(way), "{name} writes JSON by {way}");
            }
        }
    }

    proptest! {
        /// Any figure: at most so many digits, no point without a digit behind it that counts, and what
        /// is written reads back as itself, within half a unit of the last digit of what it was.
        #[test]
        fn what_is_written_reads_back(value in proptest::num::f64::NORMAL) {
            let text = figure(value);
            let read: f64 = text.parse().unwrap();
            prop_assert!((read - value).abs() <= 5e-12 * value.abs(), "{} for {}", text, value);
            prop_assert_eq!(figure(read), text.clone());
            let mantissa = text.split('e').next().unwrap();
            let digits = mantissa.trim_start_matches(['-', '0', '.']).replace('.', "");
            prop_assert!(digits.trim_end_matches('0').len() <= DIGITS, "{}", text);
            prop_assert!(!mantissa.contains('.') || !mantissa.ends_with('0'), "{}", text);
            let read: Value = serde_json::from_str(&line(&json!([value])).unwrap()).unwrap();
            prop_assert_eq!(read[0].as_f64().unwrap(), text.parse::<f64>().unwrap());
        }
    }
}
