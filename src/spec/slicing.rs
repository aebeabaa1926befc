//! How owners of one instance take turns on it: NVIDIA's time-sliced vGPU, every choice explicit.
//!
//! Sources: NVIDIA AI Enterprise User Guide, "Changing Scheduling Behavior for Time-Sliced vGPUs";
//! NVIDIA open-gpu-kernel-modules, `nvrm_registry.h`. What neither documents is an option here.

use crate::units::{Share, SimDuration};

/// Which owners are offered a turn, and the share that results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlicePolicy {
    /// Owners with work, with equal shares: idle time goes to the others.
    BestEffort,
    /// Owners that are powered on, with equal shares, with work or not.
    EqualShare,
    /// As many slots as the vGPU type allows on the card, occupied or not.
    FixedShare,
    /// One of another crate, by the name under which `gpu::register` made it known.
    Own(&'static str),
}

impl SlicePolicy {
    /// Whether NVIDIA's driver has it: only then a registry word and a number of NVML are known for it.
    pub fn is_of_driver(self) -> bool {
        matches!(self, Self::BestEffort | Self::EqualShare | Self::FixedShare)
    }
}

/// Which of the owners that are offered a turn is next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum TurnOrder {
    /// In a ring; overshoot is repaid from later slices (adaptive round robin).
    RoundRobin {
        /// How many slices a repayment is spread over, 1 to 60.
        averaging_factor: u32,
    },
    /// The one with the least accumulated time (the form before vGPU release 15); no repayment.
    LeastRunTime,
}

/// What happens to the turn of an owner without work, under equal and fixed share. Undocumented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleRule {
    /// The engine idles until the turn ends; work that arrives in its owner's idle turn runs at
    /// once.
    Burned,
    /// Owners without work are skipped; one that runs out of work keeps the rest of its turn.
    RestBurned,
    /// Owners without work are skipped, and a turn ends when its owner runs out of work; but no
    /// owner gets more than its share of any window.
    SkippedAndCapped {
        /// Length of the window; nothing means one round of turns.
        window: Option<SimDuration>,
    },
    /// Every owner is visited, at the cost of a switch, with work or not; one without work ends its
    /// turn at once. Round robin only, and only with a switch cost: otherwise no time would pass.
    Polled,
}

/// How long a turn runs past its end when there is still work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overshoot {
    /// Preemption within an instruction.
    None,
    /// Until the running batch ends.
    Batch,
    /// Always the same time.
    Constant(SimDuration),
}

/// How the owners of one instance take turns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TimeSlicing {
    /// Which owners are offered a turn.
    pub policy: SlicePolicy,
    /// Slots of the type on one card: the size of the rotation under fixed share.
    pub slots_max: u32,
    /// Length of a turn, above 0.
    pub slice: SimDuration,
    /// Which owner is next.
    pub order: TurnOrder,
    /// What happens to an idle turn.
    pub idle: IdleRule,
    /// How long work runs past the end of a turn.
    pub overshoot: Overshoot,
    /// Time to switch the engine to a different owner.
    pub switch_cost: SimDuration,
    /// The shortest slice that repayment leaves, as a part of `slice`.
    pub slice_floor: Share,
}
