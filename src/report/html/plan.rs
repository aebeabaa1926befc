//! The page of `slicewise plan`.

use super::page::{Content, Page, origin};
use super::table::Table;
use crate::report::number::{latency, or_dash, plain, rate};
use crate::report::table::{
    Column, Columns, plan_asked, plan_layouts, plan_legend, plan_percent, plan_tried, vms_in_words,
};
use crate::report::{charts, written};
use crate::study::{CardAnswer, FactUse, PlanAnswer, PlanResults, Verdict, VmAnswer};
use crate::units::counted;
use Column::{Number, Text};

impl Content for PlanResults {
    const COMMAND: &'static str = "plan";
    const DOCUMENT: &'static str = "plan.json";

    fn title(&self) -> String {
        self.head.title.clone()
    }

    fn about(&self) -> String {
        let all: u32 = self.kinds.iter().map(|kind| kind.count).sum();
        format!("Which of {} on which cards", counted(all, "VM"))
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let figures = page.draw(&charts::plan_figures(self))?;
        page.section("asked", "What the VMs are asked", |page| {
            page.table(Table::of("The VMs by kind", plan_asked(&self.kinds), "plan.json"));
        });
        if !self.layouts.is_empty() {
            page.section("layouts", "Layouts that hold every bound", |page| {
                let grid = plan_layouts(self);
                page.table(Table::of("The layouts, the cheapest first", grid, "layouts.csv"));
                page.said(&plan_legend(self));
                page.figures(&figures);
            });
            page.section("cards", "Which VM on which card", |page| cards(page, self));
            page.section("vms", "Latency of each VM", |page| vms(page, self));
        }
        if let Some(near) = &self.nearest {
            page.section("nearest", "The layout that comes nearest", |page| {
                let cards = near.models.iter().zip(&near.by_card).enumerate();
                let lines = cards
                    .map(|(id, (model, vms))| format!("GPU {id} ({model}): {}", vms_in_words(vms)));
                page.list(&lines.collect::<Vec<String>>());
            });
        }
        page.section("tried", "What was tried", |page| page.list(&plan_tried(self)));
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let scaled = self.scaled.iter().map(|said| format!("Scaled: {said}."));
        scaled.chain(self.notes.iter().cloned()).collect()
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

fn cards(page: &mut Page, results: &PlanResults) {
    type Row<'r> = (&'r PlanAnswer, &'r CardAnswer);
    let rows = results.layouts.iter();
    let rows = rows.flat_map(|layout| layout.by_card.iter().map(move |card| (layout, card)));
    let grid = Columns::new()
        .with("layout", Number, |(layout, _): &Row<'_>| layout.rank.to_string())
        .with("GPU", Number, |(_, card)| card.id.to_string())
        .with("model", Text, |(_, card)| card.model.clone())
        .with("VMs", Text, |(_, card)| vms_in_words(&card.vms))
        .with("busy", Number, |(_, card)| plan_percent(card.busy))
        .with("headroom", Number, |(_, card)| plan_percent(card.headroom))
        .of(rows);
    page.table(Table::of("The cards of each layout", grid, "layouts.csv"));
}

fn vms(page: &mut Page, results: &PlanResults) {
    type Row<'r> = (&'r PlanAnswer, &'r VmAnswer);
    let rows = results.layouts.iter();
    let rows: Vec<Row<'_>> =
        rows.flat_map(|layout| layout.vms.iter().map(move |vm| (layout, vm))).collect();
    let badness = rows.iter().map(|(_, vm)| -vm.headroom).collect();
    let grid = Columns::new()
        .with("layout", Number, |(layout, _): &Row<'_>| layout.rank.to_string())
        .with("VM", Text, |(_, vm)| vm.name.clone())
        .with("GPU", Number, |(_, vm)| vm.card.to_string())
        .with("has", Text, |(_, vm)| vm.held.name().to_string())
        .with("latency, ms", Number, |(_, vm)| match vm.latency_ms.half_width {
            Some(half) => format!("{} ± {}", latency(vm.latency_ms.mean), latency(half)),
            None => latency(vm.latency_ms.mean),
        })
        .with("with other inputs, ms", Text, |(_, vm)| {
            or_dash(vm.latency_inputs_ms, |[low, high]| {
                format!("{} to {}", latency(low), latency(high))
            })
        })
        .with("bound, ms", Number, |(_, vm)| plain(vm.target_latency_ms))
        .with("headroom", Number, |(_, vm)| plan_percent(vm.headroom))
        .with("queries /s", Number, |(_, vm)| rate(vm.completed_per_s))
        .of(rows);
    let table = Table::of("Each VM of each layout", grid, "vms.csv");
    page.table(table.worst_by("the least headroom", badness));
}
