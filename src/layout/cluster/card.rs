//! One card of a host: what is on it, and where one more would go.

use super::Ask;
use crate::layout::creation::driver_start;
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::mixed_size::{Ids, free_ids};
use crate::spec::{GpuSpec, MigProfile, VgpuType};
use crate::units::Bytes;

/// A model of cards, as far as placement looks at it.
#[derive(Clone, Debug)]
pub struct CardModel<'a> {
    /// Its name in the catalogue.
    pub name: &'a str,
    /// Frame buffer that can be given away.
    pub memory: Bytes,
    /// Its vGPU types.
    pub types: &'a [VgpuType],
    /// Its GPU instance profiles.
    pub profiles: &'a [MigProfile],
    /// The profile of each type that is MIG-backed.
    backing: Vec<Option<usize>>,
    /// Start and size of every place in mixed-size mode, each once.
    places: Vec<(u32, u32)>,
}

/// A vGPU, GPU instance or whole card that a VM has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resident {
    /// The VM.
    pub vm: usize,
    /// What it has.
    pub ask: Ask,
    /// Its placement id in mixed-size mode, the first memory slice of its GPU instance, else 0.
    pub start: u32,
}

/// A card.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its model, by index.
    pub model: usize,
    /// Its NVLink group.
    pub nvlink: Option<u32>,
    /// Whether its time-sliced vGPUs may be of several sizes.
    pub is_mixed: bool,
    /// What is on it.
    pub residents: Vec<Resident>,
}

/// What a card is used for; it stays until the card is empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CardMode {
    /// Nothing.
    Free,
    /// One VM has all of it.
    Passthrough,
    /// Time-sliced vGPUs of one frame buffer.
    EqualSize,
    /// Time-sliced vGPUs at placement ids.
    MixedSize,
    /// GPU instances.
    Mig,
    /// Thousandths without a rule.
    Parts,
}

/// Why a card has no place for what is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Obstacle {
    /// It is used in another mode.
    Mode(CardMode),
    /// Its vGPUs have another frame buffer, and it is in equal-size mode.
    Locked(Bytes),
    /// Less is free than is asked.
    Full,
    /// Enough is free, but no placement id or position.
    Alignment,
    /// Memory slices are free, but too few compute slices.
    Compute,
    /// It is in mixed-size mode, and the placement ids of the type are not published.
    NotPublished,
}

/// A place on a card, if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// It would start here.
    At(u32),
    /// There is none.
    Not(Obstacle),
}

impl Room {
    /// Where it would start, if there is a place.
    pub fn start(self) -> Option<u32> {
        match self {
            Room::At(start) => Some(start),
            Room::Not(_) => None,
        }
    }

    /// Why there is no place, if there is none.
    pub fn obstacle(self) -> Option<Obstacle> {
        match self {
            Room::At(_) => None,
            Room::Not(obstacle) => Some(obstacle),
        }
    }
}

impl<'a> CardModel<'a> {
    /// The model of a GPU.
    pub fn of(gpu: &'a GpuSpec) -> Self {
        let largest = gpu.vgpu_types.iter().map(|one| one.frame_buffer).max();
        let memory = largest.unwrap_or(Bytes::ZERO).max(gpu.memory.value);
        Self::new(&gpu.id, memory, &gpu.vgpu_types, &gpu.mig_profiles)
    }

    /// A model with these types and profiles.
    pub fn new(
        name: &'a str,
        memory: Bytes,
        types: &'a [VgpuType],
        profiles: &'a [MigProfile],
    ) -> Self {
        let backing = types.iter().map(|of| {
            profiles.iter().position(|profile| Some(&profile.name) == of.profile.as_ref())
        });
        let printed = types.iter().filter_map(|of| of.mixed_size.placements());
        let mut places: Vec<(u32, u32)> =
            printed.flat_map(|(ids, size)| ids.iter().map(move |id| (*id, size))).collect();
        places.sort_unstable();
        places.dedup();
        Self { name, memory, types, profiles, backing: backing.collect(), places }
    }

