//! vSphere's order of decisions, with the one choice that is not published assumed.
//!
//! DRS places by a "goodness" of CPU, memory and more, and no text found gives it a GPU input; its
//! formula is not published. Assumed here: the host on which the larger of two shares is smallest
//! with the VM on it, vCPUs over logical processors and memory over main memory; of equals the
//! first. Told to, it fills host after host with VMs that have full cards; VMs with parts of cards
//! are spread as before (8.0 U2). The card is the host's affair: spread or group in equal-size mode, and neither in
//! mixed-size mode and with GPU instances.

use super::{Policy, seats_by};
use crate::layout::cluster::{Seat, Site};

#[derive(Debug)]
pub(super) struct Vsphere;

impl Policy for Vsphere {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        let (host, kind) = (at.host(), at.kind());
        let used = host.used();
        let vcpus = (used.vcpus + u64::from(kind.vcpus)) as f64 / f64::from(host.processors.max(1));
        let memory = (used.memory + kind.memory).get() as f64 / host.memory.get().max(1) as f64;
        let goodness = 100.0 - 100.0 * vcpus.max(memory);
        if !(at.cluster.groups_full_cards && at.is_of_full_cards()) {
            return goodness;
        }
        // The host with the fewest free cards that has room; goodness among equals.
        let free = host.cards.iter().filter(|card| card.residents.is_empty()).count();
        goodness / 1000.0 - free as f64
    }

    fn seats(&mut self, at: &Site<'_, '_>) -> Vec<Seat> {
        seats_by(at, at.cluster.assignment)
    }
}
