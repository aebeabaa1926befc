//! A guest's share of each of its cards: all, a vGPU, a GPU instance, a process beside others.

use super::sharing_keys::Sharing;
use crate::layout::placement::Claim;
use crate::spec::{GpuSpec, InstanceSharing, MigProfile, MpsSharing, VgpuType};
use crate::units::{Bytes, Share};

/// A guest's share of each of its cards.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Holding {
    /// All of it.
    Whole,
    /// A time-sliced vGPU.
    Sliced(VgpuType),
    /// A GPU instance, seen through a vGPU type unless on bare metal.
    Instance(MigProfile, Option<VgpuType>),
    /// Processes on a card or GPU instance that they share with others.
    Process(Process),
    /// The one of this kind with the most frame buffer with which all VMs of the file fit.
    Largest(Kind),
}

/// A kind of holding that comes in sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Time-sliced vGPU types.
    Sliced,
    /// MIG-backed vGPU types.
    Backed,
    /// GPU instances on bare metal.
    Instance,
}

impl Kind {
    /// All of this kind on the GPU, most frame buffer first, then most compute.
    pub(crate) fn candidates(self, gpu: &GpuSpec) -> Vec<Holding> {
        let types = gpu.vgpu_types.iter();
        let mut all: Vec<Holding> = match self {
            Kind::Sliced => types
                .filter(|vgpu| vgpu.profile.is_none() && vgpu.runs_cuda())
                .map(|vgpu| Holding::Sliced(vgpu.clone()))
                .collect(),
            Kind::Backed => types
                .filter(|vgpu| vgpu.runs_cuda())
                .filter_map(|vgpu| Holding::backed(gpu, vgpu))
                .collect(),
            Kind::Instance => {
                gpu.mig_profiles.iter().map(|one| Holding::Instance(one.clone(), None)).collect()
            }
        };
        all.retain(|one| one.unpublished().is_none());
        let compute = |holding: &Holding| match holding {
            Holding::Instance(profile, _) => profile.compute_slices,
            _ => 0,
        };
        all.sort_by_key(|one| std::cmp::Reverse((one.frame_buffer(gpu), compute(one))));
        all
    }
}

impl Holding {
    /// The holding that a vGPU type makes.
    pub(crate) fn of_type(gpu: &GpuSpec, vgpu: &VgpuType) -> Holding {
        Self::backed(gpu, vgpu).unwrap_or_else(|| Holding::Sliced(vgpu.clone()))
    }

    fn backed(gpu: &GpuSpec, vgpu: &VgpuType) -> Option<Holding> {
        let profile = gpu.mig_profile(vgpu.profile.as_deref()?)?.clone();
        Some(Holding::Instance(profile, Some(vgpu.clone())))
    }

    /// Frame buffer it gives a guest: for a GPU instance, only the usable part.
    pub(crate) fn frame_buffer(&self, gpu: &GpuSpec) -> Bytes {
        match self {
            Holding::Whole | Holding::Largest(_) => gpu.memory.value,
            Holding::Process(process) => process
                .memory_limit
                .map_or(process.memory(gpu), |limit| limit.min(process.memory(gpu))),
            Holding::Sliced(vgpu) => vgpu.frame_buffer,
            Holding::Instance(profile, vgpu) => {
                let of_type = vgpu.as_ref().map(|vgpu| vgpu.frame_buffer);
                let published = profile.frame_buffer.into_iter().chain(of_type);
                published.min().expect("an instance without one is refused when it is read")
            }
        }
    }

    /// A figure that a simulation needs and that is not published.
    pub(crate) fn unpublished(&self) -> Option<&'static str> {
        let Holding::Instance(profile, vgpu) = self else { return None };
        match profile {
            MigProfile { sms: None, .. } => Some("SMs"),
            MigProfile { frame_buffer: None, .. } if vgpu.is_none() => Some("frame buffer"),
            _ => None,
        }
    }

    /// Its name with what it is: `vGPU type A100-10C`.
    pub(crate) fn in_words(&self, gpu: &GpuSpec) -> String {
        match self {
            Holding::Whole | Holding::Largest(_) => format!("GPU {}", gpu.id),
            Holding::Process(Process { memory_limit: Some(_), .. }) => {
                "the memory limit of a process".to_string()
            }
            Holding::Process(process) => process.shared(gpu),
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => {
                format!("vGPU type {}", vgpu.name)
            }
            Holding::Instance(profile, None) => format!("GPU instance {}", profile.name),
        }
    }

    /// The name that files use; that of the card when it is whole.
    pub(crate) fn name<'a>(&'a self, gpu: &'a GpuSpec) -> &'a str {
        match self {
            Holding::Whole | Holding::Largest(_) | Holding::Process(_) => &gpu.id,
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => &vgpu.name,
            Holding::Instance(profile, None) => &profile.name,
        }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Holding::Whole | Holding::Process(_) => None,
            Holding::Sliced(_) => Some(Kind::Sliced),
            Holding::Instance(_, Some(_)) => Some(Kind::Backed),
            Holding::Instance(_, None) => Some(Kind::Instance),
            Holding::Largest(kind) => Some(*kind),
        }
    }

    pub(super) fn vgpu_type(&self) -> Option<String> {
        match self {
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => Some(vgpu.name.clone()),
            _ => None,
        }
    }

    /// Its claim on the cards.
    pub(crate) fn claim(&self, gpu: &GpuSpec) -> Claim {
        match self {
            Holding::Whole | Holding::Largest(_) | Holding::Process(_) => Claim::Whole,
            Holding::Sliced(vgpu) => {
                Claim::Sliced { frame_buffer: vgpu.frame_buffer, most: vgpu.max_per_gpu }
            }
            Holding::Instance(profile, _) => {
                let same = |other: &MigProfile| other.name == profile.name;
                let profile = gpu.mig_profiles.iter().position(same);
                Claim::Instance { profile: profile.expect("a profile of this GPU") }
            }
        }
    }
}

