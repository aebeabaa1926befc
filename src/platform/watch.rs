//! Runs that may end early: given up once they cannot be VALID, ended once the Server VMs are
//! served, or stopped by a limit on work.
//!
//! Nothing here changes what happens in a run; it only decides how much of it is simulated.

use super::parts::Part;
use super::{Outcome, Platform, VmOutcome};
use crate::engine::{self, Ending, EventList, Pending};
use crate::record::Recorder;
use crate::spec::{Arrivals, Experiment, TestScenario, VmId, VmSpec};
use crate::units::{SimDuration, SimTime};
use std::collections::VecDeque;

/// How much may still be simulated, in events and answered samples together; and a function that
/// may stop it.
#[derive(Clone)]
pub struct Meter<'a> {
    left: u64,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Meter<'a> {
    /// At most `most` events and samples; `stop` is called now and then and ends everything when it
    /// returns true.
    pub fn new(most: u64, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { left: most, stop }
    }

    /// How much is left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes over the remaining work of a copy of it.
    pub fn follow(&mut self, copy: &Meter<'_>) {
        self.left = copy.left;
    }

    /// Whether nothing more may be simulated.
    pub fn is_spent(&self) -> bool {
        self.left == 0 || (self.stop)()
    }

    /// Whether it is used up by work, not ended by `stop`.
    pub fn is_used_up(&self) -> bool {
        self.left == 0
    }
}

/// The outcome of a run that need not be simulated to its end.
#[derive(Clone, Debug)]
pub enum Watched {
    /// It was simulated to its end.
    Whole(Outcome),
    /// It was given up: this VM had so many queries over its bound that it can only be INVALID.
    Lost(VmId),
    /// The limit on work was reached before either was known.
    Stopped,
}

impl Watched {
    /// The outcome of the run, if it came to its end.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            Watched::Whole(outcome) => Some(outcome),
            Watched::Lost(_) | Watched::Stopped => None,
        }
    }
}

/// As [`simulate`](super::simulate), but gives up once a Server run has more queries over its bound
/// than any run of its length may have: it cannot be VALID, and an overloaded run is long.
pub fn simulate_unless_lost(experiment: &Experiment) -> Watched {
    simulate_metered(experiment, &mut Meter::new(u64::MAX, &|| false))
}

/// As [`simulate_unless_lost`], as far as `meter` allows; the work is subtracted from it.
pub fn simulate_metered(experiment: &Experiment, meter: &mut Meter<'_>) -> Watched {
    /// How many events between two looks.
    const STRIDE: u64 = 20_000;
    let mut watched = Run::of(experiment);
    let spans = experiment.load_spans();
    while let Some(part) = watched.go(STRIDE, meter) {
        let mut vms = watched.parts[part].vms.iter();
        let lost = vms.find(|vm| {
            let place = usize::from(vm.0);
            is_lost(&experiment.vms[place], spans[place], &watched.platform.guests[place].recorder)
        });
        if let Some(lost) = lost {
            return Watched::Lost(*lost);
        }
        if meter.is_spent() {
            return Watched::Stopped;
        }
    }
    Watched::Whole(watched.platform.outcome())
}

/// As [`simulate`](super::simulate), as far as `meter` allows; nothing when it was used up before the
/// end. The work is subtracted from it.
pub fn simulate_within(experiment: &Experiment, meter: &mut Meter<'_>) -> Option<Outcome> {
    /// How many events between two looks.
    const STRIDE: u64 = 20_000;
    let mut run = Run::of(experiment);
    while run.go(STRIDE, meter).is_some() {
        if meter.is_spent() {
            return None;
        }
    }
    Some(run.platform.outcome())
}

/// As [`simulate_within`], but what was used up before the end is an outcome as well: of what happened until
/// then. Says whether it came to the end. Nothing only where the meter's own `stop` ended it.
pub fn simulate_up_to(experiment: &Experiment, meter: &mut Meter<'_>) -> Option<(Outcome, bool)> {
    /// How many events between two looks.
    const STRIDE: u64 = 20_000;
    let mut run = Run::of(experiment);
    let mut is_over = true;
    while run.go(STRIDE, meter).is_some() {
        if meter.is_spent() {
            is_over = false;
            break;
        }
    }
    match is_over {
        true => Some((run.platform.outcome(), true)),
        false => meter.is_used_up().then(|| {
            // What each part has pending is ahead of it: nothing has happened later than that.
            let pending = run.left.iter().filter_map(|(_, pending)| pending.as_ref()?.first());
            let reached = pending.map(|(.., time)| *time).max().unwrap_or(SimTime::ZERO);
            (run.platform.outcome_so_far(reached), false)
        }),
    }
}

