//! Assigns cards to guests: makes copies, replaces `largest` by a type, places everything.
//!
//! Places are found in `layout::placement`, and in `layout::fit` for vGPUs that share a card or a
//! GPU instance (`seats`); the messages when they do not fit are in `obstacles`.

use super::guest::Guest;
use super::holding::{Holding, Process};
use super::machine::{Machine, Model};
use super::sharing_keys::Sharing;
use super::{processes, seats};
use crate::layout::placement::{Cards, Claim, Place};
use crate::spec::{
    Arrivals, CardSpec, GpuId, GpuShare, GpuSpec, HostId, InstanceSharing, InstanceSpec,
    LengthPair, LlmSpec, LoadSpec, MigProfile, VgpuType, VmSpec,
};
use crate::units::Share;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every VM by itself: copies are named and numbered, `largest` is replaced by a type.
pub(crate) fn expand(machine: &Machine, guests: &[Guest]) -> Vec<Guest> {
    let copies = guests.iter().flat_map(|guest| match guest.copies {
        None => vec![guest.clone()],
        Some(copies) => {
            // What is of all copies together is not copied with each.
            let one = Guest { copies: None, models: Vec::new(), pins: None, ..guest.clone() };
            (1..=copies).map(|number| numbered(&one, guest, number, copies)).collect()
        }
    });
    let mut all: Vec<Guest> = copies.collect();
    for (index, model) in machine.models.iter().enumerate() {
        let is_open = |guest: &Guest| matches!(guest.holding, Holding::Largest(_));
        let mut mine = on_model(machine, &all, index);
        if mine.iter().any(is_open) {
            choose_largest(model, &mut mine);
            let there = all.iter_mut().filter(|guest| guest.models.contains(&index));
            there.zip(mine).for_each(|(guest, found)| guest.holding = found.holding);
        }
    }
    all
}

/// The guests that have cards of a model, with what they have of them.
pub(super) fn on_model(machine: &Machine, guests: &[Guest], index: usize) -> Vec<Guest> {
    let part = |guest: &Guest| {
        let count = guest.models.iter().filter(|model| **model == index).count();
        if count == guest.models.len() {
            return Some(guest.clone());
        }
        let pins = guest.pins.as_ref().map(|pins| pins.on(&machine.models[index].numbers));
        let models = vec![index; count];
        (count > 0).then(|| Guest { cards: count as u32, models, pins, ..guest.clone() })
    };
    guests.iter().filter_map(part).collect()
}

/// Copy `number` of `guest`, made from `one`.
fn numbered(one: &Guest, guest: &Guest, number: u32, copies: u32) -> Guest {
    let mut copy = one.clone();
    copy.vm.name = format!("{}-{number}", guest.vm.name);
    copy.pins = guest.pins.as_ref().map(|pins| pins.of_copy(number, guest.cards));
    let own = guest.models.chunks(guest.cards as usize).nth(number as usize - 1);
    copy.models = own.expect("models of each copy").to_vec();
    let others = copy.others.iter_mut().map(|other| {
        other.vm.name = copy.vm.name.clone();
        &mut other.vm
    });
    let others: Vec<&mut VmSpec> = others.collect();
    for vm in std::iter::once(&mut copy.vm).chain(others) {
        if let (Some(llm), Arrivals::Trace(_)) = (&mut vm.llm, &vm.load.arrivals) {
            deal_lengths(Arc::make_mut(llm), number, copies);
        }
        deal_trace(&mut vm.load, number, copies);
    }
    copy
}

/// A recorded load is dealt to copies.
pub(super) fn deal_trace(load: &mut LoadSpec, number: u32, copies: u32) {
    let Arrivals::Trace(trace) = &load.arrivals else { return };
    let part = super::trace::deal(trace, number, copies);
    let settings = &mut load.settings;
    settings.target_qps *= part.rate() / trace.rate();
    settings.min_query_count = part.arrivals.len() as u64;
    load.arrivals = Arrivals::Trace(Arc::new(part));
}

/// Recorded lengths go with the arrivals that they were recorded with.
fn deal_lengths(llm: &mut LlmSpec, number: u32, copies: u32) {
    let LengthPair::Recorded(recorded) = &llm.lengths else { return };
    let part = recorded.iter().skip(number as usize - 1).step_by(copies as usize);
    llm.lengths = LengthPair::Recorded(Arc::new(part.copied().collect()));
}

