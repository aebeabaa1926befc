//! The result as a table for the terminal, with the notes that a reader needs.
//!
//! It shows a choice of figures at reading precision; the documents hold everything. It is plain
//! text: [`paint`] adds colour afterwards, so that widths are never counted wrong.

mod answer;
mod calibration;
mod capacity;
mod cluster;
mod cpu;
mod explained;
mod gap;
mod grid;
mod members;
mod operations;
mod plan;
mod power;
mod runs;
mod stages;
mod steps;
mod sweep;
mod timeline;
mod uncertainty;
mod validation;
mod vms;

pub use answer::{answer_sentences, render_answer};
pub use calibration::render_calibration;
pub(in crate::report) use capacity::found as capacity_found;
pub use capacity::render_capacity;
pub use cluster::render_cluster;
pub use explained::render_explained;
pub(in crate::report) use gap::{
    factors as gap_factors, same_rate as gap_latencies, steps as gap_steps,
};
pub(in crate::report) use operations::{
    in_seconds as seconds, percent as availability_percent, said as operations_said,
};
pub use plan::render_plan;
pub(in crate::report) use plan::{
    asked as plan_asked, in_words as vms_in_words, layouts as plan_layouts, legend as plan_legend,
    percent as plan_percent, tried as plan_tried,
};
pub(in crate::report) use power::power_grid;
pub(in crate::report) use runs::{plain_grid as runs_grid, published_grid};
pub(in crate::report) use stages::{gpus_grid, stages_grid};
pub use sweep::render_sweep;
pub use timeline::render_timeline;
pub use validation::render_validation;
pub(in crate::report) use validation::{
    groups, groups_grid, intervals, intervals_grid, misses, said as validation_said, scaling,
    scaling_grids,
};
pub use vms::render_vms;
pub(in crate::report) use vms::{stops as way_stops, ways};

use super::number::{or_dash, percentile, plain, rate, ratio, span, with_unit};
use super::parts::{File, Part, Report};
use super::width::Width;
use crate::shown::shown_lines;
use crate::spec::Standing;
use crate::study::{Comparison, FactUse, FitSpread, Head, Results, Verdict, VmResult};
use crate::units::counted;
pub(super) use grid::{Column, Columns, Grid};
use members::Members;

/// The text for the terminal is also written to a file.
pub(super) fn files(part: &Part, report: &dyn Report) -> anyhow::Result<Vec<File>> {
    let Part::Table(name) = part else { return Ok(Vec::new()) };
    Ok(vec![File::new(&format!("{name}.txt"), report.table(Width::FILE.with_each(true)))])
}

/// The whole text.
pub fn render(results: &Results, width: Width) -> String {
    let published = results.vms().any(|(_, vm)| vm.published.is_some());
    let table = if published {
        runs::against_published(results, width)
    } else {
        runs::plain_runs(results, width)
    };
    let mut blocks = vec![
        width.lines(&results.head.title),
        verdict(&results.verdict, width),
        scaled(&results.scaled, width),
        table,
    ];
    if published {
        blocks.push(width.lines(LEGEND));
    }
    blocks.push(operations::operations(results, width));
    blocks.push(steps::steps(results, width));
    blocks.extend([stages::stages(results, width), stages::gpus(results, width)]);
    blocks.push(cpu::cpu(results, width));
    blocks.push(power::power(results, width));
    blocks.extend([fits(results, width), comparisons(results, width)]);
    blocks.push(uncertainty::uncertainty(results, width));
    blocks.extend([twins(results, width), assumptions(results, width)]);
    blocks.extend([failed(results, width), width.items("note", &results.notes)]);
    blocks.push(footer(&results.head, &results.leans_on, "result.json", width));
    page(blocks)
}

/// Blocks with an empty line between them; those that say nothing are left out.
fn page(blocks: impl IntoIterator<Item = String>) -> String {
    let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
    shown_lines(&blocks.join("\n")).into_owned()
}

/// The answer in short.
fn verdict(verdict: &Verdict, width: Width) -> String {
    match verdict.sentences.is_empty() {
        true => String::new(),
        false => width.lines(&verdict.sentences.join(" ")),
    }
}

/// What the letters of the table mean.
const LEGEND: &str = "err %: simulated over published, minus 1. g given: the rate is an input; f \
    fitted: a number in use was fitted on this row; p predicted: none was. Offline latencies are \
    completion times within \
one huge query.";

/// The text with its verdicts in colour.
pub fn paint(text: &str) -> String {
    let colour = |line: &str, word: &str, code: u8| {
        line.strip_suffix(word).map(|rest| format!("{rest}\u{1b}[{code}m{word}\u{1b}[0m"))
    };
    let lines = text.lines().map(|line| {
        colour(line, " INVALID", 31)
            .or_else(|| colour(line, " VALID", 32))
            .or_else(|| colour(line, " ERROR", 31))
            .or_else(|| colour(line, "  yes", 32))
            .or_else(|| colour(line, "  no", 31))
            .or_else(|| colour(line, "  not sure", 33))
            .unwrap_or_else(|| line.to_string())
    });
    lines.map(|line| line + "\n").collect()
}

