//! What becomes of operations: each kind, what is refused, and that no vGPU is held twice.

use super::*;
use crate::spec::{Fact, GpuId, WorstStun};
use crate::units::{Bandwidth, Share};
use proptest::prelude::*;

fn fact<T>(value: T) -> Fact<T> {
    Fact::assumed(value, "made up for a test")
}

/// A stun of 1 s and 0.1 s for each GB of used frame buffer; a network of 1 GB/s.
fn version() -> Vmotion {
    Vmotion {
        version: "test".to_string(),
        measured_on: "nothing".to_string(),
        stun_base: fact(SimDuration::from_secs(1)),
        frame_buffer_rate: fact(Bandwidth::new(10e9)),
        stunned_share: fact(Share::WHOLE),
        worst: fact(WorstStun { base: 0.0, per_profile_gb: 1.0, per_memory_gb: 0.0 }),
        checks_estimate: true,
        stun_limit: fact(SimDuration::from_secs(100)),
    }
}

/// Storage of 1 GB/s; placed in 1 s, booted in 30 s, loaded in 20 s.
fn times() -> OperationTimes {
    OperationTimes {
        storage: Bandwidth::new(1e9),
        network: Bandwidth::new(1e9),
        dirty_rate: Bandwidth::new(0.5e9),
        memory: Bytes::new(8_000_000_000),
        has_heartbeat_datastores: true,
        placement: SimDuration::from_secs(1),
        clone: SimDuration::from_secs(40),
        boot: SimDuration::from_secs(30),
        load: SimDuration::from_secs(20),
    }
}

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

/// A VM with 8 GB of memory that uses 2 GB of a 10 GB vGPU, of which a card takes four.
fn vm(name: &str, card: u16) -> VmAsked {
    let gigabytes = |count: u64| Bytes::new(count * 1_000_000_000);
    VmAsked {
        name: name.to_string(),
        seats: vec![GpuId(card)],
        vgpu: Some(Vgpu { name: "10C".to_string(), max_per_gpu: 4, frame_buffer: gigabytes(10) }),
        used: gigabytes(2),
        memory: gigabytes(8),
        priority: Some(2),
        clone_of: None,
    }
}

/// As [`vm`], with a type of which a card takes one.
fn whole(name: &str, card: u16) -> VmAsked {
    let mut one = vm(name, card);
    let vgpu = one.vgpu.as_mut().unwrap();
    (vgpu.name, vgpu.max_per_gpu) = ("40C".to_string(), 1);
    one
}

/// Hosts of two cards each.
fn run(hosts: u16, vms: &[VmAsked], asked: &[(u64, Kind)]) -> Plan {
    let (version, times) = (version(), times());
    let settings =
        Settings { times: &times, vmotion: Some(&version), spreads: false, end: at(1000) };
    let places = (0..hosts).map(|host| HostPlace { name: format!("host-{host}") });
    let cards =
        (0..2 * hosts).map(|card| CardPlace { host: HostId(card / 2), kind: "a".to_string() });
    let asked = asked.iter().map(|(seconds, kind)| Asked { at: at(*seconds), kind: *kind });
    plan((places.collect(), cards.collect()), vms, &asked.collect::<Vec<_>>(), settings)
}

fn why(plan: &Plan, place: usize) -> &str {
    match &plan.operations[place].outcome {
        OperationOutcome::Refused { why } => why,
        done => panic!("{done:?}"),
    }
}

fn steps(plan: &Plan) -> Vec<(f64, usize, PlannedChange)> {
    let seconds = |time: SimTime| (time.as_secs_f64() * 1e6).round() / 1e6;
    plan.steps.iter().map(|step| (seconds(step.at), step.vm, step.change.clone())).collect()
}

#[test]
fn a_move_copies_memory_stands_still_and_goes_on_there() {
    let to = To::Host(HostId(1));
    let found = run(2, &[vm("a", 0)], &[(10, Kind::Vmotion { vm: 0, to })]);
    // 8 GB at 1 GB/s while half as much changes: 16 s. Then 1 s and 2 GB at 1 GB/s.
    use PlannedChange::{GoOn, Halt};
    assert_eq!(steps(&found), [(26.0, 0, Halt), (29.0, 0, GoOn(vec![GpuId(2)]))]);
    let OperationOutcome::Done { pre_copy, stopped, .. } = &found.operations[0].outcome else {
        panic!("it is done")
    };
    assert_eq!(*pre_copy, SimDuration::from_secs(16));
    assert_eq!(*stopped, Some(SimDuration::from_secs(3)));
    assert_eq!(found.operations[0].to.as_deref(), Some("host-1, card 2"));
}

