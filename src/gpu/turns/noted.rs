//! What the engine does, told to a log where a timeline is asked for.

use super::super::work::Work;
use super::super::{Phase, PhaseLog};
use super::Turns;
use crate::units::{SimDuration, SimTime};

impl<T> Turns<T> {
    /// What the engine does from now on is told to this log, or to none any more; the log so far.
    pub fn set_phases(&mut self, phases: Option<Box<PhaseLog>>) -> Option<Box<PhaseLog>> {
        std::mem::replace(&mut self.phases, phases)
    }

    /// How many spans the log has.
    pub(in crate::gpu) fn recorded(&self) -> usize {
        self.phases.as_ref().map_or(0, |log| log.len())
    }

    /// The last `span` before `now` was of the turn of a slot, all of it with work or all without, and
    /// then perhaps burned.
    pub(super) fn note(
        &mut self,
        (slot, works, is_burned): (usize, bool, bool),
        now: SimTime,
        span: SimDuration,
    ) {
        let (users, switch) = match self.owners.get(slot) {
            Some(owner) => (owner.pool.users(), owner.pool.switches_for(owner.clock)),
            None => (vec![(0, 1.0)], SimDuration::ZERO),
        };
        let users = (self.first_member(slot), users);
        let Some(log) = &mut self.phases else { return };
        let phase = match works {
            true if self.turn.is_some_and(|turn| turn.overshoots) => Phase::Overshoot,
            true => Phase::Run,
            false if is_burned => Phase::Burned,
            false => Phase::Rest,
        };
        let start = SimTime::from_nanos(now.as_nanos() - span.as_nanos());
        log.add_inside(users, phase, (start, now), switch);
    }

    /// The engine is free from `now` on: held back by the cap where there is work.
    pub(super) fn note_no_turn(&mut self, now: SimTime) {
        let has_work = self.has_work();
        if let Some(log) = self.phases.as_mut().filter(|_| has_work) {
            log.hold_back(now);
        }
    }
}
