//! Turns told once more from NVIDIA's description, slowly: one event per turn, nothing skipped.
//!
//! What the guide says (NVIDIA AI Enterprise User Guide, scheduling of time-sliced vGPUs; US 12423128
//! for the repayment): owners get slices in a fixed order (strict round robin), or the one with the
//! least time so far is next (non-strict). Passing the engine to another owner costs a switch. Before
//! a turn a part of what the owner owes shortens its slice; after it, what ran past the slice is
//! owed. Equal share offers turns to those that run, fixed share to
//! all slots there may be. Best effort, whose turns the hardware hands out, is told in `ring_twin`. What is not documented are the options of `TimeSlicing`.

use crate::slicing::exponential;
use crate::support::cases;
use proptest::prelude::*;
use rand::RngExt;
use slicewise::engine::{RandomStreams, Stream};
use slicewise::gpu::{Demand, PoolJob, Turns, TurnsJob};
use slicewise::queueing::Station;
use slicewise::spec::*;
use slicewise::units::{Share, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A system: how turns are taken, and what each owner does.
#[derive(Clone, Debug)]
struct System {
    slicing: TimeSlicing,
    owners: Vec<OwnerSpec>,
    /// No query is asked from here on, in ns.
    horizon: u64,
}

#[derive(Clone, Debug)]
struct OwnerSpec {
    sharing: GpuSharing,
    /// Batches on the GPU at once; the others that are launched wait, frozen.
    streams: usize,
    /// When it is powered on, and asked to go off, in ns. The first is on from the start if at 0.
    powered: Vec<(u64, u64)>,
    /// Work of its batches in ns, one after the other, and over again.
    works: Vec<u64>,
    load: LoadKind,
}

#[derive(Clone, Debug)]
enum LoadKind {
    /// Launches at these instants, in ns.
    At(Vec<u64>),
    /// So many batches in flight, each launched so many ns after the last was done.
    Closed { in_flight: usize, think: Vec<u64> },
}

/// What happens from outside. Power comes before work at the same instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Happening {
    PowerOn,
    PowerOff,
    Launch,
}

/// A batch: its owner, and its number there.
type Batch = (usize, usize);

/// What is still to happen. Both tellings are driven by it; it knows nothing of turns.
struct Script<'a> {
    system: &'a System,
    ahead: BTreeSet<(u64, Happening, usize, usize)>,
    /// Batches launched, and done, by owner.
    launched: Vec<usize>,
    done: Vec<usize>,
    is_on: Vec<bool>,
    is_closing: Vec<bool>,
    count: usize,
}

impl<'a> Script<'a> {
    fn new(system: &'a System) -> Self {
        let owners = system.owners.len();
        let mut script = Self {
            system,
            ahead: BTreeSet::new(),
            launched: vec![0; owners],
            done: vec![0; owners],
            is_on: system.owners.iter().map(|owner| owner.powered[0].0 == 0).collect(),
            is_closing: vec![false; owners],
            count: 0,
        };
        for (slot, owner) in system.owners.iter().enumerate() {
            for &(on, off) in &owner.powered {
                if on > 0 {
                    script.add(on, Happening::PowerOn, slot);
                }
                if off < system.horizon {
                    script.add(off, Happening::PowerOff, slot);
                }
                match &owner.load {
                    LoadKind::At(instants) => {
                        let now_on = instants.iter().filter(|&&at| (on..off).contains(&at));
                        now_on.for_each(|&at| script.add(at, Happening::Launch, slot));
                    }
                    LoadKind::Closed { in_flight, .. } => {
                        (0..*in_flight).for_each(|_| script.add(on, Happening::Launch, slot));
                    }
                }
            }
        }
        script
    }

    fn add(&mut self, at: u64, what: Happening, slot: usize) {
        self.count += 1;
        self.ahead.insert((at, what, slot, self.count));
    }

    fn next(&self) -> Option<u64> {
        self.ahead.first().map(|next| next.0)
    }

    /// What happens next, if it does by `now`: power or a launch that counts.
    fn take(&mut self, now: u64) -> Option<(u64, Happening, usize)> {
        while self.next().is_some_and(|at| at <= now) {
            let (at, what, slot, _) = self.ahead.pop_first().unwrap();
            let counts = match what {
                Happening::PowerOn => {
                    self.is_closing[slot] = false;
                    !std::mem::replace(&mut self.is_on[slot], true)
                }
                Happening::PowerOff => {
                    self.is_closing[slot] = true;
                    self.goes_off(slot)
                }
                Happening::Launch => {
                    let counts = self.is_on[slot] && !self.is_closing[slot];
                    self.launched[slot] += usize::from(counts);
                    counts
                }
            };
            if counts {
                return Some((at, what, slot));
            }
        }
        None
    }

