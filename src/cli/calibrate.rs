//! `slicewise calibrate`: from measurements to a workload file.
//!
//! It neither simulates nor formats; it says who does what, and in which order.

use super::interrupt::Watch;
use super::run::{default_folder, with_threads};
use super::{CalibrateArgs, Failure, output, progress};
use crate::config::{self, Catalogue, LoadOptions};
use crate::report::{self, Folder, Maker, table};
use crate::study::{self, CalibrationPlan};
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

/// Runs the command.
pub(super) fn run(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let plan = plan(arguments, configs)?;
    let out = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.name));
    let folder = Arc::new(Folder::open(&out, Maker::Calibrate, arguments.force)?);
    if let Some(path) = &arguments.workload {
        report::can_write(path)?;
    }
    let say = |line: String| {
        if !arguments.manner.quiet {
            output::message(&line)
        }
    };
    let runs = plan.runs.len();
    say(format!(
        "{}: {} batch sizes, {runs} runs, {} numbers, seed {}",
        plan.name,
        plan.times.len(),
        plan.parameters.iter().filter(|parameter| !parameter.is_held).count(),
        plan.seed
    ));

    let progress = progress::Progress::timed(arguments.manner.quiet);
    let _watch = Watch::over_all(&folder, &progress);
    let show = |done, all, doing: &str| progress.set(done, all, doing);
    let results = with_threads(arguments.manner.threads, || study::calibrate(&plan, &show))?;
    progress.clear();

    let files = report::calibration_files(&results)?;
    folder.write(&files)?;
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    say(format!("wrote {}: {}", out.display(), names.join(" ")));
    if let Some(path) = &arguments.workload {
        report::write_file(path, report::catalogue_file(&results).as_bytes())?;
        say(format!("wrote {}", path.display()));
    }
    say(String::new());
    match arguments.manner.json {
        true => output::data(&report::calibration_document(&results)?),
        false => output::data(&table::paint(&table::render_calibration(&results))),
    }
}

/// What the file asks for, or the flags.
fn plan(arguments: &CalibrateArgs, configs: Option<&Path>) -> Result<CalibrationPlan, Failure> {
    let options =
        LoadOptions { seed: arguments.seed, ..LoadOptions::new(Catalogue::load(configs)?) };
    if let Some(path) = &arguments.path {
        return Ok(config::load_calibration(path, &options)?);
    }
    let (Some(gpu), Some(name)) = (&arguments.gpu, &arguments.name) else {
        let why = "name a calibration file, or --csv with --gpu and --name";
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
    Ok(config::calibration_of(text, &options)?)
}
