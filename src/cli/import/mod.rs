//! `slicewise import`: the configuration of a Kubernetes node: whether its layouts can be placed on
//! a GPU, or a scenario of what it describes.
//!
//! It changes no file: the scenario is data on standard output, to be edited. Whether a layout is
//! for a GPU is decided in `judge`.

mod instances;
mod judge;
mod pods;
mod requests;
mod vgpus;
mod written;

use super::arguments::whole;
use super::failure::Failure;
use super::output;
use crate::config::{quoted, read_foreign_with_warnings};
use crate::formats::device_plugin::DevicePlugin;
use crate::formats::kubernetes::{self, Configuration, Entry};
use crate::formats::mig_parted::MigConfig;
use crate::units::counted;
use clap::Args;
use judge::{Node, Verdict};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise import`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct ImportArgs {
    /// A mig-parted or device-plugin configuration (YAML), a ConfigMap or helm values with such
    /// ones; `-` for standard input
    path: PathBuf,

    /// The GPU it is for, as `slicewise list` names it
    #[arg(long, value_name = "GPU")]
    gpu: String,

    /// Print a scenario of this one: a layout of mig-parted, or a key of a ConfigMap
    #[arg(long, value_name = "NAME")]
    config: Option<String>,

    /// Of the plugin's resources only this one, such as nvidia.com/mig-1g.5gb; may be repeated
    #[arg(long, value_name = "NAME")]
    resource: Vec<String>,

    /// GPUs of the node
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = whole(1..=64u32))]
    cards: u32,

    /// The workload of the scenario's VMs; left out, one that is known on this GPU
    #[arg(long, value_name = "ID")]
    workload: Option<String>,

    /// The host of the scenario
    #[arg(long, value_name = "ID", default_value = "dell-r7525")]
    host: String,

    /// Print the layouts as JSON
    #[arg(long, conflicts_with = "config")]
    json: bool,
}

const HELP: &str = "\
Examples:
  slicewise import config.yaml --gpu a100-pcie-40gb                        which layouts can be placed, and where
  slicewise import config.yaml --gpu a100-pcie-40gb --config all-balanced  a scenario with that layout
  kubectl get cm mig-parted -o yaml | slicewise import - --gpu a30         the same for a cluster's configuration
  slicewise import time-slicing.yaml --gpu a100-pcie-40gb > pods.toml      a scenario with as many pods as replicas";

/// Runs the command.
pub(super) fn run(arguments: &ImportArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = super::named::good_catalogue(configs)?;
    let gpu = super::named::gpu(&catalogue, &arguments.gpu)?;
    let node = Node { catalogue: &catalogue, gpu, cards: arguments.cards };
    let only = arguments.config.as_deref();
    let (entries, warnings) = read_foreign_with_warnings(&arguments.path, |text| {
        let file = kubernetes::read_for(text, only)?;
        let is_alone = file.entries.len() == 1;
        let faults = file.entries.iter().flat_map(|entry| node.faults(entry, only, is_alone));
        let mut faults: Vec<_> = faults.collect();
        if is_alone || only.is_some() {
            for entry in &file.entries {
                if let Configuration::DevicePlugin(plugin) = &entry.configuration {
                    faults.extend(pods::unsupported(plugin, &arguments.resource));
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let of_entries = file.entries.iter().flat_map(|entry| entry.warnings.iter().cloned());
        let warnings = file.warnings.iter().cloned().chain(of_entries).collect();
        Ok((file.entries, warnings))
    })?;
    warnings.iter().for_each(|warning| output::message(warning));
    match (only, &entries[..]) {
        (None, [Entry { configuration: Configuration::DevicePlugin(plugin), .. }]) => {
            output::data(&pods::scenario(arguments, &node, plugin)?)
        }
        (None, [Entry { configuration: Configuration::Requests(requests), .. }]) => {
            output::data(&requests::scenario(arguments, &node, requests)?)
        }
        (None, _) => list(arguments, &node, &entries),
        (Some(name), _) => output::data(&named(arguments, &node, &entries, name)?),
    }
}

/// The scenario of the configuration that is called so.
fn named(
    arguments: &ImportArgs,
    node: &Node<'_>,
    entries: &[Entry],
    name: &str,
) -> Result<String, Failure> {
    let mut known = Vec::new();
    for Entry { key, configuration, .. } in entries {
        match configuration {
            Configuration::MigParted(file) => {
                for config in &file.configs {
                    if config.name == name {
                        return instances::scenario(arguments, node, config);
                    }
                    known.push(config.name.clone());
                }
            }
            Configuration::VgpuManager(file) => {
                for config in &file.configs {
                    if config.name == name {
                        return vgpus::scenario(arguments, node, config);
                    }
                    known.push(config.name.clone());
                }
            }
            Configuration::Requests(_) => {}
            Configuration::DevicePlugin(plugin) => {
                let key = key.clone().unwrap_or_else(|| UNNAMED.to_string());
                if key == name {
                    return pods::scenario(arguments, node, plugin);
                }
                known.push(key);
            }
        }
    }
    let near = crate::config::nearest(name, &known);
    let near = near.map(|near| format!("\n  = help: did you mean \"{near}\"?"));
    Err(Failure::Usage(format!(
        "the file has no configuration {}\n  = allowed: {}{}",
        quoted(name),
        known.join(", "),
        near.unwrap_or_default()
    )))
}

/// What a configuration without a key goes by.
const UNNAMED: &str = "config";

/// A row of the list: the configuration's name, its lines, and whether this GPU can have it.
struct Row {
    name: String,
    lines: Vec<String>,
    fits: bool,
}

/// Every layout of the file with its place on the card, and every configuration of the plugin.
fn list(arguments: &ImportArgs, node: &Node<'_>, entries: &[Entry]) -> Result<(), Failure> {
    let mut is_no = false;
    let rows = entries.iter().flat_map(|Entry { key, configuration, .. }| match configuration {
        Configuration::VgpuManager(file) => {
            let rows = file.configs.iter().map(|config| {
                let (row, no) = vgpus::row_of(config, node);
                is_no |= no;
                row
            });
            rows.collect()
        }
        Configuration::MigParted(file) => {
            file.configs.iter().map(|config| row_of(config, node)).collect()
        }
        Configuration::Requests(requests) => {
            let count = requests.containers.len();
            let those =
                if count == 1 { "asks for GPUs: import it" } else { "ask for GPUs: import them" };
            let lines = vec![format!("{} that {those} alone", counted(count, "container"))];
            vec![Row { name: "pods".to_string(), lines, fits: true }]
        }
        Configuration::DevicePlugin(plugin) => vec![plugin_row(key.as_deref(), plugin, node)],
    });
    let rows: Vec<Row> = rows.collect();
    if arguments.json {
        let configs = rows
            .iter()
            .map(|row| json!({ "name": row.name, "fits": row.fits, "rules": row.lines }));
        let document = json!({ "gpu": node.gpu.id, "configs": configs.collect::<Vec<_>>() });
        output::data(&format!("{document:#}\n"))?;
        return answered(is_no);
    }
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        for (index, line) in row.lines.iter().enumerate() {
            let name = if index == 0 { &row.name } else { "" };
            text.push_str(&format!("{name:width$}  {line}\n"));
        }
    }
    output::data(&text)?;
    answered(is_no)
}

fn answered(is_no: bool) -> Result<(), Failure> {
    if is_no { Err(Failure::AnsweredNo) } else { Ok(()) }
}

/// A layout's name and, for each rule, the GPUs and what lies on which memory slices.
fn row_of(config: &MigConfig, node: &Node<'_>) -> Row {
    let name = config.name.chars().take(60).flat_map(char::escape_debug).collect();
    match node.judge(config) {
        Verdict::Here(rules) => {
            let lines = rules.iter().map(|rule| judge::in_words(rule, node.gpu)).collect();
            Row { name, lines, fits: true }
        }
        Verdict::Elsewhere(why) => elsewhere(name, &why),
        Verdict::Wrong(_) => unreachable!("told before anything is listed"),
    }
}

fn elsewhere(name: String, why: &str) -> Row {
    Row { name, lines: vec![format!("for other GPUs: {why}")], fits: false }
}

fn plugin_row(key: Option<&str>, plugin: &DevicePlugin, node: &Node<'_>) -> Row {
    let name = key.unwrap_or(UNNAMED).to_string();
    match node.misfit_of(plugin) {
        Some(why) => elsewhere(name, &why),
        None => Row { name, lines: vec![sharing_in_words(plugin)], fits: true },
    }
}

fn sharing_in_words(plugin: &DevicePlugin) -> String {
    let Some(sharing) = &plugin.sharing else { return "whole GPUs".to_string() };
    let resources = sharing.resources.iter();
    let resources: Vec<String> =
        resources.map(|one| format!("{} x {}", one.replicas, one.name)).collect();
    format!("{}: {}", sharing.method.word(), resources.join(", "))
}
