//! `PowerCap`: the clock that the card's power limit leaves when much of the card is busy; `Draws`:
//! the power that batches draw.
//!
//! Power is proportional to the busy SMs, to the draw of the work on them, to frequency and to
//! voltage squared: `P = P_idle + D f V^2` for work that would draw D at the highest clock, f being
//! the clock over the highest. Down to a floor v, voltage falls with frequency; below it only
//! frequency falls. At the limit `f max(f, v)^2 = (P_limit - P_idle) / D`. It knows no temperature
//! and no delay.
//!
//! A batch takes a fixed energy, not a fixed power: on fewer SMs or beside others it takes longer
//! and draws less.

use super::Demand;
use crate::spec::{GpuSpec, ServiceTime, Workload};

/// The power limit of a card.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PowerCap {
    /// What the limit leaves beside the idle card, in watts.
    room: f64,
    /// The clock below which the voltage falls no more, over the highest.
    floor: f64,
}

impl PowerCap {
    /// A limit that leaves `room` watts above the idle card's power, with a voltage that falls down
    /// to the clock `floor`, above 0.
    pub fn new(room: f64, floor: f64) -> Self {
        assert!(room > 0.0 && floor > 0.0 && floor <= 1.0, "{room} W beside an idle card, {floor}");
        Self { room, floor }
    }

    /// The cap of a GPU model set to `limit` watts, which must be above its idle power. Nothing
    /// where the idle power is not known.
    pub fn of(gpu: &GpuSpec, limit: f64) -> Option<Self> {
        let idle = gpu.power_idle_w.as_ref()?.value;
        Some(Self::new(limit - idle, gpu.voltage_floor.as_ref()?.value.get()))
    }

    /// Whether work that would draw `watts` above the idle card's power at the highest clock runs
    /// at that clock.
    pub fn allows(&self, watts: f64) -> bool {
        watts <= self.room
    }

    /// The clock, relative to the highest, while the running work would draw `watts` above the idle
    /// card's power at the highest clock.
    pub fn clock(&self, watts: f64) -> f64 {
        if self.allows(watts) {
            return 1.0;
        }
        let part = self.room / watts;
        let clock = part.cbrt();
        if clock >= self.floor { clock } else { part / (self.floor * self.floor) }
    }
}

/// The power that batches of a workload draw on a GPU model, and the clocks at which their times
/// were measured: on a whole card at its usual limit.
///
/// A batch of b takes the energy `e (b + once)` above the idle card's at the highest clock,
/// whatever its share of the SMs. e follows from the catalogue's watts for a full batch, the
/// largest of the table.
#[derive(Clone, Debug)]
pub struct Draws {
    /// `e`, in watts times nanoseconds.
    per_sample: f64,
    /// What a batch takes whatever its size, in samples.
    once: f64,
    /// The clock of a full batch.
    full: f64,
    /// Clocks by batch size, from 1 on.
    clocks: Vec<f64>,
}

impl Draws {
    /// The draws of batches of up to `batch_max` samples; nothing where watts or clocks are not
    /// known.
    pub fn of(gpu: &GpuSpec, workload: &Workload, batch_max: u32) -> Option<Self> {
        let service = &workload.service[&gpu.id];
        let watts = service.watts(gpu);
        let cap = PowerCap::of(gpu, gpu.power_cap_w.value).filter(|_| watts > 0.0)?;
        let full = cap.clock(watts);
        let (largest, _) = *service.work.value.points().last().expect("a table has points");
        let once = workload.energy_once.value;
        let whole = watts * time(service, largest, full);
        let mut draws = Self {
            per_sample: whole / (f64::from(largest) + once),
            once,
            full,
            clocks: Vec::new(),
        };
        draws.clocks =
            (1..=batch_max).map(|batch| draws.usual_clock(&cap, service, watts, batch)).collect();
        Some(draws)
    }

    /// The clock at which a batch alone on a whole card takes what the table says. Power does not rise as the
    /// clock falls, so there is one; below the voltage's range power tells no clock, and it is that of a
    /// full batch or the lowest in the range.
    fn usual_clock(&self, cap: &PowerCap, service: &ServiceTime, watts: f64, batch: u32) -> f64 {
        let left = |clock: f64| {
            let drawn = self.energy(f64::from(batch)) / time(service, batch, clock);
            cap.clock(drawn.min(watts))
        };
        let (mut low, mut high) = (self.full, 1.0);
        if left(low) <= low {
            return low;
        }
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if left(middle) > middle { low = middle } else { high = middle }
        }
        high
    }

    fn energy(&self, size: f64) -> f64 {
        self.per_sample * (size + self.once)
    }

    /// The demand of a batch of `samples` samples with sizes that sum to `size_sum`, converted to
    /// the highest clock, with its energy. The law of a slice is stated at one clock, that of full
    /// batches.
    pub fn at_highest_clock(
        &self,
        demand: Demand,
        samples: u32,
        size_sum: f64,
        on_slice: bool,
    ) -> Demand {
        let clock = match on_slice {
            true => self.full,
            false => self.clocks.get(samples as usize - 1).copied().unwrap_or(self.full),
        };
        Demand { work: demand.work * clock, energy: self.energy(size_sum), ..demand }
    }
}

/// How long a batch alone takes at the highest clock, in nanoseconds, where the table tells its work at
/// `clock`.
fn time(service: &ServiceTime, batch: u32, clock: f64) -> f64 {
    let launch = service.launch.value.as_nanos_f64();
    service.host_floor.value.as_nanos_f64().max(launch + service.work.value.at(batch) * clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A30: PowerCap = PowerCap { room: 165.0 - 31.0, floor: 0.79 };

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
