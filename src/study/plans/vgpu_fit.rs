//! Can these VMs share these cards, and how?
//!
//! The answer is found in `layout::fit`; here it becomes figures, reasons and command lines.

use super::vgpu_card::{CardVgpus, VgpuRoom, memory, mode_name};
use super::vgpu_setup::{kvm, vms_in_order, vsphere};
use super::vgpu_types::placements;
use crate::layout::fit::{Answer, CardMode, Fit, Need, SizeMode, Wish};
use crate::layout::placement::Assignment;
use crate::spec::names::find_type;
use crate::spec::{DisputedMix, GpuSpec, MixedSize, VgpuType};
use crate::units::Bytes;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Most cards of a request: those of a host.
pub const VGPU_CARDS_MAX: u32 = 64;

/// A group of equal VMs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VgpuGroup {
    /// Their type, by index.
    pub kind: usize,
    /// How many.
    pub count: u32,
}

/// Cards, and how VMs are assigned to them.
#[derive(Clone, Copy, Debug)]
pub struct VgpuCards<'a> {
    /// The GPU.
    pub gpu: &'a GpuSpec,
    /// Mixes of its vGPUs about which the vendor's documents contradict each other.
    pub disputed: &'a [DisputedMix],
    /// How many cards there are.
    pub count: usize,
    /// Which card a VM goes to.
    pub assignment: Assignment,
    /// vGPUs of one size on a card, or of several; nothing: of several only where it is needed.
    pub mode: Option<SizeMode>,
}

/// The answer of `slicewise vgpu fit`.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuFit<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// How many cards there are.
    pub cards: usize,
    /// The VMs.
    pub wanted: Vec<CountedType<'a>>,
    /// `consolidate` or `spread`.
    pub policy: &'static str,
    /// `fits`, `does not fit`, `not published` or `not decided`.
    pub answer: &'static str,
    /// The types with enough frame buffer, where a frame buffer was requested.
    pub candidates: Option<Vec<CandidateType<'a>>>,
    /// The cards needed in equal-size mode.
    pub equal_size: CardsNeeded,
    /// The cards needed in mixed-size mode.
    pub mixed_size: CardsNeeded,
    /// The cards, where it fits.
    pub plan: Vec<PlannedCard<'a>>,
    /// The order in which to power on the VMs.
    pub power_on_order: Vec<u32>,
    /// How to set up the cards, where it fits.
    pub commands: Option<SetupCommands>,
    /// Why it does not fit.
    pub because: Vec<String>,
    /// What would fit.
    pub nearest: Vec<String>,
    /// Which documents contradict each other about it.
    pub dispute: Option<String>,
    /// Notes on a plan.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Whether the VMs have time-sliced vGPUs of several sizes, so that the two modes differ.
    #[serde(skip)]
    pub modes_differ: bool,
    /// Whether the GPU has a mixed-size mode for any of them.
    #[serde(skip)]
    pub has_mixed_size: bool,
}

/// A type, and how many.
#[derive(Clone, Debug, Serialize)]
pub struct CountedType<'a> {
    /// The type.
    pub r#type: &'a str,
    /// How many.
    pub count: u32,
}

/// A type that has enough frame buffer.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateType<'a> {
    /// The type.
    pub r#type: &'a str,
    /// How many a card takes.
    pub max_per_gpu: u32,
    /// How many cards the VMs need.
    pub cards_needed: usize,
    /// Whether there are as many.
    pub fits: bool,
    /// Whether the answer is about it.
    #[serde(skip)]
    pub is_chosen: bool,
    /// The requested frame buffer.
    #[serde(skip)]
    pub need: Bytes,
    /// The type itself.
    #[serde(skip)]
    pub spec: &'a VgpuType,
}

/// How many cards are needed.
#[derive(Clone, Debug, Serialize)]
pub struct CardsNeeded {
    /// This many are enough.
    pub cards_needed: usize,
    /// Whether it is proven that fewer are too few.
    pub is_proven: bool,
    /// Whether there are as many.
    pub fits: bool,
    /// The need itself.
    #[serde(skip)]
    pub spec: Need,
}

