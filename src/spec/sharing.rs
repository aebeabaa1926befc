//! How the owners of one instance share it: not at all, in turns, or side by side.
//!
//! Who they are is the experiment's affair; the turns themselves are in `slicing`.

use super::TimeSlicing;

/// How the owners of one instance share it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InstanceSharing {
    /// It has one owner at most.
    Alone,
    /// Time-sliced vGPUs: one at a time has all of it, by the hypervisor's policy.
    Vgpus(TimeSlicing),
    /// CUDA processes in turns: one at a time has all of it, by the hardware's ring; their memory
    /// is not divided.
    Processes(TimeSlicing),
    /// Models side by side in one process, each on streams of its own: the batches that run divide
    /// the SMs among them.
    Models,
    /// CUDA processes side by side under MPS: the batches that run divide the SMs among them, each
    /// client within its limit. Memory bandwidth is not divided, and a fatal fault of one client
    /// ends them all.
    Mps,
}

impl InstanceSharing {
    /// How the owners take turns, if they do.
    pub fn turns(&self) -> Option<&TimeSlicing> {
        match self {
            InstanceSharing::Vgpus(slicing) | InstanceSharing::Processes(slicing) => Some(slicing),
            InstanceSharing::Alone | InstanceSharing::Models | InstanceSharing::Mps => None,
        }
    }

    /// As [`InstanceSharing::turns`], to change them.
    pub fn turns_mut(&mut self) -> Option<&mut TimeSlicing> {
        match self {
            InstanceSharing::Vgpus(slicing) | InstanceSharing::Processes(slicing) => Some(slicing),
            InstanceSharing::Alone | InstanceSharing::Models | InstanceSharing::Mps => None,
        }
    }
}
