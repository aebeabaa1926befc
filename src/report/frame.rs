//! A frame: what a page shows of a setting while somebody moves a slider, as JSON in one line.
//!
//! Its tables are those that `slicewise run` prints, cell by cell.

use super::number::{latency, rate, with_unit};
use super::table::{Column, Grid, gpus_grid, published_grid, runs_grid, stages_grid};
use super::width::Width;
use super::{charts, plot, written};
use crate::study::{
    CurvePoint, Interval, Law, LineKind, PercentileLine, Results, RunResult, RunWindow, Side,
    TimelineResults, VmResult, nines, student_95,
};
use serde::Serialize;

/// What a frame shows.
pub struct Frame<'a> {
    /// Which of how many frames it is, from 1.
    pub step: usize,
    /// Of how many.
    pub steps: usize,
    /// What was simulated for it, as a sentence.
    pub said: String,
    /// Whether runs are as long as the scenario says: else nothing is VALID or INVALID yet.
    pub is_whole: bool,
    /// Whether these are the figures that `slicewise run` prints.
    pub is_exact: bool,
    /// The figures.
    pub results: &'a Results,
    /// Distributions of latency.
    pub lines: &'a [PercentileLine],
    /// Some turns of the run, drawn, and what they are.
    pub timeline: Option<&'a (String, String)>,
    /// One figure over many settings.
    pub curve: Option<FrameCurve<'a>>,
}

/// One figure over many settings.
pub struct FrameCurve<'a> {
    /// `load` or `vms`.
    pub id: &'a str,
    /// What is varied, with its unit.
    pub x_label: String,
    /// The settings.
    pub x: &'a [f64],
    /// What was found at each; nothing where it was not looked at, or could not be.
    pub points: &'a [Option<CurvePoint>],
    /// What theory says over the rate; nothing where it says nothing, or something else is varied.
    pub law: Option<&'a Law>,
    /// The setting as it is.
    pub at: f64,
    /// What was simulated for each point.
    pub said: String,
}

#[derive(Serialize)]
struct Document<'a> {
    step: usize,
    steps: usize,
    exact: bool,
    said: &'a str,
    verdict: Said,
    figures: Vec<Figure>,
    tables: Vec<Table>,
    percentiles: Percentiles<'a>,
    timeline: Option<Timeline<'a>>,
    curve: Option<Curve<'a>>,
}

#[derive(Serialize)]
struct Said {
    holds: Option<bool>,
    text: String,
}

#[derive(Serialize)]
struct Figure {
    id: &'static str,
    label: String,
    unit: &'static str,
    value: f64,
    text: String,
    low: Option<f64>,
    high: Option<f64>,
    beside: Vec<Beside>,
}

#[derive(Serialize)]
struct Beside {
    label: String,
    value: f64,
    text: String,
}

#[derive(Serialize)]
struct Table {
    caption: &'static str,
    columns: Vec<Head>,
    rows: Vec<Vec<String>>,
    said: String,
}

#[derive(Serialize)]
struct Head {
    head: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Percentiles<'a> {
    x: Vec<f64>,
    series: Vec<Line<'a>>,
    bound_ms: Option<f64>,
    bound_percentile: Option<f64>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    role: &'static str,
    ms: &'a [Option<f64>],
}

#[derive(Serialize)]
struct Timeline<'a> {
    svg: &'a str,
    said: &'a str,
}

#[derive(Serialize)]
struct Curve<'a> {
    id: &'a str,
    x_label: &'a str,
    y_label: &'static str,
    x: &'a [f64],
    at: f64,
    series: Vec<Series>,
    bound: Option<f64>,
    said: &'a str,
}

#[derive(Serialize)]
struct Series {
    name: String,
    role: &'static str,
    y: Vec<Option<f64>>,
    low: Option<Vec<Option<f64>>>,
    high: Option<Vec<Option<f64>>>,
}

