//! What the operations of a run lean on: numbers of `[operations]` and of vMotion, each with its source.
//!
//! Only what an operation of the run makes use of is told.

use super::operations_keys::OperationsKeys;
use crate::spec::{Fact, Operation, Standing, TimelineFact, Vmotion};

/// Nobody publishes these; each with the kinds of operations that they bear on.
const ASSUMED: [(&str, &[&str], &str); 7] = [
    ("dirty_rate", &["vmotion"], "assumed: a model server changes little of its memory"),
    ("memory", &["vmotion", "suspend", "resume"], "assumed, where a VM does not state its own"),
    (
        "storage_bandwidth",
        &["suspend", "resume"],
        "assumed: 0.5 to 5 GB/s are usual, and no times are published",
    ),
    ("placement", &["ha-restart"], "assumed"),
    (
        "clone_time",
        &["clone"],
        "assumed: 60 GB at 2 GB/s; 2 s to 10 min are usual, the least for a linked clone",
    ),
    ("boot", &["ha-restart", "power-on", "clone"], "assumed: 30 to 90 s are usual"),
    (
        "model_load",
        &["ha-restart", "power-on", "clone"],
        "assumed, for a model of a few GB: 3 to 8 min are told of one of 70 billion parameters \
         (frankdenneman.nl 2025-06-24)",
    ),
];

/// The numbers that these operations lean on.
pub(super) fn on(
    keys: &OperationsKeys,
    version: Option<&Vmotion>,
    (operations, has_replicas): (&[Operation], bool),
) -> Vec<TimelineFact> {
    let is_done = |kinds: &[&str]| {
        // A replica starts as a VM does that is powered on.
        (has_replicas && kinds.contains(&"power-on"))
            || operations.iter().any(|one| kinds.contains(&one.kind))
    };
    let used = ASSUMED.iter().filter(|(_, kinds, _)| is_done(kinds));
    let mut found: Vec<TimelineFact> = used
        .map(|(key, _, source)| {
            let fact = match [keys, &OperationsKeys::default()].map(|keys| value(keys, key)) {
                [value, usual] if value == usual => Fact::assumed(value, *source),
                [value, _] => Fact::yours(value),
            };
            TimelineFact { of: "operations".to_string(), key, fact }
        })
        .collect();
    let Some(version) = version.filter(|_| is_done(&["vmotion"])) else { return found };
    let mut add = |key, value: String, source: &str, standing: Standing| {
        let fact = Fact { standing, ..Fact::assumed(value, source) };
        let of = format!("vmotion/{}", version.version);
        found.push(TimelineFact { of, key, fact });
    };
    let Vmotion { stun_base, frame_buffer_rate, stunned_share, worst, stun_limit, .. } = version;
    add("stun_base", stun_base.value.to_string(), &stun_base.source, stun_base.standing);
    let rate = frame_buffer_rate;
    add("frame_buffer_rate", rate.value.to_string(), &rate.source, rate.standing);
    let share = stunned_share;
    add("stunned_share", share.value.to_string(), &share.source, share.standing);
    if version.checks_estimate {
        let terms = worst.value;
        let value = format!(
            "{} s + {} s/GB of profile + {} s/GB of memory",
            terms.base, terms.per_profile_gb, terms.per_memory_gb
        );
        add("worst", value, &worst.source, worst.standing);
    }
    add("stun_limit", stun_limit.value.to_string(), &stun_limit.source, stun_limit.standing);
    found
}

fn value(keys: &OperationsKeys, key: &str) -> String {
    match key {
        "dirty_rate" => keys.dirty_rate.to_string(),
        "memory" => keys.memory.to_string(),
        "storage_bandwidth" => keys.storage_bandwidth.to_string(),
        "placement" => keys.placement.to_string(),
        "clone_time" => keys.clone_time.to_string(),
        "boot" => keys.boot.to_string(),
        _ => keys.model_load.to_string(),
    }
}
