//! Bare metal on the same cards: one server per card for the load of all VMs, against theory, against
//! a retelling that knows nothing of events, and against the VMs' own runs.

use crate::support::{cases, fact, queue};
use proptest::prelude::*;
use slicewise::platform::{Outcome, simulate, simulate_with};
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::record::Recorder;
use slicewise::spec::*;
use slicewise::study::{counterfactuals, same_cards, whole_cards};
use slicewise::units::{Bytes, SimDuration, SimTime};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// VMs alike, `on[i]` of them on card `i`, each asked at `rate`; switches and the platform cost
/// nothing, and best effort wastes no time.
fn shared(on: &[u16], rate: f64, sizes: SizeDistribution, seconds: u64) -> Experiment {
    let mut experiment = queue(on.len() as u16, rate, SimDuration::from_millis(5), sizes, seconds);
    let vm = experiment.vms.remove(0);
    for card in &mut experiment.cards {
        card.instances[0].sharing = InstanceSharing::BestEffort(HardwareTurns {
            switch: SwitchTimes::always(SimDuration::ZERO),
            ..crate::slicing::hardware()
        });
    }
    for (card, &count) in on.iter().enumerate() {
        for _ in 0..count {
            let name = format!("vm-{}", experiment.vms.len() + 1);
            let share = GpuShare { card: GpuId(card as u16), ..vm.gpus[0].clone() };
            let own = VmSpec { group: name.clone(), name, gpus: vec![share], ..vm.clone() };
            experiment.vms.push(own);
        }
    }
    experiment
}

/// Latencies of all VMs together.
fn all(outcome: &Outcome) -> LatencyHistogram {
    let mut all = LatencyHistogram::new();
    outcome.vms.iter().for_each(|vm| all.merge(vm.recorder.latencies()));
    all
}

const REPLICATIONS: u32 = 12;

/// The mean of one value per replication, with half its 99.9 % interval (Student).
fn interval(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = StudentsT::new(0.0, 1.0, n - 1.0).unwrap().inverse_cdf(0.9995);
    (mean, t * (variance / n).sqrt())
}

/// The mean latency of a replication, in milliseconds.
fn mean_of(experiment: &Experiment, replication: u32) -> f64 {
    let experiment = Experiment { replication, ..experiment.clone() };
    all(&simulate(&experiment)).mean().unwrap().as_millis_f64()
}

/// Four Poisson VMs of 35 per second are one Poisson stream of 140: M/D/1 with S = 5 ms and rho = 0.7,
/// mean 5 + 0.7 x 5 / (2 x 0.3) = 10.833 ms.
#[test]
fn vms_on_one_card_are_m_d_1_at_the_summed_rate() {
    let bare = same_cards(&shared(&[4], 35.0, SizeDistribution::Fixed, 2000));
    let means: Vec<f64> = (0..REPLICATIONS).map(|one| mean_of(&bare, one)).collect();
    let (mean, half) = interval(&means);
    let expected = 5.0 + 0.7 * 5.0 / 0.6;
    assert!(half < 0.02 * expected, "{half}");
    assert!((mean - expected).abs() <= half, "{mean} +- {half}, not {expected}");
}

/// The mean of M/M/1 is the same in any order that wastes no time and does not look at the work:
/// S / (1 - rho) = 5 / 0.4 = 12.5 ms, in turns of 2 ms among four VMs as on bare metal where they queue
/// up. Both runs have the same queries, so their difference is known more closely than either.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn free_turns_and_bare_metal_have_one_mean_for_exponential_work() {
    let own = shared(&[4], 30.0, SizeDistribution::Exponential, 1500);
    let bare = same_cards(&own);
    let means = |experiment: &Experiment| -> Vec<f64> {
        (0..REPLICATIONS).map(|replication| mean_of(experiment, replication)).collect()
    };
    let (turns, bare) = (means(&own), means(&bare));
    for (case, means) in [("turns", &turns), ("bare metal", &bare)] {
        let (mean, half) = interval(means);
        assert!(half < 0.03 * 12.5, "{case}: {half}");
        assert!((mean - 12.5).abs() <= half, "{case}: {mean} +- {half}");
    }
    let differences: Vec<f64> = turns.iter().zip(&bare).map(|(one, other)| one - other).collect();
    let (difference, half) = interval(&differences);
    assert!(half < 0.03 * 12.5 && difference.abs() <= half, "{difference} +- {half}");
}

/// Every query's due time and latency, of all VMs in order of due time.
fn merged(experiment: &Experiment) -> Vec<(SimTime, SimDuration)> {
    let outcome = simulate_with(experiment, Recorder::keep_log);
    let logs = outcome.vms.iter().flat_map(|vm| vm.recorder.log().unwrap().to_vec());
    let mut queries: Vec<_> = logs.collect();
    queries.sort_by_key(|(due, _)| *due);
    queries
}

