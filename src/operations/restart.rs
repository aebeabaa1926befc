//! High availability: when a host counts as dead, and how long a VM takes to serve again.

use crate::spec::OperationTimes;
use crate::units::SimDuration;

/// From a secondary host's failure until it is declared dead and restarts begin: 15 s, or 18 s where hosts
/// have heartbeat datastores, which are watched from 3 s on for 15 s (Epping and Denneman, vSphere
/// Clustering Deepdive).
pub fn detection(times: &OperationTimes) -> SimDuration {
    SimDuration::from_secs(if times.has_heartbeat_datastores { 18 } else { 15 })
}

/// From the start of a VM until it serves: its operating system, its model, warm-up.
pub fn start(times: &OperationTimes) -> SimDuration {
    times.boot + times.load
}

/// From the choice of a host until a VM that failed serves again.
pub fn restart(times: &OperationTimes) -> SimDuration {
    times.placement + start(times)
}
