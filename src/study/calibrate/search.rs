//! The search: weighted least squares over numbers that are related to the observations only by
//! simulation.
//!
//! Gauss-Newton with damping (Levenberg and Marquardt); derivatives are differences of simulations
//! with the same random numbers. It knows numbers and logarithms, no workload and no run.
//!
//! The objective is `S = sum ((ln predicted - ln observed) / sigma)^2`, the sum over the quantities
//! in the fit. A weak penalty for the distance from the start, one unit for half the range of a
//! number, keeps numbers without influence on the observations where they are; it is not part of S.

use super::algebra::{cholesky, inverse, solve};
use crate::parallel::*;

/// The problem.
pub struct Problem<'a> {
    /// The numbers.
    pub numbers: Vec<Number>,
    /// The observations, with their noise.
    pub quantities: Vec<Quantity>,
    /// The predictions with these values, in the order of `quantities`.
    pub predict: &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync),
}

/// A number with its range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Number {
    /// The least value.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
    /// Where the search starts.
    pub start: f64,
    /// Whether steps are factors; then `low` is above 0.
    pub is_factor: bool,
}

/// An observation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quantity {
    /// Its value, above 0.
    pub observed: f64,
    /// Its relative noise.
    pub sigma: f64,
    /// Whether the fit uses it.
    pub is_fitted: bool,
}

/// A set of values and its predictions.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// One for each number.
    pub values: Vec<f64>,
    /// One for each quantity.
    pub predicted: Vec<f64>,
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Region {
    /// Every candidate that was tried.
    pub tried: Vec<Candidate>,
    /// Index of the best.
    pub best: usize,
    /// Indices of all that fit nearly as well, the best included: `S <= S_best + s^2 chi^2`, chi^2
    /// the 95 % point for the number of numbers, and s^2 the mean square of the residuals of the
    /// best, at least 1.
    pub near: Vec<usize>,
    /// Per number, whether the observations narrow it to less than half of its range.
    pub identified: Vec<bool>,
}

/// 95 % points of chi squared by degrees of freedom, from 1.
const CHI_SQUARED_95: [f64; 12] =
    [3.841, 5.991, 7.815, 9.488, 11.070, 12.592, 14.067, 15.507, 16.919, 18.307, 19.675, 21.026];

/// The 95 % point of chi squared; beyond the table by Wilson and Hilferty.
pub(super) fn chi_squared_95(freedom: usize) -> f64 {
    let Some(index) = freedom.checked_sub(1) else { return 0.0 };
    CHI_SQUARED_95.get(index).copied().unwrap_or_else(|| {
        let freedom = freedom as f64;
        let part = 2.0 / (9.0 * freedom);
        freedom * (1.0 - part + 1.644_854 * part.sqrt()).powi(3)
    })
}

/// Most rounds of derivatives.
const ROUNDS_MAX: usize = 8;
/// A step of a derivative, in half ranges.
const STEP: f64 = 0.04;
/// Dampings tried in a round, relative to the diagonal.
const DAMPINGS: [f64; 4] = [0.0, 0.1, 1.0, 10.0];
/// A round that gains less than this part of the objective is the last.
const GAIN_MIN: f64 = 0.01;
/// So often the search goes on from a candidate of the region that turns out better.
const DESCENTS_MAX: usize = 4;
/// A candidate of the region that gains less than this part of the objective is no better.
const PROBE_GAIN_MIN: f64 = 0.03;
/// Candidates on and in the region, beside those along its axes.
const PROBES: u32 = 16;

/// Searches. Deterministic, whatever the number of threads.
pub fn search(problem: &Problem<'_>) -> Region {
    let mut search = Search { problem, tried: Vec::new() };
    let start = problem.numbers.iter().map(|number| number.to_scaled(number.start)).collect();
    search.try_all(vec![start]);
    let mut slopes = search.descend();
    for _ in 0..DESCENTS_MAX {
        // Slopes from noisy differences can end in a side valley: the probes look about.
        if !search.probe_region(&slopes) {
            return search.finish(&slopes);
        }
        slopes = search.descend();
    }
    search.probe_region(&slopes);
    search.finish(&slopes)
}

