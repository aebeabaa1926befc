//! Reads the rates of an LLM's steps in a GPU's file: `[llm.bf16]` and `[llm.fp8]`.
//!
//! What is assumed where the file does not state them is in `step_rates`.

use super::facts::{Sources, fact_in_range, has_passport, source_of};
use crate::config::text::{Reader, Value};
use crate::spec::{Fact, Standing, WeightFormat};
use std::collections::BTreeMap;

/// The keys of such a table, each with the least and the most that it may be.
const KEYS: [(&str, f64, f64); 18] = [
    ("compute", 1e-3, 1e6),
    ("attention", 1e-3, 1e6),
    ("weights", 1e-3, 1e6),
    ("weights_of_sms", 1e-3, UNLIMITED),
    ("kv_of_sms", 1e-3, UNLIMITED),
    ("kv", 1e-3, 1e6),
    ("kv_start", 0.0, 1e4),
    ("kv_token", 0.0, 1e6),
    ("kv_uneven", 0.0, 100.0),
    ("gap", 0.0, 1e4),
    ("gap_mps", 0.0, 1e4),
    ("draw_of_two", 1.0, 2.0),
    ("draw_of_four", 1.0, 4.0),
    ("gap_mixed", 0.0, 1e4),
    ("power_compute", 0.0, 1e7),
    ("power_bytes", 0.0, 1e7),
    ("power_in_server", 0.0, 1.0),
    ("overlap", 1.0, 100.0),
];

/// GB/s that no GPU draws: no limit.
pub(super) const UNLIMITED: f64 = 1e9;

/// The formats that a table may be of: what is computed in 16 bit goes by bf16.
const FORMATS: [(&str, WeightFormat); 2] =
    [("bf16", WeightFormat::Bf16), ("fp8", WeightFormat::Fp8)];

/// The numbers of a table by their keys.
pub(super) type Stated = BTreeMap<&'static str, Fact<f64>>;

/// What a GPU's file states of them.
#[derive(Clone, Default, Debug)]
pub(crate) struct StatedRates {
    pub(super) of: BTreeMap<WeightFormat, Stated>,
    /// By the model that they were measured with.
    pub(super) of_models: BTreeMap<(WeightFormat, String), (Stated, Kernels)>,
}

/// What was measured of the kernels of a model, as lists: see [`crate::spec::StepRates`].
#[derive(Clone, Default, Debug)]
pub(super) struct Kernels {
    pub(super) kv_blocks: Vec<(u32, u32)>,
    pub(super) slow_prompts: Vec<(u32, f64)>,
}

/// Reads `[llm]`.
pub(super) fn read(file: &mut Reader<'_>, sources: &Sources) -> Option<StatedRates> {
    let mut found = StatedRates::default();
    let Some(given) = file.get("llm") else { return Some(found) };
    let mut table = given.table()?;
    let mut is_whole = true;
    for (word, format) in FORMATS {
        let Some(mut own) = table.table(word) else { continue };
        let models = own.table("model").map_or(Vec::new(), |mut models| models.entries());
        for (name, value) in models {
            let measured = value.table().and_then(|mut own| {
                let kernels = kernels(&mut own);
                Some((stated(&mut own, sources)?, kernels?))
            });
            is_whole &= measured.is_some();
            found.of_models.insert((format, name), measured.unwrap_or_default());
        }
        let stated = stated(&mut own, sources);
        is_whole &= stated.is_some();
        found.of.insert(format, stated.unwrap_or_default());
    }
    table.finish();
    is_whole.then_some(found)
}

/// The lists of a table.
fn kernels(table: &mut Reader<'_>) -> Option<Kernels> {
    let mut pairs = |key: &str| -> Option<Vec<(u32, f64)>> {
        let Some(given) = table.get(key) else { return Some(Vec::new()) };
        let items = given.items(100)?;
        let pair = |item: &Value<'_>| {
            let pair = item.items(2)?;
            let size = pair[0].count(1..=1 << 20, "")?;
            let other =
                pair.get(1)?.number(|number| (0.0..=1e6).contains(&number), "0 to 1000000")?;
            Some((size, other))
        };
        let pairs: Vec<(u32, f64)> = items.iter().filter_map(pair).collect();
        (pairs.len() == items.len()).then_some(pairs)
    };
    let kv_blocks = pairs("kv_blocks");
    let slow_prompts = pairs("slow_prompts");
    let kv_blocks = kv_blocks?.into_iter().map(|(size, tokens)| (size, tokens as u32)).collect();
    Some(Kernels { kv_blocks, slow_prompts: slow_prompts? })
}

/// The numbers of a table: plain ones have the source and the standing of the table.
fn stated(table: &mut Reader<'_>, sources: &Sources) -> Option<Stated> {
    let source = table.get("source").map(|value| source_of(&value, sources));
    let standing = table.get("standing").map(|value| value.choice("standing", &Standing::ALL));
    let of_table = match (source, standing) {
        (None, None) => Some(("yours".to_string(), Standing::Yours)),
        (Some(source), Some(standing)) => source.zip(standing),
        (Some(_), None) => {
            table.need("standing", "state how the numbers came to be known");
            None
        }
        (None, Some(_)) => {
            table.need("source", "state where the numbers come from");
            None
        }
    };
    let mut found = Stated::new();
    let mut is_whole = true;
    for (key, least, most) in KEYS {
        let Some(value) = table.get(key) else { continue };
        let read = |value: &Value<'_>| {
            value.number(|number| (least..=most).contains(&number), &format!("{least} to {most}"))
        };
        let fact = match (has_passport(&value), &of_table) {
            (true, _) => fact_in_range(table, sources, key, read, f64::le),
            (false, Some((source, standing))) => {
                let (source, standing) = (source.clone(), *standing);
                read(&value).map(|value| Fact { standing, ..Fact::assumed(value, source) })
            }
            (false, None) => None,
        };
        is_whole &= fact.is_some();
        found.extend(fact.map(|fact| (key, fact)));
    }
    let _ = table.get("model");
    is_whole.then_some(found).filter(|_| of_table.is_some())
}
