//! `Answers`: the keys that were read, the place of each, the type its value was read as, and the
//! origin of values that are not in the file.
//!
//! It is recorded only on request (`check --explain`, the test of the schema), and does not judge.

use crate::spec::Fact;
use serde::Serialize;
use std::cell::RefCell;
use std::ops::Range;

/// The type that a value was read as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// Any number.
    Number,
    /// A number with a unit such as this one.
    Quantity(&'static str),
    /// One of these words.
    Word(Vec<String>),
    /// A table.
    Table,
    /// An array.
    Items,
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ValueOrigin {
    /// `flag`, `environment`, `set`, `file`, `conf`, `round`, `preset`, `workload`, `host`, `gpu`,
    /// `hypervisor`, `default`: in order of priority.
    pub by: &'static str,
    /// The place, or the reason: `my-vm.toml:12:9`, `mlperf-bert`.
    pub place: String,
    /// The publication of a number of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How a number of the catalogue came to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<&'static str>,
}

impl ValueOrigin {
    /// An origin with its place.
    pub fn new(by: &'static str, place: impl Into<String>) -> Self {
        Self { by, place: place.into(), source: None, standing: None }
    }

    /// A built-in default, with the reason for it.
    pub(crate) fn default(why: impl Into<String>) -> Self {
        Self::new("default", why)
    }

    /// A fact of a catalogue file.
    pub(crate) fn fact<T>(by: &'static str, place: &str, fact: &Fact<T>) -> Self {
        let (source, standing) = (Some(fact.source.clone()), Some(fact.standing.word()));
        Self { source, standing, ..Self::new(by, place) }
    }
}

/// A step of reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The key at this path was read, with its place; or it is missing.
    Asked(String, Option<Range<usize>>),
    /// The value at this path was read as this type.
    Took(String, Form),
    /// Without the key at this path (or any below `path.*`) the value comes from here.
    Fallback(String, ValueOrigin),
    /// The next VM begins.
    Begins,
    /// The next model of a VM begins.
    BeginsModel,
}

/// The steps of reading, in order; nothing unless they are recorded.
#[derive(Default, Debug)]
pub(crate) struct Answers {
    log: RefCell<Option<Vec<Answer>>>,
}

impl Answers {
    /// Starts recording.
    pub(crate) fn listen(&self) {
        self.log.borrow_mut().get_or_insert_default();
    }

    /// Records that a key was read.
    pub(crate) fn asked(&self, path: impl FnOnce() -> String, place: Option<Range<usize>>) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Asked(path(), place));
        }
    }

    /// Records the type that a value was read as.
    pub(crate) fn took(&self, path: &str, form: impl FnOnce() -> Form) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Took(path.to_string(), form()));
        }
    }

    /// Records the origin of a value that is not in the file.
    pub(crate) fn fallback(
        &self,
        path: impl FnOnce() -> String,
        said: impl FnOnce() -> ValueOrigin,
    ) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Fallback(path(), said()));
        }
    }

    /// The next VM is read from here on.
    pub(crate) fn begins(&self) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Begins);
        }
    }

    /// The next model of a VM is read from here on.
    pub(crate) fn begins_model(&self) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::BeginsModel);
        }
    }

    /// Whether answers are recorded.
    pub(crate) fn are_kept(&self) -> bool {
        self.log.borrow().is_some()
    }

    /// The steps recorded so far.
    pub(crate) fn recorded(&self) -> Vec<Answer> {
        self.log.borrow().clone().unwrap_or_default()
    }
}
