//! Pods that share the turns of their VM: the part of them that each has, and its longest wait.
//!
//! A node's clock moves only in its VM's turns, so what pods wait for each other is stretched by the VM's
//! waits. It is arithmetic on settings; what comes of them is simulated.

use super::wait::Wait;
use crate::spec::{CutSlice, Experiment, GpuShare, HardwareTurns, PodSharing, VmId};
use std::collections::BTreeMap;

/// The pods of a VM that share its turns, of which one is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) pods: PodSharing,
    /// How many processes share the VM's turns.
    pub(super) members: usize,
    /// How many of them are the pod's own.
    pub(super) own: usize,
}

impl Node {
    /// The node of a pod on a place; nothing where nobody is beside it in its VM's turns.
    pub(super) fn of(experiment: &Experiment, pod: VmId, share: &GpuShare) -> Option<Self> {
        let pods = share.pods?;
        let (sharing, node) = (experiment.instance(share).sharing, experiment.first_model(pod));
        if !sharing.nests(&pods) {
            return None;
        }
        let ids = (0..experiment.vms.len() as u16).map(VmId);
        let beside =
            ids.filter(|&id| experiment.first_model(id) == node && experiment.has_work(id));
        let processes: BTreeMap<VmId, u32> = beside
            .map(|id| {
                let processes = experiment.vms[usize::from(id.0)].server.processes();
                (experiment.process_of(id), processes)
            })
            .collect();
        let own = processes.get(&experiment.process_of(pod)).copied().unwrap_or(1);
        let members = processes.values().map(|&count| count as usize).sum();
        (members > 1).then_some(Self { pods, members, own: own as usize })
    }

    /// Of the VM's time, the part that each process has by name and the part that switches leave it, while
    /// all have work. Nothing where that depends on how turns and slices fall into step.
    pub(super) fn parts(&self) -> Option<[f64; 2]> {
        match self.pods {
            PodSharing::Mps(_) => Some([1.0; 2]),
            PodSharing::TimeSlicing { cut: CutSlice::Ends, .. } => None,
            PodSharing::TimeSlicing { turns, .. } => {
                let (slice, switch) = (slice(&turns), switch(&turns));
                let restore = turns.switch.restore.as_nanos_f64();
                let members = self.members as f64;
                Some([1.0 / members, (slice - restore) / (slice + switch) / members])
            }
        }
    }

    /// Its slices and switches, in nanoseconds; nothing where pods run side by side.
    pub(super) fn slices(&self) -> Option<[f64; 2]> {
        match self.pods {
            PodSharing::TimeSlicing { turns, .. } => Some([slice(&turns), switch(&turns)]),
            PodSharing::Mps(_) => None,
        }
    }

    /// The longest wait of a pod with work, of the VM's time, while all others have work; nothing where
    /// pods run side by side. In it the VM gives up its turn so many times: at its start, and after each
    /// slice of the VM (`of_vm`, in nanoseconds) that it takes.
    pub(super) fn longest_wait(&self, of_vm: f64) -> Option<(Wait, f64)> {
        let PodSharing::TimeSlicing { turns, .. } = self.pods else { return None };
        let wait = Wait::of_ring(self.members, slice(&turns), switch(&turns), turns.switch.restore);
        Some((wait, 1.0 + (wait.nanos / of_vm).floor()))
    }
}

fn slice(turns: &HardwareTurns) -> f64 {
    turns.slice.as_nanos_f64()
}

fn switch(turns: &HardwareTurns) -> f64 {
    (turns.switch.dry + turns.switch.save).as_nanos_f64()
}
