//! A slow twin of the turns of vCPUs on logical processors (`host::Quantum`): written from its
//! description, nanosecond by nanosecond, nothing skipped, nothing kept in order. Both agree on every
//! job's end and on every VM's time, for random systems.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::host::{Burst, Cores, CpuJob, CpuTime, FULL_SPEED, Processors, Quantum, VmShare};
use slicewise::queueing::Station;
use slicewise::units::{SimDuration, SimTime};

/// One vCPU that has work.
#[derive(Clone, Debug)]
struct Vcpu {
    vm: usize,
    /// Work left, in 2^-32 ns; nothing for work without end.
    left: Option<u128>,
    /// The job, or the bursty vCPU.
    of: Of,
    /// When it came, in the order of everything that joins or starts.
    came: u64,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Of {
    Job(usize),
    Burst(usize),
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    /// In the line of its VM, since when in that order.
    Waits(u64),
    /// On a thread, since when, and since when in that order.
    Runs { at: u64, order: u64 },
}

#[derive(Clone, Debug)]
struct Vm {
    share: VmShare,
    used: u128,
    /// What was forgotten: added to its count.
    shift: i128,
    mark: i128,
    account: i128,
    /// Of its limit: allowance left in this period.
    allowance: i128,
    is_stopped: bool,
    wanted: u64,
    ready: u64,
}

struct Source {
    vm: usize,
    bursts: Vec<(u64, u64)>,
    taken: usize,
    /// When its next burst begins, and its work.
    next: Option<(u64, u64)>,
}

struct Twin {
    cores: u32,
    threads: u32,
    both: f64,
    quantum: u64,
    preempts: bool,
    vms: Vec<Vm>,
    vcpus: Vec<Vcpu>,
    sources: Vec<Source>,
    order: u64,
    contended: bool,
    level: i128,
    newcomers: Vec<u64>,
    ends: Vec<Option<u64>>,
}

impl Twin {
    /// The speed of each of `n` running vCPUs: the capacity is `cores` up to one busy thread a core,
    /// and rises in proportion to `both * cores` at two.
    fn speed(&self, n: u32) -> u128 {
        if n <= self.cores {
            return 1 << 32;
        }
        let both = (self.both * 4294967296.0) as u128;
        let base = u128::from(self.cores) << 32;
        let gain = (both - (1 << 32)) * u128::from(self.cores) * u128::from(n - self.cores)
            / u128::from(self.threads - self.cores);
        (base + gain) / u128::from(n)
    }

    fn running(&self) -> impl Iterator<Item = &Vcpu> {
        self.vcpus.iter().filter(|vcpu| matches!(vcpu.place, Place::Runs { .. }))
    }

    /// Those that wait and may run.
    fn waiting(&self) -> impl Iterator<Item = &Vcpu> {
        self.vcpus
            .iter()
            .filter(|vcpu| matches!(vcpu.place, Place::Waits(_)) && !self.vms[vcpu.vm].is_stopped)
    }

    fn free(&self) -> usize {
        self.threads as usize - self.running().count()
    }

    fn count(&self, vm: usize) -> i128 {
        let vm = &self.vms[vm];
        ((vm.used << 24) / u128::from(vm.share.shares)) as i128 + vm.shift
    }

    /// One quantum for each of its vCPUs, as a count.
    fn span(&self, vm: usize) -> i128 {
        let share = &self.vms[vm].share;
        let work = (u128::from(share.vcpus) * u128::from(self.quantum)) << 32;
        ((work << 24) / u128::from(share.shares)) as i128
    }

    fn rank(&self, vm: usize) -> (bool, i128) {
        let of = &self.vms[vm];
        (!(of.share.reservation > 0 && of.account > 0), self.count(vm))
    }

