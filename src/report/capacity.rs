//! The answer of `slicewise capacity`: the document, `capacity.csv` with one row per system,
//! `curve.csv` with one row per system and rate, the table and the charts.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::{Column, Sheet};
use super::width::Width;
use super::{charts, table, written};
use crate::study::{CapacityResults, Ended, Gap, Interval, SystemCapacity};

impl Report for CapacityResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_capacity(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let mut parts =
            vec![Part::Document("capacity"), Part::Sheet(systems(self)), Part::Sheet(curve(self))];
        parts.extend([Part::Table("table"), Part::Charts(charts::capacity_figures(self))]);
        if let Some(figure) = charts::gap_figure(self) {
            parts.extend([gaps(self), gap_latencies(self)].map(Part::Sheet));
            parts.push(Part::Charts(vec![("gap".to_string(), figure)]));
        }
        made(self, &parts)
    }
}

/// The word for how a search ended, as in the document.
pub(super) fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::Work => "work",
        Ended::Stopped => "stopped",
    }
}

fn systems(results: &CapacityResults) -> Sheet {
    let mut columns: Vec<Column<&SystemCapacity>> = vec![
        ("system", |of| (&of.name).into()),
        ("server_vms", |of| of.server_vms.into()),
        ("cards", |of| of.cards.into()),
        ("capacity_per_s", |of| of.capacity_per_s.mean.into()),
        ("capacity_half_width_per_s", |of| of.capacity_per_s.half_width.into()),
        ("capacity_low_per_s", |of| of.capacity_per_s_between_inputs.map(|[low, _]| low).into()),
        ("capacity_high_per_s", |of| of.capacity_per_s_between_inputs.map(|[_, high]| high).into()),
        ("share_of_bare_metal", |of| of.ratio_to_bare_metal.map(|ratio| ratio.mean).into()),
        ("share_half_width", |of| half(of.ratio_to_bare_metal).into()),
        ("target_latency_ms", |of| of.target_latency_ms.into()),
        ("limited_by", |of| of.limited_by.join("; ").into()),
        ("lowest_valid_per_s", |of| of.lowest_valid_per_s.into()),
        ("is_open", |of| of.is_open.into()),
        ("looked_from_per_s", |of| of.looked.as_ref().map(|at| at.lowest.rate_per_s).into()),
        ("looked_to_per_s", |of| of.looked.as_ref().map(|at| at.highest.rate_per_s).into()),
        ("ended", |of| word(of.ended).into()),
        ("share_of_whole_cards", |of| of.ratio_to_whole_cards.map(|ratio| ratio.mean).into()),
        ("share_of_whole_cards_half_width", |of| half(of.ratio_to_whole_cards).into()),
    ];
    if results.has_several_models() {
        columns.push(("cards_by_model", |of| of.cards_in_words().into()));
    }
    Sheet::of("capacity", &results.systems, &columns)
}

fn half(interval: Option<Interval>) -> Option<f64> {
    interval.and_then(|interval| interval.half_width)
}

/// One row per factor of each published ratio.
fn gaps(results: &CapacityResults) -> Sheet {
    let factors = results.gaps.iter().flat_map(|gap| {
        factors(gap).into_iter().map(move |(figure, what, value)| (gap, figure, what, value))
    });
    Sheet::of(
        "gap",
        factors,
        &[
            ("pair", |(gap, ..)| (&gap.name).into()),
            ("figure", |(_, figure, ..)| (*figure).into()),
            ("what", |(_, _, what, _)| (*what).into()),
            ("value", |(.., value)| value.mean.into()),
            ("half_width", |(.., value)| value.half_width.into()),
        ],
    )
}

fn factors(gap: &Gap) -> Vec<(&str, &str, Interval)> {
    let exact = |mean| Interval { mean, half_width: None };
    let mut factors = vec![
        ("virtual_per_s", "published", exact(gap.virtual_per_s)),
        ("baseline_per_s", "published", exact(gap.baseline_per_s)),
        ("published_ratio", "published", exact(gap.published_ratio)),
        ("virtual_load", "submitted over simulated capacity", gap.virtual_load),
        ("baseline_load", "submitted over simulated capacity", gap.baseline_load),
        ("hypervisor", "", gap.hypervisor),
        ("settings", "", gap.settings),
    ];
    let steps = gap.settings_in_detail.iter();
    factors.extend(steps.map(|step| ("setting", step.setting.as_str(), step.factor)));
    factors.extend([("chosen_rate", "", gap.chosen_rate), ("rest", "", exact(gap.rest))]);
    factors
}

/// One row per pair, rate and system.
fn gap_latencies(results: &CapacityResults) -> Sheet {
    Sheet::of(
        "gap-latency",
        results.gaps.iter().flat_map(|gap| gap.latencies.iter().map(move |found| (gap, found))),
        &[
            ("pair", |(gap, _)| (&gap.name).into()),
            ("asked_per_s", |(_, found)| found.asked_per_s.into()),
            ("system", |(_, found)| found.system.into()),
            ("latency_p50_ms", |(_, found)| found.latency_p50_ms.into()),
            ("latency_p90_ms", |(_, found)| found.latency_p90_ms.into()),
            ("latency_p99_ms", |(_, found)| found.latency_p99_ms.into()),
            ("valid", |(_, found)| found.valid.into()),
        ],
    )
}

fn curve(results: &CapacityResults) -> Sheet {
    let systems = results.systems.iter();
    Sheet::of(
        "curve",
        systems.flat_map(|system| system.curve.iter().map(move |point| (system, point))),
        &[
            ("system", |(system, _)| (&system.name).into()),
            ("asked_per_s", |(_, point)| point.asked_per_s.into()),
            ("latency_p50_ms", |(_, point)| point.latency_p50_ms.into()),
            ("latency_p99_ms", |(_, point)| point.latency_p99_ms.into()),
            ("valid", |(_, point)| point.valid.into()),
        ],
    )
}
