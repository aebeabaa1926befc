//! The files of a search for the number of VMs: `vms.json`, `vms.csv` with one row per way of
//! sharing, `curve.csv` with one row per way and number, the table and the chart.

use super::csv::harmless;
use super::{File, charts, plot, table, written};
use crate::study::{Obstacle, VmResults, ranges};

/// Every file, made in memory. The same results give the same bytes.
pub fn files(results: &VmResults) -> anyhow::Result<Vec<File>> {
    let mut files = vec![
        File::new("vms.json", document(results)?),
        File::new("vms.csv", ways(results)?),
        File::new("curve.csv", curve(results)?),
        File::new("table.txt", table::render_vms(results, table::Width::FILE)),
    ];
    files.extend(plot::draw(charts::vm_figures(results))?);
    Ok(files)
}

/// The results as one JSON document.
pub fn document(results: &VmResults) -> anyhow::Result<String> {
    written::document(results)
}

/// The word of an obstacle, as the document has it.
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

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

fn ways(results: &VmResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    let models = results.has_several_models();
    let heads = [
        "way",
        "vms",
        "vms_least",
        "vms_most",
        "vms_other_idle",
        "vms_inputs_low",
        "vms_inputs_high",
        "valid_with_more_work",
        "vms_placed",
        "vms_per_card",
        "cards_used",
        "cards",
        "holding",
        "asked_per_s",
        "target_latency_ms",
        "stopped_by",
        "stopped",
        "assumes",
        "invalid_below",
        "looked_at",
        "ended",
    ];
    writer.write_record(heads.into_iter().chain(models.then_some("gpu_models")))?;
    for way in &results.ways {
        let by = || way.vms_by_replication.iter().copied();
        let cells = [
            harmless(&way.name),
            way.vms.to_string(),
            by().min().unwrap_or(0).to_string(),
            by().max().unwrap_or(0).to_string(),
            way.vms_other_idle.map_or(String::new(), |vms| vms.to_string()),
            way.vms_inputs.map_or(String::new(), |[low, _]| low.to_string()),
            way.vms_inputs.map_or(String::new(), |[_, high]| high.to_string()),
            way.valid_with_more_work.map_or(String::new(), |valid| valid.to_string()),
            way.vms_placed.to_string(),
            way.vms_per_card.to_string(),
            way.cards_used.to_string(),
            way.cards.to_string(),
            harmless(way.holding.as_deref().unwrap_or_default()),
            written::figure(way.asked_per_s),
            written::figure(way.target_latency_ms),
            word(way.stopped_by).to_string(),
            harmless(&way.stopped),
            harmless(way.assumes.as_deref().unwrap_or_default()),
            ranges(&way.invalid_below),
            ranges(&way.looked_at),
            super::capacity::word(way.ended).to_string(),
        ];
        let models = models.then(|| way.gpu_models.join("; "));
        writer.write_record(cells.into_iter().chain(models))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn curve(results: &VmResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record([
        "way",
        "vms",
        "latency_p50_ms",
        "latency_p99_ms",
        "latency_p99_half_width_ms",
        "worst_vm",
        "completed_per_s",
        "valid",
    ])?;
    for way in &results.ways {
        for point in &way.curve {
            let half = point.latency_p99_ms.half_width;
            writer.write_record([
                harmless(&way.name),
                point.vms.to_string(),
                written::figure(point.latency_p50_ms),
                written::figure(point.latency_p99_ms.mean),
                half.map_or(String::new(), written::figure),
                harmless(&point.worst_vm),
                written::figure(point.completed_per_s),
                point.valid.to_string(),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
