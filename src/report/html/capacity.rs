//! The page of `slicewise capacity`.

use super::page::{Content, Page, notes, origin};
use super::table::Table;
use crate::report::number::{latency, or_dash, plain, rate, span};
use crate::report::table::{
    Column, Columns, capacity_found, gap_factors, gap_latencies, gap_steps,
};
use crate::report::{charts, written};
use crate::study::{CapacityResults, FactUse, Interval, LoadPoint, SystemCapacity, Verdict};
use crate::units::counted;
use Column::{Number, Text};

/// The file with a row for each system.
const ROWS: &str = "capacity.csv";

impl Content for CapacityResults {
    const COMMAND: &'static str = "capacity";
    const DOCUMENT: &'static str = "capacity.json";

    fn title(&self) -> String {
        self.head.title.clone()
    }

    fn about(&self) -> String {
        format!(
            "The highest VALID rate of {}, to {} %",
            counted(self.systems.len(), "system"),
            plain(self.precision * 100.0)
        )
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let mut figures = charts::capacity_figures(self);
        figures.extend(charts::gap_figure(self).map(|figure| ("gap".to_string(), figure)));
        let figures = page.draw(&figures)?;
        let (gap, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|drawn| drawn.name.starts_with("gap"));
        page.section("systems", "Highest rates, beside bare metal", |page| {
            systems(page, self);
            page.figures(&figures);
        });
        page.section("limits", "What limits them", |page| limits(page, self));
        page.section("latency", "Latency at rising rates", |page| curves(page, self));
        page.section("gap", "How published ratios come about", |page| {
            if !self.gaps.is_empty() {
                let (factors, said) = gap_factors(self);
                page.table(Table::of("Published ratio as a product", factors, "gap.csv"));
                page.said(said);
                page.figures(&gap);
                page.list(&gap_steps(self));
                let at = "Latency at both submitted rates";
                page.table(Table::of(at, gap_latencies(self), "gap-latency.csv"));
            }
        });
        page.section("errors", "Systems that could not be simulated", |page| {
            page.list(&self.skipped);
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
        let mut origin = origin(&self.head);
        origin.push(("searches of each system", self.replications.to_string()));
        origin
    }

    fn data(&self) -> anyhow::Result<String> {
        written::line(self)
    }
}

fn told(interval: Option<Interval>) -> String {
    or_dash(interval, |one| match one.half_width {
        Some(half) => format!("{:.3} ± {half:.3}", one.mean),
        None => format!("{:.3}", one.mean),
    })
}

fn systems(page: &mut Page, results: &CapacityResults) {
    let two_kinds = results.systems.iter().any(|system| system.ratio_to_whole_cards.is_some());
    let inputs = results.systems.iter().any(|of| of.capacity_per_s_between_inputs.is_some());
    let models = results.has_several_models();
    let badness = results.systems.iter().map(|of| -of.capacity_per_s.mean).collect();
    let grid = Columns::new()
        .with("system", Text, |of: &&SystemCapacity| of.name.clone())
        .with("VMs", Number, |of| of.server_vms.to_string())
        .with("GPUs", Number, |of| of.cards.to_string())
        .when(models, "models", Text, |of| of.cards_in_words())
        .with("capacity, /s", Number, |of| match of.capacity_per_s.half_width {
            Some(half) => format!("{} ± {}", capacity_found(of), rate(half)),
            None => capacity_found(of),
        })
        .when(inputs, "possible, /s", Number, |of| {
            or_dash(of.capacity_per_s_between_inputs, |ends| span(ends, rate))
        })
        .with("per VM, /s", Number, |of| rate(of.capacity_per_s.mean / of.server_vms.max(1) as f64))
        .with("bound, ms", Number, |of| match of.loosest_latency_ms {
            Some(most) => format!("{} to {}", latency(of.target_latency_ms), latency(most)),
            None => latency(of.target_latency_ms),
        })
        .with(if two_kinds { "of same cards" } else { "of bare metal" }, Number, |of| {
            told(of.ratio_to_bare_metal)
        })
        .when(two_kinds, "of whole cards", Number, |of| told(of.ratio_to_whole_cards))
        .of(&results.systems);
    let table = Table::of("The highest VALID rate of all Server VMs together", grid, ROWS);
    page.table(table.worst_by("the lowest rate", badness));
    let mut said = "≥: every rate that was tried is VALID. ~: not confirmed by a run of full \
        length."
        .to_string();
    if results.replications > 1 {
        said.push_str(&format!(
            " Mean of {} searches with other random numbers; ± is half the 95 % interval (Student).",
            results.replications
        ));
    }
    if inputs {
        said.push_str(
            " Possible: with other fits of the workload nearly as good, with inputs that were not \
             measured at the ends of their ranges, and on slow and fast machines and platforms \
             (5th and 95th percentile).",
        );
    }
    if two_kinds {
        said.push_str(
            " Same cards: as many cards as the VMs have, the load of all VMs on one server per \
             card. Whole cards: one whole card for each part of a card that a VM has.",
        );
    }
    page.said(&said);
}

fn limits(page: &mut Page, results: &CapacityResults) {
    let said = |of: &SystemCapacity| -> Vec<String> {
        of.said.iter().map(|said| format!("{}: {said}", of.name)).collect()
    };
    let said: Vec<String> = results.systems.iter().flat_map(said).collect();
    page.list(&said);
}

fn curves(page: &mut Page, results: &CapacityResults) {
    type Row<'r> = (&'r SystemCapacity, &'r LoadPoint);
    let rows: Vec<Row<'_>> = results
        .systems
        .iter()
        .flat_map(|system| system.curve.iter().map(move |point| (system, point)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let grid = Columns::new()
        .with("system", Text, |(system, _): &Row<'_>| system.name.clone())
        .with("asked, /s", Number, |(_, point)| rate(point.asked_per_s))
        .with("p50, ms", Number, |(_, point)| latency(point.latency_p50_ms))
        .with("p99, ms", Number, |(_, point)| latency(point.latency_p99_ms))
        .with("verdict", Text, |(_, point)| {
            if point.valid { "VALID" } else { "INVALID" }.to_string()
        })
        .of(rows);
    page.table(Table::of("Latency of each system at rising rates", grid, "curve.csv"));
}
