//! Which VM is on which host, in order of power-on: places, refusals with their reasons, what the
//! free frame buffer is worth, policies side by side. Nothing is simulated but coming and going.
//!
//! Places are found in `layout::cluster`; here they become figures and sentences.

mod because;
mod history;
mod outcome;

pub use history::placed_together;
pub use outcome::{
    ClusterCard, ClusterCounts, ClusterHost, ClusterMove, ClusterPolicy, ClusterResident,
    ClusterResults, ClusterRoom, ClusterVm, NotPlaced, StrandedPart, all_policies, cluster_results,
};

use super::Head;
use crate::layout::cluster::{Card, CardModel, Cluster, Host, Kind, Rule};
use crate::layout::placement::Assignment;
use crate::spec::GpuSpec;
use crate::units::{Bandwidth, Bytes, Frequency, SimDuration, SimTime};

/// A cluster and its VMs, as a file describes them.
#[derive(Clone, Debug)]
pub struct ClusterTask {
    /// The head of the document.
    pub head: Head,
    /// Models of the cards.
    pub gpus: Vec<GpuSpec>,
    /// The hosts, alike ones together.
    pub hosts: Vec<HostGroup>,
    /// Whether time-sliced cards may have vGPUs of several sizes.
    pub is_mixed: bool,
    /// Which card of a host an equal-size vGPU goes to.
    pub assignment: Assignment,
    /// The VMs, alike ones together.
    pub vms: Vec<VmGroup>,
    /// Rules of affinity.
    pub rules: Vec<ClusterRule>,
    /// Whether vSphere fills host after host with full cards.
    pub groups_full_cards: bool,
    /// The policy of the file: its name in [`POLICIES`](crate::layout::cluster::POLICIES).
    pub policy: &'static str,
}

/// Hosts that are alike.
#[derive(Clone, Debug)]
pub struct HostGroup {
    /// The name; several are numbered from 1.
    pub name: String,
    /// How many; nothing for one that keeps its name.
    pub count: Option<u32>,
    /// Name of the model.
    pub model: String,
    /// Logical processors of each.
    pub processors: u32,
    /// What all cores of each can do: reservations may not be more.
    pub cpu: Frequency,
    /// Main memory of each.
    pub memory: Bytes,
    /// Whether they are kept free for a failure.
    pub is_failover: bool,
    /// The network that vMotion has.
    pub network: Option<Bandwidth>,
    /// The model and the NVLink group of each card.
    pub cards: Vec<(usize, Option<u32>)>,
}

/// VMs that are alike.
#[derive(Clone, Debug)]
pub struct VmGroup {
    /// The name; several are numbered from 1.
    pub name: String,
    /// How many; nothing for one that keeps its name.
    pub count: Option<u32>,
    /// What placement looks at; CPU in kilohertz.
    pub kind: Kind,
    /// What it has of GPUs, in words: `2 x A100-20C`.
    pub what: String,
    /// When it is powered on.
    pub power_on: SimTime,
    /// When it is powered off, if ever.
    pub power_off: Option<SimTime>,
    /// Times of power-on and power-off that are drawn instead.
    pub lifetimes: Option<Lifetimes>,
}

/// VMs that come and go by chance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lifetimes {
    /// They come at any time in this span, which begins at `power_on`.
    pub within: SimDuration,
    /// They stay so long on average; the times are exponential.
    pub mean: SimDuration,
}

/// A rule of affinity, by index of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterRule {
    /// What it asks.
    pub kind: RuleKind,
    /// Groups of VMs.
    pub vms: Vec<usize>,
    /// Groups of hosts; none for rules between VMs.
    pub hosts: Vec<usize>,
    /// Whether it holds in any case.
    pub must: bool,
}

/// What a rule of affinity asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// The VMs are on one host.
    Together,
    /// No two of the VMs are on one host.
    Apart,
    /// The VMs are on the hosts.
    On,
    /// The VMs are not on the hosts.
    Off,
}

impl RuleKind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, RuleKind); 4] = [
        ("keep-together", RuleKind::Together),
        ("keep-apart", RuleKind::Apart),
        ("run-on", RuleKind::On),
        ("not-on", RuleKind::Off),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// The name of one of `count`, from 0.
fn numbered(name: &str, count: Option<u32>, number: u32) -> String {
    match count {
        None => name.to_string(),
        Some(_) => format!("{name}-{}", number + 1),
    }
}

impl HostGroup {
    /// How many hosts.
    pub fn hosts(&self) -> u32 {
        self.count.unwrap_or(1)
    }
}

impl VmGroup {
    /// How many VMs.
    pub fn vms(&self) -> u32 {
        self.count.unwrap_or(1)
    }
}

impl ClusterTask {
    /// The empty cluster, all hosts and VMs by index.
    pub fn cluster(&self) -> Cluster<'_> {
        let models: Vec<CardModel<'_>> = self.gpus.iter().map(CardModel::of).collect();
        let hosts = self.hosts.iter().flat_map(|group| {
            let card =
                |(model, nvlink): &(usize, Option<u32>)| Card::new(*model, *nvlink, self.is_mixed);
            let cards = group.cards.iter().map(card).collect();
            let mut host = Host::new(group.processors, group.memory, cards);
            host.cpu = group.cpu.khz();
            host.is_failover = group.is_failover;
            std::iter::repeat_n(host, group.hosts() as usize)
        });
        let mut kinds: Vec<Kind> = self.vms.iter().map(|group| group.kind.clone()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let kind = |group: &VmGroup| kinds.binary_search(&group.kind).expect("its kind");
        let vms = self
            .vms
            .iter()
            .flat_map(|group| std::iter::repeat_n(kind(group), group.vms() as usize));
        let vms = vms.collect();
        let (hosts, rules) = (hosts.collect(), self.rules.iter().map(|rule| self.rule(rule)));
        let rules = rules.collect();
        let mut cluster =
            Cluster::new(models, hosts, kinds, vms, self.assignment).with_rules(rules);
        cluster.groups_full_cards = self.groups_full_cards;
        cluster
    }

    fn rule(&self, rule: &ClusterRule) -> Rule {
        let vms = members(&rule.vms, self.vms.iter().map(VmGroup::vms));
        let hosts = || members(&rule.hosts, self.hosts.iter().map(HostGroup::hosts));
        match rule.kind {
            RuleKind::Together => Rule::Together(vms),
            RuleKind::Apart => Rule::Apart(vms),
            kind => Rule::Hosts { vms, hosts: hosts(), on: kind == RuleKind::On, must: rule.must },
        }
    }

    /// The names of all hosts.
    pub fn host_names(&self) -> Vec<String> {
        let each = self.hosts.iter().flat_map(|group| {
            (0..group.hosts()).map(|number| numbered(&group.name, group.count, number))
        });
        each.collect()
    }

    /// The names of all VMs.
    pub fn vm_names(&self) -> Vec<String> {
        let each = self.vms.iter().flat_map(|group| {
            (0..group.vms()).map(|number| numbered(&group.name, group.count, number))
        });
        each.collect()
    }

    /// The group of each VM.
    fn groups(&self) -> Vec<usize> {
        let each = self.vms.iter().enumerate();
        each.flat_map(|(index, group)| std::iter::repeat_n(index, group.vms() as usize)).collect()
    }
}

/// The members of some groups, by their place in all; rising.
fn members(wanted: &[usize], counts: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    for (index, count) in counts.enumerate() {
        let to = from + count as usize;
        if wanted.contains(&index) {
            found.extend(from..to);
        }
        from = to;
    }
    found
}
