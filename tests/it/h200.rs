//! Turns of CUDA processes as an H200 took them: recorded runs told again, query by query.
//!
//! The data and the rules stand in `tests/measured/h200/README.md`. A telling gets the instants at
//! which queries came and the time that one takes alone; nothing is fitted but the order of the ring,
//! which each start of processes has its own of. Copies, MPS and model servers are not here.

use crate::ring_twin::{
    Held, LaunchKind, Load, Process, System, Timing, Told, fast, slow, slow_with,
};
use std::collections::BTreeMap;
use std::fs;

/// A telling of turns: the twin's, or the program's.
type Simulate<'a> = &'a dyn Fn(&System) -> Told;

/// An open loop: recorded arrivals of processes that were started together.
struct OpenLoop {
    case: String,
    processes: Vec<Recorded>,
}

/// What one process of an open loop did.
struct Recorded {
    /// The time of one query alone, from launch to return, in us.
    solo: f64,
    /// What was asked for, in ms: processes of one length are alike.
    length: String,
    /// When each query came, and when it was done, in us.
    queries: Vec<(f64, f64)>,
}

impl Recorded {
    fn latencies(&self) -> impl Iterator<Item = f64> {
        self.queries.iter().map(|(came, done)| done - came)
    }
}

type Row = BTreeMap<String, String>;

fn rows(file: &str) -> Vec<Row> {
    let text = fs::read_to_string(format!("tests/measured/h200/{file}")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_string));
    let head: Vec<String> = lines.next().unwrap().collect();
    lines.map(|cells| head.iter().cloned().zip(cells).collect()).collect()
}

fn number(row: &Row, key: &str) -> f64 {
    row[key].parse().unwrap()
}