    /// The batch that was launched last.
    fn batch(&self, slot: usize) -> (Batch, u64) {
        let (number, works) = (self.launched[slot] - 1, &self.system.owners[slot].works);
        ((slot, number), works[number % works.len()])
    }

    /// An owner goes off once it has nothing left to do.
    fn goes_off(&mut self, slot: usize) -> bool {
        let goes =
            self.is_on[slot] && self.is_closing[slot] && self.launched[slot] == self.done[slot];
        self.is_on[slot] &= !goes;
        goes
    }

    /// A batch is done. If its owner was to go off, it does so now that nothing is left: a nanosecond
    /// later, since who is next was settled when the batch was done.
    fn completed(&mut self, now: u64, slot: usize) {
        self.done[slot] += 1;
        if let LoadKind::Closed { think, .. } = &self.system.owners[slot].load {
            let again = now + think[self.done[slot] % think.len()];
            if again < self.system.horizon {
                self.add(again, Happening::Launch, slot);
            }
        }
        if self.is_closing[slot] && self.launched[slot] == self.done[slot] {
            self.add(now + 1, Happening::PowerOff, slot);
        }
    }
}

/// When each batch is done, and how long each owner had the engine with work, in ns.
type Told = (BTreeMap<Batch, u64>, Vec<u64>);

/// An owner's batches, launched in order: one at a time in each stream, the rest waits behind.
#[derive(Clone, Default)]
struct Streams {
    waiting: Vec<VecDeque<(Batch, u64)>>,
    /// On the GPU: the batch and the work that is left.
    on_gpu: Vec<(Batch, u64)>,
}

impl Streams {
    fn launch(&mut self, batch: Batch, work: u64) {
        let stream = batch.1 % self.waiting.len();
        let busy = self.on_gpu.iter().any(|(other, _)| other.1 % self.waiting.len() == stream);
        if busy {
            self.waiting[stream].push_back((batch, work))
        } else {
            self.on_gpu.push((batch, work))
        }
    }

    fn has_work(&self) -> bool {
        !self.on_gpu.is_empty()
    }

    /// The time to the next end of a batch.
    fn to_completion(&self, sharing: GpuSharing) -> Option<u64> {
        match sharing {
            GpuSharing::InOrder => self.on_gpu.first().map(|batch| batch.1),
            GpuSharing::Shared => self.on_gpu.iter().map(|batch| batch.1).min(),
        }
    }

    fn run(&mut self, sharing: GpuSharing, span: u64) {
        let at_once = if sharing == GpuSharing::InOrder { 1 } else { self.on_gpu.len() };
        self.on_gpu.iter_mut().take(at_once).for_each(|batch| batch.1 -= span);
    }

    /// Batches that are done make room for those behind them.
    fn take_done(&mut self) -> Vec<Batch> {
        let done: Vec<Batch> =
            self.on_gpu.iter().filter(|batch| batch.1 == 0).map(|batch| batch.0).collect();
        self.on_gpu.retain(|batch| batch.1 > 0);
        for batch in &done {
            let stream = batch.1 % self.waiting.len();
            self.on_gpu.extend(self.waiting[stream].pop_front());
        }
        done
    }
}

/// The slow telling.
struct Slow<'a> {
    slicing: &'a TimeSlicing,
    script: Script<'a>,
    streams: Vec<Streams>,
    slots: usize,
    now: u64,
    /// By slot: time in turns, for the order of least run time; overshoot owed; time used of the
    /// window; time in turns with work.
    scheduled: Vec<u64>,
    owed: Vec<f64>,
    used: Vec<u64>,
    run: Vec<u64>,
    window: u64,
    window_at: u64,
    ends: BTreeMap<Batch, u64>,
}

