//! `Figure`: a chart as a list of marks on a plane, in pixels of a canvas 1200 wide.
//!
//! It holds the house style (colours, sizes) and knows neither results nor file formats: charts make
//! figures from results, `plot` turns figures into files.

use super::super::number::clip;
use super::scale::Scale;

/// A colour, as red, green and blue.
pub(in crate::report) type Colour = (u8, u8, u8);

/// Colours that people with colour blindness can distinguish (Okabe and Ito, 2008), and greys.
pub(in crate::report) mod colour {
    use super::Colour;

    pub(in crate::report) const INK: Colour = (34, 34, 34);
    pub(in crate::report) const QUIET: Colour = (95, 95, 95);
    pub(in crate::report) const RULE: Colour = (222, 222, 222);
    pub(in crate::report) const BLUE: Colour = (0, 114, 178);
    pub(in crate::report) const GREEN: Colour = (0, 158, 115);
    pub(in crate::report) const VERMILION: Colour = (213, 94, 0);
    pub(in crate::report) const PURPLE: Colour = (160, 80, 130);
    pub(in crate::report) const ORANGE: Colour = (200, 135, 0);
    pub(in crate::report) const SKY: Colour = (60, 155, 215);
}

/// Font sizes. The smallest is readable when the chart is shown at half its size.
pub(in crate::report) mod size {
    pub(in crate::report) const TITLE: f64 = 32.0;
    pub(in crate::report) const HEAD: f64 = 24.0;
    pub(in crate::report) const TEXT: f64 = 22.0;
}

/// The horizontal alignment of a text at its point; vertically it is centred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::report) enum Align {
    /// It starts at the point.
    Right,
    /// Its middle is at the point.
    Middle,
    /// It ends at the point.
    Left,
}

/// A piece of text.
#[derive(Clone, Debug)]
pub(in crate::report) struct Label {
    pub(in crate::report) at: (f64, f64),
    pub(in crate::report) text: String,
    pub(in crate::report) size: f64,
    pub(in crate::report) bold: bool,
    pub(in crate::report) lean: Align,
    pub(in crate::report) colour: Colour,
}

/// The symbol at the points of a line, so that lines differ in more than colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::report) enum Symbol {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Symbol {
    /// The corners around the middle, for a radius of 1; none for a circle.
    pub(in crate::report) fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Symbol::Circle => &[],
            Symbol::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Symbol::Triangle => &[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
            Symbol::Diamond => &[(0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)],
        }
    }
}

/// One element of a chart.
#[derive(Clone, Debug)]
pub(in crate::report) enum Mark {
    /// A line through these points.
    Line { points: Vec<(f64, f64)>, width: f64, dashed: bool, colour: Colour },
    /// A filled circle; white inside when `hollow`.
    Dot { at: (f64, f64), radius: f64, hollow: bool, colour: Colour },
    /// A filled symbol; white inside when `hollow`.
    Symbol { at: (f64, f64), radius: f64, sign: Symbol, hollow: bool, colour: Colour },
    /// A pale polygon with these corners.
    Area { points: Vec<(f64, f64)>, colour: Colour },
    /// A text.
    Text(Label),
}

/// A chart, 1200 wide.
#[derive(Clone, Debug)]
pub(in crate::report) struct Figure {
    pub(in crate::report) height: f64,
    pub(in crate::report) marks: Vec<Mark>,
}

/// How many letters of a title, and of the line below it, fit on one line.
pub(super) const TITLE_LETTERS: usize = 54;
pub(super) const BELOW_LETTERS: usize = 88;

/// From row to row of them.
const TITLE_ROW: f64 = 40.0;
const BELOW_ROW: f64 = 28.0;

/// How much taller a head with these rows is than one with a single row each.
pub(super) fn head_more(title: &[String], below: &[String]) -> f64 {
    let more = |rows: &[String]| rows.len().saturating_sub(1) as f64;
    TITLE_ROW * more(title) + BELOW_ROW * more(below)
}

/// Width of every figure.
pub(in crate::report) const WIDTH: f64 = 1200.0;

impl Figure {
    /// An empty chart with its title and a subtitle.
    pub(super) fn new(height: f64, title: &str, below: &str) -> Self {
        Self::with_head(height, &[clip(title, TITLE_LETTERS)], &[clip(below, BELOW_LETTERS)])
    }

    /// The same with a title and a subtitle of several rows, taller by [`head_more`].
    pub(super) fn with_head(height: f64, title: &[String], below: &[String]) -> Self {
        let mut figure = Self { height, marks: Vec::new() };
        let mut y = 36.0;
        for row in title {
            figure.label((30.0, y), row, size::TITLE, Align::Right, colour::INK).bold = true;
            y += TITLE_ROW;
        }
        y += 38.0 - TITLE_ROW;
        for row in below {
            figure.text((30.0, y), row, Align::Right, colour::QUIET);
            y += BELOW_ROW;
        }
        figure
    }

    /// Adds a text; the returned label can be changed.
    pub(super) fn label(
        &mut self,
        at: (f64, f64),
        text: &str,
        size: f64,
        lean: Align,
        colour: Colour,
    ) -> &mut Label {
        self.marks.push(Mark::Text(Label {
            at,
            text: crate::shown::shown(text).into_owned(),
            size,
            bold: false,
            lean,
            colour,
        }));
        match self.marks.last_mut() {
            Some(Mark::Text(label)) => label,
            _ => unreachable!("a label was pushed just now"),
        }
    }

    /// Adds a text of the usual size.
    pub(super) fn text(
        &mut self,
        at: (f64, f64),
        text: &str,
        lean: Align,
        colour: Colour,
    ) -> &mut Label {
        self.label(at, text, size::TEXT, lean, colour)
    }

    /// Adds vertical grid lines at round values of an axis, each with its value below its end.
    pub(super) fn ticks(
        &mut self,
        (scale, left): (Scale, f64),
        most: usize,
        (top, bottom, below): (f64, f64, f64),
        write: impl Fn(f64) -> String,
    ) {
        for tick in scale.ticks(most) {
            let x = left + scale.place(tick);
            self.line(&[(x, top), (x, bottom)], 1.5, colour::RULE);
            self.text((x, bottom + below), &write(tick), Align::Middle, colour::QUIET);
        }
    }

    /// Adds a line from point to point.
    pub(super) fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) {
        self.marks.push(Mark::Line { points: points.to_vec(), width, dashed: false, colour });
    }

    /// Adds a dashed line.
    pub(super) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Colour) {
        self.marks.push(Mark::Line { points: vec![from, to], width, dashed: true, colour });
    }

    /// Adds a published figure: a ring, wide enough to be seen around a dot.
    pub(super) fn ring(&mut self, at: (f64, f64)) {
        self.marks.push(Mark::Dot { at, radius: 10.0, hollow: true, colour: colour::INK });
    }

    /// Adds a simulated figure: a dot.
    pub(super) fn dot(&mut self, at: (f64, f64)) {
        self.dot_of(at, colour::BLUE);
    }

    /// Adds a dot of a colour.
    pub(super) fn dot_of(&mut self, at: (f64, f64), colour: Colour) {
        self.marks.push(Mark::Dot { at, radius: 6.5, hollow: false, colour });
    }
}
