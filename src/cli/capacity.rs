//! `slicewise capacity`: the highest VALID rate of each system of a file, side by side.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::{RunArgs, percent, span, whole};
use super::failure::Failure;
use super::{output, progress};
use crate::config::{LoadOptions, SweepFile, Task};
use crate::report::Maker;
use crate::spec::Scenario;
use crate::study::{self, CapacityPlan, CapacitySearch, System};
use crate::units::{SimDuration, counted};
use clap::Args;
use std::collections::BTreeMap;
use std::path::Path;

/// Arguments of `slicewise capacity`.
#[derive(Args, Debug)]
pub(super) struct CapacityArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,

    /// Distance of the VALID and the INVALID rate at the end of the search, in percent of the rate
    /// [default: the smallest of the files' [capacity], else 0.5]
    // A table of files, not a link.
    #[allow(rustdoc::broken_intra_doc_links)]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) precision: Option<f64>,

    /// Searches per system, each with other random numbers, for an interval
    #[arg(long, value_name = "N", default_value = "3")]
    #[arg(value_parser = whole(1..=100u32))]
    pub(super) replications: u32,

    /// End every search after this time, such as "2 min", with the best answer so far; another run
    /// may get further, so the answer is not reproducible
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(super) time_limit: Option<SimDuration>,

    /// Instead of the rate: how many VMs of a `[[vm]]` fit, each at its own rate, before one misses
    /// its bound or the next has no place; name the `[[vm]]` where there are several
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", conflicts_with = "precision")]
    pub(super) vms: Option<String>,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise capacity my-vm.toml                      the highest rate, beside bare metal
  slicewise capacity my-vm.toml --precision 0.1 --replications 5
  slicewise capacity my-vm.toml --time-limit 120s    the best answer then, if it takes longer
  slicewise capacity my-vm.toml --vms                how many such VMs fit, and why not one more
  slicewise capacity scenarios/curves/vms-per-gpu-resnet50.toml --vms
                                                     the same for each line of a sweep, side by side
  slicewise capacity my-vms.toml --vms=front         of several [[vm]], how many of this one";

/// Runs the command.
pub(super) fn run(arguments: &CapacityArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let settings = &arguments.run;
    let options = LoadOptions { rates_are_parts: true, ..settings.options(configs)? };
    let (task, made) = settings.load(&options)?;
    let plan = match task {
        Task::Run(scenario) => {
            if !settings.output.quiet {
                scenario.warnings.iter().for_each(|warning| output::message(warning));
            }
            of_scenario(&scenario, arguments)
        }
        Task::Sweep(file) => of_sweep(&file, arguments),
    };
    if plan.systems.is_empty() {
        let why = "no VM is under Server load, and a capacity is a Server rate";
        return Err(Failure::Usage(format!("{}: {why}", plan.head.scenario)));
    }
    let name = &plan.head.scenario;
    let bar = progress::Search::new(settings.hides_progress(), arguments.time_limit);
    let work = settings.begin(Maker::Capacity, &format!("{name}-capacity"), bar.bar())?;
    let systems = counted(plan.systems.len(), "system");
    work.say(format!("{name}: capacity of {systems}, seed {}", plan.head.seed));
    let planned = || study::planned_searches(plan.systems.iter(), plan.search, plan.replications);
    if work.announce(planned) {
        work.say(
            "this estimate assumes that the highest VALID rate is near the throughput of \
            full batches: where it is not, a search is shorter or longer",
        );
    }

    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let results = work.simulate(|| study::capacities(&plan, &show, &|| bar.is_over()))?;
    bar.clear();
    work.deliver_with(&results, made.as_ref())?;
    let invalid = results.systems.iter().filter(|system| system.capacity_per_s.mean == 0.0).count();
    match results.skipped.len() {
        0 => settings.judge(invalid, results.systems.len()),
        failed => Err(Failure::Points { failed, all: failed + results.systems.len() }),
    }
}

/// Each pair of a scenario: the virtual run, and the same on bare metal.
fn of_scenario(scenario: &Scenario, arguments: &CapacityArgs) -> CapacityPlan {
    let (mut systems, mut gaps) = (Vec::new(), Vec::new());
    for pair in &scenario.pairs {
        let experiment = &pair.virtual_run.experiment;
        if let Some(gap) = study::add_gap(&mut systems, pair) {
            gaps.push(gap);
        } else if study::asked_per_s(experiment) > 0.0 {
            study::add_with_bare_metal(&mut systems, &pair.name, experiment);
        }
    }
    let search = search(arguments, scenario.pairs.iter().filter_map(|pair| pair.capacity));
    let plan = CapacityPlan::of(scenario.into(), search, arguments.replications, systems);
    CapacityPlan { gaps, ..plan }
}

/// The precision of the command line, else the finest that a file states, else half a percent.
fn search(arguments: &CapacityArgs, stated: impl Iterator<Item = f64>) -> CapacitySearch {
    const PRECISION: f64 = 0.005;
    let stated = stated.min_by(f64::total_cmp);
    let given = arguments.precision.map(|percent| percent / 100.0);
    CapacitySearch { precision: given.or(stated).unwrap_or(PRECISION) }
}

/// Each point of a sweep, compared with each other.
fn of_sweep(file: &SweepFile, arguments: &CapacityArgs) -> CapacityPlan {
    let sweep = file.sweep();
    let (mut systems, mut skipped) = (Vec::new(), Vec::new());
    let mut left_out: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    file.with_points(|points| {
        for (index, point) in sweep.points.iter().enumerate() {
            let name = sweep.label(point);
            if let Some(error) = &point.error {
                skipped.push(format!("{name}: {error}"));
                continue;
            }
            if let Some(reason) = &point.not_applicable {
                left_out.entry(reason.as_str()).or_default().push(name);
                continue;
            }
            let experiment = points.experiment(index);
            if study::asked_per_s(&experiment) > 0.0 {
                systems.push(System::of(name, experiment));
            }
        }
    });
    // Each reason once.
    let notes = left_out.into_iter().map(|(reason, names)| match &names[..] {
        [one] => format!("n/a: {one}: {reason}"),
        [first, rest @ ..] => format!("n/a: {first} and {} more: {reason}", rest.len()),
        [] => unreachable!("a reason is noted with a name"),
    });
    let search = search(arguments, std::iter::empty());
    let plan = CapacityPlan::of(sweep.into(), search, arguments.replications, systems);
    CapacityPlan { skipped, notes: notes.collect(), ..plan }
}
