//! One card with its VMs: bounds that need no simulation, then a short run; and a whole layout at
//! full length.
//!
//! A short run is judged as in other searches: what misses its bound by little may hold it in a
//! longer one, and runs of full length decide.

use crate::gpu::{demand, idle_rule};
use crate::platform::{Meter, Outcome, VmOutcome, Watched, serve, simulate_metered};
use crate::spec::{
    Arrivals, Experiment, IdleRule, Launches, SizeDistribution, TestScenario, TurnOrder, VmSpec,
};
use crate::study::probe::Prober;
use crate::study::variant::{asked_per_s, shortened};

/// Events and answered samples of one short run, and of one of full length, at most.
const SHORT_MOST: u64 = 60_000_000;
const FULL_MOST: u64 = 1_000_000_000;

/// Runs of full length of a layout, each with other random numbers.
pub(super) const REPLICATIONS: u32 = 5;

pub(super) const BY_BUSY: &str = "GPU work over its time";
pub(super) const BY_FASTEST: &str = "the fastest query over the bound";
pub(super) const BY_TURN: &str = "the wait for a turn over the bound";
pub(super) const BY_WHOLE: &str = "a run of full length over the bound";
pub(super) const BY_NARROW: &str =
    "runs of full length within the bound, but too narrowly to be sure of a further one";
pub(super) const BY_RUN: &str = "a simulated run over the bound";

/// What a short run says of a card.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Judged {
    /// Its VMs hold their bounds, or nearly, with this headroom.
    May(f64),
    /// They do not, for this reason; with the headroom of a run, below 0, if there was one.
    Not(&'static str, Option<f64>),
    /// No more may be simulated.
    Stopped,
}

/// How far a VM is below its bound: 1 - latency / bound, of the percentile of its load.
pub(super) fn headroom(vm: &VmSpec, found: &VmOutcome) -> f64 {
    1.0 - latency_ms(vm, found) / vm.load.settings.target_latency.as_millis_f64()
}

/// The latency at the percentile of a VM's load, in milliseconds; infinite where too many queries
/// are rejected or lost for it.
pub(super) fn latency_ms(vm: &VmSpec, found: &VmOutcome) -> f64 {
    let found = found.recorder.quantile_of_all(vm.load.settings.percentile / 100.0);
    found.map_or(f64::INFINITY, |span| span.as_millis_f64())
}

/// Whether a VM has a bound to hold.
pub(super) fn is_bound(vm: &VmSpec) -> bool {
    vm.load.scenario == TestScenario::Server && vm.steps.is_empty()
}

/// The judgement of a card by bounds, and where they leave it open by a short run.
pub(super) fn card(experiment: &Experiment, stop: &(dyn Fn() -> bool + Sync)) -> Judged {
    if let Some(why) = hopeless(experiment) {
        return Judged::Not(why, None);
    }
    let mut meter = Meter::new(SHORT_MOST, stop);
    let rate = asked_per_s(experiment);
    let part = Prober::new(experiment, meter.clone(), &|_| {}).part(rate, 0);
    let short = shortened(experiment, part);
    let Some(outcomes) = serve(&short, &mut meter) else {
        return if meter.is_used_up() { Judged::Not(BY_RUN, None) } else { Judged::Stopped };
    };
    let (mut least, mut may) = (f64::INFINITY, true);
    for (vm, found) in short.vms.iter().zip(&outcomes) {
        let Some(found) = found.as_ref().filter(|_| is_bound(vm)) else { continue };
        let (late, all) = (late(found), found.recorder.answered());
        let allowed = (1.0 - vm.load.settings.percentile / 100.0) * all as f64;
        may &= late as f64 <= 2.0 * allowed + 3.0;
        least = least.min(headroom(vm, found));
    }
    if may { Judged::May(least) } else { Judged::Not(BY_RUN, Some(least)) }
}

fn late(found: &VmOutcome) -> u64 {
    found.recorder.over_latency() + found.recorder.unanswered()
}