struct Search<'p> {
    problem: &'p Problem<'p>,
    tried: Vec<Candidate>,
}

/// Derivatives of the weighted logarithms by the scaled numbers: one row per fitted quantity.
type Slopes = Vec<Vec<f64>>;

impl Search<'_> {
    /// Predicts every scaled point, in parallel.
    fn try_all(&mut self, points: Vec<Vec<f64>>) {
        let numbers = &self.problem.numbers;
        let found: Vec<Candidate> = points
            .into_par_iter()
            .map(|point| {
                let values: Vec<f64> =
                    numbers.iter().zip(&point).map(|(number, &at)| number.of_scaled(at)).collect();
                let predicted = (self.problem.predict)(&values);
                Candidate { values, predicted }
            })
            .collect();
        self.tried.extend(found);
    }

    /// (ln predicted - ln observed) / sigma of the fitted quantities.
    fn residuals(&self, index: usize) -> Vec<f64> {
        residuals(&self.problem.quantities, &self.tried[index].predicted, |quantity| {
            quantity.is_fitted
        })
    }

    fn objective(&self, index: usize) -> f64 {
        self.residuals(index).iter().map(|residual| residual * residual).sum()
    }

    /// The objective with the pull to the start.
    fn pulled(&self, index: usize) -> f64 {
        let pull = self.scaled(index).iter().map(|at| at * at).sum::<f64>();
        self.objective(index) + pull
    }

    fn best(&self) -> usize {
        let all = 0..self.tried.len();
        all.min_by(|&a, &b| self.pulled(a).total_cmp(&self.pulled(b))).expect("one was tried")
    }

    /// Goes downhill from the best so far until it no longer gains; the last slopes.
    fn descend(&mut self) -> Slopes {
        let mut best = self.best();
        let mut slopes = Slopes::new();
        for _ in 0..ROUNDS_MAX {
            slopes = self.slopes(best);
            let steps: Vec<_> =
                DAMPINGS.iter().filter_map(|&damping| self.step(best, &slopes, damping)).collect();
            self.try_all(steps);
            let found = self.best();
            let (before, after) = (self.objective(best), self.objective(found));
            if found == best {
                break;
            }
            best = found;
            if after > before * (1.0 - GAIN_MIN) {
                break;
            }
        }
        slopes
    }

    fn scaled(&self, index: usize) -> Vec<f64> {
        let values = self.problem.numbers.iter().zip(&self.tried[index].values);
        values.map(|(number, &value)| number.to_scaled(value)).collect()
    }

    fn slopes(&mut self, at: usize) -> Slopes {
        let centre = self.scaled(at);
        let from = self.tried.len();
        let steps: Vec<f64> = self
            .problem
            .numbers
            .iter()
            .zip(&centre)
            .map(|(number, &here)| if here + STEP <= number.top() { STEP } else { -STEP })
            .collect();
        let points = steps.iter().enumerate().map(|(index, step)| {
            let mut point = centre.clone();
            point[index] += step;
            point
        });
        self.try_all(points.collect());
        let here = self.residuals(at);
        let there: Vec<_> = (0..steps.len()).map(|index| self.residuals(from + index)).collect();
        (0..here.len())
            .map(|row| {
                let slope = |index: usize| (there[index][row] - here[row]) / steps[index];
                (0..steps.len()).map(slope).collect()
            })
            .collect()
    }

    /// `J^T J + 1` with its diagonal raised by `damping`.
    fn curvature(&self, slopes: &Slopes, damping: f64) -> Vec<Vec<f64>> {
        let size = self.problem.numbers.len();
        let entry = |a: usize, b: usize| {
            let sum: f64 = slopes.iter().map(|row| row[a] * row[b]).sum();
            if a == b { (sum + 1.0) * (1.0 + damping) } else { sum }
        };
        (0..size).map(|a| (0..size).map(|b| entry(a, b)).collect()).collect()
    }

    /// The point that the slopes promise most of.
    fn step(&self, from: usize, slopes: &Slopes, damping: f64) -> Option<Vec<f64>> {
        let here = self.scaled(from);
        let residuals = self.residuals(from);
        let lower = cholesky(&self.curvature(slopes, damping))?;
        let downhill: Vec<f64> = (0..here.len())
            .map(|index| {
                let pulled: f64 = slopes
                    .iter()
                    .zip(&residuals)
                    .map(|(row, residual)| row[index] * residual)
                    .sum();
                -(pulled + here[index])
            })
            .collect();
        let step = solve(&lower, &downhill);
        Some(self.inside(here.iter().zip(step).map(|(at, step)| at + step)))
    }

    fn inside(&self, point: impl Iterator<Item = f64>) -> Vec<f64> {
        let numbers = &self.problem.numbers;
        point.zip(numbers).map(|(at, number)| at.clamp(number.bottom(), number.top())).collect()
    }

    /// Mean square of what a candidate leaves, per degree of freedom; at least 1, the noise stated.
    fn mean_square(&self, index: usize) -> f64 {
        let seen = self.residuals(index).len();
        let freedom = seen.saturating_sub(self.problem.numbers.len()).max(1);
        (self.objective(index) / freedom as f64).max(1.0)
    }

    /// How much worse than the best is nearly as good.
    fn allowance(&self, best: usize) -> f64 {
        self.mean_square(best) * chi_squared_95(self.problem.numbers.len())
    }

    /// Tries candidates on the edge of the region that the slopes describe, and inside it; whether one
    /// of them is better than the best so far.
    fn probe_region(&mut self, slopes: &Slopes) -> bool {
        let best = self.best();
        let size = self.problem.numbers.len();
        let Some(lower) = cholesky(&self.curvature(slopes, 0.0)) else { return false };
        let Some(axes) = cholesky(&inverse(&lower)) else { return false };
        let radius = self.allowance(best).sqrt();
        let mut directions = Vec::new();
        for axis in 0..size {
            for sign in [1.0, -1.0] {
                let mut direction = vec![0.0; size];
                direction[axis] = sign;
                directions.push((direction, 0.9));
            }
        }
        for probe in 1..=PROBES {
            let direction: Vec<f64> = (0..size).map(|axis| normal(probe, axis)).collect();
            let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-9);
            let unit = direction.iter().map(|x| x / length).collect();
            directions.push((unit, if probe % 2 == 0 { 0.9 } else { 0.5 }));
        }
        let here = self.scaled(best);
        let points = directions.into_iter().map(|(direction, part)| {
            let moved = |row: usize| -> f64 {
                (0..=row).map(|k| axes[row][k] * direction[k]).sum::<f64>() * radius * part
            };
            self.inside((0..size).map(|row| here[row] + moved(row)))
        });
        let points: Vec<_> = points.collect();
        self.try_all(points);
        self.objective(self.best()) <= self.objective(best) * (1.0 - PROBE_GAIN_MIN)
    }

    fn finish(self, slopes: &Slopes) -> Region {
        let best = self.best();
        let most = self.objective(best) + self.allowance(best);
        let near = (0..self.tried.len()).filter(|&index| self.objective(index) <= most).collect();
        let spread = cholesky(&self.curvature(slopes, 0.0)).map(|lower| inverse(&lower));
        let identified = (0..self.problem.numbers.len()).map(|index| {
            let variance = spread.as_ref().map_or(1.0, |spread| spread[index][index]);
            (variance * self.mean_square(best)).sqrt() < 0.5
        });
        Region { identified: identified.collect(), best, near, tried: self.tried }
    }
}

