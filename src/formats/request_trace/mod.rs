//! Recorded requests, one per row, by the names in the head: our own columns, the Azure LLM traces,
//! BurstGPT, and any other file with a column of times. JSON lines are read by their keys.
//!
//! | file | head |
//! |---|---|
//! | our own | `arrival_s`, then any of `vm`, `model`, `batch`, `service_ms`, `context_tokens`, `generated_tokens` |
//! | Azure LLM inference traces 2023, 2024 | `TIMESTAMP,ContextTokens,GeneratedTokens` |
//! | BurstGPT v1 to v3 | `Timestamp`, [`Session ID`, `Elapsed time`], `Model,Request tokens,Response tokens,Total tokens,Log Type` |
//! | Mooncake, JSON lines | `timestamp` in milliseconds, `input_length`, `output_length`, `hash_ids` |
//!
//! Which rows are replayed, and how fast, is not decided here.

mod table;
mod tokens;

use super::dates::{self, Day, Stamp};
use super::dialect::Dialect;
use super::rows::time_column;
use super::{FAULTS_MAX, Fault};
use crate::suggest::{nearest, quoted};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use table::Table;

pub use super::dates::Order;

/// The most rows of a trace; a longer one must be cut before.
pub const ROWS_MAX: usize = 2_000_000;
/// Most samples in a request.
const BATCH_MAX: f64 = 1e6;
/// Times lie within 290 years of their zero.
const SECONDS_MAX: f64 = 9e9;

/// The columns to read, and how.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Columns {
    /// The column of times, where it is not one of the known ones.
    pub time: Option<String>,
    /// Columns whose sum is a request's work; none where the file has no work.
    pub size: Vec<String>,
    /// The unit of times that are numbers, where their column does not state it.
    pub unit: Option<Unit>,
    /// What comes first in dates such as 3/4/2025.
    pub order: Option<Order>,
}

/// A unit of times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    /// Every unit by the word that files use.
    pub const WORDS: [(&'static str, Unit); 4] = [
        ("s", Unit::Seconds),
        ("ms", Unit::Milliseconds),
        ("us", Unit::Microseconds),
        ("ns", Unit::Nanoseconds),
    ];

    /// In words, and its nanoseconds.
    fn of(self) -> (&'static str, f64) {
        match self {
            Unit::Seconds => ("seconds", 1e9),
            Unit::Milliseconds => ("milliseconds", 1e6),
            Unit::Microseconds => ("microseconds", 1e3),
            Unit::Nanoseconds => ("nanoseconds", 1.0),
        }
    }
}

/// One request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Request {
    /// Its arrival, in nanoseconds from any origin.
    pub at: i64,
    /// Index into [`RequestTrace::vms`].
    pub vm: u16,
    /// Index into [`RequestTrace::models`].
    pub model: u16,
    /// Samples in it, at least 1.
    pub batch: u32,
    /// The sum of the columns of size, 0 or more; 1 where there are none.
    pub size: f64,
    /// It failed (BurstGPT: no response tokens).
    pub failed: bool,
    /// Tokens of its prompt and of its output, 1 at least, where the file has both.
    pub tokens: Option<(u32, u32)>,
}

/// A file of requests, in order of time.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestTrace {
    /// The requests.
    pub requests: Vec<Request>,
    /// The VMs that rows name; one without a name where there is no such column.
    pub vms: Vec<String>,
    /// The models that rows name; likewise.
    pub models: Vec<String>,
    /// Whether the rows had to be sorted.
    pub was_sorted: bool,
    /// How its times were read, such as "milliseconds by `timestamp_ms`".
    pub understood: String,
}

/// Columns of times that are known, in seconds unless they hold dates.
const TIMES: [&str; 3] = ["arrival_s", "timestamp", "time_s"];

