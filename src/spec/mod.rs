//! Floor 2: the nouns. An [`Experiment`] is everything one run needs, checked and plain.
//!
//! Nothing here reads a file or checks values: `config` builds these values and refuses impossible
//! ones; code that builds them must keep the conditions stated at the fields.

mod balance;
mod cpu;
mod engines;
mod fact;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod footprint;
mod gpu;
mod hardware_turns;
mod harness;
mod host;
mod in_use;
mod least_phi;
mod lengths;
mod lesson;
mod llm;
mod load;
mod measured;
mod measured_system;
pub mod names;
mod operation;
mod pods;
mod pool;
mod power;
mod queue_policy;
mod scenario;
mod served;
mod server;
mod sharing;
mod slicing;
mod sweep;
mod together;
mod vgpu;
mod workload;

pub use balance::{Balance, BalancePolicy, ReplicaMetric, Replicas};
pub use cpu::{CpuAllocation, CpuLoad, CpuScheduler, CpuScheduling, OtherVm};
pub use engines::{ENGINE_PRESETS, EngineGpu, EnginePreset, MEASURED_LOOP};
pub use fact::{Fact, Standing};
pub use facts::{FactValue, NamedFact};
pub use footprint::Footprint;
pub use gpu::{Architecture, ComputeCapability, GpuSpec, MediaEngines, MigProfile, SwitchCost};
pub use hardware_turns::{HardwareTurns, Launches, SwitchTimes, TurnsOf};
pub use harness::{Harness, HarnessBenchmark, RowGroup};
pub use host::{HostSpec, HostStalls, Hypervisor};
pub use least_phi::BESIDE_OVER_ONE;
pub use lengths::{LengthPair, TokenLengths};
pub use lesson::{ControlScale, Lesson, LessonControl, LessonCurve};
pub use llm::{
    Admission, DecoderModel, EngineSpec, KvFormat, LlmSpec, StepRates, StepRule, TokenBounds,
    TokenStep, WeightFormat,
};
pub use load::{
    Arrivals, Bursts, LoadSpec, RatePattern, Round, Rules, TestScenario, TestSettings, Trace,
    TraceArrival, queries_for,
};
pub use measured::{MeasuredRow, MeasuredSettings, MigSlices};
pub use measured_system::MeasuredSystem;
pub use operation::{
    Operation, OperationOutcome, OperationTimes, Outage, Stay, Timeline, TimelineFact, VmChange,
    VmStep, Vmotion, WorstStun,
};
pub use pods::{CutSlice, PodSharing, container_overhead};
pub use pool::{PooledServer, ServerPool};
pub use power::{EmptyHosts, HostStates};
pub use queue_policy::{QueuePolicy, Queues, TimeoutAction};
pub use scenario::{Baseline, BaselineKind, Pair, PlannedRun, Published, Scenario};
pub use served::{CpuStep, Step};
pub use server::{
    BatchRule, CALL_TIME_ENDS, CALL_WAKE, CALL_WAKE_ENDS, Completion, Dispatch, GpuSharing,
    PRESETS, PermitReturn, Preset, ServedBy, ServerSpec, TimeoutFrom,
};
pub use sharing::{InstanceSharing, MpsSharing};
pub use slicing::{IdleRule, Overshoot, SlicePolicy, TimeSlicing, TurnOrder};
pub use sweep::{Parameter, ParameterValue, Sweep, SweepPoint};
pub use vgpu::{DisputedMix, MixedSize, VgpuType};
pub use workload::{
    BOOST_WINDOW, CpuWork, PhiTable, Precision, Scaled, ServiceAlternative, ServiceTime,
    SizeDistribution, SliceLaw, WorkTable, Workload, usual_energy_once,
};

