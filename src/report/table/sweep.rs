//! The table of a sweep: one line per point and group of VMs, means over the replications.
//!
//! Other percentiles and single replications are in the documents.

use super::super::number::{latency, rate, span};
use super::grid::{Column, Grid};
use super::members::ROWS_MAX;
use super::{footer, page, scaled, sweep_tokens, verdict};
use crate::report::width::Width;
use crate::spec::SweepPoint;
use crate::study::{GroupSummary, Interval, PointSummary, SweepResults};
use crate::units::counted;
use std::collections::BTreeMap;

/// So many errors are told; the rest is counted.
const ERRORS_MAX: usize = 10;

/// So many lines are read by nobody; the rest is counted.
const LINES_MAX: usize = 1000;

/// The whole text.
pub fn render_sweep(results: &SweepResults, width: Width) -> String {
    let sweep = &results.sweep;
    let mut blocks = vec![
        width.lines(&sweep.title),
        verdict(&results.verdict, width),
        scaled(&results.scaled, width),
    ];
    let rows: usize = results.points.iter().map(|point| point.groups.len().max(1)).sum();
    blocks.extend(match rows > ROWS_MAX && !width.shows_each() {
        true => vec![by_line(results, width)],
        false => vec![points(results, width), sweep_tokens::points(results, width)],
    });
    if sweep.replications > 1 {
        let text = format!(
            "Means of {} replications; ± is half the 95 % confidence interval (Student).",
            sweep.replications
        );
        blocks.push(width.lines(&text));
    }
    blocks.extend([
        errors(results, width),
        not_applicable(results, width),
        width.items("note", &results.notes),
    ]);
    blocks.push(footer(&results.head, &results.leans_on, "sweep.json", width));
    page(blocks)
}

/// Of very many points: a row for each line and group of VMs, with the best and the worst point.
fn by_line(results: &SweepResults, width: Width) -> String {
    use Column::{Number, Text};
    let sweep = &results.sweep;
    let per_line = (results.points.len() / sweep.lines.len().max(1)).max(1);
    let mut grid = Grid::new(&[
        ("line", Text),
        ("group", Text),
        ("points", Number),
        ("VALID", Number),
        ("samples/s", Number),
        ("p99 ms", Number),
        ("highest p99 at", Text),
    ]);
    let mut left_out = 0;
    for (line, points) in results.points.chunks(per_line).enumerate() {
        for (index, group) in results.groups.iter().enumerate() {
            let found = points.iter().enumerate().filter_map(|(at, point)| {
                let found = point.group(index)?;
                Some((at, found, found.valid == point.runs))
            });
            let found: Vec<(usize, &GroupSummary, bool)> = found.collect();
            if found.is_empty() {
                continue;
            }
            if grid.rows() >= ROWS_MAX {
                left_out += 1;
                continue;
            }
            let ends = |of: fn(&GroupSummary) -> f64, write: fn(f64) -> String| {
                let figures = || found.iter().map(|(_, found, _)| of(found));
                let ends = [figures().reduce(f64::min), figures().reduce(f64::max)];
                span(ends.map(|end| end.unwrap_or(f64::NAN)), write)
            };
            let p99 = |found: &GroupSummary| found.p99_ms.mean;
            let worst = found.iter().max_by(|one, other| p99(one.1).total_cmp(&p99(other.1)));
            let worst = worst.map(|(at, ..)| &sweep.points[line * per_line + at].x.text);
            grid.line(vec![
                sweep.lines.get(line).cloned().unwrap_or_default(),
                group.name.clone(),
                found.len().to_string(),
                found.iter().filter(|(.., valid)| *valid).count().to_string(),
                ends(|found| found.completed_per_s.mean, rate),
                ends(p99, latency),
                worst.cloned().unwrap_or_default(),
            ]);
        }
    }
    let rest = match left_out {
        0 => String::new(),
        rest => format!(" {} more have no row.", counted(rest, "line or group")),
    };
    let said = format!(
        "{} are too many for a terminal: each row has the least and the greatest of a line's \
         points. All are in table.txt and sweep.csv, and with --all here.{rest}",
        counted(results.points.len(), "point")
    );
    grid.finish(width) + &width.said(&said)
}

/// Which columns a sweep needs.
struct Shape {
    with_line: bool,
    with_group: bool,
    with_models: bool,
    with_interval: bool,
}

