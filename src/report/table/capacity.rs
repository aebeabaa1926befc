//! The table of a capacity search: one line per system, with its limit.

use super::super::number::{or_dash, plain, rate};
use super::grid::{Column, Columns};
use super::members::ROWS_MAX;
use super::{footer, gap, page, scaled, verdict};
use crate::report::width::Width;
use crate::study::{CapacityResults, Interval, SystemCapacity};

/// The whole text.
pub fn render_capacity(results: &CapacityResults, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let several = results.replications > 1;
    let two_kinds = results.systems.iter().any(|system| system.ratio_to_whole_cards.is_some());
    let with_inputs =
        results.systems.iter().any(|system| system.capacity_per_s_between_inputs.is_some());
    let models = results.has_several_models();
    let (rows, left_out) = shown(results, width);
    let grid = Columns::new()
        .with("system", Text, |of: &&SystemCapacity| of.name.clone())
        .with("VMs", Number, |of| of.server_vms.to_string())
        .with("cards", Number, |of| of.cards.to_string())
        .when(models, "models", Text, |of| of.cards_in_words())
        .with("capacity /s", Number, |of| found(of))
        .when(several, "±", Attached, |of| half(Some(of.capacity_per_s), rate))
        .with("per VM", Number, |of| rate(of.capacity_per_s.mean / of.server_vms.max(1) as f64))
        .with(if two_kinds { "of same cards" } else { "of bare metal" }, Number, |of| {
            share(of.ratio_to_bare_metal)
        })
        .when(several, "±", Attached, |of| half(of.ratio_to_bare_metal, three))
        .when(two_kinds, "of whole cards", Number, |of| share(of.ratio_to_whole_cards))
        .when(two_kinds && several, "±", Attached, |of| half(of.ratio_to_whole_cards, three))
        .when(with_inputs, "from", Number, |of| end(of, 0))
        .when(with_inputs, "to", Number, |of| end(of, 1))
        .of(rows);
    let said = format!(
        "The highest VALID rate, of all Server VMs together, to {} %{}.",
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
        verdict(&results.verdict, width),
        scaled(&results.scaled, width),
        grid.finish(width) + &left_out,
        width.said(&said),
        limits(results, width),
        width.items("note", &results.notes),
    ];
    blocks.extend(gap::gaps(results, width));
    blocks.push(width.items("ERROR", &results.skipped));
    blocks.push(footer(&results.head, &results.leans_on, "capacity.json", width));
    page(blocks)
}

/// The systems that are shown: of very many those with the highest rates.
fn shown(results: &CapacityResults, width: Width) -> (Vec<&SystemCapacity>, String) {
    let all = &results.systems;
    if all.len() <= ROWS_MAX || width.shows_each() {
        return (all.iter().collect(), String::new());
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|&one, &other| {
        all[other].capacity_per_s.mean.total_cmp(&all[one].capacity_per_s.mean)
    });
    order.truncate(ROWS_MAX / 3);
    order.sort_unstable();
    let said = format!(
        "Shown are the {} of {} systems with the highest rates; all are in table.txt and \
         capacity.csv, and with --all here.",
        order.len(),
        all.len()
    );
    (order.into_iter().map(|index| &all[index]).collect(), width.said(&said))
}

/// What the columns of the inputs mean.
const BETWEEN: &str = "From, to: with other fits of the workload nearly as good, with inputs that \
    were not measured at the ends of their ranges, and on slow and fast machines and platforms \
    (5th and 95th percentile).";

/// What the two kinds of bare metal are.
const KINDS: &str = "Bare metal, same cards: the same number of cards as the VMs have, the load \
    of all VMs on one server per card. Whole cards: one whole card for each part of a card that a \
    VM has.";

fn share(ratio: Option<Interval>) -> String {
    or_dash(ratio, |ratio| three(ratio.mean))
}

fn three(ratio: f64) -> String {
    format!("{ratio:.3}")
}

fn half(interval: Option<Interval>, write: fn(f64) -> String) -> String {
    interval.and_then(|one| one.half_width).map_or(String::new(), write)
}

fn end(system: &SystemCapacity, end: usize) -> String {
    or_dash(system.capacity_per_s_between_inputs, |ends| rate(ends[end]))
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
pub(in crate::report) fn found(system: &SystemCapacity) -> String {
    let written = rate(system.capacity_per_s.mean);
    match (system.is_open, system.is_confirmed || system.capacity_per_s.mean == 0.0) {
        (true, _) => format!("≥ {written}"),
        (false, true) => written,
        (false, false) => format!("~ {written}"),
    }
}
