//! Whose rules a run is held to: MLPerf's, round by round, LoadGen's files over them, or nobody's;
//! and what is said of a run before it starts.
//!
//! The tables themselves are held against each round's file in `config::catalogue::rounds`.

use crate::support::queue;
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, explain, load};
use slicewise::loadgen::Rule;
use slicewise::platform::simulate;
use slicewise::spec::{
    Round, Rules, Scenario, SizeDistribution, TestScenario, VmSpec, queries_for,
};
use slicewise::study;
use slicewise::units::{SimDuration, SimTime};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A file with the keys of a round that took the count of Server out, as v5.1 did.
const MLPERF_CONF: &str = "*.*.schedule_rng_seed = 18209322760996052031
*.Server.target_latency = 10
*.Server.target_latency_percentile = 99
*.Server.min_duration = 600000
resnet50.Server.target_latency = 15
llama2-70b.*.use_token_latencies = 1
llama2-70b.Server.target_latency = 0
llama2-70b.Server.ttft_latency = 2000
*.Server.target_qps = 1.0
";

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

fn read(folder: &Path, text: &str) -> Result<Scenario, String> {
    let path = folder.join("it.toml");
    fs::write(&path, text).unwrap();
    load(&path, &options()).map_err(|error| error.to_string())
}

/// A VM with this workload and these lines of load.
fn text(workload: &str, lines: &str) -> String {
    format!("host = \"dell-r7525\"\n[[vm]]\nworkload = \"{workload}\"\n[vm.load]\n{lines}\n")
}

fn scenario(workload: &str, lines: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    read(folder.path(), &text(workload, lines)).unwrap_or_else(|error| panic!("{error}"))
}

fn vm(workload: &str, lines: &str) -> VmSpec {
    scenario(workload, lines).pairs[0].virtual_run.experiment.vms[0].clone()
}

const SERVER: &str = "scenario = \"server\"\ntarget_qps = 10";
const YOLOS: &str = "gpus = { model = \"a100-pcie-80gb\", count = 1 }\n";

fn own(lines: &str) -> VmSpec {
    let folder = tempfile::tempdir().unwrap();
    let text = text("yolos-small", lines).replacen('\n', &format!("\n{YOLOS}"), 1);
    let scenario = read(folder.path(), &text).unwrap_or_else(|error| panic!("{error}"));
    scenario.pairs[0].virtual_run.experiment.vms[0].clone()
}

#[test]
fn mlperfs_rules_hold_where_something_of_mlperf_is_named_and_nobodys_elsewhere() {
    let rules = |vm: VmSpec| vm.load.settings.rules;
    assert_eq!(rules(vm("bert-99", SERVER)), Rules::Mlperf);
    assert_eq!(rules(vm("bert-99", &format!("{SERVER}\nrules = \"none\""))), Rules::None);
    assert_eq!(rules(own(SERVER)), Rules::None);
    assert_eq!(rules(own(&format!("{SERVER}\nrules = \"mlperf\""))), Rules::Mlperf);
    assert_eq!(rules(own(&format!("{SERVER}\nround = \"v4.0\""))), Rules::Mlperf);
}

#[test]
fn counts_are_the_rounds_and_loadgens_own_hundred_where_it_has_none() {
    let settings = |round: &str, scenario: &str| {
        let lines = format!("scenario = \"{scenario}\"\nround = \"{round}\"\n");
        let rate = matches!(scenario, "server" | "offline");
        let vm = vm("bert-99", &(lines + if rate { "target_qps = 10" } else { "" }));
        let settings = vm.load.settings;
        (settings.min_query_count, settings.percentile, settings.min_duration)
    };
    let ten_minutes = SimDuration::from_secs(600);
    for (round, scenario, count, percentile) in [
        ("v1.1", "server", 270_336, 99.0),
        ("v3.0", "server", 270_336, 99.0),
        ("v3.1", "server", 100, 99.0),
        ("v5.1", "server", 100, 99.0),
        ("v1.1", "offline", 24_576, 99.0),
        ("v4.0", "offline", 10_833, 99.0),
        ("v1.1", "singlestream", 1024, 90.0),
        ("v6.0", "singlestream", 100, 90.0),
        ("v2.0", "multistream", 270_336, 99.0),
        ("v4.1", "multistream", 662, 99.0),
    ] {
        assert_eq!(
            settings(round, scenario),
            (count, percentile, ten_minutes),
            "{round} {scenario}"
        );
    }
}

