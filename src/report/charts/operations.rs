//! The chart of operations: p99 of each VM by window of the run, with what was done to it on the same axis
//! of time.
//!
//! Of many VMs it shows those with the most queries over their bound or without an answer.

use super::super::number::{plain, with_unit};
use super::super::table::{availability_percent, seconds};
use super::figure::{Align, Figure, Fill, MARGIN, Mark, WIDTH};
use super::scale::Scale;
use super::style::{self, Colour, row, stroke};
use super::sweep::time;
use crate::study::{
    OperationResult, OperationsResult, Results, RunResult, VmOverTime, WindowResult,
};

/// The most VMs.
const PANELS_MAX: usize = 8;
/// The most spans of one kind in a plane that are drawn each, wide enough to be seen.
const SPANS_MAX: usize = 100;
/// The width of a column that shows the part of its time, where they are more.
const COLUMN: f64 = 3.0;
/// The most operations that are told in words.
const TOLD_MAX: usize = 200;
/// A plane's height, its left and its right.
const HEIGHT: f64 = 190.0;
/// From a plane's axis, with the tick beside it, to the middle of the next one's name.
const GAP: f64 = 36.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = WIDTH - MARGIN;

/// The chart; nothing where there are no operations.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let run = results.runs.iter().find(|run| run.operations.is_some())?;
    let found = run.operations.as_ref()?;
    let ends = found.vms.iter().map(|vm| vm.windows.len() as f64 * found.window_s);
    let end = ends.fold(0.0, f64::max);
    if end <= 0.0 {
        return None;
    }
    let mut vms: Vec<&VmOverTime> = found.vms.iter().collect();
    vms.sort_by(|one, other| one.availability.total_cmp(&other.availability));
    vms.truncate(PANELS_MAX);
    vms.sort_by_key(|vm| found.vms.iter().position(|other| std::ptr::eq(other, *vm)));
    let title = "p99 over the run, with its operations";
    let of_all = match found.vms.len() > vms.len() {
        true => {
            format!(", the {} VMs with the least availability of {}", vms.len(), found.vms.len())
        }
        false => String::new(),
    };
    let below = format!(
        "{}: of the queries due in each {} s{of_all}",
        results.head.title,
        plain(found.window_s)
    );
    let mut figure = Figure::new(title, &below);
    let starts = found.operations.iter().any(|one| one.starts_s.is_some());
    legend(&mut figure, if starts { "a replica starts" } else { "memory is copied" });
    if found.operations.iter().any(is_mark) {
        let y = figure.height + 18.0;
        mark(&mut figure, 62.0, (y - 13.0, y + 13.0));
        figure.text((94.0, y), "a clone of it is begun", Align::Right, style::INK);
        figure.height += 40.0;
    }
    let many = vms.iter().any(|vm| {
        let own = spans((run, found), &vm.vm);
        [0, 1].into_iter().any(|kind| are_many(&own, kind))
    });
    if many {
        let said = "Where they are many: the height of grey and orange is the part of the time.";
        figure.text((42.0, figure.height + 18.0), said, Align::Right, style::QUIET);
        figure.height += 40.0;
    }
    let along = Scale::linear(0.0, end, (LEFT, RIGHT));
    for vm in &vms {
        tell(&mut figure, run, (vm, found.window_s));
        panel(&mut figure, (run, found), vm, along);
    }
    let told = found.operations.iter().take(TOLD_MAX);
    told.for_each(|one| tell_operation(&mut figure, one));
    if found.operations.len() > TOLD_MAX {
        figure.tell(format!("{} more operations.", found.operations.len() - TOLD_MAX));
    }
    for tick in along.ticks(10) {
        let at = (along.place(tick), figure.height + 20.0);
        figure.text(at, &plain(tick), Align::Middle, style::QUIET);
    }
    figure.height += 30.0;
    figure.axis_label(((LEFT + RIGHT) / 2.0, RIGHT - LEFT), "seconds from the start of the run");
    figure.height += 14.0;
    Some(figure)
}

fn legend(figure: &mut Figure, grey: &str) {
    let y = figure.height + 24.0;
    figure.line(&[(42.0, y), (82.0, y)], stroke::LINE, style::BLUE);
    figure.text((94.0, y), "p99", Align::Right, style::BLUE);
    figure.dashes((180.0, y), (224.0, y), stroke::MARK, style::VERMILION);
    figure.text((236.0, y), "bound", Align::Right, style::VERMILION);
    figure.bar((344.0, y - 11.0), (384.0, y + 11.0), Fill::Tint(18), style::GREY);
    figure.text((396.0, y), grey, Align::Right, style::INK);
    figure.bar((634.0, y - 11.0), (674.0, y + 11.0), Fill::Tint(50), style::ORANGE);
    figure.text((686.0, y), "it stands still or is down", Align::Right, style::INK);
    figure.marks.push(Mark::Dot {
        at: (1016.0, y),
        radius: 5.0,
        hollow: false,
        colour: style::VERMILION,
    });
    figure.text((1032.0, y), "lost", Align::Right, style::VERMILION);
    figure.height += 40.0;
}

