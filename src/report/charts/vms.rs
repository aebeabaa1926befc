//! The charts of a search for the number of VMs: p99 of the worst VM against the number, one line
//! per way of sharing, with the bound and each way's answer ringed.
//!
//! It chooses what is drawn; `panel` draws it.

use super::super::number::{clip, plain};
use super::figure::Figure;
use super::panel::{self, Along, Panel, Place, Series};
use super::sweep::{bound_name, time};
use crate::spec::ParameterValue;
use crate::study::{VmResults, WayResult};
use crate::units::counted;

/// More lines than this are not told apart.
const LINES_MAX: usize = 12;

/// The charts, by file name, one for each bound; none where nothing was simulated.
pub(in crate::report) fn figures(results: &VmResults) -> Vec<(String, Figure)> {
    let ways = || results.ways.iter().filter(|way| !way.curve.is_empty());
    let mut bounds: Vec<f64> = ways().map(|way| way.target_latency_ms).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let charts = bounds.iter().map(|bound| {
        let of_bound = ways().filter(|way| way.target_latency_ms == *bound);
        let name = match bounds.len() {
            1 => "vms".to_string(),
            _ => format!("vms-{}ms", plain(*bound)),
        };
        (name, chart(results, *bound, &of_bound.collect::<Vec<_>>()))
    });
    charts.collect()
}

fn chart(results: &VmResults, bound: f64, ways: &[&WayResult]) -> Figure {
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
        head: "p99 of the worst VM (ring: as many as fit)".to_string(),
        series: series.collect(),
        bound: Some((bound, bound_name(bound))),
        write: time,
    };
    let values = counts
        .iter()
        .map(|&count| ParameterValue { text: count.to_string(), number: Some(f64::from(count)) });
    let along = Along::new("VMs".to_string(), values.collect(), true);
    let mut below = results.head.title.clone();
    if ways.len() > LINES_MAX {
        below = format!("{} ({LINES_MAX} of {} lines)", clip(&below, 200), ways.len());
    }
    panel::draw("How many VMs fit", &below, &along, &[panel])
}

fn place(counts: &[u32], way: &WayResult, point: &crate::study::VmPoint) -> Place {
    let index = counts.iter().position(|count| *count == point.vms).expect("it is on the axis");
    let marked = point.vms == way.vms;
    Place { index, value: point.latency_p99_ms, valid: point.valid, marked }
}
