//! Triton's server as users write it: what the presets, the queue keys and a `config.pbtxt` do to a
//! run, against queueing theory and small cases by hand.
//!
//! The rule that forms a batch is held to a slow twin beside it, in `host::batcher`.

use crate::support::{fact, queue};
use slicewise::config::{Catalogue, LoadOptions, explain, load};
use slicewise::loadgen::Rule;
use slicewise::platform::{Outcome, simulate, simulate_with};
use slicewise::record::Recorder;
use slicewise::spec::*;
use slicewise::units::{Share, SimDuration};
use std::fs;
use std::path::Path;

fn preset(name: &str) -> ServerSpec {
    (PRESETS.iter().find(|preset| preset.name == name).unwrap().make)()
}

/// One GPU that needs 5 ms for a batch, whatever its size.
fn batches_of_5_ms(rate: f64, seconds: u64, server: ServerSpec) -> Experiment {
    let work = SimDuration::from_millis(5);
    let mut experiment = queue(1, rate, work, SizeDistribution::Fixed, seconds);
    let vm = &mut experiment.vms[0];
    let service = vm.workload_mut().service.get_mut("test-gpu").unwrap();
    service.work = fact(WorkTable::new(vec![(1, work), (64, work)]).unwrap());
    vm.server = server;
    experiment
}

/// A figure of ten replications and its standard error.
fn replicated(experiment: &Experiment, figure: impl Fn(&Outcome) -> f64) -> (f64, f64) {
    let figures: Vec<f64> = (0..10)
        .map(|replication| {
            let mut experiment = experiment.clone();
            experiment.replication = replication;
            figure(&simulate(&experiment))
        })
        .collect();
    let mean = figures.iter().sum::<f64>() / 10.0;
    let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / 9.0;
    (mean, (variance / 10.0).sqrt())
}

/// Within five standard errors, which are themselves within 2 % of the figure.
#[track_caller]
fn holds(experiment: &Experiment, expected: f64, figure: impl Fn(&Outcome) -> f64) {
    let (mean, error) = replicated(experiment, figure);
    assert!(error < 0.02 * expected, "{mean} +- {error} says nothing of {expected}");
    assert!((mean - expected).abs() < 5.0 * error, "{mean} +- {error}, expected {expected}");
}

fn mean_ms(outcome: &Outcome) -> f64 {
    outcome.vms[0].recorder.latencies().mean().unwrap().as_millis_f64()
}

/// M/D/1: S + rho S / (2 (1 - rho)); S = 5 ms, rho = 0.7: 10.8333 ms. One instance that takes one
/// query at a time, whether the model has no dynamic batching or a maximum of 1.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn one_instance_and_batches_of_one_are_m_d_1() {
    for server in [preset("triton-no-batching"), ServerSpec { batch_max: 1, ..preset("triton") }] {
        let experiment = batches_of_5_ms(140.0, 2000, server);
        holds(&experiment, 5.0 + 0.7 * 5.0 / 0.6, mean_ms);
    }
}

/// Bulk service without delay, batches of any size in D = 5 ms, m = lambda D = 2 queries meanwhile.
/// All that came during a batch make the next, and a query that finds the server idle goes alone: so
/// sizes are max(1, Poisson(m)), their mean m + exp(-m) = 2.1353, and of them m wait D / 2 on average
/// and exp(-m) nothing. Latency D + D / 2 x 2 / 2.1353 = 7.3416 ms.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn what_waits_goes_at_once_as_bulk_service() {
    let experiment = batches_of_5_ms(400.0, 1000, preset("triton"));
    let mean = 2.0 + (-2.0_f64).exp();
    holds(&experiment, 5.0 + 2.5 * 2.0 / mean, mean_ms);
    holds(&experiment, mean, |outcome| {
        let recorder = &outcome.vms[0].recorder;
        recorder.latencies().count() as f64 / recorder.batches()
    });
}

