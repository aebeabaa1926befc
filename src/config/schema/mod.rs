//! The JSON Schema of scenario files: every key that the readers take, as editors want to know it.
//!
//! A key is one line here. The test below holds these lines against what the readers ask for, so
//! that neither has a key, a word or a range that the other has not. Rules between keys, and between
//! keys and the catalogue, are the readers' alone: names of the catalogue are examples.

mod shape;

use super::catalogue::entries::{CARD_GROUPS_MAX, CARDS_MAX, NUMA_NODE_MAX};
use super::scenario::conf::FILES_MAX as CONF_FILES_MAX;
use super::scenario::holding::{CHUNKS_MAX, MODES};
use super::scenario::machine::BARE_METAL;
use super::scenario::plan::VMS_MAX;
use super::scenario::published::LATENCIES;
use super::scenario::queues::{PREFERRED_MAX, TIMEOUT_ACTIONS};
use super::scenario::ranges::{
    BATCH_MAX, CLIENTS_MAX, QUERIES_BEYOND, QUERIES_MAX, SAMPLES_PER_QUERY_MAX, STREAMS_MAX,
};
use super::scenario::served::{CPU_INSTANCES_MAX, ENSEMBLES_MAX, MODELS_MAX, STEPS_MAX};
use super::scenario::server_load::SCENARIOS;
use super::scenario::settings::{
    BATCH_RULES, COMPLETIONS, DISPATCHES, GPU_SHARINGS, LAUNCHES, PERMIT_RETURNS, PROCESSES,
    TIMEOUTS_FROM,
};
use super::scenario::sharing::{
    ASSIGNMENTS, COMPUTE_TIMESLICES, IDLE_RULES, ORDERS, REPLICAS_MAX, TURNS_OF, VGPU_MODES,
};
use super::scenario::trace::{DATE_ORDERS, SIZE_COLUMNS_MAX};
use super::scenario::vm::{COPIES_MAX, VCPUS_MAX};
use super::sweep::axis::POINTS_MAX;
use super::sweep::table::RUNS_MAX;
use crate::formats::request_trace::Unit;
use crate::formats::triton_config::LEVELS_MAX;
use crate::gpu::policies;
use crate::layout::registry::{AVERAGING_FACTOR, AVERAGING_FACTOR_DEFAULT, FREQUENCY_HZ};
use crate::spec::{PRESETS, Round, Rules, Standing};
use crate::units::{Bandwidth, Bytes, Power, Share, SimDuration};
use serde_json::{Map, Value, json};
use shape::{
    Shape, anything, either, flag, list, number, quantity, table, table_of, text, whole, word,
    word_of,
};

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
    schema["$defs"] = json!({ "axes": axes });
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
            either([text().such_as(["dell-r7525"]), own_host()]),
            "A host of the catalogue (`slicewise list`), or the facts of your own.",
        )
        .key("host_stalls", host_stalls(), "Stalls of the host; default: none.")
        .key("gpus", gpus(), gpus_about)
        .key(
            "hypervisor",
            text().such_as(["vsphere-7.0u2"]).with("default", BARE_METAL),
            "A hypervisor of the catalogue; default: none.",
        )
        .key("sharing", sharing(), "How the vGPUs of one card take turns.")
        .need("vm", list(vm(), VMS_MAX), "The VMs; they take cards in this order.")
        .key("baseline", baseline(), "The baselines of the run; default: counterfactual, which is bare metal on the same cards and with whole cards.")
        .key("capacity", capacity(), "Also search the highest VALID rate of both sides.")
        .key("published", published(), "Measured figures to compare with.")
        .key("sweep", sweep(), "Makes the file a sweep: a run for each point of a grid.")
}

