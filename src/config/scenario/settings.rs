//! The keys of `[vm.server]` and `[vm.load]`: each sets one field of the specs, and notes the
//! origin of its value.
//!
//! Rules between settings and hardware are in `rules`.

use super::ranges::{
    BATCH_MAX, CLIENTS_MAX, DURATION_MAX, QUERIES_BEYOND, QUERIES_MAX, RATES,
    SAMPLES_PER_QUERY_MAX, STREAMS_MAX, is_rate,
};
use crate::config::text::{Reader, Value, ValueOrigin};
use crate::spec::{
    Arrivals, BatchRule, Bursts, Completion, Dispatch, GpuSharing, Launches, LoadSpec,
    PermitReturn, Round, Rules, ServerSpec, TestScenario, TimeoutFrom, queries_for,
};
use crate::units::{Share, SimDuration};
use std::sync::Arc;

pub(crate) const BATCH_RULES: [(&str, BatchRule); 2] =
    [("available", BatchRule::Available), ("full", BatchRule::Full)];
pub(crate) const TIMEOUTS_FROM: [(&str, TimeoutFrom); 2] =
    [("wait-start", TimeoutFrom::WaitStart), ("oldest", TimeoutFrom::Oldest)];
pub(crate) const DISPATCHES: [(&str, Dispatch); 3] = [
    (Dispatch::LongestIdle.word(), Dispatch::LongestIdle),
    (Dispatch::RoundRobin.word(), Dispatch::RoundRobin),
    (Dispatch::RandomGpu.word(), Dispatch::RandomGpu),
];
pub(crate) const PERMIT_RETURNS: [(&str, PermitReturn); 2] =
    [("at-start", PermitReturn::AtStart), ("at-completion", PermitReturn::AtCompletion)];
pub(crate) const LAUNCHES: [(&str, Launches); 2] =
    [(Launches::Graph.word(), Launches::Graph), (Launches::Kernels.word(), Launches::Kernels)];

pub(crate) const GPU_SHARINGS: [(&str, GpuSharing); 2] =
    [("in-order", GpuSharing::InOrder), ("shared", GpuSharing::Shared)];
pub(crate) const COMPLETIONS: [(&str, Completion); 3] = [
    ("any", Completion::Any),
    ("issue-order", Completion::IssueOrder),
    ("preserve-ordering", Completion::PreserveOrdering),
];

/// Reads the keys of `[vm.server]` over the settings of its preset. Faulty ones leave the default.
/// A harness with one worker to each stream keeps one to each when only the streams are set.
pub(crate) fn read_server(table: &mut Reader<'_>, server: &mut ServerSpec) {
    let worker_per_stream = server.slots == server.streams;
    let count = |table: &mut Reader<'_>, key: &str, most: u32, unit: &str, slot: &mut u32| {
        set(slot, table.get(key).and_then(|value| value.count(1..=most, unit)));
    };
    count(table, "batch_max", BATCH_MAX, " samples", &mut server.batch_max);
    count(table, "streams", STREAMS_MAX, " streams per GPU", &mut server.streams);
    if worker_per_stream {
        server.slots = server.streams;
        if table.has("streams") {
            table.fallback("slots", || ValueOrigin::default("as many as streams"));
        }
    }
    count(table, "slots", STREAMS_MAX, " slots per GPU", &mut server.slots);
    let allowed = " processes per GPU, the most that have a stream each";
    let processes = table.get("processes");
    set(
        &mut server.processes,
        processes.and_then(|value| value.count_within(1..=server.streams, STREAMS_MAX, allowed)),
    );
    set(
        &mut server.batch_rule,
        table.get("batch_rule").and_then(|value| value.choice("batch rule", &BATCH_RULES)),
    );
    set(
        &mut server.timeout,
        table.get("timeout").and_then(|value| {
            match value.is_text() && value.text() == Some("none") {
                true => Some(None),
                false => value
                    .bounded(
                        |span: &SimDuration| *span > SimDuration::ZERO && *span <= DURATION_MAX,
                        "above 0, at most 24 h, or \"none\"; batch_rule = \"available\" never waits",
                    )
                    .map(Some),
            }
        }),
    );
    set(
        &mut server.timeout_from,
        table
            .get("timeout_from")
            .and_then(|value| value.choice("start of the timeout", &TIMEOUTS_FROM)),
    );
    set(
        &mut server.dispatch,
        table.get("dispatch").and_then(|value| value.choice("dispatch", &DISPATCHES)),
    );
    set(
        &mut server.call_wake,
        table.get("call_wake").and_then(|value| {
            match value.is_text() && value.text() == Some("none") {
                true => Some(None),
                false => value
                    .bounded(|span: &SimDuration| *span <= DURATION_MAX, "0 to 24 h, or \"none\"")
                    .map(Some),
            }
        }),
    );
    set(
        &mut server.call_time,
        table.get("call_time").and_then(|value| {
            value.bounded(|span: &SimDuration| *span <= DURATION_MAX, "0 to 24 h")
        }),
    );
    let says_return = table.get("permit_return").is_some();
    server.permit_is_open &= !says_return;
    set(
        &mut server.permit_return,
        table.get("permit_return").and_then(|value| value.choice("permit return", &PERMIT_RETURNS)),
    );
    set(
        &mut server.gpu_sharing,
        table.get("gpu_sharing").and_then(|value| value.choice("GPU sharing", &GPU_SHARINGS)),
    );
    set(
        &mut server.launches,
        table.get("launches").and_then(|value| value.choice("kind of launches", &LAUNCHES)),
    );
    set(
        &mut server.completion,
        table.get("completion").and_then(|value| value.choice("order of completion", &COMPLETIONS)),
    );
    set(&mut server.sort_samples, table.get("sort_samples").and_then(|value| value.flag()));
    set(
        &mut server.start_from_device,
        table.get("start_from_device").and_then(|value| value.flag()),
    );
    // What is written as a percentage without being one would drop nearly everything.
    let most = |kept: &Share| kept.get() >= 0.01;
    let kept = table.get("soft_drop").and_then(|value| value.bounded(most, "1 % to 100 %"));
    set(&mut server.soft_drop, kept);
    super::queues::read(table, server);
}

