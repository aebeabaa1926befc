//! Where time goes: that of a query by stage of its path, that of a shared GPU by owner.

use super::super::number::{latency, plain};
use super::grid::{Column, Columns, Grid};
use super::members::{self, Members};
use crate::report::width::Width;
use crate::study::{GpuResult, OwnerShare, Results, RunResult, Side};
use crate::units::counted;

/// Stages that take less than this in every row, in milliseconds, have no column.
const SHOWN_MS: f64 = 0.005;

/// The mean time of a sample in each stage, of the virtual runs; empty where there are none.
pub(super) fn stages(results: &Results, width: Width) -> String {
    let Some((grid, said)) = stages_grid(results, width) else { return String::new() };
    grid.finish(width) + &said
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn stages_grid(results: &Results, width: Width) -> Option<(Grid, String)> {
    use Column::{Number, Text};
    let virtual_runs = results.runs.iter().filter(|run| run.side == Side::Virtual);
    let rows = virtual_runs.flat_map(|run| Members::of(run, width));
    let rows: Vec<Members<'_>> = rows
        .filter(|row| row.vms[0].scenario != "step" && !row.vms[0].stages_ms.is_empty())
        .collect();
    let (rows, said) = members::shown(rows, width);
    let first = rows.first()?;
    let of = |row: &Members<'_>, stage: usize| {
        row.ends(|vm| vm.stages_ms.get(stage).map_or(0.0, |stage| stage.mean_ms))
    };
    let names = first.vms[0].stages_ms.iter().map(|stage| stage.stage).enumerate();
    let shown: Vec<(usize, &str)> =
        names.filter(|(stage, _)| rows.iter().any(|row| of(row, *stage)[1] >= SHOWN_MS)).collect();
    if shown.is_empty() {
        return None;
    }
    let mut heads = vec![("mean ms in", Text)];
    heads.extend(shown.iter().map(|(_, name)| (*name, Number)));
    heads.push(("in all", Number));
    let mut grid = Grid::new(&heads);
    for row in &rows {
        let mut cells = vec![row.name()];
        let span = |ends| super::span(ends, latency);
        cells.extend(shown.iter().map(|(stage, _)| span(of(row, *stage))));
        cells.push(span(row.ends(|vm| vm.stages_ms.iter().map(|stage| stage.mean_ms).sum())));
        grid.line(cells);
    }
    Some((grid, said + &width.said(LEGEND)))
}

const LEGEND: &str = "batcher: until its batch is formed; launch, finish: on the vCPUs, with waits for \
    one; stream: behind an earlier batch; gpu: on the GPU, with waits for its turn; order: behind \
    batches issued earlier.";

/// Where the time of each GPU went that several owners share, of the virtual runs.
pub(super) fn gpus(results: &Results, width: Width) -> String {
    let Some((grid, said)) = gpus_grid(results, width) else { return String::new() };
    grid.finish(width) + &said
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn gpus_grid(results: &Results, width: Width) -> Option<(Grid, String)> {
    use Column::{Number, Text};
    let virtual_runs = results.runs.iter().filter(|run| run.side == Side::Virtual);
    let cards = virtual_runs.flat_map(|run| run.gpus.iter().map(move |gpu| (run, gpu)));
    let shared: Vec<(&RunResult, &GpuResult)> =
        cards.filter(|(_, gpu)| gpu.time.owners.len() > 1).collect();
    if shared.is_empty() {
        return None;
    }
    let all = shared.len();
    let shown = if width.shows_each() { shared } else { members::busiest(shared) };
    let left = all - shown.len();
    let grid = Columns::new()
        .with("GPU time", Text, |(run, gpu): &(&RunResult, &GpuResult)| {
            format!("{}, GPU {}", run.name, gpu.id)
        })
        .with("works %", Number, |(_, gpu)| {
            percent(gpu.time.owners.iter().map(|owner| owner.run_share).sum())
        })
        .with("switches %", Number, |(_, gpu)| percent(gpu.time.switch_share))
        .with("burned %", Number, |(_, gpu)| {
            let burned: f64 = gpu.time.owners.iter().map(|owner| owner.burned_share).sum();
            percent(burned + gpu.time.vacant_share)
        })
        .with("idle %", Number, |(_, gpu)| percent(gpu.time.idle_share))
        .with("most of it has", Text, |(_, gpu)| most_of_it(gpu))
        .of(shown);
    let rest = match left {
        0 => String::new(),
        _ => width.said(&format!(
            "Shown are the busiest of {}; all are in table.txt and result.json.",
            counted(all, "GPU")
        )),
    };
    Some((grid, rest + &width.said(BURNED)))
}

const BURNED: &str = "burned: the GPU was in the turn of an owner without work, or of a vGPU that no \
    VM has, while another had work.";

fn percent(part: f64) -> String {
    plain((part * 1000.0).round() / 10.0)
}

/// The owner that worked most, with its part.
fn most_of_it(gpu: &GpuResult) -> String {
    let by_work =
        |one: &&OwnerShare, other: &&OwnerShare| one.run_share.total_cmp(&other.run_share);
    let owner = gpu.time.owners.iter().max_by(by_work).expect("a GPU that is shared");
    let name = match &owner.vms[..] {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => "-".to_string(),
    };
    format!("{name} {} %", percent(owner.run_share))
}
