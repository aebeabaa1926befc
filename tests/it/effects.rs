//! What every stage and setting does to a run: exact times of single queries, LoadGen's schedules,
//! the search for capacity, and the same bytes again.

use crate::support::{fact, queue};
use slicewise::config::{self, Catalogue, LoadOptions};
use slicewise::engine::RandomStreams;
use slicewise::loadgen::LoadGen;
use slicewise::platform::{Watched, simulate, simulate_unless_lost, simulate_with};
use slicewise::spec::*;
use slicewise::study::{self, CapacityPlan, CapacitySearch, Head, Origin, Side};
use slicewise::units::{Bytes, Share, SimDuration, SimTime};
use std::path::Path;

/// `generated_query_count` of the six R7525 Server runs of MLPerf Inference v1.1, and
/// `generated_query_duration`, one gap past the last query, as their detail logs print them.
#[test]
fn the_six_published_schedules_are_exact() {
    for (target_qps, count, duration) in [
        (7870.0, 4_723_166, 600_000_179_965),
        (7800.0, 4_680_920, 600_000_049_157),
        (3812.0, 2_288_966, 600_000_339_103),
        (3600.0, 2_161_270, 600_000_288_523),
        (2389.0, 1_434_035, 600_000_614_578),
        (2310.0, 1_386_234, 600_000_535_611),
    ] {
        let work = SimDuration::from_millis(1);
        let mut experiment = queue(1, target_qps, work, SizeDistribution::Fixed, 600);
        let seed = Some(Round::ALL[0].schedule_seed);
        let schedule = |vm: &VmSpec| {
            let mut loadgen =
                LoadGen::new(vm, vm.load.settings.min_duration, &RandomStreams::new(0, 0), seed);
            std::iter::from_fn(move || loadgen.next_scheduled()).map(|query| query.due)
        };
        let vm = &mut experiment.vms[0];
        assert_eq!(schedule(vm).next(), Some(SimTime::ZERO));
        assert_eq!(schedule(vm).count(), count, "at {target_qps} queries per second");
        // One more query than the duration asks for is due one gap later.
        vm.load.settings.min_query_count = count as u64 + 1;
        let past = schedule(vm).last().unwrap();
        assert_eq!(past.as_nanos(), duration, "at {target_qps} queries per second");
    }
}

/// One query at a time through an idle system: its latency is the sum of the stages, to the ns.
#[test]
fn a_lone_query_takes_the_sum_of_its_stages() {
    let us = SimDuration::from_micros;
    let mut experiment = queue(1, 1.0, us(4000), SizeDistribution::Fixed, 1);
    experiment.hypervisor.gpu_speed = fact(0.8);
    experiment.hypervisor.cpu_speed = fact(0.5);
    experiment.hypervisor.submission_latency = fact(us(70));
    let vm = &mut experiment.vms[0];
    vm.load.scenario = TestScenario::SingleStream;
    let workload = vm.workload_mut();
    // 24 GB/s: 1000 us in and 250 us out.
    workload.input_per_sample = fact(Bytes::new(24_000_000));
    workload.output_per_sample = fact(Bytes::new(6_000_000));
    workload.cpu.launch_per_batch = fact(us(100));
    workload.cpu.launch_per_sample = fact(us(10));
    workload.cpu.finish_per_batch = fact(us(30));
    workload.cpu.finish_per_sample = fact(us(5));
    let service = workload.service.get_mut("test-gpu").unwrap();
    service.launch = fact(us(200));
    let latency = |experiment: &Experiment| {
        let outcome = simulate(experiment);
        let latencies = outcome.vms[0].recorder.latencies().clone();
        assert_eq!(latencies.min(), latencies.max());
        latencies.min().unwrap()
    };
    // launch 110 / 0.5, submission, copy in, GPU launch and work 4000 / 0.8, copy out, finish 35 / 0.5.
    let all = us(220 + 70 + 1000 + 200 + 5000 + 250 + 70);
    assert_eq!(latency(&experiment), all);
    experiment.vms[0].server.start_from_device = true;
    assert_eq!(latency(&experiment), all - us(1000));
    let bare = study::same_cards(&experiment);
    assert_eq!(latency(&bare), us(110 + 200 + 4000 + 250 + 35));
}

