//! Idle turns are no events: they are made up for later, so that the rotation is where it would
//! have been.

use super::super::policy::Entry;
use super::{Turn, Turns};
use crate::units::{SimDuration, SimTime};

impl<T> Turns<T> {
    /// Ends idle turns that were over before `now`: while no owner has work they are no events.
    /// Whole rounds are counted, not stepped through: a day has forty million turns.
    pub(super) fn catch_up(&mut self, now: SimTime) {
        let some_rounds =
            (self.slicing.slice + self.slicing.switch_cost) * (8 * self.owners.len() as u64);
        let mut round: Option<(usize, SimTime, Vec<SimDuration>)> = None;
        while !self.has_work()
            && let Some(turn) = self.turn
            && let Some((_, end)) = turn.slice
            && end < now
        {
            self.sync(end);
            let skips_to = self.phases.as_ref().map_or(Some(now), |log| log.skips_to(end, now));
            let skips_to = skips_to.filter(|to| *to > end).unwrap_or(end);
            match &round {
                // Not worth the while, or each is asked for.
                _ if skips_to - end < some_rounds => round = None,
                Some((slot, began, given)) if *slot == turn.slot => {
                    if self.log.is_none() && self.skip_rounds(skips_to, end - *began, given) {
                        round = None;
                        continue;
                    }
                    round = Some((turn.slot, end, self.given()));
                }
                Some(_) => {}
                None => round = Some((turn.slot, end, self.given())),
            }
            self.end_turn(end);
        }
    }

    /// The time that each slot was given so far.
    fn given(&self) -> Vec<SimDuration> {
        self.run_list.entries().iter().map(|entry| entry.scheduled).collect()
    }

    /// Counts rounds like the last one, which took `length` from where each slot had been `given` so
    /// much, as often as they fit before `now`; whether there were any. A round is like the next if it
    /// gave the same to every slot that had a turn.
    fn skip_rounds(&mut self, now: SimTime, length: SimDuration, given: &[SimDuration]) -> bool {
        let entries = self.run_list.entries().iter();
        let gained: Vec<SimDuration> =
            entries.zip(given).map(|(entry, before)| entry.scheduled - *before).collect();
        let most = gained.iter().copied().max().unwrap_or(SimDuration::ZERO);
        let offered: Vec<bool> = {
            let policy = self.run_list.policy();
            self.run_list.entries().iter().map(|entry| policy.offers_turn(entry)).collect()
        };
        let alike = gained.iter().zip(&offered);
        let is_alike = alike.into_iter().all(|(gain, offered)| *gain == most || !offered);
        let Some(turn) = self.turn.filter(|_| is_alike && length > SimDuration::ZERO) else {
            return false;
        };
        let Some((slice, end)) = turn.slice else { return false };
        // The last is left to be walked through.
        let rounds = ((now - end).as_nanos() / length.as_nanos()).saturating_sub(1);
        if rounds == 0 {
            return false;
        }
        let (later, gain) = (length * rounds, most * rounds);
        // A policy that looks at the time given may change its mind on the way.
        let after = self.run_list.entries().iter().zip(&offered).map(|(entry, &had_turns)| Entry {
            scheduled: if had_turns { entry.scheduled + gain } else { entry.scheduled },
            ..*entry
        });
        let policy = self.run_list.policy();
        if after.zip(&offered).any(|(entry, &had_turns)| policy.offers_turn(&entry) != had_turns) {
            return false;
        }
        for slot in (0..offered.len()).filter(|&slot| offered[slot]) {
            self.run_list.update(slot, |entry| entry.scheduled += gain);
            if let Some(owner) = self.owners.get_mut(slot) {
                owner.clock = owner.clock + gain;
            }
        }
        self.turn = Some(Turn {
            start: turn.start + later,
            slice: Some((slice, end + later)),
            synced: turn.synced + later,
            ..turn
        });
        true
    }
}
