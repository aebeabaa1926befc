//! The files of a validation: `validation.json`, `validation.csv` with one row per measured run, the
//! tables, the scatter, and the page of the documentation.

use super::csv::harmless;
use super::{File, charts, plot, table, workload_file, written};
use crate::spec::Workload;
use crate::study::{JudgedRow, ValidationResults};

/// Every file, made in memory. The same results give the same bytes.
pub fn files(
    results: &ValidationResults,
    workloads: &[(Workload, &str)],
) -> anyhow::Result<Vec<File>> {
    let mut files = vec![
        File::new("validation.json", document(results)?),
        File::new("validation.csv", rows(results)?),
        File::new("table.txt", table::render_validation(results, table::Width::FILE)),
    ];
    files.extend(plot::draw(charts::validation_figures(results))?);
    files.extend(workloads.iter().map(|(workload, preset)| {
        let made = format!(
            "{}: service times made by `slicewise validate` ({} {}), input {}",
            workload.name, results.tool.name, results.tool.version, results.input_hash
        );
        let text = workload_file::workload_file(workload, preset, &[made]);
        File::new(&format!("{}.toml", workload.id), text)
    }));
    Ok(files)
}

/// The files of the later runs beside those of the first.
pub fn later_files(results: &ValidationResults) -> anyhow::Result<Vec<File>> {
    Ok(vec![
        File::new("later.json", document(results)?),
        File::new("later.csv", rows(results)?),
        File::new("later.txt", table::render_validation(results, table::Width::FILE)),
    ])
}

/// The page of the documentation, for results with these fingerprints: of the runs of v1.1 and of
/// later rounds. The chart lies beside it under the name `figure`.
pub fn page(
    [results, later]: [&ValidationResults; 2],
    fingerprints: [&str; 2],
    figure: &str,
) -> String {
    let groups = |of: &ValidationResults| {
        let groups = table::groups(&of.summary, table::Width::FILE);
        groups + "\n" + &table::intervals(&of.summary, table::Width::FILE)
    };
    let recovery = results.services.first().map_or(0.0, |found| found.numbers.recovery);
    PAGE.replace("{fingerprint}", fingerprints[0])
        .replace("{later_fingerprint}", fingerprints[1])
        .replace("{recovery}", &format!("{:.0} %", 100.0 * recovery))
        .replace("{queries}", &results.queries_max.to_string())
        .replace("{fit_queries}", &results.fit_queries_max.to_string())
        .replace("{figure}", figure)
        .replace("{groups}", &groups(results))
        .replace("{scaling}", &table::scaling(&results.scaling, table::Width::FILE))
        .replace("{misses}", &table::misses(&results.rows))
        .replace("{later_groups}", &groups(later))
        .replace("{later_misses}", &table::misses(&later.rows))
}

/// The words of the page.
const PAGE: &str = include_str!("validation.md");

/// The results as one JSON document.
pub fn document(results: &ValidationResults) -> anyhow::Result<String> {
    written::document(results)
}

fn rows(results: &ValidationResults) -> anyhow::Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut header_due = true;
    for row in &results.rows {
        let cells = cells(row);
        if header_due {
            writer.write_record(cells.iter().map(|(name, _)| *name))?;
            header_due = false;
        }
        writer.write_record(cells.iter().map(|(_, cell)| cell))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// The cells of a row, each with the name of its column; every row has the same names.
fn cells(row: &JudgedRow) -> Vec<(&'static str, String)> {
    let number = |value: Option<f64>| value.map_or(String::new(), written::figure);
    let predicted = row.predicted.as_ref();
    let latency = |name: &str| number(predicted.and_then(|of| of.latency_ms.get(name).copied()));
    let published = |name: &str| number(row.published.latency_ms.get(name).copied());
    vec![
        ("line", row.line.to_string()),
        ("system", harmless(&row.system)),
        ("submitter", harmless(&row.submitter)),
        ("benchmark", harmless(&row.benchmark)),
        ("scenario", row.scenario.to_string()),
        ("harness", harmless(&row.harness)),
        ("gpu", harmless(&row.gpu)),
        ("gpus", row.gpus.to_string()),
        ("published_per_s", number(row.published.completed_per_s)),
        ("predicted_per_s", number(predicted.and_then(|of| of.completed_per_s))),
        ("published_p50_ms", published("p50")),
        ("predicted_p50_ms", latency("p50")),
        ("published_p90_ms", published("p90")),
        ("predicted_p90_ms", latency("p90")),
        ("published_p99_ms", published("p99")),
        ("predicted_p99_ms", latency("p99")),
        ("predicted_p99_low_ms", number(row.p99_interval_ms.map(|(low, _)| low))),
        ("predicted_p99_high_ms", number(row.p99_interval_ms.map(|(_, high)| high))),
        ("load_error", number(row.load_error)),
        ("load_error_beyond_noise", number(row.load_error_beyond_noise)),
        ("load_error_gpu_left_out", number(row.load_error_gpu_left_out)),
        ("shape_error_p90", number(row.shape_error.map(|error| error.p90))),
        ("shape_error_p99", number(row.shape_error.map(|error| error.p99))),
        ("elasticity", number(row.elasticity)),
        ("raw_error_p50", number(row.raw_error_p50)),
        ("raw_error_p99", number(row.raw_error_p99)),
        ("raw_error_p99_beyond_noise", number(row.raw_error_p99_beyond_noise)),
        ("published_p99_low_ms", number(row.p99_noise_ms.map(|(low, _)| low))),
        ("published_p99_high_ms", number(row.p99_noise_ms.map(|(_, high)| high))),
        ("capacity_short", row.capacity_short.map_or(String::new(), |short| short.to_string())),
        ("launch_ms", number(row.numbers.map(|numbers| numbers.launch_ms))),
        ("spread", number(row.numbers.map(|numbers| numbers.spread))),
        ("phi", number(row.numbers.map(|numbers| numbers.phi))),
        ("work_factor", number(row.numbers.map(|numbers| numbers.work_factor))),
        ("marks", harmless(&row.marks.join("; "))),
        ("skipped", harmless(row.skipped.as_deref().unwrap_or_default())),
    ]
}
