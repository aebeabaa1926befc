//! Arrival processes: the gaps between scheduled queries, one file each.
//!
//! A process knows its own past at most; it sees neither the system nor the clock.

mod constant;
mod poisson;

pub use constant::Constant;
pub use poisson::Poisson;

use crate::spec::{Arrivals, LoadSpec};
use crate::units::SimDuration;

/// A sequence of gaps.
pub trait ArrivalProcess {
    /// The time from the query made last to the next one.
    fn gap(&mut self) -> SimDuration;
}

/// The process that `load` asks for, with the generator's seed where it has one.
pub(super) fn process(load: &LoadSpec, seed: u64) -> Box<dyn ArrivalProcess> {
    let rate = load.settings.target_qps;
    match load.arrivals {
        Arrivals::Constant => Box::new(Constant::new(rate)),
        Arrivals::Poisson => Box::new(Poisson::new(rate, seed)),
    }
}
