//! VMs that share the host's logical processors: the published and derived worked examples, what
//! water filling promises, conservation, and inference beside other work.

use crate::cli::check;
use crate::documents::{hold_picture, holds_sweep};
use crate::support::{cases, fact, queue};
use proptest::prelude::*;
use slicewise::host::{
    Burst, Cores, CpuJob, CpuTime, Demand, FULL_SPEED, Fluid, Processors, Quantum, VmShare, fill,
};
use slicewise::platform::{simulate, simulate_with};
use slicewise::queueing::Station;
use slicewise::record::Recorder;
use slicewise::spec::*;
use slicewise::units::{Frequency, SimDuration, SimTime};

fn ms(ms: f64) -> SimDuration {
    SimDuration::from_nanos((ms * 1e6).round() as u64)
}

fn at(ms: f64) -> SimTime {
    SimTime::from_nanos((ms * 1e6).round() as u64)
}

fn busy(vcpus: u32, shares: u64) -> VmShare {
    VmShare { busy: vcpus, ..VmShare::of(vcpus, shares) }
}

/// Cores without hyper-threading.
fn cores(count: u32) -> Cores {
    Cores::new(count, count, 1.0)
}

/// Turns as ESXi is said to have them, turns without preemption, and no turns.
fn disciplines(cores: Cores, vms: &[VmShare]) -> [Processors<usize>; 3] {
    let turns =
        |preempts| Processors::Quantum(Box::new(Quantum::new(cores, vms, ms(50.0), preempts)));
    [Processors::Fluid(Fluid::new(cores, vms)), turns(true), turns(false)]
}

/// What the VMs had after so long, in cores, where nobody is fed and nobody comes.
fn cores_had(mut station: Processors<usize>, seconds: f64) -> Vec<f64> {
    let end = at(seconds * 1e3);
    assert!(station.catch_up(end));
    station.times(end).iter().map(|time| time.done.as_secs_f64() / seconds).collect()
}

fn near(found: &[f64], expected: &[f64], within: f64) {
    let off = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    assert!(off.fold(0.0, f64::max) <= within, "{found:?}, expected {expected:?}");
}

/// Denneman's example (`host::fill` has the arithmetic) as VMs on one core of 6000 MHz: 500, 2250 and
/// 3250 MHz. The first wants 500 MHz: it is limited to that. After 600 s a VM with turns may be off by
/// a few quanta of 50 ms: 4 / 12 000 of a core, 2 MHz.
#[test]
fn the_published_example_is_met_by_every_discipline() {
    let part = |mhz: u64| FULL_SPEED * mhz / 6000;
    let vms = [
        VmShare { limit: Some(part(500)), ..busy(1, 1000) },
        VmShare { reservation: part(2250), ..busy(1, 1000) },
        busy(1, 2000),
    ];
    for station in disciplines(cores(1), &vms) {
        let mhz: Vec<f64> = cores_had(station, 600.0).iter().map(|core| core * 6000.0).collect();
        near(&mhz, &[500.0, 2250.0, 3250.0], 2.0);
    }
    // The third wants 2000 only: the second takes what it leaves.
    let vms = [vms[0], vms[1], VmShare { limit: Some(part(2000)), ..vms[2] }];
    for station in disciplines(cores(1), &vms) {
        let mhz: Vec<f64> = cores_had(station, 600.0).iter().map(|core| core * 6000.0).collect();
        near(&mhz, &[500.0, 3500.0, 2000.0], 2.0);
    }
}

/// Four VMs of 8 busy vCPUs on 16 cores: high, normal, normal and low shares; the first reserves 4
/// cores, the third is limited to 4. All are between floor and ceiling, so they divide 16 cores as
/// 16 : 8 : 8 : 4, and a vCPU is ready for the rest of its time.
#[test]
fn four_vms_on_half_of_their_cores() {
    let vms = [
        VmShare { reservation: 4 * FULL_SPEED, ..busy(8, 16_000) },
        busy(8, 8000),
        VmShare { limit: Some(4 * FULL_SPEED), ..busy(8, 8000) },
        busy(8, 4000),
    ];
    let expected = [16.0, 8.0, 8.0, 4.0].map(|shares| 16.0 * shares / 36.0);
    for mut station in disciplines(cores(16), &vms) {
        let end = at(600_000.0);
        assert!(station.catch_up(end));
        let times = station.times(end);
        let got: Vec<f64> = times.iter().map(|time| time.done.as_secs_f64() / 600.0).collect();
        // Eight vCPUs, a few quanta each, of 600 s.
        near(&got, &expected, 8.0 * 4.0 * 0.05 / 600.0);
        let ready: Vec<f64> =
            times.iter().map(|time| time.ready.as_secs_f64() / 600.0 / 8.0).collect();
        near(&ready, &expected.map(|got| 1.0 - got / 8.0), 4.0 * 0.05 / 600.0);
    }
}

