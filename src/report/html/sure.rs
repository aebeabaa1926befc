//! How sure the figures of a run are, on its page: other inputs, other random numbers, what is assumed.

use super::page::Page;
use super::rows::{Of, badness};
use super::table::Table;
use crate::report::number::{latency, latency_span, or_dash, rate, span, with_unit};
use crate::report::table::{Column, Columns, Grid};
use crate::study::{Results, VmResult};
use crate::units::counted;
use Column::{Number, Text};

/// The file with a row for each VM.
const ROWS: &str = "summary.csv";

/// The figures among the inputs that measurements leave open.
pub(super) fn inputs(page: &mut Page, results: &Results) {
    fn ends(vm: &VmResult, name: &str) -> String {
        let fits = vm.fits.as_ref();
        or_dash(fits.and_then(|fits| fits.latency_ms.get(name)), |ends| latency_span(*ends))
    }
    let rows: Vec<Of<'_>> = results.vms().filter(|(_, vm)| vm.fits.is_some()).collect();
    if rows.is_empty() {
        return;
    }
    let badness = rows.iter().map(|(_, vm)| badness(vm)).collect();
    let grid = Columns::new()
        .with("VM", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .with("samples /s", Number, |(_, vm)| {
            or_dash(vm.fits.as_ref(), |fits| span(fits.completed_per_s, rate))
        })
        .with("p50, ms", Number, |(_, vm)| ends(vm, "p50"))
        .with("p99, ms", Number, |(_, vm)| ends(vm, "p99"))
        .of(rows);
    let table = Table::of("Least and greatest figures among possible inputs", grid, ROWS);
    page.table(table.worst_by("p99 over its bound", badness));
    page.said(
        "On slow and fast machines (5th and 95th percentile), with other fits of the \
         measurements that are nearly as good, and with inputs that were not measured at the ends \
         of their ranges.",
    );
}

pub(super) fn replications(page: &mut Page, results: &Results) {
    fn told(vm: &VmResult, name: &str) -> String {
        let all = vm.uncertainty.replications.as_ref();
        or_dash(all.and_then(|all| all.latency_ms.get(name)), |one| match one.half_width {
            Some(half) => format!("{} ± {}", latency(one.mean), latency(half)),
            None => latency(one.mean),
        })
    }
    let rows: Vec<Of<'_>> = results.vms().filter(|(_, vm)| vm.scenario != "offline").collect();
    let Some(count) =
        rows.iter().find_map(|(_, vm)| Some(vm.uncertainty.replications.as_ref()?.count))
    else {
        return;
    };
    let badness = rows.iter().map(|(_, vm)| badness(vm)).collect();
    let more = rows.iter().any(|(_, vm)| vm.uncertainty.more_work.is_some());
    let grid = Columns::new()
        .with("VM", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .with("p50, ms", Number, |(_, vm)| told(vm, "p50"))
        .with("p99, ms", Number, |(_, vm)| told(vm, "p99"))
        .with("samples beyond p99", Number, |(_, vm)| {
            or_dash(vm.uncertainty.samples_beyond.get("p99"), u64::to_string)
        })
        .when(more, "GPU busy", Number, |(_, vm)| {
            or_dash(vm.uncertainty.more_work, |more| format!("{:.0} %", more.load * 100.0))
        })
        .when(more, "p99 with 1 % more work", Number, |(_, vm)| {
            or_dash(vm.uncertainty.more_work, |more| format!("{:+.1} %", more.p99_percent))
        })
        .of(rows);
    let caption = format!("Means of {} with other random numbers", counted(count as usize, "run"));
    page.table(Table::of(caption, grid, ROWS).worst_by("p99 over its bound", badness));
    page.said(
        "± is half the 95 % interval (Student). Other tables and the charts show the first run.",
    );
}

/// What runs on shared cards assume of time slicing, and p99 with other choices.
pub(super) fn assumptions(page: &mut Page, results: &Results) {
    fn p99(values: &[f64]) -> String {
        let ends = values
            .iter()
            .fold([f64::INFINITY, 0.0_f64], |[low, high], &ms| [low.min(ms), high.max(ms)]);
        span(ends, with_unit)
    }
    let mut grid = Grid::new(&[("run", Text), ("assumption", Text), ("p99 of its VMs", Number)]);
    let mut any = false;
    for run in &results.runs {
        let Some(assumes) = &run.assumes else { continue };
        any = true;
        let own: Vec<f64> = run.vms.iter().map(|vm| vm.latency_ms.p99).collect();
        grid.line(vec![run.name.clone(), format!("in use: {assumes}"), p99(&own)]);
        for other in &run.alternatives {
            let cells = [run.name.clone(), other.option.clone(), p99(&other.latency_p99_ms)];
            grid.line(cells.to_vec());
        }
    }
    if any {
        let caption = "What is assumed of time slicing, and p99 with other possible values";
        page.table(Table::of(caption, grid, "result.json"));
    }
    open(page, results);
}

/// The figures at the ends of inputs that were not measured.
fn open(page: &mut Page, results: &Results) {
    let columns =
        [("run", Text), ("input", Text), ("samples /s", Number), ("p99 of the slowest VM", Number)];
    let mut grid = Grid::new(&columns);
    let mut any = false;
    for run in &results.runs {
        for found in &run.open {
            any = true;
            let input = &found.end.input;
            grid.line(vec![
                run.name.clone(),
                format!(
                    "{} at {} (assumed: {})",
                    input.name, input.ends[found.end.end], input.assumed
                ),
                rate(found.completed_per_s),
                with_unit(found.latency_p99_worst_vm_ms),
            ]);
        }
    }
    if any {
        let caption = "Inputs that were not measured, at the ends of their ranges";
        page.table(Table::of(caption, grid, "result.json"));
    }
}
