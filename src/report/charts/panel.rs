//! Panels one above the other, with one axis: lines with their bands, named at their right ends; where
//! lines are many, a small plane for each (`multiples`) or a table of colours (`heat`).
//!
//! It knows values and names, not their meaning.

use super::super::number::plain;
use super::along::XAxis;
use super::figure::{Align, Figure, MARGIN, WIDTH};
use super::plane::{Frame, plane};
use super::series::{Panel, Place};
use super::style::{self, LINES, row, size};
use super::{heat, multiples};

/// The most lines that a reader can distinguish in one plane.
const IN_A_PLANE: usize = LINES.len();
/// The most small planes.
const PLANES_MAX: usize = 24;
/// The most lines of a chart: those of a table of colours.
pub(super) const LINES_MAX: usize = 60;

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
        true => format!("{title} ({LINES_MAX} of {lines} lines)"),
        false => title.to_string(),
    }
}

/// From the last line below the title to the first plane, and from plane to plane.
const TOP: f64 = 66.0;
const GAP: f64 = 80.0;

/// The whole chart.
pub(super) fn draw(title: &str, below: &str, along: &XAxis, panels: &[Panel]) -> Figure {
    let mut figure = Figure::new(title, below);
    panels.iter().for_each(|panel| tell(&mut figure, along, panel));
    let most = panels.iter().map(|panel| panel.series.len()).max().unwrap_or(0);
    let kind = match most {
        ..=IN_A_PLANE => Kind::Lines,
        ..=PLANES_MAX if along.has_measure() => Kind::Planes,
        _ => Kind::Table,
    };
    if panels.iter().flat_map(Panel::shown).any(|place| !place.valid) {
        let text = if kind == Kind::Table { "framed: INVALID" } else { "hollow: INVALID" };
        let at = (WIDTH - MARGIN, figure.height + TOP - 36.0);
        figure.text(at, text, Align::Left, style::QUIET);
    }
    for (index, panel) in panels.iter().enumerate() {
        figure.height += if index == 0 { TOP } else { GAP };
        head(&mut figure, panel, kind);
        match kind {
            Kind::Lines => lines(&mut figure, panel, along),
            Kind::Planes => multiples::draw(&mut figure, panel, along),
            Kind::Table => heat::draw(&mut figure, panel, along),
        }
    }
    let (left, right) = match kind {
        Kind::Lines => along.ends(),
        Kind::Planes => (super::along::LEFT, WIDTH - MARGIN),
        Kind::Table => heat::CELLS,
    };
    if kind == Kind::Lines {
        along.write(&mut figure, (left, right));
    }
    let middle = (left + right) / 2.0;
    figure.height += if kind == Kind::Lines { 0.0 } else { 4.0 };
    let label = if kind == Kind::Table { along.label_in_order() } else { along.label() };
    figure.axis_label((middle, 2.0 * (WIDTH - MARGIN - middle)), &label);
    figure.height += 14.0;
    figure
}

/// How the lines of a panel are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In one plane, named beside it, the bound too.
    Lines,
    /// In a small plane each.
    Planes,
    /// As rows of a table of colours.
    Table,
}

/// The heading of a panel, above the top of its plane.
fn head(figure: &mut Figure, panel: &Panel, kind: Kind) {
    let bound = panel.bound.as_ref().map(|(_, name)| name.as_str()).filter(|_| kind != Kind::Lines);
    let text = match (kind, bound) {
        (Kind::Lines, _) | (_, None) => panel.head.clone(),
        (Kind::Planes, Some(bound)) => format!("{} (dashed: {bound})", panel.head),
        (Kind::Table, Some(bound)) => format!("{} ({bound})", panel.head),
    };
    let text = match kind {
        Kind::Table => format!("{text}, the stronger the colour the higher (logarithmic scale)"),
        _ => panel.vertical((1.0, 0.0)).unit(&text),
    };
    for (index, line) in style::wrapped_to(3, &text, 900.0, size::HEAD, true).iter().enumerate() {
        figure.height += if index > 0 { row::TEXT } else { 0.0 };
        let at = (MARGIN, figure.height - 36.0);
        figure.label(at, line, size::HEAD, Align::Right, style::INK).bold = true;
    }
}

/// A plane with all lines.
fn lines(figure: &mut Figure, panel: &Panel, along: &XAxis) {
    let (left, right) = along.ends();
    let frame = Frame { left, right, top: figure.height, height: super::plane::height(panel) };
    figure.height += frame.height;
    plane(figure, panel, along, frame);
}

