//! Reads a table of a TOML tree key by key, and reports the keys that were not read.
//!
//! serde would stop at the first error; this continues, so that all errors of a file are found at
//! once. It knows no key and no rule of ours; types of values are checked in `value`.

use super::answers::{Form, ValueOrigin};
use super::diagnostic::{Diagnostic, Problems, SourceFile, Spot};
use super::value::Value;
use crate::suggest::{nearest, quoted};
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A table under inspection. [`Reader::finish`] reports the keys that were not read.
pub(crate) struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    problems: &'a Problems,
    table: &'a DeTable<'a>,
    /// Where the table stands: `vm.server`; empty for the file itself.
    name: String,
    span: Range<usize>,
    asked: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of a whole file.
    pub(crate) fn new(
        file: &'a Arc<SourceFile>,
        table: &'a DeTable<'a>,
        problems: &'a Problems,
    ) -> Self {
        Self { file, problems, table, name: String::new(), span: 0..0, asked: Vec::new() }
    }

    /// A reader of the table that a value is.
    pub(crate) fn within(value: &Value<'a>, table: &'a DeTable<'a>) -> Self {
        let (name, span) = (value.name.clone(), value.span.clone());
        Self { file: value.file, problems: value.problems, table, name, span, asked: Vec::new() }
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, key: &str) -> Option<Value<'a>> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_string());
        }
        let value = self.table.get(key);
        self.problems.answers.asked(|| self.path(key), value.map(|value| value.span()));
        Some(self.value(key, value?))
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, key: &str, help: &str) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() {
            let title = format!("missing key `{}`", self.path(key));
            self.problems.push(Diagnostic::at(&self.spot(), title).help(help));
        }
        value
    }

    /// Every key with its value; all of them count as read.
    pub(crate) fn entries(&mut self) -> Vec<(String, Value<'a>)> {
        let entries = self.table.iter();
        let entries = entries
            .map(|(key, value)| (key.get_ref().to_string(), self.value(key.get_ref(), value)));
        let entries: Vec<_> = entries.collect();
        self.asked.extend(entries.iter().map(|(key, _)| key.clone()));
        entries
    }

    /// Records the origin of the value of a key (or of every key of a table: `server.*`) that is
    /// not in the file.
    pub(crate) fn fallback(&self, key: &str, said: impl FnOnce() -> ValueOrigin) {
        self.problems.answers.fallback(|| self.path(key), said);
    }

    /// Records that this value replaces another key.
    pub(crate) fn stands_for(&self, key: &str, value: &Value<'_>) {
        self.problems.answers.asked(|| self.path(key), Some(value.span.clone()));
    }

    /// The table of a key, if it is there.
    pub(crate) fn table(&mut self, key: &str) -> Option<Reader<'a>> {
        self.get(key)?.table()
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The place of a key's value, or of the table when the key is absent.
    pub(crate) fn spot_of(&self, key: &str) -> Spot {
        let span = self.table.get(key).map_or(self.span.clone(), |value| value.span());
        Spot { file: self.file.clone(), span }
    }

    /// The place of a key that is there.
    pub(crate) fn key_span(&self, key: &str) -> Range<usize> {
        self.table.get_key_value(key).map_or(self.span.clone(), |(key, _)| key.span())
    }

    /// The place of the table itself.
    pub(crate) fn spot(&self) -> Spot {
        Spot { file: self.file.clone(), span: self.span.clone() }
    }

    /// Where problems go.
    pub(crate) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Reports a diagnostic.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// Reports every key that was not read.
    pub(crate) fn finish(self) {
        for (key, _) in self.table {
            let known = self.asked.iter().any(|asked| asked == key.get_ref().as_ref());
            if !known {
                let spot = Spot { file: self.file.clone(), span: key.span() };
                let within = if self.name.is_empty() {
                    String::new()
                } else {
                    format!(" in `{}`", self.name)
                };
                let title = format!("unknown key {}{within}", quoted(key.get_ref()));
                let diagnostic = Diagnostic::at(&spot, title).allowed(self.asked.join(", "));
                let diagnostic = diagnostic.of_form();
                self.problems.push(diagnostic.did_you_mean(nearest(key.get_ref(), &self.asked)));
            }
        }
    }

    /// The path of a key: `vm.load`.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) }
    }

    fn value(&self, key: &str, value: &'a toml::Spanned<DeValue<'a>>) -> Value<'a> {
        let (file, problems, span) = (self.file, self.problems, value.span());
        Value { file, problems, value: value.get_ref(), name: self.path(key), span }
    }
}

impl<'a> Value<'a> {
    /// A table.
    pub(crate) fn table(&self) -> Option<Reader<'a>> {
        self.took(|| Form::Table);
        let Some(table) = self.value.as_table() else {
            self.expected("a table");
            return None;
        };
        Some(Reader::within(self, table))
    }
}