/// Reads the keys of `[vm.load]` over the defaults of its scenario. Faulty ones leave the default.
pub(crate) fn read_load(table: &mut Reader<'_>, load: &mut LoadSpec) {
    let settings = &mut load.settings;
    let value = table.get("target_qps").and_then(|value| value.number(is_rate, RATES));
    set(&mut settings.target_qps, value);
    let bound = |span: &SimDuration| *span > SimDuration::ZERO && *span <= DURATION_MAX;
    let value =
        table.get("target_latency").and_then(|value| value.bounded(bound, "above 0, at most 24 h"));
    set(&mut settings.target_latency, value);
    let value = table.get("percentile").and_then(|value| value.percentile());
    set(&mut settings.percentile, value);
    let value =
        table.get("min_duration").and_then(|value| value.bounded(bound, "above 0, at most 24 h"));
    set(&mut settings.min_duration, value);
    let value =
        table.get("min_query_count").and_then(|value| value.whole(1..=QUERIES_MAX, " queries"));
    let stated = value.is_some();
    if stated {
        settings.queries_beyond = None;
    }
    set(&mut settings.min_query_count, value);
    set(&mut settings.round, read_round(table));
    read_beyond(table, load, stated);
    read_clients(table, &mut load.scenario);
    read_samples(table, load);
    if let Some(given) = table.get("arrivals").filter(|value| value.is_table()) {
        read_trace(table, &given, load);
    } else {
        let arrivals = read_arrivals(table, load.arrivals.clone());
        set(&mut load.arrivals, arrivals);
    }
    if load.scenario != TestScenario::Server {
        refuse_server_keys(table, load.scenario);
    }
}

/// `rules`, if they are there.
pub(crate) fn read_rules(table: &mut Reader<'_>) -> Option<Rules> {
    table.get("rules")?.choice("rules", &Rules::WORDS)
}

/// `rules` and `queries_beyond_percentile`: without MLPerf's rules so many queries are made that this
/// number lies beyond the percentile. A `min_query_count` that is `stated` stands in its place, or
/// beside it.
fn read_beyond(table: &mut Reader<'_>, load: &mut LoadSpec, stated: bool) {
    let settings = &mut load.settings;
    if let Some(rules) = read_rules(table) {
        if rules != settings.rules && rules == Rules::None && !stated {
            settings.queries_beyond = Some(QUERIES_BEYOND);
        }
        settings.rules = rules;
    }
    let given = table.get("queries_beyond_percentile");
    if let Some(value) = given.as_ref().filter(|_| settings.rules == Rules::Mlperf) {
        let title = "has no effect under MLPerf's rules, which have their own counts";
        value.report(value.wrong(title).help("drop the key, or write rules = \"none\""));
        return;
    }
    let value = given.and_then(|value| value.whole(1..=QUERIES_MAX, " queries"));
    settings.queries_beyond = value.or(settings.queries_beyond);
    let Some(beyond) = settings.queries_beyond.filter(|_| settings.rules == Rules::None) else {
        settings.queries_beyond = None;
        return;
    };
    let least = if stated { settings.min_query_count } else { 1 };
    settings.min_query_count = least.max(queries_for(beyond, settings.percentile));
    if !stated {
        let why = format!("{beyond} beyond the {}th percentile", settings.percentile);
        table.fallback("min_query_count", || ValueOrigin::default(why));
    }
}

