//! A VM that serves an LLM: `llm`, `engine` and `goodput` of a `[[vm]]`, and what the simulation makes of them.
//!
//! Its load is read in `llm_load`; what memory leaves for keys and values is worked out in `llm_memory`; rules
//! between such a VM and the rest of the run are in `llm_rules`.

use super::holding::Holding;
use super::llm_keys::{EngineKeys, GoodputKeys, LlmKeys};
use super::llm_memory::{self, Room};
use super::machine::Machine;
use super::served::Model;
use super::{llm_load, llm_served};
use crate::config::catalogue::Catalogue;
use crate::config::catalogue::facts::{Sources, fact_in_range_or};
use crate::config::catalogue::gpus::GpuFile;
use crate::config::catalogue::rates::rates_of;
use crate::config::text::value::of_own;
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{
    DecoderModel, ENGINE_PRESETS, EngineGpu, EnginePreset, EngineSpec, Fact, LlmSpec, StepRates,
    TokenBounds,
};
use crate::suggest::{nearest, quoted};
use crate::units::{Bytes, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};

/// The key that makes a VM one that serves an LLM.
pub(super) const LLM: &str = "llm";

/// What of a VM has no meaning beside it, and why.
const OTHERS: [(&str, &str); 11] = [
    ("workload", "the model is the work: drop it"),
    ("server", "its server is the `engine`: drop it, or write engine = { preset = \"vllm\" }"),
    ("model", "an engine serves one model: write another [[vm]] for another model"),
    ("model_repository", "an engine is no Triton: drop it"),
    ("ensemble", "an engine serves one model: drop it"),
    ("pods", "pods with engines are not simulated yet: write a [[vm]] for each"),
    ("pod", "pods with engines are not simulated yet: write a [[vm]] for each"),
    ("balance", "a load balancer of engines is not simulated yet: give each VM a load of its own"),
    ("replicas", "replicas of engines are not simulated yet: write `count`"),
    ("health_check", "a load balancer of engines is not simulated yet: drop it"),
    ("scaled_from", "steps on a GPU without rates go by the nearest one anyway: drop it"),
];

/// What the VM has of the machine, as far as it is known.
pub(super) struct Around<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) machine: Option<&'a Machine>,
    /// How many cards, and its share of each.
    pub(super) held: Option<(u32, &'a Holding)>,
    /// The models of its cards, those of all copies.
    pub(super) models: Option<&'a [usize]>,
    pub(super) copies: u32,
}

/// Keys that have no meaning without `llm`.
pub(super) fn refuse_strays(table: &mut Reader<'_>) {
    for key in ["engine", "goodput"] {
        if let Some(value) = table.get(key) {
            let found = value.wrong("is of a VM that serves an LLM");
            value.report(found.help("write llm = { model = \"llama-3.1-8b\" }, or drop it"));
        }
    }
}

/// What it serves, as a model of a server with everything that asks for no tokens, and the LLM itself.
pub(super) fn read(table: &mut Reader<'_>, around: &Around<'_>) -> Option<(Model, LlmSpec)> {
    let given = table.get(LLM)?;
    for (key, help) in OTHERS {
        if let Some(value) = table.get(key) {
            let title = format!("`{}` has no meaning beside `llm`", value.name);
            table.report(Diagnostic::at(&value.spot(), title).help(help));
        }
    }
    let llm = given.table().map(|mut own| {
        let keys = LlmKeys::given(&mut own);
        let model = own.get("model").and_then(|value| model(&value, around.catalogue));
        own.finish();
        (keys, model)
    });
    let model = llm.as_ref().and_then(|(_, model)| *model);
    let held = held(table, around);
    let gpus = held.and_then(|holding| gpus(around, holding));
    let sees =
        held.zip(gpus.as_ref().and_then(|gpus| gpus.first())).map(|(holding, gpu)| EngineGpu {
            memory: holding.frame_buffer(&gpu.spec),
            is_a100: gpu.spec.id.starts_with("a100"),
        });
    let engine = engine(table, model, sees);
    let bounds = goodput(table);
    let (load, rate) = llm_load::read(table, around.copies);
    let (keys, holding) = (&llm.as_ref()?.0, held?);
    let (gpus, model, engine) = (gpus?, model?, engine?);
    let spots = Spots { llm: given.spot(), ..engine.spots.clone() };
    let is_measured_loop = engine.spec.preset == ENGINE_PRESETS[3].name;
    let laws = laws(around.catalogue, &gpus, (model, keys, is_measured_loop), &spots.llm, table);
    let room = Room { model, keys, holding, engine: &engine, spots: &spots };
    let blocks = gpus.iter().map(|gpu| llm_memory::blocks(&room, &gpu.spec, table));
    let blocks = blocks.collect::<Vec<_>>().into_iter().collect::<Option<Vec<u32>>>();
    let memory = gpus.iter().map(|gpu| room.usable(&gpu.spec)).min()?;
    let ((load, lengths), laws) = (load?, laws?);
    let blocks = blocks?.into_iter().min()?;
    let spec = LlmSpec {
        model: model.clone(),
        weights: keys.weights,
        kv: keys.kv_cache,
        engine: EngineSpec { blocks, ..engine.spec },
        lengths,
        laws,
        bounds: bounds?,
    };
    let (workload, server) = llm_served::of(&spec, memory);
    let spots = [spots.llm.clone(), spots.engine.clone(), spots.engine, rate];
    let (name, steps) = (None, Vec::new());
    Some((Model { name, workload, server, load, steps, spots }, spec))
}

