//! The whole platform against queueing theory: means within confidence intervals.
//!
//! Each case runs [`REPLICATIONS`] independent replications. The expected mean must lie in the
//! 99.9 % Student interval around theirs, and that interval must be narrow enough to tell a wrong
//! model from a right one.

use crate::support::queue;
use slicewise::loadgen::{ArrivalProcess, Bursty, Varying};
use slicewise::platform::simulate;
use slicewise::spec::*;
use slicewise::units::SimDuration;
use statrs::distribution::{ContinuousCDF, StudentsT};

const REPLICATIONS: u32 = 12;
/// The widest half interval that still tests anything, relative to the expected value.
const PRECISION: f64 = 0.02;

/// Holds the mean latency of `experiment` against `expected_ms`.
fn check(case: &str, experiment: &Experiment, expected_ms: f64) {
    check_statistic(case, experiment, expected_ms, |ms| ms.mean().unwrap().as_millis_f64());
}

fn check_statistic(
    case: &str,
    experiment: &Experiment,
    expected: f64,
    statistic: impl Fn(&slicewise::queueing::stats::LatencyHistogram) -> f64,
) {
    let values: Vec<f64> = (0..REPLICATIONS)
        .map(|replication| {
            let mut experiment = experiment.clone();
            experiment.replication = replication;
            statistic(simulate(&experiment).vms[0].recorder.latencies())
        })
        .collect();
    let n = f64::from(REPLICATIONS);
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = StudentsT::new(0.0, 1.0, n - 1.0).unwrap().inverse_cdf(0.9995);
    let half = t * (variance / n).sqrt();
    assert!(
        half < PRECISION * expected,
        "{case}: interval {mean} +- {half} is too wide to test {expected}"
    );
    assert!((mean - expected).abs() <= half, "{case}: {mean} +- {half} does not hold {expected}");
}

/// M/D/1: mean wait rho S / (2 (1 - rho)). S = 5 ms, rho = 0.7: 5 + 0.7 x 5 / 0.6 = 10.8333 ms.
#[test]
fn constant_work_on_one_gpu_is_m_d_1() {
    let experiment = queue(1, 140.0, SimDuration::from_millis(5), SizeDistribution::Fixed, 6000);
    check("M/D/1", &experiment, 5.0 + 0.7 * 5.0 / (2.0 * 0.3));
}

/// M/M/1: mean S / (1 - rho) and, sojourn times being exponential, p99 = mean x ln 100.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn exponential_work_on_one_gpu_is_m_m_1() {
    let experiment =
        queue(1, 120.0, SimDuration::from_millis(5), SizeDistribution::Exponential, 6000);
    check("M/M/1", &experiment, 5.0 / 0.4);
    let p99 = |latencies: &slicewise::queueing::stats::LatencyHistogram| {
        latencies.quantile(0.99).unwrap().as_millis_f64()
    };
    check_statistic("M/M/1 p99", &experiment, 5.0 / 0.4 * 100f64.ln(), p99);
}

/// M/M/c by Erlang C: mean S + C(c, a) S / (c - a), a = lambda S.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn exponential_work_on_three_gpus_is_m_m_3() {
    let (c, a, service) = (3.0, 2.4, 5.0);
    // C(c, a) = (a^c / c!) (c / (c - a)) / (sum_{k<c} a^k / k! + (a^c / c!) (c / (c - a)))
    let tail = a * a * a / 6.0 * c / (c - a);
    let erlang_c = tail / (1.0 + a + a * a / 2.0 + tail);
    let experiment =
        queue(3, 480.0, SimDuration::from_millis(5), SizeDistribution::Exponential, 3000);
    check("M/M/3", &experiment, service + erlang_c * service / (c - a));
}

/// M/G/1 by Pollaczek and Khinchine: mean wait lambda E[S^2] / (2 (1 - rho)). The log-normal law of
/// mean 1 has E[S^2] = exp(sigma^2).
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn log_normal_work_is_m_g_1() {
    let (rho, service, sigma) = (0.6, 5.0, 0.385_f64);
    let experiment =
        queue(1, 120.0, SimDuration::from_millis(5), SizeDistribution::LogNormal { sigma }, 6000);
    let wait = rho * service * (sigma * sigma).exp() / (2.0 * (1.0 - rho));
    check("M/G/1", &experiment, service + wait);
}

/// Batches shared on one GPU, as many as come: M/G/1 processor sharing, mean S / (1 - rho) whatever
/// the law of the work (Kleinrock, Queueing Systems II, section 4.4).
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn sharing_a_gpu_without_limit_is_m_g_1_processor_sharing() {
    check("M/D/1-PS", &shared_without_limit(1, 120.0, 6000), 5.0 / 0.4);
}

