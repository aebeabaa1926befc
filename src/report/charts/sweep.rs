//! The charts of a sweep: p99 and p50 of each group of VMs, and throughput, one line per sweep line.
//!
//! It chooses what is drawn; `panel` draws it. The chart states what it leaves out: everything is
//! in `sweep.csv`.

use super::super::number::plain;
use super::along::XAxis;
use super::figure::Figure;
use super::panel::{self, LINES_MAX};
use super::series::{Panel, Place, Series};
use crate::shown::file_part;
use crate::study::{GroupSummary, Interval, PointSummary, SweepResults, TokenSummary};
use crate::units::counted;

/// More planes than this are no chart.
const PANELS_MAX: usize = 8;

/// Of a sweep's title below that of its chart: most of what four rows hold.
const TITLE_LETTERS: usize = 150;

/// The charts, by file name, each drawn when the iterator reaches it; none where there is nothing
/// to show.
pub(in crate::report) fn figures(results: &SweepResults) -> impl Iterator<Item = (String, Figure)> {
    let names: Vec<&str> = results.groups.iter().map(|group| group.name.as_str()).collect();
    let latencies = (0..names.len()).flat_map(move |index| {
        let named = |kind: &str| match names.len() {
            1 => kind.to_string(),
            _ => file_name(kind, names[index], &names[..index]),
        };
        let kinds: &[(&str, Draw)] = match results.groups[index].serves_llm {
            true => &[("ttft", ttft), ("tpot", tpot), ("tokens", tokens)],
            false => &[("latency", latency)],
        };
        let drawn =
            kinds.iter().filter_map(|(kind, draw)| Some((named(kind), draw(results, index)?)));
        drawn.collect::<Vec<_>>()
    });
    let throughput = std::iter::once_with(|| throughput(results)).flatten();
    latencies.chain(throughput.map(|figure| ("throughput".to_string(), figure)))
}

/// Draws a group of a sweep; nothing where there is nothing to draw.
type Draw = fn(&SweepResults, usize) -> Option<Figure>;

/// A name fit for a file, told apart from those of earlier groups.
fn file_name(kind: &str, group: &str, earlier: &[&str]) -> String {
    let twins = earlier.iter().filter(|other| file_part(other) == file_part(group)).count();
    // No part has a dot, so that a twin's name is no other group's.
    let suffix = if twins > 0 { format!(".{}", twins + 1) } else { String::new() };
    format!("{kind}-{}{suffix}", file_part(group))
}

/// p99 above p50 of one group; nothing for Offline, whose latencies are times within one huge query.
fn latency(results: &SweepResults, index: usize) -> Option<Figure> {
    let group = &results.groups[index];
    if !group.has_latencies {
        return None;
    }
    let series = |figure: fn(&GroupSummary) -> Interval| {
        all_series(results, |point| {
            let found = point.group(index)?;
            Some((figure(found), found.valid == point.runs))
        })
    };
    let panel =
        |head: &str, series, bound| Panel { head: head.to_string(), series, bound, write: time };
    let bound = group.bound_ms.map(|bound| (bound, bound_name(bound)));
    let panels = [
        panel("p99 latency", series(|found| found.p99_ms), bound),
        panel("p50 latency", series(|found| found.p50_ms), None),
    ];
    let of = of_group("Latency", results, index);
    Some(panel::draw(&title(&of, results), &below(results, None), &along(results), &panels))
}

/// p99 above p50 of the time to the first token of one group.
fn ttft(results: &SweepResults, index: usize) -> Option<Figure> {
    let bound = results.groups[index].token_bounds_ms.map(|[ttft, _]| ttft);
    Some(of_tokens("Time to the first token", ["ttft_p99", "ttft_p50"], bound, (results, index)))
}

/// p99 above p50 of the time between tokens of one group.
fn tpot(results: &SweepResults, index: usize) -> Option<Figure> {
    let bound = results.groups[index].token_bounds_ms.map(|[_, tpot]| tpot);
    Some(of_tokens("Time between tokens", ["tpot_p99", "tpot_p50"], bound, (results, index)))
}

fn of_tokens(
    what: &str,
    names: [&'static str; 2],
    bound: Option<f64>,
    (results, index): (&SweepResults, usize),
) -> Figure {
    let panel = |name: &'static str, bound| {
        let (of, percentile) = name.split_once('_').unwrap_or(("", name));
        Panel {
            head: format!("{} {percentile}", of.to_uppercase()),
            series: token_series(results, index, |tokens| tokens.figures.times.get(name).copied()),
            bound,
            write: time,
        }
    };
    let bound = bound.map(|bound| (bound, bound_name(bound)));
    let panels = [panel(names[0], bound), panel(names[1], None)];
    let title = title(&of_group(what, results, index), results);
    panel::draw(&title, &below(results, None), &along(results), &panels)
}

