//! A GPU model as its data sheet and the vGPU and MIG documentation describe it.
//!
//! How fast a workload runs on it is stated with the workload that was measured, not here.

use super::{Fact, HardwareTurns, InstanceSharing, SwitchTimes, VgpuType};
use crate::units::{Bandwidth, Bytes, Share, SimDuration};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

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
    /// NVIDIA's compute capability, where it is stated.
    pub compute_capability: Option<Fact<ComputeCapability>>,
    /// Peak rate of dense FP16 tensor operations, in 10^12 per second, where it is stated.
    pub tensor_fp16_tflops: Option<Fact<f64>>,
    /// Peak rate of dense 8-bit integer tensor operations, in 10^12 per second, where it is stated.
    pub tensor_int8_tops: Option<Fact<f64>>,
    /// Board power limit as shipped, in watts.
    pub power_cap_w: Fact<f64>,
    /// The lowest power limit that can be set, in watts, where it was read from nvidia-smi.
    pub power_limit_min_w: Option<Fact<f64>>,
    /// Power of the idle board, in watts, below the limit. Nothing where it is not known; then no
    /// power limit lowers the clock, and instances do not affect one another.
    pub power_idle_w: Option<Fact<f64>>,
    /// What it draws more than idle, in watts, as soon as a process has a context on it, whatever memory
    /// it holds. Nothing where it is not known.
    pub power_context_w: Option<Fact<f64>>,
    /// The clock, relative to the highest, below which the voltage does not fall further; known
    /// where `power_idle_w` is.
    pub voltage_floor: Option<Fact<Share>>,
    /// The vGPU types the card offers: the time-sliced ones, series by series, then the MIG-backed ones.
    pub vgpu_types: Vec<VgpuType>,
    /// The GPU instances it can be cut into; none for a card without MIG, or without a known table.
    pub mig_profiles: Vec<MigProfile>,
    /// Time to switch the GPU from one vGPU to another.
    pub switch_cost: Fact<SwitchCost>,
    /// The slice of best effort: the hardware's, which no setting of the hypervisor changes. Its
    /// range changes the cost of a switch as well, since slices and costs are published in
    /// proportion.
    pub time_slice_best_effort: Fact<SimDuration>,
    /// The time slicing of CUDA processes.
    pub process_turns: Fact<HardwareTurns>,
    /// Time that MPS adds to the launch of a batch that is one CUDA graph; it adds nothing to
    /// single kernels.
    pub mps_graph_launch: Fact<SimDuration>,
    /// The granularity of MPS client limits, in SMs: a percentage of threads is rounded down to a
    /// multiple of it.
    pub mps_limit_step: Fact<u32>,
    /// The SMs that an MPS client has with the lowest limit.
    pub mps_limit_min: Fact<u32>,
    /// The SMs of one chunk, the unit of static MPS partitions; nothing where the GPU has none.
    pub mps_chunk: Option<Fact<u32>>,
}

/// A generation of NVIDIA's GPUs: batch times on one of its GPUs are the best prediction for
/// another of its GPUs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the vendor's names")]
pub enum Architecture {
    Pascal,
    Volta,
    Turing,
    Ampere,
    AdaLovelace,
    Hopper,
    Blackwell,
}

/// NVIDIA's compute capability of a GPU, such as 8.6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ComputeCapability {
    /// Before the dot.
    pub major: u8,
    /// After the dot.
    pub minor: u8,
}

impl ComputeCapability {
    /// The generation, by the CUDA C++ Programming Guide, "Compute Capabilities"; nothing for a
    /// number that the guide does not list.
    pub fn architecture(self) -> Option<Architecture> {
        Some(match (self.major, self.minor) {
            (6, _) => Architecture::Pascal,
            (7, 5) => Architecture::Turing,
            (7, _) => Architecture::Volta,
            (8, 9) => Architecture::AdaLovelace,
            (8, _) => Architecture::Ampere,
            (9, _) => Architecture::Hopper,
            (10..=12, _) => Architecture::Blackwell,
            _ => return None,
        })
    }
}

