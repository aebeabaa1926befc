//! The figures of a VM that serves an LLM: times of tokens, tokens per second, goodput, and its engine.

use super::figures::{LatencyMs, latency_ms};
use super::interval::{Interval, student_95};
use crate::loadgen::GOOD_ASKED;
use crate::platform::{Outcome, VmOutcome};
use crate::queueing::stats::LatencyHistogram;
use crate::record::TokenRecord;
use crate::spec::VmSpec;
use crate::units::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// What was made of tokens by one VM, or in a sweep by a group of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TokenResult {
    /// Time to the first token of each request, from its arrival, in milliseconds.
    pub ttft_ms: LatencyMs,
    /// Mean time between the tokens of each request of two tokens or more, in milliseconds; nothing where
    /// no request has two.
    pub tpot_ms: Option<LatencyMs>,
    /// Requests that it is of.
    pub tpot_requests: u64,
    /// Time between each token and the one before it, in milliseconds.
    pub itl_ms: Option<LatencyMs>,
    /// Tokens that it is of.
    pub itl_tokens: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens that were made.
    pub output_tokens: u64,
    /// Tokens made per second, until the last one; of a group all together.
    pub output_tokens_per_s: f64,
    /// The same with those of prompts.
    pub total_tokens_per_s: f64,
    /// How many requests kept the bounds; nothing where none are stated.
    pub goodput: Option<Goodput>,
    /// Mean time of a request until it is admitted, in milliseconds. This and the next two make up its
    /// latency.
    pub wait_mean_ms: f64,
    /// Mean time from there until its first token.
    pub prompt_mean_ms: f64,
    /// Mean time from there until its last token; time in which it is preempted is in it.
    pub decode_mean_ms: f64,
    /// Mean requests that waited to be admitted; of a VM.
    pub waiting_mean: f64,
    /// Mean requests that ran while the engine worked; of a VM.
    pub running_mean: f64,
    /// The most that ran in a step.
    pub running_most: u32,
    /// Blocks of keys and values in memory; of a VM.
    pub kv_blocks: u32,
    /// Mean part of them that was taken while the engine worked, 0 to 1.
    pub kv_share_mean: f64,
    /// The greatest part that was taken in a step, 0 to 1.
    pub kv_share_most: f64,
    /// How often a running request lost its blocks and was computed again.
    pub preemptions: u64,
    /// Tokens that were computed again for it.
    pub recomputed_tokens: u64,
    /// Steps of the engine.
    pub steps: u64,
    /// Steps that computed prompts.
    pub prompt_steps: u64,
    /// Requests that were cut to the longest context.
    pub cut_requests: u64,
}

/// How many requests kept the bounds of their tokens.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Goodput {
    /// The bound of the time to the first token, in milliseconds.
    pub ttft_ms: f64,
    /// The bound of the mean time between tokens, in milliseconds.
    pub tpot_ms: f64,
    /// Requests that kept both.
    pub requests: u64,
    /// Their part of all requests, those without an answer among them; 0 to 1.
    pub share: f64,
    /// Their rate, per second; of a group all together.
    pub requests_per_s: f64,
    /// The part that must keep both, so that the run is VALID.
    pub asked_share: f64,
}

impl Goodput {
    /// The part that misses a bound, over the part that may: above 1 it is INVALID.
    pub fn nearness(&self) -> f64 {
        (1.0 - self.share) / (1.0 - self.asked_share)
    }
}

impl TokenResult {
    /// A percentile of TTFT or TPOT by its name, as tables and ratios have them: `ttft_p99`.
    pub fn get(&self, name: &str) -> Option<f64> {
        let (of, percentile) = name.split_once('_')?;
        match of {
            "ttft" => self.ttft_ms.get(percentile),
            "tpot" => self.tpot_ms?.get(percentile),
            "itl" => self.itl_ms?.get(percentile),
            _ => None,
        }
    }

