//! Laws that every station keeps, whatever it does: one harness, all stations.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::engine::RandomStreams;
use slicewise::gpu::{
    Card, CardJob, Client, CopyEngine, Demand, Mps, MpsJob, OwnerId, Pool, PoolJob, PowerCap, Ring,
    Turns, TurnsJob,
};
use slicewise::host::engine::Engine;
use slicewise::host::{
    Batcher, Cores, CpuJob, FULL_SPEED, Fluid, FormedBatch, Former, Permit, Processors, Quantum,
    VmShare,
};
use slicewise::loadgen::{Lengths, Query};
use slicewise::queueing::stats::TimeWeighted;
use slicewise::queueing::{Fifo, Gate, ProcessorSharing, Sequencer, Station};
use slicewise::record::TokenRecord;
use slicewise::spec::{
    EngineGpu, EnginePreset, EngineSpec, GpuSharing, InstanceSpec, Launches, LengthPair, PRESETS,
    ServerSpec, VmId,
};
use slicewise::units::{Bandwidth, Bytes, Share, SimDuration, SimTime};
use std::sync::Arc;

/// Holds a station to the contract of [`Station`] on `jobs` (arrival and work in ns, in order):
/// time never goes back, nothing comes out early, jobs in = jobs out + jobs inside, each comes out
/// once, and Little's law: the mean number inside, watched from outside, times the time is the sum
/// of the times inside.
fn check_station<S: Station<Done = usize>>(
    mut station: S,
    jobs: &[(u64, u64)],
    job: impl Fn(usize, u64) -> S::Job,
) -> Result<(), TestCaseError> {
    let mut inside = TimeWeighted::new();
    let mut entered = vec![None; jobs.len()];
    let (mut done, mut next, mut sojourn, mut now) = (Vec::new(), 0, 0u128, SimTime::ZERO);
    loop {
        let change = station.next_change();
        prop_assert!(
            change.is_none_or(|change| change >= now),
            "a change at {:?} before {}",
            change,
            now
        );
        let arrival = jobs.get(next).map(|job| SimTime::from_nanos(job.0));
        let Some(time) = change.into_iter().chain(arrival).min() else { break };
        if change.is_some_and(|change| change > now) && time > now {
            let early = SimTime::from_nanos(time.as_nanos() - 1).max(now);
            station.advance(early, &mut done);
            prop_assert!(done.is_empty(), "something came out before it was due");
        }
        now = time;
        if change == Some(now) {
            station.advance(now, &mut done);
            for index in done.drain(..) {
                let since: SimTime =
                    entered[index].take().expect("a job that is inside comes out, once");
                sojourn += u128::from((now - since).as_nanos());
                inside.set(now, inside.level() - 1);
            }
        } else {
            entered[next] = Some(now);
            station.submit(now, job(next, jobs[next].1));
            inside.set(now, inside.level() + 1);
            next += 1;
        }
    }
    prop_assert!(entered.iter().all(Option::is_none), "a job never came out");
    prop_assert_eq!(inside.level(), 0);
    let area = inside.mean(now) * now.as_nanos() as f64;
    prop_assert!(
        (area - sojourn as f64).abs() <= 1e-9 * area.max(1.0),
        "Little's law: {} against {}",
        area,
        sojourn
    );
    Ok(())
}

fn jobs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..3_000u64, 0..2_000u64), 1..60).prop_map(|mut jobs| {
        jobs.sort_unstable();
        jobs
    })
}

fn batch(tag: usize, work: u64, phi: f64) -> PoolJob<usize> {
    let (host_floor, launch, phi_limit) = (50.0, 10.0, phi);
    let (work, energy) = (work as f64, work as f64);
    PoolJob {
        tag,
        demand: Demand { host_floor, launch, serial: 0.0, work, phi, phi_limit, energy },
    }
}

fn instance(share: Share) -> InstanceSpec {
    InstanceSpec { share, ..InstanceSpec::whole() }
}

fn client(sharing: GpuSharing, limit: f64) -> Client {
    Client {
        sharing,
        limit: Share::new(limit).unwrap(),
        launches: Launches::Graph,
        watts: 1.0,
        node: None,
    }
}

/// A gate with what its permits are for: each job that is let through is worked on by itself and gives
/// its permit back at the end.
struct Gated {
    gate: Gate<(usize, SimDuration)>,
    work: Fifo<usize>,
    /// Jobs that were let through and are not done.
    inside: usize,
    permits: usize,
}

impl Station for Gated {
    type Job = (usize, SimDuration);
    type Done = usize;

