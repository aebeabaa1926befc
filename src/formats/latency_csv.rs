//! `batch,latency_ms`: batch times on the GPU, one measurement per row, in any order.
//!
//! The name of the column of times has its unit: `latency_us`, `time_s`, `GPU time (ms)`. Of
//! several, GPU time is taken before others and a median before a mean; totals, percentiles and
//! other times are ignored. Columns are separated by commas, semicolons or tabs, and decimal commas
//! are read where the separator is not a comma. Several rows of one batch size are repetitions.
//! Their meaning for a model is not considered here.

use super::rows::{Rows, time_column};
use super::{FAULTS_MAX, Fault};
use std::ops::Range;

/// The content of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchTimes {
    /// Every row.
    pub rows: Vec<Measured>,
    /// The column that was taken for the times, as written.
    pub column: String,
    /// The unit in its name, as a word.
    pub unit: &'static str,
    /// How the table is written, unless with commas and decimal points.
    pub written: Option<&'static str>,
    /// The title line above the head, which is ignored.
    pub title: Option<String>,
    /// Columns that are ignored, as written.
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

/// What a column of times of a batch is called, without its unit, for those that lack one.
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

/// Words of columns that are times of something else than one batch, or not its usual one: of all batches,
/// of a sample, of copies and queues, the ends of a distribution and its width.
const OTHER_TIMES: [&str; 56] = [
    "total",
    "sum",
    "all",
    "wall",
    "e2e",
    "end",
    "per",
    "sample",
    "image",
    "img",
    "token",
    "queue",
    "wait",
    "copy",
    "h2d",
    "d2h",
    "load",
    "preprocess",
    "postprocess",
    "pre",
    "post",
    "enqueue",
    "host",
    "cpu",
    "network",
    "warmup",
    "timestamp",
    "start",
    "stop",
    "since",
    "epoch",
    "date",
    "p75",
    "p90",
    "p95",
    "p97",
    "p98",
    "p99",
    "p999",
    "q90",
    "q95",
    "q99",
    "90",
    "95",
    "99",
    "min",
    "max",
    "minimum",
    "maximum",
    "std",
    "stdev",
    "stddev",
    "sd",
    "var",
    "error",
    "ci",
];

/// Words that say that a time is the GPU's.
const OF_GPU: [&str; 10] =
    ["gpu", "compute", "cuda", "kernel", "device", "infer", "inference", "forward", "model", "net"];

/// Words of the middle of several measurements, the better before the others.
const MIDDLES: [&str; 9] =
    ["median", "p50", "q50", "50", "med", "mean", "avg", "average", "mittel"];

/// Names of the column of batch sizes, without blanks and marks.
const BATCHES: [&str; 14] = [
    "batch",
    "batchsize",
    "bs",
    "b",
    "batches",
    "batchgröße",
    "batchgroesse",
    "taillebatch",
    "samplesperbatch",
    "n",
    "samples",
    "images",
    "size",
    "minibatch",
];

