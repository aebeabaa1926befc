//! Calibration: measurements in, a workload file out; and every mistake with its place.
//!
//! `UPDATE=1` rewrites the messages of `tests/bad-calibration/`; the diff is read in review.

use crate::support::{cases, fact, hold_messages, queue};
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadError, LoadOptions, calibration_of, load_calibration};
use slicewise::report;
use slicewise::spec::*;
use slicewise::study::*;
use slicewise::units::{Share, SimDuration};
use std::fs;
use std::path::{Path, PathBuf};

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

fn fitted(plan: &CalibrationPlan) -> CalibrationResults {
    calibrate(plan, &|_, _, _| {})
}

fn value(results: &CalibrationResults, name: &str) -> f64 {
    let all = &results.parameters;
    all.iter().find(|parameter| parameter.name == name).unwrap_or_else(|| panic!("{name}")).value
}

/// Times on a straight line: launch 0.5 ms, 0.25 ms a sample. The file that comes out is read back,
/// and its batches take what was measured.
#[test]
fn batch_times_become_a_workload_that_takes_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("times.csv");
    fs::write(&csv, "batch,latency_ms\n1,0.75\n4,1.5\n16,4.5\n16,4.4\n16,4.6\n").unwrap();
    let text = format!(
        "name = \"my-model\"\ngpu = \"a30\"\n[[times]]\ncsv = {:?}\n",
        csv.to_str().unwrap()
    );
    let plan = calibration_of(text, &options()).unwrap_or_else(|error| panic!("{error}"));
    let results = fitted(&plan);
    assert!((value(&results, "launch") - 0.5).abs() < 1e-6);
    assert!((value(&results, "work[16]") - 4.0).abs() < 1e-6);

    let workloads = folder.path().join("configs/workloads");
    fs::create_dir_all(&workloads).unwrap();
    fs::write(workloads.join("my-model.toml"), report::catalogue_file(&results)).unwrap();
    let scenario = folder.path().join("run.toml");
    fs::write(
        &scenario,
        "host = \"dell-r7525\"\ngpus = { model = \"a30\", count = 1 }\n[[vm]]\nworkload = \"my-model\"\nload = { scenario = \"server\", target_qps = 500, min_duration = \"5 s\", min_query_count = 1 }\n",
    )
    .unwrap();
    let catalogue = Catalogue::load(Some(&folder.path().join("configs")))
        .unwrap_or_else(|error| panic!("{error}"));
    let read = slicewise::config::load(&scenario, &LoadOptions::new(catalogue)).unwrap();
    let experiment = &read.pairs[0].virtual_run.experiment;
    let service = &experiment.vms[0].workload.service["a30"];
    for (batch, ms) in [(1, 0.75), (4, 1.5), (16, 4.5)] {
        let took = (service.launch.value.as_nanos_f64() + service.work.value.at(batch)) / 1e6;
        assert!((took - ms).abs() < 1e-5, "a batch of {batch} takes {took} ms");
    }
    assert_eq!(service.launch.standing, Standing::Fitted);
    assert_eq!(service.launch.fitted_on.len(), 3);
    // A launch with an interval has other fits, and a run says what they would give.
    assert_eq!(service.alternatives.len(), 2);
    let results = run(&read, &|_, _, _| {});
    let fits = results.runs[0].vms[0].fits.as_ref().expect("the workload keeps other fits");
    let p99 = results.runs[0].vms[0].latency_ms.p99;
    assert!(fits.sets == 3 && fits.latency_ms["p99"][0] <= p99 && p99 <= fits.latency_ms["p99"][1]);
}

/// A server whose numbers are known: launch 1 ms, 0.5 ms a sample.
fn known(rate: f64, scenario: TestScenario) -> Experiment {
    let work = SimDuration::from_micros(500);
    let mut experiment = queue(1, rate, work, SizeDistribution::LogNormal { sigma: 0.4 }, 20);
    let vm = &mut experiment.vms[0];
    vm.server = ServerSpec { batch_max: 16, ..(PRESETS[0].make)() };
    vm.load.scenario = scenario;
    let service = vm.workload.service.get_mut("test-gpu").unwrap();
    service.launch.value = SimDuration::from_millis(1);
    experiment
}