/// How long bursts of 1 ms take, one every 307.3 ms, beside `k` busy VMs with equal shares on one core:
/// mean and greatest of a thousand, in ms.
fn burst_takes(mut station: Processors<usize>) -> (f64, f64) {
    let (mut sum, mut most, mut done) = (0.0, 0.0_f64, Vec::new());
    for burst in 0..1000 {
        let start = at(1000.0 + 307.3 * burst as f64);
        station.submit(start, CpuJob { vm: 0, tag: burst, work: ms(1.0) });
        while done.is_empty() {
            let next = station.next_change().expect("a job is inside");
            station.advance(next, &mut done);
            if !done.is_empty() {
                let took = (next - start).as_millis_f64();
                (sum, most) = (sum + took, most.max(took));
            }
        }
        done.clear();
    }
    (sum / 1000.0, most)
}

/// A burst of 1 ms against two busy VMs on one core. As a fluid it has a third of the core: 3 ms. With
/// preemption it is behind its share, so it goes first: 1 ms. Without it waits for the present quantum
/// to end, and half of the time for another: between 0 and 50 ms, or 50 and 100, even; the mean of the
/// waits is 50 ms. Of a thousand, with a standard deviation of 29 ms, their mean is off by less than
/// 3 ms (three standard errors), and no wait is above 100 ms.
#[test]
fn a_short_burst_beside_busy_vms_waits_as_the_discipline_says() {
    let vms = [VmShare::of(1, 1000), busy(1, 1000), busy(1, 1000)];
    let [fluid, preempting, in_turn] = disciplines(cores(1), &vms);
    let (mean, most) = burst_takes(fluid);
    assert!((mean - 3.0).abs() < 1e-5 && (most - 3.0).abs() < 1e-5, "{mean}, at most {most} ms");
    assert_eq!(burst_takes(preempting), (1.0, 1.0));
    let (mean, most) = burst_takes(in_turn);
    assert!((mean - 51.0).abs() < 3.0, "{mean} ms in the mean");
    assert!((95.0..=101.0).contains(&most), "at most {most} ms");
}

/// Who has used more than its share waits for its turn in spite of preemption. On one core beside one
/// busy VM a VM with bursts of 100 ms, 20 ms apart, wants five sixths of the core: more than half. It
/// gets half, as a fluid would give it.
#[test]
fn who_wants_more_than_its_share_gets_its_share() {
    let vms = [VmShare { bursty: 1, ..VmShare::of(1, 1000) }, busy(1, 1000)];
    let end = at(600_000.0);
    for mut station in disciplines(cores(1), &vms) {
        feed_until(&mut station, end, |_| Burst { gap: ms(20.0), work: ms(100.0) });
        let got = station.times(end)[0].done.as_secs_f64() / 600.0;
        match station {
            // While it sleeps the other has all: 20 ms, then 100 ms of work at half speed.
            Processors::Fluid(_) => near(&[got], &[100.0 / 220.0], 1e-3),
            // What it did not use while it slept is credited, up to a quantum.
            Processors::Quantum(_) => assert!((0.44..=0.51).contains(&got), "{got}"),
        }
    }
}

/// Lets time pass to `end`, feeding whoever is hungry.
fn feed_until(
    station: &mut Processors<usize>,
    end: SimTime,
    mut burst: impl FnMut((u32, u32)) -> Burst,
) {
    loop {
        while let Some(vcpu) = station.hungry() {
            station.feed(vcpu, burst(vcpu));
        }
        if station.catch_up(end) {
            return;
        }
    }
}

