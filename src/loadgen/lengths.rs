//! The length of each request of an LLM: tokens of its prompt and of its output.
//!
//! A stream is drawn from for the prompt, then for the output, request by request, so that both sides of a
//! comparison see the same requests.

use crate::engine::Stream;
use crate::spec::{LengthPair, TokenLengths};
use rand::RngExt;
use rand_distr::{Distribution, LogNormal};
use std::sync::Arc;

/// Draws the lengths of requests one after the other.
#[derive(Debug)]
pub struct Lengths {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Drawn { input: Law, output: Law, stream: Box<Stream> },
    Recorded { pairs: Arc<Vec<(u32, u32)>>, next: usize },
}

/// How one of the two is drawn.
#[derive(Debug)]
enum Law {
    Fixed(u32),
    Uniform(u32, u32),
    LogNormal { law: LogNormal<f64>, most: u32 },
    Quantiles(Vec<(f64, u32)>),
}

impl Lengths {
    /// The lengths of `pair`, drawn from `stream`.
    pub fn new(pair: &LengthPair, stream: Stream) -> Self {
        let source = match pair {
            LengthPair::Drawn { input, output, .. } => Source::Drawn {
                input: Law::of(&input.value),
                output: Law::of(&output.value),
                stream: Box::new(stream),
            },
            LengthPair::Recorded(pairs) => Source::Recorded { pairs: pairs.clone(), next: 0 },
        };
        Self { source }
    }

    /// Tokens of the prompt and of the output of the next request, each 1 at least.
    #[allow(clippy::should_implement_trait, reason = "there is always a next one")]
    pub fn next(&mut self) -> (u32, u32) {
        let (input, output) = match &mut self.source {
            Source::Drawn { input, output, stream } => {
                let tokens = input.draw(stream);
                (tokens, output.draw(stream))
            }
            Source::Recorded { pairs, next } => {
                let pair = pairs.get(*next).copied().unwrap_or((1, 1));
                *next = (*next + 1) % pairs.len().max(1);
                pair
            }
        };
        (input.max(1), output.max(1))
    }
}

impl Law {
    fn of(lengths: &TokenLengths) -> Self {
        match lengths {
            TokenLengths::Fixed(tokens) => Law::Fixed(*tokens),
            TokenLengths::Uniform(first, last) => Law::Uniform(*first, *last),
            TokenLengths::LogNormal { mean, cv, most } => {
                // Its mean is exp(mu + sigma^2 / 2), its squared coefficient of variation exp(sigma^2) - 1.
                let variance = (cv * cv).ln_1p();
                let law = LogNormal::new(mean.ln() - variance / 2.0, variance.sqrt());
                Law::LogNormal { law: law.expect("mean and cv are finite"), most: *most }
            }
            TokenLengths::Quantiles(points) => Law::Quantiles(points.clone()),
        }
    }

    fn draw(&self, stream: &mut Stream) -> u32 {
        match self {
            Law::Fixed(tokens) => *tokens,
            Law::Uniform(first, last) => stream.random_range(*first..=*last),
            // Beyond the greatest u32 the conversion is cut too.
            Law::LogNormal { law, most } => (law.sample(stream).round() as u32).min(*most),
            Law::Quantiles(points) => at(points, stream.random()),
        }
    }
}

