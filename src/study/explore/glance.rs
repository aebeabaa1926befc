//! The runs of a scenario, cut to so many queries.

use super::lines::{self, PercentileLine};
use super::theory::law;
use crate::parallel::*;
use crate::platform::{Meter, Outcome, simulate_up_to};
use crate::spec::{Pair, PlannedRun, Scenario};
use crate::study::asked::queries_at_least;
use crate::study::results::Results;
use crate::study::run_verdict;
use crate::study::summary::{self, Finding};
use crate::study::variant::shortened;

/// What a look at a scenario found.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The document, of runs without replications and without what else `run` tries.
    pub results: Results,
    /// Distributions of the first pair: its VMs, its baselines, theory.
    pub lines: Vec<PercentileLine>,
    /// Queries of all VMs of the first pair.
    pub queries: u64,
    /// Whether the runs were as long as the scenario says.
    pub whole: bool,
}

/// Events and samples of a run, at most, for each query that is asked for: a run that needs more, as an
/// overloaded one, or one whose queries are not known beforehand, ends there.
const WORK_PER_QUERY: u64 = 20;

/// Simulates each run once, cut to some `queries` of all its VMs together. Nothing when `stop` said so.
pub fn glance(
    scenario: &Scenario,
    queries: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Glance> {
    let planned: Vec<(usize, &Pair, usize, &PlannedRun)> = scenario
        .pairs
        .iter()
        .enumerate()
        .flat_map(|(pair_index, pair)| {
            let runs = pair.runs().enumerate();
            runs.map(move |(place, run)| (pair_index, pair, place, run))
        })
        .collect();
    let work = queries.saturating_mul(WORK_PER_QUERY);
    let outcomes: Vec<Option<(Outcome, bool)>> = planned
        .par_iter()
        .map(|(.., run)| {
            let part = queries as f64 / queries_at_least(&run.experiment).max(1.0);
            let short = shortened(&run.experiment, part);
            simulate_up_to(&short, &mut Meter::new(work, stop))
        })
        .collect();
    let outcomes: Vec<(Outcome, bool)> = outcomes.into_iter().collect::<Option<_>>()?;
    let (outcomes, over): (Vec<Outcome>, Vec<bool>) = outcomes.into_iter().unzip();
    let fits = |run: &PlannedRun| queries_at_least(&run.experiment) <= queries as f64;
    let whole = over.iter().all(|over| *over) && planned.iter().all(|(.., run)| fits(run));
    let mut lines = Vec::new();
    for ((pair, of, place, run), outcome) in planned.iter().zip(&outcomes) {
        match (pair, place) {
            (0, 0) => lines.extend(lines::of_groups(&run.experiment, outcome)),
            (0, place) => {
                let kind = of.baselines[place - 1].kind.word().replace('-', " ");
                lines.push(lines::of_all(format!("bare metal, {kind}"), outcome));
            }
            _ => {}
        }
    }
    let first = &scenario.pairs[0].virtual_run.experiment;
    lines.extend(law(first).and_then(|law| lines::of_law(&law, first)));
    let mut findings = planned.iter().zip(outcomes);
    let (mut runs, mut comparisons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in &scenario.pairs {
        let found = findings.by_ref().take(pair.runs().count());
        let found = found.map(|((_, _, place, _), outcome)| {
            Finding::Outcome(*place, Box::new(outcome), Vec::new())
        });
        let found: Vec<Finding> = found.collect();
        ratios.extend(summary::summarise(pair, found, &mut runs, &mut comparisons));
    }
    let mut results = summary::results(scenario, runs, comparisons, ratios);
    results.verdict = run_verdict::of_runs(&results, None);
    let queries = results.runs[0].vms.iter().map(|vm| vm.queries).sum();
    Some(Glance { results, lines, queries, whole })
}
