//! `*.svg` and `*.png`: figures into files, by the backends of plotters.
//!
//! It does not decide what a chart shows. An SVG follows the page or the program that shows it, light
//! or dark, and says what it shows in words; it has no ids, so that several can stand in one page. It needs
//! no font: the viewer has one. The PNG is `png.rs`.

#[cfg(feature = "charts")]
mod png;

use super::charts::figure::{Align, Figure, Fill, Label, Mark, Symbol, WIDTH};
use super::charts::style::{self, Colour, PALE, PALETTE, stroke};
use super::parts::{File, Part, Report};
use crate::parallel::*;
use anyhow::{Result, anyhow};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontFamily,
    FontStyle,
};
use plotters_svg::SVGBackend;
use std::borrow::Borrow;

/// The family asked for. In an SVG the viewer looks for the names one by one.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Two files for each figure, by its name; without the feature `charts` one.
pub(super) fn files(part: &Part, _: &dyn Report) -> Result<Vec<File>> {
    let Part::Charts(figures) = part else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    draw_each(figures.iter().map(|(name, figure)| (name, figure)), |file| {
        files.push(file);
        Ok(())
    })?;
    Ok(files)
}

/// The same, the files of a few figures, which are drawn side by side, passed on before the next are made.
pub(super) fn draw_each<N: AsRef<str> + Sync, F: Borrow<Figure> + Sync>(
    figures: impl IntoIterator<Item = (N, F)>,
    mut keep: impl FnMut(File) -> Result<()>,
) -> Result<()> {
    /// How many are drawn at once: each takes some megabytes.
    const AT_ONCE: usize = 8;
    let draw = |(name, figure): &(N, F)| drawn(name.as_ref(), figure.borrow());
    let mut figures = figures.into_iter();
    loop {
        let some: Vec<(N, F)> = figures.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        let all: Vec<Result<Vec<File>>> = some.par_iter().map(draw).collect();
        for files in all {
            files?.into_iter().try_for_each(&mut keep)?;
        }
    }
}

/// A figure in every format that there is.
fn drawn(name: &str, figure: &Figure) -> Result<Vec<File>> {
    let of = |format: &str, bytes: Vec<u8>| File::new(&format!("{name}.{format}"), bytes);
    let svg = of("svg", svg(figure)?.into_bytes());
    #[cfg(feature = "charts")]
    return Ok(vec![svg, of("png", png::png(figure)?)]);
    #[cfg(not(feature = "charts"))]
    Ok(vec![svg])
}

/// The figure as one `svg` element, to stand alone or within a page.
pub(in crate::report) fn svg(figure: &Figure) -> Result<String> {
    let mut text = String::new();
    let size = (WIDTH as u32, figure.height as u32);
    Canvas { backend: SVGBackend::with_string(&mut text, size), scale: 1.0, drop: 0.0, write }
        .paint(figure)?;
    let rest = text.strip_prefix("<svg ").ok_or_else(|| anyhow!("an SVG starts otherwise"))?;
    let (attributes, marks) = rest.split_once('>').ok_or_else(|| anyhow!("an SVG has no tag"))?;
    let title = escaped(&figure.title);
    let told = figure.told.iter().filter(|sentence| !sentence.is_empty());
    let told: Vec<String> = told.map(|sentence| escaped(sentence)).collect();
    Ok(format!(
        "<svg class=\"{CLASS}\" role=\"img\" {attributes}>\n<title>{title}</title>\n\
         <desc>{}</desc>\n<style>{}</style>{marks}",
        told.join("\n"),
        dark(),
    ))
}

/// The class of our `svg` elements: their colours are no other's.
const CLASS: &str = "slicewise-chart";

/// The rules that give each colour its twin, where a screen is dark.
fn dark() -> String {
    let hex = |(red, green, blue): (u8, u8, u8)| format!("#{red:02X}{green:02X}{blue:02X}");
    let rule = |colour: &Colour| {
        let (light, dark) = (hex(colour.light), hex(colour.dark));
        let of = |part: &str| format!(".{CLASS} [{part}=\"{light}\"]{{{part}:{dark}}}");
        of("fill") + &of("stroke")
    };
    let rules: String = PALETTE.iter().map(rule).collect();
    format!("@media screen and (prefers-color-scheme:dark){{{rules}}}")
}

