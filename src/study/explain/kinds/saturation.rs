//! `saturation`: the highest rate at full batches, what sets it, and how much of it is asked.

use super::super::batch::asked;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{percent, rate};
use crate::spec::TestScenario;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        // Who asks one query at a time never asks for more.
        if !seen.first(group).load.scenario.has_queue() {
            return None;
        }
        let [busy, alone] = batches.ceilings()?;
        let size = batches.full();
        let with = if size > 1 { format!(" with batches of {size}") } else { String::new() };
        let most = match busy.per_s < alone.per_s * 0.995 {
            true => format!(
                "{} while the others are busy and {} while they are not",
                rate(busy.per_s),
                rate(alone.per_s)
            ),
            false => rate(alone.per_s),
        };
        let by = alone.by;
        let per_s = match seen.first(group).load.scenario {
            TestScenario::Server => asked(seen.experiment, group.vms[0]).filter(|rate| *rate > 0.0),
            _ => None,
        };
        let is_asked = match per_s {
            Some(per_s) if per_s > alone.per_s => format!(
                "; {} are asked, {} of it: queues grow for as long as the load lasts",
                rate(per_s),
                percent(per_s / alone.per_s)
            ),
            Some(per_s) if per_s > busy.per_s => format!(
                "; {} are asked, {} of the first: it leans on idle time of the others",
                rate(per_s),
                percent(per_s / busy.per_s)
            ),
            Some(per_s) => format!("; {} are asked, {}", rate(per_s), percent(per_s / busy.per_s)),
            None => String::new(),
        };
        let text =
            format!("{} can do at most {most}{with} ({by} sets that){is_asked}.", seen.each(group));
        let said = Said::new(
            seen.about(group),
            text.replace("vCPUs sets", "vCPUs set")
                .replace("flight sets", "flight set")
                .replace("clients sets", "clients set"),
        )
        .with("most_beside_busy_per_s", busy.per_s)
        .with("most_alone_per_s", alone.per_s)
        .with("full_batch_samples", f64::from(size));
        Some(match per_s {
            Some(per_s) => said.with("asked_per_s", per_s).with("asked_share", per_s / busy.per_s),
            None => said,
        })
    });
    said.collect()
}
