//! What becomes of operations: a walk through them in order of time, with what follows from each.
//!
//! ```text
//!  asked ─► events in order of time ─► who is where, what may be done ─► steps of VMs, outcomes
//! ```
//! An operation that cannot be done changes nothing and has its reason. Whether that is a mistake in a file
//! (a VM that is off is moved) or an answer (no vGPU is free for a restart) is said with it.

mod clone;
mod failure;
mod moves;
mod power;

use super::cluster::{CardPlace, Cluster, Holding, HostPlace, Seat, Vgpu};
use super::vmotion::in_seconds;
use crate::spec::{HostId, Operation, OperationOutcome, OperationTimes, Outage, Stay, Vmotion};
use crate::units::{Bytes, SimDuration, SimTime};
use std::collections::BTreeMap;

/// A VM as operations see it.
#[derive(Clone, PartialEq, Debug)]
pub struct VmAsked {
    /// Its name.
    pub name: String,
    /// Where it is at first: a card for each of its vGPUs, all on one machine. For a clone where its VM is:
    /// it needs as many, on cards of the same kind.
    pub seats: Vec<Seat>,
    /// The type of its vGPUs; nothing for cards that are passed through.
    pub vgpu: Option<Vgpu>,
    /// The frame buffer that it uses, of all its vGPUs.
    pub used: Bytes,
    /// Its memory.
    pub memory: Bytes,
    /// Its class among restarts, the lower first; nothing where HA does not restart it.
    pub priority: Option<u8>,
    /// For a VM that is not there at first: the one that it is made of, by number.
    pub clone_of: Option<usize>,
}

/// Where a VM is to be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// To this card, of which it has one.
    Card(Seat),
    /// To any cards of this machine.
    Host(HostId),
    /// To any other machine.
    Anywhere,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A running VM is moved; VMs are numbered as they are given.
    Vmotion {
        /// The VM.
        vm: usize,
        /// Where to.
        to: To,
    },
    /// A VM is written to storage and gives up its vGPUs.
    Suspend {
        /// The VM.
        vm: usize,
    },
    /// A suspended VM is read back.
    Resume {
        /// The VM.
        vm: usize,
    },
    /// A VM is switched off, with all that is in it.
    PowerOff {
        /// The VM.
        vm: usize,
    },
    /// A VM that is off starts.
    PowerOn {
        /// The VM.
        vm: usize,
    },
    /// A VM is made that is like another, and powered on.
    Clone {
        /// The VM that is made, by number.
        vm: usize,
        /// Where it is powered on; to any other machine means to any.
        to: To,
    },
    /// A machine fails.
    HostFailure {
        /// The machine.
        host: HostId,
        /// After what it is back; nothing for never.
        back_after: Option<SimDuration>,
    },
    /// A machine is emptied.
    Maintenance {
        /// The machine.
        host: HostId,
        /// How long it is worked on once it is empty, until it takes VMs again; nothing for ever.
        back_after: Option<SimDuration>,
    },
}

/// An operation that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// When.
    pub at: SimTime,
    /// What.
    pub kind: Kind,
}

/// What holds for all operations.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// How long they take.
    pub times: &'a OperationTimes,
    /// How VMs are moved; nothing where the hypervisor moves none.
    pub vmotion: Option<&'a Vmotion>,
    /// Whether vGPUs go to the emptiest card first.
    pub spreads: bool,
    /// When the last load ends.
    pub end: SimTime,
}

/// What becomes of operations.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// By their times; those of a file first among those of one instant.
    pub operations: Vec<Operation>,
    /// Of each operation that was asked for, its place in `operations`.
    pub of_asked: Vec<usize>,
    /// The operations that were asked for and cannot be meant, by place in `operations`.
    pub mistakes: Vec<usize>,
    /// What changes for VMs, in order of time.
    pub steps: Vec<PlannedStep>,
    /// Who has which cards and when; VMs by number.
    pub stays: Vec<Stay<usize>>,
    /// When machines are dead.
    pub outages: Vec<Outage>,
}

impl Plan {
    /// When a VM first serves that is not there at first, and on which cards.
    pub fn first_served(&self, vm: usize) -> Option<(SimTime, &[Seat])> {
        self.steps.iter().find_map(|step| match &step.change {
            PlannedChange::Up(seats) if step.vm == vm => Some((step.at, &seats[..])),
            _ => None,
        })
    }
}

/// A change to a VM.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedStep {
    /// When.
    pub at: SimTime,
    /// The VM, by number.
    pub vm: usize,
    /// What.
    pub change: PlannedChange,
}

