//! Objects of Kubernetes as trees: values at a path, quantities, and messages about them.

use super::Fault;
use super::yaml::{Map, Value};

/// The messages about the objects of a file.
#[derive(Default, Debug)]
pub(super) struct Messages {
    /// Parts that cannot be read.
    pub(super) faults: Vec<Fault>,
    /// Parts that were ignored.
    pub(super) warnings: Vec<Fault>,
}

/// The value at the end of a path of keys.
pub(super) fn at<'n>(map: &Map<'n>, path: &[&str]) -> Option<Value<'n>> {
    let (first, rest) = path.split_first()?;
    let value = map.peek(first)?;
    if rest.is_empty() { Some(value) } else { at(&inside(&value)?, rest) }
}

pub(super) fn inside<'n>(value: &Value<'n>) -> Option<Map<'n>> {
    value.is_map().then(|| value.map()).flatten()
}

pub(super) fn text_at<'n>(map: &Map<'n>, path: &[&str]) -> Option<&'n str> {
    at(map, path)?.as_text()
}

pub(super) fn items<'n>(map: &Map<'n>, path: &[&str]) -> Vec<Map<'n>> {
    let list = at(map, path).filter(|value| value.is_list()).and_then(|value| value.list());
    list.unwrap_or_default().iter().filter_map(inside).collect()
}

/// A whole number as a Kubernetes quantity, so that `8k` is 8000.
pub(super) fn quantity(value: &Value<'_>) -> Option<u64> {
    if let Some(number) = value.as_whole() {
        return Some(number);
    }
    let text = value.as_text()?.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "" => 1,
        "k" => 1_000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        "T" => 1_000_000_000_000,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

pub(super) fn whole_at(map: &Map<'_>, path: &[&str]) -> Option<u64> {
    quantity(&at(map, path)?)
}
