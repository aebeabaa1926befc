//! `slicewise vgpu fit`: can these VMs share these cards, and how?
//!
//! The answer is made in `study::plans`, its text in `report`.

use super::request::{gpu_and_cards, groups, there};
use super::{good_catalogue, gpu_with_types};
use crate::cli::arguments::whole;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::quoted;
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::study::plans::{VGPU_CARDS_MAX, VgpuCards, vgpu_beside};
use crate::units::Bytes;
use clap::{Args, ValueEnum};
use std::path::Path;

/// Examples for `--help`.
pub(super) const HELP: &str = "\
Examples:
  slicewise vgpu fit a100-pcie-40gb --cards 2 4xA100-10C 5xA100-8C
  slicewise vgpu fit a100-pcie-40gbx2 A100-20C 2xA100-10C 6xA100-4C --policy spread
  slicewise vgpu fit a100-pcie-40gb --cards 2 --vms 9 --frame-buffer \"8 GB\"
  slicewise vgpu fit a10 A10-12C --beside A10-4C@0 --beside A10-4C@12

Exit codes:
  0  they fit
  2  wrong usage
  4  they do not fit, or it cannot be decided; the answer gives the reason";

/// Arguments of `slicewise vgpu fit`.
#[derive(Args, Debug)]
pub(crate) struct FitArgs {
    /// The GPU, as `slicewise list` names it; a100-pcie-40gbx2 for two cards
    gpu: String,

    /// vGPU types, one for each VM: A100-10C, or 4xA100-10C for four of them; spellings of hosts
    /// are accepted (NVIDIA A100-10C, grid_a100-10c)
    #[arg(value_name = "TYPE", conflicts_with_all = ["vms", "frame_buffer"])]
    #[arg(required_unless_present = "vms")]
    types: Vec<String>,

    /// Number of cards
    #[arg(long, value_name = "N", value_parser = whole(1..=64u32))]
    cards: Option<u32>,

    /// Instead of types: the number of VMs, with any one type that has enough frame buffer
    #[arg(long, value_name = "N", requires = "frame_buffer")]
    #[arg(value_parser = whole(1..=1024u32))]
    vms: Option<u32>,

    /// The least frame buffer that each of the VMs needs, such as "8 GB"
    #[arg(long, value_name = "SIZE", requires = "vms")]
    frame_buffer: Option<Bytes>,

    /// vGPUs that the card has already: COUNTxTYPE, or TYPE@ID with its placement id (of mixed-size
    /// mode) or the first memory slice of its GPU instance; may be repeated
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["vms", "cards", "policy"])]
    beside: Vec<String>,

    /// Which card a VM goes to: the first with room, or the one with the fewest VMs
    #[arg(long, value_name = "POLICY", default_value = "consolidate")]
    policy: Policy,

    /// vGPUs of one size on a card, or of several; default: of several where it is needed
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Policy {
    Consolidate,
    Spread,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Mode {
    #[value(alias = "equal-size")]
    Equal,
    #[value(alias = "mixed-size")]
    Mixed,
}

/// Runs the command.
pub(super) fn run(arguments: &FitArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = good_catalogue(configs)?;
    let known: Vec<&str> = catalogue.gpus().map(|gpu| gpu.id.as_str()).collect();
    let (name, said) = gpu_and_cards(&arguments.gpu, &known);
    let gpu = gpu_with_types(&catalogue, &name)?;
    let cards = match (said, arguments.cards) {
        (Some(_), Some(_)) => {
            let title = format!(
                "{} states the number of cards, and so does --cards",
                quoted(&arguments.gpu)
            );
            return Err(Failure::Usage(title));
        }
        (one, other) => one.or(other).unwrap_or(1),
    };
    if !(1..=VGPU_CARDS_MAX).contains(&cards) {
        let title = format!("{cards} cards\n  = allowed: 1 to {VGPU_CARDS_MAX} cards");
        return Err(Failure::Usage(title));
    }
    let assignment = match arguments.policy {
        Policy::Consolidate => Assignment::Consolidate,
        Policy::Spread => Assignment::Spread,
    };
    let mode = arguments.mode.map(|mode| match mode {
        Mode::Equal => SizeMode::Equal,
        Mode::Mixed => SizeMode::Mixed,
    });
    if !arguments.beside.is_empty() {
        if cards > 1 {
            let title = "--beside describes one card, and there are several";
            return Err(Failure::Usage(format!("{title}\n  = help: ask card by card")));
        }
        let there = there(gpu, &arguments.beside)?;
        let wanted = groups(gpu, &arguments.types)?.into_iter();
        let wanted = wanted.flat_map(|one| std::iter::repeat_n(one.kind, one.count as usize));
        let wanted: Vec<usize> = wanted.collect();
        let answer = vgpu_beside(gpu, &there, &wanted, mode == Some(SizeMode::Mixed));
        output::answer(&answer, arguments.json)?;
        return if answer.plan.is_some() { Ok(()) } else { Err(Failure::AnsweredNo) };
    }
    let disputed = catalogue.disputed_mixes(&gpu.id);
    let cards = VgpuCards { gpu, disputed, count: cards as usize, assignment, mode };
    let answer = match arguments.vms.zip(arguments.frame_buffer) {
        None => Ok(cards.fit(&groups(gpu, &arguments.types)?)),
        Some((vms, frame_buffer)) => cards.fit_by_need(vms, frame_buffer),
    };
    let fits = answer.as_ref().is_ok_and(|answer| !answer.plan.is_empty());
    match &answer {
        Ok(answer) => output::answer(answer, arguments.json)?,
        Err(none) => output::answer(none, arguments.json)?,
    }
    if fits { Ok(()) } else { Err(Failure::AnsweredNo) }
}
