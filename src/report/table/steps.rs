//! Latencies of ensembles' queries in each step.
//!
//! The whole path is a line of the table of runs.

use super::super::number::{latency, or_dash, rate};
use super::grid::{Column, Grid};
use crate::report::width::Width;
use crate::study::Results;

/// The block; empty where there are no ensembles.
pub(super) fn steps(results: &Results, width: Width) -> String {
    use Column::{Number, Text};
    let mut grid = Grid::new(&[
        ("steps", Text),
        ("platform", Text),
        ("queue ms", Number),
        ("run ms", Number),
        ("p99 ms", Number),
        ("batch", Number),
    ]);
    let mut any = false;
    for run in &results.runs {
        for vm in run.vms.iter().filter(|vm| !vm.steps.is_empty()) {
            any = true;
            let head = [run.name_of(&vm.name), run.place()];
            grid.line([&head[..], &[const { String::new() }; 4]].concat());
            for step in &vm.steps {
                let batch = or_dash(step.batch_mean, rate);
                let cells =
                    [step.queue_mean_ms, step.run_mean_ms, step.latency_ms.p99].map(latency);
                let name = vec![format!("  {}", step.step), String::new()];
                grid.line([name, cells.to_vec(), vec![batch]].concat());
            }
        }
    }
    if !any {
        return String::new();
    }
    grid.finish(width) + &width.lines(LEGEND)
}

const LEGEND: &str = "For each step: mean time until its batch is formed, mean time from then \
    until it leaves, \
p99 of both together, and mean samples of a batch.";
