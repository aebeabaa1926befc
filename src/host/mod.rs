//! Floor 3: the guest's inference server, as stations: the batcher and the vCPUs' gate.
//!
//! The order in which a batch visits them is not here but in `platform::route`.

mod batcher;

pub use batcher::{Batcher, FormedBatch, Permit};
