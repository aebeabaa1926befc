//! `[operations] trace = "vms.csv"`: operations from a file, a row each, as if each were an `[[operation]]`.
//!
//! The columns of a file are explained in `formats::operation_trace`.

use super::operations_keys::{OPERATIONS_MAX, OperationKeys};
use super::trace::beside;
use crate::config::text::foreign::{parsed, text_of};
use crate::config::text::{Diagnostic, Problems, Spot, Value};
use crate::engine::fnv1a;
use crate::formats::operation_trace::{self, OperationRow};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Operations of a file.
pub(super) struct OperationTrace {
    pub(super) asked: Vec<(OperationKeys, Spot)>,
    /// Of the file's text.
    pub(super) hash: u64,
}

/// Reads the file of this name beside so many operations of the scenario; nothing, with all that is wrong
/// with it, where it is faulty.
pub(super) fn read(
    (name, spot): (&str, &Spot),
    others: usize,
    problems: &Problems,
) -> Option<OperationTrace> {
    let file = match text_of(&beside(&spot.file.path, name), problems) {
        Ok(file) => file?,
        Err(error) => {
            problems.push(Diagnostic::at(spot, format!("{error:#}")));
            return None;
        }
    };
    let rows = parsed(&file, operation_trace::read, problems)?;
    if let Some(row) = rows.get(OPERATIONS_MAX.saturating_sub(others)) {
        let at = Spot { file: file.clone(), span: row.span.clone() };
        let title = format!("more than {OPERATIONS_MAX} operations, with those of the scenario");
        problems.push(Diagnostic::at(&at, title).help("take a part of the file"));
        return None;
    }
    // What the keys of a scenario are is recorded, and a row has none.
    let own = Problems::default();
    let one = |row: &OperationRow| {
        let value = DeValue::Table(table(row));
        let span = row.span.clone();
        let name = "operation".to_string();
        let value = Value { file: &file, problems: &own, value: &value, name, span };
        let mut table = value.table()?;
        let at = table.spot();
        let keys = OperationKeys::given(&mut table);
        table.finish();
        Some((keys, at))
    };
    let asked = rows.iter().filter_map(one).collect();
    let is_faulty = own.any();
    problems.take_over(own);
    (!is_faulty).then(|| OperationTrace { asked, hash: fnv1a(file.text.as_bytes()) })
}

/// A row as the table that it would be in a scenario.
fn table(row: &OperationRow) -> DeTable<'_> {
    let cells = row.cells.iter().map(|(column, cell)| {
        // Spreadsheets may write a whole number as 1.0.
        let digits = cell.value.trim_end_matches('0').strip_suffix('.').unwrap_or(&cell.value);
        let number = cell.value.parse::<f64>().is_ok() && *column == "to_card";
        let number = number.then(|| DeValue::parse(digits).ok()).flatten();
        let text = || DeValue::String(Cow::Borrowed(&*cell.value));
        let value = number.map_or_else(text, Spanned::into_inner);
        let key = Spanned::new(cell.span.clone(), Cow::Borrowed(*column));
        (key, Spanned::new(cell.span.clone(), value))
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_a_column_for_every_key() {
        let mut keys: Vec<&str> = OperationKeys::keys().iter().map(|key| key.name).collect();
        let mut columns = operation_trace::COLUMNS.to_vec();
        keys.sort_unstable();
        columns.sort_unstable();
        assert_eq!(keys, columns);
    }
}
