//! Floor 9: the command line. One file per command; the arguments are here, their meaning is there.
//!
//! Standard output carries data only; messages, progress and diagnostics go to standard error.

mod announce;
mod arguments;
mod ask;
mod calibrate;
mod capacity;
mod catalogue;
mod check;
mod completions;
mod explain;
mod explanation;
mod export;
mod failure;
mod import;
mod interrupt;
mod layouts;
mod manual;
mod measured;
mod mig;
mod named;
mod new;
mod output;
mod page;
mod place;
mod plan;
mod progress;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod sweep;
mod trace;
mod validate;
mod vgpu;
mod vms;
mod work;

pub use failure::Failure;

use crate::config;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;

/// Simulates inference load on GPUs shared between virtual machines.
#[derive(Parser, Debug)]
#[command(version, long_version = manual::VERSION, about)]
#[command(after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// When to use colour; `auto` looks at the terminal and at NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,

    /// Folder of GPUs, hosts, hypervisors, workloads and harnesses to use before the built-in ones
    #[arg(long, global = true, value_name = "DIR", env = "SLICEWISE_CONFIGS")]
    configs: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

const SCHEMA_HELP: &str = "\
Editors with TOML support complete keys and show mistakes while a file is written, given its first
line:
  #:schema ./scenario.schema.json    a path from the file, or an address

Examples:
  slicewise schema > scenario.schema.json";

const AFTER_HELP: &str = "\
Examples:
  slicewise ask --model times.csv --gpu \"H100 PCIe\" --vms 4 --rate 50 --bound \"50 ms\"   yes or no?
  slicewise run scenarios/vsphere-mlperf-v1.1      every scenario of a folder
  slicewise run my-vm.toml --seed 7 --out result   one file, another seed, another place
  slicewise run my-vm.toml --json | jq .runs       the document for programs
  slicewise sweep scenarios/vcpu-knee.toml         every point of a grid; goes on if interrupted
  slicewise capacity my-vm.toml                    the highest rate that keeps the bound
  slicewise plan my-vms.toml                       which VM on which card, with what vGPU or slice
  slicewise place my-cluster.toml                  which VM on which host of a cluster, or why not
  slicewise calibrate times.csv --gpu a30 -o my-model.toml   from measurements to a workload file
  slicewise run my-vm.toml --set vm.vcpus=8        the same file with another value
  slicewise trace my-vm.toml --from 1s --for 50ms  whose turn it is, for Perfetto and as a drawing
  slicewise serve                                  a page with lessons and sliders, on this machine
  slicewise explain my-vms.toml                    what happens and why, what to change first
  slicewise check my-vm.toml                       only look for mistakes
  slicewise check my-vm.toml --explain             every value in use and where it comes from
  slicewise list                                   the catalogue's entries
  slicewise show a100-pcie-40gb                    one entry with its sources
  slicewise new gpu -o my/gpus/my-gpu.toml         a template for your own file
  slicewise vgpu fit a100-pcie-40gb --cards 2 4xA100-10C 5xA100-8C    which VM on which card
  slicewise import config.yaml --gpu a100-pcie-40gb  which layouts of mig-parted can be placed
  slicewise vgpu decode 0x0103F001                 the meaning of a registry word of the host
  slicewise mig place a100-pcie-40gb 3g.20gb 4g.20gb   a drawn layout, or why there is none

