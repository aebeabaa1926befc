//! A text in the format of LoadGen's `mlperf_log_summary.txt`, for tools that read such files.
//!
//! Its first line states that the run was simulated: it is not a log of LoadGen and not a
//! submission. Lines and spacing after mlcommons/inference, `loadgen/results.cc`. Only the first VM
//! of a run has one, and only where LoadGen has its scenario.

use super::parts::Part;
use crate::shown::{file_part, shown_lines};
use crate::study::{Results, RunResult, Side, Tool, VmResult};
use std::fmt::Write;

/// The texts for programs that read LoadGen's summaries.
pub(super) fn texts(results: &Results) -> Vec<Part> {
    let of_run = |run: &RunResult| {
        let text = summary(run, run.vms.first()?, &results.head.tool)?;
        Some(Part::Text(name(run, results.runs.len()), text))
    };
    results.runs.iter().filter_map(of_run).collect()
}

/// `simulated_log_summary.txt`, or with the run and its side where there are several; of bare metal the
/// kind, but for a twin.
fn name(run: &RunResult, runs: usize) -> String {
    let side = match (run.side, run.baseline_kind) {
        (Side::Virtual, _) => "virtual",
        (Side::Baseline, None | Some("twin")) => "baseline",
        (Side::Baseline, Some(kind)) => kind,
    };
    match runs {
        1 => "simulated_log_summary.txt".to_string(),
        _ => format!("simulated_log_summary-{}-{side}.txt", file_part(&run.name)),
    }
}

/// The text; nothing for clients that LoadGen does not know, and for LLMs, of which it would tell tokens.
fn summary(run: &RunResult, vm: &VmResult, tool: &Tool) -> Option<String> {
    if vm.tokens.is_some() {
        return None;
    }
    let scenario = match vm.scenario {
        "server" => "Server",
        "offline" => "Offline",
        "singlestream" => "SingleStream",
        "multistream" => "MultiStream",
        _ => return None,
    };
    let mut text = format!(
        "WARNING: simulated by {} {}, not measured. This is not a log of LoadGen and not a result \
         of MLPerf.\n",
        tool.name, tool.version
    );
    head(&mut text, "MLPerf Results Summary");
    let name = format!("{} {} on {}", run.name, vm.name, run.platform);
    line(&mut text, &format!("SUT name : SIMULATED {} {}: {name}", tool.name, tool.version));
    line(&mut text, &format!("Scenario : {scenario}"));
    line(&mut text, "Mode     : PerformanceOnly");
    result(&mut text, vm);
    verdict(&mut text, vm);
    text.push('\n');
    head(&mut text, "Additional Stats");
    statistics(&mut text, vm);
    text.push('\n');
    head(&mut text, "Test Parameters Used");
    parameters(&mut text, vm);
    text.push_str(
        "\n1 warning encountered. The run was simulated.\n\nNo errors encountered during test.\n",
    );
    Some(text)
}

fn head(text: &mut String, title: &str) {
    let rule = "=".repeat(48);
    line(text, &format!("{rule}\n{title}\n{rule}"));
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", shown_lines(line)).expect("a text takes every line");
}

/// The figure that is the result of the scenario.
fn result(text: &mut String, vm: &VmResult) {
    match vm.scenario {
        "server" => {
            line(text, &format!("Completed samples per second    : {:.2}", vm.completed_per_s));
        }
        "offline" => line(text, &format!("Samples per second: {}", six_digits(vm.completed_per_s))),
        _ => {
            let percentile = vm.load.percentile;
            let name =
                if percentile == 99.9 { "p999".to_string() } else { format!("p{percentile}") };
            if let Some(latency) = vm.latency_ms.get(&name) {
                let latency = nanos(latency);
                line(text, &format!("{percentile:.0}th percentile latency (ns) : {latency}"));
            }
        }
    }
}

