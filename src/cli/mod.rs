//! Floor 7: the command line. One file per command; the arguments are here, their meaning is there.
//!
//! Standard output carries data only; messages, progress and diagnostics go to standard error.

mod announce;
mod ask;
mod calibrate;
mod capacity;
mod catalogue;
mod check;
mod completions;
mod explanation;
mod export;
mod failure;
mod import;
mod interrupt;
mod layouts;
mod manual;
mod measured;
mod mig;
mod new;
mod output;
mod probed;
mod progress;
mod run;
mod sweep;
mod validate;
mod vgpu;
mod vms;
mod work;

pub use failure::Failure;

use crate::config::{self, Catalogue, LoadOptions, Task};
use crate::spec::GpuSpec;
use crate::units::SimDuration;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::{Path, PathBuf};

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

const AFTER_HELP: &str = "\
Examples:
  slicewise ask --model times.csv --gpu \"H100 PCIe\" --vms 4 --rate 50 --bound \"50 ms\"   yes or no?
  slicewise run scenarios/vsphere-mlperf-v1.1      every scenario of a folder
  slicewise run my-vm.toml --seed 7 --out result   one file, another seed, another place
  slicewise run my-vm.toml --json | jq .runs       the document for programs
  slicewise sweep scenarios/vcpu-knee.toml         every point of a grid; goes on if interrupted
  slicewise capacity my-vm.toml                    the highest rate that keeps the bound
  slicewise calibrate times.csv --gpu a30 -o my-model.toml   from measurements to a workload file
  slicewise run my-vm.toml --set vm.vcpus=8        the same file with another value
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
    #[command(after_help = RUN_HELP)]
    Run(RunOnceArgs),
    /// Simulate every point of a file's [sweep]: curves, and one CSV and JSON Lines
    #[command(after_help = SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Find the highest Server rate that stays VALID: of a scenario and of its counterfactual on
    /// bare metal, or of every point of a sweep, side by side
    #[command(after_help = CAPACITY_HELP)]
    Capacity(CapacityArgs),
    /// From a model and a GPU to an answer: do this many VMs keep their latency bound, with each
    /// way of sharing?
    #[command(after_help = ask::HELP)]
    Ask(ask::AskArgs),
    /// Make a workload file from measurements: batch times, and runs of an inference server
    #[command(after_help = CALIBRATE_HELP)]
    Calibrate(CalibrateArgs),
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

/// Output and thread options of a command that simulates.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Print the result document (JSON) instead of the table
    #[arg(long)]
    json: bool,

    /// No progress and no messages; the table is data and is still printed
    #[arg(long, short)]
    quiet: bool,

    /// Threads to simulate with [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", env = "SLICEWISE_THREADS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Arguments of `slicewise run` and of other commands that simulate a scenario.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// A scenario file, a folder of them, or - for standard input
    path: PathBuf,

    /// Set a key of every file, such as vm.server.batch_max=8; may be given several times, in order
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Workload of every VM, instead of the file's: one of the catalogue, or a workload file such as
    /// my-model.toml
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,

    /// Output folder [default: output/SCENARIO]; replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Seed of every random stream, instead of the scenario's; 0 replays the arrivals of the round
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Exit with 4 when a run is INVALID (capacity: when no rate is VALID); results are written
    #[arg(long)]
    fail_on_invalid: bool,

    /// Whether to show progress; `auto` shows it where standard error is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: progress::ShowProgress,

    #[command(flatten)]
    output: OutputArgs,
}

impl RunArgs {
    /// What the scenario is read with.
    fn options(&self, configs: Option<&Path>) -> Result<LoadOptions, Failure> {
        let (seed, set) = (self.seed, with_workload(&self.set, self.workload.as_deref()));
        Ok(LoadOptions { seed, set, ..LoadOptions::new(Catalogue::load(configs)?) })
    }

    /// Reads the scenario or the sweep.
    fn load(&self, configs: Option<&Path>) -> Result<Task, Failure> {
        Ok(config::load_task(&self.path, &self.options(configs)?)?)
    }

    /// Whether no progress is to be shown.
    fn hides_progress(&self) -> bool {
        self.output.quiet || self.progress == progress::ShowProgress::Never
    }

    /// The end of a command whose results say so often INVALID.
    fn judge(&self, invalid: usize, all: usize) -> Result<(), Failure> {
        match self.fail_on_invalid && invalid > 0 {
            true => Err(Failure::NotValid { invalid, all }),
            false => Ok(()),
        }
    }
}

/// Arguments of `slicewise run` alone.
#[derive(Args, Debug)]
pub(crate) struct RunOnceArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Runs of each side with other random numbers, for intervals; tables show the first [default:
    /// 3]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    replications: Option<u32>,
}

/// Arguments of `slicewise sweep`.
#[derive(Args, Debug)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Discard the finished runs of an interrupted sweep
    #[arg(long)]
    fresh: bool,
}

