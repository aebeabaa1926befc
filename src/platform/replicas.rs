//! Replicas of a shared load: how many of its VMs serve follows a rule, as time goes on.
//!
//! A replica that is not wanted is sent nothing, and has no turns on its card once it has answered what it has.
//! Its vGPU stays its own.

use super::{Platform, ServerId};
use crate::engine::EventList;
use crate::operations::replicas::ReplicaRule;
use crate::spec::{ReplicaMetric, Replicas, VmId};
use crate::units::{SimDuration, SimTime};

/// Among events of one instant this comes with operations, before arrivals.
const RANK: u8 = 0;

/// A server behind a load balancer.
pub(super) struct Behind {
    pub(super) server: ServerId,
    /// Queries that it has, as far as the balancer knows.
    pub(super) outstanding: u64,
    /// Whether its VM is down: it has none of them, and reports nothing to the rule.
    pub(super) is_down: bool,
}

/// A replica was started or stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scaled {
    /// When that was decided.
    pub at: SimTime,
    /// The VM.
    pub vm: VmId,
    /// How long it takes to start; nothing where it was stopped.
    pub start: Option<SimDuration>,
}

/// Starts and stops the replicas of a load balancer.
pub(super) struct Scaler {
    /// Place in the event list.
    pub(super) member: u32,
    rule: ReplicaRule,
    settings: Replicas,
    /// By place among the servers.
    states: Vec<State>,
    next_look: SimTime,
    /// What the rule looks at, of all replicas and over time since the last look, in seconds.
    sum: f64,
    noted: SimTime,
    pub(super) scaled: Vec<Scaled>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Off,
    /// It starts, and serves from then on.
    Starts(SimTime),
    On,
    /// It answers what it has, and gets no more.
    Drains,
}

impl Scaler {
    pub(super) fn new(settings: Replicas, most: usize) -> Self {
        let is_on = |place: usize| place < settings.min as usize;
        let states = (0..most).map(|place| if is_on(place) { State::On } else { State::Off });
        Self {
            member: u32::MAX,
            rule: ReplicaRule::new(settings, most as u32),
            settings,
            states: states.collect(),
            next_look: SimTime::ZERO + settings.period,
            sum: 0.0,
            noted: SimTime::ZERO,
            scaled: Vec::new(),
        }
    }

    /// Whether a replica is sent queries.
    pub(super) fn serves(&self, place: usize) -> bool {
        self.states[place] == State::On
    }

    /// Up to now the servers had these queries.
    pub(super) fn note(&mut self, now: SimTime, servers: &[Behind]) {
        let up = servers.iter().filter(|one| !one.is_down);
        let present = match self.settings.metric {
            ReplicaMetric::Outstanding => up.map(|one| one.outstanding).sum::<u64>(),
            ReplicaMetric::Busy => up.filter(|one| one.outstanding > 0).count() as u64,
        };
        self.sum += present as f64 * (now - self.noted).as_secs_f64();
        self.noted = now;
    }

    /// When something changes next.
    fn next(&self) -> SimTime {
        let starts = self.states.iter().filter_map(|state| match state {
            State::Starts(until) => Some(*until),
            _ => None,
        });
        starts.chain([self.next_look]).min().expect("there is a next look")
    }

    /// How many are there, those that start included.
    fn current(&self) -> u32 {
        let is_there = |state: &&State| matches!(state, State::On | State::Starts(_));
        self.states.iter().filter(is_there).count() as u32
    }
}

