//! What several files of tests share: experiments small enough for theory (no CPU work, no copies,
//! no platform), and the examples of the documents.

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use slicewise::spec::*;
use slicewise::units::{Bandwidth, Bytes, Share, SimDuration, SimTime};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A number made up for a test.
pub(crate) fn fact<T>(value: T) -> Fact<T> {
    Fact::assumed(value, "made up for a test")
}

/// One guest alone with `gpus` cards: batches of one, in order, no staging, one after the other.
///
/// `work` is the mean time of a batch of one, `rate` the arrivals per second over `seconds`.
pub(crate) fn queue(
    gpus: u16,
    rate: f64,
    work: SimDuration,
    sizes: SizeDistribution,
    seconds: u64,
) -> Experiment {
    let card = GpuSpec {
        id: "test-gpu".to_string(),
        name: "Test".to_string(),
        sms: fact(108),
        memory: fact(Bytes::from_mib(40960)),
        memory_bandwidth: fact(Bandwidth::new(1e12)),
        pcie_bandwidth: fact(Bandwidth::new(24e9)),
        power_cap_w: fact(250.0),
        compute_capability: None,
        tensor_fp16_tflops: None,
        tensor_int8_tops: None,
        power_limit_min_w: None,
        power_idle_w: None,
        power_context_w: None,
        voltage_floor: None,
        vgpu_types: Vec::new(),
        mig_profiles: Vec::new(),
        switch_cost: fact(SwitchCost {
            value: SimDuration::from_micros(110),
            low: SimDuration::from_micros(100),
            high: SimDuration::from_micros(450),
        }),
        time_slice_best_effort: fact(SimDuration::from_micros(1024)),
        process_turns: fact(crate::slicing::hardware()),
        mps_graph_launch: fact(SimDuration::ZERO),
        mps_limit_step: fact(2),
        mps_limit_min: fact(2),
        mps_chunk: None,
    };
    let vm = VmSpec {
        name: "vm-1".to_string(),
        group: "vm-1".to_string(),
        vcpus: 8,
        allocation: CpuAllocation::normal(8),
        gpus: (0..gpus)
            .map(|card| GpuShare {
                card: GpuId(card),
                instance: 0,
                vgpu_type: None,
                sm_limit: Share::WHOLE,
                pods: None,
            })
            .collect(),
        workload: workload(work, sizes).into(),
        server: ServerSpec {
            preset: "test".to_string(),
            batch_max: 1,
            streams: 1,
            slots: 1,
            permit_return: PermitReturn::AtCompletion,
            permit_is_open: false,
            ..(PRESETS[0].make)()
        },
        load: LoadSpec {
            scenario: TestScenario::Server,
            arrivals: Arrivals::Poisson,
            settings: TestSettings {
                target_qps: rate,
                target_latency: SimDuration::from_millis(100),
                percentile: 99.0,
                min_duration: SimDuration::from_secs(seconds),
                min_query_count: 1,
                queries_beyond: None,
                rules: Rules::Mlperf,
                round: Round::ALL[0],
            },
        },
        power_on: SimTime::ZERO,
        power_off: None,
        server_of: None,
        is_pod: false,
        container_overhead: None,
        steps: Vec::new(),
        balance: None,
        llm: None,
    };
    Experiment {
        name: "test".to_string(),
        seed: 1,
        replication: 0,
        hypervisor: Hypervisor {
            id: "bare-metal".to_string(),
            name: "Bare metal".to_string(),
            virtual_gpus: false,
            gpu_speed: fact(1.0),
            gpu_speed_range: None,
            submission_latency: fact(SimDuration::ZERO),
            cpu_speed: fact(1.0),
        },
        hosts: vec![HostSpec {
            id: "test-host".to_string(),
            name: "Test".to_string(),
            logical_processors: fact(128),
            cores: fact(128),
            clock: HostSpec::usual_clock(),
            hyper_threading: HostSpec::usual_hyper_threading(),
            memory: fact(Bytes::from_mib(1 << 20)),
            power_idle_w: None,
            power_cpu_w: None,
            stalls: None,
        }],
        cards: vec![CardSpec::whole(card); usize::from(gpus)],
        vms: vec![vm],
        others: Vec::new(),
        cpu: CpuScheduling::default(),
        pools: Vec::new(),
        timeline: None,
        power: None,
    }
}

