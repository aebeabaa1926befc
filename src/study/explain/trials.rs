//! What the simulations behind an explanation showed: the run itself, and the same run with one thing
//! changed.
//!
//! What is tried is decided in `changes` and `unknowns`, and simulated in `simulated`.

use crate::platform::Outcome;
use crate::spec::{Experiment, VmId};

/// The outcomes.
pub(super) struct Trials {
    /// Of the run.
    pub(super) outcome: Outcome,
    /// The part of the run that was simulated for `outcome`; 1 for all of it.
    pub(super) part: f64,
    /// The run as long as each trial, to compare them with.
    pub(super) before: Outcome,
    /// The length of each trial, as a part of the run.
    pub(super) trial_part: f64,
    /// The runs with one thing changed.
    pub(super) tried: Vec<Trial>,
}

/// The run with one thing changed.
pub(super) struct Trial {
    pub(super) what: What,
    /// The experiment, as long as it was simulated.
    pub(super) experiment: Experiment,
    /// Nothing where it was given up.
    pub(super) outcome: Option<Outcome>,
}

/// What was changed.
pub(super) enum What {
    /// A setting.
    Setting(Change),
    /// A number that is not known for certain, to another possible value.
    Unknown(Unknown),
    /// All other VMs on the VM's cards are powered off.
    Alone(VmId),
    /// Queries come at equal gaps.
    EqualGaps,
    /// All queries are of the same size, and batches of one size take the same time.
    EqualWork,
}

/// A change of settings.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Change {
    /// Changes of one family stand for each other: the best of them is told.
    pub(super) family: &'static str,
    /// What is set, as a scenario file names it, or what else is done.
    pub(super) key: String,
    /// To what, as a scenario file would say it; empty where the key says all.
    pub(super) value: String,
    /// What it is now.
    pub(super) now: Option<String>,
    /// More about it.
    pub(super) why: &'static str,
    /// The VM that it is for: the worst of its group.
    pub(super) focus: VmId,
    /// A VM that is powered off by it.
    pub(super) without: Option<VmId>,
    /// Whether less is asked of the VMs than before.
    pub(super) asks_less: bool,
}

/// A number that is not known for certain.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Unknown {
    /// Its name.
    pub(super) name: String,
    /// What it is assumed to be.
    pub(super) assumed: String,
    /// What else it may be.
    pub(super) other: String,
}

impl Change {
    /// `batch_max = 8 (now 16), which fits into one turn`.
    pub(super) fn text(&self) -> String {
        let Self { key, value, now, why, .. } = self;
        let set = if value.is_empty() { key.clone() } else { format!("{key} = {value}") };
        let now = now.as_ref().map_or(String::new(), |now| format!(" (now {now})"));
        format!("{set}{now}{why}")
    }
}

impl Trials {
    /// Whether trials are as long as the run.
    pub(super) fn are_whole(&self) -> bool {
        self.trial_part >= self.part
    }
}
