//! Columns of tokens: of prompts and of outputs, by the names that are known.

use crate::formats::dialect::Dialect;
use csv::StringRecord;

const PROMPTS: [&str; 6] = [
    "context_tokens",
    "contexttokens",
    "request tokens",
    "input_length",
    "input_tokens",
    "prompt_tokens",
];
const OUTPUTS: [&str; 6] = [
    "generated_tokens",
    "generatedtokens",
    "response tokens",
    "output_length",
    "output_tokens",
    "completion_tokens",
];

/// Both columns, where the head has both; `any` finds one of several names in it.
pub(super) fn columns(any: impl Fn(&[&str]) -> Option<usize>) -> Option<[usize; 2]> {
    Some([any(&PROMPTS)?, any(&OUTPUTS)?])
}

/// The tokens of a row, 1 at least; nothing where a cell has no number: who does not ask for tokens is not told
/// of it.
pub(super) fn of(
    record: &StringRecord,
    columns: Option<[usize; 2]>,
    dialect: Dialect,
) -> Option<(u32, u32)> {
    let [prompt, output] = columns?.map(|column| {
        let count = dialect.number(record.get(column)?).ok()?;
        (0.0..=f64::from(u32::MAX)).contains(&count).then(|| (count as u32).max(1))
    });
    Some((prompt?, output?))
}
