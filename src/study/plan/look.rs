//! A look at a set of VMs on a card: every way of a family, by bounds and short runs, with smaller
//! batches where larger ones do not do.

use super::judge::{self, BY_RUN, Judged};
use super::layout::{CardLayout, CardPart};
use super::options::{self, CardOption, Family, Pruned};
use super::search::{Key, Scored, Search};
use crate::parallel::*;
use crate::spec::{Experiment, GpuSpec, SlicePolicy, VmSpec};
use crate::study::vms::Obstacle;
use crate::units::counted;

/// Combinations of GPU instances that are kept for a set: the best and one to fall back to.
const CUTS_KEPT: usize = 2;

/// What one look at a set found.
#[derive(Default)]
struct Looked {
    scored: Vec<Scored>,
    /// Ways that do not hold, with the headroom that they lack.
    near: Vec<Scored>,
    pruned: Pruned,
    judged: Vec<(String, Judged)>,
}

impl Search<'_> {
    /// Judges each kind alone on each size of GPU instance of cards, once.
    fn learn_sizes(&mut self, entry: usize) {
        if !self.sized.insert(entry) {
            return;
        }
        let kinds = 0..self.task.kinds.len();
        let each: Vec<CardOption> = kinds
            .flat_map(|kind| {
                let mut one = vec![0; self.task.kinds.len()];
                one[kind] = 1;
                options::of_family(self.task, entry, &one, Family::Cut, &mut self.pruned)
            })
            .collect();
        let found: Vec<(f64, Looked)> = each
            .par_iter()
            .with_max_len(1)
            .map(|option| {
                let mut looked = Looked::default();
                let found = self.try_option(None, option, &mut looked);
                (found.map_or(f64::NEG_INFINITY, |found| found.headroom), looked)
            })
            .collect();
        for (option, (headroom, looked)) in each.into_iter().zip(found) {
            if let Some(part) = option.card.parts.into_iter().next() {
                self.on_sizes.insert((entry, part.kind, part.held), headroom);
            }
            self.learn(looked.pruned, looked.judged);
        }
    }

    /// Keeps what looks have found.
    fn learn(&mut self, pruned: Pruned, judged: Vec<(String, Judged)>) {
        for (why, count) in pruned {
            *self.pruned.entry(why).or_default() += count;
        }
        for (content, judged) in judged {
            self.runs += u64::from(matches!(judged, Judged::May(_) | Judged::Not(BY_RUN, _)));
            // What was cut short is not known.
            if judged != Judged::Stopped {
                self.judged.insert(content, judged);
            }
        }
    }

    /// Judges sets, in parallel.
    pub(super) fn look(&mut self, keys: Vec<Key>) {
        keys.iter().filter(|key| key.1 == Family::Cut).for_each(|key| self.learn_sizes(key.0));
        let all = self.looks + keys.len() as u64;
        let holds = self.holds_on.map_or(String::new(), |cards| {
            format!("a layout on {} holds; ", counted(cards as usize, "card"))
        });
        let doing = format!("{holds}{} sets of VMs judged, {} runs", self.looks, self.runs);
        (self.progress)(self.looks, all, &doing);
        let found: Vec<Looked> =
            keys.par_iter().with_max_len(1).map(|key| self.look_at(key)).collect();
        for (key, looked) in keys.into_iter().zip(found) {
            self.learn(looked.pruned, looked.judged);
            self.looks += 1;
            let near = looked.near.into_iter();
            let near =
                near.reduce(|best, one| if one.headroom > best.headroom { one } else { best });
            if let Some(near) = near.filter(|_| looked.scored.is_empty()) {
                self.near.insert(key.clone(), near);
            }
            self.known.insert(key, looked.scored);
        }
    }

    fn look_at(&self, (entry, family, counts): &Key) -> Looked {
        let mut looked = Looked::default();
        let options = options::of_family(self.task, *entry, counts, *family, &mut looked.pruned);
        if *family == Family::Cut {
            self.look_at_cuts(*entry, options, &mut looked);
            return looked;
        }
        let policy = match family {
            Family::Sliced(index) => Some(*index),
            _ => None,
        };
        for option in options {
            let found = self.try_option(policy, &option, &mut looked);
            looked.scored.extend(found);
        }
        looked.scored.sort_by(|one, other| other.headroom.total_cmp(&one.headroom));
        looked
    }

    /// GPU instances keep VMs apart: the combination of sizes comes first in which the least headroom of
    /// a VM alone is the most.
    fn look_at_cuts(&self, entry: usize, options: Vec<CardOption>, looked: &mut Looked) {
        let mut ranked = Vec::new();
        for option in options {
            let each = option.card.parts.iter().map(|part| {
                let known = self.on_sizes.get(&(entry, part.kind, part.held.clone()));
                known.copied().unwrap_or(f64::NEG_INFINITY)
            });
            let least = each.fold(f64::INFINITY, f64::min);
            if least > f64::NEG_INFINITY {
                ranked.push((least, option));
            }
        }
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (_, option) in ranked {
            let found = self.try_option(None, &option, looked);
            looked.scored.extend(found);
            if looked.scored.len() == CUTS_KEPT {
                break;
            }
        }
        looked.scored.sort_by(|one, other| other.headroom.total_cmp(&one.headroom));
    }

    /// An option with the largest batches, else with smaller ones, as long as its VMs are not within
    /// their bounds.
    fn try_option(
        &self,
        policy: Option<usize>,
        option: &CardOption,
        looked: &mut Looked,
    ) -> Option<Scored> {
        let mut why_not = None;
        let mut fits = None;
        for level in 0..32 {
            let card = self.with_batches(option, |_, cap| cap >> level);
            if level > 0 && card == option.card {
                break;
            }
            let judged = self.judge(policy, &card, looked, &mut fits);
            if let Judged::May(headroom) = judged {
                return Some(Scored { card, headroom });
            }
            let Judged::Not(why, missed) = judged else { return None };
            why_not.get_or_insert(why);
            if let Some(headroom) = missed {
                looked.near.push(Scored { card: card.clone(), headroom });
            }
            // Smaller batches are no less work, and no faster where one query is too slow.
            if why != BY_RUN && why != options::BY_MEMORY {
                break;
            }
            // The batch that one turn holds, before the halves.
            if let (0, Some(fitting)) = (level, fits.take()) {
                let card = self.with_batches(option, |kind, cap| cap.min(fitting[kind]));
                if card != option.card
                    && let Judged::May(headroom) = self.judge(policy, &card, looked, &mut None)
                {
                    return Some(Scored { card, headroom });
                }
            }
            if option.card.parts.iter().all(|part| !self.task.kinds[part.kind].lowers_batch) {
                break;
            }
            let is_one = |part: &CardPart| {
                let own = &self.task.kinds[part.kind];
                !own.lowers_batch || part.batch_max.unwrap_or(own.vm.server.batch_max) == 1
            };
            if card.parts.iter().all(is_one) {
                break;
            }
        }
        if let Some(why) = why_not {
            *looked.pruned.entry(why).or_default() += 1;
        }
        None
    }

    /// The card of an option with other largest batches where the file leaves them open.
    fn with_batches(&self, option: &CardOption, batch: impl Fn(usize, u32) -> u32) -> CardLayout {
        let mut card = option.card.clone();
        for (part, (cap, _)) in card.parts.iter_mut().zip(&option.caps) {
            let own = &self.task.kinds[part.kind];
            if !own.lowers_batch {
                continue;
            }
            let batch = batch(part.kind, *cap).clamp(1, *cap);
            part.batch_max = (batch < own.vm.server.batch_max).then_some(batch);
        }
        card
    }

    /// The judgement of a card, from memory where the same was judged before. `fits` becomes the
    /// largest batch of each kind that one turn holds.
    fn judge(
        &self,
        policy: Option<usize>,
        card: &CardLayout,
        looked: &mut Looked,
        fits: &mut Option<Vec<u32>>,
    ) -> Judged {
        let experiment = match self.experiment(policy, card.clone()) {
            Ok(experiment) => experiment,
            Err(why) => return Judged::Not(in_words(why.obstacle), None),
        };
        *fits = self.batches_in_a_turn(&experiment, card);
        let content = content(card, &experiment);
        let told = looked.judged.iter().find(|(known, _)| *known == content);
        if let Some(known) = told.map(|(_, judged)| *judged).or(self.judged.get(&content).copied())
        {
            return known;
        }
        let judged = judge::card(&experiment, self.stop);
        looked.judged.push((content, judged));
        judged
    }

    /// For each kind, the largest batch whose work takes no longer than a turn.
    fn batches_in_a_turn(&self, experiment: &Experiment, card: &CardLayout) -> Option<Vec<u32>> {
        let instance = experiment.cards.iter().find_map(|card| card.instances.first())?;
        let slice = instance.sharing.slicing()?.slice.as_nanos_f64();
        let gpu = &self.task.cards[card.cards].gpu;
        let mut found = vec![u32::MAX; self.task.kinds.len()];
        for part in &card.parts {
            let own = &self.task.kinds[part.kind].vm;
            found[part.kind] = largest_within(own, gpu, slice);
        }
        Some(found)
    }
}

