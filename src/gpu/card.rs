//! `Card`: one physical GPU as one station: card, instances, owners, pools.
//!
//! A whole GPU is one instance with one owner; time slicing is one instance with several in turns
//! (the hypervisor's or the hardware's), MPS one with several side by side; MIG is several
//! instances. Instances do not affect one another, except through the card's power limit and so its
//! clock.

use super::inside::Inside;
use super::work::InsideTimes;
use super::{
    Client, ClientStep, Counters, Headroom, Mps, MpsJob, OwnerTime, PhaseLog, PhaseSpan, Pool,
    PoolJob, PowerCap, Ring, Turns, Window,
};
use crate::queueing::Station;
use crate::queueing::stats::TimeWeighted;
use crate::spec::{GpuSharing, InstanceSharing, InstanceSpec};
use crate::units::{SimDuration, SimTime};
use rand::Rng;
use rand::seq::SliceRandom;

/// An owner on a card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OwnerId {
    /// The instance: index into the card's list.
    pub instance: u16,
    /// The owner's slot in its instance, 0 for the only one.
    pub slot: u16,
}

/// Where the time of a card went, as parts of the whole card's time, 0 to 1; the rest is idle.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct CardTime {
    /// Of each owner.
    pub owners: Vec<(OwnerId, OwnerTime)>,
    /// The engine passed from one owner to another while any had work.
    pub switch: f64,
    /// The turns of vGPUs that no VM has, while any owner had work.
    pub vacant: f64,
}

/// A batch for an owner on a card.
#[derive(Clone, Copy, Debug)]
pub struct CardJob<T> {
    /// Its owner.
    pub owner: OwnerId,
    /// The batch.
    pub job: PoolJob<T>,
}

/// One physical GPU.
#[derive(Debug)]
pub struct Card<T> {
    instances: Vec<Instance<T>>,
    /// The power limit, where what is busy decides the clock.
    power: Option<PowerCap>,
    /// What pauses leave of the power limit, where the work reaches it.
    headroom: Option<Headroom>,
    /// The clock that the power limit leaves.
    limited: f64,
    /// The clock in force, over the highest where power decides it, else over that of the demands.
    clock: f64,
}

#[derive(Debug)]
struct Instance<T> {
    /// Its part of the GPU, 0 to 1.
    share: f64,
    /// [`Client::watts`] of each slot: of a node with several pods, of the one that draws most.
    watts: Vec<f64>,
    /// Of each owner its slot, and its place among those that share it: the pods of a node.
    seats: Vec<(usize, usize)>,
    use_of: Use<T>,
}

/// How an instance is used.
#[derive(Debug)]
enum Use<T> {
    /// One owner has it all the time.
    Owned { pool: Pool<T>, busy: TimeWeighted, phases: Option<Box<Phases>> },
    /// Owners take turns by the hypervisor's policy.
    Sliced(Box<Turns<T>>),
    /// Owners take turns by the hardware's run list.
    Ringed(Box<Ring<T, Inside<T>>>),
    /// Owners run side by side.
    Overlapped(Mps<T>),
}

/// When an owner that is alone began to be busy, for a timeline.
#[derive(Debug)]
struct Phases {
    log: PhaseLog,
    busy_since: Option<SimTime>,
}

impl Phases {
    /// From `now` on it is busy, or not.
    fn set(&mut self, now: SimTime, is_busy: bool) {
        match (self.busy_since, is_busy) {
            (None, true) => self.busy_since = Some(now),
            (Some(since), false) => {
                self.log.add_share(0, since, now, self.log.share());
                self.busy_since = None;
            }
            _ => {}
        }
    }
}

impl<T> Card<T> {
    /// A card cut into `instances`; for each, its owners: how their batches share the GPU, and
    /// their limit under MPS. With `power`, demands are stated at the highest clock; without it,
    /// instances do not affect one another.
    pub fn new(instances: &[(InstanceSpec, Vec<Client>)], power: Option<PowerCap>) -> Self {
        let instances = instances.iter().map(|(spec, owners)| Instance::new(spec, owners));
        let mut card = Self {
            instances: instances.collect(),
            power,
            headroom: None,
            limited: 1.0,
            clock: 1.0,
        };
        let most = |instance: &Instance<T>| {
            instance.share * instance.watts.iter().copied().fold(0.0, f64::max)
        };
        let most = card.instances.iter().map(most).sum();
        // Where all of it at work is below the limit, nothing needs to be followed.
        card.power = power.filter(|power| !power.allows(most));
        card
    }