#[test]
fn what_files_of_loadgens_do_not_say_is_loadgens_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mlperf.conf"), MLPERF_CONF).unwrap();
    fs::write(folder.path().join("user.conf"), "*.Server.target_qps = 16.5\n").unwrap();
    let conf =
        "scenario = \"server\"\nconf = [\"mlperf.conf\", \"user.conf\"]\nmodel = \"resnet50\"";
    let read = |lines: &str| read(folder.path(), &text("resnet50", lines)).unwrap();
    let scenario = read(conf);
    let settings = &scenario.pairs[0].virtual_run.experiment.vms[0].load.settings;
    assert_eq!((settings.target_qps, settings.min_query_count), (16.5, 100));
    assert_eq!(settings.target_latency, SimDuration::from_millis(15));
    assert_eq!((settings.min_duration, settings.round.name), (SimDuration::from_secs(600), "v5.1"));
    assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    let explained = explain(&folder.path().join("it.toml"), &options()).unwrap().1;
    let explained = &explained[0];
    let values = explained.sections.iter().flat_map(|section| &section.values);
    let said: Vec<_> = values
        .filter(|value| value.key.starts_with("load."))
        .map(|value| (value.key.as_str(), value.origin.by, value.origin.place.clone()))
        .collect();
    let of = |key: &str| said.iter().find(|(found, ..)| *found == key).unwrap();
    for (key, place) in [
        ("load.target_qps", "user.conf:1:23"),
        ("load.target_latency", "mlperf.conf:5:34"),
        ("load.percentile", "mlperf.conf:3:38"),
        ("load.min_duration", "mlperf.conf:4:25"),
        ("load.round", "mlperf.conf:1:25"),
    ] {
        assert!(of(key).1 == "conf" && of(key).2.ends_with(place), "{:?}", of(key));
    }
    assert_eq!(of("load.min_query_count").1, "default");
    assert!(of("load.min_query_count").2.contains("LoadGen's own"));
    // Some 9900 queries in ten minutes, 5 deviations of sqrt(9900) either way.
    let outcome = simulate(&scenario.pairs[0].virtual_run.experiment);
    let queries = outcome.vms[0].recorder.latencies().count();
    assert!((9400..10_400).contains(&queries), "{queries}");
    // A round that is stated stands below the files.
    let stated = read(&format!("{conf}\nround = \"v1.1\""));
    let settings = &stated.pairs[0].virtual_run.experiment.vms[0].load.settings;
    assert_eq!((settings.min_query_count, settings.round.name), (270_336, "v1.1"));
}

#[test]
fn a_users_file_alone_is_told_what_it_leaves_to_loadgen() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("user.conf"), "*.Server.target_qps = 53000000\n").unwrap();
    let conf = "scenario = \"server\"\nconf = \"user.conf\"\nmodel = \"resnet50\"";
    let alone = read(folder.path(), &text("resnet50", conf)).unwrap();
    let settings = &alone.pairs[0].virtual_run.experiment.vms[0].load.settings;
    assert_eq!(settings.min_duration, SimDuration::from_secs(10));
    let told = "the files do not state these, so LoadGen's own defaults apply: min_duration 10 s, target_latency 100 ms";
    assert!(alone.warnings[0].contains(told), "{:?}", alone.warnings);
    // With the round 53 million a second for ten minutes are too many, and the way out is named.
    let lines = format!("{conf}\nround = \"v4.0\"");
    let error = read(folder.path(), &text("resnet50", &lines)).unwrap_err();
    assert!(
        error.contains("min_duration = \"75 s\"") && error.contains("rules = \"none\""),
        "{error}"
    );
    for way in ["min_duration = \"75 s\"", "rules = \"none\""] {
        let found = read(folder.path(), &text("resnet50", &format!("{lines}\n{way}")));
        assert!(found.is_ok(), "{way}: {}", found.unwrap_err());
    }
}

