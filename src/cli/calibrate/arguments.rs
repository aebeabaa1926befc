//! What `slicewise calibrate` takes.

use crate::cli::arguments::{OutputArgs, number_format, span, whole};
use crate::units::SimDuration;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `slicewise calibrate`.
#[derive(Args, Debug)]
pub(in crate::cli) struct CalibrateArgs {
    /// Measurements, each recognised by its content: a CSV of batch and latency, times or a log of
    /// trtexec, a CSV of perf_analyzer, logs of LoadGen; 8=FILE where a file does not state that
    /// its batch size was 8. Or one calibration file, with measurements and their settings; or
    /// probe.json of the probe
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// A table of batch times, in any layout; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Vec<PathBuf>,

    /// Times or a log of trtexec with the batch they are of, such as 8=times-8.json; may be given several
    /// times
    #[arg(long, value_name = "BATCH=FILE")]
    pub(super) trtexec: Vec<String>,

    /// The GPU that was measured, as `list` or nvidia-smi names it
    #[arg(long, value_name = "GPU")]
    pub(super) gpu: Option<String>,

    /// The name of the workload to make [default: that of the file of -o, else of the first file]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Largest batch of the server with which logs of LoadGen, or rows of perf_analyzer with
    /// several requests at a time, were measured
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u32))]
    pub(super) batch_max: Option<u32>,

    /// GPUs of that server [default: 1]
    #[arg(long, value_name = "N", value_parser = whole(1..=64u32))]
    pub(super) gpus: Option<u32>,

    /// The latency bound of the model, such as "50 ms" [default: the base's, else 100 ms]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(super) bound: Option<SimDuration>,

    /// GPU memory that the model needs, such as "2 GB" [default: the base's, else nothing]
    #[arg(long, value_name = "SIZE")]
    pub(super) weights: Option<String>,

    /// Number format of its matrix products, int8 or fp16: its times are scaled to other GPUs by
    /// that rate [default: the base's, else fp16]
    #[arg(long, value_name = "FORMAT", value_parser = number_format)]
    pub(super) number_format: Option<String>,

    /// A workload of the catalogue that gives the values that were not measured
    #[arg(long, value_name = "WORKLOAD")]
    pub(super) base: Option<String>,

    /// Write the workload here as well, such as my-model.toml, for --workload of run, sweep and
    /// capacity; an existing workload file keeps its other GPUs. For probe.json: the folder of the
    /// GPU and the workloads
    #[arg(long = "workload", short = 'o', value_name = "FILE")]
    pub(super) workload: Option<PathBuf>,

    /// Output folder [default: output/NAME]; replaced by each run
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept. With -o, replace
    /// the file's numbers of this GPU
    #[arg(long)]
    pub(super) force: bool,

    /// Seed of every random stream, instead of the file's; 0 replays the arrivals of the round
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(in crate::cli) const HELP: &str = "\
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
docs/how-to/calibrate.md describes calibration files.";
