//! From experiment to platform: every station made, every permit handed out.
//!
//! It decides nothing that the experiment leaves open, and checks nothing: that was done before.

use super::{Event, Guest, GuestGpu, Operation, Platform, Slot, StationId, Timed};
use crate::engine::{EventList, RandomStreams};
use crate::gpu::{Card, Client, CopyEngine, Headroom, OwnerId, PowerCap};
use crate::host::{Batcher, Permit, SoftDrop};
use crate::loadgen::LoadGen;
use crate::queueing::{Fifo, Gate, ProcessorSharing, Sequencer, Station};
use crate::record::Recorder;
use crate::spec::{CardSpec, Experiment, GpuId, GpuSpec, InstanceSpec, VmId, VmSpec};
use crate::units::SimTime;

impl<'a> Platform<'a> {
    /// The platform of `experiment` before its first event.
    pub(super) fn new(experiment: &'a Experiment) -> Self {
        let mut platform = Self {
            experiment,
            guests: Vec::new(),
            guest_gpus: Vec::new(),
            first_gpu: Vec::new(),
            processors: Timed::new(ProcessorSharing::new(experiment.host.logical_processors.value)),
            submission: Timed::new(Fifo::delay()),
            streams: Vec::new(),
            slots: Vec::new(),
            batches: Vec::new(),
            free_batches: Vec::new(),
            done: Vec::new(),
        };
        let whole = |card: &CardSpec| {
            card.instances.iter().map(|spec| (spec.clone(), Vec::new())).collect()
        };
        let mut cards: Vec<Vec<(InstanceSpec, Vec<Client>)>> =
            experiment.cards.iter().map(whole).collect();
        for (index, vm) in experiment.vms.iter().enumerate() {
            platform.first_gpu.push(platform.guest_gpus.len() as u16);
            platform.guests.push(guest(experiment, index, vm));
            for share in &vm.gpus {
                let (_, owners) =
                    &mut cards[usize::from(share.card.0)][usize::from(share.instance)];
                let owner = OwnerId { instance: share.instance, slot: owners.len() as u16 };
                owners.push(Client { sharing: vm.server.gpu_sharing, limit: share.sm_limit });
                platform.add_guest_gpu(vm, share.card, owner);
            }
        }
        let slots = experiment.cards.iter().zip(&cards);
        let slots = slots.enumerate().map(|(index, (card, instances))| {
            slot(&card.gpu, instances, boost(experiment, GpuId(index as u16)))
        });
        platform.slots = slots.collect();
        platform
    }

    fn add_guest_gpu(&mut self, vm: &VmSpec, card: GpuId, owner: OwnerId) {
        let first_stream = self.streams.len() as u16;
        let stream_count = vm.server.streams as u16;
        self.streams.extend((0..stream_count).map(|_| Timed::new(Gate::new(1))));
        let order = Timed::new(Sequencer::new());
        self.guest_gpus.push(GuestGpu {
            card,
            owner,
            first_stream,
            stream_count,
            next_stream: 0,
            queued: 0,
            order,
        });
    }

    /// Hands out the permits and wakes the batchers for the first time.
    pub(super) fn start(&mut self, events: &mut EventList<Event>) {
        for (index, vm) in self.experiment.vms.iter().enumerate() {
            let id = VmId(index as u16);
            self.schedule_power(id, vm, events);
            for worker in 0..vm.server.slots as u16 {
                for gpu in 0..vm.gpus.len() as u16 {
                    self.guests[index]
                        .batcher
                        .station
                        .submit(SimTime::ZERO, Permit { gpu, worker });
                }
            }
            self.feed(id);
            self.guests[index].batcher.arm(StationId::Batcher(id), events);
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

    /// Keeps the batcher of `vm` stocked with the future, until there is none.
    pub(super) fn feed(&mut self, vm: VmId) {
        const BLOCK: usize = 1024;
        let guest = &mut self.guests[usize::from(vm.0)];
        while guest.batcher.station.is_hungry() {
            for _ in 0..BLOCK {
                match guest.loadgen.next_scheduled() {
                    Some(query) => guest.batcher.station.feed(query),
                    None => return guest.batcher.station.close(),
                }
            }
        }
    }
}

fn guest(experiment: &Experiment, index: usize, vm: &VmSpec) -> Guest {
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    // Seed 0 replays the round's published schedule; every other seed makes a schedule of its own.
    // A second guest would see the very same arrivals, so only the first replays.
    let replays = experiment.seed == 0 && experiment.replication == 0 && index == 0;
    let schedule = replays.then_some(vm.load.settings.round.schedule_seed);
    Guest {
        loadgen: LoadGen::new(vm, &streams, schedule),
        batcher: Timed::new(Batcher::new(
            &vm.server,
            vm.gpus.len(),
            streams.stream(&format!("dispatch/{}", vm.name)),
        )),
        soft_drop: SoftDrop::new(
            vm.server.soft_drop,
            vm.server.batch_max,
            vm.load.settings.percentile,
        ),
        vcpus: Timed::new(Gate::new(vm.vcpus as usize)),
        recorder: Recorder::new(
            vm.load.settings.target_latency,
            vm.load.scenario.samples_per_query(),
        )
        .with_levels(vm.server.queues.levels.len()),
        service: streams.stream(&format!("service/{}", vm.name)),
        is_closing: false,
    }
}

/// How much faster a card is after a rest: what the work on it allows that gains least.
fn boost(experiment: &Experiment, card: GpuId) -> f64 {
    let model = &experiment.cards[usize::from(card.0)].gpu.id;
    let on_it = experiment.vms.iter().filter(|vm| vm.gpus.iter().any(|share| share.card == card));
    let boosts = on_it.map(|vm| vm.workload.service[model].boost.value);
    boosts.reduce(f64::min).unwrap_or(1.0)
}

fn slot(card: &GpuSpec, instances: &[(InstanceSpec, Vec<Client>)], boost: f64) -> Slot {
    let power = card.power_knee.as_ref().map(|knee| PowerCap::new(knee.value));
    let card_of = Card::new(instances, power);
    let station = if boost > 1.0 { card_of.with_headroom(Headroom::new(boost)) } else { card_of };
    Slot {
        copy_in: Timed::new(CopyEngine::new(card.pcie_bandwidth.value)),
        card: Timed::new(station),
        copy_out: Timed::new(CopyEngine::new(card.pcie_bandwidth.value)),
    }
}
