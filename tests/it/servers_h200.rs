//! Model servers in turns on an H200: the `server` rows of `tests/measured/h200/cases.csv`, from the same
//! arrivals.
//!
//! Each process takes what waits, 32 at most, runs it as one CUDA graph of the next captured size (1, 2,
//! 4, ... 32) and starts again. The workload is the shipped one, whose times are of batches alone; nothing
//! was learnt on these rows.

use rand_mt::Mt;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::simulate;
use slicewise::spec::{Experiment, WorkTable};
use slicewise::units::SimDuration;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

/// One process of a row.
struct Process {
    arrivals_s: Vec<f64>,
    /// Mean, p50 and p90 in ms.
    measured: [f64; 3],
}

/// Rows of one case together: what was served, by how many processes.
type Case = (String, usize);

/// The arrivals of a process: exponential gaps of Python's `random.Random(seed)`, that is a Mersenne
/// Twister keyed by the seed, 53 bits a number, and -ln(1 - u) / rate.
fn arrivals(rate: f64, seconds: f64, seed: u32) -> Vec<f64> {
    let mut twister = Mt::new_with_key([seed]);
    let mut next = || {
        let (high, low) = (twister.next_u32() >> 5, twister.next_u32() >> 6);
        (f64::from(high) * f64::from(1 << 26) + f64::from(low)) / (1_u64 << 53) as f64
    };
    let gaps = std::iter::repeat_with(|| -(1.0 - next()).ln() / rate);
    let due = gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at)
    });
    due.take_while(|at| *at < seconds).collect()
}

fn cases() -> BTreeMap<Case, Vec<Process>> {
    let text = fs::read_to_string("tests/measured/h200/cases.csv").unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let mut found: BTreeMap<Case, Vec<Process>> = BTreeMap::new();
    for row in rows.deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        if row["phase"] != "server" || row["mode"] != "ts" {
            continue;
        }
        let number = |key: &str| -> f64 { row[key].parse().unwrap() };
        let seed = row["extra"].split(';').find_map(|part| part.strip_prefix("seed=")).unwrap();
        let arrivals_s = arrivals(number("rate"), number("seconds"), seed.parse().unwrap());
        assert_eq!(arrivals_s.len(), number("n") as usize, "{} {}", row["case"], row["proc"]);
        let measured = ["mean_us", "p50_us", "p90_us"].map(|key| number(key) / 1e3);
        let case = (row["case"].clone(), number("nproc") as usize);
        found.entry(case).or_default().push(Process { arrivals_s, measured });
    }
    found
}

fn experiment(
    workload: &str,
    processes: &[Process],
    seed: u64,
    catalogue: &Catalogue,
) -> Experiment {
    let mut due: Vec<(f64, usize)> = Vec::new();
    for (number, process) in processes.iter().enumerate() {
        due.extend(process.arrivals_s.iter().map(|at| (*at, number)));
    }
    due.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut trace = "arrival_s,vm\n".to_string();
    for (at, number) in due {
        writeln!(trace, "{at:.9},p{number}").unwrap();
    }
    let mut text = "host = { logical_processors = 64, memory = \"1 TB\" }
gpus = { model = \"h200-sxm-141gb\", count = 1 }
baseline = { kind = \"none\" }
"
    .to_string();
    let turns = if processes.len() > 1 { "process = \"time-slicing\"\n" } else { "" };
    for number in 0..processes.len() {
        let server =
            "preset = \"triton\", batch_max = 32, streams = 1, slots = 1, launches = \"graph\"";
        let arrivals = format!("{{ trace = \"trace.csv\", vm = \"p{number}\" }}");
        let load = format!("scenario = \"server\", arrivals = {arrivals}, rules = \"none\"");
        write!(
            text,
            "[[vm]]\nname = \"p{number}\"\nvcpus = 4\n{turns}workload = \"{workload}\"\nserver = {{ {server} }}\nload = {{ {load} }}\n"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("servers.toml");
    fs::write(folder.path().join("trace.csv"), trace).unwrap();
    fs::write(&path, text).unwrap();
    let options = LoadOptions { seed: Some(seed), ..LoadOptions::new(catalogue.clone()) };
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let mut run = scenario.pairs.into_iter().next().unwrap().virtual_run.experiment;
    for vm in &mut run.vms {
        let work = &mut vm.workload_mut().service.get_mut("h200-sxm-141gb").unwrap().work.value;
        let padded =
            [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16), (16, 16), (17, 32), (32, 32)];
        let time = |size: u32| SimDuration::from_nanos_f64(work.at(size));
        *work = WorkTable::new(padded.map(|(size, graph)| (size, time(graph))).to_vec()).unwrap();
    }
    run
}

/// Mean, p50 and p90 of the processes, in ms, as told; over orders of the ring where there are several.
fn told(workload: &str, processes: &[Process], catalogue: &Catalogue) -> [f64; 3] {
    let seeds = if processes.len() > 2 { 1..=8 } else { 1..=1 };
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    for seed in seeds {
        for vm in simulate(&experiment(workload, processes, seed, catalogue)).vms {
            let latencies = vm.recorder.latencies();
            let of = [latencies.mean(), latencies.quantile(0.5), latencies.quantile(0.9)];
            let of = of.map(|time| time.unwrap().as_millis_f64());
            sums.iter_mut().zip(of).for_each(|(sum, figure)| *sum += figure);
            count += 1.0;
        }
    }
    sums.map(|sum| sum / count)
}

/// Asked of every case: the mean within 4 %, p90 within 6 %, by one process and in turns of two and four.
#[test]
fn model_servers_in_turns_are_told() {
    let catalogue = Catalogue::load(None).unwrap();
    let cases = cases();
    assert_eq!(cases.len(), 2 * 2 * 3);
    let mut errors = [Vec::new(), Vec::new(), Vec::new()];
    for ((case, count), processes) in &cases {
        let workload = if case.contains("bert") { "bert-large-torch" } else { "resnet50-torch" };
        let told = told(workload, processes, &catalogue);
        let off = [0, 1, 2].map(|figure| {
            let all = processes.iter().map(|process| process.measured[figure]);
            100.0 * (told[figure] / (all.sum::<f64>() / *count as f64) - 1.0)
        });
        println!(
            "{case:16} x {count}: mean {:+.1} %, p50 {:+.1} %, p90 {:+.1} %",
            off[0], off[1], off[2]
        );
        assert!(off[0].abs() <= 4.0 && off[2].abs() <= 6.0, "{case} x {count}: {off:?}");
        errors.iter_mut().zip(off).for_each(|(all, one)| all.push(one.abs()));
    }
    let mean = errors.map(|all| all.iter().sum::<f64>() / all.len() as f64);
    println!("off by {:.1}, {:.1} and {:.1} % on average", mean[0], mean[1], mean[2]);
}