/// Two priority levels, batches of one (Cobham 1954): W1 = W0 / (1 - rho1), W2 = W1 / (1 - rho), with
/// W0 = rho S / 2. S = 5 ms, rho = 0.8, a quarter of it urgent: W0 = 2, W1 = 2.5, W2 = 12.5 ms.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_urgent_wait_as_long_as_cobham_says() {
    let quarter = Share::new(0.25).unwrap();
    let queues = Queues {
        levels: vec![QueuePolicy::default(); 2],
        default_level: 0,
        shares: vec![quarter, Share::new(0.75).unwrap()],
    };
    let server = ServerSpec { queues, ..preset("triton-no-batching") };
    let experiment = batches_of_5_ms(160.0, 1500, server);
    for (level, expected) in [(0, 7.5), (1, 17.5)] {
        holds(&experiment, expected, |outcome| {
            outcome.vms[0].recorder.levels()[level].latencies.mean().unwrap().as_millis_f64()
        });
    }
}

/// M/M/1/K: with K places in all, one of them at work, the share (1 - rho) rho^K / (1 - rho^(K + 1)) is
/// rejected. rho = 0.8, K = 4: 0.2 x 0.4096 / 0.67232 = 12.185 %. Rejected queries keep no bound, so
/// with a bound that nobody else misses the run is INVALID by them alone.
#[test]
fn a_full_queue_rejects_as_often_as_m_m_1_k() {
    let policy = QueuePolicy { max_queue_size: Some(3), ..QueuePolicy::default() };
    let work = SimDuration::from_millis(5);
    let mut experiment = queue(1, 160.0, work, SizeDistribution::Exponential, 1000);
    let vm = &mut experiment.vms[0];
    vm.server = ServerSpec {
        queues: Queues { levels: vec![policy], ..Queues::default() },
        ..preset("triton-no-batching")
    };
    vm.load.settings.target_latency = SimDuration::from_secs(10);
    holds(&experiment, 0.2 * 0.8_f64.powi(4) / (1.0 - 0.8_f64.powi(5)), |outcome| {
        let recorder = &outcome.vms[0].recorder;
        assert_eq!(recorder.over_latency(), 0);
        recorder.rejected() as f64 / recorder.answered() as f64
    });
    let outcome = simulate(&experiment);
    let failed = &outcome.vms[0].verdict.failed;
    assert!(failed.iter().any(|failed| failed.rule == Rule::Latency), "{failed:?}");
    assert!(failed[0].reason.contains("or rejected"), "{failed:?}");
}

/// Two GPUs, batches of one in 5 ms each for the light and much more for the heavy: responses in the
/// order of issue over both GPUs, though instances go on meanwhile.
#[test]
fn preserve_ordering_holds_over_all_gpus_and_keeps_no_instance() {
    let work = SimDuration::from_millis(5);
    let mut experiment = queue(2, 250.0, work, SizeDistribution::Exponential, 20);
    experiment.vms[0].server = preset("triton-no-batching");
    let any = simulate(&experiment);
    experiment.vms[0].server.completion = Completion::PreserveOrdering;
    let outcome = simulate_with(&experiment, Recorder::keep_log);
    let log = outcome.vms[0].recorder.log().unwrap();
    assert!(log.windows(2).all(|pair| pair[0].0 <= pair[1].0), "responses are in order of arrival");
    // Instances are as busy as without: the last completion is that of the same work.
    assert_eq!(outcome.gpu_busy.len(), any.gpu_busy.len());
    let end = |outcome: &Outcome| outcome.vms[0].recorder.last_completion();
    assert_eq!(end(&outcome), end(&any));
}

/// A scenario of one VM on a whole A100 with this server and load.
fn scenario(folder: &Path, server: &str, load: &str) -> std::path::PathBuf {
    let text = format!(
        "host = \"dell-r7525\"\ngpus = {{ model = \"a100-pcie-40gb\", count = 1 }}\n\n[[vm]]\nworkload = \"bert-99\"\nserver = {server}\nload = {load}\n"
    );
    let path = folder.join("case.toml");
    fs::write(&path, text).unwrap();
    path
}

