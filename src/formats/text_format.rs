//! Protocol buffers' text format: fields of scalars, messages and lists, as a tree with places.
//!
//! It knows no message and no field; the reader of a format defines the meaning of names. Source:
//! protobuf.dev, "Text Format Language Specification".

use super::{Fault, Placed};
use crate::suggest::quoted;

/// Messages nest no deeper; protocol buffers' own reader stops at 100.
const DEPTH_MAX: usize = 64;
/// No file has more values, so that its tree stays small beside it.
const VALUES_MAX: usize = 200_000;

/// The fields between two braces, or of a whole file.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Message {
    /// In the order of the file; a name may occur several times.
    pub(crate) fields: Vec<Field>,
}

/// A name with its value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Field {
    pub(crate) name: Placed<String>,
    pub(crate) value: Placed<Node>,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    /// A number, `true`, or the word of an enumeration, as it is written.
    Word(String),
    /// A string, between its quotes as it is written.
    Text(String),
    /// Fields in braces.
    Message(Message),
    /// Values in brackets.
    List(Vec<Placed<Node>>),
}

/// Reads a whole text, or returns the first fault.
pub(crate) fn read(text: &str) -> Result<Message, Fault> {
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    Parser { text, bytes: text.as_bytes(), at, values: 0 }.fields(None, 0)
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// How many values were read.
    values: usize,
}

