//! What a VM that serves an LLM made of tokens, and when.
//!
//! Latencies of whole requests are in the `Recorder`.

use crate::queueing::stats::LatencyHistogram;
use crate::spec::TokenBounds;
use crate::units::{SimDuration, SimTime};

/// The record of the tokens of one VM.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    bounds: Option<TokenBounds>,
    /// Time to the first token of each request.
    pub ttft: LatencyHistogram,
    /// Mean time between the tokens of each request of two tokens or more.
    pub tpot: LatencyHistogram,
    /// Time between each token and the one before it of the same request.
    pub itl: LatencyHistogram,
    /// Tokens of the prompts of all requests that are answered.
    pub input_tokens: u64,
    /// Tokens that were made.
    pub output_tokens: u64,
    /// Tokens of the outputs of all requests that are answered: once all are, those that were made.
    pub answered_tokens: u64,
    /// Requests that kept both bounds; nothing where there are none.
    pub good: Option<u64>,
    /// Requests that were answered.
    pub requests: u64,
    /// How often a running request lost its blocks.
    pub preemptions: u64,
    /// Tokens that were computed again for it.
    pub recomputed_tokens: u64,
    /// Steps, and those among them that computed prompts.
    pub steps: u64,
    /// Steps that computed prompts.
    pub prompt_steps: u64,
    /// Requests cut to what fits into the longest context.
    pub cut: u64,
    /// Sequences that ran, times nanoseconds of steps.
    running: u128,
    /// Blocks that were taken, times nanoseconds of steps.
    taken: u128,
    /// Nanoseconds of steps.
    stepped: u128,
    /// The most sequences that ran in a step.
    pub running_most: u32,
    /// The most blocks that were taken in a step.
    pub blocks_most: u32,
    /// Nanoseconds that requests waited until they were admitted for the first time.
    waited: u128,
    /// Nanoseconds from the arrival of answered requests to their first tokens.
    started: u128,
    /// Nanoseconds from there to their last ones.
    decoded: u128,
    /// When the last token was made.
    pub last: SimTime,
}

impl TokenRecord {
    /// An empty record.
    pub fn new(bounds: Option<TokenBounds>) -> Self {
        let none = LatencyHistogram::new;
        Self {
            bounds,
            ttft: none(),
            tpot: none(),
            itl: none(),
            input_tokens: 0,
            output_tokens: 0,
            answered_tokens: 0,
            good: bounds.map(|_| 0),
            requests: 0,
            preemptions: 0,
            recomputed_tokens: 0,
            steps: 0,
            prompt_steps: 0,
            cut: 0,
            running: 0,
            taken: 0,
            stepped: 0,
            running_most: 0,
            blocks_most: 0,
            waited: 0,
            started: 0,
            decoded: 0,
            last: SimTime::ZERO,
        }
    }

    /// A request is admitted for the first time, `wait` after it arrived.
    pub fn admitted(&mut self, wait: SimDuration) {
        self.waited += u128::from(wait.as_nanos());
    }

    /// A step of so many sequences, with so many blocks taken, took `time`.
    pub fn step(&mut self, time: SimDuration, running: u32, blocks: u32, has_prompts: bool) {
        let nanos = u128::from(time.as_nanos());
        self.steps += 1;
        self.prompt_steps += u64::from(has_prompts);
        self.stepped += nanos;
        self.running += nanos * u128::from(running);
        self.taken += nanos * u128::from(blocks);
        self.running_most = self.running_most.max(running);
        self.blocks_most = self.blocks_most.max(blocks);
    }

    /// A request got its last token: it was due, had its first token and has had all, `output` of them.
    pub fn answered(
        &mut self,
        due: SimTime,
        first: SimTime,
        last: SimTime,
        (input, output): (u32, u32),
    ) {
        let ttft = first - due;
        let gaps = output.saturating_sub(1);
        let tpot = SimDuration::from_nanos((last - first).as_nanos() / u64::from(gaps.max(1)));
        if gaps > 0 {
            self.tpot.record(tpot);
        }
        self.requests += 1;
        self.input_tokens += u64::from(input);
        self.answered_tokens += u64::from(output);
        self.started += u128::from(ttft.as_nanos());
        self.decoded += u128::from((last - first).as_nanos());
        if let (Some(bounds), Some(good)) = (self.bounds, &mut self.good) {
            *good += u64::from(ttft <= bounds.ttft && tpot <= bounds.tpot);
        }
        self.last = self.last.max(last);
    }

    /// The bounds of goodput, where they are stated.
    pub fn bounds(&self) -> Option<TokenBounds> {
        self.bounds
    }

    /// Adds what another VM did with the same bounds: means over time are those of a VM.
    pub fn merge(&mut self, other: &Self) {
        self.ttft.merge(&other.ttft);
        self.tpot.merge(&other.tpot);
        self.itl.merge(&other.itl);
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.answered_tokens += other.answered_tokens;
        self.good = self.good.zip(other.good).map(|(own, other)| own + other);
        self.requests += other.requests;
        self.preemptions += other.preemptions;
        self.recomputed_tokens += other.recomputed_tokens;
        self.steps += other.steps;
        self.prompt_steps += other.prompt_steps;
        self.cut += other.cut;
        self.running += other.running;
        self.taken += other.taken;
        self.stepped += other.stepped;
        self.running_most = self.running_most.max(other.running_most);
        self.blocks_most = self.blocks_most.max(other.blocks_most);
        self.waited += other.waited;
        self.started += other.started;
        self.decoded += other.decoded;
        self.last = self.last.max(other.last);
    }

    /// Mean sequences that ran while steps did; 0 without steps.
    pub fn running_mean(&self) -> f64 {
        self.running as f64 / self.stepped.max(1) as f64
    }

    /// Mean blocks that were taken while steps ran; 0 without steps.
    pub fn blocks_mean(&self) -> f64 {
        self.taken as f64 / self.stepped.max(1) as f64
    }

    /// Mean time that a request waited until it was admitted; zero without requests.
    pub fn wait_mean(&self) -> SimDuration {
        self.mean(self.waited)
    }

    /// Mean time from the admission of a request to its first token; zero without requests.
    pub fn prompt_mean(&self) -> SimDuration {
        self.mean(self.started.saturating_sub(self.waited))
    }

    /// Mean time from the first token of a request to its last; zero without requests.
    pub fn decode_mean(&self) -> SimDuration {
        self.mean(self.decoded)
    }

    fn mean(&self, nanos: u128) -> SimDuration {
        SimDuration::from_nanos((nanos / u128::from(self.requests.max(1))) as u64)
    }

    /// Mean number of requests that waited until `end`: by Little's law their waits over the time.
    pub fn waiting_mean(&self, end: SimTime) -> f64 {
        self.waited as f64 / (end.as_nanos().max(1)) as f64
    }
}
