//! The table of a capacity search: one line per system, and what limits it.

use super::super::number::{plain, rate};
use super::grid::{Column, Grid};
use super::{Width, footer, gap, page, scaled};
use crate::study::{CapacityResults, Interval, SystemCapacity};

/// The whole text.
pub fn render_capacity(results: &CapacityResults, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut columns = vec![("system", Text), ("VMs", Number), ("cards", Number)];
    let models = results.has_several_models();
    columns.extend(models.then_some(("models", Text)));
    let with_interval = results.replications > 1;
    let two_kinds = results.systems.iter().any(|system| system.ratio_to_whole_cards.is_some());
    let mut heads = vec![("capacity /s", with_interval), ("per VM", false)];
    match two_kinds {
        true => heads.extend([("of same cards", with_interval), ("of whole cards", with_interval)]),
        false => heads.push(("of bare metal", with_interval)),
    }
    for (head, with_interval) in heads {
        columns.push((head, Number));
        columns.extend(with_interval.then_some(("±", Attached)));
    }
    let with_inputs =
        results.systems.iter().any(|system| system.capacity_per_s_between_inputs.is_some());
    if with_inputs {
        columns.extend([("from", Number), ("to", Number)]);
    }
    let mut grid = Grid::new(&columns);
    for system in &results.systems {
        let found = system.capacity_per_s;
        let half = |interval: Interval, write: fn(f64) -> String| {
            interval.half_width.map_or(String::new(), write)
        };
        let mut cells =
            vec![system.name.clone(), system.server_vms.to_string(), system.cards.to_string()];
        cells.extend(models.then(|| system.cards_in_words()));
        cells.push(self::found(system));
        cells.extend(with_interval.then(|| half(found, rate)));
        cells.push(rate(found.mean / system.server_vms.max(1) as f64));
        let whole_cards = two_kinds.then_some(system.ratio_to_whole_cards);
        for ratio in std::iter::once(system.ratio_to_bare_metal).chain(whole_cards) {
            cells.push(ratio.map_or("-".to_string(), |ratio| share(ratio.mean)));
            let half_ratio = || ratio.map_or(String::new(), |ratio| half(ratio, share));
            cells.extend(with_interval.then(half_ratio));
        }
        if with_inputs {
            let ends = system.capacity_per_s_between_inputs;
            cells.extend([0, 1].map(|end| ends.map_or("-".to_string(), |ends| rate(ends[end]))));
        }
        grid.line(cells);
    }
    let said = format!(
        "The highest rate of all Server VMs together that is VALID, to {} %{}.",
        plain(results.precision * 100.0),
        match results.replications {
            1 => String::new(),
            count => format!(
                "; mean of {count} searches with other random numbers, ± is half the 95 % confidence interval (Student)"
            ),
        }
    );
    let said = match with_inputs {
        true => format!("{said} {BETWEEN}"),
        false => said,
    };
    let said = match two_kinds {
        true => format!("{said} {KINDS}"),
        false => said,
    };
    let mut blocks = vec![
        width.lines(&results.head.title),
        scaled(&results.scaled, width),
        grid.finish(width),
        width.said(&said),
        limits(results, width),
        width.items("note", &results.notes),
    ];
    blocks.extend(gap::gaps(results, width));
    blocks.push(width.items("ERROR", &results.skipped));
    blocks.push(footer(&results.head, &results.leans_on, "capacity.json", width));
    page(blocks)
}

/// What the columns of the inputs mean.
const BETWEEN: &str = "From, to: with other fits of the workload nearly as good, with inputs that nothing \
measured at the ends of their ranges, and on the slowest and fastest of nine machines and platforms in ten.";

/// What the two kinds of bare metal are.
const KINDS: &str = "Bare metal, same cards: as many cards as the VMs have, the load of all VMs on \
one server per card. Whole cards: a card to itself for each part of one that a VM has.";

fn share(ratio: f64) -> String {
    format!("{ratio:.3}")
}

/// From where to where each system is VALID, and what was looked at.
fn limits(results: &CapacityResults, width: Width) -> String {
    let lines = results.systems.iter().flat_map(|system| {
        let lines = system.said.iter().map(|said| format!("{}: {said}", system.name));
        lines.map(|line| width.item(&line)).collect::<Vec<_>>()
    });
    lines.collect()
}

/// The rate, marked where it is no border or not confirmed.
fn found(system: &SystemCapacity) -> String {
    let written = rate(system.capacity_per_s.mean);
    match (system.is_open, system.is_confirmed || system.capacity_per_s.mean == 0.0) {
        (true, _) => format!("≥ {written}"),
        (false, true) => written,
        (false, false) => format!("~ {written}"),
    }
}
