//! Bursty arrivals: a two-state Markov-modulated Poisson process.
//!
//! Bursts and the time between them are exponential; within each, arrivals are Poisson. There is no
//! ramp between the two rates.

use super::ArrivalProcess;
use crate::engine::Stream;
use crate::spec::Bursts;
use crate::units::SimDuration;
use rand_distr::{Distribution, Exp1};

/// Poisson arrivals at one rate in bursts and another between them.
pub struct Bursty {
    bursts: Bursts,
    /// Mean rate, per second.
    rate: f64,
    arrivals: Stream,
    phases: Stream,
    in_burst: bool,
    /// What is left of the present phase, in seconds.
    left: f64,
}

impl Bursty {
    /// `rate` queries per second over all. The phases have a stream of their own, which several
    /// processes may share to burst together.
    pub fn new(rate: f64, bursts: Bursts, arrivals: Stream, phases: Stream) -> Self {
        assert!(rate > 0.0, "a rate of {rate} per second");
        let mut process = Self { bursts, rate, arrivals, phases, in_burst: true, left: 0.0 };
        process.next_phase();
        process
    }

    fn next_phase(&mut self) {
        self.in_burst = !self.in_burst;
        let share = self.bursts.share.get();
        let burst = self.bursts.length.as_secs_f64();
        let mean = if self.in_burst { burst } else { burst * (1.0 - share) / share };
        let relative: f64 = Exp1.sample(&mut self.phases);
        self.left = mean * relative;
    }

    /// Rate of the present phase; both together average to the mean rate.
    fn phase_rate(&self) -> f64 {
        let (peak, share) = (self.bursts.peak, self.bursts.share.get());
        let ratio = if self.in_burst { peak } else { (1.0 - share * peak) / (1.0 - share) };
        self.rate * ratio.max(0.0)
    }
}

impl ArrivalProcess for Bursty {
    fn gap(&mut self) -> SimDuration {
        let mut gap = 0.0;
        loop {
            let relative: f64 = Exp1.sample(&mut self.arrivals);
            let wait = relative / self.phase_rate();
            if wait <= self.left {
                self.left -= wait;
                return SimDuration::from_secs_f64(gap + wait);
            }
            // Exponential waits have no memory: the next phase starts one afresh.
            gap += self.left;
            self.next_phase();
        }
    }
}
