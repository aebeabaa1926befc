//! `slicewise sweep`: simulate every point of a grid, continuing where an interrupted sweep
//! stopped.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::RunArgs;
use super::failure::Failure;
use super::work::Work;
use super::{check, output, progress};
use crate::config::{SweepFile, Task};
use crate::report::{Made, Maker, Partial, SWEEP_DOCUMENT, SweepFiles, table};
use crate::study::{self, Memory, SweepResults};
use anyhow::Context;
use clap::Args;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Arguments of `slicewise sweep`.
#[derive(Args, Debug)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,

    /// Discard the finished runs of an interrupted sweep
    #[arg(long)]
    pub(super) fresh: bool,
}

pub(super) const HELP: &str = "\
An interrupted sweep continues where it stopped when it is started again: finished runs are kept in
the output folder, in .slicewise-partial, and count as long as their point, the seed and the version
of slicewise are the same. Once all are done the results take its place.

Examples:
  slicewise sweep scenarios/vcpu-knee.toml
  slicewise sweep scenarios/vcpu-knee.toml --set sweep.replications=5 --set vm.load.target_qps=900
  slicewise sweep my-vm.toml --set 'sweep.vm.vcpus=[2, 4, 8]'      of a file without [sweep]

Exit codes:
  0  every point was simulated, except those that the file declares not applicable
  3  some points could not be: their rows give the reason; the others are there
  129, 130, 143  interrupted; finished runs are kept";

/// Runs the command.
pub(super) fn run(arguments: &SweepArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let (task, made) = arguments.run.load(&arguments.run.options(configs)?)?;
    match task {
        Task::Sweep(file) => run_file(&file, arguments, made.as_ref()),
        Task::Run(scenario) => Err(Failure::Usage(format!(
            "{} has no [sweep]; `slicewise run` simulates it",
            scenario.name
        ))),
    }
}

/// Sweeps the file.
pub(super) fn run_file(
    file: &SweepFile,
    arguments: &SweepArgs,
    made: Option<&Made>,
) -> Result<(), Failure> {
    let (sweep, settings) = (file.sweep(), &arguments.run);
    let progress = progress::Progress::timed(settings.hides_progress());
    let (done, once) = (Done::new(), sweep.replications == 1);
    let place = (&settings.out, sweep.name.as_str(), settings.force);
    let (work, partial) =
        Work::begin_with(&settings.output, Maker::Sweep, place, &progress, |folder| {
            let partial = Arc::new(Partial::open(folder, arguments.fresh)?);
            let (told, runs) = (done.clone(), partial.clone());
            Ok((partial, move || told.in_words(once, &runs)))
        })?;
    work.say(format!("{}, seed {}", check::summary_of_sweep(sweep), sweep.seed));
    work.announce(|| planned(file, &partial));

    let folder = work.folder();
    let mut files = SweepFiles::begin(folder, sweep)?;
    let show = |finished, all, doing: &str| {
        done.set(finished, all);
        progress.set(finished, all, doing);
    };
    let results = simulate(&work, file, &partial, &mut files, &show);
    progress.clear();
    if results.is_err() && partial.count() > 0 {
        output::message(&done.in_words(once, &partial));
    }
    let results = results?;
    let written = files.finish(&results, made).map_err(Failure::World);
    let names = written.and_then(|names| folder.commit().map(|()| names).map_err(Failure::from));
    if names.is_err() {
        let path = partial.path().display();
        output::message(&format!(
            "all runs are kept in {path}; start the same command again to write the results"
        ));
    }
    let names = names?;
    partial.remove();
    match results.taken_over {
        0 => {}
        taken => {
            let all: usize = results.points.iter().map(|point| point.runs).sum();
            work.say(format!("reused {taken} of {all} runs from an interrupted sweep"));
        }
    }
    work.wrote(names.iter().map(String::as_str));
    work.say("");
    if settings.output.json {
        let path = folder.path().join(SWEEP_DOCUMENT);
        let document = std::fs::File::open(&path);
        output::copy(document.with_context(|| format!("cannot read {}", path.display()))?)?;
    } else {
        output::data(&table::paint(&table::render_sweep(&results, settings.output.width())))?;
    }
    match results.failed() {
        0 => settings.judge(results.invalid(), results.points.len()),
        failed => Err(Failure::Points { failed, all: results.points.len() }),
    }
}

/// What is to be simulated, told by a few points spread over the grid; those that an interrupted try
/// has done are left out.
fn planned(file: &SweepFile, partial: &Partial) -> Vec<study::Planned> {
    const LOOKED_INTO: usize = 8;
    let sweep = file.sweep();
    let points: Vec<usize> = sweep.simulated().map(|(index, _)| index).collect();
    let step = points.len().div_ceil(LOOKED_INTO).max(1);
    let some: Vec<_> = file.with_points(|all| {
        points.iter().step_by(step).map(|&index| all.experiment(index)).collect()
    });
    let each = points.len() as f64 / some.len().max(1) as f64;
    let to_do = some.into_iter().filter(|one| !partial.has(study::point_key(one)));
    let mut planned = study::planned_points(to_do, sweep.replications);
    planned.iter_mut().for_each(|one| one.times *= each);
    planned
}

/// Simulates what is not known yet, and adds the rows to the files.
fn simulate(
    work: &Work<'_>,
    file: &SweepFile,
    partial: &Partial,
    files: &mut SweepFiles<'_>,
    show: study::Progress<'_>,
) -> Result<SweepResults, Failure> {
    let mut each = |row: study::PointRow<'_>| files.add(&row);
    let results = file.with_points(|points| {
        let experiment = |index| points.experiment(index);
        work.simulate(|| study::sweep(file.sweep(), &experiment, partial, show, &mut each))
    });
    Ok(results??)
}

/// How many runs are finished, of how many.
#[derive(Clone)]
struct Done(Arc<[AtomicU64; 2]>);

impl Done {
    fn new() -> Self {
        Self(Arc::new([AtomicU64::new(0), AtomicU64::new(0)]))
    }

    fn set(&self, done: u64, all: u64) {
        self.0[0].fetch_max(done, Ordering::Relaxed);
        self.0[1].store(all, Ordering::Relaxed);
    }

    /// What is kept of an unfinished sweep; a file of nothing is not.
    fn in_words(&self, once: bool, partial: &Partial) -> String {
        let [done, all] = [0, 1].map(|index| self.0[index].load(Ordering::Relaxed));
        if partial.count() == 0 {
            partial.remove();
            return "no run was finished yet, and nothing is kept".to_string();
        }
        let what = if once { "points" } else { "runs" };
        match all {
            0 => format!("the runs finished before are kept in {}", partial.path().display()),
            all => format!(
                "{done} of {all} {what} are kept in {}; start the same command again to go on",
                partial.path().display()
            ),
        }
    }
}
