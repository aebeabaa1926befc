//! A run watched closely for a short time: what each engine did, where each batch was, what waited.
//!
//! Nobody else pays for it: the rest of the platform asks once for each stage of a batch whether it is
//! recorded. What is recorded changes nothing in the run.

use super::{Batch, BatchId, Outcome, Platform, ServerId, Slot};
use crate::engine::{self, EventList};
use crate::gpu::{OwnerId, Phase, PhaseSpan, Window};
use crate::loadgen::Query;
use crate::record::Stage;
use crate::spec::{Experiment, InstanceSharing, VmId};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// What happened in a window of a run.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The start of the window.
    pub from: SimTime,
    /// Its end: as asked for, or where the run ended, or where there was no room for more.
    pub until: SimTime,
    /// Why it ends there.
    pub ending: WindowEnd,
    /// The cards, by [`GpuId`](crate::spec::GpuId).
    pub cards: Vec<CardTimeline>,
    /// The servers: one for each VM where each has its own.
    pub servers: Vec<ServerTimeline>,
    /// Batches that were under way in the window, in the order in which they were formed.
    pub batches: Vec<BatchTimeline>,
    /// The outcome of the run, if it was simulated to its end.
    pub outcome: Option<Outcome>,
}

/// Why a recording ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowEnd {
    /// It is as long as asked for.
    Asked,
    /// The run was over.
    RunOver,
    /// It holds the most that one may.
    Full,
}

/// A card in a timeline.
#[derive(Clone, Debug)]
pub struct CardTimeline {
    /// The catalogue's name of its model.
    pub model: String,
    /// Its instances: one for a whole card.
    pub instances: Vec<InstanceTimeline>,
}

/// An instance of a card in a timeline.
#[derive(Clone, Debug)]
pub struct InstanceTimeline {
    /// The MIG profile; nothing for a whole card.
    pub profile: Option<String>,
    /// How its owners share it.
    pub sharing: InstanceSharing,
    /// The name of each owner, by its slot; there may be slots without owner.
    pub owners: Vec<String>,
    /// By slot the VM whose turns an owner shares with other pods of it; nothing for who has its own.
    pub nodes: Vec<Option<String>>,
    /// What it did, in the order of time, each span in full length where it begins before the window
    /// or ends after it. Without turns, spans of different owners overlap.
    pub phases: Vec<PhaseSpan>,
}

/// A server in a timeline.
#[derive(Clone, Debug)]
pub struct ServerTimeline {
    /// Its name: that of the VM or the model, where it has a server of its own.
    pub name: String,
    /// The VMs whose queries it answers.
    pub vms: Vec<String>,
    /// Its streams: the card and the place of each among the platform's streams.
    pub streams: Vec<(u16, u32)>,
    /// How many queries wait until their batch is formed: the first at the start of the window, each
    /// next from its time on.
    pub waiting: Vec<(SimTime, u64)>,
}

/// A batch in a timeline.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchTimeline {
    /// Its server: index into [`Timeline::servers`].
    pub server: u16,
    /// Its number among the batches of its server, from 1.
    pub number: u64,
    /// How many queries it has.
    pub queries: u32,
    /// Its card.
    pub card: u16,
    /// The card whose links its copies take: another where cards are behind one switch.
    pub link: u16,
    /// The instance of that card.
    pub instance: u16,
    /// The slot of its owner on that instance.
    pub slot: u16,
    /// Its stream.
    pub stream: u32,
    /// When the first of its queries came.
    pub first_came: SimTime,
    /// The stages that took it some time, in order and without gap.
    pub stages: Vec<StageSpan>,
}

/// The time of a batch in one stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StageSpan {
    /// The stage.
    pub stage: Stage,
    /// When it came there.
    pub start: SimTime,
    /// When it left, or up to when it is known.
    pub end: SimTime,
    /// It was still there at the end of the window.
    pub is_open: bool,
}

/// Most spans of one timeline.
const MOST: usize = 200_000;

/// Simulates `experiment` as far as a window of `length` from `from` on needs, and records that.
pub fn record(experiment: &Experiment, from: SimTime, length: SimDuration) -> Timeline {
    record_told(experiment, (from, length), MOST, &|_| {})
}

