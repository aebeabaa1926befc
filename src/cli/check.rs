//! `slicewise check`: say what a scenario asks for, or what is wrong with it.
//!
//! It simulates nothing and writes nothing.

use super::{Failure, output};
use crate::spec::Scenario;
use std::path::Path;

/// Runs the command.
pub(super) fn run(path: &Path, configs: Option<&Path>) -> Result<(), Failure> {
    let scenario = super::load(path, configs, None)?;
    output::data(&format!("ok: {}\n", summary(&scenario)))
}

/// What a scenario asks for, in one line: `vsphere-mlperf-v1.1: 6 pairs, 12 runs`.
pub(super) fn summary(scenario: &Scenario) -> String {
    let runs = scenario.pairs.iter().map(|pair| 1 + usize::from(pair.baseline.is_some())).sum();
    let pairs = scenario.pairs.iter().filter(|pair| pair.baseline.is_some()).count();
    let mut text = format!("{}: ", scenario.name);
    if pairs > 0 {
        text.push_str(&format!("{}, ", count(pairs, "pair")));
    }
    text + &count(runs, "run")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
