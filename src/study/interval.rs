//! The confidence interval of a mean over replications, by Student's t distribution.
//!
//! Replications are independent and few; queries within one run are not independent, so nothing
//! here uses single queries.

use serde::Serialize;

/// A mean and its uncertainty.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the 95 % confidence interval; nothing from a single value.
    pub half_width: Option<f64>,
}

impl Interval {
    /// A ratio of two searches that end within `precision` below the true value, each uniformly
    /// distributed in that range. The difference of two uniform errors is triangular: 95 % of it
    /// lie within 0.78 of the precision, which is added as an independent error. Nothing is added
    /// to a single ratio, which has no interval.
    pub(super) fn of_searches(self, precision: f64) -> Self {
        const TRIANGULAR_95: f64 = 0.776_4;
        let own = TRIANGULAR_95 * precision * self.mean;
        Self { half_width: self.half_width.map(|half| half.hypot(own)), ..self }
    }
}

/// The 0.975 quantile of Student's t by degrees of freedom, from 1.
const T_975: [f64; 30] = [
    12.706204736,
    4.302652730,
    3.182446305,
    2.776445105,
    2.570581836,
    2.446911851,
    2.364624252,
    2.306004135,
    2.262157163,
    2.228138852,
    2.200985160,
    2.178812830,
    2.160368656,
    2.144786688,
    2.131449546,
    2.119905299,
    2.109815578,
    2.100922040,
    2.093024054,
    2.085963447,
    2.079613845,
    2.073873068,
    2.068657610,
    2.063898562,
    2.059538553,
    2.055529439,
    2.051830516,
    2.048407142,
    2.045229642,
    2.042272456,
];

/// The mean of independent values with its 95 % interval; nothing for no values.
pub fn student_95(values: &[f64]) -> Option<Interval> {
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let half_width = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        t_975(values.len() - 1) * (squares / (count - 1.0) / count).sqrt()
    });
    Some(Interval { mean, half_width })
}

/// Beyond the table by the first terms of the expansion in 1/freedom (Abramowitz and Stegun 26.7.5).
pub(super) fn t_975(freedom: usize) -> f64 {
    const Z: f64 = 1.959963985;
    T_975.get(freedom - 1).copied().unwrap_or_else(|| {
        let freedom = freedom as f64;
        let first = (Z.powi(3) + Z) / 4.0;
        let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
        let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
        Z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
    })
}

/// The 0.95 quantile, by the same expansion: accurate to 1/50 from three degrees of freedom on, to
/// 1/1000 from ten on.
pub(super) fn t_95(freedom: usize) -> f64 {
    const Z: f64 = 1.644853627;
    let freedom = freedom.max(1) as f64;
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
    Z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn the_quantiles_are_students() {
        for freedom in (1..=40).chain([60, 99]) {
            let exact = StudentsT::new(0.0, 1.0, freedom as f64).unwrap().inverse_cdf(0.975);
            let found = t_975(freedom);
            assert!((found / exact - 1.0).abs() < 1e-5, "{freedom}: {found} for {exact}");
        }
    }

    #[test]
    fn the_quantiles_of_few_are_near() {
        for (freedom, near) in [(3, 0.02), (5, 0.005), (10, 0.001), (30, 0.0001)] {
            let exact = StudentsT::new(0.0, 1.0, f64::from(freedom)).unwrap().inverse_cdf(0.95);
            let found = t_95(freedom as usize);
            assert!((found / exact - 1.0).abs() < near, "{freedom}: {found} for {exact}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(student_95(&[]), None);
        assert_eq!(student_95(&[3.0]), Some(Interval { mean: 3.0, half_width: None }));
        // Three values with standard deviation 1: 4.3027 / sqrt 3.
        let half_width = student_95(&[1.0, 2.0, 3.0]).unwrap().half_width.unwrap();
        assert!((half_width - 2.484_138).abs() < 1e-5, "{half_width}");
    }
}
