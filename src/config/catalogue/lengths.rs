//! How long requests of LLMs are: what a file says of a length, and the named pairs that come with the
//! program (`configs/llm/lengths.toml`).
//!
//! Lengths of a trace are read with its requests, in `scenario::trace`.

use super::EMBEDDED;
use super::facts::{Sources, fact, sources, spread_fact};
use crate::config::text::{Diagnostic, LoadError, Problems, Reader, SourceFile, Value, source};
use crate::spec::{Fact, LengthPair, TokenLengths};
use std::sync::{Arc, LazyLock};

/// Most tokens of a prompt or an output.
pub(crate) const TOKENS_MAX: u32 = 1 << 24;

/// What a length may be, in words.
pub(crate) const OF_LENGTHS: &str = "a number of tokens, { mean = 500, cv = 1, max = 4096 }, { from = 100, to = 900 } \
    or { percentiles = { 50 = 300, 99 = 2000, 100 = 4000 } }";

static PAIRS: LazyLock<Vec<(String, LengthPair)>> = LazyLock::new(|| {
    let path = "llm/lengths.toml";
    let text = EMBEDDED.get_file(path).and_then(|file| file.contents_utf8());
    let text = text.unwrap_or_else(|| panic!("{path} comes with the program"));
    let file = Arc::new(SourceFile::new(format!("configs/{path}"), text));
    let problems = Problems::default();
    let tree = source::parse(&file, &problems);
    let found = tree.map(|tree| pairs(Reader::new(&file, &tree, &problems)));
    match problems.into_error() {
        None => found.unwrap_or_default(),
        Some(all) => panic!("a file of ours has mistakes: {}", LoadError::Invalid(all)),
    }
});

/// The names of the pairs.
pub(crate) fn names() -> Vec<&'static str> {
    PAIRS.iter().map(|(name, _)| name.as_str()).collect()
}

/// The pair of a name.
pub(crate) fn named(name: &str) -> Option<&'static LengthPair> {
    PAIRS.iter().find(|(known, _)| known == name).map(|(_, pair)| pair)
}

fn pairs(mut file: Reader<'_>) -> Vec<(String, LengthPair)> {
    let sources = sources(&mut file);
    let entries = file.entries().into_iter().filter(|(name, _)| name != "sources");
    let read = |(name, value): (String, Value<'_>)| {
        let pair = pair(&mut value.table()?, &sources, Some(name.clone()))?;
        Some((name, pair))
    };
    entries.filter_map(read).collect()
}

/// Reads `input` and `output` of a table.
pub(crate) fn pair(
    table: &mut Reader<'_>,
    sources: &Sources,
    name: Option<String>,
) -> Option<LengthPair> {
    let (input, output) = (lengths(table, sources, "input"), lengths(table, sources, "output"));
    Some(LengthPair::Drawn { name, input: input?, output: output? })
}

/// A length, plain or with its source.
fn lengths(table: &mut Reader<'_>, sources: &Sources, key: &str) -> Option<Fact<TokenLengths>> {
    let Some(given) = table.get(key) else {
        table.need(key, &format!("state how many tokens: {key} = 512, or {OF_LENGTHS}"));
        return None;
    };
    let is_fact = given.value.as_table().is_some_and(|table| table.contains_key("value"));
    if is_fact {
        return spread_fact(table, sources, key, read, |table| {
            read(&table.need("value", OF_LENGTHS)?)
        });
    }
    // Numbers with `from` are no fact, whatever else is in the table.
    match given.is_table() {
        true => Some(Fact::yours(read(&given)?)),
        false => fact(table, sources, key, read),
    }
}

fn read(value: &Value<'_>) -> Option<TokenLengths> {
    if !value.is_table() {
        return value.count(1..=TOKENS_MAX, " tokens").map(TokenLengths::Fixed);
    }
    let mut table = value.table()?;
    let found = match () {
        () if table.has("percentiles") => percentiles(&mut table),
        () if table.has("from") || table.has("to") => uniform(&mut table),
        () => log_normal(&mut table),
    };
    table.finish();
    found
}

