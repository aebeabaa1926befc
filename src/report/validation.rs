//! The answer of `slicewise validate`: the document, `validation.csv` with one row per measured
//! run, the tables, the scatter, and the page of the documentation.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::{Row, Sheet};
use super::width::Width;
use super::{charts, table, workload_file, written};
use crate::spec::Workload;
use crate::study::{JudgedRow, ValidationResults};

impl Report for ValidationResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_validation(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let charts = Part::Charts(charts::validation_figures(self));
        let sheet = rows("validation", self);
        made(
            self,
            &[Part::Document("validation"), Part::Sheet(sheet), Part::Table("table"), charts],
        )
    }
}

/// The workloads with the service times that were fitted, as catalogue files.
pub fn workload_files(results: &ValidationResults, workloads: &[(Workload, &str)]) -> Vec<File> {
    let file = |(workload, preset): &(Workload, &str)| {
        let made = format!(
            "{}: service times made by `slicewise validate` ({} {}), input {}",
            workload.name, results.tool.name, results.tool.version, results.input_hash
        );
        let text = workload_file::workload_file(workload, preset, &[made]);
        File::new(&format!("{}.toml", workload.id), text)
    };
    workloads.iter().map(file).collect()
}

/// The files of the later runs beside those of the first.
pub fn later_files(results: &ValidationResults) -> anyhow::Result<Vec<File>> {
    made(
        results,
        &[Part::Document("later"), Part::Sheet(rows("later", results)), Part::Table("later")],
    )
}

/// The page of the documentation, for results with these fingerprints: of the runs of v1.1 and of
/// later rounds. The chart lies beside it under the name `figure`.
pub fn page(
    [results, later]: [&ValidationResults; 2],
    fingerprints: [&str; 2],
    figure: &str,
) -> String {
    let groups = |of: &ValidationResults| {
        let groups = table::groups(&of.summary, Width::FILE);
        groups + "\n" + &table::intervals(&of.summary, Width::FILE)
    };
    let recovery = results.services.first().map_or(0.0, |found| found.numbers.recovery);
    PAGE.replace("{fingerprint}", fingerprints[0])
        .replace("{later_fingerprint}", fingerprints[1])
        .replace("{recovery}", &format!("{:.0} %", 100.0 * recovery))
        .replace("{queries}", &results.queries_max.to_string())
        .replace("{fit_queries}", &results.fit_queries_max.to_string())
        .replace("{figure}", figure)
        .replace("{groups}", &groups(results))
        .replace("{scaling}", &table::scaling(&results.scaling, Width::FILE))
        .replace("{misses}", &table::misses(&results.rows))
        .replace("{later_groups}", &groups(later))
        .replace("{later_misses}", &table::misses(&later.rows))
}

/// The words of the page.
const PAGE: &str = include_str!("validation.md");

fn rows(name: &'static str, results: &ValidationResults) -> Sheet {
    Sheet::of_rows(name, results.rows.iter().map(cells))
}

/// The cells of a row; every row has the same columns.
fn cells(row: &JudgedRow) -> Row {
    let predicted = row.predicted.as_ref();
    let latency = |name: &str| predicted.and_then(|of| of.latency_ms.get(name).copied());
    let published = |name: &str| row.published.latency_ms.get(name).copied();
    let mut cells = Row::default();
    cells.add("line", row.line);
    cells.add("system", &row.system);
    cells.add("submitter", &row.submitter);
    cells.add("benchmark", &row.benchmark);
    cells.add("scenario", row.scenario);
    cells.add("harness", &row.harness);
    cells.add("gpu", &row.gpu);
    cells.add("gpus", row.gpus);
    cells.add("published_per_s", row.published.completed_per_s);
    cells.add("predicted_per_s", predicted.and_then(|of| of.completed_per_s));
    cells.add("published_p50_ms", published("p50"));
    cells.add("predicted_p50_ms", latency("p50"));
    cells.add("published_p90_ms", published("p90"));
    cells.add("predicted_p90_ms", latency("p90"));
    cells.add("published_p99_ms", published("p99"));
    cells.add("predicted_p99_ms", latency("p99"));
    cells.add("predicted_p99_low_ms", row.p99_interval_ms.map(|(low, _)| low));
    cells.add("predicted_p99_high_ms", row.p99_interval_ms.map(|(_, high)| high));
    cells.add("load_error", row.load_error);
    cells.add("load_error_beyond_noise", row.load_error_beyond_noise);
    cells.add("load_error_gpu_left_out", row.load_error_gpu_left_out);
    cells.add("shape_error_p90", row.shape_error.map(|error| error.p90));
    cells.add("shape_error_p99", row.shape_error.map(|error| error.p99));
    cells.add("elasticity", row.elasticity);
    cells.add("raw_error_p50", row.raw_error_p50);
    cells.add("raw_error_p99", row.raw_error_p99);
    cells.add("raw_error_p99_beyond_noise", row.raw_error_p99_beyond_noise);
    cells.add("published_p99_low_ms", row.p99_noise_ms.map(|(low, _)| low));
    cells.add("published_p99_high_ms", row.p99_noise_ms.map(|(_, high)| high));
    cells.add("capacity_short", row.capacity_short);
    cells.add("launch_ms", row.numbers.map(|numbers| numbers.launch_ms));
    cells.add("spread", row.numbers.map(|numbers| numbers.spread));
    cells.add("phi", row.numbers.map(|numbers| numbers.phi));
    cells.add("work_factor", row.numbers.map(|numbers| numbers.work_factor));
    cells.add("marks", row.marks.join("; "));
    cells.add("skipped", row.skipped.as_ref());
    cells
}
