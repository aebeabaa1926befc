//! The integration tests, in one binary: theory, twins, laws, and what users meet.

mod architecture;
mod calibrate;
mod cli;
mod conformance;
mod diagnostics;
mod effects;
mod explain;
mod foreign;
mod kubernetes;
mod laws;
mod loadgen_logs;
mod loads;
mod mig;
mod mps;
mod processes;
mod schema;
mod shared_cards;
mod slicing;
mod support;
mod sweep;
mod theory;
mod twins;
mod uncertainty;
mod validation;
mod vgpu;
mod vms;
