//! The JSON Schema of scenario files: every key that the readers take, as editors want to know it.
//!
//! `[sharing]`, servers and loads come from their lists of keys (`keys!`), which their readers come
//! from too. A key of another table is one line here, and the test below holds these lines against what
//! the readers ask for, so that neither has a key, a word or a range that the other has not. Rules
//! between keys, and between keys and the catalogue, are the readers' alone: names of the catalogue are
//! examples.

mod cluster;
mod lesson;
mod llm;
mod workload;

use super::catalogue::entries::{CARD_GROUPS_MAX, CARDS_MAX, NUMA_NODE_MAX, PROCESSORS_MAX};
use super::keys::add;
use super::keys::shape::{
    Shape, anything, either, flag, list, number, quantity, table, table_of, text, whole, word,
    word_of,
};
use super::plan::keys::CARDS_MAX as PLAN_CARDS_MAX;
use super::scenario::balanced_keys::BalanceKeys;
use super::scenario::conf::FILES_MAX as CONF_FILES_MAX;
use super::scenario::cpu::SCHEDULERS;
use super::scenario::holding::{CHUNKS_MAX, MODES};
use super::scenario::machine::BARE_METAL;
use super::scenario::operations_keys::{
    OPERATIONS_MAX, OperationKeys, OperationsKeys, RestartKeys,
};
use super::scenario::placement_keys::Placement;
use super::scenario::pods::{self, PODS_MAX};
use super::scenario::power_keys::PowerKeys;
use super::scenario::published::LATENCIES;
use super::scenario::queues::QueueKeys;
use super::scenario::served::{CPU_INSTANCES_MAX, ENSEMBLES_MAX, MODELS_MAX, STEPS_MAX};
use super::scenario::server_load::SCENARIOS;
use super::scenario::settings::{LoadKeys, ServerKeys};
use super::scenario::sharing_keys::Sharing;
use super::scenario::size::VMS_MAX;
use super::scenario::vm::{COPIES_MAX, VCPUS_MAX};
use super::sweep::axis::POINTS_MAX;
use super::sweep::table::RUNS_MAX;
use crate::spec::{CpuAllocation, PRESETS, Standing};
use crate::units::{Bandwidth, Bytes, Frequency, Power, Share, SimDuration};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of scenario files.
pub fn schema() -> Value {
    let mut schema = scenario().into_json();
    // The points of a sweep bring keys of their own, so that the file itself may lack any.
    let needed = take_needed(&mut schema, &["sweep"]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("slicewise scenario file");
    schema["description"] = json!(
        "A run with its baselines, or a sweep of runs. Explained in docs/reference/scenario-files.md."
    );
    let list = list(anything(), POINTS_MAX).into_json();
    let axes = json!({ "anyOf": [list, { "type": "object", "additionalProperties": { "$ref": "#/$defs/axes" } }] });
    schema["$defs"] = json!({ "axes": axes, "workload": workload::workload() });
    schema["if"] = json!({ "required": ["sweep"] });
    schema["else"] = needed.unwrap_or_default();
    schema
}

fn scenario() -> Shape {
    let title = "Title, one line; default: the file's name.";
    let seed = "Seed of every random stream; 0, the default, replays the arrivals of the round. \
        --seed overrides it.";
    let gpus_about = "The host's cards; default: the host's own.";
    table()
        .key("title", text(), title)
        .key("seed", whole(0..=u64::MAX).with("default", 0), seed)
        .need(
            "host",
            either([text().such_as(["dell-r7525"]), own_host(), cluster::hosts()]),
            "A host of the catalogue (`slicewise list`), or the facts of your own; [[host]]: the hosts \
             of a cluster.",
        )
        .key("placement", Placement::shape(), "Of a cluster: which host a VM goes to.")
        .key("rule", cluster::rules(), "Of a cluster: rules of affinity.")
        .key("host_stalls", host_stalls(), "Stalls of the host; default: none.")
        .key("gpus", gpus(), gpus_about)
        .key(
            "hypervisor",
            text().such_as(["vsphere-7.0u2"]).with("default", BARE_METAL),
            "A hypervisor of the catalogue; default: none.",
        )
        .key("sharing", Sharing::shape(), "How the vGPUs of one card take turns.")
        .key("cpu", cpu(), "How the host's processors are divided, where VMs share them.")
        .need("vm", list(vm(), VMS_MAX), "The VMs; they take cards in this order.")
        .key("operations", OperationsKeys::shape(), "How long operations on VMs take.")
        .key(
            "operation",
            list(OperationKeys::shape(), OPERATIONS_MAX),
            "What happens to VMs and hosts while the run goes on.",
        )
        .key("power", PowerKeys::shape(), "Tells watts and energy; what hosts without VMs do.")
        .key("baseline", baseline(), "The baselines of the run; default: counterfactual, which is bare metal on the same cards and with whole cards.")
        .key("capacity", capacity(), "Also search the highest VALID rate of both sides.")
        .key("published", published(), "Measured figures to compare with.")
        .key("lesson", lesson::lesson(), "What a teacher says about the file; it changes no result.")
        .key("sweep", sweep(), "Makes the file a sweep: a run for each point of a grid.")
        .key("plan", plan(), "Of a plan file: how `slicewise plan` searches layouts.")
        .key("prices", prices(), "Of a plan file: what cards, energy and licences cost; layouts are ordered by it.")
}

/// `{ model = "a30", count = 2 }`, `"a30"` for one card, or a list of these.
fn gpus() -> Shape {
    let cards = table()
        .need("model", text().such_as(["a100-pcie-40gb"]), "A GPU of the catalogue.")
        .need("count", cards_or_any(), "How many cards; \"any\" in a plan file, which asks how many.")
        .key(
            "power_limit",
            quantity::<Power>(),
            "Their power limit; default: the GPU's.",
        )
        .key("numa_node", whole(0..=NUMA_NODE_MAX), "The NUMA node they are attached to.")
        .key("nvlink_group", whole(0..=CARDS_MAX - 1), "Cards of one group are joined by NVLink.")
        .key("pcie_switch", whole(0..=CARDS_MAX - 1), "Cards behind one PCIe switch share its one link to the host; default: each has its own.")
        .key("pcie_bandwidth", ranged(quantity::<Bandwidth>()), "Bandwidth of the link to the host in each direction, that of the switch where they are behind one; default: the GPU's.");
    let one = text().such_as(["a30"]);
    let each = either([cards.clone(), one.clone()]);
    either([cards, one, list(each, CARD_GROUPS_MAX)])
}

fn cards_or_any() -> Shape {
    either([whole(1..=CARDS_MAX), word(["any"])])
}

/// `[plan]`.
fn plan() -> Shape {
    table().key("at_most", whole(1..=PLAN_CARDS_MAX), "The most cards in all.").key(
        "batches",
        word(["up-to", "fixed"]),
        "Whether largest batches may be less than the file says; default: up-to, they may.",
    )
}

/// `[prices]`, none of which is known here.
fn prices() -> Shape {
    table()
        .need("currency", text().such_as(["EUR"]), "Its name.")
        .need("card_hour", table_of(number()), "What a card of each model costs in an hour.")
        .key("kwh", number(), "A kilowatt-hour; default: 0.")
        .key(
            "licence_per_vm_hour",
            number(),
            "The licence of a VM with a vGPU for an hour; default: 0.",
        )
        .key(
            "licence_per_card_hour",
            number(),
            "The licence of a card with vGPUs for an hour; default: 0.",
        )
}

/// `{ per_second = 0.2, length = "30 ms" }`.
fn host_stalls() -> Shape {
    table().need("per_second", number(), "Rate of stalls; gaps are exponential.").need(
        "length",
        quantity::<SimDuration>(),
        "Length of a stall.",
    )
}

/// `[cpu]`.
fn cpu() -> Shape {
    table()
        .key(
            "scheduler",
            word_of(&SCHEDULERS),
            "vCPUs take turns (quantum), or all run at once (fluid); default: quantum.",
        )
        .key(
            "quantum",
            quantity::<SimDuration>(),
            "How long a vCPU runs while others wait; default: 50 ms, with 10 ms in the intervals.",
        )
        .key(
            "preempt",
            flag().with("default", true),
            "Whether a vCPU that gets work interrupts one whose VM had more for its shares.",
        )
}

/// The CPU work of a VM without inference.
fn cpu_load() -> Shape {
    table()
        .key("busy", whole(1..=VCPUS_MAX), "How many of its vCPUs have work; default: all.")
        .key(
            "burst",
            quantity::<SimDuration>(),
            "Mean work of a burst on a core of its own; default: work without end.",
        )
        .key("gap", quantity::<SimDuration>(), "Mean time from the end of a burst to the next.")
}

/// A host that the file describes itself.
fn own_host() -> Shape {
    table()
        .key("name", text(), "Title, one line.")
        .need(
            "logical_processors",
            fact(whole(1..=PROCESSORS_MAX)),
            "Hardware threads of all sockets.",
        )
        .key(
            "cores",
            fact(whole(1..=PROCESSORS_MAX)),
            "Cores of all sockets; default: one for each two logical processors.",
        )
        .key("clock", fact(quantity::<Frequency>()), "Base clock of a core; default: 2.5 GHz.")
        .key(
            "hyper_threading",
            ranged(number()),
            "What a core does with both threads busy, over one, 1 to 2; default: 1.25.",
        )
        .need("memory", fact(quantity::<Bytes>()), "Main memory.")
        .key(
            "power_idle_w",
            ranged(watts()),
            "What it draws when nothing runs, without its cards, in watts; default: not known.",
        )
        .key(
            "power_cpu_w",
            ranged(watts()),
            "What its processors draw more when all are busy, in watts; default: not known.",
        )
        .key("gpus", gpus(), "Its cards; or `gpus` of the file.")
        .key("sources", table_of(text()), "Long sources by short keys.")
}

/// Watts of a server.
fn watts() -> Shape {
    number().with("minimum", 0).with("maximum", 20_000)
}

/// A number of the user's own, or one with its source and standing.
fn fact(value: Shape) -> Shape {
    either([value.clone(), passport(value)])
}

/// As [`fact`], where the number may say what else it could be.
fn ranged(value: Shape) -> Shape {
    let ends = list(value.clone(), 2);
    let long = passport(value.clone());
    either([value, long.key("range", ends, "The least and the greatest possible value.")])
}

fn passport(value: Shape) -> Shape {
    origin(table().need("value", value, "The number."))
}

/// Where a number of this table is from.
fn origin(number: Shape) -> Shape {
    number
        .key("source", text(), "Where it was published, or why it is assumed.")
        .key("standing", word_of(&Standing::ALL), "How it came to be known; default: yours.")
        .key("fitted_on", list(text(), 200), "Of a fitted number: the published runs.")
        .key("residual", quantity::<Share>(), "Of a fitted number: the error of those runs.")
}

fn vm() -> Shape {
    let holding = |key: &str, example: &str| {
        table()
            .need(key, text().such_as([example, "largest"]), "Its name: `slicewise show GPU`.")
            .key("count", whole(1..=CARDS_MAX).with("default", 1), "How many.")
    };
    let mig = either([text().such_as(["1g.5gb", "largest"]), holding("profile", "1g.5gb")]);
    let vm = table()
        .key("name", text(), "Name in reports; default: vm-1, vm-2, ...")
        .key("count", whole(1..=COPIES_MAX), "Number of copies, numbered, each with its own vGPUs.")
        .key("vcpus", whole(1..=VCPUS_MAX), "Virtual CPUs; default on bare metal: all of the host.")
        .key("memory", quantity::<Bytes>(), "Memory; only checked against the host's.")
        .key(
            "cpu_shares",
            either([word_of(&CpuAllocation::LEVELS), whole(1..=CpuAllocation::SHARES_MAX)]),
            "Shares of the host's processors: 500, 1000 or 2000 for each vCPU, or a number for the \
             VM; default: normal.",
        )
        .key(
            "cpu_reservation",
            quantity::<Frequency>(),
            "Processor time it is guaranteed; default: none.",
        )
        .key(
            "cpu_limit",
            quantity::<Frequency>(),
            "Processor time it never exceeds; default: none.",
        )
        .key(
            "cpu_load",
            cpu_load(),
            "Makes it a VM without GPU, whose work is something else than inference.",
        )
        .key("vgpu", holding("type", "A100-40C"), "vGPUs, time-sliced or MIG-backed, by type.")
        .key("gpus", whole(1..=CARDS_MAX), "Whole cards; default on bare metal: all.")
        .key("mig", mig, "GPU instances on bare metal.")
        .key(
            "device_group",
            flag().with("default", false),
            "On a cluster: whether its GPUs, 2, 4 or 8 full ones, are cards joined by NVLink.",
        )
        .key(
            "lifetimes",
            cluster::lifetimes(),
            "For `slicewise place`: when such VMs come and go, drawn by the seed.",
        )
        .key(
            "gpu",
            text().such_as(["a100-pcie-40gb"]),
            "The model of its GPUs, where several models of the host are possible.",
        )
        .key("card", pins(true), "The card it is on, from 0; a list: each GPU of all copies.")
        .key("instance", pins(false), "The memory slice at which its GPU instance starts.")
        .key(
            "process",
            process(),
            "Processes that share a card with others, in turns or under MPS.",
        )
        .key("power_on", quantity::<SimDuration>().with("default", "0 s"), "When its load starts.")
        .key("power_off", quantity::<SimDuration>(), "When its load stops; default: never.");
    let vm = add(RestartKeys::keys(), add(BalanceKeys::keys(), vm))
        .key(
            "scaled_from",
            text().such_as(["auto"]),
            "The GPU whose service times are scaled where its own GPU has none: auto for the \
             nearest, or a GPU.",
        )
        .key(
            "model",
            list(model(), MODELS_MAX),
            "The models of its server, instead of `workload`, `server` and `load`.",
        )
        .key("pods", pods::shape(), "Makes it a Kubernetes node: how its pods share its GPU.")
        .key(
            "pod",
            list(pod(), PODS_MAX),
            "The pods of such a node, instead of `workload`, `server` and `load`.",
        )
        .key(
            "model_repository",
            text().such_as(["models"]),
            "Triton's model repository: NAME/config.pbtxt has the settings that a model or \
             ensemble does not state here.",
        )
        .key(
            "ensemble",
            list(ensemble(), ENSEMBLES_MAX),
            "Chains of these models: the answers of one are the queries of the next.",
        );
    llm::of_vm(served(vm), load())
        .rule(json!({ "anyOf": [{ "required": ["workload", "load"] }, { "required": ["llm", "load"] }, { "required": ["model"] }, { "required": ["pods", "pod"] }, { "required": ["cpu_load"] }, { "required": ["lifetimes"] }] }))
}

/// One of several models of a server.
fn model() -> Shape {
    served(table().need("name", text(), "Its name among the models of the VM."))
        .rule(json!({ "required": ["workload"] }))
}

/// A pod of a node.
fn pod() -> Shape {
    served(table().need("name", text(), "Its name; results call it NODE/NAME."))
        .key("count", whole(1..=pods::COPIES_MAX), "Number of such pods, numbered.")
        .key("active_threads", quantity::<Share>(), "MPS: the limit of SMs, 1 to 100 %.")
        .key("memory_limit", quantity::<Bytes>(), "MPS: the limit of device memory.")
        .rule(json!({ "required": ["workload", "load"] }))
}

/// A chain of models.
fn ensemble() -> Shape {
    let cpu = table()
        .need("name", text(), "Its name in results.")
        .need("time", quantity::<SimDuration>(), "Time of one query.")
        .key(
            "count",
            whole(1..=CPU_INSTANCES_MAX),
            "Instances, each with its own processor; default: 1.",
        );
    let step = either([text().such_as(["detect"]), cpu]);
    table()
        .need("name", text(), "Its name among the models of the VM.")
        .key(
            "steps",
            list(step, STEPS_MAX),
            "Models of the VM, and work on processors, in order; default: those of the repository.",
        )
        .need("load", load(), "The load: scenario, rate and length.")
}

/// What is served, by what server, and who asks.
fn served(table: Shape) -> Shape {
    let presets = word(PRESETS.map(|preset| preset.name));
    let preset = "Settings of a published harness; default: the workload's usual one.";
    table
        .key(
            "workload",
            workload::named_or_own(),
            "A workload of the catalogue, the path of a workload file, which ends in .toml, or a \
             workload of its own with the keys of such a file.",
        )
        .key(
            "server",
            server().key("preset", presets, preset).key(
                "triton_config",
                text().such_as(["config.pbtxt"]),
                "A model's config.pbtxt, for settings that are not stated here.",
            ),
            "The guest's inference server.",
        )
        .key("load", load(), "The load; one of several models may have none.")
}

/// One for all GPUs of a VM and its copies, or one for each.
fn pins(card: bool) -> Shape {
    let most = if card { CARDS_MAX - 1 } else { 63 };
    either([whole(0..=most), list(whole(0..=most), 4096)])
}

fn process() -> Shape {
    let long = table()
        .need("sharing", word_of(&MODES), "In turns (time slicing), or side by side with MPS.")
        .key("count", whole(1..=CARDS_MAX).with("default", 1), "How many processes.")
        .key("replicas", whole(1..=CARDS_MAX).with("default", 1), "How many replicas it takes.")
        .key("mig", text().such_as(["3g.20gb"]), "The GPU instance profile they share.")
        .key("active_threads", quantity::<Share>(), "MPS: the limit of SMs, 1 to 100 %.")
        .key(
            "sm_chunks",
            whole(1..=CHUNKS_MAX),
            "MPS: chunks of SMs of its own (static partitioning).",
        )
        .key("memory_limit", quantity::<Bytes>(), "MPS: the limit of device memory.");
    either([word_of(&MODES), long])
}

/// The settings of an inference server; a twin has them too.
fn server() -> Shape {
    add(QueueKeys::keys(), ServerKeys::shape())
}

fn load() -> Shape {
    let of = |words: &[&str], then: Value| json!({ "if": { "required": ["scenario"], "properties": { "scenario": { "enum": words } } }, "then": then });
    let replays =
        json!({ "properties": { "arrivals": { "type": "object" } }, "required": ["arrivals"] });
    let rate = [
        json!({ "required": ["target_qps"] }),
        json!({ "required": ["total_qps"] }),
        json!({ "required": ["conf"] }),
        replays,
    ];
    let conf = either([text(), list(text(), CONF_FILES_MAX)]);
    LoadKeys::shape()
        .need("scenario", word_of(&SCENARIOS), "The MLPerf scenario, or clients in a closed loop.")
        .key("total_qps", rate_per_s(), "Queries per second of all `count` VMs together.")
        .key("conf", conf, "LoadGen's mlperf.conf and user.conf, for what is not stated here.")
        .key("model", text(), "The name of the model in those files.")
        .rule(of(&["server", "offline"], json!({ "anyOf": rate })))
        .rule(json!({ "dependentRequired": { "conf": ["model"] } }))
        .rule(of(&["closed-loop"], json!({ "required": ["clients"] })))
}

fn rate_per_s() -> Shape {
    number().with("minimum", 1e-6).with("maximum", 1_000_000_000)
}

fn baseline() -> Shape {
    let kinds = || word(["none", "counterfactual", "same-cards", "whole-cards", "twin"]);
    let twin = table().key("server", server(), "Settings that differ from [vm.server].").key(
        "load",
        LoadKeys::shape(),
        "Settings that differ from [vm.load].",
    );
    let long = table()
        .need("kind", kinds(), "none; bare metal on the same cards, with whole cards, or both (counterfactual); or a twin with its own settings.")
        .key("vm", twin, "The twin's own settings.");
    either([kinds(), long])
}

fn capacity() -> Shape {
    let about = "How close the VALID and the INVALID rate are, 0.01 to 50 %.";
    table().key("precision", quantity::<Share>().with("default", "1 %"), about)
}

fn published() -> Shape {
    let latency = LATENCIES.into_iter().fold(table(), |latency, name| {
        latency.key(name, quantity::<SimDuration>(), "Latency of the published run.")
    });
    let side = || {
        table()
            .need("row", text(), "<system> <benchmark> <scenario>")
            .need("source", text(), "Where it was published.")
            .key("completed_per_s", rate_per_s(), "Samples per second.")
            .key("latency", latency.clone(), "Its latencies.")
    };
    table().key("virtual", side(), "Measured under the hypervisor.").key(
        "baseline",
        side(),
        "Measured on bare metal, beside a twin.",
    )
}

/// Every key that is none of these is a path with the list of its values.
fn sweep() -> Shape {
    let values = || list(anything(), POINTS_MAX);
    let axes = json!({ "$ref": "#/$defs/axes" });
    let with = "Other keys that change together with it: paths, each with as many values.";
    let x = table()
        .need("key", text().such_as(["vm.vcpus"]), "The path of the key that varies.")
        .need("values", values(), "Its values.")
        .key("label", text(), "Label of the axis in charts.")
        .key("with", table_of(values()), with);
    let line = table()
        .need("name", text(), "Name of the line in charts and tables.")
        .key("set", table_of(anything()), "Paths, each with the value to set.")
        .key("unset", list(text(), POINTS_MAX), "Paths of keys to leave out.");
    let lines = either([text(), list(text(), POINTS_MAX)]);
    let when = "Keys of axes, each with the covered values, or { above = 7 }, or { below = 2 }.";
    let none = table()
        .key("line", lines, "A line, or several; default: every line.")
        .key("when", table_of(anything()), when)
        .need("reason", text(), "Why these points cannot exist.");
    table()
        .key("x", x, "The first axis: the horizontal axis of charts.")
        .key("line", list(line, POINTS_MAX), "Lines with their own keys.")
        .key(
            "not_applicable",
            list(none, POINTS_MAX),
            "Points that cannot exist by design; they are n/a, not errors.",
        )
        .key("replications", whole(1..=RUNS_MAX as u32).with("default", 1), "Runs of each point.")
        .with("additionalProperties", axes)
}

/// Takes what must be there out of a schema, into one that says nothing else; not below the keys
/// `but`.
fn take_needed(schema: &mut Value, but: &[&str]) -> Option<Value> {
    let object = schema.as_object_mut()?;
    let mut needed = Map::new();
    for rule in ["required", "allOf"] {
        needed.extend(object.remove(rule).map(|rules| (rule.to_string(), rules)));
    }
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    let below = properties.into_iter().flatten().filter(|(key, _)| !but.contains(&key.as_str()));
    let below = below.filter_map(|(key, of)| Some((key.clone(), take_needed(of, &[])?)));
    let below: Map<_, _> = below.collect();
    if !below.is_empty() {
        needed.insert("properties".to_string(), Value::Object(below));
    }
    if let Some(items) = object.get_mut("items").and_then(|items| take_needed(items, &[])) {
        needed.insert("items".to_string(), items);
    }
    let shapes = object.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten();
    let (tables, others): (Vec<_>, Vec<_>) =
        shapes.partition(|shape| shape["properties"].is_object());
    let needs = |shape: &mut Value| take_needed(shape, &[]).unwrap_or_else(|| json!({}));
    let mut found: Vec<Value> = tables.into_iter().map(needs).collect();
    if found.len() > 1 && found.iter().any(|one| one.get("required").is_some()) {
        // Of several tables one must be whole.
        needed.insert("anyOf".to_string(), std::mem::take(&mut found).into());
    }
    for found in found.into_iter().chain(others.into_iter().map(needs)) {
        needed.extend(found.as_object().cloned().unwrap_or_default());
    }
    (!needed.is_empty()).then_some(Value::Object(needed))
}

#[cfg(test)]
mod page;

#[cfg(test)]
mod tests;
