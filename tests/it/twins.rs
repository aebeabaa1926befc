//! Slow, obvious doubles of what is clever, compared on random input.

use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::engine::RandomStreams;
use slicewise::gpu::{Demand, Pool, PoolJob};
use slicewise::loadgen::{LoadGen, Query};
use slicewise::platform::simulate_with;
use slicewise::queueing::{ProcessorSharing, Station};
use slicewise::record::Recorder;
use slicewise::spec::*;
use slicewise::units::{Share, SimDuration, SimTime};

/// Every query's latency in order of due time, as the platform simulates it.
fn simulated(experiment: &Experiment) -> Vec<(u64, u64)> {
    let outcome = simulate_with(experiment, Recorder::keep_log);
    let log = outcome.vms[0].recorder.log().expect("a log was asked for");
    let mut latencies: Vec<(u64, u64)> =
        log.iter().map(|(due, latency)| (due.as_nanos(), latency.as_nanos())).collect();
    latencies.sort_unstable();
    latencies
}

/// The queries of an experiment's guest, drawn from the same streams.
fn queries(experiment: &Experiment) -> Vec<Query> {
    let vm = &experiment.vms[0];
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    let mut loadgen = LoadGen::new(vm, vm.load.settings.min_duration, &streams, None);
    std::iter::from_fn(|| loadgen.next_scheduled()).collect()
}

/// Lindley's recursion for one server of constant or random work: the wait of each query is what
/// the one before left behind. Equal to the platform to the nanosecond, query by query.
#[test]
fn one_gpu_is_lindleys_recursion_query_by_query() {
    for sizes in [SizeDistribution::Fixed, SizeDistribution::LogNormal { sigma: 0.385 }] {
        let experiment = queue(1, 150.0, SimDuration::from_millis(5), sizes, 60);
        let mut free = 0;
        let expected: Vec<(u64, u64)> = queries(&experiment)
            .iter()
            .map(|query| {
                let due = query.due.as_nanos();
                free = due.max(free) + (5e6 * f64::from(query.size)).round() as u64;
                (due, free - due)
            })
            .collect();
        assert_eq!(simulated(&experiment), expected);
    }
}

/// The BERT harness told once more, from the workers' point of view and query by query: each worker
/// takes whatever waits, waits for its stream, and the GPU works off the batches in order.
fn slow_bert(
    queries: &[Query],
    gpus: usize,
    streams: usize,
    batch_max: usize,
    launch: f64,
    work: f64,
) -> Vec<(u64, u64)> {
    #[derive(Clone, Default)]
    struct Worker {
        gpu: usize,
        /// When the stream's running batch ends, when the GPU began it, and when the worker went to
        /// sleep.
        running_until: Option<u64>,
        began: u64,
        staged: Option<Vec<Query>>,
        asleep_since: (u64, usize),
    }
    let mut workers: Vec<Worker> = (0..gpus * streams)
        .map(|index| Worker { gpu: index % gpus, asleep_since: (0, index), ..Worker::default() })
        .collect();
    let mut gpu_free = vec![0u64; gpus];
    let (mut next, mut now, mut naps, mut latencies) = (0, 0u64, workers.len(), Vec::new());
    loop {
        // Whoever holds a staged batch and has a free stream starts it and goes to sleep again. Of
        // two GPUs that end a batch in the same nanosecond the one that began it first goes first.
        let mut ended: Vec<usize> = (0..workers.len())
            .filter(|&index| workers[index].running_until.is_some_and(|end| end <= now))
            .collect();
        ended.sort_by_key(|&index| workers[index].began);
        // A query due in that nanosecond is taken before.
        for ended in [Vec::new(), ended] {
            for &index in &ended {
                workers[index].running_until = None;
            }
            let mut changed = true;
            while changed {
                changed = false;
                let others = (0..workers.len()).filter(|index| !ended.contains(index));
                for index in ended.iter().copied().chain(others).collect::<Vec<_>>() {
                    let worker = &mut workers[index];
                    if worker.running_until.is_none()
                        && let Some(batch) = worker.staged.take()
                    {
                        let size: f64 = batch.iter().map(|query| f64::from(query.size)).sum();
                        let start = gpu_free[worker.gpu].max(now);
                        // The platform's arithmetic: work per sample times samples times mean size.
                        let count = batch.len() as f64;
                        let end = start + (launch + work * count * (size / count)).round() as u64;
                        gpu_free[worker.gpu] = end;
                        worker.running_until = Some(end);
                        worker.began = start;
                        latencies.extend(
                            batch
                                .iter()
                                .map(|query| (query.due.as_nanos(), end - query.due.as_nanos())),
                        );
                        worker.asleep_since = (now, naps);
                        naps += 1;
                        changed = true;
                    }
                }
                // The worker longest asleep takes whatever waits.
                let sleeper = workers
                    .iter_mut()
                    .filter(|worker| worker.staged.is_none())
                    .min_by_key(|worker| worker.asleep_since.1);
                if let Some(worker) = sleeper {
                    let due = queries[next..]
                        .iter()
                        .take(batch_max)
                        .take_while(|query| query.due.as_nanos() <= now)
                        .count();
                    if due > 0 {
                        worker.staged = Some(queries[next..next + due].to_vec());
                        next += due;
                        changed = true;
                    }
                }
            }
        }
        let arrival = queries.get(next).map(|query| query.due.as_nanos()).filter(|&due| due > now);
        let end = workers.iter().filter_map(|worker| worker.running_until).min();
        match arrival.into_iter().chain(end).min() {
            Some(time) => now = time,
            None => break,
        }
    }
    latencies.sort_unstable();
    latencies
}

