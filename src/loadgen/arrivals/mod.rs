//! Arrival processes: the gaps between scheduled queries, one file each.
//!
//! A process knows at most its own past; it sees neither the system nor the clock.

mod bursty;
mod constant;
mod pattern;
mod poisson;
mod replay;

pub use bursty::Bursty;
pub use constant::Constant;
pub use pattern::Varying;
pub use poisson::Poisson;
pub(super) use replay::Replay;

use crate::engine::RandomStreams;
use crate::spec::{Arrivals, LoadSpec};
use crate::units::SimDuration;

/// A sequence of gaps.
pub trait ArrivalProcess: Send {
    /// The time from the query made last to the next one.
    fn gap(&mut self) -> SimDuration;
}

/// The process that `load` asks for. `schedule` is the seed of LoadGen's own generator, where it
/// does not come from the VM's stream.
pub(super) fn process(
    load: &LoadSpec,
    streams: &RandomStreams,
    schedule: Option<u64>,
    vm: &str,
) -> Box<dyn ArrivalProcess> {
    let rate = load.settings.target_qps;
    let name = format!("arrivals/{vm}");
    match &load.arrivals {
        // A trace is no process: it says when, not how long after the last.
        Arrivals::Trace(_) => unreachable!("traces are replayed"),
        Arrivals::Constant => Box::new(Constant::new(rate)),
        Arrivals::Poisson => {
            Box::new(Poisson::new(rate, schedule.unwrap_or_else(|| streams.seed_of(&name))))
        }
        Arrivals::Pattern(pattern) => Box::new(Varying::new(rate, pattern, streams.stream(&name))),
        Arrivals::Bursty(bursts) => {
            // VMs in step share the stream that makes the bursts, never the one of the arrivals.
            let phases = if bursts.in_step { "bursts".to_string() } else { format!("bursts/{vm}") };
            Box::new(Bursty::new(rate, *bursts, streams.stream(&name), streams.stream(&phases)))
        }
    }
}
