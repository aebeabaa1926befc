//! Watts and energy of a run.
//!
//! Power goes by busy time, not by throughput:
//! `P = idle host + processors u + sum over cards [idle + max(context, min(limit - idle, draw of the work))]`,
//! u being the busy part of the cores. A card's draw is the watts of full batches at the highest clock on
//! the SMs that work; small batches draw less, which is not counted. Fans and losses of the power supply
//! are in the watts of the idle host; how they grow is not known.

mod presence;

use crate::platform::{GpuUse, Outcome, VmOutcome};
use crate::spec::{
    CardSpec, Experiment, Fact, GpuSpec, HostId, InstanceSharing, VmId, VmSpec, Workload,
};
use crate::units::Power;
use presence::Presence;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Watts and energy of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerResult {
    /// Mean watts of all hosts with their cards, at the wall; nothing where any watts are not known.
    pub mean_w: Option<f64>,
    /// Least and greatest, by the ranges of the facts: deviations of each fact alone, added as the roots of
    /// sums of squares.
    pub mean_w_range: Option<[f64; 2]>,
    /// Joules for each sample answered.
    pub joule_per_sample: Option<f64>,
    /// The same in the range of the watts.
    pub joule_per_sample_range: Option<[f64; 2]>,
    /// Energy of the run.
    pub kwh: Option<f64>,
    /// Energy of a day at these mean watts.
    pub kwh_per_day: Option<f64>,
    /// Each host.
    pub hosts: Vec<HostWatts>,
    /// Each card.
    pub cards: Vec<CardWatts>,
    /// Why watts are not known, a clause each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<String>,
}

/// Watts of a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostWatts {
    /// Its number.
    pub host: u16,
    /// Its name in the catalogue.
    pub model: String,
    /// What it draws when nothing runs, without its cards.
    pub idle_w: Option<f64>,
    /// The busy part of its cores, 0 to 1.
    pub processors_busy_share: f64,
    /// What its processors drew beside that, in the mean of the run.
    pub processors_w: Option<f64>,
    /// What its cards drew.
    pub cards_w: Option<f64>,
    /// The part of the run on standby.
    pub standby_share: f64,
    /// The part of the run in which it is dead, and draws nothing.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_share: f64,
    /// What it drew with its cards, in the mean of the run.
    pub mean_w: Option<f64>,
}

/// Watts of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CardWatts {
    /// Its id.
    pub card: u16,
    /// Its model.
    pub model: String,
    /// Idle, without a context.
    pub idle_w: Option<f64>,
    /// Idle, with a context.
    pub context_w: Option<f64>,
    /// All of it busy with the work on it that draws most; nothing without work.
    pub busy_w: Option<f64>,
    /// In the mean of the run; 0 on standby, and while its host is dead.
    pub mean_w: Option<f64>,
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// The watts of a run, if it tells any.
pub(super) fn of(experiment: &Experiment, outcome: &Outcome) -> Option<PowerResult> {
    experiment.power.as_ref()?;
    let presence = Presence::of(experiment, &outcome.scaled, outcome.end);
    let run = Run { experiment, outcome, presence };
    let mut own = Values::default();
    let (hosts, cards) = run.watts(&mut own);
    let sum = |hosts: &[HostWatts]| hosts.iter().map(|host| host.mean_w).sum::<Option<f64>>();
    let mean = sum(&hosts);
    let range = mean.map(|mean| {
        let mut squares = [0.0, 0.0];
        for (place, ends) in &own.ranges {
            let at = ends.map(|value| {
                let mut moved = Values { moved: Some((place, value)), ..Values::default() };
                sum(&run.watts(&mut moved).0).unwrap_or(mean) - mean
            });
            squares[0] += at[0].min(at[1]).min(0.0).powi(2);
            squares[1] += at[0].max(at[1]).max(0.0).powi(2);
        }
        [mean - squares[0].sqrt(), mean + squares[1].sqrt()]
    });
    let seconds = outcome.end.as_secs_f64();
    let samples: u64 = outcome.vms.iter().map(|vm| vm.recorder.latencies().count()).sum();
    let joules = |watts: f64| (samples > 0).then(|| watts * seconds / samples as f64);
    let joules_of = |[low, high]: [f64; 2]| Some([joules(low)?, joules(high)?]);
    let kwh = |watts: f64, seconds: f64| watts * seconds / 3.6e6;
    Some(PowerResult {
        mean_w: mean,
        mean_w_range: range,
        joule_per_sample: mean.and_then(joules),
        joule_per_sample_range: range.and_then(joules_of),
        kwh: mean.map(|watts| kwh(watts, seconds)),
        kwh_per_day: mean.map(|watts| kwh(watts, 86_400.0)),
        hosts,
        cards,
        not_known: own.not_known.into_iter().collect(),
    })
}

