//! A machine fails, and its VMs are restarted where a vGPU of their type is free.

use super::{Event, PlannedChange, Refusal, State, Walk};
use crate::operations::restart;
use crate::operations::vmotion::{self, in_seconds};
use crate::spec::{HostId, OperationOutcome, Outage};
use crate::units::{SimDuration, SimTime};

impl Walk<'_> {
    /// Why the stun limit keeps a VM from being powered on.
    pub(super) fn is_kept_off(&self, vm: usize) -> Option<String> {
        let version = self.settings.vmotion.filter(|version| version.checks_estimate)?;
        self.vms[vm].vgpu.as_ref()?;
        vmotion::over_the_limit(version, &self.moved(vm), self.settings.times.network)
    }

    pub(super) fn fail(
        &mut self,
        now: SimTime,
        host: HostId,
        back_after: Option<SimDuration>,
        index: usize,
    ) -> Option<Refusal> {
        if !self.cluster.takes_vms(host) {
            let why = format!("{} is down or in maintenance", self.host_name(host));
            return Some(Refusal::Mistake(why));
        }
        self.cluster.set_open(host, false);
        self.outages.push(Outage { host, from: now, until: None });
        for vm in 0..self.guests.len() {
            self.fail_with(now, vm, host);
        }
        let detection = restart::detection(self.settings.times);
        let part = format!("restarts begin after {} s", in_seconds(detection));
        self.done(index, SimDuration::ZERO, Some(SimDuration::ZERO), part);
        self.later(now + detection, Event::Detected);
        if let Some(back_after) = back_after {
            self.later(now + back_after, Event::Back(host));
        }
        None
    }

    /// What a machine's failure does to a VM.
    pub(super) fn fail_with(&mut self, now: SimTime, vm: usize, host: HostId) {
        if let State::Moves { to, operation, .. } = &self.guests[vm].state {
            let (to, operation) = (to.clone(), *operation);
            let (source, target) =
                (self.cluster.host_of(self.guests[vm].seats[0]), self.cluster.host_of(to[0]));
            if source == host || target == host {
                // What was copied is gone; the VM goes on where it was, if that stands.
                self.cluster.free(&to);
                let coming = self.guests[vm].coming.take();
                self.leave(now, coming);
                let name = self.host_name(host);
                self.refuse(operation, Refusal::Answer(format!("{name} failed meanwhile")));
                let guest = &mut self.guests[vm];
                guest.age += 1;
                guest.state = State::On;
                if source != host {
                    let seats = self.guests[vm].seats.clone();
                    let halted = self.steps.iter().rev().find(|step| step.vm == vm);
                    if halted.is_some_and(|step| step.change == PlannedChange::Halt) {
                        self.step(now, vm, PlannedChange::GoOn(seats));
                    }
                    return;
                }
            }
        }
        let guest = &self.guests[vm];
        let here = guest.seats.first().is_some_and(|seat| self.cluster.host_of(*seat) == host);
        if !here {
            return;
        }
        let index = self.add("ha-restart", self.vms[vm].name.clone(), Some(vm), now);
        self.done(index, SimDuration::ZERO, None, String::new());
        self.step(now, vm, PlannedChange::Down);
        self.release(now, vm);
        let guest = &mut self.guests[vm];
        guest.age += 1;
        guest.state = State::Failed;
        guest.stop.get_or_insert((now, index));
        let Some(priority) = self.vms[vm].priority else {
            let why = "its restart priority is disabled: it stays down".to_string();
            self.refuse(index, Refusal::Answer(why));
            return;
        };
        // Within a class in the order of the file.
        let place =
            self.failed.partition_point(|(other, _)| self.vms[*other].priority <= Some(priority));
        self.failed.insert(place, (vm, now));
        self.restarts(vm, index);
    }

    /// The restart of a VM is this operation.
    pub(super) fn restarts(&mut self, vm: usize, index: usize) {
        self.guests[vm].stop = self.guests[vm].stop.map(|(since, _)| (since, index));
    }

    /// Restarts those that failed and for which there is a place now.
    pub(super) fn retry(&mut self, now: SimTime) {
        let detection = restart::detection(self.settings.times);
        let due = self.failed.iter().filter(|(_, failed)| now >= *failed + detection);
        let due: Vec<usize> = due.map(|(vm, _)| *vm).collect();
        for vm in due {
            let Some((_, index)) = self.guests[vm].stop else { continue };
            if let Some(why) = self.is_kept_off(vm) {
                self.refuse(index, Refusal::Answer(why));
                continue;
            }
            let Some(seats) = self.seats_for(vm) else {
                let what = self.guests[vm].holding.words();
                let why = format!("no {what} is free on the hosts that are left: it stays down");
                self.refuse(index, Refusal::Answer(why));
                continue;
            };
            self.failed.retain(|(other, _)| *other != vm);
            let restart = restart::restart(self.settings.times);
            self.operations[index].to = Some(self.place_words(&seats));
            self.operations[index].outcome = OperationOutcome::Done {
                pre_copy: SimDuration::ZERO,
                stopped: None,
                parts: vec![format!(
                    "waits until {} s, is placed, starts and loads for {} s",
                    in_seconds(now - SimTime::ZERO),
                    in_seconds(restart)
                )],
            };
            self.occupy(now, vm, seats);
            self.starts(now + restart, vm, true);
        }
    }
}
