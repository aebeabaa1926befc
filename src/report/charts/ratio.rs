//! The ratio chart: virtual over bare metal, published beside simulated, one row per pair.
//!
//! It has points on an axis instead of bars from zero, which would all look equal, and a line at 1,
//! where the VM is as fast as bare metal. The figures are beside the points.

use super::super::number::{clip, ratio};
use super::super::table::compared;
use super::figure::{Align, Colour, Figure, colour};
use super::scale::Scale;
use crate::study::{Comparison, Results};

const ROW: f64 = 52.0;
const TOP: f64 = 176.0;
/// The right end of the axis; then the middles of the two columns of figures.
const AXIS_END: f64 = 860.0;
const COLUMNS: (f64, f64) = (955.0, 1110.0);
/// Most characters of a pair's name.
const NAME: usize = 34;

/// The chart; nothing where nothing was compared.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let named = results
        .comparisons
        .iter()
        .map(|row| Comparison { name: compared(results, row), ..row.clone() });
    let rows = &named.collect::<Vec<_>>()[..];
    if rows.is_empty() {
        return None;
    }
    let published = rows.iter().any(|row| row.published_ratio.is_some());
    let bottom = TOP + ROW * rows.len() as f64;
    let below = if published {
        "published beside simulated; 1 means as fast as bare metal"
    } else {
        "1 means as fast as bare metal"
    };
    let mut figure =
        Figure::new(bottom + 150.0, "Highest rate of the VM over that of bare metal", below);
    let scale = axis(rows);
    grid(&mut figure, scale, bottom);
    heads(&mut figure, published);
    for (index, row) in rows.iter().enumerate() {
        pair(&mut figure, scale, (axis_start(rows), TOP + ROW * (index as f64 + 0.5)), row);
    }
    caption(&mut figure, bottom + 92.0, published);
    Some(figure)
}

/// Where the axis starts: right of the longest name.
fn axis_start(rows: &[Comparison]) -> f64 {
    let longest = rows.iter().map(|row| row.name.chars().count().min(NAME)).max().unwrap_or(0);
    70.0 + 12.5 * longest as f64
}

/// An axis with 1 and every ratio on it, and a little air.
fn axis(rows: &[Comparison]) -> Scale {
    let ratios =
        rows.iter().flat_map(|row| [Some(row.capacity_ratio), row.published_ratio]).flatten();
    let ratios = ratios.filter(|ratio| ratio.is_finite());
    let (low, high) =
        ratios.fold((1.0_f64, 1.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    let air = ((high - low) * 0.1).max(0.005);
    Scale::linear(low - air, high + air, (axis_start(rows), AXIS_END))
}

fn grid(figure: &mut Figure, scale: Scale, bottom: f64) {
    figure.ticks((scale, 0.0), 6, (TOP, bottom, 22.0), |tick| format!("{tick:.2}"));
    let one = scale.place(1.0);
    figure.line(&[(one, TOP - 8.0), (one, bottom)], 3.0, colour::QUIET);
    figure.text(
        (scale.middle(), bottom + 52.0),
        "virtual / bare metal",
        Align::Middle,
        colour::QUIET,
    );
}

/// The heads of the two columns of figures, which are the legend too.
fn heads(figure: &mut Figure, published: bool) {
    let y = TOP - 54.0;
    if published {
        figure.ring((COLUMNS.0, y));
        head(figure, COLUMNS.0, "published", colour::INK);
    }
    figure.dot((COLUMNS.1, y));
    head(figure, COLUMNS.1, "simulated", colour::BLUE);
}

fn head(figure: &mut Figure, x: f64, text: &str, colour: Colour) {
    figure.text((x, TOP - 18.0), text, Align::Middle, colour).bold = true;
}

fn pair(figure: &mut Figure, scale: Scale, (left, y): (f64, f64), row: &Comparison) {
    figure.text((left - 24.0, y), &clip(&row.name, NAME), Align::Left, colour::INK);
    let simulated = Some(row.capacity_ratio).filter(|ratio| ratio.is_finite());
    let published = row.published_ratio.filter(|ratio| ratio.is_finite());
    if let (Some(simulated), Some(published)) = (simulated, published) {
        let ends = [(scale.place(simulated), y), (scale.place(published), y)];
        figure.line(&ends, 3.0, colour::QUIET);
    }
    if let Some(published) = published {
        figure.ring((scale.place(published), y));
        figure.text((COLUMNS.0, y), &ratio(published), Align::Middle, colour::INK);
    }
    if let Some(simulated) = simulated {
        figure.dot((scale.place(simulated), y));
        figure.text((COLUMNS.1, y), &ratio(simulated), Align::Middle, colour::BLUE);
    }
}

fn caption(figure: &mut Figure, y: f64, published: bool) {
    let mut lines = vec![
        "Simulated: both sides with identical settings; Server rates are the highest VALID ones.",
    ];
    if published {
        lines.push("Published: settings differ between the sides, and Server rates were chosen by the submitters.");
    }
    for (index, line) in lines.iter().enumerate() {
        figure.text((30.0, y + 28.0 * index as f64), line, Align::Right, colour::QUIET);
    }
}
