//! The machine and the hypervisor on it.
//!
//! Which VMs run where is stated by the experiment.

use super::Fact;
use crate::units::{Bytes, Frequency, SimDuration};

/// A server model. One catalogue file each.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// The catalogue's name, such as `dell-r7525`.
    pub id: String,
    /// The vendor's name.
    pub name: String,
    /// Logical processors (hardware threads) of all sockets.
    pub logical_processors: Fact<u32>,
    /// Cores of all sockets: as many as logical processors, or down to half of them.
    pub cores: Fact<u32>,
    /// The base clock of a core; vSphere counts reservations and limits in it.
    pub clock: Fact<Frequency>,
    /// What a core does with both of its hardware threads busy, relative to one, 1 to 2.
    pub hyper_threading: Fact<f64>,
    /// Main memory.
    pub memory: Fact<Bytes>,
    /// What it draws at the wall when nothing runs, without its cards, in watts. Nothing where it is
    /// not known.
    pub power_idle_w: Option<Fact<f64>>,
    /// What its processors draw more when all of them are busy, in watts; between idle and that the
    /// power is straight in their load. Nothing where it is not known.
    pub power_cpu_w: Option<Fact<f64>>,
    /// Its stalls; nothing where it has none.
    pub stalls: Option<HostStalls>,
}

impl HostSpec {
    /// The gain of hyper-threading where nobody states it.
    pub fn usual_hyper_threading() -> Fact<f64> {
        let source = "assumed: two busy threads of a core do the work of 1.25 cores (from memory of \
            VMware's paper on the CPU scheduler of vSphere 5.1, \"62.5 % of a core\" for each); \
            others say three quarters of a core for each";
        Fact { range: Some([1.0, 1.5]), ..Fact::assumed(1.25, source) }
    }

    /// The cores of a host of which only the logical processors are known.
    pub fn usual_cores(logical_processors: u32) -> Fact<u32> {
        let source = "assumed: two hardware threads to a core";
        Fact::assumed(logical_processors.div_ceil(2), source)
    }

    /// The clock of a host that states none.
    pub fn usual_clock() -> Fact<Frequency> {
        let source =
            "assumed: 2.5 GHz, an ordinary server; only reservations and limits in MHz use it";
        Fact::assumed(Frequency::from_mhz(2500), source)
    }

    /// The processor time of all cores in a second: what reservations may be of in all.
    pub fn cpu_capacity(&self) -> Frequency {
        self.clock.value.times(self.cores.value)
    }
}

/// Stalls of a host: for a while its processors make no progress; GPUs and copies do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HostStalls {
    /// Their rate: the inverse of the mean gap from the end of one to the start of the next, per
    /// second; above 0. Gaps are exponential.
    pub per_s: f64,
    /// The length of each; above 0.
    pub length: SimDuration,
}

/// The overheads of a platform. `bare-metal` has none.
#[derive(Clone, Debug)]
pub struct Hypervisor {
    /// The catalogue's name, such as `vsphere-7.0u2`.
    pub id: String,
    /// The vendor's name.
    pub name: String,
    /// Whether guests see GPUs through vGPU types.
    pub virtual_gpus: bool,
    /// GPU throughput relative to bare metal; a batch's work is divided by it. Above 0.
    pub gpu_speed: Fact<f64>,
    /// The least and the greatest of the values that `gpu_speed` was derived from, relative to it;
    /// nothing where there is only one.
    pub gpu_speed_range: Option<[f64; 2]>,
    /// Delay of one submission to the GPU; it occupies no processor.
    pub submission_latency: Fact<SimDuration>,
    /// CPU speed relative to bare metal; CPU work is divided by it. Above 0.
    pub cpu_speed: Fact<f64>,
}