/// Work of 5 ms, as many batches on a GPU as come.
fn shared_without_limit(gpus: u16, rate: f64, seconds: u64) -> Experiment {
    let work = SimDuration::from_millis(5);
    let mut experiment = queue(gpus, rate, work, SizeDistribution::Fixed, seconds);
    let server = &mut experiment.vms[0].server;
    (server.slots, server.streams, server.gpu_sharing) = (64, 64, GpuSharing::Shared);
    experiment
}

/// GPUs drawn by lot split a Poisson process into Poisson processes: each GPU is an M/D/1-PS of its
/// own, S / (1 - rho), however many there are. In turn or by least load it would be less.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn gpus_drawn_by_lot_do_not_help_each_other() {
    let mut experiment = shared_without_limit(3, 360.0, 3000);
    experiment.vms[0].server.dispatch = Dispatch::RandomGpu;
    check("3 x M/D/1-PS", &experiment, 5.0 / 0.4);
}

/// Full batches of B on plenty of GPUs: a query waits for (B - 1) / 2 gaps on average, and is then
/// served at once: (B - 1) / (2 lambda) + S.
#[test]
fn a_full_batch_costs_the_time_to_fill_it() {
    let mut experiment =
        queue(8, 1000.0, SimDuration::from_micros(500), SizeDistribution::Fixed, 600);
    let server = &mut experiment.vms[0].server;
    (server.batch_max, server.batch_rule, server.dispatch) =
        (8, BatchRule::Full, Dispatch::RoundRobin);
    check("full batches", &experiment, 7.0 / 2.0 + 8.0 * 0.5);
}

/// Bulk service, whatever waits up to B, constant time D (Bailey 1954, with an idle server that
/// starts on the first arrival): for B without limit the queue left behind by a batch is Poisson
/// with mean lambda D, so batches are independent and the mean latency follows by renewal:
/// with m = lambda D, a batch has on average m + exp(-m) queries; those of the queue waited D / 2
/// on average.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn batches_of_whatever_waits_follow_bulk_service() {
    let (rate, d_ms) = (600.0, 5.0);
    let mut experiment = queue(1, rate, SimDuration::from_millis(5), SizeDistribution::Fixed, 3000);
    experiment.vms[0].server.batch_max = 4096;
    // A table that is flat: every batch takes D.
    let points = vec![(1, SimDuration::from_millis(5)), (4096, SimDuration::from_millis(5))];
    let service = experiment.vms[0].workload_mut().service.get_mut("test-gpu").unwrap();
    service.work.value = WorkTable::new(points).unwrap();
    let m: f64 = rate * d_ms / 1000.0;
    let waited = m / (m + (-m).exp()) * d_ms / 2.0;
    check("bulk service", &experiment, d_ms + waited);
}

/// A closed loop of N clients who think for an exponential time Z, one server of exponential work S:
/// exact mean value analysis (Reiser and Lavenberg 1980), R_n = S (1 + Q_{n-1}), X_n = n / (R_n + Z),
/// Q_n = X_n R_n.
#[test]
fn clients_that_think_follow_mean_value_analysis() {
    let (clients, think_ms, work_ms) = (8, 20.0, 5.0);
    let (mut response, mut inside) = (0.0, 0.0);
    for n in 1..=clients {
        response = work_ms * (1.0 + inside);
        inside = f64::from(n) / (response + think_ms) * response;
    }
    let mut experiment =
        queue(1, 1.0, SimDuration::from_millis(5), SizeDistribution::Exponential, 1200);
    let think_time = SimDuration::from_millis(20);
    experiment.vms[0].load.scenario =
        TestScenario::ClosedLoop { clients: clients as u32, think_time };
    check("closed loop", &experiment, response);
}

/// Clients who do not think are always inside, in batches too: N = throughput x latency (Little).
#[test]
fn clients_that_do_not_think_are_never_lost() {
    let mut experiment = queue(1, 1.0, SimDuration::from_millis(1), SizeDistribution::Fixed, 60);
    let vm = &mut experiment.vms[0];
    vm.server.batch_max = 16;
    vm.load.scenario = TestScenario::ClosedLoop { clients: 100, think_time: SimDuration::ZERO };
    let outcome = simulate(&experiment);
    let recorder = &outcome.vms[0].recorder;
    let rate = recorder.latencies().count() as f64 / recorder.last_completion().as_secs_f64();
    let inside = rate * recorder.latencies().mean().unwrap().as_secs_f64();
    assert!((inside - 100.0).abs() < 0.5, "{inside} clients inside");
}

