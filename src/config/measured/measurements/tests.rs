//! Which measurements are taken, and which contradict each other.

use super::*;

#[test]
fn a_name_states_a_batch_or_none() {
    for (name, batch) in [
        ("resnet50_batch8.json", Some(8)),
        ("model-bs16-fp16.log", Some(16)),
        ("model_b_4.json", Some(4)),
        ("Batch-Size-32.csv", Some(32)),
        ("batch8-batch8.json", Some(8)),
        ("times-8.json", None),
        ("bert-99.log", None),
        ("b1-to-b8.log", None),
        ("batch0.log", None),
        ("a100-b2b.log", None),
    ] {
        assert_eq!(batch_of_name(name), batch, "{name}");
    }
}

/// One request at a time of -b samples: rate times latency is -b, less what passes between requests.
#[test]
fn a_batch_is_told_by_rate_and_latency() {
    let level = |rate: f64, ms: f64| perf_analyzer::Level {
        concurrency: 1,
        inferences_per_s: rate,
        compute: None,
        parts: None,
        latency: vec![("p50", ms)],
        span: 0..0,
    };
    for (rate, ms, batch) in [
        (160.8, 6.212, Some(1)),
        (900.0, 1.05, Some(1)),
        (1220.0, 6.4, Some(8)),
        (1512.0, 0.174, None),
        (1000.0, 11.3, None),
    ] {
        assert_eq!(batch_of_level(&level(rate, ms)), batch, "{rate}/s, {ms} ms");
    }
}
