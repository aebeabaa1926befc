//! The way of a query, from station to station. Start reading here.
//!
//! ```text
//! LoadGen ─► Batcher ─► vCPUs ─► delay ─► copy in ─► stream ─► Card ─► copy out ─► order ─► vCPUs ─► Recorder
//!  feeds     permits    launch   submit    PCIe       gate     pool     PCIe    sequencer  finish  └► permits back
//! ```
//! [`Platform::enter`] brings a batch to the station of a stage, [`Platform::wake`] takes batches
//! out of a station and sends them on. A stage that costs a batch nothing is passed without event.

use super::{Batch, BatchId, Event, Platform, StationId, Timed};
use crate::engine::EventList;
use crate::gpu::{CardJob, PoolJob, demand};
use crate::host::FormedBatch;
use crate::queueing::Station;
use crate::record::Stage;
use crate::spec::{Completion, PermitReturn, VmId};
use crate::units::{Bytes, SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};

type Events = EventList<Event>;

impl Platform<'_> {
    /// A station said that it would change now: whatever comes out of it goes on its way.
    pub(super) fn wake(&mut self, now: SimTime, id: StationId, stamp: u32, events: &mut Events) {
        if let StationId::Batcher(vm) = id {
            return self.form(now, vm, stamp, events);
        }
        let mut done = std::mem::take(&mut self.done);
        match id {
            StationId::Batcher(_) => unreachable!("answered above"),
            StationId::Vcpus(vm) => {
                leave(&mut self.guests[usize::from(vm.0)].vcpus, now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.compute(now, batch, events));
            }
            StationId::Processors => {
                leave(&mut self.processors, now, id, stamp, &mut done, events);
                for batch in done.drain(..) {
                    self.release_vcpu(now, batch, events);
                    self.computed(now, batch, events);
                }
            }
            StationId::Submission => {
                leave(&mut self.submission, now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::CopyIn, events));
            }
            StationId::CopyIn(card) => {
                leave(
                    &mut self.slots[usize::from(card.0)].copy_in,
                    now,
                    id,
                    stamp,
                    &mut done,
                    events,
                );
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::Stream, events));
            }
            StationId::Stream(stream) => {
                leave(&mut self.streams[usize::from(stream)], now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::Gpu, events));
            }
            StationId::Card(card) => {
                leave(&mut self.slots[usize::from(card.0)].card, now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::CopyOut, events));
            }
            StationId::CopyOut(card) => {
                leave(
                    &mut self.slots[usize::from(card.0)].copy_out,
                    now,
                    id,
                    stamp,
                    &mut done,
                    events,
                );
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::Order, events));
            }
            StationId::Order(gpu) => {
                leave(
                    &mut self.guest_gpus[usize::from(gpu)].order,
                    now,
                    id,
                    stamp,
                    &mut done,
                    events,
                );
                done.drain(..).for_each(|batch| self.enter(now, batch, Stage::Finish, events));
            }
        }
        self.done = done;
    }

    /// Brings a batch to the station of `stage`.
    fn enter(&mut self, now: SimTime, id: BatchId, stage: Stage, events: &mut Events) {
        self.stamp(now, id, stage);
        let batch = &self.batches[id.0 as usize];
        let (vm, gpu) = (usize::from(batch.vm.0), usize::from(batch.guest_gpu));
        let (spec, samples) = (&self.experiment.vms[vm], batch.queries.len() as u64);
        let card = self.guest_gpus[gpu].card;
        let slot = &mut self.slots[usize::from(card.0)];
        match stage {
            Stage::Batcher => unreachable!("a batch leaves the batcher as it is made"),
            Stage::Launch | Stage::Finish => {
                if self.cpu_work(id) == SimDuration::ZERO {
                    return self.computed(now, id, events);
                }
                let vcpus = &mut self.guests[vm].vcpus;
                vcpus.station.submit(now, id);
                vcpus.arm(StationId::Vcpus(batch.vm), events);
            }
            Stage::Submission => {
                let latency = self.experiment.hypervisor.submission_latency.value;
                if latency == SimDuration::ZERO {
                    return self.enter(now, id, Stage::CopyIn, events);
                }
                self.submission.station.submit(now, (id, latency));
                self.submission.arm(StationId::Submission, events);
            }
            Stage::CopyIn => {
                let bytes = spec.workload.input_per_sample.value * samples;
                if spec.server.start_from_device || bytes == Bytes::ZERO {
                    return self.enter(now, id, Stage::Stream, events);
                }
                slot.copy_in.station.submit(now, (id, bytes));
                slot.copy_in.arm(StationId::CopyIn(card), events);
            }
            Stage::Stream => {
                let guest_gpu = &mut self.guest_gpus[gpu];
                guest_gpu.queued += 1;
                slot.card.station.set_queued(guest_gpu.owner, guest_gpu.queued);
                let stream = &mut self.streams[usize::from(batch.stream)];
                stream.station.submit(now, id);
                stream.arm(StationId::Stream(batch.stream), events);
            }
            Stage::Gpu => {
                let service =
                    &spec.workload.service[&self.experiment.cards[usize::from(card.0)].gpu.id];
                let demand = demand(
                    service,
                    &self.experiment.hypervisor,
                    samples as u32,
                    batch.size_sum,
                    batch.luck,
                );
                let guest_gpu = &mut self.guest_gpus[gpu];
                let owner = guest_gpu.owner;
                guest_gpu.queued -= 1;
                slot.card.station.set_queued(owner, guest_gpu.queued);
                slot.card.station.submit(now, CardJob { owner, job: PoolJob { tag: id, demand } });
                slot.card.arm(StationId::Card(card), events);
                self.give_back_permit(now, id, PermitReturn::AtStart, events);
            }
            Stage::CopyOut => {
                let bytes = spec.workload.output_per_sample.value * samples;
                let stream = &mut self.streams[usize::from(batch.stream)];
                stream.station.give_back(now);
                stream.arm(StationId::Stream(batch.stream), events);
                if bytes == Bytes::ZERO {
                    return self.enter(now, id, Stage::Order, events);
                }
                slot.copy_out.station.submit(now, (id, bytes));
                slot.copy_out.arm(StationId::CopyOut(card), events);
            }
            Stage::Order => {
                let queue = match spec.server.completion {
                    Completion::Any => return self.enter(now, id, Stage::Finish, events),
                    Completion::IssueOrder => batch.guest_gpu,
                    Completion::PreserveOrdering => self.first_gpu[vm],
                };
                let order = &mut self.guest_gpus[usize::from(queue)].order;
                order.station.submit(now, (id, batch.number));
                order.arm(StationId::Order(queue), events);
                if spec.server.completion == Completion::PreserveOrdering {
                    // The instance is free: its responses wait for older ones by themselves.
                    self.give_back_permit(now, id, PermitReturn::AtCompletion, events);
                }
            }
        }
    }

    /// Queries and a permit have met: the batch is final and sets out.
    fn form(&mut self, now: SimTime, vm: VmId, stamp: u32, events: &mut Events) {
        let mut formed = Vec::new();
        let guest = &mut self.guests[usize::from(vm.0)];
        if guest.batcher.answers(stamp) {
            guest.batcher.station.advance(now, &mut formed);
            guest.recorder.reject(&guest.batcher.station.take_rejected());
            self.feed(vm);
            self.set_aside(vm, &mut formed);
            self.guests[usize::from(vm.0)].batcher.arm(StationId::Batcher(vm), events);
            self.power_off_if_drained(now, vm, events);
        }
        for batch in formed {
            self.guests[usize::from(vm.0)].recorder.formed(&batch.queries, now);
            let id = self.add_batch(now, vm, batch);
            self.enter(now, id, Stage::Launch, events);
        }
    }

    /// Sets queries of heavy batches aside, and brings them back when no others are left.
    fn set_aside(&mut self, vm: VmId, formed: &mut [FormedBatch]) {
        let guest = &mut self.guests[usize::from(vm.0)];
        let Some(soft_drop) = &mut guest.soft_drop else { return };
        formed.iter_mut().for_each(|batch| soft_drop.screen(&mut batch.queries));
        if guest.batcher.station.is_drained() {
            soft_drop.take_aside().into_iter().for_each(|query| guest.batcher.station.feed(query));
            guest.soft_drop = None;
        }
    }

    /// A batch has a vCPU: its work goes to the host's processors.
    fn compute(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        let work = self.cpu_work(id);
        self.processors.station.submit(now, (id, work));
        self.processors.arm(StationId::Processors, events);
    }

    /// CPU work before the GPU or after it.
    fn cpu_work(&self, id: BatchId) -> SimDuration {
        let batch = &self.batches[id.0 as usize];
        let cpu = &self.experiment.vms[usize::from(batch.vm.0)].workload.cpu;
        let (per_batch, per_sample) = match batch.stage {
            Stage::Launch => (cpu.launch_per_batch.value, cpu.launch_per_sample.value),
            _ => (cpu.finish_per_batch.value, cpu.finish_per_sample.value),
        };
        let work = per_batch + per_sample * batch.queries.len() as u64;
        work.scale(1.0 / self.experiment.hypervisor.cpu_speed.value)
    }

    /// The vCPU is free again.
    fn release_vcpu(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        let vm = self.batches[id.0 as usize].vm;
        let vcpus = &mut self.guests[usize::from(vm.0)].vcpus;
        vcpus.station.give_back(now);
        vcpus.arm(StationId::Vcpus(vm), events);
    }

    /// CPU work is done: the batch goes on or is complete.
    fn computed(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        match self.batches[id.0 as usize].stage {
            Stage::Launch => self.enter(now, id, Stage::Submission, events),
            _ => self.complete(now, id, events),
        }
    }

    /// The end of the way: latencies are recorded, the permit returns, a closed loop asks again.
    fn complete(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        self.stamp(now, id, Stage::Finish);
        let vm = self.batches[id.0 as usize].vm;
        let server = &self.experiment.vms[usize::from(vm.0)].server;
        if server.completion != Completion::PreserveOrdering {
            self.give_back_permit(now, id, PermitReturn::AtCompletion, events);
        }
        let batch = &mut self.batches[id.0 as usize];
        let queries = std::mem::take(&mut batch.queries);
        let (vm, guest) = (batch.vm, &mut self.guests[usize::from(batch.vm.0)]);
        guest.recorder.complete(&queries, now);
        // In a closed loop every answer goes to a client, who asks again.
        let batcher = &mut guest.batcher.station;
        guest.loadgen.completed(now, queries.len(), |query| batcher.feed(query));
        guest.batcher.arm(StationId::Batcher(vm), events);
        self.free_batches.push(id);
        self.power_off_if_drained(now, vm, events);
    }

    fn give_back_permit(
        &mut self,
        now: SimTime,
        id: BatchId,
        when: PermitReturn,
        events: &mut Events,
    ) {
        let Batch { vm, permit, .. } = self.batches[id.0 as usize];
        if self.experiment.vms[usize::from(vm.0)].server.permit_return == when {
            let batcher = &mut self.guests[usize::from(vm.0)].batcher;
            batcher.station.submit(now, permit);
            batcher.arm(StationId::Batcher(vm), events);
        }
    }

    /// Closes the books of the batch's stage and opens those of the next.
    fn stamp(&mut self, now: SimTime, id: BatchId, next: Stage) {
        let batch = &mut self.batches[id.0 as usize];
        let recorder = &mut self.guests[usize::from(batch.vm.0)].recorder;
        if batch.stage != Stage::Batcher {
            recorder.stage(batch.stage, batch.queries.len(), now - batch.entered);
        }
        (batch.stage, batch.entered) = (next, now);
    }

    fn add_batch(&mut self, now: SimTime, vm: VmId, formed: FormedBatch) -> BatchId {
        let FormedBatch { permit, queries } = formed;
        let server = &self.experiment.vms[usize::from(vm.0)].server;
        let guest_gpu = self.first_gpu[usize::from(vm.0)] + permit.gpu;
        let gpu = &mut self.guest_gpus[usize::from(guest_gpu)];
        // A worker has a stream of its own; mere slots take the streams in turn.
        let own_stream =
            server.permit_return == PermitReturn::AtStart || server.slots == server.streams;
        let turn = if own_stream { permit.worker } else { gpu.next_stream };
        gpu.next_stream = (gpu.next_stream + 1) % gpu.stream_count;
        let stream = gpu.first_stream + turn % gpu.stream_count;
        let first = self.first_gpu[usize::from(vm.0)];
        let queue = match server.completion {
            Completion::PreserveOrdering => first,
            Completion::Any | Completion::IssueOrder => guest_gpu,
        };
        let number = self.guest_gpus[usize::from(queue)].order.station.take_number();
        let size_sum = queries.iter().map(|query| f64::from(query.size)).sum();
        let luck = Exp1.sample(&mut self.guests[usize::from(vm.0)].service);
        let stage = Stage::Batcher;
        let batch = Batch {
            vm,
            permit,
            guest_gpu,
            stream,
            number,
            queries,
            size_sum,
            luck,
            stage,
            entered: now,
        };
        match self.free_batches.pop() {
            Some(id) => {
                self.batches[id.0 as usize] = batch;
                id
            }
            None => {
                self.batches.push(batch);
                BatchId(self.batches.len() as u32 - 1)
            }
        }
    }
}

/// Takes out of a station what has finished, unless the wake-up is out of date.
fn leave<S: Station>(
    timed: &mut Timed<S>,
    now: SimTime,
    id: StationId,
    stamp: u32,
    done: &mut Vec<S::Done>,
    events: &mut Events,
) {
    if timed.answers(stamp) {
        timed.station.advance(now, done);
        timed.arm(id, events);
    }
}
