//! The latency chart: percentiles of every Server run, published beside simulated, with the bound.
//!
//! It leaves out Offline runs, whose latencies are completion times within one huge query.

use super::super::number::{self, clip, percent, plain};
use super::figure::{Align, Figure, colour, size};
use super::scale::Scale;
use crate::study::{Results, RunResult, VmResult};

/// The percentiles shown.
const PERCENTILES: [&str; 5] = ["p50", "p90", "p97", "p99", "p999"];

const ROW: f64 = 34.0;
const TOP: f64 = 150.0;
const PANEL_HEIGHT: f64 = 40.0 + ROW * PERCENTILES.len() as f64 + 46.0;
/// Left edges of the two columns of panels; then within a panel the axis and the errors' right edge.
const PANELS: [f64; 2] = [20.0, 610.0];
const AXIS: (f64, f64) = (92.0, 455.0);
const ERRORS: f64 = 566.0;

/// The chart; nothing where no Server run has published latencies.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let panels: Vec<_> = results
        .vms()
        .filter(|(_, vm)| vm.scenario == "server")
        .filter(|(_, vm)| {
            vm.published.as_ref().is_some_and(|published| !published.latency_ms.is_empty())
        })
        .collect();
    if panels.is_empty() {
        return None;
    }
    let height = TOP + PANEL_HEIGHT * panels.len().div_ceil(2) as f64 + 50.0;
    let title = "Latency of the Server runs, published beside simulated";
    let mut figure = Figure::new(
        height,
        title,
        "percentiles, in milliseconds; on the right the error of the simulated figure",
    );
    legend(&mut figure);
    let scale = Scale::fitting(&times(&panels), AXIS);
    for (index, (run, vm)) in panels.iter().enumerate() {
        let corner = (PANELS[index % 2], TOP + PANEL_HEIGHT * (index / 2) as f64);
        panel(&mut figure, scale, corner, run, vm);
    }
    figure.text((600.0, height - 26.0), "latency (ms)", Align::Middle, colour::QUIET);
    Some(figure)
}

/// Every time on any panel, bounds included: all panels share one axis.
fn times(panels: &[(&RunResult, &VmResult)]) -> Vec<f64> {
    let of_one = |vm: &VmResult| {
        let simulated = PERCENTILES.map(|name| vm.latency_ms.get(name));
        let measured = PERCENTILES.map(|name| published(vm, name));
        let all = simulated.into_iter().chain(measured).flatten();
        all.chain([vm.target_latency_ms]).filter(|ms| ms.is_finite()).collect::<Vec<_>>()
    };
    panels.iter().flat_map(|(_, vm)| of_one(vm)).collect()
}

fn published(vm: &VmResult, name: &str) -> Option<f64> {
    vm.published.as_ref()?.latency_ms.get(name).copied().filter(|ms| *ms > 0.0)
}

fn legend(figure: &mut Figure) {
    let y = 112.0;
    figure.ring((42.0, y));
    figure.text((62.0, y), "published", Align::Right, colour::INK);
    figure.dot((222.0, y));
    figure.text((240.0, y), "simulated", Align::Right, colour::BLUE);
    figure.dashes((396.0, y), (440.0, y), 3.0, colour::VERMILION);
    figure.text((452.0, y), "bound on latency", Align::Right, colour::VERMILION);
}

/// One run's percentiles, one row each.
fn panel(
    figure: &mut Figure,
    scale: Scale,
    (left, top): (f64, f64),
    run: &RunResult,
    vm: &VmResult,
) {
    let (rows, x) = (top + 40.0, |value: f64| left + scale.place(value));
    let bottom = rows + ROW * PERCENTILES.len() as f64;
    let title = clip(&format!("{}, {}", run.name, run.platform), 37);
    figure.label((left + 10.0, top + 18.0), &title, size::HEAD, Align::Right, colour::INK).bold =
        true;
    figure.ticks((scale, left), 5, (rows, bottom, 18.0), tick_text);
    let bound = x(vm.target_latency_ms);
    figure.dashes((bound, rows), (bound, bottom), 3.0, colour::VERMILION);
    for (index, name) in PERCENTILES.into_iter().enumerate() {
        let y = rows + ROW * (index as f64 + 0.5);
        figure.text((left + AXIS.0 - 14.0, y), number::percentile(name), Align::Left, colour::INK);
        percentile(figure, &x, (left + ERRORS, y), name, vm);
    }
}

/// One percentile: ring, dot, and the error at the right.
fn percentile(
    figure: &mut Figure,
    x: &impl Fn(f64) -> f64,
    (right, y): (f64, f64),
    name: &str,
    vm: &VmResult,
) {
    let simulated = vm.latency_ms.get(name).filter(|ms| ms.is_finite() && *ms > 0.0);
    let measured = published(vm, name);
    if let (Some(simulated), Some(measured)) = (simulated, measured) {
        figure.line(&[(x(simulated), y), (x(measured), y)], 3.0, colour::QUIET);
    }
    if let Some(measured) = measured {
        figure.ring((x(measured), y));
    }
    if let Some(simulated) = simulated {
        figure.dot((x(simulated), y));
    }
    if let Some(error) = vm.published.as_ref().and_then(|p| p.error_percent.get(name)) {
        figure.text((right, y), &format!("{} %", percent(*error)), Align::Left, colour::BLUE);
    }
}

/// A time on the axis; long ones in seconds, with the unit.
fn tick_text(ms: f64) -> String {
    if ms < 10_000.0 { plain(ms) } else { format!("{} s", plain(ms / 1000.0)) }
}
