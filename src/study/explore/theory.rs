//! What queueing theory says of a run, where all that it presumes holds.
//!
//! One server that takes one query at a time in the order of arrival, Poisson arrivals at a rate r, and
//! work that takes S in the mean with a squared coefficient of variation c²:
//!
//! - the mean wait is `r S² (1 + c²) / (2 (1 - r S))` (Pollaczek 1930, Khinchine 1932);
//! - of constant work (M/D/1) the distribution of the wait is known, by the number of queries in the
//!   system: `P(W <= x) = e^-u sum_{j < k} Q_{k-1-j} u^j / j!` with `u = r (k S - x)`, k the least whole number above
//!   `x / S`, and `Q_m` the probability that at most m wait (Franx 2001, of Erlang 1909): sums of positive terms, so
//!   that no digits are lost.
//!
//! S is not a guess: one query alone is simulated.

use crate::platform::{Meter, simulate_within};
use crate::record::Stage;
use crate::spec::{Arrivals, Experiment, InstanceSharing, SizeDistribution, TestScenario};
use crate::units::{Share, SimDuration};

/// A law of queueing that holds for a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Law {
    /// Mean work of a query, in seconds.
    service_s: f64,
    /// Squared coefficient of variation of the work; 0 for constant work.
    variation: f64,
}

/// How far stages beside the GPU's may add to a latency: a part of it that no figure shows.
const ELSEWHERE: f64 = 1e-3;

/// The law that holds for a run; nothing where none is known.
pub fn law(experiment: &Experiment) -> Option<Law> {
    let [vm] = &experiment.vms[..] else { return None };
    let [share] = &vm.gpus[..] else { return None };
    let service = vm.workload.service.get(&experiment.card(share).gpu.id)?;
    let (server, load) = (&vm.server, &vm.load);
    let is_one_server = server.batch_max == 1
        && server.streams == 1
        && server.queues.is_plain()
        && experiment.instance(share).sharing == InstanceSharing::Alone
        && server.soft_drop.get() == 1.0
        && experiment.pools.is_empty()
        && vm.steps.is_empty()
        && vm.llm.is_none()
        && experiment.timeline.is_none()
        && experiment.hosts.iter().all(|host| host.stalls.is_none());
    let is_poisson = load.scenario == TestScenario::Server && load.arrivals == Arrivals::Poisson;
    // A floor cuts off what is short of work that varies.
    let has_floor = service.host_floor.value > SimDuration::ZERO;
    let is_steady = service.boost.value <= 1.0
        && vm.workload.sizes.value == SizeDistribution::Fixed
        && (service.spread.value.get() == 0.0 || !has_floor);
    if !(is_one_server && is_poisson && is_steady) {
        return None;
    }
    // One query at a time, far apart, and its work without spread.
    let mut alone = experiment.clone();
    let gpu = experiment.card(share).gpu.id.clone();
    let own = alone.vms[0].workload_mut().service.get_mut(&gpu)?;
    own.spread.value = Share::NONE;
    let settings = &mut alone.vms[0].load.settings;
    settings.target_qps = 1e-3;
    settings.min_query_count = 3;
    settings.min_duration = SimDuration::from_nanos(1);
    let outcome = simulate_within(&alone, &mut Meter::new(10_000, &|| false))?;
    let recorder = &outcome.vms[0].recorder;
    let latency = recorder.latencies().mean()?.as_secs_f64();
    let service_s = recorder.stage_mean(Stage::Gpu) / 1e9;
    if service_s <= 0.0 || (latency / service_s - 1.0).abs() > ELSEWHERE {
        return None;
    }
    // Work that varies is known to vary alike only where it is the whole GPU's at its usual clock.
    let (work, spread) = (service.work.value.at(1) / 1e9, service.spread.value.get());
    let told = work + service.launch.value.as_secs_f64();
    if spread > 0.0 && (service_s / told - 1.0).abs() > ELSEWHERE {
        return None;
    }
    let deviation = spread * work / service_s;
    Some(Law { service_s, variation: deviation * deviation })
}

impl Law {
    /// Its name in Kendall's notation.
    pub fn name(&self) -> &'static str {
        if self.variation == 0.0 { "M/D/1, theory" } else { "M/G/1, theory" }
    }

    /// The mean latency at so many queries per second, in milliseconds; nothing where the queue has no
    /// end.
    pub fn mean_ms(&self, rate: f64) -> Option<f64> {
        let load = rate * self.service_s;
        let wait = load * self.service_s * (1.0 + self.variation) / (2.0 * (1.0 - load));
        (load < 1.0).then_some((self.service_s + wait) * 1000.0)
    }

    /// The latency that the part `beyond` of all queries exceeds, in milliseconds; nothing where it has no
    /// end or is not known.
    pub fn quantile_ms(&self, rate: f64, beyond: f64) -> Option<f64> {
        let load = rate * self.service_s;
        /// Nearer to its limit a queue is of so many queries that no run is long enough to see it.
        const LOAD_MOST: f64 = 0.995;
        if self.variation > 0.0 || load > LOAD_MOST {
            return None;
        }
        let wait = wait_of_constant_work(load, 1.0 - beyond);
        Some((1.0 + wait) * self.service_s * 1000.0)
    }
}