    /// The GPU instance profile that something asks for.
    pub fn profile_of(&self, ask: Ask) -> Option<usize> {
        match ask {
            Ask::Instance(profile) => Some(profile),
            Ask::Vgpu(kind) => self.backing[kind],
            Ask::Whole | Ask::Part(_) => None,
        }
    }

    /// The frame buffer of what is asked.
    pub fn frame_buffer(&self, ask: Ask) -> Bytes {
        match ask {
            Ask::Whole => self.memory,
            Ask::Vgpu(kind) => self.types[kind].frame_buffer,
            Ask::Instance(profile) => self.profiles[profile].frame_buffer.unwrap_or(Bytes::ZERO),
            Ask::Part(milli) => Bytes::new(self.memory.get() / 1000 * u64::from(milli)),
        }
    }

    /// The end of the last place of any type in mixed-size mode.
    pub fn region(&self) -> u32 {
        self.places.iter().map(|(start, size)| start + size).max().unwrap_or(1)
    }

    /// Start and size of each resident in mixed-size mode.
    fn taken(&self, residents: &[Resident]) -> Vec<(u32, u32)> {
        let place = |resident: &Resident| match resident.ask {
            Ask::Vgpu(kind) => {
                let (_, size) = self.types[kind].mixed_size.placements()?;
                Some((resident.start, size))
            }
            _ => None,
        };
        residents.iter().filter_map(place).collect()
    }
}

impl Card {
    /// An empty card.
    pub fn new(model: usize, nvlink: Option<u32>, is_mixed: bool) -> Self {
        Self { model, nvlink, is_mixed, residents: Vec::new() }
    }

    /// What it is used for.
    pub fn mode(&self, model: &CardModel<'_>) -> CardMode {
        let Some(first) = self.residents.first() else { return CardMode::Free };
        match first.ask {
            Ask::Whole => CardMode::Passthrough,
            Ask::Part(_) => CardMode::Parts,
            Ask::Instance(_) => CardMode::Mig,
            Ask::Vgpu(kind) if model.backing[kind].is_some() => CardMode::Mig,
            Ask::Vgpu(kind) if self.is_placed_by_id(model, kind) => CardMode::MixedSize,
            Ask::Vgpu(_) => CardMode::EqualSize,
        }
    }

    /// Frame buffer that nobody has.
    pub fn free(&self, model: &CardModel<'_>) -> Bytes {
        let of = |resident: &Resident| model.frame_buffer(resident.ask).get();
        let taken: u64 = self.residents.iter().map(of).sum();
        Bytes::new(model.memory.get().saturating_sub(taken))
    }

    fn is_placed_by_id(&self, model: &CardModel<'_>, kind: usize) -> bool {
        self.is_mixed && model.types[kind].mixed_size.placements().is_some()
    }

    /// Where one more would start on it, or why there is no place.
    pub fn room(&self, model: &CardModel<'_>, ask: Ask) -> Room {
        let mode = self.mode(model);
        let is_open = |own: &[CardMode]| mode == CardMode::Free || own.contains(&mode);
        match ask {
            Ask::Whole if is_open(&[]) => Room::At(0),
            Ask::Part(wanted) if is_open(&[CardMode::Parts]) => {
                let part = |resident: &Resident| match resident.ask {
                    Ask::Part(milli) => milli,
                    _ => 0,
                };
                let taken: u32 = self.residents.iter().map(part).sum();
                if taken + wanted <= 1000 { Room::At(0) } else { Room::Not(Obstacle::Full) }
            }
            Ask::Vgpu(kind)
                if model.backing[kind].is_none()
                    && is_open(&[CardMode::EqualSize, CardMode::MixedSize]) =>
            {
                self.room_in_turns(model, kind, mode)
            }
            Ask::Vgpu(_) | Ask::Instance(_)
                if model.profile_of(ask).is_some() && is_open(&[CardMode::Mig]) =>
            {
                self.room_for_instance(model, ask)
            }
            _ => Room::Not(Obstacle::Mode(mode)),
        }
    }

