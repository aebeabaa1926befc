//! The fields that both logs have: parses a value's text and stores it, or reports a fault.
//!
//! The names of fields differ between the logs and are defined there.

use super::{LoadgenLog, LogScenario, Placed};
use crate::formats::Fault;
use crate::suggest::{nearest, quoted};
use crate::units::SimDuration;
use std::ops::Range;

/// A field of a log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Field {
    Sut,
    Scenario,
    Mode,
    Valid,
    PerformanceConstraintsMet,
    MinDurationMet,
    MinQueriesMet,
    EarlyStoppingMet,
    ScheduledPerS,
    CompletedPerS,
    SamplesPerS,
    QueriesPerS,
    QueriesPerSNet,
    Latency(&'static str),
    QueryLatency(&'static str),
    ResultLatency(u32),
    EarlyStoppingLatency(u32),
    Queries,
    OverLatency,
    SamplesPerQuery,
    TargetQps,
    TargetLatency,
    MinDuration,
    MinQueryCount,
    ScheduleSeed,
    Warnings,
    Errors,
}

const SCENARIOS: [(&str, LogScenario); 4] = [
    ("SingleStream", LogScenario::SingleStream),
    ("MultiStream", LogScenario::MultiStream),
    ("Server", LogScenario::Server),
    ("Offline", LogScenario::Offline),
];

/// The names of latencies in the result document, by LoadGen's names.
pub(super) const LATENCIES: [(&str, &str); 9] = [
    ("Min", "min"),
    ("Max", "max"),
    ("Mean", "mean"),
    ("50.00", "p50"),
    ("90.00", "p90"),
    ("95.00", "p95"),
    ("97.00", "p97"),
    ("99.00", "p99"),
    ("99.90", "p999"),
];

/// Longest span a log may speak of: 31 years, so that no sum of two overflows.
const NANOS_MAX: f64 = 1e18;

impl LoadgenLog {
    /// Parses the text of a field and stores it.
    pub(super) fn set(
        &mut self,
        field: Field,
        text: &str,
        span: Range<usize>,
        faults: &mut Vec<Fault>,
    ) {
        let mut value = Text { text, span, faults };
        match field {
            Field::Sut => self.sut = Some(value.placed(text.to_string())),
            Field::Mode => self.mode = Some(value.placed(text.to_string())),
            Field::Scenario => self.scenario = value.word("scenario", &SCENARIOS),
            Field::Valid => {
                self.valid = value.word("verdict", &[("VALID", true), ("INVALID", false)]);
            }
            Field::PerformanceConstraintsMet => self.performance_constraints_met = value.yes_no(),
            Field::MinDurationMet => self.min_duration_met = value.yes_no(),
            Field::MinQueriesMet => self.min_queries_met = value.yes_no(),
            Field::EarlyStoppingMet => self.early_stopping_met = value.yes_no(),
            Field::ScheduledPerS => self.scheduled_per_s = value.number("per second"),
            Field::CompletedPerS => self.completed_per_s = value.number("per second"),
            Field::SamplesPerS => self.samples_per_s = value.number("per second"),
            Field::QueriesPerS => self.queries_per_s = value.number("per second"),
            Field::QueriesPerSNet => self.queries_per_s_net = value.number("per second"),
            Field::TargetQps => self.target_qps = value.number("per second"),
            Field::Latency(name) => {
                value.nanos().map(|found| self.latency.insert(name, found));
            }
            Field::QueryLatency(name) => {
                value.nanos().map(|found| self.query_latency.insert(name, found));
            }
            Field::ResultLatency(percent) => {
                self.result_latency = value.nanos().map(|found| (percent, found));
            }
            Field::EarlyStoppingLatency(percent) => {
                value.nanos().map(|found| self.early_stopping_latency.insert(percent, found));
            }
            Field::TargetLatency => self.target_latency = value.nanos(),
            Field::MinDuration => self.min_duration = value.millis(),
            Field::Queries => self.queries = value.count(),
            Field::OverLatency => self.over_latency = value.count(),
            Field::SamplesPerQuery => self.samples_per_query = value.count(),
            Field::MinQueryCount => self.min_query_count = value.count(),
            Field::ScheduleSeed => self.schedule_seed = value.count(),
            Field::Warnings => self.warnings = value.count(),
            Field::Errors => self.errors = value.count(),
        }
    }

    /// The values of this log, completed by those of the other.
    pub fn or(self, other: Self) -> Self {
        let mut latency = other.latency;
        latency.extend(self.latency);
        let mut query_latency = other.query_latency;
        query_latency.extend(self.query_latency);
        let mut early_stopping_latency = other.early_stopping_latency;
        early_stopping_latency.extend(self.early_stopping_latency);
        Self {
            sut: self.sut.or(other.sut),
            scenario: self.scenario.or(other.scenario),
            mode: self.mode.or(other.mode),
            valid: self.valid.or(other.valid),
            performance_constraints_met: self
                .performance_constraints_met
                .or(other.performance_constraints_met),
            min_duration_met: self.min_duration_met.or(other.min_duration_met),
            min_queries_met: self.min_queries_met.or(other.min_queries_met),
            early_stopping_met: self.early_stopping_met.or(other.early_stopping_met),
            scheduled_per_s: self.scheduled_per_s.or(other.scheduled_per_s),
            completed_per_s: self.completed_per_s.or(other.completed_per_s),
            samples_per_s: self.samples_per_s.or(other.samples_per_s),
            queries_per_s: self.queries_per_s.or(other.queries_per_s),
            queries_per_s_net: self.queries_per_s_net.or(other.queries_per_s_net),
            latency,
            query_latency,
            result_latency: self.result_latency.or(other.result_latency),
            early_stopping_latency,
            queries: self.queries.or(other.queries),
            over_latency: self.over_latency.or(other.over_latency),
            samples_per_query: self.samples_per_query.or(other.samples_per_query),
            target_qps: self.target_qps.or(other.target_qps),
            target_latency: self.target_latency.or(other.target_latency),
            min_duration: self.min_duration.or(other.min_duration),
            min_query_count: self.min_query_count.or(other.min_query_count),
            schedule_seed: self.schedule_seed.or(other.schedule_seed),
            warnings: self.warnings.or(other.warnings),
            errors: self.errors.or(other.errors),
        }
    }
}

/// The text of a value under inspection.
struct Text<'a> {
    text: &'a str,
    span: Range<usize>,
    faults: &'a mut Vec<Fault>,
}

