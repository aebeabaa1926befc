//! The messages when guests do not fit their cards: the obstacle, and the nearest that fits.

use super::cards::{are_pinned, cards_of, claims, on_card, on_model, place_on};
use super::guest::Guest;
use super::holding::{Holding, Kind};
use super::machine::{Machine, Model};
use super::pins::Pins;
use super::{processes, seats};
use crate::config::text::{Diagnostic, Problems};
use crate::layout::placement::{Claim, Obstacle};
use crate::spec::MigProfile;
use crate::study;
use crate::suggest::quoted;
use crate::units::counted;

/// Reports the obstacle when there is no placement for all guests.
pub(crate) fn check(machine: &Machine, guests: &[Guest], problems: &Problems) {
    for (index, model) in machine.models.iter().enumerate() {
        let mine = on_model(machine, guests, index);
        if place_on(model, &mine).is_some() {
            continue;
        }
        match are_pinned(&mine) {
            true => check_pinned(model, &mine, machine.models.len() == 1, problems),
            false => check_card(model, &mine, problems),
        }
    }
}

/// The same, given that there is no placement and that no VM says where it is.
fn check_card(model: &Model, guests: &[Guest], problems: &Problems) {
    // Whoever fits beside more fits beside fewer.
    let mut fitting = most(guests.len() - 1, |count| fits(model, &guests[..count]));
    // A short search may have given up where the long one finds a place.
    while fitting + 1 < guests.len() && place_on(model, &guests[..=fitting]).is_some() {
        fitting += 1;
    }
    let first = &guests[fitting];
    // Copies stand at one place of the file: all of them are counted.
    let last = guests.iter().rposition(|guest| guest.spots.cards == first.spots.cards);
    let placed = &guests[..=last.expect("it is one of them")];
    let guest = placed.last().expect("somebody does not fit");
    let (title, reason) = if guest.is_process() {
        processes::obstacle(model, placed)
    } else if seats::are_needed(model, placed) {
        seats::obstacle(model, placed)
    } else {
        let claims = claims(model, placed);
        let obstacle = cards_of(model).obstacle(&claims);
        (title(model, placed, &claims, obstacle), reason(model, &claims, obstacle))
    };
    let diagnostic = Diagnostic::at(&guest.spots.cards, title);
    let diagnostic = match reason {
        Some(reason) => diagnostic.note("reason", reason),
        None => diagnostic,
    };
    let diagnostic =
        diagnostic.allowed(nearest(model, guests, fitting)).of_limit(study::Obstacle::Placement);
    let source = match guest.holding.kind() {
        None => "",
        Some(Kind::Sliced) => &model.gpu.vgpu_source,
        Some(_) => &model.gpu.mig_source,
    };
    problems.push(if source.is_empty() { diagnostic } else { diagnostic.note("source", source) });
}

fn title(model: &Model, placed: &[Guest], claims: &[Claim], obstacle: Obstacle) -> String {
    let (host, cards) = (&model.host, model.cards_in_words());
    let guest = placed.last().expect("somebody does not fit");
    let name = guest.holding.name(&model.gpu.spec);
    let others = claims.iter().any(|claim| !matches!(claim, Claim::Instance { .. }));
    let left = |sliced: bool| match others && !sliced {
        true => format!("the rest of {cards}"),
        false => cards.clone(),
    };
    match obstacle {
        Obstacle::Cards { .. } if placed.len() == 1 && guest.holding == Holding::Whole => {
            format!("{} GPUs are more than {host} has ({cards})", guest.cards)
        }
        Obstacle::Cards { needed } if model.only.is_some() => {
            format!(
                "the VMs up to this one need {}, and all are on {cards}",
                counted(needed, "card")
            )
        }
        Obstacle::Cards { needed } => {
            format!("the VMs up to this one need {}, {host} has {cards}", counted(needed, "card"))
        }
        Obstacle::Maximum { wanted, most } => {
            let sliced = matches!(guest.holding, Holding::Sliced(_));
            format!("{wanted} x {name} are too many for {}: a card can have {most}", left(sliced))
        }
        Obstacle::MemorySlices { needed, there } => format!(
            "the GPU instances up to this one need {}, {} has {there}",
            counted(needed, "memory slice"),
            left(false)
        ),
        Obstacle::ComputeSlices { needed, there } => format!(
            "the GPU instances up to this one need {}, {} has {there}",
            counted(needed, "compute slice"),
            left(false)
        ),
        Obstacle::MediaEngines => format!(
            "the GPU instances up to this one need more media engines than {} has",
            left(false)
        ),
        Obstacle::Positions => {
            format!("no layout of {} holds these GPU instances", left(false))
        }
    }
}

