//! The rows of a table by the names in its head, each cell with its place.
//!
//! How the table is written (separator, decimal mark) is in `dialect`; the meaning of a column is
//! defined by the format that reads it.

use super::dialect::{BYTE_ORDER_MARK, Dialect, behind_title, is_separator_line};
use super::{FAULTS_MAX, Fault};
use std::ops::Range;

/// No file has more rows: a million measurements tell nothing that ten thousand do not.
const ROWS_MAX: usize = 1_000_000;
/// The most cells of a row.
pub(super) const COLUMNS_MAX: usize = 1_000;
/// No file has more cells in all: each is kept with its place, some hundred bytes.
const CELLS_MAX: usize = 4_000_000;

/// A file with a head and rows.
pub(super) struct Rows {
    head: Vec<(String, Range<usize>)>,
    rows: Vec<Row>,
    dialect: Dialect,
    /// The line above the head, where a title was allowed and is there.
    title: Option<String>,
}

/// One row.
pub(super) struct Row {
    cells: Vec<(String, Range<usize>)>,
    span: Range<usize>,
}

/// A cell with its column and its place in the text.
#[derive(Clone)]
pub(super) struct Cell<'r> {
    pub(super) text: &'r str,
    pub(super) span: Range<usize>,
    pub(super) column: &'r str,
    dialect: Dialect,
}

impl Rows {
    /// Reads the whole text. Blank lines, rows of empty cells and lines that start with `#` are
    /// ignored.
    pub(super) fn read(text: &str) -> Result<Rows, Vec<Fault>> {
        Self::read_from(text, 0)
    }

    /// The same of a table that may have a title above its head.
    pub(super) fn read_below_title(text: &str) -> Result<Rows, Vec<Fault>> {
        Self::read_from(text, behind_title(text))
    }

