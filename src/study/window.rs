//! A short time of a run for its report: some turns or batches, watched in a simulation of its own.
//!
//! Nothing of it is part of the results, and no run pays for it.

use super::results::Results;
use super::run_verdict;
use super::timeline::{TimelineResults, timeline};
use crate::platform::{CardTimeline, Timeline, WindowEnd, record_at_most};
use crate::record::Stage;
use crate::spec::{Experiment, Scenario};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// A short time of a run, or why none is shown.
#[derive(Clone, Debug)]
pub struct RunWindow {
    /// What happened; nothing where there is nothing to show.
    pub seen: Option<TimelineResults>,
    /// What is shown, or why nothing is, as sentences.
    pub said: String,
    /// The words of the command that makes the trace of it: those behind the file and what sets its keys, which
    /// whoever knows the command line puts before them.
    pub command: Vec<String>,
}

/// Turns or batches that a window shows, at least and at most.
const FEWEST: usize = 3;
const MOST: usize = 8;
/// Where a window is looked for: after the first second, or from the start of a shorter run; in so long, or
/// in longer ones of those that follow.
const FROM: [SimTime; 2] = [SimTime::from_nanos(1_000_000_000), SimTime::ZERO];
const LOOKED_MS: [u64; 4] = [50, 400, 3_200, 25_600];
/// What is shown where there are too few turns.
const BATCHES: &str = "batches";
/// Spans that a look records at most: a tenth of what the recording of the window has room for, so that this
/// is never cut.
const SPANS: usize = 20_000;

/// Watches a short time of the run that the verdict is about: of the one that misses its bound by most, or of
/// the first.
pub fn window(scenario: &Scenario, results: &Results) -> RunWindow {
    let pair = &scenario.pairs[run_verdict::failing(results).unwrap_or(0)];
    let Some((from, length, what)) = chosen(&pair.virtual_run.experiment) else {
        let said = format!(
            "No timeline: no batch of {} ran on a GPU in the time that was looked at.",
            pair.name
        );
        return RunWindow { seen: None, said, command: Vec::new() };
    };
    let seen = timeline(scenario, pair, None, from, length, &|_| {});
    let said = format!(
        "{} of the run {}, from {} on: {what} on the GPU with the most work then. It was simulated once \
         more up to there, with the same random numbers. The whole trace is made by:",
        seen.timeline.until.saturating_since(from),
        pair.name,
        if from == SimTime::ZERO { "0 s".to_string() } else { from.to_string() },
    );
    let ms = |nanoseconds: u64| format!("{}ms", nanoseconds as f64 / 1e6);
    let (from, length) = (ms(from.as_nanos()), ms(length.as_nanos()));
    let mut command = vec!["--from".to_string(), from, "--for".to_string(), length];
    if scenario.pairs.len() > 1 {
        command.extend(["--run".to_string(), pair.name.clone()]);
    }
    RunWindow { seen: Some(seen), said, command }
}

/// The start and the length of a window with some turns or batches, and what it shows; nothing where nothing
/// ran.
fn chosen(experiment: &Experiment) -> Option<(SimTime, SimDuration, String)> {
    for from in FROM {
        let mut found: Option<(Vec<Spell>, &'static str)> = None;
        for length in LOOKED_MS {
            let length = SimDuration::from_nanos(length * 1_000_000);
            let timeline = record_at_most(experiment, from, length, SPANS);
            let is_last = timeline.ending != WindowEnd::Asked;
            found = spells(&timeline).or(found);
            let enough = found.as_ref().is_some_and(|(spells, _)| spells.len() >= MOST);
            if enough || is_last {
                break;
            }
        }
        if let Some((spells, what)) = found {
            let shown = &spells[..spells.len().min(MOST)];
            let end = shown.iter().map(|spell| spell.end).max().unwrap_or(from);
            let (start, length) = rounded(shown[0].start, end);
            return Some((start, length, told(shown.len(), what)));
        }
    }
    None
}

/// What a window shows, in words.
fn told(count: usize, what: &str) -> String {
    match (count, what) {
        (1, BATCHES) => "one batch".to_string(),
        (1, _) => "one turn with work".to_string(),
        _ => format!("{count} {what}"),
    }
}

/// A turn with work, or a batch on a GPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Spell {
    start: SimTime,
    end: SimTime,
}

/// The turns of the card with the most work, or its batches where there are few turns, in the order of their
/// starts; with what they are.
fn spells(timeline: &Timeline) -> Option<(Vec<Spell>, &'static str)> {
    let work = |card: &CardTimeline| -> u64 {
        let phases = card.instances.iter().flat_map(|instance| &instance.phases);
        let works = phases.filter(|span| Timeline::works(span.phase));
        let cut = works.filter_map(|span| timeline.cut(span.start, span.end));
        cut.map(|(start, end)| (end - start).as_nanos()).sum()
    };
    let cards = timeline.cards.iter().enumerate().map(|(index, card)| (index, work(card)));
    let busiest = cards.filter(|(_, work)| *work > 0);
    let (card, _) = busiest.reduce(|most, one| if one.1 > most.1 { one } else { most })?;
    let mut turns: BTreeMap<(usize, u16, SimTime), Spell> = BTreeMap::new();
    for (place, instance) in timeline.cards[card].instances.iter().enumerate() {
        if !instance.sharing.takes_turns() {
            continue;
        }
        for span in instance.phases.iter().filter(|span| Timeline::works(span.phase)) {
            let Some((start, end)) = timeline.cut(span.start, span.end) else { continue };
            let spell = turns.entry((place, span.slot, span.turn)).or_insert(Spell { start, end });
            spell.end = spell.end.max(end);
        }
    }
    let mut spells: Vec<Spell> = turns.into_values().collect();
    let mut what = "turns with work";
    if spells.len() < FEWEST {
        let batches = timeline.batches.iter().filter(|batch| usize::from(batch.card) == card);
        let stages = batches.flat_map(|batch| &batch.stages);
        let on_gpu = stages.filter(|stage| stage.stage == Stage::Gpu);
        let cut = on_gpu.filter_map(|stage| timeline.cut(stage.start, stage.end));
        spells = cut.map(|(start, end)| Spell { start, end }).collect();
        what = BATCHES;
    }
    spells.sort_unstable();
    (!spells.is_empty()).then_some((spells, what))
}

/// The window around both times in round numbers: tenths of milliseconds, or microseconds where it is short.
fn rounded(start: SimTime, end: SimTime) -> (SimTime, SimDuration) {
    let long = end.saturating_since(start).as_nanos() >= 10_000_000;
    let unit = if long { 100_000 } else { 1_000 };
    let start = start.as_nanos() / unit * unit;
    let end = end.as_nanos().div_ceil(unit).max(start / unit + 1) * unit;
    (SimTime::from_nanos(start), SimDuration::from_nanos(end - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_round_and_has_both_ends_in_it() {
        let at = SimTime::from_nanos;
        let (start, length) = rounded(at(1_000_123_456), at(1_020_987_654));
        assert_eq!((start.as_nanos(), length.as_nanos()), (1_000_100_000, 20_900_000));
        let (start, length) = rounded(at(1_000_123_456), at(1_000_987_654));
        assert_eq!((start.as_nanos(), length.as_nanos()), (1_000_123_000, 865_000));
        // Of no length there is one all the same.
        assert_eq!(rounded(at(5_000), at(5_000)).1.as_nanos(), 1_000);
    }
}
