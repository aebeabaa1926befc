//! vGPUs that share a card or an instance in other ways: several sizes on one card (mixed-size
//! mode), and several vGPUs in one GPU instance.
//!
//! Their places are found in `layout::fit`; here guests are converted to its types and back.

use super::guest::Guest;
use super::holding::Holding;
use super::machine::Model;
use crate::layout::fit::{Answer, Fit, SizeMode};
use crate::layout::placement::Place;
use crate::spec::{GpuSpec, MixedSize, VgpuType};
use std::collections::{BTreeMap, VecDeque};

/// Whether these guests are placed by this module: sizes may differ on a card, or an instance is
/// shared.
pub(crate) fn are_needed(model: &Model, guests: &[Guest]) -> bool {
    let is_mixed = model.sharing.vgpu_mode == SizeMode::Mixed;
    guests.iter().any(|guest| match &guest.holding {
        Holding::Sliced(_) => is_mixed,
        Holding::Instance(_, Some(vgpu)) => vgpu.shares_instance(),
        _ => false,
    })
}

/// A place for every holding of every guest, in order; nothing when there is none for all. Whole
/// cards are the last ones.
pub(crate) fn place(model: &Model, guests: &[Guest]) -> Option<Vec<Place>> {
    let cards = model.cards() as usize;
    let wholes = wholes(guests);
    let left = cards.checked_sub(wholes)?;
    let gpu = &model.gpu.spec;
    let Answer::Fit(plans) = answer(model, guests, left) else { return None };
    let mut seats = vec![VecDeque::new(); gpu.vgpu_types.len()];
    for (card, plan) in plans.iter().enumerate() {
        for vgpu in &plan.vgpus {
            seats[vgpu.kind].push_back(Place { card, start: vgpu.start.unwrap_or(0) });
        }
    }
    let mut whole = left..cards;
    let mut next = |holding: &Holding| match kind_of(gpu, holding) {
        Some(kind) => seats[kind].pop_front().expect("a seat for each vGPU"),
        None => Place { card: whole.next().expect("a card for each whole one"), start: 0 },
    };
    let each =
        guests.iter().flat_map(|guest| std::iter::repeat_n(&guest.holding, guest.cards as usize));
    Some(each.map(&mut next).collect())
}

/// Whether a short search finds a place for all of them.
pub(crate) fn surely_fit(model: &Model, guests: &[Guest]) -> bool {
    let left = (model.cards() as usize).checked_sub(wholes(guests));
    left.is_some_and(|left| {
        let wanted = wanted(model, guests);
        let mut fit = Fit::new(&model.gpu.spec, model.sharing.vgpu_mode, wanted.clone());
        fit.surely_fits(&wanted, left)
    })
}

fn answer(model: &Model, guests: &[Guest], cards: usize) -> Answer {
    let wanted = wanted(model, guests);
    let mode = model.sharing.vgpu_mode;
    Fit::new(&model.gpu.spec, mode, wanted).on(cards, model.sharing.assignment)
}

/// How many of each type of the GPU.
fn wanted(model: &Model, guests: &[Guest]) -> Vec<u32> {
    let gpu = &model.gpu.spec;
    let mut wanted = vec![0; gpu.vgpu_types.len()];
    for guest in guests {
        if let Some(kind) = kind_of(gpu, &guest.holding) {
            wanted[kind] += guest.cards;
        }
    }
    wanted
}

fn wholes(guests: &[Guest]) -> usize {
    let whole = guests.iter().filter(|guest| vgpu_of(&guest.holding).is_none());
    whole.map(|guest| guest.cards as usize).sum()
}

fn vgpu_of(holding: &Holding) -> Option<&VgpuType> {
    match holding {
        Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => Some(vgpu),
        _ => None,
    }
}

fn kind_of(gpu: &GpuSpec, holding: &Holding) -> Option<usize> {
    let vgpu = vgpu_of(holding)?;
    gpu.vgpu_types.iter().position(|one| one.name == vgpu.name)
}

/// The number of slots on each card in mixed-size mode: that of the type with the highest maximum
/// in this mode. The default slice of such a card is not documented.
pub(crate) fn slots(guests: &[Guest], places: &[Place]) -> BTreeMap<usize, u32> {
    let each =
        guests.iter().flat_map(|guest| std::iter::repeat_n(&guest.holding, guest.cards as usize));
    let mut on_card: BTreeMap<usize, Vec<&VgpuType>> = BTreeMap::new();
    for (holding, place) in each.zip(places) {
        if let Holding::Sliced(vgpu) = holding {
            on_card.entry(place.card).or_default().push(vgpu);
        }
    }
    on_card.retain(|_, types| types.iter().any(|vgpu| vgpu.frame_buffer != types[0].frame_buffer));
    let most = |types: Vec<&VgpuType>| {
        types.into_iter().filter_map(|vgpu| vgpu.mixed_size.max_per_gpu()).max().unwrap_or(1)
    };
    // More than one size is more than one vGPU.
    on_card.into_iter().map(|(card, types)| (card, most(types).max(2))).collect()
}

/// Why there is no place for all `guests`: title and reason.
pub(crate) fn obstacle(model: &Model, guests: &[Guest]) -> (String, Option<String>) {
    let cards = model.cards_in_words();
    let left = (model.cards() as usize).checked_sub(wholes(guests));
    let Some(left) = left else {
        return (format!("the VMs up to this one need more whole cards than {cards}"), None);
    };
    let mut types: Vec<&VgpuType> = Vec::new();
    for vgpu in guests.iter().filter_map(|guest| vgpu_of(&guest.holding)) {
        if !types.contains(&vgpu) {
            types.push(vgpu);
        }
    }
    let ids = types.iter().filter_map(|vgpu| {
        let (ids, size) = vgpu.mixed_size.placements()?;
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        Some(format!("{} {{{}}}:{size}", vgpu.name, ids.join(",")))
    });
    let ids: Vec<String> = ids.collect();
    match answer(model, guests, left) {
        Answer::NotPublished => {
            let hidden = types
                .iter()
                .filter(|vgpu| matches!(vgpu.mixed_size, MixedSize::NotPublished { .. }));
            let names: Vec<&str> = hidden.map(|vgpu| vgpu.name.as_str()).collect();
            (
                format!("whether {cards} hold the vGPUs up to this one is not known"),
                Some(format!(
                    "the placement ids of {} are not published, and are not guessed",
                    names.join(", ")
                )),
            )
        }
        Answer::GaveUp => {
            (format!("no arrangement of the vGPUs up to this one on {cards} was found"), None)
        }
        _ => {
            let reason = match ids.len() {
                0 | 1 => None,
                _ => Some(format!(
                    "vGPUs on one card have one size, or are at placement ids: {}",
                    ids.join(", ")
                )),
            };
            (format!("{cards} cannot hold the vGPUs up to this one"), reason)
        }
    }
}
