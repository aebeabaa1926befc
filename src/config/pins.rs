//! `card` and `instance` of a `[[vm]]`: which card of the host its GPUs are on, and at which memory
//! slice of it a GPU instance begins. Without them placement decides.
//!
//! Where one VM on cards of a model says its card, all of them do: each card is then placed by itself, as
//! a host with this one card would be.

use super::cards;
use super::diagnostic::{Diagnostic, Problems, Spot};
use super::entries::CARDS_MAX;
use super::guest::Guest;
use super::machine::{Machine, Model};
use super::reader::Reader;
use super::value::Value;
use crate::gpu::placement::Place;
use crate::spec::MigProfile;
use crate::study;

/// Where the GPUs of a VM are, one entry for each, those of all copies one after the other.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pins {
    cards: Vec<u32>,
    /// The first memory slice of each GPU instance; none where placement decides.
    starts: Vec<u32>,
    spot: Spot,
}

/// Reads the keys of a VM with so many GPUs, of all its copies together. A GPU instance has this
/// profile; a card that is whole has one owner.
pub(super) fn read(
    table: &mut Reader<'_>,
    gpus: u32,
    machine: Option<&Machine>,
    (profile, is_whole): (Option<&MigProfile>, bool),
) -> Option<Option<Pins>> {
    let (card, instance) = (table.get("card"), table.get("instance"));
    let Some(card) = card else {
        if let Some(value) = instance {
            let diagnostic = value.wrong("stands without `card`");
            value.report(diagnostic.help("say which card it is a part of, such as card = 0"));
            return None;
        }
        return Some(None);
    };
    let cards = one_or_each(&card, gpus, |value| match machine {
        Some(machine) => card_of(value, machine),
        None => value.index(CARDS_MAX - 1, CARDS_MAX - 1, ", the cards of the host"),
    });
    let cards = cards.filter(|cards| !(is_whole && names_one_twice(&card, cards)));
    let starts = match (instance, profile) {
        (None, _) => Some(Vec::new()),
        (Some(value), None) => {
            let diagnostic = value.wrong("is for GPU instances (`mig`)");
            value
                .report(diagnostic.help("drop it: what is no GPU instance has no place on a card"));
            None
        }
        (Some(value), Some(profile)) => one_or_each(&value, gpus, |value| start_of(value, profile)),
    };
    Some(Some(Pins { cards: cards?, starts: starts?, spot: card.spot() }))
}

/// The cards that `card` names, each of them a card of the machine.
pub(super) fn cards(value: &Value<'_>, machine: &Machine) -> Option<Vec<u32>> {
    match value.is_array() {
        true => value.items(PINS_MAX)?.iter().map(|value| card_of(value, machine)).collect(),
        false => Some(vec![card_of(value, machine)?]),
    }
}

/// Reports a list that has a whole card more than once.
fn names_one_twice(value: &Value<'_>, cards: &[u32]) -> bool {
    let twice = cards.iter().enumerate().find(|(index, card)| cards[..*index].contains(card));
    if let Some((_, card)) = twice.filter(|_| value.is_array()) {
        let diagnostic = value.wrong(format!("names card {card} more than once"));
        value.report(diagnostic.help(
            "a whole card has one owner: name another for each, or share it with `process`, `vgpu` or `mig`",
        ));
        return true;
    }
    false
}

fn card_of(value: &Value<'_>, machine: &Machine) -> Option<u32> {
    value.index(machine.cards() - 1, CARDS_MAX - 1, ", the cards of the host")
}

/// Most entries of a list, one for each GPU of a VM and its copies.
const PINS_MAX: usize = 4096;

