//! `slicewise mig layouts`: every legal layout of a GPU, or only those that nothing can be added to.
//!
//! They are enumerated from the printed positions; nothing is assumed about how often each is used.

use super::ask::unknown;
use super::{Failure, LayoutsArgs};
use crate::cli::output;
use crate::config::Catalogue;
use crate::layout::geometry::{Geometry, Positioned};
use crate::spec::GpuSpec;
use crate::spec::names::find_profile;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs the command.
pub(super) fn run(
    arguments: &LayoutsArgs,
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<(), Failure> {
    let mut without = Vec::new();
    for name in &arguments.without {
        match find_profile(&gpu.mig_profiles, name) {
            Some(part) => without.push(part.profile),
            None => return Err(unknown(name, gpu, catalogue)),
        }
    }
    let geometry = Geometry::new(&gpu.mig_profiles);
    let among = |profile: usize| {
        !without.contains(&profile)
            && (arguments.variants || !gpu.mig_profiles[profile].is_variant())
    };
    let found = Found::of(&geometry, &among);
    output::data(&match arguments.json {
        true => format!("{:#}\n", document(gpu, &geometry, &found, arguments)),
        false => output::fitted(&text(gpu, &geometry, &found, arguments)),
    })
}

/// Every layout, and which are maximal.
struct Found {
    all: Vec<(Vec<Positioned>, bool)>,
}

impl Found {
    fn of(geometry: &Geometry<'_>, among: &dyn Fn(usize) -> bool) -> Self {
        let layouts = geometry.layouts(among).into_iter();
        let all = layouts.map(|layout| {
            let is_maximal = geometry.is_maximal(&layout, among);
            (layout, is_maximal)
        });
        Self { all: all.collect() }
    }

    fn shown(&self, only_maximal: bool) -> impl Iterator<Item = &Vec<Positioned>> {
        self.all.iter().filter(move |(_, maximal)| *maximal || !only_maximal).map(|(one, _)| one)
    }

    /// The layouts by what they have, most first, with how many there are of each.
    fn sets(&self, geometry: &Geometry<'_>, only_maximal: bool) -> Vec<(Vec<u32>, usize)> {
        let mut sets: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        for layout in self.shown(only_maximal) {
            *sets.entry(geometry.counts(layout)).or_insert(0) += 1;
        }
        sets.into_iter().rev().collect()
    }
}

/// Layouts, maximal ones, sets of these: the three figures of a GPU.
fn counts(geometry: &Geometry<'_>, found: &Found) -> (usize, usize, usize) {
    (found.all.len(), found.shown(true).count(), found.sets(geometry, true).len())
}

fn text(gpu: &GpuSpec, geometry: &Geometry<'_>, found: &Found, arguments: &LayoutsArgs) -> String {
    let (all, maximal, sets) = counts(geometry, found);
    let mut text = format!(
        "{}: {all} legal layouts, the empty one included; {maximal} that nothing can be added to, of {sets} sets of instances\n",
        gpu.name
    );
    text.push_str("compute  memory  SMs  layout\n");
    let mut push = |counts: &[u32], words: String| {
        let sms: Option<u32> = geometry
            .profiles
            .iter()
            .zip(counts)
            .filter(|(_, count)| **count > 0)
            .map(|(one, count)| one.sms.map(|sms| sms * count))
            .sum();
        let compute = format!("{}/{}", geometry.compute_of(counts), geometry.compute_slices);
        let memory = format!("{}/{}", geometry.memory_of(counts), geometry.memory_slices);
        let sms = sms.map_or("-".to_string(), |sms| sms.to_string());
        text.push_str(&format!("{compute:>7}  {memory:>6}  {sms:>3}  {words}\n"));
    };
    if arguments.sets {
        for (counts, layouts) in found.sets(geometry, arguments.maximal) {
            let names = geometry.profiles.iter().zip(&counts).filter(|(_, count)| **count > 0);
            let names: Vec<String> =
                names.map(|(one, count)| format!("{count} x {}", one.name)).collect();
            let ways = if layouts == 1 { String::new() } else { format!(" ({layouts} layouts)") };
            let names = if names.is_empty() { "nothing".to_string() } else { names.join(", ") };
            push(&counts, names + &ways);
        }
    } else {
        for layout in found.shown(arguments.maximal) {
            let names: Vec<String> = layout
                .iter()
                .map(|&(profile, start)| format!("{start}:{}", geometry.profiles[profile].name))
                .collect();
            let names = if names.is_empty() { "nothing".to_string() } else { names.join("  ") };
            push(&geometry.counts(layout), names);
        }
    }
    if gpu.mig_profiles.iter().any(|one| !one.is_printed) {
        text.push_str("note: positions are inferred, not printed for this board\n");
    }
    text
}

fn document(
    gpu: &GpuSpec,
    geometry: &Geometry<'_>,
    found: &Found,
    arguments: &LayoutsArgs,
) -> Value {
    let (all, maximal, sets) = counts(geometry, found);
    let name = |profile: usize| geometry.profiles[profile].name.as_str();
    let rows: Vec<Value> = if arguments.sets {
        let sets = found.sets(geometry, arguments.maximal).into_iter();
        let instances = |counts: Vec<u32>| -> Vec<Value> {
            let some = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
            some.map(|(profile, count)| json!({ "profile": name(profile), "count": count }))
                .collect()
        };
        sets.map(|(counts, layouts)| json!({ "instances": instances(counts), "layouts": layouts }))
            .collect()
    } else {
        let layouts = found.shown(arguments.maximal);
        let instances = |layout: &Vec<Positioned>| -> Vec<Value> {
            let all = layout.iter();
            all.map(|&(profile, start)| json!({ "profile": name(profile), "start": start }))
                .collect()
        };
        layouts.map(|layout| json!({ "instances": instances(layout) })).collect()
    };
    json!({
        "gpu": gpu.id,
        "layouts_total": all,
        "maximal_total": maximal,
        "maximal_sets_total": sets,
        "rows": rows,
    })
}
