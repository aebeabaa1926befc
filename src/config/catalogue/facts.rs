//! A number with its source, as catalogue files write it: value, source, standing; or the value
//! alone, where it is the user's own.
//!
//! Which facts a file must have is defined in `entries`.

use crate::config::text::{Reader, Value, ValueOrigin};
use crate::spec::{Fact, Standing};
use crate::suggest::{nearest, quoted};
use crate::units::Share;
use std::collections::BTreeMap;

/// The long sources of a file by their short keys.
pub(crate) type Sources = BTreeMap<String, String>;

/// The source of a number of the user's own, where none is written.
const OWN: &str = "yours";

/// What every fact needs, in a message.
const NEEDED: &str = "this fact is required; a plain value if it is your own";

/// How facts that must be there are written, with their units.
const EXAMPLES: [(&str, &str); 9] = [
    ("sms", "56"),
    ("memory", "\"24 GiB\""),
    ("memory_bandwidth", "\"933 GB/s\""),
    ("pcie_bandwidth", "\"25 GB/s\""),
    ("power_cap_w", "165, in watts"),
    ("logical_processors", "128"),
    ("target_latency", "\"50 ms\""),
    ("weights", "\"400 MiB\""),
    ("work", "{ 1 = \"2 ms\", 8 = \"9 ms\" }, times by batch size"),
];

/// What a fact looks like.
const FORM: &str = "a fact is { value = ..., source = \"...\", standing = \"...\" }";

/// A fact: a plain value, which is the user's own, or `{ value = ..., source = "...", standing = "..." }`.
pub(crate) fn fact<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Fact<T>> {
    let table = |table: &mut Reader<'_>| read(&table.need("value", FORM)?);
    spread_fact(file, sources, key, &read, table)
}

/// A number of cards: a search alone may have any.
pub(super) fn card_count(value: &Value<'_>, most: u32) -> Option<u32> {
    if value.is_word("any") {
        let diagnostic = value.wrong("is \"any\", which only plan files have");
        let diagnostic = diagnostic.allowed(format!("1 to {most} cards"));
        value.report(diagnostic.help("`slicewise plan FILE` says how many of which card"));
        return None;
    }
    value.count(1..=most, " cards")
}

/// A value that a file may leave out; nothing is assumed then.
pub(super) fn if_stated<'a, T>(
    file: &mut Reader<'a>,
    key: &str,
    read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match file.get(key) {
        Some(_) => read(file).map(Some),
        None => Some(None),
    }
}

/// A fact that a file may leave out; nothing is assumed then.
pub(super) fn fact_if_stated<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Option<Fact<T>>> {
    if_stated(file, key, |file| fact(file, sources, key, read))
}

/// A fact that a file may leave out; `why` is the reason for the assumed value.
pub(crate) fn fact_or<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
    (value, why): (T, &str),
) -> Option<Fact<T>> {
    or_assumed(file, key, Fact::assumed(value, why), |file| fact(file, sources, key, read))
}

/// The value of a key, or the assumed fact where the key is missing.
pub(super) fn or_assumed<'a, T>(
    file: &mut Reader<'a>,
    key: &str,
    absent: Fact<T>,
    read: impl FnOnce(&mut Reader<'a>) -> Option<Fact<T>>,
) -> Option<Fact<T>> {
    if file.get(key).is_some() {
        return read(file);
    }
    file.fallback(key, || ValueOrigin::default(&absent.source));
    Some(absent)
}

/// A fact that may state the range of its value: `range = [low, high]`. `rises` tells whether the
/// first value is nowhere above the second.
pub(crate) fn fact_in_range<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
    rises: impl Fn(&T, &T) -> bool,
) -> Option<Fact<T>> {
    // The range is read beside the value, and put into the fact once that is whole.
    let table = |table: &mut Reader<'_>| {
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
                    given.report(given.wrong("is not a range around `value`").allowed(OF_RANGES));
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
    };
    let fact = spread_fact(file, sources, key, |value| Some((read(value)?, None)), table)?;
    let Fact { value: (value, range), source, standing, fitted_on, residual, .. } = fact;
    Some(Fact { value, source, standing, fitted_on, residual, range })
}

