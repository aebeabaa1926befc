//! How the owners of one instance share it: one owner alone, in turns, or side by side.
//!
//! The owners are listed in the experiment; the rules of turns are in `slicing`.

use super::{HardwareTurns, Overshoot, TimeSlicing, TurnsOf};
use crate::units::SimDuration;

/// How the owners of one instance share it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InstanceSharing {
    /// It has at most one owner.
    Alone,
    /// Time-sliced vGPUs: one at a time has all of it, by the hypervisor's policy: equal share or
    /// fixed share.
    Vgpus(TimeSlicing),
    /// Time-sliced vGPUs under best effort: one at a time has all of it, by the hardware's run
    /// list.
    BestEffort(HardwareTurns),
    /// CUDA processes in turns: one at a time has all of it, by the hardware's run list; their
    /// memory is not divided.
    Processes(HardwareTurns),
    /// Models side by side in one process, each on its own streams: the running batches divide the
    /// SMs.
    Models,
    /// CUDA processes side by side under MPS: the running batches divide the SMs, each client
    /// within its limit. Memory bandwidth is not divided, and a fatal fault of one client ends them
    /// all.
    Mps(MpsSharing),
}

/// The overhead of MPS, and whether its clients have static partitions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MpsSharing {
    /// Added to the launch of a batch that is one CUDA graph.
    pub graph_launch: SimDuration,
    /// Whether each client has its own SMs (static partitions) instead of a limit.
    pub is_partitioned: bool,
}

impl InstanceSharing {
    /// Whether its owners take turns.
    pub fn takes_turns(&self) -> bool {
        self.slicing().is_some() || self.ring().is_some()
    }

    /// The hypervisor's time slicing, where it applies.
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

    /// The hardware's time slicing, where it applies.
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

    /// The number of owners that a server of `processes` processes is: each process is one where
    /// processes take turns or are clients of MPS, else all are one.
    pub fn owners_of(&self, processes: u32) -> u32 {
        match self {
            Self::BestEffort(turns) if turns.of == TurnsOf::Vm => 1,
            Self::BestEffort(_) | Self::Processes(_) | Self::Mps(_) => processes,
            Self::Alone | Self::Vgpus(_) | Self::Models => 1,
        }
    }

    /// The MPS settings, where clients run side by side.
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

    /// The overshoot of slices, where there are turns.
    pub fn overshoot(&self) -> Option<Overshoot> {
        let of_ring = self.ring().map(|turns| turns.overshoot);
        self.slicing().map(|slicing| slicing.overshoot).or(of_ring)
    }
}
