//! Who is in a batch and when it is formed, with a slow twin of Triton's rules.

use super::*;
use crate::engine::RandomStreams;
use crate::spec::{PRESETS, QueuePolicy, Queues, TimeoutAction, VmId};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

/// A query that comes at `due`, in nanoseconds.
fn query(due: u64, level: u8) -> Query {
    let due = SimTime::from_nanos(due);
    Query { due, seen: due, size: 1.0, level, step: 0, vm: VmId(0) }
}

fn batcher(
    preset: usize,
    batch_max: u32,
    gpus: u16,
    permits_per_gpu: u16,
    dues: &[u64],
) -> Batcher {
    let server = ServerSpec { batch_max, ..(PRESETS[preset].make)() };
    let chance = RandomStreams::new(0, 0).stream("dispatch");
    let mut batcher = Batcher::new(&server, usize::from(gpus), chance);
    for &due in dues {
        batcher.feed(query(due, 0));
    }
    batcher.close();
    for worker in 0..permits_per_gpu {
        (0..gpus).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker }));
    }
    batcher
}

/// Runs the batcher without giving permits back: (time in ns, GPU, batch size) of each batch.
fn batches(mut batcher: Batcher) -> Vec<(u64, u16, usize)> {
    let (mut log, mut done) = (Vec::new(), Vec::new());
    while let Some(now) = batcher.next_change() {
        batcher.advance(now, &mut done);
        let batch = done.pop().expect("a change forms a batch");
        log.push((now.as_nanos(), batch.permit.gpu, batch.queries.len()));
    }
    log
}

#[test]
fn bert_takes_whatever_waits_at_once() {
    // Two workers, batches of up to 2: the third query finds the first worker spent.
    assert_eq!(batches(batcher(0, 2, 2, 1, &[0, 5, 5, 5])), [(0, 0, 1), (5, 1, 2)]);
}

#[test]
fn a_query_due_at_the_very_instant_joins_the_batch() {
    assert_eq!(batches(batcher(0, 64, 1, 1, &[7, 7, 7, 8])), [(7, 0, 3)]);
}

#[test]
fn lwis_waits_for_a_full_batch_and_takes_the_gpus_in_turn() {
    let dues = [0, 1, 2, 3, 4, 5];
    assert_eq!(batches(batcher(1, 2, 3, 4, &dues)), [(1, 0, 2), (3, 1, 2), (5, 2, 2)]);
}

/// Batches of one to GPUs by lot, one query every `gap` nanoseconds; no permits yet.
fn by_lot(gpus: usize, queries: u64, gap: u64) -> Batcher {
    let server = ServerSpec { batch_max: 1, dispatch: Dispatch::RandomGpu, ..(PRESETS[1].make)() };
    let chance = RandomStreams::new(0, 0).stream("dispatch");
    let mut batcher = Batcher::new(&server, gpus, chance);
    for place in 0..queries {
        batcher.feed(query(place * gap, 0));
    }
    batcher.close();
    batcher
}

#[test]
fn gpus_are_drawn_by_lot_among_those_with_a_permit() {
    let mut batcher = by_lot(3, 600, 0);
    // One permit on GPU 0, plenty on the others: 0 once at most, 1 and 2 about as often.
    for worker in 0..300 {
        (1..3).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker }));
    }
    batcher.submit(SimTime::ZERO, Permit { gpu: 0, worker: 0 });
    let first: Vec<u16> = batches(batcher).iter().take(400).map(|batch| batch.1).collect();
    let of = |gpu: u16| first.iter().filter(|&&other| other == gpu).count();
    assert_eq!(of(0), 1, "its one permit is drawn within 400 draws of thirds, and only once");
    // Binomial(399, 1/2): standard deviation 10; five of them.
    assert!(of(1).abs_diff(of(2)) < 100, "{} and {}", of(1), of(2));
    let runs = first.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((150..250).contains(&runs), "by lot, not in turn: {runs} changes of 399");
}

