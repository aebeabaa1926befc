//! The sheets of power: watts of each host and of each card.
//!
//! The table shows the sum of a run.

use super::parts::Part;
use super::sheet::{Row, Sheet};
use crate::study::{PowerResult, Results, RunResult};

/// The sheets; none where no run tells watts.
pub(super) fn sheets(results: &Results) -> Vec<Part> {
    let runs = || results.runs.iter().filter_map(|run| Some((run, run.power.as_ref()?)));
    if runs().next().is_none() {
        return Vec::new();
    }
    let fails = runs().flat_map(|(_, power)| &power.hosts).any(|host| host.failed_share > 0.0);
    let cards = runs().flat_map(|(run, power)| {
        power.cards.iter().map(move |card| {
            let mut row = Row::of_run(run);
            row.add("card", u32::from(card.card));
            row.add("model", &card.model);
            row.add("idle_w", card.idle_w);
            row.add("context_w", card.context_w);
            row.add("busy_w", card.busy_w);
            row.add("mean_w", card.mean_w);
            row
        })
    });
    let hosts = runs().flat_map(|(run, power)| {
        power.hosts.iter().map(move |host| {
            let mut row = Row::of_run(run);
            row.add("host", u32::from(host.host));
            row.add("model", &host.model);
            row.add("idle_w", host.idle_w);
            row.add("processors_busy_share", host.processors_busy_share);
            row.add("processors_w", host.processors_w);
            row.add("cards_w", host.cards_w);
            row.add("standby_share", host.standby_share);
            if fails {
                row.add("failed_share", host.failed_share);
            }
            row.add("mean_w", host.mean_w);
            row
        })
    });
    vec![
        Part::Sheet(Sheet::of_rows("power", runs().map(of_run))),
        Part::Sheet(Sheet::of_rows("power-hosts", hosts)),
        Part::Sheet(Sheet::of_rows("power-cards", cards)),
    ]
}

fn of_run((run, power): (&RunResult, &PowerResult)) -> Row {
    let mut row = Row::of_run(run);
    row.add("mean_w", power.mean_w);
    row.add("mean_low_w", power.mean_w_range.map(|[low, _]| low));
    row.add("mean_high_w", power.mean_w_range.map(|[_, high]| high));
    row.add("joule_per_sample", power.joule_per_sample);
    row.add("joule_per_sample_low", power.joule_per_sample_range.map(|[low, _]| low));
    row.add("joule_per_sample_high", power.joule_per_sample_range.map(|[_, high]| high));
    row.add("kwh", power.kwh);
    row.add("kwh_per_day", power.kwh_per_day);
    row.add("not_known", power.not_known.join("; "));
    row
}
