//! `longest-wait`: how long a VM with work waits for its turn at most.
//!
//! Stated for the case that all others have work; where the others are idle it is less. A VM that
//! runs past its slices has that said with it.

use super::super::node::Node;
use super::super::place::{Place, TurnsBy, longest_wait};
use super::super::seen::{Group, Seen};
use super::super::sentence::Said;
use super::super::words::{exact, three};

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = batches.place();
        if let Some(node) = place.node {
            return of_pod(seen, group, place, &node);
        }
        let longest = seen.longest_batch_beside(group.vms[0], place.share);
        let wait = longest_wait(place, longest)?.ok()?;
        let turns = place.turns()?;
        let over = match turns.overshoot {
            0.0 => String::new(),
            x if x.is_finite() => format!(", each with an overshoot of {}", exact(x)),
            _ => format!(", each with the rest of a batch of up to {}", exact(longest)),
        };
        let ring = matches!(turns.by, TurnsBy::BestEffort | TurnsBy::Processes) && turns.owners > 2;
        let again = match ring {
            true => ", one of them a second turn of the present holder, where the next turn was promised before the VM had work",
            false => "",
        };
        let text = format!(
            "Its longest wait for a turn is {}, if all others have work: {} of {} and {} of {}{over}{again}.",
            exact(wait.nanos),
            counted(wait.turns, "turn"),
            exact(turns.slice),
            counted(wait.switches, "switch"),
            exact(turns.switch),
        );
        let said = Said::new(seen.about(group), text)
            .with("longest_wait_ms", wait.nanos / 1e6)
            .with("turns_of_others_count", wait.turns)
            .with("switches_count", wait.switches)
            .with("switch_ms", turns.switch / 1e6);
        Some(said)
    });
    said.collect()
}

fn counted(count: f64, noun: &str) -> String {
    crate::units::counted(three(count), noun)
}

/// Of a pod: for the pods beside it, and for its VM's turn as often as that ends meanwhile.
fn of_pod(seen: &Seen<'_>, group: &Group, place: &Place<'_>, node: &Node) -> Option<Said> {
    let turns = place.turns()?;
    let longest = seen.longest_batch_beside(group.vms[0], place.share);
    // Nobody beside the VM, and it gives up no turn.
    let of_vm = match longest_wait(place, longest) {
        Some(wait) => wait.ok()?.nanos,
        None => 0.0,
    };
    let (inside, times) = match node.longest_wait(turns.slice) {
        Some((wait, times)) => (Some(wait), times),
        None => (None, 1.0),
    };
    let nanos = inside.map_or(0.0, |wait| wait.nanos) + times * of_vm;
    if nanos <= 0.0 {
        return None;
    }
    let mut parts = Vec::new();
    if let (Some(wait), Some([slice, switch])) = (inside, node.slices()) {
        parts.push(format!(
            "{} of {} of the pods beside it and {} of {}",
            counted(wait.turns, "slice"),
            exact(slice),
            counted(wait.switches, "switch"),
            exact(switch)
        ));
    }
    if of_vm > 0.0 {
        parts.push(format!("{} of its VM of {}", counted(times, "wait"), exact(of_vm)));
    }
    let text = format!(
        "Its longest wait for a turn is {}, if all others have work: {}.",
        exact(nanos),
        parts.join(", and ")
    );
    let said = Said::new(seen.about(group), text)
        .with("longest_wait_ms", nanos / 1e6)
        .with("wait_of_vm_ms", of_vm / 1e6);
    Some(said)
}
