//! Simulated against published: MLPerf v1.1 on the R7525, bare and under vSphere, and contention on
//! shared GPUs. A miss is named here, not tuned away.

use crate::support::queue;
use slicewise::config::{self, Catalogue, LoadOptions};
use slicewise::gpu::{Client, CopyEngine, Demand, Mps, MpsJob, PoolJob};
use slicewise::platform::simulate;
use slicewise::queueing::Station;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::*;
use slicewise::units::{Bandwidth, Bytes, Share, SimDuration, SimTime};
use std::path::Path;

/// Both runs of a pair of the reference experiment, with what was published of each.
fn pair(name: &str) -> [(Experiment, Published); 2] {
    let catalogue = Catalogue::load(None).unwrap();
    let path = format!("scenarios/vsphere-mlperf-v1.1/{name}.toml");
    let scenario = config::load(Path::new(&path), &LoadOptions::new(catalogue)).unwrap();
    let pair = scenario.pairs.into_iter().next().unwrap();
    let baseline = pair.twin().unwrap().clone();
    [pair.virtual_run, baseline].map(|run| (run.experiment, run.published.unwrap()))
}

/// Simulated over published, minus 1.
fn errors(experiment: &Experiment, published: &Published, names: &[&str]) -> Vec<f64> {
    let outcome = simulate(experiment);
    let latencies: &LatencyHistogram = outcome.vms[0].recorder.latencies();
    let simulated = |name: &str| match name {
        "min" => latencies.min().unwrap(),
        "p50" => latencies.quantile(0.5).unwrap(),
        "p90" => latencies.quantile(0.9).unwrap(),
        "p99" => latencies.quantile(0.99).unwrap(),
        "p999" => latencies.quantile(0.999).unwrap(),
        _ => unreachable!("{name} is not compared"),
    };
    let of = |name: &&str| {
        let (_, span) = published.latency.iter().find(|(known, _)| known == name).unwrap();
        simulated(name) / *span - 1.0
    };
    names.iter().map(of).collect()
}

fn check_latencies(name: &str, bound: f64) {
    let percentiles = ["p50", "p90", "p99", "p999"];
    for (experiment, published) in pair(name) {
        for (percentile, error) in
            percentiles.iter().zip(errors(&experiment, &published, &percentiles))
        {
            assert!(
                error.abs() < bound,
                "{}: {percentile} is {:.1} % off",
                published.row,
                error * 100.0
            );
        }
    }
}

/// Asked: p50, p90, p99 and p99.9 within 10 %, bare (fitted) and virtual (predicted).
#[test]
fn bert_server_latencies_are_the_published_ones() {
    check_latencies("bert-99-server", 0.10);
    check_latencies("bert-99.9-server", 0.10);
}

/// Asked: within 25 %.
#[test]
fn ssd_server_latencies_are_the_published_ones() {
    check_latencies("ssd-resnet34-server", 0.25);
}

/// Asked: within 25 %. One misses: the vSphere run of bert-99 never answered a query in less than
/// 8.36 ms, all other BERT runs on this GPU did in 3.7 to 5.7. In the simulation the fastest query
/// is the first of a run; a run whose first batches are slow has its minimum in a later lull.
#[test]
fn minimum_latencies_are_the_published_ones_but_for_one() {
    for name in ["bert-99-server", "bert-99.9-server", "ssd-resnet34-server"] {
        for (experiment, published) in pair(name) {
            let error = errors(&experiment, &published, &["min"])[0];
            let misses = published.row == "R7525_vA100-PCIE-40GBx3_TRT bert-99 Server";
            assert_eq!(
                error.abs() >= 0.25,
                misses,
                "{}: {:.0} % off",
                published.row,
                error * 100.0
            );
        }
    }
}

