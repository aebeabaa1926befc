//! How a table is written: the separator of its cells, and the decimal mark of its numbers.
//!
//! In many countries spreadsheets write `1,5` and separate cells by semicolons; cells copied from a
//! spreadsheet are separated by tabs. Both are recognised from the text. A number with two possible
//! readings is refused.

use super::Fault;
use std::ops::Range;

/// Excel begins a file with it; it is not part of a name.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dialect {
    /// The separator of cells: a comma, a semicolon or a tab.
    pub(super) separator: u8,
    mark: Mark,
}

/// What parts whole and fraction in the numbers of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Point,
    Comma,
    /// Every comma in a number may also separate thousands: `1,234`.
    Unclear,
}

impl Dialect {
    /// The dialect of a text: the separator is the one that is most frequent in the head, a comma
    /// before others.
    pub(super) fn of(text: &str) -> Dialect {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let is_data = |line: &&str| {
            !line.trim().is_empty() && !line.starts_with('#') && !is_separator_line(line)
        };
        let mut lines = text.lines().filter(is_data);
        let head = lines.next().unwrap_or_default();
        let count = |separator: u8| {
            let unquoted = head.split('"').step_by(2);
            unquoted.flat_map(str::bytes).filter(|byte| *byte == separator).count()
        };
        // The last of the largest counts.
        let separator = *b"\t;,".iter().max_by_key(|separator| count(**separator)).expect("three");
        if separator == b',' {
            return Dialect { separator, mark: Mark::Point };
        }
        let mut mark = Mark::Point;
        for cell in lines.flat_map(|line| line.split(char::from(separator))) {
            let cell = cell.trim().trim_matches('"').trim();
            match of_commas(cell) {
                Some(true) if mark == Mark::Point => mark = Mark::Unclear,
                Some(false) => return Dialect { separator, mark: Mark::Comma },
                _ => {}
            }
        }
        Dialect { separator, mark }
    }

    /// A number as this table writes it; otherwise an advice, which may be empty.
    pub(super) fn number(self, text: &str) -> Result<f64, String> {
        let parsed = |text: &str| text.parse::<f64>().map_err(|_| String::new());
        match (self.mark, text.contains(','), text.contains('.')) {
            (Mark::Comma, true, false) if text.matches(',').count() == 1 => {
                parsed(&text.replace(',', "."))
            }
            (Mark::Comma, _, true) if text.bytes().any(|byte| byte.is_ascii_digit()) => Err(
                "other numbers of the file have a decimal comma: write all of them so, and thousands without a mark"
                    .to_string(),
            ),
            (Mark::Unclear, true, _) if of_commas(text).is_some() => Err(format!(
                "that may be {} or {}: write a decimal point, and thousands without a mark",
                text.replacen(',', ".", 1).replace(',', ""),
                text.replace(',', "")
            )),
            (Mark::Point, true, _) if of_commas(text).is_some() => Err(
                "in a table with commas between its columns write a decimal point, and thousands without a mark"
                    .to_string(),
            ),
            _ => parsed(text),
        }
    }

    /// A description, unless it has commas and decimal points.
    pub(super) fn description(self) -> Option<&'static str> {
        Some(match (self.separator, self.mark) {
            (b';', Mark::Comma) => "columns separated by semicolons, decimal commas",
            (b';', _) => "columns separated by semicolons",
            (b'\t', Mark::Comma) => "columns separated by tabs, decimal commas",
            (b'\t', _) => "columns separated by tabs",
            _ => return None,
        })
    }

    /// The fault of a row with more cells than the head has names.
    pub(super) fn too_long(self, span: Range<usize>, cells: usize, columns: usize) -> Fault {
        let title = format!("the row has {cells} cells, and the head names {columns} columns");
        let help = match self.separator {
            b',' => {
                "a decimal comma, or a comma in a date or text, splits a cell in two: write \
                 decimal points and put text in quotes, or separate columns by semicolons"
            }
            _ => "put a cell that holds the separator in quotes",
        };
        Fault::at(span, title).help(help)
    }
}

