//! `slicewise check`: print what a scenario asks for, or its mistakes.
//!
//! It simulates nothing and writes nothing.

use super::failure::Failure;
use super::{explanation, output};
use crate::config::{self, Catalogue, LoadOptions, Task};
use crate::spec::{Scenario, Sweep};
use crate::study;
use crate::units::counted;
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// A scenario file, a folder of them, or - for standard input
    path: PathBuf,

    /// Set a key of every file, such as vm.server.batch_max=8; may be given several times, in order
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Workload of every VM, as `run` takes it
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,

    /// Seed of every random stream, as `run` takes it
    #[arg(long, value_name = "N", value_parser = super::arguments::whole(0..=u64::MAX))]
    seed: Option<u64>,

    /// Print every value in use and where it comes from; for a sweep, those of its first point. What
    /// will happen and why: `slicewise explain`
    #[arg(long)]
    explain: bool,

    /// With --explain: print JSON instead of text
    #[arg(long, requires = "explain")]
    json: bool,
}

/// Below the help.
pub(super) const HELP: &str = "\
Examples:
  slicewise check my-vm.toml
  slicewise check my-vm.toml --set vm.vcpus=8
  slicewise check my-vm.toml --explain                  every value and where it comes from
  slicewise check my-vm.toml --explain --json | jq '.[].sections[].values[]'
  generate | slicewise check -

Where a value comes from, in order of priority: a flag, an environment variable, --set, the file,
the preset of the server, a default (of the workload, the host, the GPU, or built in).

Exit codes:
  0  no mistake; points of a sweep that cannot be simulated are named on standard error
  2  at least one mistake";

/// Runs the command.
pub(super) fn run(arguments: &CheckArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let workload = arguments.workload.as_deref();
    let (set, seed) = (super::arguments::with_workload(&arguments.set, workload), arguments.seed);
    let options = LoadOptions { set, seed, ..LoadOptions::new(Catalogue::load(configs)?) };
    if arguments.explain {
        let (task, explained) = config::explain(&arguments.path, &options)?;
        tell_error_rows(&task);
        tell_warnings(&task);
        return explanation::print(&explained, configs, arguments.json);
    }
    let task = config::load_task(&arguments.path, &options)?;
    tell_error_rows(&task);
    tell_warnings(&task);
    match task {
        Task::Run(scenario) => {
            study::replayed(&scenario).iter().for_each(|trace| output::message(trace));
            study::scaled_times(&scenario).iter().for_each(|said| output::message(said));
            output::data(&format!("ok: {}\n", summary(&scenario)))
        }
        Task::Sweep(file) => output::data(&format!("ok: {}\n", summary_of_sweep(file.sweep()))),
    }
}

/// Says what is doubtful and no mistake.
fn tell_warnings(task: &Task) {
    let Task::Run(scenario) = task else { return };
    scenario.warnings.iter().for_each(|warning| output::message(warning));
}

/// Names the points of a sweep that cannot be simulated.
fn tell_error_rows(task: &Task) {
    let Task::Sweep(file) = task else { return };
    let points = file.sweep().points.iter();
    for (point, why) in points.clone().filter_map(|p| Some((p, p.not_applicable.as_ref()?))) {
        output::message(&format!("n/a: {}: {why}", file.sweep().label(point)));
    }
    for (point, error) in points.filter_map(|point| Some((point, point.error.as_ref()?))) {
        output::message(&format!("error row: {}: {error}", file.sweep().label(point)));
    }
}

/// The summary of a sweep, in one line: `contention: 12 points, 2 of them errors, 50 runs`.
pub(super) fn summary_of_sweep(sweep: &Sweep) -> String {
    let failed = sweep.points.iter().filter(|point| point.error.is_some()).count();
    let errors = match failed {
        0 => String::new(),
        1 => ", 1 of them an error".to_string(),
        _ => format!(", {failed} of them errors"),
    };
    let none = match sweep.not_applicable() {
        0 => String::new(),
        none => format!(", {none} of them not applicable"),
    };
    let runs = sweep.simulated().count() * sweep.replications as usize;
    let points = counted(sweep.points.len(), "point");
    format!("{}: {points}{none}{errors}, {}", sweep.name, counted(runs, "run"))
}

/// The summary of a scenario, in one line: `vsphere-mlperf-v1.1: 6 pairs, 12 runs`.
pub(super) fn summary(scenario: &Scenario) -> String {
    let runs: usize = scenario.pairs.iter().map(|pair| 1 + pair.baselines.len()).sum();
    let pairs = scenario.pairs.iter().filter(|pair| !pair.baselines.is_empty()).count();
    let mut text = format!("{}: ", scenario.name);
    if pairs > 0 {
        text.push_str(&format!("{}, ", counted(pairs, "pair")));
    }
    text + &counted(runs, "run")
}
