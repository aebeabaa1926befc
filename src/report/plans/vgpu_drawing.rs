//! Draws a card with its vGPUs as a bar of frame buffer or of memory slices, and prints the room
//! left.

use crate::layout::fit::{CardMode, VgpuPlace};
use crate::study::plans::{Block, CardVgpus, memory};
use crate::units::{Bytes, counted};

/// Columns of a bar between its ends, where there are as many.
const WIDTH: u32 = 72;

/// Columns of a bar on a terminal with so many: it has two blanks before it, and the last number of
/// its scale, with a unit, behind it.
fn width_on(columns: Option<usize>) -> u32 {
    columns.map_or(WIDTH, |columns| (columns as u32).saturating_sub(11).clamp(16, WIDTH))
}

/// Bar, scale and a line for each kind of vGPU; `columns` is the width of the terminal.
pub(super) fn text(card: &CardVgpus<'_>, number: usize, columns: Option<usize>) -> String {
    let mut text = format!("card {number}: {}\n", about(card));
    if card.mode == CardMode::Free {
        return text;
    }
    let (blocks, size) = (card.blocks(), (card.end(), width_on(columns)));
    text.push_str(&bar(size, &blocks, |block| label(card, block)));
    text.push_str(&scale(size, &blocks));
    for (kind, vms) in by_kind(card) {
        text.push_str(&line(card, kind, &vms));
    }
    text.push_str(&format!("  room left   {}\n", room_in_words(card)));
    text
}

fn about(card: &CardVgpus<'_>) -> String {
    let count = counted(card.vgpus.len(), "vGPU");
    match card.mode {
        CardMode::Free => "free".to_string(),
        CardMode::EqualSize => format!("equal-size mode, {count}, {}", used(card)),
        CardMode::MixedSize => format!("mixed-size mode, {count}, {}", used(card)),
        CardMode::Instances => format!("MIG, {count}, {}", used(card)),
    }
}

fn used(card: &CardVgpus<'_>) -> String {
    if card.mode == CardMode::Instances {
        let used: u32 = card.blocks().iter().map(|block| block.end - block.start).sum();
        return format!("{used} of {} memory slices", card.end());
    }
    let all = card.vgpus.iter().map(|(_, place)| card.of(place.kind).frame_buffer.get());
    let used = Bytes::new(all.sum());
    format!("{used} of {}", memory(card.gpu))
}

fn label(card: &CardVgpus<'_>, block: &Block) -> [String; 2] {
    let vms = ranges(&block.vms);
    [format!("{vms} {}", card.of(block.kind).name), vms]
}

fn by_kind(card: &CardVgpus<'_>) -> Vec<(usize, Vec<(u32, VgpuPlace)>)> {
    let mut kinds: Vec<(usize, Vec<(u32, VgpuPlace)>)> = Vec::new();
    for vgpu in &card.vgpus {
        match kinds.iter_mut().find(|(kind, _)| *kind == vgpu.1.kind) {
            Some((_, all)) => all.push(*vgpu),
            None => kinds.push((vgpu.1.kind, vec![*vgpu])),
        }
    }
    kinds
}

/// `VM 1 to 4   A100-10C, 10 GiB each, at placement ids 0, 10, 20, 30`.
fn line(card: &CardVgpus<'_>, kind: usize, vgpus: &[(u32, VgpuPlace)]) -> String {
    let vms: Vec<u32> = vgpus.iter().map(|(vm, _)| *vm).collect();
    let of = card.of(kind);
    let mut starts: Vec<u32> = vgpus.iter().filter_map(|(_, place)| place.start).collect();
    starts.sort_unstable();
    starts.dedup();
    let shown: Vec<String> = starts.iter().map(u32::to_string).collect();
    let (many, shown) = (if shown.len() == 1 { "" } else { "s" }, shown.join(", "));
    let at = match card.mode {
        CardMode::MixedSize => format!(", placement id{many} {shown}"),
        CardMode::Instances => {
            let profile = of.profile.as_deref().unwrap_or_default();
            let turns = if of.shares_instance() {
                format!(", up to {} in turns in each", of.max_per_instance)
            } else {
                String::new()
            };
            format!(", GPU instance{many} {profile} at memory slice{many} {shown}{turns}")
        }
        CardMode::EqualSize | CardMode::Free => String::new(),
    };
    let each = if vms.len() == 1 { "" } else { " each" };
    let head = format!("VM {}", ranges(&vms));
    format!("  {head:10}  {}, {}{each}{at}\n", of.name, of.frame_buffer)
}

fn room_in_words(card: &CardVgpus<'_>) -> String {
    let each = card.room().into_iter().map(|room| {
        let name = room.r#type;
        let at: Vec<String> = room.at.iter().map(u32::to_string).collect();
        match card.mode {
            CardMode::MixedSize => format!("{} x {name} (at {})", room.count, at.join(", ")),
            _ => format!("{} x {name}", room.count),
        }
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "none".to_string() } else { each.join(", or ") }
}

/// Where a place is on a bar that ends at `end`, so many columns wide.
fn column(at: u32, (end, width): (u32, u32)) -> usize {
    (u64::from(at.min(end)) * u64::from(width) / u64::from(end)) as usize
}

/// `│1 A100-10C │2 A100-10C │░░░░│`: as much of a label as there is room for.
fn bar(end: (u32, u32), blocks: &[Block], label: impl Fn(&Block) -> [String; 2]) -> String {
    let mut cells = vec!['░'; end.1 as usize + 1];
    for block in blocks {
        let (from, to) = (column(block.start, end), column(block.end, end));
        (cells[from], cells[to]) = ('│', '│');
        let inside = &mut cells[from + 1..to.max(from + 1)];
        inside.fill(' ');
        let [long, short] = label(block);
        let fits = |text: &&String| text.chars().count() <= inside.len();
        let text = [long, short];
        let text = text.iter().find(fits).cloned().unwrap_or_default();
        for (cell, letter) in inside.iter_mut().zip(text.chars()) {
            *cell = letter;
        }
    }
    (cells[0], cells[end.1 as usize]) = ('│', '│');
    format!("  {}\n", cells.into_iter().collect::<String>())
}

/// The starts of the blocks and the ends of gaps, under the bar; frame buffer in GiB where that is
/// what the bar shows. Numbers that would touch are left out.
fn scale((end, width): (u32, u32), blocks: &[Block]) -> String {
    let is_memory = end > 1024;
    let mut marks: Vec<u32> = blocks.iter().flat_map(|block| [block.start, block.end]).collect();
    marks.extend([0, end]);
    marks.sort_unstable();
    marks.dedup();
    let mut line = String::new();
    for mark in marks {
        let shown = if is_memory {
            let tenths = (f64::from(mark) / 102.4).round() / 10.0;
            format!("{tenths}")
        } else {
            mark.to_string()
        };
        let at = column(mark, (end, width));
        let length = line.chars().count();
        if line.is_empty() || at > length {
            line.push_str(&" ".repeat(at - length));
            line.push_str(&shown);
        }
    }
    let unit = if is_memory { " GiB" } else { "" };
    format!("  {line}{unit}\n")
}

/// `1 to 4, 7`.
pub(super) fn ranges(numbers: &[u32]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for number in sorted {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let each = parts.iter().map(|(from, to)| match to - from {
        0 => from.to_string(),
        1 => format!("{from}, {to}"),
        _ => format!("{from}-{to}"),
    });
    each.collect::<Vec<_>>().join(", ")
}
