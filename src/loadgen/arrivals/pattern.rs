//! Arrivals at a rate that rises and falls: a Poisson process whose rate is a function of time.
//!
//! The rate is known between the points of the pattern, in straight lines. The next arrival is where
//! the integral of the rate has grown by an exponential draw (Çinlar 1975, inversion), so nothing is
//! drawn that is then thrown away.

use super::ArrivalProcess;
use crate::engine::Stream;
use crate::spec::RatePattern;
use crate::units::SimDuration;
use rand_distr::{Distribution, Exp1};

/// Poisson arrivals at a varying rate.
pub struct Varying {
    /// The rate at each point of the period, per second.
    rates: Vec<f64>,
    /// From point to point, in seconds.
    step: f64,
    /// The point passed last, and the time since, in seconds.
    at: usize,
    into: f64,
    chance: Stream,
}

impl Varying {
    /// `rate` queries per second in the mean over a period.
    pub fn new(rate: f64, pattern: &RatePattern, chance: Stream) -> Self {
        assert!(rate > 0.0, "a rate of {rate} per second");
        let points = pattern.rates.len();
        let unit = rate * points as f64 / pattern.rates.iter().sum::<f64>();
        let step = pattern.period.as_secs_f64() / points as f64;
        let start = pattern.start.as_secs_f64() / step;
        let at = (start as usize).min(points - 1);
        let into = (start - at as f64).clamp(0.0, 1.0) * step;
        let rates = pattern.rates.iter().map(|own| own * unit).collect();
        Self { rates, step, at, into, chance }
    }

    fn next_point(&self) -> usize {
        (self.at + 1) % self.rates.len()
    }

    /// Queries that are expected in a period.
    fn of_a_period(&self) -> f64 {
        self.rates.iter().sum::<f64>() * self.step
    }
}

impl ArrivalProcess for Varying {
    fn gap(&mut self) -> SimDuration {
        let mut ahead: f64 = Exp1.sample(&mut self.chance);
        // Whole periods end where they began.
        let periods = (ahead / self.of_a_period()).floor();
        ahead -= periods * self.of_a_period();
        let mut gap = periods * self.step * self.rates.len() as f64;
        loop {
            let (from, to) = (self.rates[self.at], self.rates[self.next_point()]);
            let slope = (to - from) / self.step;
            let here = from + slope * self.into;
            let left = self.step - self.into;
            let of_step = (here + to) / 2.0 * left;
            if ahead < of_step {
                // here t + slope t^2 / 2 = ahead, in the form that divides by no small difference.
                let root = (here * here + 2.0 * slope * ahead).max(0.0).sqrt();
                let wait = if ahead > 0.0 { 2.0 * ahead / (here + root) } else { 0.0 };
                let wait = wait.min(left);
                self.into += wait;
                return SimDuration::from_secs_f64(gap + wait);
            }
            ahead -= of_step;
            gap += left;
            (self.at, self.into) = (self.next_point(), 0.0);
        }
    }
}
