//! Origins that were noted while a file was read, by path; and facts, which have their own source.
//!
//! The list of values is in `explain`.

use crate::config::catalogue::Catalogue;
use crate::config::keys::Key;
use crate::config::scenario::queues::OF_QUEUES;
use crate::config::scenario::settings::{unused_keys, words};
use crate::config::text::answers::Answer;
use crate::config::text::{SourceFile, Spot, ValueOrigin, set_arguments};
use crate::spec::{LoadSpec, NamedFact, ServerSpec};
use serde::Serialize;
use serde_json::Value as Json;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

/// The values of one thing: the scenario, the host, a VM.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Section {
    /// Its title, such as `vm front`.
    pub title: String,
    /// Its values.
    pub values: Vec<Explained>,
}

/// A value and its origin.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explained {
    /// The key, as files write it within the section.
    pub key: String,
    /// The value in use, with its unit.
    pub value: String,
    /// Where it comes from.
    pub origin: ValueOrigin,
}

/// What was noted, or the part of it about one VM.
pub(super) struct Notes<'n> {
    pub(super) file: &'n Arc<SourceFile>,
    pub(super) answers: &'n [Answer],
}

impl Notes<'_> {
    /// The origin of the value at this path: the file or an argument, else the default that
    /// applies.
    pub(super) fn said(&self, path: &str) -> ValueOrigin {
        if let Some(span) = self.place(path) {
            return self.stands_at(span);
        }
        let above = path.rsplit_once('.').map(|(above, _)| format!("{above}.*"));
        let silent = |wanted: &str| {
            self.answers.iter().rev().find_map(|answer| match answer {
                Answer::Fallback(path, said) if path == wanted => Some(said.clone()),
                _ => None,
            })
        };
        let found = silent(path).or_else(|| silent(&above?));
        found.unwrap_or_else(|| ValueOrigin::default("built in"))
    }

    /// Whether the file or an argument has the key.
    pub(super) fn stands(&self, path: &str) -> bool {
        self.place(path).is_some()
    }

    /// The settings of a server and a load in use, by their keys below a VM.
    pub(super) fn settings(
        &self,
        above: &str,
        server: &ServerSpec,
        load: &LoadSpec,
    ) -> Vec<(String, String)> {
        let asked = |path: String| {
            let is_it =
                |answer: &Answer| matches!(answer, Answer::Asked(asked, _) if *asked == path);
            self.answers.iter().any(is_it)
        };
        let unused = unused_keys(load.scenario);
        let used = words(server, load).into_iter().filter(|(key, _)| !unused.contains(key));
        // What only Triton's queues have is told of those that have it, and where a file says it.
        let stands = |key: &str| {
            let path = format!("{above}server.{key}");
            self.stands(&path) || self.stands(&format!("baseline.{path}"))
        };
        let used =
            used.filter(|(key, value)| value != "none" || !OF_QUEUES.contains(key) || stands(key));
        let named = used.map(|(key, value)| match asked(format!("{above}load.{key}")) {
            true => (format!("load.{key}"), value),
            false => (format!("server.{key}"), value),
        });
        named.collect()
    }

    fn place(&self, wanted: &str) -> Option<Range<usize>> {
        self.answers.iter().rev().find_map(|answer| match answer {
            Answer::Asked(path, Some(span)) if path == wanted => Some(span.clone()),
            _ => None,
        })
    }

    fn stands_at(&self, span: Range<usize>) -> ValueOrigin {
        let spot = Spot { file: self.file.clone(), span }.at_home();
        let (path, line, column) = spot.line_and_column();
        if path == set_arguments::NAME {
            let argument = spot.file.text.lines().nth(line - 1).unwrap_or_default();
            return ValueOrigin::new("set", format!("{path} {argument}"));
        }
        ValueOrigin::new("file", format!("{path}:{line}:{column}"))
    }
}