/// Asked: within 1.5 %.
#[test]
fn offline_rates_are_the_published_ones() {
    for name in ["bert-99-offline", "bert-99.9-offline", "ssd-resnet34-offline"] {
        for (experiment, published) in pair(name) {
            let outcome = simulate(&experiment);
            let recorder = &outcome.vms[0].recorder;
            let rate =
                recorder.latencies().count() as f64 / recorder.last_completion().as_secs_f64();
            let error = rate / published.completed_per_s.unwrap() - 1.0;
            assert!(error.abs() < 0.015, "{}: {:.2} % off", published.row, error * 100.0);
        }
    }
}

/// `pods` pods in closed loop without think time on one card, as nos measured: mean latency in ms.
fn closed_loop(pods: u16, work_ms: f64, sharing: InstanceSharing, phi: f64, share: f64) -> f64 {
    let work = SimDuration::from_nanos_f64(work_ms * 1e6);
    let mut experiment = queue(1, 1.0, work, SizeDistribution::Fixed, 120);
    experiment.cards[0].instances[0].sharing = sharing;
    experiment.cards[0].instances[0].share = Share::new(share).unwrap();
    let mut vm = experiment.vms.remove(0);
    let service = vm.workload_mut().service.get_mut("test-gpu").unwrap();
    service.phi.value = PhiTable::constant(Share::new(phi).unwrap());
    vm.load.scenario = TestScenario::ClosedLoop { clients: 1, think_time: SimDuration::ZERO };
    experiment.vms =
        (0..pods).map(|pod| VmSpec { name: format!("pod-{pod}"), ..vm.clone() }).collect();
    let outcome = simulate(&experiment);
    let means: Vec<f64> = outcome
        .vms
        .iter()
        .map(|vm| vm.recorder.latencies().mean().unwrap().as_millis_f64())
        .collect();
    means.iter().sum::<f64>() / means.len() as f64
}

/// Best effort with the hardware's slice of 1.024 ms and the A100's switch of 0.11 ms, both from the
/// catalogue's sources; c / T = 0.107.
fn best_effort(switch_us: u64) -> InstanceSharing {
    let slice = SimDuration::from_micros(1024);
    let switch = SwitchTimes::always(SimDuration::from_micros(switch_us));
    let turns = crate::slicing::hardware();
    InstanceSharing::BestEffort(HardwareTurns { slice, renewal: slice, switch, ..turns })
}

/// nos, YOLOS-small on an A100 80GB PCIe, 1 to 7 pods in closed loop: mean seconds per inference.
/// Fitted: the work on one pod of time slicing, c / T on its row of 7 pods, phi on the four MIG rows:
/// their mean, 343.335 ms, is m = 3.895 times one pod on the whole GPU, and
/// phi = (m - 1) / (108 / 14 - 1) = 0.431. Predicted: the others, all of MPS among them. Asked:
/// within 5 %.
#[test]
fn contention_on_an_a100_is_as_nos_measured_it() {
    const PHI: f64 = 0.431;
    let check = |mode: &str, pods: u16, simulated: f64, published_ms: f64| {
        let error = simulated / published_ms - 1.0;
        assert!(error.abs() < 0.05, "{pods} pods, {mode}: {:.1} % off", error * 100.0);
    };
    for (pods, published_ms) in [(1, 88.15), (3, 293.14), (5, 488.95), (7, 684.88)] {
        let simulated = closed_loop(pods, 88.15, best_effort(110), PHI, 1.0);
        check("time slicing", pods, simulated, published_ms);
    }
    // PyTorch without CUDA graphs: MPS adds nothing to a launch.
    let added = MpsSharing { graph_launch: SimDuration::ZERO, is_partitioned: false };
    let mps = InstanceSharing::Mps(added);
    for (pods, published_ms) in [(1, 87.96), (3, 164.00), (5, 240.86), (7, 319.82)] {
        let simulated = closed_loop(pods, 88.15, mps, PHI, 1.0);
        check("MPS", pods, simulated, published_ms);
        // By hand: n pods on the whole GPU take 1 - phi + phi n times as long as one.
        let by_hand = 88.15 * (1.0 - PHI + PHI * f64::from(pods));
        assert!((simulated - by_hand).abs() < 0.01, "{pods} pods: {simulated}, {by_hand} by hand");
    }
    // MIG: each pod alone on 1g.10gb, 14 of 108 SMs, whatever the others do.
    let slice = closed_loop(1, 88.15, InstanceSharing::Alone, PHI, 14.0 / 108.0);
    for (pods, published_ms) in [(1, 342.37), (3, 341.31), (5, 345.33), (7, 344.25)] {
        check("MIG", pods, slice, published_ms);
    }
}

