//! The gap chart: from the published rate of bare metal to that of the VM, step by step, one block
//! of rows per pair.
//!
//! Every bar starts where the one above it ends. Steps differ in text and position, not in colour
//! alone.

use super::figure::{Align, Figure, MARGIN, WIDTH};
use super::scale::Scale;
use super::style::{self, Colour, row as text_row, size};
use crate::study::{CapacityResults, Gap, Interval};

const ROW: f64 = 44.0;
/// From the subtitle to the first row.
const TOP: f64 = 74.0;
/// Air between two pairs.
const GAP: f64 = 36.0;
/// Ends of the axis, and the right end of the factors.
const AXIS: (f64, f64) = (400.0, 950.0);
const FACTOR: f64 = 1170.0;
const BAR: f64 = 26.0;

/// A row: its name, where its bar starts and ends, what it multiplies by, its colour.
struct Step {
    name: &'static str,
    from: f64,
    to: f64,
    factor: Option<Interval>,
    colour: Colour,
}

/// The chart; nothing where no published ratio was explained.
pub(in crate::report) fn draw(results: &CapacityResults) -> Option<Figure> {
    let gaps = &results.gaps;
    if gaps.is_empty() {
        return None;
    }
    let blocks: Vec<Vec<Step>> = gaps.iter().map(steps).collect();
    let below = "published rate of bare metal = 1; each step multiplies the result above it";
    let mut figure = Figure::new("Factors of the published ratio", below);
    let names: Vec<&str> = gaps.iter().map(|gap| gap.name.as_str()).collect();
    let names = style::names(&names, 3, WIDTH - 2.0 * MARGIN, true);
    figure.height += TOP;
    let top = figure.height;
    let rows: usize = blocks.iter().map(Vec::len).sum();
    let heads: usize = names.iter().map(Vec::len).sum();
    let more = text_row::TEXT * (heads - names.len()) as f64;
    let all = ROW * (rows + names.len()) as f64 + more + GAP * (blocks.len() as f64 - 1.0);
    let bottom = top + all;
    let scale = axis(&blocks);
    figure.ticks((scale, 0.0), 6, (top - 20.0, bottom, 24.0), |tick| format!("{tick:.2}"));
    figure.text((FACTOR, top - 40.0), "factor", Align::Left, style::QUIET);
    let mut y = top + ROW / 2.0;
    for ((gap, steps), name) in gaps.iter().zip(&blocks).zip(&names) {
        let factors = steps
            .iter()
            .filter_map(|step| Some(format!("{} {}", step.name, written(step.factor?))));
        figure.tell(format!("{}: {}.", gap.name, factors.collect::<Vec<_>>().join(", ")));
        for (index, line) in name.iter().enumerate() {
            y += if index > 0 { text_row::TEXT } else { 0.0 };
            figure.label((MARGIN, y), line, size::HEAD, Align::Right, style::INK).bold = true;
        }
        y += ROW;
        for step in steps {
            row(&mut figure, scale, y, step);
            y += ROW;
        }
        y += GAP;
    }
    figure.height = bottom + 40.0;
    figure.axis_label((scale.middle(), 700.0), "rate over the published rate of bare metal");
    figure.height += 16.0;
    Some(figure)
}

/// A factor with its interval.
fn written(factor: Interval) -> String {
    let half = factor.half_width.map_or(String::new(), |half| format!(" ± {half:.3}"));
    format!("{:.3}{half}", factor.mean)
}

/// The rows of a pair: both ends are published, what lies between is simulated.
fn steps(gap: &Gap) -> Vec<Step> {
    let mut at = 1.0;
    let mut steps = vec![Step {
        name: "bare metal, published",
        from: 1.0,
        to: 1.0,
        factor: None,
        colour: style::INK,
    }];
    for (name, factor, colour) in [
        ("hypervisor", gap.hypervisor, style::VERMILION),
        ("settings", gap.settings, style::BLUE),
        ("chosen rate", gap.chosen_rate, style::ORANGE),
    ] {
        let to = at * factor.mean;
        steps.push(Step { name, from: at, to, factor: Some(factor), colour });
        at = to;
    }
    let ratio = gap.published_ratio;
    steps.push(Step {
        name: "VM, published",
        from: ratio,
        to: ratio,
        factor: Some(Interval { mean: ratio, half_width: None }),
        colour: style::INK,
    });
    steps
}

fn axis(blocks: &[Vec<Step>]) -> Scale {
    let ends = blocks.iter().flatten().flat_map(|step| [step.from, step.to]);
    let ends = ends.filter(|end| end.is_finite());
    let (low, high) =
        ends.fold((1.0_f64, 1.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    let air = ((high - low) * 0.08).max(0.004);
    Scale::linear(low - air, high + air, AXIS)
}

fn row(figure: &mut Figure, scale: Scale, y: f64, step: &Step) {
    let colour = step.colour;
    figure.text((AXIS.0 - 24.0, y), step.name, Align::Left, style::INK);
    let ends = [step.from, step.to];
    if ends.iter().all(|end| end.is_finite()) {
        let [from, to] = ends.map(|end| scale.place(end));
        if step.from == step.to {
            figure.dot_of((from, y), colour);
        } else {
            // A step too small for a bar is still a line.
            let least = if to < from { from - 2.0 } else { from + 2.0 };
            let to = if (to - from).abs() < 2.0 { least } else { to };
            figure.line(&[(from, y), (to, y)], BAR, colour);
        }
    }
    if let Some(factor) = step.factor {
        figure.text((FACTOR, y), &written(factor), Align::Left, style::INK);
    }
}
