//! Sentences on a search for the number of VMs: what prevents one more VM, and notes.

use super::search::{CountRuns, Probe, Search, WorstVm};
use super::{Obstacle, WayResult};
use crate::spec::Experiment;
use crate::study::border::Ended;
use crate::study::figures::digits;
use crate::study::probe::too_late;
use crate::study::verdict::{Verdict, time};
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

/// The verdict: the way with the most VMs, what prevents one more there, and the way with the fewest.
/// Ways whose VMs have other loads do not compare: each load has its own sentences.
pub(super) fn verdict(group: &str, ways: &[WayResult]) -> Verdict {
    if ways.is_empty() {
        return Verdict::default();
    }
    if ways.iter().all(|way| way.vms == 0) {
        let way = &ways[0];
        let stopped =
            if way.stopped.is_empty() { String::new() } else { format!(": {}", way.stopped) };
        let which = match ways.len() {
            1 => String::new(),
            all => format!(" in any of {all} ways of sharing ({})", way.name),
        };
        let sentence = format!("NO: no number of VMs like {group} is VALID{which}{stopped}");
        return Verdict::of(Some(false), [sentence]);
    }
    let mut loads: Vec<Vec<&WayResult>> = Vec::new();
    for way in ways {
        let is_alike = |other: &&WayResult| {
            (other.asked_per_s, other.target_latency_ms) == (way.asked_per_s, way.target_latency_ms)
        };
        match loads.iter_mut().find(|alike| is_alike(&alike[0])) {
            Some(alike) => alike.push(way),
            None => loads.push(vec![way]),
        }
    }
    Verdict::of(None, loads.iter().flat_map(|alike| of_alike(group, alike)))
}

/// Ways whose VMs have one load.
fn of_alike(group: &str, ways: &[&WayResult]) -> Vec<String> {
    // Of equals the first.
    let more = |most: &&'_ WayResult, way: &&'_ WayResult| way.vms > most.vms;
    let Some(best) =
        ways.iter().copied().reduce(|most, way| if more(&most, &way) { way } else { most })
    else {
        return Vec::new();
    };
    let load =
        format!("at {}/s within {} each", digits(best.asked_per_s), time(best.target_latency_ms));
    let like = format!("like {group} {load}");
    let cards = ways.iter().any(|way| way.cards != best.cards);
    let count = |way: &WayResult| {
        let ends = [way.vms_inputs, way.vms_other_idle.map(|vms| [vms; 2])];
        let ends = ends
            .into_iter()
            .flatten()
            .fold([way.vms; 2], |[low, high], [least, most]| [low.min(least), high.max(most)]);
        let open = match ends {
            [low, high] if low == high => String::new(),
            [low, high] => format!(" ({low} to {high} by what was not measured)"),
        };
        let on = if cards { format!(" on {}", counted(way.cards, "card")) } else { String::new() };
        format!("{}{on}{open}", counted(way.vms, "VM"))
    };
    let mut told = vec![match ways.len() {
        1 => format!("at most {} {like} fit", count(best)),
        _ => format!("most has \"{}\": {} {like}", best.name, count(best)),
    }];
    let least =
        ways.iter().copied().reduce(|least, way| if way.vms < least.vms { way } else { least });
    let least = least.filter(|least| least.vms < best.vms);
    told.extend(match (least, ways.len()) {
        (Some(least), _) => Some(format!("least has \"{}\": {}", least.name, count(least))),
        (None, 1) if !best.stopped.is_empty() => Some(format!("one more: {}", best.stopped)),
        (None, 1) => None,
        (None, all) => Some(format!("all {all} ways of sharing have as many")),
    });
    told
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

#[cfg(test)]
mod tests {
    use super::*;

    fn way(name: &str, vms: u32, asked_per_s: f64) -> WayResult {
        WayResult {
            name: name.to_string(),
            vms,
            asked_per_s,
            target_latency_ms: 60.0,
            cards: 1,
            stopped: "no place".to_string(),
            ..WayResult::default()
        }
    }

    fn said(ways: &[WayResult]) -> String {
        verdict("bert", ways).sentences.join(" ")
    }

    #[test]
    fn the_verdict_names_the_most_and_the_fewest_of_one_load() {
        assert_eq!(
            said(&[way("one", 7, 150.0)]),
            "At most 7 VMs like bert at 150/s within 60 ms each fit. One more: no place."
        );
        assert_eq!(
            said(&[way("one", 3, 150.0), way("two", 7, 150.0)]),
            "Most has \"two\": 7 VMs like bert at 150/s within 60 ms each. Least has \"one\": 3 VMs."
        );
        let alike = said(&[way("one", 7, 150.0), way("two", 7, 150.0)]);
        assert!(alike.ends_with("All 2 ways of sharing have as many."), "{alike}");
        // Of two loads nothing is the most.
        let unlike = said(&[way("one", 3, 150.0), way("two", 7, 10.0)]);
        assert!(!unlike.contains("ost has") && unlike.contains("At most 3 VMs like bert at 150/s"));
    }

    #[test]
    fn the_verdict_says_what_is_open_and_what_never_holds() {
        let open = WayResult { vms_inputs: Some([5, 8]), ..way("one", 7, 150.0) };
        assert!(said(&[open]).contains("7 VMs (5 to 8 by what was not measured)"));
        let none = verdict("bert", &[way("one", 0, 150.0)]);
        assert_eq!(none.holds, Some(false));
        assert_eq!(none.sentences, ["NO: no number of VMs like bert is VALID: no place."]);
    }
}