/// Lots are drawn when the batch is full, not when the batcher starts to wait: the GPU of the batch
/// before may have a permit again by then.
#[test]
fn a_gpu_whose_permit_returns_while_a_batch_fills_takes_part() {
    let mut batcher = by_lot(2, 400, 10);
    (0..2).for_each(|gpu| batcher.submit(SimTime::ZERO, Permit { gpu, worker: 0 }));
    let (mut gpus, mut done) = (Vec::new(), Vec::new());
    while let Some(now) = batcher.next_change() {
        batcher.advance(now, &mut done);
        let permit = done.pop().expect("a change forms a batch").permit;
        gpus.push(permit.gpu);
        batcher.submit(now + SimDuration::from_nanos(1), permit);
    }
    let again = gpus.windows(2).filter(|pair| pair[0] == pair[1]).count();
    // Binomial(399, 1/2): standard deviation 10; five of them.
    assert!((150..250).contains(&again), "{again} of 399 to the GPU of the batch before");
}

#[test]
fn the_timeout_counts_from_the_start_of_the_wait_and_starts_again() {
    // 30 ms from 0 end with nothing there, the next 30 ms with one query.
    assert_eq!(batches(batcher(1, 8, 1, 1, &[40 * MS])), [(60 * MS, 0, 1)]);
    assert_eq!(batches(batcher(1, 8, 1, 1, &[10 * MS])), [(30 * MS, 0, 1)]);
}

#[test]
fn a_timeout_from_the_oldest_query_counts_from_its_arrival() {
    let mut batcher = batcher(1, 8, 1, 1, &[40 * MS]);
    batcher.timeout_from = TimeoutFrom::Oldest;
    assert_eq!(batches(batcher), [(70 * MS, 0, 1)]);
}

/// Triton's settings: the product's preset with this maximum, these preferred sizes and this delay.
fn triton(batch_max: u32, preferred: &[u32], delay: u64) -> ServerSpec {
    let preset = PRESETS.iter().find(|preset| preset.name == "triton").unwrap();
    ServerSpec {
        batch_max,
        preferred: preferred.to_vec(),
        max_queue_delay: SimDuration::from_nanos(delay),
        ..(preset.make)()
    }
}

/// A closed batcher that is fed these due times and levels, with one permit from `since` on.
fn fed(server: &ServerSpec, dues: &[(u64, u8)]) -> Batcher {
    let mut batcher = Batcher::new(server, 1, RandomStreams::new(0, 0).stream("dispatch"));
    for &(due, level) in dues {
        batcher.feed(query(due, level));
    }
    batcher.close();
    batcher
}

/// Runs a batcher whose permit comes at `since` and back `busy` after each batch: the time and the
/// due times of each batch, and the due times of those that were rejected.
fn served(mut batcher: Batcher, since: u64, busy: u64) -> (Vec<(u64, Vec<u64>)>, Vec<u64>) {
    let (mut log, mut rejected, mut done) = (Vec::new(), Vec::new(), Vec::new());
    let mut permit = Some((SimTime::from_nanos(since), Permit { gpu: 0, worker: 0 }));
    loop {
        let change = batcher.next_change();
        // At one instant a batcher's own change goes before what comes back to it.
        let comes = permit.filter(|(at, _)| change.is_none_or(|change| *at < change));
        if let Some((at, back)) = comes {
            permit = None;
            batcher.submit(at, back);
            continue;
        }
        let Some(now) = change else { break };
        batcher.advance(now, &mut done);
        let nanos = |query: &Query| query.due.as_nanos();
        rejected.extend(batcher.take_rejected().iter().map(nanos));
        if let Some(batch) = done.pop() {
            log.push((now.as_nanos(), batch.queries.iter().map(nanos).collect()));
            permit = Some((now + SimDuration::from_nanos(busy), batch.permit));
        }
    }
    assert!(batcher.is_drained(), "a permit that keeps coming back leaves nobody behind");
    (log, rejected)
}

/// The sizes of the batches that a permit at 100 and then every 10 makes of so many that wait.
fn sizes_of(server: &ServerSpec, waiting: u64) -> Vec<usize> {
    let dues: Vec<_> = (0..waiting).map(|due| (due, 0)).collect();
    let (log, _) = served(fed(server, &dues), 100, 10);
    log.iter().map(|(_, batch)| batch.len()).collect()
}

#[test]
fn the_largest_preferred_size_that_can_be_formed_goes() {
    // Of 7 that wait 4 go, then 3: no preferred size is left.
    assert_eq!(sizes_of(&triton(16, &[4, 8], 0), 7), [4, 3]);
    assert_eq!(sizes_of(&triton(16, &[4, 8], 0), 8), [8]);
    assert_eq!(sizes_of(&triton(16, &[4, 8], 0), 20), [8, 8, 4]);
    assert_eq!(sizes_of(&triton(16, &[4, 8], 0), 3), [3]);
    // Without preferred sizes all go, up to the maximum.
    assert_eq!(sizes_of(&triton(16, &[], 0), 7), [7]);
    assert_eq!(sizes_of(&triton(4, &[], 0), 7), [4, 3]);
}

