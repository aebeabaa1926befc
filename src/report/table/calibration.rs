//! The table of a calibration: every run against its fit, then the numbers with what else they could
//! be.

use super::super::number::{latency, percent, plain, rate, wrap};
use super::grid::{Column, Grid};
use super::{Width, notes, page};
use crate::study::{CalibrationResults, FigureFit, ParameterResult};

/// The whole text.
pub fn render_calibration(results: &CalibrationResults, width: Width) -> String {
    let said = format!(
        "err %: simulated over measured, minus 1. From, to: what the {} sets of numbers give that fit nearly as well (95 % region of the fit). A run that is checked was not fitted.",
        results.fits
    );
    let residual = format!(
        "Residual of the fitted figures: {} % (root mean square, extremes left out).",
        plain(results.residual * 100.0)
    );
    let blocks = [
        width.lines(&results.title),
        alarms(results, width),
        runs(results, width),
        wrap(&said, width.text, "") + "\n" + &wrap(&residual, width.text, "") + "\n",
        parameters(results, width),
        notes(&results.notes, width),
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

/// Why the numbers are not to be trusted, before anything else.
fn alarms(results: &CalibrationResults, width: Width) -> String {
    let lines = results.alarms.iter();
    lines.map(|alarm| wrap(&format!("WARNING: {alarm}"), width.text, "  ") + "\n").collect()
}

fn runs(results: &CalibrationResults, width: Width) -> String {
    use Column::{Number, Text};
    let mut grid = Grid::new(&[
        ("run", Text),
        ("", Text),
        ("figure", Text),
        ("measured", Number),
        ("simulated", Number),
        ("err %", Number),
        ("from", Number),
        ("to", Number),
    ]);
    for run in &results.runs {
        let mut head =
            [run.row.clone(), (if run.fitted { "fitted" } else { "checked" }).to_string()];
        for figure in &run.figures {
            let write = |value: f64| written(figure, value);
            let [row, how] = std::mem::take(&mut head);
            grid.line(vec![
                row,
                how,
                name(figure),
                write(figure.observed),
                write(figure.simulated),
                percent(figure.error_percent),
                write(figure.low),
                write(figure.high),
            ]);
        }
    }
    grid.finish(width)
}

fn name(figure: &FigureFit) -> String {
    match figure.figure.as_str() {
        "completed_per_s" => "samples/s".to_string(),
        "batch" => "GPU ms".to_string(),
        "p999" => "p99.9 ms".to_string(),
        other => format!("{other} ms"),
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
    let mut grid = Grid::new(&[
        ("number", Text),
        ("value", Number),
        ("from", Number),
        ("to", Number),
        ("unit", Text),
        ("", Text),
    ]);
    for parameter in &results.parameters {
        let ends = |value: f64| if parameter.held { String::new() } else { digits(value) };
        grid.line(vec![
            parameter.name.clone(),
            digits(parameter.value),
            ends(parameter.low),
            ends(parameter.high),
            parameter.unit.to_string(),
            how(parameter).to_string(),
        ]);
    }
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