const LOAD: &str =
    "{ scenario = \"server\", target_qps = 20, min_duration = \"10 s\", min_query_count = 100 }";

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

fn server_of(path: &Path) -> ServerSpec {
    let scenario = load(path, &options()).unwrap_or_else(|error| panic!("{error}"));
    scenario.pairs[0].virtual_run.experiment.vms[0].server.clone()
}

#[test]
fn a_config_pbtxt_says_the_settings_and_keys_beside_it_override_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy("tests/formats/triton-config/resnet50.pbtxt", folder.path().join("config.pbtxt"))
        .unwrap();
    let server = server_of(&scenario(folder.path(), "{ triton_config = \"config.pbtxt\" }", LOAD));
    let policy = QueuePolicy {
        timeout: Some(SimDuration::from_millis(50)),
        timeout_action: TimeoutAction::Reject,
        max_queue_size: Some(200),
    };
    let expected = ServerSpec {
        batch_max: 16,
        streams: 2,
        slots: 2,
        preferred: vec![4, 8],
        max_queue_delay: SimDuration::from_micros(100),
        queues: Queues { levels: vec![policy], ..Queues::default() },
        // TensorRT without CUDA graphs.
        permit_return: PermitReturn::AtStart,
        permit_is_open: false,
        ..preset("triton")
    };
    assert_eq!(server, expected);
    let beside = "{ triton_config = \"config.pbtxt\", streams = 1, max_queue_delay = \"2 ms\" }";
    let path = scenario(folder.path(), beside, LOAD);
    let delay = SimDuration::from_millis(2);
    assert_eq!(
        server_of(&path),
        ServerSpec { streams: 1, slots: 1, max_queue_delay: delay, ..expected }
    );
    // Who says a value is said: the file with its line, or the key beside it.
    let (_, all) = explain(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    let values: Vec<_> =
        all.iter().flat_map(|one| &one.sections).flat_map(|section| &section.values).collect();
    let place = |key: &str| {
        let found = values.iter().find(|value| value.key == key);
        found
            .unwrap_or_else(|| panic!("no {key}"))
            .origin
            .place
            .rsplit('/')
            .next()
            .unwrap()
            .to_string()
    };
    assert_eq!(place("server.batch_max"), "config.pbtxt:4:17");
    assert_eq!(place("server.permit_return"), "config.pbtxt:3:11");
    assert_eq!(place("server.preferred_batch_size"), "config.pbtxt:22:27");
    assert!(place("server.queue_policy").starts_with("config.pbtxt:24"));
    assert!(place("server.max_queue_delay").starts_with("case.toml"));
}

/// Behind CUDA graphs an instance is free at the end of its batch; eager batching forms one more ahead.
#[test]
fn tensorrt_is_told_from_other_backends() {
    let of = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("max_batch_size: 8 dynamic_batching {{ }} {text}");
        fs::write(folder.path().join("config.pbtxt"), text).unwrap();
        let server = "{ triton_config = \"config.pbtxt\" }";
        let server = server_of(&scenario(folder.path(), server, LOAD));
        (server.permit_return, server.launches, server.slots)
    };
    let other = (PermitReturn::AtCompletion, Launches::Kernels, 1);
    assert_eq!(of("backend: \"onnxruntime\""), other);
    let free_early = (PermitReturn::AtStart, Launches::Kernels, 1);
    assert_eq!(of("backend: \"tensorrt\""), free_early);
    let graphs = "backend: \"tensorrt\" optimization { cuda { graphs: true } }";
    assert_eq!(of(graphs), (PermitReturn::AtCompletion, Launches::Graph, 1));
    let eager = "platform: \"tensorrt_plan\" optimization { eager_batching: true }";
    assert_eq!(of(eager), (PermitReturn::AtStart, Launches::Kernels, 2));
}

