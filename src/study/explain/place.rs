//! Where a VM's work runs: the part of a card, who shares it and how, and the turns there.
//!
//! It is arithmetic on settings; what comes of them is simulated.

use super::node::Node;
use super::wait::Wait;
use crate::gpu::idle_rule;
use crate::spec::{
    CardSpec, Experiment, GpuShare, IdleRule, InstanceSharing, InstanceSpec, Overshoot,
    SlicePolicy, TimeSlicing, TurnOrder, VmId, VmSpec,
};
use crate::units::SimDuration;
use std::collections::BTreeMap;

/// The part of a card that a VM has.
#[derive(Clone, Copy)]
pub(super) struct Place<'e> {
    pub(super) share: &'e GpuShare,
    pub(super) card: &'e CardSpec,
    pub(super) instance: &'e InstanceSpec,
    /// How many owners take turns or run side by side there.
    pub(super) owners: usize,
    /// How many of them are the VM's own: its processes, where they are owners.
    pub(super) own: usize,
    /// The pods that share the VM's turns with it.
    pub(super) node: Option<Node>,
}

/// Turns on an instance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct TurnTimes {
    /// A slice, in nanoseconds.
    pub(super) slice: f64,
    /// Of a slice, what is lost where a stopped batch goes on.
    pub(super) restore: f64,
    /// A switch, where the batch before was stopped.
    pub(super) switch: f64,
    /// What runs past the end of each slice; infinite for a whole batch.
    pub(super) overshoot: f64,
    /// How many owners take turns.
    pub(super) owners: usize,
    /// How many slots the engine goes round, occupied or not.
    pub(super) slots: usize,
    /// Which kind of turns.
    pub(super) by: TurnsBy,
}

/// Who hands out turns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum TurnsBy {
    /// The hypervisor, and what an idle turn becomes.
    Hypervisor(SlicePolicy, IdleRule, TurnOrder),
    /// The hardware, for vGPUs.
    BestEffort,
    /// The hardware, for processes.
    Processes,
}

/// The part of the GPU's time that one owner has.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Promise {
    /// The part that the policy names.
    pub(super) named: f64,
    /// What switches leave of it while all others have work.
    pub(super) least: f64,
    /// What it has while no other has work.
    pub(super) most: f64,
}

impl<'e> Place<'e> {
    /// The place of a share of a VM.
    pub(super) fn of(experiment: &'e Experiment, vm: &VmSpec, share: &'e GpuShare) -> Self {
        let instance = experiment.instance(share);
        let mut owners: BTreeMap<VmId, u32> = BTreeMap::new();
        for index in 0..experiment.vms.len() as u16 {
            let (id, other) = (VmId(index), &experiment.vms[usize::from(index)]);
            let is_here =
                |one: &&GpuShare| (one.card, one.instance) == (share.card, share.instance);
            let share_of = |vm: &'e VmSpec| vm.gpus.iter().find(is_here);
            if !experiment.has_work(id) || share_of(other).is_none() {
                continue;
            }
            let nests = share_of(other).and_then(|share| share.pods);
            let nests = nests.is_some_and(|pods| instance.sharing.nests(&pods));
            // Pods that share the turns of their VM are one owner, and so are models of a server in turns
            // and under MPS.
            let (owner, count) = match instance.sharing {
                InstanceSharing::Models => (id, 1),
                _ if nests => (experiment.first_model(id), 1),
                sharing => (experiment.process_of(id), sharing.owners_of(other.server.processes())),
            };
            let known = owners.entry(owner).or_default();
            *known = (*known).max(count);
        }
        let is_it = |other: &VmSpec| other.name == vm.name;
        let pod = experiment.vms.iter().position(is_it).map(|place| VmId(place as u16));
        let node = pod.and_then(|pod| Node::of(experiment, pod, share));
        Self {
            share,
            node,
            card: experiment.card(share),
            instance,
            owners: owners.values().map(|&count| count as usize).sum(),
            own: match share.pods.is_some_and(|pods| instance.sharing.nests(&pods)) {
                true => node.map_or(1, |node| node.own),
                false => instance.sharing.owners_of(vm.server.processes()) as usize,
            },
        }
    }

    /// The turns there; nothing where there are none.
    pub(super) fn turns(&self) -> Option<TurnTimes> {
        let overshoot = match self.instance.sharing.overshoot()? {
            Overshoot::None => 0.0,
            Overshoot::Batch => f64::INFINITY,
            Overshoot::Constant(span) => span.as_nanos_f64(),
        };
        if let Some(ring) = self.instance.sharing.ring() {
            let is_vgpu = matches!(self.instance.sharing, InstanceSharing::BestEffort(_));
            return Some(TurnTimes {
                slice: ring.slice.as_nanos_f64(),
                restore: ring.switch.restore.as_nanos_f64(),
                switch: (ring.switch.dry + ring.switch.save).as_nanos_f64(),
                overshoot,
                owners: self.owners,
                slots: self.owners,
                by: if is_vgpu { TurnsBy::BestEffort } else { TurnsBy::Processes },
            });
        }
        let slicing = self.instance.sharing.slicing()?;
        let rule = idle_rule(slicing);
        let slots = match (slicing.policy, rule) {
            (SlicePolicy::FixedShare, IdleRule::Burned | IdleRule::Polled) => {
                (slicing.slots_max as usize).max(self.owners)
            }
            _ => self.owners,
        };
        Some(TurnTimes {
            slice: slicing.slice.as_nanos_f64(),
            restore: 0.0,
            switch: slicing.switch_cost.as_nanos_f64(),
            overshoot,
            owners: self.owners,
            slots,
            by: TurnsBy::Hypervisor(slicing.policy, rule, slicing.order),
        })
    }

