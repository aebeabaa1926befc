//! How good stated intervals are: whether they hold what they promise, and what they cost.

/// The part that a stated interval is to hold.
pub(super) const STATED: f64 = 0.9;

/// The interval score of Gneiting and Raftery (2007) on a logarithmic scale: the width `ln(high / low)`,
/// and `2 / alpha` times the logarithm of the distance where the measured figure lies outside, alpha 0.1.
/// An interval that is honest and narrow has the least mean. Logarithms, because ends are factors: a
/// queue that grows has an upper end of seconds.
pub(super) fn interval_score((low, high): (f64, f64), measured: f64) -> f64 {
    let missed = (low / measured).ln().max((measured / high).ln()).max(0.0);
    (high / low).ln() + 2.0 / (1.0 - STATED) * missed
}

/// The probability of a number of rows inside that is no likelier than `inside` of `rows`, where each is
/// inside with [`STATED`]: the exact two-sided binomial test.
pub(super) fn binomial_two_sided(inside: usize, rows: usize) -> f64 {
    let log_factorial = |n: usize| (2..=n).map(|k| (k as f64).ln()).sum::<f64>();
    let probability = |k: usize| {
        let ways = log_factorial(rows) - log_factorial(k) - log_factorial(rows - k);
        (ways + k as f64 * STATED.ln() + (rows - k) as f64 * (1.0 - STATED).ln()).exp()
    };
    let own = probability(inside) * (1.0 + 1e-9);
    (0..=rows).map(probability).filter(|&other| other <= own).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, Discrete};

    #[test]
    fn the_test_is_the_binomial_one() {
        // 0.9^9 = 0.3874 all inside, and 8 of 9 are as likely (9 x 0.1 x 0.9^8): all counts together.
        assert!((binomial_two_sided(9, 9) - 1.0).abs() < 1e-12);
        for (inside, rows) in [(15, 20), (13, 20), (20, 20), (104, 118), (0, 9)] {
            let law = Binomial::new(STATED, rows as u64).unwrap();
            let own = law.pmf(inside as u64) * (1.0 + 1e-9);
            let sum: f64 =
                (0..=rows as u64).map(|k| law.pmf(k)).filter(|&other| other <= own).sum();
            let found = binomial_two_sided(inside, rows);
            assert!((found / sum - 1.0).abs() < 1e-6, "{inside} of {rows}: {found} for {sum}");
        }
        // 15 of 20 are compatible with 90 % at 1 %, 13 are not.
        assert!(binomial_two_sided(15, 20) > 0.01 && binomial_two_sided(13, 20) < 0.01);
    }

    /// Inside, the score is the width; outside, a miss by a tenth costs 20 tenths.
    #[test]
    fn a_miss_costs_twenty_times_its_distance() {
        let ends = (1.0, std::f64::consts::E);
        assert!((interval_score(ends, 2.0) - 1.0).abs() < 1e-12);
        let below = interval_score(ends, (-0.1_f64).exp());
        assert!((below - 3.0).abs() < 1e-9, "{below}");
        let above = interval_score(ends, 1.1_f64.exp());
        assert!((above - 3.0).abs() < 1e-9, "{above}");
    }
}
