//! `card` and `instance` of a `[[vm]]`: the card of the host for each of its GPUs, and the memory
//! slice at which a GPU instance starts. Without them placement decides.
//!
//! If one VM on cards of a model states its card, all must: each card is then placed separately, as
//! on a host with only this card.

use super::machine::Machine;
use crate::config::catalogue::entries::CARDS_MAX;
use crate::config::text::{Reader, Spot, Value};
use crate::spec::MigProfile;

/// The places of the GPUs of a VM, one entry for each, those of all copies one after the other.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Pins {
    pub(super) cards: Vec<u32>,
    /// The first memory slice of each GPU instance; none where placement decides.
    pub(super) starts: Vec<u32>,
    pub(super) spot: Spot,
}

/// Reads the keys of a VM with `gpus` GPUs, all copies together. A GPU instance has this profile; a
/// whole card has one owner.
pub(crate) fn read(
    table: &mut Reader<'_>,
    gpus: u32,
    machine: Option<&Machine>,
    (profile, is_whole): (Option<&MigProfile>, bool),
) -> Option<Option<Pins>> {
    let (card, instance) = (table.get("card"), table.get("instance"));
    let Some(card) = card else {
        if let Some(value) = instance {
            let diagnostic = value.wrong("needs `card`");
            value.report(diagnostic.help("state its card, such as card = 0"));
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
            value.report(diagnostic.help("drop it: only GPU instances have a place on a card"));
            None
        }
        (Some(value), Some(profile)) => one_or_each(&value, gpus, |value| start_of(value, profile)),
    };
    Some(Some(Pins { cards: cards?, starts: starts?, spot: card.spot() }))
}

/// The cards that `card` names, each of them a card of the machine.
pub(crate) fn cards(value: &Value<'_>, machine: &Machine) -> Option<Vec<u32>> {
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
        let title = format!("is {start}, where no {} can start", profile.name);
        value.report(value.wrong(title).allowed(format!("memory slices {}", starts.join(", "))));
        return None;
    }
    Some(start)
}

impl Pins {
    /// The places of the copy with this number, from 1, which has `gpus` GPUs.
    pub(crate) fn of_copy(&self, number: u32, gpus: u32) -> Pins {
        let (from, gpus) = ((number - 1) as usize * gpus as usize, gpus as usize);
        let part = |all: &[u32]| all.get(from..from + gpus).map(<[u32]>::to_vec);
        Pins {
            cards: part(&self.cards).expect("a card for each GPU"),
            starts: part(&self.starts).unwrap_or_default(),
            spot: self.spot.clone(),
        }
    }

    /// The first memory slice of each GPU instance, nothing where placement decides.
    pub(crate) fn starts(&self, gpus: u32) -> Vec<Option<u32>> {
        (0..gpus as usize).map(|index| self.starts.get(index).copied()).collect()
    }

    /// The places that are on these cards.
    pub(crate) fn on(&self, cards: &[u32]) -> Pins {
        let mine = |index: &usize| cards.contains(&self.cards[*index]);
        let starts = (0..self.starts.len()).filter(mine).map(|index| self.starts[index]);
        let on = self.cards.iter().copied().filter(|card| cards.contains(card));
        Pins { cards: on.collect(), starts: starts.collect(), spot: self.spot.clone() }
    }

    /// The card of each GPU.
    pub(crate) fn cards(&self) -> &[u32] {
        &self.cards
    }
}
