//! Rules of LoadGen's files or a round that are not simulated: refused where the verdict would
//! differ, else reported.
//!
//! The modelled ones are in `conf`.

use super::conf::Lookup;
use crate::config::text::{Diagnostic, Reader};
use crate::formats::mlperf_conf::number;
use crate::spec::{LoadSpec, Rules, TestScenario};

/// Settings that change which queries come or count, with the value that leaves all as it is.
const OTHERS: [(&str, f64, &str); 6] = [
    ("coalesce_queries", 0.0, "late queries are not merged"),
    ("max_async_queries", 0.0, "the number of waiting queries is not limited"),
    ("constant_gen", 0.0, "write arrivals = \"constant\" for equal gaps"),
    ("performance_issue_same", 0.0, "samples differ in work as the workload states"),
    ("performance_issue_unique", 0.0, "samples may repeat"),
    ("mode", 2.0, "a performance run is simulated"),
];

/// Compares the files with what is simulated; `load` has the values of all keys.
pub(crate) fn check(found: &Lookup<'_>, table: &Reader<'_>, load: &LoadSpec) {
    if load.scenario == TestScenario::Server {
        tokens(found, table);
        not_of_this_round(found, table, load);
    }
    for (key, neutral, help) in OTHERS {
        // Of MultiStream one query at a time is what is simulated; of Offline there is one.
        let counts = key != "max_async_queries" || load.scenario == TestScenario::Server;
        let line = found.find(key).filter(|_| counts);
        if let Some(line) = line.filter(|line| number(&line.value.value) != Some(neutral)) {
            let title = format!("`{key}` is {}, which is not simulated", line.value.value);
            found.problems.warn(line.wrong(title).help(help));
        }
    }
    ends_early(found, load);
    if found.has_files() && load.settings.rules == Rules::Mlperf {
        left_to_loadgen(found, table, load);
    }
}

/// Latencies of the first token and of the tokens behind it.
fn tokens(found: &Lookup<'_>, table: &Reader<'_>) {
    let judged = found.find("use_token_latencies");
    let judged = judged.filter(|line| number(&line.value.value) == Some(1.0));
    let zero = found.find("target_latency");
    let zero = zero.filter(|line| number(&line.value.value) == Some(0.0));
    let Some(line) = judged.or(zero) else {
        for line in ["ttft_latency", "tpot_latency"].iter().filter_map(|key| found.find(key)) {
            let title = "a bound on tokens without use_token_latencies = 1, which LoadGen ignores";
            let help = "the run is judged only by target_latency; tokens are not simulated";
            found.problems.warn(line.wrong(title).help(help));
        }
        return;
    };
    let own = "target_latency in the scenario file judges whole answers instead: this is not a verdict \
         of MLPerf";
    let diagnostic = match line.round() {
        Some((round, model)) => {
            let title = format!("round {round} judges {model} by the latency of tokens");
            Diagnostic::at(&table.spot_of("round"), title)
        }
        None => line.wrong("LoadGen judges this run by the latency of tokens"),
    };
    let bounds = ["ttft_latency", "tpot_latency"].map(|key| {
        let line = found.find(key);
        line.map_or(String::new(), |line| format!("{key} {} ms", line.value.value))
    });
    let bounds: Vec<_> = bounds.into_iter().filter(|bound| !bound.is_empty()).collect();
    let diagnostic = match bounds.is_empty() {
        true => diagnostic,
        false => diagnostic.note("bounds", bounds.join(", ")),
    };
    let diagnostic = diagnostic.note("reason", "tokens are not simulated: a query has one answer");
    if table.has("target_latency") {
        found.problems.warn(diagnostic.help(own));
    } else {
        found.problems.push(diagnostic.help(own));
    }
}

/// A benchmark that the round has no bound for keeps the one of its workload.
fn not_of_this_round(found: &Lookup<'_>, table: &Reader<'_>, load: &LoadSpec) {
    let key = "target_latency";
    let Some(line) = found.find(key).filter(|line| line.passes_over(key)) else { return };
    let Some((round, model)) = line.round().filter(|_| !table.has(key)) else { return };
    let title =
        format!("round {round} has no bound for {model}, which is not one of its benchmarks");
    let help = format!(
        "judged by the workload's {}; write target_latency, or name a round that has it",
        load.settings.target_latency
    );
    found.problems.warn(Diagnostic::at(&table.spot_of("round"), title).help(help));
}

/// `max_duration` and `max_query_count`: LoadGen ends the run there, a simulation does not.
fn ends_early(found: &Lookup<'_>, load: &LoadSpec) {
    if load.scenario == TestScenario::Offline {
        return; // Its one query is issued whole.
    }
    let settings = &load.settings;
    let (least_s, least) = (settings.min_duration.as_secs_f64(), settings.min_query_count as f64);
    // Five deviations of a Poisson process are more than ever happens.
    let more = |count: f64| count + 5.0 * count.sqrt();
    let server = load.scenario == TestScenario::Server;
    let rate = settings.target_qps;
    for (key, unit, per_unit) in
        [("max_duration", " ms", 1e3), ("max_query_count", " queries", 1.0)]
    {
        let Some(line) = found.find(key) else { continue };
        let Some(most) = number(&line.value.value).filter(|most| *most > 0.0) else { continue };
        let is_duration = key == "max_duration";
        let needed = match (is_duration, server) {
            (true, true) => least_s.max(more(least) / rate),
            (true, false) => least_s,
            (false, true) => least.max(more(rate * least_s)),
            (false, false) => least,
        };
        let ends = most / per_unit < needed;
        let title = format!("`{key}` {}{unit} ends the run early", line.value.value);
        let run = match is_duration {
            true => format!("this run lasts at least {needed:.0} s"),
            false => format!("this run has about {needed:.0} queries"),
        };
        let help = "drop the line, or write a shorter min_duration and a smaller min_query_count";
        if ends {
            found.problems.push(line.wrong(title).note("reason", run).help(help));
        } else if !server {
            let title = format!("`{key}` {}{unit} may end the run early", line.value.value);
            let help = "here it goes on until min_duration and min_query_count are reached";
            found.problems.warn(line.wrong(title).help(help));
        }
    }
}

/// Files that are no whole `mlperf.conf` leave things to LoadGen that nobody may expect.
fn left_to_loadgen(found: &Lookup<'_>, table: &Reader<'_>, load: &LoadSpec) {
    let settings = &load.settings;
    let mut left = Vec::new();
    if found.find("min_duration").is_none() && !table.has("min_duration") {
        left.push(format!("min_duration {}", settings.min_duration));
    }
    let is_server = load.scenario == TestScenario::Server;
    if is_server && found.find("target_latency").is_none() && !table.has("target_latency") {
        left.push(format!("target_latency {}", settings.target_latency));
    }
    if left.is_empty() {
        return;
    }
    let title = format!(
        "the files do not state these, so LoadGen's own defaults apply: {}",
        left.join(", ")
    );
    let help = "name the round's mlperf.conf before user.conf, or write round = \"v5.1\" for the \
        values of that round";
    found.problems.warn(Diagnostic::at(&table.spot_of("conf"), title).help(help));
}
