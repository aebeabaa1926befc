//! A benchmark's harness as rows of measured runs show it: which of their settings its server takes, and
//! which numbers a validation tries for it.
//!
//! What a setting makes of a server is said in `study::validate`.

use super::{ComputeCapability, Preset};
use crate::units::{Share, SimDuration};
use std::collections::BTreeMap;

/// A harness. From `configs/harnesses/`.
#[derive(Clone, Debug)]
pub struct Harness {
    /// The catalogue's name.
    pub id: String,
    /// One line for people.
    pub name: String,
    /// The preset of its server.
    pub preset: Preset,
    /// What rows call it.
    pub word: String,
    /// Whether it is its benchmarks' own: rows that name none ran under it, and its rows alone tell the
    /// service times of a workload.
    pub is_own: bool,
    /// The columns of a row that set its server, of [`MeasuredSettings::COLUMNS`](super::MeasuredSettings).
    pub takes: Vec<&'static str>,
    /// Whether what a batch costs once hides behind no other batch.
    pub launch_in_series: bool,
    /// The rounds of MLPerf in which each batch went to a GPU as if drawn by lot.
    pub by_lot: Vec<String>,
    /// Whether batches of several instances behind CUDA graphs did so as well.
    pub graphs_by_lot: bool,
    /// Its benchmarks, each a workload of the catalogue.
    pub benchmarks: BTreeMap<String, HarnessBenchmark>,
    /// What the summary of a validation says of its rows together.
    pub summary: Vec<RowGroup>,
}

impl Harness {
    /// Whether a benchmark ran under it.
    pub fn has(&self, benchmark: &str) -> bool {
        self.benchmarks.contains_key(benchmark)
    }
}

/// A benchmark under a harness: every combination of these numbers is tried.
#[derive(Clone, PartialEq, Debug)]
pub struct HarnessBenchmark {
    /// What a batch costs once; nothing: what SingleStream takes beside the work of a sample.
    pub launches: Vec<Option<SimDuration>>,
    /// How much work varies from batch to batch.
    pub spreads: Vec<Share>,
    /// The part of the work that fills any share of the GPU.
    pub phis: Vec<Share>,
    /// Whether a sample is many tokens, so that a batch of one is a small batch and reads the weights as
    /// a full one does; else it is an image.
    pub of_tokens: bool,
    /// On which GPUs rows are in the precision that they state: those below this number.
    pub precision_below: Option<ComputeCapability>,
}

/// Server rows that a summary takes together.
#[derive(Clone, PartialEq, Debug)]
pub struct RowGroup {
    /// Its name.
    pub name: String,
    /// What they call their harness; nothing for any.
    pub harness: Option<String>,
    /// How their benchmarks begin; empty for any.
    pub benchmarks: Vec<String>,
    /// Whether they ran on one GPU instance; else on whole GPUs.
    pub on_one_slice: bool,
    /// Whether rows of a host that stalled are left out.
    pub without_stalls: bool,
}
