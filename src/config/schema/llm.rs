//! The keys of a VM that serves an LLM.

use super::ranged;
use crate::config::keys::shape::{Shape, either, quantity};
use crate::config::scenario::llm_keys::{EngineKeys, GoodputKeys, LlmKeys, LlmLoadKeys};
use crate::units::SimDuration;
use serde_json::json;

/// Adds them to a VM; its load is of one kind or the other.
pub(super) fn of_vm(vm: Shape, load: Shape) -> Shape {
    let asks = ["rate", "users", "arrivals"].map(|key| json!({ "required": [key] }));
    let of_llm = LlmLoadKeys::shape().rule(json!({ "anyOf": asks }));
    vm.key("llm", LlmKeys::shape(), "Makes it a VM that serves an LLM, instead of `workload`.")
        .key("engine", engine(), "The engine that serves it; default: vLLM with its defaults.")
        .key(
            "goodput",
            GoodputKeys::shape(),
            "What people ask of tokens; default: nothing is judged.",
        )
        .key("load", either([load, of_llm]), "The load; of an LLM by its own keys.")
}

fn engine() -> Shape {
    let time = || ranged(quantity::<SimDuration>());
    EngineKeys::shape()
        .key("host_per_step", time(), "CPU work of a step; default: the engine's.")
        .key("host_per_sequence", time(), "CPU work of a step for each sequence that gets a token; default: the engine's.")
        .key("sampling", time(), "Time on the GPU after a step for each sequence that gets a token; default: the engine's.")
}
