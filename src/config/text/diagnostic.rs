//! A diagnostic: a fault in a file, its place, the allowed values, and what was probably meant.
//!
//! Readers and rules find faults, and [`Problems`] collects them.

use super::answers::Answers;
use crate::formats::Fault;
use crate::shown::{shown, shown_lines};
use crate::study::Obstacle;
use crate::units::counted;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// So many bytes of a line are quoted from the place on.
const QUOTED_MAX: usize = 160;

/// The most diagnostics that are shown; the rest is counted.
pub(crate) const SHOWN_MAX: usize = 50;

/// A file as it was read: its path as the user wrote it, and its text.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct SourceFile {
    /// Path for messages.
    pub(crate) path: String,
    /// The whole text, followed by a line feed and the arguments of `--set`, if there are any.
    pub(crate) text: String,
    /// These arguments alone, one per line, as messages show them.
    pub(crate) set: Option<Arc<SourceFile>>,
}

impl SourceFile {
    /// A file with this text.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), set: None }
    }

    /// The end of the file's own text.
    pub(crate) fn own_end(&self) -> usize {
        self.text.len() - self.set.as_ref().map_or(0, |set| set.text.len() + 1)
    }
}

/// A place in a file: a range of bytes of its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) span: Range<usize>,
}

impl Spot {
    /// The same place; a place in an argument of `--set` as a place in the arguments alone.
    pub(crate) fn at_home(&self) -> Spot {
        let start = self.file.own_end() + 1;
        match &self.file.set {
            Some(set) if self.span.start >= start => {
                Spot { file: set.clone(), span: self.span.start - start..self.span.end - start }
            }
            _ => self.clone(),
        }
    }

    /// Path, line and column, both from 1.
    pub(crate) fn line_and_column(&self) -> (&str, usize, usize) {
        let before = &self.file.text[..floor_char(&self.file.text, self.span.start)];
        let line = before.rsplit('\n').next().unwrap_or(before);
        (&self.file.path, before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

/// One fault in the user's input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    title: String,
    place: Place,
    label: String,
    notes: Vec<(&'static str, String)>,
    form: bool,
    warning: bool,
    obstacle: Option<Obstacle>,
}

/// Where a diagnostic points.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    /// A place in a text that can be shown.
    Spot(Spot),
    /// A file whose text cannot be shown, with line and column where they are known.
    Path(String, Option<(usize, usize)>),
    /// No place: a remark about all the others.
    Nowhere,
}

impl Diagnostic {
    /// A diagnostic at a place of a text.
    pub(crate) fn at(spot: &Spot, title: impl Into<String>) -> Self {
        Self::new(Place::Spot(spot.at_home()), title)
    }

    /// A fault that a reader of a foreign format found in the text of `file`.
    pub(crate) fn of_fault(file: &Arc<SourceFile>, fault: Fault) -> Self {
        let found = Self::at(&Spot { file: file.clone(), span: fault.span }, fault.title);
        let notes = [("allowed", fault.allowed), ("help", fault.help)];
        let notes = notes.into_iter().filter(|(_, text)| !text.is_empty());
        notes.fold(found, |found, (name, text)| found.note(name, text))
    }

    /// A diagnostic about a file or folder as a whole.
    pub(crate) fn about(
        path: &str,
        place: Option<(usize, usize)>,
        title: impl Into<String>,
    ) -> Self {
        Self::new(Place::Path(path.to_string(), place), title)
    }

    fn new(place: Place, title: impl Into<String>) -> Self {
        let (title, label, notes) = (title.into(), String::new(), Vec::new());
        Self { title, place, label, notes, form: false, warning: false, obstacle: None }
    }

    /// Marks a fault that another VM of the group can run into, with the machine's limit.
    pub(crate) fn of_limit(mut self, obstacle: Obstacle) -> Self {
        self.obstacle = Some(obstacle);
        self
    }

    /// The machine's limit that is exceeded, where there is one.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle
    }

    /// Marks a fault of form, like a misspelt key, which no other value of the file would correct.
    pub(crate) fn of_form(mut self) -> Self {
        self.form = true;
        self
    }

    /// Whether it is a fault of form.
    pub(crate) fn is_of_form(&self) -> bool {
        self.form
    }

    /// Its first line, without `error: `.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Sets the text at the caret.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds the allowed values, or a range with its unit.
    pub(crate) fn allowed(self, allowed: impl Into<String>) -> Self {
        self.note("allowed", allowed)
    }

    /// Adds how to correct it.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.note("help", help)
    }

