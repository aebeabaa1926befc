//! Floor 5: the method. It runs what a scenario asks for and makes the result document.
//!
//! It formats nothing and reads no file.

mod baseline;
mod border;
mod calibrate;
mod capacity;
mod fits;
mod interval;
mod notes;
mod results;
mod sensitivity;
mod summary;
mod sweep;
mod vms;

pub use baseline::counterfactual;
pub use border::{CapacitySearch, Limit};
pub use calibrate::*;
pub use capacity::{
    CapacityPlan, CapacityResults, LoadPoint, System, SystemCapacity, add_with_bare_metal,
    asked_per_s, capacities, capacity, limit,
};
pub use interval::{Interval, student_95};
pub use results::*;
pub use sweep::{GroupResult, Memory, PointResult, PointRun, SweepResults, point_key, sweep};
pub use vms::{MakeRun, Obstacle, TooMany, VmPlan, VmPoint, VmResults, WayResult, most_vms};

use crate::platform::{Outcome, simulate};
use crate::spec::{Baseline, BaselineKind, Experiment, Pair, PlannedRun, Scenario, TestScenario};
use rayon::prelude::*;
use sensitivity::Alternative;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a study has come, for a progress bar: pieces of work done and in all, and what is done.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Sync);

/// Simulates every run of a scenario, in parallel. Results do not depend on the number of threads.
pub fn run(scenario: &Scenario, progress: Progress<'_>) -> Results {
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
    let mut comparisons = Vec::new();
    for pair in &scenario.pairs {
        let found: Vec<Finding> = findings.by_ref().take(pieces_of(pair).len()).collect();
        summary::summarise(pair, found, &mut runs, &mut comparisons);
    }
    summary::results(scenario, runs, comparisons)
}

/// One independent piece of a study.
enum Piece<'a> {
    /// One run of a pair.
    Run(&'a Pair, &'a PlannedRun, Side),
    /// The virtual run under another choice.
    Other(&'a Pair, Box<Alternative>),
    /// One side under every fit of its workloads.
    Fits(&'a Pair, Box<Experiment>, Side),
    /// The best rate of one side of a pair, both sides with the virtual run's settings.
    Best(&'a Pair, Box<Experiment>, f64),
}

/// What a piece found.
enum Finding {
    Outcome(Box<Outcome>),
    Other(AlternativeResult),
    Fits(Side, fits::Ratios),
    /// Samples per second.
    Best(f64),
}

/// The pieces of a pair: its runs, then the best of either side.
fn pieces_of(pair: &Pair) -> Vec<Piece<'_>> {
    let mut pieces = vec![Piece::Run(pair, &pair.virtual_run, Side::Virtual)];
    if let Some(Baseline { run, .. }) = &pair.baseline {
        pieces.push(Piece::Run(pair, run, Side::Baseline));
    }
    let others = sensitivity::alternatives(&pair.virtual_run.experiment);
    pieces.extend(others.into_iter().map(|other| Piece::Other(pair, Box::new(other))));
    let baseline = pair.baseline.as_ref().map(|baseline| (&baseline.run, Side::Baseline));
    for (run, side) in [Some((&pair.virtual_run, Side::Virtual)), baseline].into_iter().flatten() {
        if fits::has_others(&run.experiment) {
            pieces.push(Piece::Fits(pair, Box::new(run.experiment.clone()), side));
        }
    }
    if let Some(precision) = pair.capacity {
        let virtual_side = pair.virtual_run.experiment.clone();
        let bare = counterfactual(&virtual_side);
        pieces.push(Piece::Best(pair, Box::new(virtual_side), precision));
        pieces.push(Piece::Best(pair, Box::new(bare), precision));
    }
    pieces
}

impl Piece<'_> {
    fn simulate(&self) -> Finding {
        match self {
            Piece::Run(_, run, _) => Finding::Outcome(Box::new(simulate(&run.experiment))),
            Piece::Other(_, other) => {
                Finding::Other(summary::alternative(&other.option, &simulate(&other.experiment)))
            }
            Piece::Fits(_, experiment, side) => Finding::Fits(*side, fits::ratios(experiment)),
            Piece::Best(_, experiment, precision) => {
                Finding::Best(best_rate(experiment, *precision))
            }
        }
    }

    fn label(&self) -> String {
        match self {
            Piece::Run(pair, _, Side::Virtual) => pair.name.clone(),
            Piece::Run(pair, _, Side::Baseline) => format!("{} (baseline)", pair.name),
            Piece::Other(pair, other) => format!("{} ({})", pair.name, other.option),
            Piece::Fits(pair, ..) => format!("{} (other fits)", pair.name),
            Piece::Best(pair, ..) => format!("{} (capacity)", pair.name),
        }
    }
}

/// The best an experiment's first VM can do: its highest VALID rate, or its Offline rate.
fn best_rate(experiment: &Experiment, precision: f64) -> f64 {
    let vm = &experiment.vms[0];
    match vm.load.scenario {
        TestScenario::Server => capacity(experiment, CapacitySearch { precision }),
        _ => summary::completed_per_s(vm, &simulate(experiment).vms[0].recorder),
    }
}

/// The word of a kind of baseline in the result document.
fn kind_word(kind: &BaselineKind) -> &'static str {
    match kind {
        BaselineKind::Counterfactual => "counterfactual",
        BaselineKind::Twin { .. } => "twin",
    }
}
