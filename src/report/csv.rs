//! `summary.csv`: one row per run and VM for spreadsheets, the unit in the name of every column.
//!
//! It leaves out what is a list of its own: stages, cards, comparisons and facts are in JSON only.

use super::{File, Format, written};
use crate::shown::shown;
use crate::study::{Interval, Results, RunResult, Side, VmResult};

/// The format's entry in the table.
pub(super) const FORMAT: Format = Format {
    name: "csv",
    about: "one row per run and VM",
    files: |results| Ok(vec![file(results)?]),
};

/// The latencies in the order of their columns, by their names in the document.
const LATENCIES: [&str; 9] = ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"];

fn file(results: &Results) -> anyhow::Result<File> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut header_due = true;
    for run in &results.runs {
        for vm in &run.vms {
            let row = row(results, run, vm);
            if header_due {
                writer.write_record(row.iter().map(|(name, _)| name))?;
                header_due = false;
            }
            writer.write_record(row.iter().map(|(_, cell)| cell))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(File::new("summary.csv", bytes))
}

/// A VM's cells, each with the name of its column; every row has the same names.
fn row(results: &Results, run: &RunResult, vm: &VmResult) -> Vec<(String, String)> {
    let mut row = Row(Vec::new());
    row.text("run", &run.name);
    row.text("side", if run.side == Side::Virtual { "virtual" } else { "baseline" });
    row.text("platform", &run.platform);
    row.text("baseline_kind", run.baseline_kind.unwrap_or_default());
    row.text("vm", &vm.name);
    row.text("workload", &vm.workload);
    row.text("scenario", vm.scenario);
    row.whole("vcpus", u64::from(vm.vcpus));
    if results.has_several_models() {
        row.text("gpu_models", &run.models_of(vm).join("; "));
    }
    if !results.scaled.is_empty() {
        row.text("scaled", &vm.scaled.join("; "));
    }
    row.number("target_qps", Some(vm.target_qps));
    row.whole("queries", vm.queries);
    row.whole("samples", vm.samples);
    row.text("rejected", &vm.rejected.map_or(String::new(), |count| count.to_string()));
    row.number("scheduled_per_s", vm.scheduled_per_s);
    row.number("completed_per_s", Some(vm.completed_per_s));
    row.number("capacity_qps", vm.capacity_qps);
    for name in LATENCIES {
        row.number(&format!("latency_{name}_ms"), vm.latency_ms.get(name));
    }
    row.number("target_latency_ms", Some(vm.target_latency_ms));
    row.number("batch_mean_samples", Some(vm.batch_mean));
    row.text("valid", if vm.verdict.valid { "true" } else { "false" });
    row.text("failed_rules", &vm.verdict.failed_rules.join("; "));
    row.text("standing_rate", standing(vm.standing.rate));
    row.text("standing_latency", standing(vm.standing.latency));
    fits(&mut row, vm);
    published(&mut row, vm);
    uncertainty(&mut row, vm);
    row.whole("seed", results.seed);
    row.text("scenario_hash", &results.scenario_hash);
    row.0
}

/// The ends of each figure among the fits nearly as good; empty cells where there is one fit.
fn fits(row: &mut Row, vm: &VmResult) {
    let fits = vm.fits.as_ref();
    row.whole("fits", fits.map_or(1, |fits| fits.sets as u64));
    for (end, name) in [(0, "low"), (1, "high")] {
        row.number(&format!("completed_per_s_{name}"), fits.map(|fits| fits.completed_per_s[end]));
        for figure in LATENCIES {
            let value = fits.and_then(|fits| fits.latency_ms.get(figure)).map(|ends| ends[end]);
            row.number(&format!("latency_{figure}_{name}_ms"), value);
        }
    }
}

/// The published figures and errors of a VM; empty cells where there are none.
fn published(row: &mut Row, vm: &VmResult) {
    let published = vm.published.as_ref();
    let error = |name: &str| published.and_then(|p| p.error_percent.get(name).copied());
    row.number("published_completed_per_s", published.and_then(|p| p.completed_per_s));
    row.number("error_completed_percent", error("completed_per_s"));
    for name in LATENCIES {
        let figure = published.and_then(|p| p.latency_ms.get(name).copied());
        row.number(&format!("published_latency_{name}_ms"), figure);
        row.number(&format!("error_latency_{name}_percent"), error(name));
    }
    row.text("published_source", published.map_or("", |p| &p.source));
}

/// How sure the figures of a VM are; empty cells where that was not asked.
fn uncertainty(row: &mut Row, vm: &VmResult) {
    let found = &vm.uncertainty;
    for name in ["p50", "p90", "p95", "p97", "p99", "p999"] {
        let beyond = found.samples_beyond.get(name).copied();
        row.number(&format!("samples_beyond_{name}"), beyond.map(|count| count as f64));
    }
    let all = found.replications.as_ref();
    row.number("replications", all.map(|all| f64::from(all.count)));
    row.number("replications_valid", all.map(|all| f64::from(all.valid)));
    let mut interval = |name: &str, unit: &str, interval: Option<Interval>| {
        row.number(&format!("{name}_mean_{unit}"), interval.map(|one| one.mean));
        row.number(&format!("{name}_half_width_{unit}"), interval.and_then(|one| one.half_width));
    };
    interval("completed", "per_s", all.map(|all| all.completed_per_s));
    for name in LATENCIES {
        let latency = all.and_then(|all| all.latency_ms.get(name).copied());
        interval(&format!("latency_{name}"), "ms", latency);
    }
    row.number("load", found.more_work.map(|more| more.load));
    row.number("more_work_percent", found.more_work.map(|more| more.work_percent));
    row.number("more_work_p99_percent", found.more_work.map(|more| more.p99_percent));
    row.number("elasticity_p99", found.more_work.map(|more| more.elasticity));
}

fn standing(origin: crate::study::Origin) -> &'static str {
    use crate::study::Origin;
    match origin {
        Origin::Given => "given",
        Origin::Fitted => "fitted",
        Origin::Predicted => "predicted",
    }
}