Exit codes:
  0    done; an INVALID verdict is a result, not an error
  1    the environment failed: a file cannot be read or written
  2    wrong usage, a mistake in a scenario, or an output folder that is not slicewise's
  3    a sweep is done, and some of its points could not be simulated: rows with an error
  4    the answer is no, on standard output: VMs miss their bound (or it is not sure),
       do not fit on the cards, GPU instances have no layout; with --fail-on-invalid, a run is
       INVALID or no rate is VALID
  130  interrupted; earlier files of the output folder are kept";

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Simulate a scenario: table on the terminal; JSON, CSV and charts in a folder
    #[command(after_help = run::HELP)]
    Run(run::RunOnceArgs),
    /// Simulate every point of a file's [sweep]: curves, and one CSV and JSON Lines
    #[command(after_help = sweep::HELP)]
    Sweep(sweep::SweepArgs),
    /// Find the highest Server rate that stays VALID: of a scenario and of its counterfactual on
    /// bare metal, or of every point of a sweep, side by side
    #[command(after_help = capacity::HELP)]
    Capacity(capacity::CapacityArgs),
    /// Which VMs on which cards, and with what of each: the layouts that hold every latency bound, the
    /// cheapest first
    #[command(after_help = plan::HELP)]
    Plan(plan::PlanArgs),
    /// Which VM on which host of a cluster, and on which card, as vSphere would decide; who is refused,
    /// and why
    #[command(after_help = place::HELP)]
    Place(place::PlaceArgs),
    /// From a model and a GPU to an answer: do this many VMs keep their latency bound, with each
    /// way of sharing?
    #[command(after_help = ask::HELP)]
    Ask(ask::AskArgs),
    /// Watch a short time of a run: whose turn it is on each GPU, where each batch is; a trace for
    /// Perfetto and a drawing
    #[command(after_help = trace::HELP)]
    Trace(trace::TraceArgs),
    /// The local page: lessons and your scenarios with sliders, answered by the simulator
    #[cfg(feature = "serve")]
    #[command(after_help = serve::HELP)]
    Serve(serve::ServeArgs),
    /// Explain a scenario in plain sentences: what will happen and why, what happened, what to change
    /// first, as simulated
    #[command(after_help = explain::HELP)]
    Explain(explain::ExplainArgs),
    /// Make a workload file from measurements: batch times, and runs of an inference server
    #[command(after_help = calibrate::HELP)]
    Calibrate(calibrate::CalibrateArgs),
    /// Simulate measured runs at their own settings, and report the errors of the model
    #[command(after_help = validate::HELP)]
    Validate(validate::ValidateArgs),
    /// Look for mistakes in a scenario without simulating it; explain every value
    #[command(after_help = check::HELP)]
    Check(check::CheckArgs),
    /// List the catalogue: GPUs, hosts, hypervisors, workloads, harnesses
    #[command(after_help = catalogue::LIST_HELP)]
    List {
        /// Print JSON instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Print one entry of the catalogue, with the source of every number
    #[command(after_help = catalogue::SHOW_HELP)]
    Show {
        /// The entry's name, as `list` prints it
        id: String,
    },
    /// Write a commented template for your own file: host, GPU, workload, hypervisor, scenario
    #[command(after_help = new::HELP)]
    New(new::NewArgs),
    /// Tools for NVIDIA's vGPU software: types, what fits on which card, scheduler settings
    #[command(subcommand)]
    Vgpu(vgpu::VgpuCommand),
    /// Print the JSON Schema of scenario files, for editors and other programs
    #[command(after_help = SCHEMA_HELP)]
    Schema,
    /// MIG: profiles of a GPU, layouts, the placement of GPU instances and why it fails
    #[command(subcommand)]
    Mig(mig::MigCommand),
    /// Read the configuration of a Kubernetes node (mig-parted, device plugin): check its layouts
    /// against a GPU, or print a scenario of it
    Import(import::ImportArgs),
    /// Write a scenario, or profiles, as the configuration of a Kubernetes node
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Print the completions for a shell
    #[command(after_help = completions::HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a page of the manual (roff), for `man -l`
    #[command(after_help = manual::MAN_HELP)]
    Man {
        /// The command that the page is about, such as `vgpu fit` [default: slicewise itself]
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

/// The parsed command line; or the exit code, after help or an error was printed. An error message
/// repeats what was typed, which may be anything.
pub fn command_line() -> Result<Cli, std::process::ExitCode> {
    let matches = arguments::with_signs(Cli::command()).try_get_matches();
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        match error.use_stderr() {
            true => output::message(error.render().ansi().to_string().trim_end()),
            false => drop(error.print()),
        }
        u8::try_from(error.exit_code()).unwrap_or(2).into()
    })
}

/// Runs the command.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.color {
        When::Auto => {}
        When::Always => anstream::ColorChoice::Always.write_global(),
        When::Never => anstream::ColorChoice::Never.write_global(),
    }
    interrupt::handle();
    let configs = cli.configs.as_deref();
    match cli.command {
        Command::Run(arguments) => run::run(arguments, configs),
        Command::Sweep(arguments) => sweep::run(&arguments, configs),
        Command::Capacity(arguments) => match &arguments.vms {
            Some(group) => vms::run(&arguments, group, configs),
            None => capacity::run(&arguments, configs),
        },
        Command::Plan(arguments) => plan::run(&arguments, configs),
        Command::Place(arguments) => place::run(&arguments, configs),
        Command::Ask(arguments) => ask::run(&arguments, configs),
        Command::Trace(arguments) => trace::run(arguments, configs),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::run(&arguments, configs),
        Command::Explain(arguments) => explain::run(&arguments, configs),
        Command::Calibrate(arguments) => calibrate::run(&arguments, configs),
        Command::Check(arguments) => check::run(&arguments, configs),
        Command::Validate(arguments) => validate::run(&arguments, configs),
        Command::List { json } => catalogue::list(json, configs),
        Command::Show { id } => catalogue::show(&id, configs),
        Command::New(arguments) => new::run(&arguments),
        Command::Vgpu(command) => vgpu::run(command, configs),
        Command::Schema => output::data(&format!("{:#}\n", config::schema())),
        Command::Mig(command) => mig::run(command, configs),
        Command::Import(arguments) => import::run(&arguments, configs),
        Command::Export(command) => export::run(&command, configs),
        Command::Completions { shell } => completions::print(shell, Cli::command(), configs),
        Command::Man { command } => manual::page(&command, Cli::command()),
    }
}