/// iGniter, one client on a V100 16GB under MPS, mean latency in ms at 20, 40, 50, 60, 80 % of the
/// threads (icloud-ecnu/igniter, gpulet.config).
const THREADS: [(&str, [f64; 5]); 8] = [
    ("alexnet 8", [5.515, 3.194, 2.664, 2.368, 1.985]),
    ("alexnet 32", [17.467, 9.881, 8.291, 7.273, 6.225]),
    ("resnet50 8", [25.113, 13.52, 11.613, 10.268, 7.639]),
    ("resnet50 32", [93.829, 49.013, 40.079, 34.516, 27.152]),
    ("vgg19 8", [65.28, 33.217, 27.172, 23.23, 17.703]),
    ("vgg19 32", [254.08, 128.557, 103.971, 87.734, 68.917]),
    ("ssd 8", [97.646, 51.086, 43.131, 35.644, 29.075]),
    ("ssd 32", [383.629, 199.863, 163.11, 138.914, 111.206]),
];

/// Fitted on 20 and 80 % of the threads: a narrow part a and a filling part b with t = a + b / s, so
/// work a + b and phi b / (a + b). Predicted: 40, 50 and 60 %. Most are within 3 %; ResNet-50 in
/// batches of 8 is the worst, 6.7 % too fast at 60 %.
///
/// Missed: a neighbour with the other threads. Pairs with disjoint limits slow each other 1.7 to
/// 17 %, median 10 % (alexnet 8 beside ssd 8, half each: 2.879 ms against 2.664 alone); the model
/// divides SMs and nothing else, and says 0.
#[test]
fn thread_limits_slow_a_client_as_igniter_measured_it() {
    let limited = |ms: f64, phi: f64, limits: &[f64]| -> f64 {
        let clients = limits.iter().map(|&limit| Client {
            sharing: GpuSharing::InOrder,
            limit: Share::new(limit).unwrap(),
            launches: Launches::Graph,
            watts: 0.0,
            node: None,
        });
        let mut mps = Mps::new(&clients.collect::<Vec<_>>(), Share::WHOLE);
        let demand = Demand {
            host_floor: 0.0,
            launch: 0.0,
            serial: 0.0,
            work: ms * 1e6,
            phi,
            phi_limit: phi,
            energy: 0.0,
        };
        for client in 0..limits.len() {
            mps.submit(SimTime::ZERO, MpsJob { client, job: PoolJob { tag: client, demand } });
        }
        mps.next_change().unwrap().as_secs_f64() * 1e3
    };
    for (model, [at_20, at_40, at_50, at_60, at_80]) in THREADS {
        let filling = (at_20 - at_80) / (1.0 / 0.2 - 1.0 / 0.8);
        let work = at_20 - filling / 0.2 + filling;
        for (limit, measured) in [(0.4, at_40), (0.5, at_50), (0.6, at_60)] {
            let alone = limited(work, filling / work, &[limit]);
            let error = alone / measured - 1.0;
            assert!(error.abs() < 0.07, "{model} at {limit}: {:.1} % off", error * 100.0);
            // The first of two to end has the larger part, as if it were alone with it.
            let larger = limited(work, filling / work, &[limit.max(1.0 - limit)]);
            let pair = limited(work, filling / work, &[limit, 1.0 - limit]);
            assert!((pair / larger - 1.0).abs() < 1e-6, "{model}: {pair} against {larger}");
        }
    }
}