/// Simulates until every query of every Server VM is answered, even if the others are not finished:
/// one entry for each VM, nothing for those that are not under Server load. Nothing at all when
/// `meter` was used up before.
pub fn serve(experiment: &Experiment, meter: &mut Meter<'_>) -> Option<Vec<Option<VmOutcome>>> {
    /// How many events between two looks: short runs have few.
    const STRIDE: u64 = 1_000;
    let mut watched = Run::of(experiment);
    let is_server = |vm: &VmSpec| vm.load.scenario == TestScenario::Server;
    while let Some(part) = watched.go(STRIDE, meter) {
        let mut vms = watched.parts[part].vms.iter();
        let is_served = |vm: &VmId| {
            !is_server(&experiment.vms[usize::from(vm.0)]) || watched.platform.is_served(*vm)
        };
        if vms.all(is_served) {
            watched.leave(part);
        }
        if meter.is_spent() {
            return None;
        }
    }
    watched.platform.lose_the_rest();
    let vms = watched.platform.guests.into_iter().zip(&experiment.vms);
    Some(vms.map(|(guest, vm)| is_server(vm).then(|| guest.outcome(vm, true))).collect())
}

/// A run that goes on by strides, of each part in turn: a part that decides the run is found soon,
/// wherever it is.
pub(super) struct Run<'a> {
    pub(super) platform: Platform<'a>,
    pub(super) parts: Vec<Part>,
    /// Those that are not over, by place, the next first; with the events that they have pending, once
    /// they have begun.
    left: VecDeque<(usize, Option<Vec<Pending>>)>,
    /// Samples answered at the last look at each part.
    answered: Vec<u64>,
    pub(super) all_answered: u64,
    events: EventList,
}

impl<'a> Run<'a> {
    pub(super) fn of(experiment: &'a Experiment) -> Self {
        let platform = Platform::new(experiment);
        let parts = platform.parts();
        let left = (0..parts.len()).map(|place| (place, None)).collect();
        let answered = vec![0; parts.len()];
        let events = EventList::new();
        Self { platform, parts, left, answered, all_answered: 0, events }
    }

    /// Of its parts only those in these places.
    pub(super) fn only(mut self, places: impl Iterator<Item = usize>) -> Self {
        self.left = places.map(|place| (place, None)).collect();
        self
    }

    /// Simulates the next part by up to `stride` events. Returns its place; nothing once all are over.
    pub(super) fn go(&mut self, stride: u64, meter: &mut Meter<'_>) -> Option<usize> {
        let (place, pending) = self.left.pop_front()?;
        let part = &self.parts[place];
        match pending {
            Some(pending) => self.events.resume(pending),
            None => self.platform.start(part, &mut self.events),
        }
        let (ending, events) = engine::run(&mut self.platform, &mut self.events, stride);
        self.platform.happened += events;
        let guests = part.vms.iter().map(|vm| &self.platform.guests[usize::from(vm.0)]);
        let answered: u64 = guests.map(|guest| guest.recorder.answered()).sum();
        let more = answered - std::mem::replace(&mut self.answered[place], answered);
        self.all_answered += more;
        meter.left = meter.left.saturating_sub(events + more);
        if ending == Ending::EventLimit {
            self.left.push_back((place, Some(self.events.set_aside())));
        }
        (!self.left.is_empty()).then_some(place)
    }

    /// Leaves the part at this place, the last that went on, as it is.
    fn leave(&mut self, place: usize) {
        self.left.retain(|(other, _)| *other != place);
    }
}

/// Whether a Server run that has come so far can only be INVALID. It counts the queries that were
/// late and those that wait beyond the bound, and allows as many as the longest run may have.
fn is_lost(vm: &VmSpec, span: SimDuration, recorder: &Recorder) -> bool {
    let settings = &vm.load.settings;
    if vm.load.scenario != TestScenario::Server {
        return false;
    }
    let rate = settings.target_qps;
    let expected = (rate * span.as_secs_f64()).max(settings.min_query_count as f64);
    // The number of Poisson arrivals is known to 8 standard deviations, that of bursts is not, and of a
    // pattern the run may have the busiest part.
    let most = match &vm.load.arrivals {
        Arrivals::Bursty(_) => 2.0 * expected,
        Arrivals::Pattern(pattern) => {
            let most = pattern.peak() * expected;
            most + 8.0 * most.sqrt()
        }
        _ => expected + 8.0 * expected.sqrt(),
    };
    let allowed = (1.0 - settings.percentile / 100.0) * (most + 1000.0);
    let mut late = (recorder.over_latency() + recorder.unanswered()) as f64;
    if matches!(vm.load.arrivals, Arrivals::Poisson | Arrivals::Constant) {
        // Of Poisson arrivals at least this many were due a bound ago (8 standard deviations).
        let elapsed = recorder.last_completion().saturating_since(vm.power_on);
        let due = rate * (elapsed.as_secs_f64() - settings.target_latency.as_secs_f64());
        let due = due - 8.0 * due.max(0.0).sqrt();
        late += (due - recorder.answered() as f64).max(0.0);
    }
    late > allowed
}
