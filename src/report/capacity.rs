//! The files of a capacity search: `capacity.json`, `capacity.csv` with one row per system,
//! `curve.csv` with one row per system and rate, the table and the chart.

use super::csv::harmless;
use super::{File, charts, plot, table, written};
use crate::study::{CapacityResults, Ended, Interval};

/// Every file, made in memory. The same results give the same bytes.
pub fn files(results: &CapacityResults) -> anyhow::Result<Vec<File>> {
    let mut files = vec![
        File::new("capacity.json", document(results)?),
        File::new("capacity.csv", systems(results)?),
        File::new("curve.csv", curve(results)?),
        File::new("table.txt", table::render_capacity(results, table::Width::FILE)),
    ];
    files.extend(plot::draw(charts::capacity_figures(results))?);
    if let Some(figure) = charts::gap_figure(results) {
        files.push(File::new("gap.csv", gaps(results)?));
        files.push(File::new("gap-latency.csv", gap_latencies(results)?));
        files.extend(plot::draw(vec![("gap", figure)])?);
    }
    Ok(files)
}

/// The results as one JSON document.
pub fn document(results: &CapacityResults) -> anyhow::Result<String> {
    written::document(results)
}

/// The word for how a search ended, as the document has it.
pub(super) fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::Work => "work",
        Ended::Stopped => "stopped",
    }
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

fn systems(results: &CapacityResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    let models = results.has_several_models();
    let heads = [
        "system",
        "server_vms",
        "cards",
        "capacity_per_s",
        "capacity_half_width_per_s",
        "capacity_low_per_s",
        "capacity_high_per_s",
        "share_of_bare_metal",
        "share_half_width",
        "target_latency_ms",
        "limited_by",
        "lowest_valid_per_s",
        "is_open",
        "looked_from_per_s",
        "looked_to_per_s",
        "ended",
        "share_of_whole_cards",
        "share_of_whole_cards_half_width",
    ];
    writer.write_record(heads.into_iter().chain(models.then_some("cards_by_model")))?;
    for system in &results.systems {
        let half = |interval: Interval| interval.half_width.map_or(String::new(), written::figure);
        let (ratio, whole) = (system.ratio_to_bare_metal, system.ratio_to_whole_cards);
        let between = system.capacity_per_s_between_inputs;
        let looked = system.looked.as_ref();
        let end = |end: usize| between.map_or(String::new(), |ends| written::figure(ends[end]));
        let cells = [
            harmless(&system.name),
            system.server_vms.to_string(),
            system.cards.to_string(),
            written::figure(system.capacity_per_s.mean),
            half(system.capacity_per_s),
            end(0),
            end(1),
            ratio.map_or(String::new(), |ratio| written::figure(ratio.mean)),
            ratio.map_or(String::new(), half),
            written::figure(system.target_latency_ms),
            harmless(&system.limited_by.join("; ")),
            system.lowest_valid_per_s.map_or(String::new(), written::figure),
            system.is_open.to_string(),
            looked.map_or(String::new(), |looked| written::figure(looked.lowest.rate_per_s)),
            looked.map_or(String::new(), |looked| written::figure(looked.highest.rate_per_s)),
            word(system.ended).to_string(),
            whole.map_or(String::new(), |ratio| written::figure(ratio.mean)),
            whole.map_or(String::new(), half),
        ];
        let models = models.then(|| system.cards_in_words());
        writer.write_record(cells.into_iter().chain(models))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// One row per factor of each published ratio.
fn gaps(results: &CapacityResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record(["pair", "figure", "what", "value", "half_width"])?;
    for gap in &results.gaps {
        let exact = |mean| Interval { mean, half_width: None };
        let mut rows = vec![
            ("virtual_per_s", "published", exact(gap.virtual_per_s)),
            ("baseline_per_s", "published", exact(gap.baseline_per_s)),
            ("published_ratio", "published", exact(gap.published_ratio)),
            ("virtual_load", "submitted over simulated capacity", gap.virtual_load),
            ("baseline_load", "submitted over simulated capacity", gap.baseline_load),
            ("hypervisor", "", gap.hypervisor),
            ("settings", "", gap.settings),
        ];
        let steps = gap.settings_in_detail.iter();
        rows.extend(steps.map(|step| ("setting", step.setting.as_str(), step.factor)));
        rows.extend([("chosen_rate", "", gap.chosen_rate), ("rest", "", exact(gap.rest))]);
        for (figure, what, value) in rows {
            writer.write_record([
                harmless(&gap.name),
                figure.to_string(),
                harmless(what),
                written::figure(value.mean),
                value.half_width.map_or(String::new(), written::figure),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// One row per pair, rate and system.
fn gap_latencies(results: &CapacityResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record([
        "pair",
        "asked_per_s",
        "system",
        "latency_p50_ms",
        "latency_p90_ms",
        "latency_p99_ms",
        "valid",
    ])?;
    for gap in &results.gaps {
        for found in &gap.latencies {
            writer.write_record([
                harmless(&gap.name),
                written::figure(found.asked_per_s),
                found.system.to_string(),
                written::figure(found.latency_p50_ms),
                written::figure(found.latency_p90_ms),
                written::figure(found.latency_p99_ms),
                found.valid.to_string(),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn curve(results: &CapacityResults) -> anyhow::Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record(["system", "asked_per_s", "latency_p50_ms", "latency_p99_ms", "valid"])?;
    for system in &results.systems {
        for point in &system.curve {
            writer.write_record([
                harmless(&system.name),
                written::figure(point.asked_per_s),
                written::figure(point.latency_p50_ms),
                written::figure(point.latency_p99_ms),
                point.valid.to_string(),
            ])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