/// A number for all, or a list with one for each.
fn one_or_each(
    value: &Value<'_>,
    gpus: u32,
    read: impl Fn(&Value<'_>) -> Option<u32>,
) -> Option<Vec<u32>> {
    if !value.is_array() {
        return Some(vec![read(value)?; gpus as usize]);
    }
    let items = value.items(PINS_MAX)?;
    if items.len() != gpus as usize {
        let diagnostic = value.wrong(format!("has {} entries", items.len()));
        value.report(
            diagnostic.allowed(format!("a number, or {gpus}, one for each GPU of the VMs")),
        );
        return None;
    }
    items.iter().map(read).collect()
}

/// The memory slice at which an instance begins.
fn start_of(value: &Value<'_>, profile: &MigProfile) -> Option<u32> {
    let start = value.count(0..=63, "")?;
    if !profile.starts.contains(&start) {
        let starts: Vec<String> = profile.starts.iter().map(u32::to_string).collect();
        let title = format!("is {start}, where no {} begins", profile.name);
        value.report(value.wrong(title).allowed(format!("memory slices {}", starts.join(", "))));
        return None;
    }
    Some(start)
}

impl Pins {
    /// Those of the copy with this number, from 1, which has so many GPUs.
    pub(super) fn of_copy(&self, number: u32, gpus: u32) -> Pins {
        let (from, gpus) = ((number - 1) as usize * gpus as usize, gpus as usize);
        let part = |all: &[u32]| all.get(from..from + gpus).map(<[u32]>::to_vec);
        Pins {
            cards: part(&self.cards).expect("a card for each GPU"),
            starts: part(&self.starts).unwrap_or_default(),
            spot: self.spot.clone(),
        }
    }

    /// The first memory slice of each GPU instance, nothing where placement decides.
    pub(super) fn starts(&self, gpus: u32) -> Vec<Option<u32>> {
        (0..gpus as usize).map(|index| self.starts.get(index).copied()).collect()
    }

    /// Those of its GPUs that are on some of the cards.
    pub(super) fn on(&self, cards: &[u32]) -> Pins {
        let mine = |index: &usize| cards.contains(&self.cards[*index]);
        let starts = (0..self.starts.len()).filter(mine).map(|index| self.starts[index]);
        let on = self.cards.iter().copied().filter(|card| cards.contains(card));
        Pins { cards: on.collect(), starts: starts.collect(), spot: self.spot.clone() }
    }

    /// The card of each GPU.
    pub(super) fn cards(&self) -> &[u32] {
        &self.cards
    }
}

/// Whether guests say where they are.
pub(super) fn are_there(guests: &[Guest]) -> bool {
    guests.iter().any(|guest| guest.pins.is_some())
}

/// A place for every GPU of every guest, in order; nothing when there is none for all.
pub(super) fn place(model: &Model, guests: &[Guest]) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut on_cards: Vec<std::vec::IntoIter<Place>> = Vec::new();
    for &card in &model.numbers {
        on_cards.push(cards::place_on(&model.card(card), &on_card(guests, card))?.into_iter());
    }
    for guest in guests {
        for card in &guest.pins.as_ref()?.cards {
            let card = model.numbers.iter().position(|number| number == card)?;
            let place = on_cards[card].next().expect("a place for each");
            places.push(Place { card, ..place });
        }
    }
    Some(places)
}

/// The guests of one card, with what they have of it.
fn on_card(guests: &[Guest], card: u32) -> Vec<Guest> {
    let part = |guest: &Guest| {
        let pins = guest.pins.as_ref()?.on(&[card]);
        let gpus = pins.cards.len() as u32;
        (gpus > 0).then(|| Guest { cards: gpus, pins: Some(pins), ..guest.clone() })
    };
    guests.iter().filter_map(part).collect()
}

/// Reports VMs without a card beside others with one, and cards that cannot hold what is on them.
pub(super) fn check(model: &Model, guests: &[Guest], is_only: bool, problems: &Problems) {
    if let Some(guest) = guests.iter().find(|guest| guest.pins.is_none()) {
        let title = "this VM does not say its `card`, and others do";
        let help = match is_only {
            true => "say the card of every VM, or of none".to_string(),
            false => {
                format!("say the card of every VM that is on {}, or of none", model.gpu.spec.id)
            }
        };
        problems.push(Diagnostic::at(&guest.spots.cards, title).help(help));
        return;
    }
    for &card in &model.numbers {
        let (one, mine) = (model.card(card), on_card(guests, card));
        if cards::place_on(&one, &mine).is_some() {
            continue;
        }
        let free = |guest: &Guest| {
            let pins = guest.pins.clone().map(|pins| Pins { starts: Vec::new(), ..pins });
            Guest { pins, ..guest.clone() }
        };
        let free: Vec<Guest> = mine.iter().map(free).collect();
        if cards::place_on(&one, &free).is_none() {
            cards::check_card(&one, &free, problems);
            continue;
        }
        let fits = |count: &usize| cards::place_on(&one, &mine[..*count]).is_some();
        let most = (0..mine.len()).rev().find(fits).unwrap_or(0);
        let title =
            format!("no room for this VM's GPU instances at their `instance` on GPU {card}");
        let spot = mine[most].pins.as_ref().map_or(&mine[most].spots.cards, |pins| &pins.spot);
        let diagnostic = Diagnostic::at(spot, title).of_limit(study::Obstacle::Placement);
        let help = "drop `instance` and they go where they fit; `slicewise mig place` draws where";
        problems.push(diagnostic.allowed("memory slices that nobody else has").help(help));
    }
}
