//! What is not known of processors that VMs share: the length of a quantum, and what hyper-threads
//! gain.

use super::{Found, add};
use crate::spec::{CpuScheduler, Experiment, HostId};
use std::collections::BTreeSet;

const QUANTUM: &str = "run one vCPU that sleeps beside busy ones on one core, time its waits, and write quantum into the scenario's [cpu]";
const THREADS: &str = "time the work once with one thread of each core busy and once with both, and write hyper_threading into the host's file";

/// Turns on the host's processors and the gain of hyper-threading, where VMs share cores.
pub(super) fn of_processors(experiment: &Experiment, found: &mut Found) {
    if !experiment.shares_any_processors() {
        return;
    }
    if experiment.cpu.scheduler == CpuScheduler::Quantum {
        let quantum = &experiment.cpu.quantum;
        add(found, "quantum of the host's processors".to_string(), QUANTUM, quantum, |quantum| {
            let mut other = experiment.clone();
            other.cpu.quantum.value = *quantum;
            other
        });
    }
    let mut told = BTreeSet::new();
    for index in 0..experiment.hosts.len() {
        let (id, host) = (HostId(index as u16), &experiment.hosts[index]);
        if !experiment.shares_processors(id) || !told.insert(&host.id) {
            continue;
        }
        let name = format!("hyper_threading of {}", host.id);
        add(found, name, THREADS, &host.hyper_threading, |gain| {
            let mut other = experiment.clone();
            let hosts = other.hosts.iter_mut().filter(|other| other.id == host.id);
            hosts.for_each(|host| host.hyper_threading.value = *gain);
            other
        });
    }
}