fn measured(rate: f64, scenario: TestScenario) -> MeasuredRun {
    let experiment = known(rate, scenario);
    let figures = run_figures(&experiment, &experiment.vms[0].workload, 1_000_000);
    let names = ["completed_per_s", "p50", "p90", "p99", "p999"];
    let seen = |figure: &&str| {
        let value = figures.get(figure).unwrap();
        Observed { figure: (*figure).to_string(), value }
    };
    MeasuredRun {
        row: format!("{scenario:?} {rate}"),
        source: "a simulated run".to_string(),
        experiment,
        observed: names.iter().map(seen).collect(),
        machine: 0,
        is_fitted: true,
    }
}

fn parameter(knob: Knob, [low, start, high]: [f64; 3]) -> FitParameter {
    FitParameter { knob, low, high, start, is_held: false }
}

fn plan(runs: Vec<MeasuredRun>) -> CalibrationPlan {
    CalibrationPlan {
        name: "known".to_string(),
        title: "known".to_string(),
        hash: String::new(),
        seed: 1,
        gpu: "test-gpu".to_string(),
        workload: runs[0].experiment.vms[0].workload.clone(),
        usual_preset: "mlperf-bert".to_string(),
        parameters: vec![
            parameter(Knob::Launch, [0.0, 0.3, 3.0]),
            parameter(Knob::Work(16), [4.0, 9.0, 16.0]),
        ],
        times: Vec::new(),
        runs,
        queries_max: 1_000_000,
        notes: Vec::new(),
    }
}

/// Two Server runs at different loads and an Offline run, simulated with launch 1 ms and 8 ms for a
/// batch of 16. The same random numbers: the fit must find both but for what its last step leaves.
#[test]
fn the_fit_finds_the_numbers_that_made_the_runs() {
    let server = |rate| measured(rate, TestScenario::Server);
    let runs = vec![server(900.0), server(1500.0), measured(1700.0, TestScenario::Offline)];
    let results = fitted(&plan(runs));
    let (launch, work) = (value(&results, "launch"), value(&results, "work[16]"));
    assert!((launch - 1.0).abs() < 0.05 && (work - 8.0).abs() < 0.08, "{launch} ms, {work} ms");
    assert!(results.residual < 0.01, "{}", results.residual);
    assert!(results.parameters.iter().all(|parameter| parameter.identified == Some(true)));
    let service = &results.workload.service["test-gpu"];
    assert!(!service.alternatives.is_empty() && service.alternatives.len() <= 8);
}

/// Two machines alike Offline; the second does its Server work 3 % slower. The fit sees that, and the
/// numbers stay those of the first: 1 ms and 8 ms. Machines are said to differ by 2 %: of the pull to
/// that, one unit for 2 %, the sharp percentiles of a Server run leave next to nothing.
#[test]
fn a_machine_slower_than_its_offline_rate_says_does_not_bend_the_fit() {
    let machine = |mut run: MeasuredRun, machine: usize, check: bool| {
        (run.machine, run.is_fitted) = (machine, !check);
        run
    };
    let mut slow = known(1400.0, TestScenario::Server);
    slow.hypervisor.gpu_speed.value = 0.97;
    let mut other = machine(measured(1400.0, TestScenario::Server), 1, false);
    let figures = run_figures(&slow, &slow.vms[0].workload, 1_000_000);
    for seen in &mut other.observed {
        seen.value = figures.get(&seen.figure).unwrap();
    }
    let server = |rate| measured(rate, TestScenario::Server);
    let runs = vec![
        server(900.0),
        measured(1700.0, TestScenario::Offline),
        other,
        machine(server(1500.0), 0, true),
    ];
    let mut plan = plan(runs);
    let service = plan.workload.service.get_mut("test-gpu").unwrap();
    service.machines = Some(fact(Share::new(0.02).unwrap()));
    plan.parameters.push(parameter(Knob::Machine(1), [0.9, 1.0, 1.1]));
    let results = fitted(&plan);
    let (launch, work) = (value(&results, "launch"), value(&results, "work[16]"));
    let speed = value(&results, "machine[2]");
    assert!((launch - 1.0).abs() < 0.06 && (work - 8.0).abs() < 0.09, "{launch} ms, {work} ms");
    assert!((speed - 0.97).abs() < 0.006, "{speed}");
    // The run that is only checked says what machines 3.3 % slower and faster would show: work is 8 of
    // 9 ms, so its p99 at a load of nine tenths moves by much more than the fits leave open.
    let p99 = |run: &RunFit| run.figures.iter().find(|seen| seen.figure == "p99").unwrap().clone();
    let checked = p99(&results.runs[3]);
    assert!(checked.low < 0.93 * checked.simulated && checked.high > 1.07 * checked.simulated);
    let seen = p99(&results.runs[0]);
    assert!(seen.low > 0.97 * seen.simulated && seen.high < 1.03 * seen.simulated, "{seen:?}");
}

