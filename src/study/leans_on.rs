//! The basis of figures: the numbers in use that were not measured, and the rows that they were
//! fitted on.
//!
//! Which facts a run uses is stated by the experiment.

use super::results::{FactUse, FigureStanding, Origin};
use crate::spec::{Experiment, Published, Standing, TestScenario, VmSpec};

/// The fitted and assumed numbers that an experiment uses, and the user's own.
pub(super) fn facts(experiment: &Experiment) -> impl Iterator<Item = FactUse> {
    let in_use = experiment.facts_in_use().into_iter();
    let told = in_use.filter(|(_, fact)| {
        matches!(fact.standing, Standing::Fitted | Standing::Assumed | Standing::Yours)
    });
    told.map(|(place, fact)| FactUse {
        fact: place,
        value: fact.value.to_string(),
        standing: fact.standing,
        source: fact.source.to_string(),
    })
}

/// Each number once, by standing and place.
pub(super) fn in_order(facts: impl IntoIterator<Item = FactUse>) -> Vec<FactUse> {
    let mut list: Vec<FactUse> = facts.into_iter().collect();
    list.sort_by(|a, b| (a.standing, &a.fact, &a.value).cmp(&(b.standing, &b.fact, &b.value)));
    list.dedup();
    list
}

/// Whether a figure is an input, was fitted on this very row, or neither.
pub(super) fn standing(
    experiment: &Experiment,
    vm: &VmSpec,
    published: Option<&Published>,
) -> FigureStanding {
    let of_vm = experiment.facts_of(vm).into_iter().map(|(_, fact)| fact);
    let mut facts = experiment.hypervisor.facts().into_iter().chain(of_vm);
    let is_fitted = published.is_some_and(|published| {
        // How much machines differ moves intervals, and no figure.
        facts.any(|fact| fact.key != "machines" && fact.fitted_on.contains(&published.row))
    });
    let found = if is_fitted { Origin::Fitted } else { Origin::Predicted };
    let rate = if vm.load.scenario == TestScenario::Server { Origin::Given } else { found };
    FigureStanding { rate, latency: found }
}
