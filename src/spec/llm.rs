//! LLM serving: a decoder, the engine that serves it, and what a step of it costs on a GPU.
//!
//! An engine works in steps. A step computes chunks of prompts and one token for each running sequence, as
//! one batch on the GPU; its time is a law of what is in it, whose numbers are here and whose arithmetic is
//! in `gpu::step`.

use super::{Fact, LengthPair};
use crate::units::{Share, SimDuration};
use std::collections::BTreeMap;
use std::fmt;

/// A decoder-only transformer, by the figures of its `config.json`.
#[derive(Clone, PartialEq, Debug)]
pub struct DecoderModel {
    /// The name that scenario files use.
    pub id: String,
    /// The publisher's name, one line.
    pub name: String,
    /// `num_hidden_layers`.
    pub layers: u32,
    /// `hidden_size`.
    pub hidden: u32,
    /// `num_attention_heads`.
    pub heads: u32,
    /// `num_key_value_heads`.
    pub kv_heads: u32,
    /// `head_dim`.
    pub head_dim: u32,
    /// `intermediate_size`, of one expert.
    pub ffn: u32,
    /// `vocab_size`.
    pub vocabulary: u32,
    /// `num_local_experts`; 1 for a dense model.
    pub experts: u32,
    /// `num_experts_per_tok`; 1 for a dense model.
    pub experts_per_token: u32,
    /// `tie_word_embeddings`: embedding and output are one matrix.
    pub is_tied: bool,
    /// `max_position_embeddings`: the longest context, in tokens.
    pub context_max: u32,
    /// Where the figures are from.
    pub source: String,
}

impl DecoderModel {
    /// Parameters of the linear layers that every token passes: attention.
    pub fn attention_parameters(&self) -> f64 {
        let (hidden, dim) = (f64::from(self.hidden), f64::from(self.head_dim));
        let of_layer = 2.0 * hidden * f64::from(self.heads) * dim
            + 2.0 * hidden * f64::from(self.kv_heads) * dim;
        f64::from(self.layers) * of_layer
    }

    /// Parameters of one expert in all layers; of a dense model, of its feed-forward layers.
    pub fn expert_parameters(&self) -> f64 {
        f64::from(self.layers) * 3.0 * f64::from(self.hidden) * f64::from(self.ffn)
    }

    /// Parameters of the output layer, which makes logits.
    pub fn head_parameters(&self) -> f64 {
        f64::from(self.vocabulary) * f64::from(self.hidden)
    }

    /// Parameters of all linear layers but the output.
    pub fn linear_parameters(&self) -> f64 {
        self.attention_parameters() + f64::from(self.experts) * self.expert_parameters()
    }

    /// Parameters of the linear layers that one token passes, without the output.
    pub fn active_parameters(&self) -> f64 {
        self.attention_parameters() + f64::from(self.experts_per_token) * self.expert_parameters()
    }

    /// Bytes of its weights: the linear layers in `format`, embedding and output in 16 bit.
    pub fn weight_bytes(&self, format: WeightFormat) -> f64 {
        let matrices = if self.is_tied { 1.0 } else { 2.0 };
        self.linear_parameters() * format.bytes() + 2.0 * matrices * self.head_parameters()
    }

    /// Bytes of keys and values that it keeps of a token, with so many bytes a value.
    pub fn kv_bytes(&self, value: KvFormat) -> f64 {
        let values =
            2.0 * f64::from(self.layers) * f64::from(self.kv_heads) * f64::from(self.head_dim);
        values * value.bytes()
    }
}

/// What the weights of the linear layers are stored in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WeightFormat {
    /// 16 bit.
    Bf16,
    /// 8 bit floating point.
    Fp8,
    /// 4 bit in groups of 128 with a scale: 0.53 bytes a weight; computed in 16 bit.
    Int4,
}

impl WeightFormat {
    /// All, with their words in files.
    pub const ALL: [(&'static str, WeightFormat); 3] =
        [("bf16", WeightFormat::Bf16), ("fp8", WeightFormat::Fp8), ("int4", WeightFormat::Int4)];

    /// Its word in files and reports.
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// Bytes of a weight.
    pub fn bytes(self) -> f64 {
        [2.0, 1.0, 0.53][self as usize]
    }
}

/// What keys and values are stored in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KvFormat {
    /// 16 bit.
    Bf16,
    /// 8 bit floating point.
    Fp8,
}

impl KvFormat {
    /// All, with their words in files.
    pub const ALL: [(&'static str, KvFormat); 2] =
        [("bf16", KvFormat::Bf16), ("fp8", KvFormat::Fp8)];

    /// Its word in files and reports.
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// Bytes of a value.
    pub fn bytes(self) -> f64 {
        [2.0, 1.0][self as usize]
    }
}

/// When an engine admits a request, and what it sets aside for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// With the blocks of the chunk that it computes next; more are taken as it grows, and where none is
    /// free the request that was admitted last is preempted and computed again.
    AsItGrows,
    /// With the blocks of its prompt and of all that it may generate: nothing is preempted.
    Reserved,
}

/// What a step may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepRule {
    /// One token of each running sequence, and chunks of prompts.
    Mixed,
    /// Whole prompts where any wait, then a step of one token of each running sequence.
    PromptsApart,
}

/// An engine that serves one model: its scheduler's settings.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineSpec {
    /// The name of its preset.
    pub preset: &'static str,
    /// Most tokens that a step computes, at least 1.
    pub max_num_batched_tokens: u32,
    /// Most sequences that run together, at least 1 and at most `max_num_batched_tokens`.
    pub max_num_seqs: u32,
    /// The longest context of a request, prompt and output, in tokens.
    pub max_model_len: u32,
    /// Tokens of a block of keys and values, at least 1.
    pub block_size: u32,
    /// Blocks in the GPU's memory; enough for one request of `max_model_len` tokens.
    pub blocks: u32,
    /// When a request is admitted.
    pub admission: Admission,
    /// What a step may hold.
    pub steps: StepRule,
    /// Whether a prompt may be computed in chunks. Where not, it waits for a step that it fits in whole;
    /// a longer one has a step of its own.
    pub chunked_prefill: bool,
    /// Most prompts in a step.
    pub prompts_max: u32,
    /// The part of each prompt whose keys and values are there already.
    pub prefix_hits: Share,
    /// Sizes that a step of decodes is padded to, ascending; empty where it is not.
    pub decode_sizes: Vec<u32>,
    /// Sizes that the tokens of prompts in a step are padded to, ascending; empty where they are not.
    pub prompt_sizes: Vec<u32>,
    /// CPU work of a step.
    pub host_per_step: Fact<SimDuration>,
    /// CPU work of a step for each sequence that gets a token.
    pub host_per_sequence: Fact<SimDuration>,
    /// Time on the GPU after a step for each sequence that gets a token: sampling.
    pub sampling: Fact<SimDuration>,
}

