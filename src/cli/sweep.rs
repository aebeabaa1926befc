//! `slicewise sweep`: simulate every point of a grid, going on where an interrupted try stopped.
//!
//! It neither simulates nor formats; it says who does what, and in which order.

use super::run::{default_folder, with_threads};
use super::{Failure, SweepArgs, check, output, progress};
use crate::config::{SweepFile, Task};
use crate::report::{self, Folder, Partial, table};
use crate::study::{self, Memory, PointRun, SweepResults};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs the command.
pub(super) fn run(arguments: &SweepArgs, configs: Option<&Path>) -> Result<(), Failure> {
    match arguments.run.load(configs)? {
        Task::Sweep(file) => run_file(&file, arguments),
        Task::Run(scenario) => Err(Failure::Usage(format!(
            "{} has no [sweep]; `slicewise run` simulates it",
            scenario.name
        ))),
    }
}

/// Sweeps the file.
pub(super) fn run_file(file: &SweepFile, arguments: &SweepArgs) -> Result<(), Failure> {
    let (sweep, settings) = (file.sweep(), &arguments.run);
    let out = settings.out.clone().unwrap_or_else(|| default_folder(&sweep.name));
    let folder = Folder::open(&out, settings.force)?;
    let partial = Partial::open(&folder, arguments.fresh)?;
    let say = |line: String| {
        if !settings.manner.quiet {
            output::message(&line)
        }
    };
    say(format!("{}, seed {}", check::summary_of_sweep(sweep), sweep.seed));

    let results = simulate(file, &partial, arguments, &say)?;
    let files = report::sweep_files(&results)?;
    folder.write(&files)?;
    partial.remove();
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    say(format!("wrote {}: {}\n", out.display(), names.join(" ")));
    match settings.manner.json {
        true => output::data(&report::sweep_document(&results)?)?,
        false => output::data(&table::paint(&table::render_sweep(&results)))?,
    }
    let is_invalid = |run: &PointRun| run.groups.iter().any(|group| !group.valid);
    let invalid = results.points.iter().filter(|point| point.runs.iter().any(is_invalid)).count();
    match results.failed() {
        0 => settings.judge(invalid, results.points.len()),
        failed => Err(Failure::Points { failed, all: results.points.len() }),
    }
}

/// Simulates what is not known yet.
fn simulate(
    file: &SweepFile,
    partial: &Partial,
    arguments: &SweepArgs,
    say: &(impl Fn(String) + Sync),
) -> Result<SweepResults, Failure> {
    let progress = progress::Progress::timed(arguments.run.hides_progress());
    let taken = AtomicU64::new(0);
    let recall = |key: &str| {
        let found = partial.recall(key);
        if found.is_some() {
            taken.fetch_add(1, Ordering::Relaxed);
        }
        found
    };
    let keep = |key: &str, run: &PointRun| partial.keep(key, run);
    let memory = Memory { recall: &recall, keep: &keep };
    let show = |done, all, doing: &str| progress.set(done, all, doing);
    let results = file.with_points(|points| {
        let experiment = |index| points.experiment(index);
        with_threads(arguments.run.manner.threads, || {
            study::sweep(file.sweep(), &experiment, &memory, &show)
        })
    })??;
    progress.clear();
    match taken.into_inner() {
        0 => {}
        taken => {
            let all = results.points.iter().map(|point| point.runs.len()).sum::<usize>();
            say(format!("took over {taken} of {all} runs from an interrupted sweep"));
        }
    }
    Ok(results)
}
