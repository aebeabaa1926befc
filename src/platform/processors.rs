//! The host's logical processors as the platform's: whose work goes there, and the bursts of VMs with
//! other work, which are drawn here.

use super::{BatchId, Platform, Server, ServerId, Timed};
use crate::engine::{EventList, RandomStreams, Stream};
use crate::host::{Burst, Cores, CpuJob, CpuTime, Fluid, Processors, Quantum, VmShare};
use crate::queueing::Station;
use crate::spec::{CpuAllocation, CpuLoad, CpuScheduler, Experiment, HostId, HostSpec, OtherVm};
use crate::units::{Frequency, SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};
use std::collections::BTreeSet;

/// The processors of the host, with all who run on them.
pub(super) struct HostCpu {
    pub(super) station: Timed<Processors<BatchId>>,
    /// The VM of the station that a server's batches are of, by the server whose vCPUs they take.
    vms: Vec<u32>,
    /// The first VM with other work; those with inference come before it.
    first_other: u32,
    /// The bursts of each VM with other work.
    bursts: Vec<Option<Bursts>>,
}

/// What the bursts of a VM are drawn from.
struct Bursts {
    work: SimDuration,
    gap: SimDuration,
    /// For each of its vCPUs one, so that what others do leaves its luck as it is.
    chances: Vec<Stream>,
}

impl HostCpu {
    /// The processors of a host, if its VMs share them and work on a vCPU can wait for one, or be
    /// slowed by others: else it is a mere delay. `most` is how many batches can be at the vCPUs of
    /// each server.
    pub(super) fn if_shared(
        experiment: &Experiment,
        id: HostId,
        (servers, homes): (&[Server], &[BTreeSet<HostId>]),
        most: &[u64],
    ) -> Option<Self> {
        let vcpus = |server: &Server| server.vcpus.station.free() as u64;
        let here = || {
            let all = servers.iter().zip(most).enumerate();
            all.filter(|(index, _)| homes[*index].contains(&id))
        };
        let owns = |(index, (server, _)): &(usize, (&Server, &u64))| {
            usize::from(server.processors.0) == *index
        };
        let all: u64 = here().filter(owns).map(|(_, (server, _))| vcpus(server)).sum();
        let wanted: u64 = here().map(|(_, (server, &most))| most.min(vcpus(server))).sum();
        let busy: u64 = experiment.others_on(id).map(|other| u64::from(other.load.busy())).sum();
        let host = experiment.host(id);
        let is_shared = busy > 0 || all > u64::from(host.logical_processors.value);
        let is_short = wanted + busy > u64::from(host.cores.value);
        (is_shared && is_short).then(|| Self::new(experiment, id, (servers, homes)))
    }

    /// The processors of a host for the VMs of the servers that are there, or come there by operations
    /// (`homes`), and for those with other work.
    fn new(
        experiment: &Experiment,
        id: HostId,
        (servers, homes): (&[Server], &[BTreeSet<HostId>]),
    ) -> Self {
        let host = experiment.host(id);
        let mut shares = Vec::new();
        let mut vms = vec![u32::MAX; servers.len()];
        let all = servers.iter().enumerate();
        for (index, server) in all.filter(|(index, _)| homes[*index].contains(&id)) {
            let owner = usize::from(server.processors.0);
            if owner == index {
                vms[index] = shares.len() as u32;
                let vcpus = server.vcpus.station.free() as u32;
                let allocation = match experiment.pools.is_empty() {
                    true => {
                        let vm = experiment.first_model(server.vm);
                        experiment.vms[usize::from(vm.0)].allocation
                    }
                    false => CpuAllocation::normal(vcpus),
                };
                shares.push(share(host, vcpus, &allocation));
            }
            vms[index] = vms[owner];
        }
        let others: Vec<&OtherVm> = experiment.others_on(id).collect();
        let first_other = shares.len() as u32;
        shares.extend(others.iter().map(|other| of_other(host, other)));
        let threads = host.logical_processors.value;
        let cores = Cores::new(host.cores.value, threads, host.hyper_threading.value);
        let cpu = &experiment.cpu;
        let station = match cpu.scheduler {
            CpuScheduler::Fluid => Processors::Fluid(Fluid::new(cores, &shares)),
            CpuScheduler::Quantum => {
                let quantum = cpu.quantum.value;
                Processors::Quantum(Box::new(Quantum::new(cores, &shares, quantum, cpu.preempts)))
            }
        };
        let streams = RandomStreams::new(experiment.seed, experiment.replication);
        let bursts = others.iter().map(|other| match other.load {
            CpuLoad::Constant { .. } => None,
            CpuLoad::Bursty { busy, work, gap } => {
                let chance = |vcpu| streams.stream(&format!("cpu/{}/{vcpu}", other.name));
                Some(Bursts { work, gap, chances: (0..busy).map(chance).collect() })
            }
        });
        let bursts = bursts.collect();
        let mut new = Self { station: Timed::new(station), vms, first_other, bursts };
        new.feed();
        new
    }