/// Why no run can hold the bounds, where that is plain without one.
fn hopeless(experiment: &Experiment) -> Option<&'static str> {
    let busy = instances_busy(experiment);
    if busy.into_iter().any(|share| share > 1.0) {
        return Some(BY_BUSY);
    }
    let bound = |vm: &VmSpec| vm.load.settings.target_latency.as_secs_f64();
    let vms = || experiment.vms.iter().filter(|vm| is_bound(vm));
    if vms().any(|vm| fastest(experiment, vm) > bound(vm)) {
        return Some(BY_FASTEST);
    }
    let waits = |vm: &VmSpec| fastest(experiment, vm) + wait(experiment, vm) > bound(vm);
    vms().any(waits).then_some(BY_TURN)
}

/// For each instance in use, the least share of its time that the asked work can take: what no
/// batching and no batches side by side make less.
pub(super) fn instances_busy(experiment: &Experiment) -> Vec<f64> {
    let mut busy: Vec<((u16, u16), f64)> = Vec::new();
    for vm in experiment.vms.iter().filter(|vm| is_bound(vm)) {
        for share in &vm.gpus {
            let key = (share.card.0, share.instance);
            let part = least_work(experiment, vm) * vm.load.settings.target_qps
                / vm.gpus.len() as f64
                / experiment.instance(share).share.get();
            match busy.iter_mut().find(|(known, _)| *known == key) {
                Some((_, sum)) => *sum += part,
                None => busy.push((key, part)),
            }
        }
    }
    busy.into_iter().map(|(_, share)| share).collect()
}

/// Seconds of the whole GPU that a sample takes at the least.
pub(super) fn least_work(experiment: &Experiment, vm: &VmSpec) -> f64 {
    let Some(share) = vm.gpus.first() else { return 0.0 };
    let gpu = &experiment.card(share).gpu.id;
    let Some(service) = vm.workload.service.get(gpu) else { return 0.0 };
    let sizes = service.work.value.points().iter().map(|(batch, _)| *batch);
    let sizes = sizes.chain([1, vm.server.batch_max]).filter(|size| *size <= vm.server.batch_max);
    let phi = |batch| match &service.slice {
        Some(law) => law.phi.value.min(service.phi.value.at(batch)),
        None => service.phi.value.at(batch),
    };
    let each = sizes
        .map(|batch| service.work.value.at(batch) * phi(batch).min(1.0) / f64::from(batch.max(1)));
    let least = each.fold(f64::INFINITY, f64::min);
    // A clock above that of the measurements makes it shorter.
    let boost = service.boost.value.max(1.0) * experiment.hypervisor.gpu_speed.value;
    if least.is_finite() { least / boost / 1e9 } else { 0.0 }
}

/// Seconds that a query alone takes on the GPU at the least.
fn fastest(experiment: &Experiment, vm: &VmSpec) -> f64 {
    let Some(share) = vm.gpus.first() else { return 0.0 };
    let gpu = &experiment.card(share).gpu.id;
    let Some(service) = vm.workload.service.get(gpu) else { return 0.0 };
    // Small queries are faster, and so are lucky ones.
    if vm.workload.sizes.value != SizeDistribution::Fixed || service.spread.value.get() > 0.0 {
        return 0.0;
    }
    let instance = experiment.instance(share);
    let alone = demand(service, &experiment.hypervisor, 1, 1.0, 0.0, (instance, Launches::Kernels));
    let time = alone.time(1, instance.share) / 1e9;
    time / service.boost.value.max(1.0)
}

/// Seconds that a query of a VM waits for its turn at the least, where idle turns pass unused: the
/// percentile of its load of what random arrivals wait.
fn wait(experiment: &Experiment, vm: &VmSpec) -> f64 {
    let Some(share) = vm.gpus.first() else { return 0.0 };
    let Some(slicing) = experiment.instance(share).sharing.slicing() else { return 0.0 };
    let is_random = matches!(vm.load.arrivals, Arrivals::Poisson);
    let in_ring = matches!(slicing.order, TurnOrder::RoundRobin { .. });
    if idle_rule(slicing) != IdleRule::Burned || !is_random || !in_ring {
        return 0.0;
    }
    let here = |other: &&VmSpec| {
        other.gpus.iter().any(|one| one.card == share.card && one.instance == share.instance)
    };
    let owners = experiment.vms.iter().filter(here).count() as f64;
    let slice = slicing.slice.as_secs_f64();
    let round = owners * slice;
    // Of a round all but the own turn is waited for, evenly.
    ((owners - 1.0) * slice - (1.0 - vm.load.settings.percentile / 100.0) * round).max(0.0) * 0.98
}

