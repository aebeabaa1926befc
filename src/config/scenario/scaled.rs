//! `scaled_from` of a VM: service times of another GPU, scaled, for a GPU that has none of its own.
//!
//! They are scaled in `gpu::scaling`; here the other GPU is chosen, and impossible cases are
//! refused.

use crate::config::catalogue::Catalogue;
use crate::config::text::{Diagnostic, Value};
use crate::gpu::scaling::{self, Place};
use crate::spec::{GpuSpec, Workload};

/// The word for the nearest GPU, where one has no times of its own.
const AUTO: &str = "auto";

/// Adds to a workload its service times on these GPUs, scaled from another GPU. `scaled_from =
/// "auto"` means the nearest GPU that has numbers, and only for GPUs that have none; the name of a
/// GPU means its numbers in any case.
pub(crate) fn add<'m>(
    workload: &mut Workload,
    gpus: impl Iterator<Item = &'m GpuSpec>,
    value: &Value<'_>,
    catalogue: &Catalogue,
) -> Option<()> {
    let word = value.text()?;
    let measured: Vec<&GpuSpec> =
        workload.service.keys().filter_map(|id| catalogue.gpu(id)).collect();
    let named = measured.iter().copied().find(|gpu| gpu.id == word);
    if word != AUTO && named.is_none() {
        let ids = measured.iter().map(|gpu| gpu.id.as_str());
        let what = format!("GPU with service times of {}", workload.id);
        value.unknown(&what, word, ids.chain([AUTO]));
        return None;
    }
    for gpu in gpus {
        let is_known = workload.service.contains_key(&gpu.id);
        if named.map_or(is_known, |named| named.id == gpu.id) {
            continue;
        }
        let near =
            || scaling::nearest(&Place::whole(gpu), measured.iter().copied(), workload.precision);
        let from = named.or_else(near);
        let Some(service) = from.and_then(|from| scaling::scaled(workload, from, gpu)) else {
            value.report(without_rates(value, workload, named, gpu));
            return None;
        };
        workload.service.insert(gpu.id.clone(), service);
    }
    Some(())
}

/// That a tensor rate is missing: of the GPU, or of all that were measured.
fn without_rates(
    value: &Value<'_>,
    workload: &Workload,
    named: Option<&GpuSpec>,
    gpu: &GpuSpec,
) -> Diagnostic {
    let has_rate =
        |gpu: &GpuSpec| gpu.tensor_int8_tops.is_some() || gpu.tensor_fp16_tflops.is_some();
    let of = match (has_rate(gpu), named) {
        (false, _) => gpu.id.clone(),
        (true, Some(named)) => named.id.clone(),
        (true, None) => workload.service.keys().cloned().collect::<Vec<_>>().join(", "),
    };
    let title = format!(
        "service times of \"{}\" cannot be scaled to \"{}\": the tensor rate of {of} is not known",
        workload.id, gpu.id
    );
    let help = "write tensor_fp16_tflops (10^12 per second, without sparsity; the data sheet has it), and tensor_int8_tops for int8, into the GPU's file";
    Diagnostic::at(&value.spot(), title).help(help)
}
