//! Rows of cells under the names of their columns.
//!
//! It does not choose columns; nested lists are in JSON only.

use super::written;
use crate::shown::shown;
use crate::study::RunResult;

/// The content of a cell.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell {
    Text(String),
    Number(f64),
    Whole(u64),
    Flag(bool),
    Nothing,
}

impl Cell {
    /// As text for a spreadsheet; a figure that is not a number leaves the cell empty.
    pub(super) fn written(&self) -> String {
        match self {
            Cell::Text(text) => harmless(text),
            Cell::Number(number) if number.is_finite() => written::figure(*number),
            Cell::Whole(number) => number.to_string(),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Number(_) | Cell::Nothing => String::new(),
        }
    }
}

/// Makes cells of values.
macro_rules! cells {
    ($($kind:ty: |$value:ident| $cell:expr;)*) => {
        $(impl From<$kind> for Cell {
            fn from($value: $kind) -> Self {
                $cell
            }
        })*
    };
}

cells! {
    &str: |text| Cell::Text(text.to_string());
    &String: |text| Cell::Text(text.clone());
    String: |text| Cell::Text(text);
    f64: |number| Cell::Number(number);
    u32: |number| Cell::Whole(number.into());
    u64: |number| Cell::Whole(number);
    usize: |number| Cell::Whole(number as u64);
    bool: |flag| Cell::Flag(flag);
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Nothing, Into::into)
    }
}

/// A column: its name, and a row's cell in it.
pub(super) type Column<R> = (&'static str, fn(&R) -> Cell);

/// Rows of cells under the names of their columns.
pub(super) struct Sheet {
    pub(super) name: &'static str,
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The sheet of these columns.
    pub(super) fn of<R>(
        name: &'static str,
        rows: impl IntoIterator<Item = R>,
        columns: &[Column<R>],
    ) -> Self {
        let cells = |row: R| columns.iter().map(|(_, cell)| cell(&row)).collect();
        let heads = columns.iter().map(|(head, _)| (*head).to_string()).collect();
        Self { name, heads, rows: rows.into_iter().map(cells).collect() }
    }

    /// The sheet of rows that state their own columns, which must be the same in all rows.
    pub(super) fn of_rows(name: &'static str, rows: impl IntoIterator<Item = Row>) -> Self {
        let (mut heads, mut cells) = (Vec::new(), Vec::new());
        for row in rows {
            let (names, row): (Vec<String>, Vec<Cell>) = row.0.into_iter().unzip();
            heads = names;
            cells.push(row);
        }
        Self { name, heads, rows: cells }
    }
}

/// Cells with the names of their columns.
#[derive(Default)]
pub(super) struct Row(pub(super) Vec<(String, Cell)>);

impl Row {
    /// The cells that say which run a row is of.
    pub(super) fn of_run(run: &RunResult) -> Self {
        let mut row = Self::default();
        row.add("run", &run.name);
        row.add("side", run.side.word());
        row.add("platform", &run.platform);
        row.add("baseline_kind", run.baseline_kind);
        row
    }

    /// Adds a column.
    pub(super) fn add(&mut self, column: impl Into<String>, cell: impl Into<Cell>) {
        self.0.push((column.into(), cell.into()));
    }
}

/// A text that no spreadsheet takes for a formula and no terminal for a command.
fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = shown(text);
    if formula { format!("'{text}") } else { text.into_owned() }
}
