//! `*.png`: light, twice the figure's resolution, so that it is sharp where the SVG cannot be used, and with a
//! font of our own.

use super::{Canvas, FAMILY, leaning, solid};
use crate::report::charts::figure::{Align, Figure, Label, Mark, WIDTH};
use crate::report::charts::style;
use anyhow::{Result, anyhow};
use plotters::backend::BitMapBackend;
use plotters::style::{FontDesc, FontFamily, FontStyle, TextStyle, register_font};
use plotters_backend::DrawingBackend;

pub(super) const REGULAR: &[u8] = include_bytes!("../fonts/DejaVuSans.subset.ttf");
pub(super) const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSans-Bold.subset.ttf");

/// The size of a font, which is its ascent and descent together, over the size of the letters.
pub(super) const SIZE: f64 = 1.164;

/// How much lower a text must stand for its small letters to be in the middle, over their size.
const DROP: f64 = 0.17;

pub(super) fn png(figure: &Figure) -> Result<Vec<u8>> {
    const SCALE: f64 = 2.0;
    for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
        register_font(FAMILY, style, bytes)
            .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    }
    let figure = &in_our_letters(figure);
    let size = ((WIDTH * SCALE) as u32, (figure.height * SCALE) as u32);
    let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
    let write = |backend: &mut BitMapBackend<'_>, label: &Label, at| {
        let style = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(FAMILY), label.size * SCALE * SIZE, style);
        let style = TextStyle { font, color: solid(label.colour), pos: leaning(label.lean) };
        backend.draw_text(&label.text, &style, at)
    };
    let backend = BitMapBackend::with_buffer(&mut pixels, size);
    Canvas { backend, scale: SCALE, drop: DROP, write }.paint(figure)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

/// The letters that the built-in font has, from one to another: Latin with accents of the West, Greek, some
/// signs. A viewer of the SVG has others.
pub(super) const LETTERS: [(char, char); 20] = [
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

pub(super) fn has(letter: char) -> bool {
    LETTERS.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// The figure with a question mark for each letter that the font has not, which would be an empty box; a
/// line at the bottom says so once. What only changes the letter before it, such as an accent of its own
/// or what chooses the look of an emoji, goes without.
pub(super) fn in_our_letters(figure: &Figure) -> Figure {
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
