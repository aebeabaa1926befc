//! A YAML text as a tree of nodes with their places.

use crate::formats::Fault;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::ops::Range;

/// No file is longer: 1 MiB. A configuration of a thousand layouts needs a tenth of it.
const BYTES_MAX: usize = 1 << 20;

/// No value lies deeper.
const DEPTH_MAX: usize = 32;

/// No file has more values, those that aliases repeat included.
const NODES_MAX: usize = 50_000;

/// A value with its place.
#[derive(Clone, Debug)]
pub(in crate::formats) struct Node {
    pub(super) kind: Kind,
    pub(in crate::formats) span: Range<usize>,
}

/// The kind of a value. Numbers keep their text: a name may look like one.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Flag(bool),
    Whole(i128),
    Fraction,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Clone, Debug)]
pub(in crate::formats) struct Key {
    pub(in crate::formats) text: String,
    pub(in crate::formats) span: Range<usize>,
}

/// The documents of a text, in order; a text without any has one that is null.
pub(in crate::formats) fn documents(text: &str) -> Result<Vec<Node>, Vec<Fault>> {
    if text.len() > BYTES_MAX {
        let title = "the file is too long for a configuration";
        return Err(vec![Fault::at(0..0, title).allowed("at most 1 MiB")]);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_documents: 64,
            max_aliases: 1000,
            max_anchors: 1000,
            max_recorded_anchor_events: 4 * NODES_MAX,
            max_recorded_anchor_bytes: 8 * BYTES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 1000,
        },
        // As sigs.k8s.io/yaml has it: the last counts. Maps tell of it.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        strict_booleans: false,
    };
    match serde_saphyr::from_multiple_with_options::<Spanned<Kind>>(text, options) {
        Ok(documents) if documents.is_empty() => Ok(vec![Node { kind: Kind::Null, span: 0..0 }]),
        Ok(documents) => Ok(documents.into_iter().map(node).collect()),
        Err(error) => {
            let at = error.location().map_or(0..0, |at| match at.span().byte_offset() {
                Some(_) => span(&at),
                None => place(text, at.line(), at.column()),
            });
            let at = at.start.min(text.len())..at.end.min(text.len());
            Err(vec![Fault::at(at, message(&error))])
        }
    }
}

/// Where line and column, both from 1, are in a text.
fn place(text: &str, line: u64, column: u64) -> Range<usize> {
    let mut start = 0;
    for _ in 1..line {
        start = text[start..].find('\n').map_or(text.len(), |end| start + end + 1);
    }
    let shown = text[start..].lines().next().unwrap_or("");
    let letter = shown.char_indices().nth(column.saturating_sub(1) as usize);
    let at = start + letter.map_or(shown.len(), |(at, _)| at);
    at..at + letter.map_or(0, |(_, letter)| letter.len_utf8())
}

/// What is wrong with the form of a file: our words for what its author can know, else the
/// parser's, on one line and without the place, which the fault has.
fn message(error: &serde_saphyr::Error) -> String {
    let told = error.without_snippet().to_string();
    let ours = [
        ("alias replay", "the aliases of the file expand into too many values"),
        ("aliases", "the file has too many aliases"),
        ("recursive reference", "an alias is inside the value that it repeats"),
        ("recursion", "the file is nested too deeply"),
        ("nesting", "the file is nested too deeply"),
        ("depth", "the file is nested too deeply"),
        ("budget", "the file has too many values"),
    ];
    if let Some((_, words)) = ours.iter().find(|(part, _)| told.to_lowercase().contains(part)) {
        return words.to_string();
    }
    let told = told.split(" at line ").next().unwrap_or_default();
    // The advice is for programmers of the parser's users.
    let told = told.split(", set ").next().unwrap_or_default();
    let told: String = told.lines().next().unwrap_or_default().chars().take(160).collect();
    format!("not valid YAML: {}", told.trim().trim_end_matches(['.', ':', ',']))
}

impl Node {
    /// The text, if it is one.
    pub(in crate::formats) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn node(value: Spanned<Kind>) -> Node {
    Node { span: span(&value.referenced), kind: value.value }
}

fn span(at: &Location) -> Range<usize> {
    let start = at.span().byte_offset().unwrap_or(0) as usize;
    start..start + at.span().byte_len().unwrap_or(0) as usize
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Kind, E> {
        Ok(Kind::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Whole(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Whole(number.into()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Kind, E> {
        Ok(Kind::Whole(number))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Kind, E> {
        Ok(i128::try_from(number).map_or(Kind::Fraction, Kind::Whole))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Fraction)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Kind>>()? {
            list.push(node(item));
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let key = Key { span: span(&key.referenced), text: key.value };
            map.push((key, node(entries.next_value::<Spanned<Kind>>()?)));
        }
        Ok(Kind::Map(map))
    }
}
