//! The rows of a recorded load, whether a table (CSV) or JSON Lines: cell by cell.

use crate::formats::Fault;
use crate::formats::dialect::Dialect;
use crate::formats::rows::{COLUMNS_MAX, cell_spans, has_sound_cells};
use crate::suggest::quoted;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// The records of a file: of a table, or JSON lines by the keys of the first.
pub(super) struct Table<'t> {
    pub(super) text: &'t str,
    pub(super) dialect: Dialect,
    pub(super) source: Source<'t>,
    pub(super) record: csv::StringRecord,
}

pub(super) enum Source<'t> {
    Csv(Box<csv::Reader<&'t [u8]>>),
    Json { keys: Vec<String>, rest: &'t str },
}

impl<'t> Table<'t> {
    pub(super) fn open(text: &'t str) -> Result<Self, Vec<Fault>> {
        let data = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if data.starts_with('[') {
            let help = "write one object per line: jq -c '.[]' FILE";
            let title = "the file is one JSON list, not JSON lines";
            return Err(vec![Fault::at(0..1, title).help(help)]);
        }
        let is_json = data.starts_with('{');
        let dialect = if is_json { Dialect::of("") } else { Dialect::of(text) };
        let source = if is_json {
            Source::Json { keys: Vec::new(), rest: data }
        } else {
            has_sound_cells(text, dialect.separator).map_err(|fault| vec![fault])?;
            let mut reader = csv::ReaderBuilder::new();
            let reader = reader
                .delimiter(dialect.separator)
                .has_headers(false)
                .flexible(true)
                .comment(Some(b'#'))
                .trim(csv::Trim::All);
            Source::Csv(Box::new(reader.from_reader(text.as_bytes())))
        };
        Ok(Self { text, dialect, source, record: csv::StringRecord::new() })
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self.source, Source::Json { .. })
    }

    /// The names of the columns; nothing where the file is empty.
    pub(super) fn head(&mut self) -> Result<Option<Vec<String>>, Vec<Fault>> {
        if let Source::Json { keys, rest } = &mut self.source {
            let line = rest.lines().next().unwrap_or_default();
            let start = rest.as_ptr() as usize - self.text.as_ptr() as usize;
            let object = object(line)
                .map_err(|fault| vec![Fault { span: start..start + line.len(), ..fault }])?;
            *keys = object.into_iter().map(|(key, _)| key).collect();
            self.record.set_position(Some(position(start)));
            return Ok(Some(keys.clone()));
        }
        let is_there = self.next()?;
        Ok(is_there.then(|| self.record.iter().map(str::to_string).collect()))
    }

    /// Reads the next record; false at the end.
    pub(super) fn next(&mut self) -> Result<bool, Vec<Fault>> {
        match &mut self.source {
            Source::Csv(reader) => reader
                .read_record(&mut self.record)
                .map_err(|error| vec![Fault::at(0..0, format!("not a CSV file: {error}"))]),
            Source::Json { keys, rest } => {
                *rest = rest.trim_start();
                if rest.is_empty() {
                    return Ok(false);
                }
                let line = rest.lines().next().unwrap_or_default();
                let start = rest.as_ptr() as usize - self.text.as_ptr() as usize;
                let object = object(line)
                    .map_err(|fault| vec![Fault { span: start..start + line.len(), ..fault }])?;
                let mut record = csv::StringRecord::new();
                for key in keys.iter() {
                    let mut values = object.iter().filter(|(name, _)| name == key);
                    let value = values.next();
                    if values.next().is_some() {
                        let title = format!("the line has the key {} twice", quoted(key));
                        return Err(vec![Fault::at(start..start + line.len(), title)]);
                    }
                    record.push_field(&value.map_or(String::new(), |(_, value)| plain(value)));
                }
                record.set_position(Some(position(start)));
                self.record = record;
                *rest = &rest[line.len()..];
                Ok(true)
            }
        }
    }

    /// The place of the record, or of its cell in a column; of JSON that of the line.
    pub(super) fn place(&self, column: Option<usize>) -> Range<usize> {
        let (cells, whole) = cell_spans(self.text, &self.record, self.dialect.separator);
        let column = column.filter(|_| !self.is_json());
        column.and_then(|column| cells.get(column).cloned()).unwrap_or(whole)
    }
}

fn position(byte: usize) -> csv::Position {
    let mut position = csv::Position::new();
    position.set_byte(byte as u64);
    position
}

/// The members of a line's object, as they are written.
fn object(line: &str) -> Result<Vec<(String, &RawValue)>, Fault> {
    match serde_json::from_str(line) {
        Ok(Members(members)) => Ok(members),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let fault = Fault::at(0..0, format!("the line is not a JSON object: {reason}"));
            Err(fault.allowed("JSON lines: one object per line, each a request"))
        }
    }
}

struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'t> Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<Members<'t>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry::<String, &RawValue>()? {
            if members.len() == COLUMNS_MAX {
                return Err(A::Error::custom(format!("more than {COLUMNS_MAX} keys")));
            }
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// A JSON value as a cell: a string without its quotes, a number as it is; empty for others.
pub(super) fn plain(value: &RawValue) -> String {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).unwrap_or_default(),
        Some(b'-' | b'0'..=b'9') => text.to_string(),
        _ => String::new(),
    }
}
