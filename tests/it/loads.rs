//! Loads beyond Server and Offline: MultiStream, early stopping, recorded traces, LoadGen's files.
//!
//! What is wrong in such settings is in `tests/bad/`.

use crate::support::queue;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::formats::loadgen_log;
use slicewise::formats::request_trace::{self, Columns};
use slicewise::loadgen::Rule;
use slicewise::platform::simulate;
use slicewise::report;
use slicewise::spec::{
    Arrivals, Experiment, Round, Scenario, SizeDistribution, TestScenario, VmSpec,
};
use slicewise::study;
use slicewise::units::SimDuration;
use std::fs;
use std::path::Path;

const MS: u64 = 1_000_000;

/// One server that takes 2 ms for each sample, one after the other.
fn two_ms(scenario: TestScenario, round: Round, queries: u64) -> Experiment {
    let work = SimDuration::from_millis(2);
    let mut experiment = queue(1, 100.0, work, SizeDistribution::Fixed, 1);
    let settings = &mut experiment.vms[0].load.settings;
    (settings.round, settings.percentile) = (round, 99.0);
    (settings.min_duration, settings.min_query_count) = (SimDuration::ZERO, queries);
    experiment.vms[0].load.scenario = scenario;
    experiment
}

fn round(name: &str) -> Round {
    Round::ALL.into_iter().find(|round| round.name == name).unwrap()
}

#[test]
fn a_multistream_query_is_done_with_its_last_sample_and_only_then_comes_the_next() {
    // Four samples, one after the other: 2, 4, 6, 8 ms; the query takes 8 ms, 662 queries 5.296 s.
    let scenario = TestScenario::MultiStream { samples: 4 };
    let outcome = simulate(&two_ms(scenario, round("v4.0"), 662));
    let vm = &outcome.vms[0];
    let queries = vm.recorder.query_latencies();
    assert_eq!((queries.count(), vm.recorder.latencies().count()), (662, 4 * 662));
    let nanos = |span: Option<SimDuration>| span.unwrap().as_nanos();
    assert_eq!((nanos(queries.min()), nanos(queries.max())), (8 * MS, 8 * MS));
    assert_eq!(nanos(vm.recorder.latencies().mean()), 5 * MS);
    assert_eq!(vm.recorder.last_completion().as_nanos(), 662 * 8 * MS);
    assert!(vm.failed_rules.is_empty(), "{:?}", vm.failed_rules);
    let estimate = vm.verdict.early_stopping.as_ref().unwrap().estimates[0];
    assert_eq!(
        (estimate.queries_min, estimate.found),
        (662, Some((0, SimDuration::from_millis(8))))
    );
}

#[test]
fn one_multistream_sample_is_singlestream() {
    let run = |scenario| simulate(&two_ms(scenario, round("v4.0"), 1000));
    let (single, multi) =
        (run(TestScenario::SingleStream), run(TestScenario::MultiStream { samples: 1 }));
    let of = |outcome: &slicewise::platform::Outcome| {
        let recorder = &outcome.vms[0].recorder;
        (
            recorder.query_latencies().count(),
            recorder.last_completion(),
            recorder.query_latencies().mean(),
        )
    };
    assert_eq!(of(&single), of(&multi));
}

#[test]
fn too_few_queries_fail_early_stopping_by_name() {
    let scenario = TestScenario::MultiStream { samples: 2 };
    let outcome = simulate(&two_ms(scenario, round("v2.0"), 661));
    let failed = &outcome.vms[0].verdict.failed;
    assert_eq!(failed.iter().map(|failed| failed.rule).collect::<Vec<_>>(), [Rule::EarlyStopping]);
    assert_eq!(failed[0].reason, "early stopping not satisfied: 661 of at least 662 queries");
}

