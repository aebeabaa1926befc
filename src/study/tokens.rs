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

    /// Mean time of a request, in milliseconds: the sum of its parts.
    pub fn latency_mean_ms(&self) -> f64 {
        self.wait_mean_ms + self.prompt_mean_ms + self.decode_mean_ms
    }

    /// Of VMs that are alike, all together; nothing where they serve no LLM.
    pub(super) fn of(members: &[(&VmSpec, &VmOutcome)]) -> Option<Self> {
        let records = members.iter().filter_map(|(vm, found)| {
            Some((found.tokens.as_deref()?, vm, found.recorder.unanswered()))
        });
        let mut record = records.clone().next()?.0.clone();
        records.clone().skip(1).for_each(|(other, ..)| record.merge(other));
        let span = |of: &TokenRecord, vm: &VmSpec| of.last.saturating_since(vm.power_on);
        let per_s = |count: &dyn Fn(&TokenRecord) -> u64| {
            records.clone().map(|(of, vm, _)| rate(count(of), span(of, vm))).sum::<f64>()
        };
        // Until the last token of each, in the mean.
        let all: u64 = records.clone().map(|(of, vm, _)| span(of, vm).as_nanos()).sum();
        let asked =
            record.requests + records.clone().map(|(.., unanswered)| unanswered).sum::<u64>();
        let goodput = record.bounds().zip(record.good).map(|(bounds, good)| Goodput {
            ttft_ms: bounds.ttft.as_millis_f64(),
            tpot_ms: bounds.tpot.as_millis_f64(),
            requests: good,
            share: good as f64 / asked.max(1) as f64,
            requests_per_s: per_s(&|of| of.good.unwrap_or(0)),
            asked_share: GOOD_ASKED,
        });
        let blocks = records.clone().find_map(|(_, vm, _)| Some(vm.llm.as_ref()?.engine.blocks));
        Some(Self {
            output_tokens_per_s: per_s(&|of| of.output_tokens),
            total_tokens_per_s: per_s(&|of| of.output_tokens + of.input_tokens),
            goodput,
            waiting_mean: record.waiting_mean(SimTime::from_nanos(all)),
            ..Self::of_record(&record, blocks.unwrap_or(0))
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

    fn of(values: &dyn Fn(&dyn Fn(&TokenResult) -> Option<f64>) -> Vec<f64>) -> Option<Self> {
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

fn each(vm: &VmSpec, index: usize, outcomes: &[&Outcome]) -> Option<Vec<TokenResult>> {
    outcomes.iter().map(|outcome| TokenResult::of(&[(vm, &outcome.vms[index])])).collect()
}
