//! `*.svg` and `*.png`: figures into files, by plotters with a font of our own.
//!
//! It does not decide what a chart shows. The PNG has twice the figure's resolution, so that it is
//! sharp where the SVG cannot be used.

use super::charts;
use super::charts::figure::{Align, Colour, Figure, Label, Mark, Symbol, WIDTH};
use super::parts::{File, Part, Report};
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

/// The same, each file passed on before the next is made.
pub(super) fn draw_each<N: AsRef<str>, F: Borrow<Figure>>(
    figures: impl IntoIterator<Item = (N, F)>,
    mut keep: impl FnMut(File) -> Result<()>,
) -> Result<()> {
    for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
        register_font(FAMILY, style, bytes)
            .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    }
    for (name, figure) in figures {
        let name = name.as_ref();
        keep(File::new(&format!("{name}.svg"), svg(figure.borrow())?))?;
        keep(File::new(&format!("{name}.png"), png(figure.borrow())?))?;
    }
    Ok(())
}

/// The figure as one `svg` element, to stand alone or within a page.
pub(in crate::report) fn svg(figure: &Figure) -> Result<String> {
    let mut text = String::new();
    let size = (WIDTH as u32, figure.height as u32);
    paint(figure, &SVGBackend::with_string(&mut text, size).into_drawing_area(), 1.0, SVG)?;
    Ok(text)
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
        let (size, colour) = (charts::figure::size::TEXT, charts::figure::colour::QUIET);
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
    area.fill(&WHITE).map_err(failed)?;
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
                self.size(11.0) as i32,
                self.size(7.0) as i32,
                style,
            );
            return self.area.draw(&line).map_err(failed);
        }
        self.area.draw(&PathElement::new(points.collect::<Vec<_>>(), style)).map_err(failed)
    }

    fn dot(&self, at: (f64, f64), radius: f64, hollow: bool, colour: Colour) -> Result<()> {
        let (at, width) = (self.pixel(at), 3.0);
        let outer = Circle::new(at, self.size(radius), rgb(colour).filled());
        self.area.draw(&outer).map_err(failed)?;
        if hollow {
            let inner = Circle::new(at, self.size(radius - width), WHITE.filled());
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
            self.area.draw(&Polygon::new(inner, WHITE.filled())).map_err(failed)?;
        }
        Ok(())
    }

    fn area(&self, points: &[(f64, f64)], colour: Colour) -> Result<()> {
        let points: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        let band = Polygon::new(points, rgb(colour).mix(0.2).filled());
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

fn rgb((red, green, blue): Colour) -> RGBColor {
    RGBColor(red, green, blue)
}

/// The error of the canvas, whose type differs from backend to backend.
fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    /// Left, top, right and bottom of a label, by the font's own measure.
    fn bounds(label: &Label) -> (f64, f64, f64, f64) {
        let style = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(FAMILY), label.size * BITMAP.size, style);
        let (width, _) = font.box_size(&label.text).unwrap();
        let (x, y) = label.at;
        let left = match label.lean {
            Align::Right => x,
            Align::Middle => x - f64::from(width) / 2.0,
            Align::Left => x - f64::from(width),
        };
        let half = label.size * 0.5;
        (left, y - half, left + f64::from(width), y + half)
    }

    /// What the tables of characters of both fonts say (`cmap`, format 4: ends, a blank, starts of ranges).
    #[test]
    fn the_letters_are_those_of_the_fonts() {
        for font in [REGULAR, BOLD] {
            let word = |at: usize| usize::from(u16::from_be_bytes([font[at], font[at + 1]]));
            let long = |at: usize| word(at) << 16 | word(at + 2);
            let table = (0..word(4)).map(|index| 12 + 16 * index);
            let table = table.into_iter().find(|at| &font[*at..at + 4] == b"cmap").unwrap();
            let table = long(table + 8);
            let ranges = table + long(table + 8);
            assert_eq!(word(ranges), 4);
            let twice = word(ranges + 6);
            let known: Vec<(u32, u32)> = (0..twice / 2)
                .map(|index| (word(ranges + 16 + twice + 2 * index), word(ranges + 14 + 2 * index)))
                .filter(|(first, _)| *first != 0xffff)
                .map(|(first, last)| (first as u32, last as u32))
                .collect();
            let is_known = |letter: u32| known.iter().any(|(a, b)| (*a..=*b).contains(&letter));
            for letter in (0..0x1_0000).filter_map(char::from_u32) {
                assert_eq!(has(letter), is_known(letter as u32), "U+{:04X}", letter as u32);
            }
        }
    }

    /// Emoji, Hebrew and Chinese become question marks, told once, and all else stays.
    #[test]
    fn letters_that_the_font_has_not_are_told() {
        let mut sweep = fixture::sweep();
        sweep.sweep.title =
            "Zürich \u{1f600}\u{fe0f}, \u{5d0}\u{5d1}, \u{6771}, e\u{301}".to_string();
        let (_, figure) = charts::sweep_figures(&sweep).next().unwrap();
        let own = in_our_letters(&figure);
        let texts = own.marks.iter().filter_map(|mark| match mark {
            Mark::Text(label) => Some(label.text.as_str()),
            _ => None,
        });
        let texts: Vec<&str> = texts.collect();
        assert!(texts.iter().any(|text| text.contains("Zürich ?, ??, ?, e")), "{texts:?}");
        let told = texts.iter().filter(|text| text.contains("missing in the font of this picture"));
        assert_eq!((told.count(), own.height), (1, figure.height + 36.0));
        assert!(svg(&figure).unwrap().contains('\u{1f600}'));
        let plain = charts::sweep_figures(&fixture::sweep()).next().unwrap().1;
        assert_eq!(in_our_letters(&plain).height, plain.height);
    }

    #[test]
    fn strange_figures_are_drawn_or_left_out() {
        for value in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e9] {
            let mut results = fixture::pairs();
            for run in &mut results.runs {
                run.vms[0].latency_ms.p99 = value;
                run.vms[0].completed_per_s = value;
            }
            for comparison in &mut results.comparisons {
                comparison.capacity_ratio = value;
            }
            assert!(results.files().is_ok());
            let mut sweep = fixture::sweep();
            for group in sweep.points.iter_mut().flat_map(|point| &mut point.groups) {
                group.p99_ms.mean = value;
                group.completed_per_s.mean = value;
            }
            assert!(draw_each(charts::sweep_figures(&sweep), |_| Ok(())).is_ok());
        }
    }

    #[test]
    fn no_label_is_cut_off_or_covers_another() {
        fixture::pairs().files().unwrap();
        let pairs = charts::figures(&fixture::pairs());
        let pairs = pairs.into_iter();
        let sweeps = [fixture::sweep(), fixture::long_names(), fixture::words()];
        let sweeps = sweeps.iter().flat_map(charts::sweep_figures);
        {
            for (name, figure) in pairs.chain(sweeps) {
                let labels = figure.marks.iter().filter_map(|mark| match mark {
                    Mark::Text(label) => Some((bounds(label), &label.text)),
                    _ => None,
                });
                let labels: Vec<_> = labels.collect();
                for (index, (a, text)) in labels.iter().enumerate() {
                    let inside = a.0 >= 0.0 && a.1 >= 0.0 && a.2 <= WIDTH && a.3 <= figure.height;
                    assert!(inside, "{name}: \"{text}\" is cut off: {a:?}");
                    for (b, other) in &labels[..index] {
                        let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                        assert!(apart, "{name}: \"{text}\" covers \"{other}\"");
                    }
                }
            }
        }
    }
}
