//! Floor 4: the platform: one machine with its guests, wired, and run.
//!
//! [`Platform`] owns every station and is the engine's model. The path of a batch from station to
//! station is in `route`, the construction from an experiment in `assemble`. Nothing here knows
//! files, reports or other runs.

mod assemble;
mod balance;
mod course;
mod lanes;
mod operations;
mod outcome;
mod parts;
mod pool;
mod processors;
mod replicas;
mod route;
mod timeline;
mod watch;
mod way;

pub use lanes::simulate_told;
pub use outcome::{GpuOwner, GpuUse, Outcome, TurnShare, VmOutcome};
pub use replicas::Scaled;
pub use timeline::{
    BatchTimeline, CardTimeline, InstanceTimeline, ServerTimeline, StageSpan, Timeline, WindowEnd,
    record, record_and_tell, record_at_most,
};
pub use watch::{
    Meter, Watched, serve, simulate_metered, simulate_unless_lost, simulate_up_to, simulate_within,
};

use crate::engine::{self, Ending, EventList, Model, Stream};
use crate::gpu::{AtSize, Card, CopyEngine, Draws, OwnerId, StepLaw};
use crate::host::{FormedBatch, Former, Permit, SoftDrop, Stalls};
use crate::loadgen::{LoadGen, Query};
use crate::queueing::{Gate, Sequencer, Station};
use crate::record::{Recorder, Stage};
use crate::spec::{
    Completion, Experiment, GpuId, HostId, InstanceSpec, PermitReturn, ServiceTime, VmId,
};
use crate::units::{SimDuration, SimTime};
use balance::Balancer;
use course::{Course, CpuWork};
use operations::Operating;
use parts::Part;
use pool::Pool;
use processors::HostCpu;
use std::sync::Arc;
use timeline::Scribe;
use way::Way;

/// Who can have an event pending. Behind these in the event list come the batches.
#[derive(Clone, Copy, Debug)]
enum Member {
    /// A timed operation of the scenario. At equal times operations come first.
    Operation(Operation),
    /// The next query of a load that several VMs share: index into `Platform::balancers`.
    Arrival(u16),
    /// A replica of such a load serves, or its number is looked at: index into `Platform::balancers`.
    Replicas(u16),
    /// A station is due to change.
    Station(StationId),
}

/// A timed operation of a scenario.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// A VM is powered on.
    PowerOn(VmId),
    /// A VM is powered off as soon as all its queries are answered.
    PowerOff(VmId),
    /// A step of the experiment's timeline, by its place.
    Step(u32),
}

/// A station of the platform. The order of the variants is the order of the path, and decides ties
/// in time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum StationId {
    /// A server's batcher.
    Batcher(ServerId),
    /// The gate in front of a server's vCPUs.
    Vcpus(ServerId),
    /// A host's logical processors, where vCPUs can wait for one.
    Processors(HostId),
    /// Copies from host to device, per link: that of a card, or of the first card behind a PCIe
    /// switch.
    CopyIn(GpuId),
    /// The gate of one inference stream.
    Stream(u32),
    /// A card.
    Card(GpuId),
    /// Copies from device to host, per link.
    CopyOut(GpuId),
    /// The release of a server's batches on one GPU, in issue order.
    Order(u16),
}

/// An inference server: where each guest has its own, that of the guest with this [`VmId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ServerId(u16);

/// A batch under way: index into the platform's list of batches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct BatchId(u32);

/// A batch on its way.
#[derive(Debug)]
struct Batch {
    server: ServerId,
    permit: Permit,
    /// The server's GPU it runs on: index into `Platform::server_gpus`.
    server_gpu: u16,
    /// Its inference stream: index into `Platform::streams`.
    stream: u32,
    /// Its number in the order of issue on its server's GPU.
    number: u64,
    /// Those of one guest in a row.
    queries: Vec<Query>,
    size_sum: f64,
    /// Its draw of the service time, exponential with mean 1; 0 where nothing depends on it.
    luck: f64,
    stage: Stage,
    /// When it entered `stage`.
    entered: SimTime,
    /// The time that it spent in each stage.
    spans: [SimDuration; Stage::ALL.len()],
    /// Its work in `stage` on a vCPU, if any.
    cpu: SimDuration,
    /// What its own event is the end of.
    delay: Delay,
}

/// What takes a batch time in which it waits for nobody: its end is an event of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delay {
    /// Work on a vCPU that has a logical processor of its own.
    Cpu,
    /// The host has stopped.
    Stall,
    /// The hypervisor passes a submission on.
    Submission,
}

