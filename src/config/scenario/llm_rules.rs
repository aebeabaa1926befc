//! Rules between VMs that serve LLMs and the rest of a run: what is not simulated beside them yet.

use super::guest::Guest;
use super::holding::{Holding, Mode};
use crate::config::text::{Diagnostic, Problems};

/// Checks the guests of one machine: under MPS an engine's steps and other batches side by side were not measured.
pub(super) fn check(guests: &[Guest], problems: &Problems) {
    let is_client = |guest: &&Guest| matches!(&guest.holding, Holding::Process(process) if process.mode == Mode::Mps);
    let (engines, others): (Vec<&Guest>, Vec<&Guest>) =
        guests.iter().filter(is_client).partition(|guest| guest.vm.llm.is_some());
    if let (Some(engine), Some(_)) = (engines.first(), others.first()) {
        let title = "clients of MPS that serve LLMs beside others that do not are not known: nobody measured it";
        let help = "give them GPU instances or time slices, or simulate them apart";
        problems.push(Diagnostic::at(&engine.spots.cards, title).help(help));
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

/// Refuses a search for the highest rate, if one of them serves an LLM: what it is judged by is not searched yet.
pub(super) fn refuse_search(guests: &[Guest], problems: &Problems) {
    let Some(first) = guests.iter().find(|guest| guest.vm.llm.is_some()) else { return };
    let title = "a search for the highest rate with a VM that serves an LLM is not simulated yet";
    let help = "`slicewise run` tells the requests within `goodput`, a sweep over `vm.load.rate` at several rates";
    problems.push(Diagnostic::at(&first.spots.name, title).help(help));
}
