//! The table of a search for layouts: one line per layout, then its cards, and what was left out.

use super::super::number::{latency, latency_span, or_dash, plain, span};
use super::grid::{Column, Columns, Grid};
use super::{footer, page, scaled, verdict};
use crate::report::width::Width;
use crate::study::{
    CardAnswer, Ended, KindAsked, NearestAnswer, PlanAnswer, PlanResults, VmsOnCard,
};
use crate::units::counted;

/// The whole text.
pub fn render_plan(results: &PlanResults, width: Width) -> String {
    let mut blocks = vec![
        width.lines(&results.head.title),
        verdict(&results.verdict, width),
        scaled(&results.scaled, width),
        asked(&results.kinds).finish(width),
    ];
    if !results.layouts.is_empty() {
        blocks.push(layouts(results).finish(width));
        blocks.extend([width.said(&legend(results)), by_card(results, width)]);
    }
    blocks.extend(results.nearest.as_ref().map(|near| nearest(near, width)));
    blocks.extend([
        tried(results).iter().map(|line| width.item(line)).collect(),
        width.items("note", &results.notes),
    ]);
    blocks.push(footer(&results.head, &results.leans_on, "plan.json", width));
    page(blocks)
}

/// What the VMs are asked.
pub(in crate::report) fn asked(kinds: &[KindAsked]) -> Grid {
    use Column::{Number, Text};
    Columns::new()
        .with("VMs", Number, |kind: &&KindAsked| kind.count.to_string())
        .with("each", Text, |kind| kind.name.clone())
        .with("workload", Text, |kind| kind.workload.clone())
        .with("per s", Number, |kind| plain(kind.asked_per_s))
        .with("within ms", Number, |kind| plain(kind.target_latency_ms))
        .with("for", Text, |kind| format!("p{}", plain(kind.percentile)))
        .with("batch up to", Number, |kind| kind.batch_max.to_string())
        .of(kinds)
}

/// One line per layout.
pub(in crate::report) fn layouts(results: &PlanResults) -> Grid {
    use Column::{Number, Text};
    let priced = results.currency.is_some();
    let open = results.layouts.iter().any(|layout| layout.headroom_inputs.is_some());
    Columns::new()
        .with("layout", Number, |layout: &&PlanAnswer| layout.rank.to_string())
        .with("cards", Text, |layout| models(layout))
        .when(priced, "per hour", Number, |layout| or_dash(layout.cost_per_hour, plain))
        .when(priced, "per 1000", Number, |layout| {
            or_dash(layout.cost_per_1000, |cost| format!("{cost:.5}"))
        })
        .with("shared by", Text, |layout| shared_by(layout))
        .with("worst VM", Text, |layout| layout.worst_vm.clone())
        .with("latency ms", Number, |layout| {
            let worst = layout.vms.iter().find(|vm| vm.name == layout.worst_vm);
            or_dash(worst, |vm| latency(vm.latency_ms.mean))
        })
        .when(open, "inputs", Number, |layout| {
            let worst = layout.vms.iter().find(|vm| vm.name == layout.worst_vm);
            or_dash(worst.and_then(|vm| vm.latency_inputs_ms), latency_span)
        })
        .with("of", Number, |layout| {
            let worst = layout.vms.iter().find(|vm| vm.name == layout.worst_vm);
            or_dash(worst, |vm| plain(vm.target_latency_ms))
        })
        .with("headroom", Number, |layout| percent(layout.headroom))
        .when(open, "inputs", Number, |layout| {
            or_dash(layout.headroom_inputs, |ends| span(ends, percent))
        })
        .with("J a query", Number, |layout| span(layout.joules_per_query, plain))
        .of(&results.layouts)
}

pub(in crate::report) fn percent(part: f64) -> String {
    format!("{:.0} %", 100.0 * part)
}

/// `2 a30, 1 a10`.
fn models(layout: &PlanAnswer) -> String {
    let words = layout.models().into_iter().map(|(model, count)| format!("{count} {model}"));
    words.collect::<Vec<_>>().join(", ")
}

/// What VMs have, over all cards, and how they take turns.
fn shared_by(layout: &PlanAnswer) -> String {
    let mut held: Vec<&str> = Vec::new();
    for vms in layout.by_card.iter().flat_map(|card| &card.vms) {
        if !held.contains(&vms.held.name()) {
            held.push(vms.held.name());
        }
    }
    let held = held.join(", ");
    layout.policy.as_ref().map_or(held.clone(), |policy| format!("{policy}: {held}"))
}