    /// A vCPU of the VM joins, starts or stops: its account holds a quantum for each vCPU.
    fn touch(&mut self, vm: usize) {
        let vm = &mut self.vms[vm];
        let most = ((u128::from(vm.share.vcpus) * u128::from(self.quantum)) << 32) as i128;
        vm.account = vm.account.clamp(-most, most);
    }

    fn hold(&mut self, vm: usize, comes: bool) {
        let (count, span) = (self.count(vm), self.span(vm));
        let mut held = count.min(self.level + span);
        if comes {
            held = held.max(if self.preempts { self.level - span } else { self.level });
        }
        self.vms[vm].shift += held - count;
    }

    fn join(&mut self, index: usize) {
        let vm = self.vcpus[index].vm;
        self.touch(vm);
        self.vcpus[index].place = Place::Waits(self.order);
        self.order += 1;
        if self.contended {
            self.hold(vm, false);
        }
    }

    fn come(&mut self, vm: usize, of: Of, work: Option<u64>) {
        let left = work.map(|work| u128::from(work) << 32);
        let came = self.order;
        self.vcpus.push(Vcpu { vm, left, of, came, place: Place::Waits(0) });
        self.join(self.vcpus.len() - 1);
        self.welcome(vm, came);
    }

    fn welcome(&mut self, vm: usize, came: u64) {
        if self.contended {
            self.hold(vm, true);
        }
        self.newcomers.push(came);
    }

    fn fill(&mut self, now: u64) {
        if !self.contended && self.waiting().count() > self.free() {
            self.contended = true;
            let rises = (0..self.vms.len()).map(|vm| self.count(vm) - self.vms[vm].mark);
            self.level += rises.max().unwrap();
            (0..self.vms.len()).for_each(|vm| self.hold(vm, true));
        }
        while self.free() > 0 && self.waiting().next().is_some() {
            // Of each VM whoever has waited longest, of the VMs the first in order.
            let since = |vcpu: &Vcpu| match vcpu.place {
                Place::Waits(since) => since,
                Place::Runs { .. } => unreachable!(),
            };
            let head =
                |vm: usize| self.waiting().filter(|vcpu| vcpu.vm == vm).map(since).min().unwrap();
            let next =
                self.waiting().min_by_key(|vcpu| (self.rank(vcpu.vm), head(vcpu.vm), since(vcpu)));
            let (vm, came) = next.map(|vcpu| (vcpu.vm, vcpu.came)).unwrap();
            let (is_above, count) = self.rank(vm);
            if self.contended && is_above {
                self.level = self.level.max(count);
            }
            self.touch(vm);
            let order = self.order;
            self.order += 1;
            let vcpu = self.vcpus.iter_mut().find(|vcpu| vcpu.came == came).unwrap();
            vcpu.place = Place::Runs { at: now, order };
        }
        if self.contended && self.waiting().next().is_none() {
            self.contended = false;
            (0..self.vms.len()).for_each(|vm| self.vms[vm].mark = self.count(vm));
        }
    }

    fn index(&self, came: u64) -> Option<usize> {
        self.vcpus.iter().position(|vcpu| vcpu.came == came)
    }

    fn interrupt(&mut self, now: u64) {
        for came in std::mem::take(&mut self.newcomers) {
            let Some(index) = self.index(came).filter(|_| self.preempts) else { continue };
            let vm = self.vcpus[index].vm;
            if self.vms[vm].is_stopped || !matches!(self.vcpus[index].place, Place::Waits(_)) {
                continue;
            }
            let last = (0..self.vms.len())
                .filter(|vm| self.running().any(|vcpu| vcpu.vm == *vm))
                .max_by_key(|vm| (self.rank(*vm), *vm));
            let Some(last) = last.filter(|last| self.rank(vm) < self.rank(*last)) else { continue };
            let of_last = self.running().filter(|vcpu| vcpu.vm == last && vcpu.left != Some(0));
            let victim = of_last.min_by_key(|vcpu| {
                let Place::Runs { order, .. } = vcpu.place else { unreachable!() };
                order
            });
            let Some(victim) = victim.map(|vcpu| vcpu.came) else { continue };
            let victim = self.index(victim).unwrap();
            self.touch(last);
            self.join(victim);
            self.fill(now);
        }
    }

