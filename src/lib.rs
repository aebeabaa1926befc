//! slicewise
pub mod cli;
pub mod config;
pub mod engine;
pub mod gpu;
pub mod host;
pub mod loadgen;
pub mod platform;
pub mod queueing;
pub mod record;
pub mod report;
pub mod spec;
pub mod study;
pub mod units;
