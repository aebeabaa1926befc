//! `slicewise vgpu list`: the vGPU types of a GPU, as the vendor's tables have them.
//!
//! What the tables do not print is said to be not published; nothing is filled in.

use super::{Failure, good_catalogue, gpu_with_types};
use crate::cli::output;
use crate::layout::registry::default_slice;
use crate::report::{Column, Grid};
use crate::spec::names::Series;
use crate::spec::{GpuSpec, MixedSize, TurnOrder, VgpuType};
use serde_json::{Value, json};
use std::path::Path;

/// Runs the command.
pub(super) fn run(name: &str, json: bool, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = good_catalogue(configs)?;
    let gpu = gpu_with_types(&catalogue, name)?;
    let (source, notes) = catalogue.about_vgpu_types(&gpu.id);
    if json {
        return output::data(&format!("{:#}\n", document(gpu, source, notes)));
    }
    output::data(&output::fitted(&text(gpu, source, notes)))
}

fn text(gpu: &GpuSpec, source: &str, notes: &[String]) -> String {
    let mut text = format!("vGPU types of {} ({})\n", gpu.id, gpu.name);
    let sliced: Vec<_> = gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced()).collect();
    let backed: Vec<_> = gpu.vgpu_types.iter().filter(|vgpu| !vgpu.is_time_sliced()).collect();
    for series in std::iter::once(None).chain(Series::ALL.map(Some)) {
        let types: Vec<_> = sliced.iter().copied().filter(|one| one.series() == series).collect();
        if !types.is_empty() {
            let what = series.map_or(String::new(), in_words);
            text.push_str(&format!(
                "\ntime-sliced{what}; per card: in equal-size mode, in mixed-size mode\n\n"
            ));
            text.push_str(&sliced_table(&types));
        }
    }
    if !backed.is_empty() {
        let series = backed[0].series().map_or(String::new(), in_words);
        text.push_str(&format!("\nMIG-backed{series}; a GPU instance for each vGPU"));
        let shared = backed.iter().any(|vgpu| vgpu.shares_instance());
        text.push_str(if shared { ", or for several in turns\n\n" } else { "\n\n" });
        text.push_str(&backed_table(gpu, &backed, shared));
    }
    text.push('\n');
    for note in notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&format!("source: {source}\n"));
    text
}

/// `, Q series: workstations, licence RTX vWS`.
fn in_words(series: Series) -> String {
    let cuda = if series.runs_cuda() { "" } else { ", no CUDA" };
    let (letter, about, licence) = (series.letter(), series.about(), series.licence());
    format!(", {letter} series: {about}, licence {licence}{cuda}")
}

fn sliced_table(types: &[&VgpuType]) -> String {
    let mut grid = Grid::new(&[
        ("TYPE", Column::Text),
        ("FRAME BUFFER", Column::Number),
        ("EQUAL", Column::Number),
        ("MIXED", Column::Number),
        ("PLACEMENT IDS", Column::Text),
        ("SLICE", Column::Number),
        ("FIXED SHARE", Column::Number),
    ]);
    for vgpu in types {
        grid.line(vec![
            vgpu.name.clone(),
            vgpu.frame_buffer.to_string(),
            vgpu.max_per_gpu.to_string(),
            vgpu.mixed_size.max_per_gpu().map_or("-".to_string(), |most| most.to_string()),
            placements(vgpu),
            slice(vgpu),
            share(vgpu),
        ]);
    }
    grid.finish(crate::cli::output::width())
}

fn backed_table(gpu: &GpuSpec, types: &[&VgpuType], shared: bool) -> String {
    let mut columns = vec![
        ("TYPE", Column::Text),
        ("FRAME BUFFER", Column::Number),
        ("PER CARD", Column::Number),
        ("GPU INSTANCE", Column::Text),
        ("COMPUTE SLICES", Column::Number),
    ];
    if shared {
        columns.push(("PER INSTANCE", Column::Number));
        columns.push(("SLICE", Column::Number));
        columns.push(("FIXED SHARE", Column::Number));
    }
    let mut grid = Grid::new(&columns);
    for vgpu in types {
        let profile = vgpu.profile.as_deref().unwrap_or_default();
        let slices = gpu.mig_profile(profile).map(|profile| profile.compute_slices.to_string());
        let mut cells = vec![
            vgpu.name.clone(),
            vgpu.frame_buffer.to_string(),
            vgpu.max_per_gpu.to_string(),
            profile.to_string(),
            slices.unwrap_or_default(),
        ];
        if shared {
            let turns = vgpu.shares_instance();
            cells.push(vgpu.max_per_instance.to_string());
            cells.push(if turns { slice(vgpu) } else { "-".to_string() });
            cells.push(if turns { share(vgpu) } else { "-".to_string() });
        }
        grid.line(cells);
    }
    grid.finish(crate::cli::output::width())
}

/// The placement ids as `nvidia-smi` writes positions, or why there are none.
pub(super) fn placements(vgpu: &VgpuType) -> String {
    match &vgpu.mixed_size {
        MixedSize::Unsupported => "no mixed-size mode".to_string(),
        MixedSize::NotPublished { .. } => "not published".to_string(),
        MixedSize::Printed { ids, size } => {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            format!("{{{}}}:{size}", ids.join(","))
        }
    }
}

/// How many take turns at most: on the card, or in the GPU instance.
fn most(vgpu: &VgpuType) -> u32 {
    if vgpu.is_time_sliced() { vgpu.max_per_gpu } else { vgpu.max_per_instance }
}

/// The default slice in strict round robin.
fn default_ms(vgpu: &VgpuType) -> f64 {
    let order = TurnOrder::RoundRobin { averaging_factor: 33 };
    default_slice(order, most(vgpu)).as_millis_f64()
}

fn slice(vgpu: &VgpuType) -> String {
    format!("{:.3} ms", default_ms(vgpu))
}

fn share(vgpu: &VgpuType) -> String {
    let percent = format!("{:.2}", vgpu.fixed_share().get() * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

fn document(gpu: &GpuSpec, source: &str, notes: &[String]) -> Value {
    let of_type = |vgpu: &VgpuType| {
        let (ids, size) = vgpu.mixed_size.placements().unzip();
        let turns = vgpu.is_time_sliced() || vgpu.shares_instance();
        json!({
            "name": vgpu.name,
            "kind": if vgpu.is_time_sliced() { "time-sliced" } else { "mig-backed" },
            "series": vgpu.series().map(|series| series.letter()),
            "licence": vgpu.series().map(Series::licence),
            "runs_cuda": vgpu.runs_cuda(),
            "frame_buffer_mib": vgpu.frame_buffer.get() >> 20,
            "max_per_gpu": vgpu.max_per_gpu,
            "mixed_size": match vgpu.mixed_size {
                MixedSize::Unsupported => "unsupported",
                MixedSize::NotPublished { .. } => "not published",
                MixedSize::Printed { .. } => "printed",
            },
            "max_per_gpu_mixed_size": vgpu.mixed_size.max_per_gpu(),
            "placement_ids": ids,
            "placement_size": size,
            "gpu_instance_profile": vgpu.profile,
            "max_per_instance": vgpu.profile.is_some().then_some(vgpu.max_per_instance),
            "fixed_share": turns.then(|| vgpu.fixed_share().get()),
            "slice_default_ms": turns.then(|| default_ms(vgpu)),
        })
    };
    json!({
        "gpu": gpu.id,
        "name": gpu.name,
        "memory_mib": gpu.memory.value.get() >> 20,
        "types": gpu.vgpu_types.iter().map(of_type).collect::<Vec<_>>(),
        "notes": notes,
        "source": source,
    })
}