use crate::units::{Bandwidth, Power, Share, SimTime};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A physical card of the experiment: index into [`Experiment::cards`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GpuId(pub u16);

/// A machine of the experiment: index into [`Experiment::hosts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct HostId(pub u16);

/// A virtual machine: index into [`Experiment::vms`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VmId(pub u16);

/// One run, complete and checked.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The run's name, unique within a scenario together with its side.
    pub name: String,
    /// The seed of every random stream. With seed 0 and replication 0, the first VM's Server
    /// schedule has the seed of the MLPerf round instead.
    pub seed: u64,
    /// Another replication reseeds every stream.
    pub replication: u32,
    /// The hypervisor between the machines and their guests.
    pub hypervisor: Hypervisor,
    /// The machines, by [`HostId`]; at least one.
    pub hosts: Vec<HostSpec>,
    /// Their GPUs, by [`GpuId`]; those of one machine in a row.
    pub cards: Vec<CardSpec>,
    /// The guests, by [`VmId`]; on bare metal the one operating system.
    pub vms: Vec<VmSpec>,
    /// VMs whose work is something else than inference; none on bare metal.
    pub others: Vec<OtherVm>,
    /// How the host's processors are divided among vCPUs, where they can run short.
    pub cpu: CpuScheduling,
    /// Servers that answer several guests together; empty where each guest has its own server;
    /// otherwise every guest is in exactly one pool.
    pub pools: Vec<ServerPool>,
    /// What happens to its VMs at given times; nothing in most runs. VMs of which it speaks have servers of
    /// their own under Server load, are no ensembles and have no `power_off`.
    pub timeline: Option<Arc<Timeline>>,
    /// What hosts without VMs do; nothing where the run tells no watts.
    pub power: Option<HostStates>,
}

/// A guest: an inference server under load, or one of several models in a server.
#[derive(Clone, Debug)]
pub struct VmSpec {
    /// Name in reports, unique in its run.
    pub name: String,
    /// VMs of one group are alike and reported together; the name where there is no other.
    pub group: String,
    /// Virtual CPUs, from 1 to the host's logical processors.
    pub vcpus: u32,
    /// What it gets of the host's processors where these are short.
    pub allocation: CpuAllocation,
    /// Its shares of the cards; at least one.
    pub gpus: Vec<GpuShare>,
    /// Its workload. VMs that are alike share one, and runs that differ in something else as well.
    pub workload: Arc<Workload>,
    /// Its inference server.
    pub server: ServerSpec,
    /// Its load.
    pub load: LoadSpec,
    /// When it is powered on; its load starts there.
    pub power_on: SimTime,
    /// When its load stops; it is powered off once all queries are answered.
    pub power_off: Option<SimTime>,
    /// For a further model of a server: the first model of that server, which comes before it. All
    /// models of a server are one CUDA process: they have the same vCPUs and `gpus`, and are
    /// powered on and off together.
    pub server_of: Option<VmId>,
    /// For an ensemble: the steps that each of its queries passes, one after the other; at least
    /// one is a model. Then `workload` and `server` are those of the first model. Empty for a
    /// model.
    pub steps: Vec<Step>,
    /// For a load that several VMs share: who answers it. Then it is no VM: `steps` are the members, one
    /// of which answers each query, `gpus` are those of all, and all else is as of the first of them, which
    /// is `server_of`.
    pub balance: Option<Balance>,
    /// For a VM that serves an LLM: model, engine and lengths. Then `workload` and `server` hold what that
    /// comes to for all that asks for no tokens: one slot, a batch for each step.
    pub llm: Option<Arc<LlmSpec>>,
    /// Whether it is a pod of its VM, a CUDA process of its own, where models of a server are one.
    pub is_pod: bool,
    /// For a pod, what its container adds to the CPU work around its batches, as a part of it.
    pub container_overhead: Option<Fact<Share>>,
}

