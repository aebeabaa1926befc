//! `slicewise run`: simulate, write the folder, print the table or the document.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::{RunArgs, whole};
use super::failure::Failure;
use super::progress::Progress;
use super::sweep::SweepArgs;
use super::{check, page, sweep};
use crate::config::Task;
use crate::report::Maker;
use crate::study::{self, Extent, Side};
use clap::Args;
use std::path::Path;

/// Arguments of `slicewise run` alone.
#[derive(Args, Debug)]
pub(super) struct RunOnceArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,

    /// Runs of each side with other random numbers, for intervals; tables show the first [default:
    /// 3]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = whole(1..=100u32))]
    pub(super) replications: Option<u32>,

    /// The run under test, once, and nothing beside it: no bare metal and no intervals. For runs of
    /// many VMs
    #[arg(long, conflicts_with = "replications")]
    pub(super) once: bool,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise run scenarios/vsphere-mlperf-v1.1
  slicewise run my-vm.toml --seed 7 --out result --force
  slicewise run cluster.toml --once                 thousands of VMs: the run alone
  slicewise run my-vm.toml --report                 also one page to read, to print and to send
  slicewise run my-vm.toml --set vm.vcpus=8 --set vm.load.target_qps=900
  slicewise run my-vms.toml --set vm[1].vcpus=4 --set vm.front.server.batch_max=16
  slicewise run my-vm.toml --set 'vm.vgpu={ type = \"A100-20C\" }' --json
  generate | slicewise run - --quiet --fail-on-invalid      in a script

A value comes from the first of these that sets it: a flag, the environment, --set, the file, the
preset of the server, a default. `slicewise check --explain` prints where each value comes from.

Exit codes:
  0  done, VALID or not
  2  a mistake in the scenario or on the command line
  4  with --fail-on-invalid: a run under test is INVALID";

/// Runs of each side unless the command line says how many: the least that give an interval worth
/// the name.
const REPLICATIONS: u32 = 3;

/// Runs the command.
pub(super) fn run(arguments: RunOnceArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let RunOnceArgs { run: arguments, replications, once } = arguments;
    let (task, mut made) = arguments.load(&arguments.options(configs)?)?;
    let scenario = match task {
        Task::Run(scenario) => scenario,
        // Whoever runs a sweep means its points.
        Task::Sweep(file) => {
            if let Some(count) = replications {
                let why = "the number of replications of a sweep is set in its file";
                let help = format!("write replications = {count} under [sweep]");
                return Err(Failure::Usage(format!("{why}\n  = help: {help}")));
            }
            if once {
                let help = "drop --once: a point of a sweep has what its file asks for";
                return Err(Failure::Usage(format!("--once is for a run\n  = help: {help}")));
            }
            let arguments = SweepArgs { run: arguments, fresh: false };
            return sweep::run_file(&file, &arguments, made.as_ref());
        }
    };
    let scenario = if once { Box::new(scenario.without_baselines()) } else { scenario };
    let bar = Progress::in_parts(arguments.hides_progress());
    let work = arguments.begin(Maker::Run, &scenario.name, &bar)?;
    scenario.warnings.iter().for_each(|warning| work.say(warning));
    work.say(format!("{}, seed {}", check::summary(&scenario), scenario.seed));
    let extent = match once {
        true => Extent::Once,
        false => Extent::Replicated(replications.unwrap_or(REPLICATIONS)),
    };
    work.announce(|| study::planned(&scenario, extent));

    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let results = work.simulate(|| study::run_to(&scenario, extent, &show))?;
    if let Some(made) = &mut made {
        let mut window = work.simulate(|| study::window(&scenario, &results))?;
        window.command = trace(&arguments, configs, &window.command);
        made.window = Some(window);
    }
    bar.clear();
    work.deliver_with(&results, made.as_ref())?;
    let runs = results.runs.iter().filter(|run| run.side == Side::Virtual);
    let invalid = runs.clone().filter(|run| run.vms.iter().any(|vm| !vm.verdict.valid)).count();
    arguments.judge(invalid, runs.count())
}

/// The command `trace` of the same scenario, as a shell reads it, with these words at its end; none where
/// there are none.
fn trace(run: &RunArgs, configs: Option<&Path>, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let mut command = vec!["slicewise".to_string()];
    if let Some(configs) = configs {
        command.extend(["--configs".to_string(), configs.display().to_string()]);
    }
    command.extend(["trace".to_string(), run.path.display().to_string()]);
    command.extend(run.set.iter().flat_map(|set| ["--set".to_string(), set.clone()]));
    let workload = run.workload.iter().map(|name| ("--workload", name.clone()));
    let seed = run.seed.iter().map(|seed| ("--seed", seed.to_string()));
    command.extend(workload.chain(seed).flat_map(|(flag, value)| [flag.to_string(), value]));
    command.extend_from_slice(words);
    command.iter().map(|word| page::quoted(word)).collect()
}