/// Makes a type of each `largest`, all of a kind alike; the smallest when none leaves room for all.
/// Whether all VMs fit.
fn choose_largest(model: &Model, guests: &mut [Guest]) -> bool {
    let open = guests.iter().find_map(|guest| match guest.holding {
        Holding::Largest(kind) => Some(kind),
        _ => None,
    });
    let Some(kind) = open else { return place_on(model, guests).is_some() };
    let candidates = kind.candidates(&model.gpu.spec);
    // When none fits, what is said is said of the one of which a card takes most.
    let most = |candidate: &Holding| match candidate {
        Holding::Sliced(vgpu) => vgpu.max_per_gpu,
        Holding::Instance(profile, _) => profile.max_per_gpu,
        _ => 1,
    };
    let last = candidates.iter().enumerate().max_by_key(|(_, candidate)| most(candidate));
    let last = last.map_or(0, |(index, _)| index);
    for (index, candidate) in candidates.into_iter().enumerate() {
        let mut tried = guests.to_vec();
        let alike = tried.iter_mut().filter(|guest| guest.holding == Holding::Largest(kind));
        alike.for_each(|guest| guest.holding = candidate.clone());
        let fits = choose_largest(model, &mut tried);
        if fits || index == last {
            guests.clone_from_slice(&tried);
            return fits;
        }
    }
    false
}

/// A place for every holding of every guest, in order; nothing when there is none for all. Each
/// model is placed by itself: a VM is not moved from one model to another.
pub(crate) fn place(machine: &Machine, guests: &[Guest]) -> Option<Vec<Place>> {
    let mut on_models = Vec::new();
    for (index, model) in machine.models.iter().enumerate() {
        let places = place_on(model, &on_model(machine, guests, index))?.into_iter();
        on_models.push(places.map(|place| {
            let number = model.numbers[place.card];
            Place { card: number as usize, ..place }
        }));
    }
    let models = guests.iter().flat_map(|guest| &guest.models);
    Some(models.map(|model| on_models[*model].next().expect("a place for each")).collect())
}

/// The same of cards of one model, which are counted from 0.
pub(crate) fn place_on(model: &Model, guests: &[Guest]) -> Option<Vec<Place>> {
    if model.only.is_none() && are_pinned(guests) {
        return place_pinned(model, guests);
    }
    if guests.iter().any(Guest::is_process) {
        return processes::place(model, cards_of(model), guests);
    }
    if seats::are_needed(model, guests) {
        return seats::place(model, guests);
    }
    let starts: Vec<Option<u32>> = guests.iter().flat_map(Guest::starts).collect();
    cards_of(model).place_at(model.sharing.assignment, &claims(model, guests), &starts)
}

pub(super) fn cards_of(model: &Model) -> Cards<'_> {
    Cards { count: model.cards() as usize, profiles: &model.gpu.spec.mig_profiles }
}

pub(super) fn claims(model: &Model, guests: &[Guest]) -> Vec<Claim> {
    let of_guest = |guest: &Guest| {
        let claim = guest.holding.claim(&model.gpu.spec);
        std::iter::repeat_n(claim, guest.cards as usize)
    };
    guests.iter().flat_map(of_guest).collect()
}

/// The cards of the machine as these guests cut them, and what each guest has of them.
pub(crate) fn deal(machine: &Machine, guests: &[Guest]) -> (Vec<CardSpec>, Vec<Vec<GpuShare>>) {
    let uncut = |card: u32| CardSpec {
        host: HostId::default(),
        gpu: machine.gpu_of(card).clone(),
        instances: Vec::new(),
        power_limit: machine.power_limit_of(card),
        link: machine.link_of(card),
    };
    let mut cards: Vec<CardSpec> = (0..machine.cards()).map(uncut).collect();
    let sharing = &machine.sharing;
    // Without a placement an error was reported, and nothing of this is ever run.
    let mut places = place(machine, guests).unwrap_or_default().into_iter();
    let mut shares = Vec::new();
    let mut shared = BTreeMap::new();
    let slots = seats::slots(guests, places.as_slice());
    for guest in guests {
        let places = places.by_ref().take(guest.cards as usize);
        let own = places.map(|place| GpuShare {
            card: GpuId(place.card as u16),
            instance: match &guest.holding {
                Holding::Process(process) => *shared
                    .entry((place.card, place.start))
                    .or_insert_with(|| shared_instance(&mut cards[place.card], sharing, process)),
                Holding::Instance(profile, Some(vgpu)) if vgpu.shares_instance() => {
                    *shared.entry((place.card, place.start)).or_insert_with(|| {
                        instance_in_turns(&mut cards[place.card], sharing, profile, vgpu)
                    })
                }
                holding => {
                    let slots = slots.get(&place.card).copied();
                    instance_on(&mut cards[place.card], sharing, holding, slots)
                }
            },
            vgpu_type: guest.holding.vgpu_type(),
            pods: guest.pods_on(machine.gpu_of(place.card as u32)),
            sm_limit: match &guest.holding {
                Holding::Process(process) => process.sm_limit(machine.gpu_of(place.card as u32)),
                _ => Share::WHOLE,
            },
        });
        shares.push(own.collect());
    }
    for card in cards.iter_mut().filter(|card| card.instances.is_empty()) {
        *card = card.uncut();
    }
    (cards, shares)
}

