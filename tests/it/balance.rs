//! A load that several VMs share: queueing theory of both policies, who is lost when a VM is down, and that no
//! query is lost or answered twice.

use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::platform::{simulate, simulate_together};
use slicewise::spec::*;
use slicewise::units::{SimDuration, SimTime};
use std::sync::Arc;

/// So many VMs with a card each, and a load of `rate` that a balancer deals to them.
fn shared(vms: u16, policy: BalancePolicy, rate: f64, sizes: SizeDistribution) -> Experiment {
    let mut experiment = queue(vms, rate, SimDuration::from_millis(5), sizes, 60);
    let one = experiment.vms.remove(0);
    for place in 0..vms {
        let name = format!("vm-{}", place + 1);
        let gpus = vec![one.gpus[usize::from(place)].clone()];
        experiment.vms.push(VmSpec { name, gpus, load: LoadSpec::idle(), ..one.clone() });
    }
    let members: Vec<VmId> = (0..vms).map(VmId).collect();
    let steps = members.iter().copied().map(Step::Model).collect();
    let health_check = SimDuration::from_secs(2);
    let balance = Some(Balance { members, policy, health_check, replicas: None });
    let (name, server_of) = ("shared".to_string(), Some(VmId(0)));
    let gpus = experiment.vms[0].gpus.clone();
    experiment.vms.push(VmSpec { name, server_of, steps, balance, gpus, ..one });
    experiment
}

/// Mean time in the system in seconds, with 3.3 standard errors over seeds.
fn mean(make: impl Fn() -> Experiment) -> (f64, f64) {
    let found: Vec<f64> = (1..=40)
        .map(|seed| {
            let outcome = simulate(&Experiment { seed, ..make() });
            outcome.vms.last().unwrap().recorder.latencies().mean().unwrap().as_secs_f64()
        })
        .collect();
    let count = found.len() as f64;
    let mean = found.iter().sum::<f64>() / count;
    let squares: f64 = found.iter().map(|one| (one - mean).powi(2)).sum();
    (mean, 3.3 * (squares / (count - 1.0) / count).sqrt())
}

/// Round robin over two servers makes every second arrival of a Poisson stream one of a server: E2/M/1. A
/// query is 1 / (mu (1 - sigma)) in the system, with sigma = (2 rho / (2 rho + 1 - sigma))^2 (Kleinrock, Queueing Systems I,
/// section 6.4, G/M/1). Whoever joins the shorter queue waits less than that, and at least as long as with one queue for
/// both, M/M/2: 1 / (mu (1 - rho^2)).
#[test]
fn a_balancer_costs_what_queueing_theory_says() {
    let (mu, rho) = (200.0, 0.7_f64);
    let rate = 2.0 * rho * mu;
    let mut sigma = rho;
    for _ in 0..200 {
        sigma = (2.0 * rho / (2.0 * rho + 1.0 - sigma)).powi(2);
    }
    let of = |policy| move || shared(2, policy, rate, SizeDistribution::Exponential);
    let (in_turn, error) = mean(of(BalancePolicy::RoundRobin));
    let theory = 1.0 / (mu * (1.0 - sigma));
    assert!((in_turn - theory).abs() <= error, "{in_turn} +- {error}, by theory {theory}");
    // Dealt by lots it would be M/M/1: 3.3 / 2.5 as long.
    assert!(theory + error < 1.0 / (mu * (1.0 - rho)));
    let (shortest, error) = mean(of(BalancePolicy::LeastOutstanding));
    let pooled = 1.0 / (mu * (1.0 - rho * rho));
    assert!(shortest + error > pooled, "{shortest}: one queue for both takes {pooled}");
    assert!(shortest + error < in_turn, "{shortest} in the shorter queue, {in_turn} in turn");
}

#[test]
fn in_turn_every_vm_gets_as_many() {
    let outcome = simulate(&shared(3, BalancePolicy::RoundRobin, 300.0, SizeDistribution::Fixed));
    let of: Vec<u64> = outcome.vms.iter().map(|vm| vm.recorder.answered()).collect();
    let [one, two, three, all] = of[..] else { panic!("{of:?}") };
    assert_eq!(one + two + three, all);
    assert!(one - three <= 1 && one >= two && two >= three, "{of:?}");
}

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(millis)
}