/// `round`, if it is there.
pub(crate) fn read_round(table: &mut Reader<'_>) -> Option<Round> {
    let value = table.get("round")?;
    value.choice("MLPerf round", &Round::ALL.map(|round| (round.name, round)))
}

/// `samples_per_query`, and whether the round has MultiStream at all.
fn read_samples(table: &mut Reader<'_>, load: &mut LoadSpec) {
    let given = table.get("samples_per_query");
    let scenario = load.scenario;
    let TestScenario::MultiStream { samples } = &mut load.scenario else {
        if let Some(value) = given {
            let title = format!("has no meaning in the {} scenario", scenario.word());
            let help = "drop the key, or write scenario = \"multistream\"";
            value.report(value.wrong(title).help(help));
        }
        return;
    };
    let most = SAMPLES_PER_QUERY_MAX;
    set(samples, given.and_then(|value| value.count(1..=most, " samples")));
    if !load.settings.round.early_stopping {
        let (round, first) = (load.settings.round.name, Round::first_with_multistream().name);
        let title = format!("MultiStream of round {round} is not modelled");
        let diagnostic = crate::config::text::Diagnostic::at(&table.spot_of("round"), title);
        let why = "up to v1.1 a query came at every fixed interval, whether the last one was answered \
             or not";
        table.report(
            diagnostic.note("reason", why).help(format!("write round = \"{first}\" or later")),
        );
    }
}

/// `arrivals = { trace = "requests.csv" }`: its own rate and length stand in the place of LoadGen's.
fn read_trace(table: &mut Reader<'_>, given: &Value<'_>, load: &mut LoadSpec) {
    for key in ["target_qps", "min_duration", "min_query_count", "bursts"] {
        if let Some(value) = table.get(key) {
            let help = match key {
                "target_qps" => "drop the key, or play it faster: scale = 2",
                "bursts" => "drop the key",
                _ => "drop the key, or replay a part: length = \"10 min\"",
            };
            value.report(value.wrong("conflicts with the trace, which has its own").help(help));
        }
    }
    if load.scenario != TestScenario::Server {
        return; // Told with the other keys of a server.
    }
    let Some(replayed) = given.table().and_then(super::trace::read) else { return };
    load.settings.target_qps = replayed.rate;
    load.settings.min_duration = SimDuration::ZERO;
    load.settings.queries_beyond = None;
    load.settings.min_query_count = replayed.trace.arrivals.len() as u64;
    load.arrivals = Arrivals::Trace(Arc::new(replayed.trace));
}

/// Reads the keys of a closed loop, which no other scenario has.
fn read_clients(table: &mut Reader<'_>, scenario: &mut TestScenario) {
    let given = (table.get("clients"), table.get("think_time"));
    let TestScenario::ClosedLoop { clients, think_time } = scenario else {
        let given = [given.0, given.1].into_iter().flatten();
        for value in given {
            let title = format!("has no meaning in the {} scenario", scenario.word());
            value.report(
                value.wrong(title).help("drop the key, or write scenario = \"closed-loop\""),
            );
        }
        return;
    };
    set(clients, given.0.and_then(|value| value.count(1..=CLIENTS_MAX, " clients")));
    let bound = |span: &SimDuration| *span <= DURATION_MAX;
    set(think_time, given.1.and_then(|value| value.bounded(bound, "0 to 24 h")));
}

/// The arrival processes of files.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Process {
    Poisson,
    Constant,
    Bursty,
}

pub(crate) const PROCESSES: [(&str, Process); 3] =
    [("poisson", Process::Poisson), ("constant", Process::Constant), ("bursty", Process::Bursty)];

