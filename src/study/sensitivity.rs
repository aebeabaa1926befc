//! The effect of undocumented points of time slicing on a result: the same run with other choices.
//!
//! These can change p99 by factors: what happens to an idle turn (equal and fixed share), whether
//! processes of a VM take their own turns (best effort), and the switch cost. A result that depends
//! on them states its assumption and the p99 of the others.

use super::{open, variant};
use crate::gpu::{BEST_EFFORT, idle_rule, policy_entry};
use crate::spec::{
    Experiment, HardwareTurns, IdleRule, InstanceSharing, PodSharing, SwitchTimes, TurnsOf, VmSpec,
};

/// An experiment with another choice.
pub(super) struct Alternative {
    /// The choice, as the scenario file would write it.
    pub(super) option: String,
    /// The experiment with it.
    pub(super) experiment: Experiment,
}

/// The runs that show how much `experiment` depends on what is not documented; none where no card
/// is shared in turns.
pub(super) fn alternatives(experiment: &Experiment) -> Vec<Alternative> {
    let idle = variant::other_idle(experiment)
        .map(|(rule, experiment)| Alternative { option: idle_option(rule), experiment });
    let mut alternatives: Vec<_> = idle.into_iter().collect();
    alternatives.extend(other_owners(experiment));
    alternatives.extend(other_cut(experiment));
    // Intervals are stated for the catalogue's turns only; a scenario's own are its own affair.
    let of_turns = open::of_turns(experiment).into_iter();
    alternatives.extend(of_turns.filter_map(|(_, other)| {
        let option = changed(experiment, &other)?;
        Some(Alternative { option, experiment: other })
    }));
    alternatives
}

/// The turns that an experiment has and another has not, as a scenario file would write them.
fn changed(experiment: &Experiment, other: &Experiment) -> Option<String> {
    let instances = sharings(experiment).count();
    let mut pairs = all_sharings(experiment).zip(all_sharings(other)).enumerate();
    let (place, ((gpu, own), (_, other))) =
        pairs.find(|(_, ((_, own), (_, other)))| own != other)?;
    let option = match (own.ring(), other.ring(), other.slicing()) {
        (_, Some(turns), _) if place >= instances => {
            format!("pods = {{ slice = \"{}\", {} }}", turns.slice, switch_word(&turns.switch))
        }
        (Some(own), Some(turns), _) if own.slice != turns.slice => {
            format!("hardware_slice = \"{}\", {}", turns.slice, switch_word(&turns.switch))
        }
        (_, Some(turns), _) => switch_word(&turns.switch),
        (_, _, slicing) => switch_word(&SwitchTimes::always(slicing?.switch_cost)),
    };
    Some(on_model(experiment, option, gpu))
}

/// The same with the model that it is about, where cards are of several.
fn on_model(experiment: &Experiment, words: String, gpu: &str) -> String {
    if experiment.has_several_models() { format!("{words} on {gpu}") } else { words }
}

/// `switch_cost = "0.2 ms"`, as a scenario file would write it.
fn switch_word(switch: &SwitchTimes) -> String {
    match *switch == SwitchTimes::always(switch.dry) {
        true => format!("switch_cost = \"{switch}\""),
        false => format!("switch_cost = {switch}"),
    }
}

/// The run in which pods' slices that the turns of their VMs cut have the other fate; nothing where
/// there are none.
fn other_cut(experiment: &Experiment) -> Option<Alternative> {
    let mut other = experiment.clone();
    let mut found = None;
    for share in other.vms.iter_mut().flat_map(|vm| &mut vm.gpus) {
        let nests = share.pods.is_some_and(|pods| experiment.instance(share).sharing.nests(&pods));
        if let (true, Some(PodSharing::TimeSlicing { cut, .. })) = (nests, &mut share.pods) {
            *cut = cut.other();
            found = Some(*cut);
        }
    }
    let option = format!("pods = {{ cut_slice = \"{}\" }}", found?.word());
    Some(Alternative { option, experiment: other })
}