/// Reads every row, or returns all faults.
pub fn read(text: &str) -> Result<BatchTimes, Vec<Fault>> {
    if let Some(fault) = no_csv(text) {
        return Err(vec![fault]);
    }
    let rows = Rows::read_below_title(text)?;
    let batch = batch(&rows);
    let (time, ms, unit) = time(&rows, batch.is_some())?;
    let of_batch = batch.expect("it was asked for");
    let (mut measured, mut faults) = (Vec::new(), Vec::new());
    for (batch, time) in rows.cells(of_batch).zip(rows.cells(time)) {
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
    let passed_over = names
        .iter()
        .enumerate()
        .filter(|(index, name)| ![time, of_batch].contains(index) && !name.is_empty());
    Ok(BatchTimes {
        rows: measured,
        column: names[time].clone(),
        unit,
        written: rows.description(),
        title: rows.title().map(str::to_string),
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

/// Whether the head of a table may be that of batch times.
pub(super) fn may_be_head(names: &[String]) -> bool {
    let is_batch = |name: &String| BATCHES.contains(&joined(name).as_str());
    names.iter().any(is_batch) && names.iter().any(|name| unit_of(name).is_some())
}

/// A name in small letters without what parts its words.
fn joined(name: &str) -> String {
    name.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The column of batch sizes: the name that stands first among the known ones.
fn batch(rows: &Rows) -> Option<usize> {
    let names: Vec<String> = rows.names().iter().map(|name| joined(name)).collect();
    BATCHES.iter().find_map(|known| names.iter().position(|name| name == known))
}

/// The words of a column's name, and its unit of time: behind the name, or within it where a word can be
/// nothing else (`mean_ms_gpu`).
fn unit_of(name: &str) -> Option<(Vec<String>, (&'static str, f64))> {
    let words = |base: &str| base.split('_').map(str::to_string).collect::<Vec<_>>();
    let (base, unit) = time_column(name);
    if let Some(unit) = unit {
        // `time_min` is the least time, not one in minutes.
        return (unit.0 != "minutes").then(|| (words(&base), unit));
    }
    let all = words(&base);
    let within = all
        .iter()
        .position(|word| ["ms", "us", "ns", "msec", "usec", "µs"].contains(&word.as_str()))?;
    let (_, unit) = time_column(&all[within]);
    let others = all.iter().enumerate().filter(|(at, _)| *at != within);
    Some((others.map(|(_, word)| word.clone()).collect(), unit?))
}

/// How well a column of times suits: the GPU's before others, a median before a mean before what says
/// neither; nothing for times of something else.
fn suits(words: &[String]) -> Option<(bool, usize)> {
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(&OTHER_TIMES) {
        return None;
    }
    let middle = MIDDLES.iter().position(|middle| words.iter().any(|word| word == middle));
    Some((!has(&OF_GPU), middle.unwrap_or(MIDDLES.len())))
}

/// The column of times, a unit of it in milliseconds, and the unit in words.
fn time(rows: &Rows, has_batch: bool) -> Result<(usize, f64, &'static str), Vec<Fault>> {
    let at_head = |title: String| Fault::at(rows.head_span(), title).allowed(COLUMNS);
    if !has_batch {
        return Err(vec![other_table(rows, at_head(missing(rows, "`batch`")))]);
    }
    let with_unit: Vec<_> = rows
        .head()
        .enumerate()
        .filter_map(|(index, (name, span))| Some((index, name, span, unit_of(name)?)))
        .collect();
    let mut found: Vec<_> = with_unit
        .iter()
        .filter_map(|(index, name, span, (words, unit))| {
            Some((suits(words)?, *index, *name, span, *unit))
        })
        .collect();
    found.sort_by_key(|(rank, index, ..)| (*rank, *index));
    match &found[..] {
        [(rank, _, first, ..), (other, _, second, span, _), ..] if rank == other => {
            let title = format!("`{first}` and `{second}` are both times of a batch");
            let help = "keep the one that is GPU time alone";
            Err(vec![Fault::at((*span).clone(), title).help(help)])
        }
        [(_, index, _, _, (unit, ms)), ..] => Ok((*index, *ms, unit)),
        [] => {
            let bare = rows.head().find(|(name, _)| {
                let (base, unit) = time_column(name);
                unit.is_none() && !base.is_empty() && TIMES.contains(&base.as_str())
            });
            if let Some((name, span)) = bare {
                let title = format!("the column `{name}` does not state its unit");
                let help = format!("name it {name}_ms, {name}_us or {name}_s");
                return Err(vec![Fault::at(span, title).help(help)]);
            }
            if let Some((_, name, span, (_, (unit, _)))) = with_unit.first() {
                let title = format!("`{name}` is hardly the usual time of one batch on the GPU");
                let short = TIME_ENDINGS.iter().find(|(known, _)| known == unit);
                let ending = short.map_or("ms", |(_, ending)| ending);
                let help = format!("if it is, name it latency_{ending}");
                return Err(vec![Fault::at(span.clone(), title).allowed(COLUMNS).help(help)]);
            }
            Err(vec![at_head(missing(rows, "`latency_ms`"))])
        }
    }
}

/// Units in words, and as names of columns end.
const TIME_ENDINGS: [(&str, &str); 4] =
    [("nanoseconds", "ns"), ("microseconds", "us"), ("milliseconds", "ms"), ("seconds", "s")];

fn missing(rows: &Rows, column: &str) -> String {
    let shown: String = rows.names().join(", ").chars().take(80).collect();
    // One name above rows of several cells.
    let is_title =
        rows.names().iter().filter(|name| !name.is_empty()).count() == 1 && rows.len() > 1;
    let title = if is_title { ": drop a title above the head, or begin it with #" } else { "" };
    format!("the head has no column {column}, but {shown}{title}")
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

    /// A line of one cell above the head is a title, in any way of parting cells; two are none.
    #[test]
    fn a_title_above_the_head_is_passed_over() {
        for text in [
            "BERT on our A30\nbatch,latency_ms\n1,0.5\n8,2\n",
            "\u{feff}\"BERT, fp16\";\n\nbatch;latency_ms\n1;0,5\n8;2\n",
            "# ours\nRun of Monday,,\nbatch,latency_ms,note\n1,0.5,a\n8,2,b\n",
        ] {
            let found = read(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
            let plain: Vec<_> = found.rows.iter().map(|row| (row.batch, row.ms)).collect();
            assert_eq!(plain, [(1, 0.5), (8, 2.0)], "{text}");
            assert_eq!(&text[found.rows[1].span.clone()], "2");
            assert!(
                ["BERT on our A30", "BERT, fp16", "Run of Monday"]
                    .contains(&&found.title.unwrap()[..])
            );
        }
        for text in ["A\nB\nbatch,latency_ms\n1,2\n", "batch\n1,2\n3,4\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("batch,latency_ms\n1,2\n").unwrap().title, None);
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
            ("batch,latency", "does not state its unit"),
            ("batch,time", "does not state its unit"),
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

    /// Tables as people's own loops write them: which column is the batch, which its time.
    #[test]
    fn the_usual_time_of_a_batch_is_found_among_others() {
        for (head, chosen, ms) in [
            ("BS,fwd (ms),total_s", "fwd (ms)", 2.0),
            ("Batchgröße,Zeit [ms]", "Zeit [ms]", 2.0),
            ("batch size,mean_ms,std_ms,p50_ms,p99_ms,throughput", "p50_ms", 4.0),
            ("n,avg_latency_us,max_latency_us", "avg_latency_us", 2e-3),
            ("batch,latency_ms,gpu_time_ms", "gpu_time_ms", 3.0),
            ("batch,time_min,time_ms_mean,time_max", "time_ms_mean", 3.0),
            ("model,batch-size,latency ms", "latency ms", 3.0),
        ] {
            let row = (1..=head.split(',').count()).map(|at| at.to_string()).collect::<Vec<_>>();
            let found = read(&format!("{head}\n{}\n", row.join(",")));
            let found = found.unwrap_or_else(|faults| panic!("{head}: {faults:?}"));
            assert_eq!(found.column, chosen, "{head}");
            assert!((found.rows[0].ms / ms - 1.0).abs() < 1e-12, "{head}: {}", found.rows[0].ms);
            let names: Vec<String> = head.split(',').map(str::to_string).collect();
            assert!(may_be_head(&names), "{head}");
        }
        for (head, told) in [
            ("batch,total_s", "hardly"),
            ("batch,p99_ms", "hardly"),
            ("batch,ms_per_image", "hardly"),
            ("batch,mean_ms,avg_ms_2,mean_us", "are both times"),
            ("size_kb,latency_ms", "`batch`"),
        ] {
            let row = vec!["1"; head.split(',').count()].join(",");
            let faults = read(&format!("{head}\n{row}\n")).expect_err(head);
            assert!(faults[0].title.contains(told), "{head}: {}", faults[0].title);
        }
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
