//! Floor 3: LoadGen: which queries arrive, when, and how large each is; and whether the run is
//! VALID.
//!
//! Arrivals that do not depend on the system are handed out ahead of time, one after the other;
//! none is an event. It measures nothing: the recorder does.

mod arrivals;
pub mod early_stopping;
mod lengths;
mod sizes;
mod verdict;

pub use arrivals::{ArrivalProcess, Bursty, Constant, Poisson, Varying};
pub use lengths::Lengths;
pub use sizes::Sizes;
pub use verdict::{
    EarlyStopping, Estimate, FailedRule, GOOD_ASKED, Observed, Rule, Verdict, goodput, verdict,
};

use crate::engine::{RandomStreams, Stream};
use crate::spec::{Arrivals, Queues, TestScenario, VmId, VmSpec};
use crate::units::{Share, SimDuration, SimTime};
use arrivals::Replay;
use rand::RngExt;
use rand_distr::{Distribution, Exp1};

/// One query of one sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Query {
    /// When it is scheduled to arrive: latency counts from here.
    pub due: SimTime,
    /// When its server receives it: at its due time, unless the thread that hands it over is late.
    pub seen: SimTime,
    /// Its work relative to the mean, above 0.
    pub size: f32,
    /// Its priority level at the server, counted from 0, the most urgent.
    pub level: u8,
    /// The step of the ensemble that the query has reached, counted from 0; 0 without an ensemble.
    pub step: u8,
    /// The VM that sent it; the load generator itself always writes 0.
    pub vm: VmId,
}

impl Query {
    /// When it came to its present step; for the first step this is the due time.
    pub fn came(&self) -> SimTime {
        if self.step == 0 { self.due } else { self.seen }
    }
}

/// No load makes more queries than this, whatever its settings: the bound on time, half an hour of one core
/// or so.
pub const QUERY_LIMIT: u64 = 4_000_000_000;

/// The load generator of one VM.
pub struct LoadGen {
    source: Source,
    sizes: Sizes,
    levels: Levels,
    /// Queries are due from here on.
    start: SimTime,
    /// None is due from here on.
    stop: SimTime,
    /// One would have been due too late, so there is none any more.
    is_over: bool,
    min_duration: SimDuration,
    /// So many samples are made at least.
    samples_min: u64,
    made: u64,
    /// Due time of the query made last.
    newest_due: SimTime,
}

/// Where the next query comes from.
enum Source {
    /// Each is due one gap after the one before it.
    Scheduled(Box<dyn ArrivalProcess>),
    /// As recorded.
    Replay(Replay),
    /// A query of `samples` samples, and the next when all of them are answered; `open` of them are
    /// not answered yet.
    Queries { samples: u64, open: u64 },
    /// All samples are due at the start, and come in this order; unsorted ones need no list.
    AtOnce { samples: u64, sizes: Option<Vec<f32>> },
    /// Each of these clients thinks, asks, waits for the answer, and thinks again.
    Clients { count: u64, think: Box<ThinkTime> },
}

impl LoadGen {
    /// The load of `vm`, for `span` at least. `schedule` is the seed of its arrivals where it does
    /// not come from the VM's own stream: the seed of the MLPerf round, to replay a published
    /// schedule.
    pub fn new(
        vm: &VmSpec,
        span: SimDuration,
        streams: &RandomStreams,
        schedule: Option<u64>,
    ) -> Self {
        let (load, settings) = (&vm.load, &vm.load.settings);
        let mut sizes =
            Sizes::new(vm.workload.sizes.value, streams.stream(&format!("sizes/{}", vm.name)));
        let source = match load.scenario {
            TestScenario::Server => match &load.arrivals {
                Arrivals::Trace(trace) => {
                    Source::Replay(Replay::new(trace.clone(), settings.target_qps))
                }
                _ => Source::Scheduled(arrivals::process(load, streams, schedule, &vm.name)),
            },
            TestScenario::MultiStream { samples } => {
                Source::Queries { samples: u64::from(samples), open: 0 }
            }
            TestScenario::Offline => {
                let of =
                    |span| offline_samples(settings.target_qps, span, settings.min_query_count);
                let samples = of(span).min(QUERY_LIMIT).max(of(settings.min_duration));
                // One call holds all samples: a guest that sorts its calls shows it here alone.
                Source::AtOnce {
                    samples,
                    sizes: vm.server.sort_samples.then(|| sizes.falling(samples)),
                }
            }
            TestScenario::SingleStream => {
                Source::Clients { count: 1, think: Box::new(ThinkTime::none()) }
            }
            TestScenario::ClosedLoop { clients, think_time } => {
                let stream = streams.stream(&format!("think/{}", vm.name));
                Source::Clients {
                    count: u64::from(clients),
                    think: Box::new(ThinkTime::new(think_time, stream)),
                }
            }
        };
        Self {
            source,
            sizes,
            levels: Levels::new(&vm.server.queues, streams.stream(&format!("levels/{}", vm.name))),
            start: vm.power_on,
            stop: vm.power_off.unwrap_or(SimTime::from_nanos(u64::MAX)),
            is_over: false,
            min_duration: span,
            samples_min: settings.min_query_count * u64::from(load.scenario.samples_per_query()),
            made: 0,
            newest_due: vm.power_on,
        }
    }