/// The frame as JSON in one line.
pub fn frame(frame: &Frame<'_>) -> anyhow::Result<String> {
    let results = frame.results;
    let worst = worst(&results.runs[0]);
    let server = worst.filter(|vm| vm.scenario == "server");
    written::line(&Document {
        step: frame.step,
        steps: frame.steps,
        exact: frame.is_exact,
        said: &frame.said,
        verdict: verdict(frame, worst),
        figures: figures(results),
        tables: tables(results),
        percentiles: Percentiles {
            x: nines(),
            series: frame.lines.iter().map(line).collect(),
            bound_ms: server.map(|vm| vm.target_latency_ms),
            bound_percentile: server.map(|vm| vm.load.percentile),
        },
        timeline: frame.timeline.map(|(svg, said)| Timeline { svg, said }),
        curve: frame.curve.as_ref().map(|curve| of_curve(curve, server)),
    })
}

/// The answer in short; of runs that were cut only how it stands.
fn verdict(frame: &Frame<'_>, worst: Option<&VmResult>) -> Said {
    let verdict = &frame.results.verdict;
    if frame.is_whole {
        return Said { holds: verdict.holds, text: verdict.sentences.join(" ") };
    }
    let so_far = worst.filter(|vm| vm.scenario == "server").map(|vm| {
        let [p99, bound] = [vm.latency_ms.p99, vm.target_latency_ms].map(with_unit);
        format!("So far: p99 of {} is {p99}, its bound {bound}.", vm.name)
    });
    let text = so_far.unwrap_or_else(|| "So far: the first queries of the run.".to_string());
    Said { holds: None, text }
}

/// A short time of a run as a drawing and a sentence; nothing where there is nothing to show.
pub fn timeline_of(window: &RunWindow) -> anyhow::Result<Option<(String, String)>> {
    let Some(seen) = &window.seen else { return Ok(None) };
    // What is said of the command is for a terminal.
    let said = window.said.split(" It was simulated").next().unwrap_or(&window.said);
    Ok(Some((drawn(seen)?, said.to_string())))
}

fn drawn(seen: &TimelineResults) -> anyhow::Result<String> {
    // Whoever draws files makes the font known; a frame may come first.
    plot::draw_each(std::iter::empty::<(&str, &charts::figure::Figure)>(), |_| Ok(()))?;
    plot::svg(&charts::timeline_figure(seen))
}

fn line(line: &PercentileLine) -> Line<'_> {
    Line { name: &line.name, role: role(line.kind), ms: &line.ms }
}

fn role(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Vm => "vm",
        LineKind::Bare => "bare",
        LineKind::Theory => "theory",
    }
}

/// The VM with the highest p99 relative to its bound.
fn worst(run: &RunResult) -> Option<&VmResult> {
    let late = |vm: &VmResult| vm.badness(vm.latency_ms.p99);
    run.vms.iter().max_by(|one, other| late(one).total_cmp(&late(other)))
}

/// The figures that are read first: of the worst VM, and of all together.
fn figures(results: &Results) -> Vec<Figure> {
    let [own, bare @ ..] = &results.runs[..] else { return Vec::new() };
    let bare: Vec<&RunResult> =
        bare.iter().filter(|run| run.side == Side::Baseline && run.name == own.name).collect();
    let several = own.vms.len() > 1;
    let of = |what: &str, whose: &str| match several {
        true => format!("{what}, {whose}"),
        false => what.to_string(),
    };
    let mut all = Vec::new();
    let mut add = |id,
                   label: String,
                   unit,
                   of: &dyn Fn(&RunResult) -> Option<f64>,
                   text: fn(f64) -> String| {
        let Some(value) = of(own) else { return };
        let beside = bare.iter().filter_map(|run| {
            let value = of(run)?;
            let kind = run.baseline_kind.unwrap_or("baseline").replace('-', " ");
            Some(Beside { label: format!("bare metal, {kind}"), value, text: text(value) })
        });
        let beside = beside.collect();
        let text = text(value);
        all.push(Figure { id, label, unit, value, text, low: None, high: None, beside });
    };
    add(
        "p99",
        of("p99", "slowest VM"),
        "ms",
        &|run| worst(run).map(|vm| vm.latency_ms.p99),
        latency,
    );
    add(
        "p50",
        of("p50", "slowest VM"),
        "ms",
        &|run| worst(run).map(|vm| vm.latency_ms.p50),
        latency,
    );
    add(
        "mean",
        of("mean", "slowest VM"),
        "ms",
        &|run| worst(run).map(|vm| vm.latency_ms.mean),
        latency,
    );
    let all_rate = |run: &RunResult| -> Option<f64> {
        Some(run.vms.iter().map(|vm| vm.completed_per_s).sum())
    };
    add("rate", of("throughput", "all VMs"), "samples/s", &all_rate, rate);
    let busiest =
        |run: &RunResult| run.gpus.iter().map(|gpu| gpu.busy_share * 100.0).reduce(f64::max);
    let percent: fn(f64) -> String = |share| format!("{share:.0}");
    add("busy", "GPU busy".to_string(), "%", &busiest, percent);
    for figure in &mut all {
        let replicated = worst(own).and_then(|vm| vm.uncertainty.replications.as_ref());
        let Some(interval) = replicated.and_then(|all| all.latency_ms.get(figure.id)) else {
            continue;
        };
        [figure.low, figure.high] = ends(interval);
    }
    all
}

