//! What an explanation says of VMs that serve LLMs: their settings, and what each step costs.

use super::notes::Section;
use crate::config::catalogue::Catalogue;
use crate::config::text::ValueOrigin;
use crate::spec::{
    Arrivals, Experiment, Fact, FactValue, LengthPair, LlmSpec, LoadSpec, NamedFact, TestScenario,
    TokenLengths,
};
use crate::units::Bytes;

/// Every setting of an engine and its load, as a file would write it below its VM.
pub(super) fn settings(llm: &LlmSpec, load: &LoadSpec) -> Vec<(String, String)> {
    let engine = &llm.engine;
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| all.push((key.to_string(), value));
    add("llm.model", llm.model.id.clone());
    add("llm.weights", llm.weights.to_string());
    add("llm.kv_cache", llm.kv.word().to_string());
    add("engine.preset", engine.preset.to_string());
    add("engine.max_model_len", engine.max_model_len.to_string());
    add("engine.max_num_seqs", engine.max_num_seqs.to_string());
    add("engine.max_num_batched_tokens", engine.max_num_batched_tokens.to_string());
    add("engine.block_size", engine.block_size.to_string());
    add("engine.enable_chunked_prefill", engine.chunked_prefill.to_string());
    add("engine.prefix_hits", engine.prefix_hits.to_string());
    add("engine.host_per_step", of(&engine.host_per_step));
    add("engine.host_per_sequence", of(&engine.host_per_sequence));
    add("engine.sampling", of(&engine.sampling));
    if let Some(bounds) = llm.bounds {
        add("goodput.ttft", bounds.ttft.to_string());
        add("goodput.tpot", bounds.tpot.to_string());
    }
    match load.scenario {
        TestScenario::ClosedLoop { clients, think_time } => {
            add("load.users", clients.to_string());
            add("load.think_time", think_time.to_string());
        }
        _ => {
            add("load.rate", load.settings.target_qps.to_string());
            if !matches!(load.arrivals, Arrivals::Trace(_)) {
                add("load.arrivals", load.arrivals.word().to_string());
            }
        }
    }
    add("load.lengths", in_words(&llm.lengths));
    add("load.min_duration", load.settings.min_duration.to_string());
    add("load.min_query_count", load.settings.min_query_count.to_string());
    all
}

/// A fact with what else it could be.
fn of<T: std::fmt::Display>(fact: &Fact<T>) -> String {
    match &fact.range {
        Some([low, high]) => format!("{} ({low} to {high})", fact.value),
        None => fact.value.to_string(),
    }
}

/// How long requests are.
fn in_words(lengths: &LengthPair) -> String {
    match lengths {
        LengthPair::Recorded(all) => format!("of {} recorded requests", all.len()),
        LengthPair::Drawn { name: Some(name), .. } => name.clone(),
        LengthPair::Drawn { name: None, input, output } => {
            format!("input {}, output {}", length(&input.value), length(&output.value))
        }
    }
}

fn length(tokens: &TokenLengths) -> String {
    match tokens {
        TokenLengths::Fixed(count) => count.to_string(),
        TokenLengths::Uniform(from, to) => format!("{from} to {to}"),
        TokenLengths::LogNormal { mean, cv, most } => format!("mean {mean}, cv {cv}, max {most}"),
        TokenLengths::Quantiles(points) => {
            let told = points
                .iter()
                .map(|(at, tokens)| format!("{} = {tokens}", (at * 1e4).round() / 1e2));
            told.collect::<Vec<_>>().join(", ")
        }
    }
}

/// For each model that is served: its memory, and the numbers of its steps on each GPU.
pub(super) fn sections(experiment: &Experiment, catalogue: &Catalogue) -> Vec<Section> {
    let mut told: Vec<&LlmSpec> = Vec::new();
    for llm in experiment.vms.iter().filter_map(|vm| vm.llm.as_deref()) {
        let same = |other: &&LlmSpec| {
            (&other.model, other.weights, other.kv, &other.laws, other.engine.blocks)
                == (&llm.model, llm.weights, llm.kv, &llm.laws, llm.engine.blocks)
        };
        if !told.iter().any(same) {
            told.push(llm);
        }
    }
    told.into_iter().map(|llm| section(llm, catalogue)).collect()
}

fn section(llm: &LlmSpec, catalogue: &Catalogue) -> Section {
    let (model, engine) = (&llm.model, &llm.engine);
    let mut section = Section::new(format!("llm {} in {}", model.id, llm.weights));
    let of_model = || ValueOrigin {
        source: Some(model.source.clone()),
        ..ValueOrigin::new("model", catalogue.place("models", &model.id))
    };
    let bytes = |bytes: f64| Bytes::new(bytes as u64).to_string();
    section.say("weights", bytes(model.weight_bytes(llm.weights)), of_model());
    section.say("keys and values of a token", bytes(model.kv_bytes(llm.kv)), of_model());
    let tokens = u64::from(engine.blocks) * u64::from(engine.block_size);
    let of_memory =
        "(gpu_memory_utilization x frame buffer - weights - rest_memory) / keys and values";
    let blocks = format!("{} of {} tokens: {tokens}", engine.blocks, engine.block_size);
    section.say("blocks", blocks, ValueOrigin::default(of_memory));
    for (gpu, rates) in &llm.laws {
        for fact in rates.facts() {
            let said = ValueOrigin {
                source: Some(fact.source.to_string()),
                standing: Some(fact.standing.word()),
                ..ValueOrigin::new("gpu", catalogue.place("gpus", gpu))
            };
            section.say(&format!("{gpu}, {}", fact.key), value(&fact), said);
        }
    }
    section
}

fn value(fact: &NamedFact<'_>) -> String {
    let text = |value: &dyn FactValue| value.text();
    match fact.range {
        Some([low, high]) => format!("{} ({} to {})", text(fact.value), text(low), text(high)),
        None => text(fact.value),
    }
}
