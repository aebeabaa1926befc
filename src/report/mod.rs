//! Floor 6: the result document as people and programs want it; one file here per output format.
//!
//! It formats and takes ratios for display. It computes nothing about the model: a figure that is
//! not in [`Results`] is not in a report.

pub mod table;

mod answer;
mod calibration;
mod capacity;
mod charts;
mod csv;
#[cfg(test)]
mod fixture;
mod folder;
mod json;
mod loadgen_summary;
mod number;
mod partial;
mod plot;
mod single;
mod staging;
mod sweep;
mod validation;
mod vms;
mod workload_file;
mod written;

pub use answer::{document as answer_document, files as answer_files};
pub use calibration::{
    added_to_catalogue_file, catalogue_file, document as calibration_document,
    files as calibration_files,
};
pub use capacity::{document as capacity_document, files as capacity_files};
pub use folder::{Folder, FolderError, Maker};
pub use json::document;
pub(crate) use number::{broken, wrap};
pub use partial::Partial;
pub use single::{can_write, write_file};
pub use sweep::{DOCUMENT as SWEEP_DOCUMENT, SweepFiles};
pub(crate) use table::{Column, Grid, Width};
pub use validation::{
    document as validation_document, files as validation_files,
    later_files as later_validation_files, page as validation_page,
};
pub use vms::{document as vm_document, files as vm_files};
pub use workload_file::workload_file;
pub(crate) use written::document as written_document;

use crate::study::Results;

/// An output format: what `slicewise run` writes into its folder.
pub struct Format {
    /// Short name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Makes its files. The same results give the same bytes.
    pub files: fn(&Results) -> anyhow::Result<Vec<File>>,
}

/// A file of a report.
pub struct File {
    /// Its name in the output folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl File {
    fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_string(), bytes: bytes.into() }
    }
}

/// Every format. A new one is one file in this folder and one line here.
pub const FORMATS: &[Format] =
    &[json::FORMAT, csv::FORMAT, table::FORMAT, loadgen_summary::FORMAT, plot::FORMAT];

/// Every file of the report, made in memory: nothing is written unless all could be made.
pub fn files(results: &Results) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for format in FORMATS {
        files.extend((format.files)(results)?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_results_give_the_same_bytes() {
        let (first, second) =
            (files(&fixture::pairs()).unwrap(), files(&fixture::pairs()).unwrap());
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
