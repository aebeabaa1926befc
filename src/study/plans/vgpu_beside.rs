//! Do VMs fit on a card that has vGPUs, and what must move or go?
//!
//! The answer is found in `layout::fit`; here it is put into words.

use super::vgpu_card::{CardVgpus, mode_name};
use crate::layout::fit::{Beside, CardMode, CardPlan, Room, VgpuPlace, beside};
use crate::spec::GpuSpec;
use serde::Serialize;

/// What `slicewise vgpu fit --beside` answers.
#[derive(Clone, Debug, Serialize)]
pub struct VgpuBeside<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// What is there.
    pub beside: Vec<TypeAt<'a>>,
    /// What is to come.
    pub wanted: Vec<TypeAt<'a>>,
    /// `fits`, `not there` (what is said to be there cannot be), `does not fit` or `not published`.
    pub answer: &'static str,
    /// The card then, where it fits.
    pub plan: Option<BesidePlan<'a>>,
    /// Why it does not.
    pub because: Option<String>,
    /// What would make room; nothing where not even an empty card has it.
    pub change: Option<BesideChange<'a>>,
    /// The card to draw, where it fits.
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
    /// Its vGPUs, those that were there first.
    pub vgpus: Vec<TypeAt<'a>>,
}

/// A way to make room.
#[derive(Clone, Debug, Serialize)]
pub struct BesideChange<'a> {
    /// What goes elsewhere on the card.
    pub moved: Vec<TypeAt<'a>>,
    /// What goes.
    pub gone: Vec<TypeAt<'a>>,
    /// The card then.
    pub plan: BesidePlan<'a>,
    /// Where what goes elsewhere lies then.
    #[serde(skip)]
    pub again: Vec<TypeAt<'a>>,
    /// Where what is to come lies then.
    #[serde(skip)]
    pub new: Vec<TypeAt<'a>>,
    /// Whether the card becomes one in mixed-size mode.
    #[serde(skip)]
    pub changes_mode: bool,
}

/// Whether `wanted` types (by index) fit beside what is `there`; `mixed` says that the card is in
/// mixed-size mode although no place is named.
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
            Beside::NotThere => "what --beside names cannot be there together".to_string(),
            Beside::NotPublished => {
                "placement ids of mixed-size mode are not published for all of them; they are not guessed".to_string()
            }
            Beside::Change(None) => format!(
                "not even a card without vGPUs holds {}: `slicewise vgpu fit` without --beside says why",
                listed(&self.new_ones())
            ),
            _ if backed > 0 && backed < all.len() => {
                "time-sliced and MIG-backed vGPUs never share a card".to_string()
            }
            _ if backed > 0 => "no layout of GPU instances has them where what is there is".to_string(),
            Beside::Change(Some(room)) if room.plan.mode == CardMode::MixedSize && !self.mixed => {
                "the card is in equal-size mode: its vGPUs have one frame buffer, and it changes its mode only without any".to_string()
            }
            _ if self.mixed => "no placement ids are left where what is there is".to_string(),
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
