//! What an engine comes to for all that asks for no tokens: a workload and a server, whose batches are steps.

use crate::spec::{
    BatchRule, Completion, CpuWork, Dispatch, Fact, GpuSharing, Launches, LlmSpec, PermitReturn,
    PhiTable, Queues, ServedBy, ServerSpec, ServiceTime, SizeDistribution, Standing, StepRates,
    TimeoutFrom, WorkTable, Workload, usual_energy_once,
};
use crate::units::{Bytes, Share, SimDuration};

/// Why a number of a workload means nothing here.
const OF_STEPS: &str = "assumed: nothing, as steps of an LLM say what they cost";

/// The workload and the server of an engine that takes so much memory.
pub(super) fn of(spec: &LlmSpec, memory: Bytes) -> (Workload, ServerSpec) {
    (workload(spec, memory), server(spec))
}

fn workload(spec: &LlmSpec, memory: Bytes) -> Workload {
    let model = &spec.model;
    let weights = Bytes::new(model.weight_bytes(spec.weights) as u64);
    // All that the engine takes is told by weights and batches together.
    let beside = memory.get().saturating_sub(weights.get());
    let per_sequence = Bytes::new(beside / u64::from(spec.engine.max_num_seqs));
    let none = || Fact::assumed(Bytes::ZERO, OF_STEPS);
    let no_time = || Fact::assumed(SimDuration::ZERO, OF_STEPS);
    let service = spec.laws.iter().map(|(gpu, rates)| (gpu.clone(), service(spec, rates)));
    Workload {
        id: model.id.clone(),
        name: model.name.clone(),
        benchmark: None,
        precision: None,
        target_latency: Fact::assumed(super::llm_load::NO_BOUND, OF_STEPS),
        sizes: Fact::assumed(SizeDistribution::Fixed, OF_STEPS),
        weights: Fact {
            standing: Standing::Documented,
            ..Fact::assumed(weights, format!("by {}", model.source))
        },
        workspace_per_sample: Fact::assumed(per_sequence, "the rest of what the engine takes"),
        input_per_sample: none(),
        output_per_sample: none(),
        energy_once: usual_energy_once(),
        cpu: CpuWork {
            launch_per_batch: no_time(),
            queue_per_batch: no_time(),
            triton_per_batch: None,
            launch_per_sample: no_time(),
            finish_per_batch: no_time(),
            finish_per_sample: no_time(),
        },
        service: service.collect(),
    }
}

/// About a step of one token: its weights read once, and computed with where that takes longer.
fn service(spec: &LlmSpec, rates: &StepRates) -> ServiceTime {
    const ROUGH: &str =
        "about a step of one token of each sequence: weights read once, or computed with";
    let bytes = spec.model.weight_bytes(spec.weights);
    let read = bytes / (rates.weights.value * 1e9);
    let sequences = spec.engine.max_num_seqs;
    let parameters = spec.model.active_parameters() + spec.model.head_parameters();
    let computed = 2.0 * parameters * f64::from(sequences) / (rates.compute.value * 1e12);
    let time = |seconds: f64| SimDuration::from_secs_f64(seconds).max(SimDuration::from_nanos(1));
    let mut points = vec![(1, time(read))];
    if sequences > 1 {
        points.push((sequences, time(read.max(computed))));
    }
    let work = WorkTable::new(points).expect("sizes rise, and times do not fall");
    let Fact { source, standing, .. } = &rates.weights;
    let work = Fact { standing: *standing, ..Fact::assumed(work, format!("{ROUGH}; {source}")) };
    let no_time = || Fact::assumed(SimDuration::ZERO, OF_STEPS);
    ServiceTime {
        launch: no_time(),
        host_floor: no_time(),
        phi: Fact::assumed(PhiTable::constant(Share::WHOLE), OF_STEPS),
        phi_limit: None,
        slice: None,
        spread: Fact::assumed(Share::NONE, OF_STEPS),
        work,
        boost: Fact::assumed(1.0, OF_STEPS),
        watts_per_sm: None,
        machines: None,
        alternatives: Vec::new(),
        scaled: None,
    }
}

/// One batch at a time, which is a step, launched as one CUDA graph.
fn server(spec: &LlmSpec) -> ServerSpec {
    ServerSpec {
        preset: spec.engine.preset.to_string(),
        served_by: ServedBy::Harness,
        batch_max: spec.engine.max_num_seqs,
        streams: 1,
        slots: 1,
        processes: 1,
        batch_rule: BatchRule::Available,
        timeout: None,
        timeout_from: TimeoutFrom::Oldest,
        max_queue_delay: SimDuration::ZERO,
        preferred: Vec::new(),
        queues: Queues::default(),
        dispatch: Dispatch::LongestIdle,
        call_wake: None,
        call_time: SimDuration::ZERO,
        permit_return: PermitReturn::AtCompletion,
        permit_is_open: false,
        gpu_sharing: GpuSharing::InOrder,
        launches: Launches::Graph,
        completion: Completion::Any,
        sort_samples: false,
        start_from_device: true,
        soft_drop: Share::WHOLE,
    }
}