/// The values of facts: each its own, but one that is at an end of its range.
#[derive(Default)]
struct Values<'v> {
    moved: Option<(&'v String, f64)>,
    /// The ranges of those that were asked for, by place.
    ranges: BTreeMap<String, [f64; 2]>,
    /// What is not known, a clause each.
    not_known: BTreeSet<String>,
}

impl Values<'_> {
    fn of(&mut self, place: String, fact: &Fact<f64>) -> f64 {
        if let Some(range) = fact.range {
            self.ranges.insert(place.clone(), range);
        }
        match self.moved {
            Some((moved, value)) if *moved == place => value,
            _ => fact.value,
        }
    }

    /// A fact that may not be known; `why` tells what is missing.
    fn if_known(&mut self, place: String, fact: Option<&Fact<f64>>, why: &str) -> Option<f64> {
        if fact.is_none() {
            self.not_known.insert(why.to_string());
        }
        fact.map(|fact| self.of(place, fact))
    }
}

/// A run with who was where in it.
struct Run<'r> {
    experiment: &'r Experiment,
    outcome: &'r Outcome,
    presence: Presence,
}

impl Run<'_> {
    fn watts(&self, values: &mut Values<'_>) -> (Vec<HostWatts>, Vec<CardWatts>) {
        let all = self.experiment.cards.iter().enumerate();
        let cards: Vec<CardWatts> =
            all.map(|(index, card)| self.card(index, card, values)).collect();
        let hosts = (0..self.experiment.hosts.len()).map(|index| self.host(index, &cards, values));
        (hosts.collect(), cards)
    }

    fn host(&self, index: usize, cards: &[CardWatts], values: &mut Values<'_>) -> HostWatts {
        let host = &self.experiment.hosts[index];
        let why = format!("the watts of host {} are not stated (power_idle_w)", host.id);
        let place = |key: &str| format!("hosts/{} {key}", host.id);
        let idle = host.power_idle_w.as_ref();
        let idle = values.if_known(place("power_idle_w"), idle, &why);
        let why =
            format!("the watts of the processors of host {} are not stated (power_cpu_w)", host.id);
        let full = values.if_known(place("power_cpu_w"), host.power_cpu_w.as_ref(), &why);
        let busy = self.processors_busy(index);
        let here = self.experiment.cards.iter().zip(cards);
        let here = here.filter(|(card, _)| usize::from(card.host.0) == index);
        let cards_w = here.map(|(_, card)| card.mean_w).sum::<Option<f64>>();
        let standby_share = self.presence.standby[index];
        let failed_share = self.presence.failed[index];
        let is_on = 1.0 - standby_share - failed_share;
        let states = self.experiment.power.as_ref().expect("a run that tells watts");
        let standby_w = values.of("power.standby_w".to_string(), &states.standby_w);
        let processors_w = full.map(|full| full * busy);
        let mean_w = idle.zip(processors_w).zip(cards_w).map(|((idle, processors), cards)| {
            idle * is_on + standby_w * standby_share + processors + cards
        });
        HostWatts {
            host: index as u16,
            model: host.id.clone(),
            idle_w: idle,
            processors_busy_share: busy,
            processors_w,
            cards_w,
            standby_share,
            failed_share,
            mean_w,
        }
    }

    /// The busy part of a host's cores over the run, at most 1.
    fn processors_busy(&self, index: usize) -> f64 {
        let seconds = self.outcome.end.as_secs_f64();
        let guests = self.experiment.vms.iter().zip(&self.outcome.vms).enumerate();
        // The VM's processor time is told with each of its models, that of a shared load with its VMs.
        let guests = guests.filter(|(_, (vm, of))| {
            vm.balance.is_none() && (of.cpu.is_none() || vm.server_of.is_none())
        });
        let guests = guests.map(|(vm, (spec, of))| {
            cpu_seconds(self.experiment, spec, of) * self.presence.of_vms[vm][index]
        });
        let others = self.experiment.others.iter().zip(&self.outcome.others);
        let others = others.filter(|(other, _)| other.host == HostId(index as u16));
        let others = others.map(|(_, had)| had.done.as_secs_f64());
        let busy: f64 = guests.chain(others).sum();
        let cores = f64::from(self.experiment.hosts[index].cores.value);
        if seconds > 0.0 { (busy / seconds / cores).min(1.0) } else { 0.0 }
    }

    fn card(&self, index: usize, card: &CardSpec, values: &mut Values<'_>) -> CardWatts {
        let gpu = &card.gpu;
        let place = |key: &str| format!("gpus/{} {key}", gpu.id);
        let why = format!("the idle watts of {} are not stated (power_idle_w)", gpu.id);
        let idle = gpu.power_idle_w.as_ref();
        let idle_w = values.if_known(place("power_idle_w"), idle, &why);
        let used = &self.outcome.gpu_time[index];
        let works: Option<Vec<Instance>> =
            instances(card, used, |guests| self.draw(gpu, guests, values));
        let limit = card.power_limit.map_or(gpu.power_cap_w.value, Power::watts);
        let context = gpu.power_context_w.as_ref();
        let context = context.map_or(0.0, |fact| values.of(place("power_context_w"), fact));
        let has_owner = !used.owners.is_empty();
        let host = usize::from(card.host.0);
        let is_on = 1.0 - self.presence.standby[host] - self.presence.failed[host];
        let present = self.presence.cards[index];
        let mean_w = idle_w.zip(works.as_ref()).map(|(idle, works)| {
            let room = limit - idle;
            // A context is open while a VM runs there; what ran, ran then.
            let above = mean_draw(works, room, 0.0);
            let with_context = mean_draw(works, room, context.min(room));
            idle * is_on + above + (with_context - above) * present
        });
        let most = works.iter().flatten().map(|instance| instance.most).sum::<f64>();
        let busy_w = idle_w.filter(|_| most > 0.0).map(|idle| idle + most.min(limit - idle));
        CardWatts {
            card: index as u16,
            model: gpu.id.clone(),
            idle_w,
            context_w: idle_w.filter(|_| has_owner).map(|idle| idle + context.min(limit - idle)),
            busy_w,
            mean_w,
        }
    }

    /// Watts above idle of all of a card that is busy with the work of these guests at the highest clock, in
    /// the mean of them.
    fn draw(&self, gpu: &GpuSpec, guests: &[VmId], values: &mut Values<'_>) -> Option<f64> {
        let mut sum = 0.0;
        for guest in guests {
            let workload: &Workload = &self.experiment.vms[usize::from(guest.0)].workload;
            let (id, gpu_id) = (&workload.id, &gpu.id);
            let place = format!("workloads/{id} on {gpu_id} watts_per_sm");
            let why = format!("what {id} draws on {gpu_id} is not stated (watts_per_sm)");
            let service = workload.service.get(gpu_id);
            let fact = service.and_then(|service| service.watts_per_sm.as_ref());
            sum += values.if_known(place, fact, &why)? * f64::from(gpu.sms.value);
        }
        Some(sum / guests.len().max(1) as f64)
    }
}

