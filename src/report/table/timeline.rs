//! The table of a timeline: what each owner had of each engine in the window.

use super::super::number::{instant, latency, plain};
use super::grid::{Column, Columns};
use super::page;
use crate::platform::WindowEnd;
use crate::report::width::Width;
use crate::shown::shown;
use crate::spec::InstanceSharing;
use crate::study::{EngineTime, Head, Side, TimelineResults};
use crate::units::{SimDuration, counted};

/// The whole text.
pub fn render_timeline(results: &TimelineResults, width: Width) -> String {
    let mut blocks = vec![width.lines(&results.head.title), width.lines(&window(results))];
    blocks.push(engines(results, width));
    let instances = || results.timeline.cards.iter().flat_map(|card| &card.instances);
    let turns = instances().any(|instance| instance.sharing.takes_turns());
    blocks.push(width.said(if turns { OF_TURNS } else { OF_OWNERS }));
    if instances().any(|instance| instance.nodes.iter().any(Option::is_some)) {
        blocks.push(width.said(OF_PODS));
    }
    let Head { tool, scenario_hash, seed, .. } = &results.head;
    blocks.push(
        width.said(&format!(
            "{} {}, scenario {scenario_hash}, seed {seed}",
            tool.name, tool.version
        )),
    );
    page(blocks)
}

/// What the columns are, with turns and without.
const OF_TURNS: &str = "In milliseconds. overshoot: work past the end of a slice while another waited, \
part of run; burned: its turn, but no work of its own, while another had work; idle: its turn, and \
nobody had work; switch: the engine on its way to it. run %: of the window.";
const OF_OWNERS: &str =
    "run: in milliseconds, while it has a batch on the GPU. run %: of the window.";

const OF_PODS: &str = "A VM with pods has a row, and each pod one for its turns within those of the VM: switches from \
pod to pod are told there.";

/// Which run, and which part of it.
fn window(results: &TimelineResults) -> String {
    let timeline = &results.timeline;
    let side = match (results.side, results.baseline_kind) {
        (Side::Baseline, Some(kind)) => format!(" ({})", kind.replace('-', " ")),
        _ => String::new(),
    };
    let ending = match timeline.ending {
        WindowEnd::Asked => String::new(),
        WindowEnd::RunOver => ", where the run was over".to_string(),
        WindowEnd::Full => {
            ", where the trace held the most slices that one may: ask for less with --for"
                .to_string()
        }
    };
    format!(
        "{}{side}, {}, from {} to {}{ending}; {}",
        shown(&results.run),
        results.platform,
        instant(timeline.from),
        instant(timeline.until),
        counted(timeline.batches.len(), "batch"),
    )
}

fn engines(results: &TimelineResults, width: Width) -> String {
    use Column::{Number, Text};
    let timeline = &results.timeline;
    let cut = timeline.cards.iter().any(|card| card.instances.len() > 1);
    let mut instances = timeline.cards.iter().flat_map(|card| &card.instances);
    let turns = instances.clone().any(|instance| instance.sharing.takes_turns());
    let side_by_side = instances.any(|instance| {
        matches!(instance.sharing, InstanceSharing::Mps(_) | InstanceSharing::Models)
    });
    type Line<'a> = (&'a TimelineResults, &'a EngineTime);
    Columns::new()
        .with("GPU", Text, |(_, time): &Line<'_>| time.card.to_string())
        .when(cut, "instance", Text, |(results, time)| {
            let instance = &results.timeline.cards[time.card].instances[time.instance];
            instance.profile.clone().unwrap_or_else(|| "whole".to_string())
        })
        .with("owner", Text, |(_, time)| time.owner.clone())
        .when(turns, "turns", Number, |(_, time)| time.turns.to_string())
        .with("run", Number, |(_, time)| milliseconds(time.run))
        .when(turns, "overshoot", Number, |(_, time)| milliseconds(time.overshoot))
        .when(turns, "burned", Number, |(_, time)| milliseconds(time.burned))
        .when(turns, "idle", Number, |(_, time)| milliseconds(time.rest))
        .when(turns, "switch", Number, |(_, time)| milliseconds(time.switch))
        .with("run %", Number, |(results, time)| {
            let window = results.timeline.until.saturating_since(results.timeline.from);
            plain((time.run / window * 1000.0).round() / 10.0)
        })
        .when(side_by_side, "SMs %", Number, |(results, time)| {
            let window = results.timeline.until.saturating_since(results.timeline.from);
            plain((time.sm_time / window.as_secs_f64() * 1000.0).round() / 10.0)
        })
        .of(results.engine_times.iter().map(|time| (results, time)))
        .finish(width)
}

fn milliseconds(span: SimDuration) -> String {
    latency(span.as_millis_f64())
}
