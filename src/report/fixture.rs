//! Results as a study would hand them over, for the tests of the reports.
//!
//! The published figures are real (MLPerf Inference v1.1, Dell R7525); the simulated ones are them,
//! bent a little. Nothing here was simulated.

use crate::spec::{Parameter, ParameterValue, Standing, Sweep, SweepPoint};
use crate::study::*;
use std::collections::BTreeMap;

const NAMES: [&str; 9] = LatencyMs::NAMES;

/// Of no version of ours, so that none changes what is expected.
fn head(name: &str, title: &str) -> Head {
    let tool = Tool { name: "slicewise", version: "0.0.0" };
    Head { tool, ..Head::of(name, title, "0123456789abcdef", 42) }
}

/// Benchmark, scenario, whether virtual, samples per second, latencies in ms by [`NAMES`].
type Row = (&'static str, &'static str, bool, f64, [f64; 9]);

#[rustfmt::skip]
const ROWS: [Row; 12] = [
    ("bert-99", "offline", true, 8475.47, [3463.916, 483747.257, 514985.956, 758310.8, 779518.354, 786564.687, 792267.957, 794098.077, 794291.838]),
    ("bert-99", "offline", false, 8465.57, [3604.319, 484877.023, 515867.516, 759085.328, 780217.171, 787250.761, 793011.313, 795044.406, 795221.175]),
    ("bert-99", "server", true, 7800.84, [8.357, 66.525, 66.823, 86.016, 90.987, 94.119, 99.737, 108.637, 122.96]),
    ("bert-99", "server", false, 7871.17, [3.84, 71.062, 71.294, 92.193, 97.656, 101.177, 107.531, 117.53, 132.03]),
    ("bert-99.9", "offline", true, 4183.17, [4125.387, 503262.794, 535465.179, 790502.304, 812977.315, 820433.291, 826224.69, 828180.806, 828319.102]),
    ("bert-99.9", "offline", false, 4228.25, [4141.17, 498970.479, 531319.202, 782505.228, 804508.737, 811755.73, 817425.758, 819367.393, 819487.838]),
    ("bert-99.9", "server", true, 3601.91, [3.713, 41.53, 39.736, 60.423, 67.279, 72.088, 82.08, 100.4, 124.927]),
    ("bert-99.9", "server", false, 3814.6, [4.135, 64.974, 62.631, 96.211, 106.761, 113.788, 127.185, 154.211, 192.997]),
    ("ssd-resnet34", "offline", true, 2452.84, [157.93, 386487.863, 386191.052, 697166.33, 736077.508, 751608.898, 767133.995, 774175.975, 774938.82]),
    ("ssd-resnet34", "offline", false, 2450.72, [69.772, 565984.51, 565960.002, 1019381.44, 1076053.435, 1098755.482, 1121405.966, 1131593.332, 1132713.906]),
    ("ssd-resnet34", "server", true, 2310.26, [10.655, 20.638, 19.917, 28.321, 31.346, 33.632, 38.515, 47.528, 57.435]),
    ("ssd-resnet34", "server", false, 2389.86, [11.995, 35.592, 30.877, 58.978, 66.975, 72.757, 84.299, 106.585, 120.318]),
];

/// Simulated over published, for the rates and latencies of each row.
const BENT: [(f64, f64); 12] = [
    (0.993, 1.0),
    (1.001, 1.0),
    (1.0, 1.021),
    (1.0, 1.034),
    (0.998, 1.0),
    (0.999, 1.0),
    (1.0, 1.062),
    (1.0, 1.017),
    (0.997, 1.0),
    (1.0, 1.0),
    (1.0, 1.173),
    (1.0, 1.214),
];

/// The experiment of six pairs: twelve runs, six comparisons.
pub(crate) fn pairs() -> Results {
    let runs: Vec<_> = ROWS.iter().zip(BENT).map(|(row, bent)| run(row, bent)).collect();
    let ratios = [
        (0.993, 1.001),
        (0.985, 0.991),
        (0.987, 0.989),
        (0.962, 0.944),
        (0.989, 1.001),
        (0.981, 0.967),
    ];
    let comparisons = ratios.iter().zip(ROWS.chunks(2));
    let comparisons = comparisons
        .map(|((simulated, published), sides)| comparison(&sides[1], *simulated, *published));
    Results {
        head: head(
            "vsphere-mlperf-v1.1",
            "BERT and SSD-ResNet34 on three A100, vSphere against bare metal (MLPerf v1.1)",
        ),
        comparisons: comparisons.collect(),
        runs,
        notes: vec![
            "SSD Server latencies come out too high: the harness drops to smaller batches when its \
             queue is short, which the published settings do not tell in full."
                .to_string(),
        ],
        leans_on: vec![
            fact("workloads/bert-99 launch", "1.1 ms", Standing::Fitted),
            fact("workloads/bert-99 phi", "0.87", Standing::Fitted),
            fact("hosts/dell-r7525 gather", "0.2 ms", Standing::Assumed),
        ],
        ..empty()
    }
}

