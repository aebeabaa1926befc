//! The path of a query, from station to station. Start reading here.
//!
//! ```text
//! LoadGen ─► Batcher ─► vCPUs ─► delay ─► copy in ─► stream ─► Card ─► copy out ─► order ─► vCPUs ─► Recorder
//!  feeds     permits    launch   submit    PCIe       gate     pool     PCIe    sequencer  finish  └► permits back
//! ```
//! [`Platform::enter`] brings a batch to the station of a stage, [`Platform::wake`] takes batches
//! out of a station and sends them on. A stage that takes no time is passed without an event.

use super::{Batch, BatchId, Event, Platform, ServerId, StationId, Timed};
use crate::engine::EventList;
use crate::gpu::{CardJob, OwnerId, PoolJob, demand};
use crate::host::FormedBatch;
use crate::loadgen::Query;
use crate::queueing::Station;
use crate::record::{Recorder, Stage};
use crate::spec::{Completion, PermitReturn, ServedBy, VmId, VmSpec};
use crate::units::{Bytes, SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};

type Events = EventList<Event>;

impl<'a> Platform<'a> {
    /// A station is due to change now: every job that it finishes goes on along its path.
    pub(super) fn wake(&mut self, now: SimTime, id: StationId, stamp: u32, events: &mut Events) {
        if let StationId::Batcher(server) = id {
            return self.form(now, server, stamp, events);
        }
        let mut done = std::mem::take(&mut self.done);
        match id {
            StationId::Batcher(_) => unreachable!("answered above"),
            StationId::Vcpus(server) => {
                let server = &mut self.servers[usize::from(server.0)];
                leave(&mut server.vcpus, now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.compute(now, batch, events));
            }
            StationId::Processors => {
                leave(&mut self.processors, now, id, stamp, &mut done, events);
                for batch in done.drain(..) {
                    self.release_vcpu(now, batch, events);
                    self.computed(now, batch, events);
                }
            }
            StationId::Stalled => {
                let (_, stalled) = self.stalls.as_mut().expect("who waits for its end stopped");
                leave(stalled, now, id, stamp, &mut done, events);
                done.drain(..).for_each(|batch| self.go_on_after_cpu(now, batch, events));
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
                for batch in done.drain(..) {
                    let stage = self.after_copy(batch);
                    self.enter(now, batch, stage, events);
                }
            }
            StationId::Stream(stream) => {
                leave(&mut self.streams[usize::from(stream)], now, id, stamp, &mut done, events);
                for batch in done.drain(..) {
                    let stage = if self.stages_after(batch) { Stage::Launch } else { Stage::Gpu };
                    self.enter(now, batch, stage, events);
                }
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
                    &mut self.server_gpus[usize::from(gpu)].order,
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
        let (server, gpu) = (batch.server, usize::from(batch.server_gpu));
        let (spec, samples) = (self.spec(server), batch.queries.len() as u64);
        let card = self.server_gpus[gpu].card;
        let link = self.slots[usize::from(card.0)].link;
        let slot = &mut self.slots[usize::from(card.0)];
        match stage {
            Stage::Batcher => unreachable!("a batch leaves the batcher as it is made"),
            Stage::Launch | Stage::Finish => {
                if self.cpu_work(id) == SimDuration::ZERO {
                    return self.computed(now, id, events);
                }
                let processors = self.servers[usize::from(server.0)].processors;
                let vcpus = &mut self.servers[usize::from(processors.0)].vcpus;
                vcpus.station.submit(now, id);
                vcpus.arm(StationId::Vcpus(processors), events);
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
                let bytes = spec.workload.input_per_sample.value * self.copied(id, stage);
                if spec.server.start_from_device || bytes == Bytes::ZERO {
                    return self.enter(now, id, self.after_copy(id), events);
                }
                let copy_in = &mut self.slots[usize::from(link.0)].copy_in;
                copy_in.station.submit(now, (id, bytes));
                copy_in.arm(StationId::CopyIn(link), events);
            }
            Stage::Stream => {
                let place = self.server_gpus[gpu].owner_of(batch.stream);
                let seat = usize::from(self.server_gpus[gpu].seat);
                let seat = &mut self.server_gpus[seat];
                let queued = seat.queued[place] + 1;
                seat.set_queued(now, place, queued, &mut slot.card.station);
                let stream = &mut self.streams[usize::from(batch.stream)];
                stream.station.submit(now, id);
                stream.arm(StationId::Stream(batch.stream), events);
            }
            Stage::Gpu => {
                let service =
                    &spec.workload.service[&self.experiment.cards[usize::from(card.0)].gpu.id];
                let server_gpu = &self.server_gpus[gpu];
                let place = server_gpu.owner_of(batch.stream);
                let OwnerId { instance, slot: first } = server_gpu.owner;
                let owner = OwnerId { instance, slot: first + place as u16 };
                let of_card = &self.experiment.cards[usize::from(card.0)];
                let instance = &of_card.instances[usize::from(owner.instance)];
                let demand = demand(
                    service,
                    &self.experiment.hypervisor,
                    samples as u32,
                    batch.size_sum,
                    batch.luck,
                    (instance, spec.server.launches),
                );
                let demand = match &server_gpu.draws {
                    Some(draws) => {
                        let on_slice = instance.profile.is_some();
                        draws.at_highest_clock(demand, samples as u32, batch.size_sum, on_slice)
                    }
                    None => demand,
                };
                let seat = usize::from(server_gpu.seat);
                let seat = &mut self.server_gpus[seat];
                let queued = seat.queued[place] - 1;
                seat.set_queued(now, place, queued, &mut slot.card.station);
                slot.card.station.submit(now, CardJob { owner, job: PoolJob { tag: id, demand } });
                slot.card.arm(StationId::Card(card), events);
                self.give_back_permit(now, id, PermitReturn::AtStart, events);
            }
            Stage::CopyOut => {
                let bytes = spec.workload.output_per_sample.value * self.copied(id, stage);
                let stream = &mut self.streams[usize::from(batch.stream)];
                stream.station.give_back(now);
                stream.arm(StationId::Stream(batch.stream), events);
                if bytes == Bytes::ZERO {
                    return self.enter(now, id, Stage::Order, events);
                }
                let copy_out = &mut self.slots[usize::from(link.0)].copy_out;
                copy_out.station.submit(now, (id, bytes));
                copy_out.arm(StationId::CopyOut(link), events);
            }
            Stage::Order => {
                let queue = match spec.server.completion {
                    Completion::Any => return self.enter(now, id, Stage::Finish, events),
                    Completion::IssueOrder => gpu as u16,
                    Completion::PreserveOrdering => self.servers[usize::from(server.0)].first_gpu,
                };
                let order = &mut self.server_gpus[usize::from(queue)].order;
                order.station.submit(now, (id, batch.number));
                order.arm(StationId::Order(queue), events);
                if spec.server.completion == Completion::PreserveOrdering {
                    // The instance is free: its responses wait for older ones by themselves.
                    self.give_back_permit(now, id, PermitReturn::AtCompletion, events);
                }
            }
        }
    }

    /// The samples of a batch whose inputs or outputs are copied: all but those of ensembles whose step
    /// before or after is a model on the same GPU, the only one of their server.
    fn copied(&self, id: BatchId, stage: Stage) -> u64 {
        let queries = &self.batches[id.0 as usize].queries;
        if !self.has_ensembles {
            return queries.len() as u64;
        }
        let stays = |query: &&Query| {
            let step = usize::from(query.step);
            let other = if stage == Stage::CopyIn { step.checked_sub(1) } else { Some(step + 1) };
            let vm = usize::from(query.vm.0);
            self.experiment.vms[vm].gpus.len() == 1 && self.guests[vm].way.is_model_at(other)
        };
        queries.iter().filter(|query| !stays(query)).count() as u64
    }

    /// Whether a batch is launched only when the one before it on its stream is complete: the only
    /// stream of a GPU instance has no other batch to hide a launch behind.
    fn stages_after(&self, id: BatchId) -> bool {
        self.server_gpus[usize::from(self.batches[id.0 as usize].server_gpu)].stages_after
    }

    /// The stage that follows the copy of the inputs.
    fn after_copy(&self, id: BatchId) -> Stage {
        if self.stages_after(id) { Stage::Gpu } else { Stage::Stream }
    }

    /// Queries and a permit have met: the batch is final and sets out.
    fn form(&mut self, now: SimTime, id: ServerId, stamp: u32, events: &mut Events) {
        let mut formed = Vec::new();
        let server = &mut self.servers[usize::from(id.0)];
        if server.batcher.answers(stamp) {
            server.batcher.station.advance(now, &mut formed);
            let (vm, rejected) = (server.vm, server.batcher.station.take_rejected());
            if let Some(scribe) = &mut self.scribe {
                scribe.reject(now, id, &rejected);
            }
            self.reject(id, rejected, events);
            self.feed(id);
            self.set_aside(id, &mut formed);
            self.servers[usize::from(id.0)].batcher.arm(StationId::Batcher(id), events);
            if self.has_own_servers() {
                self.power_off_if_drained(now, vm, events);
            }
        }
        for mut batch in formed {
            // Of several guests: each has its own in a row.
            batch.queries.sort_by_key(|query| (query.vm, query.step));
            for own in by_guest(&batch.queries) {
                let recorder = &mut self.guests[usize::from(own[0].vm.0)].recorder;
                recorder.formed(own, batch.queries.len(), now);
            }
            if let Some(recorder) = self.idle_recorder(id) {
                recorder.formed(&passing(&batch.queries), batch.queries.len(), now);
            }
            let batch = self.add_batch(now, id, batch);
            let stage = if self.stages_after(batch) { Stage::Stream } else { Stage::Launch };
            self.enter(now, batch, stage, events);
        }
    }

    /// Tells each guest which of its queries were rejected.
    fn reject(&mut self, server: ServerId, mut rejected: Vec<Query>, events: &mut Events) {
        if rejected.is_empty() {
            return;
        }
        rejected.sort_by_key(|query| (query.vm, query.step));
        if let Some(recorder) = self.idle_recorder(server) {
            recorder.reject(&passing(&rejected));
        }
        for own in by_guest(&rejected) {
            let guest = &mut self.guests[usize::from(own[0].vm.0)];
            guest.recorder.reject(own);
            if !guest.way.is_empty() {
                own.iter().for_each(|query| guest.way.reject(query));
                self.end_steps(own[0].vm, events);
            }
        }
    }

    /// The recorder of a server's model where it records what passes through: nobody asks it by itself.
    fn idle_recorder(&mut self, server: ServerId) -> Option<&mut Recorder> {
        let vm = self.servers[usize::from(server.0)].vm;
        let guest = &mut self.guests[usize::from(vm.0)];
        guest.is_idle.then_some(&mut guest.recorder)
    }

    /// Queries of an ensemble have left a step: each goes to the next, or is answered.
    fn go_on(&mut self, now: SimTime, own: &[Query], events: &mut Events) {
        let vm = own[0].vm;
        self.guests[usize::from(vm.0)].recorder.left_step(own, now);
        let mut asked = Vec::new();
        for query in own {
            let guest = &mut self.guests[usize::from(vm.0)];
            let mut query = Query { seen: now, ..*query };
            let next = guest.way.go(usize::from(query.step) + 1, &mut query, &mut guest.recorder);
            match next {
                Some(pool) => self.send(pool, query, events),
                None => {
                    guest.recorder.complete(&[query], query.seen);
                    guest.loadgen.completed(query.seen, 1, |query| asked.push(query));
                }
            }
        }
        for query in asked {
            let guest = &mut self.guests[usize::from(vm.0)];
            let mut query = Query { vm, ..query };
            let first = guest.way.go(0, &mut query, &mut guest.recorder);
            self.send(first.expect("an ensemble has a model"), query, events);
        }
        self.end_steps(vm, events);
    }

    /// A query comes to a pool that did not know of it.
    fn send(&mut self, pool: u16, query: Query, events: &mut Events) {
        let pool = &mut self.pools[usize::from(pool)];
        let server = ServerId(pool.first_server + pool.deal() as u16);
        let batcher = &mut self.servers[usize::from(server.0)].batcher;
        batcher.station.feed(query);
        batcher.arm(StationId::Batcher(server), events);
    }

    /// Tells batchers to which nothing more comes from an ensemble.
    fn end_steps(&mut self, vm: VmId, events: &mut Events) {
        let guest = &mut self.guests[usize::from(vm.0)];
        if !guest.is_over {
            return;
        }
        for index in guest.way.ended(guest.loadgen.made_count()) {
            let pool = &mut self.pools[usize::from(index)];
            pool.expected -= 1;
            if pool.expected > 0 {
                continue;
            }
            for (place, server) in self.servers.iter_mut().enumerate() {
                if server.pool == index {
                    server.batcher.station.expect(false);
                    server.batcher.arm(StationId::Batcher(ServerId(place as u16)), events);
                }
            }
        }
    }

    /// The workload and the settings of a server.
    fn spec(&self, server: ServerId) -> &'a VmSpec {
        let vm = self.servers[usize::from(server.0)].vm;
        &self.experiment.vms[usize::from(vm.0)]
    }

    /// Sets queries of heavy batches aside, and brings them back when no others are left.
    fn set_aside(&mut self, server: ServerId, formed: &mut [FormedBatch]) {
        let server = &mut self.servers[usize::from(server.0)];
        let Some(soft_drop) = &mut server.soft_drop else { return };
        formed.iter_mut().for_each(|batch| soft_drop.screen(&mut batch.queries));
        if server.batcher.station.is_drained() {
            soft_drop.take_aside().into_iter().for_each(|query| server.batcher.station.feed(query));
            server.soft_drop = None;
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
        let spec = self.spec(batch.server);
        let cpu = &spec.workload.cpu;
        // What is in series on a slice's only stream is the law's, whoever formed the batch.
        let served_by = match self.stages_after(id) {
            true => ServedBy::Harness,
            false => spec.server.served_by,
        };
        let before = match spec.load.scenario.has_queue() {
            true => cpu.of_a_queue(served_by),
            false => cpu.launch_per_batch.value,
        };
        let (per_batch, per_sample) = match batch.stage {
            Stage::Launch => (before, cpu.launch_per_sample.value),
            _ => (cpu.finish_per_batch.value, cpu.finish_per_sample.value),
        };
        let work = per_batch + per_sample * batch.queries.len() as u64;
        work.scale(1.0 / self.experiment.hypervisor.cpu_speed.value)
    }

    /// The vCPU is free again.
    fn release_vcpu(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        let server = self.batches[id.0 as usize].server;
        let processors = self.servers[usize::from(server.0)].processors;
        let vcpus = &mut self.servers[usize::from(processors.0)].vcpus;
        vcpus.station.give_back(now);
        vcpus.arm(StationId::Vcpus(processors), events);
    }

    /// CPU work is done: the batch goes on, at once unless the host has stopped.
    fn computed(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        let Some((stalls, stalled)) = &mut self.stalls else {
            return self.go_on_after_cpu(now, id, events);
        };
        let goes_on = stalls.over(now);
        if goes_on == now {
            return self.go_on_after_cpu(now, id, events);
        }
        stalled.station.submit(now, (id, goes_on - now));
        stalled.arm(StationId::Stalled, events);
    }

    /// The batch goes to the GPU or is complete.
    fn go_on_after_cpu(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        match self.batches[id.0 as usize].stage {
            Stage::Launch => self.enter(now, id, Stage::Submission, events),
            _ => self.complete(now, id, events),
        }
    }

    /// The end of the way: latencies are recorded, the permit returns, a closed loop asks again.
    fn complete(&mut self, now: SimTime, id: BatchId, events: &mut Events) {
        self.stamp(now, id, Stage::Finish);
        let server = self.batches[id.0 as usize].server;
        if self.spec(server).server.completion != Completion::PreserveOrdering {
            self.give_back_permit(now, id, PermitReturn::AtCompletion, events);
        }
        let batch = &mut self.batches[id.0 as usize];
        let queries = std::mem::take(&mut batch.queries);
        let id_of_server = batch.server;
        if let Some(recorder) = self.idle_recorder(id_of_server) {
            recorder.complete(&passing(&queries), now);
        }
        for own in by_guest(&queries) {
            let vm = own[0].vm;
            let guest = &mut self.guests[usize::from(vm.0)];
            if !guest.way.is_empty() {
                self.go_on(now, own, events);
                continue;
            }
            let batcher = &mut self.servers[usize::from(id_of_server.0)].batcher;
            guest.recorder.complete(own, now);
            // In a closed loop every answer goes to a client, who asks the same server again.
            let ask = |query| batcher.station.feed(Query { vm, ..query });
            guest.loadgen.completed(now, own.len(), ask);
        }
        let batcher = &mut self.servers[usize::from(id_of_server.0)].batcher;
        batcher.arm(StationId::Batcher(id_of_server), events);
        self.free_batches.push(id);
        if self.has_own_servers() {
            self.power_off_if_drained(now, queries[0].vm, events);
        }
    }

    fn give_back_permit(
        &mut self,
        now: SimTime,
        id: BatchId,
        when: PermitReturn,
        events: &mut Events,
    ) {
        let Batch { server, permit, .. } = self.batches[id.0 as usize];
        if self.spec(server).server.permit_return == when {
            let batcher = &mut self.servers[usize::from(server.0)].batcher;
            batcher.station.submit(now, permit);
            batcher.arm(StationId::Batcher(server), events);
        }
    }

    /// Closes the books of the batch's stage and opens those of the next.
    fn stamp(&mut self, now: SimTime, id: BatchId, next: Stage) {
        if self.scribe.is_some() {
            self.tell_stage(now, id, next);
        }
        let batch = &mut self.batches[id.0 as usize];
        if batch.stage != Stage::Batcher {
            for own in by_guest(&batch.queries) {
                let recorder = &mut self.guests[usize::from(own[0].vm.0)].recorder;
                recorder.stage(batch.stage, own.len(), now - batch.entered);
            }
            let model = self.servers[usize::from(batch.server.0)].vm;
            let model = &mut self.guests[usize::from(model.0)];
            if model.is_idle {
                model.recorder.stage(batch.stage, batch.queries.len(), now - batch.entered);
            }
        }
        (batch.stage, batch.entered) = (next, now);
    }

    fn add_batch(&mut self, now: SimTime, id: ServerId, formed: FormedBatch) -> BatchId {
        let FormedBatch { permit, queries } = formed;
        let of_server = &self.servers[usize::from(id.0)];
        let server = &self.experiment.vms[usize::from(of_server.vm.0)].server;
        let server_gpu = of_server.first_gpu + permit.gpu;
        let gpu = &mut self.server_gpus[usize::from(server_gpu)];
        // A worker has a stream of its own; mere slots take the streams in turn.
        let own_stream =
            server.permit_return == PermitReturn::AtStart || server.slots == server.streams;
        let turn = if own_stream { permit.worker } else { gpu.next_stream };
        gpu.next_stream = (gpu.next_stream + 1) % gpu.stream_count;
        let stream = gpu.first_stream + turn % gpu.stream_count;
        let queue = match server.completion {
            Completion::PreserveOrdering => of_server.first_gpu,
            Completion::Any | Completion::IssueOrder => server_gpu,
        };
        let number = self.server_gpus[usize::from(queue)].order.station.take_number();
        let size_sum = queries.iter().map(|query| f64::from(query.size)).sum();
        let luck = Exp1.sample(&mut self.servers[usize::from(id.0)].service);
        let stage = Stage::Batcher;
        let batch = Batch {
            server: id,
            permit,
            server_gpu,
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

/// The queries of each guest of a batch, of an ensemble at each of its steps.
fn by_guest(queries: &[Query]) -> impl Iterator<Item = &[Query]> {
    queries.chunk_by(|one, next| (one.vm, one.step) == (next.vm, next.step))
}

/// Queries of ensembles as the model sees them that they are at: due when they came there.
fn passing(queries: &[Query]) -> Vec<Query> {
    queries.iter().map(|query| Query { due: query.came(), step: 0, ..*query }).collect()
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