/// What was done to a VM, or to the VMs that share its load.
fn done_to<'r>(
    (run, found): (&'r RunResult, &'r OperationsResult),
    vm: &str,
) -> impl Iterator<Item = &'r OperationResult> {
    // A VM with several models is one to its operations.
    let name = vm.to_string();
    found.operations.iter().filter(move |one| {
        let rest = name.strip_prefix(&*one.of);
        let is_it = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut members = run.vms.iter().filter(|vm| vm.group == name && vm.name != name);
        (one.done || one.stopped_at_s.is_some()) && (is_it || members.any(|vm| vm.name == one.of))
    })
}

fn panel(
    figure: &mut Figure,
    (run, found): (&RunResult, &OperationsResult),
    vm: &VmOverTime,
    along: Scale,
) {
    figure.height += GAP;
    let of = run.vms.iter().find(|one| one.name == vm.vm);
    let bound = of.map_or(0.0, |one| one.target_latency_ms);
    let name = format!(
        "{}, {} % within the bound of {}",
        run.name_of(&vm.vm),
        availability_percent(vm.availability),
        with_unit(bound)
    );
    for line in style::wrapped_to(2, &name, RIGHT - MARGIN, style::size::TEXT, true) {
        figure.text((MARGIN, figure.height), &line, Align::Right, style::INK).bold = true;
        figure.height += row::TEXT;
    }
    let (top, bottom) = (figure.height, figure.height + HEIGHT);
    let p99s = vm.windows.iter().filter_map(|window| window.latency_p99_ms);
    let values: Vec<f64> = p99s.chain([bound]).filter(|ms| ms.is_finite() && *ms > 0.0).collect();
    let up = Scale::fitting(&values, (bottom, top));
    shade(figure, &spans((run, found), &vm.vm), along, (top, bottom));
    for one in done_to((run, found), &vm.vm).filter(|one| is_mark(one)) {
        mark(figure, along.place(one.at_s).min(RIGHT), (top, bottom));
    }
    for tick in up.ticks(4) {
        let at = up.place(tick);
        figure.line(&[(LEFT, at), (RIGHT, at)], stroke::RULE, style::RULE);
        figure.text((LEFT - 12.0, at), &time(tick), Align::Left, style::QUIET);
    }
    figure.line(&[(LEFT, bottom), (RIGHT, bottom)], stroke::AXIS, style::QUIET);
    if bound > 0.0 {
        let at = up.place(bound).clamp(top, bottom);
        figure.dashes((LEFT, at), (RIGHT, at), stroke::MARK, style::VERMILION);
    }
    let middle = |window: &WindowResult| along.place(window.from_s + found.window_s / 2.0);
    let whole = whole_windows(vm, found.window_s);
    for part in whole.split(|window| window.latency_p99_ms.is_none()) {
        let points = part.iter().filter_map(|window| {
            let p99 = window.latency_p99_ms.filter(|ms| *ms > 0.0)?;
            Some((middle(window).min(RIGHT), up.place(p99).clamp(top, bottom)))
        });
        let points: Vec<(f64, f64)> = points.collect();
        match points[..] {
            [] => {}
            [one] => figure.dot(one),
            _ => figure.line(&points, stroke::MARK, style::BLUE),
        }
    }
    for window in vm.windows.iter().filter(|window| window.lost > 0) {
        let at = (middle(window).min(RIGHT), top + 8.0);
        figure.marks.push(Mark::Dot { at, radius: 5.0, hollow: false, colour: style::VERMILION });
    }
    figure.height = bottom;
}

/// The windows but for the last where that is a part of one: of fewer queries p99 is lower for that alone. The
/// last query of a whole one is due near its end: a gap of seven mean ones is one in a thousand.
fn whole_windows(vm: &VmOverTime, window_s: f64) -> &[WindowResult] {
    let [before @ .., last] = &vm.windows[..] else { return &vm.windows };
    let made = before.last().map_or(last.made, |window| window.made).max(1);
    let gap = last.from_s + window_s - vm.ends_s;
    if gap > 7.0 * window_s / made as f64 { before } else { &vm.windows }
}

