//! VMs that had more of a card than its policy promises, because their turns run past the slices.
//!
//! It compares GPU time, not latency: a VM that had its share may still wait long.

use crate::gpu::{BEST_EFFORT, policy_entry};
use crate::platform::{Outcome, TurnShare};
use crate::spec::{Experiment, InstanceSharing, Overshoot};
use serde::{Deserialize, Serialize};

/// A VM that had more of a card than the policy promises. Parts of the time in which the VM was
/// powered on, up to its last work, 0 to 1.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OverShare {
    /// The VM's name.
    pub vm: String,
    /// The card.
    pub gpu: u16,
    /// The sharing there, as a scenario file would write it.
    pub sharing: String,
    /// The part that it had.
    pub had_share: f64,
    /// The part that the policy promises a VM that always has work.
    pub promised_share: f64,
    /// The part of `had_share` that was past the ends of its slices and not repaid by shorter ones.
    pub unpaid_share: f64,
}

/// Whole per cent, as they are shown: what does not show there is no news.
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

/// The VMs that had more than promised in a run.
pub(super) fn over_shares(experiment: &Experiment, outcome: &Outcome) -> Vec<OverShare> {
    let over = outcome
        .turns
        .iter()
        .filter(|share| percent(share.had) > percent(share.promised) && percent(share.unpaid) > 0);
    over.filter_map(|share| of_vm(experiment, share)).collect()
}

fn of_vm(experiment: &Experiment, share: &TurnShare) -> Option<OverShare> {
    let card = &experiment.cards[usize::from(share.card.0)];
    let sharing = card.instances[usize::from(share.instance)].sharing;
    Some(OverShare {
        vm: experiment.vms[usize::from(share.vm.0)].name.clone(),
        gpu: share.card.0,
        sharing: words(&sharing)?,
        had_share: share.had,
        promised_share: share.promised,
        unpaid_share: share.unpaid,
    })
}

/// Nothing where there are no turns.
fn words(sharing: &InstanceSharing) -> Option<String> {
    let policy = match sharing {
        InstanceSharing::BestEffort(_) => format!("policy = \"{BEST_EFFORT}\""),
        InstanceSharing::Vgpus(slicing) => {
            format!("policy = \"{}\"", policy_entry(slicing.policy).name)
        }
        _ => "process = \"time-slicing\"".to_string(),
    };
    Some(match sharing.overshoot()? {
        Overshoot::None => policy,
        Overshoot::Batch => format!("{policy} with overshoot = \"batch\""),
        Overshoot::Constant(span) => format!("{policy} with overshoot = \"{span}\""),
    })
}

impl OverShare {
    /// The sentence for reports.
    pub(super) fn note(&self) -> String {
        format!(
            "{} had {} % of card {}, where {} promises it {} %: its turns ran past their slices \
             for {} % of the time, which shorter slices did not repay",
            self.vm,
            percent(self.had_share),
            self.gpu,
            self.sharing,
            percent(self.promised_share),
            percent(self.unpaid_share),
        )
    }

    /// The excess over the promised part.
    pub(super) fn excess(&self) -> f64 {
        self.had_share - self.promised_share
    }
}
