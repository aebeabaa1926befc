//! Traces, read by another hand: the rules of the format, and that what they say is what the run did.

use crate::cli::check;
use crate::support::cases;
use proptest::prelude::*;
use serde_json::Value;
use slicewise::config::{Catalogue, LoadOptions, Task, task_of_text};
use slicewise::gpu::Phase;
use slicewise::platform::{Outcome, Timeline, WindowEnd, record, record_at_most, simulate};
use slicewise::record::Stage;
use slicewise::report::Report;
use slicewise::spec::{Experiment, Scenario};
use slicewise::study::{TimelineResults, timeline};
use slicewise::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A complete event, times in nanoseconds.
struct Slice {
    track: (u64, u64),
    name: String,
    category: String,
    start: u64,
    end: u64,
    args: Value,
}

/// A trace as any reader sees it.
pub(crate) struct Trace {
    head: Value,
    slices: Vec<Slice>,
    /// By process and name: time and level.
    counters: BTreeMap<(u64, String), Vec<(u64, u64)>>,
    processes: BTreeMap<u64, String>,
    threads: BTreeMap<(u64, u64), String>,
}

fn nanos(value: &Value) -> u64 {
    let micros = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(micros >= 0.0, "{value}");
    // As Perfetto reads it (`CoerceToNs`), and as who rounds does.
    let nanos = (micros * 1000.0) as u64;
    assert_eq!(nanos, (micros * 1000.0).round() as u64, "{value}");
    nanos
}

/// Reads a trace and holds it to the rules: every track has one name, every time lies in the window,
/// events are in order, slices of a track nest, counters start with the window and have no level
/// below 0.
pub(crate) fn read(text: &str, (from, until): (u64, u64)) -> Trace {
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["displayTimeUnit"], "ns");
    let mut trace = Trace {
        head: document["otherData"].clone(),
        slices: Vec::new(),
        counters: BTreeMap::new(),
        processes: BTreeMap::new(),
        threads: BTreeMap::new(),
    };
    let mut newest = 0;
    for event in document["traceEvents"].as_array().unwrap() {
        let (pid, name) = (event["pid"].as_u64().unwrap(), event["name"].as_str().unwrap());
        let tid = event["tid"].as_u64();
        if event["ph"] != "M" {
            let start = nanos(&event["ts"]);
            assert!((newest..=until).contains(&start) && start >= from, "{event}");
            newest = start;
        }
        match event["ph"].as_str().unwrap() {
            "M" => {
                assert_eq!(newest, 0, "tracks are named before they are used");
                let of = event["args"]["name"].as_str().unwrap_or_default().to_string();
                let before = match name {
                    "process_name" => trace.processes.insert(pid, of),
                    "thread_name" => trace.threads.insert((pid, tid.unwrap()), of),
                    "process_sort_index" | "thread_sort_index" => None,
                    _ => panic!("{event}"),
                };
                assert_eq!(before, None, "two names: {event}");
            }
            "C" => {
                let levels: Vec<u64> = event["args"]
                    .as_object()
                    .unwrap()
                    .values()
                    .map(|level| level.as_u64().expect("no level below 0"))
                    .collect();
                let points = trace.counters.entry((pid, name.to_string())).or_default();
                points.push((nanos(&event["ts"]), levels[0]));
            }
            "X" => trace.slices.push(Slice {
                track: (pid, tid.unwrap()),
                name: name.to_string(),
                category: event["cat"].as_str().unwrap().to_string(),
                start: nanos(&event["ts"]),
                end: nanos(&event["ts"]) + nanos(&event["dur"]),
                args: event["args"].clone(),
            }),
            _ => panic!("{event}"),
        }
    }
    let tids: BTreeSet<u64> = trace.threads.keys().map(|(_, tid)| *tid).collect();
    assert_eq!(tids.len(), trace.threads.len(), "a thread of two processes");
    assert!(tids.iter().all(|tid| !trace.processes.contains_key(tid)));
    assert!(trace.threads.keys().all(|(pid, _)| trace.processes.contains_key(pid)));
    let mut open: BTreeMap<(u64, u64), Vec<u64>> = BTreeMap::new();
    for slice in &trace.slices {
        let Slice { name, start, end, .. } = slice;
        assert!(trace.threads.contains_key(&slice.track), "{name} is on no track");
        assert!(start < end && *end <= until && !name.is_empty(), "{name}: {start} to {end}");
        let open = open.entry(slice.track).or_default();
        while open.last().is_some_and(|last| last <= start) {
            open.pop();
        }
        let inside = open.last().is_none_or(|last| end <= last);
        assert!(inside, "{name} from {start} to {end} overlaps what ends at {:?}", open.last());
        open.push(*end);
    }
    for ((pid, name), points) in &trace.counters {
        assert!(trace.processes.contains_key(pid), "{name}");
        assert_eq!(points[0].0, from, "{name}");
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
    }
    trace
}