    /// Power that it draws now above the idle card's, at the highest clock, in watts.
    pub fn draw(&self) -> f64 {
        self.instances.iter().map(Instance::draw).sum()
    }

    /// The present clock; relative to the highest where the power limit decides it.
    pub fn clock(&self) -> f64 {
        self.clock
    }

    /// The card with a clock that rises after pauses.
    pub fn with_headroom(mut self, headroom: Headroom) -> Self {
        self.headroom = Some(headroom);
        self
    }

    /// The card with the rings of its instances in random order: which order a driver uses is not
    /// known beforehand.
    pub fn with_rings_by_lot(mut self, lot: &mut impl Rng) -> Self {
        for instance in &mut self.instances {
            match &mut instance.use_of {
                Use::Ringed(ring) => {
                    let mut order: Vec<usize> = (0..ring.owners()).collect();
                    order.shuffle(lot);
                    ring.set_order(order);
                    ring.shuffle_pods(lot);
                }
                Use::Sliced(turns) => turns.shuffle_pods(lot),
                Use::Owned { .. } | Use::Overlapped(_) => {}
            }
        }
        self
    }

    /// The part of the card's SMs that were busy, averaged over the time up to `now`, 0 to 1.
    pub fn busy_share(&mut self, now: SimTime) -> f64 {
        let busy = |instance: &mut Instance<T>| match &mut instance.use_of {
            Use::Owned { busy, .. } => instance.share * busy.mean(now),
            Use::Sliced(turns) => {
                let run = part_run(&turns.counters(now), now);
                instance.share * (run - instance.use_of.passing_inside(now))
            }
            Use::Ringed(ring) => {
                let run = part_run(&ring.counters(now), now);
                instance.share * (run - instance.use_of.passing_inside(now))
            }
            Use::Overlapped(mps) => mps.mean_in_use(now),
        };
        self.instances.iter_mut().map(busy).sum()
    }

    /// Where the card's time up to `now` went.
    pub fn time(&mut self, now: SimTime) -> CardTime {
        let mut time = CardTime::default();
        for (index, instance) in self.instances.iter_mut().enumerate() {
            let (owners, switch, vacant) = instance.time(now);
            let owner = |slot| OwnerId { instance: index as u16, slot: slot as u16 };
            let owners = owners.into_iter().enumerate();
            time.owners.extend(owners.map(|(slot, had)| (owner(slot), had)));
            time.switch += switch;
            time.vacant += vacant;
        }
        time
    }

    /// What is busy decides the clock, where anything does.
    fn follow_power(&mut self, now: SimTime) {
        if self.power.is_some() || self.headroom.is_some() {
            self.set_clock_by_power(now);
        }
    }

    /// Sets the clock to what the busy share of the card leaves of its power.
    fn set_clock_by_power(&mut self, now: SimTime) {
        if let Some(power) = self.power {
            self.limited = power.clock(self.draw());
        }
        let rested = self
            .headroom
            .as_mut()
            .map_or(1.0, |room| room.clock(now, self.instances.iter().map(Instance::in_use).sum()));
        self.set_clock(now, self.limited * rested);
    }

    fn set_clock(&mut self, now: SimTime, clock: f64) {
        if clock == self.clock {
            return;
        }
        self.clock = clock;
        for instance in &mut self.instances {
            match &mut instance.use_of {
                Use::Owned { pool, .. } => pool.set_clock(now, clock),
                Use::Sliced(turns) => turns.set_clock(now, clock),
                Use::Ringed(ring) => ring.set_clock(now, clock),
                Use::Overlapped(mps) => mps.set_clock(now, clock),
            }
        }
    }

    /// From `now` on, `queued` batches of an owner are launched and wait for its streams: each
    /// starts at the instant at which another batch of its owner ends, so the owner keeps its turn.
    pub fn set_queued(&mut self, now: SimTime, owner: OwnerId, queued: usize) {
        let (seat, use_of) = self.seat(owner);
        match use_of {
            Use::Sliced(turns) => turns.set_queued_of(now, seat, queued),
            Use::Ringed(ring) => ring.set_queued_of(now, seat, queued),
            Use::Owned { .. } | Use::Overlapped(_) => {}
        }
    }

