//! The answer to one question: do this many VMs with a load keep their latency bound on these GPUs,
//! with each way of sharing? It is made from the rows of a sweep over the ways and from a search
//! for their capacities.
//!
//! The answer for a way is certain where it is the same for the whole range of every input that was
//! not measured; otherwise the deciding inputs are named.

use super::capacity::{CapacityResults, SystemCapacity};
use super::interval::student_95;
use super::open::OpenInput;
use super::results::{FactUse, OpenFigures, SCHEMA_VERSION, Tool};
use super::sweep::{PointRun, SweepResults};
use crate::spec::Sweep;
use serde::Serialize;
use std::collections::BTreeMap;

/// A yes-or-no answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Answered {
    /// The bound is missed for all values of the open inputs.
    #[serde(rename = "no")]
    No,
    /// It depends on the open inputs.
    #[serde(rename = "not sure")]
    NotSure,
    /// The bound is kept for all values of the open inputs.
    #[serde(rename = "yes")]
    Yes,
}

impl Answered {
    /// Its word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Answered::No => "no",
            Answered::NotSure => "not sure",
            Answered::Yes => "yes",
        }
    }
}

/// The question.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    /// The model, as the scenario names it.
    pub model: String,
    /// The GPU model.
    pub gpu: String,
    /// How many of them the VMs share.
    pub gpus: u32,
    /// How many VMs.
    pub vms: u32,
    /// Queries per second of each VM.
    pub rate_per_vm_per_s: f64,
    /// Whether that rate was given; otherwise it is a part of the highest rate of the best way, and
    /// the question is how much each VM can do.
    pub rate_was_asked: bool,
    /// The bound on the percentile, in milliseconds.
    pub bound_ms: f64,
    /// Whether the model fits its measurements: with a bad fit there is no answer.
    pub model_is_trusted: bool,
}

/// One way of sharing, answered.
#[derive(Clone, Debug, Serialize)]
pub struct WayAnswer {
    /// Its name, the same as that of its line in the sweep.
    pub name: String,
    /// Its word for `--sharing`.
    pub sharing: String,
    /// Each VM's share of the GPUs; empty where it has no place.
    pub each_has: String,
    /// How many GPUs it uses.
    pub cards: usize,
    /// Whether it is only shown for comparison: it needs more GPUs than there are, or has no VMs.
    pub is_reference: bool,
    /// Why it is not possible; then there are no figures.
    pub error: Option<String>,
    /// The figures.
    pub figures: Option<WayFigures>,
}

/// The figures of one way of sharing.
#[derive(Clone, Debug, Serialize)]
pub struct WayFigures {
    /// The answer.
    pub answer: Answered,
    /// Median of all VMs, mean over the replications, in milliseconds.
    pub latency_p50_ms: f64,
    /// 99th percentile of the VM that has the highest, mean over the replications, in milliseconds.
    pub latency_p99_ms: f64,
    /// The same over random numbers, open inputs, other fits and other machines: the least and the greatest.
    pub latency_p99_between_ms: [f64; 2],
    /// Part of the run in which the GPUs in use were busy.
    pub gpu_busy_share: f64,
    /// The highest rate of each VM that keeps the bound, queries per second; 0 where none does.
    pub highest_per_vm_per_s: f64,
    /// Its least and greatest value over the open inputs, where there are any.
    pub highest_per_vm_between_per_s: Option<[f64; 2]>,
    /// Whether every rate that was tried keeps the bound.
    pub highest_is_open: bool,
    /// The highest sustained rate at any latency, queries per second of each VM; nothing where no
    /// search found it.
    pub most_per_vm_per_s: Option<f64>,
    /// Whether the load is higher than that at any end of the open inputs: latencies are then those
    /// of the first queries, and grow as long as the load lasts.
    pub is_overload: bool,
    /// The inputs that were not measured and decide the answer, with 99th percentiles at their
    /// ends.
    pub decided_by: Vec<DecidedBy>,
}

