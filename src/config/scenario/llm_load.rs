//! The `load` of a VM that serves an LLM: who asks, and how long prompts and outputs are.

use super::llm_keys::LlmLoadKeys;
use super::settings::{load_defaults, settle_arrivals};
use super::trace::{self, Replayed};
use crate::config::catalogue::facts::Sources;
use crate::config::catalogue::lengths::{self, OF_LENGTHS};
use crate::config::text::{Diagnostic, Reader, Spot, ValueOrigin};
use crate::spec::{Arrivals, LengthPair, LoadSpec, Rules, TestScenario, queries_for};
use crate::units::SimDuration;
use std::sync::Arc;

/// The allowed rates, as text.
pub(crate) const RATES: &str = "0.000001 to 1000000 requests per second";

/// Nobody waits so long for an answer: a bound that does not bind.
pub(super) const NO_BOUND: SimDuration = SimDuration::from_secs(86_400);

/// The percentile that the number of requests goes by, and how many are to lie beyond it.
const PERCENTILE: f64 = 99.0;
const BEYOND: u64 = 100;

/// The load and the lengths of its requests; and the place of its rate.
pub(super) fn read(vm: &mut Reader<'_>, copies: u32) -> (Option<(LoadSpec, LengthPair)>, Spot) {
    let header = vm.spot();
    let help = "write load = { rate = 4, lengths = \"azure-2023-conversation\" }";
    let Some(mut table) = vm.need("load", help).and_then(|value| value.table()) else {
        return (None, header);
    };
    let keys = LlmLoadKeys::given(&mut table);
    let spot = table.spot_of(if keys.users.is_some() { "users" } else { "rate" });
    let load = load_of(&mut table, &keys, copies);
    let lengths = match (&load, table.get("lengths")) {
        (_, Some(_)) => lengths_of(&mut table),
        (Some((_, Some(recorded))), None) => {
            table.fallback("lengths", || ValueOrigin::default("as recorded in the trace"));
            Some(recorded.clone())
        }
        (None, None) if table.get("arrivals").is_some_and(|value| value.is_table()) => None,
        (_, None) => {
            let known = lengths::names().join(", ");
            let help = format!(
                "name a data set ({known}), or state both: lengths = {{ input = 512, output = 128 }}"
            );
            table.need("lengths", &help);
            None
        }
    };
    table.finish();
    (load.zip(lengths).map(|((load, _), lengths)| (load, lengths)), spot)
}

/// The load, and the lengths that its trace recorded.
fn load_of(
    table: &mut Reader<'_>,
    keys: &LlmLoadKeys,
    copies: u32,
) -> Option<(LoadSpec, Option<LengthPair>)> {
    let given = table.get("arrivals").filter(|value| value.is_table());
    let asked =
        [("rate", table.has("rate")), ("users", table.has("users")), ("arrivals", given.is_some())];
    let asked: Vec<&str> = asked.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
    if asked.len() != 1 {
        let title = match asked[..] {
            [] => "nobody asks: the load has neither `rate` nor `users`".to_string(),
            _ => format!("the load has `{}` at once", asked.join("` and `")),
        };
        let help = "write one of rate = 4 (requests per second), users = 20 (each with one request at a time), and \
            arrivals = { trace = \"FILE\" }";
        let spot = asked.last().map_or(table.spot(), |key| table.spot_of(key));
        table.report(Diagnostic::at(&spot, title).help(help));
        // What else is wrong with the keys is told all the same.
        let _ = settle_arrivals(table, (keys.bursts, keys.pattern.as_ref()), Arrivals::Poisson);
        return None;
    }
    let think_time = keys.think_time.unwrap_or(SimDuration::ZERO);
    let scenario = match asked[0] {
        "users" => TestScenario::ClosedLoop { clients: keys.users?, think_time },
        _ => TestScenario::Server,
    };
    if let (TestScenario::Server, Some(value)) = (scenario, table.get("think_time")) {
        let found = value.wrong("is of users, and the load has a rate");
        value.report(found.help("drop it, or write users = 20 instead of the rate"));
    }
    let mut load = load_defaults(scenario, NO_BOUND, Rules::None, None);
    let settings = &mut load.settings;
    settings.percentile = PERCENTILE;
    settings.min_duration = keys.min_duration.unwrap_or(settings.min_duration);
    settings.queries_beyond = keys.min_query_count.is_none().then_some(BEYOND);
    let usual = queries_for(BEYOND, PERCENTILE);
    settings.min_query_count = keys.min_query_count.unwrap_or(usual);
    table.fallback("min_query_count", || {
        ValueOrigin::default(format!("{BEYOND} beyond the {PERCENTILE}th percentile"))
    });
    table.fallback("*", || ValueOrigin::default("of LLM loads"));
    if let Some(given) = given {
        for key in ["min_duration", "min_query_count", "bursts", "pattern"] {
            if let Some(value) = table.get(key) {
                let found = value.wrong("conflicts with the trace, which has its own");
                value.report(found.help("drop the key, or replay a part: length = \"10 min\""));
            }
        }
        let replayed = given.table().and_then(trace::read)?;
        return replay(table, load, replayed, copies);
    }
    if let TestScenario::ClosedLoop { .. } = scenario {
        for key in ["arrivals", "bursts", "pattern"] {
            if let Some(value) = table.get(key) {
                value.report(
                    value
                        .wrong("has no meaning with users, who ask again when answered")
                        .help("drop the key, or write a rate instead of users"),
                );
            }
        }
        return Some((load, None));
    }
    settings.target_qps = keys.rate?;
    let of_process = (keys.bursts, keys.pattern.as_ref());
    load.arrivals = settle_arrivals(table, of_process, Arrivals::Poisson)?;
    Some((load, None))
}

