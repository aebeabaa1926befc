//! Cards with VMs, drawn, and how to set them up; or why the VMs do not fit, and what would.

use super::vgpu_drawing::{self, ranges};
use crate::layout::fit::Doubt;
use crate::report::table::{Column, Columns};
use crate::report::width::Width;
use crate::study::plans::{CandidateType, CardsNeeded, NoVgpuType, SetupCommands, VgpuFit};
use crate::units::counted;

/// The whole answer.
pub(super) fn text(answer: &VgpuFit<'_>, width: Width) -> String {
    let vms: u32 = answer.wanted.iter().map(|one| one.count).sum();
    let mut text = String::new();
    if let Some(candidates) = &answer.candidates {
        text.push_str(&candidate_table(answer.gpu, vms, candidates, width));
    }
    let verdict = match answer.answer {
        "fits" => "yes",
        "does not fit" => "no",
        other => other,
    };
    let (count, gpu) = (answer.cards, answer.gpu);
    text.push_str(&format!("{} on {count} x {gpu}: {verdict}\n", counted(vms, "VM")));
    if answer.modes_differ {
        let mixed = match answer.has_mixed_size {
            true => needed(&answer.mixed_size),
            false => "this GPU does not support it".to_string(),
        };
        let equal = needed(&answer.equal_size);
        text.push_str(&format!("  equal-size mode  {equal}\n  mixed-size mode  {mixed}\n"));
    }
    for card in &answer.plan {
        let drawn = vgpu_drawing::text(&card.drawing, card.card, width.terminal());
        text.push_str(&format!("\n{drawn}"));
    }
    if let Some(commands) = &answer.commands {
        text.push_str(&format!("\n{}", setup(commands, &answer.power_on_order)));
    }
    let lines = |word: &'static str, lines: &[String]| -> String {
        lines.iter().map(|line| format!("{word}: {line}\n")).collect()
    };
    text.push_str(&lines("note", &answer.notes));
    let refused = lines("because", &answer.because)
        + &lines("nearest", &answer.nearest)
        + &lines("note", answer.dispute.as_slice());
    text.push_str(if refused.is_empty() { "" } else { "\n" });
    width.fitted(&(text + &refused))
}

/// No type has enough frame buffer.
pub(super) fn no_type(answer: &NoVgpuType<'_>, width: Width) -> String {
    let NoVgpuType { gpu, cards, vms, why: [why], largest, .. } = answer;
    let vms = counted(vms, "VM");
    width.fitted(&format!(
        "{vms} on {cards} x {gpu}: no\n\nbecause: {why}\nnearest: up to {largest}\n"
    ))
}

fn candidate_table(gpu: &str, vms: u32, candidates: &[CandidateType<'_>], width: Width) -> String {
    let columns = Columns::new()
        .with("TYPE", Column::Text, |one: &&CandidateType<'_>| one.r#type.to_string())
        .with("KIND", Column::Text, |one| {
            if one.spec.is_time_sliced() { "time-sliced" } else { "MIG-backed" }.to_string()
        })
        .with("FRAME BUFFER", Column::Number, |one| one.spec.frame_buffer.to_string())
        .with("PER CARD", Column::Number, |one| one.max_per_gpu.to_string())
        .with("CARDS NEEDED", Column::Number, |one| one.cards_needed.to_string())
        .with("", Column::Text, |one| {
            let word = match (one.fits, one.is_chosen) {
                (true, true) => "fits, shown below",
                (true, false) => "fits",
                (false, _) => "",
            };
            word.to_string()
        });
    let need = candidates.iter().map(|one| one.need.to_string()).next().unwrap_or_default();
    let table = columns.of(candidates).finish(width);
    format!("types of {gpu} with at least {need} for each of {vms} VMs:\n\n{table}\n")
}

fn needed(one: &CardsNeeded) -> String {
    let cards = counted(one.cards_needed, "card");
    match one.spec.doubt {
        None => format!("needs {cards}"),
        Some(Doubt::NotPublished) => {
            format!("{cards} are enough; perhaps fewer are: placement ids are not published")
        }
        Some(Doubt::GaveUp) => format!("{cards} are enough; perhaps fewer are"),
    }
}

/// The steps under vSphere, then what differs on Linux with KVM.
fn setup(commands: &SetupCommands, order: &[u32]) -> String {
    let lines = |head: &str, lines: &[String]| -> String {
        let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        if lines.is_empty() { lines } else { format!("{head}:\n{lines}") }
    };
    let vsphere = lines("under vSphere, with no VM on the cards", &commands.vsphere);
    let kvm = lines("on Linux with KVM instead", &commands.kvm);
    let mut runs: Vec<Vec<u32>> = Vec::new();
    for &vm in order {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last + 1 == vm) => run.push(vm),
            _ => runs.push(vec![vm]),
        }
    }
    let order: Vec<String> = runs.iter().map(|run| ranges(run)).collect();
    format!("{vsphere}{kvm}then power on the VMs in this order: {}\n", order.join(", "))
}
