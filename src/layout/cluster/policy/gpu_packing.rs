//! GPU packing: cards in use before free cards, and hosts in use before free hosts.

use super::{Policy, seats_by};
use crate::layout::cluster::Site;
use crate::layout::placement::Assignment;

#[derive(Debug)]
pub(super) struct GpuPacking;

impl Policy for GpuPacking {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        if at.kind().gpus.is_none() {
            return 0.0;
        }
        let (cards, models) = (&at.host().cards, &at.cluster.models);
        let free = cards.iter().filter(|card| card.residents.is_empty()).count();
        if free == cards.len() {
            return (33 - free.min(33)).max(free) as f64;
        }
        let seats = seats_by(at, Assignment::Consolidate);
        let fresh = seats.iter().filter(|seat| cards[seat.card].residents.is_empty()).count();
        if fresh > 0 {
            return (50 - fresh.min(50)).max(33) as f64;
        }
        let free = |seat: &super::Seat| {
            let card = &cards[seat.card];
            let model = &models[card.model];
            (card.free(model).get() * 100 / model.memory.get().max(1)) as usize
        };
        let free: usize = seats.iter().map(free).sum();
        (100 - (free / 10).min(100)).max(50) as f64
    }
}
