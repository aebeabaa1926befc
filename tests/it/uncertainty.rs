//! How sure results say they are: samples beyond a percentile, replications, what one percent more
//! work does; and the published ratio of two rates taken apart.

use crate::support::{fact, queue};
use slicewise::config::{self, Catalogue, LoadOptions};
use slicewise::spec::*;
use slicewise::study::{self, CapacityPlan, CapacitySearch, Head, Results};
use slicewise::units::{Share, SimDuration, SimTime};
use std::collections::BTreeMap;
use std::path::Path;

/// Runs an experiment beside its counterfactual, so many times.
fn run(experiment: Experiment, replications: u32) -> Results {
    let planned = |experiment| PlannedRun { experiment, published: None };
    let bare = planned(study::same_cards(&experiment));
    let kind = BaselineKind::SameCards;
    let pair = Pair {
        name: "queue".to_string(),
        virtual_run: planned(experiment),
        baselines: vec![Baseline { kind, run: bare }],
        capacity: None,
    };
    let scenario = Scenario {
        name: "test".to_string(),
        title: "Test".to_string(),
        hash: String::new(),
        seed: 1,
        warnings: Vec::new(),
        pairs: vec![pair],
        lesson: None,
    };
    study::run_replicated(&scenario, replications, &|_, _, _| {})
}

/// M/M/1: the time in the system is exponential with mean S / (1 - rho), so p99 is in proportion to
/// it (Kleinrock 1975, section 3.2). At rho 0.92 one percent more work makes it 1.01 x 0.08 / 0.0708
/// = 1.141 times as long: an elasticity of ln 1.141 / ln 1.01 = 13.3. The two runs draw the same
/// numbers; what is left is the noise of a long tail.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn one_percent_more_work_moves_p99_as_theory_says() {
    let work = SimDuration::from_millis(5);
    let busy = run(queue(1, 184.0, work, SizeDistribution::Exponential, 4000), 1);
    let vm = &busy.runs[0].vms[0];
    let more = vm.uncertainty.more_work.expect("a load of 0.92 is above 0.9");
    assert!((more.load - 0.92).abs() < 0.01, "{}", more.load);
    assert!((more.elasticity - 13.3).abs() < 2.5, "{}", more.elasticity);
    let percent = (more.latency_p99_ms / vm.latency_ms.p99 - 1.0) * 100.0;
    assert_eq!(more.p99_percent, percent);
    let note = busy.notes.iter().any(|note| note.contains("1 % more work changes p99"));
    assert!(note, "{:?}", busy.notes);
    let idle = run(queue(1, 100.0, work, SizeDistribution::Exponential, 100), 1);
    assert!(idle.runs[0].vms[0].uncertainty.more_work.is_none());
}

/// A workload whose machines differ by 2 %, on a platform taken from runs at 0.98 to 1.01 of its speed:
/// the two scatters are independent, so their edges meet in quadrature on the log scale. Slower: 1.645 x
/// 0.02 = 0.0329 and -ln 0.98 = 0.0202, together 0.0386, so work times exp(0.0386) = 1.0394; faster:
/// 0.0329 and ln 1.01 = 0.00995, together 0.0344: 0.9662. Alone, one query at a time and of one size, its latency goes alike.
#[test]
fn what_machines_and_platforms_leave_open_is_an_interval() {
    let work = SimDuration::from_millis(5);
    let mut experiment = queue(1, 100.0, work, SizeDistribution::Fixed, 20);
    experiment.vms[0].load.scenario = TestScenario::SingleStream;
    experiment.vms[0].load.settings.min_query_count = 200;
    experiment.vms[0].load.settings.min_duration = SimDuration::from_millis(1);
    assert!(run(experiment.clone(), 1).runs[0].vms[0].fits.is_none());
    let service = experiment.vms[0].workload_mut().service.get_mut("test-gpu").unwrap();
    service.machines = Some(fact(Share::new(0.02).unwrap()));
    experiment.hypervisor.gpu_speed_range = Some([0.98, 1.01]);
    let results = run(experiment.clone(), 1);
    let fits = results.runs[0].vms[0].fits.as_ref().expect("two machines beside its own");
    assert_eq!(fits.sets, 3);
    let [low, high] = fits.latency_ms["p99"];
    assert!(
        (low / 5.0 - 0.9662).abs() < 2e-3 && (high / 5.0 - 1.0394).abs() < 2e-3,
        "{low} {high}"
    );
    // Bare metal has no platform to doubt: exp(0.0329) = 1.0334 and its inverse.
    let bare = results.runs[1].vms[0].fits.as_ref().expect("machines differ there too");
    let [low, high] = bare.latency_ms["p99"];
    assert!(
        (low / 5.0 - 0.9676).abs() < 2e-3 && (high / 5.0 - 1.0334).abs() < 2e-3,
        "{low} {high}"
    );
}

