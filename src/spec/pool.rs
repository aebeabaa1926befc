//! Servers that answer the queries of several guests together: on bare metal, one operating system
//! serves the loads that VMs have under a hypervisor.

use super::{Experiment, GpuShare, TestScenario, VmId, VmSpec};
use crate::units::Share;

/// Guests of one workload and one set of server settings, and the servers that answer them. The
/// guests' queries are merged in order of time and dealt to the servers.
#[derive(Clone, Debug)]
pub struct ServerPool {
    /// The models that answer: all with the same workload and server settings; at least one.
    pub models: Vec<VmId>,
    /// The guests whose queries come to these models first; none where they are only later steps of
    /// ensembles.
    pub vms: Vec<VmId>,
    /// The servers; at least one.
    pub servers: Vec<PooledServer>,
}

/// One server of a pool. Workload and settings are those of the pool's models.
#[derive(Clone, Debug)]
pub struct PooledServer {
    /// The name of its random streams, unique in its run.
    pub name: String,
    /// Processors it runs on, like the vCPUs of a guest.
    pub processors: u32,
    /// Its shares of the cards; at least one.
    pub gpus: Vec<GpuShare>,
}

impl Experiment {
    /// The pools of the run; where it has none, one pool for each guest with its own server.
    pub fn server_pools(&self) -> Vec<ServerPool> {
        if !self.pools.is_empty() {
            return self.pools.clone();
        }
        let mut askers = self.askers();
        let models = self.models_with_work().into_iter();
        let alone = models.map(|vm| ServerPool {
            models: vec![vm],
            vms: std::mem::take(&mut askers[usize::from(vm.0)]),
            servers: self.own_servers(vm),
        });
        alone.collect()
    }

    /// The servers of a guest that has its own: one for all of its cards or vGPUs; but a CUDA process sees
    /// one GPU instance (NVIDIA MIG User Guide, "Device enumeration"), so one for each of those.
    fn own_servers(&self, vm: VmId) -> Vec<PooledServer> {
        let VmSpec { name, vcpus, gpus, .. } = &self.vms[usize::from(vm.0)];
        let server =
            |name: String, gpus: Vec<GpuShare>| PooledServer { name, processors: *vcpus, gpus };
        if gpus.len() < 2 || !gpus.iter().all(|share| self.is_of_instance(share)) {
            return vec![server(name.clone(), gpus.clone())];
        }
        let each = gpus.iter().enumerate();
        each.map(|(place, share)| server(format!("{name}/{place}"), vec![share.clone()])).collect()
    }

    /// Whether a guest's queries are handed to its servers in calls: with several GPU instances,
    /// under a harness that makes calls. Only the Server scenario makes calls.
    pub fn is_dealt_in_calls(&self, vm: VmId) -> bool {
        let VmSpec { server, load, .. } = &self.vms[usize::from(vm.0)];
        self.pools.is_empty()
            && server.call_wake.is_some()
            && load.scenario == TestScenario::Server
            && self.own_servers(vm).len() > 1
    }

    /// Whether an MPS limit of SMs applies to a share: not within a GPU instance.
    pub fn limit_acts(&self, share: &GpuShare) -> bool {
        !self.is_of_instance(share) && share.sm_limit < Share::WHOLE
    }

    /// Whether a share is of a GPU instance.
    pub fn is_of_instance(&self, share: &GpuShare) -> bool {
        self.instance(share).profile.is_some()
    }
}
