//! A cluster: hosts with cards, and VMs that are powered on one after the other.
//!
//! ```text
//!  VM ─► hosts that can take it ─► one of them ─► cards and places on it
//!        (`verdict`, `rules`)      (`policy`)     (`seats`, `card`)
//! ```
//!
//! Hosts are filtered as vSphere does it: reservations of CPU and memory, then the GPU: kind, mode
//! of the card, a free place of the type, number of devices, shape of a device group. Nothing is
//! moved once it is placed; what departs frees its place. Why nothing was found is kept by host
//! (`verdict`), and what cannot be used of the free frame buffer by cause (`stranded`).

mod balance;
mod card;
pub mod policy;
mod rules;
mod seats;
mod stranded;
mod verdict;

pub use balance::{Move, balancing_moves};
pub use card::{Card, CardMode, CardModel, Obstacle, Resident, Room};
pub use policy::{POLICIES, Policy, PolicyEntry};
pub use rules::Rule;
pub use seats::Seat;
pub use stranded::{Cause, Stranded, placeable, stranded};
pub use verdict::{NoRoom, Reason, Refused};

use super::placement::Assignment;
use crate::units::Bytes;

/// What is asked of one card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ask {
    /// All of it, passed through.
    Whole,
    /// A vGPU: index into the types of the card's model.
    Vgpu(usize),
    /// A GPU instance on bare metal: index into the profiles of the model.
    Instance(usize),
    /// So many thousandths, which any others may share: no vGPU, but the unit of published traces.
    Part(u32),
}

/// The GPUs that a VM asks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Gpus {
    /// The models that will do, by index; none for any.
    pub models: Vec<usize>,
    /// What it asks of each card.
    pub ask: Ask,
    /// How many of it.
    pub count: u32,
    /// Whether they are one device group: full cards of one NVLink group, aligned to its parts.
    pub is_group: bool,
}

/// VMs that are alike in all that placement looks at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Kind {
    /// vCPUs: no VM has more than its host has logical processors.
    pub vcpus: u32,
    /// Reserved CPU, in the unit of [`Host::cpu`].
    pub cpu: u64,
    /// Memory, all of it reserved.
    pub memory: Bytes,
    /// Its GPUs; none for a VM without.
    pub gpus: Option<Gpus>,
}

/// A host with its VMs.
#[derive(Clone, Debug)]
pub struct Host {
    /// Logical processors.
    pub processors: u32,
    /// CPU that can be reserved: kilohertz of all cores under vSphere, thousandths of processors in
    /// published traces.
    pub cpu: u64,
    /// Main memory.
    pub memory: Bytes,
    /// Whether it is kept free for VMs of a host that fails.
    pub is_failover: bool,
    /// Its cards.
    pub cards: Vec<Card>,
    /// What its VMs have together.
    used: Used,
    /// Counts its changes.
    version: u64,
}

/// What VMs of a host have together.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Used {
    /// VMs.
    pub vms: u32,
    /// vCPUs.
    pub vcpus: u64,
    /// Reserved CPU, in the unit of [`Host::cpu`].
    pub cpu: u64,
    /// Memory.
    pub memory: Bytes,
}

/// Where a VM is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Its host.
    pub host: usize,
    /// Its places on cards of the host.
    pub seats: Vec<Seat>,
}

/// Hosts, and the VMs of which some are on them.
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    /// Models of cards.
    pub models: Vec<CardModel<'a>>,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Kinds of VMs.
    pub kinds: Vec<Kind>,
    /// The kind of each VM.
    pub vms: Vec<usize>,
    /// Which card of a host an equal-size vGPU goes to.
    pub assignment: Assignment,
    /// Whether vSphere fills host after host with full cards (8.0 U2 and later, when told to).
    pub groups_full_cards: bool,
    /// Which hosts VMs may share.
    rules: Vec<Rule>,
    /// Members of each rule on each host.
    members: Vec<Vec<u32>>,
    /// The rules of each VM.
    rules_of: Vec<Vec<usize>>,
    placed: Vec<Option<Placed>>,
    /// By host and kind, the verdict and the version of the host that it is of.
    known: Vec<Vec<(u64, Option<Reason>)>>,
}

