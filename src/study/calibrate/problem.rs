//! From measured runs to a problem for the search: the predictions of a candidate are simulated.
//!
//! Machines with the same GPU model differ: each machine but the first may be a little faster or
//! slower under Server load than its Offline rate implies, by as much as such machines differ.
//! Otherwise a difference of one percent in speed, which changes latency near saturation by ten
//! percent, would count as a property of the model.

use super::document::Fitted;
use super::parameters::{FitParameter, ParameterKind, tells_cpu, tells_phi, valued};
use super::search::{Candidate, Number, Problem, Quantity, Region, search};
use super::{FITTED_FIGURES, MeasuredRun, Seen, noise_of};
use crate::platform::simulate;
use crate::spec::{Experiment, TestScenario, Workload};
use crate::study::figures::{self, LatencyMs};
use crate::study::progress::Progress;
use crate::units::SimDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of queries of a run that are simulated for the figures of the best fit.
pub(super) const QUERIES_FINAL: u64 = 5_000_000;

/// Rate and latencies of one run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RunFigures {
    /// As LoadGen counts it.
    pub completed_per_s: f64,
    /// In milliseconds.
    pub latency_ms: LatencyMs,
}

impl RunFigures {
    /// The figure of this name; nothing for an unknown name.
    pub fn get(&self, figure: &str) -> Option<f64> {
        if figure == "completed_per_s" {
            return Some(self.completed_per_s);
        }
        self.latency_ms.get(figure)
    }
}

/// The figures of a run with `workload`, cut to about `queries_max` queries.
pub fn run_figures(run: &Experiment, workload: &Workload, queries_max: u64) -> RunFigures {
    let mut experiment = run.clone();
    let vm = &mut experiment.vms[0];
    vm.workload = Arc::new(workload.clone());
    let settings = &mut vm.load.settings;
    settings.min_query_count = settings.min_query_count.min(queries_max);
    let rate = settings.target_qps;
    let longest = match vm.load.scenario {
        TestScenario::Server | TestScenario::Offline => queries_max as f64 / rate,
        // One query at a time: the count decides, and a second of them is enough.
        _ => 1.0,
    };
    settings.min_duration = settings.min_duration.min(SimDuration::from_secs_f64(longest));
    if vm.load.scenario == TestScenario::Offline {
        settings.min_query_count = 1;
    }
    let outcome = simulate(&experiment);
    let recorder = &outcome.vms[0].recorder;
    RunFigures {
        completed_per_s: figures::completed_per_s(&experiment.vms[0], recorder),
        latency_ms: figures::latency_ms(recorder.latencies()),
    }
}

/// What was seen of a run, for the search.
fn quantities(run: &MeasuredRun) -> Vec<Quantity> {
    let scenario = run.experiment.vms[0].load.scenario;
    let of = |seen: &super::Observed| Quantity {
        observed: seen.value,
        sigma: noise_of(&seen.figure),
        is_fitted: tells(scenario, &seen.figure, run.machine),
    };
    run.observed.iter().map(of).collect()
}

/// Whether a figure of this scenario tells a fit something of its own. A minimum shows CPU time, which
/// is that of the machine: only the first machine's is fitted.
fn tells(scenario: TestScenario, figure: &str, machine: usize) -> bool {
    match scenario {
        _ if figure == "min" && machine > 0 => false,
        // The rate of a Server run is put in, and Offline latencies are the rate once more.
        TestScenario::Server => figure != "completed_per_s" && FITTED_FIGURES.contains(&figure),
        TestScenario::Offline => figure == "completed_per_s",
        TestScenario::SingleStream | TestScenario::MultiStream { .. } => {
            matches!(figure, "p50" | "p90")
        }
        TestScenario::ClosedLoop { .. } => {
            matches!(figure, "completed_per_s" | "p50" | "p90" | "p99")
        }
    }
}

pub(super) fn predicted(run: &MeasuredRun, figures: &RunFigures) -> Vec<f64> {
    let of = |seen: &super::Observed| figures.get(&seen.figure).unwrap_or(0.0);
    run.observed.iter().map(of).collect()
}

