//! The table of a sweep's groups that serve LLMs: one line per point and group, means over the replications.

use super::super::number::{latency, or_dash, plain, rate};
use super::grid::{Column, Grid};
use super::tokens::percent;
use crate::report::width::Width;
use crate::study::{GroupHead, GroupSummary, Interval, SweepResults, TokenSummary};
use Column::{Attached, Number, Text};

/// Whether all groups serve LLMs, so that there is no other table of points.
pub(super) fn are_all(results: &SweepResults) -> bool {
    !results.groups.is_empty() && results.groups.iter().all(|group| group.serves_llm)
}

/// Which columns the table has.
struct Shape {
    line: bool,
    group: bool,
    models: bool,
    interval: bool,
    judged: bool,
    preempted: bool,
}

impl Shape {
    fn of(results: &SweepResults) -> Self {
        let all = || results.points.iter().flat_map(|point| &point.groups);
        let preempts = |of: &GroupSummary| {
            of.tokens.as_ref().is_some_and(|tokens| tokens.preemptions.mean > 0.0)
        };
        Self {
            line: results.sweep.lines.len() > 1,
            group: results.groups.len() > 1,
            models: results.sweep.has_several_models,
            interval: results.sweep.replications > 1,
            judged: results.groups.iter().any(|head| head.serves_llm && head.is_judged()),
            preempted: all().any(preempts),
        }
    }

    fn columns<'c>(&self, x: &'c str, of_x: Column) -> Vec<(&'c str, Column)> {
        let mut columns = vec![(x, of_x)];
        columns.extend(self.line.then_some(("line", Text)));
        columns.extend(self.group.then_some(("group", Text)));
        columns.extend(self.models.then_some(("GPU", Text)));
        columns.extend([
            ("VMs", Number),
            ("tokens/s", Number),
            ("TTFT p50", Number),
            ("p99", Number),
        ]);
        columns.extend(self.interval.then_some(("±", Attached)));
        columns.extend([("TPOT p50", Number), ("p99", Number)]);
        columns.extend(self.interval.then_some(("±", Attached)));
        columns.extend(self.judged.then_some(("good %", Number)));
        columns.push(("KV %", Number));
        columns.extend(self.preempted.then_some(("preempted", Number)));
        columns.extend(self.judged.then_some(("verdict", Text)));
        columns
    }

    /// The figures of a group.
    fn figures(&self, tokens: &TokenSummary) -> Vec<String> {
        let time = |name: &str| tokens.figures.times.get(name).copied();
        let mean = |name| or_dash(time(name), |one: Interval| latency(one.mean));
        let half = |name| {
            let half = time(name).and_then(|one| one.half_width).map_or(String::new(), latency);
            self.interval.then_some(half)
        };
        let mut cells = vec![rate(tokens.figures.output_tokens_per_s.mean)];
        cells.extend([mean("ttft_p50"), mean("ttft_p99")]);
        cells.extend(half("ttft_p99"));
        cells.extend([mean("tpot_p50"), mean("tpot_p99")]);
        cells.extend(half("tpot_p99"));
        let good = || or_dash(tokens.good_share, |share| percent(share.mean));
        cells.extend(self.judged.then(good));
        cells.push(plain((tokens.kv_share_most.mean * 100.0).round()));
        cells.extend(self.preempted.then(|| plain(tokens.preemptions.mean.round())));
        cells
    }
}

/// The table; empty where no group serves an LLM.
pub(super) fn points(results: &SweepResults, width: Width) -> String {
    let Some((grid, said)) = grid(results) else { return String::new() };
    grid.finish(width) + &width.said(&said)
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn grid(results: &SweepResults) -> Option<(Grid, String)> {
    if !results.groups.iter().any(|group| group.serves_llm) {
        return None;
    }
    let (sweep, shape) = (&results.sweep, Shape::of(results));
    let numbers = sweep.points.iter().all(|point| point.x.number.is_some());
    let x = sweep.parameters.first().map_or("line", |parameter| parameter.key.as_str());
    let columns = shape.columns(x, if numbers { Number } else { Text });
    let mut grid = Grid::new(&columns);
    for (index, (point, found)) in sweep.points.iter().zip(&results.points).enumerate() {
        if index > 0 && sweep.points[index - 1].line != point.line {
            grid.gap();
        }
        let start = |head: Option<&GroupHead>, models: &[String]| {
            let mut cells = vec![point.x.text.clone()];
            cells.extend(shape.line.then(|| sweep.lines[point.line].clone()));
            cells.extend(shape.group.then(|| head.map_or(String::new(), |head| head.name.clone())));
            cells.extend(shape.models.then(|| models.join(", ")));
            cells
        };
        if found.groups.is_empty() && are_all(results) {
            let mut cells = start(None, &[]);
            let word = if point.not_applicable.is_some() { "n/a" } else { "ERROR" };
            cells.push(word.to_string());
            cells.resize(columns.len(), String::new());
            grid.line(cells);
        }
        for group in &found.groups {
            let Some(tokens) = &group.tokens else { continue };
            let head = &results.groups[group.group];
            let mut cells = start(Some(head), &group.gpu_models);
            cells.push(group.vms.to_string());
            cells.extend(shape.figures(tokens));
            cells.extend(shape.judged.then(|| match head.is_judged() {
                true => verdict_of(group, found.runs),
                false => "-".to_string(),
            }));
            grid.line(cells);
        }
    }
    let mut said =
        "tokens: generated; TTFT and TPOT in ms; KV: the most of the blocks that was taken."
            .to_string();
    if shape.judged {
        said.push_str(" good: the part of the requests within both bounds.");
    }
    Some((grid, said))
}

/// The verdict on a group over so many runs.
pub(super) fn verdict_of(group: &GroupSummary, runs: usize) -> String {
    match (group.valid, runs) {
        (0, _) => "INVALID".to_string(),
        (valid, all) if valid == all => "VALID".to_string(),
        (valid, all) => format!("{} of {all} INVALID", all - valid),
    }
}
