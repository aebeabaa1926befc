//! Floor 3: the recorder: the latencies of one VM's queries, and the time they spent in each stage.
//!
//! It is called when a batch enters each stage and when it is complete; it decides nothing.

mod over_time;
mod tokens;

pub use over_time::{OverTime, Stop, WindowRecord};
pub use tokens::TokenRecord;

use crate::loadgen::Query;
use crate::queueing::stats::LatencyHistogram;
use crate::units::{SimDuration, SimTime};

/// The stages of a sample's path, in order; each has its part of the latency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// From the scheduled arrival until the batch is formed.
    Batcher,
    /// Gathering and launching on the VM's vCPUs.
    Launch,
    /// The hypervisor's delay of one submission.
    Submission,
    /// Inputs over PCIe.
    CopyIn,
    /// Behind the batch that runs on the same stream.
    Stream,
    /// On the GPU.
    Gpu,
    /// Outputs over PCIe.
    CopyOut,
    /// Behind batches that were issued earlier.
    Order,
    /// Post-processing and reporting on the vCPUs.
    Finish,
}

impl Stage {
    /// All stages in the order of the path, with their names in reports.
    pub const ALL: [(Stage, &'static str); 9] = [
        (Stage::Batcher, "batcher"),
        (Stage::Launch, "launch"),
        (Stage::Submission, "submission"),
        (Stage::CopyIn, "copy in"),
        (Stage::Stream, "stream"),
        (Stage::Gpu, "gpu"),
        (Stage::CopyOut, "copy out"),
        (Stage::Order, "order"),
        (Stage::Finish, "finish"),
    ];
}

/// The record of one VM.
#[derive(Clone, Debug)]
pub struct Recorder {
    bound: SimDuration,
    latencies: LatencyHistogram,
    /// Of queries with several samples; nothing where a query is a sample.
    queries: Option<PerQuery>,
    over_latency: u64,
    rejected: u64,
    /// Queries that nobody answered: their VM was down, or went down.
    lost: u64,
    /// Of each priority level; empty where there is one.
    levels: Vec<LevelRecord>,
    batches: f64,
    /// Of each step of an ensemble; none for a model.
    steps: Vec<StepRecord>,
    last_due: SimTime,
    last_completion: SimTime,
    /// Time of all samples in each stage, in nanoseconds.
    stage_sums: [u128; Stage::ALL.len()],
    /// The same in windows of the run, where operations change it.
    over_time: Option<Box<OverTime>>,
    /// Every latency in order of completion, where a test asks for them.
    log: Option<Vec<(SimTime, SimDuration)>>,
}

/// The record of one priority level.
#[derive(Clone, Debug)]
pub struct LevelRecord {
    /// Latencies of its queries that were answered.
    pub latencies: LatencyHistogram,
    /// How many were rejected.
    pub rejected: u64,
}

/// The record of one step of an ensemble.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// From when each came to the step until it left it.
    pub latencies: LatencyHistogram,
    /// The time of all that left until their batches were formed, or a processor was free.
    queued: u128,
    batches: f64,
}

impl StepRecord {
    fn new() -> Self {
        Self { latencies: LatencyHistogram::new(), queued: 0, batches: 0.0 }
    }

    /// Mean time of a query in the queue, in nanoseconds.
    pub fn queue_mean(&self) -> f64 {
        self.queued as f64 / self.latencies.count().max(1) as f64
    }

    /// Mean number of the ensemble's queries in a batch of them alone; of a batch shared with
    /// queries of others only their part counts. Nothing where there are no batches.
    pub fn batch_mean(&self) -> Option<f64> {
        (self.batches > 0.0).then(|| self.latencies.count() as f64 / self.batches)
    }
}

/// Latencies of queries that come one after the other, each with so many samples.
#[derive(Clone, Debug)]
struct PerQuery {
    samples: u64,
    /// Samples of the present query that are answered.
    answered: u64,
    latencies: LatencyHistogram,
}

impl PerQuery {
    /// So many samples of a query due at `due` are answered at `now`.
    fn complete(&mut self, samples: usize, due: SimTime, now: SimTime) {
        self.answered += samples as u64;
        if self.answered >= self.samples {
            self.answered = 0;
            self.latencies.record(now - due);
        }
    }
}