#[test]
fn a_delay_waits_for_a_preferred_size_and_then_lets_all_go() {
    let times = |server: &ServerSpec, dues: &[u64]| {
        let dues: Vec<_> = dues.iter().map(|&due| (due, 0)).collect();
        let (log, _) = served(fed(server, &dues), 0, 1);
        log.into_iter().map(|(at, batch)| (at, batch.len())).collect::<Vec<_>>()
    };
    // The fourth comes in time: a preferred size goes at once, 8 is not waited for.
    assert_eq!(times(&triton(16, &[4, 8], 100), &[0, 10, 20, 30]), [(30, 4)]);
    // Three wait for the delay of the oldest.
    assert_eq!(times(&triton(16, &[4, 8], 100), &[0, 10, 20]), [(100, 3)]);
    // Without preferred sizes the maximum is waited for.
    assert_eq!(times(&triton(3, &[], 100), &[5, 10, 20, 30]), [(20, 3), (130, 1)]);
}

#[test]
fn once_the_oldest_waited_for_the_whole_delay_all_go_preferred_or_not() {
    // Seven wait when the permit comes at 200; the oldest has waited for more than 100.
    assert_eq!(sizes_of(&triton(16, &[4, 8], 100), 7), [7]);
    assert_eq!(sizes_of(&triton(16, &[4, 8], 101), 7), [4, 3]);
}

fn with_policies(mut server: ServerSpec, levels: &[QueuePolicy]) -> ServerSpec {
    server.queues = Queues { levels: levels.to_vec(), ..Queues::default() };
    server
}

#[test]
fn a_full_queue_rejects_as_a_query_arrives() {
    let policy = QueuePolicy { max_queue_size: Some(2), ..QueuePolicy::default() };
    let server = with_policies(triton(1, &[], 0), &[policy]);
    // 0 is taken at once; 1 and 2 wait, 3 is one too many; at 10 the first goes, so 11 has a place.
    let dues = [(0, 0), (1, 0), (2, 0), (3, 0), (11, 0)];
    let (log, rejected) = served(fed(&server, &dues), 0, 10);
    assert_eq!(rejected, [3]);
    assert_eq!(log, [(0, vec![0]), (10, vec![1]), (20, vec![2]), (30, vec![11])]);
}

#[test]
fn a_timeout_rejects_or_puts_behind() {
    let timeout = Some(SimDuration::from_nanos(10));
    let reject = QueuePolicy { timeout, ..QueuePolicy::default() };
    // A batch at the very end of the time still takes its query: 0 is due to 10.
    let dues = [(0, 0), (1, 0), (9, 0)];
    let (log, rejected) = served(fed(&with_policies(triton(1, &[], 0), &[reject]), &dues), 10, 5);
    assert_eq!((log, rejected), (vec![(10, vec![0]), (15, vec![9])], vec![1]));
    let delay = QueuePolicy { timeout_action: TimeoutAction::Delay, ..reject };
    let (log, rejected) = served(fed(&with_policies(triton(1, &[], 0), &[delay]), &dues), 10, 5);
    assert_eq!(log, [(10, vec![0]), (15, vec![9]), (20, vec![1])]);
    assert!(rejected.is_empty());
}

#[test]
fn the_urgent_go_first_whoever_came_before() {
    let server = with_policies(triton(2, &[], 0), &[QueuePolicy::default(); 2]);
    let dues = [(0, 1), (1, 1), (2, 0), (3, 1), (4, 0)];
    let (log, _) = served(fed(&server, &dues), 10, 10);
    assert_eq!(log, [(10, vec![2, 4]), (20, vec![0, 1]), (30, vec![3])]);
}

