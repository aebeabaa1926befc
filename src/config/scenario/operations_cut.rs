//! Cuts cards for VMs that come to them by operations.

use super::guest::Guest;
use super::holding::Holding;
use super::machine::Machine;
use crate::operations::Seat;
use crate::spec::{Experiment, GpuId, GpuShare, InstanceSharing, InstanceSpec, VmId};
use crate::units::Share;
use std::collections::{BTreeMap, BTreeSet};

/// The instances of cards that VMs have, or come to.
pub(super) struct Cut {
    /// By card and owner: a vGPU type that takes turns, or a VM and its GPU that has a card to itself.
    instances: BTreeMap<(GpuId, Own), u16>,
    used: BTreeSet<(GpuId, u16)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Own {
    Type(String),
    Alone(VmId, usize),
}

impl Cut {
    pub(super) fn of(experiment: &Experiment, firsts: &[VmId]) -> Self {
        let mut cut = Self { instances: BTreeMap::new(), used: BTreeSet::new() };
        for &first in firsts {
            for (place, share) in experiment.vms[usize::from(first.0)].gpus.iter().enumerate() {
                let own = match (&share.vgpu_type, &experiment.instance(share).sharing) {
                    (Some(name), sharing) if *sharing != InstanceSharing::Alone => {
                        Own::Type(name.clone())
                    }
                    _ => Own::Alone(first, place),
                };
                cut.instances.insert((share.card, own), share.instance);
                cut.used.insert((share.card, share.instance));
            }
        }
        cut
    }

    /// The part that a VM has of a card once it is there.
    pub(super) fn share(
        &mut self,
        experiment: &mut Experiment,
        machine: &Machine,
        guest: &Guest,
        (vm, place, seat): (VmId, usize, Seat),
        own: GpuShare,
    ) -> GpuShare {
        let whole = InstanceSpec::whole();
        let card = &mut experiment.cards[usize::from(seat.0)];
        let (key, spec) = match &guest.holding {
            Holding::Sliced(vgpu) if vgpu.max_per_gpu > 1 => {
                let sharing = machine.sharing.of_vgpus(&card.gpu, vgpu.max_per_gpu);
                (Own::Type(vgpu.name.clone()), InstanceSpec { sharing, ..whole })
            }
            _ => (Own::Alone(vm, place), whole),
        };
        let instance = match self.instances.get(&(seat, key.clone())) {
            Some(instance) => *instance,
            None => {
                // A card that nobody has at first is whole, for nobody.
                if card.instances.len() == 1 && !self.used.contains(&(seat, 0)) {
                    card.instances.clear();
                }
                card.instances.push(spec);
                let instance = card.instances.len() as u16 - 1;
                self.instances.insert((seat, key), instance);
                self.used.insert((seat, instance));
                instance
            }
        };
        GpuShare { card: seat, instance, sm_limit: Share::WHOLE, ..own }
    }
}
