//! A workload that a scenario describes itself: its keys are those of a workload file.

use super::{fact, origin, passport, ranged};
use crate::config::catalogue::entries::ALTERNATIVES_MAX;
use crate::config::keys::shape::{
    Shape, anything, either, list, number, quantity, table, table_of, text, word, word_of,
};
use crate::spec::{PRESETS, Precision};
use crate::units::{Bytes, Share, SimDuration};
use serde_json::{Value, json};

/// The place of [`workload`] in the schema.
const PLACE: &str = "#/$defs/workload";

/// A workload by its name, or one that stands in the file.
pub(super) fn named_or_own() -> Shape {
    // Without what must be there, as the points of a sweep may bring it.
    let needed = json!({
        "required": ["name", "usual_preset", "target_latency", "weights", "service"],
        "properties": { "service": { "additionalProperties": { "required": ["work"] } } },
    });
    let own = anything().with("$ref", PLACE).rule(needed);
    either([text().such_as(["bert-99"]), own])
}

/// The keys of a workload.
pub(super) fn workload() -> Value {
    let bytes = || fact(quantity::<Bytes>());
    let once = number().with("minimum", 0).with("maximum", 100);
    table()
        .key("name", text(), "Its name, one line; results call it `own/` and the name in short.")
        .key("benchmark", text(), "The MLPerf benchmark that it is, in the words of mlperf.conf.")
        .key("precision", word_of(&Precision::ALL), "The number format of its matrix products.")
        .key(
            "usual_preset",
            word(PRESETS.map(|preset| preset.name)),
            "The server preset that it usually runs under.",
        )
        .key("target_latency", fact(quantity::<SimDuration>()), "Its latency bound as a server.")
        .key("sizes", sizes(), "The work of queries, relative to the mean; default: all alike.")
        .key("weights", bytes(), "Device memory of the weights.")
        .key("workspace_per_sample", bytes(), "Device memory of a sample in a batch; default: 0.")
        .key("input_per_sample", bytes(), "Bytes copied to the device per sample; default: 0.")
        .key("output_per_sample", bytes(), "Bytes copied back per sample; default: 0.")
        .key(
            "energy_once",
            ranged(once),
            "The energy of a batch whatever its size, in samples of a full batch.",
        )
        .key("cpu", cpu(), "CPU work around each batch; default: none.")
        .key("service", table_of(service()), "How long batches take, by the GPU's name.")
        .key("sources", table_of(text()), "Long sources by short keys.")
        .into_json()
}

/// `"fixed"`, or `{ distribution = "lognormal", sigma = 0.385 }`, which may say its source.
fn sizes() -> Shape {
    let sigma = number().with("exclusiveMinimum", 0).with("maximum", 3);
    let laws = word(["fixed", "lognormal", "exponential"]);
    let law = table().need("distribution", laws, "The law of the relative sizes.").key(
        "sigma",
        sigma,
        "lognormal: the standard deviation of ln(size).",
    );
    either([word(["fixed", "exponential"]), origin(law)])
}

/// Each time with its own source, or one source for all of them.
fn cpu() -> Shape {
    const TIMES: [(&str, bool, &str); 6] = [
        ("launch_per_batch", true, "Before the GPU, per batch."),
        ("queue_per_batch", true, "The same, where batches are formed from a queue."),
        ("triton_per_batch", true, "Per batch that Triton forms, in the place of both."),
        ("launch_per_sample", false, "Before the GPU, per sample."),
        ("finish_per_batch", false, "After the GPU, per batch."),
        ("finish_per_sample", false, "After the GPU, per sample."),
    ];
    let time = quantity::<SimDuration>;
    let each = TIMES.into_iter().fold(table(), |table, (key, has_range, about)| {
        let shape = if has_range { ranged(time()) } else { fact(time()) };
        table.key(key, shape, about)
    });
    let of_all = TIMES.into_iter().filter(|(key, ..)| *key != "triton_per_batch");
    let of_all = of_all.fold(table(), |table, (key, _, about)| table.key(key, time(), about));
    either([each, passport(of_all)])
}

/// `[service.<gpu>]`.
fn service() -> Shape {
    let time = || ranged(quantity::<SimDuration>());
    let boost = || number().with("minimum", 1).with("maximum", 2);
    table()
        .key("launch", time(), "Time of a batch on the host before its kernels start; default: 0.")
        .key("host_floor", time(), "The least time of a batch, set by launches; default: 0.")
        .key("phi", ranged(phi()), "The part of the work that fills the GPU; default: 1.")
        .key("phi_limit", ranged(phi()), "The part that stretches under an MPS client's limit.")
        .key("spread", ranged(quantity::<Share>()), "How much batches of one size differ.")
        .key("slice", slice(), "What a GPU instance makes of batches.")
        .key("work", fact(work()), "Times of batches on the whole GPU, by batch size.")
        .key("boost", fact(boost()), "The clock after a pause, over that without; default: 1.")
        .key("machines", fact(quantity::<Share>()), "How much machines differ, 0 to 20 %.")
        .key("watts_per_sm", watts(), "Watts of an SM at the highest clock, in full batches.")
        .key(
            "alternative",
            list(alternative(boost()), ALTERNATIVES_MAX),
            "Sets of numbers that fit nearly as well, each complete.",
        )
}

fn watts() -> Shape {
    ranged(number().with("exclusiveMinimum", 0).with("maximum", 100))
}

/// One for all sizes, or one for each batch size.
fn phi() -> Shape {
    either([quantity::<Share>(), table_of(quantity::<Share>())])
}

fn work() -> Shape {
    table_of(quantity::<SimDuration>())
}

fn slice() -> Shape {
    let time = || ranged(quantity::<SimDuration>());
    let stretch = number().with("minimum", 0).with("maximum", 1.2);
    table()
        .key("launch", time(), "As `launch`, on a slice.")
        .key("weight_read", time(), "The time to read the weights once on the whole GPU.")
        .need("phi", ranged(stretch), "The part of the work that stretches.")
        .key("bandwidth", ranged(quantity::<Share>()), "The part of it that goes with the memory.")
        .key("neighbour_watts_per_sm", watts(), "What neighbours draw that no row names.")
}

fn alternative(boost: Shape) -> Shape {
    let time = quantity::<SimDuration>;
    table()
        .need("residual", quantity::<Share>(), "The error of the set.")
        .need("cpu_launch_per_batch", time(), "As in `cpu`.")
        .need("launch", time(), "As above.")
        .need("host_floor", time(), "As above.")
        .need("phi", phi(), "As above.")
        .need("spread", quantity::<Share>(), "As above.")
        .need("work", work(), "As above.")
        .key("boost", boost, "As above.")
}
