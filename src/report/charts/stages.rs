//! The chart of where the time of a query goes: for each VM, or VMs that are alike, the mean time in
//! each stage of its path, one bar from arrival to answer.
//!
//! Stages differ in colour, in what they are filled with, and in their order, which is that of the
//! path. Where totals differ too much for one axis, each bar shows parts of its own total.

use super::super::number::{plain, with_unit};
use super::figure::{Align, Figure, Fill, MARGIN, WIDTH};
use super::rows::{self, Group, Head};
use super::scale::Scale;
use super::style::{self, Colour, stroke};
use crate::study::{Results, VmResult};

const ROW: f64 = 46.0;
const BAR: f64 = 30.0;
const AXIS_END: f64 = 1010.0;
/// Totals further apart than this are shown as parts.
const APART: f64 = 12.0;

/// The look of each stage: waits in orange and grey, work on processors in green and purple, copies in
/// light blue, the GPU in blue.
const LOOKS: [(&str, Colour, Fill); 12] = [
    ("batcher", style::ORANGE, Fill::Pale),
    ("launch", style::GREEN, Fill::Pale),
    ("submission", style::PURPLE, Fill::Pale),
    ("copy in", style::SKY, Fill::Pale),
    ("stream", style::ORANGE, Fill::Zigzag),
    ("gpu", style::BLUE, Fill::Pale),
    ("copy out", style::SKY, Fill::Zigzag),
    ("order", style::GREY, Fill::Pale),
    ("finish", style::GREEN, Fill::Zigzag),
    // The parts of a request of an LLM.
    ("wait", style::ORANGE, Fill::Pale),
    ("prompt", style::PURPLE, Fill::Zigzag),
    ("decode", style::BLUE, Fill::Pale),
];

/// The stages of a VM's queries with their mean times; of an LLM the parts of a request.
fn stages_of(vm: &VmResult) -> Vec<(&'static str, f64)> {
    match &vm.tokens {
        Some(tokens) => tokens.parts_ms().to_vec(),
        None => vm.stages_ms.iter().map(|mean| (mean.stage, mean.mean_ms)).collect(),
    }
}

fn look(stage: &str) -> (Colour, Fill) {
    let found = LOOKS.iter().find(|(name, ..)| *name == stage);
    found.map_or((style::GREY, Fill::Pale), |(_, colour, fill)| (*colour, *fill))
}

/// A row: the stages with their mean times in milliseconds, and how far the VMs' totals reach.
struct Bar {
    stages: Vec<(&'static str, f64)>,
    total: f64,
    ends: [f64; 2],
}

/// The chart; nothing where no VM spent any time.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let of_row = |(head, group): (Head, Group<'_>)| Some((head, bar(&group)?));
    let bars = rows::all_groups(results, |vm| vm.queries > 0).into_iter().filter_map(of_row);
    let (bars, left_out) = rows::at_most(bars.collect(), |(_, bar): &(Head, Bar)| bar.total);
    if bars.is_empty() {
        return None;
    }
    let offline = results.vms().any(|(_, vm)| vm.scenario == "offline");
    let mut below = vec![results.head.title.clone()];
    below.extend(left_out);
    if offline {
        below.push(
            "Offline: without the batcher, where the one query waits for its turn".to_string(),
        );
    }
    let below: Vec<String> = below.into_iter().filter(|part| !part.is_empty()).collect();
    let mut figure =
        Figure::new("Where the time of a query goes, mean by stage", &below.join("; "));
    tell(&mut figure, &bars);
    legend(&mut figure, &bars);
    let (heads, bars): (Vec<Head>, Vec<Bar>) = bars.into_iter().unzip();
    let places = rows::lay_out(&mut figure, &heads, ROW, &[]);
    let totals = bars.iter().map(|bar| bar.total);
    let (low, high) = totals
        .fold((f64::INFINITY, 0.0_f64), |(low, high), total| (low.min(total), high.max(total)));
    let parts = high / low > APART;
    let most = bars.iter().map(|bar| bar.ends[1]).fold(high, f64::max);
    let scale = Scale::linear(0.0, if parts { 100.0 } else { most * 1.04 }, (rows::AXIS, AXIS_END));
    for (top, bottom) in places.blocks {
        for tick in scale.ticks(6) {
            let x = scale.place(tick);
            figure.line(&[(x, top), (x, bottom)], stroke::RULE, style::RULE);
        }
    }
    for (bar, y) in bars.iter().zip(places.middles) {
        draw_bar(&mut figure, scale, bar, if parts { 100.0 / bar.total } else { 1.0 }, y);
    }
    let bottom = figure.height;
    for tick in scale.ticks(6) {
        let at = (scale.place(tick), bottom + 18.0);
        figure.text(at, &plain(tick), Align::Middle, style::QUIET);
    }
    figure.height += 36.0;
    let what = match parts {
        true => "part of the mean latency, %; its length in ms stands on the right",
        false => "mean latency, ms",
    };
    figure.axis_label((scale.middle(), 2.0 * (WIDTH - MARGIN - scale.middle())), what);
    figure.height += 18.0;
    Some(figure)
}

