//! What is known of a batch's path before the run: which stages can take it any time, and where it can
//! find a gate closed. The path itself is in `route`.

use crate::record::Stage;
use crate::spec::{Completion, Experiment, PermitReturn, ServedBy, ServerSpec, VmSpec};
use crate::units::{Bytes, SimDuration};

/// The stages in which a batch can take any time, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    next: [Option<Stage>; Stage::ALL.len()],
}

impl Course {
    /// From the batcher through `stages`.
    fn new(stages: impl Iterator<Item = Stage>) -> Self {
        let mut course = Self { next: [None; Stage::ALL.len()] };
        let mut last = Stage::Batcher;
        for stage in stages {
            course.next[last as usize] = Some(stage);
            last = stage;
        }
        course
    }

    /// That of a guest that stands still: what is launched runs on the GPU, and nothing else goes on.
    pub(super) fn halted() -> Self {
        let mut course = Self { next: [None; Stage::ALL.len()] };
        course.next[Stage::Stream as usize] = Some(Stage::Gpu);
        course
    }

    /// The stage after another; nothing at the end.
    pub(super) fn after(&self, stage: Stage) -> Option<Stage> {
        self.next[stage as usize]
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.next.contains(&Some(stage))
    }
}

/// CPU work around a batch, on one vCPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuWork {
    per_batch: SimDuration,
    per_sample: SimDuration,
    /// The host's times are so many times those that were measured.
    slowdown: f64,
}

impl CpuWork {
    pub(super) fn is_none(&self) -> bool {
        self.per_batch == SimDuration::ZERO && self.per_sample == SimDuration::ZERO
    }

    pub(super) fn of(&self, samples: usize) -> SimDuration {
        (self.per_batch + self.per_sample * samples as u64).scale(self.slowdown)
    }
}

/// Whether batches of a server can wait for a stream: not, where a stream belongs to the permit that a
/// batch holds to its end.
pub(super) fn has_gates(vm: &VmSpec) -> bool {
    let server = &vm.server;
    !(holds_permits(server) && server.slots == server.streams)
}

/// Whether a batch holds its permit to its end.
pub(super) fn holds_permits(server: &ServerSpec) -> bool {
    server.permit_return == PermitReturn::AtCompletion
        && server.completion != Completion::PreserveOrdering
}

/// The stages in which batches of a server on a GPU can take any time. The only stream of a GPU instance
/// has no other batch to hide a launch behind: there a batch is launched when the one before it is
/// complete (`stages_after`).
pub(super) fn course(
    vm: &VmSpec,
    experiment: &Experiment,
    (launch, finish): (CpuWork, CpuWork),
    (has_gates, stages_after): (bool, bool),
) -> Course {
    // Whoever would go on is stopped by a stall, with work or without.
    let has_stalls = experiment.host(experiment.host_of(&vm.gpus)).stalls.is_some();
    let copies = |bytes: Bytes| bytes > Bytes::ZERO;
    let (input, output) = (&vm.workload.input_per_sample, &vm.workload.output_per_sample);
    let takes_time = |stage: &Stage| match stage {
        Stage::Batcher => false,
        Stage::Launch => has_stalls || !launch.is_none(),
        Stage::Submission => experiment.hypervisor.submission_latency.value > SimDuration::ZERO,
        Stage::CopyIn => !vm.server.start_from_device && copies(input.value),
        Stage::Stream => has_gates,
        Stage::Gpu => true,
        Stage::CopyOut => copies(output.value),
        Stage::Order => match vm.server.completion {
            Completion::Any => false,
            // One at a time is in order.
            Completion::IssueOrder => vm.server.slots > 1 || !holds_permits(&vm.server),
            Completion::PreserveOrdering => true,
        },
        Stage::Finish => has_stalls || !finish.is_none(),
    };
    let stream_first = stages_after.then_some(Stage::Stream);
    let others = Stage::ALL.iter().map(|(stage, _)| *stage);
    let others = others.filter(|stage| !(stages_after && *stage == Stage::Stream));
    Course::new(stream_first.into_iter().chain(others).filter(takes_time))
}

/// The CPU work of a server's batches before the GPU and after it.
pub(super) fn cpu_work(
    vm: &VmSpec,
    experiment: &Experiment,
    stages_after: bool,
) -> (CpuWork, CpuWork) {
    let container = vm.container_overhead.as_ref().map_or(0.0, |part| part.value.get());
    let slowdown = (1.0 + container) / experiment.hypervisor.cpu_speed.value;
    let of = |per_batch, per_sample| CpuWork { per_batch, per_sample, slowdown };
    if let Some(llm) = &vm.llm {
        // Of a step: its samples are the sequences that get a token.
        let (engine, none) = (&llm.engine, SimDuration::ZERO);
        return (of(engine.host_per_step.value, engine.host_per_sequence.value), of(none, none));
    }
    let cpu = &vm.workload.cpu;
    // What is in series on a slice's only stream is the law's, whoever formed the batch.
    let served_by = if stages_after { ServedBy::Harness } else { vm.server.served_by };
    let before = match vm.load.scenario.has_queue() {
        true => cpu.of_a_queue(served_by),
        false => cpu.launch_per_batch.value,
    };
    let launch = of(before, cpu.launch_per_sample.value);
    (launch, of(cpu.finish_per_batch.value, cpu.finish_per_sample.value))
}