    fn submit(&mut self, now: SimTime, job: Self::Job) {
        self.gate.submit(now, job);
    }

    fn next_change(&self) -> Option<SimTime> {
        self.gate.next_change().into_iter().chain(self.work.next_change()).min()
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<usize>) {
        let before = done.len();
        self.work.advance(now, done);
        for _ in before..done.len() {
            self.inside -= 1;
            self.gate.give_back(now);
        }
        let mut through = Vec::new();
        self.gate.advance(now, &mut through);
        self.inside += through.len();
        assert!(self.inside <= self.permits, "more were let through than there are permits");
        through.into_iter().for_each(|job| self.work.submit(now, job));
    }
}

/// Runs a batcher whose permits come back a while after each batch; its batches in order.
fn batches(
    mut batcher: Batcher,
    permits: u16,
    busy: u64,
) -> Result<Vec<FormedBatch>, TestCaseError> {
    let permit = |worker| Permit { gpu: 0, worker };
    (0..permits).for_each(|worker| batcher.submit(SimTime::ZERO, permit(worker)));
    // Permits that are out, with the time at which they return.
    let mut out: Vec<(SimTime, Permit)> = Vec::new();
    let (mut all, mut done, mut now) = (Vec::new(), Vec::new(), SimTime::ZERO);
    loop {
        let back = out.iter().map(|(time, _)| *time).min();
        let change = batcher.next_change();
        prop_assert!(change.is_none_or(|change| change >= now), "a change before now");
        let Some(time) = change.into_iter().chain(back).min() else { break };
        now = time;
        if back == Some(now) {
            let place = out.iter().position(|(time, _)| *time == now).unwrap();
            batcher.submit(now, out.remove(place).1);
            continue;
        }
        batcher.advance(now, &mut done);
        for batch in done.drain(..) {
            prop_assert!(out.iter().all(|(_, other)| *other != batch.permit), "a permit twice");
            out.push((now + SimDuration::from_nanos(busy), batch.permit));
            prop_assert!(batch.queries.iter().all(|query| query.seen <= now), "a query to come");
            all.push(batch);
        }
    }
    prop_assert!(batcher.is_drained());
    Ok(all)
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_fifo_keeps_the_contract(servers in 1..5usize, jobs in jobs()) {
        check_station(Fifo::new(servers), &jobs, |tag, work| (tag, SimDuration::from_nanos(work)))?;
    }

    #[test]
    fn a_gate_keeps_the_contract(permits in 1..5usize, jobs in jobs()) {
        let gated = Gated { gate: Gate::new(permits), work: Fifo::delay(), inside: 0, permits };
        check_station(gated, &jobs, |tag, work| (tag, SimDuration::from_nanos(work)))?;
    }

    #[test]
    fn a_sequencer_keeps_the_contract(jobs in jobs()) {
        // Numbers that come in order wait for nobody.
        let mut sequencer = Sequencer::new();
        jobs.iter().for_each(|_| { sequencer.take_number(); });
        check_station(sequencer, &jobs, |tag, _| (tag, tag as u64))?;
    }

    /// An engine's permit comes out with each step and its requests once each; nothing comes out early.
    #[test]
    fn an_engine_loses_no_request_and_no_permit(
        is_apart in any::<bool>(), busy in 1..500u64, tokens in 8..40u32, seqs in 1..8u32,
        asked in prop::collection::vec((0..300u64, 1..30u32, 1..20u32), 1..40),
    ) {
        let lengths = asked.iter().map(|&(_, input, output)| (input, output)).collect();
        let stream = RandomStreams::new(0, 0).stream("lengths");
        let lengths = Lengths::new(&LengthPair::Recorded(Arc::new(lengths)), stream);
        let preset = EnginePreset::of(if is_apart { "two-step" } else { "vllm" }).unwrap();
        let gpu = EngineGpu { memory: Bytes::from_mib(1 << 10), is_a100: false };
        let spec = EngineSpec {
            max_num_batched_tokens: tokens, max_num_seqs: seqs, max_model_len: 60, block_size: 4,
            blocks: 15, ..(preset.make)(gpu)
        };
        let mut former =
            Former::Engine(Box::new(Engine::new(&spec, lengths, TokenRecord::new(None))));
        let mut due = SimTime::ZERO;
        for &(gap, ..) in &asked {
            due = due + SimDuration::from_nanos(gap);
            former.feed(Query { due, seen: due, size: 1.0, level: 0, step: 0, vm: VmId(0) });
        }
        former.close();
        let permit = Permit { gpu: 0, worker: 0 };
        former.submit(SimTime::ZERO, permit);
        let (mut done, mut answered): (Vec<FormedBatch>, usize) = (Vec::new(), 0);
        while let Some(now) = former.next_change() {
            if now > SimTime::ZERO {
                former.advance(SimTime::from_nanos(now.as_nanos() - 1), &mut done);
                prop_assert!(done.is_empty());
            }
            former.advance(now, &mut done);
            prop_assert_eq!(done.len(), 1);
            let batch = done.pop().unwrap();
            prop_assert_eq!(batch.permit, permit);
            prop_assert!(former.next_change().is_none());
            answered += batch.queries.len();
            former.submit(now + SimDuration::from_nanos(busy), permit);
        }
        prop_assert_eq!(answered, asked.len());
        prop_assert!(former.is_drained());
    }

    /// Permits in = permits out, queries in = queries out, each once and in order of arrival, in batches
    /// no larger than the server makes.
    #[test]
    fn a_batcher_loses_no_query_and_no_permit(
        preset in 0..PRESETS.len(), batch_max in 1..9u32, permits in 1..4u16, busy in 1..500u64,
        gaps in prop::collection::vec(0..300u64, 1..60),
    ) {
        let server = ServerSpec { batch_max, ..(PRESETS[preset].make)() };
        let mut batcher = Batcher::new(&server, 1, RandomStreams::new(0, 0).stream("dispatch"));
        let mut due = SimTime::ZERO;
        let dues: Vec<SimTime> = gaps.iter().map(|&gap| {
            due = due + SimDuration::from_nanos(gap);
            due
        }).collect();
        for &due in &dues {
            batcher.feed(Query { due, seen: due, size: 1.0, level: 0, step: 0, vm: VmId(0) });
        }
        batcher.close();
        let found = batches(batcher, permits, busy)?;
        prop_assert!(found.iter().all(|batch| (1..=batch_max as usize).contains(&batch.queries.len())));
        let served: Vec<SimTime> =
            found.iter().flat_map(|batch| &batch.queries).map(|query| query.due).collect();
        prop_assert_eq!(served, dues);
    }

    #[test]
    fn processor_sharing_keeps_the_contract(capacity in 1..5u32, jobs in jobs()) {
        check_station(ProcessorSharing::new(capacity), &jobs, |tag, work| (tag, SimDuration::from_nanos(work)))?;
    }

    #[test]
    fn logical_processors_keep_the_contract(fluid in any::<bool>(), preempts in any::<bool>(), busy in 0..3u32, jobs in jobs()) {
        let limited = VmShare { limit: Some(FULL_SPEED / 3), reservation: FULL_SPEED / 5, ..VmShare::of(2, 700) };
        let vms = [VmShare { busy, ..VmShare::of(3, 2000) }, limited];
        let cores = Cores::new(2, 3, 1.25);
        let station = match fluid {
            true => Processors::Fluid(Fluid::new(cores, &vms)),
            false => Processors::Quantum(Box::new(Quantum::new(cores, &vms, SimDuration::from_nanos(70), preempts))),
        };
        check_station(station, &jobs, |tag, work| CpuJob { vm: tag as u32 % 2, tag, work: SimDuration::from_nanos(work) })?;
    }

    #[test]
    fn a_copy_engine_keeps_the_contract(jobs in jobs()) {
        check_station(CopyEngine::new(Bandwidth::new(3e9)), &jobs, |tag, work| (tag, Bytes::new(work)))?;
    }

    #[test]
    fn a_pool_in_order_keeps_the_contract(phi in 0.0..=1.0f64, jobs in jobs()) {
        check_station(Pool::new(Share::WHOLE, GpuSharing::InOrder), &jobs, |tag, work| batch(tag, work, phi))?;
    }

    #[test]
    fn a_shared_pool_keeps_the_contract(phi in 0.0..=1.0f64, jobs in jobs()) {
        check_station(Pool::new(Share::WHOLE, GpuSharing::Shared), &jobs, |tag, work| batch(tag, work, phi))?;
    }

    #[test]
    fn a_card_keeps_the_contract(phi in 0.0..=1.0f64, jobs in jobs()) {
        let slice = |sharing| (instance(Share::new(0.4).unwrap()), vec![client(sharing, 1.0)]);
        let card = Card::new(&[slice(GpuSharing::InOrder), slice(GpuSharing::Shared)], Some(PowerCap::new(0.5, 0.79)));
        check_station(card, &jobs, |tag, work| CardJob { owner: OwnerId { instance: tag as u16 % 2, slot: 0 }, job: batch(tag, work, phi) })?;
    }

    #[test]
    fn mps_keeps_the_contract(phi in 0.0..=1.0f64, limits in prop::collection::vec(0.05..=1.0f64, 3), jobs in jobs()) {
        let sharings = [GpuSharing::InOrder, GpuSharing::Shared, GpuSharing::InOrder];
        let clients: Vec<Client> = sharings.iter().zip(limits).map(|(&sharing, limit)| client(sharing, limit)).collect();
        let mps = Mps::new(&clients, Share::new(0.8).unwrap());
        check_station(mps, &jobs, |tag, work| MpsJob { client: tag % 3, job: batch(tag, work, phi) })?;
    }

    #[test]
    fn turns_keep_the_contract(idle in 0..3usize, policy in 0..2usize, jobs in jobs()) {
        use slicewise::spec::{IdleRule, SlicePolicy, TimeSlicing};
        let policy = [SlicePolicy::EqualShare, SlicePolicy::FixedShare][policy];
        let idle = [IdleRule::Burned, IdleRule::RestBurned, IdleRule::SkippedAndCapped { window: None }][idle];
        let nanos = SimDuration::from_nanos;
        let slicing = TimeSlicing { idle, slice: nanos(300), switch_cost: nanos(20), ..crate::slicing::slicing(policy) };
        let turns = Turns::new(&[GpuSharing::InOrder; 3], Share::WHOLE, slicing);
        check_station(turns, &jobs, |tag, work| TurnsJob { slot: tag % 3, job: batch(tag, work, 1.0) })?;
    }

    #[test]
    fn the_ring_keeps_the_contract(launches in 0..2usize, dry in 0..40u64, over in 0..3usize, jobs in jobs()) {
        use slicewise::spec::{HardwareTurns, Overshoot, SwitchTimes, TurnsOf};
        let nanos = SimDuration::from_nanos;
        let switch = SwitchTimes { dry: nanos(dry), save: nanos(7), restore: nanos(11) };
        let overshoot = [Overshoot::None, Overshoot::Batch, Overshoot::Constant(nanos(50))][over];
        let turns = HardwareTurns { slice: nanos(300), renewal: nanos(310), switch, overshoot, of: TurnsOf::Process };
        let owner = Client { launches: [Launches::Graph, Launches::Kernels][launches], ..client(GpuSharing::InOrder, 1.0) };
        let ring = Ring::new(&[owner; 3], Share::WHOLE, &turns, &[2, 0, 1]);
        check_station(ring, &jobs, |tag, work| TurnsJob { slot: tag % 3, job: batch(tag, work, 1.0) })?;
    }

    /// Work done = time busy: a pool in order is busy for exactly the sum of its batches' times.
    #[test]
    fn a_pool_in_order_wastes_no_time(jobs in jobs()) {
        let mut card = Card::new(&[(instance(Share::WHOLE), vec![client(GpuSharing::InOrder, 1.0)])], None);
        let mut done = Vec::new();
        for (tag, &(arrival, work)) in jobs.iter().enumerate() {
            let now = SimTime::from_nanos(arrival);
            while let Some(change) = card.next_change().filter(|&change| change <= now) {
                card.advance(change, &mut done);
            }
            card.submit(now, CardJob { owner: OwnerId { instance: 0, slot: 0 }, job: batch(tag, work, 1.0) });
        }
        let mut end = SimTime::ZERO;
        while let Some(change) = card.next_change() {
            card.advance(change, &mut done);
            end = change;
        }
        let work: u64 = jobs.iter().map(|&(_, work)| (10 + work).max(50)).sum();
        prop_assert!((card.busy_share(end) * end.as_nanos() as f64 - work as f64).abs() < 1e-3);
    }

    /// Jobs that end in any order are released in the order of their numbers.
    #[test]
    fn a_sequencer_releases_in_order(order in Just((0..20u64).collect::<Vec<_>>()).prop_shuffle()) {
        let mut sequencer = Sequencer::new();
        order.iter().for_each(|_| { sequencer.take_number(); });
        let mut done = Vec::new();
        for (time, &number) in order.iter().enumerate() {
            let now = SimTime::from_nanos(time as u64);
            sequencer.submit(now, (number, number));
            sequencer.advance(now, &mut done);
        }
        prop_assert_eq!(done, (0..20).collect::<Vec<_>>());
    }
}