/// The same for a fact that a file may leave out.
pub(crate) fn fact_in_range_or<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    (read, rises): (impl Fn(&Value<'_>) -> Option<T>, impl Fn(&T, &T) -> bool),
    absent: Fact<T>,
) -> Option<Fact<T>> {
    or_assumed(file, key, absent, |file| fact_in_range(file, sources, key, read, rises))
}

/// What a range looks like.
const OF_RANGES: &str = "[least, greatest], with the value between them";

/// A fact whose value may be spread over several keys, or be a plain value, which `plain` reads.
pub(crate) fn spread_fact<T>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    plain: impl Fn(&Value<'_>) -> Option<T>,
    spread: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Option<Fact<T>> {
    let help = match EXAMPLES.iter().find(|(of, _)| *of == key) {
        Some((_, example)) => format!("{NEEDED}: {key} = {example}"),
        None => NEEDED.to_string(),
    };
    let given = file.need(key, &help)?;
    if !has_passport(&given) {
        file.fallback(key, || ValueOrigin::new(OWN, ""));
        return Some(Fact::yours(plain(&given)?));
    }
    let mut table = given.table()?;
    let value = spread(&mut table);
    let standing = match table.get("standing") {
        Some(value) => value.choice("standing", &Standing::ALL),
        None if table.has("source") => {
            let words: Vec<&str> = Standing::ALL.iter().map(|(word, _)| *word).collect();
            let help = format!("state how the number came to be known: {}", words.join(", "));
            table.need("standing", &help)?;
            None
        }
        None => Some(Standing::Yours),
    };
    let is_own = standing == Some(Standing::Yours);
    if is_own {
        file.fallback(key, || ValueOrigin::new(OWN, ""));
    }
    let source = match table.get("source") {
        None if is_own => Some(OWN.to_string()),
        Some(value) => source_of(&value, sources),
        None => {
            table.need("source", "state where the number comes from, or why it is assumed")?;
            None
        }
    };
    let rows = |value: &Value<'_>| -> Option<Vec<String>> {
        value.items(200)?.iter().map(|item| item.text().map(str::to_string)).collect()
    };
    let fitted_on = of_fit(&mut table, "fitted_on", standing, rows);
    let share = |value: &Value<'_>| Some(value.quantity::<Share>()?.get());
    let residual = of_fit(&mut table, "residual", standing, share);
    table.finish();
    Some(Fact {
        value: value?,
        source: source?,
        standing: standing?,
        fitted_on: fitted_on?.unwrap_or_default(),
        residual: residual?,
        range: None,
    })
}

/// Whether a value is a fact with its source, or at least has a key of such a fact.
pub(crate) fn has_passport(value: &Value<'_>) -> bool {
    const KEYS: [&str; 4] = ["value", "source", "standing", "range"];
    let table = value.value.as_table();
    table.is_some_and(|table| KEYS.iter().any(|key| table.contains_key(*key)))
}

/// What a fitted number alone has: the published runs that it rests on, how far those are off with it.
fn of_fit<T>(
    table: &mut Reader<'_>,
    key: &str,
    standing: Option<Standing>,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Option<T>> {
    if_stated(table, key, |table| {
        let value = table.get(key)?;
        if standing.is_some_and(|standing| standing != Standing::Fitted) {
            let title = "belongs to fitted numbers only";
            value.report(value.wrong(title).help("write standing = \"fitted\", or drop it"));
            return None;
        }
        read(&value)
    })
}

/// A source: one word is a key of `[sources]`, anything longer is the source itself.
pub(super) fn source_of(value: &Value<'_>, sources: &Sources) -> Option<String> {
    let text = value.text()?;
    if text.contains(' ') || text == OWN {
        return Some(text.to_string());
    }
    let source = sources.get(text).cloned();
    if source.is_none() {
        let diagnostic =
            value.wrong(format!("is {}, which is not a key of `sources`", quoted(text)));
        let known: Vec<_> = sources.keys().cloned().collect();
        let allowed = format!(
            "{}the title and place of publication",
            known.iter().map(|key| format!("{key}, ")).collect::<String>()
        );
        value.report(diagnostic.allowed(allowed).did_you_mean(nearest(text, known)));
    }
    source
}

/// Reads `[sources]`.
pub(crate) fn sources(file: &mut Reader<'_>) -> Sources {
    let Some(mut table) = file.table("sources") else { return Sources::new() };
    let entries = table.entries().into_iter();
    entries.filter_map(|(key, value)| Some((key, value.text()?.to_string()))).collect()
}

/// Reads the one line that names the entry.
pub(crate) fn name(file: &mut Reader<'_>) -> Option<String> {
    let name = file.need("name", "write the vendor's name on one line")?;
    let text = name.text()?;
    if text.contains('\n') {
        name.report(name.wrong("has more than one line"));
        return None;
    }
    Some(text.to_string())
}

/// A table that must be there.
pub(crate) fn need_table<'a>(file: &mut Reader<'a>, key: &str) -> Option<Reader<'a>> {
    file.need(key, "the table is required")?.table()
}

/// The list at the key `value`.
pub(crate) fn list_in<'a>(table: &mut Reader<'a>) -> Option<Value<'a>> {
    table.need("value", "the list is required")
}

/// The entries of a list, each a table.
pub(crate) fn entries_of<T>(
    list: &Value<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = list.items(100)?;
    let count = items.len();
    let entries = items.into_iter().filter_map(|item| {
        let mut entry = item.table()?;
        let found = read(&mut entry);
        entry.finish();
        found
    });
    let entries: Vec<_> = entries.collect();
    (entries.len() == count).then_some(entries)
}
