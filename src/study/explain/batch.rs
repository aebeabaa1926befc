//! How long a VM's batches take on its place, and how many it can do: arithmetic on the service
//! times, at mean sizes.

use super::place::Place;
use crate::gpu::{Demand, demand};
use crate::spec::{
    Balance, Experiment, GpuSharing, InstanceSharing, PermitReturn, ServiceTime, TestScenario,
    VmId, VmSpec,
};
use crate::units::{Bytes, Share};

/// The batches of a VM.
#[derive(Clone, Copy)]
pub(super) struct Batches<'e> {
    experiment: &'e Experiment,
    vm: &'e VmSpec,
    place: Place<'e>,
    service: &'e ServiceTime,
}

/// What holds the rate of a VM back, and at which rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ceiling {
    pub(super) per_s: f64,
    pub(super) by: &'static str,
}

impl<'e> Batches<'e> {
    /// Nothing for an ensemble, whose steps have batches, and where no times are known.
    pub(super) fn of(experiment: &'e Experiment, id: VmId) -> Option<Self> {
        let vm = &experiment.vms[usize::from(id.0)];
        let place = Place::of(experiment, vm, vm.gpus.first()?);
        let service = vm.workload.service.get(&place.card.gpu.id)?;
        (!vm.is_ensemble()).then_some(Self { experiment, vm, place, service })
    }

