//! `--set vm.server.batch_max=8`: arguments of the command line that set keys of a file's tree.
//!
//! They are appended to the file's own text, so that such a value has a place like any other, and
//! its faults are shown in the argument. A later one wins; the valid keys are not known here.

use super::diagnostic::{Diagnostic, Problems, SourceFile, Spot};
use super::keypath::{Change, KeyPath};
use crate::suggest::quoted;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The name of the arguments in messages.
pub(crate) const NAME: &str = "--set";

/// Most arguments.
const SET_MAX: usize = 1000;

/// One argument that could be read.
pub(crate) struct Set<'a> {
    pub(crate) path: KeyPath,
    /// Where the path is written.
    pub(crate) spot: Range<usize>,
    value: Spanned<DeValue<'a>>,
}

impl Set<'_> {
    /// Where the value is written.
    pub(super) fn value_span(&self) -> Range<usize> {
        self.value.span()
    }
}

/// The file with these arguments after its text.
pub(crate) fn join(file: Arc<SourceFile>, arguments: &[String]) -> Arc<SourceFile> {
    if arguments.is_empty() {
        return file;
    }
    // A line feed within an argument would end its line.
    let lines = arguments.iter().map(|argument| argument.replace(['\n', '\r'], " ") + "\n");
    let set = SourceFile::new(NAME, lines.collect::<String>());
    let text = format!("{}\n{}", file.text, set.text);
    Arc::new(SourceFile { path: file.path.clone(), text, set: Some(Arc::new(set)) })
}

/// Sets the keys of the file's arguments; their faults are reported.
pub(crate) fn apply<'a>(file: &'a Arc<SourceFile>, tree: &mut DeTable<'a>, problems: &Problems) {
    for set in read(file, problems) {
        let at = set.value.span();
        let change = Change::Set(set.value.get_ref(), &at);
        if let Err(why) = set.path.apply(tree, change, &set.spot) {
            let spot = Spot { file: file.clone(), span: set.spot };
            problems.push(Diagnostic::at(&spot, why).of_form());
        }
    }
}

/// The file's arguments, in order; their faults are reported.
pub(crate) fn read<'a>(file: &'a Arc<SourceFile>, problems: &Problems) -> Vec<Set<'a>> {
    let mut all = Vec::new();
    if file.set.is_none() {
        return all;
    }
    let mut start = file.own_end() + 1;
    if file.text[start..].lines().count() > SET_MAX {
        let spot = Spot { file: file.clone(), span: start..start };
        problems.push(Diagnostic::at(&spot, "too many arguments").allowed(format!("{SET_MAX}")));
        return all;
    }
    for line in file.text[start..].lines() {
        all.extend(read_one(file, line, start, problems));
        start += line.len() + 1;
    }
    all
}

/// An argument that stands at `start`.
fn read_one<'a>(
    file: &'a Arc<SourceFile>,
    line: &'a str,
    start: usize,
    problems: &Problems,
) -> Option<Set<'a>> {
    let help = "write for example vm.server.batch_max=8, vm[0].vcpus=4 or vm.front.vcpus=4";
    let refuse = |span: Range<usize>, title: String| {
        let spot = Spot { file: file.clone(), span };
        problems.push(Diagnostic::at(&spot, title).help(help).of_form());
        None
    };
    let Some((path, written)) = split(line) else {
        return refuse(start..start + line.len(), format!("{} lacks a =", quoted(line)));
    };
    let spot = start..start + path.len();
    let path = match KeyPath::parse(path) {
        Ok(path) => path,
        Err(why) => return refuse(spot, format!("the key path {} {why}", quoted(path))),
    };
    let lead = written.len() - written.trim_start().len();
    let at = spot.end + 1 + lead;
    Some(Set { path, spot, value: value(written.trim(), at) })
}

/// Path and value at the first `=` that stands in no quotes.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '=') => return Some((&line[..at], &line[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// The value as TOML, or as the text it is: a shell takes the quotes away.
fn value(written: &str, at: usize) -> Spanned<DeValue<'_>> {
    match DeValue::parse(written) {
        Ok(value) => moved(&value, at),
        Err(_) => Spanned::new(at..at + written.len(), DeValue::String(Cow::Borrowed(written))),
    }
}

/// The value with all its places `by` bytes later.
fn moved<'a>(value: &Spanned<DeValue<'a>>, by: usize) -> Spanned<DeValue<'a>> {
    let later = |span: Range<usize>| span.start + by..span.end + by;
    let inside = match value.get_ref() {
        DeValue::Array(array) => {
            let mut all = DeArray::new();
            array.iter().for_each(|item| all.push(moved(item, by)));
            DeValue::Array(all)
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| {
                (Spanned::new(later(key.span()), key.get_ref().clone()), moved(value, by))
            });
            DeValue::Table(entries.collect())
        }
        plain => plain.clone(),
    };
    Spanned::new(later(value.span()), inside)
}
