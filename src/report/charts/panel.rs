//! Panels one above the other, with one axis: lines with their bands, named at their right ends.
//!
//! It knows values and names, and nothing of what they mean.

use super::super::number::{clip, plain, wrap};
use super::figure::{Colour, Figure, Lean, Mark, Sign, colour, size};
use super::scale::Scale;
use crate::spec::ParameterValue;
use crate::study::Interval;

/// One plane with its lines.
pub(super) struct Panel {
    /// What is measured.
    pub(super) head: String,
    pub(super) series: Vec<Series>,
    /// A level that must be kept, and its name.
    pub(super) bound: Option<(f64, String)>,
    /// Writes a value of the vertical axis.
    pub(super) write: fn(f64) -> String,
}

/// A line.
pub(super) struct Series {
    /// Its name; empty for a line that needs none.
    pub(super) name: String,
    /// Its points; a gap where there is none.
    pub(super) places: Vec<Option<Place>>,
}

/// A point of a line.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index into the values along the axis.
    pub(super) index: usize,
    pub(super) value: Interval,
    /// Whether it counts; hollow if not.
    pub(super) valid: bool,
}

/// The horizontal axis.
pub(super) struct Along {
    pub(super) label: String,
    pub(super) values: Vec<ParameterValue>,
}

/// Lines differ in colour and in sign; the bound has a colour of its own.
const STYLES: [(Colour, Sign); 12] = [
    (colour::BLUE, Sign::Circle),
    (colour::ORANGE, Sign::Square),
    (colour::GREEN, Sign::Triangle),
    (colour::PURPLE, Sign::Diamond),
    (colour::SKY, Sign::Square),
    (colour::INK, Sign::Circle),
    (colour::BLUE, Sign::Diamond),
    (colour::ORANGE, Sign::Circle),
    (colour::GREEN, Sign::Square),
    (colour::PURPLE, Sign::Triangle),
    (colour::SKY, Sign::Diamond),
    (colour::INK, Sign::Triangle),
];

/// Left and right of every plane; names stand right of it.
const X: (f64, f64) = (130.0, 850.0);
/// From the last line below the title to the first plane, and from plane to plane.
const TOP: f64 = 160.0;
const GAP: f64 = 80.0;
/// A plane's least height.
const PLANE: f64 = 400.0;
/// Height of a line of text, and how many letters of a name fit beside the plane.
const TEXT_LINE: f64 = 28.0;
const LETTERS: usize = 22;

/// A name at the right: where its line ends, its lines of text, its colour.
struct Name {
    end: f64,
    rows: Vec<String>,
    colour: Colour,
}

/// The whole chart.
pub(super) fn draw(title: &str, below: &str, along: &Along, panels: &[Panel]) -> Figure {
    let heights: Vec<f64> = panels.iter().map(height).collect();
    let words = along.rows().iter().map(Vec::len).max().unwrap_or(1) as f64;
    let all: f64 = heights.iter().sum::<f64>() + GAP * (panels.len() as f64 - 1.0);
    let bottom = TOP + all;
    let mut figure = Figure::new(bottom + 50.0 + TEXT_LINE * words, title, below);
    let mut top = TOP;
    for (panel, height) in panels.iter().zip(heights) {
        plane(&mut figure, panel, along, (top + height, top));
        top += height + GAP;
    }
    name_values(&mut figure, along, bottom);
    let at = ((X.0 + X.1) / 2.0, bottom + 28.0 + TEXT_LINE * words);
    figure.label(at, &clip(&along.label, 50), size::TEXT, Lean::Middle, colour::INK);
    figure
}

/// A plane is high enough for the names of its lines.
fn height(panel: &Panel) -> f64 {
    let names = panel.series.iter().map(|series| name_rows(&series.name).len());
    let rows = names.sum::<usize>() + usize::from(panel.bound.is_some());
    PLANE.max(TEXT_LINE * (rows as f64 + 1.0))
}

