//! `slicewise calibrate`: from measurements to a workload file.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

mod arguments;
mod probed;

pub(super) use arguments::{CalibrateArgs, HELP};

use super::failure::Failure;
use super::measured::{self, Given, Measured, ReadAs};
use super::work::Work;
use super::{output, progress};
use crate::config::{self, Catalogue, LoadOptions};
use crate::formats::recognise;
use crate::report::{self, Maker, Report};
use crate::spec::Workload;
use crate::study::{self, CalibrationPlan};
use crate::units::counted;
use anyhow::Context;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Runs the command.
pub(super) fn run(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<(), Failure> {
    if let [only] = &arguments.files[..]
        && probed::is_one(only)
    {
        return probed::run(only, arguments, configs);
    }
    let plan = plan(arguments, configs)?;
    let existing = match &arguments.workload {
        Some(path) => {
            report::can_write(path)?;
            existing(path, &plan.gpu, arguments.force)?
        }
        None => None,
    };
    let progress = progress::Progress::timed(arguments.output.quiet);
    let place = (&arguments.out, plan.name.as_str(), arguments.force);
    let work = Work::begin(&arguments.output, Maker::Calibrate, place, &progress)?;
    work.say(format!(
        "{}: {}, {} to fit, {} to compare, {}, seed {}",
        plan.name,
        counted(plan.times.len(), "batch size"),
        counted(plan.runs.len(), "run"),
        plan.checks.len(),
        counted(plan.parameters.iter().filter(|one| !one.is_held).count(), "number"),
        plan.seed
    ));

    let spoken = Spoken::new(arguments.output.quiet);
    let show = |done, all, doing: &str| {
        progress.set(done, all, doing);
        spoken.set(done, all, doing);
    };
    let results = work.simulate(|| study::calibrate(&plan, &show))?;
    progress.clear();

    work.write(&results.files()?)?;
    if let Some(path) = &arguments.workload {
        let (text, told) = match &existing {
            Some(Existing { workload, usual_preset, comments }) => {
                report::added_to_catalogue_file(&results, (workload, usual_preset), comments)
            }
            None => (report::catalogue_file(&results), Vec::new()),
        };
        report::write_file(path, text.as_bytes())?;
        let others = existing.iter().flat_map(|file| file.workload.service.keys());
        let others: Vec<&str> =
            others.filter(|gpu| **gpu != results.gpu).map(String::as_str).collect();
        work.say(match others.is_empty() {
            true => format!("wrote {}", path.display()),
            false => {
                format!("added {} to {}, beside {}", results.gpu, path.display(), others.join(", "))
            }
        });
        told.iter().for_each(|line| work.say(format!("note: {line}")));
    }
    for alarm in &results.alarms {
        output::message(&format!("\u{1b}[1;33mwarning\u{1b}[0m: {alarm}"));
    }
    work.say("");
    work.print(&results)
}

/// A workload file that stands where the new one goes.
struct Existing {
    workload: Workload,
    usual_preset: String,
    /// The comments at its head.
    comments: Vec<String>,
}

/// What stands at `path` already. Numbers of the same GPU, and a file that is no workload, are replaced
/// with `--force` only.
fn existing(path: &Path, gpu: &str, force: bool) -> Result<Option<Existing>, Failure> {
    let shown = path.display();
    let found = match config::existing_workload(path) {
        Ok(found) => found,
        Err(_) if force => None,
        Err(config::LoadError::World(error)) => return Err(Failure::World(error)),
        Err(config::LoadError::Invalid(_)) => {
            return Err(Failure::Usage(format!(
                "{shown} exists and is not a workload file that can be extended; name another \
                 file, or add --force to replace it"
            )));
        }
    };
    let Some((workload, usual_preset)) = found else { return Ok(None) };
    if workload.service.contains_key(gpu) && !force {
        return Err(Failure::Usage(format!(
            "{shown} has numbers of {gpu} already; name another file, or add --force to replace \
             them (those of other GPUs are kept)"
        )));
    }
    let text = std::fs::read_to_string(path).context("the file was read before")?;
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let comments = head.map(|line| line.trim_start_matches('#').trim().to_string()).collect();
    Ok(Some(Existing { workload, usual_preset, comments }))
}

/// How far a long fit has come, in lines, where no terminal shows the bar.
struct Spoken {
    hidden: bool,
    last: Mutex<Instant>,
}

impl Spoken {
    /// A line at most so often.
    const EVERY: Duration = Duration::from_secs(5);

    fn new(quiet: bool) -> Self {
        let hidden = quiet || std::io::stderr().is_terminal();
        Self { hidden, last: Mutex::new(Instant::now()) }
    }

    fn set(&self, done: u64, all: u64, doing: &str) {
        if self.hidden {
            return;
        }
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() >= Self::EVERY {
            *last = Instant::now();
            output::message(&format!("{done} of about {all} {doing}"));
        }
    }
}

/// What the file asks for, or the files of measurements with the flags.
fn plan(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<CalibrationPlan, Failure> {
    let options =
        LoadOptions { seed: arguments.seed, ..LoadOptions::new(Catalogue::load(configs)?) };
    if let Some(path) = calibration_file(arguments)? {
        return Ok(config::load_calibration(path, &options)?);
    }
    let mut files = Vec::new();
    for path in &arguments.files {
        files.push(Given::seen(path)?);
    }
    for path in &arguments.csv {
        let path = path.to_str().context("the path of --csv is not UTF-8 text")?;
        files.push(Given { path, batch: None, read_as: ReadAs::Csv });
    }
    for given in &arguments.trtexec {
        let (batch, path) = batch_and_path(given)?;
        files.push(Given { path, batch: Some(batch), read_as: ReadAs::Trtexec });
    }
    let Some(first) = files.first().map(|given| given.path) else {
        let why = "name files of measurements with --gpu, or a calibration file";
        return Err(Failure::Usage(why.to_string()));
    };
    let name = arguments.name.clone().unwrap_or_else(|| {
        let made = arguments.workload.as_ref().and_then(|path| path.to_str());
        measured::name_of(made.unwrap_or(first))
    });
    let (weights, number_format) = (&arguments.weights, &arguments.number_format);
    let workload = measured::said(arguments.bound, weights.as_ref(), number_format.as_ref());
    let known = arguments.gpu.as_deref().map(|gpu| super::named::gpu(&options.catalogue, gpu));
    let known = known.transpose()?;
    let measured = Measured {
        name: &name,
        gpu: known.map_or("", |gpu| &gpu.id),
        base: arguments.base.as_deref(),
        files,
        batch_max: arguments.batch_max,
        gpus: arguments.gpus.unwrap_or(1),
        workload,
    };
    let text = measured.calibration()?;
    // What is no measurement at all is told first.
    if known.is_none() {
        return Err(Failure::Usage(format!(
            "{first} does not state which GPU was measured\n  = help: name it with --gpu, such as \
             --gpu a100-pcie-40gb; `slicewise list` prints all"
        )));
    }
    Ok(config::calibration_of(text, &options)?)
}

/// The calibration file, where that is what is named: it says all itself.
fn calibration_file(arguments: &CalibrateArgs) -> Result<Option<&Path>, Failure> {
    let is_measured = |path: &Path| {
        let text = path.to_str().and_then(measured::text_of);
        let stated = path.to_str().is_some_and(|path| path.contains('='));
        stated || text.is_some_and(|text| recognise::not_toml(&text).is_some())
    };
    // Another kind of file is told by whoever reads measurements.
    let is_other = |path: &&PathBuf| {
        let text = path.to_str().and_then(measured::text_of).unwrap_or_default();
        let kind = measured::toml_kind(&text);
        let is_toml = path.extension().is_some_and(|end| end == "toml") && !is_measured(path);
        is_toml && kind.is_none_or(|kind| kind == recognise::CALIBRATION)
    };
    let with_flags = !arguments.csv.is_empty()
        || !arguments.trtexec.is_empty()
        || arguments.gpu.is_some()
        || arguments.name.is_some()
        || arguments.base.is_some()
        || arguments.batch_max.is_some()
        || arguments.gpus.is_some()
        || arguments.bound.is_some()
        || arguments.weights.is_some()
        || arguments.number_format.is_some();
    match &arguments.files[..] {
        [only] if !with_flags && !is_measured(only) => Ok(Some(only)),
        all => match all.iter().find(is_other) {
            Some(path) => Err(Failure::Usage(format!(
                "flags and files of measurements replace a calibration file: drop them, or {}, \
                 which states all of it",
                path.display()
            ))),
            None => Ok(None),
        },
    }
}

/// `8=times-8.json`: trtexec does not say how many samples a batch had.
fn batch_and_path(given: &str) -> Result<(u32, &str), Failure> {
    let found =
        given.split_once('=').and_then(|(batch, path)| Some((batch.trim().parse().ok()?, path)));
    found.filter(|(batch, path)| (1..=1_000_000).contains(batch) && !path.is_empty()).ok_or_else(
        || {
            let file =
                given.rsplit('=').next().filter(|file| !file.is_empty()).unwrap_or("times.json");
            Failure::Usage(format!(
                "--trtexec {given}: write the batch size before the file, which does not state it: \
             --trtexec 8={file}"
            ))
        },
    )
}
