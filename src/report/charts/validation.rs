//! The scatter of a validation: simulated against measured p99, one symbol for each Server row.
//!
//! On the line both are equal; the band around it is 10 % wide on either side. Points beyond the
//! axis are filled, at its edge.

use super::figure::{Align, Figure, Mark, Symbol};
use super::scale::Scale;
use super::style::{self, Colour, stroke};
use crate::study::{JudgedRow, ValidationResults};

/// What rows are told apart by: a name, its benchmark and harness, and how it is drawn.
/// The last has all others, and is there where there are some.
const KINDS: [(&str, &str, &str, Symbol, Colour); 7] = [
    ("BERT", "bert", "TRT", Symbol::Circle, style::BLUE),
    ("BERT, Triton", "bert", "Triton", Symbol::Square, style::SKY),
    ("SSD-ResNet34", "ssd-resnet34", "TRT", Symbol::Triangle, style::VERMILION),
    ("SSD-ResNet34, Triton", "ssd-resnet34", "Triton", Symbol::Diamond, style::ORANGE),
    ("ResNet-50", "resnet50", "TRT", Symbol::Circle, style::GREEN),
    ("ResNet-50, Triton", "resnet50", "Triton", Symbol::Square, style::PURPLE),
    ("others", "", "", Symbol::Diamond, style::INK),
];

/// The ends of the horizontal axis; the vertical one is as long.
const ACROSS: (f64, f64) = (120.0, 840.0);

/// The chart; none without a Server row.
pub(in crate::report) fn figures(results: &ValidationResults) -> Vec<(String, Figure)> {
    let points: Vec<(&JudgedRow, f64, f64)> = results
        .rows
        .iter()
        .filter_map(|row| {
            let predicted = *row.predicted.as_ref()?.latency_ms.get("p99")?;
            let measured = *row.published.latency_ms.get("p99")?;
            Some((row, measured, predicted))
        })
        .collect();
    // An overloaded prediction is beyond any axis: it stands at the upper edge.
    let measured = points.iter().map(|&(_, measured, _)| measured);
    let (low, high) =
        measured.fold((f64::INFINITY, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    if points.is_empty() || low >= high {
        return Vec::new();
    }
    vec![("p99".to_string(), chart(&points, (low / 1.5, high * 3.0)))]
}

fn chart(points: &[(&JudgedRow, f64, f64)], (low, high): (f64, f64)) -> Figure {
    let below = "p99 latency in ms; each run predicted without its own machine's latencies";
    let mut figure = Figure::new("Server runs: simulated against measured", below);
    let (left, right) = ACROSS;
    let top = figure.height + 56.0;
    let bottom = top + right - left;
    let across = Scale::logarithmic(low, high, (left, right));
    let up = Scale::logarithmic(low, high, (bottom, top));
    let place = |x: f64, y: f64| (across.place(x), up.place(y));
    let within = |value: f64| value.clamp(low, high);
    figure.marks.push(Mark::Area {
        points: vec![
            place(low, low),
            place(low, low * 1.1),
            place(high / 1.1, high),
            place(high, high),
            place(high, high / 1.1),
            place(low * 1.1, low),
        ],
        colour: style::BLUE,
    });
    for tick in across.ticks(7) {
        figure.line(
            &[(across.place(tick), top), (across.place(tick), bottom)],
            stroke::RULE,
            style::RULE,
        );
        figure.line(&[(left, up.place(tick)), (right, up.place(tick))], stroke::RULE, style::RULE);
        let text = super::super::number::plain(tick);
        figure.text((across.place(tick), bottom + 24.0), &text, Align::Middle, style::QUIET);
        figure.text((left - 12.0, up.place(tick)), &text, Align::Left, style::QUIET);
    }
    figure.line(&[place(low, low), place(high, high)], stroke::AXIS, style::QUIET);
    let unit = across.unit("ms");
    let at = (left - 70.0, top - 26.0);
    figure.text(at, &format!("simulated, {unit}"), Align::Right, style::INK);
    figure.height = bottom + 46.0;
    figure.axis_label((across.middle(), right - left), &format!("measured, {unit}"));
    figure.height += 16.0;
    let others = KINDS.len() - 1;
    let kind = |row: &JudgedRow| {
        let mut known = KINDS[..others].iter();
        let is = |(_, benchmark, harness, ..): &(&str, &str, &str, Symbol, Colour)| {
            row.benchmark.starts_with(benchmark) && row.harness == *harness
        };
        known.position(is).unwrap_or(others)
    };
    let has_others = points.iter().any(|(row, ..)| kind(row) == others);
    let kinds = KINDS.into_iter().enumerate().take(others + usize::from(has_others));
    for (index, (name, _, _, sign, tint)) in kinds.clone() {
        let mut count = 0;
        for &(_, measured, predicted) in points.iter().filter(|(row, ..)| kind(row) == index) {
            let at = place(measured, within(predicted));
            let hollow = predicted <= high;
            figure.marks.push(Mark::Symbol { at, radius: 7.0, sign, hollow, colour: tint });
            count += 1;
        }
        let at = (right + 50.0, top + 30.0 + 38.0 * index as f64);
        figure.marks.push(Mark::Symbol { at, radius: 7.0, sign, hollow: true, colour: tint });
        let text = format!("{name} ({count})");
        let within = |(row, measured, predicted): &&(&JudgedRow, f64, f64)| {
            kind(row) == index && (predicted / measured - 1.0).abs() <= 0.1
        };
        let within = points.iter().filter(within).count();
        figure.tell(format!("{name}: {within} of {count} rows within 10 % of the measured p99."));
        figure.text((at.0 + 20.0, at.1), &text, Align::Right, style::INK);
    }
    let at = (right + 50.0, top + 30.0 + 38.0 * kinds.len() as f64);
    figure.text((at.0 - 12.0, at.1), "band: within 10 %", Align::Right, style::QUIET);
    let at = (at.0 - 12.0, at.1 + 38.0);
    figure.text(at, "filled: beyond the axis", Align::Right, style::QUIET);
    figure
}