/// `C(n)`: a core for each vCPU up to the cores, then in a straight line to 1.25 cores for two threads.
#[test]
fn hyper_threads_count_as_documented() {
    let of = Cores::new(64, 128, 1.25);
    let capacity = |running: u32| f64::from(running) * of.speed(running) as f64 / FULL_SPEED as f64;
    for (running, expected) in [(1, 1.0), (64, 64.0), (80, 68.0), (96, 72.0), (128, 80.0)] {
        near(&[capacity(running)], &[expected], 1e-6);
    }
    assert_eq!(of.speed(128), FULL_SPEED * 5 / 8);
    // Of 128 busy vCPUs each has a thread and none is ready, in every discipline.
    let vms = [busy(24, 24_000), busy(104, 104_000)];
    for mut station in disciplines(of, &vms) {
        let end = at(1000.0);
        assert!(station.catch_up(end));
        for (time, vcpus) in station.times(end).iter().zip([24.0, 104.0]) {
            assert_eq!(time.ready, SimDuration::ZERO);
            near(&[time.done.as_secs_f64()], &[vcpus * 0.625], 1e-6);
        }
    }
}

/// A queue of one VM on one core: with turns first come first served, M/D/1, whose mean wait is
/// `D load / (2 (1 - load))`; as a fluid processor sharing, whose mean time is `D / (1 - load)`. At a load
/// of 0.6 that is 1.75 D and 2.5 D. Means of 200 000 jobs are known to one per cent.
#[test]
fn one_vm_on_one_core_is_a_queue() {
    let vms = [VmShare::of(64, 64_000)];
    let [fluid, turns, _] = disciplines(cores(1), &vms);
    for (mut station, expected) in [(fluid, 2.5), (turns, 1.75)] {
        let mut chance = slicewise::engine::RandomStreams::new(1, 0).stream("arrivals");
        let mut luck =
            || -> f64 { rand_distr::Distribution::sample(&rand_distr::Exp1, &mut chance) };
        let (mut now, mut done, mut sum) = (SimTime::ZERO, Vec::new(), 0.0);
        let mut came = Vec::new();
        for job in 0..200_000 {
            now = now + ms(luck() / 0.6);
            while let Some(next) = station.next_change().filter(|next| *next <= now) {
                station.advance(next, &mut done);
                sum += leave(&mut done, &came, next);
            }
            came.push(now);
            station.submit(now, CpuJob { vm: 0, tag: job, work: ms(1.0) });
        }
        while let Some(next) = station.next_change() {
            station.advance(next, &mut done);
            sum += leave(&mut done, &came, next);
        }
        near(&[sum / 200_000.0], &[expected], 0.03 * expected);
    }
}

/// How long the jobs took that are done now, in ms.
fn leave(done: &mut Vec<usize>, came: &[SimTime], now: SimTime) -> f64 {
    done.drain(..).map(|job| (now - came[job]).as_millis_f64()).sum()
}

fn demands() -> impl Strategy<Value = Vec<Demand>> {
    let demand = (1..5_000_u64, 1..3_000_u64, 0..5_000_u64)
        .prop_map(|(most, shares, least)| Demand { least: least.min(most), most, shares });
    prop::collection::vec(demand, 1..12)
}

fn total(of: &[u64]) -> u128 {
    of.iter().map(|got| u128::from(*got)).sum()
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// All of the capacity is given away (but a unit each of rounding), or all that is wanted; nobody is
    /// below its floor or above its ceiling; and whoever is off both has the same for each share.
    #[test]
    fn water_filling_gives_all_away_within_floors_and_ceilings(demands in demands(), capacity in 0..40_000_u128) {
        let got = fill(capacity, &demands);
        let wanted = demands.iter().map(|demand| u128::from(demand.most)).sum::<u128>();
        let floors = demands.iter().map(|demand| u128::from(demand.least)).sum::<u128>();
        let given = total(&got);
        prop_assert!(given <= capacity.min(wanted));
        prop_assert!(given + demands.len() as u128 >= capacity.min(wanted), "{given} of {capacity}");
        if floors <= capacity {
            let mut levels = Vec::new();
            for (got, demand) in got.iter().zip(&demands) {
                prop_assert!((demand.least..=demand.most).contains(got));
                if demand.least < *got && *got < demand.most {
                    levels.push((*got as f64 / demand.shares as f64, (*got as f64 + 1.0) / demand.shares as f64));
                }
            }
            let low = levels.iter().map(|level| level.0).fold(0.0, f64::max);
            let high = levels.iter().map(|level| level.1).fold(f64::INFINITY, f64::min);
            prop_assert!(low <= high + 1e-9, "one level for all: {levels:?}");
        }
    }

    #[test]
    fn scaling_all_shares_changes_nothing(demands in demands(), capacity in 0..40_000_u128, by in 2..9_u64) {
        let scaled: Vec<Demand> = demands.iter().map(|demand| Demand { shares: demand.shares * by, ..*demand }).collect();
        prop_assert_eq!(fill(capacity, &scaled), fill(capacity, &demands));
    }

    /// More demand of one VM never gives another more (but for the unit of rounding).
    #[test]
    fn more_demand_of_one_is_never_a_gift_to_another(demands in demands(), capacity in 0..40_000_u128, more in 1..3_000_u64) {
        let mut other = demands.clone();
        other[0].most += more;
        let (before, after) = (fill(capacity, &demands), fill(capacity, &other));
        prop_assert!(after[0] + 1 >= before[0]);
        for (before, after) in before.iter().zip(&after).skip(1) {
            prop_assert!(after <= &(before + 1), "{before} before, {after} after");
        }
    }
}

