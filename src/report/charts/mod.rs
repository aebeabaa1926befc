//! The charts: one file each, from results to a [`figure::Figure`].
//!
//! They write no files and know no plotting library; `plot` does.

mod along;
mod capacity;
mod cluster;
pub(super) mod figure;
mod gap;
mod gpu_time;
mod heat;
mod latency;
mod multiples;
mod operations;
mod panel;
mod percentiles;
mod plan;
mod plane;
mod power;
mod ratio;
mod rows;
mod scale;
mod series;
mod stages;
pub(super) mod style;
mod sweep;
mod timeline;
mod validation;
mod vms;

pub(super) use capacity::figures as capacity_figures;
pub(super) use cluster::cluster_figure;
pub(super) use gap::draw as gap_figure;
pub(super) use plan::figures as plan_figures;
pub(super) use sweep::figures as sweep_figures;
pub(super) use timeline::draw as timeline_figure;
pub(super) use validation::figures as validation_figures;
pub(super) use vms::figures as vm_figures;

use crate::study::Results;
use figure::Figure;

/// A chart: its file name without ending, and what draws it where the results have something to show.
type Chart = (&'static str, fn(&Results) -> Option<Figure>);

/// Every chart.
const CHARTS: &[Chart] = &[
    ("ratio", ratio::draw),
    ("operations", operations::draw),
    ("latency", latency::draw),
    ("percentiles", percentiles::draw),
    ("ttft", percentiles::ttft),
    ("tpot", percentiles::tpot),
    ("stages", stages::draw),
    ("gpu-time", gpu_time::draw),
    ("power", power::draw),
];

/// The charts that these results fill, by file name.
pub(super) fn figures(results: &Results) -> Vec<(String, Figure)> {
    CHARTS.iter().filter_map(|(name, draw)| Some((name.to_string(), draw(results)?))).collect()
}
