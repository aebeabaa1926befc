//! Panels one above the other, with one axis: lines with their bands, named at their right ends.
//!
//! It knows values and names, not their meaning.

use super::super::number::{broken, clip, plain, wrap};
use super::figure::{
    Align, BELOW_LETTERS, Colour, Figure, Mark, Symbol, TITLE_LETTERS, WIDTH, colour, head_more,
    size,
};
use super::scale::Scale;
use crate::shown::shown;
use crate::spec::ParameterValue;
use crate::study::Interval;

/// One panel with its lines.
pub(super) struct Panel {
    /// Its heading: the measured quantity.
    pub(super) head: String,
    pub(super) series: Vec<Series>,
    /// A bound, and its name.
    pub(super) bound: Option<(f64, String)>,
    /// Formats a value of the vertical axis.
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
    /// Whether it is VALID; hollow if not.
    pub(super) valid: bool,
    /// Whether it is marked with a ring.
    pub(super) marked: bool,
}

/// The horizontal axis.
pub(super) struct XAxis {
    label: String,
    values: Vec<ParameterValue>,
    /// Its right end, in pixels.
    right: f64,
}

/// The most lines that a reader can distinguish.
pub(super) const LINES_MAX: usize = 12;

/// A chart for each bound of the lines, by file name; none where there are none.
pub(super) fn by_bound<T>(
    name: &str,
    lines: &[T],
    bound_of: impl Fn(&T) -> f64,
    chart: impl Fn(f64, &[&T]) -> Figure,
) -> Vec<(String, Figure)> {
    let mut bounds: Vec<f64> = lines.iter().map(&bound_of).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let charts = bounds.iter().map(|bound| {
        let of_bound: Vec<&T> = lines.iter().filter(|line| bound_of(line) == *bound).collect();
        let name = match bounds.len() {
            1 => name.to_string(),
            _ => format!("{name}-{}ms", plain(*bound)),
        };
        (name, chart(*bound, &of_bound))
    });
    charts.collect()
}

/// The subtitle of a chart of `lines` lines: the title, and how many lines are drawn.
pub(super) fn below(title: &str, lines: usize) -> String {
    match lines > LINES_MAX {
        true => format!("{} ({LINES_MAX} of {lines} lines)", clip(title, 200)),
        false => title.to_string(),
    }
}

/// Lines differ in colour and in sign; the bound has a colour of its own.
const STYLES: [(Colour, Symbol); 12] = [
    (colour::BLUE, Symbol::Circle),
    (colour::ORANGE, Symbol::Square),
    (colour::GREEN, Symbol::Triangle),
    (colour::PURPLE, Symbol::Diamond),
    (colour::SKY, Symbol::Square),
    (colour::INK, Symbol::Circle),
    (colour::BLUE, Symbol::Diamond),
    (colour::ORANGE, Symbol::Circle),
    (colour::GREEN, Symbol::Square),
    (colour::PURPLE, Symbol::Triangle),
    (colour::SKY, Symbol::Diamond),
    (colour::INK, Symbol::Triangle),
];

/// Left of every plane, and its right where lines have names and where they need none.
const LEFT: f64 = 130.0;
const RIGHT_NAMED: f64 = 830.0;
const RIGHT: f64 = 980.0;
/// From the last line below the title to the first plane, and from plane to plane.
const TOP: f64 = 160.0;
const GAP: f64 = 80.0;
/// A plane's least height.
const PLANE: f64 = 400.0;
/// Height of a line of text, the air between two names, and how many letters of a name fit beside
/// the plane.
const TEXT_LINE: f64 = 28.0;
const AIR: f64 = 6.0;
const LETTERS: usize = 21;
/// Of the head of a plane, left of what tells what hollow signs are.
const HEAD_LETTERS: usize = 52;
/// Rows of a name, and of a word along the axis.
const NAME_ROWS: usize = 4;
const WORD_ROWS: usize = 6;

/// A name at the right: where its line ends, its lines of text, its colour and sign.
struct Name {
    end: f64,
    rows: Vec<String>,
    colour: Colour,
    sign: Option<Symbol>,
}

