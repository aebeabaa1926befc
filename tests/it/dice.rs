//! Chance for the tests that try very many inputs: a small generator, and texts gone wrong by it.
//!
//! One number makes one input, so that a failure is repeated by its number alone.

/// A random stream (SplitMix64: Steele, Lea and Flood 2014). Quick, and the same on every machine.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of a case.
    pub(crate) fn of(seed: u64, case: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ case);
        dice.word();
        dice
    }

    /// 64 random bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from 0 below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// Whether something happens that does once in `often`.
    pub(crate) fn one_in(&mut self, often: usize) -> bool {
        self.below(often) == 0
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What parsers stumble over.
const ODD: [&str; 56] = [
    "0",
    "-1",
    "1e308",
    "1e-299",
    "4.9e-324",
    "1e400",
    "-0.0",
    "nan",
    "inf",
    "NaN",
    "0x7f",
    "1_000",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "2147483648",
    "\"",
    "'",
    "\"\"",
    "'''",
    "\"\"\"",
    ",",
    ";",
    ":",
    "=",
    "#",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "]]",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\\",
    "\\u0000",
    "\\ud800",
    "&a",
    "*a",
    "<<:",
    "- ",
    "---\n",
    "!!str ",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{9b}",
    "\u{fffe}",
    "é",
    "\u{1f600}",
];

/// A seed gone wrong in a few places: bytes lost, doubled or changed, pieces of other seeds, odd
/// numbers and signs. It may be no UTF-8 any more.
pub(crate) fn spoilt(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    const LENGTH_MAX: usize = 20_000;
    let mut text = dice.pick(seeds).clone();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(text.len() + 1);
        let end = (at + dice.below(1 + dice.clone().below(16))).min(text.len());
        match dice.below(9) {
            0 => drop(text.drain(at..end)),
            1 => text.truncate(at),
            2 => {
                let piece = text[at..end].to_vec();
                let times = 1 + dice.below(40);
                text.splice(at..at, piece.repeat(times));
            }
            3 => {
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            4 => {
                let other = dice.pick(seeds);
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(80)).min(other.len());
                text.splice(at..end, other[from..to].iter().copied());
            }
            5 => {
                // A line to another place.
                let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
                if let Some(last) = lines.len().checked_sub(1) {
                    let (one, two) = (dice.below(last + 1), dice.below(last + 1));
                    let mut lines = lines;
                    lines.swap(one, two);
                    text = lines.concat();
                }
            }
            6 => {
                // A number becomes an odd one.
                let digit = |byte: &u8| byte.is_ascii_digit();
                if let Some(from) = text[at..].iter().position(digit).map(|from| at + from) {
                    let rest = text[from..].iter().position(|byte| !digit(byte));
                    let to = rest.map_or(text.len(), |rest| from + rest);
                    text.splice(from..to, dice.pick(&ODD).bytes());
                }
            }
            _ => drop(text.splice(at..end, dice.pick(&ODD).bytes())),
        }
    }
    text.truncate(LENGTH_MAX);
    text
}