/// The wait in M/D/1 that the part `part` of all queries does not exceed, in units of the work.
fn wait_of_constant_work(load: f64, part: f64) -> f64 {
    // The number in the system as a departing query leaves it, by the chain of departures: what comes
    // during a query's work is Poisson with mean `load`.
    let mut arrivals = vec![(-load).exp()];
    let arrived = |k: usize, arrivals: &mut Vec<f64>| {
        while arrivals.len() <= k {
            let next = arrivals[arrivals.len() - 1] * load / arrivals.len() as f64;
            arrivals.push(next);
        }
        arrivals[k]
    };
    // beyond[n] is the probability of more than n in the system: p(n + 1) a(0) = sum over what lies
    // beyond, which has positive terms only (a rate up is a rate down at each level).
    let mut p = vec![1.0 - load];
    let mut at_most = vec![1.0 - load];
    let mut more_than: Vec<f64> = Vec::new(); // P(A > k)
    let zero = arrived(0, &mut arrivals);
    let mut tail = 1.0;
    let mut wait_at_most = |m: usize| -> f64 {
        // At most m wait: at most m + 1 in the system.
        while at_most.len() <= m + 1 {
            let n = at_most.len() - 1;
            while more_than.len() <= n {
                tail -= arrived(more_than.len(), &mut arrivals);
                more_than.push(tail.max(0.0));
            }
            // Up across n: from 0 with more than n arrivals (as from 1), from i with more than n + 1 - i.
            let up: f64 =
                p[0] * more_than[n] + (1..=n).map(|i| p[i] * more_than[n + 1 - i]).sum::<f64>();
            let next = up / zero;
            p.push(next);
            let sum = at_most[n] + next;
            at_most.push(sum.min(1.0));
        }
        at_most[m + 1]
    };
    let mut distribution = |x: f64| -> f64 {
        let k = x.floor() as usize + 1;
        let u = load * (k as f64 - x);
        let (mut term, mut sum) = ((-u).exp(), 0.0);
        for j in 0..k {
            sum += term * wait_at_most(k - 1 - j);
            term *= u / (j + 1) as f64;
            if term < 1e-18 {
                break;
            }
        }
        sum
    };
    if part <= 1.0 - load {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while distribution(high) < part {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if distribution(middle) < part { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For x below the work nobody else ends in between: P(W <= x) = (1 - load) e^(load x) (Erlang 1909).
    /// At a load of 0.5 and x = 0.4: 0.5 e^0.2 = 0.61070.
    #[test]
    fn short_waits_are_erlangs() {
        assert!((wait_of_constant_work(0.5, 0.5 * 0.2f64.exp()) - 0.4).abs() < 1e-9);
        // Between one and two times the work: (1 - load) (e^(load x) + load (1 - x) e^(load (x - 1))).
        let at = |x: f64| 0.3 * ((0.7 * x).exp() + 0.7 * (1.0 - x) * (0.7 * (x - 1.0)).exp());
        assert!((wait_of_constant_work(0.7, at(1.6)) - 1.6).abs() < 1e-9);
    }

    /// Far out the tail is exponential: P(W > x) falls by e^(-t x), where t solves load (e^t - 1) = t. At 0.9:
    /// t = 0.2071 (0.9 (e^0.2071 - 1) = 0.2071), so that a tenth lies ln 10 / t = 11.12 further out.
    #[test]
    fn the_tail_is_exponential() {
        let t = (0..60).fold((0.1, 0.4), |(low, high): (f64, f64), _| {
            let middle = 0.5 * (low + high);
            if 0.9 * (middle.exp() - 1.0) < middle { (middle, high) } else { (low, middle) }
        });
        let out = wait_of_constant_work(0.9, 1.0 - 1e-5) - wait_of_constant_work(0.9, 1.0 - 1e-4);
        assert!((out * t.0 / 10f64.ln() - 1.0).abs() < 1e-4, "{out}");
    }

    /// Mean of the wait by the integral of its tail: load / (2 (1 - load)), here 0.8 / 0.4 = 2.
    #[test]
    fn the_mean_of_the_waits_is_pollaczeks() {
        let steps = 4000;
        let mean: f64 = (0..steps)
            .map(|step| wait_of_constant_work(0.8, (f64::from(step) + 0.5) / f64::from(steps)))
            .sum::<f64>()
            / f64::from(steps);
        assert!((mean / 2.0 - 1.0).abs() < 2e-3, "{mean}");
        let law = Law { service_s: 0.005, variation: 0.0 };
        // 5 + 0.7 x 5 / 0.6 ms.
        assert!((law.mean_ms(140.0).unwrap() - 10.8333).abs() < 1e-3);
        assert_eq!((law.mean_ms(200.0), law.quantile_ms(200.0, 0.01)), (None, None));
        let spread = Law { service_s: 0.005, variation: 1.0 };
        // M/M/1: S / (1 - load).
        assert!((spread.mean_ms(120.0).unwrap() - 12.5).abs() < 1e-9);
    }
}