/// As [`record`]; `told` hears now and then which part of the time up to the window's end is simulated.
pub fn record_and_tell(
    experiment: &Experiment,
    from: SimTime,
    length: SimDuration,
    told: &dyn Fn(f64),
) -> Timeline {
    record_told(experiment, (from, length), MOST, told)
}

/// As [`record`], of so many spans at most.
pub fn record_at_most(
    experiment: &Experiment,
    from: SimTime,
    length: SimDuration,
    most: usize,
) -> Timeline {
    record_told(experiment, (from, length), most, &|_| {})
}

fn record_told(
    experiment: &Experiment,
    (from, length): (SimTime, SimDuration),
    most: usize,
    told: &dyn Fn(f64),
) -> Timeline {
    /// How often it is told.
    const TOLD: u64 = 2_000;
    let instances: usize = experiment.cards.iter().map(|card| card.instances.len()).sum();
    let of_each = (most / instances.max(1)).max(1);
    let window = Window { from, until: from + length, most: of_each };
    let mut platform = Platform::new(experiment);
    let servers = vec![Waiting::default(); platform.servers.len()];
    platform.scribe = Some(Box::new(Scribe { window, servers, ..Scribe::default() }));
    for slot in &mut platform.slots {
        slot.card.station.record_phases(window);
    }
    let mut events = EventList::new();
    // All of it at once: the window is one, and so is its limit.
    platform.start(&platform.together(), &mut events);
    let goes_on = |platform: &Platform<'_>| platform.recorded() < most;
    let stride = SimDuration::from_nanos(window.until.as_nanos().div_ceil(TOLD).max(1));
    let mut stopped = SimTime::ZERO;
    while stopped < window.until {
        let next = (stopped + stride).min(window.until);
        let (at, happened) = engine::run_until(&mut platform, &mut events, next, goes_on);
        platform.happened += happened;
        stopped = if at == next && events.is_empty() { window.until } else { at };
        told(stopped.as_nanos() as f64 / window.until.as_nanos() as f64);
        if at < next {
            break;
        }
    }
    platform.timeline(stopped, events.is_empty())
}

/// Where a batch goes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    card: u16,
    link: u16,
    owner: OwnerId,
}

/// Writes down what it is told.
#[derive(Default)]
pub(super) struct Scribe {
    window: Window,
    servers: Vec<Waiting>,
    /// Batches under way, by their [`BatchId`].
    open: Vec<Option<BatchTimeline>>,
    closed: Vec<BatchTimeline>,
    /// The stages of those, and the points of the counters.
    spans: usize,
}

/// How many queries of a server wait.
#[derive(Clone, Default)]
struct Waiting {
    /// Batches formed so far.
    batches: u64,
    /// How many at the start of the window.
    at_start: i64,
    /// How many more, or less, at an instant of the window.
    later: BTreeMap<SimTime, i64>,
}

impl Waiting {
    fn add(&mut self, at: SimTime, more: i64, from: SimTime) -> usize {
        if at <= from {
            self.at_start += more;
            return 0;
        }
        let before = self.later.len();
        *self.later.entry(at).or_insert(0) += more;
        self.later.len() - before
    }

    /// Queries came, and if `left` is not nothing, left at that time.
    fn count(&mut self, queries: &[Query], left: Option<SimTime>, window: Window) -> usize {
        if left.is_some_and(|left| left <= window.from) {
            return 0;
        }
        let came = queries.iter().map(Query::came).filter(|came| *came <= window.until);
        let more: usize = came.map(|came| self.add(came, 1, window.from)).sum();
        let left = left.map(|left| self.add(left, -(queries.len() as i64), window.from));
        more + left.unwrap_or(0)
    }

    /// The level at the start and after each change.
    fn levels(&self, from: SimTime, until: SimTime) -> Vec<(SimTime, u64)> {
        let mut level = self.at_start;
        let mut levels = vec![(from, level.max(0) as u64)];
        for (at, more) in self.later.range(..until) {
            level += more;
            if *more != 0 {
                levels.push((*at, level.max(0) as u64));
            }
        }
        levels
    }
}

