//! slicewise
pub mod engine;
pub mod gpu;
pub mod host;
pub mod loadgen;
pub mod queueing;
pub mod spec;
pub mod study;
pub mod units;