/// The tokens at this part of the requests, linear between two points.
fn at(points: &[(f64, u32)], part: f64) -> u32 {
    let after = points.partition_point(|(up_to, _)| *up_to <= part);
    let [Some(&(from, low)), Some(&(to, high))] =
        [points.get(after.saturating_sub(1)), points.get(after)]
    else {
        return points.last().map_or(1, |(_, tokens)| *tokens);
    };
    let (low, high) = (f64::from(low), f64::from(high));
    (low + (high - low) * (part - from) / (to - from)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::RandomStreams;
    use crate::spec::Fact;
    use statrs::distribution::{ContinuousCDF, Normal};

    const DRAWS: u32 = 200_000;

    fn pair(input: TokenLengths, output: TokenLengths) -> LengthPair {
        let fact = |value| Fact::assumed(value, "a test");
        LengthPair::Drawn { name: None, input: fact(input), output: fact(output) }
    }

    fn drawn(pair: &LengthPair, count: u32) -> Vec<(u32, u32)> {
        let stream = RandomStreams::new(42, 0).stream("lengths/vm");
        let mut lengths = Lengths::new(pair, stream);
        (0..count).map(|_| lengths.next()).collect()
    }

    /// The mean of n draws of variance v lies within 3.2905 sqrt(v / n) of its expectation in 999 of 1000
    /// cases: n is large, so it is normal.
    #[track_caller]
    fn check_mean(lengths: TokenLengths, mean: f64, variance: f64) {
        let found = drawn(&pair(TokenLengths::Fixed(7), lengths), DRAWS);
        assert!(found.iter().all(|(input, _)| *input == 7));
        let sum: f64 = found.iter().map(|(_, output)| f64::from(*output)).sum();
        let off = sum / f64::from(DRAWS) - mean;
        let allowed = 3.2905 * (variance / f64::from(DRAWS)).sqrt();
        assert!(off.abs() <= allowed, "{off} off {mean}, {allowed} allowed");
    }

    #[test]
    fn uniform_lengths_have_the_mean_of_their_ends() {
        // Of 100, 101, ..., 300: mean 200, variance (201^2 - 1) / 12.
        check_mean(TokenLengths::Uniform(100, 300), 200.0, (201.0 * 201.0 - 1.0) / 12.0);
        let found = drawn(&pair(TokenLengths::Uniform(1, 3), TokenLengths::Uniform(5, 5)), 1000);
        assert!((1..=3).all(|tokens| found.iter().any(|(input, _)| *input == tokens)));
        assert!(found.iter().all(|(input, output)| (1..=3).contains(input) && *output == 5));
    }

    #[test]
    fn lognormal_lengths_have_the_mean_that_is_stated() {
        // Rounding moves the mean by far less than the interval: the density is smooth over a token. Nothing
        // is cut: the most is 9 sigma above the median.
        let (mean, cv) = (500.0_f64, 0.5);
        let lengths = TokenLengths::LogNormal { mean, cv, most: u32::MAX };
        check_mean(lengths, mean, (mean * cv).powi(2) + 1.0 / 12.0);
    }

    #[test]
    fn lognormal_lengths_are_cut_at_the_most() {
        // E min(X, m) = mean Phi((ln m - mu) / s - s) + m (1 - Phi((ln m - mu) / s)), and of the squares
        // exp(2 mu + 2 s^2) Phi((ln m - mu) / s - 2 s) + m^2 (1 - Phi((ln m - mu) / s)).
        let (mean, cv, most) = (200.0_f64, 1.5_f64, 400);
        let variance = (cv * cv).ln_1p();
        let (mu, sigma) = (mean.ln() - variance / 2.0, variance.sqrt());
        let phi = |z: f64| Normal::standard().cdf(z);
        let (m, z) = (f64::from(most), (f64::from(most).ln() - mu) / sigma);
        let expected = mean * phi(z - sigma) + m * (1.0 - phi(z));
        let squares = (2.0 * (mu + variance)).exp() * phi(z - 2.0 * sigma) + m * m * (1.0 - phi(z));
        let lengths = TokenLengths::LogNormal { mean, cv, most };
        check_mean(lengths.clone(), expected, squares - expected * expected);
        let found = drawn(&pair(lengths, TokenLengths::Fixed(1)), 10_000);
        assert!(found.iter().all(|(input, _)| (1..=most).contains(input)));
        assert!(found.iter().any(|(input, _)| *input == most));
    }

    #[test]
    fn a_narrow_lognormal_law_is_fixed() {
        let lengths = TokenLengths::LogNormal { mean: 64.0, cv: 0.0, most: 4096 };
        assert!(drawn(&pair(lengths.clone(), lengths), 100).iter().all(|pair| *pair == (64, 64)));
    }

    #[test]
    fn quantiles_are_joined_by_straight_lines() {
        // Half of all are uniform between 10 and 110, four tenths between 110 and 510, a tenth is 510. Ends
        // are whole, so rounding leaves the means: 0.5 60 + 0.4 310 + 0.1 510 = 205. Squares of a uniform
        // piece from a to b have the mean (a^2 + a b + b^2) / 3; rounding adds up to 1 / 12 or so.
        let points = vec![(0.0, 10), (0.5, 110), (0.9, 510), (1.0, 510)];
        let squares = |a: f64, b: f64| (a * a + a * b + b * b) / 3.0;
        let all = 0.5 * squares(10.0, 110.0) + 0.4 * squares(110.0, 510.0) + 0.1 * 510.0 * 510.0;
        check_mean(
            TokenLengths::Quantiles(points.clone()),
            205.0,
            all - 205.0 * 205.0 + 1.0 / 12.0,
        );
        let tokens = [0.0, 0.25, 0.5, 0.7, 0.95, 0.999_999].map(|part| at(&points, part));
        assert_eq!(tokens, [10, 60, 110, 310, 510, 510]);
    }

    #[test]
    fn a_step_of_quantiles_is_a_jump() {
        let points = [(0.0, 1), (0.5, 1), (0.5, 9), (1.0, 9)];
        assert_eq!([0.49, 0.5, 0.51].map(|part| at(&points, part)), [1, 9, 9]);
    }

    #[test]
    fn recorded_lengths_come_in_their_order_and_again() {
        let recorded = LengthPair::Recorded(Arc::new(vec![(5, 1), (0, 0), (7, 3)]));
        assert_eq!(drawn(&recorded, 5), [(5, 1), (1, 1), (7, 3), (5, 1), (1, 1)]);
    }

    #[test]
    fn the_same_stream_gives_the_same_requests() {
        let lengths = TokenLengths::LogNormal { mean: 100.0, cv: 1.0, most: 4096 };
        let pair = pair(lengths, TokenLengths::Uniform(1, 1000));
        assert_eq!(drawn(&pair, 1000), drawn(&pair, 1000));
    }
}
