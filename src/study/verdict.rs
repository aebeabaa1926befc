//! The verdict: the answer in one or two sentences, with numbers.
//!
//! What makes it stands with what it is about: runs in `run_verdict`, a capacity search in
//! `capacity_verdict`, others in their files.

use super::figures::digits;
use crate::units::SimDuration;
use serde::Serialize;

/// The answer in short.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Verdict {
    /// Whether every bound is kept; nothing where nothing has one, or where inputs that were not measured
    /// decide it.
    pub holds: Option<bool>,
    /// A few sentences, without line breaks. On runs the first begins with `YES`, `NO` or `NOT SURE` where something
    /// is judged.
    pub sentences: Vec<String>,
}

impl Verdict {
    /// A verdict of these sentences, each without its end.
    pub(super) fn of(holds: Option<bool>, sentences: impl IntoIterator<Item = String>) -> Self {
        Self { holds, sentences: sentences.into_iter().map(end).collect() }
    }
}

fn end(sentence: String) -> String {
    format!("{}.", capital(&sentence))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// A time in milliseconds as sentences have it.
pub(super) fn time(ms: f64) -> String {
    SimDuration::from_secs_f64(digits(ms) / 1000.0).to_string()
}