    /// The same of a table whose head begins at `start`; what stands before is its title.
    fn read_from(text: &str, start: usize) -> Result<Rows, Vec<Fault>> {
        let dialect = Dialect::of(&text[start..]);
        has_sound_cells(text, dialect.separator).map_err(|fault| vec![fault])?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(dialect.separator)
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::None)
            .from_reader(text.as_bytes());
        let (mut rows, mut cells) = (Vec::new(), 0);
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => {
                    cells += record.len();
                    // Spreadsheets end with rows of separators alone, and some begin with `sep=;`.
                    let at = record.position().map_or(0, |at| at.byte() as usize).min(text.len());
                    let is_above = first_line_of_data(text, at) < start;
                    let is_blank = is_above || record.iter().all(|cell| cell.trim().is_empty());
                    let says_separator = rows.is_empty() && is_separator_line(&record[0]);
                    if !is_blank && !says_separator {
                        rows.push(row(text, &record, dialect.separator));
                    }
                }
                Ok(false) => break,
                Err(error) => {
                    return Err(vec![Fault::at(0..0, format!("not a CSV file: {error}"))]);
                }
            }
            if rows.len() > ROWS_MAX {
                let at = rows[ROWS_MAX].span.clone();
                let title = format!("the file has more than {ROWS_MAX} rows");
                return Err(vec![Fault::at(at, title)]);
            }
            if cells > CELLS_MAX {
                let at = rows.last().map_or(0..0, |row| row.span.clone());
                let title = format!("the file has more than {CELLS_MAX} cells");
                let help = "keep fewer rows, for example with `head -n`, or fewer columns";
                return Err(vec![Fault::at(at, title).help(help)]);
            }
        }
        let mut rows = rows.into_iter();
        let Some(head) = rows.next() else {
            let help = "the first line names the columns";
            return Err(vec![Fault::at(0..0, "the file is empty").help(help)]);
        };
        let above = text[..start].trim_start_matches(BYTE_ORDER_MARK);
        let of_title = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let title = above.lines().rfind(of_title).map(|line| line.trim().to_string());
        let rows = Rows { head: head.cells, rows: rows.collect(), dialect, title };
        let faults = [rows.repeated(), rows.too_long()].concat();
        if faults.is_empty() { Ok(rows) } else { Err(faults) }
    }

    /// One fault for each row with more cells than the head has names: a comma within a number or a date
    /// moves every cell behind it. Empty cells at the end are passed over.
    fn too_long(&self) -> Vec<Fault> {
        let columns = self.head.len();
        let long = self
            .rows
            .iter()
            .filter(|row| row.cells.iter().skip(columns).any(|(cell, _)| !cell.trim().is_empty()));
        long.take(FAULTS_MAX)
            .map(|row| self.dialect.too_long(row.span.clone(), row.cells.len(), columns))
            .collect()
    }

    /// The title above the head, without separators.
    pub(super) fn title(&self) -> Option<&str> {
        let parts = |letter: char| letter.is_whitespace() || ",;\"".contains(letter);
        self.title.as_deref().map(|title| title.trim_matches(parts))
    }

    /// How the table is written, unless with commas and decimal points.
    pub(super) fn description(&self) -> Option<&'static str> {
        self.dialect.description()
    }

    /// One fault for each column whose name stood in the head before: which one counts is not known.
    fn repeated(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, (name, span)) in self.head.iter().enumerate() {
            let name = name.trim();
            let before = self.head[..index].iter();
            if !name.is_empty()
                && before.clone().any(|(other, _)| other.trim().eq_ignore_ascii_case(name))
            {
                let title = format!("the head names the column `{name}` twice");
                faults.push(Fault::at(span.clone(), title).help("rename one, or drop it"));
            }
        }
        faults
    }

    /// The columns of the head with their places.
    pub(super) fn head(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.head.iter().map(|(name, span)| (name.trim(), span.clone()))
    }

    /// The place of the head.
    pub(super) fn head_span(&self) -> Range<usize> {
        let first = self.head.first().map_or(0, |(_, span)| span.start);
        first..self.head.last().map_or(first, |(_, span)| span.end)
    }

    /// The index of the column of one of these names, whatever the case of the letters.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        let is = |head: &str| names.iter().any(|name| head.trim().eq_ignore_ascii_case(name));
        self.head.iter().position(|(head, _)| is(head))
    }

    /// The names of the columns, as written.
    pub(super) fn names(&self) -> Vec<String> {
        self.head.iter().map(|(name, _)| name.trim().to_string()).collect()
    }

    /// How many rows there are below the head.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The place of a row.
    pub(super) fn span(&self, row: usize) -> Range<usize> {
        self.rows[row].span.clone()
    }

    /// One cell; a fault where the row is too short.
    pub(super) fn cell(&self, row: usize, column: usize) -> Result<Cell<'_>, Fault> {
        let name = self.head[column].0.trim();
        let row = &self.rows[row];
        match row.cells.get(column) {
            Some((text, span)) => {
                let (text, span) = (text.trim(), span.clone());
                Ok(Cell { text, span, column: name, dialect: self.dialect })
            }
            None => {
                let title = format!("the row has {} columns and no `{name}`", row.cells.len());
                Err(Fault::at(row.span.clone(), title))
            }
        }
    }

    /// The cells of a column, row by row; a fault where a row is too short.
    pub(super) fn cells(&self, column: usize) -> impl Iterator<Item = Result<Cell<'_>, Fault>> {
        (0..self.len()).map(move |row| self.cell(row, column))
    }
}

/// A unit of time as people write it behind the name of a column, with its worth in milliseconds.
const TIME_UNITS: [(&str, &[&str], f64); 5] = [
    ("nanoseconds", &["ns", "nsec", "nanosecond", "nanoseconds"], 1e-6),
    (
        "microseconds",
        &["us", "usec", "usecs", "µs", "μs", "micros", "microsecond", "microseconds"],
        1e-3,
    ),
    ("milliseconds", &["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"], 1.0),
    ("seconds", &["s", "sec", "secs", "second", "seconds"], 1e3),
    ("minutes", &["min", "mins", "minutes"], 6e4),
];

/// The name of a column without its unit of time, in lower case, words separated by `_`; and the
/// unit as a word with its value in milliseconds, where it has one: `Latency (us)`, `time_s`, `ms`.
pub(super) fn time_column(name: &str) -> (String, Option<(&'static str, f64)>) {
    let lower = name.trim().to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || c == 'µ' || c == 'μ'))
        .filter(|word| !word.is_empty())
        .collect();
    let unit = words.last().and_then(|last| {
        let of = TIME_UNITS.iter().find(|(_, names, _)| names.contains(last));
        of.map(|(unit, _, ms)| (*unit, *ms))
    });
    let base = &words[..words.len() - usize::from(unit.is_some())];
    (base.join("_"), unit)
}

impl Cell<'_> {
    /// A finite number that satisfies a rule; `allowed` describes it.
    pub(super) fn number(&self, keeps: impl Fn(f64) -> bool, allowed: &str) -> Result<f64, Fault> {
        let shown: String = self.text.chars().take(40).collect();
        let wrong = || Fault::at(self.span.clone(), format!("`{}` is \"{shown}\"", self.column));
        match self.dialect.number(self.text) {
            Ok(number) if number.is_finite() && keeps(number) => Ok(number),
            Ok(_) => Err(wrong().allowed(allowed)),
            Err(help) => Err(wrong().allowed(allowed).help(help)),
        }
    }
}

