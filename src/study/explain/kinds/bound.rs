//! `bound`: the latency of VMs that are asked at a rate, beside their bound.

use super::super::seen::{Answered, Group, Seen};
use super::super::sentence::Said;
use super::super::words::{ns, percent, rate, times};
use crate::record::Recorder;
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
            let near = seen.nearness(seen.worst(group));
            if near > 1.0 && recorder.unanswered() > 0 {
                let text = format!("{who}{}.", unanswered(recorder, bound, (&p, found), each));
                return Some(
                    Said::new(seen.about(group), text)
                        .with("bound_ms", bound / 1e6)
                        .with("within_bound_share", 1.0 - recorder.late_share())
                        .with("answered_latency_percentile_ms", found / 1e6)
                        .with("lost_count", recorder.lost() as f64)
                        .with("rejected_count", recorder.rejected() as f64)
                        .with("missing_count", misses as f64)
                        .with("percentile", settings.percentile)
                        .with("completed_per_s", each),
                );
            }
            let how = match found <= bound {
                true => {
                    format!("{} below the bound of {}", percent(1.0 - found / bound), ns(bound))
                }
                false => format!("{} the bound of {}", times(found / bound), ns(bound)),
            };
            let without = without_answer(recorder);
            let without = without.map_or(String::new(), |words| format!("; {words}"));
            Said::new(
                seen.about(group),
                format!("{who}{p} is {}, {how}, at {}{without}.", ns(found), rate(each)),
            )
            .with("bound_ms", bound / 1e6)
            .with("latency_percentile_ms", found / 1e6)
            .with("missing_count", misses as f64)
        }
        _ => return None,
    };
    Some(said.with("percentile", settings.percentile).with("completed_per_s", each))
}

/// Of a VM that misses its bound and left queries without an answer.
fn unanswered(recorder: &Recorder, bound: f64, (p, found): (&str, f64), each: f64) -> String {
    let within = percent(1.0 - recorder.late_share());
    let without = without_answer(recorder).unwrap_or_default();
    let answered = match recorder.latencies().count() {
        0 => String::new(),
        _ => format!("; {p} of those that were answered is {}, at {}", ns(found), rate(each)),
    };
    format!(
        "{within} of the queries are answered within the bound of {}: {without}{answered}",
        ns(bound)
    )
}

/// How many queries have no answer, and why; nothing where all have.
fn without_answer(recorder: &Recorder) -> Option<String> {
    let all = recorder.answered();
    match (recorder.lost(), recorder.rejected()) {
        (0, 0) => None,
        (0, rejected) => Some(format!("{rejected} of {all} queries were rejected")),
        (lost, 0) => Some(format!("{lost} of {all} queries were lost, since it was down")),
        (lost, rejected) => Some(format!(
            "{lost} of {all} queries were lost, since it was down, and {rejected} rejected"
        )),
    }
}
