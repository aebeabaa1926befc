//! `slicewise vgpu`: the administrator's tools for NVIDIA's vGPU software.
//!
//! The answers are made in `study::plans`, their texts and drawings in `report`.

mod fit;
mod registry;
mod request;

use super::failure::Failure;
use super::named::good_catalogue;
use super::output;
use crate::config::Catalogue;
use crate::spec::GpuSpec;
use crate::study::plans::vgpu_types;
use clap::Subcommand;
use std::path::Path;

/// Commands about vGPUs.
#[derive(Subcommand, Debug)]
pub(crate) enum VgpuCommand {
    /// List the vGPU types of a GPU: frame buffer, how many fit, placement ids, shares of time
    #[command(
        after_help = "Examples:\n  slicewise vgpu list a100-pcie-40gb\n  slicewise vgpu list l40s --json"
    )]
    List {
        /// The GPU, as `slicewise list` names it
        gpu: String,

        /// Print JSON instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Find which VMs fit on which card, and how to set it up; or why they do not fit, and what
    /// would
    #[command(after_help = fit::HELP)]
    Fit(fit::FitArgs),
    /// Explain an RmPVMRL registry word: time-slice policy, order, slice, averaging factor
    #[command(after_help = "Examples:\n  slicewise vgpu decode 0x0103F001")]
    Decode {
        /// The word, such as 0x0103F001, or a setting with it: NVreg_RegistryDwords="RmPVMRL=0x01"
        word: String,

        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Write the RmPVMRL registry word for a time-slice policy, and how to set it on a host
    #[command(after_help = registry::ENCODE_HELP)]
    Encode(registry::EncodeArgs),
}

/// Runs the command.
pub(super) fn run(command: VgpuCommand, configs: Option<&Path>) -> Result<(), Failure> {
    match command {
        VgpuCommand::List { gpu, json } => {
            let catalogue = good_catalogue(configs)?;
            let gpu = gpu_with_types(&catalogue, &gpu)?;
            let (source, notes) = catalogue.about_vgpu_types(&gpu.id);
            output::answer(&vgpu_types(gpu, source, notes), json)
        }
        VgpuCommand::Fit(arguments) => fit::run(&arguments, configs),
        VgpuCommand::Decode { word, json } => registry::decode(&word, json),
        VgpuCommand::Encode(arguments) => registry::encode(&arguments),
    }
}

/// The GPU of this name, with vGPU types.
fn gpu_with_types<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a GpuSpec, Failure> {
    let gpu = super::named::gpu(catalogue, name)?;
    if gpu.vgpu_types.is_empty() {
        let title = format!("no vGPU types of {} are published", gpu.id);
        return Err(Failure::Usage(format!(
            "{title}\n  = help: add your own table in a catalogue folder (--configs)"
        )));
    }
    Ok(gpu)
}
