//! The settings that are tried: one change each, of the VMs that are nearest to their bound or
//! farthest beyond it.
//!
//! Nothing here knows whether a change helps; that is simulated in `trials` and said in
//! `kinds::change`.

use super::batch::Batches;
use super::memory;
use super::place::Place;
use super::seen::{Group, Seen};
use super::trials::Change;
use super::unknowns::power_off;
use super::words;
use crate::gpu::BEST_EFFORT;
use crate::layout::registry::{AVERAGING_FACTOR_DEFAULT, SLICE_MS, default_slice};
use crate::spec::{
    BatchRule, Experiment, GpuId, HardwareTurns, IdleRule, InstanceSharing, MpsSharing, Overshoot,
    ServerSpec, SlicePolicy, Step, SwitchTimes, TestScenario, TimeSlicing, TurnOrder, TurnsOf,
    VmId,
};
use crate::study::run_verdict::rate_that_holds;
use crate::study::variant::{asked_per_s, at_rate};
use crate::units::{Share, SimDuration};
use std::collections::BTreeSet;

/// Each change with the experiment that has it.
pub(super) fn of(seen: &Seen<'_>) -> Vec<(Change, Experiment)> {
    let Some(group) = seen.groups.iter().find(|group| !seen.first(group).load.is_idle()) else {
        return Vec::new();
    };
    let focus = seen.worst(group);
    let targets = group.vms.iter().map(|&vm| target(seen, vm, focus)).collect();
    let mut tries = Tries { seen, group, focus, targets, list: Vec::new() };
    tries.batches();
    tries.waiting();
    tries.streams();
    tries.processors();
    tries.sharing();
    tries.slices();
    tries.fewer();
    tries.rates();
    tries.list
}

/// Whose server is changed for a VM: its own; of an ensemble, that of the model in which queries of
/// the worst one are longest.
fn target(seen: &Seen<'_>, vm: VmId, worst: VmId) -> VmId {
    let steps = seen.vm(vm).steps.iter().zip(seen.recorder(worst).steps());
    let models = steps.filter_map(|(step, found)| match step {
        Step::Model(model) => Some((*model, found.latencies.mean().unwrap_or(SimDuration::ZERO))),
        Step::Cpu(_) => None,
    });
    models.max_by_key(|(_, mean)| *mean).map_or(vm, |(model, _)| model)
}

struct Tries<'s, 'a> {
    seen: &'s Seen<'a>,
    group: &'s Group,
    /// The VM that is to be better.
    focus: VmId,
    /// The VMs whose servers are changed for it and those like it.
    targets: Vec<VmId>,
    list: Vec<(Change, Experiment)>,
}

/// What is set, to what, and what it is now.
struct Set {
    family: &'static str,
    key: String,
    value: String,
    now: Option<String>,
    why: &'static str,
}

impl Tries<'_, '_> {
    fn add(&mut self, set: Set, experiment: Experiment) {
        let Set { family, key, value, now, why } = set;
        let (focus, without, asks_less) = (self.focus, None, false);
        let change = Change { family, key, value, now, why, focus, without, asks_less };
        self.list.push((change, experiment));
    }

    /// Adds a change of servers, if they fit their memory with it.
    fn add_server(
        &mut self,
        family: &'static str,
        (key, value, now): (&str, String, String),
        why: &'static str,
        set: impl Fn(&mut ServerSpec),
    ) {
        let mut other = self.seen.experiment.clone();
        for vm in &self.targets {
            set(&mut other.vms[usize::from(vm.0)].server);
        }
        if self.targets.iter().all(|&vm| memory::fits(&other, vm)) {
            let of = match self.targets[0] == self.group.vms[0] {
                true => String::new(),
                false => format!("{}: ", self.seen.vm(self.targets[0]).name),
            };
            self.add(Set { family, key: format!("{of}{key}"), value, now: Some(now), why }, other);
        }
    }

    /// Mean samples of a batch of the target in the run.
    fn batch_mean(&self) -> f64 {
        let recorder = self.seen.recorder(self.targets[0]);
        recorder.latencies().count() as f64 / recorder.batches().max(1.0)
    }

