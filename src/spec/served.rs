//! Several models in one server: one process, in which each has a queue and instances of its own.
//!
//! Without a rate limiter they do not know of each other: batches of different models run side by side on
//! the GPU (Triton Inference Server User Guide, "Concurrent Model Execution").

use super::{
    Arrivals, Experiment, InstanceSharing, LoadSpec, Round, Rules, TestScenario, TestSettings,
    VmId, VmSpec,
};
use crate::units::SimDuration;

impl LoadSpec {
    /// The load of a model that nobody asks: a closed loop without clients.
    pub fn silent() -> Self {
        let settings = TestSettings {
            target_qps: 1.0,
            target_latency: SimDuration::from_secs(86_400),
            percentile: 99.0,
            min_duration: SimDuration::ZERO,
            min_query_count: 0,
            queries_beyond: None,
            rules: Rules::None,
            round: Round::ALL[0],
        };
        let think_time = SimDuration::ZERO;
        let scenario = TestScenario::ClosedLoop { clients: 0, think_time };
        Self { scenario, arrivals: Arrivals::Poisson, settings }
    }

    /// Whether nobody asks.
    pub fn is_silent(&self) -> bool {
        matches!(self.scenario, TestScenario::ClosedLoop { clients: 0, .. })
    }
}

impl Experiment {
    /// The first model of the server that a model is in; itself where it is the only one.
    pub fn first_model(&self, vm: VmId) -> VmId {
        self.vms[usize::from(vm.0)].server_of.unwrap_or(vm)
    }

    /// Whether a model has anything to do: one that has not only takes memory.
    pub fn has_work(&self, vm: VmId) -> bool {
        !self.vms[usize::from(vm.0)].load.is_silent()
    }

    /// The models with work of the server whose first model this is.
    pub fn models_of_server(&self, first: VmId) -> impl Iterator<Item = &VmSpec> {
        let vms = self.vms.iter().enumerate().map(|(index, vm)| (VmId(index as u16), vm));
        let here = vms.filter(move |&(id, _)| self.first_model(id) == first && self.has_work(id));
        here.map(|(_, vm)| vm)
    }

    /// The experiment in which several models of a server that has an instance to itself divide its SMs,
    /// each a model of one process. Where its owners take turns, or are clients of MPS, the models of a
    /// server are one owner together.
    pub fn with_models_side_by_side(mut self) -> Self {
        let firsts = (0..self.vms.len() as u16).map(VmId);
        let firsts: Vec<VmId> = firsts.filter(|&vm| self.first_model(vm) == vm).collect();
        for first in firsts {
            if self.models_of_server(first).count() < 2 {
                continue;
            }
            for share in self.vms[usize::from(first.0)].gpus.clone() {
                let card = &mut self.cards[usize::from(share.card.0)];
                let sharing = &mut card.instances[usize::from(share.instance)].sharing;
                if *sharing == InstanceSharing::Alone {
                    *sharing = InstanceSharing::Models;
                }
            }
        }
        self
    }
}
