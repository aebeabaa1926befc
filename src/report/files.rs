//! The files of an answer: every output format, over every part.

use super::parts::{File, Part, Report};
use super::{csv, json, plot, table};

/// An output format: makes files of the parts that it can show.
type Format = fn(&Part, &dyn Report) -> anyhow::Result<Vec<File>>;

/// Every format. A new one is one file in this folder and one line here.
const FORMATS: &[Format] = &[json::files, csv::files, table::files, plot::files, texts];

/// The files of an answer, in the order of its parts.
pub(super) fn made(report: &dyn Report, parts: &[Part]) -> anyhow::Result<Vec<File>> {
    let each = |part| FORMATS.iter().map(move |format| format(part, report));
    let files: anyhow::Result<Vec<Vec<File>>> = parts.iter().flat_map(each).collect();
    Ok(files?.into_iter().flatten().collect())
}

/// A text is a file as it is.
fn texts(part: &Part, _: &dyn Report) -> anyhow::Result<Vec<File>> {
    let Part::Text(name, text) = part else { return Ok(Vec::new()) };
    Ok(vec![File::new(name, text.as_str())])
}