    /// The parts of a request's time with their means in milliseconds, in their order.
    pub fn parts_ms(&self) -> [(&'static str, f64); 3] {
        [
            ("wait", self.wait_mean_ms),
            ("prompt", self.prompt_mean_ms),
            ("decode", self.decode_mean_ms),
        ]
    }

    /// Mean time of a request, in milliseconds: the sum of its parts.
    pub fn latency_mean_ms(&self) -> f64 {
        self.parts_ms().iter().map(|(_, ms)| ms).sum()
    }

    /// Of VMs that are alike, all together; nothing where they serve no LLM.
    pub(super) fn of(members: &[(&VmSpec, &VmOutcome)]) -> Option<Self> {
        let parts = members.iter().filter_map(|(vm, found)| {
            let record = found.tokens.as_deref()?;
            let span = record.last.saturating_since(vm.power_on);
            Some((record, span, found.recorder.unanswered()))
        });
        let blocks = members.iter().find_map(|(vm, _)| Some(vm.llm.as_ref()?.engine.blocks));
        Self::of_parts(&parts.collect::<Vec<_>>(), blocks.unwrap_or(0))
    }

    /// Of the records of VMs, with the time until the last token of each and its requests without an
    /// answer.
    fn of_parts(parts: &[(&TokenRecord, SimDuration, u64)], kv_blocks: u32) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut record = first.0.clone();
        rest.iter().for_each(|(other, ..)| record.merge(other));
        let per_s = |count: &dyn Fn(&TokenRecord) -> u64| {
            parts.iter().map(|(of, span, _)| rate(count(of), *span)).sum::<f64>()
        };
        let asked = record.requests + parts.iter().map(|(.., unanswered)| unanswered).sum::<u64>();
        let goodput = record.bounds().zip(record.good).map(|(bounds, good)| Goodput {
            ttft_ms: bounds.ttft.as_millis_f64(),
            tpot_ms: bounds.tpot.as_millis_f64(),
            requests: good,
            share: good as f64 / asked.max(1) as f64,
            requests_per_s: per_s(&|of| of.good.unwrap_or(0)),
            asked_share: GOOD_ASKED,
        });
        let all: u64 = parts.iter().map(|(_, span, _)| span.as_nanos()).sum();
        Some(Self {
            output_tokens_per_s: per_s(&|of| of.output_tokens),
            total_tokens_per_s: per_s(&|of| of.output_tokens + of.input_tokens),
            goodput,
            waiting_mean: record.waiting_mean(SimTime::from_nanos(all)),
            ..Self::of_record(&record, kv_blocks)
        })
    }

    /// The figures that need no other time than the record's own.
    fn of_record(record: &TokenRecord, kv_blocks: u32) -> Self {
        let some = |of: &LatencyHistogram| (of.count() > 0).then(|| latency_ms(of));
        let share = |blocks: f64| blocks / f64::from(kv_blocks.max(1));
        Self {
            ttft_ms: latency_ms(&record.ttft),
            tpot_ms: some(&record.tpot),
            tpot_requests: record.tpot.count(),
            itl_ms: some(&record.itl),
            itl_tokens: record.itl.count(),
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            output_tokens_per_s: 0.0,
            total_tokens_per_s: 0.0,
            goodput: None,
            wait_mean_ms: record.wait_mean().as_millis_f64(),
            prompt_mean_ms: record.prompt_mean().as_millis_f64(),
            decode_mean_ms: record.decode_mean().as_millis_f64(),
            waiting_mean: 0.0,
            running_mean: record.running_mean(),
            running_most: record.running_most,
            kv_blocks,
            kv_share_mean: share(record.blocks_mean()),
            kv_share_most: share(f64::from(record.blocks_most)),
            preemptions: record.preemptions,
            recomputed_tokens: record.recomputed_tokens,
            steps: record.steps,
            prompt_steps: record.prompt_steps,
            cut_requests: record.cut,
        }
    }

    /// Every figure that is no count.
    pub(super) fn figures(&self) -> impl Iterator<Item = f64> {
        let times = [Some(self.ttft_ms), self.tpot_ms, self.itl_ms].into_iter().flatten();
        let times = times.flat_map(|ms| LatencyMs::NAMES.map(|name| ms.get(name).unwrap_or(0.0)));
        let good = self.goodput.map(|good| [good.share, good.requests_per_s]);
        let others = [
            self.output_tokens_per_s,
            self.total_tokens_per_s,
            self.wait_mean_ms,
            self.prompt_mean_ms,
            self.decode_mean_ms,
            self.waiting_mean,
            self.running_mean,
            self.kv_share_mean,
            self.kv_share_most,
        ];
        times.chain(others).chain(good.into_iter().flatten())
    }
}

