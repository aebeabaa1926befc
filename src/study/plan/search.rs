//! The search: sets of VMs that share a card are judged one by one, and layouts are covers of all
//! VMs by sets that hold their bounds.
//!
//! Cards do not influence one another but through the host, so a set is judged once, wherever it is
//! used. A set that was not judged yet counts as good; the best cover is judged, and searched again
//! with what is known then. So only sets that matter are simulated, and where the search ends by
//! itself no cover with fewer cards, or of the same cards with more headroom, was passed over.

use super::cover::{Chosen, Cover, Covers, sets_up_to};
use super::judge::{self, Judged};
use super::layout::{CardLayout, Held, Layout};
use super::options::{self, Counts, Family, Pruned, Room};
use super::{MakeLayout, PlanTask};
use crate::spec::Experiment;
use crate::study::progress::Progress;
use crate::study::vms::TooMany;
use std::collections::{BTreeMap, BTreeSet};

/// Sets of VMs that one card of an entry may hold, at most.
const SETS_MAX: usize = 20_000;
/// Short runs of one search at most.
const RUNS_MAX: u64 = 4_000;
/// Sets that are judged only to find a layout with more headroom on the same cards.
const FURTHER_MAX: usize = 60;

/// A set of VMs on a card of an entry, in ways of one family.
pub(super) type Key = (usize, Family, Counts);

/// A way that may hold the bounds of its VMs.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) card: CardLayout,
    pub(super) headroom: f64,
}

/// A layout by cards, with the least headroom that short runs show.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) layout: Layout,
    pub(super) headroom: f64,
    /// The key of each card.
    keys: Vec<Key>,
}

impl Draft {
    /// Whether a card of it is shared in a way of this family.
    pub(super) fn is_in(&self, family: Family) -> bool {
        self.keys.iter().any(|key| key.1 == family)
    }
}

