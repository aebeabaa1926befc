//! Turns of CUDA processes told once more from the rules, slowly: an oracle for the engine.
//!
//! The rules R1 to R9 and their numbers stand in `tests/measured/h200/README.md`. Here is one step per
//! instant and nothing is skipped: at an instant the running launch ends, then launches are made in
//! their given order, then a slice ends, then the next owner is selected. Time is whole nanoseconds.
//! It knows one stream per process, and nothing of vGPUs.

use crate::slicing::exponential;
use crate::support::cases;
use proptest::prelude::*;
use rand::RngExt;
use slicewise::engine::{RandomStreams, Stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The numbers of the rules, in ns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timing {
    /// A slice from selection, or from the launch that starts it.
    pub slice: u64,
    /// A slice that follows another of the same owner.
    pub renewal: u64,
    /// From the stop of an owner to the selection of the next.
    pub dry: u64,
    /// Added if the old owner is stopped within a launch.
    pub save: u64,
    /// From selection to the start, if the new owner resumes within a launch.
    pub restore: u64,
}

impl Timing {
    /// The H200. `dry`: V10, 1900 to 2037 us. `save`: V2, 5000 to 5182, less dry. `restore`: V2, 5382 to
    /// 5572, less dry. `slice`: V1, 0 to 2089. `renewal`: V14, 6285 = 2089 + 2 x 2098.
    pub(crate) const H200: Self =
        Self { slice: 2_089_000, renewal: 2_098_000, dry: 137_000, save: 45_000, restore: 53_000 };
}

/// Which rules the twin holds: one is left out to see what it is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    /// R4. Else a turn is one launch, or a slice of it.
    pub several: bool,
    /// R5. Else a drained holder goes on with what it launches meanwhile.
    pub commit: bool,
    /// R6. Else slices of a lone holder renew, drained or not, and a newcomer waits for their end.
    pub lone: bool,
    /// R7. Else the first to come is next.
    pub ring: bool,
}

impl Held {
    pub(crate) const ALL: Self = Self { several: true, commit: true, lone: true, ring: true };
}

/// What a launch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LaunchKind {
    /// One launch (a kernel, or a graph of many): drained from its start if nothing is behind it.
    One,
    /// Many launches, made ahead: work waits behind the running one as long as it runs.
    Many,
}

/// Processes on one GPU.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub timing: Timing,
    /// The processes in the order of the ring.
    pub ring: Vec<usize>,
    pub processes: Vec<Process>,
    /// Nothing is launched from here on, in ns.
    pub horizon: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub kind: LaunchKind,
    /// Work of its launches in ns, one after the other, and over again.
    pub works: Vec<u64>,
    pub load: Load,
}

#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// Launches at these instants, in ns.
    At(Vec<u64>),
    /// So many launches in flight, each made so many ns after one was done.
    Closed { in_flight: usize, think: Vec<u64> },
}

/// A launch: its process, and its number there.
pub(crate) type Launch = (usize, usize);

/// When each launch is made and done, in ns.
pub(crate) type Told = BTreeMap<Launch, (u64, u64)>;

/// What is still to be launched. Both tellings are driven by it; it knows nothing of turns.
pub(crate) struct Script<'a> {
    system: &'a System,
    /// Instant, number among all that was ever planned, process.
    ahead: BTreeSet<(u64, usize, usize)>,
    planned: usize,
    launched: Vec<usize>,
    done: Vec<usize>,
    told: Told,
    made: BTreeMap<Launch, u64>,
}

impl<'a> Script<'a> {
    fn new(system: &'a System) -> Self {
        let count = system.processes.len();
        let mut script = Self {
            system,
            ahead: BTreeSet::new(),
            planned: 0,
            launched: vec![0; count],
            done: vec![0; count],
            told: Told::new(),
            made: BTreeMap::new(),
        };
        for (slot, process) in system.processes.iter().enumerate() {
            match &process.load {
                Load::At(instants) => instants.iter().for_each(|&at| script.plan(at, slot)),
                Load::Closed { in_flight, .. } => {
                    (0..*in_flight).for_each(|_| script.plan(0, slot));
                }
            }
        }
        script
    }

    fn plan(&mut self, at: u64, slot: usize) {
        if at < self.system.horizon {
            self.ahead.insert((at, self.planned, slot));
            self.planned += 1;
        }
    }

