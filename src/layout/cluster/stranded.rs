//! Free frame buffer that a kind of VM cannot use, by cause; and how many more of it there is room for.
//!
//! By the definition of FGD (ATC 2023) with "this card cannot take the type now" in the place of
//! "less is free than the share": what is free on cards that cannot take it is a fragment, and all
//! that is free on a host that cannot.

use super::seats::{count, suits};
use super::verdict::of_reservations;
use super::{Cluster, Obstacle, Reason};
use crate::units::Bytes;
use std::collections::BTreeMap;

/// Why free frame buffer cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// The host is kept free for a failure.
    Reserve,
    /// The host has no logical processors left to reserve, or fewer than the VM has vCPUs.
    Cpu,
    /// The host has no memory left.
    Memory,
    /// The card is of another model.
    Model,
    /// The card is used in another mode.
    Mode,
    /// The card is locked to vGPUs of another frame buffer.
    Lock,
    /// No placement id or position is free.
    Alignment,
    /// Too few compute slices are free.
    Compute,
    /// Less is free on the card than the VM needs of it.
    Remainder,
    /// The host has too few free cards, or no such group of them.
    Shape,
    /// The placement ids of the type are not published.
    NotPublished,
}

impl Cause {
    /// Its name in files.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Reserve => "reserve",
            Cause::Cpu => "cpu",
            Cause::Memory => "memory",
            Cause::Model => "other-model",
            Cause::Mode => "other-mode",
            Cause::Lock => "lock",
            Cause::Alignment => "alignment",
            Cause::Compute => "compute",
            Cause::Remainder => "remainder",
            Cause::Shape => "group-shape",
            Cause::NotPublished => "not-published",
        }
    }
}

/// What of the free frame buffer a kind of VM cannot use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranded {
    /// All that is free.
    pub free: Bytes,
    /// How many more VMs of the kind there is room for, one after the other.
    pub vms: u32,
    /// The frame buffer that these would have.
    pub placeable: Bytes,
    /// What no VM of the kind can use now, by cause.
    pub causes: BTreeMap<Cause, Bytes>,
}

/// What the free frame buffer is worth for a kind of VM; nothing for one without GPUs.
pub fn stranded(cluster: &mut Cluster<'_>, kind: usize) -> Option<Stranded> {
    let gpus = cluster.kinds[kind].gpus.clone()?;
    let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
    let mut free = 0;
    for host in 0..cluster.hosts.len() {
        let reason = cluster.reason(host, kind);
        let of = &cluster.hosts[host];
        let whole = match reason {
            Some(Reason::Failover) => Some(Cause::Reserve),
            Some(Reason::Vcpus | Reason::Cpu) => Some(Cause::Cpu),
            Some(Reason::Memory) => Some(Cause::Memory),
            _ => None,
        };
        for card in &of.cards {
            let model = &cluster.models[card.model];
            let own = card.free(model).get();
            free += own;
            let cause = whole.or_else(|| {
                if !suits(card, &gpus) {
                    return Some(Cause::Model);
                }
                let is_short = matches!(reason, Some(Reason::Devices | Reason::Group));
                let obstacle = card.room(model, gpus.ask).obstacle();
                obstacle.map(of_obstacle).or(is_short.then_some(Cause::Shape))
            });
            if let Some(cause) = cause.filter(|_| own > 0) {
                *causes.entry(cause).or_default() += own;
            }
        }
    }
    let (vms, placeable) = placeable(cluster, kind);
    let causes = causes.into_iter().map(|(cause, bytes)| (cause, Bytes::new(bytes))).collect();
    Some(Stranded { free: Bytes::new(free), vms, placeable, causes })
}

fn of_obstacle(obstacle: Obstacle) -> Cause {
    match obstacle {
        Obstacle::Mode(_) => Cause::Mode,
        Obstacle::Locked(_) => Cause::Lock,
        Obstacle::Alignment => Cause::Alignment,
        Obstacle::Compute => Cause::Compute,
        Obstacle::Full => Cause::Remainder,
        Obstacle::NotPublished => Cause::NotPublished,
    }
}

/// How many more VMs of a kind there is room for if they come one after the other, cards filled in
/// turn; and the frame buffer of them.
pub fn placeable(cluster: &Cluster<'_>, kind: usize) -> (u32, Bytes) {
    let of = &cluster.kinds[kind];
    let Some(gpus) = &of.gpus else { return (0, Bytes::ZERO) };
    let (mut vms, mut bytes) = (0, 0);
    for host in cluster.hosts.iter().filter(|host| !host.is_failover) {
        if of_reservations(host, of).is_some() {
            continue;
        }
        let used = host.used();
        let whole = |left: u64, each: u64| left.checked_div(each).unwrap_or(u64::from(u32::MAX));
        let cpu = whole(host.cpu - used.cpu, of.cpu);
        let memory = whole(host.memory.get() - used.memory.get(), of.memory.get());
        let most = cpu.min(memory).min(u64::from(u32::MAX)) as u32;
        let fit = count(&host.cards, &cluster.models, gpus, most);
        vms += fit;
        let model = host.cards.iter().find(|card| suits(card, gpus));
        let each = model.map_or(0, |card| cluster.models[card.model].frame_buffer(gpus.ask).get());
        bytes += u64::from(fit) * u64::from(gpus.count) * each;
    }
    (vms, Bytes::new(bytes))
}
