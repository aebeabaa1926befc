//! A trace of operations on VMs, such as their arrivals and departures: CSV with a row for each operation.
//!
//! Columns have the names of the keys of `[[operation]]`, in any order; `at` and `kind` must be there. A time
//! without unit is in seconds. An empty cell says nothing.

use super::rows::Rows;
use super::{FAULTS_MAX, Fault, Placed};
use std::ops::Range;

/// The columns.
pub const COLUMNS: [&str; 8] = ["at", "kind", "vm", "to", "to_card", "host", "back_after", "name"];
/// Those that hold times.
const TIMES: [&str; 2] = ["at", "back_after"];
/// Those that must be there.
const NEEDED: [&str; 2] = ["at", "kind"];

/// An operation.
#[derive(Clone, PartialEq, Debug)]
pub struct OperationRow {
    /// Its place in the text.
    pub span: Range<usize>,
    /// Its cells that are not empty, each with its column; a time has its unit.
    pub cells: Vec<(&'static str, Placed<String>)>,
}

/// Reads a trace; at least one row.
pub fn read(text: &str) -> Result<Vec<OperationRow>, Vec<Fault>> {
    let rows = Rows::read(text)?;
    let mut faults = Vec::new();
    let mut columns: Vec<(usize, &'static str)> = Vec::new();
    for (place, (name, span)) in rows.head().enumerate() {
        match COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(name)) {
            Some(column) => columns.push((place, column)),
            None if name.is_empty() => {}
            None => {
                let shown: String = name.chars().take(40).collect();
                let title = format!("the file has a column `{shown}`, which no operation has");
                faults.push(Fault::at(span, title).allowed(COLUMNS.join(", ")));
            }
        }
    }
    for column in NEEDED.iter().filter(|column| rows.column(&[column]).is_none()) {
        let title = format!("the file has no column `{column}`");
        let help = "name the columns in the first line, such as at,kind,vm";
        faults.push(Fault::at(rows.head_span(), title).help(help));
    }
    if rows.len() == 0 {
        faults.push(Fault::at(rows.head_span(), "the file has no rows below its head"));
    }
    if !faults.is_empty() {
        faults.truncate(FAULTS_MAX);
        return Err(faults);
    }
    // A date would be told as a time with a wrong unit.
    let cells = (0..rows.len()).flat_map(|row| {
        let rows = &rows;
        let times = columns.iter().filter(|(_, column)| TIMES.contains(column));
        times.filter_map(move |(place, _)| rows.cell(row, *place).ok())
    });
    faults.extend(cells.filter_map(|cell| no_date(cell.text, cell.column, cell.span)));
    if !faults.is_empty() {
        faults.truncate(FAULTS_MAX);
        return Err(faults);
    }
    let row = |row: usize| {
        let cells = columns.iter().filter_map(|(place, column)| {
            let cell = rows.cell(row, *place).ok().filter(|cell| !cell.text.is_empty())?;
            let seconds = cell.number(|_| true, "").ok().filter(|_| TIMES.contains(column));
            let value = seconds.map_or(cell.text.to_string(), |seconds| format!("{seconds} s"));
            Some((*column, Placed { value, span: cell.span }))
        });
        OperationRow { span: rows.span(row), cells: cells.collect() }
    };
    Ok((0..rows.len()).map(row).collect())
}

/// Why a cell is no time of a run, where it is a date or a time of day.
fn no_date(text: &str, column: &str, span: Range<usize>) -> Option<Fault> {
    let looks_so = text.contains([':', '/']) || text.matches('-').count() == 2;
    if !looks_so || !text.starts_with(|one: char| one.is_ascii_digit()) {
        return None;
    }
    let shown: String = text.chars().take(40).collect();
    let fault = Fault::at(span, format!("`{column}` is \"{shown}\", a date or a time of day"));
    let parts: Option<Vec<f64>> = text.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match parts.as_deref() {
        Some([hours, minutes, seconds]) => Some(hours * 3600.0 + minutes * 60.0 + seconds),
        _ => None,
    };
    let fault = fault.allowed("seconds, or a time with its unit, from the start of the run");
    Some(match seconds {
        Some(seconds) => {
            fault.help(format!("write {seconds} for as long after the start of the run"))
        }
        None => fault.help("subtract the start of the run from each: 90, or 2 min"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_what_their_cells_say() {
        let text = "kind,at,vm\npower-off,90,a-1\n# back\npower-on,2 min,a-1\nhost-failure,7.5\n";
        let rows = read(text).unwrap();
        let told = |row: &OperationRow| {
            let cells = row.cells.iter().map(|(column, cell)| format!("{column}={}", cell.value));
            cells.collect::<Vec<_>>().join(" ")
        };
        let told: Vec<String> = rows.iter().map(told).collect();
        assert_eq!(
            told,
            [
                "kind=power-off at=90 s vm=a-1",
                "kind=power-on at=2 min vm=a-1",
                "kind=host-failure at=7.5 s"
            ]
        );
        let (_, at) = &rows[1].cells[1];
        assert_eq!(
            (&text[at.span.clone()], &text[rows[1].span.clone()]),
            ("2 min", "power-on,2 min,a-1")
        );
    }

    /// Of a time of day 5 minutes are 300 s; of a date nobody knows when the run began.
    #[test]
    fn dates_are_told_what_to_write() {
        let text = "at,kind,vm\n2024-01-02T10:15:00Z,resume,a\n1/2/2024 10:15,resume,a\n00:05:00,resume,a\n-5,resume,a\n";
        let faults = read(text).unwrap_err();
        let helps: Vec<&str> = faults.iter().map(|fault| &*fault.help).collect();
        let of_a_date = "subtract the start of the run from each: 90, or 2 min";
        let of_a_time = "write 300 for as long after the start of the run";
        assert_eq!(helps, [of_a_date, of_a_date, of_a_time]);
        assert_eq!(&text[faults[2].span.clone()], "00:05:00");
    }

    #[test]
    fn all_faults_of_the_head_are_told_at_once() {
        let faults = read("when,kind,vms\n").unwrap_err();
        let titles: Vec<&str> = faults.iter().map(|fault| &*fault.title).collect();
        assert_eq!(
            titles,
            [
                "the file has a column `when`, which no operation has",
                "the file has a column `vms`, which no operation has",
                "the file has no column `at`",
                "the file has no rows below its head"
            ]
        );
    }
}