/// A physical card and how it is cut.
#[derive(Clone, Debug)]
pub struct CardSpec {
    /// The machine that it is in.
    pub host: HostId,
    /// Its GPU model.
    pub gpu: GpuSpec,
    /// Its instances, by [`GpuShare::instance`]: one for a whole GPU, one per GPU instance with MIG.
    pub instances: Vec<InstanceSpec>,
    /// The power limit that is set; nothing for the default one.
    pub power_limit: Option<Power>,
    /// How it is attached to the host.
    pub link: HostLink,
}

/// The link between a card and the host's memory.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct HostLink {
    /// The PCIe switch that the card is behind: all cards behind one share its one link to the
    /// host. The host's file numbers the switches; nothing where the card has its own link.
    pub switch: Option<u32>,
    /// The bandwidth of the link in each direction, where the host states it; nothing for the GPU's
    /// own.
    pub pcie_bandwidth: Option<Fact<Bandwidth>>,
}

/// A part of a card with its own owners.
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    /// The MIG profile, such as `1g.5gb`; nothing for the whole GPU.
    pub profile: Option<String>,
    /// Its part of the GPU's SMs.
    pub share: Share,
    /// Its part of the GPU's memory slices, and so of the bandwidth.
    pub memory_share: Share,
    /// How its owners share it.
    pub sharing: InstanceSharing,
}

/// A guest's share of one card.
#[derive(Clone, Debug)]
pub struct GpuShare {
    /// The card.
    pub card: GpuId,
    /// The instance of the card: index into [`CardSpec::instances`].
    pub instance: u16,
    /// The vGPU type's name; nothing for a card that is passed through or on bare metal.
    pub vgpu_type: Option<String>,
    /// The part of the instance's SMs that an MPS client may use at most, or that its partition
    /// has, above 0; the whole for every other owner.
    pub sm_limit: Share,
    /// How the pods of the VM share it; nothing for a VM without pods.
    pub pods: Option<PodSharing>,
}

impl Experiment {
    /// Whether its cards are of several GPU models.
    pub fn has_several_models(&self) -> bool {
        self.cards.iter().any(|card| card.gpu.id != self.cards[0].gpu.id)
    }

    /// The parts of cards that a VM, known by its first model, comes to have by operations.
    pub fn parts_over_time(&self, vm: VmId) -> impl Iterator<Item = &Vec<GpuShare>> {
        let steps = self.timeline.iter().flat_map(|timeline| &timeline.steps);
        steps.filter(move |step| step.vm == vm).filter_map(|step| match &step.change {
            VmChange::GoOn(parts) | VmChange::Up(parts) => parts.as_ref(),
            VmChange::Halt | VmChange::Down => None,
        })
    }

    /// The machine of a guest or a server with these shares of cards: all are in one.
    pub fn host_of(&self, shares: &[GpuShare]) -> HostId {
        // One that found no place was reported, and is never run.
        let card = shares.first().and_then(|share| self.cards.get(usize::from(share.card.0)));
        card.map_or(HostId::default(), |card| card.host)
    }

    /// A machine.
    pub fn host(&self, id: HostId) -> &HostSpec {
        &self.hosts[usize::from(id.0)]
    }

    /// The cards that any VM uses.
    pub fn cards_in_use(&self) -> BTreeSet<GpuId> {
        self.vms.iter().flat_map(|vm| &vm.gpus).map(|share| share.card).collect()
    }

    /// The card that a share is of.
    pub fn card(&self, share: &GpuShare) -> &CardSpec {
        &self.cards[usize::from(share.card.0)]
    }

    /// The GPU instance that a share is of.
    pub fn instance(&self, share: &GpuShare) -> &InstanceSpec {
        &self.card(share).instances[usize::from(share.instance)]
    }