/// The experiment that `slow_bert` tells.
fn bert(gpus: u16, streams: u32, batch_max: u32, rate: f64, seed: u64) -> Experiment {
    let sizes = SizeDistribution::LogNormal { sigma: 0.385 };
    let mut experiment = queue(gpus, rate, SimDuration::from_nanos(700_000), sizes, 5);
    experiment.seed = seed;
    let vm = &mut experiment.vms[0];
    vm.server = ServerSpec { batch_max, streams, slots: streams, ..(PRESETS[0].make)() };
    vm.workload_mut().service.get_mut("test-gpu").unwrap().launch.value =
        SimDuration::from_millis(1);
    experiment
}

/// Due time and latency of every query, ns.
type Latencies = Vec<(u64, u64)>;

/// `bert` at `load` of its full rate, and the same told by `slow_bert`.
fn both_bert(
    gpus: u16,
    streams: u32,
    batch_max: u32,
    load: f64,
    seed: u64,
) -> (Latencies, Latencies) {
    let batch = f64::from(batch_max);
    let full_rate = batch / (1e-3 + 0.7e-3 * batch) * f64::from(gpus);
    let experiment = bert(gpus, streams, batch_max, load * full_rate, seed);
    let (gpus, streams, batch_max) = (usize::from(gpus), streams as usize, batch_max as usize);
    let expected = slow_bert(&queries(&experiment), gpus, streams, batch_max, 1e6, 7e5);
    (simulated(&experiment), expected)
}