    /// `did you mean`, when something close was found.
    pub(crate) fn did_you_mean(self, near: Option<String>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean \"{near}\"?")),
            None => self,
        }
    }

    /// A line below the snippet, such as the source of a limit.
    pub(crate) fn note(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((name, text.into()));
        self
    }

    /// The message as text, without a line feed at the end.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let (title, path) = (shown_lines(&self.title), shown(self.path()));
        let label = shown(&self.label);
        let quoted = match &self.place {
            Place::Spot(spot) => Some(Quoted::of(spot)),
            _ => None,
        };
        let group = match &self.place {
            Place::Spot(_) => {
                let quoted = quoted.as_ref().expect("a place in a text is quoted");
                self.group(&title).element(quoted.snippet(&path, &label))
            }
            Place::Path(_, place) => {
                let origin = Origin::path(&*path);
                let origin = match place {
                    Some((line, column)) => origin.line(*line).char_column(*column),
                    None => origin,
                };
                self.group(&title).element(origin)
            }
            Place::Nowhere => self.group(&title),
        };
        let notes = self.notes.iter().map(|(name, text)| (*name, shown_lines(text)));
        let notes: Vec<_> = notes.collect();
        let notes = notes.iter().map(|(name, text)| Level::NOTE.with_name(*name).message(&**text));
        renderer.render(&[group.elements(notes)])
    }

    fn group<'a>(&self, title: &'a str) -> Group<'a> {
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        Group::with_title(level.primary_title(title))
    }

    /// The path of the file, empty where there is none.
    fn path(&self) -> &str {
        match &self.place {
            Place::Spot(spot) => &spot.file.path,
            Place::Path(path, _) => path,
            Place::Nowhere => "",
        }
    }
}

/// A line as it may be shown, and where the place is in it.
struct Quoted {
    line: String,
    number: usize,
    marked: Range<usize>,
}

