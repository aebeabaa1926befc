//! `not-known`: a number that cannot be had, and why.

use super::super::batch::Batches;
use super::super::memory;
use super::super::place::longest_wait;
use super::super::seen::{Group, Seen};
use super::super::sentence::Said;
use super::super::trials::What;
use super::super::words::ns;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let mut said = Vec::new();
    for (group, batches) in seen.with_batches() {
        said.extend(of_wait(seen, group, &batches));
        said.extend(of_memory(seen, group, &batches));
    }
    said.extend(of_trials(seen));
    said
}

fn of_wait(seen: &Seen<'_>, group: &Group, batches: &Batches<'_>) -> Option<Said> {
    let why = longest_wait(batches.place(), 0.0)?.err()?;
    let turns = batches.place().turns()?;
    let text = format!(
        "The longest wait for a turn is not known, because {why}; a turn is {}, and {} owners take turns.",
        ns(turns.slice),
        turns.owners
    );
    let said = Said::new(seen.about(group), text);
    Some(said.with("slice_ms", turns.slice / 1e6).with("owners_count", turns.owners as f64))
}

fn of_memory(seen: &Seen<'_>, group: &Group, batches: &Batches<'_>) -> Option<Said> {
    if memory::limit(batches.place()).is_some() {
        return None;
    }
    let need = memory::need(seen.experiment, group.vms[0]).get() as f64 / 1_073_741_824.0;
    let text = format!(
        "How much of its memory it needs is not known, because the memory of its GPU instance is not published; its batches need {need:.2} GiB."
    );
    Some(Said::new(seen.about(group), text).with("need_gib", need))
}

/// What was given up.
fn of_trials(seen: &Seen<'_>) -> Option<Said> {
    let lost = seen.trials.tried.iter().filter(|trial| {
        trial.outcome.is_none() && matches!(trial.what, What::Unknown(_) | What::Alone(_))
    });
    let (count, all) = (lost.count(), seen.trials.tried.len());
    (count > 0).then(|| {
        let text = format!(
            "What {count} of {all} other values would do is not known, because those runs took more than five times the work of this one and were given up."
        );
        Said::new(Default::default(), text).with("given_up_count", count as f64)
    })
}
