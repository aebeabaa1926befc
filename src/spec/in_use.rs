//! Which facts a run uses.
//!
//! A fact that is not mentioned here counts as in use wherever the entry it belongs to is: a new
//! fact is reported rather than forgotten.

use super::{
    CardSpec, CpuAllocation, CpuScheduler, EmptyHosts, Experiment, GpuId, GpuSpec, HostId,
    HostSpec, InstanceSharing, NamedFact, ServedBy, TestScenario, TimelineFact, VmSpec,
};
use crate::units::Frequency;

impl Experiment {
    /// Every fact that the run uses, with its place: `gpus/a30 sms`, `workloads/bert-99 on a30
    /// launch`. A fact of several VMs or cards is listed several times.
    pub fn facts_in_use(&self) -> Vec<(String, NamedFact<'_>)> {
        let of_host = |host: &HostSpec| format!("hosts/{}", host.id);
        let mut found = Vec::new();
        for (id, host) in (0..).map(HostId).zip(&self.hosts) {
            let mut facts = host.facts();
            facts.retain(|fact| self.leans_on_of_host(id, fact.key));
            found.extend(at(&of_host(host), facts));
        }
        if self.shares_any_processors() && self.cpu.scheduler == CpuScheduler::Quantum {
            found.extend(at("cpu", self.cpu.facts()));
        }
        if let Some(states) = &self.power {
            let mut facts = states.facts();
            facts.retain(|_| states.empty_hosts == EmptyHosts::Standby);
            let facts = facts.into_iter().map(|fact| (fact.key.to_string(), fact));
            found.extend(facts);
        }
        // Bare metal costs nothing by definition, also where a platform was made bare metal.
        if self.hypervisor.id != "bare-metal" {
            let place = format!("hypervisors/{}", self.hypervisor.id);
            found.extend(at(&place, self.hypervisor.facts()));
        }
        for (id, card) in (0..).map(GpuId).zip(&self.cards) {
            let mut facts = card.gpu.facts();
            let (ways, watts) = (self.ways_of(id), self.power.is_some());
            facts.retain(|fact| card.leans_on(fact.key, &ways, watts));
            found.extend(at(&format!("gpus/{}", card.gpu.id), facts));
            found.extend(at(&of_host(self.host(card.host)), card.link.facts()));
        }
        self.vms.iter().for_each(|vm| found.extend(self.facts_of(vm)));
        let of_operations = self.timeline.iter().flat_map(|timeline| &timeline.leans_on);
        found.extend(of_operations.map(|one| {
            let TimelineFact { of, key, fact } = one;
            let named = NamedFact {
                key,
                value: &fact.value,
                range: None,
                source: &fact.source,
                standing: fact.standing,
                fitted_on: &fact.fitted_on,
                residual: fact.residual,
            };
            (format!("{of} {key}"), named)
        }));
        found
    }

    /// How a card is shared: by the owners of its instances, and by the pods of a VM among themselves.
    fn ways_of(&self, card: GpuId) -> Vec<InstanceSharing> {
        let shares = self.vms.iter().flat_map(|vm| &vm.gpus).filter(|share| share.card == card);
        let pods = shares.filter_map(|share| Some(share.pods?.of_instance()));
        let instances = self.cards[usize::from(card.0)].instances.iter();
        instances.map(|instance| instance.sharing).chain(pods).collect()
    }

    /// Whether the run leans on this fact of a host.
    fn leans_on_of_host(&self, host: HostId, key: &str) -> bool {
        let none = Frequency::from_mhz(0);
        let has_mhz = |one: &CpuAllocation| one.limit.is_some() || one.reservation > none;
        match key {
            "cores" | "hyper_threading" => self.shares_processors(host),
            "clock" => {
                let vms = self.vms_on(host).any(|vm| has_mhz(&vm.allocation));
                let others = self.others_on(host).any(|other| has_mhz(&other.allocation));
                self.shares_processors(host) && (vms || others)
            }
            "power_idle_w" | "power_cpu_w" => self.power.is_some(),
            _ => true,
        }
    }

