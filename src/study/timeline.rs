//! A short time of one run of a scenario, with what each owner had of each engine in it.

use super::results::{Head, Side};
use crate::gpu::Phase;
use crate::platform::{InstanceTimeline, Timeline, record_and_tell};
use crate::spec::{Baseline, Pair, Scenario};
use crate::units::{SimDuration, SimTime};

/// A window of a run.
#[derive(Clone, Debug)]
pub struct TimelineResults {
    /// The program and the input.
    pub head: Head,
    /// The pair's name.
    pub run: String,
    /// The side of the pair.
    pub side: Side,
    /// For a baseline, `same-cards`, `whole-cards` or `twin`.
    pub baseline_kind: Option<&'static str>,
    /// The hypervisor's catalogue name.
    pub platform: String,
    /// The length that was asked for; the window starts where it was to start.
    pub asked: SimDuration,
    /// What happened.
    pub timeline: Timeline,
    /// What each owner had of each engine in the window.
    pub engine_times: Vec<EngineTime>,
}

/// What an owner had of an engine in the window.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineTime {
    /// The card, from 0.
    pub card: usize,
    /// The instance of the card, from 0.
    pub instance: usize,
    /// The owner.
    pub owner: String,
    /// How many turns of it, or spells of work where there are no turns, touch the window.
    pub turns: u64,
    /// Work, its overshoot included.
    pub run: SimDuration,
    /// Work past the ends of slices; part of `run`.
    pub overshoot: SimDuration,
    /// Its turns without work while another had work.
    pub burned: SimDuration,
    /// Its turns without work while nobody had work.
    pub rest: SimDuration,
    /// The time in which the engine was passed to it.
    pub switch: SimDuration,
    /// `run` times the part of the GPU's SMs that it had.
    pub sm_time: f64,
}

/// Watches a run of a scenario from `from` on: the virtual run of a pair, or a baseline of it. `told` hears now
/// and then which part of the time up to the window's end is simulated.
pub fn timeline(
    scenario: &Scenario,
    pair: &Pair,
    baseline: Option<&Baseline>,
    from: SimTime,
    length: SimDuration,
    told: &dyn Fn(f64),
) -> TimelineResults {
    let run = baseline.map_or(&pair.virtual_run, |baseline| &baseline.run);
    let timeline = record_and_tell(&run.experiment, from, length, told);
    let instances = timeline.cards.iter().enumerate().flat_map(|(card, of)| {
        of.instances.iter().enumerate().map(move |(index, of)| (card, index, of))
    });
    let engine_times = instances
        .flat_map(|(card, index, of)| engine_times(&timeline, (card, index), of))
        .collect();
    TimelineResults {
        head: Head::from(scenario),
        run: pair.name.clone(),
        side: if baseline.is_some() { Side::Baseline } else { Side::Virtual },
        baseline_kind: baseline.map(|baseline| baseline.kind.word()),
        platform: run.experiment.hypervisor.id.clone(),
        asked: length,
        timeline,
        engine_times,
    }
}

fn engine_times(
    timeline: &Timeline,
    (card, instance): (usize, usize),
    of: &InstanceTimeline,
) -> Vec<EngineTime> {
    let slots = of.phases.iter().map(|span| span.slot + 1).max().unwrap_or(0);
    let slots = slots.max(of.owners.len() as u16);
    let of_slot = |slot: u16| {
        let zero = SimDuration::ZERO;
        let mut time = EngineTime {
            card,
            instance,
            owner: of.owner(slot).to_string(),
            turns: 0,
            run: zero,
            overshoot: zero,
            burned: zero,
            rest: zero,
            switch: zero,
            sm_time: 0.0,
        };
        let mut turn = None;
        for span in of.phases.iter().filter(|span| span.slot == slot) {
            let Some((start, end)) = timeline.cut(span.start, span.end) else { continue };
            let length = end - start;
            if !matches!(span.phase, Phase::Switch | Phase::Capped) && turn != Some(span.turn) {
                time.turns += 1;
                turn = Some(span.turn);
            }
            if Timeline::works(span.phase) {
                time.run += length;
                time.sm_time += length.as_secs_f64() * span.share;
            }
            match span.phase {
                Phase::Overshoot => time.overshoot += length,
                Phase::Burned => time.burned += length,
                Phase::Rest => time.rest += length,
                Phase::Switch => time.switch += length,
                Phase::Run | Phase::Capped => {}
            }
        }
        time
    };
    (0..slots).map(of_slot).collect()
}
