//! The page of `slicewise run`.

use super::figure::Drawn;
use super::page::{Content, Page, notes, origin};
use super::rows::{Of, badness};
use super::table::{ROWS_SHOWN, Table};
use super::{operations, sure, times};
use crate::report::number::{latency, or_dash, percent, rate, ratio};
use crate::report::table::{Column, Columns, compared, power_grid, token_grids, token_ratios};
use crate::report::width::Width;
use crate::report::{charts, written};
use crate::study::{
    Comparison, FactUse, Interval, PairedRatio, Results, RunResult, Side, Verdict, VmResult,
};
use crate::units::counted;
use Column::{Number, Text};

/// The file with a row for each VM.
const ROWS: &str = "summary.csv";

impl Content for Results {
    const COMMAND: &'static str = "run";
    const DOCUMENT: &'static str = "result.json";

    fn title(&self) -> String {
        self.head.title.clone()
    }

    fn about(&self) -> String {
        let tested = self.runs.iter().filter(|run| run.side == Side::Virtual);
        let vms: usize = tested.clone().map(|run| run.vms.len()).sum();
        let cards: usize = tested.clone().map(|run| run.gpus.len()).sum();
        let runs = tested.count();
        let of = if runs > 1 { format!(" in {}", counted(runs, "run")) } else { String::new() };
        format!("{} on {}{of}", counted(vms, "VM"), counted(cards, "GPU"))
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let figures = page.draw(&charts::figures(self))?;
        let starts = |starts: &[&str], drawn: &Drawn| {
            starts.iter().any(|start| drawn.name.starts_with(start))
        };
        let (compared, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["ratio"], drawn));
        let (over_time, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["operations"], drawn));
        let (stages, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["stages"], drawn));
        let (of_tokens, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["ttft", "tpot"], drawn));
        let (gpus, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["gpu", "timeline"], drawn));
        let (watts, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| starts(&["power"], drawn));
        page.section("vms", "VMs", |page| vms(page, self));
        page.section("tokens", "Tokens", |page| {
            page.figures(&of_tokens);
            tokens(page, self);
        });
        page.section("operations", "Operations over the run", |page| {
            page.figures(&over_time);
            operations::operations(page, self);
        });
        page.section("power", "Power", |page| {
            page.figures(&watts);
            if let Some((grid, said)) = power_grid(self) {
                page.table(Table::of("Power", grid, "power.csv"));
                said.iter().for_each(|sentence| page.said(sentence));
            }
        });
        page.section("bare-metal", "Compared with bare metal", |page| {
            page.figures(&compared);
            comparisons(page, self);
            ratios(page, self);
            if let Some((grid, said)) = token_ratios(self, Width::FILE.with_each(true)) {
                page.table(Table::of("LLMs over bare metal: ratios", grid, "result.json"));
                page.said(&said);
            }
            twins(page, self);
        });
        page.section("published", "Compared with what was published", |page| published(page, self));
        page.section("latency", "Latency", |page| {
            page.figures(&figures);
            percentiles(page, self);
        });
        page.section("stages", "Where the time of a query goes", |page| {
            page.figures(&stages);
            times::stages(page, self);
            times::steps(page, self);
        });
        page.section("gpus", "Time of the GPUs", |page| {
            page.figures(&gpus);
            times::cards(page, self);
        });
        page.section("sure", "How sure the figures are", |page| {
            sure::inputs(page, self);
            sure::replications(page, self);
            sure::assumptions(page, self);
        });
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        notes(&self.scaled, &self.notes)
    }

    fn leans_on(&self) -> &[FactUse] {
        &self.leans_on
    }

    fn origin(&self) -> Vec<(&'static str, String)> {
        origin(&self.head)
    }

    fn data(&self) -> anyhow::Result<String> {
        written::line(self)
    }
}

/// The VMs of the runs under test.
fn tested(results: &Results) -> impl Iterator<Item = Of<'_>> {
    results.vms().filter(|(run, _)| run.side == Side::Virtual)
}

