//! From experiment to platform: creates every station and hands out every permit.
//!
//! It decides nothing that the experiment leaves open, and checks nothing: the experiment was
//! checked before.

use super::pool::{self, Pool};
use super::way::Way;
use super::{
    Event, Guest, Operation, Platform, Server, ServerGpu, ServerId, Slot, StationId, Timed,
};
use crate::engine::{EventList, RandomStreams, Stream};
use crate::gpu::{Card, Client, CopyEngine, Draws, Headroom, OwnerId, PowerCap};
use crate::host::{Batcher, Permit, SoftDrop};
use crate::loadgen::LoadGen;
use crate::queueing::{Fifo, Gate, ProcessorSharing, Sequencer, Station};
use crate::record::Recorder;
use crate::spec::{
    CardSpec, Experiment, GpuId, GpuSharing, InstanceSharing, InstanceSpec, PermitReturn,
    PooledServer, ServerPool, VmId, VmSpec,
};
use crate::units::{Bandwidth, Power, SimDuration, SimTime};
use std::collections::BTreeMap;

impl<'a> Platform<'a> {
    /// The platform of `experiment` before its first event.
    pub(super) fn new(experiment: &'a Experiment) -> Self {
        let mut platform = Self {
            experiment,
            guests: Vec::new(),
            pools: Vec::new(),
            servers: Vec::new(),
            server_gpus: Vec::new(),
            processors: Timed::new(ProcessorSharing::new(experiment.host.logical_processors.value)),
            submission: Timed::new(Fifo::delay()),
            stalls: pool::stalls(experiment).map(|stalls| (stalls, Timed::new(Fifo::delay()))),
            streams: Vec::new(),
            slots: Vec::new(),
            has_ensembles: experiment.vms.iter().any(VmSpec::is_ensemble),
            batches: Vec::new(),
            free_batches: Vec::new(),
            done: Vec::new(),
            scribe: None,
        };
        let whole = |card: &CardSpec| {
            card.instances.iter().map(|spec| (spec.clone(), Vec::new())).collect()
        };
        let mut cards: Vec<Vec<(InstanceSpec, Vec<Client>)>> =
            experiment.cards.iter().map(whole).collect();
        let guests = experiment.vms.iter().zip(experiment.load_spans()).enumerate();
        platform.guests =
            guests.map(|(index, (vm, span))| guest(experiment, index, vm, span)).collect();
        let own_servers = platform.has_own_servers();
        // By process, server of the pool, and place among its GPUs: a VM may have a card several times.
        let mut seats: BTreeMap<(VmId, usize, usize), (u16, u16)> = BTreeMap::new();
        for pool in experiment.server_pools() {
            let model = pool.models[0];
            let vm = &experiment.vms[usize::from(model.0)];
            let process = experiment.first_model(model);
            let first_server = platform.servers.len() as u16;
            for (server_place, server) in pool.servers.iter().enumerate() {
                platform.add_server(&pool, server, first_server);
                for (place, share) in server.gpus.iter().enumerate() {
                    let (_, owners) =
                        &mut cards[usize::from(share.card.0)][usize::from(share.instance)];
                    let owner = OwnerId { instance: share.instance, slot: owners.len() as u16 };
                    let of_card = &experiment.cards[usize::from(share.card.0)];
                    let service = &vm.workload.service[&of_card.gpu.id];
                    let law = service.slice.as_ref();
                    let spec = &of_card.instances[usize::from(share.instance)];
                    // On a slice whose law is known, batches run one after the other, unless instances of
                    // Triton share it: what each costs whatever its size hides behind no other there.
                    let is_slice = law.is_some()
                        && spec.profile.is_some()
                        && spec.sharing == InstanceSharing::Alone;
                    let client = Client {
                        sharing: match is_slice && !vm.server.shares_slices() {
                            true => GpuSharing::InOrder,
                            false => vm.server.gpu_sharing,
                        },
                        limit: share.sm_limit,
                        launches: vm.server.launches,
                        watts: service.watts(&of_card.gpu),
                    };
                    let processes = spec.sharing.owners_of(vm.server.processes()) as usize;
                    // Models of one server are one process, and that has the turns or is the client.
                    let seat = (process, server_place, place);
                    let is_one = own_servers && spec.sharing != InstanceSharing::Models;
                    let seated = seats.get(&seat).copied().filter(|_| is_one);
                    match seated {
                        Some((_, slot)) => owners[usize::from(slot)].joins(&client),
                        None => owners.extend(std::iter::repeat_n(client, processes)),
                    }
                    let owner = seated.map_or(owner, |(_, slot)| OwnerId { slot, ..owner });
                    // A Triton that is dealt its part in calls has the next batch ready beside the
                    // running one.
                    let stages_after = is_slice
                        && vm.server.streams == 1
                        && !experiment.is_dealt_in_calls(model)
                        && vm.server.permit_return == PermitReturn::AtStart;
                    platform.add_server_gpu(vm, share.card, (owner, processes), stages_after);
                    let own_seat = platform.server_gpus.len() as u16 - 1;
                    seats.entry(seat).or_insert((own_seat, owner.slot));
                    let added = platform.server_gpus.last_mut().expect("just added");
                    added.draws = power(of_card)
                        .and_then(|_| Draws::of(&of_card.gpu, &vm.workload, vm.server.batch_max));
                    added.seat = seated.map_or(own_seat, |(seat, _)| seat);
                }
            }
            platform.pools.push(Pool::new(&pool, experiment, first_server));
        }
        platform.lay_ways();
        let slots = cards.iter().enumerate().map(|(index, instances)| {
            let ring = RandomStreams::new(experiment.seed, experiment.replication)
                .stream(&format!("ring/{index}"));
            slot(experiment, GpuId(index as u16), instances, ring)
        });
        platform.slots = slots.collect();
        platform
    }

