//! Do VMs fit on a card that already has vGPUs, and which must be moved or removed?
//!
//! The answer is found in `layout::fit`; here it is worded.

use super::vgpu_card::{CardVgpus, mode_name};
use crate::layout::fit::{Beside, CardMode, CardPlan, Room, VgpuPlace, beside};
use crate::spec::GpuSpec;
use serde::Serialize;

/// The answer of `slicewise vgpu fit --beside`.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuBeside<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// The existing vGPUs.
    pub beside: Vec<TypeAt<'a>>,
    /// The new vGPUs.
    pub wanted: Vec<TypeAt<'a>>,
    /// `fits`, `not there` (the vGPUs of `--beside` cannot share a card), `does not fit` or `not
    /// published`.
    pub answer: &'static str,
    /// The card afterwards, where they fit.
    pub plan: Option<BesidePlan<'a>>,
    /// Why they do not fit.
    pub because: Option<String>,
    /// The change that would make room; nothing where not even an empty card holds them.
    pub change: Option<BesideChange<'a>>,
    /// The card to draw, where they fit.
    #[serde(skip)]
    pub card: Option<CardVgpus<'a>>,
}

/// A vGPU and its place, if that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TypeAt<'a> {
    /// Its type.
    pub r#type: &'a str,
    /// Its placement id, or the first memory slice of its GPU instance.
    pub at: Option<u32>,
}

/// A card with vGPUs.
#[derive(Clone, Debug, Serialize)]
pub struct BesidePlan<'a> {
    /// `equal-size`, `mixed-size` or `mig`.
    pub mode: &'static str,
    /// Its vGPUs, existing ones first.
    pub vgpus: Vec<TypeAt<'a>>,
}

/// A way to make room.
#[derive(Clone, Debug, Serialize)]
pub struct BesideChange<'a> {
    /// vGPUs that are moved on the card.
    pub moved: Vec<TypeAt<'a>>,
    /// vGPUs that are removed.
    pub gone: Vec<TypeAt<'a>>,
    /// The card afterwards.
    pub plan: BesidePlan<'a>,
    /// The places of the moved vGPUs afterwards.
    #[serde(skip)]
    pub again: Vec<TypeAt<'a>>,
    /// The places of the new vGPUs afterwards.
    #[serde(skip)]
    pub new: Vec<TypeAt<'a>>,
    /// Whether the card changes to mixed-size mode.
    #[serde(skip)]
    pub changes_mode: bool,
}

/// Whether `wanted` types (by index) fit beside the vGPUs `there`; with `mixed` the card is in
/// mixed-size mode although no placement id is given.
pub fn vgpu_beside<'a>(
    gpu: &'a GpuSpec,
    there: &[VgpuPlace],
    wanted: &[usize],
    mixed: bool,
) -> VgpuBeside<'a> {
    let answer = beside(gpu, there, wanted, mixed);
    let mixed = mixed || there.iter().any(|one| one.start.is_some());
    let question = Question { gpu, there, wanted, mixed };
    VgpuBeside {
        gpu: &gpu.id,
        beside: question.named(there),
        wanted: question.new_ones(),
        answer: match answer {
            Beside::Fits(_) => "fits",
            Beside::NotThere => "not there",
            Beside::Change(_) => "does not fit",
            Beside::NotPublished => "not published",
        },
        because: question.because(&answer),
        plan: match &answer {
            Beside::Fits(plan) => Some(question.plan(plan)),
            _ => None,
        },
        change: match &answer {
            Beside::Change(Some(room)) => Some(question.change(room)),
            _ => None,
        },
        card: match answer {
            Beside::Fits(plan) => {
                Some(CardVgpus { gpu, mode: plan.mode, vgpus: (1..).zip(plan.vgpus).collect() })
            }
            _ => None,
        },
    }
}

struct Question<'q, 'a> {
    gpu: &'a GpuSpec,
    there: &'q [VgpuPlace],
    wanted: &'q [usize],
    mixed: bool,
}