/// A workload of nothing but `work` per sample.
fn workload(work: SimDuration, sizes: SizeDistribution) -> Workload {
    let none = || fact(SimDuration::ZERO);
    let service = ServiceTime {
        launch: none(),
        host_floor: none(),
        phi: fact(PhiTable::constant(Share::WHOLE)),
        phi_limit: None,
        slice: None,
        spread: fact(Share::NONE),
        work: fact(WorkTable::new(vec![(1, work)]).unwrap()),
        boost: fact(1.0),
        watts_per_sm: None,
        machines: None,
        alternatives: Vec::new(),
        scaled: None,
    };
    Workload {
        id: "test".to_string(),
        name: "Test".to_string(),
        benchmark: None,
        precision: None,
        target_latency: fact(SimDuration::from_millis(100)),
        sizes: fact(sizes),
        weights: fact(Bytes::ZERO),
        workspace_per_sample: fact(Bytes::ZERO),
        input_per_sample: fact(Bytes::ZERO),
        output_per_sample: fact(Bytes::ZERO),
        energy_once: fact(0.0),
        cpu: CpuWork {
            launch_per_batch: none(),
            queue_per_batch: none(),
            triton_per_batch: None,
            launch_per_sample: none(),
            finish_per_batch: none(),
            finish_per_sample: none(),
        },
        service: BTreeMap::from([("test-gpu".to_string(), service)]),
    }
}

/// `count` random cases, the same in every run: a tie that one case in a million has is found by
/// running many (`PROPTEST_CASES`, `PROPTEST_RNG_SEED`), not by whoever runs the tests next.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let chosen = ProptestConfig::default();
    let default = ProptestConfig { cases: count, failure_persistence: None, ..chosen.clone() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig { failure_persistence: None, ..chosen },
        None => ProptestConfig { rng_seed: RngSeed::Fixed(1), ..default },
    }
}

/// Holds each case's message to the file beside it; `UPDATE=1` rewrites the files.
#[track_caller]
pub(crate) fn hold_messages(cases: impl IntoIterator<Item = (PathBuf, PathBuf, String)>) {
    let update = std::env::var_os("UPDATE").is_some();
    let (mut wrong, mut held) = (Vec::new(), BTreeSet::new());
    for (case, file, found) in cases {
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if update {
            fs::write(&file, &found).unwrap();
        } else if found != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
        held.insert(file);
    }
    // A message without its case would say that somebody lost one, or looks at the wrong folder.
    let one = held.first().expect("at least one case");
    for other in fs::read_dir(one.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        if other.extension() == one.extension() && !held.contains(&other) {
            wrong.push(format!("{}: no case has this message", other.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The scenarios that the documents show.
pub(crate) fn examples() -> Vec<String> {
    let documents = [
        "docs/reference/scenario-files.md",
        "docs/how-to/capacity.md",
        "docs/tutorial/first-answers.md",
    ];
    let text = documents.map(|file| fs::read_to_string(file).unwrap()).join("\n");
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let scenarios: Vec<_> =
        blocks.filter(|block| block.contains("[[vm]]")).map(str::to_string).collect();
    assert!(!scenarios.is_empty());
    scenarios
}

/// Of errors in rising order the median, and the value that nine in ten do not exceed.
pub(crate) fn median_and_nine_in_ten(errors: &[f64]) -> (f64, f64) {
    let at = |q: f64| errors[((q * errors.len() as f64).ceil() as usize).max(1) - 1];
    (at(0.5), at(0.9))
}
