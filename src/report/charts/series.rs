//! The chart of a series: p50, p90 and p99 against what varies, with the latency bound.
//!
//! It shows the virtual side's first VM; the other figures are in the table and the documents.

use super::super::number::plain;
use super::figure::{Colour, Figure, Lean, colour, size};
use super::scale::Scale;
use crate::study::{Results, Side, VmResult};

/// The lines: name and colour.
const LINES: [(&str, Colour); 3] =
    [("p99", colour::BLUE), ("p90", colour::GREEN), ("p50", colour::QUIET)];

const HEIGHT: f64 = 760.0;
/// Left and right, and bottom and top of the plane.
const X: (f64, f64) = (130.0, 980.0);
const Y: (f64, f64) = (640.0, 156.0);

/// The chart; nothing where nothing varies.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let axis = results.axis.as_ref()?;
    let points: Vec<(f64, &VmResult)> = results
        .runs
        .iter()
        .zip(&axis.values)
        .filter(|(run, _)| run.side == Side::Virtual)
        .filter_map(|(run, value)| Some((*value, run.vms.first()?)))
        .collect();
    let bound = points.first()?.1.target_latency_ms;
    let title = format!("Latency against {}", axis.name);
    let mut figure = Figure::new(HEIGHT, &title, &results.title);
    let x = horizontal(&points);
    let y = vertical(&points, bound);
    grid(&mut figure, x, y, &points, &axis.name);
    let mut ends = Vec::new();
    for (name, colour) in LINES {
        ends.extend(line(&mut figure, x, y, &points, name, colour));
    }
    if points.iter().any(|(_, vm)| vm.scenario == "server") {
        figure.dashes((X.0, y.place(bound)), (X.1, y.place(bound)), 3.0, colour::VERMILION);
        ends.push((y.place(bound), format!("bound {} ms", plain(bound)), colour::VERMILION));
    }
    name_lines(&mut figure, ends);
    Some(figure)
}

/// The axis of what varies: logarithmic where the values span a factor of eight, like 1 to 32.
fn horizontal(points: &[(f64, &VmResult)]) -> Scale {
    let low = points.iter().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    let inside = (X.0 + 30.0, X.1 - 30.0);
    if low > 0.0 && high / low >= 8.0 {
        Scale::logarithmic(low, high, inside)
    } else if low < high {
        Scale::linear(low, high, inside)
    } else {
        Scale::linear(low - 1.0, high + 1.0, inside)
    }
}

fn vertical(points: &[(f64, &VmResult)], bound: f64) -> Scale {
    let figures = points.iter().flat_map(|(_, vm)| LINES.map(|(name, _)| vm.latency_ms.get(name)));
    let mut figures: Vec<f64> = figures.flatten().filter(|ms| ms.is_finite()).collect();
    figures.push(bound);
    Scale::fitting(&figures, Y)
}

fn grid(figure: &mut Figure, x: Scale, y: Scale, points: &[(f64, &VmResult)], name: &str) {
    for tick in y.ticks(8) {
        let at = y.place(tick);
        figure.line(&[(X.0, at), (X.1, at)], 1.5, colour::RULE);
        figure.label((X.0 - 12.0, at), &time(tick), size::TEXT, Lean::Left, colour::QUIET);
    }
    figure.line(&[(X.0, Y.0), (X.1, Y.0)], 2.0, colour::QUIET);
    let mut free_from = f64::NEG_INFINITY;
    for (value, _) in points {
        let (at, text) = (x.place(*value), plain(*value));
        let half = 8.0 * text.len() as f64;
        figure.line(&[(at, Y.0), (at, Y.0 + 8.0)], 2.0, colour::QUIET);
        if at - half >= free_from {
            figure.label((at, Y.0 + 26.0), &text, size::TEXT, Lean::Middle, colour::QUIET);
            free_from = at + half;
        }
    }
    figure.label(((X.0 + X.1) / 2.0, Y.0 + 66.0), name, size::TEXT, Lean::Middle, colour::INK);
    figure.label((30.0, Y.1 - 34.0), "latency", size::TEXT, Lean::Right, colour::INK);
    if points.iter().any(|(_, vm)| !vm.verdict.valid) {
        let at = (X.1, Y.1 - 34.0);
        figure.label(at, "hollow: an INVALID run", size::TEXT, Lean::Left, colour::QUIET);
    }
}

/// A time given in milliseconds, in the unit that reads best.
fn time(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", plain(ms / 1000.0)) } else { format!("{} ms", plain(ms)) }
}

/// One percentile; the answer is the height of its last point, its name and colour.
fn line(
    figure: &mut Figure,
    x: Scale,
    y: Scale,
    points: &[(f64, &VmResult)],
    name: &str,
    colour: Colour,
) -> Option<(f64, String, Colour)> {
    let places = points.iter().filter_map(|(value, vm)| {
        let ms = vm.latency_ms.get(name).filter(|ms| ms.is_finite() && *ms > 0.0)?;
        Some(((x.place(*value), y.place(ms)), vm.verdict.valid))
    });
    let places: Vec<_> = places.collect();
    let last = places.last()?.0.1;
    figure.line(&places.iter().map(|place| place.0).collect::<Vec<_>>(), 4.0, colour);
    for (at, valid) in places {
        figure.marks.push(super::figure::Mark::Dot { at, radius: 8.0, hollow: !valid, colour });
    }
    Some((last, name.to_string(), colour))
}

/// Names the lines at their right ends, moved apart where they would touch.
fn name_lines(figure: &mut Figure, mut ends: Vec<(f64, String, Colour)>) {
    const LINE: f64 = 30.0;
    ends.sort_by(|one, two| one.0.total_cmp(&two.0));
    // Neighbours push each other away until all have room; a hundred rounds settle four names.
    for _ in 0..100 {
        for upper in 1..ends.len() {
            let push = (LINE - (ends[upper].0 - ends[upper - 1].0)).max(0.0) / 2.0;
            ends[upper - 1].0 -= push;
            ends[upper].0 += push;
        }
    }
    for (at, name, colour) in ends {
        figure.label((X.1 + 14.0, at), &name, size::TEXT, Lean::Right, colour).bold = true;
    }
}
