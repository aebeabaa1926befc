//! The load: which MLPerf scenario, at what rate, and when a run counts as valid.
//!
//! Words and rules are LoadGen's; the schedule itself is made in `loadgen`.

use crate::units::{Share, SimDuration};

/// MLPerf LoadGen's test scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestScenario {
    /// Poisson arrivals of one-sample queries, a bound on tail latency.
    Server,
    /// All samples at once; throughput.
    Offline,
    /// The next query when the last one is done; latency.
    SingleStream,
    /// Beyond LoadGen: clients that ask, wait for the answer, think, and ask again.
    ClosedLoop {
        /// How many, at least 1.
        clients: u32,
        /// Mean of the exponential time between answer and next question; zero for none.
        think_time: SimDuration,
    },
}

impl TestScenario {
    /// The words files use.
    pub const WORDS: [&'static str; 4] = ["server", "offline", "singlestream", "closed-loop"];

    /// The word files and reports use.
    pub fn word(self) -> &'static str {
        Self::WORDS[match self {
            TestScenario::Server => 0,
            TestScenario::Offline => 1,
            TestScenario::SingleStream => 2,
            TestScenario::ClosedLoop { .. } => 3,
        }]
    }
}

/// What arrives at a server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Arrivals {
    /// LoadGen's Server schedule, bit for bit.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Poisson with bursts: a two-state Markov-modulated Poisson process.
    Bursty(Bursts),
}

/// The bursts of an arrival process.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    /// Rate in a burst over the mean rate, from 1 to `1 / share`.
    pub peak: f64,
    /// Part of the time that is burst, above 0 and below 1.
    pub share: Share,
    /// Mean length of a burst, exponential, above 0.
    pub length: SimDuration,
    /// Whether all VMs with this setting burst together.
    pub in_step: bool,
}

impl Arrivals {
    /// Every arrival process: the word files use, and one line about it.
    pub const WORDS: [(&'static str, &'static str); 3] = [
        ("poisson", "LoadGen's Server schedule: exponential gaps, its own generator"),
        ("constant", "equal gaps of 1 / target_qps"),
        ("bursty", "Poisson at two rates: bursts and the time between them are exponential"),
    ];

    /// The word files and reports use.
    pub fn word(self) -> &'static str {
        let index = match self {
            Arrivals::Poisson => 0,
            Arrivals::Constant => 1,
            Arrivals::Bursty(_) => 2,
        };
        Self::WORDS[index].0
    }
}

/// An MLPerf Inference round and its LoadGen seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    /// Name, such as `v1.1`.
    pub name: &'static str,
    /// `schedule_rng_seed`, published before each round.
    pub schedule_seed: u64,
}

impl Round {
    /// The rounds known. Seeds from `mlperf.conf` of each round (mlcommons/inference).
    pub const ALL: [Round; 1] = [Round { name: "v1.1", schedule_seed: 10_051_496_985_653_635_065 }];
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
    /// The round, for seeds and verdict.
    pub round: Round,
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
