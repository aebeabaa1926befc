//! `slicewise plan`: layouts of VMs on cards that hold every latency bound, the cheapest first.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::{OutputArgs, span, whole};
use super::export;
use super::failure::Failure;
use super::page;
use super::progress::{self, ShowProgress};
use super::work::Work;
use crate::config::{Catalogue, LoadOptions, PlanFile};
use crate::report::Maker;
use crate::study::{self, PlanResults, PlanTask};
use crate::units::{SimDuration, counted};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise plan`.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    /// A plan file: a scenario whose VMs do not say what they have of a card; or - for standard
    /// input
    path: PathBuf,

    /// The most cards in all [default: those at hand; of count = "any" as many as the host comes
    /// with, or 8]
    #[arg(long, value_name = "N", value_parser = whole(1..=64u32))]
    at_most: Option<u32>,

    /// End the search after this time, such as "2 min", with what was found so far; another run may
    /// get further, so the answer is not reproducible
    #[arg(long, value_name = "TIME", value_parser = span)]
    time_limit: Option<SimDuration>,

    /// Set a key of the file, such as vm.load.target_qps=80; may be given several times, in order
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Output folder [default: output/FILE-plan]; replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Also write report.html: one page with tables, the chart, sources and the file, that needs
    /// nothing beside it
    #[arg(long)]
    report: bool,

    /// Seed of every random stream, instead of the file's
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,

    /// Whether to show progress; `auto` shows it where standard error is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: ShowProgress,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise plan my-vms.toml                     which VM on which card, with what vGPU or slice
  slicewise plan my-vms.toml --at-most 4         with count = \"any\": how many of which card?
  slicewise plan my-vms.toml --set vm.load.target_qps=80
  slicewise run output/my-vms-plan/layout-1.toml the first layout again, as a scenario

Exit codes:
  0  a layout holds every bound
  2  a mistake in the file or on the command line
  4  no layout was found";

/// Runs the command.
pub(super) fn run(arguments: &PlanArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = Catalogue::load(configs)?;
    let options = LoadOptions {
        seed: arguments.seed,
        set: arguments.set.clone(),
        ..LoadOptions::new(catalogue)
    };
    let file = PlanFile::load(&arguments.path, &options, arguments.at_most)?;
    let task = file.task();
    let name = task.head.scenario.clone();
    let hidden = arguments.output.quiet || arguments.progress == ShowProgress::Never;
    let bar = progress::Search::new(hidden, arguments.time_limit);
    let place = (&arguments.out, &format!("{name}-plan")[..], arguments.force);
    let work = Work::begin(&arguments.output, Maker::Plan, place, bar.bar())?;
    work.say(format!("{name}: {}, seed {}", in_words(task), task.head.seed));
    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let make = |layout: &study::Layout| file.experiment(layout);
    let found = work.simulate(|| study::layouts(task, &make, &show, &|| bar.is_over()))?;
    bar.clear();
    let results = with_files(found, &file, work.folder().path(), &options.catalogue);
    let made = arguments.report.then(|| page::made(file.inputs()));
    work.deliver_with(&results, made.as_ref())?;
    if results.layouts.is_empty() { Err(Failure::AnsweredNo) } else { Ok(()) }
}

/// `12 VMs on up to 2 x a30`.
fn in_words(task: &PlanTask) -> String {
    let all: u32 = task.kinds.iter().map(|kind| kind.count).sum();
    let cards = task.cards.iter().map(|cards| format!("{} x {}", cards.most, cards.gpu.id));
    let cards: Vec<String> = cards.collect();
    format!("{} on up to {}", counted(all, "VM"), cards.join(" and "))
}

/// Each layout with its files.
fn with_files(
    mut results: PlanResults,
    file: &PlanFile,
    folder: &Path,
    catalogue: &Catalogue,
) -> PlanResults {
    for answer in &mut results.layouts {
        let title = format!("{}: layout {}", results.head.title, answer.rank);
        answer.scenario = file.scenario(&answer.layout, &title, folder);
        answer.mig_parted = file.experiment(&answer.layout).ok().and_then(|experiment| {
            export::mig_parted_of(&format!("layout-{}", answer.rank), &experiment, catalogue)
        });
    }
    if let Some(near) = &mut results.nearest {
        let title = format!("{}: the nearest layout", results.head.title);
        near.scenario = file.scenario(&near.layout, &title, folder);
    }
    results
}
