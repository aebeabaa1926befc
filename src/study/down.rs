//! How long none of the VMs that share a load served: each is down or stands still for its own times, and a
//! replica serves from when it has started until the rule stops it.

use crate::platform::Outcome;
use crate::spec::{Balance, VmId};
use crate::units::SimTime;

/// Seconds up to `end` in which no member serves.
pub(super) fn down_s(outcome: &Outcome, balance: &Balance, end: SimTime) -> f64 {
    let members = balance.members.iter().enumerate();
    let mut serves: Vec<[SimTime; 2]> = members
        .flat_map(|(place, &vm)| {
            let is_first = balance.replicas.is_none_or(|rule| place < rule.min as usize);
            let wanted = wanted(outcome, vm, is_first, end);
            wanted.into_iter().flat_map(move |span| without_stops(outcome, vm, span))
        })
        .collect();
    serves.sort_unstable();
    let (mut reached, mut down) = (SimTime::ZERO, 0.0);
    for [from, to] in serves {
        down += from.saturating_since(reached).as_secs_f64();
        reached = reached.max(to);
    }
    down + end.saturating_since(reached).as_secs_f64()
}

/// When a member is wanted and has started.
fn wanted(outcome: &Outcome, vm: VmId, is_first: bool, end: SimTime) -> Vec<[SimTime; 2]> {
    let mut since = is_first.then_some(SimTime::ZERO);
    let mut spans = Vec::new();
    for scaled in outcome.scaled.iter().filter(|scaled| scaled.vm == vm) {
        match scaled.start {
            Some(start) => since = Some(scaled.at + start),
            None => spans.extend(since.take().map(|from| [from, scaled.at])),
        }
    }
    spans.extend(since.map(|from| [from, end]));
    // One that was stopped before it had started never served.
    spans.retain(|[from, to]| from < to);
    spans
}

/// The parts of a span in which a VM neither stands still nor is down.
fn without_stops(outcome: &Outcome, vm: VmId, [from, to]: [SimTime; 2]) -> Vec<[SimTime; 2]> {
    let recorder = &outcome.vms[usize::from(vm.0)].recorder;
    let stops = recorder.over_time().into_iter().flat_map(|found| found.stops());
    let (mut at, mut parts) = (from, Vec::new());
    for stop in stops {
        parts.push([at, stop.from.min(to)]);
        at = at.max(stop.to);
    }
    parts.push([at, to]);
    parts.retain(|[from, to]| from < to);
    parts
}
