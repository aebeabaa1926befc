//! `tail`: what makes the slow queries slow: the run again with queries at equal gaps, and with
//! equal work.

use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::trials::What;
use super::super::words::{ns, times};
use crate::platform::Outcome;
use crate::spec::{TestScenario, VmId};

/// A tail shorter than so many medians needs no cause.
const LONG: f64 = 1.5;
/// A cause that takes away less of the tail is none.
const PART: f64 = 0.2;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.groups.iter().filter_map(|group| {
        let vm = seen.worst(group);
        if seen.vm(vm).load.scenario != TestScenario::Server {
            return None;
        }
        let percentile = seen.vm(vm).load.settings.percentile / 100.0;
        let at = |outcome: &Outcome, quantile: f64| of(outcome, vm, quantile);
        let [median, slow] = [0.5, percentile].map(|one| at(&seen.trials.before, one));
        if median <= 0.0 || slow < LONG * median {
            return None;
        }
        let causes = seen.trials.tried.iter().filter_map(|trial| {
            let why = match trial.what {
                What::EqualGaps => "queries that come at random and not at equal gaps",
                What::EqualWork => "work that varies from query to query",
                _ => return None,
            };
            Some((why, at(trial.outcome.as_ref()?, percentile)))
        });
        let (why, without) = causes.min_by(|one, other| one.1.total_cmp(&other.1))?;
        let part = (slow - without) / (slow - median);
        let p = format!("p{}", super::super::words::three(percentile * 100.0));
        if part < PART {
            return None;
        }
        let of = match seen.recorder(vm).unanswered() {
            0 => "",
            _ => " of the queries that were answered",
        };
        let text = format!(
            "{p}{of} is {} the median ({} and {}), most of all by {why}: without that it would be {}.",
            times(slow / median),
            ns(slow),
            ns(median),
            ns(without)
        );
        let said = Said::new(seen.about(group), text)
            .with("median_ms", median / 1e6)
            .with("latency_percentile_ms", slow / 1e6)
            .with("without_ms", without / 1e6);
        Some(said)
    });
    said.collect()
}

/// A quantile of a VM's latency in an outcome, in nanoseconds.
fn of(outcome: &Outcome, vm: VmId, quantile: f64) -> f64 {
    let latencies = outcome.vms[usize::from(vm.0)].recorder.query_latencies();
    latencies.quantile(quantile).map_or(0.0, |found| found.as_nanos_f64())
}
