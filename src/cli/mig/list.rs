//! `slicewise mig list`: GPU instance profiles and their positions, or the compute instances of one,
//! in the shape in which `nvidia-smi` prints them.
//!
//! What is free is counted from positions beside the instances that are named, else all is.

use super::ask::{asked, unknown};
use super::{Failure, ListArgs};
use crate::cli::output;
use crate::config::Catalogue;
use crate::layout::compute_instances::{ComputeProfile, compute_profiles, name};
use crate::layout::cutting::{Cut, cut, rest};
use crate::layout::geometry::{Geometry, Positioned};
use crate::report::{Column, Grid};
use crate::spec::names::find_profile;
use crate::spec::{GpuSpec, MigProfile};
use crate::units::Bytes;
use serde_json::{Value, json};

const BYTES_PER_GIB: f64 = (1u64 << 30) as f64;

/// Runs the command.
pub(super) fn run(
    arguments: &ListArgs,
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<(), Failure> {
    let geometry = Geometry::new(&gpu.mig_profiles);
    if let Some(name) = &arguments.gi {
        let Some(part) = find_profile(&gpu.mig_profiles, name) else {
            return Err(unknown(name, gpu, catalogue));
        };
        let gi = &gpu.mig_profiles[part.profile];
        let kinds = compute_profiles(&geometry, gi);
        return output::data(&match arguments.json {
            true => format!("{:#}\n", compute_document(gpu, gi, &kinds)),
            false => compute_text(gi, &kinds),
        });
    }
    let Some(taken) = taken(&arguments.beside, gpu, catalogue)? else {
        return no_layout(&arguments.beside, arguments.json, gpu);
    };
    let rows = rows(gpu, &rest(&geometry, &taken).room);
    let source = catalogue.mig_source(&gpu.id);
    output::data(&match arguments.json {
        true => format!("{:#}\n", document(gpu, &rows, source)),
        false => output::fitted(&text(gpu, &rows, source)),
    })
}

/// Where the instances lie that are there already; nothing where no layout has them.
pub(super) fn taken(
    words: &[String],
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<Option<Vec<Positioned>>, Failure> {
    let wishes: Vec<_> = asked(words, gpu, catalogue)?.iter().map(|one| one.wish).collect();
    Ok(match cut(&Geometry::new(&gpu.mig_profiles), &wishes, 1) {
        Cut::Made { cards, .. } => Some(cards.into_iter().flatten().map(|made| made.at).collect()),
        Cut::Refused(_) => None,
    })
}

/// The answer no: what `--beside` names cannot be there.
pub(super) fn no_layout(beside: &[String], json: bool, gpu: &GpuSpec) -> Result<(), Failure> {
    let id = &gpu.id;
    output::data(&match json {
        true => format!("{:#}\n", json!({ "gpu": id, "beside": beside, "fits": false })),
        false => output::fitted(&format!(
            "no layout of {id} holds what --beside names\n\nhelp: `slicewise mig place {id} {}` says why\n",
            beside.join(" ")
        )),
    })?;
    Err(Failure::AnsweredNo)
}

/// A profile, and how many of it are free.
type Row<'a> = (&'a MigProfile, u32);

/// Smallest first, a variant behind its namesake: the order of nvidia-smi.
fn rows<'a>(gpu: &'a GpuSpec, room: &[u32]) -> Vec<Row<'a>> {
    let mut all: Vec<Row<'_>> = gpu.mig_profiles.iter().zip(room.iter().copied()).collect();
    all.sort_by_key(|(one, _)| (one.compute_slices, one.memory_slices, one.is_variant(), one.id));
    all
}

/// A number, or a dash where it is not published.
fn shown(number: Option<u32>) -> String {
    number.map_or("-".to_string(), |number| number.to_string())
}

/// Memory in GiB with two digits, as nvidia-smi prints it.
pub(super) fn gib(bytes: Bytes) -> f64 {
    bytes.get() as f64 / BYTES_PER_GIB
}

