//! The frame that all pages have: head, verdict, contents, sections, numbers and their sources, how to make
//! it again, and the document of the answer as data.
//!
//! A page is never larger than [`BYTES_MAX`]: if it were, it is made again with less of what is long.

use super::figure::{self, Drawn};
use super::markup::Html;
use super::table::{Bounds, Table};
use super::{Made, PAGE};
use crate::report::charts::figure::Figure;
use crate::report::charts::timeline_figure;
use crate::report::number::clip;
use crate::report::parts::File;
use crate::report::table::{Column, Columns};
use crate::spec::Standing;
use crate::study::{FactUse, Head, Verdict};
use crate::units::counted;

/// The most bytes of a page: it goes by mail.
pub(super) const BYTES_MAX: usize = 2_000_000;

/// How much of what can be long is in a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    /// Rows of a table, behind those that are shown at once.
    rows: usize,
    /// Letters of a cell, of a title, of a sentence.
    letters: usize,
    /// Sentences of a list.
    items: usize,
    /// Bytes of all charts.
    charts: usize,
    /// Bytes of each file of the user.
    text: usize,
    /// Bytes of the data.
    data: usize,
}

/// From all that is sensible to what always finds room.
const DETAILS: [Detail; 6] = [
    Detail {
        rows: 2000,
        letters: 2000,
        items: 1000,
        charts: 700_000,
        text: 100_000,
        data: 1_300_000,
    },
    Detail { rows: 1000, letters: 1000, items: 300, charts: 500_000, text: 20_000, data: 400_000 },
    Detail { rows: 500, letters: 500, items: 200, charts: 500_000, text: 10_000, data: 200_000 },
    Detail { rows: 250, letters: 300, items: 100, charts: 400_000, text: 4_000, data: 100_000 },
    Detail { rows: 100, letters: 200, items: 60, charts: 300_000, text: 2_000, data: 0 },
    Detail { rows: 0, letters: 60, items: 20, charts: 100_000, text: 1_000, data: 0 },
];

/// What an answer has for its page.
pub(super) trait Content {
    /// The command that gave it.
    const COMMAND: &'static str;
    /// The file of the folder with the whole document.
    const DOCUMENT: &'static str;

    /// Its title.
    fn title(&self) -> String;

    /// What was simulated, in a few words.
    fn about(&self) -> String;

    /// The answer in short.
    fn verdict(&self) -> Verdict;

    /// Sections, in order.
    fn sections(&self, page: &mut Page) -> anyhow::Result<()>;

    /// Sentences to be read with the figures.
    fn notes(&self) -> Vec<String>;

    /// Numbers that were not measured.
    fn leans_on(&self) -> &[FactUse] {
        &[]
    }