#[test]
fn a_model_without_dynamic_batching_serves_every_query_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy("tests/formats/triton-config/no-batching.pbtxt", folder.path().join("config.pbtxt"))
        .unwrap();
    let server = server_of(&scenario(folder.path(), "{ triton_config = \"config.pbtxt\" }", LOAD));
    let of_file = ServerSpec { permit_is_open: false, ..preset("triton-no-batching") };
    assert_eq!(server, ServerSpec { streams: 4, slots: 4, ..of_file });
    fs::copy("tests/formats/triton-config/priorities.pbtxt", folder.path().join("config.pbtxt"))
        .unwrap();
    let server = server_of(&scenario(
        folder.path(),
        "{ triton_config = \"config.pbtxt\", priority_shares = [\"10 %\", \"40 %\", \"50 %\"] }",
        LOAD,
    ));
    assert_eq!((server.batch_max, server.completion), (32, Completion::PreserveOrdering));
    assert_eq!((server.queues.levels.len(), server.queues.default_level), (3, 1));
    assert_eq!(server.queues.levels[2].max_queue_size, Some(10));
    assert_eq!(server.queues.shares.len(), 3);
}

/// p50, p90 and p99 of a run, in milliseconds.
fn percentiles(experiment: &Experiment) -> [f64; 3] {
    let outcome = simulate(experiment);
    let latencies = outcome.vms[0].recorder.latencies();
    [0.5, 0.9, 0.99].map(|q| latencies.quantile(q).unwrap().as_millis_f64())
}

/// Holds percentiles to those of a double, `within` so much of each.
#[track_caller]
fn hold(what: &str, found: [f64; 3], expected: [f64; 3], within: [f64; 3]) {
    for ((found, expected), within) in found.into_iter().zip(expected).zip(within) {
        let error = found / expected - 1.0;
        assert!(error.abs() < within, "{what}: {found} ms for {expected}, {error:+.4}");
    }
}

/// The MLPerf harness's Triton without CUDA graphs: full batches of so many samples, which take
/// `once + each x samples` in milliseconds on a GPU, `before` on a CPU, and so many instances a GPU.
fn harness(
    gpus: u16,
    (rate, seconds): (f64, u64),
    (batch_max, instances): (u32, u32),
    [once, each, before]: [f64; 3],
) -> Experiment {
    let ms = |ms: f64| SimDuration::from_nanos_f64(ms * 1e6);
    let mut experiment = queue(gpus, rate, ms(once + each), SizeDistribution::Fixed, seconds);
    let vm = &mut experiment.vms[0];
    let full = ms(once + each * f64::from(batch_max));
    let service = vm.workload_mut().service.get_mut("test-gpu").unwrap();
    service.work = fact(WorkTable::new(vec![(1, ms(once + each)), (batch_max, full)]).unwrap());
    vm.workload_mut().cpu.launch_per_batch = fact(ms(before));
    (vm.vcpus, experiment.hosts[0].logical_processors) = (64, fact(64));
    vm.server = ServerSpec {
        batch_max,
        streams: instances,
        slots: instances,
        permit_return: PermitReturn::AtStart,
        launches: Launches::Kernels,
        ..preset("mlperf-triton")
    };
    experiment
}

/// An instance without CUDA graphs has its next batch ready behind the running one. The figures are those of
/// a double in another language that knows nothing of slicewise (an event list, processor sharing on
/// each GPU, Poisson arrivals), the mean of five runs of 800 000 queries; its runs scatter by 0.3 % at
/// p90 and 1.2 % at p99. Five times that is allowed, and 1 % at p50, for the double leaves out a first tenth in
/// which fewer wait. The settings are those of SSD-ResNet34 on eight A100s
/// and on four under arm64 (MLPerf v1.1 and v2.0).
#[test]
fn instances_without_graphs_hold_a_batch_behind_the_running_one() {
    let within = [0.01, 0.015, 0.06];
    let eight = |dispatch: Dispatch| {
        let mut run = harness(8, (5802.22, 138), (8, 4), [0.740, 1.08638, 2.03]);
        run.vms[0].server.dispatch = dispatch;
        percentiles(&run)
    };
    hold("longest idle", eight(Dispatch::LongestIdle), [12.13, 13.11, 14.59], within);
    hold("by lot", eight(Dispatch::RandomGpu), [37.57, 63.79, 74.35], within);
    let four = harness(4, (3077.88, 260), (8, 1), [0.740, 1.09873, 2.03]);
    hold("one instance", percentiles(&four), [13.35, 15.90, 19.72], within);
}