/// A station with its place in the event list and the time that it asked for last.
#[derive(Debug)]
struct Timed<S> {
    station: S,
    member: u32,
    rank: u8,
    wake: Option<SimTime>,
}

/// A guest, as its load and what it sees.
struct Guest {
    loadgen: LoadGen,
    recorder: Recorder,
    /// It is to be powered off once nothing is left to answer.
    is_closing: bool,
    /// All that it asks ahead of time was asked.
    is_over: bool,
    /// A model that nobody asks by itself: it records what passes through it.
    is_idle: bool,
    /// The pool that its queries come to first: index into `Platform::pools`.
    pool: Option<u16>,
    /// The steps of an ensemble; none for a model.
    way: Way,
}

/// An inference server: a guest's own, or one that answers the guests of a pool.
struct Server {
    /// Whose queries it answers: index into `Platform::pools`.
    pool: u16,
    /// A model of the pool; all have its workload and server settings.
    vm: VmId,
    /// Its first GPU in `Platform::server_gpus`; the next server's come after its last.
    first_gpu: u16,
    batcher: Timed<Former>,
    /// Sets queries aside, where the harness does so; nothing once they are served.
    soft_drop: Option<SoftDrop>,
    /// Batches may hold queries of several guests, or of several steps.
    is_mixed: bool,
    vcpus: Timed<Gate<BatchId>>,
    /// The machine that it is on.
    host: HostId,
    /// Whose vCPUs it runs on: its own, or those of the first of a guest's servers, of its first model.
    processors: ServerId,
    /// As many batches as can be with a vCPU have one each: none waits at the gate.
    has_vcpus_for_all: bool,
    permit_return: PermitReturn,
    completion: Completion,
    /// Draws the luck of its batches, where their times depend on it.
    service: Option<Stream>,
    /// The load balancer that sends it queries, and its place among the servers of that.
    balanced: Option<(u16, u16)>,
}

/// The models of one server, or of one on each of its instances: powered on and off together.
#[derive(Default)]
struct Process {
    guests: Vec<VmId>,
    servers: Vec<ServerId>,
}

/// What a server has of a card.
struct ServerGpu<'a> {
    server: ServerId,
    card: GpuId,
    /// The stages of its batches.
    course: Course,
    /// Batches can wait for their streams.
    has_gates: bool,
    /// The times of its batches there, and what its tables say of each size so far.
    service: &'a ServiceTime,
    sizes: Vec<Option<AtSize>>,
    /// The instance that it has, or a part of.
    instance: &'a InstanceSpec,
    launch: CpuWork,
    finish: CpuWork,
    /// Its first owner there: one for each process where processes own, else one for all.
    owner: OwnerId,
    /// Whose `queued` counts its batches: its own, or that of another model that is the same owner.
    /// Index into `Platform::server_gpus`.
    seat: u16,
    /// Its streams in `Platform::streams`: first and number.
    first_stream: u32,
    stream_count: u16,
    next_stream: u16,
    /// The time of a step there, of an engine.
    law: Option<Arc<StepLaw>>,
    /// What its batches draw, where power decides the card's clock.
    draws: Option<Draws>,
    /// What MPS adds to the launch of a batch, within a node's turns, in nanoseconds.
    graph_launch: f64,
    /// Batches of each owner at the gates of its streams: launched, and not on the card yet.
    queued: Vec<usize>,
    order: Timed<Sequencer<BatchId>>,
}

impl ServerGpu<'_> {
    /// What the tables of its service time say of batches of `samples` samples.
    fn at_size(&mut self, samples: u32) -> AtSize {
        /// Above this a batch costs more than looking its size up.
        const MOST: usize = 1024;
        let index = samples as usize;
        if index > MOST {
            return AtSize::new(self.service, samples);
        }
        if index >= self.sizes.len() {
            self.sizes.resize(index + 1, None);
        }
        *self.sizes[index].get_or_insert_with(|| AtSize::new(self.service, samples))
    }

    /// Its owners, in slots of the instance that follow each other.
    fn owners(&self) -> impl Iterator<Item = OwnerId> {
        let OwnerId { instance, slot } = self.owner;
        (slot..).take(self.queued.len()).map(move |slot| OwnerId { instance, slot })
    }

    /// The place among them of the one that has a stream: streams are dealt in turn.
    fn owner_of(&self, stream: u32) -> usize {
        (stream - self.first_stream) as usize % self.queued.len()
    }

    /// From `now` on so many batches of the owner in this place wait at the gates of its streams.
    fn set_queued(&mut self, now: SimTime, place: usize, queued: usize, card: &mut Card<BatchId>) {
        self.queued[place] = queued;
        let owner = OwnerId { slot: self.owner.slot + place as u16, ..self.owner };
        card.set_queued(now, owner, queued);
    }
}