/// An input that was not measured: at one end of its range a way keeps the bound, at the other it
/// misses it.
#[derive(Clone, Debug, Serialize)]
pub struct DecidedBy {
    /// The input.
    #[serde(flatten)]
    pub input: OpenInput,
    /// 99th percentile at the ends of its range, in milliseconds.
    pub latency_p99_ms: [f64; 2],
}

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the document.
    pub tool: Tool,
    /// The seed of every random stream.
    pub seed: u64,
    /// Hash of the scenario for this question.
    pub scenario_hash: String,
    /// The question.
    pub question: Question,
    /// The answer.
    pub answer: Answered,
    /// The way of sharing that the answer names, by index; nothing where none could be simulated,
    /// or none had to be.
    pub best: Option<usize>,
    /// Why nothing had to be simulated: a sentence.
    pub reason: Option<String>,
    /// Relative distance between the highest rate that keeps the bound and the next one that does
    /// not.
    pub precision: f64,
    /// Every way.
    pub ways: Vec<WayAnswer>,
    /// Service times scaled from another GPU: whole sentences; none where all are the GPU's own.
    pub scaled: Vec<String>,
    /// Measurements that are hardly right: whole sentences, to be read before all else.
    pub warnings: Vec<String>,
    /// The assumptions, the most important first: whole sentences.
    pub assumed: Vec<String>,
    /// The inputs that were not measured and change the highest rates, and by how much: whole
    /// sentences.
    pub open: Vec<String>,
    /// Notes of the sweep: whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers that the answer uses, each once.
    pub leans_on: Vec<FactUse>,
}

/// The parts of an answer.
pub struct Findings<'f> {
    /// The sweep over the ways, one point for each.
    pub sweep: &'f SweepResults,
    /// Its runs by point, in order of replication.
    pub runs: &'f BTreeMap<usize, Vec<PointRun>>,
    /// The capacities of the ways that can be simulated, under their names.
    pub capacities: &'f CapacityResults,
}

/// Puts the answer together.
pub fn answer(
    question: Question,
    ways: Vec<WayAnswer>,
    told: (Vec<String>, Vec<String>),
    found: &Findings<'_>,
) -> Answer {
    let ways: Vec<WayAnswer> = ways
        .into_iter()
        .enumerate()
        .map(|(index, way)| {
            let point = found.sweep.points.get(index);
            let runs = found.runs.get(&index).map_or(&[][..], Vec::as_slice);
            let figures = figures(&question, &way.name, runs, found.capacities);
            let error = figures.is_none().then(|| {
                point
                    .and_then(|point| point.error.clone())
                    .unwrap_or_else(|| "not simulated".to_string())
            });
            WayAnswer { error, figures, ..way }
        })
        .collect();
    let best = best(&question, &ways);
    let answer = best.and_then(|at| ways[at].figures.as_ref()).map_or(Answered::No, |of| {
        match question.rate_was_asked {
            true => of.answer,
            false if !question.model_is_trusted => Answered::NotSure,
            false if of.highest_per_vm_per_s > 0.0 => Answered::Yes,
            false => Answered::No,
        }
    });
    let Findings { sweep, capacities, .. } = found;
    let mut leans_on = sweep.leans_on.clone();
    leans_on.extend(capacities.leans_on.iter().cloned());
    leans_on.sort();
    leans_on.dedup();
    Answer {
        answer,
        best,
        scaled: sweep.scaled.clone(),
        open: capacities.notes.clone(),
        notes: sweep.notes.clone(),
        leans_on,
        ..no(question, ways, told, &sweep.sweep, capacities.precision)
    }
}

/// The answer "no", for a reason that needs no run.
pub fn answered_at_once(
    question: Question,
    ways: Vec<WayAnswer>,
    told: (Vec<String>, Vec<String>),
    sweep: &Sweep,
    (reason, precision): (String, f64),
) -> Answer {
    Answer { reason: Some(reason), ..no(question, ways, told, sweep, precision) }
}

/// The answer no, for no reason yet.
fn no(
    question: Question,
    ways: Vec<WayAnswer>,
    (warnings, assumed): (Vec<String>, Vec<String>),
    sweep: &Sweep,
    precision: f64,
) -> Answer {
    Answer {
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        seed: sweep.seed,
        scenario_hash: sweep.hash.clone(),
        question,
        answer: Answered::No,
        best: None,
        reason: None,
        precision,
        ways,
        scaled: Vec::new(),
        warnings,
        assumed,
        open: Vec::new(),
        notes: Vec::new(),
        leans_on: Vec::new(),
    }
}

/// The way that an answer is about: the surest yes, and of these the one that is best at its worst: at the rate
/// that was asked the lowest p99, without one the highest rate. None that only stands beside the others.
fn best(question: &Question, ways: &[WayAnswer]) -> Option<usize> {
    let rank = |way: &WayAnswer| {
        let of = way.figures.as_ref().filter(|_| !way.is_reference)?;
        let least = of.highest_per_vm_between_per_s.map_or(of.highest_per_vm_per_s, |ends| ends[0]);
        let good = if question.rate_was_asked { -of.latency_p99_between_ms[1] } else { least };
        // Under an overload latencies say nothing, and the highest rate counts.
        let good = if of.is_overload { least } else { good };
        Some((of.answer, !of.is_overload, good))
    };
    let ranked = ways.iter().enumerate().filter_map(|(index, way)| Some((rank(way)?, index)));
    let order = |a: &(Answered, bool, f64), b: &(Answered, bool, f64)| {
        a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2))
    };
    // Of equals the first.
    ranked
        .reduce(|best, next| if order(&next.0, &best.0).is_gt() { next } else { best })
        .map(|(_, at)| at)
}

