//! How certain the figures of runs are: a line per VM whose latencies are reported, and each VM
//! beside its counterfactuals.

use super::super::number::{latency, or_dash, percent, percentile, plain, ratio, span};
use super::grid::{Column, Grid};
use super::members::{self, Members};
use super::runs;
use crate::report::width::Width;
use crate::study::{Interval, PairedRatio, Results, RunResult, Side, VmResult};

/// The block; empty where no run has latencies of its own.
pub(super) fn uncertainty(results: &Results, width: Width) -> String {
    [vms(results, width), ratios(results, width)].concat()
}

/// What the two kinds of bare metal are.
const SAME_CARDS: &str = " Same cards: the same number of cards as the VMs have, the load of all \
     VMs on one server per card.";
const WHOLE_CARDS: &str = " Whole cards: one whole card for each part of a card that a VM has.";

/// The VMs whose latencies mean something: in an Offline run they are completion times.
fn lines(results: &Results) -> impl Iterator<Item = (&RunResult, &VmResult)> {
    results.vms().filter(|(_, vm)| is_shown(vm))
}

/// Those of an LLM are times of whole requests: its tokens have a table of their own.
fn is_shown(vm: &VmResult) -> bool {
    vm.scenario != "offline" && vm.tokens.is_none()
}

fn vms(results: &Results, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let beyond = runs::looks_beyond(results);
    let (mut several, mut more, mut any) = (None, false, false);
    for (_, vm) in lines(results) {
        any = true;
        several = several.or(vm.uncertainty.replications.as_ref().map(|found| found.count));
        more |= vm.uncertainty.more_work.is_some();
    }
    if !any {
        return String::new();
    }
    let mut columns = vec![("uncertainty", Text), ("platform", Text)];
    // The two that say most: of a load that is judged beyond the 99th percentile the median is no news.
    let shown = if beyond { ["p99", "p999"] } else { ["p50", "p99"] };
    let heads = shown.map(|name| format!("{} ms", percentile(name)));
    if several.is_some() {
        columns.extend(heads.iter().flat_map(|head| [(head.as_str(), Number), ("±", Attached)]));
    }
    columns.extend([("beyond p99", Number), ("beyond p99.9", Number)]);
    if more {
        columns.extend([("busy %", Number), ("p99 %, 1 % more work", Number)]);
    }
    let mut grid = Grid::new(&columns);
    let rows = Members::of_all(results, width).into_iter();
    let rows: Vec<Members<'_>> = rows.filter(|row| is_shown(row.vms[0])).collect();
    let (rows, left_out) = members::shown(rows, width);
    for row in &rows {
        let mut cells = vec![row.name(), row.run.place()];
        if several.is_some() {
            for name in shown {
                let of = |vm: &VmResult| {
                    Some(*vm.uncertainty.replications.as_ref()?.latency_ms.get(name)?)
                };
                cells.push(row.known(|vm| Some(of(vm)?.mean), latency));
                let half = row.greatest(|vm| of(vm)?.half_width);
                cells.push(half.map_or(String::new(), latency));
            }
        }
        for name in ["p99", "p999"] {
            let beyond =
                |vm: &VmResult| vm.uncertainty.samples_beyond.get(name).map(|all| *all as f64);
            cells.push(row.known(beyond, plain));
        }
        if more {
            let more = |vm: &VmResult| vm.uncertainty.more_work;
            cells.push(row.known(|vm| Some(more(vm)?.load * 100.0), |load| plain(load.round())));
            cells.push(row.known(|vm| Some(more(vm)?.p99_percent), percent));
        }
        grid.line(cells);
    }
    let said = match several {
        Some(count) => format!(
            "Mean of {count} runs with other random numbers, ± half the 95 % interval (Student); the tables above show the first. \"beyond\": samples beyond a percentile."
        ),
        None => "\"beyond\": samples beyond a percentile. --replications shows how far other \
            random numbers change a figure."
            .to_string(),
    };
    let said = match more {
        true => format!(
            "{said} busy: part of the run in which the VM's busiest card was busy; from 90 % on, \
             and on time-sliced cards, the run is repeated with 1 % more GPU work."
        ),
        false => said,
    };
    grid.finish(width) + &left_out + &width.said(&said)
}

/// Each VM over its counterfactuals.
fn ratios(results: &Results, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let shown = results.paired_ratios.iter();
    let shown = shown.filter(|pair| !pair.latency.is_empty() && pair.tokens.is_none());
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        return String::new();
    }
    let heads = ["samples/s", "p50", "p90", "p99"];
    let mut columns = vec![("over bare metal", Text), ("with", Text)];
    columns.extend(heads.iter().flat_map(|head| [(*head, Number), ("±", Attached)]));
    let mut grid = Grid::new(&columns);
    let mut rows: Vec<(String, &str, Vec<&PairedRatio>)> = Vec::new();
    for pair in shown {
        let (name, kind) = (name_of(results, pair, width), pair.baseline_kind);
        match rows.iter_mut().find(|row| (&row.0, row.1) == (&name, kind)) {
            Some((.., pairs)) => pairs.push(pair),
            None => rows.push((name, kind, vec![pair])),
        }
    }
    let all = rows.len();
    let most = if width.shows_each() { all } else { members::ROWS_MAX };
    for (name, kind, pairs) in rows.into_iter().take(most) {
        let name = if pairs.len() > 1 { format!("{name} ({} VMs)", pairs.len()) } else { name };
        let mut cells = vec![name, kind.replace('-', " ")];
        for head in heads {
            let of = |pair: &&PairedRatio| match head {
                "samples/s" => Some(pair.completed_per_s),
                percentile => pair.latency.get(percentile).copied(),
            };
            let found: Vec<Interval> = pairs.iter().filter_map(of).collect();
            let means = || found.iter().map(|one| one.mean);
            let ends = means().reduce(f64::min).zip(means().reduce(f64::max));
            cells.push(or_dash(ends, |(low, high)| span([low, high], ratio)));
            let half = found.iter().filter_map(|one| one.half_width).reduce(f64::max);
            cells.push(half.map_or(String::new(), |half| format!("{half:.3}")));
        }
        grid.line(cells);
    }
    let mut said =
        "Ratio of virtual to bare metal at the same rate and with the same random numbers, pair \
         by pair."
            .to_string();
    said.push_str(&bare_metal(results));
    if all > most {
        said.push_str(&format!(" {} more are in result.json.", all - most));
    }
    format!("\n{}{}", grid.finish(width), width.said(&said))
}

/// What the kinds of bare metal in the results are.
pub(super) fn bare_metal(results: &Results) -> String {
    let any = |kind: &str| results.paired_ratios.iter().any(|pair| pair.baseline_kind == kind);
    let kinds = [("same-cards", SAME_CARDS), ("whole-cards", WHOLE_CARDS)];
    kinds.into_iter().filter(|(kind, _)| any(kind)).map(|(_, said)| said).collect()
}

/// The name of a VM beside its counterfactual, or of its group.
pub(super) fn name_of(results: &Results, pair: &PairedRatio, width: Width) -> String {
    let is_of = |run: &&RunResult| run.name == pair.name && run.side == Side::Virtual;
    let Some(run) = results.runs.iter().find(is_of) else { return pair.name.clone() };
    let vm = run.vms.iter().find(|vm| vm.name == pair.vm);
    let group = vm.map_or(&pair.vm, |vm| if width.shows_each() { &vm.name } else { &vm.group });
    let is_all = run.vms.iter().all(|vm| vm.group == *group);
    if is_all { run.name.clone() } else { format!("{} / {group}", run.name) }
}