fn verdict(vm: &VmResult) -> String {
    match (vm.scenario, vm.verdict.valid) {
        ("step", _) => "step",
        _ if !vm.is_judged() => "-",
        (_, true) => "VALID",
        (_, false) => "INVALID",
    }
    .to_string()
}

fn bound(vm: &VmResult) -> String {
    match vm.scenario {
        "server" | "closed-loop" => latency(vm.target_latency_ms),
        _ => "-".to_string(),
    }
}

fn asked(vm: &VmResult) -> String {
    if matches!(vm.scenario, "server" | "offline") { rate(vm.target_qps) } else { "-".to_string() }
}

fn cards_of(run: &RunResult, vm: &VmResult) -> String {
    let models = run.models_of(vm);
    let ids: Vec<String> = vm.cards.iter().map(u16::to_string).collect();
    format!("{} ({})", ids.join(", "), models.join(", "))
}

/// The runs under test, a row for each VM.
fn vms(page: &mut Page, results: &Results) {
    let rows: Vec<Of<'_>> = tested(results).filter(|(_, vm)| vm.tokens.is_none()).collect();
    if rows.len() > ROWS_SHOWN {
        alike(page, &rows);
    }
    let rejects = rows.iter().any(|(_, vm)| vm.rejected.is_some());
    let beyond = rows.iter().any(|(_, vm)| vm.load.percentile > 99.0 && vm.scenario != "offline");
    let badness = rows.iter().map(|(_, vm)| badness(vm)).collect();
    let grid = Columns::new()
        .with("VM", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("workload", Text, |(_, vm)| vm.workload.clone())
        .with("load", Text, |(_, vm)| vm.scenario.to_string())
        .with("GPU", Text, |(run, vm)| cards_of(run, vm))
        .with("asked /s", Number, |(_, vm)| asked(vm))
        .with("samples /s", Number, |(_, vm)| rate(vm.completed_per_s))
        .when(rejects, "rejected", Number, |(_, vm)| or_dash(vm.rejected, |n| n.to_string()))
        .with("p50, ms", Number, |(_, vm)| latency(vm.latency_ms.p50))
        .with("p99, ms", Number, |(_, vm)| latency(vm.latency_ms.p99))
        .when(beyond, "p99.9, ms", Number, |(_, vm)| latency(vm.latency_ms.p999))
        .with("bound, ms", Number, |(_, vm)| bound(vm))
        .with("verdict", Text, |(_, vm)| verdict(vm))
        .of(rows.iter().copied());
    page.table(Table::of("The VMs under test", grid, ROWS).worst_by("p99 over its bound", badness));
    let failed: Vec<String> = tested(results)
        .filter(|(_, vm)| !vm.verdict.valid)
        .map(|(run, vm)| {
            format!("{} is INVALID: {}", run.name_of(&vm.name), vm.verdict.failed_rules.join("; "))
        })
        .collect();
    page.list(&failed);
}

/// What VMs that serve LLMs made of tokens.
fn tokens(page: &mut Page, results: &Results) {
    const CAPTIONS: [&str; 4] = [
        "LLMs: rates and goodput",
        "Times of tokens",
        "Parts of the mean time of a request",
        "What the engines did",
    ];
    let Some((grids, _)) = token_grids(results, Width::FILE.with_each(true)) else { return };
    for (caption, (grid, said)) in CAPTIONS.into_iter().zip(grids) {
        page.table(Table::of(caption, grid, ROWS));
        page.said(&said);
    }
}

/// VMs of one `count`, a row for each group.
fn alike(page: &mut Page, rows: &[Of<'_>]) {
    let mut kinds: Vec<(String, Vec<Of<'_>>)> = Vec::new();
    for &(run, vm) in rows {
        let models = run.models_of(vm).join(", ");
        let rate = asked(vm);
        let kind =
            format!("{}, {}, {} at {rate}/s on {models}", run.name, vm.workload, vm.scenario);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, vms)) => vms.push((run, vm)),
            None => kinds.push((kind, vec![(run, vm)])),
        }
    }
    type Kind<'k, 'r> = &'k (String, Vec<Of<'r>>);
    fn p99s(kind: &[Of<'_>]) -> Vec<f64> {
        let mut all: Vec<f64> = kind.iter().map(|(_, vm)| vm.latency_ms.p99).collect();
        all.sort_by(f64::total_cmp);
        all
    }
    let badness =
        kinds.iter().map(|(_, vms)| vms.iter().map(|(_, vm)| badness(vm)).fold(0.0, f64::max));
    let badness = badness.collect();
    let grid = Columns::new()
        .with("group", Text, |kind: &Kind<'_, '_>| kind.0.clone())
        .with("VMs", Number, |kind| kind.1.len().to_string())
        .with("INVALID", Number, |kind| {
            kind.1.iter().filter(|(_, vm)| !vm.verdict.valid).count().to_string()
        })
        .with("samples /s", Number, |kind| {
            rate(kind.1.iter().map(|(_, vm)| vm.completed_per_s).sum())
        })
        .with("least p99, ms", Number, |kind| latency(p99s(&kind.1)[0]))
        .with("median p99, ms", Number, |kind| {
            let all = p99s(&kind.1);
            latency(all[(all.len() - 1) / 2])
        })
        .with("greatest p99, ms", Number, |kind| latency(p99s(&kind.1)[kind.1.len() - 1]))
        .of(&kinds);
    let table = Table::of("Groups of VMs and their spread", grid, ROWS);
    page.table(table.worst_by("p99 over its bound", badness));
}

