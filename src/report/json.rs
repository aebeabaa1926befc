//! `*.json`: the whole document, as the contract in `study` shapes it.
//!
//! It adds, drops and renames nothing.

use super::parts::{File, Part, Report};

/// The document is a file.
pub(super) fn files(part: &Part, report: &dyn Report) -> anyhow::Result<Vec<File>> {
    let Part::Document(name) = part else { return Ok(Vec::new()) };
    Ok(vec![File::new(&format!("{name}.json"), report.document()?)])
}
