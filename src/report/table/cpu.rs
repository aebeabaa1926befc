//! What VMs had of the host's processors, where these are shared.

use super::super::number::{plain, span};
use super::grid::{Column, Columns, Grid};
use super::members;
use crate::report::width::Width;
use crate::study::{CpuResult, Results, RunResult};

/// The VMs of one row: one, or all of a group.
struct Row<'r> {
    run: &'r RunResult,
    vms: Vec<&'r CpuResult>,
}

impl<'r> Row<'r> {
    fn of(run: &'r RunResult, width: Width) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for vm in &run.cpu {
            let alike =
                |row: &&mut Self| (&row.vms[0].group, row.vms[0].work) == (&vm.group, vm.work);
            match rows.iter_mut().find(alike).filter(|_| !width.shows_each()) {
                Some(row) => row.vms.push(vm),
                None => rows.push(Self { run, vms: vec![vm] }),
            }
        }
        rows
    }

    fn name(&self) -> String {
        let name = match self.vms.len() {
            1 => self.vms[0].vm.clone(),
            count => format!("{} ({count} VMs)", self.vms[0].group),
        };
        format!("{} / {name}", self.run.name)
    }

    fn figure(&self, of: impl Fn(&CpuResult) -> f64) -> String {
        let figures = self.vms.iter().map(|vm| of(vm));
        let ends = figures.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], figure| {
            [low.min(figure), high.max(figure)]
        });
        span(ends, |value| plain((value * 100.0).round() / 100.0))
    }
}

/// One row for each VM or group; empty where no processors are shared.
pub(super) fn cpu(results: &Results, width: Width) -> String {
    cpu_grid(results, width).map_or(String::new(), |(grid, said)| grid.finish(width) + &said)
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn cpu_grid(results: &Results, width: Width) -> Option<(Grid, String)> {
    use Column::{Number, Text};
    let rows = results.runs.iter().flat_map(|run| Row::of(run, width));
    let mut rows: Vec<Row<'_>> = rows.collect();
    if rows.is_empty() {
        return None;
    }
    let all = rows.len();
    if !width.shows_each() {
        rows.truncate(members::ROWS_MAX);
    }
    let more = match all - rows.len() {
        0 => String::new(),
        more => width.said(&format!("and {more} more, in result.json")),
    };
    let grid = Columns::new()
        .with("processors", Text, |row: &Row<'_>| row.name())
        .with("work", Text, |row| row.vms[0].work.word().to_string())
        .with("vCPUs", Number, |row| row.figure(|vm| f64::from(vm.vcpus)))
        .with("shares", Number, |row| row.figure(|vm| vm.shares as f64))
        .with("wants cores", Number, |row| row.figure(|vm| vm.wanted_cores))
        .with("gets cores", Number, |row| row.figure(|vm| vm.got_cores))
        .with("%RDY", Number, |row| row.figure(|vm| vm.ready_percent))
        .of(rows);
    Some((grid, more + &width.said(LEGEND)))
}

const LEGEND: &str = "wants: vCPUs with work, in the mean; gets: work done, in cores that do nothing \
    else; %RDY: part of the time in which a vCPU has work and no processor, in percent (esxtop, for \
    each vCPU).";
