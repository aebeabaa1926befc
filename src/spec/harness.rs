//! A benchmark's harness, as used in measured runs: which settings of a row its server takes, and
//! which numbers a validation tries for it.
//!
//! How a setting changes a server is decided in `study::validate`.

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
    /// Its name in rows.
    pub word: String,
    /// Whether it is the default harness of its benchmarks: rows that name no harness ran under it,
    /// and only its rows are used for the service times of a workload.
    pub is_own: bool,
    /// The columns of a row that set its server, of [`MeasuredSettings::COLUMNS`](super::MeasuredSettings).
    pub takes: Vec<&'static str>,
    /// Whether the fixed time of a batch does not overlap with other batches.
    pub launch_in_series: bool,
    /// The rounds of MLPerf in which each batch went to a random GPU.
    pub by_lot: Vec<String>,
    /// Whether batches of several instances with CUDA graphs did so as well.
    pub graphs_by_lot: bool,
    /// Its benchmarks, each a workload of the catalogue.
    pub benchmarks: BTreeMap<String, HarnessBenchmark>,
    /// The groups of its rows in the summary of a validation.
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
    /// The fixed time of a batch; nothing: the time of SingleStream less the work of a sample.
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
    /// The harness named in them; nothing for any.
    pub harness: Option<String>,
    /// How their benchmarks begin; empty for any.
    pub benchmarks: Vec<String>,
    /// Whether they ran on one GPU instance; else on whole GPUs.
    pub on_one_slice: bool,
    /// Whether rows of a host that stalled are left out.
    pub without_stalls: bool,
}