/// The whole chart.
pub(super) fn draw(title: &str, below: &str, along: &XAxis, panels: &[Panel]) -> Figure {
    let heights: Vec<f64> = panels.iter().map(height).collect();
    let words = along.rows().iter().map(Vec::len).max().unwrap_or(1) as f64;
    let all: f64 = heights.iter().sum::<f64>() + GAP * (panels.len() as f64 - 1.0);
    let (title, below) = (rows(title, TITLE_LETTERS, 2), rows(below, BELOW_LETTERS, 3));
    let first = TOP + head_more(&title, &below);
    let bottom = first + all;
    let label = if along.label.is_empty() { 0.0 } else { TEXT_LINE };
    let mut figure = Figure::with_head(bottom + 24.0 + TEXT_LINE * words + label, &title, &below);
    let mut places = panels.iter().flat_map(|panel| &panel.series).flat_map(|line| &line.places);
    if places.any(|place| place.is_some_and(|place| !place.valid)) {
        let at = (WIDTH - 30.0, first - 36.0);
        figure.text(at, "hollow: INVALID", Align::Left, colour::QUIET);
    }
    let mut top = first;
    for (panel, height) in panels.iter().zip(heights) {
        plane(&mut figure, panel, along, (top + height, top));
        top += height + GAP;
    }
    name_values(&mut figure, along, bottom);
    let at = ((LEFT + along.right) / 2.0, bottom + 28.0 + TEXT_LINE * words);
    figure.text(at, &clip(&along.label, 64), Align::Middle, colour::INK);
    figure
}

/// A plane is high enough for the names of its lines.
fn height(panel: &Panel) -> f64 {
    let rows = panel.series.iter().map(|series| name_rows(&series.name).len());
    let rows = rows.sum::<usize>() + usize::from(panel.bound.is_some());
    let names = panel.series.len() as f64 + 1.0;
    PLANE.max(TEXT_LINE * (rows as f64 + 1.0) + AIR * names)
}

fn plane(figure: &mut Figure, panel: &Panel, along: &XAxis, (bottom, top): (f64, f64)) {
    let y = vertical(panel, (bottom, top));
    for tick in y.ticks(((bottom - top) / 70.0) as usize) {
        let at = y.place(tick);
        figure.line(&[(LEFT, at), (along.right, at)], 1.5, colour::RULE);
        figure.text((LEFT - 12.0, at), &(panel.write)(tick), Align::Left, colour::QUIET);
    }
    figure.line(&[(LEFT, bottom), (along.right, bottom)], 2.0, colour::QUIET);
    for (index, _) in along.rows().iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        let at = along.place(index);
        figure.line(&[(at, bottom), (at, bottom + 8.0)], 2.0, colour::QUIET);
    }
    for index in 0..along.values.len() {
        let none = |series: &Series| series.places.get(index).copied().flatten().is_none();
        if !along.has_measure() && panel.series.iter().all(none) {
            let at = (along.place(index), bottom - 20.0);
            figure.text(at, "none", Align::Middle, colour::QUIET);
        }
    }
    let head = clip(&panel.head, HEAD_LETTERS);
    figure.label((30.0, top - 36.0), &head, size::HEAD, Align::Right, colour::INK).bold = true;
    // A band may reach below zero, which a logarithmic axis does not have.
    let within = |value: f64| if value > 0.0 { y.place(value).clamp(top, bottom) } else { bottom };
    let mut names = Vec::new();
    if let Some((value, name)) = &panel.bound {
        let end = within(*value);
        figure.dashes((LEFT, end), (along.right, end), 3.0, colour::VERMILION);
        let (rows, colour) = (vec![clip(name, LETTERS)], colour::VERMILION);
        names.push(Name { end, rows, colour, sign: None });
    }
    let styled: Vec<_> = panel.series.iter().zip(STYLES.iter().cycle()).collect();
    for (series, (colour, _)) in &styled {
        band(figure, series, along, &within, *colour);
    }
    for (series, (colour, sign)) in styled {
        if let Some(end) = line(figure, series, along, &within, (*colour, *sign)) {
            let rows = name_rows(&series.name);
            names.push(Name { end, rows, colour: *colour, sign: Some(*sign) });
        }
    }
    names.retain(|name| !name.rows.is_empty());
    write_names(figure, names, along.right, (bottom, top));
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
    along: &XAxis,
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
    along: &XAxis,
    y: &impl Fn(f64) -> f64,
    (colour, sign): (Colour, Symbol),
) -> Option<f64> {
    let at = |place: &Place| (along.place(place.index), y(place.value.mean));
    for place in series.places.iter().flatten().filter(|place| place.marked && shows(place)) {
        figure.marks.push(Mark::Dot { at: at(place), radius: 17.0, hollow: true, colour });
    }
    for part in series.places.split(|place| place.is_none_or(|place| !shows(&place))) {
        let points: Vec<_> = part.iter().flatten().map(at).collect();
        // Words have no order that a line could follow.
        if points.len() > 1 && along.has_measure() {
            figure.line(&points, 4.0, colour);
        }
    }
    let shown = series.places.iter().flatten().filter(|place| shows(place));
    let mut end = None;
    for place in shown {
        let (at, hollow) = (at(place), !place.valid);
        figure.marks.push(Mark::Symbol { at, radius: 8.5, sign, hollow, colour });
        end = Some(at);
    }
    // A short line whose name stands at the edge is led there.
    let (x, y) = end?;
    if x < along.right - 60.0 && !series.name.is_empty() && along.has_measure() {
        figure.dashes((x, y), (along.right, y), 1.5, colour);
    }
    Some(y)
}