    fn next(&self) -> Option<u64> {
        self.ahead.first().map(|next| next.0)
    }

    /// The launch that is made next, if it is by `now`, and its work.
    fn take(&mut self, now: u64) -> Option<(Launch, u64)> {
        self.next().filter(|&at| at <= now)?;
        let (at, _, slot) = self.ahead.pop_first().unwrap();
        let (number, works) = (self.launched[slot], &self.system.processes[slot].works);
        self.launched[slot] += 1;
        self.made.insert((slot, number), at);
        Some(((slot, number), works[number % works.len()]))
    }

    fn completed(&mut self, now: u64, launch: Launch) {
        self.told.insert(launch, (self.made[&launch], now));
        let slot = launch.0;
        self.done[slot] += 1;
        if let Load::Closed { think, .. } = &self.system.processes[slot].load {
            self.plan(now + think[self.done[slot] % think.len()], slot);
        }
    }
}

/// A launch on the GPU or behind it.
#[derive(Clone, Copy, Debug)]
struct Queued {
    launch: Launch,
    left: u64,
    /// Some of it has run.
    begun: bool,
}

/// Who runs, or what happens to the GPU meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Engine {
    /// No process has ever come.
    Fresh,
    /// The holder runs, from an instant on, or is dry.
    Held { by: usize, from: u64 },
    /// Nobody runs until the next owner is selected.
    Switch { to: usize, until: u64 },
}

/// `stop 0 at 2089` is (0, false, 2089000), `start 1 at 2271` (1, true, 2271000).
type Turn = (usize, bool, u64);

/// The slow telling.
struct Slow<'a> {
    system: &'a System,
    held: Held,
    script: Script<'a>,
    now: u64,
    engine: Engine,
    /// When the slice ends. A slice that ran out has none.
    slice_end: Option<u64>,
    /// Once the turn is committed: who is next.
    next: Option<usize>,
    /// Launches by process, the first is on the GPU if the process is the holder.
    queues: Vec<VecDeque<Queued>>,
    /// Since when a process waits: only without R7.
    came: Vec<u64>,
    /// Whether the holder was drained when the last instant was over.
    was_drained: bool,
    turns: Vec<Turn>,
}

/// The slow telling of a system.
pub(crate) fn slow(system: &System) -> Told {
    slow_with(system, Held::ALL)
}

/// The same, held to only some of the rules.
pub(crate) fn slow_with(system: &System, held: Held) -> Told {
    Slow { held, ..Slow::new(system) }.tell(u64::MAX).script.told
}

impl<'a> Slow<'a> {
    fn new(system: &'a System) -> Self {
        let count = system.processes.len();
        Self {
            system,
            held: Held::ALL,
            script: Script::new(system),
            now: 0,
            engine: Engine::Fresh,
            slice_end: None,
            next: None,
            queues: vec![VecDeque::new(); count],
            came: vec![0; count],
            was_drained: false,
            turns: Vec::new(),
        }
    }

    fn tell(mut self, until: u64) -> Self {
        while let Some(now) = self.next_instant().filter(|&now| now < until) {
            self.pass(now);
            self.complete();
            // A slice that others wait behind is over before anything is launched at its end.
            if let Engine::Held { by, .. } = self.engine
                && self.slice_end == Some(self.now)
                && self.another_waits(by)
            {
                self.end_slice();
            }
            while let Some((launch, work)) = self.script.take(self.now) {
                self.launch(launch, work);
            }
            if self.slice_end == Some(self.now) {
                self.end_slice();
            }
            if let Engine::Switch { to, until } = self.engine
                && until == self.now
            {
                self.select(to);
            }
            // All that happens at an instant is known to what is decided at it.
            if let Engine::Held { by, .. } = self.engine {
                self.commit(by);
                self.was_drained = self.is_drained(by);
            }
        }
        self
    }

    fn next_instant(&self) -> Option<u64> {
        let change = match self.engine {
            Engine::Fresh => None,
            Engine::Switch { until, .. } => Some(until),
            Engine::Held { by, from } => self.queues[by].front().map(|running| {
                let end = from.max(self.now) + running.left;
                end.min(self.slice_end.unwrap_or(u64::MAX))
            }),
        };
        change.into_iter().chain(self.script.next()).min()
    }