    /// The facts about the workload of a VM.
    pub fn facts_of<'e>(&'e self, vm: &'e VmSpec) -> Vec<(String, NamedFact<'e>)> {
        let (workload, place) = (&vm.workload, format!("workloads/{}", vm.workload.id));
        let shares = || vm.gpus.iter().map(|share| (share, self.card(share)));
        let (load, has_queue) = (&vm.load, vm.load.scenario.has_queue());
        let mut facts = workload.facts();
        facts.retain(|fact| match fact.key {
            "target_latency" => {
                load.scenario == TestScenario::Server
                    && load.settings.target_latency == workload.target_latency.value
            }
            "energy_once" => shares().any(|(_, card)| {
                card.clock_varies() && workload.service[&card.gpu.id].watts_per_sm.is_some()
            }),
            "cpu.queue_per_batch" => has_queue,
            "cpu.triton_per_batch" => has_queue && vm.server.served_by == ServedBy::Triton,
            _ => true,
        });
        let mut found = at(&place, facts);
        let container = vm.container_overhead.iter();
        found.extend(at("pods", container.map(|part| part.named("container_overhead")).collect()));
        for (share, card) in shares() {
            let service = &workload.service[&card.gpu.id];
            let (is_slice, is_limited) = (self.is_of_instance(share), self.limit_acts(share));
            let mut facts = service.facts();
            facts.retain(|fact| match fact.key {
                "phi_limit" => is_limited,
                // A run knows its neighbours' workloads; `validate` has rows that do not name them.
                "slice.neighbour_watts_per_sm" => false,
                key if key.starts_with("slice.") => {
                    is_slice || (is_limited && service.phi_limit.is_none())
                }
                "watts_per_sm" => card.clock_varies() || self.power.is_some(),
                "boost" => service.boost.value != 1.0,
                _ => true,
            });
            let mut of_gpu = at(&format!("{place} on {}", card.gpu.id), facts);
            if let Some(scaled) = &service.scaled {
                let over = format!("work over that on {}", scaled.from);
                let of_work = of_gpu.iter_mut().filter(|(_, fact)| fact.key == "scaled.work");
                of_work.for_each(|(name, fact)| *name = name.replace(fact.key, &over));
            }
            found.extend(of_gpu);
        }
        found
    }
}

/// Each with its place.
fn at<'f>(above: &str, facts: Vec<NamedFact<'f>>) -> Vec<(String, NamedFact<'f>)> {
    facts.into_iter().map(|fact| (format!("{above} {}", fact.key), fact)).collect()
}

impl CardSpec {
    /// Whether a run leans on this fact of its GPU, which is shared in these ways; and whether it tells watts.
    fn leans_on(&self, key: &str, ways: &[InstanceSharing], tells_watts: bool) -> bool {
        let gives = |way: fn(&GpuSpec, &InstanceSharing) -> bool| {
            ways.iter().any(|sharing| way(&self.gpu, sharing))
        };
        match key {
            // What a service time that is another GPU's, scaled, makes of these is a fact of its own.
            "memory_bandwidth" | "compute_capability" | "tensor_fp16_tflops"
            | "tensor_int8_tops" => false,
            // It bounds what a scenario may set, and moves no figure.
            "power_limit_min_w" => false,
            "pcie_bandwidth" => self.link.pcie_bandwidth.is_none(),
            // Without idle watts no limit lowers the clock.
            "power_cap_w" => {
                (self.clock_varies() || tells_watts) && self.gpu.power_idle_w.is_some()
            }
            "power_idle_w" => self.clock_varies() || tells_watts,
            "power_context_w" => tells_watts,
            "voltage_floor" => self.clock_varies(),
            "switch_cost" => gives(GpuSpec::gives_switches),
            "time_slice_best_effort" => gives(GpuSpec::gives_slices),
            "process_turns" => gives(GpuSpec::gives_process_turns),
            "mps_graph_launch" => gives(GpuSpec::gives_graph_launch),
            "mps_limit_step" | "mps_limit_min" => {
                gives(|_, sharing| sharing.mps().is_some_and(|mps| !mps.is_partitioned))
            }
            "mps_chunk" => gives(|_, sharing| sharing.mps().is_some_and(|mps| mps.is_partitioned)),
            _ => true,
        }
    }

    /// Whether the power limit decides anything: on a card that is cut, shared side by side, of several
    /// workloads, or set to a limit of its own.
    fn clock_varies(&self) -> bool {
        self.power_limit.is_some()
            || self.instances.iter().any(|instance| {
                instance.profile.is_some() || instance.sharing != InstanceSharing::Alone
            })
    }
}