    /// Their batches: so small that they fit a turn, half as large, twice as large.
    fn batches(&mut self) {
        const MOST: u32 = 4096;
        let Some(batches) = Batches::of(self.seen.experiment, self.targets[0]) else { return };
        let now = self.seen.vm(self.targets[0]).server.batch_max;
        let mut caps: Vec<(u32, &'static str)> = Vec::new();
        if let Some(turns) = batches.place().turns().filter(|turns| turns.slots > 1)
            && turns.of_batch(batches.alone(batches.full())) > 1.0
        {
            let fits = batches.largest_within(turns.slice, now);
            caps.extend(fits.map(|size| (size, ", which fits into one turn")));
        }
        if self.seen.vm(self.focus).load.scenario.has_queue() {
            caps.extend([(now / 2, ""), (now / 4, "")]);
            if self.batch_mean() > 0.5 * f64::from(now) {
                caps.push((now.saturating_mul(2), ""));
            }
        }
        let mut known = vec![now];
        for (size, why) in caps {
            if size == 0 || size > MOST || known.contains(&size) {
                continue;
            }
            known.push(size);
            let set = |server: &mut ServerSpec| {
                server.batch_max = size;
                server.preferred.retain(|&one| one <= size);
            };
            let said = ("batch_max", size.to_string(), now.to_string());
            self.add_server("batch", said, why, set);
        }
    }

    /// How long they wait for a fuller batch.
    fn waiting(&mut self) {
        let (vm, asked) = (self.seen.vm(self.targets[0]), self.seen.vm(self.focus));
        if !asked.load.scenario.has_queue() || vm.server.batch_max < 2 {
            return;
        }
        let bound = asked.load.settings.target_latency;
        let of_bound = |part: u64| SimDuration::from_nanos((bound.as_nanos() / part).max(1));
        let is_server = asked.load.scenario == TestScenario::Server;
        match vm.server.batch_rule {
            BatchRule::Full => {
                let now = vm.server.timeout.map_or("none".to_string(), words::span);
                let shorter = match vm.server.timeout {
                    Some(timeout) => vec![timeout.scale(0.5), timeout.scale(0.25)],
                    None if is_server => vec![of_bound(4), of_bound(10)],
                    None => Vec::new(),
                };
                for timeout in shorter.into_iter().filter(|one| *one > SimDuration::ZERO) {
                    let set = |server: &mut ServerSpec| server.timeout = Some(timeout);
                    let said = ("timeout", quoted(timeout), now.clone());
                    self.add_server("waiting", said, "", set);
                }
            }
            BatchRule::Available => {
                let now = vm.server.max_queue_delay;
                let others = match now {
                    SimDuration::ZERO if is_server => vec![of_bound(20)],
                    SimDuration::ZERO => Vec::new(),
                    now => vec![SimDuration::ZERO, now.scale(0.5)],
                };
                for delay in others {
                    let set = |server: &mut ServerSpec| server.max_queue_delay = delay;
                    let said = ("max_queue_delay", quoted(delay), words::span(now));
                    self.add_server("waiting", said, "", set);
                }
            }
        }
    }

    fn streams(&mut self) {
        const MOST: u32 = 8;
        let now = &self.seen.vm(self.targets[0]).server;
        let (streams, slots) = (now.streams, now.slots);
        if streams >= MOST || !self.seen.vm(self.focus).load.scenario.has_queue() {
            return;
        }
        let set = |server: &mut ServerSpec| {
            server.streams = streams + 1;
            server.slots = slots + 1;
        };
        let said = ("streams", (streams + 1).to_string(), streams.to_string());
        self.add_server("streams", said, ", with one more slot", set);
    }

    fn processors(&mut self) {
        let now = self.seen.vm(self.focus).vcpus;
        let experiment = &self.seen.experiment;
        let host = experiment.host_of(&self.seen.vm(self.focus).gpus);
        let most = experiment.host(host).logical_processors.value;
        let more = (now * 2).min(most);
        if more <= now || super::busy::vcpus(self.seen, self.focus) < 0.2 {
            return;
        }
        let mut other = self.seen.experiment.clone();
        let server = self.seen.experiment.first_model(self.focus);
        let groups: BTreeSet<VmId> =
            self.group.vms.iter().map(|&vm| other.first_model(vm)).chain([server]).collect();
        for index in 0..other.vms.len() {
            if groups.contains(&other.first_model(VmId(index as u16))) {
                other.vms[index].vcpus = more;
            }
        }
        let (value, now) = (more.to_string(), Some(now.to_string()));
        self.add(Set { family: "vcpus", key: "vcpus".to_string(), value, now, why: "" }, other);
    }

    /// The experiment with the sharing changed where the group is.
    fn with_sharing(
        &self,
        set: impl Fn(&mut InstanceSharing, &Place<'_>) -> Option<()>,
    ) -> Option<Experiment> {
        let mut other = self.seen.experiment.clone();
        let mut seats: BTreeSet<(GpuId, u16)> = BTreeSet::new();
        for &vm in &self.group.vms {
            let own = self.seen.vm(vm);
            for share in &own.gpus {
                if seats.insert((share.card, share.instance)) {
                    let place = Place::of(self.seen.experiment, own, share);
                    let card = &mut other.cards[usize::from(share.card.0)];
                    set(&mut card.instances[usize::from(share.instance)].sharing, &place)?;
                }
            }
        }
        (!seats.is_empty()).then_some(other)
    }

    /// Another way of handing out turns.
    fn sharing(&mut self) {
        let vm = self.seen.vm(self.focus);
        let Some(share) = vm.gpus.first() else { return };
        let place = Place::of(self.seen.experiment, vm, share);
        if place.owners < 2 {
            return;
        }
        match place.instance.sharing {
            InstanceSharing::Vgpus(slicing) => {
                let policies = [
                    (SlicePolicy::EqualShare, "equal-share"),
                    (SlicePolicy::FixedShare, "fixed-share"),
                ];
                for (policy, word) in policies {
                    if policy == slicing.policy || !slicing.policy.is_of_driver() {
                        continue;
                    }
                    let set = |sharing: &mut InstanceSharing, _: &Place<'_>| {
                        sharing.slicing_mut()?.policy = policy;
                        Some(())
                    };
                    if let Some(other) = self.with_sharing(set) {
                        self.add(of_policy(word), other);
                    }
                }
                if let Some(other) = self.with_sharing(best_effort) {
                    self.add(of_policy(BEST_EFFORT), other);
                }
            }
            InstanceSharing::BestEffort(_) => {
                if let Some(other) = self.with_sharing(equal_share) {
                    self.add(of_policy("equal-share"), other);
                }
            }
            InstanceSharing::Processes(_) => {
                if let Some(other) = self.with_sharing(side_by_side) {
                    self.add(Set { key: "process".to_string(), ..of_policy("mps") }, other);
                }
            }
            InstanceSharing::Mps(_) | InstanceSharing::Models | InstanceSharing::Alone => {}
        }
    }

    /// Shorter and longer slices, where the hypervisor's can be set.
    fn slices(&mut self) {
        let vm = self.seen.vm(self.focus);
        let Some(share) = vm.gpus.first() else { return };
        let place = Place::of(self.seen.experiment, vm, share);
        let Some(now) = place.instance.sharing.slicing().map(|slicing| slicing.slice) else {
            return;
        };
        if place.turns().is_none_or(|turns| turns.slots < 2) {
            return;
        }
        let range = [*SLICE_MS.start(), *SLICE_MS.end()];
        let range = range.map(|ms| SimDuration::from_millis(u64::from(ms)));
        let mut wanted = vec![now.scale(0.5), now.scale(2.0), now.scale(4.0)];
        if let Some(batches) = Batches::of(self.seen.experiment, self.focus) {
            // A slice that holds a full batch, a whole millisecond.
            let batch = (batches.alone(batches.full()) / 1e6).ceil().max(1.0);
            wanted.push(SimDuration::from_nanos_f64(batch.min(1e3) * 1e6));
        }
        let mut known: Vec<SimDuration> = vec![now];
        for slice in wanted {
            let slice = slice.max(range[0]).min(range[1]);
            if known.contains(&slice) {
                continue;
            }
            known.push(slice);
            let set = |sharing: &mut InstanceSharing, _: &Place<'_>| {
                sharing.slicing_mut()?.slice = slice;
                Some(())
            };
            if let Some(other) = self.with_sharing(set) {
                let (key, value) = ("slice".to_string(), quoted(slice));
                let now = Some(words::span(now));
                self.add(Set { family: "slice", key, value, now, why: "" }, other);
            }
        }
    }

