//! Tables of a page: a caption, a head for each column, a name for each row.
//!
//! The cells are those of a [`Grid`], the same that a terminal shows.

use super::markup::Html;
use crate::report::number::clip;
use crate::report::table::{Column, Grid};

/// Rows that are shown at once; of a larger table some, and the rest when asked for.
pub(super) const ROWS_SHOWN: usize = 60;

/// So many of the worst stand before a large table.
const WORST_SHOWN: usize = 20;

/// A table before it is written.
pub(super) struct Table {
    caption: String,
    heads: Vec<(String, Column)>,
    rows: Vec<Vec<String>>,
    /// What makes a row worse than another, and how bad each is.
    badness: Option<(&'static str, Vec<f64>)>,
    /// The file that has all rows.
    file: &'static str,
}

/// How much of a table is written.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) letters: usize,
}

impl Table {
    /// The table of a grid; `file` has what finds no room here.
    pub(super) fn of(caption: impl Into<String>, grid: Grid, file: &'static str) -> Self {
        let (columns, lines) = grid.into_cells();
        let mut heads: Vec<(String, Column)> = Vec::new();
        let mut main = String::new();
        for (head, column) in columns {
            // One that belongs to the column before it is named after both: `load p90` beside `load median`.
            let whole = match (column, main.rsplit_once(' ')) {
                (Column::Attached, Some((of, _))) if head != "±" => format!("{of} {head}"),
                (Column::Attached, _) => format!("{main}, {head}"),
                _ => head.clone(),
            };
            if column != Column::Attached {
                main = head;
            }
            heads.push((whole, column));
        }
        let rows = lines.into_iter().filter(|line| !line.is_empty()).collect();
        Self { caption: caption.into(), heads, rows, badness: None, file }
    }

    /// The same, of which the worst rows stand first where there are many.
    pub(super) fn worst_by(mut self, what: &'static str, badness: Vec<f64>) -> Self {
        debug_assert_eq!(badness.len(), self.rows.len());
        self.badness = Some((what, badness));
        self
    }

    /// Whether not all of it is shown at once.
    pub(super) fn is_large(&self) -> bool {
        self.rows.len() > ROWS_SHOWN
    }

    /// Writes it. Returns how many rows found no room.
    pub(super) fn write(&self, html: &mut Html, bounds: Bounds) -> usize {
        if self.rows.is_empty() {
            return 0;
        }
        let all: Vec<usize> = (0..self.rows.len()).collect();
        if !self.is_large() {
            self.part(html, &self.caption, &all, bounds);
            return 0;
        }
        let count = self.rows.len();
        let rest = match &self.badness {
            Some((what, badness)) => {
                let mut order = all.clone();
                order.sort_by(|a, b| badness[*b].total_cmp(&badness[*a]));
                order.truncate(WORST_SHOWN);
                let caption =
                    format!("{}: the {} worst of {count}, by {what}", self.caption, order.len());
                self.part(html, &caption, &order, bounds);
                &all[..]
            }
            None => {
                let caption = format!("{}: the first {ROWS_SHOWN} of {count}", self.caption);
                self.part(html, &caption, &all[..ROWS_SHOWN], bounds);
                &all[ROWS_SHOWN..]
            }
        };
        let shown = &rest[..rest.len().min(bounds.rows)];
        let left_out = rest.len() - shown.len();
        let what = match (left_out, rest.len() == count) {
            (0, true) => format!("All {count} rows"),
            (0, false) => format!("The other {} rows", rest.len()),
            _ => format!("{} more rows; {left_out} others are in {}", shown.len(), self.file),
        };
        html.element("details", &[], |html| {
            html.said("summary", &what);
            self.part(html, &format!("{}: {}", self.caption, lower(&what)), shown, bounds);
        });
        left_out
    }

    fn part(&self, html: &mut Html, caption: &str, rows: &[usize], bounds: Bounds) {
        let classes: Vec<&str> = (0..self.heads.len()).map(|at| self.class(at)).collect();
        // What is wider than the window is scrolled, by keys too.
        let scrolled = [("class", "wide"), ("tabindex", "0"), ("role", "region")];
        let scrolled = [&scrolled[..], &[("aria-label", caption)]].concat();
        html.element("div", &scrolled, |html| {
            html.element("table", &[], |html| {
                // Of a table that is scrolled sideways the caption stays.
                html.element("caption", &[], |html| html.said("span", caption));
                html.element("thead", &[], |html| {
                    html.element("tr", &[], |html| {
                        for ((head, _), class) in self.heads.iter().zip(&classes) {
                            let head = if head.is_empty() { "answer" } else { head };
                            cell(html, "th", Some("col"), class, head);
                        }
                    });
                });
                html.element("tbody", &[], |html| {
                    rows.iter().for_each(|&row| self.row(html, row, &classes, bounds));
                });
            });
        });
    }

