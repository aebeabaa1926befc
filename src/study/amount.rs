//! How much a study will simulate, so that the amount can be printed and the time estimated before
//! it starts.
//!
//! A short piece of a run shows how many queries it makes and how long it will last; the caller
//! measures the time. It contributes nothing to results.

use super::border::CapacitySearch;
use super::fits;
use super::piece::{Extent, Piece, pieces_of};
use super::probe::Prober;
use super::system::System;
use super::variant::{asked_per_s, at_rate, cut, other_idle, shortened};
use crate::gpu::demand;
use crate::platform::{Meter, simulate};
use crate::spec::{
    Arrivals, CardSpec, Experiment, GpuShare, InstanceSpec, Rules, Scenario, TestScenario, VmSpec,
};
use crate::units::SimDuration;

/// A run, and how often it is simulated.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The run.
    pub experiment: Experiment,
    /// How often; a part of a run counts in proportion.
    pub times: f64,
}

/// The size of a run, estimated from a piece of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RunSize {
    /// Samples of the whole run, all VMs together.
    pub queries: f64,
    /// The simulated time of its longest load.
    pub simulated_s: f64,
    /// The part that was simulated for the estimate, 1 for the whole run.
    pub part: f64,
}

/// What a search for a capacity simulates, in runs of full length: one that is VALID, one above it
/// that is given up, and short ones before them that make about one together.
const LOOKS: f64 = 3.0;

/// So many short runs come before those of full length, where it is not known where the border is; and they
/// leave this part of it open, which those of full length halve.
const SHORT_RUNS: f64 = 50.0;
const LEFT_OPEN: f64 = 0.044;

/// Latencies on the way to the border, in runs at it: the sum of the parts of it that are looked at.
const CURVE: f64 = 4.25;

/// The runs that `run` will simulate.
pub fn planned(scenario: &Scenario, extent: Extent) -> Vec<Planned> {
    let mut all = Vec::new();
    for pair in &scenario.pairs {
        for piece in pieces_of(pair, extent) {
            let (experiment, times) = match piece {
                Piece::Run(_, run, _, _) => (run.experiment.clone(), 1.0),
                Piece::Other(_, other) => (other.experiment.clone(), 1.0),
                Piece::Fits(_, experiment, _) => {
                    let times = fits::variants(&experiment).len() as f64 + 1.0;
                    (cut(&experiment), times)
                }
                Piece::Best(_, _, experiment, _, count) => (*experiment, LOOKS * f64::from(count)),
            };
            add(&mut all, experiment, times);
        }
    }
    all
}

/// The runs that the points of a sweep will simulate.
pub fn planned_points(
    experiments: impl Iterator<Item = Experiment>,
    replications: u32,
) -> Vec<Planned> {
    let mut all = Vec::new();
    for experiment in experiments {
        let others = other_idle(&experiment).is_some();
        let times = f64::from(replications) * if others { 2.0 } else { 1.0 };
        if fits::has_others(&experiment) {
            let times = fits::variants(&experiment).len() as f64 + 1.0;
            add(&mut all, cut(&experiment), times);
        }
        add(&mut all, experiment, times);
    }
    all
}

/// The runs that the searches of these systems will simulate, each at about the throughput of its
/// cards, since the rate in the file does not matter.
pub fn planned_searches<'e>(
    systems: impl Iterator<Item = &'e System>,
    search: CapacitySearch,
    replications: u32,
) -> Vec<Planned> {
    let mut all = Vec::new();
    let full = LOOKS - 1.0 + (LEFT_OPEN / search.precision).log2().max(0.0);
    for System { experiment, with_curve, with_inputs, .. } in systems {
        let rate = cards_do(experiment);
        let experiment = match rate > 0.0 {
            true => at_rate(experiment, rate),
            false => experiment.clone(),
        };
        // Where a bound is long, the short runs are as long as the full ones.
        let nobody = Meter::new(0, &|| false);
        let part = Prober::new(&experiment, nobody, &|_| {}).part(asked_per_s(&experiment), 0);
        let first = full + (SHORT_RUNS * part).max(1.0);
        let inputs = if *with_inputs { fits::variants(&experiment).len() } else { 0 };
        let near = f64::from(replications - 1) + inputs as f64;
        let curve = if *with_curve { CURVE } else { 0.0 };
        add(&mut all, experiment, first + full * near + curve);
    }
    all
}