/// The part of a query's time alone in which its kernel is not on the GPU, in us: the way there and back,
/// while another process or the next kernel may run.
///
/// Kernels of 0.5 ms, four in flight: from one end to the next within a turn there are 502.4 us (the
/// median), but 509.9 from launch to return of one alone. The difference is 7.5 us.
fn host() -> f64 {
    let ahead = |row: &Row| row["case"] == "d0.5" && row["nproc"] == "2";
    let found = rows("cases.csv").into_iter().filter(ahead);
    let found: Vec<f64> =
        found.map(|row| number(&row, "solo_us") - number(&row, "p50_us")).collect();
    mean(&found)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Every open loop with so many processes.
fn open_loops(processes: &str) -> Vec<OpenLoop> {
    let mut found: BTreeMap<String, Vec<Recorded>> = BTreeMap::new();
    let of = |row: &Row| row["nproc"] == processes;
    for row in rows("cases.csv").iter().filter(|row| row["phase"] == "open" && of(row)) {
        let (solo, length) = (number(row, "solo_us"), row["len_ms"].clone());
        found.entry(row["case"].clone()).or_default().push(Recorded {
            solo,
            length,
            queries: Vec::new(),
        });
    }
    for row in rows("open.csv").iter().filter(|row| of(row)) {
        let process = &mut found.get_mut(&row["case"]).unwrap()[number(row, "proc") as usize];
        process.queries.push((number(row, "sched_us"), number(row, "done_us")));
    }
    found.into_iter().map(|(case, processes)| OpenLoop { case, processes }).collect()
}

fn ns(us: f64) -> u64 {
    (us * 1e3).round() as u64
}

/// Latencies in us by process, as told for a ring.
fn replayed(open: &OpenLoop, ring: &[usize], by: Simulate) -> Vec<Vec<f64>> {
    let host = host();
    let process = |recorded: &Recorded| Process {
        kind: LaunchKind::One,
        works: vec![ns(recorded.solo - host)],
        load: Load::At(recorded.queries.iter().map(|query| ns(query.0)).collect()),
    };
    let told = by(&System {
        timing: Timing::H200,
        ring: ring.to_vec(),
        processes: open.processes.iter().map(process).collect(),
        horizon: u64::MAX,
    });
    let latencies = |slot: usize| {
        let own = told.range((slot, 0)..(slot + 1, 0));
        own.map(|(_, &(made, done))| (done - made) as f64 / 1e3 + host).collect()
    };
    (0..open.processes.len()).map(latencies).collect()
}

/// Every ring of so many processes: where a ring starts is nothing to it.
fn rings(count: usize) -> Vec<Vec<usize>> {
    (1..count).fold(vec![vec![0]], |rings, slot| {
        let longer = |ring: Vec<usize>| {
            (1..=ring.len()).map(move |at| {
                let mut ring = ring.clone();
                ring.insert(at, slot);
                ring
            })
        };
        rings.into_iter().flat_map(longer).collect()
    })
}

/// Queries told within 5 % of what was measured.
fn close(open: &OpenLoop, told: &[Vec<f64>]) -> usize {
    let both = open.processes.iter().zip(told);
    let both = both.flat_map(|(recorded, told)| recorded.latencies().zip(told));
    both.filter(|(measured, told)| (*told / measured - 1.0).abs() <= 0.05).count()
}

/// How a telling does on the open loops of one start of processes.
struct Start {
    queries: usize,
    /// Queries within 5 % with the ring that fits best, and on average over rings.
    fitted: usize,
    averaged: f64,
    ring: Vec<usize>,
    /// By case: queries within 5 % for each ring.
    by_case: Vec<(String, Vec<usize>)>,
}

fn start(processes: usize, by: Simulate) -> Start {
    let open = open_loops(&processes.to_string());
    let rings = rings(processes);
    let within =
        |open: &OpenLoop| rings.iter().map(|ring| close(open, &replayed(open, ring, by))).collect();
    let by_case: Vec<(String, Vec<usize>)> =
        open.iter().map(|open| (open.case.clone(), within(open))).collect();
    let total = |ring: usize| by_case.iter().map(|(_, within)| within[ring]).sum::<usize>();
    let best = (0..rings.len()).max_by_key(|&ring| total(ring)).unwrap();
    Start {
        queries: open.iter().flat_map(|open| &open.processes).map(|of| of.queries.len()).sum(),
        fitted: total(best),
        averaged: (0..rings.len()).map(total).sum::<usize>() as f64 / rings.len() as f64,
        ring: rings[best].clone(),
        by_case,
    }
}

/// The share of queries within 5 %: with the rings fitted, averaged over rings, with two processes.
fn shares(by: Simulate) -> (f64, f64, f64) {
    let (two, four) = (start(2, by), start(4, by));
    let all = (two.queries + four.queries) as f64;
    let fitted = (two.fitted + four.fitted) as f64 / all;
    (fitted, (two.averaged + four.averaged) / all, two.fitted as f64 / two.queries as f64)
}

/// Asked of every telling: 95 % of queries within 5 % with the rings fitted, 89 % averaged over rings,
/// 95 % with two processes. The rules that were frozen before a second run had 96.4, 91.0, 97.6 there.
fn hold_queries(by: Simulate) {
    let (fitted, averaged, two) = shares(by);
    println!("within 5 %: fitted {fitted:.4}, averaged {averaged:.4}, two {two:.4}");
    assert!(fitted >= 0.95 && averaged >= 0.89 && two >= 0.95, "{fitted} {averaged} {two}");
}

#[test]
fn recorded_queries_are_told_within_five_percent() {
    hold_queries(&slow);
    hold_queries(&fast);
}

/// The four processes of all six cases were started once, so one ring must fit each of them best; nobody
/// told it. Four cases have one best ring of the six: by chance they would agree once in 216.
#[test]
fn one_ring_fits_all_cases_of_one_start() {
    let four = start(4, &slow);
    assert_eq!(four.ring, [0, 2, 1, 3]);
    let fitted = rings(4).iter().position(|ring| *ring == four.ring).unwrap();
    assert_eq!(four.by_case.len(), 6);
    for (case, within) in &four.by_case {
        assert_eq!(within[fitted], *within.iter().max().unwrap(), "{case}: {within:?}");
    }
}

/// The nearest rank, as the probe takes it.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    sorted[(q * sorted.len() as f64).ceil() as usize - 1]
}

fn percent(told: f64, measured: f64) -> f64 {
    100.0 * (told / measured - 1.0)
}

const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Errors in % of mean, p50, p90 and p99 over the rows: a row is the alike processes of a case, pooled. A
/// percentile q of n queries counts only where n (1 - q) >= 10.
fn errors(by: Simulate) -> [Vec<f64>; 4] {
    let mut errors: [Vec<f64>; 4] = Default::default();
    for processes in [2, 4] {
        let ring = start(processes, by).ring;
        for open in open_loops(&processes.to_string()) {
            let mut alike: BTreeMap<&str, [Vec<f64>; 2]> = BTreeMap::new();
            for (recorded, told) in open.processes.iter().zip(replayed(&open, &ring, by)) {
                let row = alike.entry(&recorded.length).or_default();
                row[0].extend(recorded.latencies());
                row[1].extend(told);
            }
            for [mut measured, mut told] in alike.into_values() {
                errors[0].push(percent(mean(&told), mean(&measured)));
                measured.sort_by(f64::total_cmp);
                told.sort_by(f64::total_cmp);
                for (errors, q) in errors[1..].iter_mut().zip(PERCENTILES) {
                    // n (1 - q) in whole hundredths.
                    if measured.len() * (100.0 * (1.0 - q)).round() as usize >= 1_000 {
                        errors.push(percent(percentile(&told, q), percentile(&measured, q)));
                    }
                }
            }
        }
    }
    errors
}

fn mean_absolute(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64
}

