//! LoadGen's verdict: VALID, or the rules that a run failed.
//!
//! Rules of mlcommons/inference, `loadgen/results.cc`; from round v2.0 on with early stopping. Without
//! MLPerf's rules the bound alone decides. It counts nothing itself.

use super::early_stopping::{discards, passes, queries_needed};
use crate::queueing::stats::LatencyHistogram;
use crate::spec::{LoadSpec, Rules, TestScenario, TokenBounds};
use crate::units::SimDuration;

/// The figures of a run that the verdict needs.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Latencies of its queries (of samples, where a query is one).
    pub latencies: &'a LatencyHistogram,
    /// Queries whose latency exceeds the bound.
    pub over_latency: u64,
    /// Queries that the server rejected; they count as over the bound.
    pub rejected: u64,
    /// Queries that were lost with a VM that was down; they count as over the bound.
    pub lost: u64,
    /// From the start of the load to the last query's due time.
    pub scheduled: SimDuration,
    /// From the start of the load to the last completion.
    pub taken: SimDuration,
}

impl Observed<'_> {
    /// All queries, answered or not.
    fn asked(&self) -> u64 {
        self.latencies.count() + self.rejected + self.lost
    }

    /// Those that did not keep the bound.
    fn late(&self) -> u64 {
        self.over_latency + self.rejected + self.lost
    }
}

/// LoadGen's verdict on a run.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Verdict {
    /// The rules that the run failed, in LoadGen's order; none means VALID.
    pub failed: Vec<FailedRule>,
    /// The result of early stopping; nothing before round v2.0, without MLPerf's rules, and where
    /// the scenario has none.
    pub early_stopping: Option<EarlyStopping>,
}

/// A rule of LoadGen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The percentile keeps the bound.
    Latency,
    /// The run is long enough.
    MinDuration,
    /// There are enough queries.
    MinQueries,
    /// There are enough queries to be sure.
    EarlyStopping,
    /// Enough requests of an LLM keep the bounds of their tokens; no rule of LoadGen.
    Goodput,
}

impl Rule {
    /// Its name in result documents.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Latency => "latency",
            Rule::MinDuration => "min_duration",
            Rule::MinQueries => "min_queries",
            Rule::EarlyStopping => "early_stopping",
            Rule::Goodput => "goodput",
        }
    }
}

/// A rule that a run failed, and by how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedRule {
    /// The rule.
    pub rule: Rule,
    /// The reason, as reports print it.
    pub reason: String,
}

/// The result of early stopping for a run.
#[derive(Clone, PartialEq, Debug)]
pub struct EarlyStopping {
    /// Whether there are enough queries to be sure.
    pub satisfied: bool,
    /// Server: how many further queries within the bound would be needed; 0 when it is satisfied.
    pub queries_missing: u64,
    /// SingleStream and MultiStream: what is reported instead of the percentile.
    pub estimates: Vec<Estimate>,
}

/// A percentile that is not exceeded by more than its share, with 99 % confidence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// In percent.
    pub percentile: f64,
    /// Least number of queries for an estimate.
    pub queries_min: u64,
    /// How many of the highest latencies the estimate discards, and its value; nothing with too few
    /// queries.
    pub found: Option<(u64, SimDuration)>,
}

