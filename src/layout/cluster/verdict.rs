//! Why a host cannot take a VM: the first of the reasons in vSphere's order, and all hosts summed up.

use super::seats::{count, seats, suits};
use super::{CardMode, Cluster, Gpus, Host, Kind, Obstacle};
use crate::units::Bytes;
use std::collections::BTreeMap;

/// The first reason that a host has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// It is kept free for VMs of a host that fails.
    Failover,
    /// A rule of affinity, by index.
    Rule(usize),
    /// The VM has more vCPUs than the host has logical processors.
    Vcpus,
    /// Its logical processors are reserved.
    Cpu,
    /// Its memory is reserved.
    Memory,
    /// It has no such GPU.
    Kind,
    /// No card of it has a place.
    NoRoom,
    /// It has places, but fewer than the VM has GPUs.
    Devices,
    /// It has enough free cards, but no such group of them.
    Group,
}

/// What keeps the cards of several hosts from taking a vGPU.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NoRoom {
    /// Cards by what they are used for, where that is another mode.
    pub modes: BTreeMap<CardMode, u32>,
    /// Cards by the frame buffer that they are locked to.
    pub locked: BTreeMap<Bytes, u32>,
    /// Cards that are full.
    pub full: u32,
    /// Cards with enough free frame buffer, but no free placement id or position.
    pub alignment: u32,
    /// Cards with free memory slices, but too few compute slices.
    pub compute: u32,
    /// Cards in mixed-size mode, where the ids of the type are not published.
    pub unpublished: u32,
}

/// Why no host can take a VM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// How many hosts have each reason first.
    pub hosts: BTreeMap<Reason, u32>,
    /// What the cards of those without room say.
    pub no_room: NoRoom,
    /// Free frame buffer of the cards that are of a model that would do.
    pub free: Bytes,
}

/// Why a host cannot take one more of a kind, rules apart.
pub(super) fn reason(cluster: &Cluster<'_>, host: usize, kind: usize) -> Option<Reason> {
    let (host, kind) = (&cluster.hosts[host], &cluster.kinds[kind]);
    if host.is_failover {
        return Some(Reason::Failover);
    }
    of_reservations(host, kind).or_else(|| of_gpus(cluster, host, kind.gpus.as_ref()?))
}

/// CPU and memory, which are looked at first.
pub(super) fn of_reservations(host: &Host, kind: &Kind) -> Option<Reason> {
    if kind.vcpus > host.processors {
        return Some(Reason::Vcpus);
    }
    if !host.has_cpu(kind) {
        return Some(Reason::Cpu);
    }
    (!host.has_memory(kind)).then_some(Reason::Memory)
}

fn of_gpus(cluster: &Cluster<'_>, host: &Host, gpus: &Gpus) -> Option<Reason> {
    let models = &cluster.models;
    if !host.cards.iter().any(|card| suits(card, gpus)) {
        return Some(Reason::Kind);
    }
    if seats(&host.cards, models, gpus, cluster.assignment).is_some() {
        return None;
    }
    let one = Gpus { count: 1, is_group: false, ..gpus.clone() };
    let there = count(&host.cards, models, &one, gpus.count);
    Some(match there {
        0 => Reason::NoRoom,
        _ if there < gpus.count => Reason::Devices,
        _ => Reason::Group,
    })
}

impl Cluster<'_> {
    /// Why no host takes a VM.
    pub(super) fn refused(&mut self, vm: usize) -> Refused {
        let kind = self.vms[vm];
        let mut refused =
            Refused { hosts: BTreeMap::new(), no_room: NoRoom::default(), free: Bytes::ZERO };
        for host in 0..self.hosts.len() {
            let broken = self.broken_rule(vm, host).map(Reason::Rule);
            let Some(reason) = self.reason(host, kind).or(broken) else { continue };
            *refused.hosts.entry(reason).or_default() += 1;
            let Some(gpus) = &self.kinds[kind].gpus else { continue };
            for card in self.hosts[host].cards.iter().filter(|card| suits(card, gpus)) {
                let model = &self.models[card.model];
                refused.free = refused.free + card.free(model);
                if reason == Reason::NoRoom
                    && let Some(obstacle) = card.room(model, gpus.ask).obstacle()
                {
                    refused.no_room.add(obstacle);
                }
            }
        }
        refused
    }
}

impl NoRoom {
    fn add(&mut self, obstacle: Obstacle) {
        match obstacle {
            Obstacle::Mode(mode) => *self.modes.entry(mode).or_default() += 1,
            Obstacle::Locked(size) => *self.locked.entry(size).or_default() += 1,
            Obstacle::Full => self.full += 1,
            Obstacle::Alignment => self.alignment += 1,
            Obstacle::Compute => self.compute += 1,
            Obstacle::NotPublished => self.unpublished += 1,
        }
    }
}