/// A text within an element; it has no characters that XML forbids (`shown`).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The lettering of an SVG: who shows it measures and draws the letters.
struct Lettering<'a>(&'a Label);

impl BackendTextStyle for Lettering<'_> {
    type FontError = std::fmt::Error;

    fn color(&self) -> BackendColor {
        solid(self.0.colour)
    }

    fn size(&self) -> f64 {
        /// What the backend takes for the height of a line of letters of size 1.
        const LINE: f64 = 1.24;
        self.0.size * LINE
    }

    fn style(&self) -> FontStyle {
        if self.0.bold { FontStyle::Bold } else { FontStyle::Normal }
    }

    fn anchor(&self) -> Pos {
        leaning(self.0.lean)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(FAMILY)
    }

    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Self::FontError> {
        Err(std::fmt::Error)
    }

    fn draw<E, F: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: (i32, i32),
        _: F,
    ) -> Result<Result<(), E>, Self::FontError> {
        Err(std::fmt::Error)
    }
}

type Drawn<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A label put where it belongs.
fn write<'a>(backend: &mut SVGBackend<'a>, label: &Label, at: (i32, i32)) -> Drawn<SVGBackend<'a>> {
    backend.draw_text(&label.text, &Lettering(label), at)
}

/// Where the letters of a text are, seen from its place.
fn leaning(lean: Align) -> Pos {
    let lean = match lean {
        Align::Right => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Left => HPos::Right,
    };
    Pos::new(lean, VPos::Center)
}

fn solid(colour: Colour) -> BackendColor {
    BackendColor { alpha: 1.0, rgb: colour.light }
}

/// A line of a colour.
struct Pen(BackendColor, u32);

impl BackendStyle for Pen {
    fn color(&self) -> BackendColor {
        self.0
    }

    fn stroke_width(&self) -> u32 {
        self.1
    }
}

/// What is drawn on: `scale` pixels for each of the figure's. Texts are written by `write`, which differs
/// from format to format.
struct Canvas<B: DrawingBackend, W: Fn(&mut B, &Label, (i32, i32)) -> Drawn<B>> {
    backend: B,
    scale: f64,
    /// How much lower a text must stand for its small letters to be in the middle, over their size.
    drop: f64,
    write: W,
}

impl<B: DrawingBackend, W: Fn(&mut B, &Label, (i32, i32)) -> Drawn<B>> Canvas<B, W> {
    /// Puts every mark onto it.
    fn paint(mut self, figure: &Figure) -> Result<()> {
        self.put(figure).map_err(|error| anyhow!("cannot draw: {error}"))
    }

    fn put(&mut self, figure: &Figure) -> Drawn<B> {
        self.backend.ensure_prepared()?;
        let (width, height) = self.backend.get_size();
        let all = (width as i32, height as i32);
        self.backend.draw_rect((0, 0), all, &solid(style::PAPER), true)?;
        for mark in &figure.marks {
            match mark {
                Mark::Line { points, width, dashed, colour } => {
                    self.line(points, *width, *dashed, *colour)?
                }
                Mark::Dot { at, radius, hollow, colour } => {
                    self.dot(*at, *radius, *hollow, *colour)?
                }
                Mark::Symbol { at, radius, sign, hollow, colour } => {
                    self.sign(*at, *radius, *sign, *hollow, *colour)?
                }
                Mark::Bar { from, to, fill, colour } => self.bar(*from, *to, *fill, *colour)?,
                Mark::Area { points, colour } => self.area(points, *colour)?,
                Mark::Text(label) => {
                    let at = self.pixel((label.at.0, label.at.1 + self.drop * label.size));
                    (self.write)(&mut self.backend, label, at)?
                }
            }
        }
        self.backend.present()
    }

