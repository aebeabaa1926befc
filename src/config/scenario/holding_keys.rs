//! The keys for a VM's share of the cards: `vgpu`, `gpus`, `mig`, `process`.

use super::choice::{Choice, Held, not_offered, profile_of, published};
use super::holding::{Holding, Kind};
use super::machine::Model;
use super::processes;
use crate::config::catalogue::entries::CARDS_MAX;
use crate::config::catalogue::words;
use crate::config::text::{Diagnostic, Reader, Value, ValueOrigin};
use crate::spec::names::{self, find_type};
use crate::spec::{GpuSpec, VgpuType};

/// The keys for a VM's share of the cards.
pub(crate) const HOLDINGS: [&str; 4] = ["vgpu", "gpus", "mig", "process"];

/// `vgpu = { type = "A100-40C", count = 3 }`, `gpus = 3`, `mig = "1g.5gb"`, `process = "mps"`; on
/// bare metal without any of them, all cards. `choice` is the choice of models; without it nothing
/// is known about the cards.
pub(crate) fn read(table: &mut Reader<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let given = HOLDINGS.map(|key| table.get(key).map(|value| (key, value)));
    let given: Vec<_> = given.into_iter().flatten().collect();
    match (&given[..], choice) {
        ([(first, _), (second, value), ..], _) => {
            let diagnostic = value.wrong(format!("conflicts with `{first}`"));
            let help = "drop one: vGPUs, whole cards passed through, GPU instances on bare metal, or processes that share a card";
            value.report(diagnostic.label(format!("`{first}` or `{second}`")).help(help));
            None
        }
        ([("gpus", value)], choice) => {
            let cards = value.count(1..=CARDS_MAX, " cards");
            Some(choice?.whole(cards?))
        }
        ([("vgpu", value)], choice) => read_vgpu(value, choice),
        ([("process", value)], choice) => processes::read(value, choice),
        ([(_, value)], choice) => read_mig(value, choice),
        ([], None) => None,
        ([], Some(choice)) if choice.machine.hypervisor.virtual_gpus => {
            let title = "the VM has no GPU";
            let example = choice.models().find_map(|model| model.gpu.spec.vgpu_types.first());
            let help = format!(
                "write vgpu = {{ type = \"{}\", count = 1 }}, or gpus = 1 for whole cards; `slicewise plan FILE` searches what it should have",
                example.map_or("A100-40C", |vgpu| vgpu.name.as_str())
            );
            table.report(Diagnostic::at(&table.spot(), title).help(help));
            None
        }
        ([], Some(choice)) => {
            table.fallback("gpus", || ValueOrigin::default("all cards of the host"));
            Some(choice.all())
        }
    }
}

fn read_vgpu(value: &Value<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let mut table = value.table()?;
    let name = table.need("type", "name a vGPU type, such as type = \"A100-40C\"");
    let count = table.get("count").map_or(Some(1), |value| value.count(1..=CARDS_MAX, " vGPUs"));
    table.finish();
    let (name, choice) = (name?, choice?);
    let machine = choice.machine;
    if !machine.hypervisor.virtual_gpus {
        let diagnostic =
            value.wrong(format!("needs a hypervisor; {} has no vGPUs", machine.hypervisor.id));
        value.report(diagnostic.help("write gpus = 1 for whole cards, or set `hypervisor`"));
        return None;
    }
    let word = name.text()?;
    let largest = [("largest", Kind::Sliced), ("largest-mig", Kind::Backed)];
    if let Some((_, kind)) = largest.iter().find(|(known, _)| *known == word) {
        return largest_of(&name, *kind, count, choice);
    }
    let has = |gpu: &GpuSpec| find_type(gpu, word).is_some();
    let Some(model) = choice.only(&name, has).ok()? else {
        let types = choice.models().flat_map(|model| &model.gpu.spec.vgpu_types);
        let types = types.filter(|vgpu| vgpu.runs_cuda());
        let names = types.map(|vgpu| vgpu.name.as_str()).collect();
        let help = choice.models().find_map(|model| words::type_help(&model.gpu.spec, word));
        let help = choice.elsewhere(has).or(help);
        let source = |model: &Model| model.gpu.vgpu_source.clone();
        not_offered(&name, "vGPU type", choice, names, source, help);
        return None;
    };
    let gpu = &machine.models[model].gpu.spec;
    let vgpu = find_type(gpu, word).map(|kind| &gpu.vgpu_types[kind]);
    let vgpu = vgpu.filter(|vgpu| runs_cuda(&name, vgpu, gpu))?;
    let holding = published(&name, Holding::of_type(gpu, vgpu), gpu)?;
    Some(Held { cards: count?, holding, models: vec![model], has_all: false })
}

