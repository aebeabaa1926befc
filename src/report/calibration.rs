//! The files of a calibration: the workload for a catalogue, the document, one row per figure as
//! CSV, and the table.

use super::csv::harmless;
use super::{File, table, workload_file};
use crate::study::CalibrationResults;

/// Every file, made in memory. The same results give the same bytes.
pub fn files(results: &CalibrationResults) -> anyhow::Result<Vec<File>> {
    Ok(vec![
        File::new(&format!("{}.toml", results.name), catalogue_file(results)),
        File::new("calibration.json", document(results)?),
        File::new("calibration.csv", figures(results)?),
        File::new("table.txt", table::render_calibration(results)),
    ])
}

/// The workload as a catalogue file.
pub fn catalogue_file(results: &CalibrationResults) -> String {
    let made = format!(
        "{}: made by `slicewise calibrate` ({} {}), calibration {}",
        results.title, results.tool.name, results.tool.version, results.calibration_hash
    );
    workload_file::workload_file(&results.workload, &results.usual_preset, &[made])
}

/// The results as one JSON document.
pub fn document(results: &CalibrationResults) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(results)? + "\n")
}

fn figures(results: &CalibrationResults) -> anyhow::Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "run",
        "fitted",
        "figure",
        "unit",
        "observed",
        "simulated",
        "error_percent",
        "low",
        "high",
    ])?;
    for run in &results.runs {
        for figure in &run.figures {
            let unit = if figure.figure == "completed_per_s" { "per_s" } else { "ms" };
            writer.write_record([
                harmless(&run.row),
                run.fitted.to_string(),
                figure.figure.clone(),
                unit.to_string(),
                figure.observed.to_string(),
                figure.simulated.to_string(),
                figure.error_percent.to_string(),
                figure.low.to_string(),
                figure.high.to_string(),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