/// Refuses a text one of whose records has too many cells, or a quote that is not closed.
pub(super) fn has_sound_cells(text: &str, separator: u8) -> Result<(), Fault> {
    let Some(at) = not_too_wide(text, separator)? else { return Ok(()) };
    let title = "a quote that no other closes: all that follows would be one cell";
    let help =
        "write another quote where the cell ends; a quote that is meant stands twice, in quotes";
    Err(Fault::at(at..at + 1, title).help(help))
}

/// Refuses a text one of whose records has too many cells, before any of them is kept. It reads quotes
/// as the CSV reader does: a cell that starts with one goes on to the next that is not doubled. Returns the
/// place of one that goes on to the end of the text.
fn not_too_wide(text: &str, separator: u8) -> Result<Option<usize>, Fault> {
    #[derive(PartialEq)]
    enum At {
        Start,
        Cell,
        Quoted,
        Closing,
    }
    let (mut at, mut cells, mut start, mut quote) = (At::Start, 1, 0, 0);
    for (index, byte) in text.bytes().enumerate() {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closing,
            (At::Quoted, _) | (At::Closing, b'"') => At::Quoted,
            (_, byte) if byte == separator => {
                cells += 1;
                At::Start
            }
            (_, b'\n' | b'\r') => {
                (cells, start) = (1, index + 1);
                At::Start
            }
            (At::Start, b'"') => {
                quote = index;
                At::Quoted
            }
            _ => At::Cell,
        };
        if cells > COLUMNS_MAX {
            let title = format!("a row has more than {COLUMNS_MAX} columns");
            let end = floor_char(text, (start + 40).min(index));
            return Err(Fault::at(start..end, title).help("keep the columns that are named"));
        }
    }
    let is_comment = text[floor_char(text, start)..].starts_with('#');
    Ok((at == At::Quoted && !is_comment).then_some(quote))
}

/// The last character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The cells of a record with their places.
fn row(text: &str, record: &csv::StringRecord, separator: u8) -> Row {
    let (spans, whole) = cell_spans(text, record, separator);
    let cells = record.iter().map(str::to_string).zip(spans).collect();
    Row { cells, span: whole }
}

/// The places of a record's cells, without their quotes, and of the whole. Where a cell goes over several lines
/// the first line is the place of each.
pub(super) fn cell_spans(
    text: &str,
    record: &csv::StringRecord,
    separator: u8,
) -> (Vec<Range<usize>>, Range<usize>) {
    let start = record.position().map_or(0, |at| at.byte() as usize).min(text.len());
    // The reader's position may be that of line ends and comments before the record.
    let start = first_line_of_data(text, start);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[start..end].trim_end_matches('\r');
    let whole = start..start + line.len();
    if line.contains('"') {
        let cells = quoted_spans(line, start, separator);
        let is_all = cells.len() == record.len();
        return (if is_all { cells } else { vec![whole.clone(); record.len()] }, whole);
    }
    let mut at = start;
    let cells = line.split(char::from(separator)).map(|cell| {
        let blank = cell.len() - cell.trim_start().len();
        let from = (at + blank).min(whole.end);
        at += cell.len() + 1;
        from..(from + cell.trim().len()).min(whole.end)
    });
    (cells.collect(), whole)
}

/// The places of the cells of a line that begins at `start`, read as the CSV reader does.
fn quoted_spans(line: &str, start: usize, separator: u8) -> Vec<Range<usize>> {
    let (mut spans, mut from, mut in_quotes) = (Vec::new(), 0, false);
    let mut end_cell = |from: usize, to: usize| {
        let cell = &line[from..to];
        let inner = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
        let (inner, before) = inner.map_or((cell, 0), |inner| (inner, 1));
        let blank = inner.len() - inner.trim_start().len();
        let at = start + from + before + blank;
        spans.push(at..at + inner.trim().len());
    };
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' if in_quotes || at == from => in_quotes = !in_quotes,
            // A doubled quote is one, and the cell goes on.
            b'"' if line.as_bytes()[from] == b'"' && line.as_bytes()[at - 1] == b'"' => {
                in_quotes = true;
            }
            byte if byte == separator && !in_quotes => {
                end_cell(from, at);
                from = at + 1;
            }
            _ => {}
        }
    }
    end_cell(from, line.len());
    spans
}

