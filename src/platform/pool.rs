//! Who answers the next query: the merged arrivals of a pool's guests, dealt to its servers.
//!
//! Arrivals keep the due times that each guest's own load generator makes; nothing is drawn here.

use super::Guest;
use crate::loadgen::Query;
use crate::spec::{Experiment, ServerPool, TestScenario, VmId};

/// The guests of a pool, and what each server of it was dealt.
pub(super) struct Pool {
    askers: Vec<Asker>,
    servers: Vec<Dealt>,
}

/// A guest of a pool.
struct Asker {
    vm: VmId,
    /// Its next query, once it is known; nothing comes after the last.
    head: Option<Query>,
    is_over: bool,
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
    pub(super) fn new(pool: &ServerPool, experiment: &Experiment) -> Self {
        let askers = pool.vms.iter().map(|&vm| {
            let scenario = experiment.vms[usize::from(vm.0)].load.scenario;
            let per_query = match scenario {
                TestScenario::MultiStream { samples } => u64::from(samples),
                _ => 1,
            };
            Asker { vm, head: None, is_over: false, taken: 0, per_query, present: (0, 0) }
        });
        let servers = pool.servers.iter();
        let servers = servers.map(|server| Dealt { samples: 0, gpus: server.gpus.len() as u64 });
        Self { askers: askers.collect(), servers: servers.collect() }
    }

    /// Whether it answers a guest.
    pub(super) fn answers(&self, vm: VmId) -> bool {
        self.askers.iter().any(|asker| asker.vm == vm)
    }

    /// The next query in order of due time, and which of the pool's servers gets it; nothing when
    /// none is known ahead of time. Of guests whose queries are due together the one goes first
    /// that was served least, so that calls of many samples, all due at once, advance side by side.
    pub(super) fn next(&mut self, guests: &mut [Guest]) -> Option<(usize, Query)> {
        for asker in self.askers.iter_mut().filter(|asker| asker.head.is_none() && !asker.is_over) {
            asker.head = guests[usize::from(asker.vm.0)].loadgen.next_scheduled();
            asker.is_over = asker.head.is_none();
        }
        let waiting = self.askers.iter_mut().filter(|asker| asker.head.is_some());
        let asker = waiting.min_by_key(|asker| (asker.head.map(|head| head.due), asker.taken))?;
        let query = Query { vm: asker.vm, ..asker.head.take()? };
        asker.taken += 1;
        if asker.present.1 == 0 {
            asker.present = (least_loaded(&self.servers), asker.per_query);
        }
        asker.present.1 -= 1;
        self.servers[asker.present.0].samples += 1;
        Some((asker.present.0, query))
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