/// What an instance of a card draws above idle, in watts at the highest clock: each with the part of the
/// time in which it does; nothing in the rest.
struct Instance {
    states: Vec<(f64, f64)>,
    most: f64,
}

/// The instances of a card on which anything ran; nothing where the draw of any work is not known.
fn instances(
    card: &CardSpec,
    used: &GpuUse,
    mut draw: impl FnMut(&[VmId]) -> Option<f64>,
) -> Option<Vec<Instance>> {
    let mut found: BTreeMap<u16, Instance> = BTreeMap::new();
    for owner in used.owners.iter().filter(|owner| owner.had.run > 0.0) {
        let of_card = &card.instances[usize::from(owner.instance)];
        let share = of_card.share.get();
        let watts = draw(&owner.guests)?;
        let entry = found.entry(owner.instance);
        let instance = entry.or_insert(Instance { states: Vec::new(), most: 0.0 });
        instance.most = instance.most.max(share * watts);
        match of_card.sharing {
            // Side by side: `run` is SMs in use, and how often several are at once is not kept.
            InstanceSharing::Mps(_) | InstanceSharing::Models => {
                match instance.states.first_mut() {
                    Some((_, mean)) => *mean += owner.had.run * watts,
                    None => instance.states.push((1.0, owner.had.run * watts)),
                }
            }
            // One after the other: `run` is time, as a part of the card's.
            _ => instance.states.push((owner.had.run / share, share * watts)),
        }
    }
    Some(found.into_values().collect())
}

