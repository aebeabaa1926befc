//! The time of a step of an LLM's engine: the law, and no policy.
//!
//! n tokens, R rows of logits, s the part of the SMs and m of the bandwidth, `|x, y|k` the k-norm of two times:
//!
//! ```text
//! C    = (2 N_active n + 2 N_head R) / (compute s)               matrix products
//! M    = |bytes / (weights m), bytes / (weights_of_sms s)|7.4    weights that are read
//! KV   = L start + ||kv / (kv m), kv / (kv_of_sms s)|7.4, L token b|12 + L uneven token (bmax - b)
//! A    = 4 L H d sum p (c + p/2) / (attention s)                 attention of prompts
//! over = L (gap + gap_mps + gap_mixed)
//! hw   = over + |C, M|overlap + KV + A
//! E    = power_compute flops + power_bytes (bytes + kv)          the card's power limit
//! time = |hw, E|2.3 + sampling R
//! ```
//! Measured on an H200 with two models alone, under limits of MPS and in turns (slicewise measurement, H200,
//! driver 580.159, 2026-11-26): 162 steps with an error of 4.1 % (root mean square). Exponents are the fit's,
//! and flat; that one sequence alone reads weights 3 % faster is left out. On a GPU instance s are the SMs of the profile and m its memory slices: inferred, not measured.
//!
//! Of a mixture of experts a step reads those that its tokens choose, `E (1 - (1 - k/E)^n)` of E on average if
//! they choose at random.

use super::Demand;
use crate::spec::{
    DecoderModel, EngineSpec, InstanceSpec, KvFormat, LlmSpec, StepRates, StepRule, TokenStep,
    WeightFormat,
};

/// How weights and keys and values join with what their SMs can draw, measured.
const DRAW: f64 = 7.4;
/// How the attention of decodes joins with the time of its blocks, measured.
const BLOCKS: f64 = 12.0;
/// How a step joins with the power limit, measured.
const POWER: f64 = 2.3;

mod together;

pub use together::{Beside, together};

/// The law for an engine on a part of a GPU. Operations, bytes, tokens and seconds.
#[derive(Clone, Debug)]
pub struct StepLaw {
    layers: f64,
    /// Operations for a token in all linear layers, for a row of logits, and for a pair of tokens in the
    /// attention of prompts.
    token_flops: f64,
    row_flops: f64,
    pair_flops: f64,
    /// Bytes of weights that every step reads, and those of all experts where they are several.
    dense_bytes: f64,
    expert_bytes: f64,
    /// Experts and those of a token.
    experts: (f64, f64),
    /// Bytes of keys and values of a token.
    kv_bytes: f64,
    decode_sizes: Vec<u32>,
    prompt_sizes: Vec<u32>,
    /// Rows of logits of a step of prompts, where they are as many whatever is in it.
    prompt_rows: Option<u32>,
    compute: f64,
    attention: f64,
    /// In bytes per second on the whole GPU: at the most, and by the SMs.
    weights: [f64; 2],
    kv: [f64; 2],
    /// What two and four clients of MPS draw together, relative to what one draws at the most.
    together: [f64; 2],
    /// Its parts of the SMs and of the bandwidth.
    part: (f64, f64),
    kv_start: f64,
    kv_token: f64,
    kv_uneven: f64,
    kv_blocks: Vec<(u32, u32)>,
    slow_prompts: Vec<(u32, f64)>,
    gap: f64,
    gap_mps: f64,
    gap_mixed: f64,
    /// Seconds for each operation and each byte at the power limit, and the part of the former that counts
    /// where the card may rest.
    power_compute: f64,
    power_bytes: f64,
    power_in_server: f64,
    overlap: f64,
    sampling: f64,
}

/// What a step is made of, in seconds on all SMs and in bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StepParts {
    compute: f64,
    bytes: f64,
    kv_bytes: f64,
    prompt_attention: f64,
    /// The attention of decodes: the time of its mean block, and what does not depend on the share.
    blocks: f64,
    decode_fixed: f64,
    gaps: f64,
    power_compute: f64,
    power_bytes: f64,
    sampling: f64,
    /// Whether it computes prompts.
    pub has_prompts: bool,
}