/// Several GPU instances have a server each, and queries are dealt in calls: of 56 servers in turn each gets
/// two samples at once where both are due when LoadGen wakes, and an odd one waits for a whole round. The
/// figures are those of a double in another language, of many runs, to their last digit; the settings those of
/// ResNet-50 on 56 slices (MLPerf v2.0).
#[test]
fn gpu_instances_are_servers_that_are_dealt_calls_in_turn() {
    let of = |wake: u64| {
        let mut run = harness(8, (49_985.09, 8), (2, 1), [0.43, 0.1993, 0.3]);
        let slice = InstanceSpec {
            profile: Some("1g".to_string()),
            share: Share::WHOLE,
            memory_share: Share::WHOLE,
            sharing: InstanceSharing::Alone,
        };
        run.cards.iter_mut().for_each(|card| card.instances = vec![slice.clone(); 7]);
        let places = (0..8).flat_map(|card| (0..7).map(move |instance| (GpuId(card), instance)));
        let share = |(card, instance)| GpuShare {
            card,
            instance,
            vgpu_type: None,
            sm_limit: Share::WHOLE,
            pods: None,
        };
        run.vms[0].gpus = places.map(share).collect();
        run.vms[0].server.call_wake = Some(SimDuration::from_micros(wake));
        percentiles(&run)
    };
    let within = [0.01, 0.01, 0.01];
    hold("each query by itself", of(0), [1.13, 2.38, 2.58], within);
    hold("calls", of(60), [1.19, 3.22, 3.51], within);
}

/// The harness waits for a full batch for ever: 63 further queries at 20 per second take 3.15 s, beyond
/// the bound of 130 ms. The product waits for nobody, and its p99 is near that of BERT's own harness.
#[test]
fn a_full_batch_that_fills_too_slowly_is_told_and_the_product_has_no_such_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(folder.path(), "{ preset = \"mlperf-triton\" }", LOAD);
    let read = load(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        read.warnings.iter().any(|one| one.contains("first query of a batch waits 3")),
        "{:?}",
        read.warnings
    );
    let results = slicewise::study::run(&read, &|_, _, _| {});
    assert!(results.notes.iter().any(|note| note.contains("waits for a full batch of 64")));
    let path = scenario(folder.path(), "{ preset = \"triton\", batch_max = 8 }", LOAD);
    let read = load(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    let results = slicewise::study::run(&read, &|_, _, _| {});
    let p50 = results.runs[0].vms[0].latency_ms.p50;
    assert!(p50 < 6.0, "{p50} ms at 20 queries per second");
}

/// Any rate below what the GPU can is VALID for a server that waits for nobody, so a search finds the
/// highest from below; the harness's rule made every low rate INVALID.
#[test]
fn a_user_s_own_server_keeps_its_bound_at_any_rate() {
    let folder = tempfile::tempdir().unwrap();
    for rate in [1, 20, 200, 900] {
        let load_of = format!(
            "{{ scenario = \"server\", target_qps = {rate}, min_duration = \"20 s\", min_query_count = 20 }}"
        );
        let path = scenario(folder.path(), "{ preset = \"triton\", batch_max = 8 }", &load_of);
        let read = load(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
        let results = slicewise::study::run(&read, &|_, _, _| {});
        let vm = &results.runs[0].vms[0];
        assert!(vm.verdict.valid, "{rate}/s: {:?}", vm.verdict.failed_rules);
    }
}
