//! Floor 5: the method. It runs what a scenario asks for and makes the result document.

mod results;

pub use results::*;

use crate::spec::Scenario;

/// How far a study has come, for a progress bar: units of work done and in all, and what it does.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Sync);

/// Simulates every run of a scenario. Results do not depend on the number of threads.
pub fn run(scenario: &Scenario, progress: Progress<'_>) -> Results {
    let _ = (scenario, progress);
    todo!()
}
