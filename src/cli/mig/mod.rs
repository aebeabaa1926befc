//! `slicewise mig`: the GPU instances of a GPU, a layout for a request, every legal layout.
//!
//! The answers are made in `study::plans`, their text and drawings in `report`. No GPU is touched:
//! the commands to do it are printed.

mod ask;

use super::arguments::whole;
use super::failure::Failure;
use super::output;
use crate::config::Catalogue;
use crate::layout::geometry::Positioned;
use crate::spec::GpuSpec;
use crate::study::plans::{
    LayoutsWanted, MigNotThere, MigPlan, compute_instances, mig_layouts, mig_lie, mig_plan,
    mig_profiles,
};
use ask::{asked, profile};
use clap::{Args, Subcommand};
use std::path::Path;

/// Commands about MIG.
#[derive(Subcommand, Debug)]
pub(crate) enum MigCommand {
    /// Print the GPU instance profiles of a GPU as `nvidia-smi mig -lgip` and `-lgipp` do
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Draw a layout for GPU instances, with the commands that create it, or the reason why there
    /// is none
    #[command(after_help = PLACE_HELP)]
    Place(PlaceArgs),
    /// List every legal layout of a GPU
    #[command(after_help = LAYOUTS_HELP)]
    Layouts(LayoutsArgs),
}

/// Arguments of `slicewise mig list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The GPU, as `slicewise list` names it
    gpu: String,

    /// List the compute instances of this GPU instance profile, as `nvidia-smi mig -lcip` does
    #[arg(long, value_name = "PROFILE")]
    gi: Option<String>,

    /// Count what is free beside these GPU instances, written as for `place`; may be repeated
    #[arg(long, value_name = "PROFILE", conflicts_with = "gi")]
    beside: Vec<String>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Arguments of `slicewise mig place`.
#[derive(Args, Debug)]
pub(crate) struct PlaceArgs {
    /// The GPU, as `slicewise list` names it
    gpu: String,

    /// GPU instances in order of creation: 3g.20gb, 7x1g.5gb for seven, 9 by its id, 3g.20gb@4 or 9:4
    /// to name the start, 1c.3g.20gb for a compute instance inside; as nvidia-smi prints them too
    #[arg(required = true, value_name = "PROFILE")]
    profiles: Vec<String>,

    /// GPU instances that exist already, beside which to place; may be repeated
    #[arg(long, value_name = "PROFILE", conflicts_with = "gpus")]
    beside: Vec<String>,

    /// Number of GPUs of this model
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = whole(1..=16u32))]
    gpus: u32,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Arguments of `slicewise mig layouts`.
#[derive(Args, Debug)]
pub(crate) struct LayoutsArgs {
    /// The GPU, as `slicewise list` names it
    gpu: String,

    /// Only layouts that nothing can be added to
    #[arg(long)]
    maximal: bool,

    /// One line for layouts that have the same instances
    #[arg(long)]
    sets: bool,

    /// Leave a profile out; may be repeated
    #[arg(long, value_name = "PROFILE")]
    without: Vec<String>,