/// Whether an operation is a mark at its begin: the VM of a clone serves on meanwhile.
fn is_mark(one: &OperationResult) -> bool {
    one.done && one.kind == "clone"
}

fn mark(figure: &mut Figure, x: f64, (top, bottom): (f64, f64)) {
    figure.line(&[(x, top), (x, bottom)], stroke::MARK, style::INK);
}

/// The kinds of spans in a plane: grey while something is copied or starts, orange while nothing is served.
const KINDS: [(Fill, Colour); 2] = [(Fill::Tint(18), style::GREY), (Fill::Tint(50), style::ORANGE)];

/// A span in a plane: its kind, from when to when.
type Span = (usize, [f64; 2]);

/// When operations on a VM copied or started it, and when it stood still or was down.
fn spans(of: (&RunResult, &OperationsResult), vm: &str) -> Vec<Span> {
    let of_one = |one: &OperationResult| {
        let stopped = one.stopped_at_s;
        let copy = Some(one.pre_copy_s).filter(|span| *span > 0.0).map(|span| {
            let end = stopped.unwrap_or(one.at_s + span);
            (0, [end - span, end])
        });
        let start = one.starts_s.map(|span| (0, [one.at_s, one.at_s + span]));
        let to = one.stopped_s.map_or(f64::MAX, |span| stopped.unwrap_or(0.0) + span);
        let stop = stopped.map(|from| (1, [from, to.min(1e9)]));
        [copy, start, stop].into_iter().flatten()
    };
    done_to(of, vm).flat_map(of_one).collect()
}

/// Whether spans of a kind would be one block if each were seen.
fn are_many(spans: &[Span], kind: usize) -> bool {
    spans.iter().filter(|(own, _)| *own == kind).count() > SPANS_MAX
}

fn shade(figure: &mut Figure, spans: &[Span], along: Scale, (top, bottom): (f64, f64)) {
    let many = [0, 1].map(|kind| are_many(spans, kind));
    // Of each column the part of its time.
    let columns = ((RIGHT - LEFT) / COLUMN).ceil() as usize;
    let mut parts = [vec![0.0; columns], vec![0.0; columns]];
    for (kind, [from, to]) in spans {
        let (from, to) = (along.place(*from).min(RIGHT), along.place(*to).clamp(LEFT, RIGHT));
        if !many[*kind] {
            // A second of an hour is seen all the same.
            let right = to.max(from + 3.0).min(RIGHT);
            let (fill, colour) = KINDS[*kind];
            figure.bar((from, top), (right, bottom), fill, colour);
            continue;
        }
        let first = ((from - LEFT) / COLUMN).max(0.0) as usize;
        for (column, part) in parts[*kind].iter_mut().enumerate().skip(first) {
            let left = LEFT + column as f64 * COLUMN;
            if left >= to {
                break;
            }
            *part += (to.min(left + COLUMN) - from.max(left)) / COLUMN;
        }
    }
    for ((fill, colour), parts) in KINDS.into_iter().zip(parts) {
        for (column, part) in parts.into_iter().enumerate().filter(|(_, part)| *part > 0.0) {
            let left = LEFT + column as f64 * COLUMN;
            let high = bottom - (bottom - top) * f64::min(part, 1.0);
            figure.bar((left, high), ((left + COLUMN).min(RIGHT), bottom), fill, colour);
        }
    }
}

/// A panel in words.
fn tell(figure: &mut Figure, run: &RunResult, (vm, window_s): (&VmOverTime, f64)) {
    let worst = whole_windows(vm, window_s)
        .iter()
        .filter_map(|one| Some((one.latency_p99_ms?, one.from_s)));
    let worst = worst.max_by(|one, other| one.0.total_cmp(&other.0));
    let worst = worst.map_or(String::new(), |(p99, from)| {
        format!("; highest p99 {} from {} s on", with_unit(p99), plain(from))
    });
    let (name, share) = (run.name_of(&vm.vm), availability_percent(vm.availability));
    figure.tell(format!(
        "{name}: {share} % of {} queries within the bound, {} lost, down {} s{worst}.",
        vm.made,
        vm.lost,
        seconds(vm.down_s)
    ));
}

fn tell_operation(figure: &mut Figure, one: &OperationResult) {
    let done = match &one.why {
        Some(why) => format!("not done: {why}"),
        None => one.stopped_s.map_or(String::from("done"), |span| {
            format!("stopped {} s, {} queries waited", seconds(span), one.queries_waited)
        }),
    };
    figure.tell(format!("{} of {} at {} s: {done}.", one.kind, one.of, seconds(one.at_s)));
}
