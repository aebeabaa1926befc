//! `slicewise import`: what a configuration of a Kubernetes node asks of a GPU: whether its layouts can
//! be placed, or a scenario that has what it describes.
//!
//! It changes no file: the scenario is data on standard output, to be edited.

use super::{Failure, layouts, output};
use crate::config::{quoted, read_foreign};
use crate::formats::Fault;
use crate::formats::device_plugin::{DevicePlugin, Method};
use crate::formats::kubernetes::{self, Configuration, Entry};
use crate::formats::mig_parted::{MigConfig, MigConfigs, MigRule};
use crate::spec::GpuSpec;
use crate::spec::names::ProfileName;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What `slicewise import` takes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct ImportArgs {
    /// A mig-parted or device-plugin configuration (YAML), or a ConfigMap with such ones; `-` for
    /// standard input
    path: PathBuf,

    /// The GPU it is for, as `slicewise list` names it
    #[arg(long, value_name = "GPU")]
    gpu: String,

    /// Print a scenario of this one: a layout of mig-parted, or a key of a ConfigMap
    #[arg(long, value_name = "NAME")]
    config: Option<String>,

    /// GPUs of the node
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    cards: u32,

    /// The workload of the scenario's VMs
    #[arg(long, value_name = "ID", default_value = "bert-99")]
    workload: String,

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
  kubectl get cm mig-parted -o yaml | slicewise import - --gpu a30         the same of what a cluster has
  slicewise import time-slicing.yaml --gpu a100-pcie-40gb > pods.toml      a scenario with as many pods as replicas";

/// Runs the command.
pub(super) fn run(arguments: &ImportArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = super::good_catalogue(configs)?;
    let gpu = super::gpu(&catalogue, &arguments.gpu)?;
    let entries = read_foreign(&arguments.path, |text| {
        let entries = kubernetes::read(text)?;
        let only = arguments.config.as_deref();
        let faults = entries.iter().flat_map(|entry| misfits(entry, gpu, only));
        let faults: Vec<Fault> = faults.collect();
        if faults.is_empty() { Ok(entries) } else { Err(faults) }
    })?;
    for entry in &entries {
        if let Configuration::DevicePlugin(plugin) = &entry.configuration {
            plugin.warnings.iter().for_each(|line| output::message(&format!("warning: {line}")));
        }
    }
    match (&arguments.config, &entries[..]) {
        (None, [Entry { configuration: Configuration::DevicePlugin(plugin), .. }]) => {
            output::data(&pods(arguments, plugin)?)
        }
        (None, _) => list(arguments, gpu, &entries),
        (Some(name), _) => output::data(&named(arguments, gpu, &entries, name)?),
    }
}

/// The scenario of the configuration that is called so.
fn named(
    arguments: &ImportArgs,
    gpu: &GpuSpec,
    entries: &[Entry],
    name: &str,
) -> Result<String, Failure> {
    let mut known = Vec::new();
    for Entry { key, configuration } in entries {
        match configuration {
            Configuration::MigParted(file) => {
                for config in &file.configs {
                    if config.name == name {
                        return instances(arguments, gpu, config);
                    }
                    known.push(config.name.clone());
                }
            }
            Configuration::DevicePlugin(plugin) => {
                let key = key.clone().unwrap_or_else(|| "config".to_string());
                if key == name {
                    return pods(arguments, plugin);
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

/// The rules for this GPU: all but those that filter for models and name profiles it has not.
fn rules_for<'c>(config: &'c MigConfig, gpu: &GpuSpec) -> Vec<&'c MigRule> {
    let rules = config.rules.iter();
    let foreign = |rule: &MigRule| {
        !rule.device_filter.is_empty()
            && layouts::place(gpu, &wanted(rule)).is_err_and(|misfit| misfit.is_foreign)
    };
    rules.filter(|rule| !foreign(rule)).collect()
}

fn wanted(rule: &MigRule) -> Vec<layouts::Wanted<'_>> {
    rule.instances.iter().map(|one| (one.profile.as_str(), one.count)).collect()
}

/// What in a configuration, or in the layout called `only`, cannot be on this GPU.
fn misfits(entry: &Entry, gpu: &GpuSpec, only: Option<&str>) -> Vec<Fault> {
    match &entry.configuration {
        Configuration::MigParted(file) => {
            let asked = |config: &&MigConfig| only.is_none_or(|name| name == config.name);
            let configs = file.configs.iter().filter(asked);
            let rules = configs.flat_map(|config| rules_for(config, gpu));
            rules.filter_map(|rule| misfit(rule, gpu)).collect()
        }
        Configuration::DevicePlugin(plugin) => {
            let resources = plugin.sharing.iter().flat_map(|sharing| &sharing.resources);
            let unknown = |resource: &crate::formats::device_plugin::Replicated| {
                let found = layouts::place(gpu, &[(resource.profile()?, 1)]).err()?;
                let fault = Fault::at(resource.span.clone(), found.title).allowed(found.allowed);
                Some(fault.help(found.help))
            };
            resources.filter_map(unknown).collect()
        }
    }
}

fn misfit(rule: &MigRule, gpu: &GpuSpec) -> Option<Fault> {
    let found = layouts::place(gpu, &wanted(rule)).err()?;
    let span = rule.instances[found.at].span.clone();
    Some(Fault::at(span, found.title).allowed(found.allowed).help(found.help))
}

/// Every layout of the file with its place on the card, and every configuration of the plugin.
fn list(arguments: &ImportArgs, gpu: &GpuSpec, entries: &[Entry]) -> Result<(), Failure> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for Entry { key, configuration } in entries {
        match configuration {
            Configuration::MigParted(file) => rows.extend(rows_of(file, gpu)),
            Configuration::DevicePlugin(plugin) => {
                let key = key.clone().unwrap_or_else(|| "config".to_string());
                rows.push((key, vec![sharing_in_words(plugin)]));
            }
        }
    }
    if arguments.json {
        let configs = rows.iter().map(|(name, rules)| json!({ "name": name, "rules": rules }));
        let document = json!({ "gpu": gpu.id, "configs": configs.collect::<Vec<_>>() });
        return output::data(&format!("{document:#}\n"));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, rules) in &rows {
        for (index, rule) in rules.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            text.push_str(&format!("{name:width$}  {rule}\n"));
        }
    }
    output::data(&text)
}

/// Each layout's name and, for each rule, the GPUs and what lies on which memory slices.
fn rows_of(file: &MigConfigs, gpu: &GpuSpec) -> Vec<(String, Vec<String>)> {
    let row = |config: &MigConfig| {
        let rules = rules_for(config, gpu);
        let mut lines: Vec<String> = rules.iter().map(|rule| in_words(rule, gpu)).collect();
        if lines.is_empty() {
            lines.push("for other GPUs, by its device-filter".to_string());
        }
        let name: String = config.name.chars().take(60).flat_map(char::escape_debug).collect();
        (name, lines)
    };
    file.configs.iter().map(row).collect()
}

fn in_words(rule: &MigRule, gpu: &GpuSpec) -> String {
    let devices = match &rule.devices {
        None => "all GPUs".to_string(),
        Some(indices) => {
            let indices: Vec<String> = indices.iter().map(u32::to_string).collect();
            format!("GPU {}", indices.join(", "))
        }
    };
    let placed = layouts::place(gpu, &wanted(rule)).unwrap_or_default();
    let what = match (rule.mig_enabled, placed.is_empty()) {
        (false, _) => "MIG off".to_string(),
        (true, true) => "MIG on, no instances".to_string(),
        (true, false) => placed.join(", "),
    };
    format!("{devices}: {what}")
}

fn sharing_in_words(plugin: &DevicePlugin) -> String {
    let Some(sharing) = &plugin.sharing else { return "whole GPUs".to_string() };
    let resources = sharing.resources.iter();
    let resources: Vec<String> =
        resources.map(|one| format!("{} x {}", one.replicas, one.name)).collect();
    format!("{}: {}", sharing.method.word(), resources.join(", "))
}

/// The head of a scenario.
fn head(arguments: &ImportArgs, title: &str, cards: u32) -> String {
    let (host, gpu) = (&arguments.host, &arguments.gpu);
    format!(
        "title = {title:?}\nhost = \"{host}\"\ngpus = {{ model = \"{gpu}\", count = {cards} }}\n"
    )
}

/// A group of VMs alike. The load is a beginning, to be edited.
fn vms(arguments: &ImportArgs, name: &str, count: u32, has: &str) -> String {
    let workload = &arguments.workload;
    format!(
        "\n[[vm]]\nname = {name:?}\ncount = {count}\nvcpus = 2\n{has}\nworkload = \"{workload}\"\nserver = {{ batch_max = 1 }}\nload = {{ scenario = \"server\", target_qps = 10, min_duration = \"60 s\" }}   # yours\n"
    )
}

/// Most VMs of a scenario file.
const VMS_MAX: u32 = 64;

/// A scenario with a process on each GPU instance of a layout.
fn instances(arguments: &ImportArgs, gpu: &GpuSpec, config: &MigConfig) -> Result<String, Failure> {
    let rules = rules_for(config, gpu);
    let named = rules.iter().filter_map(|rule| rule.devices.as_ref()).flatten();
    let cards = named.map(|last| last + 1).max().unwrap_or(0).max(arguments.cards);
    // Card by card, the largest first: so first fit puts them where the layout has them.
    let mut groups: Vec<(u32, &str, u32)> = Vec::new();
    for card in 0..cards {
        let for_card =
            |rule: &&&MigRule| rule.devices.as_ref().is_none_or(|indices| indices.contains(&card));
        let instances = rules.iter().filter(for_card).flat_map(|rule| &rule.instances);
        let instances = instances.filter_map(|one| {
            let (profile, count) = layouts::instances(gpu, &one.profile, one.count)?;
            Some((profile.name.as_str(), count))
        });
        let mut instances: Vec<(&str, u32)> = instances.collect();
        let size = |name: &str| gpu.mig_profile(name).map_or(0, |profile| profile.memory_slices);
        instances.sort_by_key(|(profile, _)| std::cmp::Reverse(size(profile)));
        groups.extend(instances.into_iter().map(|(profile, count)| (card, profile, count)));
    }
    let all: u32 = groups.iter().map(|(_, _, count)| count).sum();
    if all == 0 || all > VMS_MAX {
        return Err(Failure::Usage(format!(
            "{} has {all} GPU instances on {cards} GPUs\n  = allowed: 1 to {VMS_MAX}, a VM for each",
            quoted(&config.name)
        )));
    }
    let title = format!("mig-parted layout {} on {}", config.name, gpu.name);
    let mut text = head(arguments, &title, cards.min(VMS_MAX));
    for (card, profile, count) in groups {
        let name = if cards == 1 { profile.to_string() } else { format!("gpu{card} {profile}") };
        text.push_str(&vms(arguments, &name, count, &format!("mig = \"{profile}\"")));
    }
    Ok(text)
}

/// A scenario with a pod for each replica.
fn pods(arguments: &ImportArgs, plugin: &DevicePlugin) -> Result<String, Failure> {
    let Some(sharing) = &plugin.sharing else {
        return Err(Failure::Usage(
            "the configuration shares no GPU\n  = help: a scenario of whole GPUs needs no import"
                .to_string(),
        ));
    };
    let replicas = sharing.resources[0].replicas;
    if sharing.resources.iter().any(|resource| resource.replicas != replicas) {
        return Err(Failure::Usage(
            "the resources have different numbers of replicas, a scenario has one\n  = help: import them one by one"
                .to_string(),
        ));
    }
    let whole = sharing.resources.iter().any(|resource| resource.profile().is_none());
    let cut = sharing.resources.iter().any(|resource| resource.profile().is_some());
    let cards = arguments.cards.max(u32::from(whole) + u32::from(cut));
    let mut text = head(arguments, &format!("{replicas} replicas of {}", arguments.gpu), cards);
    // The plugin's own allocation is "distributed": the GPU that is shared least.
    text.push_str(&format!("\n[sharing]\nreplicas = {replicas}\nassignment = \"spread\"\n"));
    let room = VMS_MAX / sharing.resources.len() as u32;
    for resource in &sharing.resources {
        let devices = if resource.profile().is_some() { 1 } else { cards - u32::from(cut) };
        let count = (replicas * devices).min(room).max(1);
        if count < replicas * devices {
            output::message(&format!(
                "warning: {count} of {} pods: a scenario has at most {VMS_MAX} VMs",
                replicas * devices
            ));
        }
        let mut has = match sharing.method {
            Method::TimeSlicing => "sharing = \"time-slicing\"".to_string(),
            Method::Mps => format!(
                "sharing = \"mps\", active_threads = \"{} %\"",
                (10_000.0 / f64::from(replicas)).floor().max(100.0) / 100.0
            ),
        };
        let profile = resource
            .profile()
            .map(|name| ProfileName::parse(name).map_or(name.to_string(), |name| name.to_string()));
        if let Some(profile) = &profile {
            has.push_str(&format!(", mig = \"{profile}\""));
        }
        let name = profile.as_deref().unwrap_or("pod");
        text.push_str(&vms(arguments, name, count, &format!("process = {{ {has} }}")));
    }
    Ok(text)
}
