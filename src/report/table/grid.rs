//! `Grid`: a borderless table with a ruled head, numbers to the right, no blanks at line ends.
//!
//! It knows nothing of results; what stands in the cells is its callers' affair.

use crate::shown::shown;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};

/// Which way a column's cells lean, and how far it stands off its left neighbour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Words, two blanks off.
    Text,
    /// Numbers, two blanks off.
    Number,
    /// Numbers that belong to the column before them, one blank off.
    Attached,
}

/// A table under construction.
pub(crate) struct Grid {
    table: Table,
    columns: Vec<Column>,
}

impl Grid {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[(&str, Column)]) -> Self {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─')))
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(columns.iter().map(|(head, _)| *head));
        Self { table, columns: columns.iter().map(|(_, column)| *column).collect() }
    }

    /// Adds a line of cells, one per column, as they may be shown.
    pub(crate) fn line(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "a line has one cell per column");
        self.table.add_row(cells.iter().map(|cell| shown(cell)));
    }

    /// Adds an empty line.
    pub(crate) fn gap(&mut self) {
        self.table.add_row(vec![""; self.columns.len()]);
    }

    /// The table as text, every line ended.
    pub(crate) fn finish(mut self) -> String {
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
        self.table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}
