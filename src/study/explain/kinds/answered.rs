//! `answered`: what VMs without a rate of their own answer: Offline, one query after the other, closed
//! loops, steps of ensembles.

use super::super::seen::{Answered, Group, Seen};
use super::super::sentence::Said;
use super::super::words::{ns, rate};
use crate::spec::{Balance, TestScenario};

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
        TestScenario::ClosedLoop { clients: 0, .. } => {
            Said::new(seen.about(group), passing(seen, group, (each, found)))
                .with("latency_percentile_ms", found / 1e6)
        }
        TestScenario::ClosedLoop { clients, .. } => Said::new(
            seen.about(group),
            format!("{} are answered to {clients} clients, {p} is {}.", rate(each), ns(found)),
        )
        .with("latency_percentile_ms", found / 1e6),
    };
    Some(said.with("percentile", settings.percentile).with("completed_per_s", each))
}

/// What comes to a model without a load of its own.
fn passing(seen: &Seen<'_>, group: &Group, (each, found): (f64, f64)) -> String {
    let (rate, found) = (rate(each), ns(found));
    let own = seen.first(group);
    let mut balanced = seen.experiment.vms.iter().filter_map(|vm| vm.balance.as_ref());
    let shares = |of: &&Balance| of.members.iter().any(|&member| seen.vm(member).name == own.name);
    match balanced.find(shares) {
        Some(balance) if balance.replicas.is_some() => format!(
            "Each answers its part of the load that they share while it is wanted, {rate} over the whole run, p99 {found}."
        ),
        Some(_) => {
            format!("Each answers its part of the load that they share: {rate}, p99 {found}.")
        }
        None => format!("Queries of ensembles pass it: {rate}, p99 {found}."),
    }
}