/// With more kinds verdicts are not kept: they would be asked for once each.
const KINDS_KEPT: usize = 1024;

impl Host {
    /// An empty one, of whose processors all can be reserved, in thousandths.
    pub fn new(processors: u32, memory: Bytes, cards: Vec<Card>) -> Self {
        let cpu = u64::from(processors) * 1000;
        Self {
            processors,
            cpu,
            memory,
            is_failover: false,
            cards,
            used: Used::default(),
            version: 1,
        }
    }

    /// What its VMs have together.
    pub fn used(&self) -> Used {
        self.used
    }

    /// Whether it has processors and memory for one more of a kind.
    pub fn has_cpu(&self, kind: &Kind) -> bool {
        self.used.cpu + kind.cpu <= self.cpu
    }

    /// Whether it has the memory for one more of a kind.
    pub fn has_memory(&self, kind: &Kind) -> bool {
        self.used.memory + kind.memory <= self.memory
    }
}

impl<'a> Cluster<'a> {
    /// An empty cluster; `vms` is the kind of each VM that may come.
    pub fn new(
        models: Vec<CardModel<'a>>,
        hosts: Vec<Host>,
        kinds: Vec<Kind>,
        vms: Vec<usize>,
        assignment: Assignment,
    ) -> Self {
        let (placed, rules_of) = (vec![None; vms.len()], vec![Vec::new(); vms.len()]);
        let kept = if kinds.len() <= KINDS_KEPT { kinds.len() } else { 0 };
        let known = vec![vec![(0, None); kept]; hosts.len()];
        let (rules, members) = (Vec::new(), Vec::new());
        let groups_full_cards = false;
        Self {
            models,
            hosts,
            kinds,
            vms,
            assignment,
            groups_full_cards,
            rules,
            members,
            rules_of,
            placed,
            known,
        }
    }

    /// The same with rules of affinity.
    pub fn with_rules(mut self, rules: Vec<Rule>) -> Self {
        self.members = vec![vec![0; self.hosts.len()]; rules.len()];
        for (index, rule) in rules.iter().enumerate() {
            rule.vms().iter().for_each(|vm| self.rules_of[*vm].push(index));
        }
        self.rules = rules;
        self
    }

    /// Where a VM is; nothing where it is off.
    pub fn place_of(&self, vm: usize) -> Option<&Placed> {
        self.placed[vm].as_ref()
    }

    /// The kind of a VM.
    pub fn kind_of(&self, vm: usize) -> &Kind {
        &self.kinds[self.vms[vm]]
    }

    /// The VMs that are on a host, in order.
    pub fn vms_on(&self, host: usize) -> impl Iterator<Item = usize> {
        let on = move |placed: &Option<Placed>| placed.as_ref().is_some_and(|one| one.host == host);
        self.placed.iter().enumerate().filter(move |(_, placed)| on(placed)).map(|(vm, _)| vm)
    }

    /// Powers a VM on: finds a host and places on it. Why there is none, where there is none.
    pub fn power_on(&mut self, vm: usize, policy: &mut dyn Policy) -> Option<Refused> {
        assert!(self.placed[vm].is_none(), "VM {vm} is on already");
        let kind = self.vms[vm];
        let mut hosts: Vec<usize> = Vec::new();
        for host in 0..self.hosts.len() {
            if self.reason(host, kind).is_none() && self.broken_rule(vm, host).is_none() {
                hosts.push(host);
            }
        }
        self.keep_wished(vm, &mut hosts);
        if hosts.is_empty() {
            return Some(self.refused(vm));
        }
        let mut best: Option<(f64, usize)> = None;
        let mut equals = 1;
        for host in hosts {
            let score = policy.score(&Site { cluster: self, host, kind });
            let is_better = match best {
                None => true,
                Some((other, _)) if score > other => true,
                Some((other, _)) if score < other => false,
                Some(_) => {
                    equals += 1;
                    if policy.takes_later(equals) {
                        best = Some((score, host));
                    }
                    continue;
                }
            };
            if is_better {
                (best, equals) = (Some((score, host)), 1);
            }
        }
        let (_, host) = best.expect("at least one host");
        let seats = policy.seats(&Site { cluster: self, host, kind });
        self.put(vm, Placed { host, seats });
        None
    }

