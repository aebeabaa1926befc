//! The look of every chart, in one place: colours for light and dark paper, sizes of letters, strokes.
//!
//! Charts take from here; `plot` writes the twins of the colours into an SVG, so that one file suits
//! light and dark pages.

/// A colour on white paper, as red, green and blue, and its twin on dark paper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::report) struct Colour {
    pub(in crate::report) light: (u8, u8, u8),
    pub(in crate::report) dark: (u8, u8, u8),
}

const fn colour(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Colour {
    Colour { light, dark }
}

/// What all is drawn on.
pub(in crate::report) const PAPER: Colour = colour((255, 255, 255), (24, 26, 29));
/// Texts, and what was measured.
pub(in crate::report) const INK: Colour = colour((34, 34, 34), (230, 230, 230));
/// Texts of less weight.
pub(in crate::report) const QUIET: Colour = colour((90, 90, 90), (176, 176, 176));
/// Lines of a grid, which no reader needs.
pub(in crate::report) const RULE: Colour = colour((222, 222, 222), (62, 66, 71));
/// What was simulated.
pub(in crate::report) const BLUE: Colour = colour((0, 84, 158), (80, 156, 240));
/// Bounds, and what is beyond them.
pub(in crate::report) const VERMILION: Colour = colour((192, 56, 0), (255, 128, 80));
pub(in crate::report) const GREEN: Colour = colour((0, 140, 84), (70, 205, 140));
pub(in crate::report) const PURPLE: Colour = colour((158, 64, 140), (214, 136, 214));
pub(in crate::report) const ORANGE: Colour = colour((196, 128, 0), (245, 205, 90));
pub(in crate::report) const SKY: Colour = colour((62, 150, 206), (165, 220, 250));
pub(in crate::report) const GREY: Colour = colour((120, 120, 120), (140, 146, 152));

/// Every colour there is. After the palette of Okabe and Ito (2008), darker on white, so that people
/// with colour blindness can tell them apart and each line has 3:1 against the paper (WCAG 2.1).
pub(in crate::report) const PALETTE: [Colour; 11] =
    [PAPER, INK, QUIET, RULE, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY];

/// The colours that texts may have: 4.5:1 against the paper.
#[cfg_attr(not(test), allow(dead_code))]
pub(in crate::report) const OF_TEXT: [Colour; 4] = [INK, QUIET, BLUE, VERMILION];

/// How much of its colour an area has; the rest is paper.
pub(in crate::report) const PALE: f64 = 0.25;

/// The same of the palest and the strongest cell of a table of colours, in percent.
pub(in crate::report) const HEAT: (f64, f64) = (6.0, 50.0);

/// Font sizes. The smallest is readable when the chart is shown at half its size.
pub(in crate::report) mod size {
    pub(in crate::report) const TITLE: f64 = 32.0;
    pub(in crate::report) const HEAD: f64 = 24.0;
    pub(in crate::report) const TEXT: f64 = 22.0;
}

/// From row to row of texts of these sizes.
pub(super) mod row {
    pub(in crate::report::charts) const TITLE: f64 = 40.0;
    pub(in crate::report::charts) const TEXT: f64 = 28.0;
}

/// Widths of strokes.
pub(in crate::report) mod stroke {
    /// A line of figures.
    pub(in crate::report) const LINE: f64 = 4.0;
    /// A bound, a whisker, what joins two marks.
    pub(in crate::report) const MARK: f64 = 3.0;
    /// An axis, the edge of a bar.
    pub(in crate::report) const AXIS: f64 = 2.0;
    /// A line of the grid.
    pub(in crate::report) const RULE: f64 = 1.5;
    /// The ring of a hollow mark.
    pub(in crate::report) const RING: f64 = 3.0;
    /// A dash and the gap behind it.
    pub(in crate::report) const DASH: (f64, f64) = (11.0, 7.0);
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

/// Lines of one plane differ in colour and in sign; bounds have a colour of their own.
pub(super) const LINES: [(Colour, Symbol); 8] = [
    (BLUE, Symbol::Circle),
    (ORANGE, Symbol::Square),
    (GREEN, Symbol::Triangle),
    (PURPLE, Symbol::Diamond),
    (SKY, Symbol::Square),
    (INK, Symbol::Circle),
    (GREY, Symbol::Triangle),
    (BLUE, Symbol::Diamond),
];

/// The room that a text of this size takes at most, in pixels, in the widest font that a viewer is
/// asked for (DejaVu Sans, and Verdana is as wide).
pub(in crate::report) fn width_of(text: &str, size: f64, bold: bool) -> f64 {
    let more = if bold { 0.1 } else { 0.0 };
    text.chars().map(|letter| advance(letter) + more).sum::<f64>() * size
}

/// The width of a letter over the size, rounded up.
fn advance(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | 'J' | '\'' => 0.3,
        ' ' | '.' | ',' | ':' | ';' | '/' | '\\' | '|' | '-' | '!' | '(' | ')' | '[' | ']' => 0.41,
        'f' | 'r' | 't' => 0.42,
        'm' | 'M' | 'W' | '@' | '%' => 1.0,
        'a'..='z' | '0'..='9' if letter != 'w' => 0.64,
        'A'..='Z' => 0.79,
        ' '..='~' => 0.84,
        '‰' => 1.44,
        // Latin with accents, Greek, signs.
        '\u{a0}'..='\u{3ff}' | '\u{2000}'..='\u{22ff}' | '\u{25a0}'..='\u{25ff}' => 1.09,
        // What stands in a square, of another font.
        _ => 1.4,
    }
}

/// A text, safe to show, in rows no wider than `room`: broken at blanks, words that are longer after a
/// sign between their parts where there is one.
pub(super) fn wrapped(text: &str, room: f64, size: f64, bold: bool) -> Vec<String> {
    let text = crate::shown::shown(text);
    let width = |text: &str| width_of(text, size, bold);
    let mut rows: Vec<String> = Vec::new();
    let mut row = String::new();
    for word in text.split_whitespace() {
        let joined = if row.is_empty() { word.to_string() } else { format!("{row} {word}") };
        if width(&joined) <= room {
            row = joined;
            continue;
        }
        if !row.is_empty() {
            rows.push(std::mem::take(&mut row));
        }
        for letter in word.chars() {
            if !row.is_empty() && width(&row) + width(letter.encode_utf8(&mut [0; 4])) > room {
                let after = row.rfind(['-', '/', '_', ',', '+', '.']).map_or(0, |at| at + 1);
                let split = if after > row.len() / 2 { after } else { row.len() };
                let rest = row.split_off(split);
                rows.push(std::mem::replace(&mut row, rest));
            }
            row.push(letter);
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows
}

/// The same in at most `most` rows: the end is left out, which an ellipsis tells.
pub(super) fn wrapped_to(most: usize, text: &str, room: f64, size: f64, bold: bool) -> Vec<String> {
    let mut rows = wrapped(text, room, size, bold);
    if rows.len() > most {
        rows.truncate(most);
        let last = rows.last_mut().expect("at least one row is kept");
        end_with(last, "…", room, size, bold);
    }
    rows
}

/// Puts an end behind a row, and makes room for it.
fn end_with(row: &mut String, end: &str, room: f64, size: f64, bold: bool) {
    while !row.is_empty() && width_of(&format!("{row}{end}"), size, bold) > room {
        row.pop();
    }
    row.push_str(end);
}

/// Names in at most `most` rows each. One that is longer loses its middle, with one row its end; two names
/// that differ are told apart whatever is left out, by their numbers if nothing else does.
pub(super) fn names(all: &[&str], most: usize, room: f64, bold: bool) -> Vec<Vec<String>> {
    let (size, mut taken) = (size::TEXT, std::collections::BTreeMap::new());
    let mut names = Vec::new();
    for (index, name) in all.iter().enumerate() {
        let mut rows = wrapped(name, room, size, bold);
        if rows.len() > most {
            let (head, tail) = (most - most / 2, most / 2);
            let end = rows.split_off(rows.len() - tail);
            rows.truncate(head);
            end_with(rows.last_mut().expect("a head is kept"), "…", room, size, bold);
            rows.extend(end);
        }
        let twin = taken.get(&rows).is_some_and(|other| other != name);
        if twin {
            // Names of nothing but blanks have no row.
            let mut last = rows.pop().unwrap_or_default();
            end_with(&mut last, &format!("… #{}", index + 1), room, size, bold);
            rows.push(last);
        }
        taken.insert(rows.clone(), *name);
        names.push(rows);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours, after WCAG 2.1: relative luminances, each with 0.05 of glare.
    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let linear = |part: u8| match f64::from(part) / 255.0 {
            part if part <= 0.03928 => part / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        };
        let luminance = |(red, green, blue): (u8, u8, u8)| {
            0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    fn on_paper(colour: Colour) -> [f64; 2] {
        [contrast(colour.light, PAPER.light), contrast(colour.dark, PAPER.dark)]
    }

    #[test]
    fn texts_and_lines_stand_out_on_both_papers() {
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
        for colour in OF_TEXT {
            assert!(on_paper(colour).iter().all(|ratio| *ratio >= 4.5), "{colour:?}");
        }
        for colour in PALETTE.iter().filter(|colour| ![PAPER, RULE].contains(colour)) {
            assert!(on_paper(*colour).iter().all(|ratio| *ratio >= 3.0), "{colour:?}");
        }
    }

    /// A text within a bar stands on a pale area of any colour.
    #[test]
    fn ink_stands_out_on_every_pale_area() {
        let mixed = |colour: (u8, u8, u8), paper: (u8, u8, u8), part: f64| {
            let mix = |colour: u8, paper: u8| {
                (f64::from(colour) * part + f64::from(paper) * (1.0 - part)).round() as u8
            };
            (mix(colour.0, paper.0), mix(colour.1, paper.1), mix(colour.2, paper.2))
        };
        let areas = PALETTE.iter().map(|colour| (*colour, PALE));
        for (colour, part) in areas.chain([(BLUE, HEAT.1 / 100.0)]) {
            let light = contrast(INK.light, mixed(colour.light, PAPER.light, part));
            let dark = contrast(INK.dark, mixed(colour.dark, PAPER.dark, part));
            assert!(light >= 4.5 && dark >= 4.5, "{colour:?}: {light} and {dark}");
        }
    }

    /// A style sheet finds a colour by what it is on white.
    #[test]
    fn no_two_colours_are_the_same_on_white() {
        for (index, colour) in PALETTE.iter().enumerate() {
            assert!(PALETTE[..index].iter().all(|other| other.light != colour.light));
        }
    }

    #[test]
    fn texts_are_broken_at_blanks_and_long_words_at_their_signs() {
        let rows = |text: &str| wrapped(text, 10.0 * 0.64 * 20.0, 20.0, false);
        assert_eq!(rows("one two three four"), ["one two", "three four"]);
        assert_eq!(rows("abcdefg-hijklmn"), ["abcdefg-", "hijklmn"]);
        assert_eq!(rows("abcdeabcdeabcde").concat(), "abcdeabcdeabcde");
        assert!(rows("").is_empty());
        for row in rows("WWWWWWWWWWWWWWWWWWWWW m 東東東東東東東東東東東東") {
            assert!(width_of(&row, 20.0, false) <= 128.0, "{row}");
        }
    }

    #[test]
    fn names_that_differ_stay_different() {
        let long = |middle: &str| format!("{}{middle}{}", "a".repeat(200), "b".repeat(200));
        let all = ["vm".to_string(), long("1"), long("2"), format!("{}1", long("")), long("1")];
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let names = names(&all, 3, 200.0, true);
        assert_eq!(names[0], ["vm"]);
        assert_eq!(names[1].len(), 3);
        assert!(names[1][1].ends_with('…') && names[1][2].ends_with('b'), "{:?}", names[1]);
        assert!(names[3][2].ends_with("b1"));
        for (index, name) in names.iter().enumerate() {
            for (other, same) in names[..index].iter().zip(&all) {
                assert_eq!(other == name, *same == all[index], "{name:?}, {other:?}");
            }
            assert!(name.iter().all(|row| width_of(row, size::TEXT, true) <= 200.0), "{name:?}");
        }
    }
}
