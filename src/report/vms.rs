//! The answer of `slicewise capacity --vms`: the document, `vms.csv` with one row per way of
//! sharing, `curve.csv` with one row per way and number, the table and the charts.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::{Column, Sheet};
use super::width::Width;
use super::{capacity, charts, table, written};
use crate::study::{Obstacle, VmResults, WayResult, ranges};

impl Report for VmResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_vms(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let charts = Part::Charts(charts::vm_figures(self));
        made(
            self,
            &[
                Part::Document("vms"),
                Part::Sheet(ways(self)),
                Part::Sheet(curve(self)),
                Part::Table("table"),
                charts,
            ],
        )
    }
}

/// The word for an obstacle, as in the document.
pub(super) fn word(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Latency => "latency",
        Obstacle::Placement => "placement",
        Obstacle::FrameBuffer => "frame-buffer",
        Obstacle::Host => "host",
        Obstacle::Limit => "limit",
        Obstacle::Rule => "rule",
    }
}

fn ways(results: &VmResults) -> Sheet {
    let mut columns: Vec<Column<&WayResult>> = vec![
        ("way", |way| (&way.name).into()),
        ("vms", |way| way.vms.into()),
        ("vms_least", |way| way.vms_by_replication.iter().copied().min().unwrap_or(0).into()),
        ("vms_most", |way| way.vms_by_replication.iter().copied().max().unwrap_or(0).into()),
        ("vms_other_idle", |way| way.vms_other_idle.into()),
        ("vms_inputs_low", |way| way.vms_inputs.map(|[low, _]| low).into()),
        ("vms_inputs_high", |way| way.vms_inputs.map(|[_, high]| high).into()),
        ("valid_with_more_work", |way| way.valid_with_more_work.into()),
        ("vms_placed", |way| way.vms_placed.into()),
        ("vms_per_card", |way| way.vms_per_card.into()),
        ("cards_used", |way| way.cards_used.into()),
        ("cards", |way| way.cards.into()),
        ("holding", |way| way.holding.as_ref().into()),
        ("asked_per_s", |way| way.asked_per_s.into()),
        ("target_latency_ms", |way| way.target_latency_ms.into()),
        ("stopped_by", |way| word(way.stopped_by).into()),
        ("stopped", |way| (&way.stopped).into()),
        ("assumes", |way| way.assumes.as_ref().into()),
        ("invalid_below", |way| ranges(&way.invalid_below).into()),
        ("looked_at", |way| ranges(&way.looked_at).into()),
        ("ended", |way| capacity::word(way.ended).into()),
    ];
    if results.has_several_models() {
        columns.push(("gpu_models", |way| way.gpu_models.join("; ").into()));
    }
    Sheet::of("vms", &results.ways, &columns)
}

fn curve(results: &VmResults) -> Sheet {
    Sheet::of(
        "curve",
        results.ways.iter().flat_map(|way| way.curve.iter().map(move |point| (way, point))),
        &[
            ("way", |(way, _)| (&way.name).into()),
            ("vms", |(_, point)| point.vms.into()),
            ("latency_p50_ms", |(_, point)| point.latency_p50_ms.into()),
            ("latency_p99_ms", |(_, point)| point.latency_p99_ms.mean.into()),
            ("latency_p99_half_width_ms", |(_, point)| point.latency_p99_ms.half_width.into()),
            ("worst_vm", |(_, point)| (&point.worst_vm).into()),
            ("completed_per_s", |(_, point)| point.completed_per_s.into()),
            ("valid", |(_, point)| point.valid.into()),
        ],
    )
}
