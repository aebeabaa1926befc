//! Reads `harnesses/<id>.toml`: a harness and its benchmarks, for validations.
//!
//! Whether its benchmarks are workloads of the catalogue is checked by the catalogue.

use super::facts::{entries_of, name};
use super::gpus::compute_capability;
use crate::config::text::{Reader, Value};
use crate::spec::{Harness, HarnessBenchmark, MeasuredSettings, PRESETS, RowGroup};
use crate::units::{Share, SimDuration};

/// Most entries of a list.
const MOST: usize = 16;

/// The word for what SingleStream takes beside the work of a sample.
const SINGLE_STREAM: &str = "single-stream";

pub(super) fn harness(id: &str, mut file: Reader<'_>) -> Option<Harness> {
    let name = name(&mut file);
    let preset = file.need("preset", "name the preset of its server");
    let preset =
        preset.and_then(|value| value.choice("preset", &PRESETS.map(|one| (one.name, one))));
    let word = file.need("harness", "write the value of the column `harness` in its rows");
    let word = word.and_then(|value| text(&value));
    let is_own = flag(&mut file, "is_own");
    let columns = MeasuredSettings::COLUMNS.map(|column| (column, column));
    let takes = list(&mut file, "takes", |value| value.choice("column", &columns));
    let launch_in_series = flag(&mut file, "launch_in_series");
    let by_lot = list(&mut file, "by_lot", text);
    let graphs_by_lot = flag(&mut file, "graphs_by_lot");
    let benchmarks = file.need("benchmark", "name a workload: [benchmark.my-model]");
    let benchmarks = benchmarks.and_then(|value| {
        let entries = value.table()?.entries().into_iter();
        entries.map(|(id, value)| Some((id, benchmark(value.table()?)?))).collect()
    });
    let summary = file.get("summary");
    let summary = summary.map_or(Some(Vec::new()), |value| entries_of(&value, row_group));
    file.finish();
    Some(Harness {
        id: id.to_string(),
        name: name?,
        preset: preset?,
        word: word?,
        is_own: is_own?,
        takes: takes?,
        launch_in_series: launch_in_series?,
        by_lot: by_lot?,
        graphs_by_lot: graphs_by_lot?,
        benchmarks: benchmarks?,
        summary: summary?,
    })
}

fn benchmark(mut table: Reader<'_>) -> Option<HarnessBenchmark> {
    let launches = table.need("launch", "write times, [\"1 ms\", \"2 ms\"], or \"single-stream\"");
    let launches = launches.and_then(|value| match value.is_text() {
        true => value.choice("launch", &[(SINGLE_STREAM, None)]).map(|none| vec![none]),
        false => items(&value, |value| value.quantity::<SimDuration>().map(Some)),
    });
    let mut shares = |key: &str, usual: Share| match table.get(key) {
        Some(value) => items(&value, |value| value.quantity::<Share>()),
        None => Some(vec![usual]),
    };
    let (spreads, phis) = (shares("spread", Share::NONE), shares("phi", Share::WHOLE));
    let of_tokens = flag(&mut table, "tokens");
    let below = table.get("precision_below").map(|value| compute_capability(&value));
    table.finish();
    Some(HarnessBenchmark {
        launches: launches?,
        spreads: spreads?,
        phis: phis?,
        of_tokens: of_tokens?,
        precision_below: below.map_or(Some(None), |number| number.map(Some))?,
    })
}

fn row_group(table: &mut Reader<'_>) -> Option<RowGroup> {
    let name = table.need("name", "state what the rows have in common");
    let harness = table.get("harness").map_or(Some(None), |value| text(&value).map(Some));
    let benchmarks = list(table, "benchmarks", text);
    let on_one_slice = flag(table, "one_slice");
    let without_stalls = flag(table, "without_host_stalls");
    Some(RowGroup {
        name: text(&name?)?,
        harness: harness?,
        benchmarks: benchmarks?,
        on_one_slice: on_one_slice?,
        without_stalls: without_stalls?,
    })
}

fn text(value: &Value<'_>) -> Option<String> {
    value.text().map(str::to_string)
}

/// A flag that may be left out where it is not so.
fn flag(table: &mut Reader<'_>, key: &str) -> Option<bool> {
    table.get(key).map_or(Some(false), |value| value.flag())
}

/// The entries of a list that may be left out, none of them wrong.
fn list<T>(
    table: &mut Reader<'_>,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    table.get(key).map_or(Some(Vec::new()), |value| items(&value, read))
}

fn items<T>(value: &Value<'_>, read: impl Fn(&Value<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items = value.items(MOST)?;
    let found: Vec<T> = items.iter().filter_map(read).collect();
    (found.len() == items.len()).then_some(found)
}
