//! `bound`: the latency of VMs that are asked at a rate, beside their bound.

use super::super::seen::{Answered, Group, Seen};
use super::super::sentence::Said;
use super::super::words::{ns, percent, rate, times};
use crate::spec::TestScenario;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    seen.groups.iter().filter_map(|group| of_group(seen, group)).collect()
}

fn of_group(seen: &Seen<'_>, group: &Group) -> Option<Said> {
    let Answered { vm, recorder, each, latency: found, name: p } = seen.answered(group)?;
    let settings = &vm.load.settings;
    let said = match vm.load.scenario {
        TestScenario::Server => {
            let bound = settings.target_latency.as_nanos_f64();
            let misses = group.vms.iter().filter(|&&one| seen.nearness(one) > 1.0).count();
            let who = match group.vms.len() {
                1 => String::new(),
                _ if misses > 0 => format!(
                    "{misses} of {} miss their bound, the worst is {}: ",
                    group.vms.len(),
                    vm.name
                ),
                2 => format!("Both keep their bound, the worst is {}: ", vm.name),
                _ => {
                    format!("All {} keep their bound, the worst is {}: ", group.vms.len(), vm.name)
                }
            };
            let how = match found <= bound {
                true => {
                    format!("{} below the bound of {}", percent(1.0 - found / bound), ns(bound))
                }
                false => format!("{} the bound of {}", times(found / bound), ns(bound)),
            };
            let rejected = recorder.rejected();
            let rejected_words = match rejected {
                0 => String::new(),
                count => format!("; {count} of {} queries were rejected", recorder.answered()),
            };
            Said::new(
                seen.about(group),
                format!("{who}{p} is {}, {how}, at {}{rejected_words}.", ns(found), rate(each)),
            )
            .with("bound_ms", bound / 1e6)
            .with("latency_percentile_ms", found / 1e6)
            .with("missing_count", misses as f64)
        }
        _ => return None,
    };
    Some(said.with("percentile", settings.percentile).with("completed_per_s", each))
}
