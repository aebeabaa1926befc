//! `arrivals = { trace = "requests.csv", ... }`: reads the file, selects its rows, and maps them to
//! the time of the load.
//!
//! The columns of a file are explained in `formats::request_trace`. A file is read only once,
//! however many points of a sweep replay it.

use super::ranges::{RATES, is_rate};
use crate::config::keys::shape::{Shape, either, list, number, quantity, table, text, word_of};
use crate::config::text::foreign::{parsed, text_of};
use crate::config::text::{Diagnostic, Reader, Value};
use crate::engine::fnv1a;
use crate::formats::request_trace::{self, Columns, Order, Request, RequestTrace, Unit};
use crate::spec::{Trace, TraceArrival};
use crate::units::SimDuration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// No trace makes more samples.
const SAMPLES_MAX: u64 = 5_000_000;
/// No part of a trace lasts longer: a year.
const LENGTH_MAX: SimDuration = SimDuration::from_secs(366 * 86_400);
/// The most columns that sum up to a size.
const SIZE_COLUMNS_MAX: usize = 8;

/// The orders of dates such as 3/4/2025.
const DATE_ORDERS: [(&str, Order); 2] =
    [("day-first", Order::DayFirst), ("month-first", Order::MonthFirst)];

/// A trace with the rate at which it is replayed.
pub(crate) struct Replayed {
    pub(crate) trace: Trace,
    /// Its mean rate times the scale, in samples per second.
    pub(crate) rate: f64,
    /// Tokens of prompt and output of each arrival, where the file has them of all.
    pub(crate) tokens: Option<Vec<(u32, u32)>>,
}

/// What the keys of the table say.
struct Choice {
    columns: Columns,
    vm: Option<String>,
    model: Option<String>,
    start: SimDuration,
    length: Option<SimDuration>,
    scale: f64,
}

/// The table in the schema.
pub(super) fn shape() -> Shape {
    let size = either([text(), list(text(), SIZE_COLUMNS_MAX)]);
    let scale = number().with("minimum", 1e-6).with("maximum", 1e6);
    table()
        .need(
            "trace",
            text(),
            "A file of requests (CSV, JSON lines), relative to the folder of this file.",
        )
        .key("scale", scale, "Factor on the speed of replay; default: 1.")
        .key("start", quantity::<SimDuration>(), "Time of the trace at which the load starts.")
        .key("length", quantity::<SimDuration>(), "Length of the part replayed; default: all.")
        .key("vm", text(), "Only rows of this VM.")
        .key("model", text(), "Only rows of this model.")
        .key("time_column", text(), "The column of times, unless it has a known name.")
        .key(
            "time_unit",
            word_of(&Unit::WORDS),
            "The unit of times that are numbers, unless the column's name states it.",
        )
        .key("date_order", word_of(&DATE_ORDERS), "The order of dates such as 3/4/2025.")
        .key("size_column", size, "Columns whose sum is a request's work.")
}

/// Reads the table, and the file it names.
pub(crate) fn read(mut table: Reader<'_>) -> Option<Replayed> {
    let named = table.need("trace", "name a file of requests, such as trace = \"azure.csv\"");
    let choice = choice(&mut table);
    table.finish();
    let (named, choice) = (named?, choice?);
    let path = beside(&named.file.path, named.text()?);
    let file = requests(&path, &choice.columns, &named)?;
    let (trace, tokens) = chosen(&path, &file, &choice, &named)?;
    let rate = trace.rate() * choice.scale;
    Some(Replayed { trace, rate, tokens })
}

fn choice(table: &mut Reader<'_>) -> Option<Choice> {
    let scale = table.get("scale").map_or(Some(1.0), |value| {
        value.number(|scale| (1e-6..=1e6).contains(&scale), "0.000001 to 1000000 times the rate")
    });
    let within = |span: &SimDuration| *span <= LENGTH_MAX;
    let start = table.get("start");
    let start = start.map_or(Some(SimDuration::ZERO), |value| value.bounded(within, "0 to 366 d"));
    let some = |span: &SimDuration| *span > SimDuration::ZERO && *span <= LENGTH_MAX;
    let length = table.get("length").map(|value| value.bounded(some, "above 0, at most 366 d"));
    let mut name = |key: &str| table.get(key).map(|value| value.text().map(str::to_string));
    let (vm, model, time) = (name("vm"), name("model"), name("time_column"));
    let size = table.get("size_column").map_or(Some(Vec::new()), |value| {
        if value.is_array() {
            let items = value.items(SIZE_COLUMNS_MAX)?;
            return items.iter().map(|item| Some(item.text()?.to_string())).collect();
        }
        Some(vec![value.text()?.to_string()])
    });
    let unit = table.get("time_unit").map(|value| value.choice("unit", &Unit::WORDS));
    let order = table.get("date_order").map(|value| value.choice("order", &DATE_ORDERS));
    let columns =
        Columns { time: flat(time)?, size: size?, unit: flat(unit)?, order: flat(order)? };
    Some(Choice {
        columns,
        vm: flat(vm)?,
        model: flat(model)?,
        start: start?,
        length: flat(length)?,
        scale: scale?,
    })
}

