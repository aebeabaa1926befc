//! The answers of planning, without simulation: GPU instances and vGPUs on cards.
//!
//! An answer is a plain struct that serialises as the document of its command, fields sorted by
//! name; additional data for its text is skipped there. Places are found in `layout`.

mod mig_layouts;
mod mig_place;
mod mig_profiles;
mod registry_word;
mod vgpu_beside;
mod vgpu_card;
mod vgpu_fit;
mod vgpu_setup;
mod vgpu_types;

pub use mig_layouts::{LayoutRow, LayoutsWanted, MigLayouts, mig_layouts};
pub use mig_place::{
    AskedInstance, CardDrawing, InstanceInside, MadeAgain, MigCard, MigChange, MigInstance,
    MigMade, MigNotThere, MigPlan, MigRefused, Slices, Sms, mig_lie, mig_plan,
};
pub use mig_profiles::{
    ComputeInstanceRow, ComputeInstances, MigProfileRow, MigProfiles, compute_instances,
    mig_profiles,
};
pub use registry_word::{DefaultSlices, RegistryAnswer, SettingCommand, registry_word};
pub use vgpu_beside::{BesideChange, BesidePlan, TypeAt, VgpuBeside, listed, vgpu_beside};
pub use vgpu_card::{Block, CardVgpus, VgpuRoom, memory};
pub use vgpu_fit::{
    CandidateType, CardsNeeded, CountedType, NoVgpuType, PlannedCard, PlannedVgpu, SetupCommands,
    VGPU_CARDS_MAX, VgpuCards, VgpuFit, VgpuGroup,
};
pub use vgpu_types::{VgpuTypeRow, VgpuTypes, placements, vgpu_types};

use crate::layout::geometry::Positioned;
use crate::spec::MigProfile;
use crate::units::Bytes;
use serde::Serialize;

/// A count of GPU instances of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct CountedProfile<'a> {
    /// GPU instance profile.
    pub profile: &'a str,
    /// How many.
    pub count: u32,
}

impl<'a> CountedProfile<'a> {
    /// Those of which there are some, by index.
    fn of(profiles: &'a [MigProfile], counts: &[u32]) -> Vec<Self> {
        let some = profiles.iter().zip(counts).filter(|(_, count)| **count > 0);
        some.map(|(one, count)| Self { profile: &one.name, count: *count }).collect()
    }
}

/// A GPU instance at its place.
#[derive(Clone, Debug, Serialize)]
pub struct PlacedProfile<'a> {
    /// GPU instance profile.
    pub profile: &'a str,
    /// Its first memory slice.
    pub start: u32,
}

impl<'a> PlacedProfile<'a> {
    fn of(profiles: &'a [MigProfile], layout: &[Positioned]) -> Vec<Self> {
        let named = |&(one, start): &Positioned| Self { profile: &profiles[one].name, start };
        layout.iter().map(named).collect()
    }
}

/// Memory in GiB, as nvidia-smi counts it.
fn gib(bytes: Bytes) -> f64 {
    const BYTES_PER_GIB: f64 = (1u64 << 30) as f64;
    bytes.get() as f64 / BYTES_PER_GIB
}