/// Fits a plan that has runs.
pub(super) fn fit(plan: &Seen<'_>, progress: Progress<'_>) -> Fitted {
    let free: Vec<_> = plan.parameters.iter().filter(|parameter| !parameter.is_held).collect();
    let numbers = free.iter().map(|parameter| Number {
        low: parameter.low,
        high: parameter.high,
        start: parameter.start,
        is_factor: parameter.kind.is_factor(),
    });
    let mut quantities_of_all: Vec<Quantity> = plan
        .times
        .iter()
        .map(|time| Quantity { observed: time.ms, sigma: noise_of("batch"), is_fitted: true })
        .collect();
    quantities_of_all.extend(plan.runs.iter().flat_map(quantities));
    // What is known of another machine before its run is seen.
    let differ = plan.workload.service[plan.gpu].machines.as_ref();
    let sigma = differ.map_or(0.0, |machines| machines.value.get());
    let speeds = plan.parameters.iter().filter_map(|parameter| machine(parameter.kind));
    quantities_of_all.extend(speeds.map(|_| Quantity { observed: 1.0, sigma, is_fitted: true }));
    let expected = 9 * (free.len() as u64 + 4) + 2 * free.len() as u64 + 17;
    let tried = AtomicU64::new(0);
    let predict = |values: &[f64]| {
        let predicted = predictions(plan, values, plan.queries_max);
        let done = tried.fetch_add(1, Ordering::Relaxed) + 1;
        progress(done.min(expected), expected, "candidates simulated");
        predicted
    };
    let problem =
        Problem { numbers: numbers.collect(), quantities: quantities_of_all, predict: &predict };
    let region = if problem.numbers.is_empty() { held(&predict) } else { search(&problem) };
    let Region { tried, best, near, identified } = region;
    let full = predictions(plan, &tried[best].values, QUERIES_FINAL);
    let place = near.iter().position(|&index| index == best).unwrap_or(0);
    let fits = near.into_iter().map(|index| tried[index].clone()).collect();
    let mut notes = too_short(plan, &tried[best].predicted, &full);
    notes.extend(not_identified(&free.iter().map(|p| p.kind).collect::<Vec<_>>(), &identified));
    notes.extend(untold(plan));
    let alarms = at_the_border(&free, &tried[best].values);
    let identified = Some(identified);
    Fitted { best: place, fits, identified, notes, alarms, full: Some(full) }
}

/// One sentence for each number that ends at an end of its range that nothing but the range sets: what
/// fits best may lie beyond. No time is below 0, and phi and shares lie between 0 and 1 by nature.
fn at_the_border(free: &[&FitParameter], values: &[f64]) -> Vec<String> {
    /// So near, in parts of the range.
    const NEAR: f64 = 0.005;
    let ends = free.iter().zip(values).filter_map(|(parameter, &value)| {
        let (low, high) = (parameter.low, parameter.high);
        let (least, most) = parameter.kind.limits();
        let near = NEAR * (high - low);
        let end = match () {
            () if value - low <= near && low > least => low,
            () if high - value <= near && high < most => high,
            () => return None,
        };
        let (name, unit) = (parameter.kind.name(), parameter.kind.unit());
        let plain = name.split('[').next().unwrap_or(&name);
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let look = "look for a wrong unit, batch size or number of GPUs";
        // The range of a work follows from the measurements.
        let help = match parameter.kind {
            ParameterKind::Work(batch) => {
                format!("time a batch of {batch} alone as well, or {look}")
            }
            _ => format!("give {plain} a wider range in [fit], or {look}"),
        };
        Some(format!(
            "{name} is at the end of its range, {}{unit}: the best value may be beyond it, so do \
             not trust any number of this fit; {help}",
            (end * 1e4).round() / 1e4
        ))
    });
    ends.collect()
}

/// The region of a plan that holds every number: the start alone.
fn held(predict: &dyn Fn(&[f64]) -> Vec<f64>) -> Region {
    let only = Candidate { values: Vec::new(), predicted: predict(&[]) };
    Region { tried: vec![only], best: 0, near: vec![0], identified: Vec::new() }
}

