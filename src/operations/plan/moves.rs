//! Moving VMs: one that is asked for, and those that empty a machine.

use super::{Event, Guest, PlannedChange, Refusal, State, To, Walk};
use crate::operations::cluster::Seat;
use crate::operations::vmotion::{self, Moved, in_seconds};
use crate::spec::{GpuId, HostId};
use crate::units::{Bytes, SimDuration, SimTime};

impl Walk<'_> {
    pub(super) fn moved(&self, vm: usize) -> Moved {
        let of = &self.vms[vm];
        let profile = of.vgpu.as_ref().map_or(Bytes::ZERO, |vgpu| vgpu.frame_buffer);
        Moved {
            memory: of.memory,
            dirty_rate: self.settings.times.dirty_rate,
            used: of.used,
            profile: profile * of.seats.len() as u64,
        }
    }

    /// Why a VM with vGPUs cannot be moved at all, or suspended.
    pub(super) fn no_vgpu(&self, vm: usize, what: &str) -> Option<Refusal> {
        let why = || {
            let name = &self.vms[vm].name;
            Refusal::Mistake(format!(
                "{name} has a card that is passed through: it cannot be {what}"
            ))
        };
        self.vms[vm].vgpu.is_none().then(why)
    }

    pub(super) fn start_move(
        &mut self,
        now: SimTime,
        vm: usize,
        to: To,
        index: usize,
    ) -> Option<Refusal> {
        if let Some(refusal) = self.not_running(vm) {
            return Some(refusal);
        }
        if let Some(refusal) = self.no_vgpu(vm, "moved by vMotion") {
            return Some(refusal);
        }
        let Some(version) = self.settings.vmotion else {
            let why = "the hypervisor has no vMotion of VMs with vGPUs";
            return Some(Refusal::Mistake(why.to_string()));
        };
        let (moved, network) = (self.moved(vm), self.settings.times.network);
        if let Some(why) = vmotion::over_the_limit(version, &moved, network) {
            return Some(Refusal::Mistake(why));
        }
        let Some(pre) = vmotion::pre_copy(&moved, network) else {
            let why = "its memory changes faster than the network copies it";
            return Some(Refusal::Mistake(why.to_string()));
        };
        let (here, holding) = (self.guests[vm].seats.clone(), self.guests[vm].holding.clone());
        let source = self.cluster.host_of(here[0]);
        if let To::Card(card) = to
            && (here.len() > 1 || here[0] == card)
        {
            let name = &self.vms[vm].name;
            return Some(Refusal::Mistake(match here.len() {
                1 => format!("{name} is on card {} already", card.0),
                count => format!("{name} has {count} vGPUs, and one card is named"),
            }));
        }
        if let To::Host(host) = to {
            if host == source {
                let (name, host) = (&self.vms[vm].name, self.host_name(host));
                return Some(Refusal::Mistake(format!("{name} is on {host} already")));
            }
            if !self.cluster.takes_vms(host) {
                let why = format!(
                    "{} takes no VMs: it failed, or is in maintenance",
                    self.host_name(host)
                );
                return Some(Refusal::Mistake(why));
            }
        }
        let suits = |card: usize| match to {
            To::Card(only) => card == usize::from(only.0),
            To::Host(host) => self.cluster.host_of(GpuId(card as u16)) == host,
            To::Anywhere => self.cluster.host_of(GpuId(card as u16)) != source,
        };
        let asked = (&holding, here.len(), &*self.guests[vm].kind);
        let Some(seats) = self.cluster.find(asked, suits) else {
            let place = match to {
                To::Card(card) => format!("card {}", card.0),
                To::Host(host) => self.host_name(host),
                To::Anywhere => "any other host".to_string(),
            };
            let what = holding.words();
            let why =
                format!("{place} has no free {what} for it, and both are held during the copy");
            return Some(match to {
                To::Anywhere => Refusal::Answer(why),
                _ => Refusal::Mistake(why),
            });
        };
        let target = self.cluster.host_of(seats[0]);
        // One at a time on each network, as the published times are for.
        let free = [source, target].map(|host| self.movers.get(&host).copied());
        let begins = free.into_iter().flatten().fold(now, SimTime::max);
        let stun = vmotion::stun(version, &moved, network);
        let (halts, ends) = (begins + pre, begins + pre + stun);
        self.movers.insert(source, ends);
        self.movers.insert(target, ends);
        self.cluster.take(&seats, &holding);
        let waits = match begins > now {
            true => format!("waits {} s for another move", in_seconds(begins - now)),
            false => String::new(),
        };
        self.done(index, pre, Some(stun), waits);
        self.operations[index].to = Some(self.place_words(&seats));
        let coming = self.come(begins, vm, &seats);
        let guest = &mut self.guests[vm];
        guest.age += 1;
        guest.coming = coming;
        guest.state = State::Moves { to: seats, until: ends, operation: index };
        let age = guest.age;
        self.later(halts, Event::Stun(vm, age));
        self.later(ends, Event::Moved(vm, age));
        None
    }

    pub(super) fn end_move(&mut self, now: SimTime, vm: usize) {
        let state = std::mem::replace(&mut self.guests[vm].state, State::On);
        let State::Moves { to, .. } = state else { unreachable!("a move that ends has begun") };
        self.release(now, vm);
        let guest = &mut self.guests[vm];
        (guest.seats, guest.stay) = (to.clone(), guest.coming.take());
        if let Some(stay) = guest.stay {
            self.stays[stay].runs = Some(now);
        }
        self.step(now, vm, PlannedChange::GoOn(to));
        self.retry(now);
    }

    pub(super) fn host_name(&self, host: HostId) -> String {
        self.cluster.hosts[usize::from(host.0)].name.clone()
    }

    /// Cards in words: with their host where there are several.
    pub(super) fn place_words(&self, seats: &[Seat]) -> String {
        let cards: Vec<String> = seats.iter().map(|seat| seat.0.to_string()).collect();
        let word = if cards.len() == 1 { "card" } else { "cards" };
        let cards = format!("{word} {}", cards.join(", "));
        match self.cluster.hosts.len() {
            1 => cards,
            _ => format!("{}, {cards}", self.host_name(self.cluster.host_of(seats[0]))),
        }
    }

    pub(super) fn maintain(
        &mut self,
        now: SimTime,
        host: HostId,
        work: Option<SimDuration>,
        index: usize,
    ) -> Option<Refusal> {
        if !self.cluster.takes_vms(host) {
            let why = format!("{} is down or in maintenance", self.host_name(host));
            return Some(Refusal::Mistake(why));
        }
        self.cluster.set_open(host, false);
        self.evacuate(now, host, index, work);
        None
    }

    /// Moves the next VM off a machine; once one cannot be moved, or none is left, that is that. An empty
    /// one is worked on for `work` and then takes VMs again.
    pub(super) fn evacuate(
        &mut self,
        now: SimTime,
        host: HostId,
        index: usize,
        work: Option<SimDuration>,
    ) {
        let is_here = |guest: &Guest| {
            guest.seats.first().is_some_and(|seat| self.cluster.host_of(*seat) == host)
        };
        let Some(vm) = self.guests.iter().position(is_here) else {
            let took = now - self.operations[index].at;
            let mut part = format!("empty after {} s", in_seconds(took));
            if let Some(work) = work {
                part.push_str(&format!(", back after {} s more", in_seconds(work)));
                self.later(now + work, Event::Back(host));
            }
            return self.done(index, SimDuration::ZERO, Some(SimDuration::ZERO), part);
        };
        if let State::Moves { until, .. } | State::Suspends(until) | State::Starts(until) =
            self.guests[vm].state
        {
            return self.later(until, Event::Evacuate(host, index, work));
        }
        let one = self.add("vmotion", self.vms[vm].name.clone(), Some(vm), now);
        match self.start_move(now, vm, To::Anywhere, one) {
            Some(Refusal::Mistake(why) | Refusal::Answer(why)) => {
                let name = &self.vms[vm].name;
                let whole = format!("{name} cannot be moved away: {why}");
                self.refuse(one, Refusal::Answer(why));
                self.refuse(index, Refusal::Answer(whole));
                // It did not enter maintenance: it takes VMs as before.
                self.cluster.set_open(host, true);
                self.retry(now);
            }
            None => {
                let State::Moves { until, .. } = self.guests[vm].state else { return };
                self.later(until, Event::Evacuate(host, index, work));
            }
        }
    }
}