    /// The steps of ensembles, once it is known who answers each model.
    fn lay_ways(&mut self) {
        let pools = self.experiment.server_pools();
        let pool_of = |model: VmId| {
            let place = pools.iter().position(|pool| pool.models.contains(&model));
            place.expect("a model that is a step has a server") as u16
        };
        for (index, vm) in self.experiment.vms.iter().enumerate() {
            if !vm.is_ensemble() {
                continue;
            }
            let way = Way::new(self.experiment, VmId(index as u16), pool_of);
            way.expected().for_each(|pool| self.pools[usize::from(pool)].expected += 1);
            self.guests[index].way = way;
        }
        for server in &mut self.servers {
            let expected = self.pools[usize::from(server.pool)].expected;
            server.batcher.station.expect(expected > 0);
        }
    }

    /// A server of a pool, whose first is `first_server`; its GPUs are added next.
    fn add_server(&mut self, pool: &ServerPool, server: &PooledServer, first_server: u16) {
        let experiment = self.experiment;
        let streams = RandomStreams::new(experiment.seed, experiment.replication);
        let model = pool.models[0];
        let vm = &experiment.vms[usize::from(model.0)];
        let process = experiment.first_model(model);
        let beside = |other: &Server| experiment.first_model(other.vm) == process;
        // Models and processes of one guest share what it has; servers of a pool have processors of their
        // own.
        let first_beside = self.servers.iter().position(beside).filter(|_| self.has_own_servers());
        let of_pool = pool.vms.iter().map(|vm| &experiment.vms[usize::from(vm.0)].load.settings);
        let percentile = of_pool.map(|settings| settings.percentile).fold(0.0, f64::max);
        self.servers.push(Server {
            pool: self.pools.len() as u16,
            first_of_pool: first_server,
            vm: model,
            first_gpu: self.server_gpus.len() as u16,
            batcher: Timed::new(Batcher::new(
                &vm.server,
                server.gpus.len(),
                streams.stream(&format!("dispatch/{}", server.name)),
            )),
            soft_drop: SoftDrop::new(vm.server.soft_drop, vm.server.batch_max, percentile),
            vcpus: Timed::new(Gate::new(server.processors as usize)),
            processors: ServerId(first_beside.unwrap_or(self.servers.len()) as u16),
            service: streams.stream(&format!("service/{}", server.name)),
        });
    }

    /// What a server has of a card, on which it is so many owners, `owner` the first.
    fn add_server_gpu(
        &mut self,
        vm: &VmSpec,
        card: GpuId,
        (owner, owners): (OwnerId, usize),
        stages_after: bool,
    ) {
        let first_stream = self.streams.len() as u16;
        let stream_count = vm.server.streams as u16;
        self.streams.extend((0..stream_count).map(|_| Timed::new(Gate::new(1))));
        let order = Timed::new(Sequencer::new());
        self.server_gpus.push(ServerGpu {
            card,
            owner,
            seat: self.server_gpus.len() as u16,
            first_stream,
            stream_count,
            next_stream: 0,
            stages_after,
            queued: vec![0; owners],
            draws: None,
            order,
        });
    }

    /// Hands out the permits and wakes the batchers for the first time.
    pub(super) fn start(&mut self, events: &mut EventList<Event>) {
        if self.has_own_servers() {
            let vms = self.experiment.vms.iter().enumerate();
            for (index, vm) in vms.filter(|(_, vm)| vm.server_of.is_none()) {
                self.schedule_power(VmId(index as u16), vm, events);
            }
        }
        for index in 0..self.servers.len() {
            let id = ServerId(index as u16);
            let gpus = self.gpus_of(id).len() as u16;
            let server = &mut self.servers[index];
            for worker in 0..self.experiment.vms[usize::from(server.vm.0)].server.slots as u16 {
                for gpu in 0..gpus {
                    server.batcher.station.submit(SimTime::ZERO, Permit { gpu, worker });
                }
            }
            self.feed(id);
            self.servers[index].batcher.arm(StationId::Batcher(id), events);
        }
    }