impl FromStr for ComputeCapability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let part = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(drop),
            false => Err(()),
        };
        Ok(Self { major: part(major)?, minor: part(minor)? })
    }
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A GPU instance profile (MIG). Positions count in memory slices, from 0.
#[derive(Clone, PartialEq, Debug)]
pub struct MigProfile {
    /// The vendor's name, such as `1g.5gb`. Variants with other engines have a suffix: `1g.5gb+me`.
    pub name: String,
    /// Its profile ID for `nvidia-smi mig -cgi`.
    pub id: u32,
    /// Its SMs, not a fixed multiple of the compute slices: H100 has 16, 26, 32, 60, 64, 132.
    /// Nothing where they are not published: such an instance can be placed, but not simulated.
    pub sms: Option<u32>,
    /// Compute slices, at least 1.
    pub compute_slices: u32,
    /// Memory slices, at least 1.
    pub memory_slices: u32,
    /// Usable frame buffer, less than in the name; nothing where it is not published.
    pub frame_buffer: Option<Bytes>,
    /// Copy engines of its own.
    pub copy_engines: u32,
    /// Engines for video and images.
    pub media: MediaEngines,
    /// How many of them one card holds.
    pub max_per_gpu: u32,
    /// The memory slices it may start at, in rising order.
    pub starts: Vec<u32>,
    /// Whether the starts are printed by the vendor's tool for this board, or inferred.
    pub is_printed: bool,
}

/// Engines for video and images, each nothing where the number is not published.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct MediaEngines {
    /// Video decoders (NVDEC).
    pub decoders: Option<u32>,
    /// Video encoders (NVENC).
    pub encoders: Option<u32>,
    /// JPEG decoders (NVJPG).
    pub jpeg: Option<u32>,
    /// Optical flow accelerators (OFA).
    pub ofa: Option<u32>,
}

impl MediaEngines {
    /// The four numbers: decoders, encoders, JPEG, OFA.
    pub fn counts(&self) -> [Option<u32>; 4] {
        [self.decoders, self.encoders, self.jpeg, self.ofa]
    }
}

impl MigProfile {
    /// Whether it is a variant of a plain size with other engines (`+me`, `+gfx`, `-me`), with the
    /// same compute performance.
    pub fn is_variant(&self) -> bool {
        self.plain_name() != self.name
    }

    /// The name of its size: `1g.5gb` of `1g.5gb+me`.
    pub fn plain_name(&self) -> &str {
        self.name.split(['+', '-']).next().unwrap_or(&self.name)
    }

    /// Its positions as `nvidia-smi mig -lgipp` prints them: `{0,2,4}:2`.
    pub fn positions(&self) -> String {
        let starts: Vec<String> = self.starts.iter().map(u32::to_string).collect();
        format!("{{{}}}:{}", starts.join(","), self.memory_slices)
    }
}

/// Time to switch the GPU from one owner to another, and the interval that the sources leave
/// possible.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SwitchCost {
    /// The value in use.
    pub value: SimDuration,
    /// Low end of the interval.
    pub low: SimDuration,
    /// High end of the interval.
    pub high: SimDuration,
}

impl GpuSpec {
    /// Whether vGPUs with this sharing use this GPU's own switch cost.
    pub fn gives_switches(&self, sharing: &InstanceSharing) -> bool {
        let cost = self.switch_cost.value.value;
        match sharing {
            InstanceSharing::Vgpus(slicing) => slicing.switch_cost == cost,
            InstanceSharing::BestEffort(turns) => turns.switch == SwitchTimes::always(cost),
            _ => false,
        }
    }

    /// Whether vGPUs with this sharing use this GPU's own slices.
    pub fn gives_slices(&self, sharing: &InstanceSharing) -> bool {
        let own = self.time_slice_best_effort.value;
        matches!(sharing, InstanceSharing::BestEffort(turns) if turns.slice == own)
    }

    /// Whether MPS clients with this sharing use this GPU's own `mps_graph_launch`.
    pub fn gives_graph_launch(&self, sharing: &InstanceSharing) -> bool {
        sharing.mps().is_some_and(|mps| mps.graph_launch == self.mps_graph_launch.value)
    }

    /// Whether processes with this sharing use this GPU's own `process_turns`.
    pub fn gives_process_turns(&self, sharing: &InstanceSharing) -> bool {
        let own = &self.process_turns.value;
        let is_own = |turns: &HardwareTurns| {
            *own == HardwareTurns { overshoot: own.overshoot, of: own.of, ..*turns }
        };
        matches!(sharing, InstanceSharing::Processes(turns) if is_own(turns))
    }

    /// The part of the memory slices that a GPU instance has; the largest instance has all of them.
    pub fn memory_share(&self, profile: &MigProfile) -> Share {
        let slices = self.mig_profiles.iter().map(|profile| profile.memory_slices).max();
        let all = slices.unwrap_or(profile.memory_slices).max(profile.memory_slices);
        Share::new(f64::from(profile.memory_slices) / f64::from(all)).expect("a part of all")
    }

    /// The GPU instance profile of this name.
    pub fn mig_profile(&self, name: &str) -> Option<&MigProfile> {
        self.mig_profiles.iter().find(|profile| profile.name == name)
    }
}

impl fmt::Display for MigProfile {
    /// Name and positions: `2g.10gb {0,2,4}:2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.positions())
    }
}

impl fmt::Display for SwitchCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", self.value, self.low, self.high)
    }
}
