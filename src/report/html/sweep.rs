//! The page of `slicewise sweep`: charts, and a row for each point and group of VMs.
//!
//! Rows of single replications are in the files beside it.

use super::page::{Content, Page, notes, origin};
use super::table::{ROWS_SHOWN, Table};
use crate::report::number::{latency, rate};
use crate::report::table::{Column, Grid, sweep_tokens_grid};
use crate::report::{charts, written};
use crate::study::{FactUse, GroupSummary, Interval, SweepResults, Verdict};
use crate::units::counted;
use Column::{Number, Text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The file with a row for each point, replication and group.
const ROWS: &str = "sweep.csv";

impl Content for SweepResults {
    const COMMAND: &'static str = "sweep";
    const DOCUMENT: &'static str = "sweep.json";

    fn title(&self) -> String {
        self.sweep.title.clone()
    }

    fn about(&self) -> String {
        let keys: Vec<&str> =
            self.sweep.parameters.iter().map(|parameter| parameter.key.as_str()).collect();
        let points = counted(self.points.len(), "point");
        let runs = counted(self.sweep.replications as usize, "replication");
        format!("{points} of {}, {runs} of each", keys.join(" and "))
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let figures: Vec<_> = charts::sweep_figures(self).collect();
        let figures = page.draw(&figures)?;
        page.section("charts", "Charts", |page| page.figures(&figures));
        page.section("points", "Points", |page| {
            lines(page, self);
            points(page, self);
        });
        page.section("errors", "Points that could not be simulated", |page| {
            page.list(&errors(self));
        });
        page.section("not-applicable", "Points that are none by design", |page| {
            page.list(&not_applicable(self));
        });
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        notes(&self.scaled, &self.notes)
    }

    fn leans_on(&self) -> &[FactUse] {
        &self.leans_on
    }

    fn origin(&self) -> Vec<(&'static str, String)> {
        let mut origin = origin(&self.head);
        origin.push(("replications", self.sweep.replications.to_string()));
        origin
    }

    fn data(&self) -> anyhow::Result<String> {
        written::line(&document(self))
    }
}

/// A group at a point, with the names of its row.
struct RowOf<'r> {
    x: &'r str,
    line: &'r str,
    group: &'r str,
    of: Option<&'r GroupSummary>,
    runs: usize,
    is_declared: bool,
}

/// A row for each group of each point; one for a point without.
fn rows(results: &SweepResults) -> Vec<RowOf<'_>> {
    let mut rows = Vec::new();
    for (point, found) in results.sweep.points.iter().zip(&results.points) {
        let groups = found.groups.iter().map(Some).chain(found.groups.is_empty().then_some(None));
        for of in groups {
            let group = of.map_or("", |of| results.groups[of.group].name.as_str());
            rows.push(RowOf {
                x: &point.x.text,
                line: &results.sweep.lines[point.line],
                group,
                of,
                runs: found.runs,
                is_declared: point.not_applicable.is_some(),
            });
        }
    }
    rows
}

/// Whether a row is of an LLM, which has a table of its tokens.
fn is_llm(row: &RowOf<'_>) -> bool {
    row.of.is_some_and(|of| of.tokens.is_some())
}

fn told(interval: Option<Interval>, write: fn(f64) -> String) -> String {
    match interval {
        None => "-".to_string(),
        Some(Interval { mean, half_width: None }) => write(mean),
        Some(Interval { mean, half_width: Some(half) }) => {
            format!("{} ± {}", write(mean), write(half))
        }
    }
}

fn verdict(row: &RowOf<'_>) -> String {
    match row.of {
        None if row.is_declared => "n/a".to_string(),
        None => "ERROR".to_string(),
        Some(of) if of.valid == row.runs => "VALID".to_string(),
        Some(of) if of.valid == 0 => "INVALID".to_string(),
        Some(of) => format!("{} of {} INVALID", row.runs - of.valid, row.runs),
    }
}

/// A row for each line of the charts, where there are many points.
fn lines(page: &mut Page, results: &SweepResults) {
    let rows = rows(results);
    if rows.len() <= ROWS_SHOWN {
        return;
    }
    let mut lines: Vec<((&str, &str), Vec<&RowOf<'_>>)> = Vec::new();
    for row in rows.iter().filter(|row| row.of.is_some()) {
        let name = (row.line, row.group);
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of)) => of.push(row),
            None => lines.push((name, vec![row])),
        }
    }
    let (with_line, with_group) = (results.sweep.lines.len() > 1, results.groups.len() > 1);
    let mut columns = Vec::new();
    columns.extend(with_line.then_some(("line", Text)));
    columns.extend((with_group || !with_line).then_some(("group", Text)));
    columns.extend([("points", Number), ("VALID", Number)]);
    columns.extend([("least p99, ms", Number), ("greatest p99, ms", Number), ("at", Text)]);
    let mut grid = Grid::new(&columns);
    let mut badness = Vec::new();
    for ((line, group), of) in &lines {
        let p99 = |row: &&&RowOf<'_>| row.of.map_or(0.0, |of| of.p99_ms.mean);
        let by = |a: &&&RowOf<'_>, b: &&&RowOf<'_>| p99(a).total_cmp(&p99(b));
        let (least, most) = (of.iter().min_by(by), of.iter().max_by(by));
        let (Some(least), Some(most)) = (least, most) else { continue };
        let valid = of.iter().filter(|row| row.of.is_some_and(|of| of.valid == row.runs)).count();
        let mut cells = Vec::new();
        cells.extend(with_line.then(|| line.to_string()));
        cells.extend((with_group || !with_line).then(|| group.to_string()));
        cells.extend([of.len().to_string(), valid.to_string()]);
        cells.extend([latency(p99(&least)), latency(p99(&most)), most.x.to_string()]);
        grid.line(cells);
        badness.push(p99(&most));
    }
    let table = Table::of("Lines of the charts and their spread", grid, ROWS);
    page.table(table.worst_by("p99", badness));
}

