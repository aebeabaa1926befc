//! Cloning a VM: a full clone, whose disk is copied and which is then powered on like any other.
//!
//! Its vGPU profile is part of the configuration that is copied. A VM gets its vGPU when it is powered on, so
//! none is needed before. Copying is the storage's: the VM that it is made of serves on.

use super::{Event, Refusal, State, To, Walk};
use crate::operations::restart;
use crate::operations::vmotion::in_seconds;
use crate::spec::GpuId;
use crate::units::{SimDuration, SimTime};

impl Walk<'_> {
    /// The disk of a VM is copied, for another VM.
    pub(super) fn copy(
        &mut self,
        now: SimTime,
        clone: usize,
        to: To,
        index: usize,
    ) -> Option<Refusal> {
        let vm = self.vms[clone].clone_of?;
        if self.guests[vm].state != State::Off {
            // A running VM is copied from a snapshot, and one with a passed-through card has none.
            let refusal = self.not_running(vm).or_else(|| self.no_vgpu(vm, "cloned while it runs"));
            if refusal.is_some() {
                return refusal;
            }
        }
        let copy = self.settings.times.clone;
        let part = format!("makes {} in {} s", self.vms[clone].name, in_seconds(copy));
        self.done(index, SimDuration::ZERO, Some(SimDuration::ZERO), part);
        self.later(now + copy, Event::Copied(clone, index, to));
        None
    }

    /// A clone is powered on; why not, where it cannot be.
    pub(super) fn start_clone(
        &mut self,
        now: SimTime,
        clone: usize,
        to: To,
        index: usize,
    ) -> Option<Refusal> {
        if self.guests[clone].state != State::Absent {
            let why = format!("{} is there already", self.vms[clone].name);
            return Some(Refusal::Mistake(why));
        }
        if let Some(why) = self.is_kept_off(clone) {
            return Some(Refusal::Mistake(format!("{why}: it is not powered on")));
        }
        let guest = &self.guests[clone];
        let (name, made) = (&self.vms[clone].name, in_seconds(now - SimTime::ZERO));
        if let To::Card(card) = to
            && guest.count > 1
        {
            let why = format!("{name} has {} vGPUs, and card {} is named", guest.count, card.0);
            return Some(Refusal::Mistake(why));
        }
        let suits = |card: usize| match to {
            To::Card(only) => card == usize::from(only.0),
            To::Host(host) => self.cluster.host_of(GpuId(card as u16)) == host,
            To::Anywhere => true,
        };
        let found = self.cluster.find((&guest.holding, guest.count, &guest.kind), suits);
        let Some(seats) = found else {
            let place = match to {
                To::Card(card) => format!("card {}", card.0),
                To::Host(host) => self.host_name(host),
                To::Anywhere => "no host".to_string(),
            };
            let has = if to == To::Anywhere { "has a" } else { "has no" };
            let what = guest.holding.words();
            let why = format!("{place} {has} free {what} for {name} at {made} s, when it is made");
            return Some(Refusal::Mistake(why));
        };
        let start = restart::start(self.settings.times);
        let serves = now + start;
        if serves >= self.settings.end {
            let (serves, end) = (in_seconds(serves - SimTime::ZERO), self.settings.end);
            let why =
                format!("{name} would serve from {serves} s on, and the last load ends at {end}");
            return Some(Refusal::Mistake(why));
        }
        self.operations[index].to = Some(self.place_words(&seats));
        let part = format!("it starts and loads for {} s", in_seconds(start));
        self.done(index, SimDuration::ZERO, Some(SimDuration::ZERO), part);
        self.occupy(now, clone, seats);
        self.starts(serves, clone, true);
        None
    }
}