    /// The holder runs up to `now`.
    fn pass(&mut self, now: u64) {
        if let Engine::Held { by, from } = self.engine
            && let Some(running) = self.queues[by].front_mut()
        {
            let span = now.saturating_sub(from.max(self.now));
            running.left -= span;
            running.begun |= span > 0;
        }
        self.now = now;
    }

    fn has_work(&self, slot: usize) -> bool {
        !self.queues[slot].is_empty()
    }

    fn another_waits(&self, holder: usize) -> bool {
        (0..self.queues.len()).any(|slot| slot != holder && self.has_work(slot))
    }

    /// The running launch is the last that was made.
    fn is_drained(&self, holder: usize) -> bool {
        self.queues[holder].len() == 1 && self.system.processes[holder].kind == LaunchKind::One
    }

    /// R7: the ring's next that has work, other than the holder.
    fn ring_next(&self, holder: usize) -> Option<usize> {
        if !self.held.ring {
            let waiting = (0..self.queues.len()).filter(|&slot| slot != holder);
            let waiting = waiting.filter(|&slot| self.has_work(slot));
            return waiting.min_by_key(|&slot| (self.came[slot], slot));
        }
        let ring = &self.system.ring;
        let at = ring.iter().position(|&slot| slot == holder).unwrap();
        let after = (1..ring.len()).map(|step| ring[(at + step) % ring.len()]);
        after.into_iter().find(|&slot| self.has_work(slot))
    }

    /// R5: the holder is drained, and another waits. R7: who is next is fixed here.
    fn commit(&mut self, holder: usize) {
        if self.next.is_none() && self.held.commit && self.is_drained(holder) {
            self.next = self.ring_next(holder);
        }
    }

    /// The running launch is done.
    fn complete(&mut self) {
        let Engine::Held { by, .. } = self.engine else { return };
        if self.queues[by].front().is_none_or(|running| running.left > 0) {
            return;
        }
        let done = self.queues[by].pop_front().unwrap();
        self.script.completed(self.now, done.launch);
        let goes_on = self.has_work(by) && self.next.is_none() && self.held.several;
        if goes_on {
            return;
        }
        if let Some(next) = self.next.or_else(|| self.ring_next(by)) {
            self.stop(by, next);
        } else if !self.has_work(by) {
            // Nobody waits: it stays holder, dry.
            self.slice_end = None;
        }
    }

    fn launch(&mut self, launch: Launch, work: u64) {
        let (slot, queued) = (launch.0, Queued { launch, left: work, begun: false });
        let was_dry = !self.has_work(slot);
        let drained = self.was_drained;
        self.queues[slot].push_back(queued);
        if was_dry {
            self.came[slot] = self.now;
        }
        match self.engine {
            Engine::Switch { .. } => {}
            // The first of all pays nothing.
            Engine::Fresh => {
                self.engine = Engine::Held { by: slot, from: self.now };
                self.start_slice();
            }
            // R6: a lone holder that was dry or drained starts a slice.
            Engine::Held { by, .. } if by == slot => {
                let starts = was_dry || (drained && self.held.lone);
                if starts && !self.another_waits(by) {
                    self.start_slice();
                }
            }
            Engine::Held { by, .. } => {
                // R3 and R6: a holder that is dry, or whose slice ran out, lets the newcomer in.
                if !self.has_work(by) || self.slice_end.is_none_or(|end| end == self.now) {
                    self.stop(by, slot);
                }
            }
        }
    }

    fn start_slice(&mut self) {
        self.slice_end = Some(self.now + self.system.timing.slice);
    }

    fn end_slice(&mut self) {
        let Engine::Held { by, .. } = self.engine else { return };
        if let Some(next) = self.next.or_else(|| self.ring_next(by)) {
            self.stop(by, next);
        } else {
            // R6: of a lone holder the slice renews, or runs out if it is drained.
            let renews = !self.is_drained(by) || !self.held.lone;
            self.slice_end = renews.then_some(self.now + self.system.timing.renewal);
        }
    }

    /// R2: the turn of `old` ends; `to` is selected after the switch.
    fn stop(&mut self, old: usize, to: usize) {
        let Timing { dry, save, .. } = self.system.timing;
        let within = self.queues[old].front().is_some_and(|running| running.begun);
        let until = self.now + dry + if within { save } else { 0 };
        self.engine = Engine::Switch { to, until };
        (self.slice_end, self.next) = (None, None);
        self.came[old] = self.now;
        self.turns.push((old, false, self.now));
    }

