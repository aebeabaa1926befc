//! Operations on VMs while the run goes on: a VM stands still and goes on, maybe elsewhere; or it is down,
//! with all that was in it, and serves again.
//!
//! Which VM does so when was worked out before the run. Standing still is made of permits: the batchers of
//! the VM keep theirs back, so that no batch is formed. What is launched on the card runs to its end; what
//! comes out of any station is held there, and goes on with the VM. Once nothing of it is under way the VM
//! has no turns on its card.

use super::course::Course;
use super::route::passing;
use super::{BatchId, Platform, ServerId};
use crate::engine::EventList;
use crate::gpu::{Client, OwnerId};
use crate::loadgen::Query;
use crate::queueing::{Sequencer, Station};
use crate::record::Stage;
use crate::spec::{
    Completion, Experiment, GpuId, GpuShare, HostId, InstanceSpec, PermitReturn, Timeline,
    VmChange, VmId, VmStep,
};
use crate::units::SimTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What operations need to know.
pub(super) struct Operating {
    timeline: Arc<Timeline>,
    /// By the first model of each VM: how it stands still.
    halts: Vec<Option<Halt>>,
    /// Of each VM, the places of its steps.
    steps: BTreeMap<VmId, Vec<u32>>,
    /// Of each GPU of a server: the owner that it is on every instance that it may come to have; first where
    /// it is at first.
    seats: Vec<Vec<Seat>>,
    /// Where models of one server are one owner: the slot of the first of them, by its process, server and
    /// GPU, card and instance.
    shared: BTreeMap<(ServersGpu, GpuId, u16), u16>,
}

/// A GPU of a server of a VM: the VM by its first model, the place of the server in its pool, and that of
/// the GPU.
pub(super) type ServersGpu = (VmId, usize, usize);

/// The owners of every instance of every card, while the platform is made.
pub(super) type Owners = Vec<Vec<(InstanceSpec, Vec<Client>)>>;

/// A place that a server's GPU may come to be.
struct Seat {
    card: GpuId,
    instance: u16,
    owner: OwnerId,
}

/// A VM that stands still, or is down.
struct Halt {
    since: SimTime,
    /// The courses of the GPUs of its servers.
    courses: Vec<(usize, Course)>,
    /// Batches that wait to go on, in the order in which they came.
    held: Vec<BatchId>,
    /// Batches that are at a station still.
    under_way: usize,
    is_down: bool,
    /// Queries that were lost.
    lost: u64,
    /// The step that waits until nothing is under way.
    next: Option<u32>,
}

impl Operating {
    /// What the operations of an experiment need; nothing where there are none.
    pub(super) fn of(experiment: &Experiment) -> Option<Box<Self>> {
        let timeline = experiment.timeline.clone()?;
        let halts = experiment.vms.iter().map(|_| None).collect();
        let mut steps: BTreeMap<VmId, Vec<u32>> = BTreeMap::new();
        for (place, step) in (0..).zip(&timeline.steps) {
            steps.entry(step.vm).or_default().push(place);
        }
        Some(Box::new(Self { timeline, halts, steps, seats: Vec::new(), shared: BTreeMap::new() }))
    }

    /// How many steps there are.
    pub(super) fn steps(&self) -> usize {
        self.timeline.steps.len()
    }

    /// The steps of a VM: their places and times.
    pub(super) fn steps_of(&self, vm: VmId) -> impl Iterator<Item = (u32, SimTime)> {
        let places = self.steps.get(&vm).into_iter().flatten();
        places.map(|&place| (place, self.timeline.steps[place as usize].at))
    }

    /// The GPU of a server that was added last is this owner at first, and others where operations bring it:
    /// so many each, all of them such clients; one where it is with other models of its server.
    pub(super) fn add_seats(
        &mut self,
        experiment: &Experiment,
        cards: &mut Owners,
        (key @ (vm, _, place), share): (ServersGpu, &GpuShare),
        (owner, client, processes): (OwnerId, &Client, usize),
        is_one: bool,
    ) {
        let first = Seat { card: share.card, instance: share.instance, owner };
        let mut seats = vec![first];
        for share in experiment.parts_over_time(vm).map(|parts| &parts[place]) {
            let (card, instance) = (share.card, share.instance);
            if seats.iter().any(|seat| (seat.card, seat.instance) == (card, instance)) {
                continue;
            }
            let (_, owners) = &mut cards[usize::from(card.0)][usize::from(instance)];
            let shared = self.shared.get(&(key, card, instance)).copied().filter(|_| is_one);
            let slot = shared.unwrap_or(owners.len() as u16);
            match shared {
                Some(slot) => owners[usize::from(slot)].joins(client),
                None => owners.extend(std::iter::repeat_n(*client, processes)),
            }
            self.shared.insert((key, card, instance), slot);
            seats.push(Seat { card, instance, owner: OwnerId { instance, slot } });
        }
        self.seats.push(seats);
    }
}