/// Bursty arrivals are a two-state Markov-modulated Poisson process: the mean rate is the one asked
/// for, and the variance of counts over long windows is the mean times (Fischer and Meier-Hellstern
/// 1993) 1 + 2 p (1 - p) (a - b)^2 / ((r + s) m), with rates a in bursts and b between them, mean m,
/// and r, s the rates of leaving either.
#[test]
fn bursts_have_the_mean_and_the_variance_of_their_process() {
    let (rate, peak, share, length) = (1000.0_f64, 3.0_f64, 0.2_f64, 0.05_f64);
    let between = rate * (1.0 - share * peak) / (1.0 - share);
    let leaving = 1.0 / length + share / (1.0 - share) / length;
    let dispersion =
        1.0 + 2.0 * share * (1.0 - share) * (rate * peak - between).powi(2) / (leaving * rate);
    let bursts = Bursts {
        peak,
        share: slicewise::units::Share::new(share).unwrap(),
        length: SimDuration::from_secs_f64(length),
        in_step: false,
    };
    // Windows of 10 s, forty times as long as a burst and the time up to the next.
    let streams = slicewise::engine::RandomStreams::new(5, 0);
    let mut arrivals =
        Bursty::new(rate, bursts, streams.stream("arrivals"), streams.stream("bursts"));
    let windows = 3000;
    let (mut counts, mut now) = (vec![0.0; windows], 0.0);
    loop {
        now += arrivals.gap().as_secs_f64();
        let window = (now / 10.0) as usize;
        if window >= windows {
            break;
        }
        counts[window] += 1.0;
    }
    let n = windows as f64;
    let mean = counts.iter().sum::<f64>() / n;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (n - 1.0);
    // 99.9 % intervals: of the mean, 3.29 standard errors; of a variance, relative 3.29 sqrt(2 / n),
    // and 1 % for windows of finite length: their edges take 1 / (leaving x 10 s) of the excess.
    let error = 3.29 * (variance / n).sqrt();
    assert!((mean - 10.0 * rate).abs() < error, "{mean} +- {error} per window");
    let ratio = variance / mean / dispersion;
    let error = 3.29 * (2.0 / n).sqrt() + 0.01;
    assert!((ratio - 1.0).abs() < error, "dispersion {ratio} +- {error} of the theory");
}

/// Arrivals at a varying rate are an inhomogeneous Poisson process: counts in parts of a period are
/// independent and Poisson, with the integral of the rate as their mean and their variance. The rate
/// here rises from 0 to its peak, falls and rests: with points 0, 3, 1, 0 and a mean of 1 the
/// integrals of the four quarters are (0 + 3) / 2, (3 + 1) / 2, (1 + 0) / 2 and 0, over 4.
#[test]
fn a_pattern_has_the_counts_of_its_rate_in_every_part_of_it() {
    let period = 8.0;
    let pattern = RatePattern {
        rates: vec![0.0, 3.0, 1.0, 0.0],
        period: SimDuration::from_secs_f64(period),
        start: SimDuration::from_secs_f64(period / 4.0),
    };
    let periods = 4000;
    // From one where several come in a step to one where several periods pass between two.
    for rate in [20.0, 0.05] {
        let streams = slicewise::engine::RandomStreams::new(7, 0);
        let mut arrivals = Varying::new(rate, &pattern, streams.stream("arrivals"));
        let mut counts = vec![[0.0_f64; 4]; periods];
        // It begins with the second quarter.
        let mut now = period / 4.0;
        loop {
            now += arrivals.gap().as_secs_f64();
            let Some(of) = counts.get_mut((now / period) as usize) else { break };
            of[(now / period * 4.0) as usize % 4] += 1.0;
        }
        // The first period lacks its first quarter.
        let counts = &counts[1..];
        let n = counts.len() as f64;
        for (quarter, integral) in [1.5, 2.0, 0.5, 0.0].into_iter().enumerate() {
            let expected = rate * period * integral / 4.0;
            let of: Vec<f64> = counts.iter().map(|count| count[quarter]).collect();
            let mean = of.iter().sum::<f64>() / n;
            let variance = of.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / n;
            // 99.9 %: the mean of n Poisson counts has the standard error sqrt(m / n), their variance
            // sqrt((m + 2 m^2) / n). A time is rounded to a nanosecond, which moves no count here.
            let error = 3.29 * (expected / n).sqrt();
            assert!((mean - expected).abs() <= error, "{quarter}: {mean}, expected {expected}");
            let error = 3.29 * ((expected + 2.0 * expected * expected) / n).sqrt();
            assert!((variance - expected).abs() <= error, "{quarter}: {variance}, {expected}");
        }
    }
}