/// Colfax Research, four VMs on an A30, best effort: what one VM gets of four, over one alone.
/// Fitted: c on the GEMM rows. Predicted: device memory copy. Asked: within 5 %.
#[test]
fn four_vms_on_an_a30_are_as_colfax_measured_them() {
    let alone = closed_loop(1, 50.0, best_effort(190), 1.0, 1.0);
    let of_four = closed_loop(4, 50.0, best_effort(190), 1.0, 1.0);
    for (kernel, one, four) in [
        ("memory copy", 786.0, 160.0),
        ("small GEMM", 6680.0, 1410.0),
        ("large GEMM", 68_800.0, 14_500.0),
    ] {
        let error = (alone / of_four) / (four / one) - 1.0;
        assert!(error.abs() < 0.05, "{kernel}: {:.1} % off", error * 100.0);
    }
    // MIG, a quarter each. A memory copy fills any share (phi 1): 196 of 786 GB/s. The small GEMM
    // gives its phi: slowdown m = 6680 / 6550, phi = (m - 1) / (1 / s - 1).
    let on_slice = |phi| {
        closed_loop(1, 50.0, InstanceSharing::Alone, phi, 0.25)
            / closed_loop(1, 50.0, InstanceSharing::Alone, phi, 1.0)
    };
    let phi_small = (6680.0 / 6550.0 - 1.0) / 3.0;
    for (kernel, phi, slowdown) in
        [("memory copy", 1.0, 786.0 / 196.0), ("small GEMM", phi_small, 6680.0 / 6550.0)]
    {
        let error = on_slice(phi) / slowdown - 1.0;
        assert!(error.abs() < 0.05, "{kernel} on a slice: {:.1} % off", error * 100.0);
    }
    // No mechanism: a large GEMM on a quarter of the SMs is 4.30 times slower, and no phi up to 1
    // makes more than 4.
    let large = on_slice(1.0) / (68_800.0 / 16_000.0) - 1.0;
    assert!((-0.08..-0.05).contains(&large), "large GEMM on a slice: {:.1} % off", large * 100.0);
}

/// The PCIe link of a card: 25.2 GB/s for one VM, 6.3 GB/s each for four (Colfax Research).
#[test]
fn four_copies_share_the_link_alike() {
    let bytes = Bytes::new(32_000_000);
    let mut link = CopyEngine::new(Bandwidth::new(25.2e9));
    (0..4).for_each(|vm| link.submit(SimTime::ZERO, (vm, bytes)));
    let end = link.next_change().unwrap();
    let each = 32e6 / end.as_secs_f64() / 1e9;
    assert!((each - 6.3).abs() < 1e-3, "{each} GB/s each");
}

/// Batch 1 on the whole GPU and on one slice of 14 SMs, p90 in ms (MLPerf Inference v1.1
/// SingleStream, A100-SXM-80GB with 108 SMs, A30 with 56).
const BATCH_1: [(&str, [f64; 2], [f64; 2]); 6] = [
    ("3d-unet-99", [16.673, 128.698], [42.05, 135.604]),
    ("bert-99", [1.563, 5.39], [2.228, 5.775]),
    ("resnet50", [0.465, 0.658], [0.524, 0.713]),
    ("rnnt", [20.37, 75.012], [23.946, 76.016]),
    ("ssd-mobilenet", [0.291, 0.437], [0.32, 0.449]),
    ("ssd-resnet34", [1.715, 8.156], [2.946, 8.402]),
];

/// Work and phi of a batch from its time on the whole of `sms` SMs and on 14 of them.
fn fitted([whole, slice]: [f64; 2], sms: f64) -> Demand {
    let phi = ((slice / whole - 1.0) / (sms / 14.0 - 1.0)).clamp(0.0, 1.0);
    Demand {
        host_floor: 0.0,
        launch: 0.0,
        serial: 0.0,
        work: whole,
        phi,
        phi_limit: phi,
        energy: 0.0,
    }
}

/// The same batch on a GPU of other SMs: the narrow part stays, the filling part goes with 1 / SMs.
fn moved(batch: Demand, from: f64, to: f64) -> Demand {
    let (narrow, filling) = (batch.work * (1.0 - batch.phi), batch.work * batch.phi * from / to);
    Demand { work: narrow + filling, phi: filling / (narrow + filling), ..batch }
}

