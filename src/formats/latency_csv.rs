//! `batch,latency_ms`: how long batches take on the GPU, one measurement a row, in any order.
//!
//! The column of times says its unit: `latency_us`, `time_s`, `GPU time (ms)`. Columns are parted by commas,
//! semicolons or tabs, and decimal commas are read where columns are not parted by them. Several rows of one batch
//! size are repetitions. What they say about a model is not asked here.

use super::rows::{Rows, time_column};
use super::{FAULTS_MAX, Fault};
use std::ops::Range;

/// What a file says.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchTimes {
    /// Every row.
    pub rows: Vec<Measured>,
    /// The column that was taken for the times, as written.
    pub column: String,
    /// The unit that its name says, in words.
    pub unit: &'static str,
    /// How the table is written, where that is not with commas and decimal points.
    pub written: Option<&'static str>,
    /// Columns that say nothing here, as written.
    pub passed_over: Vec<String>,
}

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
const COLUMNS: &str = "batch, and latency_ms (or latency_us, latency_s, time_ms, gpu_time_us, ...)";

/// What a column of times of a batch is called, without its unit.
const TIMES: [&str; 15] = [
    "",
    "latency",
    "time",
    "duration",
    "elapsed",
    "compute",
    "gpu",
    "gpu_time",
    "gpu_latency",
    "gpu_compute",
    "gpu_compute_time",
    "compute_time",
    "batch_time",
    "batch_latency",
    "inference_time",
];

/// Reads every row, or says all that is wrong.
pub fn read(text: &str) -> Result<BatchTimes, Vec<Fault>> {
    if let Some(fault) = no_csv(text) {
        return Err(vec![fault]);
    }
    let rows = Rows::read(text)?;
    let batch = rows.column(&["batch", "batch_size", "batch size", "batchsize"]);
    let (time, ms, unit) = time(&rows, batch.is_some())?;
    let batch = batch.expect("it was asked for");
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
    if !faults.is_empty() {
        return Err(faults);
    }
    let names = rows.names();
    let is_batch = |name: &String| time_column(name).0.replace('_', "").starts_with("batch");
    let passed_over = names
        .iter()
        .enumerate()
        .filter(|(index, name)| *index != time && !is_batch(name) && !name.is_empty());
    Ok(BatchTimes {
        rows: measured,
        column: names[time].clone(),
        unit,
        written: rows.told(),
        passed_over: passed_over.map(|(_, name)| name.clone()).collect(),
    })
}

/// A file that is no table, by its first letter: told once, and not column by column.
fn no_csv(text: &str) -> Option<Fault> {
    let start = text.find(|c: char| !c.is_whitespace())?;
    if !text[start..].starts_with(['[', '{']) {
        return None;
    }
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let title = "the file is JSON, not a table of batch times";
    let help = "times that trtexec exported go into a calibration file: [[times]] with trtexec = \"FILE\" and batch = N; or write a table";
    Some(Fault::at(start..end, title).allowed(COLUMNS).help(help))
}

/// The column of times, a unit of it in milliseconds, and the unit in words.
fn time(rows: &Rows, has_batch: bool) -> Result<(usize, f64, &'static str), Vec<Fault>> {
    let named: Vec<_> = rows.head().map(|(name, span)| (time_column(name), name, span)).collect();
    let times = || {
        let is_time = |base: &str| TIMES.contains(&base);
        named.iter().enumerate().filter(move |(_, ((base, unit), ..))| {
            is_time(base) && (unit.is_some() || !base.is_empty())
        })
    };
    let found: Vec<_> = times()
        .filter_map(|(index, ((_, unit), name, span))| Some((index, (*unit)?, *name, span.clone())))
        .collect();
    let at_head = |title: String| Fault::at(rows.head_span(), title).allowed(COLUMNS);
    match &found[..] {
        [(index, (unit, ms), ..)] if has_batch => Ok((*index, *ms, unit)),
        [_, (_, _, second, span), ..] => {
            let title = format!("`{}` and `{second}` are both times of a batch", found[0].2);
            let help = "keep the one that is GPU time alone";
            Err(vec![Fault::at(span.clone(), title).help(help)])
        }
        [] if has_batch => {
            if let Some((_, (_, name, span))) = times().next() {
                let title = format!("the column `{name}` does not say its unit");
                let help = format!("name it {name}_ms, {name}_us or {name}_s");
                return Err(vec![Fault::at(span.clone(), title).help(help)]);
            }
            Err(vec![at_head(missing(rows, "`latency_ms`"))])
        }
        _ => Err(vec![other_table(rows, at_head(missing(rows, "`batch`")))]),
    }
}

fn missing(rows: &Rows, column: &str) -> String {
    let shown: String = rows.names().join(", ").chars().take(80).collect();
    format!("the head has no column {column}, but {shown}")
}

/// A table of another program gets the key that takes it.
fn other_table(rows: &Rows, fault: Fault) -> Fault {
    match rows.column(&["Concurrency", "Request Rate"]) {
        Some(_) => fault.help(
            "a file of perf_analyzer goes into a calibration file: [[times]] with perf_analyzer = \"FILE\" and batch = N",
        ),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let text = "# ours\nlatency_us, batch,gpu\n\n1500, 1,a\n2500.5,2,b\r\n";
        let found = read(text).unwrap();
        let plain: Vec<_> = found.rows.iter().map(|row| (row.batch, row.ms)).collect();
        assert_eq!(plain, [(1, 1.5), (2, 2.5005)]);
        assert_eq!(&text[found.rows[1].span.clone()], "2500.5");
        assert_eq!((&found.column[..], found.unit), ("latency_us", "microseconds"));
    }

    /// Whatever the name, a unit in it counts; a name without one is refused, as are two columns.
    #[test]
    fn the_unit_of_a_column_is_in_its_name() {
        for (name, ms) in [
            ("ms", 2.0),
            ("latency_ns", 2e-6),
            ("time_s", 2e3),
            ("GPU time (us)", 2e-3),
            ("Duration [ms]", 2.0),
            ("compute_time_msec", 2.0),
            ("elapsed_seconds", 2e3),
            ("latency µs", 2e-3),
        ] {
            let found =
                read(&format!("batch,{name}\n1,2\n")).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert!((found.rows[0].ms / ms - 1.0).abs() < 1e-12, "{name}: {}", found.rows[0].ms);
        }
        for (head, told) in [
            ("batch,latency", "does not say its unit"),
            ("batch,time", "does not say its unit"),
            ("batch,latency_ms,time_us", "are both times"),
            ("batch,Latency_ms,latency_ms", "twice"),
            ("batch,throughput", "`latency_ms`"),
            ("Concurrency,Inferences/Second", "`batch`"),
        ] {
            let row = vec!["1"; head.split(',').count()].join(",");
            let faults = read(&format!("{head}\n{row}\n")).unwrap_err();
            assert!(faults[0].title.contains(told), "{head}: {}", faults[0].title);
        }
        assert!(read("[\n{\"computeMs\": 1}\n]").unwrap_err()[0].title.contains("JSON"));
    }

    #[test]
    fn every_bad_cell_is_told_with_its_place() {
        let text = "batch,latency_ms\n1,2\n0,3\n2,-1\n3\n";
        let faults = read(text).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| &text[fault.span.clone()]).collect();
        assert_eq!(places, ["0", "-1", "3"]);
        assert!(faults[2].title.contains("no `latency_ms`"), "{}", faults[2].title);
        assert!(read("").is_err() && read("batch,ms\n").is_err());
    }
}