/// Asked: a mean absolute error of at most 1.5 % of the mean and 2 % of p99 over 14 rows (six cases with
/// two and with four processes, and the two unlike processes of another). p99 has four rows of 1000
/// queries or more.
fn hold_table(by: Simulate) {
    let errors = errors(by);
    let counts: Vec<usize> = errors.iter().map(Vec::len).collect();
    let table: Vec<f64> = errors.iter().map(|errors| mean_absolute(errors)).collect();
    println!("mean, p50, p90, p99 over {counts:?} rows: {table:.3?} %");
    assert_eq!((counts[0], counts[1], counts[3]), (14, 14, 4));
    assert!(table[0] <= 1.5 && table[3] <= 2.0, "{table:?}");
}

#[test]
fn latencies_of_open_loops_are_told() {
    hold_table(&slow);
    hold_table(&fast);
}

/// Errors in % of the mean latency of each process in closed loops of two, four and eight processes on
/// the whole chip. With more than one launch in flight the figure is the mean time between ends.
fn closed_errors(by: Simulate) -> Vec<f64> {
    let mut groups: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for row in rows("cases.csv") {
        let kernels = row["phase"] == "closed" && row["what"] == "kernel" && row["mode"] == "ts";
        if kernels && row["width"] == "full" && row["nproc"] != "1" {
            groups.entry((row["case"].clone(), row["nproc"].clone())).or_default().push(row);
        }
    }
    let host = host();
    let mut errors = Vec::new();
    for rows in groups.values() {
        let depth = rows[0]["extra"].strip_prefix("depth=").unwrap();
        let depth = depth.split(';').next().unwrap().parse().unwrap();
        let process = |row: &Row| Process {
            kind: LaunchKind::One,
            works: vec![ns(number(row, "solo_us") - host)],
            load: Load::Closed { in_flight: depth, think: vec![ns(host)] },
        };
        let horizon = ns(number(&rows[0], "seconds") * 1e6);
        let told = by(&System {
            timing: Timing::H200,
            ring: (0..rows.len()).collect(),
            processes: rows.iter().map(process).collect(),
            horizon,
        });
        for (slot, row) in rows.iter().enumerate() {
            let own: Vec<(u64, u64)> =
                told.range((slot, 0)..(slot + 1, 0)).map(|(_, times)| *times).collect();
            let spans: Vec<(u64, u64)> = match depth {
                1 => own,
                _ => own.windows(2).map(|both| (both[0].1, both[1].1)).collect(),
            };
            let way = if depth == 1 { host } else { 0.0 };
            // As in the probe: from a tenth of the time on, and what ends within it.
            let counts = spans.iter().filter(|span| span.0 >= horizon / 10 && span.1 <= horizon);
            let told: Vec<f64> = counts.map(|span| (span.1 - span.0) as f64 / 1e3 + way).collect();
            errors.push(percent(mean(&told), number(row, "mean_us")));
        }
    }
    errors
}

/// The rules' own figure is 0.4 %.
fn hold_closed_loops(by: Simulate) {
    let errors = closed_errors(by);
    let error = mean_absolute(&errors);
    println!("closed loops: {} rows, {error:.3} %", errors.len());
    assert!(error <= 0.4, "{error}: {errors:?}");
}

#[test]
fn closed_loops_are_told() {
    hold_closed_loops(&slow);
    hold_closed_loops(&fast);
}

/// Without any of the rules R4 to R7 a twentieth of the queries or more are lost, and R5 without R6 is
/// worse than neither in the mean.
#[test]
fn each_rule_is_worth_something() {
    let all = Held::ALL;
    let told = |name: &str, held: Held| {
        let by = |system: &System| slow_with(system, held);
        let (fitted, averaged, two) = shares(&by);
        let [mean, .., p99] = errors(&by).map(|errors| mean_absolute(&errors));
        let closed = mean_absolute(&closed_errors(&by));
        println!(
            "{name}: within 5 % {fitted:.3} {averaged:.3} {two:.3}; mean {mean:.1} %, p99 {p99:.1} %; closed {closed:.1} %"
        );
        (fitted, mean)
    };
    let whole = told("all rules", all).0;
    let fewer = |name: &str, held: Held| {
        let (fitted, mean) = told(name, held);
        assert!(fitted < whole - 0.05, "{name}: {fitted} of {whole}");
        mean
    };
    fewer("without R4", Held { several: false, ..all });
    fewer("without R5", Held { commit: false, ..all });
    fewer("without R7", Held { ring: false, ..all });
    let commit_alone = fewer("without R6", Held { lone: false, ..all });
    let neither = fewer("without R5, R6", Held { commit: false, lone: false, ..all });
    assert!(commit_alone > neither, "{commit_alone} {neither}");
    fewer("without R5 to R7", Held { several: true, commit: false, lone: false, ring: false });
    fewer("without R4 to R7", Held { several: false, commit: false, lone: false, ring: false });
}
