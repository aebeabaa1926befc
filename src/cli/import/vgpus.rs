//! A set of vGPUs of vgpu-device-manager for a GPU: whether one card holds it, as in `slicewise
//! vgpu fit`, and a scenario of it.

use super::written::{VMS_MAX, Written};
use super::{ImportArgs, Node, Row, elsewhere};
use crate::cli::failure::Failure;
use crate::config::quoted;
use crate::formats::vgpu_configs::{VgpuConfig, VgpuRule};
use crate::layout::fit::{Answer, CardMode, CardPlan, Fit, SizeMode};
use crate::layout::placement::Assignment;
use crate::spec::names::find_type;
use crate::spec::{GpuSpec, VgpuType};

/// What a set is to the GPUs of a node.
enum Verdict {
    /// Possible here: each rule's GPUs with the plan of each.
    Here(Vec<(String, CardPlan)>),
    /// For other GPUs, and why not for these.
    Elsewhere(String),
    /// No card of this model holds it, and why.
    No(Vec<String>),
}

/// A set's line of the list, and whether the answer is no.
pub(super) fn row_of(config: &VgpuConfig, node: &Node<'_>) -> (Row, bool) {
    let name: String = config.name.chars().take(60).flat_map(char::escape_debug).collect();
    match judge(config, node) {
        Verdict::Here(rules) => {
            let lines =
                rules.iter().map(|(gpus, plan)| format!("{gpus}: {}", held(plan, node.gpu)));
            (Row { name, lines: lines.collect(), fits: true }, false)
        }
        Verdict::Elsewhere(why) => (elsewhere(name, &why), false),
        Verdict::No(lines) => (Row { name, lines, fits: false }, true),
    }
}

fn judge(config: &VgpuConfig, node: &Node<'_>) -> Verdict {
    let ids = node.catalogue.pci_ids(&node.gpu.id);
    let rules: Vec<&VgpuRule> = config.rules.iter().filter(|rule| rule.is_for(ids)).collect();
    if rules.is_empty() {
        return Verdict::Elsewhere("by its device-filter".to_string());
    }
    let mut held = Vec::new();
    for rule in rules {
        let wanted = match wanted(rule, node.gpu) {
            Ok(wanted) => wanted,
            Err(kind) => {
                let why = format!("{} is not offered by {}", quoted(&kind), node.gpu.id);
                return Verdict::Elsewhere(why);
            }
        };
        match on_a_card(node.gpu, &wanted) {
            Ok(plan) => held.push((gpus(rule), plan)),
            Err(answer) => {
                let mut lines = vec![format!("no: {}", why_not(node.gpu, &wanted, &answer))];
                let (source, notes) = node.catalogue.about_vgpu_types(&node.gpu.id);
                lines.push(format!("source: {source}"));
                lines.extend(notes.iter().map(|note| format!("note: {note}")));
                return Verdict::No(lines);
            }
        }
    }
    Verdict::Here(held)
}

/// How many of each type of the GPU a rule wants, or the first type that the GPU has not.
fn wanted(rule: &VgpuRule, gpu: &GpuSpec) -> Result<Vec<u32>, String> {
    let mut wanted = vec![0; gpu.vgpu_types.len()];
    for vgpus in &rule.vgpus {
        let kind = find_type(gpu, &vgpus.kind).ok_or_else(|| vgpus.kind.clone())?;
        wanted[kind] += vgpus.count;
    }
    Ok(wanted)
}

/// One card with all of them: in equal-size mode where that works, else in mixed-size mode.
fn on_a_card(gpu: &GpuSpec, wanted: &[u32]) -> Result<CardPlan, Answer> {
    let answer = |mode| Fit::new(gpu, mode, wanted.to_vec()).on(1, Assignment::Consolidate);
    let card = |answer| match answer {
        Answer::Fit(plans) => plans.into_iter().next().ok_or(Answer::DoNotFit),
        answer => Err(answer),
    };
    card(answer(SizeMode::Equal)).or_else(|_| card(answer(SizeMode::Mixed)))
}

fn types<'g>(gpu: &'g GpuSpec, wanted: &[u32]) -> Vec<(&'g VgpuType, u32)> {
    let each = gpu.vgpu_types.iter().zip(wanted.iter().copied());
    each.filter(|(_, count)| *count > 0).collect()
}