/// A trace read, of what was watched.
pub(crate) fn read_results(results: &TimelineResults) -> Trace {
    let Timeline { from, until, .. } = &results.timeline;
    read(&results.document().unwrap(), (from.as_nanos(), until.as_nanos()))
}

impl Trace {
    /// The slices on the tracks of a process.
    fn of(&self, pid: u64) -> impl Iterator<Item = &Slice> {
        self.slices.iter().filter(move |slice| slice.track.0 == pid)
    }

    /// The time of a card's SMs in slices of these kinds, in nanoseconds.
    fn sm_time(&self, pid: u64, categories: &[&str]) -> f64 {
        let of = self.of(pid).filter(|slice| categories.contains(&slice.category.as_str()));
        of.map(|slice| (slice.end - slice.start) as f64 * slice.args["sm_share"].as_f64().unwrap())
            .sum()
    }

    /// The level of a counter times the time it lasted, in nanoseconds.
    fn area(&self, pid: u64, name: &str, until: u64) -> f64 {
        let points = &self.counters[&(pid, name.to_string())];
        let ends = points.iter().skip(1).map(|point| point.0).chain([until]);
        points.iter().zip(ends).map(|((at, level), end)| (*level * (end - at)) as f64).sum()
    }
}

const YEAR: SimDuration = SimDuration::from_secs(31_536_000);

const HEAD: &str = r#"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = { model = "a100-pcie-40gb", count = 1 }
baseline = "none"
seed = 3
"#;

/// A VM for a second and a half.
fn vm(name: &str, gpu: &str, rate: u32) -> String {
    format!(
        "[[vm]]\nname = \"{name}\"\nvcpus = 8\n{gpu}\nworkload = \"bert-99\"\nserver = {{ batch_max = 4 }}\nload = {{ scenario = \"server\", target_qps = {rate}, min_duration = \"1500 ms\", min_query_count = 1 }}\n"
    )
}

