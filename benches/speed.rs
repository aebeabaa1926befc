//! How long a query takes to simulate: `cargo bench`, a minute.
//!
//! Each case in queries per second of one core, beside its floor: what any simulation of it must do.
//! The cases take turns, so that a machine that slows down slows down all of them; the figures are
//! medians. Events and allocations of a query are counts, the same on every machine. It asserts nothing: a
//! shared machine makes no promises.
//!
//! `cargo bench -- --repetitions 9`; `-- --write` puts the table into `docs/performance.md`; `-- --case
//! turns` runs one case once, for profilers and `benches/instructions`.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::engine::RandomStreams;
use slicewise::loadgen::LoadGen;
use slicewise::platform::simulate;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::Experiment;
use slicewise::units::{SimDuration, SimTime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Counts what is asked of it.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Where the scenario files of the cases lie.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the table goes, between these lines.
const PAGE: &str = "docs/performance.md";
const MARKS: [&str; 2] = ["<!-- targets -->\n", "<!-- end of targets -->\n"];

/// A case.
struct Case {
    name: &'static str,
    /// Its scenario file, and what is done with it.
    file: &'static str,
    run: fn(&Experiment) -> Done,
    /// What it is, in a row of the table; nothing for a floor.
    about: Option<&'static str>,
    target: Target,
    /// Queries per second at commit 1cd3e31, and of its floor in the same run.
    before: (f64, f64),
}

/// What a case did: queries, and events; none of a floor.
struct Done {
    queries: u64,
    events: u64,
}

/// What a query took: events, and what was asked of the allocator, once for each case.
struct Counts {
    events: f64,
    allocations: f64,
}

/// What a case is to reach.
enum Target {
    None,
    /// A part of the rate of this other case.
    Of(&'static str, f64),
    /// Queries per second.
    Rate(f64),
}

/// Before: two cores of a shared machine, one at work, medians of three, 2026-11-28.
const CASES: [Case; 10] = [
    floor("lindley", "benches/cases/m-d-1.toml", lindley),
    case(
        ("m-d-1", "M/D/1, to Lindley's recursion with the same draws and recording"),
        "benches/cases/m-d-1.toml",
        (Target::Of("lindley", 0.5), (1.39e6, 18.1e6)),
    ),
    floor("bert-draws", BERT, draws),
    case(
        ("bert-99-server", "BERT-99 Server, 4.7 M queries, to its draws alone"),
        BERT,
        (Target::Of("bert-draws", 0.7), (7.20e6, 20.6e6)),
    ),
    floor("turns-draws", "benches/cases/turns.toml", draws),
    case(
        ("turns", "8 x 8 VMs in turns of 2 ms, GPU work alone"),
        "benches/cases/turns.toml",
        (Target::Rate(8e6), (572e3, 21.6e6)),
    ),
    case(
        ("turns-and-host", "the same with CPU work, submission delay and copies"),
        "benches/cases/turns-and-host.toml",
        (Target::Rate(4e6), (409e3, 21.6e6)),
    ),
    case(
        ("mig", "MIG 7 x 1g, LWIS batches of up to 8"),
        "benches/cases/mig.toml",
        (Target::Rate(4e6), (1.84e6, 21.6e6)),
    ),
    case(
        ("one-card", "one of the 8 cards in turns, to all of them"),
        "benches/cases/one-card.toml",
        (Target::None, (870e3, 572e3)),
    ),
    case(
        ("thousand-cards", "1000 such cards in one scenario, to one"),
        "benches/cases/thousand-cards.toml",
        (Target::Of("one-card", 0.83), REFUSED),
    ),
];

/// The number of VMs was limited.
const REFUSED: (f64, f64) = (0.0, 1.0);

const fn floor(name: &'static str, file: &'static str, run: fn(&Experiment) -> Done) -> Case {
    Case { name, file, run, about: None, target: Target::None, before: (0.0, 0.0) }
}

const fn case(
    (name, about): (&'static str, &'static str),
    file: &'static str,
    (target, before): (Target, (f64, f64)),
) -> Case {
    Case { name, file, run: platform, about: Some(about), target, before }
}

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
    let is_asked = |case: &&Case| only.as_deref().is_none_or(|only| only == case.name);
    let cases: Vec<(&Case, Experiment)> =
        CASES.iter().filter(is_asked).map(|case| (case, experiment(case.file))).collect();
    let mut rates = vec![Vec::new(); cases.len()];
    let mut counts = Vec::new();
    for _ in 0..repetitions {
        counts.clear();
        for ((case, experiment), rates) in cases.iter().zip(&mut rates) {
            let (region, start) = (Region::new(ALLOCATOR), Instant::now());
            let Done { queries, events } = (case.run)(black_box(experiment));
            rates.push(queries as f64 / start.elapsed().as_secs_f64());
            let asked = region.change();
            let each = |count: f64| count / queries as f64;
            counts.push(Counts {
                events: each(events as f64),
                allocations: each((asked.allocations + asked.reallocations) as f64),
            });
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    println!(
        "{:<20} {:>16} {:>12} {:>14} {:>19}",
        "case", "queries/s", "ns/query", "events/query", "allocations/query"
    );
    for (((case, _), rate), counts) in cases.iter().zip(&medians).zip(&counts) {
        let Counts { events, allocations } = counts;
        let nanos = 1e9 / rate;
        println!("{:<20} {rate:>16.0} {nanos:>12.1} {events:>14.2} {allocations:>19.4}", case.name);
    }
    let rate_of = |name: &str| {
        let place = cases.iter().position(|(case, _)| case.name == name)?;
        Some(medians[place])
    };
    let table = table(cases.iter().map(|(case, _)| *case).zip(&counts), rate_of);
    println!("\n{table}");
    if arguments.iter().any(|argument| argument == "--write") {
        let page = Path::new(ROOT).join(PAGE);
        let text = std::fs::read_to_string(&page).expect("the page is there");
        let [start, end] = MARKS.map(|mark| text.find(mark).expect("the page has the marks"));
        let text = format!("{}{table}{}", &text[..start + MARKS[0].len()], &text[end..]);
        std::fs::write(&page, text).expect("the page can be written");
    }
}

/// A table in Markdown: rates as measured now and before, what was to be reached, and what a query takes.
fn table<'a>(
    cases: impl Iterator<Item = (&'a Case, &'a Counts)>,
    rate_of: impl Fn(&str) -> Option<f64>,
) -> String {
    let mut table = String::from(
        "| load | before | now | target | events per query | allocations per query |\n\
         |---|---|---|---|---|---|\n",
    );
    for (case, counts) in cases {
        let (Some(about), Some(now)) = (case.about, rate_of(case.name)) else { continue };
        let (before, floor) = case.before;
        let (before, now, target) = match case.target {
            Target::Of(other, target) => {
                let Some(other) = rate_of(other) else { continue };
                let ratio = |part: f64, whole: f64| format!("{:.2}", part / whole);
                let before = match before {
                    0.0 => "refused".to_string(),
                    before => ratio(before, floor),
                };
                (before, ratio(now, other), target.to_string())
            }
            Target::Rate(target) => (millions(before), millions(now), millions(target)),
            Target::None => (millions(before), millions(now), String::new()),
        };
        let Counts { events, allocations } = counts;
        table += &format!(
            "| {about} | {before} | {now} | {target} | {events:.2} | {allocations:.4} |\n"
        );
    }
    table
}

fn millions(rate: f64) -> String {
    format!("{:.1} M/s", rate / 1e6)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Due time and size of every query, and nothing done with them.
fn draws(experiment: &Experiment) -> Done {
    let mut queries = 0;
    for mut loadgen in loadgens(experiment) {
        while let Some(query) = loadgen.next_scheduled() {
            black_box(query);
        }
        queries += loadgen.made_count();
    }
    Done { queries, events: 0 }
}

/// One server, first come first served: each query starts when it is due and the one before is
/// done (Lindley 1952). Draws and recording are the platform's own.
fn lindley(experiment: &Experiment) -> Done {
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
    Done { queries: latencies.count(), events: 0 }
}

/// The run as `slicewise run` simulates it. Not inlined: profilers count what is below it.
#[inline(never)]
fn platform(experiment: &Experiment) -> Done {
    let outcome = simulate(experiment);
    let queries = outcome.vms.iter().map(|vm| vm.recorder.latencies().count()).sum();
    Done { queries, events: outcome.events }
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
