//! `slicewise export`: a scenario's GPUs, or profiles from the command line, as configurations of a
//! Kubernetes node.
//!
//! Nothing is written that is impossible on the GPU: profiles are placed first, and a scenario is
//! checked when it is read.

use super::failure::Failure;
use super::{layouts, output};
use crate::config::{Catalogue, LoadOptions, Task, load_task, quoted};
use crate::formats::device_plugin::{self, DevicePlugin, Method, Replicated, Replication};
use crate::formats::kubernetes::write_config_map;
use crate::formats::mig_parted::{self, MigConfig, MigConfigs, MigRule};
use crate::spec::names::{At, Part, ProfileName, find_profile, requests};
use crate::spec::{Experiment, GpuSpec, InstanceSharing, PodSharing, Scenario, VmId};
use clap::{Args, Subcommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The kind of configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ExportCommand {
    /// Layouts of GPU instances, for mig-parted
    #[command(after_help = MIG_HELP)]
    MigParted(MigPartedArgs),
    /// Replicas by time slicing or MPS, for the Kubernetes device plugin
    #[command(after_help = PLUGIN_HELP)]
    DevicePlugin(DevicePluginArgs),
}

/// Arguments of `export mig-parted`.
#[derive(Args, Debug)]
pub(crate) struct MigPartedArgs {
    /// A scenario; or, with --gpu, profiles such as 3g.20gb 2x2g.10gb
    #[arg(required = true, value_name = "SCENARIO|PROFILE")]
    what: Vec<String>,

    /// Write a layout of these profiles on this GPU
    #[arg(long, value_name = "GPU")]
    gpu: Option<String>,

    /// The layout's name, with --gpu
    #[arg(long, default_value = "custom", requires = "gpu")]
    name: String,

    /// Wrap it in a ConfigMap of this name
    #[arg(long, value_name = "NAME")]
    config_map: Option<String>,
}

const MIG_HELP: &str = "\
Examples:
  slicewise export mig-parted --gpu a100-pcie-40gb --name mixed 3g.20gb 2g.10gb 2x1g.5gb
  slicewise export mig-parted my-vms.toml > config.yaml";

/// Arguments of `export device-plugin`.
#[derive(Args, Debug)]
pub(crate) struct DevicePluginArgs {
    /// A scenario with processes that share GPUs
    path: PathBuf,

    /// Wrap it in a ConfigMap of this name
    #[arg(long, value_name = "NAME")]
    config_map: Option<String>,
}

const PLUGIN_HELP: &str = "\
Examples:
  slicewise export device-plugin my-pods.toml
  slicewise export device-plugin my-pods.toml --config-map gpu-sharing | kubectl apply -f -";

/// Runs the command.
pub(super) fn run(command: &ExportCommand, configs: Option<&Path>) -> Result<(), Failure> {
    let (text, config_map, key) = match command {
        ExportCommand::MigParted(arguments) => {
            let file = match &arguments.gpu {
                Some(gpu) => layout_of(arguments, gpu, configs)?,
                None => {
                    let catalogue = Catalogue::load(configs)?;
                    layouts_of(&scenario_of(&arguments.what, configs)?, &catalogue)?
                }
            };
            (mig_parted::write(&file), &arguments.config_map, "config.yaml")
        }
        ExportCommand::DevicePlugin(arguments) => {
            let path = arguments.path.display().to_string();
            let plugin = replicas_of(&scenario_of(&[path], configs)?)?;
            (device_plugin::write(&plugin), &arguments.config_map, "any")
        }
    };
    match config_map {
        Some(name) => output::data(&write_config_map(name, key, &text)),
        None => output::data(&text),
    }
}

fn scenario_of(what: &[String], configs: Option<&Path>) -> Result<Scenario, Failure> {
    let [path] = what else {
        return Err(Failure::Usage(
            "one scenario at a time\n  = help: profiles need --gpu GPU".to_string(),
        ));
    };
    let options = LoadOptions::new(Catalogue::load(configs)?);
    match load_task(Path::new(path), &options)? {
        Task::Run(scenario) => Ok(*scenario),
        Task::Sweep(_) => Err(Failure::Usage(format!(
            "{path} is a sweep, whose points differ\n  = help: write the point you want as a scenario"
        ))),
    }
}

/// The layout of the profiles on the command line, placed.
fn layout_of(
    arguments: &MigPartedArgs,
    gpu: &str,
    configs: Option<&Path>,
) -> Result<MigConfigs, Failure> {
    let catalogue = super::named::good_catalogue(configs)?;
    let gpu = super::named::gpu(&catalogue, gpu)?;
    let asked = wanted(gpu, &arguments.what)?;
    let wanted: Vec<layouts::Wanted<'_>> =
        asked.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    layouts::place(gpu, &wanted).map_err(|misfit| {
        let help = if misfit.help.is_empty() {
            String::new()
        } else {
            format!("\n  = help: {}", misfit.help)
        };
        Failure::Usage(format!("{}\n  = allowed: {}{help}", misfit.title, misfit.allowed))
    })?;
    let all = wanted.iter().flat_map(|&(name, count)| (0..count).map(move |_| name));
    let rules = vec![MigRule::of(None, &all.collect::<Vec<_>>())];
    file(vec![MigConfig { name: arguments.name.clone(), span: 0..0, rules }])
}

/// `3g.20gb`, or `2x1g.5gb`: names as mig-parted spells them, with how many.
fn wanted(gpu: &GpuSpec, words: &[String]) -> Result<Vec<(String, u32)>, Failure> {
    const MOST: u32 = 64;
    let is_name = |name: &str| find_profile(&gpu.mig_profiles, name).is_some();
    let read = requests(words, &is_name).map_err(|_| {
        Failure::Usage("a profile is empty\n  = help: write one such as 1g.5gb".to_string())
    })?;
    let wanted = read.into_iter().map(|request| {
        let text = quoted(&request.text);
        // mig-parted counts behind a colon and knows no starts.
        let count = match (request.at, request.count) {
            (At::Anywhere, count) => count.unwrap_or(1),
            (At::Colon(count), None) if !is_id(&request.name) => count,
            _ => {
                return Err(Failure::Usage(format!(
                    "{text} names a start, which mig-parted does not accept\n  = help: leave it \
                     out; the driver chooses"
                )));
            }
        };
        if !(1..=MOST).contains(&count) {
            return Err(Failure::Usage(format!(
                "{text} has no valid number of instances\n  = allowed: 1 to {MOST}, such as \
                 2x1g.5gb"
            )));
        }
        let name = match find_profile(&gpu.mig_profiles, &request.name) {
            Some(Part { profile, compute_slices: None }) => gpu.mig_profiles[profile].name.clone(),
            _ => ProfileName::parse(&request.name).map_or(request.name, |name| name.to_string()),
        };
        Ok((name, count))
    });
    wanted.collect()
}

fn is_id(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// A file with these layouts and, as usual, one without MIG.
fn file(configs: Vec<MigConfig>) -> Result<MigConfigs, Failure> {
    const DISABLED: &str = "all-disabled";
    if configs.iter().any(|config| config.name == DISABLED || config.name.is_empty()) {
        let help = "give it another name: \"all-disabled\" is the layout without MIG";
        return Err(Failure::Usage(format!("a layout cannot have this name\n  = help: {help}")));
    }
    let disabled =
        MigConfig { name: DISABLED.to_string(), span: 0..0, rules: vec![MigRule::disabled()] };
    Ok(MigConfigs { configs: std::iter::once(disabled).chain(configs).collect() })
}

/// A layout for each run of a scenario, named like it.
fn layouts_of(scenario: &Scenario, catalogue: &Catalogue) -> Result<MigConfigs, Failure> {
    let config = |pair: &crate::spec::Pair| {
        let rules = rules_of(&pair.virtual_run.experiment, catalogue);
        MigConfig { name: pair.name.clone(), span: 0..0, rules }
    };
    let configs: Vec<MigConfig> = scenario.pairs.iter().map(config).collect();
    let cut = configs.iter().flat_map(|config| &config.rules).any(|rule| rule.mig_enabled);
    if !cut {
        return Err(Failure::Usage(format!(
            "no VM of {} has a GPU instance\n  = help: write `mig` or a MIG-backed vGPU type in a [[vm]]",
            quoted(&scenario.name)
        )));
    }
    file(configs)
}

/// The GPU instances of a run as a file of mig-parted; nothing where it has none.
pub(super) fn mig_parted_of(
    name: &str,
    experiment: &Experiment,
    catalogue: &Catalogue,
) -> Option<String> {
    let rules = rules_of(experiment, catalogue);
    if !rules.iter().any(|rule| rule.mig_enabled) {
        return None;
    }
    let config = MigConfig { name: name.to_string(), span: 0..0, rules };
    Some(mig_parted::write(&file(vec![config]).ok()?))
}

/// The cards of a run: those that are cut alike are one rule. Where they are of several models, each rule
/// is for one of them, by its ids on the PCI bus; mig-parted counts the GPUs of a node over all models.
fn rules_of(experiment: &Experiment, catalogue: &Catalogue) -> Vec<MigRule> {
    let several = experiment.has_several_models();
    let mut alike: Vec<(Option<&str>, Vec<&str>, Vec<u32>)> = Vec::new();
    for (index, card) in experiment.cards.iter().enumerate() {
        let mut profiles: Vec<&str> =
            card.instances.iter().filter_map(|instance| instance.profile.as_deref()).collect();
        profiles.sort_unstable();
        let model = several.then_some(card.gpu.id.as_str());
        let same = |(of, known, _): &&mut (Option<&str>, Vec<&str>, Vec<u32>)| {
            *of == model && *known == profiles
        };
        match alike.iter_mut().find(same) {
            Some((_, _, cards)) => cards.push(index as u32),
            None => alike.push((model, profiles, vec![index as u32])),
        }
    }
    let all_alike = alike.len() == 1;
    let rule = |(model, profiles, cards): (Option<&str>, Vec<&str>, Vec<u32>)| {
        let devices = (!all_alike).then_some(cards);
        let ids = model.map_or(&[][..], |model| catalogue.pci_ids(model));
        let device_filter = ids.iter().map(|id| format!("0x{id:08X}")).collect();
        match profiles.is_empty() {
            true => MigRule { devices, device_filter, ..MigRule::disabled() },
            false => MigRule { device_filter, ..MigRule::of(devices, &profiles) },
        }
    };
    alike.into_iter().map(rule).collect()
}

/// The number of replicas per GPU that a scenario's pods need.
fn replicas_of(scenario: &Scenario) -> Result<DevicePlugin, Failure> {
    let experiments = scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment);
    let mut shared: Vec<(String, u32)> = Vec::new();
    let mut method = None;
    for experiment in experiments {
        for (card, of_card) in experiment.cards.iter().enumerate() {
            for (index, instance) in of_card.instances.iter().enumerate() {
                method = match instance.sharing {
                    InstanceSharing::Processes(_) => Some(Method::TimeSlicing),
                    InstanceSharing::Mps(_) => Some(Method::Mps),
                    InstanceSharing::Alone
                    | InstanceSharing::Models
                    | InstanceSharing::Vgpus(_)
                    | InstanceSharing::BestEffort(_) => continue,
                };
                let name = match &instance.profile {
                    Some(profile) => {
                        let name = ProfileName::parse(profile);
                        let plain = || format!("mig-{profile}");
                        let resource = name.map_or_else(plain, |name| name.resource());
                        format!("nvidia.com/{resource}")
                    }
                    None => "nvidia.com/gpu".to_string(),
                };
                let pods = pods_on(experiment, card, index);
                match shared.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, most)) => *most = pods.max(*most),
                    None => shared.push((name, pods)),
                }
            }
        }
    }
    // In VMs that are nodes: each has its plugin, and a GPU that its pods share.
    for experiment in scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment) {
        for (own, pods) in nodes_of(experiment) {
            method = Some(own);
            match shared.iter_mut().find(|(known, _)| known == "nvidia.com/gpu") {
                Some((_, most)) => *most = pods.max(*most),
                None => shared.push(("nvidia.com/gpu".to_string(), pods)),
            }
        }
    }
    let Some(method) = method else {
        return Err(Failure::Usage(format!(
            "no VM of {} shares a GPU between processes or pods\n  = help: write process = \"time-slicing\" or \"mps\" in a [[vm]], or pods",
            quoted(&scenario.name)
        )));
    };
    let mixed = scenario.pairs.iter().any(|pair| pair.virtual_run.experiment.has_several_models());
    if mixed && shared.iter().any(|(name, _)| name == "nvidia.com/gpu") {
        output::message(
            "note: the plugin advertises the same number of replicas for every GPU of a node, \
             whatever its model: it is that of the card that needs most; a node selector or \
             affinity can choose the node of a pod, but not the card",
        );
    }
    if method == Method::Mps {
        output::message(
            "note: the plugin gives each MPS client 1 / replicas of threads and memory; the limits of the scenario are not in the file",
        );
    }
    let cut = shared.iter().any(|(name, _)| name != "nvidia.com/gpu");
    // One pod alone needs no sharing, but the plugin refuses fewer than two replicas.
    let resource =
        |(name, pods): (String, u32)| Replicated { name, span: 0..0, replicas: pods.max(2) };
    Ok(DevicePlugin {
        mig_strategy: Some(if cut { "mixed" } else { "none" }),
        sharing: Some(Replication {
            method,
            rename_by_default: false,
            fail_requests_greater_than_one: Some(true),
            resources: shared.into_iter().map(resource).collect(),
        }),
    })
}