fn figures(
    question: &Question,
    name: &str,
    runs: &[PointRun],
    capacities: &CapacityResults,
) -> Option<WayFigures> {
    let group = |run: &PointRun| run.groups.first().cloned();
    let first = runs.first()?;
    let of_first = group(first)?;
    let worst: Vec<f64> =
        runs.iter().filter_map(|run| Some(group(run)?.latency_p99_worst_vm_ms)).collect();
    let middles: Vec<f64> =
        runs.iter().filter_map(|run| Some(group(run)?.latency_ms.p50)).collect();
    let (p99, p50) = (student_95(&worst)?, student_95(&middles)?);
    let half = p99.half_width.unwrap_or(0.0);
    let mut between = [p99.mean - half, p99.mean + half];
    let mut widen = |ratio: f64| {
        between[0] = between[0].min(p99.mean * ratio);
        between[1] = between[1].max(p99.mean * ratio);
    };
    let over = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
    for ms in of_first.latency_p99_inputs_ms.into_iter().flatten() {
        widen(over(ms, of_first.latency_ms.p99));
    }
    of_first
        .latency_p99_other_idle_ms
        .iter()
        .for_each(|ms| widen(over(*ms, of_first.latency_ms.p99)));
    for open in &first.open {
        widen(over(open.latency_p99_worst_vm_ms, of_first.latency_p99_worst_vm_ms));
    }
    let system = capacities.systems.iter().find(|system| system.name == name);
    let each = |rate: f64| rate / f64::from(question.vms);
    let most = system.and_then(|system| Some(each(system.looked.as_ref()?.saturation_per_s)));
    let most = most.filter(|most| most.is_finite());
    let is_overload = question.rate_was_asked
        && most.is_some_and(|most| question.rate_per_vm_per_s > at_any_end(most, system));
    let bound = question.bound_ms;
    let answer = match between {
        _ if is_overload && question.model_is_trusted => Answered::No,
        _ if !question.model_is_trusted => Answered::NotSure,
        [_, most] if most <= bound => Answered::Yes,
        [least, _] if least > bound => Answered::No,
        _ => Answered::NotSure,
    };
    let own = of_first.latency_p99_worst_vm_ms;
    let busy: f64 = runs.iter().map(|run| run.gpu_busy_share).sum();
    Some(WayFigures {
        answer,
        latency_p50_ms: p50.mean,
        latency_p99_ms: p99.mean,
        latency_p99_between_ms: between,
        gpu_busy_share: busy / runs.len() as f64,
        highest_per_vm_per_s: system.map_or(0.0, |system| each(system.capacity_per_s.mean)),
        highest_per_vm_between_per_s: system
            .and_then(|system| system.capacity_per_s_between_inputs)
            .map(|ends| ends.map(each)),
        highest_is_open: system.is_some_and(|system| system.is_open),
        most_per_vm_per_s: most,
        is_overload,
        decided_by: match answer {
            Answered::NotSure => {
                let idle = of_first.latency_p99_other_idle_ms;
                let idle = idle.map(|ms| own * over(ms, of_first.latency_ms.p99));
                let mut found = decided_by(&first.open, own, bound);
                found.extend(idle.and_then(|other| decided_by_idle_turns(own, other, bound)));
                found
            }
            _ => Vec::new(),
        },
    })
}

/// What the GPUs do for long at the best end of every open input, as far as the highest rates show it; where
/// none was found, twice what is assumed. A twentieth more is no overload that a run shows.
fn at_any_end(most: f64, system: Option<&SystemCapacity>) -> f64 {
    let of_highest = |system: &SystemCapacity| {
        let [_, high] = system.capacity_per_s_between_inputs?;
        Some((high / system.capacity_per_s.mean).max(1.0))
    };
    let more = system.map_or(2.0, |system| match system.capacity_per_s.mean > 0.0 {
        true => of_highest(system).unwrap_or(1.0),
        false => 2.0,
    });
    1.05 * most * more
}

/// What becomes of idle turns, where the rule that is assumed and the other one differ about the bound.
fn decided_by_idle_turns(own: f64, other: f64, bound: f64) -> Option<DecidedBy> {
    ((own <= bound) != (other <= bound)).then(|| DecidedBy {
        input: OpenInput {
            name: "what happens to an idle turn under equal and fixed share".to_string(),
            why: "is not documented".to_string(),
            assumed: "burned".to_string(),
            ends: ["burned".to_string(), "rest-burned".to_string()],
            how: "measure one busy VM beside idle ones, and write sharing.idle into the scenario"
                .to_string(),
        },
        latency_p99_ms: [own, other],
    })
}

