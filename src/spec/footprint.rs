//! GPU memory of one inference server: weights, workspace, inputs and outputs. Whether it fits is
//! checked elsewhere.

use super::{PermitReturn, VmSpec};
use crate::units::Bytes;

/// GPU memory of one server with all its batches: each of its processes loads the weights. A staged batch has no workspace, which belongs to
/// the stream's execution context.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Batches that run at once.
    pub streams: u64,
    /// Batches that wait behind them.
    pub staged: u32,
    /// Inputs and outputs of a sample.
    pub copied: Bytes,
    /// Additional memory per additional sample in every batch.
    pub per_sample: Bytes,
    /// Total memory, with full batches.
    pub need: Bytes,
}

impl Footprint {
    /// The footprint of a guest's server on each of its GPUs.
    pub fn of(vm: &VmSpec) -> Self {
        let (workload, server) = (&vm.workload, &vm.server);
        let staged = match server.permit_return {
            PermitReturn::AtStart => server.slots,
            PermitReturn::AtCompletion => server.slots.saturating_sub(server.streams),
        };
        let streams = u64::from(server.streams);
        let copied = workload.input_per_sample.value + workload.output_per_sample.value;
        let per_sample =
            workload.workspace_per_sample.value * streams + copied * (streams + u64::from(staged));
        let need = workload.weights.value * u64::from(server.processes())
            + per_sample * u64::from(server.batch_max);
        Self { streams, staged, copied, per_sample, need }
    }
}
