//! The slow twin of the capacity search: it looks at every rate at full length, and must agree.

use crate::searches::{SEARCH, is_valid, millis};
use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::spec::*;
use slicewise::study::{self, Limit};

/// Neighbouring rates of the twin.
const RATIO: f64 = 1.02;

/// The search promises to miss nothing that is wider than a step of its own grid: 2^(1/16) from half
/// of what the card can do on, 2^(1/4) below. So many neighbours of the twin surely hold a place of
/// the grid: 1.02^3 = 1.061 > 1.044 and 1.02^9 = 1.195 > 1.189.
const FINE: usize = 4;
const COARSE: usize = 10;

/// Runs of the least are as short as looks; before those of the most come some that are shorter.
const COUNTS: &[u64] = &[500, 500, 6_000];

/// Every rate from the lowest to the highest, and whether it is VALID.
fn every_rate(experiment: &Experiment, [low, high]: [f64; 2]) -> Vec<(f64, bool)> {
    let asked = study::asked_per_s(experiment);
    let rates = std::iter::successors(Some(low), |rate| Some(rate * RATIO));
    let rates = rates.take_while(|rate| *rate <= high);
    rates.map(|rate| (rate, is_valid(experiment, rate / asked))).collect()
}

/// A small random system: one VM, a rule for batches, a timeout or none, a bound.
fn system() -> impl Strategy<Value = Experiment> {
    let server = (1..=12_u32, any::<bool>(), prop::option::of(1..150_u64), 1..=2_u32);
    let load = (1..=9_u64, 8..120_u64, any::<bool>(), 1..4_u64, prop::sample::select(COUNTS));
    (server, load).prop_map(
        |((batch, full, timeout, slots), (work, bound, poisson, seed, count))| {
            let mut experiment = queue(1, 100.0, millis(work), SizeDistribution::Fixed, 5);
            experiment.seed = seed;
            let vm = &mut experiment.vms[0];
            vm.server.batch_max = batch;
            (vm.server.slots, vm.server.streams) = (slots, slots);
            vm.server.batch_rule = if full { BatchRule::Full } else { BatchRule::Available };
            vm.server.timeout = timeout.map(millis);
            vm.load.arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            vm.load.settings.target_latency = millis(bound);
            vm.load.settings.min_query_count = count;
            experiment
        },
    )
}

/// VALID rates of the twin side by side, above what was found, that the search ought to have seen.
fn missed(found: &Limit, every: &[(f64, bool)], saturation: f64) -> Option<[f64; 2]> {
    let above = every.iter().filter(|(rate, _)| *rate > found.rate);
    let above: Vec<(f64, bool)> = above.copied().collect();
    let runs = above.chunk_by(|one, other| one.1 == other.1).filter(|run| run[0].1);
    let wide = runs.map(|run| (run[0].0, run[run.len() - 1].0, run.len()));
    wide.filter(|(first, _, count)| *count >= if *first > 0.6 * saturation { FINE } else { COARSE })
        .map(|(first, last, _)| [first, last])
        .next()
}

proptest! {
    #![proptest_config(cases(24))]

    /// The search agrees with looking at every rate, whatever the file states.
    #[test]
    fn a_search_finds_what_looking_at_every_rate_finds(
        experiment in system(), other in -3.0..5.0_f64
    ) {
        let found = study::limit(&experiment, SEARCH);
        let looked = found.looked.as_ref().unwrap();
        let asked = study::asked_per_s(&experiment);
        if found.rate > 0.0 {
            prop_assert!(is_valid(&experiment, found.rate / asked), "{found:?}");
        }
        let (lowest, highest) = (looked.lowest.rate_per_s, looked.highest.rate_per_s);
        let every = every_rate(&experiment, [lowest, highest]);
        let missed = missed(&found, &every, looked.saturation_per_s);
        prop_assert_eq!(missed, None, "{:?}", found);
        let mut elsewhere = experiment.clone();
        elsewhere.vms[0].load.settings.target_qps = 10_f64.powf(other);
        prop_assert_eq!(study::limit(&elsewhere, SEARCH), found);
    }
}
