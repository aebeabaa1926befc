//! LoadGen's logs: what is read from them, on files of real shape.
//!
//! Files that are almost right are in `tests/bad/formats/loadgen-log`.

use slicewise::formats::Placed;
use slicewise::formats::loadgen_log::{LoadgenLog, LogScenario, read};

use slicewise::units::SimDuration;
use std::fs;

fn log(name: &str) -> LoadgenLog {
    let text = fs::read_to_string(format!("tests/formats/loadgen-log/{name}")).unwrap();
    read(&text).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn value<T: Clone>(found: &Option<Placed<T>>) -> Option<T> {
    found.as_ref().map(|found| found.value.clone())
}

/// R7525_A100-PCIE-40GBx3_TRT bert-99 Server of MLPerf Inference v1.1, as its summary prints it.
fn is_the_published_run(log: &LoadgenLog) {
    assert_eq!(value(&log.scenario), Some(LogScenario::Server));
    assert_eq!(
        (value(&log.valid), value(&log.performance_constraints_met)),
        (Some(true), Some(true))
    );
    assert_eq!(
        (value(&log.min_duration_met), value(&log.min_queries_met)),
        (Some(true), Some(true))
    );
    assert_eq!(value(&log.early_stopping_met), None, "early stopping came with round v2.0");
    let nanos = |name| log.latency[name].value.as_nanos();
    assert_eq!((nanos("min"), nanos("mean"), nanos("max")), (3_839_961, 71_061_853, 132_030_117));
    assert_eq!((nanos("p50"), nanos("p99"), nanos("p999")), (71_293_531, 107_531_497, 117_530_109));
    assert_eq!((value(&log.target_qps), value(&log.samples_per_query)), (Some(7870.0), Some(1)));
    assert_eq!(value(&log.target_latency), Some(SimDuration::from_millis(130)));
    assert_eq!(value(&log.min_duration), Some(SimDuration::from_secs(600)));
    assert_eq!(value(&log.min_query_count), Some(270_336));
    assert_eq!(value(&log.schedule_seed), Some(10_051_496_985_653_635_065));
}

#[test]
fn a_server_summary_is_read_with_every_figure() {
    let log = log("server-v1.1.txt");
    is_the_published_run(&log);
    assert_eq!(value(&log.sut).as_deref(), Some("BERT SERVER"));
    assert_eq!(
        (value(&log.scheduled_per_s), value(&log.completed_per_s)),
        (Some(7871.94), Some(7871.17))
    );
    assert_eq!((value(&log.warnings), value(&log.errors)), (Some(0), Some(0)));
    assert!(!log.is_simulated());
}

#[test]
fn a_multistream_summary_gives_latencies_of_queries() {
    let log = log("multistream-v4.0.txt");
    assert_eq!(value(&log.scenario), Some(LogScenario::MultiStream));
    assert_eq!((value(&log.valid), value(&log.min_queries_met)), (Some(false), None));
    assert!(log.latency.is_empty());
    assert_eq!(log.query_latency["p90"].value.as_nanos(), 7_132_046);
    let (percent, latency) = log.result_latency.clone().unwrap();
    assert_eq!((percent, latency.value.as_nanos()), (99, 10_952_369));
    assert_eq!(log.early_stopping_latency[&99].value.as_nanos(), 11_952_369);
    assert_eq!((value(&log.queries), value(&log.samples_per_query)), (Some(708), Some(8)));
    assert_eq!((value(&log.warnings), value(&log.errors)), (Some(1), Some(2)));
}

#[test]
fn a_detailed_log_says_the_same_with_more_digits() {
    let log = log("detail-v1.1.txt");
    is_the_published_run(&log);
    assert_eq!(value(&log.completed_per_s), Some(7871.171));
    assert_eq!((value(&log.queries), value(&log.over_latency)), (Some(4_723_166), Some(3)));
    assert_eq!((value(&log.warnings), value(&log.errors)), (Some(1), Some(0)));
}

#[test]
fn both_logs_of_a_run_complete_each_other() {
    let log = log("detail-v1.1.txt").or(log("server-v1.1.txt"));
    is_the_published_run(&log);
    // The name is in the summary alone, the count of late queries in the detailed log alone.
    assert_eq!(value(&log.sut).as_deref(), Some("BERT SERVER"));
    assert_eq!((value(&log.completed_per_s), value(&log.over_latency)), (Some(7871.171), Some(3)));
}
