//! What will happen in a run and why, what happened, and what to change first, in plain sentences
//! with their numbers.
//!
//! Each kind of sentence is one file in `kinds`. Arithmetic on the settings is in `place`, `batch`
//! and `memory`; everything else is simulated (`simulated`), also what a change of settings is worth:
//! nothing is recommended that was not tried.

mod batch;
mod busy;
mod changes;
mod effect;
mod kinds;
mod measure;
mod memory;
mod node;
mod place;
mod seen;
mod sentence;
mod simulated;
mod trials;
mod unknowns;
mod wait;
mod words;

pub use kinds::{KINDS, Kind};
pub use sentence::{About, Effort, Explained, ExplainedRun, Part, Sentence};

use super::progress::Progress;
use super::results::Head;
use crate::parallel::*;
use crate::spec::Experiment;
use seen::Seen;
use std::sync::atomic::{AtomicU64, Ordering};

/// Explains runs, each with its name. The same input gives the same sentences, whatever the number
/// of threads.
pub fn explain(
    head: Head,
    runs: &[(String, &Experiment)],
    effort: Effort,
    progress: Progress<'_>,
) -> Explained {
    let (done, all) = (AtomicU64::new(0), runs.len() as u64);
    let runs = runs.par_iter().map(|(name, experiment)| {
        let one = explain_run(name, experiment, effort);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, name);
        one
    });
    Explained { head, runs: runs.collect() }
}

fn explain_run(name: &str, experiment: &Experiment, effort: Effort) -> ExplainedRun {
    let trials = simulated::trials(experiment, effort);
    let seen = Seen::new(experiment, &trials);
    let platform = experiment.hypervisor.id.clone();
    ExplainedRun { name: name.to_string(), platform, sentences: kinds::tell(&seen) }
}
