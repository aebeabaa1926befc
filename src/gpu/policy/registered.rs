//! Policies of other crates: registered once, known to the whole program from then on.
//!
//! A name and how a policy is made are all that is kept; experiments hold the name.

use super::{POLICIES, PolicyEntry};
use crate::spec::SlicePolicy;
use std::sync::{PoisonError, RwLock};

static REGISTERED: RwLock<Vec<&'static PolicyEntry>> = RwLock::new(Vec::new());

/// Makes a policy known to this program, for all that comes after: `policy = "its-name"` in
/// `[sharing]` of scenario files, what is allowed there, the schema, and every command of
/// [`cli::run`](crate::cli::run()). Do it at the start of `main`, before files are read. The same
/// from the API: [`TimeSlicing::policy`](crate::spec::TimeSlicing::policy) is what it returns.
///
/// An experiment holds the name of its policy, not its code. Results say the name; what an
/// interrupted sweep has kept counts as long as the name is the same, so a policy that was changed
/// needs another name, or `--fresh`.
///
/// Panics if the name is taken, or is not of lower-case letters, digits and hyphens.
///
/// ```
/// use slicewise::gpu::{Entry, PolicyEntry, TimeSlicePolicy, register};
/// use slicewise::spec::{IdleRule, SlicePolicy};
///
/// #[derive(Debug)]
/// struct OnlyWork;
///
/// impl TimeSlicePolicy for OnlyWork {
///     fn slots(&self, owners: usize) -> usize {
///         owners
///     }
///
///     fn offers_turn(&self, entry: &Entry) -> bool {
///         entry.has_work
///     }
///
///     fn idle_rule(&self) -> IdleRule {
///         IdleRule::Polled
///     }
/// }
///
/// let about = "turns of the hypervisor for those with work, and for nobody else";
/// let policy = register(PolicyEntry::new("only-work", about, |_| Box::new(OnlyWork)));
/// assert_eq!(policy, SlicePolicy::Own("only-work"));
/// ```
pub fn register(entry: PolicyEntry) -> SlicePolicy {
    let name = entry.name;
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    assert!(
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|letter| letter == '-' || plain(letter)),
        "a policy cannot be called {name:?}: allowed are lower-case letters, digits and hyphens"
    );
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    assert!(
        POLICIES.iter().chain(registered.iter().copied()).all(|known| known.name != name),
        "a time-slice policy {name:?} exists already"
    );
    let entry: &'static PolicyEntry = Box::leak(Box::new(entry));
    registered.push(entry);
    entry.policy
}

/// Those registered, in that order.
pub(super) fn all() -> Vec<&'static PolicyEntry> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).clone()
}