/// Judges a run.
pub fn verdict(load: &LoadSpec, observed: Observed<'_>) -> Verdict {
    let settings = &load.settings;
    let queries = observed.asked();
    let mut verdict =
        Verdict { early_stopping: early_stopping(load, &observed), ..Verdict::default() };
    let mut fail = |rule, reason| verdict.failed.push(FailedRule { rule, reason });
    let share = settings.percentile / 100.0;
    // LoadGen looks at the latency of rank `n p`, counted from 0, of the sorted ones.
    // Those over the bound are samples, of which MultiStream has more than queries.
    let within = queries.saturating_sub(observed.late());
    if load.scenario == TestScenario::Server && within <= (queries as f64 * share) as u64 {
        let late = observed.late() as f64 / queries.max(1) as f64;
        let bound = settings.target_latency;
        let allowed = round_percent(100.0 - settings.percentile);
        let late = late * 100.0;
        let without = match (observed.rejected, observed.lost) {
            (0, 0) => "",
            (_, 0) => " or rejected",
            (0, _) => " or lost",
            _ => ", rejected or lost",
        };
        let reason = format!("{late:.2} % of queries over {bound}{without} ({allowed} % allowed)");
        fail(Rule::Latency, reason);
    }
    if settings.rules == Rules::None {
        // A percentile of fewer queries than lie on its far side once is none.
        let needed = (100.0 / (100.0 - settings.percentile) - 1e-6).ceil() as u64;
        if load.scenario == TestScenario::Server && queries < needed {
            let percentile = settings.percentile;
            let reason =
                format!("{queries} of at least {needed} queries, for a percentile of {percentile}");
            fail(Rule::MinQueries, reason);
        }
        return verdict;
    }
    // Server is judged by its schedule, the others by what they took.
    let duration = match load.scenario {
        TestScenario::Server => observed.scheduled,
        _ => observed.taken,
    };
    if duration < settings.min_duration {
        let reason = format!("ran {} of at least {}", rounded(duration), settings.min_duration);
        fail(Rule::MinDuration, reason);
    }
    if queries < settings.min_query_count {
        let reason = format!("{queries} of at least {} queries", settings.min_query_count);
        fail(Rule::MinQueries, reason);
    }
    if let Some(found) = verdict.early_stopping.as_ref().filter(|found| !found.satisfied) {
        let reason = match found.estimates.first() {
            Some(estimate) => format!(
                "early stopping not satisfied: {queries} of at least {} queries",
                estimate.queries_min
            ),
            None => format!(
                "early stopping not satisfied: {} of {queries} queries over {}, {} more within it needed",
                observed.late(),
                settings.target_latency,
                found.queries_missing
            ),
        };
        verdict.failed.push(FailedRule { rule: Rule::EarlyStopping, reason });
    }
    verdict
}

/// The part of an LLM's requests that must keep the bounds of their tokens. LoadGen asks the same of each
/// bound by itself: the 99th percentiles of the time to the first token and of the time per token.
pub const GOOD_ASKED: f64 = 0.99;

/// Judges the tokens of a run: of `asked` requests `good` kept both bounds. Without bounds there is no rule to
/// fail.
pub fn goodput(bounds: Option<TokenBounds>, good: u64, asked: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let share = good as f64 / asked.max(1) as f64;
    if let Some(TokenBounds { ttft, tpot }) = bounds.filter(|_| share < GOOD_ASKED) {
        let reason = format!(
            "{:.2} % of requests within TTFT {ttft} and TPOT {tpot} ({} % asked)",
            // Never rounded up to what is asked.
            (share * 10_000.0).floor() / 100.0,
            round_percent(GOOD_ASKED * 100.0)
        );
        verdict.failed.push(FailedRule { rule: Rule::Goodput, reason });
    }
    verdict
}

fn early_stopping(load: &LoadSpec, observed: &Observed<'_>) -> Option<EarlyStopping> {
    if !load.settings.early_stopping() {
        return None;
    }
    let (queries, late) = (observed.asked(), observed.late());
    let percentile = load.settings.percentile;
    match load.scenario {
        TestScenario::Server => {
            let allowed = 1.0 - percentile / 100.0;
            let satisfied = passes(queries, late, allowed);
            let missing = if satisfied { 0 } else { queries_needed(late, allowed) - queries };
            Some(EarlyStopping { satisfied, queries_missing: missing, estimates: Vec::new() })
        }
        TestScenario::SingleStream | TestScenario::MultiStream { .. } => {
            let mut estimates = vec![estimate(observed.latencies, percentile)];
            if load.scenario == TestScenario::SingleStream && percentile != 99.0 {
                // From this one MultiStream may be inferred.
                estimates.push(estimate(observed.latencies, 99.0));
            }
            let satisfied = estimates[0].found.is_some();
            Some(EarlyStopping { satisfied, queries_missing: 0, estimates })
        }
        TestScenario::Offline | TestScenario::ClosedLoop { .. } => None,
    }
}

fn estimate(latencies: &LatencyHistogram, percentile: f64) -> Estimate {
    let (queries, allowed) = (latencies.count(), 1.0 - percentile / 100.0);
    let found = discards(queries, allowed).and_then(|discarded| {
        // The middle of a rank, so that rounding cannot reach its neighbours.
        let rank = (queries - discarded) as f64 - 0.5;
        Some((discarded, latencies.quantile(rank / queries as f64)?))
    });
    Estimate { percentile, queries_min: queries_needed(1, allowed), found }
}

/// A span to whole milliseconds, for reading.
fn rounded(span: SimDuration) -> SimDuration {
    SimDuration::from_millis(span.as_nanos() / 1_000_000)
}

/// A percentage without the noise of binary fractions.
fn round_percent(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e6
}
