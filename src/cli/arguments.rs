//! Arguments that several commands take.

use super::failure::Failure;
use super::progress::ShowProgress;
use super::{output, page};
use crate::config::{self, Catalogue, LoadOptions, Task};
use crate::report::{Made, Width};
use crate::units::{Bytes, SimDuration};
use clap::{Args, Command};
use std::any::TypeId;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a command that simulates prints, and with how many threads it works.
#[derive(Args, Debug)]
pub(super) struct OutputArgs {
    /// Print the result document (JSON) instead of the table
    #[arg(long)]
    pub(super) json: bool,

    /// Show a row for each VM and each point, however many there are [default: one row for VMs of one
    /// count, and of more than 60 rows the worst]
    #[arg(long)]
    pub(super) all: bool,

    /// No progress and no messages; the table is data and is still printed
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Threads to simulate with [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", env = "SLICEWISE_THREADS")]
    #[arg(value_parser = whole(1..=1024u16))]
    pub(super) threads: Option<u16>,
}

impl OutputArgs {
    /// How the text is laid out.
    pub(super) fn width(&self) -> Width {
        output::width().with_each(self.all)
    }
}

/// Arguments of `slicewise run` and of other commands that simulate a scenario.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// A scenario file, a folder of them, or - for standard input
    pub(super) path: PathBuf,

    /// Set a key of every file, such as vm.server.batch_max=8; may be given several times, in order
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,

    /// Workload of every VM, instead of the file's: one of the catalogue, or a workload file such as
    /// my-model.toml
    #[arg(long, value_name = "WORKLOAD")]
    pub(super) workload: Option<String>,

    /// Output folder [default: output/SCENARIO]; replaced by each run
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    pub(super) force: bool,

    /// Also write report.html: one page with tables, charts, sources and the scenario, that needs
    /// nothing beside it
    #[arg(long)]
    pub(super) report: bool,

    /// Seed of every random stream, instead of the scenario's; 0 replays the arrivals of the round
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    pub(super) seed: Option<u64>,

    /// Exit with 4 when a run is INVALID (capacity: when no rate is VALID); results are written
    #[arg(long)]
    pub(super) fail_on_invalid: bool,

    /// Whether to show progress; `auto` shows it where standard error is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) progress: ShowProgress,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl RunArgs {
    /// What the scenario is read with.
    pub(super) fn options(&self, configs: Option<&Path>) -> Result<LoadOptions, Failure> {
        let (seed, set) = (self.seed, with_workload(&self.set, self.workload.as_deref()));
        Ok(LoadOptions { seed, set, ..LoadOptions::new(Catalogue::load(configs)?) })
    }

    /// Reads the scenario or the sweep, and for a page how it is made.
    pub(super) fn load(&self, options: &LoadOptions) -> Result<(Task, Option<Made>), Failure> {
        if !self.report {
            return Ok((config::load_task(&self.path, options)?, None));
        }
        let (task, inputs) = config::load_task_with_inputs(&self.path, options)?;
        Ok((task, Some(page::made(inputs))))
    }

    /// Whether no progress is to be shown.
    pub(super) fn hides_progress(&self) -> bool {
        self.output.quiet || self.progress == ShowProgress::Never
    }

    /// The end of a command whose results say so often INVALID.
    pub(super) fn judge(&self, invalid: usize, all: usize) -> Result<(), Failure> {
        match self.fail_on_invalid && invalid > 0 {
            true => Err(Failure::NotValid { invalid, all }),
            false => Ok(()),
        }
    }
}

/// The arguments of `--set` with `--workload` as the last, and so the strongest.
pub(super) fn with_workload(set: &[String], workload: Option<&str>) -> Vec<String> {
    let workload = workload.map(|name| toml::Value::String(name.to_string()));
    let last = workload.map(|name| format!("vm.workload={name}"));
    set.iter().cloned().chain(last).collect()
}

/// A precision from 0.01 to 50 percent.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if (0.01..=50.0).contains(&percent) => Ok(percent),
        _ => Err("allowed: 0.01 to 50 (percent)".to_string()),
    }
}

/// A time of the command line: a number and a unit, above 0.
pub(super) fn span(text: &str) -> Result<SimDuration, String> {
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

/// A whole number within a range.
pub(super) fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync,
{
    move |text| match text.trim().parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("allowed: a whole number from {} to {}", range.start(), range.end())),
    }
}

/// Options of numbers and quantities take what begins with a sign, so that they say themselves what is
/// allowed: clap alone would take `-1` for another option.
pub(super) fn with_signs(command: Command) -> Command {
    let numbers =
        [TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<f64>()];
    let quantities = [TypeId::of::<SimDuration>(), TypeId::of::<Bytes>()];
    let command = command.mut_args(|arg| {
        let of = arg.get_value_parser().type_id();
        match arg.get_long() {
            Some(_) if numbers.iter().any(|number| of == *number) => {
                arg.allow_negative_numbers(true)
            }
            Some(_) if quantities.iter().any(|one| of == *one) => arg.allow_hyphen_values(true),
            _ => arg,
        }
    });
    let names = command.get_subcommands().map(|one| one.get_name().to_string());
    let names: Vec<String> = names.collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_signs))
}

/// `int8`, `fp16`, and what goes by the rate of FP16.
pub(super) fn number_format(text: &str) -> Result<String, String> {
    match text.to_lowercase().as_str() {
        "int8" => Ok("int8".to_string()),
        "fp16" | "half" | "bf16" => Ok("fp16".to_string()),
        _ => Err("allowed: int8, fp16".to_string()),
    }
}
