//! The path of a query, from station to station. Start reading here.
//!
//! ```text
//! LoadGen ─► Batcher ─► vCPUs ─► delay ─► copy in ─► stream ─► Card ─► copy out ─► order ─► vCPUs ─► Recorder
//!  feeds     permits    launch   submit    PCIe       gate     pool     PCIe    sequencer  finish  └► permits back
//! ```
//! [`Platform::enter`] brings a batch to the station of a stage, [`Platform::wake`] takes batches
//! out of a station and [`Platform::go_on`] sends them on. Stages that take no time are not on the
//! [`Course`](super::Course) of a batch, an open gate is passed without an event, and where nobody waits
//! for anybody the time is a delay of the batch's own.

use super::{Batch, BatchId, CpuWork, Delay, Platform, ServerId, StationId, Timed};
use crate::engine::EventList;
use crate::gpu::{CardJob, ClientStep, OwnerId, PoolJob, demand_at};
use crate::host::FormedBatch;
use crate::host::engine::Engine;
use crate::loadgen::Query;
use crate::queueing::Station;
use crate::record::{Recorder, Stage};
use crate::spec::{Completion, PermitReturn, VmId, VmSpec};
use crate::units::{Bytes, SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};

impl<'a> Platform<'a> {
    /// A station is due to change now: every job that it finishes goes on along its path.
    pub(super) fn wake(&mut self, now: SimTime, id: StationId, events: &mut EventList) {
        if let StationId::Batcher(server) = id {
            return self.form(now, server, events);
        }
        let mut done = std::mem::take(&mut self.done);
        match id {
            StationId::Batcher(_) => unreachable!("answered above"),
            StationId::Vcpus(server) => {
                let server = &mut self.servers[usize::from(server.0)];
                leave(&mut server.vcpus, now, &mut done, events);
                done.iter().for_each(|&batch| self.compute(now, batch, events));
            }
            StationId::Processors(host) => {
                let processors = self.hosts[usize::from(host.0)].processors.as_mut();
                let processors = processors.expect("those that run short");
                processors.leave(now, &mut done, events);
                for &batch in &done {
                    self.release_vcpu(now, batch, events);
                    self.computed(now, batch, events);
                }
            }
            StationId::Card(card) => {
                leave(&mut self.slots[usize::from(card.0)].card, now, &mut done, events);
                for &batch in &done {
                    self.release_stream(now, batch, events);
                    self.go_on(now, batch, events);
                }
            }
            StationId::CopyIn(card) => {
                leave(&mut self.slots[usize::from(card.0)].copy_in, now, &mut done, events);
                done.iter().for_each(|&batch| self.go_on(now, batch, events));
            }
            StationId::Stream(stream) => {
                leave(&mut self.streams[stream as usize], now, &mut done, events);
                done.iter().for_each(|&batch| self.go_on(now, batch, events));
            }
            StationId::CopyOut(card) => {
                leave(&mut self.slots[usize::from(card.0)].copy_out, now, &mut done, events);
                done.iter().for_each(|&batch| self.go_on(now, batch, events));
            }
            StationId::Order(gpu) => {
                leave(&mut self.server_gpus[usize::from(gpu)].order, now, &mut done, events);
                done.iter().for_each(|&batch| self.go_on(now, batch, events));
            }
        }
        done.clear();
        self.done = done;
    }

    /// The end of a delay of the batch's own.
    pub(super) fn end_delay(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        match self.batches[id.0 as usize].delay {
            Delay::Cpu => {
                self.release_vcpu(now, id, events);
                self.computed(now, id, events);
            }
            Delay::Stall | Delay::Submission => self.go_on(now, id, events),
        }
    }

    /// The batch waits for nobody, and goes on at `end`.
    fn delay(&mut self, id: BatchId, delay: Delay, end: SimTime, events: &mut EventList) {
        self.batches[id.0 as usize].delay = delay;
        events.set(self.members.len() as u32 + id.0, delay.rank(), Some(end));
    }

