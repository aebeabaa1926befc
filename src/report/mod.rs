//! Floor 6: the result document in the formats for people and programs; one file here per output
//! format.
//!
//! It formats and takes ratios for display. It computes nothing about the model: a figure that is
//! not in [`Results`](crate::study::Results) is not in a report.

pub mod table;

mod answer;
mod calibration;
mod capacity;
#[cfg_attr(not(feature = "svg"), allow(dead_code))]
mod charts;
mod cluster;
mod csv;
mod explained;
mod files;
#[cfg(test)]
mod fixture;
mod folder;
mod frame;
mod html;
mod json;
mod loadgen_summary;
mod marker;
mod number;
mod operations;
mod partial;
mod parts;
mod plan;
mod plans;
#[cfg(feature = "svg")]
mod plot;
#[cfg(not(feature = "svg"))]
#[path = "no_plot.rs"]
mod plot;
mod power;
mod run;
mod sheet;
mod single;
mod staging;
mod sweep;
mod timeline;
mod tokens;
mod trace_events;
mod validation;
mod vms;
mod width;
mod workload_file;
mod written;

pub use calibration::{added_to_catalogue_file, catalogue_file};
pub use folder::{Folder, FolderError, Maker};
pub use frame::{Frame, FrameCurve, frame, timeline_of};
pub use html::{Made, PAGE, WebPage};
pub use number::lines_of;
pub use partial::Partial;
pub use parts::{File, Report};
pub use single::{can_write, write_file};
pub use sweep::{DOCUMENT as SWEEP_DOCUMENT, SweepFiles};
pub use validation::{
    later_files as later_validation_files, page as validation_page,
    workload_files as validation_workload_files,
};
pub use width::Width;
pub use workload_file::workload_file;
#[cfg(feature = "cli")]
pub(crate) use written::document as written_document;
pub(crate) use written::json_line;

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
                "latency.png",
                "percentiles.svg",
                "percentiles.png",
                "stages.svg",
                "stages.png",
                "gpu-time.svg",
                "gpu-time.png"
            ]
        );
        for (one, two) in first.iter().zip(&second) {
            assert!(one.bytes == two.bytes, "{} differs between two calls", one.name);
        }
    }
}
