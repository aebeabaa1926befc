//! `mlperf_log_summary.txt`: lines of `key : value` in three blocks, with odd spacing.
//!
//! Text before the first block is ignored, so text copied from a terminal can be read. Unknown
//! lines are ignored too, unless they are similar to a known one.

use super::LoadgenLog;
use super::field::{Field, LATENCIES};
use crate::formats::{FAULTS_MAX, Fault};
use crate::suggest::quoted;
use std::ops::Range;

const HEADER: &str = "MLPerf Results Summary";

/// Keys as LoadGen spells them, odd spacing put right.
const KEYS: [(&str, Field); 23] = [
    ("SUT name", Field::Sut),
    ("Scenario", Field::Scenario),
    ("Mode", Field::Mode),
    ("Result is", Field::Valid),
    ("Performance constraints satisfied", Field::PerformanceConstraintsMet),
    ("Min duration satisfied", Field::MinDurationMet),
    ("Min queries satisfied", Field::MinQueriesMet),
    ("Early stopping satisfied", Field::EarlyStoppingMet),
    ("Scheduled samples per second", Field::ScheduledPerS),
    ("Completed samples per second", Field::CompletedPerS),
    ("Samples per second", Field::SamplesPerS),
    ("QPS w/ loadgen overhead", Field::QueriesPerS),
    ("QPS w/o loadgen overhead", Field::QueriesPerSNet),
    ("Min latency (ns)", Field::Latency("min")),
    ("Max latency (ns)", Field::Latency("max")),
    ("Mean latency (ns)", Field::Latency("mean")),
    ("samples_per_query", Field::SamplesPerQuery),
    ("target_qps", Field::TargetQps),
    ("target_latency (ns)", Field::TargetLatency),
    ("min_duration (ms)", Field::MinDuration),
    ("min_query_count", Field::MinQueryCount),
    ("schedule_rng_seed", Field::ScheduleSeed),
    ("Samples per query", Field::SamplesPerQuery),
];

/// Keys that LoadGen prints and nobody needs here; so they are no misspelling of the others.
const OTHERS: [&str; 4] =
    ["max_duration (ms)", "max_query_count", "Recommendations", "qsl_rng_seed"];

/// Reads a summary.
pub(super) fn parse(text: &str, faults: &mut Vec<Fault>) -> LoadgenLog {
    let mut reader = Reader { log: LoadgenLog::default(), per_query: false, seen: Vec::new() };
    let (mut at, mut header) = (0, None);
    for whole in text.split_inclusive('\n') {
        let line = Line { start: at, text: whole.trim_end() };
        at += whole.len();
        let is_header = line.text.trim() == HEADER;
        match (&header, is_header) {
            (None, true) => header = Some(line.span_of(line.text.trim())),
            (Some(_), true) => {
                let span = line.span_of(line.text.trim());
                let fault = Fault::at(span, "a second summary begins here");
                faults.push(fault.help("keep the summary of one run in a file"));
                return reader.log;
            }
            (None, false) => {}
            (Some(_), false) => reader.line(&line, faults),
        }
        if faults.len() >= FAULTS_MAX {
            return reader.log;
        }
    }
    let Some(header) = header else {
        let help = "a summary begins with the line \"MLPerf Results Summary\"; the other log has lines that begin with \":::MLLOG\"";
        faults.push(Fault::at(0..0, "this is not a summary of LoadGen").help(help));
        return reader.log;
    };
    for (key, there) in
        [("Scenario", reader.log.scenario.is_some()), ("Result is", reader.log.valid.is_some())]
    {
        if !there && faults.is_empty() {
            let title = format!("the summary has no line `{key} : ...`");
            faults.push(Fault::at(header.clone(), title).help("it may have been cut short"));
        }
    }
    reader.log
}

/// A line with its place.
struct Line<'a> {
    start: usize,
    text: &'a str,
}

impl Line<'_> {
    /// The place of a part of the line.
    fn span_of(&self, part: &str) -> Range<usize> {
        let offset = part.as_ptr() as usize - self.text.as_ptr() as usize;
        let start = self.start + offset.min(self.text.len());
        start..start + part.len()
    }
}