    /// Brings a batch to the next stage of its course, or to its end.
    pub(super) fn go_on(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let batch = &self.batches[id.0 as usize];
        let course = &self.server_gpus[usize::from(batch.server_gpu)].course;
        match course.after(batch.stage) {
            Some(stage) => self.enter(now, id, stage, events),
            None if self.stands_still(batch.server) => self.hold(now, id, events),
            None => self.complete(now, id, events),
        }
    }

    /// Brings a batch to the station of `stage`.
    fn enter(&mut self, now: SimTime, id: BatchId, stage: Stage, events: &mut EventList) {
        self.stamp(now, id, Some(stage));
        let batch = &self.batches[id.0 as usize];
        let gpu = usize::from(batch.server_gpu);
        match stage {
            Stage::Batcher => unreachable!("a batch leaves the batcher as it is made"),
            Stage::Launch => self.start_cpu(now, id, self.server_gpus[gpu].launch, events),
            Stage::Finish => self.start_cpu(now, id, self.server_gpus[gpu].finish, events),
            Stage::Submission => {
                let latency = self.experiment.hypervisor.submission_latency.value;
                self.delay(id, Delay::Submission, now + latency, events);
            }
            Stage::CopyIn | Stage::CopyOut => {
                let workload = &self.spec(batch.server).workload;
                let per_sample = match stage {
                    Stage::CopyIn => workload.input_per_sample.value,
                    _ => workload.output_per_sample.value,
                };
                let bytes = per_sample * self.copied(id, stage);
                if bytes == Bytes::ZERO {
                    return self.go_on(now, id, events);
                }
                let card = self.server_gpus[gpu].card;
                let link = self.slots[usize::from(card.0)].link;
                let link = &mut self.slots[usize::from(link.0)];
                let engine = match stage {
                    Stage::CopyIn => &mut link.copy_in,
                    _ => &mut link.copy_out,
                };
                engine.station.submit(now, (id, bytes));
                engine.arm(events);
            }
            Stage::Stream => {
                let stream = batch.stream;
                self.queue(now, gpu, stream, true);
                let stream = &mut self.streams[stream as usize];
                if stream.station.pass() {
                    return self.go_on(now, id, events);
                }
                stream.station.submit(now, id);
                stream.arm(events);
            }
            Stage::Gpu => self.start_on_gpu(now, id, events),
            Stage::Order => {
                let server = batch.server;
                let queue = self.order_of(gpu);
                let order = &mut self.server_gpus[queue].order;
                order.station.submit(now, (id, batch.number));
                order.arm(events);
                if self.servers[usize::from(server.0)].completion == Completion::PreserveOrdering {
                    // The instance is free: its responses wait for older ones by themselves.
                    self.give_back_permit(now, id, PermitReturn::AtCompletion);
                    self.servers[usize::from(server.0)].batcher.arm(events);
                }
            }
        }
    }

    /// A batch is launched and comes to the gate of its stream, or leaves it for the card.
    fn queue(&mut self, now: SimTime, gpu: usize, stream: u32, comes: bool) {
        let place = self.server_gpus[gpu].owner_of(stream);
        let seat = usize::from(self.server_gpus[gpu].seat);
        let seat = &mut self.server_gpus[seat];
        let queued = if comes { seat.queued[place] + 1 } else { seat.queued[place] - 1 };
        let card = &mut self.slots[usize::from(seat.card.0)].card.station;
        seat.set_queued(now, place, queued, card);
    }

