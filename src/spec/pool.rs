//! Servers that answer the queries of several guests together: what one operating system does with
//! loads for which a hypervisor makes VMs.

use super::{Experiment, GpuShare, VmId};

/// Guests of one workload and one set of server settings, and the servers that answer them. What
/// the guests ask is merged in order of time and dealt to the servers.
#[derive(Clone, Debug)]
pub struct ServerPool {
    /// Whose queries they are; at least one, and all have the same workload and server settings.
    pub vms: Vec<VmId>,
    /// Who answers; at least one.
    pub servers: Vec<PooledServer>,
}

/// One server of a pool. Workload and settings are those of the pool's guests.
#[derive(Clone, Debug)]
pub struct PooledServer {
    /// The name of its random streams, unique in its run.
    pub name: String,
    /// Processors it runs on: what vCPUs are to a guest.
    pub processors: u32,
    /// What it has of the cards; at least one share.
    pub gpus: Vec<GpuShare>,
}

impl Experiment {
    /// The pools of the run; where it has none, one of each guest with a server of its own.
    pub fn server_pools(&self) -> Vec<ServerPool> {
        if !self.pools.is_empty() {
            return self.pools.clone();
        }
        let alone = self.vms.iter().enumerate().map(|(index, vm)| ServerPool {
            vms: vec![VmId(index as u16)],
            servers: vec![PooledServer {
                name: vm.name.clone(),
                processors: vm.vcpus,
                gpus: vm.gpus.clone(),
            }],
        });
        alone.collect()
    }
}