/// A key that is absent, good, or faulty: then there is nothing.
fn flat<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        None => Some(None),
        Some(found) => found.map(Some),
    }
}

/// A path relative to the folder of the scenario file.
pub(crate) fn beside(scenario: &str, path: &str) -> PathBuf {
    Path::new(scenario).parent().unwrap_or(Path::new("")).join(path)
}

/// Files that were read, by path, change and columns: the points of a sweep ask again and again.
type Known = BTreeMap<(PathBuf, Option<SystemTime>, Columns), Arc<RequestTrace>>;
static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
/// So many files are kept.
const KNOWN_MAX: usize = 4;

fn requests(path: &Path, columns: &Columns, named: &Value<'_>) -> Option<Arc<RequestTrace>> {
    let changed = std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let key = (path.to_path_buf(), changed, columns.clone());
    let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(found) = known.get(&key) {
        return Some(found.clone());
    }
    let file = match text_of(path, named.problems) {
        Ok(file) => file?,
        Err(error) => {
            named.report(Diagnostic::at(&named.spot(), format!("{error:#}")));
            return None;
        }
    };
    let read = |text: &str| request_trace::read(text, columns);
    let found = Arc::new(parsed(&file, read, named.problems)?);
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(key, found.clone());
    Some(found)
}

/// A trace, and the tokens of its arrivals.
type Chosen = (Trace, Option<Vec<(u32, u32)>>);

/// The rows that are replayed, and why the others are not.
fn chosen(path: &Path, file: &RequestTrace, choice: &Choice, named: &Value<'_>) -> Option<Chosen> {
    let vm = index_of(&choice.vm, "VM", &file.vms, named)?;
    let model = index_of(&choice.model, "model", &file.models, named)?;
    if choice.vm.is_none() && file.vms.len() > 1 {
        let names: Vec<&str> = file.vms.iter().take(20).map(String::as_str).collect();
        let diagnostic = named.wrong(format!("has requests of {} VMs", file.vms.len()));
        let help = format!("state which requests this VM answers: vm = \"{}\"", names[0]);
        named.report(diagnostic.allowed(names.join(", ")).help(help));
        return None;
    }
    let first = file.requests.first().map_or(0, |request| request.at);
    let start = first.saturating_add(choice.start.as_nanos() as i64);
    let end = choice.length.map_or(i64::MAX, |span| start.saturating_add(span.as_nanos() as i64));
    let sized = !choice.columns.size.is_empty();
    let why_not = |request: &Request| {
        Some(match request {
            _ if request.at < start => "before `start`",
            _ if request.at >= end => "after `length`",
            _ if vm.is_some_and(|vm| request.vm != vm) => "of other VMs",
            _ if model.is_some_and(|model| request.model != model) => "of other models",
            _ if request.failed => "failed: no response tokens",
            _ if sized && request.size == 0.0 => "without work: size 0",
            _ => return None,
        })
    };
    let mut dropped: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut kept, mut samples, mut work) = (Vec::new(), 0, 0.0);
    for request in &file.requests {
        if let Some(reason) = why_not(request) {
            *dropped.entry(reason).or_default() += 1;
            continue;
        }
        samples += u64::from(request.batch);
        work += request.size * f64::from(request.batch);
        kept.push(request);
        if samples > SAMPLES_MAX {
            let diagnostic = named.wrong(format!("has more than {SAMPLES_MAX} samples"));
            named.report(diagnostic.help("take a part of it: length = \"10 min\""));
            return None;
        }
    }
    let dropped: Vec<(u64, String)> =
        dropped.into_iter().map(|(reason, rows)| (rows, reason.to_string())).collect();
    if kept.is_empty() {
        let told: Vec<String> =
            dropped.iter().map(|(rows, reason)| format!("{rows} {reason}")).collect();
        let diagnostic = named.wrong("leaves no request to replay");
        named.report(diagnostic.note("left out", told.join(", ")));
        return None;
    }
    let last = kept.last().map_or(0, |request| request.at.saturating_sub(start));
    let lasts = last as f64 / choice.scale;
    if lasts > LENGTH_MAX.as_nanos_f64() {
        let days = lasts / 86_400e9;
        let diagnostic = named.wrong(format!("lasts {days:.0} days at this scale"));
        let help = "take a part of it, play it faster, or check the unit of its times";
        named.report(diagnostic.allowed("at most 366 days").help(help));
        return None;
    }
    let mean = work / samples as f64;
    let tokens = kept.iter().flat_map(|one| std::iter::repeat_n(one.tokens, one.batch as usize));
    let tokens: Option<Vec<(u32, u32)>> = tokens.collect();
    let arrivals = kept.into_iter().flat_map(|request| {
        let at = SimDuration::from_nanos(request.at.saturating_sub(start) as u64);
        let size = if sized { (request.size / mean) as f32 } else { 0.0 };
        let arrival =
            TraceArrival { at, size: if sized { size.max(f32::MIN_POSITIVE) } else { size } };
        std::iter::repeat_n(arrival, request.batch as usize)
    });
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let trace = of(name, file.understood.clone(), arrivals.collect(), dropped);
    has_a_rate(&trace, choice, named).then_some((trace, tokens))
}

