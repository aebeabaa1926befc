//! Balancing of GPU load. It is hypothetical: vSphere's DRS places VMs with vGPUs and does not
//! balance them, and its score has no GPU in it.
//!
//! The load of a host is the part of its cards' frame buffer that VMs have. From the most loaded to
//! the least one VM at a time is moved, as long as that brings the two closer and the other end has
//! a free place of the same type: vMotion holds both while it copies.

use super::seats::seats;
use super::verdict::of_reservations;
use super::{Cluster, Placed};
use crate::units::Bytes;

/// A move that balancing would make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// The VM.
    pub vm: usize,
    /// Where it was.
    pub from: Placed,
    /// Where it would be.
    pub to: Placed,
    /// The frame buffer that both ends hold while it is copied, on top of what is in use.
    pub held: Bytes,
}

/// The moves, in order, `most` at most. The cluster is as it would be after them.
pub fn balancing_moves(cluster: &mut Cluster<'_>, most: usize) -> Vec<Move> {
    let mut moves = Vec::new();
    while moves.len() < most {
        let Some(next) = next_move(cluster) else { break };
        cluster.power_off(next.vm);
        cluster.put(next.vm, next.to.clone());
        moves.push(next);
    }
    moves
}

/// Used and all frame buffer of a host.
fn load(cluster: &Cluster<'_>, host: usize) -> (u64, u64) {
    let cards = cluster.hosts[host].cards.iter();
    cards.fold((0, 0), |(used, all), card| {
        let model = &cluster.models[card.model];
        let memory = model.memory.get();
        (used + memory - card.free(model).get(), all + memory)
    })
}

fn next_move(cluster: &Cluster<'_>) -> Option<Move> {
    let with_cards = |host: &usize| {
        let of = &cluster.hosts[*host];
        !of.cards.is_empty() && !of.is_failover
    };
    let hosts: Vec<usize> = (0..cluster.hosts.len()).filter(with_cards).collect();
    let loads: Vec<(u64, u64)> = hosts.iter().map(|host| load(cluster, *host)).collect();
    let share = |at: usize| loads[at].0 as f64 / loads[at].1 as f64;
    let mut order: Vec<usize> = (0..hosts.len()).collect();
    order.sort_by(|one, other| share(*other).total_cmp(&share(*one)).then(one.cmp(other)));
    let fullest = *order.first()?;
    let from = hosts[fullest];
    for &at in order.iter().rev().filter(|at| **at != fullest) {
        let to = hosts[at];
        let gap = share(fullest) - share(at);
        let mut best: Option<(f64, Move)> = None;
        for vm in cluster.vms_on(from) {
            let kind = cluster.kind_of(vm);
            let (Some(gpus), Some(placed)) = (&kind.gpus, cluster.place_of(vm)) else { continue };
            let model = &cluster.models[cluster.hosts[from].cards[placed.seats[0].card].model];
            let held = model.frame_buffer(gpus.ask).get() * u64::from(gpus.count);
            let left = (loads[fullest].0 - held) as f64 / loads[fullest].1 as f64;
            let come = (loads[at].0 + held) as f64 / loads[at].1 as f64;
            let after = (left - come).abs();
            if after >= gap - 1e-9 || best.as_ref().is_some_and(|(least, _)| after >= *least) {
                continue;
            }
            let host = &cluster.hosts[to];
            if of_reservations(host, kind).is_some() || cluster.broken_rule(vm, to).is_some() {
                continue;
            }
            let found = seats(&host.cards, &cluster.models, gpus, cluster.assignment);
            let Some(seats) = found else { continue };
            let to = Placed { host: to, seats };
            let held = Bytes::new(held);
            best = Some((after, Move { vm, from: placed.clone(), to, held }));
        }
        if let Some((_, found)) = best {
            return Some(found);
        }
    }
    None
}
