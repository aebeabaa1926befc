//! What a page shows beside the figures of a run: curves, and theory where it holds.

use slicewise::config::{Catalogue, LoadOptions, Task, task_of_text};
use slicewise::spec::Experiment;
use slicewise::study::{CurveEffort, curve_point, law};
use std::path::Path;

/// Lesson 1, 5 ms for a query, with some keys set.
fn lesson(sets: &[&str]) -> Experiment {
    let text = include_str!("../../scenarios/lessons/1-one-vm.toml");
    let mut options = LoadOptions::new(Catalogue::load(None).unwrap());
    options.set = sets.iter().map(|set| set.to_string()).collect();
    match task_of_text(Path::new("lesson.toml"), text, &options) {
        Ok(Task::Run(scenario)) => {
            scenario.pairs.into_iter().next().unwrap().virtual_run.experiment
        }
        other => panic!("{sets:?}: {other:?}"),
    }
}

/// 200 a second are all that one server of 5 ms can do, whatever the bound.
#[test]
fn a_queue_without_end_has_no_point() {
    for bound in ["50 ms", "60 s"] {
        for (rate, has_end) in [(20.0, true), (160.0, true), (240.0, false), (400.0, false)] {
            let sets =
                [format!("vm.load.target_qps={rate}"), format!("vm.load.target_latency={bound}")];
            let experiment = lesson(&sets.each_ref().map(String::as_str));
            let effort = CurveEffort { queries: 2_000, replications: 3 };
            let point = curve_point(&experiment, false, effort, &|| false).unwrap();
            let count = if has_end { 3 } else { 0 };
            assert_eq!(point.p99.len(), count, "{rate}/s, bound {bound}: {point:?}");
        }
    }
}

/// M/D/1 at 140/s: mean 5 + 0.7 x 5 / 0.6 = 10.833 ms; with exponential work M/M/1, 5 / 0.3 = 16.667 ms.
#[test]
fn theory_is_told_of_one_plain_server() {
    let plain = law(&lesson(&[])).expect("M/D/1");
    assert!((plain.mean_ms(140.0).unwrap() - 10.8333).abs() < 0.01);
    let spread = law(&lesson(&["vm.workload.service.a100-pcie-40gb.spread=1"])).expect("M/G/1");
    assert!((spread.mean_ms(140.0).unwrap() - 16.6667).abs() < 0.02);
    assert_eq!(spread.quantile_ms(140.0, 0.01), None);
}

/// What theory presumes does not hold there, and its line would be wrong, some by half.
#[test]
fn no_theory_is_told_where_it_does_not_hold() {
    const SPREAD: &str = "vm.workload.service.a100-pcie-40gb.spread=0.5";
    for sets in [
        &["vm.server.batch_max=4"][..],
        &["vm.server.streams=2"],
        &["vm.load.arrivals=constant"],
        &[
            "vm.load.arrivals=bursty",
            "vm.load.bursts={ peak = 4, share = \"10 %\", length = \"2 s\" }",
        ],
        &["vm.server.queue_policy={ timeout = \"10 ms\", timeout_action = \"reject\" }"],
        &["vm.server.queue_policy={ max_queue_size = 2 }"],
        &["vm.workload.service.a100-pcie-40gb.host_floor=8 ms", SPREAD],
        // As long as the work: alone it does not show.
        &["vm.workload.service.a100-pcie-40gb.host_floor=5 ms", SPREAD],
        &["host_stalls={ per_second = 0.15, length = \"30 ms\" }"],
    ] {
        assert_eq!(law(&lesson(sets)), None, "{sets:?}");
    }
}