proptest! {
    #![proptest_config(cases(64))]

    /// The merged queries in turn to the cards, each card a queue of its own with 5 ms of work
    /// (Lindley 1952): every latency to the nanosecond. And each VM asks what it asks in its VM.
    #[test]
    fn queries_go_in_turn_to_one_queue_per_card(
        on in proptest::collection::vec(1_u16..4, 1..5),
        load in 0.1_f64..0.95,
        seed in 0_u64..1000,
    ) {
        let vms: u16 = on.iter().sum();
        let rate = load * on.len() as f64 * 200.0 / f64::from(vms);
        let own = Experiment { seed, ..shared(&on, rate, SizeDistribution::Fixed, 5) };
        let (bare, work) = (same_cards(&own), SimDuration::from_millis(5));
        prop_assume!(own.vms.len() > 1);
        let queries = merged(&bare);
        // LoadGen's first query is due at once, and those due together have no order of their own.
        let together = queries.iter().take_while(|(due, _)| *due == SimTime::ZERO).count();
        let mut free = vec![SimTime::ZERO; on.len()];
        for (index, (due, latency)) in queries.iter().enumerate() {
            let card = &mut free[index % on.len()];
            *card = (*card).max(*due) + work;
            if index >= together {
                prop_assert_eq!(*card - *due, *latency, "query {}", index);
            }
        }
        let dues = |experiment: &Experiment| -> Vec<SimTime> {
            merged(experiment).into_iter().map(|(due, _)| due).collect()
        };
        prop_assert_eq!(dues(&own), dues(&bare));
    }

    /// Whatever the loads, the settings and the cards: all that is asked is answered (the platform
    /// holds that), every server is on cards that were used, and nobody is left out.
    #[test]
    fn any_mixture_of_loads_finds_its_servers(
        on in proptest::collection::vec(0_u16..4, 1..4),
        kinds in proptest::collection::vec((0_u8..6, 1_u32..5, 0_u8..3), 12),
        seed in 0_u64..1000,
    ) {
        let mut own = Experiment { seed, ..shared(&on, 40.0, SizeDistribution::Exponential, 1) };
        prop_assume!(!own.vms.is_empty());
        for (vm, (load, batch_max, power)) in own.vms.iter_mut().zip(kinds) {
            vm.server.batch_max = batch_max;
            vm.load.scenario = match load {
                0 | 1 => TestScenario::Server,
                2 => TestScenario::Offline,
                3 => TestScenario::SingleStream,
                4 => TestScenario::MultiStream { samples: 3 },
                _ => TestScenario::ClosedLoop { clients: 3, think_time: SimDuration::from_millis(3) },
            };
            let at = |ms| SimTime::ZERO + SimDuration::from_millis(ms);
            vm.power_on = at([0, 0, 300][usize::from(power)]);
            vm.power_off = [None, Some(at(700)), None][usize::from(power)];
        }
        let bare = same_cards(&own);
        let used: std::collections::BTreeSet<_> =
            own.vms.iter().flat_map(|vm| &vm.gpus).map(|share| share.card).collect();
        prop_assert_eq!(bare.cards.len(), used.len());
        let outcome = simulate(&bare);
        for (vm, found) in bare.vms.iter().zip(&outcome.vms) {
            let answered = found.recorder.latencies().count();
            prop_assert!(answered > 0, "{} was not answered", vm.name);
            prop_assert!(found.recorder.last_due() >= vm.power_on);
            if let Some(off) = vm.power_off {
                prop_assert!(found.recorder.last_due() < off);
            }
        }
        let own = simulate(&own);
        for (vm, (own, found)) in bare.vms.iter().zip(own.vms.iter().zip(&outcome.vms)) {
            if vm.load.scenario == TestScenario::Server {
                prop_assert_eq!(own.recorder.latencies().count(), found.recorder.latencies().count());
            }
        }
    }
}

/// Twelve clients on two cards are six on each: with 10 ms in all between answers of a card, each
/// asks once in 60 ms.
#[test]
fn clients_are_dealt_to_the_cards_and_stay_there() {
    let mut own = shared(&[2, 4], 1.0, SizeDistribution::Fixed, 60);
    for vm in &mut own.vms {
        vm.workload_mut().service.get_mut("test-gpu").unwrap().work =
            fact(WorkTable::new(vec![(1, SimDuration::from_millis(10))]).unwrap());
        vm.load.scenario = TestScenario::ClosedLoop { clients: 2, think_time: SimDuration::ZERO };
    }
    let outcome = simulate(&same_cards(&own));
    for vm in &outcome.vms {
        let last = vm.recorder.latencies().quantile(0.5).unwrap().as_millis_f64();
        assert!((last / 60.0 - 1.0).abs() < 0.002, "{last} ms");
    }
    assert!(outcome.gpu_busy.iter().all(|busy| *busy > 0.999), "{:?}", outcome.gpu_busy);
}

