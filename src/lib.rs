//! slicewise
pub mod cli;
pub mod config;
pub mod engine;
pub mod queueing;
pub mod report;
pub mod spec;
pub mod study;
pub mod units;
