//! `slicewise new`: a commented template of a file, to be filled in.
//!
//! The templates are files beside this one. Each is valid as it is, and so is each of the keys that
//! it shows after a `#`: tests read them. A model's file can be made of its `config.json`.

mod model;

use super::failure::Failure;
use super::output;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

pub(super) const HELP: &str = "\
A host, GPU, workload, model or hypervisor goes into the folder of its kind, and a scenario names it by the
file's name:
  slicewise new gpu -o my/gpus/my-gpu.toml
  slicewise new workload -o my/workloads/my-model.toml
  slicewise new model --from config.json -o my/models/my-llm.toml
  slicewise new scenario -o my-vm.toml
  slicewise run my-vm.toml --configs my

docs/how-to/own-hardware.md explains all of them.

Exit codes:
  0  done
  2  the file exists already";

/// Arguments of `slicewise new`.
#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// The kind of file
    kind: Kind,

    /// Make a model's file of its Hugging Face config.json, instead of a beginning
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Write it here instead of to standard output; folders are created, an existing file is not
    /// changed
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// A server and the GPUs in it
    Host,
    /// A GPU model
    Gpu,
    /// A model, and how long its batches take
    Workload,
    /// A model for LLM serving, by its config.json
    Model,
    /// A hypervisor, with its overheads
    Hypervisor,
    /// VMs on a host, with their loads
    Scenario,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Kind::Host => include_str!("host.toml"),
            Kind::Gpu => include_str!("gpu.toml"),
            Kind::Workload => include_str!("workload.toml"),
            Kind::Model => include_str!("model.toml"),
            Kind::Hypervisor => include_str!("hypervisor.toml"),
            Kind::Scenario => include_str!("scenario.toml"),
        }
    }

    /// Where a file must be to be found, if it is not there: in the folder of its kind, as .toml.
    fn place(self, path: &Path) -> Option<String> {
        let folder = match self {
            Kind::Host => "hosts",
            Kind::Gpu => "gpus",
            Kind::Workload => "workloads",
            Kind::Model => "models",
            Kind::Hypervisor => "hypervisors",
            Kind::Scenario => return None,
        };
        let is_in = path.parent().and_then(Path::file_name).is_some_and(|name| name == folder);
        let is_toml = path.extension().is_some_and(|ending| ending == "toml");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_string();
        (!is_in || !is_toml).then(|| format!("DIR/{folder}/{name}.toml"))
    }

    /// What to do next with a file that was written.
    fn next(self) -> &'static str {
        match self {
            Kind::Scenario => "`slicewise check FILE` lists its mistakes",
            _ => "a scenario names it by the file's name; `slicewise list --configs DIR` reads it",
        }
    }
}

/// Runs `slicewise new`.
pub(super) fn run(arguments: &NewArgs) -> Result<(), Failure> {
    let text = match &arguments.from {
        None => arguments.kind.text().to_string(),
        Some(from) if arguments.kind == Kind::Model => model::text(from)?,
        Some(_) => {
            let why = "--from is of a model\n  = help: slicewise new model --from config.json";
            return Err(Failure::Usage(why.to_string()));
        }
    };
    let Some(path) = &arguments.output else { return output::data(&text) };
    write_new(path, &text)?;
    output::message(&format!("wrote {}; {}", path.display(), arguments.kind.next()));
    if let Some(right) = arguments.kind.place(path) {
        output::message(&format!(
            "warning: it is not found at this place: with --configs DIR it is read as {right}"
        ));
    }
    Ok(())
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let shown = path.display();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    match File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| format!("cannot write {shown}"))?;
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Usage(format!(
            "{shown} exists already\n  = help: name another file, or move it away"
        ))),
        Err(error) => {
            Err(anyhow::Error::new(error).context(format!("cannot write {shown}")).into())
        }
    }
}
