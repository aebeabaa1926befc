//! Rows of a chart, one for each VM or card, below headings of their runs; which VMs are one row.
//!
//! It knows places and names, not what is drawn in a row.

use super::figure::{Align, Figure, MARGIN};
use super::style::{self, row, size};
use crate::study::{Results, RunResult, VmResult};
use crate::units::counted;

/// The most rows of a chart; more are for a table.
pub(super) const ROWS_MAX: usize = 60;

/// Most rows of text of a name.
const NAME_ROWS: usize = 4;

/// The room for names.
const NAMES: f64 = 290.0;
/// Where the axis of rows starts.
pub(super) const AXIS: f64 = MARGIN + NAMES + 24.0;

/// What stands left of a row.
pub(super) struct Head {
    /// What the row belongs to; empty where it needs none.
    pub(super) section: String,
    pub(super) name: String,
}

impl Head {
    /// The name with what the row belongs to.
    pub(super) fn whole(&self) -> String {
        match self.section.as_str() {
            "" => self.name.clone(),
            section => format!("{section}, {}", self.name),
        }
    }
}

/// Where the rows are.
pub(super) struct Places {
    /// The upper and lower ends of rows that stand together.
    pub(super) blocks: Vec<(f64, f64)>,
    /// The middle of each row.
    pub(super) middles: Vec<f64>,
}

/// Makes room for rows below what the figure has, at least so high each, with so much more below some of
/// them, and writes their heads.
pub(super) fn lay_out(figure: &mut Figure, heads: &[Head], least: f64, more: &[f64]) -> Places {
    let all: Vec<&str> = heads.iter().map(|head| head.name.as_str()).collect();
    let names = style::names(&all, NAME_ROWS, NAMES, false);
    let mut places = Places { blocks: Vec::new(), middles: Vec::new() };
    let mut y = figure.height;
    for (index, (head, name)) in heads.iter().zip(&names).enumerate() {
        let earlier = index.checked_sub(1).map(|before| &heads[before].section);
        if earlier != Some(&head.section) {
            y += if index > 0 { 14.0 } else { 0.0 };
            if !head.section.is_empty() {
                let room = super::figure::WIDTH - 2.0 * MARGIN;
                for line in style::wrapped_to(3, &head.section, room, size::HEAD, true) {
                    let at = (MARGIN, y + row::TEXT / 2.0);
                    figure.label(at, &line, size::HEAD, Align::Right, style::INK).bold = true;
                    y += row::TEXT + 4.0;
                }
            }
            places.blocks.push((y, y));
        }
        let of_name = row::TEXT * (name.len() as f64 - 1.0);
        let more = more.get(index).copied().unwrap_or(0.0);
        let height = (least + more).max(of_name + row::TEXT + 6.0);
        // What is below a row stands beside its name.
        let middle = y + if more > 0.0 { least } else { height } / 2.0;
        let first = if more > 0.0 { middle } else { middle - of_name / 2.0 };
        figure.rows((MARGIN + NAMES, first), name, Align::Left, false);
        places.middles.push(middle);
        y += height.max(first - y + of_name + row::TEXT / 2.0 + 3.0);
        places.blocks.last_mut().expect("a block was begun").1 = y;
    }
    figure.height = y;
    places
}

/// VMs that are alike: those of one `count`, or one VM.
pub(super) struct Group<'r> {
    /// The name, with the number of VMs where there are several.
    pub(super) name: String,
    pub(super) vms: Vec<&'r VmResult>,
}

/// The VMs of a run, those that are alike together, in their order.
pub(super) fn groups(run: &RunResult) -> Vec<Group<'_>> {
    let mut groups: Vec<(&str, Vec<&VmResult>)> = Vec::new();
    for vm in &run.vms {
        let alike = |other: &VmResult| {
            let of = |vm: &VmResult| (vm.scenario, vm.target_latency_ms.to_bits());
            of(other) == of(vm) && other.workload == vm.workload
        };
        match groups.iter_mut().find(|(name, vms)| *name == vm.group && alike(vms[0])) {
            Some((_, vms)) => vms.push(vm),
            None => groups.push((&vm.group, vec![vm])),
        }
    }
    let named = groups.into_iter().map(|(name, vms)| {
        let name = match vms.as_slice() {
            [one] => one.name.clone(),
            _ => format!("{name} ({})", counted(vms.len(), "VM")),
        };
        Group { name, vms }
    });
    named.collect()
}

/// Every group of every run that `keep` keeps, with the head of its row.
pub(super) fn all_groups<'r>(
    results: &'r Results,
    keep: impl Fn(&VmResult) -> bool,
) -> Vec<(Head, Group<'r>)> {
    let mut rows = Vec::new();
    for run in &results.runs {
        let mut groups = groups(run);
        groups.iter_mut().for_each(|group| group.vms.retain(|vm| keep(vm)));
        groups.retain(|group| !group.vms.is_empty());
        let only = groups.len() == 1;
        for group in groups {
            rows.push((head(results, run, only, &group.name), group));
        }
    }
    rows
}

/// The head of a row of this run: below the run's name, or with it where the run has one row, or
/// alone where there is one run.
pub(super) fn head(results: &Results, run: &RunResult, only: bool, name: &str) -> Head {
    let of_run = format!("{}, {}", run.name, run.place());
    match (results.runs.len(), only) {
        (1, _) => Head { section: String::new(), name: name.to_string() },
        (_, true) => Head { section: String::new(), name: of_run },
        _ => Head { section: of_run, name: name.to_string() },
    }
}

/// At most [`ROWS_MAX`] of the rows, in their order: those of highest weight. Says what is left out.
pub(super) fn at_most<T>(mut rows: Vec<T>, weight: impl Fn(&T) -> f64) -> (Vec<T>, Option<String>) {
    let all = rows.len();
    if all <= ROWS_MAX {
        return (rows, None);
    }
    let mut order: Vec<(f64, usize)> =
        rows.iter().enumerate().map(|(index, row)| (weight(row), index)).collect();
    order.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let kept: std::collections::BTreeSet<usize> =
        order.into_iter().take(ROWS_MAX).map(|(_, index)| index).collect();
    let mut index = 0;
    rows.retain(|_| {
        index += 1;
        kept.contains(&(index - 1))
    });
    (rows, Some(format!("{ROWS_MAX} of {all} rows; all are in the files")))
}
