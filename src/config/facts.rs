//! A number with its passport, as catalogue files write it: value, source, standing.
//!
//! Which facts a file must have is said in `entries`.

use super::reader::Reader;
use super::suggest::{nearest, quoted};
use super::value::Value;
use crate::spec::{Fact, Standing};
use crate::units::Share;
use std::collections::BTreeMap;

/// The long sources of a file by their short keys.
pub(super) type Sources = BTreeMap<String, String>;

/// A fact: `{ value = ..., source = "...", standing = "..." }`.
pub(super) fn fact<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Fact<T>> {
    fact_table(file, sources, key, |table| read(&table.need("value", FORM)?))
}

/// What a fact looks like.
const FORM: &str = "a fact is { value = ..., source = \"...\", standing = \"...\" }";

/// A fact that may say what else its value could be: `range = [low, high]`. `rises` says whether
/// nothing of the first value lies above the second.
pub(super) fn fact_in_range<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
    rises: impl Fn(&T, &T) -> bool,
) -> Option<Fact<T>> {
    // The range is read beside the value, and put into the fact once that is whole.
    let fact = fact_table(file, sources, key, |table| {
        let value = table.need("value", FORM).and_then(|value| read(&value));
        let range = table.get("range").map(|given| {
            let items = given.items(2)?;
            let ends: Vec<T> = items.iter().filter_map(&read).collect();
            let within = |low: &T, high: &T| match &value {
                Some(value) => rises(low, value) && rises(value, high),
                None => true,
            };
            match <[T; 2]>::try_from(ends) {
                Ok([low, high]) if within(&low, &high) => Some([low, high]),
                Ok(_) => {
                    given.report(given.wrong("is no range about `value`").allowed(OF_RANGES));
                    None
                }
                Err(ends) if ends.len() == items.len() => {
                    given.report(given.wrong("has one end").allowed(OF_RANGES));
                    None
                }
                Err(_) => None,
            }
        });
        Some((value?, range.map_or(Some(None), |range| range.map(Some))?))
    })?;
    let Fact { value: (value, range), source, standing, fitted_on, residual, .. } = fact;
    Some(Fact { value, source, standing, fitted_on, residual, range })
}

/// What a range looks like.
const OF_RANGES: &str = "[least, greatest], with the value between them";

/// A fact whose value is spread over keys of its own.
pub(super) fn fact_table<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Option<Fact<T>> {
    let mut table = file.need(key, "every fact of a catalogue file must be there")?.table()?;
    let value = read(&mut table);
    let source = table.need("source", "say where the number comes from, or why it is assumed");
    let source = source.and_then(|value| source_of(&value, sources));
    let standing = table.need("standing", "say how the number came to be known");
    let standing = standing.and_then(|value| value.choice("standing", &Standing::ALL));
    let fitted_on = fitted_on(&mut table, standing);
    let residual = residual(&mut table, standing);
    table.finish();
    Some(Fact {
        value: value?,
        source: source?,
        standing: standing?,
        fitted_on: fitted_on?,
        residual: residual?,
        range: None,
    })
}

/// How far the runs that a number was fitted on are off with it; other numbers have none.
fn residual(table: &mut Reader<'_>, standing: Option<Standing>) -> Option<Option<f64>> {
    let Some(value) = table.get("residual") else { return Some(None) };
    if standing.is_some_and(|standing| standing != Standing::Fitted) {
        value.report(value.wrong(OF_FITS).help("write standing = \"fitted\", or drop it"));
        return None;
    }
    Some(Some(value.quantity::<Share>()?.get()))
}

/// Why a measured or assumed number has no runs and no residual.
const OF_FITS: &str = "belongs to fitted numbers only";

/// The published runs a fitted number rests on; other numbers rest on none.
fn fitted_on(table: &mut Reader<'_>, standing: Option<Standing>) -> Option<Vec<String>> {
    let value = table.get("fitted_on");
    match (value, standing) {
        (None, _) => Some(Vec::new()),
        (Some(value), Some(Standing::Documented | Standing::Measured | Standing::Assumed)) => {
            value.report(value.wrong(OF_FITS).help("write standing = \"fitted\", or drop it"));
            None
        }
        (Some(value), _) => {
            value.items(200)?.iter().map(|item| item.text().map(str::to_string)).collect()
        }
    }
}

/// A source: one word is a key of `[sources]`, anything longer is the source itself.
fn source_of(value: &Value<'_>, sources: &Sources) -> Option<String> {
    let text = value.text()?;
    if text.contains(' ') {
        return Some(text.to_string());
    }
    let source = sources.get(text).cloned();
    if source.is_none() {
        let diagnostic = value.wrong(format!("is {}, which is no key of `sources`", quoted(text)));
        let known: Vec<_> = sources.keys().cloned().collect();
        let allowed = format!(
            "{}a title and place of publication in words",
            known.iter().map(|key| format!("{key}, ")).collect::<String>()
        );
        value.report(diagnostic.allowed(allowed).did_you_mean(nearest(text, known)));
    }
    source
}

/// Reads `[sources]`.
pub(super) fn sources(file: &mut Reader<'_>) -> Sources {
    let Some(mut table) = file.table("sources") else { return Sources::new() };
    let entries = table.entries().into_iter();
    entries.filter_map(|(key, value)| Some((key, value.text()?.to_string()))).collect()
}

/// Reads the one line that names the entry.
pub(super) fn name(file: &mut Reader<'_>) -> Option<String> {
    let name = file.need("name", "write the vendor's name on one line")?;
    let text = name.text()?;
    if text.contains('\n') {
        name.report(name.wrong("has more than one line"));
        return None;
    }
    Some(text.to_string())
}

/// A table that must be there.
pub(super) fn need_table<'a>(file: &mut Reader<'a>, key: &str) -> Option<Reader<'a>> {
    file.need(key, "the table must be there")?.table()
}
