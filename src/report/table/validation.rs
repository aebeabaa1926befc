//! The tables of a validation: the groups, then the Server rows, then what was not predicted.
//!
//! Rows of other scenarios are in the documents; here their groups stand for them.

use super::super::number::{latency, percent, wrap};
use super::Width;
use super::grid::{Column, Grid};
use crate::shown::shown_lines;
use crate::study::{Group, JudgedRow, Scaling, ValidationResults};
use std::collections::{BTreeMap, BTreeSet};

/// The whole text.
pub fn render_validation(results: &ValidationResults, width: Width) -> String {
    let said = format!(
        "Every row is predicted from other machines (its twins left out too); a Server row from its own \
         system's Offline rate besides. Predictions have at most {} queries, the search for a factor on GPU \
         speed {}. Load error: the factor on GPU speed that makes the predicted p99 the measured one, minus \
         1. Shape error: p90 and p99 once p50 is matched. Raw errors where 1 % of work moves p99 by less \
         than 5 %. Beyond noise: beyond what the measured p99 would scatter by if it were measured again \
         (95 %). Inside: measured p99 within the stated 90 % interval; if that is honest, a part no \
         likelier has the probability beside it. Width: ln(high / low); score: width and 20 times the \
         logarithm of the distance of a miss, the mean.",
        results.queries_max, results.fit_queries_max
    );
    let mut blocks = vec![
        "Measured runs against the model\n".to_string(),
        groups(&results.summary, width),
        intervals(&results.summary, width),
        wrap(&said, width.text, "") + "\n",
        server_rows(&results.rows, width),
        scaling(&results.scaling, width),
        skipped(&results.rows, width),
    ];
    blocks.push(format!("input {}, slicewise {}\n", results.input_hash, results.tool.version));
    blocks.retain(|block| !block.is_empty());
    shown_lines(&blocks.join("\n")).into_owned()
}

/// A part as a percentage of one decimal, or a dash.
fn part(value: Option<f64>) -> String {
    value.map_or("-".to_string(), |value| format!("{:.1}", value * 100.0))
}

/// One line a group.
pub(in crate::report) fn groups(groups: &[Group], width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut grid = Grid::new(&[
        ("errors, %", Text),
        ("rows", Number),
        ("skipped", Number),
        ("load median", Number),
        ("p90", Attached),
        ("other GPUs only", Number),
        ("p90", Attached),
        ("shape p90", Number),
        ("p99", Attached),
        ("raw p50", Number),
        ("p99", Attached),
        ("short", Number),
    ]);
    for group in groups {
        grid.line(vec![
            group.group.clone(),
            group.rows.to_string(),
            group.skipped.to_string(),
            part(group.load_error.map(|error| error.median)),
            part(group.load_error.map(|error| error.p90)),
            part(group.load_error_gpu_left_out.map(|error| error.median)),
            part(group.load_error_gpu_left_out.map(|error| error.p90)),
            part(group.shape_error.map(|error| error.p90)),
            part(group.shape_error.map(|error| error.p99)),
            part(group.raw_error_p50),
            part(group.raw_error_p99),
            group.capacity_short.to_string(),
        ]);
    }
    grid.finish(width)
}

/// One line a group of Server rows: errors beyond noise, and how good the intervals are.
pub(in crate::report) fn intervals(groups: &[Group], width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut grid = Grid::new(&[
        ("beyond noise, %; intervals", Text),
        ("load median", Number),
        ("p90", Attached),
        ("raw p99 median", Number),
        ("p90", Attached),
        ("scored", Number),
        ("inside", Number),
        ("probability", Number),
        ("width", Number),
        ("score", Number),
    ]);
    let number = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.2}"));
    for group in groups.iter().filter(|group| group.intervals > 0) {
        let (load, raw) = (group.load_error_beyond_noise, group.raw_error_p99_beyond_noise);
        grid.line(vec![
            group.group.clone(),
            part(load.map(|error| error.median)),
            part(load.map(|error| error.p90)),
            part(raw.map(|error| error.median)),
            part(raw.map(|error| error.p90)),
            group.intervals.to_string(),
            part(group.inside_interval),
            group.inside_probability.map_or("-".to_string(), |value| format!("{value:.3}")),
            number(group.interval_width),
            number(group.interval_score),
        ]);
    }
    grid.finish(width)
}