/// The profiles without the frame of nvidia-smi, which has 81 columns.
fn narrow(rows: &[Row<'_>]) -> String {
    use Column::{Number, Text};
    let mut grid = Grid::new(&[
        ("Name", Text),
        ("ID", Number),
        ("Free/Total", Number),
        ("GiB", Number),
        ("SM", Number),
        ("CE", Number),
        ("DEC", Number),
        ("ENC", Number),
        ("JPEG", Number),
        ("OFA", Number),
    ]);
    for (one, free) in rows {
        let media = one.media;
        grid.line(vec![
            one.name.clone(),
            one.id.to_string(),
            format!("{free}/{}", one.max_per_gpu),
            one.frame_buffer.map_or("-".to_string(), |fb| format!("{:.2}", gib(fb))),
            shown(one.sms),
            one.copy_engines.to_string(),
            shown(media.decoders),
            shown(media.encoders),
            shown(media.jpeg),
            shown(media.ofa),
        ]);
    }
    grid.finish(output::width())
}

/// The profiles in the shape in which nvidia-smi prints them.
fn framed(rows: &[Row<'_>]) -> String {
    let rule = format!("+{}+\n", "-".repeat(79));
    let mut text = format!("{rule}| {:<78}|\n", "GPU instance profiles:");
    text.push_str(
        "| GPU   Name               ID    Instances   Memory     P2P    SM    DEC   ENC  |\n",
    );
    text.push_str(
        "|                                Free/Total   GiB              CE    JPEG  OFA  |\n",
    );
    text.push_str(&format!("|{}|\n", "=".repeat(79)));
    for (one, free) in rows {
        let memory = one.frame_buffer.map_or("-".to_string(), |fb| format!("{:.2}", gib(fb)));
        let instances = format!("{free}/{}", one.max_per_gpu);
        let media = one.media;
        text.push_str(&format!(
            "|   0  {:<19} {:>2}     {:<5}      {:<6}     No     {:<3}    {:<2}    {:<2}  |\n",
            format!("MIG {}", one.name),
            one.id,
            instances,
            memory,
            shown(one.sms),
            shown(media.decoders),
            shown(media.encoders)
        ));
        text.push_str(&format!(
            "|{:63}{:<2}    {:<2}    {:<2}  |\n{rule}",
            "",
            one.copy_engines,
            shown(media.jpeg),
            shown(media.ofa)
        ));
    }
    text
}

fn text(gpu: &GpuSpec, rows: &[Row<'_>], source: &str) -> String {
    const FRAME: usize = 81;
    let is_narrow = output::columns().is_some_and(|columns| columns < FRAME);
    let table = if is_narrow { narrow(rows) } else { framed(rows) };
    let mut text = format!("{}\n{table}", gpu.name);
    for (one, _) in rows {
        let word = if one.starts.len() == 1 { "Placement :" } else { "Placements:" };
        let inferred = if one.is_printed { "" } else { "  (inferred)" };
        text.push_str(&format!(
            "GPU  0 Profile ID {:>2} {word} {}{inferred}\n",
            one.id,
            one.positions()
        ));
    }
    if gpu.mig_profiles.iter().any(|one| !one.is_printed) {
        text.push_str("note: positions marked inferred are not printed for this board\n");
    }
    let lacks = |one: &MigProfile| one.sms.is_none() || one.frame_buffer.is_none();
    if gpu.mig_profiles.iter().any(lacks) {
        text.push_str("note: - is not published; such an instance can be placed, not simulated\n");
    }
    text + &format!("source: {source}\n")
}

fn document(gpu: &GpuSpec, rows: &[Row<'_>], source: &str) -> Value {
    let geometry = Geometry::new(&gpu.mig_profiles);
    let profiles = rows.iter().map(|(one, free)| {
        json!({
            "profile": one.name,
            "id": one.id,
            "instances_free": free,
            "instances_total": one.max_per_gpu,
            "memory_gib": one.frame_buffer.map(gib),
            "p2p": false,
            "sms": one.sms,
            "decoders": one.media.decoders,
            "encoders": one.media.encoders,
            "copy_engines": one.copy_engines,
            "jpeg": one.media.jpeg,
            "ofa": one.media.ofa,
            "compute_slices": one.compute_slices,
            "memory_slices": one.memory_slices,
            "starts": one.starts,
            "positions": if one.is_printed { "printed" } else { "inferred" },
        })
    });
    json!({
        "gpu": gpu.id,
        "name": gpu.name,
        "compute_slices": geometry.compute_slices,
        "memory_slices": geometry.memory_slices,
        "profiles": profiles.collect::<Vec<_>>(),
        "source": source,
    })
}

fn compute_text(gi: &MigProfile, kinds: &[ComputeProfile]) -> String {
    let rule = format!("+{}+\n", "-".repeat(86));
    let mut text = rule.clone();
    text.push_str(&format!("| {:<85}|\n", "Compute instance profiles:"));
    for head in [
        "GPU     GPU       Name             Profile  Instances   Exclusive       Shared",
        "      Instance                       ID     Free/Total     SM       DEC   ENC   OFA",
        "        ID                                                          CE    JPEG",
    ] {
        text.push_str(&format!("| {head:<85}|\n"));
    }
    text.push_str(&format!("|{}|\n", "=".repeat(86)));
    for one in kinds {
        text.push_str(&format!(
            "|   0      -       {:<19} {:>2}{}     {}/{:<7}     {:<3}       {:<2}    {:<2}    {:<2}  |\n",
            format!("MIG {}", name(gi, one.compute_slices)),
            one.id,
            if one.is_default { '*' } else { ' ' },
            one.most,
            one.most,
            shown(one.sms),
            shown(gi.media.decoders),
            shown(gi.media.encoders),
            shown(gi.media.ofa)
        ));
        text.push_str(&format!(
            "|{:70}{:<2}    {:<2}        |\n{rule}",
            "",
            gi.copy_engines,
            shown(gi.media.jpeg)
        ));
    }
    text.push_str(
        "note: * is what -C makes; compute instances share memory, bandwidth and engines\n",
    );
    if kinds.iter().any(|one| one.sms.is_none()) {
        text.push_str("note: - is not published\n");
    }
    text
}

fn compute_document(gpu: &GpuSpec, gi: &MigProfile, kinds: &[ComputeProfile]) -> Value {
    let kinds = kinds.iter().map(|one| {
        json!({
            "compute_instance": name(gi, one.compute_slices),
            "id": one.id,
            "instances_total": one.most,
            "compute_slices": one.compute_slices,
            "sms": one.sms,
            "is_default": one.is_default,
        })
    });
    let kinds: Vec<Value> = kinds.collect();
    json!({ "gpu": gpu.id, "gpu_instance": gi.name, "compute_instances": kinds })
}