    /// The GPU models of these shares, each once, in the order of the shares.
    pub fn models_of<'e>(&'e self, shares: impl IntoIterator<Item = &'e GpuShare>) -> Vec<&'e str> {
        let mut models: Vec<&str> = Vec::new();
        for share in shares {
            let model = self.card(share).gpu.id.as_str();
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }

    /// The GPU models on which a VM's service times are scaled, with the GPU they are scaled from:
    /// `l4 from a10`.
    pub fn scaled_of(&self, vm: &VmSpec) -> Vec<String> {
        let models = self.models_of(&vm.gpus).into_iter();
        let scaled = models.filter_map(|gpu| {
            let scaled = vm.workload.service.get(gpu)?.scaled.as_ref()?;
            Some(format!("{gpu} from {}", scaled.from))
        });
        scaled.collect()
    }

    /// The experiment in which the pods of a VM that has an instance to itself share that instance.
    pub fn with_pods_apart(mut self) -> Self {
        for share in self.vms.iter().flat_map(|vm| &vm.gpus) {
            let Some(pods) = &share.pods else { continue };
            let card = &mut self.cards[usize::from(share.card.0)];
            let sharing = &mut card.instances[usize::from(share.instance)].sharing;
            if *sharing == InstanceSharing::Alone {
                *sharing = pods.of_instance();
            }
        }
        self
    }

    /// The number of owners that a server of a VM is on a share: see [`InstanceSharing::owners_of`].
    pub fn owners_of(&self, vm: &VmSpec, share: &GpuShare) -> u32 {
        let sharing = &self.instance(share).sharing;
        match &share.pods {
            Some(pods) if sharing.nests(pods) => vm.server.processes(),
            _ => sharing.owners_of(vm.server.processes()),
        }
    }

    /// The first model of the process that a model is in: of its server, but every pod is its own.
    pub fn process_of(&self, vm: VmId) -> VmId {
        if self.vms[usize::from(vm.0)].is_pod { vm } else { self.first_model(vm) }
    }

    /// The experiment in which the processes of a server that has an instance to itself are
    /// time-sliced by the hardware.
    pub fn with_processes_in_turns(mut self) -> Self {
        for share in self.vms.iter().filter(|vm| vm.server.processes() > 1).flat_map(|vm| &vm.gpus)
        {
            let card = &mut self.cards[usize::from(share.card.0)];
            let sharing = &mut card.instances[usize::from(share.instance)].sharing;
            if matches!(sharing, InstanceSharing::Alone | InstanceSharing::Models) {
                *sharing = InstanceSharing::Processes(card.gpu.process_turns.value);
            }
        }
        self
    }
}

impl InstanceSpec {
    /// A GPU instance of a profile, for one owner; nothing where its SMs are not published.
    pub fn of_profile(gpu: &GpuSpec, name: &str) -> Option<Self> {
        let profile = gpu.mig_profile(name)?;
        Some(Self {
            profile: Some(profile.name.clone()),
            share: Share::new(f64::from(profile.sms?) / f64::from(gpu.sms.value))?,
            memory_share: gpu.memory_share(profile),
            sharing: InstanceSharing::Alone,
        })
    }

    /// A whole card, for one owner.
    pub fn whole() -> Self {
        Self {
            profile: None,
            share: Share::WHOLE,
            memory_share: Share::WHOLE,
            sharing: InstanceSharing::Alone,
        }
    }
}

impl CardSpec {
    /// A card that is not shared.
    pub fn whole(gpu: GpuSpec) -> Self {
        let instances = vec![InstanceSpec::whole()];
        let host = HostId::default();
        Self { host, gpu, instances, power_limit: None, link: HostLink::default() }
    }

    /// The same card without GPU instances, for one owner.
    pub fn uncut(&self) -> Self {
        let link = self.link.clone();
        let (host, power_limit) = (self.host, self.power_limit);
        Self { host, power_limit, link, ..Self::whole(self.gpu.clone()) }
    }

    /// The bandwidth of its link in each direction.
    pub fn link_bandwidth(&self) -> &Fact<Bandwidth> {
        self.link.pcie_bandwidth.as_ref().unwrap_or(&self.gpu.pcie_bandwidth)
    }
}
