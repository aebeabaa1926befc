//! `Scale`: the position of a value on an axis, and the tick values of the axis.
//!
//! It draws nothing.

/// An axis from `from` to `to` in values, on `at` in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    at: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// Linear: equal steps in value are equal steps in pixels.
    pub(super) fn linear(from: f64, to: f64, at: (f64, f64)) -> Self {
        assert!(from < to, "an axis from {from} to {to}");
        Self { from, to, at, logarithmic: false }
    }

    /// Logarithmic: equal factors in value are equal steps in pixels; `from` is above 0.
    pub(super) fn logarithmic(from: f64, to: f64, at: (f64, f64)) -> Self {
        assert!(0.0 < from && from < to, "a logarithmic axis from {from} to {to}");
        Self { from, to, at, logarithmic: true }
    }

    /// The axis that shows these values best: logarithmic when they span a factor of 20 or more,
    /// else linear from zero.
    pub(super) fn fitting(values: &[f64], at: (f64, f64)) -> Self {
        let low = values.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(0.0, f64::max);
        if !low.is_finite() {
            return Self::linear(0.0, 1.0, at);
        }
        if high / low >= 20.0 {
            // A little air; the axis need not end on a power of ten.
            return Self::logarithmic(low / 1.35, high * 1.35, at);
        }
        Self::linear(0.0, high * 1.08, at)
    }

    /// The unit as an axis names it, with the kind of scale where it is not linear.
    pub(super) fn unit(self, unit: &str) -> String {
        match self.logarithmic {
            true => format!("{unit}, logarithmic scale"),
            false => unit.to_string(),
        }
    }

    /// The pixel of a value.
    pub(super) fn place(self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.at.0 + part * (self.at.1 - self.at.0)
    }

    /// The middle of the axis, in pixels.
    pub(super) fn middle(self) -> f64 {
        (self.at.0 + self.at.1) / 2.0
    }

    /// Round values on the axis, about `count` of them.
    pub(super) fn ticks(self, count: usize) -> Vec<f64> {
        if self.logarithmic { self.powers(count) } else { self.steps(count) }
    }

    fn steps(self, count: usize) -> Vec<f64> {
        let rough = (self.to - self.from) / count as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power * 10.0);
        let (first, last) =
            ((self.from / step - 1e-6).ceil() as i64, (self.to / step + 1e-6).floor() as i64);
        (first..=last).map(|tick| tick as f64 * step).collect()
    }

    /// Powers of ten; with 2 and 5 between them, or 3, where there is room.
    fn powers(self, count: usize) -> Vec<f64> {
        let decades = (self.to / self.from).log10();
        let between: &[f64] = match count as f64 / decades {
            room if room >= 3.0 => &[1.0, 2.0, 5.0],
            room if room >= 2.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        // Every so many decades, where they are more than ticks.
        let apart = ((decades / count as f64).ceil() as usize).max(1);
        let powers = (first..=last).step_by(apart);
        let ticks = powers.flat_map(|power| between.iter().map(move |b| b * 10f64.powi(power)));
        ticks.filter(|tick| (self.from..=self.to).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        let close =
            |ticks: Vec<f64>| ticks.iter().map(|t| format!("{t:.2}")).collect::<Vec<_>>().join(" ");
        let ratio = Scale::linear(0.94, 1.01, (0.0, 700.0));
        assert_eq!(close(ratio.ticks(5)), "0.94 0.96 0.98 1.00");
        assert_eq!(ratio.place(0.94), 0.0);
        assert!((ratio.place(1.01) - 700.0).abs() < 1e-9);
        let wide = Scale::fitting(&[60.0, 500_000.0], (0.0, 1.0));
        assert_eq!(close(wide.ticks(6)), "100.00 1000.00 10000.00 100000.00");
        assert_eq!(close(Scale::fitting(&[70.0, 130.0], (0.0, 1.0)).ticks(5)), "0.00 50.00 100.00");
        assert_eq!(close(Scale::fitting(&[], (0.0, 1.0)).ticks(2)), "0.00 0.50 1.00");
    }
}