    /// A batch starts on its card.
    fn start_on_gpu(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let batch = &self.batches[id.0 as usize];
        let (gpu, server, stream) = (usize::from(batch.server_gpu), batch.server, batch.stream);
        let samples = batch.queries.len() as u32;
        let step = self.servers[usize::from(server.0)].batcher.station.engine().map(Engine::step);
        let at = match step {
            Some(_) => None,
            None => Some(self.server_gpus[gpu].at_size(samples)),
        };
        let server_gpu = &self.server_gpus[gpu];
        let OwnerId { instance, slot: first } = server_gpu.owner;
        let owner = OwnerId { instance, slot: first + server_gpu.owner_of(stream) as u16 };
        let instance = server_gpu.instance;
        let hypervisor = &self.experiment.hypervisor;
        let speed = hypervisor.gpu_speed.value;
        let step = step.zip(server_gpu.law.as_ref()).map(|(step, law)| ClientStep {
            law: law.clone(),
            parts: law.parts(&step),
            speed,
        });
        let demand = match (&step, at) {
            (Some(step), _) => step.law.demand(&step.parts, speed),
            (None, Some(at)) => demand_at(
                &at,
                server_gpu.service,
                hypervisor,
                samples,
                batch.size_sum,
                batch.luck,
                (instance, self.spec(server).server.launches),
            ),
            (None, None) => unreachable!("an engine has a law"),
        };
        let demand = demand.with_launch(server_gpu.graph_launch);
        let demand = match &server_gpu.draws {
            Some(draws) => {
                let on_slice = instance.profile.is_some();
                draws.at_highest_clock(demand, samples, batch.size_sum, on_slice)
            }
            None => demand,
        };
        let (card, has_gates) = (server_gpu.card, server_gpu.has_gates);
        let step = step.filter(|_| server_gpu.instance.sharing.mps().is_some());
        if has_gates {
            self.queue(now, gpu, stream, false);
        }
        let card = &mut self.slots[usize::from(card.0)].card;
        if let Some(step) = step {
            card.station.set_step(owner, step);
        }
        card.station.submit(now, CardJob { owner, job: PoolJob { tag: id, demand } });
        card.arm(events);
        if self.servers[usize::from(server.0)].permit_return == PermitReturn::AtStart {
            self.give_back_permit(now, id, PermitReturn::AtStart);
            self.servers[usize::from(server.0)].batcher.arm(events);
        }
    }

    /// A batch leaves the card, and its stream to the next.
    fn release_stream(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let batch = &self.batches[id.0 as usize];
        if self.server_gpus[usize::from(batch.server_gpu)].has_gates {
            let stream = &mut self.streams[batch.stream as usize];
            stream.station.give_back(now);
            stream.arm(events);
        }
    }