impl<'a> Slow<'a> {
    fn new(system: &'a System) -> Self {
        let slicing = &system.slicing;
        let owners = system.owners.len();
        let fixed = slicing.policy == SlicePolicy::FixedShare;
        let slots = if fixed { slicing.slots_max as usize } else { owners };
        let round = (slicing.slice + slicing.switch_cost) * slots as u64;
        let window = match slicing.idle {
            IdleRule::SkippedAndCapped { window: Some(window) } => window,
            _ => round,
        };
        let streams = |owner: &OwnerSpec| Streams {
            waiting: vec![VecDeque::new(); owner.streams],
            ..Streams::default()
        };
        Self {
            slicing,
            script: Script::new(system),
            streams: system.owners.iter().map(streams).collect(),
            slots,
            now: 0,
            scheduled: vec![0; slots],
            owed: vec![0.0; slots],
            used: vec![0; slots],
            run: vec![0; slots],
            window: window.as_nanos(),
            window_at: 0,
            ends: BTreeMap::new(),
        }
    }

    fn has_work(&self, slot: usize) -> bool {
        self.streams.get(slot).is_some_and(Streams::has_work)
    }

    fn is_on(&self, slot: usize) -> bool {
        self.script.is_on.get(slot).copied().unwrap_or(false)
    }

    fn caps(&self) -> bool {
        matches!(self.slicing.idle, IdleRule::SkippedAndCapped { .. })
    }

    /// Equal share recomputes shares over those that run; fixed share holds them.
    fn allowance(&self) -> u64 {
        let running = (0..self.slots).filter(|&slot| self.is_on(slot)).count().max(1);
        let shares =
            if self.slicing.policy == SlicePolicy::FixedShare { self.slots } else { running };
        let turn = self.slicing.slice + self.slicing.switch_cost;
        let part = self.slicing.slice.as_nanos_f64() / turn.as_nanos_f64() / shares as f64;
        (self.window as f64 * part).round() as u64
    }

    fn is_offered(&self, slot: usize) -> bool {
        let work = self.has_work(slot);
        // The shares of equal share are of those that run, those of fixed share of all slots.
        if self.slicing.policy == SlicePolicy::EqualShare && !self.is_on(slot) {
            return false;
        }
        match self.slicing.idle {
            IdleRule::Burned | IdleRule::Polled => true,
            IdleRule::RestBurned => work,
            IdleRule::SkippedAndCapped { .. } => work && self.used[slot] < self.allowance(),
        }
    }

    fn another_is_offered(&self, slot: usize) -> bool {
        (0..self.slots).any(|other| other != slot && self.is_offered(other))
    }

    /// Who is next, after `last`.
    fn next(&self, last: Option<usize>) -> Option<usize> {
        let offered = (0..self.slots).filter(|&slot| self.is_offered(slot));
        match self.slicing.order {
            TurnOrder::LeastRunTime => offered.min_by_key(|&slot| (self.scheduled[slot], slot)),
            TurnOrder::RoundRobin { .. } => {
                let first = last.map_or(0, |last| last + 1);
                offered.min_by_key(|&slot| (slot + self.slots - first) % self.slots)
            }
        }
    }

    fn polls(&self) -> bool {
        self.slicing.idle == IdleRule::Polled
    }

    /// All that happens from outside by now: power first, then work.
    fn happen(&mut self) {
        while let Some((_, what, slot)) = self.script.take(self.now) {
            match what {
                Happening::Launch => {
                    let (batch, work) = self.script.batch(slot);
                    self.streams[slot].launch(batch, work);
                }
                // Who is powered on joins those that run at the least time any of them has had; under
                // fixed share it has its slot's place and changes nobody's.
                Happening::PowerOn if self.slicing.policy != SlicePolicy::FixedShare => {
                    let others =
                        (0..self.slots).filter(|&other| other != slot && self.is_on(other));
                    let least = others.map(|other| self.scheduled[other]).min().unwrap_or(0);
                    self.scheduled[slot] = self.scheduled[slot].max(least);
                }
                Happening::PowerOn | Happening::PowerOff => {}
            }
        }
        if self.now / self.window > self.window_at {
            self.window_at = self.now / self.window;
            self.used.fill(0);
        }
    }

    /// Lets time pass without anybody on the engine.
    fn wait(&mut self, until: u64) {
        while let Some(at) = self.script.next().filter(|&at| at < until) {
            self.now = at;
            self.happen();
        }
        self.now = until;
        self.happen();
    }

