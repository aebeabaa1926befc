//! A VM without cards yet, as a file describes it.

use super::balanced_keys::Balanced;
use super::holding::Holding;
use super::pins::Pins;
use super::pod_sharing::Pods;
use crate::config::text::Spot;
use crate::spec::{Footprint, GpuSpec, PodSharing, VmSpec};
use crate::units::Bytes;

/// A VM without cards yet, and the places that its rules point to.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// The VM; `gpus` is empty until it is placed.
    pub(crate) vm: VmSpec,
    pub(crate) memory: Option<Bytes>,
    /// How many cards, vGPUs or GPU instances it takes.
    pub(crate) cards: u32,
    /// Its share of each.
    pub(crate) holding: Holding,
    /// The model of each of its cards, by index in the machine, those of all copies one after the
    /// other.
    pub(crate) models: Vec<usize>,
    /// The card of each, where the file states it.
    pub(crate) pins: Option<Pins>,
    /// Whether its GPUs are one device group, which placement on a cluster looks at.
    pub(crate) is_device_group: bool,
    /// The number of copies of this VM; nothing for one that keeps its name.
    pub(crate) copies: Option<u32>,
    pub(crate) spots: Spots,
    /// The name of `vm` among the models of its server; nothing for the only one.
    pub(crate) model: Option<String>,
    /// The further models of its server, of which `vm` is the first.
    pub(crate) others: Vec<Served>,
    /// Its class among restarts by HA; nothing where it is not restarted.
    pub(crate) restart_priority: Option<u8>,
    /// The load balancer that deals one load to its copies.
    pub(crate) balanced: Option<Balanced>,
    /// How its pods share what it has, where models are pods.
    pub(crate) pods: Option<Pods>,
}

/// The places of the settings that a rule may refuse; the VM itself for defaults.
#[derive(Clone, Debug)]
pub(crate) struct Spots {
    pub(crate) name: Spot,
    pub(crate) vcpus: Spot,
    pub(crate) memory: Spot,
    pub(crate) reservation: Spot,
    pub(crate) cards: Spot,
    pub(crate) workload: Spot,
    pub(crate) batch_max: Spot,
    pub(crate) streams: Spot,
    pub(crate) rate: Spot,
}

/// A further model of a guest's server.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) vm: VmSpec,
    pub(crate) spots: Spots,
}

impl Guest {
    /// The memory slice at which each of its GPU instances starts, where the file states it.
    pub(crate) fn starts(&self) -> Vec<Option<u32>> {
        let none = || vec![None; self.cards as usize];
        self.pins.as_ref().map_or_else(none, |pins| pins.starts(self.cards))
    }

    /// The guest once for each of its models: itself where there is only one.
    pub(crate) fn by_model(&self) -> Vec<Guest> {
        let Some(model) = &self.model else { return vec![self.clone()] };
        let one = |place: usize, vm: &VmSpec, model: &str, spots: &Spots| {
            let group = self.pods.as_ref().map_or(model, |pods| pods.group(place));
            let vm = VmSpec {
                name: format!("{}/{model}", self.vm.name),
                group: format!("{}/{group}", self.vm.group),
                ..vm.clone()
            };
            let pods = self.pods.as_ref().map(|pods| pods.only(place));
            Guest {
                vm,
                spots: spots.clone(),
                model: None,
                others: Vec::new(),
                pods,
                ..self.clone()
            }
        };
        let first = one(0, &self.vm, model, &self.spots);
        let others = self.others.iter().enumerate();
        let others =
            others.map(|(place, other)| one(place + 1, &other.vm, &other.name, &other.spots));
        std::iter::once(first).chain(others).collect()
    }

    /// GPU memory that its server needs on each of its GPUs, all models together.
    pub(crate) fn footprint(&self) -> Bytes {
        let others = self.others.iter().map(|other| &other.vm);
        let models = std::iter::once(&self.vm).chain(others).filter(|vm| !vm.is_ensemble());
        let needs = models.map(|vm| Footprint::of(vm).need);
        needs.fold(Bytes::ZERO, |sum, need| sum + need)
    }

    /// All CUDA processes of its pods.
    pub(crate) fn processes(&self) -> u32 {
        let others = self.others.iter().map(|other| &other.vm);
        std::iter::once(&self.vm).chain(others).map(|vm| vm.server.processes()).sum()
    }

    /// How its pods share what it has of a GPU; nothing without several.
    pub(crate) fn pods_on(&self, gpu: &GpuSpec) -> Option<PodSharing> {
        self.pods.as_ref()?.sharing(gpu, self.processes())
    }

    /// Frame buffer that it may use: what it holds, or of a pod its limit.
    pub(crate) fn frame_buffer(&self, gpu: &GpuSpec) -> Bytes {
        let all = self.holding.frame_buffer(gpu);
        match &self.pods {
            Some(pods) if self.model.is_none() => pods.memory(0, all),
            _ => all,
        }
    }

    /// Whether it shares its card with other processes.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self.holding, Holding::Process(_))
    }
}
