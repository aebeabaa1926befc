//! `*.svg` and `*.png`: figures into files, by plotters with a font of our own.
//!
//! It does not decide what a chart shows. An SVG follows the page or the program that shows it, light
//! or dark, and says what it shows in words; it has no ids, so that several can stand in one page.
//! The PNG is light and has twice the figure's resolution, so that it is sharp where the SVG cannot
//! be used.

use super::charts::figure::{Align, Figure, Fill, Label, Mark, Symbol, WIDTH};
use super::charts::style::{self, Colour, PALE, PALETTE, stroke};
use super::parts::{File, Part, Report};
use crate::parallel::*;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::borrow::Borrow;

/// The family asked for. In an SVG the viewer looks for the names one by one.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

const REGULAR: &[u8] = include_bytes!("fonts/DejaVuSans.subset.ttf");
const BOLD: &[u8] = include_bytes!("fonts/DejaVuSans-Bold.subset.ttf");

/// What plotters makes of a font's size and of a text's middle; it differs between its backends.
#[derive(Clone, Copy)]
struct Letters {
    /// Its size over the size of the letters.
    size: f64,
    /// How much lower a text must stand for its small letters to be in the middle, over their size.
    drop: f64,
}

const SVG: Letters = Letters { size: 1.24, drop: 0.0 };
/// Here a size is the font's ascent and descent together.
const BITMAP: Letters = Letters { size: 1.164, drop: 0.17 };

/// Two files for each figure, by its name.
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
    for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
        register_font(FAMILY, style, bytes)
            .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    }
    /// How many are drawn at once: each takes some megabytes.
    const AT_ONCE: usize = 8;
    let draw = |(name, figure): &(N, F)| -> Result<[File; 2]> {
        let (name, figure) = (name.as_ref(), figure.borrow());
        let of = |format: &str, bytes: Vec<u8>| File::new(&format!("{name}.{format}"), bytes);
        Ok([of("svg", svg(figure)?.into_bytes()), of("png", png(figure)?)])
    };
    let mut figures = figures.into_iter();
    loop {
        let some: Vec<(N, F)> = figures.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        let drawn: Vec<Result<[File; 2]>> = some.par_iter().map(draw).collect();
        for files in drawn {
            files?.into_iter().try_for_each(&mut keep)?;
        }
    }
}

