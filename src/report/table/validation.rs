//! The tables of a validation: the groups, then the Server rows, then the rows without prediction.
//!
//! Rows of other scenarios are in the documents; only their groups are shown here.

use super::super::number::{latency, or_dash, percent};
use super::grid::{Column, Columns, Grid};
use super::{page, verdict};
use crate::report::width::Width;
use crate::study::{Group, JudgedRow, Rates, Scaling, ScalingSpread, ValidationResults};
use std::collections::{BTreeMap, BTreeSet};

/// The whole text.
pub fn render_validation(results: &ValidationResults, width: Width) -> String {
    let mut blocks = vec![
        "Measured runs against the model\n".to_string(),
        verdict(&results.verdict, width),
        groups(&results.summary, width),
        intervals(&results.summary, width),
        width.said(&said(results)),
        server_rows(&results.rows, width),
        scaling(&results.scaling, width),
        skipped(&results.rows, width),
    ];
    blocks.push(format!("input {}, slicewise {}\n", results.input_hash, results.tool.version));
    page(blocks)
}

/// What the columns are.
pub(in crate::report) fn said(results: &ValidationResults) -> String {
    format!(
        "Every row is predicted from other machines (its twins left out too); a Server row also \
         from its own system's Offline rate. Predictions have at most {} queries, the search for \
         a factor on GPU \
         speed {}. Load error: the factor on GPU speed that makes the predicted p99 the measured \
         one, minus \
         1. Shape error: p90 and p99 once p50 is matched. Raw errors: of rows where 1 % more work \
         changes p99 by less than 5 %. Beyond noise: the error beyond the scatter of the measured \
         p99 if it were measured again (95 %). Inside: part of the rows whose measured p99 is \
         within the stated 90 % interval; beside it the probability (exact binomial test) of a \
         part at least as unlikely if the intervals are correct. Width: mean ln(high / low); \
         score: mean of the width plus 20 times the logarithm of the distance of a miss.",
        results.queries_max, results.fit_queries_max
    )
}

/// A part as a percentage of one decimal, or a dash.
fn part(value: Option<f64>) -> String {
    or_dash(value, |value| format!("{:.1}", value * 100.0))
}

/// One line per group.
pub(in crate::report) fn groups(groups: &[Group], width: Width) -> String {
    groups_grid(groups).finish(width)
}

/// The same as a grid.
pub(in crate::report) fn groups_grid(groups: &[Group]) -> Grid {
    use Column::{Attached, Number, Text};
    Columns::new()
        .with("errors, %", Text, |of: &&Group| of.group.clone())
        .with("rows", Number, |of| of.rows.to_string())
        .with("skipped", Number, |of| of.skipped.to_string())
        .with("load median", Number, |of| part(of.load_error.map(|error| error.median)))
        .with("p90", Attached, |of| part(of.load_error.map(|error| error.p90)))
        .with("other GPUs only", Number, |of| {
            part(of.load_error_gpu_left_out.map(|error| error.median))
        })
        .with("p90", Attached, |of| part(of.load_error_gpu_left_out.map(|error| error.p90)))
        .with("shape p90", Number, |of| part(of.shape_error.map(|error| error.p90)))
        .with("p99", Attached, |of| part(of.shape_error.map(|error| error.p99)))
        .with("raw p50", Number, |of| part(of.raw_error_p50))
        .with("p99", Attached, |of| part(of.raw_error_p99))
        .with("short", Number, |of| of.capacity_short.to_string())
        .of(groups)
}

/// One line per group of Server rows: errors beyond noise, and the quality of the intervals.
pub(in crate::report) fn intervals(groups: &[Group], width: Width) -> String {
    intervals_grid(groups).finish(width)
}

/// The same as a grid.
pub(in crate::report) fn intervals_grid(groups: &[Group]) -> Grid {
    use Column::{Attached, Number, Text};
    fn number(value: Option<f64>) -> String {
        or_dash(value, |value| format!("{value:.2}"))
    }
    Columns::new()
        .with("beyond noise, %; intervals", Text, |of: &&Group| of.group.clone())
        .with("load median", Number, |of| part(of.load_error_beyond_noise.map(|of| of.median)))
        .with("p90", Attached, |of| part(of.load_error_beyond_noise.map(|of| of.p90)))
        .with("raw p99 median", Number, |of| {
            part(of.raw_error_p99_beyond_noise.map(|of| of.median))
        })
        .with("p90", Attached, |of| part(of.raw_error_p99_beyond_noise.map(|of| of.p90)))
        .with("scored", Number, |of| of.intervals.to_string())
        .with("inside", Number, |of| part(of.inside_interval))
        .with("probability", Number, |of| {
            or_dash(of.inside_probability, |value| format!("{value:.3}"))
        })
        .with("width", Number, |of| number(of.interval_width))
        .with("score", Number, |of| number(of.interval_score))
        .of(groups.iter().filter(|group| group.intervals > 0))
}

