//! Memory does not grow with the number of queries: what a run asks the allocator for is the same, however
//! long it is. A binary of its own, since every allocation in it is counted.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::simulate;
use slicewise::spec::Experiment;
use slicewise::units::SimDuration;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Cases of the bench: a queue, turns with CPU work and copies, batches on MIG.
const CASES: [&str; 3] = ["m-d-1", "turns-and-host", "mig"];

fn experiment(case: &str) -> Experiment {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("benches/cases/{case}.toml"));
    let mut scenario = load(&path, &options).unwrap();
    scenario.pairs.remove(0).virtual_run.experiment
}

/// How many queries a run of this length answers, and the bytes that it asks for in all, given back or not.
fn asked_for(experiment: &Experiment, length: SimDuration) -> (u64, usize) {
    let mut experiment = experiment.clone();
    for vm in &mut experiment.vms {
        vm.load.settings.min_duration = length;
        vm.load.settings.min_query_count = 1;
    }
    let region = Region::new(ALLOCATOR);
    let outcome = simulate(&experiment);
    let asked = region.change();
    let answered = outcome.vms.iter().map(|vm| vm.recorder.answered()).sum();
    // A list that grows is counted by what it gains.
    (answered, asked.bytes_allocated + asked.bytes_reallocated.max(0) as usize)
}

#[test]
fn a_run_twenty_times_as_long_asks_for_no_more_memory() {
    for case in CASES {
        let experiment = experiment(case);
        let (few, short) = asked_for(&experiment, SimDuration::from_secs(4));
        let (many, long) = asked_for(&experiment, SimDuration::from_secs(80));
        assert!(few > 1000 && many > 15 * few, "{case}: {few} and {many} queries");
        // Rarer latencies are longer, and longer queues: a few cells and places more.
        let most = short + short / 4;
        assert!(long <= most, "{case}: {short} bytes for {few} queries, {long} for {many}");
    }
}
