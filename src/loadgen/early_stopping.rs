//! Early stopping: the least number of queries that is enough to be sure of a percentile (rounds
//! from v2.0 on).
//!
//! A run is a sample. It passes when, were the share of late queries the allowed one, so few of
//! them would have been late with a probability of 1 % at most (confidence 0.99, tolerance 0).
//! Source: mlcommons/inference, `loadgen/early_stopping.cc` and `results.cc`. It uses counts only,
//! no latencies.

/// The probability that LoadGen accepts of passing a run that should fail: 1 - confidence.
const DOUBT: f64 = 0.01;

/// The numbers of late ones among `n` queries of which each is late with probability `q`.
///
/// Weights are relative to the likeliest number, and made by the ratio of neighbours, down to 1e-20
/// on both sides: sums of them are exact to rounding, also for millions of queries, where continued
/// fractions of the incomplete beta function need thousands of steps.
struct LateQueries {
    /// The number that the first weight belongs to.
    first: u64,
    weights: Vec<f64>,
    total: f64,
}

impl LateQueries {
    fn new(n: u64, q: f64) -> Self {
        const NEGLIGIBLE: f64 = 1e-20;
        let odds = q / (1.0 - q);
        let likeliest = (((n + 1) as f64 * q) as u64).min(n);
        let (mut below, mut weight, mut first) = (Vec::new(), 1.0, likeliest);
        while first > 0 && weight > NEGLIGIBLE {
            // P(k - 1) / P(k) = k / ((n - k + 1) q / (1 - q))
            weight *= first as f64 / ((n - first + 1) as f64 * odds);
            first -= 1;
            below.push(weight);
        }
        below.reverse();
        let mut weights = below;
        weights.push(1.0);
        let (mut weight, mut last) = (1.0, likeliest);
        while last < n && weight > NEGLIGIBLE {
            weight *= (n - last) as f64 * odds / (last + 1) as f64;
            last += 1;
            weights.push(weight);
        }
        let total = weights.iter().sum();
        Self { first, weights, total }
    }

    /// The probability of at most `late` late queries.
    fn at_most(&self, late: u64) -> f64 {
        let Some(count) = late.checked_sub(self.first) else { return 0.0 };
        let count = usize::try_from(count + 1).unwrap_or(usize::MAX).min(self.weights.len());
        self.weights[..count].iter().sum::<f64>() / self.total
    }

    /// The largest number of late queries whose probability, with all smaller numbers, is at most
    /// `level`.
    fn largest_within(&self, level: f64) -> Option<u64> {
        let mut sum = 0.0;
        let fitting = self.weights.iter().take_while(|weight| {
            sum += *weight;
            sum <= level * self.total
        });
        (self.first + fitting.count() as u64).checked_sub(1)
    }
}

/// Whether `late` queries over the bound, of `queries`, are few enough for an allowed share of
/// `allowed` (0 to 1).
pub fn passes(queries: u64, late: u64, allowed: f64) -> bool {
    late < queries && LateQueries::new(queries, allowed).at_most(late) <= DOUBT
}

/// How many of the highest latencies of `queries` a percentile estimate may discard, with `allowed`
/// the share beyond the percentile; nothing when there are too few queries for an estimate.
///
/// The estimate is the highest of the remaining latencies.
pub fn discards(queries: u64, allowed: f64) -> Option<u64> {
    LateQueries::new(queries, allowed).largest_within(DOUBT)?.checked_sub(1)
}

/// The least number of queries that passes with `late` late ones.
pub fn queries_needed(late: u64, allowed: f64) -> u64 {
    let (mut fails, mut passing) = (late, late + 1);
    while !passes(passing, late, allowed) {
        (fails, passing) = (passing, passing * 2);
    }
    while passing - fails > 1 {
        let middle = fails + (passing - fails) / 2;
        if passes(middle, late, allowed) { passing = middle } else { fails = middle }
    }
    passing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability of at most `late` of `n`, each with probability `q`: the formula's own sum.
    fn by_summation(n: u64, late: u64, q: f64) -> f64 {
        let (mut ln_choose, mut sum) = (0.0, 0.0);
        for k in 0..=late {
            if k > 0 {
                ln_choose += ((n - k + 1) as f64 / k as f64).ln();
            }
            sum += (ln_choose + k as f64 * q.ln() + (n - k) as f64 * (1.0 - q).ln()).exp();
        }
        sum
    }

    #[test]
    fn probabilities_are_those_of_the_sum() {
        for (n, q) in [(10, 0.1), (100, 0.01), (1000, 0.1), (5000, 0.01), (300, 0.5)] {
            let late = LateQueries::new(n, q);
            for k in [0, 1, 2, 5, (n as f64 * q) as u64, n / 2, n] {
                let (found, expected) = (late.at_most(k), by_summation(n, k, q));
                assert!((found - expected).abs() < 1e-9, "{k} of {n} at {q}: {found} {expected}");
            }
        }
    }

    #[test]
    fn so_many_queries_are_needed_as_loadgen_says() {
        // 0.99^n <= 0.01 from n = 459 on, 0.9^n from 44. With one late query LoadGen's own messages
        // name 662 for the 99th percentile and 64 for the 90th ("Need to process at least ...").
        assert_eq!([0, 1].map(|late| queries_needed(late, 0.01)), [459, 662]);
        assert_eq!([0, 1].map(|late| queries_needed(late, 0.1)), [44, 64]);
        assert!(passes(662, 1, 0.01) && !passes(661, 1, 0.01) && !passes(1, 0, 0.01));
    }

    #[test]
    fn so_many_latencies_are_discarded_as_published_logs_say() {
        // "Would discard ... highest latency queries" of SingleStream logs (90th percentile):
        // 201 queries: 9, 708: 51 (both CTuning and Modular, 2023), 79 944: 7796 (Qualcomm, v3.0).
        let discarded = [201, 708, 79_944].map(|queries| discards(queries, 0.1));
        assert_eq!(discarded, [Some(9), Some(51), Some(7796)]);
        // With 10 queries there was no estimate, and 63 are one too few.
        assert_eq!([10, 63, 64].map(|queries| discards(queries, 0.1)), [None, None, Some(0)]);
        assert_eq!([661, 662].map(|queries| discards(queries, 0.01)), [None, Some(0)]);
    }

    #[test]
    fn a_run_of_a_round_may_have_nearly_its_percentage() {
        // 270 336 queries: mean 2703.36, deviation 51.73. 1 % below lies 2.326 deviations down,
        // 2583; the skewness of 0.019 moves the border by (z^2 - 1) / 6 of a deviation x skewness, under 1.
        let most = (2500..2700).rev().find(|&late| passes(270_336, late, 0.01)).unwrap();
        assert!((2581..=2585).contains(&most), "{most}");
        assert!(passes(4_723_166, 46_000, 0.01) && !passes(4_723_166, 47_231, 0.01));
    }
}