impl Platform<'_> {
    /// Replicas beyond the fewest are off at first.
    pub(super) fn start_replicas(&mut self, index: usize, events: &mut EventList) {
        let Some(scaler) = &self.balancers[index].scaler else { return };
        let (member, first) = (scaler.member, scaler.next());
        let off = (0..scaler.states.len()).filter(|&place| !scaler.serves(place));
        let off: Vec<ServerId> =
            off.map(|place| self.balancers[index].servers[place].server).collect();
        for server in off {
            let vm = self.servers[usize::from(server.0)].vm;
            self.set_running(SimTime::ZERO, vm, false, events);
        }
        events.set(member, RANK, Some(first));
    }

    /// Whether a server is a replica that is not wanted now.
    pub(super) fn is_scaled_off(&self, server: ServerId) -> bool {
        let Some((index, place)) = self.servers[usize::from(server.0)].balanced else {
            return false;
        };
        let scaler = &self.balancers[usize::from(index)].scaler;
        let state = scaler.as_ref().map(|scaler| scaler.states[usize::from(place)]);
        matches!(state, Some(State::Off | State::Starts(_)))
    }

    /// A replica has started, or it is time to look how many there should be.
    pub(super) fn follow_rule(&mut self, now: SimTime, index: u16, events: &mut EventList) {
        let balancer = &mut self.balancers[usize::from(index)];
        if self.guests[usize::from(balancer.vm.0)].is_over {
            return;
        }
        let scaler = balancer.scaler.as_mut().expect("a rule");
        scaler.note(now, &balancer.servers);
        let mut started = Vec::new();
        for (place, state) in scaler.states.iter_mut().enumerate() {
            if matches!(state, State::Starts(until) if *until <= now) {
                *state = State::On;
                started.push(balancer.servers[place].server);
            }
        }
        let looks = now >= scaler.next_look;
        for server in started {
            // One that stands still or is down goes on later.
            if self.stopped_since(server).is_none() {
                let vm = self.servers[usize::from(server.0)].vm;
                self.set_running(now, vm, true, events);
            }
        }
        if looks {
            self.scale(now, index, events);
        }
        let scaler = self.balancers[usize::from(index)].scaler.as_ref().expect("a rule");
        events.set(scaler.member, RANK, Some(scaler.next()));
    }

    /// Starts and stops as many replicas as the rule wants.
    fn scale(&mut self, now: SimTime, index: u16, events: &mut EventList) {
        let balancer = &mut self.balancers[usize::from(index)];
        let scaler = balancer.scaler.as_mut().expect("a rule");
        let (current, settings) = (scaler.current(), scaler.settings);
        let metric = scaler.sum / settings.period.as_secs_f64() / f64::from(current);
        (scaler.sum, scaler.next_look) = (0.0, now + settings.period);
        let wanted = scaler.rule.decide(now, current, metric);
        for _ in current..wanted {
            let off = scaler.states.iter().position(|state| *state == State::Off);
            // Those that still answer what they have are not there, and not free.
            let Some(place) = off else { break };
            scaler.states[place] = State::Starts(now + settings.start);
            let vm = self.servers[usize::from(balancer.servers[place].server.0)].vm;
            scaler.scaled.push(Scaled { at: now, vm, start: Some(settings.start) });
        }
        for _ in wanted..current {
            let balancer = &mut self.balancers[usize::from(index)];
            let scaler = balancer.scaler.as_mut().expect("a rule");
            let is_there = |state: &State| matches!(state, State::On | State::Starts(_));
            let place = scaler.states.iter().rposition(is_there).expect("as many as current");
            scaler.states[place] = match scaler.states[place] {
                State::On => State::Drains,
                _ => State::Off,
            };
            let vm = self.servers[usize::from(balancer.servers[place].server.0)].vm;
            scaler.scaled.push(Scaled { at: now, vm, start: None });
            self.stop_if_drained(now, index, place, events);
        }
    }

    /// A replica that is not wanted and has nothing to answer has no turns any more.
    pub(super) fn stop_if_drained(
        &mut self,
        now: SimTime,
        index: u16,
        place: usize,
        events: &mut EventList,
    ) {
        let balancer = &mut self.balancers[usize::from(index)];
        let Some(scaler) = &mut balancer.scaler else { return };
        let behind = &balancer.servers[place];
        if scaler.states[place] != State::Drains || behind.outstanding > 0 {
            return;
        }
        scaler.states[place] = State::Off;
        let server = behind.server;
        if self.stopped_since(server).is_none() {
            let vm = self.servers[usize::from(server.0)].vm;
            self.set_running(now, vm, false, events);
        }
    }

    /// What was started and stopped.
    pub(super) fn take_scaled(&mut self) -> Vec<Scaled> {
        let scalers = self.balancers.iter_mut().filter_map(|balancer| balancer.scaler.as_mut());
        scalers.flat_map(|scaler| std::mem::take(&mut scaler.scaled)).collect()
    }
}