/// phi fitted on one GPU predicts the other's batch-1 latencies. Asked: within 20 %, which all
/// slices are. Whole GPUs, predicted besides, miss four times: 3d-unet both ways, which is bound by
/// memory bandwidth (2039 against 933 GB/s), of which phi knows nothing; rnnt and ssd-resnet34 from
/// the A30, whose slice is too large a part of it to tell narrow from filling on twice the SMs.
#[test]
fn phi_of_one_gpu_predicts_the_other() {
    let mut missed = Vec::new();
    for (name, a100, a30) in BATCH_1 {
        for (fitted_on, from, measured, to) in [(a100, 108.0, a30, 56.0), (a30, 56.0, a100, 108.0)]
        {
            let batch = moved(fitted(fitted_on, from), from, to);
            let slice = batch.time(1, Share::new(14.0 / to).unwrap()) / measured[1] - 1.0;
            let whole = batch.time(1, Share::WHOLE) / measured[0] - 1.0;
            assert!(slice.abs() < 0.20, "{name} on the slice: {:.0} % off", slice * 100.0);
            if whole.abs() >= 0.20 {
                missed.push((name, to));
            }
        }
    }
    assert_eq!(
        missed,
        [("3d-unet-99", 56.0), ("3d-unet-99", 108.0), ("rnnt", 108.0), ("ssd-resnet34", 108.0)]
    );
}

/// SSD-ResNet34 under Triton, NVIDIA's four systems with batches of 8 and no queue delay: each GPU at
/// the speed of its own Offline run, nothing fitted. GPUs are drawn by lot, four instances on each share
/// it, each with a batch behind the running one. Submitters of one GPU differ by 2 % in speed, which
/// moves these percentiles by 4.
#[test]
fn triton_by_lot_needs_nothing_but_the_offline_rate() {
    let mut rows = csv::Reader::from_path("configs/published/mlperf_inference_v1.1.csv").unwrap();
    let head = rows.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let systems = [
        "A100-PCIe-80GBx8_TRT_Triton",
        "A100-PCIex8_TRT_Triton",
        "DGX-A100_A100-SXM-80GBx8_TRT_Triton",
        "DGX-Station-A100_A100-SXM-80GBx4_TRT_Triton",
    ];
    for system in systems {
        let figure = |scenario: &str, column: &str| -> f64 {
            let of = |row: &&csv::StringRecord| {
                &row[at("system")] == system
                    && &row[at("benchmark")] == "ssd-resnet34"
                    && &row[at("scenario")] == scenario
            };
            rows.iter().find(of).unwrap()[at(column)].parse().unwrap()
        };
        let gpus = figure("Server", "accelerators_per_node");
        let offline_ms = 1e3 * gpus / figure("Offline", "samples_per_second");
        let work =
            |samples: u32| SimDuration::from_nanos_f64(f64::from(samples) * offline_ms * 1e6);
        let rate = figure("Server", "target_qps");
        let mut run = queue(gpus as u16, rate, work(1), SizeDistribution::Fixed, 120);
        let service = run.vms[0].workload_mut().service.get_mut("test-gpu").unwrap();
        service.work.value = WorkTable::new(vec![(1, work(1)), (8, work(8))]).unwrap();
        let server = &mut run.vms[0].server;
        (server.batch_max, server.batch_rule, server.timeout) = (8, BatchRule::Full, None);
        (server.streams, server.slots, server.gpu_sharing) = (4, 4, GpuSharing::Shared);
        (server.dispatch, server.permit_return) = (Dispatch::RandomGpu, PermitReturn::AtStart);
        let outcome = simulate(&run);
        let latencies = outcome.vms[0].recorder.latencies();
        for (quantile, column) in [(0.90, "p90_ns"), (0.95, "p95_ns"), (0.99, "p99_ns")] {
            let simulated = latencies.quantile(quantile).unwrap().as_nanos() as f64;
            let error = simulated / figure("Server", column) - 1.0;
            assert!(error.abs() < 0.04, "{system} {column}: {error}");
        }
    }
}
