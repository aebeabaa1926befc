//! Floor 3: the guest's inference server: its batcher, as a station, the queries that it sets
//! aside, and the stalls of its host.
//!
//! vCPUs and streams are plain gates of `queueing`; the path of a batch is in `platform::route`.

mod batcher;
mod soft_drop;
mod stalls;
mod waiting;

pub use batcher::{Batcher, FormedBatch, Permit};
pub use soft_drop::SoftDrop;
pub use stalls::Stalls;
