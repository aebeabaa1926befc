//! Which server answers the next query: the merged arrivals of a pool's guests, dealt to its
//! servers.
//!
//! Arrivals keep the due times that each guest's own load generator makes; nothing is drawn here.

use super::Guest;
use crate::engine::{RandomStreams, Stream};
use crate::host::Stalls;
use crate::loadgen::Query;
use crate::spec::{Experiment, HostId, ServerPool, TestScenario, VmId};
use crate::units::{SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The guests of a pool, and the queries that each of its servers was dealt.
pub(super) struct Pool {
    /// Its first server: index into `Platform::servers`.
    pub(super) first_server: u16,
    /// Ensemble steps from which queries will come that are not known ahead of time.
    pub(super) expected: usize,
    askers: Vec<Asker>,
    /// Those whose next query is known, by its time, by how many were taken, and by place.
    waiting: BinaryHeap<Reverse<(SimTime, u64, usize)>>,
    /// Those whose next query is still to be made.
    without: Vec<usize>,
    servers: Vec<Dealt>,
    /// Where queries are handed over in calls.
    calls: Option<Calls>,
    /// The stops of the host, which sees what is due in one as it ends.
    stalls: Option<Stalls>,
}

/// Queries handed over in calls: all that are due when whoever hands them over wakes, or has ended the
/// call before.
struct Calls {
    /// How long after the first of a call is due who sleeps wakes.
    wake: SimDuration,
    /// How long a call takes in the mean.
    takes: SimDuration,
    /// Draws how long each takes.
    chance: Stream,
    /// Most samples that go to one server together.
    piece: u32,
    /// When the present call is made.
    made: SimTime,
    /// When it ends.
    ends: SimTime,
    /// The server of the present piece, and how many samples it has room for.
    server: usize,
    room: u32,
}

impl Calls {
    /// Where a query goes of those that come in order, and when it is seen there.
    fn place(&mut self, due: SimTime, servers: usize) -> (usize, SimTime) {
        let is_first = due > self.made;
        if is_first {
            self.made = if due > self.ends { due + self.wake } else { self.ends };
            let luck: f64 = Exp1.sample(&mut self.chance);
            self.ends = self.made + self.takes.scale(luck);
        }
        if is_first || self.room == 0 {
            self.server = (self.server + 1) % servers;
            self.room = self.piece;
        }
        self.room -= 1;
        (self.server, self.made)
    }
}

/// A guest of a pool.
struct Asker {
    vm: VmId,
    /// Its next query, once it is known.
    head: Option<Query>,
    /// Queries taken so far.
    taken: u64,
    /// Samples that go to one server together.
    per_query: u64,
    /// The server of the present query, and how many of its samples are still to come.
    present: (usize, u64),
}

/// What a server of a pool was dealt.
struct Dealt {
    samples: u64,
    /// Its GPUs: it is dealt in proportion.
    gpus: u64,
}

impl Pool {
    pub(super) fn new(pool: &ServerPool, experiment: &Experiment, first_server: u16) -> Self {
        let askers = pool.vms.iter().map(|&vm| {
            let scenario = experiment.vms[usize::from(vm.0)].load.scenario;
            let per_query = match scenario {
                TestScenario::MultiStream { samples } => u64::from(samples),
                _ => 1,
            };
            Asker { vm, head: None, taken: 0, per_query, present: (0, 0) }
        });
        let servers = pool.servers.iter();
        let servers = servers.map(|server| Dealt { samples: 0, gpus: server.gpus.len() as u64 });
        let servers: Vec<Dealt> = servers.collect();
        let settings = &experiment.vms[usize::from(pool.models[0].0)].server;
        let wake = settings.call_wake.filter(|_| experiment.is_dealt_in_calls(pool.models[0]));
        let streams = RandomStreams::new(experiment.seed, experiment.replication);
        let calls = wake.map(|wake| Calls {
            wake,
            takes: settings.call_time,
            chance: streams.stream(&format!("calls/{}", pool.servers[0].name)),
            piece: settings.batch_max,
            made: SimTime::ZERO,
            ends: SimTime::ZERO,
            // The first piece goes to the first server.
            server: servers.len() - 1,
            room: 0,
        });
        let askers: Vec<Asker> = askers.collect();
        let without = (0..askers.len()).collect();
        let host = experiment.host_of(&pool.servers[0].gpus);
        let stalls = stalls(experiment, host);
        Self {
            first_server,
            expected: 0,
            askers,
            waiting: BinaryHeap::new(),
            without,
            servers,
            calls,
            stalls,
        }
    }

    /// Those whose queries it answers.
    pub(super) fn guests(&self) -> impl Iterator<Item = VmId> {
        self.askers.iter().map(|asker| asker.vm)
    }

    /// Its servers: indices into `Platform::servers`.
    pub(super) fn servers(&self) -> std::ops::Range<usize> {
        let first = usize::from(self.first_server);
        first..first + self.servers.len()
    }

    /// Whether some of its guests are still to ask for the first time what they ask again once answered.
    pub(super) fn is_beginning(&self, guests: &[Guest]) -> bool {
        self.guests().any(|vm| guests[usize::from(vm.0)].loadgen.is_beginning())
    }

    /// The server that gets a query that was not known ahead of time.
    pub(super) fn deal(&mut self) -> usize {
        let server = least_loaded(&self.servers);
        self.servers[server].samples += 1;
        server
    }

    /// The guest that it answers, where that is one and has a server of its own, and nobody is late to hand
    /// queries over.
    pub(super) fn only_asker(&self) -> Option<VmId> {
        match (&self.askers[..], &self.servers[..], &self.calls, &self.stalls) {
            ([asker], [_], None, None) => Some(asker.vm),
            _ => None,
        }
    }

    /// The next query in the order in which servers see them, and which of the pool's servers gets
    /// it; nothing when none is known ahead of time. Among guests whose queries are due at the same
    /// time, the one that was served least goes first, so that calls of many samples, all due at
    /// once, advance side by side.
    pub(super) fn next(&mut self, guests: &mut [Guest]) -> Option<(usize, Query)> {
        for place in self.without.drain(..) {
            let asker = &mut self.askers[place];
            let guest = &mut guests[usize::from(asker.vm.0)];
            // Nothing comes after the last.
            let Some(query) = guest.loadgen.next_scheduled() else {
                guest.is_over = true;
                continue;
            };
            let query = guest.set_out(asker.vm, query);
            asker.head = Some(query);
            self.waiting.push(Reverse((query.seen, asker.taken, place)));
        }
        let Reverse((.., place)) = self.waiting.pop()?;
        let asker = &mut self.askers[place];
        let query = asker.head.take()?;
        asker.taken += 1;
        self.without.push(place);
        if let Some(calls) = &mut self.calls {
            let (server, seen) = calls.place(query.seen, self.servers.len());
            let seen = self.stalls.as_mut().map_or(seen, |stalls| stalls.over(seen));
            return Some((server, Query { seen, ..query }));
        }
        if asker.present.1 == 0 {
            asker.present = (least_loaded(&self.servers), asker.per_query);
        }
        asker.present.1 -= 1;
        self.servers[asker.present.0].samples += 1;
        let seen = self.stalls.as_mut().map_or(query.seen, |stalls| stalls.over(query.seen));
        Some((asker.present.0, Query { seen, ..query }))
    }
}

/// The server that was dealt least for its GPUs, the first of equals: where all have as many, each in
/// turn.
fn least_loaded(servers: &[Dealt]) -> usize {
    let places = 0..servers.len();
    let least = places.reduce(|best, next| {
        let [one, other] = [&servers[best], &servers[next]];
        if (other.samples + 1) * one.gpus < (one.samples + 1) * other.gpus { next } else { best }
    });
    least.expect("a pool has a server")
}

/// The stalls of a host, the same for every caller.
pub(super) fn stalls(experiment: &Experiment, host: HostId) -> Option<Stalls> {
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    let stalls = experiment.host(host).stalls.as_ref()?;
    let stream = match host.0 {
        0 => streams.stream("host-stalls"),
        other => streams.stream(&format!("host-stalls/{other}")),
    };
    Some(Stalls::new(stalls, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Due every 10; whoever wakes 25 late finds three: two for one server, one for the next. The three
    /// after them are another call, whose first piece begins a server of its own.
    #[test]
    fn a_call_is_dealt_in_pieces_each_to_the_next_server() {
        let mut calls = Calls {
            wake: SimDuration::from_nanos(25),
            takes: SimDuration::ZERO,
            chance: RandomStreams::new(0, 0).stream("calls"),
            piece: 2,
            made: SimTime::ZERO,
            ends: SimTime::ZERO,
            server: 2,
            room: 0,
        };
        let dealt = (1..=6).map(|due| calls.place(SimTime::from_nanos(10 * due), 3));
        let dealt: Vec<(usize, u64)> = dealt.map(|(to, at)| (to, at.as_nanos())).collect();
        assert_eq!(dealt, [(0, 35), (0, 35), (1, 35), (2, 65), (2, 65), (0, 65)]);
        // One that is busy until long after the next is due does not sleep.
        calls.ends = SimTime::from_nanos(500);
        assert_eq!(calls.place(SimTime::from_nanos(70), 3).1, SimTime::from_nanos(500));
    }
}
