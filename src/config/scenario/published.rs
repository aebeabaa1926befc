//! `[published]`: the measured figures that a run is compared with.
//!
//! They do not affect the run.

use crate::config::text::{Reader, Spot};
use crate::spec::{Published, TestScenario};
use crate::study::LatencyMs;
use crate::units::SimDuration;

/// The latencies of a published run, by the names of the result document.
pub(crate) const LATENCIES: [&str; 9] = LatencyMs::NAMES;

/// `[published]`: the figures of both sides.
#[derive(Default)]
pub(crate) struct Sides {
    pub(crate) virtual_run: Option<Published>,
    pub(crate) baseline: Option<(Published, Spot)>,
}

impl Sides {
    /// Whether any is stated.
    pub(crate) fn any(&self) -> bool {
        self.virtual_run.is_some() || self.baseline.is_some()
    }

    /// Reads the table, if the file has it.
    pub(crate) fn read(top: &mut Reader<'_>) -> Sides {
        let Some(mut table) = top.table("published") else { return Sides::default() };
        let virtual_run = table.table("virtual").and_then(published);
        let spot = table.spot_of("baseline");
        let baseline = table.table("baseline").and_then(published).map(|figures| (figures, spot));
        table.finish();
        Sides { virtual_run, baseline }
    }
}

/// One published result; its scenario is set by the run it stands beside.
fn published(mut table: Reader<'_>) -> Option<Published> {
    let row = table.need("row", "name it: <system> <benchmark> <scenario>");
    let row = row.and_then(|value| value.text().map(str::to_string));
    let source = table.need("source", "state where it was published");
    let source = source.and_then(|value| value.text().map(str::to_string));
    let rate = table.get("completed_per_s");
    let rate = rate.map(|value| {
        value.number(super::ranges::is_rate, "0.000001 to 1000000000 samples per second")
    });
    let latency = table.table("latency").map(latencies);
    table.finish();
    Some(Published {
        row: row?,
        source: source?,
        scenario: TestScenario::Server,
        completed_per_s: rate.flatten(),
        latency: latency.unwrap_or_default(),
    })
}

/// The latencies of a table by their names, in rising order of percentile.
pub(crate) fn latencies(mut table: Reader<'_>) -> Vec<(String, SimDuration)> {
    let given = LATENCIES.map(|name| (name, table.get(name)));
    table.finish();
    // Errors are in percent of it.
    let above = |span: &SimDuration| *span > SimDuration::ZERO;
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_string(), value?.bounded(above, "above 0")?)));
    given.collect()
}