    /// List variants such as +me separately from their plain profiles
    #[arg(long)]
    variants: bool,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

const LIST_HELP: &str = "\
Examples:
  slicewise mig list a100-pcie-40gb                  profiles and their positions
  slicewise mig list a100-pcie-40gb --gi 3g.20gb     compute instances of a 3g.20gb
  slicewise mig list a100-pcie-40gb --beside 4g.20gb what is free beside a 4g.20gb

Exit codes:
  0  printed
  2  wrong usage
  4  the instances of --beside are not a layout of the GPU";

const PLACE_HELP: &str = "\
Examples:
  slicewise mig place a100-pcie-40gb 3g.20gb 2g.10gb 1g.5gb
  slicewise mig place a100-pcie-40gb 7x1g.5gb
  slicewise mig place a100-pcie-40gb 19,19,14,9      by id, as nvidia-smi mig -cgi takes them
  slicewise mig place h100-sxm-80gb 3x3g.40gb --gpus 2
  slicewise mig place a100-pcie-40gb 3x1c.3g.20gb 4g.20gb
  slicewise mig place a100-pcie-40gb 3g.20gb@0 4g.20gb
  slicewise mig place a100-pcie-40gb 3g.20gb --beside 1g.5gb@0 --beside 1g.5gb@5

Instances are created in the given order, and the driver chooses their places. If it refuses one,
another order is tried, and then a layout with named starts: what is refused has no layout at all.

Exit codes:
  0  there is a layout
  2  wrong usage
  4  there is none; the answer gives the reason";

const LAYOUTS_HELP: &str = "\
Examples:
  slicewise mig layouts a100-pcie-40gb --maximal --sets
  slicewise mig layouts a100-pcie-40gb --maximal --without 1g.10gb";

/// Runs the command.
pub(super) fn run(command: MigCommand, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = super::named::good_catalogue(configs)?;
    match command {
        MigCommand::List(arguments) => list(&arguments, &catalogue),
        MigCommand::Place(arguments) => place(&arguments, &catalogue),
        MigCommand::Layouts(arguments) => layouts(&arguments, &catalogue),
    }
}

fn list(arguments: &ListArgs, catalogue: &Catalogue) -> Result<(), Failure> {
    let gpu = gpu(catalogue, &arguments.gpu)?;
    if let Some(name) = &arguments.gi {
        let profile = profile(name, gpu, catalogue)?;
        return output::answer(&compute_instances(gpu, profile), arguments.json);
    }
    let there = there(&arguments.beside, gpu, catalogue, arguments.json)?;
    let source = catalogue.mig_source(&gpu.id);
    output::answer(&mig_profiles(gpu, &there, source), arguments.json)
}

fn place(arguments: &PlaceArgs, catalogue: &Catalogue) -> Result<(), Failure> {
    let gpu = gpu(catalogue, &arguments.gpu)?;
    let asked = asked(&arguments.profiles, gpu, catalogue)?;
    if arguments.gpus > 1 && asked.iter().any(|one| one.wish.start.is_some()) {
        let why =
            "a start is named, and there are several GPUs\n  = help: place on one GPU at a time";
        return Err(Failure::Usage(why.to_string()));
    }
    let there = there(&arguments.beside, gpu, catalogue, arguments.json)?;
    let plan = mig_plan(gpu, &asked, &there, arguments.gpus);
    output::answer(&plan, arguments.json)?;
    if matches!(plan, MigPlan::Made(_)) { Ok(()) } else { Err(Failure::AnsweredNo) }
}

fn layouts(arguments: &LayoutsArgs, catalogue: &Catalogue) -> Result<(), Failure> {
    let gpu = gpu(catalogue, &arguments.gpu)?;
    let without = arguments.without.iter().map(|name| profile(name, gpu, catalogue));
    let wanted = LayoutsWanted {
        maximal: arguments.maximal,
        sets: arguments.sets,
        without: without.collect::<Result<_, _>>()?,
        variants: arguments.variants,
    };
    output::answer(&mig_layouts(gpu, &wanted), arguments.json)
}

/// Where the instances lie that `--beside` names; where no layout has them, that is the answer.
fn there(
    beside: &[String],
    gpu: &GpuSpec,
    catalogue: &Catalogue,
    json: bool,
) -> Result<Vec<Positioned>, Failure> {
    match mig_lie(gpu, &asked(beside, gpu, catalogue)?) {
        Some(there) => Ok(there),
        None => {
            output::answer(&MigNotThere { gpu: &gpu.id, beside, fits: false }, json)?;
            Err(Failure::AnsweredNo)
        }
    }
}

/// The GPU of this name, if it can be cut.
fn gpu<'a>(catalogue: &'a Catalogue, id: &str) -> Result<&'a GpuSpec, Failure> {
    let is_cut = |gpu: &GpuSpec| !gpu.mig_profiles.is_empty();
    super::named::gpu_that(catalogue, id, is_cut, "the catalogue has no GPU instance profiles")
}

/// A mistake on the command line: what, what is allowed, what was perhaps meant.
fn usage(title: String, allowed: &str, near: Option<String>) -> Failure {
    let help = near.map_or(String::new(), |near| format!("\n  = help: did you mean \"{near}\"?"));
    Failure::Usage(format!("{title}\n  = allowed: {allowed}{help}"))
}
