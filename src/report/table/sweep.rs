//! The table of a sweep: one line per point and group of VMs, means over the replications.
//!
//! Other percentiles and single replications are in the documents.

use super::super::number::{latency, rate, wrap};
use super::grid::{Column, Grid};
use super::{WIDTH, footer_of, notes};
use crate::study::{Interval, PointResult, SweepResults};

/// So many errors are told; the rest is counted.
const ERRORS_MAX: usize = 10;

/// The whole text.
pub fn render_sweep(results: &SweepResults) -> String {
    let sweep = &results.sweep;
    let mut blocks = vec![format!("{}\n", sweep.title), points(results)];
    if sweep.replications > 1 {
        let text = format!(
            "Means of {} replications; ± is half the 95 % confidence interval (Student).",
            sweep.replications
        );
        blocks.push(format!("{text}\n"));
    }
    blocks.extend([errors(results), notes(&results.notes)]);
    let made = (sweep.seed, sweep.name.as_str(), sweep.hash.as_str());
    blocks.push(footer_of(&results.leans_on, "sweep.json", made, &results.tool));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

/// Which columns a sweep needs.
struct Shape<'r> {
    with_line: bool,
    with_group: bool,
    with_interval: bool,
    groups: Vec<&'r str>,
}

fn points(results: &SweepResults) -> String {
    use Column::{Attached, Number, Text};
    let sweep = &results.sweep;
    let groups = results.groups();
    let shape = Shape {
        with_line: sweep.lines.len() > 1,
        with_group: groups.len() > 1,
        with_interval: sweep.replications > 1,
        groups,
    };
    let numbers = results.points.iter().all(|point| point.x.number.is_some());
    let x = sweep.parameters.first().map_or("line", |parameter| parameter.key.as_str());
    let mut columns = vec![(x, if numbers { Number } else { Text })];
    columns.extend(shape.with_line.then_some(("line", Text)));
    columns.extend(shape.with_group.then_some(("group", Text)));
    columns.push(("VMs", Number));
    for head in ["samples/s", "p50 ms", "p99 ms"] {
        columns.push((head, Number));
        columns.extend(shape.with_interval.then_some(("±", Attached)));
    }
    columns.push(("verdict", Text));
    let mut grid = Grid::new(&columns);
    for (index, point) in results.points.iter().enumerate() {
        if index > 0 && results.points[index - 1].line != point.line {
            grid.gap();
        }
        lines_of(&mut grid, &shape, &sweep.lines[point.line], point);
    }
    grid.finish()
}

/// The lines of a point.
fn lines_of(grid: &mut Grid, shape: &Shape<'_>, line: &str, point: &PointResult) {
    let start = |group: &str| {
        let mut cells = vec![point.x.text.clone()];
        cells.extend(shape.with_line.then(|| line.to_string()));
        cells.extend(shape.with_group.then(|| group.to_string()));
        cells
    };
    if point.runs.is_empty() {
        let mut cells = start("");
        let figures = if shape.with_interval { 6 } else { 3 };
        cells.extend(vec!["-".to_string(); 1]);
        cells.extend((0..figures).map(|cell| {
            let figure = !shape.with_interval || cell % 2 == 0;
            if figure { "-".to_string() } else { String::new() }
        }));
        cells.push("ERROR".to_string());
        grid.line(cells);
    }
    for group in &shape.groups {
        let Some(first) = point.group(group).next() else { continue };
        let mut cells = start(group);
        cells.push(first.vms.to_string());
        let mut add = |interval: Option<Interval>, write: fn(f64) -> String| {
            cells.push(interval.map_or("-".to_string(), |interval| write(interval.mean)));
            if shape.with_interval {
                cells.push(interval.and_then(|i| i.half_width).map_or(String::new(), write));
            }
        };
        add(point.interval(group, |found| found.completed_per_s), rate);
        add(point.interval(group, |found| found.latency_ms.p50), latency);
        add(point.interval(group, |found| found.latency_ms.p99), latency);
        cells.push(verdict(point, group));
        grid.line(cells);
    }
}

/// `VALID`, `INVALID`, or how many replications are `2 of 5 INVALID`.
fn verdict(point: &PointResult, group: &str) -> String {
    let valid = point.group(group).filter(|found| found.valid).count();
    match (valid, point.runs.len()) {
        (0, _) => "INVALID".to_string(),
        (valid, all) if valid == all => "VALID".to_string(),
        (valid, all) => format!("{} of {all} INVALID", all - valid),
    }
}

/// Why points are errors, one line each.
fn errors(results: &SweepResults) -> String {
    let points = results.sweep.points.iter();
    let failed: Vec<_> = points.filter_map(|point| Some((point, point.error.as_ref()?))).collect();
    let mut text = String::new();
    for (point, error) in failed.iter().take(ERRORS_MAX) {
        let line = format!("ERROR: {}: {error}", results.sweep.label(point));
        text.push_str(&wrap(&line, WIDTH, "  "));
        text.push('\n');
    }
    if failed.len() > ERRORS_MAX {
        text.push_str(&format!("and {} more errors, in sweep.csv\n", failed.len() - ERRORS_MAX));
    }
    text
}
