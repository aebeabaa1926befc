//! What operations did to a run: each with what came of it, and for each VM its figures by window of the run
//! and its availability.
//!
//! It adds up what was recorded; the operations themselves were worked out before the run.

use super::down;
use super::figures::digits;
use crate::platform::{Outcome, Scaled};
use crate::record::{OverTime, Recorder, Stop};
use crate::spec::{Experiment, Operation, OperationOutcome, VmId, VmSpec};
use crate::units::SimDuration;
use serde::Serialize;

/// The operations of a run and what they did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationsResult {
    /// Every operation, in order of time.
    pub operations: Vec<OperationResult>,
    /// Length of the windows, in seconds.
    pub window_s: f64,
    /// One entry for each VM under load.
    pub vms: Vec<VmOverTime>,
}

/// An operation, and what it did to the queries of its VM.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationResult {
    /// Its word in files; `ha-restart` for one that followed from a host's failure.
    pub kind: &'static str,
    /// The VM or the host.
    pub of: String,
    /// When it began, in seconds from the start of the run.
    pub at_s: f64,
    /// Where to; nothing where it moves nothing.
    pub to: Option<String>,
    /// Whether it was done.
    pub done: bool,
    /// Why not, where it was not.
    pub why: Option<String>,
    /// Its parts, such as the time to write a VM.
    pub parts: Vec<String>,
    /// How long memory was copied while the VM ran, in seconds.
    pub pre_copy_s: f64,
    /// From when on the VM did not serve, in seconds from the start of the run; nothing where it served all
    /// the time.
    pub stopped_at_s: Option<f64>,
    /// How long it did not serve, in seconds; nothing where it served all the time, or not to the end.
    pub stopped_s: Option<f64>,
    /// Queries that waited for its end.
    pub queries_waited: u64,
    /// The longest latency of these, in milliseconds.
    pub latency_longest_ms: f64,
    /// Queries that were lost.
    pub queries_lost: u64,
    /// How long a replica takes from here on until it serves, in seconds; left out for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_s: Option<f64>,
}

/// A VM over the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VmOverTime {
    /// Its name.
    pub vm: String,
    /// Queries that were made.
    pub made: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Of these, answered within the bound: a part, 0 to 1.
    pub availability: f64,
    /// How long it did not serve, in seconds, up to the last query that was due; of a load that VMs share,
    /// how long none of them served.
    pub down_s: f64,
    /// The windows, from the start of the run.
    pub windows: Vec<WindowResult>,
}

impl OperationsResult {
    /// Of a VM whose queries were lost in part: how many of all it answered within the bound, in words.
    pub(super) fn lost_in_words(&self, name: &str) -> Option<String> {
        let vm = self.vms.iter().find(|vm| vm.vm == name && vm.lost > 0)?;
        let within = digits(100.0 * vm.availability);
        Some(format!("answers {within} % of its queries within the bound, {} are lost", vm.lost))
    }
}

/// The queries of a VM that were due in a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowResult {
    /// Its start, in seconds.
    pub from_s: f64,
    /// How many were due.
    pub made: u64,
    /// Answered within the bound.
    pub within_bound: u64,
    /// Answered later.
    pub over_bound: u64,
    /// Rejected by the server.
    pub rejected: u64,
    /// Lost.
    pub lost: u64,
    /// p99 of those answered, to 1.6 %, in milliseconds; nothing where none was.
    pub latency_p99_ms: Option<f64>,
    /// The longest latency, in milliseconds.
    pub latency_longest_ms: f64,
}

/// What operations did to a run; nothing where it has none.
pub(super) fn of(experiment: &Experiment, outcome: &Outcome) -> Option<OperationsResult> {
    let timeline = experiment.timeline.as_ref()?;
    let mut told = vec![0; experiment.vms.len()];
    let operations = timeline.operations.iter().map(|one| {
        let stop = one.vm.and_then(|vm| stop_of(experiment, outcome, one, (vm, &mut told)));
        operation(one, stop)
    });
    let scaled = outcome.scaled.iter().map(|one| scaled(experiment, one));
    let mut operations: Vec<OperationResult> = operations.chain(scaled).collect();
    operations.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    let vms = experiment.vms.iter().zip(&outcome.vms);
    let vms = vms.filter_map(|(vm, of_vm)| {
        let end = of_vm.recorder.last_due();
        let down = vm.balance.as_ref().map(|balance| down::down_s(outcome, balance, end));
        of_vm_over_time(vm, &of_vm.recorder, down)
    });
    Some(OperationsResult {
        operations,
        window_s: timeline.window.as_secs_f64(),
        vms: vms.collect(),
    })
}