#[test]
fn bounds_on_tokens_are_refused_and_only_where_they_judge() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mlperf.conf"), MLPERF_CONF).unwrap();
    let lines = |scenario: &str, more: &str| {
        format!(
            "scenario = \"{scenario}\"\nconf = \"mlperf.conf\"\nmodel = \"llama2-70b\"\ntarget_qps = 10\n{more}"
        )
    };
    let read = |lines: String| read(folder.path(), &text("bert-99", &lines));
    let error = read(lines("server", "")).unwrap_err();
    assert!(error.contains("mlperf.conf:6:36") && error.contains("latency of tokens"), "{error}");
    let told = read(lines("server", "target_latency = \"2 s\"")).unwrap().warnings;
    assert!(told.iter().any(|told| told.contains("latency of tokens")), "{told:?}");
    assert!(read(lines("offline", "min_duration = \"1 s\"")).unwrap().warnings.is_empty());
}

#[test]
fn a_benchmark_that_a_round_has_not_keeps_its_workloads_bound_and_says_so() {
    let found = scenario("ssd-resnet34", &format!("{SERVER}\nround = \"v4.0\""));
    let settings = &found.pairs[0].virtual_run.experiment.vms[0].load.settings;
    assert_eq!(settings.target_latency, SimDuration::from_millis(100));
    assert!(found.warnings[0].contains("round v4.0 has no bound for ssd-resnet34"));
    assert!(scenario("ssd-resnet34", SERVER).warnings.is_empty());
}

#[test]
fn without_rules_the_queries_follow_from_the_percentile() {
    assert_eq!(
        [99.0, 90.0, 99.9, 50.0, 97.0].map(|p| queries_for(100, p)),
        [10_000, 1000, 100_000, 200, 3334]
    );
    let of = |lines: &str| own(&format!("{SERVER}\n{lines}")).load.settings;
    let settings = of("");
    assert_eq!(
        (settings.min_query_count, settings.min_duration.to_string()),
        (10_000, "60 s".into())
    );
    assert_eq!(of("queries_beyond_percentile = 20").min_query_count, 2000);
    assert_eq!(of("percentile = 99.9").min_query_count, 100_000);
    // A count that is stated is what is meant, unless both are.
    assert_eq!(of("min_query_count = 50").min_query_count, 50);
    assert_eq!(of("min_query_count = 50\nqueries_beyond_percentile = 20").min_query_count, 2000);
}

#[test]
fn results_say_what_valid_means_without_rules() {
    let notes = |lines: &str| {
        let lines = format!("{SERVER}\nmin_duration = \"1 s\"\nmin_query_count = 10\n{lines}");
        study::run(&scenario("bert-99", &lines), &|_, _, _| {}).notes
    };
    let says =
        |notes: Vec<String>| notes.iter().any(|note| note.contains("without MLPerf's rules"));
    assert!(says(notes("rules = \"none\"")) && !says(notes("")));
}

