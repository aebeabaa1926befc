//! LoadGen's verdict: VALID, or the rules that a run failed.
//!
//! Rules as of round v1.1 (mlcommons/inference, `loadgen/results.cc`). It counts nothing itself.

use crate::spec::{LoadSpec, TestScenario};
use crate::units::SimDuration;

/// What of a run the verdict looks at.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Queries completed.
    pub queries: u64,
    /// Queries whose latency exceeds the bound.
    pub over_latency: u64,
    /// From the start of the load to the last query's due time.
    pub scheduled: SimDuration,
    /// From the start of the load to the last completion.
    pub taken: SimDuration,
}

/// The rules that the run failed, in LoadGen's order; none means VALID.
pub fn failed_rules(load: &LoadSpec, observed: Observed) -> Vec<String> {
    let settings = &load.settings;
    let mut failed = Vec::new();
    let late = observed.over_latency as f64 / observed.queries.max(1) as f64;
    if load.scenario == TestScenario::Server && late > 1.0 - settings.percentile / 100.0 {
        let bound = settings.target_latency;
        failed.push(format!(
            "{:.2} % of queries over {bound} ({} % allowed)",
            late * 100.0,
            round_percent(100.0 - settings.percentile)
        ));
    }
    // Server is judged by its schedule, the others by what they took.
    let duration = match load.scenario {
        TestScenario::Server => observed.scheduled,
        _ => observed.taken,
    };
    if duration < settings.min_duration {
        failed.push(format!("ran {} of {} at least", rounded(duration), settings.min_duration));
    }
    if observed.queries < settings.min_query_count {
        failed
            .push(format!("{} of {} queries at least", observed.queries, settings.min_query_count));
    }
    failed
}

/// A span to whole milliseconds, for reading.
fn rounded(span: SimDuration) -> SimDuration {
    SimDuration::from_millis(span.as_nanos() / 1_000_000)
}

/// A percentage without the noise of binary fractions.
fn round_percent(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e6
}