fn why_not(gpu: &GpuSpec, wanted: &[u32], answer: &Answer) -> String {
    let types = types(gpu, wanted);
    let what: Vec<String> =
        types.iter().map(|(vgpu, count)| format!("{count} x {}", vgpu.name)).collect();
    let what = what.join(", ");
    match answer {
        Answer::NotPublished => {
            format!("whether one card holds {what} is not known: placement ids are not published")
        }
        Answer::GaveUp => format!("no arrangement of {what} on one card was found"),
        _ => {
            let ids = types.iter().filter_map(|(vgpu, _)| {
                let (ids, size) = vgpu.mixed_size.placements()?;
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                Some(format!("{} {{{}}}:{size}", vgpu.name, ids.join(",")))
            });
            let ids: Vec<String> = ids.collect();
            match (types.len(), ids.is_empty()) {
                (1, _) | (_, true) => format!("one card does not hold {what}"),
                _ => format!(
                    "one card does not hold {what}: vGPUs on one card have one size, or are at \
                     placement ids, {}",
                    ids.join(", ")
                ),
            }
        }
    }
}

fn gpus(rule: &VgpuRule) -> String {
    match &rule.devices {
        None => "all GPUs".to_string(),
        Some(indices) => {
            let indices: Vec<String> = indices.iter().map(u32::to_string).collect();
            format!("GPU {}", indices.join(", "))
        }
    }
}

/// What a card holds, with places where there are any: `A10-4C at 0, 8, A10-6C at 12`.
fn held(plan: &CardPlan, gpu: &GpuSpec) -> String {
    let mut kinds: Vec<(usize, Vec<Option<u32>>)> = Vec::new();
    for place in &plan.vgpus {
        match kinds.iter_mut().find(|(kind, _)| *kind == place.kind) {
            Some((_, starts)) => starts.push(place.start),
            None => kinds.push((place.kind, vec![place.start])),
        }
    }
    let words = kinds.into_iter().map(|(kind, starts)| {
        let at: Vec<String> = starts.iter().flatten().map(u32::to_string).collect();
        let at = if at.is_empty() { String::new() } else { format!(" at {}", at.join(", ")) };
        format!("{} x {}{at}", starts.len(), gpu.vgpu_types[kind].name)
    });
    let words: Vec<String> = words.collect();
    let mode = match plan.mode {
        CardMode::MixedSize => " (mixed-size mode)",
        _ => "",
    };
    if words.is_empty() { "no vGPUs".to_string() } else { words.join(", ") + mode }
}

/// A scenario with a VM for each vGPU of a set, or the answer that there is none.
pub(super) fn scenario(
    arguments: &ImportArgs,
    node: &Node<'_>,
    config: &VgpuConfig,
) -> Result<String, Failure> {
    let rules = match judge(config, node) {
        Verdict::Here(rules) => rules,
        Verdict::Elsewhere(why) => {
            return Err(Failure::Usage(format!(
                "{} is for other GPUs: {why}",
                quoted(&config.name)
            )));
        }
        Verdict::No(lines) => {
            crate::cli::output::data(&(lines.join("\n") + "\n"))?;
            return Err(Failure::AnsweredNo);
        }
    };
    let ids = node.catalogue.pci_ids(&node.gpu.id);
    let rules_here = config.rules.iter().filter(|rule| rule.is_for(ids));
    let named = rules_here.clone().filter_map(|rule| rule.devices.as_ref()).flatten();
    let cards = named.map(|last| last + 1).max().unwrap_or(0).max(node.cards);
    let mut groups: Vec<(u32, &str, u32)> = Vec::new();
    for card in 0..cards {
        let mine = |rule: &&VgpuRule| rule.devices.as_ref().is_none_or(|all| all.contains(&card));
        for vgpus in rules_here.clone().find(mine).into_iter().flat_map(|rule| &rule.vgpus) {
            let kind = find_type(node.gpu, &vgpus.kind).expect("judged to be here");
            groups.push((card, &node.gpu.vgpu_types[kind].name, vgpus.count));
        }
    }
    let all: u32 = groups.iter().map(|(_, _, count)| count).sum();
    if all == 0 || all > VMS_MAX {
        return Err(Failure::Usage(format!(
            "{} has {all} vGPUs on {cards} GPUs\n  = allowed: 1 to {VMS_MAX}, a VM for each: an import writes no more",
            quoted(&config.name)
        )));
    }
    let title = format!("vGPUs {} on {}", config.name, node.gpu.name);
    let mut written = Written::new(arguments, node, &title, cards);
    written.lines(&format!("hypervisor = \"{}\"\n", node.hypervisor()));
    if rules.iter().any(|(_, plan)| plan.mode == CardMode::MixedSize) {
        written.lines("sharing = { vgpu_mode = \"mixed-size\" }\n");
    }
    for (card, kind, count) in groups {
        let name = if cards == 1 { kind.to_string() } else { format!("gpu{card} {kind}") };
        written.vms(&name, count, &format!("vgpu = {{ type = \"{kind}\" }}\ncard = {card}"));
    }
    Ok(written.finish())
}
