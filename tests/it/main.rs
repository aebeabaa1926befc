//! The integration tests, in one binary: theory, twins, laws, and what users meet.

mod architecture;
mod cli;
mod diagnostics;
mod laws;
mod slicing;
mod support;
mod sweep;
mod theory;
mod twins;