/// Whether a workload runs on a type: all of them need CUDA, which desktops and applications have not.
fn runs_cuda(name: &Value<'_>, vgpu: &VgpuType, gpu: &GpuSpec) -> bool {
    let Some(series) = vgpu.series().filter(|series| !series.runs_cuda()) else { return true };
    let types = gpu.vgpu_types.iter();
    let suited: Vec<&VgpuType> = types.filter(|other| other.runs_cuda()).collect();
    let alike = suited.iter().find(|other| other.frame_buffer == vgpu.frame_buffer);
    let title =
        format!("vGPU type {} does not support CUDA, which every workload needs", vgpu.name);
    let label = format!("the {} series is for {}", series.letter(), series.about());
    let names: Vec<&str> = suited.iter().map(|other| other.name.as_str()).collect();
    let diagnostic = Diagnostic::at(&name.spot(), title).label(label).allowed(names.join(", "));
    let diagnostic = match alike {
        Some(alike) => diagnostic.help(format!(
            "\"{}\" has the same frame buffer (licence {})",
            alike.name,
            alike.series().map_or("of its own", names::Series::licence)
        )),
        None => diagnostic,
    };
    let source = "NVIDIA Virtual GPU Software User Guide 17.6, section 1.3.2; NVIDIA AI Enterprise User Guide v5.0";
    name.report(diagnostic.note("source", source));
    false
}

/// `mig = "1g.5gb"`, or `mig = { profile = "1g.5gb", count = 2 }`.
fn read_mig(value: &Value<'_>, choice: Option<&Choice<'_>>) -> Option<Held> {
    let (name, count) = if value.is_table() {
        let mut table = value.table()?;
        let name = table.need("profile", "name a GPU instance profile, such as \"1g.5gb\"");
        let count = table.get("count");
        let count = count.map_or(Some(1), |value| value.count(1..=CARDS_MAX, " GPU instances"));
        table.finish();
        (name?, count?)
    } else {
        (value.clone(), 1)
    };
    let choice = choice?;
    if choice.machine.hypervisor.virtual_gpus {
        let diagnostic = value.wrong("is for bare metal: a VM sees a GPU instance through a vGPU");
        let types = choice.models().flat_map(|model| &model.gpu.spec.vgpu_types);
        let types = types.filter(|vgpu| vgpu.profile.is_some());
        let types: Vec<&str> = types.map(|vgpu| vgpu.name.as_str()).collect();
        let diagnostic = diagnostic.help("write vgpu with a MIG-backed type");
        value.report(if types.is_empty() {
            diagnostic
        } else {
            diagnostic.allowed(types.join(", "))
        });
        return None;
    }
    let word = name.text()?;
    if word == "largest" {
        return largest_of(&name, Kind::Instance, Some(count), choice);
    }
    let (model, profile) = profile_of(&name, choice)?;
    let gpu = &choice.machine.models[model].gpu.spec;
    let holding = published(&name, Holding::Instance(profile.clone(), None), gpu)?;
    Some(Held { cards: count, holding, models: vec![model], has_all: false })
}

/// The largest of a kind, if there is any.
fn largest_of(
    value: &Value<'_>,
    kind: Kind,
    count: Option<u32>,
    choice: &Choice<'_>,
) -> Option<Held> {
    let has = |gpu: &GpuSpec| !kind.candidates(gpu).is_empty();
    let Some(model) = choice.only(value, has).ok()? else {
        let ids: Vec<String> =
            choice.models().map(|model| format!("\"{}\"", model.gpu.spec.id)).collect();
        let what = format!("has no candidates on GPU {}", ids.join(", "));
        let help = choice.elsewhere(has);
        let none = || "the catalogue has none of this kind: write gpus = 1".to_string();
        value.report(value.wrong(what).help(help.unwrap_or_else(none)));
        return None;
    };
    let holding = Holding::Largest(kind);
    Some(Held { cards: count?, holding, models: vec![model], has_all: false })
}
