//! Operations on VMs, with what each did to their queries; and the availability of each VM.
//!
//! Figures by window are in the sheet and the chart.

use super::super::number::{latency, or_dash, plain};
use super::grid::{Column, Columns};
use super::members::ROWS_MAX;
use crate::report::width::Width;
use crate::study::{OperationResult, Results, RunResult, VmOverTime};

/// The blocks; empty where there are no operations.
pub(super) fn operations(results: &Results, width: Width) -> String {
    let runs = results.runs.iter().filter(|run| run.operations.is_some());
    let blocks: Vec<String> = runs.map(|run| of_run(run, width)).collect();
    blocks.join("\n")
}

fn of_run(run: &RunResult, width: Width) -> String {
    use Column::{Number, Text};
    let Some(found) = &run.operations else { return String::new() };
    let grid = Columns::new()
        .with("operation", Text, |one: &&OperationResult| one.kind.to_string())
        .with("of", Text, |one| one.of.clone())
        .with("at s", Number, |one| in_seconds(one.at_s))
        .with("to", Text, |one| one.to.clone().unwrap_or_default())
        .with("pre-copy s", Number, |one| in_seconds(one.pre_copy_s))
        .with("stopped s", Number, |one| or_dash(one.stopped_s, in_seconds))
        .with("waited", Number, |one| one.queries_waited.to_string())
        .with("longest ms", Number, |one| latency(one.latency_longest_ms))
        .with("lost", Number, |one| one.queries_lost.to_string())
        .of(&found.operations);
    let shown = if width.shows_each() { found.vms.len() } else { found.vms.len().min(ROWS_MAX) };
    let availability = Columns::new()
        .with("availability", Text, |(run, one): &(&RunResult, &VmOverTime)| run.name_of(&one.vm))
        .with("made", Number, |(_, one)| one.made.to_string())
        .with("within bound %", Number, |(_, one)| percent(one.availability))
        .with("lost", Number, |(_, one)| one.lost.to_string())
        .with("down s", Number, |(_, one)| in_seconds(one.down_s))
        .of(found.vms.iter().take(shown).map(|one| (run, one)));
    let rest = match found.vms.len() - shown {
        0 => String::new(),
        more => width.said(&format!("and {more} more VMs, in result.json")),
    };
    let told = width.items("operation", &said(&found.operations));
    let grid = match found.operations.is_empty() {
        true => String::new(),
        false => grid.finish(width) + &width.said(LEGEND),
    };
    let blocks = [grid, told, availability.finish(width) + &rest];
    blocks.into_iter().filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What there is to say of operations beside figures, a sentence each.
pub(in crate::report) fn said(operations: &[OperationResult]) -> Vec<String> {
    let of = |one: &OperationResult| {
        let what = format!("{} of {} at {} s", one.kind, one.of, in_seconds(one.at_s));
        match &one.why {
            Some(why) => Some(format!("{what} was not done: {why}.")),
            None if one.parts.is_empty() => None,
            None => Some(format!("{what} {}.", one.parts.join(", "))),
        }
    };
    operations.iter().filter_map(of).collect()
}

/// Seconds as a table shows them.
pub(in crate::report) fn in_seconds(seconds: f64) -> String {
    plain((seconds * 100.0).round() / 100.0)
}

/// A part in percent, with three places: four nines are told apart.
pub(in crate::report) fn percent(part: f64) -> String {
    format!("{:.3}", (part * 100_000.0).floor() / 1000.0)
}

const LEGEND: &str = "Pre-copy: memory is copied while the VM serves. Stopped: it does not serve. Waited: \
queries that were there or came meanwhile and were answered afterwards, with the longest latency of them. \
Lost: queries that nobody answered.";
