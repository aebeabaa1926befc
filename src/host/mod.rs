//! Floor 3: the guest's inference server: its batcher, as a station.
//!
//! vCPUs and streams are plain gates of `queueing`; the way of a batch is in `platform::route`.

mod batcher;

pub use batcher::{Batcher, FormedBatch, Permit};
