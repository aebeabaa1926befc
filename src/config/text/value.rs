//! One value of a TOML tree: checks its type, with a diagnostic when it is wrong.
//!
//! Keys and tables are handled by the reader.

use super::answers::Form;
use super::diagnostic::{Diagnostic, Problems, SourceFile, Spot};
use crate::suggest::{nearest, quoted};
use crate::units::{Bandwidth, Bytes, Frequency, Power, Share, SimDuration};
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;
use toml::de::DeValue;

/// The kinds of entry of the catalogue: in the singular, and as the folder's name.
pub(crate) const KINDS: [(&str, &str); 6] = [
    ("gpu", "gpus"),
    ("workload", "workloads"),
    ("model", "models"),
    ("host", "hosts"),
    ("hypervisor", "hypervisors"),
    ("harness", "harnesses"),
];

/// A value under inspection, with the path of its key.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    pub(crate) file: &'a Arc<SourceFile>,
    pub(crate) problems: &'a Problems,
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

impl<'a> Value<'a> {
    /// The place of the value.
    pub(crate) fn spot(&self) -> Spot {
        Spot { file: self.file.clone(), span: self.span.clone() }
    }

    /// Starts a diagnostic about the value.
    pub(crate) fn wrong(&self, what: impl AsRef<str>) -> Diagnostic {
        Diagnostic::at(&self.spot(), format!("`{}` {}", self.name, what.as_ref()))
    }

    /// Reports a diagnostic.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// Records the type that the value is read as.
    pub(super) fn took(&self, form: impl FnOnce() -> Form) {
        self.problems.answers.took(&self.name, form);
    }