/// A trace is played at a rate, which one request does not have, nor several at one instant.
fn has_a_rate(trace: &Trace, choice: &Choice, named: &Value<'_>) -> bool {
    let samples = trace.arrivals.len();
    let what = match (samples, can_deal(trace, 1)) {
        (1, _) => "leaves one sample, whose rate is not defined".to_string(),
        (_, false) => format!("leaves {samples} samples at one instant, whose rate is not defined"),
        _ => {
            let rate = trace.rate() * choice.scale;
            if !is_rate(rate) {
                let (shown, other) = match rate > 1.0 {
                    true => (format!("{rate:.0}"), "slower"),
                    false => (format!("{rate:.1e}"), "faster (scale)"),
                };
                let diagnostic = named.wrong(format!("is played at {shown} samples per second"));
                let help = format!("play it {other}, or check the unit of its times");
                named.report(diagnostic.allowed(RATES).help(help));
                return false;
            }
            return true;
        }
    };
    let told: Vec<String> =
        trace.dropped.iter().map(|(rows, reason)| format!("{rows} {reason}")).collect();
    let diagnostic = named.wrong(what);
    let diagnostic = match told.is_empty() {
        true => diagnostic,
        false => diagnostic.note("left out", told.join(", ")),
    };
    let help = "take a part with two requests at different times, or state a rate: target_qps = 10";
    named.report(diagnostic.help(help));
    false
}

/// Whether each of `copies` parts, dealt in turn, has samples at two instants, and so a rate.
pub(crate) fn can_deal(trace: &Trace, copies: u32) -> bool {
    let (all, copies) = (trace.arrivals.len(), copies as usize);
    all > copies
        && (0..copies).all(|first| {
            let last = first + (all - 1 - first) / copies * copies;
            trace.arrivals[last].at > trace.arrivals[first].at
        })
}

fn of(
    name: String,
    understood: String,
    arrivals: Vec<TraceArrival>,
    dropped: Vec<(u64, String)>,
) -> Trace {
    let mut bytes = name.clone().into_bytes();
    for arrival in &arrivals {
        bytes.extend(arrival.at.as_nanos().to_le_bytes());
        bytes.extend(arrival.size.to_le_bytes());
    }
    let hash = fnv1a(&bytes);
    Trace { name, understood, arrivals, dropped, hash }
}

/// The index of a name that rows must have; nothing when none was asked for.
fn index_of(
    name: &Option<String>,
    what: &str,
    known: &[String],
    named: &Value<'_>,
) -> Option<Option<u16>> {
    let Some(name) = name else { return Some(None) };
    let found = known.iter().position(|known| known == name);
    if found.is_none() {
        let named_ones = known.iter().filter(|name| !name.is_empty()).take(20);
        named.unknown(&format!("{what} of the trace"), name, named_ones);
    }
    Some(Some(found? as u16))
}

/// The part of copy `number` (from 1) of `copies`: the arrivals are dealt in turn, as by a load
/// balancer in front of equal VMs.
pub(crate) fn deal(trace: &Trace, number: u32, copies: u32) -> Trace {
    let part = trace.arrivals.iter().skip(number as usize - 1).step_by(copies as usize);
    let dropped = trace.dropped.clone();
    of(trace.name.clone(), trace.understood.clone(), part.copied().collect(), dropped)
}
