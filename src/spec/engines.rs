//! Engines that serve LLMs, by name: their rules and defaults.
//!
//! What the rules do is in the engine's station; memory, and with it the number of blocks, is worked out where
//! scenarios are read.

use super::{Admission, EngineSpec, Fact, StepRule};
use crate::units::{Bytes, Share, SimDuration};

/// An engine with its documented rules.
pub struct EnginePreset {
    /// The word in files.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The part of the memory that it takes by default: vLLM's `gpu_memory_utilization`, TensorRT-LLM's
    /// `free_gpu_memory_fraction`.
    pub memory_fraction: f64,
    /// Whether that is a part of what is free once the weights are there, for keys and values alone.
    pub is_part_of_free: bool,
    /// Its settings on a GPU, but for what depends on the model: `max_model_len` and `blocks` are 0.
    pub make: fn(EngineGpu) -> EngineSpec,
}

/// What defaults of engines go by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EngineGpu {
    /// Memory that the engine sees: of a vGPU or a GPU instance its frame buffer.
    pub memory: Bytes,
    /// Whether the GPU is an A100.
    pub is_a100: bool,
}

impl EngineGpu {
    /// vLLM's class of large GPUs: 70 GiB and more, A100s left out (`EngineArgs`, defaults by usage context).
    /// That a slice counts by its own memory is inferred: the engine sees no more.
    fn is_large(self) -> bool {
        self.memory >= Bytes::new(70 << 30) && !self.is_a100
    }
}

/// The loop that was measured on an H200: what was measured of its kernels counts for it alone.
pub const MEASURED_LOOP: &str = "two-step";

/// Every engine.
pub const ENGINE_PRESETS: [EnginePreset; 4] = [
    EnginePreset {
        name: "vllm",
        about: "vLLM v1 (vllm/v1/core/sched/scheduler.py): one token of each running request and chunks of \
            prompts share a budget of tokens; where no block is free the request admitted last is preempted \
            and computed again. 8192 tokens and 1024 sequences on GPUs of 70 GiB and more that are not A100, \
            else 2048 and 256",
        memory_fraction: 0.92,
        is_part_of_free: false,
        make: vllm,
    },
    EnginePreset {
        name: "trtllm-no-evict",
        about: "TensorRT-LLM, GUARANTEED_NO_EVICT, its default: a request is admitted when blocks for its \
            prompt and all of its output are free, so that nothing is preempted; 8192 tokens, 2048 requests",
        memory_fraction: 0.9,
        is_part_of_free: true,
        make: |_| trtllm("trtllm-no-evict", Admission::Reserved),
    },
    EnginePreset {
        name: "trtllm-max-utilization",
        about: "TensorRT-LLM, MAX_UTILIZATION: as many requests as have blocks now; the one admitted last \
            is paused where none is free; 8192 tokens, 2048 requests",
        memory_fraction: 0.9,
        is_part_of_free: true,
        make: |_| trtllm("trtllm-max-utilization", Admission::AsItGrows),
    },
    EnginePreset {
        name: MEASURED_LOOP,
        about: "the plain loop that was measured on an H200: a step of whole prompts, at most 2048 tokens \
            and 16 prompts, then a step of one token of each of at most 64; memory of prompt and output is \
            reserved at admission; both steps are padded to sizes for which CUDA graphs were captured",
        memory_fraction: 0.92,
        is_part_of_free: false,
        make: |_| two_step(),
    },
];

impl EnginePreset {
    /// The preset of a name.
    pub fn of(name: &str) -> Option<&'static EnginePreset> {
        ENGINE_PRESETS.iter().find(|preset| preset.name == name)
    }
}