fn with(mut experiment: Experiment, steps: &[(u64, u16, VmChange)]) -> Experiment {
    let steps = steps.iter();
    let step = |(millis, vm, change): &(u64, u16, VmChange)| VmStep {
        at: at(*millis),
        vm: VmId(*vm),
        change: change.clone(),
    };
    let window = SimDuration::from_secs(1);
    let timeline = Timeline {
        operations: Vec::new(),
        steps: steps.map(step).collect(),
        window,
        leans_on: Vec::new(),
        trace: None,
    };
    experiment.timeline = Some(Arc::new(timeline));
    experiment
}

/// Three VMs in turn, one of them down from 10 s on: it gets a third of the queries for the 2 s of a health
/// check, all lost, and none after that; the others answer all of theirs.
#[test]
fn a_vm_that_is_down_gets_queries_until_a_health_check_fails() {
    let plain = shared(3, BalancePolicy::RoundRobin, 300.0, SizeDistribution::Fixed);
    let made = simulate(&plain).vms[3].recorder.answered();
    let outcome = simulate(&with(plain, &[(10_000, 0, VmChange::Down)]));
    let shared = &outcome.vms[3].recorder;
    assert_eq!(shared.answered(), made, "made is answered and lost");
    let windows = shared.over_time().unwrap().windows();
    let lost: Vec<u64> = windows.iter().map(|window| window.lost).collect();
    assert!(lost[..9].iter().chain(&lost[12..]).all(|lost| *lost == 0), "{lost:?}");
    let third = |window: usize| windows[window].made() as f64 / 3.0;
    for window in [10, 11] {
        assert!((lost[window] as f64 - third(window)).abs() <= 1.0, "{lost:?}");
    }
    assert_eq!(outcome.vms[0].recorder.lost(), shared.lost());
}

/// Whoever stands still keeps what it was sent; the least busy is asked instead, health check or not.
#[test]
fn least_outstanding_leaves_a_vm_alone_that_stands_still() {
    let sizes = SizeDistribution::Fixed;
    let steps = [(10_000, 0, VmChange::Halt), (11_000, 0, VmChange::GoOn(None))];
    let found = |policy| {
        let outcome = simulate(&with(shared(3, policy, 300.0, sizes), &steps));
        let recorder = &outcome.vms[3].recorder;
        assert_eq!(recorder.lost(), 0);
        outcome.vms[0].recorder.over_time().unwrap().stops()[0].waited
    };
    // In turn a third of the 300 of that second; else as many as the others have at most.
    assert!((80..=120).contains(&found(BalancePolicy::RoundRobin)));
    assert!(found(BalancePolicy::LeastOutstanding) < 20);
}

/// A rule that looks every second and starts a replica in half of one.
fn rule(min: u32, target: f64) -> Option<Replicas> {
    let seconds = SimDuration::from_secs;
    Some(Replicas {
        min,
        metric: ReplicaMetric::Outstanding,
        target,
        tolerance: 0.1,
        period: seconds(1),
        up_window: seconds(0),
        down_window: seconds(300),
        start: SimDuration::from_millis(500),
    })
}

fn with_replicas(mut experiment: Experiment, replicas: Option<Replicas>) -> Experiment {
    let shared = experiment.vms.last_mut().unwrap();
    shared.balance.as_mut().unwrap().replicas = replicas;
    experiment
}

