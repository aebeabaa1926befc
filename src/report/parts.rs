//! What an answer is made of: its forms, the parts of its folder, a file.

use super::charts::figure::Figure;
use super::sheet::Sheet;
use super::width::Width;

/// The answer of a command, in every output format. The same answer gives the same bytes.
pub trait Report: Sync {
    /// The whole document as indented JSON, its last line ended. Figures that are no number become `null`.
    fn document(&self) -> anyhow::Result<String>;

    /// The text that a terminal shows.
    fn table(&self, width: Width) -> String;

    /// Every file, made in memory: nothing is written unless all could be made. None unless said.
    fn files(&self) -> anyhow::Result<Vec<File>> {
        Ok(Vec::new())
    }
}

/// A part of an answer, of which each format makes the files that it can; these bear its name.
#[cfg_attr(not(feature = "svg"), allow(dead_code))]
pub(super) enum Part {
    /// The whole document.
    Document(&'static str),
    /// Rows with column names.
    Sheet(Sheet),
    /// The text for the terminal.
    Table(&'static str),
    /// Charts, each with its name.
    Charts(Vec<(String, Figure)>),
    /// Any other text, with its file name.
    Text(String, String),
}

/// A file of a report.
pub struct File {
    /// Its name in the output folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl File {
    /// A file of these bytes.
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_string(), bytes: bytes.into() }
    }
}
