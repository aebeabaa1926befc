//! Floor 5: the method. It runs what a scenario asks for and makes the result document.
//!
//! It formats nothing and reads no file.

mod amount;
mod answer;
mod baseline;
mod border;
mod bug;
mod calibrate;
mod capacity;
mod figures;
mod fits;
mod gap;
mod interval;
mod notes;
mod open;
mod out_of_reach;
mod over_shares;
mod probe;
mod results;
mod said;
mod scan;
mod sensitivity;
mod summary;
mod sweep;
mod system;
mod uncertainty;
mod validate;
mod variant;
mod vms;

pub use amount::{
    Foreseen, Planned, foresee, has_rate, long_by_counts, planned, planned_points,
    planned_searches, queries_at_least,
};
pub use answer::{
    Answer, Answered, DecidedBy, Findings, Question, WayAnswer, WayFigures, answer,
    answered_at_once,
};
pub use baseline::{counterfactuals, same_cards, whole_cards};
pub use border::{CapacitySearch, Ended, Limit, Looked, RangeEnd, Watch};
pub use calibrate::*;
pub use capacity::{
    CapacityPlan, CapacityResults, SystemCapacity, add_with_bare_metal, capacities, capacity, limit,
};
pub use figures::LatencyMs;
pub use gap::{Gap, GapLatency, GapPlan, GapStep, add_gap};
pub use interval::{Interval, student_95};
pub use notes::{replayed, scaled_times, slow_filling};
pub use open::{OpenEnd, OpenInput};
pub use out_of_reach::{hopeless_alone, twice_the_most};
pub use over_shares::OverShare;
pub use results::*;
pub use sweep::{
    Each, GroupHead, GroupResult, GroupSummary, Memory, PointRow, PointRun, PointSummary,
    SweepResults, point_key, sweep,
};
pub use system::{LoadPoint, System};
pub use uncertainty::{MoreWork, PairedRatio, Replicated, Uncertainty};
pub use validate::{
    FittedService, Group, JudgedRow, LoadErrors, Rates, ServiceNumbers, ShapeError, Train,
    Validation, ValidationResults, fingerprint, validate,
};
pub use validate::{Scaling, ScalingRow, ScalingSpread, fitted_workloads, scaling};
pub use variant::asked_per_s;
pub use vms::{
    MakeRun, Obstacle, TooMany, VmPlan, VmPoint, VmResults, WayResult, most_vms, ranges,
};

use crate::platform::{Outcome, simulate};
use crate::spec::{BaselineKind, Experiment, Pair, PlannedRun, Scenario, TestScenario};
use rayon::prelude::*;
use sensitivity::Alternative;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a study has come, for a progress bar: pieces of work done and in all, and what is done.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Sync);

/// Simulates every run of a scenario once, in parallel. Results do not depend on the number of
/// threads.
pub fn run(scenario: &Scenario, progress: Progress<'_>) -> Results {
    run_replicated(scenario, 1, progress)
}

/// As [`run`], each run so many times with other random numbers: how far they move its figures
/// stands beside those of the first.
pub fn run_replicated(scenario: &Scenario, replications: u32, progress: Progress<'_>) -> Results {
    assert!(replications > 0, "nothing is run");
    let pieces_of = |pair| pieces_of(pair, replications);
    let pieces: Vec<Piece<'_>> = scenario.pairs.iter().flat_map(pieces_of).collect();
    let (done, all) = (AtomicU64::new(0), pieces.len() as u64);
    let findings: Vec<Finding> = pieces
        .par_iter()
        .map(|piece| {
            let finding = piece.simulate();
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, &piece.label());
            finding
        })
        .collect();
    let mut findings = findings.into_iter();
    let mut runs = Vec::new();
    let (mut comparisons, mut ratios) = (Vec::new(), Vec::new());
    for pair in &scenario.pairs {
        let found: Vec<Finding> = findings.by_ref().take(pieces_of(pair).len()).collect();
        ratios.extend(summary::summarise(pair, found, &mut runs, &mut comparisons));
    }
    summary::results(scenario, runs, comparisons, ratios)
}