/// The instance of a card that the holding is, or joins; time-sliced vGPUs take turns in so many
/// slots.
fn instance_on(
    card: &mut CardSpec,
    sharing: &Sharing,
    holding: &Holding,
    slots: Option<u32>,
) -> u16 {
    let instance = match holding {
        Holding::Instance(profile, _) => gpu_instance(&card.gpu, profile),
        Holding::Sliced(_) if !card.instances.is_empty() => return 0,
        // A vGPU that has the card to itself takes no turns.
        Holding::Sliced(vgpu) => InstanceSpec {
            sharing: match slots.unwrap_or(vgpu.max_per_gpu) {
                1 => InstanceSharing::Alone,
                most => sharing.of_vgpus(&card.gpu, most),
            },
            ..InstanceSpec::whole()
        },
        Holding::Whole | Holding::Largest(_) | Holding::Process(_) => InstanceSpec::whole(),
    };
    card.instances.push(instance);
    card.instances.len() as u16 - 1
}

/// A GPU instance that vGPUs of one type share in turns.
fn instance_in_turns(
    card: &mut CardSpec,
    sharing: &Sharing,
    profile: &MigProfile,
    vgpu: &VgpuType,
) -> u16 {
    let turns = sharing.of_vgpus(&card.gpu, vgpu.max_per_instance);
    card.instances.push(InstanceSpec { sharing: turns, ..gpu_instance(&card.gpu, profile) });
    card.instances.len() as u16 - 1
}

/// A card, or a GPU instance on it, that processes share.
fn shared_instance(card: &mut CardSpec, sharing: &Sharing, process: &Process) -> u16 {
    let whole = match &process.within {
        Some(profile) => gpu_instance(&card.gpu, profile),
        None => InstanceSpec::whole(),
    };
    let sharing = process.sharing(sharing, &card.gpu);
    card.instances.push(InstanceSpec { sharing, ..whole });
    card.instances.len() as u16 - 1
}

/// A GPU instance with one owner.
fn gpu_instance(gpu: &GpuSpec, profile: &MigProfile) -> InstanceSpec {
    let sms = profile.sms.expect("an instance without known SMs is refused when it is read");
    InstanceSpec {
        profile: Some(profile.name.clone()),
        share: Share::new(f64::from(sms) / f64::from(gpu.sms.value))
            .expect("no more SMs than the card has"),
        memory_share: gpu.memory_share(profile),
        sharing: InstanceSharing::Alone,
    }
}

/// Whether guests state their cards.
pub(super) fn are_pinned(guests: &[Guest]) -> bool {
    guests.iter().any(|guest| guest.pins.is_some())
}

/// A place for every GPU of every guest, in order; nothing when there is none for all.
fn place_pinned(model: &Model, guests: &[Guest]) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut on_cards: Vec<std::vec::IntoIter<Place>> = Vec::new();
    for &card in &model.numbers {
        on_cards.push(place_on(&model.card(card), &on_card(guests, card))?.into_iter());
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
pub(super) fn on_card(guests: &[Guest], card: u32) -> Vec<Guest> {
    let part = |guest: &Guest| {
        let pins = guest.pins.as_ref()?.on(&[card]);
        let gpus = pins.cards.len() as u32;
        (gpus > 0).then(|| Guest { cards: gpus, pins: Some(pins), ..guest.clone() })
    };
    guests.iter().filter_map(part).collect()
}
