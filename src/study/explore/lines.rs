//! Distributions of latency as lines over percentiles.

use super::theory::Law;
use crate::platform::Outcome;
use crate::queueing::stats::LatencyHistogram;
use crate::spec::{Experiment, TestScenario};

/// What a line is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// VMs of the run that is asked about.
    Vm,
    /// The same load on bare metal.
    Bare,
    /// Queueing theory.
    Theory,
}

/// The latency at each of [`nines`], in milliseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct PercentileLine {
    /// Whose latency.
    pub name: String,
    /// What it is of.
    pub kind: LineKind,
    /// Nothing where too few queries lie beyond the percentile.
    pub ms: Vec<Option<f64>>,
}

/// So many queries beyond a percentile are the least that say where it is.
const BEYOND: f64 = 5.0;

/// Groups with a line of their own; the others share one.
const GROUPS: usize = 8;

/// The percentiles of a line, as -log10 of the part of queries beyond: 1 is p90, 2 is p99, to p99.99.
pub fn nines() -> Vec<f64> {
    (0..=80).map(|step| f64::from(step) * 0.05).collect()
}

/// A line for each group of VMs of a run.
pub(super) fn of_groups(experiment: &Experiment, outcome: &Outcome) -> Vec<PercentileLine> {
    let mut groups: Vec<(String, usize, LatencyHistogram)> = Vec::new();
    for (vm, of) in experiment.vms.iter().zip(&outcome.vms).filter(|(vm, _)| !vm.load.is_idle()) {
        let known = groups.iter().position(|(name, ..)| *name == vm.group);
        let place = known.unwrap_or_else(|| {
            let room = groups.len() < GROUPS;
            let name = if room { vm.group.clone() } else { "the others".to_string() };
            if room || groups.len() == GROUPS {
                groups.push((name, 0, LatencyHistogram::new()));
            }
            groups.len() - 1
        });
        groups[place].1 += 1;
        groups[place].2.merge(of.recorder.latencies());
    }
    let line = |(name, count, latencies): (String, usize, LatencyHistogram)| {
        let name = if count > 1 { format!("{name} ({count} VMs)") } else { name };
        PercentileLine { name, kind: LineKind::Vm, ms: milliseconds(&latencies) }
    };
    groups.into_iter().map(line).collect()
}

/// The line of all of a run together.
pub(super) fn of_all(name: String, outcome: &Outcome) -> PercentileLine {
    let mut all = LatencyHistogram::new();
    outcome.vms.iter().for_each(|vm| all.merge(vm.recorder.latencies()));
    PercentileLine { name, kind: LineKind::Bare, ms: milliseconds(&all) }
}

/// The line of a law, where it knows percentiles.
pub(super) fn of_law(law: &Law, experiment: &Experiment) -> Option<PercentileLine> {
    let vm = experiment.vms.iter().find(|vm| vm.load.scenario == TestScenario::Server)?;
    let rate = vm.load.settings.target_qps;
    let ms: Vec<Option<f64>> =
        nines().iter().map(|nines| law.quantile_ms(rate, 10f64.powf(-nines))).collect();
    let name = law.name().to_string();
    ms.iter().any(Option::is_some).then_some(PercentileLine { name, kind: LineKind::Theory, ms })
}

fn milliseconds(latencies: &LatencyHistogram) -> Vec<Option<f64>> {
    let count = latencies.count() as f64;
    let at = |nines: f64| {
        let beyond = 10f64.powf(-nines);
        // Nobody is below the least.
        let quantile = latencies.quantile(1.0 - beyond).filter(|_| beyond * count >= BEYOND);
        quantile.map(|time| time.as_millis_f64())
    };
    nines().into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimDuration;

    /// 1 to 1000 ms, each once: p90 is 900 ms; ten lie beyond p99, and only one beyond p99.9.
    #[test]
    fn a_line_ends_where_too_few_queries_lie_beyond() {
        let mut latencies = LatencyHistogram::new();
        (1..=1000).for_each(|ms| latencies.record(SimDuration::from_millis(ms)));
        let line = milliseconds(&latencies);
        let at = |nines: f64| line[(nines / 0.05).round() as usize];
        assert!((at(1.0).unwrap() / 900.0 - 1.0).abs() < 2e-3);
        assert!((at(2.0).unwrap() / 990.0 - 1.0).abs() < 2e-3);
        assert_eq!(at(0.0), Some(1.0));
        assert_eq!(at(3.0), None);
    }
}