fn rate(count: u64, span: SimDuration) -> f64 {
    if span == SimDuration::ZERO { 0.0 } else { count as f64 / span.as_secs_f64() }
}

/// The figures of tokens that are compared between two sides and over replications.
pub const COMPARED: [&str; 4] = ["ttft_p50", "ttft_p99", "tpot_p50", "tpot_p99"];

/// Figures of tokens over several runs: means with their intervals, or ratios of two sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenIntervals {
    /// Tokens made per second.
    pub output_tokens_per_s: Interval,
    /// Times of tokens, by the names of [`COMPARED`].
    pub times: std::collections::BTreeMap<&'static str, Interval>,
}

/// A figure of a VM's tokens.
type FigureOf<'f> = &'f dyn Fn(&TokenResult) -> Option<f64>;

impl TokenIntervals {
    /// Those of a VM over several outcomes of the same run, in milliseconds and per second.
    pub(super) fn over(vm: &VmSpec, index: usize, outcomes: &[&Outcome]) -> Option<Self> {
        let all = each(vm, index, outcomes)?;
        Self::of(&|figure| all.iter().filter_map(figure).collect())
    }

    /// The ratios of a VM to its counterfactual, outcome by outcome.
    pub(super) fn ratios(
        vm: &VmSpec,
        index: usize,
        sides: (&[&Outcome], &[&Outcome]),
    ) -> Option<Self> {
        let (own, bare) = (each(vm, index, sides.0)?, each(vm, index, sides.1)?);
        Self::of(&|figure| {
            let pairs =
                own.iter().zip(&bare).filter_map(|(own, bare)| figure(own).zip(figure(bare)));
            pairs.map(|(own, bare)| own / bare).filter(|ratio| ratio.is_finite()).collect()
        })
    }

    fn of(values: &dyn Fn(FigureOf<'_>) -> Vec<f64>) -> Option<Self> {
        let times = COMPARED.into_iter().filter_map(|name| {
            Some((name, student_95(&values(&|of: &TokenResult| of.get(name)))?))
        });
        Some(Self {
            output_tokens_per_s: student_95(&values(&|of: &TokenResult| {
                Some(of.output_tokens_per_s)
            }))?,
            times: times.collect(),
        })
    }
}

/// The tokens of a group over replications: means with their intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSummary {
    /// Tokens made per second, and times by the names of [`COMPARED`], in milliseconds.
    pub figures: TokenIntervals,
    /// The part of the requests within both bounds, 0 to 1; nothing where none are stated.
    pub good_share: Option<Interval>,
    /// The mean part of the blocks of keys and values that was taken, 0 to 1.
    pub kv_share_mean: Interval,
    /// The greatest part.
    pub kv_share_most: Interval,
    /// How often running requests lost their blocks.
    pub preemptions: Interval,
}

impl TokenSummary {
    /// Of every replication; nothing where none serves an LLM.
    pub(super) fn of(all: &[TokenResult]) -> Option<Self> {
        let over =
            |figure: FigureOf<'_>| student_95(&all.iter().filter_map(figure).collect::<Vec<_>>());
        Some(Self {
            figures: TokenIntervals::of(&|figure| all.iter().filter_map(figure).collect())?,
            good_share: over(&|of| Some(of.goodput?.share)),
            kv_share_mean: over(&|of| Some(of.kv_share_mean))?,
            kv_share_most: over(&|of| Some(of.kv_share_most))?,
            preemptions: over(&|of| Some(of.preemptions as f64))?,
        })
    }
}