struct Reader {
    log: LoadgenLog,
    /// The latencies that follow are those of queries.
    per_query: bool,
    seen: Vec<Field>,
}

impl Reader {
    fn line(&mut self, line: &Line<'_>, faults: &mut Vec<Fault>) {
        let text = line.text.trim();
        if let Some(remark) = text.strip_prefix('*') {
            return self.remark(line, remark.trim(), faults);
        }
        let Some((key, value)) = text.split_once(':') else {
            return self.without_colon(line, text, faults);
        };
        let (key, value) = (key.trim(), value.trim());
        if key == "Per-query latency" {
            self.per_query = true;
        } else if let Some(field) = field(key) {
            self.set(field, value, line.span_of(value), faults);
        } else if let Some(near) = near(key) {
            let title = format!("unknown line {}", quoted(key));
            let fault = Fault::at(line.span_of(key), title);
            faults.push(fault.did_you_mean(Some(near.to_string())));
        }
    }

    fn set(&mut self, field: Field, value: &str, span: Range<usize>, faults: &mut Vec<Fault>) {
        let field = match field {
            Field::Latency(name) if self.per_query => Field::QueryLatency(name),
            field => field,
        };
        if self.seen.contains(&field) {
            let fault = Fault::at(span, "this figure is in the summary twice");
            return faults.push(fault.help("keep the summary of one run in a file"));
        }
        self.seen.push(field);
        self.log.set(field, value, span, faults);
    }

    /// `Early stopping 90th percentile estimate: 7429380`, `Processed at least 64 queries (201).`
    fn remark(&mut self, line: &Line<'_>, remark: &str, faults: &mut Vec<Fault>) {
        if let Some((percent, value)) =
            remark.strip_prefix("Early stopping ").and_then(|rest| rest.split_once(':'))
        {
            let percent = percent.strip_suffix("th percentile estimate").map(str::parse);
            if let Some(Ok(percent)) = percent {
                let (field, value) = (Field::EarlyStoppingLatency(percent), value.trim());
                self.set(field, value, line.span_of(value), faults);
            }
        } else if remark.starts_with("Processed at least ") {
            let count = remark.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            if let Some((count, _)) = count {
                self.set(Field::Queries, count, line.span_of(count), faults);
            }
        }
    }

    /// Free text, the counts of warnings and errors, or a line that lost its colon.
    fn without_colon(&mut self, line: &Line<'_>, text: &str, faults: &mut Vec<Fault>) {
        let first = text.split_whitespace().next().unwrap_or_default();
        for (word, field) in [("warning", Field::Warnings), ("error", Field::Errors)] {
            let speaks_of_it = text.contains("encountered") && text.to_lowercase().contains(word);
            if speaks_of_it && first == "No" {
                self.set(field, "0", line.span_of(first), faults);
            } else if speaks_of_it {
                self.set(field, first, line.span_of(first), faults);
            }
        }
        let lost = KEYS.iter().find(|(key, _)| text.starts_with(&format!("{key} ")));
        if let Some((key, _)) = lost {
            let title = format!("there is no colon after `{key}`");
            let fault = Fault::at(line.span_of(text), title);
            faults.push(fault.help(format!("LoadGen writes `{key} : value`")));
        }
    }
}

/// The field of a key.
fn field(key: &str) -> Option<Field> {
    if let Some((_, field)) = KEYS.iter().find(|(known, _)| *known == key) {
        return Some(*field);
    }
    if let Some(percent) = key.strip_suffix("th percentile latency (ns)") {
        return percent.parse().ok().map(Field::ResultLatency);
    }
    let percentile = key.strip_suffix(" percentile latency (ns)")?;
    LATENCIES.iter().find(|(name, _)| *name == percentile).map(|(_, name)| Field::Latency(name))
}

/// The known key that this one is at most two typing errors away from.
fn near(key: &str) -> Option<&'static str> {
    const ERRORS_MAX: usize = 2;
    if key.len() > 80 || OTHERS.contains(&key) {
        return None;
    }
    let errors = |known: &&str| strsim::osa_distance(key, known);
    let known = KEYS.iter().map(|(known, _)| *known);
    known.filter(|known| errors(known) <= ERRORS_MAX).min_by_key(errors)
}