/// Each GPU told from the nearest other one, one line a GPU and kinship; and what that makes the intervals.
pub(in crate::report) fn scaling(scaling: &Scaling, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let benchmarks: BTreeSet<&str> =
        scaling.rows.iter().map(|row| row.benchmark.as_str()).collect();
    let mut columns =
        vec![("GPU left out, Offline rate off by %", Text), ("told from", Text), ("by", Text)];
    columns.extend(benchmarks.iter().map(|benchmark| (*benchmark, Number)));
    let mut grid = Grid::new(&columns);
    for spread in &scaling.spreads {
        let mut gpus: BTreeMap<&str, (BTreeSet<&str>, BTreeMap<&str, f64>)> = BTreeMap::new();
        for row in scaling.rows.iter().filter(|row| row.kinship == spread.kinship) {
            let (from, errors) = gpus.entry(&row.gpu).or_default();
            from.insert(&row.from);
            errors.insert(&row.benchmark, row.error);
        }
        for (gpu, (from, errors)) in gpus {
            let from: Vec<&str> = from.into_iter().collect();
            let mut cells = vec![gpu.to_string(), from.join(", "), spread.kinship.to_string()];
            cells.extend(benchmarks.iter().map(|benchmark| {
                errors.get(benchmark).map_or("-".to_string(), |error| percent(error * 100.0))
            }));
            grid.line(cells);
        }
    }
    let mut spreads = Grid::new(&[
        ("scaled from another GPU", Text),
        ("independent", Number),
        ("rms %", Number),
        ("nine in ten", Number),
        ("carried: from", Number),
        ("to", Attached),
    ]);
    for spread in &scaling.spreads {
        let end = |sign: f64| percent(((sign * spread.in_use).exp() - 1.0) * 100.0);
        spreads.line(vec![
            spread.kinship.to_string(),
            spread.independent.to_string(),
            format!("{:.1}", 100.0 * spread.rms),
            format!("{:.1}", 100.0 * spread.half_width),
            end(-1.0),
            end(1.0),
        ]);
    }
    match scaling.rows.is_empty() {
        true => String::new(),
        false => grid.finish(width) + "\n" + &spreads.finish(width),
    }
}

/// One line a Server row.
fn server_rows(rows: &[JudgedRow], width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut grid = Grid::new(&[
        ("Server run", Text),
        ("benchmark", Text),
        ("p99 ms", Number),
        ("simulated", Number),
        ("load %", Number),
        ("shape p90", Number),
        ("p99", Attached),
        ("elasticity", Number),
        ("marks", Text),
    ]);
    let signed = |value: Option<f64>| value.map_or("-".to_string(), |x| percent(x * 100.0));
    for row in rows {
        let Some(predicted) = row.predicted.as_ref().filter(|_| row.scenario == "server") else {
            continue;
        };
        let p99 = |figures: &crate::study::Rates| {
            figures.latency_ms.get("p99").map_or("-".to_string(), |&ms| latency(ms))
        };
        grid.line(vec![
            row.system.clone(),
            row.benchmark.clone(),
            p99(&row.published),
            p99(predicted),
            signed(row.load_error),
            signed(row.shape_error.map(|error| error.p90)),
            signed(row.shape_error.map(|error| error.p99)),
            row.elasticity.map_or("-".to_string(), |elasticity| format!("{elasticity:.1}")),
            row.marks.join(", "),
        ]);
    }
    grid.finish(width)
}

/// The Server rows that are furthest off, one line each.
pub(in crate::report) fn misses(rows: &[JudgedRow]) -> String {
    const LINES: usize = 20;
    let mut off: Vec<&JudgedRow> =
        rows.iter().filter(|row| row.scenario == "server" && row.predicted.is_some()).collect();
    let size = |row: &JudgedRow| row.load_error.map_or(f64::INFINITY, f64::abs);
    off.sort_by(|a, b| size(b).total_cmp(&size(a)));
    off.truncate(LINES);
    let off: Vec<JudgedRow> = off.into_iter().cloned().collect();
    server_rows(&off, Width::FILE)
}

/// Rows without prediction, by their reason.
fn skipped(rows: &[JudgedRow], width: Width) -> String {
    let mut reasons: Vec<(&str, Vec<&JudgedRow>)> = Vec::new();
    for row in rows {
        let Some(reason) = &row.skipped else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, of_it)) => of_it.push(row),
            None => reasons.push((reason, vec![row])),
        }
    }
    let lines = reasons.iter().map(|(reason, rows)| {
        let mut benchmarks: Vec<&str> = rows.iter().map(|row| row.benchmark.as_str()).collect();
        benchmarks.sort_unstable();
        benchmarks.dedup();
        let line = format!("skipped, {} rows ({}): {reason}", rows.len(), benchmarks.join(", "));
        wrap(&line, width.text, "  ") + "\n"
    });
    lines.collect()
}