/// About what the cards can do for the Server VMs, per second: full batches one after the other.
fn cards_do(experiment: &Experiment) -> f64 {
    let servers = || experiment.vms.iter().filter(|vm| vm.load.scenario == TestScenario::Server);
    let of_card = |(index, card): (usize, &CardSpec)| {
        let of_instance = |(place, instance): (usize, &InstanceSpec)| {
            let is_here = |share: &GpuShare| {
                usize::from(share.card.0) == index && usize::from(share.instance) == place
            };
            let rates: Vec<f64> = servers()
                .filter(|vm| vm.gpus.iter().any(is_here))
                .filter_map(|vm| batches_do(vm, experiment, &card.gpu.id, instance))
                .collect();
            rates.iter().sum::<f64>() / rates.len().max(1) as f64
        };
        card.instances.iter().enumerate().map(of_instance).sum::<f64>()
    };
    experiment.cards.iter().enumerate().map(of_card).sum()
}

/// Samples per second of a VM's full batches, one after the other, alone on a share of a GPU.
fn batches_do(
    vm: &VmSpec,
    experiment: &Experiment,
    gpu: &str,
    instance: &InstanceSpec,
) -> Option<f64> {
    let service = vm.workload.service.get(gpu)?;
    let samples = vm.server.batch_max;
    let batch = demand(
        service,
        &experiment.hypervisor,
        samples,
        f64::from(samples),
        1.0,
        (instance, vm.server.launches),
    );
    Some(f64::from(samples) * 1e9 / batch.time(1, instance.share))
}

/// Runs alike are one, simulated more often.
fn add(all: &mut Vec<Planned>, experiment: Experiment, times: f64) {
    let alike = |one: &&mut Planned| {
        one.experiment.name == experiment.name
            && one.experiment.vms.len() == experiment.vms.len()
            && one.experiment.hypervisor.id == experiment.hypervisor.id
            && one.experiment.cards.len() == experiment.cards.len()
            && loads(&one.experiment) == loads(&experiment)
    };
    match all.iter_mut().find(alike) {
        Some(one) => one.times += times,
        None => all.push(Planned { experiment, times }),
    }
}

fn loads(experiment: &Experiment) -> Vec<&crate::spec::LoadSpec> {
    experiment.vms.iter().map(|vm| &vm.load).collect()
}

/// Simulates the first `part` of a run (above 0, at most 1), and estimates the whole.
pub fn estimate_size(experiment: &Experiment, part: f64) -> RunSize {
    let outcome = simulate(&first_part(experiment, part));
    let made: u64 = outcome.vms.iter().map(|vm| vm.recorder.latencies().count()).sum();
    let spans = experiment.load_spans();
    let ends = experiment.vms.iter().zip(&outcome.vms).zip(spans).map(|((vm, of), span)| {
        let settings = &vm.load.settings;
        let taken = of.recorder.last_completion().saturating_since(vm.power_on).as_secs_f64();
        let least = span.as_secs_f64();
        match vm.load.scenario {
            TestScenario::Server => {
                let all = settings.min_query_count as f64 / settings.target_qps;
                least.max(all)
            }
            _ => least.max(taken / part),
        }
    });
    let simulated_s = ends.fold(0.0, f64::max);
    RunSize { queries: made as f64 / part, simulated_s, part }
}

/// The first part of a run.
pub(super) fn first_part(experiment: &Experiment, part: f64) -> Experiment {
    let mut first = shortened(experiment, part);
    for vm in &mut first.vms {
        if let Arrivals::Trace(trace) = &vm.load.arrivals {
            // A recorded load has no settings to shorten: the VM goes.
            let span = trace.arrivals.last().map_or(0.0, |last| last.at.as_secs_f64());
            let faster = vm.load.settings.target_qps / trace.rate();
            let span = SimDuration::from_secs_f64(span / faster * part);
            let off = vm.power_on + span.max(SimDuration::from_nanos(1));
            vm.power_off = Some(vm.power_off.map_or(off, |before| before.min(off)));
        }
    }
    first
}

/// VMs whose run is long because MLPerf asks for more queries than the duration gives at this rate:
/// a sentence with the remedy.
pub fn long_by_counts(experiment: &Experiment) -> Option<String> {
    let by_count = |vm: &&crate::spec::VmSpec| {
        let settings = &vm.load.settings;
        let seconds = settings.min_query_count as f64 / settings.target_qps;
        vm.load.scenario == TestScenario::Server
            && !matches!(vm.load.arrivals, Arrivals::Trace(_))
            && seconds > 2.0 * settings.min_duration.as_secs_f64()
    };
    let vm = experiment.vms.iter().find(by_count)?;
    let settings = &vm.load.settings;
    let why = match (settings.rules, settings.queries_beyond) {
        (Rules::Mlperf, _) => "rules = \"none\" or a smaller min_query_count makes it shorter",
        (Rules::None, Some(_)) => "a smaller queries_beyond_percentile makes it shorter",
        (Rules::None, None) => "a smaller min_query_count makes it shorter",
    };
    Some(format!(
        "{}: {} queries at {} per second take longer than min_duration {}; {why}",
        vm.group, settings.min_query_count, settings.target_qps, settings.min_duration
    ))
}
