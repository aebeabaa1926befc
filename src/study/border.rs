//! The border of VALID: the highest multiple of an experiment's rates at which every Server VM is.
//!
//! Short runs come first, since they tell cheaply where the border is about; the answer is always a
//! bracket of two runs of full length, the lower VALID and the upper not. It does not look for a
//! second VALID range above the first INVALID rate.

use super::capacity::{LoadPoint, asked_per_s, at_load, is_server, load_point};
use crate::platform::{Watched, simulate_unless_lost};
use crate::spec::{Arrivals, Experiment, VmSpec};

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct CapacitySearch {
    /// The search ends when the VALID and the INVALID rate are this close, relative to the rate.
    pub precision: f64,
}

/// Where a search ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// The highest VALID multiple of the rates asked for; 0 when none is.
    pub factor: f64,
    /// What failed just above it, by VM; empty when nothing does.
    pub failed: Vec<String>,
    /// What the runs of full length saw that were not given up, in the order of their rates.
    pub seen: Vec<LoadPoint>,
}

/// Queries of the slowest Server VM in the first, shortest runs; each later stage has so many times
/// as many, as long as a run of full length is several times longer still.
const FIRST_QUERIES: f64 = 2_500.0;
const STAGE_GROWTH: f64 = 8.0;
const FULL_OVER_STAGE: f64 = 4.0;

/// A first step away from the given rate.
const FIRST_STEP: f64 = 0.05;

/// Steps grow up to this factor: together with those before it to some 10^9 either way.
const STEP_MAX: f64 = 103.0;

/// The highest multiple of the rates of all Server VMs at which every one of them is VALID; `near`
/// is where it is thought to be, and `tell` hears each rate that is tried.
pub(super) fn limit_near(
    experiment: &Experiment,
    search: CapacitySearch,
    near: Option<f64>,
    tell: &(dyn Fn(f64) + Sync),
) -> Limit {
    assert!(search.precision > 0.0, "a precision of {}", search.precision);
    let asked = asked_per_s(experiment);
    let (near, step) = match near.filter(|near| *near > 0.0) {
        Some(near) => (near, search.precision),
        None => about(experiment, search, &|factor| tell(factor * asked)),
    };
    let mut limit = Limit { factor: 0.0, failed: Vec::new(), seen: Vec::new() };
    let (valid, _) = border((near, step), search.precision, &mut |factor| {
        tell(factor * asked);
        let experiment = at_load(experiment, factor);
        let outcome = simulate_unless_lost(&experiment);
        if let Watched::Whole(outcome) = &outcome {
            limit.seen.push(load_point(factor * asked, &experiment, outcome));
        }
        let found = failures(&experiment, &outcome);
        let valid = found.is_empty();
        if !valid {
            limit.failed = found;
        }
        valid
    });
    limit.factor = valid;
    limit.seen.sort_by(|one, two| one.asked_per_s.total_cmp(&two.asked_per_s));
    limit
}

/// Where the border is by runs that are short, and the step to look about it; the given rate where
/// short runs would say nothing.
fn about(experiment: &Experiment, search: CapacitySearch, tell: &dyn Fn(f64)) -> (f64, f64) {
    let (mut near, mut step) = (1.0, FIRST_STEP);
    if !shortens(experiment) {
        return (near, step);
    }
    let mut queries = FIRST_QUERIES;
    // The first stage costs next to nothing, and the given rate may be far from where the border is.
    loop {
        // What so few queries can tell apart: the relative noise of their number.
        let precision = search.precision.max(queries.sqrt().recip());
        let (valid, invalid) = border((near, step), precision, &mut |factor| {
            tell(factor);
            let experiment = shortened(&at_load(experiment, factor), queries);
            failures(&experiment, &simulate_unless_lost(&experiment)).is_empty()
        });
        // No rate is VALID, or every one is: longer runs shall say so themselves.
        if valid == 0.0 || invalid.is_infinite() {
            return (near, step);
        }
        (near, step) = (valid, precision);
        queries *= STAGE_GROWTH;
        if fewest_queries(&at_load(experiment, near)) < FULL_OVER_STAGE * queries {
            return (near, step);
        }
    }
}