/// 300 a second and 5 ms each are 1.5 of a VM: with one, 100 more wait each second, so that 50 do in the mean
/// of the first. For a target of 20 that wants ceil(50 / 20) = 3 replicas, and two are started at 1 s. They serve from
/// 1.5 s on; then three have 600 a second for 300 and the 150 that wait, which are gone half a second later.
#[test]
fn replicas_are_started_by_the_rule_and_serve_once_they_have_started() {
    let plain = shared(3, BalancePolicy::LeastOutstanding, 300.0, SizeDistribution::Fixed);
    let mut plain = with(plain, &[]);
    plain.vms[3].load.arrivals = Arrivals::Constant;
    let made = simulate(&plain).vms[3].recorder.answered();
    let scaled = with_replicas(plain, rule(1, 20.0));
    let outcome = simulate(&scaled);
    let started: Vec<_> = outcome.scaled.iter().map(|one| (one.at, one.vm)).collect();
    assert_eq!(started, [(at(1_000), VmId(1)), (at(1_000), VmId(2))]);
    let recorder = &outcome.vms[3].recorder;
    assert_eq!((recorder.answered(), recorder.lost()), (made, 0));
    let windows = recorder.over_time().unwrap().windows();
    let late: Vec<u64> = windows.iter().map(|window| window.over_bound).collect();
    assert!(late[0] > 200 && late[1] > 100, "over 100 ms: {late:?}");
    assert!(late[3..].iter().all(|late| *late == 0), "{late:?}");
    let first = outcome.vms[1].recorder.over_time().unwrap().windows();
    // 300 of the last half of that second, dealt to three of which the first has a queue.
    assert!(first[0].made() == 0 && first[1].made() < 100, "{}", first[1].made());
}

/// 100 a second and 5 ms each are half of a VM. Of two replicas one is down from 10 s on, and the load balancer
/// is not told of what it lost there: the rule sees the half of the other, for a target of 0.5 each, and starts nobody.
#[test]
fn a_replica_that_is_down_asks_for_no_others() {
    let plain = shared(3, BalancePolicy::LeastOutstanding, 100.0, SizeDistribution::Fixed);
    let mut down = with(plain, &[(10_000, 0, VmChange::Down)]);
    down.vms[3].load.arrivals = Arrivals::Constant;
    let outcome = simulate(&with_replicas(down, rule(2, 0.5)));
    assert!(outcome.vms[3].recorder.lost() > 0);
    assert_eq!(outcome.scaled, []);
}

proptest! {
    #![proptest_config(cases(40))]

    /// However VMs stop and go: every query of a shared load is answered or lost, once, and by one VM; nobody is
    /// lost who only stood still; parts come to the same as the whole.
    #[test]
    fn queries_of_a_shared_load_are_conserved(
        stops in proptest::collection::vec((0..8_000_u64, 1..3_000_u64, 0..3_u16, any::<bool>()), 0..8),
        policy in prop_oneof![Just(BalancePolicy::RoundRobin), Just(BalancePolicy::LeastOutstanding)],
        ends in any::<bool>(),
        replicas in proptest::option::of((1..3_u32, 0.2..5.0_f64)),
    ) {
        let mut plain = shared(3, policy, 200.0, SizeDistribution::Exponential);
        plain.vms[3].load.settings.min_duration = SimDuration::from_secs(10);
        let mut steps = Vec::new();
        let mut free = [0; 3];
        for (from, span, vm, is_down) in stops {
            let from = from.max(free[usize::from(vm)]);
            free[usize::from(vm)] = from + span;
            let (stop, start) = match is_down {
                true => (VmChange::Down, VmChange::Up(None)),
                false => (VmChange::Halt, VmChange::GoOn(None)),
            };
            steps.extend([(from, vm, stop), (from + span, vm, start)]);
        }
        steps.sort_by_key(|(millis, ..)| *millis);
        if !ends {
            // The last does not come to its end.
            steps.pop();
        }
        let goes_down = steps.iter().any(|(.., change)| matches!(change, VmChange::Down));
        let is_left = !ends && !steps.is_empty();
        let made = simulate(&plain).vms[3].recorder.answered();
        let replicas = replicas.and_then(|(min, target)| {
            let down_window = SimDuration::from_secs(2);
            rule(min, target).map(|rule| Replicas { down_window, ..rule })
        });
        let changed = with_replicas(with(plain, &steps), replicas);
        let after = simulate(&changed);
        let shared = &after.vms[3].recorder;
        prop_assert_eq!(shared.answered(), made);
        prop_assert!(goes_down || is_left || shared.lost() == 0);
        let of = |count: fn(&slicewise::record::Recorder) -> u64| -> u64 {
            after.vms[..3].iter().map(|vm| count(&vm.recorder)).sum()
        };
        prop_assert_eq!(of(|recorder| recorder.latencies().count()), shared.latencies().count());
        prop_assert_eq!(of(|recorder| recorder.lost()), shared.lost());
        let whole = format!("{:?}", simulate_together(&changed));
        prop_assert_eq!(format!("{after:?}"), whole);
    }
}
