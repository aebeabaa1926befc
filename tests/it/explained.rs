//! `slicewise explain`: each kind of sentence where it belongs and not elsewhere, and what arithmetic
//! says against what the simulator does.
//!
//! The workload `steady` takes 10 ms for each sample, so that expected numbers can be worked out here.

use crate::shared_cards::{experiment, experiment_on, rates};
use slicewise::gpu::{Demand, PoolJob, Turns, TurnsJob};
use slicewise::platform::{Outcome, simulate};
use slicewise::queueing::Station;
use slicewise::spec::{Experiment, GpuSharing, TestScenario};
use slicewise::study::{Effort, ExplainedRun, Head, KINDS, Part, Sentence, explain};
use slicewise::units::{Share, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// Little of everything: runs of these tests are short.
const EFFORT: Effort = Effort { run_most: 20_000_000, trials_most: 3_000_000 };

fn explained_with(experiment: &Experiment, effort: Effort) -> ExplainedRun {
    let head = Head::of("test", "A test", "0", 1);
    let runs = [("test".to_string(), experiment)];
    explain(head, &runs, effort, &|_, _, _| {}).runs.remove(0)
}

fn explained(experiment: &Experiment) -> ExplainedRun {
    explained_with(experiment, EFFORT)
}

/// A VM of `steady` with these keys, asked at a rate for some seconds.
fn asked(name: &str, keys: &str, server: &str, qps: f64, bound: &str) -> String {
    format!(
        "\n[[vm]]\nname = \"{name}\"\nvcpus = 4\nworkload = \"steady\"\n{keys}\nserver = {{ {server} }}\nload = {{ scenario = \"server\", target_qps = {qps}, target_latency = \"{bound}\", rules = \"none\", min_duration = \"30 s\", min_query_count = 1 }}\n"
    )
}

const GREEDY: &str = "preset = \"triton\", batch_max = 4";
const SINGLE: &str = "preset = \"triton\", batch_max = 1";

/// Three vGPUs in turns of 4 ms: each has 33 %, a query takes three turns.
fn equal() -> String {
    let sharing = "[sharing]\npolicy = \"equal-share\"\nslice = \"4 ms\"\n";
    sharing.to_string()
        + &asked("web", "count = 3\nvgpu = { type = \"A100-10C\" }", GREEDY, 10.0, "200 ms")
}

/// The same under best effort, whose idle turns were measured.
fn best_effort() -> String {
    asked("web", "count = 3\nvgpu = { type = \"A100-10C\" }", GREEDY, 10.0, "200 ms")
}

/// A GPU alone, asked a little at equal gaps.
fn whole() -> String {
    asked("one", "gpus = 1", GREEDY, 10.0, "200 ms")
        .replace("scenario = \"server\"", "scenario = \"server\", arrivals = \"constant\"")
}

/// A GPU alone, asked for more than it can do.
fn too_much() -> String {
    asked("one", "gpus = 1", SINGLE, 120.0, "200 ms")
}

fn offline() -> String {
    "\n[[vm]]\nname = \"all\"\nvcpus = 4\nworkload = \"steady\"\ngpus = 1\nserver = { preset = \"triton\", batch_max = 4 }\nload = { scenario = \"offline\", target_qps = 100, rules = \"none\", min_duration = \"10 s\", min_query_count = 1 }\n".to_string()
}

fn single_stream() -> String {
    "\n[[vm]]\nname = \"one\"\nvcpus = 4\nworkload = \"steady\"\ngpus = 1\nserver = { preset = \"triton\", batch_max = 1 }\nload = { scenario = \"singlestream\", rules = \"none\", min_duration = \"10 s\", min_query_count = 1 }\n".to_string()
}

/// The order of least run time: nobody knows the longest wait.
fn least_run_time() -> String {
    equal().replace("[sharing]\n", "[sharing]\norder = \"least-run-time\"\n")
}

/// A server that waits for four queries.
fn full_batches() -> String {
    asked("one", "gpus = 1", "preset = \"mlperf-triton\", batch_max = 4", 10.0, "200 ms")
}

/// A model with weights worth a word: BERT on a vGPU of 4 GB.
fn memory() -> String {
    asked("bert", "vgpu = { type = \"A100-4C\" }", "batch_max = 16", 20.0, "130 ms")
        .replace("\"steady\"", "\"bert-99\"")
}

type Scenario = fn() -> String;

/// For each kind a scenario with it, and one without.
const CASES: &[(&str, Scenario, Scenario)] = &[
    ("share", equal, whole),
    ("alone", whole, equal),
    ("longest-wait", equal, whole),
    ("idle-rule", equal, best_effort),
    ("turns-of-batch", equal, whole),
    ("batch-size", equal, too_much),
    ("full-batch", full_batches, equal),
    ("saturation", equal, single_stream),
    ("load", equal, whole),
    ("frame-buffer", memory, equal),
    ("not-known", least_run_time, equal),
    ("bound", equal, offline),
    ("answered", offline, equal),
    ("stages", equal, offline),
    ("turn-wait", equal, whole),
    ("bottleneck", too_much, whole),
    ("no-bottleneck", whole, too_much),
    ("tail", full_batches, whole),
    ("neighbours", equal, whole),
    ("lost-time", equal, whole),
    ("assumption", equal, whole),
    ("firm", whole, equal),
    ("change", equal, single_stream),
    ("no-change", equal, single_stream),
    ("nothing-tried", single_stream, equal),
    ("not-needed", equal, too_much),
];

/// That it tells of runs cut short is in [`a_long_run_is_cut_and_says_so`].
const ELSEWHERE: [&str; 1] = ["not-whole"];

#[test]
fn each_kind_is_told_where_it_belongs_and_not_elsewhere() {
    let mut known: BTreeMap<String, ExplainedRun> = BTreeMap::new();
    let mut of = |scenario: Scenario| {
        let text = scenario();
        let run = known.entry(text.clone()).or_insert_with(|| explained(&experiment(&text)));
        run.clone()
    };
    let told: BTreeSet<&str> = CASES.iter().map(|case| case.0).chain(ELSEWHERE).collect();
    let all: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(told, all, "a kind without a case");
    let mut wrong = Vec::new();
    for (kind, with, without) in CASES {
        let run = of(*with);
        if run.of_kind(kind).next().is_none() {
            wrong.push(format!("no {kind} in\n{run:#?}"));
        }
        if let Some(one) = of(*without).of_kind(kind).next() {
            wrong.push(format!("{kind}, where it does not belong: {}", one.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every sentence has a number of its run, in words and as a figure, and is one.
    for sentence in known.values().flat_map(|run| &run.sentences) {
        let Sentence { text, figures, .. } = sentence;
        assert!(text.contains(|letter: char| letter.is_ascii_digit()), "no number: {text}");
        assert!(!figures.is_empty() && text.ends_with('.'), "{sentence:#?}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        let unit = ["_ms", "_share", "_count", "_per_s", "_samples", "_gib", "percentile", "ratio"];
        for name in figures.keys() {
            assert!(unit.iter().any(|unit| name.ends_with(unit)), "{name} has no unit");
        }
    }
}

#[track_caller]
fn figure(run: &ExplainedRun, kind: &str, name: &str) -> f64 {
    let sentence = run.of_kind(kind).next().unwrap_or_else(|| panic!("no {kind} in {run:#?}"));
    *sentence.figures.get(name).unwrap_or_else(|| panic!("no {name} in {sentence:#?}"))
}

#[track_caller]
fn near(found: f64, expected: f64, part: f64) {
    assert!((found / expected - 1.0).abs() <= part, "{found} instead of {expected}");
}

/// The turns that owners take who always have work, by slot: from when to when.
fn turns_of_busy(experiment: &Experiment, owners: usize) -> Vec<(usize, SimTime, SimTime)> {
    let slicing = *experiment.cards[0].instances[0].sharing.slicing().unwrap();
    let mut turns: Turns<usize> =
        Turns::new(&vec![GpuSharing::InOrder; owners], Share::WHOLE, slicing);
    turns.keep_log();
    for slot in 0..owners {
        let demand = Demand::plain(SimDuration::from_millis(400));
        turns.submit(SimTime::ZERO, TurnsJob { slot, job: PoolJob { tag: slot, demand } });
    }
    let mut done = Vec::new();
    while let Some(at) = turns.next_change() {
        turns.advance(at, &mut done);
        if !done.is_empty() {
            break;
        }
    }
    turns.log().unwrap().iter().map(|turn| (turn.slot, turn.start, turn.end)).collect()
}

/// The longest wait of a VM with work is the longest gap between two of its turns while all have work;
/// its share is what it had of the time.
#[test]
fn longest_wait_and_share_are_those_of_the_turns() {
    for (sharing, owners) in [
        ("policy = \"equal-share\"\nslice = \"2 ms\"", 4),
        ("policy = \"equal-share\"\nslice = \"5 ms\"\nswitch_cost = \"0.3 ms\"", 3),
        ("policy = \"equal-share\"\nslice = \"2 ms\"\nidle = \"rest-burned\"", 2),
        ("policy = \"equal-share\"\nslice = \"2 ms\"\nidle = \"polled\"", 3),
        ("policy = \"fixed-share\"\nslice = \"2 ms\"", 2),
        ("policy = \"fixed-share\"\nslice = \"2 ms\"\nidle = \"polled\"", 2),
    ] {
        let text = format!("[sharing]\n{sharing}\n")
            + &asked(
                "web",
                &format!("count = {owners}\nvgpu = {{ type = \"A100-10C\" }}"),
                SINGLE,
                1.0,
                "1 s",
            );
        let experiment = experiment(&text);
        let run = explained(&experiment);
        let all = turns_of_busy(&experiment, owners);
        let own: Vec<_> = all.iter().filter(|(slot, ..)| *slot == 0).collect();
        let gaps = own.windows(2).map(|pair| pair[1].1 - pair[0].2);
        let longest = gaps.max().unwrap().as_millis_f64();
        let wait = figure(&run, "longest-wait", "longest_wait_ms");
        assert!((wait - longest).abs() < 1e-5, "{sharing}: {wait} ms instead of {longest}");
        let (first, last) = (own[0], own[own.len() - 1]);
        let had: f64 =
            own[..own.len() - 1].iter().map(|(_, from, to)| (*to - *from).as_secs_f64()).sum();
        near(figure(&run, "share", "least_share"), had / (last.1 - first.1).as_secs_f64(), 1e-6);
    }
}

/// What is left of a wait under a cap is never more than what is said.
#[test]
fn a_capped_wait_is_within_what_is_said() {
    let text =
        "[sharing]\npolicy = \"equal-share\"\nslice = \"2 ms\"\nidle = \"skipped-and-capped\"\n"
            .to_string()
            + &asked("web", "count = 3\nvgpu = { type = \"A100-10C\" }", SINGLE, 1.0, "1 s");
    let experiment = experiment(&text);
    let run = explained(&experiment);
    let all = turns_of_busy(&experiment, 3);
    let wait = figure(&run, "longest-wait", "longest_wait_ms");
    for slot in 0..3 {
        let own: Vec<_> = all.iter().filter(|(of, ..)| *of == slot).collect();
        for pair in own.windows(2) {
            let gap = (pair[1].1 - pair[0].2).as_millis_f64();
            assert!(gap <= wait + 1e-6, "{gap} ms, {wait} said");
        }
    }
}

/// A batch takes as many turns as are counted: 10 ms in turns of 2, 3, 5, 10 and 12 ms are 5, 4, 2, 1
/// and 1, and the largest batch that takes one is what fits.
#[test]
fn turns_of_a_batch_are_counted() {
    for (slice, turns, fits) in
        [(2, 5, 0), (3, 4, 0), (5, 2, 0), (10, 1, 1), (12, 1, 1), (29, 2, 2)]
    {
        let batch = if slice == 29 { 4 } else { 1 };
        let text = format!("[sharing]\npolicy = \"equal-share\"\nslice = \"{slice} ms\"\n")
            + &asked(
                "web",
                "count = 2\nvgpu = { type = \"A100-10C\" }",
                &format!("preset = \"triton\", batch_max = {batch}"),
                1.0,
                "1 s",
            );
        let mut experiment = experiment(&text);
        // Work on a platform that costs nothing, so that times are whole.
        experiment.hypervisor.gpu_speed.value = 1.0;
        let run = explained(&experiment);
        assert_eq!(figure(&run, "turns-of-batch", "turns_count"), f64::from(turns), "{slice} ms");
        assert_eq!(
            figure(&run, "turns-of-batch", "one_turn_samples"),
            f64::from(fits),
            "{slice} ms"
        );
        let slicing = *experiment.cards[0].instances[0].sharing.slicing().unwrap();
        let mut station: Turns<usize> =
            Turns::new(&[GpuSharing::InOrder; 2], Share::WHOLE, slicing);
        station.keep_log();
        for (slot, work) in [(0, 10 * batch), (1, 1_000)] {
            let demand = Demand::plain(SimDuration::from_millis(work));
            station.submit(SimTime::ZERO, TurnsJob { slot, job: PoolJob { tag: slot, demand } });
        }
        let (mut done, mut at) = (Vec::new(), SimTime::ZERO);
        while !done.contains(&0) {
            at = station.next_change().unwrap();
            station.advance(at, &mut done);
        }
        let over = station.log().unwrap().iter().filter(|turn| turn.slot == 0);
        // The turn in which it ends, if it is not over.
        let open = over.clone().all(|turn| turn.end < at);
        assert_eq!(over.count() + usize::from(open), turns as usize, "{slice} ms");
    }
}

/// By the hardware's turns a lone query waits no longer than is said, and nearly as long happens.
#[test]
fn waits_under_best_effort_are_within_what_is_said() {
    for owners in [2, 4] {
        let busy = "[vm.load]\nscenario = \"closed-loop\"\nclients = 4\nmin_duration = \"60 s\"\nmin_query_count = 1\n";
        // At equal gaps far longer than any wait, so that no query waits for another of its own.
        let text = asked("short", "vgpu = { type = \"A100-10C\" }", SINGLE, 4.1, "1 s")
            .replace("min_duration = \"30 s\"", "min_duration = \"60 s\"")
            .replace("scenario = \"server\"", "scenario = \"server\", arrivals = \"constant\"")
            + &format!(
                "\n[[vm]]\nname = \"long\"\ncount = {}\nvcpus = 4\nvgpu = {{ type = \"A100-10C\" }}\nworkload = \"steady\"\nserver = {{ batch_max = 4 }}\n{busy}",
                owners - 1
            );
        // A query takes one turn of 20 ms.
        let text = format!("[sharing]\nhardware_slice = \"20 ms\"\n{text}");
        let experiment = experiment(&text);
        let run = explained(&experiment);
        let sentence = run.of_kind("longest-wait").find(|one| one.about.vms == ["short"]).unwrap();
        let said = sentence.figures["longest_wait_ms"];
        let outcome = simulate(&experiment);
        let latencies = outcome.vms[0].recorder.latencies();
        // The fastest waited least, for a switch at least.
        let ms = |span: Option<SimDuration>| span.unwrap().as_millis_f64();
        let waited = ms(latencies.max()) - ms(latencies.min());
        assert!(waited <= said, "{waited} ms, {said} said");
        assert!(waited > 0.6 * 20.0 * f64::from(owners - 1), "{waited} ms of {said}");
    }
}

/// A VM with all the work it can take does what is said, alone, in its turns and beside others.
#[test]
fn saturation_is_what_offline_runs_do() {
    let offline = |keys: &str, server: &str| {
        format!(
            "\n[[vm]]\nname = \"all\"\nvcpus = 16\nworkload = \"steady\"\n{keys}\nserver = {{ {server} }}\nload = {{ scenario = \"offline\", target_qps = 50, rules = \"none\", min_duration = \"20 s\", min_query_count = 1 }}\n"
        )
    };
    let equal = "[sharing]\npolicy = \"equal-share\"\nslice = \"2 ms\"\n";
    let four = "count = 4\nvgpu = { type = \"A100-10C\" }";
    let harness = "preset = \"mlperf-bert\", batch_max = 4";
    for (text, cards) in [
        (offline("gpus = 1", harness), 1),
        (offline("gpus = 2", harness), 2),
        (offline("gpus = 1", "preset = \"triton\", batch_max = 4"), 1),
        (offline("gpus = 1", "preset = \"mlperf-lwis\", batch_max = 2, streams = 2"), 1),
        (format!("{equal}{}", offline(four, harness)), 1),
        (offline(four, harness), 1),
        (offline("count = 2\nvgpu = { type = \"A100-2-10C\" }", harness), 1),
    ] {
        let experiment = experiment_on(cards, &text);
        let run = explained(&experiment);
        let said = figure(&run, "saturation", "most_beside_busy_per_s");
        let found = rates(&experiment, &simulate(&experiment));
        // The last batches of a run of 1000 queries are a few of 250.
        for rate in found {
            near(rate, said, 0.03);
        }
    }
}

/// Asked for more than that, a VM falls behind by what is too much; for less, it does not.
#[test]
fn beyond_saturation_a_vm_falls_behind() {
    for (asks, behind) in [(1.2, 1.2), (0.7, 1.0)] {
        let text = asked("one", "gpus = 1", SINGLE, 100.0 * asks, "1 s");
        let experiment = experiment(&text);
        let run = explained(&experiment);
        let most = figure(&run, "saturation", "most_alone_per_s");
        // A sample takes 10 ms, a little more under the hypervisor.
        near(most, 100.0 * experiment.hypervisor.gpu_speed.value, 0.01);
        near(figure(&run, "saturation", "asked_share"), 100.0 * asks / most, 1e-9);
        let recorder = &simulate(&experiment).vms[0].recorder;
        let took = recorder.last_completion().as_secs_f64() / recorder.last_due().as_secs_f64();
        // Arrivals of 30 s vary by 1 / sqrt(30 x 100) = 1.8 %: three of that.
        near(took, behind, 0.055);
    }
}

/// The load of a card is how busy it is: rate times work, whoever asks.
#[test]
fn load_is_how_busy_the_card_is() {
    let text = asked("a", "count = 2\nvgpu = { type = \"A100-10C\" }", SINGLE, 12.0, "1 s")
        + &asked("b", "vgpu = { type = \"A100-10C\" }", SINGLE, 25.0, "1 s");
    let text = text.replace("30 s", "200 s");
    let experiment = experiment(&text);
    let run = explained(&experiment);
    let said = figure(&run, "load", "load_single_queries_share");
    near(said, 0.49 / experiment.hypervisor.gpu_speed.value, 1e-9);
    let Outcome { gpu_busy, .. } = simulate(&experiment);
    // 9800 Poisson arrivals: a standard deviation of 1 %.
    near(gpu_busy[0], said, 0.03);
}

/// A batch that waits 50 ms for others, from its oldest query on, has that one and those that come.
#[test]
fn batches_have_what_comes_within_the_delay() {
    let server = "preset = \"mlperf-triton\", batch_max = 60, timeout = \"50 ms\"";
    let text = asked("one", "gpus = 1", server, 60.0, "10 s").replace("30 s", "200 s");
    // Work that hides nothing: so short that batches do not meet.
    let mut experiment = experiment(&text);
    for service in experiment.vms[0].workload_mut().service.values_mut() {
        service.work.value = service.work.value.scaled(0.01);
    }
    let run = explained(&experiment);
    near(figure(&run, "batch-size", "batch_samples"), 1.0 + 60.0 * 0.05, 1e-9);
    let recorder = &simulate(&experiment).vms[0].recorder;
    let mean = recorder.latencies().count() as f64 / recorder.batches();
    // 3000 batches with a standard deviation of sqrt(3): four times 0.03 of 4.
    near(mean, 4.0, 0.04);
}

/// Greedy batches have what comes while the one before runs: a + exp(-a) with a = rate x time; with
/// 60/s and 10 ms a sample, the b that is 0.6 b + exp(-0.6 b) is 1.29.
#[test]
fn greedy_batches_have_what_comes_while_one_runs() {
    let text = asked("one", "gpus = 1", "preset = \"triton\", batch_max = 64", 60.0, "10 s");
    let mut experiment = experiment(&text.replace("30 s", "200 s"));
    experiment.hypervisor.gpu_speed.value = 1.0;
    let run = explained(&experiment);
    let said = figure(&run, "batch-size", "batch_samples");
    near(said, 0.6 * said + (-0.6 * said).exp(), 1e-6);
    let recorder = &simulate(&experiment).vms[0].recorder;
    let mean = recorder.latencies().count() as f64 / recorder.batches();
    // A fixed point of means, where batches vary: within a quarter.
    near(mean, said, 0.25);
}

/// Two pods in turns of 1 ms with 0.1 ms to pass, in a VM with turns of 2 ms and 0.11 ms beside another VM.
/// The VM has 2 / (2 x 2.11) = 0.4739 of the card, a pod 1 / (2 x 1.1) = 0.4545 of that: 0.2154. It waits
/// for the other's slice and two switches, 1.2 ms of its VM's time, and once for its VM: 2 + 2 x 0.11 ms.
#[test]
fn a_pod_has_a_part_of_what_its_vm_has_and_waits_for_both() {
    let pods = "pods = { sharing = \"time-slicing\", slice = \"1 ms\", switch_cost = \"0.1 ms\" }";
    let node = asked("node", "vgpu = { type = \"A100-20C\" }", GREEDY, 10.0, "200 ms")
        .replace("workload = \"steady\"", pods)
        .replace(
            "server =",
            "[[vm.pod]]\nname = \"web\"\ncount = 2\nworkload = \"steady\"\nserver =",
        );
    let beside = asked("beside", "vgpu = { type = \"A100-20C\" }", GREEDY, 10.0, "200 ms");
    let sharing =
        "[sharing]\npolicy = \"equal-share\"\nslice = \"2 ms\"\nswitch_cost = \"0.11 ms\"\n";
    let run = explained(&experiment(&format!("{sharing}{node}{beside}")));
    for (kind, name, expected) in [
        ("share", "named_share", 0.25),
        ("share", "least_share", 2.0 / 4.22 / 2.2),
        ("longest-wait", "longest_wait_ms", 1.2 + 2.22),
    ] {
        let mut sentences = run.of_kind(kind);
        let said = sentences.find(|one| one.about.vms[0].starts_with("node/")).expect("a pod");
        near(said.figures[name], expected, 1e-9);
    }
    assert_eq!(run.of_kind("alone").count(), 0, "{run:#?}");
}

/// Every change that is told was tried: applied to the scenario it does what is said.
#[test]
fn what_is_said_to_help_helps() {
    let run = explained(&experiment(&equal()));
    let changes: Vec<&Sentence> = run.of_kind("change").collect();
    assert!(!changes.is_empty(), "{run:#?}");
    let policy = changes.iter().find(|one| one.text.contains("policy = \"best-effort\""));
    let policy = policy.unwrap_or_else(|| panic!("{changes:#?}"));
    let set =
        equal().replace("policy = \"equal-share\"\nslice = \"4 ms\"", "policy = \"best-effort\"");
    let p99 = |text: &str, vm: usize| {
        let experiment = experiment(text);
        let found = simulate(&experiment).vms[vm].recorder.latencies().quantile(0.99);
        found.unwrap().as_millis_f64()
    };
    let vm =
        ["web-1", "web-2", "web-3"].iter().position(|name| policy.about.vms == [*name]).unwrap();
    near(p99(&equal(), vm), policy.figures["before_ms"], 1e-9);
    near(p99(&set, vm), policy.figures["after_ms"], 1e-9);
    for change in changes {
        let better = change.figures["after_ms"] / change.figures["before_ms"];
        assert!(better < 0.96, "{change:#?}");
    }
}

/// A bound that no setting saves is kept at the rate that is told, and nothing else is promised.
#[test]
fn a_rate_that_holds_is_told_where_nothing_else_does() {
    let run = explained(&experiment(&too_much()));
    let rate = run.of_kind("change").find(|one| one.text.contains("of what is asked")).unwrap();
    assert!(rate.text.contains("keeps the bound"), "{rate:#?}");
    // 100 queries per second are the most that the GPU does.
    assert!(rate.figures["all_after_per_s"] < 100.0, "{rate:#?}");
    assert!(rate.figures["after_ms"] <= 200.0, "{rate:#?}");
}

/// Runs longer than is simulated in seconds are cut, and so are those with something changed.
#[test]
fn a_long_run_is_cut_and_says_so() {
    let long = experiment(&equal().replace("30 s", "600 s"));
    let run = explained_with(&long, Effort { run_most: 50_000, trials_most: 50_000 });
    assert!(figure(&run, "not-whole", "run_part_share") < 1.0, "{run:#?}");
    // 30 of 6000 queries beyond p99 ask for 3000.
    let run = explained_with(&long, Effort { run_most: 50_000_000, trials_most: 1 });
    near(figure(&run, "not-whole", "trial_part_share"), 0.5, 1e-9);
    assert_eq!(explained(&experiment(&whole())).of_kind("not-whole").count(), 0);
}

/// All ways of sharing and all loads are explained: no panic, and something in every part.
#[test]
fn every_way_of_sharing_and_every_load_is_explained() {
    let keys = [
        "gpus = 1",
        "count = 2\nvgpu = { type = \"A100-10C\" }",
        "count = 2\nvgpu = { type = \"A100-1-5C\" }",
        "count = 2\nprocess = \"time-slicing\"",
        "count = 2\nprocess = \"mps\"",
    ];
    let loads = [
        "scenario = \"server\", target_qps = 20",
        "scenario = \"offline\", target_qps = 20",
        "scenario = \"singlestream\"",
        "scenario = \"multistream\"",
        "scenario = \"closed-loop\", clients = 3, think_time = \"5 ms\"",
    ];
    for keys in keys {
        for load in loads {
            let text = format!(
                "\n[[vm]]\nname = \"vm\"\nvcpus = 4\nworkload = \"steady\"\n{keys}\nserver = {{ batch_max = 4 }}\nload = {{ {load}, rules = \"none\", min_duration = \"2 s\", min_query_count = 1 }}\n"
            );
            let mut experiment = experiment(&text);
            if load.contains("multistream") {
                assert!(matches!(
                    experiment.vms[0].load.scenario,
                    TestScenario::MultiStream { .. }
                ));
            }
            experiment.name = "test".to_string();
            let run =
                explained_with(&experiment, Effort { run_most: 1_000_000, trials_most: 100_000 });
            for part in [Part::Before, Part::Happened, Part::Change] {
                let has = run.sentences.iter().any(|one| one.part == part);
                assert!(has, "nothing {part:?} of {keys}, {load}: {run:#?}");
            }
        }
    }
}

#[test]
fn the_command_explains_files_points_and_refuses_what_there_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let explain = |arguments: &[&str], code: i32| {
        let out = at("out");
        let all: Vec<&str> =
            ["explain"].iter().chain(arguments).copied().chain(["--out", &out]).collect();
        crate::cli::check(&all, code)
    };
    let text = "host = \"dell-r7525\"\ngpus = \"a30\"\n[[vm]]\nname = \"=1+1\"\nvcpus = 4\ngpus = 1\nworkload = \"resnet50\"\nload = { scenario = \"server\", target_qps = 100, rules = \"none\", min_duration = \"2 s\" }\n";
    std::fs::write(at("one.toml"), text).unwrap();
    let (printed, said) = explain(&[&at("one.toml")], 0);
    assert!(printed.contains("Before the run") && printed.contains("What happened"), "{printed}");
    assert!(printed.lines().count() < 45, "more than a screen:\n{printed}");
    assert!(said.contains("explanation.json explanation.csv explanation.txt"), "{said}");
    let csv = std::fs::read_to_string(folder.path().join("out/explanation.csv")).unwrap();
    assert!(csv.contains("'=1+1"), "a formula: {csv}");
    // The same bytes, whatever the number of threads.
    let (again, _) = explain(&[&at("one.toml"), "--threads", "1", "--quiet"], 0);
    assert_eq!(printed.trim_start(), again.trim_start());
    let (json, _) = explain(&[&at("one.toml"), "--json", "--quiet"], 0);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let sentence = &document["runs"][0]["sentences"][0];
    assert_eq!(sentence["kind"], "alone");
    assert!(sentence["figures"]["sms_share"].as_f64() == Some(1.0), "{sentence}");
    let (_, why) = explain(&[&at("one.toml"), "--point", "2"], 2);
    assert!(why.contains("has no [sweep]"), "{why}");
    let axis = "x = { key = \"vm.load.target_qps\", values = [50, 100], label = \"rate\" }";
    let sweep = format!("{text}\n[sweep]\n{axis}\n");
    std::fs::write(at("sweep.toml"), sweep).unwrap();
    let (_, said) = explain(&[&at("sweep.toml"), "--point", "2"], 0);
    assert!(said.contains("is a sweep of 2 points; explained is point 2"), "{said}");
    let (_, why) = explain(&[&at("sweep.toml"), "--point", "3"], 2);
    assert!(why.contains("allowed: 1 to 2"), "{why}");
    let (_, why) = explain(&[&at("none.toml")], 1);
    assert!(why.contains("none.toml"), "{why}");
}
