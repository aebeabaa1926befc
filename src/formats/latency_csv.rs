//! `batch,latency_ms`: how long batches take on the GPU, one measurement a row, in any order.
//!
//! Several rows of one batch size are repetitions. What they say about a model is not asked here.

use super::rows::Rows;
use super::{FAULTS_MAX, Fault};
use std::ops::Range;

/// One measured batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// Samples in the batch, at least 1.
    pub batch: u32,
    /// Its time in milliseconds, above 0.
    pub ms: f64,
    /// The place of the row's time.
    pub span: Range<usize>,
}

/// The columns a file may have, for messages.
const COLUMNS: &str = "batch, and latency_ms (or latency_us, latency_s)";

/// Reads every row, or says all that is wrong.
pub fn read(text: &str) -> Result<Vec<Measured>, Vec<Fault>> {
    let rows = Rows::read(text)?;
    let batch = rows.column(&["batch", "batch_size"]);
    let units =
        [(["latency_ms", "ms"], 1.0), (["latency_us", "us"], 1e-3), (["latency_s", "s"], 1e3)];
    let time = units.iter().find_map(|(names, ms)| Some((rows.column(names)?, *ms)));
    let (Some(batch), Some((time, ms))) = (batch, time) else {
        let missing = if batch.is_none() { "`batch`" } else { "`latency_ms`" };
        let names = rows.names().join(", ");
        let shown: String = names.chars().take(80).collect();
        let title = format!("the head has no column {missing}, but {shown}");
        return Err(vec![Fault::at(rows.head_span(), title).allowed(COLUMNS)]);
    };
    let (mut measured, mut faults) = (Vec::new(), Vec::new());
    for (batch, time) in rows.cells(batch).zip(rows.cells(time)) {
        let whole = |number: f64| (1.0..=1e6).contains(&number) && number.fract() == 0.0;
        let batch =
            batch.and_then(|cell| cell.number(whole, "a whole number, 1 to 1000000 samples"));
        let span = time.as_ref().map_or(0..0, |cell| cell.span.clone());
        let above = |number: f64| number > 0.0 && number * ms <= 1e7;
        let time = time.and_then(|cell| cell.number(above, "above 0, at most 10000 s"));
        match (batch, time) {
            (Ok(batch), Ok(time)) => {
                measured.push(Measured { batch: batch as u32, ms: time * ms, span });
            }
            (batch, time) => faults.extend([batch.err(), time.err()].into_iter().flatten()),
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if measured.is_empty() && faults.is_empty() {
        faults.push(Fault::at(rows.head_span(), "the file has a head and no rows"));
    }
    if faults.is_empty() { Ok(measured) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let text = "# ours\nlatency_us, batch,gpu\n\n1500, 1,a\n2500.5,2,b\r\n";
        let found = read(text).unwrap();
        let plain: Vec<_> = found.iter().map(|row| (row.batch, row.ms)).collect();
        assert_eq!(plain, [(1, 1.5), (2, 2.5005)]);
        assert_eq!(&text[found[1].span.clone()], "2500.5");
    }

    #[test]
    fn every_bad_cell_is_told_with_its_place() {
        let text = "batch,latency_ms\n1,2\n0,3\n2,-1\n3\n";
        let faults = read(text).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| &text[fault.span.clone()]).collect();
        assert_eq!(places, ["0", "-1", "3"]);
        assert!(faults[2].title.contains("no `latency_ms`"), "{}", faults[2].title);
        assert!(read("batch,time\n1,2\n").unwrap_err()[0].title.contains("`latency_ms`"));
        assert!(read("").is_err() && read("batch,ms\n").is_err());
    }
}
