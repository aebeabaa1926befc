//! What VMs had of the host's processors where these can be short, and what a reader must know of
//! such figures.

use super::results::{CpuResult, CpuWork};
use crate::host::CpuTime;
use crate::platform::Outcome;
use crate::spec::{CpuAllocation, CpuLoad, CpuScheduler, Experiment, OtherVm, VmSpec};
use crate::units::{Frequency, SimDuration, SimTime};

/// One entry for each VM whose vCPUs may wait, those with inference first; none where no VM has to
/// share cores.
pub(super) fn results(experiment: &Experiment, outcome: &Outcome) -> Vec<CpuResult> {
    let guests = experiment.vms.iter().zip(&outcome.vms);
    let guests = guests.filter(|(vm, _)| vm.server_of.is_none());
    let guests = guests.filter_map(|(vm, of)| {
        let span = outcome.end.saturating_since(vm.power_on);
        let VmSpec { name, group, vcpus, allocation, .. } = vm;
        Some(result((name, group), CpuWork::Inference, (*vcpus, allocation), (of.cpu?, span)))
    });
    let others = experiment.others.iter().zip(&outcome.others).map(|(other, had)| {
        let OtherVm { name, group, vcpus, allocation, load, .. } = other;
        let work = match load {
            CpuLoad::Constant { .. } => CpuWork::Constant,
            CpuLoad::Bursty { .. } => CpuWork::Bursty,
        };
        result(
            (name, group),
            work,
            (*vcpus, allocation),
            (*had, outcome.end.saturating_since(SimTime::ZERO)),
        )
    });
    guests.chain(others).collect()
}

/// Ready time of the VM of a group that has the most, in percent; nothing where nobody waits for processors.
pub(super) fn most_ready(experiment: &Experiment, outcome: &Outcome, group: &str) -> Option<f64> {
    let of_group = results(experiment, outcome).into_iter().filter(|of| of.group == group);
    of_group.map(|of| of.ready_percent).reduce(f64::max)
}

fn result(
    (name, group): (&str, &str),
    work: CpuWork,
    (vcpus, allocation): (u32, &CpuAllocation),
    (had, span): (CpuTime, SimDuration),
) -> CpuResult {
    let seconds = span.as_secs_f64();
    let over = |time: SimDuration| if seconds > 0.0 { time.as_secs_f64() / seconds } else { 0.0 };
    let mhz = |amount: Frequency| amount.khz() as f64 / 1e3;
    CpuResult {
        vm: name.to_string(),
        group: group.to_string(),
        work,
        vcpus,
        shares: allocation.shares,
        reservation_mhz: mhz(allocation.reservation),
        limit_mhz: allocation.limit.map(mhz),
        wanted_cores: over(had.wanted),
        got_cores: over(had.done),
        ready_percent: 100.0 * over(had.ready) / f64::from(vcpus),
    }
}

/// What a reader must know of experiments in which VMs share cores; each sentence once.
pub(super) fn notes<'e>(experiments: impl IntoIterator<Item = &'e Experiment>) -> Vec<String> {
    let shared = experiments.into_iter().filter(|one| one.shares_any_processors());
    let shared: Vec<&Experiment> = shared.collect();
    let is_fluid = |one: &&&Experiment| one.cpu.scheduler == CpuScheduler::Fluid;
    let predicted = "the host's processors are shared: what that does to latencies is a prediction, \
        since no measurement of inference on over-committed processors is published";
    let fluid = "scheduler = \"fluid\": its means are right and its tails too good, for nobody waits \
        until a quantum ends; p99 is that of scheduler = \"quantum\"";
    let notes = [(predicted, shared.first()), (fluid, shared.iter().find(is_fluid))];
    notes.into_iter().filter(|(_, of)| of.is_some()).map(|(note, _)| note.to_string()).collect()
}
