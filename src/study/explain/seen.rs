//! What the kinds of sentences see: the run, its VMs in groups of those that are alike, and what
//! simulations of it showed.

use super::batch::{Batches, asked};
use super::place::Place;
use super::sentence::About;
use super::trials::Trials;
use super::words::three;
use crate::record::Recorder;
use crate::spec::{Experiment, GpuId, GpuShare, TestScenario, VmId, VmSpec};
use crate::study::figures::{completed_per_s, late_of_allowed};
use crate::units::SimDuration;

/// All that a sentence may be made of.
pub(super) struct Seen<'a> {
    pub(super) experiment: &'a Experiment,
    /// Groups of VMs that are alike, the worst first.
    pub(super) groups: Vec<Group>,
    pub(super) trials: &'a Trials,
}

/// VMs that are alike in all that arithmetic knows.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// At least one, in the order of the experiment.
    pub(super) vms: Vec<VmId>,
}

/// What the VMs of a group answer.
pub(super) struct Answered<'a> {
    /// The VM of the group that is nearest to its bound or furthest beyond, and its record.
    pub(super) vm: &'a VmSpec,
    pub(super) recorder: &'a Recorder,
    /// Samples per second of one VM, their mean.
    pub(super) each: f64,
    /// The percentile of its load, in nanoseconds, and what it is called: of all its queries, or where
    /// too many have no answer, of those that have one.
    pub(super) latency: f64,
    pub(super) name: String,
}

impl<'a> Seen<'a> {
    pub(super) fn new(experiment: &'a Experiment, trials: &'a Trials) -> Self {
        let mut seen = Self { experiment, groups: groups(experiment), trials };
        let mut groups = std::mem::take(&mut seen.groups);
        let worst =
            |group: &Group| group.vms.iter().map(|&vm| seen.badness(vm)).fold(0.0, f64::max);
        groups.sort_by(|one, other| worst(other).total_cmp(&worst(one)));
        seen.groups = groups;
        seen
    }