fn half(interval: Option<Interval>, write: impl Fn(f64) -> String) -> String {
    or_dash(interval.and_then(|interval| interval.half_width), write)
}

fn comparisons(page: &mut Page, results: &Results) {
    type Row<'r> = (&'r Results, &'r Comparison);
    let published = results.comparisons.iter().any(|one| one.published_ratio.is_some());
    let several = results.comparisons.iter().any(|one| one.capacity_ratio_replicated.is_some());
    let grid = Columns::new()
        .with("run", Text, |(results, one): &Row<'_>| compared(results, one))
        .with("VMs /s", Number, |(_, one)| rate(one.virtual_per_s))
        .with("bare metal /s", Number, |(_, one)| rate(one.baseline_per_s))
        .with("ratio", Number, |(_, one)| ratio(one.capacity_ratio))
        .when(several, "ratio, ±", Number, |(_, one)| {
            half(one.capacity_ratio_replicated, |half| format!("{half:.4}"))
        })
        .when(published, "published ratio", Number, |(_, one)| or_dash(one.published_ratio, ratio))
        .of(results.comparisons.iter().map(|one| (results, one)));
    if results.comparisons.is_empty() {
        return;
    }
    page.table(Table::of("Capacity: the highest VALID rate of both sides", grid, ROWS));
    page.said(
        "Both sides have the same settings. A ratio of Server rates is a prediction; that of \
         Offline rates shows the platform's factor, which is an input.",
    );
    if published {
        page.said(
            "Published Server rates were chosen by the submitters, each side with its own \
             settings, and need not be the highest possible.",
        );
    }
}

fn ratios(page: &mut Page, results: &Results) {
    fn told(interval: Option<&Interval>) -> String {
        or_dash(interval, |one| match one.half_width {
            Some(half) => format!("{:.3} ± {half:.3}", one.mean),
            None => format!("{:.3}", one.mean),
        })
    }
    let pairs = results.paired_ratios.iter();
    let pairs: Vec<&PairedRatio> =
        pairs.filter(|pair| !pair.latency.is_empty() && pair.tokens.is_none()).collect();
    if pairs.is_empty() {
        return;
    }
    let badness = pairs.iter().map(|pair| pair.latency.get("p99").map_or(0.0, |one| one.mean));
    let badness = badness.collect();
    let grid = Columns::new()
        .with("VM", Text, |pair: &&PairedRatio| match pair.vm == pair.name {
            true => pair.name.clone(),
            false => format!("{} / {}", pair.name, pair.vm),
        })
        .with("bare metal with", Text, |pair| pair.baseline_kind.replace('-', " "))
        .with("samples /s", Number, |pair| told(Some(&pair.completed_per_s)))
        .with("p50", Number, |pair| told(pair.latency.get("p50")))
        .with("p90", Number, |pair| told(pair.latency.get("p90")))
        .with("p99", Number, |pair| told(pair.latency.get("p99")))
        .of(pairs);
    let table = Table::of("Each VM over bare metal at the same rate: ratios", grid, "result.json");
    page.table(table.worst_by("ratio of p99", badness));
    page.said(
        "Above 1 is slower than bare metal. Both sides draw the same random numbers. Same cards: \
         as many cards as the VMs have, the load of all VMs on one server per card. Whole cards: \
         one whole card for each part of a card that a VM has.",
    );
}

/// What the published bare-metal runs did differently.
fn twins(page: &mut Page, results: &Results) {
    let differ = results.runs.iter().filter(|run| !run.differs.is_empty());
    let lines: Vec<String> =
        differ.map(|run| format!("{}: {}", run.name, run.differs.join(", "))).collect();
    if !lines.is_empty() {
        page.said("Settings of the published bare-metal runs that differ (in brackets: the VM's):");
        page.list(&lines);
    }
}

fn published(page: &mut Page, results: &Results) {
    fn beside(vm: &VmResult, name: &str, own: f64, write: fn(f64) -> String) -> String {
        let published = vm.published.as_ref();
        let figure = match name {
            "completed_per_s" => published.and_then(|found| found.completed_per_s),
            name => published.and_then(|found| found.latency_ms.get(name).copied()),
        };
        let error = published.and_then(|found| found.error_percent.get(name));
        match (figure, error) {
            (Some(figure), Some(error)) => {
                format!("{} / {} ({} %)", write(own), write(figure), percent(*error))
            }
            _ => format!("{} / -", write(own)),
        }
    }
    let rows: Vec<Of<'_>> = results.vms().filter(|(_, vm)| vm.published.is_some()).collect();
    if rows.is_empty() {
        return;
    }
    let grid = Columns::new()
        .with("run", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .with("samples /s", Number, |(_, vm)| {
            beside(vm, "completed_per_s", vm.completed_per_s, rate)
        })
        .with("p50, ms", Number, |(_, vm)| beside(vm, "p50", vm.latency_ms.p50, latency))
        .with("p90, ms", Number, |(_, vm)| beside(vm, "p90", vm.latency_ms.p90, latency))
        .with("p99, ms", Number, |(_, vm)| beside(vm, "p99", vm.latency_ms.p99, latency))
        .of(rows.iter().copied());
    page.table(Table::of("Simulated / published (error)", grid, ROWS));
    page.said(
        "The error is simulated over published, minus 1. The rate of a Server run is an input. \
         Latencies of Offline runs are completion times within one huge query.",
    );
    let sources = Columns::new()
        .with("run", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .with("source", Text, |(_, vm)| {
            vm.published.as_ref().map_or(String::new(), |found| found.source.clone())
        })
        .of(rows);
    page.table(Table::of("Where it was published", sources, ROWS));
}

fn percentiles(page: &mut Page, results: &Results) {
    let rows: Vec<Of<'_>> = results.vms().collect();
    let badness = rows.iter().map(|(_, vm)| badness(vm)).collect();
    let grid = Columns::new()
        .with("VM", Text, |(run, vm): &Of<'_>| run.name_of(&vm.name))
        .with("platform", Text, |(run, _)| run.place())
        .with("queries", Number, |(_, vm)| vm.queries.to_string())
        .with("mean", Number, |(_, vm)| latency(vm.latency_ms.mean))
        .with("p50", Number, |(_, vm)| latency(vm.latency_ms.p50))
        .with("p90", Number, |(_, vm)| latency(vm.latency_ms.p90))
        .with("p95", Number, |(_, vm)| latency(vm.latency_ms.p95))
        .with("p99", Number, |(_, vm)| latency(vm.latency_ms.p99))
        .with("p99.9", Number, |(_, vm)| latency(vm.latency_ms.p999))
        .with("greatest", Number, |(_, vm)| latency(vm.latency_ms.max))
        .of(rows);
    let table = Table::of("Latency in ms, of VMs and of bare metal", grid, ROWS);
    page.table(table.worst_by("p99 over its bound", badness));
}
