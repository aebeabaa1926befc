//! When VMs are on each card and host, and so when a host is empty; from the operations of an experiment and
//! the replicas that a run started.
//!
//! It knows no watts.

use crate::platform::Scaled;
use crate::spec::{EmptyHosts, Experiment, GpuId, HostId, HostStates, Stay, VmId};
use crate::units::SimTime;
use std::collections::BTreeMap;

/// Spans of time in seconds, in order, that do not touch.
type Spans = Vec<[f64; 2]>;

/// Who is where in a run of a given length.
pub(super) struct Presence {
    /// The part of the run in which a VM runs on the card, by card.
    pub(super) cards: Vec<f64>,
    /// The part of the run in which each host is on standby.
    pub(super) standby: Vec<f64>,
    /// The part of the run in which each host is dead.
    pub(super) failed: Vec<f64>,
    /// The part of each VM's time that it spends on each host, by VM and host.
    pub(super) of_vms: Vec<Vec<f64>>,
}

impl Presence {
    /// Of a run up to `end` in which these replicas were started and stopped.
    pub(super) fn of(experiment: &Experiment, scaled: &[Scaled], end: SimTime) -> Self {
        let replicas = replicas(experiment, scaled);
        let end = end.as_secs_f64();
        // A host is needed as soon as a VM has cards of it, a context is open while one runs there.
        let mut needed: Vec<Spans> = vec![Vec::new(); experiment.hosts.len()];
        let mut open: Vec<Spans> = vec![Vec::new(); experiment.cards.len()];
        let mut of_vms = vec![vec![0.0; experiment.hosts.len()]; experiment.vms.len()];
        let host_of =
            |cards: &[GpuId]| usize::from(experiment.cards[usize::from(cards[0].0)].host.0);
        let until = |until: Option<SimTime>| until.map_or(end, |at| at.as_secs_f64().min(end));
        for stay in stays(experiment) {
            let (host, left) = (host_of(&stay.cards), until(stay.until));
            needed[host].push([stay.from.as_secs_f64(), left]);
            let (Some(vm), Some(runs)) = (stay.vm, stay.runs) else { continue };
            let span = [runs.as_secs_f64(), left];
            of_vms[usize::from(vm.0)][host] += (span[1] - span[0]).max(0.0);
            let on = replicas.get(&vm).map_or_else(|| vec![span], |on| common(on, span));
            stay.cards.iter().for_each(|card| open[usize::from(card.0)].extend(&on));
        }
        for index in 0..experiment.vms.len() {
            // Models are where their VM is.
            let first = experiment.first_model(VmId(index as u16));
            of_vms[index] = of_vms[usize::from(first.0)].clone();
        }
        for hosts in &mut of_vms {
            let all: f64 = hosts.iter().sum();
            hosts.iter_mut().for_each(|time| *time = if all > 0.0 { *time / all } else { 0.0 });
        }
        let part = |seconds: f64| seconds / end.max(f64::MIN_POSITIVE);
        let mut dead: Vec<Spans> = vec![Vec::new(); experiment.hosts.len()];
        for outage in experiment.timeline.iter().flat_map(|timeline| &timeline.outages) {
            let span = [outage.from.as_secs_f64(), until(outage.until)];
            dead[usize::from(outage.host.0)].push(span);
        }
        let dead: Vec<Spans> = dead.into_iter().map(joined).collect();
        let standby = needed.into_iter().zip(&dead).enumerate().map(|(index, (here, dead))| {
            let sleeps = experiment.others_on(HostId(index as u16)).next().is_none();
            let states = experiment.power.as_ref().filter(|_| sleeps);
            let states = states.filter(|states| states.empty_hosts == EmptyHosts::Standby);
            part(states.map_or(0.0, |states| standby(states, &joined(here), dead, end)))
        });
        Self {
            standby: standby.collect(),
            failed: dead.iter().map(|spans| part(length(spans))).collect(),
            cards: open.into_iter().map(|spans| part(length(&joined(spans)))).collect(),
            of_vms,
        }
    }
}

/// Who has which cards: as operations leave it, or from power-on to power-off.
fn stays(experiment: &Experiment) -> Vec<Stay<Option<VmId>>> {
    if let Some(timeline) = &experiment.timeline {
        return timeline.stays.clone();
    }
    let vms = (0..).zip(&experiment.vms).filter(|(_, vm)| vm.server_of.is_none());
    let stays = vms.map(|(index, vm)| Stay {
        vm: Some(VmId(index)),
        cards: vm.gpus.iter().map(|share| share.card).collect(),
        from: vm.power_on,
        runs: Some(vm.power_on),
        until: vm.power_off,
    });
    stays.collect()
}