/// Every way of sharing, with a neighbour that has little to do.
fn ways() -> Vec<(&'static str, Scenario)> {
    let sliced = r#"vgpu = { type = "A100-10C" }"#;
    let turns = |keys: &str| {
        let vms = [("one", 150), ("two", 120), ("idle", 2)];
        let vms: String = vms.map(|(name, rate)| vm(name, sliced, rate)).concat();
        format!("{HEAD}[sharing]\n{keys}\n{vms}")
    };
    let two =
        |one: &str, other: &str| format!("{HEAD}{}{}", vm("one", one, 150), vm("two", other, 90));
    let pods = |sharing: &str| {
        let pod = |name: &str, rate: u32| {
            let of_a_vm = vm(name, "", rate).replace("[[vm]]", "[[vm.pod]]");
            of_a_vm.replace("vcpus = 8\n", "")
        };
        let (web, batch, beside) = (pod("web", 110), pod("batch", 90), vm("beside", sliced, 100));
        let node = format!(
            "[[vm]]\nname = \"node\"\nvcpus = 16\n{sliced}\npods = {sharing}\n{web}{batch}"
        );
        format!("{HEAD}[sharing]\npolicy = \"equal-share\"\n{node}{beside}")
    };
    let texts = [
        ("best effort", turns("overshoot = \"batch\"")),
        ("equal share", turns("policy = \"equal-share\"\novershoot = \"batch\"")),
        (
            "rest burned",
            turns("policy = \"equal-share\"\nidle = \"rest-burned\"\novershoot = \"0.3 ms\""),
        ),
        ("fixed share", turns("policy = \"fixed-share\"")),
        (
            "capped",
            turns(
                "policy = \"equal-share\"\nidle = \"skipped-and-capped\"\ncap_window = \"20 ms\"",
            ),
        ),
        ("polled", turns("policy = \"equal-share\"\nidle = \"polled\"")),
        (
            "least run time",
            turns("policy = \"equal-share\"\norder = \"least-run-time\"\nidle = \"rest-burned\""),
        ),
        ("MIG", two("vgpu = { type = \"A100-3-20C\" }", "vgpu = { type = \"A100-1-5C\" }")),
        (
            "MPS",
            two("process = { sharing = \"mps\", active_threads = \"40 %\" }", "process = \"mps\"")
                .replace("hypervisor = \"vsphere-7.0u2\"\n", ""),
        ),
        (
            "processes",
            two("process = \"time-slicing\"", "process = \"time-slicing\"")
                .replace("hypervisor = \"vsphere-7.0u2\"\n", ""),
        ),
        ("whole", format!("{HEAD}{}", vm("only", "gpus = 1", 400))),
        ("pods in turns", pods("{ sharing = \"time-slicing\", switch_cost = \"0.2 ms\" }")),
        ("pods side by side", pods("\"mps\"")),
    ];
    texts.map(|(name, text)| (name, scenario(&text))).into()
}