/// A text that no spreadsheet takes for a formula and no terminal for a command.
pub(super) fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = shown(text);
    if formula { format!("'{text}") } else { text.into_owned() }
}

/// Cells with the names of their columns.
struct Row(Vec<(String, String)>);

impl Row {
    /// A text cell.
    fn text(&mut self, column: &str, text: &str) {
        self.0.push((column.to_string(), harmless(text)));
    }

    /// A figure with all its digits; an empty cell where there is none.
    fn number(&mut self, column: &str, value: Option<f64>) {
        let cell = value.filter(|value| value.is_finite()).map_or(String::new(), written::figure);
        self.0.push((column.to_string(), cell));
    }

    fn whole(&mut self, column: &str, value: u64) {
        self.0.push((column.to_string(), value.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_rows_read_back() {
        let mut results = fixture::pairs();
        results.runs[0].name = "=cmd, \"quoted\"".to_string();
        let bytes = file(&results).unwrap().bytes;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let head = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 12);
        let cell = |row: usize, name: &str| {
            let column = head.iter().position(|head| head == name).expect(name);
            rows[row][column].to_string()
        };
        assert_eq!(cell(0, "run"), "'=cmd, \"quoted\"");
        assert_eq!(cell(2, "platform"), "vsphere-7.0u2");
        let p99: f64 = cell(2, "latency_p99_ms").parse().unwrap();
        let simulated = results.runs[2].vms[0].latency_ms.p99;
        assert!((p99 / simulated - 1.0).abs() < 5e-12, "{p99} to 12 digits, {simulated}");
        assert_eq!(cell(2, "published_latency_p99_ms"), "99.737");
        assert_eq!(cell(0, "scheduled_per_s"), "", "Offline arrivals are not scheduled");
    }
}