/// What a candidate predicts of everything seen: batch times, then the figures of each run.
fn predictions(plan: &Seen<'_>, values: &[f64], queries_max: u64) -> Vec<f64> {
    let workload = plan.workload_with(values);
    let service = &workload.service[plan.gpu];
    let times = plan.times.iter().map(|time| {
        let spread = service.spread.value.get();
        // The median of an exponential draw of mean 1 is ln 2.
        let median = 1.0 - spread + spread * std::f64::consts::LN_2;
        let work = service.work.value.at(time.batch) * median;
        let whole = service.launch.value.as_nanos_f64() + work;
        whole.max(service.host_floor.value.as_nanos_f64()) / 1e6
    });
    let speeds = machine_speeds(plan, values);
    let runs = plan.runs.iter().flat_map(|run| {
        let experiment = at_speed(run, &speeds);
        predicted(run, &run_figures(&experiment, &workload, queries_max))
    });
    times.chain(runs).chain(speeds.values().copied()).collect()
}

/// The machine whose speed a number is.
fn machine(kind: ParameterKind) -> Option<usize> {
    match kind {
        ParameterKind::Machine(machine) => Some(machine),
        _ => None,
    }
}

/// The speed of each machine that has a number for it.
pub(super) fn machine_speeds(plan: &Seen<'_>, values: &[f64]) -> BTreeMap<usize, f64> {
    let all = valued(plan.parameters, values);
    all.filter_map(|(parameter, value)| Some((machine(parameter.kind)?, value))).collect()
}

/// The run with its machine's speed under Server load relative to the speed by its Offline rate.
pub(super) fn at_speed(run: &MeasuredRun, speeds: &BTreeMap<usize, f64>) -> Experiment {
    let mut experiment = run.experiment.clone();
    let own = speeds.get(&run.machine);
    if let (Some(speed), TestScenario::Server) = (own, experiment.vms[0].load.scenario) {
        experiment.hypervisor.gpu_speed.value *= speed;
    }
    experiment
}

/// One sentence for each number that is held because no run says anything about it.
fn untold(plan: &Seen<'_>) -> Vec<String> {
    let is_held = |kind: fn(&ParameterKind) -> bool| {
        plan.parameters.iter().any(|parameter| parameter.is_held && kind(&parameter.kind))
    };
    let mut notes = Vec::new();
    let mut say = |is_untold: bool, text: &str| {
        if is_untold {
            notes.push(text.to_string());
        }
    };
    let fitted = || plan.runs.iter();
    say(
        is_held(|kind| matches!(kind, ParameterKind::Phi(_))) && !fitted().any(tells_phi),
        "phi is not identified: no fitted run has two batches on one GPU, or a slice of one",
    );
    say(
        is_held(|kind| matches!(kind, ParameterKind::CpuLaunch)) && !fitted().any(tells_cpu),
        "cpu_launch is not identified: no fitted run of the first machine states its minimum \
         latency",
    );
    notes
}

/// A sentence where runs cut short while searching told another rate than whole ones.
fn too_short(plan: &Seen<'_>, short: &[f64], whole: &[f64]) -> Vec<String> {
    const OFF: f64 = 0.02;
    let figures = plan.runs.iter().flat_map(|run| run.observed.iter().map(|seen| &seen.figure));
    let pairs = short.iter().zip(whole).skip(plan.times.len());
    let is_off = figures.zip(pairs).any(|(figure, (short, whole))| {
        figure == "completed_per_s" && (short / whole - 1.0).abs() > OFF
    });
    let text = format!(
        "in the search, a run of at most {} queries had a rate that differs by more than 2 % from \
         that of the whole run: raise queries in [fit]",
        plan.queries_max
    );
    is_off.then_some(text).into_iter().collect()
}

/// One sentence for each number that the runs leave open.
fn not_identified(free: &[ParameterKind], identified: &[bool]) -> Vec<String> {
    let open = free.iter().zip(identified).filter(|(_, is_identified)| !**is_identified);
    open.map(|(kind, _)| {
        format!("{} is not identified: these runs allow more than half of its range", kind.name())
    })
    .collect()
}