/// Each GPU predicted from the nearest other one, one line per GPU and similarity; and the
/// resulting intervals.
pub(in crate::report) fn scaling(scaling: &Scaling, width: Width) -> String {
    scaling_grids(scaling).map_or(String::new(), |(errors, spreads)| {
        errors.finish(width) + "\n" + &spreads.finish(width)
    })
}

/// The same as grids; none where no GPU could be left out.
pub(in crate::report) fn scaling_grids(scaling: &Scaling) -> Option<(Grid, Grid)> {
    use Column::{Attached, Number, Text};
    let benchmarks: BTreeSet<&str> =
        scaling.rows.iter().map(|row| row.benchmark.as_str()).collect();
    let mut columns = vec![
        ("GPU left out, error of Offline rate, %", Text),
        ("predicted from", Text),
        ("by", Text),
    ];
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
            cells.extend(
                benchmarks.iter().map(|benchmark| {
                    or_dash(errors.get(benchmark), |error| percent(error * 100.0))
                }),
            );
            grid.line(cells);
        }
    }
    fn end(spread: &ScalingSpread, sign: f64) -> String {
        percent(((sign * spread.in_use).exp() - 1.0) * 100.0)
    }
    let spreads = Columns::new()
        .with("scaled from another GPU", Text, |of: &&ScalingSpread| of.kinship.to_string())
        .with("independent", Number, |of| of.independent.to_string())
        .with("rms %", Number, |of| format!("{:.1}", 100.0 * of.rms))
        .with("90 % within", Number, |of| format!("{:.1}", 100.0 * of.half_width))
        .with("carried: from", Number, |of| end(of, -1.0))
        .with("to", Attached, |of| end(of, 1.0))
        .of(&scaling.spreads);
    (!scaling.rows.is_empty()).then_some((grid, spreads))
}

/// One line a Server row.
fn server_rows<'r>(rows: impl IntoIterator<Item = &'r JudgedRow>, width: Width) -> String {
    use Column::{Attached, Number, Text};
    fn p99(rates: &Rates) -> String {
        or_dash(rates.latency_ms.get("p99"), |&ms| latency(ms))
    }
    fn signed(value: Option<f64>) -> String {
        or_dash(value, |x| percent(x * 100.0))
    }
    let rows = rows.into_iter().filter(|row| row.scenario == "server");
    let grid = Columns::new()
        .with("Server run", Text, |(row, _): &(&JudgedRow, &Rates)| row.system.clone())
        .with("benchmark", Text, |(row, _)| row.benchmark.clone())
        .with("p99 ms", Number, |(row, _)| p99(&row.published))
        .with("simulated", Number, |(_, predicted)| p99(predicted))
        .with("load %", Number, |(row, _)| signed(row.load_error))
        .with("shape p90", Number, |(row, _)| signed(row.shape_error.map(|error| error.p90)))
        .with("p99", Attached, |(row, _)| signed(row.shape_error.map(|error| error.p99)))
        .with("elasticity", Number, |(row, _)| {
            or_dash(row.elasticity, |elasticity| format!("{elasticity:.1}"))
        })
        .with("marks", Text, |(row, _)| row.marks.join(", "))
        .of(rows.filter_map(|row| Some((row, row.predicted.as_ref()?))));
    grid.finish(width)
}

/// The Server rows with the largest errors, one line each.
pub(in crate::report) fn misses(rows: &[JudgedRow]) -> String {
    const LINES: usize = 20;
    let mut off: Vec<&JudgedRow> =
        rows.iter().filter(|row| row.scenario == "server" && row.predicted.is_some()).collect();
    let size = |row: &JudgedRow| row.load_error.map_or(f64::INFINITY, f64::abs);
    off.sort_by(|a, b| size(b).total_cmp(&size(a)));
    off.truncate(LINES);
    server_rows(off, Width::FILE)
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
        width.item(&line)
    });
    lines.collect()
}