    /// The part of the GPU's time that one of the VM's owners has by turns, and of a node one of its pods.
    /// Nothing where there are no turns, and under a policy that only its own code knows.
    pub(super) fn promise(&self) -> Option<Promise> {
        let of_vm = self.promise_of_vm()?;
        let Some(node) = self.node else { return Some(of_vm) };
        let [named, least] = node.parts()?;
        let Promise { named: of_gpu, least: left, most } = of_vm;
        Some(Promise { named: of_gpu * named, least: left * least, most })
    }

    /// The part that the VM has, all of its pods together.
    pub(super) fn promise_of_vm(&self) -> Option<Promise> {
        let turns = self.turns()?;
        let TurnTimes { slice, switch, .. } = turns;
        let (owners, slots) = (turns.owners as f64, turns.slots as f64);
        let alone = match turns.owners {
            1 if turns.slots == 1 => return Some(Promise { named: 1.0, least: 1.0, most: 1.0 }),
            _ => 1.0,
        };
        let of_slice = (slice - turns.restore) / (slice + switch);
        Some(match turns.by {
            TurnsBy::BestEffort | TurnsBy::Processes => {
                Promise { named: 1.0 / owners, least: of_slice / owners, most: alone }
            }
            TurnsBy::Hypervisor(SlicePolicy::Own(_), ..) => return None,
            TurnsBy::Hypervisor(policy, rule, _) => {
                let named = match policy {
                    SlicePolicy::FixedShare => {
                        1.0 / f64::from(self.slicing()?.slots_max.max(1)).max(owners)
                    }
                    _ => 1.0 / owners,
                };
                match rule {
                    IdleRule::Burned => {
                        let part = of_slice / slots;
                        Promise { named, least: part, most: part }
                    }
                    IdleRule::RestBurned => {
                        Promise { named, least: of_slice / owners, most: alone }
                    }
                    IdleRule::SkippedAndCapped { .. } => {
                        let part = of_slice * named;
                        Promise { named, least: part, most: part }
                    }
                    IdleRule::Polled => Promise {
                        named,
                        least: slice / (owners * slice + slots * switch),
                        most: slice / (slice + slots * switch),
                    },
                }
            }
        })
    }

    fn slicing(&self) -> Option<&TimeSlicing> {
        self.instance.sharing.slicing()
    }
}

/// The longest wait of an owner with work for its next turn, while all others have work, in
/// nanoseconds; `batch` is the longest batch of the others, for turns that run to the end of one.
/// An error names why it has none.
pub(super) fn longest_wait(place: &Place<'_>, batch: f64) -> Option<Result<Wait, &'static str>> {
    let turns = place.turns()?;
    if turns.slots < 2 {
        return None;
    }
    let over = if turns.overshoot.is_finite() { turns.overshoot } else { batch };
    let (others, slots) = ((turns.owners - 1) as f64, turns.slots as f64);
    Some(Ok(match turns.by {
        TurnsBy::BestEffort | TurnsBy::Processes => {
            let restore = SimDuration::from_nanos_f64(turns.restore);
            Wait::of_ring(turns.owners, turns.slice + over, turns.switch, restore)
        }
        TurnsBy::Hypervisor(SlicePolicy::Own(_), ..) => {
            return Some(Err("a policy of another crate hands out the turns"));
        }
        TurnsBy::Hypervisor(_, _, TurnOrder::LeastRunTime) => {
            return Some(Err(
                "the order is by least run time: a VM that had less may have many turns in a row",
            ));
        }
        TurnsBy::Hypervisor(_, IdleRule::Polled, _) => Wait {
            turns: others,
            switches: slots,
            nanos: others * (turns.slice + over) + slots * turns.switch,
        },
        TurnsBy::Hypervisor(_, IdleRule::SkippedAndCapped { window }, _) => {
            let slicing = place.slicing()?;
            let whole = turns.slice + turns.switch;
            let round = match slicing.policy {
                SlicePolicy::FixedShare => f64::from(slicing.slots_max),
                _ => turns.owners as f64,
            };
            let window = window.map_or(whole * round, |window| window.as_nanos_f64());
            // It had its share of one window at once, and is the last in the next.
            let share = window * turns.slice / whole / round;
            Wait {
                turns: others,
                switches: turns.owners as f64,
                nanos: (window - share)
                    + others * (turns.slice + over)
                    + turns.owners as f64 * turns.switch,
            }
        }
        TurnsBy::Hypervisor(..) => Wait {
            turns: slots - 1.0,
            switches: slots,
            nanos: (slots - 1.0) * turns.slice + others * over + slots * turns.switch,
        },
    }))
}

impl TurnTimes {
    /// How many turns a batch of so many nanoseconds takes that begins with a turn, while others
    /// wait.
    pub(super) fn of_batch(&self, nanos: f64) -> f64 {
        // What ends exactly with a turn ends in it; a nanosecond is rounding.
        let first = self.slice + self.overshoot;
        let later = first - self.restore;
        match nanos <= first + 1.0 {
            true => 1.0,
            false => 1.0 + ((nanos - first - 1.0) / later).ceil().max(1.0),
        }
    }
}
