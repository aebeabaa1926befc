//! Text from outside, made safe for a terminal, a table or a picture: characters that control a
//! terminal, change the reading direction or are not allowed in XML are escaped, as `\u{1b}`.
//!
//! Documents for programs keep the text itself, escaped by their own rules ([`in_json`]). Which
//! characters an input file may contain is not decided here.

use std::borrow::Cow;

/// Whether a character is not simply printed: control characters (C0, DEL, C1), direction marks and
/// overrides, line separators, the byte order mark, tags, and noncharacters, which XML 1.0 forbids.
pub fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{e0000}'..='\u{e007f}')
        || (letter as u32) & 0xfffe == 0xfffe
}

/// The text on one line: line feeds and tabs are escaped as well.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// The text with its line feeds; everything else as in [`shown`].
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && is_harmful(letter))
}

/// The text with its line feeds and tabs; everything else as in [`shown`], but that a carriage return
/// before a line feed is dropped.
pub fn shown_text(text: &str) -> Cow<'_, str> {
    let kept = |letter| matches!(letter, '\n' | '\t') || !is_harmful(letter);
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(&text.replace("\r\n", "\n"), |letter| !kept(letter)).into_owned())
}

/// The text with its line ends and tabs, and with the colour codes (`ESC [ digits m`), which this
/// program writes itself; everything else as in [`shown`]. The last step before a terminal.
pub fn painted(text: &str) -> Cow<'_, str> {
    let kept = |letter| matches!(letter, '\n' | '\t') || !is_harmful(letter);
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    let ours = |rest: &str| {
        let end_of_line = rest.starts_with("\r\n").then_some(2);
        end_of_line.or_else(|| colour_length(rest))
    };
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = ours(rest).unwrap_or(letter.len_utf8());
        let part = &rest[..length];
        match length > letter.len_utf8() || kept(letter) {
            true => clean.push_str(part),
            false => clean.push_str(&shown(part)),
        }
        rest = &rest[length..];
    }
    Cow::Owned(clean)
}

/// The bytes of a sequence that sets colours, if the text starts with one.
fn colour_length(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("\u{1b}[")?;
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    digits[end..].starts_with('m').then_some(2 + end + 1)
}

/// A JSON document without harmful characters: they can only stand within its strings, where JSON
/// has its own escape for them. The content of the document does not change.
pub fn in_json(document: String) -> String {
    let raw = |letter: char| letter != '\n' && is_harmful(letter);
    if !document.contains(raw) {
        return document;
    }
    let mut units = [0; 2];
    let mut clean = String::with_capacity(document.len());
    for letter in document.chars() {
        match raw(letter) {
            true => letter
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| clean.push_str(&format!("\\u{unit:04x}"))),
            false => clean.push(letter),
        }
    }
    clean
}

/// A name that every file system accepts as a part of a file name: ASCII letters, digits, `-` and
/// `_`, never empty, never long.
pub fn file_part(name: &str) -> String {
    const LONGEST: usize = 80;
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let part: String = name.chars().take(LONGEST).map(fit).collect();
    if part.is_empty() { "-".to_string() } else { part }
}

fn escaped(text: &str, harms: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&harms) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if !harms(letter) => clean.push(letter),
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            letter => clean.extend(letter.escape_unicode()),
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        assert_eq!(shown("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(shown("x\u{202e}\u{9b}\u{7f}\u{fffe}"), "x\\u{202e}\\u{9b}\\u{7f}\\u{fffe}");
        assert_eq!(shown_lines("a\nb\t"), "a\nb\\t");
        assert!(matches!(shown("Zürich, 東京, \u{1f600}"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_text_keeps_its_lines() {
        assert_eq!(shown_text("a\r\n\tb\r\u{202e}"), "a\n\tb\\r\\u{202e}");
        assert!(matches!(shown_text("a\n\tb"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_colours_pass_the_last_door() {
        let ours = "\u{1b}[1;31merror\u{1b}[0m: x\r\n\ty";
        assert_eq!(painted(ours), ours);
        assert_eq!(
            painted("\u{1b}]0;t\u{7}\u{1b}[2J\u{1b}["),
            "\\u{1b}]0;t\\u{7}\\u{1b}[2J\\u{1b}["
        );
        assert_eq!(painted("\u{1b}[31m\u{202e}"), "\u{1b}[31m\\u{202e}");
    }

    #[test]
    fn json_says_the_same_without_harm() {
        let text = "a\u{1b}\u{7f}\u{9b}\u{202e}\u{fffe}\u{e0001}\u{10ffff}é\"\\";
        let document = in_json(serde_json::to_string(text).unwrap());
        assert!(!document.contains(is_harmful), "{document}");
        assert_eq!(serde_json::from_str::<String>(&document).unwrap(), text);
    }

    #[test]
    fn a_name_leads_nowhere() {
        assert_eq!(file_part("../../../elsewhere/pwn"), "---------elsewhere-pwn");
        assert_eq!(file_part(""), "-");
        assert_eq!(file_part(&"x".repeat(1000)).len(), 80);
    }
}