impl Scribe {
    /// A batch leaves its stage for the next, or is complete.
    pub(super) fn stage(
        &mut self,
        now: SimTime,
        id: BatchId,
        batch: &Batch,
        next: Option<Stage>,
        of: Place,
    ) {
        let index = id.0 as usize;
        if self.open.len() <= index {
            self.open.resize(index + 1, None);
        }
        if batch.stage == Stage::Batcher {
            self.open[index] = Some(self.form(now, batch, of));
            return;
        }
        let Some(open) = &mut self.open[index] else { return };
        if now > batch.entered {
            open.stages.push(StageSpan {
                stage: batch.stage,
                start: batch.entered,
                end: now,
                is_open: false,
            });
        }
        if next.is_none() {
            let closed = self.open[index].take().expect("a batch that is complete was open");
            if now > self.window.from && !closed.stages.is_empty() {
                self.spans += 1 + closed.stages.len();
                self.closed.push(closed);
            }
        }
    }

    fn form(&mut self, now: SimTime, batch: &Batch, place: Place) -> BatchTimeline {
        let server = &mut self.servers[usize::from(batch.server.0)];
        server.batches += 1;
        self.spans += server.count(&batch.queries, Some(now), self.window);
        let came = batch.queries.iter().map(Query::came);
        BatchTimeline {
            server: batch.server.0,
            number: server.batches,
            queries: batch.queries.len() as u32,
            card: place.card,
            link: place.link,
            instance: place.owner.instance,
            slot: place.owner.slot,
            stream: batch.stream,
            first_came: came.min().unwrap_or(now),
            stages: Vec::new(),
        }
    }

    /// Queries were rejected.
    pub(super) fn reject(&mut self, now: SimTime, server: ServerId, queries: &[Query]) {
        let server = &mut self.servers[usize::from(server.0)];
        self.spans += server.count(queries, Some(now), self.window);
    }
}

