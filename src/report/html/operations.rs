//! Operations, on the page of a run: each with what it did, and the availability of each VM.
//!
//! Figures by window are in the chart and in `over-time.csv`.

use super::page::Page;
use super::table::Table;
use crate::report::number::{latency, or_dash};
use crate::report::table::{Column, Columns, availability_percent, operations_said, seconds};
use crate::study::{OperationResult, Results, RunResult, VmOverTime};
use Column::{Number, Text};

/// The files with a row for each operation, and for each window of a VM.
const OPERATIONS: &str = "operations.csv";
const WINDOWS: &str = "over-time.csv";

/// The tables; none where there are no operations.
pub(super) fn operations(page: &mut Page, results: &Results) {
    for run in &results.runs {
        let Some(found) = &run.operations else { continue };
        let grid = Columns::new()
            .with("operation", Text, |one: &&OperationResult| one.kind.to_string())
            .with("of", Text, |one| one.of.clone())
            .with("at, s", Number, |one| seconds(one.at_s))
            .with("to", Text, |one| one.to.clone().unwrap_or_default())
            .with("pre-copy, s", Number, |one| seconds(one.pre_copy_s))
            .with("stopped, s", Number, |one| or_dash(one.stopped_s, seconds))
            .with("waited", Number, |one| one.queries_waited.to_string())
            .with("longest, ms", Number, |one| latency(one.latency_longest_ms))
            .with("lost", Number, |one| one.queries_lost.to_string())
            .of(&found.operations);
        let badness = found.operations.iter().map(|one| one.latency_longest_ms).collect();
        let table = Table::of("Operations", grid, OPERATIONS);
        if !found.operations.is_empty() {
            page.table(table.worst_by("longest latency", badness));
        }
        page.list(&operations_said(&found.operations));
        let grid = Columns::new()
            .with("VM", Text, |(run, vm): &(&RunResult, &VmOverTime)| run.name_of(&vm.vm))
            .with("made", Number, |(_, vm)| vm.made.to_string())
            .with("within bound, %", Number, |(_, vm)| availability_percent(vm.availability))
            .with("lost", Number, |(_, vm)| vm.lost.to_string())
            .with("down, s", Number, |(_, vm)| seconds(vm.down_s))
            .of(found.vms.iter().map(|vm| (run, vm)));
        let badness = found.vms.iter().map(|vm| 1.0 - vm.availability).collect();
        let table = Table::of("Availability", grid, WINDOWS);
        page.table(table.worst_by("availability", badness));
    }
}
