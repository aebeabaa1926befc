//! The machine and the hypervisor on it.
//!
//! Which VMs run where is stated by the experiment.

use super::Fact;
use crate::units::{Bytes, SimDuration};

/// A server model. One catalogue file each.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// The catalogue's name, such as `dell-r7525`.
    pub id: String,
    /// The vendor's name.
    pub name: String,
    /// Logical processors (hardware threads) of all sockets.
    pub logical_processors: Fact<u32>,
    /// Main memory.
    pub memory: Fact<Bytes>,
    /// Its stalls; nothing where it has none.
    pub stalls: Option<HostStalls>,
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
