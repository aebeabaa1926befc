//! How the owners of one instance share it: not at all, in turns, or side by side.
//!
//! Who they are is the experiment's affair; the turns themselves are in `slicing`.

use super::{HardwareTurns, Overshoot, TimeSlicing, TurnsOf};
use crate::units::SimDuration;

/// How the owners of one instance share it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InstanceSharing {
    /// It has one owner at most.
    Alone,
    /// Time-sliced vGPUs: one at a time has all of it, by the hypervisor's policy: equal share or
    /// fixed share.
    Vgpus(TimeSlicing),
    /// Time-sliced vGPUs under best effort: one at a time has all of it, by the hardware's ring.
    BestEffort(HardwareTurns),
    /// CUDA processes in turns: one at a time has all of it, by the hardware's ring; their memory
    /// is not divided.
    Processes(HardwareTurns),
    /// Models side by side in one process, each on streams of its own: the batches that run divide
    /// the SMs among them.
    Models,
    /// CUDA processes side by side under MPS: the batches that run divide the SMs among them, each
    /// client within its limit. Memory bandwidth is not divided, and a fatal fault of one client
    /// ends them all.
    Mps(MpsSharing),
}

/// What MPS adds, and whether it keeps its clients apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MpsSharing {
    /// Added to the launch of a batch that is one CUDA graph.
    pub graph_launch: SimDuration,
    /// Whether each client has SMs of its own (static partitions) instead of a limit.
    pub is_partitioned: bool,
}

impl InstanceSharing {
    /// Whether its owners take turns.
    pub fn takes_turns(&self) -> bool {
        self.slicing().is_some() || self.ring().is_some()
    }

    /// The hypervisor's turns, where it hands them out.
    pub fn slicing(&self) -> Option<&TimeSlicing> {
        match self {
            Self::Vgpus(slicing) => Some(slicing),
            _ => None,
        }
    }

    /// As [`InstanceSharing::slicing`], to change them.
    pub fn slicing_mut(&mut self) -> Option<&mut TimeSlicing> {
        match self {
            Self::Vgpus(slicing) => Some(slicing),
            _ => None,
        }
    }

    /// The hardware's turns, where the GPU hands them out.
    pub fn ring(&self) -> Option<&HardwareTurns> {
        match self {
            Self::BestEffort(turns) | Self::Processes(turns) => Some(turns),
            _ => None,
        }
    }

    /// As [`InstanceSharing::ring`], to change them.
    pub fn ring_mut(&mut self) -> Option<&mut HardwareTurns> {
        match self {
            Self::BestEffort(turns) | Self::Processes(turns) => Some(turns),
            _ => None,
        }
    }

    /// As how many owners a server of so many processes comes: each on its own where processes take
    /// turns or are clients of MPS, else all as one.
    pub fn owners_of(&self, processes: u32) -> u32 {
        match self {
            Self::BestEffort(turns) if turns.of == TurnsOf::Vm => 1,
            Self::BestEffort(_) | Self::Processes(_) | Self::Mps(_) => processes,
            Self::Alone | Self::Vgpus(_) | Self::Models => 1,
        }
    }

    /// What MPS adds, where its clients are side by side.
    pub fn mps(&self) -> Option<&MpsSharing> {
        match self {
            Self::Mps(mps) => Some(mps),
            _ => None,
        }
    }

    /// As [`InstanceSharing::mps`], to change it.
    pub fn mps_mut(&mut self) -> Option<&mut MpsSharing> {
        match self {
            Self::Mps(mps) => Some(mps),
            _ => None,
        }
    }

    /// What runs past a slice, where there are turns.
    pub fn overshoot(&self) -> Option<Overshoot> {
        let of_ring = self.ring().map(|turns| turns.overshoot);
        self.slicing().map(|slicing| slicing.overshoot).or(of_ring)
    }
}
