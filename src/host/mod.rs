//! Floor 3: the guest's inference server: its batcher, as a station, and the queries that it sets
//! aside; the scheduler of an LLM's engine; who of several servers gets a query; its host's logical processors, and the stalls of that host.
//!
//! vCPUs and streams are plain gates of `queueing`; the path of a batch is in `platform::route`.

pub mod balance;
mod batcher;
pub mod engine;
mod former;
mod processors;
mod soft_drop;
mod stalls;
mod waiting;

pub use batcher::{Batcher, FormedBatch, Permit};
pub use former::Former;
pub use processors::{
    Burst, Cores, CpuJob, CpuTime, Demand, FULL_SPEED, Fluid, Processors, Quantum, VmShare, fill,
};
pub use soft_drop::SoftDrop;
pub use stalls::Stalls;
