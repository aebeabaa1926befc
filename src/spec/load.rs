//! The load: which MLPerf scenario, at what rate, and when a run counts as valid.
//!
//! Words and rules are LoadGen's; the schedule itself is made in `loadgen`.

use crate::units::{Share, SimDuration};
use std::fmt;
use std::sync::Arc;

/// MLPerf LoadGen's test scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestScenario {
    /// Poisson arrivals of one-sample queries, a bound on tail latency.
    Server,
    /// All samples at once; throughput.
    Offline,
    /// The next query when the last one is done; latency.
    SingleStream,
    /// As SingleStream, with several samples in a query, which is done when its last sample is
    /// (LoadGen from round v2.0 on).
    MultiStream {
        /// Samples of a query, at least 1.
        samples: u32,
    },
    /// Beyond LoadGen: clients that ask, wait for the answer, think, and ask again.
    ClosedLoop {
        /// How many, at least 1.
        clients: u32,
        /// Mean of the exponential time between answer and next question; zero for none.
        think_time: SimDuration,
    },
}

impl TestScenario {
    /// Its words in files.
    pub const WORDS: [&'static str; 5] =
        ["server", "offline", "singlestream", "multistream", "closed-loop"];

    /// Its word in files and reports.
    pub fn word(self) -> &'static str {
        Self::WORDS[match self {
            TestScenario::Server => 0,
            TestScenario::Offline => 1,
            TestScenario::SingleStream => 2,
            TestScenario::MultiStream { .. } => 3,
            TestScenario::ClosedLoop { .. } => 4,
        }]
    }

    /// Whether batches are formed from a queue: not where a client hands over one query at a time.
    pub fn has_queue(self) -> bool {
        !matches!(self, TestScenario::SingleStream | TestScenario::MultiStream { .. })
    }

    /// Samples in a query that is not the whole load.
    pub fn samples_per_query(self) -> u32 {
        match self {
            TestScenario::MultiStream { samples } => samples,
            _ => 1,
        }
    }
}

/// The arrival process of a server.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// LoadGen's Server schedule, bit for bit.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Poisson with bursts: a two-state Markov-modulated Poisson process.
    Bursty(Bursts),
    /// Poisson at a rate that rises and falls over a period, such as a day.
    Pattern(RatePattern),
    /// The arrivals of a recorded trace, scaled in time so that `target_qps` is their mean rate.
    Trace(Arc<Trace>),
}

/// Recorded arrivals, checked: in order of time, at two instants or more.
#[derive(Clone, PartialEq)]
pub struct Trace {
    /// The file's name.
    pub name: String,
    /// How its times were read, such as "milliseconds by `timestamp_ms`".
    pub understood: String,
    /// One entry for each sample.
    pub arrivals: Vec<TraceArrival>,
    /// Rows of the file that are not replayed: how many, and why.
    pub dropped: Vec<(u64, String)>,
    /// A hash of the arrivals and the name.
    pub hash: u64,
}

/// The arrival of a sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TraceArrival {
    /// Time after the first arrival.
    pub at: SimDuration,
    /// Its work relative to the mean; zero where the trace does not state it.
    pub size: f32,
}

impl Trace {
    /// The mean rate at which it was recorded, in samples per second: (n - 1) / time of the last.
    pub fn rate(&self) -> f64 {
        let last = self.arrivals.last().map_or(0.0, |arrival| arrival.at.as_secs_f64());
        if last > 0.0 { (self.arrivals.len() as f64 - 1.0) / last } else { 1.0 }
    }
}

/// Short: an experiment is known by what it prints as.
impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({}, {} samples, {:016x})", self.name, self.arrivals.len(), self.hash)
    }
}

/// The bursts of an arrival process.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    /// Rate in a burst relative to the mean rate, from 1 to `1 / share`.
    pub peak: f64,
    /// Part of the time that is in bursts, above 0 and below 1.
    pub share: Share,
    /// Mean length of a burst, exponential, above 0.
    pub length: SimDuration,
    /// Whether all VMs with this setting burst together.
    pub in_step: bool,
}

/// A rate that rises and falls, over and over.
#[derive(Clone, PartialEq, Debug)]
pub struct RatePattern {
    /// The rate at equal steps of the period, relative to one another: two at least, none below 0,
    /// not all 0. Between two it changes in a straight line, and the first follows the last. Their
    /// mean stands for `target_qps`.
    pub rates: Vec<f64>,
    /// How long it is until all begins anew; above 0.
    pub period: SimDuration,
    /// How far into the period the load begins; less than the period.
    pub start: SimDuration,
}

impl RatePattern {
    /// The highest rate, relative to the mean.
    pub fn peak(&self) -> f64 {
        let mean = self.rates.iter().sum::<f64>() / self.rates.len() as f64;
        self.rates.iter().copied().fold(0.0, f64::max) / mean
    }
}