/// Of each VM whose pods share the turns that it has: how they share, and how many there are.
fn nodes_of(experiment: &Experiment) -> Vec<(Method, u32)> {
    let mut nodes: BTreeMap<VmId, (Method, u32)> = BTreeMap::new();
    for (index, vm) in experiment.vms.iter().enumerate() {
        let Some(share) = vm.gpus.first() else { continue };
        let Some(pods) = &share.pods else { continue };
        if !experiment.instance(share).sharing.nests(pods) {
            continue;
        }
        let method = match pods {
            PodSharing::TimeSlicing { .. } => Method::TimeSlicing,
            PodSharing::Mps(_) => Method::Mps,
        };
        let node = experiment.first_model(VmId(index as u16));
        nodes.entry(node).or_insert((method, 0)).1 += 1;
    }
    nodes.into_values().collect()
}

/// The VMs that have something of an instance.
fn pods_on(experiment: &Experiment, card: usize, instance: usize) -> u32 {
    let vms = experiment.vms.iter().enumerate().filter(|(_, vm)| {
        let here = |share: &crate::spec::GpuShare| {
            usize::from(share.card.0) == card && usize::from(share.instance) == instance
        };
        vm.gpus.iter().any(here)
    });
    vms.map(|(index, _)| index).collect::<BTreeSet<_>>().len() as u32
}