    /// What happens at this nanosecond.
    fn happen(&mut self, now: u64) {
        let mut over: Vec<(u64, Of, usize)> = Vec::new();
        for vcpu in self.running().filter(|vcpu| vcpu.left == Some(0)) {
            over.push((vcpu.came, vcpu.of, vcpu.vm));
        }
        for (came, of, vm) in over {
            self.touch(vm);
            self.vcpus.retain(|vcpu| vcpu.came != came);
            match of {
                Of::Job(job) => self.ends[job] = Some(now),
                Of::Burst(source) => self.sources[source].plan(now),
                Of::Nothing => unreachable!(),
            }
        }
        for vm in 0..self.vms.len() {
            self.limit(vm, now);
        }
        let mut begins: Vec<(u64, usize)> = Vec::new();
        for (index, source) in self.sources.iter().enumerate() {
            begins
                .extend(source.next.filter(|(start, _)| *start == now).map(|next| (next.1, index)));
        }
        for (work, index) in begins {
            self.sources[index].next = None;
            self.come(self.sources[index].vm, Of::Burst(index), Some(work));
        }
        self.fill(now);
        if self.waiting().next().is_some() {
            let mut over: Vec<(u64, u64)> = Vec::new();
            for vcpu in self.running() {
                let Place::Runs { at, order } = vcpu.place else { unreachable!() };
                if at < now && (now - at).is_multiple_of(self.quantum) {
                    over.push((order, vcpu.came));
                }
            }
            over.sort();
            for (_, came) in over {
                let index = self.index(came).unwrap();
                self.touch(self.vcpus[index].vm);
                self.join(index);
            }
            self.fill(now);
        }
        self.interrupt(now);
    }

    fn limit(&mut self, vm: usize, now: u64) {
        let Some(limit) = self.vms[vm].share.limit else { return };
        let share = self.vms[vm].share;
        if now > 0 && now.is_multiple_of(self.quantum) {
            let works = self.vcpus.iter().any(|one| one.vm == vm);
            let of = &mut self.vms[vm];
            let new = i128::from(limit) * i128::from(self.quantum);
            let most = (i128::from(share.vcpus) * i128::from(self.quantum)) << 32;
            of.allowance = match of.allowance {
                owed if owed <= 0 => owed + new,
                kept if works => (kept + new).min(most.max(new)),
                _ => new,
            };
        }
        let is_spent = self.vms[vm].allowance <= 0;
        if is_spent && !self.vms[vm].is_stopped {
            self.vms[vm].is_stopped = true;
            let mut running: Vec<(u64, u64)> = Vec::new();
            for vcpu in self.running().filter(|vcpu| vcpu.vm == vm) {
                let Place::Runs { order, .. } = vcpu.place else { unreachable!() };
                running.push((order, vcpu.came));
            }
            running.sort();
            for (_, came) in running {
                let index = self.index(came).unwrap();
                self.touch(vm);
                self.join(index);
            }
        } else if !is_spent && self.vms[vm].is_stopped {
            self.vms[vm].is_stopped = false;
            let mut line: Vec<(u64, u64)> = Vec::new();
            for vcpu in self.vcpus.iter().filter(|vcpu| vcpu.vm == vm) {
                let Place::Waits(since) = vcpu.place else { unreachable!() };
                line.push((since, vcpu.came));
            }
            line.sort();
            line.into_iter().for_each(|(_, came)| self.welcome(vm, came));
        }
    }