    /// R1: the slice runs from here, and the state is restored within it.
    fn select(&mut self, owner: usize) {
        let Timing { slice, restore, .. } = self.system.timing;
        let resumes = self.queues[owner].front().is_some_and(|first| first.begun);
        let from = self.now + if resumes { restore } else { 0 };
        self.engine = Engine::Held { by: owner, from };
        self.slice_end = Some(self.now + slice);
        self.turns.push((owner, true, from));
    }
}

/// A vector: launches (process, instant, work), in the given order; ends by process; turns. In us.
#[track_caller]
fn check(processes: usize, launches: &[(usize, u64, u64)], ends: &[(usize, &[u64])], turns: &str) {
    let process = |slot| {
        let own = launches.iter().filter(move |launch| launch.0 == slot);
        Process {
            kind: LaunchKind::One,
            works: own.clone().map(|launch| launch.2 * 1_000).collect(),
            load: Load::At(own.map(|launch| launch.1 * 1_000).collect()),
        }
    };
    let system = System {
        timing: Timing::H200,
        ring: (0..processes).collect(),
        processes: (0..processes).map(process).collect(),
        horizon: u64::MAX,
    };
    // All that is told happens before 15 ms.
    let told = Slow::new(&system).tell(15_000_000);
    let found: Vec<_> = told.turns.iter().map(|&turn| us(turn)).collect();
    assert_eq!(found.join(", "), turns);
    let mut found: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for (&(slot, _), &(_, end)) in &told.script.told {
        found.entry(slot).or_default().push(end / 1_000);
    }
    let expected = ends.iter().map(|(slot, ends)| (*slot, ends.to_vec())).collect();
    assert_eq!(found, expected);
}

fn us((slot, starts, at): Turn) -> String {
    assert_eq!(at % 1_000, 0);
    format!("{} {slot} at {}", if starts { "start" } else { "stop" }, at / 1_000)
}

/// As good as endless, in us.
const LONG: u64 = 1_000_000_000;

#[test]
fn v1_newcomer_within_the_first_slice_waits_for_its_end() {
    let turns = "stop 0 at 2089, start 1 at 2271, stop 1 at 2471, start 0 at 2661";
    check(2, &[(0, 0, LONG), (1, 500, 200)], &[(1, &[2471])], turns);
}

#[test]
fn v2_newcomer_after_the_slice_of_a_drained_holder_is_let_in_at_once() {
    let turns = "stop 0 at 5000, start 1 at 5182, stop 1 at 5382, start 0 at 5572";
    check(2, &[(0, 0, LONG), (1, 5000, 200)], &[(1, &[5382])], turns);
}

#[test]
fn v3_newcomer_while_the_switch_back_is_under_way_waits_for_a_whole_slice() {
    let turns = "stop 0 at 5000, start 1 at 5182, stop 1 at 5382, start 0 at 5572, stop 0 at 7608, start 1 at 7790, stop 1 at 7990, start 0 at 8180";
    let launches = [(0, 0, LONG), (1, 5000, 200), (1, 5400, 200)];
    check(2, &launches, &[(1, &[5382, 7990])], turns);
}

#[test]
fn v4_a_launch_behind_the_running_one_renews_slices() {
    let turns = "stop 0 at 6385, start 1 at 6567, stop 1 at 6767, start 0 at 6957";
    let launches = [(0, 0, 30_000), (0, 100, 30_000), (1, 5000, 200)];
    check(2, &launches, &[(1, &[6767])], turns);
}

#[test]
fn v5_a_launch_of_a_lone_drained_holder_starts_a_slice() {
    let turns = "stop 0 at 6089, start 1 at 6271, stop 1 at 6471, start 0 at 6661";
    let launches = [(0, 0, 30_000), (0, 4000, 30_000), (1, 5000, 200)];
    check(2, &launches, &[(1, &[6471])], turns);
}

#[test]
fn v6_a_launch_after_the_commit_goes_on_next_turn() {
    let turns = "stop 0 at 3000, start 1 at 3182, stop 1 at 4182, start 0 at 4372, stop 0 at 6408, start 1 at 6590, stop 1 at 7590, start 0 at 7780";
    let launches = [(0, 0, 9000), (1, 3000, 1000), (1, 3500, 1000)];
    check(2, &launches, &[(0, &[11744]), (1, &[4182, 7590])], turns);
}