fn verdict(text: &mut String, vm: &VmResult) {
    let verdict = &vm.verdict;
    let answer = |name: &str| if verdict.failed.contains(&name) { "NO" } else { "Yes" };
    line(text, &format!("Result is : {}", if verdict.valid { "VALID" } else { "INVALID" }));
    if vm.scenario == "server" {
        line(text, &format!("  Performance constraints satisfied : {}", answer("latency")));
    }
    line(text, &format!("  Min duration satisfied : {}", answer("min_duration")));
    line(text, &format!("  Min queries satisfied : {}", answer("min_queries")));
    if verdict.early_stopping.is_some() || vm.scenario == "offline" {
        line(text, &format!("  Early stopping satisfied: {}", answer("early_stopping")));
    }
    if !verdict.valid {
        line(text, "Recommendations:");
        verdict.failed_rules.iter().for_each(|rule| line(text, &format!(" * {rule}")));
    }
    if verdict.early_stopping.is_none() {
        return;
    }
    line(text, "Early Stopping Result:");
    let Some(first) = verdict.estimates.first() else {
        let rule = verdict.failed_rules.iter().find(|rule| rule.starts_with("early stopping"));
        let unsuccessful = |rule| format!(" * Run unsuccessful.\n * {rule}");
        return line(text, &rule.map_or(" * Run successful.".to_string(), unsuccessful));
    };
    let (least, queries) = (first.queries_min, vm.queries);
    line(
        text,
        &match first.discarded {
            None => format!(
                " * Only processed {queries} queries.\n * Need to process at least {least} queries for early stopping."
            ),
            Some(discarded) => format!(
                " * Processed at least {least} queries ({queries}).\n * Would discard {discarded} highest latency queries."
            ),
        },
    );
    for estimate in &verdict.estimates {
        if let Some(latency) = estimate.latency_ms {
            let (percentile, latency) = (estimate.percentile, nanos(latency));
            let told =
                format!(" * Early stopping {percentile:.0}th percentile estimate: {latency}");
            line(text, &told);
        }
    }
}

fn statistics(text: &mut String, vm: &VmResult) {
    let mean_s = vm.latency_ms.mean / 1e3;
    match (vm.scenario, vm.scheduled_per_s) {
        ("server", Some(scheduled)) => {
            line(text, &format!("Scheduled samples per second : {scheduled:.2}"));
        }
        ("singlestream", _) => {
            let net = if mean_s > 0.0 { 1.0 / mean_s } else { 0.0 };
            line(text, &format!("QPS w/ loadgen overhead         : {:.2}", vm.completed_per_s));
            line(text, &format!("QPS w/o loadgen overhead        : {net:.2}\n"));
        }
        ("multistream", _) => line(text, "Per-query latency:  "),
        _ => {}
    }
    let latency = &vm.latency_ms;
    for (name, ms) in [("Min", latency.min), ("Max", latency.max), ("Mean", latency.mean)] {
        line(text, &format!("{:<32}: {}", format!("{name} latency (ns)"), nanos(ms)));
    }
    let percentiles = [
        ("50.00", latency.p50),
        ("90.00", latency.p90),
        ("95.00", latency.p95),
        ("97.00", latency.p97),
        ("99.00", latency.p99),
        ("99.90", latency.p999),
    ];
    for (name, ms) in percentiles {
        line(text, &format!("{name} percentile latency (ns)   : {}", nanos(ms)));
    }
}

fn parameters(text: &mut String, vm: &VmResult) {
    let load = &vm.load;
    let bound = if vm.scenario == "server" { nanos(vm.target_latency_ms) } else { 0 };
    let samples = if vm.scenario == "offline" { vm.samples } else { load.samples_per_query };
    let lines = [
        ("samples_per_query : ", samples.to_string()),
        ("target_qps : ", six_digits(vm.target_qps)),
        ("target_latency (ns): ", bound.to_string()),
        ("min_duration (ms): ", format!("{:.0}", load.min_duration_ms)),
        ("min_query_count : ", load.min_query_count.to_string()),
        ("schedule_rng_seed : ", load.schedule_seed.to_string()),
    ];
    lines.iter().for_each(|(key, value)| line(text, &format!("{key}{value}")));
}

/// Whole nanoseconds.
fn nanos(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}

/// A number to six digits without zeros at the end, as C++ prints it.
fn six_digits(number: f64) -> String {
    let whole = number.abs().log10().floor().max(0.0);
    let decimals = if whole.is_finite() { (5.0 - whole).max(0.0) as usize } else { 0 };
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        for (number, text) in [(7870.0, "7870"), (83.5, "83.5"), (15_969.64, "15969.6"), (0.0, "0")]
        {
            assert_eq!(six_digits(number), text);
        }
    }
}