/// A run that is only compared stands first: the machine of the runs in the fit is the first all the
/// same, and machines that do not differ have no speeds of their own.
#[test]
fn machines_are_numbered_by_the_runs_in_the_fit() {
    let run = |system: &str, check: bool| {
        format!(
            "[[run]]\nsource = \"a test\"\nsystem = \"{system}\"\ncheck = {check}\nserver = {{ batch_max = 8 }}\nload = {{ scenario = \"server\", target_qps = 100 }}\nmeasured = {{ latency = {{ min = \"4 ms\", p50 = \"5 ms\" }} }}\n"
        )
    };
    let runs = run("a VM", true) + &run("first", false) + &run("second", false);
    let plan = |fit: &str| {
        let head = "name = \"copy\"\nbase = \"bert-99\"\ngpu = \"a100-pcie-40gb\"\n";
        let plan = calibration_of(format!("{head}[fit]\n{fit}\n{runs}"), &options());
        plan.unwrap_or_else(|error| panic!("{error}"))
    };
    let speeds = |plan: &CalibrationPlan| -> Vec<String> {
        let knobs = plan.parameters.iter().map(|parameter| parameter.knob);
        knobs.filter(|knob| matches!(knob, Knob::Machine(_))).map(Knob::name).collect()
    };
    let by_scatter = plan("");
    let machines: Vec<usize> = by_scatter.runs.iter().map(|run| run.machine).collect();
    assert_eq!((machines, speeds(&by_scatter)), (vec![2, 0, 1], vec!["machine[2]".to_string()]));
    assert!(by_scatter.notes.iter().any(|note| note.starts_with("machine[2] is second")));
    let alike = plan("machines = \"0 %\"");
    assert_eq!(
        (speeds(&alike), alike.workload.service["a100-pcie-40gb"].machines.is_none()),
        (vec![], true)
    );
    // As a base that says so would have it.
    let mut workload = by_scatter.workload.clone();
    workload.service.get_mut("a100-pcie-40gb").unwrap().machines = Some(fact(Share::NONE));
    let proposal = Proposal {
        workload: &workload,
        gpu: "a100-pcie-40gb",
        has_base: true,
        times: &[],
        runs: &by_scatter.runs,
        work_at: None,
        phi_at: None,
        wishes: Default::default(),
    };
    assert!(proposal.parameters().iter().all(|one| !matches!(one.knob, Knob::Machine(_))));
}