/// The model that a value names.
fn model<'c>(value: &Value<'_>, catalogue: &'c Catalogue) -> Option<&'c DecoderModel> {
    let word = value.text()?;
    let found = catalogue.models.get(word);
    if found.is_none() {
        let known: Vec<&str> = catalogue.models.keys().map(String::as_str).collect();
        let found = Diagnostic::at(&value.spot(), format!("unknown model {}", quoted(word)));
        let found = found.of_form().allowed(known.join(", ")).did_you_mean(nearest(word, &known));
        let own =
            "`slicewise new model --from config.json` makes a file of the model's config.json";
        value.report(found.help(format!("{}; {own}", of_own("models", word))));
    }
    found
}

/// Its share of the card, where an engine can have such a one.
fn held<'a>(table: &Reader<'_>, around: &Around<'a>) -> Option<&'a Holding> {
    let (cards, holding) = around.held?;
    let key = super::holding_keys::HOLDINGS.into_iter().find(|key| table.has(key));
    let spot = table.spot_of(key.unwrap_or("gpus"));
    let refuse = |title: &str, help: &str| {
        table.report(Diagnostic::at(&spot, title).help(help));
        None
    };
    match holding {
        _ if cards > 1 => {
            let title = format!("an engine on {cards} cards, vGPUs or GPU instances");
            let title = format!("{title}: tensor parallelism is not simulated yet");
            refuse(&title, "give it one, such as gpus = 1, and write `count` for more engines")
        }
        Holding::Largest(_) => refuse(
            "the largest share is not known before all VMs are placed, and an engine's memory goes by it",
            "name the vGPU type or GPU instance profile: `slicewise show GPU` prints them",
        ),
        holding => Some(holding),
    }
}

/// The GPU models of its cards, each once.
fn gpus<'a>(around: &Around<'a>, holding: &Holding) -> Option<Vec<&'a GpuFile>> {
    // What has no published frame buffer was refused when it was read.
    holding.unpublished().is_none().then_some(())?;
    let models: BTreeSet<usize> = around.models?.iter().copied().collect();
    let machine = around.machine?;
    Some(models.into_iter().map(|model| &machine.models[model].gpu).collect())
}

/// What each step costs on each of its GPUs.
fn laws(
    catalogue: &Catalogue,
    gpus: &[&GpuFile],
    (model, keys, is_measured_loop): (&DecoderModel, &LlmKeys, bool),
    spot: &Spot,
    table: &Reader<'_>,
) -> Option<BTreeMap<String, StepRates>> {
    let mut laws = BTreeMap::new();
    for gpu in gpus {
        match rates_of(catalogue, gpu, &model.id, keys.weights, is_measured_loop) {
            Ok(rates) => drop(laws.insert(gpu.spec.id.clone(), rates)),
            Err(why) => {
                let help = format!(
                    "state [llm.{}] with compute, attention, weights and kv in your own file DIR/gpus/{}.toml, and \
                     add --configs DIR",
                    keys.weights, gpu.spec.id
                );
                table.report(Diagnostic::at(spot, why).help(help));
            }
        }
    }
    (laws.len() == gpus.len()).then_some(laws)
}

/// The engine but for its blocks, and what these go by.
pub(super) struct Engine {
    pub(super) spec: EngineSpec,
    /// The part of the frame buffer that it takes.
    pub(super) fraction: Share,
    /// Memory beside weights, keys and values.
    pub(super) rest: Bytes,
    /// So many blocks instead of as many as there is memory for.
    pub(super) blocks: Option<u32>,
    spots: Spots,
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
fn engine(
    vm: &mut Reader<'_>,
    model: Option<&DecoderModel>,
    gpu: Option<EngineGpu>,
) -> Option<Engine> {
    let header = vm.spot();
    let gpu = gpu.unwrap_or(EngineGpu { memory: Bytes::ZERO, is_a100: false });
    let usual = &ENGINE_PRESETS[0];
    let Some(given) = vm.get("engine") else {
        vm.fallback("engine.*", || ValueOrigin::new("preset", usual.name));
        let spots = [(); 3].map(|()| header.clone());
        return settled((usual, &EngineKeys::default()), (usual.make)(gpu), model, spots, vm);
    };
    let mut table = given.table()?;
    let keys = EngineKeys::given(&mut table);
    let preset = EnginePreset::of(keys.preset).unwrap_or(usual);
    table.fallback("*", || ValueOrigin::new("preset", preset.name));
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
        rest: keys.rest_memory,
        blocks: keys.num_gpu_blocks_override,
        spots,
    })
}

/// `goodput`, where it is stated.
fn goodput(vm: &mut Reader<'_>) -> Option<Option<TokenBounds>> {
    let Some(given) = vm.get("goodput") else { return Some(None) };
    let mut table = given.table()?;
    let keys = GoodputKeys::given(&mut table);
    table.finish();
    Some(Some(TokenBounds { ttft: keys.ttft?, tpot: keys.tpot? }))
}