    /// What makes it again: names with values.
    fn origin(&self) -> Vec<(&'static str, String)>;

    /// The document as JSON, in one line.
    fn data(&self) -> anyhow::Result<String>;
}

/// The page of an answer.
pub(super) fn of<C: Content>(content: &C, made: &Made) -> anyhow::Result<File> {
    let data = content.data()?;
    let mut text = String::new();
    for detail in DETAILS {
        text = page(content, made, &data, detail)?;
        if text.len() <= BYTES_MAX {
            break;
        }
    }
    Ok(File::new(PAGE, text))
}

fn page<C: Content>(
    content: &C,
    made: &Made,
    data: &str,
    detail: Detail,
) -> anyhow::Result<String> {
    let mut page = Page { detail, ..Page::default() };
    content.sections(&mut page)?;
    if let Some(window) = &made.window {
        let seen = window.seen.iter().map(timeline_figure);
        let seen: Vec<_> = seen.map(|figure| ("timeline".to_string(), figure)).collect();
        let drawn = page.draw(&seen)?;
        page.section("timeline", "Some turns or batches", |page| {
            page.said(&window.said);
            page.command(&window.command);
            page.figures_of(&drawn, "That command draws it.");
        });
    }
    page.section("notes", "Notes", |page| page.list(&content.notes()));
    page.section("numbers", "Numbers that are assumed or fitted", |page| {
        numbers(page, content.leans_on(), C::DOCUMENT);
    });
    let fits = data.len() <= detail.data;
    page.section("again", "How to make it again", |page| {
        again(page, &content.origin(), made);
        let kept = match fits {
            true => format!(
                "The whole document ({}) is also in this file, in the element with the id \
                 \"data\": a program can read it from there.",
                C::DOCUMENT
            ),
            false => format!(
                "The whole document is in {}, beside this file in its folder; at {} kB it is too \
                 long to be repeated here.",
                C::DOCUMENT,
                data.len() / 1000
            ),
        };
        page.said(&kept);
    });
    let title = clip(&content.title(), detail.letters);
    let mut html = Html::default();
    html.ours("<!DOCTYPE html>\n");
    html.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |html| head(html, &title));
        html.element("body", &[], |html| {
            html.element("header", &[], |html| {
                html.element("p", &[("class", "quiet")], |html| {
                    html.text(&format!("slicewise {}", C::COMMAND));
                });
                html.said("h1", &title);
                html.element("p", &[("class", "quiet")], |html| {
                    html.text(&clip(&content.about(), detail.letters));
                });
            });
            html.element("main", &[], |html| {
                answer(html, &content.verdict(), detail);
                contents(html, &page.contents);
                html.add(page.body);
            });
            html.element("footer", &[], |html| footer(html, &page.left_out));
            if fits {
                let kind = [("type", "application/json"), ("id", "data")];
                html.element("script", &kind, |html| html.json(data));
            }
        });
    });
    html.ours("\n");
    Ok(html.into_text())
}

fn head(html: &mut Html, title: &str) {
    // Nothing is asked for from anywhere, and nothing runs: said to the browser too.
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
        script-src 'none'; base-uri 'none'; form-action 'none'";
    html.empty("meta", &[("charset", "utf-8")]);
    html.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    let width = "width=device-width, initial-scale=1";
    html.empty("meta", &[("name", "viewport"), ("content", width)]);
    html.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    html.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    let by = format!("slicewise {}", env!("CARGO_PKG_VERSION"));
    html.empty("meta", &[("name", "generator"), ("content", &by)]);
    html.said("title", title);
    // Without it browsers ask a server for one.
    html.empty("link", &[("rel", "icon"), ("href", "data:,")]);
    html.element("style", &[], |html| html.ours(include_str!("style.css")));
}

fn answer(html: &mut Html, verdict: &Verdict, detail: Detail) {
    let class = match verdict.holds {
        Some(true) => "verdict good",
        Some(false) => "verdict bad",
        None => "verdict",
    };
    if verdict.sentences.is_empty() {
        return;
    }
    html.element("section", &[("class", class), ("aria-label", "Answer")], |html| {
        for sentence in verdict.sentences.iter().take(detail.items) {
            let sentence = clip(sentence, detail.letters);
            let word = ["YES", "NO", "NOT SURE"].into_iter().find(|word| {
                sentence.strip_prefix(word).is_some_and(|rest| rest.starts_with([':', ',', '.']))
            });
            html.element("p", &[], |html| {
                let rest = &sentence[word.map_or(0, str::len)..];
                if let Some(word) = word {
                    html.said("strong", word);
                }
                html.text(rest);
            });
        }
    });
}