fn plane(figure: &mut Figure, panel: &Panel, along: &Along, (bottom, top): (f64, f64)) {
    let y = vertical(panel, (bottom, top));
    for tick in y.ticks(((bottom - top) / 70.0) as usize) {
        let at = y.place(tick);
        figure.line(&[(X.0, at), (X.1, at)], 1.5, colour::RULE);
        figure.label((X.0 - 12.0, at), &(panel.write)(tick), size::TEXT, Lean::Left, colour::QUIET);
    }
    figure.line(&[(X.0, bottom), (X.1, bottom)], 2.0, colour::QUIET);
    for index in 0..along.values.len() {
        let at = along.place(index);
        figure.line(&[(at, bottom), (at, bottom + 8.0)], 2.0, colour::QUIET);
    }
    let head = clip(&panel.head, 40);
    figure.label((30.0, top - 36.0), &head, size::HEAD, Lean::Right, colour::INK).bold = true;
    if panel.series.iter().flat_map(|series| &series.places).flatten().any(|place| !place.valid) {
        let text = "hollow: INVALID";
        figure.label((X.1, top - 36.0), text, size::TEXT, Lean::Left, colour::QUIET);
    }
    let within = |value: f64| y.place(value).clamp(top, bottom);
    let mut names = Vec::new();
    if let Some((value, name)) = &panel.bound {
        let end = within(*value);
        figure.dashes((X.0, end), (X.1, end), 3.0, colour::VERMILION);
        names.push(Name { end, rows: vec![clip(name, LETTERS)], colour: colour::VERMILION });
    }
    let styled: Vec<_> = panel.series.iter().zip(STYLES.iter().cycle()).collect();
    for (series, (colour, _)) in &styled {
        band(figure, series, along, &within, *colour);
    }
    for (series, (colour, sign)) in styled {
        if let Some(end) = line(figure, series, along, &within, (*colour, *sign)) {
            names.push(Name { end, rows: name_rows(&series.name), colour: *colour });
        }
    }
    names.retain(|name| !name.rows.is_empty());
    write_names(figure, names, (bottom, top));
}

fn vertical(panel: &Panel, at: (f64, f64)) -> Scale {
    let places = panel.series.iter().flat_map(|series| &series.places).flatten();
    let values = places.flat_map(|place| {
        let most = place.value.half_width.map(|half| place.value.mean + half);
        [Some(place.value.mean), most]
    });
    let bound = panel.bound.iter().map(|(value, _)| *value);
    let values: Vec<f64> =
        values.flatten().chain(bound).filter(|value| value.is_finite()).collect();
    Scale::fitting(&values, at)
}

/// Whether a point can be drawn.
fn shows(place: &Place) -> bool {
    place.value.mean.is_finite() && place.value.mean > 0.0
}