/// What a step has of the GPU.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StepShare {
    /// The part of the SMs.
    pub sms: f64,
    /// The most it can draw, relative to the whole GPU's.
    pub bandwidth: f64,
    /// It is a client of MPS, whose kernels begin later.
    pub is_mps: bool,
    /// The power limit: the part of what computing takes that counts, and the seconds that others use up.
    pub power: (f64, f64),
}

impl StepLaw {
    /// That of a VM's engine on an instance of a GPU whose steps have these rates.
    pub fn new(llm: &LlmSpec, rates: &StepRates, instance: &InstanceSpec) -> Self {
        let part = (instance.share.get(), instance.memory_share.get());
        Self::of((&llm.model, llm.weights, llm.kv), &llm.engine, rates, part)
    }

    /// The same for a model in its formats, with a part `s` of the SMs and `m` of the bandwidth.
    pub fn of(
        (model, weights, kv): (&DecoderModel, WeightFormat, KvFormat),
        engine: &EngineSpec,
        rates: &StepRates,
        part: (f64, f64),
    ) -> Self {
        const TERA: f64 = 1e12;
        const GIGA: f64 = 1e9;
        const MICRO: f64 = 1e-6;
        const NANO: f64 = 1e-9;
        let layers = f64::from(model.layers);
        let experts = match model.experts {
            1 => 0.0,
            _ => model.linear_parameters() - model.attention_parameters(),
        };
        let dense = model.linear_parameters() - experts;
        let is_apart = engine.steps == StepRule::PromptsApart;
        Self {
            layers,
            token_flops: 2.0 * model.active_parameters(),
            row_flops: 2.0 * model.head_parameters(),
            pair_flops: 4.0 * layers * f64::from(model.heads) * f64::from(model.head_dim),
            dense_bytes: dense * weights.bytes() + 2.0 * model.head_parameters(),
            expert_bytes: experts * weights.bytes(),
            experts: (f64::from(model.experts), f64::from(model.experts_per_token)),
            kv_bytes: model.kv_bytes(kv),
            decode_sizes: engine.decode_sizes.clone(),
            prompt_sizes: engine.prompt_sizes.clone(),
            prompt_rows: is_apart.then_some(engine.prompts_max),
            compute: rates.compute.value * TERA,
            attention: rates.attention.value * TERA,
            weights: [rates.weights.value * GIGA, rates.weights_of_sms.value * GIGA],
            kv: [rates.kv.value * GIGA, rates.kv_of_sms.value * GIGA],
            together: [rates.draw_of_two.value, rates.draw_of_four.value],
            part,
            kv_start: rates.kv_start.value * MICRO,
            kv_token: rates.kv_token.value * NANO,
            kv_uneven: rates.kv_uneven.value,
            kv_blocks: rates.kv_blocks.clone(),
            slow_prompts: rates.slow_prompts.clone(),
            gap: rates.gap.value * MICRO,
            gap_mps: rates.gap_mps.value * MICRO,
            gap_mixed: rates.gap_mixed.value * MICRO,
            power_compute: rates.power_compute.value * MICRO / TERA,
            power_bytes: rates.power_bytes.value * MICRO / GIGA,
            power_in_server: rates.power_in_server.value,
            overlap: rates.overlap.value,
            sampling: engine.sampling.value.as_nanos_f64() * NANO,
        }
    }

    /// What a step asks of the GPU at a `speed` relative to bare metal. It fills what it has: no other batch
    /// of its owner runs beside it.
    pub fn demand(&self, parts: &StepParts, speed: f64) -> Demand {
        let seconds = self.seconds(parts, &self.alone());
        Demand { phi: 0.0, phi_limit: 0.0, ..Demand::of_work(seconds * 1e9 / speed) }
    }

    /// The whole of its part of the GPU, in a server: the card rests now and then.
    pub fn alone(&self) -> StepShare {
        let (sms, bandwidth) = self.part;
        StepShare { sms, bandwidth, is_mps: false, power: (self.power_in_server, 0.0) }
    }