/// The run in which processes of vGPUs under best effort have turns of their own, or, where they
/// have, share those of their VM; nothing where no VM has several.
fn other_owners(experiment: &Experiment) -> Option<Alternative> {
    let is_open = |vm: &&VmSpec| {
        vm.gpus.iter().any(|share| {
            let sharing = &experiment.instance(share).sharing;
            let has_pods = share.pods.is_some_and(|pods| pods.mps().is_none());
            matches!(sharing, InstanceSharing::BestEffort(_))
                && (vm.server.processes() > 1 || has_pods)
        })
    };
    experiment.vms.iter().find(is_open)?;
    let mut of = TurnsOf::Vm;
    let other = variant::with_sharing(experiment, |_, sharing| {
        if let InstanceSharing::BestEffort(turns) = sharing {
            turns.of = match turns.of {
                TurnsOf::Vm => TurnsOf::Process,
                TurnsOf::Process => TurnsOf::Vm,
            };
            of = turns.of;
        }
    });
    Some(Alternative { option: format!("turns = \"{}\"", of.word()), experiment: other })
}

/// How instances are shared, with the model of their card.
fn sharings(experiment: &Experiment) -> impl Iterator<Item = (&str, InstanceSharing)> {
    experiment.cards.iter().flat_map(|card| {
        card.instances.iter().map(|instance| (card.gpu.id.as_str(), instance.sharing))
    })
}

/// The same, and then how the pods of each VM share its turns.
fn all_sharings(experiment: &Experiment) -> impl Iterator<Item = (&str, InstanceSharing)> {
    let shares = experiment.vms.iter().flat_map(|vm| &vm.gpus);
    let pods = shares.filter_map(|share| {
        Some((experiment.card(share).gpu.id.as_str(), share.pods?.of_instance()))
    });
    sharings(experiment).chain(pods)
}

/// The assumptions of an experiment as text, separately for each GPU model; nothing where no card
/// is shared.
pub(super) fn assumed(experiment: &Experiment) -> Option<String> {
    let alone = [InstanceSharing::Alone, InstanceSharing::Models];
    let mut told: Vec<(&str, String)> = Vec::new();
    for (gpu, sharing) in sharings(experiment).filter(|(_, sharing)| !alone.contains(sharing)) {
        if told.iter().all(|(known, _)| *known != gpu) {
            told.push((gpu, in_words(&sharing)?));
        }
    }
    let told = told.into_iter().map(|(gpu, words)| on_model(experiment, words, gpu));
    let mut told: Vec<String> = told.collect();
    for share in experiment.vms.iter().flat_map(|vm| &vm.gpus) {
        let Some(pods) = &share.pods else { continue };
        if experiment.instance(share).sharing.nests(pods) {
            let words = on_model(experiment, pods_in_words(pods), &experiment.card(share).gpu.id);
            if !told.contains(&words) {
                told.push(words);
            }
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// How the pods of a VM share its turns, as a scenario file would write it.
fn pods_in_words(pods: &PodSharing) -> String {
    match pods {
        PodSharing::TimeSlicing { turns, cut } => format!(
            "pods = {{ sharing = \"time-slicing\", slice = \"{}\", {}, cut_slice = \"{}\" }}",
            turns.slice,
            switch_word(&turns.switch),
            cut.word()
        ),
        PodSharing::Mps(_) => {
            "pods = \"mps\", running batches of a node divide the SMs in its turns".to_string()
        }
    }
}

/// How an instance is shared, as a scenario file would write it.
fn in_words(sharing: &InstanceSharing) -> Option<String> {
    let of_ring = |turns: &HardwareTurns| {
        format!("slice = \"{}\", {}", turns.slice, switch_word(&turns.switch))
    };
    Some(match sharing {
        InstanceSharing::Vgpus(slicing) => {
            let policy = policy_entry(slicing.policy).name;
            let idle = idle_word(idle_rule(slicing));
            let (slice, cost) = (slicing.slice, slicing.switch_cost);
            format!(
                "policy = \"{policy}\", idle = \"{idle}\", slice = \"{slice}\", switch_cost = \"{cost}\""
            )
        }
        InstanceSharing::BestEffort(turns) => {
            format!("policy = \"{BEST_EFFORT}\", {}", of_ring(turns))
        }
        InstanceSharing::Processes(turns) => {
            format!("process = \"time-slicing\", {}", of_ring(turns))
        }
        InstanceSharing::Mps(_) | InstanceSharing::Models | InstanceSharing::Alone => {
            "process = \"mps\", running batches divide the SMs".to_string()
        }
    })
}

/// A rule for idle turns, as a scenario file would write it.
pub(super) fn idle_option(idle: IdleRule) -> String {
    format!("idle = \"{}\"", idle_word(idle))
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