impl Platform<'_> {
    /// Where a batch goes.
    fn place_of(&self, batch: &Batch) -> Place {
        let gpu = &self.server_gpus[usize::from(batch.server_gpu)];
        let OwnerId { instance, slot } = gpu.owner;
        let slot = slot + gpu.owner_of(batch.stream) as u16;
        let link = self.slots[usize::from(gpu.card.0)].link.0;
        Place { card: gpu.card.0, link, owner: OwnerId { instance, slot } }
    }

    /// A batch leaves its stage for the next, where that is recorded.
    pub(super) fn tell_stage(&mut self, now: SimTime, id: BatchId, next: Option<Stage>) {
        let Some(mut scribe) = self.scribe.take() else { return };
        let batch = &self.batches[id.0 as usize];
        scribe.stage(now, id, batch, next, self.place_of(batch));
        self.scribe = Some(scribe);
    }

    /// How many spans are recorded.
    fn recorded(&self) -> usize {
        let cards = self.slots.iter().map(|slot| slot.card.station.recorded());
        cards.sum::<usize>() + self.scribe.as_ref().map_or(0, |scribe| scribe.spans)
    }

    /// What was recorded up to `stopped`; with the outcome, if nothing is left to happen.
    fn timeline(mut self, stopped: SimTime, is_over: bool) -> Timeline {
        let mut scribe = self.scribe.take().expect("it is recorded");
        let window = scribe.window;
        self.count_waiting(&mut scribe);
        let end = self.guests.iter().map(|guest| guest.recorder.last_completion()).max();
        let (until, ending) = match (stopped < window.until, is_over) {
            (true, false) => (stopped, WindowEnd::Full),
            (_, true) => (end.unwrap_or(SimTime::ZERO).min(window.until), WindowEnd::RunOver),
            (false, false) => (window.until, WindowEnd::Asked),
        };
        let (cards, whole_until) = self.card_timelines(until);
        let ending = if whole_until < until { WindowEnd::Full } else { ending };
        let until = until.min(whole_until);
        let mut batches = scribe.closed;
        for (index, open) in scribe.open.into_iter().enumerate() {
            let Some(mut open) = open else { continue };
            let Batch { stage, entered, .. } = self.batches[index];
            if stage != Stage::Batcher && entered < until {
                open.stages.push(StageSpan { stage, start: entered, end: until, is_open: true });
            }
            // Stages that take a time known beforehand are told at their start.
            open.stages.retain(|span| span.start < until);
            for span in open.stages.iter_mut().filter(|span| span.end > until) {
                (span.end, span.is_open) = (until, true);
            }
            batches.push(open);
        }
        batches.retain(|batch| {
            let (first, last) = (batch.stages.first(), batch.stages.last());
            first
                .zip(last)
                .is_some_and(|(first, last)| first.start < until && last.end > window.from)
        });
        batches.sort_by_key(|batch| (batch.stages[0].start, batch.server, batch.number));
        let servers = self.server_timelines(&scribe.servers, (window.from, until));
        let outcome = is_over.then(|| self.outcome());
        Timeline { from: window.from, until, ending, cards, servers, batches, outcome }
    }

    /// Counts the queries that wait at the end of the window, those among them that nobody has drawn
    /// yet.
    fn count_waiting(&mut self, scribe: &mut Scribe) {
        let window = scribe.window;
        for (server, waiting) in self.servers.iter().zip(&mut scribe.servers) {
            let aside = server.soft_drop.iter().flat_map(|soft_drop| soft_drop.aside());
            for query in server.batcher.station.stock().chain(aside) {
                waiting.count(&[*query], None, window);
            }
        }
        for pool in &mut self.pools {
            while let Some((server, query)) = pool.next(&mut self.guests) {
                if query.came() > window.until {
                    break;
                }
                let server = usize::from(pool.first_server) + server;
                scribe.servers[server].count(&[query], None, window);
            }
        }
    }

    /// The cards with what they did up to `until`, and up to when none of it is missing.
    fn card_timelines(&mut self, until: SimTime) -> (Vec<CardTimeline>, SimTime) {
        let mut whole_until = until;
        let phases: Vec<_> = self
            .slots
            .iter_mut()
            .map(|Slot { card, .. }| card.station.take_phases(until))
            .collect();
        let mut cards = Vec::new();
        for (card, (of, phases)) in self.experiment.cards.iter().zip(phases).enumerate() {
            let instances = of.instances.iter().zip(phases).enumerate();
            let instances = instances.map(|(index, (spec, (phases, whole)))| {
                whole_until = whole_until.min(whole);
                InstanceTimeline {
                    profile: spec.profile.clone(),
                    sharing: spec.sharing,
                    owners: self.owner_names(card, index),
                    nodes: self.node_names(card, index),
                    phases,
                }
            });
            cards.push(CardTimeline { model: of.gpu.name.clone(), instances: instances.collect() });
        }
        (cards, whole_until)
    }

    /// The names of an instance's owners, by slot.
    fn owner_names(&self, card: usize, instance: usize) -> Vec<String> {
        let mut names: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for (index, server) in self.servers.iter().enumerate() {
            for gpu in self.gpus_of(ServerId(index as u16)).map(|gpu| &self.server_gpus[gpu]) {
                if (usize::from(gpu.card.0), usize::from(gpu.owner.instance)) != (card, instance) {
                    continue;
                }
                let name = self.server_name(server.vm, index);
                let several = gpu.queued.len() > 1;
                for (place, owner) in gpu.owners().enumerate() {
                    let process = format!("{name}, process {}", place + 1);
                    let name = if several { process } else { name.clone() };
                    names.entry(owner.slot).or_default().push(name);
                }
            }
        }
        let most = names.keys().max().map_or(0, |most| usize::from(*most) + 1);
        let mut all = vec![String::new(); most];
        for (slot, mut of_slot) in names {
            of_slot.dedup();
            all[usize::from(slot)] = of_slot.join(" + ");
        }
        all
    }

    /// The VMs whose pods share its turns, by slot of an instance's owners.
    fn node_names(&self, card: usize, instance: usize) -> Vec<Option<String>> {
        let mut nodes = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let vm = &self.experiment.vms[usize::from(server.vm.0)];
            let Some((node, _)) = vm.name.rsplit_once('/') else { continue };
            for gpu in self.gpus_of(ServerId(index as u16)).map(|gpu| &self.server_gpus[gpu]) {
                let of = (usize::from(gpu.card.0), usize::from(gpu.owner.instance));
                let sharing = &self.experiment.cards[card].instances[instance].sharing;
                let pods = vm.gpus.iter().find_map(|share| share.pods.as_ref());
                if of != (card, instance) || !pods.is_some_and(|pods| sharing.nests(pods)) {
                    continue;
                }
                for owner in gpu.owners() {
                    let slot = usize::from(owner.slot);
                    nodes.resize(nodes.len().max(slot + 1), None);
                    nodes[slot] = Some(node.to_string());
                }
            }
        }
        nodes
    }

    /// The name of a server: that of its model, with its place where it is one of several.
    fn server_name(&self, vm: VmId, index: usize) -> String {
        let of_pool = self.pools[usize::from(self.servers[index].pool)].servers();
        let several = of_pool.len() > 1;
        let name = match self.has_own_servers() {
            true => self.experiment.vms[usize::from(vm.0)].name.clone(),
            false => "server".to_string(),
        };
        if several || !self.has_own_servers() {
            return format!("{name} {}", index - of_pool.start + 1);
        }
        name
    }

    fn server_timelines(
        &self,
        waiting: &[Waiting],
        (from, until): (SimTime, SimTime),
    ) -> Vec<ServerTimeline> {
        let servers = self.servers.iter().zip(waiting).enumerate();
        let of = |(index, (server, waiting)): (usize, (&super::Server, &Waiting))| {
            let pool = &self.pools[usize::from(server.pool)];
            let mut vms: Vec<VmId> = pool.guests().collect();
            vms.sort();
            let gpus = self.gpus_of(ServerId(index as u16)).map(|gpu| &self.server_gpus[gpu]);
            let streams = gpus.flat_map(|gpu| {
                (gpu.first_stream..gpu.first_stream + u32::from(gpu.stream_count))
                    .map(|stream| (gpu.card.0, stream))
            });
            ServerTimeline {
                name: self.server_name(server.vm, index),
                vms: vms
                    .iter()
                    .map(|vm| self.experiment.vms[usize::from(vm.0)].name.clone())
                    .collect(),
                streams: streams.collect(),
                waiting: waiting.levels(from, until),
            }
        };
        servers.map(of).collect()
    }
}