/// VMs whose vCPUs are all busy, without floors and ceilings.
fn busy_vms() -> impl Strategy<Value = Vec<VmShare>> {
    let shares = prop_oneof![Just(500), Just(1000), Just(2000)];
    let vm = (1..=4_u32, shares).prop_map(|(vcpus, each)| busy(vcpus, each * u64::from(vcpus)));
    prop::collection::vec(vm, 1..6)
}

proptest! {
    #![proptest_config(cases(60))]

    /// Turns give the means of water filling. While somebody waits, whoever is next has the lowest count,
    /// and runs for one quantum on each of its `n` vCPUs at most before it is compared again: so counts
    /// of those that wait are never more than `n q / w` apart, and the work of a VM with shares `w` is
    /// off by no more than `w` times the greatest `n q / w` of all. Who has a thread at every moment is
    /// at its ceiling from its first quantum on; what it lacks until then, a quantum for each of its
    /// vCPUs, goes to the others.
    #[test]
    fn turns_have_the_means_of_water_filling(vms in busy_vms(), count in 1..6_u32, preempts in any::<bool>()) {
        let (quantum, rounds) = (ms(10.0), 2_000.0);
        let seconds = rounds * quantum.as_secs_f64();
        let station = Processors::Quantum(Box::new(Quantum::new(cores(count), &vms, quantum, preempts)));
        let turns = cores_had(station, seconds);
        let fluid = cores_had(Processors::Fluid(Fluid::new(cores(count), &vms)), seconds);
        let each = |vm: &VmShare| f64::from(vm.vcpus) / vm.shares as f64;
        let span = vms.iter().map(each).fold(0.0, f64::max);
        let all: f64 = vms.iter().map(|vm| f64::from(vm.vcpus)).sum();
        for ((turns, fluid), vm) in turns.iter().zip(&fluid).zip(&vms) {
            let bound = (vm.shares as f64 * span + all) / rounds;
            prop_assert!((turns - fluid).abs() <= bound + 1e-6, "{turns} and {fluid}, within {bound}");
        }
    }

    /// Processor time is neither made nor lost: each VM's vCPUs run or are ready as long as they want to,
    /// work done is the time on a thread times its speed, and while more vCPUs have work than there are
    /// threads no thread is idle.
    #[test]
    fn processor_time_is_conserved(vms in busy_vms(), count in 1..6_u32, preempts in any::<bool>()) {
        let of = Cores::new(count, 2 * count, 1.25);
        let wanted: u32 = vms.iter().map(|vm| vm.vcpus).sum();
        let running = wanted.min(of.threads());
        let (seconds, end) = (7.3, at(7300.0));
        let capacity = f64::from(running) * of.speed(running) as f64 / FULL_SPEED as f64;
        let turns = Processors::<usize>::Quantum(Box::new(Quantum::new(of, &vms, ms(7.0), preempts)));
        for mut station in [turns, Processors::Fluid(Fluid::new(of, &vms))] {
            prop_assert!(station.catch_up(end));
            let times = station.times(end);
            let sum = |part: fn(&CpuTime) -> SimDuration| times.iter().map(|time| part(time).as_secs_f64()).sum::<f64>();
            let (done, ready, had) = (sum(|time| time.done), sum(|time| time.ready), sum(|time| time.wanted));
            prop_assert!((had - f64::from(wanted) * seconds).abs() < 1e-6);
            prop_assert!((done - capacity * seconds).abs() < 1e-5, "{done} of {}", capacity * seconds);
            prop_assert!((had - ready - f64::from(running) * seconds).abs() < 1e-5, "{ready} ready");
        }
    }
}

