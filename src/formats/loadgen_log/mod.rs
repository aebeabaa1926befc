//! LoadGen's logs of a run: `mlperf_log_summary.txt` and `mlperf_log_detail.txt`.
//!
//! Everything that LoadGen states about the run is kept with its place; whether the figures agree
//! is not checked. Source: mlcommons/inference, `loadgen/results.cc`, `logging.cc` and
//! `test_settings_internal.cc`, v0.5 to v5.1.

mod detail;
mod field;
mod summary;

use super::{FAULTS_MAX, Fault, Placed};
use crate::units::SimDuration;
use std::collections::BTreeMap;

/// The names of the files LoadGen writes.
pub const SUMMARY_FILE: &str = "mlperf_log_summary.txt";
/// One JSON object for every event.
pub const DETAIL_FILE: &str = "mlperf_log_detail.txt";

/// LoadGen's test scenarios as its logs name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are LoadGen's")]
pub enum LogScenario {
    SingleStream,
    MultiStream,
    Server,
    Offline,
}

/// The values of one run in a log; nothing where the log does not state them.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct LoadgenLog {
    /// Name of the system under test.
    pub sut: Option<Placed<String>>,
    /// The scenario.
    pub scenario: Option<Placed<LogScenario>>,
    /// The mode, such as `PerformanceOnly`.
    pub mode: Option<Placed<String>>,
    /// The verdict: VALID or not.
    pub valid: Option<Placed<bool>>,
    /// Whether the latency bound was kept.
    pub performance_constraints_met: Option<Placed<bool>>,
    /// Whether the run was long enough.
    pub min_duration_met: Option<Placed<bool>>,
    /// Whether there were enough queries.
    pub min_queries_met: Option<Placed<bool>>,
    /// Whether early stopping allows the verdict (from round v2.0 on).
    pub early_stopping_met: Option<Placed<bool>>,
    /// Server: (n - 1) / last due time, per second.
    pub scheduled_per_s: Option<Placed<f64>>,
    /// Server: (n - 1) / last completion, per second.
    pub completed_per_s: Option<Placed<f64>>,
    /// Offline: samples / makespan, per second.
    pub samples_per_s: Option<Placed<f64>>,
    /// SingleStream: (n - 1) / last issue, per second.
    pub queries_per_s: Option<Placed<f64>>,
    /// SingleStream: 1 / mean latency, per second.
    pub queries_per_s_net: Option<Placed<f64>>,
    /// Latency of samples by the names of the result document: min, mean, p50 ... p999, max.
    pub latency: BTreeMap<&'static str, Placed<SimDuration>>,
    /// The same of queries (MultiStream).
    pub query_latency: BTreeMap<&'static str, Placed<SimDuration>>,
    /// The percentile that is the result of SingleStream or MultiStream, in percent, and its value.
    pub result_latency: Option<(u32, Placed<SimDuration>)>,
    /// Early-stopping estimates by percentile, in percent.
    pub early_stopping_latency: BTreeMap<u32, Placed<SimDuration>>,
    /// Queries issued.
    pub queries: Option<Placed<u64>>,
    /// Queries over the bound.
    pub over_latency: Option<Placed<u64>>,
    /// Samples of a query.
    pub samples_per_query: Option<Placed<u64>>,
    /// The target rate, per second.
    pub target_qps: Option<Placed<f64>>,
    /// The bound; zero where there is none.
    pub target_latency: Option<Placed<SimDuration>>,
    /// Least duration.
    pub min_duration: Option<Placed<SimDuration>>,
    /// Least number of queries.
    pub min_query_count: Option<Placed<u64>>,
    /// Seed of the arrivals.
    pub schedule_seed: Option<Placed<u64>>,
    /// Warnings LoadGen counted.
    pub warnings: Option<Placed<u64>>,
    /// Errors LoadGen counted.
    pub errors: Option<Placed<u64>>,
}

impl LoadgenLog {
    /// Whether slicewise wrote it: then it is not a measurement.
    pub fn is_simulated(&self) -> bool {
        self.sut.as_ref().is_some_and(|sut| sut.value.starts_with("SIMULATED"))
    }
}

/// Reads a log of either kind, or returns all faults.
pub fn read(text: &str) -> Result<LoadgenLog, Vec<Fault>> {
    let mut faults = Vec::new();
    let log = match text.contains(detail::PREFIX) {
        true => detail::parse(text, &mut faults),
        false => summary::parse(text, &mut faults),
    };
    faults.truncate(FAULTS_MAX);
    if faults.is_empty() { Ok(log) } else { Err(faults) }
}