/// What the batches on a machine share, beside its cards.
struct Host {
    /// Its processors, where vCPUs can wait for one or slow one another down.
    processors: Option<HostCpu>,
    /// Its stops.
    stalls: Option<Stalls>,
}

/// A card with its links.
struct Slot {
    /// Whose links its copies take: its own, or those of the first card behind its PCIe switch.
    link: GpuId,
    copy_in: Timed<CopyEngine<BatchId>>,
    card: Timed<Card<BatchId>>,
    copy_out: Timed<CopyEngine<BatchId>>,
}

/// Machines with their guests.
pub struct Platform<'a> {
    experiment: &'a Experiment,
    guests: Vec<Guest>,
    /// By the first model of each: see [`Experiment::first_model`].
    processes: Vec<Process>,
    pools: Vec<Pool>,
    balancers: Vec<Balancer>,
    /// Those of a pool in a row; one for each guest where each has its own.
    servers: Vec<Server>,
    /// The GPUs of all servers; those of one server in a row.
    server_gpus: Vec<ServerGpu<'a>>,
    /// By [`HostId`].
    hosts: Vec<Host>,
    streams: Vec<Timed<Gate<BatchId>>>,
    slots: Vec<Slot>,
    /// VMs that stand still, and where each may be; where the experiment has operations.
    operating: Option<Box<Operating>>,
    /// Whether any guest is an ensemble.
    has_ensembles: bool,
    /// By place in the event list.
    members: Vec<Member>,
    batches: Vec<Batch>,
    free_batches: Vec<BatchId>,
    /// Reused by every `advance`.
    done: Vec<BatchId>,
    formed: Vec<FormedBatch>,
    /// Events so far.
    happened: u64,
    /// Writes down what happens, where a timeline is asked for.
    scribe: Option<Box<Scribe>>,
}

/// Simulates `experiment` to the end of its load.
pub fn simulate(experiment: &Experiment) -> Outcome {
    simulate_with(experiment, |_| {})
}

/// As [`simulate`], but calls `prepare` on each VM's recorder first: a test may turn its log on.
pub fn simulate_with(experiment: &Experiment, prepare: impl Fn(&mut Recorder)) -> Outcome {
    let mut platform = Platform::new(experiment);
    platform.guests.iter_mut().for_each(|guest| prepare(&mut guest.recorder));
    let parts = platform.parts();
    run_parts(platform, &parts)
}

/// As [`simulate`], but as if everything were in one part: tests compare the two.
#[doc(hidden)]
pub fn simulate_together(experiment: &Experiment) -> Outcome {
    let platform = Platform::new(experiment);
    let all = platform.together();
    run_parts(platform, &[all])
}

/// Simulates one part after the other.
fn run_parts(mut platform: Platform<'_>, parts: &[Part]) -> Outcome {
    let mut events = EventList::new();
    for part in parts {
        platform.start(part, &mut events);
        let (ending, happened) = engine::run(&mut platform, &mut events, u64::MAX);
        platform.happened += happened;
        assert_eq!(ending, Ending::Exhausted);
    }
    platform.outcome()
}

impl Model for Platform<'_> {
    fn handle(&mut self, now: SimTime, member: u32, events: &mut EventList) {
        match self.members.get(member as usize) {
            Some(&Member::Station(station)) => self.wake(now, station, events),
            Some(&Member::Operation(Operation::PowerOn(vm))) => {
                self.set_running(now, vm, true, events);
            }
            Some(&Member::Operation(Operation::PowerOff(vm))) => {
                for guest in &self.processes[usize::from(vm.0)].guests {
                    self.guests[usize::from(guest.0)].is_closing = true;
                }
                self.power_off_if_drained(now, vm, events);
            }
            Some(&Member::Operation(Operation::Step(step))) => self.step(now, step, events),
            Some(&Member::Arrival(balancer)) => self.deal(now, balancer, events),
            Some(&Member::Replicas(balancer)) => self.follow_rule(now, balancer, events),
            None => self.end_delay(now, BatchId(member - self.members.len() as u32), events),
        }
    }
}