/// The stop of a VM that an operation made; of several models together. `told` counts the stops of each VM
/// that were told before.
fn stop_of(
    experiment: &Experiment,
    outcome: &Outcome,
    operation: &Operation,
    (vm, told): (VmId, &mut [usize]),
) -> Option<Stop> {
    let stops_it = match &operation.outcome {
        OperationOutcome::Done { stopped, .. } => stopped.is_none_or(|span| span.as_nanos() > 0),
        OperationOutcome::Refused { .. } => stays_down(operation),
    };
    let index = told[usize::from(vm.0)];
    let models = (0..experiment.vms.len()).filter(|&model| {
        let id = VmId(model as u16);
        experiment.first_model(id) == vm && experiment.has_work(id)
    });
    let stops = models.filter_map(|model| {
        let over_time = outcome.vms[model].recorder.over_time()?;
        over_time.stops().get(index).copied()
    });
    let stop = stops.reduce(|one, other| Stop {
        waited: one.waited + other.waited,
        lost: one.lost + other.lost,
        longest: one.longest.max(other.longest),
        ..one
    })?;
    if !stops_it || stop.from < operation.at {
        return None;
    }
    told[usize::from(vm.0)] += 1;
    Some(stop)
}

/// Whether it is a restart for which there was no place.
fn stays_down(operation: &Operation) -> bool {
    let is_refused = matches!(operation.outcome, OperationOutcome::Refused { .. });
    is_refused && operation.kind == "ha-restart"
}

fn operation(one: &Operation, stop: Option<Stop>) -> OperationResult {
    let (done, why, parts, pre_copy, ends) = match &one.outcome {
        OperationOutcome::Done { pre_copy, stopped, parts } => {
            (true, None, parts.clone(), pre_copy.as_secs_f64(), stopped.is_some())
        }
        OperationOutcome::Refused { why } => {
            (false, Some(why.clone()), Vec::new(), 0.0, !stays_down(one))
        }
    };
    OperationResult {
        kind: one.kind,
        of: one.subject.clone(),
        at_s: one.at.as_secs_f64(),
        to: one.to.clone(),
        done,
        why,
        parts,
        pre_copy_s: pre_copy,
        stopped_at_s: stop.map(|stop| stop.from.as_secs_f64()),
        stopped_s: stop.filter(|_| ends).map(|stop| (stop.to - stop.from).as_secs_f64()),
        queries_waited: stop.map_or(0, |stop| stop.waited),
        latency_longest_ms: stop.map_or(0.0, |stop| stop.longest.as_millis_f64()),
        queries_lost: stop.map_or(0, |stop| stop.lost),
        starts_s: None,
    }
}

/// A replica that the rule started or stopped.
fn scaled(experiment: &Experiment, one: &Scaled) -> OperationResult {
    let start = one.start.map(|span| span.as_secs_f64());
    OperationResult {
        kind: if start.is_some() { "scale-up" } else { "scale-down" },
        of: experiment.vms[usize::from(one.vm.0)].name.clone(),
        at_s: one.at.as_secs_f64(),
        to: None,
        done: true,
        why: None,
        parts: one.start.iter().map(|span| format!("starts and loads for {span}")).collect(),
        pre_copy_s: 0.0,
        stopped_at_s: None,
        stopped_s: None,
        queries_waited: 0,
        latency_longest_ms: 0.0,
        queries_lost: 0,
        starts_s: start,
    }
}

/// A VM under load over the run.
fn of_vm_over_time(
    vm: &VmSpec,
    recorder: &Recorder,
    service_down_s: Option<f64>,
) -> Option<VmOverTime> {
    if vm.load.is_idle() {
        return None;
    }
    let found = recorder.over_time()?;
    let windows = windows(found);
    let within: u64 = windows.iter().map(|window| window.within_bound).sum();
    let made: u64 = windows.iter().map(|window| window.made).sum();
    let end = recorder.last_due();
    let down = found.stops().iter().map(|stop| stop.to.min(end).saturating_since(stop.from));
    let down = down.map(SimDuration::as_secs_f64);
    Some(VmOverTime {
        vm: vm.name.clone(),
        made,
        lost: recorder.lost(),
        availability: if made > 0 { within as f64 / made as f64 } else { 1.0 },
        // The sum of nothing would be minus zero.
        down_s: service_down_s.unwrap_or(down.fold(0.0, |sum, stop| sum + stop)),
        windows,
    })
}

fn windows(found: &OverTime) -> Vec<WindowResult> {
    let length = found.window().as_secs_f64();
    let windows = found.windows().iter().enumerate().map(|(index, window)| WindowResult {
        from_s: index as f64 * length,
        made: window.made(),
        within_bound: window.answered - window.over_bound,
        over_bound: window.over_bound,
        rejected: window.rejected,
        lost: window.lost,
        latency_p99_ms: window.quantile(0.99).map(|latency| latency.as_millis_f64()),
        latency_longest_ms: window.longest.as_millis_f64(),
    });
    windows.collect()
}
