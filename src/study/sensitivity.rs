//! What the undocumented points of time slicing do to a result: the same run under other choices.
//!
//! Two points move p99 by factors: what an idle turn becomes (equal and fixed share), and the cost
//! of a switch. A result that leans on them says what it assumed and what the others would give.

use crate::spec::{CardSpec, Experiment, IdleRule, InstanceSharing, SlicePolicy, TimeSlicing};

/// An experiment under another choice.
pub(super) struct Alternative {
    /// The choice, as the scenario file would write it.
    pub(super) option: String,
    /// The experiment with it.
    pub(super) experiment: Experiment,
}

/// The runs that say how much `experiment` leans on what is not documented; none where no card is
/// shared in turns.
pub(super) fn alternatives(experiment: &Experiment) -> Vec<Alternative> {
    let mut alternatives: Vec<_> = other_idle(experiment).into_iter().collect();
    // An interval is stated for the catalogue's cost only; a scenario's own cost is its own affair.
    if let Some((card, _)) = slicings(experiment)
        .find(|(card, slicing)| slicing.switch_cost == card.gpu.switch_cost.value.value)
    {
        let interval = &card.gpu.switch_cost.value;
        for cost in [interval.low, interval.high] {
            let option = format!("switch_cost = \"{cost}\"");
            alternatives.push(with(experiment, option, |slicing| slicing.switch_cost = cost));
        }
    }
    alternatives
}

/// The run under the other rule for idle turns; nothing where no card is shared by equal or fixed
/// share, the two that need one.
pub(super) fn other_idle(experiment: &Experiment) -> Option<Alternative> {
    let (_, slicing) =
        slicings(experiment).find(|(_, slicing)| slicing.policy != SlicePolicy::BestEffort)?;
    let other = match slicing.idle {
        IdleRule::Burned => IdleRule::RestBurned,
        _ => IdleRule::Burned,
    };
    let option = format!("idle = \"{}\"", idle_word(other));
    Some(with(experiment, option, |slicing| slicing.idle = other))
}

/// Every card with an instance that its owners share in turns, and how.
fn slicings(experiment: &Experiment) -> impl Iterator<Item = (&CardSpec, TimeSlicing)> {
    experiment.cards.iter().flat_map(|card| {
        let slicings = card.instances.iter().filter_map(|instance| instance.sharing.turns());
        slicings.map(move |slicing| (card, *slicing))
    })
}

/// What an experiment assumes, in words; nothing where no card is shared.
pub(super) fn assumed(experiment: &Experiment) -> Option<String> {
    let instances = experiment.cards.iter().flat_map(|card| &card.instances);
    let mut sharing = instances.map(|instance| instance.sharing);
    let alone = [InstanceSharing::Alone, InstanceSharing::Models];
    let sharing = sharing.find(|sharing| !alone.contains(sharing))?;
    let slicing = match sharing {
        InstanceSharing::Vgpus(slicing) => slicing,
        InstanceSharing::Processes(TimeSlicing { slice, switch_cost, .. }) => {
            return Some(format!(
                "process = \"time-slicing\", slice = \"{slice}\", switch_cost = \"{switch_cost}\""
            ));
        }
        InstanceSharing::Mps | InstanceSharing::Models | InstanceSharing::Alone => {
            return Some("process = \"mps\", running batches divide the SMs".to_string());
        }
    };
    let (policy, idle) = match slicing.policy {
        SlicePolicy::BestEffort => ("best-effort", String::new()),
        SlicePolicy::EqualShare => {
            ("equal-share", format!(", idle = \"{}\"", idle_word(slicing.idle)))
        }
        SlicePolicy::FixedShare => {
            ("fixed-share", format!(", idle = \"{}\"", idle_word(slicing.idle)))
        }
    };
    let (slice, cost) = (slicing.slice, slicing.switch_cost);
    Some(format!("policy = \"{policy}\"{idle}, slice = \"{slice}\", switch_cost = \"{cost}\""))
}

fn with(experiment: &Experiment, option: String, change: impl Fn(&mut TimeSlicing)) -> Alternative {
    let mut experiment = experiment.clone();
    let instances = experiment.cards.iter_mut().flat_map(|card| &mut card.instances);
    instances.filter_map(|instance| instance.sharing.turns_mut()).for_each(change);
    Alternative { option, experiment }
}

/// The word files use.
fn idle_word(idle: IdleRule) -> &'static str {
    match idle {
        IdleRule::Burned => "burned",
        IdleRule::RestBurned => "rest-burned",
        IdleRule::SkippedAndCapped { .. } => "skipped-and-capped",
        IdleRule::Polled => "polled",
    }
}
