//! `Headroom`: a card at its power limit runs faster after a pause.
//!
//! The limit holds for the mean power over some time, not for each instant. Times were measured on
//! a card that worked without pause. A card that works a part u of the time may draw 1 / u times
//! the power while it works; dynamic power goes with the cube of the clock, so the clock is
//! `u^(-1/3)` times as high, up to the highest there is. It knows no temperature.

use crate::spec::BOOST_WINDOW;
use crate::units::{SimDuration, SimTime};

/// How much faster a card runs than without pauses.
#[derive(Clone, Debug)]
pub struct Headroom {
    /// The highest clock over the one without pause, at least 1.
    boost: f64,
    /// Mean of the part at work, old times forgotten exponentially, up to `updated`.
    mean: f64,
    /// The part at work since then.
    level: f64,
    updated: SimTime,
    /// When the clock is set again.
    next: SimTime,
    clock: f64,
}

/// How often the clock is set while there is work.
const PERIOD: SimDuration = SimDuration::from_nanos(BOOST_WINDOW.as_nanos() / 20);

impl Headroom {
    /// A card that was idle. `boost` is at least 1.
    pub fn new(boost: f64) -> Self {
        assert!(boost >= 1.0 && boost.is_finite(), "a boost of {boost}");
        let start = SimTime::ZERO;
        Self { boost, mean: 0.0, level: 0.0, updated: start, next: start, clock: boost }
    }

    /// The part of the card at work changes to `level`; the clock from now on.
    pub fn clock(&mut self, now: SimTime, level: f64) -> f64 {
        self.pass(now);
        self.level = level;
        if now >= self.next {
            self.next = now + PERIOD;
            self.clock = self.mean.max(1e-9).powf(-1.0 / 3.0).clamp(1.0, self.boost);
        }
        self.clock
    }

    /// When the clock is set again; nothing while there is no work.
    pub fn next_change(&self) -> Option<SimTime> {
        (self.level > 0.0).then_some(self.next)
    }

    fn pass(&mut self, now: SimTime) {
        let kept = (-((now - self.updated) / BOOST_WINDOW)).exp();
        self.mean = self.level + (self.mean - self.level) * kept;
        self.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half the time at work in steps much shorter than the window: u = 1/2, clock 2^(1/3).
    #[test]
    fn a_card_that_works_half_the_time_is_faster_by_the_cube_root_of_two() {
        let mut headroom = Headroom::new(1.5);
        assert_eq!(headroom.clock(SimTime::ZERO, 1.0), 1.5);
        let mut clock = 0.0;
        for step in 1..100_000_u64 {
            let now = SimTime::from_nanos(step * 1_000_000);
            clock = headroom.clock(now, (step % 2) as f64);
        }
        assert!((clock - 2.0_f64.cbrt()).abs() < 0.01, "{clock}");
    }

    #[test]
    fn without_pause_the_clock_is_the_one_that_was_measured() {
        let mut headroom = Headroom::new(1.2);
        headroom.clock(SimTime::ZERO, 1.0);
        let after = SimTime::from_nanos(BOOST_WINDOW.as_nanos() * 20);
        assert!((headroom.clock(after, 1.0) - 1.0).abs() < 1e-6);
        assert!(headroom.next_change() > Some(after));
        headroom.clock(after, 0.0);
        assert_eq!(headroom.next_change(), None);
    }
}