/// The 0.995 quantile of Student's t with as many degrees of freedom as `REPLICATIONS` leave, 4.
const T_995: f64 = 4.604_094_871;

/// Whether a further run would hold a bound, too, where these values were found: the mean and t
/// standard deviations of the difference between a further value and the mean. Of VMs that are just
/// within it a further run has 0.5 % over the bound.
fn would_hold(values: &[f64], bound: f64) -> bool {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    mean + T_995 * deviation * (1.0 + 1.0 / count).sqrt() <= bound
}

/// What runs of full length say of a layout.
pub(super) enum Whole {
    /// Every VM holds its bound in each, and would in a further one.
    Holds(Box<Measured>),
    /// A VM on this card does not.
    Fails(u16),
    /// Every VM holds its bound in each, but one on this card so narrowly that a further run may not.
    Narrow(u16),
    /// No more may be simulated.
    Stopped,
}

/// Outcomes of the same experiment with other random numbers.
pub(super) struct Measured {
    pub(super) experiment: Experiment,
    pub(super) outcomes: Vec<Outcome>,
}

/// Simulates a layout at full length, several times with other random numbers.
pub(super) fn whole(experiment: Experiment, stop: &(dyn Fn() -> bool + Sync)) -> Whole {
    use crate::parallel::*;
    let run = |replication: u32| {
        let run = Experiment { replication, ..experiment.clone() };
        simulate_metered(&run, &mut Meter::new(FULL_MOST, stop))
    };
    let found: Vec<Watched> = (0..REPLICATIONS).into_par_iter().map(run).collect();
    let mut outcomes = Vec::new();
    for watched in found {
        let outcome = match watched {
            Watched::Whole(outcome) => outcome,
            Watched::Lost(vm) => {
                let vm = &experiment.vms[usize::from(vm.0)];
                return Whole::Fails(card_of(vm));
            }
            Watched::Stopped => return Whole::Stopped,
        };
        let mut vms = experiment.vms.iter().zip(&outcome.vms);
        let failing = vms.find(|(vm, found)| is_bound(vm) && !found.failed_rules.is_empty());
        if let Some((vm, _)) = failing {
            return Whole::Fails(card_of(vm));
        }
        outcomes.push(outcome);
    }
    for (index, vm) in experiment.vms.iter().enumerate().filter(|(_, vm)| is_bound(vm)) {
        let each = outcomes.iter().map(|outcome: &Outcome| latency_ms(vm, &outcome.vms[index]));
        let bound = vm.load.settings.target_latency.as_millis_f64();
        if !would_hold(&each.collect::<Vec<f64>>(), bound) {
            return Whole::Narrow(card_of(vm));
        }
    }
    Whole::Holds(Box::new(Measured { experiment, outcomes }))
}

fn card_of(vm: &VmSpec) -> u16 {
    vm.gpus.first().map_or(0, |share| share.card.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn the_quantile_is_students() {
        let freedom = f64::from(REPLICATIONS - 1);
        let found = StudentsT::new(0.0, 1.0, freedom).unwrap().inverse_cdf(0.995);
        assert!((found - T_995).abs() < 1e-6, "{found}");
    }

    /// Five normal values and a bound that they just hold: a sixth is over it once in 200 times. Of
    /// 100 000 that is 500, with a standard deviation of 22.
    #[test]
    fn a_further_run_is_over_the_bound_once_in_two_hundred() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let normal = Normal::new(10.0, 2.0).unwrap();
        let mut over = 0;
        for _ in 0..100_000 {
            let values: Vec<f64> = (0..REPLICATIONS).map(|_| normal.sample(&mut random)).collect();
            let (mut low, mut high) = (0.0, 1000.0);
            while high - low > 1e-6 {
                let middle = (low + high) / 2.0;
                if would_hold(&values, middle) { high = middle } else { low = middle }
            }
            over += u32::from(normal.sample(&mut random) > high);
        }
        assert!((400..600).contains(&over), "{over}");
    }
}
