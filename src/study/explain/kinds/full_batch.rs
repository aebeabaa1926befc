//! `full-batch`: a server that waits for a full batch, and how long its first query waits.

use super::super::batch::asked;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{ns, percent, rate};
use crate::spec::{BatchRule, TestScenario};

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.groups.iter().filter_map(|group| {
        let vm = seen.first(group);
        let waits = vm.server.batch_rule == BatchRule::Full && vm.server.batch_max > 1;
        if !waits || vm.is_ensemble() || !vm.load.scenario.has_queue() {
            return None;
        }
        let per_s = asked(seen.experiment, group.vms[0]).filter(|rate| *rate > 0.0)?;
        let size = vm.server.batch_max;
        let fill = f64::from(size - 1) / per_s * 1e9;
        let limit = vm.server.timeout.map(|timeout| timeout.as_nanos_f64());
        let wait = limit.map_or(fill, |limit| limit.min(fill));
        let until = match limit {
            Some(limit) if limit < fill => format!(", but no longer than the timeout of {}", ns(limit)),
            Some(_) => String::new(),
            None => " and has no timeout".to_string(),
        };
        let bound = vm.load.settings.target_latency.as_nanos_f64();
        let of_bound = match vm.load.scenario {
            TestScenario::Server => {
                format!(": {} of the bound of {}", percent(wait / bound.max(1.0)), ns(bound))
            }
            _ => String::new(),
        };
        let text = format!(
            "The server waits for full batches of {size}{until}: at {} the first query of a batch waits {}{of_bound}.",
            rate(per_s),
            ns(wait)
        );
        let said = Said::new(seen.about(group), text)
            .with("fill_ms", fill / 1e6)
            .with("first_waits_ms", wait / 1e6)
            .with("full_batch_samples", f64::from(size));
        Some(said)
    });
    said.collect()
}