#[test]
fn a_suspended_vm_gives_up_its_vgpu_and_needs_one_again() {
    use PlannedChange::{GoOn, Halt};
    // Both cards of the host are held whole: while `a` is suspended nobody else needs its card.
    let asked = [(10, Kind::Suspend { vm: 0 }), (40, Kind::Resume { vm: 0 })];
    let found = run(1, &[whole("a", 0), whole("b", 1)], &asked);
    // 8 GB and 2 GB at 1 GB/s, to storage and back.
    assert_eq!(steps(&found), [(10.0, 0, Halt), (50.0, 0, GoOn(vec![GpuId(0)]))]);
    // What it lost of its time is told with its suspension.
    let OperationOutcome::Done { stopped, .. } = &found.operations[0].outcome else { panic!() };
    assert_eq!(*stopped, Some(SimDuration::from_secs(40)));
    // Where `b` is moved to its card meanwhile, and another comes to that of `b`, it stays suspended.
    let to = To::Card(GpuId(0));
    let all = [asked[0], (21, Kind::Vmotion { vm: 1, to }), (60, Kind::Resume { vm: 0 })];
    let taken = run(1, &[whole("a", 0), whole("b", 1)], &all);
    assert_eq!(taken.operations[2].to.as_deref(), Some("card 1"), "the other card is free");
    let three = [whole("a", 0), whole("b", 1), whole("c", 2)];
    let asked = [
        (10, Kind::Suspend { vm: 0 }),
        (21, Kind::Vmotion { vm: 2, to }),
        (60, Kind::Resume { vm: 0 }),
    ];
    let mut moved = run(2, &three, &asked);
    assert_eq!(moved.operations[2].to.as_deref(), Some("host-1, card 2"));
    let four = [whole("a", 0), whole("b", 1), whole("c", 2), whole("d", 3)];
    let asked = [
        (10, Kind::Suspend { vm: 0 }),
        (21, Kind::HostFailure { host: HostId(1), back_after: None }),
        (200, Kind::Resume { vm: 0 }),
    ];
    moved = run(2, &four, &asked);
    // `c` was restarted on the card that was free; `d` and `a` have none.
    let of = |name: &str, kind: &str| {
        let mut all = moved.operations.iter();
        all.position(|one| one.subject == name && one.kind == kind).unwrap()
    };
    assert_eq!(moved.operations[of("c", "ha-restart")].to.as_deref(), Some("host-0, card 0"));
    assert_eq!(
        why(&moved, of("d", "ha-restart")),
        "no vGPU 40C is free on the hosts that are left: it stays down"
    );
    assert_eq!(why(&moved, of("a", "resume")), "no vGPU 40C is free: it stays suspended");
    assert!(moved.mistakes.is_empty(), "these are answers");
}

#[test]
fn a_failed_host_is_known_after_18_s_and_its_vms_are_placed_started_and_loaded() {
    use PlannedChange::{Down, Up};
    let asked = [(100, Kind::HostFailure { host: HostId(0), back_after: None })];
    let found = run(2, &[vm("a", 0), vm("b", 1)], &asked);
    let on = |card| Up(vec![GpuId(card)]);
    let told = [(100.0, 0, Down), (100.0, 1, Down), (169.0, 0, on(2)), (169.0, 1, on(2))];
    assert_eq!(steps(&found), told, "18 + 1 + 30 + 20 s");
    let kinds: Vec<&str> = found.operations.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["host-failure", "ha-restart", "ha-restart"]);
}

#[test]
fn vms_of_the_first_class_are_restarted_first_and_others_once_there_is_room() {
    use PlannedChange::{Down, Up};
    let mut vms = [whole("a", 0), whole("b", 1), whole("c", 2)];
    (vms[0].priority, vms[1].priority) = (Some(2), Some(1));
    let back_after = Some(SimDuration::from_secs(300));
    let asked = [(100, Kind::HostFailure { host: HostId(0), back_after })];
    let found = run(2, &vms, &asked);
    // Card 3 is free for one. The host is back at 400 s.
    let told = [
        (100.0, 0, Down),
        (100.0, 1, Down),
        (169.0, 1, Up(vec![GpuId(3)])),
        (451.0, 0, Up(vec![GpuId(0)])),
    ];
    assert_eq!(steps(&found), told);
}

#[test]
fn a_vm_whose_restart_is_disabled_stays_down() {
    let mut vms = [vm("a", 0), vm("b", 1)];
    vms[0].priority = None;
    let asked = [(100, Kind::HostFailure { host: HostId(0), back_after: None })];
    let found = run(2, &vms, &asked);
    assert_eq!(why(&found, 1), "its restart priority is disabled: it stays down");
    let told: Vec<usize> = found.steps.iter().map(|step| step.vm).collect();
    assert_eq!(told, [0, 1, 1], "both go down, one serves again");
}

