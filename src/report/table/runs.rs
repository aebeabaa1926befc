//! The tables of runs: published above predicted where figures were published, else one line each.
//!
//! Verdicts and ratios are explained below the tables, not here.

use super::super::number::{latency, mark, or_dash, percent, rate};
use super::grid::{Column, Columns, Grid};
use crate::report::width::Width;
use crate::study::{PublishedResult, Results, RunResult, VmResult};

/// The percentiles that stand beside published ones; the documents hold them all.
const PERCENTILES: [&str; 3] = ["p50", "p90", "p99"];

/// Whether a load's percentile lies beyond the 99th.
pub(super) fn looks_beyond(results: &Results) -> bool {
    results.vms().any(|(_, vm)| vm.load.percentile > 99.0 && vm.scenario != "offline")
}

/// Two lines per VM: the published figures, and below them the simulated ones.
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
    let mut cells = vec![run.name_of(&vm.name), "published".to_string()];
    cells.push(or_dash(published.and_then(|p| p.completed_per_s), rate));
    cells.push(String::new());
    for name in PERCENTILES {
        cells.push(or_dash(published.and_then(|p| p.latency_ms.get(name).copied()), latency));
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
        cells.push(or_dash(vm.latency_ms.get(name), latency));
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
    // Only where VMs may be on several models, a load is judged by it, a server may reject queries.
    let (models, beyond) = (results.has_several_models(), looks_beyond(results));
    let rejects = results.vms().any(|(_, vm)| vm.rejected.is_some());
    Columns::new()
        .with("run", Text, |(run, vm): &(&RunResult, &VmResult)| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .when(models, "GPU", Text, |(run, vm)| run.models_of(vm).join(", "))
        .with("asked/s", Number, |(_, vm)| asked(vm))
        .with("samples/s", Number, |(_, vm)| rate(vm.completed_per_s))
        .with("p50 ms", Number, |(_, vm)| latency(vm.latency_ms.p50))
        .with("p90 ms", Number, |(_, vm)| latency(vm.latency_ms.p90))
        .with("p99 ms", Number, |(_, vm)| latency(vm.latency_ms.p99))
        .when(beyond, "p99.9 ms", Number, |(_, vm)| latency(vm.latency_ms.p999))
        .when(rejects, "rejected", Number, |(_, vm)| {
            or_dash(vm.rejected, |count| count.to_string())
        })
        .with("verdict", Text, |(_, vm)| verdict(vm))
        .of(results.vms())
        .finish(width)
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