/// The mean of `max(least, min(most, draw of all instances))`. Instances are taken to be busy
/// independently of one another.
fn mean_draw(instances: &[Instance], most: f64, least: f64) -> f64 {
    let clipped = |watts: f64| watts.min(most).max(least);
    const STATES_MAX: usize = 1 << 14;
    let mut states = vec![(1.0, 0.0)];
    for instance in instances {
        let busy: f64 = instance.states.iter().map(|(part, _)| part).sum();
        let own = instance.states.iter().copied().chain([((1.0 - busy).max(0.0), 0.0)]);
        let own: Vec<(f64, f64)> = own.collect();
        if states.len() * own.len() > STATES_MAX {
            let mean: f64 = own.iter().map(|(part, watts)| part * watts).sum();
            states.iter_mut().for_each(|(_, watts)| *watts += mean);
            continue;
        }
        let pairs = states.iter().flat_map(|(part, watts)| {
            own.iter().map(move |(also, more)| (part * also, watts + more))
        });
        states = pairs.collect();
    }
    states.iter().map(|(part, watts)| part * clipped(*watts)).sum()
}

/// Time of a core that a guest took: as counted, where anybody may wait for one; else by the work of its
/// batches.
fn cpu_seconds(experiment: &Experiment, vm: &VmSpec, of: &VmOutcome) -> f64 {
    if let Some(had) = of.cpu {
        return had.done.as_secs_f64();
    }
    let cpu = &vm.workload.cpu;
    let before = match vm.load.scenario.has_queue() {
        true => cpu.of_a_queue(vm.server.served_by),
        false => cpu.launch_per_batch.value,
    };
    let batches = of.recorder.batches();
    let samples = of.recorder.latencies().count() as f64;
    let per_batch = (before + cpu.finish_per_batch.value).as_secs_f64();
    let per_sample = (cpu.launch_per_sample.value + cpu.finish_per_sample.value).as_secs_f64();
    (batches * per_batch + samples * per_sample) / experiment.hypervisor.cpu_speed.value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(busy: f64, watts: f64) -> Instance {
        Instance { states: vec![(busy, watts)], most: watts }
    }

    /// A card of 250 W that idles at 34 and has a context of 38: 216 W of room. Half the time at work that
    /// would draw 463 W: 0.5 x 216 + 0.5 x 38.
    #[test]
    fn a_whole_card_draws_its_limit_while_it_works_and_its_context_else() {
        let draw = mean_draw(&[alone(0.5, 463.0)], 216.0, 38.0);
        assert!((draw - (0.5 * 216.0 + 0.5 * 38.0)).abs() < 1e-9, "{draw}");
    }

    /// Two halves that would draw 200 W each, busy half of the time independently: 216 of 400 W while both
    /// work (a quarter), 200 while one does (half), the context else.
    #[test]
    fn instances_share_the_limit() {
        let draw = mean_draw(&[alone(0.5, 200.0), alone(0.5, 200.0)], 216.0, 38.0);
        assert!((draw - (0.25 * 216.0 + 0.5 * 200.0 + 0.25 * 38.0)).abs() < 1e-9, "{draw}");
    }

    /// Owners in turns never work at once: 0.6 of the time at 100 W, 0.3 at 150.
    #[test]
    fn owners_in_turns_draw_one_after_the_other() {
        let turns = Instance { states: vec![(0.6, 100.0), (0.3, 150.0)], most: 150.0 };
        let draw = mean_draw(&[turns], 216.0, 0.0);
        assert!((draw - (0.6 * 100.0 + 0.3 * 150.0)).abs() < 1e-9, "{draw}");
    }
}
