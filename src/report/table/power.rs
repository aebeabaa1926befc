//! Watts and energy, where a run tells them: one row for each run, and why any are not known.
//!
//! Those of each host and card are in the sheets and the document.

use super::super::number::{plain, span};
use super::grid::{Column, Columns, Grid};
use crate::report::width::Width;
use crate::study::{PowerResult, Results, RunResult};
use std::collections::BTreeSet;

/// The block; empty where no run tells watts.
pub(super) fn power(results: &Results, width: Width) -> String {
    let Some((grid, said)) = power_grid(results) else { return String::new() };
    said.iter().fold(grid.finish(width), |text, sentence| text + &width.said(sentence))
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn power_grid(results: &Results) -> Option<(Grid, Vec<String>)> {
    use Column::{Number, Text};
    let runs = results.runs.iter().filter_map(|run| Some((run, run.power.as_ref()?)));
    let runs: Vec<(&RunResult, &PowerResult)> = runs.collect();
    if runs.is_empty() {
        return None;
    }
    let why: BTreeSet<&String> = runs.iter().flat_map(|(_, power)| &power.not_known).collect();
    let why = why.into_iter().map(|why| format!("Watts not known: {why}."));
    let hosts = || runs.iter().flat_map(|(_, power)| &power.hosts);
    let fails = hosts().any(|host| host.failed_share > 0.0).then(|| FAILED.to_string());
    let said = why.chain(fails).chain([LEGEND.to_string()]).collect();
    let sleeps = hosts().any(|host| host.standby_share > 0.0);
    let grid = Columns::new()
        .with("power", Text, |(run, _): &(&RunResult, &PowerResult)| run.name.clone())
        .with("platform", Text, |(run, _)| run.place())
        .with("hosts", Number, |(_, power)| power.hosts.len().to_string())
        .when(sleeps, "standby %", Number, |(_, power)| {
            let standby: f64 = power.hosts.iter().map(|host| host.standby_share).sum();
            whole(100.0 * standby / power.hosts.len() as f64)
        })
        .with("cards W", Number, |(_, power)| {
            or_unknown(power.cards.iter().map(|card| card.mean_w).sum::<Option<f64>>(), whole)
        })
        .with("all W", Number, |(_, power)| or_unknown(power.mean_w, whole))
        .with("from - to", Number, |(_, power)| {
            or_unknown(power.mean_w_range, |ends| span(ends, whole))
        })
        .with("J/sample", Number, |(_, power)| or_unknown(power.joule_per_sample, three_digits))
        .with("kWh/day", Number, |(_, power)| or_unknown(power.kwh_per_day, tenths))
        .of(runs);
    Some((grid, said))
}

fn or_unknown<T>(value: Option<T>, shown: impl Fn(T) -> String) -> String {
    value.map_or("not known".to_string(), shown)
}

fn whole(value: f64) -> String {
    plain(value.round())
}

fn tenths(value: f64) -> String {
    plain((value * 10.0).round() / 10.0)
}

/// Three digits that count.
fn three_digits(value: f64) -> String {
    if value == 0.0 {
        return plain(0.0);
    }
    let unit = 10.0_f64.powi(2 - value.abs().log10().floor() as i32);
    plain((value * unit).round() / unit)
}

const FAILED: &str = "A host that failed draws nothing until it is back.";

const LEGEND: &str = "Means over the run, at the wall. Power goes by busy time: a card draws its idle watts, \
    with a context open some more, and while it works those of full batches, at most its limit. From - to: by \
    the ranges of these watts.";