#[test]
fn a_server_run_just_within_its_percentage_is_valid_in_v1_1_and_not_sure_enough_in_v2_0() {
    // M/D/1 at load 0.2: with 2 ms of work at 100 per second, 2000 queries. The bound is put so that
    // a little less than 1 % are late: 1 % of 2000 is 20, sure are 9 (BinomialCDF(9; 2000, 0.01) is
    // 0.0049, of 10 0.0105).
    let mut experiment = two_ms(TestScenario::Server, round("v1.1"), 2000);
    let latencies = simulate(&experiment);
    let bound = latencies.vms[0].recorder.latencies().quantile(1.0 - 15.0 / 2000.0).unwrap();
    experiment.vms[0].load.settings.target_latency = bound;
    let late = |experiment: &Experiment| simulate(experiment).vms[0].recorder.over_latency();
    assert!((10..20).contains(&late(&experiment)), "{}", late(&experiment));
    assert_eq!(simulate(&experiment).vms[0].failed_rules, [""; 0]);
    experiment.vms[0].load.settings.round =
        Round { schedule_seed: round("v1.1").schedule_seed, ..round("v2.0") };
    let verdict = &simulate(&experiment).vms[0].verdict;
    assert_eq!(verdict.failed.len(), 1, "{verdict:?}");
    assert_eq!(verdict.failed[0].rule, Rule::EarlyStopping);
    assert!(verdict.early_stopping.as_ref().unwrap().queries_missing > 0);
}

#[test]
fn the_schedule_of_another_round_is_another() {
    let dues = |name: &str| {
        let mut experiment = two_ms(TestScenario::Server, round(name), 1000);
        experiment.seed = 0;
        simulate(&experiment).vms[0].recorder.last_due()
    };
    assert_ne!(dues("v1.1"), dues("v4.0"));
    assert_eq!(dues("v4.0"), dues("v4.0"));
}

/// The first VM of a scenario with these lines of load.
fn vm(lines: &str) -> VmSpec {
    let scenario = scenario(&format!(
        "host = \"dell-r7525\"\n[[vm]]\nworkload = \"bert-99\"\n[vm.load]\n{lines}\n"
    ));
    scenario.pairs[0].virtual_run.experiment.vms[0].clone()
}