/// The largest batch of a VM that takes no longer than a time in nanoseconds; one at the least.
fn largest_within(vm: &VmSpec, gpu: &GpuSpec, span: f64) -> u32 {
    let Some(service) = vm.workload.service.get(&gpu.id) else { return 1 };
    let time = |batch| service.launch.value.as_nanos_f64() + service.work.value.at(batch);
    let (mut fits, mut not) = (1, vm.server.batch_max + 1);
    while not - fits > 1 {
        let middle = fits + (not - fits) / 2;
        if time(middle) <= span {
            fits = middle;
        } else {
            not = middle;
        }
    }
    fits
}

/// What decides how a card does: the same text, the same result.
fn content(card: &CardLayout, experiment: &Experiment) -> String {
    let parts: Vec<_> =
        card.parts.iter().map(|part| (part.kind, part.count, part.batch_max)).collect();
    let mut instances: Vec<_> =
        experiment.cards.iter().map(|card| card.instances.clone()).collect();
    for instance in instances.iter_mut().flatten() {
        if let Some(slicing) = instance.sharing.slicing_mut()
            && slicing.policy == SlicePolicy::EqualShare
        {
            // Its turns are as many as there are vGPUs; the type's number says the slice.
            slicing.slots_max = 0;
        }
    }
    let shares = experiment.vms.iter().flat_map(|vm| &vm.gpus);
    let shares: Vec<_> = shares.map(|share| (share.instance, share.sm_limit)).collect();
    format!("{} {parts:?} {instances:?} {shares:?}", card.cards)
}

/// The rule that stands against a layout.
fn in_words(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::FrameBuffer => options::BY_MEMORY,
        Obstacle::Placement => options::BY_PLACE,
        Obstacle::Host => "the host's processors or memory",
        Obstacle::Latency | Obstacle::Limit | Obstacle::Rule => "a rule of scenario files",
    }
}
