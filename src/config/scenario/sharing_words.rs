//! The settings of `[sharing]` that an instance runs with, as files write them.

use super::sharing_keys::{IDLE_RULES, ORDERS, overshoot};
use crate::config::keys::word;
use crate::gpu::{BEST_EFFORT, idle_rule, policy_entry};
use crate::spec::{HardwareTurns, IdleRule, InstanceSharing, TimeSlicing, TurnOrder};

/// The turns in use as a file would write them.
pub(crate) fn words(sharing: &InstanceSharing) -> Vec<(&'static str, String)> {
    match (sharing.slicing(), sharing.ring()) {
        (Some(turns), _) => software_words(turns),
        (_, Some(turns)) => hardware_words(sharing, turns),
        (None, None) => Vec::new(),
    }
}

fn hardware_words(sharing: &InstanceSharing, turns: &HardwareTurns) -> Vec<(&'static str, String)> {
    let mut words = match sharing {
        InstanceSharing::BestEffort(_) => {
            vec![
                ("policy", BEST_EFFORT.to_string()),
                ("turns", turns.of.word().to_string()),
                ("hardware_slice", turns.slice.to_string()),
            ]
        }
        _ => vec![("compute_timeslice", turns.slice.to_string())],
    };
    words.push(("overshoot", word(&overshoot(), &turns.overshoot)));
    words.push(("switch_cost", turns.switch.to_string()));
    words
}

fn software_words(turns: &TimeSlicing) -> Vec<(&'static str, String)> {
    let mut words = vec![("policy", policy_entry(turns.policy).name.to_string())];
    words.push(("slice", turns.slice.to_string()));
    let order = match turns.order {
        TurnOrder::RoundRobin { averaging_factor } => {
            words.push(("averaging_factor", averaging_factor.to_string()));
            words.push(("slice_floor", turns.slice_floor.to_string()));
            ORDERS[0].0
        }
        TurnOrder::LeastRunTime => ORDERS[1].0,
    };
    words.push(("order", order.to_string()));
    let idle = idle_rule(turns);
    let same = |rule: &IdleRule| std::mem::discriminant(rule) == std::mem::discriminant(&idle);
    let rule = IDLE_RULES.iter().find(|(_, rule)| same(rule));
    words.extend(rule.map(|(name, _)| ("idle", (*name).to_string())));
    if let IdleRule::SkippedAndCapped { window } = idle {
        let round = "one round of turns".to_string();
        words.push(("cap_window", window.map_or(round, |window| window.to_string())));
    }
    words.push(("overshoot", word(&overshoot(), &turns.overshoot)));
    words.push(("switch_cost", turns.switch_cost.to_string()));
    words
}
