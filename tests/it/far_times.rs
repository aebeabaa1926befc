//! Times past 2^63 ns, in the second half of the clock's 584 years: nothing wraps. A file cannot lead so far:
//! it may ask for 366 days at most (`tests/bad/time-of-all-arrivals.toml`).

use crate::support::queue;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{Outcome, simulate};
use slicewise::spec::{Experiment, SizeDistribution};
use slicewise::units::{SimDuration, SimTime};
use std::path::Path;

fn at(experiment: &Experiment, start: SimTime) -> Outcome {
    let mut experiment = experiment.clone();
    experiment.vms.iter_mut().for_each(|vm| vm.power_on = start);
    simulate(&experiment)
}

fn answered(outcome: &Outcome) -> Vec<u64> {
    outcome.vms.iter().map(|vm| vm.recorder.answered()).collect()
}

/// A queue that is at work 0.8 of the time, and VMs in turns with CPU work, submission delay and copies.
fn experiments() -> [Experiment; 2] {
    let sizes = SizeDistribution::LogNormal { sigma: 0.5 };
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let file = Path::new("benches/cases/turns-and-host.toml");
    let mut turns = load(file, &options).unwrap().pairs.remove(0).virtual_run.experiment;
    for vm in &mut turns.vms {
        vm.load.settings.min_duration = SimDuration::from_millis(500);
        vm.load.settings.min_query_count = 1;
    }
    [queue(2, 800.0, SimDuration::from_millis(2), sizes, 2), turns]
}

/// Nothing depends on the hour: the same latencies in 1970 and, 2^63 ns later, in 2262.
#[test]
fn a_run_292_years_later_is_the_same() {
    for experiment in experiments() {
        let [near, far] = [1, 1 << 63].map(|start| at(&experiment, SimTime::from_nanos(start)));
        assert!(answered(&near).iter().all(|&count| count > 10));
        for (near, far) in near.vms.iter().zip(&far.vms) {
            let latencies =
                |of: &slicewise::platform::VmOutcome| format!("{:?}", of.recorder.latencies());
            assert!(latencies(near) == latencies(far));
            assert_eq!(near.failed_rules, far.failed_rules);
        }
    }
}
