//! The charts of a capacity search: latency against rate, one line per system, with the bound.
//!
//! It chooses what is drawn; `panel` draws it. Runs at rates beyond a system's capacity that were
//! given up have no point.

use super::super::number::plain;
use super::along::XAxis;
use super::figure::Figure;
use super::panel::{self, LINES_MAX, by_bound};
use super::scale::Scale;
use super::series::{Panel, Place, Series};
use super::sweep::{bound_name, rate, time};
use crate::spec::ParameterValue;
use crate::study::{CapacityResults, Interval, LoadPoint, SystemCapacity};

/// The charts, by file name, one for each bound; none where no rate is VALID.
pub(in crate::report) fn figures(results: &CapacityResults) -> Vec<(String, Figure)> {
    let systems = results.systems.iter().filter(|system| !system.curve.is_empty());
    let systems: Vec<&SystemCapacity> = systems.collect();
    let bound = |system: &&SystemCapacity| system.target_latency_ms;
    by_bound("capacity", &systems, bound, |bound, systems| chart(results, bound, systems))
}

fn chart(results: &CapacityResults, bound: f64, systems: &[&&SystemCapacity]) -> Figure {
    let drawn = &systems[..systems.len().min(LINES_MAX)];
    let points = drawn.iter().flat_map(|system| &system.curve);
    let mut rates: Vec<f64> = points.map(|point| point.asked_per_s).collect();
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let ticks = Scale::linear(0.0, highest, (0.0, 1.0)).ticks(7);
    rates.extend(ticks.iter().filter(|tick| **tick <= highest));
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let panel = |head: &str, bound: Option<f64>, figure: fn(&LoadPoint) -> f64| {
        let series = drawn.iter().map(|system| Series {
            name: system.name.clone(),
            places: system.curve.iter().map(|point| Some(place(&rates, point, figure))).collect(),
        });
        let bound = bound.map(|bound| (bound, bound_name(bound)));
        Panel { head: head.to_string(), series: series.collect(), bound, write: time }
    };
    // Of VMs with several bounds the slowest is drawn, which need not be the one that is held to the strictest:
    // a line there would seem to be broken by what is VALID.
    let loosest = drawn.iter().filter_map(|system| system.loosest_latency_ms).fold(bound, f64::max);
    let (head, bound) = match loosest > bound {
        false => ("p99 latency".to_string(), Some(bound)),
        true => {
            let (strictest, loosest) = (time(bound), time(loosest));
            (format!("p99 latency of the slowest VM (bounds: {strictest} to {loosest})"), None)
        }
    };
    let panels = [
        panel(&head, bound, |point| point.latency_p99_ms),
        panel("p50 latency", None, |point| point.latency_p50_ms),
    ];
    // Only round rates are written below the axis.
    let values = rates.iter().map(|&number| ParameterValue {
        text: if ticks.contains(&number) { rate(number) } else { String::new() },
        number: Some(number),
    });
    let label = "queries per second, all Server VMs".to_string();
    let along = XAxis::new(label, values.collect(), true);
    let below = panel::below(&results.head.title, systems.len());
    panel::draw("Latency against rate", &below, &along, &panels)
}

fn place(rates: &[f64], point: &LoadPoint, figure: fn(&LoadPoint) -> f64) -> Place {
    let index = rates.iter().position(|rate| *rate == point.asked_per_s);
    let index = index.unwrap_or_else(|| panic!("{} is on the axis", plain(point.asked_per_s)));
    let value = Interval { mean: figure(point), half_width: None };
    Place { index, value, valid: point.valid, marked: false }
}
