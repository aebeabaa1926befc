//! Where time goes, on the page of a run: that of a query by stage, that of a GPU by owner.

use super::page::Page;
use super::table::Table;
use crate::report::number::{latency, or_dash, rate};
use crate::report::table::{Column, Columns, Grid};
use crate::study::{GpuResult, OwnerShare, Results, RunResult};
use Column::{Number, Text};

/// What the stages are, in the order of the path.
const STAGES: [(&str, &str); 9] = [
    ("batcher", "from the arrival until the batch is formed"),
    ("launch", "the batch is gathered and launched on the VM's processors"),
    ("submission", "the delay of the hypervisor"),
    ("copy in", "inputs over PCIe"),
    ("stream", "behind the batch that runs on the same stream"),
    ("gpu", "on the GPU, with the wait for its turns"),
    ("copy out", "outputs over PCIe"),
    ("order", "behind batches that were issued earlier"),
    ("finish", "post-processing and the answer on the VM's processors"),
];

/// Mean time in each stage, the stages as columns.
pub(super) fn stages(page: &mut Page, results: &Results) {
    let mut names: Vec<&'static str> = Vec::new();
    for (_, vm) in results.vms() {
        for stage in &vm.stages_ms {
            if !names.contains(&stage.stage) && stage.mean_ms > 0.0 {
                names.push(stage.stage);
            }
        }
    }
    if names.is_empty() {
        return;
    }
    let mut columns = vec![("VM", Text), ("platform", Text)];
    columns.extend(names.iter().map(|name| (*name, Number)));
    columns.push(("all", Number));
    let mut grid = Grid::new(&columns);
    let mut badness = Vec::new();
    for (run, vm) in results.vms().filter(|(_, vm)| !vm.stages_ms.is_empty()) {
        let of = |name: &&str| vm.stages_ms.iter().find(|stage| stage.stage == *name);
        let sum: f64 = vm.stages_ms.iter().map(|stage| stage.mean_ms).sum();
        let mut cells = vec![run.name_of(&vm.name), run.place()];
        cells.extend(names.iter().map(|name| or_dash(of(name), |stage| latency(stage.mean_ms))));
        cells.push(latency(sum));
        grid.line(cells);
        badness.push(sum);
    }
    let table = Table::of("Mean time of a sample in each stage, in ms", grid, "result.json");
    page.table(table.worst_by("mean time", badness));
    let told = STAGES.iter().filter(|(name, _)| names.contains(name));
    let told: Vec<String> = told.map(|(name, what)| format!("{name}: {what}")).collect();
    page.said(&format!("{}.", told.join("; ")));
}

/// The steps of ensembles.
pub(super) fn steps(page: &mut Page, results: &Results) {
    let columns = [
        ("step", Text),
        ("VM", Text),
        ("platform", Text),
        ("queue", Number),
        ("run", Number),
        ("p99", Number),
        ("samples in a batch", Number),
    ];
    let mut grid = Grid::new(&columns);
    let mut any = false;
    for (run, vm) in results.vms() {
        for step in &vm.steps {
            any = true;
            let mut cells = vec![step.step.clone(), run.name_of(&vm.name), run.place()];
            cells.extend([step.queue_mean_ms, step.run_mean_ms, step.latency_ms.p99].map(latency));
            cells.push(or_dash(step.batch_mean, rate));
            grid.line(cells);
        }
    }
    if any {
        page.table(Table::of("Steps of ensembles, in ms", grid, "result.json"));
    }
}

pub(super) fn cards(page: &mut Page, results: &Results) {
    type Row<'r> = (&'r RunResult, &'r GpuResult);
    fn owners(gpu: &GpuResult, of: fn(&OwnerShare) -> f64) -> String {
        share(gpu.time.owners.iter().map(of).sum())
    }
    let rows: Vec<Row<'_>> =
        results.runs.iter().flat_map(|run| run.gpus.iter().map(move |gpu| (run, gpu))).collect();
    let badness = rows.iter().map(|(_, gpu)| 1.0 - gpu.time.idle_share).collect();
    let grid = Columns::new()
        .with("GPU", Text, |(_, gpu): &Row<'_>| format!("{} ({})", gpu.id, gpu.model))
        .with("run", Text, |(run, _)| run.name.clone())
        .with("platform", Text, |(run, _)| run.place())
        .with("busy", Number, |(_, gpu)| share(gpu.busy_share))
        .with("work", Number, |(_, gpu)| owners(gpu, |owner| owner.run_share))
        .with("switches", Number, |(_, gpu)| share(gpu.time.switch_share))
        .with("burned", Number, |(_, gpu)| {
            let burned: f64 = gpu.time.owners.iter().map(|owner| owner.burned_share).sum();
            share(burned + gpu.time.vacant_share)
        })
        .with("idle", Number, |(_, gpu)| share(gpu.time.idle_share))
        .of(rows.iter().copied());
    let table = Table::of("Parts of the run, of each GPU", grid, "result.json");
    page.table(table.worst_by("work and what is lost", badness));
    page.said(
        "Burned: in the turn of an owner without work while another has work. Idle: nobody had \
         work, and the SMs that no work used or that no GPU instance has. Busy: any work ran.",
    );
    owners_of(page, &rows);
    over(page, results);
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What each owner had, of cards with several.
fn owners_of(page: &mut Page, rows: &[(&RunResult, &GpuResult)]) {
    type Row<'r> = (&'r RunResult, &'r GpuResult, &'r OwnerShare);
    let shared = rows.iter().filter(|(_, gpu)| gpu.time.owners.len() > 1);
    let rows: Vec<Row<'_>> = shared
        .flat_map(|&(run, gpu)| gpu.time.owners.iter().map(move |owner| (run, gpu, owner)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let badness = rows.iter().map(|(.., owner)| owner.burned_share).collect();
    let grid = Columns::new()
        .with("owner", Text, |(.., owner): &Row<'_>| owner.vms.join(", "))
        .with("GPU", Text, |(_, gpu, _)| format!("{} ({})", gpu.id, gpu.model))
        .with("run", Text, |(run, ..)| run.name.clone())
        .with("platform", Text, |(run, ..)| run.place())
        .with("work", Number, |(.., owner)| share(owner.run_share))
        .with("burned in its turns", Number, |(.., owner)| share(owner.burned_share))
        .of(rows);
    let table = Table::of("Parts of the run, of each owner of a shared GPU", grid, "result.json");
    page.table(table.worst_by("what is burned", badness));
}

/// VMs that had more than the policy promises.
fn over(page: &mut Page, results: &Results) {
    let over: Vec<String> = results
        .runs
        .iter()
        .flat_map(|run| run.over_shares.iter().map(move |over| (run, over)))
        .map(|(run, over)| {
            format!(
                "{} had {} of GPU {}; {} promises {}.",
                run.name_of(&over.vm),
                share(over.had_share),
                over.gpu,
                over.sharing,
                share(over.promised_share)
            )
        })
        .collect();
    page.list(&over);
}

#[cfg(test)]
mod tests {
    use super::STAGES;
    use crate::record::Stage;

    #[test]
    fn every_stage_is_explained() {
        assert_eq!(STAGES.map(|(name, _)| name), Stage::ALL.map(|(_, name)| name));
    }
}