/// At a load of 0.97 machines 8.6 % slower (1.645 x 5 %) have no time left: their queue grows all the
/// time, and the end of the interval is that of the whole run, not of one cut short.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn an_interval_that_reaches_overload_is_of_the_whole_run() {
    let work = SimDuration::from_micros(500);
    let mut experiment = queue(1, 1940.0, work, SizeDistribution::Fixed, 400);
    let service = |experiment: &mut Experiment, factor: f64| {
        let service = experiment.vms[0].workload_mut().service.get_mut("test-gpu").unwrap();
        service.work.value = service.work.value.scaled(factor);
        service.machines = Some(fact(Share::new(0.05).unwrap()));
    };
    let mut slower = experiment.clone();
    service(&mut experiment, 1.0);
    service(&mut slower, (1.645_f64 * 0.05).exp());
    let results = run(experiment, 1);
    let [_, high] = results.runs[0].vms[0].fits.as_ref().unwrap().latency_ms["p99"];
    let whole = run(slower, 1).runs[0].vms[0].latency_ms.p99;
    // 1940 x 0.5 ms x 1.086 is a load of 1.053: after 400 s the queue is 20 s long.
    assert!(whole > 15_000.0 && (high / whole - 1.0).abs() < 1e-6, "{high} of {whole} ms");
}

/// The capacity of a queue whose every time goes with work, the bound too long to matter to more than
/// a percent: so it goes with speed, by the same 1.0334 and its inverse.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_capacity_says_what_slower_machines_would_do() {
    let mut experiment = queue(1, 100.0, SimDuration::from_millis(5), SizeDistribution::Fixed, 600);
    experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(400);
    let service = experiment.vms[0].workload_mut().service.get_mut("test-gpu").unwrap();
    service.machines = Some(fact(Share::new(0.02).unwrap()));
    let system =
        study::System { with_curve: false, ..study::System::of("queue".to_string(), experiment) };
    let plan = CapacityPlan::of(
        Head::of("test", "Test", "", 1),
        CapacitySearch { precision: 0.002 },
        1,
        vec![system],
    );
    let found = &study::capacities(&plan, &|_, _, _| {}, &|| false).systems[0];
    let [low, high] = found.capacity_per_s_between_inputs.expect("machines differ");
    let mean = found.capacity_per_s.mean;
    assert!(
        (low / mean - 0.9676).abs() < 0.01 && (high / mean - 1.0334).abs() < 0.01,
        "{low} {mean} {high}"
    );
}

/// Of 1000 samples 10 lie beyond p99 and 1 beyond p99.9, and a note says that these are few.
#[test]
fn a_percentile_says_how_many_samples_lie_beyond() {
    let mut experiment = queue(1, 100.0, SimDuration::from_millis(1), SizeDistribution::Fixed, 1);
    experiment.vms[0].load.scenario = TestScenario::SingleStream;
    experiment.vms[0].load.settings.min_query_count = 1000;
    experiment.vms[0].load.settings.min_duration = SimDuration::from_millis(1);
    let results = run(experiment, 1);
    let vm = &results.runs[0].vms[0];
    assert_eq!(vm.samples, 1000);
    let beyond = |name| vm.uncertainty.samples_beyond[name];
    assert_eq!([beyond("p50"), beyond("p90"), beyond("p99"), beyond("p999")], [500, 100, 10, 1]);
    assert!(
        results.notes.iter().any(|note| note.contains("only 10 of 1000")),
        "{:?}",
        results.notes
    );
}