#[test]
fn v7_launches_made_before_the_turn_run_in_one_turn() {
    let turns = "stop 0 at 2089, start 1 at 2271, stop 1 at 4271, start 0 at 4461";
    let launches = [(0, 0, 9000), (1, 1000, 1000), (1, 1100, 1000)];
    check(2, &launches, &[(0, &[11372]), (1, &[3271, 4271])], turns);
}

/// V8 and V9: one that comes in the turn of 0 or of 1 is next after 1, for who is next is fixed at the
/// selection of a drained holder.
#[test]
fn v8_and_v9_newcomer_beside_two_busy_is_after_the_second() {
    let turns = "stop 0 at 2089, start 1 at 2271, stop 1 at 4360, start 0 at 4595, stop 0 at 6631, start 1 at 6866, stop 1 at 8902, start 2 at 9084, stop 2 at 9284, start 0 at 9474, stop 0 at 11510, start 1 at 11745, stop 1 at 13781, start 0 at 14016";
    for comes in [5000, 3000] {
        let launches = [(0, 0, LONG), (1, 0, LONG), (2, comes, 200)];
        check(3, &launches, &[(2, &[9284])], turns);
    }
}

#[test]
fn v10_after_a_drained_lone_holder_the_first_to_come_is_next() {
    let turns = "stop 0 at 1900, start 2 at 2037, stop 2 at 2537, start 1 at 2674";
    let launches = [(0, 0, 1900), (2, 300, 500), (1, 400, 500)];
    check(3, &launches, &[(0, &[1900]), (1, &[3174]), (2, &[2537])], turns);
}

#[test]
fn v11_after_a_holder_with_work_behind_the_ring_s_next_is_next() {
    let turns = "stop 0 at 2089, start 1 at 2271, stop 1 at 2771, start 2 at 2908, stop 2 at 3408, start 0 at 3598";
    let launches = [(0, 0, 1000), (0, 0, 9000), (2, 300, 500), (1, 400, 500)];
    check(3, &launches, &[(0, &[1000, 11509]), (1, &[2771]), (2, &[3408])], turns);
}

#[test]
fn v12_on_an_idle_gpu_another_pays_a_switch_and_the_last_holder_none() {
    let turns = "stop 0 at 2000, start 1 at 2137";
    let launches = [(0, 0, 100), (0, 1000, 100), (1, 2000, 100)];
    check(2, &launches, &[(0, &[100, 1100]), (1, &[2237])], turns);
}

/// V13: a graph is one launch, so V2 holds for it too.
#[test]
fn v13_a_graph_is_one_launch() {
    v2_newcomer_after_the_slice_of_a_drained_holder_is_let_in_at_once();
}

#[test]
fn v14_the_same_work_as_plain_launches_renews_slices() {
    let turns = "stop 0 at 6285, start 1 at 6467, stop 1 at 6667, start 0 at 6857";
    let mut launches = vec![(0, 0, 1000); 12];
    launches.push((1, 5000, 200));
    let ends = [1000, 2000, 3000, 4000, 5000, 6000, 7572, 8572, 9572, 10572, 11572, 12572];
    check(2, &launches, &[(0, &ends), (1, &[6667])], turns);
}

/// V14 once more, the twelve launches as one batch of many: the neighbour sees no difference.
#[test]
fn many_launches_wait_behind_themselves() {
    let process = |kind, at, work| Process { kind, works: vec![work], load: Load::At(vec![at]) };
    let system = System {
        timing: Timing::H200,
        ring: vec![0, 1],
        processes: vec![
            process(LaunchKind::Many, 0, 12_000_000),
            process(LaunchKind::One, 5_000_000, 200_000),
        ],
        horizon: u64::MAX,
    };
    assert_eq!(
        slow(&system),
        Told::from([((0, 0), (0, 12_572_000)), ((1, 0), (5_000_000, 6_667_000))])
    );
}

/// Any of these, each as likely.
fn one<T: Clone>(stream: &mut Stream, of: &[T]) -> T {
    of[stream.random_range(0..of.len())].clone()
}

