//! The chart of every run's latencies: for each VM, or VMs that are alike, the median, p90, the judged
//! percentile and p99.9 on one axis, with the bound of each.
//!
//! It leaves out Offline runs, whose latencies are completion times within one huge query.

use super::super::number::{percentile, with_unit};
use super::figure::{Align, Figure, Fill, MARGIN, Mark, Symbol, WIDTH};
use super::rows::{self, Group, Head};
use super::scale::Scale;
use super::style::{self, row, stroke};
use super::sweep::time;
use crate::study::{LatencyMs, Results, VmResult};

const ROW: f64 = 40.0;
/// The right end of the axis.
const AXIS_END: f64 = 820.0;

/// What a row shows.
struct Line {
    /// The name of the judged percentile.
    judged: &'static str,
    /// Of the VM with the least and of that with the greatest judged percentile.
    ends: [f64; 2],
    p50: f64,
    p90: f64,
    p999: f64,
    bound: Option<f64>,
}

/// What a chart is of.
struct Measure {
    title: &'static str,
    /// What its axis has.
    what: &'static str,
    /// The times of a VM; nothing of one that has none.
    times: fn(&VmResult) -> Option<&LatencyMs>,
    bound: fn(&VmResult) -> Option<f64>,
}

/// Latencies of queries; those of an LLM have charts of their tokens.
const LATENCY: Measure = Measure {
    title: "Latency of every VM against its bound",
    what: "latency",
    times: |vm| (vm.tokens.is_none() && vm.scenario != "offline").then_some(&vm.latency_ms),
    bound: |vm| (vm.scenario == "server").then_some(vm.target_latency_ms),
};

const TTFT: Measure = Measure {
    title: "Time to the first token of every LLM",
    what: "TTFT",
    times: |vm| Some(&vm.tokens.as_ref()?.ttft_ms),
    bound: |vm| Some(vm.tokens.as_ref()?.goodput?.ttft_ms),
};

const TPOT: Measure = Measure {
    title: "Time between the tokens of a request of every LLM",
    what: "TPOT",
    times: |vm| vm.tokens.as_ref()?.tpot_ms.as_ref(),
    bound: |vm| Some(vm.tokens.as_ref()?.goodput?.tpot_ms),
};

/// The chart of latencies; nothing where no VM has any.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    chart(results, &LATENCY)
}

/// The chart of times to the first token; nothing where no LLM is served.
pub(super) fn ttft(results: &Results) -> Option<Figure> {
    chart(results, &TTFT)
}

/// The chart of times between tokens; nothing where no LLM is served.
pub(super) fn tpot(results: &Results) -> Option<Figure> {
    chart(results, &TPOT)
}

