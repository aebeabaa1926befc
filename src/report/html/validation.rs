//! The page of `slicewise validate`.

use super::page::{Content, Page};
use super::table::Table;
use crate::report::number::{latency, or_dash, percent};
use crate::report::table::{Column, Columns, groups_grid, intervals_grid, scaling_grids};
use crate::report::{charts, written};
use crate::study::{JudgedRow, Rates, ValidationResults, Verdict};
use Column::{Number, Text};

/// The file with a row for each measured run.
const ROWS: &str = "validation.csv";

impl Content for ValidationResults {
    const COMMAND: &'static str = "validate";
    const DOCUMENT: &'static str = "validation.json";

    fn title(&self) -> String {
        "Measured runs against the model".to_string()
    }

    fn about(&self) -> String {
        let predicted = self.rows.iter().filter(|row| row.predicted.is_some()).count();
        format!("{} measured runs, {predicted} of them predicted", self.rows.len())
    }

    fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn sections(&self, page: &mut Page) -> anyhow::Result<()> {
        let figures = page.draw(&charts::validation_figures(self))?;
        page.section("errors", "Errors", |page| {
            let all: String = explained(self);
            page.said(&all);
            page.table(Table::of(
                "Errors of groups of rows, in %",
                groups_grid(&self.summary),
                ROWS,
            ));
            let caption = "Errors beyond noise, in %, and quality of the intervals";
            page.table(Table::of(caption, intervals_grid(&self.summary), ROWS));
        });
        page.section("runs", "Server runs, predicted and measured", |page| {
            page.figures(&figures);
            server_rows(page, self);
        });
        page.section("scaling", "Times scaled from another GPU", |page| {
            if let Some((errors, spreads)) = scaling_grids(&self.scaling) {
                let caption = "Error of the Offline rate of a GPU that was left out, in %";
                page.table(Table::of(caption, errors, Self::DOCUMENT));
                page.table(Table::of("The resulting intervals", spreads, Self::DOCUMENT));
            }
        });
        page.section("skipped", "Rows without prediction", |page| page.list(&skipped(self)));
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn origin(&self) -> Vec<(&'static str, String)> {
        vec![
            ("version", format!("{} {}", self.tool.name, self.tool.version)),
            ("hash of all input", self.input_hash.clone()),
            ("most queries of a prediction", self.queries_max.to_string()),
            ("most queries in the search for a factor", self.fit_queries_max.to_string()),
        ]
    }

    fn data(&self) -> anyhow::Result<String> {
        written::line(self)
    }
}

fn explained(results: &ValidationResults) -> String {
    crate::report::table::validation_said(results)
}

fn server_rows(page: &mut Page, results: &ValidationResults) {
    type Row<'r> = (&'r JudgedRow, &'r Rates);
    fn p99(rates: &Rates) -> String {
        or_dash(rates.latency_ms.get("p99"), |&ms| latency(ms))
    }
    fn signed(value: Option<f64>) -> String {
        or_dash(value, |part| percent(part * 100.0))
    }
    let rows = results.rows.iter().filter(|row| row.scenario == "server");
    let rows: Vec<Row<'_>> = rows.filter_map(|row| Some((row, row.predicted.as_ref()?))).collect();
    if rows.is_empty() {
        return;
    }
    let badness =
        rows.iter().map(|(row, _)| row.load_error.map_or(f64::INFINITY, f64::abs)).collect();
    let grid = Columns::new()
        .with("system", Text, |(row, _): &Row<'_>| row.system.clone())
        .with("benchmark", Text, |(row, _)| row.benchmark.clone())
        .with("measured p99, ms", Number, |(row, _)| p99(&row.published))
        .with("simulated p99, ms", Number, |(_, predicted)| p99(predicted))
        .with("load error, %", Number, |(row, _)| signed(row.load_error))
        .with("shape error of p90, %", Number, |(row, _)| {
            signed(row.shape_error.map(|error| error.p90))
        })
        .with("shape error of p99, %", Number, |(row, _)| {
            signed(row.shape_error.map(|error| error.p99))
        })
        .with("marks", Text, |(row, _)| row.marks.join(", "))
        .of(rows);
    let table = Table::of("Server runs", grid, ROWS);
    page.table(table.worst_by("the load error", badness));
}

/// Rows without prediction, each reason once.
fn skipped(results: &ValidationResults) -> Vec<String> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for row in &results.rows {
        let Some(reason) = &row.skipped else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    reasons.into_iter().map(|(reason, count)| format!("{count} rows: {reason}")).collect()
}