    /// Whether its queries are known ahead of time, all of them.
    pub fn is_scheduled(&self) -> bool {
        matches!(self.source, Source::Scheduled(_) | Source::AtOnce { .. })
    }

    /// Whether some of those who ask again once they are answered have not asked for the first time.
    pub fn is_beginning(&self) -> bool {
        match &self.source {
            Source::Queries { samples: all, .. } | Source::Clients { count: all, .. } => {
                self.made < *all && !self.is_over
            }
            _ => false,
        }
    }

    /// The next query that is known ahead of time, in order of due time; nothing when there is
    /// none, or when the next one waits for a completion.
    #[inline]
    pub fn next_scheduled(&mut self) -> Option<Query> {
        let wants_more = self.wants_more(self.newest_due);
        let (due, size) = match &mut self.source {
            Source::Scheduled(_) if self.made == 0 => (self.start, None),
            Source::Scheduled(arrivals) if wants_more => (self.newest_due + arrivals.gap(), None),
            Source::Replay(replay) => {
                let (at, size) = replay.arrival()?;
                (self.start + at, size)
            }
            Source::Queries { samples, open } if self.made < *samples => {
                *open += 1;
                (self.start, None)
            }
            Source::AtOnce { samples, sizes } if self.made < *samples => {
                (self.start, sizes.as_ref().map(|sizes| sizes[self.made as usize]))
            }
            Source::Clients { count, think } if self.made < *count => {
                (self.start + think.draw(), None)
            }
            _ => return None,
        };
        self.make(due, size)
    }

    /// `answers` samples were answered at `now`: the samples that follow from them are passed to
    /// `ask`.
    pub fn completed(&mut self, now: SimTime, answers: usize, mut ask: impl FnMut(Query)) {
        match &mut self.source {
            Source::Scheduled(_) | Source::Replay(_) | Source::AtOnce { .. } => {}
            Source::Clients { .. } => {
                for _ in 0..answers {
                    let Some(query) = self.client_asks(now) else { return };
                    ask(query);
                }
            }
            Source::Queries { samples, open } => {
                let samples = *samples;
                *open = open.saturating_sub(answers as u64);
                if *open == 0 && self.wants_more(now) {
                    self.next_query(now, samples, ask);
                }
            }
        }
    }

    /// The client who got an answer at `now` thinks, and asks again.
    fn client_asks(&mut self, now: SimTime) -> Option<Query> {
        let wants_more = self.wants_more(now);
        let Source::Clients { think, .. } = &mut self.source else { return None };
        if !wants_more {
            return None;
        }
        let due = now + think.draw();
        self.make(due, None)
    }

    /// All samples of the next query at once; none where not all may be made.
    fn next_query(&mut self, now: SimTime, samples: u64, mut ask: impl FnMut(Query)) {
        self.is_over |= self.made + samples > QUERY_LIMIT;
        for _ in 0..samples {
            let Some(query) = self.make(now, None) else { return };
            if let Source::Queries { open, .. } = &mut self.source {
                *open += 1;
            }
            ask(query);
        }
    }

    /// Number of samples made so far.
    pub fn made_count(&self) -> u64 {
        self.made
    }

    /// LoadGen's rule for making another query: the newest is due within the duration, or too few
    /// exist.
    fn wants_more(&self, newest: SimTime) -> bool {
        newest <= self.start + self.min_duration || self.made < self.samples_min
    }

    /// A query due at `due`, unless that is too late or there are too many.
    #[inline]
    fn make(&mut self, due: SimTime, size: Option<f32>) -> Option<Query> {
        self.is_over |= due >= self.stop || self.made == QUERY_LIMIT;
        if self.is_over {
            return None;
        }
        self.made += 1;
        self.newest_due = due;
        let size = size.unwrap_or_else(|| self.sizes.draw());
        Some(Query { due, seen: due, size, level: self.levels.draw(), step: 0, vm: VmId(0) })
    }
}

/// Which priority level each query asks for.
struct Levels {
    default: u8,
    /// The part of all queries up to each level; empty where all ask for the default.
    sums: Vec<f64>,
    stream: Stream,
}

impl Levels {
    fn new(queues: &Queues, stream: Stream) -> Self {
        let mut sum = 0.0;
        let add = |share: &Share| {
            sum += share.get();
            sum
        };
        let sums = queues.shares.iter().map(add).collect();
        Self { default: queues.default_level, sums, stream }
    }

    #[inline]
    fn draw(&mut self) -> u8 {
        let Some(last) = self.sums.len().checked_sub(1) else { return self.default };
        let drawn = self.stream.random::<f64>() * self.sums[last];
        self.sums.iter().position(|&sum| drawn < sum).unwrap_or(last) as u8
    }
}

/// How long a client thinks before it asks again.
struct ThinkTime {
    mean: SimDuration,
    stream: Option<Stream>,
}

impl ThinkTime {
    /// The next question follows at once.
    fn none() -> Self {
        Self { mean: SimDuration::ZERO, stream: None }
    }

    /// Exponential with this mean.
    fn new(mean: SimDuration, stream: Stream) -> Self {
        Self { mean, stream: (mean > SimDuration::ZERO).then_some(stream) }
    }

    fn draw(&mut self) -> SimDuration {
        let Some(stream) = &mut self.stream else { return SimDuration::ZERO };
        let relative: f64 = Exp1.sample(stream);
        self.mean.scale(relative)
    }
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