fn first_line_of_data(text: &str, mut at: usize) -> usize {
    if at == 0 && text.starts_with(BYTE_ORDER_MARK) {
        at = BYTE_ORDER_MARK.len_utf8();
    }
    while let Some(rest) = text.get(at..) {
        let line = rest.split_inclusive('\n').next().unwrap_or("");
        let passed = line.starts_with('#') || (line.trim_end().is_empty() && !line.is_empty());
        if !passed {
            break;
        }
        at += line.len();
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_very_many_columns_is_refused_before_they_are_kept() {
        let wide = ",".repeat(COLUMNS_MAX);
        for text in [wide.clone(), format!("a,b\n1,\"x\ny\"{wide}\n"), format!("a\n\"\"\"\"{wide}")]
        {
            let Err(faults) = Rows::read(&text) else { panic!("accepted") };
            assert_eq!(faults[0].title, "a row has more than 1000 columns");
            assert!(text.get(faults[0].span.clone()).is_some());
        }
        let quoted = format!("a,b\n1,\"{wide}\"\n");
        assert!(Rows::read(&quoted).is_ok(), "commas within quotes are no columns");
        assert!(Rows::read(&format!("a{}", ",".repeat(COLUMNS_MAX - 1))).is_ok());
    }

    #[test]
    fn cells_are_counted_over_all_rows() {
        let row = format!("{}\n", ",".repeat(COLUMNS_MAX - 1));
        let Err(faults) = Rows::read(&row.repeat(CELLS_MAX / COLUMNS_MAX + 1)) else {
            panic!("accepted")
        };
        assert_eq!(faults[0].title, "the file has more than 4000000 cells");
    }

    /// A comma within a number or a date moves what stands behind it; cells that are empty move nothing.
    #[test]
    fn a_row_longer_than_the_head_is_refused() {
        let Err(faults) = Rows::read("batch,latency_ms\n1,0,75\n2,1\n4,1.5,,\n") else {
            panic!("accepted")
        };
        assert_eq!(faults.len(), 1);
        assert!(faults[0].title.contains("3 cells") && faults[0].help.contains("decimal comma"));
    }

    #[test]
    fn the_place_of_a_name_is_behind_the_byte_order_mark() {
        let text = "\u{feff}batch;ms\r\n1;2,5\r\n";
        let rows = Rows::read(text).unwrap_or_else(|faults| panic!("{faults:?}"));
        let (name, span) = rows.head().next().unwrap();
        assert_eq!((name, &text[span]), ("batch", "batch"));
        let cell = rows.cell(0, 1).unwrap();
        assert_eq!((&text[cell.span.clone()], cell.number(|_| true, "").unwrap()), ("2,5", 2.5));
    }

    /// The names of a head in quotes have places of their own, without the quotes.
    #[test]
    fn cells_in_quotes_have_their_places() {
        let text = "\"at\",kind,\"a \"\"b\"\", c\"\n1,2,3\n";
        let rows = Rows::read(text).unwrap_or_else(|faults| panic!("{faults:?}"));
        let head: Vec<&str> = rows.head().map(|(_, span)| &text[span]).collect();
        assert_eq!(head, ["at", "kind", "a \"\"b\"\", c"]);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_with_its_place() {
        let Err(faults) = Rows::read("at,kind\n5,\"power-off\n6,power-on\n") else {
            panic!("accepted")
        };
        assert_eq!((faults.len(), faults[0].span.clone()), (1, 10..11));
        assert!(faults[0].title.contains("no other closes"), "{}", faults[0].title);
        // One in a comment opens nothing.
        assert!(Rows::read("at,kind\n5,power-off\n#,\"x\n").is_ok());
    }

    /// Whatever the text is, no record of the CSV reader has more cells than were counted.
    #[test]
    fn quotes_are_read_as_the_csv_reader_reads_them() {
        let letters = [",", "\"", "\n", "\r\n", "a", "\"\"", "#"];
        let mut word = 1_u64;
        for _ in 0..20_000 {
            let text: String = (0..12)
                .map(|_| {
                    word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    letters[(word >> 33) as usize % letters.len()]
                })
                .collect();
            let wide = text.replace('a', &"a,".repeat(300));
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(wide.as_bytes());
            let widest = reader.records().map(|record| record.unwrap().len()).max().unwrap_or(0);
            assert_eq!(
                not_too_wide(&wide, b',').is_err(),
                widest > COLUMNS_MAX,
                "{text:?}: {widest}"
            );
        }
    }
}
