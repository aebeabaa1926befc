//! `Grid`: a borderless table with a ruled head, numbers aligned right, no spaces at line ends.
//! Where the terminal is too narrow for it, each line becomes a list, one cell below the other,
//! each after its head.
//!
//! It knows nothing about results; callers supply the cells.

use crate::report::number::{broken, wrap};
use crate::report::width::Width;
use crate::shown::shown;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};

/// The alignment of a column's cells, and the space to its left neighbour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Column {
    /// Text, after two spaces.
    Text,
    /// Numbers, after two spaces.
    Number,
    /// Numbers that belong to the column before them, after one space.
    Attached,
}

/// A column with what stands in it: its head, which way it leans, and the cell of a row.
type Shown<R> = (&'static str, Column, fn(&R) -> String);

/// Columns, some of which are shown only under a condition.
pub(crate) struct Columns<R>(Vec<Shown<R>>);

impl<R> Columns<R> {
    /// No columns.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a column.
    pub(crate) fn with(self, head: &'static str, column: Column, cell: fn(&R) -> String) -> Self {
        self.when(true, head, column, cell)
    }

    /// Adds a column if a condition holds.
    pub(crate) fn when(
        mut self,
        wanted: bool,
        head: &'static str,
        column: Column,
        cell: fn(&R) -> String,
    ) -> Self {
        self.0.extend(wanted.then_some((head, column, cell)));
        self
    }

    /// The table of these rows.
    pub(crate) fn of(&self, rows: impl IntoIterator<Item = R>) -> Grid {
        let heads: Vec<_> = self.0.iter().map(|(head, column, _)| (*head, *column)).collect();
        let mut grid = Grid::new(&heads);
        for row in rows {
            grid.line(self.0.iter().map(|(.., cell)| cell(&row)).collect());
        }
        grid
    }
}

/// A table under construction.
pub(crate) struct Grid {
    table: Table,
    columns: Vec<Column>,
    heads: Vec<String>,
    /// The cells again, for the list; an empty line has none.
    lines: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[(&str, Column)]) -> Self {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─')))
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(columns.iter().map(|(head, _)| *head));
        Self {
            table,
            columns: columns.iter().map(|(_, column)| *column).collect(),
            heads: columns.iter().map(|(head, _)| (*head).to_string()).collect(),
            lines: Vec::new(),
        }
    }

    /// Adds a line of cells, one per column, safe to show.
    pub(crate) fn line(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "a line has one cell per column");
        let cells: Vec<String> = cells.iter().map(|cell| shown(cell).into_owned()).collect();
        self.lines.push(cells.clone());
        self.table.add_row(cells);
    }

    /// How many lines of cells it has.
    pub(crate) fn rows(&self) -> usize {
        self.lines.iter().filter(|line| !line.is_empty()).count()
    }

    /// Adds an empty line.
    pub(crate) fn gap(&mut self) {
        self.lines.push(Vec::new());
        self.table.add_row(vec![""; self.columns.len()]);
    }

    /// The heads with their columns, and the cells of each line; an empty line has none.
    pub(in crate::report) fn into_cells(self) -> (Vec<(String, Column)>, Vec<Vec<String>>) {
        (self.heads.into_iter().zip(self.columns).collect(), self.lines)
    }

    /// The table as text, every line ended, and none wider than `width` unless a single word of a
    /// head is.
    pub(crate) fn finish(mut self, width: Width) -> String {
        for (index, column) in self.columns.iter().enumerate() {
            let lean =
                if *column == Column::Text { CellAlignment::Left } else { CellAlignment::Right };
            let left = match (index, column) {
                (0, _) => 0,
                (_, Column::Attached) => 1,
                _ => 2,
            };
            let place = self.table.column_mut(index).expect("the head names every column");
            place.set_padding((left, 0));
            place.set_cell_alignment(lean);
        }
        let lines: Vec<String> =
            self.table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        // Every line ends with a line feed, which takes no room.
        let widest = lines.iter().map(|line| line.chars().count() - 1).max().unwrap_or(0);
        if widest <= width.table { lines.concat() } else { self.list(width.table) }
    }

    /// Each line of the table as its first cell, and below it the others that say something: `head
    /// value`. Cells that belong to the one before them stand behind it.
    fn list(&self, width: usize) -> String {
        /// Longer heads have their value in the next line.
        const HEAD_MAX: usize = 18;
        let named = self.heads.iter().zip(&self.columns).skip(1);
        let heads = named.filter(|(_, column)| **column != Column::Attached);
        let lengths =
            heads.map(|(head, _)| head.chars().count()).filter(|&length| length <= HEAD_MAX);
        let label = lengths.max().unwrap_or(0);
        let mut text = String::new();
        for line in &self.lines {
            let Some(first) = line.first() else {
                text.push('\n');
                continue;
            };
            let first = if first.trim().is_empty() { "-" } else { first.trim() };
            let head = &self.heads[0];
            let first =
                if head.is_empty() { first.to_string() } else { format!("{head}: {first}") };
            text.push_str(&format!("{}\n", broken(&wrap(&first, width, "  "), width, "  ")));
            let mut index = 1;
            while index < line.len() {
                let head = &self.heads[index];
                let mut value = line[index].trim().to_string();
                index += 1;
                while self.columns.get(index) == Some(&Column::Attached) {
                    let (head, more) = (&self.heads[index], line[index].trim());
                    if !more.is_empty() {
                        value.push_str(&format!(" ({head} {more})"));
                    }
                    index += 1;
                }
                if !value.is_empty() {
                    let indent = " ".repeat(label + 4);
                    let said = format!("  {head:<label$}  ");
                    let room = width.saturating_sub(label + 4).max(8);
                    let value = broken(&wrap(&value, room, ""), room, "")
                        .replace('\n', &format!("\n{indent}"));
                    match said.chars().count() > label + 4 {
                        true => text.push_str(&format!("  {head}\n{indent}{value}\n")),
                        false => text.push_str(&format!("{said}{value}\n")),
                    }
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(cells: &[Vec<String>]) -> Grid {
        use Column::{Attached, Number, Text};
        let heads = [("run", Text), ("platform", Text), ("p99 ms", Number), ("±", Attached)];
        let mut grid = Grid::new(&heads);
        cells.iter().for_each(|line| grid.line(line.clone()));
        grid
    }

    #[test]
    fn what_is_too_wide_becomes_a_list() {
        let line = ["bert-99-server / vm-1", "bare-metal (same cards)", "82.0", "1.2"];
        let cells = vec![line.map(str::to_string).to_vec()];
        let wide = grid(&cells).finish(Width::FILE);
        assert!(wide.lines().all(|line| line.chars().count() <= 62), "{wide}");
        let narrow = "run: bert-99-server / vm-1\n  platform  bare-metal (same cards)\n  p99 ms    82.0 (± 1.2)\n";
        assert_eq!(grid(&cells).finish(Width::columns(40)), narrow);
    }

    proptest! {
        /// Whatever stands in the cells: nothing is wider than the terminal, and nothing is lost.
        #[test]
        fn a_grid_fits_its_width_and_says_everything(
            cells in proptest::collection::vec(proptest::collection::vec("[a-z0-9 ./-]{0,50}", 4), 1..4),
            columns in 30_usize..120,
        ) {
            let text = grid(&cells).finish(Width::columns(columns));
            for line in text.lines() {
                prop_assert!(line.chars().count() <= columns, "{} columns: {}", columns, text);
            }
            let without_blanks = |text: &str| -> String {
                text.chars().filter(|letter| !letter.is_whitespace()).collect()
            };
            let all = without_blanks(&text);
            for cell in cells.iter().flatten() {
                prop_assert!(all.contains(&without_blanks(cell)), "{:?} is not in {}", cell, text);
            }
        }
    }
}