fn contents(html: &mut Html, sections: &[(&'static str, String)]) {
    html.element("nav", &[("aria-label", "Contents")], |html| {
        html.element("ul", &[], |html| {
            for (id, title) in sections {
                html.element("li", &[], |html| {
                    html.element("a", &[("href", &format!("#{id}"))], |html| html.text(title));
                });
            }
        });
    });
}

fn footer(html: &mut Html, left_out: &[String]) {
    for said in left_out {
        html.said("p", said);
    }
    html.said("p", "This page asks for nothing from outside and runs no script.");
}

/// The numbers in use that were not measured, those that were assumed before those that were fitted.
fn numbers(page: &mut Page, facts: &[FactUse], file: &'static str) {
    if facts.is_empty() {
        return;
    }
    let mut sorted: Vec<&FactUse> = facts.iter().collect();
    let place = |standing| match standing {
        Standing::Yours => 0,
        Standing::Assumed => 1,
        _ => 2,
    };
    sorted.sort_by_key(|fact| place(fact.standing));
    let count = |wanted| facts.iter().filter(|fact| fact.standing == wanted).count();
    let yours = match count(Standing::Yours) {
        0 => String::new(),
        yours => format!(", and {yours} of the user's own"),
    };
    page.said(&format!(
        "The figures use {} and {} fitted to published runs{yours}. All other numbers are \
         documented by vendors or measured.",
        counted(count(Standing::Assumed), "assumed number"),
        count(Standing::Fitted)
    ));
    let grid = Columns::new()
        .with("number", Column::Text, |fact: &&FactUse| fact.fact.clone())
        .with("value", Column::Text, |fact| fact.value.clone())
        .with("is", Column::Text, |fact| standing(fact.standing).to_string())
        .with("source", Column::Text, |fact| fact.source.clone())
        .of(sorted);
    page.table(Table::of("Numbers that were not measured, with their sources", grid, file));
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Documented => "documented",
        Standing::Measured => "measured",
        Standing::Fitted => "fitted",
        Standing::Assumed => "assumed",
        Standing::Yours => "yours",
    }
}

fn again(page: &mut Page, origin: &[(&'static str, String)], made: &Made) {
    let command: Vec<String> =
        Some(made.command.clone()).into_iter().filter(|command| !command.is_empty()).collect();
    page.command(&command);
    let detail = page.detail;
    let html = &mut page.body;
    html.element("dl", &[], |html| {
        for (name, value) in origin {
            html.said("dt", name);
            html.said("dd", &clip(value, detail.letters));
        }
        if !made.built_in.is_empty() {
            html.said("dt", "built-in entries in use");
            html.element("dd", &[], |html| {
                let names: Vec<&str> =
                    made.built_in.iter().take(detail.items).map(String::as_str).collect();
                html.text(&names.join(", "));
                html.text(" (slicewise show NAME prints one, with its sources)");
            });
        }
    });
    for (name, text) in made.files.iter().take(detail.items) {
        let short = shortened(text, detail.text);
        let lines = text.lines().count();
        // A short file is seen at once; all are on paper.
        let is_short = lines <= 40 && short.len() == text.len();
        let mut attributes = vec![("class", "text")];
        attributes.extend(is_short.then_some(("open", "open")));
        html.element("details", &attributes, |html| {
            let name = clip(name, detail.letters);
            html.said("summary", &format!("{name} ({})", counted(lines, "line")));
            let scrolled = [("tabindex", "0"), ("role", "region"), ("aria-label", &*name)];
            html.element("pre", &scrolled, |html| {
                html.said("code", short);
            });
            if short.len() < text.len() {
                let bytes = text.len() - short.len();
                html.said("p", &format!("{} kB more of this file are left out.", bytes / 1000 + 1));
            }
        });
    }
    if made.files.len() > detail.items {
        let more = made.files.len() - detail.items;
        html.said("p", &format!("and {} that are left out.", counted(more, "more file")));
    }
}

/// The start of a text, up to the end of a line where one is near.
fn shortened(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let start = &text[..end];
    &start[..start.rfind('\n').filter(|line| *line * 2 > end).unwrap_or(end)]
}

/// A page in the making.
pub(super) struct Page {
    body: Html,
    contents: Vec<(&'static str, String)>,
    detail: Detail,
    /// What found no room, in sentences.
    left_out: Vec<String>,
    figures: usize,
    /// Bytes of the charts so far.
    drawn: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            body: Html::default(),
            contents: Vec::new(),
            detail: DETAILS[0],
            left_out: Vec::new(),
            figures: 0,
            drawn: 0,
        }
    }
}

impl Page {
    /// A section with a head; none where nothing is added to it.
    pub(super) fn section(
        &mut self,
        id: &'static str,
        title: &str,
        inside: impl FnOnce(&mut Self),
    ) {
        let before = std::mem::take(&mut self.body);
        inside(self);
        let section = std::mem::replace(&mut self.body, before);
        if section.is_empty() {
            return;
        }
        self.contents.push((id, title.to_string()));
        self.body.element("section", &[("aria-labelledby", id)], |html| {
            html.element("h2", &[("id", id)], |html| html.text(title));
            html.add(section);
        });
    }

    /// A paragraph.
    pub(super) fn said(&mut self, text: &str) {
        let text = clip(text, self.detail.letters.max(2000));
        self.body.element("p", &[], |html| html.linked(&text));
    }

    /// A list of sentences; nothing where there are none.
    pub(super) fn list(&mut self, items: &[String]) {
        if items.is_empty() {
            return;
        }
        let detail = self.detail;
        self.body.element("ul", &[], |html| {
            for item in items.iter().take(detail.items) {
                let item = clip(item, detail.letters.max(300));
                html.element("li", &[], |html| html.linked(&item));
            }
            if items.len() > detail.items {
                html.said("li", &format!("and {} more", items.len() - detail.items));
            }
        });
    }

    /// A table.
    pub(super) fn table(&mut self, table: Table) {
        let Detail { rows, letters, .. } = self.detail;
        table.write(&mut self.body, Bounds { rows, letters });
    }

    /// A command, where there is one.
    pub(super) fn command(&mut self, words: &[String]) {
        if words.is_empty() {
            return;
        }
        let text = clip(&words.join(" "), self.detail.letters.max(500));
        self.body.element("pre", &[("class", "command")], |html| html.said("code", &text));
    }

    /// Charts, as far as there is room.
    pub(super) fn figures(&mut self, figures: &[Drawn]) {
        for figure in figures {
            let place = format!("It is in {}.svg.", figure.name);
            self.figures_of(std::slice::from_ref(figure), &place);
        }
    }

    /// The same, with a sentence that says where else they are.
    pub(super) fn figures_of(&mut self, figures: &[Drawn], elsewhere: &str) {
        for figure in figures {
            if self.drawn + figure.bytes() > self.detail.charts {
                let said =
                    format!("A chart found no room on this page: {}. {elsewhere}", figure.said());
                self.body.said("p", &said);
                continue;
            }
            self.drawn += figure.bytes();
            self.figures += 1;
            figure.write(&mut self.body, self.figures);
        }
    }

    /// Draws charts; says so where the program has none.
    pub(super) fn draw(&mut self, figures: &[(String, Figure)]) -> anyhow::Result<Vec<Drawn>> {
        let drawn = figure::draw(figures)?;
        if drawn.is_empty() && !figures.is_empty() {
            let said = "This program was built without charts: the page has tables only.";
            self.left_out.push(said.to_string());
        }
        Ok(drawn)
    }
}

/// The notes of an answer, those on scaled times first.
pub(super) fn notes(scaled: &[String], notes: &[String]) -> Vec<String> {
    let scaled = scaled.iter().map(|said| format!("Scaled: {said}."));
    scaled.chain(notes.iter().cloned()).collect()
}

/// The origin that heads of documents state.
pub(super) fn origin(head: &Head) -> Vec<(&'static str, String)> {
    vec![
        ("scenario", head.scenario.clone()),
        ("seed", head.seed.to_string()),
        ("version", format!("{} {}", head.tool.name, head.tool.version)),
        ("hash of all input", head.scenario_hash.clone()),
    ]
}