impl Recorder {
    /// A recorder that counts latencies beyond `bound`. A query has `samples_per_query` samples:
    /// one, unless the next query comes after the answer to the last.
    pub fn new(bound: SimDuration, samples_per_query: u32) -> Self {
        let queries = (samples_per_query > 1).then(|| PerQuery {
            samples: u64::from(samples_per_query),
            answered: 0,
            latencies: LatencyHistogram::new(),
        });
        Self {
            bound,
            queries,
            latencies: LatencyHistogram::new(),
            over_latency: 0,
            rejected: 0,
            lost: 0,
            levels: Vec::new(),
            batches: 0.0,
            steps: Vec::new(),
            last_due: SimTime::ZERO,
            last_completion: SimTime::ZERO,
            stage_sums: [0; Stage::ALL.len()],
            over_time: None,
            log: None,
        }
    }

    /// Also records the latencies of each of `levels` priority levels, if there are several.
    pub fn with_levels(mut self, levels: usize) -> Self {
        if levels > 1 {
            let none = LevelRecord { latencies: LatencyHistogram::new(), rejected: 0 };
            self.levels = vec![none; levels];
        }
        self
    }

    /// Also records what happens in windows of this length.
    pub fn with_windows(mut self, window: SimDuration) -> Self {
        self.over_time = Some(Box::new(OverTime::new(window, self.bound)));
        self
    }