fn uniform(table: &mut Reader<'_>) -> Option<TokenLengths> {
    let [first, last] = ["from", "to"].map(|key| {
        let value = table.need(key, "state both: { from = 100, to = 900 }")?;
        Some((value.count(1..=TOKENS_MAX, " tokens")?, value))
    });
    let ((first, _), (last, value)) = (first?, last?);
    if last < first {
        value.report(
            value
                .wrong(format!("is {last}, less than `from`"))
                .allowed(format!("{first} to {TOKENS_MAX} tokens")),
        );
        return None;
    }
    Some(TokenLengths::Uniform(first, last))
}

fn log_normal(table: &mut Reader<'_>) -> Option<TokenLengths> {
    let most = f64::from(TOKENS_MAX);
    let mean = table.need("mean", OF_LENGTHS);
    let mean = mean.and_then(|value| {
        value.number(|mean| (1.0..=most).contains(&mean), &format!("1 to {TOKENS_MAX} tokens"))
    });
    let cv = table.need("cv", "state the standard deviation over the mean: cv = 1");
    let cv = cv.and_then(|value| value.number(|cv| cv > 0.0 && cv <= 20.0, "above 0, at most 20"));
    let max = table.need("max", "state the most tokens, where it is cut off: max = 4096");
    let max = max.and_then(|value| value.count(1..=TOKENS_MAX, " tokens"));
    Some(TokenLengths::LogNormal { mean: mean?, cv: cv?, most: max? })
}

/// `{ 10 = 54, 50 = 129, 100 = 1000 }`, by percent of the requests.
fn percentiles(table: &mut Reader<'_>) -> Option<TokenLengths> {
    let value = table.get("percentiles")?;
    let mut points = Vec::new();
    for (key, value) in value.table()?.entries() {
        let percent: Option<f64> = key.parse().ok().filter(|at| (0.0..=100.0).contains(at));
        let Some(percent) = percent else {
            let found = value.wrong("is not of a percentage");
            value.report(found.allowed("0 to 100, in percent of the requests"));
            return None;
        };
        points.push((percent / 100.0, value.count(1..=TOKENS_MAX, " tokens")?));
    }
    points.sort_by(|one, two| one.0.total_cmp(&two.0));
    if points.first().is_some_and(|(at, _)| *at > 0.0) {
        points.insert(0, (0.0, 1));
    }
    let falls = points.windows(2).any(|pair| pair[0].1 > pair[1].1);
    let is_whole = points.len() >= 2 && points.last().is_some_and(|(at, _)| *at == 1.0);
    if falls || !is_whole {
        let why = if falls { "falls" } else { "has no 100, the most tokens" };
        let found: Diagnostic = value.wrong(why);
        let form =
            "percentages with tokens that never fall, up to 100, such as { 50 = 300, 100 = 4000 }";
        value.report(found.allowed(form));
        return None;
    }
    Some(TokenLengths::Quantiles(points))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published means, in tokens (`configs/llm/lengths.toml`). Percentiles rise ever faster, so that straight
    /// lines between them lie above; the page says by up to 4 %.
    #[test]
    fn the_means_of_named_pairs_are_the_published_ones() {
        let mean = |lengths: &TokenLengths| match lengths {
            TokenLengths::Quantiles(points) => points
                .windows(2)
                .map(|pair| (pair[1].0 - pair[0].0) * f64::from(pair[0].1 + pair[1].1) / 2.0)
                .sum::<f64>(),
            _ => panic!("a pair of ours has quantiles"),
        };
        for (name, [input, output]) in [
            ("azure-2023-conversation", [1154.7, 211.1]),
            ("azure-2023-code", [2047.8, 27.9]),
            ("sharegpt-llmservingsim", [857.5, 652.5]),
        ] {
            let Some(LengthPair::Drawn { input: one, output: two, .. }) = named(name) else {
                panic!("{name}");
            };
            for (found, expected) in [(mean(&one.value), input), (mean(&two.value), output)] {
                assert!((found / expected - 1.0).abs() < 0.04, "{name}: {found} for {expected}");
            }
        }
    }
}