/// `{ model = "a30", count = 2 }`, `"a30"` for one card, or a list of these.
fn gpus() -> Shape {
    let cards = table()
        .need("model", text().such_as(["a100-pcie-40gb"]), "A GPU of the catalogue.")
        .need("count", whole(1..=CARDS_MAX), "How many cards.")
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

/// `{ per_second = 0.2, length = "30 ms" }`.
fn host_stalls() -> Shape {
    table().need("per_second", number(), "Rate of stalls; gaps are exponential.").need(
        "length",
        quantity::<SimDuration>(),
        "Length of a stall.",
    )
}

/// A host that the file describes itself.
fn own_host() -> Shape {
    table()
        .key("name", text(), "Title, one line.")
        .need("logical_processors", fact(whole(1..=4096_u32)), "Hardware threads of all sockets.")
        .need("memory", fact(quantity::<Bytes>()), "Main memory.")
        .key("gpus", gpus(), "Its cards; or `gpus` of the file.")
        .key("sources", table_of(text()), "Long sources by short keys.")
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
    table()
        .need("value", value, "The number.")
        .key("source", text(), "Where it was published, or why it is assumed.")
        .key("standing", word_of(&Standing::ALL), "How it came to be known; default: yours.")
        .key("fitted_on", list(text(), 200), "Of a fitted number: the published runs.")
        .key("residual", quantity::<Share>(), "Of a fitted number: the error of those runs.")
}

fn sharing() -> Shape {
    let policies = word(policies().into_iter().map(|entry| entry.name));
    let overshoot = either([word(["none", "batch"]), quantity::<SimDuration>()]);
    let registry = either([text().such_as(["0x0103F001"]), whole(0..=u32::MAX)]);
    let time = quantity::<SimDuration>;
    table()
        .key("policy", policies.with("default", "best-effort"), "Who is offered a turn.")
        .key("slice", time(), "Length of a turn, 1 to 30 ms; default: by the vGPU type's maximum.")
        .key("frequency", whole(FREQUENCY_HZ), "Turns per second, instead of `slice`.")
        .key("order", word_of(&ORDERS).with("default", ORDERS[0].0), "Who goes next.")
        .key(
            "averaging_factor",
            whole(AVERAGING_FACTOR).with("default", AVERAGING_FACTOR_DEFAULT),
            "Over how many slices overshoot is repaid.",
        )
        .key("registry", registry, "The host's registry word RmPVMRL, instead of the keys it says.")
        .key(
            "idle",
            word_of(&IDLE_RULES).with("default", IDLE_RULES[0].0),
            "What the turn of a VM without work becomes.",
        )
        .key("cap_window", time(), "Window of the cap of skipped-and-capped; default: one round.")
        .key("overshoot", overshoot.with("default", "none"), "How long a turn runs past its end.")
        .key("switch_cost", time(), "Time to pass the GPU to another VM; default: the GPU's.")
        .key(
            "slice_floor",
            quantity::<Share>().with("default", "10 %"),
            "What repayment leaves of a slice at least.",
        )
        .key(
            "turns",
            word_of(&TURNS_OF).with("default", TURNS_OF[0].0),
            "Who has turns of its own under best effort, where a VM's server is several processes.",
        )
        .key("hardware_slice", time(), "Length of a turn under best effort; default: the GPU's.")
        .key("replicas", replicas(), "As how many a card is advertised to processes.")
        .key(
            "compute_timeslice",
            word_of(&COMPUTE_TIMESLICES).with("default", "default"),
            "A process's turn, by its policy.",
        )
        .key(
            "assignment",
            word_of(&ASSIGNMENTS).with("default", ASSIGNMENTS[0].0),
            "Which card a vGPU goes to.",
        )
        .key(
            "vgpu_mode",
            word_of(&VGPU_MODES).with("default", VGPU_MODES[0].0),
            "vGPUs of one size on a card, or of several.",
        )
}

/// A number for all, or one for whole cards (`gpu`) and for GPU instances of each profile.
fn replicas() -> Shape {
    either([whole(1..=REPLICAS_MAX), table_of(whole(1..=REPLICAS_MAX))])
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
        .key("vgpu", holding("type", "A100-40C"), "vGPUs, time-sliced or MIG-backed, by type.")
        .key("gpus", whole(1..=CARDS_MAX), "Whole cards; default on bare metal: all.")
        .key("mig", mig, "GPU instances on bare metal.")
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
        .key("power_off", quantity::<SimDuration>(), "When its load stops; default: never.")
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
    served(vm)
        .rule(json!({ "anyOf": [{ "required": ["workload", "load"] }, { "required": ["model"] }] }))
}

/// One of several models of a server.
fn model() -> Shape {
    served(table().need("name", text(), "Its name among the models of the VM."))
        .rule(json!({ "required": ["workload"] }))
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
            text().such_as(["bert-99"]),
            "A workload of the catalogue, or the path of a workload file, which ends in .toml.",
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
    let timeout = either([word(["none"]), quantity::<SimDuration>()]);
    let call_wake = timeout.clone();
    table()
        .key("batch_max", whole(1..=BATCH_MAX), "Most samples in a batch.")
        .key("streams", whole(1..=STREAMS_MAX), "Batches a GPU works on at once.")
        .key("slots", whole(1..=STREAMS_MAX), "Permits per GPU to form a batch.")
        .key(
            "processes",
            whole(1..=STREAMS_MAX),
            "Operating-system processes that share the streams of a GPU; at most `streams`.",
        )
        .key("batch_rule", word_of(&BATCH_RULES), "When waiting queries become a batch.")
        .key("timeout", timeout, "The longest wait for a full batch.")
        .key("timeout_from", word_of(&TIMEOUTS_FROM), "What the timeout counts from.")
        .key("dispatch", word_of(&DISPATCHES), "Which worker gets the next batch.")
        .key("call_wake", call_wake, "On several GPU instances: queries due within this time after the first are dealt together, in pieces of a batch.")
        .key("call_time", quantity::<SimDuration>(), "Mean time of such a call.")
        .key("permit_return", word_of(&PERMIT_RETURNS), "When a permit can form the next batch.")
        .key("gpu_sharing", word_of(&GPU_SHARINGS), "How batches of one VM use the GPU together.")
        .key(
            "launches",
            word_of(&LAUNCHES),
            "How a batch is launched: as one CUDA graph, or as kernels.",
        )
        .key("completion", word_of(&COMPLETIONS), "The order in which batches are reported.")
        .key("sort_samples", flag(), "Sort the samples of an Offline call by size.")
        .key("soft_drop", quantity::<Share>(), "Part not set aside until the end of the run.")
        .key("start_from_device", flag(), "Inputs lie on the GPU: nothing is copied in.")
        .key(
            "max_queue_delay",
            quantity::<SimDuration>(),
            "How long the oldest query may wait for a fuller batch.",
        )
        .key(
            "preferred_batch_size",
            list(whole(1..=BATCH_MAX), PREFERRED_MAX),
            "Batch sizes that are formed as soon as possible; default: batch_max.",
        )
        .key("queue_policy", queue_policy(), "How queries wait, at every priority level.")
        .key("priority_levels", whole(1..=LEVELS_MAX), "How many priority levels there are.")
        .key(
            "priority_queue_policy",
            list(
                queue_policy().need(
                    "level",
                    whole(1..=LEVELS_MAX),
                    "The level, 1 the most urgent.",
                ),
                LEVELS_MAX as usize,
            ),
            "How the queries of single priority levels wait.",
        )
        .key("default_priority_level", whole(1..=LEVELS_MAX), "The level of queries without one.")
        .key(
            "priority_shares",
            list(quantity::<Share>(), LEVELS_MAX as usize),
            "The part of all queries in each level, 100 % in all.",
        )
}

/// Triton's ModelQueuePolicy.
fn queue_policy() -> Shape {
    table()
        .key("timeout", quantity::<SimDuration>(), "The longest wait in the queue.")
        .key("timeout_action", word_of(&TIMEOUT_ACTIONS), "What happens then; default: reject.")
        .key("max_queue_size", whole(1..=u32::MAX), "Most waiting queries; more are rejected.")
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
    twin_load()
        .need("scenario", word_of(&SCENARIOS), "The MLPerf scenario, or clients in a closed loop.")
        .key("total_qps", rate_per_s(), "Queries per second of all `count` VMs together.")
        .key("conf", conf, "LoadGen's mlperf.conf and user.conf, for what is not stated here.")
        .key("model", text(), "The name of the model in those files.")
        .rule(of(&["server", "offline"], json!({ "anyOf": rate })))
        .rule(json!({ "dependentRequired": { "conf": ["model"] } }))
        .rule(of(&["closed-loop"], json!({ "required": ["clients"] })))
}

/// The settings of a load; a twin has them too.
fn twin_load() -> Shape {
    let percentile = number().with("minimum", 1).with("exclusiveMaximum", 100);
    let rounds = word(Round::ALL.map(|round| round.name));
    let bursts = table()
        .need("peak", number().with("minimum", 1), "Rate in a burst relative to the mean rate.")
        .need("share", quantity::<Share>(), "Part of the time in bursts.")
        .need("length", quantity::<SimDuration>(), "Mean length of a burst.")
        .key("in_step", flag().with("default", false), "All VMs with this setting burst together.");
    let size = either([text(), list(text(), SIZE_COLUMNS_MAX)]);
    let scale = number().with("minimum", 1e-6).with("maximum", 1e6);
    let trace = table()
        .need(
            "trace",
            text(),
            "A file of requests (CSV, JSON lines), relative to the folder of this file.",
        )
        .key("scale", scale, "Factor on the speed of replay; default: 1.")
        .key("start", quantity::<SimDuration>(), "Time of the trace at which the load starts.")
        .key("length", quantity::<SimDuration>(), "Length of the part replayed; default: all.")
        .key("vm", text(), "Only rows of this VM.")
        .key("model", text(), "Only rows of this model.")
        .key("time_column", text(), "The column of times, unless it has a known name.")
        .key(
            "time_unit",
            word_of(&Unit::WORDS),
            "The unit of times that are numbers, unless the column's name states it.",
        )
        .key("date_order", word_of(&DATE_ORDERS), "The order of dates such as 3/4/2025.")
        .key("size_column", size, "Columns whose sum is a request's work.");
    let arrivals = either([word_of(&PROCESSES), trace]);
    table()
        .key("target_qps", rate_per_s(), "Queries per second; Offline: samples.")
        .key("target_latency", quantity::<SimDuration>(), "Bound; default: the workload's.")
        .key("percentile", percentile, "Which percentile must keep the bound, in percent.")
        .key(
            "min_duration",
            quantity::<SimDuration>(),
            "The least duration of the load; default: the round's, 60 s without rules.",
        )
        .key(
            "min_query_count",
            whole(1..=QUERIES_MAX),
            "The least number of queries; default: the round's, or by the percentile.",
        )
        .key(
            "rules",
            word_of(&Rules::WORDS),
            "MLPerf's rules or none; default: MLPerf's where a benchmark, conf or round is named.",
        )
        .key(
            "queries_beyond_percentile",
            whole(1..=QUERIES_MAX).with("default", QUERIES_BEYOND),
            "rules = \"none\": number of queries beyond the percentile.",
        )
        .key(
            "round",
            rounds.with("default", Round::ALL[0].name),
            "The MLPerf round, for seeds and verdict.",
        )
        .key("clients", whole(1..=CLIENTS_MAX), "closed-loop: number of clients.")
        .key("think_time", quantity::<SimDuration>(), "closed-loop: mean think time.")
        .key("samples_per_query", whole(1..=SAMPLES_PER_QUERY_MAX), "multistream; default: 8.")
        .key(
            "arrivals",
            arrivals.with("default", "poisson"),
            "Server: the arrival process, or a trace.",
        )
        .key("bursts", bursts, "The bursts of bursty arrivals.")
}

fn rate_per_s() -> Shape {
    number().with("minimum", 1e-6).with("maximum", 1_000_000_000)
}

fn baseline() -> Shape {
    let kinds = || word(["none", "counterfactual", "same-cards", "whole-cards", "twin"]);
    let twin = table().key("server", server(), "Settings that differ from [vm.server].").key(
        "load",
        twin_load(),
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
    // Of the shapes a value may have at most one is a table.
    let shapes = object.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten();
    for found in shapes.filter_map(|shape| take_needed(shape, &[])) {
        needed.extend(found.as_object().cloned().unwrap_or_default());
    }
    (!needed.is_empty()).then_some(Value::Object(needed))
}

#[cfg(test)]
mod tests;
