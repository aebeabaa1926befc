//! Why no host took a VM, in one sentence with counts.

use super::{ClusterTask, VmGroup};
use crate::layout::cluster::{CardMode, NoRoom, Reason, Refused};
use crate::units::Frequency;
use crate::units::{Bytes, counted};

/// `12 hosts: no free A100-20C (locked to 10 GiB on 7 cards, full on 17); 60 GiB are free`.
pub(super) fn because(task: &ClusterTask, group: &VmGroup, refused: &Refused) -> String {
    let each = refused.hosts.iter().map(|(reason, hosts)| {
        let hosts = counted(hosts, "host");
        format!("{hosts}: {}", in_words(task, group, *reason, &refused.no_room))
    });
    let mut parts: Vec<String> = each.collect();
    if group.kind.gpus.is_some() {
        parts.push(format!("{} of frame buffer is free", gib(refused.free)));
    }
    parts.join("; ")
}

fn in_words(task: &ClusterTask, group: &VmGroup, reason: Reason, no_room: &NoRoom) -> String {
    let kind = &group.kind;
    let count = kind.gpus.as_ref().map_or(0, |gpus| gpus.count);
    match reason {
        Reason::Failover => "kept free for a failure".to_string(),
        Reason::Rule(rule) => {
            let word = task.rules[rule].kind.word();
            format!("kept off by rule {} ({word})", rule + 1)
        }
        Reason::Vcpus => format!("fewer than {} logical processors", kind.vcpus),
        Reason::Cpu => {
            format!("less than {} to reserve", Frequency::from_khz(kind.cpu))
        }
        Reason::Memory => format!("less than {} of memory free", kind.memory),
        Reason::Kind => format!("no card that has {}", group.what),
        Reason::NoRoom => {
            let cards = of_cards(no_room);
            let cards = if cards.is_empty() { cards } else { format!(" ({cards})") };
            format!("no free {}{cards}", group.what)
        }
        Reason::Devices => format!("fewer than {count} of {} free", group.what),
        Reason::Group => format!("no {count} free cards of one device group"),
    }
}

fn of_cards(no_room: &NoRoom) -> String {
    let mut parts: Vec<(u32, String)> = Vec::new();
    let locked = no_room.locked.iter();
    parts.extend(locked.map(|(size, cards)| (*cards, format!("locked to {}", gib(*size)))));
    parts.extend(no_room.modes.iter().map(|(mode, cards)| {
        let word = match mode {
            CardMode::Passthrough => "passed through",
            CardMode::Mig => "cut by MIG",
            CardMode::EqualSize | CardMode::MixedSize => "time-sliced",
            CardMode::Free | CardMode::Parts => "in use",
        };
        (*cards, word.to_string())
    }));
    let rest = [
        (no_room.full, "full"),
        (no_room.alignment, "free at no place of it"),
        (no_room.compute, "without the compute slices"),
        (no_room.unpublished, "in mixed-size mode, whose ids are not published for it"),
    ];
    parts.extend(rest.map(|(cards, word)| (cards, word.to_string())));
    parts.retain(|(cards, _)| *cards > 0);
    let each = parts.iter().enumerate().map(|(index, (cards, word))| match index {
        0 => format!("{word} on {}", counted(cards, "card")),
        _ => format!("{word} on {cards}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// `60 GiB`, as nvidia-smi counts frame buffer.
pub(super) fn gib(bytes: Bytes) -> String {
    let gib = bytes.get() as f64 / (1u64 << 30) as f64;
    match (gib * 10.0).round() / 10.0 {
        whole if whole.fract() == 0.0 => format!("{whole:.0} GiB"),
        tenths => format!("{tenths:.1} GiB"),
    }
}
