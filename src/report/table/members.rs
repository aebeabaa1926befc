//! Rows of runs: VMs of one group in one row with their spread, unless each is asked for; and of very
//! many rows the worst.

use crate::report::number::span;
use crate::report::width::Width;
use crate::study::{GpuResult, Results, RunResult, VmResult};
use std::collections::BTreeSet;

/// More rows than this are read by nobody on a terminal.
pub(super) const ROWS_MAX: usize = 60;

/// Of more rows, so many of the worst are shown.
const WORST: usize = 20;

/// The VMs of one row: one, or all of a group.
pub(super) struct Members<'r> {
    pub(super) run: &'r RunResult,
    /// At least one.
    pub(super) vms: Vec<&'r VmResult>,
}

impl<'r> Members<'r> {
    /// The rows of a run.
    pub(super) fn of(run: &'r RunResult, width: Width) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for vm in &run.vms {
            let is_of = |row: &&mut Self| {
                let first = row.vms[0];
                (&first.group, &first.workload, first.scenario)
                    == (&vm.group, &vm.workload, vm.scenario)
            };
            match rows.iter_mut().find(is_of).filter(|_| !width.shows_each()) {
                Some(row) => row.vms.push(vm),
                None => rows.push(Self { run, vms: vec![vm] }),
            }
        }
        rows
    }

    /// The rows of all runs.
    pub(super) fn of_all(results: &'r Results, width: Width) -> Vec<Self> {
        results.runs.iter().flat_map(|run| Self::of(run, width)).collect()
    }

    /// Its name: that of the VM, or of the group with the number of its VMs.
    pub(super) fn name(&self) -> String {
        let first = self.vms[0];
        match self.vms.len() {
            1 => self.run.name_of(&first.name),
            count if count == self.run.vms.len() => format!("{} ({count} VMs)", self.run.name),
            count => format!("{} ({count} VMs)", self.run.name_of(&first.group)),
        }
    }

    /// A figure of all: from the least to the greatest where they differ.
    pub(super) fn figure(&self, of: impl Fn(&VmResult) -> f64, write: fn(f64) -> String) -> String {
        span(self.ends(of), write)
    }

    /// The least and the greatest of a figure.
    pub(super) fn ends(&self, of: impl Fn(&VmResult) -> f64) -> [f64; 2] {
        let figures = self.vms.iter().map(|vm| of(vm));
        figures.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], figure| {
            [low.min(figure), high.max(figure)]
        })
    }

    /// A figure of those that have it; a dash where none has.
    pub(super) fn known(
        &self,
        of: impl Fn(&VmResult) -> Option<f64>,
        write: fn(f64) -> String,
    ) -> String {
        let known: Vec<f64> = self.vms.iter().filter_map(|vm| of(vm)).collect();
        let least = known.iter().copied().reduce(f64::min);
        let most = known.iter().copied().reduce(f64::max);
        least.zip(most).map_or("-".to_string(), |(least, most)| span([least, most], write))
    }

    /// The greatest of a figure that not all have; nothing where none has.
    pub(super) fn greatest(&self, of: impl Fn(&VmResult) -> Option<f64>) -> Option<f64> {
        self.vms.iter().filter_map(|vm| of(vm)).reduce(f64::max)
    }

    /// Its cards, by id: `0`, `0, 2`, `0 to 3`, and of many `300 of 0 to 399`.
    pub(super) fn cards(&self) -> String {
        /// More are not named one by one.
        const NAMED: usize = 8;
        let cards: BTreeSet<u16> = self.vms.iter().flat_map(|vm| vm.cards.clone()).collect();
        let in_a_row = cards.first().zip(cards.last()).is_some_and(|(first, last)| {
            cards.len() > 2 && usize::from(last - first) + 1 == cards.len()
        });
        match (in_a_row, cards.first(), cards.last()) {
            (true, Some(first), Some(last)) => format!("{first} to {last}"),
            (_, Some(first), Some(last)) if cards.len() > NAMED => {
                format!("{} of {first} to {last}", cards.len())
            }
            _ => cards.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
        }
    }

    /// How late the worst of it is, relative to its bound.
    fn lateness(&self) -> f64 {
        self.ends(|vm| vm.badness(vm.latency_ms.p99))[1]
    }

    /// `VALID`, `INVALID`, or how many of it are.
    pub(super) fn verdict(&self) -> String {
        if self.vms[0].scenario == "step" {
            return "step".to_string();
        }
        let invalid = self.vms.iter().filter(|vm| !vm.verdict.valid).count();
        match invalid {
            0 => "VALID".to_string(),
            all if all == self.vms.len() => "INVALID".to_string(),
            some => format!("{some} of {} INVALID", self.vms.len()),
        }
    }
}

/// The rows that are shown, in their order, and what stands below them where others are left out.
pub(super) fn shown(rows: Vec<Members<'_>>, width: Width) -> (Vec<Members<'_>>, String) {
    if rows.len() <= ROWS_MAX || width.shows_each() {
        return (rows, String::new());
    }
    let all = rows.len();
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by(|&one, &other| rows[other].lateness().total_cmp(&rows[one].lateness()));
    let kept: BTreeSet<usize> = order.into_iter().take(WORST).collect();
    let rows = rows.into_iter().enumerate().filter(|(index, _)| kept.contains(index));
    let said = format!(
        "Shown are the {WORST} of {all} rows that are nearest to their bounds or furthest beyond; \
         all are in table.txt and summary.csv, and with --all here."
    );
    (rows.map(|(_, row)| row).collect(), width.said(&said))
}

/// Of very many GPUs those with the least idle time, in their order.
pub(super) fn busiest<'r>(
    gpus: Vec<(&'r RunResult, &'r GpuResult)>,
) -> Vec<(&'r RunResult, &'r GpuResult)> {
    if gpus.len() <= ROWS_MAX {
        return gpus;
    }
    let mut order: Vec<usize> = (0..gpus.len()).collect();
    let idle = |place: usize| gpus[place].1.time.idle_share;
    order.sort_by(|&one, &other| idle(one).total_cmp(&idle(other)));
    let kept: BTreeSet<usize> = order.into_iter().take(WORST).collect();
    kept.into_iter().map(|place| gpus[place]).collect()
}