/// The rule behind an obstacle, where the title does not say it.
fn reason(model: &Model, claims: &[Claim], obstacle: Obstacle) -> Option<String> {
    let profiles = &model.gpu.spec.mig_profiles;
    match obstacle {
        Obstacle::Positions => {
            let is_used = |index: usize| claims.contains(&Claim::Instance { profile: index });
            let used = profiles.iter().enumerate().filter(|(index, _)| is_used(*index));
            let positions: Vec<String> = used.map(|(_, profile)| profile.to_string()).collect();
            Some(format!("slices are left, but the positions are {}", positions.join(", ")))
        }
        Obstacle::MemorySlices { .. } => {
            Some(slices(profiles, claims, |profile| profile.memory_slices))
        }
        Obstacle::ComputeSlices { .. } => {
            Some(slices(profiles, claims, |profile| profile.compute_slices))
        }
        Obstacle::MediaEngines => Some(
            "one instance of a card can have the media extensions (+me), and all share its engines"
                .to_string(),
        ),
        Obstacle::Cards { .. } => {
            let kind = |claim: &Claim| match claim {
                Claim::Whole => 0,
                Claim::Sliced { .. } => 1,
                Claim::Instance { .. } => 2,
            };
            if claims.iter().any(|claim| kind(claim) != kind(&claims[0])) {
                return Some("a card is whole, time-sliced or cut into GPU instances, never two of these at once".to_string());
            }
            let mixed = claims.iter().any(|claim| *claim != claims[0]);
            (kind(&claims[0]) == 1 && mixed).then(|| {
                "in equal-size mode all time-sliced vGPUs of a card have the same frame buffer"
                    .to_string()
            })
        }
        Obstacle::Maximum { .. } => None,
    }
}

/// The slices that the instances need: `2 x 4 (3g.20gb), 1 x 1 (1g.5gb)`.
fn slices(profiles: &[MigProfile], claims: &[Claim], of: impl Fn(&MigProfile) -> u32) -> String {
    let used = profiles.iter().enumerate().filter_map(|(index, profile)| {
        let same = claims.iter().filter(|claim| **claim == Claim::Instance { profile: index });
        let count = same.count();
        (count > 0).then(|| format!("{count} x {} ({})", of(profile), profile.name))
    });
    used.collect::<Vec<_>>().join(", ")
}

/// Sets of VMs that are tried for a message: help may not cost more than the answer.
const TRIES_MAX: usize = 64;

/// Whether there is a place for all guests, as far as a short search tells.
fn fits(model: &Model, guests: &[Guest]) -> bool {
    let by_card = model.only.is_none() && are_pinned(guests);
    if !by_card && !guests.iter().any(Guest::is_process) && seats::are_needed(model, guests) {
        return seats::surely_fit(model, guests);
    }
    place_on(model, guests).is_some()
}

