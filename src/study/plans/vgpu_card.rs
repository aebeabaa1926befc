//! A card with the vGPUs of numbered VMs: their places, and the room left.

use crate::layout::fit::{CardMode, CardPlan, VgpuPlace};
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::mixed_size::{Ids, free_ids};
use crate::spec::{GpuSpec, VgpuType};
use crate::units::Bytes;
use serde::Serialize;

/// A card whose vGPUs have the numbers of their VMs.
#[derive(Clone, Debug)]
pub struct CardVgpus<'a> {
    /// The GPU.
    pub gpu: &'a GpuSpec,
    /// What the card is used for.
    pub mode: CardMode,
    /// VM, from 1, and place of each vGPU.
    pub vgpus: Vec<(u32, VgpuPlace)>,
}

/// A used part of a card, in MiB, placement ids or memory slices, depending on its mode.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// The VMs in it.
    pub vms: Vec<u32>,
    /// The type of its vGPUs, by index.
    pub kind: usize,
}

/// The room left for one type.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuRoom<'a> {
    /// The type.
    pub r#type: &'a str,
    /// How many.
    pub count: u32,
    /// Free placement ids, or first memory slices; none in equal-size mode.
    pub at: Vec<u32>,
}

impl<'a> CardVgpus<'a> {
    /// The plans with VMs, `kinds` the type of each: those of a type in order of their number.
    pub(super) fn number(gpu: &'a GpuSpec, plans: &[CardPlan], kinds: &[usize]) -> Vec<Self> {
        let mut next: Vec<std::vec::IntoIter<u32>> = (0..gpu.vgpu_types.len())
            .map(|kind| {
                let of_kind = kinds.iter().zip(1..).filter(|(one, _)| **one == kind);
                of_kind.map(|(_, vm)| vm).collect::<Vec<u32>>().into_iter()
            })
            .collect();
        let mut card = |plan: &CardPlan| {
            let mut vm = |place: &VgpuPlace| next[place.kind].next().expect("a VM for each vGPU");
            let vgpus = plan.vgpus.iter().map(|place| (vm(place), *place));
            CardVgpus { gpu, mode: plan.mode, vgpus: vgpus.collect() }
        };
        plans.iter().map(&mut card).collect()
    }

    /// A type by its index.
    pub fn of(&self, kind: usize) -> &'a VgpuType {
        &self.gpu.vgpu_types[kind]
    }

    /// The size of the card: memory in MiB, the placement region, or the memory slices.
    pub fn end(&self) -> u32 {
        match self.mode {
            CardMode::Instances => Geometry::new(&self.gpu.mig_profiles).memory_slices.max(1),
            CardMode::MixedSize => region(self.gpu),
            CardMode::EqualSize | CardMode::Free => (memory(self.gpu).get() >> 20) as u32,
        }
    }

    /// The used parts, in order of place.
    pub fn blocks(&self) -> Vec<Block> {
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

    /// The further vGPUs that the card could take, its present vGPUs unmoved.
    pub fn room(&self) -> Vec<VgpuRoom<'a>> {
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
                    return (alike && count > 0).then(|| VgpuRoom {
                        r#type: &of.name,
                        count,
                        at: Vec::new(),
                    });
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
            (count > 0).then_some(VgpuRoom { r#type: &of.name, count, at })
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
}

/// A card's memory, or the frame buffer of its largest type if that is larger.
pub fn memory(gpu: &GpuSpec) -> Bytes {
    let largest = gpu.vgpu_types.iter().map(|vgpu| vgpu.frame_buffer).max();
    largest.unwrap_or(Bytes::ZERO).max(gpu.memory.value)
}

/// The word for what a card is used for.
pub(super) fn mode_name(mode: CardMode) -> &'static str {
    match mode {
        CardMode::Free => "free",
        CardMode::EqualSize => "equal-size",
        CardMode::MixedSize => "mixed-size",
        CardMode::Instances => "mig",
    }
}

/// The placement region: the end of the last place of any type.
fn region(gpu: &GpuSpec) -> u32 {
    let printed = gpu.vgpu_types.iter().filter_map(|vgpu| vgpu.mixed_size.placements());
    let ends = printed.filter_map(|(ids, size)| ids.last().map(|id| id + size));
    ends.max().unwrap_or(1)
}