    fn tell(mut self) -> Told {
        let mut last = None;
        self.happen();
        loop {
            let Some(slot) = self.next(last) else {
                // Until something happens, or until the cap of one who has work is lifted.
                let capped = self.streams.iter().any(Streams::has_work);
                let lifted = capped.then_some((self.window_at + 1) * self.window);
                let Some(until) = self.script.next().into_iter().chain(lifted).min() else {
                    self.run.truncate(self.streams.len());
                    return (self.ends, self.run);
                };
                self.wait(until);
                continue;
            };
            if self.script.next().is_none() && !self.streams.iter().any(Streams::has_work) {
                self.run.truncate(self.streams.len());
                return (self.ends, self.run);
            }
            if last.is_some_and(|last| last != slot) {
                self.wait(self.now + self.slicing.switch_cost.as_nanos());
            }
            self.poll_alone(slot);
            self.turn(slot);
            last = Some(slot);
        }
    }

    /// Who is alone and polls itself finds its work at the instant at which it comes.
    fn poll_alone(&mut self, slot: usize) {
        while self.polls()
            && self.is_offered(slot)
            && !self.has_work(slot)
            && !self.another_is_offered(slot)
            && let Some(at) = self.script.next()
        {
            self.wait(at);
        }
    }

    /// The slice at the start of a turn.
    fn slice(&mut self, slot: usize) -> u64 {
        let whole = self.slicing.slice.as_nanos();
        let works = self.has_work(slot);
        if !self.is_offered(slot) || (self.polls() && !works) {
            return 0;
        }
        let mut slice = whole;
        if let TurnOrder::RoundRobin { averaging_factor } = self.slicing.order
            && works
        {
            let most = whole as f64 * (1.0 - self.slicing.slice_floor.get());
            let repaid = (self.owed[slot] / f64::from(averaging_factor)).min(most);
            slice = (whole as f64 - repaid).round() as u64;
            if most > 0.0 {
                self.owed[slot] -= repaid;
                // Time is counted in nanoseconds.
                if self.owed[slot] < 1.0 {
                    self.owed[slot] = 0.0;
                }
            }
        }
        if self.caps() {
            slice = slice.min(self.allowance() - self.used[slot]);
            slice = slice.min((self.window_at + 1) * self.window - self.now);
        }
        slice
    }

    fn turn(&mut self, slot: usize) {
        let end = self.now + self.slice(slot);
        let keeps_rest = matches!(self.slicing.idle, IdleRule::Burned | IdleRule::RestBurned);
        let equal = self.slicing.policy == SlicePolicy::EqualShare;
        let was_on = self.is_on(slot);
        let Some(owner) = self.script.system.owners.get(slot) else {
            // An empty slot of fixed share.
            self.scheduled[slot] += end - self.now;
            return self.wait(end);
        };
        let mut overshoots = false;
        loop {
            let turn_end = match self.slicing.overshoot {
                _ if !overshoots => end,
                Overshoot::Constant(over) => end + over.as_nanos(),
                _ => u64::MAX,
            };
            let completion = self.streams[slot].to_completion(owner.sharing);
            let completion = completion.map_or(u64::MAX, |span| self.now + span);
            let until = turn_end.min(completion).min(self.script.next().unwrap_or(u64::MAX));
            self.pass(slot, until);
            self.happen();
            if equal && was_on && !self.is_on(slot) {
                break;
            }
            let done = self.streams[slot].take_done();
            for batch in &done {
                self.ends.insert(*batch, self.now);
                self.script.completed(self.now, slot);
            }
            let works = self.has_work(slot);
            let passes = self.another_is_offered(slot) || !self.is_offered(slot);
            let by_batch = self.slicing.overshoot == Overshoot::Batch;
            if overshoots {
                if self.now >= turn_end || !works || (by_batch && !done.is_empty()) {
                    break;
                }
            } else if self.now >= end {
                // Somebody waits: what runs goes on for the overshoot. Nobody: the next slice.
                let runs_on = match self.slicing.overshoot {
                    Overshoot::None => false,
                    Overshoot::Batch => done.is_empty(),
                    Overshoot::Constant(_) => true,
                };
                overshoots = works && passes && runs_on;
                if !overshoots {
                    break;
                }
            } else if !works && !keeps_rest {
                break;
            }
        }
        self.owed[slot] += self.now.saturating_sub(end) as f64;
    }

    /// The holder has the engine up to `until`.
    fn pass(&mut self, slot: usize, until: u64) {
        let span = until - self.now;
        self.scheduled[slot] += span;
        // Only an overshoot reaches into a new window; the part in it counts there.
        let opened = until / self.window * self.window;
        if until / self.window > self.window_at {
            self.used[slot] = until - opened.max(self.now);
            let used = self.used[slot];
            self.used.fill(0);
            self.used[slot] = used;
            self.window_at = until / self.window;
        } else {
            self.used[slot] += span;
        }
        if self.has_work(slot) {
            self.run[slot] += span;
            let sharing = self.script.system.owners[slot].sharing;
            self.streams[slot].run(sharing, span);
        }
        self.now = until;
    }
}