/// `arrivals`, and `bursts` where they are bursty; nothing when neither is set, or faulty.
fn read_arrivals(table: &mut Reader<'_>, before: Arrivals) -> Option<Arrivals> {
    let process = table.get("arrivals").map(|value| value.choice("arrival process", &PROCESSES));
    let given = table.get("bursts");
    let process = match (process, &before) {
        (Some(process), _) => process?,
        (None, Arrivals::Poisson) => Process::Poisson,
        (None, Arrivals::Constant) => Process::Constant,
        (None, Arrivals::Bursty(_)) => Process::Bursty,
        (None, Arrivals::Trace(_)) => return None,
    };
    match (process, given, before) {
        (Process::Bursty, Some(given), _) => bursts(given.table()?).map(Arrivals::Bursty),
        (Process::Bursty, None, Arrivals::Bursty(bursts)) => Some(Arrivals::Bursty(bursts)),
        (Process::Bursty, None, _) => {
            let help =
                "describe the bursts: bursts = { peak = 4, share = \"10 %\", length = \"2 s\" }";
            table.need("bursts", help);
            None
        }
        (_, Some(given), _) => {
            let help = "drop the key, or write arrivals = \"bursty\"";
            given.report(given.wrong("has no meaning without bursty arrivals").help(help));
            None
        }
        (Process::Poisson, None, _) => Some(Arrivals::Poisson),
        (Process::Constant, None, _) => Some(Arrivals::Constant),
    }
}

/// `{ peak = 4, share = "10 %", length = "2 s", in_step = true }`.
fn bursts(mut table: Reader<'_>) -> Option<Bursts> {
    let share = table.need("share", "state the part of the time in bursts, such as \"10 %\"");
    let inside = |share: &Share| *share > Share::NONE && *share < Share::WHOLE;
    let share = share.and_then(|value| value.bounded(inside, "above 0 and below 100 %"));
    let most = share.map_or(f64::INFINITY, |share| 1.0 / share.get());
    let peak = table.need("peak", "state the rate in a burst relative to the mean rate, such as 4");
    let peak = peak.and_then(|value| {
        let allowed = match share {
            Some(_) => format!(
                "1 to {} (1 / share): bursts cannot have more than all queries",
                (most * 1e6).round() / 1e6
            ),
            None => "at least 1".to_string(),
        };
        value.number(|peak| (1.0..=most * (1.0 + 1e-9)).contains(&peak), &allowed)
    });
    let length = table.need("length", "state the mean length of a burst, such as \"2 s\"");
    let bound = |span: &SimDuration| (SimDuration::from_millis(1)..=DURATION_MAX).contains(span);
    let length = length.and_then(|value| value.bounded(bound, "1 ms to 24 h"));
    let in_step = table.get("in_step").map_or(Some(false), |value| value.flag());
    table.finish();
    Some(Bursts { peak: peak?, share: share?, length: length?, in_step: in_step? })
}

/// The values of the keys that neither the file, nor LoadGen's files, nor the round's file state.
/// Under MLPerf's rules these are LoadGen's own defaults (mlcommons/inference,
/// `loadgen/test_settings.h`); a closed loop, which LoadGen does not have, is as long as its runs.
pub(crate) fn load_defaults(
    scenario: TestScenario,
    target_latency: SimDuration,
    rules: Rules,
    round: Option<Round>,
) -> LoadSpec {
    let round = round.unwrap_or(match scenario {
        TestScenario::MultiStream { .. } => Round::first_with_multistream(),
        _ => Round::ALL[0],
    });
    let percentile = match scenario {
        TestScenario::Server | TestScenario::Offline | TestScenario::MultiStream { .. } => 99.0,
        TestScenario::SingleStream | TestScenario::ClosedLoop { .. } => 90.0,
    };
    let has_percentile = scenario != TestScenario::Offline;
    let is_loop = matches!(scenario, TestScenario::ClosedLoop { .. });
    let (seconds, min_query_count, queries_beyond) = match rules {
        Rules::Mlperf if is_loop => (600, 1024, None),
        Rules::Mlperf => (10, 100, None),
        Rules::None => (60, 1, has_percentile.then_some(QUERIES_BEYOND)),
    };
    let settings = crate::spec::TestSettings {
        target_qps: 1.0,
        target_latency,
        percentile,
        min_duration: SimDuration::from_secs(seconds),
        min_query_count,
        queries_beyond,
        rules,
        round,
    };
    LoadSpec { scenario, arrivals: Arrivals::Poisson, settings }
}

/// A key that would be ignored in silence misleads whoever wrote it.
fn refuse_server_keys(table: &Reader<'_>, scenario: TestScenario) {
    let of_others = ["clients", "think_time", "samples_per_query"];
    let unused: Vec<_> =
        unused_keys(scenario).iter().filter(|key| !of_others.contains(key)).collect();
    for key in unused.iter().filter(|key| table.has(key)) {
        let title = format!("`{key}` has no meaning in the {} scenario", scenario.word());
        table.report(
            crate::config::text::Diagnostic::at(&table.spot_of(key), title).help("drop the key"),
        );
    }
}

