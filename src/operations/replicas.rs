//! How many replicas of a service there should be: the rule of Kubernetes' HorizontalPodAutoscaler
//! (Kubernetes documentation, "Horizontal Pod Autoscaling", "Algorithm details" and "Configurable scaling
//! behavior").
//!
//! Nothing here starts a replica.

use crate::spec::Replicas;
use crate::units::SimTime;
use std::collections::VecDeque;

/// The rule with what it recommended lately.
#[derive(Clone, Debug)]
pub struct ReplicaRule {
    settings: Replicas,
    most: u32,
    recommended: VecDeque<(SimTime, u32)>,
}

impl ReplicaRule {
    /// The rule for at most `most` replicas.
    pub fn new(settings: Replicas, most: u32) -> Self {
        Self { settings, most, recommended: VecDeque::new() }
    }

    /// How many there should be from `now` on, where `current` are there, those that start included, and
    /// `metric` is its mean over all of these since it was asked last.
    pub fn decide(&mut self, now: SimTime, current: u32, metric: f64) -> u32 {
        let Replicas { min, up_window, down_window, .. } = self.settings;
        let wanted = self.desired(current, metric).clamp(min, self.most);
        self.recommended.push_back((now, wanted));
        let longest = up_window.max(down_window);
        while self.recommended.front().is_some_and(|(at, _)| *at + longest < now) {
            self.recommended.pop_front();
        }
        let within = |window| {
            let recent = self.recommended.iter().filter(move |(at, _)| *at + window >= now);
            recent.map(|(_, wanted)| *wanted)
        };
        // The least of late on the way up, the most of late on the way down.
        let up = within(up_window).min().unwrap_or(wanted);
        let down = within(down_window).max().unwrap_or(wanted);
        match wanted > current {
            // In one step to the double, or by four.
            true => up.max(current).min((2 * current).max(current + 4)),
            false => down.min(current),
        }
    }

    /// `ceil(current * metric / target)`; as many as there are where that is within the tolerance.
    fn desired(&self, current: u32, metric: f64) -> u32 {
        // What is a whole number, or the tolerance, but for rounding is not more than that.
        let ratio = metric / self.settings.target;
        match (ratio - 1.0).abs() <= self.settings.tolerance + 1e-9 {
            true => current,
            false => (f64::from(current) * ratio - 1e-9).ceil().clamp(0.0, 1e9) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ReplicaMetric;
    use crate::units::SimDuration;

    fn rule() -> ReplicaRule {
        let seconds = SimDuration::from_secs;
        let settings = Replicas {
            min: 1,
            metric: ReplicaMetric::Outstanding,
            target: 100.0,
            tolerance: 0.1,
            period: seconds(15),
            up_window: seconds(0),
            down_window: seconds(300),
            start: seconds(60),
        };
        ReplicaRule::new(settings, 10)
    }

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    /// The examples of the documentation: at 200 for a target of 100 as many again, at 50 half as many; and
    /// nothing within a tenth.
    #[test]
    fn replicas_follow_the_ratio() {
        assert_eq!(rule().decide(at(0), 2, 200.0), 4);
        assert_eq!(rule().decide(at(0), 2, 50.0), 1);
        assert_eq!(rule().decide(at(0), 2, 110.0), 2);
        assert_eq!(rule().decide(at(0), 2, 111.0), 3);
        assert_eq!(rule().decide(at(0), 2, 90.0), 2);
        assert_eq!(rule().decide(at(0), 2, 0.0), 1, "no fewer than the least");
        assert_eq!(rule().decide(at(0), 4, 900.0), 8, "to the double at once");
        assert_eq!(rule().decide(at(0), 8, 900.0), 10, "no more than the most");
    }

    /// Down only to the most that was recommended in the last 300 s.
    #[test]
    fn it_waits_before_it_goes_down() {
        let mut rule = rule();
        assert_eq!(rule.decide(at(0), 4, 100.0), 4);
        for second in (15..=300).step_by(15) {
            assert_eq!(rule.decide(at(second), 4, 20.0), 4, "{second} s");
        }
        assert_eq!(rule.decide(at(315), 4, 20.0), 1);
    }
}