/// CPU work of 10 ms per query on one vCPU at 50 per second is M/D/1 at rho 0.5: 15 ms on average;
/// with plenty of vCPUs nobody waits.
#[test]
fn too_few_vcpus_are_a_queue() {
    let mut experiment = queue(8, 50.0, SimDuration::from_nanos(1), SizeDistribution::Fixed, 3000);
    experiment.vms[0].workload_mut().cpu.launch_per_batch = fact(SimDuration::from_millis(10));
    let mean = |vcpus| {
        let mut experiment = experiment.clone();
        experiment.vms[0].vcpus = vcpus;
        simulate(&experiment).vms[0].recorder.latencies().mean().unwrap().as_millis_f64()
    };
    assert!((mean(1) / 15.0 - 1.0).abs() < 0.02, "{} ms", mean(1));
    assert!((mean(16) / 10.0 - 1.0).abs() < 0.001, "{} ms", mean(16));
}

/// An M/D/1 queue of 5 ms with a bound on p99: the rate found is VALID, 1 % more is not, and the
/// bound is met on the way.
#[test]
fn capacity_is_the_highest_valid_rate() {
    let mut experiment = queue(1, 10.0, SimDuration::from_millis(5), SizeDistribution::Fixed, 600);
    experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(40);
    let found = study::capacity(&experiment, CapacitySearch { precision: 0.005 });
    let valid = |rate: f64| {
        let mut experiment = experiment.clone();
        experiment.vms[0].load.settings.target_qps = rate;
        simulate(&experiment).vms[0].failed_rules.is_empty()
    };
    assert!(valid(found) && !valid(found * 1.02), "{found} per second");
    assert!(found > 100.0 && found < 200.0, "{found} per second");
    // A bound below the work itself: no rate is VALID, and the search ends.
    experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(4);
    assert_eq!(study::capacity(&experiment, CapacitySearch { precision: 0.01 }), 0.0);
}

/// A run that is given up is INVALID when simulated to its end, and one that is not is the same run:
/// loads from half to ten times what an M/D/1 queue of 5 ms bears (200 per second).
#[test]
fn a_run_is_given_up_only_when_it_is_lost() {
    let mut given_up = Vec::new();
    for load in [0.5, 0.7, 0.9, 0.96, 0.99, 1.01, 1.05, 2.0, 10.0] {
        let work = SimDuration::from_millis(5);
        let mut experiment = queue(1, 200.0 * load, work, SizeDistribution::Fixed, 600);
        experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(40);
        let full = &simulate(&experiment).vms[0];
        match simulate_unless_lost(&experiment) {
            Watched::Whole(outcome) => assert_eq!(outcome.vms[0].failed_rules, full.failed_rules),
            Watched::Lost(vm) => {
                assert_eq!(vm, VmId(0));
                assert!(!full.failed_rules.is_empty(), "{load} of capacity is VALID");
                given_up.push(load);
            }
            Watched::Stopped => unreachable!("nobody stops it"),
        }
    }
    // 40 ms are 35 of waiting, whose mean is 5 ms rho / (2 (1 - rho)) and whose tail is nearly
    // rho exp(-35 ms / mean): 0.2 % are late at a load of 0.7, 19 % at 0.9; 1 % is allowed.
    assert_eq!(given_up, [0.9, 0.96, 0.99, 1.01, 1.05, 2.0, 10.0]);
}

