//! MPS: clients side by side on one GPU: who slows whom, limits, and a slow twin.
//!
//! Scenario keys are tested in `processes`, published figures in `conformance`.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::gpu::{Client, Demand, Mps, MpsJob, PoolJob};
use slicewise::queueing::Station;
use slicewise::spec::{GpuSharing, Launches};
use slicewise::units::{Share, SimDuration, SimTime};

fn share(share: f64) -> Share {
    Share::new(share).unwrap()
}

fn clients(limits: &[f64]) -> Vec<Client> {
    let client = |&limit: &f64| Client {
        sharing: GpuSharing::Shared,
        limit: share(limit),
        launches: Launches::Graph,
        watts: 0.0,
        node: None,
    };
    limits.iter().map(client).collect()
}

/// A batch: client, arrival in ns, demand.
type Arrival = (usize, u64, Demand);

fn filling(work: u64, phi: f64) -> Demand {
    Demand { phi, phi_limit: phi, ..Demand::plain(SimDuration::from_nanos(work)) }
}

/// When each batch ends, in nanoseconds.
fn drive(mps: &mut Mps<usize>, arrivals: &[Arrival]) -> Vec<u64> {
    let mut ends = vec![0; arrivals.len()];
    let mut done = Vec::new();
    let mut next = 0;
    loop {
        let arrival = arrivals.get(next).map(|arrival| SimTime::from_nanos(arrival.1));
        let change = mps.next_change();
        let Some(now) = change.into_iter().chain(arrival).min() else { return ends };
        if change == Some(now) {
            mps.advance(now, &mut done);
            done.drain(..).for_each(|index| ends[index] = now.as_nanos());
        } else {
            let (client, _, demand) = arrivals[next];
            mps.submit(now, MpsJob { client, job: PoolJob { tag: next, demand } });
            next += 1;
        }
    }
}

fn ends(limits: &[f64], arrivals: &[Arrival]) -> Vec<u64> {
    drive(&mut Mps::new(&clients(limits), Share::WHOLE), arrivals)
}

#[test]
fn clients_that_fill_the_gpu_share_it_alike() {
    // Work of 1000 each at half speed; then the rest of the longer one alone.
    let arrivals = [(0, 0, filling(1000, 1.0)), (1, 0, filling(3000, 1.0))];
    assert_eq!(ends(&[1.0, 1.0], &arrivals), [2000, 4000]);
}

#[test]
fn narrow_batches_overlap_for_nothing() {
    // phi 0: latency-bound kernels, which four clients run at once in the time of one.
    let arrivals: Vec<Arrival> = (0..4).map(|client| (client, 0, filling(1000, 0.0))).collect();
    assert_eq!(ends(&[1.0; 4], &arrivals), [1000; 4]);
    // Half of the work fills the GPU: 500 + 500 x 4.
    let arrivals: Vec<Arrival> = (0..4).map(|client| (client, 0, filling(1000, 0.5))).collect();
    assert_eq!(ends(&[1.0; 4], &arrivals), [2500; 4]);
}

#[test]
fn disjoint_limits_keep_clients_out_of_each_others_way() {
    // Half of the SMs each: 2000 alone, and 2000 beside one another.
    let one = (0, 0, filling(1000, 1.0));
    assert_eq!(ends(&[0.5, 0.5], &[one]), [2000]);
    assert_eq!(ends(&[0.5, 0.5], &[one, (1, 0, filling(9000, 1.0))])[0], 2000);
    // Without limits the neighbour takes half of what it is not kept from.
    assert_eq!(ends(&[1.0, 1.0], &[one]), [1000]);
}

#[test]
fn a_limit_leaves_the_rest_to_others() {
    // A fifth for the first; the other two have two fifths each, until they end at 2500.
    let arrivals: Vec<Arrival> = (0..3).map(|client| (client, 0, filling(1000, 1.0))).collect();
    assert_eq!(ends(&[0.2, 1.0, 1.0], &arrivals), [5000, 2500, 2500]);
}

#[test]
fn the_batches_of_a_client_share_its_limit() {
    // Two streams of a client of half the SMs: a quarter each.
    let arrivals = [(0, 0, filling(1000, 1.0)), (0, 0, filling(1000, 1.0))];
    assert_eq!(ends(&[0.5], &arrivals), [4000, 4000]);
}

/// Half of the work stretches by a limit, all of it by neighbours. With a quarter of the SMs alone
/// 1000 (1 + 0.5 x 3); of four so 1000 x 4, as if they had no limits; of two the limit is longer.
#[test]
fn a_limit_and_neighbours_have_a_phi_each() {
    let demand = Demand { phi_limit: 0.5, ..filling(1000, 1.0) };
    let of = |clients: usize| -> Vec<u64> {
        let arrivals: Vec<Arrival> = (0..clients).map(|client| (client, 0, demand)).collect();
        ends(&[0.25; 4], &arrivals)
    };
    assert_eq!(of(1), [2500]);
    assert_eq!(of(2), [2500; 2]);
    assert_eq!(of(4), [4000; 4]);
    // Two batches of one client within a quarter: 1 + 0.5 x 3 + 1 x (2 - 1) x 4.
    assert_eq!(ends(&[0.25], &[(0, 0, demand), (0, 0, demand)]), [6500; 2]);
    // Without a limit its phi is nothing.
    assert_eq!(ends(&[1.0], &[(0, 0, demand)]), [1000]);
}

