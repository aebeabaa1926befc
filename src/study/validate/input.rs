//! What is to be predicted, and from what.

use crate::spec::{GpuSpec, Harness, HostLink, Hypervisor, MeasuredRow, Workload};
use std::collections::BTreeMap;

/// What to validate, and with what.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The measured runs: those that are judged, in the order of their file, and then others to learn from.
    pub rows: Vec<MeasuredRow>,
    /// How many of them are judged.
    pub judged: usize,
    /// Which of them teach.
    pub train: Train,
    /// GPUs by the name rows use, in lower case.
    pub gpus: BTreeMap<String, GpuSpec>,
    /// Workloads whose harness is known in the Server scenario, by benchmark.
    pub workloads: BTreeMap<String, Workload>,
    /// Their harnesses, by the catalogue's names.
    pub harnesses: Vec<Harness>,
    /// How the cards of the hosts that rows name are attached, in the order of the hosts' files.
    pub links: BTreeMap<String, Vec<HostLink>>,
    /// The platform of virtualised rows.
    pub hypervisor: Hypervisor,
    /// The platform of all others.
    pub bare_metal: Hypervisor,
    /// Most queries of a prediction.
    pub queries: u64,
    /// Most queries of a simulation that looks for a factor on work.
    pub fit_queries: u64,
    /// Hash of the rows and of the catalogue, 16 hexadecimal digits.
    pub hash: String,
    /// Columns of the file that are not read, as people read it.
    pub warnings: Vec<String>,
}

/// Which rows a prediction learns from, its own machine's never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Train {
    /// Those that come with the program and are not judged.
    Shipped,
    /// Those that are judged.
    Given,
    /// Both.
    Both,
}

impl Train {
    /// All of them by their words.
    pub const ALL: [(&str, Train); 3] =
        [("shipped", Train::Shipped), ("given", Train::Given), ("both", Train::Both)];
}
