//! Floor 3: LoadGen: who asks, when, and how large each query is; and whether the run counts.
//!
//! Arrivals that do not depend on the system are handed out ahead of time, one after the other;
//! none is an event. It measures nothing: latencies are the recorder's.

mod arrivals;
mod sizes;
mod verdict;

pub use arrivals::{ArrivalProcess, Constant, Poisson};
pub use verdict::{Observed, failed_rules};

use crate::engine::RandomStreams;
use crate::spec::{LoadSpec, SizeDistribution, TestScenario};
use crate::units::{SimDuration, SimTime};
use sizes::Sizes;

/// One query of one sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Query {
    /// When it is scheduled to arrive: latency counts from here.
    pub due: SimTime,
    /// Its work relative to the mean, above 0.
    pub size: f32,
}

/// No run makes more queries than this, whatever its settings: the bound on time and memory.
pub const QUERY_LIMIT: u64 = 50_000_000;

/// The load generator of one VM.
pub struct LoadGen {
    source: Source,
    sizes: Sizes,
    min_duration: SimDuration,
    min_query_count: u64,
    made: u64,
    /// Due time of the query made last.
    newest_due: SimTime,
}

/// Where the next query comes from.
enum Source {
    /// A gap after the newest.
    Scheduled(Box<dyn ArrivalProcess>),
    /// All samples are due at the start, and come in this order; fixed sizes need no list.
    AtOnce { samples: u64, sizes: Option<Vec<f32>> },
    /// The next one is due when the last one is done.
    OnCompletion,
}

impl LoadGen {
    /// The load of the VM called `vm`.
    ///
    /// `schedule` is the seed of the arrivals, when it is not to come from the VM's own stream:
    /// the round's, to replay a published schedule. `sort` says that the guest sorts the samples of
    /// one call by falling size, which shows in Offline alone: there one call holds all of them.
    pub fn new(
        load: &LoadSpec,
        sizes: SizeDistribution,
        sort: bool,
        streams: &RandomStreams,
        schedule: Option<u64>,
        vm: &str,
    ) -> Self {
        let settings = &load.settings;
        let schedule = schedule.unwrap_or_else(|| streams.seed_of(&format!("arrivals/{vm}")));
        let mut sizes = Sizes::new(sizes, streams.stream(&format!("sizes/{vm}")));
        let source = match load.scenario {
            TestScenario::Server => Source::Scheduled(arrivals::process(load, schedule)),
            TestScenario::Offline => {
                let samples = offline_samples(
                    settings.target_qps,
                    settings.min_duration,
                    settings.min_query_count,
                );
                Source::AtOnce { samples, sizes: sort.then(|| sizes.falling(samples)) }
            }
            TestScenario::SingleStream => Source::OnCompletion,
        };
        let (min_duration, min_query_count) = (settings.min_duration, settings.min_query_count);
        Self { source, sizes, min_duration, min_query_count, made: 0, newest_due: SimTime::ZERO }
    }

    /// The next query that is known ahead of time, in order of due time; nothing when there is
    /// none, or when the next one waits for a completion.
    pub fn next_scheduled(&mut self) -> Option<Query> {
        if self.made == QUERY_LIMIT {
            return None;
        }
        let (due, size) = match &mut self.source {
            Source::Scheduled(_)
                if self.made > 0
                    && !wants_more(
                        self.newest_due,
                        self.made,
                        self.min_duration,
                        self.min_query_count,
                    ) =>
            {
                return None;
            }
            Source::Scheduled(_) if self.made == 0 => (SimTime::ZERO, self.sizes.draw()),
            Source::Scheduled(arrivals) => (self.newest_due + arrivals.gap(), self.sizes.draw()),
            Source::AtOnce { samples, .. } if self.made == *samples => return None,
            Source::AtOnce { sizes: Some(sizes), .. } => (SimTime::ZERO, sizes[self.made as usize]),
            Source::AtOnce { sizes: None, .. } => (SimTime::ZERO, self.sizes.draw()),
            Source::OnCompletion if self.made > 0 => return None,
            Source::OnCompletion => (SimTime::ZERO, self.sizes.draw()),
        };
        Some(self.made(due, size))
    }