    fn row(&self, html: &mut Html, row: usize, classes: &[&str], bounds: Bounds) {
        html.element("tr", &[], |html| {
            for (index, (text, class)) in self.rows[row].iter().zip(classes).enumerate() {
                let text = clip(text.trim(), bounds.letters);
                match index {
                    0 => cell(html, "th", Some("row"), class, &text),
                    _ => cell(html, "td", None, judged(&text).unwrap_or(class), &text),
                }
            }
        });
    }

    /// How the cells of a column are set.
    fn class(&self, column: usize) -> &'static str {
        const LONG: usize = 44;
        let is_long = || self.rows.iter().any(|row| row[column].chars().count() > LONG);
        match self.heads[column].1 {
            Column::Number | Column::Attached => "number",
            Column::Text if is_long() => "long",
            Column::Text => "",
        }
    }
}

fn cell(html: &mut Html, tag: &'static str, scope: Option<&str>, class: &str, text: &str) {
    let scope = scope.map(|scope| ("scope", scope));
    let class = Some(("class", class)).filter(|(_, class)| !class.is_empty());
    let attributes: Vec<_> = scope.into_iter().chain(class).collect();
    html.element(tag, &attributes, |html| html.linked(text));
}

/// The class of a cell that says yes or no.
fn judged(text: &str) -> Option<&'static str> {
    match text {
        "VALID" | "yes" => Some("good"),
        "INVALID" | "no" | "ERROR" => Some("bad"),
        text if text.ends_with(" INVALID") => Some("bad"),
        _ => None,
    }
}

/// The text with a small first letter.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::Columns;

    fn written(rows: usize, is_judged: bool) -> (String, usize) {
        let grid = Columns::new()
            .with("row", Column::Text, |row: &usize| format!("row-{row}"))
            .with("p99 ms", Column::Number, usize::to_string)
            .with("±", Column::Attached, |_| "1".to_string())
            .of(0..rows);
        let mut table = Table::of("Rows", grid, "rows.csv");
        if is_judged {
            table = table.worst_by("p99", (0..rows).map(|row| row as f64).collect());
        }
        let mut html = Html::default();
        let left_out = table.write(&mut html, Bounds { rows: 100, letters: 50 });
        (html.into_text(), left_out)
    }

    #[test]
    fn a_small_table_is_whole() {
        let (html, left_out) = written(ROWS_SHOWN, true);
        assert_eq!((html.matches("<tr>").count(), left_out), (ROWS_SHOWN + 1, 0));
        assert!(html.contains("<caption><span>Rows</span></caption>"), "{html}");
        assert!(html.contains("<th scope=\"col\" class=\"number\">p99 ms, ±</th>"), "{html}");
        assert!(!html.contains("<details"), "{html}");
        assert_eq!(written(0, true).0, "");
    }

    #[test]
    fn of_a_large_table_the_worst_stand_first_and_the_rest_is_bounded() {
        let (html, left_out) = written(250, true);
        let (first, rest) = html.split_once("<details>").unwrap();
        assert_eq!(first.matches("scope=\"row\"").count(), WORST_SHOWN);
        let place = |row: &str| first.find(&format!(">{row}<")).unwrap();
        assert!(place("row-249") < place("row-248") && place("row-248") < place("row-230"));
        assert_eq!((rest.matches("scope=\"row\"").count(), left_out), (100, 150));
        assert!(rest.contains("100 more rows; 150 others are in rows.csv"), "{rest}");
        let (html, left_out) = written(130, false);
        let (first, rest) = html.split_once("<details>").unwrap();
        assert_eq!(first.matches("scope=\"row\"").count(), ROWS_SHOWN);
        assert_eq!((rest.matches("scope=\"row\"").count(), left_out), (70, 0));
        assert!(rest.contains("The other 70 rows"), "{rest}");
    }
}
