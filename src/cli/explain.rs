//! `slicewise explain`: what will happen in a scenario and why, what happened, what to change first.
//!
//! It neither simulates nor formats; it calls the parts that do, in order. Which value comes from
//! where is `slicewise check --explain`.

use super::arguments::{RunArgs, whole};
use super::failure::Failure;
use super::progress::Progress;
use crate::config::Task;
use crate::report::Maker;
use crate::spec::Experiment;
use crate::study::{self, Effort, Head};
use crate::units::counted;
use clap::Args;
use std::path::Path;

/// Arguments of `slicewise explain`.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,

    /// Of a file with a [sweep]: which of its points, counted from 1 as `sweep` counts them [default:
    /// the first that can be simulated]
    // A table of files, not a link.
    #[allow(rustdoc::broken_intra_doc_links)]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = whole(1..=u32::MAX))]
    pub(super) point: Option<u32>,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise explain my-vms.toml
  slicewise explain my-vms.toml --set vm.server.batch_max=8
  slicewise explain my-vms.toml --json | jq -r '.runs[].sentences[] | select(.part == \"change\").text'
  slicewise explain scenarios/curves/vms-per-gpu-bert.toml --point 7

It simulates the scenario once, then the same with other settings and with other possible values of
what is not known for certain: seconds, not minutes. What it says to change was tried.
Which value comes from where: slicewise check FILE --explain.

Exit codes:
  0  done, whether bounds are kept or not
  2  a mistake in the scenario or on the command line
  4  with --fail-on-invalid: a VM misses its bound";

/// Runs the command.
pub(super) fn run(arguments: &ExplainArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let settings = &arguments.run;
    if settings.report {
        let why = "explain writes no report.html";
        let help =
            "slicewise run FILE --report writes one; explanation.txt and .json are written anyway";
        return Err(Failure::Usage(format!("{why}\n  = help: {help}")));
    }
    let (task, _) = settings.load(&settings.options(configs)?)?;
    let (head, runs, told): (Head, Vec<(String, Experiment)>, Vec<String>) = match &task {
        Task::Run(scenario) => {
            if arguments.point.is_some() {
                let why = format!("{} has no [sweep], so it has no points", scenario.name);
                return Err(Failure::Usage(format!("{why}\n  = help: drop --point")));
            }
            let of =
                |pair: &crate::spec::Pair| (pair.name.clone(), pair.virtual_run.experiment.clone());
            let told = scenario.warnings.clone();
            ((&**scenario).into(), scenario.pairs.iter().map(of).collect(), told)
        }
        Task::Sweep(file) => {
            let points = &file.sweep().points;
            let index = point(arguments.point, points)?;
            let name = file.sweep().label(&points[index]);
            let all = counted(points.len(), "point");
            let told = format!(
                "{} is a sweep of {all}; explained is point {}: {name}",
                file.sweep().name,
                index + 1
            );
            let experiment = file.with_points(|points| points.experiment(index));
            (file.sweep().into(), vec![(name, experiment)], vec![told])
        }
    };
    let mut vms = runs.iter().flat_map(|(_, run)| &run.vms);
    if let Some(vm) = vms.find(|vm| vm.llm.is_some()) {
        let why = format!("{} serves an LLM, which explain does not understand yet", vm.name);
        let help = "slicewise run FILE tells where a request's time goes, and check FILE --explain what it rests on";
        return Err(Failure::Usage(format!("{why}\n  = help: {help}")));
    }
    let bar = Progress::new(settings.hides_progress());
    let work = settings.begin(Maker::Explain, &format!("{}-explain", head.scenario), &bar)?;
    told.iter().for_each(|line| work.say(line));
    work.say(format!("{}: {}, seed {}", head.scenario, counted(runs.len(), "run"), head.seed));
    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let borrowed: Vec<(String, &Experiment)> =
        runs.iter().map(|(name, experiment)| (name.clone(), experiment)).collect();
    let explained = work.simulate(|| study::explain(head, &borrowed, Effort::default(), &show))?;
    bar.clear();
    work.deliver(&explained)?;
    let misses = |run: &&study::ExplainedRun| {
        run.of_kind("bound").any(|one| one.figures.get("missing_count").is_some_and(|n| *n > 0.0))
    };
    let missing = explained.runs.iter().filter(misses).count();
    settings.judge(missing, explained.runs.len())
}

/// The index of the point to explain.
fn point(wanted: Option<u32>, points: &[crate::spec::SweepPoint]) -> Result<usize, Failure> {
    let all = counted(points.len(), "point");
    match wanted {
        None => points.iter().position(crate::spec::SweepPoint::is_simulated).ok_or_else(|| {
            Failure::Usage(format!("none of the {all} of this sweep can be simulated"))
        }),
        Some(number) => {
            let index = number as usize - 1;
            let Some(point) = points.get(index) else {
                let why = format!("--point {number}: this sweep has {all}");
                return Err(Failure::Usage(format!("{why}\n  = allowed: 1 to {}", points.len())));
            };
            if let Some(why) = point.error.as_ref().or(point.not_applicable.as_ref()) {
                return Err(Failure::Usage(format!("--point {number} cannot be simulated: {why}")));
            }
            Ok(index)
        }
    }
}
