//! Recorded requests, one a row, by the names in the head: our own columns, the Azure LLM traces,
//! BurstGPT, and any other file with a column of times.
//!
//! | file | head |
//! |---|---|
//! | our own | `arrival_s`, then any of `vm`, `model`, `batch`, `service_ms`, `context_tokens`, `generated_tokens` |
//! | Azure LLM inference traces 2023, 2024 | `TIMESTAMP,ContextTokens,GeneratedTokens` |
//! | BurstGPT v1 to v3 | `Timestamp`, [`Session ID`, `Elapsed time`], `Model,Request tokens,Response tokens,Total tokens,Log Type` |
//!
//! Which rows are replayed, and how fast, is not decided here.

use super::rows::{cell_spans, not_too_wide, time_column};
use super::{FAULTS_MAX, Fault};
use crate::suggest::{nearest, quoted};
use std::collections::BTreeMap;

/// No trace has more rows; a longer one is cut with a tool for it.
pub const ROWS_MAX: usize = 2_000_000;
/// Most samples in a request.
const BATCH_MAX: f64 = 1e6;
/// Times lie within 290 years of their zero.
const SECONDS_MAX: f64 = 9e9;

/// What a reader should look for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Columns {
    /// The column of times, where it is not one of the known ones.
    pub time: Option<String>,
    /// Columns whose sum is a request's work; none where it is not to be taken from the file.
    pub size: Vec<String>,
}

/// One request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Request {
    /// When it came, in nanoseconds from any zero.
    pub at: i64,
    /// Index into [`RequestTrace::vms`].
    pub vm: u16,
    /// Index into [`RequestTrace::models`].
    pub model: u16,
    /// Samples in it, at least 1.
    pub batch: u32,
    /// The sum of the columns of size, 0 or more; 1 where none is asked for.
    pub size: f64,
    /// It failed (BurstGPT: no response tokens).
    pub failed: bool,
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
}

/// Columns of times that are known, in seconds unless they hold dates.
const TIMES: [&str; 3] = ["arrival_s", "timestamp", "time_s"];

/// Which column holds what: indices into the head.
struct Head {
    time: usize,
    /// Nanoseconds in a unit of the time column.
    nanos: f64,
    vm: Option<usize>,
    model: Option<usize>,
    batch: Option<usize>,
    response: Option<usize>,
    size: Vec<usize>,
}

/// Reads every row, or says what is wrong.
pub fn read(text: &str, columns: &Columns) -> Result<RequestTrace, Vec<Fault>> {
    not_too_wide(text).map_err(|fault| vec![fault])?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let broken = |error: csv::Error| vec![Fault::at(0..0, format!("not a CSV file: {error}"))];
    if !reader.read_record(&mut record).map_err(broken)? {
        let help = "the first line names the columns";
        return Err(vec![Fault::at(0..0, "the file is empty").help(help)]);
    }
    let head = Head::find(&record, text, columns).map_err(|fault| vec![fault])?;
    let mut rows = Rows { head, names: Default::default(), requests: Vec::new() };
    let mut faults = Vec::new();
    while reader.read_record(&mut record).map_err(broken)? {
        if rows.requests.len() == ROWS_MAX {
            let title = format!("the trace has more than {ROWS_MAX} rows");
            let help = "cut the file, for example with `head -n`";
            return Err(vec![Fault::at(place(text, &record, None), title).help(help)]);
        }
        match rows.request(&record) {
            Ok(request) => rows.requests.push(request),
            Err((column, fault)) => {
                faults.push(Fault { span: place(text, &record, column), ..fault });
                if faults.len() >= FAULTS_MAX {
                    break;
                }
            }
        }
    }
    if rows.requests.is_empty() && faults.is_empty() {
        faults.push(Fault::at(0..0, "the trace has a head and no rows"));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Rows { mut requests, names: [vms, models], .. } = rows;
    let was_sorted = !requests.is_sorted_by_key(|request| request.at);
    requests.sort_by_key(|request| request.at);
    Ok(RequestTrace { requests, vms: in_order(vms), models: in_order(models), was_sorted })
}

impl Head {
    fn find(record: &csv::StringRecord, text: &str, columns: &Columns) -> Result<Head, Fault> {
        let names: Vec<&str> = record.iter().collect();
        let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let any = |wanted: &[&str]| wanted.iter().find_map(|name| find(name));
        let span = place(text, record, None);
        let need = |wanted: &str| {
            find(wanted).ok_or_else(|| {
                let title = format!("the head has no column {}", quoted(wanted));
                let fault = Fault::at(span.clone(), title).allowed(shown(&names));
                fault.did_you_mean(nearest(wanted, &names))
            })
        };
        let time = match &columns.time {
            Some(name) => need(name)?,
            None => any(&TIMES).ok_or_else(|| {
                let title = "the head has no column of times";
                let allowed = "arrival_s, TIMESTAMP (Azure), Timestamp (BurstGPT)";
                // `timestamp_ms` is a known column in another unit, and no misspelt one.
                let in_unit = names.iter().find_map(|name| {
                    let (base, unit) = time_column(name);
                    let is_time = ["arrival", "timestamp", "time"].contains(&&base[..]);
                    Some((name, unit.filter(|_| is_time)?.0))
                });
                let near = names.iter().find_map(|name| nearest(name, TIMES));
                let help = match near {
                    _ if in_unit.is_some() => {
                        let (name, unit) = in_unit.expect("it was looked at");
                        format!("time_column = {} reads it, in {unit}", quoted(name))
                    }
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("name it: time_column = \"...\"; there are {}", shown(&names)),
                };
                Fault::at(span.clone(), title).allowed(allowed).help(help)
            })?,
        };
        let unit = time_column(names[time]).1;
        let size: Result<Vec<usize>, Fault> = columns.size.iter().map(|name| need(name)).collect();
        Ok(Head {
            time,
            nanos: unit.map_or(1e9, |(_, ms)| ms * 1e6),
            vm: find("vm"),
            model: find("model"),
            batch: find("batch"),
            response: find("response tokens"),
            size: size?,
        })
    }
}

/// The rows read so far.
struct Rows {
    head: Head,
    /// VMs and models by name.
    names: [BTreeMap<String, u16>; 2],
    requests: Vec<Request>,
}

/// A fault without place, and the column it is in.
type BadCell = (Option<usize>, Fault);

impl Rows {
    fn request(&mut self, record: &csv::StringRecord) -> Result<Request, BadCell> {
        let cell = |column: usize| {
            record.get(column).ok_or_else(|| {
                let title = format!("the row has {} columns of {}", record.len(), column + 1);
                (None, Fault::at(0..0, title))
            })
        };
        let number = |column: usize, most: f64, allowed: &str| {
            let text = cell(column)?;
            let number = text.parse::<f64>().ok();
            number.filter(|number| (0.0..=most).contains(number)).ok_or_else(|| {
                let fault = Fault::at(0..0, format!("{} is no number here", quoted(text)));
                (Some(column), fault.allowed(allowed))
            })
        };
        let at = cell(self.head.time)?;
        let at = instant(at, self.head.nanos).ok_or_else(|| {
            let fault = Fault::at(0..0, format!("{} is no time", quoted(at)));
            let allowed = "seconds such as 12.5, or a date such as 2023-11-16 18:15:46.6805900";
            (Some(self.head.time), fault.allowed(allowed))
        })?;
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
        Ok(Request { at, vm, model, batch, size, failed })
    }
}

/// Nanoseconds of a number of units, or of a date.
fn instant(text: &str, nanos: f64) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(number) => {
            let number = number * nanos;
            (number.abs() <= SECONDS_MAX * 1e9).then(|| number.round() as i64)
        }
        Err(_) => date(text),
    }
}