/// CPU time is the machine's: a minimum of the second machine, twice as long, changes nothing; of the
/// first it does.
#[test]
fn a_minimum_of_another_machine_is_not_fitted() {
    let with_min = |times: f64, machine: usize| {
        let mut other = measured(1400.0, TestScenario::Server);
        let figures = run_figures(&other.experiment, &other.experiment.vms[0].workload, 1_000_000);
        let min = times * figures.get("min").unwrap();
        other.observed.push(Observed { figure: "min".to_string(), value: min });
        other.machine = machine;
        let mut plan = plan(vec![measured(900.0, TestScenario::Server), other]);
        plan.parameters.push(parameter(Knob::CpuLaunch, [0.0, 0.1, 3.0]));
        value(&fitted(&plan), "cpu_launch")
    };
    assert_eq!(with_min(1.0, 1), with_min(2.0, 1));
    assert!(with_min(2.0, 0) > with_min(1.0, 0) + 0.5);
}

/// A place that cannot be written is told before anything is simulated, and nothing is written.
#[test]
fn a_workload_file_that_cannot_be_written_is_told_first() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, out) = (folder.path().join("times.csv"), folder.path().join("out"));
    fs::write(&csv, "batch,latency_ms\n1,0.75\n4,1.5\n").unwrap();
    let [csv, place, out] =
        [&csv, folder.path(), &out].map(|path: &Path| path.to_str().unwrap().to_string());
    let arguments = ["calibrate", "--csv", &csv, "--gpu", "a30", "--name", "m", "-o", &place];
    let (_, error) = crate::cli::check(&[&arguments[..], &["--out", &out]].concat(), 1);
    assert!(error.contains("it is a folder"), "{error}");
    assert!(!Path::new(&out).exists());
}

/// One Offline run says how long launch and work are together, and nothing about each.
#[test]
fn what_the_runs_leave_open_is_said() {
    let results = fitted(&plan(vec![measured(1700.0, TestScenario::Offline)]));
    assert!(results.notes.iter().any(|note| note.starts_with("launch is not identified")));
    let whole = value(&results, "launch") + value(&results, "work[16]");
    assert!((whole - 9.0).abs() < 0.1, "{whole} ms");
}

/// A GPU at its power limit: at part load the clock is higher by u^(-1/3), so a fixed batch that is
/// asked for half the time it takes without pause is done in `(1/2)^(1/2)` of it: u = load / clock,
/// clock = u^(-1/3).
#[test]
fn pauses_make_a_card_at_its_power_limit_faster() {
    let work = SimDuration::from_millis(10);
    let mut experiment = queue(1, 50.0, work, SizeDistribution::Fixed, 300);
    experiment.vms[0].load.arrivals = Arrivals::Constant;
    let service = experiment.vms[0].workload.service.get_mut("test-gpu").unwrap();
    service.boost.value = 1.9;
    service.machines = Some(fact(Share::new(0.021).unwrap()));
    let outcome = slicewise::platform::simulate(&experiment);
    let median = outcome.vms[0].recorder.latencies().quantile(0.5).unwrap().as_millis_f64();
    // Half load: clock^3 = clock / 0.5, so clock = sqrt 2.
    assert!((median / (10.0 / 2.0_f64.sqrt()) - 1.0).abs() < 0.02, "{median} ms");
}

#[test]
fn the_shipped_calibrations_are_read() {
    for name in ["bert-99", "bert-99.9", "ssd-resnet34"] {
        let path = format!("scenarios/calibration/{name}.toml");
        let plan = load_calibration(Path::new(&path), &options())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((plan.name.as_str(), plan.runs.len()), (name, 5));
        assert_eq!(plan.runs.iter().filter(|run| run.is_fitted).count(), 4);
        // The second machine goes as its Offline rate does: within 2 % of the first.
        let speed = plan.runs[2].experiment.hypervisor.gpu_speed.value;
        assert!(speed > 1.0 && speed < 1.02, "{speed}");
    }
}

