//! `mlperf_log_detail.txt`: one JSON object for every event behind `:::MLLOG`.
//!
//! Only events about the whole run are read. The text format before v1.0 is not read.

use super::field::{Field, LATENCIES};
use super::{LoadgenLog, Placed};
use crate::formats::{FAULTS_MAX, Fault};
use serde_json::Value;
use std::ops::Range;

/// The text before the JSON of every line.
pub(super) const PREFIX: &str = ":::MLLOG ";

const KEYS: [(&str, Field); 26] = [
    ("sut_name", Field::Sut),
    ("effective_scenario", Field::Scenario),
    ("effective_test_mode", Field::Mode),
    ("result_validity", Field::Valid),
    ("result_perf_constraints_met", Field::PerformanceConstraintsMet),
    ("result_min_duration_met", Field::MinDurationMet),
    ("result_min_queries_met", Field::MinQueriesMet),
    ("early_stopping_met", Field::EarlyStoppingMet),
    ("result_scheduled_samples_per_sec", Field::ScheduledPerS),
    ("result_completed_samples_per_sec", Field::CompletedPerS),
    ("result_samples_per_second", Field::SamplesPerS),
    ("result_qps_with_loadgen_overhead", Field::QueriesPerS),
    ("result_qps_without_loadgen_overhead", Field::QueriesPerSNet),
    ("result_min_latency_ns", Field::Latency("min")),
    ("result_max_latency_ns", Field::Latency("max")),
    ("result_mean_latency_ns", Field::Latency("mean")),
    ("result_query_count", Field::Queries),
    ("result_overlatency_query_count", Field::OverLatency),
    ("effective_samples_per_query", Field::SamplesPerQuery),
    ("effective_target_qps", Field::TargetQps),
    ("effective_target_latency_ns", Field::TargetLatency),
    ("effective_min_duration_ms", Field::MinDuration),
    ("effective_min_query_count", Field::MinQueryCount),
    ("effective_schedule_rng_seed", Field::ScheduleSeed),
    ("early_stopping_latency_ss", Field::EarlyStoppingLatency(90)),
    ("early_stopping_latency_ms", Field::EarlyStoppingLatency(99)),
];

/// No event is longer: LoadGen's have a few hundred bytes.
const EVENT_MAX: usize = 1 << 20;

/// Reads a detailed log.
pub(super) fn parse(text: &str, faults: &mut Vec<Fault>) -> LoadgenLog {
    let mut log = LoadgenLog::default();
    let (mut at, mut warnings, mut errors, mut last) = (0, 0, 0, 0..0);
    for line in text.split_inclusive('\n') {
        if faults.len() >= FAULTS_MAX {
            break;
        }
        let start = at;
        at += line.len();
        let Some((before, json)) = line.split_once(PREFIX) else { continue };
        let start = start + before.len() + PREFIX.len();
        let json = json.trim_end();
        last = start..start + 1;
        if json.len() > EVENT_MAX {
            faults.push(Fault::at(
                last.clone(),
                "an event of more than 1 MiB does not come from LoadGen",
            ));
            continue;
        }
        let event: Value = match serde_json::from_str(json) {
            Ok(event) => event,
            Err(error) => {
                let column = error.column().saturating_sub(1).min(json.len());
                let title = format!("not a JSON object of LoadGen: {}", reason(&error));
                let fault = Fault::at(start + column..start + column, title);
                faults.push(fault.help("the log may have been cut short"));
                continue;
            }
        };
        let flag = |name: &str| event["metadata"][name].as_bool() == Some(true);
        warnings += u64::from(flag("is_warning"));
        errors += u64::from(flag("is_error"));
        let Some(field) = event["key"].as_str().and_then(field) else { continue };
        let silent = matches!(field, Field::EarlyStoppingLatency(_)) && event["value"] == 0;
        if silent {
            continue; // LoadGen's default, where the run was too short for an estimate.
        }
        let span = value_span(json, &event["value"]);
        let span = start + span.start..start + span.end;
        log.set(field, &words(&event["value"]), span, faults);
    }
    log.warnings = Some(Placed { value: warnings, span: last.clone() });
    log.errors = Some(Placed { value: errors, span: last.clone() });
    // Settings are logged before the run: without a result it is no log of one.
    if (log.scenario.is_none() || log.valid.is_none()) && faults.is_empty() {
        let lacks = if log.scenario.is_none() { "effective_scenario" } else { "result_validity" };
        let fault = Fault::at(last, format!("the log has no key \"{lacks}\""));
        faults.push(fault.help("it may have been cut short, or the run was aborted"));
    }
    log
}

/// The field of a key.
fn field(key: &str) -> Option<Field> {
    if let Some((_, field)) = KEYS.iter().find(|(known, _)| *known == key) {
        return Some(*field);
    }
    let (name, per_query) = match key.strip_prefix("result_")? {
        rest if rest.ends_with("_query_latency_ns") => {
            let rest = rest.strip_suffix("_query_latency_ns")?;
            (rest.strip_suffix("_percentile_per").unwrap_or(rest), true)
        }
        rest => (rest.strip_suffix("_percentile_latency_ns")?, false),
    };
    let known = LATENCIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, name)| if per_query { Field::QueryLatency(name) } else { Field::Latency(name) })
}

/// A value as the summary would write it.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "Yes".to_string(),
        Value::Bool(false) => "NO".to_string(),
        other => other.to_string(),
    }
}

/// Where the value stands in its line: behind `"value":`, or the whole line.
fn value_span(json: &str, value: &Value) -> Range<usize> {
    let Some((before, after)) = json.split_once("\"value\":") else { return 0..json.len() };
    let start = json.len() - after.trim_start().len();
    let written = value.to_string();
    let end = start + if json[start..].starts_with(&written) { written.len() } else { 1 };
    debug_assert!(start >= before.len());
    start..end.min(json.len())
}

/// serde's reason without the place, which is shown.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_string()
}
