//! `idle-rule`: what an idle turn becomes, where that is not documented and moves what a VM has.
//!
//! Of equal and fixed share nobody says it. Told of the VM that is nearest to its bound, or furthest beyond,
//! among those whose share the other rule changes.

use super::super::place::{Place, TurnsBy};
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::percent;
use crate::gpu::policy_entry;
use crate::spec::IdleRule;
use crate::study::sensitivity::idle_option;
use crate::study::variant::other_idle;

/// A smaller change of a share is not worth a sentence.
const WORTH: f64 = 0.01;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let Some((other, under)) = other_idle(seen.experiment) else { return Vec::new() };
    let said = seen.with_batches().find_map(|(group, batches)| {
        let place = batches.place();
        let turns = place.turns().filter(|turns| turns.slots > 1)?;
        let TurnsBy::Hypervisor(policy, rule, _) = turns.by else { return None };
        let own = place.promise()?.most;
        let with = Place::of(&under, seen.first(group), place.share).promise()?.most;
        if (own - with).abs() < WORTH {
            return None;
        }
        let text = format!(
            "No vendor documents what an idle turn becomes under {}: in force is {} ({}), by which a VM has up to \
             {} of its GPU while the others are idle; with {} ({}) it would be up to {}.",
            policy_entry(policy).name,
            idle_option(rule),
            words(rule),
            percent(own),
            idle_option(other),
            words(other),
            percent(with),
        );
        let said = Said::new(seen.about(group), text);
        Some(said.with("most_share", own).with("most_of_other_rule_share", with))
    });
    said.into_iter().collect()
}

/// What an idle turn becomes.
fn words(rule: IdleRule) -> &'static str {
    match rule {
        IdleRule::Burned => "the GPU waits it out",
        IdleRule::RestBurned => "a VM without work is skipped",
        IdleRule::SkippedAndCapped { .. } => "skipped, and nobody exceeds its share",
        IdleRule::Polled => "visited at the cost of a switch",
    }
}