    /// Whether it is a string.
    pub(crate) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is this string.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.value.as_str() == Some(word)
    }

    /// Whether it is a table.
    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether it is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// A string that is not blank.
    pub(crate) fn text(&self) -> Option<&'a str> {
        self.took(|| Form::Text);
        let text = self.value.as_str();
        match text {
            None => self.expected("a string in quotes"),
            Some(text) if text.trim().is_empty() => self.report(self.wrong("is empty")),
            Some(text) => return Some(text),
        }
        None
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self) -> Option<bool> {
        self.took(|| Form::Flag);
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.expected("true or false");
        }
        flag
    }

    /// A whole number within a range; `unit` follows the range in the message.
    pub(crate) fn whole(&self, range: RangeInclusive<u64>, unit: &str) -> Option<u64> {
        self.took(|| Form::Whole(*range.start(), *range.end()));
        let most = *range.end();
        self.whole_within(range, most, unit)
    }

    /// As [`Value::whole`]; the message names `most` as the end of the range, a stricter one that is held
    /// elsewhere.
    fn whole_within(&self, range: RangeInclusive<u64>, most: u64, unit: &str) -> Option<u64> {
        let Some(integer) = self.value.as_integer() else {
            self.expected("a whole number");
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let inside = number
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| range.contains(number));
        if inside.is_none() {
            let diagnostic =
                self.wrong(format!("is {}", cut(&integer.to_string()))).label("out of range");
            self.report(diagnostic.allowed(format!("{} to {most}{unit}", range.start())));
        }
        inside
    }

    /// As [`Value::whole`], for ranges within 32 bits.
    pub(crate) fn count(&self, range: RangeInclusive<u32>, unit: &str) -> Option<u32> {
        let number = self.whole(u64::from(*range.start())..=u64::from(*range.end()), unit)?;
        Some(u32::try_from(number).expect("the range lies within 32 bits"))
    }

    /// As [`Value::count`] from 1; the message names `told`, a stricter limit that other rules hold.
    pub(crate) fn count_told(&self, most: u32, told: u32, unit: &str) -> Option<u32> {
        self.took(|| Form::Whole(1, u64::from(most)));
        let number = self.whole_within(1..=u64::from(most), u64::from(told), unit)?;
        Some(u32::try_from(number).expect("the range lies within 32 bits"))
    }

    /// As [`Value::count`] from 0 to `last`, which depends on the rest of the file; `most` is the
    /// limit for any file.
    pub(crate) fn index(&self, last: u32, most: u32, unit: &str) -> Option<u32> {
        self.count_within(0..=last, most, unit)
    }

    /// As [`Value::count`] up to an end that depends on the rest of the file; `most` is the limit
    /// for any file.
    pub(crate) fn count_within(
        &self,
        range: RangeInclusive<u32>,
        most: u32,
        unit: &str,
    ) -> Option<u32> {
        let (first, last) = (u64::from(*range.start()), u64::from(*range.end()));
        self.took(|| Form::Whole(first, u64::from(most)));
        let number = self.whole_within(first..=last, last, unit)?;
        Some(u32::try_from(number).expect("the range lies within 32 bits"))
    }

    /// A finite number, whole or not, that satisfies a rule; `allowed` describes it.
    pub(crate) fn number(&self, keeps: impl Fn(f64) -> bool, allowed: &str) -> Option<f64> {
        self.took(|| Form::Number);
        let written = match self.value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => {
                self.expected("a number");
                return None;
            }
        };
        let number =
            written.parse::<f64>().ok().filter(|&number| number.is_finite() && keeps(number));
        if number.is_none() {
            self.report(
                self.wrong(format!("is {}", cut(written))).label("out of range").allowed(allowed),
            );
        }
        number
    }

    /// A quantity: a number with its unit, in quotes.
    pub(crate) fn quantity<T: Quantity>(&self) -> Option<T> {
        self.took(|| Form::Quantity(T::UNIT));
        let written = match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            _ => {
                self.expected(&format!("{} in quotes, such as \"2 {}\"", T::WHAT, T::UNIT));
                return None;
            }
        };
        match T::from_str(&written) {
            Ok(quantity) if self.value.is_str() || T::BARE => return Some(quantity),
            Ok(_) => {
                let diagnostic = self.wrong("is not in quotes").of_form();
                self.report(diagnostic.help(format!("write \"{written}\"")))
            }
            Err(error) => {
                // A bare 50 where a share belongs: 50 %. A bare 1.4 is a share above one sooner than 1.4 %.
                let just_above =
                    written.parse().is_ok_and(|found: f64| (1.0..2.0).contains(&found));
                let percent = Some(format!("{written} {}", T::UNIT)).filter(|_| !just_above);
                let percent = percent.filter(|percent| T::BARE && T::from_str(percent).is_ok());
                self.report(self.not_a_quantity::<T>(&written, &error).did_you_mean(percent));
            }
        }
        None
    }

    /// A quantity that satisfies a rule; `allowed` describes it.
    pub(crate) fn bounded<T: Quantity>(
        &self,
        keeps: impl Fn(&T) -> bool,
        allowed: &str,
    ) -> Option<T> {
        let quantity = self.quantity::<T>()?;
        if keeps(&quantity) {
            return Some(quantity);
        }
        let diagnostic =
            self.wrong(format!("is {quantity}")).label("out of range").allowed(allowed);
        self.report(diagnostic.did_you_mean(self.in_another_unit(keeps)));
        None
    }

    /// The same number in a unit in which it would keep the rule: the nearest to the one written, of those as
    /// near the usual one; the usual one where none is written.
    fn in_another_unit<T: Quantity>(&self, keeps: impl Fn(&T) -> bool) -> Option<String> {
        let written = match self.value {
            DeValue::String(text) => text.trim().to_string(),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            _ => return None,
        };
        let digits = written.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: f64 = digits.parse().ok().filter(|number| *number > 0.0)?;
        // 1.4 is a share above one sooner than 1.4 %; 80 is 80 %.
        if T::BARE && digits == written && (1.0..2.0).contains(&number) {
            return None;
        }
        let worth = |wanted: &str| T::UNITS.iter().find(|(unit, _)| *unit == wanted).map(|of| of.1);
        let own = worth(written[digits.len()..].trim());
        let steps = |of: f64| own.map_or(0, |own| (of / own).log10().abs().round() as i32);
        let mut units = T::UNITS.to_vec();
        units.sort_by_key(|(unit, of)| (steps(*of), *unit != T::UNIT));
        let units = units.into_iter().map(|(unit, _)| unit);
        let mut others = units.map(|unit| format!("{digits} {unit}"));
        let bare = number.to_string();
        let keeps = |text: &String| T::from_str(text).is_ok_and(|quantity| keeps(&quantity));
        others.find(keeps).or_else(|| Some(bare).filter(|bare| T::BARE && keeps(bare)))
    }

    /// A percentage, 1 to below 100: a fraction is a mistake that would reverse a bound.
    pub(crate) fn percentile(&self) -> Option<f64> {
        let found = self.number(|_| true, PERCENTILES)?;
        if (1.0..100.0).contains(&found) {
            return Some(found);
        }
        let diagnostic = self.wrong(format!("is {found}")).label("out of range");
        let diagnostic = diagnostic.allowed(PERCENTILES);
        self.report(match of_fraction(found) {
            Some(percent) => diagnostic.help(percent),
            None => diagnostic,
        });
        None
    }

    /// One of a list of words.
    pub(crate) fn choice<T: Copy>(&self, what: &str, choices: &[(&str, T)]) -> Option<T> {
        self.took(|| Form::Word(choices.iter().map(|(name, _)| (*name).to_string()).collect()));
        let word = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            self.unknown(what, word, choices.iter().map(|(name, _)| *name));
        }
        found.map(|(_, choice)| *choice)
    }

    /// Reports a name that is not in a list.
    pub(crate) fn unknown<S: AsRef<str>>(
        &self,
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = S>,
    ) {
        let known: Vec<String> = known.into_iter().map(|name| name.as_ref().to_string()).collect();
        let title = format!("unknown {what} {}", quoted(word));
        let diagnostic = Diagnostic::at(&self.spot(), title).of_form();
        let allowed = if known.is_empty() { "none is known".to_string() } else { known.join(", ") };
        let diagnostic = diagnostic.allowed(allowed).did_you_mean(nearest(word, &known));
        self.report(match KINDS.iter().find(|(one, _)| *one == what) {
            Some((_, folder)) => diagnostic.help(of_own(folder, word)),
            None => diagnostic,
        });
    }

    /// The items of an array that has at least one and at most `most`.
    pub(crate) fn items(&self, most: usize) -> Option<Vec<Value<'a>>> {
        self.items_or(most, None)
    }

    /// The same; where there are more, `help` says what to write instead.
    pub(crate) fn items_or(&self, most: usize, help: Option<&str>) -> Option<Vec<Value<'a>>> {
        self.took(|| Form::Items);
        let Some(array) = self.value.as_array() else {
            self.expected("an array");
            return None;
        };
        if array.is_empty() || array.len() > most {
            let diagnostic = self.wrong(format!("has {} entries", array.len()));
            let diagnostic = diagnostic.allowed(format!("1 to {most} entries"));
            self.report(match help.filter(|_| array.len() > most) {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            return None;
        }
        let (file, problems) = (self.file, self.problems);
        let items = array.iter().map(|item| Value {
            file,
            problems,
            value: item.get_ref(),
            name: self.name.clone(),
            span: item.span(),
        });
        Some(items.collect())
    }

    fn not_a_quantity<T: Quantity>(&self, written: &str, error: &str) -> Diagnostic {
        let (what, units) = error.split_once("; allowed units: ").unwrap_or((error, ""));
        let (units, meant) = units.split_once("; did you mean ").unwrap_or((units, ""));
        let meant = meant.strip_prefix('"').and_then(|meant| meant.strip_suffix("\"?"));
        let label = match what {
            _ if units.is_empty() => "",
            "has no unit" => "needs a unit",
            _ => "not a unit of this quantity",
        };
        let diagnostic = self.wrong(what).label(label).of_form();
        let diagnostic = if units.is_empty() {
            diagnostic
        } else {
            diagnostic.allowed(format!("units {units}"))
        };
        if meant.is_some() {
            return diagnostic.did_you_mean(meant.map(str::to_string));
        }
        let bare =
            written.trim().parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0);
        if bare && !units.is_empty() {
            let number = cut(written.trim());
            let such = T::EXAMPLES.iter().map(|unit| format!("\"{number} {unit}\""));
            let such: Vec<String> = such.collect();
            return diagnostic.help(format!("write for example {}", such.join(" or ")));
        }
        diagnostic
    }

    pub(super) fn expected(&self, what: &str) {
        let diagnostic = self.wrong(format!("is {}", article(self.value.type_str()))).of_form();
        let diagnostic = diagnostic.label(format!("expected {what}"));
        let text = self
            .value
            .as_str()
            .map(str::trim)
            .filter(|_| ["a number", "a whole number", "true or false"].contains(&what));
        let is_plain = |text: &&str| {
            text.parse::<f64>().is_ok_and(f64::is_finite) || ["true", "false"].contains(text)
        };
        self.report(match text.filter(is_plain) {
            Some(text) => diagnostic.help(format!("write {}, without quotes", cut(text))),
            None => diagnostic,
        });
    }
}

