//! vGPU types as the vendor's tables print them: frame buffer, how many fit, and where.
//!
//! Which types may share a card is decided in `layout::fit`; here are only the figures.

use crate::units::{Bytes, Share};

/// A vGPU type.
#[derive(Clone, PartialEq, Debug)]
pub struct VgpuType {
    /// The vendor's name, such as `A100-40C`.
    pub name: String,
    /// Frame buffer, fixed for the life of the vGPU.
    pub frame_buffer: Bytes,
    /// How many of this type fit on one card of equal-size vGPUs, or of GPU instances.
    pub max_per_gpu: u32,
    /// The GPU instance profile of a MIG-backed type; nothing for a time-sliced one.
    pub profile: Option<String>,
    /// How many of a MIG-backed type share one GPU instance in turns: 1 except on GPUs that take
    /// turns inside an instance. 1 for a time-sliced type, which has no instance.
    pub max_per_instance: u32,
    /// Its positions on a card in mixed-size mode.
    pub mixed_size: MixedSize,
}

/// The placement of a vGPU type on a card in mixed-size mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MixedSize {
    /// There is no such mode: a MIG-backed type, or a GPU that does not support it.
    Unsupported,
    /// There is such a mode, but no source prints the placement ids.
    NotPublished {
        /// How many a card takes, where at least that is printed.
        max_per_gpu: Option<u32>,
    },
    /// The placement ids are printed. In this mode a card takes as many vGPUs of the type as there
    /// are ids.
    Printed {
        /// The ids, rising: where in the card's placement region a vGPU may start.
        ids: Vec<u32>,
        /// Its size in the same unit: a vGPU at `id` occupies `id` to `id + size`.
        size: u32,
    },
}

/// A mix of vGPUs on one card that one document of the vendor offers, and that the placement ids in
/// another document exclude.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DisputedMix {
    /// The mix in the document: names of types, and how many of each.
    pub mix: Vec<(String, u32)>,
    /// The document that offers it.
    pub offered_by: String,
    /// The document that prints the placement ids.
    pub excluded_by: String,
}

impl VgpuType {
    /// Whether it is time-sliced on a whole card, not backed by a GPU instance.
    pub fn is_time_sliced(&self) -> bool {
        self.profile.is_none()
    }

    /// Its series, by the letter of its name; nothing for a name of another form.
    pub fn series(&self) -> Option<Series> {
        Series::of(&self.name)
    }

    /// Whether a guest can run CUDA on it: not on the B and A series.
    pub fn runs_cuda(&self) -> bool {
        self.series().is_none_or(Series::runs_cuda)
    }

    /// Whether several vGPUs of this type share a GPU instance in turns.
    pub fn shares_instance(&self) -> bool {
        self.max_per_instance > 1
    }

    /// Its share of the card, or of its GPU instance, under fixed share: 1 over the most that fit.
    pub fn fixed_share(&self) -> Share {
        let most = if self.is_time_sliced() { self.max_per_gpu } else { self.max_per_instance };
        Share::new(1.0 / f64::from(most)).expect("at least one fits")
    }
}

impl MixedSize {
    /// How many a card in this mode takes; nothing where it is not known or there is no such mode.
    pub fn max_per_gpu(&self) -> Option<u32> {
        match self {
            MixedSize::Unsupported => None,
            MixedSize::NotPublished { max_per_gpu } => *max_per_gpu,
            MixedSize::Printed { ids, .. } => Some(ids.len() as u32),
        }
    }

    /// The placement ids and the size, where they are printed.
    pub fn placements(&self) -> Option<(&[u32], u32)> {
        match self {
            MixedSize::Printed { ids, size } => Some((ids, *size)),
            _ => None,
        }
    }
}

/// The series of a vGPU type: its purpose and the licence that it needs.
///
/// Source: NVIDIA Virtual GPU Software User Guide 17.6, sections 2.1.2 (series and licences) and 1.3.2
/// (CUDA on types of the Q series only); C: NVIDIA AI Enterprise User Guide v5.0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Series {
    /// Compute servers.
    C,
    /// Workstations.
    Q,
    /// Desktops.
    B,
    /// Applications.
    A,
}

impl Series {
    /// Every series, those that run CUDA first.
    pub const ALL: [Series; 4] = [Self::C, Self::Q, Self::B, Self::A];

    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::C => 'C',
            Self::Q => 'Q',
            Self::B => 'B',
            Self::A => 'A',
        }
    }

    /// Its purpose.
    pub fn about(self) -> &'static str {
        match self {
            Self::C => "compute",
            Self::Q => "workstations",
            Self::B => "desktops",
            Self::A => "applications",
        }
    }

    /// The licence that a guest needs.
    pub fn licence(self) -> &'static str {
        match self {
            Self::C => "NVIDIA AI Enterprise",
            Self::Q => "RTX vWS",
            Self::B => "vPC or RTX vWS",
            Self::A => "vApps",
        }
    }

    /// Whether a guest can run CUDA.
    pub fn runs_cuda(self) -> bool {
        matches!(self, Self::C | Self::Q)
    }

    /// By the letter after the frame buffer: C of `A100-20C` and of `A100-1-5CME`; nothing for a
    /// name of another form.
    pub fn of(name: &str) -> Option<Self> {
        let (_, last) = name.rsplit_once('-')?;
        let letters = last.trim_start_matches(|digit: char| digit.is_ascii_digit());
        if letters.len() == last.len() {
            return None;
        }
        match letters.bytes().next()?.to_ascii_uppercase() {
            b'C' => Some(Self::C),
            b'Q' => Some(Self::Q),
            b'B' => Some(Self::B),
            b'A' => Some(Self::A),
            _ => None,
        }
    }
}