impl Section {
    /// Nothing yet.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), values: Vec::new() }
    }

    /// Adds a value with its origin.
    pub(super) fn say(&mut self, key: &str, value: impl Display, origin: ValueOrigin) {
        self.values.push(Explained { key: key.to_string(), value: value.to_string(), origin });
    }

    /// Adds the value of a key below a path.
    pub(super) fn add(&mut self, notes: &Notes<'_>, above: &str, key: &str, value: impl Display) {
        self.say(key, value, notes.said(&format!("{above}{key}")));
    }

    /// Adds every key below a path as written, also where several tables of a list have it.
    pub(super) fn add_each(&mut self, notes: &Notes<'_>, above: &str) {
        for answer in notes.answers {
            let Answer::Asked(path, Some(span)) = answer else { continue };
            let text = notes.file.text.get(span.clone()).unwrap_or_default();
            if path.starts_with(above) && !text.starts_with('{') {
                self.say(path, text.trim_matches('"'), notes.stands_at(span.clone()));
            }
        }
    }

    /// Adds what holds for those keys below a path that the file does not have, as the keys say it; their
    /// names begin with `shown`. Keys without default are left out, and those that are told already.
    pub(super) fn add_defaults(
        &mut self,
        notes: &Notes<'_>,
        (above, shown): (&str, &str),
        keys: Vec<Key>,
    ) {
        for key in keys.into_iter().filter(|key| !notes.stands(&format!("{above}{}", key.name))) {
            let name = format!("{shown}{}", key.name);
            let value = match (&key.default, key.or) {
                (Some(Json::String(word)), _) => word.clone(),
                (Some(number), _) => {
                    number.as_f64().map_or(number.to_string(), |number| number.to_string())
                }
                (None, Some(words)) => words.to_string(),
                (None, None) => continue,
            };
            if !self.values.iter().any(|told| told.key == name) {
                self.say(&name, value, ValueOrigin::default("built in"));
            }
        }
    }

    /// Adds the keys below a path that were not added yet, as written.
    pub(super) fn add_other_keys(&mut self, notes: &Notes<'_>, above: &str) {
        let there = notes.answers.iter().filter_map(|answer| match answer {
            Answer::Asked(path, Some(span)) => Some((path.strip_prefix(above)?, span)),
            _ => None,
        });
        let there: Vec<_> = there.collect();
        for (key, span) in &there {
            let inner = format!("{key}.");
            let is_table = there.iter().any(|(other, _)| other.starts_with(&inner));
            let told =
                |one: &Explained| one.key == *key || key.starts_with(&format!("{}.", one.key));
            if !is_table && !self.values.iter().any(told) {
                let text = notes.file.text.get((*span).clone()).unwrap_or_default();
                self.add(notes, above, key, text.trim_matches('"'));
            }
        }
    }
}

/// The facts of one entry of the catalogue.
pub(super) struct Facts<'c> {
    pub(super) section: Section,
    catalogue: &'c Catalogue,
    kind: &'static str,
    folder: &'static str,
    id: String,
    /// Where they stand in the scenario itself.
    own: Option<(&'c Notes<'c>, &'static str)>,
}

impl<'c> Facts<'c> {
    /// None yet.
    pub(super) fn of(
        catalogue: &'c Catalogue,
        kind: &'static str,
        folder: &'static str,
        id: &str,
    ) -> Self {
        let section = Section::new(format!("{kind} {id}"));
        Self { section, catalogue, kind, folder, id: id.to_string(), own: None }
    }

    /// They stand in the scenario, below this path.
    pub(super) fn stand_in(&mut self, notes: &'c Notes<'c>, above: &'static str) {
        self.own = Some((notes, above));
    }

    /// Where the fact of a key stands: in the scenario, in a file of the user with its line, or built in.
    fn place(&self, key: &str) -> ValueOrigin {
        if let Some((notes, above)) = self.own {
            let path = format!("{above}{key}");
            return match notes.stands(&path) {
                true => notes.said(&path),
                false => ValueOrigin::new(self.kind, &self.id),
            };
        }
        let line = self.catalogue.line(self.folder, &self.id, key);
        let place = line.unwrap_or_else(|| self.catalogue.place(self.folder, &self.id));
        ValueOrigin::new(self.kind, place)
    }

    /// Adds the facts to be shown, their keys below a path; for a file of the user with the line.
    pub(super) fn add(
        &mut self,
        above: &str,
        facts: Vec<NamedFact<'_>>,
        is_shown: impl Fn(&str) -> bool,
    ) {
        for fact in facts.into_iter().filter(|fact| is_shown(fact.key)) {
            let key = format!("{above}{}", fact.key);
            let source = Some(fact.source.to_string());
            let standing = Some(fact.standing.word());
            let said = ValueOrigin { source, standing, ..self.place(&key) };
            self.section.say(&key, fact.value, said);
        }
    }
}
