//! `slicewise run`: simulate, write the folder, print the table or the document.
//!
//! It neither simulates nor formats; it says who does what, and in which order.

use super::interrupt::Watch;
use super::{Failure, RunOnceArgs, SweepArgs, announce, check, output, progress, sweep};
use crate::config::Task;
use crate::report::{self, Maker, table};
use crate::study::{self, Results, Side};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Runs of each side unless the command line says how many: the least that give an interval worth
/// the name.
const REPLICATIONS: u32 = 3;

/// Runs the command.
pub(super) fn run(arguments: RunOnceArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let RunOnceArgs { run: arguments, replications } = arguments;
    let scenario = match arguments.load(configs)? {
        Task::Run(scenario) => scenario,
        // Whoever runs a sweep means its points.
        Task::Sweep(file) => {
            if let Some(count) = replications {
                let why = "how often the points of a sweep are run stands in its file";
                let help = format!("write replications = {count} under [sweep]");
                return Err(Failure::Usage(format!("{why}\n  = help: {help}")));
            }
            return sweep::run_file(&file, &SweepArgs { run: arguments, fresh: false });
        }
    };
    let out = arguments.out.clone().unwrap_or_else(|| default_folder(&scenario.name));
    // Before the work: nobody likes to hear after it that the folder was wrong.
    let progress = progress::Progress::new(arguments.hides_progress());
    let watch = Watch::open(&out, Maker::Run, arguments.force, &progress)?;
    if !arguments.manner.quiet {
        scenario.warnings.iter().for_each(|warning| output::message(warning));
        output::message(&format!("{}, seed {}", check::summary(&scenario), scenario.seed));
    }

    let count = replications.unwrap_or(REPLICATIONS);
    if !arguments.manner.quiet {
        announce::amount(&study::planned(&scenario, count), arguments.manner.threads);
    }
    let show = |done, all, doing: &str| progress.set(done, all, doing);
    let results =
        with_threads(arguments.manner.threads, || study::run_replicated(&scenario, count, &show))?;
    progress.clear();

    let files = report::files(&results)?;
    watch.folder().write(&files)?;
    if !arguments.manner.quiet {
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        output::message(&format!("wrote {}: {}\n", out.display(), names.join(" ")));
    }
    print(&results, arguments.manner.json)?;
    let runs = results.runs.iter().filter(|run| run.side == Side::Virtual);
    let invalid = runs.clone().filter(|run| run.vms.iter().any(|vm| !vm.verdict.valid)).count();
    arguments.judge(invalid, runs.count())
}

fn print(results: &Results, json: bool) -> Result<(), Failure> {
    if json {
        return output::data(&report::document(results)?);
    }
    output::data(&table::paint(&table::render(results, output::width())))
}

/// Does the work with so many threads, or one per core.
pub(super) fn with_threads<R: Send>(
    threads: Option<u16>,
    work: impl FnOnce() -> R + Send,
) -> Result<R, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0).into()).build();
    Ok(pool.context("cannot start threads")?.install(work))
}

/// `output/<scenario>`, from the current folder; the name made fit for a folder.
pub(super) fn default_folder(scenario: &str) -> PathBuf {
    let fit = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = scenario.trim_start_matches('.').chars().map(fit).collect();
    Path::new("output").join(if name.is_empty() { "scenario" } else { name.as_str() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_folder_stays_below_output() {
        for (scenario, folder) in [
            ("vsphere-mlperf-v1.1", "output/vsphere-mlperf-v1.1"),
            ("../../etc", "output/-..-etc"),
            ("..", "output/scenario"),
            ("", "output/scenario"),
        ] {
            assert_eq!(default_folder(scenario), Path::new(folder));
        }
    }
}
