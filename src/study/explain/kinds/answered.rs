//! `answered`: what VMs without a rate of their own answer: Offline, one query after the other, closed
//! loops, steps of ensembles.

use super::super::seen::{Answered, Group, Seen};
use super::super::sentence::Said;
use super::super::words::{ns, rate};
use crate::spec::TestScenario;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    seen.groups.iter().filter_map(|group| of_group(seen, group)).collect()
}

fn of_group(seen: &Seen<'_>, group: &Group) -> Option<Said> {
    let Answered { vm, each, latency: found, name: p, .. } = seen.answered(group)?;
    let settings = &vm.load.settings;
    let said = match vm.load.scenario {
        TestScenario::Server => return None,
        TestScenario::SingleStream | TestScenario::MultiStream { .. } => Said::new(
            seen.about(group),
            format!(
                "{p} is {}, one query after the other: {} samples are answered.",
                ns(found),
                rate(each)
            ),
        )
        .with("latency_percentile_ms", found / 1e6),
        TestScenario::Offline => Said::new(
            seen.about(group),
            format!("{} samples are answered, all asked at once.", rate(each)),
        ),
        TestScenario::ClosedLoop { clients: 0, .. } => Said::new(
            seen.about(group),
            format!("{}: {}, p99 {}.", passing(seen), rate(each), ns(found)),
        )
        .with("latency_percentile_ms", found / 1e6),
        TestScenario::ClosedLoop { clients, .. } => Said::new(
            seen.about(group),
            format!("{} are answered to {clients} clients, {p} is {}.", rate(each), ns(found)),
        )
        .with("latency_percentile_ms", found / 1e6),
    };
    Some(said.with("percentile", settings.percentile).with("completed_per_s", each))
}

/// What comes to a model without a load of its own.
fn passing(seen: &Seen<'_>) -> &'static str {
    match seen.experiment.vms.iter().any(|vm| vm.balance.is_some()) {
        true => "It answers its part of the load that they share",
        false => "Queries of ensembles pass it",
    }
}