/// The inputs of which one end, or the value that is assumed, keeps the bound and another does not.
fn decided_by(open: &[OpenFigures], own: f64, bound: f64) -> Vec<DecidedBy> {
    let mut inputs: Vec<&OpenInput> = Vec::new();
    for figures in open {
        if !inputs.contains(&&figures.end.input) {
            inputs.push(&figures.end.input);
        }
    }
    let decides = |input: &&OpenInput| {
        let at = |end: usize| {
            let found = open.iter().find(|one| one.end.input == **input && one.end.end == end);
            found.map_or(own, |one| one.latency_p99_worst_vm_ms)
        };
        let ends = [at(0), at(1)];
        let keeps: Vec<bool> = [ends[0], own, ends[1]].iter().map(|ms| *ms <= bound).collect();
        (keeps.contains(&true) && keeps.contains(&false))
            .then(|| DecidedBy { input: (*input).clone(), latency_p99_ms: ends })
    };
    let mut found: Vec<DecidedBy> = inputs.iter().filter_map(decides).collect();
    // What moves it most stands first.
    let swing = |of: &DecidedBy| (of.latency_p99_ms[1] / of.latency_p99_ms[0]).ln().abs();
    found.sort_by(|a, b| swing(b).total_cmp(&swing(a)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::open::OpenEnd;

    fn way(name: &str, is_reference: bool, answer: Answered, highest: f64) -> WayAnswer {
        WayAnswer {
            name: name.to_string(),
            sharing: String::new(),
            each_has: String::new(),
            cards: 1,
            is_reference,
            error: None,
            figures: Some(WayFigures {
                answer,
                latency_p50_ms: 1.0,
                latency_p99_ms: 1.0,
                latency_p99_between_ms: [1.0, 1.0],
                gpu_busy_share: 0.5,
                highest_per_vm_per_s: highest,
                highest_per_vm_between_per_s: None,
                highest_is_open: false,
                most_per_vm_per_s: None,
                is_overload: false,
                decided_by: Vec::new(),
            }),
        }
    }

    #[test]
    fn the_answer_is_about_the_surest_way_that_there_is() {
        let ways = [
            way("unsure", false, Answered::NotSure, 900.0),
            way("low", false, Answered::Yes, 50.0),
            way("high", false, Answered::Yes, 80.0),
            way("beside", true, Answered::Yes, 1000.0),
        ];
        let question = |rate_was_asked| Question {
            model: "m".to_string(),
            gpu: "g".to_string(),
            gpus: 1,
            vms: 4,
            rate_per_vm_per_s: 10.0,
            rate_was_asked,
            bound_ms: 50.0,
            model_is_trusted: true,
        };
        let open = question(false);
        assert_eq!(best(&open, &ways), Some(2));
        assert_eq!(best(&open, &ways[..1]), Some(0));
        // What needs more GPUs, or has no VMs, answers nothing.
        assert_eq!(best(&open, &ways[3..]), None);
        assert_eq!(best(&open, &[]), None);
        // At a rate, the lowest p99 at its worst leads.
        let mut at_a_rate = ways.to_vec();
        if let Some(of) = &mut at_a_rate[2].figures {
            of.latency_p99_between_ms = [0.5, 2.0];
        }
        assert_eq!(best(&question(true), &at_a_rate), Some(1));
        let none = WayAnswer { figures: None, ..way("none", false, Answered::No, 0.0) };
        assert_eq!(best(&open, &[none]), None);
    }

    #[test]
    fn an_input_decides_where_the_bound_lies_within_its_range() {
        let input = |name: &str| OpenInput {
            name: name.to_string(),
            why: String::new(),
            assumed: String::new(),
            ends: [String::new(), String::new()],
            how: String::new(),
        };
        let at = |name: &str, end: usize, ms: f64| OpenFigures {
            end: OpenEnd { input: input(name), end },
            completed_per_s: 1.0,
            latency_p99_worst_vm_ms: ms,
        };
        let open = [
            at("cost", 0, 55.0),
            at("cost", 1, 70.0),
            at("phi", 0, 6.0),
            at("phi", 1, 74.0),
            at("half", 1, 49.0),
        ];
        let found = decided_by(&open, 60.0, 50.0);
        let names: Vec<(&str, [f64; 2])> =
            found.iter().map(|of| (of.input.name.as_str(), of.latency_p99_ms)).collect();
        assert_eq!(names, [("phi", [6.0, 74.0]), ("half", [60.0, 49.0])]);
    }
}