/// The keys of a load that have no effect in its scenario.
pub(crate) fn unused_keys(scenario: TestScenario) -> &'static [&'static str] {
    match scenario {
        TestScenario::Server => &["clients", "think_time", "samples_per_query"],
        TestScenario::ClosedLoop { .. } => {
            &["target_qps", "target_latency", "arrivals", "bursts", "samples_per_query"]
        }
        TestScenario::MultiStream { .. } => {
            &["target_qps", "target_latency", "arrivals", "bursts", "clients", "think_time"]
        }
        TestScenario::SingleStream => &[
            "target_qps",
            "target_latency",
            "arrivals",
            "bursts",
            "clients",
            "think_time",
            "samples_per_query",
        ],
        TestScenario::Offline => &[
            "target_latency",
            "percentile",
            "queries_beyond_percentile",
            "arrivals",
            "bursts",
            "clients",
            "think_time",
            "samples_per_query",
        ],
    }
}

/// The differences between a twin's settings and the virtual run's: `batch_max 69 (64)`.
pub(crate) fn differences(
    twin: (&ServerSpec, &LoadSpec),
    run: (&ServerSpec, &LoadSpec),
) -> Vec<String> {
    let (twin, run) = (words(twin.0, twin.1), words(run.0, run.1));
    let pairs = twin.into_iter().zip(run).filter(|((_, twin), (_, run))| twin != run);
    pairs.map(|((key, twin), (_, run))| format!("{key} {twin} ({run})")).collect()
}

/// Every setting as the file would write it.
pub(crate) fn words(server: &ServerSpec, load: &LoadSpec) -> Vec<(&'static str, String)> {
    let settings = &load.settings;
    let (clients, think_time) = match load.scenario {
        TestScenario::ClosedLoop { clients, think_time } => (clients, think_time),
        _ => (0, SimDuration::ZERO),
    };
    let mut words = vec![
        ("batch_max", server.batch_max.to_string()),
        ("streams", server.streams.to_string()),
        ("slots", server.slots.to_string()),
        ("processes", server.processes().to_string()),
        ("batch_rule", word(&BATCH_RULES, server.batch_rule)),
        ("timeout", server.timeout.map_or("none".to_string(), |span| span.to_string())),
        ("timeout_from", word(&TIMEOUTS_FROM, server.timeout_from)),
        ("dispatch", word(&DISPATCHES, server.dispatch)),
        ("call_wake", server.call_wake.map_or("none".to_string(), |span| span.to_string())),
        ("call_time", server.call_time.to_string()),
        ("permit_return", word(&PERMIT_RETURNS, server.permit_return)),
        ("gpu_sharing", word(&GPU_SHARINGS, server.gpu_sharing)),
        ("launches", word(&LAUNCHES, server.launches)),
        ("completion", word(&COMPLETIONS, server.completion)),
        ("sort_samples", server.sort_samples.to_string()),
        ("start_from_device", server.start_from_device.to_string()),
        ("soft_drop", server.soft_drop.to_string()),
        ("target_qps", settings.target_qps.to_string()),
        ("target_latency", settings.target_latency.to_string()),
        ("percentile", settings.percentile.to_string()),
        ("min_duration", settings.min_duration.to_string()),
        ("min_query_count", settings.min_query_count.to_string()),
        ("round", settings.round.name.to_string()),
        ("samples_per_query", load.scenario.samples_per_query().to_string()),
        ("clients", clients.to_string()),
        ("think_time", think_time.to_string()),
        ("arrivals", load.arrivals.word().to_string()),
        ("bursts", bursts_in_words(&load.arrivals)),
        ("rules", settings.rules.word().to_string()),
    ];
    if let Some(beyond) = settings.queries_beyond {
        words.push(("queries_beyond_percentile", beyond.to_string()));
    }
    let place = words.iter().position(|(key, _)| *key == "timeout").unwrap_or(0);
    drop(words.splice(place..place, super::queues::words(server)));
    words
}

fn bursts_in_words(arrivals: &Arrivals) -> String {
    let Arrivals::Bursty(Bursts { peak, share, length, in_step }) = arrivals else {
        return "none".to_string();
    };
    let step = if *in_step { ", in step" } else { "" };
    format!("{peak} x for {length}, {share} of the time{step}")
}

fn word<T: PartialEq>(words: &[(&str, T)], value: T) -> String {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map(|(name, _)| (*name).to_string()).expect("every table of words is complete")
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
