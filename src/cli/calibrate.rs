//! `slicewise calibrate`: from measurements to a workload file.
//!
//! It neither simulates nor formats; it says who does what, and in which order.

use super::interrupt::Watch;
use super::run::{default_folder, with_threads};
use super::{CalibrateArgs, Failure, output, probed, progress};
use crate::config::{self, Catalogue, LoadOptions};
use crate::formats::recognise;
use crate::report::{self, Maker, table};
use crate::spec::Workload;
use crate::study::{self, CalibrationPlan};
use crate::units::counted;
use anyhow::Context;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Runs the command.
pub(super) fn run(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = arguments.path.as_deref().filter(|path| probed::is_one(path)) {
        return probed::run(path, arguments, configs);
    }
    let plan = plan(arguments, configs)?;
    let existing = match &arguments.workload {
        Some(path) => {
            report::can_write(path)?;
            existing(path, &plan.gpu, arguments.force)?
        }
        None => None,
    };
    let out = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.name));
    let progress = progress::Progress::timed(arguments.manner.quiet);
    let watch = Watch::open(&out, Maker::Calibrate, arguments.force, &progress)?;
    let say = |line: String| {
        if !arguments.manner.quiet {
            output::message(&line)
        }
    };
    say(format!(
        "{}: {}, {} to fit, {} to compare, {}, seed {}",
        plan.name,
        counted(plan.times.len(), "batch size"),
        counted(plan.runs.len(), "run"),
        plan.checks.len(),
        counted(plan.parameters.iter().filter(|one| !one.is_held).count(), "number"),
        plan.seed
    ));

    let spoken = Spoken::new(arguments.manner.quiet);
    let show = |done, all, doing: &str| {
        progress.set(done, all, doing);
        spoken.set(done, all, doing);
    };
    let results = with_threads(arguments.manner.threads, || study::calibrate(&plan, &show))?;
    progress.clear();

    let files = report::calibration_files(&results)?;
    watch.folder().write(&files)?;
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    say(format!("wrote {}: {}", out.display(), names.join(" ")));
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
        say(match others.is_empty() {
            true => format!("wrote {}", path.display()),
            false => {
                format!("added {} to {}, beside {}", results.gpu, path.display(), others.join(", "))
            }
        });
        told.iter().for_each(|line| say(format!("note: {line}")));
    }
    for alarm in &results.alarms {
        output::message(&format!("\u{1b}[1;33mwarning\u{1b}[0m: {alarm}"));
    }
    say(String::new());
    match arguments.manner.json {
        true => output::data(&report::calibration_document(&results)?),
        false => output::data(&table::paint(&table::render_calibration(&results, output::width()))),
    }
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
                "{shown} is there and is no workload that can be added to; name another file, or add --force to replace it"
            )));
        }
    };
    let Some((workload, usual_preset)) = found else { return Ok(None) };
    if workload.service.contains_key(gpu) && !force {
        return Err(Failure::Usage(format!(
            "{shown} has numbers of {gpu} already; name another file, or add --force to replace them (those of other GPUs stay)"
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

/// A file that is longer is not looked at: 64 MiB.
const LOOKED_AT_MAX: u64 = 64 << 20;

/// Why a path beside flags, or of a file of another program, is no calibration file.
fn wrong_kind(path: &Path, arguments: &CalibrateArgs) -> Option<String> {
    let with_flags = !arguments.csv.is_empty()
        || !arguments.trtexec.is_empty()
        || arguments.gpu.is_some()
        || arguments.name.is_some()
        || arguments.base.is_some();
    let shown = path.display();
    // What cannot be read is told by whoever reads it.
    let is_small =
        std::fs::metadata(path).is_ok_and(|of| of.is_file() && of.len() <= LOOKED_AT_MAX);
    let kind = (with_flags && is_small).then(|| std::fs::read_to_string(path).ok()).flatten();
    if let Some(kind) = kind.as_deref().and_then(recognise::not_toml) {
        return Some(format!("{shown} is {}: {}", kind.what, kind.next));
    }
    with_flags.then(|| {
        format!(
            "--csv, --trtexec, --gpu, --name and --base stand for a calibration file: drop them, or {shown}, which says it all itself"
        )
    })
}

/// What the file asks for, or the flags.
fn plan(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<CalibrationPlan, Failure> {
    let options =
        LoadOptions { seed: arguments.seed, ..LoadOptions::new(Catalogue::load(configs)?) };
    if let Some(path) = &arguments.path {
        if let Some(why) = wrong_kind(path, arguments) {
            return Err(Failure::Usage(why));
        }
        return Ok(config::load_calibration(path, &options)?);
    }
    let nothing = arguments.csv.is_empty() && arguments.trtexec.is_empty();
    let (Some(gpu), Some(name), false) = (&arguments.gpu, &arguments.name, nothing) else {
        let why = "name a calibration file, or --csv or --trtexec with --gpu and --name";
        return Err(Failure::Usage(why.to_string()));
    };
    let mut text = String::new();
    let mut say = |key: &str, value: &str| {
        let value = toml::Value::String(value.to_string());
        text.push_str(&format!("{key} = {value}\n"));
    };
    say("name", name);
    say("gpu", gpu);
    if let Some(base) = &arguments.base {
        say("base", base);
    }
    for path in &arguments.csv {
        text.push_str("[[times]]\n");
        let path = path.to_str().context("the path of --csv is not UTF-8 text")?;
        text.push_str(&format!("csv = {}\n", toml::Value::String(path.to_string())));
    }
    for given in &arguments.trtexec {
        let (batch, path) = batch_and_path(given)?;
        let path = toml::Value::String(path.to_string());
        text.push_str(&format!("[[times]]\ntrtexec = {path}\nbatch = {batch}\n"));
    }
    Ok(config::calibration_of(text, &options)?)
}

/// `8=times-8.json`: trtexec does not say how many samples a batch had.
fn batch_and_path(given: &str) -> Result<(u32, &str), Failure> {
    let found =
        given.split_once('=').and_then(|(batch, path)| Some((batch.trim().parse().ok()?, path)));
    found.filter(|(batch, path)| (1..=1_000_000).contains(batch) && !path.is_empty()).ok_or_else(|| {
        let file = given.rsplit('=').next().filter(|file| !file.is_empty()).unwrap_or("times.json");
        Failure::Usage(format!(
            "--trtexec {given}: write the samples of a batch before the file, which does not say them: --trtexec 8={file}"
        ))
    })
}
