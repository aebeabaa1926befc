//! `Figure`: a chart as a list of marks on a plane, in pixels of a canvas 1200 wide.
//!
//! It knows neither results nor file formats: charts make figures from results, with the look that
//! `style` gives them, and `plot` turns figures into files.

use super::scale::Scale;
pub(in crate::report) use super::style::Symbol;
use super::style::{self, Colour, row, size, stroke};

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

/// One element of a chart.
#[derive(Clone, Debug)]
pub(in crate::report) enum Mark {
    /// A line through these points.
    Line { points: Vec<(f64, f64)>, width: f64, dashed: bool, colour: Colour },
    /// A filled circle; white inside when `hollow`.
    Dot { at: (f64, f64), radius: f64, hollow: bool, colour: Colour },
    /// A filled symbol; white inside when `hollow`.
    Symbol { at: (f64, f64), radius: f64, sign: Symbol, hollow: bool, colour: Colour },
    /// A bar from its upper left corner to its lower right one.
    Bar { from: (f64, f64), to: (f64, f64), fill: Fill, colour: Colour },
    /// A pale polygon with these corners.
    Area { points: Vec<(f64, f64)>, colour: Colour },
    /// A text.
    Text(Label),
}

/// What a bar is filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::report) enum Fill {
    /// Its colour, paler than its edge.
    Pale,
    /// The same with a line that goes up and down along its lower edge.
    Zigzag,
    /// So much of its colour, in percent, without an edge.
    Tint(u8),
    /// Nothing.
    Empty,
}

impl Fill {
    /// How much higher than the middle of a bar a text stands, for its line.
    pub(super) fn lift(self) -> f64 {
        if self == Fill::Zigzag { 4.0 } else { 0.0 }
    }
}

/// A chart, 1200 wide.
#[derive(Clone, Debug)]
pub(in crate::report) struct Figure {
    /// Up to here something is drawn.
    pub(in crate::report) height: f64,
    /// Its title, whole.
    pub(in crate::report) title: String,
    /// What it shows, with the main numbers, in sentences: for whoever cannot see it.
    pub(in crate::report) told: Vec<String>,
    pub(in crate::report) marks: Vec<Mark>,
}

/// Width of every figure, and of the margin on its left and right.
pub(in crate::report) const WIDTH: f64 = 1200.0;
pub(super) const MARGIN: f64 = 30.0;

/// Most rows of a title, and of the line below it.
const TITLE_ROWS: usize = 4;
const BELOW_ROWS: usize = 4;

impl Figure {
    /// A chart with its title and a subtitle, and nothing below them.
    pub(super) fn new(title: &str, below: &str) -> Self {
        let whole = crate::shown::shown(title).into_owned();
        let told = vec![crate::shown::shown(below).into_owned()];
        let mut figure = Self { height: 36.0, title: whole, told, marks: Vec::new() };
        let room = WIDTH - 2.0 * MARGIN;
        for line in style::wrapped_to(TITLE_ROWS, title, room, size::TITLE, true) {
            let at = (MARGIN, figure.height);
            figure.label(at, &line, size::TITLE, Align::Right, style::INK).bold = true;
            figure.height += row::TITLE;
        }
        figure.height -= 2.0;
        for line in style::wrapped_to(BELOW_ROWS, below, room, size::TEXT, false) {
            figure.text((MARGIN, figure.height), &line, Align::Right, style::QUIET);
            figure.height += row::TEXT;
        }
        figure.height -= 8.0;
        figure
    }

    /// Adds a sentence to what the chart tells in words.
    pub(super) fn tell(&mut self, sentence: String) {
        self.told.push(crate::shown::shown(&sentence).into_owned());
    }

    /// Adds a text in rows, the middle of the first at the point; the answer is how many there are.
    pub(super) fn rows(
        &mut self,
        (x, y): (f64, f64),
        rows: &[String],
        lean: Align,
        bold: bool,
    ) -> usize {
        for (index, line) in rows.iter().enumerate() {
            let at = (x, y + row::TEXT * index as f64);
            self.text(at, line, lean, style::INK).bold = bold;
        }
        rows.len()
    }

    /// Adds a text in the middle of an axis, in as many rows as it needs up to two, and makes room.
    pub(super) fn axis_label(&mut self, (x, room): (f64, f64), text: &str) {
        for line in style::wrapped_to(2, text, room, size::TEXT, false) {
            self.text((x, self.height + 14.0), &line, Align::Middle, style::INK);
            self.height += row::TEXT;
        }
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
            self.line(&[(x, top), (x, bottom)], stroke::RULE, style::RULE);
            self.text((x, bottom + below), &write(tick), Align::Middle, style::QUIET);
        }
    }

    /// Adds a line from point to point.
    pub(super) fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) {
        self.marks.push(Mark::Line { points: points.to_vec(), width, dashed: false, colour });
    }

    /// Adds a bar.
    pub(super) fn bar(&mut self, from: (f64, f64), to: (f64, f64), fill: Fill, colour: Colour) {
        self.marks.push(Mark::Bar { from, to, fill, colour });
    }

    /// Adds a dashed line.
    pub(super) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Colour) {
        self.marks.push(Mark::Line { points: vec![from, to], width, dashed: true, colour });
    }

    /// Adds a published figure: a ring, wide enough to be seen around a dot.
    pub(super) fn ring(&mut self, at: (f64, f64)) {
        self.marks.push(Mark::Dot { at, radius: 10.0, hollow: true, colour: style::INK });
    }

    /// Adds a simulated figure: a dot.
    pub(super) fn dot(&mut self, at: (f64, f64)) {
        self.dot_of(at, style::BLUE);
    }

    /// Adds a dot of a colour.
    pub(super) fn dot_of(&mut self, at: (f64, f64), colour: Colour) {
        self.marks.push(Mark::Dot { at, radius: 6.5, hollow: false, colour });
    }
}
