//! A measured run as an experiment: one server on all GPUs of a system; nothing else is known about
//! the system.

use super::{
    CardSpec, CpuAllocation, CpuScheduling, Experiment, Fact, GpuId, GpuShare, GpuSpec, HostLink,
    HostSpec, Hypervisor, InstanceSpec, LoadSpec, ServerSpec, VmSpec, Workload,
};
use crate::units::{Bytes, Share, SimTime};
use std::sync::Arc;

/// A system that was measured.
#[derive(Clone, Debug)]
pub struct MeasuredSystem {
    /// The name of its VM, which selects the VM's random streams.
    pub vm: &'static str,
    /// Its vCPUs, 1 to 4096.
    pub vcpus: u32,
    /// Its hypervisor.
    pub hypervisor: Hypervisor,
    /// The model of its cards.
    pub gpu: GpuSpec,
    /// How each card is attached to the host.
    pub links: Vec<HostLink>,
    /// The GPU instances of each card; nothing for whole cards.
    pub instances: Option<Vec<InstanceSpec>>,
    /// How many GPUs or GPU instances it used, card by card.
    pub gpus: u32,
}

impl MeasuredSystem {
    /// A run of a workload on it. Its host has more processors and memory than its batches ever
    /// need.
    pub fn run(
        self,
        name: String,
        workload: Workload,
        server: ServerSpec,
        load: LoadSpec,
    ) -> Experiment {
        const ENOUGH: &str = "assumed: the measured machine had enough";
        let whole = CardSpec::whole(self.gpu);
        let card = match self.instances {
            Some(instances) => CardSpec { instances, ..whole },
            None => whole,
        };
        let per_card = card.instances.len() as u32;
        let share = |index: u32| GpuShare {
            card: GpuId((index / per_card) as u16),
            instance: (index % per_card) as u16,
            vgpu_type: None,
            sm_limit: Share::WHOLE,
            pods: None,
        };
        let vm = VmSpec {
            name: self.vm.to_string(),
            group: self.vm.to_string(),
            vcpus: self.vcpus,
            allocation: CpuAllocation::normal(self.vcpus),
            gpus: (0..self.gpus).map(share).collect(),
            workload: Arc::new(workload),
            server,
            load,
            power_on: SimTime::ZERO,
            power_off: None,
            server_of: None,
            is_pod: false,
            container_overhead: None,
            steps: Vec::new(),
            balance: None,
            llm: None,
        };
        Experiment {
            name,
            seed: 0,
            replication: 0,
            hypervisor: self.hypervisor,
            hosts: vec![HostSpec {
                id: "measured".to_string(),
                name: "the measured machine".to_string(),
                logical_processors: Fact::assumed(4096, ENOUGH),
                cores: Fact::assumed(4096, ENOUGH),
                clock: HostSpec::usual_clock(),
                hyper_threading: HostSpec::usual_hyper_threading(),
                memory: Fact::assumed(Bytes::from_mib(1 << 20), ENOUGH),
                power_idle_w: None,
                power_cpu_w: None,
                stalls: None,
            }],
            cards: self.links.into_iter().map(|link| CardSpec { link, ..card.clone() }).collect(),
            vms: vec![vm],
            others: Vec::new(),
            cpu: CpuScheduling::default(),
            pools: Vec::new(),
            timeline: None,
            power: None,
        }
    }
}
