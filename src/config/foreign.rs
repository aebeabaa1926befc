//! Reads the files of other programs: the text, a reader of its format, and its faults shown.
//!
//! What a format looks like is in `formats`.

use super::LoadError;
use super::diagnostic::{Diagnostic, Problems, SHOWN_MAX, SourceFile};
use super::source;
use crate::formats::Fault;
use std::path::Path;
use std::sync::Arc;

/// No file of another program is longer: 64 MiB. A minute of `trtexec` times is a tenth of it.
pub(super) const FOREIGN_BYTES_MAX: u64 = 64 << 20;

/// Reads a file by its format: what is in it, or all that is wrong.
pub fn read_foreign<T>(
    path: &Path,
    format: impl Fn(&str) -> Result<T, Vec<Fault>>,
) -> Result<T, LoadError> {
    let problems = Problems::default();
    let found = text_of(path, &problems).map_err(LoadError::World)?;
    let found = found.and_then(|file| parsed(&file, format, &problems));
    match (found, problems.into_error()) {
        (Some(found), None) => Ok(found),
        (_, all) => Err(LoadError::Invalid(all.unwrap_or_default())),
    }
}

/// The text of a foreign file; nothing, with a diagnostic, when it is too long or no text.
pub(super) fn text_of(path: &Path, problems: &Problems) -> anyhow::Result<Option<Arc<SourceFile>>> {
    source::read_up_to(path, FOREIGN_BYTES_MAX, problems)
}

/// What a format's reader finds in the text, its faults reported.
pub(super) fn parsed<T>(
    file: &Arc<SourceFile>,
    format: impl Fn(&str) -> Result<T, Vec<Fault>>,
    problems: &Problems,
) -> Option<T> {
    match format(&file.text) {
        Ok(found) => Some(found),
        Err(faults) => {
            let shown = faults.into_iter().take(SHOWN_MAX);
            shown.for_each(|fault| problems.push(Diagnostic::of_fault(file, fault)));
            None
        }
    }
}
