//! The latency chart: percentiles of every Server run, published beside simulated, with the bound.
//!
//! It leaves out Offline runs, whose latencies are completion times within one huge query.

use super::super::number::{self, percent, plain, with_unit};
use super::figure::{Align, Figure};
use super::scale::Scale;
use super::style::{self, row::TEXT as ROW_OF_TEXT, stroke};
use crate::study::{Results, RunResult, VmResult};

/// The percentiles shown.
const PERCENTILES: [&str; 5] = ["p50", "p90", "p97", "p99", "p999"];

const ROW: f64 = 34.0;
/// Below the rows of a panel: the values of the axis, and air.
const BELOW: f64 = 46.0;
/// Left edges of the two columns of panels; then within a panel the axis and the errors' right edge.
const PANELS: [f64; 2] = [20.0, 610.0];
const AXIS: (f64, f64) = (92.0, 455.0);
const ERRORS: f64 = 566.0;
/// The room for the name of a panel.
const NAME: f64 = 540.0;

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
    let title = "Latency of the Server runs, published beside simulated";
    let scale = Scale::fitting(&times(&panels), AXIS);
    let below = format!(
        "percentiles, in {}; on the right the error of the simulated figure",
        scale.unit("milliseconds")
    );
    let mut figure = Figure::new(title, &below);
    let names: Vec<String> = panels
        .iter()
        .map(|(run, vm)| format!("{}, {}", run.name_of(&vm.name), run.place()))
        .collect();
    for ((_, vm), name) in panels.iter().zip(&names) {
        tell(&mut figure, vm, name);
    }
    legend(&mut figure);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = style::names(&names, 4, NAME, true);
    for (panels, names) in panels.chunks(2).zip(names.chunks(2)) {
        let rows = names.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let top = figure.height + ROW_OF_TEXT * rows + 12.0;
        for (((_, vm), name), left) in panels.iter().zip(names).zip(PANELS) {
            let first = top - 6.0 - ROW_OF_TEXT * (name.len() as f64 - 0.5);
            figure.rows((left + 10.0, first), name, Align::Right, true);
            panel(&mut figure, scale, (left, top), vm);
        }
        figure.height = top + ROW * PERCENTILES.len() as f64 + BELOW;
    }
    figure.axis_label((600.0, 1000.0), &format!("latency, {}", scale.unit("ms")));
    figure.height += 16.0;
    Some(figure)
}

/// A panel in words.
fn tell(figure: &mut Figure, vm: &VmResult, name: &str) {
    let figures = PERCENTILES.iter().filter_map(|of| {
        let (simulated, published) = (vm.latency_ms.get(of)?, published(vm, of)?);
        let of = number::percentile(of);
        Some(format!("{of} simulated {}, published {}", with_unit(simulated), with_unit(published)))
    });
    let figures = figures.collect::<Vec<_>>().join("; ");
    figure.tell(format!("{name}: {figures}; bound {}.", with_unit(vm.target_latency_ms)));
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
    let y = figure.height + 18.0;
    figure.ring((42.0, y));
    figure.text((62.0, y), "published", Align::Right, style::INK);
    figure.dot((222.0, y));
    figure.text((240.0, y), "simulated", Align::Right, style::BLUE);
    figure.dashes((396.0, y), (440.0, y), stroke::MARK, style::VERMILION);
    figure.text((452.0, y), "bound on latency", Align::Right, style::VERMILION);
    figure.height += 40.0;
}

/// One run's percentiles, one row each.
fn panel(figure: &mut Figure, scale: Scale, (left, rows): (f64, f64), vm: &VmResult) {
    let x = |value: f64| left + scale.place(value);
    let bottom = rows + ROW * PERCENTILES.len() as f64;
    figure.ticks((scale, left), 5, (rows, bottom, 18.0), tick_text);
    let bound = x(vm.target_latency_ms);
    figure.dashes((bound, rows), (bound, bottom), stroke::MARK, style::VERMILION);
    for (index, name) in PERCENTILES.into_iter().enumerate() {
        let y = rows + ROW * (index as f64 + 0.5);
        figure.text((left + AXIS.0 - 14.0, y), number::percentile(name), Align::Left, style::INK);
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
        figure.line(&[(x(simulated), y), (x(measured), y)], stroke::MARK, style::QUIET);
    }
    if let Some(measured) = measured {
        figure.ring((x(measured), y));
    }
    if let Some(simulated) = simulated {
        figure.dot((x(simulated), y));
    }
    if let Some(error) = vm.published.as_ref().and_then(|p| p.error_percent.get(name)) {
        figure.text((right, y), &format!("{} %", percent(*error)), Align::Left, style::BLUE);
    }
}

/// A time on the axis; long ones in seconds, with the unit.
pub(super) fn tick_text(ms: f64) -> String {
    if ms < 10_000.0 { plain(ms) } else { format!("{} s", plain(ms / 1000.0)) }
}