/// Both sides at their best, one line per pair.
fn comparisons(results: &Results, width: Width) -> String {
    if results.comparisons.is_empty() {
        return String::new();
    }
    use Column::{Attached, Number, Text};
    let published = results.comparisons.iter().any(|c| c.published_ratio.is_some());
    let several = results.comparisons.iter().any(|c| c.capacity_ratio_replicated.is_some());
    let grid = Columns::new()
        .with("capacity", Text, |(results, c): &(&Results, &Comparison)| compared(results, c))
        .with("virtual /s", Number, |(_, c)| rate(c.virtual_per_s))
        .with("bare metal /s", Number, |(_, c)| rate(c.baseline_per_s))
        .with("ratio simulated", Number, |(_, c)| ratio(c.capacity_ratio))
        .when(several, "±", Attached, |(_, c)| {
            let half = c.capacity_ratio_replicated.and_then(|all| all.half_width);
            half.map_or(String::new(), |half| format!("{half:.4}"))
        })
        .when(published, "ratio published", Number, |(_, c)| or_dash(c.published_ratio, ratio))
        .with("search to", Number, |(_, c)| match c.precision {
            0.0 => String::new(),
            precision => format!("{} %", plain(precision * 100.0)),
        })
        .of(results.comparisons.iter().map(|c| (results, c)));
    let mut text = grid.finish(width);
    text.push_str(&width.said(CAPACITY));
    if published {
        text.push_str(&width.said(CHOSEN));
    }
    text
}

/// The name of a comparison, with the kind of bare metal where there are several.
pub(in crate::report) fn compared(results: &Results, comparison: &Comparison) -> String {
    let same = results.comparisons.iter().filter(|other| other.name == comparison.name);
    match same.count() {
        1 => comparison.name.clone(),
        _ => format!("{}, {}", comparison.name, comparison.baseline_kind.replace('-', " ")),
    }
}

/// How the capacity was found.
const CAPACITY: &str = "Capacity is the highest VALID rate of a Server run, or the rate of an Offline \
run, with identical settings on both sides; the ratio of Server rates is a prediction, that of \
Offline rates shows the platform factor, which is an input.";

/// Why a published ratio of Server rates is no measurement of capacity.
const CHOSEN: &str = "Published Server rates were chosen by the submitters, each side with its \
    own settings, and need not be the highest possible; published Offline rates were measured.";

/// What other fits of the workloads and other machines would give.
fn fits(results: &Results, width: Width) -> String {
    let mut text = String::new();
    let all = Members::of_all(results, width);
    for row in members::shown(all, width).0 {
        let fits: Vec<&FitSpread> = row.vms.iter().filter_map(|vm| vm.fits.as_ref()).collect();
        let Some(first) = fits.first() else { continue };
        let name = format!("{} on {}", row.name(), row.run.place());
        let around = |of: &dyn Fn(&FitSpread) -> Option<[f64; 2]>| {
            let ends = fits.iter().filter_map(|fits| of(fits));
            ends.reduce(|[low, high], [least, most]| [low.min(least), high.max(most)])
        };
        let of = |figure: &str| {
            let ends = around(&|fits| fits.latency_ms.get(figure).copied());
            ends.map_or(String::new(), |ends| {
                format!("{} {}", percentile(figure), span(ends, with_unit))
            })
        };
        let vm = row.vms[0];
        let figures = match vm.scenario {
            "offline" => {
                let rates = around(&|fits| Some(fits.completed_per_s));
                rates.map_or(String::new(), |rates| format!("{} /s", span(rates, rate)))
            }
            _ if vm.load.percentile > 99.0 && first.latency_ms.contains_key("p999") => {
                format!("{}, {}, {}, {}", of("p50"), of("p90"), of("p99"), of("p999"))
            }
            _ => format!("{}, {}, {}", of("p50"), of("p90"), of("p99")),
        };
        text.push_str(&width.indented(1, &format!("{name}: {figures}")));
    }
    let head = "Inputs: figures on slow and fast machines (5th and 95th percentile), with other \
        fits nearly as good, and with inputs that were not measured at the ends of their ranges";
    width.under(head, text)
}

/// What the published bare-metal runs did differently.
fn twins(results: &Results, width: Width) -> String {
    let mut text = String::new();
    for run in results.runs.iter().filter(|run| !run.differs.is_empty()) {
        let line = format!("{}: {}", run.name, run.differs.join(", "));
        text.push_str(&width.indented(1, &line));
    }
    let head = "Twins: settings in which the published bare-metal run differs (in brackets: the \
        virtual run)";
    width.under(head, text)
}