/// A VM beside `others` busy vCPUs on one core, each batch with `cpu` of CPU work and `gpu` on the GPU.
fn beside(others: u32, cpu: f64, gpu: f64, scheduler: CpuScheduler) -> Experiment {
    let mut experiment = queue(1, 1.0, ms(gpu), SizeDistribution::Fixed, 20);
    let host = &mut experiment.hosts[0];
    (host.cores, host.logical_processors) = (fact(1), fact(1));
    experiment.cpu.scheduler = scheduler;
    let vm = &mut experiment.vms[0];
    vm.vcpus = 1;
    vm.allocation = CpuAllocation::normal(1);
    vm.workload_mut().cpu.launch_per_batch = fact(ms(cpu));
    vm.load.scenario = TestScenario::ClosedLoop { clients: 1, think_time: SimDuration::ZERO };
    vm.load.settings.min_query_count = 500;
    experiment.others = (0..others).map(|number| other(&format!("other-{number}"))).collect();
    experiment
}

fn other(name: &str) -> OtherVm {
    OtherVm {
        name: name.to_string(),
        group: "other".to_string(),
        host: HostId::default(),
        vcpus: 1,
        allocation: CpuAllocation::normal(1),
        load: CpuLoad::Constant { busy: 1 },
    }
}

fn mean_ms(experiment: &Experiment) -> f64 {
    simulate(experiment).vms[0].recorder.latencies().mean().unwrap().as_millis_f64()
}

/// A synchronous client: `T = c / s + g`, with `s` the part of a core that it has while it computes. As
/// a fluid `s` is 1 / (k + 1) beside k busy vCPUs with equal shares. With turns it goes first as long as
/// it uses less than its share: `T = c + g`.
#[test]
fn a_synchronous_client_takes_its_cpu_time_over_its_part_and_its_gpu_time() {
    for (others, cpu, gpu) in [(0, 2.0, 10.0), (1, 2.0, 10.0), (3, 2.0, 10.0), (1, 0.5, 10.0)] {
        let fluid = mean_ms(&beside(others, cpu, gpu, CpuScheduler::Fluid));
        near(&[fluid], &[cpu * f64::from(others + 1) + gpu], 1e-3 * fluid);
    }
    // But for the first batch: then both have used nothing, equals do not interrupt one another, and it
    // may wait for one quantum of 50 ms, among 1662 batches in the 20 s.
    let turns = mean_ms(&beside(1, 2.0, 10.0, CpuScheduler::Quantum));
    near(&[turns], &[12.0], 50.0 / 1660.0);
    // c / g = 0.05 and s = 0.5: 5 % slower.
    let half = mean_ms(&beside(1, 0.5, 10.0, CpuScheduler::Fluid));
    near(&[half / mean_ms(&beside(0, 0.5, 10.0, CpuScheduler::Fluid))], &[1.0 + 0.5 / 10.5], 1e-3);
}

/// Pipelined over `n` vCPUs the rate is `min(1 / g, n s / c)`: four vCPUs beside four busy ones on four
/// cores have half a core each. With c = 4 ms and g = 3 ms the GPU is the bottleneck (333 and 500 a
/// second), with c = 8 ms the vCPUs are (250).
#[test]
fn a_pipeline_is_as_fast_as_the_slower_of_its_vcpus_and_its_gpu() {
    for (cpu, expected) in [(4.0, 1000.0 / 3.0), (8.0, 250.0)] {
        let mut experiment = beside(4, cpu, 3.0, CpuScheduler::Fluid);
        let host = &mut experiment.hosts[0];
        (host.cores, host.logical_processors) = (fact(4), fact(4));
        let vm = &mut experiment.vms[0];
        (vm.vcpus, vm.allocation) = (4, CpuAllocation::normal(4));
        (vm.server.slots, vm.server.streams) = (12, 1);
        vm.load.scenario = TestScenario::ClosedLoop { clients: 12, think_time: SimDuration::ZERO };
        vm.load.settings.min_query_count = 4000;
        let outcome = simulate(&experiment);
        let recorder = &outcome.vms[0].recorder;
        let rate =
            recorder.answered() as f64 / outcome.end.saturating_since(SimTime::ZERO).as_secs_f64();
        near(&[rate], &[expected], 0.01 * expected);
    }
}