    /// The next batch of an owner, a client of MPS, is a step of its engine: how long it takes depends on the
    /// steps of the others.
    pub fn set_step(&mut self, owner: OwnerId, step: ClientStep) {
        if let (_, Use::Overlapped(mps)) = self.seat(owner) {
            mps.set_step(usize::from(owner.slot), step);
        }
    }

    /// The time that an owner was given on its instance up to `now`; nothing where there are no
    /// turns. Of a node with several pods the first has what all of them were given.
    pub fn counters(&mut self, now: SimTime, owner: OwnerId) -> Option<Counters> {
        let ((slot, member), use_of) = self.seat(owner);
        match use_of {
            _ if member > 0 => None,
            Use::Sliced(turns) => Some(turns.counters(now)[slot]),
            Use::Ringed(ring) => Some(ring.counters(now)[slot]),
            Use::Owned { .. } | Use::Overlapped(_) => None,
        }
    }

    /// Records from now on, the start of the run, what each instance does in a window.
    pub fn record_phases(&mut self, window: Window) {
        for instance in &mut self.instances {
            let log = PhaseLog::new(window, instance.share);
            match &mut instance.use_of {
                Use::Owned { phases, .. } => {
                    *phases = Some(Box::new(Phases { log, busy_since: None }));
                }
                Use::Sliced(turns) => drop(turns.set_phases(Some(Box::new(log)))),
                Use::Ringed(ring) => drop(ring.set_phases(Some(Box::new(log)))),
                Use::Overlapped(mps) => drop(mps.set_phases(SimTime::ZERO, Some(Box::new(log)))),
            }
        }
    }

    /// What each instance did in the window that was recorded, known up to `now`; and up to when nothing
    /// is missing.
    pub fn take_phases(&mut self, now: SimTime) -> Vec<(Vec<PhaseSpan>, SimTime)> {
        let of = |instance: &mut Instance<T>| {
            let log = match &mut instance.use_of {
                Use::Owned { phases, .. } => phases.take().map(|mut phases| {
                    phases.set(now, false);
                    Box::new(phases.log)
                }),
                Use::Sliced(turns) => {
                    turns.counters(now);
                    turns.set_phases(None)
                }
                Use::Ringed(ring) => {
                    ring.counters(now);
                    ring.set_phases(None)
                }
                Use::Overlapped(mps) => mps.set_phases(now, None),
            };
            log.map_or((Vec::new(), now), |mut log| log.take(now))
        };
        self.instances.iter_mut().map(of).collect()
    }

    /// How many spans are recorded so far.
    pub fn recorded(&self) -> usize {
        let of = |instance: &Instance<T>| match &instance.use_of {
            Use::Owned { phases, .. } => phases.as_ref().map_or(0, |phases| phases.log.len()),
            Use::Sliced(turns) => turns.recorded(),
            Use::Ringed(ring) => ring.recorded(),
            Use::Overlapped(mps) => mps.recorded(),
        };
        self.instances.iter().map(of).sum()
    }

    /// Powers an owner on or off, which its neighbours in the same instance may notice.
    pub fn set_running(&mut self, now: SimTime, owner: OwnerId, is_running: bool) {
        let ((slot, member), use_of) = self.seat(owner);
        match use_of {
            // The pods of a node come and go with it.
            _ if member > 0 => {}
            Use::Sliced(turns) => turns.set_running(now, slot, is_running),
            Use::Ringed(ring) => ring.set_running(now, slot, is_running),
            Use::Owned { .. } | Use::Overlapped(_) => {}
        }
    }
}

impl<T> Card<T> {
    /// Where an owner is: the slot and its place there, and what uses the instance.
    fn seat(&mut self, owner: OwnerId) -> ((usize, usize), &mut Use<T>) {
        let instance = &mut self.instances[usize::from(owner.instance)];
        (instance.seats[usize::from(owner.slot)], &mut instance.use_of)
    }
}