/// What runs on shared cards assume of time slicing, and what other choices give.
fn assumptions(results: &Results, width: Width) -> String {
    let p99 = |values: &[f64]| {
        let ends = values
            .iter()
            .fold([f64::INFINITY, 0.0_f64], |[low, high], &ms| [low.min(ms), high.max(ms)]);
        span(ends, with_unit)
    };
    let mut text = String::new();
    for run in &results.runs {
        let Some(assumes) = &run.assumes else { continue };
        let own: Vec<f64> = run.vms.iter().map(|vm| vm.latency_ms.p99).collect();
        let line = format!("{}: {assumes}: p99 {}", run.name, p99(&own));
        text.push_str(&width.indented(1, &line));
        for other in &run.alternatives {
            let line = format!("{}: p99 {}", other.option, p99(&other.latency_p99_ms));
            text.push_str(&width.indented(2, &line));
        }
    }
    let head = "Sharing: assumptions where nothing is documented, and p99 with other possible \
        values";
    width.under(head, text)
}

/// Why runs are INVALID, one line each.
fn failed(results: &Results, width: Width) -> String {
    let mut text = String::new();
    let all = Members::of_all(results, width);
    for row in members::shown(all, width).0 {
        let late = |vm: &&&VmResult| vm.badness(vm.latency_ms.p99);
        let failed = row.vms.iter().filter(|vm| !vm.verdict.valid);
        let worst = failed.max_by(|one, other| late(one).total_cmp(&late(other)));
        let Some(vm) = worst else { continue };
        let rules = vm.verdict.failed_rules.join("; ");
        let which = match row.vms.len() {
            1 => String::new(),
            _ => format!(", of which {} the worst", vm.name),
        };
        let line = format!("INVALID: {} on {}{which}: {rules}", row.name(), row.run.place());
        text.push_str(&width.item(&line));
    }
    text
}

/// That service times are another GPU's, which stands at the head.
fn scaled(sentences: &[String], width: Width) -> String {
    sentences.iter().map(|said| width.item(&format!("Scaled: {said}."))).collect()
}

/// What the figures lean on, listed in a document, and what makes them again.
fn footer(head: &Head, leans_on: &[FactUse], document: &str, width: Width) -> String {
    let count = |standing| leans_on.iter().filter(|fact| fact.standing == standing).count();
    let fitted = count(Standing::Fitted);
    let assumed = counted(count(Standing::Assumed), "assumed number");
    let leans = match count(Standing::Yours) {
        0 => format!("Uses {fitted} fitted and {assumed}, listed in {document}."),
        yours => {
            format!(
                "Uses {fitted} fitted and {assumed} and {yours} of yours, listed in {document}."
            )
        }
    };
    let Head { tool, seed, scenario_hash, scenario, .. } = head;
    let made =
        format!("seed {seed}, scenario {scenario} {scenario_hash}, {} {}", tool.name, tool.version);
    width.lines(&leans) + &width.lines(&made)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    /// Compares with a file of `tests/golden`, or with `UPDATE` set writes it.
    #[track_caller]
    fn check(name: &str, text: &str) {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "tests/golden/{name} differs; the text is now:\n{text}");
    }

    #[test]
    fn pairs_stand_beside_what_was_published() {
        check("report-pairs.txt", &render(&fixture::pairs(), Width::FILE));
    }

    #[test]
    fn a_sweep_has_one_line_per_point_and_group() {
        check("report-sweep.txt", &render_sweep(&fixture::sweep(), Width::FILE));
    }

    #[test]
    fn runs_without_publication_have_plain_columns() {
        let mut results = fixture::pairs();
        for run in &mut results.runs {
            run.vms[0].published = None;
            let mut second = run.vms[0].clone();
            (second.name, second.group) = ("vm-1".to_string(), "vm-1".to_string());
            run.vms.push(second);
        }
        for comparison in &mut results.comparisons {
            comparison.published_ratio = None;
        }
        let text = render(&results, Width::FILE);
        assert!(!text.contains("published  ") && !text.contains("err %"), "{text}");
        assert!(text.contains("bert-99-server / vm-1"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_a_narrow_terminal() {
        for columns in [40, 60, 80, 100] {
            let width = Width::columns(columns);
            for text in [render(&fixture::pairs(), width), render_sweep(&fixture::sweep(), width)] {
                for line in text.lines() {
                    assert!(line.chars().count() <= columns, "{columns} columns: {line:?}");
                }
            }
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for text in
            [render(&fixture::pairs(), Width::FILE), render_sweep(&fixture::sweep(), Width::FILE)]
        {
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= 120, "{widest} characters in a line of\n{text}");
        }
    }

    #[test]
    fn verdicts_are_painted_and_nothing_else() {
        let text = "a  VALID\nb  INVALID\nINVALID: c\n";
        let painted = "a \u{1b}[32m VALID\u{1b}[0m\nb \u{1b}[31m INVALID\u{1b}[0m\nINVALID: c\n";
        assert_eq!(paint(text), painted);
    }
}
