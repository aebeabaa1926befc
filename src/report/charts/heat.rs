//! A panel of more lines than planes can show: a row for each line, a cell for each value, the stronger
//! its colour the higher; cells that are INVALID are framed.

use super::along::XAxis;
use super::figure::{Align, Figure, Fill, MARGIN, WIDTH};
use super::scale::Scale;
use super::series::Panel;
use super::style::{self, HEAT, row, size, stroke};

const ROW: f64 = 36.0;
const NAMES: f64 = 300.0;
/// The cells, from the first to the last.
pub(super) const CELLS: (f64, f64) = (MARGIN + NAMES + 16.0, WIDTH - MARGIN);

/// The table of colours, with the values along the axis below it.
pub(super) fn draw(figure: &mut Figure, panel: &Panel, along: &XAxis) {
    let values: Vec<f64> = panel.shown().map(|place| place.value.mean).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    // From the palest to the strongest, in percent.
    let tint = (low < high).then(|| Scale::logarithmic(low, high, HEAT));
    let tint = |value: f64| tint.map_or(HEAT.0, |scale| scale.place(value));
    let all: Vec<&str> = panel.series.iter().map(|series| series.name.as_str()).collect();
    let names = style::names(&all, 3, NAMES, false);
    let width = (CELLS.1 - CELLS.0) / along.len().max(1) as f64;
    figure.height -= 14.0;
    for (series, name) in panel.series.iter().zip(&names) {
        let height = ROW.max(row::TEXT * name.len() as f64 + 4.0);
        let (top, middle) = (figure.height, figure.height + height / 2.0);
        let first = middle - row::TEXT * (name.len() as f64 - 1.0) / 2.0;
        figure.rows((MARGIN + NAMES, first), name, Align::Left, false);
        figure.height += height;
        for place in series.places.iter().flatten().filter(|place| place.shows()) {
            let left = CELLS.0 + width * place.index as f64;
            let (from, to) = ((left + 1.0, top + 1.0), (left + width - 1.0, figure.height - 1.0));
            figure.bar(from, to, Fill::Tint(tint(place.value.mean) as u8), style::BLUE);
            if !place.valid && width > 8.0 {
                let inside = |at: (f64, f64), by: f64| (at.0 + by, at.1 + by);
                figure.bar(inside(from, 2.0), inside(to, -2.0), Fill::Empty, style::VERMILION);
            }
            let text = (panel.write)(three_digits(place.value.mean));
            if style::width_of(&text, size::TEXT, !place.valid) < width - 12.0 {
                let at = (left + width / 2.0, middle);
                figure.text(at, &text, Align::Middle, style::INK).bold = !place.valid;
            }
        }
    }
    figure.line(&[(CELLS.0, figure.height), (CELLS.1, figure.height)], stroke::AXIS, style::QUIET);
    along.write_in_order(figure, CELLS);
}

/// A value for a small cell.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