/// The program's telling: `Turns`, driven event by event.
fn fast(system: &System) -> Told {
    let sharings: Vec<_> = system.owners.iter().map(|owner| owner.sharing).collect();
    let mut turns = Turns::new(&sharings, Share::WHOLE, system.slicing);
    let mut script = Script::new(system);
    for (slot, is_on) in script.is_on.iter().enumerate().filter(|(_, is_on)| !**is_on) {
        turns.set_running(SimTime::ZERO, slot, *is_on);
    }
    let gates = |owner: &OwnerSpec| vec![(false, VecDeque::new()); owner.streams];
    // By owner and stream: whether it is busy, and what is frozen behind it.
    type Gate = (bool, VecDeque<(Batch, u64)>);
    let mut gates: Vec<Vec<Gate>> = system.owners.iter().map(gates).collect();
    let queued = |gates: &[(bool, VecDeque<_>)]| gates.iter().map(|gate| gate.1.len()).sum();
    // phi 0: batches that share do not slow each other, so that all times are whole.
    let submit = |turns: &mut Turns<Batch>, now, (batch, work): (Batch, u64)| {
        let demand = Demand {
            host_floor: 0.0,
            launch: 0.0,
            serial: 0.0,
            work: work as f64,
            phi: 0.0,
            phi_limit: 1.0,
            energy: 0.0,
        };
        turns.submit(now, TurnsJob { slot: batch.0, job: PoolJob { tag: batch, demand } });
    };
    let (mut ends, mut done, mut end) = (BTreeMap::new(), Vec::new(), SimTime::ZERO);
    loop {
        let change = turns.next_change();
        let happens = script.next().map(SimTime::from_nanos);
        if let Some(now) = happens
            && change.is_none_or(|change| now <= change)
        {
            let Some((_, what, slot)) = script.take(now.as_nanos()) else { continue };
            match what {
                Happening::PowerOn => turns.set_running(now, slot, true),
                Happening::PowerOff => turns.set_running(now, slot, false),
                Happening::Launch => {
                    let (batch, work) = script.batch(slot);
                    let stream = batch.1 % gates[slot].len();
                    let (busy, waiting) = &mut gates[slot][stream];
                    if *busy {
                        waiting.push_back((batch, work));
                        turns.set_queued(slot, queued(&gates[slot]));
                    } else {
                        *busy = true;
                        submit(&mut turns, now, (batch, work));
                    }
                }
            }
            continue;
        }
        let Some(now) = change else { break };
        turns.advance(now, &mut done);
        let batches: Vec<Batch> = std::mem::take(&mut done);
        for &batch in &batches {
            ends.insert(batch, now.as_nanos());
            end = now;
            let stream = batch.1 % gates[batch.0].len();
            match gates[batch.0][stream].1.pop_front() {
                Some(behind) => {
                    turns.set_queued(batch.0, queued(&gates[batch.0]));
                    submit(&mut turns, now, behind);
                }
                None => gates[batch.0][stream].0 = false,
            }
        }
        for (slot, _) in batches {
            script.completed(now.as_nanos(), slot);
        }
    }
    let run = turns.counters(end).iter().map(|counters| counters.run.as_nanos()).collect();
    (ends, run)
}

/// Any of these, each as likely.
fn one<T: Clone>(stream: &mut Stream, of: &[T]) -> T {
    of[stream.random_range(0..of.len())].clone()
}