fn scenario(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let samples = fs::canonicalize("tests/formats").unwrap();
    let path = folder.path().join("it.toml");
    fs::write(&path, text.replace("SAMPLES", &samples.display().to_string())).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    load(&path, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// Due time in milliseconds and size of every arrival; rows dropped, and why.
type Replayed = (Vec<(f64, f32)>, Vec<(u64, String)>);

fn replayed(vm: &VmSpec) -> Replayed {
    let Arrivals::Trace(trace) = &vm.load.arrivals else { panic!("{:?}", vm.load.arrivals) };
    let arrivals = trace.arrivals.iter();
    (
        arrivals.map(|arrival| (arrival.at.as_millis_f64(), arrival.size)).collect(),
        trace.dropped.clone(),
    )
}

#[test]
fn azure_rows_are_replayed_by_their_dates() {
    let (arrivals, dropped) = replayed(&vm(
        "scenario = \"server\"\narrivals = { trace = \"SAMPLES/request-trace/azure.csv\" }",
    ));
    assert_eq!(arrivals, [(0.0, 0.0), (300.0, 0.0), (500.0, 0.0), (1000.0, 0.0), (2000.0, 0.0)]);
    assert_eq!(dropped, []);
}

#[test]
fn sizes_of_tokens_are_relative_to_their_mean_and_rows_without_any_are_counted() {
    let vm = vm(
        "scenario = \"server\"\narrivals = { trace = \"SAMPLES/request-trace/azure.csv\", size_column = \"GeneratedTokens\" }",
    );
    // 44, 109, 55, 16 have the mean 56.
    let (arrivals, dropped) = replayed(&vm);
    let sizes: Vec<f32> = arrivals.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [44.0, 109.0, 55.0, 16.0].map(|tokens: f32| tokens / 56.0));
    assert_eq!(dropped, [(1, "without work: size 0".to_string())]);
}

#[test]
fn burstgpt_columns_are_found_by_name_failures_dropped_and_rows_sorted() {
    let of = |choice: &str| {
        let trace = format!("trace = \"SAMPLES/request-trace/burstgpt-1.csv\"{choice}");
        replayed(&vm(&format!("scenario = \"server\"\narrivals = {{ {trace} }}")))
    };
    // The trace begins at 5 s, whoever was asked; at 118 s GPT-4 was, and failed at 120 s.
    let (arrivals, dropped) = of("");
    assert_eq!(arrivals, [(0.0, 0.0), (40_000.0, 0.0), (113_000.0, 0.0)]);
    assert_eq!(dropped, [(1, "failed: no response tokens".to_string())]);
    let (arrivals, dropped) = of(", model = \"ChatGPT\"");
    assert_eq!(arrivals, [(0.0, 0.0), (40_000.0, 0.0)]);
    assert_eq!(dropped, [(2, "of other models".to_string())]);
    let text = fs::read_to_string("tests/formats/request-trace/burstgpt-3.csv").unwrap();
    let file = request_trace::read(&text, &Columns::default()).unwrap();
    assert!(file.was_sorted);
    assert_eq!(
        file.requests.iter().map(|row| row.at).collect::<Vec<_>>(),
        [250_000_000, 500_000_000]
    );
}

#[test]
fn a_part_of_a_trace_is_played_faster() {
    let vm = vm(
        "scenario = \"server\"\narrivals = { trace = \"SAMPLES/request-trace/ours.csv\", vm = \"web\", start = \"15 ms\", length = \"1 s\", scale = 2 }",
    );
    // From 15 ms on: one sample 5 ms later, two at 50 ms. Their rate is 2 / 35 ms, asked is twice that.
    let (arrivals, dropped) = replayed(&vm);
    assert_eq!(arrivals, [(5.0, 0.0), (35.0, 0.0), (35.0, 0.0)]);
    assert_eq!(dropped, [(2, "before `start`".to_string())]);
    assert!((vm.load.settings.target_qps - 2.0 * 2.0 / 0.035).abs() < 1e-9);
    // On the clock of the run everything comes in half the time, and every sample is answered once.
    let text = "host = \"dell-r7525\"\n[[vm]]\nworkload = \"bert-99\"\n[vm.load]\nscenario = \"server\"\narrivals = { trace = \"SAMPLES/request-trace/ours.csv\", vm = \"web\", scale = 2 }\n";
    let scenario = scenario(text);
    let outcome = simulate(&scenario.pairs[0].virtual_run.experiment);
    let recorder = &outcome.vms[0].recorder;
    assert_eq!(recorder.latencies().count(), 4);
    assert_eq!(recorder.last_due().as_nanos(), 25 * MS);
    assert_eq!(outcome.vms[0].failed_rules, [""; 0]);
    let told = study::replayed(&scenario);
    assert_eq!(
        told,
        [
            "arrivals are 4 samples of ours.csv (seconds by `arrival_s`; 60 per second as recorded) at 2 times their rate; rows left out: 1 of other VMs"
        ]
    );
}

#[test]
fn vms_alike_are_dealt_the_rows_in_turn() {
    let scenario = scenario(
        "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n[[vm]]\ncount = 2\nvcpus = 8\nvgpu = { type = \"A100-20C\" }\nworkload = \"bert-99\"\nserver = { batch_max = 4 }\n[vm.load]\nscenario = \"server\"\narrivals = { trace = \"SAMPLES/request-trace/azure.csv\" }\n",
    );
    let vms = &scenario.pairs[0].virtual_run.experiment.vms;
    let dues = |vm: &VmSpec| replayed(vm).0.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(dues(&vms[0]), [0.0, 500.0, 2000.0]);
    assert_eq!(dues(&vms[1]), [300.0, 1000.0]);
}

#[test]
fn loadgens_own_files_give_what_the_scenario_does_not_say() {
    let conf = "conf = [\"SAMPLES/mlperf-conf/mlperf.conf\", \"SAMPLES/mlperf-conf/user.conf\"]\nmodel = \"bert\"\n";
    let server = vm(&format!("scenario = \"server\"\n{conf}")).load;
    assert_eq!((server.settings.target_qps, server.settings.percentile), (2345.5, 99.0));
    assert_eq!(server.settings.target_latency, SimDuration::from_millis(130));
    assert_eq!(server.settings.min_duration, SimDuration::from_secs(60), "user.conf is the later");
    assert_eq!(server.settings.round.name, "v4.0", "known by its seed");
    let offline = vm(&format!("scenario = \"offline\"\n{conf}target_qps = 100")).load;
    assert_eq!(offline.settings.target_qps, 100.0, "what the scenario says is stronger");
    assert_eq!(offline.settings.min_query_count, 10_833);
    let multi = vm(&format!("scenario = \"multistream\"\n{conf}")).load;
    assert_eq!(multi.scenario, TestScenario::MultiStream { samples: 4 });
    assert_eq!(multi.settings.min_query_count, 662);
}

#[test]
fn keys_that_loadgen_passes_over_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("user.conf");
    fs::write(&conf, "bert.Server.target_qps = 10\nbert.Server.target_latncy = 50\n*.Server.target_latency = 50\n*.Server.min_duration = 1000\n").unwrap();
    let text = format!(
        "host = \"dell-r7525\"\n[[vm]]\nworkload = \"bert-99\"\nload = {{ scenario = \"server\", conf = \"{}\", model = \"bert\" }}\n",
        conf.display()
    );
    let warnings = scenario(&text).warnings;
    assert_eq!(warnings.len(), 1);
    let warning = &warnings[0];
    assert!(warning.starts_with("warning: unknown key \"target_latncy\""), "{warning}");
    assert!(
        warning.contains("user.conf:2:13") && warning.contains("did you mean \"target_latency\"?"),
        "{warning}"
    );
}

