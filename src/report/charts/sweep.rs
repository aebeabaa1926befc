//! The charts of a sweep: p99 and p50 of each group of VMs, and throughput, one line per sweep line.
//!
//! It chooses what is drawn; `panel` draws it. What does not fit is told on the chart: everything is
//! in `sweep.csv`.

use super::super::number::{clip, plain};
use super::figure::Figure;
use super::panel::{self, Along, Panel, Place, Series};
use crate::study::{GroupResult, Interval, PointResult, SweepResults};

/// More lines than this are not told apart.
const LINES_MAX: usize = 12;

/// The charts, by file name; none where there is nothing to show.
pub(in crate::report) fn figures(results: &SweepResults) -> Vec<(String, Figure)> {
    let groups = results.groups();
    let mut figures = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let name = match groups.len() {
            1 => "latency".to_string(),
            _ => file_name("latency", group, &groups[..index]),
        };
        figures.extend(latency(results, group, groups.len() > 1).map(|figure| (name, figure)));
    }
    figures.extend(throughput(results, &groups).map(|figure| ("throughput".to_string(), figure)));
    figures
}

/// A name fit for a file, told apart from those of earlier groups.
fn file_name(kind: &str, group: &str, earlier: &[&str]) -> String {
    let fit = |name: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
        name.chars().map(plain).collect()
    };
    let twins = earlier.iter().filter(|other| fit(other) == fit(group)).count();
    let suffix = if twins > 0 { format!("-{}", twins + 1) } else { String::new() };
    format!("{kind}-{}{suffix}", fit(group))
}

/// p99 above p50 of one group; nothing for Offline, whose latencies are times within one huge query.
fn latency(results: &SweepResults, group: &str, several: bool) -> Option<Figure> {
    let of_group = || results.points.iter().flat_map(|point| point.group(group));
    of_group().find(|found| found.scenario != "offline")?;
    let bound = of_group().find(|found| found.scenario == "server");
    let bound = bound.map(|found| (found.target_latency_ms, bound_name(found.target_latency_ms)));
    let series = |figure: fn(&GroupResult) -> f64| {
        all_series(results, |point| Some((point.interval(group, figure)?, is_valid(point, group))))
    };
    let panels = [
        Panel {
            head: "p99 latency".to_string(),
            series: series(|found| found.latency_ms.p99),
            bound,
            write: time,
        },
        Panel {
            head: "p50 latency".to_string(),
            series: series(|found| found.latency_ms.p50),
            bound: None,
            write: time,
        },
    ];
    let of = if several { format!("Latency of {group}") } else { "Latency".to_string() };
    Some(panel::draw(&title(&of, results), &below(results), &along(results), &panels))
}

/// Samples per second: of all VMs together where they do the same work, else group by group.
fn throughput(results: &SweepResults, groups: &[&str]) -> Option<Figure> {
    let runs = results.points.iter().flat_map(|point| &point.runs);
    let mut workloads: Vec<&str> =
        runs.flat_map(|run| &run.groups).map(|group| group.workload.as_str()).collect();
    workloads.sort_unstable();
    workloads.dedup();
    let panel = |head: String, series| Panel { head, series, bound: None, write: rate };
    let panels: Vec<Panel> = match workloads[..] {
        [] => return None,
        [_] => {
            let total = all_series(results, |point| {
                let valid = groups.iter().all(|group| is_valid(point, group));
                Some((point.total_per_s()?, valid))
            });
            vec![panel("samples per second, all VMs".to_string(), total)]
        }
        _ => {
            let of = |group: &&str| {
                let series = all_series(results, |point| {
                    let found = point.interval(group, |found| found.completed_per_s)?;
                    Some((found, is_valid(point, group)))
                });
                panel(format!("samples per second of {group}"), series)
            };
            groups.iter().map(of).collect()
        }
    };
    Some(panel::draw(&title("Throughput", results), &below(results), &along(results), &panels))
}

/// A series for each line, of one figure of its points.
fn all_series(
    results: &SweepResults,
    figure: impl Fn(&PointResult) -> Option<(Interval, bool)>,
) -> Vec<Series> {
    let per_line = results.points.len() / results.sweep.lines.len().max(1);
    let lines = results.sweep.lines.iter().enumerate().take(LINES_MAX);
    let series = lines.map(|(line, name)| {
        let points = results.points.iter().filter(|point| point.line == line);
        let places = points.enumerate().map(|(index, point)| {
            let (value, valid) = figure(point)?;
            Some(Place { index: index % per_line.max(1), value, valid, marked: false })
        });
        Series { name: name.clone(), places: places.collect() }
    });
    series.collect()
}

fn is_valid(point: &PointResult, group: &str) -> bool {
    point.group(group).all(|found| found.valid)
}

fn along(results: &SweepResults) -> Along {
    let points = results.points.iter().filter(|point| point.line == 0);
    let values: Vec<_> = points.map(|point| point.x.clone()).collect();
    let named = results.sweep.lines.iter().any(|line| !line.is_empty());
    Along::new(results.sweep.x_label.clone(), values, named)
}

fn title(what: &str, results: &SweepResults) -> String {
    match results.sweep.x_label.as_str() {
        "" => what.to_string(),
        label => format!("{what} against {label}"),
    }
}

/// The quieter line below the title.
fn below(results: &SweepResults) -> String {
    let mut notes = Vec::new();
    if results.sweep.replications > 1 {
        notes.push(format!("95 % intervals of {} runs", results.sweep.replications));
    }
    match results.failed() {
        0 => {}
        1 => notes.push("1 point is an error".to_string()),
        failed => notes.push(format!("{failed} points are errors")),
    }
    if results.sweep.lines.len() > LINES_MAX {
        notes.push(format!("{LINES_MAX} of {} lines", results.sweep.lines.len()));
    }
    let notes = notes.join("; ");
    if notes.is_empty() {
        return results.sweep.title.clone();
    }
    let room = 84_usize.saturating_sub(notes.chars().count() + 3).max(10);
    format!("{} ({notes})", clip(&results.sweep.title, room))
}

pub(super) fn bound_name(ms: f64) -> String {
    format!("bound {}", time(ms))
}

/// A time given in milliseconds, in the unit that reads best.
pub(super) fn time(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", plain(ms / 1000.0)) } else { format!("{} ms", plain(ms)) }
}

/// A round rate: `50`, `2 k`, `1.5 M`.
pub(super) fn rate(per_s: f64) -> String {
    match per_s.abs() {
        x if x >= 1e6 => format!("{} M", plain(per_s / 1e6)),
        x if x >= 1e4 => format!("{} k", plain(per_s / 1e3)),
        _ => plain(per_s),
    }
}
