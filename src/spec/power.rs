//! What a run tells of power, and what hosts without VMs do.
//!
//! Watts of cards and servers are facts of the catalogue; what they come to is in `study::power`.

use super::Fact;
use crate::units::SimDuration;

/// What hosts do while no VM is on them. That a run has it means that its watts are told.
#[derive(Clone, PartialEq, Debug)]
pub struct HostStates {
    /// Whether they stay on.
    pub empty_hosts: EmptyHosts,
    /// What a host on standby draws with its cards, in watts.
    pub standby_w: Fact<f64>,
    /// From on to standby, at the power of an idle host.
    pub shutdown: Fact<SimDuration>,
    /// From standby to on, at the power of an idle host.
    pub boot: Fact<SimDuration>,
}

/// What becomes of a host on which no VM is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmptyHosts {
    /// It stays on.
    On,
    /// It is put on standby as soon as its last VM is gone, and is on again in time for the next.
    Standby,
}

impl HostStates {
    /// What is assumed where a file says nothing.
    pub fn usual() -> Self {
        let watts =
            "assumed: 10 to 20 W of the board's management controller; no figure is published";
        let minutes = "assumed: a GPU server takes minutes to check its memory and cards; no figure is \
            published";
        let span = |value, low, high, source: &str| Fact {
            range: Some([low, high].map(SimDuration::from_secs)),
            ..Fact::assumed(SimDuration::from_secs(value), source)
        };
        Self {
            empty_hosts: EmptyHosts::On,
            standby_w: Fact { range: Some([10.0, 20.0]), ..Fact::assumed(15.0, watts) },
            shutdown: span(120, 60, 180, minutes),
            boot: span(480, 300, 600, minutes),
        }
    }
}