/// The load of a trace, which has a rate and a length of its own.
fn replay(
    table: &Reader<'_>,
    mut load: LoadSpec,
    replayed: Replayed,
    copies: u32,
) -> Option<(LoadSpec, Option<LengthPair>)> {
    let Replayed { trace, rate, tokens } = replayed;
    let spot = table.spot_of("arrivals");
    let samples = trace.arrivals.len();
    if !trace::can_deal(&trace, copies) {
        let title = format!("{samples} requests of the trace are too few for {copies} VMs");
        let allowed = "requests at two instants or more for each VM: they are dealt in turn";
        table.report(Diagnostic::at(&spot, title).allowed(allowed));
    }
    if tokens.is_none() && !table.has("lengths") {
        let title = "the trace does not say how many tokens each of its requests has";
        let allowed = "columns such as context_tokens and generated_tokens (or ContextTokens, Request tokens, \
            input_length, ...), a number in each row";
        let help = "or state lengths beside it: lengths = \"azure-2023-conversation\"";
        table.report(Diagnostic::at(&spot, title).allowed(allowed).help(help));
        return None;
    }
    let settings = &mut load.settings;
    settings.target_qps = rate;
    settings.min_duration = SimDuration::ZERO;
    settings.queries_beyond = None;
    settings.min_query_count = samples as u64;
    for key in ["rate", "min_duration", "min_query_count"] {
        table.fallback(key, || ValueOrigin::default("the trace's own"));
    }
    load.arrivals = Arrivals::Trace(Arc::new(trace));
    Some((load, tokens.map(|tokens| LengthPair::Recorded(Arc::new(tokens)))))
}

/// `lengths`: a name, or `{ input = ..., output = ... }`.
fn lengths_of(table: &mut Reader<'_>) -> Option<LengthPair> {
    let value = table.get("lengths")?;
    if value.is_table() {
        let mut own = value.table()?;
        let found = lengths::pair(&mut own, &Sources::new(), None);
        own.finish();
        return found;
    }
    if !value.is_text() {
        let found = value.wrong("is neither a name nor a table");
        let allowed = format!(
            "{}, or {{ input = ..., output = ... }}, each {OF_LENGTHS}",
            lengths::names().join(", ")
        );
        value.report(found.allowed(allowed));
        return None;
    }
    let names = lengths::names();
    let pairs: Vec<(&str, &'static str)> = names.iter().map(|name| (*name, *name)).collect();
    let name = value.choice("pair of lengths", &pairs)?;
    lengths::named(name).cloned()
}
