//! A GPU model as its data sheet and the vGPU documentation describe it.
//!
//! How fast a workload runs on it is not here but with the workload that was measured.

use super::Fact;
use crate::units::{Bandwidth, Bytes};

/// A GPU model. One catalogue file each, named by `id`.
#[derive(Clone, Debug)]
pub struct GpuSpec {
    /// The catalogue's name, such as `a100-pcie-40gb`.
    pub id: String,
    /// The vendor's name.
    pub name: String,
    /// Streaming multiprocessors of the whole card.
    pub sms: Fact<u32>,
    /// Device memory.
    pub memory: Fact<Bytes>,
    /// Peak bandwidth of the device memory.
    pub memory_bandwidth: Fact<Bandwidth>,
    /// Bandwidth of large copies between host and device, one direction; both run at once.
    pub pcie_bandwidth: Fact<Bandwidth>,
    /// Board power limit, in watts.
    pub power_cap_w: Fact<f64>,
    /// The time-sliced vGPU types the card offers for compute.
    pub vgpu_types: Vec<VgpuType>,
}

/// A time-sliced vGPU type.
#[derive(Clone, PartialEq, Debug)]
pub struct VgpuType {
    /// The vendor's name, such as `A100-40C`.
    pub name: String,
    /// Frame buffer, fixed for the life of the vGPU.
    pub frame_buffer: Bytes,
    /// How many of this type fit on one card of equal-size vGPUs.
    pub max_per_gpu: u32,
}