/// A name in a few lines of text.
fn name_rows(name: &str) -> Vec<String> {
    let name = &*shown(name);
    let fits = name.chars().count() <= LETTERS;
    let parts: Vec<&str> = if fits { vec![name] } else { name.split_inclusive(", ").collect() };
    let all: Vec<String> =
        parts.iter().flat_map(|part| rows(part, LETTERS, NAME_ROWS + 1)).collect();
    cut(all, NAME_ROWS, LETTERS)
}

/// A text in at most `count` rows of so many letters, broken at blanks, and words that are longer where
/// they must be.
fn rows(text: &str, letters: usize, count: usize) -> Vec<String> {
    let text = broken(&wrap(text, letters, ""), letters, "");
    let all = text.lines().filter(|row| !row.is_empty()).map(str::to_string);
    cut(all.collect(), count, letters)
}

/// At most `count` rows of text, the rest told by an ellipsis.
fn cut(mut rows: Vec<String>, count: usize, letters: usize) -> Vec<String> {
    if rows.len() > count {
        rows.truncate(count);
        let last = rows.last_mut().expect("at least one row is kept");
        *last = clip(&format!("{last} …"), letters);
    }
    rows
}

/// Writes the names beside the ends of their lines, moved apart where they would touch.
fn write_names(figure: &mut Figure, mut names: Vec<Name>, right: f64, (bottom, top): (f64, f64)) {
    names.sort_by(|one, two| one.end.total_cmp(&two.end));
    let half = |name: &Name| (TEXT_LINE * name.rows.len() as f64 + AIR) / 2.0;
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
            figure.line(&[(right + 2.0, name.end), (right + 18.0, middle)], 1.5, name.colour);
        }
        let indent = if name.sign.is_some() { 54.0 } else { 24.0 };
        if let Some(sign) = name.sign {
            let at = (right + 34.0, middle - half(&name) + (TEXT_LINE + AIR) / 2.0);
            let colour = name.colour;
            figure.marks.push(Mark::Symbol { at, radius: 8.5, sign, hollow: false, colour });
        }
        for (row, text) in name.rows.iter().enumerate() {
            let at =
                (right + indent, middle - half(&name) + AIR / 2.0 + TEXT_LINE * (row as f64 + 0.5));
            figure.text(at, text, Align::Right, name.colour).bold = true;
        }
    }
}

/// Names the values along the axis, as many as there is room for.
fn name_values(figure: &mut Figure, along: &XAxis, bottom: f64) {
    let mut free_from = f64::NEG_INFINITY;
    for (index, rows) in along.rows().iter().enumerate() {
        if rows.is_empty() {
            continue;
        }
        let longest = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
        let (at, half) = (along.place(index), 7.5 * longest as f64 + 3.0);
        if at - half < free_from {
            continue;
        }
        free_from = at + half;
        for (row, text) in rows.iter().enumerate() {
            let at = (at, bottom + 26.0 + TEXT_LINE * row as f64);
            figure.text(at, text, Align::Middle, colour::QUIET);
        }
    }
}

