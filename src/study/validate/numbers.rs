//! The numbers that a service time is made of, as fitters move them.

use serde::Serialize;

/// Numbers of a service time; work follows from the Offline rate of a system and the factor on it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct ServiceNumbers {
    /// GPU time per batch that no larger GPU shortens.
    pub launch_ms: f64,
    /// How much work varies from batch to batch.
    pub spread: f64,
    /// The part of the work that fills any share of the GPU.
    pub phi: f64,
    /// Whether batches run to their end one after the other, or all advance.
    pub in_order: bool,
    /// Whether a launch hides behind no other batch: on a whole GPU it is then work like the rest.
    #[serde(skip)]
    pub in_series: bool,
    /// Whether each batch goes to a GPU drawn by lot.
    pub by_lot: bool,
    /// Work per sample over that of the system's Offline batches.
    pub work_factor: f64,
    /// The part of a machine's slowness under Offline, beside others with its GPU, that its Server runs
    /// do not show; in the factor on work already.
    pub recovery: f64,
}

impl ServiceNumbers {
    /// The same with another factor on work.
    pub(super) fn at(&self, work_factor: f64) -> Self {
        Self { work_factor, ..*self }
    }
}
