//! How certain the figures of runs are: a line per VM whose latencies are reported, and each VM
//! beside its counterfactuals.

use super::super::number::{latency, or_dash, percentile, plain};
use super::grid::{Column, Grid};
use super::runs;
use crate::report::width::Width;
use crate::study::{Interval, Results, RunResult, VmResult};

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
    results.vms().filter(|(_, vm)| vm.scenario != "offline")
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
        columns.extend([("busy", Number), ("1 % more work", Number)]);
    }
    let mut grid = Grid::new(&columns);
    for (run, vm) in lines(results) {
        let found = &vm.uncertainty;
        let mut cells = vec![run.name_of(&vm.name), run.place()];
        if several.is_some() {
            for name in shown {
                let all = found.replications.as_ref();
                cells.extend(mean_and_half(all.and_then(|all| all.latency_ms.get(name))));
            }
        }
        for name in ["p99", "p999"] {
            cells.push(or_dash(found.samples_beyond.get(name), u64::to_string));
        }
        if more {
            let load = |load: f64| format!("{} %", plain((load * 100.0).round()));
            cells.push(or_dash(found.more_work, |more| load(more.load)));
            let told = |percent: f64| format!("p99 {percent:+.1} %");
            cells.push(or_dash(found.more_work, |more| told(more.p99_percent)));
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
    grid.finish(width) + &width.said(&said)
}

/// A mean and half its interval, as cells.
fn mean_and_half(interval: Option<&Interval>) -> [String; 2] {
    let half = interval.and_then(|interval| interval.half_width);
    [or_dash(interval, |interval| latency(interval.mean)), half.map_or(String::new(), latency)]
}

/// Each VM over its counterfactuals.
fn ratios(results: &Results, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let shown = results.paired_ratios.iter();
    let shown: Vec<_> = shown.filter(|pair| !pair.latency.is_empty()).collect();
    if shown.is_empty() {
        return String::new();
    }
    let heads = ["samples/s", "p50", "p90", "p99"];
    let mut columns = vec![("over bare metal", Text), ("with", Text)];
    columns.extend(heads.iter().flat_map(|head| [(*head, Number), ("±", Attached)]));
    let mut grid = Grid::new(&columns);
    for pair in shown {
        let several = results
            .paired_ratios
            .iter()
            .any(|other| other.name == pair.name && other.vm != pair.vm);
        let name = match several {
            false => pair.name.clone(),
            true => format!("{} / {}", pair.name, pair.vm),
        };
        let mut cells = vec![name, pair.baseline_kind.replace('-', " ")];
        let figures = heads[1..].iter().map(|name| pair.latency.get(name));
        for interval in std::iter::once(Some(&pair.completed_per_s)).chain(figures) {
            let half = interval.and_then(|interval| interval.half_width);
            cells.push(or_dash(interval, |one| format!("{:.3}", one.mean)));
            cells.push(half.map_or(String::new(), |half| format!("{half:.3}")));
        }
        grid.line(cells);
    }
    let any = |kind: &str| results.paired_ratios.iter().any(|pair| pair.baseline_kind == kind);
    let mut said =
        "Ratio of virtual to bare metal at the same rate and with the same random numbers, pair \
         by pair."
            .to_string();
    if any("same-cards") {
        said.push_str(SAME_CARDS);
    }
    if any("whole-cards") {
        said.push_str(WHOLE_CARDS);
    }
    format!("\n{}{}", grid.finish(width), width.said(&said))
}
