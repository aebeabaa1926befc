//! Which vGPUs share which card: equal-size or mixed-size mode, MIG-backed types, several cards.
//!
//! A card is time-sliced or cut into GPU instances, never both; so the two kinds of vGPU need
//! separate cards, and are counted separately (`sliced`, `backed`). The answer is exact: what does
//! not fit has no arrangement at all, unless the search gave up, which the answer states. The
//! wording of answers is elsewhere.

mod backed;
mod beside;
mod cover;
mod nearest;
mod sliced;

pub use beside::{Beside, Room, beside};
pub use nearest::Wish;

use super::placement::Assignment;
use crate::spec::GpuSpec;
use backed::Backed;
use cover::Covered;
use sliced::Sliced;

/// The modes that time-sliced cards may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeMode {
    /// All of them in equal-size mode, which is the default of the driver.
    Equal,
    /// Those that need it in mixed-size mode.
    Mixed,
}

/// What a card is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardMode {
    /// Nothing.
    Free,
    /// Time-sliced vGPUs of one frame buffer.
    EqualSize,
    /// Time-sliced vGPUs at placement ids.
    MixedSize,
    /// GPU instances.
    Instances,
}

/// The place of a vGPU on a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VgpuPlace {
    /// Its type: index into the GPU's types.
    pub kind: usize,
    /// Its placement id in mixed-size mode; the first memory slice of its GPU instance.
    pub start: Option<u32>,
}

/// A card with its vGPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardPlan {
    /// What it is used for.
    pub mode: CardMode,
    /// Its vGPUs. GPU instances are in an order of creation in which the driver places them here;
    /// the others are in order of their place.
    pub vgpus: Vec<VgpuPlace>,
}

/// Whether the vGPUs fit on the given cards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// They fit: one plan for each card.
    Fit(Vec<CardPlan>),
    /// No arrangement holds all of them.
    DoNotFit,
    /// That depends on placement ids that are not published.
    NotPublished,
    /// The search took too many steps.
    GaveUp,
}

/// How many cards vGPUs need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// Cards of time-sliced vGPUs.
    pub sliced: usize,
    /// Cards cut into GPU instances.
    pub backed: usize,
    /// A lower bound: fewer cards are too few in any case.
    pub least: usize,
    /// Why it is not known whether fewer cards are enough; nothing when it is certain that they are
    /// not.
    pub doubt: Option<Doubt>,
}

/// Why it is not known whether fewer cards are enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Placement ids are not published.
    NotPublished,
    /// The search took too many steps.
    GaveUp,
}

/// vGPUs to be placed: how many of each type of a GPU, by index.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    wanted: Vec<u32>,
    sliced: Sliced<'a>,
    backed: Backed<'a>,
}

impl Need {
    /// Cards for both kinds.
    pub fn cards(&self) -> usize {
        self.sliced + self.backed
    }
}

impl<'a> Fit<'a> {
    /// `wanted` of each type of the GPU.
    pub fn new(gpu: &'a GpuSpec, mode: SizeMode, wanted: Vec<u32>) -> Self {
        assert_eq!(wanted.len(), gpu.vgpu_types.len(), "a number for each type");
        let sliced = Sliced::new(gpu, mode, &wanted);
        let backed = Backed::new(gpu, &wanted);
        Self { wanted, sliced, backed }
    }

    /// The number of cards they need.
    pub fn need(&mut self) -> Need {
        let (sliced, backed) = (self.sliced.need(&self.wanted), self.backed.need(&self.wanted));
        Need {
            sliced: sliced.cards,
            backed: backed.cards,
            least: sliced.least + backed.least,
            doubt: sliced.doubt.or(backed.doubt),
        }
    }

