//! The files of a calibration: the workload for a catalogue, the document, one row per figure as
//! CSV, and the table.

use super::csv::harmless;
use super::{File, table, workload_file, written};
use crate::spec::Workload;
use crate::study::CalibrationResults;
use std::fmt::Display;

/// Every file, made in memory. The same results give the same bytes.
pub fn files(results: &CalibrationResults) -> anyhow::Result<Vec<File>> {
    Ok(vec![
        File::new(&format!("{}.toml", results.name), catalogue_file(results)),
        File::new("calibration.json", document(results)?),
        File::new("calibration.csv", figures(results)?),
        File::new("table.txt", table::render_calibration(results, table::Width::FILE)),
    ])
}

/// The workload as a catalogue file.
pub fn catalogue_file(results: &CalibrationResults) -> String {
    workload_file::workload_file(&results.workload, &results.usual_preset, &remarks(results))
}

/// The workload of a catalogue file, `existing`, with the numbers of one GPU added, or put in the place of
/// those that it had; and what of the fit the file says otherwise, whole sentences.
///
/// What is said of the model itself stays as the file has it.
pub fn added_to_catalogue_file(
    results: &CalibrationResults,
    (existing, usual_preset): (&Workload, &str),
    comments: &[String],
) -> (String, Vec<String>) {
    let mut workload = existing.clone();
    for (gpu, service) in &results.workload.service {
        if *gpu == results.gpu || !workload.service.contains_key(gpu) {
            workload.service.insert(gpu.clone(), service.clone());
        }
    }
    let mut told = Vec::new();
    let (own, kept) = (&results.workload, existing);
    differ(
        &mut told,
        "cpu.launch_per_batch",
        own.cpu.launch_per_batch.value,
        kept.cpu.launch_per_batch.value,
    );
    differ(&mut told, "target_latency", own.target_latency.value, kept.target_latency.value);
    differ(&mut told, "weights", own.weights.value, kept.weights.value);
    differ(
        &mut told,
        "workspace_per_sample",
        own.workspace_per_sample.value,
        kept.workspace_per_sample.value,
    );
    differ(&mut told, "input_per_sample", own.input_per_sample.value, kept.input_per_sample.value);
    differ(
        &mut told,
        "output_per_sample",
        own.output_per_sample.value,
        kept.output_per_sample.value,
    );
    differ(&mut told, "sizes", own.sizes.value, kept.sizes.value);
    // Who reads the file sees every calibration that it was made by.
    let mut lines: Vec<String> = comments.to_vec();
    lines.extend(remarks(results).into_iter().filter(|line| !comments.contains(line)));
    (workload_file::workload_file(&workload, usual_preset, &lines), told)
}

/// A sentence where the fit has another value than the file that it is added to.
fn differ<T: PartialEq + Display>(told: &mut Vec<String>, key: &str, own: T, kept: T) {
    if own != kept {
        told.push(format!("{key} stays {kept} as the file has it; this calibration has {own}"));
    }
}

/// What stands at the head of the file.
fn remarks(results: &CalibrationResults) -> Vec<String> {
    let made = format!(
        "{}: made by `slicewise calibrate` ({} {}), calibration {}",
        results.title, results.tool.name, results.tool.version, results.calibration_hash
    );
    let alarms = results.alarms.iter().map(|alarm| format!("WARNING: {}: {alarm}", results.gpu));
    std::iter::once(made).chain(alarms).collect()
}

/// The results as one JSON document.
pub fn document(results: &CalibrationResults) -> anyhow::Result<String> {
    written::document(results)
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
                written::figure(figure.observed),
                written::figure(figure.simulated),
                written::figure(figure.error_percent),
                written::figure(figure.low),
                written::figure(figure.high),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
