//! The CSV of `perf_analyzer -f FILE`, and of `perf_client` before it: one row for each concurrency, times
//! in microseconds, rows in the order of throughput.
//!
//! | since | times of the server |
//! |---|---|
//! | 2019 (perf_client) | `Server Compute`: inputs, inference and outputs together |
//! | 2020 | `Server Compute Input`, `Server Compute Infer`, `Server Compute Output` |
//!
//! Without a server that keeps statistics there are none of these columns, and all times are the
//! client's. The file does not state the batch size of a request.

use super::rows::Rows;
use super::{FAULTS_MAX, Fault};
use std::collections::BTreeMap;
use std::ops::Range;

/// A file.
#[derive(Clone, PartialEq, Debug)]
pub struct Levels {
    /// Its rows, each of another concurrency.
    pub levels: Vec<Level>,
    /// Columns that perf_analyzer does not write, as far as known, as written.
    pub passed_over: Vec<String>,
}

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub struct Level {
    /// Concurrent requests.
    pub concurrency: u32,
    /// Samples answered per second.
    pub inferences_per_s: f64,
    /// Mean time on the GPU; nothing where the server did not report it.
    pub compute: Option<Compute>,
    /// Mean time of a request in the server and outside of it; nothing where the server did not
    /// report it.
    pub parts: Option<Parts>,
    /// Percentiles of the client's latency in milliseconds, by the names of the result document.
    pub latency: Vec<(&'static str, f64)>,
    /// The place of the row's concurrency.
    pub span: Range<usize>,
}

impl Level {
    /// The typical time that a client waits, in milliseconds: the median, or the sum of the mean
    /// parts.
    pub fn waits_ms(&self) -> f64 {
        let median = self.latency.iter().find(|(name, _)| *name == "p50").map(|(_, ms)| *ms);
        let mean = self.parts.map(|parts| parts.server_ms + parts.outside_ms);
        median.or(mean).expect("a file has one of them")
    }
}

/// Where a request spends its time, on average.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Parts {
    /// In the server: queue, inputs, inference, outputs; in milliseconds.
    pub server_ms: f64,
    /// In the client and the network, in milliseconds.
    pub outside_ms: f64,
}

/// The percentiles that a file may have.
const PERCENTILES: [(&str, &str); 4] = [
    ("p50 latency", "p50"),
    ("p90 latency", "p90"),
    ("p95 latency", "p95"),
    ("p99 latency", "p99"),
];

/// What a request spends in the server, and what outside of it.
const IN_SERVER: [&str; 7] = [
    "Server Queue",
    "Server Compute",
    "Server Compute Input",
    "Server Compute Infer",
    "Server Compute Output",
    "Server Cache Hit",
    "Server Cache Miss",
];
const OUTSIDE: [&str; 3] = ["Client Send", "Network+Server Send/Recv", "Client Recv"];

/// The mean compute time of a server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Compute {
    /// In milliseconds.
    pub ms: f64,
    /// Whether it includes the handling of inputs and outputs, as in the oldest files.
    pub with_copies: bool,
}

/// The columns that perf_analyzer writes, beside those of percentiles.
const COLUMNS: [&str; 28] = [
    "Concurrency",
    "Request Rate",
    "Inferences/Second",
    "Response Throughput",
    "Client Send",
    "Network+Server Send/Recv",
    "Server Queue",
    "Server Compute",
    "Server Compute Input",
    "Server Compute Infer",
    "Server Compute Output",
    "Server Cache Hit",
    "Server Cache Miss",
    "Client Recv",
    "Avg latency",
    "request/response",
    "response wait",
    "Avg HTTP time",
    "Avg gRPC time",
    "Avg GPU Utilization",
    "Avg GPU Power Usage",
    "Max GPU Memory Usage",
    "Total GPU Memory",
    "Avg First Token Latency",
    "Avg Token-to-Token Latency",
    "Delayed Requests",
    "request_count",
    "Request Count",
];