impl Text<'_> {
    fn placed<T>(&self, value: T) -> Placed<T> {
        Placed { value, span: self.span.clone() }
    }

    /// Reports what the text should have been.
    fn expected<T>(&mut self, what: &str) -> Option<T> {
        let title = format!("{} is not {what}", quoted(self.text));
        self.faults.push(Fault::at(self.span.clone(), title).allowed("0 or more"));
        None
    }

    fn word<T: Copy>(&mut self, what: &str, words: &[(&str, T)]) -> Option<Placed<T>> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == self.text) {
            return Some(self.placed(*value));
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let title = format!("unknown {what} {}", quoted(self.text));
        let fault = Fault::at(self.span.clone(), title).allowed(known.join(", "));
        self.faults.push(fault.did_you_mean(nearest(self.text, &known)));
        None
    }

    /// `Yes`, `NO`, or `Skipped`, which is nothing.
    fn yes_no(&mut self) -> Option<Placed<bool>> {
        let words = [("Yes", Some(true)), ("NO", Some(false)), ("Skipped", None)];
        let found = self.word("answer", &words)?;
        Some(Placed { value: found.value?, span: found.span })
    }

    fn number(&mut self, unit: &str) -> Option<Placed<f64>> {
        let number = self.text.parse::<f64>().ok();
        match number.filter(|number| number.is_finite() && *number >= 0.0) {
            Some(number) => Some(self.placed(number)),
            None => self.expected(&format!("a number {unit}")),
        }
    }

    fn count(&mut self) -> Option<Placed<u64>> {
        match self.text.parse::<u64>() {
            Ok(count) => Some(self.placed(count)),
            Err(_) => self.expected("a whole number"),
        }
    }

    fn nanos(&mut self) -> Option<Placed<SimDuration>> {
        self.span(1.0, "nanoseconds")
    }

    fn millis(&mut self) -> Option<Placed<SimDuration>> {
        self.span(1e6, "milliseconds")
    }

    fn span(&mut self, nanos: f64, unit: &str) -> Option<Placed<SimDuration>> {
        let number = self.text.parse::<f64>().ok().map(|number| number * nanos);
        match number.filter(|number| (0.0..=NANOS_MAX).contains(number)) {
            // Whole nanoseconds keep all their digits.
            Some(number) => Some(self.placed(match self.text.parse::<u64>() {
                Ok(whole) if nanos == 1.0 => SimDuration::from_nanos(whole),
                _ => SimDuration::from_nanos_f64(number),
            })),
            None => self.expected(&format!("a number of {unit}")),
        }
    }
}