/// Tokens per second of one group, and below them the part of its requests within their bounds.
fn tokens(results: &SweepResults, index: usize) -> Option<Figure> {
    let rates = token_series(results, index, |of| Some(of.figures.output_tokens_per_s));
    let head = "generated tokens per second, all VMs of the group".to_string();
    let mut panels = vec![Panel { head, series: rates, bound: None, write: rate }];
    if results.groups[index].token_bounds_ms.is_some() {
        panels.push(Panel {
            head: "requests within both bounds, %".to_string(),
            series: token_series(results, index, |of| {
                let share = of.good_share?;
                let half_width = share.half_width.map(|half| half * 100.0);
                Some(Interval { mean: share.mean * 100.0, half_width })
            }),
            bound: None,
            write: plain,
        });
    }
    let title = title(&of_group("Tokens", results, index), results);
    Some(panel::draw(&title, &below(results, None), &along(results), &panels))
}

fn token_series(
    results: &SweepResults,
    index: usize,
    figure: impl Fn(&TokenSummary) -> Option<Interval>,
) -> Vec<Series> {
    let is_judged = results.groups[index].is_judged();
    all_series(results, |point| {
        let found = point.group(index)?;
        Some((figure(found.tokens.as_ref()?)?, !is_judged || found.valid == point.runs))
    })
}

fn of_group(what: &str, results: &SweepResults, index: usize) -> String {
    match results.groups.len() {
        1 => what.to_string(),
        _ => format!("{what} of {}", results.groups[index].name),
    }
}

/// Samples per second: of all VMs together where they do the same work, else group by group.
fn throughput(results: &SweepResults) -> Option<Figure> {
    let panel = |head: String, series| Panel { head, series, bound: None, write: rate };
    let mut left_out = None;
    let panels: Vec<Panel> = match results.workloads.len() {
        0 => return None,
        1 => {
            let total = all_series(results, |point| Some((point.total_per_s?, point.is_valid())));
            vec![panel("samples per second, all VMs".to_string(), total)]
        }
        _ => {
            let all = results.groups.len();
            left_out = (all > PANELS_MAX).then(|| format!("{PANELS_MAX} of {all} groups"));
            let of = |(index, group): (usize, &crate::study::GroupHead)| {
                let series = all_series(results, |point| {
                    let found = point.group(index)?;
                    Some((found.completed_per_s, found.valid == point.runs))
                });
                panel(format!("samples per second of {}", group.name), series)
            };
            results.groups.iter().enumerate().take(PANELS_MAX).map(of).collect()
        }
    };
    let below = below(results, left_out);
    Some(panel::draw(&title("Throughput", results), &below, &along(results), &panels))
}

/// A series for each line, of one figure of its points; a gap where there is none.
fn all_series(
    results: &SweepResults,
    figure: impl Fn(&PointSummary) -> Option<(Interval, bool)>,
) -> Vec<Series> {
    let per_line = (results.points.len() / results.sweep.lines.len().max(1)).max(1);
    let order = in_order(results);
    let lines = results.sweep.lines.iter().zip(results.points.chunks(per_line)).take(LINES_MAX);
    let series = lines.map(|(name, points)| {
        let places = order.iter().enumerate().map(|(index, at)| {
            let (value, valid) = figure(points.get(*at)?)?;
            Some(Place { index, value, valid, marked: false })
        });
        Series { name: name.clone(), places: places.collect() }
    });
    series.collect()
}

/// The points of a line from left to right: numbers in rising order, whatever order the file has.
fn in_order(results: &SweepResults) -> Vec<usize> {
    let points = results.sweep.points.iter().filter(|point| point.line == 0);
    let numbers: Vec<Option<f64>> = points.map(|point| point.x.number).collect();
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    if let Some(numbers) = numbers.into_iter().collect::<Option<Vec<f64>>>() {
        order.sort_by(|one, other| numbers[*one].total_cmp(&numbers[*other]));
    }
    order
}

fn along(results: &SweepResults) -> XAxis {
    let points: Vec<_> = results.sweep.points.iter().filter(|point| point.line == 0).collect();
    let values = in_order(results).into_iter().map(|at| points[at].x.clone()).collect();
    let named = results.sweep.lines.iter().any(|line| !line.is_empty());
    XAxis::new(results.sweep.x_label.clone(), values, named)
}

fn title(what: &str, results: &SweepResults) -> String {
    match results.sweep.x_label.as_str() {
        "" => what.to_string(),
        label => format!("{what} against {label}"),
    }
}

/// The quieter line below the title.
fn below(results: &SweepResults, left_out: Option<String>) -> String {
    let mut notes = Vec::from_iter(left_out);
    if results.sweep.replications > 1 {
        notes.push(format!("95 % intervals of {} runs", results.sweep.replications));
    }
    match results.failed() {
        0 => {}
        failed => notes.push(format!("{} with an error", counted(failed, "point"))),
    }
    if results.sweep.lines.len() > LINES_MAX {
        notes.push(format!("{LINES_MAX} of {} lines", results.sweep.lines.len()));
    }
    let notes = notes.join("; ");
    if notes.is_empty() {
        return results.sweep.title.clone();
    }
    match results.sweep.title.as_str() {
        "" => notes,
        title => format!("{} ({notes})", title_of(title)),
    }
}

/// A title, so short that the notes behind it are seen.
fn title_of(title: &str) -> String {
    let title = crate::shown::shown(title);
    match title.char_indices().nth(TITLE_LETTERS) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.into_owned(),
    }
}

pub(super) fn bound_name(ms: f64) -> String {
    format!("bound {}", time(ms))
}

/// A time in milliseconds, written in a suitable unit.
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
