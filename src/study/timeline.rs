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
    /// The owner; or a VM whose pods share its turns, which has a row before theirs.
    pub owner: String,
    /// How many turns of it, or spells of work where there are no turns, touch the window.
    pub turns: u64,
    /// Work, its overshoot included; of a VM with pods, of any of them.
    pub run: SimDuration,
    /// Work past the ends of slices; part of `run`.
    pub overshoot: SimDuration,
    /// Its turns without work while another had work.
    pub burned: SimDuration,
    /// Its turns without work while nobody had work.
    pub rest: SimDuration,
    /// The time in which the engine was passed to it; of a pod, within the turns of its VM.
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
    let empty = |owner: &str| {
        let zero = SimDuration::ZERO;
        EngineTime {
            card,
            instance,
            owner: owner.to_string(),
            turns: 0,
            run: zero,
            overshoot: zero,
            burned: zero,
            rest: zero,
            switch: zero,
            sm_time: 0.0,
        }
    };
    // Who has turns: owners, and VMs whose pods share them.
    let of_taker = |taker: &str, slots: &[u16]| {
        let mut time = empty(taker);
        let mut turn = None;
        // Pods may work at the same time.
        let mut worked_to = SimTime::ZERO;
        let mut overshot_to = SimTime::ZERO;
        for span in of.phases.iter().filter(|span| slots.contains(&span.slot)) {
            let Some((start, end)) = timeline.cut(span.start, span.end) else { continue };
            let length = end - start;
            if !matches!(span.phase, Phase::Switch | Phase::Capped) && turn != Some(span.turn) {
                time.turns += 1;
                turn = Some(span.turn);
            }
            if Timeline::works(span.phase) {
                time.run += end.saturating_since(start.max(worked_to));
                worked_to = worked_to.max(end);
                time.sm_time += length.as_secs_f64() * span.share;
            }
            match span.phase {
                Phase::Overshoot => {
                    time.overshoot += end.saturating_since(start.max(overshot_to));
                    overshot_to = overshot_to.max(end);
                }
                Phase::Burned => time.burned += length,
                Phase::Rest => time.rest += length,
                Phase::Switch => time.switch += length,
                Phase::Run | Phase::SwitchWithin | Phase::Capped => {}
            }
        }
        time
    };
    let of_pod = |slot: u16| {
        let mut time = empty(of.owner(slot));
        for turn in of.pod_turns(slot) {
            let spans =
                turn.iter().filter_map(|span| Some((span, timeline.cut(span.start, span.end)?)));
            let before = (time.run, time.switch);
            for (span, (start, end)) in spans {
                let length = end - start;
                match span.phase {
                    Phase::SwitchWithin => time.switch += length,
                    _ => {
                        time.run += length;
                        time.sm_time += length.as_secs_f64() * span.share;
                    }
                }
                if span.phase == Phase::Overshoot {
                    time.overshoot += length;
                }
            }
            time.turns += u64::from(before != (time.run, time.switch));
        }
        time
    };
    let mut times = Vec::new();
    for slot in 0..slots {
        if !of.is_pod(slot) {
            times.push(of_taker(of.owner(slot), &[slot]));
            continue;
        }
        let taker = of.taker(slot);
        let pods: Vec<u16> =
            (0..slots).filter(|pod| of.is_pod(*pod) && of.taker(*pod) == taker).collect();
        if pods[0] == slot {
            times.push(of_taker(taker, &pods));
        }
        times.push(of_pod(slot));
    }
    times
}