/// What is printed is replication 0, the interval is about the mean of all, and a platform without
/// costs is its own counterfactual in every one of them.
#[test]
fn replications_stand_beside_the_first_run() {
    let work = SimDuration::from_millis(5);
    let experiment = || queue(1, 120.0, work, SizeDistribution::Exponential, 60);
    let (one, three) = (run(experiment(), 1), run(experiment(), 3));
    let (alone, first) = (&one.runs[0].vms[0], &three.runs[0].vms[0]);
    assert_eq!(alone.latency_ms, first.latency_ms);
    assert!(alone.uncertainty.replications.is_none());
    let all = first.uncertainty.replications.as_ref().unwrap();
    assert_eq!((all.count, all.valid), (3, 3));
    let p99 = all.latency_ms["p99"];
    assert!(p99.half_width.unwrap() > 0.0 && p99.mean != first.latency_ms.p99);
    let ratio = &three.paired_ratios[0];
    assert_eq!((ratio.latency["p99"].mean, ratio.latency["p99"].half_width), (1.0, Some(0.0)));
    assert_eq!(ratio.completed_per_s.half_width, Some(0.0));
    assert_eq!(one.paired_ratios[0].latency["p99"].half_width, None);
}

/// The page docs/explanation/why-94-percent.md by its own scenarios, cut to a minute (half a minute leaves
/// SSD-ResNet34 1.4 % off, 70 000 queries). Noise: runs of so many queries end within half a percent
/// of those of ten minutes (three seeds of the long search move a factor by 0.1 to 0.2 %), so one
/// percent tells a wrong page from luck.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_published_ratios_are_taken_apart_as_the_page_says() {
    const NOISE: f64 = 0.01;
    let golden = std::fs::read_to_string("docs/explanation/why-94-percent/gap.csv").unwrap();
    let mut reader = csv::Reader::from_reader(golden.as_bytes());
    let mut expected: BTreeMap<(String, String, String), f64> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let key = (row[0].to_string(), row[1].to_string(), row[2].to_string());
        expected.insert(key, row[3].parse().unwrap());
    }
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let mut scenario = config::load(Path::new("scenarios/why-94-percent"), &options).unwrap();
    let (mut systems, mut gaps) = (Vec::new(), Vec::new());
    for pair in &mut scenario.pairs {
        for experiment in pair.runs_mut().map(|run| &mut run.experiment) {
            let settings = &mut experiment.vms[0].load.settings;
            settings.min_duration = SimDuration::from_secs(60);
            settings.min_query_count = 1000;
            assert_eq!(experiment.vms[0].power_on, SimTime::ZERO);
        }
        gaps.push(study::add_gap(&mut systems, pair).expect("both sides were published"));
    }
    systems.iter_mut().for_each(|system| system.with_curve = false);
    let plan = CapacityPlan {
        head: (&scenario).into(),
        search: CapacitySearch { precision: 0.002 },
        replications: 1,
        systems,
        gaps,
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    let found = study::capacities(&plan, &|_, _, _| {}, &|| false).gaps;
    assert_eq!(found.len(), 3);
    for gap in found {
        let page = |figure: &str| {
            let key = (gap.name.clone(), figure.to_string(), String::new());
            expected[&key]
        };
        let factors = [gap.hypervisor, gap.settings, gap.chosen_rate].map(|factor| factor.mean);
        let product = factors.iter().product::<f64>() * gap.rest;
        assert!((product / gap.published_ratio - 1.0).abs() < 1e-9, "{}: {product}", gap.name);
        for (name, factor) in ["hypervisor", "settings", "chosen_rate"].into_iter().zip(factors) {
            let page = page(name);
            assert!((factor / page - 1.0).abs() < NOISE, "{} {name}: {factor}, {page}", gap.name);
        }
    }
}