/// Arguments of `slicewise capacity`.
#[derive(Args, Debug)]
pub(crate) struct CapacityArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Distance of the VALID and the INVALID rate at the end of the search, in percent of the rate
    /// [default: the smallest of the files' [capacity], else 0.5]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    precision: Option<f64>,

    /// Searches per system, each with other random numbers, for an interval
    #[arg(long, value_name = "N", default_value = "3")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    replications: u32,

    /// End every search after this time, such as "2 min", with the best answer so far; another run
    /// may get further, so the answer is not reproducible
    #[arg(long, value_name = "TIME", value_parser = span)]
    time_limit: Option<SimDuration>,

    /// Instead of the rate: how many VMs of a `[[vm]]` fit, each at its own rate, before one misses
    /// its bound or the next has no place; name the `[[vm]]` where there are several
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", conflicts_with = "precision")]
    vms: Option<String>,
}

/// Arguments of `slicewise calibrate`.
#[derive(Args, Debug)]
pub(crate) struct CalibrateArgs {
    /// Measurements, each recognised by its content: a CSV of batch and latency, times or a log of
    /// trtexec, a CSV of perf_analyzer, logs of LoadGen; 8=FILE where a file does not state that
    /// its batch size was 8. Or one calibration file, with measurements and their settings; or
    /// probe.json of the probe
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A table of batch times, in any layout; may be given several times
    #[arg(long, value_name = "FILE")]
    csv: Vec<PathBuf>,

    /// Times or a log of trtexec with the batch they are of, such as 8=times-8.json; may be given several
    /// times
    #[arg(long, value_name = "BATCH=FILE")]
    trtexec: Vec<String>,

    /// The GPU that was measured, as `list` or nvidia-smi names it
    #[arg(long, value_name = "GPU")]
    gpu: Option<String>,

    /// The name of the workload to make [default: that of the file of -o, else of the first file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Largest batch of the server with which logs of LoadGen, or rows of perf_analyzer with
    /// several requests at a time, were measured
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_max: Option<u32>,

    /// GPUs of that server [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    gpus: Option<u32>,

    /// The latency bound of the model, such as "50 ms" [default: the base's, else 100 ms]
    #[arg(long, value_name = "TIME", value_parser = span)]
    bound: Option<SimDuration>,

    /// GPU memory that the model needs, such as "2 GB" [default: the base's, else nothing]
    #[arg(long, value_name = "SIZE")]
    weights: Option<String>,

    /// Number format of its matrix products, int8 or fp16: its times are scaled to other GPUs by
    /// that rate [default: the base's, else fp16]
    #[arg(long, value_name = "FORMAT", value_parser = number_format)]
    number_format: Option<String>,

    /// A workload of the catalogue that gives the values that were not measured
    #[arg(long, value_name = "WORKLOAD")]
    base: Option<String>,

    /// Write the workload here as well, such as my-model.toml, for --workload of run, sweep and
    /// capacity; an existing workload file keeps its other GPUs. For probe.json: the folder of the
    /// GPU and the workloads
    #[arg(long = "workload", short = 'o', value_name = "FILE")]
    workload: Option<PathBuf>,

    /// Output folder [default: output/NAME]; replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept. With -o, replace
    /// the file's numbers of this GPU
    #[arg(long)]
    force: bool,

    /// Seed of every random stream, instead of the file's; 0 replays the arrivals of the round
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
}

const CALIBRATE_HELP: &str = "\
Examples:
  slicewise calibrate times.csv --gpu a100-pcie-40gb -o my-model.toml
  slicewise calibrate trtexec-b1.log trtexec-b8.log --gpu \"NVIDIA A30\" -o my-model.toml
  slicewise calibrate 1=times-1.json 8=times-8.json --gpu a30 -o my-model.toml
  slicewise calibrate perf.csv --gpu l4 -o my-model.toml       of perf_analyzer -f perf.csv
  slicewise calibrate 32=mlperf_log_summary.txt --gpu a30 -o my-model.toml
  slicewise capacity my-vm.toml --workload my-model.toml       uses it
  slicewise calibrate my-calibration.toml                      runs with their settings, and times
  slicewise calibrate probe-output/probe.json -o my-configs    a GPU and workloads from the probe

A CSV has a column of batch sizes and one of times with its unit (latency_ms, \"time (us)\"), one
measurement a row. `slicewise ask --model times.csv` goes from the file to an answer.
docs/calibrate.md describes calibration files.";

/// The arguments of `--set` with `--workload` as the last, and so the strongest.
fn with_workload(set: &[String], workload: Option<&str>) -> Vec<String> {
    let workload = workload.map(|name| toml::Value::String(name.to_string()));
    let last = workload.map(|name| format!("vm.workload={name}"));
    set.iter().cloned().chain(last).collect()
}

/// A precision from 0.01 to 50 percent.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if (0.01..=50.0).contains(&percent) => Ok(percent),
        _ => Err("allowed: 0.01 to 50 (percent)".to_string()),
    }
}

/// A time of the command line: a number and a unit, above 0.
fn span(text: &str) -> Result<SimDuration, String> {
    match text.parse::<SimDuration>() {
        Ok(span) if span > SimDuration::ZERO => Ok(span),
        _ => {
            let comma =
                if text.contains(',') { "; a point, no comma, before decimals" } else { "" };
            Err(format!(
                "allowed: a time above 0 with its unit, such as \"50 ms\", \"90 s\" or \"5 min\"{comma}"
            ))
        }
    }
}

