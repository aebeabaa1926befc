//! The machine and the hypervisor on it.
//!
//! Which VMs run where is the experiment's affair.

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
    /// How it stops now and then; nothing where it never does.
    pub stalls: Option<HostStalls>,
}

/// For a while nothing on the processors of a host goes on; GPUs and copies do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HostStalls {
    /// How often, as the inverse of the mean gap from the end of one to the next, per second; above 0.
    /// Gaps are exponential.
    pub per_s: f64,
    /// How long each lasts; above 0.
    pub length: SimDuration,
}

/// What a platform costs, each cost named. `bare-metal` costs nothing.
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
    /// The least and the greatest of what `gpu_speed` was taken from, over it; nothing where there is
    /// no more than one.
    pub gpu_speed_range: Option<[f64; 2]>,
    /// Delay of one submission to the GPU; it occupies nothing.
    pub submission_latency: Fact<SimDuration>,
    /// CPU speed relative to bare metal; CPU work is divided by it. Above 0.
    pub cpu_speed: Fact<f64>,
}