impl Platform<'_> {
    /// Powers on or off the vGPUs of the VM whose first model this is.
    fn set_running(&mut self, now: SimTime, vm: VmId, is_running: bool, events: &mut EventList) {
        let servers = self.processes[usize::from(vm.0)].servers.iter();
        let gpus = servers.flat_map(|&server| self.gpus_of(server));
        // Where models are one owner, it is powered once.
        let gpus: Vec<usize> =
            gpus.filter(|&gpu| usize::from(self.server_gpus[gpu].seat) == gpu).collect();
        for gpu in gpus {
            let gpu = &self.server_gpus[gpu];
            let card = &mut self.slots[usize::from(gpu.card.0)].card;
            gpu.owners().for_each(|owner| card.station.set_running(now, owner, is_running));
            card.arm(events);
        }
    }

    /// Whether each guest has a server of its own, which is powered on and off with it. Those of a
    /// pool are always on.
    fn has_own_servers(&self) -> bool {
        self.experiment.pools.is_empty()
    }

    /// The GPUs of a server, as indices into `server_gpus`.
    fn gpus_of(&self, server: ServerId) -> std::ops::Range<usize> {
        let place = usize::from(server.0);
        let first_of = |server: &Server| usize::from(server.first_gpu);
        first_of(&self.servers[place])
            ..self.servers.get(place + 1).map_or(self.server_gpus.len(), first_of)
    }

    /// Whether all that a guest asks was asked and answered: of a pool, all that its guests ask was
    /// asked, and that guest's is answered.
    fn is_served(&self, vm: VmId) -> bool {
        let guest = &self.guests[usize::from(vm.0)];
        let pool = guest.pool.map(|pool| self.pools[usize::from(pool)].servers());
        let mut servers = self.servers[pool.unwrap_or_default()].iter();
        // A load that is dealt as it comes has no pool.
        let is_asked = guest.pool.is_some() || guest.is_over;
        is_asked && servers.all(|server| server.batcher.station.is_drained()) && guest.is_answered()
    }

    /// Powers a closing VM off when all that was asked is answered.
    #[inline]
    fn power_off_if_drained(&mut self, now: SimTime, vm: VmId, events: &mut EventList) {
        if self.guests[usize::from(vm.0)].is_closing {
            self.power_off_if_answered(now, vm, events);
        }
    }

    /// Powers a VM off when all that was asked is answered.
    fn power_off_if_answered(&mut self, now: SimTime, vm: VmId, events: &mut EventList) {
        let first = self.experiment.first_model(vm);
        let mut guests = self.processes[usize::from(first.0)].guests.iter();
        if guests.all(|guest| self.guests[usize::from(guest.0)].is_answered()) {
            self.set_running(now, first, false, events);
        }
    }
}

impl Guest {
    /// A query of this guest as it comes to the model that is asked, or to the first of an ensemble.
    fn set_out(&mut self, vm: VmId, query: Query) -> Query {
        let mut query = Query { vm, ..query };
        if !self.way.is_empty() {
            self.way.go(0, &mut query, &mut self.recorder);
        }
        query
    }

    /// Whether what it asks comes to one model in the order in which it is made.
    fn asks_in_order(&self) -> bool {
        self.way.is_empty() && self.loadgen.is_scheduled()
    }

    /// Whether all that it asked so far is answered.
    fn is_answered(&self) -> bool {
        self.is_idle || self.recorder.answered() == self.loadgen.made_count()
    }
}

impl StationId {
    /// Place on the path: among wake-ups of one instant the lower goes first. Operations have 0, arrivals
    /// that are events 1.
    fn rank(self) -> u8 {
        match self {
            StationId::Batcher(_) => 2,
            StationId::Vcpus(_) => 3,
            StationId::Processors(_) => 4,
            StationId::CopyIn(_) => 7,
            StationId::Stream(_) => 8,
            StationId::Card(_) => 9,
            StationId::CopyOut(_) => 10,
            StationId::Order(_) => 11,
        }
    }
}

impl Delay {
    /// Place on the path, as that of a station.
    fn rank(self) -> u8 {
        match self {
            Delay::Cpu => 4,
            Delay::Stall => 5,
            Delay::Submission => 6,
        }
    }
}

impl<S: Station> Timed<S> {
    /// Not in the event list yet.
    fn new(station: S) -> Self {
        Self { station, member: u32::MAX, rank: 0, wake: None }
    }

    /// Takes the next place of the event list.
    fn join(&mut self, id: StationId, members: &mut Vec<Member>) {
        (self.member, self.rank) = (members.len() as u32, id.rank());
        members.push(Member::Station(id));
    }

    /// Asks the station when it changes next, and tells the list if that is news.
    #[inline]
    fn arm(&mut self, events: &mut EventList) {
        let next = self.station.next_change();
        if next != self.wake {
            self.wake = next;
            events.set(self.member, self.rank, next);
        }
    }
}
