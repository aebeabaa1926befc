//! `PowerCap`: what the card's power limit does to its clock when much of it is busy.
//!
//! Power goes with busy SMs, what the work on them draws, frequency and voltage squared: `P = P_idle +
//! D f V^2` for work that would draw D at the highest clock, f being the clock over the highest. Down
//! to a floor v, voltage falls with frequency; below it only frequency falls. At the limit
//! `f max(f, v)^2 = (P_limit - P_idle) / D`. It knows no temperature and no delay.

use crate::spec::GpuSpec;

/// The power limit of a card.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PowerCap {
    /// What the limit leaves beside the idle card, in watts.
    room: f64,
    /// The clock below which the voltage falls no more, over the highest.
    floor: f64,
    /// Clocks are told relative to this one, itself relative to the highest.
    reference: f64,
}

impl PowerCap {
    /// A limit that leaves `room` watts beside the idle card, with a voltage that falls down to the clock
    /// `floor`, above 0; clocks relative to the highest.
    pub fn new(room: f64, floor: f64) -> Self {
        assert!(room > 0.0 && floor > 0.0 && floor <= 1.0, "{room} W beside an idle card, {floor}");
        Self { room, floor, reference: 1.0 }
    }

    /// That of a GPU model set to `limit` watts, clocks relative to the highest. Nothing where what an
    /// idle one draws is not known; the limit is above that.
    pub fn of(gpu: &GpuSpec, limit: f64) -> Option<Self> {
        let idle = gpu.power_idle_w.as_ref()?.value;
        Some(Self::new(limit - idle, gpu.voltage_floor.as_ref()?.value.get()))
    }

    /// The same, clocks relative to `reference`, itself relative to the highest.
    pub fn relative_to(self, reference: f64) -> Self {
        Self { reference, ..self }
    }

    /// The clock while the work under way would draw `watts` beside the idle card at the highest clock.
    pub fn clock(&self, watts: f64) -> f64 {
        if watts <= self.room {
            return 1.0 / self.reference;
        }
        let part = self.room / watts;
        let clock = part.cbrt();
        let clock = if clock >= self.floor { clock } else { part / (self.floor * self.floor) };
        clock / self.reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A30: PowerCap = PowerCap { room: 165.0 - 31.0, floor: 0.79, reference: 1.0 };

    /// A30 with BERT, 4.29 W per SM: 240 W of 134 with all 56 busy, 0.558^(1/3) = 0.823; measured with
    /// four slices busy over one alone, MLPerf Inference v2.0, Triton: 0.801.
    #[test]
    fn a_clock_within_the_voltages_range_goes_with_the_cube_root() {
        assert!((A30.clock(56.0 * 4.29) - 0.823).abs() < 5e-4);
        // Two slices of 14 draw 120 W: no limit is reached.
        assert_eq!(A30.clock(28.0 * 4.29), 1.0);
    }

    /// Below the floor the clock goes with the power: 0.3 / 0.79^2. At the floor both agree.
    #[test]
    fn below_the_floor_the_clock_goes_with_the_power() {
        assert!((A30.clock(134.0 / 0.3) - 0.4807).abs() < 5e-4);
        let at_floor = 134.0 / 0.79_f64.powi(3);
        let jump = A30.clock(at_floor * (1.0 - 1e-9)) - A30.clock(at_floor * (1.0 + 1e-9));
        assert!(jump.abs() < 1e-6, "{jump}");
    }

    #[test]
    fn more_work_never_runs_at_a_higher_clock() {
        let clocks: Vec<f64> = (0..1000).map(|watts| A30.clock(f64::from(watts))).collect();
        assert!(clocks.is_sorted_by(|one, next| one >= next));
    }
}
