//! VMs that come and go: the order of power-ons and power-offs, and the cluster under a policy.

use super::ClusterTask;
use super::because::because;
use crate::engine::RandomStreams;
use crate::layout::cluster::{Cluster, POLICIES, Placed, PolicyEntry, Refused, placeable};
use crate::units::{Bytes, SimDuration, SimTime};
use rand::Rng;
use std::collections::BTreeMap;

/// A power-on or a power-off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Event {
    pub(super) time: SimTime,
    /// Power-offs come before power-ons of the same time.
    pub(super) is_on: bool,
    pub(super) vm: usize,
}

/// What happened under a policy, up to a moment.
pub(super) struct History<'a> {
    pub(super) policy: &'static PolicyEntry,
    pub(super) cluster: Cluster<'a>,
    pub(super) refused: Vec<(SimTime, usize, Refused)>,
    pub(super) placed: u32,
    /// The part of the free frame buffer that one more VM of each kind could have, over all kinds by
    /// how often they come: the mean of samples.
    pub(super) placeable: Option<f64>,
}

/// Most looks at what is placeable in a history.
const SAMPLES: usize = 64;

/// Hosts times kinds beyond which only the end is looked at.
const SAMPLED: usize = 2000;

/// All power-ons and power-offs, in order; drawn times by the seed.
pub(super) fn events(task: &ClusterTask) -> Vec<Event> {
    let mut events = Vec::new();
    let streams = RandomStreams::new(task.head.seed, 0);
    let mut vm = 0;
    for group in &task.vms {
        let mut stream = streams.stream(&format!("lifetimes/{}", group.name));
        let mut draw = || (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        for _ in 0..group.vms() {
            let (mut on, mut off) = (group.power_on, group.power_off);
            if let Some(lifetimes) = group.lifetimes {
                let span = |share: f64, of: SimDuration| {
                    SimDuration::from_nanos((share * of.as_nanos() as f64) as u64)
                };
                on = on + span(draw(), lifetimes.within);
                off = Some(on + span(-(1.0 - draw()).ln(), lifetimes.mean));
            }
            events.push(Event { time: on, is_on: true, vm });
            events.extend(off.map(|time| Event { time, is_on: false, vm }));
            vm += 1;
        }
    }
    events.sort_unstable();
    events
}

/// The moment that is looked at unless one is asked for: after the last power-on.
pub(super) fn last_power_on(events: &[Event]) -> SimTime {
    events.iter().filter(|event| event.is_on).map(|event| event.time).max().unwrap_or(SimTime::ZERO)
}

/// Plays the events up to a moment, it included.
pub(super) fn play<'a>(
    task: &'a ClusterTask,
    policy: &'static PolicyEntry,
    events: &[Event],
    until: SimTime,
) -> History<'a> {
    let mut cluster = task.cluster();
    let mut chooser = (policy.make)(&cluster, task.head.seed);
    let (mut refused, mut placed) = (Vec::new(), 0);
    let events: Vec<&Event> = events.iter().filter(|event| event.time <= until).collect();
    let is_sampled = cluster.hosts.len() * cluster.kinds.len() <= SAMPLED;
    let every = (events.len() / SAMPLES).max(1);
    let (mut sum, mut samples) = (0.0, 0);
    for (index, event) in events.iter().enumerate() {
        if !event.is_on {
            cluster.power_off(event.vm);
        } else {
            match cluster.power_on(event.vm, chooser.as_mut()) {
                None => placed += 1,
                Some(why) => refused.push((event.time, event.vm, why)),
            }
        }
        let is_last = index + 1 == events.len();
        let is_looked_at = (is_sampled && index % every == every - 1) || is_last;
        if let Some(part) = is_looked_at.then(|| placeable_part(&cluster)).flatten() {
            sum += part;
            samples += 1;
        }
    }
    let placeable = (samples > 0).then(|| sum / f64::from(samples));
    History { policy, cluster, refused, placed, placeable }
}

/// Places all VMs of a task beside each other, in order of power-on, by its policy. Where each is, or
/// why some have no place.
pub fn placed_together(task: &ClusterTask) -> Result<Vec<Placed>, Vec<(usize, String)>> {
    let mut cluster = task.cluster();
    let mut chooser = (policy(task.policy).make)(&cluster, task.head.seed);
    let groups = task.groups();
    let mut refused = Vec::new();
    for event in events(task).iter().filter(|event| event.is_on) {
        if let Some(why) = cluster.power_on(event.vm, chooser.as_mut()) {
            let group = &task.vms[groups[event.vm]];
            refused.push((event.vm, because(task, group, &why)));
        }
    }
    let places: Option<Vec<Placed>> =
        (0..cluster.vms.len()).map(|vm| cluster.place_of(vm).cloned()).collect();
    places.ok_or(refused)
}

/// By how often kinds come: the part of the free frame buffer that more VMs of a kind could have.
fn placeable_part(cluster: &Cluster<'_>) -> Option<f64> {
    let free: u64 = (0..cluster.hosts.len()).map(|host| free_of(cluster, host).get()).sum();
    if free == 0 {
        return None;
    }
    let mut often: BTreeMap<usize, u32> = BTreeMap::new();
    cluster.vms.iter().for_each(|kind| *often.entry(*kind).or_default() += 1);
    often.retain(|kind, _| cluster.kinds[*kind].gpus.is_some());
    let all: u32 = often.values().sum();
    let part = |(kind, count): (&usize, &u32)| {
        let (_, bytes) = placeable(cluster, *kind);
        f64::from(*count) * (bytes.get() as f64 / free as f64).min(1.0)
    };
    (all > 0).then(|| often.iter().map(part).sum::<f64>() / f64::from(all))
}

/// Free frame buffer of a host's cards.
pub(super) fn free_of(cluster: &Cluster<'_>, host: usize) -> Bytes {
    let cards = cluster.hosts[host].cards.iter();
    Bytes::new(cards.map(|card| card.free(&cluster.models[card.model]).get()).sum())
}

/// The policy of this name.
pub(super) fn policy(name: &str) -> &'static PolicyEntry {
    POLICIES.iter().find(|entry| entry.name == name).expect("a known policy")
}
