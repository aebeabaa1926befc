//! A scenario with a pod for each replica that the device plugin advertises.

use super::written::{VMS_MAX, Written};
use super::{ImportArgs, Node, output};
use crate::cli::failure::Failure;
use crate::config::{nearest, quoted};
use crate::formats::Fault;
use crate::formats::device_plugin::{DevicePlugin, Method, REPLICAS_MAX, Replicated, Replication};
use crate::layout::placement::{Assignment, Cards, Claim};
use crate::spec::MigProfile;
use crate::spec::names::find_profile;
use crate::units::{Bytes, counted};

/// Most clients of one MPS server, and so most replicas under MPS (k8s-device-plugin,
/// cmd/mps-control-daemon/mps/device.go; 16 where the compute capability is below 7.5).
const MPS_REPLICAS_MAX: u32 = 48;

/// The parts of a configuration that the plugin itself does not support.
pub(super) fn unsupported(plugin: &DevicePlugin, only: &[String]) -> Vec<Fault> {
    let Some(sharing) = plugin.sharing.as_ref().filter(|one| one.method == Method::Mps) else {
        return Vec::new();
    };
    let fault = |one: &&Replicated| {
        if one.profile().is_some() {
            let title = "the device plugin does not share MIG devices by MPS";
            let fault = Fault::at(one.span.clone(), title).allowed("nvidia.com/gpu under mps");
            let help = "share it by timeSlicing; in a scenario of your own processes may share a GPU instance under MPS: process = { sharing = \"mps\", mig = ... }";
            return Some(fault.help(help));
        }
        if one.replicas > MPS_REPLICAS_MAX {
            let title =
                format!("{} replicas with MPS, whose server has fewer clients", one.replicas);
            let fault = Fault::at(one.span.clone(), title);
            return Some(fault.allowed(format!(
                "2 to {MPS_REPLICAS_MAX} replicas: the plugin's MPS daemon does not start with more"
            )));
        }
        None
    };
    let chosen = sharing.resources.iter().filter(|one| is_chosen(one, only));
    chosen.filter_map(|one| fault(&one)).collect()
}

fn is_chosen(resource: &Replicated, only: &[String]) -> bool {
    let short = resource.name.split_once('/').map_or(resource.name.as_str(), |(_, name)| name);
    only.is_empty() || only.iter().any(|name| *name == resource.name || name == short)
}

/// The resources of a configuration that are asked for, all where none is.
fn chosen<'p>(
    plugin: &DevicePlugin,
    sharing: &'p Replication,
    only: &[String],
) -> Result<Vec<&'p Replicated>, Failure> {
    let names: Vec<&str> = sharing.resources.iter().map(|one| one.name.as_str()).collect();
    let all: Vec<&Replicated> =
        sharing.resources.iter().filter(|one| is_chosen(one, only)).collect();
    if let Some(missing) =
        only.iter().find(|name| !all.iter().any(|one| is_chosen(one, &[name.to_string()])))
    {
        let short = names.iter().filter_map(|name| Some(name.split_once('/')?.1));
        let near = nearest(missing, names.iter().copied().chain(short));
        let near = near.map(|near| format!("\n  = help: did you mean \"{near}\"?"));
        return Err(Failure::Usage(format!(
            "the configuration shares no resource {}\n  = allowed: {}{}",
            quoted(missing),
            names.join(", "),
            near.unwrap_or_default()
        )));
    }
    let strategy = plugin.mig_strategy;
    let (cut, whole): (Vec<&Replicated>, Vec<&Replicated>) =
        all.iter().partition(|one| one.profile().is_some());
    match strategy {
        Some(strategy @ ("none" | "single")) if !cut.is_empty() => {
            let names: Vec<&str> = cut.iter().map(|one| one.name.as_str()).collect();
            let (names, what) = (names.join(", "), "under migStrategy");
            if whole.is_empty() {
                return Err(Failure::Usage(format!(
                    "{what} \"{strategy}\" a node has no {names}\n  = help: write migStrategy: mixed"
                )));
            }
            output::message(&format!(
                "warning: {what} \"{strategy}\" a node has no {names}: left out"
            ));
            Ok(whole)
        }
        _ => {
            if strategy == Some("single") {
                output::message(
                    "warning: under migStrategy \"single\" nvidia.com/gpu is a GPU instance on a node whose GPUs are cut alike; the scenario is of whole cards, which is right only without MIG. With MIG, add mig = PROFILE to `process`",
                );
            }
            Ok(all)
        }
    }
}

