//! The explanation of published ratios: the factors, the settings one by one, and the latencies of
//! both sides at the same rates.

use super::super::number::{latency, rate};
use super::grid::{Column, Columns, Grid};
use crate::report::width::Width;
use crate::study::{CapacityResults, Gap, Interval};

/// The blocks; none where no published ratio is explained.
pub(super) fn gaps(results: &CapacityResults, width: Width) -> Vec<String> {
    if results.gaps.is_empty() {
        return Vec::new();
    }
    let (factors, said) = factors(results);
    let steps: String = steps(results).iter().map(|line| width.item(line)).collect();
    vec![factors.finish(width) + &width.said(said), steps, same_rate(results).finish(width)]
}

/// The published ratio as a product, and what its factors are.
pub(in crate::report) fn factors(results: &CapacityResults) -> (Grid, &'static str) {
    use Column::{Attached, Number, Text};
    let several = results.replications > 1;
    let grid = Columns::new()
        .with("published", Text, |gap: &&Gap| gap.name.clone())
        .with("ratio", Number, |gap| three(gap.published_ratio))
        .with("= hypervisor", Number, |gap| three(gap.hypervisor.mean))
        .when(several, "±", Attached, |gap| half(gap.hypervisor))
        .with("x settings", Number, |gap| three(gap.settings.mean))
        .when(several, "±", Attached, |gap| half(gap.settings))
        .with("x chosen rate", Number, |gap| three(gap.chosen_rate.mean))
        .when(several, "±", Attached, |gap| half(gap.chosen_rate))
        .with("x rest", Number, |gap| three(gap.rest))
        .with("VM load", Number, |gap| three(gap.virtual_load.mean))
        .with("bare load", Number, |gap| three(gap.baseline_load.mean))
        .of(&results.gaps);
    (grid, SAID)
}

/// What the factors are.
const SAID: &str = "ratio: published rate of the VM over that of bare metal, a product. \
    hypervisor: capacity of the VM over bare metal with the same settings. settings: capacity of \
    bare metal with the VM's settings over that with its own. chosen rate: the load at which the \
    VM was submitted over that of bare metal, each relative to its own simulated capacity. rest: \
    published over submitted \
rates.";

/// The settings one by one, one line per pair.
pub(in crate::report) fn steps(results: &CapacityResults) -> Vec<String> {
    let lines = results.gaps.iter().map(|gap| {
        let steps = gap.settings_in_detail.iter();
        let steps: Vec<_> =
            steps.map(|step| format!("{}: {}", step.setting, three(step.factor.mean))).collect();
        let steps = if steps.is_empty() { "the same".to_string() } else { steps.join("; ") };
        format!("settings of {} (VM -> bare metal): {steps}", gap.name)
    });
    lines.collect()
}

/// Latencies at both submitted rates.
pub(in crate::report) fn same_rate(results: &CapacityResults) -> Grid {
    use Column::{Number, Text};
    let columns = [
        ("at the same rate", Text),
        ("asked /s", Number),
        ("system", Text),
        ("p50 ms", Number),
        ("p90 ms", Number),
        ("p99 ms", Number),
        ("verdict", Text),
    ];
    let mut grid = Grid::new(&columns);
    for (index, gap) in results.gaps.iter().enumerate() {
        if index > 0 {
            grid.gap();
        }
        for found in &gap.latencies {
            let latencies = [found.latency_p50_ms, found.latency_p90_ms, found.latency_p99_ms];
            let mut cells = vec![gap.name.clone(), rate(found.asked_per_s)];
            cells.push(found.system.to_string());
            cells.extend(latencies.map(latency));
            cells.push(if found.valid { "VALID" } else { "INVALID" }.to_string());
            grid.line(cells);
        }
    }
    grid
}

fn three(ratio: f64) -> String {
    format!("{ratio:.3}")
}

fn half(interval: Interval) -> String {
    interval.half_width.map_or(String::new(), |half| format!("{half:.4}"))
}
