//! A panel of many lines: a small plane for each, all with the same axes.

use super::along::{LEFT, XAxis};
use super::figure::{Align, Figure, MARGIN, WIDTH};
use super::plane::{Frame, band, grid, line};
use super::series::{Panel, Series};
use super::style::{self, LINES, row};

/// Planes side by side, the air between them, their height.
const COLUMNS: usize = 3;
const AIR: f64 = 36.0;
const HEIGHT: f64 = 180.0;
/// Most rows of a name.
const NAME_ROWS: usize = 4;

/// The planes, three in a row, each below the name of its line.
pub(super) fn draw(figure: &mut Figure, panel: &Panel, along: &XAxis) {
    let width = (WIDTH - MARGIN - LEFT - AIR * (COLUMNS as f64 - 1.0)) / COLUMNS as f64;
    let all: Vec<&str> = panel.series.iter().map(|series| series.name.as_str()).collect();
    let names = style::names(&all, NAME_ROWS, width, true);
    let together: Vec<(&Series, &Vec<String>)> = panel.series.iter().zip(&names).collect();
    for (number, planes) in together.chunks(COLUMNS).enumerate() {
        if number > 0 {
            figure.height += 22.0;
        }
        let rows = planes.iter().map(|(_, rows)| rows.len()).max().unwrap_or(1) as f64;
        let top = figure.height + row::TEXT * rows;
        let mut bottom = top;
        for (column, (series, name)) in planes.iter().enumerate() {
            let left = LEFT + (width + AIR) * column as f64;
            let frame = Frame { left, right: left + width, top, height: HEIGHT };
            let first = top - row::TEXT * (name.len() as f64 - 0.5) - 4.0;
            figure.rows((left, first), name, Align::Right, true);
            let within = grid(figure, panel, frame, column == 0);
            band(figure, series, along, frame, &within, style::BLUE);
            line(figure, series, along, frame, &within, LINES[0]);
            figure.height = frame.bottom();
            along.write(figure, frame.ends());
            bottom = f64::max(bottom, figure.height);
        }
        figure.height = bottom;
    }
}