/// One independent piece of a study.
enum Piece<'a> {
    /// One run of a pair, its place among them, and its replication.
    Run(&'a Pair, &'a PlannedRun, usize, u32),
    /// The virtual run under another choice.
    Other(&'a Pair, Box<Alternative>),
    /// A run, by its place, under every fit of its workloads.
    Fits(&'a Pair, Box<Experiment>, usize),
    /// The best rate of the virtual run, or with its settings on bare metal of a kind, for each of so
    /// many replications.
    Best(&'a Pair, Option<BaselineKind>, Box<Experiment>, f64, u32),
}

/// What a piece found.
enum Finding {
    /// What a run yielded, by its place, and in replication 0 what more work would do to each VM's p99.
    Outcome(usize, Box<Outcome>, Vec<Option<MoreWork>>),
    Other(AlternativeResult),
    Fits(usize, fits::Ratios),
    /// Samples per second, one for each replication; of the virtual run, or of bare metal of a kind.
    Best(Option<BaselineKind>, Vec<f64>),
}

/// The pieces of a pair: its runs, then the best of it and of bare metal.
fn pieces_of(pair: &Pair, replications: u32) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for replication in 0..replications {
        let runs = pair.runs().enumerate();
        pieces.extend(runs.map(|(place, run)| Piece::Run(pair, run, place, replication)));
    }
    let others = sensitivity::alternatives(&pair.virtual_run.experiment);
    pieces.extend(others.into_iter().map(|other| Piece::Other(pair, Box::new(other))));
    for (place, run) in pair.runs().enumerate() {
        if fits::has_others(&run.experiment) {
            pieces.push(Piece::Fits(pair, Box::new(run.experiment.clone()), place));
        }
    }
    if let Some(precision) = pair.capacity {
        let own = pair.virtual_run.experiment.clone();
        let bare = counterfactuals(&own).into_iter().map(|(kind, bare)| (Some(kind), bare));
        let sides = std::iter::once((None, own.clone())).chain(bare);
        pieces.extend(sides.map(|(kind, experiment)| {
            Piece::Best(pair, kind, Box::new(experiment), precision, replications)
        }));
    }
    pieces
}

impl Piece<'_> {
    fn simulate(&self) -> Finding {
        match self {
            Piece::Run(_, run, place, replication) => {
                let experiment = Experiment { replication: *replication, ..run.experiment.clone() };
                let outcome = simulate(&experiment);
                let more_work = match replication {
                    0 => uncertainty::more_work(&experiment, &outcome),
                    _ => Vec::new(),
                };
                Finding::Outcome(*place, Box::new(outcome), more_work)
            }
            Piece::Other(_, other) => {
                Finding::Other(summary::alternative(&other.option, &simulate(&other.experiment)))
            }
            Piece::Fits(_, experiment, place) => {
                Finding::Fits(*place, fits::ratios(experiment, None))
            }
            Piece::Best(_, kind, experiment, precision, replications) => {
                Finding::Best(kind.clone(), best_rates(experiment, *precision, *replications))
            }
        }
    }

    fn label(&self) -> String {
        match self {
            Piece::Run(pair, _, 0, _) => pair.name.clone(),
            Piece::Run(pair, ..) => format!("{} (baseline)", pair.name),
            Piece::Other(pair, other) => format!("{} ({})", pair.name, other.option),
            Piece::Fits(pair, ..) => format!("{} (other fits)", pair.name),
            Piece::Best(pair, ..) => format!("{} (capacity)", pair.name),
        }
    }
}

/// The best an experiment's first VM can do in each replication: its highest VALID rate, or its
/// Offline rate.
fn best_rates(experiment: &Experiment, precision: f64, replications: u32) -> Vec<f64> {
    let vm = &experiment.vms[0];
    let mut near = None;
    let rates = (0..replications).map(|replication| {
        let experiment = Experiment { replication, ..experiment.clone() };
        if vm.load.scenario != TestScenario::Server {
            return figures::completed_per_s(vm, &simulate(&experiment).vms[0].recorder);
        }
        let search = CapacitySearch { precision };
        let rate = border::limit_near(&experiment, search, near, Watch::NOBODY).rate;
        near = Some(rate);
        rate * vm.load.settings.target_qps / asked_per_s(&experiment)
    });
    rates.collect()
}
