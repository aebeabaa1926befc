//! The amount that a command is about to simulate, printed before it starts when that takes more
//! than a few seconds.
//!
//! The time is an estimate: short pieces of the runs are timed here, on this machine as it is now.

use super::output;
use crate::study::{self, Planned};
use crate::units::counted;
use std::time::Instant;

/// From so many seconds on it is worth a line.
const WORTH_S: f64 = 5.0;

/// Fewer queries than these are simulated before anybody wonders: even the slowest pace, of single
/// samples on shared cards, is above 50 000 per second.
const QUERIES_FEW: f64 = 250_000.0;

/// So many runs are looked into; the rest is taken to be like them.
const LOOKED_INTO: usize = 8;

/// A piece that takes as long tells the pace.
const PIECE_S: f64 = 0.04;

/// Prints the amount of these runs, on `threads` threads or one per core. Returns whether anything
/// was printed.
pub(super) fn amount(planned: &[Planned], threads: Option<u16>) -> bool {
    let least: f64 =
        planned.iter().map(|one| study::queries_at_least(&one.experiment) * one.times).sum();
    if least < QUERIES_FEW && !planned.iter().any(has_long_loop) {
        return false;
    }
    let step = planned.len().div_ceil(LOOKED_INTO).max(1);
    let (mut queries, mut wall_s, mut longest_s, mut looked_at) = (0.0, 0.0, 0.0_f64, 0.0);
    for one in planned.iter().step_by(step) {
        let (found, seconds) = pace(one);
        queries += found.queries * one.times;
        wall_s += seconds * one.times;
        longest_s = longest_s.max(found.simulated_s);
        looked_at += one.times;
    }
    let runs: f64 = planned.iter().map(|one| one.times).sum();
    let all = runs / looked_at;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map_or(cores, usize::from).max(1) as f64;
    let wall_s = wall_s * all / threads.min(runs);
    if wall_s < WORTH_S {
        return false;
    }
    output::message(&format!(
        "simulating about {} queries in {}, the longest of {} simulated time; expect {}",
        rounded(queries * all),
        counted(runs.round(), "run"),
        span(longest_s),
        span(wall_s)
    ));
    if let Some(why) = planned.iter().find_map(|one| study::long_by_counts(&one.experiment)) {
        output::message(&why);
    }
    true
}

/// Whether a load without a rate may make many queries.
fn has_long_loop(one: &Planned) -> bool {
    longest_loop_s(one).is_some_and(|seconds| seconds * one.times > 60.0)
}

/// The longest duration of a load without a rate: how many queries it makes is not known.
fn longest_loop_s(one: &Planned) -> Option<f64> {
    let loads = one.experiment.vms.iter().map(|vm| &vm.load);
    let loops = loads.filter(|load| !study::has_rate(load.scenario));
    loops.map(|load| load.settings.min_duration.as_secs_f64()).reduce(f64::max)
}

/// What a run will be, and how long it takes here, in seconds. It begins with a piece of some 2000
/// queries, ten of each VM, and a second of any other load, and takes larger ones until one takes long enough.
fn pace(one: &Planned) -> (study::RunSize, f64) {
    let vms = one.experiment.vms.len() as f64;
    let of_loop = longest_loop_s(one).map_or(1.0, |seconds| 1.0 / seconds);
    let of_rate = 10.0 * vms.max(200.0) / study::queries_at_least(&one.experiment);
    // A piece is at least a query of each VM: of few VMs a hundredth of the run is long enough.
    let mut part = of_rate.min(of_loop).clamp(1e-9, if vms > 200.0 { 1.0 } else { 0.01 });
    let begun = Instant::now();
    study::estimate_size(&one.experiment, 1e-9);
    let setup = begun.elapsed().as_secs_f64();
    loop {
        let start = Instant::now();
        let found = study::estimate_size(&one.experiment, part);
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= PIECE_S || part >= 1.0 {
            return (found, setup + (seconds - setup).max(0.0) / part);
        }
        part = (part * 4.0).min(1.0);
    }
}

/// A count to two digits that matter, in words.
fn rounded(count: f64) -> String {
    let two = |value: f64| {
        if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
    };
    match count {
        count if count >= 999.5e6 => format!("{} billion", two(count / 1e9)),
        count if count >= 999.5e3 => format!("{} million", two(count / 1e6)),
        count => format!("{:.0}", (count / 1000.0).round() * 1000.0),
    }
}

/// A span to two digits that matter.
fn span(seconds: f64) -> String {
    let (value, unit) = match seconds {
        seconds if seconds >= 2.0 * 365.25 * 86_400.0 => (seconds / (365.25 * 86_400.0), "years"),
        seconds if seconds >= 2.0 * 86_400.0 => (seconds / 86_400.0, "days"),
        seconds if seconds >= 2.0 * 3600.0 => (seconds / 3600.0, "h"),
        seconds if seconds >= 120.0 => (seconds / 60.0, "min"),
        seconds => (seconds, "s"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_to_two_digits() {
        let counts = [3_244_032.0, 22_700_000.0, 812_345.0, 999_700.0, 4.2e9];
        let said = ["3.2 million", "23 million", "812000", "1.0 million", "4.2 billion"];
        assert_eq!(counts.map(rounded), said);
        let spans = [7.04, 119.0, 125.0, 27_033.0, 400_000.0, 1e9].map(span);
        assert_eq!(spans, ["7.0 s", "119 s", "2.1 min", "7.5 h", "4.6 days", "32 years"]);
    }
}
