//! Parts of a large run side by side: threads take parts each on a platform of its own, and one platform gets
//! what all of them recorded. Parts share nothing, so the outcome is the same on any number of threads.

use super::parts::Part;
use super::watch::Run;
use super::{Meter, Outcome, Platform};
use crate::parallel::*;
use crate::spec::{Experiment, GpuId, HostId};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many events between two looks: a fraction of a second.
const STRIDE: u64 = 500_000;

/// Most platforms: each has every VM of the experiment.
const LANES_MAX: usize = 16;

/// As [`simulate`](super::simulate), on up to so many platforms; `told` hears now and then how many samples are
/// answered.
pub fn simulate_told(
    experiment: &Experiment,
    lanes: usize,
    told: &(dyn Fn(u64) + Sync),
) -> Outcome {
    let all = AtomicU64::new(0);
    let run = |run| finished(run, &all, told);
    let first = Run::of(experiment);
    let lanes = lanes.min(first.parts.len()).clamp(1, LANES_MAX);
    if lanes == 1 {
        return run(first).platform.outcome();
    }
    let parts = first.parts.clone();
    // Dealt in turn: neighbours are often alike.
    let parts_of = |lane: usize| (lane..parts.len()).step_by(lanes);
    let runs = std::iter::once(first).chain((1..lanes).map(|_| Run::of(experiment)));
    let runs: Vec<Run<'_>> = runs.enumerate().map(|(lane, run)| run.only(parts_of(lane))).collect();
    let done: Vec<Run<'_>> = runs.into_par_iter().map(run).collect();
    let mut done = done.into_iter();
    let mut platform = done.next().expect("several lanes").platform;
    for (lane, other) in (1..).zip(done) {
        platform.take(other.platform, parts_of(lane).map(|place| &parts[place]));
    }
    platform.outcome()
}

/// A run at the end of its parts; `all` counts the samples that are answered on all platforms.
fn finished<'e>(mut run: Run<'e>, all: &AtomicU64, told: &(dyn Fn(u64) + Sync)) -> Run<'e> {
    let (mut meter, mut own) = (Meter::new(u64::MAX, &|| false), 0);
    while run.go(STRIDE, &mut meter).is_some() {
        let more = run.all_answered - own;
        own = run.all_answered;
        told(all.fetch_add(more, Ordering::Relaxed) + more);
    }
    run
}

impl Platform<'_> {
    /// Takes over these parts of another platform of the same experiment, on which they came to their ends.
    fn take<'p>(&mut self, mut other: Self, parts: impl Iterator<Item = &'p Part>) {
        other.lose_the_rest();
        for part in parts {
            for vm in &part.vms {
                let place = usize::from(vm.0);
                std::mem::swap(&mut self.guests[place], &mut other.guests[place]);
            }
            for (own, others) in self.balancers.iter_mut().zip(&mut other.balancers) {
                if part.vms.contains(&own.vm) {
                    std::mem::swap(own, others);
                }
            }
            let mut cards: BTreeSet<GpuId> = BTreeSet::new();
            for &server in &part.servers {
                let place = usize::from(server.0);
                for gpu in self.gpus_of(server) {
                    cards.extend(self.places_of(gpu).into_iter().map(|(card, _)| card));
                    std::mem::swap(&mut self.server_gpus[gpu], &mut other.server_gpus[gpu]);
                }
                std::mem::swap(&mut self.servers[place], &mut other.servers[place]);
            }
            let mut hosts: BTreeSet<HostId> = BTreeSet::new();
            for card in cards {
                let place = usize::from(card.0);
                hosts.insert(self.experiment.cards[place].host);
                std::mem::swap(&mut self.slots[place], &mut other.slots[place]);
            }
            // Whoever shares processors is in one part; where nobody does there is nothing to take.
            for host in hosts {
                let place = usize::from(host.0);
                let processors = &mut other.hosts[place].processors;
                std::mem::swap(&mut self.hosts[place].processors, processors);
            }
        }
        self.happened += other.happened;
    }
}