/// Most chunks of SMs that any file may ask for.
pub(crate) const CHUNKS_MAX: u32 = 128;

/// How processes share a card or GPU instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// One at a time uses all of it.
    TimeSlicing,
    /// Side by side.
    Mps,
}

pub(crate) const MODES: [(&str, Mode); 2] =
    [("time-slicing", Mode::TimeSlicing), ("mps", Mode::Mps)];

/// The share of each process of a VM.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Process {
    pub(crate) mode: Mode,
    /// The GPU instance that is shared; nothing for a whole card.
    pub(crate) within: Option<MigProfile>,
    /// MPS: the active thread percentage.
    pub(super) sm_limit: Share,
    /// MPS: chunks of SMs of its own, under static partitioning.
    pub(super) sm_chunks: Option<u32>,
    /// MPS: the limit of pinned device memory.
    pub(crate) memory_limit: Option<Bytes>,
    /// How many replicas the VM takes.
    pub(super) replicas: u32,
}

impl Process {
    /// One with nothing but a limit of SMs.
    pub(crate) fn limited(mode: Mode, within: Option<MigProfile>, sm_limit: Share) -> Self {
        Self { mode, within, sm_limit, sm_chunks: None, memory_limit: None, replicas: 1 }
    }

    /// The memory of what is shared.
    pub(crate) fn memory(&self, gpu: &GpuSpec) -> Bytes {
        let published = |profile: &MigProfile| profile.frame_buffer.expect("refused when read");
        self.within.as_ref().map_or(gpu.memory.value, published)
    }

    /// The SMs of what is shared.
    fn sms(&self, gpu: &GpuSpec) -> u32 {
        let published = |profile: &MigProfile| profile.sms.expect("refused when read");
        self.within.as_ref().map_or(gpu.sms.value, published)
    }

    /// The most SMs it may use: its partition, or the limit rounded down to the GPU's step, as MPS
    /// does, and not less than the GPU's minimum.
    pub(crate) fn sms_at_most(&self, gpu: &GpuSpec) -> u32 {
        let (sms, step) = (self.sms(gpu), gpu.mps_limit_step.value);
        match (self.sm_chunks, &gpu.mps_chunk) {
            (Some(chunks), Some(chunk)) => (chunks * chunk.value).min(sms),
            _ if self.sm_limit == Share::WHOLE => sms,
            _ => {
                // A hundredth of an SM is the noise of percentages with two digits, no SM.
                let steps = (self.sm_limit.get() * f64::from(sms) + 0.01) / f64::from(step);
                (steps.floor() as u32 * step).clamp(gpu.mps_limit_min.value.min(sms), sms)
            }
        }
    }

    /// The same as a part of the shared card or instance.
    pub(crate) fn sm_limit(&self, gpu: &GpuSpec) -> Share {
        let part = f64::from(self.sms_at_most(gpu)) / f64::from(self.sms(gpu));
        Share::new(part).expect("no more SMs than there are")
    }

    /// Its SMs of those that are shared, where MPS limits them, and the key that states the limit.
    pub(crate) fn sms_in_words(&self, gpu: &GpuSpec) -> Option<(&'static str, String)> {
        let key = match self.sm_chunks {
            Some(_) => "sm_chunks",
            None if self.sm_limit < Share::WHOLE => "active_threads",
            None => return None,
        };
        Some((key, format!("{} of {} SMs", self.sms_at_most(gpu), self.sms(gpu))))
    }

    /// Whether its SMs are its own.
    pub(crate) fn is_partitioned(&self) -> bool {
        self.sm_chunks.is_some()
    }

    /// How its owners share an instance on such a card.
    pub(crate) fn sharing(&self, sharing: &Sharing, gpu: &GpuSpec) -> InstanceSharing {
        match self.mode {
            Mode::TimeSlicing => sharing.of_processes(gpu),
            Mode::Mps => InstanceSharing::Mps(MpsSharing {
                graph_launch: gpu.mps_graph_launch.value,
                is_partitioned: self.is_partitioned(),
            }),
        }
    }

    /// The name of the shared card or instance.
    pub(crate) fn shared(&self, gpu: &GpuSpec) -> String {
        match &self.within {
            Some(profile) => format!("GPU instance {}", profile.name),
            None => format!("GPU {}", gpu.id),
        }
    }
}

/// Whole chunks of SMs that a card has for static partitions.
pub(super) fn chunks_of(gpu: &GpuSpec) -> u32 {
    gpu.mps_chunk.as_ref().map_or(0, |chunk| gpu.sms.value / chunk.value)
}