/// What the figures are.
pub(in crate::report) fn legend(results: &PlanResults) -> String {
    let inputs = match results.layouts.iter().any(|layout| layout.headroom_inputs.is_some()) {
        true => {
            " \"inputs\": with other fits nearly as good, with what was not measured at the ends of \
             its range, on slow and fast machines (5th and 95th percentile), and under the other \
             rule for idle turns."
        }
        false => "",
    };
    let runs = results.runs_full;
    format!(
        "Every VM holds its bound in {} of full length with other random numbers, and by as \
         much that a further one misses it with a probability of half a percent at most. Latencies are at \
         the percentile of the load. \"headroom\" is 1 - latency / bound of the VM nearest to its \
         bound, the least of them.{inputs}",
        counted(runs as usize, "run")
    )
}

fn by_card(results: &PlanResults, width: Width) -> String {
    /// The others are in the files.
    const SHOWN: usize = 3;
    let shown = if width.shows_each() { results.layouts.len() } else { SHOWN };
    let mut text = String::new();
    for layout in results.layouts.iter().take(shown) {
        let lines = alike(&layout.by_card).into_iter().map(|(cards, card)| {
            let number = match cards.len() {
                1 => format!("GPU {}", cards[0]),
                many => format!("{} alike", counted(many, "GPU")),
            };
            let line = format!(
                "{number} ({}): {}; busy {}",
                card.model,
                in_words(&card.vms),
                percent(card.busy).replace(' ', "\u{a0}")
            );
            width.indented(1, &line)
        });
        let lines: String = lines.collect();
        text += &width.under(&format!("layout {} ({})", layout.rank, layout.file), lines);
    }
    text
}

/// The layout that comes nearest, where none holds.
fn nearest(near: &NearestAnswer, width: Width) -> String {
    let cards = near.models.iter().zip(&near.by_card).enumerate();
    let lines = cards.map(|(id, (model, vms))| {
        width.indented(1, &format!("GPU {id} ({model}): {}", in_words(vms)))
    });
    let policy = near.policy.as_ref().map_or(String::new(), |policy| format!(", {policy}"));
    let head = format!(
        "nearest ({}{policy}): the worst VM takes {:.2} times its bound in a short run",
        near.file, near.over_bound
    );
    width.under(&head, lines.collect())
}

/// `4 x images (A30-6C, batch 8), 1 x detect (A30-6C, batch 4)`.
pub(in crate::report) fn in_words(vms: &[VmsOnCard]) -> String {
    let each = vms.iter().map(|vms| {
        format!("{} x {} ({}, batch {})", vms.count, vms.kind, vms.held.name(), vms.batch_max)
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Cards with the same VMs together.
fn alike(cards: &[CardAnswer]) -> Vec<(Vec<usize>, &CardAnswer)> {
    let mut found: Vec<(Vec<usize>, &CardAnswer)> = Vec::new();
    for card in cards {
        let same = |(_, known): &&mut (Vec<usize>, &CardAnswer)| {
            known.model == card.model && known.vms == card.vms
        };
        match found.iter_mut().find(same) {
            Some((ids, _)) => ids.push(card.id),
            None => found.push((vec![card.id], card)),
        }
    }
    found
}

/// What was looked at, what was left out, and what was not tried.
pub(in crate::report) fn tried(results: &PlanResults) -> Vec<String> {
    let mut lines = vec![format!(
        "looked at: {} of VMs on a card, by {}",
        counted(results.sets_judged, "set"),
        counted(results.runs_short, "short run")
    )];
    lines.extend(results.without.iter().map(|one| match one.over_bound {
        Some(over) if over > 1.0 => format!(
            "no layout with {}: in the nearest a VM takes {over:.2} times its bound",
            one.way
        ),
        Some(_) => format!(
            "no layout with {}: the nearest holds the bounds in short runs, but not surely at full \
             length",
            one.way
        ),
        None if results.ended != Ended::Complete => {
            format!("no layout with {}: none was looked at in time", one.way)
        }
        None => format!(
            "no layout with {}: for none that was looked at bounds and memory allow a run",
            one.way
        ),
    }));
    if !results.left_out.is_empty() {
        let each = results.left_out.iter();
        let each: Vec<String> = each.map(|one| format!("{} {}", one.ways, one.by)).collect();
        lines.push(format!("left out, by reason: {}", each.join(", ")));
    }
    let ended = match results.ended {
        Ended::Complete => None,
        Ended::Work => Some("the search ended at its limit on work"),
        Ended::Stopped => Some("the search was stopped"),
    };
    let all = ended.into_iter().chain(results.not_tried.iter().map(String::as_str));
    lines.extend(all.map(|line| format!("not tried: {line}")));
    lines
}