    /// A nanosecond passes.
    fn pass(&mut self) {
        let speed = self.speed(self.running().count() as u32);
        for vcpu in &mut self.vcpus {
            let vm = &mut self.vms[vcpu.vm];
            vm.wanted += 1;
            match vcpu.place {
                Place::Waits(_) => vm.ready += 1,
                Place::Runs { .. } => {
                    // What is left of a nanosecond in which the work ends is the VM's all the same.
                    vcpu.left = vcpu.left.map(|left| left.saturating_sub(speed));
                    vm.used += speed;
                    vm.account -= speed as i128;
                    vm.allowance -= speed as i128;
                }
            }
        }
        for vm in &mut self.vms {
            vm.account += i128::from(vm.share.reservation);
        }
    }
}

impl Source {
    fn plan(&mut self, now: u64) {
        let (gap, work) = self.bursts[self.taken % self.bursts.len()];
        self.taken += 1;
        self.next = Some((now + gap, work));
    }
}

/// A random system.
#[derive(Clone, Debug)]
struct Case {
    cores: u32,
    seconds: u32,
    both: f64,
    quantum: u64,
    preempts: bool,
    vms: Vec<VmShare>,
    /// When, VM, work.
    jobs: Vec<(u64, usize, u64)>,
    bursts: Vec<(u64, u64)>,
}

impl Case {
    /// The bursts of a source: all alike, each from another place on.
    fn bursts_of(&self, source: usize) -> Vec<(u64, u64)> {
        let mut bursts = self.bursts.clone();
        bursts.rotate_left(source % self.bursts.len());
        bursts
    }

    fn end(&self) -> u64 {
        1500
    }

    fn by_twin(&self) -> (Vec<Option<u64>>, Vec<CpuTime>) {
        let vm = |share: &VmShare| Vm {
            share: *share,
            used: 0,
            shift: 0,
            mark: 0,
            account: 0,
            allowance: i128::from(share.limit.unwrap_or(0)) * i128::from(self.quantum),
            is_stopped: false,
            wanted: 0,
            ready: 0,
        };
        let mut twin = Twin {
            cores: self.cores,
            threads: self.cores + self.seconds,
            both: self.both,
            quantum: self.quantum,
            preempts: self.preempts,
            vms: self.vms.iter().map(vm).collect(),
            vcpus: Vec::new(),
            sources: Vec::new(),
            order: 0,
            contended: false,
            level: 0,
            newcomers: Vec::new(),
            ends: vec![None; self.jobs.len()],
        };
        for (vm, share) in self.vms.iter().enumerate() {
            (0..share.busy).for_each(|_| twin.come(vm, Of::Nothing, None));
            for _ in 0..share.bursty {
                let bursts = self.bursts_of(twin.sources.len());
                let mut source = Source { vm, bursts, taken: 0, next: None };
                source.plan(0);
                twin.sources.push(source);
            }
        }
        twin.fill(0);
        twin.interrupt(0);
        for now in 0..self.end() {
            for (job, &(at, vm, work)) in self.jobs.iter().enumerate() {
                if at == now {
                    twin.come(vm, Of::Job(job), Some(work));
                    twin.fill(now);
                    twin.interrupt(now);
                }
            }
            twin.happen(now);
            twin.pass();
        }
        let time = |vm: &Vm| CpuTime {
            wanted: SimDuration::from_nanos(vm.wanted),
            ready: SimDuration::from_nanos(vm.ready),
            done: SimDuration::from_nanos((vm.used >> 32) as u64),
        };
        (twin.ends, twin.vms.iter().map(time).collect())
    }