    fn schedule_power(&mut self, id: VmId, vm: &VmSpec, events: &mut EventList<Event>) {
        if vm.power_on > SimTime::ZERO {
            self.set_running(SimTime::ZERO, id, false, events);
            events.schedule(vm.power_on, 0, Event::Operation(Operation::PowerOn(id)));
        }
        if let Some(power_off) = vm.power_off {
            events.schedule(power_off, 0, Event::Operation(Operation::PowerOff(id)));
        }
    }

    /// Keeps the batcher of a server supplied with future queries, until there are none; the other
    /// batchers of its pool get theirs at the same time. Those still have enough to look ahead to,
    /// so their `next_change` does not change.
    pub(super) fn feed(&mut self, id: ServerId) {
        const BLOCK: usize = 1024;
        let Server { pool, first_of_pool, .. } = self.servers[usize::from(id.0)];
        let (pool, first) = (&mut self.pools[usize::from(pool)], usize::from(first_of_pool));
        while self.servers[usize::from(id.0)].batcher.station.is_hungry() {
            for _ in 0..BLOCK {
                let Some((server, query)) = pool.next(&mut self.guests) else {
                    let of_pool =
                        self.servers.iter_mut().filter(|one| one.first_of_pool == first_of_pool);
                    return of_pool.for_each(|server| server.batcher.station.close());
                };
                self.servers[first + server].batcher.station.feed(query);
            }
        }
    }
}

fn guest(experiment: &Experiment, index: usize, vm: &VmSpec, span: SimDuration) -> Guest {
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    // Seed 0 replays the round's published schedule; every other seed makes a schedule of its own.
    // A second guest would see the very same arrivals, so only the first that is asked replays.
    let first = experiment.vms.iter().position(|vm| !vm.load.is_idle());
    let replays = experiment.seed == 0 && experiment.replication == 0 && first == Some(index);
    let schedule = replays.then_some(vm.load.settings.round.schedule_seed);
    Guest {
        loadgen: LoadGen::new(vm, span, &streams, schedule),
        recorder: Recorder::new(
            vm.load.settings.target_latency,
            vm.load.scenario.samples_per_query(),
        )
        .with_levels(vm.server.queues.levels.len())
        .with_steps(vm.steps.len()),
        is_closing: false,
        is_over: false,
        is_idle: vm.load.is_idle(),
        way: Way::default(),
    }
}

/// How much faster a card is after a rest: what the work on it allows that gains least.
fn boost(experiment: &Experiment, card: GpuId) -> f64 {
    let model = &experiment.cards[usize::from(card.0)].gpu.id;
    let on_it = experiment.vms.iter().filter(|vm| vm.gpus.iter().any(|share| share.card == card));
    let boosts = on_it.map(|vm| vm.workload.service[model].boost.value);
    boosts.reduce(f64::min).unwrap_or(1.0)
}

/// The power limit of a card, where it makes clocks that differ from those at which times were measured: those
/// of batches on a whole card at the limit that the model is shipped with. There nothing needs to be known.
fn power(card: &CardSpec) -> Option<PowerCap> {
    let usual = card.gpu.power_cap_w.value;
    let limit = card.power_limit.map_or(usual, Power::watts);
    let is_cut = |instance: &InstanceSpec| {
        instance.profile.is_some()
            || matches!(instance.sharing, InstanceSharing::Mps(_) | InstanceSharing::Models)
    };
    let acts = limit != usual || card.instances.iter().any(is_cut);
    PowerCap::of(&card.gpu, limit).filter(|_| acts)
}

/// Whose links a card's copies take, and what each carries: behind a PCIe switch the one link of the
/// switch, as fast as that of its slowest card unless the host says it.
fn link(experiment: &Experiment, id: GpuId) -> (GpuId, Bandwidth) {
    let own = &experiment.cards[usize::from(id.0)];
    let Some(switch) = own.link.switch else { return (id, own.link_bandwidth().value) };
    let behind = |card: &&CardSpec| card.link.switch == Some(switch);
    let first = experiment.cards.iter().position(|card| behind(&card)).expect("one itself");
    let speeds = experiment.cards.iter().filter(behind).map(|card| card.link_bandwidth().value);
    let slowest = speeds.reduce(|one, other| if other.get() < one.get() { other } else { one });
    (GpuId(first as u16), slowest.expect("one itself"))
}

fn slot(
    experiment: &Experiment,
    id: GpuId,
    instances: &[(InstanceSpec, Vec<Client>)],
    mut ring: Stream,
) -> Slot {
    let power = power(&experiment.cards[usize::from(id.0)]);
    let card_of = Card::new(instances, power).with_rings_by_lot(&mut ring);
    let boost = boost(experiment, id);
    let station = if boost > 1.0 { card_of.with_headroom(Headroom::new(boost)) } else { card_of };
    let (link, bandwidth) = link(experiment, id);
    Slot {
        link,
        copy_in: Timed::new(CopyEngine::new(bandwidth)),
        card: Timed::new(station),
        copy_out: Timed::new(CopyEngine::new(bandwidth)),
    }
}
