//! The answer of `slicewise run`: the document, one row per run and VM for spreadsheets, the table,
//! texts of the shape of LoadGen's summary, and charts.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::{Row, Sheet};
use super::width::Width;
use super::{charts, loadgen_summary, operations, power, table, tokens, written};
use crate::study::{CpuResult, Interval, LatencyMs, Origin, Results, RunResult, VmResult};

impl Report for Results {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let mut parts =
            vec![Part::Document("result"), Part::Sheet(summary(self)), Part::Table("table")];
        let cpu = self.runs.iter().flat_map(|run| run.cpu.iter().map(move |vm| (run, vm)));
        if cpu.clone().next().is_some() {
            parts.push(Part::Sheet(Sheet::of_rows("processors", cpu.map(cpu_row))));
        }
        parts.extend(operations::sheets(self));
        parts.extend(power::sheets(self));
        parts.extend(loadgen_summary::texts(self));
        parts.push(Part::Charts(charts::figures(self)));
        made(self, &parts)
    }
}

fn summary(results: &Results) -> Sheet {
    Sheet::of_rows("summary", results.vms().map(|(run, vm)| row(results, run, vm)))
}

/// A VM's cells; every row has the same columns.
fn row(results: &Results, run: &RunResult, vm: &VmResult) -> Row {
    let mut row = Row::of_run(run);
    row.add("vm", &vm.name);
    row.add("workload", &vm.workload);
    row.add("scenario", vm.scenario);
    row.add("vcpus", vm.vcpus);
    if results.has_several_models() {
        row.add("gpu_models", run.models_of(vm).join("; "));
    }
    if !results.scaled.is_empty() {
        row.add("scaled", vm.scaled.join("; "));
    }
    row.add("target_qps", (vm.target_qps != 0.0).then_some(vm.target_qps));
    row.add("queries", vm.queries);
    row.add("samples", vm.samples);
    row.add("rejected", vm.rejected);
    row.add("scheduled_per_s", vm.scheduled_per_s);
    row.add("completed_per_s", vm.completed_per_s);
    row.add("capacity_qps", vm.capacity_qps);
    for name in LatencyMs::NAMES {
        row.add(format!("latency_{name}_ms"), vm.latency_ms.get(name));
    }
    row.add("target_latency_ms", (vm.target_latency_ms != 0.0).then_some(vm.target_latency_ms));
    row.add("batch_mean_samples", vm.batch_mean);
    if results.vms().any(|(_, vm)| vm.tokens.is_some()) {
        let spread = vm.fits.as_ref().and_then(|fits| fits.tokens.as_ref());
        tokens::cells(&mut row, vm.tokens.as_ref(), spread);
    }
    row.add("valid", vm.verdict.valid);
    row.add("failed_rules", vm.verdict.failed_rules.join("; "));
    row.add("standing_rate", standing(vm.standing.rate));
    row.add("standing_latency", standing(vm.standing.latency));
    fits(&mut row, vm);
    published(&mut row, vm);
    uncertainty(&mut row, vm);
    row.add("seed", results.head.seed);
    row.add("scenario_hash", &results.head.scenario_hash);
    row
}

/// What a VM had of the host's processors.
fn cpu_row((run, vm): (&RunResult, &CpuResult)) -> Row {
    let mut row = Row::default();
    row.add("run", &run.name);
    row.add("side", run.side.word());
    row.add("vm", &vm.vm);
    row.add("work", vm.work.word());
    row.add("vcpus", vm.vcpus);
    row.add("shares", vm.shares);
    row.add("reservation_mhz", vm.reservation_mhz);
    row.add("limit_mhz", vm.limit_mhz);
    row.add("wanted_cores", vm.wanted_cores);
    row.add("got_cores", vm.got_cores);
    row.add("ready_percent", vm.ready_percent);
    row
}

/// The ends of each figure among the fits nearly as good; empty cells where there is one fit.
fn fits(row: &mut Row, vm: &VmResult) {
    let fits = vm.fits.as_ref();
    row.add("fits", fits.map_or(1, |fits| fits.sets));
    for (end, name) in [(0, "low"), (1, "high")] {
        row.add(format!("completed_per_s_{name}"), fits.map(|fits| fits.completed_per_s[end]));
        for figure in LatencyMs::NAMES {
            let value = fits.and_then(|fits| fits.latency_ms.get(figure)).map(|ends| ends[end]);
            row.add(format!("latency_{figure}_{name}_ms"), value);
        }
    }
}

