//! The tables of runs: published above predicted where figures were published, else one line each.
//!
//! Verdicts and ratios are explained below the tables, not here.

use super::super::number::{latency, mark, or_dash, percent, plain, rate};
use super::grid::{Column, Columns, Grid};
use super::members::{self, Members};
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
    let (grid, said) = published_grid(results, width);
    grid.finish(width) + &said
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn published_grid(results: &Results, width: Width) -> (Grid, String) {
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
    let (rows, said) = members::shown(Members::of_all(results, width), width);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && rows[index - 1].run.name != row.run.name {
            grid.gap();
        }
        // Published figures are those of one VM, which stands by itself.
        match row.vms.iter().all(|vm| vm.published.is_none()) && row.vms.len() > 1 {
            true => grid.line(plain_line(row)),
            false => {
                for vm in &row.vms {
                    grid.line(published_line(row.run, vm));
                    grid.line(predicted_line(row.run, vm));
                }
            }
        }
    }
    (grid, said)
}

/// The line of VMs that nothing was published of.
fn plain_line(row: &Members<'_>) -> Vec<String> {
    let mut cells = vec![row.name(), "simulated".to_string()];
    cells.push(row.figure(|vm| vm.completed_per_s, rate));
    cells.push(String::new());
    for name in PERCENTILES {
        cells.push(row.known(|vm| vm.latency_ms.get(name), latency));
        cells.push(String::new());
    }
    cells.push(row.verdict());
    cells
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
    let (grid, said) = plain_grid(results, width);
    if grid.rows() == 0 && results.vms().any(|(_, vm)| vm.tokens.is_some()) {
        return String::new();
    }
    grid.finish(width) + &said
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn plain_grid(results: &Results, width: Width) -> (Grid, String) {
    use Column::{Number, Text};
    // Only where VMs may be on several models, a load is judged by it, a server may reject queries.
    let (models, beyond) = (results.has_several_models(), looks_beyond(results));
    let rejects = results.vms().any(|(_, vm)| vm.rejected.is_some());
    let cards = results.runs.iter().any(|run| run.gpus.len() > 1);
    let rows = Members::of_all(results, width).into_iter();
    // What an LLM does is told by its tokens, in a table of its own.
    let rows = rows.filter(|row| row.vms[0].tokens.is_none()).collect();
    let (rows, said) = members::shown(rows, width);
    let grid = Columns::new()
        .with("run", Text, |row: &Members<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .when(cards, "card", Text, |row| row.cards())
        .when(models, "GPU", Text, |row| row.run.models_of(row.vms[0]).join(", "))
        .with("asked/s", Number, asked)
        .with("samples/s", Number, |row| row.figure(|vm| vm.completed_per_s, rate))
        .with("p50 ms", Number, |row| row.figure(|vm| vm.latency_ms.p50, latency))
        .with("p90 ms", Number, |row| row.figure(|vm| vm.latency_ms.p90, latency))
        .with("p99 ms", Number, |row| row.figure(|vm| vm.latency_ms.p99, latency))
        .when(beyond, "p99.9 ms", Number, |row| row.figure(|vm| vm.latency_ms.p999, latency))
        .when(rejects, "rejected", Number, |row| {
            row.known(|vm| vm.rejected.map(|count| count as f64), plain)
        })
        .with("verdict", Text, |row| row.verdict())
        .of(rows);
    (grid, said + &spread(results, width))
}

/// What a span of figures means, where there is one.
fn spread(results: &Results, width: Width) -> String {
    let rows = Members::of_all(results, width);
    match rows.iter().any(|row| row.vms.len() > 1) {
        true => width.said(
            "VMs of one count are one row, their figures each from the least to the greatest VM; \
             --all shows each.",
        ),
        false => String::new(),
    }
}

fn verdict(vm: &VmResult) -> String {
    if vm.scenario == "step" {
        return "step".to_string();
    }
    (if vm.verdict.valid { "VALID" } else { "INVALID" }).to_string()
}

/// The rate asked for, where one is.
pub(super) fn asked(row: &Members<'_>) -> String {
    let has_rate = |vm: &VmResult| matches!(vm.scenario, "server" | "offline");
    row.known(|vm| has_rate(vm).then_some(vm.target_qps), rate)
}