/// A random system whose times are multiples of `grain` ns: with a coarse one, much happens at one
/// instant.
pub(crate) fn any_system(seed: u64, grain: u64) -> System {
    let stream = &mut RandomStreams::new(seed, 0).stream("system");
    let whole = |ns: u64| (ns / grain).max(1) * grain;
    let slice = whole(one(stream, &[1_024_000, 2_089_000, stream_range(seed)])).max(2 * grain);
    let renewals = [slice, slice + grain, whole(stream.random_range(slice / 2..2 * slice))];
    let cost = |stream: &mut Stream, most: u64| {
        let any = stream.random_range(0..=most / grain) * grain;
        one(stream, &[0, any, any])
    };
    let timing = Timing {
        slice,
        renewal: one(stream, &renewals),
        dry: cost(stream, 400_000),
        save: cost(stream, 200_000),
        // Less than a slice, else nobody who is stopped ever goes on.
        restore: cost(stream, (slice / 2).min(200_000)),
    };
    let count = stream.random_range(1..=5usize);
    let mut ring: Vec<usize> = (0..count).collect();
    (1..count).for_each(|last| ring.swap(last, stream.random_range(0..=last)));
    let horizon = 100 * slice;
    let load = one(stream, &[0.2, 0.5, 0.9, 2.0]);
    let share = load / count as f64;
    let processes = (0..count).map(|_| any_process(stream, grain, horizon, share)).collect();
    System { timing, ring, processes, horizon }
}

/// A slice between 0.2 and 4 ms.
fn stream_range(seed: u64) -> u64 {
    RandomStreams::new(seed, 0).stream("slice").random_range(200_000..4_000_000)
}

fn any_process(stream: &mut Stream, grain: u64, horizon: u64, load: f64) -> Process {
    let whole = |ns: f64| (ns / grain as f64).round() as u64 * grain;
    let mean = one(stream, &[0.1e6, 0.5e6, 2e6, 10e6]);
    let work = |stream: &mut Stream| {
        let any = 0.2 + exponential(stream);
        whole((mean * one(stream, &[1.0, any])).clamp(0.01e6, 30e6)).max(grain)
    };
    let works: Vec<u64> = (0..50).map(|_| work(stream)).collect();
    let load = if stream.random_range(0..3) == 0 {
        let mean = one(stream, &[0.0, 1e4, 1e6, 1e7]);
        let think = |stream: &mut Stream| match stream.random_range(0..2) {
            0 => 0,
            _ => whole(mean * exponential(stream)),
        };
        let think = (0..50).map(|_| think(stream)).collect();
        Load::Closed { in_flight: stream.random_range(1..=4), think }
    } else {
        // Launches come alone or in bursts, at one instant or close together.
        let burst = one(stream, &[1usize, 1, 4, 9]);
        let apart = one(stream, &[0.0, 0.1 * mean]);
        let (mut now, mut instants) = (0.0, Vec::new());
        while now < horizon as f64 && instants.len() < 2_000 {
            let size = stream.random_range(1..=burst);
            now += exponential(stream) * mean * size as f64 / load;
            for _ in 0..size {
                instants.push(whole(now));
                now += apart * exponential(stream);
            }
        }
        Load::At(instants)
    };
    Process {
        kind: one(stream, &[LaunchKind::One, LaunchKind::One, LaunchKind::Many]),
        works,
        load,
    }
}

/// What holds of any telling: each launch ends, in order, not sooner than its work takes, and no two
/// run at once.
fn hold_laws(system: &System, told: &Told) -> Result<(), TestCaseError> {
    let mut work = 0;
    for (slot, process) in system.processes.iter().enumerate() {
        let own: Vec<_> = told.range((slot, 0)..(slot + 1, 0)).collect();
        let mut behind = 0;
        for (number, (launch, (made, done))) in own.iter().copied().enumerate() {
            let least = process.works[number % process.works.len()];
            prop_assert_eq!(launch.1, number);
            prop_assert!(*done >= behind.max(*made) + least, "{:?}", launch);
            behind = *done;
            work += least;
        }
        if let Load::At(instants) = &process.load {
            let made = instants.iter().filter(|&&at| at < system.horizon).count();
            prop_assert_eq!(own.len(), made);
        }
    }
    let end = told.values().map(|launch| launch.1).max().unwrap_or(0);
    prop_assert!(end >= work);
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_slow_twin_of_the_ring_keeps_the_laws(seed in any::<u64>(), coarse in any::<bool>()) {
        let system = any_system(seed, if coarse { 100_000 } else { 1 });
        hold_laws(&system, &slow(&system))?;
    }
}

mod agreement;
pub(crate) use agreement::fast;
