//! A scenario: the runs of one file or folder, and the published figures they are compared with.
//!
//! Whether a figure counts as fitted or predicted is not stated here: it follows from the rows that
//! the facts in use were fitted on.

use super::{Experiment, Lesson, TestScenario};
use crate::units::SimDuration;

/// What one call of `slicewise run` simulates.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The folder's or file's name; results go to `output/<name>/`.
    pub name: String,
    /// A one-line title.
    pub title: String,
    /// A hash of every file that went into it, catalogue included: 16 hexadecimal digits.
    pub hash: String,
    /// The seed of every run.
    pub seed: u64,
    /// Warnings about the input, ready to print.
    pub warnings: Vec<String>,
    /// The runs, each with its baseline; at least one.
    pub pairs: Vec<Pair>,
    /// What a teacher says about it; nothing for a folder, whose files may each have one.
    pub lesson: Option<Lesson>,
}

impl Scenario {
    /// The same with nothing beside the runs under test.
    pub fn without_baselines(mut self) -> Self {
        self.pairs.iter_mut().for_each(|pair| pair.baselines.clear());
        self
    }
}

/// A run and what it is compared with.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The name of all its runs, such as `bert-99.9-server`.
    pub name: String,
    /// The run with VMs.
    pub virtual_run: PlannedRun,
    /// The baselines, each of another kind; none when the file asks for none.
    pub baselines: Vec<Baseline>,
    /// If set, find the highest VALID rate of it and of bare metal to this relative precision
    /// (Server), or compare their rates (Offline); always with identical settings.
    pub capacity: Option<f64>,
}

/// An experiment and the published run it reproduces, if any.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// What to simulate.
    pub experiment: Experiment,
    /// The published result; compared with the first VM.
    pub published: Option<Published>,
}

/// The other side of a pair.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// What it is.
    pub kind: BaselineKind,
    /// Its run.
    pub run: PlannedRun,
}

/// The kinds of bare metal, never mixed in one table without a label. The first two are
/// counterfactuals: the same load, random numbers and settings, without hypervisor.
#[derive(Clone, PartialEq, Debug)]
pub enum BaselineKind {
    /// The same cards as the guests have: their loads are merged and split over one server per
    /// card.
    SameCards,
    /// A whole card for each part that a guest has: each guest as if it were alone.
    WholeCards,
    /// A published bare-metal run with its own settings; the settings that differ, as `batch_max 69
    /// (64)`: the twin's value, then the virtual run's.
    Twin {
        /// One entry for each setting that differs.
        differs: Vec<String>,
    },
}

impl Pair {
    /// The published bare-metal run that it is compared with, if there is one.
    pub fn twin(&self) -> Option<&PlannedRun> {
        let mut baselines = self.baselines.iter();
        let twin = baselines.find(|one| matches!(one.kind, BaselineKind::Twin { .. }))?;
        Some(&twin.run)
    }

    /// Every run, its own first.
    pub fn runs(&self) -> impl Iterator<Item = &PlannedRun> {
        std::iter::once(&self.virtual_run).chain(self.baselines.iter().map(|one| &one.run))
    }

    /// As [`Pair::runs`], to change them.
    pub fn runs_mut(&mut self) -> impl Iterator<Item = &mut PlannedRun> {
        let baselines = self.baselines.iter_mut().map(|one| &mut one.run);
        std::iter::once(&mut self.virtual_run).chain(baselines)
    }
}

impl BaselineKind {
    /// Its name in tables.
    pub fn in_words(&self) -> &'static str {
        match self {
            BaselineKind::SameCards => "same cards",
            BaselineKind::WholeCards => "whole cards",
            BaselineKind::Twin { .. } => "twin",
        }
    }

    /// Its word in scenario files and documents.
    pub fn word(&self) -> &'static str {
        match self {
            BaselineKind::SameCards => "same-cards",
            BaselineKind::WholeCards => "whole-cards",
            BaselineKind::Twin { .. } => "twin",
        }
    }
}

/// A published result.
#[derive(Clone, PartialEq, Debug)]
pub struct Published {
    /// `<system> <benchmark> <scenario>`, as facts name what they were fitted on.
    pub row: String,
    /// Where it was published.
    pub source: String,
    /// The scenario of the run.
    pub scenario: TestScenario,
    /// Samples per second: completed (Server) or samples over makespan (Offline).
    pub completed_per_s: Option<f64>,
    /// Latencies by the names of the result document: `min`, `p50`, ... `max`.
    pub latency: Vec<(String, SimDuration)>,
}
