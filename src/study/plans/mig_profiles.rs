//! The GPU instance profiles of a GPU and how many of each are free; the compute instances of one.

use super::gib;
use crate::layout::compute_instances::{compute_profiles, name};
use crate::layout::cutting::rest;
use crate::layout::geometry::{Geometry, Positioned};
use crate::spec::{GpuSpec, MediaEngines, MigProfile};
use serde::Serialize;

/// The answer of `slicewise mig list`.
#[derive(Clone, Debug, Serialize)]
pub struct MigProfiles<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// Its full name.
    pub name: &'a str,
    /// Compute slices of a card.
    pub compute_slices: u32,
    /// Memory slices of a card.
    pub memory_slices: u32,
    /// Smallest first, a variant behind its namesake: the order of nvidia-smi.
    pub profiles: Vec<MigProfileRow<'a>>,
    /// The source of the table.
    pub source: &'a str,
}

/// A GPU instance profile. Values that are not published are nothing.
#[derive(Clone, Debug, Serialize)]
pub struct MigProfileRow<'a> {
    /// Its name.
    pub profile: &'a str,
    /// The id by which nvidia-smi takes it.
    pub id: u32,
    /// How many could be created beside the existing instances.
    pub instances_free: u32,
    /// How many an empty card can have.
    pub instances_total: u32,
    /// Memory of one in GiB.
    pub memory_gib: Option<f64>,
    /// Whether it has peer-to-peer access to other GPUs: none has.
    pub p2p: bool,
    /// Streaming multiprocessors of one.
    pub sms: Option<u32>,
    /// Its copy engines.
    pub copy_engines: u32,
    /// Its engines for video and images.
    #[serde(flatten)]
    pub media: MediaEngines,
    /// Its compute slices.
    pub compute_slices: u32,
    /// Its memory slices.
    pub memory_slices: u32,
    /// The memory slices at which it may start.
    pub starts: &'a [u32],
    /// Whether these are `printed` for this board, or `inferred`.
    pub positions: &'static str,
    /// The profile itself.
    #[serde(skip)]
    pub spec: &'a MigProfile,
}

/// The profiles of a GPU beside existing instances; `source` is the source of its table.
pub fn mig_profiles<'a>(
    gpu: &'a GpuSpec,
    there: &[Positioned],
    source: &'a str,
) -> MigProfiles<'a> {
    let geometry = Geometry::new(&gpu.mig_profiles);
    let row = |(one, free): (&'a MigProfile, u32)| MigProfileRow {
        profile: &one.name,
        id: one.id,
        instances_free: free,
        instances_total: one.max_per_gpu,
        memory_gib: one.frame_buffer.map(gib),
        p2p: false,
        sms: one.sms,
        copy_engines: one.copy_engines,
        media: one.media,
        compute_slices: one.compute_slices,
        memory_slices: one.memory_slices,
        starts: &one.starts,
        positions: if one.is_printed { "printed" } else { "inferred" },
        spec: one,
    };
    let mut profiles: Vec<MigProfileRow<'a>> =
        gpu.mig_profiles.iter().zip(rest(&geometry, there).room).map(row).collect();
    profiles
        .sort_by_key(|one| (one.compute_slices, one.memory_slices, one.spec.is_variant(), one.id));
    MigProfiles {
        gpu: &gpu.id,
        name: &gpu.name,
        compute_slices: geometry.compute_slices,
        memory_slices: geometry.memory_slices,
        profiles,
        source,
    }
}

/// The answer of `slicewise mig list --gi`.
#[derive(Clone, Debug, Serialize)]
pub struct ComputeInstances<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// The GPU instance profile that they are in.
    pub gpu_instance: &'a str,
    /// The profiles, smallest first.
    pub compute_instances: Vec<ComputeInstanceRow>,
    /// The GPU instance profile itself.
    #[serde(skip)]
    pub spec: &'a MigProfile,
}

/// A compute instance profile.
#[derive(Clone, Debug, Serialize)]
pub struct ComputeInstanceRow {
    /// Its name: `1c.3g.20gb`.
    pub compute_instance: String,
    /// The id by which nvidia-smi takes it.
    pub id: u32,
    /// How many a GPU instance can have.
    pub instances_total: u32,
    /// Its compute slices.
    pub compute_slices: u32,
    /// Its streaming multiprocessors, if published.
    pub sms: Option<u32>,
    /// Whether it is created by default.
    pub is_default: bool,
}

/// The compute instances of a GPU instance profile, by its index.
pub fn compute_instances(gpu: &GpuSpec, profile: usize) -> ComputeInstances<'_> {
    let spec = &gpu.mig_profiles[profile];
    let kinds = compute_profiles(&Geometry::new(&gpu.mig_profiles), spec).into_iter();
    let rows = kinds.map(|one| ComputeInstanceRow {
        compute_instance: name(spec, one.compute_slices),
        id: one.id,
        instances_total: one.most,
        compute_slices: one.compute_slices,
        sms: one.sms,
        is_default: one.is_default,
    });
    let compute_instances = rows.collect();
    ComputeInstances { gpu: &gpu.id, gpu_instance: &spec.name, compute_instances, spec }
}