fn any_system(seed: u64) -> System {
    let stream = &mut RandomStreams::new(seed, 0).stream("system");
    let policy = one(stream, &[SlicePolicy::EqualShare, SlicePolicy::FixedShare]);
    let slice = stream.random_range(200_000..4_000_000u64);
    let over = stream.random_range(1..2 * slice);
    let owners = stream.random_range(1..=5usize);
    let window = stream.random_range(2 * slice..30 * slice);
    let window = one(stream, &[None, Some(SimDuration::from_nanos(window))]);
    let idle = one(
        stream,
        &[
            IdleRule::Burned,
            IdleRule::RestBurned,
            IdleRule::Polled,
            IdleRule::SkippedAndCapped { window },
        ],
    );
    let averaging_factor = one(stream, &[1, 2, 7, 33, 60]);
    let round_robin = TurnOrder::RoundRobin { averaging_factor };
    let least = if idle == IdleRule::Polled { round_robin } else { TurnOrder::LeastRunTime };
    let no_cost = if idle == IdleRule::Polled { 1_003 } else { 0 };
    let cost = stream.random_range(1_000..400_000);
    let slicing = TimeSlicing {
        policy,
        slots_max: stream.random_range(owners as u32..=6),
        slice: SimDuration::from_nanos(slice),
        order: one(stream, &[round_robin, round_robin, least]),
        idle,
        overshoot: one(
            stream,
            &[
                Overshoot::None,
                Overshoot::Batch,
                Overshoot::Constant(SimDuration::from_nanos(over)),
            ],
        ),
        switch_cost: SimDuration::from_nanos(one(stream, &[no_cost, cost, cost])),
        slice_floor: Share::new(one(stream, &[0.02, 0.1, 0.5, 1.0])).unwrap(),
    };
    let horizon = slice * 100;
    let load = one(stream, &[0.2, 0.5, 0.9, 2.0]);
    let share = load / owners as f64;
    let owners = (0..owners).map(|_| any_owner(stream, slice, horizon, share)).collect();
    System { slicing, owners, horizon }
}

fn any_owner(stream: &mut Stream, slice: u64, horizon: u64, load: f64) -> OwnerSpec {
    // From a tenth of a slice to many slices.
    let mean = slice as f64 * one(stream, &[0.1, 0.4, 1.0, 3.0, 12.0]);
    let works = (0..50).map(|_| (mean * (0.2 + exponential(stream))) as u64 + 1).collect();
    let streams = stream.random_range(1..=3usize);
    let closed = stream.random_range(0..3) == 0;
    let load = if closed {
        let think = |stream: &mut Stream| match stream.random_range(0..2) {
            // As good as at once, and yet after the completion.
            0 => 1,
            _ => (slice as f64 * exponential(stream)) as u64 + 1,
        };
        let think = (0..50).map(|_| think(stream)).collect();
        LoadKind::Closed { in_flight: stream.random_range(1..=streams + 2), think }
    } else {
        let (mut now, mut instants) = (0.0, Vec::new());
        while now < horizon as f64 {
            now += exponential(stream) * mean * 1.2 / load;
            instants.push(now as u64);
        }
        instants.retain(|&at| at < horizon);
        LoadKind::At(instants)
    };
    let mut instants: Vec<u64> = (0..4).map(|_| stream.random_range(1..horizon)).collect();
    instants.sort_unstable();
    let [first, second, third, fourth] = instants[..] else { unreachable!("four instants") };
    let never = u64::MAX;
    let powered = match stream.random_range(0..6) {
        0 => vec![(0, second)],
        1 => vec![(second, never)],
        2 => vec![(first, third)],
        3 => vec![(0, first), (second, third), (fourth, never)],
        _ => vec![(0, never)],
    };
    OwnerSpec {
        sharing: one(stream, &[GpuSharing::InOrder, GpuSharing::Shared]),
        streams,
        powered,
        works,
        load,
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Every policy, idle rule, order, overshoot and repayment; one to five owners that come and go,
    /// from light load to hopeless, with several streams and batches frozen behind them: equal to the
    /// nanosecond for every batch and for the time that each owner had. More systems:
    /// `PROPTEST_CASES=100000`.
    #[test]
    fn turns_agree_with_their_slow_twin(seed in any::<u64>()) {
        let system = any_system(seed);
        let (fast, slow) = (fast(&system), Slow::new(&system).tell());
        prop_assert!(fast == slow, "seed {}: {}", seed, first_difference(&system, &fast, &slow));
    }
}

fn first_difference(system: &System, fast: &Told, slow: &Told) -> String {
    let batches: BTreeSet<_> = fast.0.keys().chain(slow.0.keys()).collect();
    let differing = batches.iter().filter(|batch| fast.0.get(batch) != slow.0.get(batch));
    let first = differing.min_by_key(|batch| fast.0.get(batch).min(slow.0.get(batch)));
    let first = first.map(|batch| (batch, fast.0.get(batch), slow.0.get(batch)));
    let powered: Vec<_> = system.owners.iter().map(|owner| &owner.powered).collect();
    format!(
        "batch, fast, slow {first:?}; run {:?} {:?}\n{:?}\n{powered:?}",
        fast.1, slow.1, system.slicing
    )
}
