//! `slicewise run`: simulate, write the folder, print the table or the document.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::progress::Progress;
use super::{Failure, RunOnceArgs, SweepArgs, check, sweep};
use crate::config::Task;
use crate::report::Maker;
use crate::study::{self, Side};
use std::path::Path;

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
                let why = "the number of replications of a sweep is set in its file";
                let help = format!("write replications = {count} under [sweep]");
                return Err(Failure::Usage(format!("{why}\n  = help: {help}")));
            }
            return sweep::run_file(&file, &SweepArgs { run: arguments, fresh: false });
        }
    };
    let bar = Progress::new(arguments.hides_progress());
    let work = arguments.begin(Maker::Run, &scenario.name, &bar)?;
    scenario.warnings.iter().for_each(|warning| work.say(warning));
    work.say(format!("{}, seed {}", check::summary(&scenario), scenario.seed));
    let count = replications.unwrap_or(REPLICATIONS);
    work.announce(|| study::planned(&scenario, count));

    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let results = work.simulate(|| study::run_replicated(&scenario, count, &show))?;
    bar.clear();
    work.deliver(&results)?;
    let runs = results.runs.iter().filter(|run| run.side == Side::Virtual);
    let invalid = runs.clone().filter(|run| run.vms.iter().any(|vm| !vm.verdict.valid)).count();
    arguments.judge(invalid, runs.count())
}