/// Reads every row, or returns all faults.
pub fn read(text: &str) -> Result<Levels, Vec<Fault>> {
    if let Some(fault) = printed(text) {
        return Err(vec![fault]);
    }
    let rows = Rows::read(text)?;
    let compute = rows.column(&["Server Compute Infer"]).map(|column| (column, false));
    let compute = compute.or(rows.column(&["Server Compute"]).map(|column| (column, true)));
    // The files of an ensemble's models have times of the server and no percentiles.
    let needed = ["Concurrency", "Inferences/Second", "p50 latency"];
    let needed = &needed[..if compute.is_some() { 2 } else { 3 }];
    let columns: Vec<_> = needed.iter().map(|name| rows.column(&[name])).collect();
    if let Some(missing) = columns.iter().position(Option::is_none) {
        let title = format!("the head has no column `{}`", needed[missing]);
        let fault = |title| Fault::at(rows.head_span(), title);
        const AGAIN: &str = "measure with --concurrency-range, such as 1:8";
        return Err(vec![match rows.column(&["Request Rate"]) {
            Some(rate) => {
                fault(format!("{title}, but `Request Rate`")).help(of_rates(&rows, rate, AGAIN))
            }
            None => fault(title).help(AGAIN),
        }]);
    }
    let passed_over = unknown(&rows)?;
    let columns: Vec<usize> = columns.into_iter().flatten().collect();
    let all = |names: &[&str]| -> Vec<usize> {
        names.iter().filter_map(|name| rows.column(&[name])).collect()
    };
    let (in_server, outside) = (all(&IN_SERVER), all(&OUTSIDE));
    let percentiles: Vec<_> =
        PERCENTILES.iter().filter_map(|(name, of)| Some((*of, rows.column(&[name])?))).collect();
    let (mut levels, mut faults) = (Vec::new(), Vec::new());
    let mut lines: BTreeMap<u32, usize> = BTreeMap::new();
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
        let latency: Result<Vec<_>, Fault> =
            percentiles.iter().map(|(of, column)| Ok((*of, micros(*column)? / 1e3))).collect();
        // A server that tells no compute time has 0 there, or nothing.
        let compute = compute.and_then(|(column, with_copies)| {
            Some(Compute { ms: micros(column).ok()? / 1e3, with_copies })
        });
        let sum = |columns: &[usize]| -> Option<f64> {
            let part = |column: &usize| cell(*column).ok()?.number(|us| us >= 0.0, "").ok();
            columns.iter().map(part).sum()
        };
        let parts = compute.and_then(|_| {
            Some(Parts { server_ms: sum(&in_server)? / 1e3, outside_ms: sum(&outside)? / 1e3 })
        });
        match (concurrency, rate, latency) {
            (Ok(_), Ok(_), Ok(latency)) if latency.is_empty() && parts.is_none() => {
                let title = "the row has neither times of the server nor percentiles";
                faults.push(Fault::at(span, title).help("measure it again, or drop the row"));
            }
            (Ok(concurrency), Ok(inferences_per_s), Ok(latency)) => {
                let concurrency = concurrency as u32;
                let line = text[..span.start].matches('\n').count() + 1;
                if let Some(first) = lines.insert(concurrency, line) {
                    faults.push(repeated(span.clone(), concurrency, first));
                }
                levels.push(Level { concurrency, inferences_per_s, compute, parts, latency, span });
            }
            (concurrency, rate, latency) => {
                let all = [concurrency.err(), rate.err(), latency.err()];
                faults.extend(all.into_iter().flatten());
            }
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if levels.is_empty() && faults.is_empty() {
        faults.push(Fault::at(rows.head_span(), "the file has a head and no rows"));
    }
    if faults.is_empty() { Ok(Levels { levels, passed_over }) } else { Err(faults) }
}

/// What becomes of rows of request rates: loads with their latencies, of which none is a batch alone. The last
/// row as a run of a calibration file.
fn of_rates(rows: &Rows, rate: usize, again: &str) -> String {
    let number = |column: usize| {
        let cell = rows.cell(rows.len().checked_sub(1)?, column).ok()?;
        cell.number(|number| number > 0.0, "").ok()
    };
    let latencies = PERCENTILES.iter().filter_map(|(name, of)| {
        Some(format!("{of} = \"{} ms\"", number(rows.column(&[name])?)? / 1e3))
    });
    let latencies: Vec<String> = latencies.collect();
    let done = rows.column(&["Inferences/Second"]).and_then(number);
    match (number(rate), done) {
        (Some(asked), Some(done)) if !latencies.is_empty() => format!(
            "{again}: that measures a batch alone; a request rate is a load, and goes into a \
             calibration file in addition: [[run]] with server = {{ preset = \"triton\", \
             batch_max = N }}, load = {{ scenario = \"server\", target_qps = {asked}, arrivals = \
             \"constant\" }} (poisson with --request-distribution poisson), measured = {{ \
             completed_per_s = {done}, latency = {{ {} }} }}",
            latencies.join(", ")
        ),
        _ => again.to_string(),
    }
}

/// What perf_analyzer prints, and not what it writes.
fn printed(text: &str) -> Option<Fault> {
    let start = ["*** Measurement Settings ***", "Request concurrency:"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()?;
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let title = "this is the text that perf_analyzer prints, not the table that it writes";
    Some(Fault::at(start..end, title).help("measure with -f FILE, and name that file"))
}

/// perf_analyzer writes one row for each concurrency: two are two runs, and one of them something else.
fn repeated(span: Range<usize>, concurrency: u32, first: usize) -> Fault {
    let title = format!("a concurrency of {concurrency} is in line {first} already");
    Fault::at(span, title).help(
        "a file holds one run with one batch size: split it, and give each part its own [[times]] \
         with its batch",
    )
}

/// The columns that are not perf_analyzer's; a fault for one that says that rows differ in their batch.
fn unknown(rows: &Rows) -> Result<Vec<String>, Vec<Fault>> {
    let is_percentile = |name: &str| {
        let digits = name.strip_prefix('p').and_then(|rest| rest.strip_suffix(" latency"));
        digits.is_some_and(|digits| digits.parse::<f64>().is_ok())
    };
    let known = |name: &str| COLUMNS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let others =
        rows.head().filter(|(name, _)| !name.is_empty() && !known(name) && !is_percentile(name));
    let (mut passed_over, mut faults) = (Vec::new(), Vec::new());
    for (name, span) in others {
        if name.to_lowercase().contains("batch") {
            let title = format!(
                "`{name}` is not a column of perf_analyzer, whose files hold one batch size"
            );
            let help = "split the file by it, and give each part its own [[times]] with its batch";
            faults.push(Fault::at(span, title).help(help));
        } else {
            passed_over.push(name.to_string());
        }
    }
    if faults.is_empty() { Ok(passed_over) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_any_order() {
        let text = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n4,1600,5,90,1400,20,600,10,1,2400,2600,2700,3000\n1,900,5,90,30,20,600,10,1,1050,1100,1150,1300\n";
        let levels = read(text).unwrap().levels;
        let compute = Compute { ms: 0.6, with_copies: false };
        assert_eq!((levels[1].concurrency, levels[1].compute), (1, Some(compute)));
        assert_eq!((levels[0].inferences_per_s, levels[0].waits_ms()), (1600.0, 2.4));
        // 1400 + 20 + 600 + 10 us in the server, 5 + 90 + 1 us outside.
        let parts = levels[0].parts.unwrap();
        assert!((parts.server_ms - 2.03).abs() < 1e-9 && (parts.outside_ms - 0.096).abs() < 1e-9);
        assert_eq!(levels[0].latency.last(), Some(&("p99", 3.0)));
        let faults = read(&text.replace("1050", "-1")).unwrap_err();
        assert_eq!(&text.replace("1050", "-1")[faults[0].span.clone()], "-1");
        let rates = text.replace("Concurrency", "Request Rate");
        assert!(read(&rates).unwrap_err()[0].title.contains("but `Request Rate`"));
    }

    /// perf_client of 2019 tells one time of the server, and a server without statistics none.
    #[test]
    fn the_time_of_the_server_is_found_under_both_of_its_names() {
        let text = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv,p50 latency\n1,160.8,68,1291,38,4801,7,6212\n";
        let level = read(text).unwrap().levels.remove(0);
        assert_eq!(level.compute, Some(Compute { ms: 4.801, with_copies: true }));
        let text = "Concurrency,Inferences/Second,Client Send,Client Recv,p50 latency\n1,160.8,68,7,6212\n";
        let level = read(text).unwrap().levels.remove(0);
        assert_eq!((level.compute, level.parts), (None, None));
        // A model of an ensemble: no percentiles.
        let text = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv\n1,1512,0,5,15,154,0\n";
        let level = read(text).unwrap().levels.remove(0);
        assert!((level.waits_ms() - 0.174).abs() < 1e-9);
    }

    #[test]
    fn rows_of_several_runs_are_refused_and_foreign_columns_told() {
        let text = "Concurrency,Inferences/Second,Note,p50 latency\n1,160,a,6212\n2,200,a,9000\n1,300,a,9000\n";
        let faults = read(text).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].title.contains("line 2"), "{}", faults[0].title);
        let whole = text.replace("1,300", "3,300");
        assert_eq!(read(&whole).unwrap().passed_over, ["Note"]);
        let batches = whole.replace("Note", "Batch size");
        assert!(read(&batches).unwrap_err()[0].title.contains("one batch size"));
        let twice = whole.replace("Note", "p50 latency");
        assert!(read(&twice).unwrap_err()[0].title.contains("twice"));
    }
}