    /// Gives bursts to whoever is out of them.
    fn feed(&mut self) {
        const BLOCK: usize = 16;
        while let Some((vm, vcpu)) = self.station.station.hungry() {
            let bursts = &mut self.bursts[(vm - self.first_other) as usize];
            let bursts = bursts.as_mut().expect("only those with bursts are hungry");
            let chance = &mut bursts.chances[vcpu as usize];
            for _ in 0..BLOCK {
                let mut draw = |mean: SimDuration| {
                    let luck: f64 = Exp1.sample(chance);
                    mean.scale(luck).max(SimDuration::from_nanos(1))
                };
                let (gap, work) = (draw(bursts.gap), draw(bursts.work));
                self.station.station.feed((vm, vcpu), Burst { gap, work });
            }
        }
    }

    /// Brings what others did up to `now`.
    fn catch_up(&mut self, now: SimTime) {
        while !self.station.station.catch_up(now) {
            self.feed();
        }
    }

    /// Work of a batch on a vCPU of a server's VM.
    pub(super) fn submit(
        &mut self,
        now: SimTime,
        (server, batch): (ServerId, BatchId),
        work: SimDuration,
        events: &mut EventList,
    ) {
        self.catch_up(now);
        let vm = self.vms[usize::from(server.0)];
        self.station.station.submit(now, CpuJob { vm, tag: batch, work });
        self.feed();
        self.station.arm(events);
    }

    /// What is done at the time that the station asked for.
    pub(super) fn leave(&mut self, now: SimTime, done: &mut Vec<BatchId>, events: &mut EventList) {
        self.station.wake = None;
        self.station.station.advance(now, done);
        self.feed();
        self.station.arm(events);
    }

    /// What each server's VM had up to `end`, by the servers whose vCPUs are taken (nothing for those of
    /// another host), and each VM with other work.
    fn times(&mut self, end: SimTime) -> (Vec<Option<CpuTime>>, Vec<CpuTime>) {
        self.catch_up(end);
        let mut times = self.station.station.times(end);
        let others = times.split_off(self.first_other as usize);
        let of_server = |vm: &u32| times.get(*vm as usize).copied();
        (self.vms.iter().map(of_server).collect(), others)
    }
}

/// A VM's part as the station counts it.
fn share(host: &HostSpec, vcpus: u32, allocation: &CpuAllocation) -> VmShare {
    let clock = u128::from(host.clock.value.khz());
    let of_cores = |amount: Frequency| {
        (u128::from(amount.khz()) * u128::from(crate::host::FULL_SPEED) / clock) as u64
    };
    VmShare {
        reservation: of_cores(allocation.reservation),
        limit: allocation.limit.map(|limit| of_cores(limit).max(1)),
        ..VmShare::of(vcpus, allocation.shares)
    }
}

fn of_other(host: &HostSpec, other: &OtherVm) -> VmShare {
    let share = share(host, other.vcpus, &other.allocation);
    match other.load {
        CpuLoad::Constant { busy } => VmShare { busy, ..share },
        CpuLoad::Bursty { busy, .. } => VmShare { bursty: busy, ..share },
    }
}

impl Platform<'_> {
    /// What each guest's VM had of the processors up to `end`, and each VM with other work.
    pub(super) fn cpu_times(&mut self, end: SimTime) -> (Vec<Option<CpuTime>>, Vec<CpuTime>) {
        let experiment = self.experiment;
        let mut cpu: Vec<Option<CpuTime>> = vec![None; self.guests.len()];
        let mut others = vec![CpuTime::default(); experiment.others.len()];
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let id = HostId(index as u16);
            let has_others = experiment.others_on(id).next().is_some();
            let (of_servers, of_others) = match &mut host.processors {
                Some(processors) => processors.times(end),
                // Nobody waits: what the others do depends on nobody.
                None if has_others => {
                    let others = HostCpu::new(experiment, id, (&[], &[])).times(end).1;
                    (Vec::new(), others)
                }
                None => continue,
            };
            for (server, time) in self.servers.iter().zip(of_servers) {
                let first = usize::from(experiment.first_model(server.vm).0);
                let Some(time) = time else { continue };
                // A VM that was moved had processors of several hosts.
                for guest in &self.processes[first].guests {
                    let cpu = &mut cpu[usize::from(guest.0)];
                    *cpu = Some(cpu.unwrap_or_default() + time);
                }
            }
            let here = experiment.others.iter().enumerate().filter(|(_, one)| one.host == id);
            here.zip(of_others).for_each(|((place, _), time)| others[place] = time);
        }
        (cpu, others)
    }
}