#[test]
fn a_host_is_emptied_vm_by_vm_or_says_why_not() {
    let asked = [(10, Kind::Maintenance { host: HostId(0), back_after: None })];
    let found = run(2, &[vm("a", 0), vm("b", 0)], &asked);
    // 19 s each, one after the other.
    let ends: Vec<f64> = steps(&found).iter().map(|(at, ..)| *at).collect();
    assert_eq!(ends, [26.0, 29.0, 45.0, 48.0]);
    let OperationOutcome::Done { parts, .. } = &found.operations[0].outcome else { panic!() };
    assert_eq!(parts, &["empty after 38.0 s"]);
    // Worked on for 30 s it takes VMs again.
    let back_after = Some(SimDuration::from_secs(30));
    let asked_back = [
        (10, Kind::Maintenance { host: HostId(0), back_after }),
        (77, Kind::Vmotion { vm: 0, to: To::Host(HostId(0)) }),
        (79, Kind::Vmotion { vm: 1, to: To::Host(HostId(0)) }),
    ];
    let found = run(2, &[vm("a", 0), vm("b", 0)], &asked_back);
    let OperationOutcome::Done { parts, .. } = &found.operations[0].outcome else { panic!() };
    assert_eq!(parts, &["empty after 38.0 s, back after 30.0 s more"]);
    let told = "host-0 takes no VMs: it failed, or is in maintenance";
    assert_eq!(why(&found, found.of_asked[1]), told);
    let last = &found.operations[found.of_asked[2]];
    assert_eq!(last.to.as_deref(), Some("host-0, card 0"), "back at 78 s");
    let full = [whole("a", 0), whole("b", 1), whole("c", 2)];
    let found = run(2, &full, &asked);
    let told = "b cannot be moved away: any other host has no free vGPU 40C for it, and both are \
        held during the copy";
    assert_eq!(why(&found, 0), told);
    assert_eq!(found.steps.len(), 2, "a was moved before that was known");
}

