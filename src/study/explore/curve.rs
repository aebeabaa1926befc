//! One figure over many settings: p99 over the load, or over the number of VMs.

use crate::parallel::*;
use crate::platform::{Meter, Outcome, VmOutcome, simulate_up_to};
use crate::spec::{Arrivals, Experiment, TestScenario, VmSpec};
use crate::study::asked::queries_at_least;
use crate::study::baseline::same_cards;
use crate::study::figures::latency_ms;
use crate::study::variant::{asked_per_s, at_rate, shortened};
use crate::units::SimTime;

/// How much is simulated for a point.
#[derive(Clone, Copy, Debug)]
pub struct CurveEffort {
    /// Queries of all VMs together, of each run.
    pub queries: u64,
    /// Runs with other random numbers.
    pub replications: u32,
}

/// The figures of a point, in milliseconds, one for each replication; empty where there is no answer: the queue
/// grows without end.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct CurvePoint {
    /// p99 of the VM that has the highest.
    pub p99: Vec<f64>,
    /// The mean of all queries.
    pub mean: Vec<f64>,
    /// p99 of the same load on the same cards of bare metal; empty where that was not asked.
    pub bare_p99: Vec<f64>,
}

/// The experiment at a part of its rate.
pub fn at_part_of_rate(experiment: &Experiment, part: f64) -> Experiment {
    at_rate(experiment, asked_per_s(experiment) * part)
}

/// What makes the start of a run unlike the rest of it, or its latency no measure, so that short runs of it make no
/// curve; nothing where nothing does.
pub fn why_no_curve(experiment: &Experiment) -> Option<&'static str> {
    let vms = || experiment.vms.iter();
    let has_replicas =
        |vm: &VmSpec| vm.balance.as_ref().is_some_and(|balance| balance.replicas.is_some());
    let varies =
        |vm: &VmSpec| matches!(vm.load.arrivals, Arrivals::Pattern(_) | Arrivals::Trace(_));
    let comes_and_goes = |vm: &VmSpec| vm.power_on > SimTime::ZERO || vm.power_off.is_some();
    let operated = experiment.timeline.as_ref().is_some_and(|found| !found.operations.is_empty());
    Some(match () {
        () if operated => "its operations happen at times of the whole run",
        () if vms().any(|vm| vm.llm.is_some()) => "requests of an LLM are judged by their tokens",
        () if vms().any(has_replicas) => "its replicas follow the load over the whole run",
        () if vms().any(varies) => "its load changes over the whole run",
        () if vms().any(comes_and_goes) => "its VMs are powered on or off in the run",
        () => return None,
    })
}

/// The point of an experiment. Nothing when `stop` said so.
pub fn curve_point(
    experiment: &Experiment,
    with_bare: bool,
    effort: CurveEffort,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<CurvePoint> {
    let bare = with_bare.then(|| same_cards(experiment));
    let sides = [Some(experiment), bare.as_ref()];
    let all: Vec<(usize, &Experiment, u32)> = sides
        .iter()
        .enumerate()
        .filter_map(|(side, experiment)| Some((side, (*experiment)?)))
        .flat_map(|(side, experiment)| {
            (0..effort.replications).map(move |replication| (side, experiment, replication))
        })
        .collect();
    let found: Vec<Option<Option<[f64; 2]>>> = all
        .par_iter()
        .map(|(_, experiment, replication)| {
            figures_of(experiment, *replication, effort.queries, stop)
        })
        .collect();
    let mut point = CurvePoint::default();
    for ((side, ..), found) in all.iter().zip(found) {
        // Stopped, or without end.
        let Some([p99, mean]) = found? else { continue };
        match side {
            0 => {
                point.p99.push(p99);
                point.mean.push(mean);
            }
            _ => point.bare_p99.push(p99),
        }
    }
    // A point that has an end in some of its runs only is at the border: no interval says that.
    for figures in [&mut point.p99, &mut point.mean, &mut point.bare_p99] {
        if figures.len() < effort.replications as usize {
            figures.clear();
        }
    }
    Some(point)
}

/// p99 of the worst VM and the mean of all; nothing inside where the queue has no end, and nothing at all
/// when it was stopped.
fn figures_of(
    experiment: &Experiment,
    replication: u32,
    queries: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Option<[f64; 2]>> {
    let look = |queries: u64| {
        let part = queries as f64 / queries_at_least(experiment).max(1.0);
        let mut short = shortened(experiment, part);
        short.replication = replication;
        let mut meter = Meter::new(queries.saturating_mul(WORK_PER_QUERY), stop);
        let (outcome, _) = simulate_up_to(&short, &mut meter)?;
        let late = lateness(&short, &outcome);
        Some((outcome, late))
    };
    let (mut outcome, late) = look(queries)?;
    if late.iter().any(|late| late.part > LATE) {
        // The end of a short run may come late without a queue that grows: a longer one tells.
        let (longer, later) = look(queries.saturating_mul(LONGER))?;
        let grows = |(short, long): (&Lateness, &Lateness)| {
            long.part > LATE && long.seconds > GROWS * short.seconds
        };
        if late.iter().zip(&later).any(grows) {
            return Some(None);
        }
        outcome = longer;
    }
    let answered = || outcome.vms.iter().filter(|vm| vm.recorder.latencies().count() > 0);
    // Where more queries have no answer than that it has no end.
    let p99 = answered().map(|vm| match vm.recorder.unanswered() {
        0 => Some(latency_ms(vm.recorder.latencies()).p99),
        _ => Some(vm.recorder.quantile_of_all(0.99)?.as_millis_f64()),
    });
    let Some(p99) = p99.collect::<Option<Vec<f64>>>() else { return Some(None) };
    let p99 = p99.into_iter().fold(0.0, f64::max);
    let (mut sum, mut count) = (0.0, 0.0);
    for vm in answered() {
        let latencies = vm.recorder.latencies();
        let of = latencies.count() as f64;
        sum += latencies.mean().map_or(0.0, |mean| mean.as_millis_f64()) * of;
        count += of;
    }
    Some((count > 0.0).then(|| [p99, sum / count]))
}

/// Events and samples of a run, at most, for each query.
const WORK_PER_QUERY: u64 = 50;

/// From this part of the run on, the time from the last arrival to the last answer is looked at again.
const LATE: f64 = 0.03;

/// How much longer that run is, and by which factor the time grows at least where the queue has no end: it
/// would by as much as the run.
const LONGER: u64 = 4;
const GROWS: f64 = 2.5;

/// The time from a VM's last arrival to its last answer.
struct Lateness {
    seconds: f64,
    /// As a part of the run.
    part: f64,
}

/// Of each VM under Server load.
fn lateness(experiment: &Experiment, outcome: &Outcome) -> Vec<Lateness> {
    let vms = experiment.vms.iter().zip(&outcome.vms);
    let servers = vms.filter(|(vm, _)| vm.load.scenario == TestScenario::Server);
    let of = |(vm, of): (&VmSpec, &VmOutcome)| {
        let since = |at: SimTime| at.saturating_since(vm.power_on).as_secs_f64();
        let (due, done) = (since(of.recorder.last_due()), since(of.recorder.last_completion()));
        let seconds = (done - due).max(0.0);
        Lateness { seconds, part: if done > 0.0 { seconds / done } else { 0.0 } }
    };
    servers.map(of).collect()
}