/// The part of the time up to `now` in which owners in turns worked.
fn part_run(counters: &[Counters], now: SimTime) -> f64 {
    let run: f64 = counters.iter().map(|counters| counters.run.as_secs_f64()).sum();
    if now == SimTime::ZERO { 0.0 } else { run / now.as_secs_f64() }
}

impl<T> Use<T> {
    fn new(spec: &InstanceSpec, owners: &[Client], slots: &[Vec<Client>]) -> Self {
        match spec.sharing {
            InstanceSharing::Vgpus(slicing) => {
                Use::Sliced(Box::new(Turns::of_nodes(slots, spec.share, slicing)))
            }
            InstanceSharing::BestEffort(turns) | InstanceSharing::Processes(turns) => {
                let order: Vec<usize> = (0..slots.len()).collect();
                Use::Ringed(Box::new(Ring::of_nodes(slots, spec.share, &turns, &order)))
            }
            InstanceSharing::Mps(_) | InstanceSharing::Models => {
                Use::Overlapped(Mps::new(owners, spec.share))
            }
            InstanceSharing::Alone => {
                assert!(owners.len() <= 1, "{} owners of what is not shared", owners.len());
                let sharing = owners.first().map_or(GpuSharing::InOrder, |owner| owner.sharing);
                let pool = Pool::new(spec.share, sharing);
                Use::Owned { pool, busy: TimeWeighted::new(), phases: None }
            }
        }
    }
}

impl<T> Use<T> {
    /// What the pods of each slot had, where it has several.
    fn times_inside(&mut self) -> Vec<Option<InsideTimes>> {
        match self {
            Use::Sliced(turns) => turns.times_inside(),
            Use::Ringed(ring) => ring.times_inside(),
            Use::Owned { .. } | Use::Overlapped(_) => Vec::new(),
        }
    }

    /// The part of the time up to `now` in which the engine passed from pod to pod of a node.
    fn passing_inside(&mut self, now: SimTime) -> f64 {
        let switches = self.times_inside().into_iter().flatten().map(|times| times.switch);
        if now == SimTime::ZERO { 0.0 } else { switches.sum::<f64>() / now.as_secs_f64() }
    }
}

impl<T> Instance<T> {
    /// An instance with these owners; the pods of a node are together in one slot.
    fn new(spec: &InstanceSpec, owners: &[Client]) -> Self {
        let mut slots: Vec<Vec<Client>> = Vec::new();
        let mut seats = Vec::new();
        for owner in owners {
            let node = |other: &Client| other.node.map(|node| node.vm);
            let is_its =
                |slot: &Vec<Client>| node(owner).is_some() && node(&slot[0]) == node(owner);
            let slot = slots.iter().position(is_its).unwrap_or(slots.len());
            if slot == slots.len() {
                slots.push(Vec::new());
            }
            seats.push((slot, slots[slot].len()));
            slots[slot].push(*owner);
        }
        let most = |members: &Vec<Client>| members.iter().map(|one| one.watts).fold(0.0, f64::max);
        Self {
            share: spec.share.get(),
            watts: slots.iter().map(most).collect(),
            seats,
            use_of: Use::new(spec, owners, &slots),
        }
    }

    /// The part of the card's SMs that works now: all of the instance while it has work, in turns
    /// or not.
    fn in_use(&self) -> f64 {
        let all_while = |works: bool| if works { self.share } else { 0.0 };
        match &self.use_of {
            Use::Owned { pool, .. } => all_while(!pool.is_empty()),
            Use::Sliced(turns) => all_while(turns.has_work()),
            Use::Ringed(ring) => all_while(ring.has_work()),
            Use::Overlapped(mps) => mps.in_use(),
        }
    }
}

