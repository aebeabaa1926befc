//! The tables of runs: published above predicted where figures were published, else one line each.
//!
//! What the verdicts and ratios mean is told below the tables, not here.

use super::super::number::{latency, mark, percent, rate};
use super::Width;
use super::grid::{Column, Grid};
use crate::study::{PublishedResult, Results, RunResult, VmResult};

/// The percentiles that tables show, and one beyond them where a load is judged or reported by it; the
/// documents hold them all.
const PERCENTILES: [&str; 3] = ["p50", "p90", "p99"];
const BEYOND: &str = "p999";

/// Whether a load's percentile lies beyond the 99th.
pub(super) fn looks_beyond(results: &Results) -> bool {
    results.vms().any(|(_, vm)| vm.load.percentile > 99.0 && vm.scenario != "offline")
}

/// Two lines per VM: what was published, and below it what the simulation says.
pub(super) fn against_published(results: &Results, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut grid = Grid::new(&[
        ("run", Text),
        ("figures", Text),
        ("samples/s", Number),
        ("err %", Attached),
        ("p50 ms", Number),
        ("err %", Attached),
        ("p90 ms", Number),
        ("err %", Attached),
        ("p99 ms", Number),
        ("err %", Attached),
        ("verdict", Text),
    ]);
    for (index, run) in results.runs.iter().enumerate() {
        if index > 0 && results.runs[index - 1].name != run.name {
            grid.gap();
        }
        for vm in &run.vms {
            grid.line(published_line(run, vm));
            grid.line(predicted_line(run, vm));
        }
    }
    grid.finish(width)
}

fn published_line(run: &RunResult, vm: &VmResult) -> Vec<String> {
    let published = vm.published.as_ref();
    let figure =
        |value: Option<f64>, write: fn(f64) -> String| value.map_or("-".to_string(), write);
    let mut cells = vec![run.name_of(&vm.name), "published".to_string()];
    cells.push(figure(published.and_then(|p| p.completed_per_s), rate));
    cells.push(String::new());
    for name in PERCENTILES {
        cells.push(figure(published.and_then(|p| p.latency_ms.get(name).copied()), latency));
        cells.push(String::new());
    }
    cells.push(String::new());
    cells
}

fn predicted_line(run: &RunResult, vm: &VmResult) -> Vec<String> {
    let published = vm.published.as_ref();
    let mut cells = vec![format!("  {}", run.place()), "simulated".to_string()];
    cells.push(rate(vm.completed_per_s));
    cells.push(error(published, "completed_per_s", mark(vm.standing.rate)));
    for name in PERCENTILES {
        cells.push(vm.latency_ms.get(name).map_or("-".to_string(), latency));
        cells.push(error(published, name, mark(vm.standing.latency)));
    }
    cells.push(verdict(vm));
    cells
}

/// The error of a figure and what the figure is, as `+1.2 p`.
fn error(published: Option<&PublishedResult>, name: &str, mark: &str) -> String {
    let error =
        published.and_then(|p| p.error_percent.get(name)).map_or(String::new(), |e| percent(*e));
    format!("{error} {mark}").trim_start().to_string()
}

/// One line per VM, for runs without anything published.
pub(super) fn plain_runs(results: &Results, width: Width) -> String {
    use Column::{Number, Text};
    // Only where VMs may be on several models.
    let models = results.has_several_models();
    let mut columns = vec![("run", Text), ("platform", Text)];
    columns.extend(models.then_some(("GPU", Text)));
    columns.extend([
        ("asked/s", Number),
        ("samples/s", Number),
        ("p50 ms", Number),
        ("p90 ms", Number),
    ]);
    columns.push(("p99 ms", Number));
    let beyond = looks_beyond(results);
    columns.extend(beyond.then_some(("p99.9 ms", Number)));
    // Only where a server may reject queries.
    let rejects = results.vms().any(|(_, vm)| vm.rejected.is_some());
    if rejects {
        columns.push(("rejected", Number));
    }
    columns.push(("verdict", Text));
    let mut grid = Grid::new(&columns);
    for run in &results.runs {
        for vm in &run.vms {
            let mut cells = vec![run.name_of(&vm.name), run.place()];
            cells.extend(models.then(|| run.models_of(vm).join(", ")));
            cells.extend([asked(vm), rate(vm.completed_per_s)]);
            let shown = PERCENTILES.into_iter().chain(beyond.then_some(BEYOND));
            cells.extend(shown.map(|p| vm.latency_ms.get(p).map_or("-".to_string(), latency)));
            if rejects {
                cells.push(vm.rejected.map_or("-".to_string(), |count| count.to_string()));
            }
            cells.push(verdict(vm));
            grid.line(cells);
        }
    }
    grid.finish(width)
}

fn verdict(vm: &VmResult) -> String {
    if vm.scenario == "step" {
        return "step".to_string();
    }
    (if vm.verdict.valid { "VALID" } else { "INVALID" }).to_string()
}

/// The rate asked for, where one is.
fn asked(vm: &VmResult) -> String {
    let has_rate = matches!(vm.scenario, "server" | "offline");
    if has_rate { rate(vm.target_qps) } else { "-".to_string() }
}
