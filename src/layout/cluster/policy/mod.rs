//! How one host is chosen among those that can take a VM, and its cards. One file per policy.
//!
//! `vsphere` is what this project assumes of vSphere; the others are for comparison and are not
//! vSphere's. Scores are from 0 to 100, the highest wins, of equals the first host.

mod best_fit;
mod dot_product;
mod fgd;
mod first_fit;
mod gpu_clustering;
mod gpu_packing;
mod random;
mod vsphere;

use super::seats::{Seat, seats};
use super::{Cluster, Site};
use crate::layout::placement::Assignment;

/// Chooses a host and its cards.
pub trait Policy {
    /// How good a host is for a VM; the highest wins.
    fn score(&mut self, at: &Site<'_, '_>) -> f64;

    /// The cards of the chosen host: the fullest that have room, unless the policy says otherwise.
    fn seats(&mut self, at: &Site<'_, '_>) -> Vec<Seat> {
        seats_by(at, Assignment::Consolidate)
    }

    /// Whether a host that is as good as those before it is taken instead; it is the one of this
    /// number among them.
    fn takes_later(&mut self, number: u32) -> bool {
        let _ = number;
        false
    }
}

/// A policy with its name.
#[derive(Clone, Copy, Debug)]
pub struct PolicyEntry {
    /// The name in files and on the command line.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Whether it is vSphere's, as far as that is published.
    pub is_vsphere: bool,
    /// Makes it for a cluster; a seed for those that draw.
    pub make: fn(&Cluster<'_>, u64) -> Box<dyn Policy>,
}

/// Every policy; the first is the default.
pub const POLICIES: [PolicyEntry; 8] = [
    PolicyEntry {
        name: "vsphere",
        about: "the host whose fuller of CPU and memory is least full, then the card by the assignment of the host",
        is_vsphere: true,
        make: |_, _| Box::new(vsphere::Vsphere),
    },
    PolicyEntry {
        name: "first-fit",
        about: "the first host with room, and its fullest card",
        is_vsphere: false,
        make: |_, _| Box::new(first_fit::FirstFit),
    },
    PolicyEntry {
        name: "best-fit",
        about: "the host with the least CPU and frame buffer left",
        is_vsphere: false,
        make: |cluster, _| Box::new(best_fit::BestFit::of(cluster)),
    },
    PolicyEntry {
        name: "fgd",
        about: "the host and card where free frame buffer is fragmented least (Fragmentation Gradient Descent, ATC 2023)",
        is_vsphere: false,
        make: |cluster, _| Box::new(fgd::Fgd::of(cluster)),
    },
    PolicyEntry {
        name: "dot-product",
        about: "the host and card whose free CPU and frame buffer have the least dot product with the request",
        is_vsphere: false,
        make: |cluster, _| Box::new(dot_product::DotProduct::of(cluster)),
    },
    PolicyEntry {
        name: "gpu-packing",
        about: "cards in use before free cards, and hosts in use before free hosts",
        is_vsphere: false,
        make: |_, _| Box::new(gpu_packing::GpuPacking),
    },
    PolicyEntry {
        name: "gpu-clustering",
        about: "hosts that have VMs of the same request before others",
        is_vsphere: false,
        make: |cluster, _| Box::new(gpu_clustering::GpuClustering::of(cluster)),
    },
    PolicyEntry {
        name: "random",
        about: "any host with room, and any card of it",
        is_vsphere: false,
        make: |_, seed| Box::new(random::Random::of(seed)),
    },
];

/// The places that an assignment gives on a host that has room.
fn seats_by(at: &Site<'_, '_>, assignment: Assignment) -> Vec<Seat> {
    let Some(gpus) = &at.kind().gpus else { return Vec::new() };
    let found = seats(&at.host().cards, &at.cluster.models, gpus, assignment);
    found.expect("the host has room")
}

/// One place on each card that has room, for a VM with one GPU; else the places of all its GPUs.
fn options(at: &Site<'_, '_>) -> Vec<Vec<Seat>> {
    let Some(gpus) = &at.kind().gpus else { return vec![Vec::new()] };
    if gpus.count > 1 || gpus.is_group {
        return vec![seats_by(at, Assignment::Consolidate)];
    }
    let cards = at.host().cards.iter().enumerate();
    let open =
        cards.filter(|(_, card)| super::seats::suits(card, gpus)).filter_map(|(index, card)| {
            let start = card.room(&at.cluster.models[card.model], gpus.ask).start()?;
            Some(vec![Seat { card: index, start }])
        });
    open.collect()
}

/// The most CPU and the most frame buffer of a host.
fn largest(cluster: &Cluster<'_>) -> [f64; 2] {
    let cpu = cluster.hosts.iter().map(|host| host.cpu).max();
    let frame_buffer = cluster.hosts.iter().map(|host| {
        host.cards.iter().map(|card| cluster.models[card.model].memory.get()).sum::<u64>()
    });
    let most = |value: Option<u64>| value.unwrap_or(0).max(1) as f64;
    [most(cpu), most(frame_buffer.max())]
}

/// CPU that can still be reserved, and free frame buffer of a host.
fn left(at: &Site<'_, '_>) -> [f64; 2] {
    let host = at.host();
    let cpu = host.cpu - host.used().cpu;
    [cpu as f64, at.free() as f64]
}

/// What a VM asks for, in the same units.
fn wanted(at: &Site<'_, '_>) -> [f64; 2] {
    let kind = at.kind();
    let frame_buffer = kind.gpus.as_ref().map_or(0, |gpus| {
        let cards = at.host().cards.iter();
        let card = cards.into_iter().find(|card| super::seats::suits(card, gpus));
        let each =
            card.map_or(0, |card| at.cluster.models[card.model].frame_buffer(gpus.ask).get());
        each * u64::from(gpus.count)
    });
    [kind.cpu as f64, frame_buffer as f64]
}
