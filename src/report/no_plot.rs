//! Without the feature `charts`, a report has no charts.

use super::charts::figure::Figure;
use super::parts::{File, Part, Report};
use anyhow::Result;

/// No file of any part.
pub(super) fn files(_: &Part, _: &dyn Report) -> Result<Vec<File>> {
    Ok(Vec::new())
}

/// No file of any figure.
pub(super) fn draw_each<N, F: std::borrow::Borrow<Figure>>(
    _: impl IntoIterator<Item = (N, F)>,
    _: impl FnMut(File) -> Result<()>,
) -> Result<()> {
    Ok(())
}

/// No picture.
pub(in crate::report) fn svg(_: &Figure) -> Result<String> {
    Ok(String::new())
}