    pub(super) fn place(&self) -> &Place<'e> {
        &self.place
    }

    /// The most samples in a batch: what the server takes, and no more than clients can have asked.
    pub(super) fn full(&self) -> u32 {
        let asked = match self.vm.load.scenario {
            TestScenario::SingleStream => 1,
            TestScenario::MultiStream { samples } => samples,
            TestScenario::ClosedLoop { clients, .. } if clients > 0 => clients,
            _ => u32::MAX,
        };
        self.vm.server.batch_max.min(asked).max(1)
    }

    fn demand(&self, samples: u32) -> Demand {
        let hypervisor = &self.experiment.hypervisor;
        let on = (self.place.instance, self.vm.server.launches);
        demand(self.service, hypervisor, samples, f64::from(samples), 1.0, on)
    }

    /// Batches of one owner that the GPU works on at once.
    pub(super) fn abreast(&self) -> usize {
        let law = self.service.slice.is_some()
            && self.place.instance.profile.is_some()
            && self.place.instance.sharing == InstanceSharing::Alone;
        let in_order = law && !self.vm.server.shares_slices();
        match self.vm.server.gpu_sharing {
            GpuSharing::Shared if !in_order => {
                (self.vm.server.streams as usize).div_ceil(self.place.own)
            }
            _ => 1,
        }
    }

    /// GPU time of a batch while so many run on the place, in nanoseconds.
    fn beside(&self, samples: u32, running: usize) -> f64 {
        let (demand, share) = (self.demand(samples), self.place.instance.share);
        let limit = self.place.share.sm_limit;
        let limit = Share::clamped(limit.get() * share.get());
        match self.experiment.limit_acts(self.place.share) {
            true => demand.time_within(running, share, limit),
            false => demand.time(running, share),
        }
    }

    /// GPU time of a batch alone on its place, in its turn where there are turns, in nanoseconds.
    pub(super) fn alone(&self, samples: u32) -> f64 {
        self.beside(samples, 1)
    }

    /// The largest batch of at most `most` that takes at most `nanos` alone.
    pub(super) fn largest_within(&self, nanos: f64, most: u32) -> Option<u32> {
        let fits = |samples: &u32| self.alone(*samples) <= nanos;
        // Times never fall with the size.
        let (mut low, mut high) = (0, most.saturating_add(1));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(&middle) { low = middle } else { high = middle }
        }
        (low > 0).then_some(low)
    }

    /// Samples per second of one owner with all of its place, in batches of one size.
    pub(super) fn at_full_speed(&self, samples: u32) -> f64 {
        let abreast = self.abreast();
        abreast as f64 * f64::from(samples) * 1e9 / self.beside(samples, abreast)
    }

    /// The same while all that share its place side by side are busy too.
    fn beside_busy(&self, samples: u32) -> f64 {
        let abreast = self.abreast();
        let beside = match self.place.node {
            Some(node) => node.members,
            None => self.place.owners.max(1),
        };
        let running = abreast * beside;
        abreast as f64 * f64::from(samples) * 1e9 / self.beside(samples, running)
    }

    /// Samples per second that the GPUs do in batches of one size, while all others are busy and
    /// while none is.
    pub(super) fn gpus_do(&self, samples: u32) -> Option<[f64; 2]> {
        let cards = self.vm.gpus.len() as f64 * self.place.own as f64;
        let alone = self.at_full_speed(samples) * cards;
        Some(match self.place.instance.sharing {
            InstanceSharing::Alone => [alone, alone],
            InstanceSharing::Models | InstanceSharing::Mps(_) => {
                [self.beside_busy(samples) * cards, alone]
            }
            _ => {
                let promise = self.place.promise()?;
                let side_by_side = self.place.node.is_some_and(|node| node.pods.mps().is_some());
                let busy = if side_by_side { self.beside_busy(samples) * cards } else { alone };
                [
                    busy * promise.least,
                    self.at_full_speed(samples) * self.vm.gpus.len() as f64 * promise.most,
                ]
            }
        })
    }

    /// CPU time of a batch of so many samples before and after the GPU, in nanoseconds.
    pub(super) fn cpu(&self, samples: f64) -> [f64; 2] {
        let cpu = &self.vm.workload.cpu;
        let before = match self.vm.load.scenario.has_queue() {
            true => cpu.of_a_queue(self.vm.server.served_by),
            false => cpu.launch_per_batch.value,
        };
        let speed = self.experiment.hypervisor.cpu_speed.value;
        let of = |batch: f64, sample: f64| (batch + samples * sample) / speed;
        [
            of(before.as_nanos_f64(), cpu.launch_per_sample.value.as_nanos_f64()),
            of(
                cpu.finish_per_batch.value.as_nanos_f64(),
                cpu.finish_per_sample.value.as_nanos_f64(),
            ),
        ]
    }

    /// Time to copy a sample in and out over a free link, in nanoseconds.
    pub(super) fn copies(&self) -> [f64; 2] {
        let link = self.place.card.link_bandwidth().value.get();
        let of = |bytes: Bytes| bytes.get() as f64 / link * 1e9;
        let workload = &self.vm.workload;
        let inputs = match self.vm.server.start_from_device {
            true => 0.0,
            false => of(workload.input_per_sample.value),
        };
        [inputs, of(workload.output_per_sample.value)]
    }

    /// The time of a batch from when it is formed until it is complete, with nothing in its way, in
    /// nanoseconds.
    pub(super) fn unhindered(&self, samples: u32) -> f64 {
        let (cpu, copies) = (self.cpu(f64::from(samples)), self.copies());
        let submission = self.experiment.hypervisor.submission_latency.value.as_nanos_f64();
        cpu[0]
            + cpu[1]
            + submission
            + f64::from(samples) * (copies[0] + copies[1])
            + self.alone(samples)
    }

    /// The highest rate, in samples per second, at full batches: while all others are busy, and
    /// while none is, each with what holds it back.
    pub(super) fn ceilings(&self) -> Option<[Ceiling; 2]> {
        let samples = self.full();
        let size = f64::from(samples);
        let gpus = self.gpus_do(samples)?;
        let cards = self.vm.gpus.len() as f64;
        let mut others = Vec::new();
        let [before, after] = self.cpu(size);
        if before + after > 0.0 {
            let per_s = f64::from(self.vm.vcpus) * size * 1e9 / (before + after);
            others.push(Ceiling { per_s, by: "the vCPUs" });
        }
        let copy = self.copies().into_iter().fold(0.0, f64::max);
        if copy > 0.0 {
            others.push(Ceiling { per_s: cards * 1e9 / copy, by: "the link to the GPU" });
        }
        let in_flight = match self.vm.server.permit_return {
            PermitReturn::AtCompletion => Some(f64::from(self.vm.server.slots) * cards),
            PermitReturn::AtStart => None,
        };
        if let Some(slots) = in_flight {
            let per_s = slots * size * 1e9 / self.unhindered(samples);
            others.push(Ceiling { per_s, by: "the batches in flight" });
        }
        if let TestScenario::ClosedLoop { clients, think_time } = self.vm.load.scenario
            && clients > 0
        {
            let round = self.unhindered(1) + think_time.as_nanos_f64();
            others.push(Ceiling { per_s: f64::from(clients) * 1e9 / round, by: "the clients" });
        }
        if let TestScenario::SingleStream | TestScenario::MultiStream { .. } = self.vm.load.scenario
        {
            let per_s = size * 1e9 / self.unhindered(samples);
            others.push(Ceiling { per_s, by: "one query at a time" });
        }
        Some(gpus.map(|per_s| {
            let gpu = Ceiling { per_s, by: "the GPU" };
            others.iter().copied().fold(gpu, |least, one| match one.per_s < least.per_s {
                true => one,
                false => least,
            })
        }))
    }
}

/// The samples per second that a model is asked: by its own load and by ensembles. Nothing where
/// that follows from the answers.
pub(super) fn asked(experiment: &Experiment, id: VmId) -> Option<f64> {
    let own = &experiment.vms[usize::from(id.0)];
    let rate = |vm: &VmSpec| match vm.load.scenario {
        TestScenario::Server => Some(vm.load.settings.target_qps),
        _ if vm.load.is_idle() => Some(0.0),
        _ => None,
    };
    let mut all = rate(own)?;
    for ensemble in experiment.vms.iter().filter(|vm| vm.is_ensemble()) {
        let passes = ensemble.step_models().filter(|&step| step == id).count();
        // How many of them serve follows the load.
        let follows = |balance: &Balance| passes > 0 && balance.replicas.is_some();
        if ensemble.balance.as_ref().is_some_and(follows) {
            return None;
        }
        if passes > 0 {
            // A load balancer deals each query to one of them.
            let part = ensemble.balance.as_ref().map_or(1, |balance| balance.members.len());
            all += rate(ensemble)? * passes as f64 / part as f64;
        }
    }
    Some(all)
}
