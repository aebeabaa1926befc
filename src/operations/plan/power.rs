//! Suspending and resuming a VM, switching it off and on.

use super::{Event, PlannedChange, Refusal, State, Walk};
use crate::operations::cluster::Seat;
use crate::operations::vmotion::in_seconds;
use crate::operations::{restart, storage};
use crate::units::{SimDuration, SimTime};

impl Walk<'_> {
    pub(super) fn suspend(&mut self, now: SimTime, vm: usize, index: usize) -> Option<Refusal> {
        if let Some(refusal) = self.not_running(vm) {
            return Some(refusal);
        }
        if let Some(refusal) = self.no_vgpu(vm, "suspended") {
            return Some(refusal);
        }
        let of = &self.vms[vm];
        let write = storage::transfer(of.memory, of.used, self.settings.times.storage);
        self.done(index, SimDuration::ZERO, None, format!("writes for {} s", in_seconds(write)));
        self.step(now, vm, PlannedChange::Halt);
        let guest = &mut self.guests[vm];
        guest.age += 1;
        guest.state = State::Suspends(now + write);
        guest.stop = Some((now, index));
        let age = guest.age;
        self.later(now + write, Event::Written(vm, age));
        None
    }

    pub(super) fn resume(&mut self, now: SimTime, vm: usize, index: usize) -> Option<Refusal> {
        if self.guests[vm].state != State::Suspended {
            let name = self.vms[vm].name.clone();
            let why = match self.not_running(vm) {
                Some(Refusal::Mistake(why)) => why,
                _ => format!("{name} is running"),
            };
            return Some(Refusal::Mistake(why));
        }
        let Some(seats) = self.seats_for(vm) else {
            let what = self.guests[vm].holding.words();
            return Some(Refusal::Answer(format!("no {what} is free: it stays suspended")));
        };
        let of = &self.vms[vm];
        let read = storage::transfer(of.memory, of.used, self.settings.times.storage);
        let place = self.place_words(&seats);
        self.operations[index].to = Some(place);
        self.done(
            index,
            SimDuration::ZERO,
            Some(SimDuration::ZERO),
            format!("reads for {} s", in_seconds(read)),
        );
        self.occupy(now, vm, seats);
        self.starts(now + read, vm, false);
        None
    }

    /// The VM starts, or is read back, until then.
    pub(super) fn starts(&mut self, until: SimTime, vm: usize, anew: bool) {
        let guest = &mut self.guests[vm];
        guest.age += 1;
        guest.state = State::Starts(until);
        let age = guest.age;
        self.later(until, Event::Runs(vm, age, anew));
    }

    /// Cards for a VM that has none.
    pub(super) fn seats_for(&self, vm: usize) -> Option<Vec<Seat>> {
        let guest = &self.guests[vm];
        let own = &self.vms[vm].seats;
        let was_there = self.vms[vm].clone_of.is_none();
        match was_there && self.cluster.has_room_on(own, &guest.holding, &guest.kind) {
            true => Some(own.clone()),
            false => self.cluster.find((&guest.holding, guest.count, &guest.kind), |_| true),
        }
    }

    pub(super) fn power_off(&mut self, now: SimTime, vm: usize, index: usize) -> Option<Refusal> {
        if let Some(refusal) = self.not_running(vm) {
            return Some(refusal);
        }
        self.done(index, SimDuration::ZERO, None, String::new());
        self.step(now, vm, PlannedChange::Down);
        let guest = &mut self.guests[vm];
        guest.age += 1;
        guest.state = State::Off;
        guest.stop = Some((now, index));
        self.release(now, vm);
        self.retry(now);
        None
    }

    pub(super) fn power_on(&mut self, now: SimTime, vm: usize, index: usize) -> Option<Refusal> {
        if self.guests[vm].state != State::Off {
            let name = self.vms[vm].name.clone();
            let why = match self.not_running(vm) {
                Some(Refusal::Mistake(why)) => why,
                _ => format!("{name} is running"),
            };
            return Some(Refusal::Mistake(why));
        }
        if let Some(why) = self.is_kept_off(vm) {
            return Some(Refusal::Answer(format!("{why}: it is not powered on")));
        }
        let Some(seats) = self.seats_for(vm) else {
            let what = self.guests[vm].holding.words();
            return Some(Refusal::Answer(format!("no {what} is free: it stays off")));
        };
        self.operations[index].to = Some(self.place_words(&seats));
        let start = restart::start(self.settings.times);
        let part = format!("starts and loads for {} s", in_seconds(start));
        self.done(index, SimDuration::ZERO, Some(SimDuration::ZERO), part);
        self.occupy(now, vm, seats);
        self.starts(now + start, vm, true);
        None
    }
}