    fn room_in_turns(&self, model: &CardModel<'_>, kind: usize, mode: CardMode) -> Room {
        let of = &model.types[kind];
        if !self.is_placed_by_id(model, kind) {
            if mode == CardMode::MixedSize {
                return Room::Not(Obstacle::NotPublished);
            }
            let there = self.residents.iter().filter_map(|resident| match resident.ask {
                Ask::Vgpu(kind) => Some(&model.types[kind]),
                _ => None,
            });
            let mut most = of.max_per_gpu;
            for other in there {
                if other.frame_buffer != of.frame_buffer {
                    return Room::Not(Obstacle::Locked(other.frame_buffer));
                }
                // Of types that are alike in size a card takes no more than of any of them.
                most = most.min(other.max_per_gpu);
            }
            let is_full = self.residents.len() >= most as usize;
            return if is_full { Room::Not(Obstacle::Full) } else { Room::At(0) };
        }
        if mode == CardMode::EqualSize {
            // Types without published ids hold the card as they would in equal-size mode.
            return Room::Not(Obstacle::NotPublished);
        }
        let (ids, size) = of.mixed_size.placements().expect("placed by id");
        let taken = model.taken(&self.residents);
        let free = free_ids(Ids { ids, size }, &taken);
        let best = free.into_iter().min_by_key(|id| (blocked(model, &taken, (*id, size)), *id));
        match best {
            Some(id) => Room::At(id),
            None if self.free(model) < of.frame_buffer => Room::Not(Obstacle::Full),
            None => Room::Not(Obstacle::Alignment),
        }
    }

    /// How many places of mixed-size mode a start would block that are open now.
    pub(super) fn blocks(&self, model: &CardModel<'_>, ask: Ask, start: u32) -> usize {
        let Ask::Vgpu(kind) = ask else { return 0 };
        let Some((_, size)) = model.types[kind].mixed_size.placements() else { return 0 };
        blocked(model, &model.taken(&self.residents), (start, size))
    }

    fn room_for_instance(&self, model: &CardModel<'_>, ask: Ask) -> Room {
        let geometry = Geometry::new(model.profiles);
        let profile = model.profile_of(ask).expect("a GPU instance");
        let per_instance = match ask {
            Ask::Vgpu(kind) => model.types[kind].max_per_instance as usize,
            _ => 1,
        };
        if per_instance > 1 {
            let mine = self.residents.iter().filter(|resident| resident.ask == ask);
            let mut starts: Vec<u32> = mine.map(|resident| resident.start).collect();
            starts.sort_unstable();
            let open = starts.chunk_by(|one, other| one == other);
            if let Some(open) = open.into_iter().find(|own| own.len() < per_instance) {
                return Room::At(open[0]);
            }
        }
        let taken = self.instances(model);
        if let Some(start) = driver_start(&geometry, &taken, profile) {
            return Room::At(start);
        }
        let counts = geometry.counts(&taken);
        let wanted = &model.profiles[profile];
        let memory =
            geometry.memory_slices - geometry.memory_of(&counts).min(geometry.memory_slices);
        let compute =
            geometry.compute_slices - geometry.compute_of(&counts).min(geometry.compute_slices);
        Room::Not(if memory < wanted.memory_slices || counts[profile] >= wanted.max_per_gpu {
            Obstacle::Full
        } else if compute < wanted.compute_slices {
            Obstacle::Compute
        } else {
            Obstacle::Alignment
        })
    }

    /// Its GPU instances, each once.
    pub fn instances(&self, model: &CardModel<'_>) -> Vec<Positioned> {
        let at = |resident: &Resident| Some((model.profile_of(resident.ask)?, resident.start));
        let mut all: Vec<Positioned> = self.residents.iter().filter_map(at).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// How many places that are open beside `taken` would not be beside `new` as well.
fn blocked(model: &CardModel<'_>, taken: &[(u32, u32)], new: (u32, u32)) -> usize {
    let overlap =
        |one: (u32, u32), other: (u32, u32)| one.0 < other.0 + other.1 && other.0 < one.0 + one.1;
    let is_open = |place: (u32, u32)| taken.iter().all(|other| !overlap(*other, place));
    let places = model.places.iter().copied();
    places.filter(|place| overlap(new, *place) && is_open(*place)).count()
}