    /// The pixel of a place, or the nearest that there is.
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let (width, height) = self.backend.get_size();
        let within = |of: f64, most: u32| ((of * self.scale).round() as i32).clamp(0, most as i32);
        (within(x, width), within(y, height))
    }

    fn size(&self, length: f64) -> u32 {
        ((length * self.scale).round() as u32).max(1)
    }

    fn line(
        &mut self,
        points: &[(f64, f64)],
        width: f64,
        dashed: bool,
        colour: Colour,
    ) -> Drawn<B> {
        let pen = Pen(solid(colour), self.size(width));
        let points: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        if !dashed {
            return self.backend.draw_path(points, &pen);
        }
        let (on, off) = stroke::DASH;
        for dash in dashes(&points, self.size(on) as f32, self.size(off) as f32) {
            self.backend.draw_path(dash, &pen)?;
        }
        Ok(())
    }

    fn dot(&mut self, at: (f64, f64), radius: f64, hollow: bool, colour: Colour) -> Drawn<B> {
        let (at, width) = (self.pixel(at), stroke::RING);
        let (outer, inner) = (self.size(radius), self.size(radius - width));
        self.backend.draw_circle(at, outer, &solid(colour), true)?;
        if hollow {
            self.backend.draw_circle(at, inner, &solid(style::PAPER), true)?;
        }
        Ok(())
    }

    fn sign(
        &mut self,
        at: (f64, f64),
        radius: f64,
        sign: Symbol,
        hollow: bool,
        colour: Colour,
    ) -> Drawn<B> {
        if sign == Symbol::Circle {
            return self.dot(at, radius, hollow, colour);
        }
        let corners = |radius: f64| -> Vec<_> {
            let corners = sign.corners().iter();
            corners.map(|(x, y)| self.pixel((at.0 + x * radius, at.1 + y * radius))).collect()
        };
        let (outer, inner) = (corners(radius), corners(radius * 0.5));
        self.backend.fill_polygon(outer, &solid(colour))?;
        if hollow {
            self.backend.fill_polygon(inner, &solid(style::PAPER))?;
        }
        Ok(())
    }

    fn bar(&mut self, from: (f64, f64), to: (f64, f64), fill: Fill, colour: Colour) -> Drawn<B> {
        let (first, last) = (self.pixel(from), self.pixel(to));
        let part = match fill {
            Fill::Empty => 0.0,
            Fill::Pale | Fill::Zigzag => PALE,
            Fill::Tint(percent) => f64::from(percent) / 100.0,
        };
        let corner = |of: fn(i32, i32) -> i32| (of(first.0, last.0), of(first.1, last.1));
        let inside = solid(colour).mix(part);
        self.backend.draw_rect(corner(i32::min), corner(i32::max), &inside, true)?;
        if matches!(fill, Fill::Tint(_)) {
            return Ok(());
        }
        if fill == Fill::Zigzag {
            // Along the lower edge, so that a text above it can be read.
            const STEP: f64 = 5.0;
            let steps = ((to.0 - from.0) / STEP) as usize;
            let height = |step: usize| to.1 - if step.is_multiple_of(2) { 3.0 } else { 10.0 };
            let points = (0..=steps).map(|step| (from.0 + STEP * step as f64, height(step)));
            self.line(&points.collect::<Vec<_>>(), stroke::RULE, false, colour)?;
        }
        let edge = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&edge, stroke::AXIS, false, colour)
    }

    fn area(&mut self, points: &[(f64, f64)], colour: Colour) -> Drawn<B> {
        let points: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        self.backend.fill_polygon(points, &solid(colour).mix(PALE))
    }
}

/// The dashes of a line, each with the corners that it goes round: as plotters cuts them, whose own are not
/// there without a font.
fn dashes(points: &[(i32, i32)], on: f32, off: f32) -> Vec<Vec<(i32, i32)>> {
    let exact = |point: (i32, i32)| (point.0 as f32, point.1 as f32);
    let pixel = |(x, y): (f32, f32)| (x.round() as i32, y.round() as i32);
    let Some((first, rest)) = points.split_first() else { return Vec::new() };
    let (mut at, mut gone, mut is_on) = (exact(*first), 0.0, true);
    let (mut all, mut dash) = (Vec::new(), vec![*first]);
    for end in rest.iter().map(|point| exact(*point)) {
        while at != end {
            let (dx, dy) = (end.0 - at.0, end.1 - at.1);
            let far = dx.hypot(dy);
            let length = if is_on { on } else { off };
            let left = length - gone;
            if left < far {
                let part = left / far;
                at = (at.0 + dx * part, at.1 + dy * part);
                gone += left;
            } else {
                at = end;
                gone += far;
            }
            if is_on {
                dash.push(pixel(at));
            }
            if length <= gone {
                match is_on {
                    true => all.push(std::mem::take(&mut dash)),
                    false => dash.push(pixel(at)),
                }
                (gone, is_on) = (0.0, !is_on);
            }
        }
    }
    if dash.len() > 1 {
        all.push(dash);
    }
    all
}

#[cfg(all(test, feature = "charts"))]
mod tests;
