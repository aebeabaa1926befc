//! Floor 6: the result document in the formats for people and programs; one file here per output
//! format.
//!
//! It formats and takes ratios for display. It computes nothing about the model: a figure that is
//! not in [`Results`](crate::study::Results) is not in a report.

pub mod table;

mod answer;
mod calibration;
mod capacity;
#[cfg_attr(not(feature = "charts"), allow(dead_code))]
mod charts;
mod csv;
#[cfg(test)]
mod fixture;
mod folder;
mod json;
mod loadgen_summary;
mod marker;
mod number;
mod partial;
mod plans;
#[cfg(feature = "charts")]
mod plot;
#[cfg(not(feature = "charts"))]
#[path = "no_plot.rs"]
mod plot;
mod run;
mod single;
mod staging;
mod sweep;
mod validation;
mod vms;
mod workload_file;
mod written;

pub use calibration::{added_to_catalogue_file, catalogue_file};
pub use folder::{Folder, FolderError, Maker};
pub use number::lines_of;
pub use partial::Partial;
pub use single::{can_write, write_file};
pub use sweep::{DOCUMENT as SWEEP_DOCUMENT, SweepFiles};
pub use table::Width;
pub use validation::{
    later_files as later_validation_files, page as validation_page,
    workload_files as validation_workload_files,
};
pub use workload_file::workload_file;
#[cfg(feature = "cli")]
pub(crate) use written::document as written_document;

use charts::figure::Figure;
use csv::Sheet;

/// The answer of a command, in every output format. The same answer gives the same bytes.
pub trait Report {
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
#[cfg_attr(not(feature = "charts"), allow(dead_code))]
enum Part {
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

/// An output format: makes files of the parts that it can show.
type Format = fn(&Part, &dyn Report) -> anyhow::Result<Vec<File>>;

/// Every format. A new one is one file in this folder and one line here.
const FORMATS: &[Format] = &[json::files, csv::files, table::files, plot::files, texts];

/// The files of an answer, in the order of its parts.
fn made(report: &dyn Report, parts: &[Part]) -> anyhow::Result<Vec<File>> {
    let each = |part| FORMATS.iter().map(move |format| format(part, report));
    let files: anyhow::Result<Vec<Vec<File>>> = parts.iter().flat_map(each).collect();
    Ok(files?.into_iter().flatten().collect())
}

/// A text is a file as it is.
fn texts(part: &Part, _: &dyn Report) -> anyhow::Result<Vec<File>> {
    let Part::Text(name, text) = part else { return Ok(Vec::new()) };
    Ok(vec![File::new(name, text.as_str())])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_results_give_the_same_bytes() {
        let (first, second) =
            (fixture::pairs().files().unwrap(), fixture::pairs().files().unwrap());
        let names = first.iter().map(|file| file.name.as_str());
        let (summaries, names): (Vec<_>, Vec<_>) =
            names.partition(|name| name.starts_with("simulated_log_summary-"));
        assert_eq!(summaries.len(), fixture::pairs().runs.len());
        assert_eq!(
            names,
            [
                "result.json",
                "summary.csv",
                "table.txt",
                "ratio.svg",
                "ratio.png",
                "latency.svg",
                "latency.png"
            ]
        );
        for (one, two) in first.iter().zip(&second) {
            assert!(one.bytes == two.bytes, "{} differs between two calls", one.name);
        }
    }
}