/// The figure as one `svg` element, to stand alone or within a page.
pub(in crate::report) fn svg(figure: &Figure) -> Result<String> {
    let mut text = String::new();
    let size = (WIDTH as u32, figure.height as u32);
    paint(figure, &SVGBackend::with_string(&mut text, size).into_drawing_area(), 1.0, SVG)?;
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

fn png(figure: &Figure) -> Result<Vec<u8>> {
    const SCALE: f64 = 2.0;
    let figure = &in_our_letters(figure);
    let size = ((WIDTH * SCALE) as u32, (figure.height * SCALE) as u32);
    let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
    paint(
        figure,
        &BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(),
        SCALE,
        BITMAP,
    )?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

/// The letters that the built-in font has, from one to another: Latin with accents of the West, Greek, some
/// signs. A viewer of the SVG has others.
const LETTERS: [(char, char); 20] = [
    (' ', '~'),
    ('\u{a0}', '\u{ff}'),
    ('\u{391}', '\u{3a1}'),
    ('\u{3a3}', '\u{3c9}'),
    ('\u{2010}', '\u{2015}'),
    ('\u{2018}', '\u{201e}'),
    ('\u{2022}', '\u{2022}'),
    ('\u{2026}', '\u{2026}'),
    ('\u{2030}', '\u{2030}'),
    ('\u{2032}', '\u{2033}'),
    ('\u{20ac}', '\u{20ac}'),
    ('\u{2153}', '\u{2153}'),
    ('\u{2190}', '\u{2194}'),
    ('\u{2212}', '\u{2212}'),
    ('\u{2248}', '\u{2248}'),
    ('\u{2260}', '\u{2260}'),
    ('\u{2264}', '\u{2265}'),
    ('\u{25c6}', '\u{25c7}'),
    ('\u{25cb}', '\u{25cb}'),
    ('\u{25cf}', '\u{25cf}'),
];

fn has(letter: char) -> bool {
    LETTERS.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// The figure with a question mark for each letter that the font has not, which would be an empty box; a
/// line at the bottom says so once. What only changes the letter before it, such as an accent of its own
/// or what chooses the look of an emoji, goes without.
fn in_our_letters(figure: &Figure) -> Figure {
    /// The height of that line.
    const ROW: f64 = 36.0;
    let changes = |letter: &char| {
        matches!(letter, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}')
    };
    let mut own = figure.clone();
    let mut lacks = false;
    for mark in &mut own.marks {
        let Mark::Text(label) = mark else { continue };
        if label.text.chars().all(has) {
            continue;
        }
        let letters = label.text.chars().filter(|letter| !changes(letter));
        label.text = letters.map(|letter| if has(letter) { letter } else { '?' }).collect();
        lacks |= label.text.contains('?');
    }
    if lacks {
        let text =
            "?: a letter that is missing in the font of this picture; the SVG has it".to_string();
        let (at, lean) = ((30.0, own.height + ROW / 2.0 - 6.0), Align::Right);
        let (size, colour) = (style::size::TEXT, style::QUIET);
        own.marks.push(Mark::Text(Label { at, text, size, bold: false, lean, colour }));
        own.height += ROW;
    }
    own
}

/// Puts every mark onto the canvas, `scale` pixels for each of the figure's.
fn paint<B: DrawingBackend>(
    figure: &Figure,
    area: &DrawingArea<B, Shift>,
    scale: f64,
    letters: Letters,
) -> Result<()> {
    let canvas = Canvas { area, scale, letters };
    area.fill(&rgb(style::PAPER)).map_err(failed)?;
    for mark in &figure.marks {
        match mark {
            Mark::Line { points, width, dashed, colour } => {
                canvas.line(points, *width, *dashed, *colour)?
            }
            Mark::Dot { at, radius, hollow, colour } => {
                canvas.dot(*at, *radius, *hollow, *colour)?
            }
            Mark::Symbol { at, radius, sign, hollow, colour } => {
                canvas.sign(*at, *radius, *sign, *hollow, *colour)?
            }
            Mark::Bar { from, to, fill, colour } => canvas.bar(*from, *to, *fill, *colour)?,
            Mark::Area { points, colour } => canvas.area(points, *colour)?,
            Mark::Text(label) => canvas.text(label)?,
        }
    }
    area.present().map_err(failed)
}

struct Canvas<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    scale: f64,
    letters: Letters,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn size(&self, length: f64) -> u32 {
        ((length * self.scale).round() as u32).max(1)
    }

    fn line(&self, points: &[(f64, f64)], width: f64, dashed: bool, colour: Colour) -> Result<()> {
        let style = rgb(colour).stroke_width(self.size(width));
        let points = points.iter().map(|point| self.pixel(*point));
        if dashed {
            let line = DashedPathElement::new(
                points,
                self.size(stroke::DASH.0) as i32,
                self.size(stroke::DASH.1) as i32,
                style,
            );
            return self.area.draw(&line).map_err(failed);
        }
        self.area.draw(&PathElement::new(points.collect::<Vec<_>>(), style)).map_err(failed)
    }

    fn dot(&self, at: (f64, f64), radius: f64, hollow: bool, colour: Colour) -> Result<()> {
        let (at, width) = (self.pixel(at), stroke::RING);
        let outer = Circle::new(at, self.size(radius), rgb(colour).filled());
        self.area.draw(&outer).map_err(failed)?;
        if hollow {
            let inner = Circle::new(at, self.size(radius - width), rgb(style::PAPER).filled());
            self.area.draw(&inner).map_err(failed)?;
        }
        Ok(())
    }

    fn sign(
        &self,
        at: (f64, f64),
        radius: f64,
        sign: Symbol,
        hollow: bool,
        colour: Colour,
    ) -> Result<()> {
        if sign == Symbol::Circle {
            return self.dot(at, radius, hollow, colour);
        }
        let corners = |radius: f64| {
            let corners = sign.corners().iter();
            corners.map(|(x, y)| self.pixel((at.0 + x * radius, at.1 + y * radius))).collect()
        };
        let outer: Vec<_> = corners(radius);
        self.area.draw(&Polygon::new(outer, rgb(colour).filled())).map_err(failed)?;
        if hollow {
            let inner: Vec<_> = corners(radius * 0.5);
            self.area.draw(&Polygon::new(inner, rgb(style::PAPER).filled())).map_err(failed)?;
        }
        Ok(())
    }

    fn bar(&self, from: (f64, f64), to: (f64, f64), fill: Fill, colour: Colour) -> Result<()> {
        let (first, last) = (self.pixel(from), self.pixel(to));
        let part = match fill {
            Fill::Empty => 0.0,
            Fill::Pale | Fill::Zigzag => PALE,
            Fill::Tint(percent) => f64::from(percent) / 100.0,
        };
        let inside = Rectangle::new([first, last], rgb(colour).mix(part).filled());
        self.area.draw(&inside).map_err(failed)?;
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

    fn area(&self, points: &[(f64, f64)], colour: Colour) -> Result<()> {
        let points: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        let band = Polygon::new(points, rgb(colour).mix(PALE).filled());
        self.area.draw(&band).map_err(failed)
    }

    fn text(&self, label: &Label) -> Result<()> {
        let style = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
        let lean = match label.lean {
            Align::Right => HPos::Left,
            Align::Middle => HPos::Center,
            Align::Left => HPos::Right,
        };
        let (font_size, colour) = (label.size * self.scale * self.letters.size, rgb(label.colour));
        let font = FontDesc::new(FontFamily::Name(FAMILY), font_size, style);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(lean, VPos::Center));
        let at = (label.at.0, label.at.1 + self.letters.drop * label.size);
        let text = Text::new(label.text.clone(), self.pixel(at), style);
        self.area.draw(&text).map_err(failed)
    }
}

fn rgb(colour: Colour) -> RGBColor {
    let (red, green, blue) = colour.light;
    RGBColor(red, green, blue)
}

/// The error of the canvas, whose type differs from backend to backend.
fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests;