/// The rates of all Server VMs are raised alike, and the counterfactual without hypervisor can do
/// what the experiment without hypervisor can: ratio 1, and the curve ends beside the capacity.
#[test]
fn capacities_stand_side_by_side_with_bare_metal() {
    let mut experiment = queue(1, 20.0, SimDuration::from_millis(5), SizeDistribution::Fixed, 300);
    experiment.vms[0].load.settings.target_latency = SimDuration::from_millis(40);
    experiment.hypervisor.id = "free".to_string();
    let mut systems = Vec::new();
    study::add_with_bare_metal(&mut systems, "queue", &experiment);
    let plan = CapacityPlan {
        head: Head::of("test", "Test", "", 0),
        search: CapacitySearch { precision: 0.01 },
        replications: 3,
        systems,
        gaps: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    let found = study::capacities(&plan, &|_, _, _| {}, &|| false).systems;
    let names: Vec<_> = found.iter().map(|system| system.name.as_str()).collect();
    assert_eq!(names, ["queue", "queue, bare metal"]);
    let ratio = found[0].ratio_to_bare_metal.unwrap();
    // Every replication has a ratio of 1; what is left is the precision of two searches.
    assert_eq!(ratio.mean, 1.0);
    assert!((ratio.half_width.unwrap() - 0.007_764).abs() < 1e-6, "{ratio:?}");
    assert!(found[1].ratio_to_bare_metal.is_none());
    let capacity = found[0].capacity_per_s;
    assert!(capacity.half_width.unwrap() > 0.0, "seeds differ");
    let curve = &found[0].curve;
    assert!(curve.windows(2).all(|pair| pair[0].latency_p99_ms <= pair[1].latency_p99_ms));
    let below = curve.iter().filter(|point| point.valid).map(|point| point.asked_per_s);
    assert!((below.fold(0.0, f64::max) / capacity.mean - 1.0).abs() < 0.06);
}

/// A VM that has its card to itself on bare metal is its own counterfactual: it is searched once. Under a
/// hypervisor, or beside others on the card, there is one.
#[test]
fn bare_metal_is_no_counterfactual_of_itself() {
    let systems = |hypervisor: &str, vms: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alone.toml");
        let text = format!(
            "host = \"dell-r7525\"\nhypervisor = \"{hypervisor}\"\n[[vm]]\nvcpus = 8\n{vms}\nworkload = \"resnet50\"\nserver = {{ batch_max = 8 }}\nload = {{ scenario = \"server\", target_qps = 1e7 }}\n"
        );
        std::fs::write(&path, text).unwrap();
        // As a search reads it: 1e7 per second for 600 s are more than a run makes, and no run here.
        let options = LoadOptions::new(Catalogue::load(None).unwrap());
        assert!(config::load(&path, &options).is_err());
        let options = LoadOptions { rates_are_parts: true, ..options };
        let scenario = match config::load_task(&path, &options) {
            Ok(config::Task::Run(scenario)) => scenario,
            other => panic!("{other:?}"),
        };
        let mut systems = Vec::new();
        let experiment = &scenario.pairs[0].virtual_run.experiment;
        study::add_with_bare_metal(&mut systems, "own", experiment);
        let names: Vec<String> = systems.iter().map(|system| system.name.clone()).collect();
        (names, systems[0].bare_metal, systems[0].whole_cards)
    };
    let own = |more: &[&str]| {
        let all = [&["own"], more].concat();
        all.into_iter().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(systems("bare-metal", "gpus = 1"), (own(&[]), None, None));
    assert_eq!(systems("passthrough", "gpus = 1"), (own(&["own, bare metal"]), Some(1), None));
    let both = ["own, bare metal, same cards", "own, bare metal, whole cards"];
    let shared = "count = 2\nprocess = { sharing = \"time-slicing\" }";
    assert_eq!(systems("bare-metal", shared), (own(&both), Some(1), Some(2)));
    // With a card each, bare metal already has whole cards; on the same cards their loads would be merged.
    assert_eq!(systems("bare-metal", "count = 2\ngpus = 1"), (own(&both[..1]), Some(1), None));
}

/// The same file and seed give the same document on any number of threads; another seed another.
/// Marks say what a figure is: a Server rate given, the bare row fitted, the virtual one predicted.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn results_are_reproducible_and_honest() {
    let document = |seed, threads| {
        let catalogue = Catalogue::load(None).unwrap();
        let path = Path::new("scenarios/vsphere-mlperf-v1.1/ssd-resnet34-server.toml");
        let scenario =
            config::load(path, &LoadOptions { seed: Some(seed), ..LoadOptions::new(catalogue) })
                .unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| study::run(&scenario, &|_, _, _| {}))
    };
    let text = |results: &study::Results| serde_json::to_string(results).unwrap();
    let (one, two) = (document(0, 1), document(0, 2));
    assert_eq!(text(&one), text(&two));
    let other = document(7, 2);
    for (run, other) in one.runs.iter().zip(&other.runs) {
        assert_ne!(run.vms[0].latency_ms, other.vms[0].latency_ms);
        let standing = run.vms[0].standing;
        assert_eq!(standing.rate, Origin::Given);
        let expected = if run.side == Side::Virtual { Origin::Predicted } else { Origin::Fitted };
        assert_eq!(standing.latency, expected);
    }
    // The platform costs 0.3 % of GPU speed, and capacity shows it.
    assert!((one.comparisons[0].capacity_ratio - 0.997).abs() < 0.002);
}

