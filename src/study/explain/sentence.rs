//! What an explanation is made of: sentences, each with what it is about and its figures.
//!
//! The words are made in `kinds`; how they are set is the affair of reports.

use super::words;
use crate::study::results::Head;
use serde::Serialize;
use std::collections::BTreeMap;

/// The explanation of a scenario: the document of `slicewise explain`.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The program and the input.
    #[serde(flatten)]
    pub head: Head,
    /// One entry for each virtual run.
    pub runs: Vec<ExplainedRun>,
}

/// How much an explanation may simulate of each run, in events and samples together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// For the run itself; a longer one is shortened.
    pub run_most: u64,
    /// For all runs with something changed together, about: they are shortened alike, though not
    /// below what a percentile needs.
    pub trials_most: u64,
}

impl Default for Effort {
    /// Some seconds.
    fn default() -> Self {
        Self { run_most: 150_000_000, trials_most: 15_000_000 }
    }
}

/// The explanation of one run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ExplainedRun {
    /// The run's name.
    pub name: String,
    /// The hypervisor's catalogue name.
    pub platform: String,
    /// Its sentences: by part, then what is worst first.
    pub sentences: Vec<Sentence>,
}

/// One sentence.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Sentence {
    /// The kind, a name of the table in `kinds`.
    pub kind: &'static str,
    /// The part of the explanation.
    pub part: Part,
    /// What it is about.
    pub about: About,
    /// The sentence, with a full stop.
    pub text: String,
    /// Its numbers, each with its unit in its name.
    pub figures: BTreeMap<&'static str, f64>,
}

/// The parts of an explanation, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What follows from the settings alone, by arithmetic.
    Before,
    /// What a simulation of the run showed.
    Happened,
    /// What other settings made better, tried by simulation.
    Change,
}

/// What a sentence is about: VMs, GPUs, or the run where both are empty.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct About {
    /// The names of VMs, all alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vms: Vec<String>,
    /// Cards by id, all alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<u16>,
}

impl About {
    /// In words: `web-1 to web-8`, `GPUs 0 and 1`, `the run`.
    pub fn in_words(&self) -> String {
        let gpus: Vec<String> = self.gpus.iter().map(u16::to_string).collect();
        match (&self.vms[..], &gpus[..]) {
            ([], []) => "the run".to_string(),
            ([], [one]) => format!("GPU {one}"),
            ([], gpus) => format!("GPUs {}", words::names(gpus)),
            (vms, _) => words::names(vms),
        }
    }
}

impl ExplainedRun {
    /// Its sentences of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Sentence> {
        self.sentences.iter().filter(move |one| one.kind == kind)
    }
}

/// A sentence under construction: its text and figures; the kind and the part are those of the
/// table.
pub(super) struct Said {
    pub(super) about: About,
    pub(super) text: String,
    pub(super) figures: BTreeMap<&'static str, f64>,
}

impl Said {
    pub(super) fn new(about: About, text: impl Into<String>) -> Self {
        Self { about, text: text.into(), figures: BTreeMap::new() }
    }

    /// With a figure; what is no number is left out.
    pub(super) fn with(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.figures.insert(name, value);
        }
        self
    }
}

impl Part {
    /// The parts in their order, each with its head in texts.
    pub const ALL: [(Part, &'static str); 3] = [
        (Part::Before, "Before the run, by arithmetic"),
        (Part::Happened, "What happened, as simulated"),
        (Part::Change, "What to change first, as simulated"),
    ];
}
