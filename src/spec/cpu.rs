//! How a host's logical processors are divided among the vCPUs of its VMs, and VMs whose work is
//! something else than inference.

use super::{Experiment, Fact, HostId, VmSpec};
use crate::units::{Frequency, SimDuration};

/// How vCPUs come to run on logical processors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuScheduler {
    /// vCPUs take turns: the one whose VM has used least for its shares runs first, for a quantum.
    Quantum,
    /// All run at once, each at the speed that its VM's shares give it.
    Fluid,
}

/// The settings of the host's CPU scheduling.
#[derive(Clone, PartialEq, Debug)]
pub struct CpuScheduling {
    /// The discipline.
    pub scheduler: CpuScheduler,
    /// How long a vCPU runs while others wait; above 0. Only `Quantum` has turns.
    pub quantum: Fact<SimDuration>,
    /// Whether a vCPU that gets work may interrupt one whose VM has had more for its shares.
    pub preempts: bool,
}

/// What a VM gets of the host's processors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuAllocation {
    /// Shares of the whole VM, 1 to [`CpuAllocation::SHARES_MAX`] for each vCPU; they matter where
    /// processors are short.
    pub shares: u64,
    /// What it is guaranteed; at most its vCPUs' full speed.
    pub reservation: Frequency,
    /// What it never exceeds; nothing for no limit. At least the reservation, and above 0.
    pub limit: Option<Frequency>,
}

/// CPU work that is not inference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuLoad {
    /// vCPUs that are always busy.
    Constant {
        /// How many, from 1 to the VM's vCPUs.
        busy: u32,
    },
    /// vCPUs that work in bursts, each by itself: a gap, then work, then a gap. Both are
    /// exponential; a gap begins when the work before it is done.
    Bursty {
        /// How many, from 1 to the VM's vCPUs.
        busy: u32,
        /// Mean work of a burst, as long as it takes on a core of its own.
        work: SimDuration,
        /// Mean gap.
        gap: SimDuration,
    },
}

/// A VM without a GPU: its work is something else than inference.
#[derive(Clone, PartialEq, Debug)]
pub struct OtherVm {
    /// Name in reports, unique in its run; selects its random streams.
    pub name: String,
    /// VMs of one group are alike; the name where there is no other.
    pub group: String,
    /// The machine that it is on.
    pub host: HostId,
    /// Virtual CPUs, from 1 to the host's logical processors.
    pub vcpus: u32,
    /// What it gets of the processors.
    pub allocation: CpuAllocation,
    /// Its work.
    pub load: CpuLoad,
}

impl CpuScheduling {
    /// The least and the greatest length of a quantum that the sources leave possible.
    const QUANTUM_ENDS: [SimDuration; 2] =
        [SimDuration::from_millis(10), SimDuration::from_millis(50)];

    /// Where the length of a quantum comes from.
    const OF_QUANTUM: &'static str = "assumed: \"50 ms\" is quoted as the default of the VMkernel, \
        \"usually 10-20 ms\" in the same sentence (vSphere High Performance Cookbook, 2nd edition, \
        Packt); VMware publishes no current number";
}

impl Default for CpuScheduling {
    fn default() -> Self {
        let [_, quoted] = Self::QUANTUM_ENDS;
        let quantum = Fact::assumed(quoted, Self::OF_QUANTUM);
        Self {
            scheduler: CpuScheduler::Quantum,
            quantum: Fact { range: Some(Self::QUANTUM_ENDS), ..quantum },
            preempts: true,
        }
    }
}

impl CpuAllocation {
    /// Most shares of one vCPU, vSphere's own limit for a VM.
    pub const SHARES_MAX: u64 = 1_000_000;

    /// Shares of each vCPU by vSphere's words.
    pub const LEVELS: [(&'static str, u64); 3] = [("low", 500), ("normal", 1000), ("high", 2000)];

    /// Normal shares, no reservation, no limit.
    pub fn normal(vcpus: u32) -> Self {
        let reservation = Frequency::from_mhz(0);
        Self { shares: 1000 * u64::from(vcpus), reservation, limit: None }
    }
}

impl CpuLoad {
    /// How many vCPUs have work, at least now and then.
    pub fn busy(&self) -> u32 {
        match self {
            CpuLoad::Constant { busy } | CpuLoad::Bursty { busy, .. } => *busy,
        }
    }
}

impl Experiment {
    /// The inference VMs of a host, each once whatever the number of its models.
    pub fn vms_on(&self, host: HostId) -> impl Iterator<Item = &VmSpec> {
        let alone = self.vms.iter().filter(|vm| vm.server_of.is_none());
        alone.filter(move |vm| self.host_of(&vm.gpus) == host)
    }

    /// The VMs with other work on a host.
    pub fn others_on(&self, host: HostId) -> impl Iterator<Item = &OtherVm> {
        self.others.iter().filter(move |other| other.host == host)
    }

    /// vCPUs of all VMs of a host, those with other work included.
    pub fn vcpus_on(&self, host: HostId) -> u64 {
        let others = self.others_on(host).map(|other| u64::from(other.vcpus));
        self.vms_on(host).map(|vm| u64::from(vm.vcpus)).chain(others).sum()
    }

    /// Whether VMs of a host may have to share cores: one of them has other work, or they have more
    /// vCPUs than there are logical processors.
    ///
    /// VMs with inference alone, each vCPU with a logical processor of its own, are as fast as
    /// measured: few of their vCPUs are busy at once.
    pub fn shares_processors(&self, host: HostId) -> bool {
        let most = u64::from(self.host(host).logical_processors.value);
        self.others_on(host).next().is_some()
            || (self.pools.is_empty() && self.vcpus_on(host) > most)
    }

    /// Whether VMs of any host may have to share cores.
    pub fn shares_any_processors(&self) -> bool {
        (0..self.hosts.len() as u16).any(|host| self.shares_processors(HostId(host)))
    }
}