/// One to eight VMs shared in two ways, three replications; eight MIG slices there are not.
pub(crate) fn sweep() -> SweepResults {
    let counts = ["1", "2", "4", "8"].map(|text| (text, text.parse().ok()));
    let mut results =
        grid("One to eight VMs on one A100", &["best effort", "MIG slices"], &counts, &["vm"]);
    let why = "MIG cannot hold four on such a card";
    results.sweep.points[6].not_applicable = Some(why.to_string());
    results.points[6] =
        PointSummary { error: None, runs: 0, total_per_s: None, groups: Vec::new() };
    results
}

/// The rows of a sweep made here.
pub(crate) fn sweep_rows(sweep: &Sweep, groups: &[&str], each: &mut dyn FnMut(PointRow<'_>)) {
    for (index, point) in sweep.points.iter().enumerate() {
        let error = point.error.as_deref();
        if !point.is_simulated() {
            each(PointRow { index, point, seed: 42, run: None, error });
            continue;
        }
        for replication in 0..3 {
            let run = point_run(index, u64::from(replication), groups);
            each(PointRow { index, point, seed: 42, run: Some((replication, &run)), error });
        }
    }
}

/// Two groups, more lines than are drawn, names longer than there is room for.
pub(crate) fn long_names() -> SweepResults {
    let lines = (0..14).map(|line| match line % 2 {
        0 => format!("equal share, slices of {line} milliseconds, idle turns burned"),
        _ => format!("line-without-any-blank-in-its-name-{line}"),
    });
    let lines: Vec<String> = lines.collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let values = ["1", "1.5", "2", "30"].map(|text| (text, text.parse().ok()));
    grid(&"A very long title ".repeat(9), &lines, &values, &["latency bound", "latency/bound"])
}

/// Words along the axis.
pub(crate) fn words() -> SweepResults {
    let words = ["best-effort", "equal-share", "fixed-share", "one MIG slice for each VM", "whole"];
    grid("A noisy neighbour", &[""], &words.map(|word| (word, None)), &["vm"])
}

/// So many lines.
pub(crate) fn lines(count: usize) -> SweepResults {
    let lines: Vec<String> = (0..count).map(|line| format!("best effort, bursts {line}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let values = ["1", "2", "3", "4", "8"].map(|text| (text, text.parse().ok()));
    grid("Many ways of sharing", &lines, &values, &["vm"])
}

/// A sweep over `vm.count`; the last point is an error.
fn grid(
    title: &str,
    lines: &[&str],
    along: &[(&str, Option<f64>)],
    groups: &[&str],
) -> SweepResults {
    let value = |(text, number): &(&str, Option<f64>)| ParameterValue {
        text: text.to_string(),
        number: *number,
    };
    let point = |line: usize, x: &(&str, Option<f64>)| SweepPoint {
        line,
        x: value(x),
        values: vec![value(x)],
        error: None,
        not_applicable: None,
    };
    let mut points: Vec<SweepPoint> =
        (0..lines.len()).flat_map(|line| along.iter().map(move |x| point(line, x))).collect();
    let last = points.last_mut().unwrap();
    last.error = Some("8 VMs of type A100-4-20C do not fit: 2 do".to_string());
    let summaries = points.iter().enumerate().map(|(index, point)| match &point.error {
        Some(error) => {
            let error = Some(error.clone());
            PointSummary { error, runs: 0, total_per_s: None, groups: Vec::new() }
        }
        None => summary(index, groups),
    });
    let head = |name: &&str| GroupHead {
        name: name.to_string(),
        has_latencies: true,
        bound_ms: Some(130.0),
    };
    SweepResults {
        head: self::head("contention", title),
        verdict: Verdict::default(),
        groups: groups.iter().map(head).collect(),
        workloads: ["bert-99".to_string()].into(),
        points: summaries.collect(),
        taken_over: 0,
        scaled: Vec::new(),
        notes: Vec::new(),
        leans_on: vec![fact("workloads/bert-99 phi", "0.87", Standing::Fitted)],
        sweep: Sweep {
            name: "contention".to_string(),
            title: title.to_string(),
            hash: "0123456789abcdef".to_string(),
            seed: 42,
            replications: 3,
            parameters: vec![Parameter { key: "vm.count".to_string(), unit: None }],
            x_label: "VMs".to_string(),
            lines: lines.iter().map(|line| line.to_string()).collect(),
            points,
            has_several_models: false,
            has_scaled_times: false,
            shares_processors: false,
            has_operations: false,
            tells_watts: false,
        },
    }
}

/// What three replications of a point are summed up to.
fn summary(index: usize, groups: &[&str]) -> PointSummary {
    let runs = [0, 1, 2].map(|replication| point_run(index, replication, groups));
    let interval = |figure: &dyn Fn(&PointRun) -> f64| student_95(&runs.each_ref().map(figure));
    let group = |group: usize| GroupSummary {
        group,
        gpu_models: Vec::new(),
        vms: runs[0].groups[group].vms,
        valid: runs.iter().filter(|run| run.groups[group].valid).count(),
        completed_per_s: interval(&|run| run.groups[group].completed_per_s).unwrap(),
        p50_ms: interval(&|run| run.groups[group].latency_ms.p50).unwrap(),
        p99_ms: interval(&|run| run.groups[group].latency_ms.p99).unwrap(),
    };
    let total = |run: &PointRun| run.groups.iter().map(|group| group.completed_per_s).sum();
    PointSummary {
        error: None,
        runs: runs.len(),
        total_per_s: interval(&total),
        groups: (0..groups.len()).map(group).collect(),
    }
}

pub(crate) fn point_run(index: usize, replication: u64, groups: &[&str]) -> PointRun {
    let group = |(number, name): (usize, &&str)| {
        let height = 1.0 + index as f64 + number as f64 + 0.1 * replication as f64;
        let p99 = 20.0 * height * height;
        GroupResult {
            group: name.to_string(),
            workload: "bert-99".to_string(),
            scenario: "server".to_string(),
            gpu_models: Vec::new(),
            scaled: Vec::new(),
            vms: 1 + index as u32 % 4,
            asked_per_s: Some(500.0 * height),
            completed_per_s: 480.0 * height,
            samples: 270_336,
            rejected: 0,
            lost: None,
            latency_ms: LatencyMs { p50: 9.7 * height, p99, ..LatencyMs::default() },
            latency_p99_worst_vm_ms: p99 * 1.1,
            latency_p99_other_idle_ms: None,
            completed_per_s_inputs: None,
            latency_p99_inputs_ms: None,
            latency_p99_more_work_ms: None,
            ready_percent: None,
            target_latency_ms: 130.0,
            batch_mean: 8.25,
            valid: p99 < 300.0,
            failed_rules: verdict(p99 < 300.0).failed_rules,
        }
    };
    PointRun {
        gpu_busy_share: 0.75,
        assumes: None,
        groups: groups.iter().enumerate().map(group).collect(),
        open: Vec::new(),
        over_shares: Vec::new(),
        mean_w: None,
        joule_per_sample: None,
    }
}

fn empty() -> Results {
    Results {
        head: head("", ""),
        verdict: Verdict::default(),
        runs: Vec::new(),
        comparisons: Vec::new(),
        paired_ratios: Vec::new(),
        scaled: Vec::new(),
        notes: Vec::new(),
        leans_on: Vec::new(),
    }
}

fn run(
    (workload, scenario, virtual_side, per_s, latencies): &Row,
    (rate, slower): (f64, f64),
) -> RunResult {
    let server = *scenario == "server";
    let bent = latencies.map(|ms| ms * slower);
    let published = NAMES.iter().zip(latencies).map(|(name, ms)| (name.to_string(), *ms));
    let mut error: BTreeMap<_, _> =
        NAMES.iter().map(|name| (name.to_string(), (slower - 1.0) * 100.0)).collect();
    error.insert("completed_per_s".to_string(), (rate - 1.0) * 100.0);
    let vm = VmResult {
        name: "vm-0".to_string(),
        group: "vm-0".to_string(),
        workload: workload.to_string(),
        scenario,
        vcpus: if *virtual_side { 24 } else { 128 },
        cards: vec![0, 1, 2],
        gpu_models: Vec::new(),
        scaled: Vec::new(),
        steps: Vec::new(),
        target_qps: per_s.round(),
        queries: if server { 4_723_166 } else { 1 },
        samples: 4_723_166,
        rejected: None,
        priority_levels: Vec::new(),
        scheduled_per_s: server.then_some(*per_s),
        completed_per_s: per_s * rate,
        capacity_qps: server.then_some(per_s * 1.02),
        latency_ms: latency(bent),
        target_latency_ms: if workload.starts_with("bert") { 130.0 } else { 100.0 },
        late_of_allowed: None,
        stages_ms: vec![StageMean { stage: "batcher", mean_ms: 31.5 }],
        batch_mean: 61.5,
        load: LoadResult {
            round: "v1.1",
            schedule_seed: 10_051_496_985_653_635_065,
            samples_per_query: 1,
            percentile: 99.0,
            min_duration_ms: 600_000.0,
            min_query_count: if server { 270_336 } else { 1 },
        },
        verdict: verdict(
            !(*scenario == "server" && bent[6] > 100.0 && *workload == "ssd-resnet34"),
        ),
        standing: FigureStanding {
            rate: if server { Origin::Given } else { Origin::Fitted },
            latency: if *virtual_side { Origin::Predicted } else { Origin::Fitted },
        },
        published: Some(PublishedResult {
            completed_per_s: Some(*per_s),
            latency_ms: published.collect(),
            error_percent: error,
            source: "MLPerf Inference v1.1, closed, Dell".to_string(),
        }),
        fits: None,
        uncertainty: uncertainty(server, per_s * rate, &latency(bent)),
    };
    let twin = ["batch_max 69 (64)".to_string(), "input from device (host)".to_string()];
    RunResult {
        assumes: None,
        alternatives: Vec::new(),
        open: Vec::new(),
        name: format!("{workload}-{scenario}"),
        side: if *virtual_side { Side::Virtual } else { Side::Baseline },
        platform: if *virtual_side { "vsphere-7.0u2" } else { "bare-metal" }.to_string(),
        baseline_kind: (!virtual_side).then_some("twin"),
        differs: if *virtual_side { Vec::new() } else { twin.to_vec() },
        vms: vec![vm],
        servers: Vec::new(),
        gpus: (0..3)
            .map(|id| GpuResult {
                id,
                model: "a100-pcie-40gb".to_string(),
                busy_share: 0.93,
                time: GpuTime { idle_share: 0.07, ..GpuTime::default() },
            })
            .collect(),
        cpu: Vec::new(),
        over_shares: Vec::new(),
        operations: None,
        power: None,
    }
}

/// Three replications, half a percent about the figures.
fn uncertainty(server: bool, per_s: f64, latency_ms: &LatencyMs) -> Uncertainty {
    let about = |mean: f64| Interval { mean, half_width: Some(mean * 0.005) };
    Uncertainty {
        samples_beyond: BTreeMap::from([("p99", 47_231), ("p999", 4_723)]),
        replications: Some(Replicated {
            count: 3,
            valid: 3,
            completed_per_s: about(per_s),
            latency_ms: NAMES.map(|name| (name, about(latency_ms.get(name).unwrap()))).into(),
        }),
        more_work: server.then_some(MoreWork {
            work_percent: 1.0,
            load: 0.97,
            latency_p99_ms: latency_ms.p99 * 1.03,
            p99_percent: 3.0,
            elasticity: 2.97,
        }),
    }
}

fn latency([min, mean, p50, p90, p95, p97, p99, p999, max]: [f64; 9]) -> LatencyMs {
    LatencyMs { min, mean, p50, p90, p95, p97, p99, p999, max }
}

fn verdict(valid: bool) -> VerdictResult {
    let rule = "latency: p99 is over the bound".to_string();
    VerdictResult {
        valid,
        failed_rules: if valid { Vec::new() } else { vec![rule] },
        failed: if valid { Vec::new() } else { vec!["latency"] },
        early_stopping: None,
        estimates: Vec::new(),
    }
}

fn comparison(bare: &Row, simulated: f64, published: f64) -> Comparison {
    let (workload, scenario, _, per_s, _) = bare;
    Comparison {
        name: format!("{workload}-{scenario}"),
        scenario,
        baseline_kind: "same-cards",
        virtual_per_s: per_s * simulated,
        baseline_per_s: *per_s,
        capacity_ratio: simulated,
        capacity_ratio_replicated: Some(Interval { mean: simulated, half_width: Some(0.0011) }),
        precision: if *scenario == "server" { 0.01 } else { 0.0 },
        published_ratio: Some(published),
    }
}

fn fact(fact: &str, value: &str, standing: Standing) -> FactUse {
    let source = "MLPerf Inference v1.1".to_string();
    FactUse { fact: fact.to_string(), value: value.to_string(), standing, source }
}
