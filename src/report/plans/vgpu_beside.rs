//! Whether VMs fit beside existing ones, drawn; or why not, and which must be moved or removed.

use super::vgpu_drawing;
use crate::report::width::Width;
use crate::study::plans::{BesideChange, VgpuBeside, listed};

/// The whole answer.
pub(super) fn text(answer: &VgpuBeside<'_>, width: Width) -> String {
    let verdict = match answer.answer {
        "fits" => "yes",
        "not published" => "not published",
        _ => "no",
    };
    let (new, old) = (listed(&answer.wanted), listed(&answer.beside));
    let mut text = format!("{new} beside {old} on {}: {verdict}\n\n", answer.gpu);
    if let Some(card) = &answer.card {
        let there = match answer.beside.len() {
            1 => "VM 1 exists already".to_string(),
            count => format!("VMs 1 to {count} exist already"),
        };
        text.push_str(&vgpu_drawing::text(card, 0, width.terminal()));
        text.push_str(&format!("\n{there}, the others are new\n"));
    }
    if let Some(why) = &answer.because {
        text.push_str(&format!("because: {why}\n"));
    }
    if answer.answer == "does not fit" {
        let steps = answer.change.as_ref().map(steps);
        let steps = steps.unwrap_or_else(|| "none of the existing vGPUs".to_string());
        text.push_str(&format!("nearest: {steps}\n"));
    }
    width.fitted(&text)
}

/// `power off A10-4C at 8; then A10-6C at 6, and again A10-4C at 16`.
fn steps(change: &BesideChange<'_>) -> String {
    let mut steps = Vec::new();
    if !change.gone.is_empty() {
        let gone = listed(&change.gone);
        steps.push(format!("without {gone} (power it off, or move it to another card)"));
    }
    if !change.moved.is_empty() {
        steps.push(format!("power off {}", listed(&change.moved)));
    }
    if change.changes_mode {
        steps.push("set the card to mixed-size mode".to_string());
    }
    let new = listed(&change.new);
    steps.push(match listed(&change.again).as_str() {
        "" => format!("then {new}"),
        again => format!("then {new}, and again {again}"),
    });
    steps.join("; ")
}
