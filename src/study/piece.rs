//! The independent pieces of a study, which may be simulated in any order.

use super::asked::queries_at_least;
use super::baseline::counterfactuals;
use super::border::{self, CapacitySearch, Watch};
use super::sensitivity::{self, Alternative};
use super::summary::{self, Finding};
use super::variant::asked_per_s;
use super::{figures, fits, uncertainty};
use crate::parallel::threads;
use crate::platform::{simulate, simulate_told};
use crate::spec::{BaselineKind, Experiment, Pair, PlannedRun, TestScenario};

/// Fewer queries than this are no work for another thread.
const LANE: f64 = 500_000.0;

/// One independent piece of a study.
pub(super) enum Piece<'a> {
    /// One run of a pair, its index among them, and its replication; none where it is run once, alone.
    Run(&'a Pair, &'a PlannedRun, usize, Option<u32>),
    /// The virtual run with another choice of what is not documented.
    Other(&'a Pair, Box<Alternative>),
    /// A run, by its index, with every fit of its workloads.
    Fits(&'a Pair, Box<Experiment>, usize),
    /// The highest rate of the virtual run, where its rate is given, or of its settings on bare metal of a
    /// kind, for each of the replications.
    Best(&'a Pair, Option<BaselineKind>, Box<Experiment>, f64, u32),
}

/// How much of a scenario is simulated.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Extent {
    /// Its runs under test, once, and nothing beside them: no bare metal, no other readings or fits.
    Once,
    /// Each of its runs so many times, with other random numbers, and all that says how certain they are.
    Replicated(u32),
}

/// The pieces of a pair: its runs, then the best of it and of bare metal.
pub(super) fn pieces_of(pair: &Pair, extent: Extent) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let Extent::Replicated(replications) = extent else {
        return vec![Piece::Run(pair, &pair.virtual_run, 0, None)];
    };
    for replication in 0..replications {
        let runs = pair.runs().enumerate();
        let piece = |(place, run)| Piece::Run(pair, run, place, Some(replication));
        pieces.extend(runs.map(piece));
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
        // The best of a load that asks as fast as it is answered is what its runs show.
        let searched = (own.vms[0].load.scenario == TestScenario::Server).then_some((None, own));
        let sides = searched.into_iter().chain(bare);
        pieces.extend(sides.map(|(kind, experiment)| {
            Piece::Best(pair, kind, Box::new(experiment), precision, replications)
        }));
    }
    pieces
}

impl Piece<'_> {
    /// The finding; `told` hears now and then which part of it is done, 0 to 1, where that is known.
    pub(super) fn simulate(&self, told: &(dyn Fn(f64) + Sync)) -> Finding {
        let simulate = |experiment: &Experiment| {
            let all = queries_at_least(experiment).max(1.0);
            let lanes = ((all / LANE) as usize).min(threads());
            simulate_told(experiment, lanes, &|done| told((done as f64 / all).min(1.0)))
        };
        match self {
            Piece::Run(_, run, place, replication) => {
                let of = replication.unwrap_or_default();
                let experiment = Experiment { replication: of, ..run.experiment.clone() };
                let outcome = simulate(&experiment);
                let more_work = match replication {
                    Some(0) => uncertainty::more_work(&experiment, &outcome),
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

    pub(super) fn label(&self) -> String {
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
