//! `Answers`: which keys a reading asked for, where each stands, what its value was taken for, and
//! who fills in for those that are not there.
//!
//! It is only kept when somebody listens (`check --explain`, the test of the schema), and it judges
//! nothing.

use crate::spec::Fact;
use serde::Serialize;
use std::cell::RefCell;
use std::ops::Range;

/// What a value was taken for.
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

/// Who says a value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Said {
    /// `flag`, `environment`, `set`, `file`, `conf`, `round`, `preset`, `workload`, `host`, `gpu`,
    /// `hypervisor`, `default`: the stronger before the weaker.
    pub by: &'static str,
    /// Where, or why, in words: `my-vm.toml:12:9`, `mlperf-bert`.
    pub place: String,
    /// Where a number of the catalogue was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How a number of the catalogue came to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<&'static str>,
}

impl Said {
    /// Said by somebody there.
    pub fn new(by: &'static str, place: impl Into<String>) -> Self {
        Self { by, place: place.into(), source: None, standing: None }
    }

    /// What is used when nobody says anything, and why it is this.
    pub(crate) fn default(why: impl Into<String>) -> Self {
        Self::new("default", why)
    }

    /// A fact of a catalogue file.
    pub(crate) fn fact<T>(by: &'static str, place: &str, fact: &Fact<T>) -> Self {
        let (source, standing) = (Some(fact.source.clone()), Some(fact.standing.word()));
        Self { source, standing, ..Self::new(by, place) }
    }
}

/// Something that a reading did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It asked for the key of this path, which stands there; or nowhere.
    Asked(String, Option<Range<usize>>),
    /// It took the value of this path for something.
    Took(String, Form),
    /// Without the key of this path (or any below `path.*`) somebody else says the value.
    Silent(String, Said),
    /// It begins with the next VM.
    Begins,
    /// It begins with the next model of a VM.
    BeginsModel,
}

/// What a reading did, in order; nothing while nobody listens.
#[derive(Default, Debug)]
pub(crate) struct Answers {
    log: RefCell<Option<Vec<Answer>>>,
}

impl Answers {
    /// Starts to keep what is told from now on.
    pub(crate) fn listen(&self) {
        self.log.borrow_mut().get_or_insert_default();
    }

    /// A key is asked for.
    pub(crate) fn asked(&self, path: impl FnOnce() -> String, place: Option<Range<usize>>) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Asked(path(), place));
        }
    }

    /// A value is taken for something.
    pub(crate) fn took(&self, path: &str, form: impl FnOnce() -> Form) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Took(path.to_string(), form()));
        }
    }

    /// Who says a value that the file does not.
    pub(crate) fn silent(&self, path: impl FnOnce() -> String, said: impl FnOnce() -> Said) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Silent(path(), said()));
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

    /// Whether anybody listens.
    pub(crate) fn are_kept(&self) -> bool {
        self.log.borrow().is_some()
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> Vec<Answer> {
        self.log.borrow().clone().unwrap_or_default()
    }
}
