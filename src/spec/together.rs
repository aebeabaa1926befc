//! The lengths of loads: all loads last equally long, since otherwise the slowest would be measured
//! beside idle neighbours.

use super::{Arrivals, Experiment, TestScenario, VmSpec};
use crate::units::{SimDuration, SimTime};

impl Experiment {
    /// The minimum length of each VM's load, from its power-on. Where the minimum number of queries
    /// of another VM takes longer than its own `min_duration`, its load goes on until then. That
    /// time is known before the run for a rate (the count over the rate) and for a trace; of a
    /// closed loop only its `min_duration` is. The load of a VM that is powered off ends then, and
    /// no other load waits for it.
    pub fn load_spans(&self) -> Vec<SimDuration> {
        let ends = self.vms.iter().filter(|vm| vm.power_off.is_none()).map(own_end);
        let end = ends.max().unwrap_or(SimTime::ZERO);
        let span = |vm: &VmSpec| match own_end(vm) < end {
            true => end.saturating_since(vm.power_on),
            false => vm.load.settings.min_duration,
        };
        self.vms.iter().map(span).collect()
    }
}

/// When a VM has asked all that it must, as far as that is known before the run.
fn own_end(vm: &VmSpec) -> SimTime {
    let settings = &vm.load.settings;
    let seconds = match (&vm.load.arrivals, vm.load.scenario) {
        (Arrivals::Trace(trace), TestScenario::Server) => {
            trace.arrivals.len() as f64 / settings.target_qps
        }
        (_, TestScenario::Server) => settings.min_query_count as f64 / settings.target_qps,
        _ => 0.0,
    };
    // Beyond 317 years it is all the same.
    vm.power_on + SimDuration::from_secs_f64(seconds.min(1e10)).max(settings.min_duration)
}