/// The confidence bands of a line, from gap to gap; whiskers where the axis has no measure.
fn band(
    figure: &mut Figure,
    series: &Series,
    along: &Along,
    y: &impl Fn(f64) -> f64,
    colour: Colour,
) {
    let ends = |place: &Place| {
        let half = place.value.half_width.filter(|half| half.is_finite())?;
        let at = along.place(place.index);
        Some(((at, y(place.value.mean + half)), (at, y(place.value.mean - half))))
    };
    for part in series.places.split(|place| place.is_none_or(|place| !shows(&place))) {
        let ends: Vec<_> = part.iter().flatten().filter_map(ends).collect();
        if !along.has_measure() || ends.len() == 1 {
            for (upper, lower) in ends {
                figure.line(&[upper, lower], 3.0, colour);
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

/// A line from gap to gap with its points; the answer is the height of its last.
fn line(
    figure: &mut Figure,
    series: &Series,
    along: &Along,
    y: &impl Fn(f64) -> f64,
    (colour, sign): (Colour, Sign),
) -> Option<f64> {
    let at = |place: &Place| (along.place(place.index), y(place.value.mean));
    let width = if along.has_measure() { 4.0 } else { 2.0 };
    for part in series.places.split(|place| place.is_none_or(|place| !shows(&place))) {
        let points: Vec<_> = part.iter().flatten().map(at).collect();
        if points.len() > 1 {
            figure.line(&points, width, colour);
        }
    }
    let shown = series.places.iter().flatten().filter(|place| shows(place));
    let mut end = None;
    for place in shown {
        let (at, hollow) = (at(place), !place.valid);
        figure.marks.push(Mark::Sign { at, radius: 8.5, sign, hollow, colour });
        end = Some(at);
    }
    // A short line whose name stands at the edge is led there.
    let (x, y) = end?;
    if x < X.1 - 60.0 && !series.name.is_empty() {
        figure.dashes((x, y), (X.1, y), 1.5, colour);
    }
    Some(y)
}

/// A name in at most two lines of text.
fn name_rows(name: &str) -> Vec<String> {
    let rows: Vec<String> = wrap(name, LETTERS, "").lines().map(|row| clip(row, LETTERS)).collect();
    match rows.len() {
        0..=2 => rows.into_iter().filter(|row| !row.is_empty()).collect(),
        _ => vec![rows[0].clone(), clip(&format!("{} …", rows[1]), LETTERS)],
    }
}

/// Writes the names beside the ends of their lines, moved apart where they would touch.
fn write_names(figure: &mut Figure, mut names: Vec<Name>, (bottom, top): (f64, f64)) {
    names.sort_by(|one, two| one.end.total_cmp(&two.end));
    let half = |name: &Name| TEXT_LINE * name.rows.len() as f64 / 2.0;
    let mut middles: Vec<f64> = names.iter().map(|name| name.end).collect();
    // Down from the top, then up from the bottom: everybody has room, nobody moves further than needed.
    let mut free = top - TEXT_LINE;
    for (middle, name) in middles.iter_mut().zip(&names) {
        *middle = middle.max(free + half(name));
        free = *middle + half(name);
    }
    let mut free = bottom + TEXT_LINE / 2.0;
    for (middle, name) in middles.iter_mut().zip(&names).rev() {
        *middle = middle.min(free - half(name));
        free = *middle - half(name);
    }
    for (middle, name) in middles.into_iter().zip(names) {
        if (middle - name.end).abs() > 6.0 {
            figure.line(&[(X.1 + 2.0, name.end), (X.1 + 18.0, middle)], 1.5, name.colour);
        }
        for (row, text) in name.rows.iter().enumerate() {
            let at = (X.1 + 24.0, middle - half(&name) + TEXT_LINE * (row as f64 + 0.5));
            figure.label(at, text, size::TEXT, Lean::Right, name.colour).bold = true;
        }
    }
}

/// Names the values along the axis, as many as there is room for.
fn name_values(figure: &mut Figure, along: &Along, bottom: f64) {
    let mut free_from = f64::NEG_INFINITY;
    for (index, rows) in along.rows().iter().enumerate() {
        let longest = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
        let (at, half) = (along.place(index), 7.5 * longest as f64 + 3.0);
        if at - half < free_from {
            continue;
        }
        free_from = at + half;
        for (row, text) in rows.iter().enumerate() {
            let at = (at, bottom + 26.0 + TEXT_LINE * row as f64);
            figure.label(at, text, size::TEXT, Lean::Middle, colour::QUIET);
        }
    }
}

impl Along {
    /// Whether all values are numbers; words stand side by side.
    fn has_measure(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }

    /// Where the value stands, in pixels.
    fn place(&self, index: usize) -> f64 {
        let inside = (X.0 + 30.0, X.1 - 30.0);
        if !self.has_measure() {
            let step = (X.1 - X.0) / self.values.len() as f64;
            return X.0 + step * (index as f64 + 0.5);
        }
        let values: Vec<f64> = self.values.iter().filter_map(|value| value.number).collect();
        scale(&values, inside).place(values[index])
    }

    /// The values as they are written below the axis, long words in two lines.
    fn rows(&self) -> Vec<Vec<String>> {
        if self.has_measure() {
            let numbers = self.values.iter().filter_map(|value| value.number);
            return numbers.map(|number| vec![plain(number)]).collect();
        }
        let room = ((X.1 - X.0) / self.values.len() as f64 / 15.5) as usize;
        let words = self.values.iter().map(|value| {
            let rows = wrap(&value.text, room.max(4), "");
            rows.lines().take(2).map(|row| clip(row, room.max(4))).collect()
        });
        words.collect()
    }
}

/// The axis of what varies: logarithmic where the values span a factor of eight by growing steps,
/// like 1, 2, 4, 8, and linear where the steps are alike, as for 1 to 10.
fn scale(values: &[f64], inside: (f64, f64)) -> Scale {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let steps: Vec<f64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let smallest = steps.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = steps.iter().copied().fold(0.0, f64::max);
    if low > 0.0 && high / low >= 8.0 && largest > 2.5 * smallest {
        Scale::logarithmic(low, high, inside)
    } else if low < high {
        Scale::linear(low, high, inside)
    } else {
        Scale::linear(low - 1.0, high + 1.0, inside)
    }
}