fn points(page: &mut Page, results: &SweepResults) {
    let sweep = &results.sweep;
    if let Some((grid, said)) = sweep_tokens_grid(results) {
        page.table(Table::of("Points of the sweep: tokens", grid, ROWS));
        page.said(&said);
    }
    let rows = rows(results);
    let rows: Vec<_> = rows.into_iter().filter(|row| !is_llm(row)).collect();
    let x = sweep.parameters.first().map_or("line", |parameter| parameter.key.as_str());
    let numbers = sweep.points.iter().all(|point| point.x.number.is_some());
    let (with_line, with_group) = (sweep.lines.len() > 1, results.groups.len() > 1);
    let mut columns = vec![(x, if numbers { Number } else { Text })];
    columns.extend(with_line.then_some(("line", Text)));
    columns.extend(with_group.then_some(("group", Text)));
    columns.extend(sweep.has_several_models.then_some(("GPU", Text)));
    columns.extend([("VMs", Number), ("samples /s", Number)]);
    columns.extend([("p50, ms", Number), ("p99, ms", Number), ("verdict", Text)]);
    let mut grid = Grid::new(&columns);
    let mut badness = Vec::new();
    for row in &rows {
        let of = row.of;
        let mut cells = vec![row.x.to_string()];
        cells.extend(with_line.then(|| row.line.to_string()));
        cells.extend(with_group.then(|| row.group.to_string()));
        cells.extend(
            sweep
                .has_several_models
                .then(|| of.map_or(String::new(), |of| of.gpu_models.join(", "))),
        );
        cells.push(of.map_or("-".to_string(), |of| of.vms.to_string()));
        cells.push(told(of.map(|of| of.completed_per_s), rate));
        cells.push(told(of.map(|of| of.p50_ms), latency));
        cells.push(told(of.map(|of| of.p99_ms), latency));
        cells.push(verdict(row));
        grid.line(cells);
        badness.push(of.map_or(0.0, |of| of.p99_ms.mean));
    }
    page.table(Table::of("Points of the sweep", grid, ROWS).worst_by("p99", badness));
    if sweep.replications > 1 {
        page.said(&format!(
            "Means of {} replications; ± is half the 95 % interval (Student).",
            sweep.replications
        ));
    }
}

fn errors(results: &SweepResults) -> Vec<String> {
    let points = results.sweep.points.iter().zip(&results.points);
    let failed = points.filter_map(|(point, found)| Some((point, found.error.as_ref()?)));
    failed.map(|(point, error)| format!("{}: {error}", results.sweep.label(point))).collect()
}

/// Each reason once, with how many points it is of.
fn not_applicable(results: &SweepResults) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for point in &results.sweep.points {
        if let Some(reason) = &point.not_applicable {
            reasons.entry(reason).or_default().push(results.sweep.label(point));
        }
    }
    let said = reasons.into_iter().map(|(reason, points)| match &points[..] {
        [first, rest @ ..] if !rest.is_empty() => {
            format!("{first} and {} more: {reason}", rest.len())
        }
        all => format!("{}: {reason}", all.concat()),
    });
    said.collect()
}

/// The means of all points.
fn document(results: &SweepResults) -> Value {
    let (of, sweep) = (&results.head, &results.sweep);
    let interval = |one: Interval| json!({ "mean": one.mean, "half_width": one.half_width });
    let points = rows(results).into_iter().map(|row| {
        json!({
            "x": row.x,
            "line": row.line,
            "group": row.group,
            "vms": row.of.map(|of| of.vms),
            "completed_per_s": row.of.map(|of| interval(of.completed_per_s)),
            "latency_p50_ms": row.of.map(|of| interval(of.p50_ms)),
            "latency_p99_ms": row.of.map(|of| interval(of.p99_ms)),
            "runs": row.runs,
            "valid_runs": row.of.map(|of| of.valid),
            "not_applicable": row.is_declared,
        })
    });
    json!({
        "schema_version": of.schema_version,
        "tool": of.tool,
        "seed": of.seed,
        "scenario_hash": of.scenario_hash,
        "scenario": of.scenario,
        "title": of.title,
        "replications": sweep.replications,
        "x": sweep.parameters.first().map(|parameter| &parameter.key),
        "points": points.collect::<Vec<_>>(),
        "verdict": results.verdict,
        "notes": results.notes,
        "leans_on": results.leans_on,
    })
}