#[track_caller]
fn refused(vms: &[VmAsked], asked: &[(u64, Kind)], told: &str) {
    let found = run(2, vms, asked);
    let place = found.of_asked[asked.len() - 1];
    assert_eq!(why(&found, place), told);
    assert!(found.mistakes.contains(&place), "nobody can mean it");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_reason() {
    let one = |to| Kind::Vmotion { vm: 0, to };
    let away = one(To::Host(HostId(1)));
    let off = Kind::PowerOff { vm: 0 };
    let a = &[vm("a", 0)];
    refused(a, &[(5, off), (6, away)], "a is powered off");
    refused(a, &[(5, away), (6, away)], "a is being moved until 24.0 s");
    refused(a, &[(5, away), (6, off)], "a is being moved until 24.0 s");
    refused(a, &[(5, Kind::Suspend { vm: 0 }), (6, away)], "a is being suspended until 15.0 s");
    refused(a, &[(5, Kind::Suspend { vm: 0 }), (60, away)], "a is suspended");
    refused(a, &[(5, Kind::Resume { vm: 0 })], "a is running");
    refused(a, &[(5, Kind::PowerOn { vm: 0 })], "a is running");
    refused(a, &[(5, one(To::Host(HostId(0))))], "a is on host-0 already");
    refused(a, &[(5, one(To::Card(GpuId(0))))], "a is on card 0 already");
    refused(a, &[(2000, off)], "the last load ends at 1000 s");
    let fails = |host| Kind::HostFailure { host: HostId(host), back_after: None };
    refused(a, &[(5, fails(1)), (6, away)], "host-1 takes no VMs: it failed, or is in maintenance");
    refused(a, &[(5, fails(0)), (6, away)], "a is down: its host failed");
    refused(a, &[(5, fails(0)), (6, fails(0))], "host-0 is down or in maintenance");
    let other = [vm("a", 0), whole("b", 2), whole("c", 3)];
    let told = "host-1 has no free vGPU 10C for it, and both are held during the copy";
    refused(&other, &[(5, away)], told);
    let mut passed = vm("a", 0);
    passed.vgpu = None;
    let told = "a has a card that is passed through: it cannot be moved by vMotion";
    refused(&[passed], &[(5, away)], told);
    let mut large = vm("a", 0);
    large.vgpu.as_mut().unwrap().frame_buffer = Bytes::from_mib(120 << 10);
    // 1 s for each GB at 10 Gb/s, here 8 Gb/s.
    let told = "its stun is estimated at up to 150 s, over the limit of 100 s (extrapolated: none \
        is published)";
    refused(&[large], &[(5, away)], told);
}

/// Of one instant the first in the file is first: a move that begins as a VM goes off is refused, and the
/// other way round the VM is switched off no more.
#[test]
fn operations_of_one_instant_are_done_in_their_order() {
    let (away, off) = (Kind::Vmotion { vm: 0, to: To::Anywhere }, Kind::PowerOff { vm: 0 });
    refused(&[vm("a", 0)], &[(5, off), (5, away)], "a is powered off");
    refused(&[vm("a", 0)], &[(5, away), (5, off)], "a is being moved until 24.0 s");
}

/// Two moves from one host take turns on its network; from other hosts they do not wait.
#[test]
fn moves_wait_for_one_another_on_a_network() {
    let to = |host| To::Host(HostId(host));
    let asked = [
        (10, Kind::Vmotion { vm: 0, to: to(1) }),
        (10, Kind::Vmotion { vm: 1, to: to(2) }),
        (10, Kind::Vmotion { vm: 2, to: to(4) }),
    ];
    let found = run(5, &[vm("a", 0), vm("b", 1), vm("c", 6)], &asked);
    let ends: Vec<(f64, usize)> = steps(&found).iter().map(|(at, vm, _)| (*at, *vm)).collect();
    assert_eq!(ends, [(26.0, 0), (26.0, 2), (29.0, 0), (29.0, 2), (45.0, 1), (48.0, 1)]);
}

/// A VM that is made of one of these.
fn clone(vms: &[VmAsked], of: usize) -> VmAsked {
    VmAsked { name: format!("{}-clone", vms[of].name), clone_of: Some(of), ..vms[of].clone() }
}

/// 40 s until it is made, 50 s until it serves; only then does it need what is free.
#[test]
fn a_clone_takes_its_vgpu_when_it_is_powered_on() {
    let mut vms = vec![whole("a", 0), whole("b", 1)];
    vms.push(clone(&vms, 0));
    let made = Kind::Clone { vm: 2, to: To::Anywhere };
    let found = run(1, &vms, &[(10, made), (30, Kind::PowerOff { vm: 1 })]);
    use PlannedChange::{Down, Up};
    assert_eq!(steps(&found), [(30.0, 1, Down), (100.0, 2, Up(vec![GpuId(1)]))]);
    assert_eq!(found.first_served(2), Some((at(100), &[GpuId(1)][..])));
    let copied = &found.operations[0];
    assert_eq!((&*copied.subject, copied.to.as_deref()), ("a", Some("card 1")));
    let OperationOutcome::Done { stopped, parts, .. } = &copied.outcome else { panic!() };
    assert_eq!(*stopped, Some(SimDuration::ZERO), "nobody stands still");
    assert_eq!(parts.join(", "), "makes a-clone in 40.0 s, it starts and loads for 50.0 s");
    // Afterwards it is a VM like others: here its host fails.
    let failure = Kind::HostFailure { host: HostId(1), back_after: None };
    let on = Kind::Clone { vm: 2, to: To::Host(HostId(1)) };
    let found = run(2, &vms, &[(10, on), (60, failure)]);
    // It was to serve at 100 s; 18 s after the failure it is placed, and starts anew: there is no card.
    assert_eq!(found.first_served(2), None);
    assert_eq!(why(&found, 2), "no vGPU 40C is free on the hosts that are left: it stays down");
}

#[test]
fn a_clone_that_cannot_be_is_refused_with_the_reason() {
    let mut vms = vec![whole("a", 0), whole("b", 1)];
    vms.push(clone(&vms, 0));
    let why_not = |asked: &[(u64, Kind)]| {
        let found = run(1, &vms, asked);
        let last = found.operations.len() - 1;
        assert_eq!(found.mistakes.last(), Some(&last));
        why(&found, last).to_string()
    };
    let made = |to| Kind::Clone { vm: 2, to };
    let free = "free vGPU 40C for a-clone at 50.0 s, when it is made";
    assert_eq!(why_not(&[(10, made(To::Anywhere))]), format!("no host has a {free}"));
    assert_eq!(why_not(&[(10, made(To::Card(GpuId(1))))]), format!("card 1 has no {free}"));
    let suspended = [(10, Kind::Suspend { vm: 0 }), (40, made(To::Anywhere))];
    assert_eq!(why_not(&suspended), "a is suspended");
    let early = [(10, Kind::PowerOff { vm: 2 })];
    assert_eq!(why_not(&early), "a-clone is not there yet");
    let late = [(5, Kind::PowerOff { vm: 1 }), (920, made(To::Anywhere))];
    assert_eq!(
        why_not(&late),
        "a-clone would serve from 1010 s on, and the last load ends at 1000 s"
    );
    vms[0].vgpu = None;
    vms[2].vgpu = None;
    let found = run(1, &vms, &[(10, made(To::Anywhere))]);
    assert_eq!(
        why(&found, 0),
        "a has a card that is passed through: it cannot be cloned while it runs"
    );
}

fn kinds(vms: usize) -> impl Strategy<Value = Kind> {
    let vm = 0..vms;
    prop_oneof![
        (vm.clone(), 0..6_u16)
            .prop_map(|(vm, card)| Kind::Vmotion { vm, to: To::Card(GpuId(card)) }),
        (vm.clone(), 0..3_u16)
            .prop_map(|(vm, host)| Kind::Vmotion { vm, to: To::Host(HostId(host)) }),
        vm.clone().prop_map(|vm| Kind::Suspend { vm }),
        vm.clone().prop_map(|vm| Kind::Resume { vm }),
        vm.clone().prop_map(|vm| Kind::PowerOff { vm }),
        vm.prop_map(|vm| Kind::PowerOn { vm }),
        (5..7_usize, 0..6_u16).prop_map(|(vm, card)| Kind::Clone { vm, to: To::Card(GpuId(card)) }),
        (5..7_usize).prop_map(|vm| Kind::Clone { vm, to: To::Anywhere }),
        (0..3_u16, proptest::option::of(1..200_u64)).prop_map(|(host, back)| Kind::HostFailure {
            host: HostId(host),
            back_after: back.map(SimDuration::from_secs),
        }),
        (0..3_u16, proptest::option::of(1..200_u64)).prop_map(|(host, back)| Kind::Maintenance {
            host: HostId(host),
            back_after: back.map(SimDuration::from_secs),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Told from the steps alone: a VM halts before it goes on and is down before it serves again; a card
    /// has vGPUs of one type, no more of them than it takes; times do not go back; every operation that was
    /// asked for has an answer.
    #[test]
    fn no_vgpu_is_held_twice_and_no_vm_is_lost(
        asked in proptest::collection::vec((0..400_u64, kinds(7)), 0..25),
        larges in proptest::collection::vec(any::<bool>(), 5),
    ) {
        let make = |(place, large): (usize, &bool)| {
            let name = format!("vm-{place}");
            if *large { whole(&name, place as u16) } else { vm(&name, place as u16) }
        };
        let mut vms: Vec<VmAsked> = larges.iter().enumerate().map(make).collect();
        vms.extend([clone(&vms, 0), clone(&vms, 1)]);
        let found = run(3, &vms, &asked);
        prop_assert!(found.of_asked.iter().all(|place| *place < found.operations.len()));
        #[derive(PartialEq, Debug)]
        enum Is { On, Halted, Down }
        let mut states: Vec<(Is, Vec<Seat>)> =
            vms.iter().map(|vm| match vm.clone_of {
                None => (Is::On, vm.seats.clone()),
                Some(_) => (Is::Down, Vec::new()),
            }).collect();
        let mut last = SimTime::ZERO;
        for step in &found.steps {
            prop_assert!(step.at >= last);
            last = step.at;
            let (is, seats) = &mut states[step.vm];
            match &step.change {
                PlannedChange::Halt => {
                    prop_assert_eq!(&*is, &Is::On);
                    *is = Is::Halted;
                }
                PlannedChange::GoOn(there) => {
                    prop_assert_eq!(&*is, &Is::Halted);
                    (*is, *seats) = (Is::On, there.clone());
                }
                PlannedChange::Down => (*is, *seats) = (Is::Down, Vec::new()),
                PlannedChange::Up(there) => {
                    prop_assert_eq!(&*is, &Is::Down);
                    (*is, *seats) = (Is::On, there.clone());
                }
            }
            // Those that run hold their cards for sure.
            let mut on_cards: BTreeMap<Seat, Vec<usize>> = BTreeMap::new();
            for (vm, (is, seats)) in states.iter().enumerate() {
                if *is == Is::On {
                    seats.iter().for_each(|seat| on_cards.entry(*seat).or_default().push(vm));
                }
            }
            for (card, there) in on_cards {
                let types: Vec<&Vgpu> = there.iter().filter_map(|vm| vms[*vm].vgpu.as_ref()).collect();
                prop_assert!(types.iter().all(|vgpu| *vgpu == types[0]), "{card:?}: {there:?}");
                prop_assert!(types.len() <= types[0].max_per_gpu as usize, "{card:?}: {there:?}");
            }
        }
    }
}
