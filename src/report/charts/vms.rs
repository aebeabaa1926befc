//! The charts of a search for the number of VMs: p99 of the worst VM against the number, one line
//! per way of sharing, with the bound and each way's answer ringed.
//!
//! It chooses what is drawn; `panel` draws it.

use super::along::XAxis;
use super::figure::Figure;
use super::panel::{self, LINES_MAX, by_bound};
use super::series::{Panel, Place, Series};
use super::sweep::{bound_name, time};
use crate::spec::ParameterValue;
use crate::study::{VmResults, WayResult};
use crate::units::counted;

/// The charts, by file name, one for each bound; none where nothing was simulated.
pub(in crate::report) fn figures(results: &VmResults) -> Vec<(String, Figure)> {
    let ways: Vec<&WayResult> = results.ways.iter().filter(|way| !way.curve.is_empty()).collect();
    let bound = |way: &&WayResult| way.target_latency_ms;
    by_bound("vms", &ways, bound, |bound, ways| chart(results, bound, ways))
}

fn chart(results: &VmResults, bound: f64, ways: &[&&WayResult]) -> Figure {
    let drawn = &ways[..ways.len().min(LINES_MAX)];
    let mut counts: Vec<u32> =
        drawn.iter().flat_map(|way| &way.curve).map(|point| point.vms).collect();
    counts.sort_unstable();
    counts.dedup();
    let series = drawn.iter().map(|way| Series {
        name: format!("{}, {}", way.name, counted(way.vms, "VM")),
        places: way.curve.iter().map(|point| Some(place(&counts, way, point))).collect(),
    });
    let panel = Panel {
        head: "p99 of the worst VM (ring: the most that fit)".to_string(),
        series: series.collect(),
        bound: Some((bound, bound_name(bound))),
        write: time,
    };
    let values = counts
        .iter()
        .map(|&count| ParameterValue { text: count.to_string(), number: Some(f64::from(count)) });
    let along = XAxis::new("VMs".to_string(), values.collect(), true);
    let below = panel::below(&results.head.title, ways.len());
    panel::draw("How many VMs fit", &below, &along, &[panel])
}

fn place(counts: &[u32], way: &WayResult, point: &crate::study::VmPoint) -> Place {
    let index = counts.iter().position(|count| *count == point.vms).expect("it is on the axis");
    let marked = point.vms == way.vms;
    Place { index, value: point.latency_p99_ms, valid: point.valid, marked }
}