/// When each replica serves.
fn replicas(experiment: &Experiment, scaled: &[Scaled]) -> BTreeMap<VmId, Spans> {
    let mut found: BTreeMap<VmId, Spans> = BTreeMap::new();
    for balance in experiment.vms.iter().filter_map(|vm| vm.balance.as_ref()) {
        let Some(replicas) = &balance.replicas else { continue };
        for (place, vm) in balance.members.iter().enumerate() {
            let on = if place < replicas.min as usize { vec![[0.0, f64::MAX]] } else { Vec::new() };
            found.insert(*vm, on);
        }
    }
    for Scaled { at, vm, start } in scaled {
        let on = found.entry(*vm).or_default();
        match (start, on.last_mut()) {
            (Some(start), _) => on.push([(*at + *start).as_secs_f64(), f64::MAX]),
            (None, Some(last)) => last[1] = at.as_secs_f64(),
            (None, None) => {}
        }
    }
    found
}

/// What of these spans is in another.
fn common(spans: &Spans, [from, to]: [f64; 2]) -> Spans {
    let within = spans.iter().map(|span| [span[0].max(from), span[1].min(to)]);
    within.filter(|span| span[1] > span[0]).collect()
}

/// The same time in spans that do not touch.
fn joined(mut spans: Spans) -> Spans {
    spans.retain(|[from, to]| to > from);
    spans.sort_by(|one, other| one[0].total_cmp(&other[0]));
    let mut joined: Spans = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span[0] <= last[1] => last[1] = last[1].max(span[1]),
            _ => joined.push(span),
        }
    }
    joined
}

fn length(spans: &Spans) -> f64 {
    spans.iter().map(|[from, to]| to - from).sum()
}

/// Seconds that a host with VMs at these times is on standby: of each gap what is left once it was shut
/// down, and is booted again in time. One that begins without VMs is on standby then; a dead one is not, and
/// is on once it is back.
fn standby(states: &HostStates, here: &Spans, dead: &Spans, end: f64) -> f64 {
    let [shutdown, boot] = [&states.shutdown, &states.boot].map(|fact| fact.value.as_secs_f64());
    let with = |spans: &Spans, boot: f64| spans.iter().map(move |span| (*span, boot)).collect();
    let mut on: Vec<([f64; 2], f64)> = with(here, boot);
    // Nobody boots a host so that it fails.
    on.extend::<Vec<_>>(with(dead, 0.0));
    on.sort_by(|(one, _), (other, _)| one[0].total_cmp(&other[0]));
    let mut from = 0.0;
    let mut sum = 0.0;
    for ([arrives, leaves], boot) in on.into_iter().chain([([end, end], 0.0)]) {
        let arrives = arrives.min(end);
        let before = if from > 0.0 { shutdown } else { 0.0 };
        let after = if arrives < end { boot } else { 0.0 };
        sum += f64::max(arrives - from - before - after, 0.0);
        from = leaves;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shut down in 2 minutes, booted in 8. A host whose VMs are gone from 1:00 to 2:00 is on standby for 50
    /// minutes of it; an empty gap of 9 minutes saves nothing; at the end nobody boots it.
    #[test]
    fn a_gap_is_on_standby_but_for_its_shutdown_and_boot() {
        let minutes = |from: f64, to: f64| [from * 60.0, to * 60.0];
        let asleep = |here: &[[f64; 2]]| {
            standby(&HostStates::usual(), &here.to_vec(), &Vec::new(), 180.0 * 60.0) / 60.0
        };
        assert_eq!(asleep(&[minutes(0.0, 60.0), minutes(120.0, 180.0)]), 50.0);
        assert_eq!(asleep(&[minutes(0.0, 60.0), minutes(69.0, 180.0)]), 0.0);
        assert_eq!(asleep(&[minutes(0.0, 60.0)]), 118.0);
        // One that begins empty is on standby until 8 minutes before its first VM.
        assert_eq!(asleep(&[minutes(60.0, 180.0)]), 52.0);
        assert_eq!(asleep(&[]), 180.0);
    }

    /// VMs until 1:00, when the host fails; it is back at 2:00, empty: 2 minutes of shutdown, then standby to
    /// 3:00. One that fails on standby was not booted for it.
    #[test]
    fn a_dead_host_is_not_on_standby() {
        let minutes = |from: f64, to: f64| vec![[from * 60.0, to * 60.0]];
        let asleep = |here: Spans, dead: Spans| {
            standby(&HostStates::usual(), &here, &dead, 180.0 * 60.0) / 60.0
        };
        assert_eq!(asleep(minutes(0.0, 60.0), minutes(60.0, 120.0)), 58.0);
        assert_eq!(asleep(Vec::new(), minutes(60.0, 120.0)), 60.0 + 58.0);
        assert_eq!(asleep(minutes(0.0, 60.0), minutes(60.0, 180.0)), 0.0);
    }

    #[test]
    fn stays_that_touch_are_one() {
        assert_eq!(joined(vec![[5.0, 9.0], [0.0, 2.0], [2.0, 3.0]]), [[0.0, 3.0], [5.0, 9.0]]);
    }
}
