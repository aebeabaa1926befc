//! Time-slice policies of the hypervisor: who is offered the next turn. One file each, one line in
//! [`POLICIES`]; those of other crates are in `registered`. Under best effort the hardware hands out
//! the turns (`ring`).
//!
//! The order among those who are offered a turn is the run list's, lengths and costs are the
//! turns'. A policy sees one entry of the run list at a time and keeps no state.

mod equal_share;
mod fixed_share;
mod registered;

pub use registered::register;

use crate::spec::{IdleRule, SlicePolicy, TimeSlicing};
use crate::units::SimDuration;

/// One slot of the rotation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Entry {
    /// A vGPU is in the slot and powered on.
    pub is_running: bool,
    /// It has work on the GPU.
    pub has_work: bool,
    /// It has had its share of the present window.
    pub is_spent: bool,
    /// Time it was given so far, for the order of least run time.
    pub scheduled: SimDuration,
}

/// Who is offered a turn, and what becomes of the turn of one without work.
///
/// While anybody has work, a policy without a cap offers a turn to somebody with work: otherwise the
/// engine would stand still for good. It is asked at the ends of turns, and when power or work
/// changes; in between its answers are taken to stay the same.
///
/// A policy of one's own: newcomers keep their turns, busy or not, until they have had a second of
/// the GPU; after that only work earns a turn.
///
/// ```
/// use slicewise::gpu::{Entry, TimeSlicePolicy};
/// use slicewise::spec::IdleRule;
/// use slicewise::units::SimDuration;
///
/// #[derive(Debug)]
/// struct NewcomersFirst {
///     reserve: SimDuration,
/// }
///
/// impl TimeSlicePolicy for NewcomersFirst {
///     fn slots(&self, owners: usize) -> usize {
///         owners
///     }
///
///     fn offers_turn(&self, entry: &Entry) -> bool {
///         entry.has_work || (entry.is_running && entry.scheduled < self.reserve)
///     }
///
///     fn idle_rule(&self) -> IdleRule {
///         IdleRule::Burned
///     }
/// }
///
/// let policy = NewcomersFirst { reserve: SimDuration::from_secs(1) };
/// let idle = Entry { is_running: true, ..Entry::default() };
/// let settled = Entry { scheduled: SimDuration::from_secs(2), ..idle };
/// assert!(policy.offers_turn(&idle));
/// assert!(!policy.offers_turn(&settled));
/// assert!(policy.offers_turn(&Entry { has_work: true, ..settled }));
/// ```
///
/// To put it to use, [`register`] it: then scenario files know its name.
pub trait TimeSlicePolicy: std::fmt::Debug + Send {
    /// How many slots take part in the rotation when `owners` vGPUs exist; at least as many.
    fn slots(&self, owners: usize) -> usize;

    /// Whether the slot is offered its turn.
    fn offers_turn(&self, entry: &Entry) -> bool;

    /// Whether what it offers depends on the time that a slot was given.
    fn looks_at_time(&self) -> bool {
        true
    }

    /// Into how many equal shares the cap divides a window when `running` vGPUs run.
    fn shares(&self, running: usize) -> usize {
        running
    }

    /// Whether powering a vGPU on or off changes whose turn it is.
    fn follows_power(&self) -> bool {
        true
    }

    /// What an idle turn becomes: `idle` of [`TimeSlicing`] if files are to choose it, else a rule of
    /// the policy's own. Under [`IdleRule::SkippedAndCapped`] a spent entry is offered no turn;
    /// [`IdleRule::Polled`] needs turns in a ring and a switch cost above 0.
    fn idle_rule(&self) -> IdleRule;
}

/// Makes a policy with the settings of a file.
type Make = fn(&TimeSlicing) -> Box<dyn TimeSlicePolicy>;

/// A policy by name.
pub struct PolicyEntry {
    /// Name in files, and in `nvidia-smi`'s words.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// The policy as the specification names it.
    pub policy: SlicePolicy,
    /// Nothing where the hardware hands out the turns.
    make: Option<Make>,
}

impl PolicyEntry {
    /// A policy of one's own, for [`register`]: its name in files, a line about it, and how it is made
    /// with the settings of a file.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        make: fn(&TimeSlicing) -> Box<dyn TimeSlicePolicy>,
    ) -> Self {
        Self { name, about, policy: SlicePolicy::Own(name), make: Some(make) }
    }
}

/// The name of the policy under which the hardware hands out the turns.
pub const BEST_EFFORT: &str = "best-effort";

/// The policies of slicewise.
pub const POLICIES: &[PolicyEntry] = &[
    PolicyEntry {
        name: BEST_EFFORT,
        about: "vGPUs with work share the GPU alike; idle time goes to the others (the default)",
        policy: SlicePolicy::BestEffort,
        make: None,
    },
    PolicyEntry {
        name: "equal-share",
        about: "every running vGPU has 1 / (running vGPUs), with work or not",
        policy: SlicePolicy::EqualShare,
        make: Some(|slicing| Box::new(equal_share::EqualShare { idle: slicing.idle })),
    },
    PolicyEntry {
        name: "fixed-share",
        about: "every vGPU has 1 / (most vGPUs of its type per GPU), however many run",
        policy: SlicePolicy::FixedShare,
        make: Some(|slicing| {
            Box::new(fixed_share::FixedShare {
                slots: slicing.slots_max as usize,
                idle: slicing.idle,
            })
        }),
    },
];

/// All policies that files may name: those of slicewise, then those registered, in that order.
pub fn policies() -> Vec<&'static PolicyEntry> {
    POLICIES.iter().chain(registered::all()).collect()
}

/// What a policy is called, and does. Panics if it is neither of slicewise nor registered.
pub fn policy_entry(policy: SlicePolicy) -> &'static PolicyEntry {
    let found = policies().into_iter().find(|entry| entry.policy == policy);
    found.unwrap_or_else(|| panic!("{policy:?} is not registered: see slicewise::gpu::register"))
}

/// What an idle turn becomes: the rule of the settings, unless the policy has one of its own.
pub fn idle_rule(slicing: &TimeSlicing) -> IdleRule {
    policy(slicing).idle_rule()
}

/// The policy that `slicing` names, which is not best effort.
pub(super) fn policy(slicing: &TimeSlicing) -> Box<dyn TimeSlicePolicy> {
    let make = policy_entry(slicing.policy).make;
    make.expect("the hypervisor hands out no turns under best effort")(slicing)
}

/// What the idle rules mean for a slot that holds its share with work or not.
fn offered_under(idle: IdleRule, entry: &Entry) -> bool {
    match idle {
        IdleRule::Burned | IdleRule::Polled => true,
        IdleRule::RestBurned => entry.has_work,
        IdleRule::SkippedAndCapped { .. } => entry.has_work && !entry.is_spent,
    }
}