impl XAxis {
    /// The axis; `named` leaves room for the names of lines.
    pub(super) fn new(label: String, values: Vec<ParameterValue>, named: bool) -> Self {
        Self { label, values, right: if named { RIGHT_NAMED } else { RIGHT } }
    }

    /// Whether all values are numbers; words stand side by side.
    fn has_measure(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }

    /// Where the value stands, in pixels.
    fn place(&self, index: usize) -> f64 {
        let inside = (LEFT + 30.0, self.right - 30.0);
        if !self.has_measure() {
            let step = (self.right - LEFT) / self.values.len() as f64;
            return LEFT + step * (index as f64 + 0.5);
        }
        let values: Vec<f64> = self.values.iter().filter_map(|value| value.number).collect();
        scale(&values, inside).place(values[index])
    }

    /// The values as they are written below the axis, long words in two lines; a number without
    /// text is not written.
    fn rows(&self) -> Vec<Vec<String>> {
        if self.has_measure() {
            let values = self.values.iter();
            let written = values.map(|value| value.number.filter(|_| !value.text.is_empty()));
            return written.map(|number| number.into_iter().map(plain).collect()).collect();
        }
        let room = ((self.right - LEFT) / self.values.len() as f64 / 14.5) as usize;
        let words = self.values.iter().map(|value| rows(&value.text, room.max(4), WORD_ROWS));
        words.collect()
    }
}

/// The axis of what varies: logarithmic where that keeps close values further apart, like 1, 2, 4, 8.
fn scale(values: &[f64], inside: (f64, f64)) -> Scale {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let closest = |scale: Scale| {
        let places: Vec<f64> = sorted.iter().map(|value| scale.place(*value)).collect();
        places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min)
    };
    if low >= high {
        return Scale::linear(low - 1.0, high + 1.0, inside);
    }
    let linear = Scale::linear(low, high, inside);
    if low <= 0.0 {
        return linear;
    }
    let logarithmic = Scale::logarithmic(low, high, inside);
    if closest(logarithmic) > 1.01 * closest(linear) { logarithmic } else { linear }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_that_reaches_below_zero_stays_in_its_plane() {
        let place = |index, mean, half| {
            let value = Interval { mean, half_width: Some(half) };
            Some(Place { index, value, valid: true, marked: false })
        };
        let places = vec![place(0, 5.0, 1.0), place(1, 100.0, 170.0), place(2, 6000.0, 100.0)];
        let series = vec![Series { name: String::new(), places }];
        let panel = Panel { head: String::new(), series, bound: None, write: plain };
        let value = |number| ParameterValue { text: plain(number), number: Some(number) };
        let along = XAxis::new(String::new(), vec![value(1.0), value(2.0), value(3.0)], false);
        let figure = draw("", "", &along, &[panel]);
        let areas = figure.marks.iter().filter_map(|mark| match mark {
            Mark::Area { points, .. } => Some(points),
            _ => None,
        });
        let points: Vec<_> = areas.flatten().collect();
        assert_eq!(points.len(), 6);
        assert!(points.iter().all(|(_, y)| (TOP..=TOP + PLANE).contains(y)), "{points:?}");
    }

    #[test]
    fn values_that_grow_by_factors_get_a_logarithmic_axis() {
        let places = |values: &[f64]| {
            let scale = scale(values, (0.0, 100.0));
            values.iter().map(|value| scale.place(*value).round()).collect::<Vec<_>>()
        };
        assert_eq!(places(&[1.0, 10.0, 100.0]), [0.0, 50.0, 100.0]);
        assert_eq!(places(&[1.0, 2.0, 3.0, 4.0, 5.0]), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(places(&[0.0, 5.0, 10.0]), [0.0, 50.0, 100.0]);
        assert_eq!(places(&[7.0]), [50.0]);
    }
}
