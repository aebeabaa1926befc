//! Latency against the factor on work: simulated where it is wanted, interpolated between.
//!
//! It is how a factor is found that makes a percentile equal to the measured one.

use super::case::Case;
use super::numbers::ServiceNumbers;
use crate::platform::simulate;
use crate::spec::Experiment;
use crate::study::figures::{LatencyMs, completed_per_s, latency_ms};
use std::collections::BTreeMap;

/// What one simulation says of latency, in milliseconds, by the names of the result document.
pub(super) type Figures = BTreeMap<&'static str, f64>;

/// Where factors are looked for.
const RANGE: (f64, f64) = (0.5, 2.0);

/// Figures by rising factor on work.
#[derive(Debug, Default)]
pub(super) struct Curve {
    points: Vec<(f64, Figures)>,
}

/// Simulates a case, and takes its latencies.
pub(super) fn figures(case: &Case<'_>, numbers: &ServiceNumbers, queries: u64) -> (Figures, f64) {
    figures_of(&case.experiment(numbers, 1.0, queries))
}

/// The latencies of an experiment, and how many queries it completes a second.
pub(super) fn figures_of(experiment: &Experiment) -> (Figures, f64) {
    let outcome = simulate(experiment);
    let recorder = &outcome.vms[0].recorder;
    let latency = latency_ms(recorder.latencies());
    let figures =
        LatencyMs::NAMES.map(|name| (name, latency.get(name).expect("it is one of them")));
    (figures.into(), completed_per_s(&experiment.vms[0], recorder))
}

impl Curve {
    /// The curve of a case about the factors at which p99 and p50 are the measured ones.
    pub(super) fn trace(case: &Case<'_>, numbers: &ServiceNumbers, queries: u64) -> Self {
        let mut curve = Self::default();
        let mut start = 1.0;
        for name in ["p99", "p50"] {
            let wanted = case.run.latency[name].as_millis_f64();
            start = curve.bracket(case, numbers, queries, name, wanted, start);
        }
        curve
    }

    /// Simulates until the factor for one figure lies between two points within half a percent.
    fn bracket(
        &mut self,
        case: &Case<'_>,
        numbers: &ServiceNumbers,
        queries: u64,
        name: &'static str,
        wanted: f64,
        start: f64,
    ) -> f64 {
        /// How close the two points are in the end.
        const CLOSE: f64 = 1.005;
        let mut step = 1.03;
        let mut next = start;
        for _ in 0..24 {
            if !self.points.iter().any(|&(kappa, _)| kappa == next) {
                let found = figures(case, &numbers.at(next), queries).0;
                let at = self.points.partition_point(|&(kappa, _)| kappa < next);
                self.points.insert(at, (next, found));
            }
            let below = self.points.iter().rev().find(|(_, figures)| figures[name] <= wanted);
            let above = self.points.iter().find(|(_, figures)| figures[name] > wanted);
            next = match (below, above) {
                (Some((low, _)), Some((high, _))) if high / low <= CLOSE => return *low,
                (Some((low, _)), Some((high, _))) => (low * high).sqrt(),
                (Some((low, _)), None) => low * step,
                (None, Some((high, _))) => high / step,
                (None, None) => unreachable!("a point was just made"),
            };
            step *= step;
            if !(RANGE.0..=RANGE.1).contains(&next) {
                break;
            }
        }
        start
    }

    /// The factor on work at which a figure is `wanted`; nothing outside what was simulated.
    pub(super) fn factor(&self, name: &str, wanted: f64) -> Option<f64> {
        let after = self.points.iter().position(|(_, figures)| figures[name] > wanted)?;
        let (before, after) = (self.points.get(after.checked_sub(1)?)?, &self.points[after]);
        let part = (wanted / before.1[name]).ln() / (after.1[name] / before.1[name]).ln();
        Some(before.0 * (after.0 / before.0).powf(part))
    }

    /// A figure at a factor on work, by its neighbours; beyond the ends, at the end.
    pub(super) fn at(&self, name: &str, kappa: f64) -> f64 {
        let after = self.points.partition_point(|&(at, _)| at < kappa);
        let (Some(high), Some(low)) = (self.points.get(after), after.checked_sub(1)) else {
            let end = if after == 0 { self.points.first() } else { self.points.last() };
            return end.map_or(f64::NAN, |(_, figures)| figures[name]);
        };
        let low = &self.points[low];
        let part = (kappa / low.0).ln() / (high.0 / low.0).ln();
        low.1[name] * (high.1[name] / low.1[name]).powf(part)
    }
}