/// Where the head of a table begins after a title line: one cell above a line of several names,
/// below which there are numbers; 0 where there is no title.
pub(super) fn behind_title(text: &str) -> usize {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(BYTE_ORDER_MARK);
        if !bare.trim().is_empty() && !bare.starts_with('#') && !is_separator_line(bare) {
            starts.push((at, bare.trim()));
        }
        at += line.len();
        if starts.len() == 3 {
            break;
        }
    }
    let [(_, title), (head, names), (_, row)] = starts[..] else { return 0 };
    let parts = [',', ';', '\t'];
    let of = parts.into_iter().max_by_key(|part| names.matches(*part).count()).expect("three");
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split(of).map(|cell| cell.trim().trim_matches('"').trim().to_string());
        cells.collect()
    };
    let is_number = |cell: &String| cell.starts_with(|letter: char| letter.is_ascii_digit());
    let full = |cells: &[String]| cells.iter().filter(|cell| !cell.is_empty()).count();
    let (above, head_cells, below) = (cells(title), cells(names), cells(row));
    let is_title = full(&above) == 1
        && !is_number(&above[0])
        && full(&head_cells) > 1
        && !head_cells.iter().any(is_number)
        && below.iter().any(is_number);
    if is_title { head } else { 0 }
}

/// Whether a line states the separator for Excel: `sep=;`.
pub(super) fn is_separator_line(line: &str) -> bool {
    let line = line.trim_start_matches(BYTE_ORDER_MARK).trim().trim_matches('"');
    line.len() <= 5 && line.to_ascii_lowercase().starts_with("sep=")
}

/// Whether the commas of a number may part its thousands; nothing where it is no number with commas.
fn of_commas(text: &str) -> Option<bool> {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let ends_in_digits =
        text.bytes().next().is_some_and(is_digit) && text.bytes().last().is_some_and(is_digit);
    let of_number = |byte: u8| is_digit(byte) || b",.".contains(&byte);
    if !text.contains(',') || !ends_in_digits || !text.bytes().all(of_number) {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.contains(',') {
        return Some(false); // 1.234,5
    }
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let starts = (1..=3).contains(&first.len()) && !first.starts_with('0');
    Some(starts && groups.all(|group| group.len() == 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_and_mark_are_found_out() {
        for (text, separator, mark) in [
            ("batch,latency_ms\n1,0.75\n", b',', Mark::Point),
            ("batch;latency_ms\n1;0,75\n", b';', Mark::Comma),
            ("batch;latency_ms\n1;0.75\n", b';', Mark::Point),
            ("\u{feff}# ours\r\n\r\nbatch\tlatency_ms\r\n1\t0,75\r\n", b'\t', Mark::Comma),
            ("batch;ms\n1;1,234\n2;2,345\n", b';', Mark::Unclear),
            ("batch;ms\n1;1,234\n2;12,5\n", b';', Mark::Comma),
            ("batch;ms\n1;0,234\n", b';', Mark::Comma),
            ("batch;ms\n1;\"0,234\"\n", b';', Mark::Comma),
            ("\"a;b;c\",d\n", b',', Mark::Point),
            ("one\n1\n", b',', Mark::Point),
            ("", b',', Mark::Point),
        ] {
            assert_eq!(Dialect::of(text), Dialect { separator, mark }, "{text:?}");
        }
    }

    /// Whatever number is written with a comma, it is read as the same with a point, or refused.
    #[test]
    fn numbers_are_read_by_the_mark_or_refused() {
        let of = |mark: Mark, text: &str| Dialect { separator: b';', mark }.number(text);
        assert_eq!(of(Mark::Comma, "0,75"), Ok(0.75));
        assert_eq!(of(Mark::Comma, "-1,5e3"), Ok(-1500.0));
        assert_eq!(of(Mark::Comma, "8"), Ok(8.0));
        assert_eq!(of(Mark::Unclear, "8.5"), Ok(8.5));
        for (mark, text, told) in [
            (Mark::Comma, "1.234,5", "decimal comma"),
            (Mark::Comma, "1.5", "decimal comma"),
            (Mark::Comma, "1,234,567", ""),
            (Mark::Unclear, "1,234", "1.234 or 1234"),
            (Mark::Point, "1,5", "decimal point"),
            (Mark::Point, "fast", ""),
        ] {
            let help = of(mark, text).expect_err(text);
            assert!(help.contains(told) && told.is_empty() == help.is_empty(), "{text}: {help}");
        }
    }
}