/// Triton's rule told again, one query at a time and nothing looked ahead: at every instant arrive
/// those who are due, then go those who waited too long, then a free instance takes what
/// `GetDynamicBatch` would.
fn twin(
    server: &ServerSpec,
    dues: &[(u64, u8)],
    since: u64,
    busy: u64,
) -> (Vec<(u64, Vec<u64>)>, Vec<u64>) {
    let delay = server.max_queue_delay.as_nanos();
    let preferred = match server.preferred.is_empty() {
        true => vec![server.batch_max],
        false => server.preferred.clone(),
    };
    let (mut waiting, mut behind) = (Vec::<(u64, u8)>::new(), Vec::<(u64, u8)>::new());
    let (mut log, mut rejected, mut free_at) = (Vec::new(), Vec::new(), since);
    let mut now = 0;
    while log.iter().map(|(_, batch): &(u64, Vec<u64>)| batch.len()).sum::<usize>() + rejected.len()
        < dues.len()
    {
        let arriving = dues.iter().filter(|(due, _)| *due == now);
        let policy = |level: u8| server.queues.levels[usize::from(level)];
        let over = |&(due, level): &(u64, u8), now: u64| {
            policy(level).timeout.is_some_and(|timeout| due + timeout.as_nanos() < now)
        };
        let (late, in_time): (Vec<_>, Vec<_>) =
            waiting.drain(..).partition(|query| over(query, now));
        waiting = in_time;
        for query in late {
            match policy(query.1).timeout_action {
                TimeoutAction::Reject => rejected.push(query.0),
                TimeoutAction::Delay => behind.push(query),
            }
        }
        for &(due, level) in arriving {
            let there = waiting.iter().chain(&behind).filter(|other| other.1 == level).count();
            match policy(level).max_queue_size {
                Some(most) if there >= most as usize => rejected.push(due),
                _ => waiting.push((due, level)),
            }
        }
        let mut order = Vec::new();
        for level in 0..server.queues.levels.len() as u8 {
            order.extend(waiting.iter().filter(|query| query.1 == level).copied());
            order.extend(behind.iter().filter(|query| query.1 == level).copied());
        }
        if now >= free_at && !order.is_empty() {
            let (mut pending, mut best) = (0, 0);
            for _ in &order {
                if pending == server.batch_max {
                    break;
                }
                pending += 1;
                if preferred.contains(&pending) {
                    best = pending;
                }
            }
            let oldest = order[..pending as usize].iter().map(|query| query.0).min().unwrap();
            let exceeded = delay > 0 && now >= oldest + delay;
            let going = match (best, exceeded) {
                (best, false) if best > 0 => best,
                (_, true) => pending,
                _ if delay == 0 => pending,
                _ => 0,
            };
            if going > 0 {
                let batch = &order[..going as usize];
                waiting.retain(|query| !batch.contains(query));
                behind.retain(|query| !batch.contains(query));
                log.push((now, batch.iter().map(|query| query.0).collect()));
                free_at = now + busy;
            }
        }
        now += 1;
    }
    (log, rejected)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000, failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    /// Due times are all different, so that a query is known by its own.
    #[test]
    fn batches_are_those_of_the_slow_twin(
        gaps in proptest::collection::vec((1..30_u64, 0..3_u8), 1..40),
        batch_max in 1..9_u32,
        preferred in proptest::collection::btree_set(1..9_u32, 0..4),
        delay in prop_oneof![Just(0), 1..60_u64],
        levels in proptest::collection::vec(
            (prop::option::of(1..80_u64), any::<bool>(), prop::option::of(1..6_u32)), 1..4),
        since in 0..100_u64,
        busy in 1..60_u64,
    ) {
        let preferred: Vec<u32> = preferred.into_iter().filter(|&size| size <= batch_max).collect();
        let mut server = triton(batch_max, &preferred, delay);
        server.queues.levels = levels.iter().map(|&(timeout, delays, max_queue_size)| QueuePolicy {
            timeout: timeout.map(SimDuration::from_nanos),
            timeout_action: if delays { TimeoutAction::Delay } else { TimeoutAction::Reject },
            max_queue_size,
        }).collect();
        let mut due = 0;
        let dues: Vec<(u64, u8)> = gaps.iter().map(|&(gap, level)| {
            due += gap;
            (due, level % levels.len() as u8)
        }).collect();
        let (log, mut rejected) = served(fed(&server, &dues), since, busy);
        let (slow_log, mut slow_rejected) = twin(&server, &dues, since, busy);
        prop_assert_eq!(log, slow_log);
        rejected.sort_unstable();
        slow_rejected.sort_unstable();
        prop_assert_eq!(rejected, slow_rejected);
    }
}