const CAPACITY_HELP: &str = "\
Examples:
  slicewise capacity my-vm.toml                      the highest rate, beside bare metal
  slicewise capacity my-vm.toml --precision 0.1 --replications 5
  slicewise capacity my-vm.toml --time-limit 120s    the best answer then, if it takes longer
  slicewise capacity my-vm.toml --vms                how many such VMs fit, and why not one more
  slicewise capacity scenarios/curves/vms-per-gpu-resnet50.toml --vms
                                                     the same for each line of a sweep, side by side
  slicewise capacity my-vms.toml --vms=front         of several [[vm]], how many of this one";

const RUN_HELP: &str = "\
Examples:
  slicewise run scenarios/vsphere-mlperf-v1.1
  slicewise run my-vm.toml --seed 7 --out result --force
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

const SCHEMA_HELP: &str = "\
Editors with TOML support complete keys and show mistakes while a file is written, given its first
line:
  #:schema ./scenario.schema.json    a path from the file, or an address

Examples:
  slicewise schema > scenario.schema.json";

const SWEEP_HELP: &str = "\
An interrupted sweep continues where it stopped when it is started again: finished runs are kept in
the output folder, in .slicewise-partial, and count as long as their point, the seed and the version
of slicewise are the same. Once all are done the results take its place.

Examples:
  slicewise sweep scenarios/vcpu-knee.toml
  slicewise sweep scenarios/vcpu-knee.toml --set sweep.replications=5 --set vm.load.target_qps=900
  slicewise sweep my-vm.toml --set 'sweep.vm.vcpus=[2, 4, 8]'      of a file without [sweep]

Exit codes:
  0  every point was simulated, except those that the file declares not applicable
  3  some points could not be: their rows give the reason; the others are there
  129, 130, 143  interrupted; finished runs are kept";

/// The parsed command line; or the exit code, after help or an error was printed. An error message
/// repeats what was typed, which may be anything.
pub fn command_line() -> Result<Cli, std::process::ExitCode> {
    Cli::try_parse().map_err(|error| {
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
        Command::Capacity(arguments) => capacity::run(&arguments, configs),
        Command::Ask(arguments) => ask::run(&arguments, configs),
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

/// The catalogue for a command that asks for one entry or a list: mistakes in the files of a folder
/// are told, and the files left out.
fn good_catalogue(configs: Option<&Path>) -> Result<Catalogue, Failure> {
    let (catalogue, mistakes) = Catalogue::load_good(configs)?;
    if !mistakes.is_empty() {
        Failure::Invalid(mistakes).print();
        output::message("warning: files of the catalogue with mistakes are left out");
    }
    Ok(catalogue)
}

/// The GPU of the catalogue that the command line names.
fn gpu<'c>(catalogue: &'c Catalogue, id: &str) -> Result<&'c GpuSpec, Failure> {
    gpu_that(catalogue, id, |_| true, "")
}

/// The same, if it is one of some kind; `lacks` says what the others have not.
fn gpu_that<'c>(
    catalogue: &'c Catalogue,
    id: &str,
    is_it: impl Fn(&GpuSpec) -> bool,
    lacks: &str,
) -> Result<&'c GpuSpec, Failure> {
    let found = catalogue.gpu_named(id);
    if let Some(gpu) = found.filter(|gpu| is_it(gpu)) {
        return Ok(gpu);
    }
    let shown = config::quoted(id);
    if catalogue.is_left_out("gpus", id) {
        return Err(Failure::Usage(format!(
            "the file of GPU {shown} has mistakes, reported above"
        )));
    }
    let title = match found {
        Some(gpu) => format!("{lacks} of {}", gpu.id),
        None => format!("unknown GPU {shown}"),
    };
    let known: Vec<&GpuSpec> = catalogue.gpus().filter(|gpu| is_it(gpu)).collect();
    let help = catalogue.gpu_help(id, &known).filter(|_| found.is_none());
    // What may mean several is answered with these alone.
    let is_between = help.as_ref().is_some_and(|help| help.contains(" could be "));
    let ids: Vec<&str> = known.iter().map(|gpu| gpu.id.as_str()).collect();
    let allowed =
        if is_between { String::new() } else { format!("\n  = allowed: {}", ids.join(", ")) };
    let help = help.map_or(String::new(), |help| format!("\n  = help: {help}"));
    Err(Failure::Usage(format!("{title}{allowed}{help}")))
}

/// A line of help with what was probably meant; nothing where nothing is near.
fn did_you_mean(near: Option<String>) -> String {
    near.map_or(String::new(), |near| format!("\n  = help: did you mean \"{near}\"?"))
}

/// `int8`, `fp16`, and what goes by the rate of FP16.
fn number_format(text: &str) -> Result<String, String> {
    match text.to_lowercase().as_str() {
        "int8" => Ok("int8".to_string()),
        "fp16" | "half" | "bf16" => Ok("fp16".to_string()),
        _ => Err("allowed: int8, fp16".to_string()),
    }
}