/// The most of 0 to `all` that keep a rule which fewer keep where more do; 0 where none does.
fn most(all: usize, keeps: impl Fn(usize) -> bool) -> usize {
    let (mut good, mut bad) = (0, all + 1);
    while good + 1 < bad {
        let middle = good + (bad - good) / 2;
        if keeps(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// The nearest set of VMs that can be placed, the first `fitting` being one.
fn nearest(model: &Model, guests: &[Guest], fitting: usize) -> String {
    if let [guest] = guests {
        let keeps = |count: usize| fits(model, &[Guest { cards: count as u32, ..guest.clone() }]);
        return match most(guest.cards as usize - 1, keeps) {
            0 if guest.is_process() => "fewer replicas".to_string(),
            0 => "none of this kind".to_string(),
            most => format!("1 to {most}"),
        };
    }
    if guests.iter().all(|guest| are_alike(guest, &guests[0])) {
        return format!("at most {fitting} such VMs");
    }
    let dropped = fewest_to_drop(guests, are_alike, |kept| fits(model, kept));
    match &dropped[..] {
        [one] => format!("all VMs but {}", quoted(&guests[*one].vm.name)),
        [one, two] => {
            let names = [one, two].map(|&index| quoted(&guests[index].vm.name));
            format!("all VMs but {} and {}", names[0], names[1])
        }
        dropped => format!("{} of the {} VMs", guests.len() - dropped.len(), guests.len()),
    }
}

/// Whether two guests want the same of the cards.
fn are_alike(one: &Guest, two: &Guest) -> bool {
    (&one.holding, one.cards) == (&two.holding, two.cards)
}

/// The VMs without which the others can be placed: one or two where that is enough and found soon, the
/// later ones first; else all that find no place when they come in order. Neighbours that are alike
/// make one try of many.
fn fewest_to_drop<G: Clone>(
    guests: &[G],
    are_alike: impl Fn(&G, &G) -> bool,
    fits: impl Fn(&[G]) -> bool,
) -> Vec<usize> {
    let without = |dropped: &[usize]| -> Vec<G> {
        let kept = (0..guests.len()).filter(|index| !dropped.contains(index));
        kept.map(|index| guests[index].clone()).collect()
    };
    // Without one of a row the rest is the same whichever it is: its last stands for all, and the one
    // before for a second.
    let is_last =
        |index: usize| guests.get(index + 1).is_none_or(|next| !are_alike(&guests[index], next));
    let lasts: Vec<usize> = (0..guests.len()).rev().filter(|&index| is_last(index)).collect();
    let ones = lasts.iter().map(|&one| vec![one]);
    let twos = lasts.iter().enumerate().flat_map(|(at, &one)| {
        let beside = (one > 0 && !is_last(one - 1)).then(|| one - 1);
        let others = lasts[at + 1..].iter().copied();
        beside.into_iter().chain(others).map(move |two| vec![one, two])
    });
    let mut tries = ones.chain(twos).take(TRIES_MAX);
    if let Some(found) = tries.find(|dropped| fits(&without(dropped))) {
        return found;
    }
    let (mut kept, mut dropped): (Vec<G>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut start = 0;
    for &last in lasts.iter().rev() {
        let row = &guests[start..=last];
        let room = most(row.len(), |count| fits(&[&kept[..], &row[..count]].concat()));
        kept.extend_from_slice(&row[..room]);
        dropped.extend(start + room..=last);
        start = last + 1;
    }
    dropped
}

/// Reports VMs without a card beside others with one, and cards that cannot hold what is on them.
fn check_pinned(model: &Model, guests: &[Guest], is_only: bool, problems: &Problems) {
    if let Some(guest) = guests.iter().find(|guest| guest.pins.is_none()) {
        let title = "this VM does not state its `card`, and others do";
        let help = match is_only {
            true => "state the card of every VM, or of none".to_string(),
            false => {
                format!("state the card of every VM that is on {}, or of none", model.gpu.spec.id)
            }
        };
        problems.push(Diagnostic::at(&guest.spots.cards, title).help(help));
        return;
    }
    for &card in &model.numbers {
        let (one, mine) = (model.card(card), on_card(guests, card));
        if place_on(&one, &mine).is_some() {
            continue;
        }
        let free = |guest: &Guest| {
            let pins = guest.pins.clone().map(|pins| Pins { starts: Vec::new(), ..pins });
            Guest { pins, ..guest.clone() }
        };
        let free: Vec<Guest> = mine.iter().map(free).collect();
        if place_on(&one, &free).is_none() {
            check_card(&one, &free, problems);
            continue;
        }
        let fits = |count: &usize| place_on(&one, &mine[..*count]).is_some();
        let most = (0..mine.len()).rev().find(fits).unwrap_or(0);
        let title =
            format!("no room for this VM's GPU instances at their `instance` on GPU {card}");
        let spot = mine[most].pins.as_ref().map_or(&mine[most].spots.cards, |pins| &pins.spot);
        let diagnostic = Diagnostic::at(spot, title).of_limit(study::Obstacle::Placement);
        let help = "drop `instance` to place them where they fit; `slicewise mig place` draws the \
            layout";
        problems.push(diagnostic.allowed("memory slices that no other instance has").help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_keep_a_rule_are_found_in_few_tries() {
        for all in 0..70 {
            for limit in 0..=all {
                let tries = std::cell::Cell::new(0);
                let found = most(all, |count| {
                    tries.set(tries.get() + 1);
                    count <= limit
                });
                assert_eq!(found, limit);
                assert!(tries.get() <= 7, "{} tries for {all}", tries.get());
            }
        }
    }

    /// Help costs by the kinds of VMs, not by the third power of their number.
    #[test]
    fn what_to_drop_is_found_in_few_tries() {
        // Sizes of guests on one card of 40: alike, in rows, and each different.
        let alternating: Vec<u32> = (0..64).map(|guest| 5 + guest % 2).collect();
        let different: Vec<u32> = (1..=64).collect();
        let rows = [vec![10; 5], vec![20; 3]].concat();
        for (guests, room, most_tries) in [
            (vec![10; 64], 40, 9),
            (rows, 40, 16),
            (alternating.clone(), 40, 64 + 2 * 64),
            (different, 40, 64 + 2 * 64),
            (alternating, 350, 2),
        ] {
            let tries = std::cell::Cell::new(0);
            let fits = |kept: &[u32]| {
                tries.set(tries.get() + 1);
                kept.iter().sum::<u32>() <= room
            };
            let dropped = fewest_to_drop(&guests, |one, two| one == two, fits);
            let kept = (0..guests.len()).filter(|index| !dropped.contains(index));
            let kept: u32 = kept.map(|index| guests[index]).sum();
            assert!(kept <= room && (kept > 0 || guests[0] > room), "{dropped:?}");
            assert!(tries.get() <= most_tries, "{} tries for {guests:?}", tries.get());
        }
    }

    /// One or two that are enough are found as a look at all pairs finds them, the later ones first.
    #[test]
    fn one_or_two_are_the_same_as_by_trying_all() {
        for seed in 0..500_u32 {
            let guests: Vec<u32> = (0..6).map(|at| 1 + (seed >> (at / 2 * 3)) % 8).collect();
            let room = guests.iter().sum::<u32>().saturating_sub(1 + seed % 9);
            let fits = |kept: &[u32]| kept.iter().sum::<u32>() <= room;
            let without = |dropped: &[usize]| -> u32 {
                let kept = guests.iter().enumerate().filter(|(at, _)| !dropped.contains(at));
                kept.map(|(_, size)| size).sum()
            };
            let ones = (0..6).rev().map(|one| vec![one]);
            let twos = (0..6).rev().flat_map(|one| (0..one).rev().map(move |two| vec![one, two]));
            let slow = ones.chain(twos).find(|dropped| without(dropped) <= room);
            if let Some(slow) = slow {
                assert_eq!(
                    fewest_to_drop(&guests, |one, two| one == two, fits),
                    slow,
                    "{guests:?}"
                );
            }
        }
    }
}
