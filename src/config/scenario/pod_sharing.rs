//! How the pods of a VM share what it has of a GPU, as a file says it: turns, and the limits of MPS.

use super::holding::{Holding, Mode, Process};
use crate::config::text::Spot;
use crate::spec::{
    CutSlice, Fact, GpuSpec, HardwareTurns, MpsSharing, Overshoot, PodSharing, SwitchTimes, TurnsOf,
};
use crate::units::{Bytes, Share, SimDuration};

/// The keys of `pods` that only turns have.
pub(super) const OF_TURNS: [&str; 3] = ["slice", "switch_cost", "cut_slice"];

/// The pods of a VM, and how they share what it has.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    pub(super) mode: Mode,
    pub(super) replicas: Option<u32>,
    pub(super) slice: Option<SimDuration>,
    pub(super) switch: Option<SwitchTimes>,
    pub(super) cut: CutSlice,
    /// What a container adds to CPU work.
    pub(crate) overhead: Fact<Share>,
    /// Of each pod, what MPS holds it to, and the name of its entry in the file.
    pub(super) limits: Vec<(Limits, String)>,
    /// Where `pods` stands.
    pub(crate) spot: Spot,
}

/// What MPS holds a pod to, where the file says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(super) sms: Share,
    pub(super) memory: Option<Bytes>,
}

impl Pods {
    /// Whether a key of `pods` has a meaning for how they share.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.mode != Mode::Mps || !OF_TURNS.contains(&key)
    }

    /// What pods of the entry that a pod is of are called together.
    pub(crate) fn group(&self, place: usize) -> &str {
        self.limits.get(place).map_or("", |(_, group)| group)
    }

    /// The same, of one pod.
    pub(crate) fn only(&self, place: usize) -> Self {
        Self { limits: self.limits[place..=place].to_vec(), ..self.clone() }
    }

    /// How so many processes share a GPU of this model; nothing for one that has it to itself.
    pub(crate) fn sharing(&self, gpu: &GpuSpec, processes: u32) -> Option<PodSharing> {
        match self.mode {
            Mode::Mps => Some(PodSharing::Mps(MpsSharing {
                graph_launch: gpu.mps_graph_launch.value,
                is_partitioned: false,
            })),
            Mode::TimeSlicing if processes < 2 => None,
            Mode::TimeSlicing => {
                let measured = &gpu.process_turns.value;
                let turns = HardwareTurns {
                    slice: self.slice.unwrap_or(measured.slice),
                    renewal: self.slice.unwrap_or(measured.renewal),
                    switch: self.switch.unwrap_or(measured.switch),
                    overshoot: Overshoot::None,
                    of: TurnsOf::Process,
                };
                Some(PodSharing::TimeSlicing { turns, cut: self.cut })
            }
        }
    }

    /// The part of the SMs that a pod may use at most, of what its VM has.
    pub(crate) fn sm_limit(&self, place: usize, holding: &Holding, gpu: &GpuSpec) -> Share {
        let own = self.limits.get(place).map_or(Share::WHOLE, |(limits, _)| limits.sms);
        // The plugin's daemon sets whole per cent.
        let replicas = self.replicas.filter(|_| self.mode == Mode::Mps);
        let part = replicas.map_or(1.0, |replicas| f64::from((100 / replicas).max(1)) / 100.0);
        let sms = if own < Share::WHOLE { own } else { Share::clamped(part) };
        self.process(holding, sms).sm_limit(gpu)
    }

    /// The memory that a pod may use at most, of `all` that its VM has.
    pub(crate) fn memory(&self, place: usize, all: Bytes) -> Bytes {
        let own = self.limits.get(place).and_then(|(limits, _)| limits.memory);
        let replicas = self.replicas.filter(|_| self.mode == Mode::Mps);
        // The plugin's daemon sets whole MiB.
        let mib = |replicas: u32| Bytes::new(((all.get() / u64::from(replicas)) >> 20) << 20);
        own.or(replicas.map(mib)).map_or(all, |limit| limit.min(all))
    }

    /// A process like its pods.
    pub(super) fn process(&self, holding: &Holding, sm_limit: Share) -> Process {
        let within = match holding {
            Holding::Instance(profile, _) => Some(profile.clone()),
            _ => None,
        };
        Process::limited(self.mode, within, sm_limit)
    }
}