fn ends(interval: &Interval) -> [Option<f64>; 2] {
    let half = interval.half_width;
    [half.map(|half| (interval.mean - half).max(0.0)), half.map(|half| interval.mean + half)]
}

/// The tables as `run` prints them.
fn tables(results: &Results) -> Vec<Table> {
    let width = Width::FILE;
    let published = results.vms().any(|(_, vm)| vm.published.is_some());
    let runs = if published { published_grid } else { runs_grid };
    let table = |caption, (grid, said): (Grid, String)| {
        let (columns, rows) = grid.into_cells();
        let columns = columns.into_iter().map(|(head, column)| Head {
            head,
            kind: if column == Column::Text { "text" } else { "number" },
        });
        let rows = rows.into_iter().filter(|row| !row.is_empty()).collect();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Table { caption, columns: columns.collect(), rows, said }
    };
    let mut tables = vec![table("Rates and latencies", runs(results, width))];
    let stages = stages_grid(results, width);
    tables.extend(stages.map(|of| table("Where the time of a query goes", of)));
    tables.extend(gpus_grid(results, width).map(|of| table("Where the time of the GPU goes", of)));
    tables
}

fn of_curve<'a>(curve: &'a FrameCurve<'_>, server: Option<&VmResult>) -> Curve<'a> {
    let of = |figures: fn(&CurvePoint) -> &[f64]| -> Vec<Option<Interval>> {
        let at = |point: &Option<CurvePoint>| student_95(figures(point.as_ref()?));
        curve.points.iter().map(at).collect()
    };
    let line = |name: &str, role, found: Vec<Option<Interval>>| {
        let y = found.iter().map(|one| Some(one.as_ref()?.mean)).collect();
        let end = |which: usize| -> Vec<Option<f64>> {
            found.iter().map(|one| one.as_ref().and_then(|one| ends(one)[which])).collect()
        };
        let [low, high] = [end(0), end(1)];
        let known = low.iter().any(Option::is_some);
        let [low, high] = [low, high].map(|ends| known.then_some(ends));
        Series { name: name.to_string(), role, y, low, high }
    };
    let mut series = vec![line("p99", "vm", of(|point| &point.p99))];
    let bare = of(|point| &point.bare_p99);
    if bare.iter().any(Option::is_some) {
        series.push(line("p99 on bare metal, same cards", "bare", bare));
    }
    if let Some(law) = curve.law {
        series.push(line("mean", "vm", of(|point| &point.mean)));
        let mut add = |what: &str, of: &dyn Fn(f64) -> Option<f64>| {
            let y: Vec<Option<f64>> = curve.x.iter().map(|rate| of(*rate)).collect();
            if y.iter().any(Option::is_some) {
                let name = format!("{what}, {}", law.name());
                series.push(Series { name, role: "theory", y, low: None, high: None });
            }
        };
        add("p99", &|rate| law.quantile_ms(rate, 0.01));
        add("mean", &|rate| law.mean_ms(rate));
    }
    Curve {
        id: curve.id,
        x_label: &curve.x_label,
        y_label: "latency, ms",
        x: curve.x,
        at: curve.at,
        series,
        bound: server.map(|vm| vm.target_latency_ms),
        said: &curve.said,
    }
}
