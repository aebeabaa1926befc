//! Several models in one server: one process, in which each has its own queue and instances; and
//! ensembles, chains of models in which the answers of one are the queries of the next.
//!
//! A step of an ensemble is an ordinary query in the queue of that step's model, together with
//! other queries; an ensemble has no queue and no instances (Triton Inference Server User Guide,
//! "Ensemble Models"). Without a rate limiter models do not affect each other's scheduling: batches
//! of different models run side by side on the GPU (Triton Inference Server User Guide, "Concurrent
//! Model Execution").

use super::{
    Arrivals, Experiment, InstanceSharing, LoadSpec, Round, Rules, TestScenario, TestSettings,
    VmId, VmSpec, Workload,
};
use crate::units::SimDuration;
use std::sync::Arc;

/// A step of an ensemble.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// A batch of a model of the same server.
    Model(VmId),
    /// Work on processors alone, such as decoding an image.
    Cpu(CpuStep),
}

/// A step on processors: query by query, first come first served.
#[derive(Clone, PartialEq, Debug)]
pub struct CpuStep {
    /// Its name in reports.
    pub name: String,
    /// Instances, each with its own processor in addition to the VM's vCPUs; at least 1.
    pub count: u32,
    /// Time of one query, above 0.
    pub time: SimDuration,
}

impl VmSpec {
    /// Its workload, to be changed: from then on its own.
    pub fn workload_mut(&mut self) -> &mut Workload {
        Arc::make_mut(&mut self.workload)
    }

    /// Whether it is no model itself but passes queries to models: an ensemble, a chain of them; or a load
    /// that several VMs share.
    pub fn is_ensemble(&self) -> bool {
        !self.steps.is_empty()
    }

    /// The models of an ensemble's steps, in order.
    pub fn step_models(&self) -> impl Iterator<Item = VmId> {
        self.steps.iter().filter_map(|step| match step {
            Step::Model(model) => Some(*model),
            Step::Cpu(_) => None,
        })
    }
}

impl LoadSpec {
    /// The load of a model that gets no queries of its own: a closed loop without clients.
    pub fn idle() -> Self {
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

    /// Whether it has no queries.
    pub fn is_idle(&self) -> bool {
        matches!(self.scenario, TestScenario::ClosedLoop { clients: 0, .. })
    }
}

impl Experiment {
    /// The first model of the server that a model is in; itself where it is the only one.
    pub fn first_model(&self, vm: VmId) -> VmId {
        self.vms[usize::from(vm.0)].server_of.unwrap_or(vm)
    }

    /// Whether it is a model with work, by its own load or as a step; a model without work only
    /// takes memory.
    pub fn has_work(&self, vm: VmId) -> bool {
        let own = &self.vms[usize::from(vm.0)];
        let is_step = || self.vms.iter().any(|other| other.step_models().any(|step| step == vm));
        !own.is_ensemble() && (!own.load.is_idle() || is_step())
    }

    /// The VMs whose queries come to these models first: their own, and the ensembles that begin
    /// there.
    pub fn askers_of(&self, models: &[VmId]) -> Vec<VmId> {
        let mut askers = self.askers();
        let of = models.iter().flat_map(|model| std::mem::take(&mut askers[usize::from(model.0)]));
        let mut of: Vec<VmId> = of.collect();
        of.sort();
        of
    }

    /// The VMs whose queries come first to each model; not those that a load balancer deals.
    pub(super) fn askers(&self) -> Vec<Vec<VmId>> {
        let mut askers = vec![Vec::new(); self.vms.len()];
        let ids = (0..self.vms.len() as u16).map(VmId);
        let asks = |vm: &VmSpec| !vm.load.is_idle() && vm.balance.is_none();
        for (id, vm) in ids.zip(&self.vms).filter(|(_, vm)| asks(vm)) {
            let first = vm.step_models().next().unwrap_or(id);
            askers[usize::from(first.0)].push(id);
        }
        askers
    }

    /// The models that have work.
    pub(super) fn models_with_work(&self) -> Vec<VmId> {
        let mut is_asked: Vec<bool> =
            self.vms.iter().map(|vm| !vm.is_ensemble() && !vm.load.is_idle()).collect();
        let steps = self.vms.iter().flat_map(VmSpec::step_models);
        steps.for_each(|step| is_asked[usize::from(step.0)] = true);
        let ids = (0..self.vms.len() as u16).map(VmId);
        ids.filter(|id| is_asked[usize::from(id.0)]).collect()
    }

    /// The models with work of the server whose first model this is.
    pub fn models_of_server(&self, first: VmId) -> impl Iterator<Item = &VmSpec> {
        let vms = self.vms.iter().enumerate().map(|(index, vm)| (VmId(index as u16), vm));
        let here = vms.filter(move |&(id, _)| self.first_model(id) == first && self.has_work(id));
        here.map(|(_, vm)| vm)
    }

    /// The experiment in which the models of a server that has an instance to itself divide its
    /// SMs, all in one process. Where owners take turns, or are clients of MPS, the models of a
    /// server are one owner together.
    pub fn with_models_side_by_side(mut self) -> Self {
        let mut models = vec![0; self.vms.len()];
        for model in self.models_with_work() {
            models[usize::from(self.first_model(model).0)] += 1;
        }
        for (vm, _) in self.vms.iter().zip(models).filter(|(_, models)| *models > 1) {
            for share in &vm.gpus {
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
