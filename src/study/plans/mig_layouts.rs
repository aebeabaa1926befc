//! Every legal layout of a GPU, or only the maximal ones, to which no instance can be added.
//!
//! They are enumerated from the printed positions; nothing is assumed about how often each is used.

use super::{CountedProfile, PlacedProfile};
use crate::layout::geometry::{Geometry, Positioned};
use crate::spec::GpuSpec;
use serde::Serialize;
use std::collections::BTreeMap;

/// The selection of layouts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LayoutsWanted {
    /// Only maximal layouts, to which no instance can be added.
    pub maximal: bool,
    /// One row for layouts that have the same instances.
    pub sets: bool,
    /// Profiles left out, by index.
    pub without: Vec<usize>,
    /// Whether variants such as +me are listed separately from their plain profiles.
    pub variants: bool,
}

/// The answer of `slicewise mig layouts`.
#[derive(Clone, Debug, Serialize)]
pub struct MigLayouts<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// How many layouts there are, the empty one included.
    pub layouts_total: usize,
    /// How many of them are maximal.
    pub maximal_total: usize,
    /// How many different sets of instances the maximal ones have.
    pub maximal_sets_total: usize,
    /// The selected layouts.
    pub rows: Vec<LayoutRow<'a>>,
    /// The GPU itself.
    #[serde(skip)]
    pub spec: &'a GpuSpec,
}

/// A layout, or several with the same instances.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum LayoutRow<'a> {
    /// One layout.
    One {
        /// Its instances, in order of their place.
        instances: Vec<PlacedProfile<'a>>,
        /// How many of each profile, by index.
        #[serde(skip)]
        counts: Vec<u32>,
    },
    /// Several with the same instances.
    Set {
        /// What they have.
        instances: Vec<CountedProfile<'a>>,
        /// How many layouts these are.
        layouts: usize,
        /// How many of each profile, by index.
        #[serde(skip)]
        counts: Vec<u32>,
    },
}

/// The layouts of a GPU.
pub fn mig_layouts<'a>(gpu: &'a GpuSpec, wanted: &LayoutsWanted) -> MigLayouts<'a> {
    let profiles = &gpu.mig_profiles;
    let geometry = Geometry::new(profiles);
    let among = |profile: usize| {
        !wanted.without.contains(&profile) && (wanted.variants || !profiles[profile].is_variant())
    };
    let all = geometry.layouts(&among);
    let maximal: Vec<&Vec<Positioned>> =
        all.iter().filter(|layout| geometry.is_maximal(layout, &among)).collect();
    let shown = if wanted.maximal { maximal.clone() } else { all.iter().collect() };
    let rows = match wanted.sets {
        true => {
            let sets = sets(&geometry, &shown).into_iter().rev();
            let row = |(counts, layouts): (Vec<u32>, usize)| LayoutRow::Set {
                instances: CountedProfile::of(profiles, &counts),
                layouts,
                counts,
            };
            sets.map(row).collect()
        }
        false => {
            let row = |layout: &&Vec<Positioned>| LayoutRow::One {
                instances: PlacedProfile::of(profiles, layout),
                counts: geometry.counts(layout),
            };
            shown.iter().map(row).collect()
        }
    };
    MigLayouts {
        gpu: &gpu.id,
        layouts_total: all.len(),
        maximal_total: maximal.len(),
        maximal_sets_total: sets(&geometry, &maximal).len(),
        rows,
        spec: gpu,
    }
}

/// Layouts by what they have, least first, with how many there are of each.
fn sets(geometry: &Geometry<'_>, layouts: &[&Vec<Positioned>]) -> BTreeMap<Vec<u32>, usize> {
    let mut sets = BTreeMap::new();
    for layout in layouts {
        *sets.entry(geometry.counts(layout)).or_insert(0) += 1;
    }
    sets
}