fn scenario(text: &str) -> Scenario {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    match task_of_text(Path::new("test.toml"), text, &options) {
        Ok(Task::Run(scenario)) => *scenario,
        Ok(Task::Sweep(_)) => panic!("a sweep"),
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn virtual_run(scenario: &Scenario) -> &Experiment {
    &scenario.pairs[0].virtual_run.experiment
}

fn watch(scenario: &Scenario, from: u64, length: SimDuration) -> TimelineResults {
    timeline(scenario, &scenario.pairs[0], None, SimTime::from_nanos(from), length, &|_| {})
}

/// Three to eight turns with work, counted anew in what the named command records.
#[test]
fn a_page_shows_some_turns_and_the_command_that_records_them() {
    let sharing = "sharing = { policy = \"equal-share\", slice = \"2 ms\" }\n";
    let all = vm("one", "vgpu = { type = \"A100-10C\" }", 60)
        + &vm("two", "vgpu = { type = \"A100-10C\" }", 60);
    let shared = scenario(&format!("{HEAD}{sharing}{all}"));
    let results = slicewise::study::run(&shared, &|_, _, _| {});
    let window = slicewise::study::window(&shared, &results);
    let [from_flag, from, for_flag, length] = &window.command[..] else {
        panic!("{:?}", window.command)
    };
    assert_eq!((from_flag.as_str(), for_flag.as_str()), ("--from", "--for"));
    let [from, length] = [from, length].map(|text| text.parse::<SimDuration>().unwrap());
    let again = watch(&shared, from.as_nanos(), length);
    let seen = &window.seen.as_ref().unwrap().timeline;
    assert_ne!(seen.ending, WindowEnd::Full);
    assert_eq!((seen.from, seen.until), (again.timeline.from, again.timeline.until));
    assert!(seen.from >= SimTime::from_nanos(1_000_000_000));
    let phases = &again.timeline.cards[0].instances[0].phases;
    let works = phases.iter().filter(|span| Timeline::works(span.phase));
    let inside = works.filter(|span| again.timeline.cut(span.start, span.end).is_some());
    let turns: BTreeSet<(u16, SimTime)> = inside.map(|span| (span.slot, span.turn)).collect();
    // Its ends are rounded to the outside, where a further turn may begin.
    assert!((3..=9).contains(&turns.len()), "{turns:?}");
    assert!(window.said.contains("8 turns with work"), "{}", window.said);
}

/// A first batch that is formed after 40 s is not waited for, and that is said in the place of a drawing; one
/// after 20 s is found, from the start of the run on.
#[test]
fn a_page_without_a_batch_says_that_there_is_none() {
    let text = |timeout: &str| {
        let vm = vm("rare", "gpus = 1", 1).replace(
            "server = { batch_max = 4 }",
            &format!("server = {{ batch_max = 32, timeout = \"{timeout}\" }}"),
        );
        format!(
            "{HEAD}{}",
            vm.replace("target_qps = 1,", "target_qps = 0.1,")
                .replace("count = 1 }", "count = 20 }")
                .replace("bert-99", "resnet50")
        )
    };
    let window = |timeout: &str| {
        let rare = scenario(&text(timeout));
        let results = slicewise::study::run(&rare, &|_, _, _| {});
        slicewise::study::window(&rare, &results)
    };
    let none = window("40 s");
    assert!(none.seen.is_none() && none.command.is_empty(), "{:?}", none.command);
    assert_eq!(
        none.said,
        "No timeline: no batch of test ran on a GPU in the time that was looked at."
    );
    let some = window("20 s");
    let seen = some.seen.as_ref().expect("it ran after 20 s");
    assert!(seen.timeline.from >= SimTime::from_nanos(20_000_000_000), "{:?}", seen.timeline.from);
    assert!(some.said.contains("one batch on the GPU"), "{}", some.said);
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * one.abs().max(other.abs()).max(1e3)
}

/// A trace of a whole run says of each engine what the run says of it; of each VM how long its queries
/// were in each stage, and by Little's law how many waited. The recording changes nothing.
#[test]
fn a_trace_of_a_whole_run_is_the_run() {
    for (way, scenario) in ways() {
        let experiment = virtual_run(&scenario);
        let results = watch(&scenario, 0, YEAR);
        let (Timeline { until, ending, outcome, .. }, trace) =
            (&results.timeline, read_results(&results));
        assert_eq!(*ending, WindowEnd::RunOver, "{way}");
        let until = until.as_nanos();
        let recorded = outcome.as_ref().unwrap();
        let plain: Outcome = simulate(experiment);
        assert_eq!(format!("{recorded:?}"), format!("{plain:?}"), "{way}");
        for (card, busy) in plain.gpu_busy.iter().enumerate() {
            let seen = trace.sm_time(1 + card as u64, &["run", "overshoot"]);
            assert!(near(seen, busy * until as f64), "{way}: {seen} of {busy} x {until}");
            assert!(*busy > 0.01, "{way} tests something");
            // What the card counts by itself.
            let (counted, until) = (&plain.gpu_time[card], until as f64);
            let burned: f64 = counted.owners.iter().map(|owner| owner.had.burned).sum();
            let seen = trace.sm_time(1 + card as u64, &["burned"]);
            let counted_burned = (burned + counted.vacant) * until;
            assert!(near(seen, counted_burned), "{way}: {seen} for {counted_burned} burned");
            // Switches while nobody has work are not counted there.
            let seen = trace.sm_time(1 + card as u64, &["switch"]);
            assert!(
                seen >= counted.switch * until * (1.0 - 1e-6) - 1e3,
                "{way}: {seen} of switches"
            );
        }
        // Work in turns is some batch's of that VM; two of its batches may have the turn together.
        let in_turn = trace.of(1).filter(|slice| slice.category == "in turn");
        let in_turn: u64 = in_turn.map(|slice| slice.end - slice.start).sum();
        if trace.of(1).any(|slice| slice.category == "turn") {
            let worked = trace.sm_time(1, &["run", "overshoot"]);
            assert!(in_turn as f64 > worked * (1.0 - 1e-6), "{way}: {in_turn} of {worked}");
        } else {
            assert_eq!(in_turn, 0, "{way}");
        }
        for (index, vm) in plain.vms.iter().enumerate() {
            let pid = 1 + (plain.gpu_busy.len() + index) as u64;
            let count = vm.recorder.latencies().count() as f64;
            let batches = trace.of(pid).filter(|slice| slice.category == "batch");
            let queries: u64 = batches.map(|slice| slice.args["queries"].as_u64().unwrap()).sum();
            assert_eq!(queries as f64, count, "{way}");
            let waited = trace.area(pid, "waiting queries", until);
            let mean = vm.recorder.stage_mean(Stage::Batcher);
            assert!(near(waited, mean * count), "{way}: {waited} for {mean} x {count}");
            check_stages(way, &trace, pid, vm);
        }
    }
}

/// Each stage of a VM's queries takes as long as the recorder says.
fn check_stages(way: &str, trace: &Trace, pid: u64, vm: &slicewise::platform::VmOutcome) {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    let mut queries = BTreeMap::new();
    for slice in trace.of(pid) {
        let length = (slice.end - slice.start) as f64;
        match slice.category.as_str() {
            "batch" => drop(queries.insert(slice.track, slice.args["queries"].as_f64().unwrap())),
            "stage" => {
                *sums.entry(slice.name.as_str()).or_default() += length * queries[&slice.track]
            }
            other => panic!("{way}: {other}"),
        }
    }
    let count = vm.recorder.latencies().count() as f64;
    for (stage, name) in Stage::ALL.into_iter().filter(|(stage, _)| *stage != Stage::Batcher) {
        let expected = vm.recorder.stage_mean(stage) * count;
        let seen = sums.get(name).copied().unwrap_or(0.0);
        assert!(near(seen, expected), "{way}, {name}: {seen} for {expected}");
    }
}

/// All that turns can be is seen somewhere, and nothing that a way of sharing has not.
#[test]
fn each_way_of_sharing_shows_its_own() {
    for (way, scenario) in ways() {
        let results = watch(&scenario, 0, YEAR);
        let trace = read_results(&results);
        let has = |category: &str| trace.of(1).any(|slice| slice.category == category);
        let expected: &[&str] = match way {
            "best effort" => &["turn", "run", "overshoot", "switch", "idle"],
            "processes" => &["turn", "run", "switch", "idle"],
            "equal share" => &["turn", "run", "overshoot", "burned", "switch", "idle"],
            "rest burned" => &["turn", "run", "overshoot", "burned", "switch", "idle"],
            "pods in turns" | "pods side by side" => &["turn", "run", "burned", "switch", "idle"],
            "fixed share" | "least run time" => &["turn", "run", "burned", "switch", "idle"],
            "capped" => &["turn", "run", "capped", "switch"],
            "polled" => &["turn", "run", "switch"],
            _ => &["run"],
        };
        for category in ["turn", "run", "overshoot", "burned", "switch", "idle", "capped"] {
            assert_eq!(has(category), expected.contains(&category), "{way}: {category}");
        }
        // Where idle owners have their turns, turns and switches fill the time of the engine.
        if ["equal share", "fixed share"].contains(&way) {
            let until = results.timeline.until.as_nanos() as f64;
            let all = trace.sm_time(1, &["run", "overshoot", "burned", "switch", "idle"]);
            assert!(near(all, until), "{way}: {all} of {until}");
        }
        let table = results.table(slicewise::report::Width::FILE);
        assert!(table.contains("run %"), "{table}");
    }
}

/// Of pods in a VM's turns the trace and the table count the same turns, of the VM and of each pod; what
/// passing from pod to pod takes is no work of any. The node is on its way to a pod for 0.2 ms each time.
#[test]
fn turns_of_pods_are_those_within_their_vms() {
    for (way, scenario) in ways() {
        let results = watch(&scenario, 0, YEAR);
        let trace = read_results(&results);
        for time in &results.engine_times {
            let of = |category: &str| {
                let name = match category {
                    "switch" => format!("switch to {}", time.owner),
                    _ => time.owner.clone(),
                };
                let slices = trace.of(1).filter(move |slice| slice.name == name);
                slices.filter(|slice| slice.category == category).collect::<Vec<_>>()
            };
            if results.timeline.cards[0].instances[0].sharing.takes_turns() {
                assert_eq!(of("turn").len() as u64, time.turns, "{way}: {}", time.owner);
            }
            let switch: u64 = of("switch").iter().map(|slice| slice.end - slice.start).sum();
            assert_eq!(switch, time.switch.as_nanos(), "{way}: {}", time.owner);
        }
        if !way.starts_with("pods") {
            continue;
        }
        let [node, web, batch, _] = &results.engine_times[..] else { panic!("{way}: rows") };
        assert_eq!([&*node.owner, &*web.owner, &*batch.owner], ["node", "node/web", "node/batch"]);
        assert!(web.turns > 20 && web.run.as_nanos() > 0, "{way}: {web:?}");
        let pods = web.run.as_nanos() + batch.run.as_nanos();
        match way {
            "pods in turns" => assert_eq!(node.run.as_nanos(), pods),
            _ => assert!(node.run.as_nanos() < pods, "{way}: at the same time"),
        }
        if way == "pods in turns" {
            let passed = trace.of(1).filter(|slice| slice.name == "switch to node/web");
            let longest = passed.map(|slice| slice.end - slice.start).max();
            assert_eq!(longest, Some(200_000));
        }
    }
}

/// What a short window shows is that part of the whole: spans, levels and all. Idle turns before it were
/// not walked through one by one, those of the whole run were.
#[test]
fn a_window_is_a_part_of_the_whole() {
    for (way, scenario) in ways() {
        let experiment = virtual_run(&scenario);
        let whole = record(experiment, SimTime::ZERO, YEAR);
        for (from, length) in [(0, 3_000_000), (400_123_456, 50_000_000), (1_100_000_001, 7)] {
            let (from, length) = (SimTime::from_nanos(from), SimDuration::from_nanos(length));
            let part = record(experiment, from, length);
            assert_eq!((part.from, part.until), (from, from + length), "{way}");
            assert_eq!(part.ending, WindowEnd::Asked);
            assert_eq!(phases(&part, &part), phases(&whole, &part), "{way} from {from}");
            let stages = |of: &Timeline| {
                let mut stages = Vec::new();
                for batch in &of.batches {
                    for span in &batch.stages {
                        if let Some((start, end)) = part.cut(span.start, span.end) {
                            stages.push((start, end, batch.server, batch.number, span.stage));
                        }
                    }
                }
                stages.sort();
                stages
            };
            assert_eq!(stages(&part), stages(&whole), "{way} from {from}");
            for (one, other) in part.servers.iter().zip(&whole.servers) {
                let within = |at: &SimTime| *at > from && *at < from + length;
                let before = other.waiting.iter().rfind(|(at, _)| *at <= from);
                assert_eq!(one.waiting[0].1, before.unwrap().1, "{way} from {from}");
                let later = other.waiting.iter().filter(|(at, _)| within(at));
                assert!(one.waiting[1..].iter().eq(later), "{way} from {from}");
            }
        }
    }
}

/// What engines did in the window of `cut`: adjoining spans of the same kind put together.
fn phases(of: &Timeline, cut: &Timeline) -> Vec<(usize, u16, Phase, SimTime, SimTime)> {
    let mut all: Vec<(usize, u16, Phase, SimTime, SimTime)> = Vec::new();
    let instances = of.cards.iter().flat_map(|card| &card.instances).enumerate();
    for (index, instance) in instances {
        for span in &instance.phases {
            if let Some((start, end)) = cut.cut(span.start, span.end) {
                all.push((index, span.slot, span.phase, start, end));
            }
        }
    }
    all.sort();
    all.dedup_by(|next, one| {
        let joins = (one.0, one.1, one.2, one.4) == (next.0, next.1, next.2, next.3);
        if joins {
            one.4 = next.4;
        }
        joins
    });
    all
}

/// A trace with as many spans as one may have ends there, and is whole up to there.
#[test]
fn a_full_trace_says_so_and_is_whole_so_far() {
    for (way, scenario) in ways() {
        let experiment = virtual_run(&scenario);
        let whole = record(experiment, SimTime::ZERO, YEAR);
        let full = record_at_most(experiment, SimTime::ZERO, YEAR, 300);
        assert_eq!(full.ending, WindowEnd::Full, "{way}");
        assert!(full.until > SimTime::ZERO && full.until < whole.until, "{way}");
        assert_eq!(phases(&full, &full), phases(&whole, &full), "{way}");
        let spans = |of: &Timeline| {
            let stages: usize = of.batches.iter().map(|batch| batch.stages.len() + 1).sum();
            let instances = of.cards.iter().flat_map(|card| &card.instances);
            stages + instances.map(|instance| instance.phases.len()).sum::<usize>()
        };
        assert!(spans(&full) < 700, "{way}: {}", spans(&full));
    }
}

/// Same input, same bytes; and what is cut says so.
#[test]
fn a_trace_is_the_same_again() {
    let scenario = &ways()[1].1;
    let files = || watch(scenario, 200_000_000, SimDuration::from_millis(30)).files().unwrap();
    for (one, other) in files().iter().zip(files()) {
        assert!(one.bytes == other.bytes, "{}", one.name);
    }
    let trace = read_results(&watch(scenario, 200_000_000, SimDuration::from_millis(30)));
    let cuts = trace.slices.iter().filter(|slice| slice.args.get("cut").is_some());
    assert!(cuts.clone().count() > 0);
    for slice in cuts {
        let at = |cut: &str| slice.args["cut"] == cut || slice.args["cut"] == "both";
        assert!(!at("start") || slice.start == 200_000_000, "{}", slice.name);
        assert!(!at("end") || slice.end == 230_000_000, "{}", slice.name);
    }
    assert_eq!(trace.head["seed"], 3);
    assert_eq!(trace.head["from"], "200 ms");
    assert_eq!(trace.head["until"], "230 ms");
}

proptest! {
    #![proptest_config(cases(8))]

    /// Any policy, any loads, any window.
    #[test]
    fn any_window_of_any_turns_keeps_the_rules(
        policy in 0..7usize,
        rates in prop::collection::vec(1..400u32, 1..4),
        from in 0..1_600_000_000u64,
        length in 1..400_000_000u64,
        seed in 1..1000u64,
    ) {
        let keys = [
            "",
            "policy = \"equal-share\"",
            "policy = \"fixed-share\"\novershoot = \"batch\"",
            "policy = \"equal-share\"\nidle = \"rest-burned\"\norder = \"least-run-time\"",
            "policy = \"equal-share\"\nidle = \"skipped-and-capped\"",
            "policy = \"fixed-share\"\nidle = \"polled\"",
            "policy = \"equal-share\"\novershoot = \"1 ms\"\nslice = \"1 ms\"",
        ][policy];
        let vms = rates.iter().enumerate().map(|(index, rate)| {
            vm(&format!("vm-{index}"), "vgpu = { type = \"A100-10C\" }", *rate)
        });
        let vms: String = vms.collect();
        let head = HEAD.replace("seed = 3", &format!("seed = {seed}"));
        let scenario = scenario(&format!("{head}[sharing]\n{keys}\n{vms}"));
        let results = watch(&scenario, from, SimDuration::from_nanos(length));
        if results.timeline.until > results.timeline.from {
            let trace = read_results(&results);
            // The engine does one thing at a time.
            let window = results.timeline.until - results.timeline.from;
            let all = ["run", "overshoot", "burned", "switch", "idle", "capped"];
            prop_assert!(trace.sm_time(1, &all) <= window.as_nanos() as f64 * (1.0 + 1e-9));
            results.files().unwrap();
        }
    }
}

/// Text from a file does no harm in a trace or a drawing.
#[test]
fn names_do_no_harm() {
    let evil = "</text><script>alert(1)</script>\\u001b[31m\\\" onload=\\\"x";
    let text = format!("title = \"{evil}\"\n{HEAD}{}", vm("only", "gpus = 1", 100));
    let text = text.replace("name = \"only\"", &format!("name = \"{evil}\""));
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let Ok(Task::Run(scenario)) = task_of_text(Path::new("evil.toml"), &text, &options) else {
        return; // A name that is refused does no harm either.
    };
    let results = watch(&scenario, 0, SimDuration::from_millis(300));
    let trace = read_results(&results);
    assert!(trace.processes.values().any(|name| name.contains("<script>")), "JSON keeps the text");
    for file in results.files().unwrap().iter().filter(|file| !file.name.ends_with(".png")) {
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        assert!(!text.contains('\u{1b}'), "{}", file.name);
        assert!(
            file.name.ends_with("json") || file.name.ends_with("txt") || !text.contains("<script>"),
            "{}",
            file.name
        );
    }
}

/// The command: files by their endings, a folder without one, and what it refuses.
#[test]
fn the_command_writes_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let file = path("two.toml");
    let sliced = "vgpu = { type = \"A100-10C\" }";
    fs::write(&file, format!("{HEAD}{}{}", vm("one", sliced, 150), vm("two", sliced, 90))).unwrap();
    let trace = |more: &[&str], code: i32| {
        let arguments: Vec<&str> = [&["trace", &file], more].concat();
        check(&arguments, code)
    };
    for name in ["one.json", "one.svg"] {
        let out = path(name);
        let (stdout, stderr) = trace(&["--from", "1s", "--for", "20ms", "--out", &out], 0);
        assert!(stdout.contains("from 1 s to 1.02 s") && stderr.contains(&out), "{stdout}{stderr}");
        assert!(fs::metadata(&out).unwrap().len() > 1000);
    }
    let text = fs::read_to_string(path("one.json")).unwrap();
    read(&text, (1_000_000_000, 1_020_000_000));
    let (stdout, _) = trace(
        &["--from", "1s", "--for", "20ms", "--json", "--quiet", "--out", &path("again.json")],
        0,
    );
    assert_eq!(stdout, text);
    let out = path("all");
    trace(&["--from", "1s", "--for", "20ms", "--out", &out], 0);
    assert_eq!(fs::read_to_string(format!("{out}/timeline.json")).unwrap(), text);
    for name in ["timeline.svg", "timeline.png", "table.txt"] {
        assert!(Path::new(&format!("{out}/{name}")).exists(), "{name}");
    }
    for (arguments, said) in [
        (&["--from", "1h"][..], "--from 1 h is not before the end of the run: two ended at 1.5"),
        (&["--for", "0 s"], "allowed: a time above 0 with its unit"),
        (&["--for", "-5 ms"], "allowed: a time above 0 with its unit"),
        (&["--from", "-5 ms"], "allowed: 0 s or more, such as \"1 s\" or \"50 ms\""),
        (&["--from", "5"], "has no unit"),
        (&["--from", "two"], "does not start with a number"),
        (&["--run", "tow"], "no run of \"two\" is called \"tow\""),
        (&["--run", "tow"], "did you mean \"two\"?"),
        (&["--side", "twin"], "two has no side \"twin\""),
        (&["--out", "x.pdf"], "allowed: a trace (.json), a drawing (.svg, .png)"),
    ] {
        let (stdout, stderr) = trace(arguments, 2);
        assert!(stderr.contains(said) && stdout.is_empty(), "{arguments:?}: {stderr}");
    }
    let sweep = check(&["trace", "scenarios/vcpu-knee.toml"], 2).1;
    assert!(sweep.contains("is a sweep, whose points differ"), "{sweep}");
    // As long as one likes: up to the end of the run.
    let (stdout, _) = trace(&["--for", "8000 h", "--out", &path("long.json")], 0);
    assert!(stdout.contains("where the run was over"), "{stdout}");
    // A folder of somebody else's is left alone.
    let foreign = path("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(format!("{foreign}/letter.txt"), "dear").unwrap();
    assert!(trace(&["--out", &foreign], 2).1.contains("was not created by slicewise"));
}
