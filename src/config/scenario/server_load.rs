//! `[vm.server]` and `[vm.load]`: the defaults, and the keys that override them.
//!
//! Single keys are read in `settings`.

use super::ranges::{MULTISTREAM_SAMPLES, RATES, is_rate};
use super::settings::{load_defaults, read_load, read_round, read_rules, read_server};
use super::triton::{self, FromFile};
use super::{conf, trace, unmodelled};
use crate::config::catalogue::entries::WorkloadFile;
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{Arrivals, LoadSpec, PRESETS, Rules, ServerSpec, TestScenario, Workload};
use crate::units::SimDuration;
use std::path::Path;

/// The scenarios of files.
pub(crate) const SCENARIOS: [(&str, TestScenario); 5] = [
    ("server", TestScenario::Server),
    ("offline", TestScenario::Offline),
    ("singlestream", TestScenario::SingleStream),
    ("multistream", TestScenario::MultiStream { samples: MULTISTREAM_SAMPLES }),
    ("closed-loop", TestScenario::ClosedLoop { clients: 1, think_time: SimDuration::ZERO }),
];

/// The server's settings: the preset's, or those of a model's `config.pbtxt`, overridden by
/// `[vm.server]`; and the places where batch and streams are set. `cards` is the number of its
/// GPUs, where that is known.
pub(crate) fn server(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    cards: Option<u32>,
    of_repository: Option<(&Value<'_>, &Path)>,
) -> (ServerSpec, [Spot; 2]) {
    let usual = workload.map_or(PRESETS[0].name, |workload| workload.usual_preset.as_str());
    if let Some(workload) = workload {
        table.fallback("server.preset", || ValueOrigin::new("workload", &workload.spec.id));
    }
    let read_own = |(given, path)| triton::read_file(given, path, cards);
    let Some(mut table) = table.table("server") else {
        if let Some(from) = of_repository.and_then(read_own) {
            table.fallback("server.*", || ValueOrigin::new("preset", &from.server.preset));
            for (key, said) in from.said {
                table.fallback(&format!("server.{key}"), || said);
            }
            return (from.server, [table.spot(), table.spot()]);
        }
        table.fallback("server.*", || ValueOrigin::new("preset", usual));
        return (preset_of(usual), [table.spot(), table.spot()]);
    };
    let presets = PRESETS.map(|preset| (preset.name, preset.name));
    let preset = table.get("preset");
    let preset = preset.map(|value| (value.choice("preset", &presets).unwrap_or(usual), value));
    let given = table.get("triton_config");
    let from_file = match (&given, of_repository) {
        (Some(given), _) => Some(triton::read(given, cards)),
        (None, Some(own)) => Some(read_own(own)),
        (None, None) => None,
    };
    let mut server = match from_file {
        Some(from) => {
            let from =
                from.unwrap_or_else(|| FromFile { server: preset_of("triton"), said: Vec::new() });
            if let Some((named, value)) = preset.filter(|(named, _)| *named != from.server.preset) {
                let found =
                    value.wrong(format!("is \"{named}\", in conflict with `triton_config`"));
                let help = "drop it: the file states whether there is dynamic batching";
                value.report(found.allowed(from.server.preset.as_str()).help(help));
            }
            table.fallback("preset", || ValueOrigin::default("of a config.pbtxt like this one"));
            table.fallback("*", || ValueOrigin::new("preset", &from.server.preset));
            for (key, said) in from.said {
                table.fallback(key, || said);
            }
            from.server
        }
        None => {
            let preset = preset.map_or(usual, |(preset, _)| preset);
            table.fallback("*", || ValueOrigin::new("preset", preset));
            preset_of(preset)
        }
    };
    read_server(&mut table, &mut server);
    let spots = server_spots(&table);
    table.finish();
    (server, spots)
}

/// The settings of a preset; of the first, where there is none of this name.
fn preset_of(name: &str) -> ServerSpec {
    let found = PRESETS.iter().find(|preset| preset.name == name);
    (found.unwrap_or(&PRESETS[0]).make)()
}

/// The places that rules about the batch, and about the streams, point to.
pub(crate) fn server_spots(table: &Reader<'_>) -> [Spot; 2] {
    let streams = if table.has("slots") { "slots" } else { "streams" };
    [table.spot_of("batch_max"), table.spot_of(streams)]
}

/// `rules`, else the `usual` ones, else MLPerf's wherever something of MLPerf is named.
fn rules_of(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    usual: Option<Rules>,
) -> Rules {
    let benchmark = workload.and_then(|workload| workload.spec.benchmark.as_deref());
    let (rules, why) = match (benchmark, table.has("conf"), table.has("round")) {
        (Some(name), _, _) => (Rules::Mlperf, format!("the workload is MLPerf's {name}")),
        (_, true, _) => (Rules::Mlperf, "conf is named".to_string()),
        (_, _, true) => (Rules::Mlperf, "a round is named".to_string()),
        // Of a workload that is unknown, all keys are right.
        _ if workload.is_none() => (Rules::Mlperf, "built in".to_string()),
        _ => (Rules::None, "the workload is no MLPerf benchmark".to_string()),
    };
    table.fallback("rules", || ValueOrigin::default(why));
    read_rules(table).or(usual).unwrap_or(rules)
}

/// The load; and the place where its rate is set. The rules are the `usual` ones unless it states
/// others; without either they depend on what it names.
pub(crate) fn load(
    table: &mut Reader<'_>,
    workload: Option<&WorkloadFile>,
    copies: u32,
    usual: Option<Rules>,
) -> (Option<LoadSpec>, Spot) {
    let header = table.spot();
    let path = table.path("load");
    let help = format!("write [{path}] with scenario = \"server\" and target_qps");
    let Some(mut table) = table.need("load", &help).and_then(|value| value.table()) else {
        return (None, header);
    };
    let known = SCENARIOS.map(|(word, _)| word).join(", ");
    let scenario = table.need("scenario", &format!("name the MLPerf scenario: {known}"));
    let scenario = scenario.and_then(|value| value.choice("scenario", &SCENARIOS));
    let benchmark = workload.and_then(|workload| workload.spec.benchmark.as_deref());
    let round = read_round(&mut table);
    let rules = rules_of(&mut table, workload, usual);
    // LoadGen's own bound is below files of LoadGen's.
    let is_of_loadgen = rules == Rules::Mlperf && table.has("conf");
    let of_workload = workload.filter(|_| !is_of_loadgen).map(|workload| &workload.spec);
    let bound =
        of_workload.map_or(SimDuration::from_millis(100), |workload| workload.target_latency.value);
    // With an unknown scenario the keys are still looked at, by the rules of the one that has all.
    let mut load = load_defaults(scenario.unwrap_or(TestScenario::Server), bound, rules, round);
    if let Some(scenario) = scenario {
        let of_loadgen =
            rules == Rules::Mlperf && !matches!(scenario, TestScenario::ClosedLoop { .. });
        let whose = if of_loadgen { "LoadGen's own, " } else { "" };
        table.fallback("*", || {
            ValueOrigin::default(format!("{whose}of the {} scenario", scenario.word()))
        });
    }
    if let Some(Workload { id, target_latency, .. }) = of_workload {
        table.fallback("target_latency", || ValueOrigin::fact("workload", id, target_latency));
    }
    let found = conf::lookup(&mut table, &load, benchmark, round);
    let says_rate = found.as_ref().is_some_and(|found| found.fill(&table, &mut load));
    let needs_rate = scenario
        .is_some_and(|scenario| matches!(scenario, TestScenario::Server | TestScenario::Offline));
    let total = table.get("total_qps");
    // A trace has a rate of its own.
    let replays = table.get("arrivals").is_some_and(|value| value.is_table());
    if needs_rate && total.is_none() && !replays && !says_rate {
        table.need(
            "target_qps",
            "state the queries (Offline: samples) per second, such as target_qps = 3600",
        );
    }
    if let Some(TestScenario::ClosedLoop { .. }) = scenario {
        table.need("clients", "state the number of clients, such as clients = 8");
    }
    read_load(&mut table, &mut load);
    if let Some(found) = &found {
        unmodelled::check(found, &table, &load);
    }
    let spot = table.spot_of(if total.is_some() { "total_qps" } else { "target_qps" });
    if let Some(total) = total {
        if table.has("target_qps") || !needs_rate || replays {
            let title = "`total_qps` conflicts with `target_qps`, or with a load without a rate";
            table.report(Diagnostic::at(&spot, title).help("drop one of them"));
        }
        table.stands_for("target_qps", &total);
        let rate = total.number(is_rate, RATES);
        load.settings.target_qps = rate.unwrap_or(1.0) / f64::from(copies);
    }
    if let Arrivals::Trace(trace) = &load.arrivals {
        let samples = trace.arrivals.len();
        if !trace::can_deal(trace, copies) {
            let title = format!("{samples} samples of the trace are too few for {copies} VMs");
            let diagnostic = Diagnostic::at(&table.spot_of("arrivals"), title);
            let allowed = "samples at two instants or more for each VM: they are dealt in turn";
            table.report(diagnostic.allowed(allowed));
        }
    }
    table.finish();
    (scenario.map(|_| load), spot)
}