/// 0.7 % of the samples wait to the end of a run of 60 s: those, and no others, take longer than
/// any that are kept, so p99 of all is the quantile 0.99 / 0.993 of the kept.
#[test]
fn soft_drop_sets_its_share_aside_and_keeps_the_rest_fast() {
    let work = SimDuration::from_millis(1);
    let sizes = SizeDistribution::LogNormal { sigma: 0.385 };
    let mut experiment = queue(1, 900.0, work, sizes, 60);
    let server = &mut experiment.vms[0].server;
    (server.batch_max, server.soft_drop) = (16, Share::new(0.993).unwrap());
    let outcome = simulate_with(&experiment, |recorder| recorder.keep_log());
    let recorder = &outcome.vms[0].recorder;
    let mut latencies: Vec<SimDuration> =
        recorder.log().unwrap().iter().map(|&(_, latency)| latency).collect();
    latencies.sort_unstable();
    // Those set aside are due before the end and served after it, in the last batches of the run.
    let end = recorder.last_due();
    let aside = recorder.log().unwrap().iter().filter(|&&(due, latency)| due + latency > end);
    let in_flight = 3 * 16;
    let all = latencies.len();
    let share = (aside.count() - in_flight.min(all)) as f64 / all as f64;
    assert!((0.004..0.0085).contains(&share), "{share}");
    let kept = &latencies[..all - (0.007 * all as f64) as usize];
    let of_kept = kept[(0.99 / 0.993 * kept.len() as f64) as usize].as_millis_f64();
    let of_all = recorder.latencies().quantile(0.99).unwrap().as_millis_f64();
    assert!((of_all / of_kept - 1.0).abs() < 0.02, "{of_all} ms of all, {of_kept} of the kept");
    // Without it the same run has a longer tail before the last hundredth.
    experiment.vms[0].server.soft_drop = Share::WHOLE;
    let without = simulate(&experiment).vms[0].recorder.latencies().quantile(0.98).unwrap();
    let with = recorder.latencies().quantile(0.98).unwrap();
    assert!(with < without, "{with} with soft drop, {without} without");
}

/// Full batches of two, one every 2 ms, for four GPUs that need 6 ms: the one longest idle has one free for
/// 2 ms. The first query of a batch waits 1 ms for the second.
#[test]
fn mlperf_triton_takes_the_gpu_longest_idle_and_waits_for_full_batches() {
    let mut experiment = queue(4, 1000.0, SimDuration::from_millis(3), SizeDistribution::Fixed, 1);
    let vm = &mut experiment.vms[0];
    vm.load.arrivals = Arrivals::Constant;
    let triton = PRESETS.iter().find(|preset| preset.name == "mlperf-triton").unwrap();
    vm.server = ServerSpec { batch_max: 2, ..(triton.make)() };
    let outcome = simulate(&experiment);
    let latencies = outcome.vms[0].recorder.latencies();
    assert_eq!(latencies.max(), Some(SimDuration::from_millis(7)));
    // Cells of the histogram are 0.1 % wide.
    let faster = latencies.quantile(0.49).unwrap().as_millis_f64();
    assert!((6.0..6.01).contains(&faster), "{faster} ms");
}