/// Where the user's own file for a name must be.
pub(crate) fn of_own(folder: &str, word: &str) -> String {
    let name: String = word
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-._".contains(*letter))
        .take(40)
        .collect();
    let name = if name.is_empty() { "NAME".to_string() } else { name };
    format!("for your own, write the file DIR/{folder}/{name}.toml and add --configs DIR")
}

/// The percentiles that a bound may hold for.
pub(crate) const PERCENTILES: &str = "1 to below 100, in percent";

/// Help for a fraction where a percentage is expected: 99 for 0.99.
pub(crate) fn of_fraction(found: f64) -> Option<String> {
    let percent = (found * 1e8).round() / 1e6;
    (found > 0.0 && (1.0..100.0).contains(&percent)).then(|| format!("did you mean {percent}?"))
}

/// A quantity that files write with its unit.
pub(crate) trait Quantity: FromStr<Err = String> + std::fmt::Display {
    /// What it is, in a message.
    const WHAT: &'static str;
    /// The unit of an example.
    const UNIT: &'static str;
    /// The units of the examples where a number has none: a duration may well be one of seconds.
    const EXAMPLES: &'static [&'static str] = &[Self::UNIT];
    /// Every unit that may be written, with its worth.
    const UNITS: &'static [(&'static str, f64)];
    /// Whether a bare number will do.
    const BARE: bool = false;
}