    /// One VM less on the card of the focus.
    fn fewer(&mut self) {
        let experiment = self.seen.experiment;
        let cards = self.seen.cards(self.focus);
        let server = experiment.first_model(self.focus);
        let ids = (0..experiment.vms.len() as u16).map(VmId);
        let other = ids.rev().find(|&id| {
            let vm = self.seen.vm(id);
            experiment.first_model(id) != server
                && !vm.load.is_idle()
                && vm.server_of.is_none()
                && vm.gpus.iter().any(|share| cards.contains(&share.card))
                && experiment.models_of_server(id).count() == 1
        });
        let Some(id) = other else { return };
        let mut fewer = experiment.clone();
        power_off(&mut fewer.vms[usize::from(id.0)]);
        let change = Change {
            family: "fewer",
            key: format!("one VM less on this card ({} elsewhere)", self.seen.vm(id).name),
            value: String::new(),
            now: None,
            why: "",
            focus: self.focus,
            without: Some(id),
            asks_less: true,
        };
        self.list.push((change, fewer));
    }

    /// Lower rates of all Server VMs.
    fn rates(&mut self) {
        let asked = asked_per_s(self.seen.experiment);
        if asked <= 0.0 || self.seen.nearness(self.focus) <= 1.0 {
            return;
        }
        // The highest rate that holds, as `run` says it; where none is found, how much less would help.
        // What operations cost is not a matter of the rate.
        let at_any_rate = self.seen.experiment.timeline.is_none();
        let holds = at_any_rate.then(|| rate_that_holds(self.seen.experiment)).flatten();
        let rates = match holds {
            Some(rate) => vec![rate.min(asked)],
            None => [0.8, 0.5, 0.2].map(|part| part * asked).to_vec(),
        };
        for rate in rates {
            let change = Change {
                family: "rate",
                key: format!(
                    "{} in all, {} of what is asked",
                    words::rate(rate),
                    words::percent(rate / asked)
                ),
                value: String::new(),
                now: None,
                why: "",
                focus: self.focus,
                without: None,
                asks_less: true,
            };
            self.list.push((change, at_rate(self.seen.experiment, rate)));
        }
    }
}