#[test]
fn without_rules_neither_length_nor_count_nor_early_stopping_fails_a_run() {
    let mut experiment = queue(1, 100.0, SimDuration::from_millis(2), SizeDistribution::Fixed, 1);
    let vm = &mut experiment.vms[0];
    vm.power_off = Some(vm.power_on + SimDuration::from_secs(2));
    let settings = &mut vm.load.settings;
    (settings.min_duration, settings.min_query_count) = (SimDuration::from_secs(600), 270_336);
    settings.round = Round::ALL[10];
    let failed = |experiment: &_| -> Vec<Rule> {
        simulate(experiment).vms[0].verdict.failed.iter().map(|failed| failed.rule).collect()
    };
    assert_eq!(failed(&experiment), [Rule::MinDuration, Rule::MinQueries, Rule::EarlyStopping]);
    experiment.vms[0].load.settings.rules = Rules::None;
    assert_eq!(failed(&experiment), []);
    experiment.vms[0].load.settings.target_latency = SimDuration::from_micros(1999);
    assert_eq!(failed(&experiment), [Rule::Latency]);
    // Of 50 queries or so none lies beyond the 99th percentile: that is no verdict.
    experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(100);
    experiment.vms[0].power_off = Some(SimTime::ZERO + SimDuration::from_millis(500));
    assert_eq!(failed(&experiment), [Rule::MinQueries]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// What a run without rules promises: so many queries beyond the percentile, and a verdict that
    /// anybody can count from its latencies.
    #[test]
    fn a_run_without_rules_has_its_queries_and_its_verdict_is_a_count(
        rate in 20.0..480.0_f64,
        beyond in 1_u64..30,
        percentile in prop::sample::select(vec![50.0, 90.0, 95.0, 97.0, 99.0]),
        bound_ms in 2.0..40.0_f64,
        seed in any::<u64>(),
    ) {
        let mut experiment =
            queue(1, rate, SimDuration::from_millis(2), SizeDistribution::Exponential, 1);
        experiment.seed = seed;
        let settings = &mut experiment.vms[0].load.settings;
        settings.rules = Rules::None;
        settings.percentile = percentile;
        settings.min_duration = SimDuration::from_millis(100);
        settings.min_query_count = queries_for(beyond, percentile);
        settings.target_latency = SimDuration::from_nanos_f64(bound_ms * 1e6);
        experiment.vms[0].load.scenario = TestScenario::Server;
        let outcome = simulate(&experiment);
        let recorder = &outcome.vms[0].recorder;
        let queries = recorder.latencies().count();
        prop_assert!(queries as f64 * (100.0 - percentile) / 100.0 >= beyond as f64 - 1e-6);
        // LoadGen's rule, which ours is: of n sorted latencies that of rank n p keeps the bound.
        let on_time = queries - recorder.over_latency();
        let keeps = on_time > (queries as f64 * percentile / 100.0) as u64;
        prop_assert_eq!(outcome.vms[0].failed_rules.is_empty(), keeps);
    }
}

#[test]
fn a_piece_of_a_run_foresees_the_whole() {
    let mut experiment = queue(1, 200.0, SimDuration::from_millis(2), SizeDistribution::Fixed, 3);
    let settings = &mut experiment.vms[0].load.settings;
    (settings.min_duration, settings.min_query_count) = (SimDuration::from_secs(10), 20_000);
    // 20 000 queries at 200 per second take 100 s; a hundredth of them says so to a tenth or so.
    let found = study::estimate_size(&experiment, 0.01);
    assert!((found.queries / 20_000.0 - 1.0).abs() < 0.3, "{found:?}");
    assert!((found.simulated_s - 100.0).abs() < 1e-9, "{found:?}");
    assert_eq!(study::queries_at_least(&experiment), 20_000.0);
    // One client and no thought: a query each 2 ms, for 10 s at least and 20 000 queries: 40 s.
    experiment.vms[0].load.scenario = TestScenario::SingleStream;
    let found = study::estimate_size(&experiment, 0.01);
    assert!((found.queries / 20_000.0 - 1.0).abs() < 0.01, "{found:?}");
    assert!((found.simulated_s - 40.0).abs() < 0.5, "{found:?}");
}

#[test]
fn a_long_run_is_announced_with_its_way_out_and_a_short_one_is_not() {
    // Ten VMs at 10/s: 270 336 queries each are 7.5 h of simulated time. Killed once it has said so.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow.toml");
    let lines = "[[vm]]\ncount = 12\nvcpus = 4\nvgpu = { type = \"A100-10C\" }\nworkload = \"resnet50\"\nserver = { batch_max = 1 }\n[vm.load]\nscenario = \"server\"\ntarget_qps = 10\nmin_duration = \"30 s\"\n";
    let head = "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n";
    fs::write(&path, format!("{head}{lines}")).unwrap();
    let said = |arguments: &[&str], wait: std::time::Duration| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slicewise"))
            .arg("run")
            .arg(&path)
            .args(["--out", &folder.path().join("out").display().to_string(), "--force"])
            .args(arguments)
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let start = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() && start.elapsed() < wait {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = child.kill();
        String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
    };
    let long = said(&[], std::time::Duration::from_secs(8));
    assert!(long.contains("7.5 h simulated time; expect"), "{long}");
    assert!(
        long.contains("270336 queries at 10 per second take longer than min_duration 30 s"),
        "{long}"
    );
    assert!(long.contains("rules = \"none\""), "{long}");
    let short = said(
        &[
            "--set",
            "vm.load.rules=none",
            "--set",
            "vm.count=1",
            "--set",
            "vm.load.queries_beyond_percentile=1",
        ],
        std::time::Duration::from_secs(60),
    );
    assert!(!short.contains("simulated time") && short.contains("wrote"), "{short}");
}
