//! Load balancers: a load that several VMs share is dealt query by query as it comes, so each arrival is an
//! event.
//!
//! A VM that has stood still or been down for the interval of a health check gets no more queries; whoever
//! was sent to it before waits there, or is lost with it. Nobody is sent again.

use super::replicas::{Behind, Scaler};
use super::{Platform, ServerId};
use crate::engine::EventList;
use crate::host::balance::{Balancing, Candidate, balancing};
use crate::loadgen::Query;
use crate::spec::{Balance, VmId};
use crate::units::{SimDuration, SimTime};

/// Among events of one instant arrivals come before the batchers that they come to.
const RANK: u8 = 1;

/// A load balancer with the queries that it has sent.
pub(super) struct Balancer {
    /// Whose load it deals.
    pub(super) vm: VmId,
    /// Place in the event list.
    pub(super) member: u32,
    policy: Box<dyn Balancing>,
    health_check: SimDuration,
    pub(super) servers: Vec<Behind>,
    /// Starts and stops replicas.
    pub(super) scaler: Option<Scaler>,
    /// The next query, once the load has begun and until it is over.
    next: Option<Query>,
    /// Reused for every query.
    candidates: Vec<Candidate>,
}

impl Platform<'_> {
    /// The load balancers, once all servers are there.
    pub(super) fn add_balancers(&mut self) {
        for (index, vm) in self.experiment.vms.iter().enumerate() {
            let Some(balance) = &vm.balance else { continue };
            let Balance { members, policy, health_check, replicas } = balance;
            let servers = members.iter().flat_map(|vm| &self.processes[usize::from(vm.0)].servers);
            let servers = servers.map(|&server| Behind { server, outstanding: 0, is_down: false });
            let balancer = Balancer {
                vm: VmId(index as u16),
                member: u32::MAX,
                policy: balancing(*policy),
                health_check: *health_check,
                servers: servers.collect(),
                scaler: replicas.map(|replicas| Scaler::new(replicas, members.len())),
                next: None,
                candidates: Vec::new(),
            };
            for (place, behind) in balancer.servers.iter().enumerate() {
                let server = &mut self.servers[usize::from(behind.server.0)];
                server.balanced = Some((self.balancers.len() as u16, place as u16));
                server.batcher.station.expect(true);
            }
            self.balancers.push(balancer);
        }
    }

    /// The first arrivals of the load balancers of a part.
    pub(super) fn start_balancers(&mut self, part: &super::Part, events: &mut EventList) {
        for index in 0..self.balancers.len() {
            if part.vms.contains(&self.balancers[index].vm) {
                self.await_arrival(index, events);
                self.start_replicas(index, events);
            }
        }
    }

    /// The next query of a load is known, or there is none.
    fn await_arrival(&mut self, index: usize, events: &mut EventList) {
        let balancer = &mut self.balancers[index];
        let guest = &mut self.guests[usize::from(balancer.vm.0)];
        balancer.next = guest.loadgen.next_scheduled();
        events.set(balancer.member, RANK, balancer.next.map(|query| query.due));
        if balancer.next.is_some() {
            return;
        }
        guest.is_over = true;
        for behind in &balancer.servers {
            let batcher = &mut self.servers[usize::from(behind.server.0)].batcher;
            batcher.station.expect(false);
            batcher.arm(events);
        }
    }

    /// A query of a shared load is due: a server gets it.
    pub(super) fn deal(&mut self, now: SimTime, index: u16, events: &mut EventList) {
        let index = usize::from(index);
        let mut candidates = std::mem::take(&mut self.balancers[index].candidates);
        let balancer = &self.balancers[index];
        let all = balancer.servers.iter().enumerate();
        let all = all.map(|(place, one)| (place, one.server, one.outstanding));
        let serves = |place: usize| balancer.scaler.as_ref().is_none_or(|one| one.serves(place));
        let all = all.filter(|(place, ..)| serves(*place));
        // Where nobody answers everybody is asked.
        for checks in [true, false] {
            let open = all.clone().filter(|(_, server, _)| {
                let since = self.stopped_since(*server);
                !checks || since.is_none_or(|since| now - since < balancer.health_check)
            });
            candidates.extend(open.map(|(place, _, outstanding)| Candidate { place, outstanding }));
            if !candidates.is_empty() {
                break;
            }
        }
        let balancer = &mut self.balancers[index];
        let place = balancer.policy.choose(&candidates);
        candidates.clear();
        balancer.candidates = candidates;
        balancer.note(now);
        let behind = &mut balancer.servers[place];
        behind.outstanding += 1;
        let (server, vm) = (behind.server, balancer.vm);
        let query = balancer.next.take().expect("a query is due");
        let batcher = &mut self.servers[usize::from(server.0)].batcher;
        batcher.station.feed(Query { vm, ..query });
        batcher.arm(events);
        self.await_arrival(index, events);
    }

    /// So many queries left a server, answered or rejected.
    #[inline]
    pub(super) fn left_balanced(
        &mut self,
        now: SimTime,
        server: ServerId,
        queries: usize,
        events: &mut EventList,
    ) {
        let Some((index, place)) = self.servers[usize::from(server.0)].balanced else { return };
        let balancer = &mut self.balancers[usize::from(index)];
        balancer.note(now);
        balancer.servers[usize::from(place)].outstanding -= queries as u64;
        self.stop_if_drained(now, index, usize::from(place), events);
    }

    /// The VM of a server is down: what it has is lost, and nobody tells the load balancer.
    pub(super) fn down_balanced(&mut self, now: SimTime, server: ServerId) {
        if let Some((index, place)) = self.servers[usize::from(server.0)].balanced {
            let balancer = &mut self.balancers[usize::from(index)];
            balancer.note(now);
            balancer.servers[usize::from(place)].is_down = true;
        }
    }

    /// A server has none of the queries that it was sent: it was down. Until it serves again nobody tells the
    /// load balancer.
    pub(super) fn forget_balanced(&mut self, now: SimTime, server: ServerId) {
        if let Some((index, place)) = self.servers[usize::from(server.0)].balanced {
            let balancer = &mut self.balancers[usize::from(index)];
            balancer.note(now);
            let behind = &mut balancer.servers[usize::from(place)];
            (behind.outstanding, behind.is_down) = (0, false);
        }
    }
}

impl Balancer {
    /// What the number of replicas follows is about to change.
    fn note(&mut self, now: SimTime) {
        if let Some(scaler) = &mut self.scaler {
            scaler.note(now, &self.servers);
        }
    }
}