impl<'a> Question<'_, 'a> {
    fn named(&self, places: &[VgpuPlace]) -> Vec<TypeAt<'a>> {
        let types = &self.gpu.vgpu_types;
        let named = |one: &VgpuPlace| TypeAt { r#type: &types[one.kind].name, at: one.start };
        places.iter().map(named).collect()
    }

    fn new_ones(&self) -> Vec<TypeAt<'a>> {
        let new = self.wanted.iter().map(|&kind| VgpuPlace { kind, start: None });
        self.named(&new.collect::<Vec<_>>())
    }

    fn plan(&self, plan: &CardPlan) -> BesidePlan<'a> {
        BesidePlan { mode: mode_name(plan.mode), vgpus: self.named(&plan.vgpus) }
    }

    fn change(&self, room: &Room) -> BesideChange<'a> {
        let picked =
            |list: &[usize]| self.named(&list.iter().map(|&at| self.there[at]).collect::<Vec<_>>());
        let stays = (0..self.there.len()).filter(|at| !room.gone.contains(at));
        let again = stays.zip(&room.plan.vgpus).filter(|(at, _)| room.moved.contains(at));
        let again: Vec<VgpuPlace> = again.map(|(_, place)| *place).collect();
        BesideChange {
            moved: picked(&room.moved),
            gone: picked(&room.gone),
            plan: self.plan(&room.plan),
            again: self.named(&again),
            new: self.named(&room.plan.vgpus[self.there.len() - room.gone.len()..]),
            changes_mode: room.plan.mode == CardMode::MixedSize && !self.mixed,
        }
    }

    /// Why it does not fit.
    fn because(&self, answer: &Beside) -> Option<String> {
        let there = self.there.iter().map(|one| one.kind);
        let all: Vec<usize> = there.chain(self.wanted.iter().copied()).collect();
        let is_backed = |kind: &&usize| !self.gpu.vgpu_types[**kind].is_time_sliced();
        let backed = all.iter().filter(is_backed).count();
        Some(match answer {
            Beside::Fits(_) => return None,
            Beside::NotThere => "the vGPUs of --beside cannot be on one card together".to_string(),
            Beside::NotPublished => {
                "placement ids of mixed-size mode are not published for all of them; they are not guessed".to_string()
            }
            Beside::Change(None) => format!(
                "not even a card without vGPUs holds {}: `slicewise vgpu fit` without --beside \
                 shows why",
                listed(&self.new_ones())
            ),
            _ if backed > 0 && backed < all.len() => {
                "time-sliced and MIG-backed vGPUs never share a card".to_string()
            }
            _ if backed > 0 => "no layout of GPU instances holds them with the existing ones at \
                their places".to_string(),
            Beside::Change(Some(room)) if room.plan.mode == CardMode::MixedSize && !self.mixed => {
                "the card is in equal-size mode: all its vGPUs have the same frame buffer, and \
                 the mode can change only while the card has no vGPUs".to_string()
            }
            _ if self.mixed => "no placement ids are free beside the existing vGPUs".to_string(),
            _ => "in equal-size mode a card takes vGPUs of one frame buffer, and no more than its maximum".to_string(),
        })
    }
}

/// `2 x A10-4C, A10-6C at 12`.
pub fn listed(vgpus: &[TypeAt<'_>]) -> String {
    let mut words: Vec<(&TypeAt<'_>, u32)> = Vec::new();
    for one in vgpus {
        match words.iter_mut().find(|(known, _)| *known == one) {
            Some((_, count)) => *count += 1,
            None => words.push((one, 1)),
        }
    }
    let words = words.into_iter().map(|(one, count)| {
        let at = one.at.map_or(String::new(), |at| format!(" at {at}"));
        let many = if count == 1 { String::new() } else { format!("{count} x ") };
        format!("{many}{}{at}", one.r#type)
    });
    words.collect::<Vec<_>>().join(", ")
}
