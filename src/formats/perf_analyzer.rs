//! The CSV of `perf_analyzer -f FILE`: one row for each concurrency, times in microseconds, rows in
//! the order of throughput.
//!
//! The file does not say how large a request's batch was.

use super::rows::Rows;
use super::{FAULTS_MAX, Fault};
use std::ops::Range;

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub struct Level {
    /// Requests under way at once.
    pub concurrency: u32,
    /// Requests' samples answered per second.
    pub inferences_per_s: f64,
    /// Mean time on the GPU, in milliseconds; nothing where the server did not say.
    pub compute_ms: Option<f64>,
    /// Median of the latency, in milliseconds.
    pub p50_ms: f64,
    /// The place of the row's concurrency.
    pub span: Range<usize>,
}

/// Reads every row, or says all that is wrong.
pub fn read(text: &str) -> Result<Vec<Level>, Vec<Fault>> {
    let rows = Rows::read(text)?;
    let needed = ["Concurrency", "Inferences/Second", "p50 latency"];
    let columns = needed.map(|name| rows.column(&[name]));
    if let Some(missing) = columns.iter().position(Option::is_none) {
        let mut title = format!("the head has no column `{}`", needed[missing]);
        if rows.column(&["Request Rate"]).is_some() {
            title.push_str(", but `Request Rate`");
        }
        let fault = Fault::at(rows.head_span(), title);
        return Err(vec![fault.help("measure with --concurrency-range, such as 1:8")]);
    }
    let columns = columns.map(|column| column.expect("every one is there"));
    let compute = rows.column(&["Server Compute Infer"]);
    let (mut levels, mut faults) = (Vec::new(), Vec::new());
    for index in 0..rows.len() {
        let cell = |column: usize| rows.cell(index, column);
        let whole = |number: f64| (1.0..=1e6).contains(&number) && number.fract() == 0.0;
        let above = |number: f64| number > 0.0 && number <= 1e10;
        let span = cell(columns[0]).map_or(0..0, |cell| cell.span);
        let concurrency =
            cell(columns[0]).and_then(|cell| cell.number(whole, "a whole number, 1 to 1000000"));
        let rate = cell(columns[1])
            .and_then(|cell| cell.number(above, "above 0, in inferences per second"));
        let micros = |column: usize| {
            cell(column).and_then(|cell| cell.number(above, "above 0, in microseconds"))
        };
        let p50 = micros(columns[2]);
        // A server that tells no compute time has 0 there, or nothing.
        let compute = compute.and_then(|column| micros(column).ok());
        match (concurrency, rate, p50) {
            (Ok(concurrency), Ok(inferences_per_s), Ok(p50)) => levels.push(Level {
                concurrency: concurrency as u32,
                inferences_per_s,
                compute_ms: compute.map(|micros| micros / 1e3),
                p50_ms: p50 / 1e3,
                span,
            }),
            (concurrency, rate, p50) => {
                faults.extend([concurrency.err(), rate.err(), p50.err()].into_iter().flatten());
            }
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if levels.is_empty() && faults.is_empty() {
        faults.push(Fault::at(rows.head_span(), "the file has a head and no rows"));
    }
    if faults.is_empty() { Ok(levels) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_any_order() {
        let text = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n4,1600,5,90,1400,20,600,10,1,2400,2600,2700,3000\n1,900,5,90,30,20,600,10,1,1050,1100,1150,1300\n";
        let levels = read(text).unwrap();
        assert_eq!((levels[1].concurrency, levels[1].compute_ms), (1, Some(0.6)));
        assert_eq!((levels[0].inferences_per_s, levels[0].p50_ms), (1600.0, 2.4));
        let faults = read(&text.replace("1050", "-1")).unwrap_err();
        assert_eq!(&text.replace("1050", "-1")[faults[0].span.clone()], "-1");
        let rates = text.replace("Concurrency", "Request Rate");
        assert!(read(&rates).unwrap_err()[0].title.contains("but `Request Rate`"));
    }
}