/// Which column holds what: indices into the head.
struct Head {
    time: usize,
    /// The time column's name, as written.
    name: String,
    /// The unit of times that are numbers: in words, its nanoseconds, and whether the file says it.
    unit: (&'static str, f64, bool),
    vm: Option<usize>,
    model: Option<usize>,
    batch: Option<usize>,
    response: Option<usize>,
    /// Tokens of prompts and of outputs.
    tokens: Option<[usize; 2]>,
    size: Vec<usize>,
    columns: usize,
    /// Columns that are not read and nearly have the name of one that is not there, each with that name.
    nearly: Vec<(String, String)>,
}

/// Reads every row, or returns its faults.
pub fn read(text: &str, columns: &Columns) -> Result<RequestTrace, Vec<Fault>> {
    let mut table = Table::open(text)?;
    let Some(names) = table.head()? else {
        let help = "the first line names the columns";
        return Err(vec![Fault::at(0..0, "the file is empty").help(help)]);
    };
    if let Some(name) = repeated(&names) {
        let title = format!("the head names the column {} twice", quoted(name));
        return Err(vec![Fault::at(table.place(None), title).help("rename one, or drop it")]);
    }
    let head = Head::find(&names, &table, columns).map_err(|fault| vec![fault])?;
    let mut rows = Rows::new(head, table.dialect, columns.order);
    let mut faults = Vec::new();
    while table.next()? {
        if rows.requests.len() == ROWS_MAX {
            let title = format!("the trace has more than {ROWS_MAX} rows");
            let help = "cut the file, for example with `head -n`";
            return Err(vec![Fault::at(table.place(None), title).help(help)]);
        }
        match rows.request(&table) {
            Ok(request) => rows.requests.push(request),
            Err((column, fault)) => {
                faults.push(Fault { span: table.place(column), ..fault });
                if faults.len() >= FAULTS_MAX {
                    break;
                }
            }
        }
    }
    if rows.requests.is_empty() && faults.is_empty() {
        faults.push(Fault::at(0..0, "the trace has a head and no rows"));
    }
    if faults.is_empty() {
        faults.extend(rows.settle_dates());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let understood = rows.understood(&table);
    let Rows { mut requests, names: [vms, models], .. } = rows;
    let was_sorted = !requests.is_sorted_by_key(|request| request.at);
    requests.sort_by_key(|request| request.at);
    let (vms, models) = (in_order(vms), in_order(models));
    Ok(RequestTrace { requests, vms, models, was_sorted, understood })
}

/// A name that stood in the head before: which of the two counts is not known.
fn repeated(names: &[String]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let named = names.iter().filter(|name| !name.is_empty());
    named.map(String::as_str).find(|name| !seen.insert(name.to_ascii_lowercase()))
}

impl Head {
    fn find(names: &[String], table: &Table<'_>, columns: &Columns) -> Result<Head, Fault> {
        let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let any = |wanted: &[&str]| wanted.iter().find_map(|name| find(name));
        let span = table.place(None);
        let need = |wanted: &str| {
            find(wanted).ok_or_else(|| {
                let title = format!("the head has no column {}", quoted(wanted));
                let fault = Fault::at(span.clone(), title).allowed(shown(names));
                fault.did_you_mean(nearest(wanted, names))
            })
        };
        let time = match &columns.time {
            Some(name) => need(name)?,
            None => {
                let known = any(&TIMES);
                need(&names[known.ok_or_else(|| no_time(names, span.clone()))?])?
            }
        };
        let size: Result<Vec<usize>, Fault> = columns.size.iter().map(|name| need(name)).collect();
        let said = time_column(&names[time]).1.map(|(unit, ms)| (unit, ms * 1e6));
        // Mooncake's traces, whose documentation says so.
        let is_mooncake = table.is_json()
            && any(&["input_length", "input_tokens"]).is_some()
            && any(&["output_length", "output_tokens"]).is_some();
        let known = said.or(is_mooncake.then(|| Unit::Milliseconds.of()));
        let unit = match (known, columns.unit.map(Unit::of)) {
            (Some(said), Some(asked)) if said.0 != asked.0 && !is_mooncake => {
                let title = format!("`{}` says {}, and time_unit {}", names[time], said.0, asked.0);
                return Err(Fault::at(span, title).help("drop time_unit, or rename the column"));
            }
            (known, asked) => asked.or(known),
        };
        let (word, nanos) = unit.unwrap_or(Unit::Seconds.of());
        Ok(Head {
            time,
            name: names[time].clone(),
            unit: (word, nanos, unit.is_some() || any(&["response tokens"]).is_some()),
            vm: find("vm"),
            model: find("model"),
            batch: find("batch"),
            response: find("response tokens"),
            tokens: tokens::columns(any),
            nearly: nearly(names, time, &size.clone().unwrap_or_default()),
            size: size?,
            columns: names.len(),
        })
    }
}

/// Most columns of a trace say nothing here. One that is nearly the name of a column that is not there may
/// have been meant to be it: its rows would count as of one VM, one model or one sample.
fn nearly(names: &[String], time: usize, size: &[usize]) -> Vec<(String, String)> {
    const OURS: [&str; 3] = ["vm", "model", "batch"];
    let is_there = |ours: &str| names.iter().any(|name| name.eq_ignore_ascii_case(ours));
    let missing: Vec<&str> = OURS.into_iter().filter(|ours| !is_there(ours)).collect();
    let others = names.iter().enumerate().filter(|(at, _)| *at != time && !size.contains(at));
    let near = |(_, name): (usize, &String)| Some((name.clone(), nearest(name, &missing)?));
    others.filter_map(near).take(OURS.len()).collect()
}

/// No column is known to hold times: which may.
fn no_time(names: &[String], span: Range<usize>) -> Fault {
    let title = "the head has no column of times";
    let allowed = "arrival_s, TIMESTAMP (Azure), Timestamp (BurstGPT)";
    // `timestamp_ms` and `timestamp [UTC]` are columns of times, and no misspelt ones.
    let likely = names.iter().find_map(|name| {
        const WORDS: [&str; 6] =
            ["arrival", "timestamp", "time", "date", "datetime", "timegenerated"];
        let (base, unit) = time_column(name);
        let how = match unit {
            Some((unit, _)) => format!(", in {unit}"),
            None => ", as dates or seconds".to_string(),
        };
        base.split('_').any(|word| WORDS.contains(&word)).then_some((name, how))
    });
    let near = names.iter().find_map(|name| nearest(name, TIMES));
    let help = match (likely, near) {
        (Some((name, how)), _) => format!("time_column = {} reads it{how}", quoted(name)),
        (None, Some(near)) => format!("did you mean \"{near}\"?"),
        (None, None) => format!("name it: time_column = \"...\"; there are {}", shown(names)),
    };
    Fault::at(span, title).allowed(allowed).help(help)
}

/// The rows read so far.
struct Rows {
    head: Head,
    dialect: Dialect,
    /// VMs and models by name.
    names: [BTreeMap<String, u16>; 2],
    requests: Vec<Request>,
    dates: Dates,
}

/// What the dates of the rows so far say together.
struct Dates {
    /// What comes first, where the scenario says it.
    asked: Option<Order>,
    /// The first of them: whether it says its zone.
    has_zone: Option<bool>,
    /// Rows whose date is two numbers and a year.
    either: Vec<(usize, Stamp)>,
    /// The first such date, and the place of the first row with another.
    first: Option<(i64, i64, i64)>,
    another: Option<Range<usize>>,
    /// The first date that cannot begin with the day, and that cannot begin with the month.
    month_first: Option<Range<usize>>,
    day_first: Option<Range<usize>>,
}

/// A fault without place, and the column it is in.
type BadCell = (Option<usize>, Fault);

impl Rows {
    fn new(head: Head, dialect: Dialect, asked: Option<Order>) -> Self {
        let dates = Dates {
            asked,
            has_zone: None,
            either: Vec::new(),
            first: None,
            another: None,
            month_first: None,
            day_first: None,
        };
        Self { head, dialect, names: Default::default(), requests: Vec::new(), dates }
    }

    fn request(&mut self, table: &Table<'_>) -> Result<Request, BadCell> {
        let record = &table.record;
        let excess = record.iter().skip(self.head.columns).any(|cell| !cell.is_empty());
        if excess {
            return Err((None, self.dialect.too_long(0..0, record.len(), self.head.columns)));
        }
        let dialect = self.dialect;
        let cell = |column: usize| {
            record.get(column).ok_or_else(|| {
                let title = format!("the row has {} columns of {}", record.len(), column + 1);
                (None, Fault::at(0..0, title))
            })
        };
        let number = |column: usize, most: f64, allowed: &str| {
            let text = cell(column)?;
            let number = dialect.number(text);
            let help = number.clone().err().unwrap_or_default();
            number.ok().filter(|number| (0.0..=most).contains(number)).ok_or_else(|| {
                let fault = Fault::at(0..0, format!("{} is not a number here", quoted(text)));
                (Some(column), fault.allowed(allowed).help(help))
            })
        };
        let text = cell(self.head.time)?;
        let index = self.requests.len();
        let at = self.head.instant(text, dialect, &mut self.dates, (index, table));
        let at = at.map_err(|fault| (Some(self.head.time), fault))?;
        let batch = match self.head.batch {
            None => 1,
            Some(column) => {
                let batch = number(column, BATCH_MAX, "1 to 1000000 samples")?;
                if batch < 1.0 || batch.fract() != 0.0 {
                    let fault = Fault::at(0..0, format!("a request of {batch} samples"));
                    return Err((Some(column), fault.allowed("1 to 1000000 samples")));
                }
                batch as u32
            }
        };
        let mut size = if self.head.size.is_empty() { 1.0 } else { 0.0 };
        for &column in &self.head.size {
            size += number(column, 1e12, "0 or more")?;
        }
        let failed = match self.head.response {
            Some(column) => number(column, 1e12, "0 or more tokens")? == 0.0,
            None => false,
        };
        let mut named = [0, 0];
        for (index, column) in [self.head.vm, self.head.model].into_iter().enumerate() {
            let name = column.map_or(Ok(""), &cell)?;
            let known = &mut self.names[index];
            named[index] = match known.get(name) {
                Some(index) => *index,
                None => {
                    let next = u16::try_from(known.len()).map_err(|_| {
                        (column, Fault::at(0..0, "the trace names more than 65536 VMs or models"))
                    })?;
                    known.insert(name.to_string(), next);
                    next
                }
            };
        }
        let [vm, model] = named;
        let tokens = tokens::of(record, self.head.tokens, dialect);
        Ok(Request { at, vm, model, batch, size, failed, tokens })
    }
}

impl Head {
    /// Nanoseconds of a number of units, or of a date; of one whose order is not known yet, 0.
    fn instant(
        &self,
        text: &str,
        dialect: Dialect,
        dates: &mut Dates,
        (row, table): (usize, &Table<'_>),
    ) -> Result<i64, Fault> {
        let (word, nanos, is_said) = self.unit;
        let number = dialect.number(text);
        if let Ok(number) = number {
            if table.is_json() && !is_said {
                let title = format!("`{}` is a number without a unit", self.name);
                let help = "state it: time_unit = \"ms\", or \"s\"";
                return Err(Fault::at(0..0, title).help(help));
            }
            if (number * nanos).abs() <= SECONDS_MAX * 1e9 {
                return Ok(whole_nanos(text, number, nanos));
            }
            let title = format!("{} is out of range in {word}", quoted(text));
            let most = format!("up to {} {word}", SECONDS_MAX * 1e9 / nanos);
            return Err(Fault::at(0..0, title).allowed(most).help(self.rather(number)));
        }
        if let Some(stamp) = dates::read(text) {
            return dates.add(stamp, row, table, self.time);
        }
        let title = match dates::names_no_day(text) {
            true => format!("{} is not a day of the calendar", quoted(text)),
            false => format!("{} is not a time", quoted(text)),
        };
        let fault = Fault::at(0..0, title);
        let allowed = format!(
            "{word} such as 12.5, or a date with seconds, such as 2023-11-16 18:15:46.6805900 or 8/18/2025, 12:00:38 AM"
        );
        Err(fault.allowed(allowed).help(number.err().unwrap_or_default()))
    }

    /// What a number too large for its unit rather is, and how to say so.
    fn rather(&self, number: f64) -> String {
        let Some((unit, digits)) = epoch_unit(number) else {
            return "check the unit of the times".to_string();
        };
        let (word, _) = unit.1.of();
        let (base, said) = time_column(&self.name);
        let how = match said {
            // A name that says another unit stands in the way of the key.
            Some(_) => {
                let name = format!("{base}_{}", unit.0);
                format!("rename the column, and write time_column = {}", quoted(&name))
            }
            None => format!("write time_unit = \"{}\"", unit.0),
        };
        format!("{digits} digits look like {word} since 1970: {how}")
    }
}

/// A number of units in nanoseconds, to the nanosecond also where it counts from 1970: the whole units and
/// the rest apart.
fn whole_nanos(text: &str, number: f64, nanos: f64) -> i64 {
    let (whole, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let plain = rest.bytes().all(|byte| byte.is_ascii_digit()) && nanos.fract() == 0.0;
    match whole.parse::<i64>().ok().filter(|_| plain) {
        Some(units) => {
            let rest = format!("0.{rest}0").parse::<f64>().unwrap_or(0.0) * nanos;
            let rest = rest.round() as i64;
            let sign = if text.starts_with('-') { -1 } else { 1 };
            units.saturating_mul(nanos as i64).saturating_add(sign * rest)
        }
        None => (number * nanos).round() as i64,
    }
}

/// The unit in which a number is rather a time since 1970, and its digits before the point: 13 in
/// milliseconds, 16 in microseconds, 19 in nanoseconds (from 2001 to 2286).
fn epoch_unit(number: f64) -> Option<((&'static str, Unit), u32)> {
    let (index, digits) = match number {
        _ if (1e12..1e13).contains(&number) => (1, 13),
        _ if (1e15..1e16).contains(&number) => (2, 16),
        _ if (1e18..1e19).contains(&number) => (3, 19),
        _ => return None,
    };
    Some((Unit::WORDS[index], digits))
}

impl Dates {
    fn add(
        &mut self,
        stamp: Stamp,
        row: usize,
        table: &Table<'_>,
        column: usize,
    ) -> Result<i64, Fault> {
        if *self.has_zone.get_or_insert(stamp.has_zone) != stamp.has_zone {
            let (this, others) = if stamp.has_zone { ("a", "none") } else { ("no", "one") };
            let title = format!("the time has {this} zone, and earlier times have {others}");
            return Err(Fault::at(0..0, title).help("write all times with a zone, or all without"));
        }
        let Day::Either(first, second, year) = stamp.day else {
            return Ok(stamp.nanos(Order::DayFirst).expect("the day is known"));
        };
        if let Some(order) = self.asked {
            return stamp.nanos(order).ok_or_else(|| {
                Fault::at(0..0, format!("{first}/{second}/{year} is not a day by date_order"))
            });
        }
        let place = || table.place(Some(column));
        if *self.first.get_or_insert((first, second, year)) != (first, second, year) {
            self.another.get_or_insert_with(place);
        }
        if stamp.nanos(Order::DayFirst).is_none() {
            self.month_first.get_or_insert_with(place);
        }
        if stamp.nanos(Order::MonthFirst).is_none() {
            self.day_first.get_or_insert_with(place);
        }
        self.either.push((row, stamp));
        Ok(0)
    }

    /// What comes first in the dates, which one of them tells for all; nothing where it does not matter,
    /// and a fault where it does and is not known.
    fn order(&self) -> Result<Option<Order>, Fault> {
        let Some((first, second, year)) = self.first else { return Ok(self.asked) };
        match (&self.month_first, &self.day_first, &self.another) {
            (Some(_), Some(day_first), _) => {
                let title = "the day comes first here, and the month in other rows";
                Err(Fault::at(day_first.clone(), title).help("write all dates in the same way"))
            }
            (Some(_), None, _) => Ok(Some(Order::MonthFirst)),
            (None, Some(_), _) => Ok(Some(Order::DayFirst)),
            (None, None, None) => Ok(None),
            (None, None, Some(another)) => {
                let title = format!(
                    "whether day or month comes first is not known: the trace begins on {first}/{second}/{year}, and no row has a number above 12"
                );
                let help = "state it: date_order = \"month-first\" (8/18/2025) or \"day-first\" \
                     (18/8/2025)";
                Err(Fault::at(another.clone(), title).help(help))
            }
        }
    }
}

impl Rows {
    /// Gives the rows their instants whose date waited for the others.
    fn settle_dates(&mut self) -> Option<Fault> {
        let order = match self.dates.order() {
            Ok(order) => order.unwrap_or(Order::MonthFirst),
            Err(fault) => return Some(fault),
        };
        for (row, stamp) in &self.dates.either {
            // Where no row tells, all are of one day, and one of its readings is as good as the other.
            let at = stamp.nanos(order).or(stamp.nanos(Order::DayFirst));
            self.requests[*row].at = at.expect("one reading is a day");
        }
        None
    }

    /// How the times were understood.
    fn understood(&self, table: &Table<'_>) -> String {
        let name = &self.head.name;
        let mut told = match (self.dates.has_zone, self.head.unit) {
            (Some(_), _) => {
                let order = match self.dates.order() {
                    Ok(Some(Order::MonthFirst)) => ", the month first",
                    Ok(Some(Order::DayFirst)) => ", the day first",
                    _ => "",
                };
                format!("dates by `{name}`{order}")
            }
            (None, (word, _, true)) => format!("{word} by `{name}`"),
            (None, (word, _, false)) => {
                format!(
                    "{word} by `{name}`, whose name has no unit: time_unit = \"ms\" if they are not"
                )
            }
        };
        if table.is_json() {
            told.push_str(", JSON lines");
        }
        told.extend(self.dialect.description().iter().flat_map(|how| [", ", how]));
        for (name, near) in &self.head.nearly {
            told.push_str(&format!("; the column {} is ignored, \"{near}\" is read", quoted(name)));
        }
        told
    }
}

/// Names by their index.
fn in_order(names: BTreeMap<String, u16>) -> Vec<String> {
    let mut all: Vec<(u16, String)> =
        names.into_iter().map(|(name, index)| (index, name)).collect();
    all.sort();
    all.into_iter().map(|(_, name)| name).collect()
}

/// The names of a head for a message.
fn shown(names: &[String]) -> String {
    names.join(", ").chars().take(200).collect()
}

#[cfg(test)]
mod tests;