/// Another way of handing out turns.
fn of_policy(word: &str) -> Set {
    let (key, value) = ("policy".to_string(), format!("\"{word}\""));
    Set { family: "policy", key, value, now: None, why: "" }
}

/// As a file writes it.
fn quoted(span: SimDuration) -> String {
    format!("\"{}\"", words::span(span))
}

/// Best effort with the GPU's own slices and switches, as a scenario without settings has it.
fn best_effort(sharing: &mut InstanceSharing, place: &Place<'_>) -> Option<()> {
    let gpu = &place.card.gpu;
    let slice = gpu.time_slice_best_effort.value;
    *sharing = InstanceSharing::BestEffort(HardwareTurns {
        slice,
        renewal: slice,
        switch: SwitchTimes::always(gpu.switch_cost.value.value),
        overshoot: sharing.overshoot()?,
        of: TurnsOf::Vm,
    });
    Some(())
}

/// Equal share with the slice of the vGPU type, as a scenario without further settings has it.
fn equal_share(sharing: &mut InstanceSharing, place: &Place<'_>) -> Option<()> {
    let gpu = &place.card.gpu;
    let name = place.share.vgpu_type.as_ref()?;
    let slots_max = gpu.vgpu_types.iter().find(|vgpu| vgpu.name == *name)?.max_per_gpu;
    let order = TurnOrder::RoundRobin { averaging_factor: AVERAGING_FACTOR_DEFAULT };
    *sharing = InstanceSharing::Vgpus(TimeSlicing {
        policy: SlicePolicy::EqualShare,
        slots_max,
        slice: default_slice(order, slots_max),
        order,
        idle: IdleRule::Burned,
        overshoot: sharing.overshoot().unwrap_or(Overshoot::None),
        switch_cost: gpu.switch_cost.value.value,
        slice_floor: Share::new(0.1)?,
    });
    Some(())
}

/// MPS without limits, in the place of turns.
fn side_by_side(sharing: &mut InstanceSharing, place: &Place<'_>) -> Option<()> {
    let graph_launch = place.card.gpu.mps_graph_launch.value;
    *sharing = InstanceSharing::Mps(MpsSharing { graph_launch, is_partitioned: false });
    Some(())
}