    /// Also records each of `steps` steps.
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = vec![StepRecord::new(); steps];
        self
    }

    /// In a step, a query waits `wait` for a processor and uses it for `time`; both count as the
    /// launch stage.
    pub fn on_processors(&mut self, step: usize, wait: SimDuration, time: SimDuration) {
        let record = &mut self.steps[step];
        record.queued += u128::from(wait.as_nanos());
        record.latencies.record(wait + time);
        self.stage(Stage::Launch, 1, wait + time);
    }

    /// These queries of an ensemble left the model of their step at `now`.
    pub fn left_step(&mut self, queries: &[Query], now: SimTime) {
        for query in queries {
            self.steps[usize::from(query.step)].latencies.record(now - query.came());
        }
    }

    /// These queries were rejected: they have no latency and count as over the bound.
    pub fn reject(&mut self, queries: &[Query]) {
        self.rejected += queries.len() as u64;
        for query in queries {
            self.last_due = self.last_due.max(query.due);
            if let Some(level) = self.levels.get_mut(usize::from(query.level)) {
                level.rejected += 1;
            }
        }
        if let Some(over_time) = &mut self.over_time {
            queries.iter().for_each(|query| over_time.reject(query.due));
        }
    }

    /// Nobody answers these queries: they have no latency and count as over the bound.
    pub fn lose(&mut self, queries: &[Query]) {
        self.lost += queries.len() as u64;
        for query in queries {
            self.last_due = self.last_due.max(query.due);
            if let Some(over_time) = &mut self.over_time {
                over_time.lose(query.due);
            }
        }
    }

    /// Its VM did not serve from `from` to `to`, which is now, and lost so many queries.
    pub fn stopped(&mut self, from: SimTime, to: SimTime, lost: u64) {
        if let Some(over_time) = &mut self.over_time {
            over_time.stop(from, to, lost);
        }
    }

    /// Keeps every query's due time and latency from now on: much memory, for tests.
    pub fn keep_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// Each of `samples` samples spent `span` in `stage`.
    fn stage(&mut self, stage: Stage, samples: usize, span: SimDuration) {
        self.stage_sums[stage as usize] += samples as u128 * u128::from(span.as_nanos());
    }

    /// Each of `samples` samples of a batch that is complete spent these times in the stages.
    pub fn stages(&mut self, samples: usize, spans: &[SimDuration; Stage::ALL.len()]) {
        for (sum, span) in self.stage_sums.iter_mut().zip(spans) {
            *sum += samples as u128 * u128::from(span.as_nanos());
        }
    }

    /// A batch of `of` samples was formed at `now`, these `queries` among them.
    pub fn formed(&mut self, queries: &[Query], of: usize, now: SimTime) {
        let batches = queries.len() as f64 / of as f64;
        self.batches += batches;
        let waited: u128 =
            queries.iter().map(|query| u128::from((now - query.came()).as_nanos())).sum();
        self.stage_sums[Stage::Batcher as usize] += waited;
        if let Some(step) =
            queries.first().and_then(|query| self.steps.get_mut(usize::from(query.step)))
        {
            step.queued += waited;
            step.batches += batches;
        }
    }

    /// A batch of `queries` is complete at `now`.
    pub fn complete(&mut self, queries: &[Query], now: SimTime) {
        for query in queries {
            let latency = now - query.due;
            self.latencies.record(latency);
            if let Some(level) = self.levels.get_mut(usize::from(query.level)) {
                level.latencies.record(latency);
            }
            self.over_latency += u64::from(latency > self.bound);
            self.last_due = self.last_due.max(query.due);
            if let Some(log) = &mut self.log {
                log.push((query.due, latency));
            }
        }
        if let Some(over_time) = &mut self.over_time {
            queries.iter().for_each(|query| over_time.answer(query.due, now));
        }
        self.last_completion = self.last_completion.max(now);
        if let (Some(of_queries), Some(first)) = (&mut self.queries, queries.first()) {
            of_queries.complete(queries.len(), first.due, now);
        }
    }

    /// Latencies of queries: of all their samples, from the due time to the last answer.
    pub fn query_latencies(&self) -> &LatencyHistogram {
        self.queries.as_ref().map_or(&self.latencies, |queries| &queries.latencies)
    }

    /// Latencies of all samples.
    pub fn latencies(&self) -> &LatencyHistogram {
        &self.latencies
    }

    /// How many latencies exceed the bound.
    pub fn over_latency(&self) -> u64 {
        self.over_latency
    }

    /// How many queries were rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// How many queries nobody answered, since their VM was down.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many queries have no answer, and so are over any bound: rejected or lost.
    pub fn unanswered(&self) -> u64 {
        self.rejected + self.lost
    }

    /// How many samples were answered or rejected, or lost.
    pub fn answered(&self) -> u64 {
        self.latencies.count() + self.rejected + self.lost
    }

    /// The part of all queries, 0 to 1, that were not answered within the bound: late, rejected or lost.
    pub fn late_share(&self) -> f64 {
        (self.over_latency + self.unanswered()) as f64 / self.answered().max(1) as f64
    }

    /// The latency that the part `quantile` of all queries do not exceed, those without an answer being
    /// the latest of all; nothing where it falls on one of these, and where nothing was answered.
    pub fn quantile_of_all(&self, quantile: f64) -> Option<SimDuration> {
        let latencies = self.query_latencies();
        if self.unanswered() == 0 {
            return latencies.quantile(quantile);
        }
        let answered = latencies.count() as f64;
        let of_answered = quantile * (answered + self.unanswered() as f64) / answered.max(1.0);
        (of_answered < 1.0).then(|| latencies.quantile(of_answered))?
    }

    /// What happened in windows of the run, where that was asked.
    pub fn over_time(&self) -> Option<&OverTime> {
        self.over_time.as_deref()
    }

    /// The record of each priority level, the most urgent first; empty where there is only one.
    pub fn levels(&self) -> &[LevelRecord] {
        &self.levels
    }

    /// The record of each step of an ensemble; empty for a model.
    pub fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    /// How many batches were formed; a batch shared with queries of others counts in part.
    pub fn batches(&self) -> f64 {
        self.batches
    }

    /// The latest due time of a query that was answered or rejected.
    pub fn last_due(&self) -> SimTime {
        self.last_due
    }

    /// When the last batch completed.
    pub fn last_completion(&self) -> SimTime {
        self.last_completion
    }

    /// Mean time of a sample in `stage`, in nanoseconds; zero when nothing completed.
    pub fn stage_mean(&self, stage: Stage) -> f64 {
        self.stage_sums[stage as usize] as f64 / self.latencies.count().max(1) as f64
    }

    /// Due time and latency of every query in order of completion, if they were kept.
    pub fn log(&self) -> Option<&[(SimTime, SimDuration)]> {
        self.log.as_deref()
    }
}