/// The published figures and errors of a VM; empty cells where there are none.
fn published(row: &mut Row, vm: &VmResult) {
    let published = vm.published.as_ref();
    let error = |name: &str| published.and_then(|p| p.error_percent.get(name).copied());
    row.add("published_completed_per_s", published.and_then(|p| p.completed_per_s));
    row.add("error_completed_percent", error("completed_per_s"));
    for name in LatencyMs::NAMES {
        let figure = published.and_then(|p| p.latency_ms.get(name).copied());
        row.add(format!("published_latency_{name}_ms"), figure);
        row.add(format!("error_latency_{name}_percent"), error(name));
    }
    row.add("published_source", published.map(|p| &p.source));
}

/// How sure the figures of a VM are; empty cells where that was not asked.
fn uncertainty(row: &mut Row, vm: &VmResult) {
    let found = &vm.uncertainty;
    for (name, _) in LatencyMs::PERCENTILES {
        row.add(format!("samples_beyond_{name}"), found.samples_beyond.get(name).copied());
    }
    let all = found.replications.as_ref();
    row.add("replications", all.map(|all| all.count));
    row.add("replications_valid", all.map(|all| all.valid));
    let mut interval = |name: &str, unit: &str, interval: Option<Interval>| {
        row.add(format!("{name}_mean_{unit}"), interval.map(|one| one.mean));
        row.add(format!("{name}_half_width_{unit}"), interval.and_then(|one| one.half_width));
    };
    interval("completed", "per_s", all.map(|all| all.completed_per_s));
    for name in LatencyMs::NAMES {
        let latency = all.and_then(|all| all.latency_ms.get(name).copied());
        interval(&format!("latency_{name}"), "ms", latency);
    }
    row.add("load", found.more_work.map(|more| more.load));
    row.add("more_work_percent", found.more_work.map(|more| more.work_percent));
    row.add("more_work_p99_percent", found.more_work.map(|more| more.p99_percent));
    row.add("elasticity_p99", found.more_work.map(|more| more.elasticity));
}

fn standing(origin: Origin) -> &'static str {
    match origin {
        Origin::Given => "given",
        Origin::Fitted => "fitted",
        Origin::Predicted => "predicted",
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_rows_read_back() {
        let mut results = fixture::pairs();
        results.runs[0].name = "=cmd, \"quoted\"".to_string();
        let files = results.files().unwrap();
        let bytes = &files.iter().find(|file| file.name == "summary.csv").unwrap().bytes;
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

    #[test]
    fn columns_of_tokens_stand_only_where_llms_are_served() {
        let heads = |results: &Results| summary(results).heads;
        let (without, with) = (heads(&fixture::pairs()), heads(&fixture::llm()));
        let more: Vec<&String> = with.iter().filter(|head| !without.contains(head)).collect();
        assert_eq!((without.len() + more.len(), more.len()), (with.len(), 52));
        for head in ["ttft_p99_ms", "tpot_p999_ms", "itl_max_ms", "goodput_share", "preemptions"] {
            assert!(with.iter().any(|known| known == head), "{head}");
        }
        let mut mixed = fixture::llm();
        mixed.runs[0].vms[0].tokens = None;
        let sheet = summary(&mixed);
        let column = sheet.heads.iter().position(|head| head == "output_tokens").unwrap();
        assert_eq!(sheet.rows[0][column].written(), "");
        assert_eq!(sheet.rows[1][column].written(), "720000");
    }

    #[track_caller]
    fn check_keys(value: &Value, keys: &[&str]) {
        for key in keys {
            assert!(value.get(key).is_some(), "`{key}` is missing in {value}");
        }
    }

    #[test]
    fn the_document_has_every_key_of_the_contract() {
        let value: Value = serde_json::from_str(&fixture::pairs().document().unwrap()).unwrap();
        check_keys(
            &value,
            &["schema_version", "tool", "seed", "scenario_hash", "runs", "comparisons"],
        );
        check_keys(&value["tool"], &["name", "version"]);
        let run = &value["runs"][2];
        check_keys(run, &["name", "side", "platform", "vms", "gpus"]);
        assert_eq!((&run["side"], &run["name"]), (&"virtual".into(), &"bert-99-server".into()));
        check_keys(&run["gpus"][0], &["id", "model", "busy_share"]);
        let vm = &run["vms"][0];
        check_keys(vm, &["name", "workload", "scenario", "target_qps", "queries", "samples"]);
        check_keys(vm, &["scheduled_per_s", "completed_per_s", "capacity_qps", "latency_ms"]);
        check_keys(vm, &["verdict", "published"]);
        let latencies = ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"];
        check_keys(&vm["latency_ms"], &latencies);
        check_keys(&vm["verdict"], &["valid", "failed_rules"]);
        check_keys(&vm["published"], &["completed_per_s", "latency_ms", "source"]);
        check_keys(&vm["published"]["latency_ms"], &latencies);
        check_keys(&value["comparisons"][0], &["name", "capacity_ratio", "published_ratio"]);
    }
}