/// (ln predicted - ln observed) / sigma of the quantities that `keep` names.
pub(super) fn residuals(
    quantities: &[Quantity],
    predicted: &[f64],
    keep: impl Fn(&Quantity) -> bool,
) -> Vec<f64> {
    /// A run that answered nothing is as wrong as one a thousand times off.
    const LEAST: f64 = 1e-3;
    let all = quantities.iter().zip(predicted).filter(|(quantity, _)| keep(quantity));
    all.map(|(quantity, &predicted)| {
        let ratio = (predicted / quantity.observed).clamp(LEAST, 1.0 / LEAST);
        ratio.ln() / quantity.sigma
    })
    .collect()
}

impl Number {
    /// Half ranges from the start.
    fn to_scaled(self, value: f64) -> f64 {
        match self.is_factor {
            true => (value / self.start).ln() / self.half(),
            false => (value - self.start) / self.half(),
        }
    }

    fn of_scaled(self, at: f64) -> f64 {
        let value = match self.is_factor {
            true => self.start * (at * self.half()).exp(),
            false => self.start + at * self.half(),
        };
        value.clamp(self.low, self.high)
    }

    fn half(self) -> f64 {
        let range = match self.is_factor {
            true => (self.high / self.low).ln(),
            false => self.high - self.low,
        };
        (range / 2.0).max(1e-12)
    }

