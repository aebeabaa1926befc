//! What a layout costs: cards, licences, energy; and which layouts no other beats.
//!
//! Energy is a range: a card that works draws at most its limit, and one that is idle what is known
//! of it, or nothing where it is not known.

use super::layout::Held;
use super::{Found, PlanTask};
use crate::study::figures::completed_per_s;

/// What a layout costs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Cost {
    /// In an hour, with the most energy; the number of cards where there are no prices.
    pub(super) per_hour: f64,
    /// For a thousand queries.
    pub(super) per_1000: f64,
    /// Joules for a query, at the least and at the most.
    pub(super) joules: [f64; 2],
}

/// The cost of a layout as it ran.
pub(super) fn of(task: &PlanTask, found: &Found) -> Cost {
    let (experiment, outcome) = (&found.measured.experiment, &found.measured.outcomes[0]);
    let vms = experiment.vms.iter().zip(&outcome.vms);
    let rate: f64 = vms.map(|(vm, of)| completed_per_s(vm, &of.recorder)).sum();
    let rate = rate.max(1e-9);
    let mut watts = [0.0, 0.0];
    for (card, busy) in experiment.cards.iter().zip(&outcome.gpu_busy) {
        let idle = card.gpu.power_idle_w.as_ref().map_or(0.0, |fact| fact.value);
        let usual = card.gpu.power_cap_w.value;
        let limit = card.power_limit.map_or(usual, |limit| limit.watts().min(usual));
        watts[0] += idle;
        // What an idle card draws is not known of all; then it may be all.
        let rest = if idle > 0.0 { idle } else { limit };
        watts[1] += busy * limit + (1.0 - busy) * rest;
    }
    let joules = watts.map(|watts| watts / rate);
    let Some(prices) = &task.prices else {
        return Cost { per_hour: found.cost, per_1000: 0.0, joules };
    };
    let is_virtual = |held: &Held| matches!(held, Held::Sliced(_) | Held::Backed(_));
    let cards = &found.draft.layout.cards;
    let virtual_vms: u32 = cards
        .iter()
        .flat_map(|card| &card.parts)
        .filter(|part| is_virtual(&part.held))
        .map(|part| part.count)
        .sum();
    let virtual_cards =
        cards.iter().filter(|card| card.parts.iter().any(|part| is_virtual(&part.held))).count();
    let per_hour = found.cost
        + f64::from(virtual_vms) * prices.licence_per_vm
        + virtual_cards as f64 * prices.licence_per_card
        + watts[1] / 1000.0 * prices.kwh;
    Cost { per_hour, per_1000: per_hour / 3600.0 / rate * 1000.0, joules }
}

/// For each, whether no other is at least as good in all and better in one; less is better.
pub(super) fn unbeaten<const N: usize>(all: &[[f64; N]]) -> Vec<bool> {
    let beats = |one: &[f64; N], other: &[f64; N]| {
        one.iter().zip(other).all(|(one, other)| one <= other) && one != other
    };
    all.iter().map(|own| !all.iter().any(|other| beats(other, own))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 1 is dearer and worse than 0; 2 is dearer and better; 3 is as 0 in all but energy.
    #[test]
    fn what_another_beats_in_all_is_told() {
        let all = [[1.0, 0.5, 7.0], [2.0, 0.6, 7.0], [3.0, 0.4, 7.0], [1.0, 0.5, 8.0]];
        assert_eq!(unbeaten(&all), [true, false, true, false]);
        // Equal ones do not beat each other.
        assert_eq!(unbeaten(&[[1.0, 2.0], [1.0, 2.0]]), [true, true]);
        assert_eq!(unbeaten::<2>(&[]), Vec::<bool>::new());
    }
}