/// What a step of an engine computes.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct TokenStep {
    /// Tokens of prompts.
    pub prompt_tokens: u32,
    /// Prompts, or chunks of them.
    pub prompts: u32,
    /// Of all chunks: tokens times (those before the chunk, and half of its own).
    pub prompt_pairs: f64,
    /// Sequences that decode.
    pub decodes: u32,
    /// The sum of their contexts, the tokens that they write among them.
    pub contexts: u64,
    /// The longest of them.
    pub longest: u32,
    /// Sequences that get a token.
    pub rows: u32,
}

/// What people ask of a token: bounds of goodput.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenBounds {
    /// Time to the first token, from the arrival.
    pub ttft: SimDuration,
    /// Mean time between the tokens of a request.
    pub tpot: SimDuration,
}

/// LLM serving of a VM.
#[derive(Clone, PartialEq, Debug)]
pub struct LlmSpec {
    /// The decoder.
    pub model: DecoderModel,
    /// What its weights are stored in.
    pub weights: WeightFormat,
    /// What keys and values are stored in.
    pub kv: KvFormat,
    /// The engine.
    pub engine: EngineSpec,
    /// How long prompts and outputs are.
    pub lengths: LengthPair,
    /// What each step costs, by the id of the GPU's model.
    pub laws: BTreeMap<String, StepRates>,
    /// The bounds of goodput, where they are stated.
    pub bounds: Option<TokenBounds>,
}

/// The numbers of the law of a step on a GPU with weights of one format: see `gpu::step`.
#[derive(Clone, PartialEq, Debug)]
pub struct StepRates {
    /// Matrix products, in TFLOP/s on all SMs.
    pub compute: Fact<f64>,
    /// Attention of prompts, in TFLOP/s on all SMs.
    pub attention: Fact<f64>,
    /// Weights, in GB/s at the most.
    pub weights: Fact<f64>,
    /// Weights, in GB/s that all SMs together could draw were there no limit: with few SMs these count.
    pub weights_of_sms: Fact<f64>,
    /// Keys and values in the attention of decodes, in GB/s on all SMs.
    pub kv_of_sms: Fact<f64>,
    /// Keys and values, in GB/s at the most.
    pub kv: Fact<f64>,
    /// The attention of decodes: what starting it takes in each layer, in microseconds.
    pub kv_start: Fact<f64>,
    /// The attention of decodes: time of a block of the kernel for each of its tokens, in nanoseconds.
    pub kv_token: Fact<f64>,
    /// How much of what the longest block has beyond the mean is waited for.
    pub kv_uneven: Fact<f64>,
    /// Gaps of each layer, in microseconds.
    pub gap: Fact<f64>,
    /// The same for clients of MPS, beyond `gap`.
    pub gap_mps: Fact<f64>,
    /// What two clients of MPS draw together, relative to `weights`: one fills the gaps of the other.
    pub draw_of_two: Fact<f64>,
    /// The same of four or more.
    pub draw_of_four: Fact<f64>,
    /// Gaps of each layer where prompts and decodes share a step, beyond `gap`, in microseconds.
    pub gap_mixed: Fact<f64>,
    /// Where power is at its limit: microseconds for each TFLOP.
    pub power_compute: Fact<f64>,
    /// Where power is at its limit: microseconds for each GB.
    pub power_bytes: Fact<f64>,
    /// The part of `power_compute` that counts in a server, whose decodes let the card rest.
    pub power_in_server: Fact<f64>,
    /// Of the attention of decodes: the longest block, in tokens, by the size of the batch that it is launched
    /// for; larger batches have a block for each context. Ascending sizes.
    pub kv_blocks: Vec<(u32, u32)>,
    /// Sizes of prompt steps whose matrix products take so many times as long, for want of a good kernel.
    pub slow_prompts: Vec<(u32, f64)>,
    /// How compute and weights overlap: the exponent of the norm that joins them; 1 is one after the other.
    pub overlap: Fact<f64>,
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