impl Quantity for SimDuration {
    const WHAT: &'static str = "a duration";
    const UNIT: &'static str = "ms";
    const EXAMPLES: &'static [&'static str] = &["ms", "s"];
    const UNITS: &'static [(&'static str, f64)] = &SimDuration::UNITS;
}

impl Quantity for Bytes {
    const WHAT: &'static str = "an amount of memory";
    const UNIT: &'static str = "GB";
    const UNITS: &'static [(&'static str, f64)] = &Bytes::UNITS;
}

impl Quantity for Power {
    const WHAT: &'static str = "a power";
    const UNIT: &'static str = "W";
    const UNITS: &'static [(&'static str, f64)] = &Power::UNITS;
}

impl Quantity for Frequency {
    const WHAT: &'static str = "a frequency";
    const UNIT: &'static str = "MHz";
    const EXAMPLES: &'static [&'static str] = &["MHz", "GHz"];
    const UNITS: &'static [(&'static str, f64)] = &Frequency::UNITS;
}

impl Quantity for Bandwidth {
    const WHAT: &'static str = "a bandwidth";
    const UNIT: &'static str = "GB/s";
    const UNITS: &'static [(&'static str, f64)] = &Bandwidth::UNITS;
}

impl Quantity for Share {
    const WHAT: &'static str = "a share";
    const UNIT: &'static str = "%";
    const UNITS: &'static [(&'static str, f64)] = &Share::UNITS;
    const BARE: bool = true;
}

/// A number as written, cut when it is very long.
fn cut(written: &str) -> String {
    if written.len() > 40 { format!("{}...", &written[..40]) } else { written.to_string() }
}

/// `a string`, `an integer`.
pub(crate) fn article(kind: &str) -> String {
    match kind {
        "integer" | "array" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
