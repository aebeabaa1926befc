//! The answer of `slicewise plan`: the document, `layouts.csv` with one row per card of a layout,
//! `vms.csv` with one per VM, the table, and each layout as a scenario and, where it has GPU
//! instances, as a configuration of mig-parted.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::Sheet;
use super::width::Width;
use super::{charts, table, written};
use crate::study::PlanResults;

impl Report for PlanResults {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_plan(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let mut parts = vec![
            Part::Document("plan"),
            Part::Sheet(layouts(self)),
            Part::Sheet(vms(self)),
            Part::Table("table"),
            Part::Charts(charts::plan_figures(self)),
        ];
        for layout in &self.layouts {
            parts.push(Part::Text(layout.file.clone(), layout.scenario.clone()));
            if let Some(text) = &layout.mig_parted {
                let name = format!("layout-{}-mig-parted.yaml", layout.rank);
                parts.push(Part::Text(name, text.clone()));
            }
        }
        if let Some(near) = &self.nearest {
            parts.push(Part::Text(near.file.clone(), near.scenario.clone()));
        }
        made(self, &parts)
    }
}

fn layouts(results: &PlanResults) -> Sheet {
    let cards = results.layouts.iter().flat_map(|layout| {
        let cards = layout.by_card.iter();
        cards.flat_map(move |card| card.vms.iter().map(move |vms| (layout, card, vms)))
    });
    Sheet::of(
        "layouts",
        cards,
        &[
            ("layout", |(layout, ..)| layout.rank.into()),
            ("cards", |(layout, ..)| layout.cards.into()),
            ("cost_per_hour", |(layout, ..)| layout.cost_per_hour.into()),
            ("cost_per_1000", |(layout, ..)| layout.cost_per_1000.into()),
            ("joules_per_query_low", |(layout, ..)| layout.joules_per_query[0].into()),
            ("joules_per_query_high", |(layout, ..)| layout.joules_per_query[1].into()),
            ("unbeaten", |(layout, ..)| layout.unbeaten.into()),
            ("policy", |(layout, ..)| layout.policy.as_ref().into()),
            ("layout_headroom", |(layout, ..)| layout.headroom.into()),
            ("card", |(_, card, _)| (card.id as u32).into()),
            ("model", |(_, card, _)| (&card.model).into()),
            ("busy", |(_, card, _)| card.busy.into()),
            ("kind", |(.., vms)| (&vms.kind).into()),
            ("vms", |(.., vms)| vms.count.into()),
            ("holding", |(.., vms)| vms.held.name().into()),
            ("batch_max", |(.., vms)| vms.batch_max.into()),
        ],
    )
}

fn vms(results: &PlanResults) -> Sheet {
    Sheet::of(
        "vms",
        results.layouts.iter().flat_map(|layout| layout.vms.iter().map(move |vm| (layout, vm))),
        &[
            ("layout", |(layout, _)| layout.rank.into()),
            ("vm", |(_, vm)| (&vm.name).into()),
            ("kind", |(_, vm)| (&vm.kind).into()),
            ("card", |(_, vm)| u32::from(vm.card).into()),
            ("holding", |(_, vm)| vm.held.name().into()),
            ("latency_ms", |(_, vm)| vm.latency_ms.mean.into()),
            ("latency_half_width_ms", |(_, vm)| vm.latency_ms.half_width.into()),
            ("latency_inputs_low_ms", |(_, vm)| vm.latency_inputs_ms.map(|[low, _]| low).into()),
            ("latency_inputs_high_ms", |(_, vm)| vm.latency_inputs_ms.map(|[_, high]| high).into()),
            ("target_latency_ms", |(_, vm)| vm.target_latency_ms.into()),
            ("headroom", |(_, vm)| vm.headroom.into()),
            ("completed_per_s", |(_, vm)| vm.completed_per_s.into()),
        ],
    )
}
