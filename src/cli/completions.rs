//! `slicewise completions`: shell completions, names of the catalogue included.
//!
//! Commands and flags come from the command line's own description. Names are those of the
//! catalogue at hand, a folder's own included; the description itself does not know them, so that
//! an unknown name is reported by our own message, with the nearest name.

use super::failure::Failure;
use super::named::good_catalogue;
use super::output;
use crate::config::{Catalogue, CatalogueEntry};
use crate::gpu::POLICIES;
use clap::{Arg, Command, builder::PossibleValuesParser};
use clap_complete::Shell;
use std::collections::BTreeSet;
use std::path::Path;

/// Below the help of `slicewise completions`.
pub(super) const HELP: &str = "\
To install them:
  bash        slicewise completions bash > ~/.local/share/bash-completion/completions/slicewise
  zsh         slicewise completions zsh > \"${fpath[1]}/_slicewise\"
  fish        slicewise completions fish > ~/.config/fish/completions/slicewise.fish
  powershell  slicewise completions powershell >> $PROFILE
  elvish      slicewise completions elvish >> ~/.config/elvish/rc.elv

For the present shell only:
  source <(slicewise completions bash)

Names of GPUs, workloads, hosts, vGPU types, GPU instance profiles and policies are completed too;
with --configs DIR also those of your own files.";

/// Prints the completions.
pub(super) fn print(shell: Shell, program: Command, configs: Option<&Path>) -> Result<(), Failure> {
    let mut program = with_names(program, &good_catalogue(configs)?);
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "slicewise", &mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if shell == Shell::Fish {
        text.push_str(&fish_names(&program, &[]));
    }
    output::data(&text)
}

/// Names that stand without a flag, for fish: the generator completes only flags there.
fn fish_names(command: &Command, path: &[&str]) -> String {
    let seen: Vec<String> =
        path.iter().map(|word| format!("__fish_seen_subcommand_from {word}")).collect();
    let values = command.get_positionals().flat_map(|argument| argument.get_possible_values());
    let values: Vec<String> = values.map(|value| value.get_name().to_string()).collect();
    let mut text = String::new();
    if !path.is_empty() && !values.is_empty() {
        let (seen, values) = (seen.join("; and "), values.join(" "));
        text = format!("complete -c slicewise -n \"{seen}\" -f -a \"{values}\"\n");
    }
    for below in command.get_subcommands() {
        text.push_str(&fish_names(below, &[path, &[below.get_name()]].concat()));
    }
    text
}

/// The program, its arguments that take a name of the catalogue with the names there are.
fn with_names(program: Command, catalogue: &Catalogue) -> Command {
    named(program, &[], catalogue)
}

/// The command at the end of `path`, and all below it.
fn named(command: Command, path: &[String], catalogue: &Catalogue) -> Command {
    let command = command.mut_args(|argument| with_values(argument, path, catalogue));
    command.mut_subcommands(|below| {
        let path: Vec<String> =
            path.iter().cloned().chain([below.get_name().to_string()]).collect();
        named(below, &path, catalogue)
    })
}

/// The argument of the command at the end of `path`, with the names it takes.
fn with_values(argument: Arg, path: &[String], catalogue: &Catalogue) -> Arg {
    let command: Vec<&str> = path.iter().map(String::as_str).collect();
    let names = names(&command, argument.get_id().as_str(), catalogue);
    // Values of a command line live as long as the process, which ends with it.
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    if names.is_empty() {
        argument
    } else {
        argument.value_parser(PossibleValuesParser::new(names))
    }
}

/// The names that an argument of a command takes; none where it takes no name.
fn names(command: &[&str], argument: &str, catalogue: &Catalogue) -> Vec<String> {
    let gpus = |is_it: fn(&crate::spec::GpuSpec) -> bool| -> Vec<String> {
        catalogue.gpus().filter(|gpu| is_it(gpu)).map(|gpu| gpu.id.clone()).collect()
    };
    let of_kind = |kind: &str| -> Vec<String> {
        let entries = catalogue.list().into_iter().filter(|entry| entry.kind == kind);
        entries.map(|entry| entry.id).collect()
    };
    match (command, argument) {
        (["mig", ..], "gpu") => gpus(|gpu| !gpu.mig_profiles.is_empty()),
        (["vgpu", ..], "gpu") => gpus(|gpu| !gpu.vgpu_types.is_empty()),
        (_, "gpu") => gpus(|_| true),
        (["vgpu", "fit"], "types") => {
            let types = catalogue.gpus().flat_map(|gpu| &gpu.vgpu_types);
            distinct(types.map(|vgpu| vgpu.name.clone()))
        }
        (["mig", ..], "profiles" | "gi" | "beside" | "without") => {
            let profiles = catalogue.gpus().flat_map(|gpu| &gpu.mig_profiles);
            distinct(profiles.map(|profile| profile.name.clone()))
        }
        (["vgpu", "encode"], "policy") => {
            let of_driver = POLICIES.iter().filter(|entry| entry.policy.is_of_driver());
            of_driver.map(|entry| entry.name.to_string()).collect()
        }
        (_, "base" | "workload") if command != ["calibrate"] || argument == "base" => {
            of_kind("workload")
        }
        (_, "host") => of_kind("host"),
        (["show"], "id") => {
            let id = |entry: CatalogueEntry| entry.id;
            distinct(catalogue.list().into_iter().map(id))
        }
        _ => Vec::new(),
    }
}

/// Each name once, in order.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