impl Platform<'_> {
    /// Whether the VM of a server stands still, or is down.
    #[inline]
    pub(super) fn stands_still(&self, server: ServerId) -> bool {
        self.operating.is_some() && self.halt_of(server).is_some()
    }

    /// Since when the VM of a server has stood still, or been down; nothing where it serves.
    pub(super) fn stopped_since(&self, server: ServerId) -> Option<SimTime> {
        self.halt_of(server).map(|halt| halt.since)
    }

    fn halt_of(&self, server: ServerId) -> Option<&Halt> {
        let operating = self.operating.as_ref()?;
        operating.halts[usize::from(self.process_of(server).0)].as_ref()
    }

    fn halt_mut(&mut self, vm: VmId) -> &mut Halt {
        let operating = self.operating.as_mut().expect("only operations stop a VM");
        operating.halts[usize::from(vm.0)].as_mut().expect("a VM that stands still")
    }

    /// The VM of a server, as its first model.
    fn process_of(&self, server: ServerId) -> VmId {
        self.experiment.first_model(self.servers[usize::from(server.0)].vm)
    }

    /// The owners that a server's GPU is, or comes to be by operations.
    pub(super) fn places_of(&self, server_gpu: usize) -> Vec<(GpuId, OwnerId)> {
        let gpu = &self.server_gpus[server_gpu];
        let Some(operating) = &self.operating else {
            return gpu.owners().map(|owner| (gpu.card, owner)).collect();
        };
        let owners = gpu.queued.len() as u16;
        let of_seat = |seat: &Seat| {
            let (card, OwnerId { instance, slot: first }) = (seat.card, seat.owner);
            (first..first + owners).map(move |slot| (card, OwnerId { instance, slot }))
        };
        operating.seats[server_gpu].iter().flat_map(of_seat).collect()
    }

    /// The machines that a server is on, or comes to by operations.
    pub(super) fn hosts_of(&self, server: ServerId) -> BTreeSet<HostId> {
        let places = self.gpus_of(server).flat_map(|gpu| self.places_of(gpu));
        places.map(|(card, _)| self.experiment.cards[usize::from(card.0)].host).collect()
    }

    /// The owners that are elsewhere at first have no turns.
    pub(super) fn leave_seats_empty(&mut self, vm: VmId, events: &mut EventList) {
        if self.operating.is_none() {
            return;
        }
        for server in self.processes[usize::from(vm.0)].servers.clone() {
            for index in self.gpus_of(server) {
                let here = self.server_gpus[index].queued.len();
                for (card, owner) in self.places_of(index).split_off(here) {
                    let card = &mut self.slots[usize::from(card.0)].card;
                    card.station.set_running(SimTime::ZERO, owner, false);
                    card.arm(events);
                }
            }
        }
    }

    /// A step of the timeline is due.
    pub(super) fn step(&mut self, now: SimTime, index: u32, events: &mut EventList) {
        let operating = self.operating.as_ref().expect("steps are of operations");
        let VmStep { vm, change, .. } = operating.timeline.steps[index as usize].clone();
        match change {
            VmChange::Halt => self.halt(now, vm, false, events),
            VmChange::Down => self.halt(now, vm, true, events),
            VmChange::GoOn(_) | VmChange::Up(_) => {
                let halt = self.halt_mut(vm);
                halt.next = Some(index);
                if halt.under_way == 0 {
                    self.start_again(now, vm, events);
                }
            }
        }
    }

    /// A VM stands still from now on, or is down.
    fn halt(&mut self, now: SimTime, vm: VmId, is_down: bool, events: &mut EventList) {
        let servers = self.processes[usize::from(vm.0)].servers.clone();
        let operating = self.operating.as_ref().expect("only operations stop a VM");
        if operating.halts[usize::from(vm.0)].is_none() {
            let mut courses = Vec::new();
            for &server in &servers {
                let batcher = &mut self.servers[usize::from(server.0)].batcher;
                batcher.station.halt();
                batcher.arm(events);
                for index in self.gpus_of(server) {
                    let course = &mut self.server_gpus[index].course;
                    courses.push((index, std::mem::replace(course, Course::halted())));
                }
            }
            let under_way = self.batches_of(&servers).len();
            let halt = Halt {
                since: now,
                courses,
                held: Vec::new(),
                under_way,
                is_down: false,
                lost: 0,
                next: None,
            };
            let operating = self.operating.as_mut().expect("only operations stop a VM");
            operating.halts[usize::from(vm.0)] = Some(halt);
            if under_way == 0 {
                self.set_running(now, vm, false, events);
            }
        }
        let halt = self.halt_mut(vm);
        halt.next = None;
        if is_down && !std::mem::replace(&mut halt.is_down, true) {
            self.go_down(now, vm, &servers);
        }
    }

    /// All that a VM was doing is lost, and what waits for it.
    fn go_down(&mut self, now: SimTime, vm: VmId, servers: &[ServerId]) {
        for id in self.batches_of(servers) {
            let batch = &self.batches[id.0 as usize];
            let (server, queries) = (batch.server, batch.queries.clone());
            self.lose(vm, server, &queries);
        }
        for id in std::mem::take(&mut self.halt_mut(vm).held) {
            self.drop_batch(now, id);
        }
        for &server in servers {
            self.lose_received(now, vm, server);
            self.down_balanced(now, server);
        }
    }

    /// Loses all queries that are due by now and in no batch of a server.
    fn lose_received(&mut self, now: SimTime, vm: VmId, server: ServerId) {
        loop {
            self.feed(server);
            let received = self.servers[usize::from(server.0)].batcher.station.take_received(now);
            if received.is_empty() {
                return;
            }
            self.lose(vm, server, &received);
        }
    }

    fn lose(&mut self, vm: VmId, server: ServerId, queries: &[Query]) {
        self.halt_mut(vm).lost += queries.len() as u64;
        if let Some(recorder) = self.idle_recorder(server) {
            recorder.lose(&passing(queries));
        }
        for own in queries.chunk_by(|one, next| one.vm == next.vm) {
            self.guests[usize::from(own[0].vm.0)].recorder.lose(own);
        }
    }

    /// The batches of servers that are under way or held.
    fn batches_of(&self, servers: &[ServerId]) -> Vec<BatchId> {
        let mut is_free = vec![false; self.batches.len()];
        self.free_batches.iter().for_each(|id| is_free[id.0 as usize] = true);
        let batches = self.batches.iter().enumerate();
        let own =
            batches.filter(|(index, batch)| !is_free[*index] && servers.contains(&batch.server));
        own.map(|(index, _)| BatchId(index as u32)).collect()
    }

    /// A batch comes out of a station while its VM stands still.
    pub(super) fn hold(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let vm = self.process_of(self.batches[id.0 as usize].server);
        let halt = self.halt_mut(vm);
        halt.under_way -= 1;
        let (is_down, is_drained) = (halt.is_down, halt.under_way == 0);
        match is_down {
            true => self.drop_batch(now, id),
            false => self.halt_mut(vm).held.push(id),
        }
        if is_drained {
            self.set_running(now, vm, false, events);
            if self.halt_mut(vm).next.is_some() {
                self.start_again(now, vm, events);
            }
        }
    }

    /// A batch whose queries are lost is gone; its permit is its batcher's again.
    fn drop_batch(&mut self, now: SimTime, id: BatchId) {
        let batch = &mut self.batches[id.0 as usize];
        let (stage, permit) = (batch.stage, batch.permit);
        let mut queries = std::mem::take(&mut batch.queries);
        let server = &mut self.servers[usize::from(batch.server.0)];
        let was_given_back = match (server.permit_return, server.completion) {
            (PermitReturn::AtStart, _) => stage >= Stage::Gpu,
            (PermitReturn::AtCompletion, Completion::PreserveOrdering) => stage >= Stage::Order,
            (PermitReturn::AtCompletion, _) => false,
        };
        if !was_given_back {
            server.batcher.station.submit(now, permit);
        }
        queries.clear();
        server.batcher.station.reuse(queries);
        self.free_batches.push(id);
    }

    /// A VM goes on, or serves again: nothing of it is under way.
    fn start_again(&mut self, now: SimTime, vm: VmId, events: &mut EventList) {
        let operating = self.operating.as_mut().expect("only operations stop a VM");
        let halt = operating.halts[usize::from(vm.0)].as_mut().expect("a VM that stands still");
        let index = halt.next.take().expect("a step that lets it go on");
        let timeline = operating.timeline.clone();
        let place = match &timeline.steps[index as usize].change {
            VmChange::GoOn(place) | VmChange::Up(place) => place.as_ref(),
            VmChange::Halt | VmChange::Down => None,
        };
        let servers = self.processes[usize::from(vm.0)].servers.clone();
        if let Some(place) = place {
            servers.iter().for_each(|&server| self.rebind(server, place));
        }
        if self.halt_mut(vm).is_down {
            for &server in &servers {
                self.lose_received(now, vm, server);
                self.forget_balanced(now, server);
                for index in self.gpus_of(server) {
                    // Nobody waits for numbers of batches that are gone.
                    self.server_gpus[index].order.station = Sequencer::new();
                    self.server_gpus[index].order.arm(events);
                }
            }
        }
        let operating = self.operating.as_mut().expect("only operations stop a VM");
        let halt = operating.halts[usize::from(vm.0)].take().expect("a VM that stands still");
        for guest in &self.processes[usize::from(vm.0)].guests {
            self.guests[usize::from(guest.0)].recorder.stopped(halt.since, now, halt.lost);
        }
        let is_wanted = !servers.iter().any(|&server| self.is_scaled_off(server));
        self.set_running(now, vm, is_wanted, events);
        for (index, course) in halt.courses {
            self.server_gpus[index].course = course;
        }
        halt.held.into_iter().for_each(|id| self.go_on(now, id, events));
        for server in servers {
            self.feed(server);
            let batcher = &mut self.servers[usize::from(server.0)].batcher;
            batcher.station.go_on(now);
            batcher.arm(events);
        }
    }

    /// From now on the GPUs of a server are these parts of cards.
    fn rebind(&mut self, server: ServerId, place: &[GpuShare]) {
        let operating = self.operating.as_ref().expect("only operations move a VM");
        let gpus = self.gpus_of(server);
        for (index, share) in gpus.zip(place) {
            let mut seats = operating.seats[index].iter();
            let is_it = |seat: &&Seat| (seat.card, seat.instance) == (share.card, share.instance);
            let seat = seats.find(is_it).expect("a seat wherever it goes");
            let gpu = &mut self.server_gpus[index];
            (gpu.card, gpu.owner) = (seat.card, seat.owner);
            gpu.instance = self.experiment.instance(share);
        }
        self.servers[usize::from(server.0)].host = self.experiment.host_of(place);
    }

    /// The run is over: VMs that still stand still or are down answer nobody any more.
    pub(super) fn lose_the_rest(&mut self) {
        let Some(operating) = &self.operating else { return };
        let halted = operating.halts.iter().enumerate();
        let halted = halted.filter(|(_, halt)| halt.is_some());
        let halted: Vec<VmId> = halted.map(|(index, _)| VmId(index as u16)).collect();
        let end = SimTime::from_nanos(u64::MAX);
        for vm in halted {
            let servers = self.processes[usize::from(vm.0)].servers.clone();
            if !std::mem::replace(&mut self.halt_mut(vm).is_down, true) {
                self.go_down(end, vm, &servers);
            } else {
                servers.iter().for_each(|&server| self.lose_received(end, vm, server));
            }
            let Halt { since, lost, .. } = *self.halt_mut(vm);
            // The load of a copy is that of its load balancer.
            let of = |server: &ServerId| self.servers[usize::from(server.0)].balanced;
            let shared = servers.iter().find_map(of).map(|(index, _)| {
                let vm = self.balancers[usize::from(index)].vm;
                self.guests[usize::from(vm.0)].recorder.last_due()
            });
            let until = shared.unwrap_or(since);
            for guest in self.processes[usize::from(vm.0)].guests.clone() {
                let recorder = &mut self.guests[usize::from(guest.0)].recorder;
                recorder.stopped(since, until.max(since).max(recorder.last_due()), lost);
            }
        }
    }
}
