//! Every run of a scenario, simulated in parallel.

use super::piece::{Extent, Piece, pieces_of};
use super::progress::Progress;
use super::results::Results;
use super::run_verdict;
use super::summary::{self, Finding};
use crate::parallel::*;
use crate::spec::{Pair, Scenario};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a piece of work counts in its progress, so that parts of it show.
const WHOLE: u64 = 1000;

/// What results of a run done once do not say.
const ONCE: &str = "run once: nothing here says how certain the figures are, and none of bare metal stand beside \
    them; run it without --once for both";

/// Simulates every run of a scenario once, in parallel. Results do not depend on the number of
/// threads.
pub fn run(scenario: &Scenario, progress: Progress<'_>) -> Results {
    run_replicated(scenario, 1, progress)
}

/// As [`run`], with each run repeated `replications` times with other random numbers: the resulting
/// intervals are added to the figures of the first.
pub fn run_replicated(scenario: &Scenario, replications: u32, progress: Progress<'_>) -> Results {
    run_to(scenario, Extent::Replicated(replications), progress)
}

/// Simulates so much of a scenario.
pub fn run_to(scenario: &Scenario, extent: Extent, progress: Progress<'_>) -> Results {
    run_unless(scenario, extent, progress, &|| false).expect("nobody stops it")
}

/// As [`run_to`], but nothing once `stop` says so: it is asked before each piece of work.
pub fn run_unless(
    scenario: &Scenario,
    extent: Extent,
    progress: Progress<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Results> {
    assert!(extent != Extent::Replicated(0), "nothing is run");
    let alone;
    let scenario = match extent {
        // What is not run is not told of.
        Extent::Once => {
            alone = scenario.clone().without_baselines();
            &alone
        }
        Extent::Replicated(_) => scenario,
    };
    let pieces_of = |pair| pieces_of(pair, extent);
    let pieces: Vec<Piece<'_>> = scenario.pairs.iter().flat_map(pieces_of).collect();
    let (done, all) = (AtomicU64::new(0), WHOLE * pieces.len() as u64);
    let findings: Vec<Option<Finding>> = pieces
        .par_iter()
        .map(|piece| {
            if stop() {
                return None;
            }
            let (label, own) = (piece.label(), AtomicU64::new(0));
            let tell = |to: u64| {
                let before = own.fetch_max(to, Ordering::Relaxed);
                let more = to.saturating_sub(before);
                progress(done.fetch_add(more, Ordering::Relaxed) + more, all, &label);
            };
            tell(0);
            let finding = piece.simulate(&|part| tell((part * WHOLE as f64) as u64));
            tell(WHOLE);
            Some(finding)
        })
        .collect();
    let findings: Vec<Finding> = findings.into_iter().collect::<Option<_>>()?;
    let mut findings = findings.into_iter();
    let mut runs = Vec::new();
    let (mut comparisons, mut ratios) = (Vec::new(), Vec::new());
    for pair in &scenario.pairs {
        let found: Vec<Finding> = findings.by_ref().take(pieces_of(pair).len()).collect();
        ratios.extend(summary::summarise(pair, found, &mut runs, &mut comparisons));
    }
    let mut results = summary::results(scenario, runs, comparisons, ratios);
    if stop() {
        return None;
    }
    if extent == Extent::Once {
        results.notes.insert(0, ONCE.to_string());
        results.verdict = run_verdict::of_runs(&results, None);
        return Some(results);
    }
    let failing = run_verdict::failing(&results).map(|index| &scenario.pairs[index]);
    // What operations cost is not a matter of the rate.
    let at_any_rate = |pair: &&Pair| pair.virtual_run.experiment.timeline.is_none();
    let would_hold = failing.filter(at_any_rate).and_then(|pair| {
        progress(all, all, &format!("{}: a rate that keeps every bound", pair.name));
        run_verdict::rate_that_holds(&pair.virtual_run.experiment)
    });
    results.verdict = run_verdict::of_runs(&results, would_hold);
    Some(results)
}