/// Two Offline calls of 1000 and 500 samples of 5 ms on one card: they advance side by side, so the
/// short one is done when 1000 samples are, after 5 s, the long one after 7.5 s.
#[test]
fn offline_calls_advance_side_by_side() {
    let mut own = shared(&[2], 1.0, SizeDistribution::Fixed, 1);
    for (vm, samples) in own.vms.iter_mut().zip([1000, 500]) {
        vm.load.scenario = TestScenario::Offline;
        vm.load.settings.min_query_count = samples;
    }
    let outcome = simulate(&same_cards(&own));
    let end = |vm: usize| outcome.vms[vm].recorder.last_completion().as_secs_f64();
    assert!((end(0) - 7.5).abs() < 0.02 && (end(1) - 5.0).abs() < 0.02, "{} {}", end(0), end(1));
}

/// A guest that has cards to itself is on bare metal what it was: one kind of bare metal, the same
/// draws, the same queue over all of its cards.
#[test]
fn one_vm_with_whole_cards_has_one_bare_metal() {
    let own = queue(3, 500.0, SimDuration::from_millis(5), SizeDistribution::Exponential, 20);
    let both = counterfactuals(&own);
    assert_eq!(both.len(), 1);
    assert_eq!(both[0].0, BaselineKind::SameCards);
    assert_eq!(format!("{:?}", both[0].1), format!("{:?}", whole_cards(&own)));
    // Half a card, alone on it, likewise; two halves of one card are one card, or two.
    let own = shared(&[1], 100.0, SizeDistribution::Fixed, 5);
    assert_eq!(counterfactuals(&own).len(), 1);
    let mut two = own.clone();
    let second = two.vms[0].gpus[0].clone();
    two.vms[0].gpus.push(second);
    let cards: Vec<usize> =
        counterfactuals(&two).iter().map(|(_, bare)| bare.cards.len()).collect();
    assert_eq!(cards, [1, 2]);
}

/// Another batch size is another model beside the first on every card; its VMs ask no one else. Where
/// two models do not fit a card, each keeps to the cards of its VMs.
#[test]
fn other_settings_are_another_model_on_every_card_they_fit() {
    let mut own = shared(&[2, 1], 50.0, SizeDistribution::Fixed, 5);
    own.vms[2].server.batch_max = 4;
    let cards = |experiment: &Experiment| -> Vec<Vec<u16>> {
        let of_pool = |pool: &ServerPool| {
            pool.servers.iter().flat_map(|server| &server.gpus).map(|gpu| gpu.card.0).collect()
        };
        experiment.pools.iter().map(of_pool).collect()
    };
    let bare = same_cards(&own);
    assert_eq!(cards(&bare), [[0, 1], [0, 1]]);
    assert!(bare.cards.iter().all(|card| card.instances[0].sharing == InstanceSharing::Models));
    // 8 vCPUs a VM: 16 on two servers, and 8 on two.
    let processors = bare.pools.iter().flat_map(|pool| &pool.servers).map(|one| one.processors);
    assert_eq!(processors.collect::<Vec<_>>(), [8, 8, 4, 4]);
    for vm in &mut own.vms {
        vm.workload_mut().weights = fact(Bytes::from_mib(30_000));
    }
    let bare = same_cards(&own);
    assert_eq!(cards(&bare), [[0], [1]]);
    assert!(bare.cards.iter().all(|card| card.instances[0].sharing == InstanceSharing::Alone));
}

/// VMs with two cards each keep servers over two cards: a longer queue with two ways out, not two
/// queues. Cards that nobody has are not counted.
#[test]
fn servers_span_as_many_cards_as_those_of_the_vms() {
    let mut own = shared(&[1, 1, 0, 1, 1], 50.0, SizeDistribution::Fixed, 5);
    for (vm, cards) in own.vms.iter_mut().zip([[0, 1], [3, 4], [0, 3], [1, 4]]) {
        let share = vm.gpus[0].clone();
        vm.gpus = cards.map(|card| GpuShare { card: GpuId(card), ..share.clone() }).to_vec();
    }
    let bare = same_cards(&own);
    assert_eq!(bare.cards.len(), 4);
    let [pool] = &bare.pools[..] else { panic!("one kind of server") };
    let cards =
        |server: &PooledServer| -> Vec<u16> { server.gpus.iter().map(|gpu| gpu.card.0).collect() };
    assert_eq!(pool.servers.iter().map(cards).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
    assert_eq!(whole_cards(&own).cards.len(), 8);
}
