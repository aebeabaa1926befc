//! A VM that serves an LLM: `llm`, `engine` and `goodput` of a `[[vm]]`, and what the simulation makes of them.
//!
//! Its load is read in `llm_load`; what memory leaves for keys and values is worked out in `llm_memory`; rules
//! between such a VM and the rest of the run are in `llm_rules`.

use super::holding::Holding;
use super::llm_engine::{Spots, engine};
use super::llm_keys::{GoodputKeys, LlmKeys};
use super::llm_memory::{self, Room};
use super::machine::Machine;
use super::served::Model;
use super::{llm_load, llm_served};
use crate::config::catalogue::Catalogue;
use crate::config::catalogue::gpus::GpuFile;
use crate::config::catalogue::step_rates::rates_of;
use crate::config::text::value::of_own;
use crate::config::text::{Diagnostic, Reader, Spot, Value};
use crate::spec::{
    DecoderModel, EngineGpu, EngineSpec, LlmSpec, MEASURED_LOOP, StepRates, TokenBounds,
};
use crate::suggest::{nearest, quoted};
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
    let is_measured_loop = engine.spec.preset == MEASURED_LOOP;
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

/// `goodput`, where it is stated.
fn goodput(vm: &mut Reader<'_>) -> Option<Option<TokenBounds>> {
    let Some(given) = vm.get("goodput") else { return Some(None) };
    let mut table = given.table()?;
    let keys = GoodputKeys::given(&mut table);
    table.finish();
    Some(Some(TokenBounds { ttft: keys.ttft?, tpot: keys.tpot? }))
}
