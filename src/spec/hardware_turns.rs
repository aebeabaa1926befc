//! The turns that the GPU's own run list hands out: between CUDA processes, and between vGPUs under
//! best effort.
//!
//! Rules and numbers: slicewise measurement, H200, driver 580.159, 2026-11-26 (`tests/measured/h200`).
//! The hypervisor's policies, equal and fixed share, are in `slicing`.

use super::Overshoot;
use crate::units::SimDuration;
use std::fmt;

/// Times of a switch of the GPU to another owner. No owner runs meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwitchTimes {
    /// Of every switch: the old owner stops, the new one is selected.
    pub dry: SimDuration,
    /// In addition, before the new owner is selected, where the old one is stopped within a launch.
    pub save: SimDuration,
    /// In addition, taken from the new owner's slice, where the new owner was stopped within a
    /// launch.
    pub restore: SimDuration,
}

impl SwitchTimes {
    /// A switch that always takes the same time.
    pub fn always(cost: SimDuration) -> Self {
        Self { dry: cost, save: SimDuration::ZERO, restore: SimDuration::ZERO }
    }

    /// The time of a switch between two owners that are both stopped within launches.
    pub fn whole(&self) -> SimDuration {
        self.dry + self.save + self.restore
    }

    /// All three times multiplied by `factor`.
    pub fn scale(&self, factor: f64) -> Self {
        Self {
            dry: self.dry.scale(factor),
            save: self.save.scale(factor),
            restore: self.restore.scale(factor),
        }
    }
}

/// The lengths of turns and switches of the hardware's run list.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HardwareTurns {
    /// A slice, from the instant at which its owner is selected, or launches on a GPU without other
    /// work; `switch.restore` takes at most half of it.
    pub slice: SimDuration,
    /// Each further slice of an owner while no other owner waits and it has launches queued behind
    /// the running one; above 0.
    pub renewal: SimDuration,
    /// The times of a switch.
    pub switch: SwitchTimes,
    /// Work that runs past the end of a slice while another owner waits. Measured: nothing.
    pub overshoot: Overshoot,
    /// Whether VMs or processes take turns.
    pub of: TurnsOf,
}

/// The unit that takes turns, where a VM's server is several processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnsOf {
    /// A VM: its processes share its turns, as the streams of a process do.
    Vm,
    /// A process. Processes that share a GPU take turns (measured); whether the processes of
    /// several vGPUs do is not published.
    Process,
}

impl TurnsOf {
    /// Its word in scenario files and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Process => "process",
        }
    }
}

/// How a batch appears to the GPU's run list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Launches {
    /// One launch: a CUDA graph. From its start, its owner has no further launches queued.
    Graph,
    /// Many launches, made ahead: until the batch ends, some are queued behind the running one.
    Kernels,
}

impl Launches {
    /// Its word in scenario files and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Kernels => "kernels",
        }
    }
}

impl HardwareTurns {
    /// Whether every time is at most that of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        let times = |turns: &Self| {
            let SwitchTimes { dry, save, restore } = turns.switch;
            [turns.slice, turns.renewal, dry, save, restore]
        };
        times(self).iter().zip(times(other)).all(|(own, other)| *own <= other)
    }

    /// The same with slices of `slice`, and switches in proportion: only the proportion is
    /// published for older GPUs.
    pub fn with_slice(&self, slice: SimDuration) -> Self {
        let factor = slice / self.slice;
        Self {
            slice,
            renewal: self.renewal.scale(factor),
            switch: self.switch.scale(factor),
            ..*self
        }
    }
}

impl fmt::Display for SwitchTimes {
    /// As a file may write it: `0.11 ms`, or `{ dry = "0.137 ms", save = "0.03 ms", ... }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry, save, restore } = self;
        if *self == Self::always(*dry) {
            return write!(f, "{dry}");
        }
        write!(f, "{{ dry = \"{dry}\", save = \"{save}\", restore = \"{restore}\" }}")
    }
}

impl fmt::Display for HardwareTurns {
    /// As a file may write it: `{ slice = "2.089 ms", ..., restore = "0.03 ms" }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slice, renewal, switch: SwitchTimes { dry, save, restore }, .. } = self;
        write!(
            f,
            "{{ slice = \"{slice}\", renewal = \"{renewal}\", dry = \"{dry}\", save = \"{save}\", restore = \"{restore}\" }}"
        )
    }
}
