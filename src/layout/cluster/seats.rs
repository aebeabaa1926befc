//! The cards of a host that a VM goes to, and its place on each.
//!
//! In equal-size mode the host's assignment policy decides (spread or group). In mixed-size mode
//! and with GPU instances it is ignored: the place that leaves most open, and card after card.

use super::{Ask, Card, CardModel, Gpus, Resident};
use crate::layout::placement::Assignment;
use std::cmp::Reverse;

/// A place on a card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seat {
    /// The card, from 0 on each host.
    pub card: usize,
    /// Its placement id or first memory slice, else 0.
    pub start: u32,
}

/// A VM that is only tried.
const TRIED: usize = usize::MAX;

/// Whether a card is of a model that will do.
pub(super) fn suits(card: &Card, gpus: &Gpus) -> bool {
    gpus.models.is_empty() || gpus.models.contains(&card.model)
}

/// Places for all GPUs of a VM; nothing when there are too few.
pub(super) fn seats(
    cards: &[Card],
    models: &[CardModel<'_>],
    gpus: &Gpus,
    assignment: Assignment,
) -> Option<Vec<Seat>> {
    if gpus.is_group {
        return group(cards, gpus);
    }
    if gpus.count == 1 {
        return Some(vec![next(cards, models, gpus, assignment)?]);
    }
    let mut tried = cards.to_vec();
    let mut found = Vec::new();
    for _ in 0..gpus.count {
        let seat = next(&tried, models, gpus, assignment)?;
        let (ask, start) = (gpus.ask, seat.start);
        tried[seat.card].residents.push(Resident { vm: TRIED, ask, start });
        found.push(seat);
    }
    Some(found)
}

/// How many VMs of this kind have places beside each other, `most` at most.
pub(super) fn count(cards: &[Card], models: &[CardModel<'_>], gpus: &Gpus, most: u32) -> u32 {
    let mut tried = cards.to_vec();
    for fit in 0..most {
        let Some(found) = seats(&tried, models, gpus, Assignment::Consolidate) else { return fit };
        for Seat { card, start } in found {
            tried[card].residents.push(Resident { vm: TRIED, ask: gpus.ask, start });
        }
    }
    most
}

/// The place of one more.
fn next(
    cards: &[Card],
    models: &[CardModel<'_>],
    gpus: &Gpus,
    assignment: Assignment,
) -> Option<Seat> {
    let open = cards.iter().enumerate().filter(|(_, card)| suits(card, gpus));
    let open = open.filter_map(|(at, card)| {
        let model = &models[card.model];
        let start = card.room(model, gpus.ask).start()?;
        Some((rank(card, model, gpus.ask, start, assignment), Seat { card: at, start }))
    });
    open.min_by_key(|(rank, seat)| (*rank, seat.card)).map(|(_, seat)| seat)
}

/// What is least on the card that is taken.
fn rank(
    card: &Card,
    model: &CardModel<'_>,
    ask: Ask,
    start: u32,
    assignment: Assignment,
) -> (u64, Reverse<u64>) {
    let owners = card.residents.len() as u64;
    match ask {
        Ask::Whole => (0, Reverse(0)),
        // The fullest that has room.
        Ask::Part(_) => (card.free(model).get(), Reverse(0)),
        Ask::Vgpu(kind) if model.profile_of(ask).is_none() => {
            let is_placed = card.is_mixed && model.types[kind].mixed_size.placements().is_some();
            match (is_placed, assignment) {
                (true, _) => (card.blocks(model, ask, start) as u64, Reverse(owners)),
                (false, Assignment::Spread) => (owners, Reverse(0)),
                (false, Assignment::Consolidate) => (0, Reverse(owners)),
            }
        }
        Ask::Vgpu(_) | Ask::Instance(_) => (card.free(model).get(), Reverse(0)),
    }
}

/// Full cards of one NVLink group, aligned to the parts that it is partitioned into: 8, 4, 2, 1 of
/// eight. Of several the one whose neighbours are least free, so that large parts stay whole.
fn group(cards: &[Card], gpus: &Gpus) -> Option<Vec<Seat>> {
    let size = gpus.count as usize;
    let mut groups: Vec<u32> = cards.iter().filter_map(|card| card.nvlink).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut best: Option<(usize, Vec<usize>)> = None;
    for nvlink in groups {
        let of_group =
            |(_, card): &(usize, &Card)| card.nvlink == Some(nvlink) && suits(card, gpus);
        let own: Vec<usize> = cards.iter().enumerate().filter(of_group).map(|(at, _)| at).collect();
        let free = |at: &usize| cards[*at].residents.is_empty();
        for (number, part) in own.chunks_exact(size).enumerate() {
            if !part.iter().all(free) {
                continue;
            }
            // Free cards in every larger part around it.
            let mut around = 0;
            let mut larger = size * 2;
            while larger <= own.len() {
                let from = number * size / larger * larger;
                around +=
                    own[from..(from + larger).min(own.len())].iter().filter(|at| free(at)).count();
                larger *= 2;
            }
            if best.as_ref().is_none_or(|(least, _)| around < *least) {
                best = Some((around, part.to_vec()));
            }
        }
    }
    let (_, part) = best?;
    Some(part.into_iter().map(|card| Seat { card, start: 0 }).collect())
}