/// Where there is a core for every vCPU that can have work, nothing changes, to the byte; and what the
/// others had is told.
#[test]
fn other_work_on_cores_that_nobody_wants_changes_nothing() {
    let alone = queue(1, 50.0, ms(5.0), SizeDistribution::Exponential, 60);
    let mut beside = alone.clone();
    let load = CpuLoad::Bursty { busy: 2, work: ms(20.0), gap: ms(60.0) };
    beside.others = vec![other("constant"), OtherVm { vcpus: 2, load, ..other("bursty") }];
    let run = |experiment| simulate_with(experiment, Recorder::keep_log);
    let (alone, beside) = (run(&alone), run(&beside));
    assert_eq!(alone.vms[0].recorder.log(), beside.vms[0].recorder.log());
    assert_eq!(alone.events, beside.events);
    let seconds = beside.end.saturating_since(SimTime::ZERO).as_secs_f64();
    let had: Vec<f64> = beside.others.iter().map(|one| one.done.as_secs_f64() / seconds).collect();
    // Two vCPUs, a quarter of the time each; of some 1500 bursts the mean is known to 5 %.
    near(&had, &[1.0, 0.5], 0.05);
    assert!(beside.others.iter().all(|one| one.ready == SimDuration::ZERO));
}

/// A VM's bursts are drawn from streams of its own: beside another VM, on cores enough, it does exactly
/// what it did.
#[test]
fn one_vm_more_leaves_the_draws_of_the_others() {
    let mut experiment = queue(1, 50.0, ms(5.0), SizeDistribution::Exponential, 20);
    let load = CpuLoad::Bursty { busy: 2, work: ms(20.0), gap: ms(60.0) };
    let bursty = |name: &str| OtherVm { vcpus: 2, load, ..other(name) };
    experiment.others = vec![bursty("first")];
    let before = simulate(&experiment).others[0];
    experiment.others = vec![bursty("another"), bursty("first")];
    let after = simulate(&experiment).others;
    assert_eq!(after[1], before);
    assert_ne!(after[0], before, "streams of two names are not alike");
}

/// Shares, reservation and limit come from the file's megahertz: on one core of 2.5 GHz a VM limited to
/// 500 MHz has a fifth of it.
#[test]
fn a_limit_in_megahertz_is_a_part_of_the_clock() {
    for scheduler in [CpuScheduler::Fluid, CpuScheduler::Quantum] {
        let mut experiment = beside(2, 2.0, 10.0, scheduler);
        experiment.others[0].allocation.limit = Some(Frequency::from_mhz(500));
        let outcome = simulate(&experiment);
        let seconds = outcome.end.saturating_since(SimTime::ZERO).as_secs_f64();
        let got = outcome.others[0].done.as_secs_f64() / seconds;
        near(&[got], &[0.2], 0.01);
    }
}

/// The pictures and figures of the page are what the program gives; `UPDATE=1` takes new pictures.
#[test]
fn the_page_shows_what_24_of_128_gives() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (printed, _) = check(&["run", "scenarios/24-of-128.toml", "--out", out, "--quiet"], 0);
    let drawn = folder.path().join("percentiles.svg");
    hold_picture(&drawn, "docs/explanation/over-commitment/24-of-128-percentiles.svg");
    let row = printed.lines().find(|line| line.contains("vsphere") && line.contains("VALID"));
    let row: Vec<&str> = row.unwrap().split_whitespace().collect();
    let [p50, p99] = [row[row.len() - 4], row[row.len() - 2]];
    let page = std::fs::read_to_string("docs/explanation/over-commitment.md").unwrap();
    let told = page.lines().find(|line| line.starts_with("| 13 VMs")).unwrap();
    assert!(told.ends_with(&format!("| {p50} | {p99} |")), "{told}: {row:?}");
    let prediction = "no measurement of inference on over-committed processors is published";
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&printed).contains(prediction), "{printed}");
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_page_shows_what_the_sweep_of_over_commitment_gives() {
    holds_sweep(
        "scenarios/curves/over-commit.toml",
        "docs/explanation/over-commitment/over-commit-latency.svg",
        "docs/explanation/over-commitment.md",
    );
}
