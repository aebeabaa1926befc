//! The table of a calibration: every run against its fit, then the numbers with their ranges.

use super::super::number::{latency, percent, percentile, plain, rate};
use super::grid::{Column, Columns};
use super::page;
use crate::report::width::Width;
use crate::study::{CalibrationResults, FigureFit, ParameterResult, RunFit};

/// The whole text.
pub fn render_calibration(results: &CalibrationResults, width: Width) -> String {
    let said = format!(
        "err %: simulated over measured, minus 1. From, to: the least and the greatest value by \
         {} (95 % region of the fit). A checked run was not used in the fit.",
        match results.fits {
            1 => "the one set of numbers that fits".to_string(),
            count => format!("the {count} sets of numbers that fit nearly as well"),
        }
    );
    let residual = format!(
        "Residual of the fitted figures: {} % (root mean square, extremes left out).",
        plain(results.residual * 100.0)
    );
    let blocks = [
        width.lines(&results.title),
        width.items("WARNING", &results.alarms),
        runs(results, width),
        width.said(&said) + &width.said(&residual),
        parameters(results, width),
        width.items("note", &results.notes),
        width.lines(&format!(
            "seed {}, calibration {} {}, {} {}",
            results.seed,
            results.name,
            results.calibration_hash,
            results.tool.name,
            results.tool.version
        )),
    ];
    page(blocks)
}

fn runs(results: &CalibrationResults, width: Width) -> String {
    use Column::{Number, Text};
    // Its name and how it was used stand at the first figure of a run.
    let rows = results.runs.iter().flat_map(|run| {
        run.figures.iter().enumerate().map(move |(at, of)| (Some(run).filter(|_| at == 0), of))
    });
    let grid = Columns::new()
        .with("run", Text, |(run, _): &(Option<&RunFit>, &FigureFit)| {
            run.map_or(String::new(), |run| run.row.clone())
        })
        .with("", Text, |(run, _)| match run {
            Some(run) => if run.fitted { "fitted" } else { "checked" }.to_string(),
            None => String::new(),
        })
        .with("figure", Text, |(_, of)| name(of))
        .with("measured", Number, |(_, of)| written(of, of.observed))
        .with("simulated", Number, |(_, of)| written(of, of.simulated))
        .with("err %", Number, |(_, of)| percent(of.error_percent))
        .with("from", Number, |(_, of)| written(of, of.low))
        .with("to", Number, |(_, of)| written(of, of.high))
        .of(rows);
    grid.finish(width)
}

fn name(figure: &FigureFit) -> String {
    match figure.figure.as_str() {
        "completed_per_s" => "samples/s".to_string(),
        "batch" => "GPU ms".to_string(),
        other => format!("{} ms", percentile(other)),
    }
}

fn written(figure: &FigureFit, value: f64) -> String {
    match figure.figure.as_str() {
        "completed_per_s" => rate(value),
        "batch" => digits(value),
        _ => latency(value),
    }
}

fn parameters(results: &CalibrationResults, width: Width) -> String {
    use Column::{Number, Text};
    fn end(parameter: &ParameterResult, value: f64) -> String {
        if parameter.held { String::new() } else { digits(value) }
    }
    let grid = Columns::new()
        .with("number", Text, |of: &&ParameterResult| of.name.clone())
        .with("value", Number, |of| digits(of.value))
        .with("from", Number, |of| end(of, of.low))
        .with("to", Number, |of| end(of, of.high))
        .with("unit", Text, |of| of.unit.to_string())
        .with("", Text, |of| how(of).to_string())
        .of(&results.parameters);
    grid.finish(width)
}

fn how(parameter: &ParameterResult) -> &'static str {
    match (parameter.held, parameter.identified) {
        (true, _) => "held",
        (false, Some(false)) => "fitted, not identified",
        (false, _) => "fitted",
    }
}

/// Four digits that matter.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return plain(value);
    }
    let places = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    format!("{value:.places$}")
}