    /// What a step is made of.
    pub fn parts(&self, step: &TokenStep) -> StepParts {
        let decodes = padded(step.decodes, &self.decode_sizes);
        let prompts = padded(step.prompt_tokens, &self.prompt_sizes);
        let tokens = f64::from(decodes) + f64::from(prompts);
        let ended = step.rows - step.decodes;
        let rows = match step.prompts {
            0 => decodes,
            _ => decodes + self.prompt_rows.unwrap_or(ended),
        };
        let flops = self.token_flops * tokens + self.row_flops * f64::from(rows);
        let slow = self.slow_prompts.iter().find(|(size, _)| *size == prompts);
        let pair_flops = self.pair_flops * step.prompt_pairs;
        let bytes = self.dense_bytes + self.expert_bytes * self.experts_read(tokens);
        let kv_bytes = self.kv_bytes * step.contexts as f64;
        let is_mixed = step.prompts > 0 && step.decodes > 0;
        let gap = if is_mixed { self.gap + self.gap_mixed } else { self.gap };
        let (blocks, decode_fixed) = self.blocks(step, decodes);
        StepParts {
            compute: flops / self.compute * slow.map_or(1.0, |(_, factor)| *factor),
            bytes,
            kv_bytes,
            prompt_attention: pair_flops / self.attention,
            blocks,
            decode_fixed,
            gaps: self.layers * gap,
            power_compute: self.power_compute * (flops + pair_flops),
            power_bytes: self.power_bytes * (bytes + kv_bytes),
            sampling: self.sampling * f64::from(step.rows),
            has_prompts: step.prompts > 0,
        }
    }

    /// How long a step of these parts takes on this share of the GPU, in seconds.
    pub fn seconds(&self, parts: &StepParts, on: &StepShare) -> f64 {
        let draw = |bytes: f64, [most, of_sms]: [f64; 2]| {
            norm(DRAW, bytes / (most * on.bandwidth), bytes / (of_sms * on.sms))
        };
        let compute = parts.compute / on.sms;
        let gaps = parts.gaps + if on.is_mps { self.layers * self.gap_mps } else { 0.0 };
        let attention = match parts.kv_bytes > 0.0 {
            true => norm(BLOCKS, draw(parts.kv_bytes, self.kv), parts.blocks) + parts.decode_fixed,
            false => 0.0,
        };
        let hardware = gaps
            + norm(self.overlap, compute, draw(parts.bytes, self.weights))
            + attention
            + parts.prompt_attention / on.sms;
        let (counts, of_others) = on.power;
        let power = self.power(parts, counts) + of_others;
        norm(POWER, hardware, power) + parts.sampling
    }

    /// How long the power limit makes a step take, where `counts` of what computing takes counts, in seconds.
    fn power(&self, parts: &StepParts, counts: f64) -> f64 {
        counts * parts.power_compute + parts.power_bytes
    }

    /// Of the attention of those that decode, launched for so many: the time of the mean block; and what
    /// starting takes, and what the longest block has beyond the mean.
    fn blocks(&self, step: &TokenStep, decodes: u32) -> (f64, f64) {
        if decodes == 0 {
            return (0.0, 0.0);
        }
        let most = self.kv_blocks.iter().find(|(size, _)| decodes <= *size);
        let most = most.map_or(f64::INFINITY, |(_, tokens)| f64::from(*tokens));
        let mean = (step.contexts as f64 / f64::from(decodes)).min(most);
        let longest = f64::from(step.longest).min(most);
        let of_token = self.layers * self.kv_token;
        let uneven = self.kv_uneven * of_token * (longest - mean).max(0.0);
        (of_token * mean, self.layers * self.kv_start + uneven)
    }

    /// The part of the experts that so many tokens choose.
    fn experts_read(&self, tokens: f64) -> f64 {
        let (all, of_token) = self.experts;
        if all <= 1.0 { 0.0 } else { 1.0 - (1.0 - of_token / all).powf(tokens) }
    }
}

/// The size that a step is padded to: the next of these, or its own beyond the last.
fn padded(count: u32, sizes: &[u32]) -> u32 {
    match count {
        0 => 0,
        count => sizes.iter().copied().find(|&size| size >= count).unwrap_or(count),
    }
}

/// `(x^k + y^k)^(1/k)`, scaled so that nothing overflows.
fn norm(k: f64, x: f64, y: f64) -> f64 {
    if k == 1.0 {
        return x + y;
    }
    let (least, most) = if x < y { (x, y) } else { (y, x) };
    match least > 0.0 {
        true => most * (1.0 + (least / most).powf(k)).powf(1.0 / k),
        false => most,
    }
}

#[cfg(test)]
mod tests;