/// The highest VALID factor known and the lowest that is not, `precision` apart or closer: from
/// `near` by steps that grow, then by halves. 0 and infinity where there is none.
fn border(
    (near, step): (f64, f64),
    precision: f64,
    valid_at: &mut impl FnMut(f64) -> bool,
) -> (f64, f64) {
    let (mut valid, mut invalid) = (0.0, f64::INFINITY);
    let mut wider = 1.0;
    while wider <= STEP_MAX {
        let factor = match (valid > 0.0, invalid.is_finite()) {
            (false, false) => near,
            (true, false) => valid * wider,
            (false, true) => invalid / wider,
            (true, true) => break,
        };
        if valid_at(factor) {
            valid = factor
        } else {
            invalid = factor
        }
        // A hair less than the step, so that a bracket of one step is narrow enough.
        wider = if wider == 1.0 { 1.0 + 0.99 * step } else { 1.0 + 2.0 * (wider - 1.0) };
    }
    if valid > 0.0 && invalid.is_finite() {
        while invalid - valid > precision * valid {
            let middle = (valid + invalid) / 2.0;
            if valid_at(middle) { valid = middle } else { invalid = middle }
        }
    }
    (valid, invalid)
}

/// Whether a short run is like a long one: nothing happens at a time of its own.
fn shortens(experiment: &Experiment) -> bool {
    experiment.vms.iter().all(|vm| {
        let steady = !matches!(vm.load.arrivals, Arrivals::Bursty(_));
        steady && vm.power_on == crate::units::SimTime::ZERO && vm.power_off.is_none()
    })
}

/// Queries of the Server VM that has fewest.
fn fewest_queries(experiment: &Experiment) -> f64 {
    let queries = experiment.vms.iter().filter(is_server).map(|vm| {
        let settings = &vm.load.settings;
        let due = settings.target_qps * settings.min_duration.as_secs_f64();
        due.max(settings.min_query_count as f64)
    });
    queries.fold(f64::INFINITY, f64::min)
}

/// The experiment cut so that the Server VM with fewest queries has `queries`.
fn shortened(experiment: &Experiment, queries: f64) -> Experiment {
    let part = (queries / fewest_queries(experiment)).min(1.0);
    let mut experiment = experiment.clone();
    for settings in experiment.vms.iter_mut().map(|vm| &mut vm.load.settings) {
        settings.min_duration = settings.min_duration.scale(part);
        settings.min_query_count = ((settings.min_query_count as f64 * part) as u64).max(1);
    }
    experiment
}

/// The rules that Server VMs fail, each with the VM's group; none means VALID.
fn failures(experiment: &Experiment, watched: &Watched) -> Vec<String> {
    let several = experiment.vms.len() > 1;
    let name = |vm: &VmSpec| if several { format!("{}: ", vm.group) } else { String::new() };
    let outcome = match watched {
        Watched::Whole(outcome) => outcome,
        Watched::Lost(lost) => {
            let vm = &experiment.vms[usize::from(lost.0)];
            return vec![format!("{}{}", name(vm), too_late(vm))];
        }
    };
    let vms = experiment.vms.iter().zip(&outcome.vms).filter(|(vm, _)| is_server(vm));
    let told = vms.flat_map(|(vm, found)| {
        let name = name(vm);
        found.failed_rules.iter().map(move |rule| format!("{name}{rule}"))
    });
    told.collect()
}

/// What is known of a run that was given up.
pub(super) fn too_late(vm: &VmSpec) -> String {
    let settings = &vm.load.settings;
    // Without the last digits that a difference of decimals leaves.
    let allowed = ((100.0 - settings.percentile) * 1e6).round() / 1e6;
    let bound = settings.target_latency;
    format!("latency: more than {allowed} % of the queries are over the bound of {bound}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A border at 0.37 is found from anywhere, to the precision, below it and never above; close by
    /// in two or three tries.
    #[test]
    fn a_border_is_found_from_near_and_far() {
        for (near, step, most) in
            [(1.0, 0.05, 14), (0.37, 0.005, 2), (0.372, 0.005, 4), (300.0, 0.05, 20)]
        {
            let mut tries = 0;
            let (valid, invalid) = border((near, step), 0.005, &mut |factor| {
                tries += 1;
                factor <= 0.37
            });
            assert!(valid <= 0.37 && invalid > 0.37 && invalid - valid <= 0.005 * valid, "{valid}");
            assert!(tries <= most, "{tries} tries from {near}");
        }
        let (valid, invalid) = border((1.0, 0.05), 0.01, &mut |_| false);
        assert!(valid == 0.0 && invalid < 1e-6);
        let (valid, invalid) = border((1.0, 0.05), 0.01, &mut |_| true);
        assert!(valid > 1e6 && invalid.is_infinite());
    }
}