    /// Whether and how they fit on `cards` cards.
    pub fn on(&mut self, cards: usize, assignment: Assignment) -> Answer {
        let need = self.need();
        if need.cards() > cards {
            return match need.doubt {
                _ if need.least > cards => Answer::DoNotFit,
                None => Answer::DoNotFit,
                Some(Doubt::NotPublished) => Answer::NotPublished,
                Some(Doubt::GaveUp) => Answer::GaveUp,
            };
        }
        let (sliced, backed) = match assignment {
            Assignment::Consolidate => (need.sliced, need.backed),
            Assignment::Spread => self.split(cards, &need),
        };
        let mut plans = self.sliced.plans(&self.wanted, sliced, assignment);
        plans.extend(self.backed.plans(&self.wanted, backed, assignment));
        plans.resize(cards, CardPlan { mode: CardMode::Free, vgpus: Vec::new() });
        Answer::Fit(plans)
    }

    /// Cards between time-sliced vGPUs and GPU instances, in proportion to the vGPUs.
    fn split(&self, cards: usize, need: &Need) -> (usize, usize) {
        match (need.sliced, need.backed) {
            (_, 0) => return (cards, 0),
            (0, _) => return (0, cards),
            _ => {}
        }
        let all = self.wanted.iter().sum::<u32>() as usize;
        let backed = self.backed.vgpus(&self.wanted) as usize;
        let share = (cards * backed + all / 2) / all;
        let backed = share.clamp(need.backed, cards - need.sliced);
        (cards - backed, backed)
    }

    /// Whether it is certain that `wanted` of each type, none of them more than in `new`, fit on
    /// `cards` cards. The search is short.
    pub fn surely_fits(&mut self, wanted: &[u32], cards: usize) -> bool {
        let backed = (0..=cards).find(|&cards| self.backed.covers(wanted, cards));
        backed.is_some_and(|backed| self.sliced.covers(wanted, cards - backed))
    }
}

/// The need of one kind of vGPU.
#[derive(Clone, Debug)]
struct SideNeed {
    cards: usize,
    /// What each of these cards may hold.
    chosen: Vec<Vec<u32>>,
    least: usize,
    doubt: Option<Doubt>,
}

/// The fewest cards that cover what is wanted, from the bound on.
fn fewest(search: &mut cover::Cover, wanted: &[u32]) -> SideNeed {
    let least = search.least(wanted);
    let mut doubt = None;
    for cards in least.. {
        // Where one search gave up, the next ones find something sooner or not at all.
        let found = match doubt {
            None => search.cover(wanted, cards),
            Some(_) => search.cover_soon(wanted, cards),
        };
        match found {
            Covered::By(chosen) => {
                let least = if doubt.is_none() { cards } else { least };
                return SideNeed { cards, chosen, least, doubt };
            }
            Covered::Not => {}
            Covered::GaveUp => doubt = Some(Doubt::GaveUp),
        }
    }
    unreachable!("every type has room on a card of its own")
}

/// What each chosen card holds of what is wanted: no more than is left for it.
fn hold(chosen: &[Vec<u32>], wanted: &[u32]) -> Vec<Vec<u32>> {
    let mut left = wanted.to_vec();
    let take = |(has, left): (&u32, &mut u32)| {
        let taken = (*has).min(*left);
        *left -= taken;
        taken
    };
    chosen.iter().map(|choice| choice.iter().zip(&mut left).map(take).collect()).collect()
}

/// Moves one thing at a time from the fullest card to emptier ones, while that evens them out.
fn level(held: &mut [Vec<u32>], takes: impl Fn(&[u32]) -> bool) {
    let load = |counts: &Vec<u32>| counts.iter().sum::<u32>();
    loop {
        let mut order: Vec<usize> = (0..held.len()).collect();
        order.sort_by_key(|&card| load(&held[card]));
        let pairs = order.iter().flat_map(|&to| order.iter().rev().map(move |&from| (from, to)));
        let uneven = pairs.filter(|&(from, to)| load(&held[from]) > load(&held[to]) + 1);
        let mut moves =
            uneven.flat_map(|(from, to)| (0..held[from].len()).map(move |kind| (from, to, kind)));
        let possible = moves.find(|&(from, to, kind)| {
            let mut with = held[to].clone();
            with[kind] += 1;
            held[from][kind] > 0 && takes(&with)
        });
        let Some((from, to, kind)) = possible else { return };
        held[from][kind] -= 1;
        held[to][kind] += 1;
    }
}
