//! `Answers`: which keys a reading asked for, where each stands, and what its value was taken for.
//!
//! It is only kept when somebody listens (`check --explain`, the test of the schema), and it judges
//! nothing.

use std::cell::RefCell;
use std::ops::Range;

/// What a value was taken for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
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

/// Something that a reading did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// It asked for the key of this path, which stands there; or nowhere.
    Asked(String, Option<Range<usize>>),
    /// It took the value of this path for something.
    Took(String, Form),
}

/// What a reading did, in order; nothing while nobody listens.
#[derive(Default, Debug)]
pub(super) struct Answers {
    log: RefCell<Option<Vec<Answer>>>,
}

impl Answers {
    #[cfg(test)]
    /// Starts to keep what is told from now on.
    pub(super) fn listen(&self) {
        self.log.borrow_mut().get_or_insert_default();
    }

    /// A key is asked for.
    pub(super) fn asked(&self, path: impl FnOnce() -> String, place: Option<Range<usize>>) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Asked(path(), place));
        }
    }

    /// A value is taken for something.
    pub(super) fn took(&self, path: &str, form: impl FnOnce() -> Form) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push(Answer::Took(path.to_string(), form()));
        }
    }

    #[cfg(test)]
    /// What was told since the last time this was asked.
    pub(super) fn take(&self) -> Vec<Answer> {
        self.log.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }
}
