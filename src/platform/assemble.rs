//! From experiment to platform: creates every station and hands out every permit.
//!
//! It decides nothing that the experiment leaves open, and checks nothing: the experiment was
//! checked before.

use super::course::{course, cpu_work, has_gates, holds_permits};
use super::operations::{Operating, Owners};
use super::parts::Part;
use super::pool::{self, Pool};
use super::processors::HostCpu;
use super::way::Way;
use super::{
    Guest, Host, Member, Operation, Platform, Process, Server, ServerGpu, ServerId, Slot,
    StationId, Timed,
};
use crate::engine::{EventList, RandomStreams, Stream};
use crate::gpu::{Card, Client, CopyEngine, Draws, Headroom, Node, OwnerId, PowerCap, StepLaw};
use crate::host::engine::Engine;
use crate::host::{Batcher, Former, Permit, SoftDrop};
use crate::loadgen::{Lengths, LoadGen, Query};
use crate::queueing::{Gate, Sequencer, Station};
use crate::record::{Recorder, TokenRecord};
use crate::spec::{
    CardSpec, Experiment, GpuId, GpuSharing, HostId, InstanceSharing, InstanceSpec, Launches,
    PermitReturn, PooledServer, ServerPool, ServiceTime, VmId, VmSpec,
};
use crate::units::{Bandwidth, Power, Share, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl<'a> Platform<'a> {
    /// The platform of `experiment` before its first event.
    pub(super) fn new(experiment: &'a Experiment) -> Self {
        let mut platform = Self {
            experiment,
            guests: Vec::new(),
            processes: processes(experiment),
            pools: Vec::new(),
            balancers: Vec::new(),
            servers: Vec::new(),
            server_gpus: Vec::new(),
            hosts: Vec::new(),
            streams: Vec::new(),
            slots: Vec::new(),
            operating: Operating::of(experiment),
            has_ensembles: experiment.vms.iter().any(is_chain),
            members: Vec::new(),
            batches: Vec::new(),
            free_batches: Vec::new(),
            done: Vec::new(),
            formed: Vec::new(),
            happened: 0,
            scribe: None,
        };
        let whole = |card: &CardSpec| {
            card.instances.iter().map(|spec| (spec.clone(), Vec::new())).collect()
        };
        let mut cards: Owners = experiment.cards.iter().map(whole).collect();
        // Seed 0 replays the round's published schedule; every other seed makes a schedule of its own.
        // A second guest would see the very same arrivals, so only the first that is asked replays.
        let replays = match (experiment.seed, experiment.replication) {
            (0, 0) => experiment.vms.iter().position(|vm| !vm.load.is_idle()),
            _ => None,
        };
        let guests = experiment.vms.iter().zip(experiment.load_spans()).enumerate();
        let guests =
            guests.map(|(index, (vm, span))| guest(experiment, vm, span, replays == Some(index)));
        platform.guests = guests.collect();
        let own_servers = platform.has_own_servers();
        // By process, server of the pool, and place among its GPUs: a VM may have a card several times.
        let mut seats: BTreeMap<(VmId, usize, usize), (u16, u16)> = BTreeMap::new();
        for pool in experiment.server_pools() {
            let model = pool.models[0];
            let vm = &experiment.vms[usize::from(model.0)];
            let process = experiment.process_of(model);
            let node = experiment.first_model(model);
            let first_server = platform.servers.len() as u16;
            for (server_place, server) in pool.servers.iter().enumerate() {
                platform.add_server(&pool, server);
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
                        node: match share.pods {
                            Some(pods) if spec.sharing.nests(&pods) => {
                                Some(Node { vm: node.0, pods })
                            }
                            _ => None,
                        },
                    };
                    let processes = experiment.owners_of(vm, share) as usize;
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
                    let of = (spec, service);
                    platform.add_server_gpu(vm, share.card, of, (owner, processes), stages_after);
                    let own_seat = platform.server_gpus.len() as u16 - 1;
                    seats.entry(seat).or_insert((own_seat, owner.slot));
                    let added = platform.server_gpus.last_mut().expect("just added");
                    // MPS within a node's turns: on an instance of its own the cost of a batch says it.
                    let nested = client.node.and_then(|node| node.pods.mps().copied());
                    added.graph_launch = nested
                        .filter(|_| vm.server.launches == Launches::Graph)
                        .map_or(0.0, |mps| mps.graph_launch.as_nanos_f64());
                    added.draws = power(of_card)
                        .and_then(|_| Draws::of(&of_card.gpu, &vm.workload, vm.server.batch_max));
                    added.seat = seated.map_or(own_seat, |(seat, _)| seat);
                    if let Some(operating) = &mut platform.operating {
                        let of = (owner, &client, processes);
                        operating.add_seats(experiment, &mut cards, (seat, share), of, is_one);
                    }
                }
            }
            for vm in &pool.vms {
                platform.guests[usize::from(vm.0)].pool = Some(platform.pools.len() as u16);
            }
            platform.pools.push(Pool::new(&pool, experiment, first_server));
        }
        platform.lay_ways();
        platform.add_balancers();
        let boosts = boosts(experiment);
        let links = links(experiment);
        let slots = cards.iter().enumerate().map(|(index, instances)| {
            let ring = RandomStreams::new(experiment.seed, experiment.replication)
                .stream(&format!("ring/{index}"));
            slot(&experiment.cards[index], instances, (boosts[index], links[index]), ring)
        });
        platform.slots = slots.collect();
        platform.add_hosts();
        platform.number_stations();
        platform
    }

    /// The hosts, each with its processors where vCPUs can wait for one: else work on a vCPU is a mere
    /// delay. Decides as well who can wait at the gate of its vCPUs.
    fn add_hosts(&mut self) {
        let experiment = self.experiment;
        // How many batches can be at each gate, or past it on a vCPU. A batch holds its permit from its
        // first vCPU to its last, or to the GPU, and then it may come to a second one.
        let mut most = vec![0_u64; self.servers.len()];
        for (index, server) in self.servers.iter().enumerate() {
            let of = &experiment.vms[usize::from(server.vm.0)].server;
            let gpus = &self.server_gpus[self.gpus_of(ServerId(index as u16))];
            let is_bounded = holds_permits(of) || gpus.iter().all(|gpu| gpu.finish.is_none());
            most[usize::from(server.processors.0)] += match is_bounded {
                true => u64::from(of.slots) * gpus.len() as u64,
                false => u64::from(u32::MAX),
            };
        }
        let vcpus = |server: &Server| server.vcpus.station.free() as u64;
        let servers = 0..self.servers.len() as u16;
        let homes: Vec<BTreeSet<HostId>> =
            servers.map(|index| self.hosts_of(ServerId(index))).collect();
        let hosts = (0..experiment.hosts.len() as u16).map(HostId).map(|id| Host {
            processors: HostCpu::if_shared(experiment, id, (&self.servers, &homes), &most),
            stalls: pool::stalls(experiment, id),
        });
        self.hosts = hosts.collect();
        for index in 0..self.servers.len() {
            let gate = usize::from(self.servers[index].processors.0);
            self.servers[index].has_vcpus_for_all = most[gate] <= vcpus(&self.servers[gate]);
        }
    }

    /// Gives every station its place in the event list.
    fn number_stations(&mut self) {
        let members = &mut self.members;
        for (index, server) in self.servers.iter_mut().enumerate() {
            let id = ServerId(index as u16);
            server.batcher.join(StationId::Batcher(id), members);
            server.vcpus.join(StationId::Vcpus(id), members);
        }
        for (index, host) in self.hosts.iter_mut().enumerate() {
            if let Some(processors) = &mut host.processors {
                let id = StationId::Processors(HostId(index as u16));
                processors.station.join(id, members);
            }
        }
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.join(StationId::Stream(index as u32), members);
        }
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let id = GpuId(index as u16);
            slot.copy_in.join(StationId::CopyIn(id), members);
            slot.card.join(StationId::Card(id), members);
            slot.copy_out.join(StationId::CopyOut(id), members);
        }
        for (index, gpu) in self.server_gpus.iter_mut().enumerate() {
            gpu.order.join(StationId::Order(index as u16), members);
        }
        for (index, balancer) in self.balancers.iter_mut().enumerate() {
            balancer.member = members.len() as u32;
            members.push(Member::Arrival(index as u16));
            if let Some(scaler) = &mut balancer.scaler {
                scaler.member = members.len() as u32;
                members.push(Member::Replicas(index as u16));
            }
        }
        // Operations have their places ahead of time too: batches come behind all of them.
        let steps = self.operating.as_ref().map_or(0, |operating| operating.steps());
        members.extend((0..steps as u32).map(|step| Member::Operation(Operation::Step(step))));
        for index in 0..self.experiment.vms.len() {
            let id = VmId(index as u16);
            members.push(Member::Operation(Operation::PowerOn(id)));
            members.push(Member::Operation(Operation::PowerOff(id)));
        }
    }

    /// The steps of ensembles, once it is known who answers each model.
    fn lay_ways(&mut self) {
        if !self.has_ensembles {
            return;
        }
        let mut pools = vec![None; self.experiment.vms.len()];
        for (place, pool) in self.experiment.server_pools().iter().enumerate() {
            pool.models.iter().for_each(|model| pools[usize::from(model.0)] = Some(place as u16));
        }
        let pool_of =
            |model: VmId| pools[usize::from(model.0)].expect("a model that is a step has a server");
        for (index, vm) in self.experiment.vms.iter().enumerate() {
            if !is_chain(vm) {
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

    /// A server of a pool; its GPUs are added next.
    fn add_server(&mut self, pool: &ServerPool, server: &PooledServer) {
        let experiment = self.experiment;
        let streams = RandomStreams::new(experiment.seed, experiment.replication);
        let model = pool.models[0];
        let vm = &experiment.vms[usize::from(model.0)];
        let own = ServerId(self.servers.len() as u16);
        let beside = &mut self.processes[usize::from(experiment.first_model(model).0)].servers;
        beside.push(own);
        // Models and processes of one guest share what it has; servers of a pool have processors of their
        // own.
        let first_beside = if experiment.pools.is_empty() { beside[0] } else { own };
        let of_pool = pool.vms.iter().map(|vm| &experiment.vms[usize::from(vm.0)].load.settings);
        let has_spread = server.gpus.iter().any(|share| {
            let gpu = &experiment.cards[usize::from(share.card.0)].gpu.id;
            vm.workload.service[gpu].spread.value > Share::NONE
        });
        let percentile = of_pool.map(|settings| settings.percentile).fold(0.0, f64::max);
        self.servers.push(Server {
            pool: self.pools.len() as u16,
            vm: model,
            first_gpu: self.server_gpus.len() as u16,
            batcher: Timed::new(former(vm, server, &streams)),
            soft_drop: SoftDrop::new(vm.server.soft_drop, vm.server.batch_max, percentile),
            is_mixed: pool.vms.len() > 1 || self.has_ensembles,
            vcpus: Timed::new(Gate::new(server.processors as usize)),
            has_vcpus_for_all: false,
            permit_return: vm.server.permit_return,
            host: experiment.host_of(&server.gpus),
            completion: vm.server.completion,
            processors: first_beside,
            service: has_spread.then(|| streams.stream(&format!("service/{}", server.name))),
            balanced: None,
        });
    }

    /// What a server has of a card, on which it is so many owners, `owner` the first.
    fn add_server_gpu(
        &mut self,
        vm: &VmSpec,
        card: GpuId,
        (instance, service): (&'a InstanceSpec, &'a ServiceTime),
        (owner, owners): (OwnerId, usize),
        stages_after: bool,
    ) {
        let first_stream = self.streams.len() as u32;
        let stream_count = vm.server.streams as u16;
        self.streams.extend((0..stream_count).map(|_| Timed::new(Gate::new(1))));
        let order = Timed::new(Sequencer::new());
        let work @ (launch, finish) = cpu_work(vm, self.experiment, stages_after);
        let has_gates = has_gates(vm);
        self.server_gpus.push(ServerGpu {
            server: ServerId(self.servers.len() as u16 - 1),
            card,
            course: course(vm, self.experiment, work, (has_gates, stages_after)),
            has_gates,
            service,
            sizes: Vec::new(),
            instance,
            launch,
            finish,
            owner,
            seat: self.server_gpus.len() as u16,
            first_stream,
            stream_count,
            next_stream: 0,
            queued: vec![0; owners],
            law: vm.llm.as_ref().map(|llm| {
                let gpu = &self.experiment.cards[usize::from(card.0)].gpu.id;
                Arc::new(StepLaw::new(llm, &llm.laws[gpu], instance))
            }),
            draws: None,
            graph_launch: 0.0,
            order,
        });
    }

    /// Hands out the permits of a part and wakes its batchers for the first time.
    pub(super) fn start(&mut self, part: &Part, events: &mut EventList) {
        if self.has_own_servers() {
            for &id in &part.vms {
                let vm = &self.experiment.vms[usize::from(id.0)];
                if vm.server_of.is_none() {
                    self.schedule_power(id, vm, events);
                    self.schedule_steps(id, events);
                }
            }
        }
        for &id in &part.servers {
            let gpus = self.gpus_of(id).len() as u16;
            let server = &mut self.servers[usize::from(id.0)];
            for worker in 0..self.experiment.vms[usize::from(server.vm.0)].server.slots as u16 {
                for gpu in 0..gpus {
                    server.batcher.station.submit(SimTime::ZERO, Permit { gpu, worker });
                }
            }
            self.feed(id);
            self.servers[usize::from(id.0)].batcher.arm(events);
        }
        self.start_balancers(part, events);
    }

    fn schedule_power(&mut self, id: VmId, vm: &VmSpec, events: &mut EventList) {
        // The last places but those of the batches: see `number_stations`.
        let operations = self.members.len() - 2 * self.experiment.vms.len();
        let power_on = (operations + 2 * usize::from(id.0)) as u32;
        if vm.power_on > SimTime::ZERO {
            self.set_running(SimTime::ZERO, id, false, events);
            events.set(power_on, 0, Some(vm.power_on));
        }
        events.set(power_on + 1, 0, vm.power_off);
    }

    /// The steps that operations make a VM go through.
    fn schedule_steps(&mut self, id: VmId, events: &mut EventList) {
        self.leave_seats_empty(id, events);
        let Some(operating) = &self.operating else { return };
        // Before the places of power: see `number_stations`.
        let first = self.members.len() - 2 * self.experiment.vms.len() - operating.steps();
        for (place, at) in operating.steps_of(id) {
            events.set(first as u32 + place, 0, Some(at));
        }
    }

    /// Keeps the batcher of a server supplied with future queries, until there are none; the other
    /// batchers of its pool get theirs at the same time. Those still have enough to look ahead to,
    /// so their `next_change` does not change.
    pub(super) fn feed(&mut self, id: ServerId) {
        const BLOCK: usize = 64;
        let pool = &mut self.pools[usize::from(self.servers[usize::from(id.0)].pool)];
        let first = usize::from(pool.first_server);
        let alone = pool.only_asker().filter(|&vm| self.guests[usize::from(vm.0)].asks_in_order());
        while self.servers[usize::from(id.0)].batcher.station.is_hungry() {
            if let Some(vm) = alone {
                let guest = &mut self.guests[usize::from(vm.0)];
                let batcher = &mut self.servers[usize::from(id.0)].batcher.station;
                let mut is_over = false;
                batcher.feed_in_order((0..BLOCK).map_while(|_| {
                    let query = guest.loadgen.next_scheduled();
                    is_over = query.is_none();
                    query.map(|query| Query { vm, ..query })
                }));
                if is_over {
                    batcher.close();
                }
                continue;
            }
            let mut dealt = 0;
            // Whoever asks again when answered has asked for the first time before anybody is answered.
            while dealt < BLOCK || pool.is_beginning(&self.guests) {
                dealt += 1;
                let Some((server, query)) = pool.next(&mut self.guests) else {
                    let of_pool = self.servers[pool.servers()].iter_mut();
                    return of_pool.for_each(|server| server.batcher.station.close());
                };
                self.servers[first + server].batcher.station.feed(query);
            }
        }
    }
}

/// What makes the batches of a server, or the steps of an engine.
fn former(vm: &VmSpec, server: &PooledServer, streams: &RandomStreams) -> Former {
    if let Some(llm) = &vm.llm {
        let lengths = streams.stream(&format!("lengths/{}", vm.name));
        let lengths = Lengths::new(&llm.lengths, lengths);
        let record = TokenRecord::new(llm.bounds);
        return Former::Engine(Box::new(Engine::new(&llm.engine, lengths, record)));
    }
    let chance = streams.stream(&format!("dispatch/{}", server.name));
    Former::Batcher(Batcher::new(&vm.server, server.gpus.len(), chance))
}

/// Whether the queries of a VM go from model to model.
fn is_chain(vm: &VmSpec) -> bool {
    vm.is_ensemble() && vm.balance.is_none()
}

/// The models of each server by its first, without the servers.
fn processes(experiment: &Experiment) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    processes.resize_with(experiment.vms.len(), Process::default);
    for vm in (0..experiment.vms.len() as u16).map(VmId) {
        // A load that several VMs share is none of them.
        if experiment.vms[usize::from(vm.0)].balance.is_none() {
            processes[usize::from(experiment.first_model(vm).0)].guests.push(vm);
        }
    }
    processes
}

fn guest(experiment: &Experiment, vm: &VmSpec, span: SimDuration, replays: bool) -> Guest {
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    let schedule = replays.then_some(vm.load.settings.round.schedule_seed);
    let recorder =
        Recorder::new(vm.load.settings.target_latency, vm.load.scenario.samples_per_query())
            .with_levels(vm.server.queues.levels.len())
            .with_steps(if is_chain(vm) { vm.steps.len() } else { 0 });
    Guest {
        loadgen: LoadGen::new(vm, span, &streams, schedule),
        recorder: match &experiment.timeline {
            Some(timeline) => recorder.with_windows(timeline.window),
            None => recorder,
        },
        is_closing: false,
        is_over: false,
        is_idle: vm.load.is_idle(),
        pool: None,
        way: Way::default(),
    }
}

/// How much faster each card is after a rest: what the work on it allows that gains least.
fn boosts(experiment: &Experiment) -> Vec<f64> {
    let mut boosts: Vec<Option<f64>> = vec![None; experiment.cards.len()];
    for (vm, share) in experiment.vms.iter().flat_map(|vm| vm.gpus.iter().map(move |of| (vm, of))) {
        let boost = vm.workload.service[&experiment.card(share).gpu.id].boost.value;
        let least = &mut boosts[usize::from(share.card.0)];
        *least = Some(least.map_or(boost, |least| least.min(boost)));
    }
    boosts.into_iter().map(|boost| boost.unwrap_or(1.0)).collect()
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

/// Whose links each card's copies take, and what each carries: behind a PCIe switch the one link of the
/// switch, as fast as that of its slowest card unless the host says it.
fn links(experiment: &Experiment) -> Vec<(GpuId, Bandwidth)> {
    let own = |index: usize, card: &CardSpec| (GpuId(index as u16), card.link_bandwidth().value);
    let mut of_switches: BTreeMap<(HostId, u32), (GpuId, Bandwidth)> = BTreeMap::new();
    for (index, card) in experiment.cards.iter().enumerate() {
        let (id, speed) = own(index, card);
        let Some(switch) = card.link.switch else { continue };
        let (_, slowest) = of_switches.entry((card.host, switch)).or_insert((id, speed));
        if speed.get() < slowest.get() {
            *slowest = speed;
        }
    }
    let cards = experiment.cards.iter().enumerate();
    let links = cards.map(|(index, card)| match card.link.switch {
        Some(switch) => of_switches[&(card.host, switch)],
        None => own(index, card),
    });
    links.collect()
}

fn slot(
    spec: &CardSpec,
    instances: &[(InstanceSpec, Vec<Client>)],
    (boost, (link, bandwidth)): (f64, (GpuId, Bandwidth)),
    mut ring: Stream,
) -> Slot {
    let card_of = Card::new(instances, power(spec)).with_rings_by_lot(&mut ring);
    let station = if boost > 1.0 { card_of.with_headroom(Headroom::new(boost)) } else { card_of };
    Slot {
        link,
        copy_in: Timed::new(CopyEngine::new(bandwidth)),
        card: Timed::new(station),
        copy_out: Timed::new(CopyEngine::new(bandwidth)),
    }
}