fn each(vm: &VmSpec, index: usize, outcomes: &[&Outcome]) -> Option<Vec<TokenResult>> {
    outcomes.iter().map(|outcome| TokenResult::of(&[(vm, &outcome.vms[index])])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::TokenBounds;

    fn ms(ms: u64) -> SimDuration {
        SimDuration::from_millis(ms)
    }

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + ms(millis)
    }

    /// Three requests of an engine, written down as the engine does: arrival, admission, first token, time
    /// between tokens, prompt, output; all in ms.
    fn record() -> TokenRecord {
        let bounds = TokenBounds { ttft: ms(150), tpot: ms(20) };
        let mut record = TokenRecord::new(Some(bounds));
        let requests =
            [(0, 0, 100, 10, 200, 5), (50, 60, 200, 20, 100, 3), (100, 400, 500, 10, 50, 1)];
        for (due, admitted, first, gap, input, output) in requests {
            record.admitted(ms(admitted - due));
            record.ttft.record(ms(first - due));
            record.itl.record_n(ms(gap), output - 1);
            record.output_tokens += output;
            let last = at(first + gap * (output - 1));
            record.answered(at(due), at(first), last, (input, output as u32));
        }
        record.step(ms(100), 2, 50, true);
        record.step(ms(300), 1, 10, false);
        record
    }

    #[test]
    fn every_token_that_was_made_is_of_an_answered_request() {
        let record = record();
        assert_eq!((record.output_tokens, record.answered_tokens), (9, 5 + 3 + 1));
        // A token is the first of its request or has one before it.
        assert_eq!(record.ttft.count() + record.itl.count(), record.output_tokens);
    }

    #[test]
    fn figures_are_those_of_the_record() {
        let found = TokenResult::of_parts(&[(&record(), ms(500), 1)], 200).unwrap();
        // TTFT 100, 150, 400 ms; TPOT 10, 20 ms, the last request having one token.
        assert_eq!((found.ttft_ms.max, found.ttft_ms.min), (400.0, 100.0));
        let tpot = found.tpot_ms.unwrap();
        assert_eq!((tpot.min, tpot.max, found.tpot_requests), (10.0, 20.0, 2));
        assert_eq!(found.itl_tokens, 6);
        // 9 and 9 + 350 tokens in half a second.
        assert_eq!((found.output_tokens_per_s, found.total_tokens_per_s), (18.0, 718.0));
        // The first two of four requests that were asked; one was never answered.
        let good = found.goodput.unwrap();
        assert_eq!((good.requests, good.share, good.requests_per_s), (2, 0.5, 4.0));
        // Half miss the bounds, of which a hundredth may.
        assert!((good.nearness() - 50.0).abs() < 1e-9, "{}", good.nearness());
        // Waits of 0, 10 and 300 ms; by Little's law 310 ms in 500 ms.
        assert_eq!(found.waiting_mean, 0.62);
        // Latencies of 140, 190 and 400 ms.
        assert!(
            (found.latency_mean_ms() - 730.0 / 3.0).abs() < 1e-5,
            "{}",
            found.latency_mean_ms()
        );
        // (2 x 100 + 1 x 300) / 400, and (50 x 100 + 10 x 300) / 400 of 200 blocks.
        assert_eq!((found.running_mean, found.kv_share_mean), (1.25, 0.1));
        assert_eq!((found.running_most, found.kv_share_most), (2, 0.25));
        assert_eq!((found.steps, found.prompt_steps), (2, 1));
        assert!(found.figures().all(f64::is_finite));
    }

    #[test]
    fn a_group_has_the_rates_of_all_and_the_means_of_one() {
        let (one, two) = (record(), record());
        let alone = TokenResult::of_parts(&[(&one, ms(500), 0)], 200).unwrap();
        let both = TokenResult::of_parts(&[(&one, ms(500), 0), (&two, ms(500), 0)], 200).unwrap();
        assert_eq!(both.output_tokens_per_s, 2.0 * alone.output_tokens_per_s);
        assert_eq!(both.goodput.unwrap().share, alone.goodput.unwrap().share);
        assert_eq!(both.ttft_ms, alone.ttft_ms);
        let means = |of: &TokenResult| (of.waiting_mean, of.running_mean, of.kv_share_mean);
        assert_eq!(means(&both), means(&alone));
        assert_eq!((both.steps, both.output_tokens), (4, 18));
    }

    #[test]
    fn an_engine_that_answers_nothing_has_no_rate() {
        let none = TokenRecord::new(None);
        let found = TokenResult::of_parts(&[(&none, SimDuration::ZERO, 0)], 0).unwrap();
        assert_eq!((found.output_tokens_per_s, found.tpot_ms, found.goodput), (0.0, None, None));
        assert!(found.figures().all(f64::is_finite));
    }
}
