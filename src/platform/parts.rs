//! Parts of a machine that share nothing: each is simulated by itself, one after the other, with an
//! event list of its own. What happens is the same, since nobody in one part can notice another; a
//! short list and little memory in use at a time make it faster.

use super::{Platform, ServerId};
use crate::spec::{GpuId, VmId};

/// Servers that share something with one another, and with nobody else; and the VMs that they answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) servers: Vec<ServerId>,
    pub(super) vms: Vec<VmId>,
}

/// Sets of numbers that are joined one by one.
struct Sets {
    /// Another of its set, nearer to the one that stands for it; itself, if it does.
    parents: Vec<usize>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    fn find(&mut self, mut one: usize) -> usize {
        while self.parents[one] != one {
            self.parents[one] = self.parents[self.parents[one]];
            one = self.parents[one];
        }
        one
    }

    /// The lower number stands for both.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        self.parents[one.max(other)] = one.min(other);
    }
}

impl Platform<'_> {
    /// All of the machine as one part.
    pub(super) fn together(&self) -> Part {
        let servers = (0..self.servers.len()).map(|index| ServerId(index as u16));
        let vms = (0..self.guests.len()).map(|index| VmId(index as u16));
        Part { servers: servers.collect(), vms: vms.collect() }
    }

    /// The parts of the machine, in the order of their first servers.
    pub(super) fn parts(&self) -> Vec<Part> {
        let servers = self.servers.len();
        // Servers, then links, VMs, pools, hosts.
        let link = |card: GpuId| servers + usize::from(self.slots[usize::from(card.0)].link.0);
        let vm = |vm: VmId| servers + self.slots.len() + usize::from(vm.0);
        let pool = |pool: usize| servers + self.slots.len() + self.guests.len() + pool;
        let host = |host: usize| pool(self.pools.len()) + host;
        let mut sets = Sets::new(host(self.hosts.len()));
        for (index, server) in self.servers.iter().enumerate() {
            // Where it is, and where operations bring it.
            for (card, _) in
                self.gpus_of(ServerId(index as u16)).flat_map(|gpu| self.places_of(gpu))
            {
                sets.join(index, link(card));
                // Everybody on a host waits for the same processors, and stops with it.
                let of = usize::from(self.experiment.cards[usize::from(card.0)].host.0);
                if self.hosts[of].processors.is_some() || self.hosts[of].stalls.is_some() {
                    sets.join(index, host(of));
                }
            }
            sets.join(index, pool(usize::from(server.pool)));
            sets.join(index, vm(self.experiment.first_model(server.vm)));
        }
        for (index, guest) in self.guests.iter().enumerate() {
            let id = VmId(index as u16);
            sets.join(vm(id), vm(self.experiment.first_model(id)));
            guest.way.pools().for_each(|of| sets.join(vm(id), pool(usize::from(of))));
            let members = self.experiment.vms[index].balance.iter().flat_map(|one| &one.members);
            members.for_each(|member| sets.join(vm(id), vm(*member)));
        }
        for (place, of) in self.pools.iter().enumerate() {
            of.guests().for_each(|id| sets.join(vm(id), pool(place)));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut part_of = vec![usize::MAX; servers];
        for index in 0..servers {
            let first = sets.find(index);
            if part_of[first] == usize::MAX {
                part_of[first] = parts.len();
                parts.push(Part::default());
            }
            parts[part_of[first]].servers.push(ServerId(index as u16));
        }
        for index in 0..self.guests.len() {
            let id = VmId(index as u16);
            // A VM that no server answers has nothing to happen.
            if let Some(&part) = part_of.get(sets.find(vm(id))) {
                parts[part].vms.push(id);
            }
        }
        parts
    }
}
