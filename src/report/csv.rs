//! `*.csv`: sheets for spreadsheets, the unit in the name of every column.

use super::parts::{File, Part, Report};
use super::sheet::Cell;

/// A sheet is a file.
pub(super) fn files(part: &Part, _: &dyn Report) -> anyhow::Result<Vec<File>> {
    let Part::Sheet(sheet) = part else { return Ok(Vec::new()) };
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if !sheet.heads.is_empty() {
        writer.write_record(&sheet.heads)?;
    }
    for row in &sheet.rows {
        writer.write_record(row.iter().map(Cell::written))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(vec![File::new(&format!("{}.csv", sheet.name), bytes)])
}
