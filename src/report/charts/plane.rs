//! One plane of a panel: axis, bound, lines with their bands and signs, names at the right.

use super::along::XAxis;
use super::figure::{Align, Figure, MARGIN, Mark, Symbol, WIDTH};
use super::series::{Panel, Place, Series};
use super::style::{self, Colour, LINES, row, stroke};

/// A plane's least height.
const LEAST: f64 = 400.0;
/// The air between two names, and where their signs and texts start, behind the end of the plane.
const AIR: f64 = 6.0;
const SIGN: f64 = 34.0;
const TEXT: f64 = 54.0;
/// Rows of a name.
const NAME_ROWS: usize = 5;

/// Where a plane is.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) fn bottom(self) -> f64 {
        self.top + self.height
    }

    pub(super) fn ends(self) -> (f64, f64) {
        (self.left, self.right)
    }
}

/// A name at the right: how high it would stand, whether its line ends there, its rows, its look.
struct Name {
    end: f64,
    reaches: bool,
    rows: Vec<String>,
    colour: Colour,
    sign: Option<Symbol>,
}

/// The names of a panel's lines in rows; none for a line that needs none.
fn names(panel: &Panel) -> Vec<Vec<String>> {
    let all: Vec<&str> = panel.series.iter().map(|series| series.name.as_str()).collect();
    // The room beside the narrower of the planes.
    style::names(&all, NAME_ROWS, WIDTH - MARGIN - 830.0 - TEXT, true)
}

/// A plane is high enough for the names of its lines.
pub(super) fn height(panel: &Panel) -> f64 {
    let rows = names(panel).iter().map(Vec::len).sum::<usize>();
    let rows = rows + usize::from(panel.bound.is_some());
    let names = panel.series.len() as f64 + 1.0;
    LEAST.max(row::TEXT * (rows as f64 + 1.0) + AIR * names)
}

/// A plane with all lines of a panel, and their names.
pub(super) fn plane(figure: &mut Figure, panel: &Panel, along: &XAxis, frame: Frame) {
    let within = grid(figure, panel, frame, true);
    for index in 0..along.len() {
        let none = |series: &Series| series.places.get(index).copied().flatten().is_none();
        if !along.has_measure() && panel.series.iter().all(none) {
            let at = (along.place(index, frame.ends()), frame.bottom() - 20.0);
            figure.text(at, "none", Align::Middle, style::QUIET);
        }
    }
    let mut names = Vec::new();
    if let Some((value, name)) = &panel.bound {
        let rows = vec![name.clone()];
        let (end, colour) = (within(*value), style::VERMILION);
        names.push(Name { end, reaches: true, rows, colour, sign: None });
    }
    let styled: Vec<_> = panel.series.iter().zip(LINES.iter().cycle()).collect();
    for (series, (colour, _)) in &styled {
        band(figure, series, along, frame, &within, *colour);
    }
    for ((series, (colour, sign)), rows) in styled.into_iter().zip(self::names(panel)) {
        if let Some((x, end)) = line(figure, series, along, frame, &within, (*colour, *sign)) {
            let reaches = x > frame.right - 60.0 || !along.has_measure();
            names.push(Name { end, reaches, rows, colour: *colour, sign: Some(*sign) });
        }
    }
    names.retain(|name| !name.rows.is_empty());
    write_names(figure, names, frame);
}

/// The grid of a plane, its axis and the bound; the answer places values on it. `written`: with the
/// values of the grid.
pub(super) fn grid(
    figure: &mut Figure,
    panel: &Panel,
    frame: Frame,
    written: bool,
) -> impl Fn(f64) -> f64 + use<> {
    let (top, bottom) = (frame.top, frame.bottom());
    let y = panel.vertical((bottom, top));
    for tick in y.ticks((frame.height / 70.0).max(3.0) as usize) {
        let at = y.place(tick);
        figure.line(&[(frame.left, at), (frame.right, at)], stroke::RULE, style::RULE);
        if written {
            figure.text((frame.left - 12.0, at), &(panel.write)(tick), Align::Left, style::QUIET);
        }
    }
    figure.line(&[(frame.left, bottom), (frame.right, bottom)], stroke::AXIS, style::QUIET);
    // A band may reach below zero, which a logarithmic axis does not have.
    let within =
        move |value: f64| if value > 0.0 { y.place(value).clamp(top, bottom) } else { bottom };
    if let Some((value, _)) = panel.bound {
        let end = within(value);
        figure.dashes((frame.left, end), (frame.right, end), stroke::MARK, style::VERMILION);
    }
    within
}