/// What changes for a VM, and where it then is.
#[derive(Clone, PartialEq, Debug)]
pub enum PlannedChange {
    /// It stands still.
    Halt,
    /// It goes on.
    GoOn(Vec<Seat>),
    /// It is gone.
    Down,
    /// It serves again.
    Up(Vec<Seat>),
}

/// Works out what becomes of operations on VMs that are on these cards.
pub fn plan(
    (hosts, cards): (Vec<HostPlace>, Vec<CardPlace>),
    vms: &[VmAsked],
    asked: &[Asked],
    settings: Settings<'_>,
) -> Plan {
    let mut cluster = Cluster::new(hosts, cards, settings.spreads);
    let guest = |vm: &VmAsked| {
        let holding = vm.vgpu.clone().map_or(Holding::Whole, Holding::Vgpu);
        let kind =
            vm.seats.first().map_or(String::new(), |seat| cluster.kind_of(*seat).to_string());
        let (seats, state) = match vm.clone_of {
            None => (vm.seats.clone(), State::On),
            Some(_) => (Vec::new(), State::Absent),
        };
        let count = vm.seats.len();
        let (stay, coming) = (None, None);
        Guest { seats, count, holding, kind, state, age: 0, stop: None, stay, coming }
    };
    let mut guests: Vec<Guest> = vms.iter().map(guest).collect();
    guests.iter().for_each(|guest| cluster.take(&guest.seats, &guest.holding));
    let mut stays = Vec::new();
    for (vm, guest) in guests.iter_mut().enumerate().filter(|(_, guest)| guest.state == State::On) {
        guest.stay = Some(stays.len());
        let (cards, from) = (guest.seats.clone(), SimTime::ZERO);
        stays.push(Stay { vm, cards, from, runs: Some(from), until: None });
    }
    let mut walk = Walk {
        cluster,
        vms,
        guests,
        settings,
        events: BTreeMap::new(),
        number: 0,
        operations: Vec::new(),
        of_asked: vec![usize::MAX; asked.len()],
        mistakes: Vec::new(),
        steps: Vec::new(),
        stays,
        outages: Vec::new(),
        failed: Vec::new(),
        movers: BTreeMap::new(),
    };
    for (place, asked) in asked.iter().enumerate() {
        walk.later(asked.at, Event::Asked(place, *asked));
    }
    while let Some(((now, _), event)) = walk.events.pop_first() {
        walk.handle(now, event);
    }
    walk.finish()
}

/// A VM on its way.
struct Guest {
    /// Where it is; empty where it holds no card.
    seats: Vec<Seat>,
    count: usize,
    holding: Holding,
    kind: String,
    state: State,
    /// Counts what happened to it: an event of an earlier age is void.
    age: u32,
    /// Since when it does not serve, and by which operation.
    stop: Option<(SimTime, usize)>,
    /// Its stay on its cards, by place.
    stay: Option<usize>,
    /// Its stay on the cards to which it is being moved.
    coming: Option<usize>,
}

#[derive(Clone, PartialEq, Debug)]
enum State {
    On,
    /// It is being moved, until then: to these cards, by this operation.
    Moves {
        to: Vec<Seat>,
        until: SimTime,
        operation: usize,
    },
    /// It is written to storage until then.
    Suspends(SimTime),
    Suspended,
    /// It starts or is read back, until then.
    Starts(SimTime),
    Off,
    /// It is a clone that is not made yet.
    Absent,
    /// Its machine failed.
    Failed,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// What was asked, by place.
    Asked(usize, Asked),
    /// A VM stands still, its memory copied: age.
    Stun(usize, u32),
    /// A VM has been moved.
    Moved(usize, u32),
    /// A VM is in storage.
    Written(usize, u32),
    /// A VM goes on, read back; or serves, started anew.
    Runs(usize, u32, bool),
    /// The disk of a clone is copied, of an operation; and where it is powered on.
    Copied(usize, usize, To),
    /// A machine is known to have failed.
    Detected,
    /// A machine is back.
    Back(HostId),
    /// The next VM of a machine is moved away, of an operation; and how long it is then worked on.
    Evacuate(HostId, usize, Option<SimDuration>),
}

struct Walk<'a> {
    cluster: Cluster,
    vms: &'a [VmAsked],
    guests: Vec<Guest>,
    settings: Settings<'a>,
    events: BTreeMap<(SimTime, u64), Event>,
    number: u64,
    operations: Vec<Operation>,
    of_asked: Vec<usize>,
    mistakes: Vec<usize>,
    steps: Vec<PlannedStep>,
    stays: Vec<Stay<usize>>,
    outages: Vec<Outage>,
    /// VMs that wait for their restart, in its order, and when each failed.
    failed: Vec<(usize, SimTime)>,
    /// Until when each machine's network is taken by a move.
    movers: BTreeMap<HostId, SimTime>,
}

