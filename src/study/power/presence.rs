//! When VMs are on each card and host, and so when a host is empty; from the experiment alone, before
//! any run.
//!
//! It knows no watts.

use crate::spec::{EmptyHosts, Experiment, GpuShare, HostId, HostStates, VmChange, VmId};
use crate::units::SimTime;
use std::collections::BTreeSet;

/// Spans of time in seconds, in order, that do not touch.
type Spans = Vec<[f64; 2]>;

/// Who is where in a run of a given length.
pub(super) struct Presence {
    /// The part of the run in which a VM is on the card, by card.
    pub(super) cards: Vec<f64>,
    /// The part of the run in which each host is on standby.
    pub(super) standby: Vec<f64>,
    /// The part of each VM's time that it spends on each host, by VM and host.
    pub(super) of_vms: Vec<Vec<f64>>,
}

impl Presence {
    /// Of a run up to `end`.
    pub(super) fn of(experiment: &Experiment, end: SimTime) -> Self {
        let end = end.as_secs_f64();
        let mut cards: Vec<Spans> = vec![Vec::new(); experiment.cards.len()];
        let mut of_vms = Vec::new();
        for index in 0..experiment.vms.len() {
            let mut hosts = vec![0.0; experiment.hosts.len()];
            for (place, span) in stays(experiment, VmId(index as u16), end) {
                let used: BTreeSet<usize> =
                    place.iter().map(|share| usize::from(share.card.0)).collect();
                used.iter().for_each(|&card| cards[card].push(span));
                hosts[usize::from(experiment.host_of(&place).0)] += span[1] - span[0];
            }
            let all: f64 = hosts.iter().sum();
            hosts.iter_mut().for_each(|time| *time = if all > 0.0 { *time / all } else { 0.0 });
            of_vms.push(hosts);
        }
        let cards: Vec<Spans> = cards.into_iter().map(joined).collect();
        let standby = (0..experiment.hosts.len()).map(|index| {
            let host = HostId(index as u16);
            let here = experiment.cards.iter().zip(&cards).filter(|(card, _)| card.host == host);
            let here = joined(here.flat_map(|(_, spans)| spans.iter().copied()).collect());
            let sleeps = experiment.others_on(host).next().is_none();
            let states = experiment.power.as_ref().filter(|_| sleeps);
            let states = states.filter(|states| states.empty_hosts == EmptyHosts::Standby);
            let asleep = states.map_or(0.0, |states| standby(states, &here, end));
            asleep / end.max(f64::MIN_POSITIVE)
        });
        let part = |spans: &Spans| length(spans) / end.max(f64::MIN_POSITIVE);
        Self { standby: standby.collect(), cards: cards.iter().map(part).collect(), of_vms }
    }
}

/// Where a VM is, and from when to when, up to `end`.
fn stays(experiment: &Experiment, vm: VmId, end: f64) -> Vec<(Vec<GpuShare>, [f64; 2])> {
    let own = &experiment.vms[usize::from(vm.0)];
    let mut place = own.gpus.clone();
    let mut since = Some(own.power_on.as_secs_f64());
    let mut found = Vec::new();
    let mut leaves = |place: &[GpuShare], since: &mut Option<f64>, at: f64| {
        if let Some(from) = since.take().filter(|from| at > *from) {
            found.push((place.to_vec(), [from, at]));
        }
    };
    let first = experiment.first_model(vm);
    let steps = experiment.timeline.iter().flat_map(|timeline| &timeline.steps);
    for step in steps.filter(|step| step.vm == first) {
        let at = step.at.as_secs_f64().min(end);
        match &step.change {
            VmChange::Halt | VmChange::GoOn(None) => {}
            VmChange::Down => leaves(&place, &mut since, at),
            VmChange::GoOn(Some(parts)) | VmChange::Up(Some(parts)) => {
                leaves(&place, &mut since, at);
                (place, since) = (parts.clone(), Some(at));
            }
            VmChange::Up(None) => since = since.or(Some(at)),
        }
    }
    let until = own.power_off.map_or(end, |off| off.as_secs_f64().min(end));
    leaves(&place, &mut since, until);
    found
}

/// The same time in spans that do not touch.
fn joined(mut spans: Spans) -> Spans {
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
/// down, and is booted again in time. One that begins without VMs is on standby then.
fn standby(states: &HostStates, here: &Spans, end: f64) -> f64 {
    let [shutdown, boot] = [&states.shutdown, &states.boot].map(|fact| fact.value.as_secs_f64());
    let mut from = 0.0;
    let mut sum = 0.0;
    for [arrives, leaves] in here.iter().copied().chain([[end, end]]) {
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
        let asleep =
            |here: &[[f64; 2]]| standby(&HostStates::usual(), &here.to_vec(), 180.0 * 60.0) / 60.0;
        assert_eq!(asleep(&[minutes(0.0, 60.0), minutes(120.0, 180.0)]), 50.0);
        assert_eq!(asleep(&[minutes(0.0, 60.0), minutes(69.0, 180.0)]), 0.0);
        assert_eq!(asleep(&[minutes(0.0, 60.0)]), 118.0);
        // One that begins empty is on standby until 8 minutes before its first VM.
        assert_eq!(asleep(&[minutes(60.0, 180.0)]), 52.0);
        assert_eq!(asleep(&[]), 180.0);
    }

    #[test]
    fn stays_that_touch_are_one() {
        assert_eq!(joined(vec![[5.0, 9.0], [0.0, 2.0], [2.0, 3.0]]), [[0.0, 3.0], [5.0, 9.0]]);
    }
}
