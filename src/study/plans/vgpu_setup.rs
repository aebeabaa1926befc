//! The command lines by which an administrator sets up the cards for a plan.
//!
//! Sources: NVIDIA AI Enterprise User Guide v5.0 (mixed-size mode, MIG-backed vGPU); Broadcom ESXCLI
//! command reference 8.0.3, `esxcli graphics`; vSphere API, `HostGraphicsConfig`. Nothing is run.

use super::vgpu_card::CardVgpus;
use crate::layout::fit::CardMode;
use crate::layout::placement::Assignment;

/// Command lines and remarks (with a `#`) for an ESXi host.
pub(super) fn vsphere(cards: &[CardVgpus<'_>], assignment: Assignment) -> Vec<String> {
    let policy = match assignment {
        Assignment::Consolidate => "Consolidation",
        Assignment::Spread => "Performance",
    };
    let mut lines = vec![format!(
        "esxcli graphics host set --default-type=SharedPassthru --shared-passthru-assignment-policy={policy}"
    )];
    let mixed = numbers(cards, CardMode::MixedSize);
    let equal = numbers(cards, CardMode::EqualSize);
    if !mixed.is_empty() {
        for (cards, mode) in [(&mixed, "MixedSize"), (&equal, "SameSize")] {
            lines.extend(cards.iter().map(|card| {
                format!("esxcli graphics device set --device-id=<PCI address of card {card}> --vgpu-mode={mode}")
            }));
        }
        lines.push(
            "# vGPU modes need ESXi 8.0 U3; PCI addresses: esxcli graphics device list".to_string(),
        );
    }
    let cut = numbers(cards, CardMode::Instances);
    lines.extend(cut.iter().map(|card| format!("nvidia-smi -i {card} -mig 1")));
    if !cut.is_empty() {
        lines.push(
            "# ESXi creates the GPU instances when the VMs are powered on; on Ampere \
            reboot the host first"
                .to_string(),
        );
    }
    lines
}

/// Command lines for a Linux host with KVM, where they differ.
pub(super) fn kvm(cards: &[CardVgpus<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mixed = numbers(cards, CardMode::MixedSize);
    lines.extend(mixed.iter().map(|card| format!("nvidia-smi vgpu -i {card} -shm 1")));
    if !mixed.is_empty() {
        lines.push("# until the next reboot, driver reload or GPU reset".to_string());
    }
    for (number, card) in
        cards.iter().enumerate().filter(|(_, card)| card.mode == CardMode::Instances)
    {
        let mut profiles: Vec<(Option<u32>, &str)> = Vec::new();
        for (_, place) in &card.vgpus {
            let name = card.gpu.vgpu_types[place.kind].profile.as_deref().unwrap_or_default();
            if profiles.last() != Some(&(place.start, name)) {
                profiles.push((place.start, name));
            }
        }
        let names: Vec<&str> = profiles.iter().map(|(_, name)| *name).collect();
        lines.push(format!("nvidia-smi -i {number} -mig 1"));
        lines.push(format!("nvidia-smi mig -i {number} -cgi {}", names.join(",")));
    }
    lines
}

fn numbers(cards: &[CardVgpus<'_>], mode: CardMode) -> Vec<usize> {
    let of_mode = cards.iter().enumerate().filter(|(_, card)| card.mode == mode);
    of_mode.map(|(number, _)| number).collect()
}

/// The order in which to power on the VMs: card by card where cards are filled, in turns over the
/// cards where VMs are spread; the larger vGPUs of a card first.
pub(super) fn vms_in_order(cards: &[CardVgpus<'_>], assignment: Assignment) -> Vec<u32> {
    let of_card = |card: &CardVgpus<'_>| {
        let mut vgpus = card.vgpus.clone();
        let size = |kind: usize| card.gpu.vgpu_types[kind].frame_buffer;
        // The driver makes GPU instances in the order of the plan.
        if card.mode != CardMode::Instances {
            vgpus.sort_by_key(|(vm, place)| (std::cmp::Reverse(size(place.kind)), *vm));
        }
        vgpus.into_iter().map(|(vm, _)| vm).collect::<Vec<_>>()
    };
    let all: Vec<Vec<u32>> = cards.iter().map(of_card).collect();
    if assignment == Assignment::Consolidate {
        return all.concat();
    }
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|turn| all.iter().filter_map(move |vms| vms.get(turn).copied())).collect()
}
