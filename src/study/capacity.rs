//! Capacity: the highest Server rate that stays VALID, by bisection.
//!
//! Every rate replays the same random numbers (LoadGen's schedule is the same up to time scale), so
//! that two systems under comparison differ by the system alone. LoadGen's FindPeakPerformance mode
//! searches the same way. It does not look for a second VALID range above the first INVALID one.

use crate::platform::simulate;
use crate::spec::Experiment;

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct CapacitySearch {
    /// The search ends when the VALID and the INVALID rate are this close, relative to the rate.
    pub precision: f64,
}

/// The highest rate, in queries per second, at which the run of the first VM is VALID, to the
/// search's precision and never above the truth by more than that; 0 when no rate is.
pub fn capacity(experiment: &Experiment, search: CapacitySearch) -> f64 {
    assert!(search.precision > 0.0, "a precision of {}", search.precision);
    let mut experiment = experiment.clone();
    let start = experiment.vms[0].load.settings.target_qps;
    let mut valid_at = |rate: f64| {
        experiment.vms[0].load.settings.target_qps = rate;
        simulate(&experiment).vms[0].failed_rules.is_empty()
    };
    // The given rate is usually near: widen from it by factors that grow, 1.05 to 103 and together
    // to 10^9 either way.
    const STEPS: i32 = 12;
    let (mut valid, mut invalid) = (0.0, f64::INFINITY);
    for step in 0..STEPS {
        let factor = 1.0 + 0.05 * f64::from(1 << step);
        let rate = match (valid > 0.0, invalid.is_finite()) {
            (false, false) => start,
            (true, false) => valid * factor,
            (false, true) => invalid / factor,
            (true, true) => break,
        };
        if valid_at(rate) { valid = rate } else { invalid = rate }
    }
    if valid == 0.0 || invalid.is_infinite() {
        return valid;
    }
    while invalid - valid > search.precision * valid {
        let middle = (valid + invalid) / 2.0;
        if valid_at(middle) { valid = middle } else { invalid = middle }
    }
    valid
}