#[test]
fn what_is_in_use_follows_the_limits() {
    let mut mps = Mps::new(&clients(&[0.25, 0.5]), Share::WHOLE);
    drive(&mut mps, &[(0, 0, filling(1000, 1.0)), (1, 0, filling(1000, 1.0))]);
    // The first ends at 4000, the second at 2000: (0.75 x 2000 + 0.25 x 2000) of 8000.
    assert!((mps.mean_in_use(SimTime::from_nanos(8000)) - 0.25).abs() < 1e-9);
    assert_eq!(mps.in_use(), 0.0);
}

/// The SMs of each client, by bisection on the level that every batch gets if it may.
fn level_by_bisection(whole: f64, running: &[usize], limits: &[f64]) -> Vec<f64> {
    let at = |level: f64| -> Vec<f64> {
        let clients = running.iter().zip(limits);
        clients.map(|(&count, &limit)| (count as f64 * level).min(limit * whole)).collect()
    };
    let (mut low, mut high) = (0.0, whole);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if at(middle).iter().sum::<f64>() <= whole { low = middle } else { high = middle }
    }
    at(low)
}

/// The twin: every batch has a part that is left; at each event the speeds of all are worked out
/// from nothing.
fn slow_mps(whole: f64, limits: &[f64], arrivals: &[Arrival]) -> Vec<f64> {
    let mut left: Vec<Option<f64>> = vec![None; arrivals.len()];
    let mut ends = vec![f64::NAN; arrivals.len()];
    let (mut now, mut next) = (0.0, 0);
    loop {
        let mut running = vec![0; limits.len()];
        let inside = (0..arrivals.len()).filter(|&batch| left[batch].is_some());
        let inside: Vec<usize> = inside.collect();
        inside.iter().for_each(|&batch| running[arrivals[batch].0] += 1);
        let parts = level_by_bisection(whole, &running, limits);
        let speed = |batch: usize| {
            let (client, _, demand) = arrivals[batch];
            let (phi, phi_limit) = (demand.phi, demand.phi_limit);
            let own = parts[client] / running[client] as f64;
            // Every batch that runs counts for one, or for the SMs it has over those of this one.
            let count = |other: &usize| {
                let sms = parts[*other] / running[*other] as f64;
                running[*other] as f64 * (sms / own).min(1.0)
            };
            let busy = (0..running.len()).filter(|&other| running[other] > 0);
            let contend: f64 = busy.map(|other| count(&other)).sum();
            let beside = (1.0 - phi) + phi * contend / whole;
            let limit = limits[client] * whole;
            let others = running[client] as f64 - 1.0;
            let within = (1.0 - phi_limit) + phi_limit / limit + phi * others / limit;
            let stretch = if limits[client] < 1.0 { beside.max(within) } else { beside };
            1.0 / demand.host_floor.max(demand.launch + demand.work * stretch)
        };
        let end = |&batch: &usize| now + left[batch].unwrap() / speed(batch);
        let first = inside.iter().map(end).fold(f64::INFINITY, f64::min);
        let arrival = arrivals.get(next).map_or(f64::INFINITY, |arrival| arrival.1 as f64);
        let then = first.min(arrival);
        if then == f64::INFINITY {
            return ends;
        }
        let progress: Vec<f64> = inside.iter().map(|&batch| (then - now) * speed(batch)).collect();
        for (&batch, part) in inside.iter().zip(progress) {
            let rest = left[batch].unwrap() - part;
            let is_over = rest < 1e-9;
            left[batch] = (!is_over).then_some(rest);
            if is_over {
                ends[batch] = then;
            }
        }
        if arrival <= then {
            left[next] = Some(1.0);
            next += 1;
        }
        now = then;
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// Up to 1 ns for every change of speed, of which a batch sees two for every other batch.
    #[test]
    fn mps_agrees_with_its_slow_twin(
        whole in 0.2..=1.0f64,
        limits in prop::collection::vec(0.05..=1.0f64, 1..5),
        batches in prop::collection::vec((0..4usize, 0..500_000u64, 1_000..200_000u64, 0.0..=1.0f64, 0.0..=1.0f64), 1..30),
    ) {
        let mut arrivals: Vec<Arrival> = batches
            .into_iter()
            .map(|(client, at, work, phi, phi_limit)| {
                let demand = filling(work, phi);
                let demand = Demand { launch: 100.0, host_floor: 5_000.0, phi_limit, ..demand };
                (client % limits.len(), at, demand)
            })
            .collect();
        arrivals.sort_by_key(|arrival| arrival.1);
        let fast = drive(&mut Mps::new(&clients(&limits), share(whole)), &arrivals);
        let slow = slow_mps(whole, &limits, &arrivals);
        for (batch, (fast, slow)) in fast.iter().zip(&slow).enumerate() {
            let off = (*fast as f64 - slow).abs();
            prop_assert!(off <= 2.0 * arrivals.len() as f64, "batch {}: {} against {}", batch, fast, slow);
        }
    }
}