    pub(super) fn vm(&self, id: VmId) -> &'a VmSpec {
        &self.experiment.vms[usize::from(id.0)]
    }

    /// The first VM of a group, which speaks for all in what follows from settings.
    pub(super) fn first(&self, group: &Group) -> &'a VmSpec {
        self.vm(group.vms[0])
    }

    /// The record of a VM in the run.
    pub(super) fn recorder(&self, id: VmId) -> &'a Recorder {
        &self.trials.outcome.vms[usize::from(id.0)].recorder
    }

    /// Groups with batches, each with those of its first VM: not ensembles.
    pub(super) fn with_batches(&self) -> impl Iterator<Item = (&Group, Batches<'a>)> {
        self.groups
            .iter()
            .filter_map(|group| Some((group, Batches::of(self.experiment, group.vms[0])?)))
    }

    pub(super) fn about(&self, group: &Group) -> About {
        let vms = group.vms.iter().map(|&vm| self.vm(vm).name.clone());
        About { vms: vms.collect(), gpus: Vec::new() }
    }

    pub(super) fn about_vm(&self, vm: VmId) -> About {
        About { vms: vec![self.vm(vm).name.clone()], gpus: Vec::new() }
    }

    /// `Each`, or `It`, as the subject of a sentence about a group.
    pub(super) fn each(&self, group: &Group) -> &'static str {
        if group.vms.len() > 1 { "Each" } else { "It" }
    }

    /// The part of its latency bound that a VM's percentile is at: above 1 it misses, and has no end where
    /// too many queries have no answer. Nothing like that where there is no bound: 0.
    pub(super) fn nearness(&self, id: VmId) -> f64 {
        let load = &self.vm(id).load;
        if load.scenario != TestScenario::Server {
            return 0.0;
        }
        let found = self.recorder(id).quantile_of_all(load.settings.percentile / 100.0);
        match (found, self.recorder(id).unanswered()) {
            (None, 0) => 0.0,
            (None, _) => f64::INFINITY,
            (Some(found), _) => {
                found.as_nanos_f64() / load.settings.target_latency.as_nanos_f64().max(1.0)
            }
        }
    }

    /// The greater the worse, and above 1 a VM misses its bound: how near it is; where any VM of the run left
    /// queries without an answer, whose latency nobody knows, the queries that miss the bound over those
    /// that may.
    fn badness(&self, id: VmId) -> f64 {
        late_of_allowed(self.experiment, &self.trials.outcome, id)
            .unwrap_or_else(|| self.nearness(id))
    }

    /// The latency at the percentile that a VM is judged by: of all its queries, or where too many have no
    /// answer, of those that have one.
    pub(super) fn percentile(&self, id: VmId) -> SimDuration {
        let (recorder, part) = (self.recorder(id), self.vm(id).load.settings.percentile / 100.0);
        let found = recorder.quantile_of_all(part);
        let found = found.or_else(|| recorder.query_latencies().quantile(part));
        found.unwrap_or(SimDuration::ZERO)
    }

    /// The VM of a group that is nearest to its bound or farthest beyond, else the slowest.
    pub(super) fn worst(&self, group: &Group) -> VmId {
        let key = |&&vm: &&VmId| (self.badness(vm), self.percentile(vm).as_nanos_f64());
        let order = |one: &&VmId, other: &&VmId| {
            let (one, other) = (key(one), key(other));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
        };
        // Of equals the first.
        *group.vms.iter().rev().max_by(order).expect("a group has VMs")
    }

    /// What a group's VMs answer, and the latency of its worst; nothing where nothing was answered.
    pub(super) fn answered(&self, group: &Group) -> Option<Answered<'a>> {
        let worst = self.worst(group);
        let (vm, recorder) = (self.vm(worst), self.recorder(worst));
        if recorder.answered() == 0 {
            return None;
        }
        let rates = group.vms.iter().map(|&one| completed_per_s(self.vm(one), self.recorder(one)));
        Some(Answered {
            vm,
            recorder,
            each: rates.sum::<f64>() / group.vms.len() as f64,
            latency: self.percentile(worst).as_nanos_f64(),
            name: format!("p{}", three(vm.load.settings.percentile)),
        })
    }

    /// The cards that a VM has a part of, each once.
    pub(super) fn cards(&self, id: VmId) -> Vec<GpuId> {
        let mut cards: Vec<GpuId> = self.vm(id).gpus.iter().map(|share| share.card).collect();
        cards.sort_unstable();
        cards.dedup();
        cards
    }

    /// The longest batch of those that share a place, but of this group, alone, in nanoseconds.
    pub(super) fn longest_batch_beside(&self, vm: VmId, share: &GpuShare) -> f64 {
        let ids = (0..self.experiment.vms.len() as u16).map(VmId).filter(|&other| other != vm);
        let here = ids.filter(|&other| {
            let is_it = |one: &GpuShare| (one.card, one.instance) == (share.card, share.instance);
            self.experiment.has_work(other) && self.vm(other).gpus.iter().any(is_it)
        });
        let longest = here.filter_map(|other| {
            let batches = Batches::of(self.experiment, other)?;
            Some(batches.alone(batches.full()))
        });
        longest.fold(0.0, f64::max)
    }
}

/// VMs with work or a load, those that are alike together.
fn groups(experiment: &Experiment) -> Vec<Group> {
    let mut groups: Vec<(String, Group)> = Vec::new();
    for index in 0..experiment.vms.len() as u16 {
        let id = VmId(index);
        let vm = &experiment.vms[usize::from(index)];
        if vm.load.is_idle() && !experiment.has_work(id) {
            continue;
        }
        let key = key(experiment, id, vm);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.vms.push(id),
            None => groups.push((key, Group { vms: vec![id] })),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What is the same for VMs that are alike.
fn key(experiment: &Experiment, id: VmId, vm: &VmSpec) -> String {
    let places = vm.gpus.iter().map(|share| {
        let place = Place::of(experiment, vm, share);
        let of = (&place.card.gpu.id, place.instance, &share.vgpu_type, share.sm_limit);
        format!("{of:?} {}", place.owners)
    });
    let places: Vec<String> = places.collect();
    let load = (&vm.load, vm.power_on, vm.power_off);
    let model = if vm.server_of.is_some() || vm.is_ensemble() { &vm.name } else { &vm.group };
    format!("{model} {places:?} {load:?} {:?}", asked(experiment, id).map(f64::to_bits))
}