    fn by_station(&self) -> (Vec<Option<u64>>, Vec<CpuTime>) {
        let cores = Cores::new(self.cores, self.cores + self.seconds, self.both);
        let quantum = SimDuration::from_nanos(self.quantum);
        let mut station = Fed {
            station: Processors::Quantum(Box::new(Quantum::new(
                cores,
                &self.vms,
                quantum,
                self.preempts,
            ))),
            case: self,
            taken: vec![0; self.vms.iter().map(|vm| vm.bursty as usize).sum()],
        };
        station.feed();
        let mut ends = vec![None; self.jobs.len()];
        let mut done = Vec::new();
        let mut jobs = self.jobs.iter().enumerate().peekable();
        loop {
            let next = station.station.next_change().map(SimTime::as_nanos);
            let due = jobs.peek().map(|(_, job)| job.0);
            match (due, next) {
                (Some(due), next) if next.is_none_or(|next| due <= next) => {
                    let (tag, &(at, vm, work)) = jobs.next().unwrap();
                    let at = SimTime::from_nanos(at);
                    station.catch_up(at);
                    let work = SimDuration::from_nanos(work);
                    station.station.submit(at, CpuJob { vm: vm as u32, tag, work });
                }
                (_, Some(next)) if next < self.end() => {
                    station.station.advance(SimTime::from_nanos(next), &mut done);
                    done.drain(..).for_each(|job| ends[job] = Some(next));
                }
                _ => break,
            }
            station.feed();
        }
        let end = SimTime::from_nanos(self.end());
        station.catch_up(end);
        (ends, station.station.times(end))
    }
}

/// The station, with whoever feeds it.
struct Fed<'c> {
    station: Processors<usize>,
    case: &'c Case,
    taken: Vec<usize>,
}

impl Fed<'_> {
    fn feed(&mut self) {
        while let Some((vm, place)) = self.station.hungry() {
            let before = self.case.vms[..vm as usize].iter().map(|vm| vm.bursty);
            let source = (before.sum::<u32>() + place) as usize;
            let bursts = self.case.bursts_of(source);
            let (gap, work) = bursts[self.taken[source] % bursts.len()];
            self.taken[source] += 1;
            let [gap, work] = [gap, work].map(SimDuration::from_nanos);
            self.station.feed((vm, place), Burst { gap, work });
        }
    }

    fn catch_up(&mut self, now: SimTime) {
        while !self.station.catch_up(now) {
            self.feed();
        }
    }
}

fn vm() -> impl Strategy<Value = VmShare> {
    let shares = prop_oneof![Just(500), Just(1000), Just(2000), Just(4000), 1..50_u64];
    let reservation = prop_oneof![Just(0), 1..FULL_SPEED];
    let limit = prop_oneof![Just(None), (FULL_SPEED / 20..2 * FULL_SPEED).prop_map(Some)];
    let vcpus = 1..=3_u32;
    (vcpus, shares, reservation, limit, 0..=3_u32, 0..=3_u32).prop_map(
        |(vcpus, shares, reservation, limit, busy, bursty)| {
            let busy = busy.min(vcpus);
            VmShare {
                vcpus,
                shares,
                reservation: reservation.min(limit.unwrap_or(u64::MAX)),
                limit,
                busy,
                bursty: bursty.min(vcpus - busy),
            }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let machine = (1..=3_u32, 0..=3_u32, prop_oneof![Just(1.0), Just(1.25), Just(1.5)]);
    let turns = (1..=25_u64, any::<bool>());
    let vms = prop::collection::vec(vm(), 1..=4);
    let jobs = prop::collection::vec((0..900_u64, 0..4_usize, 1..60_u64), 1..25);
    let bursts = prop::collection::vec((1..40_u64, 1..30_u64), 1..8);
    (machine, turns, vms, jobs, bursts).prop_map(
        |((cores, seconds, both), (quantum, preempts), vms, mut jobs, bursts)| {
            jobs.iter_mut().for_each(|job| job.1 %= vms.len());
            jobs.sort_by_key(|job| job.0);
            let seconds = seconds.min(cores);
            Case { cores, seconds, both, quantum, preempts, vms, jobs, bursts }
        },
    )
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_station_agrees_with_its_twin_to_the_nanosecond(case in case()) {
        prop_assert_eq!(case.by_station(), case.by_twin());
    }
}
