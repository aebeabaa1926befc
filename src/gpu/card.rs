//! `Card`: one physical GPU as one station: card, instances, owners, pools.
//!
//! A whole GPU is one instance with one owner; MIG is several instances with one owner each. Turns
//! among several owners of one instance come here too, as a case of the instance.

use super::{Pool, PoolJob};
use crate::queueing::Station;
use crate::queueing::stats::TimeWeighted;
use crate::spec::GpuSharing;
use crate::units::{Share, SimTime};

/// An instance of a card: index into its list of instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstanceId(pub u16);

/// A share of a card and how its owner's batches use it.
#[derive(Clone, Copy, Debug)]
pub struct InstanceSpec {
    /// The share of the GPU's SMs; 1 for the whole GPU.
    pub share: Share,
    /// How batches of the owner use it together.
    pub sharing: GpuSharing,
}

/// A batch for an instance of a card.
#[derive(Clone, Copy, Debug)]
pub struct CardJob<T> {
    /// Where it runs.
    pub instance: InstanceId,
    /// What runs.
    pub job: PoolJob<T>,
}

/// One physical GPU.
#[derive(Debug)]
pub struct Card<T> {
    pools: Vec<Pool<T>>,
    busy: TimeWeighted,
}

impl<T> Card<T> {
    /// A card cut into `instances`; none for a card nobody owns.
    pub fn new(instances: &[InstanceSpec]) -> Self {
        let pools =
            instances.iter().map(|instance| Pool::new(instance.share, instance.sharing)).collect();
        Self { pools, busy: TimeWeighted::new() }
    }

    /// Part of the time up to `now` in which any instance had work, 0 to 1.
    pub fn busy_share(&self, now: SimTime) -> f64 {
        self.busy.mean(now)
    }

    fn note_busy(&mut self, now: SimTime) {
        let busy = self.pools.iter().any(|pool| !pool.is_empty());
        self.busy.set(now, u64::from(busy));
    }
}

impl<T> Station for Card<T> {
    type Job = CardJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, job: CardJob<T>) {
        self.pools[usize::from(job.instance.0)].submit(now, job.job);
        self.note_busy(now);
    }

    fn next_change(&self) -> Option<SimTime> {
        self.pools.iter().filter_map(Station::next_change).min()
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        self.pools.iter_mut().for_each(|pool| pool.advance(now, done));
        self.note_busy(now);
    }
}