    fn top(self) -> f64 {
        self.to_scaled(self.high)
    }

    fn bottom(self) -> f64 {
        self.to_scaled(self.low)
    }
}

/// A normal deviate of a low-discrepancy sequence: point `index` of Halton's in the prime of `axis`,
/// in pairs by Box and Muller.
fn normal(index: u32, axis: usize) -> f64 {
    const PRIMES: [u32; 26] = [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101,
    ];
    let halton = |prime: u32| {
        let (mut rest, mut part, mut value) = (index, 1.0, 0.0);
        while rest > 0 {
            part /= f64::from(prime);
            value += part * f64::from(rest % prime);
            rest /= prime;
        }
        value
    };
    let prime = |at: usize| PRIMES[at % PRIMES.len()];
    let (radius, angle) = (halton(prime(2 * axis)), halton(prime(2 * axis + 1)));
    (-2.0 * radius.max(1e-9).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(low: f64, high: f64, start: f64) -> Number {
        Number { low, high, start, is_factor: false }
    }

    fn seen(observed: f64) -> Quantity {
        Quantity { observed, sigma: 0.01, is_fitted: true }
    }

    /// y = a x^b at x = 1, 2, 4, 8 with a = 3, b = 1.5, from a start far away.
    #[test]
    fn a_power_law_is_found() {
        let xs = [1.0_f64, 2.0, 4.0, 8.0];
        let problem = Problem {
            numbers: vec![
                Number { low: 0.1, high: 100.0, start: 1.0, is_factor: true },
                number(0.0, 3.0, 0.5),
            ],
            quantities: xs.iter().map(|x| seen(3.0 * x.powf(1.5))).collect(),
            predict: &|values| xs.iter().map(|x| values[0] * x.powf(values[1])).collect(),
        };
        let region = search(&problem);
        let best = &region.tried[region.best].values;
        assert!((best[0] / 3.0 - 1.0).abs() < 0.005 && (best[1] - 1.5).abs() < 0.005, "{best:?}");
        assert_eq!(region.identified, [true, true]);
        assert!(region.near.contains(&region.best) && region.near.len() > 5);
    }

    /// Only a + b is seen: neither is identified, and the region runs along the line.
    #[test]
    fn what_trades_off_is_not_identified_and_the_region_shows_it() {
        let problem = Problem {
            numbers: vec![number(0.0, 10.0, 2.0), number(0.0, 10.0, 2.0)],
            quantities: vec![seen(6.0), seen(6.0)],
            predict: &|values| vec![values[0] + values[1]; 2],
        };
        let region = search(&problem);
        assert_eq!(region.identified, [false, false]);
        let near = region.near.iter().map(|&index| &region.tried[index].values);
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for values in near {
            assert!((values[0] + values[1] - 6.0).abs() < 0.4, "{values:?}");
            (low, high) = (low.min(values[0]), high.max(values[0]));
        }
        assert!(high - low > 2.0, "{low} to {high}");
    }
}
