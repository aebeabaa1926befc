//! The answer of `slicewise calibrate`: the workload for a catalogue, the document, one row per
//! figure, and the table.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::Sheet;
use super::width::Width;
use super::{table, workload_file, written};
use crate::spec::{FactValue, Workload};
use crate::study::CalibrationResults;

impl Report for CalibrationResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_calibration(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let workload = Part::Text(format!("{}.toml", self.name), catalogue_file(self));
        let document = Part::Document("calibration");
        made(self, &[workload, document, Part::Sheet(figures(self)), Part::Table("table")])
    }
}

/// The workload as a catalogue file.
pub fn catalogue_file(results: &CalibrationResults) -> String {
    workload_file::workload_file(&results.workload, &results.usual_preset, &remarks(results))
}

/// The workload of a catalogue file, `existing`, with the numbers of one GPU added or replaced; and
/// the values of the fit that the file states differently, as whole sentences.
///
/// Values of the model itself are kept as in the file.
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
    let told = OF_THE_MODEL.iter().filter_map(|key| {
        let (own, kept) = (value(&results.workload, key)?, value(existing, key)?);
        (own.keys() != kept.keys())
            .then(|| format!("{key} is kept at {kept} as in the file; this calibration has {own}"))
    });
    let told = told.collect();
    // Who reads the file sees every calibration that it was made by.
    let mut lines: Vec<String> = comments.to_vec();
    lines.extend(remarks(results).into_iter().filter(|line| !comments.contains(line)));
    (workload_file::workload_file(&workload, usual_preset, &lines), told)
}

/// What a calibration may say of the model itself, in the order in which it is told.
const OF_THE_MODEL: [&str; 7] = [
    "cpu.launch_per_batch",
    "target_latency",
    "weights",
    "workspace_per_sample",
    "input_per_sample",
    "output_per_sample",
    "sizes",
];

fn value<'w>(workload: &'w Workload, key: &str) -> Option<&'w dyn FactValue> {
    workload.facts().into_iter().find(|fact| fact.key == key).map(|fact| fact.value)
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

fn figures(results: &CalibrationResults) -> Sheet {
    Sheet::of(
        "calibration",
        results.runs.iter().flat_map(|run| run.figures.iter().map(move |figure| (run, figure))),
        &[
            ("run", |(run, _)| (&run.row).into()),
            ("fitted", |(run, _)| run.fitted.into()),
            ("figure", |(_, figure)| (&figure.figure).into()),
            ("unit", |(_, figure)| match figure.figure.as_str() {
                "completed_per_s" => "per_s".into(),
                _ => "ms".into(),
            }),
            ("observed", |(_, figure)| figure.observed.into()),
            ("simulated", |(_, figure)| figure.simulated.into()),
            ("error_percent", |(_, figure)| figure.error_percent.into()),
            ("low", |(_, figure)| figure.low.into()),
            ("high", |(_, figure)| figure.high.into()),
        ],
    )
}