#[test]
fn a_simulated_summary_is_read_back_and_says_that_it_is_none() {
    let load = |lines: &str| format!("[[vm]]\nworkload = \"bert-99\"\n[vm.load]\n{lines}\n");
    for (lines, scenario_name) in [
        (
            "scenario = \"server\"\ntarget_qps = 500\nmin_duration = \"2 s\"\nmin_query_count = 10\nround = \"v4.0\"",
            "server",
        ),
        ("scenario = \"offline\"\ntarget_qps = 500\nmin_duration = \"2 s\"", "offline"),
        ("scenario = \"singlestream\"\nmin_duration = \"2 s\"\nround = \"v5.0\"", "singlestream"),
        ("scenario = \"multistream\"\nmin_duration = \"2 s\"", "multistream"),
    ] {
        let scenario = scenario(&format!("host = \"dell-r7525\"\n{}", load(lines)));
        let results = study::run(&scenario, &|_, _, _| {});
        let vm = &results.runs[0].vms[0];
        assert_eq!(vm.scenario, scenario_name);
        let files = report::Report::files(&results).unwrap();
        let file = files.iter().find(|file| file.name == "simulated_log_summary.txt").unwrap();
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        assert!(text.starts_with("WARNING: simulated by slicewise"), "{text}");
        let log = loadgen_log::read(&text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
        assert!(log.is_simulated());
        assert_eq!(log.valid.unwrap().value, vm.verdict.valid, "{text}");
        let latency =
            if scenario_name == "multistream" { &log.query_latency } else { &log.latency };
        for name in ["min", "mean", "p50", "p90", "p99", "p999", "max"] {
            let (found, ms) =
                (latency[name].value.as_millis_f64(), vm.latency_ms.get(name).unwrap());
            assert!((found - ms).abs() < 1e-6, "{scenario_name} {name}: {found} {ms}");
        }
        let rate = match scenario_name {
            "server" => log.completed_per_s,
            "offline" => log.samples_per_s,
            _ => continue,
        };
        let rate = rate.unwrap().value;
        assert!((rate / vm.completed_per_s - 1.0).abs() < 1e-4, "{rate}");
        assert!(Path::new(&file.name).file_name().is_some());
    }
}