impl Arrivals {
    /// Every arrival process: the word files use, and one line about it.
    pub const WORDS: [(&'static str, &'static str); 5] = [
        ("poisson", "LoadGen's Server schedule: exponential gaps, its own generator"),
        ("constant", "equal gaps of 1 / target_qps"),
        ("bursty", "Poisson at two rates: bursts and the time between them are exponential"),
        ("pattern", "Poisson at a rate that rises and falls over a period, such as a day"),
        ("trace", "arrivals of a recorded trace: { trace = \"requests.csv\" }"),
    ];

    /// Its word in files and reports.
    pub fn word(&self) -> &'static str {
        let index = match self {
            Arrivals::Poisson => 0,
            Arrivals::Constant => 1,
            Arrivals::Bursty(_) => 2,
            Arrivals::Pattern(_) => 3,
            Arrivals::Trace(_) => 4,
        };
        Self::WORDS[index].0
    }
}

/// An MLPerf Inference round: its LoadGen seed and its rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    /// Name, such as `v1.1`.
    pub name: &'static str,
    /// `schedule_rng_seed`, published before each round.
    pub schedule_seed: u64,
    /// Whether a run must also satisfy early stopping, and MultiStream waits for the last query: both
    /// came with v2.0. Bounds and counts are in the round's file, see `config::rounds`.
    pub early_stopping: bool,
}

impl Round {
    /// The rounds known. Seeds from `mlperf.conf` and the submission checker of each round
    /// (mlcommons/inference).
    pub const ALL: [Round; 11] = [
        Round { early_stopping: false, ..Round::of("v1.1", 10_051_496_985_653_635_065) },
        Round::of("v2.0", 12_662_793_979_680_847_247),
        Round::of("v2.1", 299_063_814_864_929_621),
        Round::of("v3.0", 12_134_888_396_634_371_638),
        Round::of("v3.1", 811_580_660_758_947_900),
        Round::of("v4.0", 7_575_108_116_881_280_410),
        Round::of("v4.1", 14_962_580_496_156_340_209),
        Round::of("v5.0", 9_933_818_062_894_767_841),
        Round::of("v5.1", 18_209_322_760_996_052_031),
        Round::of("v6.0", 3_936_089_224_930_324_775),
        Round::of("v6.1", 16_159_082_839_903_944_936),
    ];

    const fn of(name: &'static str, schedule_seed: u64) -> Self {
        Round { name, schedule_seed, early_stopping: true }
    }

    /// The first round with MultiStream as it is here.
    pub fn first_with_multistream() -> Self {
        Self::ALL[1]
    }
}

/// The rules for the length of a run and for VALID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// The rules of an MLPerf round: its counts, durations and early stopping.
    Mlperf,
    /// No MLPerf rules: the run is as long as the file states, with enough queries beyond the
    /// percentile to know it, and VALID if the percentile keeps the bound.
    None,
}

impl Rules {
    /// Its words in files.
    pub const WORDS: [(&'static str, Rules); 2] =
        [("mlperf", Rules::Mlperf), ("none", Rules::None)];

    /// Its word in files and reports.
    pub fn word(self) -> &'static str {
        Self::WORDS[usize::from(self == Rules::None)].0
    }
}

/// How many queries are needed for `beyond` of them to lie beyond a percentile, in percent.
pub fn queries_for(beyond: u64, percentile: f64) -> u64 {
    // 100 - 99.9 is a little off 0.1: a millionth of a query does not ask for another.
    let needed = beyond as f64 * 100.0 / (100.0 - percentile);
    (needed - 1e-6).ceil().max(1.0) as u64
}

/// LoadGen's settings of one test.
#[derive(Clone, PartialEq, Debug)]
pub struct TestSettings {
    /// Rate of queries, per second; above 0. Offline makes 1.1 x rate x duration samples of it.
    pub target_qps: f64,
    /// Bound on latency at the percentile; Server only.
    pub target_latency: SimDuration,
    /// The percentile that must keep the bound, in percent, above 0 and below 100.
    pub percentile: f64,
    /// Queries are made at least this long.
    pub min_duration: SimDuration,
    /// At least this many queries are made.
    pub min_query_count: u64,
    /// Where `min_query_count` was chosen so that a given number of queries lies beyond the
    /// percentile: that number.
    pub queries_beyond: Option<u64>,
    /// The rules that apply.
    pub rules: Rules,
    /// The round, for seeds and, with MLPerf's rules, the verdict.
    pub round: Round,
}

impl TestSettings {
    /// Whether MLPerf's rules apply.
    pub fn is_of_mlperf(&self) -> bool {
        self.rules == Rules::Mlperf
    }

    /// Whether a run must also satisfy early stopping.
    pub fn early_stopping(&self) -> bool {
        self.is_of_mlperf() && self.round.early_stopping
    }
}

/// The load of one VM.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadSpec {
    /// The scenario.
    pub scenario: TestScenario,
    /// The arrival process of a Server scenario.
    pub arrivals: Arrivals,
    /// LoadGen's settings.
    pub settings: TestSettings,
}