/// A card of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedCard<'a> {
    /// Its number, from 0.
    pub card: usize,
    /// `free`, `equal-size`, `mixed-size` or `mig`.
    pub mode: &'static str,
    /// Its vGPUs.
    pub vgpus: Vec<PlannedVgpu<'a>>,
    /// The further vGPUs that it could take, its present vGPUs unmoved.
    pub room: Vec<VgpuRoom<'a>>,
    /// The data for a drawing.
    #[serde(skip)]
    pub drawing: CardVgpus<'a>,
}

/// A vGPU of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedVgpu<'a> {
    /// Its VM, from 1.
    pub vm: u32,
    /// Its type.
    pub r#type: &'a str,
    /// Its frame buffer in MiB.
    pub frame_buffer_mib: u64,
    /// Its placement id, in mixed-size mode.
    pub placement_id: Option<u32>,
    /// The profile of the GPU instance that backs it.
    pub gpu_instance_profile: Option<&'a str>,
    /// The first memory slice of that.
    pub memory_slice: Option<u32>,
}

/// Command lines, and remarks with a `#`, by kind of host.
#[derive(Clone, Debug, Serialize)]
pub struct SetupCommands {
    /// For an ESXi host.
    pub vsphere: Vec<String>,
    /// For a Linux host with KVM, where they differ.
    pub kvm: Vec<String>,
}

/// The answer where no type has enough frame buffer.
#[derive(Clone, Debug, Serialize)]
pub struct NoVgpuType<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// How many cards there are.
    pub cards: usize,
    /// How many VMs.
    pub vms: u32,
    /// Always false.
    pub fit: bool,
    /// Why not.
    pub why: [String; 1],
    /// The most that a type has.
    #[serde(skip)]
    pub largest: Bytes,
}

/// Frame buffer that a guest has of a type: of a GPU instance no more than is usable.
fn usable(gpu: &GpuSpec) -> impl Fn(&VgpuType) -> Bytes {
    |vgpu| {
        let profile = vgpu.profile.as_deref().and_then(|name| gpu.mig_profile(name));
        let usable = profile.and_then(|profile| profile.frame_buffer);
        match vgpu.max_per_instance {
            1 => usable.map_or(vgpu.frame_buffer, |usable| usable.min(vgpu.frame_buffer)),
            _ => vgpu.frame_buffer,
        }
    }
}