/// The scenario of a configuration that shares GPUs.
pub(super) fn scenario(
    arguments: &ImportArgs,
    node: &Node<'_>,
    plugin: &DevicePlugin,
) -> Result<String, Failure> {
    let Some(sharing) = &plugin.sharing else {
        return Err(Failure::Usage(
            "the configuration shares no GPU\n  = help: a scenario of whole GPUs needs no import"
                .to_string(),
        ));
    };
    let resources = chosen(plugin, sharing, &arguments.resource)?;
    let cut: Vec<&MigProfile> = resources.iter().filter_map(|one| profile(node, one)).collect();
    let whole = resources.len() > cut.len();
    let for_cut = cards_for(node, &cut);
    let cards = node.cards.max(u32::from(whole) + for_cut);
    if cards > node.cards {
        output::message(&format!(
            "note: {cards} GPUs, for one of each resource; --resource NAME imports what a node has"
        ));
    }
    let replicas = |one: &Replicated| one.replicas.min(REPLICAS_MAX);
    let title = match resources[..] {
        [one] => {
            format!("{} of {} on {}", counted(replicas(one), "replica"), one.name, node.gpu.id)
        }
        _ => format!("replicas of {} resources on {}", resources.len(), node.gpu.id),
    };
    let mut written = Written::new(arguments, node, &title, cards);
    // The plugin's own allocation is "distributed": the GPU that is shared least.
    let counts = match resources[..] {
        [one] => replicas(one).to_string(),
        _ => {
            let each = resources.iter().map(|one| {
                let name = profile(node, one);
                let name = name.map_or("gpu".to_string(), |one| format!("{:?}", one.name));
                format!("{name} = {}", replicas(one))
            });
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
    };
    written.lines(&format!("\n[sharing]\nreplicas = {counts}\nassignment = \"spread\"\n"));
    let room = VMS_MAX / resources.len() as u32;
    for resource in resources {
        let devices = if resource.profile().is_some() { 1 } else { cards - for_cut };
        let all = replicas(resource) * devices;
        let count = all.min(room).max(1);
        if count < all {
            output::message(&format!(
                "warning: {count} of {all} pods of {}: an import writes at most {VMS_MAX} VMs",
                resource.name
            ));
        }
        let mut has = match sharing.method {
            Method::TimeSlicing => "sharing = \"time-slicing\"".to_string(),
            Method::Mps => limits(replicas(resource), node.gpu.memory.value),
        };
        let profile = profile(node, resource);
        if let Some(profile) = profile {
            has.push_str(&format!(", mig = {:?}", profile.name));
            written.needs(profile);
        }
        let name = profile.map_or("pod", |one| one.name.as_str());
        written.vms(name, count, &format!("process = {{ {has} }}"));
    }
    if let Some(one) = sharing.resources.iter().find(|one| one.profile().is_none()) {
        let method = match sharing.method {
            Method::TimeSlicing => "time-slicing",
            Method::Mps => "mps",
        };
        output::message(&format!(
            "note: the pods are on GPUs of a host of their own; of a node that is a VM write pods = \
             {{ sharing = \"{method}\", replicas = {} }} and [[vm.pod]] into its [[vm]]",
            replicas(one)
        ));
    }
    Ok(written.finish())
}

/// The GPU instance profile that a resource is, as the GPU's own list has it.
fn profile<'n>(node: &Node<'n>, resource: &Replicated) -> Option<&'n MigProfile> {
    let part = find_profile(&node.gpu.mig_profiles, resource.profile()?)?;
    node.gpu.mig_profiles.get(part.profile)
}

/// What the plugin's MPS daemon gives each client: whole per cent of the threads, and whole MiB of
/// the memory (k8s-device-plugin, cmd/mps-control-daemon/mps/daemon.go).
fn limits(replicas: u32, memory: Bytes) -> String {
    let mib = (memory.get() / u64::from(replicas)) >> 20;
    let threads = (100 / replicas).max(1);
    format!("sharing = \"mps\", active_threads = \"{threads} %\", memory_limit = \"{mib} MiB\"")
}

/// The fewest cards that hold a GPU instance of each of these profiles.
fn cards_for(node: &Node<'_>, profiles: &[&MigProfile]) -> u32 {
    let known = &node.gpu.mig_profiles;
    let index = |profile: &&MigProfile| known.iter().position(|one| one.name == profile.name);
    let claims = profiles.iter().filter_map(index).map(|profile| Claim::Instance { profile });
    let claims: Vec<Claim> = claims.collect();
    let fits = |count: &usize| {
        Cards { count: *count, profiles: known }.place(Assignment::Consolidate, &claims).is_some()
    };
    (0..=profiles.len()).find(fits).unwrap_or(profiles.len()) as u32
}
