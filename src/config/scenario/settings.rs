//! The keys of `[vm.server]` and `[vm.load]`: each sets one field of the specs, and notes the
//! origin of its value.
//!
//! Rules between settings and hardware are in `rules`.

use super::pattern::{self, PatternKeys};
use super::ranges::{
    BATCH_MAX, CLIENTS_MAX, QUERIES_BEYOND, QUERIES_MAX, RATES, SAMPLES_PER_QUERY_MAX, STREAMS_MAX,
};
use crate::config::keys::forms::{Form, choice, count, flag, later, number, own, within, word_or};
use crate::config::keys::keys;
use crate::config::keys::shape::{self, Shape, either, quantity, word_of};
use crate::config::text::{Reader, Value, ValueOrigin};
use crate::spec::{
    Arrivals, BatchRule, Bursts, Completion, Dispatch, GpuSharing, Launches, LoadSpec,
    PermitReturn, RatePattern, Round, Rules, ServerSpec, TestScenario, TimeoutFrom, queries_for,
};
use crate::units::{Share, SimDuration};
use std::sync::Arc;

const BATCH_RULES: [(&str, BatchRule); 2] =
    [("available", BatchRule::Available), ("full", BatchRule::Full)];
const TIMEOUTS_FROM: [(&str, TimeoutFrom); 2] =
    [("wait-start", TimeoutFrom::WaitStart), ("oldest", TimeoutFrom::Oldest)];
const DISPATCHES: [(&str, Dispatch); 3] = [
    (Dispatch::LongestIdle.word(), Dispatch::LongestIdle),
    (Dispatch::RoundRobin.word(), Dispatch::RoundRobin),
    (Dispatch::RandomGpu.word(), Dispatch::RandomGpu),
];
const PERMIT_RETURNS: [(&str, PermitReturn); 2] =
    [("at-start", PermitReturn::AtStart), ("at-completion", PermitReturn::AtCompletion)];
const LAUNCHES: [(&str, Launches); 2] =
    [(Launches::Graph.word(), Launches::Graph), (Launches::Kernels.word(), Launches::Kernels)];

const GPU_SHARINGS: [(&str, GpuSharing); 2] =
    [("in-order", GpuSharing::InOrder), ("shared", GpuSharing::Shared)];
const COMPLETIONS: [(&str, Completion); 3] = [
    ("any", Completion::Any),
    ("issue-order", Completion::IssueOrder),
    ("preserve-ordering", Completion::PreserveOrdering),
];

keys! {
    /// The keys of `[vm.server]` that are fields of the spec.
    pub(crate) struct ServerKeys of ServerSpec {
        /// Most samples in a batch.
        batch_max: u32 = count(1..=BATCH_MAX, " samples");
        /// Batches a GPU works on at once.
        streams: u32 = count(1..=STREAMS_MAX, " streams per GPU");
        /// Permits per GPU to form a batch.
        slots: u32 = count(1..=STREAMS_MAX, " slots per GPU");
        /// Operating-system processes that share the streams of a GPU; at most `streams`.
        processes: u32 = count(1..=STREAMS_MAX, "").later();
        /// When waiting queries become a batch.
        batch_rule: BatchRule = choice("batch rule", BATCH_RULES);
        /// The longest wait for a full batch.
        timeout: Option<SimDuration> = unless_none(TIMEOUT);
        /// What the timeout counts from.
        timeout_from: TimeoutFrom = choice("start of the timeout", TIMEOUTS_FROM);
        /// Which worker gets the next batch.
        dispatch: Dispatch = choice("dispatch", DISPATCHES);
        /// On several GPU instances: queries due within this time after the first are dealt
        /// together, in pieces of a batch.
        call_wake: Option<SimDuration> = unless_none("0 to 24 h, or \"none\"");
        /// Mean time of such a call.
        call_time: SimDuration = within("0 to 24 h");
        /// When a permit can form the next batch.
        permit_return: PermitReturn = choice("permit return", PERMIT_RETURNS);
        /// How batches of one VM use the GPU together.
        gpu_sharing: GpuSharing = choice("GPU sharing", GPU_SHARINGS);
        /// How a batch is launched: as one CUDA graph, or as kernels.
        launches: Launches = choice("kind of launches", LAUNCHES);
        /// The order in which batches are reported.
        completion: Completion = choice("order of completion", COMPLETIONS);
        /// Whether the samples of an Offline call are sorted by size.
        sort_samples: bool = flag();
        /// Whether inputs lie on the GPU, so that nothing is copied in.
        start_from_device: bool = flag();
        /// Part not set aside until the end of the run.
        // What is written as a percentage without being one would drop nearly everything.
        soft_drop: Share = within("1 % to 100 %");
    }
}

