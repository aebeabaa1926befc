//! `engine` of a VM that serves an LLM, over the defaults of its preset.
//!
//! How many blocks its memory holds is worked out in `llm_memory`.

use super::llm_keys::EngineKeys;
use crate::config::catalogue::facts::{Sources, fact_in_range_or};
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{DecoderModel, ENGINE_PRESETS, EngineGpu, EnginePreset, EngineSpec, Fact};
use crate::units::{Bytes, Share, SimDuration};

/// The engine but for its blocks, and what these go by.
pub(super) struct Engine {
    pub(super) spec: EngineSpec,
    /// The part of the frame buffer that it takes.
    pub(super) fraction: Share,
    /// Whether that part is of what weights and the rest leave.
    pub(super) is_part_of_free: bool,
    /// Memory beside weights, keys and values.
    pub(super) rest: Bytes,
    /// So many blocks instead of as many as there is memory for.
    pub(super) blocks: Option<u32>,
    pub(super) spots: Spots,
}

/// The places that rules of memory point to.
#[derive(Clone)]
pub(super) struct Spots {
    pub(super) llm: Spot,
    pub(super) engine: Spot,
    pub(super) max_model_len: Spot,
    pub(super) blocks: Spot,
}

/// Reads `engine` over the defaults of its preset on this GPU.
pub(super) fn engine(
    vm: &mut Reader<'_>,
    model: Option<&DecoderModel>,
    gpu: Option<EngineGpu>,
) -> Option<Engine> {
    let header = vm.spot();
    let gpu = gpu.unwrap_or(EngineGpu { memory: Bytes::ZERO, is_a100: false });
    let usual = &ENGINE_PRESETS[0];
    let of_model = model.map(|model| ValueOrigin::new("model", &model.id));
    let Some(given) = vm.get("engine") else {
        vm.fallback("engine.*", || ValueOrigin::new("preset", usual.name));
        if let Some(said) = of_model {
            vm.fallback("engine.max_model_len", || said);
        }
        let spots = [(); 3].map(|()| header.clone());
        return settled((usual, &EngineKeys::default()), (usual.make)(gpu), model, spots, vm);
    };
    let mut table = given.table()?;
    let keys = EngineKeys::given(&mut table);
    let preset = EnginePreset::of(keys.preset).unwrap_or(usual);
    table.fallback("*", || ValueOrigin::new("preset", preset.name));
    table.fallback("prefix_hits", || ValueOrigin::default("built in"));
    if let Some(said) = of_model {
        table.fallback("max_model_len", || said);
    }
    let mut spec = (preset.make)(gpu);
    let mut time = |key: &str, absent: &Fact<SimDuration>| {
        let within =
            |value: &Value<'_>| value.bounded(|time: &SimDuration| *time <= HOST_MAX, "0 to 1 s");
        fact_in_range_or(
            &mut table,
            &Sources::new(),
            key,
            (within, SimDuration::le),
            absent.clone(),
        )
    };
    let per_step = time("host_per_step", &spec.host_per_step);
    let per_sequence = time("host_per_sequence", &spec.host_per_sequence);
    let sampling = time("sampling", &spec.sampling);
    let spots =
        ["max_num_seqs", "max_model_len", "num_gpu_blocks_override"].map(|key| table.spot_of(key));
    table.finish();
    spec = EngineSpec {
        host_per_step: per_step?,
        host_per_sequence: per_sequence?,
        sampling: sampling?,
        ..spec
    };
    settled((preset, &keys), spec, model, spots, vm)
}

/// No step takes the host longer.
const HOST_MAX: SimDuration = SimDuration::from_secs(1);

/// The engine with what the keys state.
fn settled(
    (preset, keys): (&EnginePreset, &EngineKeys),
    usual: EngineSpec,
    model: Option<&DecoderModel>,
    [engine, max_model_len, blocks]: [Spot; 3],
    vm: &Reader<'_>,
) -> Option<Engine> {
    let model = model?;
    let spots = Spots { llm: engine.clone(), engine, max_model_len, blocks };
    let tokens = keys.max_num_batched_tokens.unwrap_or(usual.max_num_batched_tokens);
    let sequences = keys.max_num_seqs.unwrap_or(usual.max_num_seqs.min(tokens));
    if sequences > tokens {
        let title = format!(
            "{sequences} sequences of one token each are more than a step computes ({tokens} tokens)"
        );
        let allowed = format!(
            "max_num_seqs 1 to {tokens}, or max_num_batched_tokens of {sequences} and more"
        );
        vm.report(Diagnostic::at(&spots.engine, title).allowed(allowed));
        return None;
    }
    let length = keys.max_model_len.unwrap_or(model.context_max);
    if length > model.context_max {
        let title =
            format!("a context of {length} tokens is longer than {} was made for", model.id);
        let found = Diagnostic::at(&spots.max_model_len, title);
        let found = found
            .allowed(format!("1 to {} tokens, its max_position_embeddings", model.context_max));
        vm.report(found.note("source", model.source.clone()));
        return None;
    }
    // Where no other limit of prompts is known, as many as sequences.
    let is_as_many = usual.prompts_max == usual.max_num_seqs;
    let spec = EngineSpec {
        max_num_batched_tokens: tokens,
        max_num_seqs: sequences,
        max_model_len: length,
        block_size: keys.block_size.unwrap_or(usual.block_size),
        chunked_prefill: keys.enable_chunked_prefill.unwrap_or(usual.chunked_prefill),
        prompts_max: if is_as_many { sequences } else { usual.prompts_max },
        prefix_hits: keys.prefix_hits,
        ..usual
    };
    let usual = Share::clamped(preset.memory_fraction);
    let fraction = keys.gpu_memory_utilization.unwrap_or(usual);
    Some(Engine {
        spec,
        fraction,
        is_part_of_free: preset.is_part_of_free,
        rest: keys.rest_memory,
        blocks: keys.num_gpu_blocks_override,
        spots,
    })
}
