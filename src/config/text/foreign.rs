//! Reads the files of other programs: the text, a reader of its format, and its faults shown.
//!
//! The formats are in `formats`.

use super::diagnostic::{Diagnostic, Problems, SHOWN_MAX, SourceFile, Spot};
use super::load_error::LoadError;
use super::source;
use crate::formats::{Fault, recognise};
use std::path::Path;
use std::sync::Arc;

/// The largest file of another program: 64 MiB. A minute of `trtexec` times is a tenth of it.
pub(crate) const FOREIGN_BYTES_MAX: u64 = 64 << 20;

/// Reads a file by its format: its content, or all its faults.
pub fn read_foreign<T>(
    path: &Path,
    format: impl Fn(&str) -> Result<T, Vec<Fault>>,
) -> Result<T, LoadError> {
    let told = read_foreign_with_warnings(path, |text| Ok((format(text)?, Vec::new())));
    told.map(|(found, _)| found)
}

/// The same for a format whose reader also returns warnings: doubtful parts, or parts that the
/// program it is for ignores; as text.
pub fn read_foreign_with_warnings<T>(
    path: &Path,
    format: impl Fn(&str) -> Result<(T, Vec<Fault>), Vec<Fault>>,
) -> Result<(T, Vec<String>), LoadError> {
    let problems = Problems::default();
    let found = text_of(path, &problems).map_err(LoadError::World)?;
    let found = found.and_then(|file| {
        let (found, doubts) = parsed(&file, format, &problems)?;
        doubts.into_iter().for_each(|fault| problems.warn(Diagnostic::of_fault(&file, fault)));
        Some(found)
    });
    let warnings = problems.warnings();
    match (found, problems.into_error()) {
        (Some(found), None) => Ok((found, warnings)),
        (_, all) => Err(LoadError::Invalid(all.unwrap_or_default())),
    }
}

/// The text of a foreign file; nothing, with a diagnostic, when it is too long or no text.
pub(crate) fn text_of(path: &Path, problems: &Problems) -> anyhow::Result<Option<Arc<SourceFile>>> {
    source::read_up_to(path, FOREIGN_BYTES_MAX, problems)
}

/// The result of a format's reader; its faults are reported.
pub(crate) fn parsed<T>(
    file: &Arc<SourceFile>,
    format: impl Fn(&str) -> Result<T, Vec<Fault>>,
    problems: &Problems,
) -> Option<T> {
    match format(&file.text) {
        Ok(found) => Some(found),
        Err(_) if of_tokens(file, problems) => None,
        Err(faults) => {
            let shown = faults.into_iter().take(SHOWN_MAX);
            shown.for_each(|fault| problems.push(Diagnostic::of_fault(file, fault)));
            None
        }
    }
}

/// Whether the file is a benchmark of a language model: told in the place of every fault that its figures
/// are for a reader of others.
fn of_tokens(file: &Arc<SourceFile>, problems: &Problems) -> bool {
    let kind = recognise::of_tokens(&file.text);
    if let Some(kind) = kind {
        /// So much of the first line is shown.
        const SHOWN_BYTES: usize = 60;
        let line = file.text.lines().next().unwrap_or_default();
        let end = (0..=SHOWN_BYTES.min(line.len())).rev().find(|&at| line.is_char_boundary(at));
        let end = end.unwrap_or(0);
        let spot = Spot { file: file.clone(), span: 0..end };
        let title = format!("the file is {}", kind.what);
        problems.push(Diagnostic::at(&spot, title).help(kind.next));
    }
    kind.is_some()
}