    /// The query that the completion of the last one at `now` brings about, if any.
    pub fn completed(&mut self, now: SimTime) -> Option<Query> {
        let more = wants_more(now, self.made, self.min_duration, self.min_query_count)
            && self.made < QUERY_LIMIT;
        if !matches!(self.source, Source::OnCompletion) || !more {
            return None;
        }
        let size = self.sizes.draw();
        Some(self.made(now, size))
    }

    /// Queries made so far.
    pub fn made_count(&self) -> u64 {
        self.made
    }

    /// Due time of the query made last.
    pub fn newest_due(&self) -> SimTime {
        self.newest_due
    }

    fn made(&mut self, due: SimTime, size: f32) -> Query {
        self.made += 1;
        self.newest_due = due;
        Query { due, size }
    }
}

/// LoadGen's rule for making another query: the newest is due within the duration, or too few exist.
fn wants_more(newest: SimTime, made: u64, min_duration: SimDuration, min_query_count: u64) -> bool {
    newest <= SimTime::ZERO + min_duration || made < min_query_count
}

/// Samples of the one Offline query: LoadGen asks for a tenth more than the expected rate needs to
/// fill the duration, so that a slightly faster system still runs long enough.
pub fn offline_samples(target_qps: f64, min_duration: SimDuration, min_query_count: u64) -> u64 {
    const SLACK: f64 = 1.1;
    ((target_qps * SLACK * min_duration.as_secs_f64()).round() as u64).max(min_query_count).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Arrivals, Round, TestSettings};

    /// `generated_query_count` and `generated_query_duration` (one gap past the last query) as the
    /// detail logs of the six R7525 Server runs of MLPerf Inference v1.1 print them.
    #[test]
    fn the_six_published_schedules_are_exact() {
        for (target_qps, count, duration) in [
            (7870.0, 4_723_166, 600_000_179_965),
            (7800.0, 4_680_920, 600_000_049_157),
            (3812.0, 2_288_966, 600_000_339_103),
            (3600.0, 2_161_270, 600_000_288_523),
            (2389.0, 1_434_035, 600_000_614_578),
            (2310.0, 1_386_234, 600_000_535_611),
        ] {
            let round = Round::ALL[0];
            let settings = TestSettings {
                target_qps,
                target_latency: SimDuration::from_millis(130),
                percentile: 99.0,
                min_duration: SimDuration::from_secs(600),
                min_query_count: 270_336,
                round,
            };
            let load =
                LoadSpec { scenario: TestScenario::Server, arrivals: Arrivals::Poisson, settings };
            let streams = RandomStreams::new(0, 0);
            let mut loadgen = LoadGen::new(
                &load,
                SizeDistribution::Fixed,
                false,
                &streams,
                Some(round.schedule_seed),
                "vm",
            );
            let mut dues = std::iter::from_fn(|| loadgen.next_scheduled()).map(|query| query.due);
            assert_eq!(dues.next(), Some(SimTime::ZERO));
            assert_eq!(dues.count() as u64 + 1, count, "at {target_qps} queries per second");
            let Source::Scheduled(arrivals) = &mut loadgen.source else { unreachable!() };
            let past = loadgen.newest_due + arrivals.gap();
            assert_eq!(past.as_nanos(), duration, "at {target_qps} queries per second");
        }
    }

    #[test]
    fn offline_sample_counts_are_the_published_ones() {
        // samples_per_query of the R7525 Offline runs of MLPerf Inference v1.1, by target_qps.
        for (target_qps, samples) in [
            (10_200.0, 6_732_000),
            (5_250.0, 3_465_000),
            (4_206.0, 2_775_960),
            (2_880.0, 1_900_800),
        ] {
            assert_eq!(offline_samples(target_qps, SimDuration::from_secs(600), 1), samples);
        }
    }
}