/// Cases that chance once found: two GPUs end a batch in the same nanosecond; a query is due in the
/// nanosecond in which a batch ends.
#[test]
fn the_bert_harness_and_its_slow_twin_agree_on_ties() {
    for (gpus, batch_max, load, seed) in
        [(4, 5, 0.6864205024133266, 939_904), (3, 55, 0.5077094409761773, 599_561)]
    {
        let (simulated, expected) = both_bert(gpus, 1, batch_max, load, seed);
        assert!(simulated == expected);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    /// Load from light to hopeless, one to four GPUs, one to three streams, batches of 1 to 64.
    #[test]
    fn the_bert_harness_agrees_with_its_slow_twin(
        gpus in 1..=4u16, streams in 1..=3u32, batch_max in 1..=64u32, load in 0.05..1.3f64, seed in 1..1_000_000u64,
    ) {
        let (simulated, expected) = both_bert(gpus, streams, batch_max, load, seed);
        let first = simulated.iter().zip(&expected).find(|(left, right)| left != right);
        prop_assert!(simulated.len() == expected.len() && first.is_none(), "{:?}", first);
    }

    /// Jobs that share a station, advanced in steps of one change at a time with every remainder
    /// written out, to 1 ns per change of speed.
    #[test]
    fn processor_sharing_agrees_with_its_slow_twin(
        capacity in 1..=4u32, jobs in prop::collection::vec((0..2_000u64, 1..3_000u64), 1..40),
    ) {
        let mut jobs = jobs;
        jobs.sort_unstable();
        let ends = slow_sharing(&jobs, |n| (n as f64 / f64::from(capacity)).max(1.0));
        let mut station = ProcessorSharing::new(capacity);
        let submit = |station: &mut ProcessorSharing<usize>, now, index, work| {
            station.submit(now, (index, SimDuration::from_nanos(work)));
        };
        compare(&mut station, &jobs, submit, &ends)?;
    }

    /// The same for batches that share a GPU by phi, on a slice of it.
    #[test]
    fn a_shared_pool_agrees_with_its_slow_twin(
        phi in 0.0..=1.0f64, share in 0.1..=1.0f64, jobs in prop::collection::vec((0..2_000u64, 1..3_000u64), 1..40),
    ) {
        let mut jobs = jobs;
        jobs.sort_unstable();
        let ends = slow_sharing(&jobs, |n| (1.0 - phi) + phi * n as f64 / share);
        let mut station = Pool::new(Share::new(share).unwrap(), GpuSharing::Shared);
        let submit = |station: &mut Pool<usize>, now, tag, work: u64| {
            let demand = Demand { host_floor: 0.0, launch: 0.0, serial: 0.0, work: work as f64, phi, phi_limit: 1.0, energy: 0.0 };
            station.submit(now, PoolJob { tag, demand });
        };
        compare(&mut station, &jobs, submit, &ends)?;
    }
}

/// When each of `jobs` (arrival, work; in order) ends if `n` of them progress at `1 / slowdown(n)`.
fn slow_sharing(jobs: &[(u64, u64)], slowdown: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut ends = vec![f64::NAN; jobs.len()];
    let mut left: Vec<(usize, f64)> = Vec::new();
    let (mut now, mut next) = (0.0f64, 0);
    while next < jobs.len() || !left.is_empty() {
        let factor = slowdown(left.len());
        let first_end =
            left.iter().map(|&(_, work)| now + work * factor).fold(f64::INFINITY, f64::min);
        let arrival = jobs.get(next).map_or(f64::INFINITY, |&(arrival, _)| arrival as f64);
        let until = first_end.min(arrival);
        left.iter_mut().for_each(|(_, work)| *work -= (until - now) / factor);
        now = until;
        if arrival <= first_end {
            left.push((next, jobs[next].1 as f64));
            next += 1;
        } else {
            left.retain(|&(index, work)| {
                let ended = work <= 1e-7;
                if ended {
                    ends[index] = now;
                }
                !ended
            });
        }
    }
    ends
}

/// Runs `station` over `jobs` and compares its ends: 1 ns per change of speed, of which a job sees
/// at most two per other job.
fn compare<S: Station<Done = usize>>(
    station: &mut S,
    jobs: &[(u64, u64)],
    submit: impl Fn(&mut S, SimTime, usize, u64),
    ends: &[f64],
) -> Result<(), TestCaseError> {
    let (mut done, mut next) = (Vec::new(), 0);
    while let Some(now) = station
        .next_change()
        .into_iter()
        .chain(jobs.get(next).map(|job| SimTime::from_nanos(job.0)))
        .min()
    {
        if station.next_change() == Some(now) {
            station.advance(now, &mut done);
            for index in done.drain(..) {
                let off = (now.as_nanos() as f64 - ends[index]).abs();
                prop_assert!(off <= 2.0 * jobs.len() as f64, "job {} ends {} ns off", index, off);
            }
        }
        while next < jobs.len() && jobs[next].0 == now.as_nanos() {
            submit(station, now, next, jobs[next].1);
            next += 1;
        }
    }
    Ok(())
}
