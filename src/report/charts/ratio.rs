//! The ratio chart: virtual over bare metal, published beside simulated, one row per pair.
//!
//! It has points on an axis instead of bars from zero, which would all look equal, and a line at 1,
//! where the VM is as fast as bare metal. The figures are beside the points.

use super::super::number::ratio;
use super::super::table::compared;
use super::figure::{Align, Figure, WIDTH};
use super::rows::{self, Head};
use super::scale::Scale;
use super::style::{self, Colour, stroke};
use crate::study::{Comparison, Results};

/// Height of a row.
const ROW: f64 = 52.0;
/// From the subtitle to the first row.
const TOP: f64 = 82.0;
/// The right end of the axis; then the middles of the two columns of figures.
const AXIS_END: f64 = 860.0;
const COLUMNS: (f64, f64) = (955.0, 1110.0);

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
    let below = if published {
        "published beside simulated; 1 means as fast as bare metal"
    } else {
        "1 means as fast as bare metal"
    };
    let mut figure = Figure::new("Highest rate of the VM over that of bare metal", below);
    tell(&mut figure, rows);
    figure.height += TOP;
    let top = figure.height;
    heads(&mut figure, top, published);
    let scale = axis(rows);
    let head = |row: &Comparison| Head { section: String::new(), name: row.name.clone() };
    let names: Vec<Head> = rows.iter().map(head).collect();
    // The grid lies below what the rows have.
    let grid = figure.marks.len();
    let places = rows::lay_out(&mut figure, &names, ROW, &[]);
    let bottom = figure.height;
    let above = figure.marks.split_off(grid);
    self::grid(&mut figure, scale, (top, bottom));
    figure.marks.extend(above);
    for (row, y) in rows.iter().zip(places.middles) {
        pair(&mut figure, scale, y, row);
    }
    figure.height += 72.0;
    caption(&mut figure, published);
    Some(figure)
}

/// The chart in words.
fn tell(figure: &mut Figure, rows: &[Comparison]) {
    for row in rows {
        let published = row
            .published_ratio
            .map_or(String::new(), |published| format!(", published {}", ratio(published)));
        figure.tell(format!("{}: simulated {}{published}.", row.name, ratio(row.capacity_ratio)));
    }
}

/// An axis with 1 and every ratio on it, and a little air.
fn axis(rows: &[Comparison]) -> Scale {
    let ratios =
        rows.iter().flat_map(|row| [Some(row.capacity_ratio), row.published_ratio]).flatten();
    let ratios = ratios.filter(|ratio| ratio.is_finite());
    let (low, high) =
        ratios.fold((1.0_f64, 1.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    let air = ((high - low) * 0.1).max(0.005);
    Scale::linear(low - air, high + air, (rows::AXIS + 20.0, AXIS_END))
}

fn grid(figure: &mut Figure, scale: Scale, (top, bottom): (f64, f64)) {
    figure.ticks((scale, 0.0), 6, (top, bottom, 22.0), |tick| format!("{tick:.2}"));
    let at = (scale.middle(), bottom + 52.0);
    figure.text(at, "virtual / bare metal", Align::Middle, style::INK);
}

/// The heads of the two columns of figures, which are the legend too.
fn heads(figure: &mut Figure, top: f64, published: bool) {
    let y = top - 54.0;
    if published {
        figure.ring((COLUMNS.0, y));
        head(figure, (COLUMNS.0, top), "published", style::INK);
    }
    figure.dot((COLUMNS.1, y));
    head(figure, (COLUMNS.1, top), "simulated", style::BLUE);
}

fn head(figure: &mut Figure, (x, top): (f64, f64), text: &str, colour: Colour) {
    figure.text((x, top - 18.0), text, Align::Middle, colour).bold = true;
}

fn pair(figure: &mut Figure, scale: Scale, y: f64, row: &Comparison) {
    let simulated = Some(row.capacity_ratio).filter(|ratio| ratio.is_finite());
    let published = row.published_ratio.filter(|ratio| ratio.is_finite());
    if let (Some(simulated), Some(published)) = (simulated, published) {
        let ends = [(scale.place(simulated), y), (scale.place(published), y)];
        figure.line(&ends, stroke::MARK, style::QUIET);
    }
    if let Some(published) = published {
        figure.ring((scale.place(published), y));
        figure.text((COLUMNS.0, y), &ratio(published), Align::Middle, style::INK);
    }
    if let Some(simulated) = simulated {
        figure.dot((scale.place(simulated), y));
        figure.text((COLUMNS.1, y), &ratio(simulated), Align::Middle, style::BLUE);
    }
}

fn caption(figure: &mut Figure, published: bool) {
    let mut lines = vec![
        "Simulated: both sides with identical settings; Server rates are the highest VALID ones.",
    ];
    if published {
        lines.push(
            "Published: settings differ between the sides, and Server rates were chosen by the \
             submitters.",
        );
    }
    let room = WIDTH - 2.0 * super::figure::MARGIN;
    for line in lines {
        for row in style::wrapped_to(3, line, room, style::size::TEXT, false) {
            let at = (super::figure::MARGIN, figure.height + 14.0);
            figure.text(at, &row, Align::Right, style::QUIET);
            figure.height += style::row::TEXT;
        }
    }
    figure.height += 22.0;
}
