//! The one figure by which a VM is better or worse: the latency it is judged by, or its rate; and that
//! figure before and after a change.
//!
//! Queries without an answer are the latest of all. Where there are more of them than the percentile
//! leaves, that latency has no end, and the part of the queries within the bound is compared.

use super::words::{ns, percent, rate, three};
use crate::platform::Outcome;
use crate::spec::{Experiment, TestScenario, VmId};
use crate::study::figures::completed_per_s;

/// The figure of a VM.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Measure {
    /// The latency at the percentile, in nanoseconds, infinite where too many queries have no answer;
    /// and the part of the queries within the bound.
    Latency { nanos: f64, percentile: Percentile, within: f64 },
    /// Samples per second: more is better.
    Rate(f64),
}

/// A percentile, in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Percentile(f64);

impl std::fmt::Display for Percentile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{}", three(self.0))
    }
}

/// A figure before and after a change.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Compared {
    /// Latencies in nanoseconds: less is better.
    Latency([f64; 2], Percentile),
    /// Parts of the queries that are answered within the bound: more is better.
    Within([f64; 2]),
    /// Samples per second: more is better.
    Rate([f64; 2]),
}

impl Measure {
    /// Whether it keeps a bound in nanoseconds; a rate keeps any.
    pub(super) fn keeps(self, bound: f64) -> bool {
        match self {
            Measure::Latency { nanos, .. } => nanos <= bound,
            Measure::Rate(_) => true,
        }
    }

    /// The figure by which it and what comes after it are compared.
    pub(super) fn beside(self, after: Measure) -> Compared {
        let least = |value: f64| value.max(1e-9);
        match (self, after) {
            (
                Measure::Latency { nanos: one, percentile, within: some },
                Measure::Latency { nanos: other, within: others, .. },
            ) => match one.is_finite() && other.is_finite() {
                true => Compared::Latency([least(one), least(other)], percentile),
                false => Compared::Within([some, others]),
            },
            (Measure::Rate(one), Measure::Rate(other)) => Compared::Rate([least(one), other]),
            // One VM has one kind of load.
            _ => Compared::Rate([1.0; 2]),
        }
    }

    /// How much better `after` is: 2 for half the latency, half the late queries, or twice the rate.
    pub(super) fn gain(self, after: Measure) -> f64 {
        match self.beside(after) {
            Compared::Latency([before, after], _) => before / after,
            Compared::Within(parts) => {
                let [before, after] = parts.map(|part| (1.0 - part).max(1e-9));
                before / after
            }
            Compared::Rate([before, after]) => after / before,
        }
    }
}

impl Compared {
    /// Before and after, in the unit of [`Self::names`].
    pub(super) fn values(self) -> [f64; 2] {
        match self {
            Compared::Latency(values, _) => values.map(|nanos| nanos / 1e6),
            Compared::Within(values) | Compared::Rate(values) => values,
        }
    }

    /// The names of these two.
    pub(super) fn names(self) -> [&'static str; 2] {
        match self {
            Compared::Latency(..) => ["before_ms", "after_ms"],
            Compared::Within(_) => ["before_within_bound_share", "after_within_bound_share"],
            Compared::Rate(_) => ["before_per_s", "after_per_s"],
        }
    }

    /// Before and after, in words.
    pub(super) fn in_words(self) -> [String; 2] {
        match self {
            Compared::Latency(values, _) => values.map(ns),
            Compared::Within(values) => values.map(percent),
            Compared::Rate(values) => values.map(rate),
        }
    }

    /// What it is of a VM.
    pub(super) fn of(self, vm: &str) -> String {
        match self {
            Compared::Latency(_, p) => format!("{p} of {vm}"),
            Compared::Within(_) => format!("the part of the queries of {vm} within the bound"),
            Compared::Rate(_) => format!("the rate of {vm}"),
        }
    }

    /// By how much it rises, as a part of what it was.
    pub(super) fn rise(self) -> f64 {
        let [before, after] = self.values();
        after / before.max(1e-15) - 1.0
    }
}

/// The figure of a VM in an outcome; nothing where no query was made.
pub(super) fn measure(experiment: &Experiment, outcome: &Outcome, id: VmId) -> Option<Measure> {
    let vm = &experiment.vms[usize::from(id.0)];
    let recorder = &outcome.vms[usize::from(id.0)].recorder;
    if recorder.answered() == 0 {
        return None;
    }
    Some(match vm.load.scenario {
        TestScenario::Offline | TestScenario::ClosedLoop { .. } => {
            Measure::Rate(completed_per_s(vm, recorder))
        }
        _ => {
            let percentile = vm.load.settings.percentile;
            let found = recorder.quantile_of_all(percentile / 100.0);
            Measure::Latency {
                nanos: found.map_or(f64::INFINITY, |found| found.as_nanos_f64()),
                percentile: Percentile(percentile),
                within: 1.0 - recorder.late_share(),
            }
        }
    })
}