/// A panel in words: each line from its first point to its last.
fn tell(figure: &mut Figure, along: &XAxis, panel: &Panel) {
    let bound = panel.bound.as_ref().map_or(String::new(), |(_, name)| format!(" ({name})"));
    for series in &panel.series {
        let shown = series.places.iter().flatten().filter(|place| place.shows());
        let point = |place: &Place| {
            let value = (panel.write)((place.value.mean * 1000.0).round() / 1000.0);
            format!("{value} at {}", along.text(place.index))
        };
        let points: Vec<String> = shown.map(point).collect();
        let points = match points.as_slice() {
            [] => "nothing".to_string(),
            [one] => one.clone(),
            [first, .., last] => format!("{first}, {last}"),
        };
        let name =
            if series.name.is_empty() { String::new() } else { format!(", {}", series.name) };
        figure.tell(format!("{}{bound}{name}: {points}.", panel.head));
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Mark;
    use super::super::series::Series;
    use super::*;
    use crate::spec::ParameterValue;
    use crate::study::Interval;

    fn place(index: usize, mean: f64, half: f64) -> Option<Place> {
        let value = Interval { mean, half_width: Some(half) };
        Some(Place { index, value, valid: true, marked: false })
    }

    fn one_two_three() -> XAxis {
        let values = [1.0, 2.0, 3.0]
            .map(|number| ParameterValue { text: plain(number), number: Some(number) });
        XAxis::new("VMs".to_string(), values.to_vec(), true)
    }

    fn panel(places: Vec<Option<Place>>) -> Panel {
        let series = vec![Series { name: "one".to_string(), places }];
        Panel { head: "p99".to_string(), series, bound: None, write: plain }
    }

    #[test]
    fn a_band_that_reaches_below_zero_stays_in_its_plane() {
        let panel =
            panel(vec![place(0, 5.0, 1.0), place(1, 100.0, 170.0), place(2, 6000.0, 100.0)]);
        let figure = draw("", "", &one_two_three(), &[panel]);
        let areas = figure.marks.iter().filter_map(|mark| match mark {
            Mark::Area { points, .. } => Some(points),
            _ => None,
        });
        let points: Vec<_> = areas.flatten().collect();
        assert_eq!(points.len(), 6);
        let top = Figure::new("", "").height + TOP;
        assert!(points.iter().all(|(_, y)| (top..=top + 400.0).contains(y)), "{points:?}");
    }

    /// Whatever is drawn of a line that ends early lies left of its last point.
    #[test]
    fn nothing_leads_on_from_a_line_that_ends_early() {
        let along = one_two_three();
        let figure =
            draw("", "", &along, &[panel(vec![place(0, 5.0, 1.0), place(1, 6.0, 1.0), None])]);
        let end = along.place(1, along.ends());
        let mut found = 0;
        for mark in &figure.marks {
            if let Mark::Line { points, colour, .. } = mark
                && *colour == LINES[0].0
            {
                assert!(points.iter().all(|(x, _)| *x <= end + 0.1), "{points:?} behind {end}");
                found += 1;
            }
        }
        assert!(found > 0);
    }

    #[test]
    fn a_logarithmic_scale_is_named() {
        let texts = |places: Vec<Option<Place>>| {
            let figure = draw("", "", &one_two_three(), &[panel(places)]);
            let texts = figure.marks.into_iter().filter_map(|mark| match mark {
                Mark::Text(label) => Some(label.text),
                _ => None,
            });
            texts.collect::<Vec<_>>()
        };
        let wide = texts(vec![place(0, 5.0, 1.0), place(1, 500.0, 1.0)]);
        assert!(wide.contains(&"p99, logarithmic scale".to_string()), "{wide:?}");
        let narrow = texts(vec![place(0, 5.0, 1.0), place(1, 6.0, 1.0)]);
        assert!(narrow.contains(&"p99".to_string()), "{narrow:?}");
        assert!(!narrow.concat().contains("logarithmic"), "{narrow:?}");
    }

    /// Nine lines and more are not laid over one another.
    #[test]
    fn many_lines_have_planes_of_their_own_or_a_table() {
        let kinds = |count: usize| {
            let mut panel = panel(vec![place(0, 5.0, 1.0), place(1, 6.0, 1.0)]);
            let places = panel.series[0].places.clone();
            let one = |index: usize| Series { name: index.to_string(), places: places.clone() };
            panel.series = (0..count).map(one).collect();
            let figure = draw("", "", &one_two_three(), &[panel]);
            let of = |is: fn(&Mark) -> bool| figure.marks.iter().filter(|mark| is(mark)).count();
            let axes = of(|mark| {
                matches!(mark, Mark::Line { width, colour, points, .. }
                    if (*width, *colour) == (style::stroke::AXIS, style::QUIET) && points[0].1 == points[1].1)
            });
            (
                axes,
                of(|mark| matches!(mark, Mark::Area { .. })),
                of(|mark| matches!(mark, Mark::Bar { .. })),
            )
        };
        assert_eq!(kinds(8), (1, 8, 0));
        assert_eq!(kinds(9), (9, 9, 0));
        assert_eq!(kinds(25), (1, 0, 50));
    }
}
