//! The cap of owners over a window of time: what is left of each owner's share.

use super::Turns;
use crate::units::{SimDuration, SimTime};

impl<T> Turns<T> {
    /// What is left of the owner's share of the window that `start` lies in.
    pub(super) fn left_of_cap(&self, slot: usize, start: SimTime) -> SimDuration {
        let (_, end) = self.window.expect("a cap has a window");
        let left = self.allowance().as_nanos().saturating_sub(self.owners[slot].used.as_nanos());
        SimDuration::from_nanos(left).min(end - start)
    }

    /// Starts a new window of the cap once the present one is over; when that one began.
    pub(super) fn open_window(&mut self, now: SimTime) -> Option<SimTime> {
        let (length, end) = self.window.as_mut()?;
        if now < *end {
            return None;
        }
        let opened = *end + *length * ((now - *end).as_nanos() / length.as_nanos());
        *end = opened + *length;
        self.owners.iter_mut().for_each(|owner| owner.used = SimDuration::ZERO);
        self.count_spent();
        Some(opened)
    }

    /// Under a cap: notes who has had its share of the present window.
    pub(super) fn count_spent(&mut self) {
        if self.window.is_none() {
            return;
        }
        let allowance = self.allowance();
        for (slot, owner) in self.owners.iter().enumerate() {
            let is_spent = owner.used >= allowance;
            if self.run_list.entries()[slot].is_spent != is_spent {
                self.run_list.update(slot, |entry| entry.is_spent = is_spent);
            }
        }
    }

    /// An owner's share of a window: what a rotation of slices and switches would give it.
    fn allowance(&self) -> SimDuration {
        let (length, _) = self.window.expect("a cap has a window");
        let running = self.run_list.entries().iter().filter(|entry| entry.is_running).count();
        let shares = self.run_list.policy().shares(running).max(1);
        let turn = self.slicing.slice + self.slicing.switch_cost;
        length.scale(self.slicing.slice / turn / shares as f64)
    }
}