impl Quoted {
    /// The first line of the place, so that a long file costs nothing to quote from.
    fn of(spot: &Spot) -> Self {
        let text = &spot.file.text;
        let start = floor_char(text, spot.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        // A line of a mebibyte is quoted around its place; so many bytes fill any terminal.
        let near = &text[start..floor_char(text, start.saturating_add(QUOTED_MAX))];
        let line_end = start + near.find('\n').unwrap_or(near.len());
        let end = floor_char(text, spot.span.end).clamp(start, line_end);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let clip = |at: usize| (at - line_start).min(line.len());
        // Tabs are the renderer's business: it knows how wide they are.
        let escaped = |part: &str| {
            let parts: Vec<_> = part.split('\t').map(shown).collect();
            parts.join("\t")
        };
        let mut shown_line = escaped(&line[..clip(start)]);
        let from = shown_line.len();
        shown_line.push_str(&escaped(&line[clip(start)..clip(end)]));
        let marked = from..shown_line.len();
        shown_line.push_str(&escaped(&line[clip(end)..]));
        let number = text[..line_start].matches('\n').count() + 1;
        Self { line: shown_line, number, marked }
    }

    fn snippet<'a>(
        &'a self,
        path: &'a str,
        label: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotation = AnnotationKind::Primary.span(self.marked.clone());
        let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
        Snippet::source(&*self.line).path(path).line_start(self.number).annotation(annotation)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The last character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Help for errors that other cards would not have.
#[derive(Clone, Debug)]
pub(crate) struct CardsHelp {
    /// The models in use, where the other cards are of other models; empty where they are only more
    /// cards.
    pub(crate) other_than: Vec<String>,
    /// Where the other cards are.
    pub(crate) help: String,
}

impl CardsHelp {
    /// Whether a place lacks; or, of another model, memory does, or the first line or the words under the
    /// caret name the one in use.
    fn helps(&self, error: &Diagnostic) -> bool {
        if self.other_than.is_empty() {
            return error.obstacle == Some(Obstacle::Placement);
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_model = |word: &str| self.other_than.iter().any(|model| model == word);
        let has = |text: &str| text.split(|c| !is_part(c)).any(is_model);
        matches!(error.obstacle, Some(Obstacle::Placement | Obstacle::FrameBuffer))
            || has(&error.title)
            || has(&error.label)
    }
}

/// Collects diagnostics. Readers of nested tables exist at the same time and all report here, so it
/// is written through a shared reference.
#[derive(Default, Debug)]
pub(crate) struct Problems {
    /// The record of reading, if requested.
    pub(crate) answers: Answers,
    kept: RefCell<Vec<Diagnostic>>,
    beyond: Cell<usize>,
    /// What is doubtful and no reason to stop.
    warnings: RefCell<Vec<Diagnostic>>,
    /// Whether only the ratios of rates matter.
    pub(crate) rates_are_parts: bool,
    of_cards: RefCell<Option<CardsHelp>>,
}

/// So many are kept to be put in order; a file of nothing but errors is not worth more.
const KEPT_MAX: usize = 1000;

impl Problems {
    /// An empty collection, for reading rates as ratios or as rates.
    pub(crate) fn of_rates(rates_are_parts: bool) -> Self {
        Self { rates_are_parts, ..Self::default() }
    }

    /// Adds this help to later errors about cards; none at first, and none with nothing.
    pub(crate) fn help_about_cards(&self, help: Option<CardsHelp>) {
        *self.of_cards.borrow_mut() = help;
    }

    /// Adds a diagnostic unless the same one exists already, since several points of a series may
    /// break one rule at one place.
    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        let diagnostic = match &*self.of_cards.borrow() {
            Some(of_cards) if of_cards.helps(&diagnostic) => diagnostic.help(&*of_cards.help),
            _ => diagnostic,
        };
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_MAX {
            self.beyond.set(self.beyond.get() + 1);
        } else if !kept.contains(&diagnostic) {
            kept.push(diagnostic);
        }
    }

    /// Adds a warning, unless the same one exists already.
    pub(crate) fn warn(&self, diagnostic: Diagnostic) {
        let warning = Diagnostic { warning: true, ..diagnostic };
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < SHOWN_MAX && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// The warnings as text.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().map(|warning| warning.render(false)).collect()
    }

    /// Adds all of another collection.
    pub(crate) fn take_over(&self, other: Problems) {
        self.help_about_cards(None);
        other.kept.into_inner().into_iter().for_each(|diagnostic| self.push(diagnostic));
        self.beyond.set(self.beyond.get() + other.beyond.get());
        other.warnings.into_inner().into_iter().for_each(|warning| self.warn(warning));
    }

    /// Whether further ones would not be shown.
    pub(crate) fn are_enough(&self) -> bool {
        self.kept.borrow().len() > SHOWN_MAX
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        !self.kept.borrow().is_empty()
    }

    /// All of them in the order of the files, the first [`SHOWN_MAX`] with a count of the rest;
    /// nothing when there are none.
    pub(crate) fn into_error(self) -> Option<Vec<Diagnostic>> {
        let mut all = self.kept.into_inner();
        all.sort_by_key(|diagnostic| match &diagnostic.place {
            Place::Spot(spot) => (spot.file.path.clone(), spot.span.start),
            Place::Path(path, _) => (path.clone(), 0),
            Place::Nowhere => (String::new(), 0),
        });
        if all.len() > SHOWN_MAX {
            let hidden = all.len() - SHOWN_MAX + self.beyond.get();
            let are = if hidden == 1 { "is" } else { "are" };
            let title = format!("{} {are} not shown", counted(hidden, "more error"));
            all.truncate(SHOWN_MAX);
            all.push(Diagnostic::new(Place::Nowhere, title));
        }
        (!all.is_empty()).then_some(all)
    }
}