impl Parser<'_> {
    /// Fields up to the end of the text, or to what closes `open`, a byte and its place.
    fn fields(&mut self, open: Option<(u8, usize)>, depth: usize) -> Result<Message, Fault> {
        let mut message = Message::default();
        loop {
            self.skip_blanks();
            match (self.bytes.get(self.at), open) {
                (None, None) => return Ok(message),
                (None, Some((byte, at))) => {
                    let title = format!("`{}` is never closed", char::from(byte));
                    return Err(Fault::at(at..at + 1, title));
                }
                (Some(&byte), Some((opening, _))) if byte == closing(opening) => {
                    self.at += 1;
                    return Ok(message);
                }
                (Some(b'}' | b'>' | b']'), _) => {
                    let title = format!("`{}` closes nothing", char::from(self.bytes[self.at]));
                    return Err(Fault::at(self.at..self.at + 1, title));
                }
                _ => message.fields.push(self.field(depth)?),
            }
            self.skip_blanks();
            if matches!(self.bytes.get(self.at), Some(b',' | b';')) {
                self.at += 1;
            }
        }
    }

    /// `name: value`, `name { ... }` or `name [ ... ]`.
    fn field(&mut self, depth: usize) -> Result<Field, Fault> {
        let start = self.at;
        let name = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit());
        if !is_name {
            let found = self.word_at(start);
            let fault =
                Fault::at(start..start + found.len(), format!("{} is not a field", quoted(found)));
            return Err(fault.allowed("a name, then `: value` or `{ ... }`"));
        }
        let span = start..self.at;
        let name = Placed { value: self.text[span.clone()].to_string(), span: span.clone() };
        self.skip_blanks();
        let has_colon = self.bytes.get(self.at) == Some(&b':');
        if has_colon {
            self.at += 1;
            self.skip_blanks();
        }
        let opens = matches!(self.bytes.get(self.at), Some(b'{' | b'<' | b'['));
        if !has_colon && !opens {
            let title = format!("neither `:` nor `{{` after {}", quoted(&name.value));
            return Err(Fault::at(span, title).allowed("`name: value`, or `name { ... }`"));
        }
        let value = self.value(depth, true)?;
        Ok(Field { name, value })
    }

    /// A scalar, a message, or, where it may be one, a list.
    fn value(&mut self, depth: usize, may_be_list: bool) -> Result<Placed<Node>, Fault> {
        let start = self.at;
        self.values += 1;
        if self.values > VALUES_MAX {
            let title = format!("more than {VALUES_MAX} values");
            return Err(Fault::at(start..start, title).help("is it a model configuration?"));
        }
        if depth > DEPTH_MAX {
            return Err(Fault::at(start..start + 1, "the file is nested too deeply"));
        }
        let value = match self.bytes.get(self.at) {
            Some(&open @ (b'{' | b'<')) => {
                self.at += 1;
                Node::Message(self.fields(Some((open, start)), depth + 1)?)
            }
            Some(b'[') if may_be_list => Node::List(self.list(depth)?),
            Some(b'"' | b'\'') => self.strings()?,
            _ => Node::Word(self.word()?),
        };
        Ok(Placed { value, span: start..self.at })
    }

    /// `[ value, value ]`.
    fn list(&mut self, depth: usize) -> Result<Vec<Placed<Node>>, Fault> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            match self.bytes.get(self.at) {
                None => return Err(Fault::at(start..start + 1, "`[` is never closed")),
                Some(b']') if items.is_empty() => break,
                _ => items.push(self.value(depth + 1, false)?),
            }
            self.skip_blanks();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                None => return Err(Fault::at(start..start + 1, "`[` is never closed")),
                Some(_) => {
                    let found = self.word_at(self.at);
                    let title = format!("{} where `,` or `]` is expected", quoted(found));
                    return Err(Fault::at(self.at..self.at + found.len(), title));
                }
            }
        }
        self.at += 1;
        Ok(items)
    }

    /// A number or a word; a minus may stand before it.
    fn word(&mut self) -> Result<String, Fault> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
            self.skip_blanks();
        }
        let first = self.at;
        let mut before = b' ';
        while let Some(&byte) = self.bytes.get(self.at) {
            let of_exponent = matches!(byte, b'+' | b'-')
                && matches!(before, b'e' | b'E')
                && self.bytes[first].is_ascii_digit();
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || of_exponent) {
                break;
            }
            (before, self.at) = (byte, self.at + 1);
        }
        if self.at == first {
            let found = self.word_at(first);
            let title = if found.is_empty() {
                "a value is missing".to_string()
            } else {
                format!("{} is not a value", quoted(found))
            };
            let fault = Fault::at(first..first + found.len(), title);
            return Err(
                fault.allowed("a number, a word, a string in quotes, `{ ... }` or `[ ... ]`")
            );
        }
        let sign = if first > start { "-" } else { "" };
        Ok(format!("{sign}{}", &self.text[first..self.at]))
    }

    /// One string, or several in a row that are one.
    fn strings(&mut self) -> Result<Node, Fault> {
        let mut text = String::new();
        while let Some(&quote @ (b'"' | b'\'')) = self.bytes.get(self.at) {
            let start = self.at;
            self.at += 1;
            loop {
                match self.bytes.get(self.at) {
                    None | Some(b'\n') => {
                        return Err(Fault::at(start..self.at, "the string is never closed"));
                    }
                    Some(b'\\') => self.at += 2,
                    Some(&byte) => {
                        self.at += 1;
                        if byte == quote {
                            break;
                        }
                    }
                }
            }
            text.push_str(&self.text[start + 1..self.at - 1]);
            self.skip_blanks();
        }
        Ok(Node::Text(text))
    }

    /// Passes blanks and comments.
    fn skip_blanks(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.at += 1,
                b'#' => _ = self.run(|byte| byte != b'\n'),
                _ => break,
            }
        }
    }

    /// Passes bytes as long as they are of a kind, and gives them.
    fn run(&mut self, is_of_it: impl Fn(u8) -> bool) -> &[u8] {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&byte| is_of_it(byte)) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    /// What stands at a place, for a message: up to the next blank, at least a character.
    fn word_at(&self, at: usize) -> &str {
        let rest = self.text.get(at..).unwrap_or_default();
        let end = rest.char_indices().take(40).find(|(_, found)| found.is_whitespace());
        let limit = rest.char_indices().nth(40).map_or(rest.len(), |(at, _)| at);
        &rest[..end.map_or(limit, |(at, _)| at)]
    }
}

fn closing(open: u8) -> u8 {
    if open == b'{' { b'}' } else { b'>' }
}
