//! The assumptions of an answer, in whole sentences.

use super::Asker;
use crate::spec::{Hypervisor, Precision};
use crate::units::SimDuration;

/// The beginning of a sentence about phi.
pub(super) const PHI: &str = "phi";

/// The assumptions, the most important first.
pub(super) fn assumed(asker: &Asker<'_>, hypervisor: &Hypervisor, batch_max: u32) -> Vec<String> {
    let (arguments, model) = (asker.arguments, asker.model);
    let service = model.service();
    let mut told = model.measured.clone();
    if arguments.scaled_from.is_some() && model.workload.service.contains_key(&asker.gpu.id) {
        told.push(format!(
            "{} has its own times on {}: nothing is scaled, and --scaled-from has no effect",
            model.name, asker.gpu.id
        ));
    }
    if model.workload.name != model.name {
        told.push(format!("{} is {}", model.name, model.workload.name));
    }
    let cut =
        asker.ways.iter().any(|way| way.word.starts_with("mig") || way.word.starts_with("mps"));
    if let Some([low, high]) = service.phi.range.as_ref().filter(|_| cut) {
        told.push(format!(
            "{PHI}, the part of a batch that can use the whole GPU, was not measured for {}: {} \
             is assumed, {low} to {high} is possible. Results with MIG and MPS depend on it: with \
             a small phi a slice is nearly as fast as the whole GPU, with phi = 1 its speed is in \
             proportion to its SMs. To know it, time the model once on a MIG slice or with two \
             streams (docs/how-to/calibrate.md)",
            model.name, service.phi.value
        ));
    }
    let stated = if arguments.batch_max.is_some() { "" } else { " (--batch-max)" };
    let batches = match batch_max {
        1 if model.largest_known() == 1 => {
            "one query after the other, for larger batches were not timed".to_string()
        }
        1 => "one query after the other".to_string(),
        most => {
            format!(
                "all waiting queries, up to {most}, form the next batch when the one before \
                is complete"
            )
        }
    };
    told.push(format!(
        "each VM has Triton with one instance: {batches}{stated}; the intervals include the case \
         that the next batch is formed as soon as that one starts (TensorRT without CUDA graphs); \
         no waiting for fuller batches (max_queue_delay 0); queries arrive at random (Poisson), \
         one sample each; latencies are those at the server, without a network"
    ));
    if hypervisor.id != "bare-metal" {
        let speed = &hypervisor.gpu_speed;
        let range = hypervisor.gpu_speed_range.map_or(String::new(), |[low, high]| {
            let part = |ratio: f64| ratio * speed.value * 100.0;
            format!(", {:.1} to {:.1} % possible", part(low), part(high))
        });
        told.push(format!(
            "under {} the GPU does {:.1} % of its work on bare metal{range} (--hypervisor)",
            hypervisor.id,
            speed.value * 100.0
        ));
    }
    let cpu = &model.workload.cpu;
    let no_cpu = cpu.launch_per_batch.value == SimDuration::ZERO
        && cpu.launch_per_sample.value == SimDuration::ZERO
        && cpu.finish_per_sample.value == SimDuration::ZERO;
    told.push(format!(
        "{} vCPUs for each VM on a host that has enough{}",
        arguments.vcpus,
        if no_cpu { "; the model's own CPU work is not known and counted as zero" } else { "" }
    ));
    let bytes = model.workload.weights.value + model.workload.workspace_per_sample.value;
    if bytes == crate::units::Bytes::ZERO {
        told.push(
            "the GPU memory that the model needs is not known, so it is taken to fit \
            (--weights \"2 GB\" for a measured model)"
                .to_string(),
        );
    }
    let weights = model.workload.weights.value;
    if model.scaled_from.is_some() && model.timed_on != asker.gpu.id {
        let format = model.workload.precision.unwrap_or(Precision::Fp16).word();
        told.push(match weights == crate::units::Bytes::ZERO {
            true => format!(
                "its work is scaled as {format} (--number-format), and the fixed time of a batch \
                 as latency, since its weights are not known (--weights)"
            ),
            false => format!(
                "its work is scaled as {format}; of the fixed time of a batch, half the time to \
                 read {weights} of weights scales with the memory bandwidth, the rest is latency"
            ),
        });
    }
    if arguments.bound.is_none() {
        told.push(format!(
            "a bound of {}{} (--bound)",
            asker.bound,
            if model.text.is_none() { ", the model's" } else { "" }
        ));
    }
    told
}