/// Nanoseconds since 1970 of `2023-11-16 18:15:46.6805900`, with `T`, `Z` or `+00:00` if they like.
fn date(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let (day, time) = text.split_once([' ', 'T'])?;
    let digits = |text: &str, length: usize| -> Option<i64> {
        let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let mut day = day.split('-');
    let (year, month, of_month) =
        (digits(day.next()?, 4)?, digits(day.next()?, 2)?, digits(day.next()?, 2)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':');
    let (hour, minute, second) =
        (digits(time.next()?, 2)?, digits(time.next()?, 2)?, digits(time.next()?, 2)?);
    let inside = (1970..=2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&of_month)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let all_digits = (1..=9).contains(&fraction.len());
    if !inside || !all_digits || day.next().is_some() || time.next().is_some() {
        return None;
    }
    let nanos = digits(fraction, fraction.len())? * 10_i64.pow(9 - fraction.len() as u32);
    // Days since 1970 of a civil date: years begin in March, so that leap days are their last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + of_month
            - 719_469;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

/// Where a record stands, or the cell of a column.
fn place(text: &str, record: &csv::StringRecord, column: Option<usize>) -> std::ops::Range<usize> {
    let (cells, whole) = cell_spans(text, record);
    column.and_then(|column| cells.get(column).cloned()).unwrap_or(whole)
}

/// Names by their index.
fn in_order(names: BTreeMap<String, u16>) -> Vec<String> {
    let mut all: Vec<(u16, String)> =
        names.into_iter().map(|(name, index)| (index, name)).collect();
    all.sort();
    all.into_iter().map(|(_, name)| name).collect()
}

/// The names of a head for a message.
fn shown(names: &[&str]) -> String {
    names.join(", ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_nanoseconds_since_1970() {
        // `date -u -d "2023-11-16 18:15:46" +%s` gives 1700158546; 2000-03-01 is day 11017.
        assert_eq!(date("2023-11-16 18:15:46.6805900"), Some(1_700_158_546_680_590_000));
        assert_eq!(date("2024-05-10T00:00:00.009930+00:00"), date("2024-05-10 00:00:00.00993"));
        assert_eq!(date("2000-03-01 00:00:00"), Some(11_017 * 86_400 * 1_000_000_000));
        assert_eq!(date("1970-01-01 00:00:00"), Some(0));
        for bad in
            ["2023-13-16 00:00:00", "2023-11-16", "23-11-16 00:00:00", "2023-11-16 1:2:3", ""]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
