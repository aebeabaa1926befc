//! Draws a card with its vGPUs as a bar of frame buffer or of memory slices, and says what is left.
//!
//! It draws what it is given; what fits is not asked here.

use crate::layout::fit::{CardMode, CardPlan, VgpuPlace};
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::mixed_size::{Ids, free_ids};
use crate::spec::{GpuSpec, VgpuType};

/// Columns of a bar between its ends, where there are as many.
const WIDTH: u32 = 72;

/// Columns of a bar on a terminal with so many: it has two blanks before it, and the last number of
/// its scale, with a unit, behind it.
fn width_on(columns: Option<usize>) -> u32 {
    columns.map_or(WIDTH, |columns| (columns as u32).saturating_sub(11).clamp(16, WIDTH))
}

/// A card whose vGPUs have the numbers of their VMs.
#[derive(Clone, Debug)]
pub(super) struct Card<'a> {
    pub(super) gpu: &'a GpuSpec,
    pub(super) mode: CardMode,
    /// VM, from 1, and place of each vGPU.
    pub(super) vgpus: Vec<(u32, VgpuPlace)>,
}

/// A part of the bar.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Block {
    start: u32,
    end: u32,
    /// The VMs in it.
    vms: Vec<u32>,
    kind: usize,
}

/// What there would still be room for, of one type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Room {
    pub(super) kind: usize,
    pub(super) count: u32,
    /// Free placement ids, or first memory slices; none in equal-size mode.
    pub(super) at: Vec<u32>,
}

impl<'a> Card<'a> {
    /// The plans with VMs: those of a type in order of their number.
    pub(super) fn number(gpu: &'a GpuSpec, plans: &[CardPlan], kinds: &[usize]) -> Vec<Card<'a>> {
        let mut next: Vec<std::vec::IntoIter<u32>> = (0..gpu.vgpu_types.len())
            .map(|kind| {
                let of_kind = kinds.iter().zip(1..).filter(|(one, _)| **one == kind);
                of_kind.map(|(_, vm)| vm).collect::<Vec<u32>>().into_iter()
            })
            .collect();
        let mut card = |plan: &CardPlan| {
            let mut vm = |place: &VgpuPlace| next[place.kind].next().expect("a VM for each vGPU");
            let vgpus = plan.vgpus.iter().map(|place| (vm(place), *place));
            Card { gpu, mode: plan.mode, vgpus: vgpus.collect() }
        };
        plans.iter().map(&mut card).collect()
    }

    fn of(&self, kind: usize) -> &'a VgpuType {
        &self.gpu.vgpu_types[kind]
    }

    /// Bar, scale and a line for each kind of vGPU.
    pub(super) fn text(&self, number: usize) -> String {
        let mut text = format!("card {number}: {}\n", self.about());
        if self.mode == CardMode::Free {
            return text;
        }
        let blocks = self.blocks();
        let width = width_on(crate::cli::output::columns());
        text.push_str(&bar((self.end(), width), &blocks, |block| self.label(block)));
        text.push_str(&scale((self.end(), width), &blocks));
        for (kind, vms) in self.by_kind() {
            text.push_str(&self.line(kind, &vms));
        }
        text.push_str(&format!("  room left   {}\n", self.room_in_words()));
        text
    }

    fn about(&self) -> String {
        let count = match self.vgpus.len() {
            1 => "1 vGPU".to_string(),
            count => format!("{count} vGPUs"),
        };
        match self.mode {
            CardMode::Free => "free".to_string(),
            CardMode::EqualSize => format!("equal-size mode, {count}, {}", self.used()),
            CardMode::MixedSize => format!("mixed-size mode, {count}, {}", self.used()),
            CardMode::Instances => format!("MIG, {count}, {}", self.used()),
        }
    }

    fn used(&self) -> String {
        if self.mode == CardMode::Instances {
            let used: u32 = self.blocks().iter().map(|block| block.end - block.start).sum();
            return format!("{used} of {} memory slices", self.end());
        }
        let all = self.vgpus.iter().map(|(_, place)| self.of(place.kind).frame_buffer.get());
        let used = crate::units::Bytes::new(all.sum());
        format!("{used} of {}", self.memory())
    }

    /// The card's memory, or the frame buffer of its largest type where that is named larger.
    fn memory(&self) -> crate::units::Bytes {
        let largest = self.gpu.vgpu_types.iter().map(|vgpu| vgpu.frame_buffer).max();
        self.gpu.memory.value.max(largest.unwrap_or(self.gpu.memory.value))
    }

    /// The end of the bar: memory in MiB, the placement region, or the memory slices.
    fn end(&self) -> u32 {
        match self.mode {
            CardMode::Instances => Geometry::new(&self.gpu.mig_profiles).memory_slices.max(1),
            CardMode::MixedSize => region(self.gpu),
            CardMode::EqualSize | CardMode::Free => (self.memory().get() >> 20) as u32,
        }
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut vgpus = self.vgpus.clone();
        vgpus.sort_by_key(|(_, place)| place.start);
        for (vm, VgpuPlace { kind, start }) in vgpus {
            let of = self.of(kind);
            let size = match self.mode {
                CardMode::Instances => {
                    let profile = of.profile.as_deref().and_then(|name| self.gpu.mig_profile(name));
                    profile.map_or(1, |profile| profile.memory_slices)
                }
                CardMode::MixedSize => of.mixed_size.placements().map_or(1, |(_, size)| size),
                CardMode::EqualSize | CardMode::Free => (of.frame_buffer.get() >> 20) as u32,
            };
            let start = start.unwrap_or_else(|| blocks.last().map_or(0, |block| block.end));
            match blocks.last_mut() {
                Some(last) if last.start == start => last.vms.push(vm),
                _ => blocks.push(Block { start, end: start + size, vms: vec![vm], kind }),
            }
        }
        blocks
    }

