//! The keys that only clusters have: `[placement]`, `[[rule]]`, and `device_group` and `lifetimes` of a
//! `[[vm]]`.

use super::holding::Holding;
use super::hosts::Hosts;
use super::machine::Machine;
use super::sharing_keys::ASSIGNMENTS;
use crate::config::keys::forms::choice;
use crate::config::keys::keys;
use crate::config::text::{Diagnostic, Problems, Reader, Spot, Value};
use crate::layout::cluster::{Ask, Gpus, POLICIES};
use crate::layout::placement::Assignment;
use crate::spec::GpuSpec;
use crate::study::{ClusterRule, Lifetimes, RuleKind};
use crate::suggest::{nearest, quoted};
use crate::units::SimDuration;

keys! {
    /// The keys of `[placement]`.
    pub(crate) struct Placement {
        /// How a host is chosen among those that can take a VM; all but `vsphere` are for comparison.
        policy: &'static str = choice("policy", policies()), default POLICIES[0].name;
        /// Whether `vsphere` fills host after host with VMs that have full cards (8.0 U2 and later);
        /// VMs with parts of cards are spread over the hosts in any case.
        full_cards: Assignment = choice("placement of full cards", ASSIGNMENTS), default Assignment::Spread;
    }
}

fn policies() -> impl Iterator<Item = (&'static str, &'static str)> {
    POLICIES.iter().map(|entry| (entry.name, entry.name))
}

impl Placement {
    /// Reads `[placement]`.
    pub(crate) fn read(top: &mut Reader<'_>) -> Self {
        let Some(mut table) = top.table("placement") else { return Self::default() };
        let keys = Self::given(&mut table);
        table.finish();
        keys
    }
}

/// Most rules.
pub(crate) const RULES_MAX: usize = 256;

/// Most names in a list of a rule.
pub(crate) const NAMES_MAX: usize = 1024;

/// Reads every `[[rule]]`.
pub(crate) fn rules(top: &mut Reader<'_>, hosts: &Hosts, vms: &[&str]) -> Option<Vec<ClusterRule>> {
    let Some(value) = top.get("rule") else { return Some(Vec::new()) };
    let items = value.items(RULES_MAX)?;
    let read = items.iter().map(|item| rule(item.table()?, hosts, vms));
    let read: Vec<Option<ClusterRule>> = read.collect();
    read.into_iter().collect()
}

fn rule(mut table: Reader<'_>, hosts: &Hosts, vms: &[&str]) -> Option<ClusterRule> {
    let kind = table.need("kind", "say what the rule asks, such as kind = \"keep-apart\"");
    let kind = kind.and_then(|value| value.choice("kind of rule", &RuleKind::ALL));
    let named = table.need("vms", "name the [[vm]] that the rule is about: vms = [\"web\"]");
    let named = named.and_then(|value| names(&value, "VM", vms));
    let of_hosts: Vec<&str> = hosts.groups.iter().map(|group| group.name.as_str()).collect();
    let on = table.get("hosts").map(|value| (names(&value, "host", &of_hosts), value));
    let must = table.get("must").map(|value| (value.flag(), value));
    let is_between_vms = matches!(kind, Some(RuleKind::Together | RuleKind::Apart));
    if on.is_none() && kind.is_some() && !is_between_vms {
        table.need("hosts", "name the [[host]] that the rule is about: hosts = [\"rack-a\"]");
    }
    table.finish();
    let kind = kind?;
    for value in [on.as_ref().map(|(_, value)| value), must.as_ref().map(|(_, value)| value)] {
        if let Some(value) = value.filter(|_| is_between_vms) {
            let found = value.wrong(format!("has no meaning for {}", kind.word()));
            value.report(found.help("drop it: the rule is between VMs, and always holds"));
            return None;
        }
    }
    let on = match on {
        Some((on, _)) => on?,
        None if is_between_vms => Vec::new(),
        None => return None,
    };
    Some(ClusterRule {
        kind,
        vms: named?,
        hosts: on,
        must: must.map_or(Some(true), |(must, _)| must)?,
    })
}

/// The groups of these names, by index.
fn names(value: &Value<'_>, what: &str, known: &[&str]) -> Option<Vec<usize>> {
    let items = value.items(NAMES_MAX)?;
    let read = items.iter().map(|item| {
        let word = item.text()?;
        let found = known.iter().position(|name| *name == word);
        if found.is_none() {
            let title = format!("names no {what} of the file: {}", quoted(word));
            item.report(
                item.wrong(title).allowed(known.join(", ")).did_you_mean(nearest(word, known)),
            );
        }
        found
    });
    let read: Vec<Option<usize>> = read.collect();
    read.into_iter().collect()
}

