//! A host that stalls now and then: for a while no processor of it makes progress.
//!
//! The cause is not modelled. GPUs and copies in progress go on.

use crate::engine::Stream;
use crate::spec::HostStalls;
use crate::units::{SimDuration, SimTime};
use rand_distr::{Distribution, Exp1};

/// The stalls of a host, one after the other.
#[derive(Debug)]
pub struct Stalls {
    /// From the end of a stop to the next, in the mean.
    gap: SimDuration,
    length: SimDuration,
    chance: Stream,
    /// The first stop that was not over when it was asked last.
    begins: SimTime,
    ends: SimTime,
}

impl Stalls {
    /// The stalls drawn from a random stream: equal streams give equal stalls.
    pub fn new(stalls: &HostStalls, chance: Stream) -> Self {
        let gap = SimDuration::from_secs_f64(1.0 / stalls.per_s);
        let length = stalls.length;
        let start = SimTime::ZERO;
        let mut new = Self { gap, length, chance, begins: start, ends: start };
        new.draw();
        new
    }

    /// When the host starts work that arrives at `now`: at once, or at the end of the present
    /// stall. Must be called in order of time.
    pub fn over(&mut self, now: SimTime) -> SimTime {
        while self.ends <= now {
            self.draw();
        }
        if self.begins <= now { self.ends } else { now }
    }

    fn draw(&mut self) {
        let luck: f64 = Exp1.sample(&mut self.chance);
        self.begins = self.ends + self.gap.scale(luck);
        self.ends = self.begins + self.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::RandomStreams;

    /// Stops of 30 ms, one second apart in the mean, are 30 / 1030 of all time; of 100 000 moments,
    /// 100 ms apart, as many lie in one. The standard error of such a share, of about 9700 stops with
    /// exponential gaps, is a hundredth of it.
    #[test]
    fn a_host_stops_for_its_part_of_the_time() {
        let stalls = HostStalls { per_s: 1.0, length: SimDuration::from_millis(30) };
        let stream = || RandomStreams::new(1, 0).stream("host-stalls");
        let mut one = Stalls::new(&stalls, stream());
        let mut other = Stalls::new(&stalls, stream());
        let mut stopped = 0;
        for step in 0..100_000_u64 {
            let now = SimTime::from_nanos(step * 100_000_000);
            let goes_on = one.over(now);
            assert!(goes_on >= now && goes_on - now <= stalls.length);
            assert_eq!(goes_on, other.over(now), "streams alike stop alike");
            stopped += u32::from(goes_on > now);
        }
        let share = f64::from(stopped) / 100_000.0;
        let expected = 30.0 / 1030.0;
        assert!((share / expected - 1.0).abs() < 0.06, "{share} of {expected}");
    }

    #[test]
    fn what_comes_as_a_stop_ends_goes_on() {
        let stalls = HostStalls { per_s: 10.0, length: SimDuration::from_millis(5) };
        let mut stops = Stalls::new(&stalls, RandomStreams::new(1, 0).stream("host-stalls"));
        let (begins, ends) = (stops.begins, stops.ends);
        assert_eq!(stops.over(begins), ends);
        assert_eq!(stops.over(ends), ends);
    }
}