/// The confidence bands of a line, from gap to gap; whiskers where the axis has no measure.
pub(super) fn band(
    figure: &mut Figure,
    series: &Series,
    along: &XAxis,
    frame: Frame,
    y: &impl Fn(f64) -> f64,
    colour: Colour,
) {
    let ends = |place: &Place| {
        let half = place.value.half_width.filter(|half| half.is_finite())?;
        let at = along.place(place.index, frame.ends());
        Some(((at, y(place.value.mean + half)), (at, y(place.value.mean - half))))
    };
    for part in series.places.split(|place| place.is_none_or(|place| !place.shows())) {
        let ends: Vec<_> = part.iter().flatten().filter_map(ends).collect();
        if !along.has_measure() || ends.len() == 1 {
            for (upper, lower) in ends {
                figure.line(&[upper, lower], stroke::MARK, colour);
            }
            continue;
        }
        let upper = ends.iter().map(|(upper, _)| *upper);
        let points: Vec<_> = upper.chain(ends.iter().rev().map(|(_, lower)| *lower)).collect();
        if !points.is_empty() {
            figure.marks.push(Mark::Area { points, colour });
        }
    }
}

/// A line from gap to gap with its points; the answer is where its last is.
pub(super) fn line(
    figure: &mut Figure,
    series: &Series,
    along: &XAxis,
    frame: Frame,
    y: &impl Fn(f64) -> f64,
    (colour, sign): (Colour, Symbol),
) -> Option<(f64, f64)> {
    let at = |place: &Place| (along.place(place.index, frame.ends()), y(place.value.mean));
    for place in series.places.iter().flatten().filter(|place| place.marked && place.shows()) {
        figure.marks.push(Mark::Dot { at: at(place), radius: 17.0, hollow: true, colour });
    }
    for part in series.places.split(|place| place.is_none_or(|place| !place.shows())) {
        let points: Vec<_> = part.iter().flatten().map(at).collect();
        // Words have no order that a line could follow.
        if points.len() > 1 && along.has_measure() {
            figure.line(&points, stroke::LINE, colour);
        }
    }
    let mut end = None;
    for place in series.places.iter().flatten().filter(|place| place.shows()) {
        let (at, hollow) = (at(place), !place.valid);
        figure.marks.push(Mark::Symbol { at, radius: 8.5, sign, hollow, colour });
        end = Some(at);
    }
    end
}

/// Writes the names beside the ends of their lines, moved apart where they would touch.
fn write_names(figure: &mut Figure, mut names: Vec<Name>, frame: Frame) {
    let (right, top, bottom) = (frame.right, frame.top, frame.bottom());
    names.sort_by(|one, two| one.end.total_cmp(&two.end));
    let half = |name: &Name| (row::TEXT * name.rows.len() as f64 + AIR) / 2.0;
    let mut middles: Vec<f64> = names.iter().map(|name| name.end).collect();
    // Down from the top, then up from the bottom: everybody has room, nobody moves further than needed.
    let mut free = top - row::TEXT;
    for (middle, name) in middles.iter_mut().zip(&names) {
        *middle = middle.max(free + half(name));
        free = *middle + half(name);
    }
    let mut free = bottom + row::TEXT / 2.0;
    for (middle, name) in middles.iter_mut().zip(&names).rev() {
        *middle = middle.min(free - half(name));
        free = *middle - half(name);
    }
    for (middle, name) in middles.into_iter().zip(names) {
        if name.reaches && (middle - name.end).abs() > 6.0 {
            let ends = [(right + 2.0, name.end), (right + 18.0, middle)];
            figure.line(&ends, stroke::RULE, name.colour);
        }
        let first = middle - half(&name) + (row::TEXT + AIR) / 2.0;
        let Some(sign) = name.sign else {
            for (index, text) in name.rows.iter().enumerate() {
                let at = (right + 24.0, first + row::TEXT * index as f64);
                figure.text(at, text, Align::Right, name.colour).bold = true;
            }
            continue;
        };
        let (at, colour) = ((right + SIGN, first), name.colour);
        figure.marks.push(Mark::Symbol { at, radius: 8.5, sign, hollow: false, colour });
        figure.rows((right + TEXT, first), &name.rows, Align::Right, true);
    }
}
