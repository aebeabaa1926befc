//! The gap chart: from the published rate of bare metal to that of the VM, step by step, one block
//! of rows per pair.
//!
//! Every bar starts where the one above it ends. Steps differ in text and position, not in colour
//! alone.

use super::super::number::clip;
use super::figure::{Align, Colour, Figure, colour, size};
use super::scale::Scale;
use crate::study::{CapacityResults, Gap, Interval};

const ROW: f64 = 44.0;
const TOP: f64 = 168.0;
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
    let rows: usize = blocks.iter().map(|steps| steps.len() + 1).sum();
    let bottom = TOP + ROW * rows as f64 + GAP * (blocks.len() as f64 - 1.0);
    let below = "published rate of bare metal = 1; each step multiplies the result above it";
    let mut figure = Figure::new(bottom + 70.0, "Factors of the published ratio", below);
    let scale = axis(&blocks);
    let places = (TOP - 20.0, bottom, 24.0);
    figure.ticks((scale, 0.0), 6, places, |tick| format!("{tick:.2}"));
    figure.text((FACTOR, TOP - 40.0), "factor", Align::Left, colour::QUIET);
    let mut y = TOP + ROW / 2.0;
    for (gap, steps) in gaps.iter().zip(&blocks) {
        let name = clip(&gap.name, 40);
        figure.label((30.0, y), &name, size::HEAD, Align::Right, colour::INK).bold = true;
        y += ROW;
        for step in steps {
            row(&mut figure, scale, y, step);
            y += ROW;
        }
        y += GAP;
    }
    Some(figure)
}

/// The rows of a pair: both ends are published, what lies between is simulated.
fn steps(gap: &Gap) -> Vec<Step> {
    let mut at = 1.0;
    let mut steps = vec![Step {
        name: "bare metal, published",
        from: 1.0,
        to: 1.0,
        factor: None,
        colour: colour::INK,
    }];
    for (name, factor, colour) in [
        ("hypervisor", gap.hypervisor, colour::VERMILION),
        ("settings", gap.settings, colour::BLUE),
        ("chosen rate", gap.chosen_rate, colour::ORANGE),
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
        colour: colour::INK,
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
    figure.text((AXIS.0 - 24.0, y), step.name, Align::Left, colour);
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
        let half = factor.half_width.map_or(String::new(), |half| format!(" ± {half:.3}"));
        let text = format!("{:.3}{half}", factor.mean);
        figure.text((FACTOR, y), &text, Align::Left, colour);
    }
}
