//! The sheets of operations: each with what it did, and the figures of each VM by window of the run.
//!
//! The table and the chart show a choice of them.

use super::parts::Part;
use super::sheet::{Row, Sheet};
use crate::study::Results;

/// Both sheets; none where there are no operations.
pub(super) fn sheets(results: &Results) -> Vec<Part> {
    let runs = || results.runs.iter().filter_map(|run| Some((run, run.operations.as_ref()?)));
    if runs().next().is_none() {
        return Vec::new();
    }
    let operations = runs().flat_map(|(run, found)| {
        found.operations.iter().map(move |one| {
            let mut row = Row::default();
            row.add("run", &run.name);
            row.add("operation", one.kind);
            row.add("of", &one.of);
            row.add("at_s", one.at_s);
            row.add("to", one.to.as_ref());
            row.add("done", one.done);
            row.add("why", one.why.as_ref());
            row.add("parts", one.parts.join("; "));
            row.add("pre_copy_s", one.pre_copy_s);
            row.add("stopped_at_s", one.stopped_at_s);
            row.add("stopped_s", one.stopped_s);
            row.add("queries_waited", one.queries_waited);
            row.add("latency_longest_ms", one.latency_longest_ms);
            row.add("queries_lost", one.queries_lost);
            row
        })
    });
    let windows = runs().flat_map(|(run, found)| {
        found.vms.iter().flat_map(move |vm| {
            vm.windows.iter().map(move |window| {
                let mut row = Row::default();
                row.add("run", &run.name);
                row.add("vm", &vm.vm);
                row.add("from_s", window.from_s);
                row.add("to_s", window.from_s + found.window_s);
                row.add("made", window.made);
                row.add("within_bound", window.within_bound);
                row.add("over_bound", window.over_bound);
                row.add("rejected", window.rejected);
                row.add("lost", window.lost);
                row.add("latency_p99_ms", window.latency_p99_ms);
                row.add("latency_longest_ms", window.latency_longest_ms);
                row
            })
        })
    });
    vec![
        Part::Sheet(Sheet::of_rows("operations", operations)),
        Part::Sheet(Sheet::of_rows("over-time", windows)),
    ]
}
