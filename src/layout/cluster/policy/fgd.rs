//! Fragmentation Gradient Descent (Weng et al., USENIX ATC 2023), on frame buffer.
//!
//! A host's fragmentation is the mean over the kinds of VMs, by how often they come, of the free
//! frame buffer that a VM of the kind cannot use: all of it on a host that cannot take one, else
//! that of the cards that cannot. A VM goes where it grows least.

use super::{Policy, options};
use crate::layout::cluster::card::Card;
use crate::layout::cluster::seats::{seats, suits};
use crate::layout::cluster::{Cluster, Kind, Resident, Seat, Site};
use crate::layout::placement::Assignment;
use crate::units::Bytes;

#[derive(Debug)]
pub(super) struct Fgd {
    /// How often each kind comes, by index; the sum is 1.
    popularity: Vec<(usize, f64)>,
    /// One card: what a change of fragmentation is counted in.
    card: f64,
    /// By host and kind: the version of the host, the score, the places.
    known: Vec<Vec<(u64, f64, Vec<Seat>)>>,
}

impl Fgd {
    pub(super) fn of(cluster: &Cluster<'_>) -> Self {
        let mut counts = vec![0u32; cluster.kinds.len()];
        cluster.vms.iter().for_each(|kind| counts[*kind] += 1);
        let all = cluster.vms.len().max(1) as f64;
        let shares = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let popularity = shares.map(|(kind, count)| (kind, f64::from(*count) / all)).collect();
        let card = cluster.models.iter().map(|model| model.memory.get()).max();
        let known = vec![Vec::new(); cluster.hosts.len()];
        Self { popularity, card: card.unwrap_or(1).max(1) as f64, known }
    }

    /// The fragmentation of a host with these cards, and so much of it used.
    fn fragments(&self, at: &Site<'_, '_>, cards: &[Card], used: (u64, Bytes)) -> f64 {
        let (host, models) = (at.host(), &at.cluster.models);
        let free: Vec<u64> =
            cards.iter().map(|card| card.free(&models[card.model]).get()).collect();
        let all: u64 = free.iter().sum();
        let unusable = |kind: &Kind| {
            let Some(gpus) = &kind.gpus else { return all };
            if used.0 + kind.cpu > host.cpu
                || used.1 + kind.memory > host.memory
                || kind.vcpus > host.processors
            {
                return all;
            }
            let has_room = |card: &Card| {
                suits(card, gpus) && card.room(&models[card.model], gpus.ask).start().is_some()
            };
            let with_room: Vec<bool> = cards.iter().map(has_room).collect();
            let open = with_room.iter().filter(|open| **open).count();
            let takes = match gpus.count {
                1 => open > 0,
                _ => seats(cards, models, gpus, Assignment::Consolidate).is_some(),
            };
            if !takes {
                return all;
            }
            free.iter().zip(with_room).filter(|(_, open)| !open).map(|(free, _)| free).sum()
        };
        let each = self.popularity.iter();
        each.map(|(kind, share)| share * unusable(&at.cluster.kinds[*kind]) as f64).sum()
    }

    fn best(&self, at: &Site<'_, '_>) -> (f64, Vec<Seat>) {
        let (host, kind) = (at.host(), at.kind());
        let used = host.used();
        let before = self.fragments(at, &host.cards, (used.cpu, used.memory));
        let with = (used.cpu + kind.cpu, used.memory + kind.memory);
        let mut cards = host.cards.clone();
        let mut best: Option<(f64, Vec<Seat>)> = None;
        for option in options(at) {
            for seat in &option {
                let ask = kind.gpus.as_ref().expect("it has places").ask;
                cards[seat.card].residents.push(Resident {
                    vm: usize::MAX,
                    ask,
                    start: seat.start,
                });
            }
            let after = self.fragments(at, &cards, with);
            for seat in &option {
                cards[seat.card].residents.pop();
            }
            let score = 100.0 / (1.0 + ((after - before) / self.card).exp());
            if best.as_ref().is_none_or(|(other, _)| score > *other) {
                best = Some((score, option));
            }
        }
        best.expect("the host has room")
    }

    fn known(&mut self, at: &Site<'_, '_>) -> &(u64, f64, Vec<Seat>) {
        let version = at.host().version;
        if self.known[at.host].is_empty() {
            self.known[at.host] = vec![(0, 0.0, Vec::new()); at.cluster.kinds.len()];
        }
        if self.known[at.host][at.kind].0 != version {
            let (score, seats) = self.best(at);
            self.known[at.host][at.kind] = (version, score, seats);
        }
        &self.known[at.host][at.kind]
    }
}

impl Policy for Fgd {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        self.known(at).1
    }

    fn seats(&mut self, at: &Site<'_, '_>) -> Vec<Seat> {
        self.known(at).2.clone()
    }
}