const TIMEOUT: &str = "above 0, at most 24 h, or \"none\"; batch_rule = \"available\" never waits";

/// A time, or `"none"`.
fn unless_none(range: &'static str) -> Form<Option<SimDuration>> {
    word_or(&[("none", None)], range, Some, |time| *time)
}

/// Reads the keys of `[vm.server]` over the settings of its preset. Faulty ones leave the default.
/// A harness with one worker to each stream keeps one to each when only the streams are set.
pub(crate) fn read_server(table: &mut Reader<'_>, server: &mut ServerSpec) {
    let worker_per_stream = server.slots == server.streams;
    server.permit_is_open &= !table.has("permit_return");
    let keys = ServerKeys::given(table);
    if worker_per_stream && let Some(streams) = keys.streams {
        server.slots = streams;
        table.fallback("slots", || ValueOrigin::default("as many as streams"));
    }
    keys.set(server);
    let allowed = " processes per GPU, the most that have a stream each";
    let processes = table.get("processes");
    set(
        &mut server.processes,
        processes.and_then(|value| value.count_within(1..=server.streams, STREAMS_MAX, allowed)),
    );
    super::queues::read(table, server);
}

keys! {
    /// The keys of `[vm.load]` that a twin has too.
    pub(crate) struct LoadKeys {
        /// Queries per second; Offline: samples.
        target_qps: f64 = number(RATES);
        /// The latency bound.
        target_latency: SimDuration = within("above 0, at most 24 h"), or "the workload's";
        /// Which percentile must keep the bound, in percent.
        percentile: f64 = own(|value| value.percentile(), percentile_shape);
        /// The least duration of the load.
        min_duration: SimDuration = within("above 0, at most 8736 h (364 days)"),
            or "the round's, 60 s without rules";
        /// The least number of queries.
        min_query_count: u64 = count(1..=QUERIES_MAX, " queries"),
            or "the round's, or by the percentile";
        /// The MLPerf round, for seeds and verdict.
        round: Round = rounds(), usual Round::ALL[0];
        /// MLPerf's rules or none.
        rules: Rules = choice("rules", Rules::WORDS),
            or "MLPerf's where a benchmark, conf or round is named";
        /// `rules = "none"`: number of queries beyond the percentile.
        queries_beyond_percentile: u64 = count(1..=QUERIES_MAX, " queries"), usual QUERIES_BEYOND;
        /// `closed-loop`: number of clients.
        clients: u32 = count(1..=CLIENTS_MAX, " clients");
        /// `closed-loop`: mean think time.
        think_time: SimDuration = within("0 to 24 h");
        /// `multistream`: samples of a query.
        samples_per_query: u32 = count(1..=SAMPLES_PER_QUERY_MAX, " samples"), or "8";
        /// Server: the arrival process, or a trace.
        arrivals: Process = later(arrivals_shape);
        /// The bursts of `bursty` arrivals.
        bursts: Bursts = own(|value| bursts(value.table()?), BurstKeys::shape);
        /// The rate of `pattern` arrivals over a day, or another period.
        pattern: RatePattern = own(|value| pattern::pattern(value.table()?), PatternKeys::shape);
    }
}

keys! {
    /// The keys of `bursts`.
    pub(super) struct BurstKeys {
        /// Part of the time in bursts.
        share: Share = own(burst_share, quantity::<Share>),
            needed "state the part of the time in bursts, such as \"10 %\"";
        /// Rate in a burst relative to the mean rate.
        peak: f64 = later(peak_shape),
            needed "state the rate in a burst relative to the mean rate, such as 4";
        /// Mean length of a burst.
        length: SimDuration = within("1 ms to 24 h"),
            needed "state the mean length of a burst, such as \"2 s\"";
        /// All VMs with this setting burst together.
        in_step: bool = flag(), default false;
    }
}