    fn label(&self, block: &Block) -> [String; 2] {
        let vms = ranges(&block.vms);
        [format!("{vms} {}", self.of(block.kind).name), vms]
    }

    fn by_kind(&self) -> Vec<(usize, Vec<(u32, VgpuPlace)>)> {
        let mut kinds: Vec<(usize, Vec<(u32, VgpuPlace)>)> = Vec::new();
        for vgpu in &self.vgpus {
            match kinds.iter_mut().find(|(kind, _)| *kind == vgpu.1.kind) {
                Some((_, all)) => all.push(*vgpu),
                None => kinds.push((vgpu.1.kind, vec![*vgpu])),
            }
        }
        kinds
    }

    /// `VM 1 to 4   A100-10C, 10 GiB each, at placement ids 0, 10, 20, 30`.
    fn line(&self, kind: usize, vgpus: &[(u32, VgpuPlace)]) -> String {
        let vms: Vec<u32> = vgpus.iter().map(|(vm, _)| *vm).collect();
        let of = self.of(kind);
        let mut starts: Vec<u32> = vgpus.iter().filter_map(|(_, place)| place.start).collect();
        starts.sort_unstable();
        starts.dedup();
        let shown: Vec<String> = starts.iter().map(u32::to_string).collect();
        let (many, shown) = (if shown.len() == 1 { "" } else { "s" }, shown.join(", "));
        let at = match self.mode {
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

    /// What else the card would take, its vGPUs staying where they are.
    pub(super) fn room(&self) -> Vec<Room> {
        // Other series have the same room; their licences differ.
        let is_here = |of: &VgpuType| {
            let mut series = self.vgpus.iter().map(|(_, place)| self.of(place.kind).series());
            series.any(|series| series == of.series())
        };
        let types = self.gpu.vgpu_types.iter().enumerate().filter(|(_, of)| is_here(of));
        let room = types.filter_map(|(kind, of)| {
            let at = match self.mode {
                CardMode::Free => return None,
                CardMode::EqualSize => {
                    let has = self.of(self.vgpus.first()?.1.kind);
                    let alike = of.is_time_sliced() && of.frame_buffer == has.frame_buffer;
                    let own = self.vgpus.iter().map(|(_, place)| self.of(place.kind).max_per_gpu);
                    let most = own.chain([of.max_per_gpu]).min().unwrap_or(0);
                    let count = most.saturating_sub(self.vgpus.len() as u32);
                    return (alike && count > 0).then(|| Room { kind, count, at: Vec::new() });
                }
                CardMode::MixedSize => {
                    let (ids, size) = of.mixed_size.placements()?;
                    free_ids(Ids { ids, size }, &self.taken())
                }
                CardMode::Instances => self.free_slices(of)?,
            };
            let each = if self.mode == CardMode::Instances { of.max_per_instance } else { 1 };
            let beside = self.beside(kind);
            let count = at.len() as u32 * each + beside;
            (count > 0).then_some(Room { kind, count, at })
        });
        room.collect()
    }

    /// Seats left in the instances that the type has already.
    fn beside(&self, kind: usize) -> u32 {
        if self.mode != CardMode::Instances {
            return 0;
        }
        let of = self.of(kind);
        let mine = self.blocks().into_iter().filter(|block| block.kind == kind);
        mine.map(|block| of.max_per_instance.saturating_sub(block.vms.len() as u32)).sum()
    }

    fn taken(&self) -> Vec<(u32, u32)> {
        self.blocks().iter().map(|block| (block.start, block.end - block.start)).collect()
    }

    /// Where more GPU instances of the type's profile could be made, beside each other.
    fn free_slices(&self, of: &VgpuType) -> Option<Vec<u32>> {
        let geometry = Geometry::new(&self.gpu.mig_profiles);
        let index = |of: &VgpuType| {
            let named = of.profile.as_deref()?;
            self.gpu.mig_profiles.iter().position(|profile| profile.name == named)
        };
        let profile = index(of)?;
        let blocks = self.blocks();
        let taken =
            blocks.iter().filter_map(|block| Some((index(self.of(block.kind))?, block.start)));
        let mut taken: Vec<Positioned> = taken.collect();
        let mut at = Vec::new();
        for &start in &self.gpu.mig_profiles[profile].starts {
            if geometry.fits(&taken, (profile, start)) {
                taken.push((profile, start));
                at.push(start);
            }
        }
        Some(at)
    }

    fn room_in_words(&self) -> String {
        let each = self.room().into_iter().map(|room| {
            let name = &self.of(room.kind).name;
            let at: Vec<String> = room.at.iter().map(u32::to_string).collect();
            match self.mode {
                CardMode::MixedSize => format!("{} x {name} (at {})", room.count, at.join(", ")),
                _ => format!("{} x {name}", room.count),
            }
        });
        let each: Vec<String> = each.collect();
        if each.is_empty() { "none".to_string() } else { each.join(", or ") }
    }
}

/// The placement region: the end of the last place of any type.
fn region(gpu: &GpuSpec) -> u32 {
    let printed = gpu.vgpu_types.iter().filter_map(|vgpu| vgpu.mixed_size.placements());
    let ends = printed.filter_map(|(ids, size)| ids.last().map(|id| id + size));
    ends.max().unwrap_or(1)
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
