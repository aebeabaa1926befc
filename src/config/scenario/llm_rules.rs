//! Rules between VMs that serve LLMs and the rest of a run: what is not simulated beside them yet.

use super::guest::Guest;
use super::machine::Machine;
use super::other_vm::Other;
use crate::config::text::{Diagnostic, Problems, Spot};

/// Checks the guests of one machine, copies by themselves.
pub(super) fn check(machine: &Machine, guests: &[Guest], others: &[Other], problems: &Problems) {
    let Some(first) = guests.iter().find(|guest| guest.vm.llm.is_some()) else { return };
    let limit = machine.host.logical_processors.value;
    let own = guests.iter().map(|guest| u64::from(guest.vm.vcpus));
    let beside =
        others.iter().map(|other| u64::from(other.vm.vcpus) * u64::from(other.copies.unwrap_or(1)));
    let vcpus: u64 = own.chain(beside).sum();
    if !others.is_empty() {
        let title = "a VM with `cpu_load` beside one that serves an LLM is not simulated yet";
        let help = "drop it: an engine's host time is as measured alone";
        problems.push(Diagnostic::at(&first.spots.name, title).help(help));
    } else if vcpus > u64::from(limit) {
        let title = format!(
            "{vcpus} vCPUs are more than {} has logical processors ({limit}): beside a VM that serves an LLM that is \
             not simulated yet",
            machine.host.id
        );
        let found = Diagnostic::at(&first.spots.vcpus, title);
        problems.push(found.allowed(format!("up to {limit} vCPUs in all")));
    }
}

/// Refuses what happens to VMs while a run goes on, if one of them serves an LLM.
pub(super) fn refuse_operations(guests: &[Guest], problems: &Problems) -> bool {
    let Some(first) = guests.iter().find(|guest| guest.vm.llm.is_some()) else { return false };
    let title = "operations in a run with a VM that serves an LLM are not simulated yet";
    let help = "drop [[operation]] and [operations]";
    problems.push(Diagnostic::at(&first.spots.name, title).help(help));
    true
}

/// Where a VM serves an LLM: what such a run would stand beside is not simulated yet.
pub(super) fn of_any(guests: &[Guest]) -> Option<(&Spot, &'static str)> {
    let found = guests.iter().find(|guest| guest.vm.llm.is_some());
    found.map(|guest| (&guest.spots.name, "a VM that serves an LLM"))
}
