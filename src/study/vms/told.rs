//! Sentences on a search for the number of VMs: what prevents one more VM, and notes.

use super::search::{CountRuns, Probe, Search, WorstVm};
use super::{Obstacle, WayResult};
use crate::spec::Experiment;
use crate::study::border::Ended;
use crate::study::probe::too_late;
use crate::units::counted;

/// Where no number is VALID: the failures with the fewest and with the most VMs.
pub(super) fn both_ends(counts: &[u32], looks: &CountRuns, stopped: String, vms: u32) -> String {
    let most = counts.last().filter(|_| vms == 0 && counts.len() > 1);
    let told = most.and_then(|most| Some((most, looks.get(most)?)));
    match told {
        Some((most, look)) => {
            format!("{stopped}; with {}, {}", counted(most, "VM"), look.failed.join("; "))
        }
        None => stopped,
    }
}

/// What prevents `next` VMs, the next number that has a place.
pub(super) fn stopped(runs: &[&Search<'_>], next: u32, looks: &CountRuns) -> String {
    // The first replication in which it fails tells how.
    let probes = runs.iter().filter_map(|search| Some((search, search.probes.get(&next)?)));
    let failing = probes.into_iter().find(|(_, probe)| !probe.valid);
    match failing {
        Some((search, Probe { seen: Some(seen), .. })) => in_words(&search.run(next), seen),
        Some((search, Probe { lost: Some(lost), .. })) => {
            let vm = &search.run(next).vms[usize::from(lost.0)];
            format!("{}: {}", vm.name, too_late(vm))
        }
        _ => looks.get(&next).map_or(String::new(), |look| look.failed.join("; ")),
    }
}

/// Which VM misses what, and by how much.
fn in_words(run: &Experiment, seen: &WorstVm) -> String {
    let vm = run.vms.iter().find(|vm| vm.name == seen.vm).expect("a VM of the run");
    let target = vm.load.settings.target_latency;
    let bound = target.as_millis_f64();
    let asked = vm.load.settings.target_qps;
    if seen.completed_per_s < 0.98 * asked {
        return format!(
            "{} is overloaded: it completes {:.0} of {asked} per second",
            seen.vm, seen.completed_per_s
        );
    }
    if vm.load.settings.percentile == 99.0 && seen.p99 > bound {
        let over = (seen.p99 / bound - 1.0) * 100.0;
        return format!(
            "{} has p99 {}, {over:.2} % over the bound of {target}",
            seen.vm,
            in_time(seen.p99)
        );
    }
    format!("{}: {}", seen.vm, seen.failed.join("; "))
}

/// Milliseconds to a ten-thousandth of one, those of ten seconds and more in seconds.
fn in_time(ms: f64) -> String {
    if ms < 10_000.0 { format!("{ms:.4} ms") } else { format!("{:.2} s", ms / 1e3) }
}

/// Notes to be read before the figures.
pub(super) fn notes(ways: &[WayResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for way in ways {
        if !way.invalid_below.is_empty() {
            notes.push(format!(
                "{}: with {} all are VALID, with fewer not ({}): the cards are shared in another way with them, or their own queue fills too slowly",
                way.name,
                counted(way.vms, "VM"),
                ranges(&way.invalid_below)
            ));
        }
        if way.ended != Ended::Complete {
            let why = match way.ended {
                Ended::Work => "it reached the limit on simulated work",
                _ => "it was stopped by its time limit, so that another run may find more",
            };
            notes.push(format!(
                "{}: the search ended early: {why}; {} is the highest number known \
                to be VALID, and more may be",
                way.name, way.vms
            ));
        }
        if way.valid_with_more_work == Some(false) {
            notes.push(format!(
                "{}: with 1 % more GPU work {} would be INVALID; rely on {}",
                way.name,
                counted(way.vms, "VM"),
                way.vms - 1
            ));
        }
        let left = way.cards - way.cards_used;
        if way.stopped_by == Obstacle::Latency && way.vms > 0 && left > 0 {
            notes.push(format!(
                "{}: one card misses the bound while {left} of {} have no VM; assignment = \
                 \"spread\" would use them",
                way.name, way.cards
            ));
        }
    }
    notes
}

/// Rising numbers as ranges: `1 to 3, 6`.
pub fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some([_, last]) if *last + 1 == number => *last = number,
            _ => runs.push([number, number]),
        }
    }
    let runs = runs.iter().map(|[first, last]| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    runs.collect::<Vec<_>>().join(", ")
}