fn chart(results: &Results, measure: &Measure) -> Option<Figure> {
    let of_row = |(head, group): (Head, Group<'_>)| Some((head, line(&group, measure)?));
    let shows = |vm: &VmResult| (measure.times)(vm).is_some() && vm.queries > 0;
    let lines: Vec<_> = rows::all_groups(results, shows).into_iter().filter_map(of_row).collect();
    if lines.is_empty() {
        return None;
    }
    let over = |(_, line): &(Head, Line)| line.ends[1] / line.bound.unwrap_or(f64::INFINITY);
    let (lines, left_out) = rows::at_most(lines, over);
    let mut below = results.head.title.clone();
    if let Some(left_out) = left_out {
        below += &format!(" ({left_out})");
    }
    let mut figure = Figure::new(measure.title, &below);
    tell(&mut figure, &lines);
    legend(&mut figure, &lines);
    let (heads, lines): (Vec<Head>, Vec<Line>) = lines.into_iter().unzip();
    let texts = texts(&lines);
    let most = texts.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let height = ROW.max(row::TEXT * most + 8.0);
    let places = rows::lay_out(&mut figure, &heads, height, &[]);
    let scale = Scale::fitting(&values(&lines), (rows::AXIS, AXIS_END));
    for (top, bottom) in places.blocks {
        for tick in scale.ticks(6) {
            let x = scale.place(tick);
            figure.line(&[(x, top), (x, bottom)], stroke::RULE, style::RULE);
        }
    }
    for ((line, text), y) in lines.iter().zip(&texts).zip(places.middles) {
        draw_line(&mut figure, scale, line, y);
        let first = y - row::TEXT * (text.len() as f64 - 1.0) / 2.0;
        for (index, text) in text.iter().enumerate() {
            let at = (AXIS_END + 24.0, first + row::TEXT * index as f64);
            let colour = if is_over(line) { style::VERMILION } else { style::INK };
            figure.text(at, text, Align::Right, colour);
        }
    }
    let bottom = figure.height;
    for tick in scale.ticks(6) {
        let at = (scale.place(tick), bottom + 18.0);
        figure.text(at, &super::latency::tick_text(tick), Align::Middle, style::QUIET);
    }
    figure.height += 36.0;
    let room = 2.0 * (scale.middle() - MARGIN);
    figure.axis_label((scale.middle(), room), &format!("{}, {}", measure.what, scale.unit("ms")));
    figure.height += 18.0;
    Some(figure)
}

/// The figures of VMs that are alike; nothing where none is a number above zero.
fn line(group: &Group<'_>, measure: &Measure) -> Option<Line> {
    let judged = judged(group.vms[0]);
    let is_time = |ms: &f64| ms.is_finite() && *ms > 0.0;
    let of = |name: &str| {
        let times = group.vms.iter().filter_map(|vm| (measure.times)(vm)?.get(name));
        let all = times.filter(is_time);
        let mut all: Vec<f64> = all.collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (all, p50, p90) = (of(judged), of("p50"), of("p90"));
    let middle = |of: &[f64]| of.get(of.len() / 2).copied();
    let greatest = *all.last()?;
    Some(Line {
        judged,
        ends: [all[0], greatest],
        p50: middle(&p50)?,
        p90: middle(&p90)?,
        p999: of("p999").last().copied().unwrap_or(greatest),
        bound: (measure.bound)(group.vms[0]).filter(is_time),
    })
}

/// The percentile by which a VM is judged, as far as the results have it; p99 for others.
fn judged(vm: &VmResult) -> &'static str {
    if vm.tokens.is_some() {
        return "p99";
    }
    let share = vm.load.percentile / 100.0;
    let is_it = |(_, quantile): &&(&'static str, f64)| (quantile - share).abs() < 1e-6;
    LatencyMs::PERCENTILES.iter().find(is_it).map_or("p99", |(name, _)| name)
}

fn values(lines: &[Line]) -> Vec<f64> {
    let of = |line: &Line| {
        let [least, most] = line.ends;
        [Some(line.p50), Some(line.p90), Some(least), Some(most), Some(line.p999), line.bound]
    };
    lines.iter().flat_map(of).flatten().collect()
}

fn is_over(line: &Line) -> bool {
    line.bound.is_some_and(|bound| line.ends[1] > bound)
}

/// The chart in words.
fn tell(figure: &mut Figure, lines: &[(Head, Line)]) {
    let bound = lines.iter().filter(|(_, line)| line.bound.is_some()).count();
    let over = lines.iter().filter(|(_, line)| is_over(line)).count();
    figure.tell(match bound {
        0 => "No row has a bound.".to_string(),
        _ => format!("{over} of {bound} rows with a bound are over it."),
    });
    for (head, line) in lines {
        let [least, most] = line.ends;
        let name = head.whole();
        let spread = match least < most {
            true => format!("{} to {}", with_unit(least), with_unit(most)),
            false => with_unit(most),
        };
        let bound = line.bound.map_or(String::new(), |ms| format!(", bound {}", with_unit(ms)));
        let judged = percentile(line.judged);
        let (p50, p999) = (with_unit(line.p50), with_unit(line.p999));
        figure.tell(format!("{name}: p50 {p50}, {judged} {spread}, p99.9 {p999}{bound}."));
    }
}

/// What the marks mean, in one line.
fn legend(figure: &mut Figure, lines: &[(Head, Line)]) {
    let y = figure.height + 18.0;
    let mut x = MARGIN + 12.0;
    let mut item = |figure: &mut Figure, draw: &dyn Fn(&mut Figure, f64), text: &str| {
        draw(figure, x);
        figure.text((x + 18.0, y), text, Align::Right, style::INK);
        x += 18.0 + style::width_of(text, style::size::TEXT, false) + 26.0;
    };
    item(figure, &|figure, x| tick(figure, x, y, 9.0), "p50");
    item(figure, &|figure, x| tick(figure, x, y, 5.0), "p90");
    let mut names: Vec<&str> = lines.iter().map(|(_, line)| percentile(line.judged)).collect();
    names.sort_unstable();
    names.dedup();
    let judged = if names.len() == 1 { names[0] } else { "the judged one" };
    let (any_over, any_within) =
        (lines.iter().any(|(_, line)| is_over(line)), lines.iter().any(|(_, line)| !is_over(line)));
    if any_within {
        item(figure, &|figure, x| mark(figure, (x, y), false), judged);
    }
    if any_over {
        item(figure, &|figure, x| mark(figure, (x, y), true), &format!("{judged} over the bound"));
    }
    item(figure, &|figure, x| end(figure, (x, y)), "p99.9");
    if lines.iter().any(|(_, line)| line.bound.is_some()) {
        item(figure, &|figure, x| bound(figure, x, y, 14.0), "bound");
    }
    figure.height += 40.0;
    if lines.iter().any(|(_, line)| line.ends[0] < line.ends[1]) {
        let y = figure.height + 8.0;
        figure.bar((MARGIN, y - 8.0), (MARGIN + 40.0, y + 8.0), Fill::Pale, style::BLUE);
        let text = format!("{judged} from the best to the worst of VMs that are alike");
        figure.text((MARGIN + 52.0, y), &text, Align::Right, style::INK);
        figure.height += 30.0;
    }
    figure.height += 8.0;
}

fn tick(figure: &mut Figure, x: f64, y: f64, half: f64) {
    figure.line(&[(x, y - half), (x, y + half)], stroke::MARK, style::INK);
}

fn mark(figure: &mut Figure, at: (f64, f64), over: bool) {
    let (sign, colour) = match over {
        true => (Symbol::Diamond, style::VERMILION),
        false => (Symbol::Circle, style::BLUE),
    };
    figure.marks.push(Mark::Symbol { at, radius: 9.0, sign, hollow: false, colour });
}

fn end(figure: &mut Figure, at: (f64, f64)) {
    figure.marks.push(Mark::Dot { at, radius: 6.5, hollow: true, colour: style::INK });
}

fn bound(figure: &mut Figure, x: f64, y: f64, half: f64) {
    figure.line(&[(x, y - half), (x, y + half)], stroke::LINE, style::VERMILION);
}

fn draw_line(figure: &mut Figure, scale: Scale, line: &Line, y: f64) {
    let x = |ms: f64| scale.place(ms);
    let over = is_over(line);
    let [least, most] = line.ends;
    figure.line(&[(x(line.p50), y), (x(line.p999.max(line.p50)), y)], stroke::AXIS, style::QUIET);
    if least < most {
        let colour = if over { style::VERMILION } else { style::BLUE };
        figure.bar((x(least), y - 8.0), (x(most), y + 8.0), Fill::Pale, colour);
    }
    tick(figure, x(line.p50), y, 9.0);
    tick(figure, x(line.p90), y, 5.0);
    if let Some(ms) = line.bound {
        bound(figure, x(ms), y, ROW / 2.0 - 3.0);
    }
    mark(figure, (x(most), y), over);
    end(figure, (x(line.p999), y));
}

/// The judged percentile of each row beside its bound, in rows of text; its name where it is not the
/// same everywhere.
fn texts(lines: &[Line]) -> Vec<Vec<String>> {
    let same = lines.iter().all(|line| line.judged == lines[0].judged);
    let text = |line: &Line| {
        let name = if same { String::new() } else { format!("{} ", percentile(line.judged)) };
        let bound = line.bound.map_or(String::new(), |ms| format!(" of {}", time(ms)));
        let text = format!("{name}{}{bound}", with_unit(line.ends[1]));
        let room = WIDTH - MARGIN - AXIS_END - 24.0;
        style::wrapped_to(2, &text, room, style::size::TEXT, false)
    };
    lines.iter().map(text).collect()
}
