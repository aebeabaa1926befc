//! The keys of a `[[vm]]` that serves an LLM: `llm`, `engine`, `goodput`, and those of its `load`.
//!
//! What is made of them is in `llm` and `llm_load`.

use super::pattern::{self, PatternKeys};
use super::ranges::{CLIENTS_MAX, QUERIES_MAX};
use super::settings::{self, BurstKeys, Process, arrivals_shape};
use crate::config::catalogue::lengths::{self, TOKENS_MAX};
use crate::config::keys::forms::{choice, count, flag, later, number, own, within};
use crate::config::keys::keys;
use crate::config::keys::shape::{self, Shape, either, table, table_of, whole, word};
use crate::spec::{Bursts, ENGINE_PRESETS, KvFormat, RatePattern, WeightFormat};
use crate::units::{Bytes, Share, SimDuration};

keys! {
    /// The keys of `llm`.
    pub(crate) struct LlmKeys {
        /// The decoder that is served: a model of the catalogue.
        model: String = later(|| shape::text().such_as(["llama-3.1-8b"])),
            needed "name a model of the catalogue, such as model = \"llama-3.1-8b\"";
        /// What the weights of its linear layers are stored in.
        weights: WeightFormat = choice("format of weights", WeightFormat::ALL),
            default WeightFormat::Bf16;
        /// What keys and values are stored in.
        kv_cache: KvFormat = choice("format of keys and values", KvFormat::ALL),
            default KvFormat::Bf16;
    }
}

keys! {
    /// The keys of `engine` that are no facts.
    pub(crate) struct EngineKeys {
        /// The engine, whose rules and defaults hold.
        preset: &'static str = choice("engine", ENGINE_PRESETS.map(|preset| (preset.name, preset.name))),
            default ENGINE_PRESETS[0].name;
        /// The longest context of a request, prompt and output, in tokens.
        max_model_len: u32 = count(1..=TOKENS_MAX, " tokens"), or "the model's";
        /// Most sequences that run together.
        max_num_seqs: u32 = count(1..=SEQUENCES_MAX, " sequences"), or "the engine's";
        /// Most tokens that a step computes; not less than `max_num_seqs`.
        max_num_batched_tokens: u32 = count(1..=TOKENS_MAX, " tokens"), or "the engine's";
        /// Tokens of a block of keys and values.
        block_size: u32 = count(1..=4096, " tokens"), or "the engine's";
        /// The part of the frame buffer that it takes.
        gpu_memory_utilization: Share = within("1 % to 100 %"), or "the engine's";
        /// Memory of the GPU beside weights, keys and values.
        rest_memory: Bytes = within("0 to 200 GB"), default REST_MEMORY;
        /// Blocks of keys and values, instead of as many as there is memory for.
        num_gpu_blocks_override: u32 = count(1..=BLOCKS_MAX, " blocks");
        /// Whether a prompt may be computed in chunks, in several steps.
        enable_chunked_prefill: bool = flag(), or "the engine's";
        /// The part of each prompt whose keys and values are there already.
        prefix_hits: Share = within("0 to 99 %"), default Share::NONE;
    }
}

keys! {
    /// The keys of `goodput`: what people ask of tokens.
    pub(crate) struct GoodputKeys {
        /// The most time to the first token, from the arrival of a request.
        ttft: SimDuration = within("above 0, at most 24 h"),
            needed "state the bound of the time to the first token, such as ttft = \"500 ms\"";
        /// The most mean time between the tokens of a request.
        tpot: SimDuration = within("above 0, at most 24 h"),
            needed "state the bound of the time between tokens, such as tpot = \"50 ms\"";
    }
}

keys! {
    /// The keys of the `load` of an LLM.
    pub(crate) struct LlmLoadKeys {
        /// Requests per second.
        rate: f64 = number(super::llm_load::RATES);
        /// Instead of a rate: users, each with one request at a time.
        users: u32 = count(1..=CLIENTS_MAX, " users");
        /// Of users: the mean time from an answer to the next request, exponential.
        think_time: SimDuration = within("0 to 24 h"), or "0 s";
        /// How long prompts and outputs are: a name, or both.
        lengths: () = later(lengths_shape);
        /// The arrival process, or a trace, whose columns of tokens stand for `lengths`.
        arrivals: Process = later(arrivals_shape);
        /// The bursts of `bursty` arrivals.
        bursts: Bursts = own(|value| settings::bursts(value.table()?), BurstKeys::shape);
        /// The rate of `pattern` arrivals over a day, or another period.
        pattern: RatePattern = own(|value| pattern::pattern(value.table()?), PatternKeys::shape);
        /// Requests are made at least this long.
        min_duration: SimDuration = within("above 0, at most 8736 h (364 days)"), or "60 s";
        /// The least number of requests.
        min_query_count: u64 = count(1..=QUERIES_MAX, " requests"), or "10000, 100 beyond the 99th percentile";
    }
}

/// Most sequences of an engine.
const SEQUENCES_MAX: u32 = 65_536;
/// Most blocks of an engine.
const BLOCKS_MAX: u32 = 1_000_000_000;

/// Memory beside weights, keys and values: activations, CUDA context, graphs. Assumed: 1.2 GB on the one published
/// run that shows it (vLLM on an RTX 4090, casys-kaist/LLMServingSim); others take 3.5 GiB (aiconfigurator) and
/// 5.6 GiB (inference-sim).
pub(crate) const REST_MEMORY: Bytes = Bytes::new(1_200_000_000);

/// A name, or a prompt's and an output's length.
fn lengths_shape() -> Shape {
    let tokens = || whole(1..=TOKENS_MAX);
    let number = shape::number;
    let law = || {
        let law = table()
            .key("mean", number(), "Lognormal: the mean, in tokens.")
            .key("cv", number(), "Lognormal: standard deviation over mean.")
            .key("max", tokens(), "Lognormal: the most, where it is cut off.")
            .key("from", tokens(), "Uniform: the least.")
            .key("to", tokens(), "Uniform: the most.")
            .key(
                "percentiles",
                table_of(tokens()),
                "Tokens by percent of the requests; straight lines between.",
            );
        either([tokens(), law])
    };
    let pair = table().need("input", law(), "Tokens of prompts.").need(
        "output",
        law(),
        "Tokens of outputs.",
    );
    either([word(lengths::names()), pair])
}
