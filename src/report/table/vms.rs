//! The table of a search for the number of VMs: one line per way of sharing, with its obstacle.

use super::super::number::{latency, or_dash, plain};
use super::super::vms::word;
use super::grid::{Column, Columns, Grid};
use super::{footer, page, scaled, verdict};
use crate::report::width::Width;
use crate::study::{VmResults, WayResult, ranges};
use crate::units::counted;

/// The whole text.
pub fn render_vms(results: &VmResults, width: Width) -> String {
    let mut blocks = vec![
        width.lines(&results.head.title),
        verdict(&results.verdict, width),
        scaled(&results.scaled, width),
    ];
    let (ways, said) = ways(results);
    let stops: String = stops(results).iter().map(|line| width.item(line)).collect();
    blocks.extend([ways.finish(width), width.said(&said)]);
    blocks.extend([stops, width.items("note", &results.notes)]);
    blocks.push(footer(&results.head, &results.leans_on, "vms.json", width));
    page(blocks)
}

/// The ways of sharing, and what the numbers are.
pub(in crate::report) fn ways(results: &VmResults) -> (Grid, String) {
    use Column::{Number, Text};
    let several = results.replications > 1;
    let open = results.ways.iter().any(|way| way.vms_other_idle.is_some());
    let inputs = results.ways.iter().any(|way| way.vms_inputs.is_some());
    let models = results.has_several_models();
    let grid = Columns::new()
        .with("way of sharing", Text, |way: &&WayResult| way.name.clone())
        .with("VMs", Number, |way| way.vms.to_string())
        .when(several, "seeds", Number, |way| range(&way.vms_by_replication))
        .when(open, "other idle", Number, |way| or_dash(way.vms_other_idle, |vms| vms.to_string()))
        .when(inputs, "inputs", Number, |way| or_dash(way.vms_inputs, |ends| range(&ends)))
        .when(models, "GPU", Text, |way| way.gpu_models.join(", "))
        .with("per GPU", Number, |way| way.vms_per_card.to_string())
        .with("GPUs", Number, |way| format!("{} of {}", way.cards_used, way.cards))
        .with("placed", Number, |way| way.vms_placed.to_string())
        .with("each has", Text, |way| {
            way.holding.clone().unwrap_or_else(|| "whole GPUs".to_string())
        })
        .with("p99 ms", Number, |way| p99(way))
        .with("stopped by", Text, |way| word(way.stopped_by).to_string())
        .of(&results.ways);
    (grid, said(results))
}

/// `8`, or `7-8` where seeds differ.
fn range(vms: &[u32]) -> String {
    let (low, high) = (vms.iter().min().copied(), vms.iter().max().copied());
    match (low.unwrap_or(0), high.unwrap_or(0)) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    }
}

/// The p99 of the worst VM with as many as fit.
fn p99(way: &WayResult) -> String {
    let point = way.curve.iter().find(|point| point.vms == way.vms);
    or_dash(point, |point| latency(point.latency_p99_ms.mean))
}

/// What the numbers are.
fn said(results: &VmResults) -> String {
    let mut rates: Vec<String> = results
        .ways
        .iter()
        .filter(|way| way.asked_per_s > 0.0)
        .map(|way| {
            format!(
                "{} per second within {} ms",
                plain(way.asked_per_s),
                plain(way.target_latency_ms)
            )
        })
        .collect();
    rates.sort_unstable();
    rates.dedup();
    let seeds = match results.replications {
        1 => String::new(),
        count => {
            format!(" in each of {count} runs with other random numbers (seeds: each by itself)")
        }
    };
    let inputs = match results.ways.iter().any(|way| way.vms_inputs.is_some()) {
        true => {
            " \"inputs\": by other fits nearly as good, with inputs that were not measured at the \
             ends of their ranges, and on slow and fast machines (5th and 95th percentile)."
        }
        false => "",
    };
    format!(
        "The most VMs like {}, each with a load of {}, with which every VM is VALID{seeds}; with \
         one more they are not, or it has no place. \"placed\" is the number that have a place, \
         whatever their latency; p99 is that of the worst VM.{inputs}",
        results.group,
        rates.join(" or "),
    )
}

/// What was looked at and what stands against one more, one line per way.
pub(in crate::report) fn stops(results: &VmResults) -> Vec<String> {
    let lines = results.ways.iter().map(|way| {
        let next = way.looked_at.iter().copied().find(|&count| count > way.vms);
        let looked = match way.looked_at.len() {
            0 => String::new(),
            _ => format!(" (looked at {})", ranges(&way.looked_at)),
        };
        match (way.vms, next) {
            (0, Some(next)) => format!(
                "{}: no number of VMs is VALID{looked}: with {}, {}",
                way.name,
                counted(next, "VM"),
                way.stopped
            ),
            (_, next) => format!(
                "{}: with {}, {}{looked}",
                way.name,
                counted(next.unwrap_or(way.vms_placed + 1), "VM"),
                way.stopped
            ),
        }
    });
    lines.collect()
}
