//! How long a query takes to simulate: `cargo bench`, a minute.
//!
//! Each case in queries per second of one core, beside its floor: what any simulation of it must do.
//! The cases take turns, so that a machine that slows down slows down all of them; the figures are
//! medians. It asserts nothing: a shared machine makes no promises.
//!
//! `cargo bench -- --repetitions 9`, and `-- --case turns` for one case, once: for profilers.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::engine::RandomStreams;
use slicewise::loadgen::LoadGen;
use slicewise::platform::simulate;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::Experiment;
use slicewise::units::{SimDuration, SimTime};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Where the scenario files of the cases lie.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Simulates an experiment, or a part of the work; returns the number of queries.
type Simulation = fn(&Experiment) -> u64;

/// Name, scenario file, what is done with it, and the case that is its floor.
const CASES: [(&str, &str, Simulation, Option<&str>); 9] = [
    ("lindley", "benches/cases/m-d-1.toml", lindley, None),
    ("m-d-1", "benches/cases/m-d-1.toml", platform, Some("lindley")),
    ("bert-draws", BERT, draws, None),
    ("bert-99-server", BERT, platform, Some("bert-draws")),
    ("turns-draws", "benches/cases/turns.toml", draws, None),
    ("turns", "benches/cases/turns.toml", platform, Some("turns-draws")),
    ("turns-and-host", "benches/cases/turns-and-host.toml", platform, Some("turns-draws")),
    ("mig", "benches/cases/mig.toml", platform, None),
    ("one-card", "benches/cases/one-card.toml", platform, None),
];

/// The bare-metal BERT-99 Server run of the reference scenario: 4 723 166 queries.
const BERT: &str = "scenarios/vsphere-mlperf-v1.1/bert-99-server.toml";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let only = value_of("--case");
    let repetitions = value_of("--repetitions").map_or(5, |text| text.parse().expect("a number"));
    let repetitions = if only.is_some() { 1 } else { repetitions };
    let is_asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let cases = CASES.iter().filter(|(name, ..)| is_asked(name));
    let cases: Vec<_> = cases.map(|case| (case, experiment(case.1))).collect();
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..repetitions {
        for (((_, _, run, _), experiment), rates) in cases.iter().zip(&mut rates) {
            let start = Instant::now();
            let queries = run(black_box(experiment));
            rates.push(queries as f64 / start.elapsed().as_secs_f64());
        }
    }
    println!("{:<20} {:>16} {:>12}  of its floor", "case", "queries/s", "ns/query");
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    for (((name, _, _, floor), _), rate) in cases.iter().zip(&medians) {
        let of = cases.iter().position(|((other, ..), _)| Some(*other) == *floor);
        let ratio = of.map_or(String::new(), |of| format!("{:.2}", rate / medians[of]));
        println!("{name:<20} {rate:>16.0} {:>12.1}  {ratio}", 1e9 / rate);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Due time and size of every query, and nothing done with them.
fn draws(experiment: &Experiment) -> u64 {
    let mut sum = 0;
    for mut loadgen in loadgens(experiment) {
        while let Some(query) = loadgen.next_scheduled() {
            black_box(query);
        }
        sum += loadgen.made_count();
    }
    sum
}

/// One server, first come first served: each query starts when it is due and the one before is
/// done (Lindley 1952). Draws and recording are the platform's own.
fn lindley(experiment: &Experiment) -> u64 {
    /// As the case has it.
    const WORK: SimDuration = SimDuration::from_millis(1);
    let mut latencies = LatencyHistogram::new();
    let mut loadgen = loadgens(experiment).next().expect("one VM");
    let mut free = SimTime::ZERO;
    while let Some(query) = loadgen.next_scheduled() {
        free = query.due.max(free) + WORK.scale(f64::from(query.size));
        latencies.record(free - query.due);
    }
    black_box(latencies.quantile(0.99));
    latencies.count()
}

/// The run as `slicewise run` simulates it.
fn platform(experiment: &Experiment) -> u64 {
    simulate(experiment).vms.iter().map(|vm| vm.recorder.latencies().count()).sum()
}

fn loadgens(experiment: &Experiment) -> impl Iterator<Item = LoadGen> {
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    experiment.vms.iter().map(move |vm| {
        let settings = &vm.load.settings;
        LoadGen::new(vm, settings.min_duration, &streams, Some(settings.round.schedule_seed))
    })
}

/// What a file asks for: of a file with a bare-metal twin of its own, the twin.
fn experiment(path: &str) -> Experiment {
    let catalogue = Catalogue::load(None).expect("the embedded catalogue is right");
    let options = LoadOptions::new(catalogue);
    let path = Path::new(ROOT).join(path);
    let scenario = load(&path, &options).expect("the scenario is right");
    let pair = scenario.pairs.into_iter().next().expect("a file makes a pair");
    pair.twin().unwrap_or(&pair.virtual_run).experiment.clone()
}
