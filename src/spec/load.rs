//! The load: which MLPerf scenario, at what rate, and when a run counts as valid.
//!
//! Words and rules are LoadGen's; the schedule itself is made in `loadgen`.

use crate::units::SimDuration;

/// MLPerf LoadGen's test scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestScenario {
    /// Poisson arrivals of one-sample queries, a bound on tail latency.
    Server,
    /// All samples at once; throughput.
    Offline,
    /// The next query when the last one is done; latency.
    SingleStream,
}

impl TestScenario {
    /// Every scenario with the word files use.
    pub const ALL: [(&'static str, TestScenario); 3] = [
        ("server", TestScenario::Server),
        ("offline", TestScenario::Offline),
        ("singlestream", TestScenario::SingleStream),
    ];

    /// The word files and reports use.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, scenario)| *scenario == self)
            .expect("ALL lists every scenario")
            .0
    }
}

/// What arrives at a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// LoadGen's Server schedule, bit for bit.
    Poisson,
    /// Equal gaps.
    Constant,
}

impl Arrivals {
    /// Every arrival process with the word files use and one line about it.
    pub const ALL: [(&'static str, Arrivals, &'static str); 2] = [
        (
            "poisson",
            Arrivals::Poisson,
            "LoadGen's Server schedule: exponential gaps, its own generator",
        ),
        ("constant", Arrivals::Constant, "equal gaps of 1 / target_qps"),
    ];
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