impl<T> Instance<T> {
    /// Up to `now`, as parts of the card's time: what each owner had, what switches took, and the turns
    /// of vGPUs that no VM has.
    fn time(&mut self, now: SimTime) -> (Vec<OwnerTime>, f64, f64) {
        let beside = |run| OwnerTime { run, burned: 0.0 };
        let (owners, vacant) = match &mut self.use_of {
            Use::Owned { busy, .. } => {
                let run = self.share * busy.mean(now);
                return (self.seats.iter().map(|_| beside(run)).collect(), 0.0, 0.0);
            }
            Use::Overlapped(mps) => {
                return (mps.means(now).into_iter().map(beside).collect(), 0.0, 0.0);
            }
            Use::Sliced(turns) => (turns.counters(now), turns.vacant()),
            Use::Ringed(ring) => (ring.counters(now), Counters::default()),
        };
        let part = |span: SimDuration| match now == SimTime::ZERO {
            true => 0.0,
            false => self.share * (span.as_secs_f64() / now.as_secs_f64()),
        };
        let had = |own: &Counters| OwnerTime { run: part(own.run), burned: part(own.burned) };
        let mut switch: f64 = owners.iter().chain([&vacant]).map(|own| part(own.switch)).sum();
        let slots = owners.iter().map(had).collect::<Vec<_>>();
        let inside = self.use_of.times_inside();
        if inside.iter().all(Option::is_none) {
            return (slots, switch, part(vacant.burned));
        }
        let all = now.as_secs_f64();
        let seconds = |span: f64| if all > 0.0 { self.share * (span / all) } else { 0.0 };
        switch += inside.iter().flatten().map(|times| seconds(times.switch)).sum::<f64>();
        // What a node's turns burn is told of its first pod.
        let of_member = |&(slot, member): &(usize, usize)| OwnerTime {
            run: inside[slot].as_ref().map_or(slots[slot].run, |times| seconds(times.runs[member])),
            burned: if member == 0 { slots[slot].burned } else { 0.0 },
        };
        (self.seats.iter().map(of_member).collect(), switch, part(vacant.burned))
    }

    /// What it draws now beside the idle card, at the highest clock: the energy of its batches over their
    /// times, and no more than its part of what full batches on all of the GPU draw.
    fn draw(&self) -> f64 {
        let up_to = |owner: usize, drawn: f64| {
            drawn.min(self.share * self.watts.get(owner).copied().unwrap_or(0.0))
        };
        let of_holder =
            |holder: Option<usize>, drawn: f64| holder.map_or(0.0, |owner| up_to(owner, drawn));
        match &self.use_of {
            Use::Owned { pool, .. } => up_to(0, pool.draw()),
            Use::Sliced(turns) => of_holder(turns.holder(), turns.draw()),
            Use::Ringed(ring) => of_holder(ring.holder(), ring.draw()),
            Use::Overlapped(mps) => mps.draw(&self.watts),
        }
    }
}

impl<T> Station for Card<T> {
    type Job = CardJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, CardJob { owner, job }: CardJob<T>) {
        let (seat, use_of) = self.seat(owner);
        match use_of {
            Use::Sliced(turns) => turns.submit_of(now, seat, job),
            Use::Ringed(ring) => ring.submit_of(now, seat, job),
            Use::Overlapped(mps) => {
                mps.submit(now, MpsJob { client: usize::from(owner.slot), job });
            }
            Use::Owned { pool, busy, phases } => {
                pool.submit(now, job);
                busy.set(now, 1);
                if let Some(phases) = phases {
                    phases.set(now, true);
                }
            }
        }
        self.follow_power(now);
    }

    fn next_change(&self) -> Option<SimTime> {
        let next = |instance: &Instance<T>| match &instance.use_of {
            Use::Owned { pool, .. } => pool.next_change(),
            Use::Sliced(turns) => turns.next_change(),
            Use::Ringed(ring) => ring.next_change(),
            Use::Overlapped(mps) => mps.next_change(),
        };
        let next = match &self.instances[..] {
            [whole] => next(whole)?,
            instances => instances.iter().filter_map(next).min()?,
        };
        let clock = self.headroom.as_ref().and_then(Headroom::next_change);
        Some(clock.map_or(next, |clock| clock.min(next)))
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        for instance in &mut self.instances {
            match &mut instance.use_of {
                Use::Sliced(turns) => turns.advance(now, done),
                Use::Ringed(ring) => ring.advance(now, done),
                Use::Overlapped(mps) => mps.advance(now, done),
                Use::Owned { pool, busy, phases } => {
                    pool.advance(now, done);
                    let is_busy = !pool.is_empty();
                    busy.set(now, u64::from(is_busy));
                    if let Some(phases) = phases {
                        phases.set(now, is_busy);
                    }
                }
            }
        }
        self.follow_power(now);
    }
}