/// Why an operation is not done.
enum Refusal {
    /// Nobody can mean it.
    Mistake(String),
    /// It is an answer.
    Answer(String),
}

impl Walk<'_> {
    fn later(&mut self, at: SimTime, event: Event) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    fn handle(&mut self, now: SimTime, event: Event) {
        match event {
            Event::Asked(place, asked) => {
                let index = self.open(asked.kind, now);
                self.of_asked[place] = index;
                let refusal = match now > self.settings.end {
                    true => Some(self.after_the_end()),
                    false => self.begin(now, asked.kind, index),
                };
                if let Some(refusal) = refusal {
                    self.refuse(index, refusal);
                }
            }
            Event::Stun(vm, age) if age == self.guests[vm].age => {
                self.step(now, vm, PlannedChange::Halt);
            }
            Event::Moved(vm, age) if age == self.guests[vm].age => self.end_move(now, vm),
            Event::Written(vm, age) if age == self.guests[vm].age => {
                let guest = &mut self.guests[vm];
                guest.state = State::Suspended;
                self.release(now, vm);
                self.retry(now);
            }
            Event::Runs(vm, age, anew) if age == self.guests[vm].age => {
                let guest = &mut self.guests[vm];
                guest.state = State::On;
                let seats = guest.seats.clone();
                if let Some(stay) = guest.stay {
                    self.stays[stay].runs = Some(now);
                }
                let change =
                    if anew { PlannedChange::Up(seats) } else { PlannedChange::GoOn(seats) };
                self.step(now, vm, change);
            }
            Event::Stun(..) | Event::Moved(..) | Event::Written(..) | Event::Runs(..) => {}
            Event::Copied(vm, index, to) => {
                if let Some(refusal) = self.start_clone(now, vm, to, index) {
                    self.refuse(index, refusal);
                }
            }
            Event::Detected => self.retry(now),
            Event::Back(host) => {
                self.cluster.set_open(host, true);
                let outage = self.outages.iter_mut().rev().find(|outage| outage.host == host);
                if let Some(outage) = outage.filter(|outage| outage.until.is_none()) {
                    outage.until = Some(now);
                }
                self.retry(now);
            }
            Event::Evacuate(host, index, work) => self.evacuate(now, host, index, work),
        }
    }

    fn after_the_end(&self) -> Refusal {
        Refusal::Mistake(format!("the last load ends at {}", self.settings.end))
    }

    /// An operation of which nothing has come so far.
    fn open(&mut self, kind: Kind, at: SimTime) -> usize {
        let vm = match kind {
            Kind::Vmotion { vm, .. }
            | Kind::Suspend { vm }
            | Kind::Resume { vm }
            | Kind::PowerOff { vm }
            | Kind::PowerOn { vm } => Some(vm),
            Kind::Clone { vm, .. } => self.vms[vm].clone_of,
            Kind::HostFailure { .. } | Kind::Maintenance { .. } => None,
        };
        let host = |host: HostId| self.cluster.hosts[usize::from(host.0)].name.clone();
        let subject = match kind {
            Kind::HostFailure { host: of, .. } | Kind::Maintenance { host: of, .. } => host(of),
            _ => vm.map_or(String::new(), |vm| self.vms[vm].name.clone()),
        };
        self.add(kind.word(), subject, vm, at)
    }

    fn add(
        &mut self,
        kind: &'static str,
        subject: String,
        vm: Option<usize>,
        at: SimTime,
    ) -> usize {
        let outcome = OperationOutcome::Done {
            pre_copy: SimDuration::ZERO,
            stopped: Some(SimDuration::ZERO),
            parts: Vec::new(),
        };
        let vm = vm.map(|vm| crate::spec::VmId(vm as u16));
        self.operations.push(Operation { kind, subject, vm, at, to: None, outcome });
        self.operations.len() - 1
    }

    fn refuse(&mut self, index: usize, refusal: Refusal) {
        let why = match refusal {
            Refusal::Mistake(why) => {
                self.mistakes.push(index);
                why
            }
            Refusal::Answer(why) => why,
        };
        self.operations[index].outcome = OperationOutcome::Refused { why };
    }

    /// Sets what an operation took, or is known to take.
    fn done(&mut self, index: usize, pre: SimDuration, stop: Option<SimDuration>, part: String) {
        if let OperationOutcome::Done { pre_copy, stopped, parts } =
            &mut self.operations[index].outcome
        {
            (*pre_copy, *stopped) = (pre, stop);
            if !part.is_empty() {
                parts.push(part);
            }
        }
    }

    /// Begins an operation; why not, where it cannot be.
    fn begin(&mut self, now: SimTime, kind: Kind, index: usize) -> Option<Refusal> {
        match kind {
            Kind::Vmotion { vm, to } => self.start_move(now, vm, to, index),
            Kind::Suspend { vm } => self.suspend(now, vm, index),
            Kind::Resume { vm } => self.resume(now, vm, index),
            Kind::PowerOff { vm } => self.power_off(now, vm, index),
            Kind::PowerOn { vm } => self.power_on(now, vm, index),
            Kind::Clone { vm, to } => self.copy(now, vm, to, index),
            Kind::HostFailure { host, back_after } => self.fail(now, host, back_after, index),
            Kind::Maintenance { host, back_after } => self.maintain(now, host, back_after, index),
        }
    }

    fn step(&mut self, at: SimTime, vm: usize, change: PlannedChange) {
        let guest = &mut self.guests[vm];
        let starts = matches!(change, PlannedChange::GoOn(_) | PlannedChange::Up(_));
        if starts && let Some((since, index)) = guest.stop.take() {
            let stop = at - since;
            if let OperationOutcome::Done { stopped, .. } = &mut self.operations[index].outcome {
                *stopped = Some(stop);
            }
        }
        self.steps.push(PlannedStep { at, vm, change });
    }

    /// The VM gives up its cards.
    fn release(&mut self, now: SimTime, vm: usize) {
        let seats = std::mem::take(&mut self.guests[vm].seats);
        self.cluster.free(&seats);
        let stay = self.guests[vm].stay.take();
        self.leave(now, stay);
    }

    /// A stay begins.
    fn come(&mut self, from: SimTime, vm: usize, cards: &[Seat]) -> Option<usize> {
        self.stays.push(Stay { vm, cards: cards.to_vec(), from, runs: None, until: None });
        Some(self.stays.len() - 1)
    }

    /// A stay ends.
    fn leave(&mut self, now: SimTime, stay: Option<usize>) {
        if let Some(stay) = stay {
            self.stays[stay].until = Some(now);
        }
    }

    /// The VM takes cards.
    fn occupy(&mut self, now: SimTime, vm: usize, seats: Vec<Seat>) {
        let stay = self.come(now, vm, &seats);
        let guest = &mut self.guests[vm];
        self.cluster.take(&seats, &guest.holding);
        (guest.seats, guest.stay) = (seats, stay);
    }

    /// Why a VM that should be running is not, for an operation on it; nothing where it runs.
    fn not_running(&self, vm: usize) -> Option<Refusal> {
        let name = &self.vms[vm].name;
        let until = |until: SimTime| in_seconds(until - SimTime::ZERO);
        let state = match &self.guests[vm].state {
            State::On => return None,
            State::Moves { until: end, .. } => format!("is being moved until {} s", until(*end)),
            State::Suspends(end) => format!("is being suspended until {} s", until(*end)),
            State::Suspended => "is suspended".to_string(),
            State::Starts(end) => format!("starts, until {} s", until(*end)),
            State::Off => "is powered off".to_string(),
            State::Absent => "is not there yet".to_string(),
            State::Failed => "is down: its host failed".to_string(),
        };
        Some(Refusal::Mistake(format!("{name} {state}")))
    }

    fn finish(mut self) -> Plan {
        // In order of time, whichever was known first.
        let mut order: Vec<usize> = (0..self.operations.len()).collect();
        order.sort_by_key(|&index| (self.operations[index].at, index));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        let mut operations: Vec<Option<Operation>> = self.operations.drain(..).map(Some).collect();
        let operations = order.iter().filter_map(|&old| operations[old].take()).collect();
        Plan {
            operations,
            of_asked: self.of_asked.into_iter().map(|old| place[old]).collect(),
            mistakes: self.mistakes.into_iter().map(|old| place[old]).collect(),
            steps: self.steps,
            stays: self.stays,
            outages: self.outages,
        }
    }
}

impl Kind {
    /// Every word of an operation in files.
    pub const WORDS: [&'static str; 8] = [
        "vmotion",
        "suspend",
        "resume",
        "power-off",
        "power-on",
        "host-failure",
        "maintenance",
        "clone",
    ];

    /// Its word in files and results.
    pub fn word(self) -> &'static str {
        Self::WORDS[match self {
            Kind::Vmotion { .. } => 0,
            Kind::Suspend { .. } => 1,
            Kind::Resume { .. } => 2,
            Kind::PowerOff { .. } => 3,
            Kind::PowerOn { .. } => 4,
            Kind::HostFailure { .. } => 5,
            Kind::Maintenance { .. } => 6,
            Kind::Clone { .. } => 7,
        }]
    }
}

#[cfg(test)]
mod tests;
