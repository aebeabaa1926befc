//! `not-needed`: every bound is kept, so that nothing has to change.

use super::super::seen::Seen;
use super::super::sentence::{About, Said};
use super::super::words::percent;
use crate::spec::TestScenario;

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
    let text = format!(
        "Nothing has to change: every bound is kept, that of {} with {} to spare. What follows is for less latency still.",
        seen.vm(worst).name,
        percent(1.0 - near)
    );
    vec![Said::new(About::default(), text).with("to_spare_share", 1.0 - near)]
}