/// The search and all that it has learnt.
pub(super) struct Search<'s> {
    pub(super) task: &'s PlanTask,
    pub(super) make: MakeLayout<'s>,
    pub(super) progress: Progress<'s>,
    pub(super) stop: &'s (dyn Fn() -> bool + Sync),
    /// Per entry of cards, the sets that one may hold.
    pub(super) sets: Vec<Vec<Counts>>,
    /// Per entry of cards, how many VMs have a place on one.
    room: Vec<Room>,
    pub(super) known: BTreeMap<Key, Vec<Scored>>,
    /// Of sets that hold in no way, the way that comes nearest.
    pub(super) near: BTreeMap<Key, Scored>,
    pub(super) judged: BTreeMap<String, Judged>,
    /// The headroom of a kind alone on a size of GPU instance of an entry, and the entries that are
    /// known.
    pub(super) on_sizes: BTreeMap<(usize, usize, Held), f64>,
    pub(super) sized: BTreeSet<usize>,
    pub(super) pruned: Pruned,
    /// Sets that were judged, and short runs.
    pub(super) looks: u64,
    pub(super) runs: u64,
    /// The fewest cards of a layout that holds, so far.
    pub(super) holds_on: Option<u32>,
    /// What was not tried, as sentences.
    pub(super) not_tried: Vec<String>,
    /// Per entry and kind: the VM alone on a whole card.
    pub(super) alone: Vec<Vec<Option<Experiment>>>,
    /// Why a kind cannot be on cards of an entry.
    pub(super) refused: Vec<(usize, usize, String)>,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        task: &'s PlanTask,
        make: MakeLayout<'s>,
        progress: Progress<'s>,
        stop: &'s (dyn Fn() -> bool + Sync),
    ) -> Self {
        let mut search = Self {
            task,
            make,
            progress,
            stop,
            sets: Vec::new(),
            room: (0..task.cards.len()).map(|cards| Room::of(task, cards)).collect(),
            known: BTreeMap::new(),
            near: BTreeMap::new(),
            judged: BTreeMap::new(),
            on_sizes: BTreeMap::new(),
            sized: BTreeSet::new(),
            pruned: Pruned::new(),
            looks: 0,
            runs: 0,
            holds_on: None,
            not_tried: Vec::new(),
            alone: Vec::new(),
            refused: Vec::new(),
        };
        for cards in 0..task.cards.len() {
            search.begin(cards);
        }
        search
    }

    /// Whether nothing more may be simulated.
    pub(super) fn is_over(&self) -> bool {
        self.runs >= RUNS_MAX || (self.stop)()
    }

    /// Whether it was ended from outside.
    pub(super) fn is_stopped(&self) -> bool {
        (self.stop)()
    }

    pub(super) fn stop(&self) -> &'s (dyn Fn() -> bool + Sync) {
        self.stop
    }

    /// The kinds that cards of an entry can have, and the sets of them that its time allows.
    fn begin(&mut self, cards: usize) {
        let task = self.task;
        let mut alone = Vec::new();
        for kind in 0..task.kinds.len() {
            let mut one = vec![0; task.kinds.len()];
            one[kind] = 1;
            let mut pruned = Pruned::new();
            let whole = options::of_family(task, cards, &one, Family::Whole, &mut pruned);
            let made = whole.first().map(|option| self.experiment(None, option.card.clone()));
            alone.push(match made {
                Some(Ok(experiment)) => Some(experiment),
                Some(Err(why)) => {
                    self.refused.push((cards, kind, why.text));
                    None
                }
                None => {
                    let why = "its batches do not fit the memory of the card";
                    self.refused.push((cards, kind, why.to_string()));
                    None
                }
            });
        }
        let busy = |kind: usize| {
            let shares = alone[kind].as_ref().map(judge::instances_busy);
            shares.map(|shares| shares.into_iter().fold(0.0, f64::max))
        };
        let busy: Vec<Option<f64>> = (0..task.kinds.len()).map(busy).collect();
        let wanted: Counts = task.kinds.iter().map(|kind| kind.count).collect();
        let over = std::cell::Cell::new(0_u64);
        let passes = |set: &Counts| {
            let of = set.iter().zip(&busy).filter(|(count, _)| **count > 0);
            let sum = of.map(|(&count, busy)| busy.map(|busy| busy * f64::from(count)));
            let sum: Option<f64> = sum.sum();
            let fits = sum.is_some_and(|sum| sum <= 1.0);
            over.set(over.get() + u64::from(sum.is_some() && !fits));
            fits
        };
        let families: Vec<Family> = super::styles(task).concat();
        let most = self.room[cards].in_any(&families);
        let (sets, cut) = sets_up_to(&wanted, most, SETS_MAX, passes);
        if over.get() > 0 {
            *self.pruned.entry(judge::BY_BUSY).or_default() += over.get();
        }
        if cut {
            let id = &task.cards[cards].gpu.id;
            self.not_tried.push(format!(
                "more than {SETS_MAX} sets of VMs on a card of {id}: only the first were looked at"
            ));
        }
        self.sets.push(sets);
        self.alone.push(alone);
    }

    pub(super) fn experiment(
        &self,
        policy: Option<usize>,
        card: CardLayout,
    ) -> Result<Experiment, TooMany> {
        let policy = policy.map(|index| self.task.policies[index].clone());
        (self.make)(&Layout { policy, cards: vec![card] })
    }

    /// Whether so many cards can hold so many VMs, each card at least one, by numbers alone, in ways of these
    /// families.
    pub(super) fn cards_may_do(&self, cards: &[u32], families: &[Family]) -> bool {
        let most = cards.iter().zip(&self.room);
        let most = most.map(|(&count, room)| u64::from(count) * u64::from(room.in_any(families)));
        let most: u64 = most.sum();
        let all: u64 = self.task.kinds.iter().map(|kind| u64::from(kind.count)).sum();
        let used: u64 = cards.iter().map(|count| u64::from(*count)).sum();
        all <= most && used <= all
    }

    /// The layout on just these cards that has the most headroom, in ways of these families, as far
    /// as short runs show, and more than `above`; nothing where there is none, or none was found in
    /// time.
    pub(super) fn best(&mut self, cards: &[u32], families: &[Family], above: f64) -> Option<Draft> {
        let wanted: Counts = self.task.kinds.iter().map(|kind| kind.count).collect();
        let mut best: Option<Draft> = None;
        let mut further = 0;
        loop {
            let least = best.as_ref().map_or(above, |best| best.headroom);
            let values = self.values(|set| self.may_have(set, families));
            let may = |(entry, index): Chosen| values[entry][index] > least;
            let found = Covers { sets: &self.sets, cards, may: &may }.of(&wanted);
            let chosen = match found {
                Cover::Found(chosen) => chosen,
                Cover::None => return best,
                Cover::GaveUp => {
                    self.say_not_tried("further divisions of the VMs over the cards: too many");
                    return best;
                }
            };
            let unknown = self.unknown(&chosen, families);
            if unknown.is_empty() {
                let draft = self.draft(&chosen, families);
                if draft.is_none() {
                    return best;
                }
                best = draft;
                continue;
            }
            if self.is_over() {
                let what = "further divisions of the VMs over the cards: the limit on work";
                self.say_not_tried(what);
                return best;
            }
            if best.is_some() || above > f64::NEG_INFINITY {
                further += unknown.len();
                if further > FURTHER_MAX {
                    self.say_not_tried(
                        "some divisions of the VMs over the same cards, which may have more \
                         headroom",
                    );
                    return best;
                }
            }
            self.look(unknown);
        }
    }

    /// Of the layouts that do not hold, one whose worst VM comes nearest to its bound, among the sets
    /// that were judged.
    pub(super) fn nearest(&self, cards: &[u32], families: &[Family]) -> Option<Draft> {
        let wanted: Counts = self.task.kinds.iter().map(|kind| kind.count).collect();
        let value = |(entry, index): Chosen| {
            let of = |family: &Family| {
                let key = (entry, *family, self.sets[entry][index].clone());
                let own = self.known.get(&key).and_then(|scored| scored.first());
                own.or_else(|| self.near.get(&key)).map(|one| (key, one.clone()))
            };
            let all = families.iter().filter_map(of);
            all.reduce(|best, other| if other.1.headroom > best.1.headroom { other } else { best })
        };
        let values = self.values(|set| {
            value(set).map_or(f64::NEG_INFINITY, |(_, one): (Key, Scored)| one.headroom)
        });
        let mut best: Option<Draft> = None;
        loop {
            let least = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.headroom);
            let may = |(entry, index): Chosen| values[entry][index] > least;
            let found = Covers { sets: &self.sets, cards, may: &may }.of(&wanted);
            let Cover::Found(chosen) = found else { return best };
            let all: Option<Vec<(Key, Scored)>> = chosen.iter().map(|one| value(*one)).collect();
            best = Some(self.drafted(all?));
        }
    }

    pub(super) fn say_not_tried(&mut self, what: &str) {
        if !self.not_tried.iter().any(|told| told == what) {
            self.not_tried.push(what.to_string());
        }
    }

    /// A figure of every set: it is asked for many times in a search for a cover.
    fn values(&self, of: impl Fn(Chosen) -> f64) -> Vec<Vec<f64>> {
        let entries = self.sets.iter().enumerate();
        entries
            .map(|(entry, sets)| (0..sets.len()).map(|index| of((entry, index))).collect())
            .collect()
    }

    /// The families in which so many VMs have a place on a card.
    fn with_room<'f>(
        &self,
        entry: usize,
        set: &Counts,
        families: &'f [Family],
    ) -> impl Iterator<Item = &'f Family> {
        let (room, all) = (self.room[entry], set.iter().sum::<u32>());
        families.iter().filter(move |family| all <= room.in_family(**family))
    }

    /// The most headroom that a set may have: 1 while nothing is known.
    fn may_have(&self, (entry, index): Chosen, families: &[Family]) -> f64 {
        let mut most = f64::NEG_INFINITY;
        let set = &self.sets[entry][index];
        for family in self.with_room(entry, set, families) {
            let known = self.known.get(&(entry, *family, set.clone()));
            most = most.max(match known {
                Some(scored) => scored.first().map_or(f64::NEG_INFINITY, |one| one.headroom),
                None => 1.0,
            });
        }
        most
    }

    /// The sets of a cover that were not judged yet.
    fn unknown(&self, chosen: &[Chosen], families: &[Family]) -> Vec<Key> {
        let mut unknown: Vec<Key> = Vec::new();
        for &(entry, index) in chosen {
            for family in self.with_room(entry, &self.sets[entry][index], families) {
                let key = (entry, *family, self.sets[entry][index].clone());
                if !self.known.contains_key(&key) && !unknown.contains(&key) {
                    unknown.push(key);
                }
            }
        }
        unknown
    }

    /// The layout of a cover whose sets are all known.
    fn draft(&self, chosen: &[Chosen], families: &[Family]) -> Option<Draft> {
        let best = |&(entry, index): &Chosen| {
            let of = |family: &Family| {
                let key = (entry, *family, self.sets[entry][index].clone());
                let first = self.known.get(&key)?.first()?.clone();
                Some((key, first))
            };
            // Of equal ones the family that comes first.
            families
                .iter()
                .filter_map(of)
                .reduce(|best, other| if other.1.headroom > best.1.headroom { other } else { best })
        };
        let all: Option<Vec<(Key, Scored)>> = chosen.iter().map(best).collect();
        Some(self.drafted(all?))
    }

    fn drafted(&self, mut cards: Vec<(Key, Scored)>) -> Draft {
        // Stable: cards of one entry stay in order.
        cards.sort_by_key(|(key, _)| key.0);
        let policy = cards.iter().find_map(|(key, _)| match key.1 {
            Family::Sliced(index) => Some(self.task.policies[index].clone()),
            _ => None,
        });
        let headroom = cards.iter().map(|(_, one)| one.headroom).fold(f64::INFINITY, f64::min);
        let (keys, cards): (Vec<Key>, Vec<CardLayout>) =
            cards.into_iter().map(|(key, one)| (key, one.card)).unzip();
        Draft { layout: Layout { policy, cards }, headroom, keys }
    }

    /// Leaves out the way in which a card of a draft holds its VMs: runs of full length say why.
    pub(super) fn leave_out(&mut self, draft: &Draft, card: usize, why: &'static str) {
        let (Some(key), Some(used)) = (draft.keys.get(card), draft.layout.cards.get(card)) else {
            return;
        };
        if let Some(scored) = self.known.get_mut(key) {
            scored.retain(|one| one.card != *used);
            *self.pruned.entry(why).or_default() += 1;
            let near = Scored { card: used.clone(), headroom: draft.headroom };
            self.near.entry(key.clone()).or_insert(near);
        }
    }
}