impl InstanceTimeline {
    /// Whether an owner is a pod that shares the turns of its VM.
    pub fn is_pod(&self, slot: u16) -> bool {
        self.nodes.get(usize::from(slot)).is_some_and(Option::is_some)
    }

    /// Who has the turns in which an owner has the engine: itself, or the VM whose pod it is.
    pub fn taker(&self, slot: u16) -> &str {
        let node = self.nodes.get(usize::from(slot)).and_then(Option::as_deref);
        node.unwrap_or_else(|| self.owner(slot))
    }

    /// What a pod did, by its turns within those of its VM: each of spans that follow one another. What its VM
    /// did with nobody at work is not any pod's.
    pub fn pod_turns(&self, slot: u16) -> Vec<Vec<&PhaseSpan>> {
        let own = self.phases.iter().filter(|span| span.slot == slot);
        let own =
            own.filter(|span| Timeline::works(span.phase) || span.phase == Phase::SwitchWithin);
        let mut turns: Vec<Vec<&PhaseSpan>> = Vec::new();
        for span in own {
            match turns.last_mut() {
                Some(turn)
                    if turn.last().is_some_and(|last| {
                        (last.turn, last.end) == (span.turn, span.start)
                            && span.phase != Phase::SwitchWithin
                    }) =>
                {
                    turn.push(span);
                }
                _ => turns.push(vec![span]),
            }
        }
        turns
    }

    /// The name of a slot's owner.
    pub fn owner(&self, slot: u16) -> &str {
        match self.owners.get(usize::from(slot)).map(String::as_str) {
            None | Some("") => "no VM",
            Some(name) => name,
        }
    }
}

impl Timeline {
    /// The part of a span that lies in the window, if any.
    pub fn cut(&self, start: SimTime, end: SimTime) -> Option<(SimTime, SimTime)> {
        let (start, end) = (start.max(self.from), end.min(self.until));
        (start < end).then_some((start, end))
    }

    /// Whether the engine worked in this phase.
    pub fn works(phase: Phase) -> bool {
        matches!(phase, Phase::Run | Phase::Overshoot)
    }
}