    /// Puts a VM where it is told to be.
    pub fn put(&mut self, vm: usize, placed: Placed) {
        let kind = &self.kinds[self.vms[vm]];
        let host = &mut self.hosts[placed.host];
        if let Some(gpus) = &kind.gpus {
            for seat in &placed.seats {
                host.cards[seat.card].residents.push(Resident {
                    vm,
                    ask: gpus.ask,
                    start: seat.start,
                });
            }
        }
        let used = &mut host.used;
        *used = Used {
            vms: used.vms + 1,
            vcpus: used.vcpus + u64::from(kind.vcpus),
            cpu: used.cpu + kind.cpu,
            memory: used.memory + kind.memory,
        };
        host.version += 1;
        for rule in &self.rules_of[vm] {
            self.members[*rule][placed.host] += 1;
        }
        self.placed[vm] = Some(placed);
    }

    /// Powers a VM off, which frees its places; those of others stay as they are. Where it was.
    pub fn power_off(&mut self, vm: usize) -> Option<Placed> {
        let placed = self.placed[vm].take()?;
        let kind = &self.kinds[self.vms[vm]];
        let host = &mut self.hosts[placed.host];
        for seat in &placed.seats {
            host.cards[seat.card].residents.retain(|resident| resident.vm != vm);
        }
        let used = &mut host.used;
        *used = Used {
            vms: used.vms - 1,
            vcpus: used.vcpus - u64::from(kind.vcpus),
            cpu: used.cpu - kind.cpu,
            memory: Bytes::new(used.memory.get() - kind.memory.get()),
        };
        host.version += 1;
        for rule in &self.rules_of[vm] {
            self.members[*rule][placed.host] -= 1;
        }
        Some(placed)
    }

    /// Why a host cannot take one more of a kind; nothing when it can. Rules of VMs are apart.
    pub fn reason(&mut self, host: usize, kind: usize) -> Option<Reason> {
        let version = self.hosts[host].version;
        match self.known[host].get(kind) {
            Some((of, reason)) if *of == version => *reason,
            kept => {
                let is_kept = kept.is_some();
                let reason = verdict::reason(self, host, kind);
                if is_kept {
                    self.known[host][kind] = (version, reason);
                }
                reason
            }
        }
    }
}

/// A host that could take a VM of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Site<'c, 'a> {
    /// The cluster.
    pub cluster: &'c Cluster<'a>,
    /// The host.
    pub host: usize,
    /// The kind of the VM.
    pub kind: usize,
}

impl<'c> Site<'c, '_> {
    /// The host itself.
    pub fn host(&self) -> &'c Host {
        &self.cluster.hosts[self.host]
    }

    /// The kind itself.
    pub fn kind(&self) -> &'c Kind {
        &self.cluster.kinds[self.kind]
    }

    /// Whether each GPU of the VM is all of a card: passed through, or time-sliced.
    pub fn is_of_full_cards(&self) -> bool {
        let Some(gpus) = &self.kind().gpus else { return false };
        match gpus.ask {
            Ask::Whole => true,
            // The type is of one model.
            Ask::Vgpu(kind) => gpus.models.iter().any(|model| {
                let types = self.cluster.models[*model].types;
                let of = &types[kind];
                of.is_time_sliced() && types.iter().all(|one| one.frame_buffer <= of.frame_buffer)
            }),
            Ask::Instance(_) | Ask::Part(_) => false,
        }
    }

    /// Free frame buffer of the host's cards, in bytes.
    pub fn free(&self) -> u64 {
        let cards = self.host().cards.iter();
        cards.map(|card| card.free(&self.cluster.models[card.model]).get()).sum()
    }
}