/// The vSphere runs, from two bare machines and with nothing set by hand: every published percentile
/// within 6 % and inside the stated interval (docs/calibrate.md: BERT-99 within 1.8 %, BERT-99.9 within 3.6).
#[test]
fn the_shipped_calibrations_predict_the_vm() {
    for name in ["bert-99", "bert-99.9"] {
        let path = format!("scenarios/calibration/{name}.toml");
        let plan = load_calibration(Path::new(&path), &options()).unwrap();
        let results = fitted(&plan);
        let vm = results.runs.iter().find(|run| !run.fitted).expect("the VM is only compared");
        let percentiles = ["p50", "p90", "p99", "p999"];
        let seen: Vec<_> =
            vm.figures.iter().filter(|seen| percentiles.contains(&&*seen.figure)).collect();
        assert_eq!(seen.len(), 4);
        for seen in seen {
            assert!(seen.error_percent.abs() < 6.0, "{name}: {seen:?}");
            assert!(seen.low < seen.observed && seen.observed < seen.high, "{name}: {seen:?}");
        }
    }
}

/// The message of a faulty calibration, with the exit code on the first line.
fn message(path: &Path) -> String {
    match load_calibration(path, &options()) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(error @ LoadError::Invalid(_)) => format!("exit code 2\n\n{error}\n"),
        Err(error @ LoadError::World(_)) => format!("exit code 1\n\n{error}\n"),
    }
}

#[test]
fn every_bad_calibration_gets_its_message() {
    let entries = fs::read_dir("tests/bad-calibration").unwrap();
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    cases.sort();
    assert!(cases.len() > 8, "only {} cases", cases.len());
    hold_messages(cases.into_iter().map(|case| {
        let found = message(&case);
        (case.clone(), case.with_extension("txt"), found)
    }));
}

fn never_panics(text: &str) {
    if let Err(error) = calibration_of(text.to_string(), &options()) {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_good_calibration_gone_wrong_never_panics(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "(\\PC|[ -~\n\r\t]){0,6}"), 1..6),
    ) {
        let mut text = fs::read_to_string("scenarios/calibration/ssd-resnet34.toml").unwrap();
        for (at, length, insert) in &cuts {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let at = boundary(at.index(text.len() + 1));
            let end = boundary(at + length).max(at);
            text.replace_range(at..end, insert);
        }
        never_panics(&text);
    }

    #[test]
    fn foreign_files_gone_wrong_never_panic(text in "(\\PC|[ -~\n\r\t,\"\\[{}\\]:0-9.]){0,200}") {
        use slicewise::formats::{latency_csv, perf_analyzer, trtexec};
        let _ = latency_csv::read(&text);
        let _ = perf_analyzer::read(&text);
        let _ = trtexec::read(&text);
        let _ = latency_csv::read(&format!("batch,latency_ms\n{text}"));
        let _ = perf_analyzer::read(&format!("Concurrency,Inferences/Second,p50 latency\n{text}"));
        let _ = trtexec::read(&format!("[{{\"computeMs\":1}},{text}]"));
    }
}

/// A share is a share whatever the writer does to it.
#[test]
fn a_written_workload_reads_back_alike() {
    let catalogue = Catalogue::load(None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let workloads = folder.path().join("workloads");
    fs::create_dir(&workloads).unwrap();
    let text = "name = \"copy\"\nbase = \"ssd-resnet34\"\ngpu = \"a100-pcie-40gb\"\n[fit]\nspread = { hold = \"12 %\" }\n[[run]]\nsource = \"a test\"\nserver = { batch_max = 8 }\nload = { scenario = \"offline\", target_qps = 100 }\nmeasured = { completed_per_s = 800 }\n";
    let plan = calibration_of(text.to_string(), &options()).unwrap_or_else(|e| panic!("{e}"));
    let written = report::workload_file(&plan.workload, &plan.usual_preset, &[]);
    fs::write(workloads.join("copy.toml"), &written).unwrap();
    let again = Catalogue::load(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.ids().len(), catalogue.ids().len() + 1);
    assert!(written.contains("1200 x 1200"), "the name and sources of the base stay");
    let spread = plan.parameters.iter().find(|parameter| parameter.knob == Knob::Spread).unwrap();
    assert_eq!((spread.start, spread.is_held), (0.12, true));
    assert_eq!(Share::new(spread.start).unwrap().get(), 0.12);
}
