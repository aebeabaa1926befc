//! A scenario with a process on each GPU instance of a layout.
//!
//! Compute instances divide the SMs of a GPU instance and nothing else: they become processes that
//! share it, each within its part.

use super::judge::wanted;
use super::written::{VMS_MAX, Written};
use super::{ImportArgs, Node, output};
use crate::cli::failure::Failure;
use crate::cli::layouts::{self, Placed};
use crate::config::quoted;
use crate::formats::mig_parted::{MigConfig, MigRule, subsystem};
use crate::layout::compute_instances::compute_profiles;
use crate::layout::geometry::Geometry;
use crate::spec::names::ProfileName;
use crate::spec::{GpuSpec, MigProfile};

/// VMs alike on one card.
struct Group<'g> {
    card: u32,
    /// The profile as the layout names it, `1c.3g.20gb` perhaps.
    name: &'g str,
    /// The GPU instance of each VM.
    on: Vec<Placed<'g>>,
    /// Compute slices of each, where a GPU instance is divided.
    slices: Option<u32>,
}

/// The scenario of a layout that is possible on the node.
pub(super) fn scenario(
    arguments: &ImportArgs,
    node: &Node<'_>,
    config: &MigConfig,
) -> Result<String, Failure> {
    let rules = node.rules_of(config);
    if let Some(board) =
        rules.iter().flat_map(|rule| &rule.device_filter).find_map(|id| subsystem(id))
    {
        output::message(&format!(
            "warning: rules select boards by subsystem id, {board} among them; slicewise knows \
             models only, and takes the first rule that matches {}",
            node.gpu.id
        ));
    }
    let named = rules.iter().filter_map(|rule| rule.devices.as_ref()).flatten();
    let cards = named.map(|last| last + 1).max().unwrap_or(0).max(node.cards);
    let of_card = |card: u32| rules.iter().find(|rule| rule.has_device(card)).copied();
    let title = format!("mig-parted layout {} on {}", config.name, node.gpu.name);
    let mut written = Written::new(arguments, node, &title, cards.min(VMS_MAX));
    let off = |card: &u32| of_card(*card).is_none_or(|rule| !rule.mig_enabled);
    let off: Vec<u32> = (0..cards).filter(off).collect();
    if off.len() == cards as usize && cards <= VMS_MAX {
        let all: Vec<String> = off.iter().map(u32::to_string).collect();
        written.vms("gpu", cards, &format!("gpus = 1\ncard = [{}]", all.join(", ")));
        return Ok(written.finish());
    }
    let groups: Vec<Group<'_>> =
        (0..cards).flat_map(|card| groups_of(card, of_card(card), node.gpu)).collect();
    let all: usize = groups.iter().map(|group| group.on.len()).sum();
    if all == 0 || all > VMS_MAX as usize {
        return Err(Failure::Usage(format!(
            "{} has {all} GPU instances on {cards} GPUs\n  = allowed: 1 to {VMS_MAX}, a VM for each: an import writes no more",
            quoted(&config.name)
        )));
    }
    if let [first, ..] = off[..] {
        let all: Vec<String> = off.iter().map(u32::to_string).collect();
        written.remark(&format!(
            "GPU {} without MIG has no workload here; add a [[vm]] with gpus = 1 and card = \
             {first} to use it",
            all.join(", ")
        ));
    }
    for group in &groups {
        write(&mut written, group, cards, node.gpu);
    }
    Ok(written.finish())
}

/// What a rule puts on one card, the largest instances first.
fn groups_of<'g>(card: u32, rule: Option<&'g MigRule>, gpu: &'g GpuSpec) -> Vec<Group<'g>> {
    let Some(rule) = rule.filter(|rule| rule.mig_enabled) else { return Vec::new() };
    let wanted = wanted(rule);
    let mut placed = layouts::place(gpu, &wanted).unwrap_or_default().into_iter();
    let groups = wanted.into_iter().map(|(name, count)| {
        let instances = layouts::instances(gpu, name, count).map_or(0, |(_, count)| count);
        let instances: Vec<Placed<'g>> = placed.by_ref().take(instances as usize).collect();
        let slices = ProfileName::parse(name).and_then(|name| name.compute_slices);
        let in_each = match (slices, instances.first()) {
            (Some(slices), Some(first)) => (first.profile.compute_slices / slices.max(1)).max(1),
            _ => 1,
        };
        let each = instances.iter().flat_map(|one| std::iter::repeat_n(*one, in_each as usize));
        Group { card, name, on: each.take(count as usize).collect(), slices }
    });
    let mut groups: Vec<Group<'g>> = groups.filter(|group| !group.on.is_empty()).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.on[0].profile.memory_slices));
    groups
}

fn write(written: &mut Written, group: &Group<'_>, cards: u32, gpu: &GpuSpec) {
    let Group { card, name, on, slices } = group;
    let profile = on[0].profile;
    let starts: Vec<String> = on.iter().map(|one| one.start.to_string()).collect();
    let at = match &starts[..] {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    let what = match slices {
        Some(slices) if *slices < profile.compute_slices => format!(
            "process = {{ sharing = \"mps\", mig = \"{}\", active_threads = \"{} %\" }}   # {slices}c: its part of the SMs",
            profile.name,
            part_of(gpu, profile, *slices)
        ),
        _ => format!("mig = \"{}\"", profile.name),
    };
    written.needs(profile);
    let name = if cards == 1 { name.to_string() } else { format!("gpu{card} {name}") };
    let has = format!("{what}\ncard = {card}\ninstance = {at}");
    written.vms(&name, on.len() as u32, &has);
}

/// Per cent of the SMs of a GPU instance that so many compute slices are: of published SMs where
/// there are any, else of its slices.
fn part_of(gpu: &GpuSpec, profile: &MigProfile, slices: u32) -> f64 {
    let all = compute_profiles(&Geometry::new(&gpu.mig_profiles), profile);
    let own = all.iter().find(|one| one.compute_slices == slices).and_then(|one| one.sms);
    let part = match (own, profile.sms) {
        (Some(own), Some(sms)) => f64::from(own) / f64::from(sms),
        _ => f64::from(slices) / f64::from(profile.compute_slices.max(1)),
    };
    // Two digits behind the point are less than a tenth of an SM.
    (part * 10_000.0).floor() / 100.0
}
