//! Pods of a VM: containers on a Kubernetes node that is a VM. They share what the VM has of a card.
//!
//! NVIDIA's device plugin advertises a GPU of a node as several replicas, shared by CUDA time
//! slicing or by MPS; both are supported in VMs with vGPUs and with GPUs that are passed through
//! (NVIDIA GPU Operator, "Time-Slicing GPUs in Kubernetes" and "Multi-Process Service in
//! Kubernetes", supported platforms). What the hypervisor's turns do to the turns of pods is not
//! published.

use super::{Fact, HardwareTurns, InstanceSharing, MpsSharing, TurnsOf};
use crate::units::Share;

/// How the pods of a VM share what it has of a card.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PodSharing {
    /// One process at a time, by the hardware's ring, within the VM's own time.
    TimeSlicing {
        /// The ring's turns.
        turns: HardwareTurns,
        /// What becomes of a pod's slice when the VM's turn ends within it.
        cut: CutSlice,
    },
    /// Side by side within the VM's turns.
    Mps(MpsSharing),
}

/// What becomes of a pod's slice when the turn of its VM ends within it. Not published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CutSlice {
    /// The rest of it is left for the VM's next turn: the ring's time stands still meanwhile.
    Resumes,
    /// It is over: the VM's next turn begins with the next pod that has work.
    Ends,
}

impl CutSlice {
    /// Its word in scenario files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resumes => "resumes",
            Self::Ends => "ends",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Resumes => Self::Ends,
            Self::Ends => Self::Resumes,
        }
    }
}

impl PodSharing {
    /// How they share an instance that the VM has to itself.
    pub fn of_instance(&self) -> InstanceSharing {
        match *self {
            Self::TimeSlicing { turns, .. } => InstanceSharing::Processes(turns),
            Self::Mps(mps) => InstanceSharing::Mps(mps),
        }
    }

    /// As [`PodSharing::of_instance`], to change it: what is not of the same kind is left out.
    pub fn set_of_instance(&mut self, sharing: InstanceSharing) {
        match (self, sharing) {
            (Self::TimeSlicing { turns, .. }, InstanceSharing::Processes(own)) => *turns = own,
            (Self::Mps(mps), InstanceSharing::Mps(own)) => *mps = own,
            _ => {}
        }
    }

    /// The settings of MPS, where it is MPS.
    pub fn mps(&self) -> Option<&MpsSharing> {
        match self {
            Self::Mps(mps) => Some(mps),
            Self::TimeSlicing { .. } => None,
        }
    }

    /// The word of scenario files and of the device plugin.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TimeSlicing { .. } => "time-slicing",
            Self::Mps(_) => "mps",
        }
    }
}

impl InstanceSharing {
    /// Whether pods share the turns that their VM has on such an instance; else each takes part by
    /// itself.
    pub fn nests(&self, pods: &PodSharing) -> bool {
        match self {
            Self::Vgpus(_) => true,
            // Clients of one MPS server are one to the ring.
            Self::BestEffort(turns) => turns.of == TurnsOf::Vm || pods.mps().is_some(),
            _ => false,
        }
    }
}

/// What a container adds to the CPU work around a batch, as a part of it: no measurement of
/// inference is known. The GPU's work does not change: kernels run as they would without it.
pub fn container_overhead() -> Fact<Share> {
    let part = |value| Share::new(value).expect("a share");
    Fact {
        range: Some([Share::NONE, part(0.05)]),
        ..Fact::assumed(
            Share::NONE,
            "no measurement of inference in a container in a VM is known: processes of a container \
             run on the VM's own kernel; 5 % of the CPU work is the most that is thought possible",
        )
    }
}