    /// Whose sequencer releases the batches of a server's GPU: index into `server_gpus`.
    fn order_of(&self, server_gpu: usize) -> usize {
        let server = &self.servers[usize::from(self.server_gpus[server_gpu].server.0)];
        match server.completion {
            Completion::PreserveOrdering => usize::from(server.first_gpu),
            Completion::Any | Completion::IssueOrder => server_gpu,
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

    /// Queries and a permit have met: the batch is final and sets out.
    fn form(&mut self, now: SimTime, id: ServerId, events: &mut EventList) {
        let mut formed = std::mem::take(&mut self.formed);
        let server = &mut self.servers[usize::from(id.0)];
        server.batcher.wake = None;
        server.batcher.station.advance(now, &mut formed);
        let (vm, is_mixed) = (server.vm, server.is_mixed);
        if server.batcher.station.has_rejected() {
            let rejected = server.batcher.station.take_rejected();
            if let Some(scribe) = &mut self.scribe {
                scribe.reject(now, id, &rejected);
            }
            self.left_balanced(now, id, rejected.len(), events);
            self.reject(id, rejected, events);
        }
        self.feed(id);
        self.set_aside(id, &mut formed);
        self.servers[usize::from(id.0)].batcher.arm(events);
        if self.has_own_servers() {
            self.power_off_if_drained(now, vm, events);
        }
        for mut batch in formed.drain(..) {
            if is_mixed {
                // Of several guests: each has its own in a row.
                batch.queries.sort_by_key(|query| (query.vm, query.step));
            }
            for own in by_guest(&batch.queries, is_mixed) {
                let recorder = &mut self.guests[usize::from(own[0].vm.0)].recorder;
                recorder.formed(own, batch.queries.len(), now);
            }
            if let Some(recorder) = self.idle_recorder(id) {
                recorder.formed(&passing(&batch.queries), batch.queries.len(), now);
            }
            let batch = self.add_batch(now, id, batch);
            self.go_on(now, batch, events);
        }
        self.formed = formed;
    }

    /// Tells each guest which of its queries were rejected.
    fn reject(&mut self, server: ServerId, mut rejected: Vec<Query>, events: &mut EventList) {
        rejected.sort_by_key(|query| (query.vm, query.step));
        if let Some(recorder) = self.idle_recorder(server) {
            recorder.reject(&passing(&rejected));
        }
        for own in by_guest(&rejected, true) {
            let guest = &mut self.guests[usize::from(own[0].vm.0)];
            guest.recorder.reject(own);
            if !guest.way.is_empty() {
                own.iter().for_each(|query| guest.way.reject(query));
                self.end_steps(own[0].vm, events);
            }
        }
    }

    /// The recorder of a server's model where it records what passes through: nobody asks it by itself.
    pub(super) fn idle_recorder(&mut self, server: ServerId) -> Option<&mut Recorder> {
        let vm = self.servers[usize::from(server.0)].vm;
        let guest = &mut self.guests[usize::from(vm.0)];
        guest.is_idle.then_some(&mut guest.recorder)
    }

    /// Queries of an ensemble have left a step: each goes to the next, or is answered.
    fn take_step(&mut self, now: SimTime, own: &[Query], events: &mut EventList) {
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
    fn send(&mut self, pool: u16, query: Query, events: &mut EventList) {
        let pool = &mut self.pools[usize::from(pool)];
        let server = ServerId(pool.first_server + pool.deal() as u16);
        let batcher = &mut self.servers[usize::from(server.0)].batcher;
        batcher.station.feed(query);
        batcher.arm(events);
    }

    /// Tells batchers to which nothing more comes from an ensemble.
    fn end_steps(&mut self, vm: VmId, events: &mut EventList) {
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
            for server in &mut self.servers[pool.servers()] {
                server.batcher.station.expect(false);
                server.batcher.arm(events);
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

    /// A batch has CPU work to do before the GPU or after it.
    fn start_cpu(&mut self, now: SimTime, id: BatchId, work: CpuWork, events: &mut EventList) {
        let batch = &mut self.batches[id.0 as usize];
        let engine = self.servers[usize::from(batch.server.0)].batcher.station.engine();
        let samples = engine.map_or(batch.queries.len(), |engine| engine.step().rows as usize);
        batch.cpu = work.of(samples);
        if batch.cpu == SimDuration::ZERO {
            return self.computed(now, id, events);
        }
        let server = &self.servers[usize::from(batch.server.0)];
        if server.has_vcpus_for_all {
            return self.compute(now, id, events);
        }
        let processors = usize::from(server.processors.0);
        let vcpus = &mut self.servers[processors].vcpus;
        if vcpus.station.pass() {
            return self.compute(now, id, events);
        }
        vcpus.station.submit(now, id);
        vcpus.arm(events);
    }

    /// A batch has a vCPU: its work goes to the host's processors.
    fn compute(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let Batch { cpu: work, server, .. } = self.batches[id.0 as usize];
        let host = self.servers[usize::from(server.0)].host;
        match &mut self.hosts[usize::from(host.0)].processors {
            Some(processors) => processors.submit(now, (server, id), work, events),
            None => self.delay(id, Delay::Cpu, now + work, events),
        }
    }

    /// The vCPU is free again.
    fn release_vcpu(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let server = &self.servers[usize::from(self.batches[id.0 as usize].server.0)];
        if server.has_vcpus_for_all {
            return;
        }
        let processors = usize::from(server.processors.0);
        let vcpus = &mut self.servers[processors].vcpus;
        vcpus.station.give_back(now);
        vcpus.arm(events);
    }

    /// CPU work is done: the batch goes on, at once unless the host has stopped.
    fn computed(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        let host = self.servers[usize::from(self.batches[id.0 as usize].server.0)].host;
        let stalls = self.hosts[usize::from(host.0)].stalls.as_mut();
        match stalls.map_or(now, |stalls| stalls.over(now)) {
            goes_on if goes_on == now => self.go_on(now, id, events),
            goes_on => self.delay(id, Delay::Stall, goes_on, events),
        }
    }

    /// The end of the way: latencies are recorded, the permit returns, a closed loop asks again.
    fn complete(&mut self, now: SimTime, id: BatchId, events: &mut EventList) {
        self.stamp(now, id, None);
        let server = self.batches[id.0 as usize].server;
        if self.servers[usize::from(server.0)].completion != Completion::PreserveOrdering {
            self.give_back_permit(now, id, PermitReturn::AtCompletion);
        }
        let batch = &mut self.batches[id.0 as usize];
        let (mut queries, spans) = (std::mem::take(&mut batch.queries), batch.spans);
        let is_mixed = self.servers[usize::from(server.0)].is_mixed;
        self.left_balanced(now, server, queries.len(), events);
        if let Some(recorder) = self.idle_recorder(server) {
            recorder.stages(queries.len(), &spans);
            recorder.complete(&passing(&queries), now);
        }
        for own in by_guest(&queries, is_mixed) {
            let vm = own[0].vm;
            let guest = &mut self.guests[usize::from(vm.0)];
            guest.recorder.stages(own.len(), &spans);
            if !guest.way.is_empty() {
                self.take_step(now, own, events);
                continue;
            }
            let batcher = &mut self.servers[usize::from(server.0)].batcher;
            guest.recorder.complete(own, now);
            // In a closed loop every answer goes to a client, who asks the same server again.
            let ask = |query| batcher.station.feed(Query { vm, ..query });
            guest.loadgen.completed(now, own.len(), ask);
        }
        let batcher = &mut self.servers[usize::from(server.0)].batcher;
        batcher.arm(events);
        // A step of an engine may answer nobody.
        let first = queries.first().map(|query| query.vm);
        queries.clear();
        batcher.station.reuse(queries);
        self.free_batches.push(id);
        if let Some(first) = first.filter(|_| self.has_own_servers()) {
            self.power_off_if_drained(now, first, events);
        }
    }

    /// The permit of a batch returns, if it is the time for it; the batcher is armed afterwards.
    #[inline]
    fn give_back_permit(&mut self, now: SimTime, id: BatchId, when: PermitReturn) {
        let Batch { server, permit, .. } = self.batches[id.0 as usize];
        let server = &mut self.servers[usize::from(server.0)];
        if server.permit_return == when {
            server.batcher.station.submit(now, permit);
        }
    }

    /// Closes the books of the batch's stage and opens those of the next, if there is one.
    #[inline(always)]
    fn stamp(&mut self, now: SimTime, id: BatchId, next: Option<Stage>) {
        if self.scribe.is_some() {
            self.tell_stage(now, id, next);
        }
        let batch = &mut self.batches[id.0 as usize];
        batch.spans[batch.stage as usize] += now - batch.entered;
        batch.entered = now;
        if let Some(next) = next {
            batch.stage = next;
        }
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
        let stream = gpu.first_stream + u32::from(turn % gpu.stream_count);
        let course_has_order = gpu.course.has(Stage::Order);
        let number = match course_has_order {
            true => {
                let order = self.order_of(usize::from(server_gpu));
                self.server_gpus[order].order.station.take_number()
            }
            false => 0,
        };
        let size_sum = queries.iter().map(|query| f64::from(query.size)).sum();
        let chance = &mut self.servers[usize::from(id.0)].service;
        let luck = chance.as_mut().map_or(0.0, |chance| Exp1.sample(chance));
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
            spans: [SimDuration::ZERO; Stage::ALL.len()],
            cpu: SimDuration::ZERO,
            delay: Delay::Cpu,
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

/// The queries of each guest of a batch, of an ensemble at each of its steps; all of them, where it is
/// not mixed.
fn by_guest(queries: &[Query], is_mixed: bool) -> impl Iterator<Item = &[Query]> {
    let alike =
        move |one: &Query, next: &Query| !is_mixed || (one.vm, one.step) == (next.vm, next.step);
    queries.chunk_by(alike)
}

/// Queries of ensembles as the model sees them that they are at: due when they came there.
pub(super) fn passing(queries: &[Query]) -> Vec<Query> {
    queries.iter().map(|query| Query { due: query.came(), step: 0, ..*query }).collect()
}

/// Takes out of a station what has finished, at the time that it asked for.
fn leave<S: Station>(
    timed: &mut Timed<S>,
    now: SimTime,
    done: &mut Vec<S::Done>,
    events: &mut EventList,
) {
    timed.wake = None;
    timed.station.advance(now, done);
    timed.arm(events);
}
