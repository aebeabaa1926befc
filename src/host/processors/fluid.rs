//! `Fluid`: all vCPUs run at once, each at the speed that water filling gives it.
//!
//! Means are right and tails too good: nobody ever waits for a quantum to end.

use super::bursts::Bursts;
use super::water::{Demand, fill};
use super::{Cores, CpuJob, CpuTime, Discipline, Kind, VmShare, coarse, fine};
use crate::queueing::Station;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Processors without turns.
#[derive(Debug)]
pub struct Fluid<T> {
    cores: Cores,
    vms: Vec<Vm<T>>,
    bursts: Bursts,
    now: SimTime,
    /// The speed of a vCPU that lacks nothing.
    speed: u64,
    /// Tasks so far.
    order: u64,
    /// Jobs inside.
    jobs: usize,
}

#[derive(Debug)]
struct Vm<T> {
    share: VmShare,
    /// By the state of `clock` at their ends; of equals, who came first.
    tasks: BTreeMap<(u128, u64), Kind<T>>,
    /// Work that each of its vCPUs with work has done.
    clock: u128,
    /// The speed of each.
    rate: u64,
    wanted: u128,
    /// Time without a processor, in 2^-32 ns.
    ready: u128,
    done: u128,
}

impl<T> Vm<T> {
    fn runnable(&self) -> u32 {
        self.tasks.len() as u32 + self.share.busy
    }
}

impl<T> Fluid<T> {
    /// The processors of a host for these VMs.
    pub fn new(cores: Cores, vms: &[VmShare]) -> Self {
        let vm = |share: &VmShare| Vm {
            share: *share,
            tasks: BTreeMap::new(),
            clock: 0,
            rate: 0,
            wanted: 0,
            ready: 0,
            done: 0,
        };
        let mut new = Self {
            cores,
            vms: vms.iter().map(vm).collect(),
            bursts: Bursts::new(vms),
            now: SimTime::ZERO,
            speed: 0,
            order: 0,
            jobs: 0,
        };
        new.divide();
        new
    }

    pub(super) fn times(&mut self, end: SimTime) -> Vec<CpuTime> {
        self.pass(end);
        let time = |vm: &Vm<T>| CpuTime {
            wanted: SimDuration::from_nanos(vm.wanted as u64),
            ready: coarse(vm.ready),
            done: coarse(vm.done),
        };
        self.vms.iter().map(time).collect()
    }

    /// The speeds from now on.
    fn divide(&mut self) {
        let runnable: u32 = self.vms.iter().map(Vm::runnable).sum();
        let running = runnable.min(self.cores.threads());
        self.speed = self.cores.speed(running);
        let speed = self.speed;
        let demand = |vm: &Vm<T>| {
            let wanted = u64::from(vm.runnable()) * speed;
            let most = vm.share.limit.map_or(wanted, |limit| limit.min(wanted));
            Demand { least: vm.share.reservation.min(most), most, shares: vm.share.shares }
        };
        let demands: Vec<Demand> = self.vms.iter().map(demand).collect();
        let capacity = u128::from(running) * u128::from(speed);
        for (vm, got) in self.vms.iter_mut().zip(fill(capacity, &demands)) {
            vm.rate = got.checked_div(u64::from(vm.runnable())).unwrap_or(0);
        }
    }

    fn pass(&mut self, now: SimTime) {
        let span = u128::from((now - self.now).as_nanos());
        self.now = now;
        if span == 0 {
            return;
        }
        for vm in &mut self.vms {
            let runnable = u128::from(vm.runnable());
            if runnable == 0 {
                continue;
            }
            let work = span * u128::from(vm.rate);
            vm.clock += work;
            vm.done += work * runnable;
            vm.wanted += span * runnable;
            if vm.rate < self.speed {
                let lost = u128::from(self.speed - vm.rate) * span * runnable;
                vm.ready += (lost << super::FRACTION_BITS) / u128::from(self.speed);
            }
        }
    }

    /// When something happens next, if nobody comes.
    fn next_instant(&self) -> Option<SimTime> {
        let ends = self.vms.iter().filter_map(|vm| {
            let (&(target, _), _) = vm.tasks.first_key_value()?;
            let left = target.saturating_sub(vm.clock);
            let span = if left == 0 { 0 } else { left.div_ceil(u128::from(vm.rate.max(1))) };
            Some(self.now + SimDuration::from_nanos(u64::try_from(span).unwrap_or(u64::MAX)))
        });
        ends.chain(self.bursts.next()).min()
    }

    fn add(&mut self, vm: u32, kind: Kind<T>, work: SimDuration) {
        let vm = &mut self.vms[vm as usize];
        vm.tasks.insert((vm.clock + fine(work), self.order), kind);
        self.order += 1;
    }

    /// All that happens at an instant.
    fn happen(&mut self, now: SimTime, done: &mut Vec<T>) {
        self.pass(now);
        let mut ended = Vec::new();
        for vm in &mut self.vms {
            while let Some(first) = vm.tasks.first_entry()
                && first.key().0 <= vm.clock
            {
                let (_, order) = *first.key();
                ended.push((order, first.remove()));
            }
        }
        ended.sort_by_key(|(order, _)| *order);
        for (_, kind) in ended {
            match kind {
                Kind::Job(tag) => {
                    self.jobs -= 1;
                    done.push(tag);
                }
                Kind::Burst(source) => self.bursts.end(now, source),
                Kind::Endless => unreachable!("no task of this station"),
            }
        }
        while let Some((source, vm, work)) = self.bursts.begin(now) {
            self.add(vm, Kind::Burst(source), work);
        }
        self.divide();
    }
}

impl<T> Discipline for Fluid<T> {
    fn bursts(&mut self) -> &mut Bursts {
        &mut self.bursts
    }

    fn has_jobs(&self) -> bool {
        self.jobs > 0
    }

    fn next(&self) -> Option<SimTime> {
        self.next_instant()
    }

    fn happen_alone(&mut self, now: SimTime) {
        self.happen(now, &mut Vec::new());
    }
}

impl<T> Station for Fluid<T> {
    type Job = CpuJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, job: CpuJob<T>) {
        assert!(self.catch_up(now), "bursts are fed before a job comes");
        self.pass(now);
        self.jobs += 1;
        self.add(job.vm, Kind::Job(job.tag), job.work);
        self.divide();
    }

    fn next_change(&self) -> Option<SimTime> {
        if self.jobs == 0 { None } else { self.next_instant() }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while self.jobs > 0
            && !self.bursts.is_dry()
            && let Some(next) = self.next_instant().filter(|next| *next <= now)
        {
            self.happen(next, done);
        }
    }
}