/// What a holding asks of a card; nothing for those that a cluster has not.
pub(crate) fn ask(holding: &Holding, models: &[usize], machine: &Machine) -> Option<Ask> {
    let gpu: &GpuSpec = &machine.models[*models.first()?].gpu.spec;
    match holding {
        Holding::Whole => Some(Ask::Whole),
        Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => {
            gpu.vgpu_types.iter().position(|one| one.name == vgpu.name).map(Ask::Vgpu)
        }
        Holding::Instance(profile, None) => {
            gpu.mig_profiles.iter().position(|one| one.name == profile.name).map(Ask::Instance)
        }
        Holding::Process(_) | Holding::Largest(_) => None,
    }
}

/// Sizes of device groups.
const GROUPS: [u32; 3] = [2, 4, 8];

/// Whether `device_group` asks for one; reports GPUs that cannot be one: only several vGPUs can, each
/// with all of its card and time-sliced.
pub(crate) fn is_device_group(
    value: &Value<'_>,
    gpus: Option<&Gpus>,
    machine: &Machine,
) -> Option<bool> {
    if !value.flag()? {
        return Some(false);
    }
    let sizes = "2, 4 or 8 vGPUs with all frame buffer of their cards, time-sliced";
    let Some(gpus) = gpus else {
        let found = value.wrong("needs GPUs").allowed(sizes);
        value.report(found.help("write vgpu = { type = \"...\", count = 2 }"));
        return None;
    };
    let gpu = &machine.models[gpus.models[0]].gpu.spec;
    let largest = gpu.vgpu_types.iter().filter(|one| one.is_time_sliced());
    let largest = largest.map(|one| one.frame_buffer).max();
    let is_full = match gpus.ask {
        Ask::Whole => true,
        Ask::Vgpu(kind) => {
            let of = &gpu.vgpu_types[kind];
            of.is_time_sliced() && Some(of.frame_buffer) == largest
        }
        _ => false,
    };
    if !is_full || !GROUPS.contains(&gpus.count) {
        value.report(value.wrong("is for full cards in twos, fours or eights").allowed(sizes));
        return None;
    }
    let is_joined =
        machine.groups.iter().any(|cards| cards.model == gpu.id && cards.nvlink_group.is_some());
    if !is_joined {
        let found =
            value.wrong(format!("needs cards of one NVLink group, and no {} is in one", gpu.id));
        let help =
            "say which cards NVLink joins: gpus = { model = \"...\", count = 8, nvlink_group = 0 }";
        value.report(found.help(help));
        return None;
    }
    Some(true)
}

/// `lifetimes = { within = "8 h", mean = "2 h" }`.
pub(crate) fn lifetimes(mut table: Reader<'_>) -> Option<Lifetimes> {
    let within = table.need("within", "state in what time they come, such as within = \"8 h\"");
    let fits = |span: &SimDuration| (1_000_000_000..=86_400_000_000_000).contains(&span.as_nanos());
    let within = within.and_then(|value| value.bounded(fits, "1 s to 24 h"));
    let mean = table.need("mean", "state how long one stays on average, such as mean = \"2 h\"");
    let mean = mean.and_then(|value| value.bounded(fits, "1 s to 24 h"));
    table.finish();
    Some(Lifetimes { within: within?, mean: mean? })
}

/// `2 x A100-20C`.
pub(crate) fn in_words(
    holding: &Holding,
    models: &[usize],
    count: u32,
    machine: &Machine,
) -> String {
    let gpu = &machine.models[models[0]].gpu.spec;
    match (count, holding.name(gpu)) {
        (1, name) => name.to_string(),
        (count, name) => format!("{count} x {name}"),
    }
}

/// Says why a cluster has no place for such a holding.
pub(crate) fn refuse_holding(holding: &Holding, spot: &Spot, problems: &Problems) {
    let (title, help) = match holding {
        Holding::Process(_) => (
            "processes that share a card are not placed on a cluster",
            "give the VM a vGPU, a GPU instance or whole cards",
        ),
        _ => (
            "`largest` depends on all VMs of a host, and placement finds the host",
            "name a type, such as \"A100-10C\"",
        ),
    };
    problems.push(Diagnostic::at(spot, title).help(help));
}

/// Says that `card` and `instance` have no meaning here.
pub(crate) fn refuse_places(table: &mut Reader<'_>) {
    for key in ["card", "instance"] {
        if let Some(value) = table.get(key) {
            let found = value.wrong("names a place, which placement finds here");
            value.report(found.help("drop it, or describe one `host` instead of [[host]]"));
        }
    }
}