fn points(results: &SweepResults, width: Width) -> String {
    use Column::{Attached, Number, Text};
    if sweep_tokens::are_all(results) {
        return String::new();
    }
    let sweep = &results.sweep;
    let shape = Shape {
        with_line: sweep.lines.len() > 1,
        with_group: results.groups.len() > 1,
        with_models: sweep.has_several_models,
        with_interval: sweep.replications > 1,
    };
    let numbers = sweep.points.iter().all(|point| point.x.number.is_some());
    let x = sweep.parameters.first().map_or("line", |parameter| parameter.key.as_str());
    let mut columns = vec![(x, if numbers { Number } else { Text })];
    columns.extend(shape.with_line.then_some(("line", Text)));
    columns.extend(shape.with_group.then_some(("group", Text)));
    columns.extend(shape.with_models.then_some(("GPU", Text)));
    columns.push(("VMs", Number));
    for head in ["samples/s", "p50 ms", "p99 ms"] {
        columns.push((head, Number));
        columns.extend(shape.with_interval.then_some(("±", Attached)));
    }
    columns.push(("verdict", Text));
    let mut grid = Grid::new(&columns);
    let mut lines = 0;
    let mut shown = 0;
    for (index, (point, found)) in sweep.points.iter().zip(&results.points).enumerate() {
        lines += found.groups.len().max(1);
        if lines > LINES_MAX && index > 0 {
            break;
        }
        if index > 0 && sweep.points[index - 1].line != point.line {
            grid.gap();
        }
        lines_of(&mut grid, &shape, results, (point, found));
        shown += 1;
    }
    let mut text = grid.finish(width);
    if shown < results.points.len() {
        let (rest, all) = (results.points.len() - shown, results.points.len());
        text.push_str(&width.lines(&format!("and {rest} more of {all} points, in sweep.csv")));
    }
    text
}

/// The lines of a point.
fn lines_of(
    grid: &mut Grid,
    shape: &Shape,
    results: &SweepResults,
    (point, found): (&SweepPoint, &PointSummary),
) {
    let start = |group: &str, models: &[String]| {
        let mut cells = vec![point.x.text.clone()];
        cells.extend(shape.with_line.then(|| results.sweep.lines[point.line].clone()));
        cells.extend(shape.with_group.then(|| group.to_string()));
        cells.extend(shape.with_models.then(|| models.join(", ")));
        cells
    };
    if found.groups.is_empty() {
        let mut cells = start("", &[]);
        let figures = if shape.with_interval { 6 } else { 3 };
        cells.extend(vec!["-".to_string(); 1]);
        cells.extend((0..figures).map(|cell| {
            let figure = !shape.with_interval || cell % 2 == 0;
            if figure { "-".to_string() } else { String::new() }
        }));
        let declared = point.not_applicable.is_some();
        cells.push(if declared { "n/a" } else { "ERROR" }.to_string());
        grid.line(cells);
    }
    for group in found.groups.iter().filter(|group| group.tokens.is_none()) {
        let mut cells = start(&results.groups[group.group].name, &group.gpu_models);
        cells.push(group.vms.to_string());
        let mut add = |interval: Interval, write: fn(f64) -> String| {
            cells.push(write(interval.mean));
            if shape.with_interval {
                cells.push(interval.half_width.map_or(String::new(), write));
            }
        };
        add(group.completed_per_s, rate);
        add(group.p50_ms, latency);
        add(group.p99_ms, latency);
        cells.push(sweep_tokens::verdict_of(group, found.runs));
        grid.line(cells);
    }
}

/// Why points are errors, one line each.
fn errors(results: &SweepResults, width: Width) -> String {
    let points = results.sweep.points.iter().zip(&results.points);
    let failed = points.filter_map(|(point, found)| Some((point, found.error.as_ref()?)));
    let failed: Vec<_> = failed.collect();
    let mut text = String::new();
    for (point, error) in failed.iter().take(ERRORS_MAX) {
        let line = format!("ERROR: {}: {error}", results.sweep.label(point));
        text.push_str(&width.item(&line));
    }
    if failed.len() > ERRORS_MAX {
        let more = counted(failed.len() - ERRORS_MAX, "more error");
        text.push_str(&format!("and {more}, in sweep.csv\n"));
    }
    text
}

/// Why points are none by design: each reason once, with how many it is of.
fn not_applicable(results: &SweepResults, width: Width) -> String {
    let mut reasons: BTreeMap<&str, Vec<&SweepPoint>> = BTreeMap::new();
    for point in &results.sweep.points {
        if let Some(reason) = &point.not_applicable {
            reasons.entry(reason).or_default().push(point);
        }
    }
    let mut text = String::new();
    for (reason, points) in reasons {
        let first = results.sweep.label(points[0]);
        let which = match points.len() {
            1 => first,
            count => format!("{first} and {} more", count - 1),
        };
        text.push_str(&width.item(&format!("n/a: {which}: {reason}")));
    }
    text
}
