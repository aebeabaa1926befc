//! The vGPU types of a GPU, by the vendor's tables.
//!
//! Values that the tables do not print are nothing here; no value is guessed.

use crate::layout::registry::default_slice;
use crate::spec::names::Series;
use crate::spec::{GpuSpec, MixedSize, TurnOrder, VgpuType};
use serde::Serialize;

/// The answer of `slicewise vgpu list`.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuTypes<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// Its full name.
    pub name: &'a str,
    /// Memory of a card in MiB.
    pub memory_mib: u64,
    /// The types, in the order of the tables.
    pub types: Vec<VgpuTypeRow<'a>>,
    /// Notes on the tables.
    pub notes: &'a [String],
    /// The source of the tables.
    pub source: &'a str,
    /// The GPU itself.
    #[serde(skip)]
    pub spec: &'a GpuSpec,
}

/// A vGPU type.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuTypeRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// `time-sliced` or `mig-backed`.
    pub kind: &'static str,
    /// The letter of its series.
    pub series: Option<char>,
    /// The licence that it needs.
    pub licence: Option<&'static str>,
    /// Whether a guest can run CUDA on it.
    pub runs_cuda: bool,
    /// Its frame buffer in MiB.
    pub frame_buffer_mib: u64,
    /// How many a card can have, all of this size.
    pub max_per_gpu: u32,
    /// Whether its placement ids are `printed`, `not published`, or the mode `unsupported`.
    pub mixed_size: &'static str,
    /// How many a card can have in mixed-size mode.
    pub max_per_gpu_mixed_size: Option<u32>,
    /// Its placement ids in mixed-size mode.
    pub placement_ids: Option<&'a [u32]>,
    /// How many ids it covers.
    pub placement_size: Option<u32>,
    /// The GPU instance profile that backs it.
    pub gpu_instance_profile: Option<&'a str>,
    /// How many take turns in a GPU instance.
    pub max_per_instance: Option<u32>,
    /// Its share under fixed share, of the card or of its GPU instance.
    pub fixed_share: Option<f64>,
    /// The default time slice in strict round robin, in milliseconds.
    pub slice_default_ms: Option<f64>,
    /// The type itself.
    #[serde(skip)]
    pub spec: &'a VgpuType,
}

/// The types of a GPU; `source` and `notes` are those of its table.
pub fn vgpu_types<'a>(gpu: &'a GpuSpec, source: &'a str, notes: &'a [String]) -> VgpuTypes<'a> {
    VgpuTypes {
        gpu: &gpu.id,
        name: &gpu.name,
        memory_mib: gpu.memory.value.get() >> 20,
        types: gpu.vgpu_types.iter().map(row).collect(),
        notes,
        source,
        spec: gpu,
    }
}

fn row(vgpu: &VgpuType) -> VgpuTypeRow<'_> {
    let (placement_ids, placement_size) = vgpu.mixed_size.placements().unzip();
    let turns = vgpu.is_time_sliced() || vgpu.shares_instance();
    // How many take turns at most: on the card, or in the GPU instance.
    let most = if vgpu.is_time_sliced() { vgpu.max_per_gpu } else { vgpu.max_per_instance };
    let order = TurnOrder::RoundRobin { averaging_factor: 33 };
    VgpuTypeRow {
        name: &vgpu.name,
        kind: if vgpu.is_time_sliced() { "time-sliced" } else { "mig-backed" },
        series: vgpu.series().map(Series::letter),
        licence: vgpu.series().map(Series::licence),
        runs_cuda: vgpu.runs_cuda(),
        frame_buffer_mib: vgpu.frame_buffer.get() >> 20,
        max_per_gpu: vgpu.max_per_gpu,
        mixed_size: match vgpu.mixed_size {
            MixedSize::Unsupported => "unsupported",
            MixedSize::NotPublished { .. } => "not published",
            MixedSize::Printed { .. } => "printed",
        },
        max_per_gpu_mixed_size: vgpu.mixed_size.max_per_gpu(),
        placement_ids,
        placement_size,
        gpu_instance_profile: vgpu.profile.as_deref(),
        max_per_instance: vgpu.profile.is_some().then_some(vgpu.max_per_instance),
        fixed_share: turns.then(|| vgpu.fixed_share().get()),
        slice_default_ms: turns.then(|| default_slice(order, most).as_millis_f64()),
        spec: vgpu,
    }
}

/// The placement ids as `nvidia-smi` writes positions, or why there are none.
pub fn placements(vgpu: &VgpuType) -> String {
    match &vgpu.mixed_size {
        MixedSize::Unsupported => "no mixed-size mode".to_string(),
        MixedSize::NotPublished { .. } => "not published".to_string(),
        MixedSize::Printed { ids, size } => {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            format!("{{{}}}:{size}", ids.join(","))
        }
    }
}
