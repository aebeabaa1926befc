//! YAML as a tree of values with their places, and checks of such values for the readers of
//! formats.
//!
//! It knows no format. Aliases and nesting are bounded: a file whose aliases would expand too far
//! is refused.

mod node;

pub(super) use node::{Node, documents};

use super::{FAULTS_MAX, Fault};
use crate::suggest::{nearest, quoted as quoted_for_people};
use node::{Key, Kind};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

/// Collects faults and doubtful parts of a file: a reader continues after a fault.
#[derive(Default)]
pub(super) struct Faults {
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
}

impl Faults {
    pub(super) fn push(&self, fault: Fault) {
        add(&mut self.faults.borrow_mut(), fault);
    }

    /// Adds a doubtful part: ignored by the program that the file is for, or unknown here.
    pub(super) fn warn(&self, fault: Fault) {
        add(&mut self.warnings.borrow_mut(), fault);
    }

    /// The result and its doubtful parts, if there was no fault.
    pub(super) fn finish<T>(&self, found: Option<T>) -> Result<(T, Vec<Fault>), Vec<Fault>> {
        let (mut faults, mut warnings) = (self.faults.take(), self.warnings.take());
        faults.sort_by_key(|fault| fault.span.start);
        warnings.sort_by_key(|fault| fault.span.start);
        match found {
            Some(found) if faults.is_empty() => Ok((found, warnings)),
            _ => Err(faults),
        }
    }
}

fn add(all: &mut Vec<Fault>, fault: Fault) {
    if all.len() < FAULTS_MAX && !all.contains(&fault) {
        all.push(fault);
    }
}

/// A map under inspection, with the path that leads to it. [`Map::finish`] reports keys that were
/// not read.
pub(super) struct Map<'n> {
    entries: Vec<&'n (Key, Node)>,
    span: Range<usize>,
    path: String,
    faults: &'n Faults,
    asked: Vec<&'static str>,
    /// Whether capital and small letters of a key are one.
    any_case: bool,
    /// Keys that a fault is about already.
    told: Vec<&'n str>,
}

/// A value under inspection.
#[derive(Clone)]
pub(super) struct Value<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
    pub(super) faults: &'n Faults,
}

impl<'n> Value<'n> {
    /// The document itself.
    pub(super) fn top(node: &'n Node, faults: &'n Faults) -> Self {
        Value { node, path: String::new(), faults }
    }

    /// Reports a fault of the value.
    pub(super) fn wrong(&self, what: impl AsRef<str>, allowed: &str) {
        let title = match self.path.is_empty() {
            true => format!("the document {}", what.as_ref()),
            false => format!("`{}` {}", self.path, what.as_ref()),
        };
        self.faults.push(Fault::at(self.node.span.clone(), title).allowed(allowed));
    }