fn vllm(gpu: EngineGpu) -> EngineSpec {
    let (tokens, sequences) = if gpu.is_large() { (8192, 1024) } else { (2048, 256) };
    EngineSpec {
        preset: "vllm",
        max_num_batched_tokens: tokens,
        max_num_seqs: sequences,
        max_model_len: 0,
        block_size: 16,
        blocks: 0,
        admission: Admission::AsItGrows,
        steps: StepRule::Mixed,
        chunked_prefill: true,
        prompts_max: sequences,
        prefix_hits: Share::NONE,
        decode_sizes: Vec::new(),
        prompt_sizes: Vec::new(),
        host_per_step: fitted(2_500_000, [0, 3_000_000], VLLM_HOST),
        host_per_sequence: fitted(14_000, [0, 24_000], VLLM_HOST),
        sampling: assumed(2_400, [0, 10_000], SAMPLING),
    }
}

fn trtllm(preset: &'static str, admission: Admission) -> EngineSpec {
    EngineSpec {
        preset,
        max_num_batched_tokens: 8192,
        max_num_seqs: 2048,
        block_size: 32,
        admission,
        // Chunked context is off by default: a prompt waits for a step that it fits in whole.
        chunked_prefill: false,
        prompts_max: 2048,
        host_per_step: fitted(50_000, [0, 1_500_000], TRTLLM_HOST),
        host_per_sequence: fitted(0, [0, 10_000], TRTLLM_HOST),
        ..vllm(EngineGpu { memory: Bytes::ZERO, is_a100: false })
    }
}

fn two_step() -> EngineSpec {
    let nanos = |nanos| measured(SimDuration::from_nanos(nanos));
    EngineSpec {
        preset: MEASURED_LOOP,
        max_num_batched_tokens: 2048,
        max_num_seqs: 64,
        max_model_len: 0,
        // Its pool was counted in tokens.
        block_size: 1,
        blocks: 0,
        admission: Admission::Reserved,
        steps: StepRule::PromptsApart,
        chunked_prefill: false,
        prompts_max: 16,
        prefix_hits: Share::NONE,
        decode_sizes: vec![1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64],
        prompt_sizes: vec![
            64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
        ],
        host_per_step: nanos(25_000),
        host_per_sequence: nanos(400),
        sampling: nanos(2_400),
    }
}

const VLLM_HOST: &str = "fitted by slicewise on 300 published requests of vLLM 0.19 (Llama 3.1 8B on an RTX PRO 6000; \
    casys-kaist/LLMServingSim): TPOT within 1.7 %, end to end within 0.1 %, time to first token within 5.2 % at p50, p90 and \
    p99; 2 ms and 18 us, or 1.5 ms and 22 us, fit nearly as well; next to nothing is left with asynchronous scheduling on \
    a fast host";
const TRTLLM_HOST: &str = "fitted by slicewise on six published closed loops (Llama 3.1 70B on an H200, 1024 tokens in and \
    out; ai-dynamo/aiconfigurator): its loop overlaps the GPU's work; TPOT is off by 5.0 % (root mean square) with 0 to 0.1 ms and \
    by 5.3 % with 0.5; version 1.0.0rc3 took 1.3 ms a step with 8B on an H100";
const SAMPLING: &str = "assumed: as the greedy sampling of the loop that was measured on an H200 (slicewise \
    measurement, driver 580.159, 2026-11-26)";
const LOOP: &str = "slicewise measurement, H200, driver 580.159, 2026-11-26: 25 us a step, 2.8 us a sequence, \
    of which under 0.4 us on the host";

fn assumed(nanos: u64, range: [u64; 2], why: &str) -> Fact<SimDuration> {
    let range = Some(range.map(SimDuration::from_nanos));
    Fact { range, ..Fact::assumed(SimDuration::from_nanos(nanos), why) }
}

fn fitted(nanos: u64, range: [u64; 2], why: &str) -> Fact<SimDuration> {
    Fact { standing: super::Standing::Fitted, ..assumed(nanos, range, why) }
}

fn measured(time: SimDuration) -> Fact<SimDuration> {
    Fact { standing: super::Standing::Measured, ..Fact::assumed(time, LOOP) }
}