/// The mean over VMs that are alike, each as much as it has samples; nothing where it is zero.
fn bar(group: &Group<'_>) -> Option<Bar> {
    let counts = |vm: &VmResult, stage: &str, ms: f64| {
        ms.is_finite() && ms > 0.0 && !(vm.scenario == "offline" && stage == "batcher")
    };
    let mut stages: Vec<(&'static str, f64)> = Vec::new();
    let mut ends = [f64::INFINITY, 0.0];
    let samples: f64 = group.vms.iter().map(|vm| vm.samples as f64).sum();
    for vm in &group.vms {
        let mut total = 0.0;
        for (stage, ms) in stages_of(vm).into_iter().filter(|(stage, ms)| counts(vm, stage, *ms)) {
            let part = ms * vm.samples as f64 / samples.max(1.0);
            match stages.iter_mut().find(|(name, _)| *name == stage) {
                Some((_, sum)) => *sum += part,
                None => stages.push((stage, part)),
            }
            total += ms;
        }
        ends = [f64::min(ends[0], total), f64::max(ends[1], total)];
    }
    // In the order of the path, whichever VM had a stage first.
    let place = |stage: &str| LOOKS.iter().position(|(name, ..)| *name == stage);
    stages.sort_by_key(|(stage, _)| place(stage).unwrap_or(LOOKS.len()));
    let total = stages.iter().map(|(_, ms)| ms).sum();
    (total > 0.0).then_some(Bar { stages, total, ends })
}

/// The chart in words.
fn tell(figure: &mut Figure, bars: &[(Head, Bar)]) {
    for (head, bar) in bars {
        let stages = bar.stages.iter().map(|(name, ms)| format!("{name} {}", with_unit(*ms)));
        let stages = stages.collect::<Vec<_>>().join(", ");
        figure.tell(format!("{}: {} in the mean; {stages}.", head.whole(), with_unit(bar.total)));
    }
}

/// The stages that any bar has, in rows.
fn legend(figure: &mut Figure, bars: &[(Head, Bar)]) {
    let mut x = MARGIN;
    let mut y = figure.height + 18.0;
    let has =
        |stage: &str| bars.iter().any(|(_, bar)| bar.stages.iter().any(|(name, _)| *name == stage));
    for (name, colour, fill) in LOOKS.into_iter().filter(|(name, ..)| has(name)) {
        let width = 52.0 + style::width_of(name, style::size::TEXT, false) + 24.0;
        if x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 36.0);
        }
        figure.bar((x, y - BAR / 2.0), (x + 40.0, y + BAR / 2.0), fill, colour);
        figure.text((x + 50.0, y), name, Align::Right, style::INK);
        x += width;
    }
    figure.height = y + 34.0;
}

fn draw_bar(figure: &mut Figure, scale: Scale, bar: &Bar, factor: f64, y: f64) {
    let (top, bottom) = (y - BAR / 2.0, y + BAR / 2.0);
    let mut at = 0.0;
    for (name, ms) in &bar.stages {
        let (colour, fill) = look(name);
        let (from, to) = (scale.place(at * factor), scale.place((at + ms) * factor));
        at += ms;
        // The edges of two bars side by side.
        if to - from >= 2.0 {
            figure.bar((from + 1.0, top), (to - 1.0, bottom), fill, colour);
        } else {
            figure.line(&[(from, top), (from, bottom)], stroke::AXIS, colour);
        }
        let text = plain((ms * 100.0).round() / 100.0);
        if style::width_of(&text, style::size::TEXT, false) < to - from - 8.0 {
            let at = ((from + to) / 2.0, y - fill.lift());
            figure.text(at, &text, Align::Middle, style::INK);
        }
    }
    let [least, most] = bar.ends;
    if factor == 1.0 && (most - least) > 0.01 * most {
        let (from, to) = (scale.place(least), scale.place(most));
        let below = bottom + 5.0;
        figure.line(&[(from, below), (to, below)], stroke::MARK, style::INK);
        for x in [from, to] {
            figure.line(&[(x, below - 4.0), (x, below + 4.0)], stroke::MARK, style::INK);
        }
    }
    let text = with_unit(bar.total);
    figure.text((WIDTH - MARGIN, y), &text, Align::Left, style::INK);
}
