//! `not-needed`: every bound is kept, so that nothing has to change; or that holds as assumed only.

use super::super::measure::{Measure, measure};
use super::super::seen::Seen;
use super::super::sentence::{About, Said};
use super::super::trials::{Unknown, What};
use super::super::words::{ns, percent};
use crate::spec::{TestScenario, VmId};
use crate::study::explain::unknowns::MORE_WORK;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let asked =
        seen.groups.iter().filter(|group| seen.first(group).load.scenario == TestScenario::Server);
    // The worst group is the first.
    let Some(group) = asked.into_iter().next() else { return Vec::new() };
    let worst = seen.worst(group);
    let near = seen.nearness(worst);
    if near > 1.0 {
        return Vec::new();
    }
    let (name, spare) = (&seen.vm(worst).name, percent(1.0 - near));
    let text = match missed(seen) {
        None => format!(
            "Nothing has to change: every bound is kept, that of {name} with {spare} to spare. What follows is for less latency still."
        ),
        Some(miss) => {
            let name_missed = &seen.vm(miss.vm).name;
            let found = match miss.found {
                Some(Measure::Latency { nanos, .. }) if nanos.is_finite() => {
                    format!("the latency of {name_missed} is {}, over its bound", ns(nanos))
                }
                Some(Measure::Latency { within, .. }) => {
                    format!(
                        "{name_missed} answers {} of its queries within its bound",
                        percent(within)
                    )
                }
                _ => format!("the latency of {name_missed} is without end, over its bound"),
            };
            format!(
                "Whether anything has to change is not sure: as assumed every bound is kept, that of {name} with {spare} to spare; but with {} instead of {} for {} {found}. Measure that first.",
                miss.unknown.other, miss.unknown.assumed, miss.unknown.name,
            )
        }
    };
    vec![Said::new(About::default(), text).with("to_spare_share", 1.0 - near)]
}

/// A bound that is missed at another possible value of what was not measured.
struct Miss<'a> {
    unknown: &'a Unknown,
    vm: VmId,
    /// Nothing where the run was given up.
    found: Option<Measure>,
}

/// The bound that is missed by most, if any is. One percent more work is no unknown input, but a test of nerves.
fn missed<'a>(seen: &Seen<'a>) -> Option<Miss<'a>> {
    let vms = || (0..seen.experiment.vms.len()).map(|index| VmId(index as u16));
    let asked = || vms().filter(|&vm| seen.vm(vm).load.scenario == TestScenario::Server);
    let mut most: Option<(f64, Miss<'a>)> = None;
    for trial in &seen.trials.tried {
        let What::Unknown(unknown) = &trial.what else { continue };
        if unknown.other == MORE_WORK {
            continue;
        }
        for vm in asked() {
            let bound = seen.vm(vm).load.settings.target_latency.as_nanos_f64();
            let (over, found) = match &trial.outcome {
                None => (f64::INFINITY, None),
                Some(outcome) => match measure(&trial.experiment, outcome, vm) {
                    Some(found @ Measure::Latency { nanos, .. }) => (nanos / bound, Some(found)),
                    _ => continue,
                },
            };
            if over > 1.0 && most.as_ref().is_none_or(|(worst, _)| over > *worst) {
                most = Some((over, Miss { unknown, vm, found }));
            }
        }
    }
    most.map(|(_, miss)| miss)
}