impl<'a> VgpuCards<'a> {
    /// These VMs on the cards.
    pub fn fit(&self, groups: &[VgpuGroup]) -> VgpuFit<'a> {
        Question { cards: *self, groups }.answer()
    }

    /// A number of VMs with at least this frame buffer: of the type with the most frame buffer that
    /// fits, else of the one that needs the fewest cards.
    pub fn fit_by_need(&self, vms: u32, need: Bytes) -> Result<VgpuFit<'a>, NoVgpuType<'a>> {
        let mut candidates = self.candidates(vms, need);
        let fits = candidates.iter().position(|(_, one)| one.fits);
        let fewest = || (0..candidates.len()).min_by_key(|&at| candidates[at].1.cards_needed);
        let Some(chosen) = fits.or_else(fewest) else {
            let (id, types) = (&self.gpu.id, self.gpu.vgpu_types.iter());
            let why = [format!("no vGPU type of {id} has {need} of frame buffer")];
            let largest = types.map(usable(self.gpu)).max().unwrap_or(Bytes::ZERO);
            return Err(NoVgpuType { gpu: id, cards: self.count, vms, fit: false, why, largest });
        };
        candidates[chosen].1.is_chosen = true;
        let answer = self.fit(&[VgpuGroup { kind: candidates[chosen].0, count: vms }]);
        let candidates = candidates.into_iter().map(|(_, one)| one).collect();
        Ok(VgpuFit { candidates: Some(candidates), ..answer })
    }

    /// The types with enough frame buffer, by index: those of which the VMs fit first, then most frame
    /// buffer.
    fn candidates(&self, vms: u32, need: Bytes) -> Vec<(usize, CandidateType<'a>)> {
        let (usable, types) = (usable(self.gpu), &self.gpu.vgpu_types);
        // Of types alike in everything but the series the first: what differs is the licence.
        let is_first = |kind: usize| {
            let figures = |of: &VgpuType| {
                (of.frame_buffer, of.max_per_gpu, of.mixed_size.clone(), of.profile.clone())
            };
            types[..kind].iter().all(|other| figures(other) != figures(&types[kind]))
        };
        let kinds = (0..types.len()).filter(|&kind| {
            types[kind].runs_cuda() && usable(&types[kind]) >= need && is_first(kind)
        });
        let candidate = |kind: usize| {
            let mut wanted = vec![0; types.len()];
            wanted[kind] = vms;
            let cards_needed = Fit::new(self.gpu, SizeMode::Equal, wanted).need().cards();
            let spec = &types[kind];
            let fits = cards_needed <= self.count;
            let (r#type, max_per_gpu) = (&spec.name[..], spec.max_per_gpu);
            let is_chosen = false;
            let one =
                CandidateType { r#type, max_per_gpu, cards_needed, fits, is_chosen, need, spec };
            (kind, one)
        };
        let mut all: Vec<(usize, CandidateType<'a>)> = kinds.map(candidate).collect();
        all.sort_by_key(|(kind, one)| {
            (!one.fits, Reverse(one.spec.frame_buffer), !one.spec.is_time_sliced(), *kind)
        });
        all
    }
}

/// A question with its cards.
struct Question<'q, 'a> {
    cards: VgpuCards<'a>,
    groups: &'q [VgpuGroup],
}

impl<'a> Question<'_, 'a> {
    fn answer(&self) -> VgpuFit<'a> {
        let VgpuCards { gpu, count, assignment, mode, .. } = self.cards;
        let (equal, mixed) = (self.fit(SizeMode::Equal).need(), self.fit(SizeMode::Mixed).need());
        let suits = if equal.cards() <= count { SizeMode::Equal } else { SizeMode::Mixed };
        let mode = mode.unwrap_or(suits);
        let answer = self.fit(mode).on(count, assignment);
        let cards = match &answer {
            Answer::Fit(plans) => CardVgpus::number(gpu, plans, &self.kinds()),
            _ => Vec::new(),
        };
        let refused = cards.is_empty();
        let wanted = self.groups.iter();
        let wanted =
            wanted.map(|one| CountedType { r#type: self.name(one.kind), count: one.count });
        let needed = |spec: Need| CardsNeeded {
            cards_needed: spec.cards(),
            is_proven: spec.doubt.is_none(),
            fits: spec.cards() <= count,
            spec,
        };
        let mut kinds = self.kinds().into_iter().map(|kind| self.of(kind));
        VgpuFit {
            gpu: &gpu.id,
            cards: count,
            wanted: wanted.collect(),
            policy: match assignment {
                Assignment::Consolidate => "consolidate",
                Assignment::Spread => "spread",
            },
            answer: match answer {
                Answer::Fit(_) => "fits",
                Answer::DoNotFit => "does not fit",
                Answer::NotPublished => "not published",
                Answer::GaveUp => "not decided",
            },
            candidates: None,
            modes_differ: equal.sliced > 0 && self.sizes() > 1,
            has_mixed_size: kinds
                .any(|of| of.is_time_sliced() && of.mixed_size != MixedSize::Unsupported),
            equal_size: needed(equal),
            mixed_size: needed(mixed),
            power_on_order: vms_in_order(&cards, assignment),
            commands: (!refused)
                .then(|| SetupCommands { vsphere: vsphere(&cards, assignment), kvm: kvm(&cards) }),
            because: if refused { self.why_not(mode, &answer) } else { Vec::new() },
            nearest: if refused { self.nearest(mode) } else { Vec::new() },
            dispute: self.dispute().filter(|_| refused && mode == SizeMode::Mixed),
            notes: self.notes(&cards),
            plan: cards.into_iter().enumerate().map(|(at, card)| self.card(at, card)).collect(),
        }
    }

    fn card(&self, number: usize, drawing: CardVgpus<'a>) -> PlannedCard<'a> {
        let is_cut = drawing.mode == CardMode::Instances;
        let vgpus = drawing.vgpus.iter().map(|(vm, place)| PlannedVgpu {
            vm: *vm,
            r#type: self.name(place.kind),
            frame_buffer_mib: self.of(place.kind).frame_buffer.get() >> 20,
            placement_id: place.start.filter(|_| !is_cut),
            gpu_instance_profile: self.of(place.kind).profile.as_deref(),
            memory_slice: place.start.filter(|_| is_cut),
        });
        PlannedCard {
            card: number,
            mode: mode_name(drawing.mode),
            vgpus: vgpus.collect(),
            room: drawing.room(),
            drawing,
        }
    }

    fn fit(&self, mode: SizeMode) -> Fit<'a> {
        Fit::new(self.cards.gpu, mode, self.wanted())
    }

    fn wanted(&self) -> Vec<u32> {
        let mut wanted = vec![0; self.cards.gpu.vgpu_types.len()];
        self.groups.iter().for_each(|group| wanted[group.kind] += group.count);
        wanted
    }

    /// The type of each VM, in order.
    fn kinds(&self) -> Vec<usize> {
        let each = self.groups.iter();
        each.flat_map(|group| std::iter::repeat_n(group.kind, group.count as usize)).collect()
    }

    fn of(&self, kind: usize) -> &'a VgpuType {
        &self.cards.gpu.vgpu_types[kind]
    }

    fn name(&self, kind: usize) -> &'a str {
        &self.of(kind).name
    }

    /// How many different frame buffers the time-sliced VMs have.
    fn sizes(&self) -> usize {
        let kinds = self.kinds().into_iter().map(|kind| self.of(kind));
        let mut sizes: Vec<Bytes> =
            kinds.filter(|vgpu| vgpu.is_time_sliced()).map(|vgpu| vgpu.frame_buffer).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes.len()
    }

    fn notes(&self, cards: &[CardVgpus<'_>]) -> Vec<String> {
        let mut notes = Vec::new();
        let has = |mode| cards.iter().any(|card: &CardVgpus<'_>| card.mode == mode);
        if has(CardMode::MixedSize) {
            notes.push("a card in mixed-size mode takes best effort or equal share, not fixed share; the driver chooses the placement ids, so larger vGPUs go first".to_string());
        }
        if self.cards.assignment == Assignment::Spread
            && has(CardMode::EqualSize)
            && self.sizes() > 1
        {
            notes.push(
                "in equal-size mode the first vGPU fixes the size of its card, and the \
                policy Performance assigns a VM to the card with the fewest: keep the order"
                    .to_string(),
            );
        }
        notes
    }

    fn why_not(&self, mode: SizeMode, answer: &Answer) -> Vec<String> {
        let mut why = Vec::new();
        match answer {
            Answer::NotPublished => {
                let hidden = |kind: &usize| {
                    matches!(self.of(*kind).mixed_size, MixedSize::NotPublished { .. })
                };
                let mut names: Vec<&str> = Vec::new();
                for kind in self.kinds().into_iter().filter(hidden) {
                    if !names.contains(&self.name(kind)) {
                        names.push(self.name(kind));
                    }
                }
                why.push(format!(
                    "they do not fit in equal-size mode, and the placement ids of mixed-size mode \
                     are not published for {}; they are not guessed",
                    names.join(", ")
                ));
                return why;
            }
            Answer::GaveUp => {
                why.push("the search was given up after many steps".to_string());
                return why;
            }
            _ => {}
        }
        let need = self.fit(mode).need();
        let (wanted, memory) = (self.wanted(), memory(self.cards.gpu));
        let sliced = |kind: &usize| self.of(*kind).is_time_sliced();
        let frame_buffer = |kind: usize| self.of(kind).frame_buffer.get() * u64::from(wanted[kind]);
        let all: u64 = (0..wanted.len()).filter(sliced).map(frame_buffer).sum();
        if all > memory.get() * self.cards.count as u64 {
            let there = Bytes::new(memory.get() * self.cards.count as u64);
            why.push(format!(
                "they need {} of frame buffer, the cards have {there}",
                Bytes::new(all)
            ));
        }
        for kind in (0..wanted.len()).filter(|&kind| wanted[kind] > 0) {
            let (name, most) = (self.name(kind), self.of(kind).max_per_gpu);
            if wanted[kind] as usize > most as usize * self.cards.count {
                why.push(format!("{} x {name}, and a card can have {most}", wanted[kind]));
            }
        }
        if need.sliced > 0 && need.backed > 0 {
            why.push(format!(
                "time-sliced and MIG-backed vGPUs never share a card: {} for the one and {} for the other",
                need.sliced, need.backed
            ));
        }
        if why.is_empty() && self.sizes() > 1 {
            why.push(match mode {
                SizeMode::Equal => {
                    "in equal-size mode all vGPUs of a card have the same frame buffer".to_string()
                }
                SizeMode::Mixed => self.ids_in_words(),
            });
        }
        if why.is_empty() {
            why.push("the GPU instances have no layout on the printed positions".to_string());
        }
        why
    }

    /// What there is to say where a document of the vendor offers a mix that would hold all of this,
    /// and the placement ids exclude it.
    fn dispute(&self) -> Option<String> {
        let by_size = |counts: &mut dyn Iterator<Item = (usize, u32)>| {
            let mut sizes: BTreeMap<Bytes, u32> = BTreeMap::new();
            counts.for_each(|(kind, count)| {
                *sizes.entry(self.of(kind).frame_buffer).or_default() += count
            });
            sizes
        };
        let wanted = self.wanted();
        let mut used = wanted.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        if used.clone().any(|(kind, _)| !self.of(kind).is_time_sliced()) {
            return None;
        }
        let wanted = by_size(&mut used);
        let holds = |disputed: &&DisputedMix| {
            let kinds = disputed.mix.iter();
            let mut kinds =
                kinds.filter_map(|(name, count)| Some((find_type(self.cards.gpu, name)?, *count)));
            let offered = by_size(&mut kinds);
            wanted.len() > 1
                && wanted.iter().all(|(size, count)| {
                    offered
                        .get(size)
                        .is_some_and(|most| *count as usize <= *most as usize * self.cards.count)
                })
        };
        let found = self.cards.disputed.iter().find(holds)?;
        let mix: Vec<String> =
            found.mix.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        Some(format!(
            "two sources of NVIDIA contradict each other: {} offers {} on one card, {} prints the placement ids that exclude it; the ids decide until one of them is corrected",
            found.offered_by,
            mix.join(" and "),
            found.excluded_by
        ))
    }

    fn ids_in_words(&self) -> String {
        let wanted = self.wanted();
        let used =
            (0..wanted.len()).filter(|&kind| wanted[kind] > 0 && self.of(kind).is_time_sliced());
        if used.clone().all(|kind| self.of(kind).mixed_size == MixedSize::Unsupported) {
            return "all vGPUs of a card have the same frame buffer: this GPU has no mixed-size mode".to_string();
        }
        let each = used.map(|kind| format!("{} {}", self.name(kind), placements(self.of(kind))));
        let each: Vec<String> = each.collect();
        format!("in mixed-size mode vGPUs lie at placement ids only: {}", each.join(", "))
    }

    fn nearest(&self, mode: SizeMode) -> Vec<String> {
        let wish =
            Wish { gpu: self.cards.gpu, cards: self.cards.count, mode, wanted: self.wanted() };
        let list = |counts: &[u32]| {
            let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let each = used.map(|(kind, count)| format!("{count} x {}", self.name(kind)));
            each.collect::<Vec<_>>().join(", ")
        };
        let mut nearest = Vec::new();
        let dropped = wish.fewest_dropped();
        let kept: Vec<u32> =
            wish.wanted.iter().zip(&dropped).map(|(want, less)| want - less).collect();
        if kept.iter().any(|count| *count > 0) {
            nearest.push(format!("{} (without {})", list(&kept), list(&dropped)));
        }
        if let Some((kind, smaller)) = wish.smaller_type() {
            let (kind, smaller) = (self.name(kind), self.name(smaller));
            nearest.push(format!("all of them with {smaller} instead of {kind}"));
        }
        let need = self.fit(mode).need().cards();
        if need <= VGPU_CARDS_MAX as usize {
            nearest.push(format!("all of them on {need} cards"));
        }
        nearest
    }
}
