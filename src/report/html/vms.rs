//! The page of `slicewise capacity --vms`.

use super::page::{Content, Page, notes, origin};
use super::table::Table;
use crate::report::number::{latency, rate};
use crate::report::table::{Column, Columns, way_stops, ways};
use crate::report::{charts, written};
use crate::study::{FactUse, Verdict, VmPoint, VmResults, WayResult};
use crate::units::counted;
use Column::{Number, Text};

impl Content for VmResults {
    const COMMAND: &'static str = "capacity --vms";
    const DOCUMENT: &'static str = "vms.json";

    fn title(&self) -> String {
        self.head.title.clone()
    }

    fn about(&self) -> String {
        format!(
            "How many VMs like {} fit, {} of sharing",
            self.group,
            counted(self.ways.len(), "way")
        )
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let figures = page.draw(&charts::vm_figures(self))?;
        page.section("ways", "Ways of sharing", |page| {
            let (grid, said) = ways(self);
            let badness = self.ways.iter().map(|way| -f64::from(way.vms)).collect();
            let table = Table::of("The most VMs with each way of sharing", grid, "vms.csv");
            page.table(table.worst_by("the fewest VMs", badness));
            page.said(&said);
            page.figures(&figures);
        });
        page.section("stops", "What stands against one more", |page| page.list(&way_stops(self)));
        page.section("latency", "Latency with each number of VMs", |page| curves(page, self));
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        notes(&self.scaled, &self.notes)
    }

    fn leans_on(&self) -> &[FactUse] {
        &self.leans_on
    }

    fn origin(&self) -> Vec<(&'static str, String)> {
        let mut origin = origin(&self.head);
        origin.push(("searches of each way", self.replications.to_string()));
        origin
    }

    fn data(&self) -> anyhow::Result<String> {
        written::line(self)
    }
}

fn curves(page: &mut Page, results: &VmResults) {
    type Row<'r> = (&'r WayResult, &'r VmPoint);
    let rows: Vec<Row<'_>> = results
        .ways
        .iter()
        .flat_map(|way| way.curve.iter().map(move |point| (way, point)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let grid = Columns::new()
        .with("way of sharing", Text, |(way, _): &Row<'_>| way.name.clone())
        .with("VMs", Number, |(_, point)| point.vms.to_string())
        .with("p50, ms", Number, |(_, point)| latency(point.latency_p50_ms))
        .with("p99, ms", Number, |(_, point)| match point.latency_p99_ms.half_width {
            Some(half) => format!("{} ± {}", latency(point.latency_p99_ms.mean), latency(half)),
            None => latency(point.latency_p99_ms.mean),
        })
        .with("samples /s", Number, |(_, point)| rate(point.completed_per_s))
        .with("slowest VM", Text, |(_, point)| point.worst_vm.clone())
        .with("verdict", Text, |(_, point)| {
            if point.valid { "VALID" } else { "INVALID" }.to_string()
        })
        .of(rows);
    page.table(Table::of("The slowest VM, with each number of VMs", grid, "curve.csv"));
}