    /// Reports a doubt about the value that is no reason to stop.
    pub(super) fn doubt(&self, what: impl AsRef<str>) {
        let title = format!("`{}` {}", self.path, what.as_ref());
        self.faults.warn(Fault::at(self.node.span.clone(), title));
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.kind, Kind::Null)
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    /// A string, if it is one; nothing is reported when it is not.
    pub(super) fn as_text(&self) -> Option<&'n str> {
        self.node.text()
    }

    /// A whole number from 0 on, if it is one; nothing is reported when it is not.
    pub(super) fn as_whole(&self) -> Option<u64> {
        match self.node.kind {
            Kind::Whole(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    /// A string.
    pub(super) fn text(&self) -> Option<&'n str> {
        let text = self.as_text();
        if text.is_none() {
            self.expected("text");
        }
        text
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.node.kind {
            Kind::Flag(flag) => Some(flag),
            _ => {
                self.expected("true or false");
                None
            }
        }
    }

    /// A whole number in a range; `unit` follows the range in the message.
    pub(super) fn count(&self, range: RangeInclusive<u32>, unit: &str) -> Option<u32> {
        let Kind::Whole(number) = self.node.kind else {
            self.expected("a whole number");
            return None;
        };
        let inside = u32::try_from(number).ok().filter(|number| range.contains(number));
        if inside.is_none() {
            let allowed = format!("{} to {}{unit}", range.start(), range.end());
            self.wrong(format!("is {number}"), &allowed);
        }
        inside
    }

    /// A whole number from `least` on.
    pub(super) fn at_least(&self, least: u32, unit: &str) -> Option<u32> {
        let Kind::Whole(number) = self.node.kind else {
            self.expected("a whole number");
            return None;
        };
        let inside = u32::try_from(number).ok().filter(|number| *number >= least);
        if inside.is_none() {
            self.wrong(format!("is {number}"), &format!("{least} or more{unit}"));
        }
        inside
    }

    /// One of a few words.
    pub(super) fn word(&self, what: &str, words: &[&'static str]) -> Option<&'static str> {
        let word = self.text()?;
        let found = words.iter().find(|known| **known == word).copied();
        if found.is_none() {
            let title = format!("unknown {what} {}", quoted_for_people(word));
            let fault = Fault::at(self.node.span.clone(), title).allowed(words.join(", "));
            self.faults.push(fault.did_you_mean(nearest(word, words)));
        }
        found
    }

    /// A map; nothing is reported for a null, which counts as a missing one.
    pub(super) fn map(&self) -> Option<Map<'n>> {
        match &self.node.kind {
            Kind::Map(entries) => Some(Map {
                entries: self.last_of_each(entries),
                span: self.node.span.clone(),
                path: self.path.clone(),
                faults: self.faults,
                asked: Vec::new(),
                any_case: false,
                told: Vec::new(),
            }),
            _ => {
                self.expected("a map");
                None
            }
        }
    }

    /// Of entries with one key the last, which counts; the others are told.
    fn last_of_each(&self, entries: &'n [(Key, Node)]) -> Vec<&'n (Key, Node)> {
        let last: BTreeMap<&str, usize> =
            entries.iter().enumerate().map(|(at, (key, _))| (key.text.as_str(), at)).collect();
        let is_last = |(at, entry): (usize, &'n (Key, Node))| {
            let key = &entry.0;
            if last[key.text.as_str()] == at {
                return Some(entry);
            }
            let title = format!("{} is written twice here", quoted_for_people(&key.text));
            self.faults.warn(Fault::at(key.span.clone(), title).help("the last one counts"));
            None
        };
        entries.iter().enumerate().filter_map(is_last).collect()
    }

    /// The items of a list that has at least one.
    pub(super) fn items(&self) -> Option<Vec<Value<'n>>> {
        let items = self.list()?;
        if items.is_empty() {
            self.wrong("is an empty list", "at least one entry");
            return None;
        }
        Some(items)
    }

    /// The items of a list that may be empty.
    pub(super) fn list(&self) -> Option<Vec<Value<'n>>> {
        let Kind::List(items) = &self.node.kind else {
            self.expected("a list");
            return None;
        };
        let item = |(index, node): (usize, &'n Node)| Value {
            node,
            path: format!("{}[{index}]", self.path),
            faults: self.faults,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    fn expected(&self, what: &str) {
        let found = match self.node.kind {
            Kind::Null => "empty",
            Kind::Flag(_) => "true or false",
            Kind::Whole(_) | Kind::Fraction => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        };
        self.wrong(format!("is {found}"), what);
    }
}

impl<'n> Map<'n> {
    /// Whether a key is there, with any value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known.text == key)
    }

    /// The same map, whose keys are read as Go's encoding/json reads those of a struct: in capital
    /// or small letters.
    pub(super) fn in_any_case(self) -> Self {
        Self { any_case: true, ..self }
    }

    fn is(&self, key: &Key, name: &str) -> bool {
        key.text == name || self.any_case && key.text.eq_ignore_ascii_case(name)
    }

    /// The value of a key that is there and not null.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Value<'n>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let exact = self.entries.iter().find(|(known, _)| known.text == key);
        let loose = || self.entries.iter().find(|(known, _)| self.is(known, key));
        let (_, node) = exact.or_else(loose)?;
        Some(self.value(key, node)).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &'static str, help: &str) -> Option<Value<'n>> {
        let value = self.get(key);
        if value.is_none() {
            let near = self.entries.iter().find(|(known, _)| nearest(&known.text, [key]).is_some());
            match near {
                // Empty, or misspelt: the key itself shows where.
                Some((known, _)) if known.text != key => {
                    let fault = Fault::at(known.span.clone(), self.unknown(known));
                    self.faults.push(fault.help(format!("did you mean \"{key}\"?")));
                    self.told.push(&known.text);
                }
                near => {
                    let span = near.map_or(self.span.clone(), |(known, _)| known.span.clone());
                    let title = format!("missing value of `{}`", self.path_of(key));
                    self.faults.push(Fault::at(span, title).help(help));
                }
            }
        }
        value
    }

    /// Its place in the text.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value of a key, whether or not the format has such a key.
    pub(super) fn peek(&self, key: &str) -> Option<Value<'n>> {
        let (_, node) = self.entries.iter().find(|(known, _)| known.text == key)?;
        Some(self.value(key, node))
    }

    /// Whether a key is there, or one that may be meant for it.
    pub(super) fn has_like(&self, key: &'static str) -> bool {
        // A beginning alone (`mig` for `mig-configs`) may be another's word.
        let is_like = |known: &Key| {
            known.text.len() + 2 >= key.len() && nearest(&known.text, [key]).is_some()
        };
        self.entries.iter().any(|(known, _)| is_like(known))
    }

    /// Every key with its value.
    pub(super) fn all(&self) -> Vec<(&'n Key, Value<'n>)> {
        self.entries.iter().map(|(key, node)| (key, self.value(&key.text, node))).collect()
    }

    /// Reports every key that was not read.
    pub(super) fn finish(self) {
        self.strangers(|fault| self.faults.push(fault));
    }

    /// The same where the program that the file is for ignores such keys: `homes` names the place
    /// where a key would have an effect.
    pub(super) fn finish_passing_over(self, who: &str, homes: &[(&str, &str)]) {
        self.strangers(|fault| {
            let home = homes.iter().find(|(key, _)| fault.title.contains(&format!("\"{key}\"")));
            let title = format!("{}: {who} ignores it", fault.title);
            let fault = Fault { title, ..fault };
            self.faults.warn(match home {
                Some((_, home)) => fault.help(format!("it belongs to `{home}`")),
                None => fault,
            });
        });
    }

    /// Every key that was not asked for, as a fault.
    fn strangers(&self, tell: impl Fn(Fault)) {
        let known = |key: &Key| {
            self.asked.iter().any(|asked| self.is(key, asked))
                || self.told.contains(&key.text.as_str())
        };
        for (key, _) in self.entries.iter().filter(|(key, _)| !known(key)) {
            let fault = Fault::at(key.span.clone(), self.unknown(key));
            let fault = fault.allowed(self.asked.join(", "));
            tell(fault.did_you_mean(nearest(&key.text, &self.asked)));
        }
    }

    fn unknown(&self, key: &Key) -> String {
        match self.path.is_empty() {
            true => format!("unknown key {}", quoted_for_people(&key.text)),
            false => format!("unknown key {} in `{}`", quoted_for_people(&key.text), self.path),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn value(&self, key: &str, node: &'n Node) -> Value<'n> {
        Value { node, path: self.path_of(key), faults: self.faults }
    }
}

/// The place in the file of a place in the text of a block scalar: line by line, without the
/// indentation. The whole scalar when it is not written as a block.
pub(super) fn outer_span(
    outer: &str,
    scalar: Range<usize>,
    inner: &str,
    at: Range<usize>,
) -> Range<usize> {
    in_block(outer, scalar.start, inner, at).unwrap_or(scalar)
}

fn in_block(outer: &str, scalar: usize, inner: &str, at: Range<usize>) -> Option<Range<usize>> {
    let before = inner.get(..at.start.min(inner.len()))?;
    let line = before.matches('\n').count();
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
    // The block begins on the line of its indicator, or on the next.
    let this_line = outer.get(..scalar)?.rfind('\n').map_or(0, |end| end + 1);
    let first = inner.lines().position(|text| !text.trim().is_empty())?;
    let begins = [Some(this_line), line_after(outer, this_line, 1)].into_iter().flatten();
    let begin = begins.into_iter().find(|&begin| {
        let shown = line_after(outer, begin, first).and_then(|start| line_at(outer, start));
        shown.is_some_and(|shown| shown.trim_start() == inner.lines().nth(first).unwrap_or(""))
    })?;
    let (start, text) = (line_after(outer, begin, line)?, inner.lines().nth(line).unwrap_or(""));
    let from = start + line_at(outer, start)?.strip_suffix(text)?.len() + column;
    Some(from..from + at.len().min(text.len().saturating_sub(column)))
}

/// The start of the line so many lines after the one that starts at `start`.
fn line_after(text: &str, start: usize, lines: usize) -> Option<usize> {
    (0..lines).try_fold(start, |start, _| Some(start + text.get(start..)?.find('\n')? + 1))
}

/// The line that starts here, without its end.
fn line_at(text: &str, start: usize) -> Option<&str> {
    Some(text.get(start..)?.lines().next().unwrap_or("").trim_end_matches('\r'))
}

/// A key or text in double quotes, as in YAML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", letter as u32)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