fn percentile_shape() -> Shape {
    shape::number().with("minimum", 1).with("exclusiveMaximum", 100)
}

fn peak_shape() -> Shape {
    shape::number().with("minimum", 1)
}

pub(super) fn arrivals_shape() -> Shape {
    either([word_of(&PROCESSES), super::trace::shape()]).with("default", PROCESSES[0].0)
}

fn rounds() -> Form<Round> {
    choice("MLPerf round", Round::ALL.map(|round| (round.name, round)))
}

/// Reads the keys of `[vm.load]` over the defaults of its scenario. Faulty ones leave the default.
pub(crate) fn read_load(table: &mut Reader<'_>, load: &mut LoadSpec) {
    let settings = &mut load.settings;
    let keys = LoadKeys::given(table);
    set(&mut settings.target_qps, keys.target_qps);
    set(&mut settings.target_latency, keys.target_latency);
    set(&mut settings.percentile, keys.percentile);
    set(&mut settings.min_duration, keys.min_duration);
    if keys.min_query_count.is_some() {
        settings.queries_beyond = None;
    }
    set(&mut settings.min_query_count, keys.min_query_count);
    set(&mut settings.round, keys.round);
    settle_beyond(table, &keys, load);
    settle_clients(table, &keys, &mut load.scenario);
    settle_samples(table, &keys, load);
    if let Some(given) = table.get("arrivals").filter(|value| value.is_table()) {
        read_trace(table, &given, load);
    } else {
        let of_process = (keys.bursts, keys.pattern.as_ref());
        let arrivals = settle_arrivals(table, of_process, load.arrivals.clone());
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
/// number lies beyond the percentile. A `min_query_count` stands in its place, or beside it.
fn settle_beyond(table: &mut Reader<'_>, keys: &LoadKeys, load: &mut LoadSpec) {
    let settings = &mut load.settings;
    let stated = keys.min_query_count.is_some();
    if let Some(rules) = keys.rules {
        if rules != settings.rules && rules == Rules::None && !stated {
            settings.queries_beyond = Some(QUERIES_BEYOND);
        }
        settings.rules = rules;
    }
    let given = table.get("queries_beyond_percentile");
    if let Some(value) = given.filter(|_| settings.rules == Rules::Mlperf) {
        let title = "has no effect under MLPerf's rules, which have their own counts";
        value.report(value.wrong(title).help("drop the key, or write rules = \"none\""));
        return;
    }
    settings.queries_beyond = keys.queries_beyond_percentile.or(settings.queries_beyond);
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
    (rounds().read)(&table.get("round")?)
}

/// `samples_per_query`, and whether the round has MultiStream at all.
fn settle_samples(table: &mut Reader<'_>, keys: &LoadKeys, load: &mut LoadSpec) {
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
    set(samples, keys.samples_per_query);
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
    for key in ["target_qps", "min_duration", "min_query_count", "bursts", "pattern"] {
        if let Some(value) = table.get(key) {
            let help = match key {
                "target_qps" => "drop the key, or play it faster: scale = 2",
                "bursts" | "pattern" => "drop the key",
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
fn settle_clients(table: &mut Reader<'_>, keys: &LoadKeys, scenario: &mut TestScenario) {
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
    set(clients, keys.clients);
    set(think_time, keys.think_time);
}

/// The arrival processes of files.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Process {
    Poisson,
    Constant,
    Bursty,
    Pattern,
}

const PROCESSES: [(&str, Process); 4] = [
    ("poisson", Process::Poisson),
    ("constant", Process::Constant),
    ("bursty", Process::Bursty),
    ("pattern", Process::Pattern),
];

/// `arrivals`, with `bursts` where they are bursty and `pattern` where they follow one; nothing when
/// none is set, or faulty.
pub(super) fn settle_arrivals(
    table: &mut Reader<'_>,
    (own_bursts, own_pattern): (Option<Bursts>, Option<&RatePattern>),
    before: Arrivals,
) -> Option<Arrivals> {
    let process = table.get("arrivals").map(|value| value.choice("arrival process", &PROCESSES));
    let process = match (process, &before) {
        (Some(process), _) => process?,
        (None, Arrivals::Poisson) => Process::Poisson,
        (None, Arrivals::Constant) => Process::Constant,
        (None, Arrivals::Bursty(_)) => Process::Bursty,
        (None, Arrivals::Pattern(_)) => Process::Pattern,
        (None, Arrivals::Trace(_)) => return None,
    };
    let of_others =
        [("bursts", Process::Bursty, "bursty"), ("pattern", Process::Pattern, "pattern")];
    let mut is_wrong = false;
    for (key, _, word) in of_others.into_iter().filter(|(_, of, _)| *of != process) {
        if let Some(given) = table.get(key) {
            let found = given.wrong(format!("has no meaning without {word} arrivals"));
            let help = format!("drop the key, or write arrivals = \"{word}\"");
            given.report(found.help(help));
            is_wrong = true;
        }
    }
    let settled = match (process, before) {
        (Process::Poisson, _) => Some(Arrivals::Poisson),
        (Process::Constant, _) => Some(Arrivals::Constant),
        (Process::Bursty, _) if table.has("bursts") => own_bursts.map(Arrivals::Bursty),
        (Process::Pattern, _) if table.has("pattern") => {
            own_pattern.cloned().map(Arrivals::Pattern)
        }
        (Process::Bursty, before @ Arrivals::Bursty(_))
        | (Process::Pattern, before @ Arrivals::Pattern(_)) => Some(before),
        (Process::Bursty, _) => {
            let help =
                "describe the bursts: bursts = { peak = 4, share = \"10 %\", length = \"2 s\" }";
            table.need("bursts", help);
            None
        }
        (Process::Pattern, _) => {
            let help =
                "describe the pattern: pattern = { rates = [0.4, 1, 1.6, 1], period = \"24 h\" }";
            table.need("pattern", help);
            None
        }
    };
    settled.filter(|_| !is_wrong)
}

/// `{ peak = 4, share = "10 %", length = "2 s", in_step = true }`.
pub(super) fn bursts(mut table: Reader<'_>) -> Option<Bursts> {
    let BurstKeys { share, length, in_step, .. } = BurstKeys::given(&mut table);
    let most = share.map_or(f64::INFINITY, |share| 1.0 / share.get());
    let peak = table.get("peak");
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
    table.finish();
    Some(Bursts { peak: peak?, share: share?, length: length?, in_step })
}

fn burst_share(value: &Value<'_>) -> Option<Share> {
    let inside = |share: &Share| *share > Share::NONE && *share < Share::WHOLE;
    value.bounded(inside, "above 0 and below 100 %")
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
            &["target_qps", "target_latency", "arrivals", "bursts", "pattern", "samples_per_query"]
        }
        TestScenario::MultiStream { .. } => &[
            "target_qps",
            "target_latency",
            "arrivals",
            "bursts",
            "pattern",
            "clients",
            "think_time",
        ],
        TestScenario::SingleStream => &[
            "target_qps",
            "target_latency",
            "arrivals",
            "bursts",
            "pattern",
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
            "pattern",
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
    let server = ServerSpec { processes: server.processes(), ..server.clone() };
    let mut words = ServerKeys::words(&server);
    words.extend([
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
        ("pattern", pattern_in_words(&load.arrivals)),
        ("rules", settings.rules.word().to_string()),
    ]);
    if let Some(beyond) = settings.queries_beyond {
        words.push(("queries_beyond_percentile", beyond.to_string()));
    }
    let place = words.iter().position(|(key, _)| *key == "timeout").unwrap_or(0);
    drop(words.splice(place..place, super::queues::words(&server)));
    words
}

fn bursts_in_words(arrivals: &Arrivals) -> String {
    let Arrivals::Bursty(Bursts { peak, share, length, in_step }) = arrivals else {
        return "none".to_string();
    };
    let step = if *in_step { ", in step" } else { "" };
    format!("{peak} x for {length}, {share} of the time{step}")
}

fn pattern_in_words(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Pattern(pattern) => pattern::in_words(pattern),
        _ => "none".to_string(),
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
